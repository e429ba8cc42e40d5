//! Several requests in one: `/composite`, whose parts may refer to answers before them, and `/composite/batch` (salesforce.md §2.5).

use std::net::{IpAddr, Ipv4Addr};

use http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::api::{Answer, Request, State};
use crate::query::ApiError;
use crate::records::object_of;

/// Parts of one request, and how many of them may be queries or collections.
const MOST: usize = 25;
const MOST_QUERIES: usize = 5;

/// What a part is, before it runs.
struct Part {
    method: String,
    url: String,
    body: Value,
}

impl State {
    pub(crate) fn composite(&mut self, request: &Request<'_>) -> Result<Answer, ApiError> {
        let sent = object_of(request.body)?;
        let parts = list(&sent, "compositeRequest")?;
        let queries = parts
            .iter()
            .filter(|part| is_query(&text(part, "url")))
            .count();
        if queries > MOST_QUERIES {
            return Err(ApiError::new(
                400,
                "LIMIT_EXCEEDED",
                "A composite request has at most five subrequests that are queries or collections",
            ));
        }
        let mut names = std::collections::BTreeSet::new();
        for part in &parts {
            let name = text(part, "referenceId");
            if name.is_empty() || !names.insert(name.clone()) {
                return Err(ApiError::new(
                    400,
                    "INVALID_INPUT",
                    format!("referenceId '{name}' is missing or occurs twice"),
                ));
            }
        }
        let all_or_none = sent.get("allOrNone") == Some(&Value::Bool(true));
        let before = all_or_none.then(|| self.org.clone());
        let mut answers: Map<String, Value> = Map::new();
        let mut told: Vec<Value> = Vec::new();
        for part in &parts {
            let name = text(part, "referenceId");
            let (status, body, headers) = match filled(part, &answers) {
                Ok(part) => self.part(&part, request.headers),
                Err(error) => (error.status, error_body(&error), Map::new()),
            };
            if status < 300 {
                answers.insert(name.clone(), body.clone());
            }
            let has_failed = status >= 400;
            told.push(json!({"body": body, "httpHeaders": headers, "httpStatusCode": status, "referenceId": name}));
            if has_failed && all_or_none {
                break;
            }
        }
        let has_failed = |told: &Value| told["httpStatusCode"].as_u64() >= Some(400);
        if let Some(before) = before
            && told.iter().any(has_failed)
        {
            self.org = before;
            let halted = ApiError::new(
                400,
                "PROCESSING_HALTED",
                "The transaction was rolled back since another operation in the same transaction failed.",
            );
            let halted = |part: &Value| json!({"body": error_body(&halted), "httpHeaders": {}, "httpStatusCode": 400, "referenceId": text(part, "referenceId")});
            told = parts
                .iter()
                .enumerate()
                .map(|(at, part)| match told.get(at) {
                    Some(own) if has_failed(own) => own.clone(),
                    _ => halted(part),
                })
                .collect();
        }
        Ok(Answer::json(200, &json!({"compositeResponse": told})))
    }

    pub(crate) fn batch(&mut self, request: &Request<'_>) -> Result<Answer, ApiError> {
        let sent = object_of(request.body)?;
        let parts = list(&sent, "batchRequests")?;
        let halts = sent.get("haltOnError") == Some(&Value::Bool(true));
        let mut has_errors = false;
        let mut results = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            if has_errors && halts {
                results.push(json!({"statusCode": 412, "result": [{"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}]}));
                continue;
            }
            let url = text(part, "url");
            let path = url.trim_start_matches('/');
            let path = path.strip_prefix("services/data/").unwrap_or(path);
            let part = Part {
                method: text(part, "method"),
                url: format!("/services/data/{path}"),
                body: part.get("richInput").cloned().unwrap_or_default(),
            };
            // Each part is a request of the day; the first is counted already.
            let counted = if at == 0 {
                Ok(())
            } else {
                self.count_request()
            };
            let (status, body) = match counted {
                Ok(()) => {
                    let (status, body, _) = self.part(&part, request.headers);
                    (status, body)
                }
                Err(error) => (error.status, error_body(&error)),
            };
            has_errors |= status >= 400;
            results.push(json!({"statusCode": status, "result": body}));
        }
        Ok(Answer::json(
            200,
            &json!({"hasErrors": has_errors, "results": results}),
        ))
    }

    /// Runs one part as if it had come by itself.
    fn part(&mut self, part: &Part, headers: &HeaderMap) -> (u16, Value, Map<String, Value>) {
        let (path, query) = part.url.split_once('?').unwrap_or((&part.url, ""));
        let body = if part.body.is_null() {
            Vec::new()
        } else {
            part.body.to_string().into_bytes()
        };
        let request = Request {
            method: &part.method,
            path,
            query,
            bearer: None,
            basic: None,
            headers,
            // Nothing below asks where a part comes from: the whole came in already.
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            body: &body,
        };
        let is_nested = path.ends_with("/composite") || path.ends_with("/batch");
        let answer = if is_nested {
            Err(ApiError::new(
                400,
                "INVALID_INPUT",
                "A composite request cannot hold another one",
            ))
        } else {
            self.resource(&request)
        };
        match answer {
            Ok(answer) => {
                let shown = answer
                    .headers
                    .iter()
                    .filter(|(name, _)| *name == "Location")
                    .map(|(name, value)| ((*name).to_owned(), Value::String(value.clone())))
                    .collect();
                let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
                (answer.status, body, shown)
            }
            Err(error) => (error.status, error_body(&error), Map::new()),
        }
    }
}

fn error_body(error: &ApiError) -> Value {
    serde_json::from_slice(&Answer::error(error).body).unwrap_or_default()
}

fn text(part: &Value, name: &str) -> String {
    part[name].as_str().unwrap_or_default().to_owned()
}

fn list(sent: &Map<String, Value>, name: &str) -> Result<Vec<Value>, ApiError> {
    let parts = sent
        .get(name)
        .and_then(Value::as_array)
        .filter(|parts| !parts.is_empty())
        .ok_or_else(|| ApiError::new(400, "INVALID_INPUT", format!("{name} is missing")))?;
    if parts.len() > MOST {
        return Err(ApiError::new(
            400,
            "LIMIT_EXCEEDED",
            "The request has more than 25 subrequests",
        ));
    }
    Ok(parts.clone())
}

fn is_query(url: &str) -> bool {
    url.contains("/query") || url.contains("/composite/sobjects")
}

/// The part with each `@{name.path}` replaced by what the answer of that name holds.
fn filled(part: &Value, answers: &Map<String, Value>) -> Result<Part, ApiError> {
    let mut body = part.get("body").cloned().unwrap_or_default();
    fill_all(&mut body, answers)?;
    Ok(Part {
        method: text(part, "method"),
        url: fill(&text(part, "url"), answers)?,
        body,
    })
}

fn fill_all(value: &mut Value, answers: &Map<String, Value>) -> Result<(), ApiError> {
    match value {
        Value::String(text) => *text = fill(text, answers)?,
        Value::Array(items) => {
            for item in items {
                fill_all(item, answers)?;
            }
        }
        Value::Object(fields) => {
            for field in fields.values_mut() {
                fill_all(field, answers)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn fill(text: &str, answers: &Map<String, Value>) -> Result<String, ApiError> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("@{") {
        let Some((reference, after)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        let found = look_up(reference, answers).ok_or_else(|| {
            ApiError::new(
                400,
                "PROCESSING_HALTED",
                format!("Invalid reference specified. No value for {reference} found"),
            )
        })?;
        out.push_str(&found);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// `name.records[0].Id` in the answers so far.
fn look_up(reference: &str, answers: &Map<String, Value>) -> Option<String> {
    let mut steps = reference.split('.');
    let mut at = answers.get(steps.next()?)?;
    for step in steps {
        let (name, index) = match step.strip_suffix(']').and_then(|step| step.split_once('[')) {
            Some((name, index)) => (name, Some(index.parse::<usize>().ok()?)),
            None => (step, None),
        };
        at = at.get(name)?;
        if let Some(index) = index {
            at = at.get(index)?;
        }
    }
    match at {
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}
