//! Everything that decided something, append-only: a hash chain whose heads are signed with a key outside the database.

mod entry;
pub mod signer;
mod store;

use serde::Serialize;
use serde_json::Value;

pub use entry::Entry;
use signer::Signer;

use crate::identity::roles::{Actor, Denied, Permission};
use crate::kernel::chance::Chance;
use crate::kernel::{AuditId, IntoProblem, Problem};
use crate::store::{Store, StoreError, Tx};

/// Why the trail could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for AuditError {
    fn problem(&self) -> Problem {
        match self {
            Self::Denied(denied) => denied.problem(),
            Self::Store(store) => store.problem(),
        }
    }
}

/// One entry as a person reads it.
#[derive(Clone, Debug, Serialize)]
pub struct EntryView {
    /// Place in the chain, from 1, without gaps.
    pub seq: i64,
    /// Milliseconds UTC.
    pub at: i64,
    /// Who.
    pub actor_id: String,
    /// By which door.
    pub actor_via: String,
    /// What, such as `rule.approved`.
    pub event: String,
    /// What it was about.
    pub subject_kind: String,
    /// Its id.
    pub subject_id: String,
    /// The rest.
    pub detail: Value,
    /// Chain digest of this entry.
    pub digest: String,
}

/// What a verification found.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// True when the chain has no gap, no change, and every signed head fits.
    pub is_intact: bool,
    /// Entries read.
    pub entries: i64,
    /// Signed heads that fit.
    pub heads: i64,
    /// First place where something does not fit, and what.
    pub broken_at: Option<(i64, String)>,
    /// Digest of the last entry.
    pub head: Option<String>,
}

/// Appends an entry in the caller's transaction.
///
/// # Errors
/// The database's own.
pub async fn record(
    tx: &mut Tx,
    now_ms: i64,
    chance: &dyn Chance,
    actor: &Actor,
    entry: Entry<'_>,
) -> Result<(), StoreError> {
    let id = AuditId::mint(now_ms, chance);
    store::append(tx, &id, now_ms, actor, &entry).await
}

/// Signs the newest head, unless it is signed already. Returns the signed place and digest, for export.
///
/// # Errors
/// The database's own.
pub async fn sign_head(
    store: &Store,
    now_ms: i64,
    signer: &Signer,
) -> Result<Option<(i64, String, String)>, StoreError> {
    let mut tx = store.begin().await?;
    let Some((seq, digest)) = store::unsigned_head(&mut tx).await? else {
        return Ok(None);
    };
    let signature = signer.sign(seq, &digest);
    store::put_head(&mut tx, seq, &digest, signer.key_id(), &signature, now_ms).await?;
    tx.commit().await?;
    Ok(Some((seq, digest, signature)))
}

/// Id of the key that signed the newest head.
///
/// # Errors
/// The database's own.
pub async fn newest_key(store: &Store) -> Result<Option<String>, StoreError> {
    store::newest_key(&mut store.read_everything().await?).await
}

/// Reads the whole chain and checks it.
///
/// # Errors
/// [`AuditError::Denied`] without the right to read the trail.
pub async fn verify(
    store: &Store,
    actor: &Actor,
    signer: &Signer,
) -> Result<Verification, AuditError> {
    actor.may(Permission::ReadAudit)?;
    let mut tx = store.read_everything().await?;
    Ok(store::verify(&mut tx, signer).await?)
}

/// Entries before `before` (all when `None`), newest first, at most `limit`.
///
/// # Errors
/// [`AuditError::Denied`] without the right to read the trail.
pub async fn list(
    store: &Store,
    actor: &Actor,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<EntryView>, AuditError> {
    actor.may(Permission::ReadAudit)?;
    let mut tx = store.read_everything().await?;
    Ok(store::list(&mut tx, before.unwrap_or(i64::MAX), limit.clamp(1, 500)).await?)
}
