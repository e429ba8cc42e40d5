//! The words of a way out, and what a person may type for it. Pure.

use seatwise_runtime::{HostPattern, TrustedRoot};
use serde::Serialize;

/// Hosts beside the manifest's; more is another connector.
const MOST_HOSTS: usize = 20;
/// Before this many milliseconds of its end a root is said to end soon: thirty days.
const SOON_MS: i64 = 30 * 24 * 3_600 * 1_000;

/// Whether a connection uses a proxy, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyUse {
    /// The parent's; a connection without a parent goes directly.
    Inherit,
    /// None, whatever the parent does.
    Direct,
    /// Its own.
    Own,
}

impl ProxyUse {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inherit => "inherit",
            Self::Direct => "direct",
            Self::Own => "own",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Inherit, Self::Direct, Self::Own]
            .into_iter()
            .find(|word| word.as_str() == text)
    }
}

/// A way out as it is shown: every value with where it comes from, no password.
#[derive(Clone, Debug, Serialize)]
pub struct WayView {
    /// Name of the alias.
    pub alias: String,
    /// Its parent's, for a child.
    pub parent: Option<String>,
    /// What this connection chose: inherit, direct or own.
    #[serde(rename = "use")]
    pub proxy_use: ProxyUse,
    /// The proxy in force, without its login; none goes directly.
    pub proxy: Option<ProxyView>,
    /// Roots in force beside the system's.
    pub roots: Vec<RootView>,
    /// Alias that the roots come from.
    pub roots_from: Option<String>,
    /// Who set them.
    pub roots_set_by: Option<String>,
    /// Milliseconds UTC.
    pub roots_set_at: Option<i64>,
    /// Hosts beside the manifest's.
    pub hosts: Vec<String>,
    /// Hosts of the connector's manifest.
    pub manifest_hosts: Vec<String>,
}

/// A proxy as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct ProxyView {
    /// `http://proxy.example.com:3128`.
    pub address: String,
    /// Its user name, where it wants one.
    pub user: Option<String>,
    /// Whether a password is stored.
    pub has_password: bool,
    /// `…4f2a`, of a long enough password.
    pub password_ends_in: Option<String>,
    /// Alias that it comes from.
    pub from: String,
    /// Who set it.
    pub set_by: Option<String>,
    /// Milliseconds UTC.
    pub set_at: Option<i64>,
}

/// A trusted root as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct RootView {
    /// Its name.
    pub subject: String,
    /// Milliseconds UTC.
    pub ends_at: i64,
    /// Ended already.
    pub has_ended: bool,
    /// Ends within thirty days.
    pub ends_soon: bool,
    /// SHA-256, hexadecimal.
    pub fingerprint: String,
}

impl RootView {
    /// A root as it stands at this moment.
    #[must_use]
    pub fn at(root: TrustedRoot, now_ms: i64) -> Self {
        Self {
            subject: root.subject,
            ends_at: root.not_after_ms,
            has_ended: root.not_after_ms <= now_ms,
            ends_soon: root.not_after_ms > now_ms && root.not_after_ms - now_ms < SOON_MS,
            fingerprint: root.fingerprint,
        }
    }
}

/// Reads hosts as they are typed; twice the same counts once.
///
/// # Errors
/// A sentence about the first that is none.
pub fn hosts<'a>(typed: impl IntoIterator<Item = &'a str>) -> Result<Vec<HostPattern>, String> {
    let mut hosts = Vec::new();
    for text in typed {
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        let shown: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
        let host = HostPattern::parse(&shown)?;
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    if hosts.len() > MOST_HOSTS {
        return Err(format!("more than {MOST_HOSTS} hosts are listed"));
    }
    Ok(hosts)
}

/// The end of a secret by which a person knows it again; nothing of a short one, of which four letters would be most.
#[must_use]
pub fn hint(secret: &str) -> String {
    let letters: Vec<char> = secret.chars().collect();
    if letters.len() >= 16 {
        letters[letters.len() - 4..].iter().collect()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for word in [ProxyUse::Inherit, ProxyUse::Direct, ProxyUse::Own] {
            assert_eq!(ProxyUse::parse(word.as_str()), Some(word));
        }
    }

    #[test]
    fn hosts_are_names_and_never_a_whole_domain_or_an_address() {
        let read = hosts([
            "api.example.com",
            " *.eu.example.com ",
            "",
            "api.example.com",
        ])
        .unwrap();
        assert_eq!(read.len(), 2);
        for wrong in [
            "*",
            "*.com",
            "10.0.0.1",
            "a.example.com:443",
            "https://a.example.com",
            "A.example.com",
        ] {
            assert!(hosts([wrong]).is_err(), "{wrong}");
        }
        let many: Vec<String> = (0..=MOST_HOSTS)
            .map(|n| format!("h{n}.example.com"))
            .collect();
        assert!(hosts(many.iter().map(String::as_str)).is_err());
    }

    #[test]
    fn a_short_secret_gives_no_hint() {
        assert_eq!(hint("hunter2"), "");
        assert_eq!(hint("0123456789abcdef4f2a"), "4f2a");
    }
}
