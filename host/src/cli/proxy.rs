//! Commands of a profile's way out: proxy, trusted authorities, further hosts.
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{CliError, Client, read_text};
use super::output::{self, As, Column};

/// Verbs of a profile's way out.
#[derive(Debug, Subcommand)]
pub enum ProxyVerb {
    /// Show the proxy in force, the trusted authorities with their end, and the hosts
    Show {
        /// Such as PRF0001001
        number: String,
    },
    /// Use a proxy of its own; a new address deletes the stored secrets
    #[command(
        after_help = "Example:\n  seatwise proxy set PRF0001001 --address http://proxy.example.com:3128 --user seatwise --password-file proxy.txt"
    )]
    Set(ProxySet),
    /// Use no proxy, or the parent's
    Off {
        /// Such as PRF0001001
        number: String,
        /// Use the parent alias's proxy
        #[arg(long)]
        inherit: bool,
    },
    /// Trust authorities beside the system's; a change deletes the stored secrets
    Trust {
        /// Such as PRF0001001
        number: String,
        /// Certificates in PEM form; `-` reads standard input
        #[arg(long, value_name = "FILE", required_unless_present = "none")]
        file: Option<PathBuf>,
        /// Take the connection's own ones away
        #[arg(long, conflicts_with = "file")]
        none: bool,
    },
    /// Set the hosts that the connector may reach beside its manifest's; administrators only
    Hosts {
        /// Such as PRF0001001
        number: String,
        /// All of them, such as api.example.com or *.eu.example.com; none takes all away
        hosts: Vec<String>,
    },
}

/// `proxy set`.
#[derive(Debug, Args)]
pub struct ProxySet {
    /// Such as PRF0001001
    pub number: String,
    /// https://NAME:PORT, http://NAME:PORT or ADDRESS:PORT
    #[arg(long, value_name = "ADDRESS")]
    pub address: String,
    /// Its user name, where it wants a login
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// File that holds its password; `-` reads standard input
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
}

const ROOTS: &[Column] = &[
    ("Authority", "/subject", As::Text),
    ("Valid until", "/ends_at", As::Time),
    ("SHA-256", "/fingerprint", As::Text),
];

const WAY: &[Column] = &[
    ("Alias", "/alias", As::Text),
    ("Parent", "/parent", As::Text),
    ("Use", "/use", As::Words),
    ("Proxy", "/proxy/address", As::Text),
    ("From", "/proxy/from", As::Text),
    ("User", "/proxy/user", As::Text),
    ("Password ends in", "/proxy/password_ends_in", As::Text),
    ("Set by", "/proxy/set_by", As::Text),
    ("Set", "/proxy/set_at", As::Time),
    ("Authorities from", "/roots_from", As::Text),
    ("Further hosts", "/hosts", As::Text),
];

/// Asks and shows the way as it is then.
pub async fn proxy(client: &Client, verb: ProxyVerb) -> Result<(), CliError> {
    let way = match verb {
        ProxyVerb::Show { number } => {
            client
                .get(&format!("/profiles/{number}/proxy"), &[])
                .await?
        }
        ProxyVerb::Set(args) => {
            let password = args.password_file.as_deref().map(read_text).transpose()?;
            let body = json!({
                "use": "own",
                "address": args.address,
                "user": args.user.unwrap_or_default(),
                "password": password.as_deref().map(str::trim_end).unwrap_or_default(),
            });
            client
                .post(&format!("/profiles/{}/proxy", args.number), &body)
                .await?
        }
        ProxyVerb::Off { number, inherit } => {
            let body = json!({ "use": if inherit { "inherit" } else { "direct" } });
            client
                .post(&format!("/profiles/{number}/proxy"), &body)
                .await?
        }
        ProxyVerb::Trust { number, file, .. } => {
            let pem = file.as_deref().map(read_text).transpose()?;
            let body = json!({ "pem": pem.unwrap_or_default() });
            client
                .post(&format!("/profiles/{number}/roots"), &body)
                .await?
        }
        ProxyVerb::Hosts { number, hosts } => {
            let body = json!({ "hosts": hosts });
            client
                .post(&format!("/profiles/{number}/hosts"), &body)
                .await?
        }
    };
    output::one(client, &way, WAY);
    if let (false, Some(roots)) = (client.json, way.get("roots").and_then(Value::as_array))
        && !roots.is_empty()
    {
        outln!();
        out!("{}", output::table(roots, ROOTS));
    }
    Ok(())
}
