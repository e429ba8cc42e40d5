//! The vendor's API budget: when to pause and when to go on. Pure.
//!
//! One budget per org, shared by everything that calls it. Pauses at the profile's percentage of the vendor's limit (75 by default),
//! goes on five points lower; undo and observation, which end uncertainty, may go to 90.

/// Points below the threshold at which a paused run goes on.
pub const RESUME_POINTS: i64 = 5;
/// Percent up to which undo and observation may go.
pub const ENDING_PERCENT: i64 = 90;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Checks of the playbook.
    Check,
    /// Downloading.
    Sync,
    /// Planning and taking back.
    Reclaim,
    /// Giving back, and looking what became of a request.
    Ending,
}

/// Whether the next call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Go,
    /// It waits for the vendor's window.
    Pause,
}

/// Decides by calls used and allowed. `was_paused` makes the way back start lower, so that a run does not flutter.
#[must_use]
pub fn decide(used: i64, limit: i64, percent: i64, purpose: Purpose, was_paused: bool) -> Decision {
    if limit <= 0 {
        return Decision::Go;
    }
    let threshold = match (purpose, was_paused) {
        (Purpose::Ending, _) => ENDING_PERCENT.max(percent),
        (_, true) => (percent - RESUME_POINTS).max(0),
        (_, false) => percent,
    };
    if i128::from(used) * 100 >= i128::from(limit) * i128::from(threshold) {
        Decision::Pause
    } else {
        Decision::Go
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_74_999_of_100_000_it_goes_on_and_at_75_000_it_pauses() {
        assert_eq!(
            decide(74_999, 100_000, 75, Purpose::Sync, false),
            Decision::Go
        );
        assert_eq!(
            decide(75_000, 100_000, 75, Purpose::Sync, false),
            Decision::Pause
        );
    }

    #[test]
    fn a_paused_run_goes_on_five_points_lower() {
        assert_eq!(
            decide(70_000, 100_000, 75, Purpose::Sync, true),
            Decision::Pause
        );
        assert_eq!(
            decide(69_999, 100_000, 75, Purpose::Sync, true),
            Decision::Go
        );
    }

    #[test]
    fn what_ends_uncertainty_may_go_to_ninety() {
        assert_eq!(
            decide(89_999, 100_000, 75, Purpose::Ending, false),
            Decision::Go
        );
        assert_eq!(
            decide(90_000, 100_000, 75, Purpose::Ending, false),
            Decision::Pause
        );
    }

    #[test]
    fn a_vendor_without_a_limit_is_never_paused_for() {
        assert_eq!(decide(5, 0, 75, Purpose::Sync, false), Decision::Go);
    }
}
