//! Builds the hostile guest once and loads it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use seatwise_runtime::contract::http::{Request, Response};
use seatwise_runtime::contract::types::{Context, Failure};
use seatwise_runtime::{
    Call, Component, HttpPort, Limits, LogLevel, LogSink, Manifest, Runtime, RuntimeOptions,
};

/// The clock of every call, unless a test says otherwise.
pub const NOW_MS: i64 = 1_700_000_000_123;

pub const MANIFEST: &str = r#"
[connector]
id = "hostile"
name = "Hostile"
version = "0.1.0"
publisher = "Tests"
abi = "seatwise:connector@0.1.0"
summary = "Attacks its host"

[[origins]]
name = "api"
about = "the test's server"
hosts = ["*.vendor.example.com"]
base = "grant:api_url"

[[read_operations]]
origin = "api"
method = "GET"
path = "/data/.*"
says = "read"

[[read_operations]]
origin = "api"
method = "POST"
path = "/search"
says = "search"
body = true

[[read_operations]]
origin = "api"
method = "POST"
path = "/ping"
says = "ping, without a body"

[[write_operations]]
origin = "api"
method = "PATCH"
path = "/records/[0-9]+"
says = "change a record"

[credential]
kind = "oauth2"
login_hosts = ["login.vendor.example.com"]
token_path = "/token"

[[credential.grants]]
id = "client-credentials"
title = "Client credentials"
fields = ["client_id", "client_secret"]

[[processes]]
id = "subscriptions"
title = "Download"
"#;

pub fn manifest() -> Arc<Manifest> {
    Arc::new(Manifest::parse(MANIFEST).expect("the test's manifest is valid"))
}

/// One engine for all tests, as in production.
pub fn runtime() -> Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| Runtime::new(RuntimeOptions::default()).expect("the engine starts"))
        .clone()
}

/// The hostile guest, compiled from source once per run.
pub fn bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let target_dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("guest");
        let args = [
            "build",
            "--package",
            "seatwise-hostile-guest",
            "--target",
            "wasm32-wasip2",
            "--profile",
            "guest",
        ];
        let build = || {
            Command::new(env!("CARGO"))
                .args(args)
                .arg("--target-dir")
                .arg(&target_dir)
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .env_remove("RUSTFLAGS")
                .env_remove("CARGO_ENCODED_RUSTFLAGS")
                .output()
                .expect("cargo runs")
        };
        let mut built = build();
        if !built.status.success() {
            // The usual reason; where it can't be helped, the person who reads this can.
            let added = Command::new("rustup")
                .args(["target", "add", "wasm32-wasip2"])
                .status();
            assert!(
                added.is_ok_and(|status| status.success()),
                "the guest does not build; run: rustup target add wasm32-wasip2"
            );
            built = build();
        }
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(
            built.status.success(),
            "cargo {} failed:\n{said}",
            args.join(" ")
        );
        let file = target_dir.join("wasm32-wasip2/guest/seatwise_hostile_guest.wasm");
        std::fs::read(&file).expect("cargo built the guest")
    })
}

pub fn hostile() -> Component {
    runtime()
        .load(bytes(), manifest())
        .expect("the hostile guest keeps to the contract's imports")
}

/// The context that starts an attack, with its ammunition.
pub fn context(attack: &str, ammunition: &str) -> Context {
    Context {
        now: NOW_MS,
        settings: attack.to_owned(),
        granted_scopes: Vec::new(),
        memo: ammunition.as_bytes().to_vec(),
    }
}

/// Answers every request at once.
pub struct Instant200;

#[async_trait]
impl HttpPort for Instant200 {
    async fn send(&self, _: Request) -> Result<Response, Failure> {
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: Vec::new(),
        })
    }
}

/// Never answers.
pub struct Never;

#[async_trait]
impl HttpPort for Never {
    async fn send(&self, _: Request) -> Result<Response, Failure> {
        std::future::pending().await
    }
}

/// A log record as the host got it.
#[derive(Clone, Debug)]
pub struct Record {
    pub level: LogLevel,
    pub message: String,
    pub fields: Vec<(String, String)>,
}

#[derive(Default)]
pub struct Records(Mutex<Vec<Record>>);

impl Records {
    pub fn all(&self) -> Vec<Record> {
        self.0.lock().unwrap().clone()
    }
}

impl LogSink for Records {
    fn emit(&self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        self.0.lock().unwrap().push(Record {
            level,
            message: message.to_owned(),
            fields: fields.to_vec(),
        });
    }
}

pub fn call(http: Arc<dyn HttpPort>) -> (Call, Arc<Records>) {
    let log = Arc::new(Records::default());
    (
        Call {
            http,
            log: log.clone(),
            now_ms: NOW_MS,
            limits: Limits::default(),
        },
        log,
    )
}

/// A call with the given limits and a server that always answers.
pub fn limited(change: impl FnOnce(&mut Limits)) -> Call {
    let (mut call, _) = call(Arc::new(Instant200));
    change(&mut call.limits);
    call
}
