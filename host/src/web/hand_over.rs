//! The page behind a hand-over link: one task for somebody without an account. It shows nothing that was answered, and takes one answer.
use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome};
use super::error::told;
use super::grant_form::{GrantForm, Known};
use super::playbook_fields::{self as fields, Choice, Field, Typed};
use super::playbook_parts::{self as parts, Prepare};
use super::playbook_sign_in as sign_in;
use super::routes::Route;
use super::typed_form::Sent;
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
    /// The address to sign in at.
    pub login_url: Option<Field>,
    /// The grants that need nobody at the vendor's page, and the form of the chosen one.
    pub offered: Vec<Choice>,
    pub grant: Option<GrantForm>,
    pub prepare: Option<Prepare>,
}

/// What was typed into the form, and what is wrong with it.
#[derive(Default)]
struct Tried<'a> {
    grant: Option<&'a str>,
    typed: Typed,
    problem: Option<&'a Problem>,
}

fn body(
    host: &Host,
    handed: &Handed,
    token: &str,
    tried: &Tried<'_>,
) -> Result<HandOverPage, Error> {
    let manifest = host.connectors.manifest(&handed.connector)?;
    let (mut offered, mut grant, mut login_url) = (Vec::new(), None, None);
    let mut prepare = None;
    match &handed.task {
        Task::SignIn => {
            let known = Known {
                manifest: &manifest,
                stored: None,
                asked: tried.grant,
                typed: &tried.typed,
                problem: tried.problem,
                callback_url: "",
                vaults: &[],
                now_ms: host.now_ms(),
            };
            // Whoever consents comes back in their own browser, to a session that they would need.
            let alone = manifest.credential.grants.iter();
            let alone = alone.filter(|offer| !offer.id.needs_consent());
            let (choices, form) = sign_in::choice(&known, alone)?;
            let mut address = [fields::login_url(&manifest)];
            if let Some(problem) = tried.problem {
                fields::overlay(&mut address, &tried.typed, problem);
            }
            login_url = address.into_iter().next();
            offered = choices;
            grant = Some(form);
        }
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
        login_url,
        offered,
        grant,
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
    #[serde(default)]
    grant: Option<String>,
}

async fn show(State(host): State<Host>, Query(asked): Query<Asked>) -> Result<Response, Error> {
    match handover::open(&host, &asked.token).await {
        Ok(handed) => {
            let tried = Tried {
                grant: asked.grant.as_deref(),
                ..Tried::default()
            };
            render(&host, &body(&host, &handed, &asked.token, &tried)?, None)
        }
        Err(error) => render(&host, &HandOverPage::default(), Some(told(&error))),
    }
}

async fn take(State(host): State<Host>, Sent(form): Sent) -> Result<Response, Error> {
    let token = form.get("token").cloned().unwrap_or_default();
    let handed = match handover::open(&host, &token).await {
        Ok(handed) => handed,
        Err(error) => return render(&host, &HandOverPage::default(), Some(told(&error))),
    };
    let manifest = host.connectors.manifest(&handed.connector)?;
    let taken = match &handed.task {
        Task::SignIn => handover::sign_in(&host, &token, sign_in::typed(&manifest, &form)).await,
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
                login_url: None,
                grant: None,
                prepare: None,
                expires_at: None,
                ..body(&host, &handed, "", &Tried::default())?
            };
            render(&host, &page, None)
        }
        Err(error) => {
            let problem = told(&error);
            if problem.status == 403 {
                return render(&host, &HandOverPage::default(), Some(problem));
            }
            let tried = Tried {
                grant: None,
                typed: form,
                problem: Some(&problem),
            };
            let page = body(&host, &handed, &token, &tried)?;
            render(&host, &page, Some(problem.clone()))
        }
    }
}
