//! Sending the requests of an action whose intent is durable, and keeping what came back.

use seatwise_runtime::Acted;
use seatwise_runtime::contract::reclaim::{Judgement, Plan};
use seatwise_runtime::contract::types::Failure;
use serde_json::json;

use super::super::actions::request_view;
use super::super::candidate::{Event, State};
use super::super::life::Note;
use super::super::store::actions::{self, ActionRow, Answered};
use super::super::store::{candidates, controls};
use super::super::{ReclamationError, savings};
use super::{AGAIN_MS, MOST_DOUBLINGS, Sweep};
use crate::audit::Entry;
use crate::connectors::link::OrgLink;
use crate::kernel::clock::DAY_MS;
use crate::kernel::digest::sha256_hex;
use crate::store::Tx;

/// After an undo, the account is not named again for so many days.
pub const UNDO_COOL_DOWN_DAYS: i64 = 30;
/// Of an answer's body so much is kept as evidence.
const ANSWER_CHARS: usize = 4_096;

/// What became of one request.
struct Outcome {
    judgement: Judgement,
    /// `not_sent` is told apart in the record: nothing left the host.
    word: &'static str,
    failure: Option<Failure>,
    status: Option<i64>,
    body: Option<String>,
}

fn word(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Done => "done",
        Judgement::AlreadyDone => "already_done",
        Judgement::RetryLater => "retry_later",
        Judgement::Refused => "refused",
        Judgement::Unknown => "unknown",
    }
}

impl Sweep<'_> {
    /// Writes down the request that leaves next; nothing when the plan has no such step.
    pub(super) async fn write_step(
        &self,
        tx: &mut Tx,
        action: &ActionRow,
        plan: &Plan,
        index: usize,
    ) -> Result<(), ReclamationError> {
        if let Some(step) = plan.steps.get(index) {
            let number = i64::try_from(index + 1).unwrap_or(i64::MAX);
            let (request, now_ms) = (request_view(step), self.host.now_ms());
            actions::insert_step(tx, &action.id, action.attempts, number, &request, now_ms).await?;
        }
        Ok(())
    }

    pub(super) async fn audit_action(
        &self,
        tx: &mut Tx,
        event: &str,
        action: &ActionRow,
    ) -> Result<(), ReclamationError> {
        let entry = Entry {
            event,
            subject_kind: "action",
            subject_id: action.id.as_str(),
            detail: json!({
                "number": action.number, "kind": if action.is_restore { "restore" } else { "reclaim" },
                "account": action.account_id, "plan": action.plan_digest, "attempt": action.attempts,
                "receipt": action.receipt_digest, "error": action.error_code,
            }),
        };
        self.host.audit(tx, &self.system, entry).await?;
        Ok(())
    }

    /// Sends the steps in order, each after the one before was judged done, and keeps the outcome.
    pub(super) async fn send(
        &self,
        link: &OrgLink,
        mut action: ActionRow,
        plan: &Plan,
    ) -> Result<(), ReclamationError> {
        for (index, step) in plan.steps.iter().enumerate() {
            if index > 0 {
                let mut tx = self.begin().await?;
                self.write_step(&mut tx, &action, plan, index).await?;
                tx.commit().await?;
            }
            let outcome = match link.act(step).await {
                Acted::Answered(response) => {
                    let status = Some(i64::from(response.status));
                    let body = String::from_utf8_lossy(&response.body)
                        .chars()
                        .filter(|c| *c != '\0')
                        .take(ANSWER_CHARS)
                        .collect();
                    let verdict = link.judge(step, &response).await;
                    let (judgement, failure) = match verdict {
                        Ok(verdict) => (verdict.judgement, verdict.detail),
                        // A judge that fails has not said that nothing happened.
                        Err(_) => (Judgement::Unknown, None),
                    };
                    Outcome {
                        judgement,
                        word: word(judgement),
                        failure,
                        status,
                        body: Some(body),
                    }
                }
                Acted::NotSent(failure) => Outcome {
                    // Later steps follow ones that took effect: then only looking tells.
                    judgement: if index == 0 {
                        Judgement::RetryLater
                    } else {
                        Judgement::Unknown
                    },
                    word: "not_sent",
                    failure: Some(failure),
                    status: None,
                    body: None,
                },
                Acted::Unknown(failure) => Outcome {
                    judgement: Judgement::Unknown,
                    word: "unknown",
                    failure: Some(failure),
                    status: None,
                    body: None,
                },
            };
            let is_done = matches!(outcome.judgement, Judgement::Done | Judgement::AlreadyDone);
            let is_last = index + 1 == plan.steps.len();
            let mut tx = self.begin().await?;
            self.keep_answer(&mut tx, &action, index, &outcome).await?;
            if is_done && is_last {
                self.finish(&mut tx, &mut action, None).await?;
            } else if !is_done {
                self.stop_at(&mut tx, &mut action, &outcome, link).await?;
            }
            tx.commit().await?;
            if !is_done {
                return Ok(());
            }
        }
        if plan.steps.is_empty() {
            let mut tx = self.begin().await?;
            let evidence = "the vendor was in the wanted state already; nothing was sent";
            self.finish(&mut tx, &mut action, Some(evidence)).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn keep_answer(
        &self,
        tx: &mut Tx,
        action: &ActionRow,
        index: usize,
        outcome: &Outcome,
    ) -> Result<(), ReclamationError> {
        let detail = outcome
            .failure
            .as_ref()
            .map(|failure| format!("{}: {}", failure.code, failure.message));
        let answered = Answered {
            action: &action.id,
            attempt: action.attempts,
            step_no: i64::try_from(index + 1).unwrap_or(i64::MAX),
            at: outcome.status.map(|_| self.host.now_ms()),
            status: outcome.status,
            answer: outcome.body.as_deref(),
            judgement: outcome.word,
            detail: detail.as_deref(),
        };
        Ok(actions::answer_step(tx, &answered).await?)
    }

    /// The last step was not done: refused, to be tried later, or nobody knows.
    async fn stop_at(
        &self,
        tx: &mut Tx,
        action: &mut ActionRow,
        outcome: &Outcome,
        link: &OrgLink,
    ) -> Result<(), ReclamationError> {
        let (code, text) = outcome.failure.as_ref().map_or_else(
            || {
                (
                    "unknown".to_owned(),
                    "the answer could not be judged".to_owned(),
                )
            },
            |failure| {
                let told = link.explain_failure(failure);
                (
                    failure.code.clone(),
                    format!("{}; {}", failure.message, told.fix.text),
                )
            },
        );
        match outcome.judgement {
            Judgement::RetryLater => {
                let wait = outcome
                    .failure
                    .as_ref()
                    .and_then(|failure| failure.retry_after_ms)
                    .and_then(|ms| i64::try_from(ms).ok())
                    .unwrap_or(AGAIN_MS << (action.attempts - 1).clamp(0, MOST_DOUBLINGS));
                let at = self.host.now_ms() + wait;
                action.state = "planned".to_owned();
                action.intended_at = None;
                action.not_before = Some(at);
                action.error_code = Some(code);
                action.error_text = Some(text.clone());
                actions::save(tx, action, None).await?;
                let rows = self.applying(tx, action, State::Applying).await?;
                let note = Note::because("retry_later", text).due(at);
                self.advance(tx, Event::JudgedRetryLater, rows, &note)
                    .await?;
            }
            Judgement::Refused => {
                self.refuse(tx, action, &code, &text).await?;
            }
            Judgement::Unknown | Judgement::Done | Judgement::AlreadyDone => {
                self.lose_answer(tx, action, &text).await?;
            }
        }
        Ok(())
    }

    async fn refuse(
        &self,
        tx: &mut Tx,
        action: &mut ActionRow,
        code: &str,
        text: &str,
    ) -> Result<(), ReclamationError> {
        action.state = "refused".to_owned();
        action.ended_at = Some(self.host.now_ms());
        action.error_code = Some(code.to_owned());
        action.error_text = Some(text.to_owned());
        actions::save(tx, action, None).await?;
        let rows = self.applying(tx, action, State::Applying).await?;
        let note = Note::because("refused", text);
        self.advance(tx, Event::JudgedRefused, rows, &note).await?;
        self.audit_action(tx, "action.refused", action).await
    }

    /// The action took effect: its one receipt, and what follows for its candidates. `observed` is what was seen where no answer told.
    pub(super) async fn finish(
        &self,
        tx: &mut Tx,
        action: &mut ActionRow,
        observed: Option<&str>,
    ) -> Result<(), ReclamationError> {
        let now_ms = self.host.now_ms();
        let sent = actions::sent(tx, &action.id).await?;
        let receipt = json!({
            "action": action.number, "kind": if action.is_restore { "restore" } else { "reclaim" },
            "organization": action.organization_id, "account": action.account_id, "word": action.action,
            "plan": action.plan_digest, "intended_at": action.intended_at, "ended_at": now_ms,
            "sent": sent, "observed": observed,
        })
        .to_string();
        action.state = "done".to_owned();
        action.ended_at = Some(now_ms);
        action.error_code = None;
        action.error_text = None;
        action.receipt_digest = Some(sha256_hex(&receipt));
        action.receipt = Some(receipt);
        actions::save(tx, action, None).await?;
        self.audit_action(tx, "action.done", action).await?;
        if action.is_restore {
            return self.give_back(tx, action).await;
        }
        let state = if observed.is_some() && self.was_unverified(tx, action).await? {
            State::Unverified
        } else {
            State::Applying
        };
        let rows = self.applying(tx, action, state).await?;
        let Some(first) = rows.first() else {
            return Ok(());
        };
        let (_, version) = self.rule_of(tx, first).await?;
        let deciding = &version.deciding;
        let has_grace =
            deciding.actions.len() > 1 && deciding.actions.first() == Some(&action.action);
        if has_grace {
            let note = Note::because("frozen", format!("{} days of grace", deciding.grace_days))
                .due(now_ms + deciding.grace_days * DAY_MS);
            let event = if state == State::Unverified {
                Event::ObservedFrozen
            } else {
                Event::JudgedFrozen
            };
            self.advance(tx, event, rows, &note).await?;
        } else if state == State::Unverified {
            let note = Note::because("observed", observed.unwrap_or_default());
            self.advance(tx, Event::ObservedReclaimed, rows, &note)
                .await?;
        } else {
            let note = Note::because("taken_back", "the next download must agree");
            self.advance(tx, Event::JudgedDone, rows, &note).await?;
        }
        Ok(())
    }

    async fn was_unverified(
        &self,
        tx: &mut Tx,
        action: &ActionRow,
    ) -> Result<bool, ReclamationError> {
        Ok(!self
            .applying(tx, action, State::Unverified)
            .await?
            .is_empty())
    }

    /// A restore took effect: the candidates are undone, the clock starts anew, and what was saved is taken out of the books.
    async fn give_back(&self, tx: &mut Tx, restore: &ActionRow) -> Result<(), ReclamationError> {
        let Some(undone) = &restore.undoes else {
            return Ok(());
        };
        let Some(mut action) = actions::find(tx, undone.as_str()).await? else {
            return Ok(());
        };
        let now_ms = self.host.now_ms();
        action.state = "undone".to_owned();
        actions::save(tx, &mut action, None).await?;
        let rows: Vec<_> = candidates::of_action(tx, &action.id)
            .await?
            .into_iter()
            .filter(|row| {
                matches!(
                    row.state,
                    State::AttentionRequired
                        | State::ClosedComplete
                        | State::Frozen
                        | State::Reclaimed
                )
            })
            .collect();
        let note = Note::because("undone", format!("given back by {}", restore.number));
        self.advance(tx, Event::UndoDone, rows, &note).await?;
        controls::reset_clock(
            tx,
            &self.organization,
            &action.account_id,
            "undo",
            restore.id.as_str(),
            now_ms,
            now_ms + UNDO_COOL_DOWN_DAYS * DAY_MS,
        )
        .await?;
        savings::net(self.host, tx, &self.organization, &action.id).await
    }
}
