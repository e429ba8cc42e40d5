//! Moving a person to a cheaper user licence: which moves Salesforce allows, and to which profile.
//!
//! A profile belongs to exactly one user licence, so another profile is another licence. What is not known to be allowed is
//! refused with the reason: a plan never relies on Salesforce to say no. Source: salesforce.md §4.4.

use seatwise_connector_sdk::{Failure, reclaim::Blocker};
use serde::Deserialize;

use super::{blocker, look};
use crate::{api::Api, ids, settings::Settings};

/// Licences between which a person can be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// Full CRM; every other core licence is less.
    Full,
    /// The other licences of the core family.
    Core,
    /// Only within the family; downwards to nobody.
    Customer,
    /// Only within the family.
    Partner,
    ChatterOnly,
    ChatterFree,
    ChatterExternal,
    Identity,
    Integration,
    Other,
}

/// A user licence, as far as a move is judged by it.
#[derive(Clone, Copy, Debug)]
pub struct Licence<'a> {
    /// `LicenseDefinitionKey`.
    pub key: &'a str,
    /// Display name, for licences whose key is not known.
    pub name: &'a str,
}

impl Licence<'_> {
    fn family(self) -> Family {
        match self.key {
            "SFDC" => Family::Full,
            "AUL" | "FDC_SUB" | "PID_FDC_FREE" => Family::Core,
            "PID_CHATTER" => Family::ChatterOnly,
            "CSN_User" => Family::ChatterFree,
            "CSN_External" => Family::ChatterExternal,
            "PID_Customer_Community"
            | "PID_Customer_Community_Login"
            | "PID_Overage_High Volume Customer Portal"
            | "Platform_Portal_User" => Family::Customer,
            "PID_Partner_Community" | "PID_Partner_Community_Login" | "PID_STRATEGIC_PRM" => {
                Family::Partner
            }
            key if key.ends_with("_INTEGRATION_USER") => Family::Integration,
            _ => match self.name {
                "Partner App Subscription" | "Work.com Only" => Family::Core,
                "Chatter Free" => Family::ChatterFree,
                "Chatter External" => Family::ChatterExternal,
                "Chatter Only" => Family::ChatterOnly,
                "High Volume Customer Portal" | "Authenticated Website" => Family::Customer,
                "Silver Partner" => Family::Partner,
                "Identity" | "External Identity" => Family::Identity,
                _ => Family::Other,
            },
        }
    }
}

/// Whether Salesforce lets a person be moved, and downwards.
///
/// # Errors
/// The blocker that says why not.
pub fn allowed(from: Licence<'_>, to: Licence<'_>) -> Result<(), Blocker> {
    use Family::{
        ChatterExternal, ChatterFree, ChatterOnly, Core, Customer, Full, Identity, Integration,
        Partner,
    };
    if from.key == to.key {
        return Err(blocker(
            "same_licence",
            format!(
                "The target profile belongs to the same licence, {}",
                from.key
            ),
            Some("Choose a profile of a cheaper licence in the setting Profiles to move to"),
        ));
    }
    match (from.family(), to.family()) {
        (Full | Core, Core) | (Full, ChatterOnly) | (Customer, Customer) | (Partner, Partner) => {
            Ok(())
        }
        (Full | Partner | Integration, ChatterFree | ChatterExternal | Identity) => Err(blocker(
            "move_refused",
            format!(
                "Salesforce does not allow a move from {} to {} in place",
                from.key, to.key
            ),
            Some(
                "A Salesforce administrator renames the user's username, deactivates the user and creates a new one with the other licence; or deactivate the person instead",
            ),
        )),
        (Core, Full) | (ChatterFree, Full | Core) | (ChatterExternal, Full | Core) => Err(blocker(
            "not_cheaper",
            format!("A move from {} to {} is an upgrade", from.key, to.key),
            Some("Choose a profile of a cheaper licence in the setting Profiles to move to"),
        )),
        _ => Err(blocker(
            "move_not_known",
            format!(
                "A move from {} to {} is not among those that Salesforce is known to allow",
                from.key, to.key
            ),
            Some(
                "Choose a profile of the same family of licences, or let a Salesforce administrator make the move",
            ),
        )),
    }
}

/// A profile of the org.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Profile {
    /// Widened after reading.
    pub id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    user_type: Option<String>,
    #[serde(default)]
    user_license: Option<LicenceOf>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LicenceOf {
    #[serde(default)]
    license_definition_key: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

impl Profile {
    /// Its name, for a person.
    pub fn name(&self) -> String {
        self.name
            .as_deref()
            .map_or_else(|| self.id.clone(), look::shown)
    }

    /// Whether its users can have a role.
    pub fn takes_role(&self) -> bool {
        self.user_type
            .as_deref()
            .is_none_or(|kind| kind == "Standard")
    }

    /// The licence it belongs to.
    pub fn licence(&self) -> Option<Licence<'_>> {
        let licence = self.user_license.as_ref()?;
        Some(Licence {
            key: licence.license_definition_key.as_deref()?,
            name: licence.name.as_deref().unwrap_or_default(),
        })
    }
}

/// The org's profiles, and which one the customer chose for which licence.
#[derive(Default)]
pub struct Profiles {
    /// `None`: not readable.
    all: Option<Vec<Profile>>,
    chosen: Vec<(String, String)>,
}

impl Profiles {
    /// Reads them.
    ///
    /// # Errors
    /// What may pass by itself.
    pub fn read(api: &Api<'_>, settings: &Settings) -> Result<Self, Failure> {
        let mut all: Option<Vec<Profile>> = look::rows(
            api,
            "SELECT Id, Name, UserType, UserLicense.LicenseDefinitionKey, UserLicense.Name FROM Profile ORDER BY Id",
        )?;
        for profile in all.iter_mut().flatten() {
            if let Some(id) = ids::widen(&profile.id) {
                profile.id = id.into_owned();
            }
        }
        Ok(Self {
            all,
            chosen: settings.downgrade_profiles(),
        })
    }

    /// The profile to move a person to who holds `from`: the one chosen for that licence, else the only one of `to`.
    ///
    /// # Errors
    /// The blocker that says what is missing.
    pub fn target(&self, from: &str, to: Option<&str>) -> Result<&Profile, Blocker> {
        let Some(all) = &self.all else {
            return Err(blocker(
                "profiles_unreadable",
                "Profiles and their licences cannot be read with the connecting user's rights",
                Some(
                    "A Salesforce administrator gives the connecting user View Setup and Configuration",
                ),
            ));
        };
        let key_of = |profile: &Profile| profile.licence().map(|it| it.key.to_owned());
        if let Some((_, id)) = self.chosen.iter().find(|(key, _)| key == from) {
            let Some(profile) = all.iter().find(|profile| profile.id == *id) else {
                return Err(blocker(
                    "no_such_profile",
                    format!("The profile {id}, chosen for {from}, does not exist in this org"),
                    Some("Correct the setting Profiles to move to"),
                ));
            };
            if to.is_some_and(|to| key_of(profile).as_deref() != Some(to)) {
                return Err(blocker(
                    "another_target",
                    format!(
                        "The profile chosen for {from} is not of the licence {}",
                        to.unwrap_or_default()
                    ),
                    Some("Correct the setting Profiles to move to"),
                ));
            }
            return Ok(profile);
        }
        let Some(to) = to else {
            return Err(blocker(
                "no_target",
                format!("No profile is chosen to move holders of {from} to"),
                Some(
                    "Enter LICENCE KEY=PROFILE ID in the setting Profiles to move to, such as SFDC=00e5e000001AbCd",
                ),
            ));
        };
        let mut fitting = all
            .iter()
            .filter(|profile| key_of(profile).as_deref() == Some(to));
        match (fitting.next(), fitting.next()) {
            (Some(profile), None) => Ok(profile),
            (None, _) => Err(blocker(
                "no_profile_of_licence",
                format!("This org has no profile of the licence {to}"),
                Some("A Salesforce administrator makes one, or choose another licence"),
            )),
            (Some(_), Some(_)) => Err(blocker(
                "which_profile",
                format!("More than one profile belongs to the licence {to}"),
                Some("Enter LICENCE KEY=PROFILE ID in the setting Profiles to move to"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [(&str, &str); 15] = [
        ("SFDC", "Salesforce"),
        ("AUL", "Salesforce Platform"),
        ("FDC_SUB", "Force.com - App Subscription"),
        ("PID_FDC_FREE", "Force.com - Free"),
        ("X1", "Work.com Only"),
        ("PID_CHATTER", "Chatter Only"),
        ("CSN_User", "Chatter Free"),
        ("CSN_External", "Chatter External"),
        ("X2", "Identity"),
        ("SALESFORCE_INTEGRATION_USER", "Salesforce Integration"),
        ("PID_Customer_Community", "Customer Community"),
        ("PID_Customer_Community_Login", "Customer Community Login"),
        ("PID_Customer_Community_Plus", "Customer Community Plus"),
        ("PID_Partner_Community", "Partner Community"),
        ("PID_Partner_Community_Login", "Partner Community Login"),
    ];

    #[test]
    fn only_the_moves_that_salesforce_is_known_to_allow_are_allowed() {
        let core = ["AUL", "FDC_SUB", "PID_FDC_FREE", "X1"];
        let expected = |from: &str, to: &str| {
            let within = |family: &[&str]| family.contains(&from) && family.contains(&to);
            from == "SFDC" && (core.contains(&to) || to == "PID_CHATTER")
                || within(&core)
                || within(&["PID_Customer_Community", "PID_Customer_Community_Login"])
                || within(&["PID_Partner_Community", "PID_Partner_Community_Login"])
        };
        for (from, from_name) in KEYS {
            for (to, to_name) in KEYS {
                let answer = allowed(
                    Licence {
                        key: from,
                        name: from_name,
                    },
                    Licence {
                        key: to,
                        name: to_name,
                    },
                );
                assert_eq!(
                    answer.is_ok(),
                    from != to && expected(from, to),
                    "{from} to {to}"
                );
            }
        }
    }

    #[test]
    fn a_refused_move_says_why_and_what_to_do() {
        let code = |from: usize, to: usize| {
            let licence = |at: usize| Licence {
                key: KEYS[at].0,
                name: KEYS[at].1,
            };
            allowed(licence(from), licence(to)).unwrap_err().code
        };
        for to in [6, 7, 8] {
            for from in [0, 9, 13] {
                assert_eq!(code(from, to), "move_refused", "{from} to {to}");
            }
        }
        assert_eq!(code(1, 0), "not_cheaper");
        assert_eq!(code(6, 1), "not_cheaper");
        assert_eq!(code(0, 0), "same_licence");
        assert_eq!(code(10, 12), "move_not_known");
        assert_eq!(code(0, 10), "move_not_known");
        assert_eq!(code(10, 13), "move_not_known");
    }
}
