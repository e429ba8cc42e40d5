//! Looking at actions, and undoing them.

use seatwise_runtime::contract::reclaim::{BeforeImage, Plan, Step, WriteMethod};
use serde_json::json;

use super::candidate::State;
use super::gates;
use super::model::{ActionView, BlockerView, PlanView, RequestView, SentView};
use super::planning::{self, failed, place, target};
use super::store::actions::{self as store, ActionRow, Listed};
use super::store::candidates;
use super::{ReclamationError, controls, not_found, reason};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::connectors::quota::Purpose;
use crate::identity::roles::{Actor, Permission};
use crate::kernel::ActionId;
use crate::kernel::clock::DAY_MS;
use crate::profiles::{acting, service as profiles};
use crate::store::Tx;
use crate::store::numbers::{self, Series};

/// An action can be undone for so many days.
pub const UNDO_DAYS: i64 = 30;

/// A step as a person sees it; these very bytes are sent.
pub(super) fn request_view(step: &Step) -> RequestView {
    RequestView {
        method: match step.method {
            WriteMethod::Post => "POST",
            WriteMethod::Put => "PUT",
            WriteMethod::Patch => "PATCH",
            WriteMethod::Delete => "DELETE",
        }
        .to_owned(),
        origin: step.origin.clone(),
        path: step.path.clone(),
        content_type: step.content_type.clone(),
        body: step.body.as_ref().map(|bytes| {
            String::from_utf8(bytes.clone())
                .unwrap_or_else(|_| format!("{} bytes that are no text", bytes.len()))
        }),
        says: step.says.clone(),
    }
}

/// A plan as a person sees it.
pub(super) fn plan_view(plan: &Plan) -> PlanView {
    PlanView {
        blockers: plan
            .blockers
            .iter()
            .map(|blocker| BlockerView {
                code: blocker.code.clone(),
                message: blocker.message.clone(),
                fix: blocker.fix.clone(),
            })
            .collect(),
        unchecked: plan.unchecked.clone(),
        frees: plan.frees.clone(),
        consequences: plan.consequences.clone(),
        steps: plan.steps.iter().map(request_view).collect(),
        can_be_undone: plan.before.is_some(),
    }
}

fn view(listed: Listed) -> ActionView {
    let row = listed.row;
    let can_be_undone =
        !row.is_restore && row.state == "done" && row.plan.before.is_some() && !listed.has_restore;
    ActionView {
        plan: plan_view(&row.plan),
        undo_until: row
            .ended_at
            .filter(|_| can_be_undone)
            .map(|ended| ended + UNDO_DAYS * DAY_MS),
        id: row.id,
        number: row.number,
        organization_id: row.organization_id,
        organization_name: listed.organization_name,
        account_id: row.account_id,
        principal: listed.principal,
        kind: if row.is_restore { "restore" } else { "reclaim" }.to_owned(),
        action: row.action,
        state: row.state,
        plan_digest: row.plan_digest,
        candidates: listed.candidates,
        undoes: listed.undoes,
        intended_at: row.intended_at,
        ended_at: row.ended_at,
        receipt: row
            .receipt
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok()),
        receipt_digest: row.receipt_digest,
        error_code: row.error_code,
        error_text: row.error_text,
        sent: Vec::new(),
        created_at: row.created_at,
    }
}

/// Actions that were begun, newest number first; `after` is the last number of the page before.
///
/// # Errors
/// [`ReclamationError::Denied`].
pub async fn list_actions(
    host: &Host,
    actor: &Actor,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<ActionView>, ReclamationError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let listed = store::list(&mut tx, None, after, limit.clamp(1, 500)).await?;
    Ok(listed.into_iter().map(view).collect())
}

/// One action with its requests, answers and receipt.
///
/// # Errors
/// [`ReclamationError::NotFound`], [`ReclamationError::Denied`].
pub async fn get_action(
    host: &Host,
    actor: &Actor,
    key: &str,
) -> Result<ActionView, ReclamationError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let listed = store::list(&mut tx, Some(key), None, 1)
        .await?
        .pop()
        .ok_or_else(|| not_found("action", key))?;
    let mut view = view(listed);
    view.sent = store::sent(&mut tx, &view.id).await?;
    if view.kind == "reclaim" && stopped(&view.state) && view.sent.iter().any(took_effect) {
        view.undo_until = view.ended_at.map(|ended| ended + UNDO_DAYS * DAY_MS);
    }
    Ok(view)
}

/// It ended without reaching its end.
fn stopped(state: &str) -> bool {
    matches!(state, "refused" | "abandoned")
}

/// Whether an action that a restore was planned for still stands as it did then: done, or stopped after a part of it.
pub(super) fn has_taken(state: &str) -> bool {
    state == "done" || stopped(state)
}

/// Whether a request took effect, or may have.
pub(super) fn took_effect(sent: &SentView) -> bool {
    matches!(
        sent.judgement.as_deref(),
        None | Some("done" | "already_done" | "unknown")
    )
}

/// Whether a fresh plan is what is left of an earlier one after an attempt that came to a stop in the middle: no request that was not
/// in it, none before its turn. Pure.
pub(super) fn is_rest(earlier: &Plan, sent: &[SentView], fresh: &Plan) -> bool {
    let is_begun = sent.iter().any(took_effect);
    let mut left = earlier.steps.iter().map(request_view);
    is_begun
        && fresh
            .steps
            .iter()
            .map(request_view)
            .all(|step| left.any(|earlier| earlier == step))
}

/// The action of a number, or of a candidate's number.
async fn need(tx: &mut Tx, key: &str) -> Result<ActionRow, ReclamationError> {
    if let Some(row) = store::find(tx, key).await? {
        return Ok(row);
    }
    let candidate = candidates::find(tx, key).await?;
    let action = candidate.and_then(|row| row.action_id);
    match action {
        Some(id) => store::find(tx, id.as_str())
            .await?
            .ok_or_else(|| not_found("action", key)),
        None => Err(not_found("action", key)),
    }
}

/// What an action's before-image says.
fn before_image(host: &Host, row: &ActionRow) -> Result<Option<BeforeImage>, ReclamationError> {
    let Some(sealed) = &row.before_image_sealed else {
        return Ok(None);
    };
    let plain = host
        .sealer
        .open(place(&row.id), sealed)
        .map_err(|_| ReclamationError::Sealed)?;
    serde_json::from_slice(&plain)
        .map(Some)
        .map_err(|_| ReclamationError::Sealed)
}

/// Asks the vendor how an action would be undone.
async fn restore_plan(host: &Host, row: &ActionRow) -> Result<Plan, ReclamationError> {
    let now_ms = host.now_ms();
    let mut tx = host.store.read_everything().await?;
    let rows = candidates::of_action(&mut tx, &row.id).await?;
    // One that came to a stop after some of its requests took effect has something to give back, too.
    let is_partly = stopped(&row.state)
        && store::sent(&mut tx, &row.id).await?.iter().any(took_effect)
        && rows.iter().all(|c| c.state == State::AttentionRequired);
    let is_whole = row.state == "done"
        && rows.iter().all(|c| {
            matches!(
                c.state,
                State::ClosedComplete | State::Frozen | State::Reclaimed
            )
        });
    let may = !row.is_restore && (is_whole || is_partly);
    if !may {
        return Err(ReclamationError::WrongState(format!(
            "{} is {}; only a reclaim that took effect and is not undone can be undone",
            row.number, row.state
        )));
    }
    if row
        .ended_at
        .is_none_or(|ended| ended + UNDO_DAYS * DAY_MS < now_ms)
    {
        return Err(ReclamationError::WrongState(format!(
            "{} was done more than {UNDO_DAYS} days ago",
            row.number
        )));
    }
    let Some(before) = before_image(host, row)? else {
        return Err(ReclamationError::WrongState(format!(
            "{} has no way back: its plan said so before it was approved",
            row.number
        )));
    };
    let acting = acting::acting_for(&mut tx, &row.organization_id).await?;
    let controls = controls::read(&mut tx).await?;
    drop(tx);
    if let Some(stop) = gates::organization(&controls, acting.as_ref(), Purpose::Ending, now_ms) {
        return Err(ReclamationError::Blocked(stop.text));
    }
    let Some(acting) = acting else {
        return Err(ReclamationError::Blocked("no profile".to_owned()));
    };
    if let Some(stop) = gates::write_mode(&acting) {
        return Err(ReclamationError::Blocked(stop.text));
    }
    let (link, _, _) = profiles::link(host, &acting.id).await?;
    let target = target(&row.account_id, &row.target, &row.action);
    link.plan_restore(&target, &before)
        .await
        .map_err(|error| failed(&link, &error))
}

/// The requests that would give an action's seats back. Nothing is kept or sent.
///
/// # Errors
/// [`ReclamationError::WrongState`], [`ReclamationError::Blocked`], [`ReclamationError::Vendor`], [`ReclamationError::NotFound`],
/// [`ReclamationError::Denied`].
pub async fn plan_undo(
    host: &Host,
    actor: &Actor,
    key: &str,
) -> Result<PlanView, ReclamationError> {
    actor.may(Permission::WorkCandidates)?;
    let row = need(&mut host.store.read(&actor.sight).await?, key).await?;
    Ok(plan_view(&restore_plan(host, &row).await?))
}

/// Undoes an action, of which its number or a candidate's number is given: plans the way back, and leaves the sending to the worker,
/// with the same care as the action itself. Asked twice, it answers the restore that is under way.
///
/// # Errors
/// As [`plan_undo`]; [`ReclamationError::Reason`]; [`ReclamationError::Blocked`] when the connector says what stands in the way.
pub async fn undo(
    host: &Host,
    actor: &Actor,
    key: &str,
    why: &str,
) -> Result<ActionView, ReclamationError> {
    actor.may(Permission::WorkCandidates)?;
    let why = reason(why)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let row = need(&mut tx, key).await?;
    let had = store::live_restore_of(&mut tx, &row.id).await?;
    drop(tx);
    if let Some(had) = had {
        return get_action(host, actor, had.id.as_str()).await;
    }
    let plan = restore_plan(host, &row).await?;
    if let Some(blocker) = plan.blockers.first() {
        let fix = blocker
            .fix
            .as_deref()
            .map(|fix| format!("; {fix}"))
            .unwrap_or_default();
        return Err(ReclamationError::Blocked(format!(
            "{}{fix}",
            blocker.message
        )));
    }
    let now_ms = host.now_ms();
    let id = ActionId::mint(now_ms, &*host.chance);
    let mut tx = host.store.begin().await?;
    if let Some(had) = store::live_restore_of(&mut tx, &row.id).await? {
        drop(tx);
        return get_action(host, actor, had.id.as_str()).await;
    }
    let restore = ActionRow {
        number: numbers::next(&mut tx, Series::Action).await?,
        organization_id: row.organization_id.clone(),
        account_id: row.account_id.clone(),
        is_restore: true,
        action: row.action.clone(),
        target: row.target.clone(),
        undoes: Some(row.id.clone()),
        state: "planned".to_owned(),
        plan_digest: planning::digest(&plan),
        plan: planning::stored(&plan),
        planned_at: now_ms,
        before_image_sealed: None,
        intended_at: None,
        intended_by: None,
        ended_at: None,
        receipt: None,
        receipt_digest: None,
        error_code: None,
        error_text: None,
        not_before: None,
        attempts: 0,
        version: 1,
        created_at: now_ms,
        id: id.clone(),
    };
    store::insert(&mut tx, &restore).await?;
    let entry = Entry {
        event: "action.undo_asked",
        subject_kind: "action",
        subject_id: row.id.as_str(),
        detail: json!({ "number": row.number, "restore": restore.number, "reason": why, "digest": restore.plan_digest }),
    };
    host.audit(&mut tx, actor, entry).await?;
    acting::wake_reclaim(host, &mut tx, &row.organization_id).await?;
    tx.commit().await?;
    get_action(host, actor, id.as_str()).await
}
