//! Single sign-on against the same server, on one database: somebody comes in, their groups give their roles, and each refusal is told
//! in its own words.

use std::collections::BTreeSet;
use std::sync::Arc;

use seatwise::app::host::Host;
use seatwise::identity::IdentityError;
use seatwise::identity::roles::{Actor, Role};
use seatwise::identity::service::{
    self as identity, Callback, Device, GroupRole, NewSession, NewSignOn, Session,
};
use seatwise::kernel::IntoProblem as _;
use seatwise::kernel::clock::{Clock as _, SetClock, SystemClock};
use seatwise::kernel::faults::NoFaults;
use seatwise_tests::database::{Database, Engine};
use seatwise_tests::world::{host, person};
use serde_json::{Value, json};

use super::{Failed, Provider, SIGN_ON_CALLBACK, Tap, acts_as, walk};

/// A host that the server knows.
struct Place<'a> {
    host: Host,
    provider: &'a Provider,
    issuer: String,
    admin: Actor,
}

pub async fn tell(provider: &Provider, engine: Engine, tap: &mut Tap) -> Result<(), Failed> {
    let database = Database::new(engine);
    let store = database.open_with(Arc::new(NoFaults)).await;
    // The server's tokens are of its own time.
    let clock = Arc::new(SetClock::at(SystemClock.now_ms()));
    let port = provider.issuer.port().ok_or("the server has no port")?;
    let host = host(
        database.folder(),
        store,
        clock,
        &[port],
        Arc::new(NoFaults),
        3,
    );
    identity::ensure_system(&host).await?;
    let admin = person(&host, "Adam", Role::Admin).await;
    let place = Place {
        host,
        provider,
        issuer: provider.issuer.as_str().trim_end_matches('/').to_owned(),
        admin,
    };
    let on = format!("{engine:?}").to_lowercase();
    place.set_up(tap, &on).await?;
    place.groups_give_roles(tap, &on).await?;
    place.refusals(tap, &on).await?;
    place.accounts(tap, &on).await
}

fn code_of<T>(result: Result<T, IdentityError>) -> Option<String> {
    result.err().map(|error| error.problem().code)
}

fn zoe(groups: &[&str]) -> Value {
    json!({ "sub": "zoe", "name": "Zoe Directory", "email": "Zoe@directory.example", "email_verified": true, "groups": groups })
}

impl Place<'_> {
    fn settings(&self, secret: &str) -> NewSignOn {
        NewSignOn {
            issuer: self.issuer.clone(),
            client_id: "people".to_owned(),
            client_secret: secret.to_owned().into(),
            scopes: "openid email profile groups".to_owned(),
            label: "Acme account".to_owned(),
            ..NewSignOn::default()
        }
    }

    async fn set(&self, settings: NewSignOn) -> Result<(), IdentityError> {
        identity::set_sign_on(&self.host, &self.admin, settings).await
    }

    /// To the server and back, up to our own door.
    async fn redirected(&self) -> Result<(Callback, String), Failed> {
        let begun = identity::begin_sign_on(&self.host, "/rules", &Device::default()).await?;
        let mut pairs = walk(&begun.goes_to, SIGN_ON_CALLBACK).await?;
        let callback = Callback {
            code: pairs.remove("code"),
            state: pairs.remove("state"),
            error: pairs.remove("error"),
            error_description: pairs.remove("error_description"),
            iss: pairs.remove("iss"),
        };
        Ok((callback, begun.browser))
    }

    async fn entered(
        &self,
        callback: &Callback,
        browser: &str,
    ) -> Result<(NewSession, String), IdentityError> {
        identity::sign_on_returned(&self.host, callback, browser, &Device::default()).await
    }

    /// Comes in as this person.
    async fn comes(&self, who: &Value) -> Result<Result<NewSession, IdentityError>, Failed> {
        acts_as(self.provider, who).await?;
        let (callback, browser) = self.redirected().await?;
        let entered = self.entered(&callback, &browser).await;
        Ok(entered.map(|(session, _)| session))
    }

    async fn session(&self, session: &NewSession) -> Option<Session> {
        identity::authenticate_session(&self.host, &session.cookie)
            .await
            .ok()
    }

    async fn roles(&self, session: &NewSession) -> Option<BTreeSet<Role>> {
        self.session(session).await.map(|found| found.actor.roles)
    }

    async fn map(&self, group: &str, role: Role) -> Result<(), IdentityError> {
        let pair = GroupRole {
            group: group.to_owned(),
            role,
        };
        identity::map_group(&self.host, &self.admin, &pair).await
    }

    async fn set_up(&self, tap: &mut Tap, on: &str) -> Result<(), Failed> {
        let off = code_of(identity::begin_sign_on(&self.host, "/", &Device::default()).await);
        tap.check(
            off.as_deref() == Some("sign_on.off"),
            &format!("is not asked before single sign-on is set up ({on})"),
            &off,
        );
        let other = NewSignOn {
            issuer: format!("{}/elsewhere", self.issuer),
            ..self.settings(&self.provider.people_secret)
        };
        let elsewhere = code_of(self.set(other).await);
        tap.check(
            elsewhere.as_deref() == Some("sign_on.provider"),
            &format!("is not taken for an issuer that has no document ({on})"),
            &elsewhere,
        );
        self.set(self.settings(&self.provider.people_secret))
            .await?;
        let view = identity::sign_on(&self.host, &self.admin).await?;
        let shown = serde_json::to_string(&view)?;
        tap.check(
            view.is_on && !shown.contains(&self.provider.people_secret),
            &format!("is set up, and its secret is never shown ({on})"),
            &shown,
        );
        let moved = NewSignOn {
            issuer: "https://id.acme.example".to_owned(),
            ..self.settings("")
        };
        let untyped = code_of(self.set(moved).await);
        tap.check(
            untyped.as_deref() == Some("identity.invalid"),
            &format!("keeps its secret: another issuer needs its own typed ({on})"),
            &untyped,
        );
        Ok(())
    }

    async fn groups_give_roles(&self, tap: &mut Tap, on: &str) -> Result<(), Failed> {
        self.map("sam", Role::SamUser).await?;
        acts_as(self.provider, &zoe(&["sam", "everybody"])).await?;
        let (callback, browser) = self.redirected().await?;
        let (first, next) = self.entered(&callback, &browser).await?;
        let who = self.session(&first).await.map(|found| found.actor);
        tap.check(
            next == "/rules"
                && who.as_ref().is_some_and(|who| {
                    who.name == "Zoe Directory" && who.roles == [Role::SamUser].into()
                }),
            &format!("brings somebody in who was never here, with the role of their group ({on})"),
            &who,
        );
        let again = code_of(self.entered(&callback, &browser).await);
        tap.check(
            again.as_deref() == Some("sign_on.unusable"),
            &format!("is believed once: the same redirect opens nothing again ({on})"),
            &again,
        );
        let second = self.comes(&zoe(&["audit"])).await??;
        let (before, now) = (self.roles(&first).await, self.roles(&second).await);
        tap.check(
            before.is_none() && now == Some(BTreeSet::new()),
            &format!("says that a group is gone: its role goes, and so do older sessions ({on})"),
            &(before, now),
        );
        self.map("audit", Role::Auditor).await?;
        let mapped = self.roles(&second).await;
        let pair = GroupRole {
            group: "audit".to_owned(),
            role: Role::Auditor,
        };
        identity::unmap_group(&self.host, &self.admin, &pair).await?;
        let unmapped = self.roles(&second).await;
        tap.check(
            mapped == Some([Role::Auditor].into()) && unmapped == Some(BTreeSet::new()),
            &format!("is not needed for a change of the mapping, which counts at once ({on})"),
            &(mapped, unmapped),
        );
        Ok(())
    }

    async fn refusals(&self, tap: &mut Tap, on: &str) -> Result<(), Failed> {
        acts_as(self.provider, &zoe(&[])).await?;
        let (callback, _) = self.redirected().await?;
        let stolen = code_of(self.entered(&callback, "another browser").await);
        tap.check(
            stolen.as_deref() == Some("sign_on.unusable"),
            &format!("brings nobody into another browser ({on})"),
            &stolen,
        );
        let ((first, _), (second, browser)) = (self.redirected().await?, self.redirected().await?);
        let mixed = Callback {
            code: first.code,
            ..second
        };
        let mixed = code_of(self.entered(&mixed, &browser).await);
        tap.check(
            mixed.as_deref() == Some("sign_on.code"),
            &format!("refuses the code of another sign-in ({on})"),
            &mixed,
        );
        let (callback, browser) = self.redirected().await?;
        let other = Callback {
            iss: Some("https://evil.example".to_owned()),
            ..callback
        };
        let other = code_of(self.entered(&other, &browser).await);
        tap.check(
            other.as_deref() == Some("sign_on.issuer"),
            &format!("is not mixed up with another issuer ({on})"),
            &other,
        );
        let denied = self.comes(&json!({ "sub": "zoe", "denies": true })).await?;
        let said = denied.err().map(|error| error.problem());
        tap.check(
            said.as_ref().is_some_and(|problem| {
                problem.code == "sign_on.refused" && problem.message.contains("not today")
            }),
            &format!("says no, in its own words ({on})"),
            &said,
        );
        self.set(self.settings("not the secret")).await?;
        let refused = code_of(self.comes(&zoe(&[])).await?);
        tap.check(
            refused.as_deref() == Some("sign_on.client"),
            &format!("refuses a wrong secret, and that is told apart ({on})"),
            &refused,
        );
        self.set(self.settings(&self.provider.people_secret))
            .await?;
        Ok(())
    }

    async fn accounts(&self, tap: &mut Tap, on: &str) -> Result<(), Failed> {
        let adam = |is_verified: bool| json!({ "sub": "adam", "email": "adam@company.example", "email_verified": is_verified, "groups": ["sam"] });
        let taken = code_of(self.comes(&adam(false)).await?);
        tap.check(
            taken.as_deref() == Some("sign_on.email_taken"),
            &format!("takes over no account by an address that it has not verified ({on})"),
            &taken,
        );
        let linked = self.comes(&adam(true)).await??;
        let roles = self.roles(&linked).await;
        tap.check(
            linked.principal == self.admin.id && roles == Some([Role::Admin, Role::SamUser].into()),
            &format!(
                "brings somebody to their own account, and what was given by hand stays ({on})"
            ),
            &roles,
        );
        let zoe_session = self.comes(&zoe(&["sam"])).await??;
        identity::deactivate(&self.host, &self.admin, &zoe_session.principal).await?;
        let gone = code_of(self.comes(&zoe(&["sam"])).await?);
        tap.check(
            gone.as_deref() == Some("sign_on.no_access"),
            &format!("brings nobody in whose access was taken away ({on})"),
            &gone,
        );
        identity::switch_sign_on(&self.host, &self.admin, false).await?;
        let off = code_of(identity::begin_sign_on(&self.host, "/", &Device::default()).await);
        tap.check(
            off.as_deref() == Some("sign_on.off"),
            &format!("is asked no more once single sign-on is off ({on})"),
            &off,
        );
        Ok(())
    }
}
