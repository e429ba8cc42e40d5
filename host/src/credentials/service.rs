//! Storing a credential, and being the source of its grants.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use seatwise_runtime::contract::types::{Failure, FailureKind};
use seatwise_runtime::manifest::BaseSource;
use seatwise_runtime::{Grant, GrantPort, Manifest};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::{Mutex, OwnedMutexGuard};
use url::Url;
use zeroize::Zeroizing;

use super::store::{self, Refreshed, Row};
use super::token::{self, Ask};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::Actor;
use crate::kernel::seal::{Place, SealError};
use crate::kernel::{AliasId, IntoProblem, Problem};
use crate::store::{Store, StoreError, Tx};

/// How long one refresher has before another may try. Longer than the egress guard's own deadline for a token call.
const LEASE_MS: i64 = 60_000;
/// How long a caller waits for another's refresh before it gives up.
const WAIT: Duration = Duration::from_secs(60);
/// Between two looks at another's refresh.
const LOOK: Duration = Duration::from_millis(50);
/// A token is renewed this long before its end, so that it does not die on its way.
const EARLY_MS: i64 = 30_000;

/// What a person types.
pub struct NewCredential {
    /// A grant of the connector's manifest.
    pub grant_kind: String,
    /// Client id.
    pub client_id: String,
    /// Client secret.
    pub client_secret: Zeroizing<String>,
    /// Only for the grant `refresh-token`.
    pub refresh_token: Option<Zeroizing<String>>,
}

/// What is shown of a credential: never a secret.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialView {
    /// The grant.
    pub grant: String,
    /// Client id.
    pub client_id: String,
    /// `…4f2a`.
    pub client_secret_ends_in: Option<String>,
    /// `untested`, `good` or `needs_sign_in`.
    pub health: String,
    /// Why it needs a person.
    pub health_detail: Option<String>,
    /// Scopes of the last token.
    pub granted_scopes: Vec<String>,
    /// Milliseconds UTC.
    pub refreshed_at: Option<i64>,
    /// Who stored it.
    pub set_by: String,
    /// Milliseconds UTC.
    pub set_at: i64,
}

/// Why a credential cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The connector has no such grant.
    #[error("the connector does not offer the grant `{0}`")]
    Grant(String),
    /// A field of the grant is empty.
    #[error("the field {0} is empty")]
    Missing(&'static str),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for CredentialError {
    fn problem(&self) -> Problem {
        match self {
            Self::Grant(_) => Problem::new(
                "credential.grant",
                422,
                self.to_string(),
                "Choose a grant that the connector's manifest lists",
            )
            .at("grant"),
            Self::Missing(field) => Problem::new(
                "credential.missing",
                422,
                self.to_string(),
                "Fill in this field",
            )
            .at(field),
            Self::Seal(_) => Problem::internal(),
            Self::Store(error) => error.problem(),
        }
    }
}

fn place<'a>(alias: &'a AliasId, column: &'static str) -> Place<'a> {
    Place {
        table: "credentials",
        row: alias.as_str(),
        column,
    }
}

/// Stores a credential sealed, in the caller's transaction. What was stored before is gone.
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
    if manifest.grant(&new.grant_kind).is_none() {
        return Err(CredentialError::Grant(
            new.grant_kind.chars().take(60).collect(),
        ));
    }
    if new.client_id.trim().is_empty() {
        return Err(CredentialError::Missing("client_id"));
    }
    if new.client_secret.is_empty() {
        return Err(CredentialError::Missing("client_secret"));
    }
    if new.grant_kind == "refresh-token"
        && new
            .refresh_token
            .as_ref()
            .is_none_or(|token| token.is_empty())
    {
        return Err(CredentialError::Missing("refresh_token"));
    }
    let secret = host.sealer.seal(
        place(alias, "client_secret_sealed"),
        new.client_secret.as_bytes(),
        &*host.chance,
    )?;
    let refresh = match &new.refresh_token {
        Some(token) => Some(host.sealer.seal(
            place(alias, "refresh_token_sealed"),
            token.as_bytes(),
            &*host.chance,
        )?),
        None => None,
    };
    let letters: Vec<char> = new.client_secret.chars().collect();
    // Four letters of a short secret would be most of it.
    let hint: String = if letters.len() >= 16 {
        letters[letters.len() - 4..].iter().collect()
    } else {
        String::new()
    };
    let now_ms = host.now_ms();
    store::put(
        tx,
        alias,
        &new.grant_kind,
        new.client_id.trim(),
        &secret,
        &hint,
        refresh.as_deref(),
        host.sealer.key_id(),
        &actor.id,
        now_ms,
    )
    .await?;
    let detail = serde_json::json!({"grant": new.grant_kind, "client_id": new.client_id.trim()});
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
pub async fn find(tx: &mut Tx, alias: &AliasId) -> Result<Option<CredentialView>, StoreError> {
    Ok(store::find(tx, alias).await?.map(|row| CredentialView {
        grant: row.grant_kind,
        client_id: row.client_id,
        client_secret_ends_in: row
            .client_secret_hint
            .filter(|hint| !hint.is_empty())
            .map(|hint| format!("…{hint}")),
        health: row.health,
        health_detail: row.health_detail,
        granted_scopes: row
            .granted_scopes
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        refreshed_at: row.refreshed_at,
        set_by: row.set_by,
        set_at: row.set_at,
    }))
}

/// The grants of an alias, for a link. One refresher at a time, over all hosts.
#[must_use]
pub fn grants(
    host: &Host,
    alias: &AliasId,
    manifest: Arc<Manifest>,
    login_url: Url,
) -> Arc<dyn GrantPort> {
    let mut random = [0u8; 8];
    host.chance.fill(&mut random);
    let owner = crate::kernel::digest::hex(&random);
    Arc::new(AliasGrants {
        host: host.clone(),
        alias: alias.clone(),
        manifest,
        login_url,
        owner,
        refused: Arc::default(),
    })
}

#[derive(Clone)]
struct AliasGrants {
    host: Host,
    alias: AliasId,
    manifest: Arc<Manifest>,
    login_url: Url,
    owner: String,
    /// The generation that the vendor would not renew, and why. Its lock makes this link's callers wait for one another; the
    /// lease in the database does the same between links, which differ in their owner.
    refused: Arc<Mutex<Option<(i64, Failure)>>>,
}

#[async_trait]
impl GrantPort for AliasGrants {
    async fn current(&self) -> Result<Grant, Failure> {
        let row = self.row().await?;
        let is_fresh = row
            .access_expires_at
            .is_some_and(|at| at - EARLY_MS > self.host.now_ms());
        match &row.access_token {
            Some(sealed) if is_fresh => self.grant(&row, sealed),
            _ => self.renewed(row.generation).await,
        }
    }

    async fn renew(&self, rejected_generation: u64) -> Result<Grant, Failure> {
        self.renewed(i64::try_from(rejected_generation).unwrap_or(i64::MAX))
            .await
    }
}

impl AliasGrants {
    async fn row(&self) -> Result<Row, Failure> {
        let mut tx = self.host.store.read().await.map_err(|e| database(&e))?;
        let missing = || {
            token::failure(
                FailureKind::Auth,
                "credential.missing",
                "the profile has no credential; it was deleted or never set",
            )
        };
        store::find(&mut tx, &self.alias)
            .await
            .map_err(|e| database(&e))?
            .ok_or_else(missing)
    }

    /// A token newer than `rejected`: somebody else's, or our own refresh.
    async fn renewed(&self, rejected: i64) -> Result<Grant, Failure> {
        let waited = tokio::time::timeout(WAIT, async {
            let turn = Arc::clone(&self.refused).lock_owned().await;
            loop {
                let row = self.row().await?;
                if row.generation > rejected
                    && let Some(sealed) = &row.access_token
                {
                    return self.grant(&row, sealed);
                }
                // Who waited while the vendor refused need not hear it once more.
                if let Some((generation, failure)) = &*turn
                    && *generation == row.generation
                {
                    return Err(failure.clone());
                }
                if self.take_lease().await? {
                    // Read again under the lease: the one before us may have stored a newer token.
                    let row = self.row().await?;
                    if row.generation <= rejected || row.access_token.is_none() {
                        return self.clone().refresh_to_the_end(turn, row).await;
                    }
                    self.give_back(None).await?;
                } else {
                    tokio::time::sleep(LOOK).await;
                }
            }
        });
        waited.await.unwrap_or_else(|_| {
            Err(token::failure(
                FailureKind::Transient,
                "credential.busy",
                "another host has been refreshing this credential for too long",
            ))
        })
    }

    /// A refresh in a task of its own: a caller that is stopped meanwhile must not lose a token that the vendor has rotated.
    async fn refresh_to_the_end(
        self,
        mut turn: OwnedMutexGuard<Option<(i64, Failure)>>,
        row: Row,
    ) -> Result<Grant, Failure> {
        let busy = self.host.stop.busy();
        let refresh = tokio::spawn(async move {
            let _busy = busy;
            let answered = self.refresh(&row).await;
            if let Err(failure) = &answered
                && failure.kind == FailureKind::Auth
            {
                *turn = Some((row.generation, failure.clone()));
            }
            answered
        });
        refresh.await.unwrap_or_else(|error| {
            tracing::error!(error = %error, "a refresh ended without an answer");
            Err(token::failure(
                FailureKind::Transient,
                "credential.refresh",
                "the credential could not be refreshed",
            ))
        })
    }

    async fn take_lease(&self) -> Result<bool, Failure> {
        let mut tx = self.host.store.begin().await.map_err(|e| database(&e))?;
        let taken = store::take_lease(&mut tx, &self.alias, &self.owner, LEASE_MS)
            .await
            .map_err(|e| database(&e))?;
        tx.commit().await.map_err(|e| database(&e))?;
        Ok(taken)
    }

    async fn give_back(&self, needs_sign_in: Option<&str>) -> Result<(), Failure> {
        let mut tx = self.host.store.begin().await.map_err(|e| database(&e))?;
        store::failed(&mut tx, &self.alias, &self.owner, needs_sign_in)
            .await
            .map_err(|e| database(&e))?;
        tx.commit().await.map_err(|e| database(&e))
    }

    /// Asks the vendor, under the lease. The answer is durable before it is used.
    async fn refresh(&self, row: &Row) -> Result<Grant, Failure> {
        let secret = self.open("client_secret_sealed", row.client_secret.as_deref())?;
        let refresh_token = match row.refresh_token.as_deref() {
            Some(sealed) => Some(self.open("refresh_token_sealed", Some(sealed))?),
            None => None,
        };
        let ask = Ask {
            manifest: &self.manifest,
            login_url: &self.login_url,
            grant_kind: &row.grant_kind,
            client_id: &row.client_id,
            client_secret: &secret,
            refresh_token: refresh_token.as_ref().map(|token| token.as_str()),
        };
        let answer = match token::ask(self.host.connectors.client(), &ask).await {
            Ok(answer) => answer,
            Err(failure) => {
                let dead = (failure.kind == FailureKind::Auth)
                    .then(|| format!("{}: {}", failure.code, failure.message));
                self.give_back(dead.as_deref()).await?;
                return Err(failure);
            }
        };
        let seal = |column, text: &str| {
            self.host
                .sealer
                .seal(
                    place(&self.alias, column),
                    text.as_bytes(),
                    &*self.host.chance,
                )
                .map_err(|_| unsealed())
        };
        let access = seal("access_token_sealed", &answer.access_token)?;
        let rotated = match &answer.refresh_token {
            Some(token) => Some(seal("refresh_token_sealed", token)?),
            None => None,
        };
        let now_ms = self.host.now_ms();
        let fields = Value::Object(answer.fields).to_string();
        let stored = Refreshed {
            access_token: &access,
            access_expires_at: now_ms.saturating_add(
                i64::try_from(answer.lifetime_s)
                    .unwrap_or(0)
                    .saturating_mul(1_000),
            ),
            refresh_token: rotated.as_deref(),
            grant_fields: &fields,
            granted_scopes: &answer.scopes.join(" "),
        };
        let mut tx = self.host.store.begin().await.map_err(|e| database(&e))?;
        if !store::refreshed(&mut tx, &self.alias, &self.owner, &stored, now_ms)
            .await
            .map_err(|e| database(&e))?
        {
            return Err(token::failure(
                FailureKind::Transient,
                "credential.busy",
                "another host took over this credential",
            ));
        }
        tx.commit().await.map_err(|e| database(&e))?;
        let row = self.row().await?;
        let sealed = row.access_token.clone().ok_or_else(unsealed)?;
        self.grant(&row, &sealed)
    }

    fn grant(&self, row: &Row, sealed: &[u8]) -> Result<Grant, Failure> {
        let token = self.open("access_token_sealed", Some(sealed))?;
        let fields: Map<String, Value> =
            serde_json::from_str(&row.grant_fields).unwrap_or_default();
        let mut bases = BTreeMap::new();
        for origin in &self.manifest.origins {
            let base = match &origin.base {
                BaseSource::Login => Some(self.login_url.clone()),
                BaseSource::Grant(field) => fields
                    .get(field)
                    .and_then(Value::as_str)
                    .and_then(|text| text.parse().ok()),
            };
            let base = base.ok_or_else(|| {
                token::failure(
                    FailureKind::Malformed,
                    "token.base",
                    "the token answer does not name the org's address",
                )
            })?;
            bases.insert(origin.name.clone(), base);
        }
        Ok(Grant::bearer(
            &token,
            bases,
            u64::try_from(row.generation).unwrap_or(0),
        ))
    }

    fn open(
        &self,
        column: &'static str,
        sealed: Option<&[u8]>,
    ) -> Result<Zeroizing<String>, Failure> {
        let plain = self
            .host
            .sealer
            .open(place(&self.alias, column), sealed.ok_or_else(unsealed)?)
            .map_err(|_| unsealed())?;
        std::str::from_utf8(&plain)
            .map(|text| Zeroizing::new(text.to_owned()))
            .map_err(|_| unsealed())
    }
}

fn unsealed() -> Failure {
    token::failure(
        FailureKind::Internal,
        "credential.sealed",
        "the stored credential does not open with this installation's key",
    )
}

fn database(error: &StoreError) -> Failure {
    tracing::error!(error = %error, "a credential could not be read or stored");
    token::failure(
        FailureKind::Transient,
        "credential.store",
        "the credential could not be read or stored",
    )
}
