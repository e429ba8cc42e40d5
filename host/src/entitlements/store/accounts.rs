//! SQL of one account and its activity.

use sqlx::Row as _;

use super::super::accounts::{AccountView, ActivityRow};
use crate::kernel::{Day, OrgId};
use crate::store::{StoreError, Tx};

/// The source of days that record how the vendor's last login moved.
pub(in crate::entitlements) const OWN_RECORD: &str = "last_activity";

/// The current row of an account, without what it holds and when it was seen.
pub(in crate::entitlements) async fn find(
    tx: &mut Tx,
    organization: &OrgId,
    account: &str,
) -> Result<Option<AccountView>, StoreError> {
    let row = sqlx::query(
        "select a.*, o.name as organization, o.history_from, o.history_until, m.person_id, p.name as person, \
           o.counts_sign_ins, g.at as signed_in_at, s.name || ': ' || i.name as signed_in_by \
         from accounts a join organizations o on o.id = a.organization_id \
         left join matches m on m.organization_id = a.organization_id and m.account_id = a.vendor_id \
         left join people p on p.id = m.person_id \
         left join account_signins g on g.organization_id = a.organization_id and g.account_id = a.vendor_id \
         left join identity_applications i on i.id = g.application_id left join identity_sources s on s.id = i.source_id \
         where a.organization_id = $1 and a.vendor_id = $2 and a.valid_to is null",
    )
    .bind(organization.as_str())
    .bind(account)
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(AccountView {
        organization_id: organization.clone(),
        organization: row.try_get("organization")?,
        account_id: row.try_get("vendor_id")?,
        principal: row.try_get("principal")?,
        email: row.try_get("email")?,
        name: row.try_get("name")?,
        kind: row.try_get("kind")?,
        is_active: row.try_get::<i64, _>("is_active")? == 1,
        is_gone: row.try_get::<i64, _>("is_gone")? == 1,
        frozen: row.try_get("frozen")?,
        created_on_vendor_at: row.try_get("created_on_vendor_at")?,
        first_seen_at: row.try_get("first_seen_at")?,
        activity_state: row.try_get("activity_state")?,
        activity_at: row.try_get("activity_at")?,
        signed_in_at: row.try_get("signed_in_at")?,
        signed_in_by: row.try_get("signed_in_by")?,
        counts_sign_ins: row.try_get::<i64, _>("counts_sign_ins")? == 1,
        person_id: row
            .try_get::<Option<String>, _>("person_id")?
            .map(Into::into),
        person: row.try_get("person")?,
        attributes: serde_json::from_str(&row.try_get::<String, _>("attributes")?)
            .unwrap_or_default(),
        history_from: row.try_get("history_from")?,
        history_until: row.try_get("history_until")?,
        subscriptions: Vec::new(),
        last_seen: Vec::new(),
        months: Vec::new(),
    }))
}

/// Its days of activity since a day.
pub(in crate::entitlements) async fn activity(
    tx: &mut Tx,
    organization: &OrgId,
    account: &str,
    since: Day,
) -> Result<Vec<ActivityRow>, StoreError> {
    let rows = sqlx::query(
        "select day, kind, outcome, source, event_count, last_at from activity_days \
         where organization_id = $1 and account_id = $2 and day >= $3 order by day",
    )
    .bind(organization.as_str())
    .bind(account)
    .bind(since.to_string())
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ActivityRow {
                day: super::day(row, "day")?,
                kind: row.try_get("kind")?,
                outcome: row.try_get("outcome")?,
                source: row.try_get("source")?,
                count: row.try_get("event_count")?,
                last_at: row.try_get("last_at")?,
            })
        })
        .collect()
}
