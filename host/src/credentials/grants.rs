//! Being the source of an alias's tokens: one refresher per credential across all hosts, each new token durable before it is used.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use seatwise_runtime::contract::types::{Failure, FailureKind};
use seatwise_runtime::manifest::{BaseSource, GrantKind};
use seatwise_runtime::{Grant, GrantPort, GuardedClient, Manifest};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, OwnedMutexGuard};
use url::Url;
use zeroize::Zeroizing;

use super::jwt;
use super::model::NewCredential;
use super::service::{self, fetched, place};
use super::store::{self, Refreshed, Row};
use super::telling;
use super::token::{self, Answer, Ask, Proof};
use crate::app::host::Host;
use crate::connections;
use crate::connectors::explain;
use crate::kernel::seal::SealError;
use crate::kernel::{AliasId, Problem};
use crate::store::StoreError;
use crate::vaults::FromVault;

/// How long one refresher has before another may try. Longer than the egress guard's own deadline for a token call.
const LEASE_MS: i64 = 60_000;
/// How long a caller waits for another's refresh before it gives up.
const WAIT: Duration = Duration::from_secs(60);
/// Between two looks at another's refresh.
const LOOK: Duration = Duration::from_millis(50);
/// A token is renewed this long before its end, so that it does not die on its way.
const EARLY_MS: i64 = 30_000;

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
        let mut tx = self
            .host
            .store
            .read_everything()
            .await
            .map_err(|e| database(&e))?;
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

    async fn give_back(&self, needs_sign_in: Option<&Problem>) -> Result<(), Failure> {
        let mut tx = self.host.store.begin().await.map_err(|e| database(&e))?;
        store::failed(&mut tx, &self.alias, &self.owner, needs_sign_in)
            .await
            .map_err(|e| database(&e))?;
        if let Some(why) = needs_sign_in {
            telling::died(&self.host, &mut tx, &self.alias, why)
                .await
                .map_err(|e| database(&e))?;
        }
        tx.commit().await.map_err(|e| database(&e))
    }

    /// Asks the vendor, under the lease. The answer is durable before it is used.
    async fn refresh(&self, row: &Row) -> Result<Grant, Failure> {
        let answer = match self.asked(row).await {
            Ok(answer) => answer,
            Err(failure) => {
                let dead = (failure.kind == FailureKind::Auth).then(|| self.explained(&failure));
                self.give_back(dead.as_ref()).await?;
                return Err(failure);
            }
        };
        let now_ms = self.host.now_ms();
        let stored = kept(&self.host, &self.alias, &answer, now_ms).map_err(|_| unsealed())?;
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

    /// The token call that this credential's grant makes.
    async fn asked(&self, row: &Row) -> Result<Answer, Failure> {
        let opened = |column, sealed: &Option<Vec<u8>>| match sealed {
            Some(sealed) => self.open(column, Some(sealed.as_slice())).map(Some),
            None => Ok(None),
        };
        let kind = GrantKind::parse(&row.grant_kind).ok_or_else(|| {
            token::failure(
                FailureKind::Unsupported,
                "grant.unknown",
                "this version does not know the credential's grant",
            )
        })?;
        let new = NewCredential {
            grant_kind: row.grant_kind.clone(),
            client_id: row.client_id.clone(),
            client_secret: opened("client_secret_sealed", &row.client_secret)?.unwrap_or_default(),
            refresh_token: opened("refresh_token_sealed", &row.refresh_token)?,
            username: row.username.clone(),
            private_key: opened("private_key_sealed", &row.private_key)?,
            without_pkce: !row.uses_pkce,
            from_vault: self.vault_fields().await?,
        };
        let new = fetched(&self.host, &new)
            .await
            .map_err(|missing| missing.fault.failure())?;
        let (alias, manifest) = (&self.alias, &self.manifest);
        acquire(&self.host, alias, manifest, &self.login_url, kind, &new).await
    }

    async fn vault_fields(&self) -> Result<BTreeMap<String, FromVault>, Failure> {
        let mut tx = self
            .host
            .store
            .read_everything()
            .await
            .map_err(|e| database(&e))?;
        service::vault_fields(&mut tx, &self.alias)
            .await
            .map_err(|e| database(&e))
    }

    /// The failure for a person, with the connector's own words.
    fn explained(&self, failure: &Failure) -> Problem {
        explain::token(&self.manifest, failure)
    }

    fn grant(&self, row: &Row, sealed: &[u8]) -> Result<Grant, Failure> {
        let token = self.open("access_token_sealed", Some(sealed))?;
        let fields: Map<String, Value> =
            serde_json::from_str(&row.grant_fields).unwrap_or_default();
        let bases = bases(&self.manifest, &self.login_url, &fields)?;
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

/// Asks for a token with what a person gave, once. A grant that needs a consent is asked with its refresh token.
///
/// # Errors
/// The vendor's refusal, or `credential.…` where something is missing to ask with.
pub(super) async fn acquire(
    host: &Host,
    alias: &AliasId,
    manifest: &Manifest,
    login_url: &Url,
    kind: GrantKind,
    new: &NewCredential,
) -> Result<Answer, Failure> {
    let assertion;
    let proof = match kind {
        GrantKind::ClientCredentials => Proof::Client,
        GrantKind::JwtBearer => {
            let audience = manifest
                .grant(kind.as_str())
                .and_then(|offer| offer.audience(login_url))
                .unwrap_or_default();
            assertion = jwt::assertion(
                new.field("private_key"),
                new.field("client_id"),
                new.field("username"),
                audience,
                host.now_ms(),
            )
            .map_err(|fault| {
                token::failure(
                    FailureKind::InvalidInput,
                    "credential.private_key",
                    &fault.to_string(),
                )
            })?;
            Proof::Assertion(&assertion)
        }
        GrantKind::AuthorizationCode | GrantKind::RefreshToken | GrantKind::DeviceCode => {
            match new.field("refresh_token") {
                "" => {
                    return Err(token::failure(
                        FailureKind::Auth,
                        "credential.sign_in_first",
                        "nobody has signed in at the vendor for this connection yet",
                    ));
                }
                text => Proof::Refresh(text),
            }
        }
    };
    let ask = Ask {
        manifest,
        login_url,
        kind,
        client_id: new.field("client_id"),
        client_secret: new.field("client_secret"),
        proof,
    };
    token::ask(&*client(host, alias).await?, &ask).await
}

/// The client of an alias's own calls, which leave as its downloads do: through its proxy, under its roots.
pub(super) async fn client(host: &Host, alias: &AliasId) -> Result<Arc<GuardedClient>, Failure> {
    connections::client(host, alias).await.map_err(|error| {
        tracing::error!(%error, "a connection's way out cannot be used");
        token::failure(
            FailureKind::InvalidInput,
            "connection.way",
            "the proxy or the trusted authorities of this connection cannot be used; set them again",
        )
    })
}

/// A token answer as it is stored.
pub(super) fn kept(
    host: &Host,
    alias: &AliasId,
    answer: &Answer,
    now_ms: i64,
) -> Result<Refreshed, SealError> {
    let seal = |column, text: &str| {
        host.sealer
            .seal(place(alias, column), text.as_bytes(), &*host.chance)
    };
    let lifetime_ms = i64::try_from(answer.lifetime_s)
        .unwrap_or(0)
        .saturating_mul(1_000);
    Ok(Refreshed {
        access_token: seal("access_token_sealed", &answer.access_token)?,
        access_expires_at: now_ms.saturating_add(lifetime_ms),
        refresh_token: answer
            .refresh_token
            .as_ref()
            .map(|token| seal("refresh_token_sealed", token))
            .transpose()?,
        grant_fields: Value::Object(answer.fields.clone()).to_string(),
        granted_scopes: answer.scopes.join(" "),
    })
}

/// The base address of each origin, from a token answer's fields or the login address.
pub(super) fn bases(
    manifest: &Manifest,
    login_url: &Url,
    fields: &Map<String, Value>,
) -> Result<BTreeMap<String, Url>, Failure> {
    let mut bases = BTreeMap::new();
    for origin in &manifest.origins {
        let base = match &origin.base {
            BaseSource::Login => Some(login_url.clone()),
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
    Ok(bases)
}

/// A token that is not stored yet, for asking whose it is. It cannot be renewed.
pub(super) struct Held(pub(super) Grant);

#[async_trait]
impl GrantPort for Held {
    async fn current(&self) -> Result<Grant, Failure> {
        Ok(self.0.clone())
    }

    async fn renew(&self, _rejected_generation: u64) -> Result<Grant, Failure> {
        Err(token::failure(
            FailureKind::Auth,
            "token.refused",
            "the vendor does not accept the token that it has just given",
        ))
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
