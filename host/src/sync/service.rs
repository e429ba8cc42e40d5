//! What people and other domains do with runs.

use serde_json::json;

use super::model::{RunKind, RunProcess, RunState, RunView, Stage};
use super::store;
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Denied, Permission};
use crate::jobs::{JobKind, NewJob};
use crate::kernel::clock::{HOUR_MS, MINUTE_MS};
use crate::kernel::written::{self, Unfit};
use crate::kernel::{IntoProblem, OrgId, Problem, ProfileId, RunId};
use crate::store::numbers::{self, Series};
use crate::store::{StoreError, Tx};

/// An incremental run looks back a little further than the last one began, for rows that were being written then.
const OVERLAP_MS: i64 = 15 * MINUTE_MS;
/// A schedule reads only what changed while the last full run began less than this ago: a daily one, late or early by some hours, always
/// reads everything, and an hourly one sweeps once a day. What ended is found by full runs only.
const SWEEP_EVERY_MS: i64 = 20 * HOUR_MS;

/// Why a run could not be started, changed or shown.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No such run.
    #[error("there is no run {0}")]
    NoRun(String),
    /// No such profile.
    #[error("there is no integration profile {0}")]
    NoProfile(String),
    /// A draft, paused or archived profile downloads nothing.
    #[error("the integration profile is {0}, not published")]
    NotPublished(String),
    /// The run is in another state.
    #[error("the run is {}, so this cannot be done", .0.as_str())]
    WrongState(RunState),
    /// Accepting needs a reason.
    #[error("the reason {0}")]
    Reason(Unfit),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for SyncError {
    fn problem(&self) -> Problem {
        let text = self.to_string();
        match self {
            Self::Denied(denied) => denied.problem(),
            Self::Store(store) => store.problem(),
            Self::NoRun(_) => Problem::new(
                "sync.no_run",
                404,
                text,
                "List the runs and use one of their numbers",
            ),
            Self::NoProfile(_) => Problem::new(
                "profile.not_found",
                404,
                text,
                "List the profiles and use one of their numbers",
            ),
            Self::NotPublished(_) => Problem::new(
                "sync.not_published",
                409,
                text,
                "Publish or resume the profile first",
            ),
            Self::WrongState(_) => Problem::new(
                "sync.wrong_state",
                409,
                text,
                "Load the run again and look at its state",
            ),
            Self::Reason(_) => Problem::new(
                "sync.no_reason",
                422,
                text,
                "Say why the fall is real; the reason is kept with the run",
            )
            .at("reason"),
        }
    }
}

/// What to run.
#[derive(Clone, Debug)]
pub struct StartRun<'a> {
    /// Of this profile.
    pub profile: &'a ProfileId,
    /// Everything, or what changed.
    pub kind: RunKind,
    /// `publish`, `schedule`, `collect_now`, …
    pub trigger: &'a str,
}

/// Starts a run in the caller's transaction, which has checked the right to. A profile has one run at a time: while one is
/// at work, that one is answered.
///
/// # Errors
/// [`SyncError::NoProfile`], [`SyncError::NotPublished`].
pub async fn start_run(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    start: StartRun<'_>,
) -> Result<RunId, SyncError> {
    let owner = store::lock_owner(tx, start.profile)
        .await?
        .ok_or_else(|| SyncError::NoProfile(start.profile.to_string()))?;
    if owner.state != "published" {
        return Err(SyncError::NotPublished(owner.state));
    }
    if let Some(open) = store::find_open_run(tx, start.profile, RunProcess::Subscriptions).await? {
        wake_waiting(host, tx, start.profile).await?;
        return Ok(open);
    }
    let now_ms = host.now_ms();
    let run = RunId::mint(now_ms, &*host.chance);
    let since = if start.kind == RunKind::Incremental {
        match store::last_complete(tx, start.profile, &owner.settings_digest).await? {
            Some((_, full)) => store::last_began(tx, start.profile, full)
                .await?
                .map(|began| began - OVERLAP_MS),
            None => None,
        }
    } else {
        None
    };
    // Without a complete run to build on, only a full one says anything.
    let kind = if since.is_some() {
        RunKind::Incremental
    } else {
        RunKind::Full
    };
    let key = format!("sync:{run}");
    host.enqueue(
        tx,
        &NewJob {
            kind: JobKind::Sync,
            organization: owner.organization.clone(),
            key: key.clone(),
            subject: run.to_string(),
            due_at: now_ms,
            payload: json!({ "since": since, "profile": start.profile.as_str() }),
        },
    )
    .await?;
    let number = numbers::next(tx, Series::Run).await?;
    let new = store::NewRun {
        id: &run,
        number: &number,
        profile: start.profile,
        organization: owner.organization.as_ref(),
        process: RunProcess::Subscriptions,
        kind,
        since,
        trigger: start.trigger,
        created_by: actor.id.as_str(),
        now_ms,
    };
    store::insert_run(tx, &new, &key).await?;
    let entry = Entry {
        event: "run.started",
        subject_kind: "run",
        subject_id: run.as_str(),
        detail: json!({ "profile": start.profile.as_str(), "trigger": start.trigger, "kind": kind.as_str(), "number": number }),
    };
    host.audit(tx, actor, entry).await?;
    Ok(run)
}

/// What a schedule's next run reads: everything once a day, else what changed since the last run.
///
/// # Errors
/// [`SyncError::NoProfile`].
pub async fn kind_due(host: &Host, tx: &mut Tx, profile: &ProfileId) -> Result<RunKind, SyncError> {
    let owner = store::find_owner(tx, profile)
        .await?
        .ok_or_else(|| SyncError::NoProfile(profile.to_string()))?;
    let last = store::last_complete(tx, profile, &owner.settings_digest).await?;
    let is_fresh = last.is_some_and(|(_, began)| host.now_ms() - began < SWEEP_EVERY_MS);
    Ok(if is_fresh {
        RunKind::Incremental
    } else {
        RunKind::Full
    })
}

/// One run, by id or number; also what a live page asks for again and again.
///
/// # Errors
/// [`SyncError::NoRun`], [`SyncError::Denied`].
pub async fn get_run(host: &Host, actor: &Actor, key: &str) -> Result<RunView, SyncError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    store::find_run(&mut tx, key)
        .await?
        .ok_or_else(|| SyncError::NoRun(key.to_owned()))
}

/// Runs of one profile or of all, newest first, at most `limit` (1 to 200); `before` is the last one of the page before.
///
/// # Errors
/// [`SyncError::Denied`], [`SyncError::NoRun`] when `before` names none.
pub async fn list_runs(
    host: &Host,
    actor: &Actor,
    profile: Option<&ProfileId>,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<RunView>, SyncError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let before = match before {
        None => None,
        Some(key) => {
            let run = store::find_run(&mut tx, key)
                .await?
                .ok_or_else(|| SyncError::NoRun(key.to_owned()))?;
            Some((run.created_at, run.id.to_string()))
        }
    };
    Ok(store::list_runs(&mut tx, profile, before, limit.clamp(1, 200)).await?)
}

/// Accepts a held run: it is merged as it is. The reason stays with the run and in the audit trail.
///
/// # Errors
/// [`SyncError::Reason`], [`SyncError::WrongState`], [`SyncError::NoRun`], [`SyncError::Denied`].
pub async fn accept_run(
    host: &Host,
    actor: &Actor,
    key: &str,
    reason: &str,
) -> Result<RunView, SyncError> {
    actor.may(Permission::AcceptRuns)?;
    let reason = written::reason(reason).map_err(SyncError::Reason)?;
    let by = actor.id.to_string();
    put_back(
        host,
        actor,
        key,
        RunState::Held,
        Some((&by, reason)),
        "run.accepted",
    )
    .await
}

/// Continues a failed run at the page where it stopped.
///
/// # Errors
/// [`SyncError::WrongState`] also when its pages are gone because a newer run has ended; [`SyncError::NoRun`],
/// [`SyncError::Denied`].
pub async fn resume_run(host: &Host, actor: &Actor, key: &str) -> Result<RunView, SyncError> {
    actor.may(Permission::ManageProfiles)?;
    put_back(host, actor, key, RunState::Failed, None, "run.resumed").await
}

async fn put_back(
    host: &Host,
    actor: &Actor,
    key: &str,
    from: RunState,
    accepted: Option<(&str, &str)>,
    event: &str,
) -> Result<RunView, SyncError> {
    let mut tx = host.store.begin().await?;
    let run = store::find_run(&mut tx, key)
        .await?
        .ok_or_else(|| SyncError::NoRun(key.to_owned()))?;
    let owner = store::lock_owner(&mut tx, &run.profile_id)
        .await?
        .ok_or_else(|| SyncError::NoProfile(run.profile_id.to_string()))?;
    if owner.state != "published" {
        return Err(SyncError::NotPublished(owner.state));
    }
    // A run at work, or a newer one that has replaced what was staged, stands in the way.
    let in_the_way = store::find_open_run(&mut tx, &run.profile_id, run.process)
        .await?
        .is_some()
        || (run.stage != Stage::Queued
            && store::chains::is_process_absent(&mut tx, &run.id, run.process.as_str()).await?);
    if in_the_way || !store::reopen(&mut tx, &run.id, from, accepted).await? {
        return Err(SyncError::WrongState(run.state));
    }
    wake_run(host, &mut tx, &run).await?;
    let entry = Entry {
        event,
        subject_kind: "run",
        subject_id: run.id.as_str(),
        detail: json!({ "reason": accepted.map(|(_, why)| why), "problem": run.problem }),
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await?;
    get_run(host, actor, run.id.as_str()).await
}

/// Does a run's work soon.
async fn wake_run(host: &Host, tx: &mut Tx, run: &RunView) -> Result<(), StoreError> {
    let since = store::get_since(tx, &run.id).await?;
    let job = NewJob {
        kind: JobKind::Sync,
        organization: run.organization_id.clone(),
        key: format!("sync:{}", run.id),
        subject: run.id.to_string(),
        due_at: host.now_ms(),
        payload: json!({ "since": since, "profile": run.profile_id.as_str() }),
    };
    host.wake(tx, &job).await
}

/// Lets a run of the profile that waits for a right at the vendor look again now.
///
/// # Errors
/// The database's own.
pub async fn wake_waiting(host: &Host, tx: &mut Tx, profile: &ProfileId) -> Result<(), StoreError> {
    let Some(id) = store::find_open_run(tx, profile, RunProcess::Subscriptions).await? else {
        return Ok(());
    };
    match store::find_run(tx, id.as_str()).await? {
        Some(run) if run.is_waiting() => wake_run(host, tx, &run).await,
        _ => Ok(()),
    }
}

/// Stops a run that is at work, paused or held. What it had read is dropped with the next run; nothing of it is seen.
///
/// # Errors
/// [`SyncError::WrongState`] for one that is over; [`SyncError::NoRun`], [`SyncError::Denied`].
pub async fn cancel_run(host: &Host, actor: &Actor, key: &str) -> Result<RunView, SyncError> {
    actor.may(Permission::ManageProfiles)?;
    let mut tx = host.store.begin().await?;
    let run = store::find_run(&mut tx, key)
        .await?
        .ok_or_else(|| SyncError::NoRun(key.to_owned()))?;
    let now = host.now_ms();
    if !store::stop(&mut tx, &run.id, RunState::Cancelled, None, Some(now)).await? {
        return Err(SyncError::WrongState(run.state));
    }
    crate::jobs::cancel(&mut tx, now, &format!("sync:{}", run.id)).await?;
    let entry = Entry {
        event: "run.cancelled",
        subject_kind: "run",
        subject_id: run.id.as_str(),
        detail: json!({ "was": run.state.as_str() }),
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await?;
    get_run(host, actor, run.id.as_str()).await
}

/// Whose run it is, for the job that drives it.
///
/// # Errors
/// [`SyncError::NoRun`].
pub async fn profile_of(host: &Host, run: &RunId) -> Result<ProfileId, SyncError> {
    let mut tx = host.store.read_everything().await?;
    store::find_run(&mut tx, run.as_str())
        .await?
        .map(|view| view.profile_id)
        .ok_or_else(|| SyncError::NoRun(run.to_string()))
}

/// A complete run, for what follows it.
#[derive(Clone, Debug)]
pub struct EndedRun {
    /// Whose.
    pub profile: ProfileId,
    /// The org it told about.
    pub organization: OrgId,
    /// The connector that read it.
    pub connector_id: String,
    /// Brought by a file, without a connector.
    pub is_imported: bool,
    /// When its reading of accounts began: it knows nothing of what was done at the vendor after that. `None`: it read only activity.
    pub accounts_read_from: Option<i64>,
    /// When it was merged.
    pub ended_at: i64,
    /// A full run also told what ended; only then may anybody be named by absence.
    pub is_full: bool,
}

/// A complete run, for what follows it.
///
/// # Errors
/// [`SyncError::NoRun`]; [`SyncError::WrongState`] for one that is not complete.
pub async fn ended_run(host: &Host, run: &RunId) -> Result<EndedRun, SyncError> {
    let mut tx = host.store.read_everything().await?;
    let view = store::find_run(&mut tx, run.as_str())
        .await?
        .ok_or_else(|| SyncError::NoRun(run.to_string()))?;
    let (Some(organization), Some(ended_at), RunState::Complete) =
        (view.organization_id, view.ended_at, view.state)
    else {
        return Err(SyncError::WrongState(view.state));
    };
    let (connector_id, is_imported) = store::get_connector(&mut tx, &organization).await?;
    Ok(EndedRun {
        profile: view.profile_id,
        organization,
        connector_id,
        is_imported,
        accounts_read_from: (view.process == RunProcess::Subscriptions)
            .then(|| view.started_at.unwrap_or(view.created_at)),
        ended_at,
        is_full: view.kind == RunKind::Full,
    })
}

/// Ends every account and subscription of an organization in the caller's transaction, as a complete download that names nobody would.
/// History stays. Answers the counts by kind.
///
/// # Errors
/// The database's own.
pub async fn end_everything(
    host: &Host,
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<serde_json::Value, StoreError> {
    // No run has this id, so nothing is staged under it.
    let nothing = RunId::mint(host.now_ms(), &*host.chance);
    let at = host
        .now_ms()
        .max(store::last_merge_at(tx, organization).await? + 1);
    let merge = store::merge::Merge {
        run: &nothing,
        organization,
        at,
        is_full: true,
        has_pools: true,
    };
    store::merge::apply(tx, &merge).await
}
