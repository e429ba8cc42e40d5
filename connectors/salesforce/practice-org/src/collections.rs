//! sObject Collections: up to 200 records in one request, answered by position (salesforce.md §2.5).

use serde_json::{Map, Value, json};

use crate::api::{Answer, Request, State};
use crate::query::ApiError;
use crate::records::{not_allowed, not_found, object_of};
use crate::schema::Object;

/// Records of one request.
const MOST: usize = 200;

type Done = Result<Value, (ApiError, Option<String>)>;

impl State {
    /// `rest` is what follows `/composite/sobjects`.
    pub(crate) fn collections(
        &mut self,
        request: &Request<'_>,
        version: &str,
        rest: &[&str],
    ) -> Result<Answer, ApiError> {
        match (request.method, rest) {
            ("POST" | "PATCH", []) => {
                let body = object_of(request.body)?;
                let records = body
                    .get("records")
                    .and_then(Value::as_array)
                    .ok_or_else(|| ApiError::new(400, "INVALID_INPUT", "records is missing"))?;
                let all_or_none = body.get("allOrNone") == Some(&Value::Bool(true));
                let is_new = request.method == "POST";
                self.each(records, all_or_none, |state, record| {
                    state.save_item(record, is_new)
                })
            }
            ("DELETE", []) => {
                let ids = request.parameter("ids").unwrap_or_default();
                let ids: Vec<Value> = ids
                    .split(',')
                    .filter(|id| !id.is_empty())
                    .map(|id| json!({"id": id}))
                    .collect();
                let all_or_none = request.parameter("allOrNone").as_deref() == Some("true");
                self.each(&ids, all_or_none, State::delete_item)
            }
            ("GET", [name]) => {
                let list = |name: &str| {
                    let text = request.parameter(name).unwrap_or_default();
                    text.split(',').map(str::to_owned).collect::<Vec<_>>()
                };
                self.read_items(name, &list("ids"), &list("fields"), version)
            }
            ("POST", [name]) => {
                let body = object_of(request.body)?;
                let list = |name: &str| {
                    let texts = body
                        .get(name)
                        .and_then(Value::as_array)
                        .into_iter()
                        .flatten();
                    texts
                        .filter_map(|text| text.as_str().map(str::to_owned))
                        .collect::<Vec<_>>()
                };
                self.read_items(name, &list("ids"), &list("fields"), version)
            }
            (_, []) => Err(not_allowed(request.method, "POST,PATCH,DELETE")),
            _ => Err(not_found()),
        }
    }

    /// Does the same to each record, and undoes all of it when one fails and all were wanted.
    fn each(
        &mut self,
        records: &[Value],
        all_or_none: bool,
        mut act: impl FnMut(&mut Self, &Value) -> Done,
    ) -> Result<Answer, ApiError> {
        if records.len() > MOST {
            return Err(ApiError::new(
                400,
                "LIMIT_EXCEEDED",
                "record limit reached. cannot submit more than 200 records into this operation",
            ));
        }
        let before = all_or_none.then(|| self.org.clone());
        let is_setup = |record: &Value| self.type_of(record).map(Object::is_setup);
        let kinds: Vec<Option<bool>> = records.iter().map(is_setup).collect();
        let first = kinds.iter().find_map(|kind| *kind);
        let mut done: Vec<Done> = Vec::with_capacity(records.len());
        for (record, kind) in records.iter().zip(kinds) {
            done.push(if kind.is_some() && kind != first {
                Err((mixed(), None))
            } else {
                act(self, record)
            });
        }
        if let Some(before) = before
            && done.iter().any(Result::is_err)
        {
            self.org = before;
            for item in &mut done {
                if item.is_ok() {
                    *item = Err((rolled_back(), None));
                }
            }
        }
        let told: Vec<Value> = done.into_iter().map(item).collect();
        Ok(Answer::json(200, &Value::Array(told)))
    }

    /// By the type that it names, or by the first characters of its id.
    fn type_of(&self, record: &Value) -> Option<Object> {
        if let Some(name) = record["attributes"]["type"].as_str() {
            return Object::parse(name);
        }
        Object::of_prefix(record["id"].as_str()?.get(..3)?.as_bytes())
    }

    fn save_item(&mut self, record: &Value, is_new: bool) -> Done {
        let refuse = |error: ApiError| (error, None);
        let unknown = || {
            ApiError::new(
                400,
                "INVALID_TYPE",
                "sObject type is missing or not supported",
            )
        };
        let object = self
            .type_of(record)
            .filter(|object| !crate::query::is_hidden(&self.org, *object))
            .ok_or_else(unknown)
            .map_err(refuse)?;
        let mut fields: Map<String, Value> = record.as_object().cloned().unwrap_or_default();
        let mut id = None;
        fields.retain(|name, value| {
            if name.eq_ignore_ascii_case("id") {
                id = value.as_str().map(str::to_owned);
            }
            name != "attributes" && !name.eq_ignore_ascii_case("id")
        });
        if is_new {
            return self
                .create(object, fields)
                .map(|id| json!({"id": id, "success": true, "errors": []}))
                .map_err(refuse);
        }
        let id = id
            .ok_or_else(|| {
                ApiError::new(
                    400,
                    "MISSING_ARGUMENT",
                    "Id not specified in an update call",
                )
            })
            .map_err(refuse)?;
        match self.update(object, &id, fields) {
            Ok(()) => Ok(json!({"id": id, "success": true, "errors": []})),
            Err(error) => Err((error, None)),
        }
    }

    fn delete_item(&mut self, record: &Value) -> Done {
        let id = record["id"].as_str().unwrap_or_default().to_owned();
        let malformed = || {
            let error = ApiError::new(400, "MALFORMED_ID", format!("malformed id {id}"));
            (error, Some(id.clone()))
        };
        let object = self.type_of(record).ok_or_else(malformed)?;
        match self.delete(object, &id) {
            Ok(()) => Ok(json!({"id": id, "success": true, "errors": []})),
            Err(error) => Err((error, Some(id))),
        }
    }

    /// Records by id, in the order asked; null where there is none.
    fn read_items(
        &self,
        name: &str,
        ids: &[String],
        fields: &[String],
        version: &str,
    ) -> Result<Answer, ApiError> {
        let object = self.visible(name)?;
        let names: Vec<&str> = fields.iter().map(String::as_str).collect();
        let mut told = Vec::new();
        for id in ids {
            let body = self.record(object, id, Some(names.clone()), version)?;
            told.push(
                body.and_then(|body| serde_json::from_slice(&body).ok())
                    .unwrap_or(Value::Null),
            );
        }
        Ok(Answer::json(200, &Value::Array(told)))
    }
}

/// Setup objects and others in one request.
fn mixed() -> ApiError {
    ApiError::new(
        400,
        "MIXED_DML_OPERATION",
        "DML operation on setup object is not permitted after you have updated a non-setup object (or vice versa)",
    )
}

fn rolled_back() -> ApiError {
    ApiError::new(
        400,
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "Record rolled back because not all records were valid and the request was using AllOrNone header",
    )
}

/// An item of the answer. A failed one has no id, except in a delete.
fn item(done: Done) -> Value {
    match done {
        Ok(told) => told,
        Err((error, id)) => {
            let mut told = json!({"success": false, "errors": [{"statusCode": error.code, "message": error.message, "fields": error.fields}]});
            if let Some(id) = id {
                told["id"] = Value::String(id);
            }
            told
        }
    }
}
