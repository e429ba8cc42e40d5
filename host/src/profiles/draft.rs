//! Making a draft: what a person types, judged field by field before a secret is stored for it.

use std::collections::BTreeMap;

use seatwise_runtime::contract::types::Failure;
use seatwise_runtime::manifest::ErrorPlace;
use seatwise_runtime::{Manifest, WayOut};
use serde_json::{Map, Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::error::ProfileError;
use super::model::{self, ProfileFault};
use super::playbook::service::inherit;
use super::service::{ProfileView, get};
use super::store::{self, NewRow};
use crate::aliases::model::{DEFAULT_CRON, DEFAULT_ZONE};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::connectors::explain;
use crate::credentials::{self, NewCredential};
use crate::identity::roles::{Actor, Permission};
use crate::kernel::{AliasId, ProfileId};
use crate::store::numbers::{self, Series};

/// What a person types for a new profile.
pub struct NewProfile {
    /// Connector id.
    pub connector: String,
    /// Display name.
    pub name: String,
    /// Parent alias by name or id; `None` takes the connector's first alias, or makes this one it.
    pub parent: Option<String>,
    /// The vendor's login address.
    pub login_url: String,
    /// Grant of the manifest.
    pub grant: String,
    /// Client id.
    pub client_id: String,
    /// Client secret.
    pub client_secret: Zeroizing<String>,
    /// For the grant `refresh-token`.
    pub refresh_token: Option<Zeroizing<String>>,
    /// Settings of the manifest, as text.
    pub settings: Vec<(String, String)>,
}

/// Makes a draft. The first profile of a connector gets the parent alias, further ones a child each.
///
/// # Errors
/// [`ProfileError`] naming the field.
pub async fn create(
    host: &Host,
    actor: &Actor,
    new: NewProfile,
) -> Result<ProfileView, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let manifest = host.connectors.manifest(&new.connector)?;
    let name = model::name(&new.name)?;
    let login_url = model::login_url(&new.login_url)?;
    let direct = WayOut::default();
    allowed(host, &manifest, &new.grant, &login_url, &direct)?;
    let settings = settings(&manifest, &new.settings)?;
    let now_ms = host.now_ms();
    let (id, alias) = (
        ProfileId::mint(now_ms, &*host.chance),
        AliasId::mint(now_ms, &*host.chance),
    );
    let mut tx = host.store.begin().await?;
    let digest = host.connectors.digest(&new.connector)?;
    store::register_connector(
        &mut tx,
        &new.connector,
        &manifest.connector.name,
        &manifest.connector.version,
        digest,
        now_ms,
    )
    .await?;
    let parent = match &new.parent {
        Some(key) => match store::find_alias(&mut tx, key).await? {
            Some((alias, None, connector)) if connector == new.connector => Some(alias),
            _ => return Err(ProfileError::Parent(key.chars().take(80).collect())),
        },
        None => store::root_alias(&mut tx, &new.connector).await?,
    };
    let number = numbers::next(&mut tx, Series::Profile).await?;
    let row = NewRow {
        id: &id,
        number: &number,
        name: &name,
        connector: &new.connector,
        alias: &alias,
        parent: parent.as_ref(),
        login_url: login_url.as_str(),
        settings: &settings,
        schedule_cron: DEFAULT_CRON,
        schedule_zone: DEFAULT_ZONE,
        by: &actor.id,
        now_ms,
    };
    store::insert(&mut tx, &row).await.map_err(|error| {
        if error.is_unique("name") {
            ProfileError::NameTaken(name.clone())
        } else {
            error.into()
        }
    })?;
    let own = own_settings(&manifest, &new.settings, &settings);
    inherit(host, &mut tx, &alias, |set| set.settings = own).await?;
    let credential = NewCredential {
        grant_kind: new.grant,
        client_id: new.client_id,
        client_secret: new.client_secret,
        refresh_token: new.refresh_token,
        ..NewCredential::default()
    };
    // A key to sign with is given on the page of the connection; until then the draft has no credential.
    let needs_key = manifest
        .grant(&credential.grant_kind)
        .is_some_and(|offer| offer.wants("private_key"));
    if !needs_key {
        credentials::set(&mut tx, host, actor, &manifest, &alias, &credential).await?;
    }
    let detail = json!({"number": number, "name": name, "connector": new.connector, "login_url": login_url.as_str(), "parent": parent.map(|p| p.to_string())});
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "profile.created",
            subject_kind: "profile",
            subject_id: id.as_str(),
            detail,
        },
    )
    .await?;
    tx.commit().await?;
    get(host, actor, id.as_str()).await
}

/// Refuses a login address that the grant's hosts, the operator or the connection's own proxy do not allow, before any secret is
/// stored for it. `way` is how the connection leaves; a draft that is just being made has none of its own yet.
pub(super) fn allowed(
    host: &Host,
    manifest: &Manifest,
    grant: &str,
    login_url: &Url,
    way: &WayOut,
) -> Result<(), ProfileError> {
    let narrower = manifest
        .grant(grant)
        .map(|grant| &grant.login_hosts)
        .filter(|hosts| !hosts.is_empty());
    let client = host.connectors.client_through(way)?;
    let usual = &manifest.credential.login_hosts;
    let patterns = narrower.unwrap_or(usual);
    let Err(refused) = client.permits(patterns, login_url) else {
        return Ok(());
    };
    // A login host of the vendor, but none for this grant: the connector says where it works.
    let problem = if client.permits(usual, login_url).is_ok() {
        let failure = Failure {
            code: "wrong_login_host".to_owned(),
            message: "this grant does not work on this login host".to_owned(),
            ..refused
        };
        explain::token(manifest, &failure)
    } else {
        explain::failure(manifest, ErrorPlace::Network, &refused)
    };
    Err(ProfileError::Vendor(problem.at("login_url")))
}

/// Typed settings as the manifest's schema wants them, over its defaults.
pub(super) fn settings(
    manifest: &Manifest,
    typed: &[(String, String)],
) -> Result<String, ProfileError> {
    let mut values: Map<String, Value> = manifest.settings.defaults();
    for (name, text) in typed {
        if !manifest.settings.properties.contains_key(name) {
            let known: Vec<&str> = manifest
                .settings
                .properties
                .keys()
                .map(String::as_str)
                .collect();
            return Err(ProfileFault::Setting(format!(
                "there is no setting `{name}`; there are {}",
                known.join(", ")
            ))
            .into());
        }
        // A number, true, false or a list is written as JSON; everything else is text.
        let value = serde_json::from_str(text)
            .ok()
            .filter(|value: &Value| !value.is_object())
            .unwrap_or_else(|| Value::String(text.clone()));
        values.insert(name.clone(), value);
    }
    let values = Value::Object(values);
    let schema = manifest.settings.json_schema();
    let check = jsonschema::validator_for(&schema).map_err(|error| {
        ProfileFault::Setting(format!("the connector's settings schema is wrong: {error}"))
    })?;
    if let Some(error) = check.iter_errors(&values).next() {
        return Err(
            ProfileFault::Setting(format!("setting {}: {error}", error.instance_path())).into(),
        );
    }
    Ok(values.to_string())
}

/// What an alias sets itself of the settings that are taken over: only what was typed.
fn own_settings(
    manifest: &Manifest,
    typed: &[(String, String)],
    judged: &str,
) -> BTreeMap<String, Value> {
    let judged: Map<String, Value> = serde_json::from_str(judged).unwrap_or_default();
    typed
        .iter()
        .filter(|(name, _)| {
            manifest
                .settings
                .properties
                .get(name)
                .is_some_and(|property| property.inherited)
        })
        .filter_map(|(name, _)| Some((name.clone(), judged.get(name)?.clone())))
        .filter(|(_, value)| value.as_str() != Some(""))
        .collect()
}
