//! SQL of the outbox.

use sqlx::Row as _;

use super::message::{Message, NewMessage};
use crate::kernel::MessageId;
use crate::store::{StoreError, Tx};

pub(super) async fn insert(
    tx: &mut Tx,
    id: &MessageId,
    new: &NewMessage,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into outbox (id, kind, unique_key, recipient, subject, body, subject_kind, subject_id, state, due_at, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'due', $9, $9) on conflict (unique_key) do nothing",
    )
    .bind(id.as_str())
    .bind(new.kind)
    .bind(&new.key)
    .bind(&new.recipient)
    .bind(&new.subject)
    .bind(&new.body)
    .bind(new.subject_kind)
    .bind(&new.subject_id)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn due(tx: &mut Tx, now_ms: i64, limit: i64) -> Result<Vec<Message>, StoreError> {
    let rows = sqlx::query(
        "select * from outbox where state = 'due' and due_at <= $1 order by due_at, id limit $2",
    )
    .bind(now_ms)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Message {
                id: row.try_get::<String, _>("id")?.into(),
                kind: row.try_get("kind")?,
                recipient: row.try_get("recipient")?,
                subject: row.try_get("subject")?,
                body: row.try_get("body")?,
                subject_kind: row.try_get("subject_kind")?,
                subject_id: row.try_get("subject_id")?,
                attempts: row.try_get("attempts")?,
            })
        })
        .collect()
}

/// When the next message is due.
pub(super) async fn next_due(tx: &mut Tx) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query("select min(due_at) as due_at from outbox where state = 'due'")
        .fetch_one(tx.conn())
        .await?;
    Ok(row.try_get("due_at")?)
}

/// Ends a due message; false when it had ended.
pub(super) async fn end(
    tx: &mut Tx,
    id: &MessageId,
    state: &str,
    at: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update outbox set state = $2, sent_at = case when $2 = 'sent' then $3 end where id = $1 and state = 'due'",
    )
    .bind(id.as_str())
    .bind(state)
    .bind(at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn put_off(
    tx: &mut Tx,
    id: &MessageId,
    until: i64,
    why: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "update outbox set due_at = $2, attempts = attempts + 1, last_error = $3 where id = $1 and state = 'due'",
    )
    .bind(id.as_str())
    .bind(until)
    .bind(why)
    .execute(tx.conn())
    .await?;
    Ok(())
}
