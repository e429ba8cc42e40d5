//! A browser without a window: the pages of a host called in process, with the session of one person.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use seatwise::app::host::Host;
use seatwise::identity::roles::Actor;
use seatwise::identity::service as identity;
use tower::ServiceExt as _;

/// Somebody at the pages.
pub struct Browser {
    app: Router,
    cookie: String,
    csrf: String,
}

/// What a page answered.
pub struct Page {
    /// The status.
    pub status: StatusCode,
    /// Where it leads, for a redirect.
    pub location: String,
    /// Its HTML.
    pub text: String,
}

impl Browser {
    /// Signs somebody in by a one-time link.
    ///
    /// # Panics
    /// When they cannot sign in.
    pub async fn of(host: &Host, who: &Actor) -> Self {
        let link = identity::mint_signin_link(host, &Actor::system(), &who.id)
            .await
            .expect("a link is made");
        let device = identity::Device::default();
        let signed_in = identity::redeem_signin_link(host, &link.token, &device)
            .await
            .expect("the link is good");
        let identity::SignedIn::Session(session) = signed_in else {
            panic!("{} is asked for a code", who.name);
        };
        Self {
            app: seatwise::web::router(host.clone()),
            cookie: format!("seatwise={}", session.cookie),
            csrf: session.csrf_token,
        }
    }

    /// Somebody without a session.
    #[must_use]
    pub fn stranger(host: &Host) -> Self {
        Self {
            app: seatwise::web::router(host.clone()),
            cookie: String::new(),
            csrf: String::new(),
        }
    }

    async fn send(&self, request: Request<Body>) -> Page {
        let answer = self
            .app
            .clone()
            .oneshot(request)
            .await
            .expect("the router answers");
        let location = answer
            .headers()
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), 1 << 24)
            .await
            .expect("the body ends");
        Page {
            status,
            location,
            text: String::from_utf8(bytes.to_vec()).expect("a page is UTF-8"),
        }
    }

    /// Loads a page.
    ///
    /// # Panics
    /// When the address cannot be asked.
    pub async fn get(&self, path: &str) -> Page {
        let request = Request::get(path)
            .header(header::COOKIE, &self.cookie)
            .header(header::HOST, "127.0.0.1")
            .body(Body::empty())
            .expect("the request is well-formed");
        self.send(request).await
    }

    /// Sends a form.
    ///
    /// # Panics
    /// When the address cannot be asked.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.append_pair("csrf", &self.csrf);
        body.extend_pairs(fields);
        let request = Request::post(path)
            .header(header::COOKIE, &self.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(body.finish()))
            .expect("the request is well-formed");
        self.send(request).await
    }

    /// The page of a playbook's checks once each has its verdict.
    ///
    /// # Panics
    /// When they do not end within a minute.
    pub async fn checked(&self, profile: &str) -> Page {
        let path = format!("/profiles/{profile}/playbook/checks");
        tokio::time::timeout(Duration::from_secs(60), async {
            loop {
                let page = self.get(&path).await;
                if !page.text.contains("The checks are running") && page.text.contains("verdict") {
                    return page;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the checks end")
    }

    /// Sends a form that carries a file: its fields, then the file's field and its text.
    ///
    /// # Panics
    /// When the address cannot be asked.
    pub async fn post_with_file(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        (name, text): (&str, &str),
    ) -> Page {
        let own = [("csrf", self.csrf.as_str())];
        let mut body = String::new();
        for (name, value) in own.iter().chain(fields) {
            body.push_str(&format!(
                "--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        body.push_str(&format!(
            "--edge\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a.pem\"\r\n\r\n{text}\r\n--edge--\r\n"
        ));
        let request = Request::post(path)
            .header(header::COOKIE, &self.cookie)
            .header(header::HOST, "127.0.0.1")
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=edge")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(body))
            .expect("the request is well-formed");
        self.send(request).await
    }
}
