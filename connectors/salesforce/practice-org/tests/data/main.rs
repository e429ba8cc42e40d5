//! The org's records as a client sees them: objects, rights, logins, writes, SOQL and generated orgs, over loopback http.

#![allow(
    clippy::unwrap_used,
    reason = "a failing unwrap in a test is the test failing"
)]

mod generated;
mod logins;
mod objects;
mod rights;
mod soql;
mod writes;

use reqwest::Method;
use seatwise_practice_org_salesforce::{
    Control, Listen, OrgSpec, PracticeOrg, Running, showcase, worked_example,
};
use serde_json::{Value, json};

/// Noon of the day that activity leads up to.
const NOW: i64 = worked_example::T0_MS + 12 * 3_600_000;

/// A client with a session, and the org it talks to.
struct Client {
    http: reqwest::Client,
    org: Running,
    token: String,
}

impl Client {
    async fn of(spec: OrgSpec) -> Self {
        let org = PracticeOrg::start(spec, Listen::loopback()).await.unwrap();
        // A second test of the same process finds it installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        org.control().set_now(Some(NOW));
        let (_, session) = org.control().call("POST", "session", &Value::Null);
        let token = session["access_token"].as_str().unwrap().to_owned();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, org, token }
    }

    /// The small org in which everything occurs.
    async fn showcase() -> Self {
        Self::of(showcase::showcase(NOW)).await
    }

    fn control(&self) -> Control {
        self.org.control()
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let path = if path.starts_with("/services") {
            path.to_owned()
        } else {
            format!("/services/data/v62.0{path}")
        };
        let url = format!("{}{path}", self.org.base_url());
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn query(&self, soql: &str) -> (u16, Value) {
        let q: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        self.send(Method::GET, &format!("/query?q={q}"), None).await
    }

    /// Every row, over all pages.
    async fn rows(&self, soql: &str) -> Vec<Value> {
        let (status, mut page) = self.query(soql).await;
        assert_eq!(status, 200, "{soql}: {page}");
        let mut rows = page["records"].as_array().unwrap().clone();
        while let Some(next) = page["nextRecordsUrl"].as_str().map(str::to_owned) {
            page = self.get(&next).await;
            rows.extend(page["records"].as_array().unwrap().iter().cloned());
        }
        assert_eq!(page["totalSize"], rows.len(), "{soql}");
        rows
    }

    async fn count(&self, soql: &str) -> u64 {
        let (status, body) = self.query(soql).await;
        assert_eq!(status, 200, "{soql}: {body}");
        body["totalSize"].as_u64().unwrap()
    }

    /// Code and message of a query that is refused.
    async fn refusal(&self, soql: &str) -> (String, String) {
        let (status, body) = self.query(soql).await;
        assert_eq!(status, 400, "{soql}: {body}");
        let text = |name: &str| body[0][name].as_str().unwrap().to_owned();
        (text("errorCode"), text("message"))
    }

    /// The id of a user of the showcase.
    async fn user(&self, name: &str) -> String {
        let rows = self
            .rows(&format!(
                "SELECT Id FROM User WHERE Username = '{name}@example.com'"
            ))
            .await;
        rows[0]["Id"].as_str().unwrap().to_owned()
    }

    /// One cell of the first row of an answer.
    async fn cell(&self, soql: &str, field: &str) -> Value {
        self.rows(soql).await[0][field].clone()
    }

    async fn create(&self, object: &str, fields: Value) -> (u16, Value) {
        self.send(Method::POST, &format!("/sobjects/{object}"), Some(fields))
            .await
    }

    async fn update(&self, object: &str, id: &str, fields: Value) -> (u16, Value) {
        self.send(
            Method::PATCH,
            &format!("/sobjects/{object}/{id}"),
            Some(fields),
        )
        .await
    }

    async fn delete(&self, object: &str, id: &str) -> (u16, Value) {
        self.send(Method::DELETE, &format!("/sobjects/{object}/{id}"), None)
            .await
    }
}

/// Status and code of a refusal.
fn code(answer: &(u16, Value)) -> (u16, &str) {
    (
        answer.0,
        answer.1[0]["errorCode"].as_str().unwrap_or_default(),
    )
}
