//! Use cases of principals: one transaction each, authority checked inside. Sessions and tokens stand beside.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::roles::{Actor, Permission, Role, Via};
use super::{IdentityError, store};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::kernel::PrincipalId;
use crate::kernel::written;
use crate::store::{Sight, StoreError, Tx};

pub use super::access::{
    AccessView, access_of, deactivate, end_session_of, invite, reactivate, set_roles,
};
pub use super::account::{
    AccountView, SessionView, account, change_password, end_other_sessions, end_own_session,
};
pub use super::passwords::SHORTEST as SHORTEST_PASSWORD;
pub use super::second_factor::{
    Enrolment, begin_second_factor, confirm_second_factor, end_second_factor,
    pending_second_factor, reset_second_factor,
};
pub use super::sessions::{
    LINK_MS, NewSession, SESSION_MS, Session, SigninLink, authenticate_session, end_session,
    mint_signin_link,
};
pub use super::sign_in::{
    Device, SignedIn, redeem_signin_link, sign_in_with_code, sign_in_with_password,
};
pub use super::sign_on::{
    Begun, Callback, GroupRole, NewSignOn, SignOnFault, SignOnView, begin as begin_sign_on,
    button as sign_on_button, map_group, returned as sign_on_returned, set_sign_on, sign_on,
    switch_sign_on, unmap_group,
};
pub use super::tokens::{
    MintedToken, NewToken, TOKEN_MAX_DAYS, TokenView, authenticate_token, list_tokens, mint_token,
    revoke_token,
};
pub use super::units::{
    Placed, UnitView, UnitsView, create_unit, list_units, place_profile, set_sight, units_of,
};

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
    pub(super) fn as_str(self) -> &'static str {
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
    /// Those of them that only their groups at the identity provider give.
    pub group_roles: BTreeSet<Role>,
    /// False: signs in no more, its sessions and tokens are dead.
    pub is_active: bool,
    /// The business units it sees, id and name; null: all of them.
    #[serde(rename = "business_units")]
    pub sight: Sight,
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

/// All principals, by name.
///
/// # Errors
/// [`IdentityError::Denied`].
pub async fn list_principals(
    host: &Host,
    actor: &Actor,
) -> Result<Vec<PrincipalView>, IdentityError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read_everything().await?;
    Ok(store::principals(&mut tx).await?)
}

/// The names of those who can give a role, for whoever has none to ask.
///
/// # Errors
/// [`IdentityError::Denied`].
pub async fn administrators(host: &Host, actor: &Actor) -> Result<Vec<String>, IdentityError> {
    actor.may(Permission::OwnAccount)?;
    let mut tx = host.store.read_everything().await?;
    let mut all = store::principals(&mut tx).await?;
    all.retain(|p| p.is_active && p.roles.contains(&Role::Admin));
    Ok(all.into_iter().map(|p| p.name).collect())
}

/// The principal with this e-mail address, or else this exact name.
///
/// # Errors
/// The database's own.
pub async fn find_principal(
    host: &Host,
    email_or_name: &str,
) -> Result<Option<PrincipalView>, IdentityError> {
    let mut tx = host.store.read_everything().await?;
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

/// Everybody, in the caller's transaction: for whoever tells people of something.
///
/// # Errors
/// The database's own.
pub async fn people(tx: &mut Tx) -> Result<Vec<PrincipalView>, StoreError> {
    store::principals(tx).await
}

/// Somebody on whose behalf the host goes on with what they began by this door, with their roles of this moment.
///
/// # Errors
/// [`IdentityError::NotFound`] for somebody who may no longer act at all.
pub async fn on_behalf_of(
    host: &Host,
    id: &PrincipalId,
    door: &str,
) -> Result<Actor, IdentityError> {
    let mut tx = host.store.read_everything().await?;
    let who = active(&mut tx, id).await?;
    Ok(Actor {
        id: who.id,
        name: who.name,
        roles: who.roles,
        via: Via::Session {
            session: door.to_owned(),
        },
        sight: who.sight,
    })
}

pub(super) async fn active(tx: &mut Tx, id: &PrincipalId) -> Result<PrincipalView, IdentityError> {
    store::principal(tx, id)
        .await?
        .filter(|p| p.is_active)
        .ok_or(IdentityError::NotFound("principal"))
}

pub(super) fn refuse_token(actor: &Actor) -> Result<(), IdentityError> {
    if matches!(actor.via, Via::Token { .. } | Via::HandOver { .. }) {
        Err(IdentityError::TokenCannotMint)
    } else {
        Ok(())
    }
}

pub(super) fn secret(host: &Host, prefix: &str) -> String {
    let mut bytes = [0u8; SECRET_BYTES];
    host.chance.fill(&mut bytes);
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

pub(super) fn checked_name(text: &str, field: &'static str) -> Result<String, IdentityError> {
    written::name(text)
        .map(str::to_owned)
        .map_err(|unfit| invalid(field, format!("the name {unfit}")))
}

pub(super) fn invalid(field: &'static str, sentence: impl Into<String>) -> IdentityError {
    IdentityError::Invalid {
        field,
        sentence: sentence.into(),
    }
}
