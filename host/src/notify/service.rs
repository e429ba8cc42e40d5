//! Writing messages in the transaction of their cause, and noting what became of them.

use super::cause::{Facts, Notice};
use super::message::{Channel, Message, NewMessage};
use super::store::NewGroup;
use super::{NotifyError, choices, store, webhooks, wording};
use crate::app::host::Host;
use crate::jobs::{JobKind, NewJob};
use crate::kernel::MessageId;
use crate::kernel::clock::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::store::{StoreError, Tx};

/// Messages taken in one go.
const AT_ONCE: i64 = 100;
/// A delivery that failed is tried again after this, doubled each time.
const AGAIN_MS: i64 = MINUTE_MS;
/// Doublings at most: a little over two hours.
const MOST_DOUBLINGS: i64 = 7;
/// A message that was not delivered for so long has failed (RFC 5321 §4.5.4.1 asks for four to five days).
pub const GIVE_UP_MS: i64 = 4 * DAY_MS;
/// A notice waits this long for others of its kind, so that a storm is one mail.
pub const GATHER_MS: i64 = MINUTE_MS;
/// After a mail of one kind the next one to the same person waits until so much later, and takes along what happened meanwhile.
pub const QUIET_MS: i64 = HOUR_MS;

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
        host.wake(tx, &job(MAIL, now_ms)).await?;
    }
    Ok(is_new)
}

/// Tells everybody who wants to know, in the transaction of the cause: an event to each webhook, and a mail to each person, together with what else of its kind has
/// happened since the last one. Told again with the same key, nobody hears it twice.
///
/// # Errors
/// The database's own.
pub async fn tell(host: &Host, tx: &mut Tx, notice: &Notice) -> Result<(), StoreError> {
    webhooks::tell(host, tx, notice).await?;
    let subject = (notice.subject_kind, notice.subject_id.as_str());
    for person in choices::listeners(tx, notice.cause, notice.owner.as_deref(), subject).await? {
        tell_person(host, tx, notice, &person).await?;
    }
    Ok(())
}

async fn tell_person(
    host: &Host,
    tx: &mut Tx,
    notice: &Notice,
    person: &choices::Listener,
) -> Result<(), StoreError> {
    let now_ms = host.now_ms();
    let key = format!("{}:{}", notice.key, person.id);
    if store::is_told(tx, &key).await? {
        return Ok(());
    }
    let group = format!("{}:{}", notice.cause.as_str(), person.id);
    let open = match store::find_open(tx, &group).await? {
        Some(open) => open,
        None => {
            let last = store::last_of_group(tx, &group).await?;
            let due_at = (now_ms + GATHER_MS).max(last.map_or(0, |at| at + QUIET_MS));
            let new = NewGroup {
                id: &MessageId::mint(now_ms, &*host.chance),
                kind: notice.cause.as_str(),
                group: &group,
                recipient: &person.email,
                target: person.id.as_str(),
                subject_kind: notice.subject_kind,
                subject_id: &notice.subject_id,
                due_at,
                now_ms,
            };
            store::open_group(tx, &new).await?;
            host.wake(tx, &job(MAIL, due_at)).await?;
            // Another transaction may have opened it first; then it is that one.
            store::find_open(tx, &group)
                .await?
                .ok_or(StoreError::Conflict)?
        }
    };
    let facts = serde_json::json!(notice.facts).to_string();
    let is_new = store::add_notice(tx, &open, (&key, &notice.key), &facts, now_ms).await?;
    let told = store::notices(tx, &open).await?;
    if !is_new {
        if told.is_empty() {
            // Opened for a notice that another transaction told meanwhile.
            store::end(tx, &open, "withdrawn", None, now_ms).await?;
        }
        return Ok(());
    }
    let told: Vec<Facts> = told
        .iter()
        .filter_map(|facts| serde_json::from_str(facts).ok())
        .collect();
    match wording::mail(notice.cause, &person.name, &told, &host.options.public_url) {
        Ok(worded) => {
            store::put_words(tx, &open, &worded.subject, &worded.text, &worded.html).await
        }
        // What happened is not to be undone because we lack words for it.
        Err(error) => {
            tracing::error!(%error, cause = notice.cause.as_str(), "a mail has no words and is not sent");
            store::end(tx, &open, "withdrawn", Some("no words"), now_ms).await?;
            Ok(())
        }
    }
}

/// Whether somebody was told of this happening.
///
/// # Errors
/// The database's own.
pub async fn was_told(tx: &mut Tx, key: &str) -> Result<bool, StoreError> {
    store::is_known(tx, key).await
}

/// The subject of the job that empties the mail of the outbox.
pub const MAIL: &str = "mail";

/// The one job that empties a part of the outbox: all mail, or what goes to one webhook, so that a webhook that hangs delays nobody else.
pub(super) fn job(lane: &str, due_at: i64) -> NewJob {
    NewJob {
        kind: JobKind::Outbox,
        organization: None,
        key: format!("outbox:{lane}"),
        subject: lane.to_owned(),
        due_at,
        payload: serde_json::Value::Null,
    }
}

fn lane(subject: &str) -> (Channel, Option<&str>) {
    if subject == MAIL {
        (Channel::Mail, None)
    } else {
        (Channel::Webhook, Some(subject))
    }
}

/// Messages of a job that are due now.
///
/// # Errors
/// The database's own.
pub async fn due(host: &Host, subject: &str) -> Result<Vec<Message>, StoreError> {
    let mut tx = host.store.read_everything().await?;
    let (channel, target) = lane(subject);
    store::due(&mut tx, channel, target, host.now_ms(), AT_ONCE).await
}

/// When the next message of a job is due, if there is one.
///
/// # Errors
/// The database's own.
pub async fn next_due(host: &Host, subject: &str) -> Result<Option<i64>, StoreError> {
    let mut tx = host.store.read_everything().await?;
    let (channel, target) = lane(subject);
    store::next_due(&mut tx, channel, target).await
}

/// Begins a delivery, durably before anything is sent: from here on the text is fixed. `None` when the message has ended meanwhile.
///
/// # Errors
/// The database's own.
pub async fn begin(
    host: &Host,
    tx: &mut Tx,
    message: &Message,
) -> Result<Option<Message>, StoreError> {
    store::begin(tx, &message.id, host.now_ms()).await
}

/// Notes that a message was delivered, with what the other side said; false when it had ended before.
///
/// # Errors
/// The database's own.
pub async fn mark_sent(
    host: &Host,
    tx: &mut Tx,
    message: &Message,
    answer: &str,
) -> Result<bool, StoreError> {
    if message.channel == Channel::Webhook {
        webhooks::took(tx, message).await?;
    }
    store::end(tx, &message.id, "sent", Some(answer), host.now_ms()).await
}

/// Notes that a message will not be delivered.
///
/// # Errors
/// The database's own.
pub async fn mark_failed(
    host: &Host,
    tx: &mut Tx,
    message: &Message,
    why: &str,
) -> Result<bool, StoreError> {
    store::end(tx, &message.id, "failed", Some(why), host.now_ms()).await
}

/// Notes that nobody needs a message any more.
///
/// # Errors
/// The database's own.
pub async fn withdraw(host: &Host, tx: &mut Tx, message: &Message) -> Result<(), StoreError> {
    store::end(tx, &message.id, "withdrawn", None, host.now_ms()).await?;
    Ok(())
}

/// Notes that nothing more is to be sent where this message goes.
///
/// # Errors
/// The database's own.
pub async fn mark_over(
    host: &Host,
    tx: &mut Tx,
    message: &Message,
    why: &str,
) -> Result<(), StoreError> {
    if message.channel == Channel::Webhook {
        webhooks::switch_off(host, tx, &message.target, why).await
    } else {
        mark_failed(host, tx, message, why).await.map(|_| ())
    }
}

/// What becomes of a message whose delivery did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOff {
    /// It is tried again at this time.
    Until(i64),
    /// It was tried for [`GIVE_UP_MS`]; it has failed.
    GivenUp,
}

/// Notes a failed delivery; it is tried again later, but not for ever.
///
/// # Errors
/// The database's own.
pub async fn put_off(
    host: &Host,
    tx: &mut Tx,
    message: &Message,
    why: &str,
) -> Result<PutOff, StoreError> {
    let now_ms = host.now_ms();
    if message.channel == Channel::Webhook && webhooks::took_nothing(host, tx, message).await? {
        let why = format!("it took nothing for three days: {why}");
        webhooks::switch_off(host, tx, &message.target, &why).await?;
        return Ok(PutOff::GivenUp);
    }
    if now_ms - message.created_at >= GIVE_UP_MS {
        mark_failed(
            host,
            tx,
            message,
            &format!("given up after four days: {why}"),
        )
        .await?;
        return Ok(PutOff::GivenUp);
    }
    let until = now_ms + (AGAIN_MS << (message.attempts - 1).clamp(0, MOST_DOUBLINGS));
    store::put_off(tx, &message.id, until, why).await?;
    Ok(PutOff::Until(until))
}
