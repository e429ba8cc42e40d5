//! The gallery of components: what a page may be made of, in each state, on one page that a browser test holds to the rules.
use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::chrome::{self, Chrome, Done};
use super::gate::Visitor;
use super::routes::Route;
use super::{Error, error};
use crate::app::host::Host;
use crate::identity::roles::Permission;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![Route::page(
        Method::GET,
        "/design",
        Permission::ManageProfiles,
        "The components that pages are made of",
        show,
    )]
}

#[derive(Deserialize)]
struct Asked {
    /// `done` or `error`: the frame with a notice, or with a problem.
    state: Option<String>,
}

#[derive(Serialize)]
struct Sample {
    name: &'static str,
    state: &'static str,
    at: Option<i64>,
    days: Option<i64>,
    minor: i64,
}

#[derive(Serialize)]
struct DesignPage {
    good: [&'static str; 4],
    moving: [&'static str; 4],
    waiting: [&'static str; 4],
    bad: [&'static str; 3],
    neutral: [&'static str; 4],
    rows: [Sample; 4],
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let day = 86_400_000;
    let sample = |name, state, days: Option<i64>| Sample {
        name,
        state,
        at: days.map(|days| host.now_ms() - days * day),
        days,
        minor: 180_000,
    };
    let body = DesignPage {
        good: ["published", "complete", "in_force", "compliant"],
        moving: ["running", "queued", "awaiting_user", "dry_run"],
        waiting: ["proposed", "needs_attention", "held", "paused_quota"],
        bad: ["failed", "needs_sign_in", "not_compliant"],
        neutral: ["draft", "archived", "skipped", "not_needed"],
        rows: [
            sample("ivy@acme.example", "ready", Some(85)),
            sample("jo@acme.example", "held", Some(61)),
            // A name that turns the text around must turn nothing but itself (E14).
            sample("\u{202e}moc.elpmaxe@live", "closed_skipped", None),
            sample(
                "a-very-long-principal-name.of-somebody.with-many-parts@subsidiary.acme.example",
                "reclaimed",
                Some(1_200),
            ),
        ],
    };
    let frame = Chrome::of(&host, &visitor).titled("Components");
    let frame = match asked.state.as_deref() {
        Some("done") => frame.done(&Done::of(Some("checked".to_owned()))),
        Some("error") => frame.troubled(Some(error::not_found())),
        _ => frame,
    };
    chrome::page("pages/design", &frame, &body)
}
