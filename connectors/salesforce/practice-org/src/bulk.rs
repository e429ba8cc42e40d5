//! Bulk API 2.0 query jobs: made, polled, read as CSV, aborted and deleted (salesforce.md §2.7).
//!
//! A job remembers which rows its query found when it was made, as runs of row numbers, so that every page of the result is exact and
//! any page can be read again; the rows themselves are written while they are sent. It moves on with each poll, or with the org's
//! clock where the fault `bulk_ms` says how long it takes.

mod results;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::api::{Answer, Request, State};
use crate::clock::{self, DAY_MS};
use crate::ids::Id;
use crate::org::Org;
use crate::query::{ApiError, Plan, release};
use crate::schema::Object;
use crate::soql::{self, Item, Query};
use results::Form;

/// Jobs of a rolling 24 hours (`DailyBulkV2QueryJobs`).
pub(crate) const JOBS_PER_DAY: u64 = 10_000;

/// Objects that Salesforce has but does not let Bulk read.
const NOT_IN_BULK: &[&str] = &[
    "CaseStatus",
    "LoginEvent",
    "TaskPriority",
    "TaskStatus",
    "UserPermissionAccess",
    "UserRecordAccess",
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

/// A query job.
#[derive(Clone)]
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
        let plan = if operation == "queryAll" {
            Plan::all(&self.org, query, release(version))?
        } else {
            Plan::at(&self.org, query, release(version))?
        };
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
