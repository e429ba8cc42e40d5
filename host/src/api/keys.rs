//! The master keys over the API: which there are, whether everything opens, and a new one taking over.
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Error;
use super::body::{Body, List};
use crate::app::host::Host;
use crate::app::keys::{self, KeyView, KeysVerified, Rotated};
use crate::identity::roles::Permission;
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    const ADMINISTER: Permission = Permission::Administer;
    vec![
        Route::api(
            Method::GET,
            "/api/v1/keys",
            ADMINISTER,
            "The master keys by id, with how many sealed values are under each",
            list,
        ),
        Route::api(
            Method::GET,
            "/api/v1/keys/verification",
            ADMINISTER,
            "Opens every sealed value and names those that do not open",
            verify,
        ),
        Route::api(
            Method::POST,
            "/api/v1/keys/rotate",
            ADMINISTER,
            "Makes a new master key and wraps every sealed value with it, or goes on with a rotation that was cut off",
            rotate,
        )
        .taking::<Rotation>(),
        Route::api(
            Method::POST,
            "/api/v1/keys/retire",
            ADMINISTER,
            "Takes the old master keys away, once nothing needs them",
            retire,
        ),
    ]
}

async fn list(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<KeyView>>, Error> {
    Ok(List::all(keys::list(&host, &actor).await?))
}

async fn verify(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<KeysVerified>, Error> {
    Ok(Json(keys::verify(&host, &actor).await?))
}

/// What is said of the other hosts.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// No other host works on this database; asked for with PostgreSQL only.
    #[serde(default)]
    only_host: bool,
}

async fn rotate(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<Rotation>,
) -> Result<Json<Rotated>, Error> {
    Ok(Json(keys::rotate(&host, &actor, body.only_host).await?))
}

async fn retire(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<KeyView>>, Error> {
    Ok(List::all(keys::retire(&host, &actor).await?))
}
