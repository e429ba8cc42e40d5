//! The device flow in Salesforce's own dialect.

use serde_json::{Value, json};

use super::{ANA, KEY, Org, refusal, text};

const PENDING: (u16, &str) = (400, "authorization_pending");

async fn org() -> Org {
    Org::with(|app| app.device = true).await
}

impl Org {
    pub(crate) async fn device(&self) -> Value {
        let form = [
            ("response_type", "device_code"),
            ("client_id", KEY),
            ("scope", "api refresh_token"),
        ];
        let (status, body) = self.bare_token(&form).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    pub(crate) async fn poll(&self, device: &Value) -> (u16, Value) {
        let code = text(device, "device_code");
        self.bare_token(&[("grant_type", "device"), ("client_id", KEY), ("code", code)])
            .await
    }

    pub(crate) fn decide(&self, device: &Value, allow: bool) -> Value {
        let body = json!({"user_code": text(device, "user_code"), "username": ANA, "allow": allow});
        self.set("device", body)
    }
}

fn short(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, text(&answer.1, "error"))
}

#[tokio::test]
async fn a_person_types_the_code_and_the_device_gets_tokens_once() {
    let org = org().await;
    let device = org.device().await;
    assert_eq!(text(&device, "user_code").len(), 8);
    assert_eq!(device["interval"], 5);
    assert_eq!(device["expires_in"], json!(null));
    let page = org
        .http
        .get(text(&device, "verification_uri"))
        .send()
        .await
        .unwrap();
    assert!(page.text().await.unwrap().contains("Enter the code"));
    assert_eq!(short(&org.poll(&device).await), PENDING);
    assert_eq!(
        text(&org.decide(&device, true), "title"),
        "You&#39;re Connected"
    );
    org.later(5_000);
    let (status, body) = org.poll(&device).await;
    assert_eq!(status, 200, "{body}");
    assert!(text(&body, "refresh_token").starts_with("5Aep"));
    assert_eq!(org.data(text(&body, "access_token")).await.0, 200);
    org.later(10_000);
    assert_eq!(
        short(&org.poll(&device).await),
        (400, "invalid_grant"),
        "once"
    );
}

#[tokio::test]
async fn a_device_that_asks_too_often_is_told_to_slow_down_more_and_more() {
    let org = org().await;
    let device = org.device().await;
    assert_eq!(short(&org.poll(&device).await), PENDING);
    org.later(4_999);
    assert_eq!(short(&org.poll(&device).await), (400, "slow_down"));
    org.later(4_999 + 9_999);
    assert_eq!(
        short(&org.poll(&device).await),
        (400, "slow_down"),
        "ten seconds by now"
    );
    org.later(4_999 + 9_999 + 15_000);
    assert_eq!(short(&org.poll(&device).await), PENDING);
}

#[tokio::test]
async fn a_refused_a_late_and_an_unknown_device_code_get_nothing() {
    let org = org().await;
    let device = org.device().await;
    assert_eq!(text(&org.decide(&device, false), "title"), "Access Denied");
    let denied = org.poll(&device).await;
    assert_eq!(
        refusal(&denied),
        (400, "invalid_request", "end-user denied authorization")
    );
    let late = org.device().await;
    org.later(10 * 60_000);
    let unknown = (400, "invalid_grant", "invalid device code");
    assert_eq!(refusal(&org.poll(&late).await), unknown);
    assert_eq!(
        refusal(&org.poll(&json!({"device_code": "x"})).await),
        unknown
    );
    let body = json!({"user_code": text(&late, "user_code"), "username": ANA});
    assert_eq!(org.control().call("POST", "device", &body).0, 422);
}

#[tokio::test]
async fn an_app_without_the_flow_or_not_installed_is_refused() {
    let org = org().await;
    let ask = [("response_type", "device_code"), ("client_id", KEY)];
    org.set(&format!("apps/{KEY}"), json!({"installed": false}));
    let refused = org.bare_token(&ask).await;
    assert_eq!(
        refusal(&refused),
        (400, "invalid_client", "app must be installed into org")
    );
    org.set(
        &format!("apps/{KEY}"),
        json!({"installed": true, "device": false}),
    );
    let refused = org.bare_token(&ask).await;
    assert_eq!(refusal(&refused).1, "unsupported_grant_type");
}
