//! Secrets of every kind are planted, everything that uses them is made to work and to fail, and then all that leaves the host is searched.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use base64::Engine as _;
use seatwise::app::host::Host;
use seatwise::app::worker;
use seatwise::connections::{ProxyUse, SetProxy};
use seatwise::credentials::{self, NewCredential};
use seatwise::identity::roles::{Actor, Role};
use seatwise::identity::service as identity;
use seatwise::kernel::IntoProblem as _;
use seatwise::kernel::clock::SetClock;
use seatwise::kernel::faults::NoFaults;
use seatwise::kernel::seal::Place;
use seatwise::notify::mail_server::{self, NewMailServer};
use seatwise::notify::webhooks::{self, NewWebhook};
use seatwise::profiles::service::{self as profiles, NewProfile};
use seatwise::profiles::{signin, way};
use seatwise::store::Dialect;
use seatwise::vaults::{FromVault, SetVault, service as vaults};
use seatwise::web::router;
use seatwise::web::routes::{Face, table};
use seatwise_practice_org_salesforce::{Faults, Listen, PracticeOrg, worked_example};
use seatwise_tests::database::{Database, on_both};
use seatwise_tests::receiver::Receiver;
use seatwise_tests::vault::{PATH, TOKEN, VaultDouble};
use seatwise_tests::world::{T0_MS, host, person};
use serde_json::json;
use sqlx::Row as _;
use tower::ServiceExt as _;

const CLIENT_SECRET: &str = "canary-client-secret-1b7d";
const IN_VAULT: &str = "canary-vault-value-77aa";
const PROXY_PASSWORD: &str = "canary-proxy-password-5e21";
const MAIL_PASSWORD: &str = "canary-mail-password-c0de";

/// Keeps all that is logged, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All that left the host, by where it was found.
#[derive(Default)]
struct Found(BTreeMap<String, String>);

impl Found {
    fn add(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0
            .entry(place.into())
            .or_default()
            .push_str(&text.into());
    }

    fn places_of(&self, needle: &str) -> Vec<&str> {
        let is_there = |(_, text): &(&String, &String)| text.contains(needle);
        let found = self.0.iter().filter(is_there);
        found.map(|(place, _)| place.as_str()).collect()
    }
}

/// A secret as it is, in hexadecimal and in Base64: none of them may be anywhere.
fn forms(secret: &str) -> Vec<String> {
    let hex = secret.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
    vec![secret.to_owned(), hex, engine.encode(secret)]
}

/// The refresh token as only the sealer knows it.
async fn stored_refresh_token(host: &Host, alias: &str) -> String {
    let mut tx = host.store.read_everything().await.unwrap();
    let sealed: Vec<u8> =
        sqlx::query("select refresh_token_sealed from credentials where alias_id = $1")
            .bind(alias)
            .fetch_one(tx.conn())
            .await
            .unwrap()
            .get(0);
    let place = Place {
        table: "credentials",
        row: alias,
        column: "refresh_token_sealed",
    };
    let plain = host.sealer.open(place, &sealed).unwrap();
    String::from_utf8(plain.to_vec()).unwrap()
}

/// Every row of every table, and with the embedded database its very files.
async fn database_text(database: &Database, host: &Host, found: &mut Found) {
    let mut tx = host.store.read_everything().await.unwrap();
    if host.store.dialect() == Dialect::Postgres {
        let tables = sqlx::query(
            "select table_name::text from information_schema.tables where table_schema = current_schema()",
        )
        .fetch_all(tx.conn())
        .await
        .unwrap();
        for table in tables {
            let table: String = table.get(0);
            let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
                "select t::text from \"{table}\" t"
            )))
            .fetch_all(tx.conn())
            .await
            .unwrap();
            for row in rows {
                found.add(format!("table {table}"), row.get::<String, _>(0));
            }
        }
    }
    drop(tx);
    files(database.folder(), found);
}

fn files(folder: &Path, found: &mut Found) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else {
            let bytes = std::fs::read(&path).unwrap_or_default();
            found.add(
                format!("file {}", path.display()),
                String::from_utf8_lossy(&bytes),
            );
        }
    }
}

#[tokio::test]
async fn e20_no_secret_is_in_a_log_error_page_answer_export_database_or_crash() {
    on_both(|database| async move {
        let log = Log::default();
        let writer = log.clone();
        // All of ours and of the libraries that a secret passes through.
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(
                "info,seatwise=trace,seatwise_runtime=trace,tower_http=trace,hyper=trace,hyper_util=trace,reqwest=trace,sqlx=trace,lettre=trace",
            )
            .with_writer(move || writer.clone())
            .finish();
        // While a process has one subscriber alone, what another test's thread comes by first is asked of that thread, which has none,
        // and is never logged again (tracing-core, callsite::dispatchers). A second one has every place asked of both.
        let _second = tracing::Dispatch::new(tracing_subscriber::registry());
        let _logging = tracing::subscriber::set_default(subscriber);
        let mut found = Found::default();

        // An org whose app has a secret that we chose; a vault that holds another app's.
        let mut spec = worked_example::org1(T0_MS);
        CLIENT_SECRET.clone_into(&mut spec.apps[0].client_secret);
        spec.apps[0].rotation = true;
        let client_id = spec.apps[0].client_id.clone();
        let org = PracticeOrg::start(spec, Listen::loopback()).await.unwrap();
        org.control().set_now(Some(T0_MS));
        let vault = VaultDouble::kv(IN_VAULT).await;
        let receiver = Receiver::start().await;
        let ports = [org.address().port(), vault.port, receiver.port, 3128];
        let store = database.open().await;
        let clock = Arc::new(SetClock::at(T0_MS));
        let faults = Arc::new(NoFaults);
        let host = host(database.folder(), store, clock.clone(), &ports, faults, 1);
        identity::ensure_system(&host).await.unwrap();
        let ada = person(&host, "Ada", Role::Admin).await;
        let ana = person(&host, "Ana", Role::SamIntegrator).await;

        // Everybody who can see anything: a session and a token with all roles.
        let everything = identity::create_principal(
            &host,
            &Actor::system(),
            identity::NewPrincipal {
                kind: identity::PrincipalKind::Person,
                name: "Eve".to_owned(),
                email: Some("eve@company.example".to_owned()),
                roles: Role::ALL.into_iter().collect(),
            },
        )
        .await
        .unwrap();
        let link = identity::mint_signin_link(&host, &Actor::system(), &everything)
            .await
            .unwrap();
        let unused = identity::mint_signin_link(&host, &Actor::system(), &ana.id)
            .await
            .unwrap();
        let device = identity::Device::default();
        let signed_in = identity::redeem_signin_link(&host, &link.token, &device)
            .await
            .unwrap();
        let identity::SignedIn::Session(session) = signed_in else {
            panic!("Eve is asked for a code");
        };
        let eve = identity::authenticate_session(&host, &session.cookie)
            .await
            .unwrap()
            .actor;
        let token = identity::NewToken {
            name: "canary".to_owned(),
            days: 30,
            ..Default::default()
        };
        let token = identity::mint_token(&host, &eve, token).await.unwrap();

        // Eve's second factor: shown to her until its first code, and to nobody after.
        let factor = identity::begin_second_factor(&host, &eve).await.unwrap();
        let factor = factor.secret.replace(' ', "");
        let recovery = identity::confirm_second_factor(&host, &eve, &code_of(&factor, host.now_ms()))
            .await
            .unwrap();

        // What is sealed: mail, webhook, vault, proxy, client secret, refresh token, access token.
        let mail = NewMailServer {
            host: "127.0.0.1".to_owned(),
            port: 9,
            security: "none".to_owned(),
            sender: "Seatwise <seatwise@company.example>".to_owned(),
            username: "mailer".to_owned(),
            password: MAIL_PASSWORD.to_owned().into(),
            root_pem: String::new(),
        };
        // Nobody listens at that port: the failure is told, the password is not.
        match mail_server::set_mail_server(&host, &ada, mail).await {
            Ok(view) => found.add("mail server", json!(view).to_string()),
            Err(error) => found.add("mail server", json!(error.problem()).to_string()),
        }
        let hook = NewWebhook {
            name: "Tickets".to_owned(),
            url: receiver.url(),
            causes: vec!["run_failed".to_owned()],
        };
        let hook = webhooks::create_webhook(&host, &ada, &hook).await.unwrap();
        let bao = SetVault {
            name: "Bao".to_owned(),
            kind: "kv_v2".to_owned(),
            address: vault.address(),
            mount: "kv".to_owned(),
            token: TOKEN.to_owned().into(),
            ..SetVault::default()
        };
        vaults::set(&host, &ada, bao).await.unwrap();
        let (_, minted) = org.control().call("POST", "tokens/refresh", &json!(null));
        let refresh = minted["refresh_token"].as_str().unwrap().to_owned();
        let new = |name: &str, grant: &str, refresh: Option<&str>| NewProfile {
            connector: "salesforce".to_owned(),
            name: name.to_owned(),
            parent: None,
            login_url: org.base_url().to_owned(),
            grant: grant.to_owned(),
            client_id: client_id.clone(),
            client_secret: CLIENT_SECRET.to_owned().into(),
            refresh_token: refresh.map(|text| text.to_owned().into()),
            settings: Vec::new(),
        };
        let profile = profiles::create(&host, &ana, new("Acme", "refresh-token", Some(&refresh)))
            .await
            .unwrap();
        profiles::publish(&host, &ana, &profile.number)
            .await
            .unwrap();
        worker::run_due(&host).await.unwrap();
        let mut tx = host.store.read_everything().await.unwrap();
        let alias: String = sqlx::query("select alias_id from profiles where number = $1")
            .bind(&profile.number)
            .fetch_one(tx.conn())
            .await
            .unwrap()
            .get(0);
        drop(tx);
        let manifest = host.connectors.manifest("salesforce").unwrap();
        let port = credentials::grants(
            &host,
            &alias.as_str().into(),
            manifest,
            org.base_url().parse().unwrap(),
        );
        let bearer = port.current().await.unwrap();
        let rotated = stored_refresh_token(&host, &alias).await;
        assert_ne!(rotated, refresh, "the org rotates");
        let access = bearer
            .authorization
            .expose()
            .trim_start_matches("Bearer ")
            .to_owned();
        found.add("crash", format!("{bearer:?}"));

        // Failures of each kind, said by everything that can fail.
        let other = profiles::create(&host, &ana, new("Other", "client-credentials", None))
            .await
            .unwrap();
        let from = FromVault {
            vault: "Bao".to_owned(),
            query: PATH.to_owned(),
            property: "secret".to_owned(),
        };
        let fetched = NewCredential {
            grant_kind: "client-credentials".to_owned(),
            client_id: client_id.clone(),
            from_vault: [("client_secret".to_owned(), from)].into(),
            ..NewCredential::default()
        };
        let refused = signin::connect(&host, &ana, &other.number, fetched).await;
        found.add("problem", json!(refused.unwrap_err().problem()).to_string());
        let proxy = SetProxy {
            proxy_use: ProxyUse::Own,
            address: "127.0.0.1:3128".to_owned(),
            user: "seatwise".to_owned(),
            password: PROXY_PASSWORD.to_owned().into(),
        };
        let set = way::set_proxy(&host, &ana, &other.number, &proxy)
            .await
            .unwrap();
        found.add("answer", json!(set).to_string());
        let typed = NewCredential {
            grant_kind: "client-credentials".to_owned(),
            client_id: client_id.clone(),
            client_secret: CLIENT_SECRET.to_owned().into(),
            ..NewCredential::default()
        };
        let refused = signin::connect(&host, &ana, &other.number, typed).await;
        found.add("problem", json!(refused.unwrap_err().problem()).to_string());
        org.control()
            .set_faults(Faults::parse("rate_500=1000").unwrap());
        clock.advance(3_600_000);
        org.control().set_now(Some(host.now_ms()));
        profiles::collect_now(&host, &ana, &profile.number)
            .await
            .unwrap();
        worker::run_due(&host).await.unwrap();
        for got in receiver.got() {
            found.add("webhook", format!("{got:?}"));
        }
        // A crash in the middle of a refresh: what the panic says, and where.
        let crashed = tokio::spawn(async move {
            let held = port.current().await;
            panic!("crashed with {held:?}");
        });
        let panicked = crashed.await.unwrap_err().into_panic();
        found.add("crash", panicked.downcast_ref::<String>().cloned().unwrap());

        // Every page and every answer, for somebody who may see everything.
        let app = router(host.clone());
        let mut shown = 0;
        for route in table().iter().filter(|route| route.method == Method::GET) {
            if route.path.contains("events") {
                continue;
            }
            for number in [
                profile.number.as_str(),
                other.number.as_str(),
                "RUN0000001",
                hook.webhook.id.as_str(),
            ] {
                let path: String = route
                    .path
                    .split('/')
                    .map(|part| if part.starts_with('{') { number } else { part })
                    .collect::<Vec<_>>()
                    .join("/");
                let request = Request::get(&path).header(header::HOST, "127.0.0.1");
                let request = match route.face {
                    Face::Api => {
                        request.header(header::AUTHORIZATION, format!("Bearer {}", token.secret))
                    }
                    Face::Page | Face::Open => {
                        request.header(header::COOKIE, format!("seatwise={}", session.cookie))
                    }
                };
                let response = app
                    .clone()
                    .oneshot(request.body(Body::empty()).unwrap())
                    .await
                    .unwrap();
                shown += usize::from(response.status().is_success());
                let headers = format!("{:?}", response.headers());
                let body = to_bytes(response.into_body(), 1 << 24).await.unwrap();
                found.add(
                    format!("GET {path}"),
                    headers + &String::from_utf8_lossy(&body),
                );
                if path == route.path {
                    break;
                }
            }
        }
        assert!(shown > 60, "only {shown} pages and answers were shown");

        database_text(&database, &host, &mut found).await;
        found.add("log", log.text());
        assert!(
            found.0["log"].contains("vendor answered"),
            "nothing was logged"
        );

        // The search itself finds what is there.
        assert!(!found.places_of("Acme").is_empty());
        let secrets = [
            ("client secret", CLIENT_SECRET),
            ("refresh token", refresh.as_str()),
            ("rotated refresh token", rotated.as_str()),
            ("access token", access.as_str()),
            ("value of a vault", IN_VAULT),
            ("token of a vault", TOKEN),
            ("proxy password", PROXY_PASSWORD),
            ("mail password", MAIL_PASSWORD),
            ("webhook secret", hook.secret.as_str()),
            ("personal token", token.secret.as_str()),
            ("session", session.cookie.as_str()),
            ("sign-in link", unused.token.as_str()),
            ("second factor", factor.as_str()),
            ("recovery code", recovery[0].as_str()),
        ];
        let mut leaked = Vec::new();
        for (what, secret) in secrets {
            assert!(secret.len() >= 16, "{what} is too short to be searched for");
            for form in forms(secret) {
                for place in found.places_of(&form) {
                    leaked.push(format!("{what} in {place}"));
                }
            }
        }
        assert!(leaked.is_empty(), "{leaked:#?}");
    })
    .await;
}

/// The code that an app with this secret shows at this time.
pub fn code_of(secret: &str, now_ms: i64) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    totp.generate(u64::try_from(now_ms / 1_000).unwrap())
        .to_string()
}
