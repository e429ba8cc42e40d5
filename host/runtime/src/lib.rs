//! Runs connectors: the sandbox, its limits, and the egress guard.
//!
//! What it is for: a connector is a WASM component that nobody here wrote. This crate compiles it once, gives every call
//! a fresh instance with limits, and is the only way its requests (or the host's requests on its behalf) reach a vendor.
//!
//! Invariants:
//! - a guest can name an origin and a path, never a URL; it never sees a secret; it can never write to a vendor;
//! - an instance that trapped, timed out or hit a limit is thrown away;
//! - every address that is dialled was classified first, and nothing else is dialled;
//! - each limit is a named constant in [`limits`], with its unit and its reason.
//!
//! What it must not know: SQL, pages, jobs, people, or any connector by name.

pub mod contract;
pub mod egress;
pub mod limits;
pub mod manifest;

mod call;
mod component;
mod engine;
mod imports;
mod log;
mod returned;
mod sandbox;
mod secret;

pub use call::{Call, CallError, HttpPort, LogLevel, LogSink};
pub use component::Component;
pub use egress::{
    Acted, AllowTargets, Egress, EgressError, EgressObserver, EgressOptions, Grant, GrantPort,
    GuardedClient, Proxy, ProxyError, Refusal, RootsError, TrustedRoot, WayOut, read_roots,
};
pub use engine::{LoadError, Runtime, RuntimeError, RuntimeOptions};
pub use limits::Limits;
pub use manifest::{HostPattern, Manifest, ManifestError};
pub use secret::Secret;
