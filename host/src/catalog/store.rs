//! SQL of the catalog.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::model::{IdentifierView, ModelView, ProductView};
use super::recognise::Pattern;
use crate::kernel::{ContentVersionId, ModelId, ProductId};
use crate::store::{StoreError, Tx};

pub(super) async fn put_content_version(
    tx: &mut Tx,
    id: &ContentVersionId,
    connector: &str,
    version: &str,
    digest: &str,
    now_ms: i64,
) -> Result<ContentVersionId, StoreError> {
    sqlx::query(
        "insert into content_versions (id, connector_id, version, digest, created_at) values ($1, $2, $3, $4, $5) \
         on conflict (connector_id, digest) do nothing",
    )
    .bind(id.as_str())
    .bind(connector)
    .bind(version)
    .bind(digest)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    let row =
        sqlx::query("select id from content_versions where connector_id = $1 and digest = $2")
            .bind(connector)
            .bind(digest)
            .fetch_one(tx.conn())
            .await?;
    Ok(row.try_get::<String, _>("id")?.into())
}

pub(super) struct NewProduct<'a> {
    pub id: &'a ProductId,
    pub publisher: &'a str,
    pub name: &'a str,
    pub metric: &'a str,
    pub is_free: bool,
    pub content: Option<&'a ContentVersionId>,
    pub now_ms: i64,
}

/// Makes the product, or brings an existing one of the same name to this definition. Answers the id that stands.
pub(super) async fn put_product(
    tx: &mut Tx,
    product: &NewProduct<'_>,
) -> Result<ProductId, StoreError> {
    let row = sqlx::query(
        "insert into products (id, publisher, name, metric, is_free, content_version_id, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7) \
         on conflict (publisher, name) do update set metric = excluded.metric, is_free = excluded.is_free, \
           content_version_id = coalesce(excluded.content_version_id, products.content_version_id), version = products.version + 1 \
         returning id",
    )
    .bind(product.id.as_str())
    .bind(product.publisher)
    .bind(product.name)
    .bind(product.metric)
    .bind(i64::from(product.is_free))
    .bind(product.content.map(|c| c.as_str().to_owned()))
    .bind(product.now_ms)
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get::<String, _>("id")?.into())
}

/// The product of this publisher and name; a new one counts seats. One that exists is left as it is.
pub(super) async fn keep_product(
    tx: &mut Tx,
    fresh: &ProductId,
    publisher: &str,
    name: &str,
    now_ms: i64,
) -> Result<ProductId, StoreError> {
    sqlx::query(
        "insert into products (id, publisher, name, metric, is_free, created_at) values ($1, $2, $3, 'seats', 0, $4) \
         on conflict (publisher, name) do nothing",
    )
    .bind(fresh.as_str())
    .bind(publisher)
    .bind(name)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    let row = sqlx::query("select id from products where publisher = $1 and name = $2")
        .bind(publisher)
        .bind(name)
        .fetch_one(tx.conn())
        .await?;
    Ok(row.try_get::<String, _>("id")?.into())
}

/// Keys of a connector that have no product.
pub(super) async fn waiting_of(tx: &mut Tx, connector: &str) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(
        "select identifier from identifiers where connector_id = $1 and product_id is null order by identifier",
    )
    .bind(connector)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| Ok(row.try_get("identifier")?))
        .collect()
}

/// Every key of the connector's organizations that is not known yet, and the vendor's newest labels.
pub(super) async fn collect_identifiers(
    tx: &mut Tx,
    connector: &str,
    now_ms: i64,
) -> Result<u64, StoreError> {
    let found = sqlx::query(
        "insert into identifiers (connector_id, identifier, label, first_seen_at) \
         select $1, seen.identifier, max(seen.label), $2 from ( \
           select s.identifier, cast(null as text) as label from subscriptions s \
             join organizations o on o.id = s.organization_id and o.connector_id = $1 where s.valid_to is null \
           union all select p.identifier, p.label from pools p \
             join organizations o on o.id = p.organization_id and o.connector_id = $1 where p.valid_to is null \
         ) seen where not exists (select 1 from identifiers i where i.connector_id = $1 and i.identifier = seen.identifier) \
         group by seen.identifier",
    )
    .bind(connector)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "update identifiers set label = (select max(p.label) from pools p join organizations o on o.id = p.organization_id \
             and o.connector_id = $1 where p.valid_to is null and p.identifier = identifiers.identifier) \
         where connector_id = $1 and label is null and exists (select 1 from pools p join organizations o \
             on o.id = p.organization_id and o.connector_id = $1 where p.valid_to is null and p.identifier = identifiers.identifier)",
    )
    .bind(connector)
    .execute(tx.conn())
    .await?;
    Ok(found.rows_affected())
}

/// Gives a product to every waiting key that fits.
pub(super) async fn recognise(
    tx: &mut Tx,
    connector: &str,
    pattern: Pattern<'_>,
    product: &ProductId,
    now_ms: i64,
) -> Result<u64, StoreError> {
    let length = i64::try_from(pattern.text.chars().count()).unwrap_or(0);
    let done = sqlx::query(
        "update identifiers set product_id = $3, recognised_by = 'content', recognised_at = $4 \
         where connector_id = $1 and product_id is null \
           and case when $5 = 0 then identifier else substr(identifier, 1, cast($5 as integer)) end = $2",
    )
    .bind(connector)
    .bind(pattern.text)
    .bind(product.as_str())
    .bind(now_ms)
    .bind(if pattern.is_prefix { length } else { 0 })
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Recognised products that have no model.
pub(super) async fn products_without_model(tx: &mut Tx) -> Result<Vec<ProductView>, StoreError> {
    let rows = sqlx::query(
        "select p.id, p.publisher, p.name, p.metric, p.is_free from products p \
         where exists (select 1 from identifiers i where i.product_id = p.id) \
           and not exists (select 1 from software_models m where m.product_id = p.id) order by p.publisher, p.name",
    )
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(product).collect()
}

fn product(row: &AnyRow) -> Result<ProductView, StoreError> {
    Ok(ProductView {
        id: row.try_get::<String, _>("id")?.into(),
        publisher: row.try_get("publisher")?,
        name: row.try_get("name")?,
        metric: row.try_get("metric")?,
        is_free: row.try_get::<i64, _>("is_free")? == 1,
    })
}

pub(super) async fn insert_model(
    tx: &mut Tx,
    id: &ModelId,
    number: &str,
    product: &ProductId,
    name: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into software_models (id, number, product_id, display_name, is_generated, created_at) values ($1, $2, $3, $4, 1, $5)",
    )
    .bind(id.as_str())
    .bind(number)
    .bind(product.as_str())
    .bind(name)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// By id or by name.
pub(super) async fn find_product(
    tx: &mut Tx,
    key: &str,
) -> Result<Option<ProductView>, StoreError> {
    let row = sqlx::query(
        "select id, publisher, name, metric, is_free from products where id = $1 or name = $1 order by id = $1 desc limit 1",
    )
    .bind(key)
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(product).transpose()
}

pub(super) async fn list_products(tx: &mut Tx) -> Result<Vec<ProductView>, StoreError> {
    let rows = sqlx::query(
        "select id, publisher, name, metric, is_free from products order by publisher, name",
    )
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(product).collect()
}

const IDENTIFIERS: &str = "select i.connector_id, i.identifier, i.label, i.product_id, i.recognised_by, i.first_seen_at, \
       i.is_excluded_from_position, p.name as product_name, \
       (select count(*) from subscriptions s join organizations o on o.id = s.organization_id and o.connector_id = i.connector_id \
          where s.identifier = i.identifier and s.valid_to is null) as subscriptions, \
       (select count(distinct s.organization_id) from subscriptions s join organizations o on o.id = s.organization_id \
          and o.connector_id = i.connector_id where s.identifier = i.identifier and s.valid_to is null) as organizations \
     from identifiers i left join products p on p.id = i.product_id";

fn identifier(row: &AnyRow) -> Result<IdentifierView, StoreError> {
    Ok(IdentifierView {
        connector_id: row.try_get("connector_id")?,
        identifier: row.try_get("identifier")?,
        label: row.try_get("label")?,
        product_id: row
            .try_get::<Option<String>, _>("product_id")?
            .map(Into::into),
        product_name: row.try_get("product_name")?,
        recognised_by: row.try_get("recognised_by")?,
        first_seen_at: row.try_get("first_seen_at")?,
        subscriptions: row.try_get("subscriptions")?,
        organizations: row.try_get("organizations")?,
        is_excluded_from_position: row.try_get::<i64, _>("is_excluded_from_position")? == 1,
    })
}

pub(super) async fn list_identifiers(
    tx: &mut Tx,
    only_waiting: bool,
) -> Result<Vec<IdentifierView>, StoreError> {
    let sql = format!(
        "{IDENTIFIERS} where ($1 = 0 or i.product_id is null) order by i.connector_id, i.identifier"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(i64::from(only_waiting))
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(identifier).collect()
}

pub(super) async fn find_identifier(
    tx: &mut Tx,
    connector: &str,
    key: &str,
) -> Result<Option<IdentifierView>, StoreError> {
    let sql = format!("{IDENTIFIERS} where i.connector_id = $1 and i.identifier = $2");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(connector)
        .bind(key)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(identifier).transpose()
}

pub(super) async fn assign(
    tx: &mut Tx,
    connector: &str,
    key: &str,
    product: &ProductId,
    by: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "update identifiers set product_id = $3, recognised_by = $4, recognised_at = $5 where connector_id = $1 and identifier = $2",
    )
    .bind(connector)
    .bind(key)
    .bind(product.as_str())
    .bind(by)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn set_excluded(
    tx: &mut Tx,
    connector: &str,
    key: &str,
    is_excluded: bool,
) -> Result<(), StoreError> {
    sqlx::query("update identifiers set is_excluded_from_position = $3 where connector_id = $1 and identifier = $2")
        .bind(connector)
        .bind(key)
        .bind(i64::from(is_excluded))
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn list_models(tx: &mut Tx) -> Result<Vec<ModelView>, StoreError> {
    let rows = sqlx::query(
        "select m.id, m.number, m.display_name, m.product_id, m.is_generated, m.is_under_management, m.created_at, \
           p.metric, p.is_free, coalesce(u.active, 0) as active, coalesce(u.inactive, 0) as inactive, \
           coalesce(u.organizations, 0) as organizations \
         from software_models m join products p on p.id = m.product_id \
         left join (select i.product_id, cast(sum(s.is_active) as bigint) as active, \
             cast(sum(1 - s.is_active) as bigint) as inactive, count(distinct s.organization_id) as organizations \
           from subscriptions s join organizations o on o.id = s.organization_id \
           join identifiers i on i.connector_id = o.connector_id and i.identifier = s.identifier \
           where s.valid_to is null and i.product_id is not null group by i.product_id) u on u.product_id = m.product_id \
         order by m.display_name, m.id",
    )
    .fetch_all(tx.conn())
    .await?;
    let keys = sqlx::query(
        "select product_id, identifier from identifiers where product_id is not null order by identifier",
    )
    .fetch_all(tx.conn())
    .await?;
    let mut by_product: std::collections::HashMap<String, Vec<String>> =
        std::collections::HashMap::new();
    for key in &keys {
        by_product
            .entry(key.try_get("product_id")?)
            .or_default()
            .push(key.try_get("identifier")?);
    }
    rows.iter()
        .map(|row| {
            let product: String = row.try_get("product_id")?;
            Ok(ModelView {
                id: row.try_get::<String, _>("id")?.into(),
                number: row.try_get("number")?,
                display_name: row.try_get("display_name")?,
                identifiers: by_product.remove(&product).unwrap_or_default(),
                product_id: product.into(),
                metric: row.try_get("metric")?,
                is_free: row.try_get::<i64, _>("is_free")? == 1,
                is_generated: row.try_get::<i64, _>("is_generated")? == 1,
                is_under_management: row.try_get::<i64, _>("is_under_management")? == 1,
                active: row.try_get("active")?,
                inactive: row.try_get("inactive")?,
                organizations: row.try_get("organizations")?,
                created_at: row.try_get("created_at")?,
            })
        })
        .collect()
}
