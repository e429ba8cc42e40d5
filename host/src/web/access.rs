//! People and access: who may sign in, with which roles, from an administrator's side.
use std::collections::BTreeSet;

use axum::extract::{Path, Query, RawForm, State};
use axum::http::Method;
use axum::response::Response;
use serde::Serialize;

use super::Error;
use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::IdentityError;
use crate::identity::roles::{Permission, Role};
use crate::identity::service::{
    self, AccessView, NewPrincipal, PrincipalKind, PrincipalView, SigninLink,
};
use crate::kernel::{PrincipalId, SessionId};

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/access",
            Permission::Administer,
            "Who may sign in, with which roles",
            list,
        ),
        Route::page(
            Method::POST,
            "/access",
            Permission::Administer,
            "Invites somebody and shows their one-time link once",
            invite,
        ),
        Route::page(
            Method::GET,
            "/access/{id}",
            Permission::Administer,
            "One person's access",
            show,
        ),
        Route::page(
            Method::POST,
            "/access/{id}/link",
            Permission::Administer,
            "Makes a one-time link and shows it once",
            link,
        ),
        Route::page(
            Method::POST,
            "/access/{id}/roles",
            Permission::Administer,
            "Gives somebody exactly these roles",
            roles,
        ),
        Route::page(
            Method::POST,
            "/access/{id}/deactivate",
            Permission::Administer,
            "Takes somebody's access away",
            deactivate,
        ),
        Route::page(
            Method::POST,
            "/access/{id}/reactivate",
            Permission::Administer,
            "Gives somebody their access back",
            reactivate,
        ),
        Route::page(
            Method::POST,
            "/access/{id}/sessions/{session}/end",
            Permission::Administer,
            "Ends one of somebody's sessions",
            end_session,
        ),
        Route::page(
            Method::POST,
            "/access/{id}/second-factor/reset",
            Permission::Administer,
            "Takes away the second factor of somebody who has lost it",
            reset_factor,
        ),
    ]
}

#[derive(Serialize)]
struct ListPage {
    people: Vec<PrincipalView>,
    roles: Vec<Choice>,
    typed: Typed,
    /// The link of whoever was just invited, shown this once.
    link: Option<SigninLink>,
}

/// A role to tick.
#[derive(Serialize)]
struct Choice {
    word: &'static str,
    says: &'static str,
    is_ticked: bool,
    /// Their groups give it: unticking here would change nothing.
    is_from_group: bool,
}

fn choices(ticked: &BTreeSet<Role>, from_groups: &BTreeSet<Role>) -> Vec<Choice> {
    Role::ALL
        .into_iter()
        .map(|role| Choice {
            word: role.as_str(),
            says: role.says(),
            is_ticked: ticked.contains(&role),
            is_from_group: from_groups.contains(&role),
        })
        .collect()
}

/// The invitation as it was typed.
#[derive(Default, Serialize)]
struct Typed {
    name: String,
    email: String,
    #[serde(skip)]
    roles: BTreeSet<Role>,
}

impl Typed {
    fn of(form: &[u8]) -> Self {
        let mut typed = Self::default();
        for (name, value) in url::form_urlencoded::parse(form) {
            match &*name {
                "name" => typed.name = value.into_owned(),
                "email" => typed.email = value.into_owned(),
                "role" => typed.roles.extend(Role::parse(&value)),
                _ => {}
            }
        }
        typed
    }
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    typed: Typed,
    link: Option<SigninLink>,
) -> Result<Response, Error> {
    let mut people = service::list_principals(host, &visitor.actor).await?;
    people.retain(|p| p.kind != PrincipalKind::System);
    let body = ListPage {
        people,
        roles: choices(&typed.roles, &BTreeSet::new()),
        typed,
        link,
    };
    chrome::page("pages/access", &frame.titled("Access"), &body)
}

async fn list(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    page(&host, &visitor, frame, Typed::default(), None).await
}

async fn invite(
    State(host): State<Host>,
    visitor: Visitor,
    RawForm(form): RawForm,
) -> Result<Response, Error> {
    let typed = Typed::of(&form);
    let new = NewPrincipal {
        kind: PrincipalKind::Person,
        name: typed.name.clone(),
        email: Some(typed.email.clone()),
        roles: typed.roles.clone(),
    };
    let frame = Chrome::of(&host, &visitor);
    match service::invite(&host, &visitor.actor, new).await {
        Ok(link) => page(&host, &visitor, frame, Typed::default(), Some(link)).await,
        Err(error) => {
            page(
                &host,
                &visitor,
                frame.troubled(Some(told(&error))),
                typed,
                None,
            )
            .await
        }
    }
}

#[derive(Serialize)]
struct PersonPage {
    access: AccessView,
    roles: Vec<Choice>,
    units: Vec<UnitChoice>,
    link: Option<SigninLink>,
}

/// A business unit to tick.
#[derive(Serialize)]
struct UnitChoice {
    name: String,
    is_ticked: bool,
}

async fn person(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    id: &PrincipalId,
    link: Option<SigninLink>,
) -> Result<Response, Error> {
    let access = service::access_of(host, &visitor.actor, id).await?;
    let title = access.principal.name.clone();
    let seen = access.principal.sight.names();
    let units = service::list_units(host, &visitor.actor)
        .await?
        .units
        .into_iter()
        .map(|unit| UnitChoice {
            is_ticked: seen.contains(&unit.name.as_str()),
            name: unit.name,
        })
        .collect();
    let body = PersonPage {
        roles: choices(&access.principal.roles, &access.principal.group_roles),
        access,
        units,
        link,
    };
    chrome::page("pages/access_person", &frame.titled(&title), &body)
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    person(&host, &visitor, frame, &PrincipalId::from(id), None).await
}

async fn link(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let id = PrincipalId::from(id);
    let link = service::mint_signin_link(&host, &visitor.actor, &id).await?;
    let frame = Chrome::of(&host, &visitor);
    person(&host, &visitor, frame, &id, Some(link)).await
}

/// Back to the person's page: with what was done, or with why it was not.
pub(super) async fn answer(
    host: &Host,
    visitor: &Visitor,
    id: &PrincipalId,
    result: Result<(), IdentityError>,
    done: &str,
) -> Result<Response, Error> {
    match result {
        Ok(()) => Ok(chrome::done(&format!("/access/{id}"), done)),
        Err(error @ (IdentityError::LastAdmin | IdentityError::Invalid { .. })) => {
            let frame = Chrome::of(host, visitor).troubled(Some(told(&error)));
            person(host, visitor, frame, id, None).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn roles(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
    RawForm(form): RawForm,
) -> Result<Response, Error> {
    let id = PrincipalId::from(id);
    let wanted = Typed::of(&form).roles;
    let result = service::set_roles(&host, &visitor.actor, &id, &wanted).await;
    answer(&host, &visitor, &id, result, "roles-set").await
}

async fn deactivate(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let id = PrincipalId::from(id);
    let result = service::deactivate(&host, &visitor.actor, &id).await;
    answer(&host, &visitor, &id, result, "deactivated").await
}

async fn reactivate(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let id = PrincipalId::from(id);
    let result = service::reactivate(&host, &visitor.actor, &id).await;
    answer(&host, &visitor, &id, result, "reactivated").await
}

async fn end_session(
    State(host): State<Host>,
    visitor: Visitor,
    Path((id, session)): Path<(String, String)>,
) -> Result<Response, Error> {
    let id = PrincipalId::from(id);
    let session = SessionId::from(session);
    let result = service::end_session_of(&host, &visitor.actor, &id, &session).await;
    answer(&host, &visitor, &id, result, "session-ended").await
}

async fn reset_factor(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let id = PrincipalId::from(id);
    let result = service::reset_second_factor(&host, &visitor.actor, &id).await;
    answer(&host, &visitor, &id, result, "factor-reset").await
}
