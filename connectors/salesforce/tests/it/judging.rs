//! What an answer to a sent step means, and what is true at the vendor afterwards.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, FailureKind,
    reclaim::{Judgement, Observation, State, Step, Target, WriteMethod},
    testkit::{Scripted, ScriptedHttp},
};

use crate::{bench, error, id, login, profile, reclaim::target, shelf::Shelf, user};

fn observe(shelf: Shelf, target: Target) -> Observation {
    shelf.observe(target)
}

fn shows(users: &[String], logins: &[String]) -> Shelf {
    Shelf::shows(users, logins)
}

#[test]
fn each_answer_to_a_step_is_judged_by_what_salesforce_says() {
    let bench = bench(ScriptedHttp::new());
    let step = Step {
        method: WriteMethod::Patch,
        origin: "instance".to_owned(),
        path: format!("/services/data/v62.0/sobjects/User/{}", id(1)),
        content_type: None,
        body: None,
        says: String::new(),
    };
    let judge = |answer: Scripted| Salesforce::judge(&bench.ctx, &step, &answer.answer());
    let verdict = judge(Scripted::empty(204));
    assert_eq!((verdict.judgement, verdict.detail), (Judgement::Done, None));

    use FailureKind as Kind;
    for (status, code, message, judgement, kind) in [
        (
            400,
            "FIELD_INTEGRITY_EXCEPTION",
            "This user is the default case owner.",
            Judgement::Refused,
            Kind::Refused,
        ),
        (
            400,
            "CANNOT_DISABLE_LAST_ADMIN",
            "You can't deactivate the last admin",
            Judgement::Refused,
            Kind::Refused,
        ),
        (
            400,
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "Ask HR first",
            Judgement::Refused,
            Kind::Refused,
        ),
        (
            400,
            "INSUFFICIENT_ACCESS_OR_READONLY",
            "insufficient access rights on object id",
            Judgement::Refused,
            Kind::Permission,
        ),
        (
            403,
            "INSUFFICIENT_ACCESS",
            "no",
            Judgement::Refused,
            Kind::Permission,
        ),
        (
            403,
            "FUNCTIONALITY_NOT_ENABLED",
            "no",
            Judgement::Refused,
            Kind::Permission,
        ),
        (
            400,
            "LICENSE_LIMIT_EXCEEDED",
            "License Limit Exceeded",
            Judgement::Refused,
            Kind::Refused,
        ),
        (
            400,
            "NOBODY_KNOWS",
            "Something odd",
            Judgement::Refused,
            Kind::Refused,
        ),
        (
            404,
            "NOT_FOUND",
            "Provided external ID field does not exist",
            Judgement::Refused,
            Kind::NotFound,
        ),
        (
            400,
            "ENTITY_IS_DELETED",
            "entity is deleted",
            Judgement::Refused,
            Kind::NotFound,
        ),
        (
            400,
            "UNABLE_TO_LOCK_ROW",
            "unable to obtain exclusive access to this record",
            Judgement::RetryLater,
            Kind::Transient,
        ),
        (
            503,
            "SERVER_UNAVAILABLE",
            "busy",
            Judgement::RetryLater,
            Kind::Transient,
        ),
        (
            401,
            "INVALID_SESSION_ID",
            "Session expired or invalid",
            Judgement::RetryLater,
            Kind::Auth,
        ),
        (
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
            Judgement::RetryLater,
            Kind::Quota,
        ),
        (
            500,
            "UNKNOWN_EXCEPTION",
            "An unexpected error occurred.",
            Judgement::Unknown,
            Kind::Transient,
        ),
    ] {
        let verdict = judge(error(status, code, message));
        assert_eq!(verdict.judgement, judgement, "{status} {code}");
        let detail = verdict.detail.unwrap();
        assert_eq!((detail.kind, detail.code.as_str()), (kind, code));
        let verbatim = message.trim_end_matches('.');
        if code == "NOBODY_KNOWS" {
            assert_eq!(
                detail.message,
                format!(
                    "{verbatim}; manual work needed in Salesforce, or freeze the person instead"
                )
            );
        } else {
            assert_eq!(detail.message, verbatim);
        }
    }

    for status in [429, 503] {
        let verdict = judge(Scripted::json(status, "").header("Retry-After", "9"));
        assert_eq!(verdict.judgement, Judgement::RetryLater);
        assert_eq!(verdict.detail.unwrap().retry_after_ms, Some(9000));
    }
    for answer in [
        Scripted::json(500, ""),
        Scripted::json(502, ""),
        Scripted::json(504, ""),
        Scripted::with_type(200, "text/html", "<html>"),
        Scripted::with_type(503, "text/html", "<html>"),
        Scripted::json(302, ""),
        Scripted::json(202, ""),
    ] {
        assert_eq!(
            judge(answer.clone()).judgement,
            Judgement::Unknown,
            "{answer:?}"
        );
    }
}

#[test]
fn what_is_true_now_is_observed() {
    let deactivated =
        |over: &[&str]| observe(shows(&[user(1, over)], &[]), target(1, "deactivate")).state;
    assert_eq!(deactivated(&["IsActive=false"]), State::Reclaimed);
    assert_eq!(deactivated(&[]), State::Untouched);
    assert_eq!(
        deactivated(&[&format!("Profile={}", profile("P", "AUL", "Platform"))]),
        State::Partly
    );
    assert_eq!(
        observe(shows(&[], &[]), target(1, "deactivate")).state,
        State::Gone
    );

    let frozen =
        |logins: &[String]| observe(shows(&[user(1, &[])], logins), target(1, "freeze")).state;
    assert_eq!(frozen(&[login(1, true)]), State::Reclaimed);
    assert_eq!(frozen(&[login(1, false)]), State::Untouched);
    assert_eq!(frozen(&[]), State::Unknown);
}

#[test]
fn an_observation_that_fails_is_no_observation() {
    let http = ScriptedHttp::new().get_with(
        &["FROM User"],
        error(
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
        ),
    );
    assert_eq!(
        Salesforce::observe(&bench(http).call(), &[target(1, "deactivate")])
            .unwrap_err()
            .kind,
        FailureKind::Quota
    );
}
