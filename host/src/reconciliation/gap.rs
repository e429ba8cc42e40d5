//! Why an org shows fewer seats than its vendor counts. Pure.
//!
//! A profile's filters leave accounts out of what is downloaded, never out of the vendor's own totals (seed 004): the position then rests
//! on the vendor's total and on fewer subscriptions, and says so.

use serde::{Deserialize, Serialize};

use super::model::{Basis, PositionView};

/// Seats of one product in one org: as the vendor counts them, and as they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatGap {
    /// In use by the vendor's count.
    pub at_vendor: i64,
    /// Active subscriptions here.
    pub shown: i64,
    /// Held outside the profile's filters: never more than the accounts that these left out.
    pub outside_filters: i64,
    /// What the filters do not explain; below zero where more are shown than the vendor counts.
    pub unexplained: i64,
    /// The same in a sentence.
    pub says: String,
}

impl SeatGap {
    /// The difference, where there is one. `left_out`: accounts that the filters left out of the last full download.
    #[must_use]
    pub fn between(at_vendor: i64, shown: i64, left_out: i64) -> Option<Self> {
        let missing = at_vendor - shown;
        if missing == 0 {
            return None;
        }
        let outside_filters = missing.clamp(0, left_out.max(0));
        let unexplained = missing - outside_filters;
        let mut says = format!("{shown} of {at_vendor} in use by the vendor's count");
        if outside_filters > 0 {
            says.push_str(&format!(
                ": {outside_filters} outside the profile's filters"
            ));
        }
        match unexplained {
            0 => {}
            1.. => says.push_str(&format!(
                "{} {unexplained} not shown to the connecting user, or changed since: run the checks, then collect",
                if outside_filters > 0 { ", and" } else { ":" }
            )),
            _ => says.push_str(": the vendor counts later than it shows; the next run compares again"),
        }
        Some(Self {
            at_vendor,
            shown,
            outside_filters,
            unexplained,
            says,
        })
    }

    /// The difference of a stored position of one org, with what the positions stand on.
    pub(super) fn of(position: &PositionView, basis: &[Basis]) -> Option<Self> {
        let org = basis.iter().find(|b| b.organization_id == position.scope)?;
        if position.metric != "seats" {
            return None;
        }
        Self::between(position.vendor_used?, position.active, org.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_vendor_counts_beyond_what_is_shown_is_explained_by_the_filters_first() {
        let said = |at_vendor, shown, left_out| {
            SeatGap::between(at_vendor, shown, left_out)
                .map(|gap| (gap.outside_filters, gap.unexplained, gap.says))
        };
        assert_eq!(said(10, 10, 4), None);
        let (outside, unexplained, says) = said(10, 6, 4).unwrap();
        assert_eq!((outside, unexplained), (4, 0));
        assert_eq!(
            says,
            "6 of 10 in use by the vendor's count: 4 outside the profile's filters"
        );
        let (outside, unexplained, says) = said(10, 5, 4).unwrap();
        assert_eq!((outside, unexplained), (4, 1));
        assert!(
            says.contains("4 outside the profile's filters, and 1 not shown"),
            "{says}"
        );
        let (outside, unexplained, says) = said(10, 9, 0).unwrap();
        assert_eq!((outside, unexplained), (0, 1));
        assert!(
            says.contains("count: 1 not shown") && says.contains("run the checks"),
            "{says}"
        );
        let (outside, unexplained, says) = said(9, 10, 3).unwrap();
        assert_eq!((outside, unexplained), (0, -1));
        assert!(says.contains("next run"), "{says}");
    }
}
