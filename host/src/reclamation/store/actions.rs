//! SQL of actions at vendors: plan, intent, what was sent, receipt.

use seatwise_runtime::contract::reclaim::Plan;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::unknown;
use crate::kernel::{ActionId, OrgId, RuleId};
use crate::reclamation::model::{RequestView, SentView};
use crate::store::{StoreError, Tx};

/// An action as stored.
#[derive(Clone, Debug)]
pub(in crate::reclamation) struct ActionRow {
    pub id: ActionId,
    pub number: String,
    pub organization_id: OrgId,
    pub account_id: String,
    pub is_restore: bool,
    pub action: String,
    /// The identifier that was asked for.
    pub target: String,
    pub undoes: Option<ActionId>,
    pub state: String,
    pub plan: Plan,
    pub plan_digest: String,
    pub planned_at: i64,
    pub before_image_sealed: Option<Vec<u8>>,
    pub intended_at: Option<i64>,
    pub intended_by: Option<String>,
    pub ended_at: Option<i64>,
    pub receipt: Option<String>,
    pub receipt_digest: Option<String>,
    pub error_code: Option<String>,
    pub error_text: Option<String>,
    pub not_before: Option<i64>,
    pub attempts: i64,
    pub version: i64,
    pub created_at: i64,
}

fn action(row: &AnyRow) -> Result<ActionRow, StoreError> {
    let text = |column: &str| -> Result<String, StoreError> { Ok(row.try_get(column)?) };
    let maybe = |column: &str| -> Result<Option<String>, StoreError> { Ok(row.try_get(column)?) };
    let id = text("id")?;
    Ok(ActionRow {
        plan: serde_json::from_str(&text("plan")?).map_err(|_| unknown("plan of action", &id))?,
        id: id.into(),
        number: text("number")?,
        organization_id: text("organization_id")?.into(),
        account_id: text("account_id")?,
        is_restore: text("kind")? == "restore",
        action: text("action")?,
        target: text("target")?,
        undoes: maybe("undoes_action_id")?.map(ActionId::from),
        state: text("state")?,
        plan_digest: text("plan_digest")?,
        planned_at: row.try_get("planned_at")?,
        before_image_sealed: row.try_get("before_image_sealed")?,
        intended_at: row.try_get("intended_at")?,
        intended_by: maybe("intended_by")?,
        ended_at: row.try_get("ended_at")?,
        receipt: maybe("receipt")?,
        receipt_digest: maybe("receipt_digest")?,
        error_code: maybe("error_code")?,
        error_text: maybe("error_text")?,
        not_before: row.try_get("not_before")?,
        attempts: row.try_get("attempts")?,
        version: row.try_get("version")?,
        created_at: row.try_get("created_at")?,
    })
}

fn plan_text(plan: &Plan) -> String {
    serde_json::to_string(plan).expect("a plan is plain data with text keys")
}

pub(in crate::reclamation) async fn insert(tx: &mut Tx, row: &ActionRow) -> Result<(), StoreError> {
    sqlx::query(
        "insert into actions (id, number, organization_id, account_id, kind, action, target, undoes_action_id, state, plan, plan_digest, \
           planned_at, before_image_sealed, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(row.id.as_str())
    .bind(&row.number)
    .bind(row.organization_id.as_str())
    .bind(&row.account_id)
    .bind(if row.is_restore { "restore" } else { "reclaim" })
    .bind(&row.action)
    .bind(&row.target)
    .bind(row.undoes.as_ref().map(ToString::to_string))
    .bind(&row.state)
    .bind(plan_text(&row.plan))
    .bind(&row.plan_digest)
    .bind(row.planned_at)
    .bind(row.before_image_sealed.clone())
    .bind(row.created_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes everything that moves.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else has moved it since it was read.
pub(in crate::reclamation) async fn save(
    tx: &mut Tx,
    row: &mut ActionRow,
    fence: Option<i64>,
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "update actions set state = $3, plan = $4, plan_digest = $5, planned_at = $6, before_image_sealed = $7, intended_at = $8, \
           intended_by = $9, fence = coalesce($10, fence), ended_at = $11, receipt = $12, receipt_digest = $13, error_code = $14, \
           error_text = $15, not_before = $16, attempts = $17, version = version + 1 where id = $1 and version = $2",
    )
    .bind(row.id.as_str())
    .bind(row.version)
    .bind(&row.state)
    .bind(plan_text(&row.plan))
    .bind(&row.plan_digest)
    .bind(row.planned_at)
    .bind(row.before_image_sealed.clone())
    .bind(row.intended_at)
    .bind(row.intended_by.clone())
    .bind(fence)
    .bind(row.ended_at)
    .bind(row.receipt.clone())
    .bind(row.receipt_digest.clone())
    .bind(row.error_code.clone())
    .bind(row.error_text.clone())
    .bind(row.not_before)
    .bind(row.attempts)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 1 {
        row.version += 1;
        Ok(())
    } else {
        Err(StoreError::Conflict)
    }
}

/// By id or number.
pub(in crate::reclamation) async fn find(
    tx: &mut Tx,
    key: &str,
) -> Result<Option<ActionRow>, StoreError> {
    let row = sqlx::query("select * from actions where id = $1 or number = $1")
        .bind(key)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(action).transpose()
}

/// The newest reclaim of one thing that an account holds, by its word and state: the planned one, which is planned anew, or the done one
/// that a second action follows.
pub(in crate::reclamation) async fn find_newest(
    tx: &mut Tx,
    organization: &OrgId,
    account: &str,
    identifier: &str,
    word: &str,
    state: &str,
) -> Result<Option<ActionRow>, StoreError> {
    let row = sqlx::query(
        "select * from actions where organization_id = $1 and account_id = $2 and target = $3 and action = $4 and kind = 'reclaim' \
           and state = $5 order by number desc limit 1",
    )
    .bind(organization.as_str())
    .bind(account)
    .bind(identifier)
    .bind(word)
    .bind(state)
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(action).transpose()
}

/// Actions of an organization in a state, oldest number first.
pub(in crate::reclamation) async fn in_state(
    tx: &mut Tx,
    organization: &OrgId,
    state: &str,
) -> Result<Vec<ActionRow>, StoreError> {
    sqlx::query("select * from actions where organization_id = $1 and state = $2 order by number")
        .bind(organization.as_str())
        .bind(state)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(action)
        .collect()
}

/// Restores that wait to be sent.
pub(in crate::reclamation) async fn restores_due(
    tx: &mut Tx,
    organization: &OrgId,
    now_ms: i64,
) -> Result<Vec<ActionRow>, StoreError> {
    sqlx::query(
        "select * from actions where organization_id = $1 and kind = 'restore' and state = 'planned' \
           and (not_before is null or not_before <= $2) order by number",
    )
    .bind(organization.as_str())
    .bind(now_ms)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(action)
    .collect()
}

/// The restore of an action that is neither refused nor abandoned, if there is one.
pub(in crate::reclamation) async fn live_restore_of(
    tx: &mut Tx,
    undone: &ActionId,
) -> Result<Option<ActionRow>, StoreError> {
    let row = sqlx::query(
        "select * from actions where undoes_action_id = $1 and state not in ('refused', 'abandoned') order by number desc limit 1",
    )
    .bind(undone.as_str())
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(action).transpose()
}

/// Newest number first: number and organization's name, principal, numbers of candidates, number of the undone action.
pub(in crate::reclamation) struct Listed {
    pub row: ActionRow,
    pub organization_name: String,
    pub principal: String,
    pub candidates: Vec<String>,
    pub undoes: Option<String>,
    pub has_restore: bool,
}

pub(in crate::reclamation) async fn list(
    tx: &mut Tx,
    key: Option<&str>,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let rows = sqlx::query(
        "select a.*, o.name as organization_name, coalesce(acc.principal, a.account_id) as principal, u.number as undoes_number, \
           (select count(*) from actions r where r.undoes_action_id = a.id and r.state not in ('refused', 'abandoned')) as restores \
         from actions a join organizations o on o.id = a.organization_id left join actions u on u.id = a.undoes_action_id \
         left join accounts acc on acc.organization_id = a.organization_id and acc.vendor_id = a.account_id and acc.valid_to is null \
         where ($1 = '' or a.id = $1 or a.number = $1) and ($2 = '' or a.number < $2) and ($1 <> '' or a.attempts > 0 or a.kind = 'restore') \
         order by a.number desc limit $3",
    )
    .bind(key.unwrap_or(""))
    .bind(before.unwrap_or(""))
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    let mut listed = Vec::with_capacity(rows.len());
    for row in &rows {
        let it = action(row)?;
        listed.push(Listed {
            organization_name: row.try_get("organization_name")?,
            principal: row.try_get("principal")?,
            candidates: Vec::new(),
            undoes: row.try_get("undoes_number")?,
            has_restore: row.try_get::<i64, _>("restores")? > 0,
            row: it,
        });
    }
    if let [one] = listed.as_mut_slice() {
        let of = one.row.undoes.as_ref().unwrap_or(&one.row.id).clone();
        let numbers =
            sqlx::query("select number from candidates where action_id = $1 order by number")
                .bind(of.as_str())
                .fetch_all(tx.conn())
                .await?;
        for row in &numbers {
            one.candidates.push(row.try_get("number")?);
        }
    }
    Ok(listed)
}

/// Writes down a request before it leaves.
pub(in crate::reclamation) async fn insert_step(
    tx: &mut Tx,
    action: &ActionId,
    attempt: i64,
    step_no: i64,
    request: &RequestView,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("insert into action_steps (action_id, attempt, step_no, request, sent_at) values ($1, $2, $3, $4, $5)")
        .bind(action.as_str())
        .bind(attempt)
        .bind(step_no)
        .bind(serde_json::json!(request).to_string())
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What came back.
pub(in crate::reclamation) struct Answered<'a> {
    pub action: &'a ActionId,
    pub attempt: i64,
    pub step_no: i64,
    pub at: Option<i64>,
    pub status: Option<i64>,
    pub answer: Option<&'a str>,
    pub judgement: &'a str,
    pub detail: Option<&'a str>,
}

pub(in crate::reclamation) async fn answer_step(
    tx: &mut Tx,
    answered: &Answered<'_>,
) -> Result<(), StoreError> {
    sqlx::query(
        "update action_steps set answered_at = $4, status = $5, answer = $6, judgement = $7, detail = $8 \
         where action_id = $1 and attempt = $2 and step_no = $3",
    )
    .bind(answered.action.as_str())
    .bind(answered.attempt)
    .bind(answered.step_no)
    .bind(answered.at)
    .bind(answered.status)
    .bind(answered.answer)
    .bind(answered.judgement)
    .bind(answered.detail)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What was sent, oldest first.
pub(in crate::reclamation) async fn sent(
    tx: &mut Tx,
    action: &ActionId,
) -> Result<Vec<SentView>, StoreError> {
    let rows =
        sqlx::query("select * from action_steps where action_id = $1 order by attempt, step_no")
            .bind(action.as_str())
            .fetch_all(tx.conn())
            .await?;
    rows.iter()
        .map(|row| {
            let request: String = row.try_get("request")?;
            Ok(SentView {
                attempt: row.try_get("attempt")?,
                step_no: row.try_get("step_no")?,
                request: serde_json::from_str(&request)
                    .map_err(|_| unknown("request of action", action.as_str()))?,
                sent_at: row.try_get("sent_at")?,
                answered_at: row.try_get("answered_at")?,
                status: row.try_get("status")?,
                judgement: row.try_get("judgement")?,
                detail: row.try_get("detail")?,
            })
        })
        .collect()
}

/// Seats of a rule taken, or being taken, in an organization since a moment; `but` is the action in question.
pub(in crate::reclamation) async fn seats_taken_since(
    tx: &mut Tx,
    rule: &RuleId,
    organization: &OrgId,
    since: i64,
    but: &ActionId,
) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "select count(*) as n from candidates c join actions a on a.id = c.action_id \
         where c.rule_id = $1 and c.organization_id = $2 and a.intended_at >= $3 and a.id <> $4 and a.state in ('intended', 'unverified', 'done')",
    )
    .bind(rule.as_str())
    .bind(organization.as_str())
    .bind(since)
    .bind(but.as_str())
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get("n")?)
}

/// Seats of a rule that were taken since a moment and that a download has seen gone: they are missing among the active ones.
pub(in crate::reclamation) async fn seats_gone_since(
    tx: &mut Tx,
    rule: &RuleId,
    organization: &OrgId,
    since: i64,
) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "select count(*) as n from candidates c join actions a on a.id = c.action_id \
         where c.rule_id = $1 and c.organization_id = $2 and a.intended_at >= $3 and c.state = 'closed_complete'",
    )
    .bind(rule.as_str())
    .bind(organization.as_str())
    .bind(since)
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get("n")?)
}
