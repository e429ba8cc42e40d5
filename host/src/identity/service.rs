//! Use cases of identity: one transaction each, authority checked inside.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::roles::{Actor, Permission, Role, Via};
use super::{IdentityError, store};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::kernel::clock::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::kernel::digest::sha256_hex;
use crate::kernel::{ApiTokenId, PrincipalId, SessionId, SigninLinkId};
use crate::store::Tx;

/// How long a sign-in link is good: long enough to copy it into a browser, too short to lie around in a log.
pub const LINK_MS: i64 = 15 * MINUTE_MS;
/// How long a session lasts, used or not: a working day.
pub const SESSION_MS: i64 = 12 * HOUR_MS;
/// Longest life of a personal token: nobody remembers older ones.
pub const TOKEN_MAX_DAYS: i64 = 365;
/// A token's last use is noted at most this often, so that reading does not mean writing.
const TOKEN_USE_NOTED_MS: i64 = 5 * MINUTE_MS;
/// Random bytes in a link, cookie or token: cannot be guessed, so a plain hash of it is enough.
const SECRET_BYTES: usize = 32;

/// What a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// Somebody with a name.
    Person,
    /// A script.
    Service,
    /// The host itself.
    System,
}

impl PrincipalKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Service => "service",
            Self::System => "system",
        }
    }

    pub(super) fn parse(text: &str) -> Self {
        match text {
            "service" => Self::Service,
            "system" => Self::System,
            _ => Self::Person,
        }
    }
}

/// A principal to be made.
#[derive(Clone, Debug, Deserialize)]
pub struct NewPrincipal {
    /// Person or service.
    pub kind: PrincipalKind,
    /// For messages.
    pub name: String,
    /// Unique where given.
    pub email: Option<String>,
    /// What it is to this installation.
    pub roles: BTreeSet<Role>,
}

/// A principal as pages show it.
#[derive(Clone, Debug, Serialize)]
pub struct PrincipalView {
    /// Its id.
    pub id: PrincipalId,
    /// What it is.
    pub kind: PrincipalKind,
    /// Name.
    pub name: String,
    /// Address.
    pub email: Option<String>,
    /// Roles now.
    pub roles: BTreeSet<Role>,
    /// False: signs in no more, its sessions and tokens are dead.
    pub is_active: bool,
}

/// A one-time sign-in link, shown once.
#[derive(Clone, Serialize)]
pub struct SigninLink {
    /// Where to open it; the page there posts the token.
    pub url: String,
    /// The secret part alone.
    pub token: String,
    /// For whom.
    pub name: String,
    /// Milliseconds UTC.
    pub expires_at: i64,
}

/// A session that has just begun.
#[derive(Clone)]
pub struct NewSession {
    /// Goes into the cookie, nowhere else.
    pub cookie: String,
    /// Goes into every form.
    pub csrf_token: String,
    /// Whose.
    pub principal: PrincipalId,
    /// Milliseconds UTC.
    pub expires_at: i64,
}

/// A session that a cookie belongs to.
#[derive(Clone)]
pub struct Session {
    /// Who, with the roles of this moment.
    pub actor: Actor,
    /// What forms must carry.
    pub csrf_token: String,
    /// Milliseconds UTC.
    pub expires_at: i64,
}

/// A personal token to be minted.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// For whom; the minter when not given. Another principal needs [`Permission::Administer`].
    #[serde(default)]
    pub principal: Option<PrincipalId>,
    /// Empty: everything its principal may.
    #[serde(default)]
    pub scopes: BTreeSet<String>,
    /// 1 to [`TOKEN_MAX_DAYS`].
    pub days: i64,
}

/// A token that was just minted; its secret is shown once.
#[derive(Clone, Serialize)]
pub struct MintedToken {
    /// To name it, to revoke it.
    pub id: ApiTokenId,
    /// `Authorization: Bearer` takes this.
    pub secret: String,
    /// Milliseconds UTC.
    pub expires_at: i64,
}

/// A token as pages show it.
#[derive(Clone, Debug, Serialize)]
pub struct TokenView {
    /// Its id.
    pub id: ApiTokenId,
    /// What it is for.
    pub name: String,
    /// Acts for.
    pub principal: PrincipalId,
    /// Made by.
    pub minted_by: PrincipalId,
    /// Empty: everything its principal may.
    pub scopes: BTreeSet<Permission>,
    /// Milliseconds UTC.
    pub expires_at: i64,
    /// Set when it was taken back.
    pub revoked_at: Option<i64>,
    /// Last use, to five minutes.
    pub last_used_at: Option<i64>,
}

/// Writes the host's own principal, once.
///
/// # Errors
/// The database's own.
pub async fn ensure_system(host: &Host) -> Result<(), IdentityError> {
    let mut tx = host.store.begin().await?;
    store::ensure_system(&mut tx, host.now_ms()).await?;
    Ok(tx.commit().await?)
}

/// Makes a person or service.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::EmailTaken`], [`IdentityError::Invalid`].
pub async fn create_principal(
    host: &Host,
    actor: &Actor,
    new: NewPrincipal,
) -> Result<PrincipalId, IdentityError> {
    actor.may(Permission::Administer)?;
    let name = checked_name(&new.name, "name")?;
    let email = new
        .email
        .as_deref()
        .map(str::trim)
        .filter(|e| !e.is_empty())
        .map(str::to_lowercase);
    if new.kind == PrincipalKind::System {
        return Err(invalid(
            "kind",
            "there is one system principal, and it exists already",
        ));
    }
    if email
        .as_deref()
        .is_some_and(|e| !e.contains('@') || e.len() > 254)
    {
        return Err(invalid(
            "email",
            "an e-mail address has an @ and at most 254 characters",
        ));
    }
    let id = PrincipalId::mint(host.now_ms(), &*host.chance);
    let mut tx = host.store.begin().await?;
    store::insert_principal(
        &mut tx,
        &id,
        new.kind.as_str(),
        &name,
        email.as_deref(),
        host.now_ms(),
    )
    .await
    .map_err(|error| {
        if error.is_unique("email") {
            IdentityError::EmailTaken(email.clone().unwrap_or_default())
        } else {
            error.into()
        }
    })?;
    store::put_roles(&mut tx, &id, &new.roles, actor.id.as_str(), host.now_ms()).await?;
    let roles: Vec<_> = new.roles.iter().map(|r| r.as_str()).collect();
    let detail = serde_json::json!({ "name": name, "kind": new.kind, "roles": roles });
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "principal.created",
            subject_kind: "principal",
            subject_id: id.as_str(),
            detail,
        },
    )
    .await?;
    tx.commit().await?;
    Ok(id)
}

/// Gives a principal exactly these roles.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::NotFound`].
pub async fn set_roles(
    host: &Host,
    actor: &Actor,
    id: &PrincipalId,
    roles: &BTreeSet<Role>,
) -> Result<(), IdentityError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.begin().await?;
    let before = store::principal(&mut tx, id)
        .await?
        .ok_or(IdentityError::NotFound("principal"))?;
    store::put_roles(&mut tx, id, roles, actor.id.as_str(), host.now_ms()).await?;
    let detail = serde_json::json!({ "from": before.roles, "to": roles });
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "principal.roles_set",
            subject_kind: "principal",
            subject_id: id.as_str(),
            detail,
        },
    )
    .await?;
    Ok(tx.commit().await?)
}

/// Takes a principal's access: its sessions end, its tokens stop working.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::NotFound`].
pub async fn deactivate(host: &Host, actor: &Actor, id: &PrincipalId) -> Result<(), IdentityError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.begin().await?;
    if !store::deactivate(&mut tx, id, host.now_ms()).await? {
        return Err(IdentityError::NotFound("principal"));
    }
    let detail = serde_json::Value::Null;
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "principal.deactivated",
            subject_kind: "principal",
            subject_id: id.as_str(),
            detail,
        },
    )
    .await?;
    Ok(tx.commit().await?)
}

/// All principals, by name.
///
/// # Errors
/// [`IdentityError::Denied`].
pub async fn list_principals(
    host: &Host,
    actor: &Actor,
) -> Result<Vec<PrincipalView>, IdentityError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read().await?;
    Ok(store::principals(&mut tx).await?)
}

/// The principal with this e-mail address, or else this exact name.
///
/// # Errors
/// The database's own.
pub async fn find_principal(
    host: &Host,
    email_or_name: &str,
) -> Result<Option<PrincipalView>, IdentityError> {
    let mut tx = host.store.read().await?;
    let wanted = email_or_name.trim();
    let all = store::principals(&mut tx).await?;
    let by_email = all.iter().find(|p| {
        p.email
            .as_deref()
            .is_some_and(|e| e.eq_ignore_ascii_case(wanted))
    });
    Ok(by_email
        .or_else(|| all.iter().find(|p| p.name == wanted))
        .cloned())
}

/// The names behind ids, for texts that say who did what. Unknown ids are left out.
///
/// # Errors
/// The database's own.
pub async fn name_of(tx: &mut Tx, id: &PrincipalId) -> Result<Option<String>, IdentityError> {
    Ok(store::principal(tx, id).await?.map(|p| p.name))
}

/// A one-time link for somebody to sign in with.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::NotFound`], [`IdentityError::TokenCannotMint`].
pub async fn mint_signin_link(
    host: &Host,
    actor: &Actor,
    principal: &PrincipalId,
) -> Result<SigninLink, IdentityError> {
    actor.may(Permission::Administer)?;
    refuse_token(actor)?;
    let mut tx = host.store.begin().await?;
    let whom = active(&mut tx, principal).await?;
    let token = secret(host, "swl_");
    let now = host.now_ms();
    let id = SigninLinkId::mint(now, &*host.chance);
    let expires_at = now + LINK_MS;
    store::insert_link(
        &mut tx,
        &id,
        &sha256_hex(&token),
        principal,
        expires_at,
        now,
    )
    .await?;
    let detail = serde_json::json!({ "link": id });
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "signin_link.minted",
            subject_kind: "principal",
            subject_id: principal.as_str(),
            detail,
        },
    )
    .await?;
    tx.commit().await?;
    let url = format!(
        "{}/sign-in?token={token}",
        host.options.public_url.trim_end_matches('/')
    );
    Ok(SigninLink {
        url,
        token,
        name: whom.name,
        expires_at,
    })
}

/// Spends a link and begins a session. Only a POST may call this: a mail scanner that opens links must not spend them.
///
/// # Errors
/// [`IdentityError::LinkSpent`] alike for unknown, over, used, and for a principal without access.
pub async fn redeem_signin_link(host: &Host, token: &str) -> Result<NewSession, IdentityError> {
    let now = host.now_ms();
    let mut tx = host.store.begin().await?;
    let principal = store::spend_link(&mut tx, &sha256_hex(token), now)
        .await?
        .ok_or(IdentityError::LinkSpent)?;
    let whom = active(&mut tx, &principal)
        .await
        .map_err(|error| match error {
            IdentityError::NotFound(_) => IdentityError::LinkSpent,
            other => other,
        })?;
    let id = SessionId::mint(now, &*host.chance);
    let session = NewSession {
        cookie: secret(host, "sws_"),
        csrf_token: secret(host, ""),
        principal: principal.clone(),
        expires_at: now + SESSION_MS,
    };
    store::insert_session(
        &mut tx,
        &id,
        &sha256_hex(&session.cookie),
        &session.csrf_token,
        &principal,
        session.expires_at,
        now,
    )
    .await?;
    let actor = Actor {
        id: principal.clone(),
        name: whom.name,
        roles: whom.roles,
        via: Via::Session {
            session: id.to_string(),
        },
    };
    let detail = serde_json::json!({ "session": id });
    host.audit(
        &mut tx,
        &actor,
        Entry {
            event: "session.began",
            subject_kind: "principal",
            subject_id: principal.as_str(),
            detail,
        },
    )
    .await?;
    tx.commit().await?;
    Ok(session)
}

/// Who holds this cookie.
///
/// # Errors
/// [`IdentityError::NotSignedIn`] when nobody does any more.
pub async fn authenticate_session(host: &Host, cookie: &str) -> Result<Session, IdentityError> {
    let mut tx = host.store.read().await?;
    store::session(&mut tx, &sha256_hex(cookie), host.now_ms())
        .await?
        .ok_or(IdentityError::NotSignedIn)
}

/// Ends the actor's session.
///
/// # Errors
/// The database's own. A token has no session: nothing happens.
pub async fn end_session(host: &Host, actor: &Actor) -> Result<(), IdentityError> {
    let Via::Session { session } = &actor.via else {
        return Ok(());
    };
    let mut tx = host.store.begin().await?;
    store::end_session(&mut tx, session, host.now_ms()).await?;
    let detail = serde_json::json!({ "session": session });
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "session.ended",
            subject_kind: "principal",
            subject_id: actor.id.as_str(),
            detail,
        },
    )
    .await?;
    Ok(tx.commit().await?)
}

/// Mints a personal token. Its actor keeps the minter's name, so "not through a token they minted" can be checked.
///
/// # Errors
/// [`IdentityError::Denied`] for somebody else's token without [`Permission::Administer`], [`IdentityError::Invalid`],
/// [`IdentityError::TokenCannotMint`].
pub async fn mint_token(
    host: &Host,
    actor: &Actor,
    new: NewToken,
) -> Result<MintedToken, IdentityError> {
    actor.may(Permission::OwnAccount)?;
    refuse_token(actor)?;
    let principal = new.principal.clone().unwrap_or_else(|| actor.id.clone());
    if principal != actor.id {
        actor.may(Permission::Administer)?;
    }
    let name = checked_name(&new.name, "name")?;
    if !(1..=TOKEN_MAX_DAYS).contains(&new.days) {
        return Err(invalid(
            "days",
            format!("a token lives 1 to {TOKEN_MAX_DAYS} days"),
        ));
    }
    let scopes: BTreeSet<Permission> = new
        .scopes
        .iter()
        .map(|word| {
            Permission::parse(word)
                .ok_or_else(|| invalid("scopes", format!("`{word}` is not a permission")))
        })
        .collect::<Result<_, _>>()?;
    let now = host.now_ms();
    let mut tx = host.store.begin().await?;
    active(&mut tx, &principal).await?;
    let minted = MintedToken {
        id: ApiTokenId::mint(now, &*host.chance),
        secret: secret(host, "swt_"),
        expires_at: now + new.days * DAY_MS,
    };
    let row = store::TokenRow {
        id: minted.id.clone(),
        name: name.clone(),
        hash: sha256_hex(&minted.secret),
        principal: principal.clone(),
        minted_by: actor.id.clone(),
        scopes: scopes.clone(),
        expires_at: minted.expires_at,
    };
    store::insert_token(&mut tx, &row, now).await?;
    let detail = serde_json::json!({ "token": minted.id, "name": name, "scopes": scopes, "expires_at": minted.expires_at });
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "token.minted",
            subject_kind: "principal",
            subject_id: principal.as_str(),
            detail,
        },
    )
    .await?;
    tx.commit().await?;
    Ok(minted)
}

/// Who this token acts for.
///
/// # Errors
/// [`IdentityError::NotSignedIn`] alike for unknown, over, taken back, and for a principal without access.
pub async fn authenticate_token(host: &Host, secret: &str) -> Result<Actor, IdentityError> {
    let now = host.now_ms();
    let hash = sha256_hex(secret);
    let mut tx = host.store.read().await?;
    let (actor, last_used_at) = store::token_actor(&mut tx, &hash, now)
        .await?
        .ok_or(IdentityError::NotSignedIn)?;
    drop(tx);
    if last_used_at.is_none_or(|at| now - at > TOKEN_USE_NOTED_MS) {
        let mut tx = host.store.begin().await?;
        store::note_token_use(&mut tx, &hash, now).await?;
        tx.commit().await?;
    }
    Ok(actor)
}

/// Tokens: an administrator sees all, everybody else their own and those they minted.
///
/// # Errors
/// [`IdentityError::Denied`].
pub async fn list_tokens(host: &Host, actor: &Actor) -> Result<Vec<TokenView>, IdentityError> {
    actor.may(Permission::OwnAccount)?;
    let sees_all = actor.may(Permission::Administer).is_ok();
    let mut tx = host.store.read().await?;
    let mut tokens = store::tokens(&mut tx).await?;
    tokens.retain(|t| sees_all || t.principal == actor.id || t.minted_by == actor.id);
    Ok(tokens)
}

/// Takes a token back.
///
/// # Errors
/// [`IdentityError::NotFound`] alike for an absent token and somebody else's.
pub async fn revoke_token(
    host: &Host,
    actor: &Actor,
    id: &ApiTokenId,
) -> Result<(), IdentityError> {
    let visible = list_tokens(host, actor).await?;
    let token = visible
        .iter()
        .find(|t| &t.id == id)
        .ok_or(IdentityError::NotFound("token"))?;
    let mut tx = host.store.begin().await?;
    store::revoke_token(&mut tx, id, host.now_ms()).await?;
    let detail = serde_json::json!({ "token": id, "name": token.name });
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "token.revoked",
            subject_kind: "principal",
            subject_id: token.principal.as_str(),
            detail,
        },
    )
    .await?;
    Ok(tx.commit().await?)
}

async fn active(tx: &mut Tx, id: &PrincipalId) -> Result<PrincipalView, IdentityError> {
    store::principal(tx, id)
        .await?
        .filter(|p| p.is_active)
        .ok_or(IdentityError::NotFound("principal"))
}

fn refuse_token(actor: &Actor) -> Result<(), IdentityError> {
    if matches!(actor.via, Via::Token { .. }) {
        Err(IdentityError::TokenCannotMint)
    } else {
        Ok(())
    }
}

fn secret(host: &Host, prefix: &str) -> String {
    let mut bytes = [0u8; SECRET_BYTES];
    host.chance.fill(&mut bytes);
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

fn checked_name(text: &str, field: &'static str) -> Result<String, IdentityError> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(invalid(
            field,
            "a name has 1 to 200 characters, none of them control characters",
        ));
    }
    Ok(name.to_owned())
}

fn invalid(field: &'static str, sentence: impl Into<String>) -> IdentityError {
    IdentityError::Invalid {
        field,
        sentence: sentence.into(),
    }
}
