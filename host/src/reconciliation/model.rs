//! A reconciliation as others see it. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::gap::SeatGap;
use crate::kernel::{ProductId, ReconciliationId};

/// What one organization's numbers stand on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The organization.
    pub organization_id: String,
    /// Its name.
    pub organization: String,
    /// The last complete run.
    pub run: String,
    /// When it ended.
    pub as_of: i64,
    /// Accounts that the profile's filters left out of the last full run.
    #[serde(default)]
    pub left_out: i64,
}

/// Amounts of one currency; currencies are never added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// ISO 4217.
    pub currency: String,
    /// Cost of what is owned.
    pub spend_minor: i64,
    /// Cost of what is missing.
    pub true_up_minor: i64,
    /// Cost of what is owned and not used.
    pub over_licensed_minor: i64,
    /// What open candidates are worth.
    pub potential_minor: i64,
}

/// What stands beside the positions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// By currency.
    pub amounts: Vec<Amounts>,
    /// Vendor keys without a product.
    pub unrecognised_identifiers: i64,
    /// Active subscriptions that carry them.
    pub unrecognised_subscriptions: i64,
    /// Accounts of people that hold something recognised and match nobody.
    pub unresolved_accounts: i64,
    /// People who hold a product in more than one organization.
    pub overlaps: i64,
}

/// One position as shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PositionView {
    /// The product.
    pub product_id: ProductId,
    /// Its name.
    pub product: String,
    /// `contract`, or an organization's id.
    pub scope: String,
    /// `contract`, or the organization's name.
    pub scope_name: String,
    /// `seats`, `logins`, `units`.
    pub metric: String,
    /// `None`: unlimited or unknown, see status.
    pub owned: Option<i64>,
    /// Active subscriptions, or what was consumed.
    pub active: i64,
    /// Rights used.
    pub used: i64,
    /// Owned less used.
    pub available: Option<i64>,
    /// Rights that are missing.
    pub needed: i64,
    /// The vendor's own total.
    pub vendor_owned: Option<i64>,
    /// The vendor's own count of use.
    pub vendor_used: Option<i64>,
    /// Why fewer seats are shown than the vendor counts; not stored.
    #[serde(default)]
    pub gap: Option<SeatGap>,
    /// What was typed.
    pub typed_owned: Option<i64>,
    /// `compliant`, `not_compliant`, `rights_unknown`.
    pub status: String,
    /// Of the amounts.
    pub currency: Option<String>,
    /// Average price of one right for a year, six decimals.
    pub unit_price_micros: Option<i64>,
    /// Cost of what is missing, for a year.
    pub true_up_minor: Option<i64>,
    /// Cost of what is owned and not used.
    pub over_licensed_minor: Option<i64>,
    /// Cost of what is owned.
    pub spend_minor: Option<i64>,
    /// Open candidates.
    pub candidates: i64,
    /// What they are worth.
    pub potential_minor: Option<i64>,
    /// Stale of active, tenths of a percent.
    pub percent_unused_tenths: i64,
    /// Co-termed true-up, honest split, allocations, whether records differ, the end of the term.
    pub detail: Value,
}

/// What was returned and what it is worth, of one currency (or of none, where no price was known).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Savings {
    /// ISO 4217.
    pub currency: Option<String>,
    /// Seats returned, less those given back.
    pub seats_returned: i64,
    /// Avoided against a real shortfall, less what was given back.
    pub avoided_minor: i64,
    /// Cash of a renewal with fewer seats.
    pub cash_minor: i64,
    /// Value of what was given back; already subtracted above.
    pub netted_minor: i64,
    /// The figure that an incumbent prints as *actual savings*: candidates closed complete this year, by list price.
    pub actual_savings_minor: i64,
}

/// A reconciliation with its positions.
#[derive(Clone, Debug, Serialize)]
pub struct ReconciliationView {
    /// Its id.
    pub id: ReconciliationId,
    /// `REC0001001`.
    pub number: String,
    /// `clock`, `run`, `entitlements`, `demand`, …
    pub trigger: String,
    /// When.
    pub ran_at: i64,
    /// The UTC day it is for.
    pub as_of_day: String,
    /// Per organization, what it stands on.
    pub basis: Vec<Basis>,
    /// Beside the positions.
    pub totals: Totals,
    /// Over everything that was counted: equal digests, equal results.
    pub digest: String,
    /// The positions.
    pub positions: Vec<PositionView>,
    /// Returned, avoided, cash.
    pub savings: Vec<Savings>,
}

/// What a pass of reconciliation did.
#[derive(Clone, Debug, Serialize)]
pub struct Reconciled {
    /// The reconciliation that stands now.
    pub number: String,
    /// True: the same day, the same inputs, nothing was written.
    pub changed_nothing: bool,
}
