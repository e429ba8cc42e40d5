//! What a person is told when something cannot be done: what, why, and what to do next.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What to do next, and who can do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// One or two sentences in the imperative.
    pub text: String,
    /// The form field it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// The one form every face shows an error in: pages, API (problem+json) and CLI.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// Stable, dotted: `profile.name_taken`. Listed in `host/docs/errors.md`.
    pub code: String,
    /// HTTP status that fits.
    pub status: u16,
    /// What happened, one sentence without a full stop.
    pub message: String,
    /// What to do.
    pub fix: Fix,
    /// More, for machines: the difference of a stale approval, the vendor's own words.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

impl Problem {
    /// A problem without a field or detail.
    #[must_use]
    pub fn new(
        code: &str,
        status: u16,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            code: code.to_owned(),
            status,
            message: message.into(),
            fix: Fix {
                text: fix.into(),
                field: None,
            },
            detail: Value::Null,
        }
    }

    /// The same, shown at a form field.
    #[must_use]
    pub fn at(mut self, field: &str) -> Self {
        self.fix.field = Some(field.to_owned());
        self
    }

    /// The same, with detail for machines.
    #[must_use]
    pub fn with(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    /// Something broke on our side; the cause goes to the log, never to the person.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            "internal",
            500,
            "something went wrong inside Seatwise",
            "Try again; if it stays, give the operation id to your administrator",
        )
    }
}

/// An error that knows how to be shown.
pub trait IntoProblem: std::error::Error {
    /// Its form for a person.
    fn problem(&self) -> Problem;
}
