//! Connecting and reconnecting a profile: a credential is tried, weighed and asked which org it is for before it takes the place of
//! the one that is stored.
//!
//! Invariants: a credential of another org than the stored one is refused and nothing of it is kept; vendor calls are never made inside
//! a transaction; leaving is not finishing: what a redirect brings is checked here, whatever it claims.

use std::sync::Arc;

use seatwise_runtime::{Manifest, WayOut};
use serde::Serialize;
use serde_json::json;
use url::Url;

use super::error::ProfileError;
use super::model::{self, ProfileState};
use super::service::{ProfileView, get, need, read};
use super::sharing;
use super::store::ProfileRow;
use crate::app::host::Host;
use crate::audit::Entry;
use crate::connections;
use crate::connectors::link::{self, Wanted};
use crate::credentials::model::{missing_scopes, needed_scopes};
use crate::credentials::proof::{self, Trial};
use crate::credentials::signin::{self, Callback, Look, SigninView, Subject, Taken};
use crate::credentials::{self, CredentialView, NewCredential, service};
use crate::identity;
use crate::identity::roles::{Actor, Permission};
use crate::jobs::{JobKind, NewJob};
use crate::kernel::{IntoProblem as _, ProfileId, SigninId};
use seatwise_runtime::manifest::{GrantKind, GrantOffer};

/// What became of a credential that somebody offered.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Connected {
    /// It works and is stored.
    Connected,
    /// A person has to sign in at the vendor's first.
    SignIn {
        /// The sign-in that was begun.
        id: SigninId,
    },
}

/// A profile's connection as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectionView {
    /// The profile.
    pub profile: ProfileView,
    /// What is stored, never a secret.
    pub credential: Option<CredentialView>,
    /// The manifest's grants.
    pub offered: Vec<OfferView>,
    /// Scopes a token must carry, with the stored credential's grant.
    pub needed_scopes: Vec<String>,
    /// Those of them that the last token did not carry; empty while there was none.
    pub missing_scopes: Vec<String>,
    /// What the vendor's app must list as callback URL, letter by letter.
    pub callback_url: String,
}

/// A grant as a person may choose it.
#[derive(Clone, Debug, Serialize)]
pub struct OfferView {
    /// Its word.
    pub grant: &'static str,
    /// For people.
    pub title: String,
    /// When to choose it.
    pub about: String,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// What a person enters.
    pub fields: Vec<String>,
    /// Those of them that may stay empty.
    pub optional_fields: Vec<String>,
    /// Whether a person signs in at the vendor's.
    pub needs_consent: bool,
}

impl OfferView {
    /// From the manifest.
    #[must_use]
    pub fn of(offer: &GrantOffer) -> Self {
        Self {
            grant: offer.id.as_str(),
            title: offer.title.clone(),
            about: offer.about.clone(),
            scopes: offer.scopes.clone(),
            fields: offer.fields.clone(),
            optional_fields: offer.optional_fields.clone(),
            needs_consent: offer.id.needs_consent(),
        }
    }
}

/// A profile's connection.
///
/// # Errors
/// [`ProfileError::NotFound`].
pub async fn connection(
    host: &Host,
    actor: &Actor,
    key: &str,
) -> Result<ConnectionView, ProfileError> {
    let profile = get(host, actor, key).await?;
    let manifest = host.connectors.manifest(&profile.connector)?;
    let credential = profile.credential.clone();
    let kind = credential
        .as_ref()
        .and_then(|credential| GrantKind::parse(&credential.grant));
    let granted = credential
        .as_ref()
        .map(|credential| credential.granted_scopes.clone())
        .unwrap_or_default();
    let missing = match kind {
        Some(kind) if !granted.is_empty() => missing_scopes(&manifest, kind, &granted),
        _ => Vec::new(),
    };
    let needed = kind.map_or_else(Vec::new, |kind| needed_scopes(&manifest, kind));
    Ok(ConnectionView {
        profile,
        credential,
        offered: manifest
            .credential
            .grants
            .iter()
            .map(OfferView::of)
            .collect(),
        needed_scopes: needed,
        missing_scopes: missing,
        callback_url: signin::callback_url(host),
    })
}

/// Connects a profile, or connects it anew. A credential that needs nobody at the vendor's is tried at once and stored when it is this
/// profile's org; otherwise a sign-in begins, and what is stored stays until it has ended well.
///
/// # Errors
/// [`ProfileError::Credential`] naming the field, [`ProfileError::OtherOrg`], [`ProfileError::Vendor`].
pub async fn connect(
    host: &Host,
    actor: &Actor,
    key: &str,
    mut new: NewCredential,
) -> Result<Connected, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let row = read(host, key).await?;
    let manifest = host.connectors.manifest(&row.connector)?;
    let login_url = model::login_url(&row.login_url)?;
    {
        let mut tx = host.store.read_everything().await?;
        service::keep_stored(&mut tx, host, &row.alias, &mut new).await?;
    }
    let kind = new
        .judged(&manifest)
        .map_err(credentials::CredentialError::from)?
        .id;
    let way = way_of(host, &row).await?;
    super::draft::allowed(host, &manifest, kind.as_str(), &login_url, &way)?;
    if kind.needs_consent() {
        let id = begin(host, actor, &row, &login_url, &new).await?;
        return Ok(Connected::SignIn { id });
    }
    let trial = proof::tried(host, &row.alias, &manifest, &login_url, &new).await?;
    adopt(host, actor, &row, &manifest, &login_url, &new, &trial).await?;
    Ok(Connected::Connected)
}

/// Begins a person's sign-in at the vendor's for a profile; a device's code is looked after from then on.
pub(super) async fn begin(
    host: &Host,
    actor: &Actor,
    row: &ProfileRow,
    login_url: &Url,
    new: &NewCredential,
) -> Result<SigninId, ProfileError> {
    let manifest = host.connectors.manifest(&row.connector)?;
    let subject = Subject {
        profile: &row.id,
        alias: &row.alias,
        login_url,
    };
    let id = signin::begin(host, actor, &manifest, &subject, new).await?;
    if new.grant_kind == GrantKind::DeviceCode.as_str() {
        look_again(host, &id, host.now_ms()).await?;
    }
    Ok(id)
}

/// Goes on with the sign-in that a redirect of the vendor belongs to: one exchange, at the login host that was asked.
///
/// # Errors
/// [`ProfileError::Credential`] for a state that cannot be used. What goes wrong later ends the sign-in, which then says why.
pub async fn returned(
    host: &Host,
    actor: &Actor,
    callback: &Callback,
) -> Result<SigninId, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let mut taken = signin::returned(host, actor, callback).await?;
    let id = taken.id.clone();
    let went = exchange(host, actor, &mut taken, callback).await;
    settle(host, &id, went).await?;
    Ok(id)
}

async fn exchange(
    host: &Host,
    actor: &Actor,
    taken: &mut Taken,
    callback: &Callback,
) -> Result<(), ProfileError> {
    let row = read(host, taken.profile.as_str()).await?;
    let manifest = host.connectors.manifest(&row.connector)?;
    let login_url = model::login_url(&row.login_url)?;
    let trial = signin::exchanged(host, &row.alias, &manifest, &login_url, taken, callback).await?;
    adopt(host, actor, &row, &manifest, &login_url, &taken.new, &trial).await
}

/// Writes down how a sign-in went. What is our own fault is handed on as well.
async fn settle(
    host: &Host,
    id: &SigninId,
    went: Result<(), ProfileError>,
) -> Result<(), ProfileError> {
    match went {
        Ok(()) => Ok(signin::finish(host, id, Ok(())).await?),
        Err(error) => {
            let problem = error.problem();
            signin::finish(host, id, Err(&problem)).await?;
            if problem.status == 500 {
                Err(error)
            } else {
                Ok(())
            }
        }
    }
}

/// Looks whether a device's code was confirmed; when to look again, `None` once it ended. Called by the worker.
///
/// # Errors
/// The database's own.
pub async fn look(host: &Host, id: &str) -> Result<Option<i64>, ProfileError> {
    let Some((principal, profile)) = signin::begun_by(host, id).await? else {
        return Ok(None);
    };
    let row = read(host, profile.as_str()).await?;
    let manifest = host.connectors.manifest(&row.connector)?;
    let login_url = model::login_url(&row.login_url)?;
    let (taken, trial) = match signin::looked(host, &row.alias, &manifest, &login_url, id).await {
        Ok(Look::Again(at)) => return Ok(Some(at)),
        Ok(Look::Confirmed(confirmed)) => *confirmed,
        Ok(Look::Ended) => return Ok(None),
        Err(error) if error.problem().status == 500 => return Err(error.into()),
        // The sign-in itself says why.
        Err(_) => return Ok(None),
    };
    let went = async {
        let actor = identity::service::on_behalf_of(host, &principal, id)
            .await
            .map_err(credentials::CredentialError::from)?;
        actor.may(Permission::ManageProfiles)?;
        adopt(
            host, &actor, &row, &manifest, &login_url, &taken.new, &trial,
        )
        .await
    };
    let went = went.await;
    settle(host, &taken.id, went).await?;
    Ok(None)
}

/// A sign-in, for the person who began it.
///
/// # Errors
/// [`ProfileError::Credential`] for anybody else's.
pub async fn find(host: &Host, actor: &Actor, id: &str) -> Result<SigninView, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    Ok(signin::find(host, actor, id).await?)
}

/// Asks which org a token is for, and stores the credential when it is the profile's own.
async fn adopt(
    host: &Host,
    actor: &Actor,
    row: &ProfileRow,
    manifest: &Arc<Manifest>,
    login_url: &Url,
    new: &NewCredential,
    trial: &Trial,
) -> Result<(), ProfileError> {
    let way = way_of(host, row).await?;
    let wanted = Wanted {
        connector: row.connector.clone(),
        settings: row.settings.clone(),
        granted_scopes: trial.scopes().to_vec(),
        memo: row.memo.clone(),
        grants: trial.grants(),
        way: way.clone(),
        label: row.number.clone(),
    };
    let org = link::open(host, wanted).await?;
    let told = org
        .identify()
        .await
        .map_err(|error| ProfileError::Vendor(org.explain(&error)))?;
    let mut tx = host.store.begin().await?;
    let row = need(&mut tx, row.id.as_str()).await?;
    // What was typed for one way is not kept for another.
    let is_same_way = connections::way_out(host, &mut tx, &row.alias).await? == way;
    if row.login_url != login_url.as_str() || !is_same_way {
        return Err(credentials::CredentialError::from(
            crate::credentials::model::SigninFault::Changed,
        )
        .into());
    }
    let stored = sharing::org_of_alias(&mut tx, &row).await?;
    if stored.is_some_and(|stored| stored != told.id) {
        let detail = json!({"found": told.id, "grant": new.grant_kind});
        host.audit(
            &mut tx,
            actor,
            Entry {
                event: "credential.refused_other_org",
                subject_kind: "profile",
                subject_id: row.id.as_str(),
                detail,
            },
        )
        .await?;
        tx.commit().await?;
        return Err(ProfileError::OtherOrg { found: told.id });
    }
    proof::adopt(&mut tx, host, actor, &row.alias, new, trial).await?;
    if row.state == ProfileState::Draft {
        // What was found and checked before was about what was connected then.
        super::playbook::store::forget_findings(&mut tx, &row.id).await?;
    }
    tx.commit().await?;
    if GrantKind::parse(&new.grant_kind).is_some_and(GrantKind::needs_consent) {
        let grants = credentials::grants(host, &row.alias, Arc::clone(manifest), login_url.clone());
        proof::lives(&*grants, manifest).await?;
    }
    Ok(())
}

async fn way_of(host: &Host, row: &ProfileRow) -> Result<WayOut, ProfileError> {
    let mut tx = host.store.read_everything().await?;
    Ok(connections::way_out(host, &mut tx, &row.alias).await?)
}

async fn look_again(host: &Host, id: &SigninId, due_at: i64) -> Result<(), ProfileError> {
    let job = NewJob {
        kind: JobKind::SignIn,
        organization: None,
        key: format!("sign_in:{id}"),
        subject: id.to_string(),
        due_at,
        payload: serde_json::Value::Null,
    };
    let mut tx = host.store.begin().await?;
    host.wake(&mut tx, &job).await?;
    Ok(tx.commit().await?)
}

/// The number of a profile by its id, for links back.
///
/// # Errors
/// [`ProfileError::NotFound`].
pub async fn number(host: &Host, profile: &ProfileId) -> Result<String, ProfileError> {
    Ok(read(host, profile.as_str()).await?.number)
}
