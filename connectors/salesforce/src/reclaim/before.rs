//! The before-image: what must be known to put a person back.
//!
//! Versioned by its format. `salesforce.user/2` adds to `/1` what the person held besides the licence; an image of `/1` is
//! still read, and its missing lists are "not known", never "empty".

use seatwise_connector_sdk::{Failure, failure, json, reclaim::BeforeImage};
use serde::{Deserialize, Serialize};

use super::holdings::Holdings;
use crate::{
    fresh::{Fresh, User},
    model,
};

/// The format this version writes.
pub const FORMAT: &str = "salesforce.user/2";
/// Most bytes of an image; the host keeps 64 KiB.
const MOST_BYTES: usize = 60 * 1024;
/// The formats this version reads.
const READ: [&str; 2] = ["salesforce.user/1", FORMAT];

/// What must be known to put a user back. Field order is part of the format.
#[derive(Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Before {
    /// Before the step.
    pub is_active: bool,
    /// Before the step.
    pub profile_id: Option<String>,
    /// Before the step.
    pub user_role_id: Option<String>,
    /// Before the step.
    pub manager_id: Option<String>,
    /// `None`: could not be read.
    pub is_frozen: Option<bool>,
    /// The row that carries frozen.
    pub user_login_id: Option<String>,
    /// The seat the user held.
    pub license_definition_key: Option<String>,
    /// Feature licences that could be read, in the order of their names, and whether each was on.
    pub features: Vec<(String, bool)>,
    /// Permission-set licences; `None`: could not be read.
    pub permission_set_licenses: Option<Vec<LicenceBefore>>,
    /// Permission sets and groups of them; `None`: could not be read.
    pub permission_sets: Option<Vec<SetBefore>>,
    /// Package seats; `None`: could not be read.
    pub packages: Option<Vec<PackageBefore>>,
    /// Queues and public groups; `None`: could not be read.
    pub groups: Option<Vec<GroupBefore>>,
}

/// A permission-set licence that was held.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LicenceBefore {
    /// Of the licence.
    pub id: String,
    /// For a person.
    pub name: String,
}

/// A permission set, or a group of them, that was held.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SetBefore {
    /// Of the permission set, or of the group where [`SetBefore::is_group`].
    pub id: String,
    /// Which of the two.
    pub is_group: bool,
    /// For a person.
    pub name: String,
    /// When Salesforce takes it away by itself.
    pub expiration_date: Option<String>,
    /// Ids of the permission-set licences it needs.
    pub needs: Vec<String>,
}

/// A package seat that was held.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PackageBefore {
    /// Of the package licence.
    pub id: String,
    /// For a person.
    pub namespace: String,
}

/// A queue or group the person was in.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupBefore {
    /// Of the group.
    pub id: String,
    /// For a person.
    pub name: String,
    /// `Queue`, `Regular`, …
    #[serde(rename = "Type")]
    pub kind: Option<String>,
}

impl Before {
    /// What is so now; `holdings` only where they were read.
    pub fn of(fresh: &Fresh, holdings: Option<&Holdings>, user: &User) -> Self {
        let login = fresh.login(user);
        let id = user.id.as_str();
        Self {
            is_active: user.is_active(),
            profile_id: user.profile_id.clone(),
            user_role_id: user.user_role_id.clone(),
            manager_id: user.manager_id.clone(),
            is_frozen: login.and_then(|row| row.is_frozen),
            user_login_id: login.map(|row| row.id.clone()),
            license_definition_key: user.licence().map(str::to_owned),
            features: model::FEATURES
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), user.feature(name)?)))
                .collect(),
            permission_set_licenses: holdings.and_then(|held| {
                let mut rows: Vec<LicenceBefore> = held
                    .licence_seats(id)?
                    .iter()
                    .map(|row| LicenceBefore {
                        name: held.licence_name(&row.licence()),
                        id: row.licence(),
                    })
                    .collect();
                rows.sort_by(|a, b| a.id.cmp(&b.id));
                Some(rows)
            }),
            permission_sets: holdings.and_then(|held| {
                let mut rows: Vec<SetBefore> = held
                    .set_seats(id)?
                    .iter()
                    .map(|row| SetBefore {
                        id: row.group().unwrap_or_else(|| row.set()),
                        is_group: row.group().is_some(),
                        name: row.name(),
                        expiration_date: row.expiration_date.clone(),
                        needs: held.needs(row),
                    })
                    .collect();
                rows.sort_by(|a, b| a.id.cmp(&b.id));
                Some(rows)
            }),
            packages: holdings.and_then(|held| {
                let mut rows: Vec<PackageBefore> = held
                    .package_seats(id)?
                    .iter()
                    .map(|row| PackageBefore {
                        namespace: held.namespace(&row.package()),
                        id: row.package(),
                    })
                    .collect();
                rows.sort_by(|a, b| a.id.cmp(&b.id));
                Some(rows)
            }),
            groups: holdings.and_then(|held| {
                let mut rows: Vec<GroupBefore> = held
                    .memberships(id)?
                    .iter()
                    .map(|row| GroupBefore {
                        id: row.group(),
                        name: row.name(),
                        kind: row.kind().map(str::to_owned),
                    })
                    .collect();
                rows.sort_by(|a, b| a.id.cmp(&b.id));
                Some(rows)
            }),
        }
    }

    /// The image, for the host to keep. Lists are left out, the longest first, until it fits; what is left out is told.
    pub fn image(mut self, unchecked: &mut Vec<String>) -> BeforeImage {
        loop {
            let data = serde_json::to_vec(&self)
                .expect("a struct of texts, booleans and lists always serialises");
            if data.len() <= MOST_BYTES {
                return BeforeImage {
                    format: FORMAT.to_owned(),
                    data,
                };
            }
            let length = |list: Option<usize>| list.unwrap_or(0);
            let lists = [
                (length(self.permission_sets.as_ref().map(Vec::len)), 0),
                (length(self.groups.as_ref().map(Vec::len)), 1),
                (
                    length(self.permission_set_licenses.as_ref().map(Vec::len)),
                    2,
                ),
                (length(self.packages.as_ref().map(Vec::len)), 3),
            ];
            let what = match lists.into_iter().max() {
                Some((_, 0)) => {
                    self.permission_sets = None;
                    "permission sets"
                }
                Some((_, 1)) => {
                    self.groups = None;
                    "queues and groups"
                }
                Some((_, 2)) => {
                    self.permission_set_licenses = None;
                    "permission-set licences"
                }
                _ => {
                    self.packages = None;
                    "package seats"
                }
            };
            unchecked.push(format!(
                "The person has more {what} than are kept: an undo cannot give them back"
            ));
        }
    }

    /// Reads an image back.
    ///
    /// # Errors
    /// `unsupported` for an image of another format, `malformed` for one that cannot be read.
    pub fn read(image: &BeforeImage) -> Result<Self, Failure> {
        if !READ.contains(&image.format.as_str()) {
            return Err(failure::unsupported(
                "before_image_format",
                format!(
                    "This version restores from {}, not from {:?}",
                    READ.join(" and "),
                    image.format
                ),
            ));
        }
        json::parse(&image.data)
    }

    /// Whether a feature was on; `None`: not known.
    pub fn feature(&self, name: &str) -> Option<bool> {
        let mut features = self.features.iter();
        features.find(|(known, _)| known == name).map(|(_, on)| *on)
    }
}
