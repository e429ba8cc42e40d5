//! Who may come in, when, from where and how often; and when a session that was good ends.

use seatwise_practice_org_salesforce::{App, IpRange, Rights};
use serde_json::{Value, json};

use super::{ANA, KEY, NOON, Org, refusal, spec, text};

async fn asked(change: Value) -> (u16, Value) {
    let org = Org::of(spec()).await;
    let tokens = org.tokens("api refresh_token").await;
    org.set("login", change);
    org.refresh(text(&tokens, "refresh_token")).await
}

#[tokio::test]
async fn login_hours_are_hours_of_the_org() {
    let hours = |from: i8, to: i8| json!({"profiles": {"Standard User": {"hours": {"from": from, "to": to}}}});
    let closed = (400, "invalid_grant", "ip restricted or invalid login hours");
    assert_eq!(asked(hours(9, 17)).await.0, 200);
    assert_eq!(refusal(&asked(hours(10, 17)).await), closed);
    assert_eq!(refusal(&asked(hours(0, 9)).await), closed);
    let mut tokyo = spec();
    tokyo.time_zone = "Asia/Tokyo".to_owned();
    let org = Org::of(tokyo).await;
    let tokens = org.tokens("api refresh_token").await;
    org.set("login", hours(18, 19));
    assert_eq!(org.refresh(text(&tokens, "refresh_token")).await.0, 200);
}

#[tokio::test]
async fn addresses_of_the_profile_count_unless_the_app_relaxes_them() {
    let range = |first: &str, last: &str| json!({"profiles": {"Standard User": {"ip_ranges": [{"first": first, "last": last}]}}});
    assert_eq!(asked(range("127.0.0.0", "127.0.0.255")).await.0, 200);
    let elsewhere = range("10.0.0.0", "10.255.255.255");
    let refused = asked(elsewhere.clone()).await;
    assert_eq!(refusal(&refused), (400, "invalid_grant", "IP restricted"));
    let here = IpRange {
        first: "127.0.0.1".parse().unwrap(),
        last: "127.0.0.1".parse().unwrap(),
    };
    for change in [
        (|app, _| app.ip_relaxed = true) as fn(&mut App, IpRange),
        |app, here| app.trusted_ranges = vec![here],
    ] {
        let org = Org::with(|app| change(app, here)).await;
        org.set("login", elsewhere.clone());
        assert!(org.tokens("api").await["access_token"].is_string());
    }
}

#[tokio::test]
async fn the_hour_of_a_user_holds_3600_logins() {
    let org = Org::of(spec()).await;
    let tokens = org.tokens("api refresh_token").await;
    let refresh = || org.refresh(text(&tokens, "refresh_token"));
    org.set("login/count", json!({"username": ANA, "count": 3_598}));
    assert_eq!(refresh().await.0, 200, "the 3,600th");
    let over = (400, "LOGIN_RATE_EXCEEDED", "login rate exceeded");
    assert_eq!(refusal(&refresh().await), over);
    assert_eq!(org.client_credentials().await.0, 200, "another user's hour");
    org.later(3_600_000 - 1);
    assert_eq!(refusal(&refresh().await), over);
    org.later(3_600_000);
    assert_eq!(refresh().await.0, 200);
}

#[tokio::test]
async fn a_new_app_and_a_change_take_up_to_ten_minutes() {
    let org = Org::with(|app| app.known_from_ms = Some(NOON + 600_000)).await;
    let unknown = (400, "invalid_client_id", "client identifier invalid");
    org.later(599_999);
    assert_eq!(refusal(&org.client_credentials().await), unknown);
    org.later(600_000);
    assert_eq!(org.client_credentials().await.0, 200);
    org.set(
        &format!("apps/{KEY}"),
        json!({"client_credentials": false, "after_ms": 600_000}),
    );
    assert_eq!(org.client_credentials().await.0, 200);
    org.later(1_200_000);
    let off = (400, "invalid_grant", "no client credentials user enabled");
    assert_eq!(refusal(&org.client_credentials().await), off);
    let typo = json!({"client_credential": false, "after_ms": 1});
    assert_eq!(
        org.control().call("POST", &format!("apps/{KEY}"), &typo).0,
        422
    );
}

#[tokio::test]
async fn client_credentials_work_on_the_orgs_own_host_only() {
    let org = Org::of(spec()).await;
    let url = org.at("/services/oauth2/token");
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", KEY),
        ("client_secret", super::SECRET),
    ];
    let send = |host: &'static str| org.http.post(&url).header("host", host).form(&form).send();
    let shared: Value = send("login.salesforce.com")
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        text(&shared, "error_description"),
        "request not supported on this domain"
    );
    assert_eq!(
        send("login.my.salesforce.com")
            .await
            .unwrap()
            .status()
            .as_u16(),
        200
    );
    let lightning = send("login.lightning.force.com").await.unwrap();
    assert_eq!(
        lightning.status().as_u16(),
        302,
        "a UI host sends on, and the body is lost"
    );
}

#[tokio::test]
async fn a_session_ends_with_its_time_its_user_and_its_app() {
    let org = Org::with(|app| app.session_ms = Some(900_000)).await;
    let token = text(&org.tokens("api").await, "access_token").to_owned();
    org.later(899_999);
    assert_eq!(org.data(&token).await.0, 200);
    org.later(900_000);
    let expired =
        json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]);
    assert_eq!(org.data(&token).await, (401, expired.clone()));
    let token = text(&org.tokens("api").await, "access_token").to_owned();
    org.set(&format!("apps/{KEY}"), json!({"blocked": true}));
    assert_eq!(org.data(&token).await, (401, expired.clone()));
    org.set(&format!("apps/{KEY}"), json!({"blocked": false}));
    let token = text(&org.tokens("api").await, "access_token").to_owned();
    org.set(&format!("users/{ANA}/active"), json!({"is_active": false}));
    assert_eq!(org.data(&token).await, (401, expired));
}

#[tokio::test]
async fn a_frozen_user_gets_no_token_and_loses_the_session() {
    let mut spec = spec();
    spec.people[1].is_frozen = true;
    let org = Org::of(spec).await;
    let landing = org.consent(&org.authorize_url(&[]), true);
    assert_eq!(landing.get("error_description"), "inactive user");

    let org = Org::of(super::spec()).await;
    let tokens = org.tokens("api refresh_token").await;
    let (_, machine) = org.client_credentials().await;
    let soql = "SELECT+Id+FROM+UserLogin+WHERE+UserId+=+'ANA'";
    let ana = super::spec().user_id_of(ANA).unwrap();
    let query = org.at(&format!(
        "/services/data/v62.0/query?q={}",
        soql.replace("ANA", &ana)
    ));
    let (_, rows) = org.get_text(&query, text(&machine, "access_token")).await;
    let rows: Value = serde_json::from_str(&rows).unwrap();
    let login = text(&rows["records"][0], "Id").to_owned();
    let frozen = org
        .http
        .patch(org.at(&format!("/services/data/v62.0/sobjects/UserLogin/{login}")))
        .bearer_auth(text(&machine, "access_token"))
        .json(&json!({"IsFrozen": true}))
        .send()
        .await
        .unwrap();
    assert_eq!(frozen.status().as_u16(), 204);
    assert_eq!(org.data(text(&tokens, "access_token")).await.0, 401);
    let refused = org.refresh(text(&tokens, "refresh_token")).await;
    assert_eq!(refusal(&refused), (400, "invalid_grant", "inactive user"));
}

#[tokio::test]
async fn every_refused_login_of_a_person_also_stops_at_the_authorize_page() {
    for (change, error, says) in [
        (
            json!({"people": {ANA: {"password": "expired"}}}),
            "invalid_grant",
            "password expired",
        ),
        (
            json!({"people": {ANA: {"challenged": true}}}),
            "invalid_grant",
            "challenge required",
        ),
        (
            json!({"org_is_active": false}),
            "inactive_org",
            "organization is inactive",
        ),
    ] {
        let org = Org::of(spec()).await;
        org.set("login", change);
        let landing = match error {
            "inactive_org" => org.landing(&org.authorize_url(&[])).await,
            _ => org.consent(&org.authorize_url(&[]), true),
        };
        assert_eq!(
            (
                landing.get("error").as_str(),
                landing.get("error_description").as_str()
            ),
            (error, says)
        );
    }
}

#[tokio::test]
async fn a_session_sees_what_its_own_user_may_see() {
    let mut spec = spec();
    let blind = Rights {
        view_all_users: false,
        ..Rights::all()
    };
    spec.rights_of.insert(ANA.to_owned(), blind);
    let ana = spec.user_id_of(ANA).unwrap();
    let org = Org::of(spec).await;
    let own = text(&org.tokens("api").await, "access_token").to_owned();
    let (_, machine) = org.client_credentials().await;
    let all = text(&machine, "access_token").to_owned();
    let ids = |body: Value| -> Vec<String> {
        let rows = body["records"].as_array().unwrap().clone();
        rows.iter().map(|row| text(row, "Id").to_owned()).collect()
    };
    for _ in 0..2 {
        assert_eq!(ids(org.data(&own).await.1), std::slice::from_ref(&ana));
        assert_eq!(ids(org.data(&all).await.1).len(), 2);
    }
}
