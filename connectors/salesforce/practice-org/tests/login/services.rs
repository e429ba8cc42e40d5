//! Revoke, introspect, userinfo, the identity URL and the discovery document.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{ANA, CALLBACK, KEY, NOON, Org, SECRET, refusal, spec, text};

impl Org {
    async fn revoke(&self, token: &str) -> (u16, String) {
        let url = self.at("/services/oauth2/revoke");
        let response = self
            .http
            .post(url)
            .form(&[("token", token)])
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn introspect(&self, token: &str) -> Value {
        let url = self.at("/services/oauth2/introspect");
        let form = [
            ("client_id", KEY),
            ("client_secret", SECRET),
            ("token", token),
        ];
        let response = self.http.post(url).form(&form).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        response.json().await.unwrap()
    }

    pub(crate) async fn get_text(&self, url: &str, bearer: &str) -> (u16, String) {
        let response = self.http.get(url).bearer_auth(bearer).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

#[tokio::test]
async fn revoking_a_refresh_token_ends_its_sessions_and_revoking_an_access_token_only_it() {
    let org = Org::of(spec()).await;
    let tokens = org.tokens("api refresh_token").await;
    let (_, second) = org.refresh(text(&tokens, "refresh_token")).await;
    assert_eq!(
        org.revoke(text(&second, "access_token")).await,
        (200, String::new())
    );
    assert_eq!(org.data(text(&second, "access_token")).await.0, 401);
    assert_eq!(org.data(text(&tokens, "access_token")).await.0, 200);
    assert_eq!(
        org.revoke(text(&tokens, "refresh_token")).await,
        (200, String::new())
    );
    assert_eq!(org.data(text(&tokens, "access_token")).await.0, 401);
    assert_eq!(org.refresh(text(&tokens, "refresh_token")).await.0, 400);
    let url_encoded =
        "error=unsupported_token_type&error_description=this+token+type+is+not+supported";
    assert_eq!(org.revoke("nothing").await, (400, url_encoded.to_owned()));
}

#[tokio::test]
async fn introspection_tells_an_app_about_its_own_tokens() {
    let org = Org::of(spec()).await;
    let tokens = org.tokens("api refresh_token").await;
    let told = org.introspect(text(&tokens, "access_token")).await;
    let seconds = NOON / 1000;
    let facts = json!({
        "active": true, "scope": "api refresh_token", "client_id": KEY, "username": ANA, "sub": tokens["id"],
        "token_type": "access_token", "exp": seconds + 7200, "iat": seconds, "nbf": seconds,
    });
    assert_eq!(told, facts);
    let told = org.introspect(text(&tokens, "refresh_token")).await;
    assert_eq!(
        (&told["active"], text(&told, "token_type")),
        (&json!(true), "refresh_token")
    );
    assert_eq!(org.introspect("nothing").await, json!({"active": false}));
    org.later(7_200_000);
    assert_eq!(
        org.introspect(text(&tokens, "access_token")).await,
        json!({"active": false})
    );

    org.set(
        "apps",
        json!({"client_id": "other", "client_secret": "s:c", "redirect_uris": [CALLBACK]}),
    );
    let url = org.at("/services/oauth2/introspect");
    let basic = format!("Basic {}", STANDARD.encode("other:s:c"));
    let form = [("token", text(&tokens, "refresh_token"))];
    let request = org
        .http
        .post(&url)
        .header("authorization", basic)
        .form(&form);
    let foreign: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(foreign, json!({"active": false}), "another app's token");
    let wrong = [
        ("client_id", KEY),
        ("client_secret", "wrong"),
        ("token", "x"),
    ];
    let refused: Value = org
        .http
        .post(&url)
        .form(&wrong)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(text(&refused, "error"), "invalid_client");
}

#[tokio::test]
async fn userinfo_and_the_identity_url_say_whose_token_it_is() {
    let org = Org::of(spec()).await;
    let tokens = org.tokens("api").await;
    let ana = spec().user_id_of(ANA).unwrap();
    let userinfo = org.at("/services/oauth2/userinfo");
    let (status, body) = org.get_text(&userinfo, text(&tokens, "access_token")).await;
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    assert_eq!(
        (text(&told, "user_id"), text(&told, "preferred_username")),
        (ana.as_str(), ANA)
    );
    assert_eq!(told["sub"], tokens["id"]);
    let (status, body) = org
        .get_text(text(&tokens, "id"), text(&tokens, "access_token"))
        .await;
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, text(&told, "username"), text(&told, "user_id")),
        (200, ANA, ana.as_str())
    );

    let bad = (403, "Bad_OAuth_Token".to_owned());
    assert_eq!(org.get_text(&userinfo, "nothing").await, bad);
    let response = org.http.get(&userinfo).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "Missing_OAuth_Token");
    let integration = spec().user_id(1);
    let foreign = org.at(&format!("/id/00D5g0000000001EAA/{integration}"));
    let token = text(&tokens, "access_token");
    assert_eq!(
        org.get_text(&foreign, token).await,
        (403, "Bad_Id".to_owned())
    );
    let elsewhere = org.at(&format!("/id/00D6h0000000002EAA/{ana}"));
    assert_eq!(
        org.get_text(&elsewhere, token).await,
        (403, "Wrong_Org".to_owned())
    );
}

#[tokio::test]
async fn scopes_open_what_they_name_and_nothing_else() {
    let org = Org::with(|app| {
        app.scopes = ["api", "id", "web", "full", "refresh_token"]
            .map(str::to_owned)
            .to_vec();
    })
    .await;
    let userinfo = org.at("/services/oauth2/userinfo");
    for (scope, api, identity) in [
        ("api", 200, 200),
        ("id", 401, 200),
        ("web refresh_token", 401, 403),
        ("full", 200, 200),
    ] {
        let tokens = org.tokens(scope).await;
        let token = text(&tokens, "access_token");
        let (status, body) = org.data(token).await;
        assert_eq!(status, api, "{scope}");
        if api == 401 {
            let says = "This session is not valid for use with the REST API";
            assert_eq!(
                body,
                json!([{"errorCode": "INVALID_SESSION_ID", "message": says}])
            );
        }
        assert_eq!(org.get_text(&userinfo, token).await.0, identity, "{scope}");
    }
    let (_, machine) = org.client_credentials().await;
    assert_eq!(
        text(&machine, "scope"),
        "api id",
        "never full, web or a refresh token"
    );
}

#[tokio::test]
async fn a_client_without_configuration_finds_every_endpoint() {
    let org = Org::of(spec()).await;
    let url = org.at("/.well-known/openid-configuration");
    let told: Value = org
        .http
        .get(url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(text(&told, "issuer"), org.running.base_url());
    for name in [
        "authorization",
        "token",
        "revocation",
        "introspection",
        "userinfo",
    ] {
        let endpoint = text(&told, &format!("{name}_endpoint")).to_owned();
        let answer = org.http.get(&endpoint).send().await.unwrap();
        assert_ne!(answer.status().as_u16(), 404, "{endpoint}");
    }
}

#[tokio::test]
async fn credentials_come_in_the_form_or_as_basic() {
    let org = Org::of(spec()).await;
    let url = org.at("/services/oauth2/token");
    let form = [("grant_type", "client_credentials")];
    let as_is = format!("{KEY}:{SECRET}");
    let encode =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let encoded = format!("{}:{}", encode(KEY), encode(SECRET));
    for (pair, status) in [(as_is, 200), (encoded, 200), (format!("{KEY}:wrong"), 400)] {
        let basic = format!("Basic {}", STANDARD.encode(pair));
        let request = org
            .http
            .post(&url)
            .header("authorization", basic)
            .form(&form);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status);
    }
    // Seed 4 has them in the query string.
    let query = format!(
        "{url}?grant_type=client_credentials&client_id={}&client_secret={}",
        encode(KEY),
        encode(SECRET)
    );
    assert_eq!(
        org.http
            .post(&query)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        200
    );
    let got: Value = org
        .http
        .get(&query)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        refusal(&(400, got)),
        (400, "invalid_request", "must use HTTP POST")
    );
}
