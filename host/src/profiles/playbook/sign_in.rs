//! Saving the task *Sign in*: address and credential of a draft, by any grant that the connector offers.
//!
//! Invariants: a secret is kept only while address, client and grant stay what they were; what needs nobody at the vendor's is stored
//! here and tried by the checks; what needs a person is stored once that person has come back, by the same service that reconnects.

use serde_json::json;

use super::model::{self, Task};
use super::save::{Save, Seen};
use super::store;
use crate::app::host::Host;
use crate::connections;
use crate::credentials::model::SigninFault;
use crate::credentials::{self, CredentialError, CredentialView, NewCredential, service};
use crate::identity::roles::Actor;
use crate::kernel::SigninId;
use crate::profiles::draft::allowed;
use crate::profiles::error::ProfileError;
use crate::profiles::model::ProfileState;
use crate::profiles::service::read;
use crate::profiles::{sharing, signin};

/// Address and credential, as typed.
pub struct SignIn {
    /// As pasted.
    pub login_url: String,
    /// By a grant of the manifest. An empty secret keeps the stored one, while neither address, grant nor client id change.
    pub new: NewCredential,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It is stored; the checks try it.
    Stored,
    /// A person signs in at the vendor's now.
    Leaves {
        /// The sign-in that was begun.
        id: SigninId,
    },
}

/// Nothing but what is stored was sent back.
fn adds_nothing(stored: &CredentialView, new: &NewCredential) -> bool {
    let is_same_place = new.from_vault.iter().all(|(field, from)| {
        let held = stored.from_vault.iter().find(|view| view.field == *field);
        held.is_some_and(|view| view.from == *from)
    });
    let username = new.field("username");
    is_same_place
        && ["client_secret", "refresh_token", "private_key"]
            .iter()
            .all(|field| new.field(field).is_empty())
        && (username.is_empty() || stored.username.as_deref() == Some(username))
}

/// Saves the task *Sign in*. What was found and checked before is forgotten: it was about what was connected then.
///
/// # Errors
/// [`ProfileError`] naming the field. Where only the vendor's page says no, the address is saved already.
pub async fn save_sign_in(
    host: &Host,
    actor: &Actor,
    key: &str,
    typed: SignIn,
    seen: Seen<'_>,
) -> Result<Saved, ProfileError> {
    let mut save = Save::begin(host, actor, key, &Task::SignIn, seen).await?;
    if save.row.state != ProfileState::Draft {
        return Err(ProfileError::NotDraft);
    }
    sharing::own_to_change(&mut save.tx, &save.row).await?;
    let SignIn { login_url, mut new } = typed;
    let tidied = model::tidy(&save.manifest, &login_url)?;
    let alias = save.row.alias.clone();
    let way = connections::way_out(host, &mut save.tx, &alias).await?;
    allowed(host, &save.manifest, &new.grant_kind, &tidied.url, &way)?;
    let stored = service::find(&mut save.tx, &alias).await?;
    let is_same_address = save.row.login_url == tidied.url.as_str();
    let same = stored.as_ref().filter(|stored| {
        is_same_address
            && stored.grant == new.grant_kind
            && stored.client_id == new.field("client_id")
    });
    let keeps = same.is_some_and(|stored| adds_nothing(stored, &new));
    if is_same_address {
        service::keep_stored(&mut save.tx, host, &alias, &mut new).await?;
    }
    let leaves = save
        .manifest
        .grant(&new.grant_kind)
        .is_some_and(|offer| offer.id.needs_consent());
    if leaves && matches!(seen, Seen::HandOver(_)) {
        // Whoever consents must come back in the browser that left, with a session of their own.
        let kind = new.judged(&save.manifest).map_err(CredentialError::from)?;
        let fault = SigninFault::NeedsBrowser(kind.id.as_str());
        return Err(CredentialError::from(fault).into());
    }
    if !is_same_address {
        credentials::signin::end_all(&mut save.tx, host, &alias).await?;
    }
    let said = if leaves {
        new.judged(&save.manifest).map_err(CredentialError::from)?;
        if !is_same_address && stored.is_some() {
            let why = "the login address changed";
            service::forget(&mut save.tx, host, actor, &alias, why).await?;
        }
        "asked for at the vendor's"
    } else if keeps {
        "kept"
    } else {
        credentials::set(&mut save.tx, host, actor, &save.manifest, &alias, &new).await?;
        "set"
    };
    if !is_same_address {
        let now_ms = host.now_ms();
        store::put_login_url(&mut save.tx, &alias, tidied.url.as_str(), now_ms).await?;
    }
    store::forget_findings(&mut save.tx, &save.row.id).await?;
    let old = json!({"login_url": save.row.login_url, "grant": stored.as_ref().map(|s| &s.grant), "client_id": stored.as_ref().map(|s| &s.client_id)});
    let now = json!({"login_url": tidied.url.as_str(), "grant": new.grant_kind, "client_id": new.field("client_id"), "secret": said});
    let profile = save.row.id.clone();
    save.done("done", tidied.note.as_deref(), (old, now))
        .await?;
    if !leaves {
        return Ok(Saved::Stored);
    }
    let row = read(host, profile.as_str()).await?;
    let id = signin::begin(host, actor, &row, &tidied.url, &new).await?;
    Ok(Saved::Leaves { id })
}
