//! Webhooks: where events are sent to, and what became of them.
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
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
use crate::notify::Cause;
use crate::notify::desk::{self, DeliveryView};
use crate::notify::webhooks::{self as service, Change, NewWebhook, WebhookView};

/// Deliveries shown with a webhook.
const SHOWN: i64 = 50;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/webhooks",
            Permission::Administer,
            "Where events are sent to",
            list,
        ),
        Route::page(
            Method::POST,
            "/webhooks",
            Permission::Administer,
            "Makes a webhook and shows its secret once",
            create,
        ),
        Route::page(
            Method::GET,
            "/webhooks/{id}",
            Permission::Administer,
            "A webhook with its deliveries",
            show,
        ),
        Route::page(
            Method::POST,
            "/webhooks/{id}/causes",
            Permission::Administer,
            "Sets what a webhook is told of",
            causes,
        ),
        Route::page(
            Method::POST,
            "/webhooks/{id}/on",
            Permission::Administer,
            "Switches a webhook on",
            on,
        ),
        Route::page(
            Method::POST,
            "/webhooks/{id}/off",
            Permission::Administer,
            "Switches a webhook off",
            off,
        ),
        Route::page(
            Method::POST,
            "/webhooks/{id}/test",
            Permission::Administer,
            "Sends a test event",
            test,
        ),
        Route::page(
            Method::POST,
            "/webhooks/{id}/secret",
            Permission::Administer,
            "Gives a webhook a new secret and shows it once",
            secret,
        ),
        Route::page(
            Method::POST,
            "/webhooks/{id}/remove",
            Permission::Administer,
            "Takes a webhook away",
            remove,
        ),
    ]
}

/// A cause with its tick.
#[derive(Serialize)]
pub(super) struct Tick {
    pub word: &'static str,
    pub says: &'static str,
    pub is_ticked: bool,
}

fn ticks(chosen: &[String]) -> Vec<Tick> {
    Cause::ALL
        .into_iter()
        .map(|cause| Tick {
            word: cause.as_str(),
            says: cause.says(),
            is_ticked: chosen.iter().any(|word| word == cause.as_str()),
        })
        .collect()
}

#[derive(Default, Serialize)]
pub(super) struct Typed {
    pub name: String,
    pub url: String,
}

#[derive(Serialize)]
pub(super) struct WebhooksPage {
    pub webhooks: Vec<WebhookView>,
    pub typed: Typed,
    pub causes: Vec<Tick>,
}

#[derive(Serialize)]
pub(super) struct WebhookPage {
    pub webhook: WebhookView,
    pub causes: Vec<Tick>,
    pub deliveries: Vec<DeliveryView>,
    /// Shown this once.
    pub secret: Option<String>,
    /// What the other side said to the test.
    pub answer: Option<String>,
}

async fn list_page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    typed: Typed,
    chosen: &[String],
) -> Result<Response, Error> {
    let body = WebhooksPage {
        webhooks: service::list_webhooks(host, &visitor.actor).await?,
        typed,
        causes: ticks(chosen),
    };
    chrome::page("pages/webhooks", &frame.titled("Webhooks"), &body)
}

/// What is shown once, beside the webhook itself.
#[derive(Default)]
struct Once {
    secret: Option<String>,
    answer: Option<String>,
}

async fn one_page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    id: &str,
    once: Once,
) -> Result<Response, Error> {
    let webhook = service::get_webhook(host, &visitor.actor, id).await?;
    let deliveries =
        desk::list_deliveries(host, &visitor.actor, None, Some(id), None, SHOWN).await?;
    let frame = frame.titled(&format!("Webhook {}", webhook.name));
    let body = WebhookPage {
        causes: ticks(&webhook.causes),
        webhook,
        deliveries,
        secret: once.secret,
        answer: once.answer,
    };
    chrome::page("pages/webhook", &frame, &body)
}

async fn list(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    list_page(&host, &visitor, frame, Typed::default(), &[]).await
}

/// All values of one field: a box that is not ticked is not sent, and one name comes once per tick.
fn values(body: &[u8], wanted: &str) -> Vec<String> {
    url::form_urlencoded::parse(body)
        .filter(|(name, _)| name == wanted)
        .map(|(_, value)| value.into_owned())
        .collect()
}

async fn create(
    State(host): State<Host>,
    visitor: Visitor,
    body: Bytes,
) -> Result<Response, Error> {
    let one = |name| values(&body, name).pop().unwrap_or_default();
    let new = NewWebhook {
        name: one("name"),
        url: one("url"),
        causes: values(&body, "cause"),
    };
    let frame = Chrome::of(&host, &visitor);
    match service::create_webhook(&host, &visitor.actor, &new).await {
        Ok(minted) => {
            let once = Once {
                secret: Some(minted.secret),
                ..Once::default()
            };
            one_page(&host, &visitor, frame, minted.webhook.id.as_str(), once).await
        }
        Err(error) => {
            let typed = Typed {
                name: new.name,
                url: new.url,
            };
            let frame = frame.troubled(Some(told(&error)));
            list_page(&host, &visitor, frame, typed, &new.causes).await
        }
    }
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    one_page(&host, &visitor, frame, &id, Once::default()).await
}

async fn change(
    host: &Host,
    visitor: &Visitor,
    id: &str,
    change: &Change,
) -> Result<Response, Error> {
    match service::change_webhook(host, &visitor.actor, id, change).await {
        Ok(webhook) => Ok(chrome::done(
            &format!("/webhooks/{}", webhook.id),
            "webhook-changed",
        )),
        Err(error) => {
            let frame = Chrome::of(host, visitor).troubled(Some(told(&error)));
            one_page(host, visitor, frame, id, Once::default()).await
        }
    }
}

async fn causes(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Error> {
    let words = values(&body, "cause");
    change(&host, &visitor, &id, &Change::Causes(words)).await
}

async fn on(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    change(&host, &visitor, &id, &Change::On).await
}

async fn off(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    change(&host, &visitor, &id, &Change::Off).await
}

async fn test(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor);
    match service::test_webhook(&host, &visitor.actor, &id).await {
        Ok(answer) => {
            let once = Once {
                answer: Some(answer),
                ..Once::default()
            };
            one_page(&host, &visitor, frame, &id, once).await
        }
        Err(error) => {
            let frame = frame.troubled(Some(told(&error)));
            one_page(&host, &visitor, frame, &id, Once::default()).await
        }
    }
}

async fn secret(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let minted = service::renew_secret(&host, &visitor.actor, &id).await?;
    let once = Once {
        secret: Some(minted.secret),
        ..Once::default()
    };
    one_page(&host, &visitor, Chrome::of(&host, &visitor), &id, once).await
}

async fn remove(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    service::remove_webhook(&host, &visitor.actor, &id).await?;
    Ok(chrome::done("/webhooks", "webhook-removed"))
}
