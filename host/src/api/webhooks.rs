//! Webhooks over the API.
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Error;
use super::body::{Body, List};
use crate::app::host::Host;
use crate::identity::roles::{Actor, Permission};
use crate::notify::webhooks::{self as service, Change, Minted, NewWebhook, WebhookView};
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::api(
            Method::GET,
            "/api/v1/webhooks",
            Permission::Administer,
            "Webhooks, by name",
            list,
        ),
        Route::api(
            Method::POST,
            "/api/v1/webhooks",
            Permission::Administer,
            "Makes a webhook; its secret is in this answer alone",
            create,
        )
        .taking::<New>(),
        Route::api(
            Method::GET,
            "/api/v1/webhooks/{id}",
            Permission::Administer,
            "One webhook; its deliveries are `GET /api/v1/deliveries?target=ID`",
            show,
        ),
        Route::api(
            Method::POST,
            "/api/v1/webhooks/{id}/causes",
            Permission::Administer,
            "Sets what a webhook is told of",
            causes,
        )
        .taking::<Causes>(),
        Route::api(
            Method::POST,
            "/api/v1/webhooks/{id}/on",
            Permission::Administer,
            "Switches a webhook on",
            on,
        ),
        Route::api(
            Method::POST,
            "/api/v1/webhooks/{id}/off",
            Permission::Administer,
            "Switches a webhook off",
            off,
        ),
        Route::api(
            Method::POST,
            "/api/v1/webhooks/{id}/test",
            Permission::Administer,
            "Sends a test event and answers what the other side said",
            test,
        ),
        Route::api(
            Method::POST,
            "/api/v1/webhooks/{id}/secret",
            Permission::Administer,
            "Gives a webhook a new secret; it is in this answer alone",
            secret,
        ),
        Route::api(
            Method::POST,
            "/api/v1/webhooks/{id}/remove",
            Permission::Administer,
            "Takes a webhook away",
            remove,
        ),
    ]
}

async fn list(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<WebhookView>>, Error> {
    Ok(List::all(service::list_webhooks(&host, &actor).await?))
}

/// A webhook to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhook)]
struct New {
    /// Unique.
    name: String,
    /// A public https address.
    url: String,
    /// Words as `GET /api/v1/notifications` names them.
    causes: Vec<String>,
}

async fn create(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<New>,
) -> Result<Json<Minted>, Error> {
    let new = NewWebhook {
        name: body.name,
        url: body.url,
        causes: body.causes,
    };
    Ok(Json(service::create_webhook(&host, &actor, &new).await?))
}

async fn show(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<WebhookView>, Error> {
    Ok(Json(service::get_webhook(&host, &actor, &id).await?))
}

/// What a webhook is told of: exactly these.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookCauses)]
struct Causes {
    /// Words as `GET /api/v1/notifications` names them.
    causes: Vec<String>,
}

async fn changed(
    host: &Host,
    actor: &Actor,
    id: &str,
    change: &Change,
) -> Result<Json<WebhookView>, Error> {
    Ok(Json(
        service::change_webhook(host, actor, id, change).await?,
    ))
}

async fn causes(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Body(body): Body<Causes>,
) -> Result<Json<WebhookView>, Error> {
    changed(&host, &actor, &id, &Change::Causes(body.causes)).await
}

async fn on(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<WebhookView>, Error> {
    changed(&host, &actor, &id, &Change::On).await
}

async fn off(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<WebhookView>, Error> {
    changed(&host, &actor, &id, &Change::Off).await
}

#[derive(Serialize)]
struct Tested {
    /// What the other side said.
    answer: String,
}

async fn test(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Tested>, Error> {
    let answer = service::test_webhook(&host, &actor, &id).await?;
    Ok(Json(Tested { answer }))
}

async fn secret(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Minted>, Error> {
    Ok(Json(service::renew_secret(&host, &actor, &id).await?))
}

#[derive(Serialize)]
struct Removed {
    id: String,
}

async fn remove(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Removed>, Error> {
    service::remove_webhook(&host, &actor, &id).await?;
    Ok(Json(Removed { id }))
}
