//! What Salesforce's error answers mean.
//!
//! The body is a JSON array of `{errorCode, message, fields?}`, sometimes with several elements; gateways send an object,
//! edge nodes an HTML page. `errorCode` decides. The status is asked where there is no code, and where it says more than any code:
//! what Salesforce writes under such a status is not recorded (salesforce.md §2.3).

use seatwise_connector_sdk::{Answer, Failure, FailureKind, failure, json};
use serde::Deserialize;

/// Longest message passed on, in characters; a vendor's sentence is far shorter, a page that is none may not be.
const MESSAGE_CHARS: usize = 500;

/// Statuses that say it all, whatever code or page comes with them.
const TOLD_BY_STATUS: [u16; 14] = [
    300, 304, 405, 406, 409, 410, 412, 414, 415, 420, 428, 431, 502, 504,
];

/// One element of an error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorError {
    /// `errorCode`, verbatim.
    pub code: String,
    /// The vendor's sentence, verbatim.
    pub message: String,
}

#[derive(Deserialize)]
struct Element {
    #[serde(rename = "errorCode", alias = "statusCode", alias = "error")]
    code: Option<String>,
    #[serde(alias = "error_description")]
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Many(Vec<Element>),
    One(Element),
}

/// The elements of an error answer, in their order; empty where the body has none.
pub fn elements(answer: &Answer) -> Vec<VendorError> {
    let elements = match json::parse::<Body>(answer.body()) {
        Ok(Body::Many(many)) => many,
        Ok(Body::One(one)) => vec![one],
        Err(_) => vec![],
    };
    elements
        .into_iter()
        .filter_map(|element| {
            Some(VendorError {
                code: element.code?,
                message: element.message.unwrap_or_default(),
            })
        })
        .collect()
}

/// The failure that an answer stands for. Called for every answer that is not the documented success.
pub fn of(answer: &Answer) -> Failure {
    if TOLD_BY_STATUS.contains(&answer.status()) {
        return without_code(answer);
    }
    if answer.is_html() && answer.status() != 429 {
        let message = format!(
            "Salesforce answered {} with a web page instead of data, as it does during maintenance",
            answer.status()
        );
        return failure::after(
            failure::transient("html_answer", message),
            answer.retry_after_ms(),
        );
    }
    let elements = elements(answer);
    let Some(first) = elements.first() else {
        return without_code(answer);
    };
    let kind = kind(&first.code, &first.message, answer.status());
    failure::after(
        failure::of(kind, first.code.as_str(), sentence(&elements)),
        answer.retry_after_ms(),
    )
}

/// The vendor's sentences, verbatim, one after the other.
pub fn sentence(elements: &[VendorError]) -> String {
    let all = elements
        .iter()
        .map(|element| element.message.trim_end_matches('.'))
        .collect::<Vec<_>>()
        .join("; ");
    if all.is_empty() {
        "Salesforce gave a code and no sentence".to_owned()
    } else {
        all.chars().take(MESSAGE_CHARS).collect()
    }
}

/// The class of an `errorCode`.
pub fn kind(code: &str, message: &str, status: u16) -> FailureKind {
    known(code, message).unwrap_or_else(|| by_status(status))
}

/// Whether an `errorCode` has a class of its own.
pub fn is_known(code: &str) -> bool {
    known(code, "").is_some()
}

fn known(code: &str, message: &str) -> Option<FailureKind> {
    Some(match code {
        "INVALID_SESSION_ID" | "INVALID_LOGIN" | "INVALID_AUTH_HEADER" | "InvalidSessionId" => {
            FailureKind::Auth
        }
        "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED" | "FUNCTIONALITY_NOT_ENABLED" => {
            FailureKind::Permission
        }
        // Daily budget: wait for the rolling window. Too many long requests at once: a moment is enough.
        "REQUEST_LIMIT_EXCEEDED" if message.contains("Concurrent") => FailureKind::RateLimited,
        "REQUEST_LIMIT_EXCEEDED" | "ExceededQuota" => FailureKind::Quota,
        "LOGIN_RATE_EXCEEDED" => FailureKind::RateLimited,
        "UNABLE_TO_LOCK_ROW"
        | "SERVER_UNAVAILABLE"
        | "QUERY_TIMEOUT"
        | "TXN_SECURITY_METERING_ERROR"
        | "UNKNOWN_EXCEPTION"
        | "REQUEST_RUNNING_TOO_LONG" => FailureKind::Transient,
        "INSUFFICIENT_ACCESS"
        | "INSUFFICIENT_ACCESS_OR_READONLY"
        | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
        | "INVALID_FIELD"
        | "INVALID_TYPE" => FailureKind::Permission,
        "NOT_FOUND" | "ENTITY_IS_DELETED" => FailureKind::NotFound,
        "INVALID_QUERY_LOCATOR" => FailureKind::Conflict,
        "MALFORMED_ID" => FailureKind::InvalidInput,
        // The query is ours: a fault of the connector.
        "MALFORMED_QUERY" | "NUMBER_OUTSIDE_VALID_RANGE" | "EXCEEDED_ID_LIMIT" => {
            FailureKind::Internal
        }
        "FIELD_INTEGRITY_EXCEPTION"
        | "CANNOT_DISABLE_LAST_ADMIN"
        | "FIELD_CUSTOM_VALIDATION_EXCEPTION"
        | "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
        | "DELETE_FAILED"
        | "DEPENDENCY_EXISTS"
        | "LICENSE_LIMIT_EXCEEDED"
        | "MIXED_DML_OPERATION"
        | "INVALID_CROSS_REFERENCE_KEY"
        | "DUPLICATE_VALUE" => FailureKind::Refused,
        _ => return None,
    })
}

fn by_status(status: u16) -> FailureKind {
    match status {
        400 => FailureKind::Refused,
        401 => FailureKind::Auth,
        403 => FailureKind::Permission,
        404 => FailureKind::NotFound,
        300 | 409 | 412 => FailureKind::Conflict,
        // A retired API version.
        410 => FailureKind::Unsupported,
        // The request is ours: a fault of the connector.
        405 | 406 | 414 | 415 | 428 | 431 => FailureKind::Internal,
        429 => FailureKind::RateLimited,
        420 | 500..=599 => FailureKind::Transient,
        _ => FailureKind::Malformed,
    }
}

fn without_code(answer: &Answer) -> Failure {
    let status = answer.status();
    // The identity service says it in plain text, and with 403 instead of 401.
    if answer.body().starts_with(b"Bad_OAuth_Token") {
        return failure::auth(
            "Bad_OAuth_Token",
            "Salesforce does not accept the access token",
        );
    }
    let message = match status {
        410 => "Salesforce answered 410: this API version is retired".to_owned(),
        420 => {
            "Salesforce answered 420: no route to this org; it may be moving, expired or deleted"
                .to_owned()
        }
        502 | 504 => {
            format!("Salesforce answered {status}: a gateway in front of the org got no answer")
        }
        _ => {
            let elements = elements(answer);
            if elements.is_empty() {
                format!("Salesforce answered {status} without an error code")
            } else {
                format!("Salesforce answered {status}: {}", sentence(&elements))
            }
        }
    };
    failure::after(
        failure::of(by_status(status), format!("http_{status}"), message),
        answer.retry_after_ms(),
    )
}
