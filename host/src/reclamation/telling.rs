//! Approvers hear of what waits for them: written in the transaction that puts it before them.

use super::ReclamationError;
use crate::app::host::Host;
use crate::kernel::{BatchId, RuleId, RuleVersionId};
use crate::notify::{Cause, Facts, Notice, service as notify};
use crate::store::Tx;

/// A version of a rule waits for approval A.
pub(super) async fn rule_waits(
    host: &Host,
    tx: &mut Tx,
    rule: (&RuleId, &str, &str),
    version: &RuleVersionId,
) -> Result<(), ReclamationError> {
    let (id, number, name) = rule;
    let notice = Notice {
        cause: Cause::ApprovalWaiting,
        key: format!("rule_waits:{version}"),
        subject_kind: "rule",
        subject_id: id.to_string(),
        owner: None,
        facts: Facts {
            number: number.to_owned(),
            name: name.to_owned(),
            happened: "a version of this rule is proposed; it names nobody before it is approved"
                .to_owned(),
            fix: Some("Look at who it would name, then approve or refuse it".to_owned()),
            path: format!("/rules/{number}"),
            counts: Vec::new(),
        },
    };
    Ok(notify::tell(host, tx, &notice).await?)
}

/// A batch waits for approval B.
pub(super) async fn batch_waits(
    host: &Host,
    tx: &mut Tx,
    batch: (&BatchId, &str),
    rule: &str,
    people: i64,
) -> Result<(), ReclamationError> {
    let (id, number) = batch;
    let seats = if people == 1 { "seat" } else { "seats" };
    let notice = Notice {
        cause: Cause::ApprovalWaiting,
        key: format!("batch_waits:{id}"),
        subject_kind: "batch",
        subject_id: id.to_string(),
        owner: None,
        facts: Facts {
            number: number.to_owned(),
            name: rule.to_owned(),
            happened: format!(
                "{people} {seats} would be taken back; nothing is sent before it is approved"
            ),
            fix: Some(
                "Read the list with its literal requests, then approve or leave it".to_owned(),
            ),
            path: format!("/batches/{number}"),
            counts: Vec::new(),
        },
    };
    Ok(notify::tell(host, tx, &notice).await?)
}
