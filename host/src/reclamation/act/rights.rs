//! The connector's checks for reclaim, made again before anything is taken back.

use super::super::candidate::State;
use super::super::store::candidates;
use super::super::{ReclamationError, gates, planning};
use super::Sweep;
use crate::connectors::link::OrgLink;
use crate::connectors::quota::Purpose;
use crate::profiles::model::WriteMode;
use crate::profiles::preflight;

impl Sweep<'_> {
    /// Makes the checks where something would be taken back now, or waits for a right that was missing; then lets go what the gates no
    /// longer hold. An undo is not asked for them: it ends uncertainty.
    pub(super) async fn check_rights(
        &self,
        link: &mut Option<OrgLink>,
    ) -> Result<(), ReclamationError> {
        let now_ms = self.host.now_ms();
        let mut tx = self.host.store.read_everything().await?;
        let (stop, acting) = self.gate(&mut tx, Purpose::Reclaim).await?;
        let Some(acting) = acting.filter(|acting| acting.write_mode == WriteMode::Live) else {
            return Ok(());
        };
        if stop.is_some_and(|stop| stop.code != gates::CHECK_FAILED) {
            return Ok(());
        }
        let is_awaited = candidates::open_of_organization(&mut tx, &self.organization)
            .await?
            .iter()
            .any(|row| match row.state {
                State::AwaitingRevocation => row.due_at.is_none_or(|due| due <= now_ms),
                State::Held => row.reason_code.as_deref() == Some(gates::CHECK_FAILED),
                _ => false,
            });
        drop(tx);
        if !is_awaited {
            return Ok(());
        }
        let link = self.link(link, &acting).await?;
        if let Some(error) = preflight::before_reclaim(self.host, link, &acting.id).await? {
            return Err(planning::failed(link, &error));
        }
        let mut tx = self.begin().await?;
        self.release(&mut tx).await?;
        Ok(tx.commit().await?)
    }
}
