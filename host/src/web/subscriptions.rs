//! Subscriptions: who holds which seat and how long it has been quiet. Paged by key, filtered by address.
use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome};
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::catalog::ProductView;
use crate::catalog::service as catalog;
use crate::entitlements::SubscriptionView;
use crate::entitlements::subscriptions::{self, AttributeIs, Cursor, Filter, Standing};
use crate::identity::roles::Permission;
use crate::kernel::ProductId;

/// Rows of one page.
const PAGE: i64 = 50;
/// The properties one can list by.
const STANDINGS: [Standing; 6] = [
    Standing::Active,
    Standing::Inactive,
    Standing::Unresolved,
    Standing::Unrecognised,
    Standing::Unknown,
    Standing::Frozen,
];

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![Route::page(
        Method::GET,
        "/subscriptions",
        Permission::Read,
        "Subscriptions, searched and filtered",
        show,
    )]
}

/// A cursor in an address: its three parts with a slash between; the last may hold slashes itself.
#[must_use]
pub fn cursor(text: &str) -> Option<Cursor> {
    let mut parts = text.splitn(3, '/').map(str::to_owned);
    Some(Cursor {
        organization: parts.next()?,
        account: parts.next()?,
        identifier: parts.next()?,
    })
}

/// The same, written.
#[must_use]
pub fn cursor_text(cursor: &Cursor) -> String {
    format!(
        "{}/{}/{}",
        cursor.organization, cursor.account, cursor.identifier
    )
}

/// A closed word of the filter; an unknown one filters nothing.
#[must_use]
pub fn standing(word: &str) -> Option<Standing> {
    STANDINGS
        .into_iter()
        .find(|standing| standing.as_str() == word)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    search: String,
    standing: String,
    product: String,
    /// Text, because a form sends an empty field too.
    inactive_days: String,
    attribute: String,
    value: String,
    after: Option<String>,
}

#[derive(Serialize)]
pub(super) struct SubscriptionsPage {
    pub rows: Vec<SubscriptionView>,
    pub next: Option<String>,
    pub search: String,
    pub standing: String,
    pub product: String,
    pub inactive_days: String,
    pub standings: Vec<&'static str>,
    pub products: Vec<ProductView>,
    /// Name of the attribute that is asked for.
    pub attribute: String,
    pub value: String,
    pub attributes: Vec<String>,
    /// Some filter is set.
    pub is_narrowed: bool,
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let search = asked.search.trim().to_owned();
    let filter = Filter {
        search: (!search.is_empty()).then(|| search.clone()),
        standing: standing(&asked.standing),
        product: (!asked.product.is_empty()).then(|| ProductId::from(asked.product.as_str())),
        inactive_days: asked.inactive_days.trim().parse().ok(),
        attribute: AttributeIs::of(&asked.attribute, &asked.value),
        ..Filter::default()
    };
    let after = asked.after.as_deref().and_then(cursor);
    let found =
        subscriptions::list_subscriptions(&host, &visitor.actor, &filter, after.as_ref(), PAGE)
            .await?;
    let next = found.next.as_ref().map(|next| {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("search", &search)
            .append_pair("standing", &asked.standing)
            .append_pair("product", &asked.product)
            .append_pair("inactive_days", &asked.inactive_days)
            .append_pair("attribute", &asked.attribute)
            .append_pair("value", &asked.value)
            .append_pair("after", &cursor_text(next))
            .finish();
        format!("/subscriptions?{query}")
    });
    let body = SubscriptionsPage {
        is_narrowed: filter.search.is_some()
            || filter.standing.is_some()
            || filter.product.is_some()
            || filter.inactive_days.is_some()
            || filter.attribute.is_some(),
        rows: found.rows,
        next,
        search,
        standing: asked.standing,
        product: asked.product,
        inactive_days: asked.inactive_days,
        standings: STANDINGS.map(Standing::as_str).to_vec(),
        products: catalog::list_products(&host, &visitor.actor).await?,
        attribute: asked.attribute,
        value: asked.value,
        attributes: subscriptions::attribute_names(&host, &visitor.actor).await?,
    };
    chrome::page(
        "pages/subscriptions",
        &Chrome::of(&host, &visitor).titled("Subscriptions"),
        &body,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_with_slashes_in_its_identifier() {
        let there = Cursor {
            organization: "org_1".into(),
            account: "005A".into(),
            identifier: "a/b".into(),
        };
        assert_eq!(cursor(&cursor_text(&there)), Some(there));
        assert_eq!(cursor("nonsense"), None);
    }
}
