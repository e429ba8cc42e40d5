//! Whether a finished download may be believed. Pure.
//!
//! Absence of a row proves nothing until the run closed with matching counts (`reliability.md` P4): a doubtful run changes
//! no position, opens and closes no candidate, and waits for a person.

/// A fall of more than this share against the last complete run is suspicious.
pub const MAX_DROP_PERCENT: i64 = 20;

/// What a full run brought, and what it is compared with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Distinct accounts.
    pub accounts: i64,
    /// Distinct subscriptions of active accounts.
    pub subscriptions: i64,
    /// Accounts left out by the profile's scope.
    pub out_of_scope: i64,
    /// The vendor's own count of accounts.
    pub expected: Option<i64>,
    /// The last complete full run of the profile; `None` for the first, and after an edit of scope or settings.
    pub before: Option<Before>,
    /// Seats that we took back since then: their absence is our own doing.
    pub taken_back: i64,
}

/// What the last complete full run brought.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before {
    /// Distinct accounts.
    pub accounts: i64,
    /// Distinct subscriptions of active accounts.
    pub subscriptions: i64,
}

/// Why a run is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The vendor sent nobody.
    NoAccounts,
    /// Fewer than the vendor itself counted.
    Missing {
        /// The vendor's count.
        expected: i64,
        /// What arrived, those out of scope included.
        arrived: i64,
    },
    /// Accounts fell too far.
    FewerAccounts {
        /// Then, net of what we took back.
        before: i64,
        /// Now.
        now: i64,
    },
    /// Subscriptions in use fell too far, though the accounts are there.
    FewerSubscriptions {
        /// Then, net of what we took back.
        before: i64,
        /// Now.
        now: i64,
    },
}

impl Doubt {
    /// Stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NoAccounts => "sync.no_accounts",
            Self::Missing { .. } => "sync.accounts_missing",
            Self::FewerAccounts { .. } => "sync.fewer_accounts",
            Self::FewerSubscriptions { .. } => "sync.fewer_subscriptions",
        }
    }

    /// One sentence.
    #[must_use]
    pub fn message(self) -> String {
        match self {
            Self::NoAccounts => "the download ended without a single account".to_owned(),
            Self::Missing { expected, arrived } => {
                format!("the vendor counts {expected} accounts, {arrived} arrived")
            }
            Self::FewerAccounts { before, now } => {
                format!("{now} accounts arrived, {before} were expected from the last complete run")
            }
            Self::FewerSubscriptions { before, now } => format!(
                "{now} subscriptions in use arrived, {before} were expected from the last complete run"
            ),
        }
    }
}

/// What a person does about it.
pub const FIX: &str = "Check in the vendor org whether the connecting user still sees everyone; run again, or accept this run with a reason if the fall is real";

/// All doubts about a full run; none: it may be merged.
#[must_use]
pub fn doubts(counts: &Counts) -> Vec<Doubt> {
    let mut found = Vec::new();
    if counts.accounts == 0 {
        found.push(Doubt::NoAccounts);
        return found;
    }
    let arrived = counts.accounts + counts.out_of_scope;
    if let Some(expected) = counts.expected.filter(|expected| arrived < *expected) {
        found.push(Doubt::Missing { expected, arrived });
    }
    if let Some(before) = counts.before {
        let net = |n: i64| (n - counts.taken_back).max(0);
        if fell(net(before.accounts), counts.accounts) {
            found.push(Doubt::FewerAccounts {
                before: net(before.accounts),
                now: counts.accounts,
            });
        } else if fell(net(before.subscriptions), counts.subscriptions) {
            found.push(Doubt::FewerSubscriptions {
                before: net(before.subscriptions),
                now: counts.subscriptions,
            });
        }
    }
    found
}

/// More than [`MAX_DROP_PERCENT`] below.
fn fell(before: i64, now: i64) -> bool {
    now * 100 < before * (100 - MAX_DROP_PERCENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(accounts: i64, before: i64) -> Counts {
        Counts {
            accounts,
            subscriptions: accounts,
            before: Some(Before {
                accounts: before,
                subscriptions: before,
            }),
            ..Counts::default()
        }
    }

    #[test]
    fn zero_rows_are_never_believed() {
        let counts = Counts {
            expected: Some(0),
            ..Counts::default()
        };
        assert_eq!(doubts(&counts), [Doubt::NoAccounts]);
    }

    #[test]
    fn a_fall_of_exactly_twenty_percent_passes_and_one_more_does_not() {
        assert!(doubts(&run(80, 100)).is_empty());
        assert_eq!(
            doubts(&run(79, 100)),
            [Doubt::FewerAccounts {
                before: 100,
                now: 79
            }]
        );
    }

    #[test]
    fn seats_we_took_back_rebase_the_fall() {
        let counts = Counts {
            taken_back: 10,
            ..run(72, 100)
        };
        assert!(doubts(&counts).is_empty(), "72 of 90");
        let counts = Counts {
            taken_back: 10,
            ..run(71, 100)
        };
        assert_eq!(doubts(&counts).len(), 1);
    }

    #[test]
    fn an_edited_scope_has_nothing_to_compare_with() {
        let counts = Counts {
            before: None,
            ..run(5, 100)
        };
        assert!(doubts(&counts).is_empty());
    }

    #[test]
    fn one_account_fewer_than_the_vendor_counts_is_a_doubt() {
        let counts = |accounts, out_of_scope| Counts {
            accounts,
            out_of_scope,
            expected: Some(9_000),
            ..Counts::default()
        };
        assert_eq!(
            doubts(&counts(8_999, 0)),
            [Doubt::Missing {
                expected: 9_000,
                arrived: 8_999
            }]
        );
        assert!(doubts(&counts(8_999, 1)).is_empty());
        assert!(
            doubts(&counts(9_001, 0)).is_empty(),
            "someone was hired meanwhile"
        );
    }

    #[test]
    fn accounts_without_their_subscriptions_are_a_doubt() {
        let counts = Counts {
            subscriptions: 10,
            ..run(100, 100)
        };
        assert_eq!(
            doubts(&counts),
            [Doubt::FewerSubscriptions {
                before: 100,
                now: 10
            }]
        );
    }
}
