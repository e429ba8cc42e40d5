//! The doctor over the API.
use axum::Json;
use axum::extract::State;
use axum::http::Method;

use super::Error;
use super::body::List;
use crate::app::doctor::{self, Finding};
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![Route::api(
        Method::POST,
        "/api/v1/doctor",
        Permission::Administer,
        "Looks at database, key, disk, clock, connectors, mail, webhooks and each profile's rights, and says what to do",
        examine,
    )]
}

async fn examine(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<Finding>>, Error> {
    Ok(List::all(doctor::examine(&host, &actor).await?))
}
