//! Use cases of profiles; one transaction each, vendor calls never inside one.

use std::sync::Arc;
use std::time::Instant;

use seatwise_runtime::Manifest;
use seatwise_runtime::contract::connection::{Environment, Verdict};
use serde::Serialize;
use serde_json::{Map, Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::acting;
use super::model::{self, ProfileEvent, ProfileFault, WriteMode};
use super::schedule::{self, ScheduleError};
use super::store::{self, CheckView, NewRow, ProfileRow};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::connectors::link::{self, OrgLink, Wanted};
use crate::connectors::{ConnectorError, explain};
use crate::credentials::{self, CredentialError, CredentialView, NewCredential};
use crate::identity::roles::{Actor, Denied, Permission};
use crate::jobs::{JobKind, NewJob};
use crate::kernel::{AliasId, IntoProblem, OrgId, Problem, ProfileId};
use crate::store::numbers::{self, Series};
use crate::store::{StoreError, Tx};
use crate::sync::{RunKind, StartRun, SyncError};

/// Why a profile could not be made or moved.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No such profile.
    #[error("there is no profile `{0}`")]
    NotFound(String),
    /// Another profile or alias has this name.
    #[error("there is a profile or alias named `{0}` already")]
    NameTaken(String),
    /// The parent is not a parent alias of this connector.
    #[error("`{0}` cannot be the parent of this profile's alias")]
    Parent(String),
    /// The org is connected by another profile.
    #[error("this org is connected already, by {number} {name}")]
    SameOrg {
        /// Its number.
        number: String,
        /// Its name.
        name: String,
    },
    /// The credential now belongs to another org than the stored one.
    #[error("the credential belongs to the org {found}, but this profile is for another one")]
    OtherOrg {
        /// The vendor's id of what was found.
        found: String,
    },
    /// A mandatory check failed.
    #[error("{} of the mandatory checks did not pass", .0.len())]
    Checks(Vec<CheckView>),
    /// Something typed is wrong.
    #[error(transparent)]
    Fault(#[from] ProfileFault),
    /// The schedule is wrong.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The credential is wrong.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The connector cannot be used.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// The vendor or the connector failed.
    #[error("{}", .0.message)]
    Vendor(Problem),
    /// The run could not be started.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for ProfileError {
    fn problem(&self) -> Problem {
        let message = self.to_string();
        match self {
            Self::Denied(error) => error.problem(),
            Self::NotFound(_) => Problem::new(
                "profile.not_found",
                404,
                message,
                "List the profiles and use a number, name or id from there",
            ),
            Self::NameTaken(_) => {
                Problem::new("profile.name_taken", 409, message, "Choose another name").at("name")
            }
            Self::Parent(_) => Problem::new(
                "profile.parent",
                422,
                message,
                "Leave it out, or name the connector's parent alias; a child has no children",
            )
            .at("parent"),
            Self::SameOrg { .. } => Problem::new(
                "profile.same_org",
                409,
                message,
                "Use that profile, or archive it first",
            ),
            Self::OtherOrg { .. } => Problem::new(
                "profile.other_org",
                409,
                message,
                "Connect with a credential of the stored org, or create a profile for this one",
            ),
            Self::Checks(failed) => Problem::new(
                "profile.checks",
                422,
                message,
                failed
                    .iter()
                    .find_map(|c| c.fix.clone())
                    .unwrap_or_else(|| "Run the checks and follow their fixes".to_owned()),
            )
            .with(json!({"failed": failed})),
            Self::Fault(error) => error.problem(),
            Self::Schedule(error) => error.problem(),
            Self::Credential(error) => error.problem(),
            Self::Connector(error) => error.problem(),
            Self::Vendor(problem) => problem.clone(),
            Self::Sync(error) => error.problem(),
            Self::Store(error) => error.problem(),
        }
    }
}

/// What a person types for a new profile.
pub struct NewProfile {
    /// Connector id.
    pub connector: String,
    /// Display name.
    pub name: String,
    /// Parent alias by name or id; `None` takes the connector's first alias, or makes this one it.
    pub parent: Option<String>,
    /// The vendor's login address.
    pub login_url: String,
    /// Grant of the manifest.
    pub grant: String,
    /// Client id.
    pub client_id: String,
    /// Client secret.
    pub client_secret: Zeroizing<String>,
    /// For the grant `refresh-token`.
    pub refresh_token: Option<Zeroizing<String>>,
    /// Settings of the manifest, as text.
    pub settings: Vec<(String, String)>,
}

/// A profile as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct ProfileView {
    /// Id.
    pub id: ProfileId,
    /// `PRF0001001`.
    pub number: String,
    /// Display name.
    pub name: String,
    /// Connector id.
    pub connector: String,
    /// Its alias.
    pub alias: String,
    /// The parent, for a child alias.
    pub parent_alias: Option<String>,
    /// Where it signs in.
    pub login_url: String,
    /// The connected org, once identified.
    pub organization: Option<String>,
    /// Production or sandbox, as the vendor says.
    pub environment: Option<String>,
    /// Draft, published, paused, archived.
    pub state: &'static str,
    /// Off, dry run, live.
    pub write_mode: &'static str,
    /// Reasons that need a person.
    pub attention: Vec<String>,
    /// Cron expression.
    pub schedule: String,
    /// Its zone.
    pub zone: String,
    /// Milliseconds UTC.
    pub next_run_at: Option<i64>,
    /// API calls used and allowed, as last told.
    pub quota_used: Option<i64>,
    /// See above.
    pub quota_limit: Option<i64>,
    /// Percent at which runs pause.
    pub quota_percent: i64,
    /// The credential, without its secret.
    pub credential: Option<CredentialView>,
    /// Settings as stored.
    pub settings: Value,
    /// The last checks.
    pub checks: Vec<CheckView>,
    /// Who made it.
    pub created_by: String,
    /// Who changed it last.
    pub changed_by: String,
}

/// Makes a draft. The first profile of a connector gets the parent alias, further ones a child each.
///
/// # Errors
/// [`ProfileError`] naming the field.
pub async fn create(
    host: &Host,
    actor: &Actor,
    new: NewProfile,
) -> Result<ProfileView, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let manifest = host.connectors.manifest(&new.connector)?;
    let name = model::name(&new.name)?;
    let login_url = model::login_url(&new.login_url)?;
    allowed(host, &manifest, &new.grant, &login_url)?;
    let settings = settings(&manifest, &new.settings)?;
    let now_ms = host.now_ms();
    let (id, alias) = (
        ProfileId::mint(now_ms, &*host.chance),
        AliasId::mint(now_ms, &*host.chance),
    );
    let mut tx = host.store.begin().await?;
    let digest = host.connectors.digest(&new.connector)?;
    store::register_connector(
        &mut tx,
        &new.connector,
        &manifest.connector.name,
        &manifest.connector.version,
        digest,
        now_ms,
    )
    .await?;
    let parent = match &new.parent {
        Some(key) => match store::find_alias(&mut tx, key).await? {
            Some((alias, None, connector)) if connector == new.connector => Some(alias),
            _ => return Err(ProfileError::Parent(key.chars().take(80).collect())),
        },
        None => store::root_alias(&mut tx, &new.connector).await?,
    };
    let number = numbers::next(&mut tx, Series::Profile).await?;
    let row = NewRow {
        id: &id,
        number: &number,
        name: &name,
        connector: &new.connector,
        alias: &alias,
        parent: parent.as_ref(),
        login_url: login_url.as_str(),
        settings: &settings,
        schedule_cron: schedule::DEFAULT_CRON,
        schedule_zone: schedule::DEFAULT_ZONE,
        by: &actor.id,
        now_ms,
    };
    store::insert(&mut tx, &row).await.map_err(|error| {
        if error.is_unique("name") {
            ProfileError::NameTaken(name.clone())
        } else {
            error.into()
        }
    })?;
    let credential = NewCredential {
        grant_kind: new.grant,
        client_id: new.client_id,
        client_secret: new.client_secret,
        refresh_token: new.refresh_token,
    };
    credentials::set(&mut tx, host, actor, &manifest, &alias, &credential).await?;
    let detail = json!({"number": number, "name": name, "connector": new.connector, "login_url": login_url.as_str(), "parent": parent.map(|p| p.to_string())});
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "profile.created",
            subject_kind: "profile",
            subject_id: id.as_str(),
            detail,
        },
    )
    .await?;
    tx.commit().await?;
    get(host, actor, id.as_str()).await
}

/// Every profile, by number.
///
/// # Errors
/// [`ProfileError::Denied`].
pub async fn list(host: &Host, actor: &Actor) -> Result<Vec<ProfileView>, ProfileError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read().await?;
    let mut views = Vec::new();
    for row in store::list(&mut tx).await? {
        views.push(view(&mut tx, row).await?);
    }
    Ok(views)
}

/// One profile, by id, number or name.
///
/// # Errors
/// [`ProfileError::NotFound`].
pub async fn get(host: &Host, actor: &Actor, key: &str) -> Result<ProfileView, ProfileError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read().await?;
    let row = need(&mut tx, key).await?;
    view(&mut tx, row).await
}

/// Runs every check of the connector as the real work would, and keeps the results.
///
/// # Errors
/// [`ProfileError::Vendor`] when the org cannot be reached at all.
pub async fn check(host: &Host, actor: &Actor, key: &str) -> Result<Vec<CheckView>, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let row = read(host, key).await?;
    let link = open(host, &row).await?;
    let checks = run_checks(&link).await?;
    let mut tx = host.store.begin().await?;
    store::put_checks(&mut tx, &row.id, &checks, host.now_ms()).await?;
    let failed: Vec<&str> = checks
        .iter()
        .filter(|c| c.verdict == "fail")
        .map(|c| c.id.as_str())
        .collect();
    let detail = json!({"checks": checks.len(), "failed": failed});
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "profile.checked",
            subject_kind: "profile",
            subject_id: row.id.as_str(),
            detail,
        },
    )
    .await?;
    tx.commit().await?;
    Ok(checks)
}

/// Checks, identifies the org, and sets the profile to run: the first run is due at once, the next by the schedule.
///
/// # Errors
/// [`ProfileError::Checks`], [`ProfileError::SameOrg`], [`ProfileError::Vendor`].
pub async fn publish(host: &Host, actor: &Actor, key: &str) -> Result<ProfileView, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let row = read(host, key).await?;
    row.state.after(ProfileEvent::Publish)?;
    let link = open(host, &row).await?;
    let told = link
        .identify()
        .await
        .map_err(|error| ProfileError::Vendor(link.explain(&error)))?;
    let link = link.remembering(told.memo.clone());
    let checks = run_checks(&link).await?;
    let failed: Vec<CheckView> = checks
        .iter()
        .filter(|c| c.is_mandatory && c.verdict == "fail")
        .cloned()
        .collect();
    let now_ms = host.now_ms();
    let mut tx = host.store.begin().await?;
    store::put_checks(&mut tx, &row.id, &checks, now_ms).await?;
    if !failed.is_empty() {
        tx.commit().await?;
        return Err(ProfileError::Checks(failed));
    }
    let mut row = need(&mut tx, row.id.as_str()).await?;
    let fresh = OrgId::mint(now_ms, &*host.chance);
    let organization = store::put_organization(
        &mut tx,
        &fresh,
        &row.connector,
        &told,
        environment(told.environment),
        now_ms,
    )
    .await?;
    if row
        .organization
        .as_ref()
        .is_some_and(|stored| *stored != organization)
    {
        return Err(ProfileError::OtherOrg { found: told.id });
    }
    if let Some((number, name)) = store::published_of(&mut tx, &organization).await? {
        return Err(ProfileError::SameOrg { number, name });
    }
    row.state = row.state.after(ProfileEvent::Publish)?;
    row.organization = Some(organization);
    store::save(&mut tx, &row, &actor.id, now_ms).await?;
    crate::sync::service::start_run(
        host,
        &mut tx,
        actor,
        StartRun {
            profile: &row.id,
            kind: RunKind::Full,
            trigger: "publish",
        },
    )
    .await?;
    plan_next(host, &mut tx, &row, now_ms).await?;
    let detail =
        json!({"org": told.id, "name": told.name, "environment": environment(told.environment)});
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "profile.published",
            subject_kind: "profile",
            subject_id: row.id.as_str(),
            detail,
        },
    )
    .await?;
    tx.commit().await?;
    get(host, actor, row.id.as_str()).await
}

/// Starts a full run now, or names the one at work.
///
/// # Errors
/// [`ProfileError::Sync`] for a profile that is not published.
pub async fn collect_now(
    host: &Host,
    actor: &Actor,
    key: &str,
) -> Result<crate::kernel::RunId, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let mut tx = host.store.begin().await?;
    let row = need(&mut tx, key).await?;
    let run = crate::sync::service::start_run(
        host,
        &mut tx,
        actor,
        StartRun {
            profile: &row.id,
            kind: RunKind::Full,
            trigger: "collect_now",
        },
    )
    .await?;
    tx.commit().await?;
    Ok(run)
}

/// Starts the run that the schedule asked for, and plans the next. Called by the worker; a paused profile is left alone.
///
/// # Errors
/// The database's own, and [`ProfileError::NotFound`] for a profile that is gone.
pub async fn scheduled(host: &Host, profile: &str) -> Result<Option<i64>, ProfileError> {
    let actor = Actor::system();
    let mut tx = host.store.begin().await?;
    let row = need(&mut tx, profile).await?;
    if row.state != model::ProfileState::Published {
        return Ok(None);
    }
    crate::sync::service::start_run(
        host,
        &mut tx,
        &actor,
        StartRun {
            profile: &row.id,
            kind: RunKind::Full,
            trigger: "schedule",
        },
    )
    .await?;
    tx.commit().await?;
    Ok(Some(schedule::next_run(
        &row.schedule_cron,
        &row.schedule_zone,
        host.now_ms(),
    )?))
}

/// Pauses, resumes or archives.
///
/// # Errors
/// [`ProfileError::Fault`] when the event does not fit the state.
pub async fn change_state(
    host: &Host,
    actor: &Actor,
    key: &str,
    event: ProfileEvent,
) -> Result<ProfileView, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let now_ms = host.now_ms();
    let mut tx = host.store.begin().await?;
    let mut row = need(&mut tx, key).await?;
    let before = row.state;
    row.state = row.state.after(event)?;
    store::save(&mut tx, &row, &actor.id, now_ms).await?;
    if row.state == model::ProfileState::Published {
        plan_next(host, &mut tx, &row, now_ms).await?;
    } else {
        crate::jobs::cancel(&mut tx, now_ms, &schedule_key(&row.id)).await?;
    }
    let detail = json!({"from": before.as_str(), "to": row.state.as_str()});
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "profile.state",
            subject_kind: "profile",
            subject_id: row.id.as_str(),
            detail,
        },
    )
    .await?;
    tx.commit().await?;
    get(host, actor, row.id.as_str()).await
}

/// Sets the schedule: five cron fields and a zone.
///
/// # Errors
/// [`ProfileError::Schedule`] naming the field.
pub async fn set_schedule(
    host: &Host,
    actor: &Actor,
    key: &str,
    cron: &str,
    zone: &str,
) -> Result<ProfileView, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let now_ms = host.now_ms();
    schedule::next_run(cron, zone, now_ms)?;
    let mut tx = host.store.begin().await?;
    let mut row = need(&mut tx, key).await?;
    let detail = json!({"from": [row.schedule_cron, row.schedule_zone], "to": [cron, zone]});
    cron.clone_into(&mut row.schedule_cron);
    zone.clone_into(&mut row.schedule_zone);
    store::save(&mut tx, &row, &actor.id, now_ms).await?;
    if row.state == model::ProfileState::Published {
        crate::jobs::cancel(&mut tx, now_ms, &schedule_key(&row.id)).await?;
        plan_next(host, &mut tx, &row, now_ms).await?;
    }
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "profile.schedule",
            subject_kind: "profile",
            subject_id: row.id.as_str(),
            detail,
        },
    )
    .await?;
    tx.commit().await?;
    get(host, actor, row.id.as_str()).await
}

/// Sets the write mode. Going live is a decision of its own: the checks that serve reclaim must have passed.
///
/// # Errors
/// [`ProfileError::Checks`] when a check that serves reclaim has not passed.
pub async fn set_write_mode(
    host: &Host,
    actor: &Actor,
    key: &str,
    mode: WriteMode,
) -> Result<ProfileView, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    if mode == WriteMode::Live {
        let failed: Vec<CheckView> = check(host, actor, key)
            .await?
            .into_iter()
            .filter(|c| {
                (c.is_mandatory || c.serves.iter().any(|process| process == "reclaim"))
                    && c.verdict == "fail"
            })
            .collect();
        if !failed.is_empty() {
            return Err(ProfileError::Checks(failed));
        }
    }
    let now_ms = host.now_ms();
    let mut tx = host.store.begin().await?;
    let mut row = need(&mut tx, key).await?;
    let detail = json!({"from": row.write_mode.as_str(), "to": mode.as_str()});
    row.write_mode = mode;
    store::save(&mut tx, &row, &actor.id, now_ms).await?;
    if let Some(organization) = &row.organization {
        acting::wake_reclaim(host, &mut tx, organization).await?;
    }
    host.audit(
        &mut tx,
        actor,
        Entry {
            event: "profile.write_mode",
            subject_kind: "profile",
            subject_id: row.id.as_str(),
            detail,
        },
    )
    .await?;
    tx.commit().await?;
    get(host, actor, row.id.as_str()).await
}

/// A link to a profile's org, for a run or a reclaim.
///
/// # Errors
/// [`ProfileError::NotFound`], [`ProfileError::Connector`].
pub async fn link(
    host: &Host,
    profile: &ProfileId,
) -> Result<(OrgLink, Option<OrgId>, i64), ProfileError> {
    let row = read(host, profile.as_str()).await?;
    Ok((open(host, &row).await?, row.organization, row.quota_percent))
}

/// Stores the budget as a connector told it.
///
/// # Errors
/// The database's own.
pub async fn note_usage(
    host: &Host,
    organization: &OrgId,
    used: i64,
    limit: i64,
) -> Result<(), StoreError> {
    let mut tx = host.store.begin().await?;
    store::note_usage(&mut tx, organization, used, limit, host.now_ms()).await?;
    tx.commit().await
}

/// The words of the contract for an environment.
#[must_use]
pub fn environment(environment: Environment) -> &'static str {
    match environment {
        Environment::Production => "production",
        Environment::Sandbox => "sandbox",
        Environment::Trial => "trial",
        Environment::Unknown => "unknown",
    }
}

fn schedule_key(profile: &ProfileId) -> String {
    format!("schedule:{profile}")
}

async fn plan_next(
    host: &Host,
    tx: &mut Tx,
    row: &ProfileRow,
    now_ms: i64,
) -> Result<(), ProfileError> {
    let job = NewJob {
        kind: JobKind::Schedule,
        organization: row.organization.clone(),
        key: schedule_key(&row.id),
        subject: row.id.to_string(),
        due_at: schedule::next_run(&row.schedule_cron, &row.schedule_zone, now_ms)?,
        payload: Value::Null,
    };
    host.wake(tx, &job).await?;
    Ok(())
}

async fn need(tx: &mut Tx, key: &str) -> Result<ProfileRow, ProfileError> {
    store::find(tx, key)
        .await?
        .ok_or_else(|| ProfileError::NotFound(key.chars().take(80).collect()))
}

async fn read(host: &Host, key: &str) -> Result<ProfileRow, ProfileError> {
    let mut tx = host.store.read().await?;
    need(&mut tx, key).await
}

async fn view(tx: &mut Tx, row: ProfileRow) -> Result<ProfileView, ProfileError> {
    let credential = credentials::service::find(tx, &row.alias).await?;
    let checks = store::list_checks(tx, &row.id).await?;
    let mut attention: Vec<String> = serde_json::from_str(&row.attention).unwrap_or_default();
    if credential
        .as_ref()
        .is_some_and(|credential| credential.health == "needs_sign_in")
    {
        attention.push("needs_sign_in".to_owned());
    }
    Ok(ProfileView {
        id: row.id,
        number: row.number,
        name: row.name,
        connector: row.connector,
        alias: row.alias_name,
        parent_alias: row.parent_alias_name,
        login_url: row.login_url,
        organization: row.organization_name,
        environment: row.environment,
        state: row.state.as_str(),
        write_mode: row.write_mode.as_str(),
        attention,
        schedule: row.schedule_cron,
        zone: row.schedule_zone,
        next_run_at: row.next_run_at,
        quota_used: row.quota_used,
        quota_limit: row.quota_limit,
        quota_percent: row.quota_percent,
        credential,
        settings: serde_json::from_str(&row.settings).unwrap_or(Value::Null),
        checks,
        created_by: row.created_by,
        changed_by: row.changed_by,
    })
}

async fn open(host: &Host, row: &ProfileRow) -> Result<OrgLink, ProfileError> {
    let manifest: Arc<Manifest> = host.connectors.manifest(&row.connector)?;
    let login_url = model::login_url(&row.login_url)?;
    let granted_scopes = {
        let mut tx = host.store.read().await?;
        credentials::service::find(&mut tx, &row.alias)
            .await?
            .map(|credential| credential.granted_scopes)
            .unwrap_or_default()
    };
    let grants = credentials::grants(host, &row.alias, manifest, login_url);
    let wanted = Wanted {
        connector: row.connector.clone(),
        settings: row.settings.clone(),
        granted_scopes,
        memo: row.memo.clone(),
        grants,
        label: row.number.clone(),
    };
    Ok(link::open(host, wanted).await?)
}

async fn run_checks(link: &OrgLink) -> Result<Vec<CheckView>, ProfileError> {
    let vendor = |error| ProfileError::Vendor(link.explain(&error));
    let mut results = Vec::new();
    for info in link.checks().await.map_err(vendor)? {
        let began = Instant::now();
        let (verdict, evidence, fix) = match link.check(&info.id).await {
            Ok(result) => (verdict(result.verdict), result.evidence, result.fix),
            Err(error) => {
                let problem = link.explain(&error);
                ("fail", problem.message, Some(problem.fix.text))
            }
        };
        results.push(CheckView {
            id: info.id,
            title: info.title,
            serves: info
                .serves
                .iter()
                .map(|process| {
                    format!("{process:?}")
                        .to_lowercase()
                        .replace("process::", "")
                })
                .collect(),
            is_mandatory: info.mandatory,
            verdict: verdict.to_owned(),
            evidence,
            fix,
            took_ms: i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX),
        });
    }
    Ok(results)
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Warn => "warn",
        Verdict::Skipped => "skipped",
    }
}

/// Refuses a login address that the grant's hosts or the operator do not allow, before any secret is stored for it.
fn allowed(
    host: &Host,
    manifest: &Manifest,
    grant: &str,
    login_url: &Url,
) -> Result<(), ProfileError> {
    let narrower = manifest
        .grant(grant)
        .map(|grant| &grant.login_hosts)
        .filter(|hosts| !hosts.is_empty());
    let patterns = narrower.unwrap_or(&manifest.credential.login_hosts);
    host.connectors
        .client()
        .permits(patterns, login_url)
        .map_err(|failure| {
            ProfileError::Vendor(
                explain::failure(
                    manifest,
                    seatwise_runtime::manifest::ErrorPlace::Network,
                    &failure,
                )
                .at("login_url"),
            )
        })
}

/// Typed settings as the manifest's schema wants them, over its defaults.
fn settings(manifest: &Manifest, typed: &[(String, String)]) -> Result<String, ProfileError> {
    let mut values: Map<String, Value> = manifest.settings.defaults();
    for (name, text) in typed {
        if !manifest.settings.properties.contains_key(name) {
            let known: Vec<&str> = manifest
                .settings
                .properties
                .keys()
                .map(String::as_str)
                .collect();
            return Err(ProfileFault::Setting(format!(
                "there is no setting `{name}`; there are {}",
                known.join(", ")
            ))
            .into());
        }
        // A number, true, false or a list is written as JSON; everything else is text.
        let value = serde_json::from_str(text)
            .ok()
            .filter(|value: &Value| !value.is_object())
            .unwrap_or_else(|| Value::String(text.clone()));
        values.insert(name.clone(), value);
    }
    let values = Value::Object(values);
    let schema = manifest.settings.json_schema();
    let check = jsonschema::validator_for(&schema).map_err(|error| {
        ProfileFault::Setting(format!("the connector's settings schema is wrong: {error}"))
    })?;
    if let Some(error) = check.iter_errors(&values).next() {
        return Err(
            ProfileFault::Setting(format!("setting {}: {error}", error.instance_path())).into(),
        );
    }
    Ok(values.to_string())
}
