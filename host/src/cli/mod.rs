//! The command line: noun then verb, the same words as the pages.
//!
//! Every command but `serve`, `demo` and `practice-org` speaks to the API with a personal token: there is no second way in.
//! Facts go to standard output (a table, or the API's JSON with `--json`), talk and progress to standard error.
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused (no rights), 4 conflict or stale.
pub mod args;
mod client;
mod collect;
mod output;
mod progress;
mod reclaim;

use std::process::ExitCode;

use clap::Parser as _;

pub use args::{Cli, Command, DemoArgs, PracticeOrgArgs, ServeArgs};
pub use client::CliError;

use crate::app;

/// Parses the command line and does what it says.
pub async fn run() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

async fn dispatch(cli: Cli) -> Result<(), CliError> {
    let Cli { connection, command } = cli;
    let cx = || client::Client::new(&connection);
    match command {
        Command::Serve(args) => app::serve(args).await.map_err(CliError::own),
        Command::Demo(args) => app::demo(args).await.map_err(CliError::own),
        Command::PracticeOrg(args) => app::practice_org(args).await.map_err(CliError::own),
        Command::Profile(verb) => collect::profile(&cx()?, verb).await,
        Command::Run(verb) => collect::run(&cx()?, verb).await,
        Command::Subscription(verb) => collect::subscription(&cx()?, verb).await,
        Command::Model(verb) => collect::model(&cx()?, verb).await,
        Command::Identifier(verb) => collect::identifier(&cx()?, verb).await,
        Command::Entitlement(verb) => collect::entitlement(&cx()?, verb).await,
        Command::People(verb) => collect::people(&cx()?, verb).await,
        Command::Position(args) => collect::position(&cx()?, &args).await,
        Command::Reconcile => collect::reconcile(&cx()?).await,
        Command::Audit(verb) => reclaim::audit(&cx()?, verb).await,
        Command::Rule(verb) => reclaim::rule(&cx()?, verb).await,
        Command::Candidate(verb) => reclaim::candidate(&cx()?, verb).await,
        Command::Batch(verb) => reclaim::batch(&cx()?, verb).await,
        Command::Action(verb) => reclaim::action(&cx()?, verb).await,
        Command::Exemption(verb) => reclaim::exemption(&cx()?, verb).await,
        Command::Reclaim(verb) => reclaim::switch(&cx()?, verb).await,
        Command::Token(verb) => reclaim::token(&cx()?, verb).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does() {
        fn walk(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "`{path}` has no help text");
            for argument in command.get_arguments().filter(|a| !matches!(a.get_id().as_str(), "help" | "version")) {
                assert!(argument.get_help().is_some(), "`{path}` does not explain `{}`", argument.get_id());
            }
            for inner in command.get_subcommands().filter(|c| c.get_name() != "help") {
                walk(inner, &path);
            }
        }
        walk(&Cli::command(), "");
    }
}
