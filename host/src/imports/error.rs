//! Why a source, a file or its sign-ins were not made, changed or shown, and what a person does about it.

use serde_json::json;

use super::mapping::MappingError;
use super::reading::MOST_LEFT_OUT;
use crate::identity::roles::Denied;
use crate::kernel::sheet::SheetError;
use crate::kernel::{IntoProblem, Problem};
use crate::profiles::ProfileError;
use crate::store::StoreError;
use crate::sync::SyncError;

/// Why a source or file was not made, changed or shown.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No such source or file.
    #[error("there is no {what} {key}")]
    NotFound {
        /// `source` or `file`.
        what: &'static str,
        /// What was asked for.
        key: String,
    },
    /// No publisher, or a long one.
    #[error("the publisher has between 1 and 80 characters, none of them a control character")]
    Publisher,
    /// The profile behind a source.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The file as a whole.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// A name that is no choice.
    #[error("`{given}` is no {what}")]
    Choice {
        /// `encoding`, `separator`, `form of dates`, `meaning of a column`.
        what: &'static str,
        /// What was given.
        given: String,
    },
    /// A heading that the file does not have.
    #[error("the file has no column `{0}`")]
    NoColumn(String),
    /// The mapping can read nothing.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// Lines cannot be used, and nobody said that just so many may be left out.
    #[error("{bad} of the lines cannot be used")]
    BadLines {
        /// How many.
        bad: u64,
    },
    /// No line can be used.
    #[error("no line of the file can be used")]
    NoLines,
    /// The mapping is not the one that was seen.
    #[error("the file is mapped otherwise than you saw it")]
    Stale,
    /// A name of an identity provider that is none, or taken.
    #[error("an identity provider has a name of its own with 1 to 80 characters")]
    ProviderName,
    /// A file of sign-ins lacks a column.
    #[error(transparent)]
    SignInColumn(#[from] super::sign_ins::reading::NoColumn),
    /// Sign-ins cannot be used, and nobody said that they may be left out.
    #[error("{bad} of the sign-ins cannot be used")]
    SignInLines {
        /// How many.
        bad: u64,
        /// The first of them.
        reasons: Vec<super::reading::BadLine>,
    },
    /// What the rules say of it.
    #[error(transparent)]
    Reclamation(#[from] crate::reclamation::ReclamationError),
    /// The text is gone.
    #[error("the text of this file is no longer kept")]
    Dropped,
    /// Another import is at work.
    #[error("another import of this source is at work")]
    Busy,
    /// The run.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for ImportError {
    fn problem(&self) -> Problem {
        let text = self.to_string();
        match self {
            Self::Denied(denied) => denied.problem(),
            Self::Profile(error) => error.problem(),
            Self::Sync(error) => error.problem(),
            Self::Store(error) => error.problem(),
            Self::Reclamation(error) => error.problem(),
            Self::ProviderName => Problem::new(
                "sign_ins.name",
                422,
                text,
                "Give it another name, such as that of your directory",
            )
            .at("name"),
            Self::SignInColumn(_) => Problem::new(
                "sign_ins.column",
                422,
                text,
                "Give the provider's export with its heading line: login, application and time are needed",
            )
            .at("file"),
            Self::SignInLines { reasons, .. } => Problem::new(
                "sign_ins.lines",
                422,
                text,
                "Look at the lines that are named, correct the form of dates or the file, or say that they are left out",
            )
            .at("leave_out")
            .with(json!(reasons)),
            Self::NotFound { .. } => Problem::new(
                "import.not_found",
                404,
                text,
                "List the sources and their files and use one of them",
            ),
            Self::Publisher => Problem::new(
                "import.publisher",
                422,
                text,
                "Say who publishes the software, such as Acme Corporation",
            )
            .at("publisher"),
            Self::Sheet(SheetError::Charset { .. }) => Problem::new(
                "import.encoding",
                422,
                text,
                "Choose the encoding in which the file was saved, or save it as UTF-8",
            )
            .at("encoding"),
            Self::Sheet(_) => Problem::new(
                "import.file",
                422,
                text,
                "Give a CSV file whose first line names its columns",
            )
            .at("file"),
            Self::Choice { .. } => Problem::new(
                "import.choice",
                422,
                text,
                "Use one of the words that the page and the API's document list",
            ),
            Self::NoColumn(_) => Problem::new(
                "import.no_column",
                422,
                text,
                "Use the headings of the file's first line as they stand there",
            )
            .at("columns"),
            Self::Mapping(_) => Problem::new(
                "import.mapping",
                422,
                text,
                "Say for each column what it is read as: account or mail address, and licence, are needed",
            )
            .at("columns"),
            Self::BadLines { .. } => Problem::new(
                "import.bad_lines",
                422,
                text,
                format!("Correct them in the file or in the mapping, or say that exactly these lines are left out (at most {MOST_LEFT_OUT})"),
            )
            .at("leave_out"),
            Self::NoLines => Problem::new(
                "import.no_lines",
                422,
                text,
                "Look at the reasons and correct the mapping; to end everything of a source, delete the source",
            ),
            Self::Stale => Problem::new(
                "import.stale",
                409,
                text,
                "Look at the preview again, then import",
            ),
            Self::Dropped => Problem::new("import.dropped", 409, text, "Bring the file again"),
            Self::Busy => Problem::new(
                "import.busy",
                409,
                text,
                "Wait until its run has ended, or stop the run",
            ),
        }
    }
}
