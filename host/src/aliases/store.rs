//! SQL of aliases.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::model::Properties;
use crate::kernel::AliasId;
use crate::store::{StoreError, Tx};

/// One alias with what its parent sets.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: AliasId,
    pub(super) name: String,
    pub(super) connector: String,
    pub(super) parent: Option<(AliasId, String, Properties)>,
    pub(super) own: Properties,
    pub(super) version: i64,
}

const SELECT: &str = "select a.id, a.name, a.connector_id, a.properties, a.version, p.id as parent_id, p.name as parent_name, \
     p.properties as parent_properties from aliases a left join aliases p on p.id = a.parent_id";

fn alias(row: &AnyRow) -> Result<Row, StoreError> {
    let parent = match row.try_get::<Option<String>, _>("parent_id")? {
        Some(id) => Some((
            id.into(),
            row.try_get("parent_name")?,
            Properties::parse(&row.try_get::<String, _>("parent_properties")?),
        )),
        None => None,
    };
    Ok(Row {
        id: row.try_get::<String, _>("id")?.into(),
        name: row.try_get("name")?,
        connector: row.try_get("connector_id")?,
        parent,
        own: Properties::parse(&row.try_get::<String, _>("properties")?),
        version: row.try_get("version")?,
    })
}

/// By id or name.
pub(super) async fn find(tx: &mut Tx, key: &str) -> Result<Option<Row>, StoreError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "{SELECT} where a.id = $1 or a.name = $1"
    )))
    .bind(key)
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(alias).transpose()
}

/// All of them, parents before their children.
pub(super) async fn list(tx: &mut Tx) -> Result<Vec<Row>, StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "{SELECT} order by a.connector_id, coalesce(p.name, a.name), case when a.parent_id is null then 0 else 1 end, a.name"
    )))
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(alias)
    .collect()
}

/// Ids of an alias's children.
pub(super) async fn children(tx: &mut Tx, alias: &AliasId) -> Result<Vec<AliasId>, StoreError> {
    sqlx::query("select id from aliases where parent_id = $1 order by id")
        .bind(alias.as_str())
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| Ok(row.try_get::<String, _>("id")?.into()))
        .collect()
}

/// Writes what an alias sets; false when it was changed meanwhile.
pub(super) async fn put(
    tx: &mut Tx,
    alias: &AliasId,
    own: &Properties,
    version: i64,
) -> Result<bool, StoreError> {
    let text = serde_json::to_string(own).unwrap_or_else(|_| "{}".to_owned());
    let done = sqlx::query(
        "update aliases set properties = $3, version = version + 1 where id = $1 and version = $2",
    )
    .bind(alias.as_str())
    .bind(version)
    .bind(text)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
