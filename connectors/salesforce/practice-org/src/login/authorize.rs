//! The authorize page: who are you, do you allow it, and back to the app with a code or with the reason why not.
//!
//! A request that names no trusted callback never redirects. What a person has to do is a [`Visit`]; the device page uses the same.

use super::pages::{self, Face};
use super::refused::{self, Refused};
use super::{Parameters, pkce};
use crate::api::{Answer, Request, State};
use crate::spec::{App, PermittedUsers};

/// Somebody on the way through sign-in and consent.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) client_id: String,
    pub(super) scopes: Vec<String>,
    /// Row of the user who signed in.
    pub(super) user: Option<u64>,
    /// A consent page comes even where a consent is known (`prompt=consent`).
    pub(super) asks_again: bool,
    pub(super) goal: Goal,
}

/// Where a visit leads.
#[derive(Debug, Clone)]
pub(super) enum Goal {
    /// Back to the app.
    Callback {
        redirect_uri: String,
        state: Option<String>,
        challenge: Option<String>,
    },
    /// A device is connected; its place in the list of devices.
    Device(usize),
}

/// An authorization code.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) user: u64,
    pub(super) scopes: Vec<String>,
    pub(super) challenge: Option<String>,
    pub(super) made_ms: i64,
    pub(super) is_used: bool,
}

const COOKIE: &str = "sid_practice";
/// Users listed on the sign-in page; everybody else is typed.
const FACES: usize = 25;

impl State {
    pub(super) fn authorize(&mut self, request: &Request<'_>) -> Answer {
        let asked = Parameters::of(request);
        if asked.get("visit").is_some() {
            return self.visit_step(request, &asked);
        }
        let (app, redirect_uri) = match self.trusted_callback(&asked) {
            Ok(trusted) => trusted,
            Err(refused) => return pages::error(refused.status, &refused.form()),
        };
        let state = asked.get("state").map(str::to_owned);
        match self.begin_visit(request, &asked, &app, &redirect_uri) {
            Ok(answer) => answer,
            Err(refused) => back(&redirect_uri, state.as_deref(), &refused),
        }
    }

    /// The app and its callback: without both there is nowhere to send an error to.
    fn trusted_callback(&self, asked: &Parameters) -> Result<(App, String), Refused> {
        let client_id = asked.required("client_id")?;
        let now = self.org.clock.now_ms();
        let app = self
            .org
            .spec
            .apps
            .iter()
            .find(|app| app.client_id == client_id)
            .filter(|app| app.known_from_ms.is_none_or(|from| from <= now))
            .ok_or(refused::UNKNOWN_CLIENT)?;
        let redirect_uri = asked.required("redirect_uri")?;
        let is_known = app.redirect_uris.iter().any(|known| known == redirect_uri);
        if !is_known || url::Url::parse(redirect_uri).is_err() {
            return Err(refused::REDIRECT_MISMATCH);
        }
        Ok((app.clone(), redirect_uri.to_owned()))
    }

    fn begin_visit(
        &mut self,
        request: &Request<'_>,
        asked: &Parameters,
        app: &App,
        redirect_uri: &str,
    ) -> Result<Answer, Refused> {
        let _usable = self.app(&app.client_id)?;
        if !self.org.spec.login.org_is_active {
            return Err(refused::INACTIVE_ORG);
        }
        if asked.required("response_type")? != "code" || !app.authorization_code {
            return Err(refused::UNSUPPORTED_RESPONSE);
        }
        let challenge = pkce::challenge(
            app.pkce,
            asked.get("code_challenge"),
            asked.get("code_challenge_method"),
        )?;
        let scopes = granted_scopes(app, asked.get("scope"))?;
        let prompts = |word: &str| {
            asked
                .get("prompt")
                .is_some_and(|words| words.split(' ').any(|prompt| prompt == word))
        };
        let known = self
            .browser_user(request)
            .filter(|_| !prompts("login") && !prompts("select_account"));
        let visit = Visit {
            client_id: app.client_id.clone(),
            scopes,
            user: known,
            asks_again: prompts("consent"),
            goal: Goal::Callback {
                redirect_uri: redirect_uri.to_owned(),
                state: asked.get("state").map(str::to_owned),
                challenge,
            },
        };
        if asked.get("immediate") == Some("true") {
            let needs_nobody = known.is_some_and(|user| self.has_approved(user, app));
            if !needs_nobody || visit.asks_again {
                return Err(refused::IMMEDIATE);
            }
        }
        let hint = asked.get("login_hint").unwrap_or_default();
        Ok(self.show(request, visit, hint))
    }

    /// What a visit shows next: sign in, allow or deny, or the end of it.
    pub(super) fn show(&mut self, request: &Request<'_>, visit: Visit, hint: &str) -> Answer {
        let action = visit.action();
        let Some(user) = visit.user else {
            let number = self.keep(visit);
            return pages::sign_in(action, &number, hint, &self.faces(), None);
        };
        let app = match self.app(&visit.client_id) {
            Ok(app) => app,
            Err(refused) => return self.leave(&visit, Err(refused)),
        };
        if let Err(refused) = self.may_log_in(user, &app, request.peer) {
            return self.leave(&visit, Err(refused));
        }
        if self.has_approved(user, &app) && !visit.asks_again {
            return self.leave(&visit, Ok(user));
        }
        let username = self.username_of(user).to_owned();
        let scopes = visit.scopes.clone();
        let number = self.keep(visit);
        pages::consent(action, &number, &app.name, &username, &scopes)
    }

    /// A button was pressed on a page of a visit.
    pub(super) fn visit_step(&mut self, request: &Request<'_>, asked: &Parameters) -> Answer {
        let number = asked.get("visit").unwrap_or_default().to_owned();
        let Some(mut visit) = self.logins.visits.remove(&number) else {
            return pages::end("Page expired", "Start again from the app.");
        };
        if let Some(username) = asked.get("username") {
            let user = self.org.user_named(username);
            let Some(user) = user.filter(|user| self.org.is_active(*user)) else {
                let action = visit.action();
                let number = self.keep(visit);
                let wrong = "Please check your username. If you still can't log in, contact your Salesforce administrator.";
                return pages::sign_in(action, &number, username, &self.faces(), Some(wrong));
            };
            visit.user = Some(user);
            let cookie = self.mint("browser");
            self.logins.browsers.insert(cookie.clone(), user);
            let cookie = format!("{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Lax");
            return self.show(request, visit, "").with("Set-Cookie", cookie);
        }
        match (asked.get("decision"), visit.user) {
            (Some("allow"), Some(user)) => self.leave(&visit, Ok(user)),
            (Some("deny"), _) => self.leave(&visit, Err(refused::ACCESS_DENIED)),
            _ => self.show(request, visit, ""),
        }
    }

    /// The end of a visit.
    fn leave(&mut self, visit: &Visit, outcome: Result<u64, Refused>) -> Answer {
        match (&visit.goal, outcome) {
            (Goal::Device(device), outcome) => self.decide_device(*device, outcome),
            (
                Goal::Callback {
                    redirect_uri,
                    state,
                    ..
                },
                Err(refused),
            ) => back(redirect_uri, state.as_deref(), &refused),
            (
                Goal::Callback {
                    redirect_uri,
                    state,
                    challenge,
                },
                Ok(user),
            ) => {
                // Ends in `==`, so that a client which forgets to decode it is found out (seed 4).
                let code = format!("aPrx{}==", self.mint("code"));
                let kept = Code {
                    client_id: visit.client_id.clone(),
                    redirect_uri: redirect_uri.clone(),
                    user,
                    scopes: visit.scopes.clone(),
                    challenge: challenge.clone(),
                    made_ms: self.org.clock.now_ms(),
                    is_used: false,
                };
                self.logins.codes.insert(code.clone(), kept);
                redirect(redirect_uri, state.as_deref(), &[("code", &code)])
            }
        }
    }

    /// Whether no consent page is needed: approved by the administrator, or by the user before.
    pub(super) fn has_approved(&self, user: u64, app: &App) -> bool {
        if let PermittedUsers::AdminApproved(_) = app.permitted {
            return self.may_use(user, app).is_ok();
        }
        let username = self.username_of(user);
        app.approved_by.iter().any(|approved| approved == username)
            || self
                .logins
                .grants
                .live(&app.client_id, user)
                .next()
                .is_some()
    }

    /// Who signed in with this browser before.
    pub(super) fn browser_user(&self, request: &Request<'_>) -> Option<u64> {
        self.logins.browsers.get(browser_of(request)?).copied()
    }

    fn keep(&mut self, visit: Visit) -> String {
        let number = self.mint("visit");
        self.logins.visits.insert(number.clone(), visit);
        number
    }

    fn faces(&self) -> Vec<Face<'_>> {
        let people = self.org.spec.people.iter().zip(1u64..);
        people
            .filter(|(_, row)| self.org.is_active(*row))
            .take(FACES)
            .map(|(person, _)| Face {
                username: &person.username,
                name: format!("{} {}", person.first_name, person.last_name),
            })
            .collect()
    }
}

impl Visit {
    /// Where the forms of its pages are sent.
    fn action(&self) -> &'static str {
        match self.goal {
            Goal::Callback { .. } => "/services/oauth2/authorize",
            Goal::Device(_) => "/setup/connect",
        }
    }
}

/// The scopes a request gets: those it names, all of the app's when it names none.
pub(super) fn granted_scopes(app: &App, asked: Option<&str>) -> Result<Vec<String>, Refused> {
    let Some(asked) = asked else {
        return Ok(app.scopes.clone());
    };
    // Two names of one scope.
    let same = |a: &str, b: &str| {
        let is_offline = |scope| matches!(scope, "refresh_token" | "offline_access");
        a == b || (is_offline(a) && is_offline(b))
    };
    let mut scopes: Vec<String> = Vec::new();
    for scope in asked.split(' ').filter(|scope| !scope.is_empty()) {
        if !app.scopes.iter().any(|allowed| same(allowed, scope)) {
            return Err(refused::INVALID_SCOPE);
        }
        if !scopes.iter().any(|kept| kept == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Ok(scopes)
}

fn browser_of<'a>(request: &'a Request<'_>) -> Option<&'a str> {
    let cookies = request.header("cookie")?.split(';');
    cookies
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}

fn back(redirect_uri: &str, state: Option<&str>, refused: &Refused) -> Answer {
    let pairs = [
        ("error", refused.error),
        ("error_description", refused.says.as_ref()),
    ];
    redirect(redirect_uri, state, &pairs)
}

fn redirect(redirect_uri: &str, state: Option<&str>, pairs: &[(&str, &str)]) -> Answer {
    let Ok(mut there) = url::Url::parse(redirect_uri) else {
        return pages::error(400, &refused::REDIRECT_MISMATCH.form());
    };
    there
        .query_pairs_mut()
        .extend_pairs(pairs)
        .extend_pairs(state.map(|state| ("state", state)));
    Answer::empty(302)
        .with("Location", there)
        .with("Cache-Control", "no-store")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_keeps_its_own_parameters_and_the_state_comes_back_as_sent() {
        let state = "a b&c=d%20#é";
        let callback = "https://client.example.com/callback?tenant=a%20b";
        let answer = redirect(callback, Some(state), &[("code", "aPrx==")]);
        let (_, there) = &answer.headers[0];
        let there = url::Url::parse(there).unwrap();
        let pairs: Vec<_> = there.query_pairs().into_owned().collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let wanted = [
            pair("tenant", "a b"),
            pair("code", "aPrx=="),
            pair("state", state),
        ];
        assert_eq!(pairs, wanted);
        assert_eq!(there.fragment(), None);
    }

    #[test]
    fn an_app_of_a_device_is_called_back_by_its_own_scheme() {
        let answer = redirect("seatwise:/callback", None, &[("code", "x")]);
        assert_eq!(answer.headers[0].1, "seatwise:/callback?code=x");
    }
}
