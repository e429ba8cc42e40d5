//! Entitlements: rights owned, what they cost, and when they count.
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::catalog::ProductView;
use crate::catalog::service as catalog;
use crate::entitlements::EntitlementView;
use crate::entitlements::model::SourceOfRights;
use crate::entitlements::service::{self, NewEntitlement};
use crate::entitlements::terms::Period;
use crate::identity::roles::Permission;
use crate::kernel::{Day, Problem};

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/entitlements",
            Permission::Read,
            "Entitlements",
            show,
        ),
        Route::page(
            Method::POST,
            "/entitlements",
            Permission::ManageSam,
            "Adds an entitlement",
            add,
        ),
        Route::page(
            Method::POST,
            "/entitlements/{number}/retire",
            Permission::ManageSam,
            "Retires an entitlement",
            retire,
        ),
        Route::page(
            Method::POST,
            "/entitlements/{number}/reinstate",
            Permission::ManageSam,
            "Takes a retirement back",
            reinstate,
        ),
    ]
}

#[derive(Serialize)]
pub(super) struct EntitlementsPage {
    pub entitlements: Vec<EntitlementView>,
    pub products: Vec<ProductView>,
    pub typed: Typed,
}

/// The form as it was typed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    product: String,
    /// Empty: unlimited.
    rights: String,
    unit_price: String,
    currency: String,
    period: String,
    starts_on: String,
    ends_on: String,
    /// `shared` or `price`.
    reach: String,
    note: String,
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    typed: Typed,
) -> Result<Response, Error> {
    let entitlements = service::list_entitlements(host, &visitor.actor, None).await?;
    let products = catalog::list_products(host, &visitor.actor).await?;
    chrome::page(
        "pages/entitlements",
        &frame.titled("Entitlements"),
        &EntitlementsPage {
            entitlements,
            products,
            typed,
        },
    )
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    page(
        &host,
        &visitor,
        Chrome::of(&host, &visitor).done(&done),
        Typed::default(),
    )
    .await
}

/// A field of the form that is not even of its kind.
fn malformed(field: &str, what: &str, fix: &str) -> Problem {
    Problem::new("page.malformed_field", 422, what, fix).at(field)
}

fn day(text: &str, field: &str) -> Result<Day, Problem> {
    text.trim()
        .parse()
        .map_err(|error: crate::kernel::day::DayError| {
            malformed(field, &error.to_string(), "Write the day as YYYY-MM-DD")
        })
}

fn read(typed: &Typed) -> Result<NewEntitlement, Problem> {
    let rights = match typed.rights.trim() {
        "" => None,
        text => Some(text.parse().map_err(|_| {
            malformed(
                "rights",
                &format!("`{text}` is not a whole number of rights"),
                "Write a whole number, or leave it empty for unlimited",
            )
        })?),
    };
    Ok(NewEntitlement {
        product: typed.product.clone(),
        organization: None,
        is_shared: typed.reach != "price",
        rights,
        unit_price: typed.unit_price.clone(),
        currency: typed.currency.clone(),
        period: Period::parse(&typed.period).ok_or_else(|| {
            malformed(
                "period",
                "the price has no period",
                "Choose month, quarter, year or entire",
            )
        })?,
        starts_on: day(&typed.starts_on, "starts_on")?,
        ends_on: day(&typed.ends_on, "ends_on")?,
        source: SourceOfRights::Typed,
        note: Some(typed.note.trim().to_owned()).filter(|note| !note.is_empty()),
    })
}

async fn add(
    State(host): State<Host>,
    visitor: Visitor,
    Form(typed): Form<Typed>,
) -> Result<Response, Error> {
    let added = match read(&typed) {
        Ok(new) => service::add_entitlement(&host, &visitor.actor, new)
            .await
            .map_err(|error| told(&error)),
        Err(problem) => Err(problem),
    };
    match added {
        Ok(_) => Ok(chrome::done("/entitlements", "entitlement")),
        Err(problem) => {
            page(
                &host,
                &visitor,
                Chrome::of(&host, &visitor).troubled(Some(problem)),
                typed,
            )
            .await
        }
    }
}

async fn retire(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    service::retire_entitlement(&host, &visitor.actor, &number).await?;
    Ok(chrome::done("/entitlements", "retired"))
}

async fn reinstate(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    service::reinstate_entitlement(&host, &visitor.actor, &number).await?;
    Ok(chrome::done("/entitlements", "reinstated"))
}
