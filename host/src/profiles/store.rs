//! SQL of profiles, aliases, connections and organizations.

pub(super) mod checks;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::model::{ProfileState, WriteMode};
use crate::kernel::{AliasId, OrgId, PrincipalId, ProfileId};
use crate::store::{StoreError, Tx};

pub use checks::CheckView;
pub(super) use checks::{list_checks, put_checks};

/// One profile with its alias and connection.
#[derive(Clone, Debug)]
pub(super) struct ProfileRow {
    pub(super) id: ProfileId,
    pub(super) number: String,
    pub(super) name: String,
    pub(super) connector: String,
    pub(super) alias: AliasId,
    pub(super) alias_name: String,
    pub(super) parent_alias_name: Option<String>,
    pub(super) login_url: String,
    pub(super) organization: Option<OrgId>,
    pub(super) organization_name: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) memo: Vec<u8>,
    pub(super) quota_used: Option<i64>,
    pub(super) quota_limit: Option<i64>,
    pub(super) state: ProfileState,
    pub(super) write_mode: WriteMode,
    pub(super) settings: String,
    /// What the playbook was answered, JSON.
    pub(super) answers: String,
    pub(super) schedule_cron: String,
    pub(super) schedule_zone: String,
    pub(super) quota_percent: i64,
    pub(super) attention: String,
    pub(super) created_by: String,
    pub(super) changed_by: String,
    pub(super) next_run_at: Option<i64>,
    pub(super) version: i64,
}

macro_rules! select {
    ($tail:literal) => {
        concat!("select p.id, p.number, p.name, p.connector_id, p.alias_id, a.name as alias_name, pa.name as parent_alias_name, c.login_url, \
     p.organization_id, o.name as organization_name, o.environment, o.memo, o.quota_used, o.quota_limit, p.state, p.write_mode, p.settings, \
     p.scope, p.schedule_cron, p.schedule_zone, p.quota_percent, p.attention, p.created_by, p.changed_by, p.version, j.due_at as next_run_at \
     from profiles p join aliases a on a.id = p.alias_id join connections c on c.alias_id = a.id \
     left join aliases pa on pa.id = a.parent_id left join organizations o on o.id = p.organization_id \
     left join jobs j on j.unique_key = 'schedule:' || p.id and j.state = 'due'", $tail)
    };
}

fn profile(row: &AnyRow) -> Result<ProfileRow, StoreError> {
    let unknown = |what: &str, word: &str| {
        StoreError::Migrate(format!("{what} `{word}` is not known to this version"))
    };
    let (state, mode): (String, String) = (row.try_get("state")?, row.try_get("write_mode")?);
    Ok(ProfileRow {
        id: row.try_get::<String, _>("id")?.into(),
        number: row.try_get("number")?,
        name: row.try_get("name")?,
        connector: row.try_get("connector_id")?,
        alias: row.try_get::<String, _>("alias_id")?.into(),
        alias_name: row.try_get("alias_name")?,
        parent_alias_name: row.try_get("parent_alias_name")?,
        login_url: row.try_get("login_url")?,
        organization: row
            .try_get::<Option<String>, _>("organization_id")?
            .map(OrgId::from),
        organization_name: row.try_get("organization_name")?,
        environment: row.try_get("environment")?,
        memo: row
            .try_get::<Option<Vec<u8>>, _>("memo")?
            .unwrap_or_default(),
        quota_used: row.try_get("quota_used")?,
        quota_limit: row.try_get("quota_limit")?,
        state: ProfileState::parse(&state).ok_or_else(|| unknown("profile state", &state))?,
        write_mode: WriteMode::parse(&mode).ok_or_else(|| unknown("write mode", &mode))?,
        settings: row.try_get("settings")?,
        answers: row.try_get("scope")?,
        schedule_cron: row.try_get("schedule_cron")?,
        schedule_zone: row.try_get("schedule_zone")?,
        quota_percent: row.try_get("quota_percent")?,
        attention: row.try_get("attention")?,
        created_by: row.try_get("created_by")?,
        changed_by: row.try_get("changed_by")?,
        next_run_at: row.try_get("next_run_at")?,
        version: row.try_get("version")?,
    })
}

/// By id, number or name.
pub(super) async fn find(tx: &mut Tx, key: &str) -> Result<Option<ProfileRow>, StoreError> {
    let row = sqlx::query(select!(" where p.id = $1 or p.number = $1 or p.name = $1"))
        .bind(key)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(profile).transpose()
}

/// The published or paused profile of an organization.
pub(super) async fn find_by_organization(
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<Option<ProfileRow>, StoreError> {
    let row = sqlx::query(select!(
        " where p.organization_id = $1 and p.state in ('published', 'paused')"
    ))
    .bind(organization.as_str())
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(profile).transpose()
}

/// Deletes a profile that never ran, with its alias and connection where no other profile has them.
pub(super) async fn delete(tx: &mut Tx, row: &ProfileRow) -> Result<(), StoreError> {
    sqlx::query("delete from profiles where id = $1")
        .bind(row.id.as_str())
        .execute(tx.conn())
        .await?;
    if !of_alias(tx, &row.alias).await?.is_empty() {
        return Ok(());
    }
    for text in [
        "delete from connections where alias_id = $1",
        "delete from aliases where id = $1",
    ] {
        sqlx::query(text)
            .bind(row.alias.as_str())
            .execute(tx.conn())
            .await?;
    }
    Ok(())
}

/// Profiles of an alias, ended ones too.
pub(super) async fn of_alias(tx: &mut Tx, alias: &AliasId) -> Result<Vec<ProfileRow>, StoreError> {
    sqlx::query(select!(" where p.alias_id = $1 order by p.number"))
        .bind(alias.as_str())
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(profile)
        .collect()
}

pub(super) async fn list(tx: &mut Tx) -> Result<Vec<ProfileRow>, StoreError> {
    sqlx::query(select!(" order by p.number"))
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(profile)
        .collect()
}

/// What a new profile is made of, already checked.
pub(super) struct NewRow<'a> {
    pub(super) id: &'a ProfileId,
    pub(super) number: &'a str,
    pub(super) name: &'a str,
    pub(super) connector: &'a str,
    pub(super) alias: &'a AliasId,
    pub(super) parent: Option<&'a AliasId>,
    pub(super) login_url: &'a str,
    pub(super) settings: &'a str,
    pub(super) schedule_cron: &'a str,
    pub(super) schedule_zone: &'a str,
    pub(super) by: &'a PrincipalId,
    pub(super) now_ms: i64,
}

pub(super) async fn insert(tx: &mut Tx, new: &NewRow<'_>) -> Result<(), StoreError> {
    sqlx::query("insert into aliases (id, parent_id, connector_id, name, properties, created_at) values ($1, $2, $3, $4, '{}', $5)")
        .bind(new.alias.as_str())
        .bind(new.parent.map(|parent| parent.as_str().to_owned()))
        .bind(new.connector)
        .bind(new.name)
        .bind(new.now_ms)
        .execute(tx.conn())
        .await?;
    sqlx::query("insert into connections (alias_id, login_url, created_at, updated_at) values ($1, $2, $3, $3)")
        .bind(new.alias.as_str())
        .bind(new.login_url)
        .bind(new.now_ms)
        .execute(tx.conn())
        .await?;
    insert_profile(tx, new).await
}

/// The profile alone, with an alias that is there already.
pub(super) async fn insert_profile(tx: &mut Tx, new: &NewRow<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "insert into profiles (id, number, name, connector_id, alias_id, state, settings, schedule_cron, schedule_zone, created_by, changed_by, \
           created_at, updated_at, business_unit_id) values ($1, $2, $3, $4, $5, 'draft', $6, $7, $8, $9, $9, $10, $10, \
           (select max(p.business_unit_id) from profiles p where p.alias_id in ($5, $11)))",
    )
    .bind(new.id.as_str())
    .bind(new.number)
    .bind(new.name)
    .bind(new.connector)
    .bind(new.alias.as_str())
    .bind(new.settings)
    .bind(new.schedule_cron)
    .bind(new.schedule_zone)
    .bind(new.by.as_str())
    .bind(new.now_ms)
    // A successor belongs where the others of its alias do; a child where its parent does, until it is put elsewhere.
    .bind(new.parent.map(|parent| parent.as_str().to_owned()))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// An alias by id or name: its id, its parent, its connector.
pub(super) async fn find_alias(
    tx: &mut Tx,
    key: &str,
) -> Result<Option<(AliasId, Option<AliasId>, String)>, StoreError> {
    let row =
        sqlx::query("select id, parent_id, connector_id from aliases where id = $1 or name = $1")
            .bind(key)
            .fetch_optional(tx.conn())
            .await?;
    row.map(|row| {
        Ok((
            row.try_get::<String, _>("id")?.into(),
            row.try_get::<Option<String>, _>("parent_id")?
                .map(AliasId::from),
            row.try_get("connector_id")?,
        ))
    })
    .transpose()
}

/// The connector's first alias, under which further ones are children.
pub(super) async fn root_alias(
    tx: &mut Tx,
    connector: &str,
) -> Result<Option<AliasId>, StoreError> {
    let row = sqlx::query("select id from aliases where connector_id = $1 and parent_id is null order by created_at, id limit 1")
        .bind(connector)
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| Ok(row.try_get::<String, _>("id")?.into()))
        .transpose()
}

/// Pins a connector's digest in its row; a changed one is written, so that the trail shows when.
pub(super) async fn register_connector(
    tx: &mut Tx,
    id: &str,
    name: &str,
    version: &str,
    digest: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into connectors (id, name, version, digest, key_id, created_at) values ($1, $2, $3, $4, 'built-in', $5) \
         on conflict (id) do update set name = excluded.name, version = excluded.version, digest = excluded.digest, \
           row_version = connectors.row_version + 1",
    )
    .bind(id)
    .bind(name)
    .bind(version)
    .bind(digest)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The organization's row, made when the vendor's org is new here.
pub(super) async fn put_organization(
    tx: &mut Tx,
    fresh: &OrgId,
    connector: &str,
    told: &seatwise_runtime::contract::connection::Organization,
    environment: &str,
    now_ms: i64,
) -> Result<OrgId, StoreError> {
    let row = sqlx::query(
        "insert into organizations (id, connector_id, vendor_org_id, name, environment, edition, time_zone, accounts_expected, memo, created_at, \
           updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) \
         on conflict (connector_id, vendor_org_id) do update set name = excluded.name, environment = excluded.environment, \
           edition = excluded.edition, time_zone = excluded.time_zone, accounts_expected = excluded.accounts_expected, memo = excluded.memo, \
           updated_at = excluded.updated_at returning id",
    )
    .bind(fresh.as_str())
    .bind(connector)
    .bind(&told.id)
    .bind(&told.name)
    .bind(environment)
    .bind(told.edition.clone())
    .bind(told.time_zone.clone())
    .bind(told.accounts.and_then(|n| i64::try_from(n).ok()))
    .bind(told.memo.clone())
    .bind(now_ms)
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get::<String, _>("id")?.into())
}

/// The row of an organization whose rows a file brings.
pub(super) async fn insert_imported(
    tx: &mut Tx,
    organization: &OrgId,
    connector: &str,
    number: &str,
    name: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into organizations (id, connector_id, vendor_org_id, name, environment, memo, created_at, updated_at, kind) \
         values ($1, $2, $3, $4, 'production', $5, $6, $6, 'import')",
    )
    .bind(organization.as_str())
    .bind(connector)
    .bind(number)
    .bind(name)
    .bind(Vec::<u8>::new())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The vendor's own id of an organization.
pub(super) async fn vendor_org_id(
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<Option<String>, StoreError> {
    let row = sqlx::query("select vendor_org_id from organizations where id = $1")
        .bind(organization.as_str())
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| Ok(row.try_get("vendor_org_id")?)).transpose()
}

/// The published profile of an organization, if any: its number and name.
pub(super) async fn published_of(
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<Option<(String, String)>, StoreError> {
    let row = sqlx::query("select number, name from profiles where organization_id = $1 and state in ('published', 'paused')")
        .bind(organization.as_str())
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| Ok((row.try_get("number")?, row.try_get("name")?)))
        .transpose()
}

/// Writes state, organization, write mode and schedule; 0 rows = changed by someone else meanwhile.
pub(super) async fn save(
    tx: &mut Tx,
    row: &ProfileRow,
    by: &PrincipalId,
    now_ms: i64,
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "update profiles set state = $3, organization_id = $4, write_mode = $5, schedule_cron = $6, schedule_zone = $7, changed_by = $8, \
           updated_at = $9, version = version + 1 where id = $1 and version = $2",
    )
    .bind(row.id.as_str())
    .bind(row.version)
    .bind(row.state.as_str())
    .bind(row.organization.as_ref().map(|id| id.as_str().to_owned()))
    .bind(row.write_mode.as_str())
    .bind(&row.schedule_cron)
    .bind(&row.schedule_zone)
    .bind(by.as_str())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::Conflict)
    }
}

/// The budget as the vendor last told it.
pub(super) async fn note_usage(
    tx: &mut Tx,
    organization: &OrgId,
    used: i64,
    limit: i64,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("update organizations set quota_used = $2, quota_limit = $3, quota_read_at = $4 where id = $1")
        .bind(organization.as_str())
        .bind(used)
        .bind(limit)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Writes down what people were told that a profile needs.
pub(super) async fn put_attention(
    tx: &mut Tx,
    profile: &ProfileId,
    told: &str,
) -> Result<(), StoreError> {
    sqlx::query("update profiles set attention = $2 where id = $1")
        .bind(profile.as_str())
        .bind(told)
        .execute(tx.conn())
        .await?;
    Ok(())
}
