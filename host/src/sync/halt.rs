//! Why a run does not go on now, and what becomes of it: it waits, is given back, or ends with a reason.

use serde_json::json;

use super::download::Drive;
use super::model::{RunProblem, RunState};
use super::plan::{self, Next};
use super::source::{Class, Trouble};
use super::{store, tell};
use crate::app::host::Host;
use crate::jobs::{self, Claimed, JobError, JobOutcome};
use crate::kernel::{Problem, RunId};
use crate::store::StoreError;

/// Why a run does not go on now.
pub(super) enum Halt {
    /// Another worker has it, or a person stopped it.
    Gone,
    Store(StoreError),
    Pause(Problem),
    /// A check stands in the way: the run has not begun, and looks again.
    Wait(Problem),
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

/// Ends a run that could not even begin, for instance because the connection does not open.
pub async fn refuse(host: &Host, job: &Claimed, trouble: Trouble) -> JobOutcome {
    let run: RunId = job.subject.as_str().into();
    let now = host.now_ms();
    if let Class::Passing(after) = trouble.class {
        let tries = u32::try_from(job.attempts).unwrap_or(u32::MAX);
        match plan::after_failure(tries, plan::MAX_TRIES, after, 0) {
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
        tell::stopped(host, &mut tx, &run, RunState::Failed, &problem).await?;
        tx.commit().await?;
        Ok::<(), JobError>(())
    };
    match ended.await {
        Ok(()) => JobOutcome::Failed(trouble.problem.message),
        Err(JobError::Lost) => JobOutcome::Done,
        Err(JobError::Store(error)) => JobOutcome::RetryAt(now + 1_000, error.to_string()),
    }
}

impl Drive {
    pub(super) async fn halt(&self, halt: Halt) -> Result<JobOutcome, Halt> {
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
            Halt::Wait(problem) => {
                let mut tx = self.begin_tx().await?;
                let why = told(&problem);
                if store::put_off(&mut tx, &self.run, &why).await? {
                    let detail = json!({ "code": problem.code, "message": problem.message });
                    self.record(&mut tx, "run.waiting", detail).await?;
                }
                tx.commit().await?;
                Ok(JobOutcome::Again(now + plan::CHECKS_LOOK_MS))
            }
            Halt::Fail(problem) => {
                let mut tx = self.begin_tx().await?;
                let why = told(&problem);
                let failed = RunState::Failed;
                store::stop(&mut tx, &self.run, failed, Some(&why), Some(now)).await?;
                tell::stopped(&self.host, &mut tx, &self.run, failed, &why).await?;
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

    pub(super) fn try_again(&self, why: &str) -> JobOutcome {
        let exponent = u32::try_from(self.job.attempts.clamp(0, 6)).unwrap_or(6);
        JobOutcome::RetryAt(
            self.host.now_ms() + 500 * (1_i64 << exponent),
            why.to_owned(),
        )
    }
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

pub(super) fn sealed_wrong(why: &str) -> Problem {
    Problem::new(
        "sync.cursor_unreadable",
        500,
        why,
        "Start a new run; the key of this installation may have been replaced",
    )
}
