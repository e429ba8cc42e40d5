//! Commands of identity providers and the sign-ins they report.
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{CliError, Client, read_text};
use super::output::{self, As};

/// Verbs of identity providers.
#[derive(Debug, Subcommand)]
pub enum IdentitySourceVerb {
    /// Name an identity provider
    Create {
        /// Unique
        name: String,
    },
    /// List identity providers with their applications
    List,
    /// Bring sign-ins from the CSV that the provider exports
    Bring {
        /// Id or name of the identity provider
        source: String,
        /// The file, UTF-8; `-` reads standard input
        file: PathBuf,
        /// iso, day_month_year, month_day_year, unix_seconds or unix_milliseconds
        #[arg(long, default_value = "iso", value_name = "FORM")]
        dates: String,
        /// Leave out lines that cannot be used; otherwise they stop everything and are named
        #[arg(long)]
        leave_out: bool,
    },
    /// Say which organization an application stands for
    Map {
        /// Id of the application
        application: String,
        /// Id of the organization; without it none
        #[arg(long, value_name = "ID")]
        organization: Option<String>,
    },
    /// List logins of an application that match no account
    Unmatched {
        /// Id of the application
        application: String,
    },
    /// Show whether sign-ins count for a profile's rules and what that changes, or set it
    Counting {
        /// Such as PRF0001001
        number: String,
        /// on: the later of the vendor's activity and the last sign-in counts; off: the vendor's alone
        #[arg(long, value_parser = ["on", "off"], value_name = "ON")]
        set: Option<String>,
    },
}

fn list(client: &Client, answer: &Value) {
    if client.json {
        output::json(answer);
        return;
    }
    let sources = answer.get("items").and_then(Value::as_array);
    for source in sources.into_iter().flatten() {
        let text = |field: &str| {
            source
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        outln!("{} {}", text("id"), text("name"));
        let applications = source.get("applications").and_then(Value::as_array);
        out!(
            "{}",
            output::table(
                applications.map_or(&[], Vec::as_slice),
                &[
                    ("Application", "/id", As::Text),
                    ("Name", "/name", As::Text),
                    ("Stands for", "/organization", As::Text),
                    ("Logins", "/logins", As::Count),
                    ("Unmatched", "/strangers", As::Count),
                    ("Last sign-in", "/last_at", As::Time),
                ],
            )
        );
    }
}

/// Does what a verb of identity providers says.
pub async fn identity_source(client: &Client, verb: IdentitySourceVerb) -> Result<(), CliError> {
    match verb {
        IdentitySourceVerb::Create { name } => {
            let made = client
                .post("/identity-sources", &json!({ "name": name }))
                .await?;
            output::one(
                client,
                &made,
                &[("Id", "/id", As::Text), ("Name", "/name", As::Text)],
            );
        }
        IdentitySourceVerb::List => list(client, &client.get("/identity-sources", &[]).await?),
        IdentitySourceVerb::Bring {
            source,
            file,
            dates,
            leave_out,
        } => {
            let body = json!({ "csv": read_text(&file)?, "dates": dates, "leave_out": leave_out });
            let brought = client
                .post(&format!("/identity-sources/{source}/events"), &body)
                .await?;
            output::one(
                client,
                &brought,
                &[
                    ("Sign-ins", "/good", As::Count),
                    ("Failed attempts", "/failed", As::Count),
                    ("Left out", "/left_out", As::Count),
                    ("Applications", "/applications", As::Count),
                ],
            );
        }
        IdentitySourceVerb::Map {
            application,
            organization,
        } => {
            let body = json!({ "organization": organization });
            let path = format!("/identity-applications/{application}");
            list(client, &client.post(&path, &body).await?);
        }
        IdentitySourceVerb::Unmatched { application } => {
            let path = format!("/identity-applications/{application}/unmatched");
            let answer = client.get(&path, &[]).await?;
            output::list(
                client,
                &answer,
                &[
                    ("Login", "/login", As::Text),
                    ("Last sign-in", "/last_at", As::Time),
                ],
            );
        }
        IdentitySourceVerb::Counting { number, set } => {
            let path = format!("/profiles/{number}/sign-ins");
            let view = match set {
                Some(set) => {
                    client
                        .post(&path, &json!({ "counts": set == "on" }))
                        .await?
                }
                None => client.get(&path, &[]).await?,
            };
            output::one(
                client,
                &view,
                &[
                    ("Profile", "/number", As::Text),
                    ("Sign-ins count", "/counts", As::YesNo),
                    ("Accounts with a sign-in", "/accounts", As::Count),
                    ("Later than the vendor's", "/later", As::Count),
                    (
                        "Candidates by the vendor",
                        "/candidates_by_vendor",
                        As::Count,
                    ),
                    ("Candidates by the later", "/candidates_by_later", As::Count),
                ],
            );
        }
    }
    Ok(())
}
