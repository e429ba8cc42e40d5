//! The refresh grant: rotation, re-use, policies, and the five consents of a user.

use seatwise_practice_org_salesforce::RefreshPolicy;
use serde_json::json;

use super::{KEY, Org, refusal, spec, text};

const DEAD: (u16, &str, &str) = (400, "invalid_grant", "expired access/refresh token");

#[tokio::test]
async fn without_rotation_the_answer_has_no_refresh_token_and_the_old_one_stays_good() {
    let org = Org::of(spec()).await;
    let tokens = org.tokens("api refresh_token").await;
    for _ in 0..3 {
        let (status, body) = org.refresh(text(&tokens, "refresh_token")).await;
        assert_eq!(status, 200);
        assert_eq!(body["refresh_token"], json!(null));
        assert_eq!(text(&body, "scope"), "api refresh_token");
        assert_eq!(org.data(text(&body, "access_token")).await.0, 200);
    }
    let scoped = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&tokens, "refresh_token")),
        ("scope", "api"),
    ];
    let refused = org.token(&scoped).await;
    assert_eq!(
        refusal(&refused),
        (400, "invalid_request", "scope parameter not supported")
    );
}

#[tokio::test]
async fn a_rotated_token_used_again_ends_this_grant_and_no_other() {
    let org = Org::with(|app| app.rotation = true).await;
    let bystander = org.tokens("api refresh_token").await;
    let first = org.tokens("api refresh_token").await;
    let (_, second) = org.refresh(text(&first, "refresh_token")).await;
    let (_, third) = org.refresh(text(&second, "refresh_token")).await;
    assert_ne!(
        text(&third, "refresh_token"),
        text(&second, "refresh_token")
    );
    for tokens in [&first, &second, &third] {
        assert_eq!(org.data(text(tokens, "access_token")).await.0, 200);
    }
    assert_eq!(
        refusal(&org.refresh(text(&first, "refresh_token")).await),
        DEAD
    );
    for tokens in [&first, &second, &third] {
        assert_eq!(org.data(text(tokens, "access_token")).await.0, 401);
        assert_eq!(
            refusal(&org.refresh(text(tokens, "refresh_token")).await),
            DEAD
        );
    }
    assert_eq!(org.data(text(&bystander, "access_token")).await.0, 200);
    assert_eq!(org.refresh(text(&bystander, "refresh_token")).await.0, 200);
}

#[tokio::test]
async fn the_policy_of_the_app_ends_a_refresh_token() {
    let hour = 3_600_000;
    for (policy, dies_at) in [
        (RefreshPolicy::Immediately, 0),
        (RefreshPolicy::Idle(hour), 2 * hour - 1),
        (RefreshPolicy::Fixed(hour), hour),
    ] {
        let org = Org::with(|app| app.refresh_policy = policy).await;
        let tokens = org.tokens("api refresh_token").await;
        let refresh = || org.refresh(text(&tokens, "refresh_token"));
        if dies_at > 0 {
            org.later(hour - 1);
            assert_eq!(refresh().await.0, 200, "{policy:?}");
        }
        org.later(dies_at);
        assert_eq!(refusal(&refresh().await), DEAD, "{policy:?}");
    }
}

#[tokio::test]
async fn a_sixth_consent_ends_the_oldest_grant_and_its_sessions() {
    let org = Org::of(spec()).await;
    let mut grants = Vec::new();
    for _ in 0..6 {
        grants.push(org.tokens("api refresh_token").await);
    }
    assert_eq!(
        refusal(&org.refresh(text(&grants[0], "refresh_token")).await),
        DEAD
    );
    assert_eq!(org.data(text(&grants[0], "access_token")).await.0, 401);
    for grant in &grants[1..] {
        assert_eq!(org.refresh(text(grant, "refresh_token")).await.0, 200);
    }
}

#[tokio::test]
async fn there_is_a_refresh_token_only_where_scope_and_app_have_one() {
    let org = Org::of(spec()).await;
    assert_eq!(org.tokens("api").await["refresh_token"], json!(null));
    let offline = org.tokens("api offline_access").await;
    assert!(
        offline["refresh_token"].is_string(),
        "two names of one scope"
    );
    org.set(&format!("apps/{KEY}"), json!({"refresh_tokens": false}));
    assert_eq!(
        org.tokens("api refresh_token").await["refresh_token"],
        json!(null)
    );
    let refused = org.refresh(text(&offline, "refresh_token")).await;
    assert_eq!(
        refusal(&refused),
        (400, "unsupported_grant_type", "unsupported_grant_type")
    );
}

#[tokio::test]
async fn two_refreshers_at_once_cost_the_grant() {
    let org = Org::with(|app| app.rotation = true).await;
    let tokens = org.tokens("api refresh_token").await;
    let token = text(&tokens, "refresh_token");
    let (one, other) = tokio::join!(org.refresh(token), org.refresh(token));
    let (good, dead) = if one.0 == 200 {
        (one, other)
    } else {
        (other, one)
    };
    assert_eq!((good.0, refusal(&dead)), (200, DEAD));
    assert_eq!(
        refusal(&org.refresh(text(&good.1, "refresh_token")).await),
        DEAD
    );
    assert_eq!(org.data(text(&good.1, "access_token")).await.0, 401);
}
