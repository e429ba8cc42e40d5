//! Who one is, one's tokens, and the audit trail.
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::{Deserialize, Serialize};

use super::Error;
use super::body::{Asked, List};
use crate::app::host::Host;
use crate::audit::{self, EntryView, Verification};
use crate::identity::roles::{Actor, Permission};
use crate::identity::service::{self, TokenView};
use crate::kernel::ApiTokenId;
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::api(
            Method::GET,
            "/api/v1/me",
            Permission::OwnAccount,
            "Whom this token acts for, with roles and scopes",
            me,
        ),
        Route::api(
            Method::GET,
            "/api/v1/tokens",
            Permission::OwnAccount,
            "Your personal tokens, without their secrets",
            tokens,
        ),
        Route::api(
            Method::POST,
            "/api/v1/tokens/{id}/revoke",
            Permission::OwnAccount,
            "Takes a token back",
            revoke,
        ),
        Route::api(
            Method::GET,
            "/api/v1/audit",
            Permission::ReadAudit,
            "Audit entries, newest first",
            entries,
        )
        .asking(&[
            ("after", "`next` of the page before"),
            ("limit", "At most 500; 100 unless said"),
        ]),
        Route::api(
            Method::GET,
            "/api/v1/audit/verification",
            Permission::ReadAudit,
            "Reads the whole chain and checks it",
            verify,
        ),
    ]
}

async fn me(Caller(actor): Caller) -> Json<Actor> {
    Json(actor)
}

async fn tokens(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<TokenView>>, Error> {
    Ok(List::all(service::list_tokens(&host, &actor).await?))
}

#[derive(Serialize)]
struct Revoked {
    id: ApiTokenId,
}

async fn revoke(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Revoked>, Error> {
    let id = ApiTokenId::from(id);
    service::revoke_token(&host, &actor, &id).await?;
    Ok(Json(Revoked { id }))
}

#[derive(Deserialize)]
struct Entries {
    after: Option<i64>,
    limit: Option<i64>,
}

async fn entries(
    State(host): State<Host>,
    Caller(actor): Caller,
    Asked(asked): Asked<Entries>,
) -> Result<Json<List<EntryView>>, Error> {
    let limit = asked.limit.unwrap_or(100);
    let items = audit::list(&host.store, &actor, asked.after, limit).await?;
    Ok(List::page(items, limit, |last| last.seq.to_string()))
}

async fn verify(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<Verification>, Error> {
    Ok(Json(
        audit::verify(&host.store, &actor, &host.signer).await?,
    ))
}
