//! Every grant inside the playbook's task *Sign in*: from its own fields to a live token, on the pages alone, and back into the task.

use std::time::Duration;

use axum::http::StatusCode;
use seatwise::credentials::CredentialView;
use seatwise::profiles::service as profiles;
use seatwise_tests::browser::{Browser, Page};
use seatwise_tests::database::on_both;

use super::*;

/// Number of the draft that the playbook makes; the world's own profile is the first.
const NUMBER: &str = "PRF0001002";
const TASK: &str = "/profiles/PRF0001002/playbook/sign-in";

/// Somebody at the task, and the org they connect.
struct Desk {
    world: World,
    ana: Browser,
    app: seatwise_practice_org_salesforce::App,
}

impl Desk {
    async fn of(database: &Database) -> Self {
        let world = draft(database, spec()).await;
        let ana = Browser::of(&world.host, &world.ana).await;
        let begun = ana.post("/connect", &[("connector", "salesforce")]).await;
        assert_eq!(begun.location, format!("/profiles/{NUMBER}/playbook"));
        let app = spec().apps.remove(0);
        Self { world, ana, app }
    }

    /// The version that the form of the task carries now.
    async fn version(&self) -> String {
        let page = self.ana.get(TASK).await;
        let rest = page.text.split("name=\"version\" value=\"").nth(1);
        let rest = rest.expect("the form has a version");
        rest.split('"').next().unwrap().to_owned()
    }

    /// Sends the task's form with this grant and these fields besides address, client and secret.
    async fn save(&self, grant: &str, more: &[(&str, &str)]) -> Page {
        let seen = self.version().await;
        let mut fields = vec![
            ("version", seen.as_str()),
            ("grant", grant),
            ("login_url", self.world.org.base_url()),
            ("client_id", &self.app.client_id),
            ("client_secret", &self.app.client_secret),
        ];
        fields.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        fields.extend_from_slice(more);
        self.ana.post(TASK, &fields).await
    }

    async fn credential(&self) -> Option<CredentialView> {
        let profile = profiles::get(&self.world.host, &self.world.ana, NUMBER).await;
        profile.unwrap().credential
    }

    /// The checks have ended, and the credential has bought a token.
    async fn lives(&self, grant: &str) {
        let checks = format!("/profiles/{NUMBER}/playbook/checks");
        let page = tokio::time::timeout(Duration::from_secs(60), async {
            loop {
                let page = self.ana.get(&checks).await;
                if !page.text.contains("The checks are running") && page.text.contains("verdict") {
                    return page;
                }
                tokio::task::yield_now().await;
            }
        });
        let page = page.await.expect("the checks end");
        let said = page.text.contains("Enterprise Edition");
        assert!(said, "{grant}: {}", page.text);
        let stored = self.credential().await.expect("it is stored");
        assert_eq!(
            (stored.grant.as_str(), stored.health.as_str()),
            (grant, "good")
        );
        assert!(stored.refreshed_at.is_some(), "{grant}");
    }

    /// What the vendor's link of a page is.
    fn link(&self, page: &Page) -> String {
        let at = page
            .text
            .find(&format!("href=\"{}", self.world.org.base_url()));
        let rest = &page.text[at.expect("it is linked") + 6..];
        let link = rest.split('"').next().unwrap();
        link.replace("&amp;", "&").replace("&#x3D;", "=")
    }

    /// Goes to the vendor, allows or denies, and comes back; where that leads.
    async fn consents(&self, begun: &Page, allow: bool) -> Page {
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
        let shown = self.ana.get(&begun.location).await;
        let back = consent(&self.world.org, &self.link(&shown), allow);
        let mut url = Url::parse("http://127.0.0.1/connect/callback").unwrap();
        for (name, value) in [
            ("code", back.code),
            ("state", back.state),
            ("error", back.error),
            ("error_description", back.error_description),
        ] {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, &value);
            }
        }
        let path = format!("{}?{}", url.path(), url.query().unwrap());
        let returned = self.ana.get(&path).await;
        assert_eq!(
            returned.location, begun.location,
            "the code leaves the address bar"
        );
        self.ana.get(&returned.location).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_grant_leads_from_the_task_to_a_live_token() {
    on_both(|database| async move {
        let desk = Desk::of(&database).await;
        // Each grant of the manifest is offered, and shows its own fields alone.
        for (grant, fields) in [
            ("client-credentials", &["client_secret"][..]),
            ("authorization-code", &["client_secret", "without_pkce"]),
            (
                "jwt-bearer",
                &["username", "private_key", "private_key_file"],
            ),
            ("refresh-token", &["client_secret", "refresh_token"]),
            ("device-code", &["client_secret"]),
        ] {
            let shown = desk.ana.get(&format!("{TASK}?grant={grant}")).await;
            assert_eq!(shown.status, StatusCode::OK, "{grant}");
            for field in [
                "client_secret",
                "without_pkce",
                "username",
                "private_key",
                "private_key_file",
                "refresh_token",
            ] {
                let has = shown.text.contains(&format!("name=\"{field}\""));
                assert_eq!(has, fields.contains(&field), "{grant}: {field}");
            }
            assert!(
                shown.text.contains("name=\"login_url\"") && shown.text.contains("Consumer key")
            );
            assert_eq!(shown.text.contains(CALLBACK), grant == "authorization-code");
            let leaves = shown.text.contains(">Sign in with Salesforce");
            assert_eq!(
                leaves,
                grant == "authorization-code" || grant == "device-code"
            );
        }

        let run_as = run_as();
        // A code is denied, which is told in the task with what was typed.
        app(&desk.world, &json!({"approved_by": []}));
        let denied = desk
            .consents(&desk.save("authorization-code", &[]).await, false)
            .await;
        assert_eq!(denied.status, StatusCode::UNPROCESSABLE_ENTITY);
        for said in [
            "<title>Error: Sign in",
            "How it signs in",
            "salesforce.access_denied",
            "value=\"authorization-code\" selected",
            &desk.app.client_id,
        ] {
            assert!(denied.text.contains(said), "{said} in {}", denied.text);
        }
        assert!(!denied.text.contains(&desk.app.client_secret));
        assert!(desk.credential().await.is_none());
        app(&desk.world, &json!({"approved_by": [run_as]}));

        // A key that cannot sign is told at its field, and none comes back.
        let key = [
            ("username", run_as.as_str()),
            ("private_key", "-----BEGIN PRIVATE KEY-----\ncanary\n"),
        ];
        let wrong = desk.save("jwt-bearer", &key).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.text.contains("id=\"private_key-wrong\"") && wrong.text.contains(&run_as));
        assert!(!wrong.text.contains("canary") && desk.credential().await.is_none());
        let seen = desk.version().await;
        let fields = [
            ("version", seen.as_str()),
            ("grant", "jwt-bearer"),
            ("login_url", desk.world.org.base_url()),
            ("client_id", &desk.app.client_id),
            ("username", &run_as),
            ("private_key", ""),
        ];
        let saved = desk
            .ana
            .post_with_file(TASK, &fields, ("private_key_file", KEY))
            .await;
        assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text);
        desk.lives("jwt-bearer").await;
        let shown = desk.ana.get(TASK).await;
        assert!(
            shown.text.contains("its public half begins with")
                && !shown.text.contains("PRIVATE KEY-")
        );
        // Saved again with nothing new, the key stays.
        let before = desk.credential().await.unwrap();
        let again = desk.save("jwt-bearer", &[("username", &run_as)]).await;
        assert_eq!(again.status, StatusCode::SEE_OTHER, "{}", again.text);
        desk.lives("jwt-bearer").await;
        assert_eq!(desk.credential().await.unwrap().set_at, before.set_at);

        let (_, made) = desk
            .world
            .org
            .control()
            .call("POST", "tokens/refresh", &Value::Null);
        let token = made["refresh_token"].as_str().unwrap();
        let saved = desk
            .save("refresh-token", &[("refresh_token", token)])
            .await;
        assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text);
        desk.lives("refresh-token").await;

        // A code.
        let done = desk
            .consents(&desk.save("authorization-code", &[]).await, true)
            .await;
        assert_eq!(
            done.location,
            format!("{TASK}?done=connected"),
            "{}",
            done.text
        );
        let shown = desk.ana.get(&done.location).await;
        for said in [
            "The token belongs to",
            run_as.as_str(),
            "by Ana",
            "Run all checks",
        ] {
            assert!(shown.text.contains(said), "{said} in {}", shown.text);
        }
        desk.ana
            .post(&format!("/profiles/{NUMBER}/playbook/checks/run"), &[])
            .await;
        desk.lives("authorization-code").await;

        // Without a proof key, where the app forbids it: the choice is kept, and the secret that is stored is enough.
        app(&desk.world, &json!({"pkce": "forbidden"}));
        let refused = desk
            .consents(
                &desk
                    .save("authorization-code", &[("client_secret", "")])
                    .await,
                true,
            )
            .await;
        assert!(
            refused.text.contains("salesforce.code_verifier"),
            "{}",
            refused.text
        );
        let plain = desk
            .save(
                "authorization-code",
                &[("client_secret", ""), ("without_pkce", "yes")],
            )
            .await;
        let done = desk.consents(&plain, true).await;
        assert_eq!(
            done.location,
            format!("{TASK}?done=connected"),
            "{}",
            done.text
        );
        assert!(!desk.credential().await.unwrap().uses_pkce);

        // A device's code: shown, confirmed elsewhere, and a look again leads back into the task.
        let begun = desk.save("device-code", &[]).await;
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
        let shown = desk.ana.get(&begun.location).await;
        assert!(shown.text.contains(">Refresh</a>") && shown.text.contains("/playbook/sign-in\""));
        let code = shown.text.split("id=\"user_code\">").nth(1).unwrap();
        let code = code.split('<').next().unwrap();
        let typed = json!({"user_code": code, "username": run_as, "allow": true});
        let (status, said) = desk.world.org.control().call("POST", "device", &typed);
        assert_eq!(status, 200, "{said}");
        desk.world.advance(10_000);
        desk.world.run_due_jobs().await;
        let done = desk.ana.get(&begun.location).await;
        assert_eq!(
            done.location,
            format!("{TASK}?done=connected"),
            "{}",
            done.text
        );
        desk.ana
            .post(&format!("/profiles/{NUMBER}/playbook/checks/run"), &[])
            .await;
        desk.lives("device-code").await;

        // Somebody without an account brings a key, and is not offered what would lead them away.
        let made = desk
            .ana
            .post(&format!("{TASK}/hand-over"), &[("recipient", "Kim")])
            .await;
        let text = made.text.replace("&#x3D;", "=");
        let token = text
            .split("/hand-over?token=")
            .nth(1)
            .expect("the link is shown");
        let token = token.split('<').next().unwrap().trim();
        let kim = Browser::stranger(&desk.world.host);
        let shown = kim
            .get(&format!("/hand-over?token={token}&grant=jwt-bearer"))
            .await;
        assert!(
            shown.text.contains("name=\"private_key_file\"")
                && !shown.text.contains(&desk.app.client_id)
        );
        assert!(!shown.text.contains("authorization-code") && !shown.text.contains("device-code"));
        let mut fields = fields.to_vec();
        fields[0] = ("token", token);
        let mut away = fields.clone();
        away[1] = ("grant", "authorization-code");
        let refused = kim.post("/hand-over", &away).await;
        assert!(refused.text.contains("signin.browser"), "{}", refused.text);
        let taken = kim
            .post_with_file("/hand-over", &fields, ("private_key_file", KEY))
            .await;
        assert!(taken.text.contains("Thank you"), "{}", taken.text);
        desk.lives("jwt-bearer").await;

        // Another address: no secret goes there, and what was stored for the old one is gone once a sign-in begins.
        let elsewhere = [
            ("login_url", "https://other.my.salesforce.com"),
            ("private_key", ""),
            ("username", &run_as),
        ];
        let refused = desk.save("jwt-bearer", &elsewhere).await;
        assert!(
            refused.text.contains("id=\"private_key-wrong\""),
            "{}",
            refused.text
        );
    })
    .await;
}
