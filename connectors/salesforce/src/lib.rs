//! Salesforce CRM connector, a WASM component.
//!
//! Reads users, the licences they hold of every kind, who is frozen, logins, and what the org owns; plans taking seats back,
//! judges the answers and observes the outcome. It never writes: the host sends what [`reclaim`] planned.
//!
//! Invariants:
//! - A licence is known by `UserLicense.LicenseDefinitionKey`, never by its name, which can occur twice.
//! - `errorCode` decides what a failure means, never the HTTP status alone: 403 has three meanings.
//! - Only columns that describe lists are asked for; every field but `Id` may be missing from a row.
//! - Unknown is never zero: a null `LastLoginDate` means *never*, a missing column means *cannot know*.
//! - The same facts give the same plan, byte for byte; nothing in a plan depends on the time.
//!
//! Facts and their sources are in the connector's README.

mod accounts;
mod activity;
mod api;
mod bulk;
mod chains;
mod checks;
mod clouds;
mod connection;
mod consumption;
mod edits;
mod errors;
mod fresh;
mod holdings;
mod ids;
mod kinds;
mod logins;
mod model;
mod org;
mod pools;
mod probe;
mod products;
mod reclaim;
mod rights;
mod scope;
mod settings;
mod shown;
mod soql;
mod time;
mod users;

use seatwise_connector_sdk::{
    Answer, Call, Connector, Context, Failure,
    activity::{Outline as ActivityOutline, Page as ActivityPage},
    connection::{CheckInfo, CheckResult, Info, Organization},
    consumption::Page as ConsumptionPage,
    reclaim::{BeforeImage, Observation, Plan, Step, Target, Verdict},
    subscriptions::{Outline, Page},
};

pub use checks::{Right, least_privilege};

/// The connector.
pub struct Salesforce;

impl Connector for Salesforce {
    fn describe() -> Info {
        Info {
            id: "salesforce".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    fn identify(call: &Call<'_>) -> Result<Organization, Failure> {
        connection::identify(call)
    }

    fn checks(_: &Call<'_>) -> Vec<CheckInfo> {
        checks::list()
    }

    fn check(call: &Call<'_>, id: &str) -> Result<CheckResult, Failure> {
        checks::run(call, id)
    }

    fn begin_subscriptions(call: &Call<'_>, since: Option<i64>) -> Result<Outline, Failure> {
        chains::begin(call, since)
    }

    fn download_subscriptions(call: &Call<'_>, at: &[u8]) -> Result<Page, Failure> {
        chains::download(call, at)
    }

    fn lookup_accounts(call: &Call<'_>, ids: &[String]) -> Result<Page, Failure> {
        users::lookup(call, ids)
    }

    fn begin_activity(call: &Call<'_>, since: i64) -> Result<ActivityOutline, Failure> {
        activity::begin(call, since)
    }

    fn pull_user_activity(call: &Call<'_>, at: &[u8]) -> Result<ActivityPage, Failure> {
        activity::pull(call, at)
    }

    fn download_consumption(
        call: &Call<'_>,
        resume: Option<&[u8]>,
    ) -> Result<ConsumptionPage, Failure> {
        consumption::download(call, resume)
    }

    fn plan_reclaim(
        call: &Call<'_>,
        targets: &[Target],
    ) -> Result<Vec<Result<Plan, Failure>>, Failure> {
        reclaim::plan(call, targets)
    }

    fn plan_restore(
        call: &Call<'_>,
        target: &Target,
        before: &BeforeImage,
    ) -> Result<Plan, Failure> {
        reclaim::restore::plan(call, target, before)
    }

    fn judge(_: &Context, step: &Step, answer: &Answer) -> Verdict {
        reclaim::judge::judge(step, answer)
    }

    fn observe(call: &Call<'_>, targets: &[Target]) -> Result<Vec<Observation>, Failure> {
        reclaim::observe(call, targets)
    }
}

seatwise_connector_sdk::export!(Salesforce);
