//! Coming in by password and second factor, and what ends a session.
use std::sync::Arc;

use super::*;

pub(super) const GOOD: &str = "seven quiet otters cross";

impl World {
    /// Sends a form as this session's page would; without a session, as the sign-in page does.
    pub(super) async fn post(
        &self,
        path: &str,
        who: Option<&Somebody>,
        fields: &[(&str, &str)],
    ) -> Response<Body> {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            body.append_pair(name, value);
        }
        let mut request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        if let Some(who) = who {
            request = request.header(header::COOKIE, &who.cookie);
            body.append_pair("csrf", &who.csrf);
        }
        self.send(request.body(Body::from(body.finish())).unwrap())
            .await
    }

    pub(super) async fn enter(&self, email: &str, password: &str) -> Response<Body> {
        let fields = [("email", email), ("password", password)];
        self.post("/sign-in", None, &fields).await
    }

    /// Somebody signed in by a fresh link who has set this password; their session after that.
    pub(super) async fn with_password(&self, name: &str, roles: &[Role]) -> Somebody {
        let mut who = self.somebody(name, roles).await;
        let fields = [("password", GOOD), ("again", GOOD)];
        let set = self.post("/account/password", Some(&who), &fields).await;
        assert_eq!(set.status(), StatusCode::SEE_OTHER);
        who.cookie = cookie_of(&set);
        who.csrf = self.csrf_of(&who.cookie).await;
        who
    }

    async fn csrf_of(&self, cookie: &str) -> String {
        service::authenticate_session(&self.host, cookie.trim_start_matches("seatwise="))
            .await
            .unwrap()
            .csrf_token
    }

    pub(super) async fn is_signed_in(&self, cookie: &str) -> bool {
        service::authenticate_session(&self.host, cookie.trim_start_matches("seatwise="))
            .await
            .is_ok()
    }

    /// The code that an app with this secret shows now.
    fn code(&self, secret: &str) -> String {
        let secret = totp_rs::Secret::try_from_base32(secret.replace(' ', "")).unwrap();
        let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
        let seconds = u64::try_from(self.host.now_ms() / 1_000).unwrap();
        totp.generate(seconds).to_string()
    }
}

fn cookie_of(response: &Response<Body>) -> String {
    let set = response.headers()[header::SET_COOKIE].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

/// The text between two marks of a page.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let start = page
        .find(from)
        .unwrap_or_else(|| panic!("no {from} in {page}"))
        + from.len();
    &page[start..start + page[start..].find(to).unwrap()]
}

#[tokio::test]
async fn somebody_invited_sets_a_password_by_link_and_comes_back_with_it() {
    let world = world().await;
    let adam = world.somebody("Adam", &[Role::Admin]).await;
    let fields = [
        ("name", "Zoe"),
        ("email", "Zoe@Example.test"),
        ("role", "approver"),
        ("role", "sam_user"),
    ];
    let invited = world.post("/access", Some(&adam), &fields).await;
    assert_eq!(invited.status(), StatusCode::OK);
    let page = text(invited).await;
    let link = between(&page, "id=\"link\">", "<")
        .replace("&amp;", "&")
        .replace("&#x3D;", "=");
    let query = url::Url::parse(&link).unwrap();
    let of = |name: &str| {
        let mut pairs = query.query_pairs();
        pairs.find(|(key, _)| key == name).unwrap().1.into_owned()
    };
    let (token, next) = (of("token"), of("next"));
    let fields = [("token", &*token), ("next", &*next)];
    let entered = world.post("/sign-in", None, &fields).await;
    assert_eq!(entered.status(), StatusCode::SEE_OTHER);
    assert_eq!(entered.headers()[header::LOCATION], "/account");
    let zoe = Somebody {
        csrf: world.csrf_of(&cookie_of(&entered)).await,
        cookie: cookie_of(&entered),
        bearer: String::new(),
    };
    for (password, again, said) in [
        ("short", "short", "at least"),
        (GOOD, "something else entirely", "not the same"),
    ] {
        let fields = [("password", password), ("again", again)];
        let refused = world.post("/account/password", Some(&zoe), &fields).await;
        assert_eq!(
            refused.status(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "{password}"
        );
        assert!(text(refused).await.to_lowercase().contains(said), "{said}");
    }
    let fields = [("password", GOOD), ("again", GOOD)];
    let set = world.post("/account/password", Some(&zoe), &fields).await;
    assert_eq!(set.status(), StatusCode::SEE_OTHER);
    let back = world.enter(" ZOE@example.test ", GOOD).await;
    assert_eq!(back.status(), StatusCode::SEE_OTHER);
    let home = Request::get("/roles").header(header::COOKIE, cookie_of(&back));
    let page = text(world.send(home.body(Body::empty()).unwrap()).await).await;
    assert!(page.contains("Zoe") && page.contains("Approver"), "{page}");
}

#[tokio::test]
async fn e5_a_sign_in_takes_a_new_session_and_ends_the_one_that_was_brought() {
    let world = world().await;
    let ana = world.with_password("ana", &[Role::SamUser]).await;
    let body = format!(
        "email=ana%40example.test&password={}",
        GOOD.replace(' ', "+")
    );
    let planted = |cookie: &str| {
        Request::post("/sign-in")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header(header::COOKIE, cookie)
            .body(Body::from(body.clone()))
            .unwrap()
    };
    let fixed = "seatwise=sws_planted_by_somebody_else";
    let entered = world.send(planted(fixed)).await;
    assert_ne!(cookie_of(&entered), fixed);
    assert!(!world.is_signed_in(fixed).await);
    let again = world.send(planted(&ana.cookie)).await;
    assert_ne!(cookie_of(&again), ana.cookie);
    assert!(!world.is_signed_in(&ana.cookie).await);
    assert!(world.is_signed_in(&cookie_of(&again)).await);
}

#[tokio::test]
async fn e5_a_new_password_ends_every_other_session() {
    let world = world().await;
    let ana = world.with_password("ana", &[Role::SamUser]).await;
    let elsewhere = cookie_of(&world.enter("ana@example.test", GOOD).await);
    let other = "nine loud herons wait here";
    let wrong = [
        ("old", "not it at all"),
        ("password", other),
        ("again", other),
    ];
    // A link signs in without the old password for a while; after that it is asked for.
    let set = world.post("/account/password", Some(&ana), &wrong).await;
    assert_eq!(set.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(world.is_signed_in(&elsewhere).await);
    let right = [("old", GOOD), ("password", other), ("again", other)];
    let set = world.post("/account/password", Some(&ana), &right).await;
    assert_eq!(set.status(), StatusCode::SEE_OTHER);
    assert!(!world.is_signed_in(&elsewhere).await);
    assert!(!world.is_signed_in(&ana.cookie).await);
    assert!(world.is_signed_in(&cookie_of(&set)).await);
    let old = world.enter("ana@example.test", GOOD).await;
    assert_eq!(old.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn e5_a_change_of_roles_ends_the_sessions_and_the_open_page_does_nothing_more() {
    let world = world().await;
    let adam = world.somebody("Adam", &[Role::Admin]).await;
    let ana = world.somebody("ana", &[Role::SamAdmin]).await;
    let id = service::find_principal(&world.host, "ana@example.test")
        .await
        .unwrap()
        .unwrap()
        .id;
    let path = format!("/access/{id}/roles");
    let same = world
        .post(&path, Some(&adam), &[("role", "sam_admin")])
        .await;
    assert_eq!(same.status(), StatusCode::SEE_OTHER);
    assert!(world.is_signed_in(&ana.cookie).await, "nothing changed");
    world.post(&path, Some(&adam), &[("role", "auditor")]).await;
    assert!(!world.is_signed_in(&ana.cookie).await);
    let answer = world
        .post("/people/import", Some(&ana), &[("csv", "x")])
        .await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    // The token lives on with what is left to its person.
    let by_token = Request::post("/api/v1/people/import")
        .header(header::AUTHORIZATION, &ana.bearer)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from("{\"csv\":\"x\"}"))
        .unwrap();
    assert_eq!(world.send(by_token).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn e5_taking_access_away_ends_sessions_and_tokens_and_never_the_last_administrator() {
    let world = world().await;
    let adam = world.somebody("Adam", &[Role::Admin]).await;
    let ana = world.somebody("ana", &[Role::SamAdmin]).await;
    let id = |email: &'static str| {
        let host = world.host.clone();
        async move {
            let found = service::find_principal(&host, email).await.unwrap();
            found.unwrap().id
        }
    };
    let of_ana = format!("/access/{}", id("ana@example.test").await);
    let gone = world
        .post(&format!("{of_ana}/deactivate"), Some(&adam), &[])
        .await;
    assert_eq!(gone.status(), StatusCode::SEE_OTHER);
    assert!(!world.is_signed_in(&ana.cookie).await);
    let me = || {
        Request::get("/api/v1/me")
            .header(header::AUTHORIZATION, &ana.bearer)
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(world.send(me()).await.status(), StatusCode::UNAUTHORIZED);
    world
        .post(&format!("{of_ana}/reactivate"), Some(&adam), &[])
        .await;
    assert_eq!(world.send(me()).await.status(), StatusCode::OK);
    assert!(
        !world.is_signed_in(&ana.cookie).await,
        "what ended stays ended"
    );
    let own = format!("/access/{}", id("adam@example.test").await);
    for (path, fields) in [("deactivate", vec![]), ("roles", vec![("role", "auditor")])] {
        let refused = world
            .post(&format!("{own}/{path}"), Some(&adam), &fields)
            .await;
        assert_eq!(refused.status(), StatusCode::CONFLICT, "{path}");
        assert!(
            text(refused)
                .await
                .contains("Nobody else is an administrator")
        );
    }
    assert!(world.is_signed_in(&adam.cookie).await);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_or_all_others_at_once() {
    let world = world().await;
    let ana = world.with_password("ana", &[Role::SamUser]).await;
    let ben = world.with_password("ben", &[Role::SamUser]).await;
    let mut cookies = Vec::new();
    for agent in ["Lynx on a train", "Phone <script>"] {
        let request = Request::post("/sign-in")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header(header::USER_AGENT, agent)
            .header("x-forwarded-for", "203.0.113.9, 198.51.100.7")
            .body(Body::from(format!(
                "email=ana%40example.test&password={}",
                GOOD.replace(' ', "+")
            )));
        cookies.push(cookie_of(&world.send(request.unwrap()).await));
    }
    let page = text(world.get("/account", Some(&ana)).await).await;
    assert_eq!(page.matches(">This device<").count(), 1);
    assert!(
        page.contains("Lynx on a train") && page.contains("198.51.100.7"),
        "{page}"
    );
    assert!(
        page.contains("Phone &lt;script&gt;") && !page.contains("203.0.113.9"),
        "{page}"
    );
    let actor =
        service::authenticate_session(&world.host, cookies[0].trim_start_matches("seatwise="))
            .await
            .unwrap()
            .actor;
    let crate::identity::roles::Via::Session { session } = actor.via else {
        panic!("a session")
    };
    let path = format!("/account/sessions/{session}/end");
    let foreign = world.post(&path, Some(&ben), &[]).await;
    let absent = world
        .post("/account/sessions/sess_0/end", Some(&ben), &[])
        .await;
    assert_eq!(
        (foreign.status(), absent.status()),
        (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND)
    );
    assert_eq!(text(foreign).await, text(absent).await);
    assert!(world.is_signed_in(&cookies[0]).await);
    let ended = world.post(&path, Some(&ana), &[]).await;
    assert_eq!(ended.status(), StatusCode::SEE_OTHER);
    assert!(!world.is_signed_in(&cookies[0]).await && world.is_signed_in(&cookies[1]).await);
    world
        .post("/account/sessions/end-others", Some(&ana), &[])
        .await;
    assert!(!world.is_signed_in(&cookies[1]).await && world.is_signed_in(&ana.cookie).await);
    assert!(world.is_signed_in(&ben.cookie).await);
}

#[tokio::test]
async fn a_second_factor_is_asked_for_taken_once_and_stood_in_for_by_recovery_codes() {
    let world = world().await;
    let ana = world.with_password("ana", &[Role::SamUser]).await;
    let shown = text(world.post("/account/second-factor", Some(&ana), &[]).await).await;
    let secret = between(&shown, "<code id=\"secret\">", "</code>").to_owned();
    assert!(
        shown.contains("<svg") && shown.contains("<path d=\"M"),
        "{shown}"
    );
    let wrong = world
        .post(
            "/account/second-factor/confirm",
            Some(&ana),
            &[("code", "000000")],
        )
        .await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        text(wrong).await.contains(&secret),
        "a typing error costs no new scan"
    );
    let entered = world.enter("ana@example.test", GOOD).await;
    assert_eq!(
        entered.status(),
        StatusCode::SEE_OTHER,
        "not on before its first code"
    );
    let code = world.code(&secret);
    let on = text(
        world
            .post(
                "/account/second-factor/confirm",
                Some(&ana),
                &[("code", &code)],
            )
            .await,
    )
    .await;
    let recovery = between(&on, "<li><code>", "</code>").to_owned();
    assert_eq!(on.matches("<li><code>").count(), 10, "{on}");
    assert!(
        !world.is_signed_in(&cookie_of(&entered)).await,
        "other sessions end"
    );
    assert!(
        !text(world.get("/account", Some(&ana)).await)
            .await
            .contains(&secret)
    );

    let ticket = || async {
        let asked = world.enter("ana@example.test", GOOD).await;
        assert_eq!(asked.status(), StatusCode::OK);
        assert!(asked.headers().get(header::SET_COOKIE).is_none());
        between(&text(asked).await, "name=\"ticket\" value=\"", "\"").to_owned()
    };
    let first = ticket().await;
    let step = |ticket: String, code: String| {
        let world = &world;
        async move {
            let fields = [("ticket", &*ticket), ("code", &*code)];
            world.post("/sign-in/code", None, &fields).await
        }
    };
    let used = step(first.clone(), code.clone()).await;
    assert_eq!(
        used.status(),
        StatusCode::UNPROCESSABLE_ENTITY,
        "the code that switched it on was taken"
    );
    world.clock.advance(30_000);
    let fresh = world.code(&secret);
    let entered = step(first.clone(), fresh.clone()).await;
    assert_eq!(entered.status(), StatusCode::SEE_OTHER);
    assert!(world.is_signed_in(&cookie_of(&entered)).await);
    let spent = step(first, fresh).await;
    assert_eq!(
        spent.status(),
        StatusCode::FORBIDDEN,
        "a ticket is used once"
    );
    let second = ticket().await;
    let stood_in = step(second, recovery.to_uppercase()).await;
    assert_eq!(stood_in.status(), StatusCode::SEE_OTHER);
    let third = ticket().await;
    let twice = step(third, recovery).await;
    assert_eq!(
        twice.status(),
        StatusCode::UNPROCESSABLE_ENTITY,
        "a recovery code works once"
    );
    let page = text(world.get("/account", Some(&ana)).await).await;
    assert!(page.contains("9 recovery codes are"), "{page}");

    // A one-time link is the first factor only.
    let id = service::find_principal(&world.host, "ana@example.test")
        .await
        .unwrap()
        .unwrap()
        .id;
    let link = service::mint_signin_link(&world.host, &Actor::system(), &id)
        .await
        .unwrap();
    let asked = world
        .post("/sign-in", None, &[("token", &link.token)])
        .await;
    assert!(asked.headers().get(header::SET_COOKIE).is_none());
    assert!(text(asked).await.contains("name=\"ticket\""));

    // An administrator takes it away from whoever lost everything.
    let adam = world.somebody("Adam", &[Role::Admin]).await;
    let reset = world
        .post(
            &format!("/access/{id}/second-factor/reset"),
            Some(&adam),
            &[],
        )
        .await;
    assert_eq!(reset.status(), StatusCode::SEE_OTHER);
    assert!(!world.is_signed_in(&ana.cookie).await);
    let entered = world.enter("ana@example.test", GOOD).await;
    assert_eq!(entered.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn sessions_survive_a_restart_and_last_use_is_noted_now_and_then() {
    let world = world().await;
    let ana = world.somebody("ana", &[Role::SamUser]).await;
    world.clock.advance(6 * 60_000);
    assert!(world.is_signed_in(&ana.cookie).await);
    let later = world.again().await;
    let page = later.get("/account", Some(&ana)).await;
    assert_eq!(page.status(), StatusCode::OK);
    let page = text(page).await;
    assert!(page.contains("<td>now</td>"), "{page}");
}

#[tokio::test]
async fn under_https_the_cookie_is_bound_to_the_host() {
    let plain = world().await;
    let (folder, clock) = (Arc::clone(&plain.folder), Arc::clone(&plain.clock));
    let world = open(folder, clock, "https://seatwise.example", 3).await;
    let id = world.person("ana", &[Role::SamUser]).await;
    let link = service::mint_signin_link(&world.host, &Actor::system(), &id)
        .await
        .unwrap();
    let entered = world
        .post("/sign-in", None, &[("token", &link.token)])
        .await;
    let cookie = entered.headers()[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(cookie.starts_with("__Host-seatwise=sws_"), "{cookie}");
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(part), "{cookie} lacks {part}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    assert!(
        entered
            .headers()
            .contains_key(header::STRICT_TRANSPORT_SECURITY)
    );
}
