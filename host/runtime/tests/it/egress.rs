//! The egress guard on the network: what leaves, what does not, and what comes back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use http::HeaderMap;
use seatwise_runtime::contract::http::{Header, Method, Request};
use seatwise_runtime::contract::types::{Failure, FailureKind};
use seatwise_runtime::{
    AllowTargets, Egress, EgressObserver, EgressOptions, Grant, GrantPort, HttpPort, Refusal,
    WayOut, limits,
};
use url::Url;

use crate::guest::{call, context, hostile, manifest};
use crate::vendor::{Reply, Vendor, answer, ok};

pub const TOKEN: &str = "00Dxx0000001gEREAY!AQcAQH0dMHZfz972Szmpkb58urFRkgeBGsxL_QJWwYMfAbUeeG7c1E6LYUfiDUkWe6H34r1AAwOR8B8fLEz6n04NPGRrq0FM";

/// Grants with a counter: each renewal is another token, perhaps at another base.
pub struct Grants {
    pub base: Url,
    pub renewed_base: Option<Url>,
    pub renewals: AtomicU64,
}

impl Grants {
    fn grant(&self, generation: u64) -> Grant {
        let base = if generation > 1 {
            self.renewed_base
                .clone()
                .unwrap_or_else(|| self.base.clone())
        } else {
            self.base.clone()
        };
        Grant::bearer(
            &format!("{TOKEN}{generation}"),
            BTreeMap::from([("api".to_owned(), base)]),
            generation,
        )
    }
}

#[async_trait]
impl GrantPort for Grants {
    async fn current(&self) -> Result<Grant, Failure> {
        Ok(self.grant(1 + self.renewals.load(Ordering::SeqCst)))
    }

    async fn renew(&self, rejected: u64) -> Result<Grant, Failure> {
        assert_eq!(rejected, 1 + self.renewals.fetch_add(1, Ordering::SeqCst));
        Ok(self.grant(rejected + 1))
    }
}

#[derive(Default)]
pub struct Watch {
    pub refused: std::sync::Mutex<Vec<Refusal>>,
    pub answered: std::sync::Mutex<Vec<u16>>,
}

impl EgressObserver for Watch {
    fn answered(&self, origin: &str, status: u16, _: &HeaderMap) {
        assert_eq!(origin, "api");
        self.answered.lock().unwrap().push(status);
    }

    fn refused(&self, reason: Refusal, detail: &str) {
        assert!(!detail.contains(TOKEN) && !detail.is_empty());
        self.refused.lock().unwrap().push(reason);
    }
}

pub struct Way {
    pub egress: Arc<Egress>,
    pub watch: Arc<Watch>,
    pub grants: Arc<Grants>,
}

pub fn way(base: &str, allow: AllowTargets, roots: Vec<Vec<u8>>) -> Way {
    way_renewed(base, None, allow, roots)
}

pub fn way_renewed(
    base: &str,
    renewed: Option<&str>,
    allow: AllowTargets,
    extra_roots: Vec<Vec<u8>>,
) -> Way {
    let out = WayOut {
        extra_roots,
        ..WayOut::default()
    };
    way_out(base, renewed, allow, out)
}

pub fn way_out(base: &str, renewed: Option<&str>, allow: AllowTargets, out: WayOut) -> Way {
    let url = |text: &str| Url::parse(text).unwrap();
    let grants = Arc::new(Grants {
        base: url(base),
        renewed_base: renewed.map(url),
        renewals: AtomicU64::new(0),
    });
    let watch = Arc::new(Watch::default());
    let options = EgressOptions {
        manifest: manifest(),
        grants: grants.clone(),
        observer: watch.clone(),
        allow,
        way: out,
    };
    Way {
        egress: Arc::new(Egress::new(options).unwrap()),
        watch,
        grants,
    }
}

/// A way to the server, which the operator named.
pub fn to(vendor: &Vendor) -> Way {
    way(
        &format!("http://127.0.0.1:{}", vendor.port),
        named(&[vendor.port]),
        vec![],
    )
}

pub fn named(ports: &[u16]) -> AllowTargets {
    ports
        .iter()
        .map(|port| ("127.0.0.1".to_owned(), *port))
        .collect()
}

pub fn get(path: &str) -> Request {
    Request {
        method: Method::Get,
        origin: "api".into(),
        path_with_query: path.into(),
        headers: vec![],
        body: None,
    }
}

#[tokio::test]
async fn a_read_arrives_with_the_credential_and_the_query_and_comes_back() {
    let vendor =
        Vendor::start(|_, _| answer(200, &["x-limit: 1/2", "set-cookie: sid=1"], b"{}")).await;
    let way = to(&vendor);
    let response = way.egress.send(get("/data/1?q=a+b%27c")).await.unwrap();
    assert_eq!(
        (response.status, response.body.as_slice()),
        (200, b"{}".as_slice())
    );
    assert!(
        response
            .headers
            .iter()
            .any(|h| h.name == "x-limit" && h.value == b"1/2")
    );
    assert!(!response.headers.iter().any(|h| h.name == "set-cookie"));
    let seen = &vendor.seen()[0];
    assert_eq!(seen.line, "GET /data/1?q=a+b%27c");
    assert!(
        seen.has(&format!("authorization: Bearer {TOKEN}1")) && seen.has("accept-encoding: gzip")
    );
    assert_eq!(*way.watch.answered.lock().unwrap(), [200]);
}

#[tokio::test]
async fn d4_everything_but_declared_reads_is_refused_and_audited_and_the_vendor_sees_nothing() {
    let vendor = Vendor::start(|_, _| ok("{}")).await;
    let way = to(&vendor);
    let post = |path: &str, body: Option<&[u8]>| Request {
        method: Method::Post,
        body: body.map(<[u8]>::to_vec),
        ..get(path)
    };
    let with = |name: &str| Request {
        headers: vec![Header {
            name: name.into(),
            value: b"x".to_vec(),
        }],
        ..get("/data/1")
    };
    let elsewhere = |origin: &str| Request {
        origin: origin.into(),
        ..get("/data/1")
    };
    let cases = [
        (elsewhere("other"), Refusal::UndeclaredOrigin),
        (
            elsewhere("http://169.254.169.254"),
            Refusal::UndeclaredOrigin,
        ),
        (elsewhere("127.0.0.1"), Refusal::UndeclaredOrigin),
        (elsewhere(""), Refusal::UndeclaredOrigin),
        (get("file:///etc/passwd"), Refusal::BadPath),
        (get("http://127.0.0.1/data/1"), Refusal::BadPath),
        (get("//127.0.0.1/data/1"), Refusal::BadPath),
        (get("/data/../records/1"), Refusal::BadPath),
        (get("/data/%2e%2e/records/1"), Refusal::BadPath),
        (get("/data/1?x#@evil"), Refusal::BadPath),
        (get("/records/1"), Refusal::NotAReadOperation),
        (get("/DATA/1"), Refusal::NotAReadOperation),
        (get("/x/data/1"), Refusal::NotAReadOperation),
        (post("/records/1", None), Refusal::NotAReadOperation),
        (
            post("/records/1?_HttpMethod=PATCH", Some(b"{}")),
            Refusal::BadPath,
        ),
        (
            post("/search?_HttpMethod=PATCH", Some(b"{}")),
            Refusal::BadPath,
        ),
        (
            post(
                "/composite",
                Some(b"{\"compositeRequest\":[{\"method\":\"PATCH\"}]}"),
            ),
            Refusal::NotAReadOperation,
        ),
        (
            post("/data/composite", Some(b"{}")),
            Refusal::NotAReadOperation,
        ),
        (post("/ping", Some(b"{}")), Refusal::BodyNotAllowed),
        (
            post("/search", Some(&vec![b'x'; limits::REQUEST_BODY_BYTES + 1])),
            Refusal::TooLarge,
        ),
        (
            Request {
                method: Method::Delete,
                ..get("/data/1")
            },
            Refusal::NotAReadOperation,
        ),
        (with("Authorization"), Refusal::ForbiddenHeader),
        (with("Host"), Refusal::ForbiddenHeader),
        (with("X-HTTP-Method-Override"), Refusal::ForbiddenHeader),
    ];
    for (request, reason) in cases {
        let shown = format!("{request:?}");
        let failure = way.egress.send(request).await.unwrap_err();
        assert_eq!(failure.code, reason.code(), "{shown}");
        assert_eq!(
            way.watch.refused.lock().unwrap().pop(),
            Some(reason),
            "{shown}"
        );
    }
    assert_eq!(vendor.seen().len(), 0);
}

#[tokio::test]
async fn d4_a_guest_that_writes_during_a_download_is_refused_and_the_vendor_counts_no_write() {
    let vendor = Vendor::start(|_, _| ok("{}")).await;
    let way = to(&vendor);
    let (call, _) = call(way.egress.clone());
    let ammunition = [
        "POST api /records/1\nX-HTTP-Method-Override: PATCH\nbody:\n{\"active\":false}",
        "POST api /records/1?_HttpMethod=PATCH\nbody:\n{\"active\":false}",
        "POST api /composite\nbody:\n{\"compositeRequest\":[{\"method\":\"PATCH\",\"url\":\"/records/1\"}]}",
        "DELETE api /records/1",
        "POST other /records/1",
        "GET api /data/../records/1",
        "GET api /data/1",
    ]
    .join("\n---\n");
    let page = hostile()
        .download_subscriptions(&call, &context("send", &ammunition), b"x")
        .await
        .unwrap();
    let said: Vec<_> = page.accounts[0]
        .name
        .as_deref()
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert!(
        said[..6]
            .iter()
            .all(|line| line.starts_with("failed egress.")),
        "{said:?}"
    );
    assert!(said[6].starts_with("200"), "{said:?}");
    assert_eq!((vendor.seen().len(), vendor.writes()), (1, 0));
    assert_eq!(way.watch.refused.lock().unwrap().len(), 6);
}

#[tokio::test]
async fn d4_a_vendor_that_repeats_the_token_does_not_get_it_into_the_sandbox() {
    let vendor = Vendor::start(|seen, _| {
        let token = seen
            .headers
            .iter()
            .find_map(|h| h.strip_prefix("authorization: Bearer "))
            .unwrap_or_default()
            .to_owned();
        if seen.line.ends_with("header") {
            answer(200, &[&format!("x-echo: {token}")], b"{}")
        } else {
            ok(&token)
        }
    })
    .await;
    let way = to(&vendor);
    for path in ["/data/body", "/data/header"] {
        let failure = way.egress.send(get(path)).await.unwrap_err();
        assert_eq!(failure.code, "egress.leak");
        assert!(!failure.message.contains(TOKEN));
    }
}

#[tokio::test]
async fn a_rejected_token_is_renewed_once_and_the_read_replayed_at_the_new_base() {
    let new = Vendor::start(|seen, _| {
        if seen.has(&format!("authorization: Bearer {TOKEN}2")) {
            ok("{\"fresh\":1}")
        } else {
            answer(401, &[], b"")
        }
    })
    .await;
    let old =
        Vendor::start(|_, _| answer(401, &[], b"[{\"errorCode\":\"INVALID_SESSION\"}]")).await;
    let base = |vendor: &Vendor| format!("http://127.0.0.1:{}", vendor.port);
    let way = way_renewed(
        &base(&old),
        Some(&base(&new)),
        named(&[old.port, new.port]),
        vec![],
    );
    let response = way.egress.send(get("/data/1")).await.unwrap();
    assert_eq!(
        (response.status, response.body.as_slice()),
        (200, b"{\"fresh\":1}".as_slice())
    );
    assert_eq!(
        (
            old.seen().len(),
            new.seen().len(),
            way.grants.renewals.load(Ordering::SeqCst)
        ),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn a_second_401_is_the_guests_and_a_missing_scope_renews_nothing() {
    let vendor = Vendor::start(|seen, _| match seen.line.as_str() {
        "GET /data/scope" => answer(
            401,
            &["www-authenticate: Bearer error=\"insufficient_scope\""],
            b"",
        ),
        _ => answer(401, &[], b"no"),
    })
    .await;
    let way = to(&vendor);
    assert_eq!(way.egress.send(get("/data/1")).await.unwrap().status, 401);
    assert_eq!(
        (
            vendor.seen().len(),
            way.grants.renewals.load(Ordering::SeqCst)
        ),
        (2, 1)
    );
    assert_eq!(
        way.egress.send(get("/data/scope")).await.unwrap().status,
        401
    );
    assert_eq!(
        (
            vendor.seen().len(),
            way.grants.renewals.load(Ordering::SeqCst)
        ),
        (3, 1)
    );
}

/// A port on which nobody listens.
pub async fn closed_port() -> u16 {
    tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[tokio::test]
async fn network_failures_have_their_own_codes() {
    let port = closed_port().await;
    let refused = way(&format!("http://127.0.0.1:{port}"), named(&[port]), vec![])
        .egress
        .send(get("/data/1"))
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code.as_str(), refused.kind),
        ("connect", FailureKind::Transient)
    );
    let mut allow = AllowTargets::none();
    allow.add("nobody.invalid:443").unwrap();
    let unknown = way("https://nobody.invalid", allow, vec![])
        .egress
        .send(get("/data/1"))
        .await
        .unwrap_err();
    assert_eq!(
        (unknown.code.as_str(), unknown.kind),
        ("dns", FailureKind::Transient)
    );
}

#[tokio::test]
async fn a_vendor_that_never_answers_costs_the_call_not_the_host() {
    let vendor = Vendor::start(|_, _| Reply::Silence).await;
    let way = to(&vendor);
    let (mut call, _) = call(way.egress.clone());
    call.limits.wall = std::time::Duration::from_millis(300);
    let outcome = hostile()
        .check(&call, &context("send", "GET api /data/1"), "c")
        .await;
    assert!(
        matches!(outcome, Err(seatwise_runtime::CallError::Timeout { .. })),
        "{outcome:?}"
    );
}
