//! Whether a subscription is a candidate, and why or why not. Pure.
//!
//! `candidate ⇔ active ∧ recognised ∧ not exempt ∧ known ∧ inactive days ≥ threshold`. "Cannot judge" is a result of its
//! own: unknown is never zero.

use serde::Serialize;

use super::rule::Deciding;
use crate::kernel::Day;

/// What is known of one subscription on a day.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Its organization.
    pub organization: &'a str,
    /// User principal name.
    pub principal: &'a str,
    /// Account kind.
    pub kind: &'a str,
    /// The subscription counts as a right in use.
    pub is_active: bool,
    /// The identifier has a product.
    pub is_recognised: bool,
    /// The product costs nothing.
    pub is_free: bool,
    /// An exemption in force names it.
    pub is_exempt: bool,
    /// No activity was ever seen.
    pub is_never_active: bool,
    /// Where the clock of inactivity starts; `None` when that cannot be known.
    pub baseline_ms: Option<i64>,
    /// Its organization is imported: no connector can take the seat back.
    pub is_imported: bool,
    /// Not before this moment, after a keep, an undo or a reactivation.
    pub cool_down_until_ms: Option<i64>,
}

/// What the rule says of it, each with the value that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// Named by the rule.
    Candidate {
        /// Whole UTC days.
        inactive_days: i64,
    },
    /// As unused as a candidate, but nobody can be asked to take it back: a person does it at the vendor.
    ByHand {
        /// Whole UTC days.
        inactive_days: i64,
    },
    /// Used recently enough, or too new.
    InUse {
        /// Whole UTC days.
        inactive_days: i64,
        /// The rule's.
        threshold_days: i64,
    },
    /// The account is not active: nothing to take back.
    NotActive,
    /// No product: waits in the queue of unrecognised identifiers.
    Unrecognised,
    /// Costs nothing.
    Free,
    /// Somebody said never, with a reason.
    Exempt,
    /// Named in the rule's exclusions.
    Excluded,
    /// Not a kind of account that the rule looks at.
    OtherKind,
    /// Outside the rule's organizations.
    OutOfScope,
    /// Never active, and the rule leaves those out.
    NeverActiveLeftOut,
    /// Kept, undone or reactivated a short while ago.
    CoolingDown,
    /// Activity or dates could not be read.
    CannotJudge,
}

impl Verdict {
    /// The word, as the set-based statement and the API have it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Candidate { .. } => "candidate",
            Self::ByHand { .. } => "by_hand",
            Self::InUse { .. } => "in_use",
            Self::NotActive => "not_active",
            Self::Unrecognised => "unrecognised",
            Self::Free => "free",
            Self::Exempt => "exempt",
            Self::Excluded => "excluded",
            Self::OtherKind => "other_kind",
            Self::OutOfScope => "out_of_scope",
            Self::NeverActiveLeftOut => "never_active_left_out",
            Self::CoolingDown => "cooling_down",
            Self::CannotJudge => "cannot_judge",
        }
    }

    /// One sentence for the person who asks why.
    #[must_use]
    pub fn because(&self) -> String {
        match self {
            Self::Candidate { inactive_days } => because("candidate", Some(*inactive_days), 0),
            Self::ByHand { inactive_days } => because("by_hand", Some(*inactive_days), 0),
            Self::InUse {
                inactive_days,
                threshold_days,
            } => because("in_use", Some(*inactive_days), *threshold_days),
            other => says(other.word()).to_owned(),
        }
    }
}

/// A verdict's word, as the set-based statement gives it, in words without numbers.
#[must_use]
pub fn says(verdict: &str) -> &'static str {
    match verdict {
        "candidate" => "named by the rule",
        "by_hand" => {
            "unused, but imported: nobody can be asked to take it back, do it at the vendor"
        }
        "in_use" => "used recently enough, or too new",
        "not_active" => "the account is not active",
        "unrecognised" => "the identifier has no product yet",
        "free" => "the product costs nothing",
        "exempt" => "exempt",
        "excluded" => "excluded by the rule",
        "other_kind" => "not an account of a person",
        "out_of_scope" => "outside the rule's organizations",
        "never_active_left_out" => "never active, and the rule leaves those out",
        "cooling_down" => "kept or given back a short while ago",
        _ => "last activity is not known",
    }
}

/// The same with the numbers that decided.
#[must_use]
pub fn because(verdict: &str, inactive_days: Option<i64>, threshold_days: i64) -> String {
    match (verdict, inactive_days) {
        ("candidate", Some(days)) => format!("no activity for {days} days"),
        ("by_hand", Some(days)) => {
            format!(
                "no activity for {days} days; imported, so it is taken back by hand at the vendor"
            )
        }
        ("in_use", Some(days)) => format!("{days} < {threshold_days} days"),
        _ => says(verdict).to_owned(),
    }
}

/// Decides one subscription on the UTC day of `now_ms`.
#[must_use]
pub fn evaluate(rule: &Deciding, facts: &Facts<'_>, now_ms: i64) -> Verdict {
    if !facts.is_active {
        return Verdict::NotActive;
    }
    if !facts.is_recognised {
        return Verdict::Unrecognised;
    }
    if facts.is_free {
        return Verdict::Free;
    }
    if !rule.covers(facts.organization) {
        return Verdict::OutOfScope;
    }
    if !rule.conditions.account_kinds.contains(facts.kind) {
        return Verdict::OtherKind;
    }
    if facts.is_exempt {
        return Verdict::Exempt;
    }
    if rule.exclusions.contains(&facts.principal.to_lowercase()) {
        return Verdict::Excluded;
    }
    if facts.is_never_active && !rule.conditions.include_never_active {
        return Verdict::NeverActiveLeftOut;
    }
    if facts.cool_down_until_ms.is_some_and(|until| now_ms < until) {
        return Verdict::CoolingDown;
    }
    let Some(baseline_ms) = facts.baseline_ms else {
        return Verdict::CannotJudge;
    };
    let inactive_days = Day::of_ms(baseline_ms).days_until(Day::of_ms(now_ms));
    if inactive_days >= rule.threshold_days && facts.is_imported {
        Verdict::ByHand { inactive_days }
    } else if inactive_days >= rule.threshold_days {
        Verdict::Candidate { inactive_days }
    } else {
        Verdict::InUse {
            inactive_days,
            threshold_days: rule.threshold_days,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sam-domain.md` §10: id, last activity, created, active, free, exempt, recognised, inactive days, candidate.
    type Row = (
        &'static str,
        Option<&'static str>,
        &'static str,
        bool,
        bool,
        bool,
        bool,
        Option<i64>,
        bool,
    );

    const EXAMPLE: &[Row] = &[
        (
            "S01",
            Some("2026-03-30"),
            "2023-01-09",
            true,
            false,
            false,
            true,
            Some(1),
            false,
        ),
        (
            "S02",
            Some("2026-01-31"),
            "2023-01-09",
            true,
            false,
            false,
            true,
            Some(59),
            false,
        ),
        (
            "S03",
            Some("2026-01-30"),
            "2023-01-09",
            true,
            false,
            false,
            true,
            Some(60),
            true,
        ),
        (
            "S04",
            Some("2025-11-01"),
            "2023-01-09",
            true,
            false,
            false,
            true,
            Some(150),
            true,
        ),
        (
            "S05",
            None,
            "2026-03-01",
            true,
            false,
            false,
            true,
            Some(30),
            false,
        ),
        (
            "S06",
            None,
            "2025-10-01",
            true,
            false,
            false,
            true,
            Some(181),
            true,
        ),
        (
            "S07",
            Some("2025-09-01"),
            "2023-01-09",
            true,
            false,
            true,
            true,
            None,
            false,
        ),
        (
            "S08",
            Some("2025-06-01"),
            "2023-01-09",
            true,
            false,
            true,
            true,
            None,
            false,
        ),
        (
            "S09",
            Some("2025-12-15"),
            "2023-01-09",
            true,
            false,
            false,
            true,
            Some(106),
            true,
        ),
        (
            "S10",
            Some("2026-01-05"),
            "2023-01-09",
            true,
            false,
            false,
            true,
            Some(85),
            true,
        ),
        (
            "S11",
            Some("2025-05-01"),
            "2023-01-09",
            false,
            false,
            false,
            true,
            None,
            false,
        ),
        (
            "S14",
            Some("2025-12-01"),
            "2024-01-09",
            true,
            false,
            false,
            true,
            Some(120),
            true,
        ),
        (
            "S17",
            Some("2025-08-01"),
            "2024-01-09",
            true,
            true,
            false,
            true,
            None,
            false,
        ),
        (
            "S18",
            Some("2026-03-01"),
            "2024-01-09",
            true,
            false,
            false,
            false,
            None,
            false,
        ),
    ];

    fn ms(day: &str) -> i64 {
        day.parse::<Day>().unwrap().start_ms()
    }

    fn person() -> Facts<'static> {
        Facts {
            organization: "org_1",
            principal: "cy@example.com",
            kind: "person",
            is_active: true,
            is_recognised: true,
            is_free: false,
            is_exempt: false,
            is_never_active: false,
            baseline_ms: Some(ms("2026-01-30")),
            is_imported: false,
            cool_down_until_ms: None,
        }
    }

    #[test]
    fn the_worked_example_names_exactly_its_candidates() {
        let rule = Deciding::generated("deactivate");
        for (id, last, created, is_active, is_free, is_exempt, is_recognised, days, expected) in
            EXAMPLE
        {
            let facts = Facts {
                is_active: *is_active,
                is_free: *is_free,
                is_exempt: *is_exempt,
                is_recognised: *is_recognised,
                is_never_active: last.is_none(),
                baseline_ms: Some(ms(last.unwrap_or(created))),
                ..person()
            };
            let verdict = evaluate(&rule, &facts, ms("2026-03-31"));
            assert_eq!(
                matches!(verdict, Verdict::Candidate { .. }),
                *expected,
                "{id}"
            );
            if let Verdict::Candidate { inactive_days } | Verdict::InUse { inactive_days, .. } =
                verdict
            {
                assert_eq!(Some(inactive_days), *days, "{id}");
            }
        }
    }

    #[test]
    fn the_answer_to_why_not_names_both_numbers() {
        let facts = Facts {
            baseline_ms: Some(ms("2026-01-31")),
            ..person()
        };
        assert_eq!(
            evaluate(&Deciding::generated("deactivate"), &facts, ms("2026-03-31")).because(),
            "59 < 60 days"
        );
    }

    #[test]
    fn b13_activity_that_was_not_permitted_to_be_read_is_never_a_candidate() {
        let facts = Facts {
            baseline_ms: None,
            ..person()
        };
        assert_eq!(
            evaluate(&Deciding::generated("deactivate"), &facts, ms("2030-01-01")),
            Verdict::CannotJudge
        );
    }

    #[test]
    fn an_unused_seat_of_an_imported_organization_is_for_a_person_and_no_candidate() {
        let rule = Deciding::generated("deactivate");
        let facts = Facts {
            is_imported: true,
            ..person()
        };
        let verdict = evaluate(&rule, &facts, ms("2026-03-31"));
        assert_eq!(verdict, Verdict::ByHand { inactive_days: 60 });
        assert!(verdict.because().contains("by hand at the vendor"));
        assert!(matches!(
            evaluate(&rule, &facts, ms("2026-03-30")),
            Verdict::InUse { .. }
        ));
    }

    #[test]
    fn a_cool_down_protects_until_its_moment() {
        let rule = Deciding::generated("deactivate");
        let facts = Facts {
            cool_down_until_ms: Some(ms("2026-04-30")),
            ..person()
        };
        assert_eq!(
            evaluate(&rule, &facts, ms("2026-04-29")),
            Verdict::CoolingDown
        );
        assert!(matches!(
            evaluate(&rule, &facts, ms("2026-04-30")),
            Verdict::Candidate { .. }
        ));
    }

    #[test]
    fn exclusions_do_not_care_for_case() {
        let mut rule = Deciding::generated("deactivate");
        rule.exclusions.insert("cy@example.com".to_owned());
        let facts = Facts {
            principal: "Cy@Example.com",
            ..person()
        };
        assert_eq!(evaluate(&rule, &facts, ms("2026-03-31")), Verdict::Excluded);
    }
}
