//! The day's API requests, what `Sforce-Limit-Info` and `/limits` say of them, and how long a request may be (salesforce.md §2.4).
//!
//! Requests are counted per minute of the org's clock and leave the count 24 hours later.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::api::{Answer, Request, State};
use crate::bulk::JOBS_PER_DAY;
use crate::clock::DAY_MS;
use crate::query::ApiError;

/// Bytes of an address, and of an address with its headers.
const LONGEST: usize = 16_384;
const MINUTE_MS: i64 = 60_000;

/// Requests of the last 24 hours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// Minute and how many, oldest first.
    minutes: VecDeque<(i64, u64)>,
    total: u64,
}

impl Usage {
    pub(crate) fn count(&mut self, now_ms: i64) {
        self.age(now_ms);
        let minute = now_ms.div_euclid(MINUTE_MS);
        match self.minutes.back_mut() {
            Some((last, count)) if *last == minute => *count += 1,
            _ => self.minutes.push_back((minute, 1)),
        }
        self.total += 1;
    }

    /// As if this many had just been made.
    pub(crate) fn set(&mut self, now_ms: i64, used: u64) {
        self.minutes = VecDeque::from([(now_ms.div_euclid(MINUTE_MS), used)]);
        self.total = used;
    }

    pub(crate) fn used(&mut self, now_ms: i64) -> u64 {
        self.age(now_ms);
        self.total
    }

    fn age(&mut self, now_ms: i64) {
        let since = (now_ms - DAY_MS).div_euclid(MINUTE_MS);
        while let Some((minute, count)) = self.minutes.front().copied()
            && minute <= since
        {
            self.total -= count;
            self.minutes.pop_front();
        }
    }
}

impl State {
    /// Requests of the last 24 hours.
    pub(crate) fn api_used(&mut self) -> u64 {
        let now = self.org.clock.now_ms();
        self.usage.used(now)
    }

    pub(crate) fn set_api_used(&mut self, used: u64) {
        let now = self.org.clock.now_ms();
        self.usage.set(now, used);
    }

    /// Counts a request, or refuses it when the day's are used up.
    pub(crate) fn count_request(&mut self) -> Result<(), ApiError> {
        let limit_after = self.faults.number("limit_after");
        let is_over = self.api_used() >= self.org.spec.api_limit
            || (limit_after > 0 && self.calls > limit_after);
        if is_over {
            return Err(ApiError::new(
                403,
                "REQUEST_LIMIT_EXCEEDED",
                "TotalRequests Limit exceeded.",
            ));
        }
        let now = self.org.clock.now_ms();
        self.usage.count(now);
        Ok(())
    }

    /// Adds `Sforce-Limit-Info` in the form that the fault `limit_info` asks for.
    pub(crate) fn with_limit_info(&mut self, answer: Answer) -> Answer {
        let (used, limit) = (self.api_used(), self.org.spec.api_limit);
        match self.faults.text("limit_info") {
            Some("none") => answer,
            Some("per-app") => answer.with(
                "Sforce-Limit-Info",
                format!(
                    "api-usage={used}/{limit}; per-app-api-usage={used}/250(appName=sample-app)"
                ),
            ),
            _ => answer.with("Sforce-Limit-Info", format!("api-usage={used}/{limit}")),
        }
    }

    pub(crate) fn limits(&mut self) -> Result<Answer, ApiError> {
        if !self.org.rights.view_setup {
            return Err(ApiError::new(
                403,
                "INSUFFICIENT_ACCESS",
                "insufficient access rights on cross-reference id",
            ));
        }
        let max = self.org.spec.api_limit;
        let left = max.saturating_sub(self.api_used());
        let unused = |max: u64| json!({"Max": max, "Remaining": max});
        let mut told = json!({
            "ConcurrentAsyncGetReportInstances": unused(200),
            "DailyApiRequests": {"Max": max, "Remaining": left, "sample-app": {"Max": 0, "Remaining": 0}, "Dataloader Partner": {"Max": 0, "Remaining": 0}},
            "DailyAsyncApexExecutions": unused(250_000),
            "DailyBulkApiBatches": unused(15_000),
            "DailyBulkV2QueryFileStorageMB": unused(976_562),
            "DailyBulkV2QueryJobs": {"Max": JOBS_PER_DAY, "Remaining": self.jobs_left()},
            "HourlyAsyncReportRuns": unused(1_200),
            "MassEmail": unused(5_000),
        });
        if self.org.rights.manage_users {
            told["DataStorageMB"] = unused(10_240);
            told["FileStorageMB"] = unused(10_240);
        }
        Ok(Answer::json(200, &told))
    }
}

/// Refuses an address, or an address with headers, over what Salesforce reads.
pub(crate) fn too_long(request: &Request<'_>) -> Option<Answer> {
    let address = request.path.len() + 1 + request.query.len();
    let headers: usize = request
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    let refuse = |status, code, message: &str| {
        Some(Answer::json(
            status,
            &Value::from(vec![json!({"message": message, "errorCode": code})]),
        ))
    };
    if address > LONGEST {
        refuse(
            414,
            "URI_TOO_LONG",
            "The length of the URI exceeds the 16,384-byte limit",
        )
    } else if address + headers > LONGEST {
        refuse(
            431,
            "REQUEST_HEADER_FIELDS_TOO_LARGE",
            "The combined length of the URI and headers exceeds the 16,384-byte limit",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_leaves_the_count_a_day_later() {
        let mut usage = Usage::default();
        for minute in 0..10 {
            usage.count(minute * MINUTE_MS);
        }
        assert_eq!(usage.used(10 * MINUTE_MS), 10);
        assert_eq!(usage.used(DAY_MS + 4 * MINUTE_MS), 5);
        assert_eq!(usage.used(2 * DAY_MS), 0);
        usage.set(3 * DAY_MS, 7);
        usage.count(3 * DAY_MS);
        assert_eq!(usage.used(3 * DAY_MS), 8);
        assert_eq!(usage.used(4 * DAY_MS), 0);
    }
}
