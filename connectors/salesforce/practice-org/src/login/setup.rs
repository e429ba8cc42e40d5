//! What a test or an administrator changes on the login side of a running org, from outside: `/_practice/…`.
//!
//! | call | body | does |
//! |---|---|---|
//! | `POST apps/KEY` | fields of an app, and `after_ms` | changes the app, at once or when the org's clock has moved so far |
//! | `POST apps` | fields of an app with `client_id` | adds an app |
//! | `GET login`, `POST login` | fields of the login policy | reads or changes it |
//! | `POST login/count` | `username`, `count` | that many logins just happened |
//! | `POST consent` | `url`, `username`, `allow` | does at the authorize page what a person does; gives where it leads |
//! | `POST device` | `user_code`, `username`, `allow` | the same at the device's page |

use std::net::{IpAddr, Ipv4Addr};

use http::HeaderMap;
use serde_json::{Value, json};

use crate::api::{Answer, Request, State};
use crate::spec::App;

/// A change of an app that takes effect later.
#[derive(Clone)]
pub(super) struct Change {
    at_ms: i64,
    client_id: String,
    fields: Value,
}

/// Answers what belongs to the login side; `None` for everything else.
pub(crate) fn control(
    state: &mut State,
    method: &str,
    path: &[&str],
    sent: &Value,
) -> Option<(u16, Value)> {
    let text = |name: &str| sent[name].as_str().unwrap_or_default().to_owned();
    let allow = sent["allow"].as_bool().unwrap_or(true);
    let done = |outcome: Result<Value, String>| {
        Some(match outcome {
            Ok(body) => (200, body),
            Err(error) => (422, json!({"error": error})),
        })
    };
    match (method, path) {
        ("GET", ["login"]) => Some((200, json!(state.org.spec.login))),
        ("POST", ["login"]) => done(merged(&state.org.spec.login, sent).map(|policy| {
            state.org.spec.login = policy;
            json!(state.org.spec.login)
        })),
        ("POST", ["login", "count"]) => {
            let user = state.org.user_named(&text("username"));
            let (count, now) = (sent["count"].as_u64()?, state.org.clock.now_ms());
            let recent = state.logins.recent.entry(user?).or_default();
            recent.extend((0..count).map(|_| now));
            Some((200, json!({"logins": recent.len()})))
        }
        ("POST", ["apps"]) => {
            let fresh = App::new(&text("client_id"), &text("client_secret"), "");
            let fresh = App {
                run_as: None,
                ..fresh
            };
            done(changed(&fresh, sent).map(|app| {
                let shown = json!(app);
                state.org.spec.apps.push(app);
                shown
            }))
        }
        ("POST", ["apps", key]) => done(state.change_app(key, sent.clone())),
        ("POST", ["consent"]) => {
            let url = url::Url::parse(&text("url")).ok()?;
            let query = url.query().unwrap_or_default().to_owned();
            let page = state.browse("GET", url.path(), &query, "");
            done(state.walk(page, url.path(), &text("username"), allow))
        }
        ("POST", ["device"]) => {
            let path = "/setup/connect";
            let page = state.browse(
                "POST",
                path,
                "",
                &form(&[("user_code", &text("user_code"))]),
            );
            done(state.walk(page, path, &text("username"), allow))
        }
        _ => None,
    }
}

/// The value with the fields that were sent.
fn merged<T: serde::Serialize + serde::de::DeserializeOwned>(
    old: &T,
    sent: &Value,
) -> Result<T, String> {
    let mut fields = json!(old);
    let (Some(fields_of), Some(sent)) = (fields.as_object_mut(), sent.as_object()) else {
        return Err("a JSON object is expected".to_owned());
    };
    fields_of.extend(sent.clone());
    serde_json::from_value(fields).map_err(|error| error.to_string())
}

/// The app with the fields that were sent; the secret, which is never shown, is one of them.
fn changed(app: &App, sent: &Value) -> Result<App, String> {
    let mut sent = sent.clone();
    let secret = sent
        .as_object_mut()
        .and_then(|fields| fields.remove("client_secret"));
    let mut fresh: App = merged(app, &sent)?;
    fresh.client_secret = match secret {
        Some(secret) => secret.as_str().unwrap_or_default().to_owned(),
        None => app.client_secret.clone(),
    };
    Ok(fresh)
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

impl State {
    fn change_app(&mut self, client_id: &str, mut fields: Value) -> Result<Value, String> {
        let after_ms = fields
            .as_object_mut()
            .and_then(|fields| fields.remove("after_ms"))
            .and_then(|after| after.as_i64());
        let apps = &mut self.org.spec.apps;
        let app = apps.iter_mut().find(|app| app.client_id == client_id);
        let app = app.ok_or("no app has this consumer key")?;
        let fresh = changed(app, &fields)?;
        if let Some(after_ms) = after_ms {
            self.logins.changes.push(Change {
                at_ms: self.org.clock.now_ms() + after_ms,
                client_id: client_id.to_owned(),
                fields,
            });
        } else {
            *app = fresh;
        }
        Ok(json!({"client_id": client_id}))
    }

    /// Changes whose moment has come. They were checked when they were sent.
    pub(super) fn apply_due_changes(&mut self) {
        let now = self.org.clock.now_ms();
        let is_due = |change: &mut Change| change.at_ms <= now;
        let due: Vec<_> = self.logins.changes.extract_if(.., is_due).collect();
        for change in due {
            let apps = &mut self.org.spec.apps;
            let app = apps
                .iter_mut()
                .find(|app| app.client_id == change.client_id);
            if let Some(app) = app
                && let Ok(fresh) = changed(app, &change.fields)
            {
                *app = fresh;
            }
        }
    }

    /// A request as a browser on this machine sends it.
    fn browse(&mut self, method: &str, path: &str, query: &str, body: &str) -> Answer {
        let headers = HeaderMap::new();
        let request = Request {
            method,
            path,
            query,
            bearer: None,
            basic: None,
            headers: &headers,
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            body: body.as_bytes(),
        };
        self.login(&request).unwrap_or_else(|| Answer::empty(404))
    }

    /// Signs in and presses Allow or Deny, page after page, as a person would.
    fn walk(
        &mut self,
        mut page: Answer,
        path: &str,
        username: &str,
        allow: bool,
    ) -> Result<Value, String> {
        let decision = if allow { "allow" } else { "deny" };
        for pair in [("username", username), ("decision", decision)] {
            let html = String::from_utf8_lossy(&page.body).into_owned();
            let visit = html
                .split_once("name=\"visit\" value=\"")
                .and_then(|(_, rest)| rest.split_once('"'));
            let Some((visit, _)) = visit else { break };
            page = self.browse("POST", path, "", &form(&[("visit", visit), pair]));
        }
        let location = page
            .headers
            .iter()
            .find(|(name, _)| *name == "Location")
            .map(|(_, there)| there.clone());
        let html = String::from_utf8_lossy(&page.body).into_owned();
        let title = html
            .split_once("<h1>")
            .and_then(|(_, rest)| rest.split_once("</h1>"))
            .map(|(title, _)| title.to_owned());
        match (location, html.contains("role=\"alert\"")) {
            (None, true) => Err("the page says no; open it in a browser to read why".to_owned()),
            (location, _) => {
                Ok(json!({"status": page.status, "location": location, "title": title}))
            }
        }
    }
}
