//! The checks one by one: put up as a list at once, run behind the page, each verdict written as it comes.
//!
//! The first check is the host's own: whether the org is the one that was meant. When nobody can sign in, the rest is skipped.

use std::time::Instant;

use seatwise_runtime::contract::connection::{CheckInfo, Organization};
use serde_json::json;

use super::model::Answers;
use super::service::{Found, Pool};
use super::{save, store};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::connectors::link::OrgLink;
use crate::identity::roles::{Actor, Permission};
use crate::jobs::{JobKind, NewJob};
use crate::kernel::ProfileId;
use crate::profiles::CheckView;
use crate::profiles::connect::{environment, open, run_check, served};
use crate::profiles::error::ProfileError;
use crate::profiles::preflight;
use crate::profiles::service::read;
use crate::profiles::store::{self as profiles, ProfileRow};

/// Id of the host's own check.
pub const ORG_CHECK: &str = "right-org";
/// Checks without progress for so long belong to a host that ended; they are taken up by another one, or by its next start.
pub const ABANDONED_MS: i64 = 120_000;

/// Puts the checks up and lets them run; answers at once. While some are running, those go on.
///
/// # Errors
/// [`ProfileError::Fault`] before there is an address to sign in at.
pub async fn start(host: &Host, actor: &Actor, key: &str) -> Result<(), ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let row = ready(host, key).await?;
    if are_running(host, &row).await? {
        return Ok(());
    }
    let link = open(host, &row).await?;
    let infos = link
        .checks()
        .await
        .map_err(|error| ProfileError::Vendor(link.explain(&error)))?;
    let mut rows = vec![CheckView {
        id: ORG_CHECK.to_owned(),
        title: "The org is the one you mean".to_owned(),
        serves: Vec::new(),
        is_mandatory: true,
        verdict: "running".to_owned(),
        evidence: String::new(),
        fix: None,
        took_ms: 0,
    }];
    rows.extend(infos.iter().map(|info| CheckView {
        id: info.id.clone(),
        title: info.title.clone(),
        serves: served(info),
        is_mandatory: info.mandatory,
        verdict: "waiting".to_owned(),
        evidence: String::new(),
        fix: None,
        took_ms: 0,
    }));
    let mut tx = host.store.begin().await?;
    profiles::put_checks(&mut tx, &row.id, &rows, host.now_ms()).await?;
    let entry = Entry {
        event: "profile.checks_started",
        subject_kind: "profile",
        subject_id: row.id.as_str(),
        detail: json!({"checks": rows.len()}),
    };
    host.audit(&mut tx, actor, entry).await?;
    let job = NewJob {
        kind: JobKind::Checks,
        organization: row.organization.clone(),
        key: job_key(&row.id),
        subject: row.id.to_string(),
        due_at: host.now_ms() + ABANDONED_MS,
        payload: serde_json::Value::Null,
    };
    host.wake(&mut tx, &job).await?;
    tx.commit().await?;
    let (host, actor, busy) = (host.clone(), actor.clone(), host.stop.busy());
    tokio::spawn(async move {
        let _busy = busy;
        if let Err(error) = all(&host, &actor, &row, link, &infos).await {
            tracing::error!(profile.number = %row.number, error = %error, "the checks of {} could not be finished", row.number);
        }
    });
    Ok(())
}

fn job_key(profile: &ProfileId) -> String {
    format!("checks:{profile}")
}

/// Makes checks anew that no host is at any more. Called by the worker; answers when to look again.
///
/// # Errors
/// [`ProfileError`] when the org cannot be asked.
pub async fn take_up(host: &Host, profile: &str) -> Result<Option<i64>, ProfileError> {
    let mut tx = host.store.read_everything().await?;
    let Some(row) = profiles::find(&mut tx, profile).await? else {
        return Ok(None);
    };
    let Some(since) = store::unfinished_since(&mut tx, &row.id).await? else {
        return Ok(None);
    };
    drop(tx);
    if host.now_ms() - since < ABANDONED_MS {
        return Ok(Some(since + ABANDONED_MS));
    }
    let link = open(host, &row).await?;
    let infos = link
        .checks()
        .await
        .map_err(|error| ProfileError::Vendor(link.explain(&error)))?;
    all(host, &Actor::system(), &row, link, &infos).await?;
    Ok(None)
}

/// Runs one check again; answers when it has its verdict.
///
/// # Errors
/// [`ProfileError::NoTask`] for a check that there is not.
pub async fn retry(host: &Host, actor: &Actor, key: &str, check: &str) -> Result<(), ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let row = ready(host, key).await?;
    let mut tx = host.store.read(&actor.sight).await?;
    let known = profiles::list_checks(&mut tx, &row.id).await?;
    drop(tx);
    let before = known
        .into_iter()
        .find(|known| known.id == check)
        .ok_or_else(|| ProfileError::NoTask(check.chars().take(64).collect()))?;
    let mut link = open(host, &row).await?;
    let began = Instant::now();
    let (told, judged) = org(host, &row, &link).await?;
    let mut after = CheckView {
        took_ms: elapsed(began),
        ..judged
    };
    if check != ORG_CHECK {
        if let Some(told) = told {
            link = link.remembering(told.memo);
        }
        let result = run_check(&link, check).await;
        after = CheckView {
            verdict: result.verdict,
            evidence: result.evidence,
            fix: result.fix,
            took_ms: result.took_ms,
            ..before
        };
    }
    let mut tx = host.store.begin().await?;
    store::put_verdict(&mut tx, &row.id, &after, host.now_ms()).await?;
    preflight::settle(host, &mut tx, &row, actor).await?;
    let entry = Entry {
        event: "profile.check_retried",
        subject_kind: "profile",
        subject_id: row.id.as_str(),
        detail: json!({"check": check, "verdict": after.verdict}),
    };
    host.audit(&mut tx, actor, entry).await?;
    Ok(tx.commit().await?)
}

async fn ready(host: &Host, key: &str) -> Result<ProfileRow, ProfileError> {
    let row = read(host, key).await?;
    if row.login_url.is_empty() {
        return Err(save::no_address().into());
    }
    Ok(row)
}

async fn are_running(host: &Host, row: &ProfileRow) -> Result<bool, ProfileError> {
    let mut tx = host.store.read_everything().await?;
    let since = store::unfinished_since(&mut tx, &row.id).await?;
    Ok(since.is_some_and(|since| host.now_ms() - since < ABANDONED_MS))
}

fn elapsed(began: Instant) -> i64 {
    i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX)
}

async fn put(host: &Host, profile: &ProfileId, check: &CheckView) -> Result<(), ProfileError> {
    let mut tx = host.store.begin().await?;
    store::put_verdict(&mut tx, profile, check, host.now_ms()).await?;
    Ok(tx.commit().await?)
}

async fn all(
    host: &Host,
    actor: &Actor,
    row: &ProfileRow,
    link: OrgLink,
    infos: &[CheckInfo],
) -> Result<(), ProfileError> {
    let began = Instant::now();
    let (told, judged) = org(host, row, &link).await?;
    let judged = CheckView {
        took_ms: elapsed(began),
        ..judged
    };
    put(host, &row.id, &judged).await?;
    // The scopes of the token that was just got belong to what the rest is told.
    let mut link = open(host, row).await?;
    let is_in = told.is_some();
    if let Some(told) = told {
        link = link.remembering(told.memo.clone());
        let found = found(host, &link, told).await;
        let mut tx = host.store.begin().await?;
        store::put_found(&mut tx, &row.id, &found).await?;
        tx.commit().await?;
    }
    for info in infos {
        let mut check = CheckView {
            id: info.id.clone(),
            title: info.title.clone(),
            serves: served(info),
            is_mandatory: info.mandatory,
            verdict: "skipped".to_owned(),
            evidence: "Not run: nobody could sign in".to_owned(),
            fix: None,
            took_ms: 0,
        };
        if is_in {
            check.verdict = "running".to_owned();
            check.evidence = String::new();
            put(host, &row.id, &check).await?;
            let result = run_check(&link, &info.id).await;
            (check.verdict, check.evidence, check.fix, check.took_ms) =
                (result.verdict, result.evidence, result.fix, result.took_ms);
        }
        put(host, &row.id, &check).await?;
    }
    let mut tx = host.store.begin().await?;
    if let Some(row) = profiles::find(&mut tx, row.id.as_str()).await? {
        preflight::settle(host, &mut tx, &row, actor).await?;
    }
    crate::jobs::cancel(&mut tx, host.now_ms(), &job_key(&row.id)).await?;
    Ok(tx.commit().await?)
}

/// The host's own check: who the org is, whether it is of the kind that was chosen, and whether it is connected already.
async fn org(
    host: &Host,
    row: &ProfileRow,
    link: &OrgLink,
) -> Result<(Option<Organization>, CheckView), ProfileError> {
    let mut check = CheckView {
        id: ORG_CHECK.to_owned(),
        title: String::new(),
        serves: Vec::new(),
        is_mandatory: true,
        verdict: "pass".to_owned(),
        evidence: String::new(),
        fix: None,
        took_ms: 0,
    };
    let told = match link.identify().await {
        Ok(told) => told,
        Err(error) => {
            let problem = link.explain(&error);
            check.verdict = "fail".to_owned();
            check.evidence = problem.message;
            check.fix = Some(problem.fix.text);
            return Ok((None, check));
        }
    };
    let kind = environment(told.environment);
    check.evidence = format!(
        "{} ({}), {}, {kind}",
        told.name,
        told.id,
        told.edition.as_deref().unwrap_or("edition not told")
    );
    let chosen = Answers::parse(&row.answers).environment;
    let mut tx = host.store.read_everything().await?;
    let other = store::published_of_vendor_org(&mut tx, &row.connector, &told.id, &row.id).await?;
    if let Some((number, name)) = other {
        check.verdict = "fail".to_owned();
        check.evidence = format!(
            "{} is connected already, by {number} {name}",
            check.evidence
        );
        check.fix = Some(format!(
            "Sign in to another org here, or use {number}, or archive it first"
        ));
    } else if !fits(chosen.as_deref(), kind) {
        check.verdict = "fail".to_owned();
        check.fix = Some(format!(
            "You chose {}. Choose {kind} in the task Name and owner, or sign in to the org you mean",
            chosen.unwrap_or_default()
        ));
    }
    Ok((Some(told), check))
}

/// Whether an org is of the kind that was chosen. A trial counts as production, and so does what the vendor does not tell.
#[must_use]
pub fn fits(chosen: Option<&str>, kind: &str) -> bool {
    chosen.is_none_or(|chosen| (chosen == "sandbox") == (kind == "sandbox"))
}

async fn found(host: &Host, link: &OrgLink, told: Organization) -> Found {
    let number = |n: Option<u64>| n.and_then(|n| i64::try_from(n).ok());
    // A connector without this process, or a right that is missing, has a check of its own; here it only means no list.
    let page = link.download_consumption(None).await.ok();
    let quota = page.as_ref().and_then(|page| page.usage).map(|usage| {
        (
            i64::try_from(usage.used).unwrap_or(i64::MAX),
            i64::try_from(usage.limit).unwrap_or(i64::MAX),
        )
    });
    let pools = page
        .map(|page| page.pools)
        .unwrap_or_default()
        .into_iter()
        .map(|pool| Pool {
            identifier: pool.identifier,
            name: pool.label,
            owned: number(pool.owned),
            used: number(pool.used),
        })
        .collect();
    Found {
        vendor_org_id: told.id,
        name: told.name,
        environment: environment(told.environment).to_owned(),
        edition: told.edition,
        time_zone: told.time_zone,
        accounts: number(told.accounts),
        pools,
        quota,
        read_at: host.now_ms(),
    }
}
