//! SQL of people and matches.

use std::collections::HashMap;

use sqlx::Row as _;

use super::import::Row;
use super::matching::{Transform, fold};
use super::model::{PersonView, ResolutionRuleView, UnresolvedView};
use crate::kernel::{BusinessUnitId, EmploymentId, OrgId, PersonId, ResolutionRuleId};
use crate::store::{StoreError, Tx, bulk};

/// A person as stored, for comparing with an import.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub id: PersonId,
    pub external_id: Option<String>,
    pub name: String,
    pub email: Option<String>,
    pub unit: Option<String>,
    pub is_active: bool,
    pub employment: Option<(String, Option<String>, Option<String>)>,
}

/// Everybody with one of these mail addresses (folded) or external ids, each once.
pub(super) async fn list_known(
    tx: &mut Tx,
    mails: &[String],
    ids: &[String],
) -> Result<Vec<Known>, StoreError> {
    let mut rows = bulk::fetch_listed(
        tx,
        "select p.id, p.external_id, p.name, p.email, p.business_unit_id, p.is_active, e.id as employment, e.status, \
           e.department, e.cost_centre \
         from people p left join employments e on e.person_id = p.id and e.valid_to is null where p.email_folded in ",
        mails,
    )
    .await?;
    rows.extend(
        bulk::fetch_listed(
            tx,
            "select p.id, p.external_id, p.name, p.email, p.business_unit_id, p.is_active, e.id as employment, e.status, \
               e.department, e.cost_centre \
             from people p left join employments e on e.person_id = p.id and e.valid_to is null where p.external_id in ",
            ids,
        )
        .await?,
    );
    rows.iter()
        .map(|row| {
            let employment = match row.try_get::<Option<String>, _>("employment")? {
                Some(_) => Some((
                    row.try_get("status")?,
                    row.try_get("department")?,
                    row.try_get("cost_centre")?,
                )),
                None => None,
            };
            Ok(Known {
                id: row.try_get::<String, _>("id")?.into(),
                external_id: row.try_get("external_id")?,
                name: row.try_get("name")?,
                email: row.try_get("email")?,
                unit: row.try_get("business_unit_id")?,
                is_active: row.try_get::<i64, _>("is_active")? == 1,
                employment,
            })
        })
        .collect()
}

/// Ids of business units by name; missing ones are made.
pub(super) async fn units(
    tx: &mut Tx,
    names: &[(BusinessUnitId, String)],
    now_ms: i64,
) -> Result<HashMap<String, String>, StoreError> {
    bulk::insert(
        tx,
        "insert into business_units (id, name, created_at) ",
        "on conflict (name) do nothing",
        3,
        names,
        |row, (id, name)| {
            row.push_bind(id.to_string())
                .push_bind(name.clone())
                .push_bind(now_ms);
        },
    )
    .await?;
    let rows = sqlx::query("select id, name from business_units")
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("name")?, row.try_get("id")?)))
        .collect()
}

/// Writes people, new or changed.
pub(super) async fn put_people(
    tx: &mut Tx,
    people: &[(PersonId, &Row, Option<String>)],
    now_ms: i64,
) -> Result<(), StoreError> {
    bulk::insert(
        tx,
        "insert into people (id, external_id, name, email, email_folded, business_unit_id, is_active, created_at) ",
        "on conflict (id) do update set external_id = excluded.external_id, name = excluded.name, email = excluded.email, \
           email_folded = excluded.email_folded, business_unit_id = excluded.business_unit_id, \
           is_active = excluded.is_active, version = people.version + 1",
        8,
        people,
        |row, (id, person, unit)| {
            row.push_bind(id.to_string())
                .push_bind(person.external_id.clone())
                .push_bind(person.name.clone())
                .push_bind(person.email.clone())
                .push_bind(person.email.as_deref().map(fold))
                .push_bind(unit.clone())
                .push_bind(i64::from(person.is_active()))
                .push_bind(now_ms);
        },
    )
    .await?;
    Ok(())
}

/// Employment facts as intervals: the current one is closed where it changed, and a new one begins.
pub(super) async fn put_employments(
    tx: &mut Tx,
    people: &[(EmploymentId, PersonId, &Row)],
    now_ms: i64,
) -> Result<(), StoreError> {
    let ids: Vec<String> = people
        .iter()
        .map(|(_, person, _)| person.to_string())
        .collect();
    let close = "update employments set valid_to = $1 where valid_to is null and person_id in ";
    bulk::update_listed(tx, close, now_ms, &ids).await?;
    bulk::insert(
        tx,
        "insert into employments (id, person_id, status, department, cost_centre, valid_from, created_at) ",
        "",
        7,
        people,
        |row, (id, person, facts)| {
            row.push_bind(id.to_string())
                .push_bind(person.to_string())
                .push_bind(facts.status.clone())
                .push_bind(facts.department.clone())
                .push_bind(facts.cost_centre.clone())
                .push_bind(now_ms)
                .push_bind(now_ms);
        },
    )
    .await?;
    Ok(())
}

/// Drops matches that no longer hold; what a person matched by hand stays.
pub(super) async fn drop_stale(tx: &mut Tx, organization: &OrgId) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "delete from matches where organization_id = $1 and matched_by in ('principal', 'email') and not exists ( \
           select 1 from accounts a join people p on p.id = matches.person_id \
           where a.organization_id = $1 and a.vendor_id = matches.account_id and a.valid_to is null \
             and p.email_folded in (lower(trim(a.principal)), lower(trim(a.email))))",
    )
    .bind(organization.as_str())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Matches accounts that belong to nobody yet: by principal, then by mail address.
pub(super) async fn match_by_mail(
    tx: &mut Tx,
    organization: &OrgId,
    now_ms: i64,
) -> Result<u64, StoreError> {
    let mut matched = 0;
    for sql in [
        "insert into matches (organization_id, account_id, person_id, matched_by, created_at) \
         select a.organization_id, a.vendor_id, p.id, 'principal', $2 from accounts a \
         join people p on p.email_folded = lower(trim(a.principal)) \
         where a.organization_id = $1 and a.valid_to is null and a.is_gone = 0 \
         on conflict (organization_id, account_id) do nothing",
        "insert into matches (organization_id, account_id, person_id, matched_by, created_at) \
         select a.organization_id, a.vendor_id, p.id, 'email', $2 from accounts a \
         join people p on p.email_folded = lower(trim(a.email)) \
         where a.organization_id = $1 and a.valid_to is null and a.is_gone = 0 \
         on conflict (organization_id, account_id) do nothing",
    ] {
        matched += sqlx::query(sql)
            .bind(organization.as_str())
            .bind(now_ms)
            .execute(tx.conn())
            .await?
            .rows_affected();
    }
    Ok(matched)
}

/// Applies one user resolution rule to accounts that belong to nobody yet.
pub(super) async fn match_by_rule(
    tx: &mut Tx,
    organization: &OrgId,
    rule: &ResolutionRuleView,
    now_ms: i64,
) -> Result<u64, StoreError> {
    const REPLACE_SQLITE: &str = "insert into matches (organization_id, account_id, person_id, matched_by, created_at) \
         select a.organization_id, a.vendor_id, p.id, $3, $2 from accounts a \
         join people p on p.email_folded = substr(lower(trim(a.principal)), 1, instr(a.principal, '@')) || $5 \
         where a.organization_id = $1 and a.valid_to is null and a.is_gone = 0 \
           and lower(trim(a.principal)) like '%@' || $4 \
         on conflict (organization_id, account_id) do nothing";
    const REPLACE_POSTGRES: &str = "insert into matches (organization_id, account_id, person_id, matched_by, created_at) \
         select a.organization_id, a.vendor_id, p.id, $3, $2 from accounts a \
         join people p on p.email_folded = substr(lower(trim(a.principal)), 1, strpos(a.principal, '@')) || $5 \
         where a.organization_id = $1 and a.valid_to is null and a.is_gone = 0 \
           and lower(trim(a.principal)) like '%@' || $4 \
         on conflict (organization_id, account_id) do nothing";
    const REMOVE_SQLITE: &str = "insert into matches (organization_id, account_id, person_id, matched_by, created_at) \
         select a.organization_id, a.vendor_id, p.id, $3, $2 from accounts a \
         join people p on lower(p.external_id) = substr(lower(trim(a.principal)), 1, instr(a.principal, '@') - 1) \
         where a.organization_id = $1 and a.valid_to is null and a.is_gone = 0 and instr(a.principal, '@') > 1 \
         on conflict (organization_id, account_id) do nothing";
    const REMOVE_POSTGRES: &str = "insert into matches (organization_id, account_id, person_id, matched_by, created_at) \
         select a.organization_id, a.vendor_id, p.id, $3, $2 from accounts a \
         join people p on lower(p.external_id) = substr(lower(trim(a.principal)), 1, strpos(a.principal, '@') - 1) \
         where a.organization_id = $1 and a.valid_to is null and a.is_gone = 0 and strpos(a.principal, '@') > 1 \
         on conflict (organization_id, account_id) do nothing";
    let dialect = tx.dialect();
    let (from, to) = rule.transform.domains();
    let sql = match rule.transform {
        Transform::RemoveDomain => dialect.pick(REMOVE_SQLITE, REMOVE_POSTGRES),
        Transform::ReplaceDomain { .. } => dialect.pick(REPLACE_SQLITE, REPLACE_POSTGRES),
    };
    let mut query = sqlx::query(sql)
        .bind(organization.as_str())
        .bind(now_ms)
        .bind(rule.id.as_str());
    if let (Some(from), Some(to)) = (from, to) {
        query = query.bind(from).bind(to);
    }
    Ok(query.execute(tx.conn()).await?.rows_affected())
}

/// Organizations that have accounts.
pub(super) async fn list_organizations(tx: &mut Tx) -> Result<Vec<OrgId>, StoreError> {
    let rows = sqlx::query("select id from organizations order by id")
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| Ok(row.try_get::<String, _>("id")?.into()))
        .collect()
}

pub(super) async fn list_rules(tx: &mut Tx) -> Result<Vec<ResolutionRuleView>, StoreError> {
    let rows = sqlx::query("select id, name, transform, from_value, to_value, is_active from resolution_rules order by created_at, id")
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| {
            let text = |column: &str| -> Result<String, StoreError> {
                Ok(row
                    .try_get::<Option<String>, _>(column)?
                    .unwrap_or_default())
            };
            let transform = match row.try_get::<String, _>("transform")?.as_str() {
                "replace_domain" => Transform::ReplaceDomain {
                    from: text("from_value")?,
                    to: text("to_value")?,
                },
                _ => Transform::RemoveDomain,
            };
            Ok(ResolutionRuleView {
                id: row.try_get::<String, _>("id")?.into(),
                name: row.try_get("name")?,
                transform,
                is_active: row.try_get::<i64, _>("is_active")? == 1,
            })
        })
        .collect()
}

pub(super) async fn insert_rule(
    tx: &mut Tx,
    id: &ResolutionRuleId,
    name: &str,
    transform: &Transform,
    now_ms: i64,
) -> Result<(), StoreError> {
    let (from, to) = transform.domains();
    sqlx::query(
        "insert into resolution_rules (id, name, source_field, transform, from_value, to_value, is_active, created_at) \
         values ($1, $2, 'principal', $3, $4, $5, 1, $6)",
    )
    .bind(id.as_str())
    .bind(name)
    .bind(transform.word())
    .bind(from)
    .bind(to)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn put_match(
    tx: &mut Tx,
    organization: &OrgId,
    account: &str,
    person: &PersonId,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into matches (organization_id, account_id, person_id, matched_by, created_at) \
         select organization_id, vendor_id, $3, 'person', $4 from accounts \
         where organization_id = $1 and vendor_id = $2 and valid_to is null \
         on conflict (organization_id, account_id) do update set person_id = excluded.person_id, matched_by = 'person'",
    )
    .bind(organization.as_str())
    .bind(account)
    .bind(person.as_str())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn list_people(
    tx: &mut Tx,
    after: &str,
    limit: i64,
) -> Result<Vec<PersonView>, StoreError> {
    let rows = sqlx::query(
        "select p.id, p.external_id, p.name, p.email, p.is_active, b.name as unit, e.status, e.department, e.cost_centre, \
           (select count(*) from matches m where m.person_id = p.id) as accounts \
         from people p left join business_units b on b.id = p.business_unit_id \
         left join employments e on e.person_id = p.id and e.valid_to is null where p.id > $1 order by p.id limit $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(PersonView {
                id: row.try_get::<String, _>("id")?.into(),
                external_id: row.try_get("external_id")?,
                name: row.try_get("name")?,
                email: row.try_get("email")?,
                business_unit: row.try_get("unit")?,
                status: row.try_get("status")?,
                department: row.try_get("department")?,
                cost_centre: row.try_get("cost_centre")?,
                is_active: row.try_get::<i64, _>("is_active")? == 1,
                accounts: row.try_get("accounts")?,
            })
        })
        .collect()
}

pub(super) async fn list_unresolved(
    tx: &mut Tx,
    after: (&str, &str),
    limit: i64,
) -> Result<Vec<UnresolvedView>, StoreError> {
    let rows = sqlx::query(
        "select a.organization_id, o.name as organization, a.vendor_id, a.principal, a.email, a.name, count(*) as subscriptions \
         from accounts a join organizations o on o.id = a.organization_id \
         join subscriptions s on s.organization_id = a.organization_id and s.account_id = a.vendor_id \
           and s.valid_to is null and s.is_active = 1 \
         where a.valid_to is null and a.kind = 'person' and (a.organization_id, a.vendor_id) > ($1, $2) \
           and not exists (select 1 from matches m where m.organization_id = a.organization_id and m.account_id = a.vendor_id) \
         group by a.organization_id, o.name, a.vendor_id, a.principal, a.email, a.name \
         order by a.organization_id, a.vendor_id limit $3",
    )
    .bind(after.0)
    .bind(after.1)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(UnresolvedView {
                organization_id: row.try_get::<String, _>("organization_id")?.into(),
                organization: row.try_get("organization")?,
                account_id: row.try_get("vendor_id")?,
                principal: row.try_get("principal")?,
                email: row.try_get("email")?,
                name: row.try_get("name")?,
                subscriptions: row.try_get("subscriptions")?,
            })
        })
        .collect()
}
