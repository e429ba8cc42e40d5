//! What the orgs have bought and set up.

use std::collections::BTreeMap;

use crate::clock::DAY_MS;
use crate::spec::{
    Entitlement, Group, Licence, LicenceStatus, Package, PackageStatus, PermissionSet,
    PermissionSetGroup, PermissionSetLicence, Profile, Role,
};

/// Keys and names: salesforce.md §3.5. The key of Company Communities is not documented; it is recognised by its name.
pub(super) fn licences() -> Vec<Licence> {
    let login = |key: &str, name: &str, logins: u64| Licence {
        monthly_logins: Some(logins),
        ..Licence::new(key, name, 1_000)
    };
    let disabled = |key: &str, name: &str| Licence {
        status: LicenceStatus::Disabled,
        ..Licence::new(key, name, 0)
    };
    vec![
        Licence::new("SFDC", "Salesforce", 40),
        Licence::new("AUL", "Salesforce Platform", 10),
        Licence::new("FDC_SUB", "Force.com - App Subscription", 3),
        Licence::new("CSN_User", "Chatter Free", 5_000),
        Licence::new("PID_CHATTER", "Chatter Only", 3),
        Licence::new("CSN_External", "Chatter External", 500),
        Licence::new("PID_Customer_Community", "Customer Community", 20),
        login(
            "PID_Customer_Community_Login",
            "Customer Community Login",
            2_000,
        ),
        Licence::new("PID_Customer_Community_Plus", "Customer Community Plus", 5),
        Licence::new("PID_Partner_Community", "Partner Community", 10),
        login(
            "PID_Partner_Community_Login",
            "Partner Community Login",
            500,
        ),
        Licence::new("EMPLOYEE_COMMUNITY", "Company Communities", 10),
        Licence::new(
            "PID_Overage_High Volume Customer Portal",
            "High Volume Customer Portal",
            50,
        ),
        Licence::new(
            "PID_High_Volume_Portal_2",
            "High Volume Customer Portal",
            50,
        ),
        Licence::new(
            crate::spec::INTEGRATION_LICENCE,
            "Salesforce Integration",
            5,
        ),
        Licence::new(
            "INSIGHTS_INTEGRATION_USER",
            "Analytics Cloud Integration User",
            1,
        ),
        Licence::new("PID_XOrg_Proxy_User", "XOrg Proxy User", 2),
        Licence::new("PID_DigitalAgent", "Einstein Agent", 3),
        Licence::new("PID_NEWTHING", "New Thing", 5),
        // Its key is not documented.
        Licence::new("PID_Guest_User", "Guest", 25),
        disabled("AUL_LIGHT", "Salesforce Platform Light"),
        disabled("PID_STRATEGIC_PRM", "Gold Partner"),
    ]
}

pub(super) fn profiles() -> Vec<Profile> {
    let standard = |name: &str, licence: &str| Profile::new(name, licence, "Standard");
    vec![
        Profile {
            admin: true,
            ..standard("System Administrator", "SFDC")
        },
        standard("Standard User", "SFDC"),
        standard("Sales Profile", "SFDC"),
        standard("Service Profile", "SFDC"),
        standard("Seatwise Reader", "SFDC"),
        standard("Standard Platform User", "AUL"),
        standard("App Subscription User", "FDC_SUB"),
        Profile::new("Chatter Free User", "CSN_User", "CsnOnly"),
        Profile::new("Chatter Only User", "PID_CHATTER", "CsnOnly"),
        Profile::new("Chatter External User", "CSN_External", "CsnOnly"),
        Profile::new(
            "Customer Community User",
            "PID_Customer_Community",
            "CspLitePortal",
        ),
        Profile::new(
            "Customer Community Login User",
            "PID_Customer_Community_Login",
            "CspLitePortal",
        ),
        Profile::new(
            "Customer Community Plus User",
            "PID_Customer_Community_Plus",
            "PowerCustomerSuccess",
        ),
        Profile::new(
            "Partner Community User",
            "PID_Partner_Community",
            "PowerPartner",
        ),
        Profile::new(
            "Partner Community Login User",
            "PID_Partner_Community_Login",
            "PowerPartner",
        ),
        standard("Company Communities User", "EMPLOYEE_COMMUNITY"),
        Profile::new(
            "High Volume Customer Portal",
            "PID_Overage_High Volume Customer Portal",
            "CspLitePortal",
        ),
        Profile {
            permissions: vec!["ApiUserOnly".to_owned()],
            ..standard(
                crate::spec::INTEGRATION_PROFILE,
                crate::spec::INTEGRATION_LICENCE,
            )
        },
        standard(
            "Analytics Cloud Integration User",
            "INSIGHTS_INTEGRATION_USER",
        ),
        standard("XOrg Proxy User", "PID_XOrg_Proxy_User"),
        standard("Einstein Agent User", "PID_DigitalAgent"),
        standard("New Thing User", "PID_NEWTHING"),
        Profile::new("Customer Site Profile", "PID_Guest_User", "Guest"),
    ]
}

pub(super) fn permission_set_licences(t0_ms: i64) -> Vec<PermissionSetLicence> {
    vec![
        PermissionSetLicence::new("SalesUserPsl", "Sales User", 12),
        PermissionSetLicence::new("ServiceUserPsl", "Service User", 6),
        PermissionSetLicence::new(
            "SalesforceAPIIntegrationPsl",
            "Salesforce API Integration",
            5,
        ),
        PermissionSetLicence {
            expires_ms: Some(t0_ms + 90 * DAY_MS),
            ..PermissionSetLicence::new("AnalyticsQueryPsl", "CRM Analytics Query", 4)
        },
        PermissionSetLicence {
            status: LicenceStatus::Disabled,
            expires_ms: Some(t0_ms - 200 * DAY_MS),
            ..PermissionSetLicence::new("IdentityConnect", "Identity Connect", 2)
        },
    ]
}

pub(super) fn permission_sets() -> Vec<PermissionSet> {
    vec![
        // Its licence is not linked, as in real orgs.
        PermissionSet::new("Sales_User", "Sales User", None),
        PermissionSet::new("Sales_Coach", "Sales Coach", Some("SalesUserPsl")),
        PermissionSet::new("Service_Agent", "Service Agent", Some("ServiceUserPsl")),
        PermissionSet {
            permissions: vec!["ApiEnabled".to_owned()],
            ..PermissionSet::new("Api_Access", "API Access", None)
        },
        PermissionSet::new("Crm_Only", "CRM Only", Some("SFDC")),
        PermissionSet {
            permissions: vec!["ApiUserOnly".to_owned()],
            ..PermissionSet::new("Api_Only", "API Only", None)
        },
    ]
}

pub(super) fn permission_set_groups() -> Vec<PermissionSetGroup> {
    vec![PermissionSetGroup {
        developer_name: "Service_Bundle".to_owned(),
        label: "Service Bundle".to_owned(),
        permission_sets: vec!["Service_Agent".to_owned(), "Api_Access".to_owned()],
    }]
}

pub(super) fn packages(t0_ms: i64) -> Vec<Package> {
    vec![
        Package::new("sbqq", 5),
        Package::new("dlrs", -1),
        Package {
            status: PackageStatus::Trial,
            expires_ms: Some(t0_ms + 14 * DAY_MS),
            ..Package::new("trialpkg", 3)
        },
        Package {
            status: PackageStatus::Expired,
            expires_ms: Some(t0_ms - 30 * DAY_MS),
            ..Package::new("oldpkg", 2)
        },
        Package {
            status: PackageStatus::Free,
            ..Package::new("freepkg", -1)
        },
    ]
}

pub(super) fn entitlements(t0_ms: i64) -> Vec<Entitlement> {
    let midnight = t0_ms.div_euclid(DAY_MS) * DAY_MS;
    let entitlement = |setting: &str, label: &str, allowed, used, frequency: &str| Entitlement {
        setting: setting.to_owned(),
        label: label.to_owned(),
        allowed,
        used,
        frequency: frequency.to_owned(),
        start_ms: midnight - 120 * DAY_MS,
        end_ms: Some(midnight + 245 * DAY_MS),
    };
    vec![
        entitlement(
            "force.com/api-requests-per-month",
            "API Request Limit per Month",
            3_000_000.0,
            Some(412_345.0),
            "Monthly",
        ),
        entitlement(
            "force.com/data-events",
            "Streaming Events",
            50_000.0,
            Some(0.0),
            "Daily",
        ),
        entitlement(
            "force.com/page-views",
            "Monthly Page Views",
            500_000.0,
            None,
            "Monthly",
        ),
        Entitlement {
            end_ms: None,
            ..entitlement("force.com/storage-gb", "", 120.5, Some(99.25), "Once")
        },
    ]
}

pub(super) fn features() -> BTreeMap<String, u64> {
    [
        ("MarketingUser", 5),
        ("SupportUser", 10),
        ("KnowledgeUser", 4),
        ("InteractionUser", 30),
        ("OfflineUser", 2),
    ]
    .into_iter()
    .map(|(name, total)| (name.to_owned(), total))
    .collect()
}

pub(super) fn groups() -> Vec<Group> {
    vec![
        Group::queue("Support Tier 1", &["Case"]),
        Group::queue("Leads EMEA", &["Lead", "Task"]),
        Group::public("All Managers"),
    ]
}

pub(super) fn roles() -> Vec<Role> {
    let role = |name: &str, parent: Option<&str>| Role {
        name: name.to_owned(),
        parent: parent.map(str::to_owned),
    };
    vec![
        role("CEO", None),
        role("VP Sales", Some("CEO")),
        role("Account Executive", Some("VP Sales")),
        role("VP Service", Some("CEO")),
        role("Agent", Some("VP Service")),
    ]
}
