//! What tests and the demo do to a running org from outside: `/_practice/…`, JSON, never part of the vendor's API.

use serde_json::{Value, json};

use crate::api::State;
use crate::faults::{Faults, KNOBS};
use crate::login;
use crate::schema::Object;

/// Answers a control request.
pub(crate) fn answer(state: &mut State, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let sent: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    match (method, parts.as_slice()) {
        ("GET", ["writes"]) => (200, json!(state.org.writes)),
        ("GET", ["calls"]) => (200, json!({"calls": state.calls})),
        ("GET", ["requests"]) => (200, json!(state.requests)),
        ("GET", ["spec"]) => (200, json!(state.org.spec)),
        ("GET", ["users"]) => (200, json!({"users": state.org.users()})),
        ("GET", ["users", id]) => {
            user(state, id).map_or_else(not_found, |row| (200, snapshot(state, row)))
        }
        ("GET", ["licences", key]) => match state.org.seats(key) {
            Some((used, total)) => (200, json!({"used": used, "total": total})),
            None => not_found(),
        },
        ("GET", ["faults"]) => (
            200,
            json!({"faults": state.faults, "knobs": KNOBS.iter().map(|(name, says)| json!({"name": name, "says": says})).collect::<Vec<_>>()}),
        ),
        ("POST", ["faults"]) => match Faults::parse(sent["spec"].as_str().unwrap_or_default()) {
            Ok(faults) => {
                state.set_faults(faults);
                (200, json!({"faults": state.faults}))
            }
            Err(error) => (422, json!({"error": error.to_string()})),
        },
        ("POST", ["clock"]) => {
            state.org.clock.set(sent["now_ms"].as_i64());
            (200, json!({"now_ms": state.org.clock.now_ms()}))
        }
        ("POST", ["users", id, "login"]) => user(state, id).map_or_else(not_found, |row| {
            let at = sent["at_ms"]
                .as_i64()
                .unwrap_or_else(|| state.org.clock.now_ms());
            state.org.log_in(row, at, "Application", "", "Browser");
            // Whether the stamp moves with a login is not known of the vendor (salesforce.md §10.3), so a test chooses.
            if sent["keeps_stamp"].as_bool() != Some(true) {
                state.org.touch(row);
            }
            (200, snapshot(state, row))
        }),
        ("POST", ["users", id, "active"]) => user(state, id).map_or_else(not_found, |row| {
            state
                .org
                .set_active(row, sent["is_active"].as_bool().unwrap_or(true));
            (200, snapshot(state, row))
        }),
        ("POST", ["users", id, "hidden"]) => user(state, id).map_or_else(not_found, |row| {
            state.org.overlay(row).is_hidden = sent["is_hidden"].as_bool().unwrap_or(true);
            (200, snapshot(state, row))
        }),
        ("POST", ["rights"]) => match serde_json::from_value(sent) {
            Ok(rights) => {
                state.org.rights = rights;
                (200, json!(state.org.rights))
            }
            Err(error) => (422, json!({"error": error.to_string()})),
        },
        ("POST", ["objects", name]) => Object::parse(name).map_or_else(not_found, |object| {
            if sent["is_absent"].as_bool().unwrap_or(true) {
                state.org.absent |= object.bit();
            } else {
                state.org.absent &= !object.bit();
            }
            (200, json!({"object": object.name(), "is_seen": !crate::query::is_hidden(&state.org, object)}))
        }),
        ("POST", ["tokens", "expire"]) => {
            state.end_sessions();
            (200, json!({}))
        }
        ("POST", ["tokens", "revoke"]) => {
            state.revoke_all();
            (200, json!({}))
        }
        ("POST", ["tokens", "refresh"]) => (200, json!({"refresh_token": state.quiet_consent()})),
        ("POST", ["session"]) => (200, json!({"access_token": state.open_session()})),
        (method, path) => login::control(state, method, path, &sent).unwrap_or_else(not_found),
    }
}

fn not_found() -> (u16, Value) {
    (
        404,
        json!({"error": "no such control; see the crate's documentation"}),
    )
}

fn user(state: &State, id: &str) -> Option<u64> {
    state
        .org
        .row_of(Object::User, id)
        .or_else(|| state.org.user_named(id))
}

fn snapshot(state: &State, row: u64) -> Value {
    let id = state.org.id(Object::User, row);
    let writes = state
        .org
        .writes
        .iter()
        .filter(|write| write.record.ends_with(id.as_str()))
        .count();
    json!({"id": id.as_str(), "is_active": state.org.is_active(row), "is_frozen": state.org.is_frozen(row),
           "last_login_ms": state.org.last_login_ms(row), "writes": writes})
}
