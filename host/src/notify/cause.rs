//! What people and webhooks are told of. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::identity::roles::{Permission, Role};

/// Something that happened and that somebody asked to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The first download of a profile is done.
    FirstRun,
    /// A download failed, and the one before had not.
    RunFailed,
    /// A download works again.
    RunRecovered,
    /// A profile waits for a person.
    Attention,
    /// A profile no longer waits for a person.
    AttentionOver,
    /// A credential no longer works.
    TokenDied,
    /// A rule or a batch waits for approval.
    ApprovalWaiting,
    /// A webhook was switched off because it took nothing.
    WebhookOff,
}

impl Cause {
    /// All causes, in the order pages list them.
    pub const ALL: [Self; 8] = [
        Self::FirstRun,
        Self::RunFailed,
        Self::RunRecovered,
        Self::Attention,
        Self::AttentionOver,
        Self::TokenDied,
        Self::ApprovalWaiting,
        Self::WebhookOff,
    ];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstRun => "first_run",
            Self::RunFailed => "run_failed",
            Self::RunRecovered => "run_recovered",
            Self::Attention => "attention",
            Self::AttentionOver => "attention_over",
            Self::TokenDied => "token_died",
            Self::ApprovalWaiting => "approval_waiting",
            Self::WebhookOff => "webhook_off",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }

    /// The `type` of a webhook's body.
    #[must_use]
    pub fn event(self) -> &'static str {
        match self {
            Self::FirstRun => "run.first_done",
            Self::RunFailed => "run.failed",
            Self::RunRecovered => "run.recovered",
            Self::Attention => "profile.needs_attention",
            Self::AttentionOver => "profile.recovered",
            Self::TokenDied => "credential.died",
            Self::ApprovalWaiting => "approval.waiting",
            Self::WebhookOff => "webhook.off",
        }
    }

    /// When it is told, as a person chooses by it.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::FirstRun => "The first download of a profile is done, with what was found",
            Self::RunFailed => "A download failed, and the one before had not",
            Self::RunRecovered => "A profile downloads again after a failure",
            Self::Attention => "A profile waits for a person",
            Self::AttentionOver => "A profile no longer waits for a person",
            Self::TokenDied => "A credential no longer works and somebody must sign in again",
            Self::ApprovalWaiting => "A rule or a batch waits for approval",
            Self::WebhookOff => "A webhook was switched off because it took nothing",
        }
    }

    /// What somebody must be allowed to for this to concern them; nobody is told otherwise, whatever they chose.
    #[must_use]
    pub fn needs(self) -> Permission {
        match self {
            Self::ApprovalWaiting => Permission::Approve,
            Self::WebhookOff => Permission::Administer,
            _ => Permission::Read,
        }
    }

    /// Whether somebody with these roles is told unless they chose otherwise.
    #[must_use]
    pub fn is_told_to(self, roles: &BTreeSet<Role>) -> bool {
        let by_default: &[Role] = match self {
            Self::ApprovalWaiting => &[Role::Approver],
            Self::WebhookOff => &[Role::Admin],
            Self::FirstRun | Self::RunFailed | Self::RunRecovered => {
                &[Role::SamIntegrator, Role::SamAdmin]
            }
            Self::Attention | Self::AttentionOver | Self::TokenDied => &[Role::SamIntegrator],
        };
        by_default.iter().any(|role| roles.contains(role))
    }

    /// Whether it may concern somebody with these roles at all.
    #[must_use]
    pub fn concerns(self, roles: &BTreeSet<Role>) -> bool {
        self.needs()
            .granted_to()
            .iter()
            .any(|role| roles.contains(role))
    }
}

/// One number of a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Of what.
    pub name: String,
    /// How many.
    pub value: i64,
}

/// What is told. Texts are as they were found, hostile or not: [`super::wording`] and the webhook's JSON make them harmless.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Such as PRF0001001.
    pub number: String,
    /// The name of what it is about.
    pub name: String,
    /// One sentence without a full stop.
    pub happened: String,
    /// What to do, where something is to be done.
    pub fix: Option<String>,
    /// The page, from its slash on.
    pub path: String,
    /// What was found.
    pub counts: Vec<Count>,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Notice {
    /// What kind.
    pub cause: Cause,
    /// The same happening has the same key, and is told once.
    pub key: String,
    /// `run`, `profile`, …
    pub subject_kind: &'static str,
    /// Its id.
    pub subject_id: String,
    /// Principal who answers for it: told by default, whatever their roles.
    pub owner: Option<String>,
    /// What is told.
    pub facts: Facts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_reads_back_and_is_told_to_somebody_by_default() {
        for cause in Cause::ALL {
            assert_eq!(Cause::parse(cause.as_str()), Some(cause));
            assert!(
                Role::ALL
                    .into_iter()
                    .any(|role| cause.is_told_to(&BTreeSet::from([role]))),
                "{cause:?}"
            );
        }
        assert_eq!(Cause::parse("everything"), None);
    }

    #[test]
    fn nobody_is_told_by_default_of_what_does_not_concern_them() {
        for cause in Cause::ALL {
            for role in Role::ALL {
                let roles = BTreeSet::from([role]);
                assert!(!cause.is_told_to(&roles) || cause.concerns(&roles));
            }
        }
        let integrator = BTreeSet::from([Role::SamIntegrator]);
        assert!(!Cause::ApprovalWaiting.concerns(&integrator));
    }
}
