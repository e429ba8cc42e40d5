//! Software models, products and identifiers over the API.
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Error;
use super::body::{Asked, Body, List};
use crate::app::host::Host;
use crate::catalog::service::{self, AssignTo};
use crate::catalog::{IdentifierView, ModelView, ProductView};
use crate::identity::roles::Permission;
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::api(
            Method::GET,
            "/api/v1/models",
            Permission::Read,
            "Software models with what is in use",
            models,
        ),
        Route::api(
            Method::GET,
            "/api/v1/products",
            Permission::Read,
            "Software products",
            products,
        ),
        Route::api(
            Method::GET,
            "/api/v1/identifiers",
            Permission::Read,
            "The vendors' keys",
            identifiers,
        )
        .asking(&[(
            "all",
            "true: also those that have a product; else only the queue",
        )]),
        Route::api(
            Method::POST,
            "/api/v1/identifiers/assign",
            Permission::ManageSam,
            "Says which product an identifier is, for every org",
            assign,
        )
        .taking::<Assign>(),
        Route::api(
            Method::POST,
            "/api/v1/identifiers/exclude",
            Permission::ManageSam,
            "Leaves an identifier out of positions, or takes it back in",
            exclude,
        )
        .taking::<Exclude>(),
    ]
}

async fn models(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<ModelView>>, Error> {
    Ok(List::all(service::list_models(&host, &actor).await?))
}

async fn products(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<ProductView>>, Error> {
    Ok(List::all(service::list_products(&host, &actor).await?))
}

#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    all: bool,
}

async fn identifiers(
    State(host): State<Host>,
    Caller(actor): Caller,
    Asked(which): Asked<Which>,
) -> Result<Json<List<IdentifierView>>, Error> {
    Ok(List::all(
        service::list_identifiers(&host, &actor, !which.all).await?,
    ))
}

/// An identifier and its product.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Assign {
    /// The connector that downloaded it.
    connector: String,
    /// The vendor's key, exactly.
    identifier: String,
    /// Id or name of a product; with `publisher`, the name of a new one.
    product: String,
    /// Only for a product that does not exist yet.
    publisher: Option<String>,
    /// Of a new product: it costs nothing.
    #[serde(default)]
    is_free: bool,
}

async fn assign(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<Assign>,
) -> Result<Json<IdentifierView>, Error> {
    let to = match body.publisher {
        Some(publisher) => AssignTo::New {
            publisher,
            name: body.product,
            is_free: body.is_free,
        },
        None => AssignTo::Product(body.product),
    };
    Ok(Json(
        service::assign_identifier(&host, &actor, &body.connector, &body.identifier, to).await?,
    ))
}

/// An identifier and whether positions leave it out.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Exclude {
    /// The connector that downloaded it.
    connector: String,
    /// The vendor's key, exactly.
    identifier: String,
    /// False takes it back in.
    is_excluded: bool,
}

async fn exclude(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<Exclude>,
) -> Result<Json<Exclude>, Error> {
    service::exclude_from_position(
        &host,
        &actor,
        &body.connector,
        &body.identifier,
        body.is_excluded,
    )
    .await?;
    Ok(Json(body))
}
