//! A server on loopback that records every request and answers raw bytes, so that a test can be as wrong as a vendor.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `METHOD path?query`.
    pub line: String,
    /// Lower-case `name: value` lines.
    pub headers: Vec<String>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn has(&self, header: &str) -> bool {
        self.headers.iter().any(|h| h == header)
    }
}

/// What the server does with a request.
pub enum Reply {
    /// These bytes, then the connection is closed.
    Raw(Vec<u8>),
    /// Nothing, for ever.
    Silence,
}

pub type Rule = dyn Fn(&Seen, usize) -> Reply + Send + Sync;

pub struct Vendor {
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    // Dropped with the test: all its tasks end.
    _serving: JoinSet<()>,
}

impl Vendor {
    pub async fn start(rule: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(rule, None).await
    }

    pub async fn start_tls(
        rule: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
        tls: tokio_rustls::TlsAcceptor,
    ) -> Self {
        Self::serve(rule, Some(tls)).await
    }

    async fn serve(
        rule: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> Self {
        let rule: Arc<Rule> = Arc::new(rule);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let mut serving = JoinSet::new();
        let log = seen.clone();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (rule, log, tls) = (rule.clone(), log.clone(), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => one(stream, rule, log).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                one(stream, rule, log).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            port,
            seen,
            _serving: serving,
        }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Requests that could change something.
    pub fn writes(&self) -> usize {
        self.seen()
            .iter()
            .filter(|seen| !seen.line.starts_with("GET "))
            .count()
    }
}

async fn one(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    rule: Arc<Rule>,
    log: Arc<Mutex<Vec<Seen>>>,
) {
    let mut bytes = Vec::new();
    let seen = loop {
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&piece[..read]),
            _ => return,
        }
        if let Some(seen) = parse(&bytes) {
            break seen;
        }
    };
    let turn = {
        let mut log = log.lock().unwrap();
        log.push(seen.clone());
        log.len()
    };
    match rule(&seen, turn) {
        Reply::Raw(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Reply::Silence => std::future::pending().await,
    }
}

fn parse(bytes: &[u8]) -> Option<Seen> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| format!("{}: {}", name.to_lowercase(), value.trim()))
        .collect();
    let length: usize = headers
        .iter()
        .find_map(|h| h.strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    let body = bytes.get(end + 4..end + 4 + length)?.to_vec();
    Some(Seen {
        line,
        headers,
        body,
    })
}

/// An answer with a length and some headers.
pub fn answer(status: u16, headers: &[&str], body: &[u8]) -> Reply {
    let mut text = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n",
        body.len()
    );
    for header in headers {
        text += header;
        text += "\r\n";
    }
    let mut bytes = (text + "\r\n").into_bytes();
    bytes.extend_from_slice(body);
    Reply::Raw(bytes)
}

pub fn ok(body: &str) -> Reply {
    answer(200, &["content-type: application/json"], body.as_bytes())
}
