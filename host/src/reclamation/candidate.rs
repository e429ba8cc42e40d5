//! The removal candidate's life: one table of states and events, from which code, document and test are made. Pure.
//!
//! Source: the approvals contract and `sam-domain.md` §2.10. A state can only be left through [`next`].

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Where a candidate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// May be put into a batch.
    Ready,
    /// A person must repair or decide something first.
    AttentionRequired,
    /// The holder was asked and may answer.
    AwaitingUser,
    /// The holder wishes to keep the seat; an approver decides.
    AwaitingApproval,
    /// Will be taken back as soon as nothing stands in the way.
    AwaitingRevocation,
    /// Stopped by a limit, a freeze day, the kill switch, the write mode, or silence.
    Held,
    /// The intent is durable; the request may be on its way.
    Applying,
    /// Nobody knows yet whether the request arrived.
    Unverified,
    /// First step done: sign-in blocked, the seat still used; grace runs.
    Frozen,
    /// Taken back; the next download must agree.
    Reclaimed,
    /// Taken back and confirmed.
    ClosedComplete,
    /// Not taken back, on purpose or because it ended by itself.
    ClosedSkipped,
    /// Not taken back: used again, or unrepaired for too long.
    ClosedCanceled,
    /// Taken back and given back.
    Undone,
}

use State::{
    Applying, AttentionRequired, AwaitingApproval, AwaitingRevocation, AwaitingUser,
    ClosedCanceled, ClosedComplete, ClosedSkipped, Frozen, Held, Ready, Reclaimed, Undone,
    Unverified,
};

impl State {
    /// All states, open ones first.
    pub const ALL: [Self; 14] = [
        Ready,
        AttentionRequired,
        AwaitingUser,
        AwaitingApproval,
        AwaitingRevocation,
        Held,
        Applying,
        Unverified,
        Frozen,
        Reclaimed,
        ClosedComplete,
        ClosedSkipped,
        ClosedCanceled,
        Undone,
    ];

    /// The stored and spoken word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Ready => "ready",
            AttentionRequired => "attention_required",
            AwaitingUser => "awaiting_user",
            AwaitingApproval => "awaiting_approval",
            AwaitingRevocation => "awaiting_revocation",
            Held => "held",
            Applying => "applying",
            Unverified => "unverified",
            Frozen => "frozen",
            Reclaimed => "reclaimed",
            ClosedComplete => "closed_complete",
            ClosedSkipped => "closed_skipped",
            ClosedCanceled => "closed_canceled",
            Undone => "undone",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether anything can still happen by itself.
    #[must_use]
    pub fn is_open(self) -> bool {
        !matches!(
            self,
            ClosedComplete | ClosedSkipped | ClosedCanceled | Undone
        )
    }

    /// Open, and no request of ours is under way.
    #[must_use]
    pub fn is_calm(self) -> bool {
        self.is_open() && !matches!(self, Applying | Unverified)
    }
}

/// What happens to a candidate. The guards of the contract are part of the event's meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Person resolved, blocker gone, or error repaired.
    Repaired,
    /// Thirty days without repair.
    UnrepairedTooLong,
    /// Batch approved; the rule asks the holder first.
    ApprovedWithNotice,
    /// Batch approved; nobody is asked.
    ApprovedWithoutNotice,
    /// Holder: not needed.
    NotNeeded,
    /// Holder: keep, with a reason.
    KeepWished,
    /// No answer; the rule says reclaim.
    SilenceReclaims,
    /// No answer; the rule says hold.
    SilenceHolds,
    /// Approver agrees with keeping.
    KeepGranted,
    /// Approver refuses keeping.
    KeepRefused,
    /// Limit, freeze day, kill switch, or write mode not live.
    Stopped,
    /// The reason of the hold is gone, or a person released it.
    Released,
    /// Fresh facts are clean and the plan equals the approved one; the intent is durable.
    Begun,
    /// The fresh plan differs or has a blocker.
    PlanChanged,
    /// Judged done or already done, last step.
    JudgedDone,
    /// Judged done; first step was freeze and the rule has a grace.
    JudgedFrozen,
    /// Judged refused.
    JudgedRefused,
    /// Judged retry later.
    JudgedRetryLater,
    /// No answer, lost answer, or a crash.
    AnswerLost,
    /// Grace over, still unused.
    GraceOver,
    /// Unfrozen or active again during the grace.
    ActiveInGrace,
    /// Observed: taken back.
    ObservedReclaimed,
    /// Observed: frozen, as the rule's first step wanted, and the grace begins.
    ObservedFrozen,
    /// Observed: nothing happened.
    ObservedUntouched,
    /// Observed: partly, or nobody can tell.
    ObservedUnclear,
    /// The next complete download agrees.
    Confirmed,
    /// The next complete download disagrees.
    CameBack,
    /// Undo within the window, restore done.
    UndoDone,
    /// Activity seen.
    ActivitySeen,
    /// The subscription ended by itself.
    EndedByItself,
    /// Rule switched off, replaced, or profile deleted.
    RuleGone,
    /// Closed by hand with a reason, where there is no API.
    ClosedByHand,
}

/// From which states an event may come.
#[derive(Clone, Copy, Debug)]
enum From {
    One(State),
    Any(&'static [State]),
    /// Any open state but applying and unverified.
    Calm,
}

/// Where it leads.
#[derive(Clone, Copy, Debug)]
enum To {
    State(State),
    /// The state that the hold came from.
    WhereItCameFrom,
}

struct Row {
    from: From,
    event: Event,
    says: &'static str,
    to: To,
}

const fn row(from: From, event: Event, says: &'static str, to: State) -> Row {
    Row {
        from,
        event,
        says,
        to: To::State(to),
    }
}

/// The one table. Opening is not in it: see [`open`].
const TABLE: &[Row] = &[
    row(
        From::One(AttentionRequired),
        Event::Repaired,
        "person resolved, blocker gone, or error repaired",
        Ready,
    ),
    row(
        From::One(AttentionRequired),
        Event::UnrepairedTooLong,
        "30 days unresolved",
        ClosedCanceled,
    ),
    row(
        From::One(Ready),
        Event::ApprovedWithNotice,
        "batch approved; notice on and days > 0",
        AwaitingUser,
    ),
    row(
        From::One(Ready),
        Event::ApprovedWithoutNotice,
        "batch approved; otherwise",
        AwaitingRevocation,
    ),
    row(
        From::One(AwaitingUser),
        Event::NotNeeded,
        "holder: not needed",
        AwaitingRevocation,
    ),
    row(
        From::One(AwaitingUser),
        Event::KeepWished,
        "holder: keep, with a reason",
        AwaitingApproval,
    ),
    row(
        From::One(AwaitingUser),
        Event::SilenceReclaims,
        "silence until the end; rule says reclaim",
        AwaitingRevocation,
    ),
    row(
        From::One(AwaitingUser),
        Event::SilenceHolds,
        "silence until the end; rule says hold",
        Held,
    ),
    row(
        From::One(AwaitingApproval),
        Event::KeepGranted,
        "keep granted; cool-down starts",
        ClosedSkipped,
    ),
    row(
        From::One(AwaitingApproval),
        Event::KeepRefused,
        "keep refused",
        AwaitingRevocation,
    ),
    row(
        From::One(AwaitingRevocation),
        Event::Stopped,
        "limit, freeze day, kill switch, write mode not live",
        Held,
    ),
    Row {
        from: From::One(Held),
        event: Event::Released,
        says: "the reason is gone, or a person releases it",
        to: To::WhereItCameFrom,
    },
    row(
        From::One(AwaitingRevocation),
        Event::Begun,
        "fresh facts clean, plan equals the approved plan; intent is durable",
        Applying,
    ),
    row(
        From::One(AwaitingRevocation),
        Event::PlanChanged,
        "fresh plan differs or has a blocker",
        AttentionRequired,
    ),
    row(
        From::One(Applying),
        Event::JudgedDone,
        "judged done or already-done, last step",
        Reclaimed,
    ),
    row(
        From::One(Applying),
        Event::JudgedFrozen,
        "first step was freeze and the rule has a grace",
        Frozen,
    ),
    row(
        From::One(Frozen),
        Event::GraceOver,
        "grace over, still unused; second action",
        AwaitingRevocation,
    ),
    row(
        From::One(Frozen),
        Event::ActiveInGrace,
        "person unfrozen or active again",
        ClosedCanceled,
    ),
    row(
        From::One(Applying),
        Event::JudgedRefused,
        "judged refused; error kept",
        AttentionRequired,
    ),
    row(
        From::One(Applying),
        Event::JudgedRetryLater,
        "judged retry-later; not before the time given",
        AwaitingRevocation,
    ),
    row(
        From::One(Applying),
        Event::AnswerLost,
        "no answer, lost answer, crash",
        Unverified,
    ),
    row(
        From::One(Unverified),
        Event::ObservedReclaimed,
        "observed reclaimed",
        Reclaimed,
    ),
    row(
        From::One(Unverified),
        Event::ObservedFrozen,
        "observed frozen; first step was freeze and the rule has a grace",
        Frozen,
    ),
    row(
        From::One(Unverified),
        Event::ObservedUntouched,
        "observed untouched",
        AwaitingRevocation,
    ),
    row(
        From::One(Unverified),
        Event::ObservedUnclear,
        "observed partly / unknown",
        AttentionRequired,
    ),
    row(
        From::One(Reclaimed),
        Event::Confirmed,
        "next complete download agrees; receipt sealed, seat counted",
        ClosedComplete,
    ),
    row(
        From::One(Reclaimed),
        Event::CameBack,
        "next complete download disagrees (\"came back\")",
        AttentionRequired,
    ),
    row(
        From::Any(&[AttentionRequired, ClosedComplete, Frozen, Reclaimed]),
        Event::UndoDone,
        "undo within the window, restore done; cool-down starts; from attention_required where requests took effect before one was refused",
        Undone,
    ),
    row(
        From::Calm,
        Event::ActivitySeen,
        "activity seen",
        ClosedCanceled,
    ),
    row(
        From::Calm,
        Event::EndedByItself,
        "subscription ended by itself",
        ClosedSkipped,
    ),
    row(
        From::Calm,
        Event::RuleGone,
        "rule switched off, replaced, or profile deleted",
        ClosedSkipped,
    ),
    row(
        From::One(AwaitingRevocation),
        Event::ClosedByHand,
        "manual close complete (no API), with reason",
        ClosedComplete,
    ),
];

/// An event came in a state that does not know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a candidate in state {} cannot take the event {event:?}", .from.as_str())]
pub struct NotAllowed {
    /// Where it stands.
    pub from: State,
    /// What came.
    pub event: Event,
}

impl From {
    fn has(self, state: State) -> bool {
        match self {
            Self::One(one) => one == state,
            Self::Any(any) => any.contains(&state),
            Self::Calm => state.is_calm(),
        }
    }
}

/// The state in which a rule's hit opens: ready, unless somebody must look first.
#[must_use]
pub fn open(is_notice_on: bool, is_person_resolved: bool, has_blocker: bool) -> State {
    if has_blocker || (is_notice_on && !is_person_resolved) {
        AttentionRequired
    } else {
        Ready
    }
}

/// The only way from one state to another. `held_from` is the state a held candidate came from.
///
/// # Errors
/// [`NotAllowed`] when the table has no such row.
pub fn next(from: State, event: Event, held_from: Option<State>) -> Result<State, NotAllowed> {
    let refused = NotAllowed { from, event };
    let row = TABLE
        .iter()
        .find(|row| row.event == event && row.from.has(from))
        .ok_or(refused)?;
    match row.to {
        To::State(state) => Ok(state),
        To::WhereItCameFrom => held_from.ok_or(refused),
    }
}

/// The table as the document `host/docs/candidate-states.md`.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(
        "# The removal candidate's life\n\nGenerated from `host/src/reclamation/candidate.rs`; a test keeps it fresh.\n\n\
         | from | event | to |\n|---|---|---|\n\
         | – | rule in force hits; nothing in the way | ready |\n\
         | – | rule hits; notice is on and the person is not resolved, or the plan has a blocker | attention_required |\n",
    );
    for row in TABLE {
        let from = match row.from {
            From::One(one) => one.as_str().to_owned(),
            From::Any(any) => any
                .iter()
                .map(|s| s.as_str())
                .collect::<Vec<_>>()
                .join(", "),
            From::Calm => "any open but applying, unverified".to_owned(),
        };
        let to = match row.to {
            To::State(state) => state.as_str(),
            To::WhereItCameFrom => "the state it came from",
        };
        let _ = writeln!(text, "| {from} | {} | {to} |", row.says);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/candidate-states.md");
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(stored, document(), "write document() to {path}");
    }

    #[test]
    fn nothing_leaves_a_closed_state_but_undo() {
        for state in State::ALL.into_iter().filter(|s| !s.is_open()) {
            for row in TABLE {
                let leaves = next(state, row.event, Some(AwaitingRevocation)).is_ok();
                assert_eq!(
                    leaves,
                    state == ClosedComplete && row.event == Event::UndoDone,
                    "{state:?} {:?}",
                    row.event
                );
            }
        }
    }

    #[test]
    fn a_request_under_way_is_never_cancelled_by_anything_but_its_own_outcome() {
        for state in [Applying, Unverified] {
            for event in [
                Event::ActivitySeen,
                Event::EndedByItself,
                Event::RuleGone,
                Event::Stopped,
                Event::Released,
                Event::UndoDone,
            ] {
                assert!(next(state, event, None).is_err(), "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn applying_is_reached_only_from_awaiting_revocation() {
        for state in State::ALL {
            assert_eq!(
                next(state, Event::Begun, None).is_ok(),
                state == AwaitingRevocation
            );
            for row in TABLE.iter().filter(|row| row.event != Event::Begun) {
                assert_ne!(
                    next(state, row.event, None).ok(),
                    Some(Applying),
                    "{state:?} {:?}",
                    row.event
                );
            }
        }
    }

    #[test]
    fn a_held_candidate_returns_to_where_it_came_from() {
        assert_eq!(
            next(Held, Event::Released, Some(AwaitingUser)),
            Ok(AwaitingUser)
        );
        assert_eq!(
            next(Held, Event::Released, Some(AwaitingRevocation)),
            Ok(AwaitingRevocation)
        );
        assert!(next(Held, Event::Released, None).is_err());
    }

    #[test]
    fn no_state_has_two_ways_for_one_event() {
        for state in State::ALL {
            for row in TABLE {
                let ways = TABLE
                    .iter()
                    .filter(|other| other.event == row.event && other.from.has(state))
                    .count();
                assert!(ways <= 1, "{state:?} {:?}", row.event);
            }
        }
    }

    #[test]
    fn an_unresolved_person_matters_only_when_there_is_a_notice() {
        assert_eq!(open(true, false, false), AttentionRequired);
        assert_eq!(open(false, false, false), Ready);
        assert_eq!(open(false, true, true), AttentionRequired);
        assert_eq!(open(true, true, false), Ready);
    }
}
