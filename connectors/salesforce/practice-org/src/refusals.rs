//! The answers of Salesforce's error tables that a fault can call up by name (salesforce.md §1.10 and §2.3).
//!
//! Most refusals have a cause in the org itself; those that have none here, such as a broken edge node, exist only as a fault. The
//! table is data: [`find`] is all that knows its order.

use serde_json::json;

use crate::api::Answer;
use crate::query::ApiError;

/// A row: what the answer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// What the fault is called: the code, or the status where the status says more.
    pub(crate) name: &'static str,
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
}

const fn row(name: &'static str, status: u16, code: &'static str, message: &'static str) -> Row {
    Row {
        name,
        status,
        code,
        message,
    }
}

const fn coded(status: u16, code: &'static str, message: &'static str) -> Row {
    row(code, status, code, message)
}

/// An edge node answers in HTML: no code.
const EDGE: &str = "";

pub(crate) const ROWS: &[Row] = &[
    // Status rows.
    row(
        "300",
        300,
        "MULTIPLE_CHOICES",
        "the external id is in more than one record",
    ),
    row("304", 304, EDGE, ""),
    row("405", 405, "METHOD_NOT_ALLOWED", "HTTP Method not allowed"),
    row(
        "406",
        406,
        "NOT_ACCEPTABLE",
        "there is no such format of this resource",
    ),
    row(
        "409",
        409,
        "CONFLICT",
        "the request could not be completed because of a conflict with the state of the resource",
    ),
    row(
        "410",
        410,
        "UNSUPPORTED_API_VERSION",
        "GONE: this API version is retired",
    ),
    row(
        "412",
        412,
        "PRECONDITION_FAILED",
        "one or more of the preconditions of the request failed",
    ),
    row(
        "414",
        414,
        "URI_TOO_LONG",
        "The length of the URI exceeds the 16,384-byte limit",
    ),
    row(
        "415",
        415,
        "UNSUPPORTED_MEDIA_TYPE",
        "the entity in the request is in a format that is not supported by the method",
    ),
    row("420", 420, EDGE, "Enhance Your Calm: no route to this host"),
    row(
        "428",
        428,
        "PRECONDITION_REQUIRED",
        "the request was not conditional",
    ),
    row(
        "431",
        431,
        "REQUEST_HEADER_FIELDS_TOO_LARGE",
        "The combined length of the URI and headers exceeds the 16,384-byte limit",
    ),
    row("429", 429, "REQUEST_RATE_EXCEEDED", "Too many requests"),
    row(
        "500",
        500,
        "UNKNOWN_EXCEPTION",
        "An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-12345 (1234567890)",
    ),
    row("502", 502, EDGE, "Bad Gateway"),
    row(
        "503",
        503,
        "SERVER_UNAVAILABLE",
        "We are down for maintenance. Sorry for the inconvenience. We'll be back shortly.",
    ),
    row("504", 504, EDGE, "Gateway Timeout"),
    // Transient.
    coded(
        400,
        "UNABLE_TO_LOCK_ROW",
        "unable to obtain exclusive access to this record",
    ),
    coded(
        503,
        "SERVER_UNAVAILABLE",
        "We are down for maintenance. Sorry for the inconvenience. We'll be back shortly.",
    ),
    coded(
        400,
        "QUERY_TIMEOUT",
        "Your query request was running for too long.",
    ),
    coded(
        503,
        "TXN_SECURITY_METERING_ERROR",
        "The transaction security policy could not be evaluated in time",
    ),
    coded(
        500,
        "UNKNOWN_EXCEPTION",
        "An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-12345 (1234567890)",
    ),
    coded(
        400,
        "REQUEST_RUNNING_TOO_LONG",
        "Your request was running for too long, and has been stopped.",
    ),
    // Quota.
    coded(
        403,
        "REQUEST_LIMIT_EXCEEDED",
        "TotalRequests Limit exceeded.",
    ),
    row(
        "CONCURRENT_LIMIT",
        403,
        "REQUEST_LIMIT_EXCEEDED",
        CONCURRENT,
    ),
    // Sessions and access to the API.
    coded(401, "INVALID_SESSION_ID", "Session expired or invalid"),
    row(
        "SESSION_NOT_FOR_REST",
        401,
        "INVALID_SESSION_ID",
        "This session is not valid for use with the REST API",
    ),
    row(
        "APP_NOT_ATTACHED",
        401,
        "INVALID_SESSION_ID",
        "Connected app is not attached to Agent",
    ),
    coded(
        403,
        "API_DISABLED_FOR_ORG",
        "The REST API is not enabled for this Organization.",
    ),
    coded(
        403,
        "API_CURRENTLY_DISABLED",
        "API is disabled for this User",
    ),
    coded(
        403,
        "FUNCTIONALITY_NOT_ENABLED",
        "This feature is not currently enabled for this user",
    ),
    coded(
        400,
        "INVALID_LOGIN",
        "Invalid username, password, security token; or user locked out.",
    ),
    coded(
        403,
        "LOGIN_RATE_EXCEEDED",
        "Login rate exceeded for this user",
    ),
    // Permission.
    coded(
        400,
        "INSUFFICIENT_ACCESS",
        "insufficient access rights on cross-reference id",
    ),
    coded(
        400,
        "INSUFFICIENT_ACCESS_OR_READONLY",
        "insufficient access rights on object id",
    ),
    coded(
        400,
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        "insufficient access rights on cross-reference id",
    ),
    coded(
        400,
        "INVALID_FIELD",
        "No such column 'Fault' on entity 'User'.",
    ),
    coded(
        400,
        "INVALID_TYPE",
        "sObject type 'Fault' is not supported.",
    ),
    coded(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
    coded(400, "MALFORMED_QUERY", "unexpected token: 'fault'"),
    coded(
        400,
        "MALFORMED_ID",
        "User ID: id value of incorrect type: fault",
    ),
    coded(404, "NOT_FOUND", "The requested resource does not exist"),
    // Business refusals of a write.
    coded(
        400,
        "FIELD_INTEGRITY_EXCEPTION",
        "This change in license types is not allowed",
    ),
    coded(
        400,
        "CANNOT_DISABLE_LAST_ADMIN",
        "You cannot deactivate the last active administrator",
    ),
    coded(
        400,
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "A validation rule of this org refuses the change",
    ),
    coded(
        400,
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "UserTrigger: execution of BeforeUpdate caused by: System.Exception",
    ),
    coded(
        400,
        "DELETE_FAILED",
        "Your attempt to delete this record could not be completed because it is associated with other records",
    ),
    coded(
        400,
        "DEPENDENCY_EXISTS",
        "Cannot complete this operation. This record is referenced elsewhere",
    ),
    coded(
        400,
        "LICENSE_LIMIT_EXCEEDED",
        "You have reached the maximum number of licenses",
    ),
    coded(
        400,
        "MIXED_DML_OPERATION",
        "DML operation on setup object is not permitted after you have updated a non-setup object (or vice versa)",
    ),
    coded(
        400,
        "INVALID_CROSS_REFERENCE_KEY",
        "invalid cross reference id",
    ),
    coded(404, "ENTITY_IS_DELETED", "entity is deleted"),
    coded(
        400,
        "DUPLICATE_VALUE",
        "duplicate value found: unknown duplicates value on record with id: unknown",
    ),
];

/// The sentence for too many long requests at once.
pub(crate) const CONCURRENT: &str = "ConcurrentPerOrgLongTxn Limit exceeded.";

/// The row that a fault names.
pub(crate) fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

impl Row {
    pub(crate) fn error(&self) -> ApiError {
        ApiError::new(self.status, self.code, self.message)
    }

    /// As it comes over the wire.
    pub(crate) fn answer(&self) -> Answer {
        if self.status == 304 {
            return Answer::empty(304);
        }
        if self.code == EDGE {
            let page = format!(
                "<html><head><title>{0}</title></head><body>{0}</body></html>",
                self.message
            );
            return Answer::text(self.status, "text/html;charset=UTF-8", page);
        }
        let answer = Answer::error(&self.error());
        if self.status == 429 {
            answer.with("Retry-After", "1")
        } else {
            answer
        }
    }
}

/// Several errors at once; a client has to keep them all.
pub(crate) fn several() -> Answer {
    Answer::json(
        400,
        &json!([
            {"message": "first of two errors", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": ["Title"]},
            {"message": "second of two errors", "errorCode": "FIELD_INTEGRITY_EXCEPTION", "fields": []},
        ]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_have_one_name() {
        let names: std::collections::BTreeSet<_> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
    }
}
