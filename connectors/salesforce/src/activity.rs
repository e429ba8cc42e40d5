//! Activity. By default the one source is `User.LastLoginDate`, which arrives with each account of a download, so the outline
//! names no chain. `LastLoginDate` is one moving value and counts logins of machines like those of people.
//!
//! Two settings go deeper: `LoginHistory`, which tells people from machines and successes from failures over six months, and
//! edits of records. What cannot be read is said in the log and by the checks, and the rest goes on.
//!
//! Invariants:
//! - Days are UTC days and always read whole, so that counts of two runs can be compared.
//! - A window that has been begun is never narrowed: what was counted stays counted, once.

use seatwise_connector_sdk::{
    Call, Failure, Level,
    activity::{Outline, Page},
    cursor::{Reader, Writer},
    failure,
};

use crate::{
    api::Api,
    edits, logins,
    org::{self, Org},
    rights::Rights,
    settings::{ActivitySource, Settings},
    time::{self, DAY_MS},
};

/// Format of the cursor.
const CURSOR_VERSION: u8 = 1;
/// Days that Salesforce keeps logins: six months, taken as the shortest six months there are, less a day.
pub const KEPT_DAYS: i64 = 180;
/// Days of one chain; the host follows several side by side.
const CHAIN_DAYS: i64 = 30;
/// Days of one query that reads rows.
const WINDOW_DAYS: i64 = 7;
/// A window is not narrowed below a minute: a query that times out over one minute will always do so.
const SHORTEST_MS: i64 = 60_000;

/// What a chain reads, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `LoginHistory`, counted by Salesforce, a day a query.
    LoginGroups,
    /// `LoginHistory`, row by row, where it cannot be grouped.
    LoginRows,
    /// Edits of the object with this number in [`edits::OBJECTS`].
    Edits(usize),
}

impl Way {
    fn number(self) -> u64 {
        match self {
            Self::LoginGroups => 0,
            Self::LoginRows => 1,
            Self::Edits(object) => 2 + object as u64,
        }
    }

    fn of(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::LoginGroups),
            1 => Some(Self::LoginRows),
            number => {
                let object = usize::try_from(number - 2).ok()?;
                (object < edits::OBJECTS.len()).then_some(Self::Edits(object))
            }
        }
    }
}

/// Where a chain stands: a window, and a place in it. Milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// What is read.
    pub way: Way,
    /// Begin of the window, inclusive.
    pub from: i64,
    /// End of the window, exclusive.
    pub until: i64,
    /// End of the chain, exclusive.
    end: i64,
    /// Widest window; narrowed when Salesforce takes too long.
    widest: i64,
    /// Path of the next page; empty: ask by key.
    pub locator: String,
    /// Last key seen in the window, an account or a row; empty: none yet.
    pub last: String,
}

impl Cursor {
    fn start(way: Way, from: i64, end: i64) -> Self {
        let widest = match way {
            Way::LoginRows => WINDOW_DAYS * DAY_MS,
            Way::LoginGroups | Way::Edits(_) => DAY_MS,
        };
        Self {
            way,
            from,
            until: until(way, from, widest, end),
            end,
            widest,
            locator: String::new(),
            last: String::new(),
        }
    }

    fn write(&self) -> Vec<u8> {
        Writer::new(CURSOR_VERSION)
            .number(self.way.number())
            .maybe(Some(self.from))
            .maybe(Some(self.until))
            .maybe(Some(self.end))
            .maybe(Some(self.widest))
            .text(&self.locator)
            .text(&self.last)
            .finish()
    }

    fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let damaged =
            || failure::invalid_input("cursor_damaged", "The resume point names no chain");
        let mut reader = Reader::open(bytes, CURSOR_VERSION)?;
        let way = Way::of(reader.number()?).ok_or_else(damaged)?;
        let mut moment = || reader.maybe()?.ok_or_else(damaged);
        let (from, until, end, widest) = (moment()?, moment()?, moment()?, moment()?);
        let cursor = Self {
            way,
            from,
            until,
            end,
            widest,
            locator: reader.text()?.to_owned(),
            last: reader.text()?.to_owned(),
        };
        reader.end()?;
        Ok(cursor)
    }

    /// The same window, further on.
    pub fn within(self, locator: String, last: String) -> Option<Self> {
        Some(Self {
            locator,
            last,
            ..self
        })
    }

    /// The window after this one; `None` at the end of the chain.
    pub fn after(self) -> Option<Self> {
        let from = self.until;
        (from < self.end).then(|| Self {
            from,
            until: until(self.way, from, self.widest, self.end),
            locator: String::new(),
            last: String::new(),
            ..self
        })
    }

    /// Half the window, where it has not been begun and can still be halved.
    fn halved(&self) -> Option<Self> {
        let half = (self.until - self.from) / 2 / 1000 * 1000;
        let is_new = self.locator.is_empty() && self.last.is_empty();
        (is_new && half >= SHORTEST_MS).then(|| Self {
            until: self.from + half,
            widest: half,
            ..self.clone()
        })
    }

    /// The condition of the window on a column. Bounds are cut to the second, both in the same way.
    ///
    /// # Errors
    /// `invalid-input` for a window outside the calendar.
    pub fn condition(&self, column: &str) -> Result<String, Failure> {
        let literal = |ms| {
            time::literal(ms).ok_or_else(|| {
                failure::invalid_input("cursor_damaged", "The resume point is outside the calendar")
            })
        };
        Ok(format!(
            "{column} >= {} AND {column} < {}",
            literal(self.from)?,
            literal(self.until)?
        ))
    }
}

/// End of the window that begins at `from`; counted windows stay within one day.
fn until(way: Way, from: i64, widest: i64, end: i64) -> i64 {
    let mut until = from.saturating_add(widest).min(end);
    if way != Way::LoginRows {
        until = until.min((from.div_euclid(DAY_MS) + 1) * DAY_MS);
    }
    until
}

/// Names the chains: none by default.
///
/// # Errors
/// Settings that cannot be read, and what says nothing about rights: the vendor is down, the limit is spent.
pub fn begin(call: &Call<'_>, since: i64) -> Result<Outline, Failure> {
    let settings = Settings::of(call.ctx)?;
    let mut outline = Outline {
        chains: vec![],
        complete_from: None,
        usage: None,
    };
    let wants_logins = settings.activity_source == ActivitySource::LoginHistory;
    if !wants_logins && !settings.object_edits {
        return Ok(outline);
    }
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let whole_day = |ms: i64| ms.div_euclid(DAY_MS) * DAY_MS;
    let from = whole_day(since).max(whole_day(call.ctx.now) - KEPT_DAYS * DAY_MS);
    // The last second is not over; what happens in it is read next time.
    let end = call.ctx.now / 1000 * 1000;
    let mut ways = vec![];
    if wants_logins {
        ways.extend(logins_way(call, &api)?);
        if !ways.is_empty() {
            outline.complete_from = Some(from);
        }
    }
    if settings.object_edits {
        for (number, object) in edits::OBJECTS.iter().enumerate() {
            if edits::can_be_counted(&api, object)? {
                ways.push(Way::Edits(number));
            } else {
                say_goes_on_without(call, object);
            }
        }
    }
    for way in ways {
        let mut start = from;
        while start < end {
            let stop = (start + CHAIN_DAYS * DAY_MS).min(end);
            outline.chains.push(Cursor::start(way, start, stop).write());
            start = stop;
        }
    }
    outline.usage = api.usage();
    Ok(outline)
}

fn say_goes_on_without(call: &Call<'_>, object: &str) {
    call.log(
        Level::Warn,
        "activity cannot be read from this object; going on without it",
        &[("object", object)],
    );
}

/// Whether counting costs fewer calls than rows, measured: logins a day in the last week, and how many of them one group stands
/// for, in a sample of yesterday. Counting takes a call a day at least, and one more for each 2,000 groups; rows take one for
/// 2,000 of them. What takes Salesforce too long to count is too much to be read row by row.
fn counting_is_cheaper(call: &Call<'_>, api: &Api<'_>) -> Result<bool, Failure> {
    const ANSWER: u64 = logins::GROUPS as u64;
    let now = call.ctx.now;
    let Some(week) = time::literal(now - WINDOW_DAYS * DAY_MS) else {
        return Ok(true);
    };
    let query = format!("SELECT COUNT() FROM LoginHistory WHERE LoginTime >= {week}");
    let a_day = match api.count(&query) {
        Ok(logins) => logins / WINDOW_DAYS.unsigned_abs(),
        Err(failure) if failure.code == "QUERY_TIMEOUT" => return Ok(true),
        Err(failure) => return Err(failure),
    };
    let today = now.div_euclid(DAY_MS) * DAY_MS;
    let (by_rows, by_groups) = if a_day <= ANSWER {
        (1, 1)
    } else {
        match logins::sample(api, &Cursor::start(Way::LoginGroups, today - DAY_MS, today)) {
            Ok((logins, groups)) => {
                let groups_a_day = a_day.saturating_mul(groups) / logins.max(1);
                (a_day.div_ceil(ANSWER), 1 + groups_a_day / ANSWER)
            }
            Err(failure) if failure.code == "QUERY_TIMEOUT" => return Ok(true),
            Err(failure) => return Err(failure),
        }
    };
    let is_cheaper = by_groups < by_rows;
    call.log(
        Level::Info,
        if is_cheaper {
            "logins are counted by Salesforce"
        } else {
            "logins are read row by row"
        },
        &[
            ("logins_a_day", &a_day.to_string()),
            ("calls_a_day_by_rows", &by_rows.to_string()),
            ("calls_a_day_by_groups", &by_groups.to_string()),
        ],
    );
    Ok(is_cheaper)
}

/// How logins can be read; `None` where only the connecting user's own would be shown.
fn logins_way(call: &Call<'_>, api: &Api<'_>) -> Result<Option<Way>, Failure> {
    let Some(fields) = org::describe(api, logins::OBJECT)? else {
        say_goes_on_without(call, logins::OBJECT);
        return Ok(None);
    };
    let rights = Rights::read(api)?;
    if rights.shows_all_logins() == Some(false) {
        call.log(
            Level::Warn,
            "without Manage Users or Monitor Login History Salesforce shows only the connecting user's own logins; going on without",
            &[],
        );
        return Ok(None);
    }
    let can_group = ["UserId", "LoginType", "Status"].iter().all(|column| {
        fields
            .iter()
            .any(|field| field.name == *column && field.groupable)
    });
    Ok(Some(if can_group && counting_is_cheaper(call, api)? {
        Way::LoginGroups
    } else {
        Way::LoginRows
    }))
}

/// One page of one chain.
///
/// # Errors
/// The vendor's. `QUERY_TIMEOUT` is none while the window can be narrowed: the page is then empty and goes on with half of it.
pub fn pull(call: &Call<'_>, at: &[u8]) -> Result<Page, Failure> {
    let cursor = Cursor::read(at)?;
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let way = cursor.way;
    let halved = cursor.halved();
    let read = match way {
        Way::LoginGroups => logins::groups(&api, cursor),
        Way::LoginRows => logins::rows(call, &api, cursor),
        Way::Edits(number) => edits::groups(&api, edits::OBJECTS[number], cursor),
    };
    let (days, next) = match read {
        Ok((days, next)) => (days, next),
        Err(failure) if failure.code == "QUERY_TIMEOUT" && halved.is_some() => {
            call.log(
                Level::Info,
                "Salesforce took too long; going on with half the time",
                &[],
            );
            (vec![], halved)
        }
        Err(failure) if matches!(way, Way::Edits(_)) && org::is_absent(&failure) => {
            say_goes_on_without(call, "edits");
            (vec![], None)
        }
        Err(failure) => return Err(failure),
    };
    Ok(Page {
        days,
        next: next.map(|next| next.write()),
        usage: api.usage(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All windows of a chain, in order.
    fn windows(way: Way, from: i64, end: i64) -> Vec<(i64, i64)> {
        let mut at = Some(Cursor::start(way, from, end));
        let mut windows = vec![];
        while let Some(cursor) = at {
            windows.push((cursor.from, cursor.until));
            at = cursor.after();
        }
        windows
    }

    #[test]
    fn windows_touch_and_never_overlap_and_counted_ones_stay_within_a_day() {
        let (from, end) = (5 * DAY_MS, 35 * DAY_MS + 12_345_000);
        for way in [Way::LoginGroups, Way::LoginRows, Way::Edits(0)] {
            let windows = windows(way, from, end);
            assert_eq!(windows[0].0, from);
            assert_eq!(windows.last().unwrap().1, end);
            assert!(windows.windows(2).all(|pair| pair[0].1 == pair[1].0));
            if way != Way::LoginRows {
                assert!(
                    windows
                        .iter()
                        .all(|(a, b)| a.div_euclid(DAY_MS) == (b - 1).div_euclid(DAY_MS))
                );
            } else {
                assert!(windows.iter().all(|(a, b)| b - a <= WINDOW_DAYS * DAY_MS));
            }
        }
    }

    #[test]
    fn only_a_window_that_was_not_begun_is_halved_and_only_down_to_a_minute() {
        let mut cursor = Cursor::start(Way::LoginRows, 0, 7 * DAY_MS);
        let mut halvings = 0;
        while let Some(half) = cursor.halved() {
            assert_eq!(half.from, 0);
            assert!(half.until < cursor.until && half.until >= SHORTEST_MS);
            cursor = half;
            halvings += 1;
        }
        assert!((10..16).contains(&halvings), "{halvings}");
        // What comes after is as narrow, and nothing is left out.
        let next = cursor.clone().after().unwrap();
        assert_eq!(next.from, cursor.until);
        assert!(next.until - next.from <= cursor.widest);
        let begun = Cursor::start(Way::LoginRows, 0, 7 * DAY_MS)
            .within(String::new(), "0Ya000000000001AAA".to_owned())
            .unwrap();
        assert_eq!(begun.halved(), None);
    }

    #[test]
    fn a_cursor_is_read_back_and_a_strange_one_is_refused() {
        let cursor = Cursor::start(Way::Edits(1), -DAY_MS, DAY_MS)
            .within("/x".to_owned(), "005".to_owned())
            .unwrap();
        assert_eq!(Cursor::read(&cursor.write()).unwrap(), cursor);
        for bytes in [&[][..], &[1, 99][..], &[1, 0, 0][..], &[7][..]] {
            assert_eq!(
                Cursor::read(bytes).unwrap_err().kind,
                seatwise_connector_sdk::FailureKind::InvalidInput
            );
        }
    }
}
