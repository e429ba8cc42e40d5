//! `LoginHistory`, from the same facts as `User.LastLoginDate`: the newest success of a user is that date.
//!
//! Each user has a fixed number of places. Place 0 is the last login as it was at the start, place *k* lies *k* gaps before it, so the
//! times of a user fall from place to place and a window of time is found without reading every row. Rows older than six months are
//! gone, as at the vendor. After the places come tries with unknown names (no user), then logins since the start.

use std::collections::BTreeSet;

use super::{Fields, Org, Value};
use crate::clock::{self, DAY_MS};
use crate::crowd::Draw;
use crate::schema::Object;
use crate::value::{owned, text};

/// How far the history reaches back.
const KEPT_MS: i64 = 183 * DAY_MS;

/// How somebody logged in. Names are the labels that queries show (salesforce.md §3.9).
#[derive(Debug, PartialEq, Eq)]
struct Way {
    login_type: &'static str,
    sub_type: &'static str,
    application: &'static str,
    browser: &'static str,
    platform: &'static str,
    api_type: &'static str,
    is_community: bool,
}

const fn page(login_type: &'static str, browser: &'static str, platform: &'static str) -> Way {
    Way {
        login_type,
        sub_type: "",
        application: "Browser",
        browser,
        platform,
        api_type: "N/A",
        is_community: false,
    }
}

const fn program(
    login_type: &'static str,
    sub_type: &'static str,
    application: &'static str,
    api_type: &'static str,
) -> Way {
    Way {
        login_type,
        sub_type,
        application,
        browser: "Unknown",
        platform: "Unknown",
        api_type,
        is_community: false,
    }
}

const PAGES: [Way; 5] = [
    page("SAML Sfdc Initiated SSO", "Chrome 131", "Windows 11"),
    page("SAML Sfdc Initiated SSO", "Edge 131", "Windows 10"),
    page("Application", "Firefox 133", "Mac OSX"),
    page("Application", "Safari 18", "iPhone"),
    page("Lightning Login", "Chrome 131", "Android"),
];

const MAIL_PLUG_IN: Way = program(
    "Remote Access 2.0",
    "OauthRefreshToken",
    "Salesforce for Outlook",
    "REST API",
);

const PROGRAMS: [Way; 4] = [
    program(
        "Remote Access 2.0",
        "OauthClientCredentials",
        "ERP Sync",
        "REST API",
    ),
    program(
        "Remote Access 2.0",
        "OauthRefreshToken",
        "Data Warehouse",
        "Bulk API",
    ),
    program("Other Apex API", "", "Telephony", "SOAP Partner"),
    program("Partner Product", "", "Data Loader", "SOAP Partner"),
];

const COMMUNITY: Way = Way {
    is_community: true,
    ..page(
        "Chatter Communities External User",
        "Chrome 131",
        "Windows 11",
    )
};

/// Texts in `Status` of a login that failed.
const FAILURES: [&str; 5] = [
    "Invalid Password",
    "User is Inactive",
    "Restricted IP",
    "User password locked out",
    "Failed: API security token required",
];

/// A row, virtual or since the start.
#[derive(Debug)]
pub(crate) struct Login {
    /// `None`: a name that nobody has.
    pub(crate) user: Option<u64>,
    pub(crate) at_ms: i64,
    pub(crate) status: &'static str,
    way: &'static Way,
    drawn: u64,
}

impl Org {
    /// Tries with names that nobody has.
    pub(super) fn unknown_logins(&self) -> u64 {
        if self.spec.logins_per_user == 0 {
            0
        } else {
            self.base_users() / 500
        }
    }

    fn oldest_login_ms(&self) -> i64 {
        self.clock.now_ms() - KEPT_MS
    }

    /// Time between two places of a user: three days on average at twelve places, less for programs.
    fn gap_ms(&self, user: u64) -> i64 {
        let share = (self.frame.draw(user, Draw::LoginGap) % 100) as i64;
        let even = KEPT_MS / self.spec.logins_per_user.max(1).cast_signed();
        let scaled = if self.is_machine(user) {
            even * (20 + share) / 400
        } else {
            even * (20 + share) / 100
        };
        scaled.max(60_000)
    }

    /// The login at a place, six months or not.
    fn login_at(&self, user: u64, place: u64) -> Option<Login> {
        let newest = self.first_last_login_ms(user)?;
        let drawn = self.frame.draw_at(user, Draw::LoginKind, place);
        let gap = self.gap_ms(user);
        let at_ms = if place == 0 {
            newest
        } else {
            let jitter = (drawn >> 8) as i64 % (gap / 2);
            (newest - place.cast_signed() * gap - jitter).div_euclid(1000) * 1000
        };
        let fails = if self.is_machine(user) { 40 } else { 14 };
        let failure = self.frame.draw_at(user, Draw::LoginFailed, place);
        let is_failure = place > 0 && failure.is_multiple_of(fails);
        let status = if is_failure {
            FAILURES[((failure >> 16) % FAILURES.len() as u64) as usize]
        } else {
            "Success"
        };
        // Whoever was made to log in earlier than the seed says has no later success.
        if !is_failure && self.last_login_ms(user).is_some_and(|last| at_ms > last) {
            return None;
        }
        let way = self.way(user, drawn);
        Some(Login {
            user: Some(user),
            at_ms,
            status,
            way,
            drawn,
        })
    }

    fn way(&self, user: u64, drawn: u64) -> &'static Way {
        let pick = |ways: &'static [Way], by: u64| &ways[(by % ways.len() as u64) as usize];
        if self.is_machine(user) {
            return pick(&PROGRAMS, self.frame.draw(user, Draw::LoginKind));
        }
        if !matches!(self.user_type(user), "Standard" | "CsnOnly" | "") {
            return &COMMUNITY;
        }
        match drawn % 40 {
            0..=3 => &MAIL_PLUG_IN,
            4 => &PROGRAMS[3],
            _ => pick(&PAGES, self.frame.draw(user, Draw::LoginKind)),
        }
    }

    /// The login behind a row of `LoginHistory` that the spec or the seed makes; `None` for places without one and for rows older
    /// than six months.
    pub(crate) fn login(&self, row: u64) -> Option<Login> {
        let login = match self.place_of(Object::LoginHistory, row) {
            Some((user, place)) => {
                let login = self.login_at(user, place)?;
                (login.at_ms >= self.created_ms(user)).then_some(login)?
            }
            None => {
                let at = row.checked_sub(self.base_users() * self.spec.logins_per_user)?;
                if at == 0 || at > self.unknown_logins() {
                    return None;
                }
                let drawn = self.frame.draw(at, Draw::LoginFailed);
                Login {
                    user: None,
                    at_ms: (self.frame.as_of_ms - (drawn >> 8) as i64 % KEPT_MS) / 1000 * 1000,
                    status: FAILURES[0],
                    way: &PAGES[2],
                    drawn,
                }
            }
        };
        (login.at_ms >= self.oldest_login_ms()).then_some(login)
    }

    /// The first row from `row` on that may lie between two moments, ends included. Skips whole users.
    pub(crate) fn next_login(&self, mut row: u64, from_ms: i64, to_ms: i64) -> u64 {
        while let Some((user, place)) = self.place_of(Object::LoginHistory, row) {
            let next_user = user * self.spec.logins_per_user + 1;
            let Some(newest) = self.first_last_login_ms(user).filter(|at| *at >= from_ms) else {
                row = next_user;
                continue;
            };
            let gap = self.gap_ms(user);
            // Place k lies between k and k + 1 gaps before the newest.
            let first = ((newest - to_ms) / gap - 1).max(0).cast_unsigned();
            if newest - place.max(first).cast_signed() * gap < from_ms {
                row = next_user;
                continue;
            }
            let at = next_user - self.spec.logins_per_user + place.max(first);
            return at.min(next_user);
        }
        row
    }

    /// Distinct users and days of successful logins this month on a licence, which is what a login-based one charges.
    pub(super) fn monthly_logins_used(&self, licence: usize) -> i64 {
        let (year, month, _) = clock::civil(self.clock.now_ms().div_euclid(DAY_MS));
        let since_ms = clock::days(year, month, 1) * DAY_MS;
        let mut used = 0;
        for user in (1..=self.users()).filter(|user| self.licence_of(*user) == Some(licence)) {
            let rows = self.rows_of_user(Object::LoginHistory, "UserId", user);
            let days: BTreeSet<i64> = rows
                .unwrap_or_default()
                .into_iter()
                .filter_map(|row| self.success_of(user, row))
                .filter(|at_ms| *at_ms >= since_ms)
                .map(|at_ms| at_ms.div_euclid(DAY_MS))
                .collect();
            used += days.len().cast_signed() as i64;
        }
        used
    }

    /// When a row says that this user logged in.
    fn success_of(&self, user: u64, row: u64) -> Option<i64> {
        let is_success = !self.gone.contains(&(Object::LoginHistory, row))
            && self.user_behind(Object::LoginHistory, row, "UserId") == Some(user)
            && self.value(Object::LoginHistory, row, "Status") == text("Success");
        match self.value(Object::LoginHistory, row, "LoginTime") {
            Value::Moment(at_ms) if is_success => Some(at_ms),
            _ => None,
        }
    }

    /// A login since the start: moves `LastLoginDate` and adds the row. `sub_type` and `application` may be empty.
    pub(crate) fn log_in(
        &mut self,
        user: u64,
        at_ms: i64,
        login_type: &'static str,
        sub_type: &'static str,
        application: &str,
    ) {
        self.overlay(user).last_login_ms = Some(at_ms);
        let id = self.user_id(user);
        let made: Fields = [
            ("UserId", Value::Id(id)),
            ("LoginTime", Value::Moment(at_ms)),
            ("LoginType", text(login_type)),
            ("LoginSubType", text(sub_type)),
            ("Application", owned(application.to_owned())),
            ("Status", text("Success")),
            ("SourceIp", text("203.0.113.7")),
            ("LoginUrl", owned(self.spec.my_domain.clone())),
            ("CountryIso", text("DE")),
        ]
        .into();
        self.made
            .entry(Object::LoginHistory)
            .or_default()
            .push(made);
    }

    pub(super) fn login_value(&self, row: u64, field: &str) -> Value<'_> {
        let Some(login) = self.login(row) else {
            return Value::Null;
        };
        let way = login.way;
        match field {
            "UserId" => login
                .user
                .map_or(Value::Null, |user| self.reference(Object::User, user)),
            "LoginTime" => Value::Moment(login.at_ms),
            "LoginType" => text(way.login_type),
            "LoginSubType" => text(way.sub_type),
            "Status" => text(login.status),
            "Application" => text(way.application),
            "Browser" => text(way.browser),
            "Platform" => text(way.platform),
            "ApiType" => text(way.api_type),
            "ApiVersion" if way.api_type == "N/A" => text("N/A"),
            "ApiVersion" => text("62.0"),
            "ClientVersion" => text("N/A"),
            "SourceIp" => owned(format!("203.0.113.{}", login.drawn >> 40 & 0xff)),
            "LoginUrl" => text(&self.spec.my_domain),
            "NetworkId" if way.is_community => Value::Id(crate::ids::Id::of(b"0DB", self.pod, 1)),
            "TlsProtocol" => text("TLS 1.3"),
            "CipherSuite" => text("TLS_AES_256_GCM_SHA384"),
            "OptionsIsGet" => Value::Bool(false),
            "OptionsIsPost" => Value::Bool(true),
            "CountryIso" => text(["DE", "US", "JP", "BR"][(login.drawn >> 50 & 3) as usize]),
            _ => Value::Null,
        }
    }
}
