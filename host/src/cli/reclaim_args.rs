//! Verbs of rules, candidates, batches, actions, exemptions and the switch.
use clap::{Subcommand, ValueEnum};

/// Verbs of rules.
#[derive(Debug, Subcommand)]
pub enum RuleVerb {
    /// List rules
    List,
    /// Show one rule: sentence, version, author, deciding fields
    Show {
        /// Such as RUL0001001
        number: String,
    },
    /// Who the rule names, who not, and why
    Preview {
        /// Such as RUL0001001
        number: String,
        /// Rows at most
        #[arg(long, default_value_t = 200)]
        limit: i64,
    },
    /// Change deciding fields: a new version is proposed
    #[command(
        after_help = "Example:\n  seatwise rule edit RUL0001001 --set threshold_days=90 --set notice=true"
    )]
    Edit {
        /// Such as RUL0001001
        number: String,
        /// A deciding field; may be repeated
        #[arg(long, value_name = "FIELD=VALUE", required = true)]
        set: Vec<String>,
    },
    /// Approve the version you have seen
    Approve {
        /// Such as RUL0001001
        number: String,
        /// The digest that `rule preview` shows
        #[arg(long, value_name = "DIGEST")]
        seen: String,
    },
    /// Refuse the version
    Refuse {
        /// Such as RUL0001001
        number: String,
        /// The digest that `rule preview` shows
        #[arg(long, value_name = "DIGEST")]
        seen: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Switch a rule off; its open candidates are closed
    Off {
        /// Such as RUL0001001
        number: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// Verbs of candidates.
#[derive(Debug, Subcommand)]
pub enum CandidateVerb {
    /// List candidates
    List {
        /// Only those in this state, such as ready or attention_required
        #[arg(long)]
        state: Option<String>,
        /// Only those of this rule
        #[arg(long, value_name = "NUMBER")]
        rule: Option<String>,
        /// Part of principal or name
        #[arg(long)]
        search: Option<String>,
        /// Only those after this number
        #[arg(long, value_name = "NUMBER")]
        after: Option<String>,
    },
    /// How many stand in which state
    Counts,
    /// Show one candidate with its events
    Show {
        /// Such as CAN0001733
        number: String,
    },
    /// Record the person's answer
    Answer {
        /// Such as CAN0001733
        number: String,
        /// What they said
        answer: Answer,
        /// Why; needed for `keep`
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Decide a wish to keep
    Decide {
        /// Such as CAN0001733
        number: String,
        /// grant or refuse
        decision: Decision,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Let a held candidate go on
    Release {
        /// Such as CAN0001733
        number: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// End what needed attention, such as a vendor's refusal that was put right; it takes another approval
    Repair {
        /// Such as CAN0001733
        number: String,
        /// What was done
        #[arg(long)]
        reason: String,
    },
    /// Close by hand what was done outside
    Close {
        /// Such as CAN0001733
        number: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// What a person said about their seat.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Answer {
    /// I need it
    Keep,
    /// I do not need it
    NotNeeded,
}

/// What became of a wish to keep.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Decision {
    /// It is kept
    Grant,
    /// It is taken back
    Refuse,
}

/// Verbs of batches.
#[derive(Debug, Subcommand)]
pub enum BatchVerb {
    /// Put a batch together and show its literal requests; nothing happens before it is approved
    Preview {
        /// Rule whose ready candidates it takes
        #[arg(long, value_name = "NUMBER")]
        rule: String,
        /// Only this candidate; may be repeated
        #[arg(long, value_name = "NUMBER")]
        candidate: Vec<String>,
    },
    /// List batches
    List,
    /// Show one batch: every person with the requests that would be sent
    Show {
        /// Such as BAT0001001
        number: String,
    },
    /// Approve exactly the batch you have seen
    Approve {
        /// Such as BAT0001001
        number: String,
        /// The digest that `batch preview` shows
        #[arg(long, value_name = "DIGEST")]
        seen: String,
    },
}

/// Verbs of actions.
#[derive(Debug, Subcommand)]
pub enum ActionVerb {
    /// List actions
    List,
    /// Show one action: requests, answers, receipt
    Show {
        /// Such as ACT0001001
        number: String,
    },
    /// Put back what an action took; first shows the requests that would do it
    Undo {
        /// Such as ACT0001001, or a candidate's number
        number: String,
        /// Why; without it the requests are only shown
        #[arg(long)]
        reason: Option<String>,
        /// Follow it to its end
        #[arg(long)]
        follow: bool,
    },
}

/// Verbs of exemptions.
#[derive(Debug, Subcommand)]
pub enum ExemptionVerb {
    /// Exempt an account from every rule
    Add {
        /// Its user principal name
        #[arg(long)]
        principal: String,
        /// vip, service_account, leave or other
        #[arg(long)]
        kind: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// Last day, YYYY-MM-DD; without it, until ended
        #[arg(long, value_name = "DAY")]
        until: Option<String>,
    },
    /// List exemptions
    List,
    /// End an exemption
    End {
        /// As the list shows it
        id: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// Verbs of the kill switch.
#[derive(Debug, Subcommand)]
pub enum ReclaimVerb {
    /// Stop every reclaim, at every vendor, at once
    Stop {
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Let reclaims go on
    Start {
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// What stops reclaims now
    Status,
    /// Set the UTC days on which nothing is taken back; they replace the ones before
    FreezeDays {
        /// Such as 2026-12-24; none: every day is open
        days: Vec<String>,
        /// Why
        #[arg(long)]
        reason: String,
    },
}
