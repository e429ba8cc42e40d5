//! Every row of the error tables of salesforce.md §1.10 and §2.3, by the cause that the org has for it or by the fault that names it.

use super::*;
use seatwise_practice_org_salesforce::{Licence, Refusal, Rights};

/// How a row is brought about.
enum Cause {
    /// A fault spec, then a query.
    Fault(&'static str),
    /// A fault spec, then a change of a user.
    OfWrite(&'static str),
    /// Something in the org.
    Org(fn(&mut OrgSpec), &'static str, Ask),
}

/// What is asked then.
enum Ask {
    Get(&'static str),
    Deactivate(&'static str),
    Activate(&'static str),
    Send(Method, &'static str, &'static str),
}

fn as_is(_: &mut OrgSpec) {}

const NO_RIGHT: Ask = Ask::Get("/query?q=SELECT+Id+FROM+User");

/// Row, how, status, errorCode, part of the message.
fn rows() -> Vec<(&'static str, Cause, u16, &'static str, &'static str)> {
    use Cause::{Fault, OfWrite, Org};
    let own = |path| Org(as_is, "", Ask::Get(path));
    let right = |change: fn(&mut OrgSpec)| Org(change, "", NO_RIGHT);
    vec![
        // Status rows.
        (
            "204",
            Org(as_is, "", Ask::Deactivate("dee@example.com")),
            204,
            "",
            "",
        ),
        (
            "300",
            Org(
                |spec| {
                    let twin = spec.people[1].clone();
                    spec.people.push(twin);
                },
                "",
                Ask::Get("/sobjects/User/Username/ana@example.com"),
            ),
            300,
            "",
            "/sobjects/User/",
        ),
        (
            "300 by fault",
            Fault("error=300"),
            300,
            "MULTIPLE_CHOICES",
            "",
        ),
        (
            "404",
            own("/nothing/here"),
            404,
            "NOT_FOUND",
            "does not exist",
        ),
        (
            "405",
            Org(as_is, "", Ask::Send(Method::PUT, "/limits", "{}")),
            405,
            "METHOD_NOT_ALLOWED",
            "PUT",
        ),
        ("409", Fault("error=409"), 409, "CONFLICT", ""),
        (
            "410",
            own("/services/data/v20.0/query?q=SELECT+Id+FROM+User"),
            410,
            "UNSUPPORTED_API_VERSION",
            "GONE",
        ),
        ("412", Fault("error=412"), 412, "PRECONDITION_FAILED", ""),
        ("415", Fault("error=415"), 415, "UNSUPPORTED_MEDIA_TYPE", ""),
        ("420", Fault("error=420"), 420, "<html>", "no route"),
        ("428", Fault("error=428"), 428, "PRECONDITION_REQUIRED", ""),
        ("429", Fault("error=429"), 429, "REQUEST_RATE_EXCEEDED", ""),
        (
            "500",
            Fault("error=500"),
            500,
            "UNKNOWN_EXCEPTION",
            "ErrorId",
        ),
        ("502", Fault("error=502"), 502, "<html>", "Bad Gateway"),
        (
            "503",
            Fault("error=503"),
            503,
            "SERVER_UNAVAILABLE",
            "maintenance",
        ),
        ("504", Fault("error=504"), 504, "<html>", "Gateway Timeout"),
        (
            "several at once",
            Fault("error=MULTIPLE_API_ERRORS"),
            400,
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "second of two errors",
        ),
        // Transient.
        (
            "UNABLE_TO_LOCK_ROW",
            OfWrite("patch_fail_every=1"),
            400,
            "UNABLE_TO_LOCK_ROW",
            "unable to obtain exclusive access",
        ),
        (
            "SERVER_UNAVAILABLE",
            Fault("error=SERVER_UNAVAILABLE"),
            503,
            "SERVER_UNAVAILABLE",
            "",
        ),
        (
            "QUERY_TIMEOUT",
            Fault("timeout_rows=1"),
            400,
            "QUERY_TIMEOUT",
            "running for too long",
        ),
        (
            "TXN_SECURITY_METERING_ERROR",
            Fault("error=TXN_SECURITY_METERING_ERROR"),
            503,
            "TXN_SECURITY_METERING_ERROR",
            "",
        ),
        (
            "UNKNOWN_EXCEPTION",
            OfWrite("write_error=UNKNOWN_EXCEPTION"),
            500,
            "UNKNOWN_EXCEPTION",
            "",
        ),
        (
            "REQUEST_RUNNING_TOO_LONG",
            Fault("error=REQUEST_RUNNING_TOO_LONG"),
            400,
            "REQUEST_RUNNING_TOO_LONG",
            "",
        ),
        // Quota.
        (
            "REQUEST_LIMIT_EXCEEDED, daily",
            Fault("api_used=1"),
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
        ),
        (
            "REQUEST_LIMIT_EXCEEDED, concurrent",
            Fault("error=CONCURRENT_LIMIT"),
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentPerOrgLongTxn",
        ),
        // Sessions and access (§1.10).
        (
            "INVALID_SESSION_ID",
            Fault("error=INVALID_SESSION_ID"),
            401,
            "INVALID_SESSION_ID",
            "Session expired or invalid",
        ),
        (
            "INVALID_SESSION_ID, not for REST",
            right(|spec| {
                spec.rights = Rights {
                    session_valid_for_rest: false,
                    ..Rights::all()
                }
            }),
            401,
            "INVALID_SESSION_ID",
            "This session is not valid for use with the REST API",
        ),
        (
            "INVALID_SESSION_ID, app not attached",
            Fault("error=APP_NOT_ATTACHED"),
            401,
            "INVALID_SESSION_ID",
            "Connected app is not attached to Agent",
        ),
        (
            "API_DISABLED_FOR_ORG",
            right(|spec| {
                spec.rights = Rights {
                    api_in_edition: false,
                    ..Rights::all()
                }
            }),
            403,
            "API_DISABLED_FOR_ORG",
            "",
        ),
        (
            "API_CURRENTLY_DISABLED",
            Fault("error=API_CURRENTLY_DISABLED"),
            403,
            "API_CURRENTLY_DISABLED",
            "",
        ),
        (
            "FUNCTIONALITY_NOT_ENABLED",
            right(|spec| {
                spec.rights = Rights {
                    api_enabled: false,
                    ..Rights::all()
                }
            }),
            403,
            "FUNCTIONALITY_NOT_ENABLED",
            "not currently enabled for this user",
        ),
        (
            "INVALID_LOGIN",
            Fault("error=INVALID_LOGIN"),
            400,
            "INVALID_LOGIN",
            "",
        ),
        (
            "LOGIN_RATE_EXCEEDED",
            Fault("error=LOGIN_RATE_EXCEEDED"),
            403,
            "LOGIN_RATE_EXCEEDED",
            "",
        ),
        // Permission, and what is missing.
        (
            "INSUFFICIENT_ACCESS",
            OfWrite("write_error=INSUFFICIENT_ACCESS"),
            400,
            "INSUFFICIENT_ACCESS",
            "cross-reference id",
        ),
        (
            "INSUFFICIENT_ACCESS, limits",
            Org(
                |spec| {
                    spec.rights = Rights {
                        view_setup: false,
                        ..Rights::all()
                    }
                },
                "",
                Ask::Get("/limits"),
            ),
            403,
            "INSUFFICIENT_ACCESS",
            "",
        ),
        (
            "INSUFFICIENT_ACCESS_OR_READONLY",
            Org(
                |spec| {
                    spec.rights = Rights {
                        manage_users: false,
                        ..Rights::all()
                    }
                },
                "",
                Ask::Deactivate("dee@example.com"),
            ),
            400,
            "INSUFFICIENT_ACCESS_OR_READONLY",
            "",
        ),
        (
            "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
            OfWrite("write_error=INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"),
            400,
            "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
            "",
        ),
        (
            "MALFORMED_QUERY",
            own("/query?q=SELECT+Id"),
            400,
            "MALFORMED_QUERY",
            "",
        ),
        (
            "INVALID_FIELD",
            own("/query?q=SELECT+Nope+FROM+User"),
            400,
            "INVALID_FIELD",
            "No such column 'Nope' on entity 'User'",
        ),
        (
            "INVALID_TYPE",
            own("/query?q=SELECT+Id+FROM+Nope"),
            400,
            "INVALID_TYPE",
            "sObject type 'Nope' is not supported",
        ),
        (
            "MALFORMED_ID",
            own("/sobjects/Profile/0055g00000AbCdEAAV"),
            400,
            "MALFORMED_ID",
            "incorrect type",
        ),
        (
            "INVALID_QUERY_LOCATOR",
            own("/query/01gNOSUCHCURSOR-2000"),
            400,
            "INVALID_QUERY_LOCATOR",
            "",
        ),
        (
            "NUMBER_OUTSIDE_VALID_RANGE",
            own("/query?q=SELECT+Id+FROM+User+LIMIT+1+OFFSET+2001"),
            400,
            "NUMBER_OUTSIDE_VALID_RANGE",
            "2000",
        ),
        // Business refusals.
        (
            "FIELD_INTEGRITY_EXCEPTION",
            Org(as_is, "", Ask::Deactivate("fay@example.com")),
            400,
            "FIELD_INTEGRITY_EXCEPTION",
            "default case owner",
        ),
        (
            "CANNOT_DISABLE_LAST_ADMIN",
            Org(one_admin, "", Ask::Deactivate("admin@example.com")),
            400,
            "CANNOT_DISABLE_LAST_ADMIN",
            "",
        ),
        (
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            Org(a_validation_rule, "", Ask::Deactivate("dee@example.com")),
            400,
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "ticket",
        ),
        (
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            OfWrite("write_error=CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"),
            400,
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            "",
        ),
        (
            "DELETE_FAILED",
            OfWrite("write_error=DELETE_FAILED"),
            400,
            "DELETE_FAILED",
            "",
        ),
        (
            "DEPENDENCY_EXISTS",
            OfWrite("write_error=DEPENDENCY_EXISTS"),
            400,
            "DEPENDENCY_EXISTS",
            "",
        ),
        (
            "LICENSE_LIMIT_EXCEEDED",
            Org(no_seat_left, "", Ask::Activate("resting@example.com")),
            400,
            "LICENSE_LIMIT_EXCEEDED",
            "maximum number",
        ),
        (
            "MIXED_DML_OPERATION",
            OfWrite("write_error=MIXED_DML_OPERATION"),
            400,
            "MIXED_DML_OPERATION",
            "",
        ),
        (
            "INVALID_CROSS_REFERENCE_KEY",
            OfWrite("write_error=INVALID_CROSS_REFERENCE_KEY"),
            400,
            "INVALID_CROSS_REFERENCE_KEY",
            "",
        ),
        (
            "ENTITY_IS_DELETED",
            OfWrite("write_error=ENTITY_IS_DELETED"),
            404,
            "ENTITY_IS_DELETED",
            "",
        ),
        (
            "DUPLICATE_VALUE",
            OfWrite("write_error=DUPLICATE_VALUE"),
            400,
            "DUPLICATE_VALUE",
            "",
        ),
    ]
}

fn a_validation_rule(spec: &mut OrgSpec) {
    let dee = spec.user_id_of("dee@example.com").unwrap();
    let refusal = Refusal {
        code: "FIELD_CUSTOM_VALIDATION_EXCEPTION".to_owned(),
        message: "Open a ticket before you deactivate".to_owned(),
    };
    spec.refuses_deactivation.insert(dee, refusal);
}

fn one_admin(spec: &mut OrgSpec) {
    use seatwise_practice_org_salesforce::Person;
    let admin = Person::new("The", "Admin", "admin@example.com", "System Administrator");
    spec.people.push(admin);
}

/// A licence with one seat, taken, and an inactive user who would need it.
fn no_seat_left(spec: &mut OrgSpec) {
    use seatwise_practice_org_salesforce::{Person, Profile};
    spec.licences.push(Licence::new("AUL1", "Platform One", 1));
    spec.profiles.push(Profile::new("One", "AUL1", "Standard"));
    spec.people
        .push(Person::new("A", "Working", "working@example.com", "One"));
    spec.people.push(Person {
        is_active: false,
        ..Person::new("A", "Resting", "resting@example.com", "One")
    });
}

#[tokio::test]
async fn every_row_of_the_error_tables_can_be_produced() {
    for (row, cause, status, code, message) in rows() {
        let mut spec = example();
        let (faults, ask) = match cause {
            Cause::Fault(faults) => (faults, NO_RIGHT),
            Cause::OfWrite(faults) => (faults, Ask::Deactivate("dee@example.com")),
            Cause::Org(change, faults, ask) => {
                change(&mut spec);
                (faults, ask)
            }
        };
        let id = |name: &str| spec.user_id_of(name).unwrap();
        let (method, path, body) = match ask {
            Ask::Get(path) => (Method::GET, path.to_owned(), None),
            Ask::Deactivate(name) => (
                Method::PATCH,
                format!("/sobjects/User/{}", id(name)),
                Some(r#"{"IsActive":false}"#),
            ),
            Ask::Activate(name) => (
                Method::PATCH,
                format!("/sobjects/User/{}", id(name)),
                Some(r#"{"IsActive":true}"#),
            ),
            Ask::Send(method, path, body) => (method, path.to_owned(), Some(body)),
        };
        let client = Client::of(spec).await;
        client.faults(faults);
        let mut request = client.call(method, &path);
        if let Some(body) = body {
            request = request
                .header("Content-Type", "application/json")
                .body(body);
        }
        let reply = client.send(request).await;
        assert_eq!(reply.status, status, "{row}: {}", reply.text);
        assert!(reply.text.contains(code), "{row}: {}", reply.text);
        assert!(reply.text.contains(message), "{row}: {}", reply.text);
        if status >= 400 && !code.starts_with('<') {
            assert_eq!(reply.refusal().1, code, "{row}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_is_a_wrong_format() {
    let client = Client::of(example()).await;
    let dee = example().user_id_of("dee@example.com").unwrap();
    let request = client.call(Method::PATCH, &format!("/sobjects/User/{dee}"));
    let reply = client
        .send(
            request
                .header("Content-Type", "text/plain")
                .body("IsActive=false"),
        )
        .await;
    assert_eq!(reply.refusal(), (415, "UNSUPPORTED_MEDIA_TYPE".to_owned()));
    assert!(client.control().writes().is_empty());
}

#[tokio::test]
async fn an_error_can_be_told_for_some_addresses_and_each_nth_call() {
    let client = Client::of(example()).await;
    client.faults("error=UNKNOWN_EXCEPTION,error_on=/query");
    assert_eq!(client.get("/limits").await.status, 200);
    assert_eq!(client.query("SELECT Id FROM User").await.status, 500);
    client.faults("error=504,error_every=2");
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(client.get("/limits").await.status);
    }
    seen.sort_unstable();
    assert_eq!(seen, [200, 200, 504, 504]);
}
