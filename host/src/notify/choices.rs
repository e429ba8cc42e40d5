//! Who is told of what: by role, unless a person chose otherwise.

use serde::Serialize;
use serde_json::json;

use super::cause::Cause;
use super::{NotifyError, store};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Permission};
use crate::identity::service as identity;
use crate::kernel::PrincipalId;
use crate::store::{StoreError, Tx};

/// Somebody who is told.
pub(super) struct Listener {
    pub id: PrincipalId,
    pub name: String,
    pub email: String,
}

/// Everybody who is told of a cause now: active, with a mail address, allowed to see it and what it is about. Who answers for what it is about is told
/// unless they chose otherwise.
pub(super) async fn listeners(
    tx: &mut Tx,
    cause: Cause,
    owner: Option<&str>,
    subject: (&str, &str),
) -> Result<Vec<Listener>, StoreError> {
    let units = identity::units_of(tx, subject.0, subject.1).await?;
    let chosen = store::settings::choices_for(tx, cause.as_str()).await?;
    let people = identity::people(tx).await?;
    Ok(people
        .into_iter()
        .filter(|person| person.is_active && cause.concerns(&person.roles))
        .filter(|person| person.sight.covers(&units))
        .filter(|person| {
            chosen.get(person.id.as_str()).copied().unwrap_or_else(|| {
                cause.is_told_to(&person.roles) || owner == Some(person.id.as_str())
            })
        })
        .filter_map(|person| {
            let email = person.email?;
            // An address that no mail can carry is no reason to lose the cause's own transaction.
            email.parse::<lettre::Address>().ok()?;
            Some(Listener {
                id: person.id,
                name: person.name,
                email,
            })
        })
        .collect())
}

/// One cause as a person chooses it.
#[derive(Clone, Debug, Serialize)]
pub struct ChoiceView {
    /// Its word.
    pub cause: &'static str,
    /// When it is told.
    pub says: &'static str,
    /// Whether this person is told.
    pub is_wanted: bool,
    /// Whether their roles are told unless they choose otherwise.
    pub by_default: bool,
}

/// What the actor is told of; causes that cannot concern them are left out.
///
/// # Errors
/// [`NotifyError::Denied`].
pub async fn list_choices(host: &Host, actor: &Actor) -> Result<Vec<ChoiceView>, NotifyError> {
    actor.may(Permission::OwnAccount)?;
    let mut tx = host.store.read_everything().await?;
    let chosen = store::settings::choices_of(&mut tx, &actor.id).await?;
    Ok(Cause::ALL
        .into_iter()
        .filter(|cause| cause.concerns(&actor.roles))
        .map(|cause| {
            let by_default = cause.is_told_to(&actor.roles);
            ChoiceView {
                cause: cause.as_str(),
                says: cause.says(),
                is_wanted: chosen.get(cause.as_str()).copied().unwrap_or(by_default),
                by_default,
            }
        })
        .collect())
}

/// Sets what the actor is told of: exactly these causes.
///
/// # Errors
/// [`NotifyError::NotFound`] for a word that is no cause, or none that can concern them.
pub async fn set_choices(
    host: &Host,
    actor: &Actor,
    wanted: &[String],
) -> Result<Vec<ChoiceView>, NotifyError> {
    actor.may(Permission::OwnAccount)?;
    for word in wanted {
        if !Cause::parse(word).is_some_and(|cause| cause.concerns(&actor.roles)) {
            return Err(NotifyError::NotFound("cause"));
        }
    }
    let mut tx = host.store.begin().await?;
    for cause in Cause::ALL {
        if cause.concerns(&actor.roles) {
            let is_wanted = wanted.iter().any(|word| word == cause.as_str());
            store::settings::put_choice(
                &mut tx,
                &actor.id,
                cause.as_str(),
                is_wanted,
                host.now_ms(),
            )
            .await?;
        }
    }
    let entry = Entry {
        event: "notices.chosen",
        subject_kind: "principal",
        subject_id: actor.id.as_str(),
        detail: json!({ "wanted": wanted }),
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await?;
    list_choices(host, actor).await
}
