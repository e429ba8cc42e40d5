//! Connection and credential aliases: parents with their children, and of each value where it comes from. And ending a profile.
use axum::extract::{Path, State};
use axum::http::Method;
use axum::response::Response;
use serde::Serialize;

use super::Error;
use super::chrome::{self, Chrome};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use crate::aliases::Origin;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::kernel::Problem;
use crate::profiles::ending::{self, Ending};
use crate::profiles::playbook::repeat::in_words;
use crate::profiles::service::{self, AliasLine};

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/aliases",
            Permission::Read,
            "Connection and credential aliases, with what a child takes over",
            list,
        ),
        Route::page(
            Method::GET,
            "/profiles/{number}/end",
            Permission::ManageProfiles,
            "What ending a profile takes away and what stays",
            end,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/delete",
            Permission::ManageProfiles,
            "Deletes a draft that never ran",
            delete,
        ),
    ]
}

/// One value of an alias.
#[derive(Serialize)]
pub(super) struct Value {
    pub name: String,
    pub value: String,
    /// Set here, taken over, default, or never taken over.
    pub whence: String,
    /// The task of the playbook that changes it.
    pub task: Option<String>,
}

/// One alias.
#[derive(Serialize)]
pub(super) struct Line {
    pub name: String,
    pub number: String,
    pub state: &'static str,
    pub is_ended: bool,
    pub parent: Option<String>,
    /// Further profiles that use it: number and state.
    pub others: Vec<(String, &'static str)>,
    pub values: Vec<Value>,
}

#[derive(Serialize)]
pub(super) struct AliasesPage {
    pub aliases: Vec<Line>,
}

fn values(line: &AliasLine) -> Vec<Value> {
    let parent = line.alias.parent.as_ref().map(|(_, name)| name.as_str());
    let whence = |origin| match (origin, parent) {
        (Origin::Own, _) => "set here".to_owned(),
        (Origin::Parent, Some(parent)) => format!("taken over from {parent}"),
        _ => "default".to_owned(),
    };
    let one = |name: &str, value: String, origin, task: &str| Value {
        name: name.to_owned(),
        value,
        whence: whence(origin),
        task: Some(task.to_owned()),
    };
    let holds = &line.alias.effective;
    let schedule = &holds.schedule;
    let mut all = vec![
        one(
            "Schedule",
            in_words(&schedule.value.cron, &schedule.value.zone),
            schedule.origin,
            "schedule",
        ),
        one(
            "Pauses at share of the API limit",
            format!("{} %", holds.quota_percent.value),
            holds.quota_percent.origin,
            "limits",
        ),
        one(
            "Days without activity of a proposed rule",
            holds.threshold_days.value.to_string(),
            holds.threshold_days.origin,
            "limits",
        ),
        one(
            "Tries of a call that fails for a moment",
            holds.tries.value.to_string(),
            holds.tries.origin,
            "limits",
        ),
    ];
    for (title, value, origin) in &line.settings {
        all.push(one(title, value.clone(), *origin, "settings"));
    }
    for (name, value) in [
        ("Signs in at", line.login_url.clone()),
        ("Org", line.organization.clone().unwrap_or_default()),
        ("Secret", line.secret.clone().unwrap_or_default()),
    ] {
        all.push(Value {
            name: name.to_owned(),
            value: if value.is_empty() {
                "not yet".to_owned()
            } else {
                value
            },
            whence: "its own, never taken over".to_owned(),
            task: None,
        });
    }
    all
}

async fn list(State(host): State<Host>, visitor: Visitor) -> Result<Response, Error> {
    let aliases = service::list_aliases(&host, &visitor.actor)
        .await?
        .into_iter()
        .map(|line| Line {
            values: values(&line),
            others: line.others,
            is_ended: line.state == "archived",
            name: line.alias.name,
            number: line.number,
            state: line.state,
            parent: line.alias.parent.map(|(_, name)| name),
        })
        .collect();
    chrome::page(
        "pages/aliases",
        &Chrome::of(&host, &visitor).titled("Connection and credential aliases"),
        &AliasesPage { aliases },
    )
}

#[derive(Serialize)]
pub(super) struct EndPage {
    pub ending: Ending,
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    problem: Option<Problem>,
) -> Result<Response, Error> {
    let ending = ending::preview(host, &visitor.actor, number).await?;
    let title = format!("End {}", ending.number);
    chrome::page(
        "pages/end",
        &Chrome::of(host, visitor).titled(&title).troubled(problem),
        &EndPage { ending },
    )
}

async fn end(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    page(&host, &visitor, &number, None).await
}

async fn delete(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    match ending::delete_draft(&host, &visitor.actor, &number).await {
        Ok(()) => Ok(chrome::done("/connect", "deleted")),
        Err(error) => {
            let problem = told(&error);
            if problem.status == 404 {
                return Err(problem.into());
            }
            page(&host, &visitor, &number, Some(problem)).await
        }
    }
}
