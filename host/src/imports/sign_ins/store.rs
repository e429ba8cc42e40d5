//! SQL of sign-ins that identity providers report.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::service::{ApplicationView, IdentitySourceView, StrangerView};
use crate::kernel::{IdentityApplicationId, IdentitySourceId, OrgId};
use crate::store::{StoreError, Tx, bulk};

pub(super) async fn insert_source(
    tx: &mut Tx,
    id: &IdentitySourceId,
    name: &str,
    by: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into identity_sources (id, name, created_by, created_at) values ($1, $2, $3, $4)",
    )
    .bind(id.as_str())
    .bind(name)
    .bind(by)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// All identity providers with their applications, by name.
pub(super) async fn list_sources(tx: &mut Tx) -> Result<Vec<IdentitySourceView>, StoreError> {
    let rows = sqlx::query("select id, name, created_at from identity_sources order by name")
        .fetch_all(tx.conn())
        .await?;
    let mut sources: Vec<IdentitySourceView> = rows
        .iter()
        .map(|row| {
            Ok(IdentitySourceView {
                id: row.try_get::<String, _>("id")?.into(),
                name: row.try_get("name")?,
                created_at: row.try_get("created_at")?,
                applications: Vec::new(),
            })
        })
        .collect::<Result<_, StoreError>>()?;
    for (source, application) in list_applications(tx).await? {
        if let Some(known) = sources.iter_mut().find(|known| known.id == source) {
            known.applications.push(application);
        }
    }
    Ok(sources)
}

fn application(row: &AnyRow) -> Result<(IdentitySourceId, ApplicationView), StoreError> {
    let view = ApplicationView {
        id: row.try_get::<String, _>("id")?.into(),
        name: row.try_get("name")?,
        organization_id: row
            .try_get::<Option<String>, _>("organization_id")?
            .map(Into::into),
        organization: row.try_get("organization")?,
        logins: row.try_get("logins")?,
        strangers: row.try_get("strangers")?,
        last_at: row.try_get("last_at")?,
    };
    Ok((row.try_get::<String, _>("source_id")?.into(), view))
}

async fn list_applications(
    tx: &mut Tx,
) -> Result<Vec<(IdentitySourceId, ApplicationView)>, StoreError> {
    sqlx::query(
        "select a.id, a.source_id, a.name, a.organization_id, o.name as organization, count(s.login) as logins, \
           cast(coalesce(sum(1 - s.is_matched), 0) as bigint) as strangers, max(s.last_at) as last_at \
         from identity_applications a left join organizations o on o.id = a.organization_id \
         left join identity_signins s on s.application_id = a.id \
         group by a.id, a.source_id, a.name, a.organization_id, o.name order by a.name, a.id",
    )
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(application)
    .collect()
}

pub(super) async fn find_source(
    tx: &mut Tx,
    key: &str,
) -> Result<Option<IdentitySourceId>, StoreError> {
    let row = sqlx::query("select id from identity_sources where id = $1 or name = $1")
        .bind(key)
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| Ok(row.try_get::<String, _>("id")?.into()))
        .transpose()
}

/// The organization that an application stands for; outer `None`: no such application.
pub(super) async fn find_application(
    tx: &mut Tx,
    id: &str,
) -> Result<Option<Option<OrgId>>, StoreError> {
    let row = sqlx::query("select organization_id from identity_applications where id = $1")
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| {
        Ok(row
            .try_get::<Option<String>, _>("organization_id")?
            .map(Into::into))
    })
    .transpose()
}

/// The application of this name, made when it is new here.
pub(super) async fn keep_application(
    tx: &mut Tx,
    fresh: &IdentityApplicationId,
    source: &IdentitySourceId,
    name: &str,
    now_ms: i64,
) -> Result<(IdentityApplicationId, Option<OrgId>), StoreError> {
    sqlx::query(
        "insert into identity_applications (id, source_id, name, created_at) values ($1, $2, $3, $4) \
         on conflict (source_id, name) do nothing",
    )
    .bind(fresh.as_str())
    .bind(source.as_str())
    .bind(name)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    let row = sqlx::query(
        "select id, organization_id from identity_applications where source_id = $1 and name = $2",
    )
    .bind(source.as_str())
    .bind(name)
    .fetch_one(tx.conn())
    .await?;
    let organization = row
        .try_get::<Option<String>, _>("organization_id")?
        .map(Into::into);
    Ok((row.try_get::<String, _>("id")?.into(), organization))
}

/// The last sign-ins of logins to applications; an earlier one never moves a later one back.
pub(super) async fn put_signins(
    tx: &mut Tx,
    rows: &[(IdentityApplicationId, String, i64)],
    now_ms: i64,
) -> Result<(), StoreError> {
    bulk::insert(
        tx,
        "insert into identity_signins (application_id, login, last_at, created_at) ",
        "on conflict (application_id, login) do update set last_at = excluded.last_at \
           where excluded.last_at > identity_signins.last_at",
        4,
        rows,
        |row, (application, login, at)| {
            row.push_bind(application.as_str().to_owned())
                .push_bind(login.clone())
                .push_bind(*at)
                .push_bind(now_ms);
        },
    )
    .await?;
    Ok(())
}

pub(super) async fn set_organization(
    tx: &mut Tx,
    application: &str,
    organization: Option<&OrgId>,
) -> Result<(), StoreError> {
    for (statement, has_organization) in [
        (
            "update identity_applications set organization_id = $2, version = version + 1 where id = $1",
            true,
        ),
        (
            "update identity_signins set is_matched = 0 where application_id = $1",
            false,
        ),
    ] {
        let query = sqlx::query(statement).bind(application);
        let query = if has_organization {
            query.bind(organization.map(|id| id.as_str().to_owned()))
        } else {
            query
        };
        query.execute(tx.conn()).await?;
    }
    Ok(())
}

/// Resolves anew which account each login of an organization's applications is: by principal, by the account's mail address, then by the
/// mail address of the person whom the account belongs to. Set by set.
pub(super) async fn resolve(tx: &mut Tx, organization: &OrgId) -> Result<(), StoreError> {
    for statement in [
        "delete from account_signins where organization_id = $1",
        "insert into account_signins (organization_id, account_id, at, application_id) \
         select $1, r.account_id, r.at, r.application_id from ( \
           select f.account_id, f.at, f.application_id, \
             row_number() over (partition by f.account_id order by f.at desc, f.application_id) as place from ( \
             select a.vendor_id as account_id, g.last_at as at, g.application_id from identity_applications p \
               join identity_signins g on g.application_id = p.id \
               join accounts a on a.organization_id = $1 and a.valid_to is null and lower(a.principal) = g.login where p.organization_id = $1 \
             union all select a.vendor_id, g.last_at, g.application_id from identity_applications p \
               join identity_signins g on g.application_id = p.id \
               join accounts a on a.organization_id = $1 and a.valid_to is null and lower(a.email) = g.login where p.organization_id = $1 \
             union all select m.account_id, g.last_at, g.application_id from identity_applications p \
               join identity_signins g on g.application_id = p.id join people e on e.email_folded = g.login \
               join matches m on m.organization_id = $1 and m.person_id = e.id where p.organization_id = $1 \
           ) f ) r where r.place = 1",
        "update identity_signins set is_matched = 0 where application_id in (select id from identity_applications where organization_id = $1) \
           and is_matched = 1",
        "update identity_signins set is_matched = 1 \
         where application_id in (select id from identity_applications where organization_id = $1) and ( \
           login in (select lower(a.principal) from accounts a where a.organization_id = $1 and a.valid_to is null) \
           or login in (select lower(a.email) from accounts a where a.organization_id = $1 and a.valid_to is null and a.email is not null) \
           or login in (select e.email_folded from people e join matches m on m.person_id = e.id \
             where m.organization_id = $1 and e.email_folded is not null))",
    ] {
        sqlx::query(statement)
            .bind(organization.as_str())
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}

/// Whether any application stands for the organization.
pub(super) async fn has_application(tx: &mut Tx, organization: &OrgId) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "select 1 as one from identity_applications where organization_id = $1 limit 1",
    )
    .bind(organization.as_str())
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.is_some())
}

/// Logins of an application that are no account of its organization, by login after one.
pub(super) async fn strangers(
    tx: &mut Tx,
    application: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<StrangerView>, StoreError> {
    let rows = sqlx::query(
        "select login, last_at from identity_signins where application_id = $1 and is_matched = 0 and login > $2 order by login limit $3",
    )
    .bind(application)
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(StrangerView {
                login: row.try_get("login")?,
                last_at: row.try_get("last_at")?,
            })
        })
        .collect()
}

/// Organizations that sign-ins may stand for: id and name, by name.
pub(super) async fn list_organizations(tx: &mut Tx) -> Result<Vec<(OrgId, String)>, StoreError> {
    let rows = sqlx::query("select id, name from organizations order by name, id")
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get::<String, _>("id")?.into(), row.try_get("name")?)))
        .collect()
}

/// The organization of a profile, and whether sign-ins count there.
pub(super) async fn counting_of(
    tx: &mut Tx,
    profile: &str,
) -> Result<Option<(String, OrgId, bool)>, StoreError> {
    let row = sqlx::query(
        "select p.number, o.id, o.counts_sign_ins from profiles p join organizations o on o.id = p.organization_id \
         where p.number = $1 or p.id = $1 or p.name = $1",
    )
    .bind(profile)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok((
            row.try_get("number")?,
            row.try_get::<String, _>("id")?.into(),
            row.try_get::<i64, _>("counts_sign_ins")? == 1,
        ))
    })
    .transpose()
}

/// Accounts of an organization with a sign-in, and those whose sign-in is later than the vendor's own activity.
pub(super) async fn count_resolved(
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query(
        "select count(*) as known, cast(coalesce(sum(case when a.activity_at is null or s.at > a.activity_at then 1 else 0 end), 0) as bigint) as later \
         from account_signins s join accounts a on a.organization_id = s.organization_id and a.vendor_id = s.account_id and a.valid_to is null \
         where s.organization_id = $1",
    )
    .bind(organization.as_str())
    .fetch_one(tx.conn())
    .await?;
    Ok((row.try_get("known")?, row.try_get("later")?))
}

pub(super) async fn set_counting(
    tx: &mut Tx,
    organization: &OrgId,
    counts: bool,
) -> Result<(), StoreError> {
    sqlx::query("update organizations set counts_sign_ins = $2 where id = $1")
        .bind(organization.as_str())
        .bind(i64::from(counts))
        .execute(tx.conn())
        .await?;
    Ok(())
}
