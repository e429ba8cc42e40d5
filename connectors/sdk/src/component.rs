//! The trait a connector implements, and the glue from the generated exports to it.

use std::marker::PhantomData;

use crate::{
    Call, Context, Failure, activity, bindings::exports::seatwise::connector as exports,
    connection, consumption, reclaim, subscriptions,
};

/// The contract's exported functions, with the ways out (`http`, `log`) as a parameter.
///
/// Functions are associated, not methods: there is no state between calls to keep in a `self`. The meaning of each is
/// in `wit/connector@0.1.0`; what is said here is only what the WIT does not.
pub trait Connector {
    /// The manifest's id and version.
    fn describe() -> connection::Info;

    /// Who is at the other end, and what later calls need to know about it (`memo`).
    ///
    /// # Errors
    /// Any [`Failure`]; `auth` and `permission` are shown with the manifest's fix.
    fn identify(call: &Call<'_>) -> Result<connection::Organization, Failure>;

    /// The checks this connector can run, in the order a person should see them.
    fn checks(call: &Call<'_>) -> Vec<connection::CheckInfo>;

    /// Runs one check as the real work would do it.
    ///
    /// # Errors
    /// Only if the check could not run at all; "it ran and the answer is no" is a `fail`.
    fn check(call: &Call<'_>, id: &str) -> Result<connection::CheckResult, Failure>;

    /// Names the chains of a download.
    ///
    /// # Errors
    /// Any [`Failure`]; nothing has been stored yet.
    fn begin_subscriptions(
        call: &Call<'_>,
        since: Option<i64>,
    ) -> Result<subscriptions::Outline, Failure>;

    /// Reads one page of one chain.
    ///
    /// # Errors
    /// Any [`Failure`]; the host keeps the cursor it gave and may give it again.
    fn download_subscriptions(call: &Call<'_>, at: &[u8]) -> Result<subscriptions::Page, Failure>;

    /// Fresh facts about at most 200 accounts.
    ///
    /// # Errors
    /// `invalid-input` for more than 200 ids or ids that are none.
    fn lookup_accounts(call: &Call<'_>, ids: &[String]) -> Result<subscriptions::Page, Failure>;

    /// Names the chains of an activity download.
    ///
    /// # Errors
    /// Any [`Failure`].
    fn begin_activity(call: &Call<'_>, since: i64) -> Result<activity::Outline, Failure>;

    /// Reads one page of activity.
    ///
    /// # Errors
    /// Any [`Failure`].
    fn pull_user_activity(call: &Call<'_>, at: &[u8]) -> Result<activity::Page, Failure>;

    /// Reads one page of what the vendor says is owned and used.
    ///
    /// # Errors
    /// Any [`Failure`].
    fn download_consumption(
        call: &Call<'_>,
        resume: Option<&[u8]>,
    ) -> Result<consumption::Page, Failure>;

    /// Plans, one answer per target and in their order. The same facts must give the same bytes: the host compares the
    /// plan it is about to send with the plan that was approved.
    ///
    /// # Errors
    /// The outer error if nothing could be looked at; the inner one for a target that cannot be planned at all.
    fn plan_reclaim(
        call: &Call<'_>,
        targets: &[reclaim::Target],
    ) -> Result<Vec<Result<reclaim::Plan, Failure>>, Failure>;

    /// Plans the way back from a before-image.
    ///
    /// # Errors
    /// `unsupported` for an image of a format this version does not know.
    fn plan_restore(
        call: &Call<'_>,
        target: &reclaim::Target,
        before: &reclaim::BeforeImage,
    ) -> Result<reclaim::Plan, Failure>;

    /// What the vendor's answer to a step means. Gets no way out: the answer must be enough.
    fn judge(ctx: &Context, step: &reclaim::Step, answer: &crate::Answer) -> reclaim::Verdict;

    /// What is true at the vendor now, one observation per target and in their order.
    ///
    /// # Errors
    /// Any [`Failure`]; the host asks again later.
    fn observe(
        call: &Call<'_>,
        targets: &[reclaim::Target],
    ) -> Result<Vec<reclaim::Observation>, Failure>;
}

/// Carries a [`Connector`] to the generated exports; named only by [`export!`](crate::export).
pub struct Component<C>(PhantomData<C>);

#[cfg(target_arch = "wasm32")]
fn call(ctx: &Context) -> Call<'_> {
    Call::new(ctx, &crate::http::Host, &crate::http::Host)
}

/// Natively there is no host behind the imports; tests build a [`Call`] of their own and never come here.
#[cfg(not(target_arch = "wasm32"))]
fn call(_: &Context) -> Call<'_> {
    unreachable!("the exported functions exist only inside a component")
}

impl<C: Connector> exports::connection::Guest for Component<C> {
    fn describe() -> connection::Info {
        C::describe()
    }

    fn identify(ctx: Context) -> Result<connection::Organization, Failure> {
        C::identify(&call(&ctx))
    }

    fn checks(ctx: Context) -> Vec<connection::CheckInfo> {
        C::checks(&call(&ctx))
    }

    fn check(ctx: Context, id: String) -> Result<connection::CheckResult, Failure> {
        C::check(&call(&ctx), &id)
    }
}

impl<C: Connector> exports::subscriptions::Guest for Component<C> {
    fn begin(ctx: Context, since: Option<i64>) -> Result<subscriptions::Outline, Failure> {
        C::begin_subscriptions(&call(&ctx), since)
    }

    fn download_subscriptions(ctx: Context, at: Vec<u8>) -> Result<subscriptions::Page, Failure> {
        C::download_subscriptions(&call(&ctx), &at)
    }

    fn lookup_accounts(ctx: Context, ids: Vec<String>) -> Result<subscriptions::Page, Failure> {
        C::lookup_accounts(&call(&ctx), &ids)
    }
}

impl<C: Connector> exports::activity::Guest for Component<C> {
    fn begin(ctx: Context, since: i64) -> Result<activity::Outline, Failure> {
        C::begin_activity(&call(&ctx), since)
    }

    fn pull_user_activity(ctx: Context, at: Vec<u8>) -> Result<activity::Page, Failure> {
        C::pull_user_activity(&call(&ctx), &at)
    }
}

impl<C: Connector> exports::consumption::Guest for Component<C> {
    fn download_consumption(
        ctx: Context,
        resume: Option<Vec<u8>>,
    ) -> Result<consumption::Page, Failure> {
        C::download_consumption(&call(&ctx), resume.as_deref())
    }
}

impl<C: Connector> exports::reclaim::Guest for Component<C> {
    fn plan_reclaim(
        ctx: Context,
        targets: Vec<reclaim::Target>,
    ) -> Result<Vec<Result<reclaim::Plan, Failure>>, Failure> {
        C::plan_reclaim(&call(&ctx), &targets)
    }

    fn plan_restore(
        ctx: Context,
        target: reclaim::Target,
        before: reclaim::BeforeImage,
    ) -> Result<reclaim::Plan, Failure> {
        C::plan_restore(&call(&ctx), &target, &before)
    }

    fn judge(ctx: Context, step: reclaim::Step, response: crate::Response) -> reclaim::Verdict {
        C::judge(&ctx, &step, &crate::Answer::new(response))
    }

    fn observe(
        ctx: Context,
        targets: Vec<reclaim::Target>,
    ) -> Result<Vec<reclaim::Observation>, Failure> {
        C::observe(&call(&ctx), &targets)
    }
}
