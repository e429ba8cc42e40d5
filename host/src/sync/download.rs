//! Drives one run from its first call to the merge, and from wherever it was stopped.
//!
//! Invariants: every write proves the job's fence in its own transaction; whatever stops a run, its cursors stand where the last stored
//! page ended. Following the chains, halting and the end stand beside.

use std::sync::Arc;
use std::time::{Duration, Instant};

use seatwise_runtime::contract::connection::Environment;
use seatwise_runtime::contract::types::Usage;
use serde_json::json;
use tokio::sync::Semaphore;

use super::halt::{Halt, sealed_wrong};
use super::model::{RunKind, RunProcess, RunState, RunView, Stage};
use super::plan::{self, Next};
use super::source::{Checked, Class, Gate, Source, Trouble};
use super::store::{self, chains};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::Actor;
use crate::jobs::{self, Claimed, JobOutcome};
use crate::kernel::seal::Place;
use crate::kernel::{OrgId, Problem, RunId};
use crate::store::{StoreError, Tx};

pub use super::halt::refuse;

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

/// One run in the hands of this worker.
#[derive(Clone)]
pub(super) struct Drive {
    pub(super) host: Host,
    pub(super) job: Claimed,
    pub(super) run: RunId,
    pub(super) source: Arc<dyn Source>,
    pub(super) permits: Arc<Semaphore>,
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
        let organization = run.organization_id.clone().ok_or_else(no_organization)?;
        if run.process == RunProcess::Activity {
            return self.read_history(&run, &organization).await;
        }
        let stage = if run.stage == Stage::Queued {
            self.begin(&run, &organization).await?;
            Stage::Subscriptions
        } else {
            self.enter(run.stage).await?;
            run.stage
        };
        if stage == Stage::Subscriptions {
            self.follow_chains(RunProcess::Subscriptions, &organization)
                .await?;
            self.enter_consumption().await?;
        }
        if matches!(stage, Stage::Subscriptions | Stage::Consumption) {
            self.read_pools().await?;
            self.enter(Stage::Merge).await?;
        }
        let history = self.plan_history(&run).await?;
        self.merge(history).await
    }

    async fn view(&self) -> Result<Option<RunView>, StoreError> {
        let mut tx = self.host.store.read_everything().await?;
        store::find_run(&mut tx, self.run.as_str()).await
    }

    /// A writing transaction of this run: refused when another worker has taken over.
    pub(super) async fn begin_tx(&self) -> Result<Tx, Halt> {
        let mut tx = self.host.store.begin().await?;
        jobs::hold(&mut tx, &self.job).await?;
        Ok(tx)
    }

    pub(super) async fn enter(&self, stage: Stage) -> Result<(), Halt> {
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
    async fn begin(&self, run: &RunView, organization: &OrgId) -> Result<(), Halt> {
        let (told, first) = self.call(|| self.source.identify()).await?;
        let first = first + self.pass_checks().await?;
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
        if !store::put_organization(&mut tx, organization, &told, environment, now).await? {
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
        store::begin_run(&mut tx, &self.run, organization, expected, &digest, now).await?;
        for (number, cursor) in (0_i64..).zip(&outline.chains) {
            let process = RunProcess::Subscriptions.as_str();
            let sealed = self.seal(process, number, cursor)?;
            chains::insert_chain(&mut tx, &self.run, process, number, Some(sealed)).await?;
        }
        if !store::advance(&mut tx, &self.run, RunState::Running, Stage::Subscriptions).await? {
            return Err(Halt::Gone);
        }
        store::add_retries(&mut tx, &self.run, first + retries).await?;
        tx.commit().await?;
        self.pass_gate(usage, false).await
    }

    /// The connector's checks, made again as the run would find things. What may pass is tried again like any other call; what stands
    /// in the way leaves the run where it is.
    async fn pass_checks(&self) -> Result<i64, Halt> {
        let (infos, mut retries) = self.call(|| self.source.checks()).await?;
        let mut checked = Vec::with_capacity(infos.len());
        for info in infos {
            let began = Instant::now();
            let (result, again) = self.call(|| self.source.check(&info.id)).await?;
            retries += again;
            checked.push(Checked {
                info,
                result,
                took_ms: i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX),
            });
        }
        if checked.is_empty() {
            return Ok(retries);
        }
        let standing = self.source.judge(checked).await?;
        if let Some(problem) = standing.blocked {
            return Err(Halt::Wait(problem));
        }
        if !standing.notes.is_empty() {
            let mut tx = self.begin_tx().await?;
            for note in &standing.notes {
                store::add_note(&mut tx, &self.run, note).await?;
            }
            tx.commit().await?;
        }
        Ok(retries)
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

    pub(super) async fn call<T, F>(&self, call: impl Fn() -> F) -> Result<(T, i64), Halt>
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
            let chance = self.host.chance.below(u64::MAX);
            match plan::after_failure(tries, self.source.most_tries(), retry_after, chance) {
                Next::Wait(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                Next::Later(ms) => {
                    return Err((Halt::Later(ms, trouble.problem.message), None));
                }
                Next::GiveUp => return Err((Halt::Fail(trouble.problem), None)),
            }
            tries += 1;
        }
    }

    pub(super) fn seal(&self, process: &str, chain: i64, cursor: &[u8]) -> Result<Vec<u8>, Halt> {
        self.seal_for(&self.run, process, chain, cursor)
    }

    /// Of another run than this one, which it makes.
    pub(super) fn seal_for(
        &self,
        run: &RunId,
        process: &str,
        chain: i64,
        cursor: &[u8],
    ) -> Result<Vec<u8>, Halt> {
        let row = format!("{run}/{process}/{chain}");
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

fn no_organization() -> Halt {
    Halt::Fail(Problem::new(
        "sync.no_organization",
        409,
        "the profile has no organization yet",
        "Publish the profile; that names its organization",
    ))
}

pub(super) fn len(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
