//! The job of kind `Plan`: asks the connector how each named seat would be taken back, and opens candidates with those plans.
//!
//! A candidate is opened together with its plan, so that nobody is ever shown, asked or approved without the literal requests.

use std::collections::BTreeMap;

use seatwise_runtime::CallError;
use seatwise_runtime::contract::reclaim::{Plan, Target};
use seatwise_runtime::contract::types::Failure;

use super::candidate::{self, Event, State};
use super::life::{self, Note};
use super::store::actions::{self, ActionRow};
use super::store::candidates::{self, CandidateRow, NewEvent};
use super::store::rules::{self, RuleRow, VersionRow};
use super::store::verdicts::{self, Asked, VerdictRow};
use super::{ReclamationError, naming};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::connectors::link::OrgLink;
use crate::identity::roles::Actor;
use crate::jobs::{self, Claimed, JobKind, JobOutcome, NewJob};
use crate::kernel::digest::sha256_hex;
use crate::kernel::money::Money;
use crate::kernel::seal::Place;
use crate::kernel::{ActionId, CandidateId, Day, OrgId};
use crate::profiles::{acting, service as profiles};
use crate::store::Tx;
use crate::store::numbers::{self, Series};
use serde_json::json;

/// Targets of one call; the contract allows 200.
const TARGETS_A_CALL: usize = 50;
/// After the vendor failed, planning is tried again so much later, doubled each time.
const AGAIN_MS: i64 = 60_000;
/// Doublings at most: a little over an hour.
const MOST_DOUBLINGS: i64 = 6;

/// Makes sure that an organization's plans are looked at soon.
///
/// # Errors
/// The database's own.
pub async fn wake(
    host: &Host,
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<(), crate::store::StoreError> {
    let job = NewJob::of_organization(JobKind::Plan, organization, host.now_ms());
    host.wake(tx, &job).await
}

/// What two plans must share to be the same: everything but the before-image, which is evidence and no request.
pub(super) fn digest(plan: &Plan) -> String {
    let mut plan = plan.clone();
    plan.before = None;
    sha256_hex(serde_json::to_string(&plan).expect("a plan is plain data with text keys"))
}

/// Handles the job.
pub async fn handle(host: &Host, job: &Claimed) -> JobOutcome {
    match work(host, job).await {
        Ok(()) | Err(ReclamationError::Lost) => JobOutcome::Done,
        Err(error) => {
            let wait = AGAIN_MS << (job.attempts - 1).clamp(0, MOST_DOUBLINGS);
            tracing::warn!(organization.id = %job.subject, error = %error, "plans were not finished; they are tried again");
            JobOutcome::RetryAt(host.now_ms() + wait, error.to_string())
        }
    }
}

async fn work(host: &Host, job: &Claimed) -> Result<(), ReclamationError> {
    let organization: OrgId = job.subject.as_str().into();
    let mut tx = host.store.read_everything().await?;
    let Some(acting) = acting::acting_for(&mut tx, &organization).await? else {
        return Ok(());
    };
    let in_force: Vec<(RuleRow, VersionRow)> = rules::list(&mut tx)
        .await?
        .into_iter()
        .filter_map(|rule| rule.in_force.clone().map(|version| (rule, version)))
        .collect();
    drop(tx);
    if !acting.is_published {
        return Ok(());
    }
    let mut link = None;
    for (rule, version) in &in_force {
        let planner = Planner {
            host,
            job,
            organization: &organization,
            rule,
            version,
        };
        let mut tx = host.store.read_everything().await?;
        let asked = Asked::new(&rule.product_id, &version.deciding, host.now_ms());
        let named = verdicts::unopened(&mut tx, &asked, &organization).await?;
        let repairable: Vec<CandidateRow> =
            candidates::open_of_organization(&mut tx, &organization)
                .await?
                .into_iter()
                .filter(|c| c.rule_id == rule.id && is_to_be_planned(c))
                .collect();
        drop(tx);
        if named.is_empty() && repairable.is_empty() {
            continue;
        }
        if link.is_none() {
            let (opened, _, _) = profiles::link(host, &acting.id).await?;
            link = Some(opened);
        }
        let Some(link) = &link else { continue };
        for chunk in named.chunks(TARGETS_A_CALL) {
            planner.open(link, chunk).await?;
        }
        for chunk in repairable.chunks(TARGETS_A_CALL) {
            planner.look_again(link, chunk).await?;
        }
    }
    if link.is_some() {
        let mut tx = host.store.begin().await?;
        jobs::hold(&mut tx, job).await?;
        let reconcile = NewJob {
            kind: JobKind::Reconcile,
            organization: None,
            key: "reconcile:candidates".to_owned(),
            subject: "candidates".to_owned(),
            due_at: host.now_ms(),
            payload: serde_json::Value::Null,
        };
        host.wake(&mut tx, &reconcile).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Whether a new plan or a resolved person ends what needs attention, without a person's word. A vendor's refusal and a seat that came
/// back take a person.
pub(super) fn is_mended_by_itself(row: &CandidateRow) -> bool {
    row.state == State::AttentionRequired
        && matches!(
            row.reason_code.as_deref(),
            Some("person_unresolved" | "blocked" | "not_planned" | "plan_changed")
        )
}

/// Whether a plan is to be made anew: to mend what needs attention, or because a person has repaired it.
fn is_to_be_planned(row: &CandidateRow) -> bool {
    is_mended_by_itself(row) || (row.state == State::Ready && row.action_id.is_none())
}

/// What is known of one seat after the connector was asked.
struct Planned {
    /// The actions, first and second, or why there are none.
    plans: Result<Vec<Plan>, Failure>,
}

impl Planned {
    /// Why a person must look first, apart from who holds the seat.
    fn trouble(&self) -> Option<Note> {
        match &self.plans {
            Err(failure) => Some(Note::because("not_planned", failure.message.clone())),
            Ok(plans) => plans
                .iter()
                .find_map(|plan| plan.blockers.first())
                .map(|blocker| {
                    let fix = blocker
                        .fix
                        .as_deref()
                        .map(|fix| format!("; {fix}"))
                        .unwrap_or_default();
                    Note::because("blocked", format!("{}{fix}", blocker.message))
                }),
        }
    }
}

struct Planner<'a> {
    host: &'a Host,
    job: &'a Claimed,
    organization: &'a OrgId,
    rule: &'a RuleRow,
    version: &'a VersionRow,
}

impl Planner<'_> {
    /// Asks for the plans of each seat, one per action of the rule.
    async fn ask(
        &self,
        link: &OrgLink,
        seats: &[(&str, &str)],
    ) -> Result<Vec<Planned>, ReclamationError> {
        let mut planned: Vec<Planned> = seats
            .iter()
            .map(|_| Planned {
                plans: Ok(Vec::new()),
            })
            .collect();
        for action in &self.version.deciding.actions {
            let targets: Vec<Target> = seats
                .iter()
                .map(|(account, identifier)| target(account, identifier, action))
                .collect();
            let answers = link
                .plan_reclaim(&targets)
                .await
                .map_err(|error| failed(link, &error))?;
            for (slot, answer) in planned.iter_mut().zip(answers) {
                match (&mut slot.plans, answer) {
                    (Ok(plans), Ok(plan)) => plans.push(plan),
                    (Ok(_), Err(failure)) => slot.plans = Err(failure),
                    (Err(_), _) => {}
                }
            }
        }
        Ok(planned)
    }

    /// Opens candidates for seats that the rule names.
    async fn open(&self, link: &OrgLink, seats: &[VerdictRow]) -> Result<(), ReclamationError> {
        let asked: Vec<(&str, &str)> = seats
            .iter()
            .map(|seat| (seat.account_id.as_str(), seat.identifier.as_str()))
            .collect();
        let planned = self.ask(link, &asked).await?;
        let host = self.host;
        let now_ms = host.now_ms();
        let today = Day::of_ms(now_ms);
        let mut tx = host.store.begin().await?;
        jobs::hold(&mut tx, self.job).await?;
        if !self.is_in_force(&mut tx).await? {
            return Ok(());
        }
        let one = [(self.organization.clone(), 1)];
        let price: Option<Money> =
            naming::worth(&mut tx, &self.rule.product_id, &one, today).await?;
        let (prefix, first) = numbers::next_block(
            &mut tx,
            Series::Candidate,
            i64::try_from(seats.len()).unwrap_or(i64::MAX),
        )
        .await?;
        let deciding = &self.version.deciding;
        let is_notice_on = deciding.notice && deciding.days > 0;
        let (mut rows, mut events) = (Vec::new(), Vec::new());
        for ((number, seat), planned) in (first..).zip(seats).zip(&planned) {
            let Some(baseline_at) = seat.baseline_at else {
                continue;
            };
            let action_id = self
                .keep_plans(&mut tx, &seat.account_id, &seat.identifier, planned)
                .await?;
            let trouble = planned.trouble();
            let is_resolved = seat.person_id.is_some();
            let state = candidate::open(is_notice_on, is_resolved, trouble.is_some());
            let note = match trouble {
                Some(note) => note,
                None if state == State::AttentionRequired => unresolved(),
                None => Note::default(),
            };
            let row = CandidateRow {
                id: CandidateId::mint(now_ms, &*host.chance),
                number: format!("{prefix}{number:07}"),
                organization_id: self.organization.clone(),
                account_id: seat.account_id.clone(),
                identifier: seat.identifier.clone(),
                product_id: self.rule.product_id.clone(),
                rule_id: self.rule.id.clone(),
                rule_version_id: self.version.id.clone(),
                person_id: seat.person_id.clone(),
                state,
                held_from: None,
                reason_code: note.code.map(str::to_owned),
                reason_text: note.text.clone(),
                inactive_days: Day::of_ms(baseline_at).days_until(today),
                baseline_at,
                saving_minor: price.map(|money| money.minor),
                currency: price.map(|money| money.currency.code().to_owned()),
                action_id,
                batch_id: None,
                due_at: None,
                state_since: now_ms,
                opened_at: now_ms,
                closed_at: None,
                version: 1,
            };
            events.push(NewEvent {
                candidate: row.id.clone(),
                seq: 1,
                at: now_ms,
                actor: Actor::SYSTEM_ID.to_owned(),
                event: "opened".to_owned(),
                from: None,
                to: state,
                reason: note.text,
            });
            rows.push(row);
        }
        candidates::insert(&mut tx, &rows, &events).await?;
        let entry = Entry {
            event: "candidates.opened",
            subject_kind: "rule",
            subject_id: self.rule.id.as_str(),
            detail: json!({
                "organization": self.organization.as_str(), "version": self.version.version_no,
                "candidates": rows.iter().map(|row| &row.number).collect::<Vec<_>>(),
            }),
        };
        host.audit(&mut tx, &Actor::system(), entry).await?;
        Ok(tx.commit().await?)
    }

    /// Looks at candidates that needed attention once more; what is repaired is ready again.
    async fn look_again(
        &self,
        link: &OrgLink,
        rows: &[CandidateRow],
    ) -> Result<(), ReclamationError> {
        let asked: Vec<(&str, &str)> = rows
            .iter()
            .map(|row| (row.account_id.as_str(), row.identifier.as_str()))
            .collect();
        let planned = self.ask(link, &asked).await?;
        let host = self.host;
        let mut tx = host.store.begin().await?;
        jobs::hold(&mut tx, self.job).await?;
        if !self.is_in_force(&mut tx).await? {
            return Ok(());
        }
        let now: BTreeMap<CandidateId, (CandidateRow, Option<String>)> =
            candidates::open_with_facts(&mut tx, self.organization)
                .await?
                .into_iter()
                .map(|it| (it.row.id.clone(), (it.row, it.matched)))
                .collect();
        let deciding = &self.version.deciding;
        let needs_person = deciding.notice && deciding.days > 0;
        let mut repaired = Vec::new();
        for (seen, planned) in rows.iter().zip(&planned) {
            let Some((row, matched)) = now.get(&seen.id) else {
                continue;
            };
            if row.version != seen.version || row.rule_version_id != self.version.id {
                continue;
            }
            let mut row = row.clone();
            row.action_id = self
                .keep_plans(&mut tx, &row.account_id, &row.identifier, planned)
                .await?
                .or(row.action_id);
            row.person_id.clone_from(matched);
            match planned.trouble() {
                None if row.state == State::Ready => candidates::touch(&mut tx, &row).await?,
                None if !needs_person || matched.is_some() => repaired.push((row, Note::default())),
                trouble => {
                    let note = trouble.unwrap_or_else(unresolved);
                    row.reason_code = note.code.map(str::to_owned);
                    row.reason_text = note.text;
                    candidates::touch(&mut tx, &row).await?;
                }
            }
        }
        life::advance(host, &mut tx, &Actor::system(), Event::Repaired, repaired).await?;
        Ok(tx.commit().await?)
    }

    async fn is_in_force(&self, tx: &mut Tx) -> Result<bool, ReclamationError> {
        let now = rules::find(tx, self.rule.id.as_str()).await?;
        Ok(now
            .and_then(|rule| rule.in_force)
            .is_some_and(|version| version.id == self.version.id))
    }

    /// Keeps the plans as actions, one row for each thing held and each word; answers the first one.
    async fn keep_plans(
        &self,
        tx: &mut Tx,
        account: &str,
        identifier: &str,
        planned: &Planned,
    ) -> Result<Option<ActionId>, ReclamationError> {
        let Ok(plans) = &planned.plans else {
            return Ok(None);
        };
        let host = self.host;
        let now_ms = host.now_ms();
        let mut first = None;
        for (word, plan) in self.version.deciding.actions.iter().zip(plans) {
            let digest = digest(plan);
            let had =
                actions::find_newest(tx, self.organization, account, identifier, word, "planned")
                    .await?;
            let id = match had {
                Some(mut row) if row.attempts == 0 => {
                    if row.plan_digest != digest {
                        row.plan = stored(plan);
                        row.plan_digest = digest;
                        row.planned_at = now_ms;
                        row.before_image_sealed = seal(host, &row.id, plan)?;
                        actions::save(tx, &mut row, None).await?;
                    }
                    row.id
                }
                _ => {
                    let id = ActionId::mint(now_ms, &*host.chance);
                    let row = ActionRow {
                        number: numbers::next(tx, Series::Action).await?,
                        organization_id: self.organization.clone(),
                        account_id: account.to_owned(),
                        is_restore: false,
                        action: word.clone(),
                        target: identifier.to_owned(),
                        undoes: None,
                        state: "planned".to_owned(),
                        plan: stored(plan),
                        plan_digest: digest,
                        planned_at: now_ms,
                        before_image_sealed: seal(host, &id, plan)?,
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
                        id,
                    };
                    actions::insert(tx, &row).await?;
                    row.id
                }
            };
            first.get_or_insert(id);
        }
        Ok(first)
    }
}

fn unresolved() -> Note {
    Note::because(
        "person_unresolved",
        "the rule asks the holder first, and the account matches nobody of the directory",
    )
}

/// The target of an action.
pub(super) fn target(account: &str, identifier: &str, action: &str) -> Target {
    Target {
        account: account.to_owned(),
        identifier: identifier.to_owned(),
        action: action.to_owned(),
        to: None,
    }
}

/// A plan as it is stored in the clear: the before-image is sealed apart.
pub(super) fn stored(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    if let Some(before) = &mut plan.before {
        before.data = Vec::new();
    }
    plan
}

/// The before-image, sealed for its action.
pub(super) fn seal(
    host: &Host,
    action: &ActionId,
    plan: &Plan,
) -> Result<Option<Vec<u8>>, ReclamationError> {
    let Some(before) = &plan.before else {
        return Ok(None);
    };
    let text = serde_json::to_vec(before).expect("a before-image is plain data");
    host.sealer
        .seal(place(action), &text, &*host.chance)
        .map(Some)
        .map_err(|_| ReclamationError::Sealed)
}

/// Where a before-image lives.
pub(super) fn place(action: &ActionId) -> Place<'_> {
    Place {
        table: "actions",
        row: action.as_str(),
        column: "before_image_sealed",
    }
}

/// A failed call as an error for a person.
pub(super) fn failed(link: &OrgLink, error: &CallError) -> ReclamationError {
    ReclamationError::Vendor(link.explain(error))
}
