//! SQL of reconciliation: gathering set by set, keeping each result.
//!
//! Reads the facts of other domains together, as a report: nothing here writes to their tables.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::model::{Basis, PositionView, ReconciliationView, Savings, Totals};
use super::position::{Metric, OrgUse};
use crate::kernel::{Day, OrgId, ProductId, ReconciliationId};
use crate::store::{StoreError, Tx, bulk};

/// A product under management with what each organization holds of it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub product: ProductId,
    pub name: String,
    pub metric: Metric,
    pub organizations: Vec<OrgUse>,
}

/// Organizations with a complete run, and the last one of each.
pub(super) async fn basis(tx: &mut Tx) -> Result<Vec<Basis>, StoreError> {
    let rows = sqlx::query(
        "select o.id, o.name, r.number, r.ended_at, \
           (select f.out_of_scope from runs f where f.organization_id = o.id and f.state = 'complete' \
             and f.process = 'subscriptions' and f.kind = 'full' order by f.ended_at desc limit 1) as left_out from organizations o \
         join runs r on r.organization_id = o.id and r.state = 'complete' and r.process = 'subscriptions' \
         where not exists (select 1 from runs n where n.organization_id = o.id and n.state = 'complete' \
           and n.process = 'subscriptions' and n.ended_at > r.ended_at) \
         order by o.id",
    )
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Basis {
                organization_id: row.try_get("id")?,
                organization: row.try_get("name")?,
                run: row.try_get("number")?,
                as_of: row.try_get("ended_at")?,
                left_out: row.try_get::<Option<i64>, _>("left_out")?.unwrap_or(0),
            })
        })
        .collect()
}

/// Every managed product that someone uses, pools or bought.
pub(super) async fn held(tx: &mut Tx) -> Result<Vec<Held>, StoreError> {
    let products = sqlx::query(
        "select p.id, p.name, p.metric from products p join software_models m on m.product_id = p.id and m.is_under_management = 1 order by p.id",
    )
    .fetch_all(tx.conn())
    .await?;
    let mut uses: BTreeMap<(String, String), OrgUse> = BTreeMap::new();
    fn entry(
        uses: &mut BTreeMap<(String, String), OrgUse>,
        product: String,
        organization: String,
    ) -> &mut OrgUse {
        let id: OrgId = organization.clone().into();
        uses.entry((product, organization)).or_insert(OrgUse {
            organization: id,
            active: 0,
            candidates: 0,
            stale: 0,
            vendor_owned: None,
            vendor_used: None,
        })
    }
    let active = sqlx::query(
        "select i.product_id, s.organization_id, cast(sum(s.is_active) as bigint) as active from subscriptions s \
         join organizations o on o.id = s.organization_id \
         join identifiers i on i.connector_id = o.connector_id and i.identifier = s.identifier \
         where s.valid_to is null and i.product_id is not null and i.is_excluded_from_position = 0 \
         group by i.product_id, s.organization_id",
    )
    .fetch_all(tx.conn())
    .await?;
    for row in &active {
        entry(
            &mut uses,
            row.try_get("product_id")?,
            row.try_get("organization_id")?,
        )
        .active = row.try_get("active")?;
    }
    let pools = sqlx::query(
        "select i.product_id, p.organization_id, cast(sum(p.owned) as bigint) as owned, cast(sum(p.used) as bigint) as used, \
           count(*) as pools, count(p.owned) as owned_known, count(p.used) as used_known from pools p \
         join organizations o on o.id = p.organization_id \
         join identifiers i on i.connector_id = o.connector_id and i.identifier = p.identifier \
         join products d on d.id = i.product_id and d.metric = p.metric \
         where p.valid_to is null and p.is_active = 1 and i.is_excluded_from_position = 0 \
         group by i.product_id, p.organization_id",
    )
    .fetch_all(tx.conn())
    .await?;
    for row in &pools {
        let known: i64 = row.try_get("pools")?;
        let it = entry(
            &mut uses,
            row.try_get("product_id")?,
            row.try_get("organization_id")?,
        );
        // A sum with an unknown part is unknown.
        if row.try_get::<i64, _>("owned_known")? == known {
            it.vendor_owned = row.try_get("owned")?;
        }
        if row.try_get::<i64, _>("used_known")? == known {
            it.vendor_used = row.try_get("used")?;
        }
    }
    let open = sqlx::query(
        "select product_id, organization_id, count(*) as candidates from candidates \
         where closed_at is null and state <> 'reclaimed' group by product_id, organization_id",
    )
    .fetch_all(tx.conn())
    .await?;
    for row in &open {
        let it = entry(
            &mut uses,
            row.try_get("product_id")?,
            row.try_get("organization_id")?,
        );
        it.candidates = row.try_get("candidates")?;
    }
    products
        .iter()
        .map(|row| {
            let id: String = row.try_get("id")?;
            let metric: String = row.try_get("metric")?;
            let organizations = uses
                .range((id.clone(), String::new())..)
                .take_while(|((product, _), _)| *product == id)
                .map(|(_, it)| it.clone())
                .collect();
            Ok(Held {
                product: id.into(),
                name: row.try_get("name")?,
                metric: match metric.as_str() {
                    "logins" => Metric::Logins,
                    "units" => Metric::Units,
                    _ => Metric::Seats,
                },
                organizations,
            })
        })
        .collect()
}

/// What stands beside the positions, amounts apart.
pub(super) async fn totals(tx: &mut Tx) -> Result<Totals, StoreError> {
    let row = sqlx::query(
        "select (select count(*) from identifiers where product_id is null) as identifiers, \
           (select count(*) from current_subscriptions where product_id is null and is_active = 1) as subscriptions, \
           (select count(*) from (select organization_id, account_id from current_subscriptions \
              where is_active = 1 and kind = 'person' and person_id is null and product_id is not null \
              group by organization_id, account_id) u) as unresolved, \
           (select count(*) from (select person_id, product_id from current_subscriptions \
              where is_active = 1 and person_id is not null and product_id is not null and is_free = 0 \
              group by person_id, product_id having count(distinct organization_id) > 1) v) as overlaps",
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Totals {
        amounts: Vec::new(),
        unrecognised_identifiers: row.try_get("identifiers")?,
        unrecognised_subscriptions: row.try_get("subscriptions")?,
        unresolved_accounts: row.try_get("unresolved")?,
        overlaps: row.try_get("overlaps")?,
    })
}

/// The newest result, to see whether anything is new: number, day, digest.
pub(super) async fn newest(tx: &mut Tx) -> Result<Option<(String, String, String)>, StoreError> {
    let row = sqlx::query(
        "select number, as_of_day, digest from reconciliations order by ran_at desc, number desc limit 1",
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok((
            row.try_get("number")?,
            row.try_get("as_of_day")?,
            row.try_get("digest")?,
        ))
    })
    .transpose()
}

pub(super) struct NewResult<'a> {
    pub id: &'a ReconciliationId,
    pub number: &'a str,
    pub trigger: &'a str,
    pub ran_at: i64,
    pub day: Day,
    pub basis: &'a [Basis],
    pub totals: &'a Totals,
    pub digest: &'a str,
}

pub(super) async fn insert(
    tx: &mut Tx,
    new: &NewResult<'_>,
    positions: &[PositionView],
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into reconciliations (id, number, trigger, ran_at, as_of_day, state, basis, totals, digest, created_at) \
         values ($1, $2, $3, $4, $5, 'complete', $6, $7, $8, $4)",
    )
    .bind(new.id.as_str())
    .bind(new.number)
    .bind(new.trigger)
    .bind(new.ran_at)
    .bind(new.day.to_string())
    .bind(serde_json::json!(new.basis).to_string())
    .bind(serde_json::json!(new.totals).to_string())
    .bind(new.digest)
    .execute(tx.conn())
    .await?;
    bulk::insert(
        tx,
        "insert into positions (reconciliation_id, product_id, scope, metric, owned, active, used, available, needed, vendor_owned, \
           vendor_used, typed_owned, status, unit_price_micros, currency, true_up_minor, over_licensed_minor, spend_minor, \
           candidates, potential_minor, percent_unused_tenths, detail) ",
        "",
        22,
        positions,
        |row, p| {
            row.push_bind(new.id.to_string())
                .push_bind(p.product_id.to_string())
                .push_bind(p.scope.clone())
                .push_bind(p.metric.clone())
                .push_bind(p.owned)
                .push_bind(p.active)
                .push_bind(p.used)
                .push_bind(p.available)
                .push_bind(p.needed)
                .push_bind(p.vendor_owned)
                .push_bind(p.vendor_used)
                .push_bind(p.typed_owned)
                .push_bind(p.status.clone())
                .push_bind(p.unit_price_micros)
                .push_bind(p.currency.clone())
                .push_bind(p.true_up_minor)
                .push_bind(p.over_licensed_minor)
                .push_bind(p.spend_minor)
                .push_bind(p.candidates)
                .push_bind(p.potential_minor)
                .push_bind(p.percent_unused_tenths)
                .push_bind(p.detail.to_string());
        },
    )
    .await?;
    Ok(())
}

/// One result by id or number; `None` as key: the newest.
pub(super) async fn find(
    tx: &mut Tx,
    key: Option<&str>,
) -> Result<Option<ReconciliationView>, StoreError> {
    let row = sqlx::query(
        "select * from reconciliations where $1 = '' or id = $1 or number = $1 order by ran_at desc, number desc limit 1",
    )
    .bind(key.unwrap_or(""))
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let id: String = row.try_get("id")?;
    let positions = sqlx::query(
        "select p.*, d.name as product, o.name as organization from positions p join products d on d.id = p.product_id \
         left join organizations o on o.id = p.scope where p.reconciliation_id = $1 order by d.name, p.scope",
    )
    .bind(&id)
    .fetch_all(tx.conn())
    .await?;
    let positions = positions
        .iter()
        .map(|row| {
            let scope: String = row.try_get("scope")?;
            Ok(PositionView {
                product_id: row.try_get::<String, _>("product_id")?.into(),
                product: row.try_get("product")?,
                scope_name: row
                    .try_get::<Option<String>, _>("organization")?
                    .unwrap_or_else(|| scope.clone()),
                scope,
                metric: row.try_get("metric")?,
                owned: row.try_get("owned")?,
                active: row.try_get("active")?,
                used: row.try_get("used")?,
                available: row.try_get("available")?,
                needed: row.try_get("needed")?,
                vendor_owned: row.try_get("vendor_owned")?,
                vendor_used: row.try_get("vendor_used")?,
                gap: None,
                typed_owned: row.try_get("typed_owned")?,
                status: row.try_get("status")?,
                currency: row.try_get("currency")?,
                unit_price_micros: row.try_get("unit_price_micros")?,
                true_up_minor: row.try_get("true_up_minor")?,
                over_licensed_minor: row.try_get("over_licensed_minor")?,
                spend_minor: row.try_get("spend_minor")?,
                candidates: row.try_get("candidates")?,
                potential_minor: row.try_get("potential_minor")?,
                percent_unused_tenths: row.try_get("percent_unused_tenths")?,
                detail: serde_json::from_str(&row.try_get::<String, _>("detail")?)
                    .unwrap_or_default(),
            })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(Some(ReconciliationView {
        id: id.into(),
        number: row.try_get("number")?,
        trigger: row.try_get("trigger")?,
        ran_at: row.try_get("ran_at")?,
        as_of_day: row.try_get("as_of_day")?,
        basis: serde_json::from_str(&row.try_get::<String, _>("basis")?).unwrap_or_default(),
        totals: serde_json::from_str(&row.try_get::<String, _>("totals")?).unwrap_or_default(),
        digest: row.try_get("digest")?,
        positions,
        savings: Vec::new(),
    }))
}

/// Results, newest first: number, trigger, when, day.
pub(super) async fn list(
    tx: &mut Tx,
    limit: i64,
) -> Result<Vec<(String, String, i64, String)>, StoreError> {
    let rows = sqlx::query(
        "select number, trigger, ran_at, as_of_day from reconciliations order by ran_at desc, number desc limit $1",
    )
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.try_get("number")?,
                row.try_get("trigger")?,
                row.try_get("ran_at")?,
                row.try_get("as_of_day")?,
            ))
        })
        .collect()
}

/// Savings events up to now, by currency; candidates closed complete since the first day of the year.
pub(super) async fn savings(tx: &mut Tx, year_start: i64) -> Result<Vec<Savings>, StoreError> {
    let rows = sqlx::query(
        "select coalesce(currency, '') as currency, kind, cast(sum(seats) as bigint) as seats, \
           cast(coalesce(sum(amount_minor), 0) as bigint) as amount from savings_events group by coalesce(currency, ''), kind",
    )
    .fetch_all(tx.conn())
    .await?;
    let mut all: BTreeMap<String, Savings> = BTreeMap::new();
    for row in &rows {
        let currency: String = row.try_get("currency")?;
        let it = all.entry(currency.clone()).or_default();
        it.currency = (!currency.is_empty()).then_some(currency);
        let (seats, amount): (i64, i64) = (row.try_get("seats")?, row.try_get("amount")?);
        match row.try_get::<String, _>("kind")?.as_str() {
            "seat_returned" => it.seats_returned += seats,
            "avoided" => it.avoided_minor += amount,
            "cash" => it.cash_minor += amount,
            _ => {
                it.netted_minor += amount.abs();
                it.avoided_minor -= amount.abs();
                it.seats_returned -= seats.abs();
            }
        }
    }
    let closed = sqlx::query(
        "select coalesce(currency, '') as currency, cast(coalesce(sum(saving_minor), 0) as bigint) as amount from candidates \
         where state = 'closed_complete' and closed_at >= $1 group by coalesce(currency, '')",
    )
    .bind(year_start)
    .fetch_all(tx.conn())
    .await?;
    for row in &closed {
        let currency: String = row.try_get("currency")?;
        let it = all.entry(currency.clone()).or_default();
        it.currency = (!currency.is_empty()).then_some(currency);
        it.actual_savings_minor = row.try_get("amount")?;
    }
    Ok(all.into_values().collect())
}
