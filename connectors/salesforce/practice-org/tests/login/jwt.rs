//! The JWT bearer grant, with assertions signed by `ring`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use seatwise_practice_org_salesforce::{App, OrgSpec, PermittedUsers};
use serde_json::{Value, json};

use super::{ANA, KEY, NOON, Org, refusal, spec, text};

/// Made for these tests; opens nothing else.
const PRIVATE_KEY: &[u8] = include_bytes!("../fixtures/jwt.pk8");
const CERTIFICATE: &str = include_str!("../fixtures/jwt.crt");
const OTHER_CERTIFICATE: &str = include_str!("../fixtures/other.crt");
const LOGIN: &str = "https://login.salesforce.com";

pub(crate) fn assertion(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "RS256"})), part(claims));
    let key = ring::signature::RsaKeyPair::from_pkcs8(PRIVATE_KEY).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    let padding = &ring::signature::RSA_PKCS1_SHA256;
    key.sign(padding, &random, signed.as_bytes(), &mut signature)
        .unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Ana's claims, good for three minutes.
pub(crate) fn claims() -> Value {
    json!({"iss": KEY, "sub": ANA, "aud": LOGIN, "exp": NOON / 1000 + 180})
}

/// The org with an app that has a certificate and Ana's approval.
pub(crate) fn approved() -> OrgSpec {
    let mut spec = spec();
    spec.apps[0].certificate = Some(CERTIFICATE.to_owned());
    spec.apps[0].approved_by = vec![ANA.to_owned()];
    spec
}

impl Org {
    pub(crate) async fn bearer(&self, claims: &Value) -> (u16, Value) {
        self.send_assertion(&assertion(claims)).await
    }

    async fn send_assertion(&self, assertion: &str) -> (u16, Value) {
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        self.bare_token(&[("grant_type", grant), ("assertion", assertion)])
            .await
    }
}

#[tokio::test]
async fn a_signed_assertion_of_an_approved_user_gets_a_token_without_secret_and_refresh_token() {
    let org = Org::of(approved()).await;
    let (status, body) = org.bearer(&claims()).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["refresh_token"], json!(null));
    assert_eq!(text(&body, "scope"), "api");
    assert_eq!(org.data(text(&body, "access_token")).await.0, 200);
}

#[tokio::test]
async fn the_audience_is_the_login_host_of_the_kind_of_org() {
    let org = Org::of(approved()).await;
    let wrong = (400, "invalid_grant", "Audience validation failed");
    let with = |audience: &str| {
        let mut claims = claims();
        claims["aud"] = json!(audience);
        claims
    };
    for audience in [
        "https://test.salesforce.com",
        "https://login.my.salesforce.com",
        "",
    ] {
        assert_eq!(
            refusal(&org.bearer(&with(audience)).await),
            wrong,
            "{audience}"
        );
    }
    assert_eq!(
        org.bearer(&with("https://login.salesforce.com/")).await.0,
        200
    );
    let mut sandbox = approved();
    sandbox.sandbox = true;
    let sandbox = Org::of(sandbox).await;
    assert_eq!(refusal(&sandbox.bearer(&claims()).await), wrong);
    assert_eq!(
        sandbox.bearer(&with("https://test.salesforce.com")).await.0,
        200
    );
}

#[tokio::test]
async fn an_assertion_lives_for_minutes_with_three_minutes_of_skew() {
    let org = Org::of(approved()).await;
    let expired = (400, "invalid_grant", "expired authorization code");
    for (seconds, good) in [
        (-181, false),
        (-180, true),
        (180, true),
        (480, true),
        (481, false),
    ] {
        let mut claims = claims();
        claims["exp"] = json!(NOON / 1000 + seconds);
        let answer = org.bearer(&claims).await;
        if good {
            assert_eq!(answer.0, 200, "{seconds}: {answer:?}");
        } else {
            assert_eq!(refusal(&answer), expired, "{seconds}");
        }
    }
    let mut as_text = claims();
    as_text["exp"] = json!((NOON / 1000 + 180).to_string());
    assert_eq!(org.bearer(&as_text).await.0, 200);
}

#[tokio::test]
async fn a_signature_counts_only_under_the_certificate_of_the_app() {
    let invalid = (400, "invalid_grant", "invalid assertion");
    let org = Org::of(approved()).await;
    let good = assertion(&claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let mut forged = claims();
    forged["sub"] = json!(super::INTEGRATION_USERNAME);
    let forged = URL_SAFE_NO_PAD.encode(forged.to_string());
    let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    for bad in [
        format!("{header}.{forged}.{signature}"),
        format!("{unsigned}.{forged}."),
        signed.to_owned(),
        "nonsense".to_owned(),
    ] {
        assert_eq!(refusal(&org.send_assertion(&bad).await), invalid);
    }
    org.set(
        &format!("apps/{KEY}"),
        json!({"certificate": OTHER_CERTIFICATE}),
    );
    assert_eq!(refusal(&org.send_assertion(&good).await), invalid);
    org.set(&format!("apps/{KEY}"), json!({"certificate": null}));
    assert_eq!(refusal(&org.send_assertion(&good).await), invalid);
    let mut unknown = claims();
    unknown["iss"] = json!("nobody");
    assert_eq!(refusal(&org.bearer(&unknown).await).1, "invalid_client_id");
}

#[tokio::test]
async fn without_approval_there_is_no_token() {
    let not_approved = (400, "invalid_grant", "user hasn't approved this consumer");
    let change = |change: &dyn Fn(&mut App)| {
        let mut spec = approved();
        change(&mut spec.apps[0]);
        Org::of(spec)
    };
    let org = change(&|app| app.approved_by.clear()).await;
    assert_eq!(refusal(&org.bearer(&claims()).await), not_approved);
    let consent = org.tokens("api refresh_token").await;
    assert_eq!(org.bearer(&claims()).await.0, 200, "approved by a consent");
    let revoke = org.at("/services/oauth2/revoke");
    let form = [("token", text(&consent, "refresh_token"))];
    assert_eq!(
        org.http
            .post(revoke)
            .form(&form)
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(refusal(&org.bearer(&claims()).await), not_approved);

    let mut nobody = claims();
    nobody["sub"] = json!("nobody@example.com");
    assert_eq!(refusal(&org.bearer(&nobody).await), not_approved);

    let approve = |profile: &str| PermittedUsers::AdminApproved(vec![profile.to_owned()]);
    let org = change(&|app| {
        app.approved_by.clear();
        app.permitted = approve("Standard User");
    })
    .await;
    assert_eq!(org.bearer(&claims()).await.0, 200);
    let org = change(&|app| app.permitted = approve("System Administrator")).await;
    let refused = org.bearer(&claims()).await;
    let says = "user is not admin approved to access this app";
    assert_eq!(refusal(&refused), (400, "invalid_app_access", says));
}
