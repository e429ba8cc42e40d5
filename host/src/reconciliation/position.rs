//! Rights owned against rights used, and what the difference is worth. Pure.
//!
//! Source: `sam-domain.md` §2.12 and §10. Invariants: owned = used + available; needed > 0 ⇒ available = 0; the sum over
//! organizations is the total; unknown is never zero; amounts are rounded once, at the end, and never cross currencies.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::entitlements::terms::{Right, average_price};
use crate::kernel::money::{Money, MoneyError, UnitPrice};
use crate::kernel::{Day, OrgId, ProductId};

/// What one right counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// One right per active subscription.
    Seats,
    /// One right per login in a period.
    Logins,
    /// One right per unit in a period.
    Units,
}

/// What one organization holds of a product.
#[derive(Clone, Debug)]
pub struct OrgUse {
    /// The organization.
    pub organization: OrgId,
    /// Active subscriptions.
    pub active: i64,
    /// Open candidates.
    pub candidates: i64,
    /// Subscriptions that fail the usage requirement.
    pub stale: i64,
    /// The vendor's own total.
    pub vendor_owned: Option<i64>,
    /// The vendor's own count of what is used.
    pub vendor_used: Option<i64>,
}

/// Rights reserved for people, of the contract.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Allocations {
    /// Reserved.
    pub allocated: i64,
    /// Reserved and in use: per person the lesser of rights reserved and active subscriptions.
    pub in_use: i64,
}

/// Everything about one product on one day.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The product.
    pub product: ProductId,
    /// What a right counts.
    pub metric: Metric,
    /// Active entitlements.
    pub rights: Vec<Right>,
    /// By organization, in the order of their ids.
    pub organizations: Vec<OrgUse>,
    /// Of the contract.
    pub allocations: Allocations,
}

/// Where a position holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One contract over all organizations.
    Contract,
    /// One organization; a seat freed elsewhere does not count here.
    Organization(OrgId),
}

impl Scope {
    /// The stored word: `contract`, or the organization's id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Contract => "contract",
            Self::Organization(id) => id.as_str(),
        }
    }
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every use is covered.
    Compliant,
    /// Rights are missing.
    NotCompliant,
    /// Nobody has said what is owned.
    RightsUnknown,
}

impl Status {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compliant => "compliant",
            Self::NotCompliant => "not_compliant",
            Self::RightsUnknown => "rights_unknown",
        }
    }
}

/// The result for one product in one scope.
#[derive(Clone, Debug, Serialize)]
pub struct Position {
    /// The product.
    pub product: ProductId,
    /// Where it holds.
    pub scope: Scope,
    /// What a right counts.
    pub metric: Metric,
    /// `None`: unlimited, or unknown (see status).
    pub owned: Option<i64>,
    /// Active subscriptions, or what was consumed.
    pub active: i64,
    /// Rights used: allocated and not-allocated in use, never more than owned.
    pub used: i64,
    /// Owned less used.
    pub available: Option<i64>,
    /// Rights that are missing.
    pub needed: i64,
    /// The vendor's own total.
    pub vendor_owned: Option<i64>,
    /// The vendor's own count of use.
    pub vendor_used: Option<i64>,
    /// What was typed.
    pub typed_owned: Option<i64>,
    /// How it stands.
    pub status: Status,
    /// Average price of one right for a year (for logins and units: for a period).
    pub price: Option<UnitPrice>,
    /// Cost of what is missing, at list, for a year (a period).
    pub true_up: Option<Money>,
    /// The same from the day to the end of the term.
    pub true_up_co_termed: Option<Money>,
    /// Cost of what is owned and not used.
    pub over_licensed: Option<Money>,
    /// Cost of what is owned.
    pub spend: Option<Money>,
    /// Open candidates.
    pub candidates: i64,
    /// What they are worth.
    pub potential: Option<Money>,
    /// Of the potential, what only removes a shortfall.
    pub avoidable: Option<Money>,
    /// Of the potential, what is cash only if the renewal buys fewer.
    pub at_renewal: Option<Money>,
    /// Stale of active, tenths of a percent.
    pub percent_unused_tenths: i64,
    /// Allocations of the contract.
    pub allocations: Allocations,
    /// Typed and vendor's totals differ: worth a look, never a shortfall.
    pub records_differ: bool,
    /// Some entitlement is without limit.
    pub is_unlimited: bool,
    /// Last day of the earliest ending term.
    pub ends_on: Option<Day>,
    /// Prices in several currencies: no amount is shown.
    pub has_mixed_currencies: bool,
}

/// The positions of one product: one for the contract where an entitlement is shared, else one per organization.
///
/// # Errors
/// [`MoneyError::TooLarge`] when an amount cannot be held.
pub fn positions(facts: &Facts, day: Day) -> Result<Vec<Position>, MoneyError> {
    if facts.rights.iter().any(|right| right.is_shared) {
        let rights: Vec<&Right> = facts.rights.iter().filter(|r| r.is_shared).collect();
        return Ok(vec![contract(facts, &rights, day)?]);
    }
    facts
        .organizations
        .iter()
        .map(|org| per_organization(facts, org, day))
        .collect()
}

fn contract(facts: &Facts, rights: &[&Right], day: Day) -> Result<Position, MoneyError> {
    let sum = |of: fn(&OrgUse) -> i64| facts.organizations.iter().map(of).sum::<i64>();
    // A total over organizations is known only when each is.
    let all = |of: fn(&OrgUse) -> Option<i64>| {
        let known: Vec<i64> = facts.organizations.iter().filter_map(of).collect();
        (!known.is_empty()).then(|| known.iter().sum::<i64>())
    };
    let typed = rights
        .iter()
        .try_fold(0_i64, |sum, right| Some(sum + right.rights?));
    let count = Count {
        scope: Scope::Contract,
        owned: typed,
        is_unlimited: typed.is_none(),
        typed_owned: typed,
        active: sum(|o| o.active),
        candidates: sum(|o| o.candidates),
        stale: sum(|o| o.stale),
        vendor_owned: all(|o| o.vendor_owned),
        vendor_used: all(|o| o.vendor_used),
        allocations: facts.allocations,
    };
    build(facts, count, rights, rights, day)
}

/// Seats that the vendor enforces: its own total rules; typed rights below it are records that differ.
fn per_organization(facts: &Facts, org: &OrgUse, day: Day) -> Result<Position, MoneyError> {
    let bound: Vec<&Right> = facts
        .rights
        .iter()
        .filter(|right| right.organization.as_ref() == Some(&org.organization))
        .collect();
    // Neither shared nor bound: a price without rights.
    let priced: Vec<&Right> = if bound.is_empty() {
        facts
            .rights
            .iter()
            .filter(|right| right.organization.is_none())
            .collect()
    } else {
        bound.clone()
    };
    let is_unlimited =
        !bound.is_empty() && bound.iter().any(|r| r.rights.is_none()) && org.vendor_owned.is_none();
    let typed = if bound.is_empty() {
        None
    } else {
        bound
            .iter()
            .try_fold(0_i64, |sum, right| Some(sum + right.rights?))
    };
    let count = Count {
        scope: Scope::Organization(org.organization.clone()),
        owned: org.vendor_owned.or(typed),
        is_unlimited,
        typed_owned: typed,
        active: org.active,
        candidates: org.candidates,
        stale: org.stale,
        vendor_owned: org.vendor_owned,
        vendor_used: org.vendor_used,
        allocations: Allocations::default(),
    };
    build(facts, count, &bound, &priced, day)
}

struct Count {
    scope: Scope,
    owned: Option<i64>,
    is_unlimited: bool,
    typed_owned: Option<i64>,
    active: i64,
    candidates: i64,
    stale: i64,
    vendor_owned: Option<i64>,
    vendor_used: Option<i64>,
    allocations: Allocations,
}

fn build(
    facts: &Facts,
    count: Count,
    paid: &[&Right],
    priced: &[&Right],
    day: Day,
) -> Result<Position, MoneyError> {
    let is_metered = facts.metric != Metric::Seats;
    let active = if is_metered {
        count.vendor_used.unwrap_or(0)
    } else {
        count.active
    };
    let cover = cover(count.owned, active, count.allocations);
    let status = match count.owned {
        None if !count.is_unlimited => Status::RightsUnknown,
        _ if cover.needed > 0 => Status::NotCompliant,
        _ => Status::Compliant,
    };
    let currencies: BTreeSet<&str> = priced.iter().map(|r| r.price.currency.code()).collect();
    let price = average_price(priced, is_metered)?;
    let worth = |seats: i64| price.map(|price| price.times(seats, 1, 1)).transpose();
    let ends_on = priced.iter().map(|right| right.ends_on).min();
    let co_termed = match (price, ends_on) {
        (Some(price), Some(end)) if !is_metered && day <= end => {
            Some(price.times(cover.needed, day.days_until(end), 365)?)
        }
        _ => None,
    };
    let spend = match (price, paid.is_empty()) {
        (Some(_), false) => total_of(paid, is_metered)?,
        (Some(price), true) => count
            .owned
            .map(|owned| price.times(owned, 1, 1))
            .transpose()?,
        _ => None,
    };
    let avoided = count.candidates.min(cover.needed);
    Ok(Position {
        product: facts.product.clone(),
        scope: count.scope,
        metric: facts.metric,
        owned: count.owned,
        active,
        used: cover.used,
        available: cover.available,
        needed: cover.needed,
        vendor_owned: count.vendor_owned,
        vendor_used: count.vendor_used,
        typed_owned: count.typed_owned,
        status,
        price,
        true_up: worth(cover.needed)?,
        true_up_co_termed: co_termed,
        over_licensed: cover.available.map(worth).transpose()?.flatten(),
        spend,
        candidates: count.candidates,
        potential: worth(count.candidates)?,
        avoidable: worth(avoided)?,
        at_renewal: worth(count.candidates - avoided)?,
        percent_unused_tenths: tenths(count.stale, active),
        allocations: count.allocations,
        records_differ: matches!((count.typed_owned, count.vendor_owned), (Some(typed), Some(vendor)) if typed != vendor),
        is_unlimited: count.is_unlimited,
        ends_on,
        has_mixed_currencies: currencies.len() > 1,
    })
}

struct Cover {
    used: i64,
    available: Option<i64>,
    needed: i64,
}

/// Allocated rights are used whether or not their person has a subscription; what is left covers the others.
fn cover(owned: Option<i64>, active: i64, allocations: Allocations) -> Cover {
    let Some(owned) = owned else {
        return Cover {
            used: active,
            available: None,
            needed: 0,
        };
    };
    let allocated = allocations.allocated.min(owned);
    let in_use = allocations.in_use.min(allocated).min(active);
    let others = active - in_use;
    let covered = others.min(owned - allocated);
    let used = allocated + covered;
    Cover {
        used,
        available: Some(owned - used),
        needed: others - covered,
    }
}

fn total_of(rights: &[&Right], is_metered: bool) -> Result<Option<Money>, MoneyError> {
    let mut sum: Option<Money> = None;
    for right in rights {
        let per = if is_metered {
            1
        } else {
            right.period.per_year()
        };
        let cost = right.price.times(right.rights.unwrap_or(0), per, 1)?;
        sum = Some(match sum {
            None => cost,
            Some(sum) => sum.plus(cost)?,
        });
    }
    Ok(sum)
}

/// Part of whole in tenths of a percent, rounded to the nearest; 0 of nothing is 0.
fn tenths(part: i64, whole: i64) -> i64 {
    if whole <= 0 {
        return 0;
    }
    (part * 2_000 + whole) / (whole * 2)
}

#[cfg(test)]
mod tests;
