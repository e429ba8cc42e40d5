//! Jobs of runs: the download itself, and what follows a complete one.
//!
//! Lives here because it joins domains that do not know each other: `sync` knows neither profiles nor reclamation.

use std::sync::Arc;

use super::host::Host;
use crate::aliases::Origin;
use crate::catalog::service as catalog;
use crate::catalog::service::CatalogError;
use crate::connectors::ConnectorError;
use crate::entitlements::service::{self as entitlements, EnteredPrice, EntitlementError};
use crate::imports::service as imports;
use crate::imports::sign_ins::service as sign_ins;
use crate::imports::source::ImportSource;
use crate::jobs::{self, Claimed, JobError, JobOutcome};
use crate::kernel::{OrgId, RunId};
use crate::notify::service::{self as notify, PutOff};
use crate::notify::{Deliverer, Message, Trouble};
use crate::people::service as people;
use crate::profiles::{ProfileSource, acting};
use crate::reclamation::{ReclamationError, follow, planning, rules};
use crate::reconciliation::ReconciliationError;
use crate::reconciliation::service as reconciliation;
use crate::store::{StoreError, Tx};
use crate::sync::service::{self as runs, EndedRun};
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
    match ImportSource::of_run(host, &run).await {
        Ok(Some(file)) => return download::drive(host, job, Arc::new(file)).await,
        Ok(None) => {}
        Err(error) => {
            return JobOutcome::RetryAt(host.now_ms() + AGAIN_MS, error.to_string());
        }
    }
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
    Entitlement(#[from] EntitlementError),
    #[error(transparent)]
    Reclamation(#[from] ReclamationError),
    #[error(transparent)]
    Reconciliation(#[from] ReconciliationError),
}

/// The job of kind `AfterRun`: recognise identifiers and make models, match people, propose rules, confirm what was taken back,
/// reconcile. Each step is a transaction
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
    if ended.is_imported {
        return follow_import(host, job, &run, &ended).await;
    }
    let manifest = host.connectors.manifest(&ended.connector_id)?;
    let mut tx = host.store.begin().await?;
    jobs::hold(&mut tx, job).await?;
    catalog::recognise(host, &mut tx, &manifest).await?;
    price(host, &mut tx, &ended.connector_id, &ended.organization).await?;
    people::match_accounts(host, &mut tx, &ended.organization).await?;
    sign_ins::resolve(&mut tx, &ended.organization).await?;
    tx.commit().await?;
    let mut tx = host.store.begin().await?;
    jobs::hold(&mut tx, job).await?;
    let proposed = rules::propose(host, &mut tx, &manifest).await?;
    crate::sync::first_done(host, &mut tx, &run, proposed).await?;
    follow::follow_run(host, &mut tx, &ended.organization, ended.accounts_read_from).await?;
    planning::wake(host, &mut tx, &ended.organization).await?;
    reconciliation::reconcile_in(host, &mut tx, "run").await?;
    tx.commit().await?;
    Ok(())
}

/// The same for an imported snapshot: its keys are its products, and no rule is proposed where nobody can be asked to take seats back.
async fn follow_import(
    host: &Host,
    job: &Claimed,
    run: &RunId,
    ended: &EndedRun,
) -> Result<(), AfterError> {
    let mut tx = host.store.begin().await?;
    jobs::hold(&mut tx, job).await?;
    if let Some(publisher) = imports::publisher_of(&mut tx, &ended.organization).await? {
        catalog::adopt(host, &mut tx, &ended.connector_id, &publisher).await?;
    }
    people::match_accounts(host, &mut tx, &ended.organization).await?;
    sign_ins::resolve(&mut tx, &ended.organization).await?;
    crate::sync::first_done(host, &mut tx, run, 0).await?;
    reconciliation::reconcile_in(host, &mut tx, "run").await?;
    Ok(tx.commit().await?)
}

/// Prices entered with the connection become estimates, where nobody has said yet what a seat costs.
async fn price(
    host: &Host,
    tx: &mut Tx,
    connector: &str,
    organization: &OrgId,
) -> Result<(), AfterError> {
    let Some(entered) = acting::prices_for(tx, organization).await? else {
        return Ok(());
    };
    for held in &entered.prices {
        let price = &held.price;
        let Some(product) = catalog::product_of(tx, connector, &price.identifier).await? else {
            continue;
        };
        let note = match (&held.origin, &entered.parent) {
            (Origin::Parent, Some(parent)) => format!("Taken over from {parent}"),
            _ => format!("Entered when {} was connected", entered.number),
        };
        let one = EnteredPrice {
            product: &product,
            organization,
            price: &price.price,
            currency: &entered.currency,
            by: &held.by,
            note: &note,
        };
        entitlements::keep_price(host, tx, &one).await?;
    }
    Ok(())
}

/// The job of kind `Outbox`: delivers what is due, and lets the time of silence run from the delivery.
pub async fn outbox(host: &Host, job: &Claimed) -> JobOutcome {
    match empty_outbox(host, job).await {
        Ok(Some(at)) => JobOutcome::Again(at),
        Ok(None) | Err(OutboxError::Job(JobError::Lost)) => JobOutcome::Done,
        Err(error) => JobOutcome::RetryAt(host.now_ms() + AGAIN_MS, error.to_string()),
    }
}

#[derive(Debug, thiserror::Error)]
enum OutboxError {
    #[error(transparent)]
    Job(#[from] JobError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Reclamation(#[from] ReclamationError),
}

async fn empty_outbox(host: &Host, job: &Claimed) -> Result<Option<i64>, OutboxError> {
    let mut deliverer = Deliverer::new(host);
    let ended = deliver_due(host, job, &mut deliverer).await;
    deliverer.close().await;
    ended
}

/// Delivers until nothing is due or nothing gets through; answers when to go on.
async fn deliver_due(
    host: &Host,
    job: &Claimed,
    deliverer: &mut Deliverer,
) -> Result<Option<i64>, OutboxError> {
    loop {
        let due = notify::due(host, &job.subject).await?;
        if due.is_empty() {
            return Ok(notify::next_due(host, &job.subject).await?);
        }
        for message in due {
            if host.stop.is_asked() {
                return Ok(Some(host.now_ms()));
            }
            let mut tx = host.store.begin().await?;
            jobs::hold(&mut tx, job).await?;
            if !follow::is_wanted(&mut tx, &message).await? {
                notify::withdraw(host, &mut tx, &message).await?;
                tx.commit().await?;
                continue;
            }
            let begun = notify::begin(host, &mut tx, &message).await?;
            tx.commit().await?;
            let Some(message) = begun else { continue };
            let delivered = deliverer.deliver(&message).await;
            let mut tx = host.store.begin().await?;
            jobs::hold(&mut tx, job).await?;
            let wait = note(host, &mut tx, &message, delivered).await?;
            tx.commit().await?;
            if let Some(until) = wait {
                return Ok(Some(until));
            }
        }
    }
}

/// Notes what became of a delivery. Answers until when nothing else need be tried on this way.
async fn note(
    host: &Host,
    tx: &mut Tx,
    message: &Message,
    delivered: Result<String, Trouble>,
) -> Result<Option<i64>, OutboxError> {
    let (why, is_all) = match delivered {
        Ok(answer) => {
            if notify::mark_sent(host, tx, message, &answer).await? {
                follow::notice_delivered(host, tx, message).await?;
            }
            return Ok(None);
        }
        Err(Trouble::Refused(why)) => {
            tracing::warn!(message.id = %message.id, "message {} was refused for good", message.id);
            if notify::mark_failed(host, tx, message, &why).await? {
                follow::notice_refused(tx, message, &why).await?;
            }
            return Ok(None);
        }
        Err(Trouble::Over(why)) => {
            notify::mark_over(host, tx, message, &why).await?;
            return Ok(None);
        }
        Err(Trouble::Later(why)) => (why, false),
        Err(Trouble::Lane(why)) => (why, true),
    };
    tracing::warn!(message.id = %message.id, "message {} was not delivered", message.id);
    match notify::put_off(host, tx, message, &why).await? {
        PutOff::Until(at) => Ok(is_all.then_some(at)),
        PutOff::GivenUp => {
            follow::notice_refused(tx, message, &why).await?;
            Ok(None)
        }
    }
}
