//! The playbook over the API: the same tasks as its pages, through the same services.
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Error;
use super::body::{Body, List};
use crate::app::host::Host;
use crate::credentials::signin::SigninView;
use crate::identity::roles::{Actor, Permission};
use crate::identity::service as identity;
use crate::kernel::Problem;
use crate::profiles::playbook::save::{self, Seen};
use crate::profiles::playbook::sign_in::{self, Saved};
use crate::profiles::playbook::{Task, checks, service};
use crate::profiles::{PlaybookView, sharing, signin};
use crate::web::gate::Caller;
use crate::web::playbook as pages;
use crate::web::playbook_fields::{self as fields, Field};
use crate::web::playbook_sign_in;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    const MANAGE: Permission = Permission::ManageProfiles;
    vec![
        Route::api(
            Method::POST,
            "/api/v1/playbooks",
            MANAGE,
            "Begins a playbook: empty, with another profile's answers, or with another profile's connection",
            start,
        )
        .taking::<Begin>(),
        Route::api(
            Method::GET,
            "/api/v1/profiles/{number}/playbook/{task}",
            Permission::Read,
            "What one task asks for and what stands in it, never a secret",
            asked,
        ),
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/playbook/{task}",
            MANAGE,
            "Answers one task; what is not named stays as it is",
            answer,
        )
        .taking::<Answers>(),
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/playbook/{task}/mark",
            MANAGE,
            "Says that a task is done, not needed, or to do again",
            mark,
        )
        .taking::<Marked>(),
    ]
}

/// How a playbook begins.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Begin {
    /// Connector id.
    connector: String,
    /// Profile whose answers are copied; never its address or secret.
    from: Option<String>,
    /// Profile whose alias is used as well, with its connection and secret.
    with: Option<String>,
}

#[derive(Serialize)]
struct Begun {
    /// Number of the draft.
    number: String,
}

async fn start(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<Begin>,
) -> Result<Json<Begun>, Error> {
    let number = match &body.with {
        Some(with) => sharing::succeed(&host, &actor, with).await?,
        None => service::start(&host, &actor, &body.connector, body.from.as_deref()).await?,
    };
    Ok(Json(Begun { number }))
}

/// The task, and the fields that it asks for.
async fn fields_of(
    host: &Host,
    actor: &Actor,
    view: &PlaybookView,
    task: &str,
) -> Result<(Task, Vec<Field>), Error> {
    let manifest = host.connectors.manifest(&view.profile.connector)?;
    let which = pages::find(&manifest, task)?;
    let people = if which == Task::Profile {
        identity::list_principals(host, actor).await?
    } else {
        Vec::new()
    };
    let all = fields::stored(&which, view, &manifest, &people, actor.id.as_str());
    Ok((which, all))
}

async fn asked(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path((number, task)): Path<(String, String)>,
) -> Result<Json<List<Field>>, Error> {
    let view = service::view(&host, &actor, &number).await?;
    Ok(List::all(fields_of(&host, &actor, &view, &task).await?.1))
}

/// Answers to one task.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Answers {
    /// By the name of the field, as the task's page and its GET have them; a price also as `price.KEY` of its licence.
    #[serde(default)]
    answers: BTreeMap<String, String>,
    /// The version of the task that was seen; absent: the one that is stored now.
    version: Option<i64>,
}

/// What became of it.
#[derive(Serialize)]
struct Outcome {
    /// The profile.
    number: String,
    /// The task.
    task: String,
    /// `saved`, `checking`, or `sign_in` where a person goes on at the vendor's.
    outcome: &'static str,
    /// That sign-in.
    sign_in: Option<SigninView>,
    /// The next task that waits for a person.
    next: String,
}

async fn outcome(
    host: &Host,
    actor: &Actor,
    (number, task): (String, String),
    outcome: &'static str,
    sign_in: Option<SigninView>,
) -> Result<Json<Outcome>, Error> {
    let next = service::view(host, actor, &number).await?.next_after(&task);
    Ok(Json(Outcome {
        number,
        task,
        outcome,
        sign_in,
        next,
    }))
}

/// Fields that the form of a grant has beside those of the review.
const OF_A_GRANT: [&str; 6] = [
    "grant",
    "client_secret",
    "refresh_token",
    "username",
    "private_key",
    "without_pkce",
];

fn unknown(name: &str, known: &[Field]) -> Problem {
    let known: Vec<&str> = known.iter().map(|field| field.name.as_str()).collect();
    let name: String = name.chars().take(60).collect();
    Problem::new(
        "playbook.answer",
        422,
        format!("the task asks for no `{name}`"),
        if known.is_empty() {
            "It takes no answers; mark it as done instead".to_owned()
        } else {
            format!("Answer any of {}", known.join(", "))
        },
    )
    .at(&name)
}

async fn answer(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path((number, task)): Path<(String, String)>,
    Body(body): Body<Answers>,
) -> Result<Json<Outcome>, Error> {
    let view = service::view(&host, &actor, &number).await?;
    let (which, known) = fields_of(&host, &actor, &view, &task).await?;
    let mut form = body.answers;
    for name in form.keys() {
        let is_known = known.iter().any(|field| field.name == *name)
            || (which == Task::Prices && name.starts_with("price."))
            || (which == Task::SignIn && OF_A_GRANT.contains(&name.as_str()));
        if !is_known {
            return Err(unknown(name, &known).into());
        }
    }
    // A setting that is not named keeps its place: written down, it would no longer be taken over.
    if !matches!(which, Task::Settings(_)) {
        for field in known {
            if field.kind != "password" && field.name != "grant" {
                form.entry(field.name).or_insert(field.value);
            }
        }
    }
    if which == Task::SignIn
        && let Some(stored) = &view.profile.credential
    {
        form.entry("grant".to_owned())
            .or_insert_with(|| stored.grant.clone());
    }
    let stored = view.task(&task).map_or(0, |task| task.version);
    let version = body.version.unwrap_or(stored);
    form.insert("version".to_owned(), version.to_string());
    if which != Task::SignIn {
        pages::write(&host, &actor, &number, &which, &form).await?;
        return outcome(&host, &actor, (number, task), "saved", None).await;
    }
    let manifest = host.connectors.manifest(&view.profile.connector)?;
    let typed = playbook_sign_in::typed(&manifest, &form);
    let seen = Seen::Version(version);
    match sign_in::save_sign_in(&host, &actor, &number, typed, seen).await? {
        Saved::Stored => {
            checks::start(&host, &actor, &number).await?;
            outcome(&host, &actor, (number, task), "checking", None).await
        }
        Saved::Leaves { id } => {
            let begun = signin::find(&host, &actor, id.as_str()).await?;
            outcome(&host, &actor, (number, task), "sign_in", Some(begun)).await
        }
    }
}

/// What is said of a task.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Marked {
    /// `done`, `not_needed` or `to_do`.
    #[serde(default)]
    state: String,
}

async fn mark(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path((number, task)): Path<(String, String)>,
    Body(body): Body<Marked>,
) -> Result<Json<Outcome>, Error> {
    let view = service::view(&host, &actor, &number).await?;
    let manifest = host.connectors.manifest(&view.profile.connector)?;
    let which = pages::find(&manifest, &task)?;
    let seen = Seen::Version(view.task(&task).map_or(0, |task| task.version));
    save::mark(&host, &actor, &number, &which, &body.state, seen).await?;
    outcome(&host, &actor, (number, task), "saved", None).await
}
