//! Commands of the mail server, of deliveries, and of what one is told.
use serde_json::json;

use super::client::{CliError, Client, read_text};
use super::messages_args::{DeliveryVerb, MailVerb, NotificationVerb, WebhookVerb};
use super::output::{self, As};

const SERVER: &[(&str, &str, As)] = &[
    ("Way", "/way", As::Text),
    ("Host", "/host", As::Text),
    ("Port", "/port", As::Text),
    ("Security", "/security", As::Text),
    ("From", "/sender", As::Text),
    ("User", "/username", As::Text),
    ("Password stored", "/has_password", As::Text),
    ("Set by the operator", "/is_operators", As::Text),
    ("Set at", "/set_at", As::Time),
    ("Set by", "/set_by", As::Text),
];

pub async fn mail(client: &Client, verb: MailVerb) -> Result<(), CliError> {
    match verb {
        MailVerb::Show => output::one(client, &client.get("/mail-server", &[]).await?, SERVER),
        MailVerb::Set(set) => {
            let read =
                |file: Option<std::path::PathBuf>| file.map(|file| read_text(&file)).transpose();
            let password = read(set.password_file)?;
            let body = json!({
                "host": set.host, "port": set.port, "security": set.security, "sender": set.sender, "username": set.username,
                "password": password.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()), "root_pem": read(set.root_file)?,
            });
            output::one(client, &client.post("/mail-server", &body).await?, SERVER);
        }
        MailVerb::Remove => {
            let left = client.post("/mail-server/remove", &json!({})).await?;
            output::one(client, &left, SERVER);
        }
        MailVerb::Test => {
            let tested = client.post("/mail-server/test", &json!({})).await?;
            output::one(
                client,
                &tested,
                &[("The other side says", "/answer", As::Text)],
            );
        }
    }
    Ok(())
}

pub async fn delivery(client: &Client, verb: DeliveryVerb) -> Result<(), CliError> {
    match verb {
        DeliveryVerb::List { state, after } => {
            let asked = [("state", state), ("after", after)];
            let query: Vec<(&str, String)> = asked
                .into_iter()
                .filter_map(|(name, value)| value.map(|value| (name, value)))
                .collect();
            output::list(
                client,
                &client.get("/deliveries", &query).await?,
                &[
                    ("Id", "/id", As::Text),
                    ("Kind", "/kind", As::Text),
                    ("To", "/recipient", As::Text),
                    ("Subject", "/subject", As::Text),
                    ("State", "/state", As::Text),
                    ("Tries", "/attempts", As::Count),
                    ("Last try", "/last_attempt_at", As::Time),
                    ("Error", "/last_error", As::Text),
                ],
            );
        }
        DeliveryVerb::Backlog => output::one(
            client,
            &client.get("/deliveries/backlog", &[]).await?,
            &[
                ("Waiting", "/due", As::Count),
                ("Failed", "/failed", As::Count),
                ("Oldest is due since", "/oldest_due_at", As::Time),
                ("Late", "/is_late", As::Text),
            ],
        ),
        DeliveryVerb::Retry { id } => {
            client
                .post(&format!("/deliveries/{id}/retry"), &json!({}))
                .await?;
            eprintln!("{id} is tried again");
        }
        DeliveryVerb::Withdraw { id } => {
            client
                .post(&format!("/deliveries/{id}/withdraw"), &json!({}))
                .await?;
            eprintln!("{id} is withdrawn");
        }
    }
    Ok(())
}

pub async fn notification(client: &Client, verb: NotificationVerb) -> Result<(), CliError> {
    let answer = match verb {
        NotificationVerb::List => client.get("/notifications", &[]).await?,
        NotificationVerb::Set { causes } => {
            client
                .post("/notifications", &json!({ "causes": causes }))
                .await?
        }
    };
    output::list(
        client,
        &answer,
        &[
            ("Word", "/cause", As::Text),
            ("When", "/says", As::Text),
            ("Told", "/is_wanted", As::Text),
        ],
    );
    Ok(())
}

const WEBHOOK: &[(&str, &str, As)] = &[
    ("Id", "/id", As::Text),
    ("Name", "/name", As::Text),
    ("Address", "/url", As::Text),
    ("Told of", "/causes", As::Text),
    ("State", "/state", As::Text),
    ("Why", "/off_reason", As::Text),
    ("Failing since", "/failing_since", As::Time),
];

/// A webhook with the secret that is shown this once.
const MINTED: &[(&str, &str, As)] = &[
    ("Id", "/webhook/id", As::Text),
    ("Name", "/webhook/name", As::Text),
    ("Secret, shown this once", "/secret", As::Text),
];

pub async fn webhook(client: &Client, verb: WebhookVerb) -> Result<(), CliError> {
    let nothing = json!({});
    let (answer, columns) = match verb {
        WebhookVerb::List => {
            output::list(client, &client.get("/webhooks", &[]).await?, WEBHOOK);
            return Ok(());
        }
        WebhookVerb::Add { name, url, causes } => {
            let body = json!({ "name": name, "url": url, "causes": causes });
            (client.post("/webhooks", &body).await?, MINTED)
        }
        WebhookVerb::Show { id } => (client.get(&format!("/webhooks/{id}"), &[]).await?, WEBHOOK),
        WebhookVerb::Causes { id, causes } => {
            let body = json!({ "causes": causes });
            let changed = client
                .post(&format!("/webhooks/{id}/causes"), &body)
                .await?;
            (changed, WEBHOOK)
        }
        WebhookVerb::Test { id } => {
            let tested = client
                .post(&format!("/webhooks/{id}/test"), &nothing)
                .await?;
            let said: &[(&str, &str, As)] = &[("The other side says", "/answer", As::Text)];
            (tested, said)
        }
        WebhookVerb::On { id } => {
            let on = client.post(&format!("/webhooks/{id}/on"), &nothing).await?;
            (on, WEBHOOK)
        }
        WebhookVerb::Off { id } => {
            let off = client
                .post(&format!("/webhooks/{id}/off"), &nothing)
                .await?;
            (off, WEBHOOK)
        }
        WebhookVerb::Secret { id } => {
            let minted = client
                .post(&format!("/webhooks/{id}/secret"), &nothing)
                .await?;
            (minted, MINTED)
        }
        WebhookVerb::Remove { id } => {
            client
                .post(&format!("/webhooks/{id}/remove"), &nothing)
                .await?;
            eprintln!("{id} is removed");
            return Ok(());
        }
    };
    output::one(client, &answer, columns);
    Ok(())
}
