//! What ties an org to a person: jobs and dashboards that run as them, approvals that wait for them, people who report to
//! them, portal accounts and open records they own. One query per kind for all people of a call.

use std::collections::BTreeMap;

use seatwise_connector_sdk::Failure;
use serde::Deserialize;

use super::look;
use crate::{api::Api, ids, soql};

/// States of a scheduled job that will not run again.
const ENDED: [&str; 3] = ["COMPLETE", "DELETED", "ERROR"];

/// Per person: names, or `None` where they cannot be looked at.
type Names = Option<BTreeMap<String, Vec<String>>>;
/// Per person: a count, or `None` where it cannot be looked at.
type Counts = Option<BTreeMap<String, u64>>;

/// A kind of record that stays behind, and which of them still matter.
struct Kind {
    object: &'static str,
    open: &'static str,
    says: &'static str,
}

/// Records that somebody must take over.
const RECORDS: [Kind; 5] = [
    Kind {
        object: "Case",
        open: "IsClosed = false AND ",
        says: "open cases",
    },
    Kind {
        object: "Lead",
        open: "IsConverted = false AND ",
        says: "open leads",
    },
    Kind {
        object: "Opportunity",
        open: "IsClosed = false AND ",
        says: "open opportunities",
    },
    Kind {
        object: "Task",
        open: "IsClosed = false AND ",
        says: "open tasks",
    },
    Kind {
        object: "Account",
        open: "",
        says: "accounts",
    },
];

/// What ties an org to the people of a call.
#[derive(Default)]
pub struct Ties {
    jobs: Names,
    dashboards: Names,
    approvals: Counts,
    delegations: Counts,
    reports: Counts,
    portal_accounts: Counts,
    portal_users: Counts,
    records: Vec<(&'static str, Counts)>,
    sees_all: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct JobRow {
    #[serde(default)]
    owner_id: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    cron_job_detail: Option<Named>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DashboardRow {
    #[serde(default)]
    running_user_id: Option<String>,
    #[serde(default)]
    title: Option<String>,
}

impl Ties {
    /// Reads everything; at most 200 checked ids.
    ///
    /// # Errors
    /// What may pass by itself; what the rights hide is no error.
    pub fn read(api: &Api<'_>, people: &[&str]) -> Result<Self, Failure> {
        if people.is_empty() {
            return Ok(Self::default());
        }
        let list = soql::list(people.iter().copied());
        let grouped = |object: &str, column: &str, only: &str| {
            let soql = format!(
                "SELECT {column}, COUNT(Id) FROM {object} WHERE {only}{column} IN ({list}) GROUP BY {column}"
            );
            look::counts(api, column, &soql)
        };
        let jobs = jobs(api, &list)?;
        let dashboards = dashboards(api, &list)?;
        let approvals = grouped("ProcessInstanceWorkitem", "ActorId", "")?;
        let delegations = grouped("User", "DelegatedApproverId", "IsActive = true AND ")?;
        let reports = grouped("User", "ManagerId", "IsActive = true AND ")?;
        let portal_accounts = grouped(
            "Account",
            "OwnerId",
            "(IsPartner = true OR IsCustomerPortal = true) AND ",
        )?;
        // Asked only where somebody owns one: without portals the columns do not exist.
        let portal_users = match &portal_accounts {
            None => None,
            Some(owners) if owners.is_empty() => Some(BTreeMap::new()),
            Some(_) => look::counts(
                api,
                "OwnerId",
                &format!(
                    "SELECT Account.OwnerId, COUNT(Id) FROM User WHERE IsActive = true AND Account.OwnerId IN ({list}) \
                     GROUP BY Account.OwnerId"
                ),
            )?,
        };
        let mut records = vec![];
        for kind in &RECORDS {
            records.push((kind.says, grouped(kind.object, "OwnerId", kind.open)?));
        }
        Ok(Self {
            jobs,
            dashboards,
            approvals,
            delegations,
            reports,
            portal_accounts,
            portal_users,
            records,
            sees_all: sees_all(api)?,
        })
    }

    /// Whether the connecting user sees every record; if not, a count may be too low.
    pub fn sees_all(&self) -> bool {
        self.sees_all
    }

    /// Scheduled jobs that run as a person.
    pub fn jobs(&self, user: &str) -> Option<&[String]> {
        names_of(&self.jobs, user)
    }

    /// Dashboards that show what a person may see.
    pub fn dashboards(&self, user: &str) -> Option<&[String]> {
        names_of(&self.dashboards, user)
    }

    /// Approval requests that wait for a person.
    pub fn approvals(&self, user: &str) -> Option<u64> {
        count_of(&self.approvals, user)
    }

    /// Active users for whom a person approves in their place.
    pub fn delegations(&self, user: &str) -> Option<u64> {
        count_of(&self.delegations, user)
    }

    /// Active users whose manager a person is.
    pub fn reports(&self, user: &str) -> Option<u64> {
        count_of(&self.reports, user)
    }

    /// Portal accounts that a person owns.
    pub fn portal_accounts(&self, user: &str) -> Option<u64> {
        count_of(&self.portal_accounts, user)
    }

    /// Active users of those accounts.
    pub fn portal_users(&self, user: &str) -> Option<u64> {
        count_of(&self.portal_users, user)
    }

    /// What a person owns, by kind; `None` for a kind that cannot be looked at.
    pub fn records(&self, user: &str) -> impl Iterator<Item = (&'static str, Option<u64>)> {
        self.records
            .iter()
            .map(move |(says, counts)| (*says, count_of(counts, user)))
    }
}

fn names_of<'n>(names: &'n Names, user: &str) -> Option<&'n [String]> {
    let names = names.as_ref()?;
    Some(names.get(user).map(Vec::as_slice).unwrap_or_default())
}

fn count_of(counts: &Counts, user: &str) -> Option<u64> {
    Some(counts.as_ref()?.get(user).copied().unwrap_or(0))
}

fn sees_all(api: &Api<'_>) -> Result<bool, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Rights {
        #[serde(default)]
        permissions_view_all_data: Option<bool>,
    }
    let rows: Option<Vec<Rights>> = look::rows(
        api,
        "SELECT PermissionsViewAllData FROM UserPermissionAccess",
    )?;
    let first = rows.into_iter().flatten().next();
    Ok(first.and_then(|rights| rights.permissions_view_all_data) == Some(true))
}

fn jobs(api: &Api<'_>, list: &str) -> Result<Names, Failure> {
    let rows: Option<Vec<JobRow>> = look::rows(
        api,
        &format!(
            "SELECT Id, OwnerId, State, CronJobDetail.Name FROM CronTrigger WHERE OwnerId IN ({list}) ORDER BY Id"
        ),
    )?;
    Ok(rows.map(|rows| {
        by_person(
            rows.into_iter()
                .filter(|row| {
                    row.state
                        .as_deref()
                        .is_none_or(|state| !ENDED.contains(&state))
                })
                .map(|row| (row.owner_id, row.cron_job_detail.and_then(|job| job.name))),
        )
    }))
}

fn dashboards(api: &Api<'_>, list: &str) -> Result<Names, Failure> {
    let rows: Option<Vec<DashboardRow>> = look::rows(
        api,
        &format!(
            "SELECT Id, RunningUserId, Title FROM Dashboard WHERE RunningUserId IN ({list}) ORDER BY Id"
        ),
    )?;
    Ok(rows.map(|rows| by_person(rows.into_iter().map(|row| (row.running_user_id, row.title)))))
}

fn by_person(
    rows: impl Iterator<Item = (Option<String>, Option<String>)>,
) -> BTreeMap<String, Vec<String>> {
    let mut people: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (person, name) in rows {
        if let Some(person) = person.as_deref().and_then(ids::widen) {
            let name = name.map_or_else(|| "one without a name".to_owned(), |it| look::shown(&it));
            people.entry(person.into_owned()).or_default().push(name);
        }
    }
    people
}
