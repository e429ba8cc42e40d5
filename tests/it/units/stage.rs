//! A company of two business units, and one of everything in the East that the West must not find.

use std::collections::{BTreeMap, BTreeSet};

use seatwise::entitlements::model::SourceOfRights;
use seatwise::entitlements::service::{self as entitlements, NewEntitlement};
use seatwise::entitlements::terms::Period;
use seatwise::identity::roles::{Actor, Role};
use seatwise::identity::service as identity;
use seatwise::imports::service::{self as imports, NewText};
use seatwise::imports::sign_ins::service::{self as sign_ins, SignInEvent};
use seatwise::people::service as people;
use seatwise::reclamation::controls::{self, NewExemption};
use seatwise::reclamation::rule::{Edit, Scope};
use seatwise::reclamation::{batches, rules};
use seatwise_tests::company::Company;
use seatwise_tests::world::person;
use sqlx::Row as _;

use super::asker::Asker;

/// Records of one unit, by the first part of an address and the name of its placeholder.
pub(super) type Keys = BTreeMap<(&'static str, &'static str), String>;

pub(super) async fn texts(company: &Company, statement: &str) -> Vec<String> {
    let mut tx = company.host.store.read_everything().await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()))
        .fetch_all(tx.conn())
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"))
        .iter()
        .filter_map(|row| row.get::<Option<String>, _>(0))
        .filter(|text| text.len() > 3)
        .collect()
}

pub(super) async fn one(company: &Company, statement: &str) -> String {
    texts(company, statement)
        .await
        .into_iter()
        .next()
        .unwrap_or_else(|| panic!("nothing: {statement}"))
}

/// Two units with an org each, and in the East one of everything.
pub(super) struct Units {
    pub(super) company: Company,
    /// Sees the West, and holds every role.
    pub(super) wes: Asker,
    /// Sees everything, and holds every role.
    pub(super) uma: Asker,
    pub(super) west: Keys,
    pub(super) east: Keys,
    /// Texts that only the East has.
    pub(super) secrets: BTreeSet<String>,
}

impl Units {
    pub(super) async fn new(company: Company) -> Self {
        let (host, ana) = (&company.host, &company.ana);
        let admin = person(host, "Ada", Role::Admin).await;
        for unit in ["West", "East"] {
            identity::create_unit(host, &admin, unit).await.unwrap();
        }
        let (west, east) = (company.profiles[0].clone(), company.profiles[1].clone());
        for (profile, unit) in [(&west, "West"), (&east, "East")] {
            identity::place_profile(host, &admin, profile, Some(unit))
                .await
                .unwrap();
        }
        let mut ids = Vec::new();
        for name in ["Wes", "Uma"] {
            let new = identity::NewPrincipal {
                kind: identity::PrincipalKind::Person,
                name: name.to_owned(),
                email: Some(format!("{}@company.example", name.to_lowercase())),
                roles: Role::ALL.into(),
            };
            ids.push(
                identity::create_principal(host, &Actor::system(), new)
                    .await
                    .unwrap(),
            );
        }
        identity::set_sight(host, &admin, &ids[0], &["West".to_owned()].into())
            .await
            .unwrap();

        // The directory: whoever is in Org2 alone belongs to the East.
        let mut csv =
            "external_id,name,email,business_unit,department,cost_centre,status\n".to_owned();
        for (id, name) in [
            ("S13", "kim"),
            ("S14", "lou"),
            ("S17", "ola"),
            ("S18", "pat"),
        ] {
            csv.push_str(&format!(
                "{id},{name},{name}@example.com,East,Eastern Sales,CC-East,employed\n"
            ));
        }
        people::import_csv(host, ana, &csv).await.unwrap();
        let org = one(
            &company,
            &format!("select organization_id from profiles where number = '{east}'"),
        )
        .await;

        // What hangs on an organization: a contract of its own, an exemption, sign-ins, and a list that was imported.
        let day = |text: &str| text.parse().unwrap();
        let new = NewEntitlement {
            product: "Platform".to_owned(),
            organization: Some(org.as_str().into()),
            is_shared: false,
            rights: Some(77),
            unit_price: "301".to_owned(),
            currency: "USD".to_owned(),
            period: Period::Year,
            starts_on: day("2025-07-01"),
            ends_on: day("2026-06-30"),
            source: SourceOfRights::Contract,
            note: Some("bought in the far Orient".to_owned()),
        };
        entitlements::add_entitlement(host, ana, new).await.unwrap();
        let new = NewExemption {
            organization: Some(org.as_str().into()),
            principal: "pat@example.com".to_owned(),
            kind: "vip".to_owned(),
            reason: "warden of the Orient".to_owned(),
            until: None,
        };
        controls::add_exemption(host, ana, new).await.unwrap();
        sign_ins::create_source(host, ana, "Orient Directory")
            .await
            .unwrap();
        let events = ["lou@example.com", "ghost@orient.example"].map(|login| SignInEvent {
            login: login.to_owned(),
            application: "Orient CRM".to_owned(),
            at: host.now_ms() - 200 * 86_400_000,
        });
        sign_ins::bring_events(host, ana, "Orient Directory", &events, false)
            .await
            .unwrap();
        let application = sign_ins::list_sources(host, ana).await.unwrap()[0].applications[0]
            .id
            .clone();
        sign_ins::map_application(host, ana, application.as_str(), Some(&org.as_str().into()))
            .await
            .unwrap();
        let source = imports::create_source(host, ana, "Orient Board", "Acme")
            .await
            .unwrap();
        identity::place_profile(host, &admin, &source.number, Some("East"))
            .await
            .unwrap();
        let new = NewText {
            name: "orient-users.csv",
            bytes: b"email,name,licence\nzoe@orient.example,Zoe of the Orient,Pro\n",
            encoding: "",
            separator: "",
        };
        let file = imports::bring_file(host, ana, &source.number, new)
            .await
            .unwrap();
        imports::import_file(host, ana, &source.number, file.id.as_str(), file.version, 0)
            .await
            .unwrap();
        company.work().await;

        // The East's list is approved, and its seat taken back; a list of both stays open for a while, then one of the West.
        company.approve_rule().await;
        company.go_live().await;
        let rule = company.rule().await.number;
        let lou = company.candidate("lou").await.number;
        let both = batches::create_batch(host, ana, &rule, &[]).await.unwrap();
        let far = batches::create_batch(host, ana, &rule, std::slice::from_ref(&lou))
            .await
            .unwrap();
        batches::approve_batch(host, &company.ben, &far.number, &far.digest)
            .await
            .unwrap();
        company.work().await;
        company.silence().await;
        let cy = company.candidate("cy").await.number;
        let near = batches::create_batch(host, ana, &rule, std::slice::from_ref(&cy))
            .await
            .unwrap();
        company.collect().await;

        // A change of the rule waits that names both organizations.
        let orgs = texts(&company, "select id from organizations").await;
        let edit = Edit {
            scope: Some(Scope::Organizations(orgs.into_iter().collect())),
            ..Edit::default()
        };
        rules::edit_rule(host, ana, &rule, &edit).await.unwrap();

        let taken = one(&company, "select number from actions where state = 'done'").await;
        let row = |column: &str, number: &str| {
            format!("select {column} from candidates where number = '{number}'")
        };
        let run = |number: &str| {
            format!(
                "select r.number from runs r join profiles p on p.id = r.profile_id where p.number = '{number}' order by r.number"
            )
        };
        let mut keys = [Keys::new(), Keys::new()];
        for (at, (profile, candidate, batch)) in
            [(&west, &cy, &near.number), (&east, &lou, &far.number)]
                .into_iter()
                .enumerate()
        {
            let organization = one(&company, &row("organization_id", candidate)).await;
            let account = one(&company, &row("account_id", candidate)).await;
            let action = if at == 0 {
                one(
                    &company,
                    &format!("select number from actions where organization_id = '{organization}'"),
                )
                .await
            } else {
                taken.clone()
            };
            keys[at] = Keys::from([
                (("accounts", "organization"), organization.clone()),
                (("accounts", "account"), account),
                (("profiles", "number"), profile.clone()),
                (("profiles", "task"), "review".to_owned()),
                (("candidates", "number"), candidate.clone()),
                (("batches", "number"), batch.clone()),
                (("actions", "number"), action),
                (("runs", "number"), one(&company, &run(profile)).await),
                (("sources", "id"), organization),
            ]);
        }
        let [west, mut east] = keys;
        east.insert(("imports", "number"), source.number.clone());
        east.insert(("imports", "file"), file.id.to_string());
        east.insert(("identity-applications", "id"), application.to_string());
        east.insert(
            ("exemptions", "id"),
            one(
                &company,
                "select id from exemptions where reason like '%Orient'",
            )
            .await,
        );
        east.insert(
            ("entitlements", "number"),
            one(
                &company,
                "select number from entitlements where note like '%Orient'",
            )
            .await,
        );

        // The West takes settings over from the East, whose name it is not told.
        let mut tx = host.store.begin().await.unwrap();
        for text in [
            "update aliases set parent_id = (select id from aliases where name = 'Org2') where name = 'Org1'",
            "update connections set proxy_use = 'own', proxy_url = 'http://proxy.company.example:3128' \
             where alias_id = (select id from aliases where name = 'Org2')",
        ] {
            sqlx::query(text).execute(tx.conn()).await.unwrap();
        }
        tx.commit().await.unwrap();

        let mut secrets = BTreeSet::from([both.number.clone(), both.id.to_string()]);
        let profiles = "select p.id from profiles p join business_units b on b.id = p.business_unit_id where b.name = 'East'";
        let orgs = format!(
            "select organization_id from profiles where id in ({profiles}) and organization_id is not null"
        );
        for statement in [
            format!("select number from profiles where id in ({profiles})"),
            format!("select id from profiles where id in ({profiles})"),
            format!("select name from profiles where id in ({profiles})"),
            format!("select alias_id from profiles where id in ({profiles})"),
            format!("select c.login_url from connections c join profiles p on p.alias_id = c.alias_id where p.id in ({profiles})"),
            format!("select id from organizations where id in ({orgs})"),
            format!("select name from organizations where id in ({orgs})"),
            format!("select vendor_org_id from organizations where id in ({orgs})"),
            format!("select number from runs where profile_id in ({profiles})"),
            format!("select id from runs where profile_id in ({profiles})"),
            format!("select number from candidates where organization_id in ({orgs})"),
            format!("select id from candidates where organization_id in ({orgs})"),
            format!("select number from actions where organization_id in ({orgs})"),
            format!("select id from actions where organization_id in ({orgs})"),
            format!("select number from entitlements where organization_id in ({orgs})"),
            format!("select note from entitlements where organization_id in ({orgs})"),
            format!("select reason from exemptions where organization_id in ({orgs})"),
            format!(
                "select vendor_id from accounts where organization_id in ({orgs}) \
                 and vendor_id not in (select vendor_id from accounts where organization_id not in ({orgs}))"
            ),
            format!(
                "select principal from accounts where organization_id in ({orgs}) \
                 and principal not in (select principal from accounts where organization_id not in ({orgs}))"
            ),
            "select p.id from people p join business_units b on b.id = p.business_unit_id where b.name = 'East'".to_owned(),
            "select p.email from people p join business_units b on b.id = p.business_unit_id where b.name = 'East'".to_owned(),
            "select name from identity_sources".to_owned(),
            "select name from identity_applications".to_owned(),
            "select id from identity_applications".to_owned(),
            "select login from identity_signins where login like 'ghost%'".to_owned(),
            "select name from import_files".to_owned(),
            "select id from import_files".to_owned(),
        ] {
            let found = texts(&company, &statement).await;
            assert!(!found.is_empty(), "the East has none of: {statement}");
            secrets.extend(found);
        }
        secrets.extend([far.number, far.id.to_string(), "Eastern Sales".to_owned()]);
        Self {
            wes: Asker::of(&company, &ids[0]).await,
            uma: Asker::of(&company, &ids[1]).await,
            company,
            west,
            east,
            secrets,
        }
    }

    /// Those of the East's texts that stand in this one.
    pub(super) fn told<'a>(&'a self, text: &str) -> Vec<&'a str> {
        self.secrets
            .iter()
            .map(String::as_str)
            .filter(|secret| text.contains(secret))
            .collect()
    }
}
