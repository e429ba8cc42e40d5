//! Which checks there are, what each serves, and the rights it proves. The least-privilege list of a process is what its checks
//! need and nothing else; the manifest's list is compared with it by a test.

use seatwise_connector_sdk::{Process, connection::CheckInfo};

use Process::{Activity, Consumption, Reclaim, Subscriptions};

/// A right at Salesforce, as Setup words it, and the process that needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// As Setup words it.
    pub name: &'static str,
    /// Which process.
    pub process: Process,
    /// What it is needed for; begins with *Optional* or *Only* where the process can do without it.
    pub why: &'static str,
}

/// One check.
pub struct Check {
    /// Stable id.
    pub id: &'static str,
    /// What is true when it passes.
    pub title: &'static str,
    /// What depends on it.
    pub serves: &'static [Process],
    /// Whether a failure blocks publishing.
    pub mandatory: bool,
    /// The rights that it proves.
    pub rights: &'static [Right],
}

const ALL: &[Process] = &[Subscriptions, Activity, Consumption, Reclaim];

const fn right(name: &'static str, process: Process, why: &'static str) -> Right {
    Right { name, process, why }
}

const API: &str = "API Enabled";
const API_WHY: &str = "Without it every call is refused";
const VIEW_SETUP: &str = "View Setup and Configuration";
const MANAGE_USERS: &str = "Manage Users";

/// All checks, in the order in which one builds on the other.
pub const CHECKS: [Check; 17] = [
    Check {
        id: "api-reachable",
        title: "The org answers and speaks a known API version",
        serves: ALL,
        mandatory: true,
        rights: &[],
    },
    Check {
        id: "organization",
        title: "The credential works and shows the org",
        serves: ALL,
        mandatory: true,
        rights: &[],
    },
    Check {
        id: "scopes",
        title: "The token has the scope that is needed",
        serves: ALL,
        mandatory: false,
        rights: &[],
    },
    Check {
        id: "api-enabled",
        title: "The connecting user may use the API",
        serves: ALL,
        mandatory: true,
        rights: &[
            right(API, Subscriptions, API_WHY),
            right(API, Activity, API_WHY),
            right(API, Consumption, API_WHY),
            right(API, Reclaim, API_WHY),
        ],
    },
    Check {
        id: "run-as-user",
        title: "The connecting user is a standard user with a full licence",
        serves: ALL,
        mandatory: false,
        rights: &[],
    },
    Check {
        id: "view-setup",
        title: "The connecting user may view setup and configuration",
        serves: &[Subscriptions, Consumption, Reclaim],
        mandatory: true,
        rights: &[
            right(
                VIEW_SETUP,
                Subscriptions,
                "Shows which user licence a profile belongs to, and who holds permission-set licences",
            ),
            right(
                VIEW_SETUP,
                Consumption,
                "Shows the licences the org owns and how many are used",
            ),
            right(
                VIEW_SETUP,
                Reclaim,
                "Shows what else a person holds, so that nothing is lost unseen and an undo can give it back",
            ),
        ],
    },
    Check {
        id: "columns",
        title: "The columns of User are visible",
        serves: &[Subscriptions, Activity, Consumption],
        mandatory: true,
        rights: &[right(
            "Read access to Last Login of User",
            Activity,
            "The last login on the user record is the source of activity unless login history is chosen",
        )],
    },
    Check {
        id: "users",
        title: "One page of users can be read",
        serves: &[Subscriptions, Activity],
        mandatory: true,
        rights: &[],
    },
    Check {
        id: "all-users",
        title: "All users are visible",
        serves: &[Subscriptions, Activity],
        mandatory: false,
        rights: &[right(
            "View All Users",
            Subscriptions,
            "Only where user sharing is private: without it users are missing",
        )],
    },
    Check {
        id: "licences",
        title: "The licence pools can be read",
        serves: &[Consumption],
        mandatory: true,
        rights: &[],
    },
    Check {
        id: "permission-set-licences",
        title: "Permission-set licences can be read",
        serves: &[Subscriptions, Consumption],
        mandatory: false,
        rights: &[],
    },
    Check {
        id: "packages",
        title: "Licences of managed packages can be read",
        serves: &[Subscriptions, Consumption],
        mandatory: false,
        rights: &[],
    },
    Check {
        id: "frozen",
        title: "Frozen users can be told apart",
        serves: &[Subscriptions, Reclaim],
        mandatory: false,
        rights: &[right(
            MANAGE_USERS,
            Subscriptions,
            "Optional: shows who is frozen",
        )],
    },
    Check {
        id: "login-history",
        title: "The login history of everybody can be read",
        serves: &[Activity],
        mandatory: false,
        rights: &[right(
            "Manage Users or Monitor Login History",
            Activity,
            "Only where login history is chosen as source: without it Salesforce shows the connecting user's own logins alone",
        )],
    },
    Check {
        id: "reclaim-right",
        title: "The connecting user may change users",
        serves: &[Reclaim],
        mandatory: false,
        rights: &[right(
            MANAGE_USERS,
            Reclaim,
            "Lets the host change users and their licences after approval",
        )],
    },
    Check {
        id: "wide-rights",
        title: "The connecting user has no more rights than needed",
        serves: ALL,
        mandatory: false,
        rights: &[],
    },
    Check {
        id: "quota",
        title: "The daily API limit leaves room",
        serves: ALL,
        mandatory: false,
        rights: &[],
    },
];

/// The checks as the contract words them.
pub fn infos() -> Vec<CheckInfo> {
    let info = |check: &Check| CheckInfo {
        id: check.id.to_owned(),
        title: check.title.to_owned(),
        serves: check.serves.to_vec(),
        mandatory: check.mandatory,
    };
    CHECKS.iter().map(info).collect()
}

/// The rights that a process needs, in the order of the checks that prove them.
pub fn least_privilege(process: Process) -> Vec<Right> {
    CHECKS
        .iter()
        .flat_map(|check| check.rights)
        .filter(|right| right.process == process)
        .copied()
        .collect()
}
