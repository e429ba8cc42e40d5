//! Through a proxy: by CONNECT, by name, with the proxy's own login, and never beside it. The proxy here leads every
//! name to one server on loopback; no name of these tests resolves anywhere else.

use std::sync::{Arc, Mutex};

use seatwise_runtime::contract::reclaim::{Step, WriteMethod};
use seatwise_runtime::contract::types::{Failure, FailureKind};
use seatwise_runtime::{
    Acted, AllowTargets, GuardedClient, HostPattern, HttpPort, Proxy, Refusal, Secret, WayOut,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::egress::{TOKEN, Way, get, named, way_out};
use crate::tls::{acceptor, server};
use crate::vendor::Vendor;

const ACME: &str = "https://acme.vendor.example.com";

/// What the proxy does with a CONNECT.
#[derive(Clone, Copy)]
enum Does {
    /// Opens the way, wherever the name leads, to the one server.
    Opens,
    /// The same for whom it knows: `seatwise` with the password `pass word`.
    Asks,
    /// These bytes.
    Says(&'static str),
    /// Hangs up.
    HangsUp,
}

struct Stub {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Stub {
    async fn start(to: u16, does: Does) -> Self {
        Self::serve(to, does, None).await
    }

    async fn serve(to: u16, does: Does, tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = seen.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut all = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (log, tls) = (log.clone(), tls.clone());
                all.spawn(async move {
                    match tls {
                        None => relay(stream, to, does, log).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                relay(stream, to, does, log).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            port,
            seen,
            _serving: serving,
        }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn proxy(&self) -> Proxy {
        Proxy::parse(&format!("http://127.0.0.1:{}", self.port)).unwrap()
    }

    fn with_login(&self, password: &str) -> Proxy {
        let password = Secret::new(password);
        self.proxy().with_login("seatwise", password).unwrap()
    }
}

async fn relay(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    to: u16,
    does: Does,
    log: Arc<Mutex<Vec<String>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    log.lock().unwrap().push(head.clone());
    // `seatwise:pass word` in base64.
    let is_known = head.contains("Basic c2VhdHdpc2U6cGFzcyB3b3Jk\r\n");
    let answer = match does {
        Does::HangsUp => return,
        Does::Says(text) => text,
        Does::Asks if !is_known => {
            "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm=\"x\"\r\n\r\n"
        }
        Does::Opens | Does::Asks => "HTTP/1.1 200 Connection established\r\n\r\n",
    };
    let is_open = answer.starts_with("HTTP/1.1 200");
    if stream.write_all(answer.as_bytes()).await.is_err() || !is_open {
        return;
    }
    let mut server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
}

/// A way through this proxy, which the operator named as it is on loopback.
fn through(stub: &Stub, proxy: Proxy, roots: Vec<Vec<u8>>, base: &str) -> Way {
    let out = WayOut {
        proxy: Some(proxy),
        extra_roots: roots,
        extra_hosts: vec![HostPattern::parse("eu.vendor.example.org").unwrap()],
    };
    way_out(base, None, named(&[stub.port]), out)
}

async fn fails(way: &Way) -> Failure {
    way.egress.send(get("/data/1")).await.unwrap_err()
}

fn step() -> Step {
    Step {
        method: WriteMethod::Patch,
        origin: "api".into(),
        path: "/records/1".into(),
        content_type: None,
        body: None,
        says: String::new(),
    }
}

async fn behind() -> (Vec<u8>, Vendor) {
    server(&[
        "acme.vendor.example.com",
        "login.vendor.example.com",
        "eu.vendor.example.org",
    ])
    .await
}

#[tokio::test]
async fn reads_writes_and_token_calls_pass_the_proxy_by_name_with_its_login_and_nothing_beside_it()
{
    let (root, vendor) = behind().await;
    let stub = Stub::start(vendor.port, Does::Asks).await;
    let proxy = stub.with_login("pass word");
    let way = through(&stub, proxy.clone(), vec![root.clone()], ACME);
    assert_eq!(way.egress.send(get("/data/1")).await.unwrap().status, 200);
    assert!(
        matches!(way.egress.act(&step()).await, Acted::Answered(answer) if answer.status == 200)
    );
    let out = WayOut {
        proxy: Some(proxy),
        extra_roots: vec![root],
        extra_hosts: vec![],
    };
    let client = GuardedClient::through(named(&[stub.port]), &out).unwrap();
    let request = http::Request::post("https://login.vendor.example.com/token")
        .body(b"grant_type=client_credentials".to_vec())
        .unwrap();
    let patterns = [HostPattern::parse("login.vendor.example.com").unwrap()];
    assert_eq!(client.send(&patterns, request).await.unwrap().status(), 200);

    let seen = stub.seen();
    let lines: Vec<&str> = seen.iter().filter_map(|head| head.lines().next()).collect();
    assert_eq!(
        lines,
        [
            "CONNECT acme.vendor.example.com:443 HTTP/1.1",
            "CONNECT acme.vendor.example.com:443 HTTP/1.1",
            "CONNECT login.vendor.example.com:443 HTTP/1.1",
        ]
    );
    assert!(seen.iter().all(|head| !head.contains(TOKEN)));
    // The vendor gets the credential and never the proxy's login.
    assert_eq!(vendor.seen().len(), 3);
    for request in vendor.seen() {
        assert!(
            !request.headers.iter().any(|h| h.starts_with("proxy-")),
            "{request:?}"
        );
    }
}

#[tokio::test]
async fn a_proxy_that_wants_a_login_says_so_and_a_write_counts_as_not_sent() {
    let (root, vendor) = behind().await;
    let stub = Stub::start(vendor.port, Does::Asks).await;
    let without = through(&stub, stub.proxy(), vec![root.clone()], ACME);
    let failure = fails(&without).await;
    assert_eq!(
        (failure.code.as_str(), failure.kind),
        ("proxy_login", FailureKind::InvalidInput)
    );
    assert!(failure.message.contains("wants a user name"), "{failure:?}");
    let wrong = through(&stub, stub.with_login("another"), vec![root], ACME);
    let failure = fails(&wrong).await;
    assert_eq!(failure.code, "proxy_login");
    assert!(failure.message.contains("did not accept"), "{failure:?}");
    assert!(!failure.message.contains("another"), "{failure:?}");
    assert!(
        matches!(wrong.egress.act(&step()).await, Acted::NotSent(f) if f.code == "proxy_login")
    );
    assert_eq!(vendor.seen().len(), 0);
}

#[tokio::test]
async fn each_way_a_proxy_fails_has_a_word_of_its_own() {
    let (root, vendor) = behind().await;
    for (does, code, kind) in [
        (
            Does::Says("HTTP/1.1 403 Forbidden\r\n\r\n"),
            "proxy_refused",
            FailureKind::Transient,
        ),
        (
            Does::Says("HTTP/1.1 503 X\r\n\r\n"),
            "proxy_refused",
            FailureKind::Transient,
        ),
        (
            Does::Says("SSH-2.0-x\r\n\r\n"),
            "proxy_refused",
            FailureKind::Transient,
        ),
        (Does::HangsUp, "proxy_unreachable", FailureKind::Transient),
    ] {
        let stub = Stub::start(vendor.port, does).await;
        let way = through(&stub, stub.proxy(), vec![root.clone()], ACME);
        let failure = fails(&way).await;
        assert_eq!(
            (failure.code.as_str(), failure.kind),
            (code, kind),
            "{failure:?}"
        );
        assert!(
            failure.message.contains(&stub.proxy().to_string()),
            "{failure:?}"
        );
        assert!(matches!(way.egress.act(&step()).await, Acted::NotSent(f) if f.code == code));
    }
    let mut gone = Stub::start(vendor.port, Does::Opens).await;
    let way = through(&gone, gone.proxy(), vec![root], ACME);
    gone._serving.shutdown().await;
    assert_eq!(fails(&way).await.code, "proxy_unreachable");
    // Behind the proxy: the vendor's certificate is not vouched for.
    let stub = Stub::start(vendor.port, Does::Opens).await;
    let failure = fails(&through(&stub, stub.proxy(), vec![], ACME)).await;
    assert_eq!(
        (failure.code.as_str(), failure.kind),
        ("tls", FailureKind::InvalidInput)
    );
    assert!(failure.message.contains("through the proxy"), "{failure:?}");
    assert_eq!(vendor.seen().len(), 0);
}

#[tokio::test]
async fn a_proxy_asked_over_https_must_show_a_certificate_too() {
    let (root, vendor) = behind().await;
    let (proxy_root, accepting) = acceptor(&["127.0.0.1"], false);
    let stub = Stub::serve(vendor.port, Does::Asks, Some(accepting)).await;
    let proxy = || {
        Proxy::parse(&format!("https://127.0.0.1:{}", stub.port))
            .unwrap()
            .with_login("seatwise", Secret::new("pass word"))
            .unwrap()
    };
    let failure = fails(&through(&stub, proxy(), vec![root.clone()], ACME)).await;
    assert_eq!(
        (failure.code.as_str(), failure.kind),
        ("proxy_tls", FailureKind::InvalidInput),
        "{failure:?}"
    );
    assert_eq!(stub.seen().len(), 0);
    let way = through(&stub, proxy(), vec![root, proxy_root], ACME);
    assert_eq!(way.egress.send(get("/data/1")).await.unwrap().status, 200);
}

#[tokio::test]
async fn what_may_not_pass_the_proxy_never_reaches_it() {
    let (root, vendor) = behind().await;
    let stub = Stub::start(vendor.port, Does::Opens).await;
    for (base, reason) in [
        ("https://evil.example.net", Refusal::HostNotDeclared),
        ("https://vendor.example.org", Refusal::HostNotDeclared),
        (
            "https://acme.vendor.example.com:8443",
            Refusal::HostNotDeclared,
        ),
        ("https://10.0.0.1", Refusal::IpLiteral),
        ("https://[::1]", Refusal::IpLiteral),
        ("https://2130706433", Refusal::IpLiteral),
        ("http://acme.vendor.example.com", Refusal::NotHttps),
    ] {
        let way = through(&stub, stub.proxy(), vec![root.clone()], base);
        assert_eq!(fails(&way).await.code, reason.code(), "{base}");
        assert_eq!(*way.watch.refused.lock().unwrap(), [reason], "{base}");
    }
    // Not even what the operator named: a literal, or a name in the clear.
    for (base, host, reason) in [
        (
            format!("https://127.0.0.1:{}", vendor.port),
            "127.0.0.1",
            Refusal::IpLiteral,
        ),
        (
            format!("http://localhost:{}", vendor.port),
            "localhost",
            Refusal::NotHttps,
        ),
    ] {
        let mut allow = named(&[stub.port]);
        allow.insert(host, vendor.port);
        let out = WayOut {
            proxy: Some(stub.proxy()),
            ..WayOut::default()
        };
        let way = way_out(&base, None, allow.clone(), out.clone());
        assert_eq!(fails(&way).await.code, reason.code(), "{base}");
        let client = GuardedClient::through(allow, &out).unwrap();
        let url = base.parse().unwrap();
        assert_eq!(client.permits(&[], &url).unwrap_err().code, reason.code());
    }
    assert_eq!((stub.seen().len(), vendor.seen().len()), (0, 0));
}

#[tokio::test]
async fn a_host_beside_the_manifest_passes_only_where_it_was_allowed() {
    let (root, vendor) = behind().await;
    let stub = Stub::start(vendor.port, Does::Opens).await;
    let base = "https://eu.vendor.example.org";
    let way = through(&stub, stub.proxy(), vec![root.clone()], base);
    assert_eq!(way.egress.send(get("/data/1")).await.unwrap().status, 200);
    let out = WayOut {
        proxy: Some(stub.proxy()),
        extra_roots: vec![root],
        extra_hosts: vec![],
    };
    let way = way_out(base, None, named(&[stub.port]), out);
    assert_eq!(fails(&way).await.code, Refusal::HostNotDeclared.code());
}

#[tokio::test]
async fn e9_a_proxy_on_loopback_is_refused_unless_the_operator_names_it() {
    let (root, vendor) = behind().await;
    let stub = Stub::start(vendor.port, Does::Opens).await;
    let out = WayOut {
        proxy: Some(stub.proxy()),
        extra_roots: vec![root],
        extra_hosts: vec![],
    };
    let way = way_out(ACME, None, AllowTargets::none(), out);
    assert_eq!(fails(&way).await.code, Refusal::ProxyAddress.code());
    assert_eq!(stub.seen().len(), 0);
}
