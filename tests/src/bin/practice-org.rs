//! A practice org as a process of its own, for clients that are not Rust and for hosts that are killed: `practice-org USERS SEED FOLDER`.
//!
//! Prints one line of JSON with its addresses and the app's key and secret, writes its throw-away authority to FOLDER/ca.pem, and runs
//! until standard input closes.

use std::path::PathBuf;
use std::process::ExitCode;

use seatwise_practice_org_salesforce::{Crowd, Listen, OrgSpec, PracticeOrg};
use tokio::io::AsyncReadExt as _;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [users, seed, folder] = words.as_slice() else {
        eprintln!("usage: practice-org USERS SEED FOLDER");
        return ExitCode::from(2);
    };
    let (Ok(users), Ok(seed)) = (users.parse(), seed.parse()) else {
        eprintln!("USERS and SEED are numbers");
        return ExitCode::from(2);
    };
    match run(users, seed, PathBuf::from(folder)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("practice-org: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(users: u64, seed: u64, folder: PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    let mut spec = OrgSpec::new(
        "00D5g0000000001EAA",
        "Practice",
        "practice.my.salesforce.com",
    );
    if users > 0 {
        spec.crowd = Some(Crowd::new(users, seed));
    }
    // The readers of the benchmark ask for millions of rows; the day's budget is not what is measured.
    spec.api_limit = 10_000_000;
    let app = spec.apps[0].clone();
    let people = spec.people.len() as u64 + users;
    let my_domain = spec.my_domain.clone();
    let listen = Listen {
        https: Some(([127, 0, 0, 1], 0).into()),
        ..Listen::loopback()
    };
    let org = PracticeOrg::start(spec, listen).await?;
    let authority = folder.join("ca.pem");
    std::fs::write(&authority, org.ca_pem().unwrap_or_default())?;
    println!(
        "{}",
        serde_json::json!({
            "base_url": org.base_url(), "https_url": org.https_url(), "my_domain": my_domain, "ca": authority,
            "client_id": app.client_id, "client_secret": app.client_secret, "users": people,
        })
    );
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}
