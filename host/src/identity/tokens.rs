//! Personal tokens: what scripts and the command line sign in with.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::roles::{Actor, Permission};
use super::service::{active, checked_name, invalid, refuse_token, secret};
use super::{IdentityError, store};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::kernel::clock::{DAY_MS, MINUTE_MS};
use crate::kernel::digest::sha256_hex;
use crate::kernel::{ApiTokenId, PrincipalId};

/// Longest life of a personal token: nobody remembers older ones.
pub const TOKEN_MAX_DAYS: i64 = 365;

/// A token's last use is noted at most this often, so that reading does not mean writing.
const TOKEN_USE_NOTED_MS: i64 = 5 * MINUTE_MS;

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
    let mut tx = host.store.read_everything().await?;
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
    let mut tx = host.store.read_everything().await?;
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
