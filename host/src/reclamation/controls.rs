//! Exemptions, the switch that stops every reclaim, and days on which nothing is taken back.

use serde_json::json;

use super::candidate::{Event, State};
use super::life::{self, Note};
use super::model::{ControlsView, ExemptionView};
use super::rule::FieldError;
use super::store::candidates::{self, OfPrincipal};
use super::store::controls as store;
use super::{ReclamationError, not_found, reason};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Permission};
use crate::kernel::{Day, ExemptionId, OrgId};
use crate::profiles::acting;
use crate::store::Tx;

/// Name of the switch.
const STOP: &str = "stop";
/// Name of the list of days.
const FREEZE_DAYS: &str = "freeze_days";
/// Kinds of exemptions.
pub const KINDS: [&str; 4] = ["vip", "service_account", "leave", "other"];
/// Most freeze days.
const MOST_DAYS: usize = 400;

/// Who is never named by a rule.
#[derive(Clone, Debug)]
pub struct NewExemption {
    /// Only there; `None`: everywhere.
    pub organization: Option<OrgId>,
    /// User principal name.
    pub principal: String,
    /// One of [`KINDS`].
    pub kind: String,
    /// Why.
    pub reason: String,
    /// Until when, milliseconds UTC.
    pub until: Option<i64>,
}

/// Exempts somebody from every rule. Open candidates of theirs are closed, except those with a request under way.
///
/// # Errors
/// [`ReclamationError::Field`], [`ReclamationError::Reason`], [`ReclamationError::Denied`].
pub async fn add_exemption(
    host: &Host,
    actor: &Actor,
    new: NewExemption,
) -> Result<ExemptionView, ReclamationError> {
    actor.may(Permission::EditRules)?;
    let wrong = |field, why: &str| FieldError {
        field,
        why: why.to_owned(),
    };
    let principal = new.principal.trim().to_lowercase();
    if principal.is_empty() || principal.chars().count() > 320 {
        return Err(wrong("principal", "must be a user principal name").into());
    }
    if !KINDS.contains(&new.kind.as_str()) {
        return Err(wrong("kind", &format!("must be one of {}", KINDS.join(", "))).into());
    }
    let now_ms = host.now_ms();
    if new.until.is_some_and(|until| until <= now_ms) {
        return Err(wrong("until", "must lie in the future").into());
    }
    let view = ExemptionView {
        id: ExemptionId::mint(now_ms, &*host.chance),
        organization_id: new.organization,
        principal,
        kind: new.kind,
        reason: reason(&new.reason)?.to_owned(),
        until: new.until,
        created_by: actor.name.clone(),
        created_at: now_ms,
        ended_at: None,
    };
    let mut tx = host.store.begin().await?;
    store::insert_exemption(&mut tx, &view, actor.id.as_str()).await?;
    let open = candidates::open_of_principal(
        &mut tx,
        &OfPrincipal {
            principal: &view.principal,
            organization: view.organization_id.as_ref(),
        },
    )
    .await?;
    let closing = open
        .into_iter()
        .filter(|c| c.state.is_calm() && c.state != State::Reclaimed)
        .collect();
    let note = Note::because("exempt", format!("exempt: {}", view.reason));
    life::advance_all(host, &mut tx, actor, Event::RuleGone, closing, &note).await?;
    let entry = Entry {
        event: "exemption.added",
        subject_kind: "exemption",
        subject_id: view.id.as_str(),
        detail: json!({
            "principal": view.principal, "kind": view.kind, "reason": view.reason, "until": view.until,
            "organization": view.organization_id,
        }),
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await?;
    Ok(view)
}

/// All exemptions, those in force first.
///
/// # Errors
/// [`ReclamationError::Denied`].
pub async fn list_exemptions(
    host: &Host,
    actor: &Actor,
) -> Result<Vec<ExemptionView>, ReclamationError> {
    actor.may(Permission::Read)?;
    Ok(store::list_exemptions(&mut host.store.read(&actor.sight).await?).await?)
}

/// Ends an exemption; the next download may name the person again.
///
/// # Errors
/// [`ReclamationError::NotFound`] also for one that has ended, [`ReclamationError::Reason`], [`ReclamationError::Denied`].
pub async fn end_exemption(
    host: &Host,
    actor: &Actor,
    id: &str,
    why: &str,
) -> Result<ExemptionView, ReclamationError> {
    actor.may(Permission::EditRules)?;
    let why = reason(why)?;
    let exemption: ExemptionId = id.into();
    let mut tx = host.store.begin().await?;
    if !store::end_exemption(&mut tx, &exemption, host.now_ms()).await? {
        return Err(not_found("exemption", id));
    }
    let entry = Entry {
        event: "exemption.ended",
        subject_kind: "exemption",
        subject_id: id,
        detail: json!({ "reason": why }),
    };
    host.audit(&mut tx, actor, entry).await?;
    let view = store::list_exemptions(&mut tx)
        .await?
        .into_iter()
        .find(|it| it.id == exemption)
        .ok_or_else(|| not_found("exemption", id))?;
    tx.commit().await?;
    Ok(view)
}

/// The switch and the freeze days, in the caller's transaction.
pub(super) async fn read(tx: &mut Tx) -> Result<ControlsView, ReclamationError> {
    let mut view = ControlsView::default();
    if let Some(stop) = store::get(tx, STOP).await?
        && stop.value == "on"
    {
        view.is_stopped = true;
        view.stopped_reason = stop.reason;
        view.stopped_by = Some(stop.set_by);
        view.stopped_at = Some(stop.set_at);
    }
    if let Some(days) = store::get(tx, FREEZE_DAYS).await? {
        view.freeze_days = serde_json::from_str(&days.value).unwrap_or_default();
    }
    Ok(view)
}

/// The switch and the freeze days.
///
/// # Errors
/// [`ReclamationError::Denied`].
pub async fn get_controls(host: &Host, actor: &Actor) -> Result<ControlsView, ReclamationError> {
    actor.may(Permission::Read)?;
    read(&mut host.store.read(&actor.sight).await?).await
}

/// Why every reclaim is stopped, while it is: shown on every page.
///
/// # Errors
/// The database's own.
pub async fn stopped(host: &Host) -> Result<Option<String>, ReclamationError> {
    let view = read(&mut host.store.read_everything().await?).await?;
    Ok(view
        .is_stopped
        .then(|| view.stopped_reason.unwrap_or_default()))
}

async fn switch(
    host: &Host,
    actor: &Actor,
    name: &str,
    value: &str,
    why: &str,
    event: &str,
) -> Result<ControlsView, ReclamationError> {
    let mut tx = host.store.begin().await?;
    store::set(&mut tx, name, value, actor.id.as_str(), why, host.now_ms()).await?;
    let entry = Entry {
        event,
        subject_kind: "control",
        subject_id: name,
        detail: json!({ "value": value, "reason": why }),
    };
    host.audit(&mut tx, actor, entry).await?;
    for organization in candidates::organizations_with_open(&mut tx).await? {
        acting::wake_reclaim(host, &mut tx, &organization).await?;
    }
    let view = read(&mut tx).await?;
    tx.commit().await?;
    Ok(view)
}

/// Stops every request at every vendor, undo too, from the next one on.
///
/// # Errors
/// [`ReclamationError::Reason`], [`ReclamationError::Denied`].
pub async fn stop_reclaims(
    host: &Host,
    actor: &Actor,
    why: &str,
) -> Result<ControlsView, ReclamationError> {
    actor.may(Permission::StopReclaim)?;
    switch(host, actor, STOP, "on", reason(why)?, "reclaim.stopped").await
}

/// Lets requests go on.
///
/// # Errors
/// [`ReclamationError::Reason`], [`ReclamationError::Denied`].
pub async fn start_reclaims(
    host: &Host,
    actor: &Actor,
    why: &str,
) -> Result<ControlsView, ReclamationError> {
    actor.may(Permission::StopReclaim)?;
    switch(host, actor, STOP, "off", reason(why)?, "reclaim.started").await
}

/// Sets the UTC days on which nothing is taken back.
///
/// # Errors
/// [`ReclamationError::Field`] for what is no day, [`ReclamationError::Reason`], [`ReclamationError::Denied`].
pub async fn set_freeze_days(
    host: &Host,
    actor: &Actor,
    days: &[String],
    why: &str,
) -> Result<ControlsView, ReclamationError> {
    actor.may(Permission::EditRules)?;
    let why = reason(why)?;
    let wrong = |why: String| FieldError { field: "days", why };
    if days.len() > MOST_DAYS {
        return Err(wrong(format!("must be at most {MOST_DAYS}")).into());
    }
    let mut parsed = Vec::with_capacity(days.len());
    for day in days {
        let day: Day = day
            .trim()
            .parse()
            .map_err(|_| wrong(format!("has `{day}`, which is not a day like 2026-12-24")))?;
        parsed.push(day.to_string());
    }
    parsed.sort();
    parsed.dedup();
    let value = json!(parsed).to_string();
    switch(host, actor, FREEZE_DAYS, &value, why, "reclaim.freeze_days").await
}
