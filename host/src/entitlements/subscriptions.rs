//! The list of current subscriptions, paged by key, filtered from closed words.

use serde::{Deserialize, Serialize};

use super::model::SubscriptionView;
use super::service::EntitlementError;
use super::store;
use crate::app::host::Host;
use crate::identity::roles::{Actor, Permission};
use crate::kernel::{Day, OrgId, ProductId};

/// One property to list by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Uses a right.
    Active,
    /// Of a deactivated account.
    Inactive,
    /// Active, and its account matches nobody.
    Unresolved,
    /// Its identifier has no product.
    Unrecognised,
    /// Its use cannot be judged.
    Unknown,
    /// Sign-in is blocked, the seat still used.
    Frozen,
}

impl Standing {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Unresolved => "unresolved",
            Self::Unrecognised => "unrecognised",
            Self::Unknown => "unknown",
            Self::Frozen => "frozen",
        }
    }
}

/// An attribute of the account at the vendor has this value, in whatever case: `department` is `Sales`. The name `licence` stands for
/// the licence's own label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeIs {
    /// Name of the attribute, as the connector tells it.
    pub name: String,
    /// The whole value.
    pub value: String,
}

impl AttributeIs {
    /// Both parts, when both are there. A name is a word of letters, digits, `_`, `-` and `.`; anything else names no attribute.
    #[must_use]
    pub fn of(name: &str, value: &str) -> Option<Self> {
        let (name, value) = (name.trim(), value.trim());
        let is_word = name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        (is_word && !name.is_empty() && !value.is_empty()).then(|| Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// The names that [`AttributeIs`] can ask for now.
///
/// # Errors
/// [`EntitlementError::Denied`].
pub async fn attribute_names(host: &Host, actor: &Actor) -> Result<Vec<String>, EntitlementError> {
    actor.may(Permission::Read)?;
    let mut names = store::attribute_names(&mut host.store.read(&actor.sight).await?).await?;
    names.insert("licence".to_owned());
    Ok(names.into_iter().collect())
}

/// What to list. Everything is optional.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Of this organization.
    pub organization: Option<OrgId>,
    /// Of this product.
    pub product: Option<ProductId>,
    /// With this vendor key.
    pub identifier: Option<String>,
    /// Part of principal, name or mail address.
    pub search: Option<String>,
    /// Unused for at least so many whole days.
    pub inactive_days: Option<i64>,
    /// One property.
    pub standing: Option<Standing>,
    /// What the vendor tells of the account.
    pub attribute: Option<AttributeIs>,
}

/// The last row of the page before; empty for the first page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cursor {
    /// Its organization.
    pub organization: String,
    /// Its account.
    pub account: String,
    /// Its identifier.
    pub identifier: String,
}

/// A page of subscriptions.
#[derive(Clone, Debug, Serialize)]
pub struct SubscriptionPage {
    /// The rows.
    pub rows: Vec<SubscriptionView>,
    /// Where the next page begins; `None`: this is the last.
    pub next: Option<Cursor>,
}

/// Most rows of one page.
pub const MOST_ROWS: i64 = 500;

/// A page of current subscriptions in the order of organization, account and identifier.
///
/// # Errors
/// [`EntitlementError::Denied`].
pub async fn list_subscriptions(
    host: &Host,
    actor: &Actor,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<SubscriptionPage, EntitlementError> {
    actor.may(Permission::Read)?;
    let limit = limit.clamp(1, MOST_ROWS);
    let today = Day::of_ms(host.now_ms());
    let first = Cursor::default();
    let mut tx = host.store.read(&actor.sight).await?;
    let mut rows =
        store::list_subscriptions(&mut tx, filter, after.unwrap_or(&first), today, limit + 1)
            .await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    let next = rows.last().filter(|_| has_more).map(|row| Cursor {
        organization: row.organization_id.to_string(),
        account: row.account_id.clone(),
        identifier: row.identifier.clone(),
    });
    Ok(SubscriptionPage { rows, next })
}
