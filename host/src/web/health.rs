//! `/healthz`: is this host able to serve? Answers without a session and says nothing else.
use axum::extract::State;
use axum::http::StatusCode;

use crate::app::host::Host;

/// 200 while the database answers, 503 otherwise.
pub async fn healthz(State(host): State<Host>) -> (StatusCode, &'static str) {
    match crate::jobs::next_due(&host.store).await {
        Ok(_) => (StatusCode::OK, "ok\n"),
        Err(error) => {
            tracing::error!("health: the database does not answer: {error}");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer\n",
            )
        }
    }
}
