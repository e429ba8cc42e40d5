//! The gallery: which connectors there are, what each may do, and the button that begins its playbook.
use axum::Form;
use axum::extract::State;
use axum::http::Method;
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome};
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::profiles::imported;
use crate::profiles::playbook::service;
use crate::profiles::service as profiles;
use crate::profiles::sharing;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/connect",
            Permission::Read,
            "The gallery of connectors",
            gallery,
        ),
        Route::page(
            Method::POST,
            "/connect",
            Permission::ManageProfiles,
            "Begins the playbook of a connector, for a first or a further org",
            start,
        ),
    ]
}

/// A connector of the gallery.
#[derive(Serialize)]
pub(super) struct Card {
    pub id: String,
    pub name: String,
    pub publisher: String,
    pub version: String,
    pub summary: String,
    /// What it can do, by process.
    pub processes: Vec<String>,
    /// Hosts that its requests may go to: what installing it consents to.
    pub hosts: Vec<String>,
    /// What may be read and what may be written, in the manifest's words.
    pub reads: Vec<String>,
    pub writes: Vec<String>,
    pub will_not_work: Vec<(String, String)>,
    /// Profiles of it: number, name, state.
    pub profiles: Vec<Connected>,
    /// The published profile that a further org can begin from.
    pub first: Option<Connected>,
}

/// A profile of a connector.
#[derive(Clone, Serialize)]
pub(super) struct Connected {
    pub number: String,
    pub name: String,
    pub state: &'static str,
    pub is_draft: bool,
}

#[derive(Serialize)]
pub(super) struct GalleryPage {
    pub connectors: Vec<Card>,
    /// Sources without a connector.
    pub imports: Vec<Connected>,
}

async fn gallery(State(host): State<Host>, visitor: Visitor) -> Result<Response, Error> {
    let all = profiles::list(&host, &visitor.actor).await?;
    let imports = all
        .iter()
        .filter(|profile| imported::is_imported(&profile.connector) && profile.state != "archived")
        .map(|profile| Connected {
            number: profile.number.clone(),
            name: profile.name.clone(),
            state: profile.state,
            is_draft: false,
        })
        .collect();
    let mut connectors = Vec::new();
    for id in host.connectors.ids() {
        let manifest = host.connectors.manifest(id)?;
        let connected: Vec<Connected> = all
            .iter()
            .filter(|profile| profile.connector == id && profile.state != "archived")
            .map(|profile| Connected {
                number: profile.number.clone(),
                name: profile.name.clone(),
                state: profile.state,
                is_draft: profile.state == "draft",
            })
            .collect();
        let hosts = manifest
            .origins
            .iter()
            .flat_map(|origin| &origin.hosts)
            .chain(&manifest.credential.login_hosts)
            .map(ToString::to_string)
            .collect::<std::collections::BTreeSet<_>>();
        connectors.push(Card {
            id: id.to_owned(),
            name: manifest.connector.name.clone(),
            publisher: manifest.connector.publisher.clone(),
            version: manifest.connector.version.clone(),
            summary: manifest.connector.summary.clone(),
            processes: manifest.processes.iter().map(|p| p.title.clone()).collect(),
            hosts: hosts.into_iter().collect(),
            reads: manifest
                .read_operations
                .iter()
                .map(|o| o.says.clone())
                .collect(),
            writes: manifest
                .write_operations
                .iter()
                .map(|o| o.says.clone())
                .collect(),
            will_not_work: manifest
                .playbook
                .will_not_work
                .iter()
                .map(|it| (it.what.clone(), it.why.clone()))
                .collect(),
            first: connected
                .iter()
                .find(|profile| profile.state == "published")
                .cloned(),
            profiles: connected,
        });
    }
    chrome::page(
        "pages/connect",
        &Chrome::of(&host, &visitor).titled("Connectors"),
        &GalleryPage {
            connectors,
            imports,
        },
    )
}

#[derive(Deserialize)]
struct From {
    /// Id of the connector.
    #[serde(default)]
    connector: String,
    /// Number of the profile whose answers are copied.
    #[serde(default)]
    from: String,
    /// Number of the profile whose alias is used as well, with its connection and secret.
    #[serde(default)]
    with: String,
}

async fn start(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<From>,
) -> Result<Response, Error> {
    if !form.with.is_empty() {
        let number = sharing::succeed(&host, &visitor.actor, &form.with).await?;
        return Ok(Redirect::to(&format!("/profiles/{number}/playbook/profile")).into_response());
    }
    let from = Some(form.from.as_str()).filter(|from| !from.is_empty());
    let number = service::start(&host, &visitor.actor, &form.connector, from).await?;
    // A further org begins with its name: what is to be done at the vendor was read for the first one, and can be opened again.
    let task = if from.is_some() { "/profile" } else { "" };
    Ok(Redirect::to(&format!("/profiles/{number}/playbook{task}")).into_response())
}
