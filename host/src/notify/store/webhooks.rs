//! SQL of webhooks.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::kernel::{MessageId, WebhookId};
use crate::store::{StoreError, Tx};

/// A webhook's row.
#[derive(Clone, Debug)]
pub(in crate::notify) struct HookRow {
    pub id: WebhookId,
    pub name: String,
    pub url: String,
    /// JSON list of causes.
    pub causes: String,
    pub secret_sealed: Vec<u8>,
    pub state: String,
    pub off_reason: Option<String>,
    pub failing_since: Option<i64>,
    pub set_by: String,
    pub set_at: i64,
    pub created_at: i64,
}

fn hook(row: &AnyRow) -> Result<HookRow, StoreError> {
    Ok(HookRow {
        id: row.try_get::<String, _>("id")?.into(),
        name: row.try_get("name")?,
        url: row.try_get("url")?,
        causes: row.try_get("causes")?,
        secret_sealed: row.try_get("secret_sealed")?,
        state: row.try_get("state")?,
        off_reason: row.try_get("off_reason")?,
        failing_since: row.try_get("failing_since")?,
        set_by: row.try_get("set_by")?,
        set_at: row.try_get("set_at")?,
        created_at: row.try_get("created_at")?,
    })
}

pub(in crate::notify) async fn insert(
    tx: &mut Tx,
    row: &HookRow,
    key_id: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into webhooks (id, name, url, causes, secret_sealed, key_id, state, set_by, set_at, created_at) \
         values ($1, $2, $3, $4, $5, $6, 'on', $7, $8, $8)",
    )
    .bind(row.id.as_str())
    .bind(&row.name)
    .bind(&row.url)
    .bind(&row.causes)
    .bind(row.secret_sealed.clone())
    .bind(key_id)
    .bind(&row.set_by)
    .bind(row.set_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in crate::notify) async fn find(tx: &mut Tx, id: &str) -> Result<Option<HookRow>, StoreError> {
    let row = sqlx::query("select * from webhooks where id = $1 and removed_at is null")
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(hook).transpose()
}

pub(in crate::notify) async fn list(tx: &mut Tx) -> Result<Vec<HookRow>, StoreError> {
    let rows = sqlx::query("select * from webhooks where removed_at is null order by name, id")
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(hook).collect()
}

/// Changes what a person may change; false when the webhook is gone.
pub(in crate::notify) async fn save(tx: &mut Tx, row: &HookRow) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update webhooks set causes = $2, state = $3, off_reason = $4, failing_since = $5, set_by = $6, set_at = $7, \
           version = version + 1 where id = $1 and removed_at is null",
    )
    .bind(row.id.as_str())
    .bind(&row.causes)
    .bind(&row.state)
    .bind(row.off_reason.clone())
    .bind(row.failing_since)
    .bind(&row.set_by)
    .bind(row.set_at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(in crate::notify) async fn put_secret(
    tx: &mut Tx,
    id: &WebhookId,
    sealed: &[u8],
    key_id: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "update webhooks set secret_sealed = $2, key_id = $3, version = version + 1 where id = $1",
    )
    .bind(id.as_str())
    .bind(sealed.to_vec())
    .bind(key_id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes a webhook away: its name is free again, its secret is gone, its deliveries stay on record.
pub(in crate::notify) async fn remove(
    tx: &mut Tx,
    id: &WebhookId,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "update webhooks set removed_at = $2, name = name || ' ' || id, secret_sealed = $3, state = 'off', version = version + 1 where id = $1",
    )
    .bind(id.as_str())
    .bind(now_ms)
    .bind(Vec::<u8>::new())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether the last delivery got through; answers since when none has.
pub(in crate::notify) async fn note_failing(
    tx: &mut Tx,
    id: &str,
    since: Option<i64>,
) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query(
        "update webhooks set failing_since = case when $2 is null then null else coalesce(failing_since, $2) end \
         where id = $1 returning failing_since",
    )
    .bind(id)
    .bind(since)
    .fetch_optional(tx.conn())
    .await?;
    Ok(match row {
        Some(row) => row.try_get("failing_since")?,
        None => None,
    })
}

/// Ends everything that waits for a webhook.
pub(in crate::notify) async fn end_due(
    tx: &mut Tx,
    id: &str,
    state: &str,
    why: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "update outbox set state = $2, last_error = $3, ended_at = $4 where channel = 'webhook' and target_id = $1 and state = 'due'",
    )
    .bind(id)
    .bind(state)
    .bind(why)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// An event on its way to a webhook.
pub(in crate::notify) struct NewEvent<'a> {
    pub id: &'a MessageId,
    pub kind: &'a str,
    pub key: &'a str,
    pub hook: &'a WebhookId,
    pub url: &'a str,
    pub event: &'a str,
    pub body: &'a str,
    pub subject_kind: &'a str,
    pub subject_id: &'a str,
    pub now_ms: i64,
}

/// Writes an event; false when it was written before.
pub(in crate::notify) async fn insert_event(
    tx: &mut Tx,
    new: &NewEvent<'_>,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into outbox (id, kind, unique_key, channel, target_id, recipient, subject, body, subject_kind, subject_id, state, due_at, created_at) \
         values ($1, $2, $3, 'webhook', $4, $5, $6, $7, $8, $9, 'due', $10, $10) on conflict (unique_key) do nothing",
    )
    .bind(new.id.as_str())
    .bind(new.kind)
    .bind(new.key)
    .bind(new.hook.as_str())
    .bind(new.url)
    .bind(new.event)
    .bind(new.body)
    .bind(new.subject_kind)
    .bind(new.subject_id)
    .bind(new.now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
