//! What an alias sets itself, and what holds for it in the end. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Daily at 03:00, until someone chooses otherwise.
pub const DEFAULT_CRON: &str = "0 3 * * *";
/// The zone of a new alias.
pub const DEFAULT_ZONE: &str = "UTC";
/// Percent of the vendor's limit at which work pauses.
pub const DEFAULT_QUOTA_PERCENT: i64 = 75;
/// Days without activity that a proposed rule begins with.
pub const DEFAULT_THRESHOLD_DAYS: i64 = 60;

/// How often a call is made at most that fails for a moment.
pub const DEFAULT_TRIES: i64 = 5;

/// When work is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Five cron fields.
    pub cron: String,
    /// IANA zone.
    pub zone: String,
    /// Days `YYYY-MM-DD` in that zone on which nothing is collected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze_days: Vec<String>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            cron: DEFAULT_CRON.to_owned(),
            zone: DEFAULT_ZONE.to_owned(),
            freeze_days: Vec::new(),
        }
    }
}

/// What an alias sets itself; everything left out is taken over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Properties {
    /// When its profile collects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Percent of the vendor's limit at which work pauses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_percent: Option<i64>,
    /// Days without activity that a proposed rule begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_days: Option<i64>,
    /// How often a call is made at most that fails for a moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<i64>,
    /// Settings of the connector that are taken over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, Value>,
    /// What this module does not know; kept as it is.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Set here.
    Own,
    /// Taken over from the parent.
    Parent,
    /// Nobody set it.
    Default,
}

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Valued<T> {
    /// What holds.
    pub value: T,
    /// Who said so.
    pub origin: Origin,
}

/// What holds for an alias.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effective {
    /// When its profile collects.
    pub schedule: Valued<Schedule>,
    /// Percent of the vendor's limit at which work pauses.
    pub quota_percent: Valued<i64>,
    /// Days without activity that a proposed rule begins with.
    pub threshold_days: Valued<i64>,
    /// How often a call is made at most that fails for a moment.
    pub tries: Valued<i64>,
    /// Settings that somebody set, by name.
    pub settings: BTreeMap<String, Valued<Value>>,
}

fn pick<T: Clone>(own: Option<&T>, parent: Option<&T>, default: T) -> Valued<T> {
    match (own, parent) {
        (Some(value), _) => Valued {
            value: value.clone(),
            origin: Origin::Own,
        },
        (None, Some(value)) => Valued {
            value: value.clone(),
            origin: Origin::Parent,
        },
        (None, None) => Valued {
            value: default,
            origin: Origin::Default,
        },
    }
}

impl Properties {
    /// Reads what is stored. A text that is not ours counts as nothing set.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// What holds, under a parent or alone.
    #[must_use]
    pub fn under(&self, parent: Option<&Self>) -> Effective {
        let mut settings: BTreeMap<String, Valued<Value>> = parent
            .into_iter()
            .flat_map(|parent| &parent.settings)
            .map(|(name, value)| (name.clone(), pick(None, Some(value), Value::Null)))
            .collect();
        for (name, value) in &self.settings {
            settings.insert(name.clone(), pick(Some(value), None, Value::Null));
        }
        Effective {
            schedule: pick(
                self.schedule.as_ref(),
                parent.and_then(|p| p.schedule.as_ref()),
                Schedule::default(),
            ),
            quota_percent: pick(
                self.quota_percent.as_ref(),
                parent.and_then(|p| p.quota_percent.as_ref()),
                DEFAULT_QUOTA_PERCENT,
            ),
            threshold_days: pick(
                self.threshold_days.as_ref(),
                parent.and_then(|p| p.threshold_days.as_ref()),
                DEFAULT_THRESHOLD_DAYS,
            ),
            tries: pick(
                self.tries.as_ref(),
                parent.and_then(|p| p.tries.as_ref()),
                DEFAULT_TRIES,
            ),
            settings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_takes_over_what_it_does_not_set_and_each_value_says_where_it_comes_from() {
        let parent = Properties::parse(
            r#"{"quota_percent":60,"threshold_days":90,"tries":3,"settings":{"api_version":"v62.0","x":1}}"#,
        );
        let child = Properties::parse(r#"{"threshold_days":30,"settings":{"x":2}}"#);
        let holds = child.under(Some(&parent));
        assert_eq!(
            (holds.quota_percent.value, holds.quota_percent.origin),
            (60, Origin::Parent)
        );
        assert_eq!((holds.tries.value, holds.tries.origin), (3, Origin::Parent));
        assert_eq!(
            (holds.threshold_days.value, holds.threshold_days.origin),
            (30, Origin::Own)
        );
        assert_eq!(
            (holds.schedule.value.cron.as_str(), holds.schedule.origin),
            (DEFAULT_CRON, Origin::Default)
        );
        assert_eq!(holds.settings["api_version"].origin, Origin::Parent);
        assert_eq!(holds.settings["x"].value, 2);
        assert_eq!(child.under(None).quota_percent.origin, Origin::Default);
    }

    #[test]
    fn an_alias_cannot_carry_an_address_or_a_secret_to_its_children() {
        let parent = Properties::parse(
            r#"{"login_url":"https://a.example","client_secret":"s","proxy":{"url":"http://p"}}"#,
        );
        let holds = serde_json::to_string(&Properties::default().under(Some(&parent))).unwrap();
        assert!(
            !holds.contains("a.example") && !holds.contains("secret"),
            "{holds}"
        );
        // What another module keeps here stays when ours is written.
        let kept = serde_json::to_string(&parent).unwrap();
        assert!(kept.contains("\"proxy\""), "{kept}");
    }
}
