//! Entitlements and subscriptions as others see them. Pure.

use serde::{Deserialize, Serialize};

use super::terms::Period;
use crate::kernel::money::UnitPrice;
use crate::kernel::{Day, EntitlementId, OrgId, PersonId, ProductId};

/// Where a row of rights comes from; the lower rank is the better source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceOfRights {
    /// From a signed contract.
    Contract,
    /// From an order or invoice.
    Order,
    /// Typed by a person.
    Typed,
    /// An assumption.
    Estimate,
}

impl SourceOfRights {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Order => "order",
            Self::Typed => "typed",
            Self::Estimate => "estimate",
        }
    }

    /// The stored rank.
    #[must_use]
    pub fn rank(self) -> i64 {
        match self {
            Self::Contract => 10,
            Self::Order => 20,
            Self::Typed => 30,
            Self::Estimate => 40,
        }
    }
}

/// Rights bought.
#[derive(Clone, Debug, Serialize)]
pub struct EntitlementView {
    /// Its id.
    pub id: EntitlementId,
    /// `ENT0001001`.
    pub number: String,
    /// Of what.
    pub product_id: ProductId,
    /// The product's name.
    pub product_name: String,
    /// Bound to this organization.
    pub organization_id: Option<OrgId>,
    /// The organization's name.
    pub organization_name: Option<String>,
    /// One contract for every organization.
    pub is_shared: bool,
    /// `None`: unlimited, or a price only (neither shared nor bound).
    pub rights: Option<i64>,
    /// For one right and period.
    pub unit_price: UnitPrice,
    /// Of the price.
    pub period: Period,
    /// First day.
    pub starts_on: Day,
    /// Last day.
    pub ends_on: Day,
    /// `build`, `in_use` or `retired`.
    pub state: String,
    /// Counts today: in use, within its dates, and no better source says otherwise.
    pub is_active: bool,
    /// Why it does not count, in one word: `retired`, `not_started`, `ended`, `better_source`, `in_build`.
    pub why_not: Option<&'static str>,
    /// Where it comes from.
    pub source: String,
    /// The lower the better.
    pub source_rank: i64,
    /// Anything else.
    pub note: Option<String>,
    /// Who added it.
    pub created_by: String,
    /// Who changed it last.
    pub changed_by: String,
    /// Optimistic lock.
    pub version: i64,
}

/// What is known of a subscription's use. Three different words: never used, too little known, and a number of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The clock of inactivity runs from the last activity, or a later assignment or reset.
    Used,
    /// No activity was ever seen; the clock runs from the creation.
    Never,
    /// Cannot be judged: the vendor does not tell.
    Unknown,
}

/// One current subscription.
#[derive(Clone, Debug, Serialize)]
pub struct SubscriptionView {
    /// Where.
    pub organization_id: OrgId,
    /// The org's name.
    pub organization: String,
    /// The vendor's id of the account.
    pub account_id: String,
    /// User principal name.
    pub principal: String,
    /// Name at the vendor.
    pub name: Option<String>,
    /// Mail address at the vendor.
    pub email: Option<String>,
    /// `person`, `service`, `external`, `unknown`.
    pub kind: String,
    /// The vendor's key.
    pub identifier: String,
    /// The vendor's label of it.
    pub label: Option<String>,
    /// The product, where recognised.
    pub product_id: Option<ProductId>,
    /// Its name.
    pub product_name: Option<String>,
    /// The person, where resolved.
    pub person_id: Option<PersonId>,
    /// The person's name.
    pub person: Option<String>,
    /// Uses a right.
    pub is_active: bool,
    /// `yes`, `no`, `unknown`.
    pub frozen: String,
    /// When the seat was assigned, where told.
    pub assigned_at: Option<i64>,
    /// When the account was made.
    pub created_on_vendor_at: Option<i64>,
    /// Last activity, where there was one.
    pub activity_at: Option<i64>,
    /// Last sign-in that an identity provider reported, where there was one; kept apart from the vendor's own.
    pub signed_in_at: Option<i64>,
    /// What is known of its use.
    pub judgement: Judgement,
    /// Whole UTC days since the clock of inactivity started; `None`: cannot be judged.
    pub inactive_days: Option<i64>,
}
