//! Bulk API 2.0 query jobs: made, polled, read as CSV, aborted and deleted (salesforce.md §2.7).
//!
//! A job remembers which rows its query found when it was made, as runs of row numbers, so that every page of the result is exact and
//! any page can be read again; the rows themselves are written while they are sent. It moves on with each poll, or with the org's
//! clock where the fault `bulk_ms` says how long it takes.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use csv::{QuoteStyle, Terminator, WriterBuilder};
use serde_json::{Value as Json, json};

use crate::api::{Answer, Pieces, Request, State};
use crate::clock::{self, DAY_MS};
use crate::ids::Id;
use crate::org::Org;
use crate::query::{ApiError, Plan, release};
use crate::schema::Object;
use crate::soql::{self, Item, Query};

/// Jobs of a rolling 24 hours (`DailyBulkV2QueryJobs`).
pub(crate) const JOBS_PER_DAY: u64 = 10_000;
/// Rows of one result page where the client names no `maxRecords`.
const PAGE_ROWS: u64 = 100_000;
/// Rows written between two looks at the network.
const PIECE_ROWS: u64 = 2_000;
/// Days that results are kept.
const KEPT_DAYS: i64 = 7;

/// Objects that Salesforce has but does not let Bulk read.
const NOT_IN_BULK: &[&str] = &[
    "CaseStatus",
    "LoginEvent",
    "TaskPriority",
    "TaskStatus",
    "UserPermissionAccess",
    "UserRecordAccess",
];

const DELIMITERS: &[(&str, u8)] = &[
    ("COMMA", b','),
    ("BACKQUOTE", b'`'),
    ("CARET", b'^'),
    ("PIPE", b'|'),
    ("SEMICOLON", b';'),
    ("TAB", b'\t'),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    UploadComplete,
    InProgress,
    JobComplete,
    Aborted,
    Failed,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::UploadComplete => "UploadComplete",
            Self::InProgress => "InProgress",
            Self::JobComplete => "JobComplete",
            Self::Aborted => "Aborted",
            Self::Failed => "Failed",
        }
    }

    fn is_over(self) -> bool {
        !matches!(self, Self::UploadComplete | Self::InProgress)
    }
}

/// How a result is written.
#[derive(Debug, Clone, Copy)]
struct Form {
    delimiter: (&'static str, u8),
    is_crlf: bool,
}

impl Form {
    fn of(sent: &Json) -> Result<Self, ApiError> {
        let text = |name: &str, otherwise: &'static str| {
            sent[name].as_str().unwrap_or(otherwise).to_owned()
        };
        if text("contentType", "CSV") != "CSV" {
            return Err(invalid_job("Content type of a query job is CSV"));
        }
        let wanted = text("columnDelimiter", "COMMA");
        let delimiter = DELIMITERS
            .iter()
            .find(|(name, _)| *name == wanted)
            .ok_or_else(|| invalid_job("columnDelimiter is not one of the known ones"))?;
        let is_crlf = match text("lineEnding", "LF").as_str() {
            "LF" => false,
            "CRLF" => true,
            _ => return Err(invalid_job("lineEnding is LF or CRLF")),
        };
        Ok(Self {
            delimiter: *delimiter,
            is_crlf,
        })
    }

    /// Rows of cells, each quoted, as Salesforce writes them.
    fn write(self, fill: impl FnOnce(&mut csv::Writer<Vec<u8>>)) -> Vec<u8> {
        let mut writer = WriterBuilder::new()
            .delimiter(self.delimiter.1)
            .quote_style(QuoteStyle::Always)
            .terminator(if self.is_crlf {
                Terminator::CRLF
            } else {
                Terminator::Any(b'\n')
            })
            .from_writer(Vec::new());
        fill(&mut writer);
        // Writing to memory does not fail.
        writer.into_inner().unwrap_or_default()
    }
}

/// A query job.
pub(crate) struct Job {
    id: String,
    /// `query` or `queryAll`.
    operation: &'static str,
    /// Such as `v62.0`.
    version: String,
    form: Form,
    created_ms: i64,
    changed_ms: i64,
    phase: Phase,
    polls: u64,
    plan: Arc<Plan>,
    /// First row and how many follow one another, in the order of the answer.
    runs: Arc<[(u64, u64)]>,
    rows: u64,
}

impl Job {
    fn summary(&self, org: &Org) -> Json {
        let moment = |ms| {
            let mut out = Vec::new();
            clock::write_datetime(&mut out, ms);
            String::from_utf8(out).unwrap_or_default()
        };
        let creator = org
            .running_user()
            .map(|user| org.id(Object::User, user).as_str().to_owned());
        let number: f64 = self
            .version
            .trim_start_matches('v')
            .parse()
            .unwrap_or_default();
        json!({
            "id": self.id, "operation": self.operation, "object": self.plan.object.name(), "createdById": creator,
            "createdDate": moment(self.created_ms), "systemModstamp": moment(self.changed_ms), "state": self.phase.name(),
            "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": number,
            "lineEnding": if self.form.is_crlf { "CRLF" } else { "LF" }, "columnDelimiter": self.form.delimiter.0,
        })
    }

    fn detail(&self, org: &Org) -> Json {
        let mut told = self.summary(org);
        let is_done = self.phase == Phase::JobComplete;
        told["jobType"] = json!("V2Query");
        told["numberRecordsProcessed"] = json!(if is_done { self.rows } else { 0 });
        told["retries"] = json!(0);
        told["totalProcessingTime"] = json!(if is_done { 1 + self.rows / 1_000 } else { 0 });
        told["isPkChunkingSupported"] = json!(true);
        if self.phase == Phase::Failed {
            told["errorMessage"] =
                json!("Timeout : the query did not end in time, a fault of the practice org");
        }
        told
    }
}

fn invalid_job(message: &str) -> ApiError {
    ApiError::new(400, "INVALIDJOB", message)
}

fn not_found() -> ApiError {
    ApiError::new(404, "NOT_FOUND", "The requested resource does not exist")
}

fn wrong_state(message: &str) -> ApiError {
    ApiError::new(400, "INVALIDJOBSTATE", message)
}

impl State {
    /// `rest` is what follows `/jobs/query`.
    pub(crate) fn bulk(
        &mut self,
        request: &Request<'_>,
        version: &str,
        rest: &[&str],
    ) -> Result<Answer, ApiError> {
        // One slash too many is another address here, as at the vendor.
        if request.path.contains("//") {
            return Err(not_found());
        }
        match (request.method, rest) {
            ("POST", []) => self.create_job(request.body, version),
            ("GET", []) => Ok(self.list_jobs(request)),
            ("GET", [id]) => {
                let at = self.find_job(id, version)?;
                self.poll(at);
                Ok(Answer::json(200, &self.jobs[at].detail(&self.org)))
            }
            ("PATCH", [id]) => self.abort_job(id, version, request.body),
            ("DELETE", [id]) => {
                let at = self.find_job(id, version)?;
                if !self.jobs[at].phase.is_over() {
                    return Err(wrong_state("A job that is under way cannot be deleted"));
                }
                self.jobs.remove(at);
                Ok(Answer::empty(204))
            }
            ("GET", [id, "results"]) => self.results(id, version, request),
            (_, [] | [_] | [_, "results"]) => Err(ApiError::new(
                405,
                "METHOD_NOT_ALLOWED",
                format!("HTTP Method '{}' not allowed", request.method),
            )),
            _ => Err(not_found()),
        }
    }

    /// Jobs that may still be made within the rolling 24 hours.
    pub(crate) fn jobs_left(&self) -> u64 {
        let since = self.org.clock.now_ms() - DAY_MS;
        let made = self.job_times.iter().filter(|at| **at > since).count() as u64;
        JOBS_PER_DAY
            .saturating_sub(made)
            .saturating_sub(self.faults.number("bulk_jobs_used"))
    }

    fn create_job(&mut self, body: &[u8], version: &str) -> Result<Answer, ApiError> {
        let sent: Json = serde_json::from_slice(body).map_err(|error| {
            ApiError::new(
                400,
                "JSON_PARSER_ERROR",
                format!("Unexpected input: {error}"),
            )
        })?;
        let operation = match sent["operation"].as_str() {
            Some("query") => "query",
            Some("queryAll") => "queryAll",
            _ => return Err(invalid_job("operation is query or queryAll")),
        };
        let form = Form::of(&sent)?;
        let text = sent["query"].as_str().unwrap_or_default();
        if self.jobs_left() == 0 {
            return Err(ApiError::new(
                400,
                "EXCEEDEDQUOTA",
                "ExceededQuota : DailyBulkV2QueryJobs Limit exceeded.",
            ));
        }
        let query =
            soql::parse(text).map_err(|error| ApiError::new(400, "MALFORMED_QUERY", error.0))?;
        refuse(&query)?;
        let plan = Plan::at(&self.org, query, release(version))?;
        let mut runs: Vec<(u64, u64)> = Vec::new();
        let mut rows = 0;
        plan.each_row(&self.org, |row| {
            rows += 1;
            match runs.last_mut() {
                Some((first, length)) if *first + *length == row => *length += 1,
                _ => runs.push((row, 1)),
            }
        });
        let now = self.org.clock.now_ms();
        self.jobs_made += 1;
        let id = Id::of(b"750", self.org.spec.pod(), self.jobs_made);
        let job = Job {
            id: id.as_str().to_owned(),
            operation,
            version: version.to_owned(),
            form,
            created_ms: now,
            changed_ms: now,
            phase: Phase::UploadComplete,
            polls: 0,
            plan: Arc::new(plan),
            runs: runs.into(),
            rows,
        };
        let told = job.summary(&self.org);
        self.jobs.push(job);
        self.job_times.retain(|at| *at > now - DAY_MS);
        self.job_times.push(now);
        Ok(Answer::json(200, &told))
    }

    /// The job with this id, asked for with the version it was made with.
    fn find_job(&self, id: &str, version: &str) -> Result<usize, ApiError> {
        let at = self
            .jobs
            .iter()
            .position(|job| job.id == id || (id.len() == 15 && job.id.starts_with(id)))
            .ok_or_else(not_found)?;
        let made_with = &self.jobs[at].version;
        if made_with == version {
            Ok(at)
        } else {
            Err(ApiError::new(
                409,
                "API_VERSION_CONFLICT",
                format!(
                    "The job was created with API version {made_with}; use it for every request of the job"
                ),
            ))
        }
    }

    /// A poll moves the job on: waiting, running, over.
    fn poll(&mut self, at: usize) {
        let now = self.org.clock.now_ms();
        let never_ends = self.faults.number("bulk_never_ends") > 0;
        let fails = self.faults.number("bulk_fails") > 0;
        let takes_ms = self
            .faults
            .text("bulk_ms")
            .and_then(|ms| ms.parse::<i64>().ok());
        let takes_polls = self.faults.number("bulk_polls").max(2);
        let job = &mut self.jobs[at];
        if job.phase.is_over() {
            return;
        }
        job.polls += 1;
        let is_due = match takes_ms {
            Some(ms) => now - job.created_ms >= ms,
            None => job.polls >= takes_polls,
        };
        let next = match (is_due && !never_ends, fails) {
            (false, _) => Phase::InProgress,
            (true, false) => Phase::JobComplete,
            (true, true) => Phase::Failed,
        };
        if next != job.phase {
            job.phase = next;
            job.changed_ms = now;
        }
    }

    fn abort_job(&mut self, id: &str, version: &str, body: &[u8]) -> Result<Answer, ApiError> {
        let at = self.find_job(id, version)?;
        let sent: Json = serde_json::from_slice(body).unwrap_or_default();
        if sent["state"] != "Aborted" {
            return Err(invalid_job(
                "state of a query job can be set to Aborted only",
            ));
        }
        if self.jobs[at].phase.is_over() {
            return Err(wrong_state("The job is over and cannot be aborted"));
        }
        self.jobs[at].phase = Phase::Aborted;
        self.jobs[at].changed_ms = self.org.clock.now_ms();
        Ok(Answer::json(200, &self.jobs[at].summary(&self.org)))
    }

    /// All of them, unless the client asks for kinds that are not made here.
    fn list_jobs(&self, request: &Request<'_>) -> Answer {
        let is_other = |name: &str, ours: &str| {
            request
                .parameter(name)
                .is_some_and(|wanted| !wanted.eq_ignore_ascii_case(ours))
        };
        let none = is_other("jobType", "V2Query") || is_other("concurrencyMode", "Parallel");
        let records: Vec<_> = self
            .jobs
            .iter()
            .filter(|_| !none)
            .map(|job| {
                let mut told = job.summary(&self.org);
                told["jobType"] = json!("V2Query");
                told
            })
            .collect();
        Answer::json(
            200,
            &json!({"done": true, "nextRecordsUrl": null, "records": records}),
        )
    }

    fn results(
        &mut self,
        id: &str,
        version: &str,
        request: &Request<'_>,
    ) -> Result<Answer, ApiError> {
        let at = self.find_job(id, version)?;
        let takes_csv = request
            .header("accept")
            .is_some_and(|accept| accept.to_ascii_lowercase().contains("text/csv"));
        if !takes_csv {
            return Err(ApiError::new(
                406,
                "NOT_ACCEPTABLE",
                "Results of a query job need the header Accept: text/csv",
            ));
        }
        let job = &self.jobs[at];
        if job.phase != Phase::JobComplete {
            return Err(wrong_state("The job is not complete; it has no results"));
        }
        if self.org.clock.now_ms() - job.changed_ms > KEPT_DAYS * DAY_MS {
            return Err(not_found());
        }
        let from = match request.parameter("locator") {
            None => 0,
            Some(locator) => URL_SAFE_NO_PAD
                .decode(&locator)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok())
                .filter(|from: &u64| *from < job.rows)
                .ok_or_else(|| {
                    ApiError::new(400, "INVALIDLOCATOR", format!("Invalid locator: {locator}"))
                })?,
        };
        let usual = match self.faults.number("bulk_page") {
            0 => PAGE_ROWS,
            rows => rows,
        };
        let asked = match request.parameter("maxRecords") {
            None => usual,
            Some(text) => text.parse().ok().filter(|rows| *rows > 0).ok_or_else(|| {
                ApiError::new(
                    400,
                    "INVALIDJOB",
                    "maxRecords is a number greater than zero",
                )
            })?,
        };
        let count = asked.min(job.rows - from);
        let until = from + count;
        let names = job.plan.column_names();
        let heading = job.form.write(|csv| {
            let _ = csv.write_record(&names);
        });
        let locator = (until < job.rows).then(|| URL_SAFE_NO_PAD.encode(until.to_string()));
        let answer = Answer {
            pieces: Some(pieces(job, from, until)),
            ..Answer::text(200, "text/csv;charset=UTF-8", heading)
        }
        .with("Sforce-NumberOfRecords", count.to_string());
        Ok(match locator {
            Some(locator) => answer.with("Sforce-Locator", locator),
            None if self.faults.number("bulk_no_last_locator") > 0 => answer,
            None => answer.with("Sforce-Locator", "null"),
        })
    }
}

/// Rows `from` to `until` of the job's result.
fn pieces(job: &Job, from: u64, until: u64) -> Pieces {
    let (plan, runs, form) = (Arc::clone(&job.plan), Arc::clone(&job.runs), job.form);
    let (mut run, mut into, mut left) = (0, from, until - from);
    while runs.get(run).is_some_and(|(_, length)| into >= *length) {
        into -= runs[run].1;
        run += 1;
    }
    Box::new(move |state: &State| {
        if left == 0 {
            return None;
        }
        let mut cell = Vec::new();
        Some(form.write(|csv| {
            for _ in 0..PIECE_ROWS.min(left) {
                let Some((first, length)) = runs.get(run) else {
                    left = 0;
                    return;
                };
                plan.each_cell(&state.org, first + into, |value| {
                    cell.clear();
                    value.write_plain(&mut cell);
                    let _ = csv.write_field(&cell);
                });
                let _ = csv.write_record(None::<&[u8]>);
                left -= 1;
                into += 1;
                if into == *length {
                    into = 0;
                    run += 1;
                }
            }
        }))
    })
}

/// What Bulk does not run although `/query` would.
fn refuse(query: &Query) -> Result<(), ApiError> {
    let refused = |message: &str| Err(ApiError::new(400, "API_ERROR", message));
    if NOT_IN_BULK
        .iter()
        .any(|name| name.eq_ignore_ascii_case(&query.from))
    {
        return Err(ApiError::new(
            400,
            "INVALIDENTITY",
            format!("Entity '{}' is not supported by the Bulk API.", query.from),
        ));
    }
    if query.is_count || query.is_aggregate() {
        return refused("Aggregate Relationships not supported in Bulk Query");
    }
    let is_children = |item: &Item| matches!(item, Item::Children(_));
    if query.select.iter().any(is_children) {
        return refused("Nested queries are not supported in Bulk Query");
    }
    if query.offset > 0 {
        return refused("OFFSET clause not supported in Bulk Query");
    }
    let is_compound = |path: &Vec<String>| {
        path.last().is_some_and(|name| {
            name == "Address" || name.ends_with("Address") && !name.ends_with("EmailAddress")
        })
    };
    let is_compound =
        |item: &Item| matches!(item, Item::Value { operand, .. } if is_compound(operand.path()));
    if query.select.iter().any(is_compound) {
        return refused("Selecting compound data not supported in Bulk Query");
    }
    Ok(())
}
