//! The doctor's page: a button, and what it found.
use axum::extract::State;
use axum::http::Method;
use axum::response::Response;
use serde::Serialize;

use super::Error;
use super::chrome::{self, Chrome};
use super::gate::Visitor;
use super::routes::Route;
use crate::app::doctor::{self, Finding, Verdict};
use crate::app::host::Host;
use crate::identity::roles::Permission;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/doctor",
            Permission::Administer,
            "What the doctor looks at",
            show,
        ),
        Route::page(
            Method::POST,
            "/doctor",
            Permission::Administer,
            "Looks at everything, and says what to do",
            examine,
        ),
    ]
}

#[derive(Serialize)]
pub(super) struct DoctorPage {
    pub findings: Vec<Finding>,
    pub failed: usize,
    pub warned: usize,
    pub is_asked: bool,
}

async fn show(State(host): State<Host>, visitor: Visitor) -> Result<Response, Error> {
    page(&host, &visitor, Vec::new(), false)
}

async fn examine(State(host): State<Host>, visitor: Visitor) -> Result<Response, Error> {
    let findings = doctor::examine(&host, &visitor.actor).await?;
    page(&host, &visitor, findings, true)
}

fn page(
    host: &Host,
    visitor: &Visitor,
    findings: Vec<Finding>,
    is_asked: bool,
) -> Result<Response, Error> {
    let count = |verdict: Verdict| findings.iter().filter(|one| one.verdict == verdict).count();
    let body = DoctorPage {
        failed: count(Verdict::Fail),
        warned: count(Verdict::Warn),
        findings,
        is_asked,
    };
    chrome::page(
        "pages/doctor",
        &Chrome::of(host, visitor).titled("Doctor"),
        &body,
    )
}
