//! Takes due work and hands it to its handler.
//!
//! Which kind goes to which handler is decided here and nowhere else. A handler that panics costs its own job only.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;

use super::host::Host;
use super::runs;
use crate::jobs::{self, Claimed, JobError, JobKind, JobOutcome};
use crate::profiles;
use crate::reclamation::{act, planning};
use crate::store::StoreError;

/// Pieces of work that one host does at once.
pub const WORKERS: usize = 4;
/// How often an idle worker looks, and a little chance on top, so that many hosts do not look together.
const LOOK_MS: u64 = 1_000;
/// A running job's lease is renewed this often; a third of the lease, so that two renewals may be lost.
const RENEW: Duration = Duration::from_millis(jobs::LEASE_MS.unsigned_abs() / 3);
/// After a handler failed by our own fault.
const RETRY_MS: i64 = 30_000;

/// Works until `stop` changes, then finishes nothing new. A job cut short is taken up again after its lease.
pub async fn work(host: Host, name: String, mut stop: watch::Receiver<bool>) {
    loop {
        if *stop.borrow() {
            return;
        }
        let did = tokio::select! {
            _ = stop.changed() => return,
            did = once(&host, &name) => did,
        };
        if !matches!(did, Ok(true)) {
            if let Err(error) = did {
                tracing::error!(%error, "due work could not be taken");
            }
            let pause = Duration::from_millis(LOOK_MS + host.chance.below(LOOK_MS / 2));
            tokio::select! {
                _ = stop.changed() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// Does all work that is due at the host's clock, one piece after another; how many there were. For tests and the demo.
///
/// # Errors
/// The database's own.
pub async fn run_due(host: &Host) -> Result<usize, StoreError> {
    let mut done = 0;
    while once(host, "run_due").await? {
        done += 1;
    }
    Ok(done)
}

/// Takes and does one piece of work; false when none is due.
async fn once(host: &Host, name: &str) -> Result<bool, StoreError> {
    let Some(job) = jobs::claim(&host.store, host.now_ms(), name).await? else {
        return Ok(false);
    };
    let handled = std::panic::AssertUnwindSafe(handle(host, &job)).catch_unwind();
    let outcome = tokio::select! {
        outcome = handled => outcome.unwrap_or_else(|_| JobOutcome::RetryAt(host.now_ms() + RETRY_MS, "the handler panicked".to_owned())),
        () = keep_lease(host, &job) => {
            tracing::warn!(job.id = %job.id, "work was taken over by another worker");
            return Ok(true);
        }
    };
    if let JobOutcome::Failed(why) = &outcome {
        tracing::error!(job.id = %job.id, job.kind = job.kind.as_str(), why, "work failed for good");
    }
    let mut tx = host.store.begin().await?;
    match jobs::settle(&mut tx, host.now_ms(), &job, &outcome).await {
        Ok(()) => tx.commit().await?,
        Err(JobError::Lost) => {
            tracing::warn!(job.id = %job.id, "work had been taken over before it ended")
        }
        Err(JobError::Store(error)) => return Err(error),
    }
    Ok(true)
}

/// Renews the lease until it is lost.
async fn keep_lease(host: &Host, job: &Claimed) {
    loop {
        tokio::time::sleep(RENEW).await;
        let held = async {
            let mut tx = host.store.begin().await?;
            jobs::hold(&mut tx, job).await?;
            tx.commit().await?;
            Ok::<(), JobError>(())
        };
        match held.await {
            Ok(()) => {}
            Err(JobError::Lost) => return,
            Err(JobError::Store(error)) => {
                tracing::warn!(%error, "a lease could not be renewed; trying again")
            }
        }
    }
}

async fn handle(host: &Host, job: &Claimed) -> JobOutcome {
    match job.kind {
        JobKind::Sync => runs::sync(host, job).await,
        JobKind::AfterRun => runs::after_run(host, job).await,
        JobKind::Schedule => match profiles::service::scheduled(host, &job.subject).await {
            Ok(Some(next)) => JobOutcome::Again(next),
            Ok(None) => JobOutcome::Done,
            Err(error) => JobOutcome::RetryAt(host.now_ms() + RETRY_MS, error.to_string()),
        },
        JobKind::Reconcile => crate::reconciliation::service::handle(host, job).await,
        JobKind::Plan => planning::handle(host, job).await,
        JobKind::Reclaim => act::handle(host, job).await,
        JobKind::Outbox => runs::outbox(host, job).await,
    }
}
