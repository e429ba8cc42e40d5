//! The lists of an undo: permission-set licences, permission sets, package seats, queues and groups that are missing now.

use seatwise_connector_sdk::Failure;
use serde_json::Value;

use super::{
    before::SetBefore,
    holdings::End,
    look::{self, shown},
    restore::Back,
    steps,
};
use crate::{ids, soql};

impl Back<'_> {
    /// Permission-set licences that are missing; only one of a name where it is given.
    pub(super) fn licences(&mut self, only: Option<&str>) {
        let (held, user) = (self.held, self.user.id.as_str());
        let Some(had) = &self.before.permission_set_licenses else {
            return self.not_known("permission-set licences");
        };
        let (Some(now), Some(all)) = (held.licence_seats(user), &held.licences) else {
            return self.not_readable("permission-set licences");
        };
        self.given = now.iter().map(|seat| seat.licence()).collect();
        for was in had {
            if only.is_some_and(|name| name != was.name) || self.given.contains(&was.id) {
                continue;
            }
            let name = shown(&was.name);
            let Some(licence) = all.iter().find(|licence| licence.id == was.id) else {
                self.missing(
                    "no_such_licence",
                    format!("The org has no permission-set licence {name} any more"),
                    "Assign what replaced it by hand",
                );
                continue;
            };
            if licence.end() == Some(End::Over) {
                self.missing(
                    "over",
                    format!("The permission-set licence {name} is not active any more"),
                    "Renew it, then undo again",
                );
                continue;
            }
            match (licence.total_licenses, licence.used_licenses) {
                (Some(total), Some(used)) if total >= 0 && used >= total => {
                    self.missing(
                        "no_free_seat",
                        format!("No seat of the permission-set licence {name} is free"),
                        "Free a seat of this permission-set licence, or buy one, then undo again",
                    );
                    continue;
                }
                (Some(_), Some(_)) => {}
                _ => self.plan.unchecked.push(format!(
                    "Whether a seat of the permission-set licence {name} is free"
                )),
            }
            self.given.push(was.id.clone());
            self.plan.steps.push(steps::create(
                self.org,
                "PermissionSetLicenseAssign",
                &[
                    ("AssigneeId", user.into()),
                    ("PermissionSetLicenseId", was.id.as_str().into()),
                ],
                format!("Gives the permission-set licence {name} to user {user}"),
            ));
        }
    }

    /// Permission sets and groups that are missing; only those that need a licence where its name is given.
    pub(super) fn sets(&mut self, only: Option<&str>) -> Result<(), Failure> {
        let (held, user) = (self.held, self.user.id.as_str());
        let Some(had) = &self.before.permission_sets else {
            self.not_known("permission sets");
            return Ok(());
        };
        let Some(now) = held.set_seats(user) else {
            self.not_readable("permission sets");
            return Ok(());
        };
        let licence = only.and_then(|name| {
            let had = self.before.permission_set_licenses.as_ref()?;
            Some(had.iter().find(|was| was.name == name)?.id.as_str())
        });
        let has = |was: &SetBefore| {
            now.iter().any(|seat| match seat.group() {
                Some(group) => was.is_group && group == was.id,
                None => !was.is_group && seat.set() == was.id,
            })
        };
        let missing: Vec<&SetBefore> = had
            .iter()
            .filter(|was| {
                only.is_none() || licence.is_some_and(|id| was.needs.iter().any(|it| it == id))
            })
            .filter(|was| !has(was))
            .collect();
        let sets = self.existing(
            "PermissionSet",
            missing
                .iter()
                .filter(|was| !was.is_group)
                .map(|was| was.id.as_str()),
        )?;
        let groups = self.existing(
            "PermissionSetGroup",
            missing
                .iter()
                .filter(|was| was.is_group)
                .map(|was| was.id.as_str()),
        )?;
        for was in missing {
            let name = shown(&was.name);
            let (what, column, known) = if was.is_group {
                ("permission-set group", "PermissionSetGroupId", &groups)
            } else {
                ("permission set", "PermissionSetId", &sets)
            };
            if known.as_ref().is_some_and(|known| !known.contains(&was.id)) {
                self.says(format!(
                    "The org has no {what} {name} any more: it is not given back"
                ));
                continue;
            }
            if was.needs.iter().any(|id| !self.given.contains(id)) && held.licences.is_some() {
                self.says(format!(
                    "The {what} {name} needs a permission-set licence that is not given back: it is not given back either"
                ));
                continue;
            }
            let mut fields: Vec<(&str, Value)> = vec![
                ("AssigneeId", user.into()),
                (column, was.id.as_str().into()),
            ];
            if let Some(until) = &was.expiration_date {
                fields.push(("ExpirationDate", until.as_str().into()));
            }
            self.plan.steps.push(steps::create(
                self.org,
                "PermissionSetAssignment",
                &fields,
                format!("Gives the {what} {name} to user {user}"),
            ));
        }
        Ok(())
    }

    /// Package seats that are missing; only that of a namespace where it is given.
    pub(super) fn packages(&mut self, only: Option<&str>) {
        let (held, user) = (self.held, self.user.id.as_str());
        let Some(had) = &self.before.packages else {
            return self.not_known("package seats");
        };
        let (Some(now), Some(all)) = (held.package_seats(user), &held.packages) else {
            return self.not_readable("package seats");
        };
        for was in had {
            if only.is_some_and(|namespace| namespace != was.namespace)
                || now.iter().any(|seat| seat.package() == was.id)
            {
                continue;
            }
            let name = shown(&was.namespace);
            let Some(package) = all.iter().find(|package| package.id == was.id) else {
                self.missing(
                    "no_such_package",
                    format!("The package {name} is not installed any more"),
                    "Install the package again, then undo again",
                );
                continue;
            };
            if package.end() == Some(End::Over) {
                self.missing(
                    "over",
                    format!("The package {name} has expired"),
                    "Renew it, then undo again",
                );
                continue;
            }
            match (package.allowed_licenses, package.used_licenses) {
                (Some(allowed), Some(used)) if allowed >= 0 && used >= allowed => {
                    self.missing(
                        "no_free_seat",
                        format!("No seat of the package {name} is free"),
                        "Free a seat of this package, or buy one, then undo again",
                    );
                    continue;
                }
                (Some(_), Some(_)) => {}
                _ => self
                    .plan
                    .unchecked
                    .push(format!("Whether a seat of the package {name} is free")),
            }
            self.plan.steps.push(steps::create(
                self.org,
                "UserPackageLicense",
                &[
                    ("PackageLicenseId", was.id.as_str().into()),
                    ("UserId", user.into()),
                ],
                format!("Gives a seat of the package {name} to user {user}"),
            ));
        }
    }

    pub(super) fn groups(&mut self) -> Result<(), Failure> {
        let (held, user) = (self.held, self.user.id.as_str());
        let Some(had) = &self.before.groups else {
            self.not_known("queues and groups");
            return Ok(());
        };
        let Some(now) = held.memberships(user) else {
            self.not_readable("queues and groups");
            return Ok(());
        };
        let missing: Vec<_> = had
            .iter()
            .filter(|was| !now.iter().any(|it| it.group() == was.id))
            .collect();
        let known = self.existing("Group", missing.iter().map(|was| was.id.as_str()))?;
        for was in missing {
            let name = shown(&was.name);
            let what = match was.kind.as_deref() {
                Some("Queue") => "queue",
                _ => "group",
            };
            if known.as_ref().is_some_and(|known| !known.contains(&was.id)) {
                self.says(format!(
                    "The org has no {what} {name} any more: the person is not put back into it"
                ));
                continue;
            }
            self.plan.steps.push(steps::create(
                self.org,
                "GroupMember",
                &[
                    ("GroupId", was.id.as_str().into()),
                    ("UserOrGroupId", user.into()),
                ],
                format!("Puts user {user} back into the {what} {name}"),
            ));
        }
        Ok(())
    }

    /// Those of these ids that the org still has; `None` where that cannot be looked at. Not asked for none.
    fn existing<'i>(
        &self,
        object: &str,
        wanted: impl Iterator<Item = &'i str>,
    ) -> Result<Option<Vec<String>>, Failure> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Row {
            id: String,
        }
        let wanted: Vec<&str> = wanted.take(steps::MOST_STEPS * 2).collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        let list = soql::list(wanted);
        let rows: Option<Vec<Row>> = look::rows(
            self.api,
            &format!("SELECT Id FROM {object} WHERE Id IN ({list}) ORDER BY Id"),
        )?;
        Ok(rows.map(|rows| {
            rows.iter()
                .filter_map(|row| ids::widen(&row.id).map(|id| id.into_owned()))
                .collect()
        }))
    }

    fn not_known(&mut self, what: &str) {
        self.plan.unchecked.push(format!(
            "Which {what} the person had: the record made before the action does not say"
        ));
    }

    fn not_readable(&mut self, what: &str) {
        self.plan.unchecked.push(format!(
            "Whether {what} of the person were taken away since: they cannot be read with these rights"
        ));
    }
}
