//! Answers: cut, packed, too large, not HTTP.

use std::io::Write;

use seatwise_runtime::contract::types::{Failure, FailureKind};
use seatwise_runtime::{HttpPort, limits};

use crate::egress::{get, to};
use crate::vendor::{Reply, Vendor, answer};

async fn failure_of(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Failure {
    let vendor = Vendor::start(move |_, _| reply()).await;
    to(&vendor).egress.send(get("/data/1")).await.unwrap_err()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_cut_body_is_transient_and_never_a_short_answer() {
    let length = failure_of(|| {
        Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":".to_vec())
    })
    .await;
    let chunked = failure_of(|| {
        Reply::Raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec())
    })
    .await;
    let packed = failure_of(|| {
        let whole = gzip(&b"{\"records\":[]}".repeat(100));
        answer(200, &["content-encoding: gzip"], &whole[..whole.len() - 12])
    })
    .await;
    let closed = failure_of(|| Reply::Raw(Vec::new())).await;
    for failure in [length, chunked, packed, closed] {
        assert_eq!(
            (failure.code.as_str(), failure.kind),
            ("cut_body", FailureKind::Transient),
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn a_packed_answer_arrives_unpacked_without_its_encoding() {
    let body = b"{\"records\":[1,2,3]}".repeat(1_000);
    let packed = gzip(&body);
    let vendor = Vendor::start(move |_, _| answer(200, &["content-encoding: gzip"], &packed)).await;
    let response = to(&vendor).egress.send(get("/data/1")).await.unwrap();
    assert_eq!(response.body, body);
    assert!(
        !response
            .headers
            .iter()
            .any(|h| h.name == "content-encoding")
    );
}

#[tokio::test]
async fn a_decompression_bomb_ends_at_its_ratio_and_a_large_body_at_the_cap() {
    let bomb = gzip(&vec![0; 12 * 1024 * 1024]);
    assert!(bomb.len() < 64 * 1024);
    let failure = failure_of(move || answer(200, &["content-encoding: gzip"], &bomb)).await;
    assert_eq!(failure.code, "too_large");
    assert!(failure.message.contains("times its size"), "{failure:?}");
    let large = vec![b'x'; limits::RESPONSE_BYTES + 1];
    let failure = failure_of(move || answer(200, &[], &large)).await;
    assert_eq!(failure.code, "too_large");
}

#[tokio::test]
async fn endless_headers_are_too_large_and_other_encodings_are_refused() {
    let many: String = (0..5_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let failure = failure_of(move || {
        Reply::Raw(format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n").into_bytes())
    })
    .await;
    assert_eq!(failure.code, "too_large", "{failure:?}");
    let wide = format!("x-wide: {}\r\n", "y".repeat(limits::RESPONSE_HEADER_BYTES));
    let failure = failure_of(move || {
        Reply::Raw(format!("HTTP/1.1 200 OK\r\n{wide}content-length: 0\r\n\r\n").into_bytes())
    })
    .await;
    assert_eq!(failure.code, "too_large", "{failure:?}");
    let failure = failure_of(|| answer(200, &["content-encoding: br"], b"x")).await;
    assert_eq!(failure.code, "bad_encoding");
    let failure = failure_of(|| Reply::Raw(b"SSH-2.0-OpenSSH_9\r\n\r\n".to_vec())).await;
    assert_eq!(
        (failure.code.as_str(), failure.kind),
        ("not_http", FailureKind::Malformed)
    );
}
