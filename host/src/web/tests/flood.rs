//! Requests that mean to wear the host out, over raw sockets: too large, too slow, too many headers, ambiguous.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::web::serve::{HEAD_WITHIN, serve};

const GIGABYTE: u64 = 1 << 30;

/// What comes back until the other side closes; what is left to send may not be taken any more.
async fn answer(port: u16, parts: &[&[u8]]) -> String {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut back, mut out) = stream.into_split();
    let sending = async {
        for part in parts {
            if out.write_all(part).await.is_err() {
                break;
            }
        }
        // Kept open: the host has to let go by itself.
        std::future::pending::<()>().await
    };
    let mut got = Vec::new();
    let reading = async {
        let mut piece = [0; 4_096];
        while let Ok(n @ 1..) = back.read(&mut piece).await {
            got.extend_from_slice(&piece[..n]);
            if got.windows(4).any(|four| four == b"\r\n\r\n") {
                break;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = sending => {}
        () = tokio::time::sleep(Duration::from_secs(60)) => {}
    }
    String::from_utf8_lossy(&got).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn e24_a_flood_of_bytes_headers_or_patience_is_refused_and_others_are_served() {
    let world = world().await;
    let who = world.somebody("ana", &[Role::SamIntegrator]).await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve(world.host.clone(), listener));
    let healthy = async || {
        let asked = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".as_slice();
        assert_eq!(status(&answer(port, &[asked]).await), "200");
    };

    // A gigabyte announced is refused before it is read; one that is not announced ends at the limit.
    let bearer = &who.bearer;
    for (path, more) in [
        (
            "/sign-in",
            "content-type: application/x-www-form-urlencoded\r\nsec-fetch-site: same-origin\r\n"
                .to_owned(),
        ),
        (
            "/api/v1/profiles",
            format!("content-type: application/json\r\nauthorization: {bearer}\r\n"),
        ),
    ] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n{more}");
        let announced = format!("{head}content-length: {GIGABYTE}\r\n\r\n");
        let said = answer(port, &[announced.as_bytes(), &[b'x'; 4_096]]).await;
        assert_eq!(status(&said), "413", "{path}: {said}");
        let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
        let chunk = format!("{:x}\r\n{}\r\n", 1 << 16, "x".repeat(1 << 16));
        let mut parts = vec![chunked.as_bytes()];
        parts.extend(std::iter::repeat_n(chunk.as_bytes(), 64));
        let said = answer(port, &parts).await;
        assert_eq!(status(&said), "413", "{path}: {said}");
    }

    // A hundred thousand headers, and one that is as long.
    let many: String = (0..100_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let long = format!("x-long: {}\r\n", "y".repeat(1 << 20));
    for headers in [many, long] {
        let asked = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        let said = answer(port, &[asked.as_bytes()]).await;
        assert!(matches!(status(&said), "431" | ""), "{said}");
    }

    // What two servers could read differently is read by none.
    for ambiguous in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: +5\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
    ] {
        let asked = format!("POST /sign-in HTTP/1.1\r\nhost: x\r\n{ambiguous}\r\nhello");
        let said = answer(port, &[asked.as_bytes()]).await;
        assert_eq!(status(&said), "400", "{ambiguous}: {said}");
    }

    // Heads that never end are let go in time, and nobody waits for them.
    let began = Instant::now();
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nx-slow: ")
            .await
            .unwrap();
        slow.push(stream);
    }
    healthy().await;
    let last = slow.last_mut().unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(HEAD_WITHIN * 3, last.read_to_end(&mut rest)).await;
    assert!(
        ended.is_ok(),
        "it is still open after {:?}",
        began.elapsed()
    );
    healthy().await;
}
