//! `seatwise source`: where rows come from, and one counting instead of another.
use clap::Subcommand;
use serde_json::json;

use super::client::{CliError, Client};
use super::output::{self, As, Column};

/// Verbs of sources.
#[derive(Debug, Subcommand)]
pub enum SourceVerb {
    /// List sources with what counts of each
    List,
    /// Show what superseding a source by another one would do
    #[command(after_help = "Example:\n  seatwise source preview org_OLDER --by org_NEWER")]
    Preview {
        /// Id of the source that would count no more
        id: String,
        /// Id of the source that would count instead
        #[arg(long, value_name = "ID")]
        by: String,
    },
    /// Retire what a source brought, in favour of another one
    Supersede {
        /// Id of the source that counts no more
        id: String,
        /// Id of the source that counts instead
        #[arg(long, value_name = "ID")]
        by: String,
        /// Why; kept with the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Let the retired rows of a source count again
    TakeBack {
        /// Id of the superseded source
        id: String,
        /// Why; kept in the audit trail
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

const SOURCES: &[Column] = &[
    ("Id", "/id", As::Text),
    ("Name", "/name", As::Text),
    ("From", "/connector", As::Text),
    ("Profile", "/profile", As::Text),
    ("Accounts", "/accounts", As::Count),
    ("Subscriptions", "/subscriptions", As::Count),
    ("Superseded by", "/superseded/by_name", As::Text),
];

const PREVIEW: &[Column] = &[
    ("Retires", "/older/name", As::Text),
    ("Accounts", "/older/accounts", As::Count),
    ("Subscriptions", "/older/subscriptions", As::Count),
    ("Also in the newer", "/shared_accounts", As::Count),
    ("Only here", "/lost_accounts", As::Count),
    ("Rights", "/entitlements", As::Text),
    ("Counts instead", "/newer/name", As::Text),
    ("In the way", "/in_the_way", As::Text),
];

const DONE: &[Column] = &[
    ("Source", "/name", As::Text),
    ("By", "/by_name", As::Text),
    ("Since", "/at", As::Time),
    ("Accounts", "/accounts", As::Count),
    ("Subscriptions", "/subscriptions", As::Count),
    ("Taken back", "/ended_at", As::Time),
];

pub async fn source(client: &Client, verb: SourceVerb) -> Result<(), CliError> {
    match verb {
        SourceVerb::List => output::list(client, &client.get("/sources", &[]).await?, SOURCES),
        SourceVerb::Preview { id, by } => {
            let path = format!("/sources/{id}/supersession");
            output::one(client, &client.get(&path, &[("by", by)]).await?, PREVIEW);
        }
        SourceVerb::Supersede { id, by, reason } => {
            let path = format!("/sources/{id}/supersede");
            let body = json!({ "by": by, "reason": reason });
            output::one(client, &client.post(&path, &body).await?, DONE);
        }
        SourceVerb::TakeBack { id, reason } => {
            let path = format!("/sources/{id}/take-back");
            let body = json!({ "reason": reason });
            output::one(client, &client.post(&path, &body).await?, DONE);
        }
    }
    Ok(())
}
