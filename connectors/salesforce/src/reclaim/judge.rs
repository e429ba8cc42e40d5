//! What Salesforce's answer to a planned step means.
//!
//! The rule: *done* only for the documented success; *refused* only where Salesforce said no in so many words;
//! *retry-later* only where it surely changed nothing; everything else is *unknown* and observed first.

use seatwise_connector_sdk::{
    Answer, Failure, FailureKind, failure,
    reclaim::{Judgement, Step, Verdict, WriteMethod},
};

use crate::errors;

/// Judges one answer to one step.
pub fn judge(step: &Step, answer: &Answer) -> Verdict {
    if answer.is_html() {
        return verdict(Judgement::Unknown, errors::of(answer));
    }
    match (step.method, answer.status()) {
        // 204 is the documented answer to a PATCH and a DELETE, 201 that to a POST; 200 is the same with a body.
        (_, 200 | 204) | (WriteMethod::Post, 201) => Verdict {
            judgement: Judgement::Done,
            detail: None,
        },
        (_, status) => {
            let detail = errors::of(answer);
            if is_so_already(step, status, &detail) {
                return Verdict {
                    judgement: Judgement::AlreadyDone,
                    detail: Some(detail),
                };
            }
            let judgement = judgement(status, &detail);
            verdict(judgement, with_advice(judgement, status, detail))
        }
    }
}

/// Salesforce says that what was to go is gone, or that what was to be is there. A 404 without a code is some gateway's.
fn is_so_already(step: &Step, status: u16, detail: &Failure) -> bool {
    match step.method {
        WriteMethod::Delete => {
            detail.code == "ENTITY_IS_DELETED" || status == 404 && detail.code == "NOT_FOUND"
        }
        WriteMethod::Post => status == 400 && detail.code == "DUPLICATE_VALUE",
        WriteMethod::Patch | WriteMethod::Put => false,
    }
}

/// A refusal that this connector cannot class keeps the vendor's sentence word by word, and says who goes on from there.
fn with_advice(judgement: Judgement, status: u16, detail: Failure) -> Failure {
    if judgement != Judgement::Refused || status != 400 || errors::is_known(&detail.code) {
        return detail;
    }
    Failure {
        message: format!(
            "{}; manual work needed in Salesforce, or freeze the person instead",
            detail.message
        ),
        ..detail
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
