//! Commands of the master keys that seal every secret.
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{CliError, Client};
use super::output::{self, As, Column};

/// Verbs of master keys; administrators only.
#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// List the master keys by id, with how many sealed values are under each
    List,
    /// Open every sealed value and name those that do not open
    Verify,
    /// Make a new master key and wrap every sealed value with it, while everything runs
    #[command(
        after_help = "A rotation that was cut off is taken up by the next. The old key still opens until `seatwise key retire`.\nBack the key file up before and after: without it no secret opens."
    )]
    Rotate {
        /// No other host works on this database; needed with PostgreSQL
        #[arg(long)]
        only_host: bool,
    },
    /// Take the old master keys away, once nothing needs them
    Retire,
}

const KEYS: &[Column] = &[
    ("Key", "/id", As::Text),
    ("Current", "/is_current", As::YesNo),
    ("Known here", "/is_known", As::YesNo),
    ("Values", "/values", As::Count),
];

/// Asks and shows.
pub async fn key(client: &Client, verb: KeyVerb) -> Result<(), CliError> {
    match verb {
        KeyVerb::List => output::list(client, &client.get("/keys", &[]).await?, KEYS),
        KeyVerb::Retire => output::list(
            client,
            &client.post("/keys/retire", &json!({})).await?,
            KEYS,
        ),
        KeyVerb::Rotate { only_host } => {
            let body = json!({ "only_host": only_host });
            let done = client.post("/keys/rotate", &body).await?;
            let columns: &[Column] = &[
                ("Current key", "/current", As::Text),
                ("New", "/is_new", As::YesNo),
                ("Values wrapped anew", "/rewrapped", As::Count),
                ("Can be retired", "/retired", As::Text),
            ];
            output::one(client, &done, columns);
        }
        KeyVerb::Verify => {
            let found = client.get("/keys/verification", &[]).await?;
            let columns: &[Column] = &[
                ("Opened", "/opened", As::Count),
                ("Not opened", "/broken_count", As::Count),
                ("Which", "/broken", As::Text),
            ];
            output::one(client, &found, columns);
            if found.get("broken_count").and_then(Value::as_u64) != Some(0) {
                return Err(CliError::own("sealed values do not open"));
            }
        }
    }
    Ok(())
}
