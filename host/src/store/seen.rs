//! What somebody with a limited sight finds in each table: the one place that says so.
//!
//! A connection for such reads carries, for every table that is not the whole company's, a temporary view of the table's own name with
//! the rows that are seen. Temporary names come before the schema's in both databases, so that every statement of the product reads the
//! view: each list, record, count, sum, search and export, without knowing of it. A table that [`TABLES`] does not name makes
//! `every_table_says_who_sees_it` red.
//!
//! What belongs to a unit: a profile belongs to its business unit, and with it its alias, its runs and its files; an organization to the
//! units of its published or paused profile, or, without one, of those it had; an account, a seat, a candidate, an action, a position to
//! its organization; a batch only to whoever sees everybody in it; a person of the directory to the unit of the directory. Contracts
//! that several organizations share, and profiles without a unit, are seen only by whoever sees everything. Rules, products and
//! models are the company's catalogue, which all see; what they count is counted over the rows that are seen.

use sqlx::{AnyConnection, Executor as _, Row as _};

use super::{Dialect, Sight, StoreError, Tx};

/// Who sees the rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    /// Everybody: it is the company's.
    All,
    /// Nobody with a limited sight.
    None,
    /// Those for which this holds. `t` is the row; `{unit}`, `{profile}`, `{organization}` and `{alias}` ask whether what stands before
    /// is among what is seen.
    If(&'static str),
    /// The same, with these columns in place of the table's own, for SQLite and for PostgreSQL.
    Masked(&'static str, &'static str, &'static str),
}
use Rows::{All, If, Masked, None as Hidden};

const OF_ORGANIZATION: Rows = If("t.organization_id {organization}");
const OF_PROFILE: Rows = If("t.profile_id {profile}");
const OF_RUN: Rows = If("exists (select 1 from runs r where r.id = t.run_id)");
/// Of an alias in another unit whose child is seen: what is taken over from it, not whose it is. Its id is made of the child's.
const PARENT_ALIAS: &str = "case when t.id {alias} then t.id else 'of_' || (select min(c.id) from {schema}aliases c \
       where c.parent_id = t.id and c.id {alias}) end as id, \
     case when t.parent_id is null or t.parent_id {alias} then t.parent_id else 'of_' || (select min(c.id) from {schema}aliases c \
       where c.parent_id = t.parent_id and c.id {alias}) end as parent_id, t.connector_id, \
     case when t.id {alias} then t.name else 'an alias of another business unit' end as name, t.properties, t.version, t.created_at";
/// Of such an alias's connection only the way out, which is taken over from it.
const PARENT_CONNECTION: &str = "case when t.alias_id {alias} then t.alias_id else 'of_' || (select min(c.id) from {schema}aliases c \
       where c.parent_id = t.alias_id and c.id {alias}) end as alias_id, \
     case when t.alias_id {alias} then t.login_url else '' end as login_url, \
     case when t.alias_id {alias} then t.org_id end as org_id, t.version, t.created_at, t.updated_at, t.proxy_use, t.proxy_url, \
     t.proxy_user, t.proxy_password_sealed, t.proxy_password_hint, t.proxy_set_by, t.proxy_set_at, t.roots_pem, t.roots_set_by, \
     t.roots_set_at, case when t.alias_id {alias} then t.extra_hosts else '[]' end as extra_hosts";
const OF_PERSON: Rows = If("exists (select 1 from people p where p.id = t.person_id)");

/// Every table, those that others refer to first.
const TABLES: &[(&str, Rows)] = &[
    // Who may act. Names stand beside what people did.
    ("business_units", If("t.id {unit}")),
    ("principals", All),
    ("principal_roles", All),
    ("principal_units", Hidden),
    ("signin_links", Hidden),
    ("sessions", Hidden),
    ("api_tokens", Hidden),
    ("passwords", Hidden),
    ("second_factors", Hidden),
    ("recovery_codes", Hidden),
    ("signin_tries", Hidden),
    ("sign_on", Hidden),
    ("sign_on_groups", Hidden),
    ("sign_on_attempts", Hidden),
    ("sign_on_people", Hidden),
    // One chain over everything that happened, which cannot be shown in part.
    ("audit", Hidden),
    ("audit_heads", Hidden),
    // Of the installation.
    ("number_series", Hidden),
    ("controls", All),
    ("mail_servers", Hidden),
    ("notice_choices", Hidden),
    ("webhooks", Hidden),
    ("outbox", Hidden),
    ("outbox_notices", Hidden),
    // The catalogue and its rules.
    ("connectors", All),
    ("content_versions", All),
    ("products", All),
    ("identifiers", All),
    ("software_models", All),
    ("resolution_rules", All),
    ("exchange_rates", All),
    ("rules", All),
    (
        "rule_versions",
        // A rule that is for some organizations names them.
        Masked(
            "t.id, t.rule_id, t.version_no, \
             case when json_type(t.deciding, '$.scope.organizations') = 'array' \
               then json_set(t.deciding, '$.scope.organizations', json((select json_group_array(o.value) \
                 from json_each(t.deciding, '$.scope.organizations') o where o.value {organization}))) \
               else t.deciding end as deciding, t.wording, t.digest, t.author_id, t.authors, t.created_at",
            "t.id, t.rule_id, t.version_no, \
             case when jsonb_typeof(t.deciding::jsonb -> 'scope') = 'object' \
               then jsonb_set(t.deciding::jsonb, '{scope,organizations}', coalesce((select jsonb_agg(o.id) \
                 from jsonb_array_elements_text(t.deciding::jsonb #> '{scope,organizations}') o (id) where o.id {organization}), \
                 '[]'::jsonb))::text \
               else t.deciding end as deciding, t.wording, t.digest, t.author_id, t.authors, t.created_at",
            "1 = 1",
        ),
    ),
    ("mandates", All),
    // Profiles and what belongs to each.
    ("profiles", If("t.id {profile}")),
    (
        "aliases",
        Masked(
            PARENT_ALIAS,
            PARENT_ALIAS,
            "t.id {alias} or exists (select 1 from {schema}aliases c where c.parent_id = t.id and c.id {alias})",
        ),
    ),
    (
        "connections",
        Masked(
            PARENT_CONNECTION,
            PARENT_CONNECTION,
            "t.alias_id {alias} or exists (select 1 from {schema}aliases c where c.parent_id = t.alias_id and c.id {alias})",
        ),
    ),
    ("credentials", If("t.alias_id {alias}")),
    ("vault_fields", If("t.alias_id {alias}")),
    (
        "vaults",
        If("exists (select 1 from vault_fields f where f.vault_id = t.id)"),
    ),
    ("profile_checks", OF_PROFILE),
    ("playbook_tasks", OF_PROFILE),
    ("playbook_orgs", OF_PROFILE),
    ("hand_overs", OF_PROFILE),
    ("signins", OF_PROFILE),
    ("import_sources", OF_PROFILE),
    ("import_files", OF_PROFILE),
    (
        "import_chunks",
        If("exists (select 1 from import_files f where f.id = t.file_id)"),
    ),
    ("runs", OF_PROFILE),
    ("run_chains", OF_RUN),
    ("import_runs", OF_RUN),
    ("staged_accounts", OF_RUN),
    ("staged_subscriptions", OF_RUN),
    ("staged_facts", OF_RUN),
    ("staged_pools", OF_RUN),
    ("staged_activity", OF_RUN),
    (
        "jobs",
        If("t.organization_id {organization} or t.subject_id {profile}"),
    ),
    // The directory.
    ("people", If("t.business_unit_id {unit}")),
    ("employments", OF_PERSON),
    // Organizations and what belongs to each.
    ("organizations", If("t.id {organization}")),
    ("accounts", OF_ORGANIZATION),
    ("subscriptions", OF_ORGANIZATION),
    ("activity_days", OF_ORGANIZATION),
    ("account_signins", OF_ORGANIZATION),
    ("pools", OF_ORGANIZATION),
    ("clock_resets", OF_ORGANIZATION),
    (
        "matches",
        If(
            "t.organization_id {organization} and exists (select 1 from people p where p.id = t.person_id)",
        ),
    ),
    ("exemptions", OF_ORGANIZATION),
    (
        "supersessions",
        If("t.organization_id {organization} and t.by_organization_id {organization}"),
    ),
    ("identity_applications", OF_ORGANIZATION),
    (
        "identity_sources",
        If("exists (select 1 from identity_applications a where a.source_id = t.id)"),
    ),
    (
        "identity_signins",
        If("exists (select 1 from identity_applications a where a.id = t.application_id)"),
    ),
    ("entitlements", OF_ORGANIZATION),
    (
        "allocations",
        If(
            "exists (select 1 from entitlements e where e.id = t.entitlement_id) \
             and exists (select 1 from people p where p.id = t.person_id)",
        ),
    ),
    // Taking back.
    ("candidates", OF_ORGANIZATION),
    (
        "candidate_events",
        If("exists (select 1 from candidates c where c.id = t.candidate_id)"),
    ),
    (
        "batches",
        If(
            "not exists (select 1 from {schema}batch_items i join {schema}candidates c on c.id = i.candidate_id \
             where i.batch_id = t.id and not c.organization_id {organization})",
        ),
    ),
    (
        "batch_items",
        If("exists (select 1 from batches b where b.id = t.batch_id)"),
    ),
    ("actions", OF_ORGANIZATION),
    (
        "action_steps",
        If("exists (select 1 from actions a where a.id = t.action_id)"),
    ),
    (
        "approvals",
        If(
            "t.subject_kind in ('rule_version', 'mandate') or t.subject_id {profile} \
             or exists (select 1 from batches b where b.id = t.subject_id)",
        ),
    ),
    ("savings_events", OF_ORGANIZATION),
    // Results. What a result says of the company as a whole is not stored anew for each sight: it is left out here, and counted over
    // the rows that are seen by whoever shows it.
    (
        "reconciliations",
        Masked(
            "t.id, t.number, t.trigger, t.ran_at, t.as_of_day, t.state, \
             (select coalesce(json_group_array(json(b.value)), '[]') from json_each(t.basis) b \
               where json_extract(b.value, '$.organization_id') {organization}) as basis, \
             '{}' as totals, '' as digest, t.created_at",
            "t.id, t.number, t.trigger, t.ran_at, t.as_of_day, t.state, \
             (select coalesce(json_agg(b.value), '[]')::text from json_array_elements(t.basis::json) b \
               where (b.value ->> 'organization_id') {organization}) as basis, \
             '{}' as totals, '' as digest, t.created_at",
            "1 = 1",
        ),
    ),
    ("positions", If("t.scope {organization}")),
];

/// What is asked for, and from which rows it follows.
const KINDS: [(&str, &str); 4] = [
    ("unit", ""),
    (
        "profile",
        "select p.id from {schema}profiles p where p.business_unit_id {unit}",
    ),
    (
        "organization",
        "select distinct p.organization_id as id from {schema}profiles p where p.business_unit_id {unit} and p.organization_id is not null \
           and (p.state in ('published', 'paused') or not exists (select 1 from {schema}profiles q \
             where q.organization_id = p.organization_id and q.state in ('published', 'paused')))",
    ),
    (
        "alias",
        "select distinct p.alias_id as id from {schema}profiles p where p.business_unit_id {unit}",
    ),
];

/// The placeholders of a text, for one database whose tables stand in this schema.
fn filled(text: &str, dialect: Dialect, schema: &str) -> String {
    let mut text = text.replace("{schema}", schema);
    for (kind, _) in KINDS {
        let among = match dialect {
            Dialect::Sqlite => format!("in (select s.id from temp.seen s where s.kind = '{kind}')"),
            // The setting is of the transaction; without it nothing is seen.
            Dialect::Postgres => {
                format!("= any(string_to_array(current_setting('seatwise.{kind}', true), ','))")
            }
        };
        text = text.replace(&format!("{{{kind}}}"), &among);
    }
    text
}

/// Makes a connection one that sees only what each of its transactions is told to.
pub(super) async fn limit(conn: &mut AnyConnection, dialect: Dialect) -> Result<(), sqlx::Error> {
    let (schema, view) = match dialect {
        Dialect::Sqlite => {
            conn.execute(
                "create temp table seen (kind text not null, id text not null, primary key (kind, id)) without rowid",
            )
            .await?;
            let text: String =
                sqlx::query("select sql from main.sqlite_master where type = 'view' and name = 'current_subscriptions'")
                    .fetch_one(&mut *conn)
                    .await?
                    .try_get("sql")?;
            let (_, body) = text
                .split_once(" as\n")
                .ok_or_else(|| sqlx::Error::Protocol("a view without a body".to_owned()))?;
            ("main.".to_owned(), body.to_owned())
        }
        Dialect::Postgres => {
            let row = sqlx::query(
                "select quote_ident(current_schema()) || '.' as here, pg_get_viewdef('current_subscriptions'::regclass) as body",
            )
            .fetch_one(&mut *conn)
            .await?;
            (row.try_get("here")?, row.try_get("body")?)
        }
    };
    for (table, rows) in TABLES {
        let (columns, condition) = match (rows, dialect) {
            (All, _) => continue,
            (Hidden, _) => ("t.*", "1 = 0"),
            (If(condition), _) => ("t.*", *condition),
            (Masked(columns, _, condition), Dialect::Sqlite)
            | (Masked(_, columns, condition), Dialect::Postgres) => (*columns, *condition),
        };
        let text = filled(
            &format!(
                "create temp view {table} as select {columns} from {{schema}}{table} t where {condition}"
            ),
            dialect,
            &schema,
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(text))
            .execute(&mut *conn)
            .await?;
    }
    // The schema's own view reads the schema's tables; made anew here, the same text reads the views above.
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "create temp view current_subscriptions as {view}"
    )))
    .execute(conn)
    .await?;
    Ok(())
}

/// Tells a transaction of a limited connection what it sees.
pub(super) async fn look(tx: &mut Tx, sight: &Sight) -> Result<(), StoreError> {
    let dialect = tx.dialect();
    let units: Vec<&str> = sight.ids().into_iter().flatten().collect();
    match dialect {
        Dialect::Sqlite => {
            sqlx::query("delete from temp.seen")
                .execute(tx.conn())
                .await?;
            for unit in units {
                sqlx::query("insert into temp.seen (kind, id) values ('unit', $1)")
                    .bind(unit)
                    .execute(tx.conn())
                    .await?;
            }
            for (kind, rows) in KINDS.iter().skip(1) {
                let rows = filled(rows, dialect, "main.");
                sqlx::query(sqlx::AssertSqlSafe(format!(
                    "insert into temp.seen (kind, id) select '{kind}', r.id from ({rows}) r"
                )))
                .execute(tx.conn())
                .await?;
            }
        }
        Dialect::Postgres => {
            sqlx::query("select set_config('seatwise.unit', $1, true)")
                .bind(units.join(","))
                .execute(tx.conn())
                .await?;
            let schema: String = sqlx::query("select quote_ident(current_schema()) || '.' as here")
                .fetch_one(tx.conn())
                .await?
                .try_get("here")?;
            for (kind, rows) in KINDS.iter().skip(1) {
                let rows = filled(rows, dialect, &schema);
                sqlx::query(sqlx::AssertSqlSafe(format!(
                    "select set_config('seatwise.{kind}', coalesce((select string_agg(r.id, ',') from ({rows}) r), ''), true)"
                )))
                .execute(tx.conn())
                .await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::kernel::faults::NoFaults;
    use crate::store::Store;

    #[tokio::test]
    async fn every_table_says_who_sees_it() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("seen.db").display());
        let store = Store::open(&url, Arc::new(NoFaults)).await.unwrap();
        let mut tx = store.read_everything().await.unwrap();
        let known: BTreeSet<String> = sqlx::query(
            "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%' \
               and name not in ('_sqlx_migrations', 'current_subscriptions')",
        )
        .fetch_all(tx.conn())
        .await
        .unwrap()
        .iter()
        .map(|row| row.get("name"))
        .collect();
        let said: BTreeSet<String> = TABLES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(said.len(), TABLES.len(), "a table is named twice");
        assert_eq!(known, said);
    }

    /// What may be read with the permission to read is read with the sight of whoever asks.
    #[test]
    fn no_use_case_that_anybody_may_read_asks_for_everything() {
        fn walk(folder: &std::path::Path, wrong: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, wrong);
                } else if path.extension().is_some_and(|ending| ending == "rs") {
                    let code = std::fs::read_to_string(&path).unwrap();
                    for part in code.split("\npub async fn ") {
                        let body = part.split("\n}\n").next().unwrap_or_default();
                        let by_anybody = body.contains("may(Permission::Read)")
                            || body.contains("may(Permission::WorkCandidates)")
                            || body.contains("may(Permission::Approve)");
                        if by_anybody && body.contains("read_everything()") {
                            let name = body.split('(').next().unwrap_or_default();
                            wrong.push(format!("{}: {name}", path.display()));
                        }
                    }
                }
            }
        }
        let mut wrong = Vec::new();
        let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        walk(&sources, &mut wrong);
        // Everybody's names stand beside what they did; only an administrator's page lists them.
        wrong.retain(|line| !line.ends_with("identity/service.rs: list_principals"));
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
