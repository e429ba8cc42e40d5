//! Saving one task: its version is compared, its effect written, its row and the audit entry with it, in one transaction.

use std::sync::Arc;

use seatwise_runtime::Manifest;
use serde_json::{Map, Value, json};

use super::model::{self, Answers, Price, Task};
use super::repeat::Repeat;
use super::service::{inherit, parent_answers};
use super::store::{self, NewTask};
use crate::aliases::model::Schedule;
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Permission};
use crate::identity::service as identity;
use crate::kernel::PrincipalId;
use crate::kernel::money::{Currency, UnitPrice};
use crate::profiles::draft::settings;
use crate::profiles::error::{AnswerFault, ProfileError};
use crate::profiles::model::{ProfileFault, ProfileState, name};
use crate::profiles::schedule;
use crate::profiles::service::need;
use crate::profiles::store::ProfileRow;
use crate::store::{StoreError, Tx};

/// What a save stands on.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// The version of the task that the form showed.
    Version(i64),
    /// A hand-over, by the hash of its token, which the save spends.
    HandOver(&'a str),
}

/// A save that has begun: nothing is written before [`Save::done`].
pub(super) struct Save<'a> {
    host: &'a Host,
    actor: &'a Actor,
    pub(super) tx: Tx,
    pub(super) row: ProfileRow,
    pub(super) manifest: Arc<Manifest>,
    task: &'a Task,
}

impl<'a> Save<'a> {
    pub(super) async fn begin(
        host: &'a Host,
        actor: &'a Actor,
        key: &str,
        task: &'a Task,
        seen: Seen<'_>,
    ) -> Result<Self, ProfileError> {
        actor.may(Permission::ManageProfiles)?;
        let mut tx = host.store.begin().await?;
        let row = need(&mut tx, key).await?;
        let manifest = host.connectors.manifest(&row.connector)?;
        let text = task.to_string();
        if model::find(&manifest, &text).is_none() {
            return Err(ProfileError::NoTask(text));
        }
        if row.state == ProfileState::Archived {
            return Err(ProfileError::Ended);
        }
        match seen {
            Seen::Version(seen) => {
                let stored = store::tasks(&mut tx, &row.id).await?;
                let at = stored.iter().find(|stored| stored.task == text);
                if let Some(stored) = at.filter(|stored| stored.version != seen) {
                    let by = PrincipalId::from(stored.saved_by.as_str());
                    let is_same = by == actor.id;
                    let name = identity::name_of(&mut tx, &by).await.ok().flatten();
                    return Err(ProfileError::Stale {
                        by: if is_same {
                            "you".to_owned()
                        } else {
                            name.unwrap_or_else(|| "somebody".to_owned())
                        },
                        at_ms: stored.saved_at,
                    });
                }
            }
            Seen::HandOver(hash) => {
                if !store::spend_hand_over(&mut tx, hash, host.now_ms()).await? {
                    return Err(ProfileError::HandOverSpent);
                }
            }
        }
        Ok(Self {
            host,
            actor,
            tx,
            row,
            manifest,
            task,
        })
    }

    fn answers(&self) -> Answers {
        Answers::parse(&self.row.answers)
    }

    async fn put_answers(&mut self, name: &str, answers: &Answers) -> Result<(), ProfileError> {
        let text = json!(answers).to_string();
        store::put_answers(
            &mut self.tx,
            &self.row.id,
            name,
            &text,
            &self.actor.id,
            self.host.now_ms(),
        )
        .await
        .map_err(|error| {
            if error.is_unique("name") {
                ProfileError::NameTaken(name.to_owned())
            } else {
                error.into()
            }
        })
    }

    /// Writes the task's row and the audit entry, old and new, and ends the transaction.
    pub(super) async fn done(
        mut self,
        state: &str,
        note: Option<&str>,
        (old, new): (Value, Value),
    ) -> Result<(), ProfileError> {
        let text = self.task.to_string();
        let task = NewTask {
            profile: &self.row.id,
            task: &text,
            state,
            note,
            by: &self.actor.id,
            now_ms: self.host.now_ms(),
        };
        store::put_task(&mut self.tx, &task).await?;
        // Whoever answers for what a rule stands on may not approve by it.
        store::touch(
            &mut self.tx,
            &self.row.id,
            &self.actor.id,
            self.host.now_ms(),
        )
        .await?;
        let page = format!("/profiles/{}/playbook/{text}", self.row.number);
        let entry = Entry {
            event: "profile.task_saved",
            subject_kind: "profile",
            subject_id: self.row.id.as_str(),
            detail: json!({"task": text, "page": page, "state": state, "from": old, "to": new}),
        };
        self.host.audit(&mut self.tx, self.actor, entry).await?;
        Ok(self.tx.commit().await?)
    }
}

/// Says of work at the vendor, or of a task whose defaults hold, that it is done, not needed, or to do again.
///
/// # Errors
/// [`ProfileError::Stale`], [`ProfileError::NoTask`].
pub async fn mark(
    host: &Host,
    actor: &Actor,
    key: &str,
    task: &Task,
    state: &str,
    seen: Seen<'_>,
) -> Result<(), ProfileError> {
    let can_be = match state {
        "done" => matches!(task, Task::Prepare(_)),
        "not_needed" | "to_do" => task.is_optional(),
        _ => false,
    };
    if !can_be {
        return Err(ProfileError::NoTask(format!("{task} as {state}")));
    }
    let mut save = Save::begin(host, actor, key, task, seen).await?;
    if state == "to_do" {
        store::forget_task(&mut save.tx, &save.row.id, &task.to_string()).await?;
        let entry = Entry {
            event: "profile.task_reopened",
            subject_kind: "profile",
            subject_id: save.row.id.as_str(),
            detail: json!({"task": task.to_string()}),
        };
        host.audit(&mut save.tx, actor, entry).await?;
        return Ok(save.tx.commit().await?);
    }
    save.done(state, None, (Value::Null, Value::Null)).await
}

/// Name, owner and kind of org.
#[derive(Clone, Debug, Default)]
pub struct ProfileAnswers {
    /// By the rule of names; unique.
    pub name: String,
    /// Principal id of who answers for it; empty: whoever saves.
    pub owner: String,
    /// `production` or `sandbox`.
    pub environment: String,
}

/// Saves the task *Name and owner*.
///
/// # Errors
/// [`ProfileError`] naming the field.
pub async fn save_profile(
    host: &Host,
    actor: &Actor,
    key: &str,
    typed: ProfileAnswers,
    seen: Seen<'_>,
) -> Result<(), ProfileError> {
    let mut save = Save::begin(host, actor, key, &Task::Profile, seen).await?;
    let chosen = name(typed.name.trim())?;
    let known = &save.manifest.playbook.environments;
    if !known.is_empty() && !known.iter().any(|kind| kind.id == typed.environment) {
        return Err(AnswerFault::Environment.into());
    }
    let owner = if typed.owner.is_empty() {
        actor.id.to_string()
    } else {
        typed.owner
    };
    let id = PrincipalId::from(owner.as_str());
    if identity::name_of(&mut save.tx, &id)
        .await
        .ok()
        .flatten()
        .is_none()
    {
        return Err(AnswerFault::Owner.into());
    }
    let old = save.answers();
    let new = Answers {
        owner: Some(owner),
        environment: Some(typed.environment).filter(|kind| !kind.is_empty()),
        ..old.clone()
    };
    save.put_answers(&chosen, &new).await?;
    let said = |name: &str, of: &Answers| json!({"name": name, "owner": of.owner, "environment": of.environment});
    let change = (said(&save.row.name, &old), said(&chosen, &new));
    save.done("done", None, change).await
}

/// Saves one task of settings: only those that it asks for, over what is stored. Settings that are inherited stand at the alias; there
/// an empty text takes the parent's or the default over again.
///
/// # Errors
/// [`ProfileError`] naming the field.
pub async fn save_settings(
    host: &Host,
    actor: &Actor,
    key: &str,
    page: usize,
    typed: &[(String, String)],
    seen: Seen<'_>,
) -> Result<(), ProfileError> {
    let task = Task::Settings(page);
    let mut save = Save::begin(host, actor, key, &task, seen).await?;
    let asked = model::settings_of(&save.manifest, page);
    let typed: Vec<(String, String)> = typed
        .iter()
        .filter(|(name, _)| asked.contains(name))
        .cloned()
        .collect();
    let judged: Map<String, Value> =
        serde_json::from_str(&settings(&save.manifest, &typed)?).unwrap_or_default();
    let before: Map<String, Value> = serde_json::from_str(&save.row.settings).unwrap_or_default();
    let mut after = before.clone();
    let mut inherited: Vec<(String, Option<Value>)> = Vec::new();
    for (name, _) in &typed {
        let Some(property) = save.manifest.settings.properties.get(name) else {
            continue;
        };
        let value = judged.get(name).cloned().unwrap_or(Value::Null);
        if property.inherited {
            let is_empty = value.as_str().is_some_and(str::is_empty);
            inherited.push((name.clone(), (!is_empty).then(|| value.clone())));
        }
        after.insert(name.clone(), value);
    }
    store::put_settings(
        &mut save.tx,
        &save.row.id,
        &Value::Object(after.clone()).to_string(),
    )
    .await?;
    if !inherited.is_empty() {
        let alias = save.row.alias.clone();
        inherit(host, &mut save.tx, &alias, |own| {
            for (name, value) in inherited {
                match value {
                    Some(value) => own.settings.insert(name, value),
                    None => own.settings.remove(&name),
                };
            }
        })
        .await?;
    }
    let pick = |from: &Map<String, Value>| -> Value {
        Value::Object(
            from.iter()
                .filter(|(name, _)| asked.contains(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    };
    let change = (pick(&before), pick(&after));
    save.done("done", None, change).await
}

/// Saves the task *Prices*. A row without a price, and an empty currency, take the parent's over.
///
/// # Errors
/// [`AnswerFault::Price`] naming the row, a wrong currency naming its field.
pub async fn save_prices(
    host: &Host,
    actor: &Actor,
    key: &str,
    currency: &str,
    prices: Vec<Price>,
    seen: Seen<'_>,
) -> Result<(), ProfileError> {
    let mut save = Save::begin(host, actor, key, &Task::Prices, seen).await?;
    if save.row.state != ProfileState::Draft {
        return Err(ProfileError::NotDraft);
    }
    let prices: Vec<Price> = prices
        .into_iter()
        .filter(|price| !price.price.trim().is_empty())
        .collect();
    let parent = parent_answers(&mut save.tx, &save.row).await?;
    let taken = parent.and_then(|parent| parent.currency);
    let typed = currency.trim().to_uppercase();
    // An own price keeps its currency whatever becomes of the parent's.
    let is_own = !typed.is_empty() || !prices.is_empty() || taken.is_none();
    let named = if typed.is_empty() {
        taken.unwrap_or_default()
    } else {
        typed
    };
    let currency: Currency = named.parse().map_err(|_| AnswerFault::Currency)?;
    for (at, price) in prices.iter().enumerate() {
        UnitPrice::parse(price.price.trim(), currency)
            .map_err(|_| AnswerFault::Price(at, price.price.chars().take(40).collect()))?;
    }
    let old = save.answers();
    let new = Answers {
        currency: is_own.then(|| currency.code().to_owned()),
        prices,
        priced_by: is_own.then(|| actor.id.to_string()),
        ..old.clone()
    };
    let name = save.row.name.clone();
    save.put_answers(&name, &new).await?;
    let said = |of: &Answers| json!({"currency": of.currency, "prices": of.prices});
    let change = (said(&old), said(&new));
    save.done("done", None, change).await
}

/// A whole number within bounds; nothing typed takes the parent's or the default over.
fn within(
    text: &str,
    field: &'static str,
    least: i64,
    most: i64,
) -> Result<Option<i64>, AnswerFault> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .ok()
        .filter(|n| (least..=most).contains(n))
        .map(Some)
        .ok_or(AnswerFault::Number { field, least, most })
}

/// Whole numbers, as typed; an empty one takes the parent's or the default over.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Percent of the vendor's limit at which work pauses.
    pub quota_percent: String,
    /// Days without activity that a proposed rule begins with.
    pub threshold_days: String,
    /// How often a call is made at most that fails for a moment.
    pub tries: String,
}

/// Saves the task *Limits*.
///
/// # Errors
/// [`AnswerFault::Number`] naming the field.
pub async fn save_limits(
    host: &Host,
    actor: &Actor,
    key: &str,
    typed: &Limits,
    seen: Seen<'_>,
) -> Result<(), ProfileError> {
    let mut save = Save::begin(host, actor, key, &Task::Limits, seen).await?;
    let quota = within(&typed.quota_percent, "quota_percent", 10, 95)?;
    let threshold = within(&typed.threshold_days, "threshold_days", 1, 3_650)?;
    let tries = within(&typed.tries, "tries", 1, 10)?;
    let alias = save.row.alias.clone();
    let mut old = Value::Null;
    inherit(host, &mut save.tx, &alias, |own| {
        old = json!({"quota_percent": own.quota_percent, "threshold_days": own.threshold_days, "tries": own.tries});
        own.quota_percent = quota;
        own.threshold_days = threshold;
        own.tries = tries;
    })
    .await?;
    let new = json!({"quota_percent": quota, "threshold_days": threshold, "tries": tries});
    save.done("done", None, (old, new)).await
}

/// Saves the task *Schedule*; `None` takes the parent's or the default over.
///
/// # Errors
/// [`ScheduleError`](crate::profiles::schedule::ScheduleError) naming the field.
pub async fn save_schedule(
    host: &Host,
    actor: &Actor,
    key: &str,
    repeat: Option<&Repeat>,
    zone: &str,
    freeze_days: &str,
    seen: Seen<'_>,
) -> Result<(), ProfileError> {
    let mut save = Save::begin(host, actor, key, &Task::Schedule, seen).await?;
    let chosen = match repeat {
        Some(repeat) => {
            let schedule = Schedule {
                cron: repeat.cron()?,
                zone: zone.trim().to_owned(),
                freeze_days: schedule::freeze_days(freeze_days)?,
            };
            schedule::next_free_run(&schedule, host.now_ms())?;
            Some(schedule)
        }
        None => None,
    };
    let alias = save.row.alias.clone();
    let mut old = Value::Null;
    let new = json!(chosen);
    inherit(host, &mut save.tx, &alias, |own| {
        old = json!(own.schedule);
        own.schedule = chosen;
    })
    .await?;
    save.done("done", None, (old, new)).await
}

/// Marks a task as handed to somebody, in the caller's transaction.
pub(super) async fn hand_over(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    row: &ProfileRow,
    task: &Task,
    recipient: &str,
) -> Result<(), StoreError> {
    let text = task.to_string();
    let note = format!("Handed to {recipient}");
    let new = NewTask {
        profile: &row.id,
        task: &text,
        state: "waiting",
        note: Some(&note),
        by: &actor.id,
        now_ms: host.now_ms(),
    };
    store::put_task(tx, &new).await
}

/// The fault of a login address that was left empty.
pub(super) fn no_address() -> ProfileFault {
    ProfileFault::LoginUrl(String::new())
}
