//! How a run comes to its end: what the vendor counts, whether the download is believed, the merge.

use serde_json::json;

use super::download::{Drive, len};
use super::guard::{self, Counts};
use super::halt::{Halt, endless};
use super::history::Planned;
use super::model::{RunKind, RunProblem, RunProcess, RunState, Stage};
use super::plan::Trail;
use super::source::Class;
use super::store::merge::Merge;
use super::store::{self, Added, chains, staging};
use super::tell;
use crate::jobs::{JobKind, NewJob};
use crate::kernel::digest::sha256_hex;
use crate::kernel::{OrgId, Problem};
use crate::store::Tx;

const CONSUMPTION: &str = "consumption";

impl Drive {
    pub(super) async fn enter_consumption(&self) -> Result<(), Halt> {
        let mut tx = self.begin_tx().await?;
        chains::insert_chain(&mut tx, &self.run, CONSUMPTION, 0, None).await?;
        if !store::advance(&mut tx, &self.run, RunState::Running, Stage::Consumption).await? {
            return Err(Halt::Gone);
        }
        Ok(tx.commit().await?)
    }

    /// What the vendor counts. Not being allowed to read it is no reason to lose the rest.
    pub(super) async fn read_pools(&self) -> Result<(), Halt> {
        let mut trail = Trail::default();
        loop {
            let mut tx = self.host.store.read_everything().await?;
            let chain = chains::open_chains(&mut tx, &self.run, CONSUMPTION)
                .await?
                .pop();
            drop(tx);
            let Some(chain) = chain else { return Ok(()) };
            let cursor = chain
                .cursor_sealed
                .map(|sealed| self.open(CONSUMPTION, 0, &sealed))
                .transpose()?;
            if !trail.step(&sha256_hex(cursor.as_deref().unwrap_or_default())) {
                return Err(endless("a resume point of the vendor's counts came twice"));
            }
            let fetched = self.tried(|| self.source.pools(cursor.as_deref())).await;
            let (page, retries) = match fetched {
                Ok(fetched) => fetched,
                Err((_, Some(trouble))) if trouble.class == Class::Absent => {
                    let mut tx = self.begin_tx().await?;
                    let note = format!(
                        "What the vendor counts could not be read ({}): {}",
                        trouble.problem.code, trouble.problem.message
                    );
                    store::add_note(&mut tx, &self.run, &note).await?;
                    tx.commit().await?;
                    return Ok(());
                }
                Err((halt, _)) => return Err(halt),
            };
            let mut tx = self.begin_tx().await?;
            staging::put_pools(&mut tx, &self.run, &page.pools).await?;
            let digest = page.next.as_ref().map(sha256_hex);
            let sealed = page
                .next
                .map(|next| self.seal(CONSUMPTION, 0, &next))
                .transpose()?;
            chains::move_chain(
                &mut tx,
                &self.run,
                CONSUMPTION,
                0,
                sealed,
                digest.as_deref(),
            )
            .await?;
            let added = Added {
                pools: len(page.pools.len()),
                retries,
                ..Added::default()
            };
            if !store::add_page(&mut tx, &self.run, added).await? {
                return Err(Halt::Gone);
            }
            tx.commit().await?;
            self.pass_gate(page.usage, false).await?;
        }
    }

    /// Believes or holds, and applies: one transaction, which also makes the run that reads the history planned.
    pub(super) async fn merge(&self, history: Option<Planned>) -> Result<(), Halt> {
        let mut tx = self.begin_tx().await?;
        let run = store::find_run(&mut tx, self.run.as_str())
            .await?
            .ok_or(Halt::Gone)?;
        let organization: OrgId = run.organization_id.clone().ok_or(Halt::Gone)?;
        if run.state != RunState::Running {
            return Err(Halt::Gone);
        }
        let owner = store::lock_owner(&mut tx, &run.profile_id)
            .await?
            .ok_or(Halt::Gone)?;
        if let Some(by) = store::superseded_by(&mut tx, &organization).await? {
            return Err(superseded(&by));
        }
        let now = self.host.now_ms();
        let is_full = run.kind == RunKind::Full;
        staging::prepare(&mut tx).await?;
        let (accounts, subscriptions) = staging::count(&mut tx, &self.run).await?;
        if is_full && run.accepted_by.is_none() {
            let last =
                store::last_complete(&mut tx, &run.profile_id, &owner.settings_digest).await?;
            let taken_back = match last {
                Some((_, since)) => store::count_taken_back(&mut tx, &organization, since).await?,
                None => 0,
            };
            let doubts = guard::doubts(&Counts {
                accounts,
                subscriptions,
                out_of_scope: run.out_of_scope,
                expected: run.expected_accounts,
                before: last.map(|(before, _)| before),
                taken_back,
            });
            if let Some(first) = doubts.first() {
                let problem = RunProblem {
                    code: first.code().to_owned(),
                    message: first.message(),
                    fix: guard::FIX.to_owned(),
                };
                for doubt in &doubts[1..] {
                    store::add_note(&mut tx, &self.run, &doubt.message()).await?;
                }
                store::stop(&mut tx, &self.run, RunState::Held, Some(&problem), None).await?;
                tell::stopped(&self.host, &mut tx, &self.run, RunState::Held, &problem).await?;
                self.record(&mut tx, "run.held", json!({ "code": problem.code, "accounts": accounts, "message": problem.message }))
                    .await?;
                return Ok(tx.commit().await?);
            }
        }
        let at = now.max(store::last_merge_at(&mut tx, &organization).await? + 1);
        let has_pools = chains::is_process_whole(&mut tx, &self.run, CONSUMPTION).await?;
        let mut changes = store::merge::apply(
            &mut tx,
            &Merge {
                run: &self.run,
                organization: &organization,
                at,
                is_full,
                has_pools,
            },
        )
        .await?;
        changes["basis"] = json!({ "accounts": accounts, "subscriptions": subscriptions, "settings": owner.settings_digest });
        if !store::complete(&mut tx, &self.run, at, &changes).await? {
            return Err(Halt::Gone);
        }
        tell::completed(&self.host, &mut tx, &run).await?;
        if is_full {
            for older in store::overtake(
                &mut tx,
                &run.profile_id,
                &self.run,
                RunProcess::Subscriptions,
                now,
            )
            .await?
            {
                staging::clear(&mut tx, &older).await?;
            }
        }
        staging::clear(&mut tx, &self.run).await?;
        self.enqueue_after(&mut tx, &organization, now).await?;
        if let Some(planned) = history {
            self.insert_history(&mut tx, &run, &organization, planned)
                .await?;
        }
        self.record(&mut tx, "run.completed", changes).await?;
        Ok(tx.commit().await?)
    }

    /// What follows a complete run is a job of its own.
    pub(super) async fn enqueue_after(
        &self,
        tx: &mut Tx,
        organization: &OrgId,
        now_ms: i64,
    ) -> Result<(), Halt> {
        self.host
            .enqueue(
                tx,
                &NewJob {
                    kind: JobKind::AfterRun,
                    organization: Some(organization.clone()),
                    key: format!("after_run:{}", self.run),
                    subject: self.run.to_string(),
                    due_at: now_ms,
                    payload: serde_json::Value::Null,
                },
            )
            .await?;
        Ok(())
    }
}

/// What a superseded source brings would be counted twice.
fn superseded(by: &str) -> Halt {
    Halt::Fail(Problem::new(
        "sync.superseded",
        409,
        format!("this source is superseded by {by}, so nothing that it brings counts"),
        "End the profile, or let the source count again on the page Sources",
    ))
}
