//! What reclaim must know of the profile that speaks for an organization.

use super::model::{ProfileState, WriteMode};
use super::playbook::model::HeldPrice;
use super::playbook::service::prices;
use super::{preflight, store};
use crate::app::host::Host;
use crate::jobs::{JobKind, NewJob};
use crate::kernel::{OrgId, ProfileId};
use crate::store::{StoreError, Tx};

/// The published or paused profile of an organization.
#[derive(Clone, Debug)]
pub struct Acting {
    /// The profile.
    pub id: ProfileId,
    /// Its number.
    pub number: String,
    /// Neither paused nor ended.
    pub is_published: bool,
    /// What may be written.
    pub write_mode: WriteMode,
    /// Percent of the vendor's limit at which work pauses.
    pub quota_percent: i64,
    /// Calls used and allowed, as last told.
    pub quota: Option<(i64, i64)>,
    /// What stands in the way of taking seats back, as the last checks say; read only while it is live.
    pub check_failed: Option<String>,
}

/// The profile that speaks for an organization; `None` when none is published.
///
/// # Errors
/// The database's own.
pub async fn acting_for(tx: &mut Tx, organization: &OrgId) -> Result<Option<Acting>, StoreError> {
    let Some(row) = store::find_by_organization(tx, organization).await? else {
        return Ok(None);
    };
    Ok(Some(Acting {
        check_failed: preflight::stops_reclaim(tx, &row).await?,
        quota: row.quota_used.zip(row.quota_limit),
        id: row.id,
        number: row.number,
        is_published: row.state == ProfileState::Published,
        write_mode: row.write_mode,
        quota_percent: row.quota_percent,
    }))
}

/// Prices that were entered when an organization was connected.
#[derive(Clone, Debug)]
pub struct EnteredPrices {
    /// Number of the profile.
    pub number: String,
    /// Name of its alias's parent.
    pub parent: Option<String>,
    /// Three letters.
    pub currency: String,
    /// By the vendor's key, for a year, with who entered each.
    pub prices: Vec<HeldPrice>,
}

/// The prices entered for an organization's licences; `None` when there are none.
///
/// # Errors
/// The database's own.
pub async fn prices_for(
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<Option<EnteredPrices>, StoreError> {
    let Some(row) = store::find_by_organization(tx, organization).await? else {
        return Ok(None);
    };
    let held = prices(tx, &row).await?;
    Ok(held
        .currency
        .filter(|_| !held.prices.is_empty())
        .map(|currency| EnteredPrices {
            number: row.number,
            parent: row.parent_alias_name,
            currency: currency.value,
            prices: held.prices,
        }))
}

/// The days without activity that a rule of this connector begins with: the most careful of its published profiles.
///
/// # Errors
/// The database's own.
pub async fn threshold_for(tx: &mut Tx, connector: &str) -> Result<i64, StoreError> {
    let mut days = None;
    for row in store::list(tx).await? {
        let acts = matches!(row.state, ProfileState::Published | ProfileState::Paused);
        if row.connector != connector || !acts {
            continue;
        }
        if let Some(alias) = crate::aliases::service::find(tx, row.alias.as_str()).await? {
            let own = alias.effective.threshold_days.value;
            days = Some(days.map_or(own, |known: i64| known.max(own)));
        }
    }
    Ok(days.unwrap_or(crate::aliases::model::DEFAULT_THRESHOLD_DAYS))
}

/// Looks after an organization's candidates soon.
///
/// # Errors
/// The database's own.
pub async fn wake_reclaim(
    host: &Host,
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<(), StoreError> {
    let job = NewJob::of_organization(JobKind::Reclaim, organization, host.now_ms());
    host.wake(tx, &job).await
}
