//! SQL of activity: days as they arrive, and what a whole history says of accounts.

use std::collections::BTreeMap;

use seatwise_runtime::contract::activity::{ActivityDay, Kind, Outcome};
use sqlx::Row as _;

use super::super::model::{RunKind, RunProcess};
use super::staging::plain;
use crate::kernel::{OrgId, ProfileId, RunId};
use crate::store::{Dialect, StoreError, Tx, bulk};

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Interactive => "interactive",
        Kind::Api => "api",
        Kind::Other => "other",
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failed => "failed",
    }
}

/// What one statement may touch once: count and last moment by account, day, kind, outcome and source.
type Folded = BTreeMap<(String, String, &'static str, &'static str, String), (i64, i64)>;

fn fold(days: &[ActivityDay]) -> Folded {
    let mut folded = Folded::new();
    for day in days {
        let key = (
            plain(&day.account),
            day.day.clone(),
            kind(day.kind),
            outcome(day.outcome),
            plain(&day.source),
        );
        let (count, last) = folded.entry(key).or_insert((0, i64::MIN));
        *count += i64::from(day.count);
        *last = (*last).max(day.last);
    }
    folded
}

/// Adds a page: to what this run counted of a day, in place of what an earlier run did.
pub(in crate::sync) async fn put_days(
    tx: &mut Tx,
    run: &RunId,
    organization: &OrgId,
    days: &[ActivityDay],
) -> Result<(), StoreError> {
    let folded = fold(days);
    let mut seen: BTreeMap<&str, Option<i64>> = BTreeMap::new();
    for ((account, _, _, outcome, _), (_, last)) in &folded {
        let had = seen.entry(account).or_default();
        if *outcome == "success" {
            *had = (*had).max(Some(*last));
        }
    }
    let seen: Vec<_> = seen.into_iter().collect();
    bulk::insert(
        tx,
        "insert into staged_activity (run_id, account_id, last_at) ",
        "on conflict (run_id, account_id) do update set last_at = excluded.last_at \
           where excluded.last_at is not null and (staged_activity.last_at is null or excluded.last_at > staged_activity.last_at)",
        3,
        &seen,
        |row, (account, last)| {
            row.push_bind(run.as_str().to_owned())
                .push_bind((*account).to_owned())
                .push_bind(*last);
        },
    )
    .await?;
    let folded: Vec<_> = folded.iter().collect();
    bulk::insert(
        tx,
        "insert into activity_days (organization_id, account_id, day, kind, outcome, source, event_count, last_at, run_id) ",
        "on conflict (organization_id, account_id, day, kind, outcome, source) do update set \
           event_count = case when activity_days.run_id = excluded.run_id then activity_days.event_count + excluded.event_count \
             else excluded.event_count end, \
           last_at = case when activity_days.last_at > excluded.last_at then activity_days.last_at else excluded.last_at end, \
           run_id = excluded.run_id",
        9,
        &folded,
        |row, ((account, day, kind, outcome, source), (count, last))| {
            row.push_bind(organization.as_str().to_owned())
                .push_bind(account.clone())
                .push_bind(day.clone())
                .push_bind(*kind)
                .push_bind(*outcome)
                .push_bind(source.clone())
                .push_bind(*count)
                .push_bind(*last)
                .push_bind(run.as_str().to_owned());
        },
    )
    .await?;
    Ok(())
}

/// What the end of a run that read activity did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync) struct Applied {
    /// Accounts that were seen, within the profile's scope.
    pub accounts: i64,
    /// Whose last activity moved forward, or became known.
    pub moved: i64,
    /// Accounts outside the profile's scope whose rows were dropped.
    pub out_of_scope: i64,
}

/// Drops what is about accounts that the profile does not hold, and lets the last activity move forward: never back, and for an account
/// whose last login cannot be known, to the last success of the whole history.
pub(in crate::sync) async fn apply(
    tx: &mut Tx,
    run: &RunId,
    organization: &OrgId,
) -> Result<Applied, StoreError> {
    const STATEMENTS: [&str; 4] = [
        "delete from activity_days where $1 <> '' and organization_id = $2 and source <> 'last_activity' and account_id in ( \
           select s.account_id from staged_activity s where s.run_id = $1 and not exists ( \
             select 1 from accounts a where a.organization_id = $2 and a.vendor_id = s.account_id))",
        "delete from staged_activity where run_id = $1 and not exists ( \
           select 1 from accounts a where a.organization_id = $2 and a.vendor_id = staged_activity.account_id)",
        "update accounts set activity_state = 'at', activity_at = s.last_at from staged_activity s \
         where s.run_id = $1 and s.last_at is not null and accounts.organization_id = $2 and accounts.vendor_id = s.account_id \
           and accounts.valid_to is null and (accounts.activity_at is null or s.last_at > accounts.activity_at)",
        "update accounts set activity_state = 'at' \
         where $1 <> '' and organization_id = $2 and valid_to is null and activity_state <> 'at' and activity_at is not null \
           and exists (select 1 from activity_days d where d.organization_id = $2 and d.account_id = accounts.vendor_id \
             and d.outcome = 'success' and d.source <> 'last_activity' and d.last_at >= accounts.activity_at)",
    ];
    if tx.dialect() == Dialect::Postgres {
        for statement in ["analyze staged_activity", "analyze activity_days"] {
            sqlx::query(statement).execute(tx.conn()).await?;
        }
    }
    let mut touched = [0; 4];
    for (at, statement) in STATEMENTS.into_iter().enumerate() {
        let done = sqlx::query(statement)
            .bind(run.as_str())
            .bind(organization.as_str())
            .execute(tx.conn())
            .await?;
        touched[at] = i64::try_from(done.rows_affected()).unwrap_or(i64::MAX);
    }
    let accounts = sqlx::query("select count(*) as n from staged_activity where run_id = $1")
        .bind(run.as_str())
        .fetch_one(tx.conn())
        .await?
        .try_get("n")?;
    Ok(Applied {
        accounts,
        moved: touched[2] + touched[3],
        out_of_scope: touched[1],
    })
}

/// What a run is to read, in the vendor's time.
#[derive(Clone, Copy, Debug)]
pub(in crate::sync) struct Span {
    /// How far back the vendor can tell; `None`: it did not say.
    pub from: Option<i64>,
    /// When it was asked.
    pub until: i64,
}

/// Notes with a run what its chains cover.
pub(in crate::sync) async fn note_span(
    tx: &mut Tx,
    run: &RunId,
    span: Span,
) -> Result<(), StoreError> {
    sqlx::query("update runs set history_from = $2, history_until = $3 where id = $1")
        .bind(run.as_str())
        .bind(span.from)
        .bind(span.until)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The organization's history now reaches to where the run asked, and back to where it began or, without a gap between, further.
pub(in crate::sync) async fn extend(
    tx: &mut Tx,
    run: &RunId,
    organization: &OrgId,
) -> Result<(), StoreError> {
    sqlx::query(
        "update organizations set \
           history_from = case when organizations.history_from < r.history_from and organizations.history_until >= r.history_from \
             then organizations.history_from else r.history_from end, \
           history_until = r.history_until \
         from (select history_from, history_until from runs where id = $1) r \
         where organizations.id = $2 and r.history_from is not null",
    )
    .bind(run.as_str())
    .bind(organization.as_str())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Until when the last whole history of the profile was asked for, with the same settings and scope.
pub(in crate::sync) async fn last_until(
    tx: &mut Tx,
    profile: &ProfileId,
    settings_digest: &str,
) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query(
        "select changes, history_until from runs where profile_id = $1 and state = 'complete' and process = $2 \
         order by ended_at desc limit 1",
    )
    .bind(profile.as_str())
    .bind(RunProcess::Activity.as_str())
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let changes: serde_json::Value =
        serde_json::from_str(&row.try_get::<String, _>("changes")?).unwrap_or_default();
    if changes["basis"]["settings"].as_str() != Some(settings_digest) {
        return Ok(None);
    }
    Ok(row.try_get("history_until")?)
}

/// A run reads everything when it goes back to the beginning.
pub(in crate::sync) fn kind_of(since: i64) -> RunKind {
    if since > 0 {
        RunKind::Incremental
    } else {
        RunKind::Full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_days_of_a_page_are_added_and_the_last_moment_wins() {
        let day = |count, last, outcome| ActivityDay {
            account: "005A\0".to_owned(),
            day: "2026-11-02".to_owned(),
            kind: Kind::Api,
            outcome,
            count,
            last,
            source: "login_history".to_owned(),
        };
        let folded = fold(&[
            day(2, 20, Outcome::Success),
            day(3, 10, Outcome::Success),
            day(1, 30, Outcome::Failed),
        ]);
        let rows: Vec<_> = folded.into_iter().collect();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].0.0.as_str(), rows[0].0.3), ("005A", "failed"));
        assert_eq!(rows[1].1, (5, 20));
    }
}
