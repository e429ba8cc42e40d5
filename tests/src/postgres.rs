//! A PostgreSQL cluster of our own: started by the test process, used by nobody else, gone when that process ends.
//!
//! Invariants: it listens on a unix socket in its own folder and on no port; it ends with the process that started it, even
//! when that process is killed (a shell holds the other end of a pipe and stops the server when the pipe closes); each
//! database is handed out once. Durability is switched off: what is killed in these tests is the host, never the database. Autovacuum comes
//! seldom: it visits every database in turn, and with hundreds of them it would be visiting all the time.

use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a cluster may take to accept connections; initdb and start take about two seconds on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(120);

/// Runs the server until standard input closes, then stops it at once and removes its folder.
const KEEPER: &str = r#"
trap '' INT TERM
"$1/initdb" -D "$2/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$2/log" 2>&1 || exit 1
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=400 -c fsync=off -c synchronous_commit=off \
  -c full_page_writes=off -c shared_buffers=128MB -c max_wal_size=4GB -c jit=off -c log_min_messages=warning \
  -c autovacuum_naptime=10min >>"$2/log" 2>&1 &
server=$!
cat >/dev/null
kill -QUIT "$server"
wait "$server"
rm -rf "$2"
"#;

/// One running cluster.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    next: AtomicU32,
    /// Closing it stops the server; it closes with this process at the latest.
    _lifeline: ChildStdin,
}

impl Cluster {
    /// The cluster of this process, started at the first call.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start; the text names the command or shows the server's log.
    #[must_use]
    pub fn of_this_process() -> &'static Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(|| {
            Self::start().unwrap_or_else(|error| panic!("PostgreSQL for the tests: {error}"))
        })
    }

    /// Makes an empty database and returns its URL.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn create_database(&self) -> String {
        self.create_from("template0")
    }

    /// Makes a copy of one of this cluster's databases, which nobody may be connected to, and returns its URL.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn copy_database(&self, url: &str) -> String {
        let name = url.rsplit('/').find_map(|part| part.split_once('?'));
        let (name, _) = name.unwrap_or_else(|| panic!("{url} is no database of this cluster"));
        self.create_from(name)
    }

    fn create_from(&self, template: &str) -> String {
        let name = format!("t{}", self.next.fetch_add(1, Ordering::Relaxed));
        let made = self
            .psql(
                "postgres",
                &format!("create database {name} template {template}"),
            )
            .unwrap_or_else(|error| panic!("create database {name}: {error}"));
        assert!(
            made.status.success(),
            "create database {name}: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        format!(
            "postgres://postgres@localhost/{name}?host={}",
            self.folder.display()
        )
    }

    fn start() -> io::Result<Self> {
        let programs = find_programs()?;
        let folder = tempfile::Builder::new()
            .prefix("seatwise-pg-")
            .tempdir()?
            .keep();
        let mut keeper = Command::new("sh");
        keeper
            .arg("-c")
            .arg(KEEPER)
            .arg("keeper")
            .arg(&programs)
            .arg(&folder);
        keeper
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        if std::fs::metadata("/proc/self")?.uid() == 0 {
            // The server refuses to run as root.
            let (uid, gid) = unprivileged_user()?;
            chown(&folder, Some(uid), Some(gid))?;
            keeper.uid(uid).gid(gid);
        }
        let lifeline = keeper
            .spawn()?
            .stdin
            .take()
            .ok_or_else(|| io::Error::other("the keeper has no standard input"))?;
        let cluster = Self {
            folder,
            programs,
            next: AtomicU32::new(1),
            _lifeline: lifeline,
        };
        let started = Instant::now();
        while !cluster
            .psql("postgres", "select 1")
            .is_ok_and(|answer| answer.status.success())
        {
            if started.elapsed() > START_LIMIT {
                let log = std::fs::read_to_string(cluster.folder.join("log")).unwrap_or_default();
                return Err(io::Error::other(format!(
                    "did not start within {START_LIMIT:?}:\n{log}"
                )));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(cluster)
    }

    fn psql(&self, database: &str, statement: &str) -> io::Result<std::process::Output> {
        Command::new(self.programs.join("psql"))
            .args([
                "-X", "-q", "-U", "postgres", "-d", database, "-c", statement, "-h",
            ])
            .arg(&self.folder)
            .env_remove("PGPORT")
            .stdin(Stdio::null())
            .output()
    }
}

/// The newest installation of version 15 or later in Debian's place.
fn find_programs() -> io::Result<PathBuf> {
    let newest = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|version| *version >= 15)
        .max();
    newest
        .map(|version| {
            Path::new("/usr/lib/postgresql")
                .join(version.to_string())
                .join("bin")
        })
        .filter(|programs| programs.join("initdb").exists())
        .ok_or_else(|| {
            io::Error::other("version 15 or newer is missing; run: apt-get install postgresql")
        })
}

/// User and group of `postgres`, else of `nobody`.
fn unprivileged_user() -> io::Result<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| {
            let line = users
                .lines()
                .find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        })
        .ok_or_else(|| io::Error::other("no user postgres or nobody to run the server as"))
}
