//! Moving candidates: the only place that writes a candidate's state, always through the one table.

use super::ReclamationError;
use super::candidate::{self, Event, State};
use super::store::candidates::{self as store, CandidateRow, NewEvent};
use crate::app::host::Host;
use crate::identity::roles::Actor;
use crate::store::Tx;

/// Why a candidate moved, and when something happens next by itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Note {
    /// Stable word.
    pub code: Option<&'static str>,
    /// In a sentence.
    pub text: Option<String>,
    /// Milliseconds UTC.
    pub due_at: Option<i64>,
}

impl Note {
    pub fn because(code: &'static str, text: impl Into<String>) -> Self {
        Self {
            code: Some(code),
            text: Some(text.into()),
            due_at: None,
        }
    }

    pub fn due(mut self, at: i64) -> Self {
        self.due_at = Some(at);
        self
    }
}

/// The word of an event in the history, as in the table of the code.
fn word(event: Event) -> String {
    serde_json::to_value(event)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Moves candidates by one event, each with its own note, and writes them and their history.
///
/// # Errors
/// [`ReclamationError::NotAllowed`] for the first one whose state does not know the event; then none is moved. A conflict when
/// somebody else moved one meanwhile.
pub(super) async fn advance(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    event: Event,
    moved: Vec<(CandidateRow, Note)>,
) -> Result<Vec<CandidateRow>, ReclamationError> {
    let now_ms = host.now_ms();
    let mut rows = Vec::with_capacity(moved.len());
    let mut events = Vec::with_capacity(moved.len());
    for (mut row, note) in moved {
        let from = row.state;
        let to = candidate::next(from, event, row.held_from)?;
        row.version += 1;
        row.state = to;
        row.held_from = (to == State::Held).then_some(from);
        row.state_since = now_ms;
        row.due_at = note.due_at;
        row.closed_at = (!to.is_open()).then_some(now_ms);
        row.reason_code = note.code.map(str::to_owned);
        row.reason_text = note.text.clone();
        if event == Event::Repaired {
            // What was approved before the repair was another case: it takes another approval.
            row.batch_id = None;
        }
        events.push(NewEvent {
            candidate: row.id.clone(),
            seq: row.version,
            at: now_ms,
            actor: actor.id.to_string(),
            event: word(event),
            from: Some(from),
            to,
            reason: note.text,
        });
        rows.push(row);
    }
    if !rows.is_empty() {
        store::save(tx, &rows, &events).await?;
    }
    Ok(rows)
}

/// The same for several with the same note.
pub(super) async fn advance_all(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    event: Event,
    rows: Vec<CandidateRow>,
    note: &Note,
) -> Result<Vec<CandidateRow>, ReclamationError> {
    let moved = rows.into_iter().map(|row| (row, note.clone())).collect();
    advance(host, tx, actor, event, moved).await
}
