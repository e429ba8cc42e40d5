//! Which profile changes Salesforce allows: a profile belongs to one user licence, so a change of profile swaps the licence, and not
//! every swap is allowed (salesforce.md §4.4).

/// Licences between which users move freely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Core,
    ChatterFree,
    ChatterExternal,
    ChatterOnly,
    Customer,
    CustomerPlus,
    Partner,
    Identity,
    Other,
}

fn family(key: &str) -> Family {
    match key {
        "SFDC"
        | "AUL"
        | "AUL1"
        | "AUL_LIGHT"
        | "FDC_SUB"
        | "FDC_ONE"
        | "PID_FDC_FREE"
        | "PID_Partner_App_Subscription"
        | "PID_Workdotcom_Only" => Family::Core,
        "CSN_User" => Family::ChatterFree,
        "CSN_External" => Family::ChatterExternal,
        "PID_CHATTER" => Family::ChatterOnly,
        "PID_Customer_Community"
        | "PID_Customer_Community_Login"
        | "PID_Overage_High Volume Customer Portal"
        | "Platform_Portal_User"
        | "Overage_Platform_Portal_User" => Family::Customer,
        "PID_Customer_Community_Plus" | "PID_Customer_Community_Plus_Login" => Family::CustomerPlus,
        "PID_Partner_Community"
        | "PID_Partner_Community_Login"
        | "PID_STRATEGIC_PRM"
        | "POWER_PRM" => Family::Partner,
        "PID_Identity" | "PID_External_Identity" => Family::Identity,
        _ => Family::Other,
    }
}

/// Whether a user may go from one licence to another; else Salesforce's sentence.
pub(super) fn check(from: &str, to: &str) -> Result<(), &'static str> {
    use Family::{
        ChatterExternal, ChatterFree, ChatterOnly, Core, Customer, CustomerPlus, Identity, Other,
        Partner,
    };
    if from == to {
        return Ok(());
    }
    match (family(from), family(to)) {
        (Core | ChatterFree | ChatterExternal | ChatterOnly, Core)
        | (Core, ChatterOnly)
        | (ChatterExternal, ChatterFree)
        | (Customer, Customer | CustomerPlus | Partner)
        | (CustomerPlus, CustomerPlus)
        | (Partner, Partner) => Ok(()),
        (Core, ChatterFree) => Err(
            "It is not permitted to change user type from Standard to CSN Only(db=n,api=CsnOnly)",
        ),
        (Other | Identity, _) => {
            Err("You can only reassign this user to a profile of the current license.")
        }
        _ => Err("This change in license types is not allowed"),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn the_table_of_moves_is_the_vendors() {
        let allowed = [
            ("SFDC", "AUL"),
            ("AUL", "SFDC"),
            ("SFDC", "FDC_SUB"),
            ("SFDC", "PID_FDC_FREE"),
            ("SFDC", "PID_CHATTER"),
            ("CSN_User", "SFDC"),
            ("CSN_External", "CSN_User"),
            ("CSN_External", "AUL"),
            ("PID_Customer_Community", "PID_Customer_Community_Login"),
            (
                "PID_Customer_Community",
                "PID_Overage_High Volume Customer Portal",
            ),
            ("PID_Partner_Community", "PID_Partner_Community_Login"),
            ("PID_STRATEGIC_PRM", "PID_Partner_Community"),
            ("PID_Customer_Community", "PID_Customer_Community_Plus"),
            ("PID_Customer_Community_Login", "PID_Partner_Community"),
        ];
        let refused = [
            ("SFDC", "CSN_User"),
            ("SFDC", "CSN_External"),
            ("SFDC", "PID_Identity"),
            ("PID_Partner_Community", "CSN_User"),
            ("SALESFORCE_INTEGRATION_USER", "CSN_User"),
            ("CSN_User", "CSN_External"),
            ("SFDC", "PID_Customer_Community"),
            ("PID_Customer_Community", "SFDC"),
            ("PID_Partner_Community", "PID_Customer_Community"),
            ("PID_Customer_Community_Plus", "PID_Customer_Community"),
        ];
        for (from, to) in allowed {
            assert_eq!(check(from, to), Ok(()), "{from} to {to}");
        }
        for (from, to) in refused {
            assert!(check(from, to).is_err(), "{from} to {to}");
        }
    }
}
