//! Reading all users by Bulk API 2.0: one query job, polled without haste, its result taken in pieces (salesforce.md §2.7).
//!
//! Which way is cheaper is a matter of calls: REST takes one for 2,000 rows; a job takes one to make it, about ten to wait for
//! it, and one for each piece. A piece is no larger than what one page of the contract can carry.
//!
//! Invariants:
//! - Whatever goes wrong with the job, the chain goes on by REST after the last id seen: nothing comes twice, nothing is lost.
//! - Waiting costs no request: before it is time to ask, the page is a transient failure that says when. After asking, the
//!   cursor has moved on, so a patient host never counts a long job as a failed one.
//! - Rows come in the order of their ids, as by REST.

use std::collections::BTreeMap;

use seatwise_connector_sdk::{
    Answer, Call, Failure, FailureKind, Level,
    cursor::{Reader, Writer},
    failure, json,
    subscriptions::Page,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    api::Api,
    chains,
    model::UserRow,
    org::{self, Org},
    probe::{self, CloudLicences},
    scope::Scope,
    settings::Settings,
    users,
};

/// Format of this cursor; the other chains have another.
pub const CURSOR_VERSION: u8 = 2;
/// Rows of one piece: about 2.6 kB each at the host's door, which takes 16 MiB.
const PIECE_ROWS: u64 = 3_000;
/// Rows of one REST page.
const REST_ROWS: u64 = 2_000;
/// Calls that a job costs beside its pieces: making it, and asking for its state.
const JOB_CALLS: u64 = 11;
/// First wait before a job is asked about, milliseconds; doubles up to [`LONGEST_WAIT_MS`].
const FIRST_WAIT_MS: i64 = 1_000;
/// Longest wait; a host waits so long within a run.
const LONGEST_WAIT_MS: i64 = 20_000;
/// A job that takes longer is left alone. Salesforce drops it by itself.
const PATIENCE_MS: i64 = 30 * 60 * 1000;

/// Calls that a download of so many users costs, by REST and by Bulk.
pub fn calls(users: u64) -> (u64, u64) {
    (
        users.div_ceil(REST_ROWS).max(1),
        JOB_CALLS + users.div_ceil(PIECE_ROWS),
    )
}

/// Where the job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cursor {
    since: Option<i64>,
    /// Empty: not made yet.
    job: String,
    begun_at: i64,
    asked_at: i64,
    /// Times that the job was asked about.
    asked: u64,
    /// Rows of the whole result; none while the job runs.
    total: Option<u64>,
    locator: String,
    last_id: String,
    rows: u64,
    clouds: Option<CloudLicences>,
}

impl Cursor {
    fn write(&self) -> Vec<u8> {
        let cursor = Writer::new(CURSOR_VERSION)
            .maybe(self.since)
            .text(&self.job)
            .maybe(Some(self.begun_at))
            .maybe(Some(self.asked_at))
            .number(self.asked)
            .maybe(self.total.and_then(|total| i64::try_from(total).ok()))
            .text(&self.locator)
            .text(&self.last_id)
            .number(self.rows);
        chains::write_clouds(cursor, self.clouds.as_ref()).finish()
    }

    fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let mut reader = Reader::open(bytes, CURSOR_VERSION)?;
        let cursor = Self {
            since: reader.maybe()?,
            job: reader.text()?.to_owned(),
            begun_at: reader.maybe()?.unwrap_or_default(),
            asked_at: reader.maybe()?.unwrap_or_default(),
            asked: reader.number()?,
            total: reader.maybe()?.and_then(|total| u64::try_from(total).ok()),
            locator: reader.text()?.to_owned(),
            last_id: reader.text()?.to_owned(),
            rows: reader.number()?,
            clouds: chains::read_clouds(&mut reader)?,
        };
        reader.end()?;
        Ok(cursor)
    }

    fn wait_ms(&self) -> i64 {
        let doublings = u32::try_from(self.asked).unwrap_or(u32::MAX).min(10);
        (FIRST_WAIT_MS << doublings).min(LONGEST_WAIT_MS)
    }
}

/// The chain of users, to be read by a job.
pub fn start(since: Option<i64>) -> Vec<u8> {
    Cursor {
        since,
        job: String::new(),
        begun_at: 0,
        asked_at: 0,
        asked: 0,
        total: None,
        locator: String::new(),
        last_id: String::new(),
        rows: 0,
        clouds: None,
    }
    .write()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    id: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    number_records_processed: Option<u64>,
}

/// One page of the chain: the job made, looked at, or a piece of its result.
///
/// # Errors
/// `transient`, code `bulk_job_running`, while it is too early to ask; the vendor's where REST would meet them too; `malformed`
/// for a result that contradicts itself.
pub fn page(call: &Call<'_>, at: &[u8]) -> Result<Page, Failure> {
    let cursor = Cursor::read(at)?;
    let settings = Settings::of(call.ctx)?;
    let scope = Scope::of(&settings)?;
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let step = if cursor.job.is_empty() {
        make(call, &api, &org, &settings, &cursor)
    } else if cursor.total.is_none() {
        look(call, &api, &cursor)
    } else {
        Ok(Some(cursor.clone()))
    };
    let stepped = match step {
        // Ready: what follows is a piece.
        Ok(Some(ready)) if ready.total.is_some() => ready,
        Ok(Some(moved)) => return Ok(going_on(&api, Some(moved.write()))),
        Ok(None) => return Ok(by_rest(call, &api, &cursor, "the job did not end well")),
        Err(failure) if is_of_the_job(&failure) => {
            return Ok(by_rest(call, &api, &cursor, &failure.code));
        }
        Err(failure) => return Err(failure),
    };
    if stepped.total == Some(0) {
        return Ok(going_on(&api, None));
    }
    match piece(call, &api, &org, (&settings, &scope), &stepped) {
        Err(failure) if is_of_the_job(&failure) => Ok(by_rest(call, &api, &stepped, &failure.code)),
        read => read,
    }
}

/// Whether a failure says something about Bulk and nothing about the org as a whole: REST may still work. A spent limit, a dead
/// token and a vendor that is down are met by REST as well; a result that contradicts itself is told.
fn is_of_the_job(failure: &Failure) -> bool {
    match failure.kind {
        FailureKind::Auth
        | FailureKind::RateLimited
        | FailureKind::Transient
        | FailureKind::Malformed
        | FailureKind::Internal => false,
        // Jobs have a budget of their own.
        FailureKind::Quota => failure.code == "ExceededQuota",
        _ => true,
    }
}

fn going_on(api: &Api<'_>, next: Option<Vec<u8>>) -> Page {
    Page {
        next,
        ..chains::empty_page(api)
    }
}

fn by_rest(call: &Call<'_>, api: &Api<'_>, cursor: &Cursor, why: &str) -> Page {
    call.log(
        Level::Warn,
        "users cannot be read by Bulk API; going on by REST",
        &[("why", why)],
    );
    going_on(
        api,
        Some(chains::users_after(
            cursor.since,
            &cursor.last_id,
            cursor.clouds.clone(),
        )),
    )
}

fn make(
    call: &Call<'_>,
    api: &Api<'_>,
    org: &Org,
    settings: &Settings,
    cursor: &Cursor,
) -> Result<Option<Cursor>, Failure> {
    let clouds = probe::cloud_licences(api, settings)?;
    let query = format!(
        "{}{} ORDER BY Id",
        users::select(org, settings),
        chains::since_filter(cursor.since)
    );
    let body = serde_json::json!({
        "operation": "query",
        "query": query,
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    });
    let answer = api.post("jobs/query", body.to_string().into_bytes())?;
    let job: Job = json::parse(answer.body())?;
    if !is_job_id(&job.id) {
        return Err(failure::malformed(
            "bad_id",
            "A Bulk job's id is no Salesforce id",
        ));
    }
    Ok(Some(Cursor {
        job: job.id,
        clouds: Some(clouds),
        begun_at: call.ctx.now,
        asked_at: call.ctx.now,
        ..cursor.clone()
    }))
}

fn is_job_id(id: &str) -> bool {
    matches!(id.len(), 15 | 18) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Asks about the job where it is time to. `None`: it will not end well.
fn look(call: &Call<'_>, api: &Api<'_>, cursor: &Cursor) -> Result<Option<Cursor>, Failure> {
    let now = call.ctx.now;
    let early = cursor.asked_at + cursor.wait_ms() - now;
    if early > 0 {
        let running =
            failure::transient("bulk_job_running", "Salesforce is still reading the users");
        return Err(failure::after(running, u64::try_from(early).ok()));
    }
    let answer = api.get_versioned(&format!("jobs/query/{}", cursor.job))?;
    let job: Job = json::parse(answer.body())?;
    match job.state.as_str() {
        "JobComplete" => Ok(Some(Cursor {
            total: Some(job.number_records_processed.unwrap_or_default()),
            ..cursor.clone()
        })),
        "UploadComplete" | "InProgress" if now - cursor.begun_at < PATIENCE_MS => {
            Ok(Some(Cursor {
                asked: cursor.asked + 1,
                asked_at: now,
                ..cursor.clone()
            }))
        }
        _ => Ok(None),
    }
}

fn piece(
    call: &Call<'_>,
    api: &Api<'_>,
    org: &Org,
    (settings, scope): (&Settings, &Scope),
    cursor: &Cursor,
) -> Result<Page, Failure> {
    let locator = match cursor.locator.as_str() {
        "" => String::new(),
        locator => format!(
            "&locator={}",
            seatwise_connector_sdk::percent_encode(locator)
        ),
    };
    let answer = api.get_csv(&format!(
        "jobs/query/{}/results?maxRecords={PIECE_ROWS}{locator}",
        cursor.job
    ))?;
    let rows = rows(&answer)?;
    let seen = cursor.rows + rows.len() as u64;
    let total = cursor.total.unwrap_or_default();
    if seen > total {
        return Err(failure::malformed(
            "too_many_rows",
            format!("Salesforce said {total} rows and sent {seen}"),
        ));
    }
    // The end is the word `null`, and some have seen no header at all.
    let next = answer
        .header("sforce-locator")
        .filter(|locator| !matches!(*locator, "null" | ""));
    let next = match (next, rows.last()) {
        (None, _) if seen < total => {
            return Err(failure::malformed(
                "rows_missing",
                format!("Salesforce said {total} rows and ended after {seen}"),
            ));
        }
        (None, _) => None,
        (Some(next), _) if next == cursor.locator => {
            return Err(failure::malformed(
                "repeated_locator",
                "The next piece is said to be the piece just read",
            ));
        }
        (Some(_), None) => {
            return Err(failure::malformed(
                "empty_page",
                "Salesforce sent an empty piece and says that there are more",
            ));
        }
        (Some(next), Some(last)) => Some(
            Cursor {
                locator: next.to_owned(),
                last_id: last.id.as_str().to_owned(),
                rows: seen,
                ..cursor.clone()
            }
            .write(),
        ),
    };
    let mut page = users::page_of(
        call,
        api,
        org,
        (settings, scope),
        cursor.clouds.as_ref(),
        rows,
    )?;
    page.next = next;
    Ok(page)
}

/// The rows of a piece. A cell is a field by its path, as in the query; an empty one is null.
fn rows(answer: &Answer) -> Result<Vec<UserRow<'static>>, Failure> {
    let damaged = |_| {
        failure::malformed(
            "malformed_csv",
            format!(
                "The answer of {} bytes is not the CSV that was asked for",
                answer.body().len()
            ),
        )
    };
    let mut reader = csv::Reader::from_reader(answer.body());
    let header = reader.headers().map_err(damaged)?.clone();
    let mut rows = vec![];
    for record in reader.records() {
        let record = record.map_err(damaged)?;
        let row = nested(header.iter().zip(record.iter()));
        let row = UserRow::deserialize(row).map_err(|_| {
            failure::malformed("malformed_csv", "A row has another shape than asked for")
        })?;
        rows.push(row);
    }
    Ok(rows)
}

/// Cells as the object that REST would have sent.
fn nested<'a>(cells: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let mut object = Map::new();
    let mut parents: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for (path, cell) in cells {
        match path.split_once('.') {
            Some((parent, rest)) => parents.entry(parent).or_default().push((rest, cell)),
            None => {
                object.insert(path.to_owned(), value(path, cell));
            }
        }
    }
    for (parent, cells) in parents {
        let is_null = cells.iter().all(|(_, cell)| cell.is_empty());
        let value = if is_null {
            Value::Null
        } else {
            nested(cells.into_iter())
        };
        object.insert(parent.to_owned(), value);
    }
    Value::Object(object)
}

fn value(column: &str, cell: &str) -> Value {
    let is_switch = matches!(column, "IsActive" | "ForecastEnabled")
        || org::feature_of(column).is_some_and(|feature| org::FEATURES.contains(&feature));
    match (is_switch, cell) {
        (_, "") => Value::Null,
        (true, "true") => Value::Bool(true),
        (true, "false") => Value::Bool(false),
        (_, text) => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_cheaper_from_some_ten_thousands_on() {
        let is_bulk = |users| {
            let (rest, bulk) = calls(users);
            bulk < rest
        };
        assert!(!is_bulk(0) && !is_bulk(50_000));
        assert!(is_bulk(75_000) && is_bulk(1_000_000));
        assert_eq!(calls(1_000_000), (500, 345));
    }

    #[test]
    fn a_cursor_is_read_back() {
        let cursor = Cursor {
            since: Some(-5),
            job: "750000000000001AAA".to_owned(),
            begun_at: 7,
            asked_at: 8,
            asked: 9,
            total: Some(0),
            locator: "MTAw".to_owned(),
            last_id: "005".to_owned(),
            rows: 3,
            clouds: Some(CloudLicences {
                sales: Some("0PL000000000001AAA".to_owned()),
                service: None,
            }),
        };
        assert_eq!(Cursor::read(&cursor.write()).unwrap(), cursor);
        assert!(Cursor::read(&cursor.write()[..5]).is_err());
    }

    #[test]
    fn waits_grow_and_end_at_twenty_seconds() {
        let wait = |asked| {
            let mut cursor = Cursor::read(&start(None)).unwrap();
            cursor.asked = asked;
            cursor.wait_ms()
        };
        assert_eq!(
            [wait(0), wait(1), wait(4), wait(5), wait(u64::MAX)],
            [1_000, 2_000, 16_000, 20_000, 20_000]
        );
    }

    #[test]
    fn cells_become_what_rest_would_have_sent() {
        let row = nested(
            [
                ("Id", "005000000000001AAA"),
                ("IsActive", "true"),
                ("Name", "true"),
                ("LastLoginDate", ""),
                ("Profile.Name", ""),
                ("Profile.UserLicense.LicenseDefinitionKey", ""),
            ]
            .into_iter(),
        );
        let row = UserRow::deserialize(row).unwrap();
        assert_eq!(row.is_active, Some(true));
        assert_eq!(row.name.unwrap().as_str(), "true");
        assert_eq!(row.last_login_date, Some(None), "never, not unknown");
        assert!(row.profile.is_none());
        let row = nested(
            [
                ("Id", "x"),
                ("Profile.Name", "P"),
                ("Profile.UserLicense.LicenseDefinitionKey", "SFDC"),
            ]
            .into_iter(),
        );
        let row = UserRow::deserialize(row).unwrap();
        assert_eq!(row.licence_key(), Some("SFDC"));
        assert!(row.last_login_date.is_none(), "no such column");
    }
}
