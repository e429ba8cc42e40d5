//! Resolves a name once, classifies every address, and makes a client that can reach nothing but these.
//!
//! Invariants: the client's own resolver is replaced by one that knows only the classified addresses, so a second
//! look-up (rebinding) cannot happen; one address that is not public refuses the name as a whole; clients (and with them
//! open connections and TLS sessions) belong to one dialer and are never shared; with a proxy the only address a client
//! knows is the proxy's, so that nothing can be dialled beside it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::addresses::{Class, classify};
use super::decide::{Refusal, Refused};
use super::failures;
use super::proxy::{self, Proxy};
use super::target::{AllowTargets, Target};
use super::{EgressError, WayOut};
use crate::contract::types::{Failure, FailureKind};
use crate::limits;

/// What the host calls itself.
const USER_AGENT: &str = concat!("Seatwise/", env!("CARGO_PKG_VERSION"));

/// Why nothing could be dialled. Nothing has left.
#[derive(Debug)]
pub(super) enum DialError {
    Refused(Refused),
    Failed(Failure),
}

impl From<Refused> for DialError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Looks a name up.
#[async_trait]
pub(super) trait Resolver: Send + Sync {
    async fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>>;
}

/// The operating system's resolver.
struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// How long a client lives and whether it keeps connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Use {
    /// Reads: connections are kept between requests.
    Read,
    /// Writes: a fresh connection each, so that no library can silently resend what an old connection lost.
    Write,
}

struct Kept {
    client: reqwest::Client,
    since: Instant,
}

/// See the module.
pub(super) struct Dialer {
    tls: rustls::ClientConfig,
    resolver: Box<dyn Resolver>,
    proxy: Option<Proxy>,
    /// Where a proxy may be besides ordinary addresses.
    allow: AllowTargets,
    kept: Mutex<HashMap<Target, Kept>>,
}

impl Dialer {
    pub(super) fn new(way: &WayOut, allow: &AllowTargets) -> Result<Self, EgressError> {
        Ok(Self {
            tls: tls_config(&way.extra_roots)?,
            resolver: Box::new(SystemResolver),
            proxy: way.proxy.clone(),
            allow: allow.clone(),
            kept: Mutex::default(),
        })
    }

    #[cfg(test)]
    pub(super) fn with_resolver(resolver: Box<dyn Resolver>, proxy: Option<Proxy>) -> Self {
        Self {
            tls: tls_config(&[]).expect("no extra roots to parse"),
            resolver,
            proxy,
            allow: AllowTargets::none(),
            kept: Mutex::default(),
        }
    }

    /// Whether a target may be dialled at all, as far as no look-up is needed.
    pub(super) fn permits(&self, target: &Target) -> Result<(), Refused> {
        match &self.proxy {
            Some(_) => proxy::passes(target),
            None => Ok(()),
        }
    }

    /// An error of one of its clients, for the guest and a person.
    pub(super) fn failure(&self, error: &reqwest::Error, host: &str) -> Failure {
        failures::network(error, host, self.proxy.as_ref())
    }

    /// A client for exactly this target.
    pub(super) async fn client(
        &self,
        target: &Target,
        usage: Use,
    ) -> Result<reqwest::Client, DialError> {
        if usage == Use::Read
            && let Some(client) = self.kept(target)
        {
            return Ok(client);
        }
        self.permits(target)?;
        let client = match &self.proxy {
            Some(proxy) => {
                let addresses = self.proxy_addresses(proxy).await?;
                self.build(proxy.host(), &addresses, usage)
            }
            None => {
                let addresses = self.addresses(target).await?;
                self.build(&target.host, &addresses, usage)
            }
        };
        let client = client.map_err(|e| {
            DialError::Failed(failures::failure(
                FailureKind::Internal,
                "client",
                format!("The HTTP client could not be made: {e}"),
            ))
        })?;
        if usage == Use::Read {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.insert(
                target.clone(),
                Kept {
                    client: client.clone(),
                    since: Instant::now(),
                },
            );
        }
        Ok(client)
    }

    fn kept(&self, target: &Target) -> Option<reqwest::Client> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.get(target)?.since.elapsed() > Duration::from_secs(limits::ADDRESS_TTL_S) {
            kept.remove(target);
        }
        kept.get(target).map(|entry| entry.client.clone())
    }

    /// Resolves once and classifies every address; all or none.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, DialError> {
        let host = target.host.as_str();
        if let Ok(literal) = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
        {
            // Only the operator can name an address; `target::decide` refuses it from anybody else.
            return if target.is_operators {
                Ok(vec![SocketAddr::new(literal, target.port)])
            } else {
                Err(Refused::new(Refusal::IpLiteral, format!("{host} is an IP address")).into())
            };
        }
        let addresses = self.resolve(host, target.port).await.map_err(|how| {
            DialError::Failed(failures::failure(
                FailureKind::Transient,
                failures::DNS,
                format!("The name {host} {how}"),
            ))
        })?;
        few(host, &addresses)?;
        if !target.is_operators
            && let Some(class) = first_class(&addresses, |class| !class.is_public())
        {
            return Err(Refused::new(
                Refusal::PrivateAddress,
                format!("{host} resolves to an address that is not public ({class:?})"),
            )
            .into());
        }
        Ok(addresses)
    }

    /// Where the proxy is. Most are inside, so that private addresses pass; loopback, link-local and the like do not.
    async fn proxy_addresses(&self, proxy: &Proxy) -> Result<Vec<SocketAddr>, DialError> {
        let (host, port) = (proxy.host(), proxy.port());
        let addresses = match proxy.literal() {
            Some(address) => vec![SocketAddr::new(address, port)],
            None => self.resolve(host, port).await.map_err(|how| {
                DialError::Failed(failures::failure(
                    FailureKind::Transient,
                    failures::PROXY_UNREACHABLE,
                    format!("The name {host} of the proxy {how}"),
                ))
            })?,
        };
        few(host, &addresses)?;
        if !self.allow.contains(host, port)
            && let Some(class) = first_class(&addresses, |class| !proxy::may_live_at(class))
        {
            return Err(Refused::new(
                Refusal::ProxyAddress,
                format!(
                    "the proxy {proxy} is at an address that only the operator may name ({class:?})"
                ),
            )
            .into());
        }
        Ok(addresses)
    }

    /// Looks a name up once.
    ///
    /// # Errors
    /// What it did not do, as the end of a sentence.
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, &'static str> {
        let lookup = self.resolver.resolve(host, port);
        match tokio::time::timeout(Duration::from_millis(limits::DNS_MS), lookup).await {
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            Ok(_) => Err("does not resolve"),
            Err(_) => Err("did not resolve in time"),
        }
    }

    /// A client that knows the addresses of one host, the vendor's or the proxy's, and no other.
    fn build(
        &self,
        host: &str,
        addresses: &[SocketAddr],
        usage: Use,
    ) -> reqwest::Result<reqwest::Client> {
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            // Decompression is ours, see `answer`.
            .no_gzip()
            .http1_only()
            .http1_max_headers(limits::RESPONSE_HEADERS)
            .connect_timeout(Duration::from_millis(limits::CONNECT_MS))
            .read_timeout(Duration::from_millis(limits::HTTP_READ_MS))
            .dns_resolver(Arc::new(Nobody))
            .resolve_to_addrs(host, addresses)
            .tls_backend_preconfigured(self.tls.clone());
        let builder = match &self.proxy {
            Some(proxy) => builder.proxy(proxy.rule()?),
            None => builder,
        };
        match usage {
            Use::Read => builder,
            Use::Write => builder.pool_max_idle_per_host(0),
        }
        .build()
    }
}

/// Refuses a name with more addresses than are looked at.
fn few(host: &str, addresses: &[SocketAddr]) -> Result<(), Refused> {
    if addresses.len() <= limits::ADDRESSES {
        return Ok(());
    }
    Err(Refused::new(
        Refusal::TooManyAddresses,
        format!("{host} has {} addresses", addresses.len()),
    ))
}

/// The first class among the addresses that stands out.
fn first_class(addresses: &[SocketAddr], stands_out: impl Fn(Class) -> bool) -> Option<Class> {
    addresses
        .iter()
        .map(|address| classify(address.ip()))
        .find(|class| stands_out(*class))
}

/// The client's own resolver: knows no name. The pinned addresses stand before it.
struct Nobody;

impl reqwest::dns::Resolve for Nobody {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let name = name.as_str().to_owned();
        Box::pin(async move { Err(format!("{name} was not resolved by the egress guard").into()) })
    }
}

/// The system's roots, read once per process.
fn system_roots() -> &'static [CertificateDer<'static>] {
    static ROOTS: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let loaded = rustls_native_certs::load_native_certs();
        for error in &loaded.errors {
            tracing::warn!(%error, "a trusted root of the system could not be read");
        }
        loaded.certs
    })
}

fn tls_config(extra_roots: &[Vec<u8>]) -> Result<rustls::ClientConfig, EgressError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(system_roots().iter().cloned());
    for (index, pem) in extra_roots.iter().enumerate() {
        let wrong = |why: String| EgressError::Root { index, why };
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|e| wrong(e.to_string()))?;
            roots.add(certificate).map_err(|e| wrong(e.to_string()))?;
        }
        if roots.len() == before {
            return Err(wrong("it holds no certificate".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // TLS 1.2 and 1.3; the library knows nothing older.
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| EgressError::Client(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use url::Url;

    use super::{DialError, Dialer, Resolver, Use};
    use crate::egress::AllowTargets;
    use crate::egress::decide::Refusal;
    use crate::egress::proxy::Proxy;
    use crate::egress::target::{self, Target};
    use crate::manifest::HostPattern;

    /// Answers its list in turn, and counts.
    struct Script {
        answers: Vec<Vec<&'static str>>,
        asked: Arc<AtomicUsize>,
    }

    #[async_trait]
    impl Resolver for Script {
        async fn resolve(&self, _host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
            let turn = self
                .asked
                .fetch_add(1, Ordering::SeqCst)
                .min(self.answers.len() - 1);
            Ok(self.answers[turn]
                .iter()
                .map(|ip| SocketAddr::new(ip.parse().unwrap(), port))
                .collect())
        }
    }

    fn dialer(answers: &[&[&'static str]]) -> (Dialer, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let script = Script {
            answers: answers.iter().map(|a| a.to_vec()).collect(),
            asked: asked.clone(),
        };
        (Dialer::with_resolver(Box::new(script), None), asked)
    }

    fn target() -> Target {
        let url = Url::parse("https://acme.example.com/").unwrap();
        target::decide(
            &url,
            &[&[HostPattern::parse("*.example.com").unwrap()]],
            &[443],
            &AllowTargets::none(),
        )
        .unwrap()
    }

    async fn refusal(answers: &[&[&'static str]]) -> Refusal {
        match dialer(answers).0.client(&target(), Use::Read).await {
            Err(DialError::Refused(refused)) => refused.reason,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn e8_a_name_that_resolves_to_a_private_address_is_refused() {
        for address in [
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
        ] {
            assert_eq!(
                refusal(&[&[address]]).await,
                Refusal::PrivateAddress,
                "{address}"
            );
        }
    }

    #[tokio::test]
    async fn e8_one_private_address_among_public_ones_refuses_the_name() {
        assert_eq!(
            refusal(&[&["1.1.1.1", "2606:4700::1111", "10.0.0.1"]]).await,
            Refusal::PrivateAddress
        );
    }

    #[tokio::test]
    async fn e8_a_name_is_resolved_once_so_rebinding_finds_no_second_look_up() {
        let (dialer, asked) = dialer(&[&["1.1.1.1"], &["127.0.0.1"]]);
        dialer.client(&target(), Use::Read).await.unwrap();
        dialer.client(&target(), Use::Read).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_name_with_too_many_addresses_is_refused() {
        let many: Vec<&'static str> = vec!["1.1.1.1"; crate::limits::ADDRESSES + 1];
        assert_eq!(refusal(&[&many]).await, Refusal::TooManyAddresses);
    }

    #[tokio::test]
    async fn a_name_without_addresses_fails_as_dns() {
        match dialer(&[&[]]).0.client(&target(), Use::Read).await {
            Err(DialError::Failed(failure)) => assert_eq!(failure.code, "dns"),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn e8_with_a_proxy_the_vendors_name_is_not_looked_up_and_the_proxys_is_classified() {
        for (address, passes) in [
            ("10.0.0.1", true),
            ("100.64.0.1", true),
            ("1.1.1.1", true),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
            ("0.0.0.0", false),
            ("::ffff:127.0.0.1", false),
            ("fe80::1", false),
        ] {
            let script = Script {
                answers: vec![vec![address]],
                asked: Arc::default(),
            };
            let proxy = Proxy::parse("http://proxy.internal:3128").unwrap();
            let asked = script.asked.clone();
            let dialer = Dialer::with_resolver(Box::new(script), Some(proxy));
            let dialled = dialer.client(&target(), Use::Read).await;
            assert_eq!(dialled.is_ok(), passes, "{address}: {dialled:?}");
            if let Err(DialError::Refused(refused)) = dialled {
                assert_eq!(refused.reason, Refusal::ProxyAddress, "{address}");
            }
            assert_eq!(asked.load(Ordering::SeqCst), 1);
        }
    }
}
