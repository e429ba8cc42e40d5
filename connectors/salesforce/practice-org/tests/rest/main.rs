//! The org's REST resources as a client sees them, over loopback http: Bulk jobs, collections, composite, errors and limits.

#![allow(
    clippy::unwrap_used,
    reason = "a failing unwrap in a test is the test failing"
)]

mod bulk;
mod collections;
mod composite;
mod errors;
mod limits;
mod records;
mod seats;

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use seatwise_practice_org_salesforce::{
    Control, Faults, Listen, OrgSpec, PracticeOrg, Running, worked_example,
};
use serde_json::{Value, json};

/// A client with a token, and the org it talks to.
struct Client {
    http: reqwest::Client,
    org: Running,
    token: String,
}

/// What came back.
struct Reply {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// Status, and code of the first error.
    fn refusal(&self) -> (u16, String) {
        let code = self.json()[0]["errorCode"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        (self.status, code)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Client {
    async fn of(spec: OrgSpec) -> Self {
        let app = spec.apps[0].clone();
        let org = PracticeOrg::start(spec, Listen::loopback()).await.unwrap();
        // A second test of the same process finds it installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .no_gzip()
            .build()
            .unwrap();
        let url = format!("{}/services/oauth2/token", org.base_url());
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &app.client_id),
            ("client_secret", &app.client_secret),
        ];
        let answer = http.post(url).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let body: Value = answer.json().await.unwrap();
        let token = body["access_token"].as_str().unwrap().to_owned();
        Self { http, org, token }
    }

    fn control(&self) -> Control {
        self.org.control()
    }

    fn faults(&self, spec: &str) {
        self.control().set_faults(Faults::parse(spec).unwrap());
    }

    /// A call below `/services/data/v62.0`, or of a whole path.
    fn call(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let path = match path {
            path if path.starts_with("/services") => path.to_owned(),
            path => format!("/services/data/v62.0{path}"),
        };
        let url = format!("{}{path}", self.org.base_url());
        self.http.request(method, url).bearer_auth(&self.token)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let answer = request.send().await.unwrap();
        Reply {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            text: answer.text().await.unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(self.call(Method::GET, path)).await
    }

    async fn with_body(&self, method: Method, path: &str, body: Value) -> Reply {
        self.send(self.call(method, path).json(&body)).await
    }

    async fn query(&self, soql: &str) -> Reply {
        let q: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        self.get(&format!("/query?q={q}")).await
    }
}

fn example() -> OrgSpec {
    worked_example::org1(worked_example::T0_MS)
}

fn crowd(users: u64) -> OrgSpec {
    let mut spec = OrgSpec::new("00D5g0000000001EAA", "Crowd", "crowd.my.salesforce.com");
    spec.crowd = Some(seatwise_practice_org_salesforce::Crowd::new(users, 3));
    spec
}
