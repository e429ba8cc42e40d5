//! Who may approve: nobody who made the profile, its prices, its exclusions or a deciding field of that version.

use std::collections::BTreeMap;

use super::ReclamationError;
use super::store::rules::{self, RuleRow, VersionRow};
use super::store::{batches, controls};
use crate::app::host::Host;
use crate::entitlements::service as entitlements;
use crate::identity::roles::{Actor, Permission};
use crate::kernel::clock::DAY_MS;
use crate::kernel::{Day, PrincipalId};
use crate::store::{StoreError, Tx};

/// Seats within [`WINDOW_MS`] above which two people must approve.
pub(super) const TWO_APPROVERS_SEATS: i64 = 100;
/// Percent of an organization's active seats of the product within [`WINDOW_MS`] above which two people must approve.
pub(super) const TWO_APPROVERS_PERCENT: i64 = 50;
/// The rolling window of both, so that splitting lists does not evade them.
pub(super) const WINDOW_MS: i64 = 30 * DAY_MS;

/// Everyone who may not approve this version, with why.
async fn makers(
    host: &Host,
    tx: &mut Tx,
    rule: &RuleRow,
    version: &VersionRow,
) -> Result<BTreeMap<PrincipalId, String>, StoreError> {
    let now_ms = host.now_ms();
    let mut makers = BTreeMap::new();
    let mut add = |who: String, why: String| {
        if who != Actor::SYSTEM_ID {
            makers.entry(PrincipalId::from(who)).or_insert(why);
        }
    };
    for (who, number) in rules::people_behind_profiles(tx, &rule.product_id).await? {
        add(who, format!("made or changed the profile {number}"));
    }
    for who in entitlements::people_behind_prices(tx, &rule.product_id, Day::of_ms(now_ms)).await? {
        add(who, format!("set rights or prices of {}", rule.product));
    }
    for who in controls::people_behind_exemptions(tx, now_ms).await? {
        add(who, "made an exemption that is in force".to_owned());
    }
    for who in &version.authors {
        add(
            who.clone(),
            format!(
                "changed deciding fields of version {} of the rule",
                version.version_no
            ),
        );
    }
    Ok(makers)
}

/// Why the actor may not approve by this version; `None`: may.
pub(super) async fn objection(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    rule: &RuleRow,
    version: &VersionRow,
) -> Result<Option<String>, StoreError> {
    if let Err(denied) = actor.may(Permission::Approve) {
        return Ok(Some(denied.to_string()));
    }
    let makers = makers(host, tx, rule, version).await?;
    for person in actor.people_behind() {
        if let Some(why) = makers.get(&person) {
            let who = if person == actor.id {
                actor.name.clone()
            } else {
                format!("the person who minted this token for {}", actor.name)
            };
            // What they made may lie in a business unit that they no longer see.
            let why = if actor.sight.is_whole() {
                why.as_str()
            } else {
                "made or changed something that this rests on"
            };
            return Ok(Some(format!("{who} may not approve this: {who} {why}")));
        }
    }
    Ok(None)
}

/// Refuses an actor who may not approve by this version.
///
/// # Errors
/// [`ReclamationError::Denied`], [`ReclamationError::OwnWork`].
pub(super) async fn require(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    rule: &RuleRow,
    version: &VersionRow,
) -> Result<(), ReclamationError> {
    actor.may(Permission::Approve)?;
    match objection(host, tx, actor, rule, version).await? {
        Some(why) => Err(ReclamationError::OwnWork(why)),
        None => Ok(()),
    }
}

/// How many people must approve a list with so many seats by organization, over what was approved in the window.
pub(super) async fn approvers_needed(
    host: &Host,
    tx: &mut Tx,
    rule: &RuleRow,
    listed: &BTreeMap<String, i64>,
) -> Result<i64, StoreError> {
    let since = host.now_ms() - WINDOW_MS;
    let mut seats = listed.clone();
    for (organization, n) in batches::seats_approved_since(tx, &rule.id, since).await? {
        *seats.entry(organization).or_default() += n;
    }
    let active: BTreeMap<String, i64> = rules::seats_by_organization(tx, &rule.product_id)
        .await?
        .into_iter()
        .map(|(organization, n)| (organization.to_string(), n))
        .collect();
    Ok(needed(&seats, &active))
}

/// The same, of numbers alone: seats approved in the window and active seats, by organization.
fn needed(seats: &BTreeMap<String, i64>, active: &BTreeMap<String, i64>) -> i64 {
    let too_many = seats.values().sum::<i64>() > TWO_APPROVERS_SEATS;
    let too_large = seats.iter().any(|(organization, n)| {
        n * 100 > active.get(organization).copied().unwrap_or(0) * TWO_APPROVERS_PERCENT
    });
    1 + i64::from(too_many || too_large)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, i64)]) -> BTreeMap<String, i64> {
        pairs.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect()
    }

    #[test]
    fn the_worked_example_takes_one_approver() {
        let seats = of(&[("org1", 4), ("org2", 1)]);
        assert_eq!(needed(&seats, &of(&[("org1", 10), ("org2", 3)])), 1);
    }

    #[test]
    fn more_than_half_of_one_organization_takes_two() {
        let active = of(&[("org1", 10), ("org2", 1_000)]);
        assert_eq!(needed(&of(&[("org1", 5)]), &active), 1);
        assert_eq!(needed(&of(&[("org1", 6)]), &active), 2);
    }

    #[test]
    fn more_than_a_hundred_seats_over_all_organizations_take_two() {
        let active = of(&[("org1", 10_000), ("org2", 10_000)]);
        assert_eq!(needed(&of(&[("org1", 60), ("org2", 40)]), &active), 1);
        assert_eq!(needed(&of(&[("org1", 60), ("org2", 41)]), &active), 2);
    }
}
