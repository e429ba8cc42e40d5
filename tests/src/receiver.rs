//! A receiver of webhooks in this process, on loopback: keeps what it gets, answers what it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Got {
    /// Its path.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

impl Got {
    /// A header's text; empty where it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Inside {
    got: Vec<Got>,
    answers: VecDeque<u16>,
    always: Option<u16>,
}

/// The receiver.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its port on 127.0.0.1.
    pub port: u16,
    inside: Arc<Mutex<Inside>>,
}

impl Receiver {
    /// Listens on a free port of loopback.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("loopback has a free port");
        let port = listener.local_addr().expect("it listens").port();
        let inside: Arc<Mutex<Inside>> = Arc::default();
        let app = Router::new().fallback(take).with_state(Arc::clone(&inside));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { port, inside }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Answers the next requests with these codes, in turn; after them with 204.
    pub fn answer(&self, codes: &[u16]) {
        self.lock().answers.extend(codes);
    }

    /// Answers every request with this code from now on; `None`: with 204.
    pub fn always(&self, code: Option<u16>) {
        self.lock().always = code;
    }

    /// What arrived so far.
    #[must_use]
    pub fn got(&self) -> Vec<Got> {
        self.lock().got.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take(State(inside): State<Arc<Mutex<Inside>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await;
    let body: Bytes = body.unwrap_or_default();
    let mut inside = inside.lock().unwrap_or_else(PoisonError::into_inner);
    inside.got.push(Got {
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    let code = inside.always.or_else(|| inside.answers.pop_front());
    let code = StatusCode::from_u16(code.unwrap_or(204)).unwrap_or(StatusCode::NO_CONTENT);
    if code.is_redirection() {
        return (code, [("location", "/elsewhere")]).into_response();
    }
    if code.is_success() {
        return code.into_response();
    }
    (code, "not now").into_response()
}
