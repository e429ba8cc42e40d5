//! The checks of the playbook, of every run and of every reclaim. Each does what the real work does, and none writes.

mod list;
mod what;
mod who;

use seatwise_connector_sdk::{
    Call, Failure, FailureKind,
    connection::{CheckInfo, CheckResult, Verdict},
    failure,
};

pub use list::{Right, least_privilege};

/// All checks, in the order in which one builds on the other.
pub fn list() -> Vec<CheckInfo> {
    list::infos()
}

/// Runs one check.
///
/// # Errors
/// A failure that says nothing about rights or configuration (the vendor is down, the limit is spent): the check could
/// not run. `invalid-input` for an unknown id.
pub fn run(call: &Call<'_>, id: &str) -> Result<CheckResult, Failure> {
    let result = match id {
        "api-reachable" => who::api_reachable(call),
        "organization" => who::organization(call),
        "scopes" => who::scopes(call),
        "api-enabled" => who::api_enabled(call),
        "run-as-user" => who::run_as_user(call),
        "view-setup" => who::view_setup(call),
        "columns" => what::columns(call),
        "users" => what::users(call),
        "all-users" => what::all_users(call),
        "licences" => what::licences(call),
        "permission-set-licences" => what::permission_set_licences(call),
        "packages" => what::packages(call),
        "frozen" => what::frozen(call),
        "login-history" => what::login_history(call),
        "reclaim-right" => who::reclaim_right(call),
        "wide-rights" => who::wide_rights(call),
        "quota" => what::quota(call),
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

fn skipped(evidence: String) -> CheckResult {
    CheckResult {
        verdict: Verdict::Skipped,
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
            "licences" | "view-setup" | "run-as-user" | "all-users" => {
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
