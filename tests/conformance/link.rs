//! The connector linked to one practice org, without a host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use http::HeaderMap;
use seatwise_practice_org_salesforce::{App, Control, Listen, OrgSpec, PracticeOrg, Running};
use seatwise_runtime::contract::subscriptions::{Account, AccountFact, Assignment};
use seatwise_runtime::contract::types::{Context, Failure, FailureKind};
use seatwise_runtime::{
    AllowTargets, Call, CallError, Component, Egress, EgressObserver, EgressOptions, Grant,
    GrantPort, Limits, LogLevel, LogSink, Manifest, Refusal, Runtime, RuntimeOptions, WayOut,
};
use tokio::sync::OnceCell;

/// Compiled once for all tests of this process.
static COMPONENT: OnceCell<Component> = OnceCell::const_new();

pub struct Link {
    pub org: Running,
    pub component: Component,
    pub call: Call,
    pub ctx: Context,
    pub egress: Arc<Egress>,
    pub tokens: Arc<Tokens>,
}

/// Everything a whole download gave.
#[derive(Default)]
pub struct Downloaded {
    pub accounts: Vec<Account>,
    pub assignments: Vec<Assignment>,
    pub facts: Vec<AccountFact>,
    pub pages: usize,
    pub expected: Option<u64>,
}

/// Client credentials against the practice org's token endpoint.
pub struct Tokens {
    http: reqwest::Client,
    base: String,
    app: App,
    generation: AtomicU64,
    current: tokio::sync::Mutex<Option<Grant>>,
}

impl Tokens {
    pub fn asked(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    async fn ask(&self) -> Result<Grant, Failure> {
        let failed = |code: &str| Failure {
            kind: FailureKind::Auth,
            code: code.to_owned(),
            message: "the token endpoint refused".to_owned(),
            retry_after_ms: None,
        };
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.app.client_id),
            ("client_secret", &self.app.client_secret),
        ];
        let answer = self
            .http
            .post(format!("{}/services/oauth2/token", self.base))
            .form(&form)
            .send()
            .await
            .map_err(|_| failed("token.connect"))?;
        let body: serde_json::Value = answer.json().await.map_err(|_| failed("token.body"))?;
        let (Some(token), Some(instance)) =
            (body["access_token"].as_str(), body["instance_url"].as_str())
        else {
            return Err(failed(body["error"].as_str().unwrap_or("token.shape")));
        };
        let base = instance.parse().map_err(|_| failed("token.instance"))?;
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Grant::bearer(
            token,
            BTreeMap::from([("instance".to_owned(), base)]),
            generation,
        ))
    }
}

#[async_trait]
impl GrantPort for Tokens {
    async fn current(&self) -> Result<Grant, Failure> {
        let mut current = self.current.lock().await;
        if current.is_none() {
            *current = Some(self.ask().await?);
        }
        current
            .clone()
            .ok_or_else(|| unreachable!("it was just set"))
    }

    async fn renew(&self, rejected: u64) -> Result<Grant, Failure> {
        let mut current = self.current.lock().await;
        if current
            .as_ref()
            .is_none_or(|grant| grant.generation <= rejected)
        {
            *current = Some(self.ask().await?);
        }
        current
            .clone()
            .ok_or_else(|| unreachable!("it was just set"))
    }
}

struct Quiet;

impl EgressObserver for Quiet {
    fn answered(&self, _origin: &str, _status: u16, _headers: &HeaderMap) {}
    fn refused(&self, reason: Refusal, detail: &str) {
        eprintln!("refused: {reason:?} {detail}");
    }
}

impl LogSink for Quiet {
    fn emit(&self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        eprintln!("{level:?} {message} {fields:?}");
    }
}

impl Link {
    /// Starts the org and identifies it, so that `ctx.memo` is set as in a run.
    pub async fn to(spec: OrgSpec, now_ms: i64) -> Self {
        let mut link = Self::unidentified(spec, now_ms).await;
        let org = link
            .component
            .identify(&link.call, &link.ctx)
            .await
            .unwrap();
        link.ctx.memo = org.memo;
        link
    }

    pub async fn unidentified(spec: OrgSpec, now_ms: i64) -> Self {
        // Another test of this process may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let component = COMPONENT.get_or_init(compile).await.clone();
        let app = spec.apps[0].clone();
        let org = PracticeOrg::start(spec, Listen::loopback()).await.unwrap();
        org.control().set_now(Some(now_ms));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let tokens = Arc::new(Tokens {
            http,
            base: org.base_url().to_owned(),
            app,
            generation: AtomicU64::new(0),
            current: tokio::sync::Mutex::default(),
        });
        let mut allow = AllowTargets::none();
        allow.insert("127.0.0.1", org.address().port());
        let grants: Arc<dyn GrantPort> = tokens.clone();
        let options = EgressOptions {
            manifest: component.manifest_arc(),
            grants,
            observer: Arc::new(Quiet),
            allow,
            way: WayOut::default(),
        };
        let egress = Arc::new(Egress::new(options).unwrap());
        let call = Call {
            http: egress.clone(),
            log: Arc::new(Quiet),
            now_ms,
            limits: Limits::default(),
        };
        let ctx = Context {
            now: now_ms,
            settings: "{}".to_owned(),
            granted_scopes: vec!["api".to_owned()],
            memo: Vec::new(),
        };
        Self {
            org,
            component,
            call,
            ctx,
            egress,
            tokens,
        }
    }

    pub fn control(&self) -> Control {
        self.org.control()
    }

    /// Follows every chain to its end, one after another.
    pub async fn download(&self) -> Result<Downloaded, CallError> {
        let outline = self
            .component
            .begin_subscriptions(&self.call, &self.ctx, None)
            .await?;
        let mut whole = Downloaded {
            expected: outline.expected_accounts,
            ..Downloaded::default()
        };
        for chain in outline.chains {
            let mut next = Some(chain);
            while let Some(cursor) = next {
                let page = self
                    .component
                    .download_subscriptions(&self.call, &self.ctx, &cursor)
                    .await?;
                whole.accounts.extend(page.accounts);
                whole.assignments.extend(page.assignments);
                whole.facts.extend(page.facts);
                whole.pages += 1;
                assert!(whole.pages < 1_000, "a chain that never ends");
                next = page.next;
            }
        }
        Ok(whole)
    }
}

async fn compile() -> Component {
    let builtin = seatwise_builtin_connectors::all()
        .iter()
        .find(|builtin| builtin.id == "salesforce")
        .unwrap();
    let manifest = Arc::new(Manifest::parse(builtin.manifest).unwrap());
    let runtime = Runtime::new(RuntimeOptions { cache_dir: None }).unwrap();
    let component = tokio::task::spawn_blocking(move || runtime.load(builtin.component, manifest))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(component.digest(), builtin.digest);
    component
}
