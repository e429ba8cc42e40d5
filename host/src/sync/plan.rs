//! How a run goes about it: repetition of failed calls, bounds against endless chains. Pure.

/// Tries of one page, the first included (`reliability.md` A3).
pub const MAX_TRIES: u32 = 5;
/// First backoff, milliseconds; doubles with each try.
pub const FIRST_BACKOFF_MS: u64 = 250;
/// Longest wait inside a run; a vendor that asks for more gets the run back later.
pub const MAX_WAIT_MS: u64 = 20_000;
/// Chains followed at once.
pub const PARALLEL_CHAINS: usize = 4;
/// Pages fetched ahead of the one being stored, for all chains together.
pub const PAGES_AHEAD: usize = 3;
/// How often a run that waits for the vendor's budget looks again.
pub const QUOTA_LOOK_MS: i64 = 3_600_000;
/// How often a run that waits for a right at the vendor looks again by itself.
pub const CHECKS_LOOK_MS: i64 = 3_600_000;
/// Pages in a row without one new account before a chain counts as endless.
pub const MAX_STALE_PAGES: u32 = 3;
/// Pages of one chain: 100,000 pages of 2,000 are two hundred million accounts.
pub const MAX_PAGES: i64 = 100_000;

/// What to do after a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait so long, then once more.
    Wait(u64),
    /// Give the run back; due again after so long.
    Later(u64),
    /// No more tries.
    GiveUp,
}

/// After try `tries` (from 1) of at most `most` failed with something that may pass. `chance` is uniform over `u64`: full jitter between half
/// and all of the backoff, so that many hosts do not come back together. The vendor's own wish is honoured.
#[must_use]
pub fn after_failure(tries: u32, most: u32, retry_after_ms: Option<u64>, chance: u64) -> Next {
    if tries >= most {
        return Next::GiveUp;
    }
    let backoff = (FIRST_BACKOFF_MS << tries.saturating_sub(1).min(16)).min(MAX_WAIT_MS);
    let jittered = backoff / 2 + chance % (backoff / 2 + 1);
    match retry_after_ms {
        Some(wish) if wish > MAX_WAIT_MS => Next::Later(wish),
        Some(wish) => Next::Wait(wish.max(jittered)),
        None => Next::Wait(jittered),
    }
}

/// What was seen of one chain in this process: finds a chain that goes round in circles.
#[derive(Debug, Default)]
pub struct Trail {
    seen: std::collections::HashSet<String>,
    stale: u32,
}

impl Trail {
    /// Notes the cursor a page was read at. False: it was there before, so the chain repeats itself.
    pub fn step(&mut self, cursor_digest: &str) -> bool {
        self.seen.insert(cursor_digest.to_owned())
    }

    /// Notes whether a page with accounts brought a new one. False: too many in a row did not.
    pub fn progress(&mut self, brought_new: bool) -> bool {
        self.stale = if brought_new { 0 } else { self.stale + 1 };
        self.stale < MAX_STALE_PAGES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_tried_five_times_with_growing_waits() {
        let mut waits = Vec::new();
        let mut tries = 1;
        while let Next::Wait(ms) = after_failure(tries, MAX_TRIES, None, u64::MAX) {
            waits.push(ms);
            tries += 1;
        }
        assert_eq!(tries, MAX_TRIES);
        assert!(
            waits.windows(2).all(|pair| pair[0] <= pair[1] * 2),
            "{waits:?}"
        );
        assert!(waits.iter().all(|ms| *ms >= FIRST_BACKOFF_MS / 2));
    }

    #[test]
    fn the_vendors_wish_is_honoured() {
        assert!(matches!(after_failure(1, 5, Some(3_000), 7), Next::Wait(ms) if ms >= 3_000));
        assert_eq!(after_failure(1, 5, Some(90_000), 7), Next::Later(90_000));
        assert_eq!(after_failure(5, 5, Some(1), 7), Next::GiveUp);
        assert_eq!(after_failure(1, 1, Some(1), 7), Next::GiveUp);
    }

    #[test]
    fn a_repeated_cursor_is_noticed_also_in_a_longer_circle() {
        let mut trail = Trail::default();
        assert!(trail.step("a") && trail.step("b") && trail.step("c"));
        assert!(!trail.step("a"));
    }

    #[test]
    fn pages_without_anything_new_end_a_chain() {
        let mut trail = Trail::default();
        assert!(trail.progress(true) && trail.progress(false) && trail.progress(false));
        assert!(trail.progress(true) && trail.progress(false) && trail.progress(false));
        assert!(!trail.progress(false));
    }
}
