//! Changes to records: what Salesforce refuses, and a count of everything that it took.

use serde_json::{Map, Value};

use crate::api::State;
use crate::org::Write;
use crate::query::{ApiError, no_column};
use crate::records::check_id;
use crate::refusals;
use crate::schema::Object;

impl State {
    /// The refusal that a fault has for this write.
    fn told_refusal(&self) -> Result<(), ApiError> {
        if let Some(row) = self.faults.text("write_error").and_then(refusals::find) {
            return Err(row.error());
        }
        let every = self.faults.number("patch_fail_every");
        if every > 0 && (self.org.writes.len() as u64 + self.calls).is_multiple_of(every) {
            return Err(ApiError::new(
                400,
                "UNABLE_TO_LOCK_ROW",
                "unable to obtain exclusive access to this record",
            ));
        }
        Ok(())
    }

    /// Makes a record: its id.
    pub(crate) fn create(
        &mut self,
        object: Object,
        _fields: Map<String, Value>,
    ) -> Result<String, ApiError> {
        self.told_refusal()?;
        Err(ApiError::new(
            400,
            "INVALID_TYPE_FOR_OPERATION",
            format!("entity type cannot be inserted: {}", object.name()),
        ))
    }

    /// Removes a record.
    pub(crate) fn delete(&mut self, object: Object, id: &str) -> Result<(), ApiError> {
        check_id(object, id, self)?;
        self.told_refusal()?;
        Err(ApiError::new(
            400,
            "INVALID_TYPE_FOR_OPERATION",
            format!("entity type cannot be deleted: {}", object.name()),
        ))
    }

    /// Applies a change to a record, or refuses what Salesforce refuses. Counts it.
    pub(crate) fn update(
        &mut self,
        object: Object,
        id: &str,
        fields: Map<String, Value>,
    ) -> Result<(), ApiError> {
        let change = Value::Object(fields.clone());
        check_id(object, id, self)?;
        let Some(row) = self
            .org
            .row_of(object, id)
            .filter(|row| self.org.is_visible(object, *row))
        else {
            return Err(ApiError::new(
                404,
                "NOT_FOUND",
                "Provided external ID field does not exist or is not accessible: Id",
            ));
        };
        if !matches!(object, Object::User | Object::UserLogin) || !self.org.rights.manage_users {
            return Err(ApiError::new(
                400,
                "INSUFFICIENT_ACCESS_OR_READONLY",
                "insufficient access rights on object id",
            ));
        }
        self.told_refusal()?;
        for (name, value) in &fields {
            let (field, _, updateable) = object
                .field(&self.org.spec, name)
                .ok_or_else(|| no_column(name, object))?;
            if !updateable {
                return Err(ApiError::new(
                    400,
                    "INVALID_FIELD_FOR_INSERT_UPDATE",
                    format!(
                        "Unable to create/update fields: {field}. Please check the security settings of this field and verify that it is read/write for your profile or permission set."
                    ),
                ));
            }
            match (object, field, value) {
                (Object::User, "IsActive", Value::Bool(false)) => self.may_deactivate(row)?,
                (Object::User, "IsActive", Value::Bool(true)) => self.may_activate(row)?,
                (Object::UserLogin, "IsFrozen", Value::Bool(_)) => {}
                (Object::User, field, Value::String(_) | Value::Null)
                    if !object.is_boolean(field) => {}
                _ => {
                    return Err(ApiError::new(
                        400,
                        "JSON_PARSER_ERROR",
                        format!("Cannot deserialize {field} from this value"),
                    ));
                }
            }
        }
        for (name, value) in &fields {
            let Some((field, ..)) = object.field(&self.org.spec, name) else {
                continue;
            };
            match (object, field, value) {
                (Object::User, "IsActive", Value::Bool(is_active)) => {
                    self.org.set_active(row, *is_active)
                }
                (Object::UserLogin, "IsFrozen", Value::Bool(is_frozen)) => {
                    self.org.overlay(row).is_frozen = Some(*is_frozen)
                }
                (Object::User, _, value) => {
                    let text = value.as_str().unwrap_or_default().to_owned();
                    self.org.overlay(row).texts.insert(field, text);
                    self.org.touch(row);
                }
                _ => {}
            }
        }
        let at_ms = self.org.clock.now_ms();
        self.org.writes.push(Write {
            record: format!("{}/{}", object.name(), self.org.id(object, row).as_str()),
            change,
            at_ms,
        });
        Ok(())
    }

    pub(crate) fn may_deactivate(&self, user: u64) -> Result<(), ApiError> {
        if self.org.running_user() == Some(user) {
            return Err(ApiError::new(
                400,
                "CANNOT_DISABLE_SELF",
                "You cannot deactivate yourself",
            ));
        }
        let admins = self.org.active_admins();
        if admins.len() == 1 && admins.contains(&user) {
            return Err(ApiError::new(
                400,
                "CANNOT_DISABLE_LAST_ADMIN",
                "You cannot deactivate the last active administrator",
            ));
        }
        match self
            .org
            .refusals
            .get(self.org.id(Object::User, user).as_str())
        {
            Some(refusal) => {
                let known = [
                    "FIELD_INTEGRITY_EXCEPTION",
                    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                ];
                let code = known
                    .into_iter()
                    .find(|code| *code == refusal.code)
                    .unwrap_or("FIELD_INTEGRITY_EXCEPTION");
                Err(ApiError::new(400, code, refusal.message.clone()))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn may_activate(&self, user: u64) -> Result<(), ApiError> {
        match self.org.licence_of(user) {
            Some(licence)
                if !self.org.is_active(user)
                    && self.org.used(licence) >= self.org.total(licence) =>
            {
                Err(ApiError::new(
                    400,
                    "LICENSE_LIMIT_EXCEEDED",
                    "You have reached the maximum number of active users for this license",
                ))
            }
            _ => Ok(()),
        }
    }
}
