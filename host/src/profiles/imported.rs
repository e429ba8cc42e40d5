//! Profiles of sources that have no connector: made at once, without credential, schedule or checks.
//!
//! Such a profile stands for an organization of the kind `import`. It asks no vendor anything, and writes nothing to one.

use serde_json::json;

use super::error::ProfileError;
use super::model::{self, ProfileEvent, WriteMode};
use super::service::need;
use super::store::{self, NewRow};
use crate::aliases::model::{DEFAULT_CRON, DEFAULT_ZONE};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::Actor;
use crate::kernel::digest::sha256_hex;
use crate::kernel::{AliasId, OrgId, ProfileId};
use crate::store::Tx;
use crate::store::numbers::{self, Series};

/// What the stored connector of an imported source begins with; no manifest may have a dot in its id.
const PREFIX: &str = "import.";

/// Whether this is the stored connector of an imported source.
#[must_use]
pub fn is_imported(connector: &str) -> bool {
    connector.starts_with(PREFIX)
}

/// The stored connector of a publisher: imported keys of one publisher are the same keys, whoever brings them.
fn connector_of(publisher: &str) -> String {
    let plain: String = publisher
        .to_lowercase()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(40)
        .collect();
    if plain.is_empty() {
        format!("{PREFIX}{}", &sha256_hex(publisher)[..16])
    } else {
        format!("{PREFIX}{plain}")
    }
}

/// A profile that was made for an imported source.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its id.
    pub profile: ProfileId,
    /// Its number.
    pub number: String,
    /// Its organization.
    pub organization: OrgId,
}

/// Makes profile and organization in the caller's transaction, which has checked the right to.
///
/// # Errors
/// [`ProfileError::NameTaken`]; [`ProfileError::Fault`] for a name that breaks the rule of names.
pub async fn create(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    name: &str,
    publisher: &str,
) -> Result<Made, ProfileError> {
    let name = model::name(name)?;
    let now_ms = host.now_ms();
    let (profile, alias, fresh) = (
        ProfileId::mint(now_ms, &*host.chance),
        AliasId::mint(now_ms, &*host.chance),
        OrgId::mint(now_ms, &*host.chance),
    );
    let connector = connector_of(publisher);
    store::register_connector(tx, &connector, publisher, "import", "import", now_ms).await?;
    let number = numbers::next(tx, Series::Profile).await?;
    let new = NewRow {
        id: &profile,
        number: &number,
        name: &name,
        connector: &connector,
        alias: &alias,
        parent: None,
        login_url: "",
        settings: "{}",
        schedule_cron: DEFAULT_CRON,
        schedule_zone: DEFAULT_ZONE,
        by: &actor.id,
        now_ms,
    };
    store::insert(tx, &new).await.map_err(|error| {
        if error.is_unique("name") {
            ProfileError::NameTaken(name.clone())
        } else {
            error.into()
        }
    })?;
    store::insert_imported(tx, &fresh, &connector, &number, &name, now_ms).await?;
    let mut row = need(tx, profile.as_str()).await?;
    row.state = row.state.after(ProfileEvent::Publish)?;
    row.organization = Some(fresh.clone());
    row.write_mode = WriteMode::Off;
    store::save(tx, &row, &actor.id, now_ms).await?;
    let entry = Entry {
        event: "profile.created",
        subject_kind: "profile",
        subject_id: profile.as_str(),
        detail: json!({"number": number, "name": name, "publisher": publisher, "kind": "import"}),
    };
    host.audit(tx, actor, entry).await?;
    Ok(Made {
        profile,
        number,
        organization: fresh,
    })
}

/// Ends such a profile in the caller's transaction, which has checked the right to.
///
/// # Errors
/// [`ProfileError::NotFound`]; [`ProfileError::Fault`] for one that has ended.
pub async fn end(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    profile: &ProfileId,
) -> Result<(), ProfileError> {
    let mut row = need(tx, profile.as_str()).await?;
    let before = row.state;
    row.state = row.state.after(ProfileEvent::Archive)?;
    store::save(tx, &row, &actor.id, host.now_ms()).await?;
    let entry = Entry {
        event: "profile.state",
        subject_kind: "profile",
        subject_id: profile.as_str(),
        detail: json!({"from": before.as_str(), "to": row.state.as_str()}),
    };
    Ok(host.audit(tx, actor, entry).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_publisher_has_one_stored_connector_however_it_is_written() {
        assert_eq!(connector_of("Zoom Video"), "import.zoomvideo");
        assert_eq!(connector_of("zoom-video"), "import.zoomvideo");
        assert_ne!(connector_of("世界"), connector_of("他社"));
        assert!(is_imported(&connector_of("世界")));
        assert!(!is_imported("zoom"));
    }
}
