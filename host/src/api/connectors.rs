//! The connectors of this installation, as their manifests describe them.
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use serde::Serialize;

use super::Error;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![Route::api(
        Method::GET,
        "/api/v1/connectors",
        Permission::Read,
        "Connectors of this installation, with their grants and pinned digests",
        list,
    )]
}

#[derive(Serialize)]
struct ConnectorView {
    id: String,
    name: String,
    version: String,
    publisher: String,
    summary: String,
    /// SHA-256 of the component.
    digest: &'static str,
    /// Ids of the OAuth grants it knows.
    grants: Vec<String>,
}

#[derive(Serialize)]
struct ConnectorList {
    items: Vec<ConnectorView>,
}

async fn list(State(host): State<Host>, Caller(_): Caller) -> Result<Json<ConnectorList>, Error> {
    let mut items = Vec::new();
    for id in host.connectors.ids() {
        let manifest = host.connectors.manifest(id)?;
        items.push(ConnectorView {
            id: manifest.connector.id.clone(),
            name: manifest.connector.name.clone(),
            version: manifest.connector.version.clone(),
            publisher: manifest.connector.publisher.clone(),
            summary: manifest.connector.summary.clone(),
            digest: host.connectors.digest(id)?,
            grants: manifest
                .credential
                .grants
                .iter()
                .map(|grant| grant.id.as_str().to_owned())
                .collect(),
        });
    }
    Ok(Json(ConnectorList { items }))
}
