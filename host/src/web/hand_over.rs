//! The page behind a hand-over link: one task for somebody without an account. It shows nothing that was answered, and takes one answer.
use axum::Form;
use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome};
use super::error::told;
use super::playbook::typed_sign_in;
use super::playbook_fields::{self as fields, Field, Typed};
use super::playbook_parts::{self as parts, Prepare};
use super::routes::Route;
use crate::app::host::Host;
use crate::kernel::Problem;
use crate::profiles::playbook::handover::{self, Handed};
use crate::profiles::playbook::{Task, checks};

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::open(
            Method::GET,
            "/hand-over",
            "The task behind a hand-over link; changes nothing",
            show,
        ),
        Route::open(
            Method::POST,
            "/hand-over",
            "Takes the answer and uses the link up",
            take,
        ),
    ]
}

/// The task of a link, or the thanks after it.
#[derive(Default, Serialize)]
pub(super) struct HandOverPage {
    /// Carried into the form; empty after the answer.
    pub token: String,
    pub is_answered: bool,
    pub asked_by: String,
    pub recipient: String,
    pub connector: String,
    pub environment: Option<String>,
    pub title: String,
    pub expires_at: Option<i64>,
    pub fields: Vec<Field>,
    pub prepare: Option<Prepare>,
}

fn body(host: &Host, handed: &Handed, token: &str) -> Result<HandOverPage, Error> {
    let manifest = host.connectors.manifest(&handed.connector)?;
    let mut fields = Vec::new();
    let mut prepare = None;
    match &handed.task {
        Task::SignIn => fields = fields::sign_in_blank(&manifest),
        Task::Prepare(id) => prepare = parts::prepare(host, &manifest, id, &[], None),
        _ => {}
    }
    Ok(HandOverPage {
        token: token.to_owned(),
        is_answered: false,
        asked_by: handed.asked_by.clone(),
        recipient: handed.recipient.clone(),
        connector: manifest.connector.name.clone(),
        environment: handed.environment.as_ref().map(|kind| {
            manifest
                .playbook
                .environment(kind)
                .map_or_else(|| kind.clone(), |kind| kind.title.clone())
        }),
        title: handed.task.title(&manifest),
        expires_at: Some(handed.expires_at),
        fields,
        prepare,
    })
}

fn render(host: &Host, page: &HandOverPage, problem: Option<Problem>) -> Result<Response, Error> {
    let title = if page.title.is_empty() {
        "Hand-over".to_owned()
    } else {
        page.title.clone()
    };
    let frame = Chrome::outside(host).titled(&title).troubled(problem);
    chrome::page("pages/hand_over", &frame, page)
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    token: String,
}

async fn show(State(host): State<Host>, Query(asked): Query<Asked>) -> Result<Response, Error> {
    match handover::open(&host, &asked.token).await {
        Ok(handed) => render(&host, &body(&host, &handed, &asked.token)?, None),
        Err(error) => render(&host, &HandOverPage::default(), Some(told(&error))),
    }
}

async fn take(State(host): State<Host>, Form(form): Form<Typed>) -> Result<Response, Error> {
    let token = form.get("token").cloned().unwrap_or_default();
    let handed = match handover::open(&host, &token).await {
        Ok(handed) => handed,
        Err(error) => return render(&host, &HandOverPage::default(), Some(told(&error))),
    };
    let manifest = host.connectors.manifest(&handed.connector)?;
    let taken = match &handed.task {
        Task::SignIn => handover::sign_in(&host, &token, typed_sign_in(&manifest, &form)).await,
        _ => handover::prepared(&host, &token).await,
    };
    match taken {
        Ok(handed) => {
            if handed.task == Task::SignIn
                && let Err(error) = checks::start(&host, &handed.actor, &handed.profile).await
            {
                // The answer is kept; whoever asked for it sees on their page why the checks did not begin.
                told(&error);
            }
            let page = HandOverPage {
                is_answered: true,
                token: String::new(),
                fields: Vec::new(),
                prepare: None,
                expires_at: None,
                ..body(&host, &handed, "")?
            };
            render(&host, &page, None)
        }
        Err(error) => {
            let problem = told(&error);
            if problem.status == 403 {
                return render(&host, &HandOverPage::default(), Some(problem));
            }
            let mut page = body(&host, &handed, &token)?;
            fields::overlay(&mut page.fields, &form, &problem);
            render(&host, &page, Some(problem))
        }
    }
}
