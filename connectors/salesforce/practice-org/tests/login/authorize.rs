//! The authorize page and the authorization code grant.

use seatwise_practice_org_salesforce::{PermittedUsers, Pkce};
use serde_json::json;

use super::{ANA, CALLBACK, CHALLENGE, KEY, NOON, Org, SECRET, VERIFIER, refusal, spec, text};

#[tokio::test]
async fn a_person_signs_in_allows_and_the_app_gets_tokens() {
    let org = Org::of(spec()).await;
    let url = org.authorize_url(&[("scope", "api refresh_token"), ("login_hint", "ana")]);
    let page = org.http.get(&url).send().await.unwrap();
    assert_eq!(page.status().as_u16(), 200);
    let html = page.text().await.unwrap();
    assert!(html.contains("ana@example.com") && html.contains("value=\"ana\""));
    let landing = org.consent(&url, true);
    assert_eq!(landing.get("state"), "a state");
    // Percent-encoded on the way, so that a client that forgets to decode is found out.
    assert!(landing.0.query().unwrap().contains("%3D%3D"));
    let (status, body) = org.redeem(&landing.get("code"), &[]).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(text(&body, "issued_at"), NOON.to_string());
    assert_eq!(text(&body, "scope"), "api refresh_token");
    assert!(text(&body, "refresh_token").starts_with("5Aep"));
    assert!(text(&body, "access_token").starts_with("00D5g0000000001!"));
    assert_eq!(body["expires_in"], json!(null));
    assert_eq!(org.data(text(&body, "access_token")).await.0, 200);
    let ana = spec().user_id_of(ANA).unwrap();
    assert!(text(&body, "id").ends_with(&format!("/id/00D5g0000000001EAA/{ana}")));
}

#[tokio::test]
async fn the_pages_work_with_forms_alone_and_remember_the_browser() {
    let org = Org::of(spec()).await;
    let url = org.authorize_url(&[]);
    let visit_of = |html: &str| {
        let (_, rest) = html.split_once("name=\"visit\" value=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let post = |form: Vec<(&'static str, String)>| {
        let page = org.at("/services/oauth2/authorize");
        org.http.post(page).form(&form).send()
    };
    let html = org
        .http
        .get(&url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let wrong = vec![
        ("visit", visit_of(&html)),
        ("username", "nobody@example.com".to_owned()),
    ];
    let html = post(wrong).await.unwrap().text().await.unwrap();
    assert!(html.contains("role=\"alert\""));
    let right = vec![("visit", visit_of(&html)), ("username", ANA.to_owned())];
    let page = post(right).await.unwrap();
    let cookie = page.headers()["set-cookie"].to_str().unwrap().to_owned();
    let html = page.text().await.unwrap();
    assert!(html.contains("Seatwise is asking to") && html.contains("(api)"));
    let visit = visit_of(&html);
    let allow = vec![("visit", visit.clone()), ("decision", "allow".to_owned())];
    let page = post(allow.clone()).await.unwrap();
    assert_eq!(page.status().as_u16(), 302);
    // A page is good once.
    let again = post(allow).await.unwrap().text().await.unwrap();
    assert!(again.contains("Page expired"));

    let with_cookie = |more: &[(&str, &str)]| {
        let cookie = cookie.split(';').next().unwrap().to_owned();
        org.http
            .get(org.authorize_url(more))
            .header("cookie", cookie)
            .send()
    };
    let page = with_cookie(&[]).await.unwrap().text().await.unwrap();
    assert!(
        page.contains("Allow Access?"),
        "signed in, but asked for consent"
    );
    for prompt in ["login", "select_account"] {
        let page = with_cookie(&[("prompt", prompt)])
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        assert!(page.contains("<h1>Login"), "prompt={prompt}");
    }
    let refused = with_cookie(&[("immediate", "true")]).await.unwrap();
    assert!(
        refused.headers()["location"]
            .to_str()
            .unwrap()
            .contains("immediate_unsuccessful")
    );
    let _consent_given = org.tokens("api").await;
    assert_eq!(
        with_cookie(&[("immediate", "true")])
            .await
            .unwrap()
            .status()
            .as_u16(),
        302
    );
    assert_eq!(
        with_cookie(&[]).await.unwrap().status().as_u16(),
        302,
        "no second consent"
    );
    let page = with_cookie(&[("prompt", "consent")])
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("Allow Access?"));
}

#[tokio::test]
async fn a_request_without_a_trusted_callback_never_leaves_the_page() {
    let org = Org::of(spec()).await;
    for (more, error) in [
        (("client_id", "somebody else"), "invalid_client_id"),
        (
            ("redirect_uri", "https://client.example.com/callback/"),
            "redirect_uri_mismatch",
        ),
        (
            ("redirect_uri", "https://evil.example.com/callback"),
            "redirect_uri_mismatch",
        ),
        (("redirect_uri", ""), "invalid_request"),
    ] {
        let page = org
            .http
            .get(org.authorize_url(&[more]))
            .send()
            .await
            .unwrap();
        assert_eq!(page.status().as_u16(), 400, "{more:?}");
        assert!(page.headers().get("location").is_none());
        assert!(
            page.text()
                .await
                .unwrap()
                .contains(&format!("error={error}")),
            "{more:?}"
        );
    }
}

#[tokio::test]
async fn refusals_come_back_to_the_callback_with_the_state() {
    let org = Org::of(spec()).await;
    let denied = org.consent(&org.authorize_url(&[]), false);
    assert_eq!(denied.get("error"), "access_denied");
    assert_eq!(
        denied.get("error_description"),
        "end-user denied authorization"
    );
    assert_eq!(denied.get("state"), "a state");
    let asked = [
        (
            ("response_type", "token"),
            "unsupported_response_type",
            "response type not supported",
        ),
        (
            ("scope", "api full"),
            "invalid_scope",
            "the requested scope is not allowed",
        ),
        (
            ("code_challenge", "too short"),
            "invalid_request",
            "invalid code challenge",
        ),
    ];
    for (more, error, says) in asked {
        let landing = org.landing(&org.authorize_url(&[more])).await;
        assert_eq!(
            (
                landing.get("error").as_str(),
                landing.get("error_description").as_str()
            ),
            (error, says)
        );
        assert_eq!(landing.get("state"), "a state");
    }
    for (change, error, says) in [
        (
            json!({"installed": false}),
            "invalid_client",
            "app must be installed into org",
        ),
        (
            json!({"installed": true, "blocked": true}),
            "OAUTH_APP_BLOCKED",
            "this app is blocked by admin",
        ),
        (
            json!({"blocked": false, "pkce": "required"}),
            "invalid_request",
            "missing required code challenge",
        ),
    ] {
        org.set(&format!("apps/{KEY}"), change);
        let landing = org.landing(&org.authorize_url(&[])).await;
        assert_eq!(
            (
                landing.get("error").as_str(),
                landing.get("error_description").as_str()
            ),
            (error, says)
        );
    }
    org.set(&format!("apps/{KEY}"), json!({"pkce": "forbidden"}));
    let more = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    assert_eq!(
        org.landing(&org.authorize_url(&more)).await.get("error"),
        "invalid_request"
    );
}

#[tokio::test]
async fn a_code_is_good_once_for_its_app_its_callback_and_ten_minutes() {
    let org = Org::of(spec()).await;
    let code = org.code(&[]);
    assert_eq!(org.redeem(&code, &[]).await.0, 200);
    let expired = (400, "invalid_grant", "expired authorization code");
    assert_eq!(refusal(&org.redeem(&code, &[]).await), expired);
    let code = org.code(&[]);
    org.later(10 * 60_000);
    assert_eq!(refusal(&org.redeem(&code, &[]).await), expired);
    let code = org.code(&[]);
    org.later(20 * 60_000 - 1);
    assert_eq!(org.redeem(&code, &[]).await.0, 200);

    let invalid = (400, "invalid_grant", "invalid authorization code");
    assert_eq!(refusal(&org.redeem("aPrxNothing==", &[]).await), invalid);
    let code = org.code(&[]);
    let encoded = code.replace('=', "%3D");
    assert_eq!(
        refusal(&org.redeem(&encoded, &[]).await),
        invalid,
        "sent as it came, not decoded"
    );
    let other = json!({"client_id": "other", "client_secret": "s", "redirect_uris": [CALLBACK]});
    org.set("apps", other);
    let form = [
        ("client_id", "other"),
        ("client_secret", "s"),
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
    ];
    assert_eq!(refusal(&org.bare_token(&form).await), invalid);
    let elsewhere = org
        .token(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", "https://elsewhere.example.com"),
        ])
        .await;
    assert_eq!(
        refusal(&elsewhere),
        (
            400,
            "redirect_uri_mismatch",
            "redirect_uri must match configuration"
        )
    );
    assert_eq!(org.redeem(&code, &[]).await.0, 200);
}

#[tokio::test]
async fn the_code_verifier_must_fit_and_must_be_there() {
    let org = Org::of(spec()).await;
    let more = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let code = || org.code(&more);
    assert_eq!(
        org.redeem(&code(), &[("code_verifier", VERIFIER)]).await.0,
        200
    );
    let wrong = org.redeem(&code(), &[("code_verifier", CHALLENGE)]).await;
    assert_eq!(
        refusal(&wrong),
        (400, "invalid_request", "invalid code verifier")
    );
    let missing = org.redeem(&code(), &[]).await;
    assert_eq!(
        refusal(&missing),
        (400, "invalid_grant", "missing code verifier")
    );
    let guessed = code();
    assert_eq!(
        org.redeem(&guessed, &[("code_verifier", CHALLENGE)])
            .await
            .0,
        400
    );
    let second = org.redeem(&guessed, &[("code_verifier", VERIFIER)]).await;
    assert_eq!(second.0, 400, "one guess per code");
    let plain = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "plain"),
    ];
    assert_eq!(
        org.landing(&org.authorize_url(&plain)).await.get("error"),
        "invalid_request"
    );
}

#[tokio::test]
async fn the_secret_is_asked_for_where_the_app_says_so() {
    let public = Org::with(|app| {
        app.secret_for_code = false;
        app.secret_for_refresh = false;
        app.pkce = Pkce::Required;
    })
    .await;
    let more = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let redeem = |org: &Org, secret: Option<&'static str>| {
        let code = org.code(&more);
        let mut form = vec![
            ("client_id".to_owned(), KEY.to_owned()),
            ("grant_type".to_owned(), "authorization_code".to_owned()),
            ("code".to_owned(), code),
            ("redirect_uri".to_owned(), CALLBACK.to_owned()),
            ("code_verifier".to_owned(), VERIFIER.to_owned()),
        ];
        form.extend(secret.map(|secret| ("client_secret".to_owned(), secret.to_owned())));
        form
    };
    let send = |org: &Org, form: Vec<(String, String)>| {
        let request = org.http.post(org.at("/services/oauth2/token")).form(&form);
        async move {
            let response = request.send().await.unwrap();
            (
                response.status().as_u16(),
                response.json::<serde_json::Value>().await.unwrap(),
            )
        }
    };
    let wrong_secret = (400, "invalid_client", "invalid client credentials");
    let given = send(&public, redeem(&public, None)).await;
    assert_eq!(given.0, 200, "{given:?}");
    let wrong = send(&public, redeem(&public, Some("wrong"))).await;
    assert_eq!(refusal(&wrong), wrong_secret);
    let refresh = [
        ("client_id", KEY),
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&given.1, "refresh_token")),
    ];
    assert_eq!(public.bare_token(&refresh).await.0, 200);

    let confidential = Org::of(spec()).await;
    let missing = send(&confidential, redeem(&confidential, None)).await;
    assert_eq!(refusal(&missing), wrong_secret);
    assert_eq!(
        send(&confidential, redeem(&confidential, Some(SECRET)))
            .await
            .0,
        200
    );
    assert_eq!(
        refusal(&confidential.bare_token(&refresh).await),
        wrong_secret
    );
}

#[tokio::test]
async fn an_admin_approved_app_asks_for_no_consent_and_lets_nobody_else_in() {
    let profiles = |names: &[&str]| {
        PermittedUsers::AdminApproved(names.iter().map(|&name| name.to_owned()).collect())
    };
    let org = Org::with(|app| app.permitted = profiles(&["Standard User"])).await;
    let url = org.authorize_url(&[]);
    let landing = org.consent(&url, false);
    assert!(
        !landing.get("code").is_empty(),
        "there is no page to press Deny on"
    );
    let org = Org::with(|app| app.permitted = profiles(&["System Administrator"])).await;
    let landing = org.consent(&org.authorize_url(&[]), true);
    assert_eq!(landing.get("error"), "invalid_app_access");
    assert_eq!(
        landing.get("error_description"),
        "user is not admin approved to access this app"
    );
}
