//! How many seats rules name, and what seats cost.

use std::collections::BTreeMap;

use super::ReclamationError;
use super::model::RuleState;
use super::store::rules as store;
use super::store::verdicts::{self, Asked};
use crate::app::host::Host;
use crate::entitlements::service as entitlements;
use crate::kernel::money::Money;
use crate::kernel::{Day, OrgId, ProductId};
use crate::store::{StoreError, Tx};

/// What so many seats by organization cost a year; `None` without a price or across currencies.
pub(super) async fn worth(
    tx: &mut Tx,
    product: &ProductId,
    seats: &[(OrgId, i64)],
    day: Day,
) -> Result<Option<Money>, ReclamationError> {
    let mut total: Option<Money> = None;
    for (organization, n) in seats {
        let Some(price) = entitlements::seat_price(tx, product, organization, day).await? else {
            return Ok(None);
        };
        let money = price
            .times(*n, 1, 1)
            .map_err(entitlements::EntitlementError::from)?;
        total = match total {
            None => Some(money),
            Some(sum) => match sum.plus(money) {
                Ok(sum) => Some(sum),
                Err(_) => return Ok(None),
            },
        };
    }
    Ok(total)
}

/// What the rule of a product names in an organization today.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Subscriptions.
    pub count: i64,
    /// By a version in force; otherwise by the proposed one, and no candidate is open.
    pub is_in_force: bool,
}

/// How many removal candidates the rules would name in an organization by the vendor's own activity, and by the later of that and the
/// last sign-in that an identity provider reported. Nothing is changed.
///
/// # Errors
/// The database's own.
pub async fn named_by_either(
    host: &Host,
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<(i64, i64), StoreError> {
    let (mut by_vendor, mut by_later) = (0, 0);
    for rule in store::list(tx).await? {
        let version = match (&rule.in_force, rule.state) {
            (_, RuleState::Off) => continue,
            (Some(version), _) => version,
            (None, _) => &rule.current,
        };
        let asked = Asked::new(&rule.product_id, &version.deciding, host.now_ms());
        let (vendor, later) = verdicts::named_by_either(tx, &asked, organization).await?;
        by_vendor += vendor;
        by_later += later;
    }
    Ok((by_vendor, by_later))
}

/// By product and organization, what rules name today. Products without a rule, or with one that is off, are not in it.
///
/// # Errors
/// The database's own.
pub async fn named_today(
    host: &Host,
    tx: &mut Tx,
) -> Result<BTreeMap<(ProductId, OrgId), Named>, StoreError> {
    let mut named = BTreeMap::new();
    for rule in store::list(tx).await? {
        let (version, is_in_force) = match (&rule.in_force, rule.state) {
            (_, RuleState::Off) => continue,
            (Some(version), _) => (version, true),
            (None, _) => (&rule.current, false),
        };
        let asked = Asked::new(&rule.product_id, &version.deciding, host.now_ms());
        for (organization, count) in verdicts::named_by_organization(tx, &asked).await? {
            let it = Named { count, is_in_force };
            named.insert((rule.product_id.clone(), organization), it);
        }
    }
    Ok(named)
}
