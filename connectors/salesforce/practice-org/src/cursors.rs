//! Queries and their pages: a cursor for each, dropped when there are too many or when a fault says so.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::{Answer, JSON, Request, State};
use crate::query::{ApiError, Plan};
use crate::soql;

/// Open cursors of one user; one more drops the oldest.
const OPEN_CURSORS: usize = 10;

pub(crate) struct Cursor {
    pub(crate) id: String,
    pub(crate) plan: Arc<Plan>,
    pub(crate) version: String,
    pub(crate) size: u64,
    /// Records sent before a page → where it begins. The last few, so that a page can be asked for again.
    pub(crate) pages: Vec<(u64, u64)>,
    pub(crate) served: u64,
}

impl State {
    pub(crate) fn query(
        &mut self,
        request: &Request<'_>,
        version: &str,
    ) -> Result<Answer, ApiError> {
        let text = request.parameter("q").ok_or_else(|| {
            ApiError::new(400, "MALFORMED_QUERY", "A query string has to be specified")
        })?;
        let query =
            soql::parse(&text).map_err(|error| ApiError::new(400, "MALFORMED_QUERY", error.0))?;
        let plan = Arc::new(Plan::new(&self.org, query)?);
        if plan.is_count() {
            let total = plan.total + self.faults.number("lie_total");
            return Ok(Answer::json(
                200,
                &json!({"totalSize": total, "done": true, "records": []}),
            ));
        }
        let size = request
            .header("sforce-query-options")
            .and_then(|value| value.split_once("batchSize=")?.1.trim().parse().ok())
            .unwrap_or(2000u64)
            .clamp(200, 2000);
        let id = format!("01g{}", &self.mint("cursor")[..15]);
        let start = plan.first();
        self.cursors.push(Cursor {
            id: id.clone(),
            plan,
            version: version.to_owned(),
            size,
            pages: vec![(0, start)],
            served: 0,
        });
        if self.cursors.len() > OPEN_CURSORS {
            self.cursors.remove(0);
        }
        self.page(&id, 0)
    }

    pub(crate) fn query_more(&mut self, locator: &str) -> Result<Answer, ApiError> {
        let (id, sent) = locator
            .rsplit_once('-')
            .and_then(|(id, sent)| Some((id, sent.parse().ok()?)))
            .unwrap_or((locator, 0));
        self.page(id, sent)
    }

    pub(crate) fn page(&mut self, id: &str, sent: u64) -> Result<Answer, ApiError> {
        let gone = || ApiError::new(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
        let expire_after = self.faults.number("cursor_expire_after");
        let at = self
            .cursors
            .iter()
            .position(|cursor| cursor.id == id)
            .ok_or_else(gone)?;
        if expire_after > 0 && self.cursors[at].served >= expire_after {
            self.cursors.remove(at);
            return Err(gone());
        }
        let cursor = &self.cursors[at];
        let start = cursor
            .pages
            .iter()
            .find(|(before, _)| *before == sent)
            .ok_or_else(gone)?
            .1;
        let page = cursor
            .plan
            .page(&self.org, start, sent, cursor.size, &cursor.version);
        let after = sent + page.count;
        let next = page.next.map(|_| {
            match (
                self.faults.text("evil_next"),
                self.faults.number("loop_next"),
            ) {
                (Some(evil), _) => evil.to_owned(),
                (None, 0) => format!("/services/data/{}/query/{id}-{after}", cursor.version),
                (None, _) => format!("/services/data/{}/query/{id}-{sent}", cursor.version),
            }
        });
        let total = cursor.plan.total + self.faults.number("lie_total");
        let mut body = format!("{{\"totalSize\":{total},\"done\":{}", next.is_none()).into_bytes();
        if let Some(next) = &next {
            body.extend_from_slice(
                format!(",\"nextRecordsUrl\":{}", Value::String(next.clone())).as_bytes(),
            );
        }
        body.extend_from_slice(b",\"records\":[");
        body.extend_from_slice(&page.records);
        body.extend_from_slice(b"]}");
        let cursor = &mut self.cursors[at];
        cursor.served += 1;
        if let Some(row) = page.next {
            cursor.pages.retain(|(before, _)| *before != after);
            cursor.pages.push((after, row));
            let extra = cursor.pages.len().saturating_sub(4);
            cursor.pages.drain(..extra);
        }
        Ok(Answer::text(200, JSON, body))
    }
}
