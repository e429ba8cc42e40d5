//! The device flow in Salesforce's own dialect (salesforce.md §1.7): `response_type=device_code` at the token endpoint, then
//! `grant_type=device` with the code as `code`, while a person types the short code at `/setup/connect`.

use serde_json::{Value, json};

use super::authorize::{Goal, Visit, granted_scopes};
use super::refused::{self, Refused};
use super::{Parameters, pages};
use crate::api::{Answer, Request, State};

/// A device that waits for its person.
#[derive(Clone, Debug)]
pub(super) struct Device {
    code: String,
    user_code: String,
    client_id: String,
    scopes: Vec<String>,
    made_ms: i64,
    polled_ms: i64,
    interval_s: i64,
    state: Decision,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Waiting,
    Allowed(u64),
    Denied,
    /// Its token was given.
    Spent,
}

impl State {
    pub(super) fn issue_device_code(&mut self, asked: &Parameters) -> Result<Value, Refused> {
        let app = self.app(asked.required("client_id")?)?;
        if !app.device {
            return Err(refused::GRANT_OFF);
        }
        let scopes = granted_scopes(&app, asked.get("scope"))?;
        let (code, short) = (self.mint("device"), self.mint("user code"));
        let user_code: String = short
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(8)
            .collect::<String>()
            .to_ascii_uppercase();
        let now = self.org.clock.now_ms();
        let interval_s = self.org.spec.login.device_interval_s;
        let answer = json!({
            "device_code": code, "user_code": user_code, "interval": interval_s,
            "verification_uri": format!("{}/setup/connect", self.base_url),
        });
        self.logins.devices.push(Device {
            code,
            user_code,
            client_id: app.client_id,
            scopes,
            made_ms: now,
            // The first poll may come at once.
            polled_ms: now - interval_s * 1000,
            interval_s,
            state: Decision::Waiting,
        });
        Ok(answer)
    }

    pub(super) fn by_device(
        &mut self,
        request: &Request<'_>,
        asked: &Parameters,
    ) -> Result<Value, Refused> {
        let app = self.proven_app(request, asked, |_| false)?;
        let code = asked.required("code")?;
        let now = self.org.clock.now_ms();
        let life_ms = self.org.spec.login.device_ms;
        let device = self
            .logins
            .devices
            .iter_mut()
            .find(|device| device.code == code && device.client_id == app.client_id)
            .filter(|device| now - device.made_ms < life_ms && device.state != Decision::Spent)
            .ok_or(refused::DEVICE_UNKNOWN)?;
        let is_early = now - device.polled_ms < device.interval_s * 1000;
        device.polled_ms = now;
        if is_early {
            device.interval_s += 5;
            return Err(refused::SLOW_DOWN);
        }
        let user = match device.state {
            Decision::Allowed(user) => user,
            Decision::Denied => return Err(refused::DEVICE_DENIED),
            Decision::Waiting | Decision::Spent => return Err(refused::PENDING),
        };
        device.state = Decision::Spent;
        let scopes = device.scopes.clone();
        self.may_log_in(user, &app, request.peer)?;
        let (grant, refresh_token) = self.give_grant(&app, user, &scopes);
        self.token_answer(&app, user, &scopes, Some(grant), refresh_token)
    }

    /// The page where a person types the code.
    pub(super) fn device_page(&mut self, request: &Request<'_>) -> Answer {
        let asked = Parameters::of(request);
        if asked.get("visit").is_some() {
            return self.visit_step(request, &asked);
        }
        let typed = asked
            .get("user_code")
            .unwrap_or_default()
            .trim()
            .to_ascii_uppercase();
        if request.method != "POST" {
            return pages::device(&typed, None);
        }
        let now = self.org.clock.now_ms();
        let life_ms = self.org.spec.login.device_ms;
        let found = self.logins.devices.iter().position(|device| {
            device.user_code == typed
                && device.state == Decision::Waiting
                && now - device.made_ms < life_ms
        });
        let Some(number) = found else {
            return pages::device(&typed, Some("The code isn't valid or has expired."));
        };
        let device = &self.logins.devices[number];
        let visit = Visit {
            client_id: device.client_id.clone(),
            scopes: device.scopes.clone(),
            user: self.browser_user(request),
            // Typing a code is no consent: somebody may have been sent it.
            asks_again: true,
            goal: Goal::Device(number),
        };
        self.show(request, visit, "")
    }

    /// A person allowed or denied a device, or was not let in.
    pub(super) fn decide_device(&mut self, number: usize, outcome: Result<u64, Refused>) -> Answer {
        let Some(device) = self.logins.devices.get_mut(number) else {
            return pages::error(400, &refused::DEVICE_UNKNOWN.form());
        };
        match outcome {
            Ok(user) => {
                device.state = Decision::Allowed(user);
                pages::end("You're Connected", "Return to your device.")
            }
            Err(refused) if refused == refused::ACCESS_DENIED => {
                device.state = Decision::Denied;
                pages::end("Access Denied", "The device was not connected.")
            }
            Err(refused) => pages::error(refused.status, &refused.form()),
        }
    }
}
