//! The ways out of the sandbox: requests to declared origins, and the log.
//!
//! Both are traits, so that connector code is tested natively; inside a component [`Host`] is the only implementation.
//! The connector never sees a URL or a credential: it names an origin of its manifest and a path on it.

pub use crate::bindings::seatwise::connector::http::{Method, Request, Response};
use crate::{Context, Failure, Level, bindings::seatwise::connector::http::Header};

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
pub struct Call<'a> {
    /// Clock, settings, scopes and memo.
    pub ctx: &'a Context,
    http: &'a dyn Http,
    log: &'a dyn Log,
}

impl<'a> Call<'a> {
    /// For tests; inside a component the glue makes it.
    pub fn new(ctx: &'a Context, http: &'a dyn Http, log: &'a dyn Log) -> Self {
        Self { ctx, http, log }
    }

    /// A GET on an origin of the manifest; the path starts with exactly one `/`.
    pub fn get(&self, origin: &str, path_with_query: impl Into<String>) -> RequestBuilder<'a> {
        RequestBuilder {
            http: self.http,
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
        self.http.send(request).map(Answer::new)
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

/// A request being put together.
pub struct RequestBuilder<'a> {
    http: &'a dyn Http,
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
        self.http.send(self.request).map(Answer::new)
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

    #[test]
    fn everything_but_unreserved_characters_is_percent_encoded() {
        assert_eq!(percent_encode("a b'c+ü~"), "a%20b%27c%2B%C3%BC~");
    }
}
