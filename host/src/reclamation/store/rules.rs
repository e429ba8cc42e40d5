//! SQL of rules, their versions, and the decisions about them.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::unknown;
use crate::kernel::{ApprovalId, OrgId, ProductId, RuleId, RuleVersionId};
use crate::reclamation::model::{Decision, RuleState};
use crate::reclamation::rule::{Deciding, Wording};
use crate::store::{StoreError, Tx};

/// One immutable version.
#[derive(Clone, Debug)]
pub(in crate::reclamation) struct VersionRow {
    pub id: RuleVersionId,
    pub version_no: i64,
    pub deciding: Deciding,
    pub wording: Wording,
    pub digest: String,
    pub author: String,
    /// Everyone who changed a deciding field on the way here.
    pub authors: Vec<String>,
}

/// A rule with its newest version and the one in force.
#[derive(Clone, Debug)]
pub(in crate::reclamation) struct RuleRow {
    pub id: RuleId,
    pub number: String,
    pub name: String,
    pub product_id: ProductId,
    pub product: String,
    pub state: RuleState,
    pub current: VersionRow,
    pub in_force: Option<VersionRow>,
    pub version: i64,
    pub created_at: i64,
}

async fn version(tx: &mut Tx, id: &str) -> Result<VersionRow, StoreError> {
    let row = sqlx::query(
        "select v.id, v.version_no, v.deciding, v.wording, v.digest, v.author_id, v.authors, coalesce(p.name, v.author_id) as author \
         from rule_versions v left join principals p on p.id = v.author_id where v.id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    let parsed = |column: &str| -> Result<String, StoreError> { Ok(row.try_get(column)?) };
    let damaged = |_| unknown("rule version", id);
    Ok(VersionRow {
        id: parsed("id")?.into(),
        version_no: row.try_get("version_no")?,
        deciding: serde_json::from_str(&parsed("deciding")?).map_err(damaged)?,
        wording: serde_json::from_str(&parsed("wording")?).map_err(damaged)?,
        digest: parsed("digest")?,
        author: parsed("author")?,
        authors: serde_json::from_str(&parsed("authors")?).map_err(damaged)?,
    })
}

async fn rule(tx: &mut Tx, row: &AnyRow) -> Result<RuleRow, StoreError> {
    let word: String = row.try_get("state")?;
    let current: String = row.try_get("current_version_id")?;
    let current = version(tx, &current).await?;
    let in_force = match row.try_get::<Option<String>, _>("in_force_version_id")? {
        Some(id) if id == current.id.as_str() => Some(current.clone()),
        Some(id) => Some(version(tx, &id).await?),
        None => None,
    };
    Ok(RuleRow {
        id: row.try_get::<String, _>("id")?.into(),
        number: row.try_get("number")?,
        name: row.try_get("name")?,
        product_id: row.try_get::<String, _>("product_id")?.into(),
        product: row.try_get("product")?,
        state: RuleState::parse(&word).ok_or_else(|| unknown("rule state", &word))?,
        current,
        in_force,
        version: row.try_get("version")?,
        created_at: row.try_get("created_at")?,
    })
}

/// A version of a rule, whichever it is.
pub(in crate::reclamation) async fn get_version(
    tx: &mut Tx,
    rule: &RuleRow,
    id: &RuleVersionId,
) -> Result<VersionRow, StoreError> {
    let had = [Some(&rule.current), rule.in_force.as_ref()];
    match had.into_iter().flatten().find(|version| version.id == *id) {
        Some(version) => Ok(version.clone()),
        None => version(tx, id.as_str()).await,
    }
}

/// By id or number.
pub(in crate::reclamation) async fn find(
    tx: &mut Tx,
    key: &str,
) -> Result<Option<RuleRow>, StoreError> {
    let row = sqlx::query(
        "select r.*, p.name as product from rules r join products p on p.id = r.product_id where r.id = $1 or r.number = $1",
    )
    .bind(key)
    .fetch_optional(tx.conn())
    .await?;
    match row {
        Some(row) => Ok(Some(rule(tx, &row).await?)),
        None => Ok(None),
    }
}

/// All rules in the order of their numbers; a handful, one per product.
pub(in crate::reclamation) async fn list(tx: &mut Tx) -> Result<Vec<RuleRow>, StoreError> {
    let rows = sqlx::query(
        "select r.*, p.name as product from rules r join products p on p.id = r.product_id order by r.number",
    )
    .fetch_all(tx.conn())
    .await?;
    let mut rules = Vec::with_capacity(rows.len());
    for row in &rows {
        rules.push(rule(tx, row).await?);
    }
    Ok(rules)
}

/// Paid products of a connector that people hold seats of, and that never had a rule: id and name.
pub(in crate::reclamation) async fn products_without_rule(
    tx: &mut Tx,
    connector: &str,
) -> Result<Vec<(ProductId, String)>, StoreError> {
    let rows = sqlx::query(
        "select p.id, p.name from products p join software_models m on m.product_id = p.id and m.is_under_management = 1 \
         where p.is_free = 0 and p.metric = 'seats' \
           and exists (select 1 from identifiers i join subscriptions s on s.identifier = i.identifier and s.valid_to is null \
             join organizations o on o.id = s.organization_id and o.connector_id = i.connector_id \
             where i.product_id = p.id and i.connector_id = $1) \
           and not exists (select 1 from rules r where r.product_id = p.id) order by p.name",
    )
    .bind(connector)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get::<String, _>("id")?.into(), row.try_get("name")?)))
        .collect()
}

pub(in crate::reclamation) struct NewVersion<'a> {
    pub id: &'a RuleVersionId,
    pub rule: &'a RuleId,
    pub version_no: i64,
    pub deciding: &'a Deciding,
    pub wording: &'a Wording,
    pub author_id: &'a str,
    pub authors: &'a [String],
    pub now_ms: i64,
}

pub(in crate::reclamation) async fn insert_version(
    tx: &mut Tx,
    new: &NewVersion<'_>,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into rule_versions (id, rule_id, version_no, deciding, wording, digest, author_id, authors, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(new.id.as_str())
    .bind(new.rule.as_str())
    .bind(new.version_no)
    .bind(new.deciding.canonical())
    .bind(serde_json::json!(new.wording).to_string())
    .bind(new.deciding.digest())
    .bind(new.author_id)
    .bind(serde_json::json!(new.authors).to_string())
    .bind(new.now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Wording changes in place: no approval is about it.
pub(in crate::reclamation) async fn reword(
    tx: &mut Tx,
    version: &RuleVersionId,
    wording: &Wording,
) -> Result<(), StoreError> {
    sqlx::query("update rule_versions set wording = $2 where id = $1")
        .bind(version.as_str())
        .bind(serde_json::json!(wording).to_string())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A product's identifiers by the connector that knows them.
pub(in crate::reclamation) async fn identifiers_of(
    tx: &mut Tx,
    product: &ProductId,
) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let rows = sqlx::query(
        "select connector_id, identifier from identifiers where product_id = $1 order by connector_id, identifier",
    )
    .bind(product.as_str())
    .fetch_all(tx.conn())
    .await?;
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in &rows {
        found
            .entry(row.try_get("connector_id")?)
            .or_default()
            .push(row.try_get("identifier")?);
    }
    Ok(found)
}

pub(in crate::reclamation) async fn insert_rule(
    tx: &mut Tx,
    id: &RuleId,
    number: &str,
    product: &ProductId,
    name: &str,
    current: &RuleVersionId,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into rules (id, number, product_id, name, state, current_version_id, created_at) values ($1, $2, $3, $4, 'proposed', $5, $6)",
    )
    .bind(id.as_str())
    .bind(number)
    .bind(product.as_str())
    .bind(name)
    .bind(current.as_str())
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Moves a rule that nobody else has moved since it was read.
pub(in crate::reclamation) async fn save(
    tx: &mut Tx,
    rule: &RuleRow,
    state: RuleState,
    current: &RuleVersionId,
    in_force: Option<&RuleVersionId>,
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "update rules set state = $3, current_version_id = $4, in_force_version_id = $5, name = $6, version = version + 1 \
         where id = $1 and version = $2",
    )
    .bind(rule.id.as_str())
    .bind(rule.version)
    .bind(state.as_str())
    .bind(current.as_str())
    .bind(in_force.map(|id| id.as_str().to_owned()))
    .bind(&rule.name)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::Conflict)
    }
}

/// What a decision is about.
pub(in crate::reclamation) struct NewApproval<'a> {
    pub id: &'a ApprovalId,
    pub subject_kind: &'a str,
    pub subject_id: &'a str,
    pub digest: &'a str,
    pub principal_id: &'a str,
    pub via: &'a str,
    pub is_approved: bool,
    pub reason: Option<&'a str>,
    pub seats: Option<i64>,
    pub now_ms: i64,
}

/// Records a decision. False when this person has decided about this digest before.
pub(in crate::reclamation) async fn insert_approval(
    tx: &mut Tx,
    new: &NewApproval<'_>,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "insert into approvals (id, subject_kind, subject_id, digest, principal_id, via, decision, reason, seats, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         on conflict (subject_kind, subject_id, digest, principal_id) do nothing",
    )
    .bind(new.id.as_str())
    .bind(new.subject_kind)
    .bind(new.subject_id)
    .bind(new.digest)
    .bind(new.principal_id)
    .bind(new.via)
    .bind(if new.is_approved {
        "approved"
    } else {
        "refused"
    })
    .bind(new.reason)
    .bind(new.seats)
    .bind(new.now_ms)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Decisions about one digest of one thing, oldest first.
pub(in crate::reclamation) async fn decisions(
    tx: &mut Tx,
    subject_kind: &str,
    subject_id: &str,
    digest: &str,
) -> Result<Vec<Decision>, StoreError> {
    let rows = sqlx::query(
        "select coalesce(p.name, a.principal_id) as by_name, a.via, a.decision, a.reason, a.created_at from approvals a \
         left join principals p on p.id = a.principal_id \
         where a.subject_kind = $1 and a.subject_id = $2 and a.digest = $3 order by a.created_at, a.id",
    )
    .bind(subject_kind)
    .bind(subject_id)
    .bind(digest)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Decision {
                by: row.try_get("by_name")?,
                via: row.try_get("via")?,
                decision: row.try_get("decision")?,
                reason: row.try_get("reason")?,
                at: row.try_get("created_at")?,
            })
        })
        .collect()
}

/// Open candidates of a rule.
pub(in crate::reclamation) async fn count_open(
    tx: &mut Tx,
    rule: &RuleId,
) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "select count(*) as n from candidates where rule_id = $1 and closed_at is null",
    )
    .bind(rule.as_str())
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get("n")?)
}

/// Organizations in which somebody holds an active seat of the product, with how many.
pub(in crate::reclamation) async fn seats_by_organization(
    tx: &mut Tx,
    product: &ProductId,
) -> Result<Vec<(OrgId, i64)>, StoreError> {
    let rows = sqlx::query(
        "select s.organization_id, count(*) as n from subscriptions s join organizations o on o.id = s.organization_id \
         join identifiers i on i.connector_id = o.connector_id and i.identifier = s.identifier \
         where s.valid_to is null and s.is_active = 1 and i.product_id = $1 group by s.organization_id order by s.organization_id",
    )
    .bind(product.as_str())
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.try_get::<String, _>("organization_id")?.into(),
                row.try_get("n")?,
            ))
        })
        .collect()
}

/// Who made or last changed the profiles of organizations that hold the product: principal, profile number.
pub(in crate::reclamation) async fn people_behind_profiles(
    tx: &mut Tx,
    product: &ProductId,
) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query(
        "select distinct w.principal, w.number from (select p.created_by as principal, p.number, p.organization_id from profiles p \
           union select p.changed_by, p.number, p.organization_id from profiles p) w \
         join subscriptions s on s.organization_id = w.organization_id and s.valid_to is null \
         join organizations o on o.id = s.organization_id \
         join identifiers i on i.connector_id = o.connector_id and i.identifier = s.identifier \
         where i.product_id = $1 order by w.number",
    )
    .bind(product.as_str())
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("principal")?, row.try_get("number")?)))
        .collect()
}
