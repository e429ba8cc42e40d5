//! The administrators' desk: what was delivered, what waits, what failed; try again, withdraw; and how large the backlog is.

use serde::Serialize;
use serde_json::json;

use super::message::Channel;
use super::service::{MAIL, job};
use super::{NotifyError, store};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Permission};
use crate::kernel::MessageId;
use crate::kernel::clock::MINUTE_MS;
use crate::store::StoreError;

/// States a message can be in.
pub const STATES: [&str; 4] = ["due", "sent", "failed", "withdrawn"];
/// A message that is due for longer than this is a backlog: something hinders the delivery.
pub const LATE_MS: i64 = 15 * MINUTE_MS;

/// A message as administrators see it: never its text.
#[derive(Clone, Debug, Serialize)]
pub struct DeliveryView {
    /// Its id; also in its `Message-ID` or `webhook-id`.
    pub id: MessageId,
    /// What kind.
    pub kind: String,
    /// How it leaves.
    pub channel: Channel,
    /// The webhook, or the person by whose choice it is sent.
    pub target: String,
    /// Address.
    pub recipient: String,
    /// One line.
    pub subject: String,
    /// `due`, `sent`, `failed`, `withdrawn`.
    pub state: String,
    /// When it is tried next.
    pub due_at: i64,
    /// Deliveries begun.
    pub attempts: i64,
    /// The last one.
    pub last_attempt_at: Option<i64>,
    /// When the other side took it.
    pub sent_at: Option<i64>,
    /// What the other side said to it.
    pub answer: Option<String>,
    /// Why it did not get through.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: i64,
}

/// How much waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BacklogView {
    /// Messages still to be delivered.
    pub due: i64,
    /// Messages given up.
    pub failed: i64,
    /// Since when the oldest waits past its time.
    pub oldest_due_at: Option<i64>,
    /// It waits for so long that somebody should look.
    pub is_late: bool,
}

/// Messages, newest first, at most `limit` (1 to 200); of one state or webhook where named. `before` is the last one of the page before.
///
/// # Errors
/// [`NotifyError::NotFound`] for a `before` that is none, [`NotifyError::Denied`].
pub async fn list_deliveries(
    host: &Host,
    actor: &Actor,
    state: Option<&str>,
    target: Option<&str>,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<DeliveryView>, NotifyError> {
    actor.may(Permission::Administer)?;
    if state.is_some_and(|state| !STATES.contains(&state)) {
        return Err(NotifyError::NotFound("state"));
    }
    let mut tx = host.store.read_everything().await?;
    let before = match before {
        None => None,
        Some(id) => {
            let last = store::find(&mut tx, id)
                .await?
                .ok_or(NotifyError::NotFound("message"))?;
            Some((last.created_at, last.id.to_string()))
        }
    };
    let (state, target) = (state.unwrap_or_default(), target.unwrap_or_default());
    Ok(store::list(&mut tx, state, target, before, limit.clamp(1, 200)).await?)
}

/// How much waits, for pages.
///
/// # Errors
/// [`NotifyError::Denied`].
pub async fn get_backlog(host: &Host, actor: &Actor) -> Result<BacklogView, NotifyError> {
    actor.may(Permission::Administer)?;
    Ok(backlog(host).await?)
}

/// How much waits, for the host's own health.
///
/// # Errors
/// The database's own.
pub async fn backlog(host: &Host) -> Result<BacklogView, StoreError> {
    let mut tx = host.store.read_everything().await?;
    let now_ms = host.now_ms();
    let (due, failed, oldest_due_at) = store::backlog(&mut tx, now_ms).await?;
    Ok(BacklogView {
        due,
        failed,
        oldest_due_at,
        is_late: oldest_due_at.is_some_and(|at| now_ms - at > LATE_MS),
    })
}

/// Tries a failed or waiting message again, now.
///
/// # Errors
/// [`NotifyError::NotFound`], [`NotifyError::WrongState`] for one that was sent or withdrawn, [`NotifyError::Denied`].
pub async fn retry_message(host: &Host, actor: &Actor, id: &str) -> Result<(), NotifyError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.begin().await?;
    let message = store::find(&mut tx, id)
        .await?
        .ok_or(NotifyError::NotFound("message"))?;
    if !store::retry(&mut tx, &message.id, host.now_ms()).await? {
        return Err(NotifyError::WrongState(message.state));
    }
    let lane = match message.channel {
        Channel::Mail => MAIL,
        Channel::Webhook => message.target.as_str(),
    };
    host.wake(&mut tx, &job(lane, host.now_ms())).await?;
    let entry = Entry {
        event: "message.retried",
        subject_kind: "message",
        subject_id: message.id.as_str(),
        detail: json!({ "was": message.state, "recipient": message.recipient }),
    };
    host.audit(&mut tx, actor, entry).await?;
    Ok(tx.commit().await?)
}

/// Withdraws a message that has not been delivered.
///
/// # Errors
/// [`NotifyError::NotFound`], [`NotifyError::WrongState`] for one that has ended, [`NotifyError::Denied`].
pub async fn withdraw_message(host: &Host, actor: &Actor, id: &str) -> Result<(), NotifyError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.begin().await?;
    let message = store::find(&mut tx, id)
        .await?
        .ok_or(NotifyError::NotFound("message"))?;
    if !store::end(&mut tx, &message.id, "withdrawn", None, host.now_ms()).await? {
        return Err(NotifyError::WrongState(message.state));
    }
    let entry = Entry {
        event: "message.withdrawn",
        subject_kind: "message",
        subject_id: message.id.as_str(),
        detail: json!({ "recipient": message.recipient, "kind": message.kind }),
    };
    host.audit(&mut tx, actor, entry).await?;
    Ok(tx.commit().await?)
}
