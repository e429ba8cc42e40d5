//! A person's sign-in at the vendor's: authorization code and device code.
//!
//! Invariants: the state of a code is stored as a hash only and is good once, for minutes, for one person in one session; verifier,
//! device code and the typed secret are sealed and gone once the sign-in ends; a code goes to the login host that was asked, and to no
//! other; nothing is stored as a credential here.

mod look;
mod store;

pub use look::{Look, begun_by, looked};

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::{CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope};
use seatwise_runtime::manifest::{GrantKind, Pkce};
use seatwise_runtime::{GuardedClient, Manifest};
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use super::grants::client;
use super::model::{NewCredential, SigninEvent, SigninFault, SigninState};
use super::proof::{self, Trial};
use super::service::{CredentialError, fetched};
use super::token::{self, Ask, Proof};
use super::{consent_page, device};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Via};
use crate::kernel::clock::MINUTE_MS;
use crate::kernel::digest::sha256_hex;
use crate::kernel::seal::{Place, SealError};
use crate::kernel::{AliasId, Problem, ProfileId, SigninId};
use crate::store::{StoreError, Tx};
use crate::vaults::FromVault;
use store::{NewRow, Row};

/// How long a person has to come back with a code. Vendors' codes live about as long.
const CODE_MS: i64 = 10 * MINUTE_MS;
/// Where the vendor sends the browser back to.
pub const CALLBACK_PATH: &str = "/connect/callback";
/// Random bytes of a state: cannot be guessed, so a plain hash of it is enough.
const STATE_BYTES: usize = 32;
/// Random bytes of a verifier: 86 characters, within the 43 to 128 of RFC 7636 §4.1.
const VERIFIER_BYTES: usize = 64;
/// Longest code or state that is looked at.
const MOST: usize = 4_096;

/// Whose connection a sign-in is for.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The profile.
    pub profile: &'a ProfileId,
    /// Its alias.
    pub alias: &'a AliasId,
    /// Where it signs in.
    pub login_url: &'a Url,
}

/// What the vendor's redirect brought back.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Callback {
    /// The authorization code.
    pub code: Option<String>,
    /// As it was sent.
    pub state: Option<String>,
    /// The vendor's or the person's no.
    pub error: Option<String>,
    /// In words.
    pub error_description: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
}

/// A sign-in as it is shown to the person who began it. No secret is in it, but for the address of the vendor's page.
#[derive(Clone, Debug, Serialize)]
pub struct SigninView {
    /// Id.
    pub id: SigninId,
    /// The profile it is for.
    pub profile: ProfileId,
    /// The grant.
    pub grant: &'static str,
    /// The client that asks.
    pub client_id: String,
    /// Whether a proof key goes with it.
    pub uses_pkce: bool,
    /// Waiting, taken, done, refused.
    pub state: SigninState,
    /// Where the person goes; none once it ended.
    pub goes_to: Option<String>,
    /// The host of it, to be read before going there.
    pub host: String,
    /// What the person types there; only for a device code.
    pub user_code: Option<String>,
    /// Why it ended without a credential.
    pub problem: Option<Problem>,
    /// Milliseconds UTC.
    pub expires_at: i64,
}

/// A sign-in that came back, taken by whoever goes on with it.
pub struct Taken {
    /// Id.
    pub id: SigninId,
    /// The profile it is for.
    pub profile: ProfileId,
    /// What was typed when it began.
    pub new: NewCredential,
    login_url: Url,
    redirect_uri: String,
    offer: Offer,
    kind: GrantKind,
}

/// What is sealed while a sign-in is under way.
#[derive(Default, Serialize, Deserialize)]
struct Offer {
    client_secret: String,
    goes_to: String,
    verifier: Option<String>,
    device_code: Option<String>,
    #[serde(default)]
    from_vault: BTreeMap<String, FromVault>,
}

impl Drop for Offer {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        self.client_secret.zeroize();
        self.verifier.zeroize();
        self.device_code.zeroize();
    }
}

/// The callback address that the vendor's app must list, letter by letter.
#[must_use]
pub fn callback_url(host: &Host) -> String {
    let public = host.options.public_url.trim_end_matches('/');
    format!("{public}{CALLBACK_PATH}")
}

/// Begins a sign-in. For a code, the vendor's page is looked at; for a device, the codes are asked for.
///
/// # Errors
/// [`SigninFault::NeedsBrowser`] for a code without a browser session, [`CredentialError::Refused`] for the vendor's no.
pub async fn begin(
    host: &Host,
    actor: &Actor,
    manifest: &Manifest,
    subject: &Subject<'_>,
    new: &NewCredential,
) -> Result<SigninId, CredentialError> {
    let offered = new.judged(manifest)?;
    let kind = offered.id;
    let uses_pkce = match offered.pkce {
        Pkce::Always => true,
        Pkce::Usual => !new.without_pkce,
        Pkce::Never => false,
    };
    let now_ms = host.now_ms();
    let id = SigninId::mint(now_ms, &*host.chance);
    // Fetched now, though only a device's code needs it: a vault that says no shows itself before the person leaves.
    let full = fetched(host, new).await?;
    let ask = Ask {
        manifest,
        login_url: subject.login_url,
        kind,
        client_id: new.field("client_id"),
        client_secret: &full.client_secret,
        proof: Proof::Client,
    };
    let refused = |failure| proof::refused(manifest, &failure);
    let session = match &actor.via {
        Via::Session { session } => Some(session.clone()),
        Via::Token { .. } | Via::HandOver { .. } | Via::System => None,
    };
    let client = client(host, subject.alias).await.map_err(refused)?;
    let mut offer = Offer::default();
    offer.from_vault.clone_from(&new.from_vault);
    new.client_secret
        .as_str()
        .clone_into(&mut offer.client_secret);
    let (mut state_hash, mut user_code, mut interval_s) = (None, None, 0);
    let lives_ms = if kind == GrantKind::DeviceCode {
        let codes = device::codes(&client, &ask).await.map_err(refused)?;
        codes.page.as_str().clone_into(&mut offer.goes_to);
        offer.device_code = Some(codes.device_code.to_string());
        user_code = Some(codes.user_code);
        interval_s = codes.interval_s;
        codes.lifetime_s.saturating_mul(1_000)
    } else {
        if session.is_none() {
            return Err(SigninFault::NeedsBrowser(kind.as_str()).into());
        }
        let state = random(host, STATE_BYTES);
        let verifier = uses_pkce.then(|| random(host, VERIFIER_BYTES));
        let page =
            authorize_url(host, &client, &ask, &state, verifier.as_deref()).map_err(refused)?;
        let (_, patterns) = token::offered(manifest, kind).map_err(refused)?;
        consent_page::leads_on(&client, patterns, &page)
            .await
            .map_err(refused)?;
        page.as_str().clone_into(&mut offer.goes_to);
        offer.verifier = verifier;
        state_hash = Some(sha256_hex(&state));
        CODE_MS
    };
    let sealed = seal(host, &id, &offer)?;
    let row = NewRow {
        id: &id,
        profile: subject.profile,
        alias: subject.alias,
        grant_kind: kind.as_str(),
        state_hash,
        login_url: subject.login_url.as_str(),
        redirect_uri: &callback_url(host),
        client_id: new.field("client_id"),
        uses_pkce,
        offer: sealed,
        user_code,
        interval_s,
        principal: &actor.id,
        session,
        expires_at: now_ms.saturating_add(lives_ms),
        now_ms,
    };
    let mut tx = host.store.begin().await?;
    store::insert(&mut tx, &row).await?;
    let detail = serde_json::json!({"grant": kind.as_str(), "client_id": new.field("client_id"), "login_url": subject.login_url.as_str()});
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "signin.begun",
            subject_kind: "alias",
            subject_id: subject.alias.as_str(),
            detail,
        },
    )
    .await?;
    tx.commit().await?;
    Ok(id)
}

/// The vendor's page where a person consents.
fn authorize_url(
    host: &Host,
    client: &GuardedClient,
    ask: &Ask<'_>,
    state: &str,
    verifier: Option<&str>,
) -> Result<Url, seatwise_runtime::contract::types::Failure> {
    let (offer, patterns) = token::offered(ask.manifest, ask.kind)?;
    let path = ask.manifest.credential.authorize_path.as_deref();
    let page = token::address(ask.login_url, path.unwrap_or("/"))?;
    client.permits(patterns, &page)?;
    let redirect = RedirectUrl::new(callback_url(host)).map_err(|_| {
        token::failure(
            seatwise_runtime::contract::types::FailureKind::InvalidInput,
            "public_url",
            "this server's public address cannot be a callback",
        )
    })?;
    let client = token::vendor(ask)
        .set_auth_uri(oauth2::AuthUrl::from_url(page))
        .set_redirect_uri(redirect);
    let mut request = client
        .authorize_url(|| CsrfToken::new(state.to_owned()))
        .add_scopes(offer.scopes.iter().cloned().map(Scope::new));
    if let Some(verifier) = verifier {
        let verifier = PkceCodeVerifier::new(verifier.to_owned());
        request =
            request.set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
    }
    if let Some(prompt) = &offer.prompt {
        request = request.add_extra_param("prompt", prompt);
    }
    Ok(request.url().0)
}

/// A sign-in, for the person who began it.
///
/// # Errors
/// [`SigninFault::NotFound`] for anybody else.
pub async fn find(host: &Host, actor: &Actor, id: &str) -> Result<SigninView, CredentialError> {
    let row = {
        let mut tx = host.store.read(&actor.sight).await?;
        store::find(&mut tx, id).await?
    };
    let row = row
        .filter(|row| row.principal == actor.id)
        .ok_or(SigninFault::NotFound)?;
    let is_open = row.state == SigninState::Waiting && row.expires_at > host.now_ms();
    // The address for a code carries its state, which belongs to the session that began it.
    let is_shown = match (&row.session, &actor.via) {
        _ if row.user_code.is_some() => true,
        (Some(begun), Via::Session { session }) => begun == session,
        _ => false,
    };
    let goes_to = match &row.offer {
        Some(sealed) if is_open && is_shown => Some(unseal(host, &row.id, sealed)?.goes_to.clone()),
        _ => None,
    };
    let grant = GrantKind::parse(&row.grant_kind).ok_or(SigninFault::NotFound)?;
    // One that was taken by a host that died is never finished.
    let is_going = matches!(row.state, SigninState::Waiting | SigninState::Taken);
    let too_late = is_going && row.expires_at <= host.now_ms();
    Ok(SigninView {
        host: goes_to
            .as_deref()
            .and_then(|address| Url::parse(address).ok())
            .and_then(|address| address.host_str().map(str::to_owned))
            .unwrap_or_default(),
        goes_to,
        id: row.id,
        profile: row.profile,
        grant: grant.as_str(),
        client_id: row.client_id,
        uses_pkce: row.uses_pkce,
        state: if too_late {
            SigninState::Refused
        } else {
            row.state
        },
        user_code: row.user_code.filter(|_| is_open),
        problem: if too_late {
            Some(crate::kernel::IntoProblem::problem(&SigninFault::TimedOut))
        } else {
            row.problem
                .as_deref()
                .and_then(|text| serde_json::from_str(text).ok())
        },
        expires_at: row.expires_at,
    })
}

/// Takes the sign-in that a redirect belongs to, once. Whoever else asks with the same state is refused.
///
/// # Errors
/// [`SigninFault::Unusable`], whatever the reason; [`SigninFault::Issuer`] when another host answers.
pub async fn returned(
    host: &Host,
    actor: &Actor,
    callback: &Callback,
) -> Result<Taken, CredentialError> {
    let state = callback.state.as_deref().unwrap_or_default();
    if state.is_empty() || state.len() > MOST {
        return Err(SigninFault::Unusable.into());
    }
    let Via::Session { session } = &actor.via else {
        return Err(SigninFault::Unusable.into());
    };
    let mut tx = host.store.begin().await?;
    let row = store::find_by_state(&mut tx, &sha256_hex(state))
        .await?
        .filter(|row| row.principal == actor.id && row.session.as_ref() == Some(session))
        .ok_or(SigninFault::Unusable)?;
    let taken = take(&mut tx, host, row).await?;
    tx.commit().await?;
    if let Some(issuer) = &callback.iss
        && !is_issuer(issuer, &taken.login_url)
    {
        return refuse(host, &taken.id, SigninFault::Issuer.into()).await;
    }
    Ok(taken)
}

/// Ends a sign-in and hands its error on.
async fn refuse<T>(
    host: &Host,
    id: &SigninId,
    error: CredentialError,
) -> Result<T, CredentialError> {
    let problem = crate::kernel::IntoProblem::problem(&error);
    finish(host, id, Err(&problem)).await?;
    Err(error)
}

fn is_issuer(issuer: &str, login_url: &Url) -> bool {
    Url::parse(issuer).is_ok_and(|issuer| issuer.origin() == login_url.origin())
}

async fn take(tx: &mut Tx, host: &Host, row: Row) -> Result<Taken, CredentialError> {
    row.state.after(SigninEvent::Return)?;
    let is_ours = store::take(tx, &row.id, host.now_ms()).await?;
    let sealed = row.offer.as_deref().filter(|_| is_ours);
    let offer = unseal(host, &row.id, sealed.ok_or(SigninFault::Unusable)?)?;
    let kind = GrantKind::parse(&row.grant_kind).ok_or(SigninFault::Unusable)?;
    let new = NewCredential {
        grant_kind: row.grant_kind,
        client_id: row.client_id,
        client_secret: Zeroizing::new(offer.client_secret.clone()),
        without_pkce: !row.uses_pkce,
        from_vault: offer.from_vault.clone(),
        ..NewCredential::default()
    };
    let login_url = Url::parse(&row.login_url).map_err(|_| SigninFault::Unusable)?;
    Ok(Taken {
        id: row.id,
        profile: row.profile,
        new,
        login_url,
        redirect_uri: row.redirect_uri,
        offer,
        kind,
    })
}

/// Exchanges the code of a redirect at the login host that was asked, and weighs the token.
///
/// # Errors
/// [`SigninFault::Changed`] when the connection signs in elsewhere now; [`CredentialError::Refused`] for the vendor's or the person's no.
pub async fn exchanged(
    host: &Host,
    alias: &AliasId,
    manifest: &Manifest,
    login_url: &Url,
    taken: &mut Taken,
    callback: &Callback,
) -> Result<Trial, CredentialError> {
    if *login_url != taken.login_url {
        return Err(SigninFault::Changed.into());
    }
    let refused = |failure| proof::refused(manifest, &failure);
    let short = |text: &str| -> String { text.chars().take(300).collect() };
    if let Some(error) = &callback.error {
        // One of a vendor's own pages spells it with a dash.
        let code = short(error).replace('-', "_");
        let message = callback.error_description.as_deref().map_or_else(
            || format!("the vendor's consent page answered {code}"),
            short,
        );
        let said = token::failure(
            seatwise_runtime::contract::types::FailureKind::Auth,
            &code,
            &message,
        );
        return Err(refused(said));
    }
    let code = callback
        .code
        .as_deref()
        .filter(|code| !code.is_empty() && code.len() <= MOST)
        .ok_or(SigninFault::Unusable)?;
    let full = fetched(host, &taken.new).await?;
    let ask = Ask {
        manifest,
        login_url,
        kind: taken.kind,
        client_id: &taken.new.client_id,
        client_secret: &full.client_secret,
        proof: Proof::Code {
            code,
            redirect_uri: &taken.redirect_uri,
            verifier: taken.offer.verifier.as_deref(),
        },
    };
    let client = client(host, alias).await.map_err(refused)?;
    let answer = token::ask(&client, &ask).await.map_err(refused)?;
    taken.new.refresh_token.clone_from(&answer.refresh_token);
    proof::weighed(host, alias, manifest, login_url, taken.kind, answer).await
}

/// Ends a sign-in: connected, or why not. What was sealed for it is gone.
///
/// # Errors
/// The database's own.
pub async fn finish(
    host: &Host,
    id: &SigninId,
    outcome: Result<(), &Problem>,
) -> Result<(), StoreError> {
    let (state, problem) = match outcome {
        Ok(()) => (SigninState::Done, None),
        Err(problem) => (
            SigninState::Refused,
            Some(serde_json::json!(problem).to_string()),
        ),
    };
    let mut tx = host.store.begin().await?;
    store::finish(&mut tx, id, state, problem, host.now_ms()).await?;
    tx.commit().await
}

/// Ends every sign-in of an alias that is under way, in the caller's transaction: the secret that was typed for one would now be sent
/// another way.
///
/// # Errors
/// The database's own.
pub async fn end_all(tx: &mut Tx, host: &Host, alias: &AliasId) -> Result<(), StoreError> {
    let problem = crate::kernel::IntoProblem::problem(&SigninFault::Changed);
    let text = serde_json::json!(problem).to_string();
    store::finish_all(tx, alias, &text, host.now_ms()).await
}

fn random(host: &Host, bytes: usize) -> String {
    let mut random = Zeroizing::new(vec![0u8; bytes]);
    host.chance.fill(&mut random);
    URL_SAFE_NO_PAD.encode(&*random)
}

fn place(id: &SigninId) -> Place<'_> {
    Place {
        table: "signins",
        row: id.as_str(),
        column: "offer_sealed",
    }
}

fn seal(host: &Host, id: &SigninId, offer: &Offer) -> Result<Vec<u8>, SealError> {
    let text = Zeroizing::new(serde_json::json!(offer).to_string());
    host.sealer.seal(place(id), text.as_bytes(), &*host.chance)
}

fn unseal(host: &Host, id: &SigninId, sealed: &[u8]) -> Result<Offer, SealError> {
    let plain = host.sealer.open(place(id), sealed)?;
    serde_json::from_slice(&plain).map_err(|_| SealError)
}
