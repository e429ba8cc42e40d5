//! A token that was just got, weighed before it is stored: where it leads, what it may do, whose it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use seatwise_runtime::contract::types::{Failure, FailureKind};
use seatwise_runtime::manifest::GrantKind;
use seatwise_runtime::{Grant, GrantPort, Manifest};
use url::Url;

use super::grants::{Held, acquire, bases, client, kept};
use super::model::{NewCredential, missing_scopes};
use super::service::{CredentialError, fetched, put};
use super::token::{Answer, failure};
use super::{jwt, store, whose};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::connectors::explain;
use crate::identity::roles::Actor;
use crate::kernel::{AliasId, Problem};
use crate::store::Tx;

/// A token that is not stored yet.
pub struct Trial {
    answer: Answer,
    kind: GrantKind,
    bases: BTreeMap<String, Url>,
    connected_as: Option<String>,
}

impl Trial {
    /// The token for a link that asks which org it is for.
    #[must_use]
    pub fn grants(&self) -> Arc<dyn GrantPort> {
        Arc::new(Held(Grant::bearer(
            &self.answer.access_token,
            self.bases.clone(),
            0,
        )))
    }

    /// What it carries.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.answer.scopes
    }

    /// Whose it is, where the vendor says it.
    #[must_use]
    pub fn connected_as(&self) -> Option<&str> {
        self.connected_as.as_deref()
    }
}

/// Gets a token with what a person typed, and weighs it. Nothing is stored.
///
/// # Errors
/// [`CredentialError::Refused`] in the connector's words, [`CredentialError::Offer`] naming the field.
pub async fn tried(
    host: &Host,
    alias: &AliasId,
    manifest: &Manifest,
    login_url: &Url,
    new: &NewCredential,
) -> Result<Trial, CredentialError> {
    let offer = new.judged(manifest)?;
    let kind = offer.id;
    let full = fetched(host, new).await?;
    if offer.takes("private_key") {
        jwt::fingerprint(full.field("private_key"))?;
    }
    let answer = acquire(host, alias, manifest, login_url, kind, &full)
        .await
        .map_err(|failure| refused(manifest, &failure))?;
    weighed(host, alias, manifest, login_url, kind, answer).await
}

/// Weighs a token answer: every base within the manifest's patterns, every needed scope granted, a refresh token where one is needed.
pub(super) async fn weighed(
    host: &Host,
    alias: &AliasId,
    manifest: &Manifest,
    login_url: &Url,
    kind: GrantKind,
    answer: Answer,
) -> Result<Trial, CredentialError> {
    let client = client(host, alias)
        .await
        .map_err(|failure| refused(manifest, &failure))?;
    let bases = bases(manifest, login_url, &answer.fields)
        .map_err(|failure| refused(manifest, &failure))?;
    for origin in &manifest.origins {
        if let Some(base) = bases.get(&origin.name) {
            client
                .permits(&origin.hosts, base)
                .map_err(|failure| refused(manifest, &failure))?;
        }
    }
    let missing = missing_scopes(manifest, kind, &answer.scopes);
    if !missing.is_empty() {
        return Err(CredentialError::Refused(scopes_missing(&missing)));
    }
    if kind.needs_consent() && answer.refresh_token.is_none() {
        let none = failure(
            FailureKind::Auth,
            "no_refresh_token",
            "the vendor gave a token that cannot be renewed",
        );
        return Err(refused(manifest, &none));
    }
    let connected_as = whose::ask(&client, manifest, &bases, &answer.access_token).await;
    Ok(Trial {
        answer,
        kind,
        bases,
        connected_as,
    })
}

/// Stores a credential with its first token in the caller's transaction. What was stored before is gone.
///
/// # Errors
/// The sealer's and the database's own.
pub async fn adopt(
    tx: &mut Tx,
    host: &Host,
    actor: &Actor,
    alias: &AliasId,
    new: &NewCredential,
    trial: &Trial,
) -> Result<(), CredentialError> {
    let now_ms = host.now_ms();
    put(tx, host, actor, alias, trial.kind, new).await?;
    let token = kept(host, alias, &trial.answer, now_ms)?;
    store::connected(tx, alias, &token, trial.connected_as(), &actor.id, now_ms).await?;
    let detail = serde_json::json!({
        "grant": trial.kind.as_str(), "client_id": new.field("client_id"), "as": trial.connected_as, "scopes": trial.answer.scopes,
    });
    host.audit(
        tx,
        actor,
        Entry {
            event: "credential.connected",
            subject_kind: "alias",
            subject_id: alias.as_str(),
            detail,
        },
    )
    .await?;
    Ok(())
}

/// Renews a credential that was just stored, once: a refresh token that is dead on arrival shows itself while its person is still here.
/// A vendor that cannot be reached proves nothing; the next use asks again.
///
/// # Errors
/// [`CredentialError::Refused`] with the failure `refresh_refused_at_once`.
pub async fn lives(grants: &dyn GrantPort, manifest: &Manifest) -> Result<(), CredentialError> {
    let stored = match grants.current().await {
        Ok(grant) => grant.generation,
        Err(failure) => return Err(refused(manifest, &failure)),
    };
    match grants.renew(stored).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.kind == FailureKind::Auth => {
            let at_once = Failure {
                code: "refresh_refused_at_once".to_owned(),
                ..failure
            };
            Err(refused(manifest, &at_once))
        }
        Err(failure) => {
            tracing::info!(code = %failure.code, "a new credential could not be renewed at once");
            Ok(())
        }
    }
}

pub(super) fn refused(manifest: &Manifest, failure: &Failure) -> CredentialError {
    CredentialError::Refused(explain::token(manifest, failure))
}

fn scopes_missing(missing: &[String]) -> Problem {
    Problem::new(
        "credential.scopes_missing",
        422,
        format!("the token lacks scopes that are needed: {}", missing.join(", ")),
        "Ask the vendor's administrator to add these scopes to the app, wait until the change has taken effect, and connect again",
    )
    .at("client_id")
    .with(serde_json::json!({ "missing": missing }))
}
