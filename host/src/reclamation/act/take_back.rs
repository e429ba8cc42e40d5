//! Taking back: gates, fresh facts, fresh plan, intent, then the requests.

use std::collections::BTreeMap;

use seatwise_runtime::CallError;
use seatwise_runtime::contract::reclaim::Plan;
use seatwise_runtime::contract::subscriptions::{LastActivity, Page};
use seatwise_runtime::contract::types::{Failure, FailureKind};

use super::super::actions::{is_rest, took_effect};
use super::super::candidate::{Event, State};
use super::super::life::Note;
use super::super::model::SentView;
use super::super::planning::{self, target};
use super::super::store::actions::{self, ActionRow};
use super::super::store::candidates::{self, CandidateRow};
use super::super::{ReclamationError, gates};
use super::{Left, Sweep};
use crate::connectors::link::OrgLink;
use crate::connectors::quota::Purpose;
use crate::kernel::{ActionId, Day};
use crate::profiles::model::WriteMode;
use crate::store::Tx;

/// What fresh facts say of one candidate. Pure.
fn fresh(row: &CandidateRow, page: &Page, is_begun: bool) -> Option<(Event, Note)> {
    let ended = |why: &str| Some((Event::EndedByItself, Note::because("ended_by_itself", why)));
    let Some(account) = page.accounts.iter().find(|it| it.id == row.account_id) else {
        return ended("the account does not exist at the vendor any more");
    };
    if !account.active {
        return ended("the account is not active at the vendor any more");
    }
    let holds = page
        .assignments
        .iter()
        .any(|it| it.account == row.account_id && it.identifier == row.identifier);
    // What an attempt of ours has begun may be what ended it: then the plan tells what is left to do.
    if !holds && !is_begun {
        return ended("the account does not hold this licence any more");
    }
    match account.last_activity {
        LastActivity::At(at) if at > row.baseline_at => Some((
            Event::ActivitySeen,
            Note::because("activity_seen", format!("active on {}", Day::of_ms(at))),
        )),
        LastActivity::Unknown => Some((
            Event::PlanChanged,
            Note::because(
                "cannot_judge",
                "the vendor does not tell the last activity any more",
            ),
        )),
        LastActivity::At(_) | LastActivity::Never => None,
    }
}

/// Whether a failure is about this one target rather than about the org. Pure.
fn is_about_target(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::NotFound
            | FailureKind::InvalidInput
            | FailureKind::Conflict
            | FailureKind::Refused
            | FailureKind::Unsupported
    )
}

impl Sweep<'_> {
    async fn sent(&self, action: &ActionRow) -> Result<Vec<SentView>, ReclamationError> {
        let mut tx = self.host.store.read_everything().await?;
        Ok(actions::sent(&mut tx, &action.id).await?)
    }

    /// Whether an attempt took effect in part: it was counted against the limits then, and is now brought to its end.
    async fn is_begun(&self, tx: &mut Tx, action: &ActionRow) -> Result<bool, ReclamationError> {
        let sent = actions::sent(tx, &action.id).await?;
        Ok(sent.iter().any(took_effect))
    }

    /// Takes back whatever is due, one person after another.
    pub(super) async fn take_back_all(
        &self,
        link: &mut Option<OrgLink>,
    ) -> Result<Left, ReclamationError> {
        let now_ms = self.host.now_ms();
        let mut tx = self.host.store.read_everything().await?;
        let mut groups: BTreeMap<Option<ActionId>, Vec<CandidateRow>> = BTreeMap::new();
        for row in candidates::open_of_organization(&mut tx, &self.organization).await? {
            if row.state == State::AwaitingRevocation && row.due_at.is_none_or(|due| due <= now_ms)
            {
                groups.entry(row.action_id.clone()).or_default().push(row);
            }
        }
        drop(tx);
        let (mut taken, mut last) = (0, Left::Alone);
        for (action, rows) in groups {
            if self.host.stop.is_asked() {
                break;
            }
            let seats = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            match self.take_back(link, action, rows, taken).await? {
                Left::Tried => taken += seats,
                Left::Changed => last = Left::Changed,
                Left::Alone => {}
            }
        }
        Ok(last)
    }

    /// Moves a group without sending anything.
    async fn leave(
        &self,
        event: Event,
        rows: Vec<CandidateRow>,
        note: &Note,
    ) -> Result<Left, ReclamationError> {
        let mut tx = self.begin().await?;
        self.advance(&mut tx, event, rows, note).await?;
        tx.commit().await?;
        Ok(Left::Alone)
    }

    async fn take_back(
        &self,
        link: &mut Option<OrgLink>,
        action: Option<ActionId>,
        rows: Vec<CandidateRow>,
        taken: i64,
    ) -> Result<Left, ReclamationError> {
        let mut tx = self.host.store.read_everything().await?;
        let action = match action {
            Some(id) => actions::find(&mut tx, id.as_str()).await?,
            None => None,
        };
        let Some(action) = action else {
            drop(tx);
            let note = Note::because("not_planned", "there is no plan any more");
            return self.leave(Event::PlanChanged, rows, &note).await;
        };
        // What holds without asking the vendor.
        let (stop, acting) = self.gate(&mut tx, Purpose::Reclaim).await?;
        let (rule, version) = self.rule_of(&mut tx, &rows[0]).await?;
        let stop = match stop {
            Some(stop) => Some(stop),
            None if self.is_begun(&mut tx, &action).await? => None,
            None => gates::limits(self.host, &mut tx, &rule, &version, &action, taken).await?,
        };
        let stop = stop.or_else(|| {
            acting
                .as_ref()
                .filter(|acting| acting.write_mode == WriteMode::Off)
                .and_then(gates::write_mode)
        });
        let (Some(acting), None) = (&acting, &stop) else {
            drop(tx);
            let note = stop.map_or_else(Note::default, |stop| Note::because(stop.code, stop.text));
            return self.leave(Event::Stopped, rows, &note).await;
        };
        let mut covered = Vec::new();
        let mut uncovered = Vec::new();
        for row in rows {
            if gates::approved(&mut tx, &rule, &row, &action).await? {
                covered.push(row);
            } else {
                uncovered.push(row);
            }
        }
        drop(tx);
        if !uncovered.is_empty() {
            let note = Note::because(
                "plan_changed",
                "the approval does not cover this plan any more",
            );
            self.leave(Event::PlanChanged, uncovered, &note).await?;
        }
        if covered.is_empty() {
            return Ok(Left::Alone);
        }
        let link = self.link(link, acting).await?;
        let Some((rows, plan)) = self.look(link, &action, covered).await? else {
            return Ok(Left::Alone);
        };
        if let Some(stop) = gates::write_mode(acting) {
            let note = Note::because(stop.code, stop.text);
            self.leave(Event::Stopped, rows, &note).await?;
            return Ok(Left::Tried);
        }
        match self.intend(action, rows, &plan, taken).await? {
            Some(action) => {
                self.send(link, action, &plan).await?;
                Ok(Left::Tried)
            }
            None => Ok(Left::Changed),
        }
    }

    /// Fresh facts and a fresh plan; `None` when nobody is left to act on.
    async fn look(
        &self,
        link: &OrgLink,
        action: &ActionRow,
        rows: Vec<CandidateRow>,
    ) -> Result<Option<(Vec<CandidateRow>, Plan)>, ReclamationError> {
        let page = link
            .lookup_accounts(std::slice::from_ref(&action.account_id))
            .await
            .map_err(|error| planning::failed(link, &error))?;
        self.note_usage(page.usage).await?;
        let sent = self.sent(action).await?;
        let is_begun = sent.iter().any(took_effect);
        let mut clean = Vec::new();
        for row in rows {
            match fresh(&row, &page, is_begun) {
                None => clean.push(row),
                Some((event, note)) => {
                    self.leave(event, vec![row], &note).await?;
                }
            }
        }
        if clean.is_empty() {
            return Ok(None);
        }
        let wanted = target(&action.account_id, &action.target, &action.action);
        let answer = link.plan_reclaim(std::slice::from_ref(&wanted)).await;
        let planned = match answer {
            Ok(mut plans) if plans.len() == 1 => plans.remove(0),
            Ok(_) => {
                return Err(planning::failed(
                    link,
                    &CallError::Host {
                        detail: "the connector planned another number of targets than asked for"
                            .to_owned(),
                    },
                ));
            }
            Err(error) => return Err(planning::failed(link, &error)),
        };
        let note = match planned {
            Err(failure) if is_about_target(&failure) => {
                Note::because("not_planned", failure.message)
            }
            Err(failure) => return Err(planning::failed(link, &CallError::Failed(failure))),
            Ok(plan) => match plan.blockers.first() {
                Some(blocker) => Note::because("blocked", blocker.message.clone()),
                None if planning::digest(&plan) == action.plan_digest
                    || is_rest(&action.plan, &sent, &plan) =>
                {
                    return Ok(Some((clean, plan)));
                }
                None => Note::because(
                    "plan_changed",
                    "the requests would be others than the approved ones",
                ),
            },
        };
        self.leave(Event::PlanChanged, clean, &note).await?;
        Ok(None)
    }

    /// Makes the intent durable, if everything still holds in that very transaction. `None` when something changed.
    async fn intend(
        &self,
        mut action: ActionRow,
        rows: Vec<CandidateRow>,
        plan: &Plan,
        taken: i64,
    ) -> Result<Option<ActionRow>, ReclamationError> {
        let now_ms = self.host.now_ms();
        let mut tx = self.begin().await?;
        let (stop, acting) = self.gate(&mut tx, Purpose::Reclaim).await?;
        let (rule, version) = self.rule_of(&mut tx, &rows[0]).await?;
        let is_live = acting
            .as_ref()
            .is_some_and(|acting| gates::write_mode(acting).is_none());
        let is_begun = self.is_begun(&mut tx, &action).await?;
        let limit = if is_begun {
            None
        } else {
            gates::limits(self.host, &mut tx, &rule, &version, &action, taken).await?
        };
        if stop.is_some() || !is_live || limit.is_some() {
            return Ok(None);
        }
        for row in &rows {
            let is_same = candidates::find(&mut tx, row.id.as_str())
                .await?
                .is_some_and(|now| now.version == row.version);
            if !is_same || !gates::approved(&mut tx, &rule, row, &action).await? {
                return Ok(None);
            }
        }
        action.state = "intended".to_owned();
        action.attempts += 1;
        action.intended_at = Some(now_ms);
        action.intended_by = Some(self.job.id.to_string());
        action.error_code = None;
        action.error_text = None;
        // What was there before the first request that took effect is what an undo gives back.
        if !is_begun {
            action.before_image_sealed = planning::seal(self.host, &action.id, plan)?;
        }
        actions::save(&mut tx, &mut action, Some(self.job.fence)).await?;
        self.write_step(&mut tx, &action, plan, 0).await?;
        self.advance(&mut tx, Event::Begun, rows, &Note::default())
            .await?;
        self.audit_action(&mut tx, "action.intended", &action)
            .await?;
        tx.commit().await?;
        Ok(Some(action))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reclamation::actions::request_view;
    use seatwise_runtime::contract::reclaim::{Step, WriteMethod};

    fn plan(paths: &[&str]) -> Plan {
        let step = |path: &&str| Step {
            method: WriteMethod::Delete,
            origin: "instance".to_owned(),
            path: (*path).to_owned(),
            content_type: None,
            body: None,
            says: format!("delete {path}"),
        };
        Plan {
            blockers: Vec::new(),
            unchecked: Vec::new(),
            frees: Vec::new(),
            consequences: Vec::new(),
            steps: paths.iter().map(step).collect(),
            before: None,
        }
    }

    fn sent(path: &str, judgement: Option<&str>) -> SentView {
        SentView {
            attempt: 1,
            step_no: 1,
            request: request_view(&plan(&[path]).steps[0]),
            sent_at: 1,
            answered_at: None,
            status: None,
            judgement: judgement.map(str::to_owned),
            detail: None,
        }
    }

    #[test]
    fn what_is_left_of_an_approved_plan_needs_no_new_approval_and_nothing_else_passes() {
        let approved = plan(&["/a", "/b", "/c"]);
        let begun = [sent("/a", Some("done")), sent("/b", Some("retry_later"))];
        assert!(is_rest(&approved, &begun, &plan(&["/b", "/c"])));
        // The vendor took the last one itself.
        assert!(is_rest(&approved, &begun, &plan(&["/b"])));
        assert!(is_rest(&approved, &begun, &plan(&[])));
        assert!(!is_rest(&approved, &begun, &plan(&["/c", "/b"])));
        assert!(!is_rest(&approved, &begun, &plan(&["/b", "/x"])));
        // Before anything took effect, only the whole plan is the approved one.
        assert!(!is_rest(&approved, &[], &plan(&["/b"])));
        let postponed = [sent("/a", Some("retry_later"))];
        assert!(!is_rest(&approved, &postponed, &plan(&["/b"])));
    }
}
