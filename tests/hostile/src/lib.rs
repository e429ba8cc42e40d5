//! A connector that attacks its host. One component; the test chooses the attack.
//!
//! `ctx.settings` is the bare name of the attack; `ctx.memo` is its ammunition: for `send` one request per paragraph
//! (`METHOD ORIGIN PATH`, then header lines, then after a line `body:` the body). `describe` has no context, so it looks
//! at the clock: the host's clock stands where the test put it.
//!
//! Invariant: natively this crate is empty, so that a build of the whole workspace does not link it.
#![cfg(target_arch = "wasm32")]
#![expect(
    unsafe_code,
    reason = "the generated exports; nothing else here is unsafe"
)]

use std::hint::black_box;

mod bindings {
    #![allow(clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "../../wit/connector@0.1.0", world: "connector" });
}

use bindings::exports::seatwise::connector::{
    activity, connection, consumption, reclaim, subscriptions,
};
use bindings::seatwise::connector::{http, log, types};
use types::{Attribute, Context, Failure, FailureKind};

/// The clock at which `describe` panics.
const PANIC_AT_MS: u64 = 666;

struct Hostile;

bindings::export!(Hostile with_types_in bindings);

fn failure(code: &str, message: String) -> Failure {
    Failure {
        kind: FailureKind::Internal,
        code: code.to_owned(),
        message,
        retry_after_ms: None,
    }
}

/// What every export with a context does first.
fn attack(ctx: &Context) {
    match ctx.settings.as_str() {
        "panic" => panic!("hostile panic in an export"),
        "exit" => std::process::exit(0),
        "loop" => loop {
            black_box(());
        },
        "copy-loop" => {
            let mut from = vec![1u8; 8 << 20];
            loop {
                let to = from.clone();
                black_box(&to);
                from = to;
            }
        }
        "memory" => {
            let mut all = Vec::new();
            loop {
                all.push(vec![1u8; 1 << 20]);
                black_box(&all);
            }
        }
        "one-allocation" => {
            black_box(vec![1u8; 1 << 30]);
        }
        "recursion" => {
            black_box(deeper(0));
        }
        "recursion-with-frames" => {
            black_box(deeper_with_frames(0));
        }
        "sleep" => std::thread::sleep(std::time::Duration::from_secs(3600)),
        "host-call-flood" => {
            for _ in 0..1_000_000 {
                log::emit(log::Level::Info, "again", &[]);
            }
        }
        "log-flood" => {
            for _ in 0..4_000 {
                log::emit(
                    log::Level::Info,
                    "a line of a flood",
                    &[("n".to_owned(), "1".to_owned())],
                );
            }
        }
        "log-line" => log::emit(
            log::Level::Error,
            &"\u{1b}[31mforged\r\nline\u{202e}".repeat(400_000),
            &[],
        ),
        "stderr-flood" => {
            for n in 0..20_000 {
                eprintln!("line {n} of a flood");
            }
        }
        "http-flood" => {
            for _ in 0..1_000 {
                let _ = http::send(&request("GET api /data/1"));
            }
        }
        "random" => {
            // More at once than the host gives; the standard library asks for what a map needs.
            for _ in 0..1_000 {
                black_box(std::collections::HashMap::<u8, u8>::new());
            }
        }
        _ => {}
    }
}

/// Small frames: the sandbox's own stack ends first.
#[expect(unconditional_recursion, reason = "it is the attack")]
fn deeper(n: u64) -> u64 {
    deeper(n + 1).wrapping_add(black_box(n))
}

/// Large frames: the guest's stack in its linear memory ends first.
#[expect(unconditional_recursion, reason = "it is the attack")]
fn deeper_with_frames(n: u64) -> u64 {
    let frame = black_box([n; 512]);
    deeper_with_frames(frame[0] + 1).wrapping_add(black_box(frame)[1])
}

fn request(text: &str) -> http::Request {
    let (head, body) = match text.split_once("\nbody:\n") {
        Some((head, body)) => (head, Some(body.as_bytes().to_vec())),
        None => (text, None),
    };
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().splitn(3, ' ');
    let method = match words.next() {
        Some("HEAD") => http::Method::Head,
        Some("POST") => http::Method::Post,
        Some("DELETE") => http::Method::Delete,
        _ => http::Method::Get,
    };
    http::Request {
        method,
        origin: words.next().unwrap_or_default().to_owned(),
        path_with_query: words.next().unwrap_or_default().to_owned(),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| http::Header {
                name: name.to_owned(),
                value: value.as_bytes().to_vec(),
            })
            .collect(),
        body,
    }
}

/// Sends every request of the memo; one line of evidence each.
fn send_all(ctx: &Context) -> String {
    let memo = String::from_utf8_lossy(&ctx.memo).into_owned();
    let mut said = String::new();
    for text in memo.split("\n---\n") {
        match http::send(&request(text)) {
            Ok(answer) => {
                let headers: Vec<_> = answer.headers.iter().map(|h| h.name.as_str()).collect();
                let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(200)])
                    .into_owned();
                said += &format!("{} {} {body}\n", answer.status, headers.join(","));
            }
            Err(failure) => said += &format!("failed {} {:?}\n", failure.code, failure.kind),
        }
    }
    said
}

fn account(n: usize, attributes: usize) -> subscriptions::Account {
    subscriptions::Account {
        id: format!("005000000000{n:06}"),
        principal: format!("person.{n}@acme.example.com"),
        email: Some(format!("person.{n}@acme.example.com")),
        name: Some(format!("Person Number {n}")),
        kind: subscriptions::AccountKind::Person,
        active: true,
        created: Some(1),
        last_activity: subscriptions::LastActivity::At(2),
        attributes: (0..attributes)
            .map(|a| Attribute {
                name: format!("attribute.name.{a}"),
                value: format!("a value as long as usual {n}"),
            })
            .collect(),
    }
}

fn assignment(n: usize) -> subscriptions::Assignment {
    subscriptions::Assignment {
        account: format!("005000000000{n:06}"),
        identifier: "SKU".to_owned(),
        id: Some(format!("00e000000000{n:06}")),
        assigned: None,
        evidence: vec![Attribute {
            name: "profile".to_owned(),
            value: "Standard User".to_owned(),
        }],
    }
}

fn page(
    accounts: Vec<subscriptions::Account>,
    assignments: Vec<subscriptions::Assignment>,
) -> subscriptions::Page {
    subscriptions::Page {
        accounts,
        assignments,
        facts: Vec::new(),
        next: None,
        out_of_scope: 0,
        usage: None,
    }
}

fn plan() -> reclaim::Plan {
    reclaim::Plan {
        blockers: vec![],
        unchecked: vec![],
        frees: vec![],
        consequences: vec![],
        steps: vec![],
        before: None,
    }
}

impl connection::Guest for Hostile {
    fn describe() -> connection::Info {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        assert!(
            now.as_millis() as u64 != PANIC_AT_MS,
            "hostile panic in describe"
        );
        connection::Info {
            id: "hostile".to_owned(),
            version: "0.1.0".to_owned(),
        }
    }

    fn identify(ctx: Context) -> Result<connection::Organization, Failure> {
        attack(&ctx);
        Ok(connection::Organization {
            id: "org".to_owned(),
            name: if ctx.settings == "big-text" {
                "x".repeat(5_000)
            } else {
                "Org".to_owned()
            },
            environment: connection::Environment::Unknown,
            edition: None,
            time_zone: None,
            accounts: None,
            memo: vec![
                0;
                if ctx.settings == "big-memo" {
                    16 * 1024 + 1
                } else {
                    0
                }
            ],
        })
    }

    fn checks(ctx: Context) -> Vec<connection::CheckInfo> {
        attack(&ctx);
        let count = if ctx.settings == "many-checks" { 65 } else { 1 };
        (0..count)
            .map(|n| connection::CheckInfo {
                id: format!("c{n}"),
                title: "check".to_owned(),
                serves: vec![],
                mandatory: true,
            })
            .collect()
    }

    fn check(ctx: Context, _id: String) -> Result<connection::CheckResult, Failure> {
        attack(&ctx);
        let evidence = match ctx.settings.as_str() {
            "send" => send_all(&ctx),
            "environment" => {
                let now = std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .unwrap_or_default();
                format!(
                    "env {} args {} clock {}",
                    std::env::vars().count(),
                    std::env::args().count(),
                    now.as_millis()
                )
            }
            "fail" => {
                return Err(failure(
                    "hostile.fail",
                    format!("one\u{1b}[31m {}", "x".repeat(100_000)),
                ));
            }
            _ => "fine".to_owned(),
        };
        Ok(connection::CheckResult {
            verdict: connection::Verdict::Pass,
            evidence,
            fix: None,
        })
    }
}

impl subscriptions::Guest for Hostile {
    fn begin(ctx: Context, _since: Option<i64>) -> Result<subscriptions::Outline, Failure> {
        attack(&ctx);
        let chains = match ctx.settings.as_str() {
            "many-chains" => vec![vec![1]; 257],
            "big-cursor" => vec![vec![1; 16 * 1024 + 1]],
            _ => vec![vec![1]],
        };
        Ok(subscriptions::Outline {
            chains,
            expected_accounts: None,
            usage: None,
        })
    }

    fn download_subscriptions(ctx: Context, _at: Vec<u8>) -> Result<subscriptions::Page, Failure> {
        attack(&ctx);
        let mut page = match ctx.settings.as_str() {
            "full-page" => page(
                (0..2_000).map(|n| account(n, 12)).collect(),
                (0..2_000).map(assignment).collect(),
            ),
            "many-accounts" => page((0..10_001).map(|n| account(n, 0)).collect(), vec![]),
            "huge-list" => page((0..70_000).map(|n| account(n, 1)).collect(), vec![]),
            "many-attributes" => page(vec![account(1, 65)], vec![]),
            "many-assignments" => page(vec![], (0..50_001).map(|_| small_assignment()).collect()),
            "send" => {
                let said = send_all(&ctx);
                let mut page = page(vec![account(1, 0)], vec![]);
                page.accounts[0].name = Some(said);
                page
            }
            _ => page(vec![account(1, 1)], vec![assignment(1)]),
        };
        if ctx.settings == "big-cursor" {
            page.next = Some(vec![1; 16 * 1024 + 1]);
        }
        Ok(page)
    }

    fn lookup_accounts(ctx: Context, _ids: Vec<String>) -> Result<subscriptions::Page, Failure> {
        attack(&ctx);
        Ok(page(vec![], vec![]))
    }
}

fn small_assignment() -> subscriptions::Assignment {
    subscriptions::Assignment {
        account: String::new(),
        identifier: String::new(),
        id: None,
        assigned: None,
        evidence: vec![],
    }
}

impl activity::Guest for Hostile {
    fn begin(ctx: Context, _since: i64) -> Result<activity::Outline, Failure> {
        attack(&ctx);
        Ok(activity::Outline {
            chains: vec![vec![1]],
            complete_from: None,
            usage: None,
        })
    }

    fn pull_user_activity(ctx: Context, _at: Vec<u8>) -> Result<activity::Page, Failure> {
        attack(&ctx);
        let count = if ctx.settings == "many-days" {
            50_001
        } else {
            1
        };
        let day = activity::ActivityDay {
            account: "a".to_owned(),
            day: "2026-01-01".to_owned(),
            kind: activity::Kind::Interactive,
            outcome: activity::Outcome::Success,
            count: 1,
            last: 1,
            source: String::new(),
        };
        Ok(activity::Page {
            days: vec![day; count],
            next: None,
            usage: None,
        })
    }
}

impl consumption::Guest for Hostile {
    fn download_consumption(
        ctx: Context,
        _resume: Option<Vec<u8>>,
    ) -> Result<consumption::Page, Failure> {
        attack(&ctx);
        let count = if ctx.settings == "many-pools" {
            2_001
        } else {
            1
        };
        let pool = consumption::Pool {
            identifier: "SKU".to_owned(),
            label: "Pool".to_owned(),
            metric: consumption::Metric::Seats,
            owned: None,
            used: None,
            period: None,
            expires: None,
            active: true,
            attributes: vec![],
        };
        Ok(consumption::Page {
            pools: vec![pool; count],
            next: None,
            usage: None,
        })
    }
}

impl reclaim::Guest for Hostile {
    fn plan_reclaim(
        ctx: Context,
        targets: Vec<reclaim::Target>,
    ) -> Result<Vec<Result<reclaim::Plan, Failure>>, Failure> {
        attack(&ctx);
        let count = if ctx.settings == "too-few" {
            0
        } else {
            targets.len()
        };
        let mut plan = plan();
        if ctx.settings == "many-steps" {
            let step = reclaim::Step {
                method: reclaim::WriteMethod::Patch,
                origin: "api".to_owned(),
                path: "/records/1".to_owned(),
                content_type: None,
                body: None,
                says: "x".to_owned(),
            };
            plan.steps = vec![step; 21];
        }
        Ok(vec![Ok(plan); count])
    }

    fn plan_restore(
        ctx: Context,
        _target: reclaim::Target,
        _before: reclaim::BeforeImage,
    ) -> Result<reclaim::Plan, Failure> {
        attack(&ctx);
        let mut plan = plan();
        if ctx.settings == "big-before" {
            plan.before = Some(reclaim::BeforeImage {
                format: "x".to_owned(),
                data: vec![0; 64 * 1024 + 1],
            });
        }
        Ok(plan)
    }

    fn judge(ctx: Context, _step: reclaim::Step, _response: http::Response) -> reclaim::Verdict {
        attack(&ctx);
        reclaim::Verdict {
            judgement: reclaim::Judgement::Unknown,
            detail: None,
        }
    }

    fn observe(
        ctx: Context,
        targets: Vec<reclaim::Target>,
    ) -> Result<Vec<reclaim::Observation>, Failure> {
        attack(&ctx);
        Ok(targets
            .iter()
            .map(|_| reclaim::Observation {
                state: reclaim::State::Unknown,
                detail: String::new(),
            })
            .collect())
    }
}
