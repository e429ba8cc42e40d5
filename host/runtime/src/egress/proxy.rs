//! A forward proxy between this host and a vendor: its address as a person writes it, its login, what may pass it.
//!
//! Invariants: through a proxy everything goes by CONNECT, by name, over https: never an address literal, never in the
//! clear, never beside it; the login goes to the proxy alone. The proxy resolves the vendor's name, so this host looks at
//! no address of the vendor: what holds is that the name is one the manifest, an administrator or the operator named.
//! The proxy's own address may be private (most are); loopback, link-local and metadata addresses only where the
//! operator named them.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::addresses::Class;
use super::decide::{Refusal, Refused};
use super::target::Target;
use crate::secret::Secret;

/// Why a text is no proxy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Not one of the three forms.
    #[error("the address of the proxy is not https://NAME:PORT, http://NAME:PORT or ADDRESS:PORT")]
    Form,
    /// The port is missing, or no port.
    #[error("the address of the proxy has no port")]
    Port,
    /// Another kind of proxy.
    #[error("a proxy of the kind `{0}` cannot be used, only http and https")]
    Scheme(String),
    /// A login inside the address, which would be shown with it.
    #[error("the address of the proxy carries a user name or password")]
    LoginInAddress,
    /// The user name cannot be sent.
    #[error("the user name of the proxy is empty, or has a colon or a control character")]
    User,
}

/// One forward proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Scheme, host and port; path `/`.
    url: Url,
    port: u16,
    login: Option<(String, Secret)>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// `https://proxy.example.com:3128`, without a login.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.url.scheme(), self.host(), self.port)
    }
}

impl Proxy {
    /// Reads one of the forms `https://NAME:PORT`, `http://NAME:PORT`, `ADDRESS:PORT`; the last one means http.
    ///
    /// # Errors
    /// [`ProxyError`].
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let text = text.trim();
        let full = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let url = Url::parse(&full).map_err(|error| match error {
            url::ParseError::InvalidPort => ProxyError::Port,
            _ => ProxyError::Form,
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ProxyError::Scheme(url.scheme().chars().take(20).collect()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ProxyError::LoginInAddress);
        }
        if !matches!(url.path(), "/" | "") || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyError::Form);
        }
        // A URL forgets a port that is its scheme's usual one; whether one was written is asked of the text.
        let written: http::Uri = full.parse().map_err(|_| ProxyError::Form)?;
        let port = written
            .port_u16()
            .filter(|port| *port != 0)
            .ok_or(ProxyError::Port)?;
        if url.host().is_none() {
            return Err(ProxyError::Form);
        }
        Ok(Self {
            url,
            port,
            login: None,
        })
    }

    /// The same with a login of its own (basic authentication).
    ///
    /// # Errors
    /// [`ProxyError::User`].
    pub fn with_login(mut self, user: &str, password: Secret) -> Result<Self, ProxyError> {
        if user.is_empty() || user.contains(':') || user.chars().any(char::is_control) {
            return Err(ProxyError::User);
        }
        self.login = Some((user.to_owned(), password));
        Ok(self)
    }

    /// Whether it is asked with a login.
    pub fn has_login(&self) -> bool {
        self.login.is_some()
    }

    /// As a URL shows it.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The address itself, where it is one and no name.
    pub(super) fn literal(&self) -> Option<IpAddr> {
        match self.url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            _ => None,
        }
    }

    /// For the HTTP client: everything goes through it.
    pub(super) fn rule(&self) -> reqwest::Result<reqwest::Proxy> {
        let proxy = reqwest::Proxy::all(self.to_string())?;
        Ok(match &self.login {
            Some((user, password)) => proxy.basic_auth(user, password.expose()),
            None => proxy,
        })
    }
}

/// Whether a target may be reached through a proxy at all.
pub(super) fn passes(target: &Target) -> Result<(), Refused> {
    let host = &target.host;
    if target.base.scheme() != "https" {
        return Err(Refused::new(
            Refusal::NotHttps,
            format!(
                "{host} is not asked over https, and nothing goes through a proxy in the clear"
            ),
        ));
    }
    if !matches!(target.base.host(), Some(Host::Domain(_))) {
        return Err(Refused::new(
            Refusal::IpLiteral,
            format!("{host} is an IP address, and a proxy is asked by name only"),
        ));
    }
    Ok(())
}

/// Whether a proxy may live at an address of this class without the operator having named it.
pub(super) fn may_live_at(class: Class) -> bool {
    matches!(class, Class::Public | Class::Private | Class::CarrierNat)
}

#[cfg(test)]
mod tests {
    use super::{Proxy, ProxyError};
    use crate::secret::Secret;

    #[test]
    fn the_three_forms_of_the_manual_are_read() {
        for (text, shown) in [
            (
                "https://proxy.example.com:3129",
                "https://proxy.example.com:3129",
            ),
            ("http://proxy.example.com:80", "http://proxy.example.com:80"),
            (
                " HTTP://Proxy.Example.com:8080/ ",
                "http://proxy.example.com:8080",
            ),
            ("10.1.2.3:3128", "http://10.1.2.3:3128"),
            ("[fd00::1]:3128", "http://[fd00::1]:3128"),
            ("proxy:3128", "http://proxy:3128"),
        ] {
            assert_eq!(Proxy::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_with_its_reason() {
        for (text, why) in [
            ("", ProxyError::Form),
            ("proxy.example.com", ProxyError::Port),
            ("https://proxy.example.com", ProxyError::Port),
            ("http://proxy.example.com:0", ProxyError::Port),
            ("http://proxy.example.com:99999", ProxyError::Port),
            (
                "socks5://proxy.example.com:1080",
                ProxyError::Scheme("socks5".into()),
            ),
            (
                "http://ana:pw@proxy.example.com:3128",
                ProxyError::LoginInAddress,
            ),
            ("http://proxy.example.com:3128/path", ProxyError::Form),
            ("http://proxy.example.com:3128?x", ProxyError::Form),
            ("two words:3128", ProxyError::Form),
        ] {
            assert_eq!(Proxy::parse(text).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn a_login_is_never_printed() {
        let proxy = Proxy::parse("proxy:3128")
            .unwrap()
            .with_login("seatwise", Secret::new("hunter2"))
            .unwrap();
        let shown = format!("{proxy} {proxy:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("seatwise"),
            "{shown}"
        );
        for user in ["", "a:b", "a\nb"] {
            let proxy = Proxy::parse("proxy:3128").unwrap();
            assert!(
                proxy.with_login(user, Secret::new("x")).is_err(),
                "{user:?}"
            );
        }
    }
}
