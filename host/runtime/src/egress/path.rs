//! The one builder of URLs: a guest's path becomes a path on a fixed origin, or nothing.
//!
//! Invariants: there is one form of a path, and what the patterns of the manifest are asked about is byte for byte what
//! is sent; scheme, host and port never come from a guest; a path that different programs could read differently
//! (dot segments, doubled or encoded slashes, double encoding, path parameters before a dot) is refused, not repaired.

use url::Url;

use super::decide::{Refusal, Refused};
use crate::limits;

/// Query keys by which some servers let a request pretend to be of another method.
const METHOD_OVERRIDES: [&str; 3] = ["_method", "_httpmethod", "x-http-method-override"];

/// A path in its one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CleanPath {
    /// Starts with one `/`; unreserved characters are plain, others percent-encoded in upper case.
    path: String,
    query: Option<String>,
}

fn bad(why: &str) -> Refused {
    Refused::new(Refusal::BadPath, why)
}

impl CleanPath {
    /// Reads what a guest (or a plan) gave.
    ///
    /// # Errors
    /// [`Refusal::BadPath`] or [`Refusal::TooLarge`], with what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, Refused> {
        if text.len() > limits::PATH_BYTES {
            return Err(Refused::new(
                Refusal::TooLarge,
                format!(
                    "the path has {} bytes, {} are allowed",
                    text.len(),
                    limits::PATH_BYTES
                ),
            ));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(bad(
                "the path has a space, a control or a non-ASCII character; percent-encode it",
            ));
        }
        if text.contains(['\\', '#']) {
            return Err(bad("the path has a backslash or a #"));
        }
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        let path = normalise(path)?;
        if let Some(query) = query {
            decoded(query, |_| true)?;
            refuse_method_override(query)?;
        }
        Ok(Self {
            path,
            query: query.map(str::to_owned),
        })
    }

    /// The path that patterns are asked about, without the query.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Puts the path onto an origin and makes sure that nothing but path and query came of it.
    ///
    /// # Errors
    /// [`Refusal::BadPath`] where the URL library reads the path in another way than we do.
    pub(crate) fn onto(&self, base: &Url) -> Result<Url, Refused> {
        let text = match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        };
        let url = base
            .join(&text)
            .map_err(|e| bad(&format!("the path does not make a URL: {e}")))?;
        let is_same_place = url.scheme() == base.scheme()
            && url.host() == base.host()
            && url.port_or_known_default() == base.port_or_known_default()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        if !is_same_place {
            return Err(bad("the path leaves its origin"));
        }
        if url.path() != self.path {
            return Err(bad("the path has characters that must be percent-encoded"));
        }
        Ok(url)
    }
}

/// Brings a path into its one form, or says why it has none.
fn normalise(path: &str) -> Result<String, Refused> {
    let Some(rest) = path.strip_prefix('/') else {
        return Err(bad("the path does not start with /"));
    };
    let mut clean = String::with_capacity(path.len());
    let segments: Vec<&str> = rest.split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        clean.push('/');
        let is_last = index + 1 == segments.len();
        if segment.is_empty() && !is_last {
            return Err(bad("the path has an empty segment"));
        }
        let segment = decoded(segment, |byte| {
            // An encoded slash, backslash or percent sign, or a control, means one thing to us and another to some server.
            !matches!(byte, b'/' | b'\\' | b'%') && !byte.is_ascii_control()
        })?;
        // `..;x` is `..` to servers that know path parameters.
        let name = segment.split(';').next().unwrap_or_default();
        if name == "." || name == ".." {
            return Err(bad("the path has a dot segment"));
        }
        clean.push_str(&segment);
    }
    Ok(clean)
}

/// Decodes percent-encoded unreserved characters, puts the others in upper case, refuses broken ones and those that
/// `allowed` does not want.
fn decoded(text: &str, allowed: impl Fn(u8) -> bool) -> Result<String, Refused> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let byte = after
            .get(..2)
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            .ok_or_else(|| bad("the path has a % without two hexadecimal digits"))?;
        if !allowed(byte) {
            return Err(bad(
                "the path has an encoded slash, backslash, percent sign or control character",
            ));
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        rest = &after[2..];
    }
    out.push_str(rest);
    Ok(out)
}

fn refuse_method_override(query: &str) -> Result<(), Refused> {
    let is_override = url::form_urlencoded::parse(query.as_bytes()).any(|(key, _)| {
        METHOD_OVERRIDES
            .iter()
            .any(|name| key.eq_ignore_ascii_case(name))
    });
    if is_override {
        Err(bad("the query names another method"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::CleanPath;
    use crate::egress::decide::Refusal;

    fn base() -> Url {
        Url::parse("https://acme.example.com:8443/").unwrap()
    }

    #[test]
    fn ordinary_paths_arrive_as_given() {
        for text in [
            "/",
            "/services/data/v62.0/query?q=SELECT+Id+FROM+User&x=%27a%27",
            "/a/b/",
            "/a?next=https://other.example/",
            "/a;v=1/b",
            "/%C3%A4",
            "/a@b:c/d",
        ] {
            let url = CleanPath::parse(text).unwrap().onto(&base()).unwrap();
            assert!(
                url.as_str().starts_with("https://acme.example.com:8443/"),
                "{text}"
            );
        }
    }

    #[test]
    fn an_encoded_letter_is_decoded_before_the_patterns_are_asked() {
        let clean = CleanPath::parse("/%63omposite%c3%a4").unwrap();
        assert_eq!(clean.path(), "/composite%C3%A4");
        assert_eq!(clean.onto(&base()).unwrap().path(), "/composite%C3%A4");
    }

    #[test]
    fn every_path_trick_of_the_attack_list_is_refused() {
        for text in [
            "",
            "a",
            "//evil.example/",
            "/\\evil.example/",
            "\\\\evil",
            "/../admin",
            "/a/../b",
            "/a/..",
            "/.",
            "/./a",
            "http://evil.example/",
            "https:evil",
            "/%2e%2e/admin",
            "/%2E%2e",
            "/.%2e/a",
            "/a?x#@evil",
            "/\tevil",
            "/a\r\nHost: evil",
            "@evil.example/",
            "/a b",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%2fb",
            "/a%5Cb",
            "/a%00",
            "/a%0d%0aX:y",
            "/a%252e%252e/b",
            "/..;/admin",
            "/a//b",
            "/\u{e4}",
            "/\u{ff0f}evil",
            "/a\u{7f}",
            "/a?_HttpMethod=PATCH",
            "/a?x=1&_method=delete",
            "/a?%5FHttpMethod=PATCH",
            "/a?q=%",
        ] {
            assert!(CleanPath::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_long_path_is_too_large() {
        let text = format!("/{}", "a".repeat(crate::limits::PATH_BYTES));
        assert_eq!(
            CleanPath::parse(&text).unwrap_err().reason,
            Refusal::TooLarge
        );
    }

    proptest! {
        #[test]
        fn whatever_passes_stays_on_its_origin(text in "[/\\\\.%2eEfF5cC#?@:;a-c\u{e4}\t ]{0,24}") {
            let base = base();
            if let Ok(url) = CleanPath::parse(&text).and_then(|clean| clean.onto(&base)) {
                prop_assert_eq!(url.origin(), base.origin());
                prop_assert!(url.username().is_empty() && url.fragment().is_none());
                prop_assert!(!url.path().split('/').any(|s| s == "." || s == ".."));
                prop_assert!(!url.path().contains("//"));
            }
        }

        #[test]
        fn normalising_twice_changes_nothing(text in "/[a-z%0-9A-F/.]{0,24}") {
            if let Ok(once) = CleanPath::parse(&text) {
                let twice = CleanPath::parse(once.path()).unwrap();
                prop_assert_eq!(once.path(), twice.path());
            }
        }
    }
}
