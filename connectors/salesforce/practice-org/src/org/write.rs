//! Changes to records: what Salesforce refuses, and a count of everything that it took.
//!
//! Every change is checked whole before anything of it is applied. Sentences and codes: salesforce.md §2.3, §3 and §4; where the
//! reference has no recorded code, `FIELD_INTEGRITY_EXCEPTION` stands.

mod assign;
mod user;

use serde_json::{Map, Value as Json};

use super::{DEFAULT_VERSION, Fields, Org, Value, Write};
use crate::clock;
use crate::error::ApiError;
use crate::ids::Id;
use crate::schema::{Field, Kind, Object, Property};

/// Fields as a call sent them.
pub(crate) type Sent = Map<String, Json>;

fn refused(code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(400, code, message)
}

impl Org {
    /// Creates a row and gives its id.
    ///
    /// # Errors
    /// What Salesforce refuses: the object is not createable, a right is missing, a field is unknown, missing or of another type, no
    /// seat is free, the row is there already.
    pub(crate) fn create(&mut self, object: Object, sent: &Sent) -> Result<Id, ApiError> {
        self.may_call(object, object.calls().0, "inserted")?;
        let fields = self.read_fields(object, sent, Property::Create)?;
        let row = match object {
            Object::User => self.create_user(&fields)?,
            Object::PermissionSetLicenseAssign
            | Object::PermissionSetAssignment
            | Object::UserPackageLicense
            | Object::GroupMember => self.assign(object, fields)?,
            _ => self.create_record(object, fields)?,
        };
        self.record_write("create", object, row, Json::Object(sent.clone()));
        Ok(self.id(object, row))
    }

    /// Changes fields of a row.
    ///
    /// # Errors
    /// As [`Org::create`]; also for rows that are not there or not seen, and for what blocks a deactivation or a change of profile.
    pub(crate) fn update(&mut self, object: Object, id: &str, sent: &Sent) -> Result<(), ApiError> {
        let row = self.find(object, id)?;
        self.may_call(object, object.calls().1, "updated")?;
        self.may_change(object, row)?;
        let fields = self.read_fields(object, sent, Property::Update)?;
        match object {
            Object::User => self.update_user(row, fields)?,
            Object::UserLogin => self.update_user_login(row, &fields)?,
            _ => self.edit(object, row, fields),
        }
        self.record_write("update", object, row, Json::Object(sent.clone()));
        Ok(())
    }

    /// Deletes a row.
    ///
    /// # Errors
    /// When the object is not deletable (users never are), a right is missing, the row is gone already (404 `ENTITY_IS_DELETED`), or
    /// something still needs it.
    pub(crate) fn delete(&mut self, object: Object, id: &str) -> Result<(), ApiError> {
        let row = self.find(object, id)?;
        self.may_call(object, object.calls().2, "deleted")?;
        if object.is_setup() {
            self.unassign(object, row)?;
        } else {
            self.edit(object, row, Fields::new());
        }
        self.gone.insert((object, row));
        self.record_write("delete", object, row, Json::Null);
        Ok(())
    }

    /// Keeps changed fields and moves the stamps to now.
    fn edit(&mut self, object: Object, row: u64, fields: Fields) {
        let now = self.clock.now_ms();
        let by = self.running_user().map(|user| self.user_id(user));
        let edited = self.edits.entry((object, row)).or_default();
        edited.extend(fields);
        edited.insert("LastModifiedDate", Value::Moment(now));
        edited.insert("SystemModstamp", Value::Moment(now));
        edited.insert("LastModifiedById", by.map_or(Value::Null, Value::Id));
    }

    fn record_write(&mut self, verb: &'static str, object: Object, row: u64, change: Json) {
        let at_ms = self.clock.now_ms();
        self.writes.push(Write {
            verb,
            record: format!("{}/{}", object.name(), self.id(object, row).as_str()),
            change,
            at_ms,
        });
    }

    /// The row of an id that the running user sees.
    ///
    /// # Errors
    /// 400 `MALFORMED_ID`, 404 `ENTITY_IS_DELETED` or 404 `NOT_FOUND`.
    pub(crate) fn find(&self, object: Object, id: &str) -> Result<u64, ApiError> {
        let Some(parsed) = Id::parse(id) else {
            return Err(refused(
                "MALFORMED_ID",
                format!("{}: bad id {id}", object.name()),
            ));
        };
        let Some(row) = self.row_of_id(object, parsed) else {
            return Err(not_found());
        };
        if self.gone.contains(&(object, row)) {
            return Err(ApiError::new(404, "ENTITY_IS_DELETED", "entity is deleted"));
        }
        if self.is_visible(object, row) {
            Ok(row)
        } else {
            Err(not_found())
        }
    }

    fn may_call(&self, object: Object, is_possible: bool, verb: &str) -> Result<(), ApiError> {
        let rights = &self.rights;
        if !is_possible {
            return Err(refused(
                "INVALID_TYPE_FOR_OPERATION",
                format!("entity type cannot be {verb}: {}", object.name()),
            ));
        }
        let may = match object {
            // Decided row by row.
            Object::User | Object::UserLogin => {
                rights.manage_users || rights.manage_internal_users || rights.manage_external_users
            }
            Object::PermissionSetAssignment | Object::PermissionSetLicenseAssign => {
                rights.manage_users || rights.assign_permission_sets
            }
            Object::UserPackageLicense | Object::GroupMember => {
                rights.manage_users || rights.manage_internal_users
            }
            _ => true,
        };
        if may { Ok(()) } else { Err(no_right()) }
    }

    /// Whether this user's row may be written: Manage Users for all, the narrower rights for their own kind.
    fn may_change(&self, object: Object, row: u64) -> Result<(), ApiError> {
        if !matches!(object, Object::User | Object::UserLogin) || self.rights.manage_users {
            return Ok(());
        }
        let is_internal = matches!(self.user_type(row), "Standard" | "CsnOnly");
        let may = if is_internal {
            self.rights.manage_internal_users
        } else {
            self.rights.manage_external_users
        };
        if may { Ok(()) } else { Err(no_right()) }
    }

    /// Reads what was sent by the fields' types.
    fn read_fields(
        &self,
        object: Object,
        sent: &Sent,
        property: Property,
    ) -> Result<Fields, ApiError> {
        let seen = self.seen(DEFAULT_VERSION);
        let mut fields = Fields::new();
        for (name, json) in sent {
            if name == "attributes" || name.eq_ignore_ascii_case("id") {
                continue;
            }
            let field = object.field(&seen, name).ok_or_else(|| {
                refused(
                    "INVALID_FIELD",
                    format!(
                        "No such column '{name}' on sobject of type {}",
                        object.name()
                    ),
                )
            })?;
            if !field.may(property) {
                return Err(ApiError::of_field(
                    "INVALID_FIELD_FOR_INSERT_UPDATE",
                    field.name,
                    format!(
                        "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.",
                        field.name
                    ),
                ));
            }
            let value = self.read_value(field, json)?;
            if value.is_null() && property == Property::Update && !field.may(Property::Nillable) {
                return Err(ApiError::of_field(
                    "REQUIRED_FIELD_MISSING",
                    field.name,
                    format!("Required fields are missing: [{}]", field.name),
                ));
            }
            fields.insert(field.name, value);
        }
        Ok(fields)
    }

    fn read_value(&self, field: &'static Field, json: &Json) -> Result<Value<'static>, ApiError> {
        let wrong = || {
            let kind = match json {
                Json::Bool(_) => "VALUE_BOOLEAN",
                Json::Number(_) => "VALUE_NUMBER",
                Json::String(_) => "VALUE_STRING",
                Json::Array(_) => "START_ARRAY",
                _ => "START_OBJECT",
            };
            refused(
                "JSON_PARSER_ERROR",
                format!(
                    "Cannot deserialize instance of {} from {kind} value {json} or request may be missing a required field at {}",
                    field.type_name(),
                    field.name
                ),
            )
        };
        Ok(match (field.kind, json) {
            (_, Json::Null) => Value::Null,
            (Kind::Boolean, Json::Bool(b)) => Value::Bool(*b),
            (Kind::Int, Json::Number(n)) => Value::Int(n.as_i64().ok_or_else(wrong)?),
            (Kind::Double, Json::Number(n)) => Value::Double(n.as_f64().ok_or_else(wrong)?),
            (Kind::Id | Kind::Reference, Json::String(id)) => {
                let id = Id::parse(id).ok_or_else(|| {
                    ApiError::of_field(
                        "MALFORMED_ID",
                        field.name,
                        format!("{}: id value of incorrect type: {id}", field.name),
                    )
                })?;
                self.check_reference(field, id)?;
                Value::Id(id)
            }
            (Kind::Moment, Json::String(at)) => {
                Value::Moment(clock::parse_datetime(at).ok_or_else(wrong)?)
            }
            (Kind::Day, Json::String(day)) => Value::Day(clock::parse_date(day).ok_or_else(wrong)?),
            (Kind::Text | Kind::Picklist, Json::String(text)) => {
                if text.chars().count() > field.length() as usize && field.length() > 0 {
                    return Err(ApiError::of_field(
                        "STRING_TOO_LONG",
                        field.name,
                        format!(
                            "{}: data value too large: {} (max length={})",
                            field.name,
                            text.chars().take(80).collect::<String>(),
                            field.length()
                        ),
                    ));
                }
                crate::value::owned(text.clone())
            }
            _ => return Err(wrong()),
        })
    }

    /// A reference must point to a row of an object that the field takes.
    fn check_reference(&self, field: &'static Field, id: Id) -> Result<(), ApiError> {
        if field.targets.is_empty() {
            return Ok(());
        }
        let is_there = field.targets.iter().any(|target| {
            self.row_of_id(*target, id)
                .is_some_and(|row| self.exists(*target, row))
        });
        if is_there {
            return Ok(());
        }
        Err(ApiError::of_field(
            "INVALID_CROSS_REFERENCE_KEY",
            field.name,
            "invalid cross reference id",
        ))
    }

    /// Adds a row that a call created.
    fn push(&mut self, object: Object, mut fields: Fields) -> u64 {
        let now = self.clock.now_ms();
        let by = self.running_user().map(|user| self.user_id(user));
        for stamp in ["CreatedDate", "LastModifiedDate", "SystemModstamp"] {
            fields.insert(stamp, Value::Moment(now));
        }
        for who in ["CreatedById", "LastModifiedById"] {
            fields.insert(who, by.map_or(Value::Null, Value::Id));
        }
        self.made.entry(object).or_default().push(fields);
        self.rows(object)
    }

    fn create_record(&mut self, object: Object, mut fields: Fields) -> Result<u64, ApiError> {
        let required: &[&'static str] = match object {
            Object::Account => &["Name"],
            Object::Opportunity => &["Name", "StageName", "CloseDate"],
            Object::Contact => &["LastName"],
            Object::Lead => &["LastName", "Company"],
            _ => &[],
        };
        require(required, &fields)?;
        if !fields.contains_key("OwnerId")
            && let Some(user) = self.running_user()
        {
            fields.insert("OwnerId", Value::Id(self.user_id(user)));
        }
        Ok(self.push(object, fields))
    }
}

/// Refuses what lacks a required field.
fn require(required: &[&'static str], fields: &Fields) -> Result<(), ApiError> {
    let missing: Vec<&'static str> = required
        .iter()
        .copied()
        .filter(|name| fields.get(name).is_none_or(Value::is_null))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(ApiError {
        fields: missing.clone(),
        ..refused(
            "REQUIRED_FIELD_MISSING",
            format!("Required fields are missing: [{}]", missing.join(", ")),
        )
    })
}

fn not_found() -> ApiError {
    ApiError::new(
        404,
        "NOT_FOUND",
        "Provided external ID field does not exist or is not accessible: Id",
    )
}

fn no_right() -> ApiError {
    refused(
        "INSUFFICIENT_ACCESS_OR_READONLY",
        "insufficient access rights on object id",
    )
}
