//! The two ends of a measurement of each way of reading; `tests/bench/ways` starts them and prints the table.
//!
//!     ways org USERS LOGINS_PER_USER      a practice org, until standard input closes; one line of JSON says where it is
//!     ways read WAY DAYS SECONDS ORG      one way, read whole or for that long; ORG is that line. One line of JSON says what it cost
//!
//! Each is a process of its own, so that memory and computing time of the org and of the connector are told apart. The connector
//! runs as it is, without the sandbox; pages are dropped as soon as they are counted, as a host drops them once they are stored. A
//! failure that asks for time is answered by moving the clock on: what a Bulk job waits is not measured.
//!
//! A measurement that cannot be taken has nothing to say, so whatever goes wrong ends the program.

use std::{
    cell::Cell,
    io::Read as _,
    time::{Duration, Instant},
};

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Call, Connector, Context, Failure, FailureKind, Http, Level, Log, Method, Request, Response,
    bindings::seatwise::connector::http::Header, cursor::Writer, failure,
};
use seatwise_practice_org_salesforce::{
    Crowd, Listen, OrgSpec, PracticeOrg, worked_example::T0_MS,
};
use tokio::runtime::Runtime;

const DAY_MS: i64 = 86_400_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("nothing else has installed one");
    match words.as_slice() {
        ["org", users, logins] => serve(number(users), number(logins)),
        ["read", way, days, seconds, org] => {
            let limit = Duration::from_secs(number(seconds));
            let told = read(
                way,
                i64::try_from(number(days)).expect("days fit"),
                limit,
                serde_json::from_str(org).expect("ORG is what `ways org` said"),
            );
            println!("{told}");
        }
        _ => panic!("usage: ways org USERS LOGINS | ways read WAY DAYS SECONDS ORG"),
    }
}

fn number(word: &str) -> u64 {
    word.parse().expect("a whole number")
}

/// A practice org whose clock stands still.
fn serve(users: u64, logins: u64) {
    let mut spec = OrgSpec::new("00D5g0000000001EAA", "Ways", "ways.my.salesforce.com");
    spec.logins_per_user = logins;
    spec.api_limit = 5_000_000;
    spec.crowd = Some(Crowd {
        as_of_ms: Some(T0_MS),
        ..Crowd::new(users, 3)
    });
    let app = spec.apps[0].clone();
    let runtime = Runtime::new().expect("threads can be made");
    let org = runtime
        .block_on(PracticeOrg::start(spec, Listen::loopback()))
        .expect("loopback has a free port");
    org.control().set_now(Some(T0_MS));
    println!(
        "{}",
        serde_json::json!({
            "base_url": org.base_url(), "client_id": app.client_id, "client_secret": app.client_secret,
        })
    );
    let _closed = std::io::stdin().read_to_end(&mut Vec::new());
}

/// One way, from its first request to its last, or until the time is over.
fn read(way: &str, days: i64, limit: Duration, org: Org) -> serde_json::Value {
    let users_by =
        |how: &str| format!("{{\"read_users_by\":{how:?},\"licence_kinds\":[\"features\"]}}");
    let settings = match way {
        "users-rest" => users_by("rest"),
        "users-bulk" => users_by("bulk"),
        _ => "{\"activity_source\":\"login_history\",\"licence_kinds\":[\"features\"]}".to_owned(),
    };
    let wire = Wire::to(org);
    let mut ctx = Context {
        now: T0_MS,
        settings,
        granted_scopes: vec!["api".to_owned()],
        memo: vec![],
    };
    let call = |ctx: &Context| Salesforce::identify(&Call::new(ctx, &wire, &Quiet));
    ctx.memo = call(&ctx).expect("the org answers").memo;
    wire.calls.set(0);
    let begun = Instant::now();
    let is_over = || begun.elapsed() > limit;
    let (rows, share) = match way {
        "logins-counted" => logins(&ctx, &wire, (0, 1), days, &is_over),
        "logins-rows" => logins(&ctx, &wire, (1, 7), days, &is_over),
        _ => users(&mut ctx, &wire, &is_over),
    };
    serde_json::json!({
        "rows": rows, "share": share, "calls": wire.calls.get(), "wall_s": begun.elapsed().as_secs_f64(),
        "bytes": wire.bytes.get(),
    })
}

/// All users, and who of them is frozen. How many, and the share of those that there are.
fn users(ctx: &mut Context, wire: &Wire, is_over: &dyn Fn() -> bool) -> (u64, f64) {
    let outline = Salesforce::begin_subscriptions(&Call::new(ctx, wire, &Quiet), None)
        .expect("the org answers");
    let expected = outline.expected_accounts.expect("users are counted");
    let mut rows = 0;
    for chain in outline.chains {
        let mut at = Some(chain);
        while let Some(cursor) = at.take_if(|_| !is_over()) {
            match Salesforce::download_subscriptions(&Call::new(ctx, wire, &Quiet), &cursor) {
                Ok(page) => {
                    rows += page.accounts.len() as u64;
                    at = page.next;
                }
                Err(failure) => {
                    let wait = failure.retry_after_ms.expect("the org answers");
                    ctx.now += i64::try_from(wait).expect("a wait is short");
                    at = Some(cursor);
                }
            }
        }
    }
    (rows, rows as f64 / expected as f64)
}

/// All logins of some days, in windows as the connector makes them. How many, and the share of the time that was read.
fn logins(
    ctx: &Context,
    wire: &Wire,
    (way, window_days): (u64, i64),
    days: i64,
    is_over: &dyn Fn() -> bool,
) -> (u64, f64) {
    let until = T0_MS.div_euclid(DAY_MS) * DAY_MS;
    let begins = until - days * DAY_MS;
    let (mut rows, mut from) = (0, begins);
    while from < until && !is_over() {
        let end = (from + window_days * DAY_MS).min(until);
        let mut at = Some(window(way, from, end));
        while let Some(cursor) = at {
            let page = Salesforce::pull_user_activity(&Call::new(ctx, wire, &Quiet), &cursor)
                .expect("the org answers");
            rows += page
                .days
                .iter()
                .map(|day| u64::from(day.count))
                .sum::<u64>();
            at = page.next;
        }
        from = end;
    }
    (rows, (from - begins) as f64 / (until - begins) as f64)
}

/// A chain of one window, as the connector begins it for either way.
fn window(way: u64, from: i64, end: i64) -> Vec<u8> {
    Writer::new(1)
        .number(way)
        .maybe(Some(from))
        .maybe(Some(end))
        .maybe(Some(end))
        .maybe(Some(end - from))
        .text("")
        .text("")
        .finish()
}

/// Where the org is.
#[derive(serde::Deserialize)]
struct Org {
    base_url: String,
    client_id: String,
    client_secret: String,
}

/// The connector's way to the org. Answers come compressed, as they do to the host.
struct Wire {
    runtime: Runtime,
    http: reqwest::Client,
    base_url: String,
    token: String,
    /// Requests that count against an org's limit.
    calls: Cell<u64>,
    /// Of the bodies, unpacked.
    bytes: Cell<u64>,
}

impl Wire {
    fn to(org: Org) -> Self {
        #[derive(serde::Deserialize)]
        struct Token {
            access_token: String,
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime of one thread can be made");
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client without options");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &org.client_id),
            ("client_secret", &org.client_secret),
        ];
        let asked = http
            .post(format!("{}/services/oauth2/token", org.base_url))
            .form(&form);
        let token = runtime.block_on(async {
            let answer = asked.send().await.expect("the org is there");
            let token = answer.json::<Token>().await;
            token.expect("the app gets a token").access_token
        });
        Self {
            runtime,
            http,
            base_url: org.base_url,
            token,
            calls: Cell::new(0),
            bytes: Cell::new(0),
        }
    }
}

impl Http for Wire {
    fn send(&self, request: Request) -> Result<Response, Failure> {
        self.calls.set(self.calls.get() + 1);
        let url = format!("{}{}", self.base_url, request.path_with_query);
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Head => reqwest::Method::HEAD,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut asked = self.http.request(method, url).bearer_auth(&self.token);
        for header in &request.headers {
            asked = asked.header(&header.name, header.value.as_slice());
        }
        if let Some(body) = request.body {
            asked = asked.body(body);
        }
        let cut = |error: reqwest::Error| {
            failure::of(FailureKind::Transient, "cut_body", error.to_string())
        };
        self.runtime.block_on(async {
            let answer = asked.send().await.map_err(cut)?;
            let status = answer.status().as_u16();
            let headers = answer
                .headers()
                .iter()
                .map(|(name, value)| Header {
                    name: name.as_str().to_owned(),
                    value: value.as_bytes().to_vec(),
                })
                .collect();
            let body = answer.bytes().await.map_err(cut)?.to_vec();
            self.bytes.set(self.bytes.get() + body.len() as u64);
            Ok(Response {
                status,
                headers,
                body,
            })
        })
    }
}

/// What the connector logs is not measured.
struct Quiet;

impl Log for Quiet {
    fn emit(&self, _: Level, _: &str, _: &[(String, String)]) {}
}
