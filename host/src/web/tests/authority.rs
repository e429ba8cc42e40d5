//! Who may use which address: every address of the router, with every role, with none, and with nobody signed in.
use std::collections::BTreeSet;

use super::*;
use crate::web::routes::Route;

/// A signed-in person who is signed in anew when a request of the walk ended their session.
struct Walker<'a> {
    world: &'a World,
    name: String,
    roles: Vec<Role>,
    who: Somebody,
    times: usize,
}

impl<'a> Walker<'a> {
    async fn new(world: &'a World, name: &str, roles: &[Role]) -> Self {
        Self {
            world,
            name: name.to_owned(),
            roles: roles.to_vec(),
            who: world.somebody(name, roles).await,
            times: 0,
        }
    }

    fn may(&self, route: &Route) -> bool {
        route.needs.is_none_or(|permission| {
            permission == Permission::OwnAccount
                || permission
                    .granted_to()
                    .iter()
                    .any(|role| self.roles.contains(role))
        })
    }

    /// The request that a page or a client of this person would send.
    async fn ask(&mut self, face: Face, method: &Method, path: &str) -> Response<Body> {
        let secret = self.who.cookie.trim_start_matches("seatwise=");
        if service::authenticate_session(&self.world.host, secret)
            .await
            .is_err()
        {
            self.times += 1;
            let name = format!("{}{}", self.name, self.times);
            self.who = self.world.somebody(&name, &self.roles).await;
        }
        let is_read = method == Method::GET || method == Method::HEAD;
        let request = Request::builder().method(method.clone()).uri(path);
        let request = match (face, is_read) {
            (Face::Api, true) => request
                .header(header::AUTHORIZATION, &self.who.bearer)
                .body(Body::empty()),
            (Face::Api, false) => request
                .header(header::AUTHORIZATION, &self.who.bearer)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from("{}")),
            (_, true) => request
                .header(header::COOKIE, &self.who.cookie)
                .body(Body::empty()),
            (_, false) => request
                .header(header::COOKIE, &self.who.cookie)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header("sec-fetch-site", "same-origin")
                .body(Body::from(format!("csrf={}", self.who.csrf))),
        };
        self.world.send(request.unwrap()).await
    }
}

fn key(route: &Route) -> (String, &'static str) {
    (route.method.to_string(), route.path)
}

#[tokio::test]
async fn e17_every_address_answers_every_role_and_nobody_as_the_matrix_says() {
    let world = world().await;
    let mut uncovered: BTreeSet<(String, &str)> = table().iter().map(key).collect();
    let all = uncovered.len();
    assert!(all > 100, "only {all} addresses");
    let mut wrong = Vec::new();

    for route in table() {
        let path = address(route.path);
        let request = Request::builder()
            .method(route.method.clone())
            .uri(&path)
            .header("sec-fetch-site", "same-origin")
            .body(Body::empty());
        let response = world.send(request.unwrap()).await;
        let (status, to) = (response.status(), response.headers().get(header::LOCATION));
        let to_sign_in =
            to.is_some_and(|to| to.to_str().is_ok_and(|to| to.starts_with("/sign-in?next=")));
        let is_right = match route.face {
            Face::Open => status != StatusCode::UNAUTHORIZED && !to_sign_in,
            Face::Page if route.method == Method::GET => {
                status == StatusCode::SEE_OTHER && to_sign_in
            }
            Face::Page | Face::Api => status == StatusCode::UNAUTHORIZED,
        };
        if !is_right {
            wrong.push(format!("{} {path} with nobody: {status}", route.method));
        }
    }

    let mut walkers = vec![
        Walker::new(&world, "roleless", &[]).await,
        Walker::new(&world, "all", &Role::ALL).await,
    ];
    for role in Role::ALL {
        walkers.push(Walker::new(&world, role.as_str(), &[role]).await);
    }
    for walker in &mut walkers {
        for route in table() {
            let path = address(route.path);
            let status = walker.ask(route.face, &route.method, &path).await.status();
            let is_right = if route.face == Face::Open {
                status != StatusCode::UNAUTHORIZED && !status.is_server_error()
            } else if walker.may(&route) {
                status != StatusCode::UNAUTHORIZED
                    && status != StatusCode::FORBIDDEN
                    && !status.is_server_error()
            } else if path == "/" {
                // Whoever may see nothing is led to the page that says whom to ask.
                status == StatusCode::SEE_OTHER
            } else {
                status == StatusCode::FORBIDDEN
            };
            if !is_right {
                wrong.push(format!(
                    "{} {path} as {}: {status}",
                    route.method, walker.name
                ));
            }
            uncovered.remove(&key(&route));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(uncovered.is_empty(), "not walked: {uncovered:?}");
}

#[tokio::test]
async fn e17_no_other_spelling_or_method_of_an_address_opens_it() {
    let world = world().await;
    let mut roleless = Walker::new(&world, "roleless", &[]).await;
    let mut all = Walker::new(&world, "all", &Role::ALL).await;
    let mut wrong = Vec::new();
    let taken: BTreeSet<(String, &str)> = table().iter().map(key).collect();
    let mut paths: Vec<(Face, &str)> = table().iter().map(|r| (r.face, r.path)).collect();
    paths.sort_by_key(|(_, path)| *path);
    paths.dedup_by_key(|(_, path)| *path);
    for (face, pattern) in paths {
        if face == Face::Open {
            continue;
        }
        let path = address(pattern);
        // Whoever holds every permission gets no further by a method that the address does not take.
        for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::POST] {
            if taken.contains(&(method.to_string(), pattern)) {
                continue;
            }
            let status = all.ask(face, &method, &path).await.status();
            if status != StatusCode::METHOD_NOT_ALLOWED {
                wrong.push(format!("{method} {path}: {status}"));
            }
        }
        if pattern == "/" {
            continue;
        }
        // Other spellings are other addresses, which do not exist for anybody.
        let shouted = path.replace("/api/v1/", "/").to_uppercase();
        let shouted = if face == Face::Api {
            format!("/api/v1{shouted}")
        } else {
            shouted
        };
        let first = path.trim_start_matches('/').chars().next().unwrap_or('x');
        for spelling in [
            shouted,
            format!("{path}/"),
            format!("/{path}"),
            format!("{path}%2f"),
            format!("{path}/."),
            format!("/%{:02x}{}", first as u32, &path[2..]),
        ] {
            let own = taken
                .iter()
                .filter(|(method, _)| method == "GET")
                .any(|(_, known)| fits(known, &spelling));
            for (has_all, method) in [
                (true, Method::GET),
                (false, Method::GET),
                (false, Method::POST),
            ] {
                let walker = if has_all { &mut all } else { &mut roleless };
                let answer = walker.ask(face, &method, &spelling).await;
                let status = answer.status();
                // An address of the API in another spelling is none of the API's: without a session it leads to sign-in.
                let is_turned_away = answer
                    .headers()
                    .get(header::LOCATION)
                    .and_then(|to| to.to_str().ok())
                    .is_some_and(|to| to.starts_with("/sign-in?next="));
                let is_shut = is_turned_away
                    || matches!(
                        status,
                        StatusCode::NOT_FOUND
                            | StatusCode::METHOD_NOT_ALLOWED
                            | StatusCode::FORBIDDEN
                            | StatusCode::UNAUTHORIZED
                    );
                // A spelling may be the value of somebody else's placeholder; then that address's own rule holds.
                let is_right = is_shut || (own && has_all);
                if !is_right {
                    wrong.push(format!("{method} {spelling} as {}: {status}", walker.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a spelling is an address of this pattern.
fn fits(pattern: &str, path: &str) -> bool {
    let (known, given): (Vec<_>, Vec<_>) =
        (pattern.split('/').collect(), path.split('/').collect());
    known.len() == given.len()
        && known
            .iter()
            .zip(&given)
            .all(|(known, given)| known.starts_with('{') || known == given)
}

/// The table is the router's only source, so the walk above leaves nothing out.
#[test]
fn e17_no_address_is_made_beside_the_table() {
    fn walk(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "tests") {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let code = std::fs::read_to_string(&path).unwrap();
                for made in [".route(", ".nest(", ".merge(", "Router::new(", ".fallback("] {
                    for _ in 0..code.matches(made).count() {
                        found.push(format!(
                            "{} {made}",
                            path.file_name().unwrap().to_string_lossy()
                        ));
                    }
                }
            }
        }
    }
    let mut found = Vec::new();
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    walk(&sources.join("web"), &mut found);
    walk(&sources.join("api"), &mut found);
    found.sort();
    assert_eq!(
        found,
        [
            "routes.rs .fallback(",
            "routes.rs .route(",
            "routes.rs Router::new("
        ]
    );
}

#[tokio::test]
async fn e18_what_is_somebody_elses_answers_like_what_does_not_exist() {
    let world = world().await;
    let ana = world.somebody("ana", &[Role::SamIntegrator]).await;
    let ben = world.somebody("ben", &[Role::Approver]).await;
    let actor = service::authenticate_token(&world.host, ben.bearer.trim_start_matches("Bearer "))
        .await
        .unwrap();
    let token = service::list_tokens(&world.host, &actor).await.unwrap()[0]
        .id
        .to_string();
    let revoke = |id: &str| {
        Request::post(format!("/api/v1/tokens/{id}/revoke"))
            .header(header::AUTHORIZATION, &ana.bearer)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from("{}"))
            .unwrap()
    };
    let foreign = world.send(revoke(&token)).await;
    let absent = world.send(revoke("tok_0")).await;
    assert_eq!(foreign.status(), StatusCode::NOT_FOUND);
    assert_eq!(absent.status(), StatusCode::NOT_FOUND);
    assert_eq!(text(foreign).await, text(absent).await);
    let by_page = |id: &str| {
        World::form(&format!("/tokens/{id}/revoke"), &ana)
            .body(Body::from(format!("csrf={}", ana.csrf)))
            .unwrap()
    };
    let foreign = text(world.send(by_page(&token)).await).await;
    let absent = text(world.send(by_page("tok_0")).await).await;
    assert_eq!(foreign, absent);
    assert!(
        service::authenticate_token(&world.host, ben.bearer.trim_start_matches("Bearer "))
            .await
            .is_ok(),
        "somebody else's token was taken back"
    );
}

#[tokio::test]
async fn somebody_without_a_role_is_told_whom_to_ask() {
    let world = world().await;
    world.somebody("Adam", &[Role::Admin]).await;
    let ana = world.somebody("ana", &[]).await;
    let led = world.get("/", Some(&ana)).await;
    assert_eq!(led.status(), StatusCode::SEE_OTHER);
    assert_eq!(led.headers()[header::LOCATION], "/roles");
    let page = text(world.get("/roles", Some(&ana)).await).await;
    assert!(
        page.contains("You have no role yet") && page.contains("Adam"),
        "{page}"
    );
    assert_eq!(
        world.get("/profiles", Some(&ana)).await.status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn the_page_of_roles_shows_the_whole_matrix() {
    let world = world().await;
    let ana = world.somebody("ana", &[Role::Approver]).await;
    let page = text(world.get("/roles", Some(&ana)).await).await;
    let granted: usize = Permission::ALL
        .iter()
        .map(|permission| permission.granted_to().len())
        .sum();
    assert_eq!(page.matches(">Yes<").count(), granted);
    assert_eq!(
        page.matches(">No<").count(),
        Permission::ALL.len() * Role::ALL.len() - granted
    );
}
