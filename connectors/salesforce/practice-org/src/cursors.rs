//! Queries and their pages: a cursor for each, dropped when there are too many or when a fault says so.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::{Answer, JSON, Request, State};
use crate::clock::DAY_MS;
use crate::query::{ApiError, Plan, release};
use crate::soql::{self, DateSpan, Expr, Literal, Op, Query};

/// Open cursors of one user; one more drops the oldest.
const OPEN_CURSORS: usize = 10;
/// How long a cursor lives.
const CURSOR_MS: i64 = 2 * DAY_MS;

#[derive(Clone)]
pub(crate) struct Cursor {
    pub(crate) id: String,
    pub(crate) plan: Arc<Plan>,
    pub(crate) version: String,
    pub(crate) size: u64,
    /// Records sent before a page → where it begins. The last few, so that a page can be asked for again.
    pub(crate) pages: Vec<(u64, u64)>,
    pub(crate) served: u64,
    pub(crate) opened_ms: i64,
    /// Whose it is: each user has their own.
    pub(crate) owner: Option<u64>,
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
        let timeout = || {
            ApiError::new(
                400,
                "QUERY_TIMEOUT",
                "Your query request was running for too long.",
            )
        };
        let days = self.faults.number("timeout_days");
        if days > 0 && is_wider(&query, days, self.org.clock.now_ms()) {
            return Err(timeout());
        }
        let plan = if request.path.ends_with("/queryAll") {
            Plan::all(&self.org, query, release(version))?
        } else {
            Plan::at(&self.org, query, release(version))?
        };
        let rows = self.faults.number("timeout_rows");
        if rows > 0 && plan.total > rows {
            return Err(timeout());
        }
        let plan = Arc::new(plan);
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
        let now = self.org.clock.now_ms();
        self.cursors.push(Cursor {
            id: id.clone(),
            plan,
            version: version.to_owned(),
            size,
            pages: vec![(0, start)],
            served: 0,
            opened_ms: now,
            owner: self.org.running_user(),
        });
        let answer = self.page(&id, 0);
        // An answer that is whole needs no cursor.
        if self
            .cursors
            .last()
            .is_some_and(|cursor| cursor.id == id && cursor.pages.len() < 2)
        {
            self.cursors.pop();
        }
        self.cursors
            .retain(|cursor| now - cursor.opened_ms < CURSOR_MS);
        let owner = self.org.running_user();
        let is_own = |cursor: &Cursor| cursor.owner == owner;
        if self.cursors.iter().filter(|cursor| is_own(cursor)).count() > OPEN_CURSORS
            && let Some(oldest) = self.cursors.iter().position(is_own)
        {
            self.cursors.remove(oldest);
        }
        answer
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
        let now = self.org.clock.now_ms();
        let owner = self.org.running_user();
        let at = self
            .cursors
            .iter()
            .position(|cursor| {
                cursor.id == id && cursor.owner == owner && now - cursor.opened_ms < CURSOR_MS
            })
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

/// Whether a query that asks for moments, or for logins, asks for a stretch that is open at its start or wider than this.
fn is_wider(query: &Query, days: u64, now_ms: i64) -> bool {
    let mut bounds = Bounds::default();
    if let Some(filter) = &query.filter {
        bounds.of(filter, now_ms);
    }
    let widest = i64::try_from(days)
        .unwrap_or(i64::MAX)
        .saturating_mul(DAY_MS);
    match (bounds.from, bounds.until) {
        (None, None) => query.from.eq_ignore_ascii_case("LoginHistory"),
        (None, Some(_)) => true,
        (Some(from), until) => until.unwrap_or(now_ms).saturating_sub(from) > widest,
    }
}

/// The stretch of time that every row has to lie in.
#[derive(Default)]
struct Bounds {
    from: Option<i64>,
    until: Option<i64>,
}

impl Bounds {
    fn of(&mut self, filter: &Expr, now_ms: i64) {
        match filter {
            Expr::And(parts) => parts.iter().for_each(|part| self.of(part, now_ms)),
            Expr::Compare { op, value, .. } => {
                let at = match value {
                    Literal::Moment(ms) => *ms,
                    Literal::Day(days) => days * DAY_MS,
                    Literal::Span(DateSpan::LastDays, days) => {
                        (now_ms.div_euclid(DAY_MS) - days) * DAY_MS
                    }
                    _ => return,
                };
                if matches!(op, Op::Gt | Op::Ge | Op::Eq) {
                    self.from = Some(self.from.map_or(at, |from| from.max(at)));
                }
                if matches!(op, Op::Lt | Op::Le | Op::Eq) {
                    self.until = Some(self.until.map_or(at, |until| until.min(at)));
                }
            }
            _ => {}
        }
    }
}
