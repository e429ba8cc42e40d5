//! The page *Single sign-on*: the company's identity provider, and which of its groups gives which role.
use axum::Form;
use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Error;
use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::IdentityError;
use crate::identity::roles::{Permission, Role};
use crate::identity::service::{self, GroupRole, NewSignOn, SignOnView};

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/access/sign-on",
            Permission::Administer,
            "Single sign-on and the roles its groups give",
            show,
        ),
        Route::page(
            Method::POST,
            "/access/sign-on",
            Permission::Administer,
            "Sets up single sign-on",
            set,
        ),
        Route::page(
            Method::POST,
            "/access/sign-on/switch",
            Permission::Administer,
            "Switches single sign-on on or off",
            switch,
        ),
        Route::page(
            Method::POST,
            "/access/sign-on/groups",
            Permission::Administer,
            "Lets a group give a role",
            map,
        ),
        Route::page(
            Method::POST,
            "/access/sign-on/groups/remove",
            Permission::Administer,
            "Lets a group give a role no more",
            unmap,
        ),
    ]
}

#[derive(Serialize)]
struct SignOnPage {
    /// As it is kept, or as it was typed and refused.
    set: SignOnView,
    is_set_up: bool,
    roles: Vec<Choice>,
    group: String,
}

#[derive(Serialize)]
struct Choice {
    word: &'static str,
    is_chosen: bool,
}

/// What was typed and refused.
#[derive(Default)]
struct Typed {
    settings: Option<Settings>,
    pair: Option<Pair>,
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    typed: Typed,
) -> Result<Response, Error> {
    let mut set = service::sign_on(host, &visitor.actor).await?;
    let is_set_up = set.secret_set_at.is_some();
    if let Some(settings) = typed.settings {
        set.issuer = settings.issuer;
        set.client_id = settings.client_id;
        set.scopes = settings.scopes;
        set.group_claim = settings.group_claim;
        set.label = settings.label;
    }
    let pair = typed.pair.unwrap_or_default();
    let body = SignOnPage {
        set,
        is_set_up,
        roles: Role::ALL
            .into_iter()
            .map(|role| Choice {
                word: role.as_str(),
                is_chosen: role.as_str() == pair.role,
            })
            .collect(),
        group: pair.group,
    };
    chrome::page("pages/sign_on", &frame.titled("Single sign-on"), &body)
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    page(&host, &visitor, frame, Typed::default()).await
}

/// Back to the page: with what was done, or with why it was not and what was typed.
async fn answer(
    host: &Host,
    visitor: &Visitor,
    result: Result<(), IdentityError>,
    done: &str,
    typed: Typed,
) -> Result<Response, Error> {
    match result {
        Ok(()) => Ok(chrome::done("/access/sign-on", done)),
        Err(error @ (IdentityError::Invalid { .. } | IdentityError::SignOn(_))) => {
            let frame = Chrome::of(host, visitor).troubled(Some(told(&error)));
            page(host, visitor, frame, typed).await
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    issuer: String,
    client_id: String,
    client_secret: String,
    scopes: String,
    group_claim: String,
    label: String,
}

async fn set(
    State(host): State<Host>,
    visitor: Visitor,
    Form(mut form): Form<Settings>,
) -> Result<Response, Error> {
    let new = NewSignOn {
        issuer: form.issuer.clone(),
        client_id: form.client_id.clone(),
        client_secret: Zeroizing::new(std::mem::take(&mut form.client_secret)),
        scopes: form.scopes.clone(),
        group_claim: form.group_claim.clone(),
        label: form.label.clone(),
    };
    let result = service::set_sign_on(&host, &visitor.actor, new).await;
    let typed = Typed {
        settings: Some(form),
        pair: None,
    };
    answer(&host, &visitor, result, "sign-on-set", typed).await
}

#[derive(Deserialize)]
struct Switch {
    #[serde(default)]
    to: String,
}

async fn switch(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<Switch>,
) -> Result<Response, Error> {
    let is_on = form.to == "on";
    let result = service::switch_sign_on(&host, &visitor.actor, is_on).await;
    let done = if is_on { "sign-on-on" } else { "sign-on-off" };
    answer(&host, &visitor, result, done, Typed::default()).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pair {
    group: String,
    role: String,
}

impl Pair {
    fn read(&self) -> Result<GroupRole, IdentityError> {
        let role = Role::parse(&self.role).ok_or_else(|| IdentityError::Invalid {
            field: "role",
            sentence: "choose one of the roles".to_owned(),
        })?;
        Ok(GroupRole {
            group: self.group.clone(),
            role,
        })
    }
}

async fn map(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<Pair>,
) -> Result<Response, Error> {
    let result = match form.read() {
        Ok(pair) => service::map_group(&host, &visitor.actor, &pair).await,
        Err(error) => Err(error),
    };
    let typed = Typed {
        settings: None,
        pair: Some(form),
    };
    answer(&host, &visitor, result, "group-mapped", typed).await
}

async fn unmap(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<Pair>,
) -> Result<Response, Error> {
    let result = match form.read() {
        Ok(pair) => service::unmap_group(&host, &visitor.actor, &pair).await,
        Err(error) => Err(error),
    };
    answer(&host, &visitor, result, "group-unmapped", Typed::default()).await
}
