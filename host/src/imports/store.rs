//! SQL of sources without a connector.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::mapping::Mapping;
use super::model::{FileRun, FileView, SourceView};
use super::reading::Judged;
use crate::kernel::{ImportFileId, OrgId, ProfileId, RunId};
use crate::store::{StoreError, Tx, bulk};

const SOURCES: &str = "select p.id, p.number, p.name, p.state, s.publisher, s.organization_id, \
       (select count(*) from accounts a where a.organization_id = s.organization_id and a.valid_to is null and a.is_gone = 0) as accounts, \
       (select count(*) from subscriptions b where b.organization_id = s.organization_id and b.valid_to is null and b.is_active = 1) \
         as subscriptions, \
       (select count(*) from current_subscriptions c where c.organization_id = s.organization_id and c.is_active = 1 \
         and c.baseline_at < $1) as unused, \
       (select max(r.ended_at) from runs r where r.profile_id = p.id and r.state = 'complete') as imported_at \
     from import_sources s join profiles p on p.id = s.profile_id";

fn source(row: &AnyRow) -> Result<SourceView, StoreError> {
    Ok(SourceView {
        number: row.try_get("number")?,
        name: row.try_get("name")?,
        publisher: row.try_get("publisher")?,
        profile_id: row.try_get::<String, _>("id")?.into(),
        organization_id: row.try_get::<String, _>("organization_id")?.into(),
        state: row.try_get("state")?,
        accounts: row.try_get("accounts")?,
        subscriptions: row.try_get("subscriptions")?,
        unused: row.try_get("unused")?,
        imported_at: row.try_get("imported_at")?,
    })
}

/// All sources by number; `before_ms` is where an unused seat's clock started at the latest.
pub(super) async fn list_sources(
    tx: &mut Tx,
    before_ms: i64,
) -> Result<Vec<SourceView>, StoreError> {
    let sql = format!("{SOURCES} order by p.number");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(before_ms)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(source)
        .collect()
}

/// One source by number, id or name.
pub(super) async fn find_source(
    tx: &mut Tx,
    before_ms: i64,
    key: &str,
) -> Result<Option<SourceView>, StoreError> {
    let sql = format!("{SOURCES} where p.number = $2 or p.id = $2 or p.name = $2");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(before_ms)
        .bind(key)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(source).transpose()
}

/// The publisher of an imported organization.
pub(super) async fn publisher_of(
    tx: &mut Tx,
    organization: &OrgId,
) -> Result<Option<String>, StoreError> {
    let row = sqlx::query("select publisher from import_sources where organization_id = $1")
        .bind(organization.as_str())
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| Ok(row.try_get("publisher")?)).transpose()
}

pub(super) async fn insert_source(
    tx: &mut Tx,
    profile: &ProfileId,
    organization: &OrgId,
    publisher: &str,
    by: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into import_sources (profile_id, organization_id, publisher, created_by, created_at) values ($1, $2, $3, $4, $5)",
    )
    .bind(profile.as_str())
    .bind(organization.as_str())
    .bind(publisher)
    .bind(by)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A file that was just read.
pub(super) struct NewFile<'a> {
    pub id: &'a ImportFileId,
    pub profile: &'a ProfileId,
    pub name: &'a str,
    pub digest: &'a str,
    pub byte_count: i64,
    pub encoding: &'a str,
    pub separator: u8,
    pub headings: &'a [String],
    pub lines: i64,
    pub mapping: &'a Mapping,
    pub judged: &'a Judged,
    pub bad_lines: &'a [u64],
    pub by: &'a str,
    pub now_ms: i64,
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("a view is plain data with text keys")
}

pub(super) async fn insert_file(tx: &mut Tx, new: &NewFile<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "insert into import_files (id, profile_id, name, digest, byte_count, encoding, separator, headings, line_count, mapping, judged, \
           bad_lines, state, brought_by, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'kept', $13, $14)",
    )
    .bind(new.id.as_str())
    .bind(new.profile.as_str())
    .bind(new.name)
    .bind(new.digest)
    .bind(new.byte_count)
    .bind(new.encoding)
    .bind(char::from(new.separator).to_string())
    .bind(json(&new.headings))
    .bind(new.lines)
    .bind(json(new.mapping))
    .bind(json(new.judged))
    .bind(json(&new.bad_lines))
    .bind(new.by)
    .bind(new.now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A piece of a file's text: its number and that of its first line.
pub(super) struct Chunk {
    pub number: i64,
    pub first_line: i64,
    pub body: String,
}

pub(super) async fn insert_chunks(
    tx: &mut Tx,
    file: &ImportFileId,
    chunks: &[Chunk],
) -> Result<(), StoreError> {
    bulk::insert(
        tx,
        "insert into import_chunks (file_id, chunk_no, first_line, body) ",
        "",
        4,
        chunks,
        |row, chunk| {
            row.push_bind(file.as_str().to_owned())
                .push_bind(chunk.number)
                .push_bind(chunk.first_line)
                .push_bind(chunk.body.clone());
        },
    )
    .await?;
    Ok(())
}

pub(super) async fn find_chunk(
    tx: &mut Tx,
    file: &ImportFileId,
    number: i64,
) -> Result<Option<Chunk>, StoreError> {
    let row = sqlx::query(
        "select first_line, body from import_chunks where file_id = $1 and chunk_no = $2",
    )
    .bind(file.as_str())
    .bind(number)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        Ok(Chunk {
            number,
            first_line: row.try_get("first_line")?,
            body: row.try_get("body")?,
        })
    })
    .transpose()
}

const FILES: &str = "select f.*, coalesce(w.name, f.brought_by) as by_name from import_files f \
     left join principals w on w.id = f.brought_by";

fn file(row: &AnyRow) -> Result<FileView, StoreError> {
    fn parsed<T: serde::de::DeserializeOwned>(row: &AnyRow, column: &str) -> Result<T, StoreError> {
        let text: String = row.try_get(column)?;
        serde_json::from_str(&text).map_err(|error| {
            StoreError::Migrate(format!(
                "{column} of an imported file cannot be read: {error}"
            ))
        })
    }
    Ok(FileView {
        id: row.try_get::<String, _>("id")?.into(),
        name: row.try_get("name")?,
        digest: row.try_get("digest")?,
        byte_count: row.try_get("byte_count")?,
        encoding: row.try_get("encoding")?,
        separator: row.try_get("separator")?,
        headings: parsed(row, "headings")?,
        lines: row.try_get("line_count")?,
        mapping: parsed(row, "mapping")?,
        judged: parsed(row, "judged")?,
        state: row.try_get("state")?,
        brought_by: row.try_get("by_name")?,
        created_at: row.try_get("created_at")?,
        version: row.try_get("version")?,
        runs: Vec::new(),
    })
}

/// The files of a source, newest first, without their imports.
pub(super) async fn list_files(
    tx: &mut Tx,
    profile: &ProfileId,
    limit: i64,
) -> Result<Vec<FileView>, StoreError> {
    let sql =
        format!("{FILES} where f.profile_id = $1 order by f.created_at desc, f.id desc limit $2");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(profile.as_str())
        .bind(limit)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(file)
        .collect()
}

/// One file of a source.
pub(super) async fn find_file(
    tx: &mut Tx,
    profile: &ProfileId,
    key: &str,
) -> Result<Option<FileView>, StoreError> {
    let sql = format!("{FILES} where f.profile_id = $1 and f.id = $2");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(profile.as_str())
        .bind(key)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(file).transpose()
}

/// The imports of a source's files, newest first: which file, and the import.
pub(super) async fn list_runs(
    tx: &mut Tx,
    profile: &ProfileId,
) -> Result<Vec<(ImportFileId, FileRun)>, StoreError> {
    let rows = sqlx::query(
        "select i.file_id, i.left_out, i.created_at, r.number, r.state from import_runs i join runs r on r.id = i.run_id \
         where r.profile_id = $1 order by i.created_at desc, r.number desc limit 200",
    )
    .bind(profile.as_str())
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let left_out: Vec<u64> =
                serde_json::from_str(&row.try_get::<String, _>("left_out")?).unwrap_or_default();
            Ok((
                row.try_get::<String, _>("file_id")?.into(),
                FileRun {
                    number: row.try_get("number")?,
                    state: row.try_get("state")?,
                    created_at: row.try_get("created_at")?,
                    left_out: i64::try_from(left_out.len()).unwrap_or(i64::MAX),
                },
            ))
        })
        .collect()
}

/// Another mapping, and what it comes to. [`StoreError::Conflict`] when somebody else changed it meanwhile.
pub(super) async fn remap(
    tx: &mut Tx,
    file: &FileView,
    mapping: &Mapping,
    judged: &Judged,
    bad_lines: &[u64],
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "update import_files set mapping = $3, judged = $4, bad_lines = $5, version = version + 1 where id = $1 and version = $2",
    )
    .bind(file.id.as_str())
    .bind(file.version)
    .bind(json(mapping))
    .bind(json(judged))
    .bind(json(&bad_lines))
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::Conflict)
    }
}

/// Notes that a run reads a file as it is mapped now, its bad lines left out.
pub(super) async fn insert_run(
    tx: &mut Tx,
    run: &RunId,
    file: &FileView,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into import_runs (run_id, file_id, mapping, left_out, accounts, created_at) \
         select $1, id, mapping, bad_lines, $3, $4 from import_files where id = $2",
    )
    .bind(run.as_str())
    .bind(file.id.as_str())
    .bind(i64::try_from(file.judged.accounts).unwrap_or(i64::MAX))
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What a run reads.
pub(super) struct Reads {
    pub file: ImportFileId,
    pub number: String,
    pub name: String,
    pub digest: String,
    pub separator: u8,
    pub headings: Vec<String>,
    pub mapping: Mapping,
    pub left_out: Vec<u64>,
    pub accounts: i64,
}

/// What a run reads; `None`: it reads no file.
pub(super) async fn find_reads(tx: &mut Tx, run: &RunId) -> Result<Option<Reads>, StoreError> {
    let row = sqlx::query(
        "select i.file_id, i.mapping, i.left_out, i.accounts, f.separator, f.headings, f.digest, p.number, p.name \
         from import_runs i join import_files f on f.id = i.file_id join profiles p on p.id = f.profile_id where i.run_id = $1",
    )
    .bind(run.as_str())
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let text = |column: &str| -> Result<String, StoreError> { Ok(row.try_get(column)?) };
    let wrong = |error: serde_json::Error| {
        StoreError::Migrate(format!("what a run reads cannot be read: {error}"))
    };
    Ok(Some(Reads {
        file: text("file_id")?.into(),
        number: text("number")?,
        name: text("name")?,
        digest: text("digest")?,
        separator: text("separator")?.bytes().next().unwrap_or(b','),
        headings: serde_json::from_str(&text("headings")?).map_err(wrong)?,
        mapping: serde_json::from_str(&text("mapping")?).map_err(wrong)?,
        left_out: serde_json::from_str(&text("left_out")?).map_err(wrong)?,
        accounts: row.try_get("accounts")?,
    }))
}

/// Drops the text of all files of a source but the newest `keep` and those that an open run reads. Their rows stay.
pub(super) async fn drop_old(
    tx: &mut Tx,
    profile: &ProfileId,
    keep: i64,
) -> Result<(), StoreError> {
    const OLD: &str = "select f.id from import_files f where f.profile_id = $1 and f.state = 'kept' \
         and f.id not in (select n.id from import_files n where n.profile_id = $1 order by n.created_at desc, n.id desc limit $2) \
         and not exists (select 1 from import_runs i join runs r on r.id = i.run_id where i.file_id = f.id \
           and r.state in ('queued', 'running', 'paused_quota', 'held'))";
    let rows = sqlx::query(OLD)
        .bind(profile.as_str())
        .bind(keep)
        .fetch_all(tx.conn())
        .await?;
    for row in rows {
        let id: String = row.try_get("id")?;
        for statement in [
            "delete from import_chunks where file_id = $1",
            "update import_files set state = 'dropped' where id = $1",
        ] {
            sqlx::query(statement).bind(&id).execute(tx.conn()).await?;
        }
    }
    Ok(())
}
