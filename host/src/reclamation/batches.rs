//! Batches and approval B: exactly the listed candidates, with the literal requests that were seen.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::candidate::{Event, State};
use super::life::{self, Note};
use super::model::{BatchItemView, BatchView, Difference, PlanView, RuleState};
use super::store::actions::{self, ActionRow};
use super::store::batches;
use super::store::batches::{self as store, BatchRow, ReadyRow};
use super::store::candidates::{self, CandidateRow};
use super::store::rules::{self, NewApproval, RuleRow, VersionRow};
use super::{ReclamationError, actions as action_views, authority, follow, not_found, telling};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Permission};
use crate::kernel::digest::sha256_hex;
use crate::kernel::{ApprovalId, BatchId, CandidateId, OrgId};
use crate::profiles::acting;
use crate::store::Tx;
use crate::store::numbers::{self, Series};

/// Most people of one batch: what a person can look at, and one statement can carry.
pub const MOST_ITEMS: usize = 5_000;

/// What approval B belongs to: the rule version and the list of candidates with their plans.
fn digest_of(version: &VersionRow, items: &[(CandidateId, String)]) -> String {
    let mut listed: Vec<(&str, &str)> = items
        .iter()
        .map(|(candidate, plan)| (candidate.as_str(), plan.as_str()))
        .collect();
    listed.sort_unstable();
    sha256_hex(json!([version.id.as_str(), version.digest, listed]).to_string())
}

/// The digest of everything that would be done to a candidate: the plans of the rule's actions in their order. `None` when there is no
/// plan, or something is in its way.
pub(super) async fn plans_digest(
    tx: &mut Tx,
    version: &VersionRow,
    organization: &OrgId,
    account: &str,
    first: &str,
) -> Result<Option<String>, ReclamationError> {
    let Some(row) = actions::find(tx, first).await? else {
        return Ok(None);
    };
    if !row.plan.blockers.is_empty() {
        return Ok(None);
    }
    let mut digests = vec![row.plan_digest.clone()];
    for word in version.deciding.actions.iter().skip(1) {
        match actions::find_newest(tx, organization, account, &row.target, word, "planned").await? {
            Some(next) if next.plan.blockers.is_empty() => digests.push(next.plan_digest),
            _ => return Ok(None),
        }
    }
    Ok(Some(if digests.len() == 1 {
        digests.remove(0)
    } else {
        sha256_hex(json!(digests).to_string())
    }))
}

/// The same when the first action is done and the second is due: the first's digest is that of its done action.
pub(super) async fn second_digest(
    tx: &mut Tx,
    row: &CandidateRow,
    version: &VersionRow,
    second: &ActionRow,
) -> Result<Option<String>, ReclamationError> {
    let Some(word) = version.deciding.actions.first() else {
        return Ok(None);
    };
    let (account, target) = (&row.account_id, &second.target);
    let done =
        actions::find_newest(tx, &row.organization_id, account, target, word, "done").await?;
    Ok(done.map(|first| sha256_hex(json!([first.plan_digest, second.plan_digest]).to_string())))
}

/// Ready candidates with the digests of their plans, and those that something stands in the way of.
async fn ready(
    tx: &mut Tx,
    rule: &RuleRow,
    version: &VersionRow,
) -> Result<(Vec<(ReadyRow, String)>, Vec<ReadyRow>), ReclamationError> {
    let (mut can, mut cannot) = (Vec::new(), Vec::new());
    for row in store::ready(tx, &rule.id).await? {
        let digest = match &row.action_id {
            Some(action) => {
                let organization: OrgId = row.organization_id.as_str().into();
                plans_digest(tx, version, &organization, &row.account_id, action).await?
            }
            None => None,
        };
        match digest {
            Some(digest) => can.push((row, digest)),
            None => cannot.push(row),
        }
    }
    Ok((can, cannot))
}

fn in_force(rule: &RuleRow) -> Result<&VersionRow, ReclamationError> {
    match (&rule.in_force, rule.state) {
        (Some(version), RuleState::InForce) => Ok(version),
        _ => Err(ReclamationError::WrongState(format!(
            "no version of {} is in force, so it has no candidates",
            rule.number
        ))),
    }
}

/// Puts a batch together from all ready candidates of a rule, or from those listed. Nothing happens to anybody by it. An older
/// proposal of the rule gives way.
///
/// # Errors
/// [`ReclamationError::NotFound`] for a rule or candidate, [`ReclamationError::WrongState`] when there is nobody to list or a listed
/// one is not ready, [`ReclamationError::Denied`].
pub async fn create_batch(
    host: &Host,
    actor: &Actor,
    rule: &str,
    listed: &[String],
) -> Result<BatchView, ReclamationError> {
    // A list takes the place of the rule's other open lists, whoever is in them.
    actor.may_everywhere(Permission::WorkCandidates)?;
    let mut tx = host.store.begin().await?;
    let rule = rules::find(&mut tx, rule)
        .await?
        .ok_or_else(|| not_found("rule", rule))?;
    let version = in_force(&rule)?.clone();
    let (mut can, cannot) = ready(&mut tx, &rule, &version).await?;
    if !listed.is_empty() {
        let wanted: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
        for key in &wanted {
            let is_there = can
                .iter()
                .any(|(row, _)| row.number == *key || row.candidate.as_str() == *key);
            if is_there {
                continue;
            }
            let row = candidates::find(&mut tx, key)
                .await?
                .ok_or_else(|| not_found("candidate", key))?;
            return Err(ReclamationError::WrongState(format!(
                "{} is {} and cannot be listed: {}",
                row.number,
                row.state.as_str(),
                row.reason_text
                    .as_deref()
                    .unwrap_or("only ready ones of this rule, with nothing in the way, can")
            )));
        }
        can.retain(|(row, _)| {
            wanted.contains(row.number.as_str()) || wanted.contains(row.candidate.as_str())
        });
    }
    if can.is_empty() {
        return Err(ReclamationError::WrongState(format!(
            "{} has no ready candidate with nothing in the way",
            rule.number
        )));
    }
    if can.len() > MOST_ITEMS {
        return Err(ReclamationError::WrongState(format!(
            "{} candidates are ready; list at most {MOST_ITEMS} of them",
            can.len()
        )));
    }
    let items: Vec<(CandidateId, String)> = can
        .into_iter()
        .map(|(row, digest)| (row.candidate, digest))
        .collect();
    let now_ms = host.now_ms();
    let batch = BatchRow {
        id: BatchId::mint(now_ms, &*host.chance),
        number: numbers::next(&mut tx, Series::Batch).await?,
        rule_id: rule.id.clone(),
        rule_version_id: version.id.clone(),
        selection: if listed.is_empty() { "all" } else { "listed" }.to_owned(),
        state: "proposed".to_owned(),
        digest: digest_of(&version, &items),
        created_by: actor.id.to_string(),
        created_by_name: actor.name.clone(),
        approved_at: None,
        version: 1,
        created_at: now_ms,
        items: i64::try_from(items.len()).unwrap_or(i64::MAX),
    };
    store::insert(&mut tx, &batch, &items).await?;
    store::supersede(&mut tx, &rule.id, &batch.id).await?;
    let entry = Entry {
        event: "batch.proposed",
        subject_kind: "batch",
        subject_id: batch.id.as_str(),
        detail: json!({
            "number": batch.number, "rule": rule.number, "digest": batch.digest, "people": items.len(),
            "left_out": cannot.iter().map(|row| &row.number).collect::<Vec<_>>(),
        }),
    };
    host.audit(&mut tx, actor, entry).await?;
    telling::batch_waits(
        host,
        &mut tx,
        (&batch.id, &batch.number),
        &rule.name,
        batch.items,
    )
    .await?;
    tx.commit().await?;
    get_batch(host, actor, batch.id.as_str()).await
}

/// Batches, newest first, without their items.
///
/// # Errors
/// [`ReclamationError::Denied`].
pub async fn list_batches(host: &Host, actor: &Actor) -> Result<Vec<BatchView>, ReclamationError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let mut views = Vec::new();
    for row in store::list(&mut tx, 200).await? {
        views.push(view(host, &mut tx, actor, row, false).await?);
    }
    Ok(views)
}

/// One batch with everybody in it and the literal requests.
///
/// # Errors
/// [`ReclamationError::NotFound`], [`ReclamationError::Denied`].
pub async fn get_batch(
    host: &Host,
    actor: &Actor,
    key: &str,
) -> Result<BatchView, ReclamationError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let row = store::find(&mut tx, key)
        .await?
        .ok_or_else(|| not_found("batch", key))?;
    view(host, &mut tx, actor, row, true).await
}

async fn version_of(
    tx: &mut Tx,
    rule: &RuleRow,
    batch: &BatchRow,
) -> Result<VersionRow, ReclamationError> {
    Ok(rules::get_version(tx, rule, &batch.rule_version_id).await?)
}

async fn view(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    row: BatchRow,
    is_whole: bool,
) -> Result<BatchView, ReclamationError> {
    let rule = rules::find(tx, row.rule_id.as_str())
        .await?
        .ok_or_else(|| not_found("rule", row.rule_id.as_str()))?;
    let version = version_of(tx, &rule, &row).await?;
    let rows = store::item_rows(tx, &row.id).await?;
    let mut seats: BTreeMap<String, i64> = BTreeMap::new();
    let (mut saving, mut currency, mut is_known) = (0_i64, None, true);
    for item in &rows {
        *seats.entry(item.organization_id.clone()).or_default() += 1;
        match (item.saving_minor, &item.currency, &currency) {
            (Some(minor), Some(code), had) if had.as_ref().is_none_or(|had| had == code) => {
                saving += minor;
                currency = Some(code.clone());
            }
            _ => is_known = false,
        }
    }
    let approvers_needed = if row.state == "proposed" {
        authority::approvers_needed(host, tx, &rule, &seats).await?
    } else {
        1
    };
    let may_not_approve = match row.state.as_str() {
        "proposed" => authority::objection(host, tx, actor, &rule, &version).await?,
        state => Some(format!("the batch is {state}")),
    };
    let mut items = Vec::new();
    let mut left_out = Vec::new();
    if is_whole {
        for item in rows {
            let plan = match &item.action_id {
                Some(action) => actions::find(tx, action).await?.map(|it| it.plan),
                None => None,
            };
            items.push(BatchItemView {
                plan: plan
                    .as_ref()
                    .map_or_else(PlanView::default, action_views::plan_view),
                candidate_number: item.number,
                organization_name: item.organization_name,
                principal: item.principal,
                account_name: item.account_name,
                account_id: item.account_id,
                inactive_days: item.inactive_days,
                saving_minor: item.saving_minor,
                currency: item.currency,
                state: item.state,
                plan_digest: item.plan_digest,
            });
        }
        if row.state == "proposed" && rule.in_force.is_some() {
            let (_, cannot) = ready(tx, &rule, &version).await?;
            left_out = cannot
                .into_iter()
                .map(|it| format!("{} {}", it.number, it.principal))
                .collect();
        }
    }
    Ok(BatchView {
        decisions: rules::decisions(tx, "batch", row.id.as_str(), &row.digest).await?,
        then: then(&version),
        rule_number: rule.number,
        rule_name: rule.name,
        version_no: version.version_no,
        id: row.id,
        number: row.number,
        selection: row.selection,
        state: row.state,
        digest: row.digest,
        people_count: row.items,
        saving_minor: (is_known && row.items > 0).then_some(saving),
        currency: currency.filter(|_| is_known),
        items,
        left_out,
        created_by: row.created_by_name,
        created_at: row.created_at,
        approved_at: row.approved_at,
        approvers_needed,
        may_not_approve,
    })
}

/// What happens to each after approval.
fn then(version: &VersionRow) -> String {
    let deciding = &version.deciding;
    let asked = if deciding.notice && deciding.days > 0 {
        let silence = match deciding.silence {
            super::rule::Silence::Hold => "no answer keeps the seat on hold",
            super::rule::Silence::Reclaim => "no answer means that the seat is taken back",
        };
        format!(
            "Each holder is asked by mail and has {} days; {silence}. ",
            deciding.days
        )
    } else {
        "Nobody is asked. ".to_owned()
    };
    format!(
        "{asked}Right before each request the facts are looked at once more; the request is sent only if it is the one listed here."
    )
}

/// What changed since a batch was put together.
async fn difference(
    tx: &mut Tx,
    rule: &RuleRow,
    batch: &BatchRow,
) -> Result<(Difference, Vec<CandidateId>), ReclamationError> {
    let mut difference = Difference::default();
    let items: BTreeMap<CandidateId, String> =
        store::items(tx, &batch.id).await?.into_iter().collect();
    let Some(version) = rule.in_force.as_ref() else {
        difference.rule.push("state".to_owned());
        return Ok((difference, Vec::new()));
    };
    if version.id != batch.rule_version_id {
        let old = version_of(tx, rule, batch).await?;
        difference.rule = super::rule::differences(&old.deciding, &version.deciding);
    }
    let (can, cannot) = ready(tx, rule, version).await?;
    let mut still = Vec::new();
    for (row, digest) in can {
        let says = format!("{} {}", row.number, row.principal);
        match items.get(&row.candidate) {
            None if batch.selection == "all" => difference.added.push(says),
            None => {}
            Some(seen) if *seen != digest => difference.changed.push(says),
            Some(_) => still.push(row.candidate),
        }
    }
    for row in cannot {
        if items.contains_key(&row.candidate) {
            difference
                .changed
                .push(format!("{} {}", row.number, row.principal));
        }
    }
    let changed: BTreeSet<&str> = difference
        .changed
        .iter()
        .filter_map(|says| says.split(' ').next())
        .collect();
    for candidate in items.keys() {
        if !still.contains(candidate)
            && let Some(row) = candidates::find(tx, candidate.as_str()).await?
            && !changed.contains(row.number.as_str())
        {
            difference.dropped.push(row.number);
        }
    }
    Ok((difference, still))
}

/// Approval B: exactly the listed candidates may be taken back. Somebody who dropped out never stands in the way; an added person or a
/// changed plan does. The same approval twice is one.
///
/// # Errors
/// [`ReclamationError::Stale`] with the difference, [`ReclamationError::OwnWork`], [`ReclamationError::WrongState`],
/// [`ReclamationError::NotFound`], [`ReclamationError::Denied`].
pub async fn approve_batch(
    host: &Host,
    actor: &Actor,
    key: &str,
    seen: &str,
) -> Result<BatchView, ReclamationError> {
    actor.may(Permission::Approve)?;
    // Only somebody who sees everybody in it.
    store::find(&mut host.store.read(&actor.sight).await?, key)
        .await?
        .ok_or_else(|| not_found("batch", key))?;
    let mut tx = host.store.begin().await?;
    let batch = store::find(&mut tx, key)
        .await?
        .ok_or_else(|| not_found("batch", key))?;
    let rule = rules::find(&mut tx, batch.rule_id.as_str())
        .await?
        .ok_or_else(|| not_found("rule", batch.rule_id.as_str()))?;
    let version = version_of(&mut tx, &rule, &batch).await?;
    authority::require(host, &mut tx, actor, &rule, &version).await?;
    if batch.state == "approved" && seen == batch.digest {
        return view(host, &mut tx, actor, batch, true).await;
    }
    let (difference, still) = difference(&mut tx, &rule, &batch).await?;
    if batch.state != "proposed" {
        return Err(ReclamationError::WrongState(format!(
            "{} is {}; make a new list",
            batch.number, batch.state
        )));
    }
    if seen != batch.digest || difference.is_stale() {
        let difference = if actor.sight.is_whole() {
            difference
        } else {
            // What changed for people that the actor does not see is not told to them.
            let mut seen = host.store.read(&actor.sight).await?;
            self::difference(&mut seen, &rule, &batch).await?.0
        };
        return Err(ReclamationError::Stale {
            what: "batch",
            difference,
        });
    }
    if still.is_empty() {
        return Err(ReclamationError::WrongState(format!(
            "nobody of {} is ready any more",
            batch.number
        )));
    }
    let now_ms = host.now_ms();
    let via = actor.via_word();
    let approval = NewApproval {
        id: &ApprovalId::mint(now_ms, &*host.chance),
        subject_kind: "batch",
        subject_id: batch.id.as_str(),
        digest: &batch.digest,
        principal_id: actor.id.as_str(),
        via: &via,
        is_approved: true,
        reason: None,
        seats: Some(i64::try_from(still.len()).unwrap_or(i64::MAX)),
        now_ms,
    };
    let is_new = rules::insert_approval(&mut tx, &approval).await?;
    let given = rules::decisions(&mut tx, "batch", batch.id.as_str(), &batch.digest).await?;
    let mut seats: BTreeMap<String, i64> = BTreeMap::new();
    for item in store::item_rows(&mut tx, &batch.id).await? {
        *seats.entry(item.organization_id).or_default() += 1;
    }
    let needed = authority::approvers_needed(host, &mut tx, &rule, &seats).await?;
    if is_new {
        let entry = Entry {
            event: "batch.approved",
            subject_kind: "batch",
            subject_id: batch.id.as_str(),
            detail: json!({
                "number": batch.number, "digest": batch.digest, "people": still.len(), "approvals": given.len(), "needed": needed,
                "dropped": difference.dropped,
            }),
        };
        host.audit(&mut tx, actor, entry).await?;
    }
    if i64::try_from(given.len()).unwrap_or(i64::MAX) >= needed {
        give(host, &mut tx, actor, &version, &batch, &still).await?;
    }
    tx.commit().await?;
    get_batch(host, actor, batch.id.as_str()).await
}

/// Moves the approved candidates on: asks their holders, or goes on at once.
async fn give(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    version: &VersionRow,
    batch: &BatchRow,
    approved: &[CandidateId],
) -> Result<(), ReclamationError> {
    if !batches::approve(tx, batch, host.now_ms()).await? {
        return Err(crate::store::StoreError::Conflict.into());
    }
    let mut rows: Vec<CandidateRow> = Vec::with_capacity(approved.len());
    for id in approved {
        if let Some(mut row) = candidates::find(tx, id.as_str()).await?
            && row.state == State::Ready
        {
            row.batch_id = Some(batch.id.clone());
            rows.push(row);
        }
    }
    let deciding = &version.deciding;
    let asks = deciding.notice && deciding.days > 0;
    let event = if asks {
        Event::ApprovedWithNotice
    } else {
        Event::ApprovedWithoutNotice
    };
    let organizations: BTreeSet<OrgId> =
        rows.iter().map(|row| row.organization_id.clone()).collect();
    let note = if asks {
        Note::because("asked", "the holder is asked; the time runs from delivery")
    } else {
        Note::default()
    };
    let rows = life::advance_all(host, tx, actor, event, rows, &note).await?;
    if asks {
        for row in &rows {
            follow::ask_holder(host, tx, row, deciding).await?;
        }
    }
    for organization in &organizations {
        acting::wake_reclaim(host, tx, organization).await?;
    }
    Ok(())
}
