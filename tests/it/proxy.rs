//! Through a proxy that asks for a password: an org that no name look-up of this machine can find is checked, published and read
//! whole, because squid alone knows where it is. What changes where a secret is sent deletes it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use seatwise::app::host::Host;
use seatwise::app::worker;
use seatwise::connections::{ProxyUse, SetProxy};
use seatwise::credentials::{self, NewCredential};
use seatwise::identity::roles::{Actor, Role};
use seatwise::identity::service as identity;
use seatwise::kernel::clock::SetClock;
use seatwise::kernel::faults::NoFaults;
use seatwise::kernel::{AliasId, IntoProblem as _, Problem};
use seatwise::profiles::playbook::save::Seen;
use seatwise::profiles::playbook::sign_in::{SignIn, save_sign_in};
use seatwise::profiles::service::{self as profiles, NewProfile};
use seatwise::profiles::way;
use seatwise::sync::service as runs;
use seatwise_practice_org_salesforce::{Faults, Listen, PracticeOrg, Running, worked_example};
use seatwise_runtime::AllowTargets;
use seatwise_tests::database::{Database, Engine, on_both};
use seatwise_tests::squid::{PASSWORD, Squid, USER};
use seatwise_tests::world::{T0_MS, host_allowing, person};
use sqlx::Row as _;

const ORG: &str = "acme.my.salesforce.com";
/// Nobody told squid of this one.
const UNKNOWN: &str = "other.my.salesforce.com";

struct Company {
    host: Host,
    org: Running,
    ana: Actor,
    https: u16,
    client: (String, String),
}

/// An org over https at loopback, under a name that resolves nowhere, and a host whose operator named its unusual port.
async fn company(database: &Database, proxies: &[u16]) -> Company {
    let mut spec = worked_example::org1(T0_MS);
    ORG.clone_into(&mut spec.my_domain);
    let client = (
        spec.apps[0].client_id.clone(),
        spec.apps[0].client_secret.clone(),
    );
    let free = Listen::loopback();
    let listen = Listen {
        https: Some(free.http),
        ..free
    };
    let org = PracticeOrg::start(spec, listen).await.unwrap();
    org.control().set_now(Some(T0_MS));
    let url: url::Url = org.https_url().unwrap().parse().unwrap();
    let https = url.port().unwrap();
    let instance = format!("evil_instance=https://{ORG}:{https}");
    org.control()
        .set_faults(Faults::parse(&instance).expect("the fault is known"));
    let mut allow = AllowTargets::none();
    allow.insert(ORG, https);
    allow.insert(UNKNOWN, https);
    for port in proxies {
        allow.insert("127.0.0.1", *port);
    }
    let clock = Arc::new(SetClock::at(T0_MS));
    let store = database.open().await;
    let host = host_allowing(
        database.folder(),
        store,
        clock,
        allow,
        Arc::new(NoFaults),
        1,
    );
    identity::ensure_system(&host).await.unwrap();
    let ana = person(&host, "Ana", Role::SamIntegrator).await;
    Company {
        host,
        org,
        ana,
        https,
        client,
    }
}

impl Company {
    async fn profile(&self, name: &str, at: &str, parent: Option<&str>) -> String {
        let new = NewProfile {
            connector: "salesforce".to_owned(),
            name: name.to_owned(),
            parent: parent.map(str::to_owned),
            login_url: format!("https://{at}:{}", self.https),
            grant: "client-credentials".to_owned(),
            client_id: self.client.0.clone(),
            client_secret: self.client.1.clone().into(),
            refresh_token: None,
            settings: Vec::new(),
        };
        let made = profiles::create(&self.host, &self.ana, new).await.unwrap();
        made.number
    }

    /// Stores the credential again, as a person does who reconnects.
    async fn reconnect(&self, profile: &str) {
        let mut tx = self.host.store.begin().await.unwrap();
        let alias: AliasId = sqlx::query("select alias_id from profiles where number = $1")
            .bind(profile)
            .fetch_one(tx.conn())
            .await
            .unwrap()
            .get::<String, _>(0)
            .into();
        let manifest = self.host.connectors.manifest("salesforce").unwrap();
        let new = NewCredential {
            grant_kind: "client-credentials".to_owned(),
            client_id: self.client.0.clone(),
            client_secret: self.client.1.clone().into(),
            ..NewCredential::default()
        };
        credentials::set(&mut tx, &self.host, &self.ana, &manifest, &alias, &new)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn has_credential(&self, profile: &str) -> bool {
        let view = profiles::get(&self.host, &self.ana, profile).await.unwrap();
        view.credential.is_some()
    }

    async fn use_proxy(&self, profile: &str, port: u16, login: Option<(&str, &str)>) {
        let (user, password) = login.unwrap_or_default();
        let new = SetProxy {
            proxy_use: ProxyUse::Own,
            address: format!("127.0.0.1:{port}"),
            user: user.to_owned(),
            password: password.to_owned().into(),
        };
        way::set_proxy(&self.host, &self.ana, profile, &new)
            .await
            .unwrap();
    }

    async fn trust(&self, profile: &str) {
        let pem = self.org.ca_pem().unwrap();
        let set = way::set_roots(&self.host, &self.ana, profile, pem).await;
        assert_eq!(set.unwrap().roots.len(), 1);
    }

    /// Why the profile is not published.
    async fn refused(&self, profile: &str) -> Problem {
        let refused = profiles::publish(&self.host, &self.ana, profile).await;
        refused.expect_err("nothing is published").problem()
    }

    async fn audited(&self, event: &str) -> i64 {
        let mut tx = self.host.store.read_everything().await.unwrap();
        sqlx::query("select count(*) from audit where event = $1")
            .bind(event)
            .fetch_one(tx.conn())
            .await
            .unwrap()
            .get(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_behind_a_proxy_with_a_password_is_read_whole_and_nothing_goes_beside_it() {
    on_both(|database| async move {
        let mut squid = Squid::start(&[ORG]);
        let company = company(&database, &[squid.port()]).await;
        let profile = company.profile("Acme", ORG, None).await;
        company.trust(&profile).await;
        company.reconnect(&profile).await;

        // Directly there is no way: the name resolves at the proxy alone.
        let directly = company.refused(&profile).await;
        assert_eq!(directly.detail["vendor_code"], "dns", "{directly:?}");
        assert_eq!(company.org.control().requests("POST token"), 0);

        company.use_proxy(&profile, squid.port(), None).await;
        company.reconnect(&profile).await;
        let unknown = company.refused(&profile).await;
        assert_eq!(unknown.code, "proxy.login_refused", "{unknown:?}");
        assert!(unknown.message.contains("wants a user name"), "{unknown:?}");
        company
            .use_proxy(&profile, squid.port(), Some((USER, "wrong")))
            .await;
        let wrong = company.refused(&profile).await;
        assert_eq!(wrong.code, "proxy.login_refused", "{wrong:?}");
        assert_eq!(wrong.fix.field.as_deref(), Some("password"));
        assert_eq!(company.org.control().requests("POST token"), 0);

        // The login is the proxy's alone: with another one the secrets stay.
        company
            .use_proxy(&profile, squid.port(), Some((USER, PASSWORD)))
            .await;
        assert!(company.has_credential(&profile).await);
        profiles::publish(&company.host, &company.ana, &profile)
            .await
            .unwrap();
        worker::run_due(&company.host).await.unwrap();
        let all = runs::list_runs(&company.host, &company.ana, None, None, 5)
            .await
            .unwrap();
        assert_eq!(all[0].state.as_str(), "complete", "{:?}", all[0]);
        assert!(company.org.control().requests("POST token") > 0);
        assert!(company.org.control().requests("GET query") > 0);

        let denied = company.profile("Other", UNKNOWN, None).await;
        let refused = company.refused(&denied).await;
        assert_eq!(refused.code, "proxy.refused", "{refused:?}");

        // Each way was asked for by name, and those that were opened were opened for the login.
        let began = Instant::now();
        let opened = loop {
            let log = squid.log();
            let opened: Vec<String> = log.into_iter().filter(|l| l.contains("TUNNEL")).collect();
            if opened.len() >= 2 || began.elapsed() > Duration::from_secs(30) {
                break opened;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let named = format!("CONNECT {ORG}:{} {USER} ", company.https);
        assert!(opened.len() >= 2, "{:?}", squid.log());
        assert!(
            opened.iter().all(|line| line.contains(&named)),
            "{opened:?}"
        );
        assert!(
            squid
                .log()
                .iter()
                .any(|l| l.contains("/403") && l.contains(UNKNOWN))
        );

        squid.stop();
        let gone = company.refused(&denied).await;
        assert_eq!(gone.code, "proxy.unreachable", "{gone:?}");
    })
    .await;
}

#[tokio::test]
async fn a_new_proxy_or_authority_deletes_the_secret_here_and_in_children_that_inherit_it() {
    on_both(|database| async move {
        let company = company(&database, &[]).await;
        let parent = company.profile("Acme", ORG, None).await;
        let heir = company.profile("Heir", ORG, Some("Acme")).await;
        let own = company.profile("Own", ORG, Some("Acme")).await;
        company.use_proxy(&own, 3128, None).await;
        company.reconnect(&own).await;
        let all = [&parent, &heir, &own];
        let stored = async |expected: [bool; 3]| {
            for (profile, expected) in all.into_iter().zip(expected) {
                assert_eq!(company.has_credential(profile).await, expected, "{profile}");
            }
        };
        let again = async || {
            for profile in all {
                company.reconnect(profile).await;
            }
        };
        company.use_proxy(&parent, 3129, None).await;
        stored([false, false, true]).await;
        again().await;
        // The same once more changes nothing.
        company.use_proxy(&parent, 3129, None).await;
        stored([true, true, true]).await;
        company.trust(&parent).await;
        stored([false, false, false]).await;
        again().await;
        let none = SetProxy {
            proxy_use: ProxyUse::Direct,
            address: String::new(),
            user: String::new(),
            password: String::new().into(),
        };
        way::set_proxy(&company.host, &company.ana, &heir, &none)
            .await
            .unwrap();
        stored([true, false, true]).await;
        assert_eq!(company.audited("credential.deleted").await, 7);

        let view = way::way(&company.host, &company.ana, &heir).await.unwrap();
        assert_eq!(
            (view.proxy.is_none(), view.parent.as_deref()),
            (true, Some("Acme"))
        );
        assert_eq!(view.roots_from.as_deref(), Some("Acme"));
        assert_eq!(view.roots[0].fingerprint.len(), 64);
    })
    .await;
}

#[tokio::test]
async fn a_new_proxy_never_gets_the_old_ones_password() {
    let database = Database::new(Engine::Sqlite);
    let company = company(&database, &[]).await;
    let profile = company.profile("Acme", ORG, None).await;
    company
        .use_proxy(&profile, 3128, Some((USER, PASSWORD)))
        .await;
    let set = async |port: u16, user: &str| {
        let new = SetProxy {
            proxy_use: ProxyUse::Own,
            address: format!("http://10.0.0.9:{port}"),
            user: user.to_owned(),
            password: String::new().into(),
        };
        way::set_proxy(&company.host, &company.ana, &profile, &new).await
    };
    let moved = set(3128, USER).await.unwrap_err().problem();
    assert_eq!(
        (moved.code.as_str(), moved.fix.field.as_deref()),
        ("proxy.login", Some("password"))
    );
    assert!(set(3128, "").await.unwrap().proxy.unwrap().user.is_none());
    let view = {
        company
            .use_proxy(&profile, 3128, Some((USER, PASSWORD)))
            .await;
        // Empty keeps what is stored, while address and user stay.
        company.use_proxy(&profile, 3128, Some((USER, ""))).await;
        way::way(&company.host, &company.ana, &profile)
            .await
            .unwrap()
    };
    let proxy = view.proxy.unwrap();
    assert_eq!(proxy.password_ends_in.as_deref(), Some("…4f2a"));
    assert_eq!(
        (proxy.set_by.as_deref(), proxy.has_password),
        (Some("Ana"), true)
    );
    assert!(!serde_json::json!(proxy).to_string().contains(PASSWORD));
}

#[tokio::test]
async fn only_an_administrator_allows_a_further_host_and_the_trail_keeps_it() {
    let database = Database::new(Engine::Sqlite);
    let company = company(&database, &[]).await;
    let profile = company.profile("Acme", ORG, None).await;
    let hosts = ["files.example.com".to_owned()];
    let refused = way::set_hosts(&company.host, &company.ana, &profile, &hosts).await;
    assert_eq!(refused.unwrap_err().problem().code, "identity.denied");
    let admin = person(&company.host, "Ada", Role::Admin).await;
    let view = way::set_hosts(&company.host, &admin, &profile, &hosts)
        .await
        .unwrap();
    assert_eq!(view.hosts, hosts);
    assert_eq!(company.audited("connection.hosts").await, 1);
    let literal = ["10.0.0.1".to_owned()];
    let refused = way::set_hosts(&company.host, &admin, &profile, &literal).await;
    assert_eq!(refused.unwrap_err().problem().code, "proxy.hosts");
}

#[tokio::test]
async fn another_login_address_takes_no_stored_secret_along() {
    on_both(|database| async move {
        let company = company(&database, &[]).await;
        let profile = company.profile("Acme", ORG, None).await;
        let to_other = |client_secret: &str| SignIn {
            login_url: format!("https://{UNKNOWN}:{}", company.https),
            new: NewCredential {
                grant_kind: "client-credentials".to_owned(),
                client_id: company.client.0.clone(),
                client_secret: client_secret.to_owned().into(),
                ..NewCredential::default()
            },
        };
        let save = async |typed: SignIn| {
            let seen = Seen::Version(0);
            save_sign_in(&company.host, &company.ana, &profile, typed, seen).await
        };
        let stored = async || -> Vec<u8> {
            let mut tx = company.host.store.read_everything().await.unwrap();
            sqlx::query("select client_secret_sealed from credentials")
                .fetch_one(tx.conn())
                .await
                .unwrap()
                .get(0)
        };
        let before = stored().await;
        // Left empty, the stored one is not taken to the new address, and nothing is saved.
        let refused = save(to_other("")).await.unwrap_err().problem();
        assert_eq!(
            (refused.code.as_str(), refused.fix.field.as_deref()),
            ("credential.missing", Some("client_secret"))
        );
        let view = profiles::get(&company.host, &company.ana, &profile)
            .await
            .unwrap();
        assert!(view.login_url.contains(ORG), "{}", view.login_url);
        assert_eq!(stored().await, before);
        // Typed anew, the old one is gone.
        save(to_other("a new secret for the other")).await.unwrap();
        let view = profiles::get(&company.host, &company.ana, &profile)
            .await
            .unwrap();
        assert!(view.login_url.contains(UNKNOWN), "{}", view.login_url);
        assert_ne!(stored().await, before);
        assert_eq!(view.credential.unwrap().health, "untested");
    })
    .await;
}
