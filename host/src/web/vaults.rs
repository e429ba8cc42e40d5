//! The page *Vaults*: where fields of credentials can be fetched instead of being stored here.
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
use crate::identity::roles::Permission;
use crate::vaults::{SetVault, VaultKind, VaultView, service};

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/vaults",
            Permission::Administer,
            "External vaults that fields of credentials are fetched from",
            show,
        ),
        Route::page(
            Method::POST,
            "/vaults",
            Permission::Administer,
            "Adds a vault or changes the one of that name",
            set,
        ),
        Route::page(
            Method::POST,
            "/vaults/remove",
            Permission::Administer,
            "Removes a vault that nothing is fetched from",
            remove,
        ),
    ]
}

#[derive(Serialize)]
pub(super) struct VaultsPage {
    pub vaults: Vec<VaultView>,
    pub kinds: Vec<Kind>,
    pub typed: Typed,
}

/// A kind to choose.
#[derive(Serialize)]
pub(super) struct Kind {
    pub word: &'static str,
    pub title: &'static str,
    pub is_chosen: bool,
}

/// What was typed, or what is stored of the vault to change; never a token.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Typed {
    pub name: String,
    pub kind: String,
    pub address: String,
    pub app_id: String,
    pub mount: String,
    pub namespace: String,
    pub roots: String,
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    typed: Typed,
) -> Result<Response, Error> {
    let body = VaultsPage {
        vaults: service::list(host, &visitor.actor).await?,
        kinds: kinds(&typed.kind),
        typed,
    };
    chrome::page("pages/vaults", &frame.titled("Vaults"), &body)
}

pub(super) fn kinds(chosen: &str) -> Vec<Kind> {
    VaultKind::ALL
        .into_iter()
        .map(|kind| Kind {
            word: kind.as_str(),
            title: kind.title(),
            is_chosen: kind.as_str() == chosen,
        })
        .collect()
}

#[derive(Deserialize)]
struct Asked {
    /// The vault to change.
    name: Option<String>,
    done: Option<String>,
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&Done::of(asked.done));
    let all = service::list(&host, &visitor.actor).await?;
    let chosen = all
        .into_iter()
        .find(|vault| Some(&vault.name) == asked.name.as_ref());
    let typed = chosen.map_or_else(Typed::default, |vault| Typed {
        name: vault.name,
        kind: vault.kind,
        address: vault.address,
        app_id: vault.app_id,
        mount: vault.mount,
        namespace: vault.namespace,
        roots: String::new(),
    });
    page(&host, &visitor, frame, typed).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct VaultForm {
    #[serde(flatten)]
    typed: Typed,
    token: String,
}

async fn set(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<VaultForm>,
) -> Result<Response, Error> {
    let typed = form.typed;
    let new = SetVault {
        name: typed.name.clone(),
        kind: typed.kind.clone(),
        address: typed.address.clone(),
        app_id: typed.app_id.clone(),
        mount: typed.mount.clone(),
        namespace: typed.namespace.clone(),
        token: Zeroizing::new(form.token),
        roots: typed.roots.clone(),
    };
    match service::set(&host, &visitor.actor, new).await {
        Ok(_) => Ok(chrome::done("/vaults", "vault-set")),
        Err(error) => {
            // A private key that was pasted by mistake is not written back into the page.
            let is_key = typed.roots.contains("PRIVATE KEY");
            let roots = if is_key { String::new() } else { typed.roots };
            let frame = Chrome::of(&host, &visitor).troubled(Some(told(&error)));
            page(&host, &visitor, frame, Typed { roots, ..typed }).await
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

async fn remove(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<Named>,
) -> Result<Response, Error> {
    match service::remove(&host, &visitor.actor, &form.name).await {
        Ok(()) => Ok(chrome::done("/vaults", "vault-removed")),
        Err(error) => {
            let frame = Chrome::of(&host, &visitor).troubled(Some(told(&error)));
            page(&host, &visitor, frame, Typed::default()).await
        }
    }
}
