//! The gate and the router, called in process on a database of their own.
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response, StatusCode, header};
use tower::ServiceExt as _;

use super::routes::{Face, router, table};
use crate::app::host::{Host, HostOptions, Parts};
use crate::audit::signer::Signer;
use crate::connectors::{ConnectorOptions, Connectors};
use crate::identity::roles::{Actor, Permission, Role};
use crate::identity::service;
use crate::kernel::PrincipalId;
use crate::kernel::chance::SeededChance;
use crate::kernel::clock::SetClock;
use crate::kernel::faults::NoFaults;
use crate::kernel::seal::Sealer;
use crate::store::Store;

mod authority;
mod cross_site;
mod flood;
mod hostile;
mod looks;
mod outside;
mod proxy;
mod sign_in;
mod tokens;

struct World {
    host: Host,
    app: Router,
    clock: Arc<SetClock>,
    folder: Arc<tempfile::TempDir>,
}

async fn world() -> World {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let clock = Arc::new(SetClock::at(1_774_915_200_000));
    open(folder, clock, "http://127.0.0.1:8080", 1).await
}

async fn open(
    folder: Arc<tempfile::TempDir>,
    clock: Arc<SetClock>,
    public_url: &str,
    seed: u64,
) -> World {
    let store = Store::open(
        &format!("sqlite:{}", folder.path().join("test.db").display()),
        Arc::new(NoFaults),
    )
    .await
    .unwrap();
    let host = Host::new(Parts {
        store,
        clock: Arc::clone(&clock) as Arc<dyn crate::kernel::Clock>,
        chance: Arc::new(SeededChance::new(seed)),
        faults: Arc::new(NoFaults),
        signer: Signer::new([7; 32]),
        sealer: Sealer::new(&zeroize::Zeroizing::new([9; 32])),
        connectors: Connectors::new(ConnectorOptions::default()).unwrap(),
        options: HostOptions {
            data_dir: folder.path().to_owned(),
            public_url: public_url.to_owned(),
            mail: None,
            outbound: vec!["198.51.100.7".to_owned()],
        },
        stop: crate::app::stop::Stop::default(),
    });
    service::ensure_system(&host).await.unwrap();
    World {
        app: router(host.clone()),
        host,
        clock,
        folder,
    }
}

/// Somebody with exactly these roles, signed in: cookie, token of the forms, and a personal token.
struct Somebody {
    cookie: String,
    csrf: String,
    bearer: String,
}

impl World {
    /// Another process on the same data.
    async fn again(&self) -> Self {
        let url = &self.host.options.public_url;
        open(Arc::clone(&self.folder), Arc::clone(&self.clock), url, 2).await
    }

    async fn person(&self, name: &str, roles: &[Role]) -> PrincipalId {
        let new = service::NewPrincipal {
            kind: service::PrincipalKind::Person,
            name: name.to_owned(),
            email: Some(format!("{name}@example.test")),
            roles: roles.iter().copied().collect(),
        };
        service::create_principal(&self.host, &Actor::system(), new)
            .await
            .unwrap()
    }

    async fn somebody(&self, name: &str, roles: &[Role]) -> Somebody {
        let id = self.person(name, roles).await;
        let link = service::mint_signin_link(&self.host, &Actor::system(), &id)
            .await
            .unwrap();
        let device = service::Device::default();
        let signed_in = service::redeem_signin_link(&self.host, &link.token, &device)
            .await
            .unwrap();
        let service::SignedIn::Session(session) = signed_in else {
            panic!("{name} is asked for a code");
        };
        let actor = service::authenticate_session(&self.host, &session.cookie)
            .await
            .unwrap()
            .actor;
        let wanted = service::NewToken {
            name: "test".into(),
            days: 1,
            ..Default::default()
        };
        let token = service::mint_token(&self.host, &actor, wanted)
            .await
            .unwrap();
        Somebody {
            cookie: format!("seatwise={}", session.cookie),
            csrf: session.csrf_token,
            bearer: format!("Bearer {}", token.secret),
        }
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.app.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str, who: Option<&Somebody>) -> Response<Body> {
        let mut request = Request::get(path);
        if let Some(who) = who {
            request = request.header(header::COOKIE, &who.cookie);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    fn form(path: &str, who: &Somebody) -> axum::http::request::Builder {
        Request::post(path)
            .header(header::COOKIE, &who.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
    }
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(
        to_bytes(response.into_body(), 1 << 24)
            .await
            .unwrap()
            .to_vec(),
    )
    .unwrap()
}

/// An address of this pattern that exists for nobody.
fn address(pattern: &str) -> String {
    pattern
        .split('/')
        .map(|part| {
            if part.starts_with('{') {
                "ABC0000000"
            } else {
                part
            }
        })
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test]
async fn only_open_addresses_need_no_permission() {
    let open: Vec<&str> = table()
        .iter()
        .filter(|route| route.needs.is_none())
        .map(|route| route.path)
        .collect();
    assert_eq!(
        open,
        [
            "/healthz",
            "/assets/{digest}/{name}",
            "/sign-in",
            "/sign-in",
            "/sign-in/code",
            "/sign-in/sso",
            "/sign-in/sso/callback",
            "/hand-over",
            "/hand-over"
        ]
    );
}

#[tokio::test]
async fn a_post_needs_its_own_sessions_token_and_our_origin() {
    let world = world().await;
    let ana = world.somebody("ana", &[Role::SamIntegrator]).await;
    let ben = world.somebody("ben", &[Role::Approver]).await;
    let post =
        |csrf: &str, change: fn(axum::http::request::Builder) -> axum::http::request::Builder| {
            change(World::form("/tokens", &ana))
                .body(Body::from(format!("name=x&days=1&csrf={csrf}")))
                .unwrap()
        };
    let same = |request| request;
    assert_eq!(
        world.send(post(&ana.csrf, same)).await.status(),
        StatusCode::OK
    );
    assert_eq!(
        world.send(post("", same)).await.status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        world.send(post(&ben.csrf, same)).await.status(),
        StatusCode::FORBIDDEN
    );
    let crossed = world
        .send(
            Request::post("/tokens")
                .header(header::COOKIE, &ana.cookie)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header("sec-fetch-site", "cross-site")
                .body(Body::from(format!("name=x&days=1&csrf={}", ana.csrf)))
                .unwrap(),
        )
        .await;
    assert_eq!(crossed.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        world
            .send(post(&ana.csrf, |r| r
                .header(header::ORIGIN, "https://evil.example")))
            .await
            .status(),
        StatusCode::FORBIDDEN
    );
    let json = Request::post("/tokens")
        .header(header::COOKIE, &ana.cookie)
        .header(header::CONTENT_TYPE, "application/json")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from(format!("{{\"csrf\":\"{}\"}}", ana.csrf)))
        .unwrap();
    assert_eq!(
        world.send(json).await.status(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let overridden = World::form("/audit", &ben)
        .header("x-http-method-override", "GET")
        .body(Body::from(format!("csrf={}", ben.csrf)))
        .unwrap();
    assert_eq!(
        world.send(overridden).await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn a_link_is_used_up_by_post_alone_and_once() {
    let world = world().await;
    let id = world.person("ana", &[Role::SamIntegrator]).await;
    let link = service::mint_signin_link(&world.host, &Actor::system(), &id)
        .await
        .unwrap();
    let path = link
        .url
        .strip_prefix(world.host.options.public_url.as_str())
        .unwrap()
        .to_owned();
    for _ in 0..2 {
        let shown = world.get(&path, None).await;
        assert_eq!(shown.status(), StatusCode::OK);
        assert!(shown.headers().get(header::SET_COOKIE).is_none());
        assert!(
            text(shown)
                .await
                .contains("method=\"post\" action=\"/sign-in\"")
        );
    }
    let enter = || {
        Request::post("/sign-in")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(format!(
                "token={}&next=//evil.example",
                link.token
            )))
            .unwrap()
    };
    let entered = world.send(enter()).await;
    assert_eq!(entered.status(), StatusCode::SEE_OTHER);
    assert_eq!(entered.headers()[header::LOCATION], "/");
    let cookie = entered.headers()[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        cookie.contains("HttpOnly")
            && cookie.contains("SameSite=Lax")
            && !cookie.contains("Secure"),
        "{cookie}"
    );
    assert_eq!(world.send(enter()).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_session_opens_no_api_and_a_token_no_page() {
    let world = world().await;
    let ana = world.somebody("ana", &[Role::Admin]).await;
    assert_eq!(
        world.get("/api/v1/me", Some(&ana)).await.status(),
        StatusCode::UNAUTHORIZED
    );
    let page = Request::get("/tokens")
        .header(header::AUTHORIZATION, &ana.bearer)
        .body(Body::empty())
        .unwrap();
    assert_eq!(world.send(page).await.status(), StatusCode::SEE_OTHER);
    let api = Request::get("/api/v1/me")
        .header(header::AUTHORIZATION, &ana.bearer)
        .body(Body::empty())
        .unwrap();
    let answer = world.send(api).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(text(answer).await.contains("\"name\":\"ana\""));
}

#[tokio::test]
async fn signing_out_ends_the_session_and_pages_are_never_stored() {
    let world = world().await;
    let ana = world.somebody("ana", &[Role::Admin]).await;
    let page = world.get("/tokens", Some(&ana)).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.headers()[header::CACHE_CONTROL], "no-store");
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.contains("default-src 'self'")
            && policy.contains("frame-ancestors 'none'")
            && !policy.contains("unsafe"),
        "{policy}"
    );
    let out = World::form("/sign-out", &ana)
        .body(Body::from(format!("csrf={}", ana.csrf)))
        .unwrap();
    assert_eq!(world.send(out).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        world.get("/tokens", Some(&ana)).await.status(),
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn hostile_names_are_shown_as_text() {
    let world = world().await;
    let ana = world.somebody("ana", &[Role::Admin]).await;
    let hostile = "<script>alert(1)</script>\"'";
    let body = url::form_urlencoded::Serializer::new(format!("csrf={}&", ana.csrf))
        .append_pair("name", hostile)
        .append_pair("days", "1")
        .finish();
    let shown = text(
        world
            .send(World::form("/tokens", &ana).body(Body::from(body)).unwrap())
            .await,
    )
    .await;
    assert!(!shown.contains("<script>alert"), "{shown}");
    assert!(shown.contains("&lt;script&gt;alert(1)"), "{shown}");
}

#[tokio::test]
async fn a_directory_larger_than_a_form_is_imported_over_the_api_and_any_other_large_body_is_told_what_to_do()
 {
    let world = world().await;
    let ana = world.somebody("ana", &[Role::SamAdmin]).await;
    let mut csv = String::from("name,email,department\n");
    for n in 0..40_000 {
        csv.push_str(&format!(
            "Person {n},person{n}@acme.example,A department with a long name {n}\n"
        ));
    }
    assert!(csv.len() > 2 * 1024 * 1024);
    let post = |path: &str, body: serde_json::Value| {
        Request::post(path.to_owned())
            .header(header::AUTHORIZATION, ana.bearer.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap()
    };
    let body = serde_json::json!({ "csv": csv });
    for (added, unchanged) in [(40_000, 0), (0, 40_000)] {
        let answer = world
            .send(post("/api/v1/people/import", body.clone()))
            .await;
        assert_eq!(answer.status(), StatusCode::OK);
        let told: serde_json::Value = serde_json::from_str(&text(answer).await).unwrap();
        assert_eq!(
            (told["added"].as_i64(), told["unchanged"].as_i64()),
            (Some(added), Some(unchanged)),
            "{told}"
        );
    }
    let refused = world.send(post("/api/v1/entitlements", body)).await;
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let told: serde_json::Value = serde_json::from_str(&text(refused).await).unwrap();
    assert_eq!(told["code"], "api.body_too_large");
    assert!(told["fix"].as_str().unwrap().contains("Split"), "{told}");
}

#[tokio::test]
async fn a_list_without_a_tick_is_refused_where_the_ticks_are() {
    let world = world().await;
    let ben = world
        .somebody("ben", &[Role::Approver, Role::SamUser])
        .await;
    let answer = world
        .send(
            World::form("/batches", &ben)
                .body(Body::from(format!("csrf={}", ben.csrf)))
                .unwrap(),
        )
        .await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = text(answer).await;
    assert!(page.contains("o candidate is ticked"), "{page}");
    assert!(page.contains("<h1>Removal candidates</h1>"), "{page}");
}

#[test]
fn every_menu_entry_leads_to_a_page() {
    let pages: Vec<&str> = table()
        .iter()
        .filter(|route| route.face == Face::Page && route.method == Method::GET)
        .map(|route| route.path)
        .collect();
    for (_, items) in super::chrome::MENU {
        for (name, href, icon) in *items {
            assert!(pages.contains(href), "{name} leads to {href}");
            assert!(super::assets::has_icon(icon), "{name} wants {icon}");
        }
    }
}

#[test]
fn templates_write_nothing_unescaped_and_carry_no_script_or_style_of_their_own() {
    for (name, source) in super::templates::TEMPLATES {
        assert!(
            !source.contains("{{{") && !source.contains("{{&"),
            "{name} writes unescaped"
        );
        for banned in ["<style", " style=", "onclick=", "javascript:"] {
            assert!(!source.contains(banned), "{name} has {banned}");
        }
        assert!(!source.contains("<script>"), "{name} has an inline script");
        let posts = source.matches("method=\"post\"").count();
        let tokens = source.matches("{{> partials/csrf}}").count();
        assert!(
            posts == tokens || *name == "pages/hand_over" || name.starts_with("pages/sign_in"),
            "{name}: {posts} forms, {tokens} tokens"
        );
    }
}

#[test]
fn every_template_file_is_embedded() {
    fn walk(folder: &std::path::Path, prefix: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{prefix}{name}/"), found);
            } else if let Some(stem) = name.strip_suffix(".hbs") {
                found.push(format!("{prefix}{stem}"));
            }
        }
    }
    let mut found = Vec::new();
    walk(
        &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"),
        "",
        &mut found,
    );
    found.sort();
    let mut embedded: Vec<&str> = super::templates::TEMPLATES
        .iter()
        .map(|(name, _)| *name)
        .collect();
    embedded.sort_unstable();
    assert_eq!(found, embedded);
}
