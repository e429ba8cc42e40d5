//! How a profile's requests leave: proxy, trusted roots, further hosts. What changes where a secret is sent deletes it, for the alias
//! and for every child that takes the change over.

use serde_json::json;

use super::error::ProfileError;
use super::service::need;
use super::store::ProfileRow;
use crate::app::host::Host;
use crate::audit::Entry;
use crate::connections::service as connections;
use crate::connections::{SetProxy, WayView};
use crate::credentials::{service as credentials, signin};
use crate::identity::roles::{Actor, Permission};
use crate::kernel::AliasId;
use crate::store::Tx;

/// The way out of a profile's connection.
///
/// # Errors
/// [`ProfileError::NotFound`].
pub async fn way(host: &Host, actor: &Actor, key: &str) -> Result<WayView, ProfileError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let row = need(&mut tx, key).await?;
    shown(host, &mut tx, &row).await
}

/// Sets the proxy. Where that sends secrets another way, they are deleted.
///
/// # Errors
/// [`ProfileError::Connection`] naming the field.
pub async fn set_proxy(
    host: &Host,
    actor: &Actor,
    key: &str,
    new: &SetProxy,
) -> Result<WayView, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let mut tx = host.store.begin().await?;
    let row = need(&mut tx, key).await?;
    let before = connections::destinations(&mut tx, &row.alias).await?;
    connections::set_proxy(&mut tx, host, actor, &row.alias, new).await?;
    let deleted = forget_moved(host, &mut tx, actor, &row, before, "the proxy changed").await?;
    let view = shown(host, &mut tx, &row).await?;
    let proxy = view.proxy.as_ref();
    let detail = json!({
        "use": view.proxy_use, "address": proxy.map(|p| &p.address), "user": proxy.map(|p| &p.user), "secrets_deleted": deleted,
    });
    note(host, &mut tx, actor, &row, "connection.proxy", detail).await?;
    tx.commit().await?;
    Ok(view)
}

/// Sets the trusted roots; an empty text takes the own ones away. Secrets are deleted as by [`set_proxy`].
///
/// # Errors
/// [`ProfileError::Connection`] naming the certificate.
pub async fn set_roots(
    host: &Host,
    actor: &Actor,
    key: &str,
    pem: &str,
) -> Result<WayView, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let mut tx = host.store.begin().await?;
    let row = need(&mut tx, key).await?;
    let before = connections::destinations(&mut tx, &row.alias).await?;
    let roots = connections::set_roots(&mut tx, host, actor, &row.alias, pem).await?;
    let why = "the trusted authorities changed";
    let deleted = forget_moved(host, &mut tx, actor, &row, before, why).await?;
    let detail = json!({"sha256": roots, "secrets_deleted": deleted});
    note(host, &mut tx, actor, &row, "connection.roots", detail).await?;
    let view = shown(host, &mut tx, &row).await?;
    tx.commit().await?;
    Ok(view)
}

/// Sets the hosts beside the manifest's: an administrator's decision, as it widens where data may go.
///
/// # Errors
/// [`ProfileError::Connection`] naming the host.
pub async fn set_hosts(
    host: &Host,
    actor: &Actor,
    key: &str,
    hosts: &[String],
) -> Result<WayView, ProfileError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.begin().await?;
    let row = need(&mut tx, key).await?;
    let (from, to) = connections::set_hosts(&mut tx, host, &row.alias, hosts).await?;
    let detail = json!({"from": from, "to": to});
    note(host, &mut tx, actor, &row, "connection.hosts", detail).await?;
    let view = shown(host, &mut tx, &row).await?;
    tx.commit().await?;
    Ok(view)
}

async fn shown(host: &Host, tx: &mut Tx, row: &ProfileRow) -> Result<WayView, ProfileError> {
    let manifest = host.connectors.manifest(&row.connector)?;
    Ok(connections::view(host, tx, &row.alias, &manifest).await?)
}

/// Deletes the secrets of every alias whose way is another now; gives those aliases.
async fn forget_moved(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    row: &ProfileRow,
    before: Vec<(AliasId, String)>,
    why: &str,
) -> Result<Vec<String>, ProfileError> {
    let after = connections::destinations(tx, &row.alias).await?;
    let mut deleted = Vec::new();
    for (alias, way) in after {
        let stays = before.iter().any(|(old, was)| *old == alias && *was == way);
        if stays {
            continue;
        }
        signin::end_all(tx, host, &alias).await?;
        if credentials::find(tx, &alias).await?.is_some() {
            credentials::forget(tx, host, actor, &alias, why).await?;
            deleted.push(alias.to_string());
        }
    }
    Ok(deleted)
}

async fn note(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    row: &ProfileRow,
    event: &'static str,
    detail: serde_json::Value,
) -> Result<(), ProfileError> {
    let entry = Entry {
        event,
        subject_kind: "alias",
        subject_id: row.alias.as_str(),
        detail,
    };
    Ok(host.audit(tx, actor, entry).await?)
}
