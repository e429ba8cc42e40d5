//! People of the directory, their import, accounts without a person, and the user resolution rules.
use axum::Form;
use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::kernel::{OrgId, PersonId, Problem};
use crate::people::matching::Transform;
use crate::people::model::{ImportReport, ResolutionRuleView};
use crate::people::{PersonView, UnresolvedView, service};

/// People, or accounts, on one page.
const PAGE: i64 = 100;
/// People offered for matching by hand.
const OFFERED: i64 = 500;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/people",
            Permission::Read,
            "People, and accounts without a person",
            show,
        ),
        Route::page(
            Method::POST,
            "/people/import",
            Permission::ManageSam,
            "Imports people from CSV",
            import,
        ),
        Route::page(
            Method::POST,
            "/people/match",
            Permission::ManageSam,
            "Says whose account it is",
            by_hand,
        ),
        Route::page(
            Method::POST,
            "/people/resolution-rules",
            Permission::ManageSam,
            "Adds a user resolution rule",
            add_rule,
        ),
    ]
}

#[derive(Default, Deserialize)]
struct Asked {
    after: Option<String>,
}

#[derive(Serialize)]
pub(super) struct PeoplePage {
    pub people: Vec<PersonView>,
    pub next: Option<String>,
    pub unresolved: Vec<UnresolvedView>,
    /// More accounts than are shown match nobody.
    pub has_more_unresolved: bool,
    pub rules: Vec<ResolutionRuleView>,
    pub report: Option<ImportReport>,
    /// The CSV as it was pasted, when it was refused.
    pub typed_csv: String,
    /// For matching by hand.
    pub offered: Vec<PersonView>,
}

/// What a form left to be shown on the page that answers it.
#[derive(Default)]
struct Left {
    report: Option<ImportReport>,
    csv: String,
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    after: Option<&str>,
    left: Left,
) -> Result<Response, Error> {
    let actor = &visitor.actor;
    let people =
        service::list_people(host, actor, after.map(PersonId::from).as_ref(), PAGE).await?;
    let is_full = i64::try_from(people.len()).is_ok_and(|n| n == PAGE);
    let next = people
        .last()
        .filter(|_| is_full)
        .map(|last| format!("/people?after={}", last.id));
    let unresolved = service::list_unresolved(host, actor, None, PAGE).await?;
    let body = PeoplePage {
        has_more_unresolved: i64::try_from(unresolved.len()).is_ok_and(|n| n == PAGE),
        offered: if unresolved.is_empty() {
            Vec::new()
        } else {
            service::list_people(host, actor, None, OFFERED).await?
        },
        rules: service::list_resolution_rules(host, actor).await?,
        people,
        next,
        unresolved,
        report: left.report,
        typed_csv: left.csv,
    };
    chrome::page("pages/people", &frame.titled("People"), &body)
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    page(
        &host,
        &visitor,
        Chrome::of(&host, &visitor).done(&done),
        asked.after.as_deref(),
        Left::default(),
    )
    .await
}

async fn refused(
    host: &Host,
    visitor: &Visitor,
    problem: Problem,
    left: Left,
) -> Result<Response, Error> {
    page(
        host,
        visitor,
        Chrome::of(host, visitor).troubled(Some(problem)),
        None,
        left,
    )
    .await
}

#[derive(Deserialize)]
struct Import {
    csv: String,
}

async fn import(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<Import>,
) -> Result<Response, Error> {
    match service::import_csv(&host, &visitor.actor, &form.csv).await {
        Ok(report) => {
            let left = Left {
                report: Some(report),
                csv: String::new(),
            };
            page(&host, &visitor, Chrome::of(&host, &visitor), None, left).await
        }
        Err(error) => {
            refused(
                &host,
                &visitor,
                told(&error),
                Left {
                    report: None,
                    csv: form.csv,
                },
            )
            .await
        }
    }
}

#[derive(Deserialize)]
struct ByHand {
    /// Organization and account, with one blank between them.
    account: String,
    person: String,
}

async fn by_hand(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<ByHand>,
) -> Result<Response, Error> {
    let (organization, account) = form.account.split_once(' ').unwrap_or(("", &form.account));
    let (organization, person) = (OrgId::from(organization), PersonId::from(form.person));
    match service::match_by_hand(&host, &visitor.actor, &organization, account, &person).await {
        Ok(()) => Ok(chrome::done("/people", "matched")),
        Err(error) => refused(&host, &visitor, told(&error), Left::default()).await,
    }
}

#[derive(Deserialize)]
struct AddRule {
    name: String,
    /// `remove_domain` or `replace_domain`.
    transform: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

async fn add_rule(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<AddRule>,
) -> Result<Response, Error> {
    let transform = if form.transform == "remove_domain" {
        Transform::RemoveDomain
    } else {
        Transform::ReplaceDomain {
            from: form.from,
            to: form.to,
        }
    };
    match service::add_resolution_rule(&host, &visitor.actor, &form.name, transform).await {
        Ok(_) => Ok(chrome::done("/people", "resolution")),
        Err(error) => refused(&host, &visitor, told(&error), Left::default()).await,
    }
}
