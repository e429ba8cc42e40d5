//! Handing one task to somebody without an account: by a link that shows only that task, takes one answer, and soon ends.
//!
//! Invariants: only a hash of the token is stored; the link shows nothing that was answered, least of all a secret; it writes with the
//! rights that whoever made it holds at that moment, and the trail names both; a new link of a task ends the old one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::json;

use super::model::{self, Answers, Task};
use super::save::{self, Seen};
use super::sign_in::{self, SignIn};
use super::store::{self, HandOver};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Permission, Via};
use crate::identity::service as identity;
use crate::kernel::HandOverId;
use crate::kernel::clock::MINUTE_MS;
use crate::kernel::digest::sha256_hex;
use crate::profiles::error::{AnswerFault, ProfileError};
use crate::profiles::service::need;

/// How long a link is good: long enough for somebody who was just told of it.
pub const LINK_MS: i64 = 30 * MINUTE_MS;

/// A link to be sent, shown once.
#[derive(Clone, Serialize)]
pub struct HandOverLink {
    /// Where to open it.
    pub url: String,
    /// For whom.
    pub recipient: String,
    /// Milliseconds UTC.
    pub expires_at: i64,
}

/// What the holder of a link is shown.
#[derive(Clone, Debug)]
pub struct Handed {
    /// The profile's number, for the service; never shown.
    pub profile: String,
    /// Connector id.
    pub connector: String,
    /// What to do.
    pub task: Task,
    /// Who asks.
    pub asked_by: String,
    /// For whom it was made.
    pub recipient: String,
    /// The kind of org that is meant.
    pub environment: Option<String>,
    /// Milliseconds UTC.
    pub expires_at: i64,
    /// Acts for whoever made the link.
    pub actor: Actor,
}

/// Makes a link for a task.
///
/// # Errors
/// [`ProfileError::NoTask`] for a task that is not for others, [`AnswerFault::Recipient`].
pub async fn make(
    host: &Host,
    actor: &Actor,
    key: &str,
    task: &Task,
    recipient: &str,
) -> Result<HandOverLink, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    if !task.can_be_handed_over() {
        return Err(ProfileError::NoTask(task.to_string()));
    }
    let recipient = recipient.trim();
    let count = recipient.chars().count();
    if count == 0 || count > 80 || recipient.chars().any(char::is_control) {
        return Err(AnswerFault::Recipient.into());
    }
    let now_ms = host.now_ms();
    let mut bytes = [0u8; 32];
    host.chance.fill(&mut bytes);
    let token = format!("swh_{}", URL_SAFE_NO_PAD.encode(bytes));
    let mut tx = host.store.begin().await?;
    let row = need(&mut tx, key).await?;
    let manifest = host.connectors.manifest(&row.connector)?;
    if model::find(&manifest, &task.to_string()).is_none() {
        return Err(ProfileError::NoTask(task.to_string()));
    }
    let new = HandOver {
        profile: row.id.clone(),
        task: task.to_string(),
        recipient: recipient.to_owned(),
        made_by: actor.id.clone(),
        expires_at: now_ms + LINK_MS,
    };
    let id = HandOverId::mint(now_ms, &*host.chance);
    store::insert_hand_over(&mut tx, &id, &new, &sha256_hex(&token), now_ms).await?;
    save::hand_over(host, &mut tx, actor, &row, task, recipient).await?;
    let entry = Entry {
        event: "profile.handed_over",
        subject_kind: "profile",
        subject_id: row.id.as_str(),
        detail: json!({"task": task.to_string(), "to": recipient, "hand_over": id, "until": new.expires_at}),
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await?;
    let base = host.options.public_url.trim_end_matches('/');
    Ok(HandOverLink {
        url: format!("{base}/hand-over?token={token}"),
        recipient: recipient.to_owned(),
        expires_at: new.expires_at,
    })
}

/// What a link shows. Changes nothing: previews and mail scanners open links.
///
/// # Errors
/// [`ProfileError::HandOverSpent`] alike for unknown, over and used links, and when its maker may no longer do it.
pub async fn open(host: &Host, token: &str) -> Result<Handed, ProfileError> {
    let spent = || ProfileError::HandOverSpent;
    let mut tx = host.store.read_everything().await?;
    let found = store::hand_over(&mut tx, &sha256_hex(token), host.now_ms())
        .await?
        .ok_or_else(spent)?;
    let row = need(&mut tx, found.profile.as_str()).await?;
    drop(tx);
    let manifest = host.connectors.manifest(&row.connector)?;
    let maker = identity::list_principals(host, &Actor::system())
        .await
        .map_err(ProfileError::Identity)?
        .into_iter()
        .find(|person| person.id == found.made_by && person.is_active)
        .ok_or_else(spent)?;
    let actor = Actor {
        id: maker.id,
        name: maker.name.clone(),
        roles: maker.roles,
        via: Via::HandOver {
            recipient: found.recipient.clone(),
        },
        sight: maker.sight,
    };
    actor.may(Permission::ManageProfiles).map_err(|_| spent())?;
    Ok(Handed {
        task: model::find(&manifest, &found.task).ok_or_else(spent)?,
        environment: Answers::parse(&row.answers).environment,
        profile: row.number,
        connector: row.connector,
        asked_by: maker.name,
        recipient: found.recipient,
        expires_at: found.expires_at,
        actor,
    })
}

/// Takes the answer to *Sign in* and spends the link. A grant that leads to the vendor's page is for people who are signed in.
///
/// # Errors
/// [`ProfileError`] naming the field; then the link is still good.
pub async fn sign_in(host: &Host, token: &str, typed: SignIn) -> Result<Handed, ProfileError> {
    let handed = open(host, token).await?;
    if handed.task != Task::SignIn {
        return Err(ProfileError::HandOverSpent);
    }
    let hash = sha256_hex(token);
    let seen = Seen::HandOver(&hash);
    sign_in::save_sign_in(host, &handed.actor, &handed.profile, typed, seen).await?;
    Ok(handed)
}

/// Takes the word that work at the vendor is done, and spends the link.
///
/// # Errors
/// [`ProfileError::HandOverSpent`].
pub async fn prepared(host: &Host, token: &str) -> Result<Handed, ProfileError> {
    let handed = open(host, token).await?;
    let hash = sha256_hex(token);
    let seen = Seen::HandOver(&hash);
    save::mark(
        host,
        &handed.actor,
        &handed.profile,
        &handed.task,
        "done",
        seen,
    )
    .await?;
    Ok(handed)
}

/// To whom a task is handed, and until when.
///
/// # Errors
/// The database's own.
pub async fn waiting_for(
    host: &Host,
    actor: &Actor,
    key: &str,
    task: &Task,
) -> Result<Option<(String, i64)>, ProfileError> {
    let mut tx = host.store.read(&actor.sight).await?;
    let row = need(&mut tx, key).await?;
    Ok(store::open_hand_over(&mut tx, &row.id, &task.to_string(), host.now_ms()).await?)
}
