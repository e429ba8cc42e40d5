//! Patterns of a manifest, compiled while it is parsed: hosts and paths.
//!
//! Invariants: a host pattern can't cover a whole top-level domain, an IP address or a port; a path pattern matches the
//! whole path and runs in linear time.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// Bytes that a compiled path pattern may use; ordinary ones use a tenth.
const PATTERN_BYTES: usize = 1024 * 1024;

/// An exact host, or one leading `*.` for one or more labels. Lower case, ASCII (an international name in its `xn--`
/// form).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern(String);

impl HostPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let labels: Vec<&str> = name.split('.').collect();
        let is_label = |label: &&str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if name.len() > 253 || !labels.iter().all(is_label) {
            return Err(format!(
                "host \"{text}\" is not a lower-case ASCII host name"
            ));
        }
        if labels.len() < 2 {
            return Err(format!(
                "host \"{text}\" needs at least two labels after an optional leading \"*.\""
            ));
        }
        // A last label that starts with a digit would be read as part of an IPv4 address.
        if labels
            .last()
            .is_some_and(|label| label.starts_with(|c: char| c.is_ascii_digit()))
        {
            return Err(format!("host \"{text}\" looks like an IP address"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether the host, in the form that a parsed URL gives it, is covered. A trailing dot is not.
    pub fn matches(&self, host: &str) -> bool {
        match self.0.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => self.0 == host,
        }
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HostPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A linear regular expression over a whole path.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern {
    text: String,
    regex: Regex,
}

impl PathPattern {
    /// Compiles a pattern and anchors it.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err(format!("path \"{text}\" does not start with \"/\""));
        }
        // Alone first: an unbalanced `)` must not reach the anchored form, where it could close our group.
        linear(text).map_err(|e| format!("path \"{text}\": {e}"))?;
        let regex =
            linear(&format!("^(?:{text})$")).map_err(|e| format!("path \"{text}\": {e}"))?;
        Ok(Self {
            text: text.to_owned(),
            regex,
        })
    }

    /// Whether the whole path matches.
    pub fn matches(&self, path: &str) -> bool {
        self.regex.is_match(path)
    }

    /// As written, without anchors.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PathPattern({:?})", self.text)
    }
}

impl TryFrom<String> for PathPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> Self {
        pattern.text
    }
}

/// Compiles a regular expression of a manifest. The engine is linear; the cap bounds its memory.
pub(super) fn linear(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .size_limit(PATTERN_BYTES)
        .build()
        .map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::{HostPattern, PathPattern};

    #[test]
    fn a_leading_star_means_one_or_more_labels_and_never_none() {
        let pattern = HostPattern::parse("*.my.example.com").unwrap();
        assert!(pattern.matches("acme.my.example.com"));
        assert!(pattern.matches("acme--dev.sandbox.my.example.com"));
        for host in [
            "my.example.com",
            ".my.example.com.",
            "evilmy.example.com",
            "acme.my.example.com.evil.org",
            "acme.my.example.com.",
        ] {
            assert!(!pattern.matches(host), "{host}");
        }
    }

    #[test]
    fn a_pattern_that_covers_too_much_is_refused() {
        for text in [
            "*",
            "*.com",
            "com",
            "*.*.example.com",
            "a.*.com",
            "EXAMPLE.com",
            "127.0.0.1",
            "10.0x1",
            "exa mple.com",
            "",
            "example.com:443",
            "[::1]",
            "-a.com",
        ] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_pattern_matches_the_whole_path() {
        let pattern = PathPattern::parse("/a|/b/[0-9]+").unwrap();
        assert!(pattern.matches("/a") && pattern.matches("/b/12"));
        for path in ["/aa", "/x/a", "/b/12/c", "/a\n", "/b/"] {
            assert!(!pattern.matches(path), "{path:?}");
        }
    }

    #[test]
    fn a_path_pattern_cannot_break_out_of_its_anchors() {
        assert!(PathPattern::parse("/a)|(.*").is_err());
    }
}
