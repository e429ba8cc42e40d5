//! `ActiveFeatureLicenseMetric`, `ActivePermSetLicenseMetric` and `ActiveProfileMetric`: counts that a nightly job makes, kept for two
//! days. They are what the rows said when first asked on a day of the org's clock.

use std::sync::{Mutex, PoisonError};

use super::users::{FEATURES, feature_of};
use super::{Org, Value};
use crate::clock::DAY_MS;
use crate::schema::Object;
use crate::value::text;

/// Whoever logged in within this time counts as active.
const ACTIVE_MS: i64 = 30 * DAY_MS;

/// How many nights are kept.
const NIGHTS: u64 = 2;

/// Assigned and active users.
type Count = (i64, i64);

/// The counts of the day, once asked for. A copy begins without.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Option<Metrics>>);

impl Clone for Kept {
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[derive(Debug, Clone)]
struct Metrics {
    day: i64,
    features: Vec<Count>,
    sets: Vec<Count>,
    profiles: Vec<Count>,
}

impl Org {
    pub(super) fn metric_rows(&self, object: Object) -> u64 {
        let counted = match object {
            Object::ActiveFeatureLicenseMetric => self.spec.features.len(),
            Object::ActivePermSetLicenseMetric => self.spec.permission_set_licences.len(),
            _ => self.spec.profiles.len(),
        };
        counted as u64 * NIGHTS
    }

    fn metrics(&self) -> Metrics {
        let day = self.clock.now_ms().div_euclid(DAY_MS);
        let mut kept = self
            .metrics
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(metrics) if metrics.day == day => metrics.clone(),
            _ => {
                let fresh = self.count_metrics(day);
                *kept = Some(fresh.clone());
                fresh
            }
        }
    }

    fn count_metrics(&self, day: i64) -> Metrics {
        let mut metrics = Metrics {
            day,
            features: vec![(0, 0); FEATURES.len()],
            sets: vec![(0, 0); self.spec.permission_set_licences.len()],
            profiles: vec![(0, 0); self.spec.profiles.len()],
        };
        let since = day * DAY_MS - ACTIVE_MS;
        for user in (1..=self.users()).filter(|user| self.is_active(*user)) {
            let is_recent = self.last_login_ms(user).is_some_and(|at| at >= since);
            let count = |(assigned, active): &mut Count| {
                *assigned += 1;
                *active += i64::from(is_recent);
            };
            for (at, column) in FEATURES.into_iter().enumerate() {
                if self.has_feature(user, column) {
                    count(&mut metrics.features[at]);
                }
            }
            if !metrics.sets.is_empty() {
                for (_, given) in self.givens_of(Object::PermissionSetLicenseAssign, user) {
                    if let super::assignments::Given::SetLicence(at) = given {
                        count(&mut metrics.sets[at]);
                    }
                }
            }
            if let Some(profile) = self.profile_of(user) {
                count(&mut metrics.profiles[profile]);
            }
        }
        metrics
    }

    pub(super) fn metric_value(&self, object: Object, row: u64, field: &str) -> Value<'_> {
        let at = usize::try_from((row - 1) / NIGHTS).unwrap_or(0);
        let night = ((row - 1) % NIGHTS).cast_signed();
        match field {
            "MetricsDate" => {
                return Value::Day(self.clock.now_ms().div_euclid(DAY_MS) - 1 - night);
            }
            "SystemModstamp" => {
                let today = self.clock.now_ms().div_euclid(DAY_MS);
                return Value::Moment((today - night) * DAY_MS + 7_200_000);
            }
            _ => {}
        }
        let feature = self.spec.features.keys().nth(at).map(String::as_str);
        let count = |of: fn(&Metrics) -> &Vec<Count>, at: usize, column: &str| {
            let (assigned, active) = of(&self.metrics()).get(at).copied().unwrap_or_default();
            // The night before had one less, so that whoever takes any row instead of the newest is found out.
            let count = if column == "ActiveUserCount" {
                active
            } else {
                assigned
            };
            Value::Int((count - night).max(0))
        };
        match (object, field) {
            (Object::ActiveFeatureLicenseMetric, "FeatureType") => {
                text(feature.unwrap_or_default())
            }
            (Object::ActiveFeatureLicenseMetric, "TotalLicenseCount") => {
                Value::Int(self.feature_total(feature.unwrap_or_default()))
            }
            (Object::ActiveFeatureLicenseMetric, _) => {
                let column = FEATURES
                    .into_iter()
                    .position(|column| feature_of(column) == feature);
                column.map_or(Value::Null, |at| count(|m| &m.features, at, field))
            }
            (Object::ActivePermSetLicenseMetric, "AssignedUserCount" | "ActiveUserCount") => {
                count(|m| &m.sets, at, field)
            }
            (Object::ActivePermSetLicenseMetric, "PermissionSetLicenseId") => {
                self.reference(Object::PermissionSetLicense, at as u64 + 1)
            }
            (Object::ActivePermSetLicenseMetric, _) => {
                self.catalogue_value(Object::PermissionSetLicense, at as u64 + 1, field)
            }
            (_, "ProfileId") => self.reference(Object::Profile, at as u64 + 1),
            (_, "UserLicenseId") => self.profile_licences[at].map_or(Value::Null, |licence| {
                self.reference(Object::UserLicense, licence as u64 + 1)
            }),
            _ => count(|m| &m.profiles, at, field),
        }
    }
}
