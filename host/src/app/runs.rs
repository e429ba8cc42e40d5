//! Jobs of runs: the download itself, and what follows a complete one.
//!
//! Lives here because it joins domains that do not know each other: `sync` knows neither profiles nor reclamation.

use std::sync::Arc;

use super::host::Host;
use crate::catalog::service as catalog;
use crate::catalog::service::CatalogError;
use crate::connectors::ConnectorError;
use crate::jobs::{self, Claimed, JobError, JobOutcome};
use crate::kernel::RunId;
use crate::people::service as people;
use crate::profiles::ProfileSource;
use crate::reconciliation::ReconciliationError;
use crate::reconciliation::service as reconciliation;
use crate::store::StoreError;
use crate::sync::service as runs;
use crate::sync::{SyncError, download};

/// How long a job waits after the database failed.
const AGAIN_MS: i64 = 1_000;

/// The job of kind `Sync`: opens the profile's org and follows the run as far as it goes.
pub async fn sync(host: &Host, job: &Claimed) -> JobOutcome {
    let run: RunId = job.subject.as_str().into();
    let profile = match runs::profile_of(host, &run).await {
        Ok(profile) => profile,
        Err(SyncError::Store(error)) => {
            return JobOutcome::RetryAt(host.now_ms() + AGAIN_MS, error.to_string());
        }
        Err(error) => return JobOutcome::Failed(error.to_string()),
    };
    match ProfileSource::open(host, &profile).await {
        Ok(source) => download::drive(host, job, Arc::new(source)).await,
        Err(trouble) => download::refuse(host, job, trouble).await,
    }
}

/// Why what follows a run was not done.
#[derive(Debug, thiserror::Error)]
enum AfterError {
    #[error(transparent)]
    Job(#[from] JobError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Run(#[from] SyncError),
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Reconciliation(#[from] ReconciliationError),
}

/// The job of kind `AfterRun`: recognise identifiers and make models, match people, reconcile. Each step is a transaction
/// of its own and changes nothing when repeated.
pub async fn after_run(host: &Host, job: &Claimed) -> JobOutcome {
    match follow(host, job).await {
        Ok(()) | Err(AfterError::Job(JobError::Lost)) => JobOutcome::Done,
        Err(error) => {
            let wait = AGAIN_MS << job.attempts.clamp(0, 8);
            tracing::warn!(run.id = %job.subject, error = %error, "what follows run {} was not finished; it is tried again", job.subject);
            JobOutcome::RetryAt(host.now_ms() + wait, error.to_string())
        }
    }
}

async fn follow(host: &Host, job: &Claimed) -> Result<(), AfterError> {
    let run: RunId = job.subject.as_str().into();
    let ended = runs::ended_run(host, &run).await?;
    let manifest = host.connectors.manifest(&ended.connector_id)?;
    let mut tx = host.store.begin().await?;
    jobs::hold(&mut tx, job).await?;
    catalog::recognise(host, &mut tx, &manifest).await?;
    people::match_accounts(host, &mut tx, &ended.organization).await?;
    tx.commit().await?;
    let mut tx = host.store.begin().await?;
    jobs::hold(&mut tx, job).await?;
    reconciliation::reconcile_in(host, &mut tx, "run").await?;
    tx.commit().await?;
    Ok(())
}
