//! SQL of candidates and what happened to them.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::unknown;
use crate::kernel::{ActionId, BatchId, CandidateId, OrgId, ProductId, RuleId, RuleVersionId};
use crate::reclamation::candidate::State;
use crate::reclamation::model::{CandidateEventView, CandidateView};
use crate::store::{StoreError, Tx, bulk};

/// A candidate as stored.
#[derive(Clone, Debug)]
pub(in crate::reclamation) struct CandidateRow {
    pub id: CandidateId,
    pub number: String,
    pub organization_id: OrgId,
    pub account_id: String,
    pub identifier: String,
    pub product_id: ProductId,
    pub rule_id: RuleId,
    pub rule_version_id: RuleVersionId,
    pub person_id: Option<String>,
    pub state: State,
    pub held_from: Option<State>,
    pub reason_code: Option<String>,
    pub reason_text: Option<String>,
    pub inactive_days: i64,
    pub baseline_at: i64,
    pub saving_minor: Option<i64>,
    pub currency: Option<String>,
    pub action_id: Option<ActionId>,
    pub batch_id: Option<BatchId>,
    pub due_at: Option<i64>,
    pub state_since: i64,
    pub opened_at: i64,
    pub closed_at: Option<i64>,
    /// Also the number of its newest event.
    pub version: i64,
}

/// One thing that happened.
pub(in crate::reclamation) struct NewEvent {
    pub candidate: CandidateId,
    pub seq: i64,
    pub at: i64,
    pub actor: String,
    pub event: String,
    pub from: Option<State>,
    pub to: State,
    pub reason: Option<String>,
}

fn state(word: &str) -> Result<State, StoreError> {
    State::parse(word).ok_or_else(|| unknown("candidate state", word))
}

fn candidate(row: &AnyRow) -> Result<CandidateRow, StoreError> {
    let text = |column: &str| -> Result<String, StoreError> { Ok(row.try_get(column)?) };
    let maybe = |column: &str| -> Result<Option<String>, StoreError> { Ok(row.try_get(column)?) };
    Ok(CandidateRow {
        id: text("id")?.into(),
        number: text("number")?,
        organization_id: text("organization_id")?.into(),
        account_id: text("account_id")?,
        identifier: text("identifier")?,
        product_id: text("product_id")?.into(),
        rule_id: text("rule_id")?.into(),
        rule_version_id: text("rule_version_id")?.into(),
        person_id: maybe("person_id")?,
        state: state(&text("state")?)?,
        held_from: maybe("held_from")?.as_deref().map(state).transpose()?,
        reason_code: maybe("reason_code")?,
        reason_text: maybe("reason_text")?,
        inactive_days: row.try_get("inactive_days")?,
        baseline_at: row.try_get("baseline_at")?,
        saving_minor: row.try_get("saving_minor")?,
        currency: maybe("currency")?,
        action_id: maybe("action_id")?.map(ActionId::from),
        batch_id: maybe("batch_id")?.map(BatchId::from),
        due_at: row.try_get("due_at")?,
        state_since: row.try_get("state_since")?,
        opened_at: row.try_get("opened_at")?,
        closed_at: row.try_get("closed_at")?,
        version: row.try_get("version")?,
    })
}

/// Writes new candidates with their first event.
pub(in crate::reclamation) async fn insert(
    tx: &mut Tx,
    rows: &[CandidateRow],
    events: &[NewEvent],
) -> Result<(), StoreError> {
    bulk::insert(
        tx,
        "insert into candidates (id, number, organization_id, account_id, identifier, product_id, rule_id, rule_version_id, person_id, \
           state, reason_code, reason_text, inactive_days, baseline_at, saving_minor, currency, action_id, state_since, opened_at, version) ",
        "",
        20,
        rows,
        |values, row| {
            values
                .push_bind(row.id.to_string())
                .push_bind(row.number.clone())
                .push_bind(row.organization_id.to_string())
                .push_bind(row.account_id.clone())
                .push_bind(row.identifier.clone())
                .push_bind(row.product_id.to_string())
                .push_bind(row.rule_id.to_string())
                .push_bind(row.rule_version_id.to_string())
                .push_bind(row.person_id.clone())
                .push_bind(row.state.as_str().to_owned())
                .push_bind(row.reason_code.clone())
                .push_bind(row.reason_text.clone())
                .push_bind(row.inactive_days)
                .push_bind(row.baseline_at)
                .push_bind(row.saving_minor)
                .push_bind(row.currency.clone())
                .push_bind(row.action_id.as_ref().map(ToString::to_string))
                .push_bind(row.state_since)
                .push_bind(row.opened_at)
                .push_bind(row.version);
        },
    )
    .await?;
    insert_events(tx, events).await
}

async fn insert_events(tx: &mut Tx, events: &[NewEvent]) -> Result<(), StoreError> {
    bulk::insert(
        tx,
        "insert into candidate_events (candidate_id, seq, at, actor_id, event, from_state, to_state, reason) ",
        "",
        8,
        events,
        |values, event| {
            values
                .push_bind(event.candidate.to_string())
                .push_bind(event.seq)
                .push_bind(event.at)
                .push_bind(event.actor.clone())
                .push_bind(event.event.clone())
                .push_bind(event.from.map(|state| state.as_str().to_owned()))
                .push_bind(event.to.as_str().to_owned())
                .push_bind(event.reason.clone());
        },
    )
    .await?;
    Ok(())
}

/// Writes candidates that were moved, each by one event, with those events. `rows` carry their new version.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else has moved one of them since it was read.
pub(in crate::reclamation) async fn save(
    tx: &mut Tx,
    rows: &[CandidateRow],
    events: &[NewEvent],
) -> Result<(), StoreError> {
    let written = bulk::insert(
        tx,
        "with v (id, version, state, held_from, reason_code, reason_text, person_id, action_id, batch_id, due_at, state_since, \
           closed_at) as (",
        ") update candidates set version = v.version, state = v.state, held_from = v.held_from, reason_code = v.reason_code, \
           reason_text = v.reason_text, person_id = v.person_id, action_id = v.action_id, batch_id = v.batch_id, due_at = v.due_at, \
           state_since = v.state_since, closed_at = v.closed_at \
         from v where candidates.id = v.id and candidates.version = v.version - 1",
        12,
        rows,
        |values, row| {
            values
                .push_bind(row.id.to_string())
                .push_bind(row.version)
                .push_bind(row.state.as_str().to_owned())
                .push_bind(row.held_from.map(|state| state.as_str().to_owned()))
                .push_bind(row.reason_code.clone())
                .push_bind(row.reason_text.clone())
                .push_bind(row.person_id.clone())
                .push_bind(row.action_id.as_ref().map(ToString::to_string))
                .push_bind(row.batch_id.as_ref().map(ToString::to_string))
                .push_bind(row.due_at)
                .push_bind(row.state_since)
                .push_bind(row.closed_at);
        },
    )
    .await?;
    if written != u64::try_from(rows.len()).unwrap_or(u64::MAX) {
        return Err(StoreError::Conflict);
    }
    insert_events(tx, events).await
}

/// Notes about a candidate that stays where it is: its action, person, due time.
pub(in crate::reclamation) async fn touch(
    tx: &mut Tx,
    row: &CandidateRow,
) -> Result<(), StoreError> {
    sqlx::query(
        "update candidates set reason_code = $2, reason_text = $3, person_id = $4, action_id = $5, due_at = $6 where id = $1 and version = $7",
    )
    .bind(row.id.as_str())
    .bind(row.reason_code.clone())
    .bind(row.reason_text.clone())
    .bind(row.person_id.clone())
    .bind(row.action_id.as_ref().map(ToString::to_string))
    .bind(row.due_at)
    .bind(row.version)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// By id or number.
pub(in crate::reclamation) async fn find(
    tx: &mut Tx,
    key: &str,
) -> Result<Option<CandidateRow>, StoreError> {
    let row = sqlx::query("select * from candidates where id = $1 or number = $1")
        .bind(key)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(candidate).transpose()
}

/// Open candidates of an organization.
pub(in crate::reclamation) async fn open_of_organization(
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<Vec<CandidateRow>, StoreError> {
    sqlx::query(
        "select * from candidates where organization_id = $1 and closed_at is null order by number",
    )
    .bind(organization.as_str())
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(candidate)
    .collect()
}

/// Candidates of a rule that are open.
pub(in crate::reclamation) async fn open_of_rule(
    tx: &mut Tx,
    rule: &RuleId,
) -> Result<Vec<CandidateRow>, StoreError> {
    sqlx::query("select * from candidates where rule_id = $1 and closed_at is null order by number")
        .bind(rule.as_str())
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(candidate)
        .collect()
}

/// Candidates that an action ends, closed ones too.
pub(in crate::reclamation) async fn of_action(
    tx: &mut Tx,
    action: &ActionId,
) -> Result<Vec<CandidateRow>, StoreError> {
    sqlx::query("select * from candidates where action_id = $1 order by number")
        .bind(action.as_str())
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(candidate)
        .collect()
}

/// An open candidate with what the last download says of its subscription.
pub(in crate::reclamation) struct WithFacts {
    pub row: CandidateRow,
    /// The subscription is current and active.
    pub is_active: bool,
    pub activity_at: Option<i64>,
    pub frozen: Option<String>,
    /// The person that the account matches now.
    pub matched: Option<String>,
    /// When its action's outcome was known.
    pub action_ended_at: Option<i64>,
    /// A request of its action took effect, or may have.
    pub is_begun: bool,
}

pub(in crate::reclamation) async fn open_with_facts(
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<Vec<WithFacts>, StoreError> {
    sqlx::query(
        "select c.*, coalesce(s.is_active, 0) as now_active, case when o.counts_sign_ins = 1 and sig.at is not null and (acc.activity_at is null or sig.at > acc.activity_at) \
             then sig.at else acc.activity_at end as now_activity, acc.frozen as now_frozen, \
           m.person_id as now_person, a.ended_at as action_ended_at, \
           case when exists (select 1 from action_steps t where t.action_id = c.action_id \
             and (t.judgement is null or t.judgement in ('done', 'already_done', 'unknown'))) then 1 else 0 end as begun from candidates c \
         left join subscriptions s on s.organization_id = c.organization_id and s.account_id = c.account_id \
           and s.identifier = c.identifier and s.valid_to is null \
         left join accounts acc on acc.organization_id = c.organization_id and acc.vendor_id = c.account_id and acc.valid_to is null \
         left join matches m on m.organization_id = c.organization_id and m.account_id = c.account_id \
         left join actions a on a.id = c.action_id join organizations o on o.id = c.organization_id \
         left join account_signins sig on sig.organization_id = c.organization_id and sig.account_id = c.account_id \
         where c.organization_id = $1 and c.closed_at is null order by c.number",
    )
    .bind(organization.as_str())
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(WithFacts {
            row: candidate(row)?,
            is_active: row.try_get::<i64, _>("now_active")? == 1,
            activity_at: row.try_get("now_activity")?,
            frozen: row.try_get("now_frozen")?,
            matched: row.try_get("now_person")?,
            action_ended_at: row.try_get("action_ended_at")?,
            is_begun: row.try_get::<i64, _>("begun")? == 1,
        })
    })
    .collect()
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub(in crate::reclamation) struct Listed<'a> {
    pub id: Option<&'a str>,
    pub state: Option<State>,
    pub rule: Option<&'a str>,
    pub is_open: Option<bool>,
    pub search: Option<&'a str>,
    pub before: Option<&'a str>,
}

/// Views, newest number first.
pub(in crate::reclamation) async fn list(
    tx: &mut Tx,
    listed: &Listed<'_>,
    limit: i64,
) -> Result<Vec<CandidateView>, StoreError> {
    let rows = sqlx::query(
        "select c.*, o.name as organization_name, coalesce(acc.principal, c.account_id) as principal, acc.name as account_name, \
           p.name as product, per.name as person, r.number as rule_number, v.version_no, a.number as action_number, b.number as batch_number \
         from candidates c join organizations o on o.id = c.organization_id join products p on p.id = c.product_id \
         join rules r on r.id = c.rule_id join rule_versions v on v.id = c.rule_version_id \
         left join accounts acc on acc.organization_id = c.organization_id and acc.vendor_id = c.account_id and acc.valid_to is null \
         left join people per on per.id = c.person_id left join actions a on a.id = c.action_id left join batches b on b.id = c.batch_id \
         where ($1 = '' or c.id = $1 or c.number = $1) and ($2 = '' or c.state = $2) and ($3 = '' or r.id = $3 or r.number = $3) \
           and ($4 = -1 or ($4 = 1 and c.closed_at is null) or ($4 = 0 and c.closed_at is not null)) \
           and ($5 = '' or replace(lower(coalesce(acc.principal, c.account_id) || ' ' || coalesce(acc.name, '')), lower($5), '') \
             <> lower(coalesce(acc.principal, c.account_id) || ' ' || coalesce(acc.name, ''))) \
           and ($6 = '' or c.number < $6) order by c.number desc limit $7",
    )
    .bind(listed.id.unwrap_or(""))
    .bind(listed.state.map_or("", State::as_str))
    .bind(listed.rule.unwrap_or(""))
    .bind(listed.is_open.map_or(-1_i64, i64::from))
    .bind(listed.search.unwrap_or(""))
    .bind(listed.before.unwrap_or(""))
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let it = candidate(row)?;
            Ok(CandidateView {
                id: it.id,
                number: it.number,
                organization_id: it.organization_id,
                organization_name: row.try_get("organization_name")?,
                account_id: it.account_id,
                principal: row.try_get("principal")?,
                account_name: row.try_get("account_name")?,
                identifier: it.identifier,
                product: row.try_get("product")?,
                person: row.try_get("person")?,
                rule_number: row.try_get("rule_number")?,
                version_no: row.try_get("version_no")?,
                state: it.state,
                held_from: it.held_from,
                reason_code: it.reason_code,
                reason_text: it.reason_text,
                inactive_days: it.inactive_days,
                baseline_at: it.baseline_at,
                saving_minor: it.saving_minor,
                currency: it.currency,
                action_number: row.try_get("action_number")?,
                batch_number: row.try_get("batch_number")?,
                due_at: it.due_at,
                state_since: it.state_since,
                opened_at: it.opened_at,
                closed_at: it.closed_at,
                events: Vec::new(),
            })
        })
        .collect()
}

/// How many stand where.
pub(in crate::reclamation) async fn count_by_state(
    tx: &mut Tx,
) -> Result<Vec<(State, i64)>, StoreError> {
    let rows = sqlx::query("select state, count(*) as n from candidates group by state")
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| {
            Ok((
                state(&row.try_get::<String, _>("state")?)?,
                row.try_get("n")?,
            ))
        })
        .collect()
}

/// What happened to one, oldest first.
pub(in crate::reclamation) async fn events(
    tx: &mut Tx,
    candidate: &CandidateId,
) -> Result<Vec<CandidateEventView>, StoreError> {
    let rows = sqlx::query(
        "select e.seq, e.at, coalesce(p.name, e.actor_id) as actor, e.event, e.from_state, e.to_state, e.reason from candidate_events e \
         left join principals p on p.id = e.actor_id where e.candidate_id = $1 order by e.seq",
    )
    .bind(candidate.as_str())
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(CandidateEventView {
                seq: row.try_get("seq")?,
                at: row.try_get("at")?,
                actor: row.try_get("actor")?,
                event: row.try_get("event")?,
                from_state: row.try_get("from_state")?,
                to_state: row.try_get("to_state")?,
                reason: row.try_get("reason")?,
            })
        })
        .collect()
}

/// The holder's name and mail address: the person's, else the account's. And what the message is about: principal, product,
/// organization.
pub(in crate::reclamation) struct Holder {
    pub name: String,
    pub email: Option<String>,
    pub principal: String,
    pub product: String,
    pub organization: String,
}

pub(in crate::reclamation) async fn holder(
    tx: &mut Tx,
    candidate: &CandidateId,
) -> Result<Option<Holder>, StoreError> {
    let row = sqlx::query(
        "select coalesce(per.name, acc.name, acc.principal) as name, coalesce(per.email, acc.email) as email, acc.principal, \
           p.name as product, o.name as organization from candidates c \
         join accounts acc on acc.organization_id = c.organization_id and acc.vendor_id = c.account_id and acc.valid_to is null \
         join products p on p.id = c.product_id join organizations o on o.id = c.organization_id \
         left join people per on per.id = c.person_id where c.id = $1",
    )
    .bind(candidate.as_str())
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(Holder {
            name: row.try_get("name")?,
            email: row.try_get("email")?,
            principal: row.try_get("principal")?,
            product: row.try_get("product")?,
            organization: row.try_get("organization")?,
        })
    })
    .transpose()
}

/// Whose candidates.
pub(in crate::reclamation) struct OfPrincipal<'a> {
    pub principal: &'a str,
    pub organization: Option<&'a OrgId>,
}

/// Open candidates of a principal, in one organization or in all.
pub(in crate::reclamation) async fn open_of_principal(
    tx: &mut Tx,
    of: &OfPrincipal<'_>,
) -> Result<Vec<CandidateRow>, StoreError> {
    sqlx::query(
        "select c.* from candidates c join accounts acc on acc.organization_id = c.organization_id and acc.vendor_id = c.account_id \
           and acc.valid_to is null \
         where c.closed_at is null and lower(acc.principal) = lower($1) and ($2 = '' or c.organization_id = $2) order by c.number",
    )
    .bind(of.principal)
    .bind(of.organization.map_or("", |id| id.as_str()))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(candidate)
    .collect()
}

/// Organizations that have open candidates.
pub(in crate::reclamation) async fn organizations_with_open(
    tx: &mut Tx,
) -> Result<Vec<OrgId>, StoreError> {
    let rows = sqlx::query("select distinct organization_id from candidates where closed_at is null order by organization_id")
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| Ok(row.try_get::<String, _>("organization_id")?.into()))
        .collect()
}
