//! Storing a credential, showing what may be shown of it, and forgetting it.

use std::collections::BTreeMap;

use seatwise_runtime::Manifest;
use seatwise_runtime::manifest::GrantKind;
use serde::Serialize;
use zeroize::Zeroizing;

use super::jwt;
use super::model::{NewCredential, OfferFault, SigninFault};
use super::store::{self, Put, Row};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::Actor;
use crate::identity::{self, IdentityError};
use crate::kernel::seal::{Place, SealError};
use crate::kernel::{AliasId, IntoProblem, PrincipalId, Problem};
use crate::store::{Store, StoreError, Tx};
use crate::vaults::service::{self as vaults, FieldView};
use crate::vaults::{FromVault, VaultFault};

/// What is shown of a credential: never a secret.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialView {
    /// The grant.
    pub grant: String,
    /// Client id.
    pub client_id: String,
    /// `…4f2a`.
    pub client_secret_ends_in: Option<String>,
    /// For the grant `jwt-bearer`: whom the token is for.
    pub username: Option<String>,
    /// For the grant `jwt-bearer`: the beginning of the SHA-256 of the key's public half.
    pub key_fingerprint: Option<String>,
    /// Whether a proof key goes with an authorization code.
    pub uses_pkce: bool,
    /// `untested`, `good` or `needs_sign_in`.
    pub health: String,
    /// Why it needs a person.
    pub health_detail: Option<String>,
    /// The same with what to do and at which field.
    pub problem: Option<Problem>,
    /// Scopes of the last token.
    pub granted_scopes: Vec<String>,
    /// Raised by each new token.
    pub generation: i64,
    /// Milliseconds UTC.
    pub refreshed_at: Option<i64>,
    /// When the present token ends at the latest, milliseconds UTC.
    pub token_ends_at: Option<i64>,
    /// The user at the vendor whose token it is, as the vendor names it.
    pub connected_as: Option<String>,
    /// Name of the person who connected it.
    pub connected_by: Option<String>,
    /// Milliseconds UTC.
    pub connected_at: Option<i64>,
    /// Secrets that are fetched in a vault.
    pub from_vault: Vec<FieldView>,
    /// Who stored it.
    pub set_by: String,
    /// The same by name.
    pub set_by_name: Option<String>,
    /// Milliseconds UTC.
    pub set_at: i64,
}

/// Why a credential cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// What was typed is no credential.
    #[error(transparent)]
    Offer(#[from] OfferFault),
    /// The sign-in at the vendor's cannot begin or go on.
    #[error(transparent)]
    Signin(#[from] SigninFault),
    /// The vendor said no, in the connector's words.
    #[error("{}", .0.message)]
    Refused(Problem),
    /// A vault did not give a field's value.
    #[error(transparent)]
    Vault(#[from] Unfetched),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Names of people cannot be read.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A field whose vault did not give its value.
#[derive(Debug, thiserror::Error)]
#[error("{fault}")]
pub struct Unfetched {
    /// Which field.
    pub field: String,
    /// Why.
    pub fault: VaultFault,
}

impl IntoProblem for CredentialError {
    fn problem(&self) -> Problem {
        match self {
            Self::Offer(fault) => fault.problem(),
            Self::Signin(fault) => fault.problem(),
            Self::Refused(problem) => problem.clone(),
            Self::Vault(missing) => missing.fault.problem().at(&missing.field),
            Self::Seal(_) => Problem::internal(),
            Self::Identity(error) => error.problem(),
            Self::Store(error) => error.problem(),
        }
    }
}

pub(super) fn place<'a>(alias: &'a AliasId, column: &'static str) -> Place<'a> {
    Place {
        table: "credentials",
        row: alias.as_str(),
        column,
    }
}

/// Stores a credential sealed, in the caller's transaction. What was stored before is gone. Nobody has tried it yet; a grant that
/// needs a consent waits for it.
///
/// # Errors
/// [`CredentialError`] naming the field.
pub async fn set(
    tx: &mut Tx,
    host: &Host,
    actor: &Actor,
    manifest: &Manifest,
    alias: &AliasId,
    new: &NewCredential,
) -> Result<(), CredentialError> {
    let kind = new.judged(manifest)?.id;
    put(tx, host, actor, alias, kind, new).await?;
    let detail = serde_json::json!({"grant": new.grant_kind, "client_id": new.field("client_id")});
    host.audit(
        tx,
        actor,
        Entry {
            event: "credential.set",
            subject_kind: "alias",
            subject_id: alias.as_str(),
            detail,
        },
    )
    .await?;
    Ok(())
}

/// Writes the row; tokens of an earlier credential are gone.
pub(super) async fn put(
    tx: &mut Tx,
    host: &Host,
    actor: &Actor,
    alias: &AliasId,
    kind: GrantKind,
    new: &NewCredential,
) -> Result<(), CredentialError> {
    let seal = |column, text: &str| {
        if text.is_empty() {
            return Ok(None);
        }
        host.sealer
            .seal(place(alias, column), text.as_bytes(), &*host.chance)
            .map(Some)
    };
    let letters: Vec<char> = new.client_secret.chars().collect();
    // Four letters of a short secret would be most of it.
    let hint: String = if letters.len() >= 16 {
        letters[letters.len() - 4..].iter().collect()
    } else {
        String::new()
    };
    let is_jwt = kind == GrantKind::JwtBearer;
    let row = Put {
        grant_kind: kind.as_str(),
        client_id: new.field("client_id"),
        client_secret: seal("client_secret_sealed", &new.client_secret)?,
        client_secret_hint: &hint,
        refresh_token: seal("refresh_token_sealed", new.field("refresh_token"))?,
        username: is_jwt.then(|| new.field("username")),
        private_key: seal("private_key_sealed", new.field("private_key"))?,
        private_key_hint: (is_jwt && !new.field("private_key").is_empty())
            .then(|| jwt::fingerprint(new.field("private_key")))
            .transpose()?,
        uses_pkce: !new.without_pkce,
        needs_consent: kind.needs_consent() && new.field("refresh_token").is_empty(),
        key_id: &host.sealer.key_id(),
        by: &actor.id,
        now_ms: host.now_ms(),
    };
    store::put(tx, alias, &row).await?;
    let fetched = &new.from_vault;
    let stored = vaults::put_fields(tx, actor, alias, fetched, row.now_ms).await?;
    stored.map_err(|fault| {
        let named = |(_, from): &(&String, &FromVault)| from.vault.trim() == fault.vault;
        let field = fetched.iter().find(named).or(fetched.iter().next());
        let field = field.map_or_else(String::new, |(field, _)| field.clone());
        Unfetched { field, fault }.into()
    })
}

/// The same credential with the values of its vaults, for the one token call that needs them. It is never stored.
///
/// # Errors
/// [`Unfetched`] naming the field.
pub(super) async fn fetched(host: &Host, new: &NewCredential) -> Result<NewCredential, Unfetched> {
    let mut full = new.clone();
    for (field, from) in std::mem::take(&mut full.from_vault) {
        let value = match vaults::fetch(host, &from).await {
            Ok(value) => value,
            Err(fault) => return Err(Unfetched { field, fault }),
        };
        match field.as_str() {
            "client_secret" => full.client_secret = value,
            // What the vendor gave since is newer than what lies in the vault.
            "refresh_token" if !full.field("refresh_token").is_empty() => {}
            "refresh_token" => full.refresh_token = Some(value),
            _ => full.private_key = Some(value),
        }
    }
    Ok(full)
}

/// Where the fields of an alias's credential are fetched.
///
/// # Errors
/// The database's own.
pub(super) async fn vault_fields(
    tx: &mut Tx,
    alias: &AliasId,
) -> Result<BTreeMap<String, FromVault>, StoreError> {
    let fields = vaults::fields(tx, alias).await?;
    Ok(fields
        .into_iter()
        .map(|view| (view.field, view.from))
        .collect())
}

/// Fills in what a person left empty because it is stored already: secret and key of the same client and grant, never across a
/// change of either.
///
/// # Errors
/// [`CredentialError::Seal`] when the stored one does not open, and the database's own.
pub async fn keep_stored(
    tx: &mut Tx,
    host: &Host,
    alias: &AliasId,
    new: &mut NewCredential,
) -> Result<(), CredentialError> {
    let row = store::find(tx, alias).await?;
    let fetched = vault_fields(tx, alias).await?;
    let Some(row) = row.filter(|row| row.client_id == new.field("client_id")) else {
        return Ok(());
    };
    let is_same = row.grant_kind == new.grant_kind;
    for (field, from) in fetched {
        let is_kept = is_same || field == "client_secret";
        if is_kept && new.field(&field).is_empty() {
            new.from_vault.entry(field).or_insert(from);
        }
    }
    if new.client_secret.is_empty()
        && !new.from_vault.contains_key("client_secret")
        && let Some(sealed) = &row.client_secret
    {
        new.client_secret = opened(host, alias, "client_secret_sealed", sealed)?;
    }
    if is_same
        && new.field("private_key").is_empty()
        && !new.from_vault.contains_key("private_key")
        && let Some(sealed) = &row.private_key
    {
        new.private_key = Some(opened(host, alias, "private_key_sealed", sealed)?);
    }
    Ok(())
}

pub(super) fn opened(
    host: &Host,
    alias: &AliasId,
    column: &'static str,
    sealed: &[u8],
) -> Result<Zeroizing<String>, SealError> {
    let plain = host.sealer.open(place(alias, column), sealed)?;
    std::str::from_utf8(&plain)
        .map(|text| Zeroizing::new(text.to_owned()))
        .map_err(|_| SealError)
}

/// Deletes the secrets of an alias in the caller's transaction, because where they are sent has changed.
///
/// # Errors
/// The database's own.
pub async fn forget(
    tx: &mut Tx,
    host: &Host,
    actor: &Actor,
    alias: &AliasId,
    why: &str,
) -> Result<(), StoreError> {
    store::forget(tx, alias).await?;
    vaults::forget_fields(tx, alias).await?;
    let detail = serde_json::json!({"because": why});
    host.audit(
        tx,
        actor,
        Entry {
            event: "credential.deleted",
            subject_kind: "alias",
            subject_id: alias.as_str(),
            detail,
        },
    )
    .await
}

/// Ends every turn at refreshing that an ended process held. Only where no other process works on the database.
///
/// # Errors
/// The database's own.
pub async fn free_all(db: &Store) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    store::free_all(&mut tx).await?;
    tx.commit().await
}

/// What is shown of an alias's credential, if it has one.
///
/// # Errors
/// The database's own.
pub async fn find(tx: &mut Tx, alias: &AliasId) -> Result<Option<CredentialView>, CredentialError> {
    let Some(row) = store::find(tx, alias).await? else {
        return Ok(None);
    };
    let set_by_name = name(tx, Some(&row.set_by)).await?;
    let connected_by = name(tx, row.connected_by.as_deref()).await?;
    let mut view = view(row, set_by_name, connected_by);
    view.from_vault = vaults::fields(tx, alias).await?;
    Ok(Some(view))
}

async fn name(tx: &mut Tx, id: Option<&str>) -> Result<Option<String>, IdentityError> {
    match id {
        Some(id) => identity::service::name_of(tx, &PrincipalId::from(id)).await,
        None => Ok(None),
    }
}

fn view(row: Row, set_by_name: Option<String>, connected_by: Option<String>) -> CredentialView {
    let has_token = row.access_token.is_some();
    CredentialView {
        grant: row.grant_kind,
        client_id: row.client_id,
        client_secret_ends_in: row
            .client_secret_hint
            .filter(|hint| !hint.is_empty())
            .map(|hint| format!("…{hint}")),
        username: row.username,
        key_fingerprint: row.private_key_hint,
        uses_pkce: row.uses_pkce,
        health: row.health,
        health_detail: row.health_detail,
        problem: row
            .health_problem
            .and_then(|text| serde_json::from_str(&text).ok()),
        granted_scopes: row
            .granted_scopes
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        generation: row.generation,
        refreshed_at: row.refreshed_at,
        token_ends_at: row.access_expires_at.filter(|_| has_token),
        connected_as: row.connected_as,
        connected_by,
        connected_at: row.connected_at,
        from_vault: Vec::new(),
        set_by: row.set_by,
        set_by_name,
        set_at: row.set_at,
    }
}
