//! The connectors of this installation: manifests, compiled components, and links to connected orgs.
//!
//! Invariants: a component runs only under the digest that its build pinned; one sandbox engine per process; one egress per link.
//! What it must not know: any connector by name, profiles, SQL beyond its own table.

pub mod explain;
pub mod link;
pub mod quota;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use seatwise_runtime::{
    AllowTargets, Component, EgressError, GuardedClient, LoadError, Manifest, ManifestError,
    Runtime, RuntimeError, RuntimeOptions, WayOut,
};

use crate::kernel::{IntoProblem, Problem};

/// One connector that can be used.
#[derive(Clone, Debug)]
struct Installed {
    manifest: Arc<Manifest>,
    bytes: &'static [u8],
    digest: &'static str,
}

/// What the operator chose about connectors.
#[derive(Clone, Debug, Default)]
pub struct ConnectorOptions {
    /// Where compiled components are kept between starts; `None` compiles at each start.
    pub cache_dir: Option<PathBuf>,
    /// Private targets, by exact host and port.
    pub allow: AllowTargets,
    /// More trusted roots, PEM texts.
    pub extra_roots: Vec<Vec<u8>>,
}

/// All connectors of this process.
pub struct Connectors {
    runtime: Runtime,
    installed: BTreeMap<String, Installed>,
    client: Arc<GuardedClient>,
    options: ConnectorOptions,
}

/// Why a connector cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// No such connector here.
    #[error("there is no connector `{0}` in this installation")]
    Unknown(String),
    /// A manifest of this build does not parse.
    #[error("the manifest of connector `{id}` cannot be used")]
    Manifest {
        /// Its folder.
        id: String,
        /// What is wrong.
        #[source]
        source: ManifestError,
    },
    /// The sandbox refused the component.
    #[error("the component of connector `{id}` cannot be loaded")]
    Load {
        /// Its id.
        id: String,
        /// What is wrong.
        #[source]
        source: LoadError,
    },
    /// The component is not the one that was built.
    #[error("the component of connector `{id}` has digest {found}, not the pinned {pinned}")]
    Digest {
        /// Its id.
        id: String,
        /// Of the bytes.
        found: String,
        /// Of the build.
        pinned: String,
    },
    /// The sandbox did not start.
    #[error("the sandbox did not start")]
    Runtime(#[from] RuntimeError),
    /// A trusted root is no certificate.
    #[error("the egress guard cannot be set up")]
    Egress(#[from] EgressError),
}

impl IntoProblem for ConnectorError {
    fn problem(&self) -> Problem {
        match self {
            Self::Unknown(_) => Problem::new(
                "connector.unknown",
                422,
                self.to_string(),
                "Choose one of the connectors that `GET /api/v1/connectors` lists",
            )
            .at("connector"),
            Self::Egress(error) => Problem::new(
                "connector.roots",
                500,
                format!("{self}: {error}"),
                "Correct the certificate file and start again",
            ),
            _ => Problem::internal(),
        }
    }
}

impl Connectors {
    /// Starts the sandbox and reads the manifests of this build. Components are compiled when they are first used.
    ///
    /// # Errors
    /// [`ConnectorError`] when the build or the operator's options are unusable.
    pub fn new(options: ConnectorOptions) -> Result<Self, ConnectorError> {
        let runtime = Runtime::new(RuntimeOptions {
            cache_dir: options.cache_dir.clone(),
        })?;
        let client = Arc::new(GuardedClient::new(
            options.allow.clone(),
            &options.extra_roots,
        )?);
        let mut installed = BTreeMap::new();
        for builtin in seatwise_builtin_connectors::all() {
            let manifest =
                Manifest::parse(builtin.manifest).map_err(|source| ConnectorError::Manifest {
                    id: builtin.id.to_owned(),
                    source,
                })?;
            let entry = Installed {
                manifest: Arc::new(manifest),
                bytes: builtin.component,
                digest: builtin.digest,
            };
            installed.insert(builtin.id.to_owned(), entry);
        }
        Ok(Self {
            runtime,
            installed,
            client,
            options,
        })
    }

    /// Ids of all connectors, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.installed.keys().map(String::as_str)
    }

    /// The manifest of a connector.
    ///
    /// # Errors
    /// [`ConnectorError::Unknown`].
    pub fn manifest(&self, id: &str) -> Result<Arc<Manifest>, ConnectorError> {
        self.entry(id)
            .map(|installed| Arc::clone(&installed.manifest))
    }

    /// The digest that a connector's build pinned.
    ///
    /// # Errors
    /// [`ConnectorError::Unknown`].
    pub fn digest(&self, id: &str) -> Result<&'static str, ConnectorError> {
        self.entry(id).map(|installed| installed.digest)
    }

    /// The compiled component; the first use takes seconds, later ones nothing.
    ///
    /// # Errors
    /// [`ConnectorError`] when it is unknown, not the pinned one, or refused by the sandbox.
    pub async fn component(&self, id: &str) -> Result<Component, ConnectorError> {
        let Installed {
            manifest,
            bytes,
            digest,
        } = self.entry(id)?.clone();
        let runtime = self.runtime.clone();
        let loaded = tokio::task::spawn_blocking(move || runtime.load(bytes, manifest)).await;
        let component = match loaded {
            Ok(result) => result.map_err(|source| ConnectorError::Load {
                id: id.to_owned(),
                source,
            })?,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        };
        if component.digest() == digest {
            Ok(component)
        } else {
            Err(ConnectorError::Digest {
                id: id.to_owned(),
                found: component.digest().to_owned(),
                pinned: digest.to_owned(),
            })
        }
    }

    /// The guarded client of calls that belong to no connection.
    #[must_use]
    pub fn client(&self) -> &GuardedClient {
        &self.client
    }

    /// The guarded client of one connection's token calls, which leave as its downloads do.
    ///
    /// # Errors
    /// [`ConnectorError::Egress`] where a trusted root cannot be used.
    pub fn client_through(&self, way: &WayOut) -> Result<Arc<GuardedClient>, ConnectorError> {
        if *way == WayOut::default() {
            return Ok(Arc::clone(&self.client));
        }
        let way = self.with_own_roots(way.clone());
        let client = GuardedClient::through(self.options.allow.clone(), &way)?;
        Ok(Arc::new(client))
    }

    /// The same way, trusting what the operator trusts too.
    fn with_own_roots(&self, mut way: WayOut) -> WayOut {
        way.extra_roots
            .extend(self.options.extra_roots.iter().cloned());
        way
    }

    /// Private targets the operator named; shown on every page while there are any.
    #[must_use]
    pub fn allow_targets(&self) -> &AllowTargets {
        &self.options.allow
    }

    fn entry(&self, id: &str) -> Result<&Installed, ConnectorError> {
        self.installed
            .get(id)
            .ok_or_else(|| ConnectorError::Unknown(id.chars().take(64).collect()))
    }
}
