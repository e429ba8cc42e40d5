//! The one way a page fails: a [`Problem`] that the gate turns into a page, with the visitor's own frame around it.
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::templates::TemplateError;
use crate::kernel::{IntoProblem, Problem};

/// Why a page could not be given.
#[derive(Debug)]
pub struct Error(Problem);

impl Error {
    /// What the person is told.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.0
    }
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

impl IntoProblem for TemplateError {
    fn problem(&self) -> Problem {
        Problem::internal()
    }
}

/// The problem of an error; what is our fault is logged here, once, with its whole chain.
pub fn told(error: &dyn IntoProblem) -> Problem {
    let problem = error.problem();
    if problem.status >= 500 {
        let mut chain = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            chain.push_str(": ");
            chain.push_str(&inner.to_string());
            cause = inner.source();
        }
        tracing::error!(code = %problem.code, "request failed: {chain}");
    }
    problem
}

/// The problem of a page or an API answer, left on the response for the gate to render.
#[derive(Clone, Debug)]
pub struct Untold(pub Problem);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(Untold(self.0));
        response
    }
}

/// The address exists for nobody, or not for this visitor.
#[must_use]
pub fn not_found() -> Problem {
    Problem::new(
        "page.not_found",
        404,
        "there is no such page",
        "Go back, or start from the overview",
    )
}
