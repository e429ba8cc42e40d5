//! The playbook as it is shown, and its beginning: a draft with nothing in it yet, or with the answers of another org.

use std::collections::BTreeMap;

use seatwise_runtime::Manifest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::model::{self, Answers, CheckFact, Expected, Facts, HeldPrices, Lane, Task, TaskState};
use super::store::{self, NewTask, TaskRow};
use crate::aliases::{self, Effective};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Permission};
use crate::identity::service as identity;
use crate::kernel::{AliasId, PrincipalId, ProfileId};
use crate::profiles::error::ProfileError;
use crate::profiles::service::{ProfileView, get, need};
use crate::profiles::sharing::{self, Sharer};
use crate::profiles::store::{self as profiles, NewRow, ProfileRow};
use crate::store::numbers::{self, Series};
use crate::store::{StoreError, Tx};
use crate::sync::{self, RunView};

/// A licence of the org, as the vendor counts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The vendor's key.
    pub identifier: String,
    /// For people.
    pub name: String,
    /// Rights bought; `None` where the vendor does not say.
    pub owned: Option<i64>,
    /// Rights in use.
    pub used: Option<i64>,
}

/// What the org said of itself at the last checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The vendor's id of it.
    pub vendor_org_id: String,
    /// Its name.
    pub name: String,
    /// `production`, `sandbox`, `trial` or `unknown`.
    pub environment: String,
    /// As the vendor calls it.
    pub edition: Option<String>,
    /// IANA name.
    pub time_zone: Option<String>,
    /// Accounts to expect.
    pub accounts: Option<i64>,
    /// Its licences.
    pub pools: Vec<Pool>,
    /// Calls used and allowed today.
    pub quota: Option<(i64, i64)>,
    /// Milliseconds UTC.
    pub read_at: i64,
}

/// One task in its lane.
#[derive(Clone, Debug, Serialize)]
pub struct TaskView {
    /// Its part of the address.
    pub id: String,
    /// For people.
    pub title: String,
    /// Where it stands.
    pub state: TaskState,
    /// Publishing does not wait for it.
    pub is_optional: bool,
    /// Said to be done, and no check has proved it.
    pub is_unverified: bool,
    /// What the host changed in what was typed.
    pub note: Option<String>,
    /// Who saved it last.
    pub saved_by: Option<String>,
    /// Milliseconds UTC.
    pub saved_at: Option<i64>,
    /// What a form must have seen; 0 before the first save.
    pub version: i64,
}

/// A lane with its tasks.
#[derive(Clone, Debug, Serialize)]
pub struct LaneView {
    /// Its heading.
    pub title: &'static str,
    /// In order.
    pub tasks: Vec<TaskView>,
}

/// The playbook of one profile.
#[derive(Clone, Debug, Serialize)]
pub struct PlaybookView {
    /// The profile.
    pub profile: ProfileView,
    /// The way.
    pub lanes: Vec<LaneView>,
    /// What was answered.
    pub answers: Answers,
    /// What holds for its alias, and where it comes from.
    pub effective: Effective,
    /// What the org said.
    pub found: Option<Found>,
    /// What a first download is expected to take.
    pub expected: Option<Expected>,
    /// The newest run.
    pub run: Option<RunView>,
    /// Whether the profile's name was chosen by a person.
    pub is_named: bool,
    /// The prices that hold, and where each comes from.
    pub prices: HeldPrices,
    /// Other profiles of its alias: the connection is theirs as well.
    pub shared_with: Vec<Sharer>,
}

impl PlaybookView {
    /// One task.
    #[must_use]
    pub fn task(&self, id: &str) -> Option<&TaskView> {
        self.lanes
            .iter()
            .flat_map(|lane| &lane.tasks)
            .find(|task| task.id == id)
    }

    /// Where to go from a task: the next one that waits for a person, else the last.
    #[must_use]
    pub fn next_after(&self, id: &str) -> String {
        let all: Vec<&TaskView> = self.lanes.iter().flat_map(|lane| &lane.tasks).collect();
        let from = all
            .iter()
            .position(|task| task.id == id)
            .map_or(0, |at| at + 1);
        all.iter()
            .skip(from)
            .find(|task| {
                matches!(task.state, TaskState::ToDo | TaskState::NeedsAttention)
                    || task.id == "review"
            })
            .or(all.last())
            .map_or_else(String::new, |task| task.id.clone())
    }

    /// Tasks that publishing waits for.
    #[must_use]
    pub fn missing(&self) -> Vec<&TaskView> {
        self.lanes
            .iter()
            .flat_map(|lane| &lane.tasks)
            .filter(|task| {
                !task.is_optional
                    && !matches!(task.id.as_str(), "review" | "first-sync")
                    && !matches!(task.state, TaskState::Done | TaskState::NotNeeded)
            })
            .collect()
    }
}

/// The playbook of a profile, by number, name or id.
///
/// # Errors
/// [`ProfileError::NotFound`], [`ProfileError::Denied`].
pub async fn view(host: &Host, actor: &Actor, key: &str) -> Result<PlaybookView, ProfileError> {
    let profile = get(host, actor, key).await?;
    // A run of user activity follows by itself; what it comes to is no answer about the first sync.
    let run = sync::service::list_runs(host, actor, Some(&profile.id), None, 10)
        .await?
        .into_iter()
        .find(|run| run.process == sync::RunProcess::Subscriptions);
    let manifest = host.connectors.manifest(&profile.connector)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let row = need(&mut tx, profile.id.as_str()).await?;
    let stored = store::tasks(&mut tx, &profile.id).await?;
    let found = store::found(&mut tx, &profile.id).await?;
    let effective = effective(&mut tx, &row.alias).await?;
    let shared_with = sharing::sharers(&mut tx, &row).await?;
    let prices = prices(&mut tx, &row).await?;
    let mut names = BTreeMap::new();
    for task in &stored {
        let id = PrincipalId::from(task.saved_by.as_str());
        if let Some(name) = identity::name_of(&mut tx, &id).await.map_err(told)? {
            names.insert(task.saved_by.clone(), name);
        }
    }
    let lanes = lanes(&manifest, &profile, &stored, &names, run.as_ref());
    let expected = manifest
        .playbook
        .estimate
        .zip(found.as_ref().and_then(|found| found.accounts))
        .map(|(estimate, accounts)| model::expect(estimate, accounts));
    Ok(PlaybookView {
        is_named: profile.name != profile.number,
        shared_with,
        prices,
        lanes,
        answers: Answers::parse(&row.answers),
        effective,
        found,
        expected,
        run,
        profile,
    })
}

fn told(error: crate::identity::IdentityError) -> ProfileError {
    match error {
        crate::identity::IdentityError::Store(error) => error.into(),
        other => ProfileError::Identity(other),
    }
}

fn lanes(
    manifest: &Manifest,
    profile: &ProfileView,
    stored: &[TaskRow],
    names: &BTreeMap<String, String>,
    run: Option<&RunView>,
) -> Vec<LaneView> {
    let checks: Vec<CheckFact<'_>> = profile
        .checks
        .iter()
        .map(|check| CheckFact {
            id: &check.id,
            verdict: &check.verdict,
            is_mandatory: check.is_mandatory,
        })
        .collect();
    let nothing: Vec<String> = Vec::new();
    let one = |task: &Task| {
        let id = task.to_string();
        let row = stored.iter().find(|row| row.task == id);
        let proven_by = match task {
            Task::Prepare(step) => manifest
                .playbook
                .preparation(step)
                .map_or(&nothing, |step| &step.proven_by),
            _ => &nothing,
        };
        let facts = Facts {
            stored: row.map(|row| row.state.as_str()),
            is_draft: profile.state == "draft",
            credential: profile.credential.as_ref().map(|c| c.health.as_str()),
            checks: &checks,
            proven_by,
            run: run.map(|run| {
                if run.is_waiting() {
                    "waiting"
                } else {
                    run.state.as_str()
                }
            }),
        };
        let state = model::state(task, &facts);
        TaskView {
            title: task.title(manifest),
            is_optional: task.is_optional(),
            is_unverified: matches!(task, Task::Prepare(_))
                && state == TaskState::Done
                && model::proof(&facts).is_none(),
            state,
            note: row.and_then(|row| row.note.clone()),
            saved_by: row.and_then(|row| names.get(&row.saved_by).cloned()),
            saved_at: row.map(|row| row.saved_at),
            version: row.map_or(0, |row| row.version),
            id,
        }
    };
    let all = model::tasks(manifest);
    Lane::ALL
        .iter()
        .map(|lane| LaneView {
            title: lane.title(),
            tasks: all
                .iter()
                .filter(|task| task.lane() == *lane)
                .map(one)
                .collect(),
        })
        .filter(|lane| !lane.tasks.is_empty())
        .collect()
}

pub(in crate::profiles) async fn effective(
    tx: &mut Tx,
    alias: &AliasId,
) -> Result<Effective, ProfileError> {
    Ok(aliases::service::find(tx, alias.as_str())
        .await?
        .map_or_else(
            || aliases::Properties::default().under(None),
            |alias| alias.effective,
        ))
}

/// What was answered for the parent of a profile's alias: by its live profile, else by its newest.
pub(in crate::profiles) async fn parent_answers(
    tx: &mut Tx,
    row: &ProfileRow,
) -> Result<Option<Answers>, StoreError> {
    let alias = aliases::service::find(tx, row.alias.as_str()).await?;
    let Some((parent, _)) = alias.and_then(|alias| alias.parent) else {
        return Ok(None);
    };
    let all = profiles::of_alias(tx, &parent).await?;
    let live = all.iter().rev().find(|row| row.state.is_live());
    Ok(live.or(all.last()).map(|row| Answers::parse(&row.answers)))
}

/// The prices that hold for a profile.
pub(in crate::profiles) async fn prices(
    tx: &mut Tx,
    row: &ProfileRow,
) -> Result<HeldPrices, StoreError> {
    let parent = parent_answers(tx, row).await?;
    Ok(Answers::parse(&row.answers).prices_under(parent.as_ref()))
}

/// Makes a draft for the playbook: empty, or with the answers of another profile of the same connector and never with its secret.
/// Answers its number.
///
/// # Errors
/// [`ProfileError`].
pub async fn start(
    host: &Host,
    actor: &Actor,
    connector: &str,
    from: Option<&str>,
) -> Result<String, ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let manifest = host.connectors.manifest(connector)?;
    let digest = host.connectors.digest(connector)?;
    let now_ms = host.now_ms();
    let (id, alias) = (
        ProfileId::mint(now_ms, &*host.chance),
        AliasId::mint(now_ms, &*host.chance),
    );
    let mut tx = host.store.begin().await?;
    profiles::register_connector(
        &mut tx,
        connector,
        &manifest.connector.name,
        &manifest.connector.version,
        digest,
        now_ms,
    )
    .await?;
    let first: Option<ProfileRow> = match from {
        Some(key) => {
            let row = need(&mut tx, key).await?;
            if row.connector != connector {
                return Err(ProfileError::Parent(row.alias_name));
            }
            Some(row)
        }
        None => None,
    };
    let parent = match &first {
        // A child has no children: its sibling goes under the same parent.
        Some(row) => profiles::find_alias(&mut tx, row.alias.as_str())
            .await?
            .map(|(own, parent, _)| parent.unwrap_or(own)),
        None => profiles::root_alias(&mut tx, connector).await?,
    };
    let number = numbers::next(&mut tx, Series::Profile).await?;
    let defaults = Value::Object(manifest.settings.defaults()).to_string();
    let settings = first.as_ref().map_or(defaults, |row| row.settings.clone());
    let schedule = aliases::model::Schedule::default();
    profiles::insert(
        &mut tx,
        &NewRow {
            id: &id,
            number: &number,
            name: &number,
            connector,
            alias: &alias,
            parent: parent.as_ref(),
            login_url: "",
            settings: &settings,
            schedule_cron: &schedule.cron,
            schedule_zone: &schedule.zone,
            by: &actor.id,
            now_ms,
        },
    )
    .await?;
    inherit(host, &mut tx, &alias, |_| ()).await?;
    if let Some(first) = &first {
        let takes_over = parent.as_ref() == Some(&first.alias);
        let answers = Answers::parse(&first.answers).copied(&first.number, takes_over);
        begun(
            &mut tx,
            actor,
            &manifest,
            first,
            &answers,
            (&id, &number),
            now_ms,
        )
        .await?;
    }
    let detail = json!({"number": number, "connector": connector, "from": first.map(|row| row.number), "parent": parent.map(|p| p.to_string())});
    let entry = Entry {
        event: "profile.started",
        subject_kind: "profile",
        subject_id: id.as_str(),
        detail,
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await?;
    Ok(number)
}

/// Answers, prices and the tasks of the scope that were done; never name, address or secret, and no work at the vendor.
pub(in crate::profiles) async fn begun(
    tx: &mut Tx,
    actor: &Actor,
    manifest: &Manifest,
    first: &ProfileRow,
    answers: &Answers,
    (id, number): (&ProfileId, &str),
    now_ms: i64,
) -> Result<(), ProfileError> {
    let text = json!(answers).to_string();
    store::put_answers(tx, id, number, &text, &actor.id, now_ms).await?;
    let note = format!("Copied from {} {}", first.number, first.name);
    let done = store::tasks(tx, &first.id).await?;
    for task in model::tasks(manifest) {
        let text = task.to_string();
        let is_copied = task.lane() == Lane::Scope && done.iter().any(|row| row.task == text);
        if is_copied {
            let new = NewTask {
                profile: id,
                task: &text,
                state: "done",
                note: Some(&note),
                by: &actor.id,
                now_ms,
            };
            store::put_task(tx, &new).await?;
        }
    }
    Ok(())
}

/// Changes what an alias sets, writes what then holds into its profile and those of its children, and plans their next runs anew.
pub(in crate::profiles) async fn inherit(
    host: &Host,
    tx: &mut Tx,
    alias: &AliasId,
    change: impl FnOnce(&mut aliases::Properties),
) -> Result<(), ProfileError> {
    let now_ms = host.now_ms();
    for alias in aliases::service::change(tx, alias, change).await? {
        let holds = &alias.effective;
        let schedule = &holds.schedule.value;
        store::put_effective(
            tx,
            &alias.id,
            (&schedule.cron, &schedule.zone),
            holds.quota_percent.value,
        )
        .await?;
        for row in profiles::of_alias(tx, &alias.id).await? {
            let mut settings: serde_json::Map<String, Value> =
                serde_json::from_str(&row.settings).unwrap_or_default();
            let manifest = host.connectors.manifest(&row.connector)?;
            for (name, property) in &manifest.settings.properties {
                if !property.inherited {
                    continue;
                }
                let set = holds.settings.get(name).map(|set| set.value.clone());
                if let Some(value) = set.or_else(|| property.default.clone()) {
                    settings.insert(name.clone(), value);
                }
            }
            let settings = Value::Object(settings).to_string();
            if settings != row.settings {
                store::put_settings(tx, &row.id, &settings).await?;
            }
            if row.state == crate::profiles::model::ProfileState::Published {
                crate::profiles::service::plan_anew(host, tx, &row, now_ms).await?;
            }
        }
    }
    Ok(())
}
