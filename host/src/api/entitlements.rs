//! Entitlements and subscriptions over the API.
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Error;
use super::body::{Asked, Body, List};
use crate::app::host::Host;
use crate::entitlements::accounts::{AccountView, get_account};
use crate::entitlements::model::SourceOfRights;
use crate::entitlements::service::{self, NewEntitlement};
use crate::entitlements::subscriptions::{AttributeIs, Filter, list_subscriptions};
use crate::entitlements::terms::Period;
use crate::entitlements::{EntitlementView, SubscriptionView};
use crate::identity::roles::Permission;
use crate::kernel::{Day, OrgId, ProductId};
use crate::web::gate::Caller;
use crate::web::routes::Route;
use crate::web::subscriptions::{cursor, cursor_text, standing};

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::api(
            Method::GET,
            "/api/v1/accounts/{organization}/{account}",
            Permission::Read,
            "One account, what it holds and when it was used",
            account,
        ),
        Route::api(
            Method::GET,
            "/api/v1/subscriptions",
            Permission::Read,
            "Current subscriptions",
            subscriptions,
        )
        .asking(&[
            ("organization", "Id of an organization"),
            ("product", "Id of a product"),
            ("identifier", "A vendor's key, exactly"),
            ("search", "Part of principal, name or mail address"),
            ("inactive_days", "Unused for at least so many whole days"),
            (
                "standing",
                "active, inactive, unresolved, unrecognised, unknown or frozen",
            ),
            (
                "attribute",
                "What the vendor tells of the account: department, division, user_type, ...; licence is the licence's label",
            ),
            ("value", "Value of that attribute, whole, in any case"),
            ("after", "`next` of the page before"),
            ("limit", "At most 500; 100 unless said"),
        ]),
        Route::api(
            Method::GET,
            "/api/v1/entitlements",
            Permission::Read,
            "Entitlements, with why one does not count today",
            list,
        )
        .asking(&[("product", "Id of a product")]),
        Route::api(
            Method::POST,
            "/api/v1/entitlements",
            Permission::ManageSam,
            "Adds an entitlement",
            add,
        )
        .taking::<New>(),
        Route::api(
            Method::POST,
            "/api/v1/entitlements/{number}/retire",
            Permission::ManageSam,
            "Retires an entitlement; it stays on record",
            retire,
        ),
        Route::api(
            Method::POST,
            "/api/v1/entitlements/{number}/reinstate",
            Permission::ManageSam,
            "Takes a retirement back",
            reinstate,
        ),
    ]
}

#[derive(Deserialize)]
struct SubscriptionsAsked {
    organization: Option<String>,
    product: Option<String>,
    identifier: Option<String>,
    search: Option<String>,
    inactive_days: Option<i64>,
    standing: Option<String>,
    attribute: Option<String>,
    value: Option<String>,
    after: Option<String>,
    limit: Option<i64>,
}

async fn subscriptions(
    State(host): State<Host>,
    Caller(actor): Caller,
    Asked(asked): Asked<SubscriptionsAsked>,
) -> Result<Json<List<SubscriptionView>>, Error> {
    let filter = Filter {
        organization: asked.organization.map(OrgId::from),
        product: asked.product.map(ProductId::from),
        identifier: asked.identifier,
        search: asked.search,
        inactive_days: asked.inactive_days,
        standing: asked.standing.as_deref().and_then(standing),
        attribute: asked
            .attribute
            .zip(asked.value)
            .and_then(|(name, value)| AttributeIs::of(&name, &value)),
    };
    let after = asked.after.as_deref().and_then(cursor);
    let page = list_subscriptions(
        &host,
        &actor,
        &filter,
        after.as_ref(),
        asked.limit.unwrap_or(100),
    )
    .await?;
    Ok(Json(List {
        items: page.rows,
        next: page.next.as_ref().map(cursor_text),
    }))
}

async fn account(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path((organization, account)): Path<(String, String)>,
) -> Result<Json<AccountView>, Error> {
    let organization = OrgId::from(organization.as_str());
    Ok(Json(
        get_account(&host, &actor, &organization, &account).await?,
    ))
}

#[derive(Deserialize)]
struct OfProduct {
    product: Option<String>,
}

async fn list(
    State(host): State<Host>,
    Caller(actor): Caller,
    Asked(asked): Asked<OfProduct>,
) -> Result<Json<List<EntitlementView>>, Error> {
    let product = asked.product.map(ProductId::from);
    Ok(List::all(
        service::list_entitlements(&host, &actor, product.as_ref()).await?,
    ))
}

/// Rights owned and what they cost.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// Id or name of the product.
    product: String,
    /// Id of the organization it is bound to.
    organization: Option<String>,
    /// One contract for every organization. Neither shared nor bound: a price only.
    #[serde(default)]
    is_shared: bool,
    /// How many; absent: unlimited.
    rights: Option<i64>,
    /// Of one right for one period, such as `1800` or `0.035`.
    unit_price: String,
    /// ISO 4217.
    currency: String,
    /// month, quarter, year or entire.
    #[schema(value_type = String)]
    period: Period,
    /// First day, YYYY-MM-DD.
    #[schema(value_type = String)]
    starts_on: Day,
    /// Last day, YYYY-MM-DD.
    #[schema(value_type = String)]
    ends_on: Day,
    /// contract, order, typed (unless said) or estimate.
    #[schema(value_type = Option<String>)]
    source: Option<SourceOfRights>,
    /// Anything else.
    note: Option<String>,
}

async fn add(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<New>,
) -> Result<Json<EntitlementView>, Error> {
    let new = NewEntitlement {
        product: body.product,
        organization: body.organization.map(OrgId::from),
        is_shared: body.is_shared,
        rights: body.rights,
        unit_price: body.unit_price,
        currency: body.currency,
        period: body.period,
        starts_on: body.starts_on,
        ends_on: body.ends_on,
        source: body.source.unwrap_or(SourceOfRights::Typed),
        note: body.note,
    };
    Ok(Json(service::add_entitlement(&host, &actor, new).await?))
}

async fn retire(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<EntitlementView>, Error> {
    Ok(Json(
        service::retire_entitlement(&host, &actor, &number).await?,
    ))
}

async fn reinstate(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<EntitlementView>, Error> {
    Ok(Json(
        service::reinstate_entitlement(&host, &actor, &number).await?,
    ))
}
