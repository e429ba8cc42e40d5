//! Puts the org's answers on the wire, over http and https, with the faults that belong there.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt as _, stream};
use http::{Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::api::{Answer, Pieces, Request, Shared, lock};
use crate::control;
use crate::faults::Faults;
use crate::refusals;

type Body = UnsyncBoxBody<Bytes, CutOff>;

/// The connection ends without, or in the middle of, an answer.
#[derive(Debug, thiserror::Error)]
#[error("the practice org cut the connection on purpose")]
pub(crate) struct CutOff;

/// A request body larger than this is not a client we stand in for.
const MAX_BODY: usize = 4 << 20;

/// From here on a request counts against the limit of concurrent ones (salesforce.md §2.4).
const LONG_MS: u64 = 20_000;

/// Accepts until `stop` changes.
pub(crate) async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    state: Shared,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let (socket, peer) = tokio::select! {
            _ = stop.changed() => return,
            accepted = listener.accept() => match accepted { Ok(accepted) => accepted, Err(_) => continue },
        };
        let _ = socket.set_nodelay(true);
        let (state, tls, stop) = (Arc::clone(&state), tls.clone(), stop.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(socket, peer.ip(), state, stop).await,
                Some(tls) => {
                    if let Ok(socket) = tls.accept(socket).await {
                        serve(socket, peer.ip(), state, stop).await;
                    }
                }
            }
        });
    }
}

async fn serve(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: IpAddr,
    state: Shared,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { handle(request, peer, &state).await }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    tokio::select! {
        _ = stop.changed() => {}
        done = connection => if let Err(error) = done { tracing::debug!(%error, "a client's connection ended early") },
    }
}

async fn handle(
    request: hyper::Request<Incoming>,
    peer: IpAddr,
    state: &Shared,
) -> Result<Response<Body>, CutOff> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, "too large"));
    };
    let body = body.to_bytes();
    // `//services/data` is what the vendor's own command line tool asks for.
    let path = match parts.uri.path() {
        path if path.starts_with("//") => path[1..].to_owned(),
        path => path.to_owned(),
    };
    let query = parts.uri.query().unwrap_or_default();
    if let Some(rest) = path.strip_prefix("/_practice/") {
        let (status, answer) =
            control::answer(&mut lock(state), parts.method.as_str(), rest, &body);
        return Ok(send(Answer::json(status, &answer), false, state));
    }
    let header = |name: header::HeaderName| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let authorization = header(header::AUTHORIZATION).and_then(|value| value.split_once(' '));
    let asked = Request {
        // HEAD is a GET whose body is left out on the way.
        method: match parts.method.as_str() {
            "HEAD" => "GET",
            method => method,
        },
        path: &path,
        query,
        bearer: authorization
            // The second is what Salesforce's own older clients write.
            .filter(|(kind, _)| {
                kind.eq_ignore_ascii_case("bearer") || kind.eq_ignore_ascii_case("oauth")
            })
            .map(|(_, token)| token),
        basic: authorization
            .filter(|(kind, _)| kind.eq_ignore_ascii_case("basic"))
            .map(|(_, token)| token),
        headers: &parts.headers,
        peer,
        body: &body,
    };
    let is_data = path.starts_with("/services/data/v");
    let (call, faults) = {
        let state = lock(state);
        (state.calls + 1, state.faults.clone())
    };
    // The vendor counts requests that last twenty seconds; the fault counts all.
    let is_long = faults.hits_every("hang_every", call)
        || (faults.hits_every("slow_every", call) && faults.number("slow_ms") >= LONG_MS);
    let counts = is_long || faults.number("concurrent_limit") > 0;
    let under_way = UnderWay::enter(state, is_data && counts);
    if is_data {
        if let Some(refusal) = over_concurrent_limit(state, &faults, &under_way) {
            return Ok(send(refusal, false, state));
        }
        if faults.hits_every("slow_every", call) {
            tokio::time::sleep(Duration::from_millis(faults.number("slow_ms"))).await;
        }
        if faults.hits_every("hang_every", call) {
            lock(state).calls += 1;
            std::future::pending::<Infallible>().await;
        }
        let refused = [
            ("rate_503", 503, "SERVER_UNAVAILABLE"),
            ("rate_500", 500, "UNKNOWN_EXCEPTION"),
            ("rate_429", 429, "REQUEST_RATE_EXCEEDED"),
        ];
        if let Some((_, status, code)) = refused
            .into_iter()
            .find(|(name, ..)| faults.hits_rate(name, call))
        {
            lock(state).calls += 1;
            let body =
                serde_json::json!([{"message": "a fault of the practice org", "errorCode": code}]);
            let mut answer = Answer::json(status, &body);
            if status == 429 {
                answer = answer.with("Retry-After", "1");
            }
            return Ok(send(answer, false, state));
        }
        if faults.hits_every("drop_every", call) {
            lock(state).calls += 1;
            return Err(CutOff);
        }
    }
    let accepts_gzip = header(header::ACCEPT_ENCODING).is_some_and(|value| value.contains("gzip"));
    let (answer, gzip, mut writes) = {
        let mut state = lock(state);
        let before = state.org.writes.len() as u64;
        let answer = state.answer(&asked);
        let writes = before + 1..=state.org.writes.len() as u64;
        (answer, accepts_gzip && state.org.spec.gzip, writes)
    };
    if is_data && writes.any(|write| faults.hits_every("lose_write_reply_every", write)) {
        return Err(CutOff);
    }
    if is_data && answer.status == 200 {
        if faults.hits_every("html_every", call) {
            let page = b"<html><head><title>Maintenance</title></head><body>Down for maintenance</body></html>".to_vec();
            return Ok(send(
                Answer {
                    body: page,
                    content_type: "text/html;charset=UTF-8",
                    pieces: None,
                    ..answer
                },
                false,
                state,
            ));
        }
        if faults.hits_every("malformed_every", call) {
            let half = answer.body.len() / 2;
            let broken = [&answer.body[..half], b"\x01\"{["].concat();
            return Ok(send(
                Answer {
                    body: broken,
                    pieces: None,
                    ..answer
                },
                false,
                state,
            ));
        }
        if faults.hits_every("truncate_every", call) {
            return Ok(cut(answer, state));
        }
    }
    Ok(send(answer, gzip, state))
}

/// Counts a call while it lasts, also when its client goes away.
struct UnderWay(Option<Arc<AtomicU64>>);

impl UnderWay {
    fn enter(state: &Shared, counts: bool) -> Self {
        let count = counts.then(|| Arc::clone(&lock(state).under_way));
        if let Some(count) = &count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Self(count)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(count) = &self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Refuses a call when as many others are under way as the org allows: 25, or five in a Developer or trial edition.
fn over_concurrent_limit(state: &Shared, faults: &Faults, own: &UnderWay) -> Option<Answer> {
    let mut state = lock(state);
    let edition = &state.org.spec.edition;
    let limit = match faults.number("concurrent_limit") {
        0 if edition.contains("Developer") || edition.contains("Trial") => 5,
        0 => 25,
        told => told,
    };
    let others = state.under_way.load(Ordering::Relaxed) - u64::from(own.0.is_some());
    if others < limit {
        return None;
    }
    state.calls += 1;
    let answer = refusals::find("CONCURRENT_LIMIT")?.answer();
    Some(state.with_limit_info(answer))
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(full(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

fn send(answer: Answer, gzip: bool, state: &Shared) -> Response<Body> {
    let is_empty = answer.body.is_empty() && answer.pieces.is_none();
    let gzip = gzip && (answer.body.len() > 1024 || answer.pieces.is_some());
    let mut response = Response::builder().status(answer.status);
    if !is_empty {
        response = response.header(header::CONTENT_TYPE, answer.content_type);
    }
    if gzip {
        response = response.header(header::CONTENT_ENCODING, "gzip");
    }
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    let body = match answer.pieces {
        None if gzip => full(Bytes::from(zip(&answer.body))),
        None => full(Bytes::from(answer.body)),
        Some(pieces) => in_pieces(answer.body, pieces, gzip, Arc::clone(state)),
    };
    response
        .body(body)
        .unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR, "no answer could be made"))
}

/// Makes each piece when the one before is on its way, so that no answer is held whole. The org is locked for one piece at a time.
fn in_pieces(first: Vec<u8>, mut pieces: Pieces, gzip: bool, state: Shared) -> Body {
    let mut zipper = gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
    let mut first = Some(first);
    let mut is_over = false;
    let frames = std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let piece = first.take().or_else(|| pieces(&lock(&state)));
        is_over = piece.is_none();
        let bytes = match (&mut zipper, piece) {
            (None, piece) => piece?,
            (Some(zipper), Some(piece)) => {
                // Writing to memory does not fail.
                let _ = zipper.write_all(&piece);
                std::mem::take(zipper.get_mut())
            }
            (Some(_), None) => zipper.take()?.finish().unwrap_or_default(),
        };
        Some(Ok(Frame::data(Bytes::from(bytes))))
    });
    UnsyncBoxBody::new(StreamBody::new(stream::iter(frames)))
}

/// Announces the whole body and sends half of it; of rows that are made while they are sent, only the first piece.
fn cut(answer: Answer, state: &Shared) -> Response<Body> {
    let mut response = Response::builder()
        .status(answer.status)
        .header(header::CONTENT_TYPE, answer.content_type);
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    let half = match answer.pieces {
        Some(mut pieces) => {
            let piece = pieces(&lock(state)).unwrap_or_default();
            Bytes::from([answer.body, piece].concat())
        }
        None => {
            let length = answer.body.len();
            response = response.header(header::CONTENT_LENGTH, length);
            Bytes::from(answer.body).slice(..length / 2)
        }
    };
    // The half must be on the wire before the connection ends, or the client sees no answer at all.
    let end = stream::once(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(CutOff)
    });
    let frames = stream::iter([Ok(Frame::data(half))]).chain(end);
    response
        .body(UnsyncBoxBody::new(StreamBody::new(frames)))
        .unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR, "no answer could be made"))
}

fn zip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 6), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

/// A throw-away authority and a server certificate for loopback, the org's My Domain and the shared login hosts, which clients with
/// a fixed login address are led to.
pub(crate) fn certificates(
    my_domain: &str,
) -> Result<(String, TlsAcceptor), Box<dyn std::error::Error + Send + Sync>> {
    let ca_key = rcgen::KeyPair::generate()?;
    let mut ca = rcgen::CertificateParams::new(Vec::<String>::new())?;
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    ca.distinguished_name.push(
        rcgen::DnType::CommonName,
        "Practice org, throw-away authority",
    );
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate()?;
    let names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "login.salesforce.com".to_owned(),
        "test.salesforce.com".to_owned(),
        my_domain.to_owned(),
        // The hosts all orgs share, for clients that were told to ask there.
        "login.salesforce.com".to_owned(),
        "test.salesforce.com".to_owned(),
    ];
    let certificate = rcgen::CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    let chain = vec![certificate.der().clone()];
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok((ca_pem, TlsAcceptor::from(Arc::new(config))))
}
