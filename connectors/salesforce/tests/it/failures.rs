//! What each failure of the vendor becomes.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, Failure, FailureKind,
    testkit::{Scripted, ScriptedHttp},
};

use crate::{bench, error};

/// What the connector makes of an answer while reading.
fn failure(answer: Scripted) -> Failure {
    let bench = bench(ScriptedHttp::new().get_with(&["COUNT()"], answer));
    Salesforce::begin_subscriptions(&bench.call(), None).unwrap_err()
}

#[test]
fn the_error_code_decides_and_never_the_status_alone() {
    for (status, code, message, kind) in [
        (
            401,
            "INVALID_SESSION_ID",
            "Session expired or invalid",
            FailureKind::Auth,
        ),
        (
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
            FailureKind::Quota,
        ),
        (
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentPerOrgLongTxn Limit exceeded.",
            FailureKind::RateLimited,
        ),
        (
            403,
            "FUNCTIONALITY_NOT_ENABLED",
            "This feature is not currently enabled for this user",
            FailureKind::Permission,
        ),
        (
            403,
            "API_DISABLED_FOR_ORG",
            "API is not enabled",
            FailureKind::Permission,
        ),
        (
            403,
            "API_CURRENTLY_DISABLED",
            "API is currently disabled",
            FailureKind::Permission,
        ),
        (
            403,
            "INSUFFICIENT_ACCESS",
            "insufficient access rights",
            FailureKind::Permission,
        ),
        (
            400,
            "INSUFFICIENT_ACCESS",
            "insufficient access rights on cross-reference id",
            FailureKind::Permission,
        ),
        (
            400,
            "INVALID_FIELD",
            "No such column 'X' on entity 'User'",
            FailureKind::Permission,
        ),
        (
            400,
            "INVALID_TYPE",
            "sObject type 'X' is not supported.",
            FailureKind::Permission,
        ),
        (
            400,
            "QUERY_TIMEOUT",
            "Your query request was running for too long.",
            FailureKind::Transient,
        ),
        (
            400,
            "UNABLE_TO_LOCK_ROW",
            "unable to obtain exclusive access",
            FailureKind::Transient,
        ),
        (
            500,
            "UNKNOWN_EXCEPTION",
            "An unexpected error occurred.",
            FailureKind::Transient,
        ),
        (503, "SERVER_UNAVAILABLE", "busy", FailureKind::Transient),
        (
            404,
            "NOT_FOUND",
            "The requested resource does not exist",
            FailureKind::NotFound,
        ),
        (
            400,
            "MALFORMED_QUERY",
            "unexpected token",
            FailureKind::Internal,
        ),
        (429, "SOMETHING_NEW", "slow down", FailureKind::RateLimited),
        (500, "SOMETHING_NEW", "oops", FailureKind::Transient),
        (403, "SOMETHING_NEW", "no", FailureKind::Permission),
    ] {
        let failure = failure(error(status, code, message));
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (kind, code),
            "{status} {code}"
        );
        assert!(
            failure.message.starts_with(message.trim_end_matches('.')),
            "verbatim: {}",
            failure.message
        );
    }
}

#[test]
fn several_errors_at_once_are_all_told() {
    let answer = Scripted::json(
        400,
        "[{\"message\":\"first.\",\"errorCode\":\"INVALID_FIELD\",\"fields\":[\"A\"]},{\"message\":\"second\",\"errorCode\":\"INVALID_TYPE\"}]",
    );
    let failure = failure(answer);
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        ("INVALID_FIELD", "first; second")
    );
}

#[test]
fn an_object_instead_of_an_array_is_understood() {
    let answer = Scripted::json(
        400,
        "{\"error\":\"invalid_grant\",\"error_description\":\"expired\"}",
    );
    assert_eq!(failure(answer).code, "invalid_grant");
    let answer = Scripted::json(
        403,
        "{\"errorCode\":\"REQUEST_LIMIT_EXCEEDED\",\"message\":\"TotalRequests Limit exceeded.\"}",
    );
    assert_eq!(failure(answer).kind, FailureKind::Quota);
}

#[test]
fn a1_a2_the_time_to_wait_is_passed_on() {
    for (status, kind) in [
        (429, FailureKind::RateLimited),
        (503, FailureKind::Transient),
    ] {
        let failure = failure(Scripted::json(status, "").header("Retry-After", "7"));
        assert_eq!((failure.kind, failure.retry_after_ms), (kind, Some(7000)));
        assert_eq!(failure.code, format!("http_{status}"));
    }
}

#[test]
fn a_web_page_is_told_by_its_content_type_whatever_its_status() {
    for status in [200, 403, 404, 500, 503] {
        let failure = failure(
            Scripted::with_type(status, "text/html", "<html>secret</html>")
                .header("Retry-After", "60"),
        );
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (FailureKind::Transient, "html_answer"),
            "{status}"
        );
        assert_eq!(failure.retry_after_ms, Some(60_000));
        assert!(!failure.message.contains("secret"));
    }
}

#[test]
fn an_answer_without_a_code_is_told_by_its_status() {
    for (status, kind) in [
        (401, FailureKind::Auth),
        (403, FailureKind::Permission),
        (404, FailureKind::NotFound),
        (410, FailureKind::Unsupported),
        (420, FailureKind::Transient),
        (431, FailureKind::Internal),
        (502, FailureKind::Transient),
        (302, FailureKind::Malformed),
        (204, FailureKind::Malformed),
    ] {
        let failure = failure(Scripted::json(status, "not json"));
        assert_eq!(
            (failure.kind, failure.code),
            (kind, format!("http_{status}"))
        );
    }
}

#[test]
fn the_hosts_own_failures_pass_unchanged() {
    let own = seatwise_connector_sdk::failure::transient("cut_body", "The connection was cut");
    assert_eq!(failure(Scripted::failure(own.clone())), own);
}

#[test]
fn a_sentence_without_end_is_cut() {
    assert!(
        failure(error(400, "INVALID_FIELD", &"x".repeat(100_000)))
            .message
            .len()
            <= 500
    );
}
