//! The five seeds want five different apps (salesforce.md §1.2). Each setup, as its page describes it, leads to a token that reads users.

use seatwise_practice_org_salesforce::{OrgSpec, PermittedUsers, Person, Pkce, spec};
use serde_json::{Value, json};

use super::{ANA, CALLBACK, KEY, Landing, Org, SECRET, text};

fn scopes(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

async fn reads_users(org: &Org, answer: &(u16, Value)) {
    assert_eq!(answer.0, 200, "{answer:?}");
    assert_eq!(org.data(text(&answer.1, "access_token")).await.0, 200);
}

/// Seed 0: log in and allow; basic info, manage data, offline access.
#[tokio::test]
async fn saas_management_logs_in_and_allows() {
    let org = Org::with(|app| app.scopes = scopes(&["id", "api", "refresh_token"])).await;
    let tokens = org.tokens("id api refresh_token").await;
    reads_users(&org, &org.refresh(text(&tokens, "refresh_token")).await).await;
}

/// Seed 1: both secrets required, no PKCE, pre-authorized users, valid until revoked, addresses relaxed.
#[tokio::test]
async fn servicenow_comes_with_an_authorization_code() {
    let org = Org::with(|app| {
        app.scopes = scopes(&["api", "refresh_token", "offline_access"]);
        app.permitted = PermittedUsers::AdminApproved(scopes(&["Standard User"]));
        app.ip_relaxed = true;
    })
    .await;
    let tokens = org.tokens("api refresh_token").await;
    org.later(400 * 86_400_000);
    reads_users(&org, &org.refresh(text(&tokens, "refresh_token")).await).await;
}

/// Seed 1: scope `api` alone, no secret for the other flows, a run-as user of an approved profile.
#[tokio::test]
async fn servicenow_comes_with_client_credentials() {
    let org = Org::with(|app| {
        app.scopes = scopes(&["api"]);
        app.secret_for_code = false;
        app.secret_for_refresh = false;
        app.permitted = PermittedUsers::AdminApproved(scopes(&[spec::INTEGRATION_PROFILE]));
    })
    .await;
    reads_users(&org, &org.client_credentials().await).await;
}

/// Seed 2: the device flow with all scopes; the code is in the page already.
#[tokio::test]
async fn the_flexnet_beacon_shows_a_code_and_keeps_the_refresh_token() {
    let org = Org::with(|app| {
        app.device = true;
        app.scopes = scopes(&[
            "api",
            "full",
            "id",
            "web",
            "refresh_token",
            "offline_access",
        ]);
    })
    .await;
    let ask = [("response_type", "device_code"), ("client_id", KEY)];
    let (_, device) = org.bare_token(&ask).await;
    let code = text(&device, "user_code");
    let address = format!("{}?user_code={code}", text(&device, "verification_uri"));
    let page = org.http.get(&address).send().await.unwrap();
    assert!(
        page.text()
            .await
            .unwrap()
            .contains(&format!("value=\"{code}\""))
    );
    org.decide(&device, true);
    let (status, tokens) = org.poll(&device).await;
    assert_eq!(status, 200, "{tokens}");
    reads_users(&org, &org.refresh(text(&tokens, "refresh_token")).await).await;
    let wrong = [("response_type", "device_code"), ("client_id", "mistyped")];
    assert_eq!(
        text(&org.bare_token(&wrong).await.1, "error"),
        "invalid_client_id"
    );
}

/// Seed 3: client credentials as an API-only user of a profile of its own, secrets off, a callback nobody calls.
#[tokio::test]
async fn identity_intelligence_runs_as_an_api_only_user() {
    let mut spec: OrgSpec = super::spec();
    let username = "cii@example.com";
    spec.people
        .push(Person::new("CII", "API Only", username, "Standard User"));
    let app = &mut spec.apps[0];
    app.redirect_uris = vec!["https://localhost:3000/test".to_owned()];
    app.scopes = scopes(&["api"]);
    app.secret_for_code = false;
    app.secret_for_refresh = false;
    app.run_as = Some(username.to_owned());
    let org = Org::of(spec).await;
    let answer = org.client_credentials().await;
    reads_users(&org, &answer).await;
    let userinfo = org.at("/services/oauth2/userinfo");
    let (_, told) = org
        .get_text(&userinfo, text(&answer.1, "access_token"))
        .await;
    assert!(told.contains(username), "{told}");
    // "Enter the username / email": the e-mail alone is not enough.
    org.set(
        &format!("apps/{KEY}"),
        json!({"run_as": "cii@corp.example.com"}),
    );
    let refused = org.client_credentials().await;
    assert_eq!(
        text(&refused.1, "error_description"),
        "no client credentials user enabled"
    );
}

/// Seed 4: the consent by hand in a browser, the code copied from the address with `%3D` for `=`, then everything in the query string.
#[tokio::test]
async fn snow_atlas_copies_the_code_by_hand_and_pastes_the_refresh_token() {
    let mut spec: OrgSpec = super::spec();
    spec.apps[0].scopes = scopes(&["refresh_token", "offline_access", "full", "api"]);
    spec.apps[0].pkce = Pkce::Optional;
    let org = Org::of(spec).await;
    let success = org.at("/services/oauth2/success");
    org.set(
        &format!("apps/{KEY}"),
        json!({"redirect_uris": [success, CALLBACK]}),
    );
    let encode =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let (key, secret, back) = (encode(KEY), encode(SECRET), encode(&success));
    let address = org.at(&format!(
        "/services/oauth2/authorize?response_type=code&client_id={key}&redirect_uri={back}"
    ));
    let landing = org.set("consent", json!({"url": address, "username": ANA}));
    let landing = text(&landing, "location");
    let page = org.http.get(landing).send().await.unwrap();
    assert!(
        page.text()
            .await
            .unwrap()
            .contains("Authorization Successful")
    );
    let (_, copied) = landing.split_once("code=").unwrap();
    assert!(copied.ends_with("%3D%3D"), "{copied}");
    let query = format!(
        "grant_type=authorization_code&client_id={key}&client_secret={secret}&redirect_uri={back}"
    );
    let token = org.at(&format!(
        "/services/oauth2/token?code={}&{query}",
        copied.replace("%3D", "=")
    ));
    let tokens: Value = org
        .http
        .post(&token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        text(&tokens, "scope"),
        "refresh_token offline_access full api"
    );
    reads_users(&org, &org.refresh(text(&tokens, "refresh_token")).await).await;

    org.set(&format!("apps/{KEY}"), json!({"pkce": "required"}));
    let asked = org.http.get(org.authorize_url(&[])).send().await.unwrap();
    let asked = Landing::at(asked.headers()["location"].to_str().unwrap());
    assert_eq!(
        asked.get("error_description"),
        "missing required code challenge",
        "unless it is unchecked"
    );
}
