//! The binary: parses the command line and hands it to the library.

use std::process::ExitCode;

use seatwise::app::{demo, serve};
use seatwise::cli::{self, Local};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("SEATWISE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A log that is kept in a file holds no codes of a terminal.
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    cli::run(|local| async move {
        match local {
            Local::Serve(args) => serve::serve(args).await,
            Local::Demo(args) => demo::demo(args).await,
            Local::PracticeOrg(args) => demo::practice_org(args).await,
        }
    })
    .await
}
