//! Requests of unknown outcome, and giving back.

use seatwise_runtime::contract::reclaim;

use super::super::actions::{has_taken, is_rest, request_view};
use super::super::candidate::{Event, State};
use super::super::life::Note;
use super::super::planning::{self, failed, place, target};
use super::super::store::actions::{self, ActionRow};
use super::super::{ReclamationError, gates};
use super::{AGAIN_MS, Sweep};
use crate::connectors::link::OrgLink;
use crate::connectors::quota::Purpose;
use crate::profiles::acting::Acting;

impl Sweep<'_> {
    /// Looks what is true at the vendor for every action whose outcome nobody knows.
    pub(super) async fn observe_all(
        &self,
        link: &mut Option<OrgLink>,
    ) -> Result<(), ReclamationError> {
        let mut tx = self.host.store.read_everything().await?;
        let waiting = actions::in_state(&mut tx, &self.organization, "unverified").await?;
        let acting = crate::profiles::acting::acting_for(&mut tx, &self.organization).await?;
        drop(tx);
        let Some(acting) = acting.filter(|_| !waiting.is_empty()) else {
            return Ok(());
        };
        let link = self.link(link, &acting).await?;
        for action in waiting {
            if self.host.stop.is_asked() {
                break;
            }
            let wanted = target(&action.account_id, &action.target, &action.action);
            let seen = link
                .observe(std::slice::from_ref(&wanted))
                .await
                .map_err(|error| failed(link, &error))?;
            if let Some(observation) = seen.first() {
                self.observed(action, observation).await?;
            }
        }
        Ok(())
    }

    async fn observed(
        &self,
        mut action: ActionRow,
        observation: &reclaim::Observation,
    ) -> Result<(), ReclamationError> {
        use reclaim::State as Seen;
        let mut tx = self.begin().await?;
        // Of a restore, success is that nothing of the action is left.
        // Of several requests the first ones may have arrived: what is left of the way back is planned anew, and nothing left is done.
        let is_several = action.is_restore && action.plan.steps.len() > 1;
        let (is_done, is_untouched) = match (action.is_restore, observation.state) {
            (true, Seen::Untouched | Seen::Reclaimed | Seen::Partly) if is_several => (false, true),
            (false, Seen::Reclaimed | Seen::Gone) | (true, Seen::Untouched) => (true, false),
            (false, Seen::Untouched) | (true, Seen::Reclaimed) => (false, true),
            _ => (false, false),
        };
        if is_done {
            self.finish(&mut tx, &mut action, Some(&observation.detail))
                .await?;
        } else if is_untouched {
            action.state = "planned".to_owned();
            action.intended_at = None;
            action.not_before = None;
            actions::save(&mut tx, &mut action, None).await?;
            let rows = self.applying(&mut tx, &action, State::Unverified).await?;
            let note = Note::because("observed", observation.detail.clone());
            self.advance(&mut tx, Event::ObservedUntouched, rows, &note)
                .await?;
        } else {
            action.state = "abandoned".to_owned();
            action.ended_at = Some(self.host.now_ms());
            action.error_code = Some("observed_unclear".to_owned());
            action.error_text = Some(observation.detail.clone());
            actions::save(&mut tx, &mut action, None).await?;
            let rows = self.applying(&mut tx, &action, State::Unverified).await?;
            let note = Note::because("unclear", observation.detail.clone());
            self.advance(&mut tx, Event::ObservedUnclear, rows, &note)
                .await?;
        }
        self.audit_action(&mut tx, "action.observed", &action)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Gives back whatever was asked to be undone.
    pub(super) async fn restore_all(
        &self,
        link: &mut Option<OrgLink>,
    ) -> Result<(), ReclamationError> {
        let now_ms = self.host.now_ms();
        let mut tx = self.host.store.read_everything().await?;
        let due = actions::restores_due(&mut tx, &self.organization, now_ms).await?;
        let (stop, acting) = self.gate(&mut tx, Purpose::Ending).await?;
        drop(tx);
        let Some(acting) = acting.filter(|acting| {
            stop.is_none() && !due.is_empty() && gates::write_mode(acting).is_none()
        }) else {
            return Ok(());
        };
        for restore in due {
            if self.host.stop.is_asked() {
                break;
            }
            let link = self.link(link, &acting).await?.clone();
            self.restore(&link, restore).await?;
        }
        Ok(())
    }

    async fn restore(
        &self,
        link: &OrgLink,
        mut restore: ActionRow,
    ) -> Result<(), ReclamationError> {
        let mut tx = self.host.store.read_everything().await?;
        let undone = match &restore.undoes {
            Some(id) => actions::find(&mut tx, id.as_str()).await?,
            None => None,
        };
        let sent = actions::sent(&mut tx, &restore.id).await?;
        drop(tx);
        let Some(undone) = undone else {
            return Ok(());
        };
        let sealed = undone
            .before_image_sealed
            .as_ref()
            .ok_or(ReclamationError::Sealed)?;
        let plain = self
            .host
            .sealer
            .open(place(&undone.id), sealed)
            .map_err(|_| ReclamationError::Sealed)?;
        let before: reclaim::BeforeImage =
            serde_json::from_slice(&plain).map_err(|_| ReclamationError::Sealed)?;
        let wanted = target(&restore.account_id, &restore.target, &restore.action);
        let plan = link
            .plan_restore(&wanted, &before)
            .await
            .map_err(|error| failed(link, &error))?;
        let trouble = match plan.blockers.first() {
            Some(blocker) => Some(blocker.message.clone()),
            None if planning::digest(&plan) != restore.plan_digest
                && !is_rest(&restore.plan, &sent, &plan) =>
            {
                let now: Vec<_> = plan
                    .steps
                    .iter()
                    .map(|step| request_view(step).says)
                    .collect();
                Some(format!(
                    "the way back is another one now ({}); undo again to use it",
                    now.join(", ")
                ))
            }
            None => None,
        };
        let now_ms = self.host.now_ms();
        let mut tx = self.begin().await?;
        if let Some(trouble) = trouble {
            restore.state = "abandoned".to_owned();
            restore.ended_at = Some(now_ms);
            restore.error_code = Some("plan_changed".to_owned());
            restore.error_text = Some(trouble);
            actions::save(&mut tx, &mut restore, None).await?;
            self.audit_action(&mut tx, "action.abandoned", &restore)
                .await?;
            return Ok(tx.commit().await?);
        }
        let (stop, acting): (_, Option<Acting>) = self.gate(&mut tx, Purpose::Ending).await?;
        let is_live = acting.is_some_and(|acting| gates::write_mode(&acting).is_none());
        if stop.is_some() || !is_live || !has_taken(&undone.state) {
            restore.not_before = Some(now_ms + AGAIN_MS);
            actions::save(&mut tx, &mut restore, None).await?;
            return Ok(tx.commit().await?);
        }
        restore.state = "intended".to_owned();
        restore.attempts += 1;
        restore.intended_at = Some(now_ms);
        restore.intended_by = Some(self.job.id.to_string());
        actions::save(&mut tx, &mut restore, Some(self.job.fence)).await?;
        self.write_step(&mut tx, &restore, &plan, 0).await?;
        self.audit_action(&mut tx, "action.intended", &restore)
            .await?;
        tx.commit().await?;
        self.send(link, restore, &plan).await
    }
}
