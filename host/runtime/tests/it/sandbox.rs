//! Limits of the sandbox, each against a guest that goes for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use seatwise_runtime::contract::http::Response;
use seatwise_runtime::contract::reclaim::{BeforeImage, Step, Target, WriteMethod};
use seatwise_runtime::{CallError, LoadError, Runtime, RuntimeOptions, limits};

use crate::guest::{self, Instant200, NOW_MS, Never, call, context, hostile, limited, manifest};

#[track_caller]
fn hit<T: std::fmt::Debug>(outcome: Result<T, CallError>, wanted: &str) {
    match outcome {
        Err(CallError::Limit { limit, .. }) => assert_eq!(limit, wanted),
        Err(other) => panic!("wanted limit {wanted}, got {other:?}"),
        Ok(_) => panic!("wanted limit {wanted}, got a result"),
    }
}

/// The engine still serves an honest call.
async fn host_is_fine() {
    let info = hostile()
        .describe(&limited(|_| {}))
        .await
        .expect("an honest call works");
    assert_eq!(info.id, "hostile");
}

fn target() -> Target {
    Target {
        account: "a".into(),
        identifier: "i".into(),
        action: "deactivate".into(),
        to: None,
    }
}

#[tokio::test]
async fn d1_an_endless_loop_ends_at_its_cpu_budget_and_others_go_on() {
    let component = hostile();
    let call = limited(|l| l.cpu = Duration::from_millis(300));
    let context = context("loop", "");
    let (looping, honest) = tokio::join!(component.identify(&call, &context), host_is_fine());
    hit(looping, "cpu");
    let () = honest;
    host_is_fine().await;
}

#[tokio::test]
async fn d1_a_loop_of_bulk_copies_ends_too() {
    let call = limited(|l| l.cpu = Duration::from_millis(300));
    hit(
        hostile().identify(&call, &context("copy-loop", "")).await,
        "cpu",
    );
}

#[tokio::test]
async fn d1_endless_recursion_ends_at_the_stack_limit() {
    hit(
        hostile()
            .identify(&limited(|_| {}), &context("recursion", ""))
            .await,
        "stack",
    );
    // Where the frames lie in linear memory the guest runs out of its own stack first, and crashes.
    let outcome = hostile()
        .identify(&limited(|_| {}), &context("recursion-with-frames", ""))
        .await;
    assert!(
        matches!(outcome, Err(CallError::Trap { .. })),
        "{outcome:?}"
    );
    host_is_fine().await;
}

#[tokio::test]
async fn a_guest_that_waits_in_a_host_call_ends_with_the_wall_clock() {
    let (mut call, _) = call(Arc::new(Never));
    call.limits.wall = Duration::from_millis(200);
    let started = Instant::now();
    let outcome = hostile()
        .check(&call, &context("send", "GET api /data/1"), "c")
        .await;
    assert!(
        matches!(outcome, Err(CallError::Timeout { after_ms: 200 })),
        "{outcome:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(20));
    host_is_fine().await;
}

#[tokio::test]
async fn a_guest_that_sleeps_ends_with_the_wall_clock() {
    let call = limited(|l| l.wall = Duration::from_millis(200));
    let outcome = hostile().identify(&call, &context("sleep", "")).await;
    assert!(
        matches!(outcome, Err(CallError::Timeout { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn waiting_for_a_vendor_is_not_charged_to_the_guests_cpu() {
    struct Slow;
    #[async_trait::async_trait]
    impl seatwise_runtime::HttpPort for Slow {
        async fn send(
            &self,
            _: seatwise_runtime::contract::http::Request,
        ) -> Result<Response, seatwise_runtime::contract::types::Failure> {
            // Many ticks pass on the engine's own thread meanwhile.
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            Ok(Response {
                status: 204,
                headers: vec![],
                body: vec![],
            })
        }
    }
    let (mut call, _) = call(Arc::new(Slow));
    call.limits.cpu = Duration::from_millis(1_000);
    let result = hostile()
        .check(&call, &context("send", "GET api /data/1"), "c")
        .await
        .unwrap();
    assert!(result.evidence.starts_with("204"), "{}", result.evidence);
}

#[tokio::test]
async fn d2_a_memory_bomb_ends_at_the_memory_limit() {
    hit(
        hostile()
            .identify(&limited(|_| {}), &context("memory", ""))
            .await,
        "memory",
    );
    hit(
        hostile()
            .identify(&limited(|_| {}), &context("one-allocation", ""))
            .await,
        "memory",
    );
    host_is_fine().await;
}

#[tokio::test]
async fn d2_a_million_host_calls_end_at_the_host_call_limit() {
    hit(
        hostile()
            .identify(&limited(|_| {}), &context("host-call-flood", ""))
            .await,
        "host-calls",
    );
}

#[tokio::test]
async fn d2_a_flood_of_requests_ends_at_the_http_limit() {
    hit(
        hostile()
            .identify(&limited(|_| {}), &context("http-flood", ""))
            .await,
        "http-calls",
    );
}

#[tokio::test]
async fn d2_a_huge_list_ends_at_the_crossing_limit_before_the_host_holds_it() {
    hit(
        hostile()
            .download_subscriptions(&limited(|_| {}), &context("huge-list", ""), b"x")
            .await,
        "crossing",
    );
}

#[tokio::test]
async fn d2_each_returned_list_and_text_has_its_cap() {
    let component = hostile();
    let call = limited(|_| {});
    let download = async |attack: &str| {
        component
            .download_subscriptions(&call, &context(attack, ""), b"x")
            .await
    };
    hit(download("many-accounts").await, "accounts");
    hit(download("many-assignments").await, "assignments");
    hit(download("many-attributes").await, "attributes");
    hit(download("big-cursor").await, "cursor");
    hit(
        component
            .begin_subscriptions(&call, &context("big-cursor", ""), None)
            .await,
        "cursor",
    );
    hit(
        component
            .begin_subscriptions(&call, &context("many-chains", ""), None)
            .await,
        "chains",
    );
    hit(
        component.identify(&call, &context("big-memo", "")).await,
        "memo",
    );
    hit(
        component.identify(&call, &context("big-text", "")).await,
        "text",
    );
    hit(
        component.checks(&call, &context("many-checks", "")).await,
        "checks",
    );
    hit(
        component
            .pull_user_activity(&call, &context("many-days", ""), b"x")
            .await,
        "days",
    );
    hit(
        component
            .download_consumption(&call, &context("many-pools", ""), None)
            .await,
        "pools",
    );
    hit(
        component
            .plan_reclaim(&call, &context("many-steps", ""), &[target()])
            .await,
        "steps",
    );
    hit(
        component
            .plan_reclaim(&call, &context("too-few", ""), &[target()])
            .await,
        "plans",
    );
    let before = BeforeImage {
        format: "x".into(),
        data: vec![],
    };
    hit(
        component
            .plan_restore(&call, &context("big-before", ""), &target(), &before)
            .await,
        "before-image",
    );
}

#[tokio::test]
async fn a_legitimate_page_of_two_thousand_accounts_fits_every_limit() {
    let component = hostile();
    let call = limited(|_| {});
    let started = Instant::now();
    let page = component
        .download_subscriptions(&call, &context("full-page", ""), b"x")
        .await
        .unwrap();
    let full = started.elapsed();
    assert_eq!(
        (page.accounts.len(), page.assignments.len()),
        (2_000, 2_000)
    );
    assert_eq!(page.accounts[7].attributes.len(), 12);
    let started = Instant::now();
    for _ in 0..100 {
        component.instantiate(&call).await.unwrap();
    }
    println!(
        "page of 2,000 accounts: {full:?}; instance: {:?}",
        started.elapsed() / 100
    );
}

#[tokio::test]
async fn a_page_needs_less_than_a_third_of_the_crossing_limit() {
    let call = limited(|l| l.crossing_bytes = limits::CROSSING_BYTES / 3);
    hostile()
        .download_subscriptions(&call, &context("full-page", ""), b"x")
        .await
        .unwrap();
}

#[tokio::test]
async fn d3_a_panic_in_each_export_is_reported_and_poisons_nothing() {
    let component = hostile();
    let call = limited(|_| {});
    let cx = context("panic", "");
    let step = Step {
        method: WriteMethod::Patch,
        origin: "api".into(),
        path: "/".into(),
        content_type: None,
        body: None,
        says: String::new(),
    };
    let response = Response {
        status: 200,
        headers: vec![],
        body: vec![],
    };
    let before = BeforeImage {
        format: "x".into(),
        data: vec![],
    };
    let outcomes = [
        ("identify", component.identify(&call, &cx).await.err()),
        ("checks", component.checks(&call, &cx).await.err()),
        ("check", component.check(&call, &cx, "c").await.err()),
        (
            "begin_subscriptions",
            component.begin_subscriptions(&call, &cx, None).await.err(),
        ),
        (
            "download_subscriptions",
            component
                .download_subscriptions(&call, &cx, b"x")
                .await
                .err(),
        ),
        (
            "lookup_accounts",
            component.lookup_accounts(&call, &cx, &[]).await.err(),
        ),
        (
            "begin_activity",
            component.begin_activity(&call, &cx, 0).await.err(),
        ),
        (
            "pull_user_activity",
            component.pull_user_activity(&call, &cx, b"x").await.err(),
        ),
        (
            "download_consumption",
            component.download_consumption(&call, &cx, None).await.err(),
        ),
        (
            "plan_reclaim",
            component.plan_reclaim(&call, &cx, &[target()]).await.err(),
        ),
        (
            "plan_restore",
            component
                .plan_restore(&call, &cx, &target(), &before)
                .await
                .err(),
        ),
        (
            "judge",
            component.judge(&call, &cx, &step, &response).await.err(),
        ),
        (
            "observe",
            component.observe(&call, &cx, &[target()]).await.err(),
        ),
    ];
    for (export, outcome) in outcomes {
        match outcome {
            Some(CallError::Trap { detail }) => assert!(
                detail.contains("hostile panic in an export"),
                "{export}: {detail}"
            ),
            other => panic!("{export}: {other:?}"),
        }
        host_is_fine().await;
    }
    let mut at = limited(|_| {});
    at.now_ms = 666;
    assert!(matches!(
        component.describe(&at).await,
        Err(CallError::Trap { .. })
    ));
    host_is_fine().await;
}

#[tokio::test]
async fn d3_exit_is_a_trap_and_ends_nothing_but_the_call() {
    match hostile()
        .identify(&limited(|_| {}), &context("exit", ""))
        .await
    {
        Err(CallError::Trap { detail }) => assert!(detail.contains("exit(0)"), "{detail}"),
        other => panic!("{other:?}"),
    }
    host_is_fine().await;
}

#[tokio::test]
async fn a_log_flood_is_dropped_counted_and_does_not_fail_the_call() {
    let (call, records) = call(Arc::new(Instant200));
    hostile()
        .identify(&call, &context("log-flood", ""))
        .await
        .unwrap();
    let all = records.all();
    assert_eq!(all.len(), limits::LOG_RECORDS as usize + 1);
    assert_eq!(
        all.last().unwrap().fields,
        [("dropped".to_owned(), "3000".to_owned())]
    );
}

#[tokio::test]
async fn standard_error_has_the_same_caps_and_is_debug() {
    let (call, records) = call(Arc::new(Instant200));
    hostile()
        .identify(&call, &context("stderr-flood", ""))
        .await
        .unwrap();
    let all = records.all();
    assert_eq!(all.len(), limits::LOG_RECORDS as usize + 1);
    assert_eq!(all[0].message, "line 0 of a flood");
    assert!(matches!(all[0].level, seatwise_runtime::LogLevel::Debug));
}

#[tokio::test]
async fn a_log_line_of_megabytes_is_cut_and_cleaned() {
    let (call, records) = call(Arc::new(Instant200));
    hostile()
        .identify(&call, &context("log-line", ""))
        .await
        .unwrap();
    let message = &records.all()[0].message;
    assert!(message.len() <= limits::LOG_RECORD_BYTES + 3);
    assert!(!message.chars().any(|c| c.is_control() || c == '\u{202e}'));
}

#[tokio::test]
async fn wasi_has_no_environment_no_arguments_and_the_hosts_clock() {
    let result = hostile()
        .check(&limited(|_| {}), &context("environment", ""), "c")
        .await
        .unwrap();
    assert_eq!(result.evidence, format!("env 0 args 0 clock {NOW_MS}"));
}

#[tokio::test]
async fn a_failure_of_the_guest_is_cut_and_cleaned() {
    match hostile()
        .check(&limited(|_| {}), &context("fail", ""), "c")
        .await
    {
        Err(CallError::Failed(failure)) => {
            assert_eq!(failure.code, "hostile.fail");
            assert!(
                failure.message.len() <= limits::TEXT_BYTES && !failure.message.contains('\u{1b}')
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_context_over_the_contracts_caps_never_reaches_the_guest() {
    let big = "x".repeat(limits::MEMO_BYTES + 1);
    hit(
        hostile()
            .identify(&limited(|_| {}), &context("", &big))
            .await,
        "memo",
    );
}

#[test]
fn a_component_is_compiled_once_however_many_ask() {
    let bytes = guest::bytes();
    let runtime = Runtime::new(RuntimeOptions::default()).unwrap();
    let started = Instant::now();
    std::thread::scope(|scope| {
        let loads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| runtime.load(bytes, manifest()).unwrap().digest().to_owned()))
            .collect();
        let digests: Vec<_> = loads.into_iter().map(|load| load.join().unwrap()).collect();
        assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
    });
    let first = started.elapsed();
    let started = Instant::now();
    runtime.load(bytes, manifest()).unwrap();
    assert!(
        started.elapsed() < first / 4,
        "the next load compiles nothing"
    );
}

#[cfg(unix)]
#[test]
fn the_compile_cache_is_private_and_survives_the_runtime() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let cache_dir = dir.path().join("cache");
    let load = || {
        let runtime = Runtime::new(RuntimeOptions {
            cache_dir: Some(cache_dir.clone()),
        })
        .unwrap();
        runtime.load(guest::bytes(), manifest()).unwrap();
    };
    load();
    assert_eq!(
        std::fs::metadata(&cache_dir).unwrap().permissions().mode() & 0o777,
        0o700
    );
    assert!(
        std::fs::read_dir(&cache_dir).unwrap().next().is_some(),
        "compiled code was kept"
    );
    load();
}

#[track_caller]
fn refused(wat: &str) -> LoadError {
    let bytes = wat::parse_str(wat).expect("the test's WAT is valid");
    guest::runtime()
        .load(&bytes, manifest())
        .err()
        .expect("the component is refused")
}

#[test]
fn a_component_that_imports_sockets_or_files_is_refused_with_the_likely_cause() {
    let files = refused(r#"(component (import "wasi:filesystem/types@0.2.6" (instance)))"#);
    assert_eq!(files.code(), "component.import");
    assert!(files.to_string().contains("std::fs"), "{files}");
    let sockets = refused(r#"(component (import "wasi:sockets/tcp@0.2.6" (instance)))"#);
    assert!(sockets.to_string().contains("std::net"), "{sockets}");
    let http = refused(r#"(component (import "wasi:http/outgoing-handler@0.2.6" (instance)))"#);
    assert!(http.to_string().contains("adds the credential"), "{http}");
    assert_eq!(
        refused(r#"(component (import "acme:secret/store@1.0.0" (instance)))"#).code(),
        "component.import"
    );
}

#[test]
fn a_component_without_the_exports_or_of_another_version_is_refused_by_name() {
    let empty = refused("(component)");
    assert!(
        empty
            .to_string()
            .contains("seatwise:connector/connection@0.1.0"),
        "{empty}"
    );
    let newer = refused(r#"(component (import "seatwise:connector/http@0.3.0" (instance)))"#);
    assert!(
        newer.to_string().contains(
            "built for seatwise:connector 0.3.0, this host supports seatwise:connector 0.1"
        ),
        "{newer}"
    );
    assert_eq!(refused("(module)").code(), "component.invalid");
}

#[test]
fn what_the_engine_has_switched_off_does_not_compile() {
    for wat in [
        "(component (core module (memory i64 1)))",
        "(component (core module (memory 1 1 shared)))",
        "(component (core module (func $f (return_call $f))))",
    ] {
        assert_eq!(refused(wat).code(), "component.invalid", "{wat}");
    }
}

#[test]
fn a_component_larger_than_the_limit_is_refused_before_it_is_compiled() {
    let bytes = vec![0; limits::COMPONENT_BYTES + 1];
    assert_eq!(
        guest::runtime()
            .load(&bytes, manifest())
            .err()
            .unwrap()
            .code(),
        "component.too_large"
    );
}

#[test]
fn a_manifest_for_another_contract_is_refused() {
    let text = guest::MANIFEST.replace("connector@0.1.0", "connector@0.9.0");
    let other = Arc::new(seatwise_runtime::Manifest::parse(&text).unwrap());
    assert_eq!(
        guest::runtime()
            .load(guest::bytes(), other)
            .err()
            .unwrap()
            .code(),
        "component.version"
    );
}
