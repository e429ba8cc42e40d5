//! A reclamation rule's content: deciding fields, wording, digest. Pure.
//!
//! Invariant: every field is either deciding or wording, and approval A belongs to the digest of the deciding ones.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::kernel::digest::sha256_hex;
use crate::kernel::written::{self, Unfit};
use crate::kernel::{IntoProblem, Problem};

/// Days without use after which a generated rule of a direct integration names a seat (`sam-domain.md` §2.9).
pub const DEFAULT_THRESHOLD_DAYS: i64 = 60;
/// Days a holder has to answer.
pub const DEFAULT_NOTICE_DAYS: i64 = 14;
/// Seats of one organization that one sweep may take back.
pub const DEFAULT_PER_RUN: i64 = 100;
/// Seats of one organization within a UTC day.
pub const DEFAULT_PER_DAY: i64 = 200;
/// Share of an organization's active seats of the product within a rolling 30 days, percent. A wrong threshold or an
/// empty history must not empty an org.
pub const DEFAULT_PERCENT_OF_ORG: i64 = 50;

/// What happens when the holder does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// The seat is kept on hold until a person decides. Default of new rules.
    Hold,
    /// The seat is taken back.
    Reclaim,
}

/// Which accounts a rule looks at besides the clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// Account kinds that may be named. Service accounts and unknown kinds are never among the generated ones.
    pub account_kinds: BTreeSet<String>,
    /// Whether accounts that never showed activity are named once they are old enough.
    pub include_never_active: bool,
}

/// Where a rule looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every organization that uses the product.
    AllOrganizations,
    /// These organization ids.
    Organizations(BTreeSet<String>),
}

/// How much may happen at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Per organization and sweep.
    pub per_run: i64,
    /// Per organization and UTC day.
    pub per_day: i64,
    /// Percent of an organization's active seats within 30 days.
    pub percent_of_org: i64,
}

/// The fields an approval is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deciding {
    /// Which accounts.
    pub conditions: Conditions,
    /// Whole UTC days without use; a seat is named at this number and above.
    pub threshold_days: i64,
    /// Where.
    pub scope: Scope,
    /// User principal names that are never named, folded to lower case.
    pub exclusions: BTreeSet<String>,
    /// Actions of the connector's manifest, in order; a second one follows after `grace_days`.
    pub actions: Vec<String>,
    /// Days between the first and the second action.
    pub grace_days: i64,
    /// Whether the holder is asked first.
    pub notice: bool,
    /// Days the holder has.
    pub days: i64,
    /// What no answer means.
    pub silence: Silence,
    /// How much at once.
    pub limits: Limits,
}

/// The fields that change nothing about what happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wording {
    /// What people call the rule.
    pub name: String,
    /// A note for reviewers.
    pub note: String,
}

/// A change to a rule, field by field; absent fields stay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Edit {
    /// See [`Deciding::threshold_days`].
    pub threshold_days: Option<i64>,
    /// See [`Deciding::scope`].
    pub scope: Option<Scope>,
    /// See [`Deciding::exclusions`].
    pub exclusions: Option<BTreeSet<String>>,
    /// See [`Deciding::actions`].
    pub actions: Option<Vec<String>>,
    /// See [`Deciding::grace_days`].
    pub grace_days: Option<i64>,
    /// See [`Deciding::notice`].
    pub notice: Option<bool>,
    /// See [`Deciding::days`].
    pub days: Option<i64>,
    /// See [`Deciding::silence`].
    pub silence: Option<Silence>,
    /// See [`Deciding::limits`].
    pub limits: Option<Limits>,
    /// See [`Deciding::conditions`].
    pub conditions: Option<Conditions>,
    /// See [`Wording::name`].
    pub name: Option<String>,
    /// See [`Wording::note`].
    pub note: Option<String>,
}

/// A field that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {why}")]
pub struct FieldError {
    /// Field name.
    pub field: &'static str,
    /// What is wrong with it.
    pub why: String,
}

impl IntoProblem for FieldError {
    fn problem(&self) -> Problem {
        Problem::new(
            "rule.field",
            422,
            self.to_string(),
            "Correct this field and save again",
        )
        .at(self.field)
    }
}

/// The longest account that can be excluded: a mail address (RFC 5321 §4.5.3.1: 64 and 255 octets around the `@`).
const PRINCIPAL_BYTES: usize = 320;

impl Wording {
    /// The words after an edit.
    ///
    /// # Errors
    /// [`FieldError`] for a name or a note that cannot be.
    pub fn edited(&self, edit: &Edit) -> Result<Self, FieldError> {
        let unfit = |field| {
            move |unfit: Unfit| FieldError {
                field,
                why: unfit.to_string(),
            }
        };
        let name = match &edit.name {
            Some(name) => written::name(name).map_err(unfit("name"))?.to_owned(),
            None => self.name.clone(),
        };
        let note = match &edit.note {
            Some(note) if note.trim().is_empty() => String::new(),
            Some(note) => written::reason(note).map_err(unfit("note"))?.to_owned(),
            None => self.note.clone(),
        };
        Ok(Self { name, note })
    }
}

impl Deciding {
    /// What the host proposes for a paid product: nothing is taken from anyone who does not answer.
    #[must_use]
    pub fn generated(action: &str) -> Self {
        Self {
            conditions: Conditions {
                account_kinds: BTreeSet::from(["person".to_owned()]),
                include_never_active: true,
            },
            threshold_days: DEFAULT_THRESHOLD_DAYS,
            scope: Scope::AllOrganizations,
            exclusions: BTreeSet::new(),
            actions: vec![action.to_owned()],
            grace_days: 0,
            notice: true,
            days: DEFAULT_NOTICE_DAYS,
            silence: Silence::Hold,
            limits: Limits {
                per_run: DEFAULT_PER_RUN,
                per_day: DEFAULT_PER_DAY,
                percent_of_org: DEFAULT_PERCENT_OF_ORG,
            },
        }
    }

    /// The bytes that are stored and that the digest is over. Field order is the struct's, sets are sorted, so equal
    /// content has equal bytes.
    #[must_use]
    pub fn canonical(&self) -> String {
        serde_json::to_string(self).expect("plain data with text keys always serialises")
    }

    /// What approval A is of.
    #[must_use]
    pub fn digest(&self) -> String {
        sha256_hex(self.canonical())
    }

    /// Whether an organization is in scope.
    #[must_use]
    pub fn covers(&self, organization: &str) -> bool {
        match &self.scope {
            Scope::AllOrganizations => true,
            Scope::Organizations(listed) => listed.contains(organization),
        }
    }

    /// Applies an edit and checks every field.
    ///
    /// # Errors
    /// [`FieldError`] naming the first field that cannot be.
    pub fn edited(mut self, edit: &Edit) -> Result<Self, FieldError> {
        macro_rules! take {
            ($($field:ident),*) => { $(if let Some(value) = edit.$field.clone() { self.$field = value; })* };
        }
        take!(
            threshold_days,
            scope,
            actions,
            grace_days,
            notice,
            days,
            silence,
            limits,
            conditions
        );
        if let Some(exclusions) = &edit.exclusions {
            self.exclusions = exclusions
                .iter()
                .map(|upn| upn.trim().to_lowercase())
                .filter(|upn| !upn.is_empty())
                .collect();
        }
        self.checked()
    }

    fn checked(self) -> Result<Self, FieldError> {
        let within = |field, value: i64, low: i64, high: i64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(FieldError {
                    field,
                    why: format!("must be between {low} and {high}, not {value}"),
                })
            }
        };
        within("threshold_days", self.threshold_days, 1, 3_650)?;
        within("grace_days", self.grace_days, 0, 365)?;
        within("days", self.days, 0, 365)?;
        within("limits.per_run", self.limits.per_run, 1, 100_000)?;
        within("limits.per_day", self.limits.per_day, 1, 100_000)?;
        within("limits.percent_of_org", self.limits.percent_of_org, 1, 100)?;
        if self.actions.is_empty() || self.actions.len() > 2 {
            return Err(FieldError {
                field: "actions",
                why: "must name one action, or two with a grace between".to_owned(),
            });
        }
        if self.actions.len() == 2 && self.grace_days == 0 {
            return Err(FieldError {
                field: "grace_days",
                why: "must be at least 1 when there is a second action".to_owned(),
            });
        }
        if let Some(long) = self.exclusions.iter().find(|e| e.len() > PRINCIPAL_BYTES) {
            return Err(FieldError {
                field: "exclusions",
                why: format!(
                    "has an account of {} characters; none is longer than {PRINCIPAL_BYTES}",
                    long.chars().count()
                ),
            });
        }
        if self.conditions.account_kinds.is_empty() {
            return Err(FieldError {
                field: "conditions.account_kinds",
                why: "must name at least one kind of account".to_owned(),
            });
        }
        Ok(self)
    }

    /// The rule in one sentence.
    #[must_use]
    pub fn sentence(&self, product: &str) -> String {
        let asks = match (self.notice && self.days > 0, self.silence) {
            (true, Silence::Hold) => format!(
                " after asking the holder and waiting {} days; no answer keeps it on hold",
                self.days
            ),
            (true, Silence::Reclaim) => format!(
                " after asking the holder and waiting {} days; no answer means yes",
                self.days
            ),
            (false, _) => " without asking the holder".to_owned(),
        };
        format!(
            "Take back {product} from people without activity for {} days{asks}",
            self.threshold_days
        )
    }
}

/// Which deciding fields differ between two versions, by name.
#[must_use]
pub fn differences(old: &Deciding, new: &Deciding) -> Vec<String> {
    let (Ok(serde_json::Value::Object(old)), Ok(serde_json::Value::Object(new))) =
        (serde_json::to_value(old), serde_json::to_value(new))
    else {
        return Vec::new();
    };
    new.into_iter()
        .filter(|(key, value)| old.get(key) != Some(value))
        .map(|(key, _)| key)
        .collect()
}

/// One deciding field that differs, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Its name; parts of a group are named with a dot.
    pub field: String,
    /// What is in force.
    pub before: String,
    /// What is proposed.
    pub after: String,
}

/// What differs between two versions, old and new value of each.
#[must_use]
pub fn changes(old: &Deciding, new: &Deciding) -> Vec<FieldChange> {
    let (Ok(old), Ok(new)) = (serde_json::to_value(old), serde_json::to_value(new)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    compare("", &old, &new, &mut found);
    found
}

fn compare(
    path: &str,
    old: &serde_json::Value,
    new: &serde_json::Value,
    found: &mut Vec<FieldChange>,
) {
    if old == new {
        return;
    }
    if let (Some(before), Some(after)) = (old.as_object(), new.as_object()) {
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for key in keys {
            let inner = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            let null = serde_json::Value::Null;
            compare(
                &inner,
                before.get(key).unwrap_or(&null),
                after.get(key).unwrap_or(&null),
                found,
            );
        }
        return;
    }
    found.push(FieldChange {
        field: path.to_owned(),
        before: in_words(old),
        after: in_words(new),
    });
}

fn in_words(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.replace('_', " "),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(in_words).collect::<Vec<_>>().join(", "),
        Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(value: serde_json::Value) -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn every_field_is_deciding_or_wording_and_an_edit_reaches_each() {
        let deciding = keys(serde_json::to_value(Deciding::generated("deactivate")).unwrap());
        let wording = keys(
            serde_json::to_value(Wording {
                name: String::new(),
                note: String::new(),
            })
            .unwrap(),
        );
        let expected: BTreeSet<String> = [
            "conditions",
            "threshold_days",
            "scope",
            "exclusions",
            "actions",
            "grace_days",
            "notice",
            "days",
            "silence",
            "limits",
        ]
        .map(str::to_owned)
        .into();
        assert_eq!(deciding, expected);
        assert!(deciding.is_disjoint(&wording));
        let edit = keys(serde_json::to_value(Edit::default()).unwrap());
        assert_eq!(edit, deciding.union(&wording).cloned().collect());
    }

    #[test]
    fn each_deciding_field_moves_the_digest() {
        let base = Deciding::generated("deactivate");
        let edits = [
            Edit {
                threshold_days: Some(90),
                ..Edit::default()
            },
            Edit {
                scope: Some(Scope::Organizations(BTreeSet::from(["org_1".to_owned()]))),
                ..Edit::default()
            },
            Edit {
                exclusions: Some(BTreeSet::from(["gus@example.com".to_owned()])),
                ..Edit::default()
            },
            Edit {
                actions: Some(vec!["freeze".to_owned()]),
                ..Edit::default()
            },
            Edit {
                grace_days: Some(7),
                ..Edit::default()
            },
            Edit {
                notice: Some(false),
                ..Edit::default()
            },
            Edit {
                days: Some(7),
                ..Edit::default()
            },
            Edit {
                silence: Some(Silence::Reclaim),
                ..Edit::default()
            },
            Edit {
                limits: Some(Limits {
                    per_run: 1,
                    per_day: 1,
                    percent_of_org: 1,
                }),
                ..Edit::default()
            },
            Edit {
                conditions: Some(Conditions {
                    include_never_active: false,
                    ..base.conditions.clone()
                }),
                ..Edit::default()
            },
        ];
        for edit in edits {
            let new = base.clone().edited(&edit).unwrap();
            assert_ne!(new.digest(), base.digest(), "{edit:?}");
            assert_eq!(differences(&base, &new).len(), 1, "{edit:?}");
        }
    }

    #[test]
    fn wording_never_moves_the_digest() {
        let base = Deciding::generated("deactivate");
        let renamed = Edit {
            name: Some("x".to_owned()),
            note: Some("y".to_owned()),
            ..Edit::default()
        };
        assert_eq!(
            base.clone().edited(&renamed).unwrap().digest(),
            base.digest()
        );
    }

    #[test]
    fn nonsense_is_refused_with_its_field() {
        let base = Deciding::generated("deactivate");
        let wrong = [
            (
                Edit {
                    threshold_days: Some(0),
                    ..Edit::default()
                },
                "threshold_days",
            ),
            (
                Edit {
                    actions: Some(vec![]),
                    ..Edit::default()
                },
                "actions",
            ),
            (
                Edit {
                    actions: Some(vec!["freeze".into(), "deactivate".into()]),
                    ..Edit::default()
                },
                "grace_days",
            ),
            (
                Edit {
                    limits: Some(Limits {
                        per_run: 0,
                        per_day: 1,
                        percent_of_org: 1,
                    }),
                    ..Edit::default()
                },
                "limits.per_run",
            ),
        ];
        for (edit, field) in wrong {
            assert_eq!(base.clone().edited(&edit).unwrap_err().field, field);
        }
    }

    #[test]
    fn stored_bytes_read_back_to_the_same_digest() {
        let rule = Deciding::generated("deactivate");
        let read: Deciding = serde_json::from_str(&rule.canonical()).unwrap();
        assert_eq!(read.digest(), rule.digest());
    }

    #[test]
    fn a_changed_field_is_shown_with_its_old_and_its_new_value() {
        let old = Deciding::generated("deactivate");
        let mut new = old.clone();
        new.threshold_days = 90;
        new.limits.per_day = 7;
        new.exclusions = ["gus@acme.com".to_owned()].into();
        let shown: Vec<(String, String, String)> = changes(&old, &new)
            .into_iter()
            .map(|c| (c.field, c.before, c.after))
            .collect();
        let line =
            |field: &str, before: String, after: &str| (field.to_owned(), before, after.to_owned());
        assert_eq!(
            shown,
            [
                line("exclusions", "none".to_owned(), "gus@acme.com"),
                line("limits.per_day", old.limits.per_day.to_string(), "7"),
                line("threshold_days", old.threshold_days.to_string(), "90"),
            ]
        );
        assert_eq!(changes(&old, &old), []);
    }
}
