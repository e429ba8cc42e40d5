//! Who am I talking to.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, Failure, FailureKind,
    connection::{Environment, Organization, Verdict},
    testkit::{Bench, Scripted, ScriptedHttp},
};

use crate::{
    API_ONLY, COLUMNS, PLAIN, count, describe, discovery, error, memo_of, organization, rows, user,
    userinfo, versions,
};

fn identify(http: ScriptedHttp) -> Result<Organization, Failure> {
    Salesforce::identify(&Bench::new(http).settings(PLAIN).call())
}

fn with_organization(http: ScriptedHttp, over: &str) -> ScriptedHttp {
    http.get_with(&["FROM Organization"], organization(over))
        .get_with(&["SELECT COUNT() FROM User"], count(1200))
}

#[test]
fn identify_tells_org_edition_zone_and_size() {
    let org = identify(with_organization(
        discovery(&COLUMNS),
        ",\"IsSandbox\":false,\"TrialExpirationDate\":null",
    ))
    .unwrap();
    assert_eq!(org.id, "00D000000000001EAA");
    assert_eq!(org.name, "Acme");
    assert_eq!(org.environment, Environment::Production);
    assert_eq!(org.edition.as_deref(), Some("Enterprise Edition"));
    assert_eq!(org.time_zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(org.accounts, Some(1200));
    assert!(org.memo.len() < 1024);
}

#[test]
fn a_sandbox_a_trial_and_an_unknown_kind_are_told_apart() {
    for (over, environment) in [
        (",\"IsSandbox\":true", Environment::Sandbox),
        (
            ",\"IsSandbox\":true,\"TrialExpirationDate\":\"2026-12-01T00:00:00.000+0000\"",
            Environment::Sandbox,
        ),
        (
            ",\"IsSandbox\":false,\"TrialExpirationDate\":\"2026-12-01T00:00:00.000+0000\"",
            Environment::Trial,
        ),
        ("", Environment::Unknown),
    ] {
        assert_eq!(
            identify(with_organization(discovery(&COLUMNS), over))
                .unwrap()
                .environment,
            environment,
            "{over}"
        );
    }
}

#[test]
fn v62_is_spoken_where_the_org_lists_it() {
    let bench = Bench::new(with_organization(discovery(&COLUMNS), "")).settings(PLAIN);
    Salesforce::identify(&bench.call()).unwrap();
    let paths = bench.http.seen_paths();
    let versioned = paths[1..].iter().filter(|path| path.contains("/data/"));
    assert_eq!(versioned.clone().count(), 5);
    assert!(
        versioned
            .into_iter()
            .all(|path| path.starts_with("/services/data/v62.0/"))
    );
}

#[test]
fn a33_without_v62_the_highest_known_version_is_spoken() {
    let http = ScriptedHttp::new()
        .get(
            "/services/data/",
            versions(&["58.0", "60.0", "61.0", "65.0"]),
        )
        .get(
            "/services/data/v61.0/sobjects/User/describe",
            describe(&COLUMNS),
        )
        .get(
            "/services/data/v61.0/sobjects/UserLogin/describe",
            describe(&["Id"]),
        )
        .get_with(&API_ONLY, rows(&[]))
        .get("/services/oauth2/userinfo", userinfo());
    identify(with_organization(http, "")).unwrap();
}

#[test]
fn an_org_that_lists_no_known_version_is_refused() {
    let failure =
        identify(ScriptedHttp::new().get("/services/data/", versions(&["31.0", "58.0", "70.0"])))
            .unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Unsupported, "no_supported_api_version")
    );
}

#[test]
fn a_pinned_version_is_spoken_or_refused_but_never_replaced() {
    for pinned in ["v59.0", "59.0"] {
        let bench = Bench::new(
            ScriptedHttp::new()
                .get("/services/data/", versions(&["59.0", "62.0"]))
                .get_with(&["/v59.0/", "FROM Organization"], organization("")),
        )
        .settings(&format!("{{\"api_version\":{pinned:?}}}"));
        Salesforce::check(&bench.call(), "organization").unwrap();
    }
    let bench = Bench::new(ScriptedHttp::new().get("/services/data/", versions(&["62.0"])))
        .settings("{\"api_version\":\"v59.0\"}");
    assert_eq!(
        Salesforce::identify(&bench.call()).unwrap_err().code,
        "api_version_not_listed"
    );
}

#[test]
fn a24_a_hidden_required_column_fails_with_its_name() {
    let columns: Vec<&str> = COLUMNS
        .into_iter()
        .filter(|column| *column != "Username")
        .collect();
    let http = ScriptedHttp::new()
        .get("/services/data/", versions(&["62.0"]))
        .get(
            "/services/data/v62.0/sobjects/User/describe",
            describe(&columns),
        );
    let failure = identify(http).unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Permission, "INVALID_FIELD")
    );
    assert!(failure.message.contains("Username"), "{}", failure.message);
    // One that is only of use is done without, and said.
    let columns: Vec<&str> = COLUMNS
        .into_iter()
        .filter(|column| *column != "Department")
        .collect();
    let memo = memo_of(&columns);
    let counted = ScriptedHttp::new().get_with(&["COUNT()"], count(1));
    let bench = Bench::new(counted).memo(memo.clone()).settings(PLAIN);
    let outline = Salesforce::begin_subscriptions(&bench.call(), None).unwrap();
    let http = ScriptedHttp::new().get_with(&["FROM User ORDER BY Id"], rows(&[user(1, &[])]));
    let bench = Bench::new(http).memo(memo).settings(PLAIN);
    let page = Salesforce::download_subscriptions(&bench.call(), &outline.chains[0]).unwrap();
    assert_eq!(page.accounts.len(), 1);
    assert!(!bench.http.seen_paths()[0].contains("Department"));
    let bench = Bench::new(discovery(&columns));
    let said = Salesforce::check(&bench.call(), "columns").unwrap();
    assert_eq!(said.verdict, Verdict::Warn);
    assert!(said.evidence.contains("Department"), "{}", said.evidence);
}

#[test]
fn hidden_user_login_and_absent_userinfo_are_tolerated() {
    let http = ScriptedHttp::new()
        .get("/services/data/", versions(&["62.0"]))
        .get(
            "/services/data/v62.0/sobjects/User/describe",
            describe(&COLUMNS),
        )
        .get(
            "/services/data/v62.0/sobjects/UserLogin/describe",
            error(404, "NOT_FOUND", "The requested resource does not exist"),
        )
        .get_with(&API_ONLY, error(403, "INSUFFICIENT_ACCESS", "no"))
        .get(
            "/services/oauth2/userinfo",
            Scripted::with_type(404, "text/plain", "nope"),
        );
    identify(with_organization(http, "")).unwrap();
}

/// Everything `identify` asks before it asks who it is.
fn described() -> ScriptedHttp {
    ScriptedHttp::new()
        .get("/services/data/", versions(&["62.0"]))
        .get(USER, describe(&COLUMNS))
        .get(
            "/services/data/v62.0/sobjects/UserLogin/describe",
            describe(&["Id"]),
        )
        .get_with(&API_ONLY, rows(&[]))
}

const USER: &str = "/services/data/v62.0/sobjects/User/describe";

fn bad_oauth_token() -> Scripted {
    Scripted::with_type(403, "text/plain", "Bad_OAuth_Token")
}

#[test]
fn a10_a_token_that_dies_before_userinfo_is_renewed_by_a_data_request() {
    let http = described()
        .get("/services/oauth2/userinfo", bad_oauth_token())
        .get(USER, describe(&COLUMNS))
        .get("/services/oauth2/userinfo", userinfo());
    identify(with_organization(http, "")).unwrap();
}

#[test]
fn a_token_that_stays_dead_is_not_taken_for_an_absent_service() {
    let http = described()
        .get("/services/oauth2/userinfo", bad_oauth_token())
        .get(USER, describe(&COLUMNS))
        .get("/services/oauth2/userinfo", bad_oauth_token());
    let failure = identify(http).unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Auth, "Bad_OAuth_Token")
    );
}

#[test]
fn a_503_during_discovery_is_told_and_nothing_is_guessed() {
    let busy = || error(503, "SERVER_UNAVAILABLE", "busy").header("Retry-After", "3");
    for http in [
        described().get("/services/oauth2/userinfo", busy()),
        ScriptedHttp::new()
            .get("/services/data/", versions(&["62.0"]))
            .get(USER, busy()),
    ] {
        let failure = identify(http).unwrap_err();
        assert_eq!(
            (failure.kind, failure.retry_after_ms),
            (FailureKind::Transient, Some(3000))
        );
    }
}

#[test]
fn a_memo_of_another_version_is_found_out_afresh() {
    let http = discovery(&COLUMNS).get_with(&["SELECT COUNT() FROM User"], count(5));
    let bench = Bench::new(http).memo(vec![200, 1, 2, 3]);
    assert_eq!(
        Salesforce::begin_subscriptions(&bench.call(), None)
            .unwrap()
            .expected_accounts,
        Some(5)
    );
}

#[test]
fn the_manifest_names_the_component_that_stands_beside_it() {
    let manifest: toml::Table = include_str!("../../connector.toml").parse().unwrap();
    let info = Salesforce::describe();
    assert_eq!(manifest["connector"]["id"].as_str(), Some(info.id.as_str()));
    assert_eq!(
        manifest["connector"]["version"].as_str(),
        Some(info.version.as_str())
    );
}

/// Salesforce has one key for two clouds, and the component words its products as seed 001 does.
#[test]
fn the_manifest_and_the_component_know_the_same_licence_keys() {
    let manifest: toml::Table = include_str!("../../connector.toml").parse().unwrap();
    let mut listed: Vec<(String, String)> = manifest["products"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|product| {
            let name = product["name"].as_str().unwrap().to_owned();
            let keys = product["identifiers"].as_array().unwrap().iter();
            keys.map(move |key| (key.as_str().unwrap().to_owned(), name.clone()))
                .collect::<Vec<_>>()
        })
        .filter(|(key, name)| name != "Salesforce Integration" && !key.contains(':'))
        .collect();
    listed.sort();
    let rows: Vec<String> = listed
        .iter()
        .enumerate()
        .map(|(number, (key, _))| {
            let profile = crate::profile("P", key, "no name that says it");
            crate::user(number as u32, &[&format!("Profile={profile}")])
        })
        .collect();
    let page = crate::downloads::first(crate::rows(&rows)).unwrap();
    for (assignment, (key, name)) in page.assignments.iter().zip(&listed) {
        assert_eq!(&assignment.identifier, key);
        let product = assignment
            .evidence
            .iter()
            .find(|a| a.name == "product")
            .map(|a| a.value.strip_prefix("Salesforce ").unwrap())
            .unwrap_or_default();
        assert!(
            name.starts_with(product) && !product.is_empty(),
            "{key}: {name}, {product:?}"
        );
    }
}

#[test]
fn every_feature_licence_that_is_read_is_a_product_of_the_manifest() {
    let manifest = include_str!("../../connector.toml");
    let features: Vec<&str> = manifest
        .split("\"feature:")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        // The action that takes them back names them all at once.
        .filter(|feature| *feature != "*")
        .collect();
    assert_eq!(features.len(), 15);
    let flags: Vec<String> = features
        .iter()
        .map(|feature| format!("UserPermissions{feature}=true"))
        .collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let page = crate::downloads::first(crate::rows(&[crate::user(1, &flags)])).unwrap();
    let read: Vec<&str> = page
        .assignments
        .iter()
        .filter_map(|seat| seat.identifier.strip_prefix("feature:"))
        .collect();
    assert_eq!(read, features);
}
