//! Writes come from our own pages only: every writing address against every way another site could send one.
use sqlx::{AnyConnection, Connection as _, Row as _};

use super::*;
use crate::web::gate::most_with_file;

/// Sees every change that another connection commits (SQLite's `data_version`).
struct Witness(AnyConnection);

impl Witness {
    async fn of(world: &World) -> Self {
        let path = world.folder.path().join("test.db");
        Self(
            AnyConnection::connect(&format!("sqlite:{}", path.display()))
                .await
                .unwrap(),
        )
    }

    async fn version(&mut self) -> i64 {
        sqlx::query("select data_version from pragma_data_version")
            .fetch_one(&mut self.0)
            .await
            .unwrap()
            .get(0)
    }
}

/// A cross-site request: its name, what it adds to a form post of the right session, and its body for a token.
struct Attack {
    name: &'static str,
    method: Method,
    kind: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: fn(&str, &str) -> String,
    status: StatusCode,
}

const FORM: &str = "application/x-www-form-urlencoded";

fn right(own: &str, _: &str) -> String {
    format!("csrf={own}&reason=because&name=x&days=1")
}

fn attacks() -> Vec<Attack> {
    let crossed = |name, headers| Attack {
        name,
        method: Method::POST,
        kind: FORM,
        headers,
        body: right,
        status: StatusCode::FORBIDDEN,
    };
    let ours: &[(&str, &str)] = &[("sec-fetch-site", "same-origin")];
    let of_kind = |name, kind, body| Attack {
        name,
        method: Method::POST,
        kind,
        headers: ours,
        body,
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
    };
    let forged = |name, body| Attack {
        name,
        method: Method::POST,
        kind: FORM,
        headers: ours,
        body,
        status: StatusCode::FORBIDDEN,
    };
    let by_method = |name, method| Attack {
        name,
        method,
        kind: FORM,
        headers: &[("sec-fetch-site", "cross-site")],
        body: right,
        status: StatusCode::FORBIDDEN,
    };
    vec![
        crossed("cross-site", &[("sec-fetch-site", "cross-site")]),
        crossed("a neighbouring host", &[("sec-fetch-site", "same-site")]),
        crossed("typed or bookmarked", &[("sec-fetch-site", "none")]),
        crossed("foreign origin", &[("origin", "https://evil.example")]),
        crossed("origin null", &[("origin", "null")]),
        crossed(
            "two opinions",
            &[
                ("sec-fetch-site", "same-origin"),
                ("origin", "https://evil.example"),
            ],
        ),
        forged("no token", |_, _| "reason=because&name=x".to_owned()),
        forged("empty token", |_, _| "csrf=&reason=because".to_owned()),
        forged("another session's token", |_, other| {
            format!("csrf={other}&reason=because")
        }),
        forged("first of two tokens", |own, _| {
            format!("csrf=wrong&csrf={own}")
        }),
        of_kind("JSON", "application/json", |own, _| {
            format!("{{\"csrf\":\"{own}\"}}")
        }),
        of_kind("text", "text/plain", |own, _| format!("csrf={own}")),
        of_kind("multipart", "multipart/form-data; boundary=b", |own, _| {
            format!(
                "--b\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{own}\r\n--b--\r\n"
            )
        }),
        by_method("PUT", Method::PUT),
        by_method("PATCH", Method::PATCH),
        by_method("DELETE", Method::DELETE),
    ]
}

#[tokio::test]
async fn e6_no_writing_address_takes_what_another_site_sends() {
    let world = world().await;
    let ana = world.somebody("ana", &Role::ALL).await;
    let ben = world.somebody("ben", &Role::ALL).await;
    let mut witness = Witness::of(&world).await;
    let mut wrong = Vec::new();
    let mut tried = 0;
    let before = witness.version().await;
    for route in table() {
        if route.method != Method::POST || route.face != Face::Page {
            continue;
        }
        let path = address(route.path);
        for attack in attacks() {
            // A form with a file is its own kind; that its token counts, too, is shown below.
            if attack.name == "multipart" && most_with_file(route.path).is_some() {
                continue;
            }
            tried += 1;
            let mut request = Request::builder()
                .method(attack.method.clone())
                .uri(&path)
                .header(header::COOKIE, &ana.cookie)
                .header(header::HOST, "127.0.0.1:8080")
                .header(header::CONTENT_TYPE, attack.kind);
            for (name, value) in attack.headers {
                request = request.header(*name, *value);
            }
            let body = (attack.body)(&ana.csrf, &ben.csrf);
            let status = world
                .send(request.body(Body::from(body)).unwrap())
                .await
                .status();
            if status != attack.status {
                wrong.push(format!("{path}, {}: {status}", attack.name));
            }
        }
        // A token in the address, where logs and referrers would see it, counts for nothing.
        let asked = Request::post(format!("{path}?csrf={}", ana.csrf))
            .header(header::COOKIE, &ana.cookie)
            .header(header::CONTENT_TYPE, FORM)
            .header("sec-fetch-site", "same-origin")
            .body(Body::empty());
        let status = world.send(asked.unwrap()).await.status();
        if status != StatusCode::FORBIDDEN {
            wrong.push(format!("{path}, token in the address: {status}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 300, "only {tried} requests");
    assert_eq!(before, witness.version().await, "something was written");
}

#[tokio::test]
async fn e6_an_open_address_takes_no_form_of_another_site() {
    let world = world().await;
    for route in table() {
        if route.method != Method::POST || route.face != Face::Open {
            continue;
        }
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            let request = Request::post(address(route.path))
                .header(header::HOST, "127.0.0.1:8080")
                .header(header::CONTENT_TYPE, FORM)
                .header(name, value)
                .body(Body::from("token=swl_x"));
            let status = world.send(request.unwrap()).await.status();
            assert_eq!(
                status,
                StatusCode::FORBIDDEN,
                "{} with {name}: {value}",
                route.path
            );
        }
    }
}

#[tokio::test]
async fn e6_a_cookie_writes_nothing_over_the_api() {
    let world = world().await;
    let ana = world.somebody("ana", &Role::ALL).await;
    for route in table() {
        if route.method != Method::POST || route.face != Face::Api {
            continue;
        }
        for kind in ["application/json", FORM, "text/plain"] {
            let request = Request::post(address(route.path))
                .header(header::COOKIE, &ana.cookie)
                .header(header::CONTENT_TYPE, kind)
                .body(Body::from("{}"));
            let status = world.send(request.unwrap()).await.status();
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{} as {kind}", route.path);
        }
    }
}

#[tokio::test]
async fn e6_reading_an_address_never_changes_anything() {
    let world = world().await;
    let ana = world.somebody("ana", &Role::ALL).await;
    // The first use of a token is noted; that is the one write a reading request may lead to.
    service::authenticate_token(&world.host, ana.bearer.trim_start_matches("Bearer "))
        .await
        .unwrap();
    let mut witness = Witness::of(&world).await;
    for route in table() {
        if route.method != Method::GET {
            continue;
        }
        let before = witness.version().await;
        for method in [Method::GET, Method::HEAD] {
            let path = format!("{}?_method=POST&done=x", address(route.path));
            let request = Request::builder()
                .method(method)
                .uri(&path)
                .header(header::COOKIE, &ana.cookie)
                .header("x-http-method-override", "POST")
                .header("x-http-method", "DELETE")
                .header("x-method-override", "PUT");
            let request = if route.face == Face::Api {
                request.header(header::AUTHORIZATION, &ana.bearer)
            } else {
                request
            };
            world.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(before, witness.version().await, "{path} wrote something");
        }
    }
}

/// A form with a file as a browser sends it, its fields in this order.
fn with_file(fields: &[(&str, &str)], file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head =
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(head.as_bytes());
    }
    body.extend_from_slice(
        b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"users.csv\"\r\nContent-Type: text/csv\r\n\r\n",
    );
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--b--\r\n");
    body
}

#[tokio::test]
async fn a_form_with_a_file_carries_its_token_first_and_is_looked_at_before_anything_is_imported() {
    let world = world().await;
    let ana = world.somebody("ana", &[Role::SamIntegrator]).await;
    let ben = world.somebody("ben", &[Role::SamIntegrator]).await;
    let made = World::form("/imports", &ana)
        .body(Body::from(format!(
            "csrf={}&name=Zoom&publisher=Zoom+Video",
            ana.csrf
        )))
        .unwrap();
    let made = world.send(made).await;
    assert_eq!(made.status(), StatusCode::SEE_OTHER);
    let number = made.headers()[header::LOCATION]
        .to_str()
        .unwrap()
        .to_owned();
    let number = number
        .trim_start_matches("/imports/")
        .trim_end_matches("?done=source-made")
        .to_owned();
    let mut file = b"email,plan,name\nana@example.com,Pro,\"=<b>Ana</b>\"\nnobody,Pro,".to_vec();
    file.extend(std::iter::repeat_n(b'x', 3 * 1024 * 1024));
    file.extend_from_slice(b"\n");
    let send = |body: Vec<u8>| {
        let request = Request::post("/imports/file")
            .header(header::COOKIE, &ana.cookie)
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(body))
            .unwrap();
        world.send(request)
    };
    for forged in [
        vec![("number", number.as_str())],
        vec![("csrf", ben.csrf.as_str()), ("number", &number)],
        vec![("csrf", ""), ("number", &number)],
        vec![("number", &number), ("csrf", &ana.csrf)],
        vec![("csrf", "wrong"), ("csrf", &ana.csrf), ("number", &number)],
    ] {
        let status = send(with_file(&forged, &file)).await.status();
        assert_eq!(status, StatusCode::FORBIDDEN, "{forged:?}");
    }
    let fields = [("csrf", ana.csrf.as_str()), ("number", &number)];
    let brought = send(with_file(&fields, &file)).await;
    assert_eq!(
        brought.status(),
        StatusCode::SEE_OTHER,
        "{}",
        text(brought).await
    );
    let place = brought.headers()[header::LOCATION]
        .to_str()
        .unwrap()
        .to_owned();
    let page = text(world.get(&place, Some(&ana)).await).await;
    assert!(
        page.contains("&lt;b&gt;Ana&lt;/b&gt;"),
        "text stays text: {page}"
    );
    assert!(
        page.contains("<th scope=\"row\" class=\"n\">3</th>"),
        "the bad line is named: {page}"
    );
    assert!(page.contains("the cell has 3145728 characters"), "{page}");
    let import = |more: &str| {
        let body = format!("csrf={}&version=1{more}", ana.csrf);
        let request = World::form(&format!("{place}/import"), &ana)
            .body(Body::from(body))
            .unwrap();
        world.send(request)
    };
    let refused = import("").await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        text(refused)
            .await
            .contains("1 of the lines cannot be used")
    );
    let started = import("&leave_out=1").await;
    assert_eq!(started.status(), StatusCode::SEE_OTHER);
    assert!(
        started.headers()[header::LOCATION]
            .to_str()
            .unwrap()
            .starts_with("/runs/RUN")
    );
    for path in [
        "/connect",
        "/imports",
        "/imports/template",
        "/profiles",
        "/aliases",
    ] {
        assert_eq!(
            world.get(path, Some(&ana)).await.status(),
            StatusCode::OK,
            "{path}"
        );
    }
    let profile = world.get(&format!("/profiles/{number}"), Some(&ana)).await;
    assert_eq!(
        profile.headers()[header::LOCATION],
        format!("/imports/{number}").as_str()
    );
}
