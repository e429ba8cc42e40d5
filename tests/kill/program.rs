//! `seatwise serve` as a process of its own, on an installation that is a folder and a database.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use seatwise::app::start::{self, Start};
use seatwise::identity::roles::{Actor, Role, Via};
use seatwise::identity::service::{self as identity, NewPrincipal, PrincipalKind};
use seatwise::kernel::clock::SystemClock;
use seatwise::kernel::faults::NoFaults;
use seatwise::profiles::service::{self as profiles, NewProfile};
use seatwise_practice_org_salesforce::{App, Running};
use seatwise_tests::database::{Engine, copy_folder};
use seatwise_tests::postgres::Cluster;
use tempfile::TempDir;

/// How long a process may take to say where it serves.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Keys, compiled connectors and a database that no process works on.
pub struct Installation {
    folder: TempDir,
    database: Option<String>,
}

impl Installation {
    /// With Ana, an administrator so that `serve` hands her a token, and one published profile for the org, whose first run nobody has begun.
    pub async fn with_due_run(engine: Engine, org: &Running, app: App) -> Self {
        let installation = Self {
            folder: folder(),
            database: (engine == Engine::Postgres)
                .then(|| Cluster::of_this_process().create_database()),
        };
        let host = start::open(Start {
            outbound: &[],
            data: installation.folder.path(),
            database: installation.database.as_deref(),
            public_url: "http://127.0.0.1".to_owned(),
            allow: &[org.address().to_string()],
            mail: None,
            clock: Arc::new(SystemClock),
            faults: Arc::new(NoFaults),
        })
        .await
        .expect("a host opens");
        let new = NewPrincipal {
            kind: PrincipalKind::Person,
            name: "Ana".to_owned(),
            email: Some("ana@company.example".to_owned()),
            roles: [Role::SamIntegrator, Role::SamAdmin, Role::Admin].into(),
        };
        let id = identity::create_principal(&host, &Actor::system(), new)
            .await
            .expect("a person is created");
        let ana = Actor {
            name: "Ana".to_owned(),
            roles: [Role::SamIntegrator, Role::SamAdmin].into(),
            via: Via::Session {
                session: format!("sess_{id}"),
            },
            sight: seatwise::store::Sight::everything(),
            id,
        };
        let new = NewProfile {
            connector: "salesforce".to_owned(),
            name: "Org".to_owned(),
            parent: None,
            login_url: org.base_url().to_owned(),
            grant: "client-credentials".to_owned(),
            client_id: app.client_id,
            client_secret: app.client_secret.into(),
            refresh_token: None,
            settings: Vec::new(),
        };
        let profile = profiles::create(&host, &ana, new)
            .await
            .expect("the profile is created");
        profiles::publish(&host, &ana, &profile.number)
            .await
            .expect("the profile is published");
        host.store.close().await;
        installation
    }

    /// An installation of its own with the same content.
    pub fn copy(&self) -> Self {
        let folder = folder();
        copy_folder(self.folder.path(), folder.path());
        let database = self
            .database
            .as_deref()
            .map(|url| Cluster::of_this_process().copy_database(url));
        Self { folder, database }
    }

    /// The address of its database.
    pub fn url(&self) -> String {
        self.database.clone().unwrap_or_else(|| {
            format!(
                "sqlite:{}",
                self.folder.path().join("seatwise.db").display()
            )
        })
    }

    /// The command that serves it, on a free port.
    pub fn command(&self, org: &Running) -> Command {
        let mut command = Command::new(seatwise());
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(self.folder.path())
            .args(["--allow-target", &org.address().to_string()])
            .stdin(Stdio::null());
        if let Some(url) = &self.database {
            command.args(["--database", url]);
        }
        command
    }

    /// Serves it.
    pub fn serve(&self, org: &Running) -> Served {
        let mut child = self
            .command(org)
            .stdout(Stdio::piped())
            .spawn()
            .expect("seatwise starts");
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let (sender, lines) = mpsc::channel();
        // Reads on until the process ends, so that it never waits for its output to be taken.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // Nobody listens any more once it serves.
                let _ = sender.send(line);
            }
        });
        let mut served = Served {
            child,
            url: String::new(),
            token: String::new(),
        };
        let until = Instant::now() + START_LIMIT;
        while served.url.is_empty() || served.token.is_empty() {
            let line = lines
                .recv_timeout(until.saturating_duration_since(Instant::now()))
                .expect("seatwise says where it serves and where Ana's token is");
            if let Some(url) = line.strip_prefix("Seatwise serves ") {
                url.clone_into(&mut served.url);
            }
            if let Some((_, file)) = line.split_once("Ana on the command line: --token-file ") {
                served.token = std::fs::read_to_string(file).expect("the token's file is there");
            }
        }
        served
    }
}

/// A process that serves; killed when dropped.
pub struct Served {
    child: Child,
    url: String,
    token: String,
}

impl Served {
    /// One answer of the API.
    pub async fn get(&self, path: &str) -> serde_json::Value {
        // Another test of this process may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build()
            .expect("a client is made");
        let answer = client
            .get(format!("{}/api/v1/{path}", self.url))
            .bearer_auth(self.token.trim())
            .send()
            .await
            .expect("the API answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.expect("the API answers JSON")
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it ends");
    }

    /// SIGTERM; how it ended and how long that took. `None` when it did not within the limit.
    pub fn stop(mut self, limit: Duration) -> Option<(ExitStatus, Duration)> {
        let began = Instant::now();
        let told = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .expect("kill is there");
        assert!(told.success());
        while began.elapsed() < limit {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return Some((status, began.elapsed()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Ended already, when a test got so far.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program beside the tests: `target/PROFILE/seatwise`.
fn seatwise() -> PathBuf {
    let tests = std::env::current_exe().expect("a test knows its own file");
    let program = tests
        .ancestors()
        .nth(2)
        .expect("tests lie in target/PROFILE/deps")
        .join("seatwise");
    assert!(
        program.exists(),
        "{} is missing; run: cargo build --workspace --bins, with the profile of the tests",
        program.display()
    );
    program
}

fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("seatwise-kill-")
        .tempdir()
        .expect("a temporary folder can be made")
}
