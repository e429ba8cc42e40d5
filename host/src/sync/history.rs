//! Reading activity deeper than the last login: planned at the end of a download, followed by a run of its own.
//!
//! First numbers come from the last login alone; the history follows, so that ten million logins keep nobody waiting. Pages go straight
//! to their days: a day is always read whole, so what a run counts replaces what an earlier one did, and a run that is stopped and
//! continued counts each page once. Only the end of the run moves anybody's last activity.

use seatwise_runtime::contract::activity::{ActivityDay, Outline};
use serde_json::json;

use super::download::Drive;
use super::halt::Halt;
use super::model::{RunProcess, RunState, RunView, Stage};
use super::store::history::{self, Span};
use super::store::{self, chains, staging};
use super::tell;
use crate::identity::roles::Actor;
use crate::jobs::{JobKind, NewJob};
use crate::kernel::clock::DAY_MS;
use crate::kernel::{Day, OrgId, Problem, RunId};
use crate::store::Tx;
use crate::store::numbers::{self, Series};

/// Days read once more, for events that the vendor was still writing when it was asked.
const OVERLAP_DAYS: i64 = 1;

/// A history that the connector can read now.
pub(super) struct Planned {
    since: i64,
    until: i64,
    outline: Outline,
}

/// A day of an activity row must be one.
pub(super) fn check_days(days: &[ActivityDay]) -> Result<(), Halt> {
    match days.iter().find(|day| day.day.parse::<Day>().is_err()) {
        None => Ok(()),
        Some(wrong) => Err(Halt::Fail(
            Problem::new(
                "sync.no_day",
                502,
                "the connector named a day of activity that is none",
                "Report it to the connector's author with the run's number",
            )
            .with(json!({ "day": wrong.day })),
        )),
    }
}

impl Drive {
    /// Asks the connector what there is to read. Whatever goes wrong here costs the history of today, never the download.
    pub(super) async fn plan_history(&self, run: &RunView) -> Result<Option<Planned>, Halt> {
        let mut tx = self.host.store.read_everything().await?;
        let Some(owner) = store::find_owner(&mut tx, &run.profile_id).await? else {
            return Err(Halt::Gone);
        };
        if store::find_open_run(&mut tx, &run.profile_id, RunProcess::Activity)
            .await?
            .is_some()
        {
            return Ok(None);
        }
        let last = history::last_until(&mut tx, &run.profile_id, &owner.settings_digest).await?;
        drop(tx);
        let since = last.map_or(0, |until| {
            (until.div_euclid(DAY_MS) - OVERLAP_DAYS) * DAY_MS
        });
        let until = self.host.now_ms();
        let problem = match self.tried(|| self.source.begin_activity(since)).await {
            Ok((outline, _)) if outline.chains.is_empty() => return Ok(None),
            Ok((outline, _)) => {
                return Ok(Some(Planned {
                    since,
                    until,
                    outline,
                }));
            }
            Err((_, Some(trouble))) => trouble.problem,
            Err((Halt::Fail(problem), None)) => problem,
            Err((Halt::Later(_, why), None)) => Problem::new("sync.later", 503, why, ""),
            Err((halt, None)) => return Err(halt),
        };
        let mut tx = self.begin_tx().await?;
        let note = format!(
            "When accounts were used could not be read deeper than their last login ({}): {}",
            problem.code, problem.message
        );
        store::add_note(&mut tx, &self.run, &note).await?;
        tx.commit().await?;
        Ok(None)
    }

    /// Makes the run that reads what was planned, in the transaction of the merge.
    pub(super) async fn insert_history(
        &self,
        tx: &mut Tx,
        after: &RunView,
        organization: &OrgId,
        planned: Planned,
    ) -> Result<(), Halt> {
        let now = self.host.now_ms();
        let run = RunId::mint(now, &*self.host.chance);
        let key = format!("sync:{run}");
        self.host
            .enqueue(
                tx,
                &NewJob {
                    kind: JobKind::Sync,
                    organization: Some(organization.clone()),
                    key: key.clone(),
                    subject: run.to_string(),
                    due_at: now,
                    payload: json!({ "profile": after.profile_id.as_str() }),
                },
            )
            .await?;
        let number = numbers::next(tx, Series::Run).await?;
        let system = Actor::system();
        let new = store::NewRun {
            id: &run,
            number: &number,
            profile: &after.profile_id,
            organization: Some(organization),
            process: RunProcess::Activity,
            kind: history::kind_of(planned.since),
            since: Some(planned.since),
            trigger: "the_download_before_it",
            created_by: system.id.as_str(),
            now_ms: now,
        };
        store::insert_run(tx, &new, &key).await?;
        let span = Span {
            from: planned.outline.complete_from,
            until: planned.until,
        };
        history::note_span(tx, &run, span).await?;
        let process = RunProcess::Activity.as_str();
        for (number, cursor) in (0_i64..).zip(&planned.outline.chains) {
            let sealed = self.seal_for(&run, process, number, cursor)?;
            chains::insert_chain(tx, &run, process, number, Some(sealed)).await?;
        }
        self.record(
            tx,
            "run.history_planned",
            json!({ "run": run.as_str(), "number": number, "chains": planned.outline.chains.len() }),
        )
        .await?;
        Ok(())
    }

    /// From wherever it stands to its end.
    pub(super) async fn read_history(
        &self,
        run: &RunView,
        organization: &OrgId,
    ) -> Result<(), Halt> {
        if run.stage == Stage::Queued {
            let digest = self.source.digest().await;
            let now = self.host.now_ms();
            let mut tx = self.begin_tx().await?;
            store::begin_run(&mut tx, &self.run, organization, None, &digest, now).await?;
            if !store::advance(&mut tx, &self.run, RunState::Running, Stage::Activity).await? {
                return Err(Halt::Gone);
            }
            tx.commit().await?;
        } else {
            self.enter(run.stage).await?;
        }
        if run.stage != Stage::Merge {
            self.follow_chains(RunProcess::Activity, organization)
                .await?;
            self.enter(Stage::Merge).await?;
        }
        self.conclude_history(organization).await
    }

    async fn conclude_history(&self, organization: &OrgId) -> Result<(), Halt> {
        let mut tx = self.begin_tx().await?;
        let run = store::find_run(&mut tx, self.run.as_str())
            .await?
            .ok_or(Halt::Gone)?;
        if run.state != RunState::Running {
            return Err(Halt::Gone);
        }
        // Locked as a merge does, so that the two never wait for each other's accounts.
        let owner = store::lock_owner(&mut tx, &run.profile_id)
            .await?
            .ok_or(Halt::Gone)?;
        let now = self.host.now_ms();
        let applied = history::apply(&mut tx, &self.run, organization).await?;
        history::extend(&mut tx, &self.run, organization).await?;
        let changes = json!({
            "activity": {
                "accounts": applied.accounts,
                "moved_forward": applied.moved,
                "out_of_scope": applied.out_of_scope,
            },
            "basis": { "settings": owner.settings_digest },
        });
        if !store::complete(&mut tx, &self.run, now, &changes).await? {
            return Err(Halt::Gone);
        }
        tell::completed(&self.host, &mut tx, &run).await?;
        for older in store::overtake(
            &mut tx,
            &run.profile_id,
            &self.run,
            RunProcess::Activity,
            now,
        )
        .await?
        {
            staging::clear(&mut tx, &older).await?;
        }
        staging::clear(&mut tx, &self.run).await?;
        self.enqueue_after(&mut tx, organization, now).await?;
        self.record(&mut tx, "run.completed", changes).await?;
        Ok(tx.commit().await?)
    }
}
