//! SQL of the merge: the difference between staging and what is known, applied as intervals, set by set.
//!
//! A quiet day writes almost nothing: rows are closed and opened only where something changed. The last activity moves
//! forward in place (a million logins a day are no million intervals); its past values are kept in `activity_days`.

use serde_json::{Value, json};
use sqlx::Row as _;

use crate::kernel::{OrgId, RunId};
use crate::store::{StoreError, Tx, bulk};

/// Accounts whose attributes are completed at a time.
const ATTRIBUTES_AT_A_TIME: i64 = 2_000;

/// What is merged, and as of when.
pub(in crate::sync) struct Merge<'a> {
    pub run: &'a RunId,
    pub organization: &'a OrgId,
    /// Later than every earlier merge of the organization.
    pub at: i64,
    /// A full run ends what it did not bring.
    pub is_full: bool,
    /// The vendor's counts were read to the end.
    pub has_pools: bool,
}

async fn run(tx: &mut Tx, sql: &'static str, merge: &Merge<'_>) -> Result<i64, StoreError> {
    let done = sqlx::query(sql)
        .bind(merge.run.as_str())
        .bind(merge.organization.as_str())
        .bind(merge.at)
        .execute(tx.conn())
        .await?;
    Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
}

/// Applies everything. Returns counts by kind.
pub(in crate::sync) async fn apply(tx: &mut Tx, merge: &Merge<'_>) -> Result<Value, StoreError> {
    refresh_statistics(tx).await?;
    fold_facts(tx, merge).await?;
    let active_days = note_activity(tx, merge).await?;
    let accounts = accounts(tx, merge).await?;
    let subscriptions = subscriptions(tx, merge).await?;
    let pools = if merge.has_pools {
        pools(tx, merge).await?
    } else {
        json!({})
    };
    note_size(tx).await?;
    Ok(
        json!({ "accounts": accounts, "subscriptions": subscriptions, "pools": pools, "activity_days": active_days }),
    )
}

/// Freshly filled staging tables have no statistics, and PostgreSQL would join them row by row.
async fn refresh_statistics(tx: &mut Tx) -> Result<(), StoreError> {
    if tx.dialect() == crate::store::Dialect::Postgres {
        for statement in [
            "analyze staged_accounts",
            "analyze staged_subscriptions",
            "analyze staged_facts",
        ] {
            sqlx::query(statement).execute(tx.conn()).await?;
        }
    }
    Ok(())
}

/// What reads these tables next, matching, rules and reconciliation, must not plan for the size they had before: after a first
/// run PostgreSQL would take them for empty and compare every row with every row.
async fn note_size(tx: &mut Tx) -> Result<(), StoreError> {
    if tx.dialect() == crate::store::Dialect::Postgres {
        for statement in ["analyze accounts", "analyze subscriptions"] {
            sqlx::query(statement).execute(tx.conn()).await?;
        }
    }
    Ok(())
}

/// What the vendor keeps elsewhere joins its account. Where anyone's frozen state was told, silence means not frozen: the
/// chain names those that are.
async fn fold_facts(tx: &mut Tx, merge: &Merge<'_>) -> Result<(), StoreError> {
    run(
        tx,
        "update staged_accounts set frozen = coalesce((select f.value from staged_facts f where f.run_id = $1 \
           and f.account_id = staged_accounts.vendor_id and f.fact = 'frozen'), 'no') \
         where run_id = $1 and $2 <> '' and $3 >= 0 \
           and exists (select 1 from staged_facts f where f.run_id = $1 and f.fact = 'frozen')",
        merge,
    )
    .await?;
    run(
        tx,
        "update staged_accounts set activity_state = f.value, activity_at = f.at from staged_facts f \
         where staged_accounts.run_id = $1 and f.run_id = $1 and f.fact = 'activity' and $2 <> '' and $3 >= 0 \
           and f.account_id = staged_accounts.vendor_id and f.value <> 'unknown' \
           and (staged_accounts.activity_at is null or f.at > staged_accounts.activity_at)",
        merge,
    )
    .await?;
    let mut after = String::new();
    loop {
        let rows = sqlx::query(
            "select a.vendor_id, a.attributes, f.fact, f.value from staged_accounts a \
             join staged_facts f on f.run_id = a.run_id and f.account_id = a.vendor_id and f.fact like 'attribute:%' \
             where a.run_id = $1 and a.vendor_id in (select distinct account_id from staged_facts \
               where run_id = $1 and fact like 'attribute:%' and account_id > $2 order by account_id limit $3) \
             order by a.vendor_id",
        )
        .bind(merge.run.as_str())
        .bind(&after)
        .bind(ATTRIBUTES_AT_A_TIME)
        .fetch_all(tx.conn())
        .await?;
        let mut changed: std::collections::BTreeMap<String, serde_json::Map<String, Value>> =
            std::collections::BTreeMap::new();
        for row in &rows {
            let id: String = row.try_get("vendor_id")?;
            let had: String = row.try_get("attributes")?;
            let fact: String = row.try_get("fact")?;
            let value: Option<String> = row.try_get("value")?;
            let map = changed
                .entry(id)
                .or_insert_with(|| serde_json::from_str(&had).unwrap_or_default());
            map.insert(
                fact["attribute:".len()..].to_owned(),
                Value::String(value.unwrap_or_default()),
            );
        }
        let Some((last, _)) = changed.last_key_value() else {
            return Ok(());
        };
        after.clone_from(last);
        let changed: Vec<_> = changed.into_iter().collect();
        bulk::insert(
            tx,
            "insert into staged_accounts (run_id, vendor_id, principal, kind, is_active, activity_state, frozen, attributes) ",
            "on conflict (run_id, vendor_id) do update set attributes = excluded.attributes",
            8,
            &changed,
            |row, (id, map)| {
                row.push_bind(merge.run.as_str().to_owned())
                    .push_bind(id.clone())
                    .push_bind("")
                    .push_bind("unknown")
                    .push_bind(0_i64)
                    .push_bind("unknown")
                    .push_bind("unknown")
                    .push_bind(Value::Object(map.clone()).to_string());
            },
        )
        .await?;
    }
}

/// The last activity moves forward, never back; where it moved, the old and the new day are kept. A vendor that can no
/// longer tell makes it unknown (nobody is judged by a stale date), but the date stays for when it can again.
async fn note_activity(tx: &mut Tx, merge: &Merge<'_>) -> Result<i64, StoreError> {
    const DAYS_SQLITE: &str = "insert into activity_days (organization_id, account_id, day, kind, outcome, source, event_count, last_at) \
         select $2, vendor_id, strftime('%Y-%m-%d', at / 1000, 'unixepoch'), 'other', 'success', 'last_activity', 1, max(at) from ( \
           select s.vendor_id, s.activity_at as at from staged_accounts s join accounts a on a.organization_id = $2 \
             and a.vendor_id = s.vendor_id and a.valid_to is null \
             where s.run_id = $1 and s.activity_state = 'at' and s.activity_at > a.activity_at \
           union all select s.vendor_id, a.activity_at from staged_accounts s join accounts a on a.organization_id = $2 \
             and a.vendor_id = s.vendor_id and a.valid_to is null \
             where s.run_id = $1 and s.activity_state = 'at' and s.activity_at > a.activity_at) moved \
         where $3 >= 0 group by 2, 3 \
         on conflict (organization_id, account_id, day, kind, outcome, source) do update set last_at = excluded.last_at \
           where excluded.last_at > activity_days.last_at";
    const DAYS_POSTGRES: &str = "insert into activity_days (organization_id, account_id, day, kind, outcome, source, event_count, last_at) \
         select $2, vendor_id, to_char(to_timestamp(at / 1000) at time zone 'UTC', 'YYYY-MM-DD'), 'other', 'success', 'last_activity', 1, max(at) from ( \
           select s.vendor_id, s.activity_at as at from staged_accounts s join accounts a on a.organization_id = $2 \
             and a.vendor_id = s.vendor_id and a.valid_to is null \
             where s.run_id = $1 and s.activity_state = 'at' and s.activity_at > a.activity_at \
           union all select s.vendor_id, a.activity_at from staged_accounts s join accounts a on a.organization_id = $2 \
             and a.vendor_id = s.vendor_id and a.valid_to is null \
             where s.run_id = $1 and s.activity_state = 'at' and s.activity_at > a.activity_at) moved \
         where $3 >= 0 group by 2, 3 \
         on conflict (organization_id, account_id, day, kind, outcome, source) do update set last_at = excluded.last_at \
           where excluded.last_at > activity_days.last_at";
    let days = run(tx, tx.dialect().pick(DAYS_SQLITE, DAYS_POSTGRES), merge).await?;
    run(
        tx,
        "update accounts set activity_state = 'at', activity_at = s.activity_at from staged_accounts s \
         where s.run_id = $1 and accounts.organization_id = $2 and accounts.vendor_id = s.vendor_id and accounts.valid_to is null \
           and s.activity_state = 'at' and $3 >= 0 \
           and (accounts.activity_at is null or s.activity_at > accounts.activity_at)",
        merge,
    )
    .await?;
    run(
        tx,
        "update accounts set activity_state = case when s.activity_state = 'unknown' then 'unknown' \
             when accounts.activity_at is not null then 'at' else s.activity_state end \
         from staged_accounts s \
         where s.run_id = $1 and accounts.organization_id = $2 and accounts.vendor_id = s.vendor_id and accounts.valid_to is null \
           and $3 >= 0 and accounts.activity_state <> case when s.activity_state = 'unknown' then 'unknown' \
             when accounts.activity_at is not null then 'at' else s.activity_state end",
        merge,
    )
    .await?;
    // Learning that nobody is frozen is no change of the account.
    run(
        tx,
        "update accounts set frozen = 'no' from staged_accounts s \
         where s.run_id = $1 and accounts.organization_id = $2 and accounts.vendor_id = s.vendor_id and accounts.valid_to is null \
           and accounts.frozen = 'unknown' and s.frozen = 'no' and $3 >= 0",
        merge,
    )
    .await?;
    Ok(days)
}

async fn accounts(tx: &mut Tx, merge: &Merge<'_>) -> Result<Value, StoreError> {
    let changed = run(
        tx,
        "update accounts set valid_to = $3 where organization_id = $2 and valid_to is null and exists ( \
           select 1 from staged_accounts s where s.run_id = $1 and s.vendor_id = accounts.vendor_id and ( \
             accounts.is_gone = 1 or s.principal <> accounts.principal or s.email is distinct from accounts.email \
             or s.name is distinct from accounts.name or s.kind <> accounts.kind or s.is_active <> accounts.is_active \
             or (s.frozen = 'yes') <> (accounts.frozen = 'yes') \
             or s.created_on_vendor_at is distinct from accounts.created_on_vendor_at or s.attributes <> accounts.attributes))",
        merge,
    )
    .await?;
    let opened = run(
        tx,
        "insert into accounts (organization_id, vendor_id, valid_from, principal, email, name, kind, is_active, frozen, \
           created_on_vendor_at, attributes, activity_state, activity_at, first_seen_at) \
         select $2, s.vendor_id, $3, s.principal, s.email, s.name, s.kind, s.is_active, s.frozen, s.created_on_vendor_at, s.attributes, \
           case when old.vendor_id is null then s.activity_state else old.activity_state end, \
           case when old.vendor_id is null then s.activity_at else old.activity_at end, coalesce(old.first_seen_at, $3) \
         from staged_accounts s \
         left join accounts old on old.organization_id = $2 and old.vendor_id = s.vendor_id and old.valid_to = $3 \
         left join accounts cur on cur.organization_id = $2 and cur.vendor_id = s.vendor_id and cur.valid_to is null \
         where s.run_id = $1 and cur.vendor_id is null",
        merge,
    )
    .await?;
    let mut gone = 0;
    if merge.is_full {
        gone = run(
            tx,
            "update accounts set valid_to = $3 where organization_id = $2 and valid_to is null and is_gone = 0 \
               and not exists (select 1 from staged_accounts s where s.run_id = $1 and s.vendor_id = accounts.vendor_id)",
            merge,
        )
        .await?;
        if gone > 0 {
            run(
                tx,
                "insert into accounts (organization_id, vendor_id, valid_from, principal, email, name, kind, is_active, frozen, \
                   created_on_vendor_at, attributes, activity_state, activity_at, first_seen_at, is_gone) \
                 select old.organization_id, old.vendor_id, $3, old.principal, old.email, old.name, old.kind, 0, old.frozen, \
                   old.created_on_vendor_at, old.attributes, old.activity_state, old.activity_at, old.first_seen_at, 1 \
                 from accounts old where old.organization_id = $2 and old.valid_to = $3 \
                   and not exists (select 1 from staged_accounts s where s.run_id = $1 and s.vendor_id = old.vendor_id)",
                merge,
            )
            .await?;
        }
    }
    Ok(json!({ "new": opened - changed, "changed": changed, "gone": gone }))
}

/// A subscription counts while its account is active; a deactivated user's stays, inactive.
async fn subscriptions(tx: &mut Tx, merge: &Merge<'_>) -> Result<Value, StoreError> {
    let changed = run(
        tx,
        "update subscriptions set valid_to = $3 where organization_id = $2 and valid_to is null and exists ( \
           select 1 from staged_subscriptions s join accounts a on a.organization_id = $2 and a.vendor_id = s.account_id \
             and a.valid_to is null \
           where s.run_id = $1 and s.account_id = subscriptions.account_id and s.identifier = subscriptions.identifier and ( \
             a.is_active <> subscriptions.is_active or s.assignment_id is distinct from subscriptions.assignment_id \
             or s.assigned_at is distinct from subscriptions.assigned_at or s.evidence <> subscriptions.evidence))",
        merge,
    )
    .await?;
    let opened = run(
        tx,
        "insert into subscriptions (organization_id, account_id, identifier, valid_from, is_active, assignment_id, assigned_at, source, evidence) \
         select $2, s.account_id, s.identifier, $3, a.is_active, s.assignment_id, s.assigned_at, 'connector', s.evidence \
         from staged_subscriptions s \
         join accounts a on a.organization_id = $2 and a.vendor_id = s.account_id and a.valid_to is null \
         left join subscriptions cur on cur.organization_id = $2 and cur.account_id = s.account_id \
           and cur.identifier = s.identifier and cur.valid_to is null \
         where s.run_id = $1 and cur.account_id is null",
        merge,
    )
    .await?;
    let ended = if merge.is_full {
        run(
            tx,
            "update subscriptions set valid_to = $3, ended_at = $3 where organization_id = $2 and valid_to is null \
               and not exists (select 1 from staged_subscriptions s where s.run_id = $1 \
                 and s.account_id = subscriptions.account_id and s.identifier = subscriptions.identifier)",
            merge,
        )
        .await?
    } else {
        0
    };
    let orphans = sqlx::query(
        "select count(*) as n from staged_subscriptions s where s.run_id = $1 and not exists (select 1 from accounts a \
           where a.organization_id = $2 and a.vendor_id = s.account_id and a.valid_to is null)",
    )
    .bind(merge.run.as_str())
    .bind(merge.organization.as_str())
    .fetch_one(tx.conn())
    .await?
    .try_get::<i64, _>("n")?;
    Ok(
        json!({ "new": opened - changed, "changed": changed, "ended": ended, "without_account": orphans }),
    )
}

async fn pools(tx: &mut Tx, merge: &Merge<'_>) -> Result<Value, StoreError> {
    let changed = run(
        tx,
        "update pools set valid_to = $3 where organization_id = $2 and valid_to is null and not exists ( \
           select 1 from staged_pools s where s.run_id = $1 and s.identifier = pools.identifier and s.metric = pools.metric \
             and s.label = pools.label and s.owned is not distinct from pools.owned and s.used is not distinct from pools.used \
             and s.period_from is not distinct from pools.period_from and s.period_to is not distinct from pools.period_to \
             and s.expires is not distinct from pools.expires and s.is_active = pools.is_active)",
        merge,
    )
    .await?;
    let opened = run(
        tx,
        "insert into pools (organization_id, identifier, metric, valid_from, label, owned, used, period_from, period_to, expires, \
           is_active, attributes) \
         select $2, s.identifier, s.metric, $3, s.label, s.owned, s.used, s.period_from, s.period_to, s.expires, s.is_active, s.attributes \
         from staged_pools s left join pools cur on cur.organization_id = $2 and cur.identifier = s.identifier \
           and cur.metric = s.metric and cur.valid_to is null \
         where s.run_id = $1 and cur.identifier is null",
        merge,
    )
    .await?;
    Ok(json!({ "opened": opened, "closed": changed }))
}
