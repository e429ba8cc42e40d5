//! Results of a complete job: CSV in pages with locators, each row written when it is sent.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use csv::{QuoteStyle, Terminator, WriterBuilder};
use serde_json::Value as Json;

use super::{Job, Phase, invalid_job, not_found, wrong_state};
use crate::api::{Answer, Pieces, Request, State};
use crate::clock::DAY_MS;
use crate::query::ApiError;

/// Rows of one result page where the client names no `maxRecords`.
const PAGE_ROWS: u64 = 100_000;
/// Rows written between two looks at the network.
const PIECE_ROWS: u64 = 2_000;
/// Days that results are kept.
const KEPT_DAYS: i64 = 7;

const DELIMITERS: &[(&str, u8)] = &[
    ("COMMA", b','),
    ("BACKQUOTE", b'`'),
    ("CARET", b'^'),
    ("PIPE", b'|'),
    ("SEMICOLON", b';'),
    ("TAB", b'\t'),
];

/// How a result is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) delimiter: (&'static str, u8),
    pub(super) is_crlf: bool,
}

impl Form {
    pub(super) fn of(sent: &Json) -> Result<Self, ApiError> {
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

impl State {
    pub(super) fn results(
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
        let most = match self.faults.number("bulk_page") {
            0 => u64::MAX,
            rows => rows,
        };
        let asked = match request.parameter("maxRecords") {
            None => PAGE_ROWS,
            Some(text) => text
                .parse()
                .ok()
                .filter(|rows| *rows > 0)
                .ok_or_else(|| invalid_job("maxRecords is a number greater than zero"))?,
        };
        let count = asked.min(most).min(job.rows - from);
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
