//! Checks of what can be read, each by reading it.

use seatwise_connector_sdk::{Call, Failure, Usage, connection::CheckResult, json};
use serde::Deserialize;

use super::{failed, passed, skipped, warned};
use crate::{
    api::Api,
    connection, consumption, logins,
    model::{QueryPage, UserRow},
    org::{self, Org},
    rights::Rights,
    settings::{ActivitySource, LicenceKind, Settings},
    users,
};

/// Share of the daily limit from which the quota check warns, in percent; the host's own guard has the same default, and so
/// does seed 003.
const QUOTA_WARNS_AT: u64 = 75;
/// Users in a hundred that may be missing before it is no longer put down to a count of yesterday.
const MISSING_PERCENT: u64 = 2;

const VIEW_SETUP: &str =
    "A Salesforce administrator gives the connecting user View Setup and Configuration";

pub fn columns(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let org = Org::discover(call)?;
    let missing: Vec<&str> = org::OPTIONAL_COLUMNS
        .into_iter()
        .filter(|column| !org.has(column))
        .collect();
    if !org.has("LastLoginDate") {
        return Ok(warned(
            "LastLoginDate is hidden, so nobody's last activity can be known and nobody can become a candidate".to_owned(),
            "A Salesforce administrator makes Last Login visible to the connecting user in the field-level security of User",
        ));
    }
    if missing.is_empty() {
        return Ok(passed("Every column that is used is visible".to_owned()));
    }
    Ok(warned(
        format!("Goes on without {}", missing.join(", ")),
        "Optional: a Salesforce administrator makes these columns of User visible to the connecting user",
    ))
}

pub fn users(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let answer = api.query(&users::first_page(call, &org)?)?;
    let page: QueryPage<'_, UserRow<'_>> = json::parse(answer.body())?;
    if page.records.is_empty() {
        return Ok(failed(
            "Salesforce shows no user at all".to_owned(),
            "A Salesforce administrator gives the connecting user View All Users",
        ));
    }
    Ok(passed(format!(
        "{} of {} users read in one page",
        page.records.len(),
        page.total_size
    )))
}

/// Active users that are visible, against the seats that the org itself counts as used.
pub fn all_users(call: &Call<'_>) -> Result<CheckResult, Failure> {
    const FIX: &str = "A Salesforce administrator gives the connecting user View All Users";
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let visible =
        api.count("SELECT COUNT() FROM User WHERE IsActive = true AND ProfileId != null")?;
    let rows = match consumption::licences(&api) {
        Ok(rows) => rows,
        Err(failure) if org::is_absent(&failure) => {
            return Ok(warned(
                format!(
                    "{visible} active users are visible; the org's own count cannot be read ({})",
                    failure.code
                ),
                VIEW_SETUP,
            ));
        }
        Err(failure) => return Err(failure),
    };
    let used: u64 = rows
        .iter()
        .filter_map(|row| u64::try_from(row.used_licenses?).ok())
        .sum();
    let evidence =
        format!("{visible} active users are visible; the org counts {used} seats in use");
    let missing = used.saturating_sub(visible);
    Ok(if missing == 0 {
        passed(evidence)
    } else if missing * 100 <= used * MISSING_PERCENT {
        warned(
            format!("{evidence}, which may be yesterday's count"),
            "Nothing to do if it passes tomorrow; else a Salesforce administrator gives the connecting user View All Users",
        )
    } else {
        failed(format!("{evidence}: {missing} users are hidden"), FIX)
    })
}

pub fn licences(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let org = Org::of(call)?;
    let rows = consumption::licences(&Api::new(call, &org.version))?;
    if rows.is_empty() {
        return Ok(failed(
            "Salesforce shows no user licence at all".to_owned(),
            VIEW_SETUP,
        ));
    }
    let active = rows
        .iter()
        .filter(|row| row.status.as_deref() != Some("Disabled"))
        .count();
    Ok(passed(format!(
        "{} user licences read, {active} of them active",
        rows.len()
    )))
}

pub fn permission_set_licences(call: &Call<'_>) -> Result<CheckResult, Failure> {
    optional_kind(
        call,
        LicenceKind::PermissionSetLicences,
        "PermissionSetLicenseAssign",
        "assignments of permission-set licences",
        "Optional: a Salesforce administrator gives the connecting user View Setup and Configuration, or these licences are taken out of the profile's settings",
    )
}

pub fn packages(call: &Call<'_>) -> Result<CheckResult, Failure> {
    optional_kind(
        call,
        LicenceKind::Packages,
        "UserPackageLicense",
        "seats of managed packages",
        "Optional: a Salesforce administrator gives the connecting user View Setup and Configuration, or packages are taken out of the profile's settings",
    )
}

fn optional_kind(
    call: &Call<'_>,
    kind: LicenceKind,
    object: &str,
    what: &str,
    fix: &str,
) -> Result<CheckResult, Failure> {
    if !Settings::of(call.ctx)?.reads(kind) {
        return Ok(skipped(format!(
            "The profile's settings leave {what} alone"
        )));
    }
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    match api.count(&format!("SELECT COUNT() FROM {object}")) {
        Ok(count) => Ok(passed(format!("{count} {what} can be read"))),
        Err(failure) if org::is_absent(&failure) && org.has_shown(kind) => Ok(failed(
            format!(
                "The {what} could be read before and cannot be read any more ({}); runs stop until they can",
                failure.code
            ),
            fix,
        )),
        Err(failure) if org::is_absent(&failure) => Ok(warned(
            format!("Goes on without {what} ({})", failure.code),
            fix,
        )),
        Err(failure) => Err(failure),
    }
}

pub fn frozen(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let version = org::negotiate(call)?;
    let frozen =
        Api::new(call, &version).count("SELECT COUNT() FROM UserLogin WHERE IsFrozen = true")?;
    Ok(passed(format!("{frozen} users are frozen")))
}

/// Everybody's logins, or only one's own: the rights say it.
pub fn login_history(call: &Call<'_>) -> Result<CheckResult, Failure> {
    const FIX: &str = "A Salesforce administrator gives the connecting user Manage Users or Monitor Login History, or last_login is chosen as source of activity";
    if Settings::of(call.ctx)?.activity_source != ActivitySource::LoginHistory {
        return Ok(skipped(
            "The profile's settings take the last login on the user record; no login history is read".to_owned(),
        ));
    }
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    if org::describe(&api, logins::OBJECT)?.is_none() {
        return Ok(failed("LoginHistory cannot be read".to_owned(), FIX));
    }
    Ok(match Rights::read(&api)?.shows_all_logins() {
        Some(true) => passed("The logins of everybody are shown".to_owned()),
        Some(false) => failed(
            "Salesforce shows only the connecting user's own logins".to_owned(),
            FIX,
        ),
        None => warned(
            "Salesforce does not say whether it shows the logins of everybody".to_owned(),
            FIX,
        ),
    })
}

pub fn quota(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let version = org::negotiate(call)?;
    let api = Api::new(call, &version);
    // Any counted answer carries the header; the resource itself needs a right that some connections lack.
    connection::organization(&api)?;
    let usage = match api.usage() {
        Some(usage) => usage,
        None => match limits(&api) {
            Ok(usage) => usage,
            Err(failure) if org::is_absent(&failure) => {
                return Ok(warned(
                    "Salesforce does not tell how much of the daily limit is used".to_owned(),
                    "Optional: a Salesforce administrator gives the connecting user View Setup and Configuration",
                ));
            }
            Err(failure) => return Err(failure),
        },
    };
    let evidence = format!(
        "{} of {} calls of the last 24 hours are used, by all apps of the org",
        usage.used, usage.limit
    );
    if usage.used.saturating_mul(100) >= usage.limit.saturating_mul(QUOTA_WARNS_AT) {
        return Ok(warned(
            evidence,
            "Wait: calls older than 24 hours stop counting. A Salesforce administrator sees in Setup, Company Information, which apps call most",
        ));
    }
    Ok(passed(evidence))
}

fn limits(api: &Api<'_>) -> Result<Usage, Failure> {
    #[derive(Deserialize)]
    struct Limits {
        #[serde(rename = "DailyApiRequests")]
        daily: Daily,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Daily {
        max: u64,
        remaining: u64,
    }
    let answer = api.get_versioned("limits")?;
    let Daily { max, remaining } = json::parse::<Limits>(answer.body())?.daily;
    Ok(Usage {
        used: max.saturating_sub(remaining),
        limit: max,
    })
}
