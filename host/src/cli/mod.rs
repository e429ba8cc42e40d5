//! The command line: noun then verb, the same words as the pages.
//!
//! Every command but `serve`, `demo` and `practice-org` speaks to the API with a personal token: there is no second way in.
//! Facts go to standard output (a table, or the API's JSON with `--json`), talk and progress to standard error.
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused (no rights), 4 conflict or stale.
/// Writes facts to standard output. A reader that has seen enough (`| head`) closes the pipe: nobody is left to be told.
macro_rules! out {
    ($($told:tt)*) => {{
        use std::io::Write as _;
        let _ = write!(std::io::stdout(), $($told)*);
    }};
}

/// The same with a line's end.
macro_rules! outln {
    () => { out!("\n") };
    ($($told:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($told)*);
    }};
}

mod access;
mod account;
pub mod args;
mod client;
mod collect;
pub mod connect;
mod doctor;
mod import;
mod key;
mod local_args;
mod messages;
mod messages_args;
mod output;
pub mod playbook;
mod progress;
mod proxy;
mod reclaim;
mod reclaim_args;
mod sign_ins;
mod sources;
mod vault;

use std::process::ExitCode;

use clap::Parser as _;

pub use args::{Cli, Command, DemoArgs, PracticeOrgArgs, Remote, ServeArgs};
pub use client::CliError;
use client::Client;

/// A command that runs a host or a practice org here, rather than asking one.
#[derive(Debug)]
pub enum Local {
    /// `serve`.
    Serve(ServeArgs),
    /// `demo`.
    Demo(DemoArgs),
    /// `practice-org`.
    PracticeOrg(PracticeOrgArgs),
}

/// Parses the command line and does what it says; what runs here is handed to `local`.
pub async fn run<E, F>(local: impl FnOnce(Local) -> F) -> ExitCode
where
    E: std::fmt::Display,
    F: Future<Output = Result<(), E>>,
{
    let Cli {
        connection,
        command,
    } = Cli::parse();
    let done = match command {
        Command::Serve(args) => local(Local::Serve(args)).await.map_err(CliError::own),
        Command::Demo(args) => local(Local::Demo(args)).await.map_err(CliError::own),
        Command::PracticeOrg(args) => local(Local::PracticeOrg(args)).await.map_err(CliError::own),
        Command::Remote(remote) => ask(&connection, remote).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

async fn ask(connection: &args::Connection, remote: Remote) -> Result<(), CliError> {
    let client = &Client::new(connection)?;
    match remote {
        Remote::Profile(verb) => collect::profile(client, verb).await,
        Remote::Proxy(verb) => proxy::proxy(client, verb).await,
        Remote::Run(verb) => collect::run(client, verb).await,
        Remote::Subscription(verb) => collect::subscription(client, verb).await,
        Remote::Model(verb) => collect::model(client, verb).await,
        Remote::Identifier(verb) => collect::identifier(client, verb).await,
        Remote::Entitlement(verb) => collect::entitlement(client, verb).await,
        Remote::Import(verb) => import::import(client, verb).await,
        Remote::IdentitySource(verb) => sign_ins::identity_source(client, verb).await,
        Remote::People(verb) => collect::people(client, verb).await,
        Remote::Position(args) => collect::position(client, &args).await,
        Remote::Reconcile => collect::reconcile(client).await,
        Remote::Rule(verb) => reclaim::rule(client, verb).await,
        Remote::Candidate(verb) => reclaim::candidate(client, verb).await,
        Remote::Batch(verb) => reclaim::batch(client, verb).await,
        Remote::Action(verb) => reclaim::action(client, verb).await,
        Remote::Exemption(verb) => reclaim::exemption(client, verb).await,
        Remote::Reclaim(verb) => reclaim::reclaim(client, verb).await,
        Remote::Source(verb) => sources::source(client, verb).await,
        Remote::Doctor => doctor::doctor(client).await,
        Remote::Audit(verb) => account::audit(client, verb).await,
        Remote::Key(verb) => key::key(client, verb).await,
        Remote::Token(verb) => account::token(client, verb).await,
        Remote::Access(verb) => access::access(client, verb).await,
        Remote::SignOn(verb) => access::sign_on(client, verb).await,
        Remote::Mail(verb) => messages::mail(client, verb).await,
        Remote::Delivery(verb) => messages::delivery(client, verb).await,
        Remote::Notification(verb) => messages::notification(client, verb).await,
        Remote::Vault(verb) => vault::vault(client, verb).await,
        Remote::Webhook(verb) => messages::webhook(client, verb).await,
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
            for argument in command
                .get_arguments()
                .filter(|a| !matches!(a.get_id().as_str(), "help" | "version"))
            {
                assert!(
                    argument.get_help().is_some(),
                    "`{path}` does not explain `{}`",
                    argument.get_id()
                );
            }
            for inner in command.get_subcommands().filter(|c| c.get_name() != "help") {
                walk(inner, &path);
            }
        }
        walk(&Cli::command(), "");
    }
}
