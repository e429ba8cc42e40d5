//! External vaults over the API.
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::Error;
use super::body::{Body, List};
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::vaults::{SetVault, VaultView, service};
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::api(
            Method::GET,
            "/api/v1/vaults",
            Permission::ManageProfiles,
            "External vaults that fields of credentials are fetched from, by name",
            list,
        ),
        Route::api(
            Method::POST,
            "/api/v1/vaults",
            Permission::Administer,
            "Adds a vault or changes the one of that name",
            set,
        )
        .taking::<New>(),
        Route::api(
            Method::POST,
            "/api/v1/vaults/remove",
            Permission::Administer,
            "Removes a vault that nothing is fetched from",
            remove,
        )
        .taking::<Named>(),
    ]
}

async fn list(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<VaultView>>, Error> {
    Ok(List::all(service::list(&host, &actor).await?))
}

/// An external vault.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Vault)]
struct New {
    /// Unique.
    name: String,
    /// `cyberark_ccp` or `kv_v2`.
    kind: String,
    /// `https://NAME[:PORT]`, without the path of its API.
    address: String,
    /// For `cyberark_ccp`: the application's id.
    #[serde(default)]
    app_id: String,
    /// For `kv_v2`: where the engine is mounted; absent is `secret`.
    #[serde(default)]
    mount: String,
    /// For `kv_v2`: the namespace.
    #[serde(default)]
    namespace: String,
    /// For `kv_v2`: the token; sealed and never given back. Absent keeps the stored one while kind, address and authority stay.
    #[serde(default)]
    token: String,
    /// Authority that signed its certificate, PEM; absent for the system's.
    #[serde(default)]
    roots: String,
}

async fn set(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<New>,
) -> Result<Json<VaultView>, Error> {
    let new = SetVault {
        name: body.name,
        kind: body.kind,
        address: body.address,
        app_id: body.app_id,
        mount: body.mount,
        namespace: body.namespace,
        token: Zeroizing::new(body.token),
        roots: body.roots,
    };
    Ok(Json(service::set(&host, &actor, new).await?))
}

/// A vault by name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VaultName)]
struct Named {
    /// Its name.
    name: String,
}

async fn remove(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<Named>,
) -> Result<Json<List<VaultView>>, Error> {
    service::remove(&host, &actor, &body.name).await?;
    list(State(host), Caller(actor)).await
}
