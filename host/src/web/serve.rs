//! The listener: answers until told to stop, then lets open requests end.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::app::host::Host;

/// Serves pages and API on this listener until the host is asked to stop.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(host: Host, listener: TcpListener) -> std::io::Result<()> {
    let stop = host.stop.clone();
    let app = super::router(host).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app)
        .with_graceful_shutdown(async move { stop.asked().await })
        .await
}
