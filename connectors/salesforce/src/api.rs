//! Reading from one org: versioned paths, answers checked, the vendor's limit noted, cursors followed safely.

use std::cell::Cell;

use seatwise_connector_sdk::{
    Answer, Call, Failure, Method, Request, Usage, bindings::seatwise::connector::http::Header,
    failure, json,
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    errors,
    model::{QueryPage, Text},
    soql,
};

/// Rows a page should have. A hint: Salesforce sends fewer where rows are wide.
const BATCH_SIZE: &str = "batchSize=2000";
/// Pages one small query may take before it is called endless; each holds at least 200 rows.
const SMALL_QUERY_PAGES: usize = 50;

/// The origin in the manifest.
pub const INSTANCE: &str = "instance";

/// Read access to one org at one API version.
pub struct Api<'a> {
    call: &'a Call<'a>,
    version: &'a str,
    usage: Cell<Option<Usage>>,
}

impl<'a> Api<'a> {
    /// `version` without its `v`.
    pub fn new(call: &'a Call<'a>, version: &'a str) -> Self {
        Self {
            call,
            version,
            usage: Cell::new(None),
        }
    }

    /// The limit as last told by an answer.
    pub fn usage(&self) -> Option<Usage> {
        self.usage.get()
    }

    /// A GET whose answer is data.
    ///
    /// # Errors
    /// What [`errors::of`] makes of any other answer.
    pub fn get(&self, path: &str) -> Result<Answer, Failure> {
        let answer = self
            .call
            .get(INSTANCE, path)
            .header("Accept", "application/json")
            .header("Sforce-Query-Options", BATCH_SIZE)
            .send()?;
        self.checked(answer)
    }

    /// A path below `/services/data/vNN.N/` whose answer is CSV.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn get_csv(&self, rest: &str) -> Result<Answer, Failure> {
        let answer = self
            .call
            .get(INSTANCE, format!("/services/data/v{}/{rest}", self.version))
            .header("Accept", "text/csv")
            .send()?;
        self.checked(answer)
    }

    /// A POST below `/services/data/vNN.N/` that reads: the manifest lists which.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn post(&self, rest: &str, body: Vec<u8>) -> Result<Answer, Failure> {
        let header = |name: &str, value: &str| Header {
            name: name.to_owned(),
            value: value.as_bytes().to_vec(),
        };
        let answer = self.call.send(Request {
            method: Method::Post,
            origin: INSTANCE.to_owned(),
            path_with_query: format!("/services/data/v{}/{rest}", self.version),
            headers: vec![
                header("Accept", "application/json"),
                header("Content-Type", "application/json"),
            ],
            body: Some(body),
        })?;
        self.checked(answer)
    }

    /// Notes the limit, and takes 200 with data for an answer.
    fn checked(&self, answer: Answer) -> Result<Answer, Failure> {
        if let Some(usage) = answer.header("sforce-limit-info").and_then(limit_info) {
            self.usage.set(Some(usage));
        }
        if answer.status() == 200 && !answer.is_html() {
            Ok(answer)
        } else {
            Err(errors::of(&answer))
        }
    }

    /// A path below `/services/data/vNN.N/`.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn get_versioned(&self, rest: &str) -> Result<Answer, Failure> {
        self.get(&format!("/services/data/v{}/{rest}", self.version))
    }

    /// First page of a query.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn query(&self, soql: &str) -> Result<Answer, Failure> {
        self.get(&soql::path(self.version, soql))
    }

    /// All rows of a query that is known to be small.
    ///
    /// # Errors
    /// As [`Api::get`], and `malformed` for a cursor that does not end.
    pub fn rows<T: DeserializeOwned>(&self, soql: &str) -> Result<Vec<T>, Failure> {
        let mut answer = self.query(soql)?;
        let mut used = String::new();
        let mut rows = Vec::new();
        for _ in 0..SMALL_QUERY_PAGES {
            let page: QueryPage<'_, T> = json::parse(answer.body())?;
            let next = next_locator(page.done, page.next_records_url.as_ref(), &used)?;
            rows.extend(page.records);
            let Some(next) = next else {
                return Ok(rows);
            };
            answer = self.get(&next)?;
            used = next;
        }
        Err(failure::malformed(
            "endless_query",
            "A small query did not end",
        ))
    }

    /// `SELECT COUNT() …`.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn count(&self, soql: &str) -> Result<u64, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Count {
            total_size: u64,
        }
        Ok(json::parse::<Count>(self.query(soql)?.body())?.total_size)
    }
}

/// The locator to follow after a page; `None` where the query has ended.
///
/// # Errors
/// `malformed`: `missing_locator` where the page says there is more and not where, `foreign_locator` where it points
/// anywhere but to the query resource of the same origin, `repeated_locator` where it points to the page just read.
pub fn next_locator(
    done: bool,
    next: Option<&Text<'_>>,
    used: &str,
) -> Result<Option<String>, Failure> {
    next_path(done, next.map(|next| next.as_str().to_owned()), used)
}

/// See [`next_locator`].
///
/// # Errors
/// As [`next_locator`].
pub fn next_path(done: bool, next: Option<String>, used: &str) -> Result<Option<String>, Failure> {
    if done {
        return Ok(None);
    }
    let Some(next) = next else {
        return Err(failure::malformed(
            "missing_locator",
            "Salesforce says that there are more rows and not where",
        ));
    };
    if !is_query_locator(&next) {
        return Err(failure::malformed(
            "foreign_locator",
            "The next page is said to be somewhere else than in this org's query resource; it was not followed",
        ));
    }
    if next == used {
        return Err(failure::malformed(
            "repeated_locator",
            "The next page is said to be the page just read",
        ));
    }
    Ok(Some(next))
}

/// `/services/data/vNN.N/query/LOCATOR` with nothing in it that could lead elsewhere.
fn is_query_locator(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("/services/data/v") else {
        return false;
    };
    let Some((version, rest)) = rest.split_once('/') else {
        return false;
    };
    let Some(locator) = rest.strip_prefix("query/") else {
        return false;
    };
    !version.is_empty()
        && version
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
        && !locator.is_empty()
        && locator
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// `api-usage=18/5000`, used before limit, perhaps followed by `; per-app-api-usage=17/250(appName=x)`. Lenient: what is
/// not understood is no usage, never an error.
pub fn limit_info(header: &str) -> Option<Usage> {
    let usage = header
        .split(';')
        .find_map(|part| part.trim().strip_prefix("api-usage="))?;
    let (used, limit) = usage.split_once('/')?;
    let digits = limit.trim().bytes().take_while(u8::is_ascii_digit).count();
    Some(Usage {
        used: used.trim().parse().ok()?,
        limit: limit.trim()[..digits].parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a17_limit_info_is_read_leniently_and_used_comes_first() {
        let usage = |header: &str| limit_info(header).map(|usage| (usage.used, usage.limit));
        assert_eq!(usage("api-usage=18/5000"), Some((18, 5000)));
        assert_eq!(
            usage("api-usage=25/5000; per-app-api-usage=17/250(appName=sample-app)"),
            Some((25, 5000))
        );
        assert_eq!(
            usage("per-app-api-usage=17/250(appName=x); api-usage=25/5000"),
            Some((25, 5000))
        );
        assert_eq!(usage(" api-usage=25 / 5000 (x)"), Some((25, 5000)));
        for header in [
            "",
            "per-app-api-usage=17/250(appName=x)",
            "api-usage=",
            "api-usage=a/b",
            "api-usage=1",
        ] {
            assert_eq!(usage(header), None, "{header}");
        }
    }

    #[test]
    fn only_a_locator_of_the_query_resource_is_followed() {
        for path in [
            "http://169.254.169.254/services/data/v62.0/query/01g-2000",
            "//evil.example/services/data/v62.0/query/01g-2000",
            "/services/data/v62.0/query/../sobjects/User",
            "/services/data/v62.0/query/",
            "/services/data/v62.0/query?q=SELECT+Id+FROM+Contact",
            "/services/data/v62.0/queryAll/01g-2000",
            "/services/data/v62.0/composite/batch",
            "/services/data/v6x.0/query/01g-2000",
            "/services/data/v/query/01g-2000",
            "/services/data/v62.0/query/01g-2000?x=1",
            "/services/data/v62.0/query/01g/2000",
            "",
        ] {
            assert!(!is_query_locator(path), "{path}");
        }
        assert!(is_query_locator(
            "/services/data/v62.0/query/01g5e00000Zz_Ab-2000"
        ));
    }
}
