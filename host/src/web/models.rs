//! Software models, and the queue of identifiers that no product claims.
use axum::Form;
use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::catalog::service::{self, AssignTo};
use crate::catalog::{IdentifierView, ModelView, ProductView};
use crate::identity::roles::Permission;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/models",
            Permission::Read,
            "Software models and unrecognised identifiers",
            show,
        ),
        Route::page(
            Method::POST,
            "/identifiers/assign",
            Permission::ManageSam,
            "Says which product an identifier is",
            assign,
        ),
    ]
}

#[derive(Serialize)]
pub(super) struct ModelsPage {
    pub models: Vec<ModelView>,
    pub queue: Vec<IdentifierView>,
    pub products: Vec<ProductView>,
}

async fn page(host: &Host, visitor: &Visitor, frame: Chrome) -> Result<Response, Error> {
    let actor = &visitor.actor;
    let body = ModelsPage {
        models: service::list_models(host, actor).await?,
        queue: service::list_identifiers(host, actor, true).await?,
        products: service::list_products(host, actor).await?,
    };
    chrome::page("pages/models", &frame.titled("Software models"), &body)
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    page(&host, &visitor, Chrome::of(&host, &visitor).done(&done)).await
}

#[derive(Deserialize)]
struct Assign {
    connector: String,
    identifier: String,
    /// A product's id, or empty for a new one.
    #[serde(default)]
    product: String,
    #[serde(default)]
    new_publisher: String,
    #[serde(default)]
    new_name: String,
    /// Present when ticked.
    new_is_free: Option<String>,
}

async fn assign(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<Assign>,
) -> Result<Response, Error> {
    let to = if form.product.is_empty() {
        AssignTo::New {
            publisher: form.new_publisher,
            name: form.new_name,
            is_free: form.new_is_free.is_some(),
        }
    } else {
        AssignTo::Product(form.product)
    };
    match service::assign_identifier(&host, &visitor.actor, &form.connector, &form.identifier, to)
        .await
    {
        Ok(_) => Ok(chrome::done("/models", "assigned")),
        Err(error) => {
            page(
                &host,
                &visitor,
                Chrome::of(&host, &visitor).troubled(Some(told(&error))),
            )
            .await
        }
    }
}
