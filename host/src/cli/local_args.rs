//! The words of commands that play here, without a host that serves. Data only.
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// `demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// Run headless to the end, print the position before and after, and compare with the vendor's own records
    #[arg(long)]
    pub once: bool,
    /// How many people the practice orgs hold besides those of the worked example
    #[arg(long, default_value_t = 3_000, value_name = "N")]
    pub users: u64,
    /// The same seed makes the same people
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// Database; without it, an SQLite file among the demo's data
    #[arg(long, hide_env_values = true, value_name = "URL")]
    pub database: Option<String>,
    /// Keep the demo's data here; without it, in a temporary folder that goes away
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub listen: SocketAddr,
}

/// `practice-org`.
#[derive(Clone, Debug, Args)]
pub struct PracticeOrgArgs {
    /// Connector whose vendor to play
    #[arg(value_name = "CONNECTOR")]
    pub connector: String,
    /// Port for plain http; https listens on the next one. 0 takes free ones
    #[arg(long, default_value_t = 0, value_name = "P")]
    pub port: u16,
    /// How many people the org holds; 0 is a small org with one person of each kind
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub users: u64,
    /// The same seed makes the same people
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// Faults to play, as the practice org's own page explains
    #[arg(long, value_name = "SPEC")]
    pub faults: Option<String>,
}
