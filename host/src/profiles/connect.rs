//! The org behind a profile: the link to it, the checks, publishing once they pass. Vendor calls are never made inside a transaction.

use std::sync::Arc;
use std::time::Instant;

use seatwise_runtime::Manifest;
use seatwise_runtime::contract::connection::{CheckInfo, Environment, Verdict};
use serde_json::json;

use super::error::ProfileError;
use super::model::{self, ProfileEvent};
use super::playbook::Answers;
use super::playbook::checks::fits;
use super::preflight;
use super::service::{ProfileView, get, need, needs_connector, plan_next, read};
use super::store::{self, CheckView, ProfileRow};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::connections;
use crate::connectors::link::{self, OrgLink, Wanted};
use crate::credentials;
use crate::identity::roles::{Actor, Permission};
use crate::kernel::{OrgId, ProfileId};
use crate::store::StoreError;
use crate::sync::{RunKind, StartRun};

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
    let row = need(&mut tx, row.id.as_str()).await?;
    store::put_checks(&mut tx, &row.id, &checks, host.now_ms()).await?;
    preflight::settle(host, &mut tx, &row, actor).await?;
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
    let chosen = Answers::parse(&row.answers).environment;
    if !fits(chosen.as_deref(), environment(told.environment)) {
        return Err(ProfileError::Environment {
            chosen: chosen.unwrap_or_default(),
            found: environment(told.environment).to_owned(),
        });
    }
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

pub(super) async fn open(host: &Host, row: &ProfileRow) -> Result<OrgLink, ProfileError> {
    needs_connector(row)?;
    let manifest: Arc<Manifest> = host.connectors.manifest(&row.connector)?;
    let login_url = model::login_url(&row.login_url)?;
    let (granted_scopes, way) = {
        let mut tx = host.store.read_everything().await?;
        let scopes = credentials::service::find(&mut tx, &row.alias)
            .await?
            .map(|credential| credential.granted_scopes)
            .unwrap_or_default();
        (
            scopes,
            connections::way_out(host, &mut tx, &row.alias).await?,
        )
    };
    let grants = credentials::grants(host, &row.alias, manifest, login_url);
    let wanted = Wanted {
        connector: row.connector.clone(),
        settings: row.settings.clone(),
        granted_scopes,
        memo: row.memo.clone(),
        grants,
        way,
        label: row.number.clone(),
    };
    Ok(link::open(host, wanted).await?)
}

async fn run_checks(link: &OrgLink) -> Result<Vec<CheckView>, ProfileError> {
    let vendor = |error| ProfileError::Vendor(link.explain(&error));
    let mut results = Vec::new();
    for info in link.checks().await.map_err(vendor)? {
        let judged = run_check(link, &info.id).await;
        results.push(CheckView {
            serves: served(&info),
            id: info.id,
            title: info.title,
            is_mandatory: info.mandatory,
            verdict: judged.verdict,
            evidence: judged.evidence,
            fix: judged.fix,
            took_ms: judged.took_ms,
        });
    }
    Ok(results)
}

/// What one check came to.
pub(super) struct Judged {
    pub(super) verdict: String,
    pub(super) evidence: String,
    pub(super) fix: Option<String>,
    pub(super) took_ms: i64,
}

/// Runs one check; that it could not run is a failure with its own fix.
pub(super) async fn run_check(link: &OrgLink, id: &str) -> Judged {
    let began = Instant::now();
    let (verdict, evidence, fix) = match link.check(id).await {
        Ok(result) => (verdict(result.verdict), result.evidence, result.fix),
        Err(error) => {
            let problem = link.explain(&error);
            ("fail", problem.message, Some(problem.fix.text))
        }
    };
    Judged {
        verdict: verdict.to_owned(),
        evidence,
        fix,
        took_ms: i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX),
    }
}

/// The processes that a check serves, in the manifest's words.
pub(super) fn served(info: &CheckInfo) -> Vec<String> {
    info.serves
        .iter()
        .map(|process| {
            format!("{process:?}")
                .to_lowercase()
                .replace("process::", "")
        })
        .collect()
}

/// The stored word of a verdict.
pub(super) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Warn => "warn",
        Verdict::Skipped => "skipped",
    }
}
