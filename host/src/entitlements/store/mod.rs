//! SQL of entitlements and of the list of subscriptions.

pub(super) mod accounts;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::model::{EntitlementView, Judgement, SubscriptionView};
use super::subscriptions::{Cursor, Filter, Standing};
use super::terms::{Period, Right};
use crate::kernel::money::{Currency, UnitPrice};
use crate::kernel::{Day, EntitlementId, OrgId, ProductId};
use crate::store::{StoreError, Tx};

const VIEW: &str = "select e.*, p.name as product_name, o.name as organization_name, \
       (select min(b.source_rank) from entitlements b where b.product_id = e.product_id and b.state = 'in_use' \
          and b.starts_on <= $1 and b.ends_on >= $1 \
          and b.is_shared = e.is_shared and coalesce(b.organization_id, '') = coalesce(e.organization_id, '')) as best_rank \
     from entitlements e join products p on p.id = e.product_id left join organizations o on o.id = e.organization_id";

fn broken(what: &str) -> StoreError {
    StoreError::Migrate(format!("{what} of an entitlement is not readable"))
}

fn price(row: &AnyRow) -> Result<UnitPrice, StoreError> {
    let currency: Currency = row
        .try_get::<String, _>("currency")?
        .parse()
        .map_err(|_| broken("the currency"))?;
    Ok(UnitPrice {
        micros: row.try_get("unit_price_micros")?,
        currency,
    })
}

fn day(row: &AnyRow, column: &str) -> Result<Day, StoreError> {
    row.try_get::<String, _>(column)?
        .parse()
        .map_err(|_| broken("a date"))
}

fn view(row: &AnyRow, today: Day) -> Result<EntitlementView, StoreError> {
    let (starts_on, ends_on) = (day(row, "starts_on")?, day(row, "ends_on")?);
    let state: String = row.try_get("state")?;
    let source_rank: i64 = row.try_get("source_rank")?;
    let best: Option<i64> = row.try_get("best_rank")?;
    let why_not = match state.as_str() {
        "retired" => Some("retired"),
        "build" => Some("in_build"),
        _ if today < starts_on => Some("not_started"),
        _ if today > ends_on => Some("ended"),
        _ if best.is_some_and(|best| best < source_rank) => Some("better_source"),
        _ => None,
    };
    Ok(EntitlementView {
        id: row.try_get::<String, _>("id")?.into(),
        number: row.try_get("number")?,
        product_id: row.try_get::<String, _>("product_id")?.into(),
        product_name: row.try_get("product_name")?,
        organization_id: row
            .try_get::<Option<String>, _>("organization_id")?
            .map(Into::into),
        organization_name: row.try_get("organization_name")?,
        is_shared: row.try_get::<i64, _>("is_shared")? == 1,
        rights: row.try_get("rights")?,
        unit_price: price(row)?,
        period: Period::parse(&row.try_get::<String, _>("period")?)
            .ok_or_else(|| broken("the period"))?,
        starts_on,
        ends_on,
        state,
        is_active: why_not.is_none(),
        why_not,
        source: row.try_get("source")?,
        source_rank,
        note: row.try_get("note")?,
        created_by: row.try_get("created_by")?,
        changed_by: row.try_get("changed_by")?,
        version: row.try_get("version")?,
    })
}

pub(super) async fn list(
    tx: &mut Tx,
    today: Day,
    product: Option<&ProductId>,
) -> Result<Vec<EntitlementView>, StoreError> {
    let sql = format!("{VIEW} where ($2 = '' or e.product_id = $2) order by e.number");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(today.to_string())
        .bind(product.map_or("", ProductId::as_str))
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(|row| view(row, today)).collect()
}

/// By id or number.
pub(super) async fn find(
    tx: &mut Tx,
    today: Day,
    key: &str,
) -> Result<Option<EntitlementView>, StoreError> {
    let sql = format!("{VIEW} where e.id = $2 or e.number = $2");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(today.to_string())
        .bind(key)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(|row| view(row, today)).transpose()
}

pub(super) struct NewRow<'a> {
    pub id: &'a EntitlementId,
    pub number: &'a str,
    pub product: &'a ProductId,
    pub organization: Option<&'a OrgId>,
    pub is_shared: bool,
    pub rights: Option<i64>,
    pub price: UnitPrice,
    pub period: Period,
    pub starts_on: Day,
    pub ends_on: Day,
    pub source: &'a str,
    pub source_rank: i64,
    pub note: Option<&'a str>,
    pub by: &'a str,
    pub now_ms: i64,
}

pub(super) async fn insert(tx: &mut Tx, new: &NewRow<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "insert into entitlements (id, number, product_id, organization_id, is_shared, rights, unit_price_micros, currency, period, \
           starts_on, ends_on, state, source, source_rank, note, created_by, changed_by, created_at, updated_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'in_use', $12, $13, $14, $15, $15, $16, $16)",
    )
    .bind(new.id.as_str())
    .bind(new.number)
    .bind(new.product.as_str())
    .bind(new.organization.map(|o| o.as_str().to_owned()))
    .bind(i64::from(new.is_shared))
    .bind(new.rights)
    .bind(new.price.micros)
    .bind(new.price.currency.code())
    .bind(new.period.as_str())
    .bind(new.starts_on.to_string())
    .bind(new.ends_on.to_string())
    .bind(new.source)
    .bind(new.source_rank)
    .bind(new.note.map(str::to_owned))
    .bind(new.by)
    .bind(new.now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// False when it was changed in the meantime or is in that state already.
pub(super) async fn set_state(
    tx: &mut Tx,
    id: &EntitlementId,
    state: &str,
    by: &str,
    version: i64,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "update entitlements set state = $2, changed_by = $3, updated_at = $5, version = version + 1 \
         where id = $1 and version = $4 and state <> $2",
    )
    .bind(id.as_str())
    .bind(state)
    .bind(by)
    .bind(version)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn insert_allocation(
    tx: &mut Tx,
    id: &str,
    entitlement: &EntitlementId,
    person: &str,
    rights: i64,
    by: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into allocations (id, entitlement_id, person_id, rights, created_by, created_at) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(entitlement.as_str())
    .bind(person)
    .bind(rights)
    .bind(by)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Rights that count on a day, by product: in use, within their dates, and of the best source there is.
pub(super) async fn active_rights(
    tx: &mut Tx,
    today: Day,
    product: Option<&ProductId>,
) -> Result<Vec<(ProductId, Right)>, StoreError> {
    Ok(list(tx, today, product)
        .await?
        .into_iter()
        .filter(|e| e.is_active)
        .map(|e| {
            let right = Right {
                organization: e.organization_id,
                is_shared: e.is_shared,
                rights: e.rights,
                price: e.unit_price,
                period: e.period,
                ends_on: e.ends_on,
            };
            (e.product_id, right)
        })
        .collect())
}

/// Per product: rights reserved under entitlements that count today, and of these the ones in use.
pub(super) async fn allocations(
    tx: &mut Tx,
    today: Day,
) -> Result<Vec<(ProductId, i64, i64)>, StoreError> {
    let rows = sqlx::query(
        "select r.product_id, cast(sum(r.rights) as bigint) as allocated, \
           cast(sum(case when coalesce(u.active, 0) < r.rights then coalesce(u.active, 0) else r.rights end) as bigint) as in_use \
         from (select e.product_id, a.person_id, cast(sum(a.rights) as bigint) as rights from allocations a \
             join entitlements e on e.id = a.entitlement_id and e.state = 'in_use' and e.starts_on <= $1 and e.ends_on >= $1 \
             group by e.product_id, a.person_id) r \
         left join (select product_id, person_id, count(*) as active from current_subscriptions \
             where is_active = 1 and person_id is not null and product_id is not null and is_excluded_from_position = 0 \
             group by product_id, person_id) u on u.product_id = r.product_id and u.person_id = r.person_id \
         group by r.product_id",
    )
    .bind(today.to_string())
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.try_get::<String, _>("product_id")?.into(),
                row.try_get("allocated")?,
                row.try_get("in_use")?,
            ))
        })
        .collect()
}

/// The list, with how a database reads a field of a JSON text.
macro_rules! subscriptions {
    ($field:literal) => {
        concat!(
            "select c.organization_id, org.name as organization, c.account_id, c.principal, c.name, c.email, c.kind, \
       c.identifier, c.label, c.product_id, c.product_name, c.person_id, per.name as person, c.is_active, c.frozen, c.assigned_at, \
       c.created_on_vendor_at, c.activity_at, c.activity_state, c.baseline_at \
     from current_subscriptions c join organizations org on org.id = c.organization_id \
     left join people per on per.id = c.person_id \
     where (c.organization_id, c.account_id, c.identifier) > ($1, $2, $3) \
       and ($4 = '' or c.organization_id = $4) and ($5 = '' or c.product_id = $5) and ($6 = '' or c.identifier = $6) \
       and ($7 = '' or lower(c.principal) like $7 escape '!' or lower(c.name) like $7 escape '!' or lower(c.email) like $7 escape '!') \
       and ($8 = 0 or c.baseline_at < $8) \
       and (case $9 when 'active' then c.is_active when 'inactive' then 1 - c.is_active \
            when 'unresolved' then case when c.person_id is null and c.is_active = 1 then 1 else 0 end \
            when 'unrecognised' then case when c.product_id is null then 1 else 0 end \
            when 'unknown' then case when c.baseline_at is null then 1 else 0 end \
            when 'frozen' then case when c.frozen = 'yes' then 1 else 0 end else 1 end) = 1 \
       and ($10 = '' or ($10 = 'licence' and (c.label = $11 or lower(c.label) = $12)) or exists (select 1 from accounts a \
            where a.organization_id = c.organization_id and a.vendor_id = c.account_id and a.valid_to is null and (",
            $field,
            " = $11 or lower(",
            $field,
            ") = $12))) order by c.organization_id, c.account_id, c.identifier limit $13"
        )
    };
}

pub(super) async fn list_subscriptions(
    tx: &mut Tx,
    filter: &Filter,
    after: &Cursor,
    today: Day,
    limit: i64,
) -> Result<Vec<SubscriptionView>, StoreError> {
    // `>= n` whole days before today: the clock started before the end of that day.
    let before = filter
        .inactive_days
        .map_or(0, |days| today.plus_days(1 - days).start_ms());
    let search = filter.search.as_deref().map_or_else(String::new, |text| {
        let escaped = text
            .trim()
            .to_lowercase()
            .replace('!', "!!")
            .replace('%', "!%")
            .replace('_', "!_");
        if escaped.is_empty() {
            String::new()
        } else {
            format!("%{escaped}%")
        }
    });
    let text = tx.dialect().pick(
        subscriptions!(r#"json_extract(a.attributes, '$."' || $10 || '"')"#),
        subscriptions!("cast(a.attributes as jsonb) ->> cast($10 as text)"),
    );
    let (attribute, value) = filter
        .attribute
        .as_ref()
        .map_or((String::new(), String::new()), |one| {
            (one.name.clone(), one.value.clone())
        });
    let rows = sqlx::query(text)
        .bind(&after.organization)
        .bind(&after.account)
        .bind(&after.identifier)
        .bind(filter.organization.as_ref().map_or("", OrgId::as_str))
        .bind(filter.product.as_ref().map_or("", ProductId::as_str))
        .bind(filter.identifier.as_deref().unwrap_or(""))
        .bind(search)
        .bind(before)
        .bind(filter.standing.map_or("", Standing::as_str))
        .bind(attribute)
        .bind(&value)
        .bind(value.to_lowercase())
        .bind(limit)
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| {
            let baseline: Option<i64> = row.try_get("baseline_at")?;
            let judgement = match (
                baseline,
                row.try_get::<String, _>("activity_state")?.as_str(),
            ) {
                (None, _) => Judgement::Unknown,
                (Some(_), "never") => Judgement::Never,
                (Some(_), _) => Judgement::Used,
            };
            Ok(SubscriptionView {
                organization_id: row.try_get::<String, _>("organization_id")?.into(),
                organization: row.try_get("organization")?,
                account_id: row.try_get("account_id")?,
                principal: row.try_get("principal")?,
                name: row.try_get("name")?,
                email: row.try_get("email")?,
                kind: row.try_get("kind")?,
                identifier: row.try_get("identifier")?,
                label: row.try_get("label")?,
                product_id: row
                    .try_get::<Option<String>, _>("product_id")?
                    .map(Into::into),
                product_name: row.try_get("product_name")?,
                person_id: row
                    .try_get::<Option<String>, _>("person_id")?
                    .map(Into::into),
                person: row.try_get("person")?,
                is_active: row.try_get::<i64, _>("is_active")? == 1,
                frozen: row.try_get("frozen")?,
                assigned_at: row.try_get("assigned_at")?,
                created_on_vendor_at: row.try_get("created_on_vendor_at")?,
                activity_at: row.try_get("activity_at")?,
                judgement,
                inactive_days: baseline.map(|at| Day::of_ms(at).days_until(today).max(0)),
            })
        })
        .collect()
}

/// Accounts that are looked at for the names of attributes.
const ATTRIBUTES_OF: i64 = 500;

/// What vendors tell of their accounts besides who they are: the names of the attributes that some of them have.
pub(super) async fn attribute_names(tx: &mut Tx) -> Result<BTreeSet<String>, StoreError> {
    let rows = sqlx::query("select attributes from accounts where valid_to is null limit $1")
        .bind(ATTRIBUTES_OF)
        .fetch_all(tx.conn())
        .await?;
    let mut names = BTreeSet::new();
    for row in rows {
        let attributes: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&row.try_get::<String, _>("attributes")?).unwrap_or_default();
        names.extend(attributes.into_keys());
    }
    Ok(names)
}
