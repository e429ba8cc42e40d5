//! Commands of external vaults.
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::client::{CliError, Client, read_text};
use super::output::{self, As, Column};

/// Verbs of external vaults.
#[derive(Debug, Subcommand)]
pub enum VaultVerb {
    /// List vaults, with how many fields of credentials are fetched from each
    List,
    /// Add a vault, or change the one of that name; administrators only
    #[command(
        after_help = "Examples:\n  seatwise vault set --name Corp --kind cyberark_ccp --address https://ccp.example.com --app-id Seatwise\n  seatwise vault set --name Bao --kind kv_v2 --address https://vault.example.com:8200 --mount kv --token-file token.txt"
    )]
    Set(VaultSet),
    /// Remove a vault that nothing is fetched from; administrators only
    Remove {
        /// Its name
        name: String,
    },
}

/// `vault set`.
#[derive(Debug, Args)]
pub struct VaultSet {
    /// Unique
    #[arg(long)]
    pub name: String,
    /// cyberark_ccp or kv_v2
    #[arg(long)]
    pub kind: String,
    /// Without the path of its API
    #[arg(long, value_name = "URL")]
    pub address: String,
    /// For cyberark_ccp: the application's id
    #[arg(long, value_name = "ID", default_value = "")]
    pub app_id: String,
    /// For kv_v2: where the engine is mounted; `secret` unless said
    #[arg(long, value_name = "PATH", default_value = "")]
    pub mount: String,
    /// For kv_v2: the namespace
    #[arg(long, value_name = "NAME", default_value = "")]
    pub namespace: String,
    /// For kv_v2: file that holds the token; `-` reads standard input; without it the stored one is kept
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// File that holds the authority that signed its certificate, PEM
    #[arg(long, value_name = "FILE")]
    pub root_file: Option<PathBuf>,
}

const VAULT: &[Column] = &[
    ("Name", "/name", As::Text),
    ("Kind", "/kind", As::Text),
    ("Address", "/address", As::Text),
    ("Application", "/app_id", As::Text),
    ("Mount", "/mount", As::Text),
    ("Token ends in", "/token_ends_in", As::Text),
    ("Fields", "/fields", As::Count),
    ("Set by", "/set_by", As::Text),
    ("Set", "/set_at", As::Time),
];

/// Asks and shows.
pub async fn vault(client: &Client, verb: VaultVerb) -> Result<(), CliError> {
    match verb {
        VaultVerb::List => output::list(client, &client.get("/vaults", &[]).await?, VAULT),
        VaultVerb::Set(set) => {
            let read = |file: Option<PathBuf>| file.map(|file| read_text(&file)).transpose();
            let token = read(set.token_file)?.unwrap_or_default();
            let body = json!({
                "name": set.name, "kind": set.kind, "address": set.address, "app_id": set.app_id, "mount": set.mount,
                "namespace": set.namespace, "token": token.trim_end(), "roots": read(set.root_file)?.unwrap_or_default(),
            });
            output::one(client, &client.post("/vaults", &body).await?, VAULT);
        }
        VaultVerb::Remove { name } => {
            let body = json!({ "name": name });
            let left = client.post("/vaults/remove", &body).await?;
            output::list(client, &left, VAULT);
        }
    }
    Ok(())
}
