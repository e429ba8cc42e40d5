//! External vaults: a field of a credential that is fetched where the company keeps its secrets, each time it is needed.
//!
//! Invariants: what a vault gives is never stored, logged or shown, and lives as long as the one token call that needs it; a vault is
//! asked through the egress guard like everything else; its own token is sealed and deleted when its address or authority changes;
//! every failure says which of its kind it is. Must not know profiles or credentials.

mod ccp;
mod kv;
pub mod model;
pub mod service;
mod store;

pub use model::{Fetched, FromVault, VaultFault, VaultKind};
pub use service::{SetVault, VaultError, VaultView};

use http::{Request, StatusCode};
use url::Url;
use zeroize::Zeroizing;

use model::Trouble;

/// A vault as a protocol needs it.
#[derive(Clone, Debug)]
pub(crate) struct Vault {
    /// Where it answers; a path of its own stays in front of the protocol's.
    pub(crate) address: Url,
    /// The application as the vault knows it.
    pub(crate) app_id: String,
    /// Where its engine is mounted.
    pub(crate) mount: String,
    /// The namespace; empty for none.
    pub(crate) namespace: String,
}

/// One kind of vault: how a value is asked for, and what an answer means. Pure.
trait Protocol: Sync {
    /// The request for what a query names.
    ///
    /// # Errors
    /// [`Trouble::Query`] for a query that this kind cannot ask.
    fn request(&self, vault: &Vault, token: &str, query: &str)
    -> Result<Request<Vec<u8>>, Trouble>;

    /// The value in an answer; an empty property takes the usual one.
    ///
    /// # Errors
    /// What the vault said instead.
    fn value(
        &self,
        status: StatusCode,
        body: &[u8],
        property: &str,
    ) -> Result<Zeroizing<String>, Trouble>;
}

fn protocol(kind: VaultKind) -> &'static dyn Protocol {
    match kind {
        VaultKind::CyberarkCcp => &ccp::Ccp,
        VaultKind::KvV2 => &kv::KvV2,
    }
}

/// An address below a vault's own, its segments escaped.
fn below<'a>(vault: &Vault, segments: impl IntoIterator<Item = &'a str>) -> Result<Url, Trouble> {
    let mut url = vault.address.clone();
    url.path_segments_mut()
        .map_err(|()| Trouble::Query("the address of the vault has no path"))?
        .pop_if_empty()
        .extend(segments);
    Ok(url)
}
