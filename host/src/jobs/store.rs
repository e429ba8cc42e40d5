//! SQL of due work.

use sqlx::Row as _;

use super::{Claimed, JobKind, JobOutcome, NewJob};
use crate::kernel::JobId;
use crate::store::{StoreError, Tx};

const CLAIM_SQLITE: &str = "update jobs set state = 'running', fence = fence + 1, attempts = attempts + 1, owner = $1, \
     lease_until = cast((julianday('now') - 2440587.5) * 86400000 as integer) + $2 \
     where id = (select id from jobs where (state = 'due' and due_at <= $3) \
       or (state = 'running' and lease_until < cast((julianday('now') - 2440587.5) * 86400000 as integer)) \
       order by due_at, id limit 1) \
     returning id, kind, subject_id, fence, attempts, payload, wakes";
const CLAIM_POSTGRES: &str = "update jobs set state = 'running', fence = fence + 1, attempts = attempts + 1, owner = $1, \
     lease_until = cast(extract(epoch from clock_timestamp()) * 1000 as bigint) + $2 \
     where id = (select id from jobs where (state = 'due' and due_at <= $3) \
       or (state = 'running' and lease_until < cast(extract(epoch from clock_timestamp()) * 1000 as bigint)) \
       order by due_at, id limit 1 for update skip locked) \
     returning id, kind, subject_id, fence, attempts, payload, wakes";
const HOLD_SQLITE: &str = "update jobs set lease_until = cast((julianday('now') - 2440587.5) * 86400000 as integer) + $3 \
     where id = $1 and fence = $2 and state = 'running'";
const HOLD_POSTGRES: &str = "update jobs set lease_until = cast(extract(epoch from clock_timestamp()) * 1000 as bigint) + $3 \
     where id = $1 and fence = $2 and state = 'running'";

pub(super) async fn insert(
    tx: &mut Tx,
    id: &JobId,
    now_ms: i64,
    job: &NewJob,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into jobs (id, kind, organization_id, unique_key, subject_id, state, due_at, payload, created_at) \
         values ($1, $2, $3, $4, $5, 'due', $6, $7, $8) on conflict (unique_key) do nothing",
    )
    .bind(id.as_str())
    .bind(job.kind.as_str())
    .bind(job.organization.as_ref().map(|o| o.as_str().to_owned()))
    .bind(&job.key)
    .bind(&job.subject)
    .bind(job.due_at)
    .bind(job.payload.to_string())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn wake(
    tx: &mut Tx,
    id: &JobId,
    now_ms: i64,
    job: &NewJob,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into jobs (id, kind, organization_id, unique_key, subject_id, state, due_at, payload, created_at) \
         values ($1, $2, $3, $4, $5, 'due', $6, $7, $8) \
         on conflict (unique_key) do update set \
           wakes = jobs.wakes + 1, payload = excluded.payload, \
           due_at = case when jobs.state = 'due' and jobs.due_at < excluded.due_at then jobs.due_at else excluded.due_at end, \
           attempts = case when jobs.state = 'running' then jobs.attempts else 0 end, \
           state = case when jobs.state = 'running' then 'running' else 'due' end",
    )
    .bind(id.as_str())
    .bind(job.kind.as_str())
    .bind(job.organization.as_ref().map(|o| o.as_str().to_owned()))
    .bind(&job.key)
    .bind(&job.subject)
    .bind(job.due_at)
    .bind(job.payload.to_string())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn claim(
    tx: &mut Tx,
    now_ms: i64,
    owner: &str,
    lease_ms: i64,
) -> Result<Option<Claimed>, StoreError> {
    let row = sqlx::query(tx.dialect().pick(CLAIM_SQLITE, CLAIM_POSTGRES))
        .bind(owner)
        .bind(lease_ms)
        .bind(now_ms)
        .fetch_optional(tx.conn())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let kind: String = row.try_get("kind")?;
    let payload: String = row.try_get("payload")?;
    let Some(kind) = JobKind::parse(&kind) else {
        return Err(StoreError::Migrate(format!(
            "job kind `{kind}` is not known to this version"
        )));
    };
    Ok(Some(Claimed {
        id: row.try_get::<String, _>("id")?.into(),
        kind,
        subject: row
            .try_get::<Option<String>, _>("subject_id")?
            .unwrap_or_default(),
        fence: row.try_get("fence")?,
        attempts: row.try_get("attempts")?,
        payload: serde_json::from_str(&payload).unwrap_or(serde_json::Value::Null),
        wakes: row.try_get("wakes")?,
    }))
}

pub(super) async fn hold(
    tx: &mut Tx,
    id: &JobId,
    fence: i64,
    lease_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(tx.dialect().pick(HOLD_SQLITE, HOLD_POSTGRES))
        .bind(id.as_str())
        .bind(fence)
        .bind(lease_ms)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn settle(
    tx: &mut Tx,
    now_ms: i64,
    job: &Claimed,
    outcome: &JobOutcome,
) -> Result<bool, StoreError> {
    let (state, due_at, error) = match outcome {
        JobOutcome::Done => ("done", None, None),
        JobOutcome::Again(at) => ("due", Some(*at), None),
        JobOutcome::RetryAt(at, why) => ("due", Some(*at), Some(why.clone())),
        JobOutcome::Failed(why) => ("failed", None, Some(why.clone())),
    };
    let done = sqlx::query(
        "update jobs set \
           state = case when wakes <> $3 then 'due' else $4 end, \
           due_at = case when wakes <> $3 then due_at else coalesce($5, due_at) end, \
           last_error = $6, owner = null, lease_until = 0, \
           attempts = case when $4 = 'due' and $6 is null then 0 else attempts end, \
           finished_at = case when wakes = $3 and $4 in ('done', 'failed') then $7 else null end \
         where id = $1 and fence = $2 and state = 'running'",
    )
    .bind(job.id.as_str())
    .bind(job.fence)
    .bind(job.wakes)
    .bind(state)
    .bind(due_at)
    .bind(error)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Nobody holds work.
pub(super) async fn free_all(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query("update jobs set lease_until = 0 where state = 'running'")
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn next_due(tx: &mut Tx) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query("select min(due_at) as due_at from jobs where state = 'due'")
        .fetch_one(tx.conn())
        .await?;
    Ok(row.try_get("due_at")?)
}

pub(super) async fn cancel(tx: &mut Tx, now_ms: i64, key: &str) -> Result<(), StoreError> {
    sqlx::query("update jobs set state = 'cancelled', finished_at = $2 where unique_key = $1 and state = 'due'")
        .bind(key)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}
