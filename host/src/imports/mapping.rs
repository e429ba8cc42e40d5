//! What each column of a table is read as. Pure.
//!
//! Columns are guessed by their headings and shown; whatever is guessed wrongly is set by hand. How dates are written is never guessed:
//! ISO 8601 unless a person says otherwise.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::kernel::sheet::plain_heading;

/// What a column is read as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Not at all.
    #[default]
    Ignore,
    /// The vendor's id of the account; without one the mail address is it.
    Account,
    /// Mail address.
    Email,
    /// Name of who holds it.
    Name,
    /// Which licence.
    Licence,
    /// Since when the licence is held.
    Assigned,
    /// Since when the account exists.
    Created,
    /// When it was last used.
    LastActivity,
    /// Whether the account may still sign in.
    Status,
    /// Person, service, external.
    Kind,
    /// Kept with the account under its heading.
    Attribute,
}

impl Target {
    /// All, for a choice.
    pub const ALL: [Self; 11] = [
        Self::Ignore,
        Self::Account,
        Self::Email,
        Self::Name,
        Self::Licence,
        Self::Assigned,
        Self::Created,
        Self::LastActivity,
        Self::Status,
        Self::Kind,
        Self::Attribute,
    ];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Account => "account",
            Self::Email => "email",
            Self::Name => "name",
            Self::Licence => "licence",
            Self::Assigned => "assigned",
            Self::Created => "created",
            Self::LastActivity => "last_activity",
            Self::Status => "status",
            Self::Kind => "kind",
            Self::Attribute => "attribute",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// In words, for the choice.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::Ignore => "Not read",
            Self::Account => "Account id",
            Self::Email => "Mail address",
            Self::Name => "Name",
            Self::Licence => "Licence",
            Self::Assigned => "Licence held since",
            Self::Created => "Account created",
            Self::LastActivity => "Last activity",
            Self::Status => "Status (active or not)",
            Self::Kind => "Kind (person, service, external)",
            Self::Attribute => "Kept as a further fact",
        }
    }

    /// The headings that name it, as [`plain_heading`] writes them.
    fn headings(self) -> &'static [&'static str] {
        match self {
            Self::Ignore | Self::Attribute => &[],
            Self::Account => &[
                "account",
                "account_id",
                "user_id",
                "userid",
                "id",
                "login",
                "username",
                "user_name",
                "user",
                "upn",
                "principal",
                "user_principal_name",
            ],
            Self::Email => &[
                "email",
                "e_mail",
                "mail",
                "email_address",
                "e_mail_address",
                "mail_address",
                "user_email",
                "primary_email",
            ],
            Self::Name => &[
                "name",
                "full_name",
                "display_name",
                "displayname",
                "user_full_name",
            ],
            Self::Licence => &[
                "licence",
                "license",
                "licence_type",
                "license_type",
                "licence_name",
                "license_name",
                "plan",
                "product",
                "sku",
                "edition",
                "subscription",
                "seat_type",
                "package",
            ],
            Self::Assigned => &[
                "assigned",
                "assigned_at",
                "assigned_on",
                "since",
                "licence_since",
                "license_since",
                "start",
                "start_date",
                "licence_assigned",
                "license_assigned",
            ],
            Self::Created => &[
                "created",
                "created_at",
                "created_on",
                "account_created",
                "creation_date",
            ],
            Self::LastActivity => &[
                "last_activity",
                "last_active",
                "last_login",
                "last_sign_in",
                "last_seen",
                "last_used",
                "last_login_date",
                "last_activity_date",
                "last_login_at",
                "last_active_at",
            ],
            Self::Status => &[
                "status",
                "state",
                "active",
                "is_active",
                "account_status",
                "enabled",
            ],
            Self::Kind => &["kind", "account_kind", "user_type", "account_type"],
        }
    }
}

/// How dates are written in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dates {
    /// ISO 8601: `2026-03-31`, `2026-03-31T09:00:00Z`, `2026-03-31 09:00`; without an offset it is UTC.
    #[default]
    Iso,
    /// Day, month, year: `31.03.2026` or `31/03/2026 09:00`, UTC.
    DayMonthYear,
    /// Month, day, year: `03/31/2026 09:00`, UTC.
    MonthDayYear,
    /// Seconds since 1970.
    UnixSeconds,
    /// Milliseconds since 1970.
    UnixMilliseconds,
}

impl Dates {
    /// All, for a choice.
    pub const ALL: [Self; 5] = [
        Self::Iso,
        Self::DayMonthYear,
        Self::MonthDayYear,
        Self::UnixSeconds,
        Self::UnixMilliseconds,
    ];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Iso => "iso",
            Self::DayMonthYear => "day_month_year",
            Self::MonthDayYear => "month_day_year",
            Self::UnixSeconds => "unix_seconds",
            Self::UnixMilliseconds => "unix_milliseconds",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// An example, for the choice.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::Iso => "2026-03-31 or 2026-03-31T09:00:00Z (ISO 8601)",
            Self::DayMonthYear => "31.03.2026 or 31/03/2026 09:00 (day first)",
            Self::MonthDayYear => "03/31/2026 09:00 (month first)",
            Self::UnixSeconds => "1774947600 (seconds since 1970)",
            Self::UnixMilliseconds => "1774947600000 (milliseconds since 1970)",
        }
    }

    /// The moment of a cell, milliseconds UTC; `None` when it is not written this way.
    #[must_use]
    pub fn read(self, text: &str) -> Option<i64> {
        let text = text.trim();
        let at = match self {
            Self::Iso => iso(text)?,
            Self::DayMonthYear => civil(text, "%d", "%m")?,
            Self::MonthDayYear => civil(text, "%m", "%d")?,
            Self::UnixSeconds => whole(text)?.checked_mul(1_000)?,
            Self::UnixMilliseconds => whole(text)?,
        };
        // Nothing that people hold began before 1970 or lies beyond the year 3000.
        (0..32_503_680_000_000).contains(&at).then_some(at)
    }
}

fn whole(text: &str) -> Option<i64> {
    let is_plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

fn utc(moment: DateTime) -> Option<i64> {
    let zoned = moment.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

fn iso(text: &str) -> Option<i64> {
    // A bare clock or week would be read too, but is no day.
    if text.len() < 10 || text.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_millisecond());
    }
    utc(text.parse::<DateTime>().ok()?)
}

fn civil(text: &str, first: &str, second: &str) -> Option<i64> {
    let by = text.chars().find(|c| !c.is_ascii_digit())?;
    if !matches!(by, '.' | '/' | '-') {
        return None;
    }
    let day = format!("{first}{by}{second}{by}%Y");
    let forms = [
        day.clone(),
        format!("{day} %H:%M"),
        format!("{day} %H:%M:%S"),
    ];
    forms.iter().find_map(|form| {
        if let Ok(moment) = DateTime::strptime(form, text) {
            return utc(moment);
        }
        let date = jiff::civil::Date::strptime(form, text).ok()?;
        utc(date.to_datetime(jiff::civil::Time::midnight()))
    })
}

/// How a table is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// What each column is read as, in the file's order.
    pub columns: Vec<Target>,
    /// How dates are written.
    #[serde(default)]
    pub dates: Dates,
    /// The licence of every line, where no column names one.
    #[serde(default)]
    pub licence: Option<String>,
    /// An empty last activity means "never", not "unknown".
    #[serde(default)]
    pub is_empty_never: bool,
}

/// Why a mapping can read nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// Neither account nor mail address.
    #[error("no column says whose licence it is")]
    NoAccount,
    /// No licence.
    #[error("no column says which licence it is, and none is given for every line")]
    NoLicence,
    /// Two columns for one thing.
    #[error("two columns are read as {}", .0.says())]
    Twice(Target),
    /// Another number of columns than the file has.
    #[error("the file has {file} columns, {given} are mapped")]
    Columns {
        /// In the file.
        file: usize,
        /// In the mapping.
        given: usize,
    },
}

impl Mapping {
    /// What the headings say, each thing read from the first column that names it.
    #[must_use]
    pub fn guess(headings: &[String]) -> Self {
        let plain: Vec<String> = headings.iter().map(|h| plain_heading(h)).collect();
        let mut columns = vec![Target::Ignore; headings.len()];
        for target in Target::ALL {
            // The names that say it best come first.
            let found = target
                .headings()
                .iter()
                .find_map(|name| plain.iter().position(|heading| heading == name));
            if let Some(at) = found
                && let Some(column) = columns.get_mut(at)
                && *column == Target::Ignore
            {
                *column = target;
            }
        }
        Self {
            columns,
            ..Self::default()
        }
    }

    /// The mapping of an earlier file for this one, where it has the same headings; otherwise what the headings say.
    #[must_use]
    pub fn carried(headings: &[String], before: Option<(&[String], &Self)>) -> Self {
        match before {
            Some((had, mapping)) if had == headings => mapping.clone(),
            _ => Self::guess(headings),
        }
    }

    /// Refuses what can read nothing.
    ///
    /// # Errors
    /// [`MappingError`].
    pub fn check(&self, headings: usize) -> Result<(), MappingError> {
        if self.columns.len() != headings {
            return Err(MappingError::Columns {
                file: headings,
                given: self.columns.len(),
            });
        }
        for target in Target::ALL {
            let many = !matches!(target, Target::Ignore | Target::Attribute);
            if many && self.columns.iter().filter(|c| **c == target).count() > 1 {
                return Err(MappingError::Twice(target));
            }
        }
        if self.at(Target::Account).is_none() && self.at(Target::Email).is_none() {
            return Err(MappingError::NoAccount);
        }
        let licence = self.licence.as_deref().map_or("", str::trim);
        if self.at(Target::Licence).is_none() && licence.is_empty() {
            return Err(MappingError::NoLicence);
        }
        Ok(())
    }

    /// The column that is read as this.
    #[must_use]
    pub fn at(&self, target: Target) -> Option<usize> {
        self.columns.iter().position(|column| *column == target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn columns_are_guessed_by_their_headings() {
        use Target::{Account, Assigned, Email, Ignore, LastActivity, Licence, Name, Status};
        for (headings, expected) in [
            (
                vec![
                    "User ID",
                    "E-Mail",
                    "Display Name",
                    "License",
                    "Start date",
                    "Last login",
                    "Status",
                    "Team",
                ],
                vec![
                    Account,
                    Email,
                    Name,
                    Licence,
                    Assigned,
                    LastActivity,
                    Status,
                    Ignore,
                ],
            ),
            (vec!["email", "plan"], vec![Email, Licence]),
            // The better name wins wherever it stands, and a thing is read from one column.
            (
                vec!["id", "account", "email", "sku"],
                vec![Ignore, Account, Email, Licence],
            ),
        ] {
            let mapping = Mapping::guess(&texts(&headings));
            assert_eq!(mapping.columns, expected, "{headings:?}");
            assert_eq!(mapping.check(headings.len()), Ok(()));
            assert_eq!(mapping.dates, Dates::Iso, "never guessed");
        }
    }

    #[test]
    fn a_mapping_that_can_read_nothing_is_refused() {
        use Target::{Account, Email, Ignore, Licence, Name};
        let mapping = |columns: &[Target], licence: Option<&str>| Mapping {
            columns: columns.to_vec(),
            licence: licence.map(str::to_owned),
            ..Mapping::default()
        };
        for (it, columns, expected) in [
            (
                mapping(&[Name, Licence], None),
                2,
                Err(MappingError::NoAccount),
            ),
            (
                mapping(&[Email, Ignore], None),
                2,
                Err(MappingError::NoLicence),
            ),
            (
                mapping(&[Email, Ignore], Some("  ")),
                2,
                Err(MappingError::NoLicence),
            ),
            (mapping(&[Email, Ignore], Some("Pro")), 2, Ok(())),
            (
                mapping(&[Account, Licence, Licence], None),
                3,
                Err(MappingError::Twice(Licence)),
            ),
            (
                mapping(&[Account, Licence], None),
                3,
                Err(MappingError::Columns { file: 3, given: 2 }),
            ),
            (
                mapping(&[Account, Ignore, Ignore, Licence], None),
                4,
                Ok(()),
            ),
        ] {
            assert_eq!(it.check(columns), expected, "{it:?}");
        }
    }

    #[test]
    fn dates_are_read_only_as_they_were_said_to_be_written() {
        let march = 1_774_915_200_000; // 2026-03-31T00:00:00Z
        for (form, text, expected) in [
            (Dates::Iso, "2026-03-31", Some(march)),
            (Dates::Iso, "2026-03-31T00:00:00Z", Some(march)),
            (Dates::Iso, "2026-03-31T02:00:00+02:00", Some(march)),
            (Dates::Iso, "2026-03-31 01:00", Some(march + 3_600_000)),
            (Dates::Iso, "31.03.2026", None),
            (Dates::Iso, "03/31/2026", None),
            (Dates::Iso, "2026-02-30", None),
            (Dates::Iso, "1774915200", None),
            (Dates::Iso, "yesterday", None),
            (Dates::DayMonthYear, "31.03.2026", Some(march)),
            (
                Dates::DayMonthYear,
                "31/03/2026 01:00",
                Some(march + 3_600_000),
            ),
            (Dates::DayMonthYear, "03/31/2026", None),
            (Dates::MonthDayYear, "03/31/2026", Some(march)),
            (Dates::MonthDayYear, "31/03/2026", None),
            (Dates::UnixSeconds, "1774915200", Some(march)),
            (Dates::UnixSeconds, "-5", None),
            (Dates::UnixMilliseconds, "1774915200000", Some(march)),
            (Dates::UnixMilliseconds, "9223372036854775807", None),
            (Dates::UnixSeconds, "9223372036854775807", None),
        ] {
            assert_eq!(form.read(text), expected, "{form:?} {text}");
        }
    }

    #[test]
    fn the_words_of_a_choice_read_back() {
        for target in Target::ALL {
            assert_eq!(Target::parse(target.as_str()), Some(target));
        }
        for dates in Dates::ALL {
            assert_eq!(Dates::parse(dates.as_str()), Some(dates));
        }
        let carried = Mapping {
            licence: Some("Pro".to_owned()),
            ..Mapping::guess(&texts(&["email"]))
        };
        assert_eq!(
            Mapping::carried(&texts(&["email"]), Some((&texts(&["email"]), &carried))),
            carried
        );
        assert_eq!(
            Mapping::carried(&texts(&["mail"]), Some((&texts(&["email"]), &carried))).licence,
            None
        );
    }
}
