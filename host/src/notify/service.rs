//! Writing, delivering and withdrawing messages.

use std::path::PathBuf;

use super::message::{Message, NewMessage};
use super::{NotifyError, store};
use crate::app::host::Host;
use crate::jobs::{JobKind, NewJob};
use crate::kernel::MessageId;
use crate::kernel::clock::MINUTE_MS;
use crate::store::{StoreError, Tx};

/// Messages delivered in one go.
const AT_ONCE: i64 = 100;
/// A delivery that failed is tried again after this, doubled each time.
const AGAIN_MS: i64 = MINUTE_MS;
/// Doublings at most: a little over two hours.
const MOST_DOUBLINGS: i64 = 7;

/// Writes a message in the transaction of its cause, and makes sure that it is delivered. False when this cause has written
/// one before.
///
/// # Errors
/// [`NotifyError::Address`] for a recipient that is no mail address; the database's own.
pub async fn post(host: &Host, tx: &mut Tx, new: &NewMessage) -> Result<bool, NotifyError> {
    if new.recipient.parse::<lettre::Address>().is_err() {
        return Err(NotifyError::Address(
            new.recipient.chars().take(80).collect(),
        ));
    }
    let now_ms = host.now_ms();
    let id = MessageId::mint(now_ms, &*host.chance);
    let is_new = store::insert(tx, &id, new, now_ms).await?;
    if is_new {
        host.wake(tx, &job(now_ms)).await?;
    }
    Ok(is_new)
}

/// The one job that empties the outbox.
fn job(due_at: i64) -> NewJob {
    NewJob {
        kind: JobKind::Outbox,
        organization: None,
        key: "outbox".to_owned(),
        subject: String::new(),
        due_at,
        payload: serde_json::Value::Null,
    }
}

/// Messages that are due now.
///
/// # Errors
/// The database's own.
pub async fn due(host: &Host) -> Result<Vec<Message>, StoreError> {
    let mut tx = host.store.read().await?;
    store::due(&mut tx, host.now_ms(), AT_ONCE).await
}

/// When the next message is due, if there is one.
///
/// # Errors
/// The database's own.
pub async fn next_due(host: &Host) -> Result<Option<i64>, StoreError> {
    let mut tx = host.store.read().await?;
    store::next_due(&mut tx).await
}

/// Puts the mail into the pickup directory. Delivered again, it is the same file.
///
/// # Errors
/// [`NotifyError`].
pub async fn deliver(host: &Host, message: &Message) -> Result<(), NotifyError> {
    let folder = host.options.data_dir.join("outbox");
    let failed = |path: PathBuf| move |source| NotifyError::File { path, source };
    tokio::fs::create_dir_all(&folder)
        .await
        .map_err(failed(folder.clone()))?;
    let mail = message.mail(host.now_ms())?;
    // Complete under its own name or not there at all: a mail server may look at any moment.
    let (part, whole) = (
        folder.join(format!("{}.part", message.id)),
        folder.join(format!("{}.eml", message.id)),
    );
    tokio::fs::write(&part, &mail)
        .await
        .map_err(failed(part.clone()))?;
    tokio::fs::rename(&part, &whole)
        .await
        .map_err(failed(whole.clone()))
}

/// Notes that a message was delivered; false when it had ended before.
///
/// # Errors
/// The database's own.
pub async fn mark_sent(host: &Host, tx: &mut Tx, message: &Message) -> Result<bool, StoreError> {
    store::end(tx, &message.id, "sent", host.now_ms()).await
}

/// Notes that nobody needs a message any more.
///
/// # Errors
/// The database's own.
pub async fn withdraw(host: &Host, tx: &mut Tx, message: &Message) -> Result<(), StoreError> {
    store::end(tx, &message.id, "withdrawn", host.now_ms()).await?;
    Ok(())
}

/// Notes a failed delivery; it is tried again later.
///
/// # Errors
/// The database's own.
pub async fn put_off(
    host: &Host,
    tx: &mut Tx,
    message: &Message,
    why: &str,
) -> Result<(), StoreError> {
    let wait = AGAIN_MS << message.attempts.clamp(0, MOST_DOUBLINGS);
    store::put_off(tx, &message.id, host.now_ms() + wait, why).await
}
