//! A forward proxy that we did not write: Debian's squid, on loopback, with a folder of its own and a password.
//!
//! Invariants: it answers CONNECT alone, for the names it was given alone, and for one login alone; it resolves those names from a
//! file of its own, to loopback; it ends with this process, even when that is killed (a shell holds the other end of a pipe).

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Whom it lets through.
pub const USER: &str = "seatwise";
/// With which password.
pub const PASSWORD: &str = "canary-proxy-password-4f2a";

/// How long it may take to listen.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Runs squid until standard input closes, then ends it by its process id.
const KEEPER: &str = r#"
trap '' INT TERM
PATH=$PATH:/usr/sbin
squid -N -f "$1/squid.conf" >"$1/out" 2>&1 &
server=$!
cat >/dev/null
kill -KILL "$server"
wait "$server"
"#;

/// Knows one login; squid asks it line by line.
const HELPER: &str = "while read -r user password; do\n  if [ \"$user $password\" = \"LOGIN\" ]; then echo OK; else echo ERR; fi\ndone\n";

/// A running squid.
pub struct Squid {
    port: u16,
    folder: TempDir,
    keeper: Child,
}

impl Squid {
    /// Starts one that opens ways to these names, at any port, for [`USER`] with [`PASSWORD`].
    ///
    /// # Panics
    /// When squid is not installed or does not listen; the text names the command or shows its log.
    #[must_use]
    pub fn start(names: &[&str]) -> Self {
        Self::try_start(names).unwrap_or_else(|error| {
            panic!("squid for the tests: {error}; install it with: apt-get install squid")
        })
    }

    fn try_start(names: &[&str]) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("seatwise-squid-")
            .tempdir()?;
        let at = folder.path();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let shown = at.display();
        let resolved: String = names.iter().map(|n| format!("127.0.0.1 {n}\n")).collect();
        std::fs::write(at.join("hosts"), resolved)?;
        let helper = HELPER.replace("LOGIN", &format!("{USER} {PASSWORD}"));
        std::fs::write(at.join("login.sh"), helper)?;
        let config = format!(
            "http_port 127.0.0.1:{port}\npid_filename none\nhosts_file {shown}/hosts\ncache deny all\ncache_mem 1 MB\n\
             max_filedescriptors 1024\naccess_log stdio:{shown}/access.log\ncache_log {shown}/cache.log\ncache_store_log none\n\
             coredump_dir {shown}\nvisible_hostname proxy.test\npinger_enable off\n\
             auth_param basic program /bin/sh {shown}/login.sh\nauth_param basic children 2\nauth_param basic realm test\n\
             acl known proxy_auth REQUIRED\nacl connect method CONNECT\nacl allowed dstdomain {}\n\
             http_access deny !connect\nhttp_access deny !allowed\nhttp_access allow known\nhttp_access deny all\n",
            names.join(" ")
        );
        std::fs::write(at.join("squid.conf"), config)?;
        open_to_all(at)?;
        let keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER, "squid-keeper"])
            .arg(at)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let squid = Self {
            port,
            folder,
            keeper,
        };
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if began.elapsed() > START_LIMIT {
                let log = |name| std::fs::read_to_string(squid.folder.path().join(name));
                return Err(io::Error::other(format!(
                    "it does not listen: {} {}",
                    log("out").unwrap_or_default(),
                    log("cache.log").unwrap_or_default()
                )));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(squid)
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its log so far: one line for each way asked for, with the answer.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("access.log"));
        text.unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Ends it and waits until nobody listens.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().expect("the keeper ends");
    }
}

impl Drop for Squid {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Squid gives up root for a user of its own, which must read and write here.
fn open_to_all(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777))
}
