//! SQL of looking at runs: as others see them, and what the next decision compares with.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::super::guard::Before;
use super::super::model::{RunKind, RunProblem, RunProcess, RunState, RunView, Stage};
use crate::kernel::{OrgId, ProfileId, RunId};
use crate::store::{StoreError, Tx};

const VIEW: &str = "select r.*, p.name as profile_name, p.number as profile_number \
     from runs r join profiles p on p.id = r.profile_id";

fn view(row: &AnyRow) -> Result<RunView, StoreError> {
    let json = |column: &str| -> Result<String, StoreError> { Ok(row.try_get(column)?) };
    let unknown = |what: &str, word: &str| {
        StoreError::Migrate(format!(
            "{what} `{word}` of a run is not known to this version"
        ))
    };
    let process: String = row.try_get("process")?;
    let kind: String = row.try_get("kind")?;
    let state: String = row.try_get("state")?;
    let stage: String = row.try_get("stage")?;
    let problem = row
        .try_get::<Option<String>, _>("error_code")?
        .map(|code| -> Result<RunProblem, StoreError> {
            Ok(RunProblem {
                code,
                message: row
                    .try_get::<Option<String>, _>("error_message")?
                    .unwrap_or_default(),
                fix: row
                    .try_get::<Option<String>, _>("error_fix")?
                    .unwrap_or_default(),
            })
        })
        .transpose()?;
    Ok(RunView {
        id: json("id")?.into(),
        number: json("number")?,
        profile_id: json("profile_id")?.into(),
        profile_name: json("profile_name")?,
        profile_number: json("profile_number")?,
        organization_id: row
            .try_get::<Option<String>, _>("organization_id")?
            .map(Into::into),
        process: RunProcess::parse(&process).ok_or_else(|| unknown("process", &process))?,
        kind: RunKind::parse(&kind).ok_or_else(|| unknown("kind", &kind))?,
        trigger: json("trigger")?,
        state: RunState::parse(&state).ok_or_else(|| unknown("state", &state))?,
        stage: Stage::parse(&stage).ok_or_else(|| unknown("stage", &stage))?,
        started_at: row.try_get("started_at")?,
        ended_at: row.try_get("ended_at")?,
        expected_accounts: row.try_get("expected_accounts")?,
        pages: row.try_get("pages")?,
        accounts: row.try_get("accounts")?,
        assignments: row.try_get("assignments")?,
        pools: row.try_get("pools")?,
        activity: row.try_get("activity")?,
        history_from: row.try_get("history_from")?,
        out_of_scope: row.try_get("out_of_scope")?,
        retries: row.try_get("retries")?,
        changes: serde_json::from_str(&json("changes")?).unwrap_or_default(),
        problem,
        accepted_by: row.try_get("accepted_by")?,
        accepted_reason: row.try_get("accepted_reason")?,
        notes: serde_json::from_str(&json("notes")?).unwrap_or_default(),
        created_at: row.try_get("created_at")?,
    })
}

/// By id or by number.
pub(in crate::sync) async fn find_run(
    tx: &mut Tx,
    key: &str,
) -> Result<Option<RunView>, StoreError> {
    let sql = format!("{VIEW} where r.id = $1 or r.number = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(key)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(view).transpose()
}

/// Newest first, before a run's `created_at` and id where given.
pub(in crate::sync) async fn list_runs(
    tx: &mut Tx,
    profile: Option<&ProfileId>,
    before: Option<(i64, String)>,
    limit: i64,
) -> Result<Vec<RunView>, StoreError> {
    let (at, id) = before.unwrap_or((i64::MAX, "~".to_owned()));
    let sql = format!(
        "{VIEW} where ($1 = '' or r.profile_id = $1) and (r.created_at < $2 or (r.created_at = $2 and r.id < $3)) \
         order by r.created_at desc, r.id desc limit $4"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(profile.map_or("", ProfileId::as_str))
        .bind(at)
        .bind(id)
        .bind(limit)
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(view).collect()
}

/// A run of the profile that reads the same and has not come to rest.
pub(in crate::sync) async fn find_open_run(
    tx: &mut Tx,
    profile: &ProfileId,
    process: RunProcess,
) -> Result<Option<RunId>, StoreError> {
    let row = sqlx::query(
        "select id from runs where profile_id = $1 and process = $2 and state in ('queued', 'running', 'paused_quota') \
         order by created_at limit 1",
    )
    .bind(profile.as_str())
    .bind(process.as_str())
    .fetch_optional(tx.conn())
    .await?;
    Ok(row
        .map(|row| row.try_get::<String, _>("id"))
        .transpose()?
        .map(Into::into))
}

/// The state alone: asked twice a second while pages come in.
pub(in crate::sync) async fn get_state(
    tx: &mut Tx,
    run: &RunId,
) -> Result<Option<RunState>, StoreError> {
    let row = sqlx::query("select state from runs where id = $1")
        .bind(run.as_str())
        .fetch_optional(tx.conn())
        .await?;
    Ok(row
        .map(|row| row.try_get::<String, _>("state"))
        .transpose()?
        .and_then(|word| RunState::parse(&word)))
}

/// What the run before brought, unless settings or scope were edited since; and when it began.
pub(in crate::sync) async fn last_complete(
    tx: &mut Tx,
    profile: &ProfileId,
    settings_digest: &str,
) -> Result<Option<(Before, i64)>, StoreError> {
    let row = sqlx::query(
        "select changes, started_at from runs where profile_id = $1 and state = 'complete' and kind = 'full' and process = 'subscriptions' \
         order by ended_at desc limit 1",
    )
    .bind(profile.as_str())
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let changes: serde_json::Value =
        serde_json::from_str(&row.try_get::<String, _>("changes")?).unwrap_or_default();
    let basis = &changes["basis"];
    if basis["settings"].as_str() != Some(settings_digest) {
        return Ok(None);
    }
    let before = Before {
        accounts: basis["accounts"].as_i64().unwrap_or(0),
        subscriptions: basis["subscriptions"].as_i64().unwrap_or(0),
    };
    Ok(Some((
        before,
        row.try_get::<Option<i64>, _>("started_at")?.unwrap_or(0),
    )))
}

/// When the last complete download began, at `from` or later.
pub(in crate::sync) async fn last_began(
    tx: &mut Tx,
    profile: &ProfileId,
    from: i64,
) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query(
        "select max(started_at) as began from runs where profile_id = $1 and state = 'complete' and process = 'subscriptions' \
         and started_at >= $2",
    )
    .bind(profile.as_str())
    .bind(from)
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get("began")?)
}

/// Seats that our own actions took from the org since a moment. Read-only look at another domain's table: their absence
/// from a download is our own doing.
pub(in crate::sync) async fn count_taken_back(
    tx: &mut Tx,
    organization: &OrgId,
    since: i64,
) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "select count(*) as n from actions where organization_id = $1 and kind = 'reclaim' and state in ('done', 'undone') and ended_at >= $2",
    )
    .bind(organization.as_str())
    .bind(since)
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get("n")?)
}

/// When the org's last merge happened, in its own time: the next one is later by at least a millisecond.
pub(in crate::sync) async fn last_merge_at(
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "select coalesce(max(ended_at), 0) as at from runs where organization_id = $1 and state = 'complete'",
    )
    .bind(organization.as_str())
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get("at")?)
}

/// From when an incremental run reads.
pub(in crate::sync) async fn get_since(
    tx: &mut Tx,
    run: &RunId,
) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query("select since from runs where id = $1")
        .bind(run.as_str())
        .fetch_one(tx.conn())
        .await?;
    Ok(row.try_get("since")?)
}

/// The connector of an organization.
pub(in crate::sync) async fn get_connector(
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<String, StoreError> {
    let row = sqlx::query("select connector_id from organizations where id = $1")
        .bind(organization.as_str())
        .fetch_one(tx.conn())
        .await?;
    Ok(row.try_get("connector_id")?)
}

/// How the run of the same process before this one ended, of those that came to a result.
pub(in crate::sync) async fn state_before(
    tx: &mut Tx,
    profile: &ProfileId,
    run: &RunId,
) -> Result<Option<RunState>, StoreError> {
    let row = sqlx::query(
        "select state from runs where profile_id = $1 and id <> $2 and state in ('complete', 'failed', 'held') \
           and process = (select process from runs where id = $2) and created_at <= (select created_at from runs where id = $2) order by created_at desc, id desc limit 1",
    )
    .bind(profile.as_str())
    .bind(run.as_str())
    .fetch_optional(tx.conn())
    .await?;
    Ok(row
        .map(|row| row.try_get::<String, _>("state"))
        .transpose()?
        .and_then(|word| RunState::parse(&word)))
}

/// Whether another download of the profile was ever complete.
pub(in crate::sync) async fn has_other_complete(
    tx: &mut Tx,
    profile: &ProfileId,
    run: &RunId,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "select 1 as one from runs where profile_id = $1 and id <> $2 and state = 'complete' and process = 'subscriptions' limit 1",
    )
    .bind(profile.as_str())
    .bind(run.as_str())
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.is_some())
}

/// The name of the source that counts instead of this one, if one does. The organization stays locked against being superseded until the
/// transaction ends.
pub(in crate::sync) async fn superseded_by(
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<Option<String>, StoreError> {
    let sql = tx.dialect().pick(
        "select id from organizations where id = $1",
        "select id from organizations where id = $1 for update",
    );
    sqlx::query(sql)
        .bind(organization.as_str())
        .fetch_optional(tx.conn())
        .await?;
    let row = sqlx::query(
        "select n.name from supersessions s join organizations n on n.id = s.by_organization_id \
         where s.organization_id = $1 and s.ended_at is null",
    )
    .bind(organization.as_str())
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| Ok(row.try_get("name")?)).transpose()
}
