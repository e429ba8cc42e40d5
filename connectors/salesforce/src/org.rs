//! What later calls need to know about an org, found out once per run and carried in the memo.

use seatwise_connector_sdk::{
    Answer, Call, Failure, FailureKind, Level,
    cursor::{Reader, Writer},
    failure, json,
};
use serde::Deserialize;

use crate::{
    api::{Api, INSTANCE},
    errors, ids,
    model::{Describe, Text},
    settings::Settings,
};

/// Format of the memo.
const MEMO_VERSION: u8 = 1;
/// The version used where the org lists it: newer ones bring nothing that is read here.
const PREFERRED: u32 = 62;
/// Versions that this connector is written for, tried from the top where the preferred one is missing.
const SUPPORTED: std::ops::RangeInclusive<u32> = 59..=64;

/// Without these no row can be understood.
pub const REQUIRED_COLUMNS: [&str; 4] = ["Id", "Username", "IsActive", "ProfileId"];
/// Asked for where they exist.
pub const OPTIONAL_COLUMNS: [&str; 14] = [
    "Name",
    "Email",
    "UserType",
    "LastLoginDate",
    "CreatedDate",
    "SystemModstamp",
    "Department",
    "Division",
    "CompanyName",
    "EmployeeNumber",
    "FederationIdentifier",
    "UserPermissionsSupportUser",
    "UserRoleId",
    "ManagerId",
];

/// The org as this connector sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Org {
    /// API version, without its `v`.
    pub version: String,
    /// Those of [`OPTIONAL_COLUMNS`] that `User` has.
    pub columns: Vec<String>,
    /// Whether `UserLogin` can be read; if not, frozen is unknown.
    pub frozen: bool,
    /// Whether `UserLicense` has the monthly login columns.
    pub monthly_logins: bool,
    /// The connecting user, where it could be read.
    pub user_id: Option<String>,
}

impl Org {
    /// From the memo of this call; found out afresh where there is none, or one of another version.
    ///
    /// # Errors
    /// As [`Org::discover`].
    pub fn of(call: &Call<'_>) -> Result<Self, Failure> {
        match Self::from_memo(&call.ctx.memo) {
            Ok(org) => Ok(org),
            Err(_) => Self::discover(call),
        }
    }

    /// Asks the org.
    ///
    /// # Errors
    /// `unsupported` or `invalid-input` where no version fits, `permission` where a required column is hidden, and what
    /// the requests themselves fail with.
    pub fn discover(call: &Call<'_>) -> Result<Self, Failure> {
        let version = negotiate(call)?;
        let api = Api::new(call, &version);
        let columns = user_columns(&api)?;
        let frozen = describe(&api, "UserLogin")?.is_some();
        let monthly_logins = describe(&api, "UserLicense")?.is_some_and(|fields| {
            fields
                .iter()
                .any(|(name, _)| name == "MonthlyLoginsEntitlement")
        });
        if !frozen {
            call.log(
                Level::Info,
                "UserLogin cannot be read; frozen is unknown",
                &[],
            );
        }
        // After the first data request, so that a token that died since the last run has been renewed by now.
        let user_id = running_user(call, &api)?;
        Ok(Self {
            version,
            columns,
            frozen,
            monthly_logins,
            user_id,
        })
    }

    /// Whether `User` has an optional column.
    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|known| known == column)
    }

    /// The memo.
    pub fn to_memo(&self) -> Vec<u8> {
        Writer::new(MEMO_VERSION)
            .text(&self.version)
            .texts(self.columns.iter().map(String::as_str))
            .number(u64::from(self.frozen) | u64::from(self.monthly_logins) << 1)
            .text(self.user_id.as_deref().unwrap_or_default())
            .finish()
    }

    fn from_memo(memo: &[u8]) -> Result<Self, Failure> {
        let mut reader = Reader::open(memo, MEMO_VERSION)?;
        let version = reader.text()?.to_owned();
        let columns = reader.texts()?.into_iter().map(str::to_owned).collect();
        let flags = reader.number()?;
        let user_id = reader.text()?;
        let user_id = (!user_id.is_empty()).then(|| user_id.to_owned());
        reader.end()?;
        Ok(Self {
            version,
            columns,
            frozen: flags & 1 != 0,
            monthly_logins: flags & 2 != 0,
            user_id,
        })
    }
}

/// The versions an org lists, without `v`. Needs no rights and does not count against the limit.
///
/// # Errors
/// What the request fails with.
pub fn listed_versions(call: &Call<'_>) -> Result<Vec<String>, Failure> {
    #[derive(Deserialize)]
    struct Version {
        version: String,
    }
    let answer = call
        .get(INSTANCE, "/services/data/")
        .header("Accept", "application/json")
        .send()?;
    if answer.status() != 200 || answer.is_html() {
        return Err(errors::of(&answer));
    }
    Ok(json::parse::<Vec<Version>>(answer.body())?
        .into_iter()
        .map(|row| row.version)
        .collect())
}

/// The version to speak: the pinned one, else v62.0, else the highest that both sides know.
///
/// # Errors
/// `invalid-input` for a pinned version the org does not list, `unsupported` where none fits.
pub fn negotiate(call: &Call<'_>) -> Result<String, Failure> {
    let listed = listed_versions(call)?;
    choose(&listed, Settings::of(call.ctx)?.pinned_version())
}

/// See [`negotiate`].
pub fn choose(listed: &[String], pinned: Option<&str>) -> Result<String, Failure> {
    if let Some(pinned) = pinned {
        return if listed.iter().any(|version| version == pinned) {
            Ok(pinned.to_owned())
        } else {
            Err(failure::invalid_input(
                "api_version_not_listed",
                format!("The profile asks for API version {pinned}, which this org does not list"),
            ))
        };
    }
    let known = |number: u32| {
        let version = format!("{number}.0");
        listed.contains(&version).then_some(version)
    };
    known(PREFERRED)
        .or_else(|| SUPPORTED.rev().find_map(known))
        .ok_or_else(|| {
            failure::unsupported(
                "no_supported_api_version",
                format!(
                    "This org lists no API version between v{}.0 and v{}.0",
                    SUPPORTED.start(),
                    SUPPORTED.end()
                ),
            )
        })
}

/// Field names and whether they can be filtered; `None` where the object is hidden or absent in this org.
fn describe(api: &Api<'_>, object: &str) -> Result<Option<Vec<(String, bool)>>, Failure> {
    let answer = match api.get_versioned(&format!("sobjects/{object}/describe")) {
        Ok(answer) => answer,
        Err(failure) if is_absent(&failure) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let describe: Describe<'_> = json::parse(answer.body())?;
    let fields = describe.fields.into_iter();
    Ok(Some(
        fields
            .map(|field| (field.name.into_string(), field.filterable != Some(false)))
            .collect(),
    ))
}

/// Whether a failure says "not there for you", as opposed to "not now". A missing API right is neither: it hides
/// everything, and is to be told.
pub fn is_absent(failure: &Failure) -> bool {
    matches!(
        failure.code.as_str(),
        "INVALID_TYPE"
            | "INVALID_FIELD"
            | "NOT_FOUND"
            | "INSUFFICIENT_ACCESS"
            | "INSUFFICIENT_ACCESS_OR_READONLY"
            | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
            | "http_403"
            | "http_404"
    )
}

fn user_columns(api: &Api<'_>) -> Result<Vec<String>, Failure> {
    let fields = describe(api, "User")?.ok_or_else(|| {
        failure::permission(
            "INVALID_TYPE",
            "The connecting user cannot see the User object",
        )
    })?;
    let find = |wish: &str| fields.iter().find(|(name, _)| name == wish);
    if let Some(missing) = REQUIRED_COLUMNS.iter().find(|wish| find(wish).is_none()) {
        return Err(failure::permission(
            "INVALID_FIELD",
            format!("The connecting user cannot see the column {missing} of User"),
        ));
    }
    Ok(OPTIONAL_COLUMNS
        .iter()
        // The one column that stands in a WHERE is of no use where it cannot be filtered.
        .filter(|wish| {
            find(wish).is_some_and(|(_, filterable)| *filterable || **wish != "SystemModstamp")
        })
        .map(|wish| (*wish).to_owned())
        .collect())
}

/// The identity service's answer. It says 403 of a dead token, where only a 401 has the host renew it: a data request
/// says 401, so one is made before the service is asked once more.
fn identity(api: &Api<'_>) -> Result<Answer, Failure> {
    const IDENTITY: &str = "/services/oauth2/userinfo";
    match api.get(IDENTITY) {
        Err(dead) if dead.kind == FailureKind::Auth => {
            describe(api, "User")?;
            api.get(IDENTITY)
        }
        answered => answered,
    }
}

/// Who we are, from the identity service. Absence is tolerated: plans then say that it could not be checked.
fn running_user(call: &Call<'_>, api: &Api<'_>) -> Result<Option<String>, Failure> {
    #[derive(Deserialize)]
    struct Identity<'a> {
        #[serde(borrow, default)]
        user_id: Option<Text<'a>>,
    }
    let answer = match identity(api) {
        Ok(answer) => answer,
        Err(failure)
            if matches!(
                failure.kind,
                FailureKind::Auth
                    | FailureKind::Transient
                    | FailureKind::RateLimited
                    | FailureKind::Quota
            ) =>
        {
            return Err(failure);
        }
        Err(failure) => {
            call.log(
                Level::Info,
                "the connecting user's id cannot be read",
                &[("code", &failure.code)],
            );
            return Ok(None);
        }
    };
    let identity: Identity<'_> = json::parse(answer.body())?;
    Ok(identity
        .user_id
        .and_then(|id| ids::widen(id.as_str()).map(|id| id.into_owned())))
}
