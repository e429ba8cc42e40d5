//! Faults at effect points: the host fails, or dies, at the n-th one.
//!
//! The points are those of [`seatwise::kernel::faults`]: store begin, commit and committed, guest call, HTTP send and answer. Counting
//! them in order makes "every step" a loop: run with n = 1, 2, 3 … until a run meets fewer than n.

use std::sync::Mutex;
use std::sync::PoisonError;

use seatwise::kernel::faults::{Faults, Injected};
use tokio::sync::Notify;

/// What happens from the n-th effect point on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// This one effect fails; the host goes on and must cope.
    Fails,
    /// Nothing works any more: what a process that was killed there would have left behind.
    Dies,
    /// The process kills itself with SIGKILL.
    Kills,
}

/// Faults at the n-th effect point.
#[derive(Debug)]
pub struct FaultAt {
    n: u32,
    mode: Mode,
    met: Mutex<Met>,
    struck: Notify,
}

#[derive(Debug, Default)]
struct Met {
    armed: bool,
    count: u32,
    struck_at: Option<&'static str>,
}

impl FaultAt {
    /// Strikes at effect point `n` (from 1) after [`FaultAt::arm`]; 0 never strikes and only counts.
    #[must_use]
    pub fn new(n: u32, mode: Mode) -> Self {
        Self {
            n,
            mode,
            met: Mutex::default(),
            struck: Notify::new(),
        }
    }

    /// Counting starts here: what came before was set-up.
    pub fn arm(&self) {
        self.lock().armed = true;
    }

    /// Counting ends: what follows is looking at the result.
    pub fn disarm(&self) {
        self.lock().armed = false;
    }

    /// How many effect points were met while armed.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.lock().count
    }

    /// Where it struck, if it did.
    #[must_use]
    pub fn struck_at(&self) -> Option<&'static str> {
        self.lock().struck_at
    }

    /// Waits until it strikes; for ever, if it never does.
    pub async fn wait(&self) {
        self.struck.notified().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Faults for FaultAt {
    fn step(&self, point: &'static str) -> Result<(), Injected> {
        let mut met = self.lock();
        if !met.armed {
            return Ok(());
        }
        met.count += 1;
        let strikes = match self.mode {
            Mode::Fails | Mode::Kills => met.count == self.n,
            Mode::Dies => self.n > 0 && met.count >= self.n,
        };
        if !strikes {
            return Ok(());
        }
        if met.struck_at.replace(point).is_none() {
            self.struck.notify_one();
        }
        if self.mode == Mode::Kills {
            kill_this_process();
        }
        Err(Injected(point))
    }
}

/// SIGKILL to ourselves: no destructor, no flush, no further statement.
fn kill_this_process() -> ! {
    let killed = std::process::Command::new("kill")
        .args(["-9", &std::process::id().to_string()])
        .status();
    // The signal arrives before or while we wait here; nothing after this line has an effect.
    eprintln!("kill -9 did not end this process: {killed:?}");
    std::process::abort()
}
