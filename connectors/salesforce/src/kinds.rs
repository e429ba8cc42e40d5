//! Which accounts are people, and why not: by user type, licence key and rights.
//!
//! Invariant: what is not a person is counted and never taken back, so a reason is always given with it
//! (salesforce.md §3.3).

use seatwise_connector_sdk::subscriptions::AccountKind;

/// What is known of an account when its kind is decided.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// `User.UserType`; empty where it is null or hidden.
    pub user_type: &'a str,
    /// `User.Username`.
    pub username: &'a str,
    /// System users have none.
    pub has_profile: bool,
    /// Key of the user licence; empty where there is none.
    pub licence: &'a str,
    /// The permission API Only User is set, in the profile or in a permission set.
    pub is_api_only: bool,
}

/// Who an account is, and the reason where it is no person.
pub fn decide(facts: Facts<'_>) -> (AccountKind, Option<String>) {
    let Facts {
        user_type,
        username,
        has_profile,
        licence,
        is_api_only,
    } = facts;
    let service = |why: &str| (AccountKind::Service, Some(why.to_owned()));
    match user_type {
        "AutomatedProcess" => return service("runs automated processes of the org"),
        "CloudIntegrationUser" => return service("runs cloud integrations"),
        "Guest" => return service("stands for visitors who are not logged in"),
        _ => {}
    }
    if !has_profile {
        return service("has no profile, as only system users do");
    }
    if username.starts_with("chatty.") && username.ends_with("@chatter.salesforce.com") {
        return service("Chatter Expert, an account that Salesforce made");
    }
    if is_service_licence(licence) {
        return (
            AccountKind::Service,
            Some(format!("holds the integration licence {licence}")),
        );
    }
    if is_api_only {
        return service("may use the API only (API Only User), so nobody logs in with it");
    }
    let external = |why: &str| (AccountKind::External, Some(why.to_owned()));
    match user_type {
        "PowerPartner" => external("partner"),
        "CspLitePortal" if licence.contains("High Volume") => {
            external("customer of a high-volume portal")
        }
        "CspLitePortal" | "CustomerSuccess" | "PowerCustomerSuccess" => external("customer"),
        "SelfService" => external("self-service customer"),
        "CsnOnly" if licence == "CSN_External" => external("guest in Chatter"),
        "Standard" | "CsnOnly" => (AccountKind::Person, None),
        "" => (
            AccountKind::Unknown,
            Some("Salesforce gives no user type".to_owned()),
        ),
        other => (
            AccountKind::Unknown,
            Some(format!("user type {other} is not known")),
        ),
    }
}

/// Licences that only machines hold.
fn is_service_licence(key: &str) -> bool {
    key.starts_with("PID_DigitalAgent")
        || key.ends_with("_INTEGRATION_USER")
        || key == "PID_XOrg_Proxy_User"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(facts: Facts<'_>) -> (AccountKind, String) {
        let (kind, why) = decide(facts);
        (kind, why.unwrap_or_default())
    }

    #[test]
    fn an_api_only_user_is_a_machine_whatever_its_licence() {
        let (kind, why) = of(Facts {
            user_type: "Standard",
            has_profile: true,
            licence: "SFDC",
            is_api_only: true,
            ..Facts::default()
        });
        assert_eq!(kind, AccountKind::Service);
        assert!(why.contains("API Only User"), "{why}");
    }

    #[test]
    fn whatever_is_no_person_has_a_reason_and_a_person_has_none() {
        for user_type in [
            "Standard",
            "CsnOnly",
            "PowerPartner",
            "CspLitePortal",
            "CustomerSuccess",
            "PowerCustomerSuccess",
            "SelfService",
            "Guest",
            "AutomatedProcess",
            "CloudIntegrationUser",
            "",
            "SomethingNew",
        ] {
            for has_profile in [true, false] {
                for licence in [
                    "SFDC",
                    "CSN_External",
                    "PID_DigitalAgent",
                    "PID_Overage_High Volume Customer Portal",
                ] {
                    let (kind, why) = of(Facts {
                        user_type,
                        has_profile,
                        licence,
                        ..Facts::default()
                    });
                    assert_eq!(
                        kind == AccountKind::Person,
                        why.is_empty(),
                        "{user_type} {has_profile} {licence}: {why}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_high_volume_portal_user_is_named_as_such() {
        let (kind, why) = of(Facts {
            user_type: "CspLitePortal",
            has_profile: true,
            licence: "PID_Overage_High Volume Customer Portal",
            ..Facts::default()
        });
        assert_eq!(kind, AccountKind::External);
        assert!(why.contains("high-volume"), "{why}");
    }
}
