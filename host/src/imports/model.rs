//! Sources and files as others see them. Pure.

use serde::Serialize;

use super::mapping::Mapping;
use super::reading::Judged;
use crate::kernel::{ImportFileId, OrgId, ProfileId};

/// A source without a connector.
#[derive(Clone, Debug, Serialize)]
pub struct SourceView {
    /// Number of its profile, `PRF0001001`.
    pub number: String,
    /// Its name.
    pub name: String,
    /// Who publishes what is held there.
    pub publisher: String,
    /// Its profile.
    pub profile_id: ProfileId,
    /// Its organization.
    pub organization_id: OrgId,
    /// `published`, `paused` or `archived`.
    pub state: String,
    /// Accounts that are there now.
    pub accounts: i64,
    /// Active subscriptions now.
    pub subscriptions: i64,
    /// Of these, without activity for [`UNUSED_DAYS`]; nobody can be asked to take them back.
    pub unused: i64,
    /// When the last import was complete.
    pub imported_at: Option<i64>,
}

/// After so many days without activity a seat of an imported source is counted as unused, as a new rule would begin with.
pub const UNUSED_DAYS: i64 = 60;

/// One import of a file.
#[derive(Clone, Debug, Serialize)]
pub struct FileRun {
    /// `RUN0001001`.
    pub number: String,
    /// Where it stands.
    pub state: String,
    /// When it was asked for.
    pub created_at: i64,
    /// Lines that were left out.
    pub left_out: i64,
}

/// A file as it was brought, and what reading it comes to.
#[derive(Clone, Debug, Serialize)]
pub struct FileView {
    /// Its id.
    pub id: ImportFileId,
    /// As it was called.
    pub name: String,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// Bytes.
    pub byte_count: i64,
    /// As which it was read.
    pub encoding: String,
    /// What stands between its cells.
    pub separator: String,
    /// The heading line.
    pub headings: Vec<String>,
    /// Lines with cells, the heading line apart.
    pub lines: i64,
    /// What each column is read as.
    pub mapping: Mapping,
    /// What that comes to.
    pub judged: Judged,
    /// `kept`, or `dropped` where only this row remains.
    pub state: String,
    /// Who brought it.
    pub brought_by: String,
    /// When.
    pub created_at: i64,
    /// Rises with each change of the mapping; an import names the one it saw.
    pub version: i64,
    /// Its imports, newest first.
    pub runs: Vec<FileRun>,
}
