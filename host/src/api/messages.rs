//! The mail server, deliveries, and what one is told of.
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Error;
use super::body::{Asked, Body, List};
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::notify::choices::{self, ChoiceView};
use crate::notify::desk::{self, BacklogView, DeliveryView};
use crate::notify::mail_server::{self, MailServerView, NewMailServer};
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// Rows of a page unless said otherwise.
const PAGE: i64 = 50;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::api(
            Method::GET,
            "/api/v1/mail-server",
            Permission::Administer,
            "How mail leaves",
            get_server,
        ),
        Route::api(
            Method::POST,
            "/api/v1/mail-server",
            Permission::Administer,
            "Sets the mail server",
            set_server,
        )
        .taking::<Server>(),
        Route::api(
            Method::POST,
            "/api/v1/mail-server/remove",
            Permission::Administer,
            "Puts mail into the pickup directory again",
            remove_server,
        ),
        Route::api(
            Method::POST,
            "/api/v1/mail-server/test",
            Permission::Administer,
            "Sends a test mail to oneself",
            test_server,
        ),
        Route::api(
            Method::GET,
            "/api/v1/deliveries",
            Permission::Administer,
            "Messages and what became of them, newest first",
            list,
        )
        .asking(&[
            ("state", "due, sent, failed or withdrawn"),
            ("target", "Id of a webhook or of a person"),
            ("after", "`next` of the page before"),
            ("limit", "At most 200; 50 unless said"),
        ]),
        Route::api(
            Method::GET,
            "/api/v1/deliveries/backlog",
            Permission::Administer,
            "How much waits, and since when",
            backlog,
        ),
        Route::api(
            Method::POST,
            "/api/v1/deliveries/{id}/retry",
            Permission::Administer,
            "Tries a message again, now",
            retry,
        ),
        Route::api(
            Method::POST,
            "/api/v1/deliveries/{id}/withdraw",
            Permission::Administer,
            "Withdraws a message",
            withdraw,
        ),
        Route::api(
            Method::GET,
            "/api/v1/notifications",
            Permission::OwnAccount,
            "What you are told by mail",
            notifications,
        ),
        Route::api(
            Method::POST,
            "/api/v1/notifications",
            Permission::OwnAccount,
            "Sets what you are told by mail",
            choose,
        )
        .taking::<Choose>(),
    ]
}

async fn get_server(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<MailServerView>, Error> {
    Ok(Json(mail_server::get_mail_server(&host, &actor).await?))
}

/// A mail server.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Server {
    /// Name or address.
    host: String,
    /// 587 with STARTTLS, 465 with TLS.
    port: u16,
    /// `starttls`, `tls` or `none`.
    security: String,
    /// Such as `Seatwise <seatwise@acme.example>`.
    sender: String,
    /// Who signs in.
    username: Option<String>,
    /// With what; without it the stored one is kept, unless it would be sent elsewhere.
    password: Option<String>,
    /// A further trusted root, PEM.
    root_pem: Option<String>,
}

async fn set_server(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<Server>,
) -> Result<Json<MailServerView>, Error> {
    let new = NewMailServer {
        host: body.host,
        port: body.port,
        security: body.security,
        sender: body.sender,
        username: body.username.unwrap_or_default(),
        password: body.password.unwrap_or_default().into(),
        root_pem: body.root_pem.unwrap_or_default(),
    };
    Ok(Json(
        mail_server::set_mail_server(&host, &actor, new).await?,
    ))
}

async fn remove_server(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<MailServerView>, Error> {
    mail_server::remove_mail_server(&host, &actor).await?;
    Ok(Json(mail_server::get_mail_server(&host, &actor).await?))
}

#[derive(Serialize)]
struct Tested {
    /// What the other side said.
    answer: String,
}

async fn test_server(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<Tested>, Error> {
    let answer = mail_server::test_mail_server(&host, &actor).await?;
    Ok(Json(Tested { answer }))
}

#[derive(Deserialize)]
struct Paged {
    state: Option<String>,
    target: Option<String>,
    after: Option<String>,
    limit: Option<i64>,
}

async fn list(
    State(host): State<Host>,
    Caller(actor): Caller,
    Asked(asked): Asked<Paged>,
) -> Result<Json<List<DeliveryView>>, Error> {
    let limit = asked.limit.unwrap_or(PAGE);
    let deliveries = desk::list_deliveries(
        &host,
        &actor,
        asked.state.as_deref(),
        asked.target.as_deref(),
        asked.after.as_deref(),
        limit,
    )
    .await?;
    Ok(List::page(deliveries, limit, |last| last.id.to_string()))
}

async fn backlog(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<BacklogView>, Error> {
    Ok(Json(desk::get_backlog(&host, &actor).await?))
}

#[derive(Serialize)]
struct Done {
    id: String,
}

async fn retry(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Done>, Error> {
    desk::retry_message(&host, &actor, &id).await?;
    Ok(Json(Done { id }))
}

async fn withdraw(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Done>, Error> {
    desk::withdraw_message(&host, &actor, &id).await?;
    Ok(Json(Done { id }))
}

async fn notifications(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<ChoiceView>>, Error> {
    Ok(List::all(choices::list_choices(&host, &actor).await?))
}

/// What to be told of: exactly these.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Choose {
    /// Words as the list names them.
    causes: Vec<String>,
}

async fn choose(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<Choose>,
) -> Result<Json<List<ChoiceView>>, Error> {
    let choices = choices::set_choices(&host, &actor, &body.causes).await?;
    Ok(List::all(choices))
}
