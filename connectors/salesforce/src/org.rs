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
    model::{Describe, FieldRow, Text},
    probe,
    settings::{LicenceKind, Settings},
    shown,
};

pub use crate::model::FEATURES;

/// Format of the memo.
const MEMO_VERSION: u8 = 4;
/// The version used where the org lists it: newer ones bring nothing that is read here.
const PREFERRED: u32 = 62;
/// Versions that this connector is written for, tried from the top where the preferred one is missing.
const SUPPORTED: std::ops::RangeInclusive<u32> = 59..=64;

/// Without these no row can be understood.
pub const REQUIRED_COLUMNS: [&str; 4] = ["Id", "Username", "IsActive", "ProfileId"];
/// Asked for where they exist.
pub const OPTIONAL_COLUMNS: [&str; 18] = [
    "Name",
    "Email",
    "UserType",
    "LastLoginDate",
    "CreatedDate",
    "SystemModstamp",
    "Department",
    "Division",
    "CompanyName",
    "Title",
    "City",
    "Country",
    "EmployeeNumber",
    "FederationIdentifier",
    "ForecastEnabled",
    "UserPermissionsSupportUser",
    "UserRoleId",
    "ManagerId",
];
/// Asked for where they exist; an org without the feature has none, so nobody is told that they are missing.
const QUIET_COLUMNS: [&str; 2] = ["ContactId", "AccountId"];

/// The column of `User` that a feature licence is.
pub fn feature_column(feature: &str) -> String {
    format!("UserPermissions{feature}")
}

/// The feature licence that a column of `User` is; `None` for other columns.
pub fn feature_of(column: &str) -> Option<&str> {
    column.strip_prefix("UserPermissions")
}

/// The org as this connector sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Org {
    /// API version, without its `v`.
    pub version: String,
    /// The id of the org, widened, where it was asked.
    pub org_id: Option<String>,
    /// The columns of `User` that are of use and that it has, beside the required ones.
    pub columns: Vec<String>,
    /// Whether `UserLogin` can be read; if not, frozen is unknown.
    pub frozen: bool,
    /// The connecting user, where it could be read.
    pub user_id: Option<String>,
    /// Users who may use the API only, in order; see [`probe::API_ONLY_KNOWN`] for the bound.
    pub api_only: Vec<String>,
    /// Kinds of licence that could be read at some time; see [`shown`].
    pub shown: Vec<LicenceKind>,
}

impl Org {
    /// From the memo of this call; found out afresh where there is none, or one of another version.
    ///
    /// # Errors
    /// As [`Org::discover`].
    pub fn of(call: &Call<'_>) -> Result<Self, Failure> {
        match Self::remembered(call) {
            Some(org) => Ok(org),
            None => Self::discover(call),
        }
    }

    /// What the last `identify` found out; `None` before the first, and after an update that reads memos differently.
    pub fn remembered(call: &Call<'_>) -> Option<Self> {
        Self::from_memo(&call.ctx.memo).ok()
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
        if !frozen {
            call.log(
                Level::Info,
                "UserLogin cannot be read; frozen is unknown",
                &[],
            );
        }
        // Who was known for a machine yesterday is no person today, because permission sets cannot be read any more.
        let before = Self::remembered(call);
        let api_only = match probe::api_only(call, &api)? {
            Some(api_only) => api_only,
            None => before.map_or_else(Vec::new, |before| before.api_only),
        };
        // After the first data request, so that a token that died since the last run has been renewed by now.
        let user_id = running_user(call, &api)?;
        Ok(Self {
            version,
            org_id: None,
            columns,
            frozen,
            user_id,
            api_only,
            shown: vec![],
        })
    }

    /// Whether `User` has an optional column.
    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|known| known == column)
    }

    /// Whether a kind of licence could be read at some time.
    pub fn has_shown(&self, kind: LicenceKind) -> bool {
        self.shown.contains(&kind)
    }

    /// Whether a user may use the API only; the id is wide.
    pub fn is_api_only(&self, id: &str) -> bool {
        self.api_only
            .binary_search_by(|known| known.as_str().cmp(id))
            .is_ok()
    }

    /// The memo.
    pub fn to_memo(&self) -> Vec<u8> {
        let maybe = |text: &Option<String>| text.clone().unwrap_or_default();
        Writer::new(MEMO_VERSION)
            .text(&self.version)
            .text(&maybe(&self.org_id))
            .texts(self.columns.iter().map(String::as_str))
            .number(u64::from(self.frozen))
            .text(&maybe(&self.user_id))
            .texts(self.api_only.iter().map(String::as_str))
            .texts(shown::words(&self.shown).into_iter())
            .finish()
    }

    fn from_memo(memo: &[u8]) -> Result<Self, Failure> {
        let mut reader = Reader::open(memo, MEMO_VERSION)?;
        let maybe = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        let version = reader.text()?.to_owned();
        let org_id = maybe(reader.text()?);
        let columns = owned(reader.texts()?);
        let org = Self {
            version,
            org_id,
            columns,
            frozen: reader.number()? == 1,
            user_id: maybe(reader.text()?),
            api_only: owned(reader.texts()?),
            shown: shown::of_words(&reader.texts()?),
        };
        reader.end()?;
        Ok(org)
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

/// One field, as describe tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// API name.
    pub name: String,
    /// Whether it may stand in a WHERE; where describe is silent, yes.
    pub filterable: bool,
    /// Whether it may stand in a GROUP BY; where describe is silent, no.
    pub groupable: bool,
}

/// The fields of an object; `None` where it is hidden or absent in this org.
///
/// # Errors
/// What the request fails with, but not for an absent object.
pub fn describe(api: &Api<'_>, object: &str) -> Result<Option<Vec<Field>>, Failure> {
    let answer = match api.get_versioned(&format!("sobjects/{object}/describe")) {
        Ok(answer) => answer,
        Err(failure) if is_absent(&failure) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let describe: Describe<'_> = json::parse(answer.body())?;
    let field = |field: FieldRow<'_>| Field {
        name: field.name.into_string(),
        filterable: field.filterable != Some(false),
        groupable: field.groupable == Some(true),
    };
    Ok(Some(describe.fields.into_iter().map(field).collect()))
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
    let find = |wish: &str| fields.iter().find(|field| field.name == wish);
    if let Some(missing) = REQUIRED_COLUMNS.iter().find(|wish| find(wish).is_none()) {
        return Err(failure::permission(
            "INVALID_FIELD",
            format!("The connecting user cannot see the column {missing} of User"),
        ));
    }
    let features = FEATURES.into_iter().map(feature_column);
    let mut columns: Vec<String> = OPTIONAL_COLUMNS
        .into_iter()
        .chain(QUIET_COLUMNS)
        .map(str::to_owned)
        .chain(features)
        // The one column that stands in a WHERE is of no use where it cannot be filtered.
        .filter(|wish| find(wish).is_some_and(|field| field.filterable || wish != "SystemModstamp"))
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    columns.retain(|column| seen.insert(column.clone()));
    Ok(columns)
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
