//! The literal requests. Every byte is made here, from constants, checked ids and JSON strings; a person's name or any
//! other text of the org never becomes part of a path.

use seatwise_connector_sdk::reclaim::{Step, WriteMethod};
use serde_json::{Map, Value};

use crate::{api::INSTANCE, ids, org::Org};

/// Most requests of one plan; the host takes no longer plan.
pub const MOST_STEPS: usize = 20;

/// Changes a record.
pub fn patch(org: &Org, object: &str, id: &str, fields: &[(&str, Value)], says: String) -> Step {
    Step {
        method: WriteMethod::Patch,
        content_type: Some("application/json".to_owned()),
        body: Some(body(fields)),
        ..step(org, &format!("{object}/{id}"), says)
    }
}

/// Removes a record.
pub fn delete(org: &Org, object: &str, id: &str, says: String) -> Step {
    Step {
        method: WriteMethod::Delete,
        ..step(org, &format!("{object}/{id}"), says)
    }
}

/// Makes a record.
pub fn create(org: &Org, object: &str, fields: &[(&str, Value)], says: String) -> Step {
    Step {
        method: WriteMethod::Post,
        content_type: Some("application/json".to_owned()),
        body: Some(body(fields)),
        ..step(org, object, says)
    }
}

fn step(org: &Org, rest: &str, says: String) -> Step {
    Step {
        method: WriteMethod::Post,
        origin: INSTANCE.to_owned(),
        path: format!("/services/data/v{}/sobjects/{rest}", org.version),
        content_type: None,
        body: None,
        says,
    }
}

/// Fields in the order of their names, so that the same change has the same bytes.
fn body(fields: &[(&str, Value)]) -> Vec<u8> {
    let fields: Map<String, Value> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    Value::Object(fields).to_string().into_bytes()
}

/// Switches a user's licence on or off.
pub fn switch_user(org: &Org, user: &str, active: bool) -> Step {
    let says = if active {
        format!(
            "Sets IsActive to true on user {user}: the person can log in again and holds a seat"
        )
    } else {
        format!(
            "Sets IsActive to false on user {user}: the person can no longer log in and the seat returns to the pool"
        )
    };
    patch(org, "User", user, &[("IsActive", active.into())], says)
}

/// Blocks or unblocks a user's login; `row` is the id of the user's login row.
pub fn switch_login(org: &Org, user: &str, row: &str, frozen: bool) -> Step {
    let says = if frozen {
        format!(
            "Sets IsFrozen to true for user {user}: the person can no longer log in, the seat stays used"
        )
    } else {
        format!("Sets IsFrozen to false for user {user}: the person can log in again")
    };
    let row = ids::widen(row).map_or_else(|| row.to_owned(), |id| id.into_owned());
    patch(org, "UserLogin", &row, &[("IsFrozen", frozen.into())], says)
}
