//! Reads the lines of a table by a mapping, and says of each line that cannot be used why. Pure.
//!
//! A line is judged twice: by itself, and against the lines before it (the same licence of the same account, or other words about the
//! same account). What a cell holds is text; a formula in it is its letters.

use std::collections::{HashMap, HashSet};

use seatwise_runtime::contract::subscriptions::{Account, AccountKind, Assignment, LastActivity};
use seatwise_runtime::contract::types::Attribute;
use serde::{Deserialize, Serialize};

use super::mapping::{Mapping, Target};
use crate::kernel::digest::sha256_hex;
use crate::kernel::sheet::{self, Record};

/// Characters of a cell at most; a name of fifty kilobytes is a mistake of the file.
pub const LONGEST_CELL: usize = 500;
/// Moments so far ahead of now are taken for a wrong form of dates, milliseconds.
const AHEAD_MS: i64 = 86_400_000;
/// Lines that cannot be used, kept with their reasons.
pub const KEPT_REASONS: usize = 200;
/// More lines than these that cannot be used are a wrong mapping, and cannot be left out.
pub const MOST_LEFT_OUT: usize = 10_000;
/// Lines shown as they will be read.
pub const SHOWN: usize = 10;

/// One line as it will be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// In the file, counted from 1.
    pub line: u64,
    /// The vendor's id, or the mail address.
    pub account: String,
    /// Mail address.
    pub email: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Which licence.
    pub licence: String,
    /// Held since, milliseconds UTC.
    pub assigned_at: Option<i64>,
    /// Account made, milliseconds UTC.
    pub created_at: Option<i64>,
    /// `at`, `never` or `unknown`.
    pub activity_state: String,
    /// Last activity, milliseconds UTC.
    pub activity_at: Option<i64>,
    /// May sign in.
    pub is_active: bool,
    /// `person`, `service`, `external`, `unknown`.
    pub kind: String,
    /// Further facts by heading.
    pub attributes: Vec<(String, String)>,
}

/// A line that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadLine {
    /// In the file, counted from 1.
    pub line: u64,
    /// Heading of the column, where it is about one.
    pub column: Option<String>,
    /// What is wrong.
    pub reason: String,
}

/// What a file comes to, read by a mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Lines that can be used.
    pub good: u64,
    /// Accounts in them.
    pub accounts: u64,
    /// Of these, active ones.
    pub active: u64,
    /// Lines by licence, most first, at most thirty.
    pub licences: Vec<(String, u64)>,
    /// Lines that cannot be used.
    pub bad: u64,
    /// The first of these.
    pub reasons: Vec<BadLine>,
    /// The first good lines as they will be read.
    pub shown: Vec<Row>,
    /// Why no line can be read by this mapping at all.
    pub refused: Option<String>,
}

/// Reads one record by itself.
///
/// # Errors
/// The column and the reason.
pub fn row(
    record: &Record,
    headings: &[String],
    mapping: &Mapping,
    now_ms: i64,
) -> Result<Row, BadLine> {
    let bad = |column: Option<usize>, reason: String| BadLine {
        line: record.line,
        column: column.and_then(|at| headings.get(at)).cloned(),
        reason,
    };
    if record.cells.len() != headings.len() {
        return Err(bad(
            None,
            format!(
                "the line has {} cells, the heading line has {}",
                record.cells.len(),
                headings.len()
            ),
        ));
    }
    for (at, (cell, target)) in record.cells.iter().zip(&mapping.columns).enumerate() {
        if *target == Target::Ignore {
            continue;
        }
        let length = cell.chars().count();
        if length > LONGEST_CELL {
            return Err(bad(
                Some(at),
                format!("the cell has {length} characters, more than {LONGEST_CELL}"),
            ));
        }
        if cell.chars().any(char::is_control) {
            return Err(bad(
                Some(at),
                "the cell holds a control character or a line end".to_owned(),
            ));
        }
    }
    let cell = |target: Target| -> Option<&str> {
        mapping
            .at(target)
            .and_then(|at| record.cells.get(at))
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    };
    let moment = |target: Target| -> Result<Option<i64>, BadLine> {
        let Some(text) = cell(target) else {
            return Ok(None);
        };
        let at = mapping.at(target);
        let read = mapping.dates.read(text).ok_or_else(|| {
            bad(
                at,
                format!(
                    "`{}` is not a date of the chosen form {}",
                    text.chars().take(40).collect::<String>(),
                    mapping.dates.says()
                ),
            )
        })?;
        if read > now_ms + AHEAD_MS {
            return Err(bad(at, format!("`{text}` lies in the future")));
        }
        Ok(Some(read))
    };
    let email = cell(Target::Email);
    if let Some(text) = email
        && (!text.contains('@') || text.contains(char::is_whitespace))
    {
        return Err(bad(
            mapping.at(Target::Email),
            "the mail address has no @, or a blank in it".to_owned(),
        ));
    }
    let account = cell(Target::Account)
        .map(str::to_owned)
        .or_else(|| email.map(str::to_lowercase))
        .ok_or_else(|| {
            bad(
                mapping.at(Target::Account).or(mapping.at(Target::Email)),
                "neither account nor mail address is given".to_owned(),
            )
        })?;
    let licence = match mapping.at(Target::Licence) {
        Some(_) => cell(Target::Licence).map(str::to_owned),
        None => mapping
            .licence
            .as_deref()
            .map(|text| text.trim().to_owned()),
    };
    let licence = licence.ok_or_else(|| {
        bad(
            mapping.at(Target::Licence),
            "no licence is given".to_owned(),
        )
    })?;
    let activity_at = moment(Target::LastActivity)?;
    let is_read = mapping.at(Target::LastActivity).is_some();
    let activity_state = match activity_at {
        Some(_) => "at",
        None if is_read && mapping.is_empty_never => "never",
        None => "unknown",
    };
    let is_active = cell(Target::Status)
        .map_or(Some(true), status)
        .ok_or_else(|| {
            bad(
                mapping.at(Target::Status),
                "the status is not known: write active or inactive".to_owned(),
            )
        })?;
    let kind = cell(Target::Kind)
        .map_or(Some("person"), kind)
        .ok_or_else(|| {
            bad(
                mapping.at(Target::Kind),
                "the kind is not known: write person, service or external".to_owned(),
            )
        })?;
    let attributes = record
        .cells
        .iter()
        .zip(headings)
        .zip(&mapping.columns)
        .filter(|((text, _), target)| **target == Target::Attribute && !text.is_empty())
        .map(|((text, heading), _)| (sheet::plain_heading(heading), text.clone()))
        .collect();
    Ok(Row {
        line: record.line,
        account,
        email: email.map(str::to_owned),
        name: cell(Target::Name).map(str::to_owned),
        licence,
        assigned_at: moment(Target::Assigned)?,
        created_at: moment(Target::Created)?,
        activity_state: activity_state.to_owned(),
        activity_at,
        is_active,
        kind: kind.to_owned(),
        attributes,
    })
}

fn status(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "active" | "yes" | "true" | "1" | "enabled" | "licensed" | "in use" | "assigned" => {
            Some(true)
        }
        "inactive" | "no" | "false" | "0" | "disabled" | "deactivated" | "suspended"
        | "blocked" | "unlicensed" | "deleted" => Some(false),
        _ => None,
    }
}

fn kind(text: &str) -> Option<&'static str> {
    match text.to_lowercase().as_str() {
        "person" | "user" | "human" | "member" | "employee" => Some("person"),
        "service" | "integration" | "robot" | "bot" => Some("service"),
        "external" | "guest" | "partner" | "customer" => Some("external"),
        "unknown" => Some("unknown"),
        _ => None,
    }
}

/// What was said of an account, and on which line first.
struct Said {
    line: u64,
    /// Of everything that must be the same on each of its lines.
    digest: String,
}

/// Judges line after line; what is remembered grows with the accounts, not with what they hold.
#[derive(Default)]
pub struct Judge {
    said: HashMap<String, Said>,
    held: HashSet<(String, String)>,
    licences: HashMap<String, u64>,
    judged: Judged,
    bad_lines: Vec<u64>,
}

impl Judge {
    /// Takes one record.
    pub fn take(&mut self, record: &Record, headings: &[String], mapping: &Mapping, now_ms: i64) {
        match row(record, headings, mapping, now_ms)
            .and_then(|row| self.compare(row, headings, mapping))
        {
            Ok(row) => {
                self.judged.good += 1;
                *self.licences.entry(row.licence.clone()).or_default() += 1;
                if self.judged.shown.len() < SHOWN {
                    self.judged.shown.push(row);
                }
            }
            Err(bad) => {
                self.judged.bad += 1;
                if self.bad_lines.len() < MOST_LEFT_OUT {
                    self.bad_lines.push(bad.line);
                }
                if self.judged.reasons.len() < KEPT_REASONS {
                    self.judged.reasons.push(bad);
                }
            }
        }
    }

    fn compare(
        &mut self,
        row: Row,
        headings: &[String],
        mapping: &Mapping,
    ) -> Result<Row, BadLine> {
        let heading = |target| mapping.at(target).and_then(|at| headings.get(at)).cloned();
        let digest = sha256_hex(
            serde_json::json!([
                row.email.as_deref().map(str::to_lowercase),
                row.name,
                row.created_at,
                row.is_active,
                row.kind,
                row.attributes
            ])
            .to_string(),
        );
        if let Some(said) = self.said.get(&row.account)
            && said.digest != digest
        {
            return Err(BadLine {
                line: row.line,
                column: heading(Target::Account).or_else(|| heading(Target::Email)),
                reason: format!(
                    "line {} says something else of the same account (name, mail address, status, kind, creation or a further fact)",
                    said.line
                ),
            });
        }
        if !self.held.insert((row.account.clone(), row.licence.clone())) {
            return Err(BadLine {
                line: row.line,
                column: heading(Target::Licence),
                reason: "an earlier line gives the same licence to the same account".to_owned(),
            });
        }
        if !self.said.contains_key(&row.account) {
            self.judged.accounts += 1;
            self.judged.active += u64::from(row.is_active);
            let said = Said {
                line: row.line,
                digest,
            };
            self.said.insert(row.account.clone(), said);
        }
        Ok(row)
    }

    /// What it came to, and the numbers of the lines that cannot be used.
    #[must_use]
    pub fn end(mut self) -> (Judged, Vec<u64>) {
        let mut licences: Vec<(String, u64)> = self.licences.into_iter().collect();
        licences.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        licences.truncate(30);
        self.judged.licences = licences;
        (self.judged, self.bad_lines)
    }
}

/// Rows as a download brings them: each account once, with the latest activity of its lines.
#[must_use]
pub fn page(rows: Vec<Row>) -> (Vec<Account>, Vec<Assignment>) {
    let mut accounts: Vec<Account> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    let mut assignments = Vec::with_capacity(rows.len());
    for row in rows {
        let last_activity = match (row.activity_state.as_str(), row.activity_at) {
            ("at", Some(at)) => LastActivity::At(at),
            ("never", _) => LastActivity::Never,
            _ => LastActivity::Unknown,
        };
        assignments.push(Assignment {
            account: row.account.clone(),
            identifier: row.licence,
            id: None,
            assigned: row.assigned_at,
            evidence: Vec::new(),
        });
        if let Some(known) = at.get(&row.account).and_then(|at| accounts.get_mut(*at)) {
            known.last_activity = later(known.last_activity, last_activity);
            continue;
        }
        at.insert(row.account.clone(), accounts.len());
        accounts.push(Account {
            principal: row.email.clone().unwrap_or_else(|| row.account.clone()),
            id: row.account,
            email: row.email,
            name: row.name,
            kind: match row.kind.as_str() {
                "person" => AccountKind::Person,
                "service" => AccountKind::Service,
                "external" => AccountKind::External,
                _ => AccountKind::Unknown,
            },
            active: row.is_active,
            created: row.created_at,
            last_activity,
            attributes: row
                .attributes
                .into_iter()
                .map(|(name, value)| Attribute { name, value })
                .collect(),
        });
    }
    (accounts, assignments)
}

/// Of two words about one account: a moment goes before "never", and "never" of one licence is no "never" of the account.
fn later(one: LastActivity, other: LastActivity) -> LastActivity {
    match (one, other) {
        (LastActivity::At(a), LastActivity::At(b)) => LastActivity::At(a.max(b)),
        (LastActivity::At(at), _) | (_, LastActivity::At(at)) => LastActivity::At(at),
        (LastActivity::Unknown, _) | (_, LastActivity::Unknown) => LastActivity::Unknown,
        (LastActivity::Never, LastActivity::Never) => LastActivity::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::mapping::Dates;

    const NOW: i64 = 1_774_947_600_000; // 2026-03-31T09:00:00Z

    fn judged(text: &str, change: impl FnOnce(&mut Mapping)) -> (Judged, Vec<u64>) {
        let text = sheet::unix_lines(text);
        let by = sheet::separator(&text);
        let headings = sheet::headings(&text, by).unwrap();
        let mut mapping = Mapping::guess(&headings);
        change(&mut mapping);
        mapping.check(headings.len()).unwrap();
        let mut judge = Judge::default();
        for record in sheet::records(&text, by, 1).skip(1) {
            judge.take(&record, &headings, &mapping, NOW);
        }
        judge.end()
    }

    #[test]
    fn each_bad_line_is_named_with_its_column_and_reason_and_costs_only_itself() {
        let long = "x".repeat(50_000);
        let text = format!(
            "account,email,name,licence,since,last activity,status,kind\r\n\
             a1,ana@acme.com,Ana,Pro,2025-01-01,2026-03-01,active,person\r\n\
             ,,Nobody,Pro,,,,\r\n\
             a2,bo.acme.com,Bo,Pro,,,,\r\n\
             a3,cy@acme.com,Cy,,,,,\r\n\
             a4,dee@acme.com,Dee,Pro,31.12.2025,,,\r\n\
             a5,eli@acme.com,Eli,Pro,,2027-01-01,,\r\n\
             a6,fay@acme.com,Fay,Pro,,,perhaps,\r\n\
             a7,gus@acme.com,Gus,Pro,,,,alien\r\n\
             a8,hal@acme.com,{long},Pro,,,,\r\n\
             a9,ida@acme.com,Ida,Pro,too,few\r\n\
             a1,ana@acme.com,Ana,Pro,,,,\r\n\
             a1,ana@acme.com,Anna,Basic,,,,\r\n\
             a10,\"jo@acme.com\",\"Jo\nX\",Pro,,,,\r\n\
             a11,=cmd@acme.com,+1-2,@Pro,,,no,bot\r\n"
        );
        let (judged, lines) = judged(&text, |_| {});
        let told: Vec<(u64, Option<&str>)> = judged
            .reasons
            .iter()
            .map(|bad| (bad.line, bad.column.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                (3, Some("account")),
                (4, Some("email")),
                (5, Some("licence")),
                (6, Some("since")),
                (7, Some("last activity")),
                (8, Some("status")),
                (9, Some("kind")),
                (10, Some("name")),
                (11, None),
                (12, Some("licence")),
                (13, Some("account")),
                (14, Some("name")),
            ],
            "{:#?}",
            judged.reasons
        );
        assert!(judged.reasons[7].reason.contains("50000 characters"));
        assert!(
            judged.reasons[10]
                .reason
                .contains("line 2 says something else")
        );
        assert_eq!(lines, (3..=14).collect::<Vec<u64>>());
        assert_eq!((judged.good, judged.accounts, judged.active), (2, 2, 1));
        let formula = &judged.shown[1];
        assert_eq!(
            (
                formula.name.as_deref(),
                formula.licence.as_str(),
                formula.kind.as_str()
            ),
            (Some("+1-2"), "@Pro", "service"),
            "a formula is its letters"
        );
    }

    #[test]
    fn an_empty_last_activity_is_unknown_unless_a_person_says_it_means_never() {
        let text = "email;plan;last login;team\nana@acme.com;Pro;;North\n";
        let (unknown, _) = judged(text, |_| {});
        assert_eq!(unknown.shown[0].activity_state, "unknown");
        let (never, _) = judged(text, |mapping| {
            mapping.is_empty_never = true;
            mapping.columns[3] = Target::Attribute;
        });
        assert_eq!(never.shown[0].activity_state, "never");
        assert_eq!(
            never.shown[0].attributes,
            [("team".to_owned(), "North".to_owned())]
        );
        let (unmapped, _) = judged(text, |mapping| {
            mapping.columns[2] = Target::Ignore;
            mapping.is_empty_never = true;
        });
        assert_eq!(
            unmapped.shown[0].activity_state, "unknown",
            "what is not read is not never"
        );
    }

    #[test]
    fn one_account_with_two_licences_is_one_account_with_the_latest_activity() {
        let text = "email,licence,last activity\nAna@acme.com,Pro,01/02/2026\nana@acme.com,Basic,\nbo@acme.com,Pro,05/01/2026\n";
        let read = |dates| {
            let headings = sheet::headings(text, b',').unwrap();
            let mapping = Mapping {
                dates,
                ..Mapping::guess(&headings)
            };
            let rows: Vec<Row> = sheet::records(text, b',', 1)
                .skip(1)
                .map(|record| row(&record, &headings, &mapping, NOW).unwrap())
                .collect();
            page(rows)
        };
        let (accounts, assignments) = read(Dates::DayMonthYear);
        assert_eq!((accounts.len(), assignments.len()), (2, 3));
        assert_eq!(
            accounts[0].id, "ana@acme.com",
            "without an id the folded mail address is it"
        );
        let LastActivity::At(at) = accounts[0].last_activity else {
            panic!("{:?}", accounts[0].last_activity)
        };
        assert_eq!(crate::kernel::Day::of_ms(at).to_string(), "2026-02-01");
    }

    #[test]
    fn a_hundred_thousand_lines_are_judged_and_only_the_first_reasons_are_kept() {
        let mut text = String::from("email,licence\n");
        for n in 0..100_000 {
            let at = if n % 100 == 0 { "" } else { "@" };
            text.push_str(&format!("user{n}{at}acme.com,Pro\n"));
        }
        let (judged, lines) = judged(&text, |_| {});
        assert_eq!(
            (judged.good, judged.bad, judged.accounts),
            (99_000, 1_000, 99_000)
        );
        assert_eq!((judged.reasons.len(), lines.len()), (KEPT_REASONS, 1_000));
    }
}
