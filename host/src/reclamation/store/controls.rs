//! SQL of exemptions, switches, clock resets and savings.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::kernel::{ActionId, CandidateId, ExemptionId, OrgId, ProductId, SavingsEventId};
use crate::reclamation::model::ExemptionView;
use crate::store::{StoreError, Tx};

fn exemption(row: &AnyRow) -> Result<ExemptionView, StoreError> {
    Ok(ExemptionView {
        id: row.try_get::<String, _>("id")?.into(),
        organization_id: row
            .try_get::<Option<String>, _>("organization_id")?
            .map(OrgId::from),
        principal: row
            .try_get::<Option<String>, _>("principal")?
            .unwrap_or_default(),
        kind: row.try_get("kind")?,
        reason: row.try_get("reason")?,
        until: row.try_get("until")?,
        created_by: row.try_get("created_by_name")?,
        created_at: row.try_get("created_at")?,
        ended_at: row.try_get("ended_at")?,
    })
}

pub(in crate::reclamation) async fn insert_exemption(
    tx: &mut Tx,
    it: &ExemptionView,
    created_by: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into exemptions (id, organization_id, principal, kind, reason, until, created_by, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(it.id.as_str())
    .bind(it.organization_id.as_ref().map(ToString::to_string))
    .bind(&it.principal)
    .bind(&it.kind)
    .bind(&it.reason)
    .bind(it.until)
    .bind(created_by)
    .bind(it.created_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// All, those in force first.
pub(in crate::reclamation) async fn list_exemptions(
    tx: &mut Tx,
) -> Result<Vec<ExemptionView>, StoreError> {
    sqlx::query(
        "select x.*, coalesce(p.name, x.created_by) as created_by_name from exemptions x left join principals p on p.id = x.created_by \
         order by case when x.ended_at is null then 0 else 1 end, x.principal, x.created_at",
    )
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(exemption)
    .collect()
}

pub(in crate::reclamation) async fn end_exemption(
    tx: &mut Tx,
    id: &ExemptionId,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done =
        sqlx::query("update exemptions set ended_at = $2 where id = $1 and ended_at is null")
            .bind(id.as_str())
            .bind(now_ms)
            .execute(tx.conn())
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Who made exemptions that are in force.
pub(in crate::reclamation) async fn people_behind_exemptions(
    tx: &mut Tx,
    now_ms: i64,
) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query("select distinct created_by from exemptions where ended_at is null and (until is null or until > $1) order by created_by")
        .bind(now_ms)
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| Ok(row.try_get("created_by")?))
        .collect()
}

/// A switch: value, who, why, since when.
pub(in crate::reclamation) struct Control {
    pub value: String,
    pub set_by: String,
    pub reason: Option<String>,
    pub set_at: i64,
}

pub(in crate::reclamation) async fn get(
    tx: &mut Tx,
    name: &str,
) -> Result<Option<Control>, StoreError> {
    let row = sqlx::query(
        "select c.value, coalesce(p.name, c.set_by) as set_by, c.reason, c.set_at from controls c left join principals p on p.id = c.set_by \
         where c.name = $1",
    )
    .bind(name)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(Control {
            value: row.try_get("value")?,
            set_by: row.try_get("set_by")?,
            reason: row.try_get("reason")?,
            set_at: row.try_get("set_at")?,
        })
    })
    .transpose()
}

pub(in crate::reclamation) async fn set(
    tx: &mut Tx,
    name: &str,
    value: &str,
    by: &str,
    reason: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into controls (name, value, set_by, reason, set_at) values ($1, $2, $3, $4, $5) \
         on conflict (name) do update set value = excluded.value, set_by = excluded.set_by, reason = excluded.reason, set_at = excluded.set_at",
    )
    .bind(name)
    .bind(value)
    .bind(by)
    .bind(reason)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Starts an account's clock anew.
pub(in crate::reclamation) async fn reset_clock(
    tx: &mut Tx,
    organization: &OrgId,
    account: &str,
    cause: &str,
    subject: &str,
    at: i64,
    cool_down_until: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into clock_resets (organization_id, account_id, at, cause, subject_id, cool_down_until) values ($1, $2, $3, $4, $5, $6) \
         on conflict (organization_id, account_id, at, cause) do nothing",
    )
    .bind(organization.as_str())
    .bind(account)
    .bind(at)
    .bind(cause)
    .bind(subject)
    .bind(cool_down_until)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Seats that were taken back since a moment, are active again now, and that nobody has noted yet: the clock of their accounts
/// starts anew. Answers how many.
pub(in crate::reclamation) async fn reset_reactivated(
    tx: &mut Tx,
    organization: &OrgId,
    since: i64,
    now_ms: i64,
    cool_down_until: i64,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "insert into clock_resets (organization_id, account_id, at, cause, subject_id, cool_down_until) \
         select c.organization_id, c.account_id, $3, 'reactivated', min(c.id), $4 from candidates c \
         join actions a on a.id = c.action_id \
         join subscriptions s on s.organization_id = c.organization_id and s.account_id = c.account_id and s.identifier = c.identifier \
           and s.valid_to is null and s.is_active = 1 \
         where c.organization_id = $1 and c.state = 'closed_complete' and c.closed_at >= $2 and s.valid_from > a.ended_at \
           and not exists (select 1 from clock_resets r where r.organization_id = c.organization_id and r.account_id = c.account_id \
             and r.at >= a.ended_at) \
         group by c.organization_id, c.account_id \
         on conflict (organization_id, account_id, at, cause) do nothing",
    )
    .bind(organization.as_str())
    .bind(since)
    .bind(now_ms)
    .bind(cool_down_until)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// One savings event.
pub(in crate::reclamation) struct NewSaving<'a> {
    pub id: SavingsEventId,
    pub organization: &'a OrgId,
    pub product: &'a ProductId,
    pub candidate: Option<&'a CandidateId>,
    pub action: Option<&'a ActionId>,
    pub kind: &'static str,
    pub seats: i64,
    pub amount_minor: Option<i64>,
    pub currency: Option<&'a str>,
    pub explained: &'a str,
    pub at: i64,
}

/// Writes a savings event, unless this action has one of its kind for the product: each seat counts once.
pub(in crate::reclamation) async fn insert_saving(
    tx: &mut Tx,
    new: &NewSaving<'_>,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into savings_events (id, organization_id, product_id, candidate_id, action_id, kind, seats, amount_minor, currency, \
           explained, at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (action_id, product_id, kind, seats) do nothing",
    )
    .bind(new.id.as_str())
    .bind(new.organization.as_str())
    .bind(new.product.as_str())
    .bind(new.candidate.map(|id| id.as_str().to_owned()))
    .bind(new.action.map(|id| id.as_str().to_owned()))
    .bind(new.kind)
    .bind(new.seats)
    .bind(new.amount_minor)
    .bind(new.currency)
    .bind(new.explained)
    .bind(new.at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What an action was counted for: product, seats returned, amount avoided, currency.
pub(in crate::reclamation) async fn savings_of(
    tx: &mut Tx,
    action: &ActionId,
) -> Result<Vec<(ProductId, i64, i64, Option<String>)>, StoreError> {
    let rows = sqlx::query(
        "select product_id, max(currency) as currency, \
           cast(coalesce(sum(case when kind = 'seat_returned' then seats else 0 end), 0) as bigint) as seats, \
           cast(coalesce(sum(case when kind = 'avoided' then amount_minor else 0 end), 0) as bigint) as avoided \
         from savings_events where action_id = $1 and kind <> 'netted' group by product_id order by product_id",
    )
    .bind(action.as_str())
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.try_get::<String, _>("product_id")?.into(),
                row.try_get("seats")?,
                row.try_get("avoided")?,
                row.try_get("currency")?,
            ))
        })
        .collect()
}

/// Seats that the vendor sold an organization of a product; `None` when a pool is not known.
pub(in crate::reclamation) async fn vendor_seats(
    tx: &mut Tx,
    product: &ProductId,
    organization: &OrgId,
) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query(
        "select cast(sum(p.owned) as bigint) as owned, count(*) as pools, count(p.owned) as known from pools p \
         join organizations o on o.id = p.organization_id \
         join identifiers i on i.connector_id = o.connector_id and i.identifier = p.identifier and i.product_id = $1 \
         where p.organization_id = $2 and p.valid_to is null and p.is_active = 1 and p.metric = 'seats'",
    )
    .bind(product.as_str())
    .bind(organization.as_str())
    .fetch_one(tx.conn())
    .await?;
    let (pools, known): (i64, i64) = (row.try_get("pools")?, row.try_get("known")?);
    if pools > 0 && pools == known {
        Ok(row.try_get("owned")?)
    } else {
        Ok(None)
    }
}

/// Seats of a product that were taken back and are gone, and that no download has confirmed yet.
pub(in crate::reclamation) async fn seats_gone_unconfirmed(
    tx: &mut Tx,
    product: &ProductId,
    organization: Option<&OrgId>,
) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "select count(*) as n from candidates c where c.product_id = $1 and c.state = 'reclaimed' and ($2 = '' or c.organization_id = $2) \
           and not exists (select 1 from subscriptions s where s.organization_id = c.organization_id and s.account_id = c.account_id \
             and s.identifier = c.identifier and s.valid_to is null and s.is_active = 1)",
    )
    .bind(product.as_str())
    .bind(organization.map_or("", |id| id.as_str()))
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get("n")?)
}
