//! Takes due work and hands it to its handler.
//!
//! Which kind goes to which handler is decided here and nowhere else. A handler that panics costs its own job only.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;

use super::host::Host;
use super::runs;
use crate::jobs::{self, Claimed, JobError, JobKind, JobOutcome};
use crate::profiles;
use crate::reclamation::{act, planning};
use crate::store::StoreError;

/// Pieces of work that one host does at once.
const WORKERS: usize = 4;
/// How often an idle worker looks, and a little chance on top, so that many hosts do not look together.
const LOOK_MS: u64 = 1_000;
/// A running job's lease is renewed this often; a third of the lease, so that two renewals may be lost.
const RENEW: Duration = Duration::from_millis(jobs::LEASE_MS.unsigned_abs() / 3);
/// After a handler failed by our own fault.
const RETRY_MS: i64 = 30_000;

/// Work under way at a stop has this long to reach a safe point.
const STOP_WITHIN: Duration = Duration::from_secs(8);

/// Starts the workers of this host.
#[must_use]
pub fn start(host: &Host) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for number in 0..WORKERS {
        tasks.spawn(work(
            host.clone(),
            format!("{}-{number}", std::process::id()),
        ));
    }
    tasks
}

/// Asks for the end and waits for it, but not for ever: what does not reach a safe point in time is cut off, and taken up again after its
/// lease.
pub async fn stop(host: &Host, mut tasks: JoinSet<()>) {
    host.stop.ask();
    // Dropping the set cuts off whoever is left.
    let _ = tokio::time::timeout(STOP_WITHIN, async {
        while tasks.join_next().await.is_some() {}
        host.stop.idle().await;
    })
    .await;
}

/// Works until the host is asked to stop.
async fn work(host: Host, name: String) {
    while !host.stop.is_asked() {
        let did = once(&host, &name).await;
        if !matches!(did, Ok(true)) {
            if let Err(error) = did {
                tracing::error!(%error, "due work could not be taken");
            }
            let pause = Duration::from_millis(LOOK_MS + host.chance.below(LOOK_MS / 2));
            tokio::select! {
                () = host.stop.asked() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// Whether work of this kind may be dropped anywhere: it keeps its place after every step, and repeating a step changes nothing. What
/// sends requests that change something, or mail, ends its step first.
fn may_be_dropped(kind: JobKind) -> bool {
    match kind {
        JobKind::Sync
        | JobKind::AfterRun
        | JobKind::Schedule
        | JobKind::Reconcile
        | JobKind::Checks
        | JobKind::Plan => true,
        JobKind::Reclaim | JobKind::Outbox | JobKind::SignIn => false,
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
        // Given back at once, so that the next process need not wait for the lease.
        () = host.stop.asked(), if may_be_dropped(job.kind) => JobOutcome::Again(host.now_ms()),
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
        JobKind::SignIn => match profiles::signin::look(host, &job.subject).await {
            Ok(Some(next)) => JobOutcome::Again(next),
            Ok(None) => JobOutcome::Done,
            Err(error) => JobOutcome::RetryAt(host.now_ms() + RETRY_MS, error.to_string()),
        },
        JobKind::Checks => match profiles::playbook::checks::take_up(host, &job.subject).await {
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
