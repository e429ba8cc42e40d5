//! Writes: sent once with exactly their bytes, or provably not at all, or said to be unknown.

use std::sync::atomic::Ordering;

use seatwise_runtime::Acted;
use seatwise_runtime::contract::reclaim::{Step, WriteMethod};

use crate::egress::{TOKEN, closed_port, named, to};
use crate::vendor::{Reply, Vendor, answer, ok};

fn patch(path: &str, body: &[u8]) -> Step {
    Step {
        method: WriteMethod::Patch,
        origin: "api".into(),
        path: path.into(),
        content_type: Some("application/json".into()),
        body: Some(body.to_vec()),
        says: "change".into(),
    }
}

#[tokio::test]
async fn a_step_is_sent_once_with_exactly_its_bytes() {
    let vendor = Vendor::start(|_, _| answer(204, &[], b"")).await;
    let way = to(&vendor);
    let acted = way
        .egress
        .act(&patch("/records/7", b"{ \"active\" : false }"))
        .await;
    assert!(
        matches!(&acted, Acted::Answered(answer) if answer.status == 204),
        "{acted:?}"
    );
    let seen = vendor.seen();
    assert_eq!(
        (seen.len(), seen[0].line.as_str(), seen[0].body.as_slice()),
        (1, "PATCH /records/7", b"{ \"active\" : false }".as_slice())
    );
    assert!(
        seen[0].has("content-type: application/json")
            && seen[0].has(&format!("authorization: Bearer {TOKEN}1"))
    );
}

#[tokio::test]
async fn a_step_is_not_replayed_after_a_401() {
    let vendor = Vendor::start(|_, _| answer(401, &[], b"[]")).await;
    let way = to(&vendor);
    assert!(
        matches!(way.egress.act(&patch("/records/7", b"{}")).await, Acted::Answered(answer) if answer.status == 401)
    );
    assert_eq!(
        (
            vendor.seen().len(),
            way.grants.renewals.load(Ordering::SeqCst)
        ),
        (1, 0)
    );
}

#[tokio::test]
async fn a_step_that_no_write_operation_names_is_not_sent() {
    let vendor = Vendor::start(|_, _| ok("{}")).await;
    let way = to(&vendor);
    let delete = Step {
        method: WriteMethod::Delete,
        ..patch("/records/7", b"")
    };
    let elsewhere = Step {
        origin: "other".into(),
        ..patch("/records/7", b"")
    };
    let header = Step {
        content_type: Some("a\r\nx: y".into()),
        ..patch("/records/7", b"")
    };
    for step in [
        delete,
        elsewhere,
        header,
        patch("/records/7/../8", b""),
        patch("/composite", b""),
        patch("/records/7?_HttpMethod=DELETE", b""),
    ] {
        assert!(way.egress.permits(&step).is_err());
        assert!(
            matches!(way.egress.act(&step).await, Acted::NotSent(failure) if failure.code.starts_with("egress.")),
            "{step:?}"
        );
    }
    assert!(way.egress.permits(&patch("/records/7", b"{}")).is_ok());
    assert_eq!(vendor.seen().len(), 0);
}

#[tokio::test]
async fn a_step_whose_outcome_is_not_known_says_so_and_is_not_sent_again() {
    let vendor = Vendor::start(|seen, _| match seen.line.as_str() {
        "PATCH /records/1" => Reply::Raw(Vec::new()),
        _ => Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{".to_vec()),
    })
    .await;
    let way = to(&vendor);
    for path in ["/records/1", "/records/2"] {
        assert!(
            matches!(way.egress.act(&patch(path, b"{}")).await, Acted::Unknown(failure) if failure.code == "cut_body"),
            "{path}"
        );
    }
    assert_eq!(vendor.seen().len(), 2, "each was sent once");
    let port = closed_port().await;
    let nobody = crate::egress::way(&format!("http://127.0.0.1:{port}"), named(&[port]), vec![]);
    assert!(
        matches!(nobody.egress.act(&patch("/records/1", b"{}")).await, Acted::NotSent(failure) if failure.code == "connect")
    );
}
