//! Everything a use case needs, in one handle that is cheap to clone.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use super::stop::Stop;
use crate::audit::signer::Signer;
use crate::audit::{self, Entry};
use crate::connectors::Connectors;
use crate::identity::roles::Actor;
use crate::jobs::{self, NewJob};
use crate::kernel::Clock;
use crate::kernel::chance::Chance;
use crate::kernel::faults::Faults;
use crate::kernel::seal::Sealer;
use crate::notify::mail_server::MailServer;
use crate::store::{Store, StoreError, Tx};

/// The host's handle. Clone it freely.
#[derive(Clone)]
pub struct Host(Arc<Parts>);

/// What the handle holds.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub chance: Arc<dyn Chance>,
    /// Effect points of tests; the product's never fail.
    pub faults: Arc<dyn Faults>,
    /// Signs the heads of the audit trail.
    pub signer: Signer,
    /// Seals secrets and cursors; its key is outside the database.
    pub sealer: Sealer,
    /// Connectors, sandbox and egress guard.
    pub connectors: Connectors,
    /// What the operator chose.
    pub options: HostOptions,
    /// Asked when this process shall end.
    pub stop: Stop,
}

/// What the operator chose at start.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Keys, embedded database, outbox.
    pub data_dir: PathBuf,
    /// Where people reach this host, for links.
    pub public_url: String,
    /// The mail server; without one here an administrator may set it on a page.
    pub mail: Option<MailServer>,
    /// Addresses that this host's requests come from, as a vendor sees them; for allow-lists.
    pub outbound: Vec<String>,
}

impl Deref for Host {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Host {
    /// A handle over these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Milliseconds UTC.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Appends to the audit trail in the caller's transaction.
    ///
    /// # Errors
    /// The database's own.
    pub async fn audit(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        entry: Entry<'_>,
    ) -> Result<(), StoreError> {
        audit::record(tx, self.now_ms(), &*self.chance, actor, entry).await
    }

    /// Writes due work in the caller's transaction, unless its key exists.
    ///
    /// # Errors
    /// The database's own.
    pub async fn enqueue(&self, tx: &mut Tx, job: &NewJob) -> Result<bool, StoreError> {
        jobs::enqueue(tx, self.now_ms(), &*self.chance, job).await
    }

    /// Makes sure that work is done by its time, whatever became of its row.
    ///
    /// # Errors
    /// The database's own.
    pub async fn wake(&self, tx: &mut Tx, job: &NewJob) -> Result<(), StoreError> {
        jobs::wake(tx, self.now_ms(), &*self.chance, job).await
    }
}
