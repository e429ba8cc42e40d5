//! What a seat that came back is worth: a seat returned always, money avoided only against a real shortfall.

use super::ReclamationError;
use super::store::candidates::CandidateRow;
use super::store::controls::{self, NewSaving};
use super::store::rules;
use crate::app::host::Host;
use crate::entitlements::service as entitlements;
use crate::kernel::{ActionId, Day, OrgId, ProductId, SavingsEventId};
use crate::store::Tx;

/// Rights owned, and seats that were active before what is still to be booked came back, where one covers the other: over the
/// contract where it is shared, else in the organization. Seats that a download has seen gone and none has confirmed yet count as
/// active, so that the order of confirmations does not matter. `None` where nobody said what is owned, or it is unlimited.
async fn cover(
    tx: &mut Tx,
    product: &ProductId,
    organization: &OrgId,
    day: Day,
) -> Result<Option<(i64, i64)>, ReclamationError> {
    let rights = entitlements::active_rights(tx, day, Some(product)).await?;
    let seats = rules::seats_by_organization(tx, product).await?;
    let shared: Vec<_> = rights.iter().filter(|(_, right)| right.is_shared).collect();
    if !shared.is_empty() {
        let owned = shared
            .iter()
            .try_fold(0_i64, |sum, (_, right)| Some(sum + right.rights?));
        let gone = controls::seats_gone_unconfirmed(tx, product, None).await?;
        let active = seats.iter().map(|(_, n)| n).sum::<i64>();
        return Ok(owned.map(|owned| (owned, active + gone)));
    }
    let owned = controls::vendor_seats(tx, product, organization).await?;
    let active = seats
        .iter()
        .find(|(id, _)| id == organization)
        .map_or(0, |(_, n)| *n);
    let gone = controls::seats_gone_unconfirmed(tx, product, Some(organization)).await?;
    Ok(owned.map(|owned| (owned, active + gone)))
}

/// Books seats that a complete download has confirmed as gone. `confirmed` are of one organization; each action counts once a
/// product.
pub(super) async fn book(
    host: &Host,
    tx: &mut Tx,
    confirmed: &[CandidateRow],
) -> Result<(), ReclamationError> {
    let now_ms = host.now_ms();
    let day = Day::of_ms(now_ms);
    let mut after: std::collections::BTreeMap<ProductId, i64> = std::collections::BTreeMap::new();
    for row in confirmed {
        *after.entry(row.product_id.clone()).or_default() += 1;
    }
    for row in confirmed {
        let Some(action) = &row.action_id else {
            continue;
        };
        let mut new = NewSaving {
            id: SavingsEventId::mint(now_ms, &*host.chance),
            organization: &row.organization_id,
            product: &row.product_id,
            candidate: Some(&row.id),
            action: Some(action),
            kind: "seat_returned",
            seats: 1,
            amount_minor: None,
            currency: row.currency.as_deref(),
            explained: "one seat came back; it is cash only when the renewal buys fewer",
            at: now_ms,
        };
        controls::insert_saving(tx, &new).await?;
        // Before this seat came back, those that are booked after it were still in use.
        let left = after.entry(row.product_id.clone()).or_default();
        let cover = cover(tx, &row.product_id, &row.organization_id, day).await?;
        if let (Some((owned, active)), Some(amount)) = (cover, row.saving_minor) {
            let missing_before = active + *left - owned;
            if missing_before > 0 {
                let explained = format!(
                    "{missing_before} seats were missing before it and {} after",
                    missing_before - 1
                );
                new.id = SavingsEventId::mint(now_ms, &*host.chance);
                new.kind = "avoided";
                new.amount_minor = Some(amount);
                new.explained = &explained;
                controls::insert_saving(tx, &new).await?;
            }
        }
        *left -= 1;
    }
    Ok(())
}

/// Takes out of the books what an undone action had brought.
pub(super) async fn net(
    host: &Host,
    tx: &mut Tx,
    organization: &OrgId,
    action: &ActionId,
) -> Result<(), ReclamationError> {
    let now_ms = host.now_ms();
    for (product, seats, avoided, currency) in controls::savings_of(tx, action).await? {
        let new = NewSaving {
            id: SavingsEventId::mint(now_ms, &*host.chance),
            organization,
            product: &product,
            candidate: None,
            action: Some(action),
            kind: "netted",
            seats,
            amount_minor: Some(avoided),
            currency: currency.as_deref(),
            explained: "given back",
            at: now_ms,
        };
        controls::insert_saving(tx, &new).await?;
    }
    Ok(())
}
