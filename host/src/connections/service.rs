//! Reading and setting a connection's way out, in the caller's transaction, and making a client of it.

use std::sync::Arc;

use seatwise_runtime::{
    GuardedClient, HostPattern, Manifest, Proxy, ProxyError, RootsError, Secret, WayOut, read_roots,
};
use zeroize::Zeroizing;

use super::model::{self, ProxyUse, ProxyView, RootView, WayView};
use super::store::{self, ProxyRow, Row};
use crate::app::host::Host;
use crate::connectors::ConnectorError;
use crate::identity::roles::Actor;
use crate::kernel::seal::{Place, SealError};
use crate::kernel::{AliasId, IntoProblem, Problem};
use crate::store::{StoreError, Tx};

/// What a person types for a proxy.
pub struct SetProxy {
    /// Whose.
    pub proxy_use: ProxyUse,
    /// One of the three forms; only read for an own one.
    pub address: String,
    /// Empty: it wants no login.
    pub user: String,
    /// Empty keeps the stored one, as long as address and user stay.
    pub password: Zeroizing<String>,
}

/// Why a way out is not taken or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The address or user is none.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// A user without a password, or the other way round.
    #[error("the proxy's user name and password belong together, and one of them is missing")]
    Login,
    /// The certificates are none.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// A host is none.
    #[error("{0}")]
    Hosts(String),
    /// The stored password does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The client could not be made.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// The alias has no connection.
    #[error("the alias {0} has no connection")]
    Missing(AliasId),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for ConnectionError {
    fn problem(&self) -> Problem {
        let message = self.to_string();
        match self {
            Self::Proxy(ProxyError::User) => Problem::new(
                "proxy.user",
                422,
                message,
                "Enter the user name that the proxy's administrator gave you, without a colon",
            )
            .at("user"),
            Self::Proxy(ProxyError::LoginInAddress) => Problem::new(
                "proxy.login_in_address",
                422,
                message,
                "Enter the user name and the password in their own fields; the address is shown on pages, the password never",
            )
            .at("address"),
            Self::Proxy(_) => Problem::new(
                "proxy.address",
                422,
                message,
                "Write it as https://NAME:PORT, http://NAME:PORT or ADDRESS:PORT, such as http://proxy.example.com:3128",
            )
            .at("address"),
            Self::Login => Problem::new(
                "proxy.login",
                422,
                message,
                "Fill in both, or leave both empty when the proxy wants no login; after a change of address or user the password is asked again",
            )
            .at("password"),
            Self::Roots(RootsError::PrivateKey) => Problem::new(
                "proxy.private_key",
                422,
                message,
                "Paste only the certificates; nothing of this text was stored, but whoever sent it to you should treat the key as known",
            )
            .at("pem"),
            Self::Roots(_) => Problem::new(
                "proxy.roots",
                422,
                message,
                "Paste the certificate of your proxy's or company's authority, from BEGIN CERTIFICATE to END CERTIFICATE",
            )
            .at("pem"),
            Self::Hosts(_) => Problem::new(
                "proxy.hosts",
                422,
                message,
                "Write one host per line, such as api.example.com or *.eu.example.com, without https:// and port",
            )
            .at("hosts"),
            Self::Missing(_) => Problem::new(
                "proxy.no_connection",
                404,
                message,
                "Load the profile again and look at its alias",
            ),
            Self::Connector(error) => error.problem(),
            Self::Seal(_) => Problem::internal(),
            Self::Store(error) => error.problem(),
        }
    }
}

fn place(alias: &AliasId) -> Place<'_> {
    Place {
        table: "connections",
        row: alias.as_str(),
        column: "proxy_password_sealed",
    }
}

/// A connection with the parent it may inherit from.
struct Family {
    own: Row,
    parent: Option<Row>,
}

impl Family {
    async fn find(tx: &mut Tx, alias: &AliasId) -> Result<Self, ConnectionError> {
        let missing = || ConnectionError::Missing(alias.clone());
        let own = store::find(tx, alias).await?.ok_or_else(missing)?;
        let parent = match &own.parent {
            Some(parent) => store::find(tx, parent).await?,
            None => None,
        };
        Ok(Self { own, parent })
    }

    /// The row whose proxy is in force.
    fn proxy(&self) -> Option<&Row> {
        let own = |row: &&Row| row.proxy_use == ProxyUse::Own;
        match self.own.proxy_use {
            ProxyUse::Own => Some(&self.own),
            ProxyUse::Direct => None,
            ProxyUse::Inherit => self.parent.as_ref().filter(own),
        }
    }

    /// The row whose roots are in force.
    fn roots(&self) -> Option<&Row> {
        let has = |row: &&Row| row.roots_pem.is_some();
        Some(&self.own)
            .filter(has)
            .or_else(|| self.parent.as_ref().filter(has))
    }
}

/// How an alias's requests leave, for the egress guard.
///
/// # Errors
/// [`ConnectionError::Seal`] when the proxy's password does not open, the database's own.
pub async fn way_out(host: &Host, tx: &mut Tx, alias: &AliasId) -> Result<WayOut, ConnectionError> {
    let family = Family::find(tx, alias).await?;
    let proxy = match family.proxy() {
        Some(row) => Some(proxy_of(host, row)?),
        None => None,
    };
    let roots = family.roots().and_then(|row| row.roots_pem.as_ref());
    Ok(WayOut {
        proxy,
        extra_roots: roots
            .map(|pem| pem.as_bytes().to_vec())
            .into_iter()
            .collect(),
        extra_hosts: hosts_of(&family.own),
    })
}

fn proxy_of(host: &Host, row: &Row) -> Result<Proxy, ConnectionError> {
    let proxy = Proxy::parse(row.proxy_url.as_deref().unwrap_or_default())?;
    let (Some(user), Some(sealed)) = (&row.proxy_user, &row.proxy_password) else {
        return Ok(proxy);
    };
    let plain = host.sealer.open(place(&row.alias), sealed)?;
    let password = std::str::from_utf8(&plain).map_err(|_| SealError)?;
    Ok(proxy.with_login(user, Secret::new(password))?)
}

fn hosts_of(row: &Row) -> Vec<HostPattern> {
    serde_json::from_str(&row.extra_hosts).unwrap_or_default()
}

/// The host's own client for an alias: token calls leave as its downloads do.
///
/// # Errors
/// As [`way_out`].
pub async fn client(host: &Host, alias: &AliasId) -> Result<Arc<GuardedClient>, ConnectionError> {
    let mut tx = host.store.read_everything().await?;
    let way = way_out(host, &mut tx, alias).await?;
    drop(tx);
    Ok(host.connectors.client_through(&way)?)
}

/// A way out as it is shown.
///
/// # Errors
/// The database's own.
pub async fn view(
    host: &Host,
    tx: &mut Tx,
    alias: &AliasId,
    manifest: &Manifest,
) -> Result<WayView, ConnectionError> {
    let family = Family::find(tx, alias).await?;
    let now_ms = host.now_ms();
    let mut manifest_hosts: Vec<String> = manifest
        .credential
        .login_hosts
        .iter()
        .chain(manifest.origins.iter().flat_map(|origin| &origin.hosts))
        .map(ToString::to_string)
        .collect();
    manifest_hosts.sort();
    manifest_hosts.dedup();
    let proxy = family.proxy().map(|row| ProxyView {
        address: row.proxy_url.clone().unwrap_or_default(),
        user: row.proxy_user.clone(),
        has_password: row.proxy_password.is_some(),
        password_ends_in: row
            .proxy_password_hint
            .as_ref()
            .filter(|hint| !hint.is_empty())
            .map(|hint| format!("…{hint}")),
        from: row.name.clone(),
        set_by: row.proxy_set_by.clone(),
        set_at: row.proxy_set_at,
    });
    let rooted = family.roots();
    let roots = rooted
        .and_then(|row| row.roots_pem.as_deref())
        .map(|pem| read_roots(pem, None))
        .transpose()?
        .unwrap_or_default();
    Ok(WayView {
        alias: family.own.name.clone(),
        parent: family.parent.as_ref().map(|row| row.name.clone()),
        proxy_use: family.own.proxy_use,
        proxy,
        roots: roots
            .into_iter()
            .map(|root| RootView::at(root, now_ms))
            .collect(),
        roots_from: rooted.map(|row| row.name.clone()),
        roots_set_by: rooted.and_then(|row| row.roots_set_by.clone()),
        roots_set_at: rooted.and_then(|row| row.roots_set_at),
        hosts: hosts_of(&family.own)
            .iter()
            .map(ToString::to_string)
            .collect(),
        manifest_hosts,
    })
}

/// Where the secrets of an alias and of its children are sent, in words that differ when it does: proxy and roots in force.
///
/// # Errors
/// The database's own.
pub async fn destinations(
    tx: &mut Tx,
    alias: &AliasId,
) -> Result<Vec<(AliasId, String)>, ConnectionError> {
    let mut all = vec![alias.clone()];
    all.extend(store::children(tx, alias).await?);
    let mut told = Vec::new();
    for alias in all {
        let family = Family::find(tx, &alias).await?;
        let proxy = family.proxy().and_then(|row| row.proxy_url.as_deref());
        let roots = family.roots().and_then(|row| row.roots_pem.as_deref());
        told.push((alias, format!("{proxy:?} {roots:?}")));
    }
    Ok(told)
}

/// Stores a proxy in the caller's transaction.
///
/// # Errors
/// [`ConnectionError`] naming the field.
pub async fn set_proxy(
    tx: &mut Tx,
    host: &Host,
    actor: &Actor,
    alias: &AliasId,
    new: &SetProxy,
) -> Result<(), ConnectionError> {
    let old = Family::find(tx, alias).await?.own;
    let now_ms = host.now_ms();
    if new.proxy_use != ProxyUse::Own {
        let none = ProxyRow {
            proxy_use: new.proxy_use,
            url: None,
            user: None,
            password: None,
            hint: None,
        };
        return Ok(store::put_proxy(tx, alias, &none, &actor.id, now_ms).await?);
    }
    let proxy = Proxy::parse(&new.address)?;
    let (address, user) = (proxy.to_string(), new.user.trim());
    let stays = old.proxy_use == ProxyUse::Own
        && old.proxy_url.as_deref() == Some(&address)
        && old.proxy_user.as_deref() == Some(user);
    let (password, hint) = if new.password.is_empty() {
        // The stored password belongs to that very proxy and user.
        let kept = old.proxy_password.filter(|_| stays);
        (kept, old.proxy_password_hint.filter(|_| stays))
    } else {
        proxy.with_login(user, Secret::new(new.password.as_str()))?;
        let sealed = host
            .sealer
            .seal(place(alias), new.password.as_bytes(), &*host.chance)?;
        (Some(sealed), Some(model::hint(&new.password)))
    };
    if user.is_empty() == password.is_some() {
        return Err(ConnectionError::Login);
    }
    let row = ProxyRow {
        proxy_use: ProxyUse::Own,
        url: Some(&address),
        user: Some(user).filter(|user| !user.is_empty()),
        password: password.as_deref(),
        hint: hint.as_deref(),
    };
    Ok(store::put_proxy(tx, alias, &row, &actor.id, now_ms).await?)
}

/// Stores trusted roots in the caller's transaction; an empty text takes the alias's own away. Gives their fingerprints.
///
/// # Errors
/// [`ConnectionError::Roots`].
pub async fn set_roots(
    tx: &mut Tx,
    host: &Host,
    actor: &Actor,
    alias: &AliasId,
    pem: &str,
) -> Result<Vec<String>, ConnectionError> {
    let now_ms = host.now_ms();
    let pem = Some(pem.trim()).filter(|pem| !pem.is_empty());
    let roots = match pem {
        Some(pem) => read_roots(pem, Some(now_ms))?,
        None => Vec::new(),
    };
    store::put_roots(tx, alias, pem, &actor.id, now_ms).await?;
    Ok(roots.into_iter().map(|root| root.fingerprint).collect())
}

/// Stores hosts beside the manifest's in the caller's transaction; gives the old and the new ones.
///
/// # Errors
/// [`ConnectionError::Hosts`].
pub async fn set_hosts(
    tx: &mut Tx,
    host: &Host,
    alias: &AliasId,
    typed: &[String],
) -> Result<(Vec<HostPattern>, Vec<HostPattern>), ConnectionError> {
    let new = model::hosts(typed.iter().map(String::as_str)).map_err(ConnectionError::Hosts)?;
    let old = hosts_of(&Family::find(tx, alias).await?.own);
    let text = serde_json::json!(new).to_string();
    store::put_hosts(tx, alias, &text, host.now_ms()).await?;
    Ok((old, new))
}
