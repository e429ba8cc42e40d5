//! SQL of the playbook.

use sqlx::Row as _;

use super::service::{Found, Pool};
use crate::kernel::{AliasId, HandOverId, PrincipalId, ProfileId};
use crate::store::{StoreError, Tx};

/// That a task was saved.
#[derive(Clone, Debug)]
pub(in crate::profiles) struct TaskRow {
    pub(in crate::profiles) task: String,
    pub(in crate::profiles) state: String,
    pub(in crate::profiles) note: Option<String>,
    pub(in crate::profiles) saved_by: String,
    pub(in crate::profiles) saved_at: i64,
    pub(in crate::profiles) version: i64,
}

pub(in crate::profiles) async fn tasks(
    tx: &mut Tx,
    profile: &ProfileId,
) -> Result<Vec<TaskRow>, StoreError> {
    sqlx::query(
        "select task, state, note, saved_by, saved_at, version from playbook_tasks where profile_id = $1 order by task",
    )
    .bind(profile.as_str())
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        Ok(TaskRow {
            task: row.try_get("task")?,
            state: row.try_get("state")?,
            note: row.try_get("note")?,
            saved_by: row.try_get("saved_by")?,
            saved_at: row.try_get("saved_at")?,
            version: row.try_get("version")?,
        })
    })
    .collect()
}

/// What is written of a task.
pub(super) struct NewTask<'a> {
    pub(super) profile: &'a ProfileId,
    pub(super) task: &'a str,
    pub(super) state: &'a str,
    pub(super) note: Option<&'a str>,
    pub(super) by: &'a PrincipalId,
    pub(super) now_ms: i64,
}

pub(super) async fn put_task(tx: &mut Tx, new: &NewTask<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "insert into playbook_tasks (profile_id, task, state, note, saved_by, saved_at, created_at) values ($1, $2, $3, $4, $5, $6, $6) \
         on conflict (profile_id, task) do update set state = excluded.state, note = excluded.note, saved_by = excluded.saved_by, \
           saved_at = excluded.saved_at, version = playbook_tasks.version + 1",
    )
    .bind(new.profile.as_str())
    .bind(new.task)
    .bind(new.state)
    .bind(new.note.map(str::to_owned))
    .bind(new.by.as_str())
    .bind(new.now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn forget_task(
    tx: &mut Tx,
    profile: &ProfileId,
    task: &str,
) -> Result<(), StoreError> {
    sqlx::query("delete from playbook_tasks where profile_id = $1 and task = $2")
        .bind(profile.as_str())
        .bind(task)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Writes answers, name and business of a profile's row that only the playbook changes; an alias that is its alone follows the name.
pub(super) async fn put_answers(
    tx: &mut Tx,
    profile: &ProfileId,
    name: &str,
    answers: &str,
    by: &PrincipalId,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("update profiles set name = $2, scope = $3, changed_by = $4, updated_at = $5, version = version + 1 where id = $1")
        .bind(profile.as_str())
        .bind(name)
        .bind(answers)
        .bind(by.as_str())
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    sqlx::query("update aliases set name = $2, version = version + 1 where name <> $2 and id = (select alias_id from profiles where id = $1) \
           and (select count(*) from profiles other where other.alias_id = aliases.id) = 1")
        .bind(profile.as_str())
        .bind(name)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Who changed a profile last, and when.
pub(super) async fn touch(
    tx: &mut Tx,
    profile: &ProfileId,
    by: &PrincipalId,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "update profiles set changed_by = $2, updated_at = $3, version = version + 1 where id = $1",
    )
    .bind(profile.as_str())
    .bind(by.as_str())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in crate::profiles) async fn put_effective(
    tx: &mut Tx,
    alias: &AliasId,
    schedule: (&str, &str),
    quota_percent: i64,
) -> Result<(), StoreError> {
    sqlx::query("update profiles set schedule_cron = $2, schedule_zone = $3, quota_percent = $4, version = version + 1 where alias_id = $1")
        .bind(alias.as_str())
        .bind(schedule.0)
        .bind(schedule.1)
        .bind(quota_percent)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(in crate::profiles) async fn put_settings(
    tx: &mut Tx,
    profile: &ProfileId,
    settings: &str,
) -> Result<(), StoreError> {
    sqlx::query("update profiles set settings = $2, version = version + 1 where id = $1")
        .bind(profile.as_str())
        .bind(settings)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn put_login_url(
    tx: &mut Tx,
    alias: &AliasId,
    login_url: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("update connections set login_url = $2, updated_at = $3, version = version + 1 where alias_id = $1")
        .bind(alias.as_str())
        .bind(login_url)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What was found belongs to the org that was connected then.
pub(in crate::profiles) async fn forget_findings(
    tx: &mut Tx,
    profile: &ProfileId,
) -> Result<(), StoreError> {
    for text in [
        "delete from playbook_orgs where profile_id = $1",
        "delete from profile_checks where profile_id = $1",
    ] {
        sqlx::query(text)
            .bind(profile.as_str())
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}

/// Everything of a draft that goes with it.
pub(in crate::profiles) async fn forget_all(
    tx: &mut Tx,
    profile: &ProfileId,
) -> Result<(), StoreError> {
    for text in [
        "delete from hand_overs where profile_id = $1",
        "delete from signins where profile_id = $1",
        "delete from playbook_tasks where profile_id = $1",
    ] {
        sqlx::query(text)
            .bind(profile.as_str())
            .execute(tx.conn())
            .await?;
    }
    forget_findings(tx, profile).await
}

pub(super) async fn put_found(
    tx: &mut Tx,
    profile: &ProfileId,
    found: &Found,
) -> Result<(), StoreError> {
    let pools = serde_json::to_string(&found.pools).unwrap_or_else(|_| "[]".to_owned());
    sqlx::query(
        "insert into playbook_orgs (profile_id, vendor_org_id, name, environment, edition, time_zone, accounts, pools, read_at, quota_used, quota_limit) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         on conflict (profile_id) do update set vendor_org_id = excluded.vendor_org_id, name = excluded.name, \
           environment = excluded.environment, edition = excluded.edition, time_zone = excluded.time_zone, accounts = excluded.accounts, \
           pools = excluded.pools, read_at = excluded.read_at, quota_used = excluded.quota_used, quota_limit = excluded.quota_limit",
    )
    .bind(profile.as_str())
    .bind(&found.vendor_org_id)
    .bind(&found.name)
    .bind(&found.environment)
    .bind(found.edition.clone())
    .bind(found.time_zone.clone())
    .bind(found.accounts)
    .bind(pools)
    .bind(found.read_at)
    .bind(found.quota.map(|(used, _)| used))
    .bind(found.quota.map(|(_, limit)| limit))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn found(tx: &mut Tx, profile: &ProfileId) -> Result<Option<Found>, StoreError> {
    let row = sqlx::query(
        "select vendor_org_id, name, environment, edition, time_zone, accounts, pools, read_at, quota_used, quota_limit from playbook_orgs where profile_id = $1",
    )
    .bind(profile.as_str())
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(Found {
            vendor_org_id: row.try_get("vendor_org_id")?,
            name: row.try_get("name")?,
            environment: row.try_get("environment")?,
            edition: row.try_get("edition")?,
            time_zone: row.try_get("time_zone")?,
            accounts: row.try_get("accounts")?,
            pools: serde_json::from_str::<Vec<Pool>>(&row.try_get::<String, _>("pools")?)
                .unwrap_or_default(),
            quota: row
                .try_get::<Option<i64>, _>("quota_used")?
                .zip(row.try_get::<Option<i64>, _>("quota_limit")?),
            read_at: row.try_get("read_at")?,
        })
    })
    .transpose()
}

/// Who already speaks for the vendor's org: number and name of the published or paused profile.
pub(super) async fn published_of_vendor_org(
    tx: &mut Tx,
    connector: &str,
    vendor_org_id: &str,
    besides: &ProfileId,
) -> Result<Option<(String, String)>, StoreError> {
    let row = sqlx::query(
        "select p.number, p.name from profiles p join organizations o on o.id = p.organization_id \
         where o.connector_id = $1 and o.vendor_org_id = $2 and p.state in ('published', 'paused') and p.id <> $3",
    )
    .bind(connector)
    .bind(vendor_org_id)
    .bind(besides.as_str())
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| Ok((row.try_get("number")?, row.try_get("name")?)))
        .transpose()
}

/// One result of the running checks, where its row is still there.
pub(super) async fn put_verdict(
    tx: &mut Tx,
    profile: &ProfileId,
    check: &crate::profiles::CheckView,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "update profile_checks set verdict = $3, evidence = $4, fix = $5, took_ms = $6, checked_at = $7 \
         where profile_id = $1 and check_id = $2",
    )
    .bind(profile.as_str())
    .bind(&check.id)
    .bind(&check.verdict)
    .bind(&check.evidence)
    .bind(check.fix.clone())
    .bind(check.took_ms)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// When the checks last got on, while some have no verdict yet; `None` when all have one.
pub(super) async fn unfinished_since(
    tx: &mut Tx,
    profile: &ProfileId,
) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query("select max(checked_at) as since from profile_checks where profile_id = $1 \
           and exists (select 1 from profile_checks open where open.profile_id = $1 and open.verdict in ('waiting', 'running'))")
        .bind(profile.as_str())
        .fetch_one(tx.conn())
        .await?;
    Ok(row.try_get("since")?)
}

/// A hand-over that still counts.
#[derive(Clone, Debug)]
pub(super) struct HandOver {
    pub(super) profile: ProfileId,
    pub(super) task: String,
    pub(super) recipient: String,
    pub(super) made_by: PrincipalId,
    pub(super) expires_at: i64,
}

pub(super) async fn insert_hand_over(
    tx: &mut Tx,
    id: &HandOverId,
    new: &HandOver,
    token_hash: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    // One link at a time: a new one ends the old.
    sqlx::query("update hand_overs set used_at = $3 where profile_id = $1 and task = $2 and used_at is null")
        .bind(new.profile.as_str())
        .bind(&new.task)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "insert into hand_overs (id, profile_id, task, token_hash, recipient, made_by, expires_at, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id.as_str())
    .bind(new.profile.as_str())
    .bind(&new.task)
    .bind(token_hash)
    .bind(&new.recipient)
    .bind(new.made_by.as_str())
    .bind(new.expires_at)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The open hand-over behind a token.
pub(super) async fn hand_over(
    tx: &mut Tx,
    token_hash: &str,
    now_ms: i64,
) -> Result<Option<HandOver>, StoreError> {
    let row = sqlx::query(
        "select profile_id, task, recipient, made_by, expires_at from hand_overs \
         where token_hash = $1 and used_at is null and expires_at > $2",
    )
    .bind(token_hash)
    .bind(now_ms)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(HandOver {
            profile: row.try_get::<String, _>("profile_id")?.into(),
            task: row.try_get("task")?,
            recipient: row.try_get("recipient")?,
            made_by: row.try_get::<String, _>("made_by")?.into(),
            expires_at: row.try_get("expires_at")?,
        })
    })
    .transpose()
}

/// Spends a token; false when it was spent or ran out.
pub(super) async fn spend_hand_over(
    tx: &mut Tx,
    token_hash: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update hand_overs set used_at = $2 where token_hash = $1 and used_at is null and expires_at > $2",
    )
    .bind(token_hash)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Recipient and end of the open hand-over of a task.
pub(super) async fn open_hand_over(
    tx: &mut Tx,
    profile: &ProfileId,
    task: &str,
    now_ms: i64,
) -> Result<Option<(String, i64)>, StoreError> {
    let row = sqlx::query(
        "select recipient, expires_at from hand_overs where profile_id = $1 and task = $2 and used_at is null and expires_at > $3",
    )
    .bind(profile.as_str())
    .bind(task)
    .bind(now_ms)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| Ok((row.try_get("recipient")?, row.try_get("expires_at")?)))
        .transpose()
}
