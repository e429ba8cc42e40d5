//! Commands of one's own tokens and of the audit trail.
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{CliError, Client};
use super::output::{self, As};

/// Verbs of the audit trail.
#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// Read the whole chain and check digests and signatures
    Verify,
    /// List entries, newest first
    List {
        /// Continue after this key, as a list's end names it
        #[arg(long, value_name = "KEY")]
        after: Option<i64>,
    },
}

/// Verbs of tokens.
#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// List your tokens
    List,
    /// Take a token back
    Revoke {
        /// Its id
        id: String,
    },
}

pub async fn token(client: &Client, verb: TokenVerb) -> Result<(), CliError> {
    match verb {
        TokenVerb::List => {
            let answer = client.get("/tokens", &[]).await?;
            output::list(
                client,
                &answer,
                &[
                    ("Id", "/id", As::Text),
                    ("Name", "/name", As::Text),
                    ("Scopes", "/scopes", As::Text),
                    ("Expires", "/expires_at", As::Time),
                    ("Last used", "/last_used_at", As::Time),
                    ("Revoked", "/revoked_at", As::Time),
                ],
            );
        }
        TokenVerb::Revoke { id } => {
            client
                .post(&format!("/tokens/{id}/revoke"), &json!({}))
                .await?;
            eprintln!("{id} is revoked");
        }
    }
    Ok(())
}

pub async fn audit(client: &Client, verb: AuditVerb) -> Result<(), CliError> {
    match verb {
        AuditVerb::Verify => {
            let found = client.get("/audit/verification", &[]).await?;
            output::one(
                client,
                &found,
                &[
                    ("Intact", "/is_intact", As::Text),
                    ("Entries", "/entries", As::Count),
                    ("Signed heads", "/heads", As::Count),
                    ("Head", "/head", As::Text),
                    ("Broken at", "/broken_at", As::Text),
                ],
            );
            if found.get("is_intact") != Some(&Value::Bool(true)) {
                return Err(CliError::own("the audit trail is not intact"));
            }
        }
        AuditVerb::List { after } => {
            let query: Vec<(&str, String)> = after
                .map(|seq| ("after", seq.to_string()))
                .into_iter()
                .collect();
            output::list(
                client,
                &client.get("/audit", &query).await?,
                &[
                    ("Seq", "/seq", As::Text),
                    ("At", "/at", As::Time),
                    ("Event", "/event", As::Text),
                    ("Subject", "/subject_id", As::Text),
                    ("By", "/actor_id", As::Text),
                    ("Via", "/actor_via", As::Text),
                ],
            );
        }
    }
    Ok(())
}
