//! What one is told of.
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::Serialize;

use super::Error;
use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::notify::choices::{self as service, ChoiceView};

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/notifications",
            Permission::OwnAccount,
            "What you are told by mail",
            show,
        ),
        Route::page(
            Method::POST,
            "/notifications",
            Permission::OwnAccount,
            "Sets what you are told by mail",
            set,
        ),
    ]
}

#[derive(Serialize)]
pub(super) struct NotificationsPage {
    pub choices: Vec<ChoiceView>,
}

async fn page(host: &Host, visitor: &Visitor, frame: Chrome) -> Result<Response, Error> {
    let choices = service::list_choices(host, &visitor.actor).await?;
    chrome::page(
        "pages/notifications",
        &frame.titled("Notifications"),
        &NotificationsPage { choices },
    )
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    page(&host, &visitor, frame).await
}

/// A box that is not ticked is not sent, and one name comes once per tick: read as pairs.
async fn set(State(host): State<Host>, visitor: Visitor, body: Bytes) -> Result<Response, Error> {
    let wanted: Vec<String> = url::form_urlencoded::parse(&body)
        .filter(|(name, _)| name == "cause")
        .map(|(_, value)| value.into_owned())
        .collect();
    match service::set_choices(&host, &visitor.actor, &wanted).await {
        Ok(_) => Ok(chrome::done("/notifications", "chosen")),
        Err(error) => {
            let frame = Chrome::of(&host, &visitor).troubled(Some(told(&error)));
            page(&host, &visitor, frame).await
        }
    }
}
