//! Headers: what a guest may set, and what of an answer it may see.
//!
//! Invariants: a header that only the host sets is refused, not dropped, so that an author notices; counts and bytes are
//! looked at before anything is built from them; no header by which a server would change method, host or sender passes.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::decide::{Refusal, Refused};
use super::failures;
use crate::contract::http::Header;
use crate::contract::types::Failure;
use crate::limits;

/// Names that only the host sets, or that change who sends what to whom.
const FORBIDDEN: [&str; 28] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "cookie",
    "cookie2",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "keep-alive",
    "origin",
    "range",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-original-method",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
    "x-method-override",
];

/// Beginnings of names that are forbidden.
const FORBIDDEN_PREFIXES: [&str; 5] = [
    "proxy-",
    "sec-",
    "x-forwarded-",
    "x-http-method",
    "access-control-",
];

/// Names of an answer that stay with the host: they carry secrets or speak of the connection.
const KEPT_BACK: [&str; 14] = [
    "set-cookie",
    "set-cookie2",
    "www-authenticate",
    "authentication-info",
    "proxy-authenticate",
    "proxy-authentication-info",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "trailer",
    "upgrade",
    "content-encoding",
    "content-length",
    "location",
];

/// Checks the headers of a guest and builds the real ones.
///
/// # Errors
/// [`Refusal::TooLarge`] or [`Refusal::ForbiddenHeader`], naming the header.
pub(crate) fn of_request(headers: &[Header]) -> Result<HeaderMap, Refused> {
    let bytes: usize = headers.iter().map(|h| h.name.len() + h.value.len()).sum();
    if headers.len() > limits::REQUEST_HEADERS || bytes > limits::REQUEST_HEADER_BYTES {
        return Err(Refused::new(
            Refusal::TooLarge,
            format!("{} headers with {bytes} bytes", headers.len()),
        ));
    }
    let mut map = HeaderMap::with_capacity(headers.len());
    for header in headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| {
            Refused::new(
                Refusal::ForbiddenHeader,
                "a header name has a character that is not allowed",
            )
        })?;
        let lower = name.as_str();
        if FORBIDDEN.contains(&lower)
            || FORBIDDEN_PREFIXES
                .iter()
                .any(|prefix| lower.starts_with(prefix))
        {
            return Err(Refused::new(
                Refusal::ForbiddenHeader,
                format!("header {lower} is set by the host alone"),
            ));
        }
        let is_plain = header
            .value
            .iter()
            .all(|b| b.is_ascii_graphic() || matches!(b, b' ' | b'\t'));
        let value = HeaderValue::from_bytes(&header.value)
            .ok()
            .filter(|_| is_plain)
            .ok_or_else(|| {
                Refused::new(
                    Refusal::ForbiddenHeader,
                    format!("the value of header {lower} has a character that is not allowed"),
                )
            })?;
        map.append(name, value);
    }
    Ok(map)
}

/// What of an answer's headers the guest sees.
///
/// # Errors
/// A failure `too_large` where there are more than the host takes.
pub(crate) fn of_response(headers: &HeaderMap, asked: &Url) -> Result<Vec<Header>, Failure> {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if headers.len() > limits::RESPONSE_HEADERS || bytes > limits::RESPONSE_HEADER_BYTES {
        return Err(failures::too_large(&format!(
            "the answer has {} headers with {bytes} bytes",
            headers.len()
        )));
    }
    let mut seen: Vec<Header> = headers
        .iter()
        .filter(|(name, _)| !KEPT_BACK.contains(&name.as_str()))
        .map(|(name, value)| Header {
            name: name.as_str().to_owned(),
            value: value.as_bytes().to_vec(),
        })
        .collect();
    if let Some(path) = headers
        .get(header::LOCATION)
        .and_then(|value| local_location(value, asked))
    {
        seen.push(Header {
            name: header::LOCATION.as_str().to_owned(),
            value: path.into_bytes(),
        });
    }
    Ok(seen)
}

/// A `location` on the same origin, as a path; anything else is nobody's business in the sandbox.
fn local_location(value: &HeaderValue, asked: &Url) -> Option<String> {
    let url = asked.join(value.to_str().ok()?).ok()?;
    if url.origin() != asked.origin() || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    Some(match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use url::Url;

    use super::{of_request, of_response};
    use crate::contract::http::Header;
    use crate::egress::decide::Refusal;

    fn header(name: &str, value: &str) -> Header {
        Header {
            name: name.to_owned(),
            value: value.as_bytes().to_vec(),
        }
    }

    #[test]
    fn headers_that_only_the_host_sets_are_refused_in_any_case() {
        for name in [
            "Authorization",
            "COOKIE",
            "host",
            "Connection",
            "TE",
            "Transfer-Encoding",
            "content-length",
            "Accept-Encoding",
            "Proxy-Authorization",
            "X-Forwarded-For",
            "Forwarded",
            "Trailer",
            "Upgrade",
            "Expect",
            "X-HTTP-Method-Override",
        ] {
            assert_eq!(
                of_request(&[header(name, "x")]).unwrap_err().reason,
                Refusal::ForbiddenHeader,
                "{name}"
            );
        }
    }

    #[test]
    fn a_header_cannot_smuggle_a_second_one() {
        for (name, value) in [
            ("accept", "a\r\nhost: evil"),
            ("accept", "a\0"),
            ("accept", "a\nb"),
            ("ac cept", "a"),
            ("accept\r\n", "a"),
            ("", "a"),
            ("accept:", "a"),
            ("accept", "\u{e4}"),
        ] {
            assert_eq!(
                of_request(&[header(name, value)]).unwrap_err().reason,
                Refusal::ForbiddenHeader,
                "{name:?} {value:?}"
            );
        }
    }

    #[test]
    fn too_many_headers_are_refused_before_any_is_built() {
        let many: Vec<_> = (0..40_000).map(|n| header(&format!("x-{n}"), "")).collect();
        assert_eq!(of_request(&many).unwrap_err().reason, Refusal::TooLarge);
        assert_eq!(
            of_request(&[header("x-a", &"a".repeat(9_000))])
                .unwrap_err()
                .reason,
            Refusal::TooLarge
        );
    }

    #[test]
    fn ordinary_headers_pass() {
        let map = of_request(&[
            header("Accept", "application/json"),
            header("If-Modified-Since", "x"),
            header("Vendor-Query-Options", "batchSize=2000"),
        ])
        .unwrap();
        assert_eq!(map.len(), 3);
    }

    #[test]
    fn an_answer_shows_no_cookie_no_challenge_and_no_foreign_location() {
        let asked = Url::parse("https://acme.example.com/a").unwrap();
        let mut map = HeaderMap::new();
        map.insert("set-cookie", "sid=1".parse().unwrap());
        map.insert("www-authenticate", "Bearer realm=x".parse().unwrap());
        map.insert("x-limit", "1/2".parse().unwrap());
        map.insert(
            "location",
            "https://169.254.169.254/latest".parse().unwrap(),
        );
        let names: Vec<_> = of_response(&map, &asked)
            .unwrap()
            .into_iter()
            .map(|h| h.name)
            .collect();
        assert_eq!(names, ["x-limit"]);
        map.insert(
            "location",
            "https://acme.example.com/b?c=d".parse().unwrap(),
        );
        let location = of_response(&map, &asked).unwrap().pop().unwrap();
        assert_eq!(
            (location.name.as_str(), location.value.as_slice()),
            ("location", b"/b?c=d".as_slice())
        );
    }
}
