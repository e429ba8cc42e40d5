//! The playbook's pages: one task a page, its address the state; saving leads to the next one that waits for a person.
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Redirect, Response};
use seatwise_runtime::Manifest;
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::playbook_fields::{self as fields, Field, Typed};
use super::playbook_parts::{self as parts, Parts};
use super::playbook_scope as scope;
use super::playbook_sign_in as sign_in;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::roles::{Actor, Permission};
use crate::identity::service as identity;
use crate::kernel::Problem;
use crate::profiles::playbook::handover::{self, HandOverLink};
use crate::profiles::playbook::repeat::Repeat;
use crate::profiles::playbook::save::{self, Limits, ProfileAnswers, Seen};
use crate::profiles::playbook::{Task, checks, model, service};
use crate::profiles::{PlaybookView, ProfileError};

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    const MANAGE: Permission = Permission::ManageProfiles;
    vec![
        Route::page(
            Method::GET,
            "/profiles/{number}/playbook",
            Permission::Read,
            "The playbook, at the first task that waits for a person",
            resume,
        ),
        Route::page(
            Method::GET,
            "/profiles/{number}/playbook/{task}",
            Permission::Read,
            "One task of the playbook",
            show,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/playbook/{task}",
            MANAGE,
            "Saves one task",
            save_task,
        ),
        Route::page(
            Method::GET,
            "/profiles/{number}/playbook/sign-in",
            Permission::Read,
            "The task Sign in, with the fields of the grant that is chosen",
            sign_in::show,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/playbook/sign-in",
            MANAGE,
            "Saves address and credential, and tries them or leads to the vendor's page",
            sign_in::save,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/playbook/{task}/mark",
            MANAGE,
            "Says that a task is done, not needed, or to do again",
            mark,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/playbook/{task}/hand-over",
            MANAGE,
            "Makes a link by which somebody without an account answers one task",
            hand_over,
        ),
        Route::page(
            Method::GET,
            "/profiles/{number}/playbook/{task}/events",
            Permission::Read,
            "A task that goes on by itself, live as server-sent events",
            super::playbook_live::events,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/playbook/checks/run",
            MANAGE,
            "Runs all checks, one by one",
            run_checks,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/playbook/checks/retry",
            MANAGE,
            "Runs one check again",
            retry_check,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/playbook/review/publish",
            MANAGE,
            "Publishes and shows the first sync",
            publish,
        ),
    ]
}

/// One task's page.
#[derive(Serialize)]
pub(super) struct PlaybookPage {
    pub view: PlaybookView,
    /// The task's part of the address, and what it is.
    pub task: String,
    pub title: String,
    /// The kind of org, for every heading.
    pub environment: Option<String>,
    pub lane: &'static str,
    /// What a form must have seen.
    pub version: i64,
    pub state: String,
    pub note: Option<String>,
    pub fields: Vec<Field>,
    /// The visitor may save.
    pub may_save: bool,
    /// A form with fields, as opposed to a page of another kind.
    pub is_form: bool,
    pub can_mark: bool,
    pub can_hand_over: bool,
    /// A link that was just made; shown once.
    pub link: Option<HandOverLink>,
    /// To whom the task is handed, and until when.
    pub waiting_for: Option<String>,
    pub waiting_until: Option<i64>,
    /// Where to go after saving: `review`, when one came from there.
    pub back: String,
    pub previous: Option<String>,
    pub next: String,
    pub parts: Parts,
    pub now_ms: i64,
}

pub(crate) fn find(manifest: &Manifest, text: &str) -> Result<Task, ProfileError> {
    model::find(manifest, text).ok_or_else(|| ProfileError::NoTask(text.chars().take(64).collect()))
}

/// What a page shows besides what is stored.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) typed: Typed,
    pub(super) problem: Option<Problem>,
    pub(super) done: Done,
    pub(super) link: Option<HandOverLink>,
    pub(super) back: String,
    pub(super) own_host: Option<String>,
    /// The grant that the address asks for.
    pub(super) grant: Option<String>,
}

pub(super) async fn page(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    task: &str,
    shown: Shown,
) -> Result<Response, Error> {
    let view = service::view(host, &visitor.actor, number).await?;
    let manifest = host.connectors.manifest(&view.profile.connector)?;
    let task = find(&manifest, task)?;
    let id = task.to_string();
    let people = if task == Task::Profile {
        identity::list_principals(host, &visitor.actor).await?
    } else {
        Vec::new()
    };
    let me = visitor.actor.id.as_str();
    let form = if task == Task::SignIn {
        Some(sign_in::part(host, visitor, &view, &manifest, &shown).await?)
    } else {
        None
    };
    let mut asked = match &form {
        Some(form) => fields::sign_in(&view, &manifest, manifest.grant(form.form.grant)),
        None => fields::stored(&task, &view, &manifest, &people, me),
    };
    let mut problem = shown.problem;
    if let Some(problem) = &mut problem {
        fields::overlay(&mut asked, &shown.typed, problem);
        if let Some(at) = problem
            .detail
            .get("at_ms")
            .and_then(serde_json::Value::as_i64)
        {
            problem.message = format!("{} at {}", problem.message, parts::clock(at));
        }
    }
    let waiting = handover::waiting_for(host, &visitor.actor, number, &task).await?;
    let mut parts = Parts::of(host, visitor, &task, &view, &manifest, shown.own_host).await?;
    parts.sign_in = form;
    let known = view.task(&id);
    let environment = view.answers.environment.as_ref().map(|kind| {
        manifest
            .playbook
            .environment(kind)
            .map_or_else(|| kind.clone(), |kind| kind.title.clone())
    });
    let all: Vec<&str> = view
        .lanes
        .iter()
        .flat_map(|lane| &lane.tasks)
        .map(|task| task.id.as_str())
        .collect();
    let at = all.iter().position(|known| *known == id).unwrap_or(0);
    let title = task.title(&manifest);
    let is_shared = view.shared_with.iter().any(|other| other.is_live);
    let is_read_only = view.profile.state == "archived"
        || (task == Task::SignIn && is_shared)
        || (matches!(task, Task::SignIn | Task::Prices) && view.profile.state != "draft");
    let body = PlaybookPage {
        lane: task.lane().title(),
        version: known.map_or(0, |task| task.version),
        state: known.map_or_else(String::new, |task| {
            serde_json::to_value(task.state)
                .ok()
                .and_then(|state| state.as_str().map(str::to_owned))
                .unwrap_or_default()
        }),
        note: known.and_then(|task| task.note.clone()),
        is_form: !asked.is_empty(),
        fields: asked,
        may_save: visitor.actor.may(Permission::ManageProfiles).is_ok() && !is_read_only,
        can_mark: task.is_optional(),
        can_hand_over: task.can_be_handed_over() && view.profile.state == "draft",
        link: shown.link,
        waiting_until: waiting.as_ref().map(|(_, until)| *until),
        waiting_for: waiting.map(|(who, _)| who),
        back: shown.back,
        previous: at.checked_sub(1).map(|at| all[at].to_owned()),
        next: view.next_after(&id),
        environment,
        task: id,
        parts,
        now_ms: host.now_ms(),
        title: title.clone(),
        view,
    };
    let frame = Chrome::of(host, visitor)
        .titled(&format!("{title} - {}", body.view.profile.name))
        .done(&shown.done)
        .troubled(problem);
    chrome::page("pages/playbook", &frame, &body)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    done: Option<String>,
    back: Option<String>,
}

async fn resume(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    let view = service::view(&host, &visitor.actor, &number).await?;
    let first = view
        .lanes
        .iter()
        .flat_map(|lane| &lane.tasks)
        .find(|task| !is_settled(task.state))
        .map_or_else(|| "first-sync".to_owned(), |task| task.id.clone());
    Ok(Redirect::to(&format!("/profiles/{number}/playbook/{first}")).into_response())
}

fn is_settled(state: crate::profiles::playbook::TaskState) -> bool {
    use crate::profiles::playbook::TaskState::{Done, NotNeeded, Waiting};
    matches!(state, Done | NotNeeded | Waiting)
}

/// The host by which the request came, when it is another than the configured one.
pub(super) fn own_host(host: &Host, headers: &HeaderMap) -> Option<String> {
    let asked = headers.get(header::HOST)?.to_str().ok()?;
    let configured = host.options.public_url.split_once("://")?.1;
    (configured.trim_end_matches('/') != asked).then(|| asked.chars().take(200).collect())
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Path((number, task)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let shown = Shown {
        done: Done::of(asked.done),
        back: asked
            .back
            .filter(|back| back == "review")
            .unwrap_or_default(),
        own_host: own_host(&host, &headers),
        ..Shown::default()
    };
    page(&host, &visitor, &number, &task, shown).await
}

pub(super) fn text(form: &Typed, name: &str) -> String {
    form.get(name)
        .map(|value| value.trim().to_owned())
        .unwrap_or_default()
}

pub(super) fn seen(form: &Typed) -> Seen<'static> {
    // A form without a version has seen nothing, and is refused where something is stored.
    Seen::Version(text(form, "version").parse().unwrap_or(0))
}

/// Saves what was typed into the form of a task.
pub(crate) async fn write(
    host: &Host,
    actor: &Actor,
    number: &str,
    task: &Task,
    form: &Typed,
) -> Result<(), ProfileError> {
    let seen = seen(form);
    let view = service::view(host, actor, number).await?;
    let manifest = host.connectors.manifest(&view.profile.connector)?;
    match task {
        Task::Profile => {
            let typed = ProfileAnswers {
                name: text(form, "name"),
                owner: text(form, "owner"),
                environment: text(form, "environment"),
            };
            save::save_profile(host, actor, number, typed, seen).await
        }
        Task::Settings(page) => {
            let typed: Vec<(String, String)> = manifest
                .settings
                .properties
                .iter()
                .filter_map(|(name, property)| {
                    Some((name.clone(), scope::as_setting(property, form.get(name)?)))
                })
                .collect();
            save::save_settings(host, actor, number, *page, &typed, seen).await
        }
        Task::Prices => {
            let prices = scope::typed_prices(&view, &manifest, form);
            save::save_prices(host, actor, number, &text(form, "currency"), prices, seen).await
        }
        Task::Limits => {
            let typed = Limits {
                quota_percent: text(form, "quota_percent"),
                threshold_days: text(form, "threshold_days"),
                tries: text(form, "tries"),
            };
            save::save_limits(host, actor, number, &typed, seen).await
        }
        Task::Schedule => {
            let repeat = Repeat {
                every: text(form, "every"),
                at: text(form, "at"),
                on: text(form, "on"),
            };
            let chosen = (repeat.every != "inherit").then_some(&repeat);
            let (zone, freeze) = (text(form, "zone"), text(form, "freeze_days"));
            save::save_schedule(host, actor, number, chosen, &zone, &freeze, seen).await
        }
        // The sign-in has a handler of its own.
        Task::SignIn | Task::Prepare(_) | Task::Checks | Task::Review | Task::FirstSync => {
            Err(ProfileError::NoTask(task.to_string()))
        }
    }
}

async fn save_task(
    State(host): State<Host>,
    visitor: Visitor,
    Path((number, task)): Path<(String, String)>,
    Form(form): Form<Typed>,
) -> Result<Response, Error> {
    let view = service::view(&host, &visitor.actor, &number).await?;
    let manifest = host.connectors.manifest(&view.profile.connector)?;
    let which = find(&manifest, &task)?;
    let written = write(&host, &visitor.actor, &number, &which, &form).await;
    let goes_on = if text(&form, "back") == "review" {
        GoesOn::To("review".to_owned())
    } else {
        GoesOn::After
    };
    saved(&host, &visitor, (&number, &task), form, written, goes_on).await
}

/// Where a person goes on after a task.
enum GoesOn {
    /// At the next task that waits for a person.
    After,
    /// At this one.
    To(String),
}

/// What a save or a mark came to: the way on, or the same page with what is wrong.
async fn saved(
    host: &Host,
    visitor: &Visitor,
    (number, task): (&str, &str),
    form: Typed,
    written: Result<(), ProfileError>,
    goes_on: GoesOn,
) -> Result<Response, Error> {
    if let Err(error) = written {
        return refused(host, visitor, (number, task), form, &error).await;
    }
    let next = match goes_on {
        GoesOn::To(task) => task,
        GoesOn::After => service::view(host, &visitor.actor, number)
            .await?
            .next_after(task),
    };
    Ok(chrome::done(
        &format!("/profiles/{number}/playbook/{next}"),
        "task-saved",
    ))
}

/// The same task with what was typed and what is wrong with it.
pub(super) async fn refused(
    host: &Host,
    visitor: &Visitor,
    (number, task): (&str, &str),
    form: Typed,
    error: &ProfileError,
) -> Result<Response, Error> {
    let mut problem = told(error);
    if problem.status == 404 {
        return Err(problem.into());
    }
    if let ProfileError::Stale { at_ms, .. } = error {
        problem = problem.with(serde_json::json!({ "at_ms": at_ms }));
    }
    let shown = Shown {
        back: text(&form, "back"),
        typed: form,
        problem: Some(problem),
        ..Shown::default()
    };
    page(host, visitor, number, task, shown).await
}

async fn mark(
    State(host): State<Host>,
    visitor: Visitor,
    Path((number, task)): Path<(String, String)>,
    Form(form): Form<Typed>,
) -> Result<Response, Error> {
    let view = service::view(&host, &visitor.actor, &number).await?;
    let manifest = host.connectors.manifest(&view.profile.connector)?;
    let which = find(&manifest, &task)?;
    let state = text(&form, "state");
    let marked = save::mark(&host, &visitor.actor, &number, &which, &state, seen(&form)).await;
    let goes_on = if state == "to_do" {
        GoesOn::To(task.clone())
    } else {
        GoesOn::After
    };
    saved(&host, &visitor, (&number, &task), form, marked, goes_on).await
}

async fn hand_over(
    State(host): State<Host>,
    visitor: Visitor,
    Path((number, task)): Path<(String, String)>,
    Form(form): Form<Typed>,
) -> Result<Response, Error> {
    let view = service::view(&host, &visitor.actor, &number).await?;
    let manifest = host.connectors.manifest(&view.profile.connector)?;
    let which = find(&manifest, &task)?;
    let recipient = text(&form, "recipient");
    let made = handover::make(&host, &visitor.actor, &number, &which, &recipient).await;
    let shown = match made {
        Ok(link) => Shown {
            link: Some(link),
            ..Shown::default()
        },
        Err(error) => Shown {
            problem: Some(told(&error)),
            typed: form,
            ..Shown::default()
        },
    };
    page(&host, &visitor, &number, &task, shown).await
}

async fn answer(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    task: &str,
    result: Result<&str, ProfileError>,
) -> Result<Response, Error> {
    match result {
        Ok(done) => Ok(chrome::done(
            &format!("/profiles/{number}/playbook/{task}"),
            done,
        )),
        Err(error @ ProfileError::NotFound(_)) => Err(error.into()),
        Err(error) => {
            let shown = Shown {
                problem: Some(told(&error)),
                ..Shown::default()
            };
            page(host, visitor, number, task, shown).await
        }
    }
}

async fn run_checks(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    let result = checks::start(&host, &visitor.actor, &number).await;
    answer(
        &host,
        &visitor,
        &number,
        "checks",
        result.map(|()| "checking"),
    )
    .await
}

#[derive(Deserialize)]
struct OneCheck {
    #[serde(default)]
    check: String,
}

async fn retry_check(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<OneCheck>,
) -> Result<Response, Error> {
    let result = checks::retry(&host, &visitor.actor, &number, &form.check).await;
    answer(
        &host,
        &visitor,
        &number,
        "checks",
        result.map(|()| "checked"),
    )
    .await
}

async fn publish(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    let result = crate::profiles::service::publish(&host, &visitor.actor, &number).await;
    if result.is_ok() {
        return answer(&host, &visitor, &number, "first-sync", Ok("published")).await;
    }
    answer(
        &host,
        &visitor,
        &number,
        "review",
        result.map(|_| "published"),
    )
    .await
}
