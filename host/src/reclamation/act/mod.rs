//! The job of kind `Reclaim`: looks after one organization's candidates, and is the only place from which requests are sent.
//!
//! One sweep at a time per organization, under the job's fence, one person after another. A sweep first finds out what became of
//! requests that an earlier one left without an outcome, then gives back, then takes back. Intent is durable before a request
//! leaves; whatever is not known afterwards is observed before anything is sent again.

mod observe;
mod rights;
mod send;
mod take_back;
mod timers;

use super::store::actions::{self, ActionRow};
use super::store::candidates::{self, CandidateRow};
use super::store::rules::{self, RuleRow, VersionRow};
use super::{ReclamationError, controls, gates, life};
use crate::app::host::Host;
use crate::connectors::link::OrgLink;
use crate::connectors::quota::Purpose;
use crate::identity::roles::Actor;
use crate::jobs::{self, Claimed, JobOutcome};
use crate::kernel::OrgId;
use crate::kernel::clock::MINUTE_MS;
use crate::profiles::acting::{self, Acting};
use crate::profiles::service as profiles;
use crate::reclamation::candidate::{Event, State};
use crate::store::Tx;
use life::Note;
use seatwise_runtime::contract::types::Usage;

/// Between two sweeps when the limit of one sweep was reached.
pub const BETWEEN_SWEEPS_MS: i64 = 15 * MINUTE_MS;
/// Until a request of unknown outcome is observed once more, and until a failed sweep is repeated; doubled each time.
const AGAIN_MS: i64 = MINUTE_MS;
/// Doublings at most: a little over an hour.
const MOST_DOUBLINGS: i64 = 6;
/// What changed while it was looked at is looked at again after this.
const LOOK_AGAIN_MS: i64 = 1_000;

/// Handles the job.
pub async fn handle(host: &Host, job: &Claimed) -> JobOutcome {
    let sweep = Sweep {
        host,
        job,
        organization: job.subject.as_str().into(),
        system: Actor::system(),
    };
    match sweep.run().await {
        Ok(Some(at)) => JobOutcome::Again(at),
        Ok(None) | Err(ReclamationError::Lost) => JobOutcome::Done,
        Err(error) => {
            let wait = AGAIN_MS << (job.attempts - 1).clamp(0, MOST_DOUBLINGS);
            tracing::warn!(organization.id = %job.subject, error = %error, "candidates could not be looked after; it is tried again");
            JobOutcome::RetryAt(host.now_ms() + wait, error.to_string())
        }
    }
}

struct Sweep<'a> {
    host: &'a Host,
    job: &'a Claimed,
    organization: OrgId,
    system: Actor,
}

/// How one group of candidates was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// Nothing was sent.
    Alone,
    /// A request was sent, or would have been.
    Tried,
    /// Something changed between looking and acting: look once more.
    Changed,
}

impl Sweep<'_> {
    async fn run(&self) -> Result<Option<i64>, ReclamationError> {
        self.timers().await?;
        self.recover().await?;
        self.close_ended().await?;
        let mut link = None;
        self.observe_all(&mut link).await?;
        self.restore_all(&mut link).await?;
        self.check_rights(&mut link).await?;
        let left = self.take_back_all(&mut link).await?;
        if self.host.stop.is_asked() {
            // One person's requests are finished; whoever is left waits for the next start.
            return Ok(Some(self.host.now_ms()));
        }
        // A request whose answer was lost just now is observed at once.
        self.observe_all(&mut link).await?;
        let next = self.next_due().await?;
        Ok(if left == Left::Changed {
            Some(self.host.now_ms() + LOOK_AGAIN_MS)
        } else {
            next
        })
    }

    /// A writing transaction under the job's fence.
    async fn begin(&self) -> Result<Tx, ReclamationError> {
        let mut tx = self.host.store.begin().await?;
        jobs::hold(&mut tx, self.job).await?;
        Ok(tx)
    }

    /// What stops this organization now, and the profile that speaks for it.
    async fn gate(
        &self,
        tx: &mut Tx,
        purpose: Purpose,
    ) -> Result<(Option<gates::Stop>, Option<Acting>), ReclamationError> {
        let acting = acting::acting_for(tx, &self.organization).await?;
        let controls = controls::read(tx).await?;
        let stop = gates::organization(&controls, acting.as_ref(), purpose, self.host.now_ms());
        Ok((stop, acting))
    }

    /// The link, opened once a sweep.
    async fn link<'l>(
        &self,
        link: &'l mut Option<OrgLink>,
        acting: &Acting,
    ) -> Result<&'l OrgLink, ReclamationError> {
        match link {
            Some(link) => Ok(link),
            None => {
                let (opened, _, _) = profiles::link(self.host, &acting.id).await?;
                Ok(link.insert(opened))
            }
        }
    }

    /// Writes down what the vendor says of its budget.
    async fn note_usage(&self, usage: Option<Usage>) -> Result<(), ReclamationError> {
        if let Some(usage) = usage {
            let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            let (used, limit) = (number(usage.used), number(usage.limit));
            profiles::note_usage(self.host, &self.organization, used, limit).await?;
        }
        Ok(())
    }

    async fn rule_of(
        &self,
        tx: &mut Tx,
        row: &CandidateRow,
    ) -> Result<(RuleRow, VersionRow), ReclamationError> {
        let rule = rules::find(tx, row.rule_id.as_str())
            .await?
            .ok_or_else(|| super::not_found("rule", row.rule_id.as_str()))?;
        let version = rules::get_version(tx, &rule, &row.rule_version_id).await?;
        Ok((rule, version))
    }

    async fn advance(
        &self,
        tx: &mut Tx,
        event: Event,
        rows: Vec<CandidateRow>,
        note: &Note,
    ) -> Result<Vec<CandidateRow>, ReclamationError> {
        life::advance_all(self.host, tx, &self.system, event, rows, note).await
    }

    /// Whatever stands as intended at the start of a sweep was left so by one that died or lost its lease: nobody knows whether its
    /// request arrived.
    async fn recover(&self) -> Result<(), ReclamationError> {
        let mut tx = self.begin().await?;
        for mut action in actions::in_state(&mut tx, &self.organization, "intended").await? {
            self.lose_answer(
                &mut tx,
                &mut action,
                "the work was interrupted before an answer was kept",
            )
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Where no profile speaks for the organization any more, nothing of it can go on.
    async fn close_ended(&self) -> Result<(), ReclamationError> {
        let mut tx = self.begin().await?;
        if acting::acting_for(&mut tx, &self.organization)
            .await?
            .is_some()
        {
            return Ok(());
        }
        let open = candidates::open_of_organization(&mut tx, &self.organization).await?;
        let closing = open
            .into_iter()
            .filter(|row| row.state.is_calm() && row.state != State::Reclaimed)
            .collect();
        let note = Note::because("profile_gone", "the integration profile has ended");
        self.advance(&mut tx, Event::RuleGone, closing, &note)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Notes that the outcome of a request is not known.
    async fn lose_answer(
        &self,
        tx: &mut Tx,
        action: &mut ActionRow,
        why: &str,
    ) -> Result<(), ReclamationError> {
        action.state = "unverified".to_owned();
        action.error_text = Some(why.to_owned());
        actions::save(tx, action, None).await?;
        let rows = self.applying(tx, action, State::Applying).await?;
        let note = Note::because("answer_lost", why);
        self.advance(tx, Event::AnswerLost, rows, &note).await?;
        Ok(())
    }

    /// An action's candidates that stand in a state; a restore has none under way.
    async fn applying(
        &self,
        tx: &mut Tx,
        action: &ActionRow,
        state: State,
    ) -> Result<Vec<CandidateRow>, ReclamationError> {
        let rows = candidates::of_action(tx, &action.id).await?;
        Ok(rows.into_iter().filter(|row| row.state == state).collect())
    }
}
