//! What somebody else wrote is data: in searches, filters, cursors and numbers of records it runs nothing.
use super::*;
use serde_json::{Value, json};

const INJECTIONS: [&str; 6] = [
    "'; drop table people;--",
    "' or '1'='1",
    "\" union select secret from credentials--",
    "x') or 1=1 order by (select 1)--",
    "%' escape '_",
    "\u{202e}\u{0}\\'",
];

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The addresses that one text makes of a reading route: in the place of the record's number, and in every parameter.
fn addresses(pattern: &str, parameters: &[&str], text: &str) -> Vec<String> {
    let hostile = encoded(text);
    let query: Vec<String> = parameters
        .iter()
        .map(|name| format!("{name}={hostile}"))
        .collect();
    let mut all = vec![format!("{}?{}", address(pattern), query.join("&"))];
    all.extend(
        query
            .iter()
            .map(|one| format!("{}?{one}", address(pattern))),
    );
    if pattern.contains('{') {
        let parts = pattern.split('/').map(|part| {
            if part.starts_with('{') {
                hostile.replace('+', "%20")
            } else {
                part.to_owned()
            }
        });
        all.push(parts.collect::<Vec<_>>().join("/"));
    }
    all
}

#[tokio::test]
async fn e15_sql_in_a_search_a_filter_a_cursor_or_a_number_is_only_text() {
    let world = world().await;
    let who = world.somebody("ana", &Role::ALL).await;
    let people = service::list_principals(&world.host, &Actor::system())
        .await
        .unwrap()
        .len();
    // What pages take; the API's parameters come from the route table.
    let of_pages = [
        "search",
        "state",
        "standing",
        "product",
        "inactive_days",
        "after",
        "before",
        "number",
        "what",
        "connector",
        "done",
    ];
    let mut asked = 0;
    for route in table() {
        if route.method != Method::GET || route.face == Face::Open {
            continue;
        }
        let parameters: Vec<&str> = match route.face {
            Face::Api => route.asks.iter().map(|(name, _)| *name).collect(),
            _ => of_pages.to_vec(),
        };
        for text in INJECTIONS {
            for path in addresses(route.path, &parameters, text) {
                let request = Request::get(&path);
                let request = match route.face {
                    Face::Api => request.header(header::AUTHORIZATION, &who.bearer),
                    _ => request.header(header::COOKIE, &who.cookie),
                };
                let status = world
                    .send(request.body(Body::empty()).unwrap())
                    .await
                    .status();
                assert!(!status.is_server_error(), "{path}: {status}");
                asked += 1;
            }
        }
    }
    assert!(asked > 500, "only {asked} addresses were asked");
    let left = service::list_principals(&world.host, &Actor::system())
        .await
        .unwrap();
    assert_eq!(left.len(), people);
    assert_eq!(
        world.get("/people", Some(&who)).await.status(),
        StatusCode::OK
    );
}

/// What no program should send: bodies that are no JSON of ours, in whatever encoding.
fn bodies() -> Vec<Vec<u8>> {
    let nested = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let wide: Vec<u8> = "{\"name\":\"x\"}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    vec![
        vec![],
        b"null".to_vec(),
        b"[1, 2".to_vec(),
        b"name=x&days=1".to_vec(),
        b"{\"name\": \"\xff\xfe\"}".to_vec(),
        b"{\"name\": \"\\ud800\"}".to_vec(),
        b"{\"a\": 1e999, \"a\": 2}".to_vec(),
        nested.into_bytes(),
        wide,
    ]
}

/// The values that one property's text is spoilt with.
fn spoilt() -> Vec<Value> {
    let mut all: Vec<Value> = INJECTIONS.iter().map(|text| json!(text)).collect();
    all.push(json!("N".repeat(50_000)));
    all.push(json!(
        "\"><script>alert(1)</script>{{x}}=1+1\r\nX: y\u{1b}[31m"
    ));
    all.push(json!(i64::MAX));
    all.push(json!(-1));
    all.push(json!([[{}]]));
    all.push(Value::Null);
    all
}

/// Something of this schema, as a careful program would send it.
fn plausible(document: &Value, schema: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.trim_start_matches("#/components/schemas/");
        return plausible(document, &document["components"]["schemas"][name]);
    }
    if let Some(first) = ["oneOf", "anyOf", "allOf"]
        .iter()
        .find_map(|of| schema[of].as_array())
        .and_then(|all| all.iter().find(|one| one["type"] != "null"))
    {
        return plausible(document, first);
    }
    if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.first().cloned().unwrap_or_default(),
        kind => kind.clone(),
    };
    match kind.as_str() {
        Some("object") => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties
                .map(|(name, one)| (name.clone(), plausible(document, one)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        Some("array") => json!([plausible(document, &schema["items"])]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(false),
        _ => json!("x"),
    }
}

#[tokio::test]
async fn rubbish_in_any_body_of_the_api_is_a_problem_with_a_remedy_and_never_a_fault() {
    let world = world().await;
    let who = world.somebody("ana", &Role::ALL).await;
    let send = async |path: &str, body: Vec<u8>| {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, &who.bearer)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .unwrap();
        let answer = world.send(request).await;
        let status = answer.status();
        let said = text(answer).await;
        (status, said)
    };
    let request = Request::get("/api/v1/openapi.json")
        .header(header::AUTHORIZATION, &who.bearer)
        .body(Body::empty())
        .unwrap();
    let document: Value = serde_json::from_str(&text(world.send(request).await).await).unwrap();
    let mut refused = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let schema = &operations["post"]["requestBody"]["content"]["application/json"]["schema"];
        if schema.is_null() {
            continue;
        }
        let whole = plausible(&document, schema);
        let names: Vec<&String> = whole
            .as_object()
            .into_iter()
            .flat_map(|o| o.keys())
            .collect();
        let mut all = bodies();
        for name in names {
            all.extend(spoilt().into_iter().map(|value| {
                let mut body = whole.clone();
                body[name] = value;
                body.to_string().into_bytes()
            }));
        }
        for body in all {
            let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            let is_long = body.len() > 50_000;
            let (status, said) = send(&address(path), body).await;
            assert!(!status.is_server_error(), "{path} {shown}: {status} {said}");
            assert!(!is_long || status.is_client_error(), "{path} keeps {shown}");
            if status.is_client_error() {
                let problem: Value = serde_json::from_str(&said)
                    .unwrap_or_else(|_| panic!("{path} {shown}: {status} {said}"));
                let words = problem["title"].as_str().unwrap_or_default();
                let fix = problem["fix"].as_str().unwrap_or_default();
                assert!(words.len() > 10 && fix.len() > 10, "{path} {shown}: {said}");
                refused += 1;
            }
        }
    }
    assert!(refused > 500, "only {refused} were refused");
}
