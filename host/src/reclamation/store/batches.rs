//! SQL of batches: exactly the listed candidates, each with the digest of its plan.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::unknown;
use crate::kernel::{BatchId, CandidateId, RuleId, RuleVersionId};
use crate::reclamation::candidate::State;
use crate::store::{StoreError, Tx, bulk};

/// A batch as stored.
#[derive(Clone, Debug)]
pub(in crate::reclamation) struct BatchRow {
    pub id: BatchId,
    pub number: String,
    pub rule_id: RuleId,
    pub rule_version_id: RuleVersionId,
    pub selection: String,
    pub state: String,
    pub digest: String,
    pub created_by: String,
    pub created_by_name: String,
    pub approved_at: Option<i64>,
    pub version: i64,
    pub created_at: i64,
    pub items: i64,
}

fn batch(row: &AnyRow) -> Result<BatchRow, StoreError> {
    let text = |column: &str| -> Result<String, StoreError> { Ok(row.try_get(column)?) };
    Ok(BatchRow {
        id: text("id")?.into(),
        number: text("number")?,
        rule_id: text("rule_id")?.into(),
        rule_version_id: text("rule_version_id")?.into(),
        selection: text("selection")?,
        state: text("state")?,
        digest: text("digest")?,
        created_by: text("created_by")?,
        created_by_name: text("created_by_name")?,
        approved_at: row.try_get("approved_at")?,
        version: row.try_get("version")?,
        created_at: row.try_get("created_at")?,
        items: row.try_get("items")?,
    })
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "select b.*, coalesce(p.name, b.created_by) as created_by_name, \
               (select count(*) from batch_items i where i.batch_id = b.id) as items \
             from batches b left join principals p on p.id = b.created_by ",
            $tail
        )
    };
}

pub(in crate::reclamation) async fn insert(
    tx: &mut Tx,
    batch: &BatchRow,
    items: &[(CandidateId, String)],
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into batches (id, number, rule_id, rule_version_id, selection, state, digest, created_by, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(batch.id.as_str())
    .bind(&batch.number)
    .bind(batch.rule_id.as_str())
    .bind(batch.rule_version_id.as_str())
    .bind(&batch.selection)
    .bind(&batch.state)
    .bind(&batch.digest)
    .bind(&batch.created_by)
    .bind(batch.created_at)
    .execute(tx.conn())
    .await?;
    bulk::insert(
        tx,
        "insert into batch_items (batch_id, candidate_id, plan_digest) ",
        "",
        3,
        items,
        |values, (candidate, digest)| {
            values
                .push_bind(batch.id.to_string())
                .push_bind(candidate.to_string())
                .push_bind(digest.clone());
        },
    )
    .await?;
    Ok(())
}

/// By id or number.
pub(in crate::reclamation) async fn find(
    tx: &mut Tx,
    key: &str,
) -> Result<Option<BatchRow>, StoreError> {
    let row = sqlx::query(select!("where b.id = $1 or b.number = $1"))
        .bind(key)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(batch).transpose()
}

/// Newest first.
pub(in crate::reclamation) async fn list(
    tx: &mut Tx,
    limit: i64,
) -> Result<Vec<BatchRow>, StoreError> {
    sqlx::query(select!("order by b.number desc limit $1"))
        .bind(limit)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(batch)
        .collect()
}

/// Candidate and plan digest of each item.
pub(in crate::reclamation) async fn items(
    tx: &mut Tx,
    batch: &BatchId,
) -> Result<Vec<(CandidateId, String)>, StoreError> {
    let rows = sqlx::query(
        "select i.candidate_id, i.plan_digest from batch_items i join candidates c on c.id = i.candidate_id \
         where i.batch_id = $1 order by c.number",
    )
    .bind(batch.as_str())
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.try_get::<String, _>("candidate_id")?.into(),
                row.try_get("plan_digest")?,
            ))
        })
        .collect()
}

/// The plan digest that approval B covers for one candidate; `None` when the batch is not approved or does not list it.
pub(in crate::reclamation) async fn approved_digest(
    tx: &mut Tx,
    batch: &BatchId,
    candidate: &CandidateId,
    version: &RuleVersionId,
) -> Result<Option<String>, StoreError> {
    let row = sqlx::query(
        "select i.plan_digest from batch_items i join batches b on b.id = i.batch_id \
         where i.batch_id = $1 and i.candidate_id = $2 and b.state = 'approved' and b.rule_version_id = $3",
    )
    .bind(batch.as_str())
    .bind(candidate.as_str())
    .bind(version.as_str())
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| row.try_get("plan_digest")).transpose()?)
}

/// Ready candidates of a rule with the action that would take each back, in the order of their numbers.
pub(in crate::reclamation) struct ReadyRow {
    pub candidate: CandidateId,
    pub number: String,
    pub principal: String,
    pub action_id: Option<String>,
    pub organization_id: String,
    pub account_id: String,
}

pub(in crate::reclamation) async fn ready(
    tx: &mut Tx,
    rule: &RuleId,
) -> Result<Vec<ReadyRow>, StoreError> {
    let rows = sqlx::query(
        "select c.id, c.number, coalesce(acc.principal, c.account_id) as principal, c.action_id, c.organization_id, c.account_id \
         from candidates c left join accounts acc on acc.organization_id = c.organization_id and acc.vendor_id = c.account_id \
           and acc.valid_to is null \
         where c.rule_id = $1 and c.state = 'ready' order by c.number",
    )
    .bind(rule.as_str())
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ReadyRow {
                candidate: row.try_get::<String, _>("id")?.into(),
                number: row.try_get("number")?,
                principal: row.try_get("principal")?,
                action_id: row.try_get("action_id")?,
                organization_id: row.try_get("organization_id")?,
                account_id: row.try_get("account_id")?,
            })
        })
        .collect()
}

/// Marks a proposed batch approved. False when it is not proposed any more.
pub(in crate::reclamation) async fn approve(
    tx: &mut Tx,
    batch: &BatchRow,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update batches set state = 'approved', approved_at = $3, version = version + 1 where id = $1 and version = $2 and state = 'proposed'",
    )
    .bind(batch.id.as_str())
    .bind(batch.version)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Older proposals of a rule give way to a newer one.
pub(in crate::reclamation) async fn supersede(
    tx: &mut Tx,
    rule: &RuleId,
    but: &BatchId,
) -> Result<(), StoreError> {
    sqlx::query("update batches set state = 'superseded', version = version + 1 where rule_id = $1 and id <> $2 and state = 'proposed'")
        .bind(rule.as_str())
        .bind(but.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Seats of a rule that batches approved since a moment cover.
pub(in crate::reclamation) async fn seats_approved_since(
    tx: &mut Tx,
    rule: &RuleId,
    since: i64,
) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = sqlx::query(
        "select c.organization_id, count(*) as n from batch_items i join batches b on b.id = i.batch_id \
         join candidates c on c.id = i.candidate_id \
         where b.rule_id = $1 and b.state = 'approved' and b.approved_at >= $2 group by c.organization_id",
    )
    .bind(rule.as_str())
    .bind(since)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("organization_id")?, row.try_get("n")?)))
        .collect()
}

/// One item as an approver sees it, its plan apart.
pub(in crate::reclamation) struct ItemRow {
    pub number: String,
    pub organization_id: String,
    pub organization_name: String,
    pub principal: String,
    pub account_name: Option<String>,
    pub account_id: String,
    pub inactive_days: i64,
    pub saving_minor: Option<i64>,
    pub currency: Option<String>,
    pub state: State,
    pub action_id: Option<String>,
    pub plan_digest: String,
}

pub(in crate::reclamation) async fn item_rows(
    tx: &mut Tx,
    batch: &BatchId,
) -> Result<Vec<ItemRow>, StoreError> {
    let rows = sqlx::query(
        "select c.number, c.organization_id, o.name as organization_name, coalesce(acc.principal, c.account_id) as principal, \
           acc.name as account_name, c.account_id, c.inactive_days, c.saving_minor, c.currency, c.state, c.action_id, i.plan_digest \
         from batch_items i join candidates c on c.id = i.candidate_id join organizations o on o.id = c.organization_id \
         left join accounts acc on acc.organization_id = c.organization_id and acc.vendor_id = c.account_id and acc.valid_to is null \
         where i.batch_id = $1 order by c.number",
    )
    .bind(batch.as_str())
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let state: String = row.try_get("state")?;
            Ok(ItemRow {
                number: row.try_get("number")?,
                organization_id: row.try_get("organization_id")?,
                organization_name: row.try_get("organization_name")?,
                principal: row.try_get("principal")?,
                account_name: row.try_get("account_name")?,
                account_id: row.try_get("account_id")?,
                inactive_days: row.try_get("inactive_days")?,
                saving_minor: row.try_get("saving_minor")?,
                currency: row.try_get("currency")?,
                state: State::parse(&state).ok_or_else(|| unknown("candidate state", &state))?,
                action_id: row.try_get("action_id")?,
                plan_digest: row.try_get("plan_digest")?,
            })
        })
        .collect()
}
