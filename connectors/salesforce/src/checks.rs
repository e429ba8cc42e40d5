//! The checks of the playbook, of every run and of every reclaim. Each does what the real work does, and none writes.

use seatwise_connector_sdk::{
    Call, Failure, FailureKind, Process, Usage,
    connection::{CheckInfo, CheckResult, Environment, Verdict},
    failure, json,
};
use serde::Deserialize;

use crate::{
    api::Api,
    connection, consumption,
    model::{QueryPage, UserRow},
    org::{self, Org},
};

/// Share of the daily limit from which the quota check warns, in percent; the host's own guard has the same default.
const QUOTA_WARNS_AT: u64 = 75;

const DOWNLOADS: [Process; 3] = [
    Process::Subscriptions,
    Process::Activity,
    Process::Consumption,
];

/// All checks, in the order in which one builds on the other.
pub fn list() -> Vec<CheckInfo> {
    let all = || {
        vec![
            Process::Subscriptions,
            Process::Activity,
            Process::Consumption,
            Process::Reclaim,
        ]
    };
    let check = |id: &str, title: &str, serves, mandatory| CheckInfo {
        id: id.to_owned(),
        title: title.to_owned(),
        serves,
        mandatory,
    };
    vec![
        check(
            "api-reachable",
            "The org answers and speaks a known API version",
            all(),
            true,
        ),
        check(
            "organization",
            "The credential works and shows the org",
            all(),
            true,
        ),
        check(
            "columns",
            "The columns of User are visible",
            DOWNLOADS.to_vec(),
            true,
        ),
        check(
            "users",
            "One page of users can be read",
            vec![Process::Subscriptions, Process::Activity],
            true,
        ),
        check(
            "licences",
            "The licence pools can be read",
            vec![Process::Consumption],
            true,
        ),
        check(
            "frozen",
            "Frozen users can be told apart",
            vec![Process::Subscriptions, Process::Reclaim],
            false,
        ),
        check(
            "reclaim-right",
            "The connecting user may change users",
            vec![Process::Reclaim],
            false,
        ),
        check("quota", "The daily API limit leaves room", all(), false),
    ]
}

/// Runs one check.
///
/// # Errors
/// A failure that says nothing about rights or configuration (the vendor is down, the limit is spent): the check could
/// not run. `invalid-input` for an unknown id.
pub fn run(call: &Call<'_>, id: &str) -> Result<CheckResult, Failure> {
    let result = match id {
        "api-reachable" => api_reachable(call),
        "organization" => organization(call),
        "columns" => columns(call),
        "users" => users(call),
        "licences" => licences(call),
        "frozen" => frozen(call),
        "reclaim-right" => reclaim_right(call),
        "quota" => quota(call),
        _ => {
            return Err(failure::invalid_input(
                "unknown_check",
                format!("There is no check {id:?}"),
            ));
        }
    };
    match result {
        Err(failure) if says_no(failure.kind) => {
            let fix = fix_for(id, &failure);
            Ok(failed(
                format!("{} ({})", failure.message, failure.code),
                fix,
            ))
        }
        other => other,
    }
}

/// Whether a failure is an answer to the check's question.
fn says_no(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Auth
            | FailureKind::Permission
            | FailureKind::InvalidInput
            | FailureKind::NotFound
            | FailureKind::Refused
            | FailureKind::Unsupported
    )
}

fn passed(evidence: String) -> CheckResult {
    CheckResult {
        verdict: Verdict::Pass,
        evidence,
        fix: None,
    }
}

fn warned(evidence: String, fix: &str) -> CheckResult {
    CheckResult {
        verdict: Verdict::Warn,
        evidence,
        fix: Some(fix.to_owned()),
    }
}

fn failed(evidence: String, fix: &str) -> CheckResult {
    CheckResult {
        verdict: Verdict::Fail,
        evidence,
        fix: Some(fix.to_owned()),
    }
}

/// What to do and who can, by what Salesforce said and where.
fn fix_for(check: &str, failure: &Failure) -> &'static str {
    match failure.code.as_str() {
        "FUNCTIONALITY_NOT_ENABLED" => {
            "A Salesforce administrator gives the connecting user the permission API Enabled, in its profile or a permission set"
        }
        "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED" => {
            "The org has no API: it needs Enterprise, Unlimited, Performance or Developer Edition, or Professional with the API add-on; ask the Salesforce account team"
        }
        "INVALID_SESSION_ID"
            if failure
                .message
                .contains("not valid for use with the REST API") =>
        {
            "A Salesforce administrator takes the high-assurance session requirement off the connecting user's profile, or renews its expired password"
        }
        "INVALID_SESSION_ID" | "Bad_OAuth_Token" => {
            "Connect the profile again; if it happens again, a Salesforce administrator checks the app's policies and the connecting user"
        }
        "api_version_not_listed" => {
            "Clear the setting API version of the profile, or choose one that the org lists"
        }
        "no_supported_api_version" => {
            "Update Seatwise: this org speaks only versions that this connector does not know yet"
        }
        _ => match check {
            "licences" => {
                "A Salesforce administrator gives the connecting user View Setup and Configuration"
            }
            "users" => {
                "A Salesforce administrator gives the connecting user View Setup and Configuration and, where user sharing is private, View All Users"
            }
            "columns" => {
                "A Salesforce administrator makes the column visible to the connecting user in Object Manager, User, Fields, Field-Level Security"
            }
            "frozen" | "reclaim-right" => {
                "A Salesforce administrator gives the connecting user Manage Users"
            }
            _ => {
                "A Salesforce administrator checks the rights of the connecting user against the setup guide"
            }
        },
    }
}

fn api_reachable(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let listed = org::listed_versions(call)?;
    let version = org::negotiate(call)?;
    let (first, last) = (
        listed.first().map_or("?", String::as_str),
        listed.last().map_or("?", String::as_str),
    );
    Ok(passed(format!(
        "The org lists versions {first} to {last}; v{version} is used"
    )))
}

fn organization(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let version = org::negotiate(call)?;
    let row = connection::organization(&Api::new(call, &version))?;
    let kind = match connection::environment(&row) {
        Environment::Production => "production",
        Environment::Sandbox => "a Salesforce sandbox",
        Environment::Trial => "a trial",
        Environment::Unknown => "of unknown kind",
    };
    let name = row.name.as_deref().unwrap_or("without a name");
    let edition = row
        .organization_type
        .as_deref()
        .unwrap_or("edition not shown");
    Ok(passed(format!("{name}, {}, {edition}, {kind}", row.id)))
}

fn columns(call: &Call<'_>) -> Result<CheckResult, Failure> {
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

fn users(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let answer = api.query(&crate::users::first_page(call, &org)?)?;
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

fn licences(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let org = Org::of(call)?;
    let rows = consumption::licences(&Api::new(call, &org.version), &org)?;
    if rows.is_empty() {
        return Ok(failed(
            "Salesforce shows no user licence at all".to_owned(),
            "A Salesforce administrator gives the connecting user View Setup and Configuration",
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

fn frozen(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let version = org::negotiate(call)?;
    let frozen =
        Api::new(call, &version).count("SELECT COUNT() FROM UserLogin WHERE IsFrozen = true")?;
    Ok(passed(format!("{frozen} users are frozen")))
}

/// The running user's own rights, from `UserPermissionAccess`: read, nothing tried.
fn reclaim_right(call: &Call<'_>) -> Result<CheckResult, Failure> {
    #[derive(Deserialize)]
    struct Rights {
        #[serde(rename = "PermissionsManageUsers")]
        manage_users: Option<bool>,
    }
    let version = org::negotiate(call)?;
    let api = Api::new(call, &version);
    let rows: Vec<Rights> =
        match api.rows("SELECT PermissionsManageUsers FROM UserPermissionAccess") {
            Ok(rows) => rows,
            Err(failure) if org::is_absent(&failure) => {
                return Ok(warned(
                    format!(
                        "The connecting user's own rights cannot be read ({})",
                        failure.code
                    ),
                    "A Salesforce administrator checks that the connecting user has Manage Users",
                ));
            }
            Err(failure) => return Err(failure),
        };
    match rows.first().and_then(|row| row.manage_users) {
        Some(true) => Ok(passed(
            "The connecting user has Manage Users; nothing was written to find out".to_owned(),
        )),
        Some(false) => Ok(failed(
            "The connecting user does not have Manage Users".to_owned(),
            "A Salesforce administrator gives the connecting user Manage Users",
        )),
        None => Ok(warned(
            "Salesforce does not say whether the connecting user has Manage Users".to_owned(),
            "A Salesforce administrator checks that the connecting user has Manage Users",
        )),
    }
}

fn quota(call: &Call<'_>) -> Result<CheckResult, Failure> {
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
