//! Which accounts a profile wants (seed 004: company names; user types, licences, inactive users besides).
//!
//! Invariants:
//! - What is left out is counted, so that the gap to the org's totals can be explained. Totals are never filtered.
//! - Accounts without e-mail are left out only where domains are listed.

use seatwise_connector_sdk::{Failure, failure};

use crate::settings::{Settings, rows_of};

/// The part of an account that decides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// `User.IsActive`; a hidden one counts as active.
    pub is_active: Option<bool>,
    /// `User.UserType`; empty where there is none.
    pub user_type: &'a str,
    /// `User.Email`.
    pub email: Option<&'a str>,
    /// Key of the user licence; empty where there is none.
    pub licence: &'a str,
}

/// The filters of a profile.
#[derive(Debug)]
pub struct Scope {
    include_inactive: bool,
    left_out_types: Vec<String>,
    left_out_licences: Vec<String>,
    /// Lower case; `None`: all.
    domains: Option<Vec<String>>,
}

impl Scope {
    /// From the settings.
    ///
    /// # Errors
    /// `invalid-input`, code `bad_company_names`, for a row that is no domain.
    pub fn of(settings: &Settings) -> Result<Self, Failure> {
        let mut domains = Some(vec![]);
        for row in rows_of(&settings.company_names) {
            if row == "*" {
                domains = None;
                break;
            }
            let domain = row.strip_prefix('@').unwrap_or(row).to_lowercase();
            if !is_domain(&domain) {
                return Err(failure::invalid_input(
                    "bad_company_names",
                    "A row of the setting Company names is neither * nor a domain such as acme.com",
                ));
            }
            if let Some(domains) = &mut domains {
                domains.push(domain);
            }
        }
        Ok(Self {
            include_inactive: settings.include_inactive,
            left_out_types: settings.leave_out_user_types.clone(),
            left_out_licences: rows_of(&settings.leave_out_licences)
                .map(str::to_owned)
                .collect(),
            // Nothing entered is the default, as an asterisk is.
            domains: domains.filter(|domains| !domains.is_empty()),
        })
    }

    /// Whether everything is wanted, so that nothing needs to be known of an account.
    pub fn is_all(&self) -> bool {
        self.include_inactive
            && self.left_out_types.is_empty()
            && self.left_out_licences.is_empty()
            && self.domains.is_none()
    }

    /// Whether e-mail addresses decide.
    pub fn asks_for_email(&self) -> bool {
        self.domains.is_some()
    }

    /// Whether an account is wanted.
    pub fn wants(&self, subject: Subject<'_>) -> bool {
        let has = |list: &[String], value: &str| list.iter().any(|entry| entry == value);
        (self.include_inactive || subject.is_active != Some(false))
            && !has(&self.left_out_types, subject.user_type)
            && (subject.licence.is_empty() || !has(&self.left_out_licences, subject.licence))
            && self.domains.as_ref().is_none_or(|domains| {
                let domain = subject
                    .email
                    .and_then(|email| email.rsplit_once('@'))
                    .map(|(_, domain)| domain.trim().to_lowercase());
                domain.is_some_and(|domain| domains.contains(&domain))
            })
    }
}

/// Letters (of any script), digits and hyphens, in two labels or more.
fn is_domain(text: &str) -> bool {
    text.contains('.')
        && text.split('.').all(|label| {
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(company_names: &str) -> Result<Scope, Failure> {
        Scope::of(&Settings {
            company_names: company_names.to_owned(),
            ..Settings::default()
        })
    }

    fn mail(email: Option<&str>) -> Subject<'_> {
        Subject {
            is_active: Some(true),
            user_type: "Standard",
            email,
            licence: "SFDC",
        }
    }

    #[test]
    fn an_asterisk_takes_accounts_without_email_and_domains_do_not() {
        for all in ["*", "", " * ", "acme.com\n*"] {
            let scope = scope(all).unwrap();
            assert!(scope.is_all() && scope.wants(mail(None)), "{all:?}");
        }
        let scope = scope("acme.com\nacme.de").unwrap();
        assert!(!scope.is_all());
        assert!(scope.wants(mail(Some("ana@ACME.com"))));
        assert!(scope.wants(mail(Some("ben@acme.de"))));
        for not in [
            None,
            Some(""),
            Some("acme.com"),
            Some("x@sub.acme.com"),
            Some("x@notacme.com"),
            Some("acme.com@evil.example"),
        ] {
            assert!(!scope.wants(mail(not)), "{not:?}");
        }
    }

    #[test]
    fn rows_may_end_in_a_line_break_a_comma_or_a_semicolon() {
        for text in [
            "acme.com\r\n@acme.de",
            "acme.com, ACME.de",
            "acme.com;acme.de;",
        ] {
            let scope = scope(text).unwrap();
            assert!(scope.wants(mail(Some("x@acme.de"))), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_domain_is_refused_and_not_quoted() {
        for text in ["Acme Inc", "acme", "acme..com", "*.acme.com", "a b.com"] {
            let failure = scope(text).unwrap_err();
            assert_eq!(failure.code, "bad_company_names", "{text:?}");
        }
    }

    #[test]
    fn licences_and_user_types_leave_out_their_holders_only() {
        let scope = Scope::of(&Settings {
            leave_out_licences: "CSN_User\nPID_Overage_High Volume Customer Portal".to_owned(),
            leave_out_user_types: vec!["Guest".to_owned()],
            ..Settings::default()
        })
        .unwrap();
        let holder = |licence, user_type| Subject {
            licence,
            user_type,
            ..mail(None)
        };
        assert!(scope.wants(holder("SFDC", "Standard")));
        assert!(scope.wants(holder("", "AutomatedProcess")));
        assert!(!scope.wants(holder("CSN_User", "CsnOnly")));
        assert!(!scope.wants(holder(
            "PID_Overage_High Volume Customer Portal",
            "CspLitePortal"
        )));
        assert!(!scope.wants(holder("SFDC", "Guest")));
    }
}
