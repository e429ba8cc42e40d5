//! Where a request may go at all: bases, redirects, proxies, token endpoints.

use seatwise_runtime::contract::types::FailureKind;
use seatwise_runtime::{AllowTargets, GuardedClient, HostPattern, HttpPort, Refusal};
use url::Url;

use crate::egress::{get, named, way, way_renewed};
use crate::vendor::{Vendor, answer, ok};

#[tokio::test]
async fn e7_a_base_from_the_token_answer_is_refused_unless_the_manifest_or_the_operator_names_it() {
    let cases = [
        ("http://169.254.169.254", Refusal::NotHttps),
        ("https://169.254.169.254", Refusal::IpLiteral),
        ("https://127.0.0.1:9443", Refusal::IpLiteral),
        ("https://[::1]", Refusal::IpLiteral),
        ("https://2130706433", Refusal::IpLiteral),
        ("https://0x7f.1", Refusal::IpLiteral),
        ("https://0177.0.0.1", Refusal::IpLiteral),
        ("https://127.1", Refusal::IpLiteral),
        ("https://localhost", Refusal::HostNotDeclared),
        ("http://acme.vendor.example.com", Refusal::NotHttps),
        (
            "https://acme.vendor.example.com:22",
            Refusal::HostNotDeclared,
        ),
        ("https://acme.vendor.example.com.", Refusal::HostNotDeclared),
        (
            "https://acme.vendor.example.com.evil.org",
            Refusal::HostNotDeclared,
        ),
        ("https://evil-vendor.example.com", Refusal::HostNotDeclared),
        (
            "https://user:pass@acme.vendor.example.com",
            Refusal::BadBase,
        ),
        ("https://acme.vendor.example.com/path", Refusal::BadBase),
        ("https://acme.vendor.example.com/?q", Refusal::BadBase),
        (
            "https://\u{430}cme.vendor.example.org",
            Refusal::HostNotDeclared,
        ),
        ("ftp://acme.vendor.example.com", Refusal::NotHttps),
    ];
    for (base, reason) in cases {
        let way = way(base, AllowTargets::none(), vec![]);
        let failure = way.egress.send(get("/data/1")).await.unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.kind),
            (reason.code(), FailureKind::InvalidInput),
            "{base}"
        );
        assert_eq!(*way.watch.refused.lock().unwrap(), [reason], "{base}");
    }
}

#[tokio::test]
async fn e7_the_operators_word_covers_one_exact_port_and_nothing_beside_it() {
    let vendor = Vendor::start(|_, _| ok("{}")).await;
    let other = Vendor::start(|_, _| ok("{}")).await;
    let allow = named(&[vendor.port]);
    assert!(
        way(
            &format!("http://127.0.0.1:{}", vendor.port),
            allow.clone(),
            vec![]
        )
        .egress
        .send(get("/data/1"))
        .await
        .is_ok()
    );
    let beside = way(&format!("http://127.0.0.1:{}", other.port), allow, vec![]);
    assert_eq!(
        beside.egress.send(get("/data/1")).await.unwrap_err().code,
        Refusal::NotHttps.code()
    );
    assert_eq!(other.seen().len(), 0);
}

#[tokio::test]
async fn e7_a_renewed_grant_is_judged_like_the_first() {
    let vendor = Vendor::start(|_, _| answer(401, &[], b"[]")).await;
    let base = format!("http://127.0.0.1:{}", vendor.port);
    let way = way_renewed(
        &base,
        Some("http://169.254.169.254"),
        named(&[vendor.port]),
        vec![],
    );
    assert_eq!(
        way.egress.send(get("/data/1")).await.unwrap_err().code,
        Refusal::NotHttps.code()
    );
    assert_eq!(vendor.seen().len(), 1);
}

#[tokio::test]
async fn e8_a_redirect_is_an_answer_and_a_foreign_location_is_not_shown() {
    let evil = Vendor::start(|_, _| ok("{}")).await;
    let port = evil.port;
    let vendor = Vendor::start(move |seen, _| match seen.line.as_str() {
        "GET /data/away" => answer(
            302,
            &[&format!("location: http://127.0.0.1:{port}/steal")],
            b"",
        ),
        _ => answer(307, &["location: /data/next?x=1"], b""),
    })
    .await;
    let allow = named(&[vendor.port, evil.port]);
    let way = way(&format!("http://127.0.0.1:{}", vendor.port), allow, vec![]);
    let away = way.egress.send(get("/data/away")).await.unwrap();
    assert_eq!(away.status, 302);
    assert!(!away.headers.iter().any(|h| h.name == "location"));
    let near = way.egress.send(get("/data/near")).await.unwrap();
    assert!(
        near.headers
            .iter()
            .any(|h| h.name == "location" && h.value == b"/data/next?x=1")
    );
    assert_eq!(
        (vendor.seen().len(), evil.seen().len()),
        (2, 0),
        "nothing is followed and the token goes nowhere else"
    );
}

/// The environment of a process is set before it starts, so this test starts itself again as its own child.
#[tokio::test]
async fn e8_a_proxy_of_the_environment_is_not_used() {
    const BASE: &str = "SEATWISE_TEST_BASE";
    if let Ok(base) = std::env::var(BASE) {
        let port = Url::parse(&base).unwrap().port().unwrap();
        let way = way(&base, named(&[port]), vec![]);
        assert_eq!(
            way.egress.send(get("/data/1")).await.unwrap().body,
            b"direct"
        );
        return;
    }
    let proxy = Vendor::start(|_, _| ok("proxied")).await;
    let vendor = Vendor::start(|_, _| ok("direct")).await;
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args([
        "--exact",
        "reach::e8_a_proxy_of_the_environment_is_not_used",
    ]);
    child.env(BASE, format!("http://127.0.0.1:{}", vendor.port));
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, format!("http://127.0.0.1:{}", proxy.port));
    }
    let status = child
        .stdout(std::process::Stdio::null())
        .status()
        .await
        .unwrap();
    assert!(status.success());
    assert_eq!((vendor.seen().len(), proxy.seen().len()), (1, 0));
}

#[tokio::test]
async fn e9_a_token_endpoint_on_loopback_is_refused_unless_the_operator_named_it() {
    let vendor = Vendor::start(|_, _| ok("{\"access_token\":\"x\"}")).await;
    let patterns = [HostPattern::parse("login.vendor.example.com").unwrap()];
    let request = |base: &str| {
        http::Request::post(format!("{base}/token"))
            .body(b"grant_type=client_credentials".to_vec())
            .unwrap()
    };
    let loopback = format!("http://127.0.0.1:{}", vendor.port);
    let strict = GuardedClient::new(AllowTargets::none(), &[]).unwrap();
    for base in [
        loopback.as_str(),
        "https://127.0.0.1:1",
        "https://localhost:1",
        "https://other.example.com",
        "http://login.vendor.example.com",
        "https://login.vendor.example.com:8443",
    ] {
        let failure = strict.send(&patterns, request(base)).await.unwrap_err();
        assert!(failure.code.starts_with("egress."), "{base}: {failure:?}");
        assert!(
            strict
                .permits(&patterns, &Url::parse(base).unwrap())
                .is_err()
        );
    }
    assert!(
        strict
            .permits(
                &patterns,
                &Url::parse("https://login.vendor.example.com/").unwrap()
            )
            .is_ok()
    );
    assert_eq!(vendor.seen().len(), 0);
    let named = GuardedClient::new(named(&[vendor.port]), &[]).unwrap();
    let answer = named.send(&patterns, request(&loopback)).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(vendor.seen()[0].body, b"grant_type=client_credentials");
}
