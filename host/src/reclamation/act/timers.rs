//! Time that passed: silence, unrepaired errors, the end of a grace, holds whose reason is gone.

use std::collections::BTreeMap;

use super::super::candidate::{Event, State};
use super::super::follow::ATTENTION_DAYS;
use super::super::life::Note;
use super::super::rule::Silence;
use super::super::store::actions;
use super::super::store::candidates::{self, CandidateRow};
use super::super::{ReclamationError, gates};
use super::{BETWEEN_SWEEPS_MS, LOOK_AGAIN_MS, Sweep};
use crate::connectors::quota::Purpose;
use crate::kernel::Day;
use crate::kernel::clock::DAY_MS;

/// When something happens to a candidate by itself; `None`: never. Pure.
fn next_of(row: &CandidateRow, now_ms: i64) -> Option<i64> {
    let midnight = Day::of_ms(now_ms).start_ms() + DAY_MS;
    match row.state {
        State::AwaitingUser | State::Frozen => row.due_at,
        State::AwaitingRevocation => Some(row.due_at.unwrap_or(now_ms + LOOK_AGAIN_MS)),
        State::AttentionRequired => Some(row.state_since + ATTENTION_DAYS * DAY_MS),
        State::Unverified | State::Applying => Some(now_ms + super::AGAIN_MS),
        State::Held if row.held_from == Some(State::AwaitingRevocation) => {
            match row.reason_code.as_deref() {
                Some(gates::PER_RUN) => Some(row.state_since + BETWEEN_SWEEPS_MS),
                Some("freeze_day" | "limit_per_day" | "limit_percent") => Some(midnight),
                Some("quota" | gates::CHECK_FAILED) => Some(now_ms + BETWEEN_SWEEPS_MS),
                // A person ends these, and wakes the job.
                _ => None,
            }
        }
        _ => None,
    }
}

impl Sweep<'_> {
    /// Moves what is due by the clock alone.
    pub(super) async fn timers(&self) -> Result<(), ReclamationError> {
        let now_ms = self.host.now_ms();
        let mut tx = self.begin().await?;
        let mut moved: BTreeMap<Event, Vec<(CandidateRow, Note)>> = BTreeMap::new();
        for mut row in candidates::open_of_organization(&mut tx, &self.organization).await? {
            let is_due = row.due_at.is_some_and(|due| due <= now_ms);
            let found = match row.state {
                State::AwaitingUser if is_due => {
                    let (_, version) = self.rule_of(&mut tx, &row).await?;
                    let days = version.deciding.days;
                    Some(match version.deciding.silence {
                        Silence::Reclaim => (
                            Event::SilenceReclaims,
                            Note::because("silence", format!("no answer for {days} days")),
                        ),
                        Silence::Hold => (
                            Event::SilenceHolds,
                            Note::because(
                                "silence",
                                format!("no answer for {days} days; the rule says hold"),
                            ),
                        ),
                    })
                }
                State::AttentionRequired if row.state_since + ATTENTION_DAYS * DAY_MS <= now_ms => {
                    Some((
                        Event::UnrepairedTooLong,
                        Note::because(
                            "unrepaired",
                            format!(
                                "not put right for {ATTENTION_DAYS} days: {}",
                                row.reason_text.as_deref().unwrap_or("no reason")
                            ),
                        ),
                    ))
                }
                State::Frozen if is_due => {
                    let (_, version) = self.rule_of(&mut tx, &row).await?;
                    let second = match version.deciding.actions.get(1) {
                        Some(word) => {
                            actions::find_newest(
                                &mut tx,
                                &self.organization,
                                &row.account_id,
                                &row.identifier,
                                word,
                                "planned",
                            )
                            .await?
                        }
                        None => None,
                    };
                    row.action_id = second.map(|action| action.id).or(row.action_id);
                    Some((
                        Event::GraceOver,
                        Note::because("grace_over", "the grace is over"),
                    ))
                }
                _ => None,
            };
            if let Some((event, note)) = found {
                moved.entry(event).or_default().push((row, note));
            }
        }
        for (event, rows) in moved {
            super::life::advance(self.host, &mut tx, &self.system, event, rows).await?;
        }
        self.release(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// Releases what was held for a reason that is gone.
    pub(super) async fn release(&self, tx: &mut crate::store::Tx) -> Result<(), ReclamationError> {
        let now_ms = self.host.now_ms();
        let (stop, acting) = self.gate(tx, Purpose::Reclaim).await?;
        let Some(acting) = acting.filter(|_| stop.is_none()) else {
            return Ok(());
        };
        let is_live = gates::write_mode(&acting).is_none();
        let mut free = Vec::new();
        for row in candidates::open_of_organization(tx, &self.organization).await? {
            if row.state != State::Held || row.held_from != Some(State::AwaitingRevocation) {
                continue;
            }
            let code = row.reason_code.as_deref();
            if !is_live
                || (code == Some(gates::PER_RUN) && row.state_since + BETWEEN_SWEEPS_MS > now_ms)
            {
                continue;
            }
            let (rule, version) = self.rule_of(tx, &row).await?;
            if let Some(id) = &row.action_id
                && let Some(action) = actions::find(tx, id.as_str()).await?
                && gates::limits(self.host, tx, &rule, &version, &action, 0)
                    .await?
                    .is_some()
            {
                continue;
            }
            free.push(row);
        }
        let note = Note::because("released", "what held it is gone");
        self.advance(tx, Event::Released, free, &note).await?;
        Ok(())
    }

    /// When the next sweep is due by the clock.
    pub(super) async fn next_due(&self) -> Result<Option<i64>, ReclamationError> {
        let now_ms = self.host.now_ms();
        let mut tx = self.host.store.read_everything().await?;
        let mut next = candidates::open_of_organization(&mut tx, &self.organization)
            .await?
            .iter()
            .filter_map(|row| next_of(row, now_ms))
            .min();
        for action in actions::in_state(&mut tx, &self.organization, "unverified").await? {
            let at = action.not_before.unwrap_or(now_ms + super::AGAIN_MS);
            next = Some(next.map_or(at, |had| had.min(at)));
        }
        for action in actions::restores_due(&mut tx, &self.organization, i64::MAX).await? {
            let at = action.not_before.unwrap_or(now_ms + super::AGAIN_MS);
            next = Some(next.map_or(at, |had| had.min(at)));
        }
        Ok(next.map(|at| at.max(now_ms + LOOK_AGAIN_MS)))
    }
}
