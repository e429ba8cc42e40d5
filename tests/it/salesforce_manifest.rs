//! The manifest of the Salesforce connector, read by the host's own parser.

use seatwise_runtime::manifest::{ErrorPlace, Manifest, Method};

const TEXT: &str = include_str!("../../connectors/salesforce/connector.toml");

fn manifest() -> Manifest {
    Manifest::parse(TEXT).unwrap()
}

#[test]
fn no_read_operation_can_carry_a_write() {
    for operation in &manifest().read_operations {
        // A query job carries its query in the body, and its resource takes nothing else.
        let is_query_job = operation.path.matches("/services/data/v62.0/jobs/query");
        let method = if is_query_job {
            Method::Post
        } else {
            Method::Get
        };
        assert_eq!(operation.method, method, "{}", operation.path.as_str());
        assert_eq!(operation.body, is_query_job);
        for path in [
            "/services/data/v62.0/composite",
            "/services/data/v62.0/composite/batch",
            "/services/data/v62.0/sobjects/User/005000000000001AAA",
            "/services/data/v62.0/queryAll",
            "/services/data/v62.0/jobs/ingest",
            "/services/data/v62.0/tooling/query",
            "/services/apexrest/anything",
        ] {
            assert!(
                !operation.path.matches(path),
                "{} matches {path}",
                operation.path.as_str()
            );
        }
    }
}

#[test]
fn licence_keys_are_recognised_by_bytes_and_chatter_is_free() {
    let manifest = manifest();
    let name = |key: &str| {
        manifest
            .product(key)
            .map(|product| (product.name.as_str(), product.free))
    };
    assert_eq!(name("SFDC"), Some(("Sales Cloud", false)));
    assert_eq!(name("AUL_LIGHT"), Some(("Platform", false)));
    assert_eq!(name("CSN_User"), Some(("Chatter Free", true)));
    assert_eq!(
        name("PID_Customer_Community"),
        Some(("Customer Community", false))
    );
    assert_eq!(
        name("PID_Customer_Community_Login"),
        Some(("Customer Community Login", false))
    );
    assert_eq!(
        name("PID_Partner_Community"),
        Some(("Partner Community", false))
    );
    assert_eq!(name("PID_NEWTHING"), None);
    assert_eq!(name("sfdc"), None);
}

#[test]
fn the_three_meanings_of_403_have_three_explanations() {
    let manifest = manifest();
    let code = |error: &str, text: &str| {
        manifest
            .error(ErrorPlace::Api, error, text)
            .map(|rule| rule.code.as_str())
    };
    assert_eq!(
        code("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        Some("salesforce.daily_limit")
    );
    assert_eq!(
        code(
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentPerOrgLongTxn Limit exceeded."
        ),
        Some("salesforce.concurrent_limit")
    );
    assert_eq!(
        code("FUNCTIONALITY_NOT_ENABLED", ""),
        Some("salesforce.user_without_api")
    );
    assert_eq!(
        code("INSUFFICIENT_ACCESS", ""),
        Some("salesforce.no_access")
    );
}

#[test]
fn every_refusal_of_the_token_endpoint_has_its_own_explanation() {
    let manifest = manifest();
    let code = |error: &str, text: &str| {
        manifest
            .error(ErrorPlace::Token, error, text)
            .map(|rule| rule.code.as_str())
    };
    for (error, text, ours) in [
        (
            "invalid_grant",
            "authentication failure",
            "salesforce.authentication_failure",
        ),
        (
            "invalid_grant",
            "authentication failure - Invalid Password",
            "salesforce.authentication_failure",
        ),
        (
            "invalid_grant",
            "expired access/refresh token",
            "salesforce.refresh_token_dead",
        ),
        (
            "invalid_grant",
            "expired authorization code",
            "salesforce.authorization_code",
        ),
        ("invalid_grant", "inactive user", "salesforce.inactive_user"),
        (
            "invalid_grant",
            "ip restricted or invalid login hours",
            "salesforce.ip_restricted",
        ),
        (
            "invalid_grant",
            "password expired",
            "salesforce.password_expired",
        ),
        (
            "invalid_grant",
            "challenge required",
            "salesforce.challenge_required",
        ),
        (
            "invalid_grant",
            "request not supported on this domain",
            "salesforce.wrong_domain",
        ),
        (
            "invalid_grant",
            "no client credentials user enabled",
            "salesforce.no_run_as_user",
        ),
        (
            "invalid_grant",
            "user hasn't approved this consumer",
            "salesforce.not_approved",
        ),
        (
            "invalid_grant",
            "Audience validation failed",
            "salesforce.audience",
        ),
        (
            "invalid_client_id",
            "client identifier invalid",
            "salesforce.unknown_client",
        ),
        (
            "invalid_client",
            "invalid client credentials",
            "salesforce.wrong_secret",
        ),
        (
            "invalid_client",
            "app must be installed into org",
            "salesforce.app_not_installed",
        ),
        (
            "invalid_app_access",
            "user is not admin approved to access this app",
            "salesforce.not_admin_approved",
        ),
        (
            "unsupported_grant_type",
            "grant type not supported",
            "salesforce.grant_not_enabled",
        ),
        (
            "invalid_request",
            "missing parameter",
            "salesforce.invalid_request",
        ),
        (
            "retry_request",
            "retry your request",
            "salesforce.token_retry",
        ),
    ] {
        assert_eq!(code(error, text), Some(ours), "{error}: {text}");
    }
}

#[test]
fn codes_of_the_error_table_are_unique() {
    let manifest = manifest();
    let mut codes: Vec<&str> = manifest
        .errors
        .iter()
        .map(|rule| rule.code.as_str())
        .collect();
    codes.sort_unstable();
    let all = codes.len();
    codes.dedup();
    assert_eq!(codes.len(), all);
}
