//! Whether a user may come in now, from here, with this app: what Salesforce checks at each login, whatever the grant.

use std::net::IpAddr;

use super::refused::{self, Refused};
use crate::api::State;
use crate::spec::{App, IpRange, Password, PermittedUsers, ProfileLogin};

const HOUR_MS: i64 = 3_600_000;

impl State {
    /// Whether the user may log in with the app from that address.
    pub(super) fn may_log_in(&self, user: u64, app: &App, peer: IpAddr) -> Result<(), Refused> {
        let policy = &self.org.spec.login;
        if !policy.org_is_active {
            return Err(refused::INACTIVE_ORG);
        }
        if !self.org.is_active(user) || self.org.is_frozen(user) {
            return Err(refused::INACTIVE_USER);
        }
        if app.ip_restricted {
            return Err(refused::IP_OR_HOURS);
        }
        let profile = self.profile_login(user).cloned().unwrap_or_default();
        let is_in = |ranges: &[IpRange]| ranges.iter().any(|range| range.contains(peer));
        let is_trusted = app.ip_relaxed || is_in(&app.trusted_ranges);
        if !profile.ip_ranges.is_empty() && !is_trusted && !is_in(&profile.ip_ranges) {
            return Err(refused::IP_RESTRICTED);
        }
        if let Some(hours) = profile.hours
            && !(hours.from..hours.to).contains(&self.hour_of_day())
        {
            return Err(refused::IP_OR_HOURS);
        }
        let person = policy.people.get(self.username_of(user)).cloned();
        let person = person.unwrap_or_default();
        if person.password == Password::Expired {
            return Err(refused::PASSWORD_EXPIRED);
        }
        if person.challenged {
            return Err(refused::CHALLENGE_REQUIRED);
        }
        self.may_use(user, app)
    }

    /// Whether the administrator lets the user use the app.
    pub(super) fn may_use(&self, user: u64, app: &App) -> Result<(), Refused> {
        let PermittedUsers::AdminApproved(profiles) = &app.permitted else {
            return Ok(());
        };
        let profile = self.profile_name(user);
        profile
            .is_some_and(|name| profiles.iter().any(|approved| approved == name))
            .then_some(())
            .ok_or(refused::NOT_ADMIN_APPROVED)
    }

    /// Counts a login of the user.
    ///
    /// # Errors
    /// `LOGIN_RATE_EXCEEDED` when the last hour is full.
    pub(super) fn count_login(&mut self, user: u64) -> Result<(), Refused> {
        let now = self.org.clock.now_ms();
        let recent = self.logins.recent.entry(user).or_default();
        while recent.front().is_some_and(|at| now - at >= HOUR_MS) {
            recent.pop_front();
        }
        if recent.len() >= self.org.spec.login.logins_per_hour {
            return Err(refused::LOGIN_RATE);
        }
        recent.push_back(now);
        Ok(())
    }

    /// Empty for users that are made up on the fly: they have no login of their own.
    pub(super) fn username_of(&self, user: u64) -> &str {
        self.org
            .person(user)
            .map_or("", |person| person.username.as_str())
    }

    pub(super) fn profile_login(&self, user: u64) -> Option<&ProfileLogin> {
        self.org.spec.login.profiles.get(self.profile_name(user)?)
    }

    fn profile_name(&self, user: u64) -> Option<&str> {
        let profile = self.org.spec.profiles.get(self.org.profile_of(user)?)?;
        Some(&profile.name)
    }

    /// In the org's time zone; an unknown zone counts as UTC.
    fn hour_of_day(&self) -> i8 {
        let zone =
            jiff::tz::TimeZone::get(&self.org.spec.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
        jiff::Timestamp::from_millisecond(self.org.clock.now_ms())
            .map_or(0, |now| now.to_zoned(zone).hour())
    }
}
