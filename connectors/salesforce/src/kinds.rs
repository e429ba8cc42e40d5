//! Which accounts are people: by user type and licence key.

use seatwise_connector_sdk::subscriptions::AccountKind;

/// Who an account is, from its type and licence. System accounts are counted and never taken back.
pub fn account_kind(user_type: &str, username: &str, has_profile: bool, key: &str) -> AccountKind {
    let system_name =
        username.starts_with("chatty.") && username.ends_with("@chatter.salesforce.com");
    if !has_profile || system_name || is_service_licence(key) {
        return AccountKind::Service;
    }
    match user_type {
        "AutomatedProcess" | "CloudIntegrationUser" | "Guest" => AccountKind::Service,
        "PowerPartner"
        | "CspLitePortal"
        | "CustomerSuccess"
        | "PowerCustomerSuccess"
        | "SelfService" => AccountKind::External,
        "CsnOnly" if key == "CSN_External" => AccountKind::External,
        "Standard" | "CsnOnly" => AccountKind::Person,
        _ => AccountKind::Unknown,
    }
}

/// Licences that only machines hold.
fn is_service_licence(key: &str) -> bool {
    key.starts_with("PID_DigitalAgent")
        || key.ends_with("_INTEGRATION_USER")
        || key == "PID_XOrg_Proxy_User"
}
