//! Reads sign-in events from a table as identity providers export it. Pure.

use std::collections::HashMap;

use crate::imports::mapping::Dates;
use crate::imports::reading::{BadLine, KEPT_REASONS, LONGEST_CELL};
use crate::kernel::sheet::{self, Record};

/// Sign-ins so far ahead of now are taken for a wrong form of dates, milliseconds.
const AHEAD_MS: i64 = 86_400_000;

/// Headings that name the login, as [`sheet::plain_heading`] writes them, the best first.
const LOGIN: &[&str] = &[
    "login",
    "username",
    "user_name",
    "user_principal_name",
    "userprincipalname",
    "actor_alternateid",
    "email",
    "mail",
    "user_email",
    "user",
];
const APPLICATION: &[&str] = &[
    "application",
    "app",
    "application_name",
    "app_name",
    "appdisplayname",
    "target0_displayname",
    "resource",
];
const AT: &[&str] = &[
    "at",
    "date_(utc)",
    "timestamp",
    "time",
    "published",
    "createddatetime",
    "created",
    "date",
    "last_sign_in",
    "last_login",
];
const OUTCOME: &[&str] = &["outcome", "outcome_result", "status", "result"];

/// Where the columns of a table of sign-ins stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    login: usize,
    application: usize,
    at: usize,
    outcome: Option<usize>,
}

/// A column is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no column of the file is the {0}; its heading may be {1}")]
pub struct NoColumn(pub &'static str, pub String);

/// Finds the columns by their headings.
///
/// # Errors
/// [`NoColumn`].
pub fn columns(headings: &[String]) -> Result<Columns, NoColumn> {
    let plain: Vec<String> = headings.iter().map(|h| sheet::plain_heading(h)).collect();
    let find = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| plain.iter().position(|heading| heading == name))
    };
    let need = |what: &'static str, names: &[&str]| {
        find(names).ok_or_else(|| NoColumn(what, names.join(", ")))
    };
    Ok(Columns {
        login: need("login", LOGIN)?,
        application: need("application", APPLICATION)?,
        at: need("time", AT)?,
        outcome: find(OUTCOME),
    })
}

/// The last sign-in of each login to each application, and what could not be used.
#[derive(Debug, Default)]
pub struct Events {
    /// By application and folded login, milliseconds UTC.
    pub last: HashMap<(String, String), i64>,
    /// Sign-ins that succeeded.
    pub good: u64,
    /// Attempts that failed, which are no use.
    pub failed: u64,
    /// Lines that cannot be used.
    pub bad: u64,
    /// The first of these.
    pub reasons: Vec<BadLine>,
}

impl Events {
    /// Takes one sign-in.
    ///
    /// # Errors
    /// The reason why it cannot be used.
    pub fn note(
        &mut self,
        login: &str,
        application: &str,
        at: i64,
        now_ms: i64,
    ) -> Result<(), String> {
        for (what, text) in [("login", login), ("application", application)] {
            if text.trim().is_empty() {
                return Err(format!("no {what} is given"));
            }
            if text.chars().count() > LONGEST_CELL || text.chars().any(char::is_control) {
                return Err(format!(
                    "the {what} is longer than {LONGEST_CELL} characters, or holds a control character"
                ));
            }
        }
        if at > now_ms + AHEAD_MS {
            return Err("it lies in the future".to_owned());
        }
        let key = (application.trim().to_owned(), login.trim().to_lowercase());
        let last = self.last.entry(key).or_insert(at);
        *last = (*last).max(at);
        self.good += 1;
        Ok(())
    }

    /// Notes that a line or event cannot be used.
    pub fn refuse(&mut self, line: u64, reason: String) {
        self.bad += 1;
        if self.reasons.len() < KEPT_REASONS {
            self.reasons.push(BadLine {
                line,
                column: None,
                reason,
            });
        }
    }

    /// Takes one record of a table.
    pub fn take(
        &mut self,
        record: &Record,
        columns: Columns,
        width: usize,
        dates: Dates,
        now_ms: i64,
    ) {
        if record.cells.len() != width {
            let has = record.cells.len();
            self.refuse(
                record.line,
                format!("the line has {has} cells, the heading line has {width}"),
            );
            return;
        }
        let cell = |at: usize| record.cells.get(at).map_or("", String::as_str);
        let outcome = columns.outcome.map(|at| cell(at).to_lowercase());
        if !matches!(
            outcome.as_deref(),
            None | Some("" | "success" | "succeeded" | "allow" | "ok" | "true")
        ) {
            self.failed += 1;
            return;
        }
        let text = cell(columns.at);
        let noted = dates
            .read(text)
            .ok_or_else(|| {
                let text: String = text.chars().take(40).collect();
                format!("`{text}` is not a date of the chosen form {}", dates.says())
            })
            .and_then(|at| self.note(cell(columns.login), cell(columns.application), at, now_ms));
        if let Err(reason) = noted {
            self.refuse(record.line, reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_774_947_600_000; // 2026-03-31T09:00:00Z

    fn read(text: &str, dates: Dates) -> Events {
        let headings = sheet::headings(text, b',').unwrap();
        let columns = columns(&headings).unwrap();
        let mut events = Events::default();
        for record in sheet::records(text, b',', 1).skip(1) {
            events.take(&record, columns, headings.len(), dates, NOW);
        }
        events
    }

    #[test]
    fn exports_of_two_providers_are_read_by_their_headings_and_failures_are_no_use() {
        let directory = "Date (UTC),Request ID,User,Username,Application,Status\n\
             2026-03-01T08:00:00Z,1,Ana Alm,ANA@acme.com,Board,Success\n\
             2026-03-05T08:00:00Z,2,Ana Alm,ana@acme.com,Board,Success\n\
             2026-03-09T08:00:00Z,3,Ana Alm,ana@acme.com,Board,Failure\n";
        let cloud = "actor.alternateId,target0.displayName,published,outcome.result\n\
             ana@acme.com,Board,2026-03-05T08:00:00Z,SUCCESS\nana@acme.com,Board,2026-03-09T08:00:00Z,FAILURE\n";
        for (text, good) in [(directory, 2), (cloud, 1)] {
            let events = read(text, Dates::Iso);
            assert_eq!((events.good, events.failed, events.bad), (good, 1, 0));
            let key = ("Board".to_owned(), "ana@acme.com".to_owned());
            assert_eq!(
                events.last,
                HashMap::from([(key, 1_772_697_600_000)]),
                "the latest success"
            );
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_by_its_line() {
        let long = "x".repeat(50_000);
        let text = format!(
            "login,app,at\n,Board,2026-03-01\nana@acme.com,,2026-03-01\nana@acme.com,Board,01.03.2026\n\
             ana@acme.com,Board,2027-01-01\n{long},Board,2026-03-01\na,b\nana@acme.com,Board,2026-03-01\n"
        );
        let events = read(&text, Dates::Iso);
        let lines: Vec<u64> = events.reasons.iter().map(|bad| bad.line).collect();
        assert_eq!(
            (events.good, events.bad, lines),
            (1, 6, vec![2, 3, 4, 5, 6, 7])
        );
        let missing = columns(&["login".to_owned(), "at".to_owned()]).unwrap_err();
        assert!(missing.to_string().contains("application"), "{missing}");
    }
}
