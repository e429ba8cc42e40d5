//! What can be made to go wrong, and when. Deterministic: rates are drawn from the seed and the call's number.

use std::fmt;

use crate::login;

/// Knobs, all off by default. `per mille` knobs are out of 1000 calls; `every` knobs hit each n-th call.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Faults {
    values: std::collections::BTreeMap<String, String>,
}

/// Name, what it does.
pub const KNOBS: &[(&str, &str)] = &[
    (
        "rate_503",
        "per mille of data calls answered 503 SERVER_UNAVAILABLE",
    ),
    ("rate_429", "per mille answered 429 with Retry-After: 1"),
    ("rate_500", "per mille answered 500 UNKNOWN_EXCEPTION"),
    ("drop_every", "closes the connection without an answer"),
    ("truncate_every", "cuts the body in the middle"),
    ("malformed_every", "answers 200 with broken JSON"),
    ("html_every", "answers 200 with an HTML page"),
    ("slow_every", "waits slow_ms before the answer"),
    ("slow_ms", "milliseconds for slow_every"),
    ("hang_every", "accepts and never answers"),
    ("expire_after", "each token dies after n data calls"),
    (
        "token_invalid_grant",
        "1: the token endpoint refuses with invalid_grant",
    ),
    ("token_503", "1: the token endpoint answers 503"),
    (
        "token_retry_every",
        "each n-th token request is answered retry_request",
    ),
    (
        "token_error",
        "the token endpoint answers this refusal, such as rate_limit; a name that is none is answered with the list",
    ),
    (
        "session_refused",
        "each data call is answered 401 with a text that no new token cures: rest, agent or blacktab",
    ),
    ("limit_after", "REQUEST_LIMIT_EXCEEDED after n data calls"),
    (
        "concurrent_limit",
        "n: more data calls than that at one time are refused with REQUEST_LIMIT_EXCEEDED, not only long ones over 25",
    ),
    (
        "limit_info",
        "per-app or none: the form of Sforce-Limit-Info instead of the plain one",
    ),
    (
        "error",
        "an error code or status of the error tables: the answer of each data call; MULTIPLE_API_ERRORS for two at once",
    ),
    ("error_every", "error hits each n-th data call only"),
    ("error_on", "error hits addresses with this text only"),
    (
        "write_error",
        "an error code of the error tables: the refusal of each record that is written",
    ),
    (
        "timeout_days",
        "n: QUERY_TIMEOUT for queries whose range of time is open or wider than n days",
    ),
    (
        "timeout_rows",
        "n: QUERY_TIMEOUT for queries that find more than n rows",
    ),
    (
        "api_used",
        "share of the day's API requests that is used up at the start, such as 0.75",
    ),
    ("cursor_expire_after", "a query cursor dies after n pages"),
    ("loop_next", "1: nextRecordsUrl points to its own page"),
    ("evil_next", "nextRecordsUrl is this text"),
    (
        "evil_instance",
        "instance_url of the token answer is this text",
    ),
    (
        "lie_total",
        "n: totalSize and COUNT() say n more than there are",
    ),
    (
        "hide_percent",
        "n: that share of the made-up users is not visible",
    ),
    (
        "lose_write_reply_every",
        "applies the write, then closes the connection",
    ),
    (
        "patch_fail_every",
        "n: refuses every n-th write with UNABLE_TO_LOCK_ROW",
    ),
    (
        "bulk_polls",
        "n: a query job is complete at its n-th poll instead of the second",
    ),
    (
        "bulk_ms",
        "n: a query job is complete n milliseconds of the org's clock after it was made",
    ),
    ("bulk_fails", "1: query jobs end as Failed"),
    ("bulk_never_ends", "1: query jobs stay InProgress"),
    (
        "bulk_page",
        "n: a result page has no more rows than that, whatever maxRecords says",
    ),
    (
        "bulk_no_last_locator",
        "1: the last result page has no Sforce-Locator instead of null",
    ),
    (
        "bulk_jobs_used",
        "n: that many of the day's query jobs are used up",
    ),
    ("seed", "for the rates"),
];

/// A spec that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultsError {
    /// Not `name=value`.
    #[error("`{0}` is not of the form name=value")]
    Form(String),
    /// No such knob.
    #[error("there is no fault `{0}`; the faults are {1}")]
    Unknown(String, String),
    /// A value that would do nothing.
    #[error("the fault `{0}` cannot be `{1}`; it can be {2}")]
    Value(String, String, String),
}

impl Faults {
    /// Reads `rate_503=30,drop_every=20`.
    ///
    /// # Errors
    /// [`FaultsError`] naming the part that is wrong and what there is.
    pub fn parse(spec: &str) -> Result<Self, FaultsError> {
        let mut faults = Self::default();
        for part in spec
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| FaultsError::Form(part.to_owned()))?;
            if !KNOBS.iter().any(|(known, _)| *known == name) {
                let known: Vec<_> = KNOBS.iter().map(|(known, _)| *known).collect();
                return Err(FaultsError::Unknown(name.to_owned(), known.join(", ")));
            }
            let values = login::fault_values(name);
            if let Some(values) = values.filter(|values| !values.contains(&value)) {
                let (name, value) = (name.to_owned(), value.to_owned());
                return Err(FaultsError::Value(name, value, values.join(", ")));
            }
            faults.values.insert(name.to_owned(), value.to_owned());
        }
        Ok(faults)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        self.text(name)
            .and_then(|value| value.parse().ok())
            .unwrap_or(0)
    }

    pub(crate) fn share(&self, name: &str) -> Option<f64> {
        self.text(name).and_then(|value| value.parse().ok())
    }

    /// Whether this call is the n-th for an `every` knob.
    pub(crate) fn hits_every(&self, name: &str, call: u64) -> bool {
        let every = self.number(name);
        every > 0 && call.is_multiple_of(every)
    }

    /// Whether the rate hits this call.
    pub(crate) fn hits_rate(&self, name: &str, call: u64) -> bool {
        let mut z = self.number("seed")
            ^ call.wrapping_mul(0x9E37_79B9_7F4A_7C15)
            ^ (name.len() as u64) << 7
            ^ u64::from(name.as_bytes()[name.len() - 1]);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % 1000 < self.number(name)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self
            .values
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        f.write_str(&parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_reads_back_and_an_unknown_fault_names_the_known_ones() {
        let faults = Faults::parse("rate_503=30, drop_every=20").unwrap();
        assert_eq!(Faults::parse(&faults.to_string()), Ok(faults));
        assert!(
            Faults::parse("rate_504=1")
                .unwrap_err()
                .to_string()
                .contains("rate_503")
        );
        assert!(Faults::parse("rate_503").is_err());
        let told = Faults::parse("token_error=rate").unwrap_err().to_string();
        assert!(told.contains("rate_limit"), "{told}");
    }

    #[test]
    fn rates_are_about_what_they_say() {
        let faults = Faults::parse("rate_503=30").unwrap();
        let hits = (0..100_000)
            .filter(|call| faults.hits_rate("rate_503", *call))
            .count();
        assert!((2_500..3_500).contains(&hits), "{hits}");
    }
}
