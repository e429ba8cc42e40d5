//! Makes a host from a data folder: keys, database, connectors.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use seatwise_runtime::AllowTargets;
use tokio::io::AsyncWriteExt as _;

use super::host::{Host, HostOptions, Parts};
use super::keys;
use super::stop::Stop;
use crate::connectors::{ConnectorError, ConnectorOptions, Connectors};
use crate::credentials::service as credentials;
use crate::identity::{IdentityError, service as identity};
use crate::jobs;
use crate::kernel::Clock;
use crate::kernel::chance::{Chance, OsChance};
use crate::kernel::faults::Faults;
use crate::kernel::seal::KEY_BYTES;
use crate::notify::NotifyError;
use crate::notify::mail_server::MailServer;
use crate::store::{Store, StoreError};

/// Why a host did not start. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file or folder of the data folder.
    #[error("{path} cannot be used: {source}; choose another --data folder or correct its rights", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// A key file that holds no key.
    #[error("{path} does not hold a key of {KEY_BYTES} bytes in hexadecimal; restore it from your backup", path = .0.display())]
    Key(PathBuf),
    /// No master key where the database needs one.
    #[error("there is no master key at {path}, but the database holds secrets that were sealed with one; restore it from your backup", path = .0.display())]
    KeyMissing(PathBuf),
    /// Another master key than the database needs.
    #[error("the database holds secrets sealed with the master key {id}, which is not among those of {path}; restore it from your backup", path = .path.display())]
    KeyWrong {
        /// The id of the key that is needed.
        id: String,
        /// Where the keys came from.
        path: PathBuf,
    },
    /// No key of the audit trail where its heads were signed with one.
    #[error("there is no key at {path}, but the audit trail was signed with one; restore it from your backup: a new one would leave the trail unproven", path = .0.display())]
    TrailKeyMissing(PathBuf),
    /// Another key than the one that signed the audit trail.
    #[error("the audit trail was signed with the key {id}, which is not the one at {path}; restore it from your backup; hosts that share a database share this key", path = .path.display())]
    TrailKeyWrong {
        /// The id of the key that signed.
        id: String,
        /// Where another was found.
        path: PathBuf,
    },
    /// `--allow-target` is not `host:port`.
    #[error("--allow-target {0}")]
    Target(String),
    /// `--mail-url` and what belongs to it.
    #[error("--mail-url cannot be used: {0}")]
    Mail(#[from] NotifyError),
    /// The database.
    #[error("the database cannot be opened: {0}")]
    Store(#[from] StoreError),
    /// Connectors or sandbox.
    #[error("connectors cannot be used: {0}")]
    Connector(#[from] ConnectorError),
    /// First principals.
    #[error("people cannot be set up: {0}")]
    Identity(#[from] IdentityError),
    /// The address.
    #[error("cannot listen on {address}: {source}; choose another --listen address")]
    Listen {
        /// What was asked for.
        address: std::net::SocketAddr,
        /// The system's word.
        source: std::io::Error,
    },
    /// Part of the demo.
    #[error("{0}")]
    Demo(String),
}

/// What a host is started with.
pub struct Start<'a> {
    /// Keys, embedded database, compiled connectors.
    pub data: &'a Path,
    /// Database address; `None` is a file in `data`.
    pub database: Option<&'a str>,
    /// Where people reach it.
    pub public_url: String,
    /// `host:port` each.
    pub allow: &'a [String],
    /// The mail server, where the operator names it.
    pub mail: Option<MailServer>,
    /// Addresses that its requests come from.
    pub outbound: &'a [String],
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Effect points.
    pub faults: Arc<dyn Faults>,
}

/// Opens everything. Keys are made on the first start, readable by their owner only.
///
/// # Errors
/// [`StartError`].
pub async fn open(start: Start<'_>) -> Result<Host, StartError> {
    let key_folder = start.data.join("keys");
    private_folder(start.data).await?;
    private_folder(&key_folder).await?;
    let chance: Arc<dyn Chance> = Arc::new(OsChance);
    let mut allow = AllowTargets::none();
    for target in start.allow {
        allow.add(target).map_err(StartError::Target)?;
    }
    let default = format!("sqlite:{}", start.data.join("seatwise.db").display());
    let who = format!("process {} at {}", std::process::id(), start.public_url);
    let store = Store::open_alone(
        start.database.unwrap_or(&default),
        Arc::clone(&start.faults),
        &who,
    )
    .await?;
    let environment = |name: &str| std::env::var(name).ok();
    let source = keys::Source::find(start.data, environment);
    let sealer = keys::open(&source, &store, &*chance, environment).await?;
    let signer = keys::of_trail(&key_folder, &store, &*chance).await?;
    let cache_dir = Some(start.data.join("compiled"));
    let connectors = Connectors::new(ConnectorOptions {
        cache_dir,
        allow,
        extra_roots: Vec::new(),
    })?;
    let host = Host::new(Parts {
        store,
        clock: start.clock,
        chance,
        faults: start.faults,
        signer,
        sealer,
        connectors,
        options: HostOptions {
            data_dir: start.data.to_owned(),
            public_url: start.public_url,
            mail: start.mail,
            outbound: start.outbound.to_vec(),
        },
        stop: Stop::default(),
    });
    if host.store.is_alone() {
        // Nobody else works on this database: whoever held work when the last process ended holds it no more.
        jobs::free_all(&host.store).await?;
        credentials::free_all(&host.store).await?;
    }
    identity::ensure_system(&host).await?;
    Ok(host)
}

/// Writes a secret into a file that only its owner can read, replacing what was there.
///
/// # Errors
/// [`StartError::File`].
pub async fn write_private(path: &Path, text: &str) -> Result<(), StartError> {
    let failed = |source| StartError::File {
        path: path.to_owned(),
        source,
    };
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(path).await.map_err(failed)?;
    file.write_all(text.as_bytes()).await.map_err(failed)?;
    file.sync_all().await.map_err(failed)
}

async fn private_folder(path: &Path) -> Result<(), StartError> {
    let failed = |source| StartError::File {
        path: path.to_owned(),
        source,
    };
    tokio::fs::create_dir_all(path).await.map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        tokio::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
            .await
            .map_err(failed)?;
    }
    Ok(())
}
