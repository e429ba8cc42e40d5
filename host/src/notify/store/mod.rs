//! SQL of the outbox; of the mail server, of choices and of webhooks beside.

pub(super) mod settings;
pub(super) mod webhooks;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::desk::DeliveryView;
use super::message::{Channel, Message, NewMessage};
use crate::kernel::MessageId;
use crate::store::{StoreError, Tx};

fn message(row: &AnyRow) -> Result<Message, StoreError> {
    Ok(Message {
        id: row.try_get::<String, _>("id")?.into(),
        kind: row.try_get("kind")?,
        channel: Channel::parse(&row.try_get::<String, _>("channel")?),
        target: row.try_get("target_id")?,
        recipient: row.try_get("recipient")?,
        subject: row.try_get("subject")?,
        body: row.try_get("body")?,
        html: row.try_get("html")?,
        subject_kind: row.try_get("subject_kind")?,
        subject_id: row.try_get("subject_id")?,
        attempts: row.try_get("attempts")?,
        created_at: row.try_get("created_at")?,
    })
}

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

/// A mail made of notices, still open.
pub(super) struct NewGroup<'a> {
    pub id: &'a MessageId,
    pub kind: &'a str,
    pub group: &'a str,
    pub recipient: &'a str,
    pub target: &'a str,
    pub subject_kind: &'a str,
    pub subject_id: &'a str,
    pub due_at: i64,
    pub now_ms: i64,
}

/// Opens a mail of this group, unless one is open. Its words follow by [`put_words`].
pub(super) async fn open_group(tx: &mut Tx, new: &NewGroup<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "insert into outbox (id, kind, unique_key, recipient, target_id, subject, body, subject_kind, subject_id, group_key, state, due_at, created_at) \
         values ($1, $2, $1, $3, $4, '', '', $5, $6, $7, 'due', $8, $9) on conflict do nothing",
    )
    .bind(new.id.as_str())
    .bind(new.kind)
    .bind(new.recipient)
    .bind(new.target)
    .bind(new.subject_kind)
    .bind(new.subject_id)
    .bind(new.group)
    .bind(new.due_at)
    .bind(new.now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The open mail of a group, locked against its delivery.
pub(super) async fn find_open(tx: &mut Tx, group: &str) -> Result<Option<MessageId>, StoreError> {
    let sql = tx.dialect().pick(
        "select id from outbox where group_key = $1 and state = 'due' and attempts = 0",
        "select id from outbox where group_key = $1 and state = 'due' and attempts = 0 for update",
    );
    let row = sqlx::query(sql)
        .bind(group)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row
        .map(|row| row.try_get::<String, _>("id"))
        .transpose()?
        .map(Into::into))
}

/// When a mail of the group last set out.
pub(super) async fn last_of_group(tx: &mut Tx, group: &str) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query("select max(last_attempt_at) as at from outbox where group_key = $1")
        .bind(group)
        .fetch_one(tx.conn())
        .await?;
    Ok(row.try_get("at")?)
}

/// Whether a notice was told before.
pub(super) async fn is_told(tx: &mut Tx, key: &str) -> Result<bool, StoreError> {
    let row = sqlx::query("select 1 as one from outbox_notices where unique_key = $1")
        .bind(key)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.is_some())
}

/// Whether somebody was told of this happening.
pub(super) async fn is_known(tx: &mut Tx, happening: &str) -> Result<bool, StoreError> {
    let row = sqlx::query("select 1 as one from outbox_notices where happening = $1 limit 1")
        .bind(happening)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.is_some())
}

/// Adds a notice to a mail; false when it was told before.
pub(super) async fn add_notice(
    tx: &mut Tx,
    id: &MessageId,
    (key, happening): (&str, &str),
    notice: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into outbox_notices (message_id, unique_key, happening, notice, created_at) values ($1, $2, $3, $4, $5) \
         on conflict (unique_key) do nothing",
    )
    .bind(id.as_str())
    .bind(key)
    .bind(happening)
    .bind(notice)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The notices of a mail, in the order they came.
pub(super) async fn notices(tx: &mut Tx, id: &MessageId) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(
        "select notice from outbox_notices where message_id = $1 order by created_at, unique_key",
    )
    .bind(id.as_str())
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(|row| Ok(row.try_get("notice")?)).collect()
}

/// The words of a mail that has not been tried.
pub(super) async fn put_words(
    tx: &mut Tx,
    id: &MessageId,
    subject: &str,
    text: &str,
    html: &str,
) -> Result<(), StoreError> {
    sqlx::query("update outbox set subject = $2, body = $3, html = $4 where id = $1 and state = 'due' and attempts = 0")
        .bind(id.as_str())
        .bind(subject)
        .bind(text)
        .bind(html)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn due(
    tx: &mut Tx,
    channel: Channel,
    target: Option<&str>,
    now_ms: i64,
    limit: i64,
) -> Result<Vec<Message>, StoreError> {
    let rows = sqlx::query(
        "select * from outbox where channel = $1 and ($2 = '' or target_id = $2) and state = 'due' and due_at <= $3 \
         order by due_at, id limit $4",
    )
    .bind(channel.as_str())
    .bind(target.unwrap_or_default())
    .bind(now_ms)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(message).collect()
}

/// When the next message is due.
pub(super) async fn next_due(
    tx: &mut Tx,
    channel: Channel,
    target: Option<&str>,
) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query(
        "select min(due_at) as due_at from outbox where channel = $1 and ($2 = '' or target_id = $2) and state = 'due'",
    )
    .bind(channel.as_str())
    .bind(target.unwrap_or_default())
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get("due_at")?)
}

/// Begins a delivery: from here on the text is fixed. `None` when the message has ended meanwhile.
pub(super) async fn begin(
    tx: &mut Tx,
    id: &MessageId,
    now_ms: i64,
) -> Result<Option<Message>, StoreError> {
    let row = sqlx::query(
        "update outbox set attempts = attempts + 1, last_attempt_at = $2 where id = $1 and state = 'due' returning *",
    )
    .bind(id.as_str())
    .bind(now_ms)
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(message).transpose()
}

/// Ends a due message; false when it had ended. `said` is the other side's answer, or why.
pub(super) async fn end(
    tx: &mut Tx,
    id: &MessageId,
    state: &str,
    said: Option<&str>,
    at: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update outbox set state = $2, sent_at = case when $2 = 'sent' then $3 end, ended_at = $3, \
           answer = case when $2 = 'sent' then $4 else answer end, last_error = case when $2 = 'sent' then null else coalesce($4, last_error) end \
         where id = $1 and state = 'due'",
    )
    .bind(id.as_str())
    .bind(state)
    .bind(at)
    .bind(said.map(str::to_owned))
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
    sqlx::query("update outbox set due_at = $2, last_error = $3 where id = $1 and state = 'due'")
        .bind(id.as_str())
        .bind(until)
        .bind(why)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Makes a failed or waiting message due now; false when it is neither. What has been withdrawn or sent stays so.
pub(super) async fn retry(tx: &mut Tx, id: &MessageId, now_ms: i64) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update outbox set state = 'due', due_at = $2, ended_at = null \
         where id = $1 and state in ('failed', 'due')",
    )
    .bind(id.as_str())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn find(tx: &mut Tx, id: &str) -> Result<Option<DeliveryView>, StoreError> {
    let row = sqlx::query("select * from outbox where id = $1")
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(view).transpose()
}

fn view(row: &AnyRow) -> Result<DeliveryView, StoreError> {
    Ok(DeliveryView {
        id: row.try_get::<String, _>("id")?.into(),
        kind: row.try_get("kind")?,
        channel: Channel::parse(&row.try_get::<String, _>("channel")?),
        target: row.try_get("target_id")?,
        recipient: row.try_get("recipient")?,
        subject: row.try_get("subject")?,
        state: row.try_get("state")?,
        due_at: row.try_get("due_at")?,
        attempts: row.try_get("attempts")?,
        last_attempt_at: row.try_get("last_attempt_at")?,
        sent_at: row.try_get("sent_at")?,
        answer: row.try_get("answer")?,
        last_error: row.try_get("last_error")?,
        created_at: row.try_get("created_at")?,
    })
}

/// Newest first, before a message's `created_at` and id where given; of one state, channel and target where named.
pub(super) async fn list(
    tx: &mut Tx,
    state: &str,
    target: &str,
    before: Option<(i64, String)>,
    limit: i64,
) -> Result<Vec<DeliveryView>, StoreError> {
    let (at, id) = before.unwrap_or((i64::MAX, "~".to_owned()));
    let rows = sqlx::query(
        "select * from outbox where ($1 = '' or state = $1) and ($2 = '' or target_id = $2) \
           and (created_at < $3 or (created_at = $3 and id < $4)) order by created_at desc, id desc limit $5",
    )
    .bind(state)
    .bind(target)
    .bind(at)
    .bind(id)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(view).collect()
}

/// Messages by state, and since when the oldest due one waits past its time.
pub(super) async fn backlog(
    tx: &mut Tx,
    now_ms: i64,
) -> Result<(i64, i64, Option<i64>), StoreError> {
    let row = sqlx::query(
        "select coalesce(sum(case when state = 'due' then 1 else 0 end), 0) as due, \
           coalesce(sum(case when state = 'failed' then 1 else 0 end), 0) as failed, \
           min(case when state = 'due' and due_at <= $1 then due_at end) as oldest from outbox where state in ('due', 'failed')",
    )
    .bind(now_ms)
    .fetch_one(tx.conn())
    .await?;
    Ok((
        row.try_get("due")?,
        row.try_get("failed")?,
        row.try_get("oldest")?,
    ))
}
