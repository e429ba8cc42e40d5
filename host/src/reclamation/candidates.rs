//! Use cases of candidates: looking, answering for the holder, deciding a wish to keep, releasing, repairing, closing by hand.

use serde_json::json;

use super::candidate::{Event, State};
use super::life::{self, Note};
use super::model::CandidateView;
use super::store::candidates::{self as store, CandidateRow, Listed};
use super::store::{controls, rules};
use super::{ReclamationError, authority, follow, not_found, planning, reason};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Permission};
use crate::kernel::clock::DAY_MS;
use crate::profiles::acting;
use crate::store::Tx;

/// After a granted wish to keep, the account is not named again for so many days.
pub const KEEP_COOL_DOWN_DAYS: i64 = 90;
/// Most candidates of one list.
pub const MOST_LISTED: i64 = 500;

/// What to list. Everything is optional.
#[derive(Clone, Debug, Default)]
pub struct CandidateFilter {
    /// Standing here.
    pub state: Option<State>,
    /// Of this rule, by id or number.
    pub rule: Option<String>,
    /// Open or closed.
    pub is_open: Option<bool>,
    /// Part of principal or name.
    pub search: Option<String>,
    /// The last number of the page before.
    pub after: Option<String>,
}

/// What a holder said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// I need it.
    Keep,
    /// I do not need it.
    NotNeeded,
}

/// Candidates, newest number first, at most `limit`.
///
/// # Errors
/// [`ReclamationError::Denied`].
pub async fn list_candidates(
    host: &Host,
    actor: &Actor,
    filter: &CandidateFilter,
    limit: i64,
) -> Result<Vec<CandidateView>, ReclamationError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let listed = Listed {
        id: None,
        state: filter.state,
        rule: filter.rule.as_deref(),
        is_open: filter.is_open,
        search: filter.search.as_deref(),
        before: filter.after.as_deref(),
    };
    Ok(store::list(&mut tx, &listed, limit.clamp(1, MOST_LISTED)).await?)
}

/// How many stand where.
///
/// # Errors
/// [`ReclamationError::Denied`].
pub async fn count_candidates(
    host: &Host,
    actor: &Actor,
) -> Result<Vec<(State, i64)>, ReclamationError> {
    actor.may(Permission::Read)?;
    let mut counts = store::count_by_state(&mut host.store.read(&actor.sight).await?).await?;
    counts.sort_by_key(|(state, _)| *state);
    Ok(counts)
}

/// One candidate with everything that happened to it.
///
/// # Errors
/// [`ReclamationError::NotFound`], [`ReclamationError::Denied`].
pub async fn get_candidate(
    host: &Host,
    actor: &Actor,
    key: &str,
) -> Result<CandidateView, ReclamationError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let listed = Listed {
        id: Some(key),
        ..Listed::default()
    };
    let mut view = store::list(&mut tx, &listed, 1)
        .await?
        .pop()
        .ok_or_else(|| not_found("candidate", key))?;
    view.events = store::events(&mut tx, &view.id).await?;
    Ok(view)
}

/// Begins to write about one candidate, which the actor must see.
async fn begin_on(
    host: &Host,
    actor: &Actor,
    key: &str,
) -> Result<(Tx, CandidateRow), ReclamationError> {
    let absent = || not_found("candidate", key);
    store::find(&mut host.store.read(&actor.sight).await?, key)
        .await?
        .ok_or_else(absent)?;
    let mut tx = host.store.begin().await?;
    let row = store::find(&mut tx, key).await?.ok_or_else(absent)?;
    Ok((tx, row))
}

/// Moves one candidate for a person, writes the trail, and lets its organization's candidates be looked after.
async fn act(
    host: &Host,
    mut tx: Tx,
    actor: &Actor,
    row: CandidateRow,
    event: Event,
    note: Note,
    word: &str,
) -> Result<CandidateView, ReclamationError> {
    let detail = json!({ "number": row.number, "from": row.state.as_str(), "reason": note.text });
    let organization = row.organization_id.clone();
    let moved = life::advance(host, &mut tx, actor, event, vec![(row, note)]).await?;
    let id = moved[0].id.clone();
    let entry = Entry {
        event: word,
        subject_kind: "candidate",
        subject_id: id.as_str(),
        detail,
    };
    host.audit(&mut tx, actor, entry).await?;
    acting::wake_reclaim(host, &mut tx, &organization).await?;
    tx.commit().await?;
    get_candidate(host, actor, id.as_str()).await
}

/// Records what the holder said, by whoever heard it. Keeping needs a reason, which an approver decides about.
///
/// # Errors
/// [`ReclamationError::NotAllowed`] unless the holder is being asked, [`ReclamationError::Reason`],
/// [`ReclamationError::NotFound`], [`ReclamationError::Denied`].
pub async fn answer(
    host: &Host,
    actor: &Actor,
    key: &str,
    answer: Answer,
    why: &str,
) -> Result<CandidateView, ReclamationError> {
    actor.may(Permission::WorkCandidates)?;
    let (tx, row) = begin_on(host, actor, key).await?;
    match answer {
        Answer::Keep => {
            let note = Note::because("keep_wished", reason(why)?);
            act(
                host,
                tx,
                actor,
                row,
                Event::KeepWished,
                note,
                "candidate.keep_wished",
            )
            .await
        }
        Answer::NotNeeded => {
            let text = if why.trim().is_empty() {
                "the holder does not need it"
            } else {
                why.trim()
            };
            let note = Note::because("not_needed", text);
            act(
                host,
                tx,
                actor,
                row,
                Event::NotNeeded,
                note,
                "candidate.not_needed",
            )
            .await
        }
    }
}

/// Decides a wish to keep. Granted: the candidate is closed, and the account's clock starts anew. Refused: the seat is taken back.
///
/// # Errors
/// [`ReclamationError::NotAllowed`] unless there is such a wish, [`ReclamationError::OwnWork`], [`ReclamationError::Denied`];
/// [`ReclamationError::Reason`] for a refusal without one.
pub async fn decide_keep(
    host: &Host,
    actor: &Actor,
    key: &str,
    is_granted: bool,
    why: &str,
) -> Result<CandidateView, ReclamationError> {
    actor.may(Permission::Approve)?;
    let (mut tx, row) = begin_on(host, actor, key).await?;
    let rule = rules::find(&mut tx, row.rule_id.as_str())
        .await?
        .ok_or_else(|| not_found("rule", row.rule_id.as_str()))?;
    let version = rules::get_version(&mut tx, &rule, &row.rule_version_id).await?;
    authority::require(host, &mut tx, actor, &rule, &version).await?;
    if !is_granted {
        let note = Note::because("keep_refused", reason(why)?);
        return act(
            host,
            tx,
            actor,
            row,
            Event::KeepRefused,
            note,
            "candidate.keep_refused",
        )
        .await;
    }
    let text = if why.trim().is_empty() {
        row.reason_text.clone().unwrap_or_default()
    } else {
        why.trim().to_owned()
    };
    if row.state == State::AwaitingApproval {
        let now_ms = host.now_ms();
        controls::reset_clock(
            &mut tx,
            &row.organization_id,
            &row.account_id,
            "keep",
            row.id.as_str(),
            now_ms,
            now_ms + KEEP_COOL_DOWN_DAYS * DAY_MS,
        )
        .await?;
    }
    let note = Note::because("keep_granted", text);
    act(
        host,
        tx,
        actor,
        row,
        Event::KeepGranted,
        note,
        "candidate.keep_granted",
    )
    .await
}

/// Lets a held candidate go on. One that is held because nobody answered is asked once more.
///
/// # Errors
/// [`ReclamationError::NotAllowed`] unless it is held, [`ReclamationError::Reason`], [`ReclamationError::Denied`].
pub async fn release(
    host: &Host,
    actor: &Actor,
    key: &str,
    why: &str,
) -> Result<CandidateView, ReclamationError> {
    actor.may(Permission::WorkCandidates)?;
    let why = reason(why)?;
    let (mut tx, row) = begin_on(host, actor, key).await?;
    if row.held_from == Some(State::AwaitingUser) {
        let rule = rules::find(&mut tx, row.rule_id.as_str())
            .await?
            .ok_or_else(|| not_found("rule", row.rule_id.as_str()))?;
        let version = rules::get_version(&mut tx, &rule, &row.rule_version_id).await?;
        follow::ask_holder(host, &mut tx, &row, &version.deciding).await?;
    }
    let note = Note::because("released", why);
    act(
        host,
        tx,
        actor,
        row,
        Event::Released,
        note,
        "candidate.released",
    )
    .await
}

/// Ends what needed attention: the candidate is ready again, and takes another approval.
///
/// # Errors
/// [`ReclamationError::NotAllowed`] unless it needs attention, [`ReclamationError::WrongState`] while what stands in the way is still
/// there, [`ReclamationError::Reason`], [`ReclamationError::Denied`].
pub async fn repair(
    host: &Host,
    actor: &Actor,
    key: &str,
    why: &str,
) -> Result<CandidateView, ReclamationError> {
    actor.may(Permission::WorkCandidates)?;
    let why = reason(why)?;
    let (mut tx, row) = begin_on(host, actor, key).await?;
    if planning::is_mended_by_itself(&row) {
        planning::wake(host, &mut tx, &row.organization_id).await?;
        tx.commit().await?;
        return Err(ReclamationError::WrongState(format!(
            "{} is repaired by itself once this is put right: {}; it is being looked at again now",
            row.number,
            row.reason_text.as_deref().unwrap_or("see its reason")
        )));
    }
    // The old action has its one receipt; what is tried next is planned anew.
    let mut row = row;
    if row.state == State::AttentionRequired {
        row.action_id = None;
        planning::wake(host, &mut tx, &row.organization_id).await?;
    }
    let note = Note::because("repaired", why);
    act(
        host,
        tx,
        actor,
        row,
        Event::Repaired,
        note,
        "candidate.repaired",
    )
    .await
}

/// Closes a candidate whose seat was taken back by hand outside Seatwise.
///
/// # Errors
/// [`ReclamationError::NotAllowed`] unless it waits for revocation, [`ReclamationError::Reason`], [`ReclamationError::Denied`].
pub async fn close_by_hand(
    host: &Host,
    actor: &Actor,
    key: &str,
    why: &str,
) -> Result<CandidateView, ReclamationError> {
    actor.may(Permission::WorkCandidates)?;
    let why = reason(why)?;
    let (tx, row) = begin_on(host, actor, key).await?;
    let note = Note::because("closed_by_hand", why);
    act(
        host,
        tx,
        actor,
        row,
        Event::ClosedByHand,
        note,
        "candidate.closed_by_hand",
    )
    .await
}
