//! What reclaim must know of the profile that speaks for an organization.

use super::model::{ProfileState, WriteMode};
use super::store;
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
}

/// The profile that speaks for an organization; `None` when none is published.
///
/// # Errors
/// The database's own.
pub async fn acting_for(tx: &mut Tx, organization: &OrgId) -> Result<Option<Acting>, StoreError> {
    let row = store::find_by_organization(tx, organization).await?;
    Ok(row.map(|row| Acting {
        quota: row.quota_used.zip(row.quota_limit),
        id: row.id,
        number: row.number,
        is_published: row.state == ProfileState::Published,
        write_mode: row.write_mode,
        quota_percent: row.quota_percent,
    }))
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
