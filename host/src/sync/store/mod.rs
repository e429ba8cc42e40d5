//! SQL of runs: the row, its chains, what it is compared with.

pub(super) mod chains;
pub(super) mod history;
pub(super) mod merge;
mod reading;
pub(super) mod staging;

use sqlx::Row as _;

use super::model::{RunKind, RunProblem, RunProcess, RunState, Stage};
use crate::kernel::{OrgId, ProfileId, RunId};
use crate::store::{StoreError, Tx};

pub(super) use reading::{
    count_taken_back, find_open_run, find_run, get_connector, get_since, get_state,
    has_other_complete, last_began, last_complete, last_merge_at, list_runs, state_before,
    superseded_by,
};

/// What a run needs to know of its profile.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub organization: Option<OrgId>,
    pub state: String,
    /// Digest of settings and scope: a run after an edit has nothing to compare with.
    pub settings_digest: String,
}

/// The profile of a run, locked against another start on the same profile.
pub(super) async fn lock_owner(
    tx: &mut Tx,
    profile: &ProfileId,
) -> Result<Option<Owner>, StoreError> {
    let sql = tx.dialect().pick(
        "select organization_id, state, settings, scope from profiles where id = $1",
        "select organization_id, state, settings, scope from profiles where id = $1 for update",
    );
    owner(tx, sql, profile).await
}

/// The profile of a run.
pub(super) async fn find_owner(
    tx: &mut Tx,
    profile: &ProfileId,
) -> Result<Option<Owner>, StoreError> {
    let sql = "select organization_id, state, settings, scope from profiles where id = $1";
    owner(tx, sql, profile).await
}

async fn owner(
    tx: &mut Tx,
    sql: &'static str,
    profile: &ProfileId,
) -> Result<Option<Owner>, StoreError> {
    let row = sqlx::query(sql)
        .bind(profile.as_str())
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| -> Result<Owner, StoreError> {
        let settings: String = row.try_get("settings")?;
        let scope: String = row.try_get("scope")?;
        Ok(Owner {
            organization: row
                .try_get::<Option<String>, _>("organization_id")?
                .map(Into::into),
            state: row.try_get("state")?,
            settings_digest: crate::kernel::digest::sha256_hex(
                serde_json::json!([settings, scope]).to_string(),
            ),
        })
    })
    .transpose()
}

pub(super) struct NewRun<'a> {
    pub id: &'a RunId,
    pub number: &'a str,
    pub profile: &'a ProfileId,
    pub organization: Option<&'a OrgId>,
    pub process: RunProcess,
    pub kind: RunKind,
    pub since: Option<i64>,
    pub trigger: &'a str,
    pub created_by: &'a str,
    pub now_ms: i64,
}

/// The run's row; its job must exist already.
pub(super) async fn insert_run(
    tx: &mut Tx,
    run: &NewRun<'_>,
    job_key: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into runs (id, number, profile_id, organization_id, job_id, kind, since, trigger, state, created_by, created_at, process) \
         select $1, $2, $3, $4, id, $5, $6, $7, 'queued', $8, $9, $11 from jobs where unique_key = $10",
    )
    .bind(run.id.as_str())
    .bind(run.number)
    .bind(run.profile.as_str())
    .bind(run.organization.map(|o| o.as_str().to_owned()))
    .bind(run.kind.as_str())
    .bind(run.since)
    .bind(run.trigger)
    .bind(run.created_by)
    .bind(run.now_ms)
    .bind(job_key)
    .bind(run.process.as_str())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Moves a run that is still at work into another state and stage. False: somebody stopped it.
pub(super) async fn advance(
    tx: &mut Tx,
    run: &RunId,
    state: RunState,
    stage: Stage,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update runs set state = $2, stage = $3 where id = $1 and state in ('queued', 'running', 'paused_quota')",
    )
    .bind(run.as_str())
    .bind(state.as_str())
    .bind(stage.as_str())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What `identify` and `begin` told, once per run.
pub(super) async fn begin_run(
    tx: &mut Tx,
    run: &RunId,
    organization: &OrgId,
    expected: Option<i64>,
    digest: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "update runs set organization_id = $2, expected_accounts = $3, connector_digest = $4, \
           started_at = coalesce(started_at, $5), error_code = null, error_message = null, error_fix = null where id = $1",
    )
    .bind(run.as_str())
    .bind(organization.as_str())
    .bind(expected)
    .bind(digest)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Name and other facts of the org as the vendor tells them; `None` when the vendor names another org than before.
pub(super) async fn put_organization(
    tx: &mut Tx,
    organization: &OrgId,
    told: &seatwise_runtime::contract::connection::Organization,
    environment: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update organizations set name = $3, environment = $4, edition = $5, time_zone = $6, accounts_expected = $7, \
           memo = $8, updated_at = $9 where id = $1 and vendor_org_id = $2",
    )
    .bind(organization.as_str())
    .bind(&told.id)
    .bind(&told.name)
    .bind(environment)
    .bind(told.edition.clone())
    .bind(told.time_zone.clone())
    .bind(told.accounts.and_then(|n| i64::try_from(n).ok()))
    .bind(told.memo.clone())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What a page added.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Added {
    pub accounts: i64,
    pub assignments: i64,
    pub facts: i64,
    pub pools: i64,
    pub activity: i64,
    pub out_of_scope: i64,
    pub retries: i64,
}

/// Adds a page to the run's counts. False: somebody stopped the run, so the page must not be kept.
pub(super) async fn add_page(tx: &mut Tx, run: &RunId, added: Added) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update runs set pages = pages + 1, accounts = accounts + $2, assignments = assignments + $3, facts = facts + $4, \
           pools = pools + $5, out_of_scope = out_of_scope + $6, retries = retries + $7, activity = activity + $8 \
         where id = $1 and state = 'running'",
    )
    .bind(run.as_str())
    .bind(added.accounts)
    .bind(added.assignments)
    .bind(added.facts)
    .bind(added.pools)
    .bind(added.out_of_scope)
    .bind(added.retries)
    .bind(added.activity)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Adds a sentence for a person, once.
pub(super) async fn add_note(tx: &mut Tx, run: &RunId, note: &str) -> Result<(), StoreError> {
    let row = sqlx::query("select notes from runs where id = $1")
        .bind(run.as_str())
        .fetch_one(tx.conn())
        .await?;
    let mut notes: Vec<String> =
        serde_json::from_str(&row.try_get::<String, _>("notes")?).unwrap_or_default();
    if !notes.iter().any(|had| had == note) {
        notes.push(note.to_owned());
        sqlx::query("update runs set notes = $2 where id = $1")
            .bind(run.as_str())
            .bind(serde_json::json!(notes).to_string())
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}

/// Ends or holds a run that is still at work. False: it was not.
pub(super) async fn stop(
    tx: &mut Tx,
    run: &RunId,
    state: RunState,
    problem: Option<&RunProblem>,
    ended_at: Option<i64>,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update runs set state = $2, error_code = $3, error_message = $4, error_fix = $5, ended_at = $6 \
         where id = $1 and state in ('queued', 'running', 'paused_quota', 'held')",
    )
    .bind(run.as_str())
    .bind(state.as_str())
    .bind(problem.map(|p| p.code.clone()))
    .bind(problem.map(|p| p.message.clone()))
    .bind(problem.map(|p| p.fix.clone()))
    .bind(ended_at)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts a held or failed run back to work.
pub(super) async fn reopen(
    tx: &mut Tx,
    run: &RunId,
    from: RunState,
    accepted: Option<(&str, &str)>,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update runs set state = 'running', error_code = null, error_message = null, error_fix = null, ended_at = null, \
           accepted_by = coalesce($3, accepted_by), accepted_reason = coalesce($4, accepted_reason) \
         where id = $1 and state = $2",
    )
    .bind(run.as_str())
    .bind(from.as_str())
    .bind(accepted.map(|(who, _)| who.to_owned()))
    .bind(accepted.map(|(_, why)| why.to_owned()))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Records when the wait for the vendor's budget began, or that it is over. Returns since when it has waited.
pub(super) async fn note_pause(
    tx: &mut Tx,
    organization: &OrgId,
    since: Option<i64>,
) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query(
        "update organizations set quota_paused_since = case when $2 is null then null else coalesce(quota_paused_since, $2) end \
         where id = $1 returning quota_paused_since",
    )
    .bind(organization.as_str())
    .bind(since)
    .fetch_optional(tx.conn())
    .await?;
    Ok(match row {
        Some(row) => row.try_get("quota_paused_since")?,
        None => None,
    })
}

/// Notes why a run that has not begun does not begin. False: the same was noted before, or somebody stopped it.
pub(super) async fn put_off(
    tx: &mut Tx,
    run: &RunId,
    problem: &RunProblem,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update runs set error_code = $2, error_message = $3, error_fix = $4 \
         where id = $1 and state = 'queued' and (error_message is null or error_message <> $3)",
    )
    .bind(run.as_str())
    .bind(&problem.code)
    .bind(&problem.message)
    .bind(&problem.fix)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The run is merged.
pub(super) async fn complete(
    tx: &mut Tx,
    run: &RunId,
    at: i64,
    changes: &serde_json::Value,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update runs set state = 'complete', stage = 'done', ended_at = $2, changes = $3, \
           error_code = null, error_message = null, error_fix = null where id = $1 and state = 'running'",
    )
    .bind(run.as_str())
    .bind(at)
    .bind(changes.to_string())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Held and failed runs of the profile that this newer one of the same process overtakes.
pub(super) async fn overtake(
    tx: &mut Tx,
    profile: &ProfileId,
    run: &RunId,
    process: RunProcess,
    now_ms: i64,
) -> Result<Vec<RunId>, StoreError> {
    sqlx::query(
        "update runs set state = 'cancelled', ended_at = $3, error_code = 'sync.overtaken', \
           error_message = 'a newer run of the profile came to an end', error_fix = 'Look at the newer run' \
         where profile_id = $1 and id <> $2 and state = 'held' and process = $4",
    )
    .bind(profile.as_str())
    .bind(run.as_str())
    .bind(now_ms)
    .bind(process.as_str())
    .execute(tx.conn())
    .await?;
    let rows = sqlx::query(
        "select distinct r.id from runs r join run_chains c on c.run_id = r.id \
         where r.profile_id = $1 and r.id <> $2 and r.state in ('failed', 'cancelled') and r.process = $3",
    )
    .bind(profile.as_str())
    .bind(run.as_str())
    .bind(process.as_str())
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| Ok(row.try_get::<String, _>("id")?.into()))
        .collect()
}

/// Calls that had to be repeated outside pages.
pub(super) async fn add_retries(tx: &mut Tx, run: &RunId, retries: i64) -> Result<(), StoreError> {
    if retries > 0 {
        sqlx::query("update runs set retries = retries + $2 where id = $1")
            .bind(run.as_str())
            .bind(retries)
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}
