//! The ways out of the sandbox: requests to declared origins, and the log.
//!
//! Both are traits, so that connector code is tested natively; inside a component [`Host`] is the only implementation.
//! The connector never sees a URL or a credential: it names an origin of its manifest and a path on it.
//!
//! A GET that met passing trouble in the middle of a call is asked again at once: see [`Call`].

use std::cell::Cell;

pub use crate::bindings::seatwise::connector::http::{Method, Request, Response};
use crate::{Context, Failure, FailureKind, Level, bindings::seatwise::connector::http::Header};

/// GETs of one call that are asked again: enough for trouble that is over at once, too few to trouble a vendor that is down.
const REPEATS: u8 = 2;
/// The host's words for a connection that was not made or did not last.
const LOST_CONNECTION: [&str; 2] = ["connect", "cut_body"];

/// Sends one read request. Implemented by the host's import and by the test kit.
pub trait Http {
    /// # Errors
    /// A [`Failure`] where no answer came: refused by the guard, cut, timed out, over quota. An answer with any status is
    /// `Ok`.
    fn send(&self, request: Request) -> Result<Response, Failure>;
}

/// Where log records go.
pub trait Log {
    /// Never a name, an address, a body or a secret: ids and counts only.
    fn emit(&self, level: Level, message: &str, fields: &[(String, String)]);
}

/// The imports of the component.
#[cfg(target_arch = "wasm32")]
pub(crate) struct Host;

#[cfg(target_arch = "wasm32")]
impl Http for Host {
    fn send(&self, request: Request) -> Result<Response, Failure> {
        crate::bindings::seatwise::connector::http::send(&request)
    }
}

#[cfg(target_arch = "wasm32")]
impl Log for Host {
    fn emit(&self, level: Level, message: &str, fields: &[(String, String)]) {
        crate::bindings::seatwise::connector::log::emit(level, message, fields);
    }
}

/// One call of the host: its context and the ways out.
///
/// A call that fails is made again by the host, from its first request on. So that one lost answer does not cost all requests
/// before it, a GET whose connection was lost, or that was answered 503, is asked again at once: only where the call has had an
/// answer already, twice in a call at most, and not where the vendor says how long to wait. A guest cannot wait; all other
/// trouble is the host's, which can.
pub struct Call<'a> {
    /// Clock, settings, scopes and memo.
    pub ctx: &'a Context,
    http: &'a dyn Http,
    log: &'a dyn Log,
    has_answer: Cell<bool>,
    repeats: Cell<u8>,
}

impl<'a> Call<'a> {
    /// For tests; inside a component the glue makes it.
    pub fn new(ctx: &'a Context, http: &'a dyn Http, log: &'a dyn Log) -> Self {
        Self {
            ctx,
            http,
            log,
            has_answer: Cell::new(false),
            repeats: Cell::new(0),
        }
    }

    /// A GET on an origin of the manifest; the path starts with exactly one `/`.
    pub fn get(&self, origin: &str, path_with_query: impl Into<String>) -> RequestBuilder<'_> {
        RequestBuilder {
            call: self,
            request: Request {
                method: Method::Get,
                origin: origin.to_owned(),
                path_with_query: path_with_query.into(),
                headers: Vec::new(),
                body: None,
            },
        }
    }

    /// Any declared read operation.
    ///
    /// # Errors
    /// See [`Http::send`].
    pub fn send(&self, request: Request) -> Result<Answer, Failure> {
        let mut told = self.http.send(request.clone());
        while request.method == Method::Get
            && self.has_answer.get()
            && self.repeats.get() < REPEATS
            && is_over_at_once(&told)
        {
            self.repeats.set(self.repeats.get() + 1);
            self.log(Level::Info, "a request is asked again at once", &[]);
            told = self.http.send(request.clone());
        }
        if told.is_ok() {
            self.has_answer.set(true);
        }
        told.map(Answer::new)
    }

    /// Writes a record to the host's log.
    pub fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let fields: Vec<(String, String)> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        self.log.emit(level, message, &fields);
    }
}

/// Whether asking again at once may help: the vendor was out of reach, or busy without saying for how long.
fn is_over_at_once(told: &Result<Response, Failure>) -> bool {
    match told {
        Ok(response) => {
            let says_when = response
                .headers
                .iter()
                .any(|header| header.name.eq_ignore_ascii_case("retry-after"));
            response.status == 503 && !says_when
        }
        Err(failure) => {
            failure.kind == FailureKind::Transient
                && failure.retry_after_ms.is_none()
                && LOST_CONNECTION.contains(&failure.code.as_str())
        }
    }
}

/// A request being put together.
pub struct RequestBuilder<'a> {
    call: &'a Call<'a>,
    request: Request,
}

impl RequestBuilder<'_> {
    /// Adds a header. The host drops any that could carry a credential or change the framing.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request.headers.push(Header {
            name: name.to_owned(),
            value: value.as_bytes().to_vec(),
        });
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// See [`Http::send`].
    pub fn send(self) -> Result<Answer, Failure> {
        self.call.send(self.request)
    }
}

/// An answer, with the look-ups every connector needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer(Response);

impl Answer {
    /// Wraps what the host handed over.
    pub fn new(response: Response) -> Self {
        Self(response)
    }

    /// HTTP status.
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.0.status)
    }

    /// The body, already decompressed by the host.
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// First header of that name, whatever its case; `None` too where it is not UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .and_then(|header| std::str::from_utf8(&header.value).ok())
    }

    /// Whether this is an HTML page, as maintenance pages and edge errors are: by its content type, and by its first
    /// byte only where no content type was sent.
    pub fn is_html(&self) -> bool {
        match self.header("content-type") {
            Some(kind) => kind
                .trim_start()
                .get(..9)
                .is_some_and(|start| start.eq_ignore_ascii_case("text/html")),
            None => self.body().iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<'),
        }
    }

    /// `Retry-After` in milliseconds, where it is a number of seconds. A date is ignored: the guest's clock is the
    /// host's, not the vendor's, and the host has its own back-off.
    pub fn retry_after_ms(&self) -> Option<u64> {
        let seconds: u64 = self.header("retry-after")?.trim().parse().ok()?;
        seconds.checked_mul(1000)
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters; for one query value or one path segment.
pub fn percent_encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{Bench, Scripted, ScriptedHttp};

    fn answer(headers: &[(&str, &str)], body: &str) -> Answer {
        Answer::new(Response {
            status: 200,
            headers: headers
                .iter()
                .map(|(name, value)| Header {
                    name: (*name).to_owned(),
                    value: value.as_bytes().to_vec(),
                })
                .collect(),
            body: body.as_bytes().to_vec(),
        })
    }

    #[test]
    fn html_is_told_by_content_type_and_only_then_by_the_first_byte() {
        assert!(answer(&[("Content-Type", "text/html; charset=utf-8")], "{}").is_html());
        assert!(!answer(&[("content-type", "application/json")], "<html>").is_html());
        assert!(answer(&[], "  \n<!doctype html>").is_html());
        assert!(!answer(&[], "[]").is_html());
    }

    #[test]
    fn retry_after_is_seconds_and_anything_else_is_ignored() {
        assert_eq!(
            answer(&[("retry-after", "7")], "").retry_after_ms(),
            Some(7000)
        );
        assert_eq!(
            answer(&[("retry-after", "Sat, 21 Nov 2026 07:28:00 GMT")], "").retry_after_ms(),
            None
        );
        assert_eq!(
            answer(&[("retry-after", "99999999999999999999")], "").retry_after_ms(),
            None
        );
        assert_eq!(
            answer(&[("retry-after", "18446744073709551615")], "").retry_after_ms(),
            None
        );
        assert_eq!(answer(&[], "").retry_after_ms(), None);
    }

    fn busy() -> Scripted {
        Scripted::json(503, "[]")
    }

    fn cut() -> Scripted {
        Scripted::failure(crate::failure::transient("cut_body", "The answer was cut"))
    }

    /// What the second request of a call ends with; the first is answered.
    fn second(script: impl FnOnce(ScriptedHttp) -> ScriptedHttp) -> Result<u16, String> {
        let first = ScriptedHttp::new().get("/first", Scripted::json(200, "1"));
        let bench = Bench::new(script(first));
        let call = bench.call();
        call.get("instance", "/first").send().unwrap();
        let told = call.get("instance", "/second").send();
        told.map(|answer| answer.status())
            .map_err(|failure| failure.code)
    }

    #[test]
    fn a_lost_answer_in_the_middle_of_a_call_is_asked_for_again_at_once() {
        for trouble in [busy, cut] {
            let told = second(|http| {
                http.get("/second", trouble())
                    .get("/second", Scripted::json(200, "2"))
            });
            assert_eq!(told, Ok(200));
        }
    }

    #[test]
    fn a_call_repeats_two_requests_at_most_and_then_tells() {
        let told = second(|http| {
            http.get("/second", busy())
                .get("/second", cut())
                .get("/second", busy())
        });
        assert_eq!(told, Ok(503));
        let bench = Bench::new(
            ScriptedHttp::new()
                .get("/a", Scripted::json(200, "1"))
                .get("/b", busy())
                .get("/b", Scripted::json(200, "1"))
                .get("/c", cut())
                .get("/c", Scripted::json(200, "1"))
                .get("/d", cut()),
        );
        let call = bench.call();
        for path in ["/a", "/b", "/c"] {
            assert_eq!(call.get("instance", path).send().unwrap().status(), 200);
        }
        let told = call.get("instance", "/d").send().unwrap_err();
        assert_eq!(told.code, "cut_body");
    }

    #[test]
    fn what_needs_a_wait_or_a_person_is_left_to_the_host() {
        for told in [
            busy().header("Retry-After", "1"),
            Scripted::json(429, "[]"),
            Scripted::json(500, "[]"),
            Scripted::json(401, "[]"),
            Scripted::failure(crate::failure::transient(
                "timeout",
                "No answer came in time",
            )),
            Scripted::failure(crate::failure::auth("cut_body", "No")),
            Scripted::failure(crate::failure::after(
                crate::failure::transient("connect", "No connection"),
                Some(1000),
            )),
        ] {
            let expected = format!("{told:?}");
            let answered = second(|http| http.get("/second", told));
            assert_ne!(answered, Ok(200), "{expected}");
        }
    }

    #[test]
    fn the_first_request_of_a_call_and_whatever_is_no_get_is_asked_once() {
        let bench = Bench::new(ScriptedHttp::new().get("/first", busy()));
        let told = bench.call().get("instance", "/first").send().unwrap();
        assert_eq!(told.status(), 503);

        let post = |_: &Request| Ok(());
        let bench = Bench::new(
            ScriptedHttp::new()
                .get("/first", Scripted::json(200, "1"))
                .expect("a POST", post, busy()),
        );
        let call = bench.call();
        call.get("instance", "/first").send().unwrap();
        let told = call.send(Request {
            method: Method::Post,
            origin: "instance".to_owned(),
            path_with_query: "/job".to_owned(),
            headers: vec![],
            body: None,
        });
        assert_eq!(told.unwrap().status(), 503);
    }

    #[test]
    fn everything_but_unreserved_characters_is_percent_encoded() {
        assert_eq!(percent_encode("a b'c+ü~"), "a%20b%27c%2B%C3%BC~");
    }
}
