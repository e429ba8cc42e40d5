//! Tasks, their order and their states; what was answered; how a pasted address is tidied. Pure.

use std::fmt;

use seatwise_runtime::Manifest;
use seatwise_runtime::manifest::playbook::Estimate;
use serde::{Deserialize, Serialize};

use crate::aliases::{Origin, Valued};
use crate::profiles::model::{ProfileFault, login_url};

/// Most settings that one task asks for.
pub const FIELDS: usize = 5;

/// One task of the playbook. Its text is a part of an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// Work at the vendor; the id is the manifest's.
    Prepare(String),
    /// Name, owner, kind of org.
    Profile,
    /// Address and credential.
    SignIn,
    /// The checks, one by one.
    Checks,
    /// Settings of the connector, at most [`FIELDS`] of them; counted from 1.
    Settings(usize),
    /// Price of each licence and their currency.
    Prices,
    /// Quota share and threshold.
    Limits,
    /// When it collects.
    Schedule,
    /// All answers, and publishing.
    Review,
    /// The first run and what it found.
    FirstSync,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prepare(id) => write!(f, "prepare-{id}"),
            Self::Profile => f.write_str("profile"),
            Self::SignIn => f.write_str("sign-in"),
            Self::Checks => f.write_str("checks"),
            Self::Settings(1) => f.write_str("settings"),
            Self::Settings(n) => write!(f, "settings-{n}"),
            Self::Prices => f.write_str("prices"),
            Self::Limits => f.write_str("limits"),
            Self::Schedule => f.write_str("schedule"),
            Self::Review => f.write_str("review"),
            Self::FirstSync => f.write_str("first-sync"),
        }
    }
}

/// Where a task stands, in the six words of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Nobody has done it.
    ToDo,
    /// It is going on by itself.
    InProgress,
    /// Handed to somebody.
    Waiting,
    /// Finished.
    Done,
    /// Something failed.
    NeedsAttention,
    /// It does not apply, or the defaults hold.
    NotNeeded,
}

/// A part of the way, as the page heads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Work at the vendor.
    Prepare,
    /// What it is called and whose it is.
    Profile,
    /// The credential.
    Connect,
    /// Every claim checked.
    Check,
    /// What is collected, and when.
    Scope,
    /// All answers.
    Review,
    /// The first run.
    FirstSync,
}

impl Lane {
    /// Lanes in their order.
    pub const ALL: [Self; 7] = [
        Self::Prepare,
        Self::Profile,
        Self::Connect,
        Self::Check,
        Self::Scope,
        Self::Review,
        Self::FirstSync,
    ];

    /// Its heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Prepare => "Prepare",
            Self::Profile => "Profile",
            Self::Connect => "Connect",
            Self::Check => "Check",
            Self::Scope => "Scope",
            Self::Review => "Review",
            Self::FirstSync => "First sync",
        }
    }
}

impl Task {
    /// The lane it stands in.
    #[must_use]
    pub fn lane(&self) -> Lane {
        match self {
            Self::Prepare(_) => Lane::Prepare,
            Self::Profile => Lane::Profile,
            Self::SignIn => Lane::Connect,
            Self::Checks => Lane::Check,
            Self::Settings(_) | Self::Prices | Self::Limits | Self::Schedule => Lane::Scope,
            Self::Review => Lane::Review,
            Self::FirstSync => Lane::FirstSync,
        }
    }

    /// What a person reads.
    #[must_use]
    pub fn title(&self, manifest: &Manifest) -> String {
        match self {
            Self::Prepare(id) => manifest
                .playbook
                .preparation(id)
                .map_or_else(|| id.clone(), |step| step.title.clone()),
            Self::Profile => "Name and owner".to_owned(),
            Self::SignIn => "Sign in".to_owned(),
            Self::Checks => "Check every right".to_owned(),
            Self::Settings(1) => "What to collect".to_owned(),
            Self::Settings(_) => "More of what to collect".to_owned(),
            Self::Prices => "Prices".to_owned(),
            Self::Limits => "Limits".to_owned(),
            Self::Schedule => "Schedule".to_owned(),
            Self::Review => "Check your answers".to_owned(),
            Self::FirstSync => "First sync".to_owned(),
        }
    }

    /// Publishing does not wait for it.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        matches!(
            self,
            Self::Prepare(_) | Self::Settings(_) | Self::Prices | Self::Limits | Self::Schedule
        )
    }

    /// Somebody without an account may answer it.
    #[must_use]
    pub fn can_be_handed_over(&self) -> bool {
        matches!(self, Self::Prepare(_) | Self::SignIn)
    }
}

/// All tasks of a connector, in the order of the page.
#[must_use]
pub fn tasks(manifest: &Manifest) -> Vec<Task> {
    let mut all: Vec<Task> = manifest
        .playbook
        .prepare
        .iter()
        .map(|step| Task::Prepare(step.id.clone()))
        .collect();
    all.extend([Task::Profile, Task::SignIn, Task::Checks]);
    let pages = manifest.settings.properties.len().div_ceil(FIELDS);
    all.extend((1..=pages).map(Task::Settings));
    all.extend([
        Task::Prices,
        Task::Limits,
        Task::Schedule,
        Task::Review,
        Task::FirstSync,
    ]);
    all
}

/// The task of that text, if the connector's playbook has it.
#[must_use]
pub fn find(manifest: &Manifest, text: &str) -> Option<Task> {
    tasks(manifest)
        .into_iter()
        .find(|task| task.to_string() == text)
}

/// Names of the settings that a task asks for, in the order of the form.
#[must_use]
pub fn settings_of(manifest: &Manifest, page: usize) -> Vec<String> {
    let mut names: Vec<(&String, i32)> = manifest
        .settings
        .properties
        .iter()
        .map(|(name, property)| (name, property.order.unwrap_or(i32::MAX)))
        .collect();
    names.sort_by_key(|(_, order)| *order);
    names
        .chunks(FIELDS)
        .nth(page.saturating_sub(1))
        .unwrap_or_default()
        .iter()
        .map(|(name, _)| (*name).clone())
        .collect()
}

/// The price of one licence for a year.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// The vendor's key.
    pub identifier: String,
    /// Such as `1800` or `0.035`.
    pub price: String,
}

/// What was answered and has no place in another table. Never a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answers {
    /// Principal who answers for it.
    pub owner: Option<String>,
    /// `production` or `sandbox`, as chosen before anything was asked.
    pub environment: Option<String>,
    /// Three letters.
    pub currency: Option<String>,
    /// By licence.
    pub prices: Vec<Price>,
    /// Who entered the prices: they may not approve by them.
    pub priced_by: Option<String>,
    /// Number of the profile that the answers were copied from.
    pub copied_from: Option<String>,
}

/// A price that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldPrice {
    /// The licence and its price.
    pub price: Price,
    /// Who entered it: they may not approve by it.
    pub by: String,
    /// Entered here, or taken over.
    pub origin: Origin,
}

/// The prices that hold for an org.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HeldPrices {
    /// Three letters, of all of them.
    pub currency: Option<Valued<String>>,
    /// At most one a licence.
    pub prices: Vec<HeldPrice>,
}

impl HeldPrices {
    /// The price of a licence.
    #[must_use]
    pub fn of(&self, identifier: &str) -> Option<&HeldPrice> {
        self.prices
            .iter()
            .find(|held| held.price.identifier == identifier)
    }
}

impl Answers {
    /// The prices that hold under a parent: an own one before the parent's of the same licence. With another currency than the
    /// parent's nothing is taken over, for an amount means nothing without its currency.
    #[must_use]
    pub fn prices_under(&self, parent: Option<&Self>) -> HeldPrices {
        let valued = |answers: &Self, origin| {
            let value = answers.currency.clone()?;
            Some(Valued { value, origin })
        };
        let above = parent.and_then(|parent| valued(parent, Origin::Parent));
        let currency = valued(self, Origin::Own).or(above);
        let of = |answers: &Self, origin| -> Vec<HeldPrice> {
            let by = answers.priced_by.clone().unwrap_or_default();
            answers
                .prices
                .iter()
                .map(|price| HeldPrice {
                    price: price.clone(),
                    by: by.clone(),
                    origin,
                })
                .collect()
        };
        let mut prices = of(self, Origin::Own);
        let taken =
            parent.filter(|parent| self.currency.is_none() || self.currency == parent.currency);
        for held in taken.map_or_else(Vec::new, |parent| of(parent, Origin::Parent)) {
            let is_own = prices
                .iter()
                .any(|own| own.price.identifier == held.price.identifier);
            if !is_own {
                prices.push(held);
            }
        }
        HeldPrices { currency, prices }
    }

    /// What another org's set-up begins with; prices are left out where they are taken over instead.
    #[must_use]
    pub fn copied(&self, from: &str, takes_over: bool) -> Self {
        let mut copy = Self {
            copied_from: Some(from.to_owned()),
            ..self.clone()
        };
        if takes_over {
            copy.currency = None;
            copy.prices = Vec::new();
            copy.priced_by = None;
        }
        copy
    }

    /// Reads what is stored. A text that is not ours counts as nothing answered.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

/// A row of the last checks, as far as it decides states.
#[derive(Clone, Copy, Debug)]
pub struct CheckFact<'a> {
    /// The connector's id.
    pub id: &'a str,
    /// `pass`, `fail`, `warn`, `skipped`, `waiting`, `running`.
    pub verdict: &'a str,
    /// A failure blocks publishing.
    pub is_mandatory: bool,
}

/// Everything that decides the state of a task.
#[derive(Clone, Debug, Default)]
pub struct Facts<'a> {
    /// What the task's row says: `done`, `not_needed`, `waiting`, or nothing.
    pub stored: Option<&'a str>,
    /// Draft, as opposed to published, paused or archived.
    pub is_draft: bool,
    /// Health of the credential, if there is one.
    pub credential: Option<&'a str>,
    /// The last checks.
    pub checks: &'a [CheckFact<'a>],
    /// Checks of the connector that prove the task.
    pub proven_by: &'a [String],
    /// State of the newest run; `waiting` where a right at the vendor is missing.
    pub run: Option<&'a str>,
}

/// Where a task stands.
#[must_use]
pub fn state(task: &Task, facts: &Facts<'_>) -> TaskState {
    let by_row = match facts.stored {
        Some("done") => TaskState::Done,
        Some("not_needed") => TaskState::NotNeeded,
        Some("waiting") => TaskState::Waiting,
        _ => TaskState::ToDo,
    };
    match task {
        Task::Prepare(_) => match proof(facts) {
            Some(false) => TaskState::NeedsAttention,
            Some(true) => TaskState::Done,
            None => by_row,
        },
        Task::SignIn => match facts.credential {
            Some("needs_sign_in") => TaskState::NeedsAttention,
            Some(_) => TaskState::Done,
            None if by_row == TaskState::Waiting => by_row,
            None => TaskState::ToDo,
        },
        Task::Checks => checked(facts.checks),
        Task::Review if !facts.is_draft => TaskState::Done,
        Task::Review => TaskState::ToDo,
        Task::FirstSync => match facts.run {
            None => TaskState::ToDo,
            Some("complete") => TaskState::Done,
            Some("queued" | "running" | "applying" | "paused_quota") => TaskState::InProgress,
            Some(_) => TaskState::NeedsAttention,
        },
        _ => by_row,
    }
}

/// Whether the checks show that work at the vendor was done: `None` before they have run.
#[must_use]
pub fn proof(facts: &Facts<'_>) -> Option<bool> {
    let mut verdicts = facts
        .proven_by
        .iter()
        .map(|id| facts.checks.iter().find(|check| check.id == id));
    if facts.proven_by.is_empty()
        || verdicts.clone().any(|check| {
            check.is_none_or(|c| matches!(c.verdict, "waiting" | "running" | "skipped"))
        })
    {
        return None;
    }
    Some(verdicts.all(|check| check.is_some_and(|c| c.verdict != "fail")))
}

fn checked(checks: &[CheckFact<'_>]) -> TaskState {
    if checks.is_empty() {
        TaskState::ToDo
    } else if checks
        .iter()
        .any(|c| matches!(c.verdict, "waiting" | "running"))
    {
        TaskState::InProgress
    } else if checks.iter().any(|c| c.is_mandatory && c.verdict == "fail") {
        TaskState::NeedsAttention
    } else {
        TaskState::Done
    }
}

/// A login address as it is kept, and what was changed in what was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tidied {
    /// The address.
    pub url: url::Url,
    /// A sentence without a full stop for the person, when it is not what they typed.
    pub note: Option<String>,
}

/// Tidies a pasted login address by the connector's rewrites: a page becomes its host, a host of the same org the one that is meant.
///
/// # Errors
/// [`ProfileFault::LoginUrl`].
pub fn tidy(manifest: &Manifest, typed: &str) -> Result<Tidied, ProfileFault> {
    let mut url = login_url(typed)?;
    let mut reasons: Vec<String> = Vec::new();
    let name = url.host_str().unwrap_or_default().to_owned();
    for rewrite in &manifest.playbook.rewrites {
        if let Some(org) = name.strip_suffix(&rewrite.ends_with)
            && !org.is_empty()
        {
            url.set_host(Some(&format!("{org}{}", rewrite.becomes)))
                .map_err(|_| ProfileFault::LoginUrl(name.clone()))?;
            reasons.push(rewrite.why.clone());
            break;
        }
    }
    let kept = url.as_str().trim_end_matches('/').to_owned();
    let as_typed = typed.trim();
    if reasons.is_empty() && kept != as_typed {
        reasons.push(if kept == as_typed.trim_end_matches('/') {
            "the slash at the end was left out".to_owned()
        } else if as_typed.contains("://") {
            "only its host was kept".to_owned()
        } else {
            "https was put before it and only its host kept".to_owned()
        });
    }
    // A pasted address can carry a password in its query.
    let shown: String = as_typed
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .take(120)
        .collect();
    let note = (!reasons.is_empty()).then(|| {
        format!(
            "You entered {shown}; it became {kept}: {}",
            reasons.join(", ")
        )
    });
    Ok(Tidied { url, note })
}

/// What a first download is expected to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// Accounts.
    pub accounts: i64,
    /// Minutes, at least 1.
    pub minutes: i64,
    /// Calls of the vendor's daily limit.
    pub calls: i64,
}

/// The expectation for so many accounts.
#[must_use]
pub fn expect(estimate: Estimate, accounts: i64) -> Expected {
    let up = |per: u32| accounts.max(0).div_euclid(i64::from(per)) + 1;
    Expected {
        accounts,
        minutes: up(estimate.accounts_per_minute),
        calls: up(estimate.accounts_per_call) + i64::from(estimate.fixed_calls),
    }
}
