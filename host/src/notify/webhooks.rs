//! Webhooks: what happens is told to a machine, signed, through the egress guard.
//!
//! Invariants: only a public https address, or exactly what the operator allowed, is ever called; no redirect is followed, and answers
//! are read only up to the guard's cap; a webhook's address is never changed, because its secret belongs to it; the secret is shown once.
//! One that takes nothing for [`OFF_AFTER_MS`], or answers 410 Gone, is switched off with the reason.

use jiff::Timestamp;
use seatwise_runtime::HostPattern;
use serde::Serialize;
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::cause::{Cause, Facts, Notice};
use super::delivery::Trouble;
use super::message::{Channel, Message, one_line};
use super::signature::{KEY_BYTES, secret_of, sign};
use super::store::webhooks::{self as store, HookRow, NewEvent};
use super::{NotifyError, service};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Permission};
use crate::identity::service as identity;
use crate::kernel::clock::DAY_MS;
use crate::kernel::seal::Place;
use crate::kernel::{MessageId, WebhookId};
use crate::store::{StoreError, Tx};

/// A webhook that has taken nothing for so long is switched off.
pub const OFF_AFTER_MS: i64 = 3 * DAY_MS;
/// Characters of an answer's body that are kept.
const ANSWER_CHARS: usize = 200;
/// Webhooks of one installation: each is called for each event.
const MOST: usize = 20;

/// A webhook to be made.
#[derive(Clone, Debug, Default)]
pub struct NewWebhook {
    /// Unique.
    pub name: String,
    /// Where events go.
    pub url: String,
    /// Words of causes.
    pub causes: Vec<String>,
}

/// A webhook as it is shown: never its secret.
#[derive(Clone, Debug, Serialize)]
pub struct WebhookView {
    /// Its id.
    pub id: WebhookId,
    /// Its name.
    pub name: String,
    /// Where events go.
    pub url: String,
    /// Words of causes.
    pub causes: Vec<String>,
    /// `on` or `off`.
    pub state: String,
    /// Why it is off.
    pub off_reason: Option<String>,
    /// Since when nothing got through.
    pub failing_since: Option<i64>,
    /// Who changed it last.
    pub set_by: String,
    /// When.
    pub set_at: i64,
    /// When it was made.
    pub created_at: i64,
}

/// A secret, shown this once.
#[derive(Serialize)]
pub struct Minted {
    /// The webhook.
    pub webhook: WebhookView,
    /// `whsec_…`
    pub secret: String,
}

fn place(id: &WebhookId) -> Place<'_> {
    Place {
        table: "webhooks",
        row: id.as_str(),
        column: "secret_sealed",
    }
}

async fn view(tx: &mut Tx, row: HookRow) -> WebhookView {
    let by = identity::name_of(tx, &row.set_by.as_str().into()).await;
    WebhookView {
        id: row.id,
        name: row.name,
        url: row.url,
        causes: serde_json::from_str(&row.causes).unwrap_or_default(),
        state: row.state,
        off_reason: row.off_reason,
        failing_since: row.failing_since,
        set_by: by.ok().flatten().unwrap_or(row.set_by),
        set_at: row.set_at,
        created_at: row.created_at,
    }
}

async fn need(tx: &mut Tx, id: &str) -> Result<HookRow, NotifyError> {
    store::find(tx, id)
        .await?
        .ok_or(NotifyError::NotFound("webhook"))
}

fn checked_causes(words: &[String]) -> Result<String, NotifyError> {
    if words.is_empty() {
        return Err(NotifyError::invalid(
            "causes",
            "choose at least one thing to be told of",
        ));
    }
    let mut known: Vec<&str> = Vec::new();
    for word in words {
        let cause = Cause::parse(word).ok_or_else(|| {
            let word = one_line(word, 40);
            NotifyError::invalid("causes", format!("`{word}` is nothing that is told of"))
        })?;
        if !known.contains(&cause.as_str()) {
            known.push(cause.as_str());
        }
    }
    Ok(json!(known).to_string())
}

/// The one host of an address, as the guard takes it.
fn patterns(url: &Url) -> Vec<HostPattern> {
    let name = url.host_str().unwrap_or_default();
    HostPattern::parse(name).ok().into_iter().collect()
}

fn checked_url(host: &Host, text: &str) -> Result<Url, NotifyError> {
    let wrong = |why: &str| NotifyError::invalid("url", why.to_owned());
    let url = Url::parse(text.trim()).map_err(|_| {
        wrong("this is no address; write it as https://hooks.acme.example/seatwise")
    })?;
    if url.as_str().len() > 2_000 || url.fragment().is_some() {
        return Err(wrong("an address has at most 2,000 characters and no `#`"));
    }
    host.connectors
        .client()
        .permits(&patterns(&url), &url)
        .map_err(|failure| {
            let why = match failure.code.as_str() {
                "egress.not_https" => "events go over https alone",
                "egress.ip_literal" => "an address has a host name, not a number; a private one is allowed by the operator with --allow-target",
                "egress.bad_base" => "an address carries no user name and no password",
                _ => "only a public host at port 443 can be called; a private one is allowed by the operator with --allow-target",
            };
            wrong(why)
        })?;
    Ok(url)
}

/// All webhooks, by name.
///
/// # Errors
/// [`NotifyError::Denied`].
pub async fn list_webhooks(host: &Host, actor: &Actor) -> Result<Vec<WebhookView>, NotifyError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.read_everything().await?;
    let mut views = Vec::new();
    for row in store::list(&mut tx).await? {
        views.push(view(&mut tx, row).await);
    }
    Ok(views)
}

/// One webhook.
///
/// # Errors
/// [`NotifyError::NotFound`], [`NotifyError::Denied`].
pub async fn get_webhook(host: &Host, actor: &Actor, id: &str) -> Result<WebhookView, NotifyError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.read_everything().await?;
    let row = need(&mut tx, id).await?;
    Ok(view(&mut tx, row).await)
}

fn mint_key(host: &Host) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut key = Zeroizing::new([0u8; KEY_BYTES]);
    host.chance.fill(&mut *key);
    key
}

/// Makes a webhook and its secret.
///
/// # Errors
/// [`NotifyError::Invalid`] naming the field, [`NotifyError::Denied`].
pub async fn create_webhook(
    host: &Host,
    actor: &Actor,
    new: &NewWebhook,
) -> Result<Minted, NotifyError> {
    actor.may(Permission::Administer)?;
    let name = one_line(&new.name, 100);
    if name.is_empty() || name != new.name.trim() {
        return Err(NotifyError::invalid(
            "name",
            "a name has 1 to 100 characters, all of them visible",
        ));
    }
    let causes = checked_causes(&new.causes)?;
    let url = checked_url(host, &new.url)?;
    let now_ms = host.now_ms();
    let id = WebhookId::mint(now_ms, &*host.chance);
    let key = mint_key(host);
    let row = HookRow {
        secret_sealed: host.sealer.seal(place(&id), &*key, &*host.chance)?,
        id,
        name,
        url: url.to_string(),
        causes,
        state: "on".to_owned(),
        off_reason: None,
        failing_since: None,
        set_by: actor.id.to_string(),
        set_at: now_ms,
        created_at: now_ms,
    };
    let mut tx = host.store.begin().await?;
    if store::list(&mut tx).await?.len() >= MOST {
        return Err(NotifyError::invalid(
            "name",
            format!("there are {MOST} webhooks already; remove one first"),
        ));
    }
    store::insert(&mut tx, &row, &host.sealer.key_id())
        .await
        .map_err(|error| {
            if error.is_unique("name") {
                NotifyError::invalid("name", "another webhook has this name")
            } else {
                error.into()
            }
        })?;
    let detail = json!({ "name": row.name, "url": row.url, "causes": row.causes });
    record(host, &mut tx, actor, "webhook.created", &row.id, detail).await?;
    let webhook = view(&mut tx, row).await;
    tx.commit().await?;
    Ok(Minted {
        webhook,
        secret: secret_of(&*key).to_string(),
    })
}

/// What a person may change of a webhook.
#[derive(Clone, Debug)]
pub enum Change {
    /// Told of exactly these.
    Causes(Vec<String>),
    /// Events go out again; what failed before stays failed.
    On,
    /// Nothing goes out; what waits is withdrawn.
    Off,
}

/// Changes a webhook.
///
/// # Errors
/// [`NotifyError::NotFound`], [`NotifyError::Invalid`], [`NotifyError::Denied`].
pub async fn change_webhook(
    host: &Host,
    actor: &Actor,
    id: &str,
    change: &Change,
) -> Result<WebhookView, NotifyError> {
    actor.may(Permission::Administer)?;
    let now_ms = host.now_ms();
    let mut tx = host.store.begin().await?;
    let mut row = need(&mut tx, id).await?;
    match change {
        Change::Causes(words) => row.causes = checked_causes(words)?,
        Change::On => {
            "on".clone_into(&mut row.state);
            row.off_reason = None;
            row.failing_since = None;
        }
        Change::Off => {
            "off".clone_into(&mut row.state);
            row.off_reason = Some(format!("switched off by {}", actor.name));
            store::end_due(
                &mut tx,
                id,
                "withdrawn",
                "the webhook was switched off",
                now_ms,
            )
            .await?;
        }
    }
    row.set_by = actor.id.to_string();
    row.set_at = now_ms;
    store::save(&mut tx, &row).await?;
    let detail = json!({ "name": row.name, "state": row.state, "causes": row.causes });
    record(host, &mut tx, actor, "webhook.changed", &row.id, detail).await?;
    let changed = view(&mut tx, row).await;
    tx.commit().await?;
    Ok(changed)
}

/// Gives a webhook a new secret; the old one is worth nothing from here on.
///
/// # Errors
/// [`NotifyError::NotFound`], [`NotifyError::Denied`].
pub async fn renew_secret(host: &Host, actor: &Actor, id: &str) -> Result<Minted, NotifyError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.begin().await?;
    let row = need(&mut tx, id).await?;
    let key = mint_key(host);
    let sealed = host.sealer.seal(place(&row.id), &*key, &*host.chance)?;
    store::put_secret(&mut tx, &row.id, &sealed, &host.sealer.key_id()).await?;
    record(
        host,
        &mut tx,
        actor,
        "webhook.secret_renewed",
        &row.id,
        json!({ "name": row.name }),
    )
    .await?;
    let webhook = view(&mut tx, row).await;
    tx.commit().await?;
    Ok(Minted {
        webhook,
        secret: secret_of(&*key).to_string(),
    })
}

/// Takes a webhook away with its secret; what waits is withdrawn, its deliveries stay on record.
///
/// # Errors
/// [`NotifyError::NotFound`], [`NotifyError::Denied`].
pub async fn remove_webhook(host: &Host, actor: &Actor, id: &str) -> Result<(), NotifyError> {
    actor.may(Permission::Administer)?;
    let now_ms = host.now_ms();
    let mut tx = host.store.begin().await?;
    let row = need(&mut tx, id).await?;
    store::end_due(&mut tx, id, "withdrawn", "the webhook was removed", now_ms).await?;
    store::remove(&mut tx, &row.id, now_ms).await?;
    let detail = json!({ "name": row.name, "url": row.url });
    record(host, &mut tx, actor, "webhook.removed", &row.id, detail).await?;
    Ok(tx.commit().await?)
}

/// Sends a test event now, and answers what the other side said.
///
/// # Errors
/// [`NotifyError::NotSent`] with the reason, [`NotifyError::NotFound`], [`NotifyError::Denied`].
pub async fn test_webhook(host: &Host, actor: &Actor, id: &str) -> Result<String, NotifyError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.begin().await?;
    let row = need(&mut tx, id).await?;
    record(
        host,
        &mut tx,
        actor,
        "webhook.tested",
        &row.id,
        json!({ "name": row.name }),
    )
    .await?;
    tx.commit().await?;
    let now_ms = host.now_ms();
    let body =
        json!({ "type": "test", "timestamp": iso(now_ms), "data": { "asked_by": actor.name } });
    let message = Message {
        id: MessageId::mint(now_ms, &*host.chance),
        kind: "test".to_owned(),
        channel: Channel::Webhook,
        target: row.id.to_string(),
        recipient: row.url.clone(),
        subject: "test".to_owned(),
        body: body.to_string(),
        html: None,
        subject_kind: "webhook".to_owned(),
        subject_id: row.id.to_string(),
        attempts: 1,
        created_at: now_ms,
    };
    call(host, &row, &message).await.map_err(|trouble| {
        let (Trouble::Later(said)
        | Trouble::Lane(said)
        | Trouble::Refused(said)
        | Trouble::Over(said)) = trouble;
        NotifyError::NotSent(said)
    })
}

async fn record(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    event: &str,
    id: &WebhookId,
    detail: serde_json::Value,
) -> Result<(), NotifyError> {
    let entry = Entry {
        event,
        subject_kind: "webhook",
        subject_id: id.as_str(),
        detail,
    };
    Ok(host.audit(tx, actor, entry).await?)
}

fn iso(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |at| at.to_string())
}

/// The JSON of an event. Texts are as they were found: JSON escapes what it must, and a receiver shows them as text.
fn body(notice: &Notice, facts: &Facts, at_ms: i64, public_url: &str) -> String {
    json!({
        "type": notice.cause.event(),
        "timestamp": iso(at_ms),
        "data": {
            "subject": { "kind": notice.subject_kind, "id": notice.subject_id, "number": facts.number },
            "name": facts.name,
            "happened": facts.happened,
            "fix": facts.fix,
            "counts": facts.counts,
            "url": format!("{}{}", public_url.trim_end_matches('/'), facts.path),
        },
    })
    .to_string()
}

/// Writes an event for each webhook that is told of this, in the transaction of the cause.
pub(super) async fn tell(host: &Host, tx: &mut Tx, notice: &Notice) -> Result<(), StoreError> {
    let now_ms = host.now_ms();
    for row in store::list(tx).await? {
        let causes: Vec<String> = serde_json::from_str(&row.causes).unwrap_or_default();
        if row.state != "on" || !causes.iter().any(|word| word == notice.cause.as_str()) {
            continue;
        }
        let body = body(notice, &notice.facts, now_ms, &host.options.public_url);
        let new = NewEvent {
            id: &MessageId::mint(now_ms, &*host.chance),
            kind: notice.cause.as_str(),
            key: &format!("{}:{}", notice.key, row.id),
            hook: &row.id,
            url: &row.url,
            event: notice.cause.event(),
            body: &body,
            subject_kind: notice.subject_kind,
            subject_id: &notice.subject_id,
            now_ms,
        };
        if store::insert_event(tx, &new).await? {
            host.wake(tx, &service::job(row.id.as_str(), now_ms))
                .await?;
        }
    }
    Ok(())
}

/// Calls a webhook with a message of the outbox.
pub(super) async fn deliver(host: &Host, message: &Message) -> Result<String, Trouble> {
    let row = async {
        let mut tx = host.store.read_everything().await?;
        store::find(&mut tx, &message.target).await
    };
    let row = row
        .await
        .map_err(|error| Trouble::Lane(error.to_string()))?;
    match row {
        Some(row) if row.state == "on" => call(host, &row, message).await,
        _ => Err(Trouble::Refused("the webhook is off".to_owned())),
    }
}

async fn call(host: &Host, row: &HookRow, message: &Message) -> Result<String, Trouble> {
    let key = host
        .sealer
        .open(place(&row.id), &row.secret_sealed)
        .map_err(|error| Trouble::Lane(error.to_string()))?;
    let url = Url::parse(&row.url).map_err(|error| Trouble::Lane(error.to_string()))?;
    let at_s = host.now_ms() / 1_000;
    let request = http::Request::post(url.as_str())
        .header("content-type", "application/json")
        .header("webhook-id", message.id.as_str())
        .header("webhook-timestamp", at_s.to_string())
        .header(
            "webhook-signature",
            sign(&key, message.id.as_str(), at_s, &message.body),
        )
        .body(message.body.clone().into_bytes())
        .map_err(|error| Trouble::Lane(error.to_string()))?;
    let answer = host
        .connectors
        .client()
        .send(&patterns(&url), request)
        .await
        .map_err(|failure| Trouble::Lane(one_line(&failure.message, ANSWER_CHARS)))?;
    let status = answer.status();
    let text = one_line(&String::from_utf8_lossy(answer.body()), ANSWER_CHARS);
    let said = if text.is_empty() {
        format!("HTTP {}", status.as_u16())
    } else {
        format!("HTTP {}: {text}", status.as_u16())
    };
    if status.is_success() {
        Ok(said)
    } else if status == http::StatusCode::GONE {
        Err(Trouble::Over(format!(
            "it answered 410 Gone, which asks for no more events ({said})"
        )))
    } else if status.is_redirection() {
        Err(Trouble::Lane(format!("{said}; redirects are not followed")))
    } else {
        Err(Trouble::Lane(said))
    }
}

/// Notes that a webhook took something.
pub(super) async fn took(tx: &mut Tx, message: &Message) -> Result<(), StoreError> {
    store::note_failing(tx, &message.target, None).await?;
    Ok(())
}

/// Notes that a webhook took nothing; answers whether that has lasted too long.
pub(super) async fn took_nothing(
    host: &Host,
    tx: &mut Tx,
    message: &Message,
) -> Result<bool, StoreError> {
    let now_ms = host.now_ms();
    let since = store::note_failing(tx, &message.target, Some(now_ms)).await?;
    Ok(since.is_some_and(|since| now_ms - since >= OFF_AFTER_MS))
}

/// Switches a webhook off because of what it answered, or did not; administrators are told.
pub(super) async fn switch_off(
    host: &Host,
    tx: &mut Tx,
    id: &str,
    why: &str,
) -> Result<(), StoreError> {
    let now_ms = host.now_ms();
    store::end_due(tx, id, "failed", why, now_ms).await?;
    let Some(mut row) = store::find(tx, id).await? else {
        return Ok(());
    };
    "off".clone_into(&mut row.state);
    row.off_reason = Some(why.to_owned());
    row.set_by = Actor::SYSTEM_ID.to_owned();
    row.set_at = now_ms;
    store::save(tx, &row).await?;
    let entry = Entry {
        event: "webhook.switched_off",
        subject_kind: "webhook",
        subject_id: id,
        detail: json!({ "name": row.name, "because": why }),
    };
    host.audit(tx, &Actor::system(), entry).await?;
    let notice = Notice {
        cause: Cause::WebhookOff,
        key: format!("webhook_off:{id}:{now_ms}"),
        subject_kind: "webhook",
        subject_id: id.to_owned(),
        owner: None,
        facts: Facts {
            number: "Webhook".to_owned(),
            name: row.name,
            happened: why.to_owned(),
            fix: Some("Repair the receiver, test the webhook, and switch it on again".to_owned()),
            path: format!("/webhooks/{id}"),
            counts: Vec::new(),
        },
    };
    Box::pin(service::tell(host, tx, &notice)).await
}
