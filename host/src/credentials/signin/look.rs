//! Looking whether a person has confirmed the code of a device, once at a time.

use seatwise_runtime::Manifest;
use seatwise_runtime::manifest::GrantKind;
use url::Url;
use zeroize::Zeroizing;

use super::{Taken, refuse, store, take, unseal};
use crate::app::host::Host;
use crate::credentials::grants::client;
use crate::credentials::model::{NewCredential, SigninFault, SigninState};
use crate::credentials::proof::{self, Trial};
use crate::credentials::service::{CredentialError, fetched};
use crate::credentials::token::{self, Ask, Proof};
use crate::kernel::{AliasId, PrincipalId, ProfileId};
use crate::store::StoreError;

/// How a look at a device's sign-in ended.
pub enum Look {
    /// Look again at this time, host's clock.
    Again(i64),
    /// It ended before, or does not exist.
    Ended,
    /// The person confirmed the code.
    Confirmed(Box<(Taken, Trial)>),
}

/// Who began a sign-in, and for which profile; `None` once it ended.
///
/// # Errors
/// The database's own.
pub async fn begun_by(
    host: &Host,
    id: &str,
) -> Result<Option<(PrincipalId, ProfileId)>, StoreError> {
    let mut tx = host.store.read_everything().await?;
    let row = store::find(&mut tx, id).await?;
    Ok(row
        .filter(|row| row.state == SigninState::Waiting)
        .map(|row| (row.principal, row.profile)))
}

/// Looks once whether the person has confirmed a device's code.
///
/// # Errors
/// The vendor's no, with which the sign-in has ended.
pub async fn looked(
    host: &Host,
    alias: &AliasId,
    manifest: &Manifest,
    login_url: &Url,
    id: &str,
) -> Result<Look, CredentialError> {
    let row = {
        let mut tx = host.store.read_everything().await?;
        store::find(&mut tx, id).await?
    };
    let Some(row) = row.filter(|row| row.state == SigninState::Waiting) else {
        return Ok(Look::Ended);
    };
    let id = row.id.clone();
    let now_ms = host.now_ms();
    if row.expires_at <= now_ms {
        return refuse(host, &id, SigninFault::TimedOut.into()).await;
    }
    if row.login_url != login_url.as_str() {
        return refuse(host, &id, SigninFault::Changed.into()).await;
    }
    let sealed = row.offer.as_deref().ok_or(SigninFault::Unusable)?;
    let offer = unseal(host, &id, sealed)?;
    let typed = NewCredential {
        client_secret: Zeroizing::new(offer.client_secret.clone()),
        from_vault: offer.from_vault.clone(),
        ..NewCredential::default()
    };
    let full = match fetched(host, &typed).await {
        Ok(full) => full,
        // A vault that is away for a moment ends no sign-in.
        Err(missing) if missing.fault.is_passing() => {
            return Ok(Look::Again(now_ms.saturating_add(row.interval_s * 1_000)));
        }
        Err(missing) => return refuse(host, &id, missing.into()).await,
    };
    let ask = Ask {
        manifest,
        login_url,
        kind: GrantKind::DeviceCode,
        client_id: &row.client_id,
        client_secret: &full.client_secret,
        proof: Proof::Device(offer.device_code.as_deref().unwrap_or_default()),
    };
    let client = match client(host, alias).await {
        Ok(client) => client,
        Err(failure) => return refuse(host, &id, proof::refused(manifest, &failure)).await,
    };
    let answer = match token::ask(&client, &ask).await {
        Ok(answer) => answer,
        Err(failure) => {
            use seatwise_runtime::contract::types::FailureKind::{RateLimited, Transient};
            // RFC 8628 §3.5: five seconds more from then on.
            let longer = if failure.code == "slow_down" { 5 } else { 0 };
            let waits = failure.code == "authorization_pending"
                || matches!(failure.kind, RateLimited | Transient);
            if !waits {
                return refuse(host, &id, proof::refused(manifest, &failure)).await;
            }
            let interval_s = row.interval_s + longer;
            if longer > 0 {
                let mut tx = host.store.begin().await?;
                store::slow_down(&mut tx, &id, interval_s).await?;
                tx.commit().await?;
            }
            return Ok(Look::Again(now_ms.saturating_add(interval_s * 1_000)));
        }
    };
    let mut tx = host.store.begin().await?;
    let mut taken = take(&mut tx, host, row).await?;
    tx.commit().await?;
    taken.new.refresh_token.clone_from(&answer.refresh_token);
    match proof::weighed(host, alias, manifest, login_url, taken.kind, answer).await {
        Ok(trial) => Ok(Look::Confirmed(Box::new((taken, trial)))),
        Err(error) => refuse(host, &id, error).await,
    }
}
