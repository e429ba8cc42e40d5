//! The seven products, recognised from data: each with its evidence, a guess marked as one (salesforce.md §3.5).
//!
//! Invariants:
//! - The licence key decides first. A name or a user type is only asked where the key is unknown, and is then a guess.
//! - Sales Cloud and Service Cloud share the licence `SFDC`: one pool and one seat, whatever is found here.
//!
//! `connector.toml` lists the same keys for the host; a test compares the two.

/// A product as seen on one account's user licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// Its name; two names with ` and ` where a seat is used for both clouds.
    pub product: &'static str,
    /// What says so.
    pub evidence: String,
    /// It is a guess.
    pub is_derived: bool,
}

/// Salesforce's own words.
pub const SALES: &str = "Salesforce Sales Cloud";
const SERVICE: &str = "Salesforce Service Cloud";
const BOTH: &str = "Salesforce Sales Cloud and Salesforce Service Cloud";
const PLATFORM: &str = "Salesforce Platform";
const CUSTOMER: &str = "Salesforce Customer Community";
const PARTNER: &str = "Salesforce Partner Community";
const COMPANY: &str = "Salesforce Company Community";
const CHATTER: &str = "Salesforce Chatter";

/// Keys of each product. A trailing `*` stands for any ending.
pub const KEYS: [(&str, &[&str]); 6] = [
    (CHATTER, &["CSN_User", "CSN_External", "PID_CHATTER"]),
    (
        PARTNER,
        &[
            "PID_Partner_Community",
            "PID_Partner_Community_Login",
            "PID_STRATEGIC_PRM",
            "POWER_PRM",
        ],
    ),
    (
        CUSTOMER,
        &[
            "PID_Customer_Community",
            "PID_Customer_Community_Plus",
            "PID_Customer_Community_Login",
            "PID_Customer_Community_Plus_Login",
            "PID_Customer_Portal_Basic",
            "PID_Customer_Portal_Standard",
            "PID_Limited_Customer_Portal_Basic",
            "PID_Limited_Customer_Portal_Standard",
            "PID_Overage_Customer_Portal_Basic",
            "PID_Overage_High Volume Customer Portal",
            "POWER_SSP",
            "Platform_Portal_User",
            "Overage_Platform_Portal_User",
        ],
    ),
    (
        PLATFORM,
        &[
            "AUL",
            "AUL1",
            "AUL_LIGHT",
            "FDC_ONE",
            "FDC_SUB",
            "PID_FDC_FREE",
        ],
    ),
    (SALES, &["SFDC"]),
    // No key of Company Community is published: it is recognised by its name alone.
    (COMPANY, &[]),
];

/// Permission-set licences that are sold with one of the two clouds.
pub const SALES_LICENCE: &str = "SalesUserPsl";
/// See [`SALES_LICENCE`].
pub const SERVICE_LICENCE: &str = "ServiceUserPsl";

/// What tells Sales Cloud from Service Cloud for one holder of `SFDC`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clouds {
    /// Holds [`SALES_LICENCE`].
    pub has_sales_licence: bool,
    /// Holds [`SERVICE_LICENCE`].
    pub has_service_licence: bool,
    /// `UserPermissionsSupportUser`, labelled Service Cloud User.
    pub is_support_user: bool,
    /// `ForecastEnabled`.
    pub has_forecasts: bool,
    /// `UserPermissionsMarketingUser`.
    pub is_marketing_user: bool,
}

/// The product of a user licence; `None` for what is none of the seven.
pub fn recognise(key: &str, name: &str, user_type: &str, clouds: Clouds) -> Option<Recognised> {
    if key == "SFDC" {
        return Some(of_clouds(clouds));
    }
    let by_key = KEYS
        .into_iter()
        .find(|(_, keys)| keys.contains(&key))
        .map(|(product, _)| Recognised {
            product,
            evidence: format!("licence key {key}"),
            is_derived: false,
        });
    by_key.or_else(|| by_name(name, user_type))
}

fn of_clouds(clouds: Clouds) -> Recognised {
    let mut evidence = vec![];
    if clouds.has_sales_licence {
        evidence.push(format!("permission-set licence {SALES_LICENCE}"));
    }
    if clouds.has_service_licence {
        evidence.push(format!("permission-set licence {SERVICE_LICENCE}"));
    }
    if clouds.is_support_user {
        evidence.push("feature licence SupportUser (Service Cloud User)".to_owned());
    }
    let is_service = clouds.has_service_licence || clouds.is_support_user;
    let proved = match (clouds.has_sales_licence, is_service) {
        (true, true) => Some(BOTH),
        (true, false) => Some(SALES),
        (false, true) => Some(SERVICE),
        (false, false) => None,
    };
    if let Some(product) = proved {
        return Recognised {
            product,
            evidence: evidence.join("; "),
            is_derived: false,
        };
    }
    let mut hints = vec![];
    if clouds.has_forecasts {
        hints.push("forecasts are enabled");
    }
    if clouds.is_marketing_user {
        hints.push("is a marketing user");
    }
    if hints.is_empty() {
        hints.push(
            "licence key SFDC, which both clouds share, and nothing that points to Service Cloud",
        );
    }
    Recognised {
        product: SALES,
        evidence: hints.join("; "),
        is_derived: true,
    }
}

fn by_name(name: &str, user_type: &str) -> Option<Recognised> {
    let guess = |product, evidence: String| {
        Some(Recognised {
            product,
            evidence,
            is_derived: true,
        })
    };
    let named = || format!("licence name {name}");
    if name.starts_with("Chatter") {
        return guess(CHATTER, named());
    }
    if name.contains("Partner Community") {
        return guess(PARTNER, named());
    }
    if name.contains("Customer Community") {
        return guess(CUSTOMER, named());
    }
    if ["Company Communit", "Employee Communit"]
        .iter()
        .any(|start| name.starts_with(start))
    {
        return guess(COMPANY, named());
    }
    if ["Salesforce Platform", "Lightning Platform", "Force.com"]
        .iter()
        .any(|start| name.starts_with(start))
    {
        return guess(PLATFORM, named());
    }
    if user_type == "CsnOnly" {
        return guess(CHATTER, "user type CsnOnly".to_owned());
    }
    None
}

/// What Salesforce writes about a key in its Object Reference; `None` for keys that it does not describe.
pub fn description(key: &str) -> Option<&'static str> {
    Some(match key {
        "SFDC" => "Full CRM",
        "AUL" => "Salesforce Platform",
        "AUL1" => "Salesforce Platform One",
        "AUL_LIGHT" => "Salesforce Platform Light",
        "FDC_ONE" => "Lightning Platform One App",
        "FDC_SUB" => "Lightning Platform App Subscription",
        "PID_FDC_FREE" => "Lightning Platform Free",
        "PID_CHATTER" => "Chatter Only",
        "PID_CONTENT" => "Content Only",
        "PID_KNOWLEDGE" => "Knowledge Only",
        "PID_STRATEGIC_PRM" => "Gold Partner",
        "POWER_PRM" => "Partner",
        "POWER_SSP" => "Customer Portal Manager",
        "Platform_Portal_User" => "Authenticated Website",
        "Overage_Platform_Portal_User" => "Overage Authenticated Website",
        "CSN_User" => "Chatter Free",
        "CSN_External" => "Chatter External",
        _ => return None,
    })
}

/// A key in words: what Salesforce writes, else the key without its prefix and underscores.
pub fn readable(key: &str) -> String {
    match key {
        "SFDC" => "Salesforce".to_owned(),
        _ => description(key).map_or_else(
            || key.strip_prefix("PID_").unwrap_or(key).replace('_', " "),
            str::to_owned,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str, name: &str, user_type: &str) -> Option<(&'static str, bool)> {
        recognise(key, name, user_type, Clouds::default())
            .map(|found| (found.product, found.is_derived))
    }

    #[test]
    fn all_seven_products_are_recognised_and_a_name_is_a_guess() {
        assert_eq!(of("SFDC", "Salesforce", "Standard"), Some((SALES, true)));
        assert_eq!(of("AUL", "x", "Standard"), Some((PLATFORM, false)));
        assert_eq!(
            of("PID_Customer_Community_Login", "x", "CspLitePortal"),
            Some((CUSTOMER, false))
        );
        assert_eq!(
            of("PID_Partner_Community", "x", "PowerPartner"),
            Some((PARTNER, false))
        );
        assert_eq!(of("CSN_User", "x", "CsnOnly"), Some((CHATTER, false)));
        assert_eq!(
            of("PID_Unheard", "Company Communities", "Standard"),
            Some((COMPANY, true))
        );
        assert_eq!(
            of("PID_Unheard", "Force.com - Free", "Standard"),
            Some((PLATFORM, true))
        );
        assert_eq!(of("PID_Unheard", "", "CsnOnly"), Some((CHATTER, true)));
        assert_eq!(of("PID_CONTENT", "Content Only User", "Standard"), None);
        let service = Clouds {
            is_support_user: true,
            ..Clouds::default()
        };
        let found = recognise("SFDC", "Salesforce", "Standard", service).unwrap();
        assert_eq!((found.product, found.is_derived), (SERVICE, false));
    }

    #[test]
    fn a_licence_outweighs_a_flag_and_a_hint_stays_a_guess() {
        let of = |clouds| {
            let found = of_clouds(clouds);
            (found.product, found.is_derived, found.evidence)
        };
        let (product, is_derived, evidence) = of(Clouds {
            has_sales_licence: true,
            is_support_user: true,
            has_forecasts: true,
            ..Clouds::default()
        });
        assert_eq!((product, is_derived), (BOTH, false));
        assert!(evidence.contains("SalesUserPsl") && evidence.contains("SupportUser"));
        let (product, is_derived, evidence) = of(Clouds {
            has_forecasts: true,
            is_marketing_user: true,
            ..Clouds::default()
        });
        assert_eq!((product, is_derived), (SALES, true));
        assert!(evidence.contains("forecasts") && evidence.contains("marketing"));
        let (product, is_derived, _) = of(Clouds {
            has_service_licence: true,
            ..Clouds::default()
        });
        assert_eq!((product, is_derived), (SERVICE, false));
        assert!(of(Clouds::default()).1);
    }

    #[test]
    fn a_key_is_put_into_words() {
        assert_eq!(readable("SFDC"), "Salesforce");
        assert_eq!(
            readable("PID_Customer_Community_Login"),
            "Customer Community Login"
        );
        assert_eq!(readable("AUL_LIGHT"), "Salesforce Platform Light");
        assert_eq!(description("PID_Unheard"), None);
    }
}
