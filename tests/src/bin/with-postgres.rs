//! Runs a command beside a throw-away PostgreSQL: `with-postgres COMMAND ARGUMENTS...`, where `{database}` in an argument stands
//! for the URL of an empty database. Ends with the command's own exit code, and takes the server down with it.

use std::process::{Command, ExitCode};

use seatwise_tests::postgres::Cluster;

fn main() -> ExitCode {
    let url = Cluster::of_this_process().create_database();
    let mut words = std::env::args()
        .skip(1)
        .map(|word| word.replace("{database}", &url));
    let Some(program) = words.next() else {
        eprintln!(
            "usage: with-postgres COMMAND ARGUMENTS..., with {{database}} where the URL belongs"
        );
        return ExitCode::from(2);
    };
    match Command::new(&program).args(words).status() {
        Ok(status) => ExitCode::from(
            status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1),
        ),
        Err(error) => {
            eprintln!("{program}: {error}");
            ExitCode::from(127)
        }
    }
}
