//! What somebody else wrote is data: in searches, filters, cursors and numbers of records it runs nothing.
use super::*;

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
