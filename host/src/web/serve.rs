//! The listener: answers until told to stop, then lets open requests end.

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::host::Host;

/// Serves pages and API on this listener until `stop` changes.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    host: Host,
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    axum::serve(listener, super::router(host))
        .with_graceful_shutdown(async move {
            // A dropped sender is a stop as well.
            let _ = stop.changed().await;
        })
        .await
}
