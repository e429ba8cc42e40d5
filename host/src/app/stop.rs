//! The wish that this process ends: asked once, seen by whoever works, and what must not be cut off by it.

use tokio::sync::watch;

/// Everybody's view of one wish. Clone it freely.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: watch::Sender<bool>,
    busy: watch::Sender<usize>,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            asked: watch::Sender::new(false),
            busy: watch::Sender::new(0),
        }
    }
}

impl Stop {
    /// Asks everybody to reach a safe point and end.
    pub fn ask(&self) {
        self.asked.send_replace(true);
    }

    /// Whether somebody has asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Waits until somebody asks.
    pub async fn asked(&self) {
        // The sender lives in `self`, so the wait ends by the wish alone.
        let _ = self.asked.subscribe().wait_for(|asked| *asked).await;
    }

    /// Something is under way, until the guard is dropped, whose answer would be lost with the process.
    #[must_use]
    pub fn busy(&self) -> Busy {
        self.busy.send_modify(|count| *count += 1);
        Busy(self.busy.clone())
    }

    /// Waits until no guard is left.
    pub async fn idle(&self) {
        let _ = self.busy.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// Keeps the process from ending while it lives, within the time a stop may take.
#[derive(Debug)]
pub struct Busy(watch::Sender<usize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
