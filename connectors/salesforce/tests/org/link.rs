//! A practice org, a token, and the connector's way to it.

use std::{
    cell::RefCell,
    sync::{Once, OnceLock},
};

use regex::Regex;
use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Answer, Call, Connector, Context, Failure, FailureKind, Http, Method, Request, Response,
    activity::ActivityDay,
    bindings::seatwise::connector::http::Header,
    consumption::Pool,
    failure,
    reclaim::{Step, WriteMethod},
    subscriptions::{Account, AccountFact, Assignment},
    testkit::{Records, decode},
};
use seatwise_practice_org_salesforce::{Control, Listen, OrgSpec, PracticeOrg, Running};
use tokio::runtime::Runtime;

static PROVIDER: Once = Once::new();

/// One practice org and the connector's connection to it.
pub struct Link {
    runtime: Runtime,
    http: reqwest::Client,
    pub org: Running,
    token: String,
    pub ctx: Context,
    pub log: Records,
    /// Path and query of every request, decoded.
    pub asked: RefCell<Vec<String>>,
}

/// Everything a whole download gave.
#[derive(Default)]
pub struct Downloaded {
    pub accounts: Vec<Account>,
    pub assignments: Vec<Assignment>,
    pub facts: Vec<AccountFact>,
    pub expected: Option<u64>,
    pub out_of_scope: u64,
    pub pages: usize,
    pub waits: usize,
}

impl Link {
    /// An org that runs, a token, and what `identify` remembers.
    pub fn to(spec: OrgSpec, now_ms: i64) -> Self {
        Self::with(spec, now_ms, "{}")
    }

    /// The same under settings of a profile.
    pub fn with(spec: OrgSpec, now_ms: i64, settings: &str) -> Self {
        let mut link = Self::unidentified(spec, now_ms);
        link.ctx.settings = settings.to_owned();
        link.identify();
        link
    }

    /// Before the first `identify`.
    pub fn unidentified(spec: OrgSpec, now_ms: i64) -> Self {
        PROVIDER.call_once(|| {
            let _installed = rustls::crypto::ring::default_provider().install_default();
        });
        let runtime = Runtime::new().unwrap();
        let app = spec.apps[0].clone();
        let org = runtime
            .block_on(PracticeOrg::start(spec, Listen::loopback()))
            .unwrap();
        org.control().set_now(Some(now_ms));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut link = Self {
            runtime,
            http,
            org,
            token: String::new(),
            ctx: Context {
                now: now_ms,
                settings: "{}".to_owned(),
                granted_scopes: vec!["api".to_owned()],
                memo: vec![],
            },
            log: Records::default(),
            asked: RefCell::default(),
        };
        link.token = link.ask_for_a_token(&app.client_id, &app.client_secret);
        link
    }

    fn ask_for_a_token(&self, id: &str, secret: &str) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
        ];
        let url = format!("{}/services/oauth2/token", self.org.base_url());
        let body: TokenAnswer = self.runtime.block_on(async {
            let answer = self.http.post(url).form(&form).send().await.unwrap();
            answer.json().await.unwrap()
        });
        body.access_token
    }

    /// What the test changes and counts at the vendor.
    pub fn control(&self) -> Control {
        self.org.control()
    }

    /// Finds everything out anew and remembers it.
    pub fn identify(&mut self) {
        self.ctx.memo = Salesforce::identify(&self.call()).unwrap().memo;
    }

    /// A call of the host.
    pub fn call(&self) -> Call<'_> {
        Call::new(&self.ctx, self, &self.log)
    }

    /// Sends a planned step, as the host does after approval.
    pub fn act(&self, step: &Step) -> Answer {
        let method = match step.method {
            WriteMethod::Post => reqwest::Method::POST,
            WriteMethod::Put => reqwest::Method::PUT,
            WriteMethod::Patch => reqwest::Method::PATCH,
            WriteMethod::Delete => reqwest::Method::DELETE,
        };
        let url = format!("{}{}", self.org.base_url(), step.path);
        let mut asked = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(kind) = &step.content_type {
            asked = asked.header("Content-Type", kind);
        }
        if let Some(body) = &step.body {
            asked = asked.body(body.clone());
        }
        Answer::new(self.finish(asked).unwrap())
    }

    /// A record or another resource, as the vendor tells it.
    pub fn get_json(&self, path: &str) -> serde_json::Value {
        let url = format!("{}{path}", self.org.base_url());
        let answer = self
            .finish(self.http.get(url).bearer_auth(&self.token))
            .unwrap();
        assert_eq!(answer.status, 200, "{path}");
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// A query, as the vendor answers it.
    pub fn query(&self, soql: &str) -> serde_json::Value {
        let q = seatwise_connector_sdk::percent_encode(soql);
        self.get_json(&format!("/services/data/v62.0/query?q={q}"))
    }

    /// A change that somebody else makes, which must work.
    pub fn patch(&self, path: &str, body: &str) {
        assert_eq!(self.patch_status(path, body), 204, "{path} {body}");
    }

    /// A change that somebody else tries.
    pub fn patch_status(&self, path: &str, body: &str) -> u16 {
        let url = format!("{}{path}", self.org.base_url());
        let asked = self.http.patch(url).body(body.to_owned());
        self.finish(asked.bearer_auth(&self.token)).unwrap().status
    }

    /// A record that somebody else makes.
    pub fn post(&self, path: &str, body: &str) {
        let url = format!("{}{path}", self.org.base_url());
        let asked = self.http.post(url).body(body.to_owned());
        let answer = self.finish(asked.bearer_auth(&self.token)).unwrap();
        assert_eq!(answer.status, 201, "{path} {body}");
    }

    /// A record that somebody else removes.
    pub fn delete(&self, path: &str) {
        let url = format!("{}{path}", self.org.base_url());
        let asked = self.http.delete(url).bearer_auth(&self.token);
        assert_eq!(self.finish(asked).unwrap().status, 204, "{path}");
    }

    /// All chains to their ends, as the host follows them.
    ///
    /// # Errors
    /// The first failure of the connector.
    pub fn download(&self, since: Option<i64>) -> Result<Downloaded, Failure> {
        let outline = Salesforce::begin_subscriptions(&self.call(), since)?;
        let mut got = Downloaded {
            expected: outline.expected_accounts,
            ..Downloaded::default()
        };
        // A host waits as long as a failure asks it to; here the time simply passes.
        let mut ctx = self.ctx.clone();
        for chain in outline.chains {
            let mut at = Some(chain);
            while let Some(cursor) = at {
                let call = Call::new(&ctx, self, &self.log);
                let page = match Salesforce::download_subscriptions(&call, &cursor) {
                    Ok(page) => page,
                    Err(failure) => {
                        let Some(wait) = failure.retry_after_ms else {
                            return Err(failure);
                        };
                        got.waits += 1;
                        ctx.now += i64::try_from(wait).unwrap();
                        at = Some(cursor);
                        continue;
                    }
                };
                got.accounts.extend(page.accounts);
                got.assignments.extend(page.assignments);
                got.facts.extend(page.facts);
                got.out_of_scope += page.out_of_scope;
                got.pages += 1;
                at = page.next;
            }
        }
        Ok(got)
    }

    /// All days of activity since a moment, each page once.
    ///
    /// # Errors
    /// The first failure of the connector.
    pub fn activity(&self, since: i64) -> Result<Vec<ActivityDay>, Failure> {
        let outline = Salesforce::begin_activity(&self.call(), since)?;
        self.follow_activity(outline.chains)
    }

    /// Chains of activity to their ends.
    ///
    /// # Errors
    /// The first failure of the connector.
    pub fn follow_activity(&self, chains: Vec<Vec<u8>>) -> Result<Vec<ActivityDay>, Failure> {
        let mut days = vec![];
        for chain in chains {
            let mut at = Some(chain);
            while let Some(cursor) = at {
                let page = Salesforce::pull_user_activity(&self.call(), &cursor)?;
                days.extend(page.days);
                at = page.next;
            }
        }
        Ok(days)
    }

    /// Every page of what the vendor counts.
    ///
    /// # Errors
    /// The first failure of the connector.
    pub fn pools(&self) -> Result<Vec<Pool>, Failure> {
        let mut pools = vec![];
        let mut at = None;
        loop {
            let page = Salesforce::download_consumption(&self.call(), at.as_deref())?;
            pools.extend(page.pools);
            at = page.next;
            if at.is_none() {
                return Ok(pools);
            }
        }
    }
}

#[derive(serde::Deserialize)]
struct TokenAnswer {
    access_token: String,
}

/// Whether the host's guard would let a request pass: by the manifest's read operations, and with a body only where one is
/// allowed.
fn is_read_operation(request: &Request) -> bool {
    static OPERATIONS: OnceLock<Vec<(String, Regex, bool)>> = OnceLock::new();
    let operations = OPERATIONS.get_or_init(|| {
        let manifest: toml::Table = include_str!("../../connector.toml").parse().unwrap();
        let operations = manifest["read_operations"].as_array().unwrap().iter();
        operations
            .map(|operation| {
                let path = operation["path"].as_str().unwrap();
                (
                    operation["method"].as_str().unwrap().to_owned(),
                    Regex::new(&format!("^(?:{path})$")).unwrap(),
                    operation
                        .get("body")
                        .is_some_and(|body| body.as_bool() == Some(true)),
                )
            })
            .collect()
    });
    let method = match request.method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Delete => "DELETE",
    };
    let path = request.path_with_query.split('?').next().unwrap();
    operations.iter().any(|(allowed, pattern, body)| {
        allowed == method && pattern.is_match(path) && (*body || request.body.is_none())
    })
}

impl Http for Link {
    fn send(&self, request: Request) -> Result<Response, Failure> {
        assert_eq!(request.origin, "instance");
        assert!(
            is_read_operation(&request),
            "{:?} {} is no read operation of the manifest",
            request.method,
            request.path_with_query
        );
        self.asked
            .borrow_mut()
            .push(decode(&request.path_with_query));
        let url = format!("{}{}", self.org.base_url(), request.path_with_query);
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
        self.finish(asked)
    }
}

impl Link {
    fn finish(&self, asked: reqwest::RequestBuilder) -> Result<Response, Failure> {
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
            Ok(Response {
                status,
                headers,
                body,
            })
        })
    }
}
