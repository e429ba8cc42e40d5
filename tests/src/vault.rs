//! Stand-ins of external vaults in this process, on loopback, written from their public API documents: CyberArk's Central Credential
//! Provider (GetAccount) and version 2 of a key-value engine. Each keeps one secret, counts its questions and can be told to fail.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::{Value, json};

/// The application id that CyberArk's stand-in lets in.
pub const APP_ID: &str = "Seatwise";
/// The query that CyberArk's stand-in knows.
pub const QUERY: &str = "Safe=SaaS;Object=acme";
/// The token that the key-value stand-in lets in.
pub const TOKEN: &str = "hvs.canary-vault-token-91cc";
/// The path that the key-value stand-in knows, under the mount `kv`.
pub const PATH: &str = "saas/acme";

/// Which one it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Ccp,
    Kv,
}

#[derive(Debug)]
struct Inside {
    role: Role,
    secret: String,
    asked: usize,
    /// Answered instead, status and body.
    instead: Option<(u16, Value)>,
}

/// A vault.
#[derive(Clone, Debug)]
pub struct VaultDouble {
    /// Its port on 127.0.0.1.
    pub port: u16,
    inside: Arc<Mutex<Inside>>,
}

impl VaultDouble {
    /// CyberArk's, with this password at [`QUERY`].
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn ccp(secret: &str) -> Self {
        Self::start(Role::Ccp, secret).await
    }

    /// A key-value engine with this secret at [`PATH`], property `secret`, beside another one.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn kv(secret: &str) -> Self {
        Self::start(Role::Kv, secret).await
    }

    async fn start(role: Role, secret: &str) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("loopback has a free port");
        let port = listener.local_addr().expect("it listens").port();
        let inside = Arc::new(Mutex::new(Inside {
            role,
            secret: secret.to_owned(),
            asked: 0,
            instead: None,
        }));
        let app = Router::new().fallback(take).with_state(Arc::clone(&inside));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { port, inside }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How often it was asked.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.lock().asked
    }

    /// Answers this from now on; `None`: what it knows.
    pub fn answer_instead(&self, answer: Option<(u16, Value)>) {
        self.lock().instead = answer;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take(State(inside): State<Arc<Mutex<Inside>>>, request: Request) -> Response {
    let mut inside = inside.lock().unwrap_or_else(PoisonError::into_inner);
    inside.asked += 1;
    let (status, body) = match inside.instead.clone() {
        Some(instead) => instead,
        None if inside.role == Role::Ccp => ccp(&request, &inside.secret),
        None => kv(&request, &inside.secret),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(body)).into_response()
}

fn ccp(request: &Request, secret: &str) -> (u16, Value) {
    let refused =
        |status, code: &str, said: &str| (status, json!({"ErrorCode": code, "ErrorMsg": said}));
    if request.method() != http::Method::GET
        || request.uri().path() != "/AIMWebService/api/Accounts"
    {
        return (404, json!({"Message": "no HTTP resource was found"}));
    }
    let query = request.uri().query().unwrap_or_default();
    let one = |wanted: &str| {
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
    };
    match (one("AppID").as_deref(), one("Query").as_deref()) {
        (None, _) => refused(
            400,
            "AIMWS031E",
            "Invalid request. The AppID parameter is required",
        ),
        (Some(app), _) if app != APP_ID => {
            refused(403, "APPAP306E", "Authentication error for App ID")
        }
        (_, Some(QUERY)) => (
            200,
            json!({
                "Content": secret, "UserName": "svc-seatwise", "Safe": "SaaS", "Folder": "Root", "Name": "acme",
                "PasswordChangeInProcess": "False",
            }),
        ),
        _ => refused(
            404,
            "APPAP004E",
            "Password object matching query was not found",
        ),
    }
}

fn kv(request: &Request, secret: &str) -> (u16, Value) {
    let token = request.headers().get("X-Vault-Token");
    if token.and_then(|token| token.to_str().ok()) != Some(TOKEN) {
        return (403, json!({"errors": ["permission denied"]}));
    }
    if request.uri().path() != format!("/v1/kv/data/{PATH}") {
        return (404, json!({"errors": []}));
    }
    let metadata = json!({"created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": false, "version": 3});
    let data = json!({"secret": secret, "owner": "crm team"});
    (
        200,
        json!({"request_id": "x", "data": {"data": data, "metadata": metadata}}),
    )
}
