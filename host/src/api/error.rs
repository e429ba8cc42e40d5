//! Failures of the API: `application/problem+json` (RFC 9457) with our stable code, the fix, and the field it is about.
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::kernel::{IntoProblem, Problem};
use crate::web::error::told;

/// Why an API request was not done.
#[derive(Debug)]
pub struct Error(Problem);

/// The body: RFC 9457's members, then ours.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ProblemBody {
    /// A name of this kind of problem, made from its code.
    r#type: String,
    /// What happened, one sentence.
    title: String,
    /// HTTP status.
    status: u16,
    /// Stable, dotted.
    code: String,
    /// What to do next.
    fix: String,
    /// The field of the request it is about.
    field: Option<String>,
    /// More, for machines; the difference of a stale approval.
    data: Value,
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl<E: IntoProblem> From<E> for Error {
    fn from(error: E) -> Self {
        Self(told(&error))
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = ProblemBody {
            r#type: format!("urn:seatwise:problem:{}", self.0.code),
            title: self.0.message,
            status: status.as_u16(),
            code: self.0.code,
            fix: self.0.fix.text,
            field: self.0.fix.field,
            data: self.0.detail,
        };
        let mut response = (status, Json(body)).into_response();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// There is no such address.
#[must_use]
pub fn not_found() -> Problem {
    Problem::new(
        "api.not_found",
        404,
        "there is no such address",
        "See /api/v1/openapi.json for all addresses",
    )
}

/// A body that is not the JSON this address takes.
#[must_use]
pub fn malformed_body(rejection: &JsonRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return body_too_large();
    }
    Problem::new(
        "api.malformed_body",
        rejection.status().as_u16(),
        format!(
            "the body is not what this address takes: {}",
            rejection.body_text()
        ),
        "See /api/v1/openapi.json for its form",
    )
}

/// A body beyond the limit of its address.
#[must_use]
pub fn body_too_large() -> Problem {
    Problem::new(
        "api.body_too_large",
        413,
        "the body is larger than this address takes (a list of people: 64 MiB; a file of a source: 32 MiB; everything else: 2 MiB)",
        "Split it into several requests; for people, several files with the same heading line: rows already known are compared, not added twice",
    )
}

/// A query that this address does not take.
#[must_use]
pub fn malformed_query(rejection: &QueryRejection) -> Problem {
    Problem::new(
        "api.malformed_query",
        400,
        format!(
            "the query is not what this address takes: {}",
            rejection.body_text()
        ),
        "See /api/v1/openapi.json for its parameters",
    )
}
