//! Every row of the REST error table (salesforce.md §2.3), produced by a running org, read by the connector, and explained by words of
//! its own in the manifest. The login's rows are proven beside the practice org's login side.

use std::collections::{BTreeMap, BTreeSet};

use seatwise_connector_sdk::FailureKind::{
    self, Auth, Conflict, Internal, InvalidInput, Malformed, NotFound, Permission, Quota,
    RateLimited, Refused, Transient, Unsupported,
};
use seatwise_practice_org_salesforce::{Faults, worked_example};
use serde::Deserialize;

use crate::link::Link;

/// What of the manifest is asked for here.
#[derive(Deserialize)]
struct Manifest {
    errors: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    code: String,
    at: String,
    error: Option<String>,
    text: Option<String>,
}

impl Manifest {
    /// As the host does it: the first rule whose place, code and sentence fit.
    fn explain(&self, code: &str, sentence: &str) -> Option<&str> {
        let fits = |text: &String| regex::Regex::new(text).unwrap().is_match(sentence);
        let rule = self.errors.iter().find(|rule| {
            rule.at == "api"
                && rule.error.as_deref().is_none_or(|error| error == code)
                && rule.text.as_ref().is_none_or(fits)
        });
        rule.map(|rule| rule.code.as_str())
    }
}

/// The fault that makes the row, what kind of failure it is, and the rule that explains it.
const ROWS: &[(&str, FailureKind, &str)] = &[
    ("error=300", Conflict, "several_records"),
    ("error=304", Malformed, "not_modified"),
    ("error=405", Internal, "wrong_method"),
    ("error=406", Internal, "wrong_answer_format"),
    ("error=409", Conflict, "changed_meanwhile"),
    ("error=410", Unsupported, "version_retired"),
    ("error=412", Conflict, "precondition"),
    ("error=414", Internal, "address_too_long"),
    ("error=415", Internal, "wrong_body_format"),
    ("error=420", Transient, "org_not_routable"),
    ("error=428", Internal, "condition_wanted"),
    ("error=431", Internal, "headers_too_long"),
    ("error=429", RateLimited, "too_many_requests"),
    ("error=500", Transient, "unknown_exception"),
    ("error=502", Transient, "bad_gateway"),
    ("error=503", Transient, "unavailable"),
    ("error=504", Transient, "gateway_timeout"),
    ("error=UNABLE_TO_LOCK_ROW", Transient, "locked"),
    ("error=QUERY_TIMEOUT", Transient, "query_timeout"),
    (
        "error=TXN_SECURITY_METERING_ERROR",
        Transient,
        "transaction_security",
    ),
    (
        "error=REQUEST_RUNNING_TOO_LONG",
        Transient,
        "running_too_long",
    ),
    ("error=REQUEST_LIMIT_EXCEEDED", Quota, "daily_limit"),
    ("api_used=1", Quota, "daily_limit"),
    ("error=CONCURRENT_LIMIT", RateLimited, "concurrent_limit"),
    ("error=INVALID_SESSION_ID", Auth, "session_expired"),
    ("error=SESSION_NOT_FOR_REST", Auth, "session_not_for_api"),
    ("error=API_DISABLED_FOR_ORG", Permission, "org_without_api"),
    (
        "error=API_CURRENTLY_DISABLED",
        Permission,
        "api_switched_off",
    ),
    (
        "error=FUNCTIONALITY_NOT_ENABLED",
        Permission,
        "user_without_api",
    ),
    ("error=INVALID_LOGIN", Auth, "invalid_login"),
    ("error=LOGIN_RATE_EXCEEDED", RateLimited, "login_rate_api"),
    ("error=INSUFFICIENT_ACCESS", Permission, "no_access"),
    (
        "error=INSUFFICIENT_ACCESS_OR_READONLY",
        Permission,
        "read_only",
    ),
    (
        "error=INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        Permission,
        "no_access_cross_reference",
    ),
    ("error=INVALID_FIELD", Permission, "column_hidden"),
    ("error=INVALID_TYPE", Permission, "object_hidden"),
    ("error=INVALID_QUERY_LOCATOR", Conflict, "cursor_dropped"),
    ("error=MALFORMED_QUERY", Internal, "bad_query"),
    ("error=MALFORMED_ID", InvalidInput, "bad_id"),
    ("error=NOT_FOUND", NotFound, "not_found"),
    ("error=FIELD_INTEGRITY_EXCEPTION", Refused, "move_refused"),
    ("error=CANNOT_DISABLE_LAST_ADMIN", Refused, "last_admin"),
    (
        "error=FIELD_CUSTOM_VALIDATION_EXCEPTION",
        Refused,
        "own_rule",
    ),
    (
        "error=CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        Refused,
        "trigger_failed",
    ),
    ("error=DELETE_FAILED", Refused, "delete_failed"),
    ("error=DEPENDENCY_EXISTS", Refused, "dependency"),
    ("error=LICENSE_LIMIT_EXCEEDED", Refused, "no_free_seat"),
    ("error=MIXED_DML_OPERATION", Refused, "mixed_dml"),
    (
        "error=INVALID_CROSS_REFERENCE_KEY",
        Refused,
        "bad_reference",
    ),
    ("error=ENTITY_IS_DELETED", NotFound, "deleted"),
    ("error=DUPLICATE_VALUE", Refused, "duplicate"),
];

#[test]
fn every_row_of_the_rest_error_table_has_words_of_its_own() {
    let manifest: Manifest = toml::from_str(include_str!("../../connector.toml")).unwrap();
    let link = Link::to(
        worked_example::org1(worked_example::T0_MS),
        worked_example::T0_MS,
    );
    let mut codes_of: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (fault, kind, rule) in ROWS {
        link.control().set_api_used(0);
        link.control().set_faults(Faults::parse(fault).unwrap());
        let Err(failure) = link.pools() else {
            panic!("{fault}: reading went on");
        };
        assert_eq!(failure.kind, *kind, "{fault}: {failure:?}");
        let told = manifest.explain(&failure.code, &failure.message);
        assert_eq!(
            told,
            Some(format!("salesforce.{rule}").as_str()),
            "{fault}: {failure:?}"
        );
        codes_of.entry(rule).or_default().insert(failure.code);
    }
    for (rule, codes) in codes_of {
        assert_eq!(codes.len(), 1, "{rule} explains {codes:?}");
    }
}
