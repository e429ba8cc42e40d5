//! The chains of a download and how each is followed from page to page.
//!
//! - *users*: all rows of `User` in the order of their id, 2,000 a page; or by a Bulk job ([`bulk`]) where that takes fewer calls.
//! - *frozen*: the few rows of `UserLogin` that are frozen. No row: not frozen. The chain exists only where `UserLogin` can be
//!   read; without it, frozen is unknown.
//! - *permission-set licences* and *packages*: who holds which, where that is wanted. A chain that cannot be read at all is empty,
//!   with a word in the log; the checks tell which right is missing.
//!
//! A cursor that the vendor has dropped is replaced by a query that begins after the last id seen, so nothing comes twice.
//! A chain fails, rather than ending quietly, where an answer contradicts itself, or where holdings can no longer be read after
//! the first page: everybody further on would seem to have lost the licence.

use seatwise_connector_sdk::{
    Answer, Call, Failure, Level,
    cursor::{Reader, Writer},
    failure,
    subscriptions::{Outline, Page},
};

use crate::{
    api::{Api, next_locator},
    bulk, holdings,
    model::QueryPage,
    org::Org,
    probe::CloudLicences,
    scope::Scope,
    settings::{LicenceKind, Reading, Settings},
    soql, time, users,
};

/// Format of the cursor.
const CURSOR_VERSION: u8 = 3;

/// Which chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// All users.
    Users,
    /// The frozen.
    Frozen,
    /// `PermissionSetLicenseAssign`.
    PermissionSetLicences,
    /// `UserPackageLicense`.
    Packages,
}

impl Stage {
    const ALL: [Self; 4] = [
        Self::Users,
        Self::Frozen,
        Self::PermissionSetLicences,
        Self::Packages,
    ];
}

/// Where a chain stands.
#[derive(Debug)]
pub struct Cursor {
    /// Which chain.
    pub stage: Stage,
    /// Only what changed since.
    pub since: Option<i64>,
    /// Path of the next page; empty: ask by key.
    locator: String,
    /// Last id seen; empty: none yet.
    pub last_id: String,
    /// Rows seen since the query was last started.
    rows: u64,
    /// What tells the clouds apart, in the chain of users; `None`: to be found out with the first page.
    pub clouds: Option<CloudLicences>,
}

impl Cursor {
    fn start(stage: Stage, since: Option<i64>) -> Self {
        Self {
            stage,
            since,
            locator: String::new(),
            last_id: String::new(),
            rows: 0,
            clouds: None,
        }
    }

    fn write(&self) -> Vec<u8> {
        let stage = Stage::ALL.iter().position(|stage| *stage == self.stage);
        let cursor = Writer::new(CURSOR_VERSION)
            .number(stage.unwrap_or_default() as u64)
            .maybe(self.since)
            .text(&self.locator)
            .text(&self.last_id)
            .number(self.rows);
        write_clouds(cursor, self.clouds.as_ref()).finish()
    }

    fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let mut reader = Reader::open(bytes, CURSOR_VERSION)?;
        let stage = usize::try_from(reader.number()?)
            .ok()
            .and_then(|number| Stage::ALL.get(number).copied())
            .ok_or_else(|| {
                failure::invalid_input("cursor_damaged", "The resume point names no chain")
            })?;
        let cursor = Self {
            stage,
            since: reader.maybe()?,
            locator: reader.text()?.to_owned(),
            last_id: reader.text()?.to_owned(),
            rows: reader.number()?,
            clouds: read_clouds(&mut reader)?,
        };
        reader.end()?;
        Ok(cursor)
    }

    /// Whether nothing of the chain has been read yet.
    pub fn is_at_start(&self) -> bool {
        self.locator.is_empty() && self.last_id.is_empty()
    }

    /// ` WHERE …` of the query that goes on after the last id seen; empty where there is nothing to filter by.
    pub fn filter(&self, also: &str) -> String {
        let mut filters = vec![];
        if !also.is_empty() {
            filters.push(also.to_owned());
        }
        if !self.last_id.is_empty() {
            filters.push(format!("Id > {}", soql::quote(&self.last_id)));
        }
        filters.extend(changed_since(self.since));
        if filters.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", filters.join(" AND "))
        }
    }
}

/// Appends what tells the clouds apart to a cursor.
pub fn write_clouds(cursor: Writer, clouds: Option<&CloudLicences>) -> Writer {
    let Some(clouds) = clouds else {
        return cursor.number(0);
    };
    let text = |id: &Option<String>| id.clone().unwrap_or_default();
    cursor
        .number(1)
        .text(&text(&clouds.sales))
        .text(&text(&clouds.service))
}

/// Reads what [`write_clouds`] wrote.
///
/// # Errors
/// A damaged cursor.
pub fn read_clouds(reader: &mut Reader<'_>) -> Result<Option<CloudLicences>, Failure> {
    if reader.number()? == 0 {
        return Ok(None);
    }
    let mut id = || {
        let id = reader.text()?;
        Ok::<_, Failure>((!id.is_empty()).then(|| id.to_owned()))
    };
    Ok(Some(CloudLicences {
        sales: id()?,
        service: id()?,
    }))
}

/// The chain of users by REST, after an id; from the beginning where it is empty.
pub fn users_after(since: Option<i64>, last_id: &str, clouds: Option<CloudLicences>) -> Vec<u8> {
    Cursor {
        last_id: last_id.to_owned(),
        clouds,
        ..Cursor::start(Stage::Users, since)
    }
    .write()
}

/// ` WHERE …` of what changed since a moment; empty for everything.
pub fn since_filter(since: Option<i64>) -> String {
    changed_since(since).map_or_else(String::new, |filter| format!(" WHERE {filter}"))
}

fn changed_since(since: Option<i64>) -> Option<String> {
    let moment = since.and_then(time::literal)?;
    Some(format!("SystemModstamp >= {moment}"))
}

/// Names the chains and counts the users.
///
/// # Errors
/// What counting fails with.
pub fn begin(call: &Call<'_>, since: Option<i64>) -> Result<Outline, Failure> {
    let org = Org::of(call)?;
    let settings = Settings::of(call.ctx)?;
    // Settings that make no sense are told before anything is read.
    let scope = Scope::of(&settings)?;
    if scope.asks_for_email() && !org.has("Email") {
        return Err(failure::permission(
            "filter_column_hidden",
            "The profile filters by company names, and the connecting user cannot see the column Email of User",
        ));
    }
    let api = Api::new(call, &org.version);
    let since = since.filter(|_| org.has("SystemModstamp"));
    let expected_accounts =
        api.count(&format!("SELECT COUNT() FROM User{}", since_filter(since)))?;
    let mut chains = vec![if reads_by_bulk(call, &settings, expected_accounts) {
        bulk::start(since)
    } else {
        users_after(since, "", None)
    }];
    // Freezing does not touch the user's own stamp, and assignments are few: these are always read whole.
    let mut whole = |stage| chains.push(Cursor::start(stage, None).write());
    if org.frozen {
        whole(Stage::Frozen);
    }
    if settings.reads(LicenceKind::PermissionSetLicences) {
        whole(Stage::PermissionSetLicences);
    }
    if settings.reads(LicenceKind::Packages) {
        whole(Stage::Packages);
    }
    Ok(Outline {
        chains,
        expected_accounts: Some(expected_accounts),
        usage: api.usage(),
    })
}

/// Which way is taken, and in the log why.
fn reads_by_bulk(call: &Call<'_>, settings: &Settings, users: u64) -> bool {
    let (rest, bulk) = bulk::calls(users);
    let is_bulk = match settings.read_users_by {
        Reading::Rest => false,
        Reading::Bulk => true,
        Reading::Auto => bulk < rest,
    };
    call.log(
        Level::Info,
        if is_bulk {
            "users are read by Bulk API"
        } else {
            "users are read by REST"
        },
        &[
            ("users", &users.to_string()),
            ("calls_by_rest", &rest.to_string()),
            ("calls_by_bulk", &bulk.to_string()),
        ],
    );
    is_bulk
}

/// One page of one chain.
///
/// # Errors
/// The vendor's, and `malformed` for an answer that contradicts itself.
pub fn download(call: &Call<'_>, at: &[u8]) -> Result<Page, Failure> {
    if at.first() == Some(&bulk::CURSOR_VERSION) {
        return bulk::page(call, at);
    }
    let cursor = Cursor::read(at)?;
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    match cursor.stage {
        Stage::Users => users::page(call, &api, &org, cursor),
        Stage::Frozen => users::frozen_page(call, &api, cursor),
        Stage::PermissionSetLicences => holdings::permission_set_licences(call, &api, &org, cursor),
        Stage::Packages => holdings::packages(call, &api, &org, cursor),
    }
}

/// The page a cursor stands at. The flag says that the query was started anew, by key.
///
/// # Errors
/// What the request fails with.
pub fn fetch(
    call: &Call<'_>,
    api: &Api<'_>,
    cursor: &Cursor,
    by_key: impl FnOnce() -> String,
) -> Result<(Answer, bool), Failure> {
    if cursor.locator.is_empty() {
        return Ok((api.query(&by_key())?, true));
    }
    match api.get(&cursor.locator) {
        Ok(answer) => Ok((answer, false)),
        Err(failure) if failure.code == "INVALID_QUERY_LOCATOR" => {
            call.log(
                Level::Info,
                "Salesforce has dropped the cursor; going on after the last id",
                &[],
            );
            Ok((api.query(&by_key())?, true))
        }
        Err(failure) => Err(failure),
    }
}

/// Where the chain goes on after a page; `None` at its end.
///
/// # Errors
/// `malformed` where the page contradicts its own count, or says that there is more and not where.
pub fn advance<T>(
    cursor: Cursor,
    started_anew: bool,
    page: &QueryPage<'_, T>,
    last_id: Option<String>,
) -> Result<Option<Vec<u8>>, Failure> {
    let before = if started_anew { 0 } else { cursor.rows };
    let rows = before + page.records.len() as u64;
    if rows > page.total_size {
        return Err(failure::malformed(
            "too_many_rows",
            format!("Salesforce said {} rows and sent {rows}", page.total_size),
        ));
    }
    let used = if started_anew {
        ""
    } else {
        cursor.locator.as_str()
    };
    let Some(locator) = next_locator(page.done, page.next_records_url.as_ref(), used)? else {
        if rows < page.total_size {
            return Err(failure::malformed(
                "rows_missing",
                format!(
                    "Salesforce said {} rows and ended after {rows}",
                    page.total_size
                ),
            ));
        }
        return Ok(None);
    };
    let Some(last_id) = last_id else {
        return Err(failure::malformed(
            "empty_page",
            "Salesforce sent an empty page and says that there are more",
        ));
    };
    let next = Cursor {
        locator,
        last_id,
        rows,
        ..cursor
    };
    Ok(Some(next.write()))
}

/// A page with nothing in it yet.
pub fn empty_page(api: &Api<'_>) -> Page {
    Page {
        accounts: vec![],
        assignments: vec![],
        facts: vec![],
        next: None,
        out_of_scope: 0,
        usage: api.usage(),
    }
}
