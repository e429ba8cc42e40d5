//! Where an origin may be: the manifest's hosts over https, or exactly what the operator named.
//!
//! Invariant: plain http, IP addresses and private addresses are possible only for an exact `host:port` that the
//! operator named; the token answer of a vendor cannot widen anything.

use std::collections::BTreeSet;
use std::fmt;

use url::{Host, Url};

use super::decide::{Refusal, Refused};
use crate::manifest::HostPattern;

/// Targets that the operator named with `--allow-target HOST:PORT`: may be private, loopback, an IP address, plain http.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowTargets(BTreeSet<(String, u16)>);

impl AllowTargets {
    /// None: what production uses.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds one target. Host as in a URL: a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn insert(&mut self, host: &str, port: u16) {
        self.0.insert((host.to_ascii_lowercase(), port));
    }

    /// Parses `HOST:PORT`.
    ///
    /// # Errors
    /// A sentence that names the form.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let wrong = || format!("\"{text}\" is not HOST:PORT, e.g. 127.0.0.1:9443 or [::1]:9443");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().map_err(|_| wrong())?;
        let host = Host::parse(host).map_err(|_| wrong())?;
        if port == 0 || host.to_string().contains('*') {
            return Err(wrong());
        }
        self.0.insert((host.to_string(), port));
        Ok(())
    }

    /// Whether exactly this target was named.
    pub fn contains(&self, host: &str, port: u16) -> bool {
        self.0.contains(&(host.to_owned(), port))
    }

    /// Whether none was named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in order, to be shown on every page while in use.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u16)> {
        self.0.iter().map(|(host, port)| (host.as_str(), *port))
    }
}

impl FromIterator<(String, u16)> for AllowTargets {
    fn from_iter<I: IntoIterator<Item = (String, u16)>>(targets: I) -> Self {
        let mut all = Self::none();
        for (host, port) in targets {
            all.insert(&host, port);
        }
        all
    }
}

impl fmt::Display for AllowTargets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (host, port)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{host}:{port}")?;
        }
        Ok(())
    }
}

/// A scheme, host and port that may be dialled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    /// Scheme, host and port, path `/`.
    pub(crate) base: Url,
    /// As a URL shows it.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The operator named it: its addresses may be private.
    pub(crate) is_operators: bool,
}

/// Decides whether a URL's scheme, host and port may be dialled. Looks at nothing behind the port.
pub(crate) fn decide(
    url: &Url,
    patterns: &[&[HostPattern]],
    ports: &[u16],
    allow: &AllowTargets,
) -> Result<Target, Refused> {
    let shown = || format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::new(
            Refusal::BadBase,
            format!("{} carries a user", shown()),
        ));
    }
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return Err(Refused::new(
            Refusal::BadBase,
            format!("{} has no host or no port", shown()),
        ));
    };
    let name = host.to_string();
    let is_operators = allow.contains(&name, port);
    let target = |is_operators| {
        let mut base = url.clone();
        base.set_path("/");
        base.set_query(None);
        base.set_fragment(None);
        Target {
            base,
            host: name.clone(),
            port,
            is_operators,
        }
    };
    if is_operators {
        return match url.scheme() {
            "https" | "http" => Ok(target(true)),
            _ => Err(Refused::new(Refusal::NotHttps, shown())),
        };
    }
    if url.scheme() != "https" {
        return Err(Refused::new(
            Refusal::NotHttps,
            format!("{} is not https", shown()),
        ));
    }
    let Host::Domain(domain) = host else {
        return Err(Refused::new(
            Refusal::IpLiteral,
            format!("{name} is an IP address"),
        ));
    };
    // A name that only the operating system's resolver would read as an address (0x7f.1, 2130706433) is no name either.
    if domain
        .rsplit('.')
        .next()
        .is_some_and(|label| label.starts_with(|c: char| c.is_ascii_digit()))
    {
        return Err(Refused::new(
            Refusal::IpLiteral,
            format!("{name} looks like an IP address"),
        ));
    }
    if !ports.contains(&port)
        || !patterns
            .iter()
            .copied()
            .flatten()
            .any(|pattern| pattern.matches(domain))
    {
        return Err(Refused::new(
            Refusal::HostNotDeclared,
            format!("{name}:{port} is not a host the connector declares"),
        ));
    }
    Ok(target(false))
}

#[cfg(test)]
mod tests {
    use super::AllowTargets;

    #[test]
    fn a_target_is_one_exact_host_and_port() {
        let mut allow = AllowTargets::none();
        for text in ["127.0.0.1:9443", "[::1]:80", "LocalHost:8080"] {
            allow.add(text).unwrap();
        }
        assert!(
            allow.contains("127.0.0.1", 9443)
                && allow.contains("[::1]", 80)
                && allow.contains("localhost", 8080)
        );
        assert!(!allow.contains("127.0.0.1", 9444) && !allow.contains("127.0.0.2", 9443));
        assert_eq!(
            allow.to_string(),
            "127.0.0.1:9443, [::1]:80, localhost:8080"
        );
    }

    #[test]
    fn what_names_no_single_port_is_refused() {
        let mut allow = AllowTargets::none();
        for text in [
            "",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:0",
            "127.0.0.1:99999",
            ":80",
            "*.example.com:443",
            "http://a:80",
            "a b:80",
        ] {
            assert!(allow.add(text).is_err(), "{text}");
        }
        assert!(allow.is_empty());
    }
}
