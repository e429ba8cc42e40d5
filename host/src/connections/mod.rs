//! How a connection leaves this host: its proxy, the roots it trusts, the hosts it may reach beside the manifest's.
//!
//! Invariants: a proxy's password is sealed and never shown again; a new proxy never gets the old one's password; a child takes proxy
//! and roots from its parent unless it has its own, and never the hosts; whoever changes where a secret is sent deletes it in the same
//! transaction (`profiles::way` does). Must not know profiles or credentials.

pub mod model;
pub mod service;
mod store;

pub use model::{ProxyUse, WayView};
pub use service::{ConnectionError, SetProxy, client, way_out};
