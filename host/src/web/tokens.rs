//! Personal tokens: made here by a signed-in person, shown once, taken back here.
use std::collections::BTreeSet;

use axum::Form;
use axum::extract::{Path, Query, State};
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
use crate::identity::service::{self, MintedToken, NewToken, TokenView};
use crate::kernel::{ApiTokenId, Problem};

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/tokens",
            Permission::OwnAccount,
            "Personal tokens",
            show,
        ),
        Route::page(
            Method::POST,
            "/tokens",
            Permission::OwnAccount,
            "Makes a personal token and shows it once",
            mint,
        ),
        Route::page(
            Method::POST,
            "/tokens/{id}/revoke",
            Permission::OwnAccount,
            "Takes a token back",
            revoke,
        ),
    ]
}

#[derive(Serialize)]
pub(super) struct TokensPage {
    pub tokens: Vec<TokenView>,
    /// The token just made, shown this once.
    pub minted: Option<MintedToken>,
    pub typed: Typed,
    pub permissions: Vec<&'static str>,
}

/// The form as it was typed, so that a refusal loses nothing.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Typed {
    pub name: String,
    pub days: i64,
    pub scope: String,
}

impl Default for Typed {
    fn default() -> Self {
        Self {
            name: String::new(),
            days: 30,
            scope: String::new(),
        }
    }
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    minted: Option<MintedToken>,
    typed: Typed,
) -> Result<Response, Error> {
    let tokens = service::list_tokens(host, &visitor.actor).await?;
    let held = Permission::ALL
        .into_iter()
        .filter(|permission| visitor.actor.may(*permission).is_ok());
    let body = TokensPage {
        tokens,
        minted,
        typed,
        permissions: held.map(Permission::as_str).collect(),
    };
    chrome::page("pages/tokens", &frame.titled("Personal tokens"), &body)
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    page(
        &host,
        &visitor,
        Chrome::of(&host, &visitor).done(&done),
        None,
        Typed::default(),
    )
    .await
}

#[derive(Deserialize)]
struct Mint {
    name: String,
    days: i64,
    /// Empty: everything its person may.
    #[serde(default)]
    scope: String,
}

async fn mint(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<Mint>,
) -> Result<Response, Error> {
    let scopes: BTreeSet<String> = (!form.scope.is_empty())
        .then(|| form.scope.clone())
        .into_iter()
        .collect();
    let typed = Typed {
        name: form.name.clone(),
        days: form.days,
        scope: form.scope,
    };
    let asked = NewToken {
        name: form.name,
        principal: None,
        scopes,
        days: form.days,
    };
    let frame = Chrome::of(&host, &visitor);
    match service::mint_token(&host, &visitor.actor, asked).await {
        Ok(minted) => page(&host, &visitor, frame, Some(minted), Typed::default()).await,
        Err(error) => {
            let problem: Problem = told(&error);
            page(&host, &visitor, frame.troubled(Some(problem)), None, typed).await
        }
    }
}

async fn revoke(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    service::revoke_token(&host, &visitor.actor, &ApiTokenId::from(id)).await?;
    Ok(chrome::done("/tokens", "revoked"))
}
