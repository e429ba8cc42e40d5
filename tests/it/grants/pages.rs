//! The pages of a connection, walked as a browser without script walks them.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use seatwise::identity::service as identity;
use seatwise::web::router;
use seatwise_tests::database::Engine;
use tower::ServiceExt as _;

use super::*;

struct Browser {
    app: Router,
    cookie: String,
    csrf: String,
}

struct Shown {
    status: StatusCode,
    location: Option<String>,
    html: String,
}

impl Browser {
    async fn of(world: &World, who: &Actor) -> Self {
        let link = identity::mint_signin_link(&world.host, &Actor::system(), &who.id)
            .await
            .unwrap();
        let device = identity::Device::default();
        let signed_in = identity::redeem_signin_link(&world.host, &link.token, &device)
            .await
            .unwrap();
        let identity::SignedIn::Session(session) = signed_in else {
            panic!("{} is asked for a code", who.name);
        };
        Self {
            app: router(world.host.clone()),
            cookie: format!("seatwise={}", session.cookie),
            csrf: session.csrf_token,
        }
    }

    async fn send(&self, request: Request<Body>) -> Shown {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let location = response.headers().get(header::LOCATION);
        let location = location.map(|to| to.to_str().unwrap().to_owned());
        let status = response.status();
        let html = to_bytes(response.into_body(), 1 << 24).await.unwrap();
        Shown {
            status,
            location,
            html: String::from_utf8(html.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Shown {
        let request = Request::get(path)
            .header(header::COOKIE, &self.cookie)
            .header(header::HOST, "127.0.0.1");
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Shown {
        let mut url = Url::parse("http://form").unwrap();
        url.query_pairs_mut()
            .extend_pairs(pairs)
            .append_pair("csrf", &self.csrf);
        let request = Request::post(path)
            .header(header::COOKIE, &self.cookie)
            .header(header::HOST, "127.0.0.1")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        let body = url.query().unwrap_or_default().to_owned();
        self.send(request.body(Body::from(body)).unwrap()).await
    }
}

async fn world() -> World {
    draft(&Database::new(Engine::Sqlite), spec()).await
}

/// The first address in a page that begins so, its entities read.
fn link(html: &str, start: &str) -> String {
    let at = html.find(&format!("href=\"{start}")).expect("it is linked") + 6;
    let end = html[at..].find('"').unwrap();
    html[at..at + end]
        .replace("&amp;", "&")
        .replace("&#x3D;", "=")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_grant_shows_its_own_fields_and_no_other() {
    let world = world().await;
    let browser = Browser::of(&world, &world.ana).await;
    let at = format!("/profiles/{}/connection", world.profile);
    let all = [
        "client_id",
        "client_secret",
        "refresh_token",
        "username",
        "private_key",
    ];
    for (grant, fields) in [
        ("client-credentials", &["client_id", "client_secret"][..]),
        ("authorization-code", &["client_id", "client_secret"]),
        (
            "refresh-token",
            &["client_id", "client_secret", "refresh_token"],
        ),
        ("jwt-bearer", &["client_id", "username", "private_key"]),
        ("device-code", &["client_id", "client_secret"]),
    ] {
        let shown = browser.get(&format!("{at}?grant={grant}")).await;
        assert_eq!(shown.status, StatusCode::OK, "{grant}");
        for field in all {
            let has = shown.html.contains(&format!("name=\"{field}\""));
            assert_eq!(has, fields.contains(&field), "{grant}: {field}");
        }
        let names_callback = shown.html.contains(CALLBACK);
        assert_eq!(names_callback, grant == "authorization-code", "{grant}");
        // The vendor's own word, and where to find it.
        assert!(shown.html.contains("Consumer key"), "{grant}");
    }
    let reader = Browser::of(&world, &world.ben).await;
    let shown = reader.get(&at).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(
        !shown.html.contains("name=\"client_id\""),
        "Ben may only look"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_secret_keeps_what_was_typed_and_says_what_to_do_at_its_field() {
    let world = world().await;
    let browser = Browser::of(&world, &world.ana).await;
    let at = format!("/profiles/{}/connection", world.profile);
    let client = spec().apps[0].client_id.clone();
    let typed = [
        ("grant", "client-credentials"),
        ("client_id", client.as_str()),
        ("client_secret", "canary-wrong-secret"),
    ];
    let shown = browser.post(&at, &typed).await;
    assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(shown.html.contains("<title>Error: "));
    assert!(shown.html.contains("salesforce.wrong_secret"));
    assert!(
        shown
            .html
            .contains("aria-describedby=\"client_secret-hint client_secret-wrong\"")
    );
    assert!(shown.html.contains(&format!("value=\"{client}\"")));
    assert!(
        !shown.html.contains("canary"),
        "a secret is never sent back"
    );

    let hostile = [
        ("grant", "<script>"),
        ("client_id", "<img src=x>"),
        ("client_secret", "x"),
    ];
    let shown = browser.post(&at, &hostile).await;
    assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!shown.html.contains("<script>") && !shown.html.contains("<img"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_goes_to_the_vendor_by_a_link_and_comes_back_connected() {
    let world = world().await;
    let browser = Browser::of(&world, &world.ana).await;
    let at = format!("/profiles/{}/connection", world.profile);
    let app = spec().apps.remove(0);
    let typed = [
        ("grant", "authorization-code"),
        ("client_id", app.client_id.as_str()),
        ("client_secret", app.client_secret.as_str()),
    ];
    let begun = browser.post(&at, &typed).await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.html);
    let sign_in = begun.location.unwrap();
    let shown = browser.get(&sign_in).await;
    assert_eq!(shown.status, StatusCode::OK);
    let page = link(&shown.html, world.org.base_url());
    // Nobody else sees it, and nobody who is not signed in is led on with the code.
    let stranger = Browser::of(&world, &world.ben).await;
    assert!(stranger.get(&sign_in).await.status.is_client_error());

    let back = consent(&world.org, &page, true);
    let callback = format!(
        "/connect/callback?{}",
        Url::parse_with_params(
            "http://x",
            [("code", back.code.unwrap()), ("state", back.state.unwrap())]
        )
        .unwrap()
        .query()
        .unwrap()
    );
    let nobody = Request::get(&callback).body(Body::empty()).unwrap();
    let nobody = browser.send(nobody).await;
    assert_eq!(
        nobody.location.as_deref(),
        Some("/sign-in?next=%2Fprofiles")
    );
    let returned = browser.get(&callback).await;
    assert_eq!(returned.status, StatusCode::SEE_OTHER);
    assert_eq!(returned.location.as_deref(), Some(sign_in.as_str()));
    // A draft goes on in its playbook; the page of the connection names the same.
    let done = browser.get(&sign_in).await.location.unwrap();
    let task = format!("/profiles/{}/playbook/sign-in", world.profile);
    assert_eq!(done, format!("{task}?done=connected"));
    let shown = browser.get(&at).await;
    assert!(shown.html.contains(&run_as()), "it names who consented");
    assert!(shown.html.contains("by Ana"));
    // A reload of the callback is refused, and repeats nothing.
    let again = browser.get(&callback).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert!(again.html.contains("signin.unusable"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_of_a_device_shows_the_code_and_a_refresh_shows_the_end() {
    let world = world().await;
    let browser = Browser::of(&world, &world.ana).await;
    let at = format!("/profiles/{}/connection", world.profile);
    let app = spec().apps.remove(0);
    let typed = [
        ("grant", "device-code"),
        ("client_id", app.client_id.as_str()),
        ("client_secret", app.client_secret.as_str()),
    ];
    let sign_in = browser.post(&at, &typed).await.location.unwrap();
    let shown = browser.get(&sign_in).await;
    let code = shown.html.split("id=\"user_code\">").nth(1).unwrap();
    let code = code.split('<').next().unwrap();
    assert!(shown.html.contains("/setup/connect") && shown.html.contains(">Refresh</a>"));
    let denied = json!({"user_code": code, "username": run_as(), "allow": false});
    let (status, said) = world.org.control().call("POST", "device", &denied);
    assert_eq!(status, 200, "{said}");
    world.run_due_jobs().await;
    let shown = browser.get(&sign_in).await;
    assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(shown.html.contains("salesforce.device_denied"));
    let form = format!("action=\"/profiles/{}/playbook/sign-in\"", world.profile);
    assert!(shown.html.contains(&form), "the task is there again");
}
