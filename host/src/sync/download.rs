//! Drives one run from its first call to the merge, and from wherever it was stopped.
//!
//! Invariants: every write proves the job's fence in its own transaction; pages are fetched ahead of the one being stored,
//! but at most [`plan::PAGES_AHEAD`], so that memory does not grow with the org; whatever stops a run, its cursors stand
//! where the last stored page ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use seatwise_runtime::contract::connection::Environment;
use seatwise_runtime::contract::subscriptions::Page;
use seatwise_runtime::contract::types::Usage;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::model::{RunKind, RunProblem, RunState, RunView, Stage};
use super::plan::{self, Next, Trail};
use super::source::{Class, Gate, Source, Trouble};
use super::store::{self, Added, chains, staging};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::Actor;
use crate::jobs::{self, Claimed, JobError, JobOutcome};
use crate::kernel::digest::sha256_hex;
use crate::kernel::seal::Place;
use crate::kernel::{Problem, RunId};
use crate::store::{StoreError, Tx};

const SUBSCRIPTIONS: &str = "subscriptions";
/// How often a waiting run looks whether somebody stopped it.
const LOOK_MS: u64 = 500;
/// Every so many looks the lease is renewed, so that a slow page does not lose it.
const LOOKS_PER_LEASE: u32 = 20;

/// Why a run does not go on now.
pub(super) enum Halt {
    /// Another worker has it, or a person stopped it.
    Gone,
    Store(StoreError),
    Pause(Problem),
    Later(u64, String),
    Fail(Problem),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<JobError> for Halt {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Lost => Self::Gone,
            JobError::Store(error) => Self::Store(error),
        }
    }
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Self {
        match trouble.class {
            Class::Quota => Self::Pause(trouble.problem),
            _ => Self::Fail(trouble.problem),
        }
    }
}

/// Follows one run as far as it goes. Called again with the same run, it continues; a run that is over is left alone.
pub async fn drive(host: &Host, job: &Claimed, source: Arc<dyn Source>) -> JobOutcome {
    let drive = Drive {
        host: host.clone(),
        job: job.clone(),
        run: job.subject.as_str().into(),
        source,
        permits: Arc::new(Semaphore::new(plan::PARALLEL_CHAINS)),
    };
    match drive.work().await {
        Ok(()) | Err(Halt::Gone) => JobOutcome::Done,
        Err(halt) => match drive.halt(halt).await {
            Ok(outcome) => outcome,
            Err(Halt::Gone) => JobOutcome::Done,
            Err(_) => drive.try_again("the database failed while the run was being stopped"),
        },
    }
}

/// Ends a run that could not even begin, for instance because the connection does not open.
pub async fn refuse(host: &Host, job: &Claimed, trouble: Trouble) -> JobOutcome {
    let run: RunId = job.subject.as_str().into();
    let now = host.now_ms();
    if let Class::Passing(after) = trouble.class {
        match plan::after_failure(u32::try_from(job.attempts).unwrap_or(u32::MAX), after, 0) {
            Next::Wait(ms) | Next::Later(ms) => {
                return JobOutcome::RetryAt(
                    now + i64::try_from(ms).unwrap_or(plan::QUOTA_LOOK_MS),
                    trouble.problem.message,
                );
            }
            Next::GiveUp => {}
        }
    }
    let ended = async {
        let mut tx = host.store.begin().await?;
        jobs::hold(&mut tx, job).await?;
        let problem = told(&trouble.problem);
        store::stop(&mut tx, &run, RunState::Failed, Some(&problem), Some(now)).await?;
        tx.commit().await?;
        Ok::<(), JobError>(())
    };
    match ended.await {
        Ok(()) => JobOutcome::Failed(trouble.problem.message),
        Err(JobError::Lost) => JobOutcome::Done,
        Err(JobError::Store(error)) => JobOutcome::RetryAt(now + 1_000, error.to_string()),
    }
}

/// One run in the hands of this worker.
#[derive(Clone)]
pub(super) struct Drive {
    pub(super) host: Host,
    job: Claimed,
    pub(super) run: RunId,
    pub(super) source: Arc<dyn Source>,
    permits: Arc<Semaphore>,
}

/// A page on its way from the vendor to the database.
struct Fetched {
    chain: i64,
    page: Page,
    next: Option<Vec<u8>>,
    retries: i64,
}

impl Drive {
    async fn work(&self) -> Result<(), Halt> {
        let Some(run) = self.view().await? else {
            return Ok(());
        };
        if run.state.is_over() || run.state == RunState::Held {
            return Ok(());
        }
        if run.state == RunState::PausedQuota {
            self.look_at_budget(&run).await?;
        }
        let stage = if run.stage == Stage::Queued {
            self.begin(&run).await?;
            Stage::Subscriptions
        } else {
            self.enter(run.stage).await?;
            run.stage
        };
        if stage == Stage::Subscriptions {
            self.follow_chains().await?;
            self.enter_consumption().await?;
        }
        if matches!(stage, Stage::Subscriptions | Stage::Consumption) {
            self.read_pools().await?;
            self.enter(Stage::Merge).await?;
        }
        self.merge().await
    }

    async fn view(&self) -> Result<Option<RunView>, StoreError> {
        let mut tx = self.host.store.read().await?;
        store::find_run(&mut tx, self.run.as_str()).await
    }

    /// A writing transaction of this run: refused when another worker has taken over.
    pub(super) async fn begin_tx(&self) -> Result<Tx, Halt> {
        let mut tx = self.host.store.begin().await?;
        jobs::hold(&mut tx, &self.job).await?;
        Ok(tx)
    }

    async fn enter(&self, stage: Stage) -> Result<(), Halt> {
        let mut tx = self.begin_tx().await?;
        if !store::advance(&mut tx, &self.run, RunState::Running, stage).await? {
            return Err(Halt::Gone);
        }
        Ok(tx.commit().await?)
    }

    /// The vendor's window is looked at again by the cheapest call that names it.
    async fn look_at_budget(&self, run: &RunView) -> Result<(), Halt> {
        let (outline, _) = self.call(|| self.source.begin(self.since(run))).await?;
        self.pass_gate(outline.usage, true).await?;
        if let Some(organization) = &run.organization_id {
            let mut tx = self.begin_tx().await?;
            store::note_pause(&mut tx, organization, None).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    fn since(&self, run: &RunView) -> Option<i64> {
        (run.kind == RunKind::Incremental)
            .then(|| self.job.payload["since"].as_i64())
            .flatten()
    }

    /// Who is there, and which chains there are.
    async fn begin(&self, run: &RunView) -> Result<(), Halt> {
        let Some(organization) = run.organization_id.clone() else {
            return Err(Halt::Fail(Problem::new(
                "sync.no_organization",
                409,
                "the profile has no organization yet",
                "Publish the profile; that names its organization",
            )));
        };
        let (told, first) = self.call(|| self.source.identify()).await?;
        let (outline, retries) = self.call(|| self.source.begin(self.since(run))).await?;
        let usage = outline.usage;
        let digest = self.source.digest().await;
        let mut tx = self.begin_tx().await?;
        let environment = match told.environment {
            Environment::Production => "production",
            Environment::Sandbox => "sandbox",
            Environment::Trial => "trial",
            Environment::Unknown => "unknown",
        };
        let now = self.host.now_ms();
        if !store::put_organization(&mut tx, &organization, &told, environment, now).await? {
            return Err(Halt::Fail(
                Problem::new(
                    "sync.other_organization",
                    409,
                    "the connection leads to another organization than the profile was published for",
                    "Check the login URL and the credential; connect the other organization with a profile of its own",
                )
                .with(json!({ "vendor_org_id": told.id })),
            ));
        }
        let expected = outline
            .expected_accounts
            .and_then(|n| i64::try_from(n).ok());
        store::begin_run(&mut tx, &self.run, &organization, expected, &digest, now).await?;
        for (number, cursor) in (0_i64..).zip(&outline.chains) {
            let sealed = self.seal(SUBSCRIPTIONS, number, cursor)?;
            chains::insert_chain(&mut tx, &self.run, SUBSCRIPTIONS, number, Some(sealed)).await?;
        }
        if !store::advance(&mut tx, &self.run, RunState::Running, Stage::Subscriptions).await? {
            return Err(Halt::Gone);
        }
        store::add_retries(&mut tx, &self.run, first + retries).await?;
        tx.commit().await?;
        self.pass_gate(usage, false).await
    }

    /// All chains to their ends; pages are stored in the order they arrive.
    async fn follow_chains(&self) -> Result<(), Halt> {
        let mut tx = self.host.store.read().await?;
        let chains = chains::open_chains(&mut tx, &self.run, SUBSCRIPTIONS).await?;
        drop(tx);
        let (sender, mut pages) = mpsc::channel::<Result<Fetched, Halt>>(plan::PAGES_AHEAD);
        // Dropped with this function, the set stops every fetch.
        let mut fetches = JoinSet::new();
        for chain in chains {
            let sealed = chain.cursor_sealed.unwrap_or_default();
            let cursor = self.open(SUBSCRIPTIONS, chain.number, &sealed)?;
            fetches.spawn(
                self.clone()
                    .fetch_chain(chain.number, cursor, sender.clone()),
            );
        }
        drop(sender);
        let mut trails: HashMap<i64, Trail> = HashMap::new();
        let mut looks = tokio::time::interval(Duration::from_millis(LOOK_MS));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut since_lease = 0;
        loop {
            tokio::select! {
                fetched = pages.recv() => {
                    let Some(fetched) = fetched else { break };
                    let fetched = fetched?;
                    let usage = fetched.page.usage;
                    let trail = trails.entry(fetched.chain).or_default();
                    self.keep_page(fetched, trail).await?;
                    since_lease = 0;
                    self.pass_gate(usage, false).await?;
                }
                _ = looks.tick() => {
                    since_lease += 1;
                    self.look(&mut since_lease).await?;
                }
            }
        }
        let mut tx = self.host.store.read().await?;
        if chains::open_chains(&mut tx, &self.run, SUBSCRIPTIONS)
            .await?
            .is_empty()
        {
            Ok(())
        } else {
            Err(Halt::Later(
                1_000,
                "a chain was dropped before its end".to_owned(),
            ))
        }
    }

    /// Somebody may have stopped the run; a slow vendor must not cost the lease.
    async fn look(&self, since_lease: &mut u32) -> Result<(), Halt> {
        let mut tx = self.host.store.read().await?;
        if store::get_state(&mut tx, &self.run).await? != Some(RunState::Running) {
            return Err(Halt::Gone);
        }
        drop(tx);
        if *since_lease >= LOOKS_PER_LEASE {
            *since_lease = 0;
            self.begin_tx().await?.commit().await?;
        }
        Ok(())
    }

    async fn fetch_chain(
        self,
        chain: i64,
        mut cursor: Vec<u8>,
        pages: mpsc::Sender<Result<Fetched, Halt>>,
    ) {
        let mut trail = Trail::default();
        loop {
            if !trail.step(&sha256_hex(&cursor)) {
                let _gone = pages.send(Err(endless("a resume point came twice"))).await;
                return;
            }
            let fetched = {
                let Ok(_permit) = self.permits.acquire().await else {
                    return;
                };
                self.call(|| self.source.page(&cursor)).await
            };
            let (mut page, retries) = match fetched {
                Ok(fetched) => fetched,
                Err(halt) => {
                    let _gone = pages.send(Err(halt)).await;
                    return;
                }
            };
            let next = page.next.take();
            let fetched = Fetched {
                chain,
                page,
                next: next.clone(),
                retries,
            };
            if pages.send(Ok(fetched)).await.is_err() {
                return;
            }
            match next {
                Some(next) => cursor = next,
                None => return,
            }
        }
    }

    /// Rows, cursor and counts of a page commit together.
    async fn keep_page(&self, fetched: Fetched, trail: &mut Trail) -> Result<(), Halt> {
        let Fetched {
            chain,
            page,
            next,
            retries,
        } = fetched;
        let mut tx = self.begin_tx().await?;
        let brings_new = staging::brings_new(&mut tx, &self.run, &page).await?;
        staging::put_page(&mut tx, &self.run, &page).await?;
        let digest = next.as_ref().map(sha256_hex);
        let sealed = next
            .map(|next| self.seal(SUBSCRIPTIONS, chain, &next))
            .transpose()?;
        let pages = chains::move_chain(
            &mut tx,
            &self.run,
            SUBSCRIPTIONS,
            chain,
            sealed,
            digest.as_deref(),
        )
        .await?;
        let added = Added {
            accounts: len(page.accounts.len()),
            assignments: len(page.assignments.len()),
            facts: len(page.facts.len()),
            out_of_scope: i64::try_from(page.out_of_scope).unwrap_or(i64::MAX),
            retries,
            ..Added::default()
        };
        if !store::add_page(&mut tx, &self.run, added).await? {
            return Err(Halt::Gone);
        }
        if pages > plan::MAX_PAGES || !trail.progress(brings_new) {
            return Err(endless(
                "page after page brought only accounts that were there already",
            ));
        }
        Ok(tx.commit().await?)
    }

    pub(super) async fn record(
        &self,
        tx: &mut Tx,
        event: &str,
        detail: serde_json::Value,
    ) -> Result<(), StoreError> {
        let entry = Entry {
            event,
            subject_kind: "run",
            subject_id: self.run.as_str(),
            detail,
        };
        self.host.audit(tx, &Actor::system(), entry).await
    }

    pub(super) async fn pass_gate(
        &self,
        usage: Option<Usage>,
        was_paused: bool,
    ) -> Result<(), Halt> {
        match self.source.gate(usage, was_paused).await? {
            Gate::Go => Ok(()),
            Gate::Pause { used, limit } => Err(Halt::Pause(
                Problem::new(
                    "sync.paused_quota",
                    429,
                    format!("{used} of the vendor's {limit} calls are used; the run waits so that other work can go on"),
                    "Nothing to do: usage is read again every hour and the run continues where it stands",
                )
                .with(json!({ "used": used, "limit": limit })),
            )),
        }
    }

    async fn call<T, F>(&self, call: impl Fn() -> F) -> Result<(T, i64), Halt>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        self.tried(call).await.map_err(|(halt, _)| halt)
    }

    /// One call, repeated while it may pass. Answers how often it had to be repeated.
    pub(super) async fn tried<T, F>(
        &self,
        call: impl Fn() -> F,
    ) -> Result<(T, i64), (Halt, Option<Trouble>)>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        let mut tries = 1;
        loop {
            let trouble = match call().await {
                Ok(value) => return Ok((value, i64::from(tries - 1))),
                Err(trouble) => trouble,
            };
            if trouble.is_too_fast {
                // Half the chains at once; the last one goes on alone.
                let left = self.permits.available_permits();
                self.permits.forget_permits(left / 2);
            }
            let Class::Passing(retry_after) = trouble.class else {
                return Err((trouble.clone().into(), Some(trouble)));
            };
            match plan::after_failure(tries, retry_after, self.host.chance.below(u64::MAX)) {
                Next::Wait(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                Next::Later(ms) => {
                    return Err((Halt::Later(ms, trouble.problem.message), None));
                }
                Next::GiveUp => return Err((Halt::Fail(trouble.problem), None)),
            }
            tries += 1;
        }
    }

    async fn halt(&self, halt: Halt) -> Result<JobOutcome, Halt> {
        let now = self.host.now_ms();
        match halt {
            Halt::Gone => Ok(JobOutcome::Done),
            Halt::Store(error) => {
                tracing::warn!(run.id = %self.run, error = ?error, "run {} could not write; it is tried again", self.run);
                Ok(self.try_again(&error.to_string()))
            }
            Halt::Later(ms, why) => Ok(JobOutcome::RetryAt(
                now + i64::try_from(ms).unwrap_or(plan::QUOTA_LOOK_MS),
                why,
            )),
            Halt::Pause(problem) => {
                let mut tx = self.begin_tx().await?;
                store::stop(
                    &mut tx,
                    &self.run,
                    RunState::PausedQuota,
                    Some(&told(&problem)),
                    None,
                )
                .await?;
                if let Some(organization) = store::find_run(&mut tx, self.run.as_str())
                    .await?
                    .and_then(|run| run.organization_id)
                {
                    store::note_pause(&mut tx, &organization, Some(now)).await?;
                }
                tx.commit().await?;
                Ok(JobOutcome::Again(now + plan::QUOTA_LOOK_MS))
            }
            Halt::Fail(problem) => {
                let mut tx = self.begin_tx().await?;
                store::stop(
                    &mut tx,
                    &self.run,
                    RunState::Failed,
                    Some(&told(&problem)),
                    Some(now),
                )
                .await?;
                self.record(
                    &mut tx,
                    "run.failed",
                    json!({ "code": problem.code, "message": problem.message }),
                )
                .await?;
                tx.commit().await?;
                Ok(JobOutcome::Failed(problem.message))
            }
        }
    }

    fn try_again(&self, why: &str) -> JobOutcome {
        let exponent = u32::try_from(self.job.attempts.clamp(0, 6)).unwrap_or(6);
        JobOutcome::RetryAt(
            self.host.now_ms() + 500 * (1_i64 << exponent),
            why.to_owned(),
        )
    }

    pub(super) fn seal(&self, process: &str, chain: i64, cursor: &[u8]) -> Result<Vec<u8>, Halt> {
        let row = format!("{}/{process}/{chain}", self.run);
        let place = Place {
            table: "run_chains",
            row: &row,
            column: "cursor_sealed",
        };
        self.host
            .sealer
            .seal(place, cursor, &*self.host.chance)
            .map_err(|error| Halt::Fail(sealed_wrong(&error.to_string())))
    }

    pub(super) fn open(&self, process: &str, chain: i64, sealed: &[u8]) -> Result<Vec<u8>, Halt> {
        let row = format!("{}/{process}/{chain}", self.run);
        let place = Place {
            table: "run_chains",
            row: &row,
            column: "cursor_sealed",
        };
        self.host
            .sealer
            .open(place, sealed)
            .map(|plain| plain.to_vec())
            .map_err(|error| Halt::Fail(sealed_wrong(&error.to_string())))
    }
}

pub(super) fn len(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn told(problem: &Problem) -> RunProblem {
    RunProblem {
        code: problem.code.clone(),
        message: problem.message.clone(),
        fix: problem.fix.text.clone(),
    }
}

pub(super) fn endless(why: &str) -> Halt {
    Halt::Fail(Problem::new(
        "sync.endless_chain",
        502,
        format!("the download goes round in circles: {why}"),
        "Run again; if it stays, report it to the connector's author with the run's number",
    ))
}

fn sealed_wrong(why: &str) -> Problem {
    Problem::new(
        "sync.cursor_unreadable",
        500,
        why,
        "Start a new run; the key of this installation may have been replaced",
    )
}
