//! Business units: what belongs to each, and who sees which, from an administrator's side.
use std::collections::BTreeSet;

use axum::extract::{Form, Path, Query, RawForm, State};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Error;
use super::access::answer;
use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::IdentityError;
use crate::identity::roles::Permission;
use crate::identity::service::{self, UnitsView};
use crate::kernel::PrincipalId;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/access/business-units",
            Permission::Administer,
            "Business units, and which profile belongs to which",
            list,
        ),
        Route::page(
            Method::POST,
            "/access/business-units",
            Permission::Administer,
            "Makes a business unit",
            create,
        ),
        Route::page(
            Method::POST,
            "/access/business-units/place",
            Permission::Administer,
            "Lets a profile belong to a business unit",
            place,
        ),
        Route::page(
            Method::POST,
            "/access/{id}/business-units",
            Permission::Administer,
            "Lets somebody see exactly these business units",
            set,
        ),
    ]
}

#[derive(Serialize)]
struct UnitsPage {
    #[serde(flatten)]
    view: UnitsView,
    typed: String,
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    typed: String,
) -> Result<Response, Error> {
    let view = service::list_units(host, &visitor.actor).await?;
    chrome::page(
        "pages/access_units",
        &frame.titled("Business units"),
        &UnitsPage { view, typed },
    )
}

async fn list(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    page(&host, &visitor, frame, String::new()).await
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    business_unit: String,
}

async fn create(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<Named>,
) -> Result<Response, Error> {
    match service::create_unit(&host, &visitor.actor, &form.business_unit).await {
        Ok(_) => Ok(chrome::done("/access/business-units", "unit-made")),
        Err(error @ IdentityError::Invalid { .. }) => {
            let frame = Chrome::of(&host, &visitor).troubled(Some(told(&error)));
            page(&host, &visitor, frame, form.business_unit).await
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize)]
struct Placing {
    #[serde(default)]
    profile: String,
    #[serde(default)]
    business_unit: String,
}

async fn place(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<Placing>,
) -> Result<Response, Error> {
    let unit = Some(form.business_unit.as_str()).filter(|name| !name.is_empty());
    match service::place_profile(&host, &visitor.actor, &form.profile, unit).await {
        Ok(()) => Ok(chrome::done("/access/business-units", "profile-placed")),
        Err(error @ IdentityError::Invalid { .. }) => {
            let frame = Chrome::of(&host, &visitor).troubled(Some(told(&error)));
            page(&host, &visitor, frame, String::new()).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn set(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
    RawForm(form): RawForm,
) -> Result<Response, Error> {
    let id = PrincipalId::from(id);
    let names: BTreeSet<String> = url::form_urlencoded::parse(&form)
        .filter(|(field, _)| field == "unit")
        .map(|(_, name)| name.into_owned())
        .collect();
    let result = service::set_sight(&host, &visitor.actor, &id, &names).await;
    answer(&host, &visitor, &id, result, "sight-set").await
}
