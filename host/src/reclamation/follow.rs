//! What follows from others' doings: a finished download, a delivered notice, time that passed.

use super::candidate::{Event, State};
use super::life::{self, Note};
use super::rule::{Deciding, Silence};
use super::store::candidates::{self as store, CandidateRow, WithFacts};
use super::store::{controls, rules};
use super::{ReclamationError, savings};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::Actor;
use crate::jobs::{JobKind, NewJob};
use crate::kernel::clock::DAY_MS;
use crate::kernel::{Day, OrgId};
use crate::notify::message::one_line;
use crate::notify::{Message, NewMessage, NotifyError, service as notify};
use crate::profiles::acting;
use crate::store::Tx;
use serde_json::json;

/// After somebody else reactivated an account, it is not named again for so many days.
pub const REACTIVATED_COOL_DOWN_DAYS: i64 = 30;
/// What needs attention and gets none is closed after so many days.
pub const ATTENTION_DAYS: i64 = 30;
/// Characters of a name in a letter.
const NAME_CHARS: usize = 120;
/// The kind of the message that asks a holder.
pub const NOTICE: &str = "reclaim_notice";

/// What a complete download says of an open candidate. Pure.
fn outcome(it: &WithFacts, read_from: Option<i64>) -> Option<(Event, Note)> {
    let row = &it.row;
    let is_newer = it.activity_at.is_some_and(|at| at > row.baseline_at);
    match row.state {
        State::Applying | State::Unverified => None,
        // Only what was read after the request can say whether it took effect.
        State::Reclaimed => match it.action_ended_at {
            Some(ended) if read_from.is_some_and(|from| ended < from) => Some(if it.is_active {
                (
                    Event::CameBack,
                    Note::because("came_back", "the seat is in use again at the vendor"),
                )
            } else {
                (Event::Confirmed, Note::default())
            }),
            _ => None,
        },
        State::Frozen => {
            let is_unfrozen = it.frozen.as_deref() == Some("no")
                && it
                    .action_ended_at
                    .is_some_and(|ended| read_from.is_some_and(|from| ended < from));
            (is_newer || is_unfrozen).then(|| {
                (
                    Event::ActiveInGrace,
                    Note::because("active_again", "unfrozen or active during the grace"),
                )
            })
        }
        // Our own requests may be what ended it: the next attempt tells.
        State::AwaitingRevocation | State::Held if !it.is_active && it.is_begun => None,
        _ if !it.is_active => Some((
            Event::EndedByItself,
            Note::because("ended_by_itself", "the subscription ended at the vendor"),
        )),
        _ if is_newer => {
            let day = Day::of_ms(it.activity_at.unwrap_or_default());
            Some((
                Event::ActivitySeen,
                Note::because("activity_seen", format!("active on {day}")),
            ))
        }
        _ => None,
    }
}

/// Applies what a complete run says: confirms, closes, notices what came back. `read_from` is when its reading of accounts began;
/// `None`: it read activity only, which confirms nothing.
///
/// # Errors
/// The database's own.
pub async fn follow_run(
    host: &Host,
    tx: &mut Tx,
    organization: &OrgId,
    read_from: Option<i64>,
) -> Result<(), ReclamationError> {
    let system = Actor::system();
    let now_ms = host.now_ms();
    let mut by_event: std::collections::BTreeMap<Event, Vec<(CandidateRow, Note)>> =
        std::collections::BTreeMap::new();
    for it in store::open_with_facts(tx, organization).await? {
        if let Some((event, note)) = outcome(&it, read_from) {
            by_event.entry(event).or_default().push((it.row, note));
        }
    }
    for (event, moved) in by_event {
        let rows = life::advance(host, tx, &system, event, moved).await?;
        match event {
            Event::Confirmed => {
                savings::book(host, tx, &rows).await?;
                for row in &rows {
                    let entry = Entry {
                        event: "candidate.confirmed",
                        subject_kind: "candidate",
                        subject_id: row.id.as_str(),
                        detail: json!({ "number": row.number, "action": row.action_id }),
                    };
                    host.audit(tx, &system, entry).await?;
                }
            }
            Event::CameBack => {
                for row in &rows {
                    controls::reset_clock(
                        tx,
                        organization,
                        &row.account_id,
                        "reactivated",
                        row.id.as_str(),
                        now_ms,
                        now_ms + REACTIVATED_COOL_DOWN_DAYS * DAY_MS,
                    )
                    .await?;
                }
            }
            _ => {}
        }
    }
    // Whoever somebody else reactivated after the confirmation is left alone, too.
    let window = REACTIVATED_COOL_DOWN_DAYS * DAY_MS;
    controls::reset_reactivated(tx, organization, now_ms - window, now_ms, now_ms + window).await?;
    acting::wake_reclaim(host, tx, organization).await?;
    Ok(())
}

/// Writes the message that asks a holder, in the transaction of its cause. A holder without a mail address cannot be asked: the
/// candidate then waits until somebody answers for them, or its silence never ends.
pub(super) async fn ask_holder(
    host: &Host,
    tx: &mut Tx,
    row: &CandidateRow,
    deciding: &Deciding,
) -> Result<(), ReclamationError> {
    let days = deciding.days;
    let silence = match deciding.silence {
        Silence::Reclaim => {
            "If you do not need it, tell them, or do nothing: it is then taken back."
        }
        Silence::Hold => "If you do not need it, tell them.",
    };
    let Some(holder) = store::holder(tx, &row.id).await? else {
        return Ok(());
    };
    let Some(recipient) = holder.email else {
        return Ok(());
    };
    let new = NewMessage {
        kind: NOTICE,
        key: format!("{NOTICE}:{}:{}", row.id, row.version),
        recipient,
        subject: format!("Do you still need {}?", holder.product),
        body: letter(
            [
                &holder.name,
                &holder.principal,
                &holder.organization,
                &holder.product,
            ],
            row,
            days,
            silence,
        ),
        subject_kind: "candidate",
        subject_id: row.id.to_string(),
    };
    match notify::post(host, tx, &new).await {
        Ok(_) => Ok(()),
        // As without an address: one account's bad address must not refuse a whole list.
        Err(NotifyError::Address(address)) => {
            tracing::warn!(candidate.number = %row.number, address, "the holder has no usable mail address");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// The letter to a holder, of name, principal, organization and product: whatever they hold, each stays on its line. Pure.
fn letter(names: [&String; 4], row: &CandidateRow, days: i64, silence: &str) -> String {
    let [name, principal, organization, product] = names.map(|text| one_line(text, NAME_CHARS));
    format!(
        "Hello {name},\n\nyour account {principal} in {organization} has a seat of {product}, and no activity was seen for {} days.\n\n\
         If you need it, tell your software asset management team within {days} days and say what for; they decide about it.\n\
         {silence}\n\nReference: {}\n",
        row.inactive_days, row.number
    )
}

/// Whether a message about a candidate is still wanted: only while its holder is being asked.
///
/// # Errors
/// The database's own.
pub async fn is_wanted(tx: &mut Tx, message: &Message) -> Result<bool, ReclamationError> {
    if message.kind != NOTICE {
        return Ok(true);
    }
    let row = store::find(tx, &message.subject_id).await?;
    Ok(row.is_some_and(|row| row.state == State::AwaitingUser))
}

/// Starts the time of silence: it runs from the delivery of the notice, in the transaction that notes the delivery.
///
/// # Errors
/// The database's own.
pub async fn notice_delivered(
    host: &Host,
    tx: &mut Tx,
    message: &Message,
) -> Result<(), ReclamationError> {
    if message.kind != NOTICE {
        return Ok(());
    }
    let Some(mut row) = store::find(tx, &message.subject_id).await? else {
        return Ok(());
    };
    if row.state != State::AwaitingUser {
        return Ok(());
    }
    let Some(rule) = rules::find(tx, row.rule_id.as_str()).await? else {
        return Ok(());
    };
    let version = rules::get_version(tx, &rule, &row.rule_version_id).await?;
    let until = host.now_ms() + version.deciding.days * DAY_MS;
    row.due_at = Some(until);
    row.reason_code = Some("asked".to_owned());
    row.reason_text = Some(format!(
        "the holder was asked by mail to {}",
        message.recipient
    ));
    store::touch(tx, &row).await?;
    let job = NewJob::of_organization(JobKind::Reclaim, &row.organization_id, until);
    host.wake(tx, &job).await?;
    Ok(())
}

/// Says at the candidate that its holder could not be asked: the time of silence does not run, so somebody must answer for them.
///
/// # Errors
/// The database's own.
pub async fn notice_refused(
    tx: &mut Tx,
    message: &Message,
    why: &str,
) -> Result<(), ReclamationError> {
    if message.kind != NOTICE {
        return Ok(());
    }
    let Some(mut row) = store::find(tx, &message.subject_id).await? else {
        return Ok(());
    };
    if row.state == State::AwaitingUser {
        row.reason_code = Some("not_asked".to_owned());
        row.reason_text = Some(format!(
            "the mail to {} was not delivered: {why}",
            message.recipient
        ));
        store::touch(tx, &row).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn it(state: State) -> WithFacts {
        WithFacts {
            row: CandidateRow {
                id: "cand_1".into(),
                number: "CAN0001001".to_owned(),
                organization_id: "org_1".into(),
                account_id: "005".to_owned(),
                identifier: "SFDC".to_owned(),
                product_id: "prod_1".into(),
                rule_id: "rule_1".into(),
                rule_version_id: "rver_1".into(),
                person_id: None,
                state,
                held_from: None,
                reason_code: None,
                reason_text: None,
                inactive_days: 60,
                baseline_at: 1_000,
                saving_minor: None,
                currency: None,
                action_id: None,
                batch_id: None,
                due_at: None,
                state_since: 0,
                opened_at: 0,
                closed_at: None,
                version: 1,
            },
            is_active: true,
            activity_at: Some(1_000),
            frozen: None,
            matched: None,
            action_ended_at: None,
            is_begun: false,
        }
    }

    fn event(it: &WithFacts, read_from: i64) -> Option<Event> {
        outcome(it, Some(read_from)).map(|(event, _)| event)
    }

    #[test]
    fn a_hostile_name_adds_no_line_to_a_letter() {
        let row = it(State::AwaitingUser).row;
        let hostile =
            "Cy\r\n\nYour seat is gone. Open https://evil.example\u{202e} {{x}}".to_owned();
        let plain = "Cy".to_owned();
        let lines = |name: &String| {
            letter([name, name, name, name], &row, 14, "Tell them.")
                .lines()
                .count()
        };
        assert_eq!(lines(&hostile), lines(&plain));
        let said = letter([&hostile, &plain, &plain, &plain], &row, 14, "Tell them.");
        assert!(
            said.contains("{{x}}") && !said.contains('\u{202e}'),
            "{said}"
        );
        let long = "x".repeat(50_000);
        assert!(letter([&long, &long, &long, &long], &row, 14, "").len() < 2_000);
    }

    #[test]
    fn a_download_that_began_before_the_request_confirms_nothing() {
        let mut taken = it(State::Reclaimed);
        taken.action_ended_at = Some(5_000);
        taken.is_active = false;
        assert_eq!(event(&taken, 4_999), None);
        assert_eq!(event(&taken, 5_001), Some(Event::Confirmed));
        taken.is_active = true;
        assert_eq!(event(&taken, 5_001), Some(Event::CameBack));
    }

    #[test]
    fn a_run_that_read_only_activity_confirms_nothing_but_tells_who_was_active() {
        let mut taken = it(State::Reclaimed);
        taken.action_ended_at = Some(5_000);
        taken.is_active = false;
        assert!(outcome(&taken, None).is_none());
        let mut seen = it(State::Ready);
        seen.activity_at = Some(1_001);
        assert!(matches!(
            outcome(&seen, None),
            Some((Event::ActivitySeen, _))
        ));
    }

    #[test]
    fn nothing_but_its_own_outcome_moves_a_request_under_way() {
        for state in [State::Applying, State::Unverified] {
            let mut under_way = it(state);
            under_way.is_active = false;
            assert_eq!(event(&under_way, i64::MAX), None);
        }
    }

    #[test]
    fn activity_closes_and_silence_of_the_vendor_does_not() {
        for state in [State::Ready, State::AwaitingUser, State::Held] {
            let mut seen = it(state);
            assert_eq!(event(&seen, 0), None, "{state:?}");
            seen.activity_at = Some(1_001);
            assert_eq!(event(&seen, 0), Some(Event::ActivitySeen), "{state:?}");
            seen.is_active = false;
            assert_eq!(event(&seen, 0), Some(Event::EndedByItself), "{state:?}");
            seen.is_active = true;
            seen.activity_at = None;
            assert_eq!(event(&seen, 0), None, "{state:?}");
        }
    }

    #[test]
    fn what_our_own_requests_ended_did_not_end_by_itself() {
        for state in [State::AwaitingRevocation, State::Held] {
            let mut ended = it(state);
            ended.is_active = false;
            assert!(matches!(
                outcome(&ended, Some(5_000)),
                Some((Event::EndedByItself, _))
            ));
            ended.is_begun = true;
            assert!(outcome(&ended, Some(5_000)).is_none());
        }
    }
}
