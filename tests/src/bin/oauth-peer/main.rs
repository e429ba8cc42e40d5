//! Seatwise's sign-in with a code, its refresh, its client credentials and its single sign-on against an OAuth server that we did not write:
//! `oauth-peer PROVIDER.mjs`. Prints TAP.
//!
//! The server runs under node and says where it listens; a manifest of its own describes its dialect. Whoever walks the consent is a
//! browser without script: it keeps cookies and follows redirects.

mod sign_on;

use std::collections::BTreeMap;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;

use seatwise::app::host::Host;
use seatwise::credentials::signin::{self, Callback, Subject};
use seatwise::credentials::{self, CredentialError, NewCredential, proof};
use seatwise::kernel::faults::NoFaults;
use seatwise::kernel::{AliasId, IntoProblem as _, ProfileId};
use seatwise_practice_org_salesforce::worked_example;
use seatwise_runtime::{GrantPort, Manifest};
use seatwise_tests::database::{Database, Engine};
use seatwise_tests::world::{World, host};
use serde::Deserialize;
use sqlx::Row as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use url::Url;

const CALLBACK: &str = "http://127.0.0.1/connect/callback";
const SIGN_ON_CALLBACK: &str = "http://127.0.0.1/sign-in/sso/callback";

const MANIFEST: &str = r#"
[connector]
id = "peer"
name = "Peer"
version = "0.1.0"
publisher = "Tests"
abi = "seatwise:connector@0.1.0"
summary = "An OAuth server that we did not write."

[[origins]]
name = "self"
hosts = ["peer.example.com"]
base = "login"

[[read_operations]]
origin = "self"
method = "GET"
path = "/me"
says = "read who it is"

[credential]
kind = "oauth2"
login_hosts = ["peer.example.com"]
token_path = "/token"
authorize_path = "/auth"
identity = { origin = "self", path = "/me", name = "sub" }

[[credential.grants]]
id = "authorization-code"
title = "Code"
scopes = ["openid", "api"]
fields = ["client_id", "client_secret"]
pkce = "always"
prompt = "login"

[[credential.grants]]
id = "client-credentials"
title = "Client credentials"
scopes = ["api"]
fields = ["client_id", "client_secret"]

[[processes]]
id = "subscriptions"
title = "Download"
"#;

/// What the server says when it listens.
#[derive(Deserialize)]
struct Provider {
    issuer: Url,
    person: String,
    code_secret: String,
    machine_secret: String,
    people_secret: String,
}

/// Prints one test each.
#[derive(Default)]
struct Tap {
    number: u32,
    failed: u32,
}

impl Tap {
    fn check(&mut self, holds: bool, says: &str, seen: &dyn std::fmt::Debug) {
        self.number += 1;
        if holds {
            println!("ok {} - oidc-provider {says}", self.number);
        } else {
            self.failed += 1;
            println!("not ok {} - oidc-provider {says}: {seen:?}", self.number);
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(script) = std::env::args().nth(1) else {
        eprintln!("usage: oauth-peer PROVIDER.mjs");
        return ExitCode::from(2);
    };
    match run(&script).await {
        Ok(tap) => {
            println!("1..{}", tap.number);
            ExitCode::from(u8::from(tap.failed > 0))
        }
        Err(error) => {
            println!("not ok 1 - oidc-provider is talked to at all: {error}");
            ExitCode::FAILURE
        }
    }
}

type Failed = Box<dyn std::error::Error>;

async fn run(script: &str) -> Result<Tap, Failed> {
    // Somebody else in this process may have chosen the same provider first; either choice is ring.
    let _already = rustls::crypto::ring::default_provider().install_default();
    let mut node = tokio::process::Command::new("node")
        .args([script, CALLBACK, SIGN_ON_CALLBACK])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = node.stdout.take().ok_or("node has no output")?;
    let line = BufReader::new(output).lines().next_line().await?;
    let provider: Provider = serde_json::from_str(&line.ok_or("the server said nothing")?)?;
    let mut tap = Tap::default();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        sign_on::tell(&provider, engine, &mut tap).await?;
    }
    acts_as(&provider, &serde_json::json!({ "sub": provider.person })).await?;
    let told = Peer::new(provider).await?.tell(tap).await;
    node.kill().await?;
    told
}

/// A host with a profile, and the server.
struct Peer {
    provider: Provider,
    manifest: Arc<Manifest>,
    world: World,
    host: Host,
    profile: ProfileId,
    alias: AliasId,
}

impl Peer {
    async fn new(provider: Provider) -> Result<Self, Failed> {
        let database = Database::new(Engine::Sqlite);
        let spec = worked_example::org1(worked_example::T0_MS);
        let world =
            World::unpublished(&database, spec, Arc::new(NoFaults), "client-credentials").await;
        let row = {
            let mut tx = world.host.store.read_everything().await?;
            sqlx::query("select id, alias_id from profiles")
                .fetch_one(tx.conn())
                .await?
        };
        let port = provider.issuer.port().ok_or("the server has no port")?;
        let store = database.open_with(Arc::new(NoFaults)).await;
        let clock = world.clock.clone();
        let host = host(
            database.folder(),
            store,
            clock,
            &[port],
            Arc::new(NoFaults),
            2,
        );
        Ok(Self {
            provider,
            manifest: Arc::new(Manifest::parse(MANIFEST)?),
            profile: row.try_get::<String, _>("id")?.into(),
            alias: row.try_get::<String, _>("alias_id")?.into(),
            world,
            host,
        })
    }

    fn code(&self) -> NewCredential {
        NewCredential {
            grant_kind: "authorization-code".to_owned(),
            client_id: "code".to_owned(),
            client_secret: self.provider.code_secret.clone().into(),
            ..NewCredential::default()
        }
    }

    /// A sign-in up to the redirect back to us.
    async fn consent(&self) -> Result<Callback, Failed> {
        let subject = Subject {
            profile: &self.profile,
            alias: &self.alias,
            login_url: &self.provider.issuer,
        };
        let new = self.code();
        let ana = &self.world.ana;
        let id = signin::begin(&self.host, ana, &self.manifest, &subject, &new).await?;
        let view = signin::find(&self.host, ana, id.as_str()).await?;
        let pairs = walk(view.goes_to.as_deref().ok_or("it leads nowhere")?, CALLBACK).await?;
        Ok(Callback {
            code: pairs.get("code").cloned(),
            state: pairs.get("state").cloned(),
            error: pairs.get("error").cloned(),
            error_description: pairs.get("error_description").cloned(),
            iss: pairs.get("iss").cloned(),
        })
    }

    async fn exchange(
        &self,
        callback: &Callback,
    ) -> Result<(NewCredential, proof::Trial), CredentialError> {
        let mut taken = signin::returned(&self.host, &self.world.ana, callback).await?;
        let issuer = &self.provider.issuer;
        let trial = signin::exchanged(
            &self.host,
            &self.alias,
            &self.manifest,
            issuer,
            &mut taken,
            callback,
        )
        .await?;
        Ok((taken.new, trial))
    }

    async fn store(&self, new: &NewCredential, trial: &proof::Trial) -> Result<(), Failed> {
        let mut tx = self.host.store.begin().await?;
        let ana = &self.world.ana;
        proof::adopt(&mut tx, &self.host, ana, &self.alias, new, trial).await?;
        Ok(tx.commit().await?)
    }

    fn port(&self) -> Arc<dyn GrantPort> {
        let issuer = self.provider.issuer.clone();
        credentials::grants(&self.host, &self.alias, Arc::clone(&self.manifest), issuer)
    }

    async fn tell(&self, mut tap: Tap) -> Result<Tap, Failed> {
        let callback = self.consent().await?;
        let issuer = callback.iss.clone();
        tap.check(issuer.is_some(), "names itself in the redirect", &issuer);
        let (new, trial) = self.exchange(&callback).await?;
        let who = trial.connected_as();
        let person = Some(self.provider.person.as_str());
        tap.check(
            who == person,
            "gives a token for a code with PKCE, and says whose it is",
            &who,
        );
        self.store(&new, &trial).await?;

        let port = self.port();
        let first = port.current().await.map_err(|failure| failure.message)?;
        let mut generation = first.generation;
        for _ in 0..3 {
            let renewed = port
                .renew(generation)
                .await
                .map_err(|failure| failure.message)?;
            tap.check(
                renewed.generation == generation + 1
                    && renewed.authorization != first.authorization,
                "rotates the refresh token, and each successor is stored and used once",
                &renewed.generation,
            );
            generation = renewed.generation;
        }

        let mixed = Callback {
            code: self.consent().await?.code,
            ..self.consent().await?
        };
        let refused = self
            .exchange(&mixed)
            .await
            .err()
            .map(|error| error.problem().detail);
        let said = refused.as_ref().map(|detail| &detail["vendor_code"]);
        tap.check(
            said.is_some_and(|code| code == "invalid_grant"),
            "refuses a code with another sign-in's verifier",
            &refused,
        );

        let machine = NewCredential {
            grant_kind: "client-credentials".to_owned(),
            client_id: "machine".to_owned(),
            client_secret: self.provider.machine_secret.clone().into(),
            ..NewCredential::default()
        };
        let issuer = &self.provider.issuer;
        let trial = proof::tried(&self.host, &self.alias, &self.manifest, issuer, &machine).await?;
        tap.check(
            trial.scopes() == ["api"],
            "gives a token for client credentials",
            &trial.scopes(),
        );
        self.store(&machine, &trial).await?;
        let renewed = self.port().renew(0).await;
        tap.check(
            renewed.is_ok(),
            "gives the next token for client credentials",
            &renewed.err(),
        );

        let wrong = NewCredential {
            client_secret: "not the secret".to_owned().into(),
            ..machine
        };
        let refused = proof::tried(&self.host, &self.alias, &self.manifest, issuer, &wrong).await;
        let said = refused
            .err()
            .map(|error| error.problem().detail["vendor_code"].clone());
        tap.check(
            said.as_ref().is_some_and(|code| code == "invalid_client"),
            "refuses a wrong secret",
            &said,
        );
        Ok(tap)
    }
}

/// From now on the server speaks of somebody else.
async fn acts_as(provider: &Provider, who: &serde_json::Value) -> Result<(), Failed> {
    let mut address = provider.issuer.clone();
    address
        .path_segments_mut()
        .map_err(|()| "the issuer is no base")?
        .extend(["as", &who.to_string()]);
    let client = reqwest::Client::builder().no_proxy().build()?;
    client.get(address).send().await?.error_for_status()?;
    Ok(())
}

/// Follows redirects with the cookies they set until one leads back to us.
async fn walk(start: &str, back: &str) -> Result<BTreeMap<String, String>, Failed> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let mut cookies: BTreeMap<String, String> = BTreeMap::new();
    let mut at = Url::parse(start)?;
    for _ in 0..20 {
        let jar: Vec<String> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let answer = client
            .get(at.clone())
            .header("cookie", jar.join("; "))
            .send()
            .await?;
        for set in answer.headers().get_all("set-cookie") {
            let pair = set.to_str()?.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let Some(to) = answer.headers().get("location") else {
            let status = answer.status();
            return Err(format!("{at} answers {status}: {}", answer.text().await?).into());
        };
        at = at.join(to.to_str()?)?;
        if at.as_str().starts_with(back) {
            return Ok(at.query_pairs().into_owned().collect());
        }
    }
    Err("the redirects lead nowhere".into())
}
