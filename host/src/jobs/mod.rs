//! Due work as rows, written in the transaction of the change it follows.
//!
//! A claim is one statement that takes a due or expired row and raises its fence. Every write of a job's handler calls
//! [`hold`] in the same transaction; when another worker has taken over, it answers [`JobError::Lost`] and the late
//! write never happens. Leases use the database's clock, due times the host's.

mod store;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kernel::chance::Chance;
use crate::kernel::{JobId, OrgId};
use crate::store::{Store, StoreError, Tx};

/// How long a claim holds without a sign of life.
pub const LEASE_MS: i64 = 30_000;

/// The kinds of due work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// One run of a profile; subject = run.
    Sync,
    /// What follows a complete run; subject = run.
    AfterRun,
    /// Plans for new candidates of an organization; subject = organization.
    Plan,
    /// Timers and actions of an organization's candidates; subject = organization.
    Reclaim,
    /// A reconciliation; subject = why.
    Reconcile,
    /// Messages that are due.
    Outbox,
    /// The next run of a profile by its schedule; subject = profile.
    Schedule,
    /// A look whether a person has confirmed a device's code; subject = sign-in.
    SignIn,
    /// Checks of a playbook whose host ended before they did; subject = profile.
    Checks,
}

impl JobKind {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::AfterRun => "after_run",
            Self::Plan => "plan",
            Self::Reclaim => "reclaim",
            Self::Reconcile => "reconcile",
            Self::Outbox => "outbox",
            Self::Schedule => "schedule",
            Self::SignIn => "sign_in",
            Self::Checks => "checks",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [
            Self::Sync,
            Self::AfterRun,
            Self::Plan,
            Self::Reclaim,
            Self::Reconcile,
            Self::Outbox,
            Self::Schedule,
            Self::SignIn,
            Self::Checks,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
    }
}

/// Work to be done at or after a time.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// What to do.
    pub kind: JobKind,
    /// Whose budget and order it belongs to.
    pub organization: Option<OrgId>,
    /// Unique over all jobs, such as `schedule:prof_1`: the daily run cannot exist twice.
    pub key: String,
    /// What it is about.
    pub subject: String,
    /// Host's clock, milliseconds.
    pub due_at: i64,
    /// Whatever the handler needs besides.
    pub payload: Value,
}

impl NewJob {
    /// The one job of a kind that an organization has; whoever changes what it looks at wakes it.
    #[must_use]
    pub fn of_organization(kind: JobKind, organization: &OrgId, due_at: i64) -> Self {
        Self {
            kind,
            organization: Some(organization.clone()),
            key: format!("{}:{organization}", kind.as_str()),
            subject: organization.to_string(),
            due_at,
            payload: Value::Null,
        }
    }
}

/// A job in the hands of this worker.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The job.
    pub id: JobId,
    /// What to do.
    pub kind: JobKind,
    /// What it is about.
    pub subject: String,
    /// Raised by every claim; a write with an older fence is refused.
    pub fence: i64,
    /// How often it was claimed.
    pub attempts: i64,
    /// As enqueued.
    pub payload: Value,
    wakes: i64,
}

/// How a handler ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    /// Finished.
    Done,
    /// Finished for now; due again at this time.
    Again(i64),
    /// Failed; try again at this time.
    RetryAt(i64, String),
    /// Failed for good.
    Failed(String),
}

/// Why a job could not be held or handled.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Another worker has it now; stop.
    #[error("another worker has taken over this work")]
    Lost,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes due work, unless its key exists. Returns whether a row was written.
///
/// # Errors
/// The database's own.
pub async fn enqueue(
    tx: &mut Tx,
    now_ms: i64,
    chance: &dyn Chance,
    job: &NewJob,
) -> Result<bool, StoreError> {
    store::insert(tx, &JobId::mint(now_ms, chance), now_ms, job).await
}

/// Makes sure that this work is done at `job.due_at` or earlier, whatever became of its row: makes it, pulls it forward,
/// revives it, or tells the running handler to go once more.
///
/// # Errors
/// The database's own.
pub async fn wake(
    tx: &mut Tx,
    now_ms: i64,
    chance: &dyn Chance,
    job: &NewJob,
) -> Result<(), StoreError> {
    store::wake(tx, &JobId::mint(now_ms, chance), now_ms, job).await
}

/// Takes the job that has been due longest, if any.
///
/// # Errors
/// The database's own.
pub async fn claim(store: &Store, now_ms: i64, owner: &str) -> Result<Option<Claimed>, StoreError> {
    let mut tx = store.begin().await?;
    let claimed = store::claim(&mut tx, now_ms, owner, LEASE_MS).await?;
    tx.commit().await?;
    Ok(claimed)
}

/// Ends every lease that an ended process held, so that its work goes on at once. Only where no other process works on the database.
///
/// # Errors
/// The database's own.
pub async fn free_all(store: &Store) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    store::free_all(&mut tx).await?;
    tx.commit().await
}

/// Proves inside a writing transaction that this worker still has the job, and renews its lease.
///
/// # Errors
/// [`JobError::Lost`] when it does not: roll back and stop.
pub async fn hold(tx: &mut Tx, job: &Claimed) -> Result<(), JobError> {
    if store::hold(tx, &job.id, job.fence, LEASE_MS).await? {
        Ok(())
    } else {
        Err(JobError::Lost)
    }
}

/// Records how the handler ended. A job that was woken meanwhile is due again at once.
///
/// # Errors
/// [`JobError::Lost`] when another worker has it.
pub async fn settle(
    tx: &mut Tx,
    now_ms: i64,
    job: &Claimed,
    outcome: &JobOutcome,
) -> Result<(), JobError> {
    if store::settle(tx, now_ms, job, outcome).await? {
        Ok(())
    } else {
        Err(JobError::Lost)
    }
}

/// When the next job is due, for idle workers and tests; running ones do not count.
///
/// # Errors
/// The database's own.
pub async fn next_due(store: &Store) -> Result<Option<i64>, StoreError> {
    let mut tx = store.read_everything().await?;
    store::next_due(&mut tx).await
}

/// Cancels a job that has not started, by its key.
///
/// # Errors
/// The database's own.
pub async fn cancel(tx: &mut Tx, now_ms: i64, key: &str) -> Result<(), StoreError> {
    store::cancel(tx, now_ms, key).await
}
