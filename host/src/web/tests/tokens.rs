//! Personal tokens: what a leaked one is worth, and for how long.
use super::*;
use crate::kernel::clock::DAY_MS;

impl World {
    async fn by(&self, secret: &str, method: Method, path: &str, body: &str) -> StatusCode {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {secret}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_owned()));
        self.send(request.unwrap()).await.status()
    }

    /// Makes a token on the page; its secret, as the page shows it this once.
    async fn token(&self, who: &Somebody, scope: &str) -> String {
        let fields = [("name", "leaked"), ("days", "1"), ("scope", scope)];
        let page = text(self.post("/tokens", Some(who), &fields).await).await;
        let start = page.find("swt_").unwrap();
        let secret =
            page[start..].split(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)));
        secret.into_iter().next().unwrap().to_owned()
    }

    /// Whether any file of the database holds this text.
    fn holds(&self, text: &str) -> bool {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files.map(|file| file.unwrap().path()).any(|file| {
            let bytes = std::fs::read(file).unwrap_or_default();
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        })
    }
}

#[tokio::test]
async fn e30_a_token_is_scoped_shown_once_kept_as_a_hash_over_in_time_and_ended_at_once() {
    let world = world().await;
    let adam = world.somebody("Adam", &[Role::Admin]).await;
    let ana = world.somebody("ana", &[Role::SamAdmin]).await;
    let secret = world.token(&ana, "read").await;
    assert!(secret.len() > 40, "{secret}");
    let again = text(world.get("/tokens", Some(&ana)).await).await;
    assert!(!again.contains(&secret), "shown once");
    assert!(!world.holds(&secret), "no file holds the secret");
    assert!(
        world.holds(&crate::kernel::digest::sha256_hex(&secret)),
        "its hash is what is kept"
    );

    let import = ("/api/v1/people/import", "{\"csv\":\"x\"}");
    let read = world.by(&secret, Method::GET, "/api/v1/profiles", "").await;
    assert_eq!(read, StatusCode::OK);
    let wrote = world.by(&secret, Method::POST, import.0, import.1).await;
    assert_eq!(wrote, StatusCode::FORBIDDEN, "beyond its scope");
    let wide = world.token(&ana, "").await;
    let wrote = world.by(&wide, Method::POST, import.0, import.1).await;
    assert_ne!(wrote, StatusCode::FORBIDDEN);
    let of_adam = world.by(&wide, Method::GET, "/api/v1/access", "").await;
    assert_eq!(of_adam, StatusCode::FORBIDDEN, "never more than its person");

    // Whoever hears of the leak ends it: an administrator, too.
    let all = service::list_tokens(&world.host, &Actor::system())
        .await
        .unwrap();
    let leaked = all
        .iter()
        .filter(|token| token.name == "leaked" && token.revoked_at.is_none())
        .find(|token| token.scopes.is_empty())
        .unwrap();
    let path = format!("/tokens/{}/revoke", leaked.id);
    let ended = world.post(&path, Some(&adam), &[]).await;
    assert_eq!(ended.status(), StatusCode::SEE_OTHER);
    let after = world.by(&wide, Method::GET, "/api/v1/profiles", "").await;
    assert_eq!(after, StatusCode::UNAUTHORIZED);

    let still = world.by(&secret, Method::GET, "/api/v1/me", "").await;
    assert_eq!(still, StatusCode::FORBIDDEN, "`read` is not `own_account`");
    world.clock.advance(DAY_MS + 1);
    let over = world.by(&secret, Method::GET, "/api/v1/profiles", "").await;
    assert_eq!(over, StatusCode::UNAUTHORIZED, "its day is over");
}

#[tokio::test]
async fn an_administrator_lists_access_and_ends_sessions_over_the_api_and_makes_no_way_in_there() {
    let world = world().await;
    let adam = world.somebody("Adam", &[Role::Admin]).await;
    let ana = world.somebody("ana", &[Role::SamUser]).await;
    let bearer = adam.bearer.trim_start_matches("Bearer ").to_owned();
    let get = |path: String| {
        let request = Request::get(path)
            .header(header::AUTHORIZATION, &adam.bearer)
            .body(Body::empty());
        world.send(request.unwrap())
    };
    let list: serde_json::Value =
        serde_json::from_str(&text(get("/api/v1/access".to_owned()).await).await).unwrap();
    let found = list["items"].as_array().unwrap();
    assert_eq!(found.len(), 2, "{list}");
    let id = found.iter().find(|p| p["name"] == "ana").unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let one: serde_json::Value =
        serde_json::from_str(&text(get(format!("/api/v1/access/{id}")).await).await).unwrap();
    let session = one["sessions"][0]["id"].as_str().unwrap();
    assert!(!one.to_string().contains(&ana.csrf), "{one}");
    let end = format!("/api/v1/access/{id}/sessions/{session}/end");
    let ended = world.by(&bearer, Method::POST, &end, "{}").await;
    assert_eq!(ended, StatusCode::OK);
    assert!(!world.is_signed_in(&ana.cookie).await);
    let twice = world.by(&bearer, Method::POST, &end, "{}").await;
    assert_eq!(twice, StatusCode::NOT_FOUND);

    let roles = format!("/api/v1/access/{id}/roles");
    let wrong = world
        .by(&bearer, Method::POST, &roles, "{\"roles\":[\"king\"]}")
        .await;
    assert_eq!(wrong, StatusCode::UNPROCESSABLE_ENTITY);
    let set = world
        .by(&bearer, Method::POST, &roles, "{\"roles\":[\"auditor\"]}")
        .await;
    assert_eq!(set, StatusCode::OK);
    let now = service::find_principal(&world.host, "ana@example.test")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(now.roles, [Role::Auditor].into());
    let pair = "{\"group\":\"sam\",\"role\":\"sam_user\"}";
    let mapped = world
        .by(&bearer, Method::POST, "/api/v1/sign-on/groups", pair)
        .await;
    assert_eq!(mapped, StatusCode::OK);
    let view: serde_json::Value =
        serde_json::from_str(&text(get("/api/v1/sign-on".to_owned()).await).await).unwrap();
    assert_eq!(view["groups"][0]["group"], "sam", "{view}");
    // A leaked token must not outlive its own end by a link or by another identity provider.
    for path in [
        format!("/api/v1/access/{id}/link"),
        "/api/v1/sign-on".to_owned(),
    ] {
        let refused = world.by(&bearer, Method::POST, &path, "{}").await;
        assert!(
            matches!(
                refused,
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
            ),
            "{path}: {refused}"
        );
    }
}

#[tokio::test]
async fn the_page_of_single_sign_on_refuses_in_words_and_keeps_what_was_typed() {
    let world = world().await;
    let adam = world.somebody("Adam", &[Role::Admin]).await;
    let before = text(world.get("/sign-in", None).await).await;
    assert!(
        !before.contains("/sign-in/sso"),
        "no button while it is off"
    );
    let fields = [
        ("issuer", "https://id.acme.example?x=1"),
        ("client_id", "seatwise-1"),
        ("client_secret", "not to be shown"),
    ];
    let refused = world.post("/access/sign-on", Some(&adam), &fields).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = text(refused).await;
    assert!(
        page.contains("seatwise-1") && page.contains("href=\"#issuer\""),
        "{page}"
    );
    assert!(!page.contains("not to be shown"));
    // A private address is no identity provider unless the operator named it.
    let fields = [
        ("issuer", "https://127.0.0.1:1"),
        ("client_id", "seatwise-1"),
        ("client_secret", "x"),
    ];
    let private = world.post("/access/sign-on", Some(&adam), &fields).await;
    assert_eq!(private.status(), StatusCode::BAD_GATEWAY);
    let fields = [("group", "sam <b>"), ("role", "approver")];
    let mapped = world
        .post("/access/sign-on/groups", Some(&adam), &fields)
        .await;
    assert_eq!(mapped.status(), StatusCode::SEE_OTHER);
    let page = text(world.get("/access/sign-on", Some(&adam)).await).await;
    assert!(
        page.contains("sam &lt;b&gt;") && page.contains("Approver"),
        "{page}"
    );
    let gone = world
        .post("/access/sign-on/groups/remove", Some(&adam), &fields)
        .await;
    assert_eq!(gone.status(), StatusCode::SEE_OTHER);
    for path in ["/sign-in/sso", "/sign-in/sso/callback?code=x&state=y"] {
        let answer = world.get(path, None).await;
        let status = answer.status();
        let said = text(answer).await;
        assert!(
            matches!(status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN),
            "{path}: {status}"
        );
        assert!(
            said.contains("What to do") && said.contains("name=\"password\""),
            "{said}"
        );
    }
}
