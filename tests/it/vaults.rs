//! Fields of a credential that are fetched in an external vault: they connect and renew, each failure has its name, nothing of a value
//! is stored, and what changes where it would be sent forgets where it lies.

use std::collections::BTreeMap;
use std::sync::Arc;

use seatwise::app::host::Host;
use seatwise::app::worker;
use seatwise::connections::{ProxyUse, SetProxy};
use seatwise::credentials::NewCredential;
use seatwise::identity::roles::{Actor, Role};
use seatwise::identity::service as identity;
use seatwise::kernel::clock::SetClock;
use seatwise::kernel::faults::NoFaults;
use seatwise::kernel::{IntoProblem as _, Problem};
use seatwise::profiles::service::{self as profiles, NewProfile};
use seatwise::profiles::signin::{self, Connected};
use seatwise::profiles::way;
use seatwise::sync::service as runs;
use seatwise::vaults::{FromVault, SetVault, service as vaults};
use seatwise_practice_org_salesforce::{Listen, PracticeOrg, Running, worked_example};
use seatwise_tests::database::{Database, Engine, on_both};
use seatwise_tests::vault::{APP_ID, PATH, QUERY, TOKEN, VaultDouble};
use seatwise_tests::world::{T0_MS, host, person};
use serde_json::json;
use sqlx::Row as _;

/// A company with two vaults that hold the secret of its org's app.
struct Company {
    host: Host,
    clock: Arc<SetClock>,
    org: Running,
    ada: Actor,
    ana: Actor,
    client: (String, String),
    profile: String,
    ccp: VaultDouble,
    kv: VaultDouble,
}

impl Company {
    async fn new(database: &Database) -> Self {
        let spec = worked_example::org1(T0_MS);
        let app = spec.apps[0].clone();
        let org = PracticeOrg::start(spec, Listen::loopback()).await.unwrap();
        org.control().set_now(Some(T0_MS));
        let ccp = VaultDouble::ccp(&app.client_secret).await;
        let kv = VaultDouble::kv(&app.client_secret).await;
        let clock = Arc::new(SetClock::at(T0_MS));
        let store = database.open().await;
        let ports = [org.address().port(), ccp.port, kv.port];
        let faults = Arc::new(NoFaults);
        let host = host(database.folder(), store, clock.clone(), &ports, faults, 1);
        identity::ensure_system(&host).await.unwrap();
        let ada = person(&host, "Ada", Role::Admin).await;
        let ana = person(&host, "Ana", Role::SamIntegrator).await;
        let new = NewProfile {
            connector: "salesforce".to_owned(),
            name: "Acme".to_owned(),
            parent: None,
            login_url: org.base_url().to_owned(),
            grant: "client-credentials".to_owned(),
            client_id: app.client_id.clone(),
            client_secret: "not the secret that the vault has".to_owned().into(),
            refresh_token: None,
            settings: Vec::new(),
        };
        let profile = profiles::create(&host, &ana, new).await.unwrap().number;
        let company = Self {
            host,
            clock,
            org,
            ada,
            ana,
            client: (app.client_id, app.client_secret),
            profile,
            ccp,
            kv,
        };
        let corp = SetVault {
            name: "Corp".to_owned(),
            kind: "cyberark_ccp".to_owned(),
            address: company.ccp.address(),
            app_id: APP_ID.to_owned(),
            ..SetVault::default()
        };
        let bao = SetVault {
            name: "Bao".to_owned(),
            kind: "kv_v2".to_owned(),
            address: company.kv.address(),
            mount: "kv".to_owned(),
            token: TOKEN.to_owned().into(),
            ..SetVault::default()
        };
        for new in [corp, bao] {
            vaults::set(&company.host, &company.ada, new).await.unwrap();
        }
        company
    }

    fn credential(&self, vault: &str, query: &str, property: &str) -> NewCredential {
        let from = FromVault {
            vault: vault.to_owned(),
            query: query.to_owned(),
            property: property.to_owned(),
        };
        NewCredential {
            grant_kind: "client-credentials".to_owned(),
            client_id: self.client.0.clone(),
            from_vault: BTreeMap::from([("client_secret".to_owned(), from)]),
            ..NewCredential::default()
        }
    }

    async fn connect(&self, new: NewCredential) -> Result<(), Problem> {
        match signin::connect(&self.host, &self.ana, &self.profile, new).await {
            Ok(Connected::Connected) => Ok(()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.problem()),
        }
    }

    async fn sealed_secrets(&self) -> i64 {
        let mut tx = self.host.store.read_everything().await.unwrap();
        sqlx::query("select count(*) from credentials where client_secret_sealed is not null")
            .fetch_one(tx.conn())
            .await
            .unwrap()
            .get(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_a_vault_connects_and_renews_and_is_stored_nowhere() {
    on_both(|database| async move {
        let company = Company::new(&database).await;
        assert_eq!(company.sealed_secrets().await, 1, "the typed one");
        company
            .connect(company.credential("Corp", QUERY, ""))
            .await
            .unwrap();
        assert_eq!(company.sealed_secrets().await, 0);
        let view = signin::connection(&company.host, &company.ana, &company.profile)
            .await
            .unwrap();
        let field = view.credential.unwrap().from_vault.remove(0);
        assert_eq!(
            (field.field.as_str(), field.set_by.as_deref()),
            ("client_secret", Some("Ana"))
        );
        assert_eq!(field.from.vault, "Corp");

        // Each new token asks the vault again, and nothing in between does.
        profiles::publish(&company.host, &company.ana, &company.profile)
            .await
            .unwrap();
        worker::run_due(&company.host).await.unwrap();
        let asked = company.ccp.asked();
        assert!(asked >= 1);
        company.clock.advance(24 * 3_600_000);
        company.org.control().set_now(Some(company.host.now_ms()));
        profiles::collect_now(&company.host, &company.ana, &company.profile)
            .await
            .unwrap();
        worker::run_due(&company.host).await.unwrap();
        let all = runs::list_runs(&company.host, &company.ana, None, None, 5)
            .await
            .unwrap();
        assert!(
            all.iter().all(|run| run.state.as_str() == "complete"),
            "{all:?}"
        );
        assert_eq!(company.ccp.asked(), asked + 1);

        // A vault that is away fails the token call as something that passes, and asks nobody to sign in.
        company.ccp.answer_instead(Some((503, json!({}))));
        company.clock.advance(24 * 3_600_000);
        company.org.control().set_now(Some(company.host.now_ms()));
        profiles::collect_now(&company.host, &company.ana, &company.profile)
            .await
            .unwrap();
        worker::run_due(&company.host).await.unwrap();
        let profile = profiles::get(&company.host, &company.ana, &company.profile)
            .await
            .unwrap();
        assert_eq!(profile.credential.unwrap().health, "good");
        company.ccp.answer_instead(None);

        // The other kind, and what is left empty is kept.
        company
            .connect(company.credential("Bao", PATH, "secret"))
            .await
            .unwrap();
        let kept = NewCredential {
            from_vault: BTreeMap::new(),
            ..company.credential("", "", "")
        };
        company.connect(kept).await.unwrap();
        assert!(company.kv.asked() >= 2);
        assert_eq!(company.sealed_secrets().await, 0);
        let in_use = vaults::remove(&company.host, &company.ada, "Bao").await;
        assert_eq!(in_use.unwrap_err().problem().code, "vault.in_use");
        vaults::remove(&company.host, &company.ada, "Corp")
            .await
            .unwrap();

        // Another way out forgets where the secret lies, as it deletes a stored one.
        let proxy = SetProxy {
            proxy_use: ProxyUse::Own,
            address: "http://10.9.8.7:3128".to_owned(),
            user: String::new(),
            password: String::new().into(),
        };
        way::set_proxy(&company.host, &company.ana, &company.profile, &proxy)
            .await
            .unwrap();
        vaults::remove(&company.host, &company.ada, "Bao")
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_of_a_vault_is_told_by_name_at_the_field() {
    let database = Database::new(Engine::Sqlite);
    let company = Company::new(&database).await;
    let told = async |vault: &str, query: &str, property: &str, code: &str| {
        let problem = company
            .connect(company.credential(vault, query, property))
            .await
            .expect_err(code);
        assert_eq!(problem.code, code, "{problem:?}");
        assert_eq!(
            problem.fix.field.as_deref(),
            Some("client_secret"),
            "{problem:?}"
        );
        assert!(!problem.message.contains(&company.client.1), "{problem:?}");
    };
    told("Nobody", QUERY, "", "vault.unknown").await;
    told("Corp", "acme", "", "vault.query").await;
    told("Corp", "Safe=SaaS;Object=other", "", "vault.not_found").await;
    told("Corp", QUERY, "Nothing", "vault.property").await;
    told("Bao", PATH, "", "vault.property").await;
    told("Bao", "../sys/raw", "", "vault.query").await;
    for (status, error, code) in [
        (400, "APPAP227E", "vault.ambiguous"),
        (403, "APPAP306E", "vault.denied"),
        (500, "APPAP282E", "vault.changing"),
        (400, "APPAP007E", "vault.sealed"),
        (200, "", "vault.property"),
    ] {
        let body = json!({"ErrorCode": error, "ErrorMsg": "said by the vault"});
        company.ccp.answer_instead(Some((status, body)));
        told("Corp", QUERY, "", code).await;
    }
    let deleted =
        json!({"data": {"data": null, "metadata": {"deletion_time": "2026-01-01T00:00:00Z"}}});
    for (status, body, code) in [
        (404, deleted, "vault.deleted"),
        (429, json!({}), "vault.busy"),
        (503, json!({"errors": ["Vault is sealed"]}), "vault.sealed"),
        (200, json!([]), "vault.shape"),
    ] {
        company.kv.answer_instead(Some((status, body)));
        told("Bao", PATH, "secret", code).await;
    }
    // What the vendor does not take is the vendor's no, not the vault's.
    company.kv.answer_instead(Some((
        200,
        json!({"data": {"data": {"secret": "another secret"}, "metadata": {}}}),
    )));
    let refused = company.connect(company.credential("Bao", PATH, "")).await;
    assert!(refused.unwrap_err().code.starts_with("salesforce."));

    // Its own: private addresses, rights, and a token that another address never gets.
    let host = &company.host;
    let set = async |actor: &Actor, address: &str, token: &str| {
        let new = SetVault {
            name: "Bao".to_owned(),
            kind: "kv_v2".to_owned(),
            address: address.to_owned(),
            token: token.to_owned().into(),
            ..SetVault::default()
        };
        vaults::set(host, actor, new)
            .await
            .map_err(|error| error.problem())
    };
    assert_eq!(
        set(&company.ana, &company.kv.address(), TOKEN)
            .await
            .unwrap_err()
            .code,
        "identity.denied"
    );
    let private = set(&company.ada, "http://10.1.2.3:8200", TOKEN)
        .await
        .unwrap_err();
    assert_eq!(private.fix.field.as_deref(), Some("address"));
    assert!(private.message.contains("--allow-target"), "{private:?}");
    let moved = set(&company.ada, &company.ccp.address(), "")
        .await
        .unwrap_err();
    assert_eq!(moved.fix.field.as_deref(), Some("token"));
    let same = set(&company.ada, &company.kv.address(), "").await.unwrap();
    assert_eq!(same.token_ends_in.as_deref(), Some("…91cc"));
    assert!(!json!(same).to_string().contains(TOKEN));
}
