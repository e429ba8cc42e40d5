//! A profile's connection over the API: what is stored, connecting with every grant that needs no browser session, and sign-ins.
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::Error;
use super::body::Body;
use crate::app::host::Host;
use crate::credentials::NewCredential;
use crate::credentials::signin::SigninView;
use crate::identity::roles::Permission;
use crate::profiles::signin::{self, Connected, ConnectionView};
use crate::vaults::FromVault;
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::api(
            Method::GET,
            "/api/v1/profiles/{number}/connection",
            Permission::Read,
            "A profile's connection: grants, scopes, whose token it is",
            show,
        ),
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/connection",
            Permission::ManageProfiles,
            "Connects a profile or connects it anew, with every grant but the one that needs a browser session",
            connect,
        )
        .taking::<Offered>(),
        Route::api(
            Method::GET,
            "/api/v1/sign-ins/{id}",
            Permission::ManageProfiles,
            "A sign-in at the vendor's, for the person who began it",
            sign_in,
        ),
    ]
}

async fn show(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<ConnectionView>, Error> {
    Ok(Json(signin::connection(&host, &actor, &number).await?))
}

/// A credential to connect with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Offered {
    /// A grant of the connector's manifest.
    grant: String,
    /// Client id of the registered app.
    client_id: String,
    /// Its secret; absent: the stored one of the same client is kept.
    client_secret: Option<String>,
    /// For the grant `refresh-token`.
    refresh_token: Option<String>,
    /// For the grant `jwt-bearer`: whom the token is for.
    username: Option<String>,
    /// For the grant `jwt-bearer`: an RSA key, PEM; absent: the stored one of the same client is kept.
    private_key: Option<String>,
    /// Secret fields that are fetched in a vault each time they are needed: `client_secret`, `refresh_token` or `private_key`.
    #[serde(default)]
    from_vault: BTreeMap<String, Place>,
}

/// Where a field is fetched.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FromVault)]
struct Place {
    /// Name of the vault.
    vault: String,
    /// `Safe=…;Object=…` for CyberArk, a path for a key-value engine.
    query: String,
    /// Which property of what is found; absent is the password, or the only one.
    #[serde(default)]
    property: String,
}

/// What became of it.
#[derive(Serialize)]
struct Outcome {
    /// `connected` or `sign_in`.
    outcome: &'static str,
    /// The sign-in that a person has to finish.
    sign_in: Option<SigninView>,
}

async fn connect(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Offered>,
) -> Result<Json<Outcome>, Error> {
    let new = NewCredential {
        grant_kind: body.grant,
        client_id: body.client_id,
        client_secret: Zeroizing::new(body.client_secret.unwrap_or_default()),
        refresh_token: body.refresh_token.map(Zeroizing::new),
        username: body.username,
        private_key: body.private_key.map(Zeroizing::new),
        without_pkce: false,
        from_vault: body
            .from_vault
            .into_iter()
            .map(|(field, place)| {
                let from = FromVault {
                    vault: place.vault,
                    query: place.query,
                    property: place.property,
                };
                (field, from)
            })
            .collect(),
    };
    let outcome = match signin::connect(&host, &actor, &number, new).await? {
        Connected::Connected => Outcome {
            outcome: "connected",
            sign_in: None,
        },
        Connected::SignIn { id } => Outcome {
            outcome: "sign_in",
            sign_in: Some(signin::find(&host, &actor, id.as_str()).await?),
        },
    };
    Ok(Json(outcome))
}

async fn sign_in(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<SigninView>, Error> {
    Ok(Json(signin::find(&host, &actor, &id).await?))
}
