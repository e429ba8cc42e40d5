//! Reads a directory export. Pure.
//!
//! Columns by name, in any order: `name` (needed), `email`, `external_id` (one of the two is needed), `business_unit`,
//! `department`, `cost_centre`, `status`. Unknown columns are refused, so that a misspelt one is noticed.

use std::collections::HashSet;

use super::matching::fold;
use crate::kernel::sheet;

/// One person as the file tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Line in the file, from 2.
    pub line: u64,
    /// Full name.
    pub name: String,
    /// Mail address.
    pub email: Option<String>,
    /// The directory's own key.
    pub external_id: Option<String>,
    /// Part of the company.
    pub business_unit: Option<String>,
    /// Department.
    pub department: Option<String>,
    /// Who pays.
    pub cost_centre: Option<String>,
    /// `employed` unless told.
    pub status: String,
}

impl Row {
    /// Works here: everything but `left`, `terminated`, `inactive`.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !matches!(self.status.as_str(), "left" | "terminated" | "inactive")
    }
}

/// Why a file is refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Not CSV.
    #[error("the file is not readable as CSV: {0}")]
    Csv(String),
    /// A column nobody knows.
    #[error("the column `{0}` is not known")]
    UnknownColumn(String),
    /// A column is missing.
    #[error("the column `{0}` is missing")]
    MissingColumn(&'static str),
}

const COLUMNS: [&str; 7] = [
    "name",
    "email",
    "external_id",
    "business_unit",
    "department",
    "cost_centre",
    "status",
];

/// Rows that can be used, and lines that cannot with the reason.
pub type Parsed = (Vec<Row>, Vec<(u64, String)>);

/// Reads the text.
///
/// # Errors
/// [`ImportError`].
pub fn parse(text: &str) -> Result<Parsed, ImportError> {
    let text = sheet::unix_lines(text.trim_start_matches('\u{feff}'));
    let headers =
        sheet::headings(&text, b',').map_err(|error| ImportError::Csv(error.to_string()))?;
    let mut at = [None; COLUMNS.len()];
    for (index, header) in headers.iter().enumerate() {
        let known = COLUMNS
            .iter()
            .position(|column| *column == sheet::plain_heading(header))
            .ok_or_else(|| ImportError::UnknownColumn(header.chars().take(60).collect()))?;
        at[known] = Some(index);
    }
    if at[0].is_none() {
        return Err(ImportError::MissingColumn("name"));
    }
    if at[1].is_none() && at[2].is_none() {
        return Err(ImportError::MissingColumn("email"));
    }
    let (mut rows, mut refused) = (Vec::new(), Vec::new());
    let (mut mails, mut ids) = (HashSet::new(), HashSet::new());
    for record in sheet::records(&text, b',', 1).skip(1) {
        let line = record.line;
        if record.cells.len() != headers.len() {
            refused.push((
                line,
                "the row has another number of columns than the first".to_owned(),
            ));
            continue;
        }
        let cell = |column: usize| {
            at[column]
                .and_then(|index: usize| record.cells.get(index))
                .map(|text| text.replace('\0', ""))
                .filter(|text| !text.is_empty())
        };
        let row = Row {
            line,
            name: cell(0).unwrap_or_default(),
            email: cell(1),
            external_id: cell(2),
            business_unit: cell(3),
            department: cell(4),
            cost_centre: cell(5),
            status: cell(6).map_or_else(|| "employed".to_owned(), |status| status.to_lowercase()),
        };
        let reason = if row.name.is_empty() {
            Some("the name is empty")
        } else if row.email.is_none() && row.external_id.is_none() {
            Some("neither mail address nor external id is given")
        } else if row.email.as_deref().is_some_and(|mail| !mail.contains('@')) {
            Some("the mail address has no @")
        } else if row
            .email
            .as_deref()
            .is_some_and(|mail| !mails.insert(fold(mail)))
            || row
                .external_id
                .as_ref()
                .is_some_and(|id| !ids.insert(id.clone()))
        {
            Some("the same mail address or external id stands in an earlier row")
        } else {
            None
        };
        match reason {
            Some(reason) => refused.push((line, reason.to_owned())),
            None => rows.push(row),
        }
    }
    Ok((rows, refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_in_any_order_and_a_misspelt_one_is_refused() {
        let (rows, refused) = parse("Email,Name,Cost centre\nana@acme.com,Ana Alm,CC1\n").unwrap();
        assert!(refused.is_empty());
        assert_eq!(
            (rows[0].name.as_str(), rows[0].cost_centre.as_deref()),
            ("Ana Alm", Some("CC1"))
        );
        assert!(rows[0].is_active());
        assert!(
            matches!(parse("name,emial\nx,y\n"), Err(ImportError::UnknownColumn(c)) if c == "emial")
        );
        assert!(matches!(
            parse("email\nx@y\n"),
            Err(ImportError::MissingColumn("name"))
        ));
    }

    #[test]
    fn lines_are_counted_alike_however_they_end() {
        for end in ["\n", "\r\n"] {
            let text = ["name,email", "Ana,ana@acme.com", "Nobody,", ""].join(end);
            let (rows, refused) = parse(&text).unwrap();
            assert_eq!(rows[0].line, 2, "{end:?}");
            assert_eq!(refused[0].0, 3, "{end:?}");
        }
    }

    #[test]
    fn a_bad_row_costs_only_itself() {
        let (rows, refused) = parse(
            "name,email,status\nAna,ana@acme.com,left\n,bo@acme.com,\nCy,nomail,\nDee,ANA@acme.com,\nEli,eli@acme.com,extra,cell\n",
        )
        .unwrap();
        assert_eq!(rows.len(), 1);
        assert!(!rows[0].is_active());
        assert_eq!(
            refused.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            [3, 4, 5, 6]
        );
    }
}
