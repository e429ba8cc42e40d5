//! What the org has bought and set up, as rows: licences, profiles, permission sets, packages, groups, roles, jobs, dashboards,
//! approvals, and the org itself.

use super::{Org, Value, developer_name};
use crate::clock::DAY_MS;
use crate::schema::Object;
use crate::spec::{Profile, Rights};
use crate::value::{owned, text};

impl Org {
    /// Rows of `PermissionSet`: those of the spec, one that each profile owns, one for each group.
    pub(super) fn permission_set_rows(&self) -> usize {
        self.spec.permission_sets.len()
            + self.spec.profiles.len()
            + self.spec.permission_set_groups.len()
    }

    /// Group and permission set of each `PermissionSetGroupComponent`, by row.
    pub(super) fn components(&self) -> impl Iterator<Item = (u64, u64)> {
        let groups = self.spec.permission_set_groups.iter().enumerate();
        groups.flat_map(move |(group, listed)| {
            listed.permission_sets.iter().filter_map(move |name| {
                let set = self
                    .spec
                    .permission_sets
                    .iter()
                    .position(|set| set.name == *name)?;
                Some((group as u64 + 1, set as u64 + 1))
            })
        })
    }

    /// Queue and object of each `QueueSobject`, by row.
    pub(super) fn queue_objects(&self) -> impl Iterator<Item = (u64, &str)> {
        let groups = self.spec.groups.iter().enumerate();
        groups.flat_map(move |(group, listed)| {
            listed
                .queue_for
                .iter()
                .map(move |object| (group as u64 + 1, object.as_str()))
        })
    }

    pub(super) fn catalogue_value(&self, object: Object, row: u64, field: &str) -> Value<'_> {
        let at = usize::try_from(row).unwrap_or(1).saturating_sub(1);
        match object {
            Object::UserLicense => self.licence_value(at, field),
            Object::Profile => self.profile_value(at, field),
            Object::Organization => self.organization_value(field),
            Object::UserPermissionAccess => has(&self.rights, field),
            Object::PermissionSetLicense => self.set_licence_value(at, field),
            Object::PermissionSet => self.permission_set_value(at, field),
            Object::PermissionSetGroup => {
                let group = &self.spec.permission_set_groups[at];
                match field {
                    "DeveloperName" => text(&group.developer_name),
                    "MasterLabel" => text(&group.label),
                    "Status" => text("Updated"),
                    _ => self.stamp(field),
                }
            }
            Object::PermissionSetGroupComponent => match (field, self.components().nth(at)) {
                ("PermissionSetGroupId", Some((group, _))) => {
                    self.reference(Object::PermissionSetGroup, group)
                }
                ("PermissionSetId", Some((_, set))) => self.reference(Object::PermissionSet, set),
                _ => self.stamp(field),
            },
            Object::PackageLicense => self.package_value(at, field),
            Object::TenantUsageEntitlement => self.entitlement_value(at, field),
            Object::Group => {
                let group = &self.spec.groups[at];
                match field {
                    "Name" => text(&group.name),
                    "DeveloperName" => developer_name(&group.name),
                    "Type" if group.queue_for.is_empty() => text("Regular"),
                    "Type" => text("Queue"),
                    "OwnerId" => self.reference(Object::Organization, 1),
                    "DoesSendEmailToMembers" | "DoesIncludeBosses" => Value::Bool(false),
                    _ => self.stamp(field),
                }
            }
            Object::QueueSobject => match (field, self.queue_objects().nth(at)) {
                ("QueueId", Some((queue, _))) => self.reference(Object::Group, queue),
                ("SobjectType", Some((_, of))) => text(of),
                ("CreatedById", _) => self.founder(),
                _ => self.stamp(field),
            },
            Object::UserRole => self.role_value(at, field),
            Object::CronTrigger => self.job_value(at, field),
            Object::CronJobDetail => match field {
                "Name" => text(&self.spec.jobs[at].name),
                _ => text("7"),
            },
            Object::Dashboard => {
                let dashboard = &self.spec.dashboards[at];
                match field {
                    "Title" => text(&dashboard.title),
                    "DeveloperName" => developer_name(&dashboard.title),
                    "FolderName" => text("Company Dashboards"),
                    "Type" => text("SpecifiedUser"),
                    "RunningUserId" => self.reference_to(&dashboard.running_user),
                    "IsDeleted" => Value::Bool(false),
                    "CreatedById" | "LastModifiedById" => self.founder(),
                    _ => self.stamp(field),
                }
            }
            Object::ProcessInstance => {
                let approval = &self.spec.approvals[at];
                match field {
                    "TargetObjectId" => self.reference(Object::Opportunity, row),
                    "Status" => text("Pending"),
                    "SubmittedById" => self.reference_to(&approval.submitter),
                    _ => self.stamp(field),
                }
            }
            Object::ProcessInstanceWorkitem => {
                let approval = &self.spec.approvals[at];
                match field {
                    "ProcessInstanceId" => self.reference(Object::ProcessInstance, row),
                    "ActorId" | "OriginalActorId" => self.reference_to(&approval.actor),
                    "ElapsedTimeInDays" => Value::Double(2.5),
                    "IsDeleted" => Value::Bool(false),
                    "CreatedById" => self.reference_to(&approval.submitter),
                    _ => self.stamp(field),
                }
            }
            _ => Value::Null,
        }
    }

    /// The stamps of what was set up with the org; null for other fields.
    fn stamp(&self, field: &str) -> Value<'_> {
        match field {
            "CreatedDate" | "LastModifiedDate" | "SystemModstamp" | "StartTime" => {
                Value::Moment(self.spec.created_ms)
            }
            _ => Value::Null,
        }
    }

    fn licence_value(&self, at: usize, field: &str) -> Value<'_> {
        let licence = &self.spec.licences[at];
        match field {
            "Name" => text(&licence.name),
            "MasterLabel" => text(&licence.label),
            "LicenseDefinitionKey" => text(&licence.key),
            "Status" => owned(format!("{:?}", licence.status)),
            "TotalLicenses" => Value::Int(self.total(at)),
            "UsedLicenses" => Value::Int(self.used(at)),
            "UsedLicensesLastUpdated" => Value::Moment(self.clock.now_ms()),
            "MonthlyLoginsEntitlement" => licence
                .monthly_logins
                .map_or(Value::Null, |logins| Value::Int(logins.cast_signed())),
            "MonthlyLoginsUsed" => licence
                .monthly_logins
                .map_or(Value::Null, |_| Value::Int(self.monthly_logins_used(at))),
            _ => self.stamp(field),
        }
    }

    /// What the users of a profile may do: the running user's own rights for theirs, all for administrators, the API for others.
    fn rights_of_profile(&self, at: usize, profile: &Profile) -> Rights {
        if self
            .running_user()
            .is_some_and(|user| self.profile_of(user) == Some(at))
        {
            return self.rights;
        }
        if profile.admin {
            return Rights {
                modify_all_data: true,
                ..Rights::all()
            };
        }
        Rights {
            api_enabled: profile.user_type == "Standard",
            session_valid_for_rest: true,
            ..Rights::none()
        }
    }

    /// A `Permissions…` column of a profile.
    fn profile_may(&self, at: usize, field: &str) -> Value<'_> {
        let profile = &self.spec.profiles[at];
        let is_given = profile
            .permissions
            .iter()
            .any(|name| field.strip_prefix("Permissions") == Some(name));
        if is_given {
            return Value::Bool(true);
        }
        has(&self.rights_of_profile(at, profile), field)
    }

    fn profile_value(&self, at: usize, field: &str) -> Value<'_> {
        let profile = &self.spec.profiles[at];
        match field {
            "Name" => text(&profile.name),
            "UserType" => text(&profile.user_type),
            "UserLicenseId" => self.profile_licences[at].map_or(Value::Null, |licence| {
                self.reference(Object::UserLicense, licence as u64 + 1)
            }),
            "CreatedById" | "LastModifiedById" => self.founder(),
            _ if field.starts_with("Permissions") => self.profile_may(at, field),
            _ => self.stamp(field),
        }
    }

    fn organization_value(&self, field: &str) -> Value<'_> {
        match field {
            "Name" => text(&self.spec.name),
            "OrganizationType" => text(&self.spec.edition),
            "IsSandbox" => Value::Bool(self.spec.sandbox),
            "IsReadOnly" => Value::Bool(false),
            "InstanceName" => text(&self.spec.instance),
            "TimeZoneSidKey" => text(&self.spec.time_zone),
            "DefaultLocaleSidKey" | "LanguageLocaleKey" => text("en_US"),
            "MonthlyPageViewsUsed" | "MonthlyPageViewsEntitlement" if self.spec.communities => {
                Value::Int(if field.ends_with("Used") {
                    41_250
                } else {
                    500_000
                })
            }
            "CreatedById" | "LastModifiedById" => self.founder(),
            _ => self.stamp(field),
        }
    }

    fn set_licence_value(&self, at: usize, field: &str) -> Value<'_> {
        let licence = &self.spec.permission_set_licences[at];
        match field {
            "DeveloperName" | "PermissionSetLicenseKey" => text(&licence.developer_name),
            "MasterLabel" => text(&licence.label),
            "Language" => text("en_US"),
            "Status" => owned(format!("{:?}", licence.status)),
            "TotalLicenses" => Value::Int(self.pools.set_totals[at]),
            "UsedLicenses" => Value::Int(self.pools.set_used[at]),
            "ExpirationDate" => licence
                .expires_ms
                .map_or(Value::Null, |ms| Value::Day(ms.div_euclid(DAY_MS))),
            "IsAvailableForIntegrations" => {
                Value::Bool(licence.developer_name == "SalesforceAPIIntegrationPsl")
            }
            "IsSupplementLicense" | "MaximumPermissionsViewSetup" => Value::Bool(false),
            "MaximumPermissionsApiEnabled" => Value::Bool(true),
            _ => self.stamp(field),
        }
    }

    /// What a permission set of the spec hangs on: a permission-set licence or a user licence.
    fn licence_of_set(&self, at: usize) -> Value<'_> {
        let Some(name) = self.spec.permission_sets[at].licence.as_deref() else {
            return Value::Null;
        };
        if let Some(licence) = self.set_licence_named(name) {
            return self.reference(Object::PermissionSetLicense, licence as u64 + 1);
        }
        let licence = self.spec.licences.iter().position(|row| row.key == name);
        licence.map_or(Value::Null, |licence| {
            self.reference(Object::UserLicense, licence as u64 + 1)
        })
    }

    fn permission_set_value(&self, at: usize, field: &str) -> Value<'_> {
        let (sets, profiles) = (self.spec.permission_sets.len(), self.spec.profiles.len());
        let is_profiles = (sets..sets + profiles).contains(&at);
        match field {
            "IsOwnedByProfile" => return Value::Bool(is_profiles),
            "IsCustom" => return Value::Bool(at < sets),
            _ => {}
        }
        if is_profiles {
            return match field {
                "Name" => owned(format!("X00e{}", at - sets + 1)),
                "Label" => owned(format!("00e{}", at - sets + 1)),
                "Type" => text("Profile"),
                "ProfileId" => self.reference(Object::Profile, (at - sets) as u64 + 1),
                "LicenseId" => self.profile_licences[at - sets].map_or(Value::Null, |licence| {
                    self.reference(Object::UserLicense, licence as u64 + 1)
                }),
                _ if field.starts_with("Permissions") => self.profile_may(at - sets, field),
                _ => self.stamp(field),
            };
        }
        if let Some(permission) = field.strip_prefix("Permissions") {
            let gives = |set: usize| {
                let given = &self.spec.permission_sets[set].permissions;
                given.iter().any(|name| name == permission)
            };
            // A group's own set gives what its parts give.
            let group = (at + 1).saturating_sub(sets + profiles) as u64;
            return Value::Bool(if at < sets {
                gives(at)
            } else {
                self.components()
                    .filter(|(of, _)| *of == group)
                    .any(|(_, set)| usize::try_from(set - 1).is_ok_and(gives))
            });
        }
        if at < sets {
            let set = &self.spec.permission_sets[at];
            return match field {
                "Name" => text(&set.name),
                "Label" => text(&set.label),
                "Type" => text("Regular"),
                "LicenseId" => self.licence_of_set(at),
                _ => self.stamp(field),
            };
        }
        let group = &self.spec.permission_set_groups[at - sets - profiles];
        match field {
            "Name" => text(&group.developer_name),
            "Label" => text(&group.label),
            "Type" => text("Group"),
            "PermissionSetGroupId" => self.reference(
                Object::PermissionSetGroup,
                (at - sets - profiles) as u64 + 1,
            ),
            _ => self.stamp(field),
        }
    }

    fn package_value(&self, at: usize, field: &str) -> Value<'_> {
        let package = &self.spec.packages[at];
        match field {
            "NamespacePrefix" => text(&package.namespace),
            "Status" => owned(format!("{:?}", package.status)),
            "AllowedLicenses" => Value::Int(package.allowed),
            "UsedLicenses" => Value::Int(self.pools.package_used[at]),
            "ExpirationDate" => package.expires_ms.map_or(Value::Null, Value::Moment),
            "IsProvisioned" => Value::Bool(true),
            "IsAvailableForIntegrations" => Value::Bool(false),
            _ => self.stamp(field),
        }
    }

    fn entitlement_value(&self, at: usize, field: &str) -> Value<'_> {
        let entitlement = &self.spec.entitlements[at];
        match field {
            "Setting" => text(&entitlement.setting),
            "ResourceGroupKey" => owned(format!("{}-{}", self.spec.org_id, at + 1)),
            "MasterLabel" => text(&entitlement.label),
            "CurrentAmountAllowed" => Value::Double(entitlement.allowed),
            "AmountUsed" => entitlement.used.map_or(Value::Null, Value::Double),
            "Frequency" => text(&entitlement.frequency),
            "StartDate" => Value::Day(entitlement.start_ms.div_euclid(DAY_MS)),
            "EndDate" => entitlement
                .end_ms
                .map_or(Value::Null, |ms| Value::Day(ms.div_euclid(DAY_MS))),
            "UsageDate" => entitlement.used.map_or(Value::Null, |_| {
                Value::Moment(self.clock.now_ms().div_euclid(DAY_MS) * DAY_MS)
            }),
            "IsPersistentResource" | "HasRollover" => Value::Bool(false),
            "CreatedDate" | "SystemModstamp" => Value::Moment(entitlement.start_ms),
            _ => Value::Null,
        }
    }

    fn role_value(&self, at: usize, field: &str) -> Value<'_> {
        let role = &self.spec.roles[at];
        match field {
            "Name" => text(&role.name),
            "DeveloperName" => developer_name(&role.name),
            "ParentRoleId" => {
                let parent = role.parent.as_deref();
                let row = self
                    .spec
                    .roles
                    .iter()
                    .position(|other| Some(other.name.as_str()) == parent);
                row.map_or(Value::Null, |row| {
                    self.reference(Object::UserRole, row as u64 + 1)
                })
            }
            "RollupDescription" => text(&role.name),
            "PortalType" => text("None"),
            "LastModifiedById" => self.founder(),
            _ => self.stamp(field),
        }
    }

    fn job_value(&self, at: usize, field: &str) -> Value<'_> {
        let job = &self.spec.jobs[at];
        let today = self.clock.now_ms().div_euclid(DAY_MS) * DAY_MS;
        match field {
            "CronJobDetailId" => self.reference(Object::CronJobDetail, at as u64 + 1),
            "OwnerId" | "CreatedById" | "LastModifiedById" => self.reference_to(&job.owner),
            "State" => text(&job.state),
            "CronExpression" => text("0 0 3 * * ?"),
            "TimeZoneSidKey" => text(&self.spec.time_zone),
            "NextFireTime" => Value::Moment(today + DAY_MS + 3 * 3_600_000),
            "PreviousFireTime" => Value::Moment(today - DAY_MS + 3 * 3_600_000),
            "TimesTriggered" => Value::Int(412),
            "EndTime" => Value::Null,
            _ => self.stamp(field),
        }
    }
}

/// A `Permissions…` column of these rights.
fn has(rights: &Rights, field: &str) -> Value<'static> {
    Value::Bool(match field {
        "PermissionsApiEnabled" => rights.api_enabled,
        "PermissionsApiUserOnly" => rights.api_only,
        "PermissionsViewSetup" => rights.view_setup,
        "PermissionsManageUsers" => rights.manage_users,
        "PermissionsManageInternalUsers" => rights.manage_users || rights.manage_internal_users,
        "PermissionsManagePartners" | "PermissionsManageCssUsers" => {
            rights.manage_users || rights.manage_external_users
        }
        "PermissionsViewAllUsers" => rights.view_all_users,
        "PermissionsViewAllProfiles" => rights.view_all_profiles,
        "PermissionsViewDeveloperName" => rights.view_developer_name,
        "PermissionsAssignPermissionSets" => rights.assign_permission_sets,
        "PermissionsMonitorLoginHistory" => rights.monitor_login_history,
        "PermissionsViewAllData" => rights.view_all_data || rights.modify_all_data,
        "PermissionsModifyAllData" => rights.modify_all_data,
        _ => false,
    })
}
