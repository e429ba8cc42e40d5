//! One engine for the process: how guests are compiled, and what ticks their clock.
//!
//! Invariants: there is one engine; the epoch is ticked by a thread of its own, because a busy guest can hold the thread
//! that drives the asynchronous timers; a component is compiled once per content, however many ask at the same time;
//! precompiled code never comes from outside, only from our own cache directory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::component::Linker;
use wasmtime::{Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, Strategy};

use crate::component::Component;
use crate::contract::generated::ConnectorPre;
use crate::imports;
use crate::limits;
use crate::manifest::Manifest;
use crate::sandbox::State;

/// What a runtime is made with.
#[derive(Clone, Debug, Default)]
pub struct RuntimeOptions {
    /// Where compiled code is kept between starts; made with access for the owner only. None: nothing is kept.
    pub cache_dir: Option<PathBuf>,
}

/// Why a runtime could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The cache directory can't be made or protected.
    #[error("the cache directory for compiled connectors can't be used")]
    CacheDir(#[source] std::io::Error),
    /// The engine or its thread can't be set up.
    #[error("the WASM engine can't be set up: {0}")]
    Engine(String),
}

/// Why a component was refused. The texts are for its author.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Larger than the host takes.
    #[error(
        "the component has {bytes} bytes, {} are allowed",
        limits::COMPONENT_BYTES
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not a component, or one that uses what this host has switched off.
    #[error("the file is not a component that this host can compile: {0}")]
    Invalid(String),
    /// Imports something that the sandbox does not have.
    #[error("the component imports {interface}, which connectors can't use: {cause}")]
    Import {
        /// Full name.
        interface: String,
        /// What in the source usually brings it in.
        cause: String,
    },
    /// Does not export what a connector must.
    #[error(
        "the component does not export {interface}; every connector exports connection, subscriptions, activity, consumption and reclaim"
    )]
    MissingExport {
        /// Full name.
        interface: String,
    },
    /// Built for a contract that this host does not speak.
    #[error(
        "the connector was built for {built_for}, this host supports {supports}; use a connector built for that version, or another host"
    )]
    Version {
        /// Of the component or its manifest.
        built_for: String,
        /// Of this host.
        supports: String,
    },
    /// Declares more memory or tables than any connector may have.
    #[error("the component needs {what}, more than connectors may have ({allowed})")]
    TooHungry {
        /// What it declares.
        what: String,
        /// What is allowed.
        allowed: String,
    },
    /// Imports fit by name but not by type.
    #[error("the component does not fit the contract: {0}")]
    Mismatch(String),
}

impl LoadError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "component.too_large",
            Self::Invalid(_) => "component.invalid",
            Self::Import { .. } => "component.import",
            Self::MissingExport { .. } => "component.missing_export",
            Self::Version { .. } => "component.version",
            Self::TooHungry { .. } => "component.too_hungry",
            Self::Mismatch(_) => "component.mismatch",
        }
    }
}

/// A component's identity: the SHA-256 of its bytes, in hexadecimal.
pub(crate) type ComponentDigest = String;

/// A compiled component with its imports resolved.
#[derive(Clone)]
pub(crate) struct Compiled {
    pub(crate) digest: Arc<ComponentDigest>,
    pub(crate) pre: ConnectorPre<State>,
}

/// A place in the cache. Its own lock makes those wait who want the same component, and nobody else.
#[derive(Default)]
struct Slot {
    compiled: Mutex<Option<Compiled>>,
}

#[derive(Default)]
struct Slots {
    by_digest: HashMap<ComponentDigest, (Arc<Slot>, u64)>,
    uses: u64,
}

impl Slots {
    /// The slot of a digest; the least recently used one goes when there are too many.
    fn slot(&mut self, digest: &str) -> Arc<Slot> {
        self.uses += 1;
        let now = self.uses;
        if let Some((slot, used)) = self.by_digest.get_mut(digest) {
            *used = now;
            return slot.clone();
        }
        if self.by_digest.len() >= limits::COMPONENTS_CACHED
            && let Some(oldest) = self
                .by_digest
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(digest, _)| digest.clone())
        {
            self.by_digest.remove(&oldest);
        }
        let slot = Arc::new(Slot::default());
        self.by_digest
            .insert(digest.to_owned(), (slot.clone(), now));
        slot
    }
}

struct Inner {
    engine: Engine,
    linker: Linker<State>,
    slots: Mutex<Slots>,
}

/// The engine and its compiled components. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

impl Runtime {
    /// Sets up the engine and starts its ticking thread. Make one per process.
    ///
    /// # Errors
    /// [`RuntimeError::CacheDir`], [`RuntimeError::Engine`].
    pub fn new(options: RuntimeOptions) -> Result<Self, RuntimeError> {
        let wrong = |e: wasmtime::Error| RuntimeError::Engine(format!("{e:#}"));
        let mut config = config();
        if let Some(dir) = &options.cache_dir {
            config.cache(Some(cache(dir)?));
        }
        let engine = Engine::new(&config).map_err(wrong)?;
        let linker = imports::linker(&engine).map_err(wrong)?;
        start_ticking(&engine)?;
        Ok(Self {
            inner: Arc::new(Inner {
                engine,
                linker,
                slots: Mutex::default(),
            }),
        })
    }

    /// Compiles a component, or finds it compiled, and checks it against the contract. Takes about a second the first
    /// time: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`LoadError`], for the component's author.
    pub fn load(&self, bytes: &[u8], manifest: Arc<Manifest>) -> Result<Component, LoadError> {
        imports::check_abi(&manifest.connector.abi)?;
        if bytes.len() > limits::COMPONENT_BYTES {
            return Err(LoadError::TooLarge { bytes: bytes.len() });
        }
        let digest = hex(&Sha256::digest(bytes));
        let slot = self
            .inner
            .slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .slot(&digest);
        let mut compiled = slot.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let compiled = match &*compiled {
            Some(ready) => ready.clone(),
            None => compiled.insert(self.compile(bytes, digest)?).clone(),
        };
        Ok(Component::new(self.clone(), compiled, manifest))
    }

    fn compile(&self, bytes: &[u8], digest: ComponentDigest) -> Result<Compiled, LoadError> {
        let engine = &self.inner.engine;
        let component = wasmtime::component::Component::new(engine, bytes)
            .map_err(|e| LoadError::Invalid(format!("{e:#}")))?;
        imports::check(engine, &component)?;
        let mismatch = |e: wasmtime::Error| LoadError::Mismatch(format!("{e:#}"));
        let pre = self
            .inner
            .linker
            .instantiate_pre(&component)
            .map_err(mismatch)?;
        Ok(Compiled {
            digest: Arc::new(digest),
            pre: ConnectorPre::new(pre).map_err(mismatch)?,
        })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }
}

fn config() -> Config {
    let mut config = Config::new();
    config
        // The other compiler had four escapes that this one had not.
        .strategy(Strategy::Cranelift)
        .epoch_interruption(true)
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .max_wasm_stack(limits::WASM_STACK_BYTES)
        .async_stack_size(limits::FIBER_STACK_BYTES)
        .concurrency_support(false)
        // What no toolchain for connectors needs is off: less to compile wrongly.
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_wide_arithmetic(false)
        .wasm_stack_switching(false)
        .wasm_multi_memory(false);
    config
}

fn cache(dir: &Path) -> Result<Cache, RuntimeError> {
    make_private(dir).map_err(RuntimeError::CacheDir)?;
    let mut config = CacheConfig::new();
    let dir = dir.canonicalize().map_err(RuntimeError::CacheDir)?;
    config.with_directory(dir);
    Cache::new(config).map_err(|e| RuntimeError::Engine(format!("{e:#}")))
}

/// What lies in the cache is run as it is, so nobody else may write there.
#[cfg(unix)]
fn make_private(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_private(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)
}

/// Ticks until the engine is gone.
fn start_ticking(engine: &Engine) -> Result<(), RuntimeError> {
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("wasm-epoch".to_owned())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(Duration::from_millis(limits::TICK_MS));
            }
        })
        .map(|_| ())
        .map_err(|e| RuntimeError::Engine(format!("its ticking thread can't be started: {e}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
