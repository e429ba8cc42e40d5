//! Rules, previews, candidates, batches and actions as others see them. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::candidate::State;
use super::rule::{Deciding, FieldChange, Wording};
use crate::kernel::{
    ActionId, BatchId, CandidateId, ExemptionId, OrgId, ProductId, RuleId, RuleVersionId,
};

/// Where a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleState {
    /// Nothing is in force; its newest version waits for approval A.
    Proposed,
    /// A version is in force; a newer one may wait.
    InForce,
    /// Switched off or refused.
    Off,
}

impl RuleState {
    /// The stored and spoken word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::InForce => "in_force",
            Self::Off => "off",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Proposed, Self::InForce, Self::Off]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// One person's decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Who.
    pub by: String,
    /// By which door.
    pub via: String,
    /// `approved` or `refused`.
    pub decision: String,
    /// Why.
    pub reason: Option<String>,
    /// Milliseconds UTC.
    pub at: i64,
}

/// A reclamation rule with its newest version.
#[derive(Clone, Debug, Serialize)]
pub struct RuleView {
    /// Its id.
    pub id: RuleId,
    /// `RUL0001001`.
    pub number: String,
    /// What people call it.
    pub name: String,
    /// The product it is about.
    pub product_id: ProductId,
    /// Its name.
    pub product: String,
    /// Where it stands.
    pub state: RuleState,
    /// Newest version.
    pub version_id: RuleVersionId,
    /// Counted from 1.
    pub version_no: i64,
    /// The version in force, if any.
    pub in_force_no: Option<i64>,
    /// Whether the newest version waits for approval A.
    pub is_waiting: bool,
    /// Digest of the newest version's deciding fields: what an approver has seen.
    pub digest: String,
    /// The newest version.
    pub deciding: Deciding,
    /// Its wording.
    pub wording: Wording,
    /// It in one sentence.
    pub sentence: String,
    /// Deciding fields that differ from the version in force.
    pub changed_fields: Vec<String>,
    /// The same with old and new values, in words.
    pub changes: Vec<FieldChange>,
    /// Who made the newest version.
    pub author: String,
    /// Decisions about the newest version.
    pub decisions: Vec<Decision>,
    /// Why the one who looks may not approve it; `None`: may.
    pub may_not_approve: Option<String>,
    /// Candidates that are open.
    pub open_candidates: i64,
    /// Milliseconds UTC.
    pub created_at: i64,
}

/// One row of a preview: a subscription of the product, and what the rule says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PreviewRow {
    /// The organization.
    pub organization_id: OrgId,
    /// Its name.
    pub organization_name: String,
    /// Vendor's id of the account.
    pub account_id: String,
    /// User principal name.
    pub principal: String,
    /// Display name.
    pub name: Option<String>,
    /// The vendor's key.
    pub identifier: String,
    /// Whether the account matches a person of the directory.
    pub is_resolved: bool,
    /// Last activity, milliseconds UTC; `None`: never or unknown.
    pub activity_at: Option<i64>,
    /// Whole UTC days since the clock of inactivity started; `None`: cannot be known.
    pub inactive_days: Option<i64>,
    /// `candidate`, `in_use`, `exempt`, `cannot_judge`, …
    pub verdict: String,
    /// In a sentence.
    pub why: String,
    /// A year's price of the seat, minor units.
    pub saving_minor: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
}

/// How many subscriptions got which verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerdictCount {
    /// As in [`PreviewRow::verdict`].
    pub verdict: String,
    /// In words.
    pub says: String,
    /// How many.
    pub count: i64,
}

/// What a rule would name today, before anybody is asked and anything is sent.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    /// Of which rule.
    pub rule_number: String,
    /// Of which version.
    pub version_no: i64,
    /// What an approver has seen.
    pub digest: String,
    /// The UTC day it is for.
    pub as_of_day: String,
    /// Subscriptions that it would name.
    pub people_count: i64,
    /// What they cost a year by price, minor units; `None` without a price or across currencies.
    pub saving_minor: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// All verdicts with their counts: the whole funnel.
    pub verdicts: Vec<VerdictCount>,
    /// Rows in the order of the longest unused, those named first; at most the limit asked for.
    pub people: Vec<PreviewRow>,
    /// How many rows there are in all.
    pub rows_count: i64,
}

/// A removal candidate.
#[derive(Clone, Debug, Serialize)]
pub struct CandidateView {
    /// Its id.
    pub id: CandidateId,
    /// `CAN0001733`.
    pub number: String,
    /// The organization.
    pub organization_id: OrgId,
    /// Its name.
    pub organization_name: String,
    /// Vendor's id of the account.
    pub account_id: String,
    /// User principal name.
    pub principal: String,
    /// Display name.
    pub account_name: Option<String>,
    /// The vendor's key.
    pub identifier: String,
    /// The product.
    pub product: String,
    /// The matched person.
    pub person: Option<String>,
    /// Its rule.
    pub rule_number: String,
    /// The version that named it.
    pub version_no: i64,
    /// Where it stands.
    pub state: State,
    /// Where a held one came from.
    pub held_from: Option<State>,
    /// Why it stands there, as a stable word.
    pub reason_code: Option<String>,
    /// In a sentence.
    pub reason_text: Option<String>,
    /// Whole UTC days when it was opened.
    pub inactive_days: i64,
    /// Start of the clock of inactivity when it was opened.
    pub baseline_at: i64,
    /// A year's price of the seat, minor units.
    pub saving_minor: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// The action that takes the seat back, such as `ACT0001001`.
    pub action_number: Option<String>,
    /// The batch that was approved.
    pub batch_number: Option<String>,
    /// When something happens by itself.
    pub due_at: Option<i64>,
    /// Since when it stands there.
    pub state_since: i64,
    /// Opened.
    pub opened_at: i64,
    /// Closed.
    pub closed_at: Option<i64>,
    /// Everything that happened, oldest first; only when one candidate is shown.
    pub events: Vec<CandidateEventView>,
}

/// One thing that happened to a candidate.
#[derive(Clone, Debug, Serialize)]
pub struct CandidateEventView {
    /// From 1.
    pub seq: i64,
    /// Milliseconds UTC.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// `opened`, or an event of the table.
    pub event: String,
    /// State before.
    pub from_state: Option<String>,
    /// State after.
    pub to_state: String,
    /// Why.
    pub reason: Option<String>,
}

/// One literal request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestView {
    /// `POST`, `PUT`, `PATCH`, `DELETE`.
    pub method: String,
    /// Name of the origin in the manifest.
    pub origin: String,
    /// Path and query.
    pub path: String,
    /// Header.
    pub content_type: Option<String>,
    /// As it is sent; not UTF-8 is shown as its length.
    pub body: Option<String>,
    /// What it changes.
    pub says: String,
}

/// A plan as an approver sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanView {
    /// What stands in the way: code, sentence, fix.
    pub blockers: Vec<BlockerView>,
    /// What could not be looked at.
    pub unchecked: Vec<String>,
    /// Every identifier that it frees.
    pub frees: Vec<String>,
    /// What the person loses besides.
    pub consequences: Vec<String>,
    /// The requests, in order.
    pub steps: Vec<RequestView>,
    /// Whether there is a way back.
    pub can_be_undone: bool,
}

/// Something in the way of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockerView {
    /// Stable word of the connector.
    pub code: String,
    /// For a person.
    pub message: String,
    /// What to do.
    pub fix: Option<String>,
}

/// One candidate in a batch.
#[derive(Clone, Debug, Serialize)]
pub struct BatchItemView {
    /// `CAN0001733`.
    pub candidate_number: String,
    /// The organization's name.
    pub organization_name: String,
    /// User principal name.
    pub principal: String,
    /// Display name.
    pub account_name: Option<String>,
    /// The vendor's id, shown beside names that can be spoofed.
    pub account_id: String,
    /// When it was opened.
    pub inactive_days: i64,
    /// A year's price.
    pub saving_minor: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Where the candidate stands now.
    pub state: State,
    /// The requests that would be sent.
    pub plan: PlanView,
    /// Digest of the plan.
    pub plan_digest: String,
}

/// A list of candidates put up for approval B.
#[derive(Clone, Debug, Serialize)]
pub struct BatchView {
    /// Its id.
    pub id: BatchId,
    /// `BAT0001001`.
    pub number: String,
    /// Its rule.
    pub rule_number: String,
    /// The rule's name.
    pub rule_name: String,
    /// The rule version that it belongs to.
    pub version_no: i64,
    /// `all` or `listed`.
    pub selection: String,
    /// `proposed`, `approved`, `superseded`.
    pub state: String,
    /// What an approver has seen.
    pub digest: String,
    /// How many.
    pub people_count: i64,
    /// A year's price of all, minor units; `None` without a price or across currencies.
    pub saving_minor: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// What happens to each after approval, in a sentence.
    pub then: String,
    /// Everyone in it; empty in lists.
    pub items: Vec<BatchItemView>,
    /// Ready candidates that have something in the way, and therefore are not in it.
    pub left_out: Vec<String>,
    /// Who put it together.
    pub created_by: String,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// When approved.
    pub approved_at: Option<i64>,
    /// Decisions so far.
    pub decisions: Vec<Decision>,
    /// How many approvers it takes.
    pub approvers_needed: i64,
    /// Why the one who looks may not approve it; `None`: may.
    pub may_not_approve: Option<String>,
}

/// What changed between what an approver saw and what is now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Candidates that became ready since: number and principal.
    pub added: Vec<String>,
    /// Candidates whose plan is another one now.
    pub changed: Vec<String>,
    /// Candidates that are not ready any more; never a reason to refuse.
    pub dropped: Vec<String>,
    /// Deciding fields of the rule that changed.
    pub rule: Vec<String>,
}

impl Difference {
    /// Whether approval must be refused.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        !(self.added.is_empty() && self.changed.is_empty() && self.rule.is_empty())
    }
}

/// One action at a vendor.
#[derive(Clone, Debug, Serialize)]
pub struct ActionView {
    /// Its id.
    pub id: ActionId,
    /// `ACT0001001`.
    pub number: String,
    /// The organization.
    pub organization_id: OrgId,
    /// Its name.
    pub organization_name: String,
    /// The vendor's id of the account.
    pub account_id: String,
    /// User principal name, as far as known.
    pub principal: String,
    /// `reclaim` or `restore`.
    pub kind: String,
    /// An action of the manifest.
    pub action: String,
    /// `planned`, `intended`, `unverified`, `done`, `refused`, `abandoned`, `undone`.
    pub state: String,
    /// The requests.
    pub plan: PlanView,
    /// Digest of the plan.
    pub plan_digest: String,
    /// Candidates that it ends.
    pub candidates: Vec<String>,
    /// The action that this one gives back.
    pub undoes: Option<String>,
    /// When the intent was made durable.
    pub intended_at: Option<i64>,
    /// When its outcome was known.
    pub ended_at: Option<i64>,
    /// The one receipt.
    pub receipt: Option<Value>,
    /// Over the receipt.
    pub receipt_digest: Option<String>,
    /// The vendor's own code.
    pub error_code: Option<String>,
    /// The vendor's own sentence.
    pub error_text: Option<String>,
    /// Until when it can be undone; `None`: not at all.
    pub undo_until: Option<i64>,
    /// Requests sent and what came back, oldest first; only when one action is shown.
    pub sent: Vec<SentView>,
    /// Milliseconds UTC.
    pub created_at: i64,
}

/// A request that was sent, and its answer.
#[derive(Clone, Debug, Serialize)]
pub struct SentView {
    /// From 1.
    pub attempt: i64,
    /// From 1.
    pub step_no: i64,
    /// The request.
    pub request: RequestView,
    /// Milliseconds UTC.
    pub sent_at: i64,
    /// Milliseconds UTC; `None`: no answer came.
    pub answered_at: Option<i64>,
    /// HTTP status.
    pub status: Option<i64>,
    /// What the connector says it means: `done`, `already_done`, `retry_later`, `refused`, `unknown`.
    pub judgement: Option<String>,
    /// The vendor's reason.
    pub detail: Option<String>,
}

/// Somebody who is never named by a rule.
#[derive(Clone, Debug, Serialize)]
pub struct ExemptionView {
    /// Its id.
    pub id: ExemptionId,
    /// Only there; `None`: in every organization.
    pub organization_id: Option<OrgId>,
    /// User principal name, folded to lower case.
    pub principal: String,
    /// `vip`, `service_account`, `leave`, `other`.
    pub kind: String,
    /// Why.
    pub reason: String,
    /// Until when, milliseconds UTC; `None`: until ended.
    pub until: Option<i64>,
    /// By whom.
    pub created_by: String,
    /// Milliseconds UTC.
    pub created_at: i64,
    /// When it was ended by hand.
    pub ended_at: Option<i64>,
}

/// What stops reclaims besides a profile's write mode.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ControlsView {
    /// Everything is stopped.
    pub is_stopped: bool,
    /// Why.
    pub stopped_reason: Option<String>,
    /// By whom.
    pub stopped_by: Option<String>,
    /// Since when, milliseconds UTC.
    pub stopped_at: Option<i64>,
    /// UTC days on which nothing is taken back, `2026-12-24`, in order.
    pub freeze_days: Vec<String>,
}
