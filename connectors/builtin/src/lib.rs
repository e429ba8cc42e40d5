//! The connectors compiled into the binary: component, manifest, digest, and the practice org of each.
//!
//! The one place that knows which connectors exist, so that the host knows none of them.

mod practice;

pub use practice::{
    PracticeError, RunningOrg, Scenario, ScenarioEntitlement, ScenarioExemption, ScenarioOrg,
    scenario, serve,
};

/// One connector of this build.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Folder name and id in its manifest.
    pub id: &'static str,
    /// Text of `connector.toml`.
    pub manifest: &'static str,
    /// The WASM component.
    pub component: &'static [u8],
    /// Hex SHA-256 of the component, taken when it was built.
    pub digest: &'static str,
}

static ALL: &[Builtin] = include!(concat!(env!("OUT_DIR"), "/listing.rs"));

/// All connectors of this build, by id.
#[must_use]
pub fn all() -> &'static [Builtin] {
    ALL
}
