//! Who hears how a run ended: written in the transaction that ends it.
//!
//! A profile that fails night after night is told once, when it begins; so is its recovery.

use super::model::{RunProblem, RunState, RunView};
use super::store;
use crate::app::host::Host;
use crate::kernel::RunId;
use crate::notify::{Cause, Count, Facts, Notice, service as notify};
use crate::store::{StoreError, Tx};

fn facts(run: &RunView, happened: &str, fix: Option<&str>) -> Facts {
    Facts {
        number: run.number.clone(),
        name: run.profile_name.clone(),
        happened: happened.to_owned(),
        fix: fix.map(str::to_owned),
        path: format!("/runs/{}", run.number),
        counts: Vec::new(),
    }
}

fn notice(cause: Cause, key: String, run: &RunView, facts: Facts) -> Notice {
    Notice {
        cause,
        key,
        subject_kind: "run",
        subject_id: run.id.to_string(),
        owner: None,
        facts,
    }
}

fn failure_key(run: &RunId) -> String {
    format!("run_failed:{run}")
}

/// Tells that a run failed or waits for a person, unless the one before it did.
pub(super) async fn stopped(
    host: &Host,
    tx: &mut Tx,
    run: &RunId,
    state: RunState,
    problem: &RunProblem,
) -> Result<(), StoreError> {
    let Some(run) = store::find_run(tx, run.as_str()).await? else {
        return Ok(());
    };
    if store::state_before(tx, &run.profile_id, &run.id).await? == Some(state) {
        return Ok(());
    }
    let facts = facts(&run, &problem.message, Some(&problem.fix));
    let told = match state {
        RunState::Failed => notice(Cause::RunFailed, failure_key(&run.id), &run, facts),
        _ => notice(
            Cause::Attention,
            format!("run_held:{}", run.id),
            &run,
            facts,
        ),
    };
    notify::tell(host, tx, &told).await
}

/// Tells that downloads work again, where the last one before failed or waited, or this very run had failed.
pub(super) async fn completed(host: &Host, tx: &mut Tx, run: &RunView) -> Result<(), StoreError> {
    let before = store::state_before(tx, &run.profile_id, &run.id).await?;
    let had_failed = notify::was_told(tx, &failure_key(&run.id)).await?;
    if !had_failed && !matches!(before, Some(RunState::Failed | RunState::Held)) {
        return Ok(());
    }
    let facts = facts(run, "the download is complete", None);
    let key = format!("run_recovered:{}", run.id);
    notify::tell(host, tx, &notice(Cause::RunRecovered, key, run, facts)).await
}

/// Tells what the first complete run of a profile found; any later one is nothing new.
///
/// # Errors
/// The database's own.
pub async fn first_done(
    host: &Host,
    tx: &mut Tx,
    run: &RunId,
    proposed_rules: usize,
) -> Result<(), StoreError> {
    let Some(run) = store::find_run(tx, run.as_str()).await? else {
        return Ok(());
    };
    if store::has_other_complete(tx, &run.profile_id, &run.id).await? {
        return Ok(());
    }
    let found = |name: &str| run.changes["basis"][name].as_i64().unwrap_or(0);
    let count = |name: &str, value: i64| Count {
        name: name.to_owned(),
        value,
    };
    let told = Facts {
        number: run.profile_number.clone(),
        path: format!("/profiles/{}", run.profile_number),
        counts: vec![
            count("accounts", found("accounts")),
            count("subscriptions", found("subscriptions")),
            count(
                "rules proposed",
                i64::try_from(proposed_rules).unwrap_or(i64::MAX),
            ),
        ],
        ..facts(
            &run,
            &format!("{} is complete", run.number),
            (proposed_rules > 0)
                .then_some("Look at the proposed rules; they name nobody before they are approved"),
        )
    };
    let key = format!("first_run:{}", run.profile_id);
    notify::tell(host, tx, &notice(Cause::FirstRun, key, &run, told)).await
}
