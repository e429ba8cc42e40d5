//! The org as a client sees it, over loopback http.

#![allow(
    clippy::unwrap_used,
    reason = "a failing unwrap in a test is the test failing"
)]

use reqwest::StatusCode;
use seatwise_practice_org_salesforce::{
    Control, Crowd, Faults, Listen, OrgSpec, PracticeOrg, Rights, Running, worked_example,
};
use serde_json::{Value, json};

struct Client {
    http: reqwest::Client,
    org: Running,
    token: String,
}

impl Client {
    async fn of(spec: OrgSpec) -> Self {
        let app = spec.apps[0].clone();
        let org = PracticeOrg::start(spec, Listen::loopback()).await.unwrap();
        // A second test of the same process finds it installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut client = Self {
            http,
            org,
            token: String::new(),
        };
        let (status, body) = client
            .token(&[
                ("grant_type", "client_credentials"),
                ("client_id", &app.client_id),
                ("client_secret", &app.client_secret),
            ])
            .await;
        assert_eq!(status, StatusCode::OK, "{body}");
        client.token = body["access_token"].as_str().unwrap().to_owned();
        client
    }

    fn control(&self) -> Control {
        self.org.control()
    }

    async fn token(&self, form: &[(&str, &str)]) -> (StatusCode, Value) {
        let url = format!("{}/services/oauth2/token", self.org.base_url());
        let response = self.http.post(url).form(form).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let response = self
            .http
            .get(format!("{}{path}", self.org.base_url()))
            .bearer_auth(&self.token)
            .send()
            .await
            .unwrap();
        (response.status(), response.json().await.unwrap())
    }

    async fn query(&self, soql: &str) -> (StatusCode, Value) {
        let q: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        self.get(&format!("/services/data/v62.0/query?q={q}")).await
    }

    async fn patch(&self, path: &str, body: Value) -> (StatusCode, String) {
        let url = format!(
            "{}/services/data/v62.0/sobjects/{path}",
            self.org.base_url()
        );
        let response = self
            .http
            .patch(url)
            .bearer_auth(&self.token)
            .json(&body)
            .send()
            .await
            .unwrap();
        (response.status(), response.text().await.unwrap())
    }

    async fn all(&self, soql: &str) -> Vec<Value> {
        let (status, mut page) = self.query(soql).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let mut rows = page["records"].as_array().unwrap().clone();
        while let Some(next) = page["nextRecordsUrl"].as_str().map(str::to_owned) {
            assert_eq!(page["done"], false);
            page = self.get(&next).await.1;
            rows.extend(page["records"].as_array().unwrap().iter().cloned());
        }
        assert_eq!(page["totalSize"], rows.len());
        rows
    }
}

fn example() -> OrgSpec {
    worked_example::org1(worked_example::T0_MS)
}

#[tokio::test]
async fn the_worked_example_has_its_exact_seats() {
    let (one, two) = (
        Client::of(example()).await,
        Client::of(worked_example::org2(worked_example::T0_MS)).await,
    );
    for (client, key, total, used) in [
        (&one, "SFDC", 12, 10),
        (&two, "SFDC", 5, 3),
        (&one, "AUL", 3, 2),
        (&two, "CSN_User", 5000, 1),
        (&two, "PID_NEWTHING", 5, 1),
    ] {
        let rows = client.all(&format!("SELECT LicenseDefinitionKey, TotalLicenses, UsedLicenses FROM UserLicense WHERE LicenseDefinitionKey = '{key}'")).await;
        assert_eq!(
            (
                rows[0]["TotalLicenses"].as_i64(),
                rows[0]["UsedLicenses"].as_i64()
            ),
            (Some(total), Some(used)),
            "{key}"
        );
    }
}

#[tokio::test]
async fn a_crowd_is_paged_whole_without_doubles() {
    let mut spec = OrgSpec::new("00D5g0000000001EAA", "Crowd", "crowd.my.salesforce.com");
    spec.crowd = Some(Crowd::new(5_200, 3));
    let client = Client::of(spec).await;
    let rows = client.all("SELECT Id, Name, Profile.Name, Profile.UserLicense.LicenseDefinitionKey FROM User ORDER BY Id").await;
    let ids: std::collections::BTreeSet<_> =
        rows.iter().map(|row| row["Id"].as_str().unwrap()).collect();
    assert_eq!((rows.len(), ids.len()), (5_201, 5_201));
    assert!(rows[5]["Profile"]["UserLicense"]["LicenseDefinitionKey"].is_string());
    assert_eq!(client.control().requests("GET queryMore"), 2);
}

#[tokio::test]
async fn deactivating_frees_the_seat_and_is_counted_once() {
    let client = Client::of(example()).await;
    let dee = example().user_id_of("dee@example.com").unwrap();
    let (status, body) = client
        .patch(&format!("User/{dee}"), json!({"IsActive": false}))
        .await;
    assert_eq!((status, body.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(client.control().used_licences("SFDC"), Some(9));
    assert_eq!(client.control().write_count(&dee), 1);
    let row = &client
        .all(&format!("SELECT IsActive FROM User WHERE Id = '{dee}'"))
        .await[0];
    assert_eq!(row["IsActive"], false);
}

#[tokio::test]
async fn it_refuses_what_the_vendor_refuses() {
    let client = Client::of(example()).await;
    let id = |name: &str| example().user_id_of(name).unwrap();
    for (user, code) in [
        (id("fay@example.com"), "FIELD_INTEGRITY_EXCEPTION"),
        (example().user_id(1), "CANNOT_DISABLE_SELF"),
    ] {
        let (status, body) = client
            .patch(&format!("User/{user}"), json!({"IsActive": false}))
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(body.contains(code), "{body}");
    }
    assert!(client.control().writes().is_empty());
    let (_, body) = client
        .patch(
            &format!("User/{}", id("dee@example.com")),
            json!({"IsActive": "false"}),
        )
        .await;
    assert!(body.contains("JSON_PARSER_ERROR"), "{body}");
}

#[tokio::test]
async fn a_missing_right_hides_the_object() {
    let client = Client::of(example()).await;
    client.control().set_rights(Rights {
        view_setup: false,
        manage_users: false,
        ..Rights::all()
    });
    for object in ["UserLicense", "UserLogin"] {
        let (status, body) = client.query(&format!("SELECT Id FROM {object}")).await;
        assert_eq!(
            (status, body[0]["errorCode"].as_str()),
            (StatusCode::BAD_REQUEST, Some("INVALID_TYPE"))
        );
    }
    client.control().set_rights(Rights {
        api_enabled: false,
        ..Rights::all()
    });
    let (status, body) = client.query("SELECT Id FROM User").await;
    assert_eq!(
        (status, body[0]["errorCode"].as_str()),
        (StatusCode::FORBIDDEN, Some("FUNCTIONALITY_NOT_ENABLED"))
    );
}

#[tokio::test]
async fn a_rotated_refresh_token_used_again_ends_the_grant() {
    let mut spec = example();
    spec.apps[0].rotation = true;
    let app = spec.apps[0].clone();
    let client = Client::of(spec).await;
    let first = client
        .control()
        .call("POST", "tokens/refresh", &Value::Null)
        .1["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let refresh = |token: String| {
        let (id, secret) = (app.client_id.clone(), app.client_secret.clone());
        let client = &client;
        async move {
            client
                .token(&[
                    ("grant_type", "refresh_token"),
                    ("refresh_token", &token),
                    ("client_id", &id),
                    ("client_secret", &secret),
                ])
                .await
        }
    };
    let (status, body) = refresh(first.clone()).await;
    assert_eq!(status, StatusCode::OK);
    let second = body["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(
        refresh(first).await.1["error_description"],
        "expired access/refresh token"
    );
    assert_eq!(refresh(second).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn faults_come_as_asked() {
    let client = Client::of(example()).await;
    client
        .control()
        .set_faults(Faults::parse("limit_after=1").unwrap());
    assert_eq!(client.query("SELECT Id FROM User").await.0, StatusCode::OK);
    let (status, body) = client.query("SELECT Id FROM User").await;
    assert_eq!(
        (status, body[0]["errorCode"].as_str()),
        (StatusCode::FORBIDDEN, Some("REQUEST_LIMIT_EXCEEDED"))
    );
    client
        .control()
        .set_faults(Faults::parse("drop_every=1").unwrap());
    let url = format!("{}/services/data/v62.0/limits", client.org.base_url());
    assert!(
        client
            .http
            .get(&url)
            .bearer_auth(&client.token)
            .send()
            .await
            .is_err()
    );
    client
        .control()
        .set_faults(Faults::parse("truncate_every=1").unwrap());
    let response = client
        .http
        .get(&url)
        .bearer_auth(&client.token)
        .send()
        .await
        .unwrap();
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn errors_have_the_vendors_codes() {
    let client = Client::of(example()).await;
    for (soql, code) in [
        ("SELECT Nope FROM User", "INVALID_FIELD"),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ("SELECT Id FROM User WHERE", "MALFORMED_QUERY"),
    ] {
        let (status, body) = client.query(soql).await;
        assert_eq!(
            (status, body[0]["errorCode"].as_str()),
            (StatusCode::BAD_REQUEST, Some(code)),
            "{soql}"
        );
    }
}
