//! SQL of the last checks of a profile.

use std::collections::BTreeMap;

use sqlx::Row as _;

use crate::kernel::ProfileId;
use crate::store::{StoreError, Tx};

/// One stored check.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CheckView {
    /// The connector's id of it.
    pub id: String,
    /// For a person.
    pub title: String,
    /// Processes it serves.
    pub serves: Vec<String>,
    /// A failure blocks publishing.
    pub is_mandatory: bool,
    /// `pass`, `fail`, `warn`, `skipped`.
    pub verdict: String,
    /// What was read or tried.
    pub evidence: String,
    /// What to do, when it did not pass.
    pub fix: Option<String>,
    /// How long it took.
    pub took_ms: i64,
}

pub(in crate::profiles) async fn put_checks(
    tx: &mut Tx,
    profile: &ProfileId,
    checks: &[CheckView],
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("delete from profile_checks where profile_id = $1")
        .bind(profile.as_str())
        .execute(tx.conn())
        .await?;
    let numbered: Vec<(i64, &CheckView)> = (0..).zip(checks).collect();
    crate::store::bulk::insert(
        tx,
        "insert into profile_checks (profile_id, check_id, title, serves, is_mandatory, verdict, evidence, fix, took_ms, checked_at, position) ",
        // Another host may have kept its results between our two statements: the later ones count.
        " on conflict (profile_id, check_id) do update set title = excluded.title, serves = excluded.serves, \
          is_mandatory = excluded.is_mandatory, verdict = excluded.verdict, evidence = excluded.evidence, fix = excluded.fix, \
          took_ms = excluded.took_ms, checked_at = excluded.checked_at, position = excluded.position",
        11,
        &numbered,
        |row, (position, check)| {
            row.push_bind(profile.as_str().to_owned())
                .push_bind(check.id.clone())
                .push_bind(check.title.clone())
                .push_bind(check.serves.join(" "))
                .push_bind(i64::from(check.is_mandatory))
                .push_bind(check.verdict.clone())
                .push_bind(check.evidence.clone())
                .push_bind(check.fix.clone())
                .push_bind(check.took_ms)
                .push_bind(now_ms)
                .push_bind(*position);
        },
    )
    .await?;
    Ok(())
}

pub(in crate::profiles) async fn list_checks(
    tx: &mut Tx,
    profile: &ProfileId,
) -> Result<Vec<CheckView>, StoreError> {
    let rows = sqlx::query("select check_id, title, serves, is_mandatory, verdict, evidence, fix, took_ms from profile_checks where profile_id = $1 order by position, check_id")
        .bind(profile.as_str())
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| {
            Ok(CheckView {
                id: row.try_get("check_id")?,
                title: row.try_get("title")?,
                serves: row
                    .try_get::<String, _>("serves")?
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect(),
                is_mandatory: row.try_get::<i64, _>("is_mandatory")? == 1,
                verdict: row.try_get("verdict")?,
                evidence: row.try_get("evidence")?,
                fix: row.try_get("fix")?,
                took_ms: row.try_get("took_ms")?,
            })
        })
        .collect()
}

/// Writes verdicts beside those that stand: a check that is known is overwritten, another one put at the end.
pub(in crate::profiles) async fn merge_checks(
    tx: &mut Tx,
    profile: &ProfileId,
    checks: &[CheckView],
    now_ms: i64,
) -> Result<(), StoreError> {
    for check in checks {
        sqlx::query(
            "insert into profile_checks (profile_id, check_id, title, serves, is_mandatory, verdict, evidence, fix, took_ms, checked_at, position) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, \
               (select coalesce(max(had.position), -1) + 1 from profile_checks had where had.profile_id = $1)) \
             on conflict (profile_id, check_id) do update set title = excluded.title, serves = excluded.serves, \
               is_mandatory = excluded.is_mandatory, verdict = excluded.verdict, evidence = excluded.evidence, fix = excluded.fix, \
               took_ms = excluded.took_ms, checked_at = excluded.checked_at",
        )
        .bind(profile.as_str())
        .bind(&check.id)
        .bind(&check.title)
        .bind(check.serves.join(" "))
        .bind(i64::from(check.is_mandatory))
        .bind(&check.verdict)
        .bind(&check.evidence)
        .bind(check.fix.clone())
        .bind(check.took_ms)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// When each check got its verdict; those without one are left out.
pub(in crate::profiles) async fn checked_at(
    tx: &mut Tx,
    profile: &ProfileId,
) -> Result<BTreeMap<String, i64>, StoreError> {
    sqlx::query(
        "select check_id, checked_at from profile_checks where profile_id = $1 and verdict not in ('waiting', 'running')",
    )
    .bind(profile.as_str())
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| Ok((row.try_get("check_id")?, row.try_get("checked_at")?)))
    .collect()
}
