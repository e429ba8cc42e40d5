//! Single records below `/sobjects`: the list of objects, describe, reading, creating, changing and deleting one record.

use serde_json::{Map, Value, json};

use crate::api::{Answer, JSON, Request, State};
use crate::ids::Id;
use crate::org::DEFAULT_VERSION;
use crate::query::{ApiError, Plan};
use crate::schema::Object;
use crate::soql;

/// Fields by whose value a record can be addressed (`idLookup`).
const LOOKUP_FIELDS: &[&str] = &[
    "Email",
    "LicenseDefinitionKey",
    "Name",
    "PermissionSetLicenseKey",
    "Username",
];

pub(crate) fn not_found() -> ApiError {
    ApiError::new(404, "NOT_FOUND", "The requested resource does not exist")
}

pub(crate) fn not_allowed(method: &str, allowed: &str) -> ApiError {
    ApiError::new(
        405,
        "METHOD_NOT_ALLOWED",
        format!("HTTP Method '{method}' not allowed. Allowed are {allowed}"),
    )
}

/// A body that is a JSON object.
pub(crate) fn object_of(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let refuse = |message: String| ApiError::new(400, "JSON_PARSER_ERROR", message);
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(refuse("The request body is not an object".to_owned())),
        Err(error) => Err(refuse(format!("Unexpected input: {error}"))),
    }
}

/// Single quotes and backslashes as SOQL wants them.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

impl State {
    /// `rest` is what follows `/sobjects`.
    pub(crate) fn sobjects(
        &mut self,
        request: &Request<'_>,
        version: &str,
        rest: &[&str],
    ) -> Result<Answer, ApiError> {
        match (request.method, rest) {
            ("GET", []) => Ok(self.object_list(version)),
            (_, []) => Err(not_allowed(request.method, "HEAD,GET")),
            ("GET", [name]) => {
                let object = self.visible(name)?;
                let told = self.object_entry(object, version);
                Ok(Answer::json(
                    200,
                    &json!({"objectDescribe": told, "recentItems": []}),
                ))
            }
            ("POST", [name]) => {
                let object = self.visible(name)?;
                let id = self.create(object, object_of(request.body)?)?;
                let told = json!({"id": id, "success": true, "errors": []});
                let location = format!("/services/data/{version}/sobjects/{}/{id}", object.name());
                Ok(Answer::json(201, &told).with("Location", location))
            }
            (_, [_]) => Err(not_allowed(request.method, "HEAD,GET,POST")),
            ("GET", [name, "describe"]) => self.describe(request, name),
            (_, [_, "describe"]) => Err(not_allowed(request.method, "HEAD,GET")),
            ("GET", [name, id]) => {
                let object = self.visible(name)?;
                let fields = request.parameter("fields");
                let names = fields.as_deref().map(|text| text.split(',').collect());
                self.record(object, id, names, version)?
                    .map(|body| Answer::text(200, JSON, body))
                    .ok_or_else(not_found)
            }
            ("PATCH", [name, id]) => {
                let object = self.visible(name)?;
                self.update(object, id, object_of(request.body)?)?;
                Ok(Answer::empty(204))
            }
            ("DELETE", [name, id]) => {
                let object = self.visible(name)?;
                self.delete(object, id)?;
                Ok(Answer::empty(204))
            }
            (_, [_, _]) => Err(not_allowed(request.method, "HEAD,GET,PATCH,DELETE")),
            ("GET", [name, field, value]) => self.record_by(name, field, value, version),
            _ => Err(not_found()),
        }
    }

    /// The object of this name, if the running user may know of it.
    pub(crate) fn visible(&self, name: &str) -> Result<Object, ApiError> {
        Object::parse(name)
            .filter(|object| !crate::query::is_hidden(&self.org, *object))
            .ok_or_else(not_found)
    }

    fn object_entry(&self, object: Object, version: &str) -> Value {
        let mut told = object.describe(&self.org.seen(DEFAULT_VERSION));
        if let Some(told) = told.as_object_mut() {
            for part in ["fields", "childRelationships", "recordTypeInfos"] {
                told.remove(part);
            }
            let base = format!("/services/data/{version}/sobjects/{}", object.name());
            let urls = json!({"sobject": base, "describe": format!("{base}/describe"), "rowTemplate": format!("{base}/{{ID}}")});
            told.insert("urls".to_owned(), urls);
        }
        told
    }

    fn object_list(&self, version: &str) -> Answer {
        let listed: Vec<_> = Object::ALL
            .iter()
            .copied()
            .filter(|object| !crate::query::is_hidden(&self.org, *object))
            .map(|object| self.object_entry(object, version))
            .collect();
        Answer::json(
            200,
            &json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed}),
        )
    }

    /// Describe, with the conditional headers: what there is has not changed since the org started, unless rights did.
    fn describe(&self, request: &Request<'_>, name: &str) -> Result<Answer, ApiError> {
        let object = self.visible(name)?;
        let changed = self.org.started_ms.div_euclid(1000);
        let moment = |header: &str| {
            let text = request.header(header)?;
            jiff::fmt::rfc2822::parse(text)
                .ok()
                .map(|zoned| zoned.timestamp().as_second())
        };
        let last_modified = jiff::Timestamp::from_second(changed)
            .ok()
            .and_then(|at| {
                jiff::fmt::rfc2822::DateTimePrinter::new()
                    .timestamp_to_rfc9110_string(&at)
                    .ok()
            })
            .unwrap_or_default();
        let is_as_started = self.org.rights == self.org.spec.rights;
        if is_as_started && moment("if-modified-since").is_some_and(|since| since >= changed) {
            return Ok(Answer::empty(304).with("Last-Modified", last_modified));
        }
        if moment("if-unmodified-since").is_some_and(|since| since < changed) {
            return Err(ApiError::new(
                412,
                "PRECONDITION_FAILED",
                "the object changed after the given moment",
            ));
        }
        Ok(
            Answer::json(200, &object.describe(&self.org.seen(DEFAULT_VERSION)))
                .with("Last-Modified", last_modified),
        )
    }

    /// One record as JSON; every field unless some are named. `None` when there is none with this id.
    pub(crate) fn record(
        &self,
        object: Object,
        id: &str,
        fields: Option<Vec<&str>>,
        version: &str,
    ) -> Result<Option<Vec<u8>>, ApiError> {
        let described;
        let names = match fields {
            Some(names) => names,
            None => {
                described = object.describe(&self.org.seen(DEFAULT_VERSION));
                described["fields"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|field| field["name"].as_str())
                    .collect()
            }
        };
        check_id(object, id, self)?;
        let found = self.found(object, &names.join(","), "Id", id)?;
        let page = found.page(&self.org, found.first(), 0, 1, version);
        Ok((page.count > 0).then_some(page.records))
    }

    fn found(&self, object: Object, fields: &str, by: &str, value: &str) -> Result<Plan, ApiError> {
        let text = format!(
            "SELECT {fields} FROM {} WHERE {by} = {}",
            object.name(),
            quoted(value)
        );
        let query =
            soql::parse(&text).map_err(|error| ApiError::new(400, "MALFORMED_QUERY", error.0))?;
        Plan::at(&self.org, query, DEFAULT_VERSION)
    }

    /// A record by another of its keys; several of them are a choice (300).
    fn record_by(
        &self,
        name: &str,
        field: &str,
        value: &str,
        version: &str,
    ) -> Result<Answer, ApiError> {
        let object = self.visible(name)?;
        let unknown = || {
            ApiError::new(
                404,
                "NOT_FOUND",
                format!("Provided external ID field does not exist or is not accessible: {field}"),
            )
        };
        let field = LOOKUP_FIELDS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(field))
            .ok_or_else(unknown)?;
        let value: String = url::form_urlencoded::parse(format!("v={value}").as_bytes())
            .map(|(_, value)| value.into_owned())
            .collect();
        let found = self
            .found(object, "Id", field, &value)
            .map_err(|_| unknown())?;
        let mut rows = Vec::new();
        found.each_row(&self.org, |row| rows.push(row));
        let id_of = |row: u64| self.org.id(object, row).as_str().to_owned();
        match rows.as_slice() {
            [] => Err(not_found()),
            [row] => self
                .record(object, &id_of(*row), None, version)?
                .map(|body| Answer::text(200, JSON, body))
                .ok_or_else(not_found),
            several => {
                let urls: Vec<_> = several
                    .iter()
                    .map(|row| {
                        format!(
                            "/services/data/{version}/sobjects/{}/{}",
                            object.name(),
                            id_of(*row)
                        )
                    })
                    .collect();
                Ok(Answer::json(300, &json!(urls)))
            }
        }
    }
}

/// An id of another object is refused as such.
pub(crate) fn check_id(object: Object, id: &str, state: &State) -> Result<(), ApiError> {
    let Some(given) = Id::parse(id) else {
        return Ok(());
    };
    let own = state.org.id(object, 1);
    if given.as_str()[..3] == own.as_str()[..3] {
        return Ok(());
    }
    Err(ApiError::new(
        400,
        "MALFORMED_ID",
        format!("{} ID: id value of incorrect type: {id}", object.name()),
    ))
}
