//! Use cases of sources without a connector; one transaction each.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::mapping::{Dates, Mapping, Target};
use super::model::{FileView, SourceView, UNUSED_DAYS};
use super::reading::{Judge, Judged, MOST_LEFT_OUT};
use super::store::{self, Chunk, NewFile};

pub use super::error::ImportError;
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Permission};
use crate::jobs::{JobKind, NewJob};
use crate::kernel::digest::sha256_hex;
use crate::kernel::sheet::{self, Charset};
use crate::kernel::{Day, ImportFileId, OrgId, RunId};
use crate::profiles::imported;
use crate::store::{StoreError, Tx};
use crate::sync::service as runs;
use crate::sync::{RunKind, StartRun};

/// Bytes of a file at most: some hundred thousand lines.
pub const MOST_BYTES: usize = 32 * 1024 * 1024;
/// Lines of one chunk, which is one page of the run.
const CHUNK_LINES: usize = 1_000;
/// Files of a source whose text is kept, so that an import can be undone by the one before.
const KEPT_FILES: i64 = 5;
/// Files shown with a source.
const SHOWN_FILES: i64 = 20;

fn not_found(what: &'static str, key: &str) -> ImportError {
    ImportError::NotFound {
        what,
        key: key.chars().take(80).collect(),
    }
}

/// Where the clock of an unused seat started at the latest.
fn unused_before(host: &Host) -> i64 {
    Day::of_ms(host.now_ms())
        .plus_days(1 - UNUSED_DAYS)
        .start_ms()
}

async fn need(host: &Host, tx: &mut Tx, key: &str) -> Result<SourceView, ImportError> {
    store::find_source(tx, unused_before(host), key)
        .await?
        .ok_or_else(|| not_found("source", key))
}

async fn need_file(tx: &mut Tx, source: &SourceView, key: &str) -> Result<FileView, ImportError> {
    let mut file = store::find_file(tx, &source.profile_id, key)
        .await?
        .ok_or_else(|| not_found("file", key))?;
    file.runs = store::list_runs(tx, &source.profile_id)
        .await?
        .into_iter()
        .filter(|(id, _)| *id == file.id)
        .map(|(_, run)| run)
        .collect();
    Ok(file)
}

/// All sources without a connector, by number.
///
/// # Errors
/// [`ImportError::Denied`].
pub async fn list_sources(host: &Host, actor: &Actor) -> Result<Vec<SourceView>, ImportError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    Ok(store::list_sources(&mut tx, unused_before(host)).await?)
}

/// One source by number, id or name, with its files, newest first.
///
/// # Errors
/// [`ImportError::NotFound`], [`ImportError::Denied`].
pub async fn get_source(
    host: &Host,
    actor: &Actor,
    key: &str,
) -> Result<(SourceView, Vec<FileView>), ImportError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let source = need(host, &mut tx, key).await?;
    let mut files = store::list_files(&mut tx, &source.profile_id, SHOWN_FILES).await?;
    for (id, run) in store::list_runs(&mut tx, &source.profile_id).await? {
        if let Some(file) = files.iter_mut().find(|file| file.id == id) {
            file.runs.push(run);
        }
    }
    Ok((source, files))
}

/// One file of a source.
///
/// # Errors
/// [`ImportError::NotFound`], [`ImportError::Denied`].
pub async fn get_file(
    host: &Host,
    actor: &Actor,
    key: &str,
    file: &str,
) -> Result<(SourceView, FileView), ImportError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let source = need(host, &mut tx, key).await?;
    let file = need_file(&mut tx, &source, file).await?;
    Ok((source, file))
}

/// Makes a source: an organization of its own, to which files bring who holds what.
///
/// # Errors
/// [`ImportError::Publisher`], [`ImportError::Profile`] for the name, [`ImportError::Denied`].
pub async fn create_source(
    host: &Host,
    actor: &Actor,
    name: &str,
    publisher: &str,
) -> Result<SourceView, ImportError> {
    actor.may(Permission::ManageProfiles)?;
    let publisher = publisher.trim();
    let length = publisher.chars().count();
    if !(1..=80).contains(&length) || publisher.chars().any(char::is_control) {
        return Err(ImportError::Publisher);
    }
    let mut tx = host.store.begin().await?;
    let made = imported::create(host, &mut tx, actor, name.trim(), publisher).await?;
    store::insert_source(
        &mut tx,
        &made.profile,
        &made.organization,
        publisher,
        actor.id.as_str(),
        host.now_ms(),
    )
    .await?;
    let source = need(host, &mut tx, &made.number).await?;
    tx.commit().await?;
    Ok(source)
}

/// A file to be read.
#[derive(Clone, Debug, Default)]
pub struct NewText<'a> {
    /// As it is called.
    pub name: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Encoding by name; empty: by its mark, else UTF-8.
    pub encoding: &'a str,
    /// What stands between its cells: `,`, `;`, `|` or a tab; empty: what the heading line has most of.
    pub separator: &'a str,
}

fn separator_of(given: &str, text: &str) -> Result<u8, ImportError> {
    match given {
        "" => Ok(sheet::separator(text)),
        "," => Ok(b','),
        ";" => Ok(b';'),
        "|" => Ok(b'|'),
        "\t" | "tab" => Ok(b'\t'),
        other => Err(ImportError::Choice {
            what: "separator",
            given: other.chars().take(20).collect(),
        }),
    }
}

/// The text in pieces of whole lines, the heading line apart, and how many lines there are.
fn chunks(text: &str, separator: u8) -> (Vec<Chunk>, i64) {
    let mut cuts: Vec<(u64, usize)> = Vec::new();
    let mut lines = 0_usize;
    for record in sheet::records(text, separator, 1).skip(1) {
        if lines.is_multiple_of(CHUNK_LINES) {
            cuts.push((record.line, record.byte));
        }
        lines += 1;
    }
    let mut pieces = Vec::with_capacity(cuts.len());
    for (number, (line, from)) in (0_i64..).zip(&cuts) {
        let next = usize::try_from(number + 1).ok().and_then(|at| cuts.get(at));
        let to = next.map_or(text.len(), |(_, byte)| *byte);
        pieces.push(Chunk {
            number,
            first_line: i64::try_from(*line).unwrap_or(i64::MAX),
            body: text.get(*from..to).unwrap_or_default().to_owned(),
        });
    }
    (pieces, i64::try_from(lines).unwrap_or(i64::MAX))
}

/// Judges pieces of a file; a mapping that can read nothing judges nothing, and says why.
fn judge(
    host: &Host,
    pieces: &[Chunk],
    separator: u8,
    headings: &[String],
    mapping: &Mapping,
) -> (Judged, Vec<u64>) {
    if let Err(error) = mapping.check(headings.len()) {
        let judged = Judged {
            refused: Some(error.to_string()),
            ..Judged::default()
        };
        return (judged, Vec::new());
    }
    let mut judge = Judge::default();
    for piece in pieces {
        let first_line = u64::try_from(piece.first_line).unwrap_or(1);
        for record in sheet::records(&piece.body, separator, first_line) {
            judge.take(&record, headings, mapping, host.now_ms());
        }
    }
    judge.end()
}

/// Keeps a file and reads it by a guessed mapping, or by that of the file before where the headings are the same. Nothing is imported.
///
/// # Errors
/// [`ImportError::Sheet`], [`ImportError::Choice`], [`ImportError::NotFound`], [`ImportError::Denied`].
pub async fn bring_file(
    host: &Host,
    actor: &Actor,
    key: &str,
    new: NewText<'_>,
) -> Result<FileView, ImportError> {
    actor.may(Permission::ManageProfiles)?;
    let chosen = match new.encoding {
        "" => None,
        given => Some(Charset::parse(given).ok_or_else(|| ImportError::Choice {
            what: "encoding",
            given: given.chars().take(20).collect(),
        })?),
    };
    let (text, charset) = sheet::decode(new.bytes, chosen)?;
    let text = sheet::unix_lines(&text);
    let separator = separator_of(new.separator, &text)?;
    let headings = sheet::headings(&text, separator)?;
    let (pieces, lines) = chunks(&text, separator);
    drop(text);
    let mut tx = host.store.begin().await?;
    let source = need(host, &mut tx, key).await?;
    let before = store::list_files(&mut tx, &source.profile_id, 1)
        .await?
        .pop();
    let mapping = Mapping::carried(
        &headings,
        before
            .as_ref()
            .map(|file| (file.headings.as_slice(), &file.mapping)),
    );
    let (judged, bad_lines) = judge(host, &pieces, separator, &headings, &mapping);
    let now_ms = host.now_ms();
    let id = ImportFileId::mint(now_ms, &*host.chance);
    let name: String = new
        .name
        .chars()
        .filter(|c| !c.is_control())
        .take(120)
        .collect();
    let name = if name.trim().is_empty() {
        "pasted".to_owned()
    } else {
        name
    };
    let digest = sha256_hex(new.bytes);
    let row = NewFile {
        id: &id,
        profile: &source.profile_id,
        name: &name,
        digest: &digest,
        byte_count: i64::try_from(new.bytes.len()).unwrap_or(i64::MAX),
        encoding: charset.as_str(),
        separator,
        headings: &headings,
        lines,
        mapping: &mapping,
        judged: &judged,
        bad_lines: &bad_lines,
        by: actor.id.as_str(),
        now_ms,
    };
    store::insert_file(&mut tx, &row).await?;
    store::insert_chunks(&mut tx, &id, &pieces).await?;
    store::drop_old(&mut tx, &source.profile_id, KEPT_FILES).await?;
    let entry = Entry {
        event: "import.brought",
        subject_kind: "profile",
        subject_id: source.profile_id.as_str(),
        detail: json!({ "file": id, "name": name, "digest": digest, "lines": lines, "bad": judged.bad }),
    };
    host.audit(&mut tx, actor, entry).await?;
    let file = need_file(&mut tx, &source, id.as_str()).await?;
    tx.commit().await?;
    Ok(file)
}

/// How a person wants a file to be read. What is not given stays.
#[derive(Clone, Debug, Default)]
pub struct Remap {
    /// By heading; a heading that is not named is not read.
    pub columns: Option<BTreeMap<String, String>>,
    /// In the file's order, where headings repeat; goes before `columns`.
    pub in_order: Option<Vec<String>>,
    /// A form of dates.
    pub dates: Option<String>,
    /// The licence of every line; empty: none.
    pub licence: Option<String>,
    /// An empty last activity means never.
    pub is_empty_never: Option<bool>,
}

fn target(word: &str) -> Result<Target, ImportError> {
    Target::parse(word).ok_or_else(|| ImportError::Choice {
        what: "meaning of a column",
        given: word.chars().take(40).collect(),
    })
}

fn remapped(file: &FileView, wish: Remap) -> Result<Mapping, ImportError> {
    let mut mapping = file.mapping.clone();
    if let Some(in_order) = wish.in_order {
        mapping.columns = in_order
            .iter()
            .map(|word| target(word))
            .collect::<Result<_, _>>()?;
    } else if let Some(columns) = wish.columns {
        mapping.columns = vec![Target::Ignore; file.headings.len()];
        for (heading, word) in columns {
            let column = file
                .headings
                .iter()
                .position(|known| *known == heading)
                .and_then(|at| mapping.columns.get_mut(at))
                .ok_or_else(|| ImportError::NoColumn(heading.chars().take(60).collect()))?;
            *column = target(&word)?;
        }
    }
    if let Some(word) = wish.dates {
        mapping.dates = Dates::parse(&word).ok_or_else(|| ImportError::Choice {
            what: "form of dates",
            given: word.chars().take(40).collect(),
        })?;
    }
    if let Some(licence) = wish.licence {
        let licence: String = licence
            .trim()
            .chars()
            .filter(|c| !c.is_control())
            .take(super::reading::LONGEST_CELL)
            .collect();
        mapping.licence = Some(licence).filter(|licence| !licence.is_empty());
    }
    if let Some(is_empty_never) = wish.is_empty_never {
        mapping.is_empty_never = is_empty_never;
    }
    mapping.check(file.headings.len())?;
    Ok(mapping)
}

/// Reads a file by another mapping, and shows what that comes to. Nothing is imported.
///
/// # Errors
/// [`ImportError::Mapping`], [`ImportError::Choice`], [`ImportError::NoColumn`], [`ImportError::Dropped`], [`ImportError::NotFound`],
/// [`ImportError::Denied`].
pub async fn remap_file(
    host: &Host,
    actor: &Actor,
    key: &str,
    file: &str,
    wish: Remap,
) -> Result<FileView, ImportError> {
    actor.may(Permission::ManageProfiles)?;
    let (source, before) = get_file(host, actor, key, file).await?;
    if before.state != "kept" {
        return Err(ImportError::Dropped);
    }
    let mapping = remapped(&before, wish)?;
    let separator = before.separator.bytes().next().unwrap_or(b',');
    let mut pieces = Vec::new();
    {
        let mut tx = host.store.read(&actor.sight).await?;
        while let Some(piece) = {
            let number = i64::try_from(pieces.len()).unwrap_or(i64::MAX);
            store::find_chunk(&mut tx, &before.id, number).await?
        } {
            pieces.push(piece);
        }
    }
    let (judged, bad_lines) = judge(host, &pieces, separator, &before.headings, &mapping);
    let mut tx = host.store.begin().await?;
    store::remap(&mut tx, &before, &mapping, &judged, &bad_lines).await?;
    let entry = Entry {
        event: "import.mapped",
        subject_kind: "profile",
        subject_id: source.profile_id.as_str(),
        detail: json!({ "file": before.id, "mapping": mapping, "bad": judged.bad }),
    };
    host.audit(&mut tx, actor, entry).await?;
    let file = need_file(&mut tx, &source, before.id.as_str()).await?;
    tx.commit().await?;
    Ok(file)
}

/// An import that was started.
#[derive(Clone, Debug, Serialize)]
pub struct Started {
    /// Id of its run.
    pub run_id: RunId,
    /// Number of its run.
    pub run: String,
    /// Lines that are left out.
    pub left_out: u64,
}

/// Imports a file as a complete snapshot: what it does not name ends. The version is that of the preview that was seen; lines that
/// cannot be used stop everything, unless exactly so many are left out knowingly.
///
/// # Errors
/// [`ImportError::Stale`], [`ImportError::BadLines`], [`ImportError::NoLines`], [`ImportError::Mapping`], [`ImportError::Dropped`],
/// [`ImportError::Busy`], [`ImportError::Sync`], [`ImportError::NotFound`], [`ImportError::Denied`].
pub async fn import_file(
    host: &Host,
    actor: &Actor,
    key: &str,
    file: &str,
    version: i64,
    leave_out: u64,
) -> Result<Started, ImportError> {
    actor.may(Permission::ManageProfiles)?;
    let mut tx = host.store.begin().await?;
    let source = need(host, &mut tx, key).await?;
    let file = need_file(&mut tx, &source, file).await?;
    if file.state != "kept" {
        return Err(ImportError::Dropped);
    }
    if file.version != version {
        return Err(ImportError::Stale);
    }
    file.mapping.check(file.headings.len())?;
    let bad = file.judged.bad;
    if bad != leave_out || bad > MOST_LEFT_OUT as u64 {
        return Err(ImportError::BadLines { bad });
    }
    if file.judged.good == 0 {
        return Err(ImportError::NoLines);
    }
    let start = StartRun {
        profile: &source.profile_id,
        kind: RunKind::Full,
        trigger: "import",
    };
    let run = runs::start_run(host, &mut tx, actor, start).await?;
    if store::find_reads(&mut tx, &run).await?.is_some() {
        return Err(ImportError::Busy);
    }
    store::insert_run(&mut tx, &run, &file, host.now_ms()).await?;
    let entry = Entry {
        event: "import.started",
        subject_kind: "run",
        subject_id: run.as_str(),
        detail: json!({ "source": source.number, "file": file.id, "digest": file.digest, "mapping": file.mapping, "left_out": bad }),
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await?;
    let view = runs::get_run(host, actor, run.as_str()).await?;
    Ok(Started {
        run_id: run,
        run: view.number,
        left_out: bad,
    })
}

/// Deletes a source: everything that its files brought ends now, its profile is archived. History, positions and the audit trail stay.
///
/// # Errors
/// [`ImportError::Busy`] while an import is at work, [`ImportError::Profile`] for one that has ended, [`ImportError::NotFound`],
/// [`ImportError::Denied`].
pub async fn delete_source(host: &Host, actor: &Actor, key: &str) -> Result<(), ImportError> {
    actor.may(Permission::ManageProfiles)?;
    let mut tx = host.store.begin().await?;
    let source = need(host, &mut tx, key).await?;
    let is_at_work = store::list_runs(&mut tx, &source.profile_id)
        .await?
        .iter()
        .any(|(_, run)| matches!(run.state.as_str(), "queued" | "running" | "paused_quota"));
    if is_at_work {
        return Err(ImportError::Busy);
    }
    imported::end(host, &mut tx, actor, &source.profile_id).await?;
    let changes = runs::end_everything(host, &mut tx, &source.organization_id).await?;
    store::drop_old(&mut tx, &source.profile_id, 0).await?;
    let entry = Entry {
        event: "import.deleted",
        subject_kind: "profile",
        subject_id: source.profile_id.as_str(),
        detail: json!({ "number": source.number, "name": source.name, "changes": changes }),
    };
    host.audit(&mut tx, actor, entry).await?;
    let reconcile = NewJob {
        kind: JobKind::Reconcile,
        organization: None,
        key: "reconcile:imports".to_owned(),
        subject: "imports".to_owned(),
        due_at: host.now_ms(),
        payload: serde_json::Value::Null,
    };
    host.wake(&mut tx, &reconcile).await?;
    Ok(tx.commit().await?)
}

/// Who publishes what is held at an imported organization, for what follows a run.
///
/// # Errors
/// The database's own.
pub async fn publisher_of(tx: &mut Tx, organization: &OrgId) -> Result<Option<String>, StoreError> {
    store::publisher_of(tx, organization).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_whole_lines_that_know_where_they_stand() {
        let mut text = String::from("email,licence\n");
        for n in 0..2_500 {
            text.push_str(&format!("u{n}@acme.com,\"Pro\nplus\"\n"));
        }
        let (pieces, lines) = chunks(&text, b',');
        assert_eq!((pieces.len(), lines), (3, 2_500));
        assert_eq!(
            pieces
                .iter()
                .map(|piece| piece.first_line)
                .collect::<Vec<_>>(),
            [2, 2_002, 4_002]
        );
        let joined: String = pieces.iter().map(|piece| piece.body.as_str()).collect();
        assert_eq!(format!("email,licence\n{joined}"), text);
        let last = sheet::records(&pieces[2].body, b',', 4_002).last().unwrap();
        assert_eq!(
            (last.line, last.cells[0].as_str()),
            (5_000, "u2499@acme.com")
        );
    }
}
