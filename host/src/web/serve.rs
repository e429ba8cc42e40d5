//! The listener: answers until told to stop, then lets open requests end.
//!
//! Invariants: whoever sends a request's head too slowly, or with too much in it, is let go, and nobody else waits for them. Bodies and
//! answers have their limits in [`super::routes`].

use std::io;
use std::time::Duration;

use axum::Extension;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::Layer as _;

use crate::app::host::Host;

/// How long a client has for the head of a request. Browsers need a moment; a head that trickles in holds a connection.
pub const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Headers of one request; more are answered by 431.
const MOST_HEADERS: usize = 100;
/// Bytes of one request's head; more are answered by 431.
const HEAD_BYTES: usize = 64 * 1_024;
/// Until the next try when the system has no more sockets to give.
const AGAIN: Duration = Duration::from_millis(500);

/// Serves pages and API on this listener until the host is asked to stop.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(host: Host, listener: TcpListener) -> io::Result<()> {
    let stop = host.stop.clone();
    let app = super::router(host);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_headers(MOST_HEADERS)
        .max_buf_size(HEAD_BYTES);
    let mut open = JoinSet::new();
    let asked = stop.asked();
    tokio::pin!(asked);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Takes away what has ended.
            Some(_) = open.join_next() => continue,
            () = &mut asked => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // Too many open files, or a client that was gone before it was accepted: neither ends the host.
            Err(error) => {
                tracing::warn!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(Extension(ConnectInfo(peer)).layer(app.clone()));
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let stop = stop.clone();
        open.spawn(async move {
            tokio::pin!(connection);
            let ended = tokio::select! {
                ended = &mut connection => ended,
                () = stop.asked() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(error = %error, "a connection ended");
            }
        });
    }
    while open.join_next().await.is_some() {}
    Ok(())
}
