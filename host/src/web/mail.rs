//! The mail server, a test of it, and what the mails look like.
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::kernel::Problem;
use crate::notify::mail_server::{self as service, MailServerView, NewMailServer};
use crate::notify::wording::{self, Worded};
use crate::notify::{Cause, NotifyError};

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/mail",
            Permission::Administer,
            "How mail leaves",
            show,
        ),
        Route::page(
            Method::POST,
            "/mail",
            Permission::Administer,
            "Sets the mail server",
            set,
        ),
        Route::page(
            Method::POST,
            "/mail/remove",
            Permission::Administer,
            "Puts mail into the pickup directory again",
            remove,
        ),
        Route::page(
            Method::POST,
            "/mail/test",
            Permission::Administer,
            "Sends a test mail to oneself",
            test,
        ),
        Route::page(
            Method::GET,
            "/mail/preview/{cause}",
            Permission::Administer,
            "A mail with sample data",
            preview,
        ),
        Route::page(
            Method::GET,
            "/mail/preview/{cause}/html",
            Permission::Administer,
            "The same mail as its HTML",
            preview_html,
        ),
    ]
}

/// The form as it was typed; never the password.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Typed {
    pub host: String,
    pub port: String,
    pub security: String,
    pub sender: String,
    pub username: String,
    pub root_pem: String,
}

#[derive(Serialize)]
pub(super) struct CauseLink {
    pub word: &'static str,
    pub says: &'static str,
}

#[derive(Serialize)]
pub(super) struct MailPage {
    pub server: MailServerView,
    pub typed: Typed,
    pub causes: Vec<CauseLink>,
    /// What the server said to the test.
    pub answer: Option<String>,
}

#[derive(Deserialize)]
#[serde(default)]
struct ServerForm {
    host: String,
    port: String,
    security: String,
    sender: String,
    username: String,
    password: String,
    root_pem: String,
}

impl Default for ServerForm {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: String::new(),
            security: "starttls".to_owned(),
            sender: String::new(),
            username: String::new(),
            password: String::new(),
            root_pem: String::new(),
        }
    }
}

fn causes() -> Vec<CauseLink> {
    Cause::ALL
        .into_iter()
        .map(|cause| CauseLink {
            word: cause.as_str(),
            says: cause.says(),
        })
        .collect()
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    typed: Option<Typed>,
    answer: Option<String>,
) -> Result<Response, Error> {
    let server = service::get_mail_server(host, &visitor.actor).await?;
    let typed = typed.unwrap_or_else(|| Typed {
        host: server.host.clone(),
        port: server.port.to_string(),
        security: server.security.to_owned(),
        sender: server.sender.clone(),
        username: server.username.clone().unwrap_or_default(),
        root_pem: server.root_pem.clone().unwrap_or_default(),
    });
    let body = MailPage {
        server,
        typed,
        causes: causes(),
        answer,
    };
    chrome::page("pages/mail", &frame.titled("Mail"), &body)
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    page(&host, &visitor, frame, None, None).await
}

async fn set(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<ServerForm>,
) -> Result<Response, Error> {
    let typed = Typed {
        host: form.host.clone(),
        port: form.port.clone(),
        security: form.security.clone(),
        sender: form.sender.clone(),
        username: form.username.clone(),
        root_pem: form.root_pem.clone(),
    };
    // A port that is no number is told like any other wrong one.
    let new = NewMailServer {
        host: form.host,
        port: form.port.trim().parse().unwrap_or(0),
        security: form.security,
        sender: form.sender,
        username: form.username,
        password: form.password.into(),
        root_pem: form.root_pem,
    };
    match service::set_mail_server(&host, &visitor.actor, new).await {
        Ok(_) => Ok(chrome::done("/mail", "mail-server")),
        Err(error) => {
            let frame = Chrome::of(&host, &visitor).troubled(Some(told(&error)));
            page(&host, &visitor, frame, Some(typed), None).await
        }
    }
}

async fn remove(State(host): State<Host>, visitor: Visitor) -> Result<Response, Error> {
    match service::remove_mail_server(&host, &visitor.actor).await {
        Ok(()) => Ok(chrome::done("/mail", "mail-folder")),
        Err(error) => {
            let frame = Chrome::of(&host, &visitor).troubled(Some(told(&error)));
            page(&host, &visitor, frame, None, None).await
        }
    }
}

async fn test(State(host): State<Host>, visitor: Visitor) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor);
    match service::test_mail_server(&host, &visitor.actor).await {
        Ok(answer) => page(&host, &visitor, frame, None, Some(answer)).await,
        Err(error) => {
            let problem: Problem = told(&error);
            page(&host, &visitor, frame.troubled(Some(problem)), None, None).await
        }
    }
}

#[derive(Serialize)]
pub(super) struct PreviewPage {
    pub cause: &'static str,
    pub says: &'static str,
    pub worded: Worded,
}

fn sample(host: &Host, visitor: &Visitor, word: &str) -> Result<(Cause, Worded), NotifyError> {
    let cause = Cause::parse(word).ok_or(NotifyError::NotFound("cause"))?;
    let facts = wording::sample(cause);
    let worded = wording::mail(cause, &visitor.actor.name, &facts, &host.options.public_url)?;
    Ok((cause, worded))
}

async fn preview(
    State(host): State<Host>,
    visitor: Visitor,
    Path(word): Path<String>,
) -> Result<Response, Error> {
    let (cause, worded) = sample(&host, &visitor, &word)?;
    let body = PreviewPage {
        cause: cause.as_str(),
        says: cause.says(),
        worded,
    };
    let frame = Chrome::of(&host, &visitor).titled("A mail with sample data");
    chrome::page("pages/mail_preview", &frame, &body)
}

/// The mail's own document: under the same policy as every page, so nothing in it runs.
async fn preview_html(
    State(host): State<Host>,
    visitor: Visitor,
    Path(word): Path<String>,
) -> Result<Response, Error> {
    let (_, worded) = sample(&host, &visitor, &word)?;
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    Ok((kind, worded.html).into_response())
}
