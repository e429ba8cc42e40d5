//! What Salesforce's answer to a planned step means.
//!
//! The rule: *done* only for the documented success; *refused* only where Salesforce said no in so many words;
//! *retry-later* only where it surely changed nothing; everything else is *unknown* and observed first.

use seatwise_connector_sdk::{
    Answer, Failure, FailureKind, failure,
    reclaim::{Judgement, Verdict},
};

use crate::errors;

/// Judges one answer.
pub fn judge(answer: &Answer) -> Verdict {
    if answer.is_html() {
        return verdict(Judgement::Unknown, errors::of(answer));
    }
    match answer.status() {
        // 204 is the documented answer to a PATCH; 200 is the same with a body.
        200 | 204 => Verdict {
            judgement: Judgement::Done,
            detail: None,
        },
        status => {
            let detail = errors::of(answer);
            verdict(judgement(status, &detail), detail)
        }
    }
}

fn verdict(judgement: Judgement, detail: Failure) -> Verdict {
    // A refusal is shown as one, whatever class its code has while reading.
    let detail = match (judgement, detail.kind) {
        (
            Judgement::Refused,
            FailureKind::Refused | FailureKind::Permission | FailureKind::NotFound,
        ) => detail,
        (Judgement::Refused, _) => failure::after(
            failure::refused(detail.code, detail.message),
            detail.retry_after_ms,
        ),
        _ => detail,
    };
    Verdict {
        judgement,
        detail: Some(detail),
    }
}

fn judgement(status: u16, detail: &Failure) -> Judgement {
    match detail.code.as_str() {
        // Nothing was changed: the row was not ours, or the request was turned away at the door.
        "UNABLE_TO_LOCK_ROW"
        | "SERVER_UNAVAILABLE"
        | "REQUEST_LIMIT_EXCEEDED"
        | "TXN_SECURITY_METERING_ERROR" => {
            return Judgement::RetryLater;
        }
        // It ran, or may have.
        "UNKNOWN_EXCEPTION" | "REQUEST_RUNNING_TOO_LONG" | "QUERY_TIMEOUT" => {
            return Judgement::Unknown;
        }
        _ => {}
    }
    match status {
        401 => Judgement::RetryLater,
        // 403 with a session code is a dead token too, as the identity service words it.
        403 if detail.kind == FailureKind::Auth => Judgement::RetryLater,
        429 | 503 => Judgement::RetryLater,
        300 | 400 | 403..=405 | 409..=415 | 428 | 431 => Judgement::Refused,
        // Redirects, other successes, and servers that failed while working.
        _ => Judgement::Unknown,
    }
}
