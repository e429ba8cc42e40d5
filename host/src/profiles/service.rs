//! Use cases of profiles; one transaction each. Making a draft, and what asks the vendor, stand beside.

use serde::Serialize;
use serde_json::{Value, json};

use super::acting;
use super::ending;
use super::imported;
use super::model::{self, ProfileEvent, WriteMode};
use super::playbook::repeat::in_words;
use super::playbook::service::{effective, inherit};
use super::preflight::{self, Need};
use super::schedule;
use super::store::{self, ProfileRow};
use crate::aliases::Origin;
use crate::aliases::model::Schedule;
use crate::aliases::service::{self as aliases, AliasView};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::credentials::{self, CredentialView};
use crate::identity::roles::{Actor, Permission};
use crate::jobs::{JobKind, NewJob};
use crate::kernel::{OrgId, ProfileId};
use crate::store::Tx;
use crate::sync::{RunKind, StartRun};

pub use super::connect::{check, environment, link, note_usage, publish};
pub use super::draft::{NewProfile, create};
pub use super::error::ProfileError;
pub use super::store::CheckView;

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
    /// Files bring its rows: there is no vendor to ask, and no connection.
    pub is_imported: bool,
    /// Its alias.
    pub alias: String,
    /// The parent, for a child alias.
    pub parent_alias: Option<String>,
    /// Where it signs in.
    pub login_url: String,
    /// The connected org, once published.
    pub organization: Option<String>,
    /// Its id.
    pub organization_id: Option<OrgId>,
    /// Production or sandbox, as the vendor says.
    pub environment: Option<String>,
    /// Draft, published, paused, archived.
    pub state: &'static str,
    /// Off, dry run, live.
    pub write_mode: &'static str,
    /// Reasons that need a person.
    pub attention: Vec<String>,
    /// The same, each with what was found and what to do.
    pub needs: Vec<Need>,
    /// Cron expression.
    pub schedule: String,
    /// Its zone.
    pub zone: String,
    /// Both in words.
    pub schedule_in_words: String,
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

/// Every profile, by number.
///
/// # Errors
/// [`ProfileError::Denied`].
pub async fn list(host: &Host, actor: &Actor) -> Result<Vec<ProfileView>, ProfileError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
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
    let mut tx = host.store.read(&actor.sight).await?;
    let row = need(&mut tx, key).await?;
    view(&mut tx, row).await
}

/// An alias with what its profile adds: the address, org and secret that are never taken over.
#[derive(Clone, Debug, Serialize)]
pub struct AliasLine {
    /// The alias.
    pub alias: AliasView,
    /// Number of its profile.
    pub number: String,
    /// Draft, published, paused, archived.
    pub state: &'static str,
    /// Further profiles that use it, each with its state.
    pub others: Vec<(String, &'static str)>,
    /// Where it signs in.
    pub login_url: String,
    /// The connected org.
    pub organization: Option<String>,
    /// What may be shown of its secret.
    pub secret: Option<String>,
    /// Settings that are taken over: title, value, where from.
    pub settings: Vec<(String, String, Origin)>,
}

/// All aliases, each parent followed by its children.
///
/// # Errors
/// [`ProfileError::Denied`].
pub async fn list_aliases(host: &Host, actor: &Actor) -> Result<Vec<AliasLine>, ProfileError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let rows = store::list(&mut tx).await?;
    let mut lines = Vec::new();
    for alias in aliases::list(&mut tx).await? {
        // A source without a connector has nothing that could be taken over.
        if imported::is_imported(&alias.connector) {
            continue;
        }
        // The live profile of an alias speaks for it, else its newest.
        let of_alias = || rows.iter().rev().filter(|row| row.alias == alias.id);
        let live = of_alias().find(|row| row.state.is_live());
        let Some(row) = live.or_else(|| of_alias().next()) else {
            continue;
        };
        let credential = credentials::service::find(&mut tx, &alias.id).await?;
        let manifest = host.connectors.manifest(&alias.connector)?;
        let settings = manifest
            .settings
            .properties
            .iter()
            .filter(|(_, property)| property.inherited)
            .map(|(name, property)| {
                let set = alias.effective.settings.get(name);
                let value = set
                    .map(|set| set.value.clone())
                    .or_else(|| property.default.clone());
                let said = match value {
                    Some(Value::String(text)) if text.is_empty() => "empty".to_owned(),
                    Some(Value::String(text)) => text,
                    other => other.map_or_else(String::new, |value| value.to_string()),
                };
                let origin = set.map_or(Origin::Default, |set| set.origin);
                (property.title.clone(), said, origin)
            })
            .collect();
        lines.push(AliasLine {
            others: of_alias()
                .filter(|other| other.id != row.id)
                .map(|other| (other.number.clone(), other.state.as_str()))
                .collect(),
            number: row.number.clone(),
            state: row.state.as_str(),
            login_url: row.login_url.clone(),
            organization: row.organization_name.clone(),
            secret: credential.map(|credential| {
                credential
                    .client_secret_ends_in
                    .map_or_else(|| "stored".to_owned(), |ends| format!("ends in {ends}"))
            }),
            settings,
            alias,
        });
    }
    Ok(lines)
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
    needs_connector(&row)?;
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
    let kind = crate::sync::service::kind_due(host, &mut tx, &row.id).await?;
    crate::sync::service::start_run(
        host,
        &mut tx,
        &actor,
        StartRun {
            profile: &row.id,
            kind,
            trigger: "schedule",
        },
    )
    .await?;
    tx.commit().await?;
    let mut tx = host.store.read_everything().await?;
    let holds = effective(&mut tx, &row.alias).await?.schedule.value;
    Ok(Some(schedule::next_free_run(&holds, host.now_ms())?))
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
    if event == ProfileEvent::Archive {
        // Its rows end with it; its own page does both.
        needs_connector(&row)?;
    }
    let before = row.state;
    row.state = row.state.after(event)?;
    store::save(&mut tx, &row, &actor.id, now_ms).await?;
    if row.state == model::ProfileState::Archived {
        ending::forget_secret(host, &mut tx, actor, &row, "the profile was archived").await?;
    }
    if row.state == model::ProfileState::Published && needs_connector(&row).is_ok() {
        plan_next(host, &mut tx, &row, now_ms).await?;
    } else {
        crate::jobs::cancel(&mut tx, now_ms, &schedule_key(&row.id)).await?;
    }
    if let Some(organization) = &row.organization {
        acting::wake_reclaim(host, &mut tx, organization).await?;
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
    let row = need(&mut tx, key).await?;
    needs_connector(&row)?;
    let detail = json!({"from": [row.schedule_cron, row.schedule_zone], "to": [cron, zone]});
    let before = effective(&mut tx, &row.alias).await?.schedule.value;
    inherit(host, &mut tx, &row.alias, |own| {
        own.schedule = Some(Schedule {
            cron: cron.to_owned(),
            zone: zone.to_owned(),
            freeze_days: before.freeze_days,
        });
    })
    .await?;
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
    needs_connector(&row)?;
    let detail = json!({"from": row.write_mode.as_str(), "to": mode.as_str()});
    row.write_mode = mode;
    store::save(&mut tx, &row, &actor.id, now_ms).await?;
    preflight::settle(host, &mut tx, &row, actor).await?;
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

fn schedule_key(profile: &ProfileId) -> String {
    format!("schedule:{profile}")
}

/// Plans the next run of a published profile by what holds now.
pub(super) async fn plan_anew(
    host: &Host,
    tx: &mut Tx,
    row: &ProfileRow,
    now_ms: i64,
) -> Result<(), ProfileError> {
    crate::jobs::cancel(tx, now_ms, &schedule_key(&row.id)).await?;
    plan_next(host, tx, row, now_ms).await
}

pub(super) async fn plan_next(
    host: &Host,
    tx: &mut Tx,
    row: &ProfileRow,
    now_ms: i64,
) -> Result<(), ProfileError> {
    let holds = effective(tx, &row.alias).await?.schedule.value;
    let job = NewJob {
        kind: JobKind::Schedule,
        organization: row.organization.clone(),
        key: schedule_key(&row.id),
        subject: row.id.to_string(),
        due_at: schedule::next_free_run(&holds, now_ms)?,
        payload: Value::Null,
    };
    host.wake(tx, &job).await?;
    Ok(())
}

/// Refuses what only a vendor could do, for a source without a connector.
pub(super) fn needs_connector(row: &ProfileRow) -> Result<(), ProfileError> {
    if imported::is_imported(&row.connector) {
        return Err(ProfileError::Imported(row.number.clone()));
    }
    Ok(())
}

pub(super) async fn need(tx: &mut Tx, key: &str) -> Result<ProfileRow, ProfileError> {
    store::find(tx, key)
        .await?
        .ok_or_else(|| ProfileError::NotFound(key.chars().take(80).collect()))
}

pub(super) async fn read(host: &Host, key: &str) -> Result<ProfileRow, ProfileError> {
    let mut tx = host.store.read_everything().await?;
    need(&mut tx, key).await
}

async fn view(tx: &mut Tx, row: ProfileRow) -> Result<ProfileView, ProfileError> {
    let credential = credentials::service::find(tx, &row.alias).await?;
    let checks = store::list_checks(tx, &row.id).await?;
    let mut needs = preflight::needs(row.state, row.write_mode, &checks);
    if let Some(credential) = credential
        .as_ref()
        .filter(|credential| credential.health == "needs_sign_in")
    {
        needs.push(Need {
            code: "needs_sign_in",
            title: "Somebody must sign in again".to_owned(),
            says: credential.health_detail.clone().unwrap_or_default(),
            fix: Some("Connect it again, on its page Connection".to_owned()),
            stops: "Nothing is downloaded and nothing is taken back until then",
        });
    }
    let mut attention: Vec<String> = needs.iter().map(|need| need.code.to_owned()).collect();
    attention.dedup();
    Ok(ProfileView {
        id: row.id,
        number: row.number,
        name: row.name,
        is_imported: imported::is_imported(&row.connector),
        connector: row.connector,
        alias: row.alias_name,
        parent_alias: row.parent_alias_name,
        login_url: row.login_url,
        organization: row.organization_name,
        organization_id: row.organization,
        environment: row.environment,
        state: row.state.as_str(),
        write_mode: row.write_mode.as_str(),
        attention,
        needs,
        schedule_in_words: in_words(&row.schedule_cron, &row.schedule_zone),
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
