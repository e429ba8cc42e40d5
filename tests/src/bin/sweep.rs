//! Does all work that is due on a database and kills itself with SIGKILL at the n-th effect point: a host's process as a power cut
//! leaves it, for tests. Prints how many effect points it met when it lives to its end.
//!
//!     sweep DATABASE FOLDER NOW_MS N PORT...
//!
//! With the word `serve` in the place of N it works on, like `seatwise serve` does, until SIGINT or SIGTERM.

use std::process::ExitCode;
use std::sync::Arc;

use seatwise::app::{serve, worker};
use seatwise::kernel::clock::SetClock;
use seatwise::store::Store;
use seatwise_tests::faults::{FaultAt, Mode};
use seatwise_tests::world::host;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [database, folder, now_ms, n, ports @ ..] = words.as_slice() else {
        eprintln!("usage: sweep DATABASE FOLDER NOW_MS N PORT...");
        return ExitCode::from(2);
    };
    let serves = n == "serve";
    let (Ok(now_ms), Ok(n)) = (now_ms.parse(), if serves { Ok(0) } else { n.parse() }) else {
        eprintln!("NOW_MS and N are whole numbers");
        return ExitCode::from(2);
    };
    let ports: Vec<u16> = ports.iter().filter_map(|port| port.parse().ok()).collect();
    let faults = Arc::new(FaultAt::new(n, Mode::Kills));
    let store = match Store::open(database, faults.clone()).await {
        Ok(store) => store,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let clock = Arc::new(SetClock::at(now_ms));
    // Far from the numbers that the test's own starts draw.
    let start = 1_000 + u64::from(n);
    let host = host(folder.as_ref(), store, clock, &ports, faults.clone(), start);
    if serves {
        let tasks = worker::start(&host);
        serve::signal().await;
        worker::stop(&host, tasks).await;
        return ExitCode::SUCCESS;
    }
    faults.arm();
    if let Err(error) = worker::run_due(&host).await {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    println!("{}", faults.count());
    ExitCode::SUCCESS
}
