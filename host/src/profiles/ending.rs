//! Ending a profile: what goes, what stays, and deleting a draft that never ran.
//!
//! A published profile is never deleted, because runs, positions and decisions refer to it: it is archived, and its secret goes.

use serde::Serialize;
use serde_json::json;

use super::error::ProfileError;
use super::model::ProfileState;
use super::playbook::store as playbook;
use super::service::need;
use super::sharing;
use super::store::{self, ProfileRow};
use crate::aliases;
use crate::app::host::Host;
use crate::audit::Entry;
use crate::credentials;
use crate::identity::roles::{Actor, Permission};
use crate::store::Tx;

/// What ending a profile would do.
#[derive(Clone, Debug, Serialize)]
pub struct Ending {
    /// Number of the profile.
    pub number: String,
    /// Its name.
    pub name: String,
    /// A draft is deleted, anything else archived.
    pub is_deleted: bool,
    /// It has ended already.
    pub is_over: bool,
    /// Names of child aliases, which stand in the way of deleting.
    pub children: Vec<String>,
    /// What would be gone for good.
    pub goes: Vec<String>,
    /// What would stay.
    pub stays: Vec<String>,
}

/// Which other profiles have the same alias.
enum Held {
    /// Numbers of those that have not ended.
    Live(Vec<String>),
    /// Only ended ones.
    Ended,
    /// None.
    Alone,
}

async fn held_by_others(tx: &mut Tx, row: &ProfileRow) -> Result<Held, ProfileError> {
    let live = sharing::sharers(tx, row).await?;
    if !live.is_empty() {
        return Ok(Held::Live(
            live.into_iter().map(|other| other.number).collect(),
        ));
    }
    let all = store::of_alias(tx, &row.alias).await?;
    Ok(if all.len() > 1 {
        Held::Ended
    } else {
        Held::Alone
    })
}

async fn children(tx: &mut Tx, row: &ProfileRow) -> Result<Vec<String>, ProfileError> {
    Ok(aliases::service::list(tx)
        .await?
        .into_iter()
        .filter(|alias| {
            alias
                .parent
                .as_ref()
                .is_some_and(|(id, _)| *id == row.alias)
        })
        .map(|alias| alias.name)
        .collect())
}

/// What ending a profile would do, said before anything is done.
///
/// # Errors
/// [`ProfileError::NotFound`].
pub async fn preview(host: &Host, actor: &Actor, key: &str) -> Result<Ending, ProfileError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let row = need(&mut tx, key).await?;
    let has_secret = credentials::service::find(&mut tx, &row.alias)
        .await?
        .is_some();
    let is_deleted = row.state == ProfileState::Draft;
    let held = held_by_others(&mut tx, &row).await?;
    let children = match held {
        Held::Alone => children(&mut tx, &row).await?,
        _ => Vec::new(),
    };
    let mut goes = Vec::new();
    let mut stays = Vec::new();
    let using = match &held {
        Held::Live(others) => Some(others.join(", ")),
        Held::Ended | Held::Alone => None,
    };
    match &using {
        Some(others) => stays.push(format!(
            "The alias {}, its connection and its secret, which {others} uses as well",
            row.alias_name
        )),
        None if has_secret => goes.push("The sealed secret and every token".to_owned()),
        None => {}
    }
    if is_deleted {
        goes.push(format!(
            "The draft {} with its answers, checks and hand-over links",
            row.number
        ));
        match held {
            Held::Alone => goes.push(format!("Its alias {} with the connection", row.alias_name)),
            Held::Ended => stays.push(format!(
                "The alias {}, to which ended profiles belong",
                row.alias_name
            )),
            Held::Live(_) => {}
        }
    } else {
        goes.extend([
            "The schedule: it collects no more".to_owned(),
            "Its open removal candidates, which are closed".to_owned(),
        ]);
        stays.extend([
            "Runs, subscriptions and their history".to_owned(),
            "Positions, savings, rules and decisions".to_owned(),
            format!(
                "Its alias {}, so that the history says where it came from",
                row.alias_name
            ),
        ]);
        if !children.is_empty() {
            stays.push(format!("What {} took over from it", children.join(", ")));
        }
    }
    stays.push("The audit trail".to_owned());
    stays.push("The app and the user at the vendor: remove them there".to_owned());
    Ok(Ending {
        number: row.number,
        name: row.name,
        is_deleted,
        is_over: row.state == ProfileState::Archived,
        children,
        goes,
        stays,
    })
}

/// Deletes a draft that never ran, with its alias, connection and secret.
///
/// # Errors
/// [`ProfileError::NotDraft`], [`ProfileError::HasChildren`].
pub async fn delete_draft(host: &Host, actor: &Actor, key: &str) -> Result<(), ProfileError> {
    actor.may(Permission::ManageProfiles)?;
    let mut tx = host.store.begin().await?;
    let row = need(&mut tx, key).await?;
    if row.state != ProfileState::Draft {
        return Err(ProfileError::NotDraft);
    }
    let is_alone = matches!(held_by_others(&mut tx, &row).await?, Held::Alone);
    let children = children(&mut tx, &row).await?;
    if is_alone && !children.is_empty() {
        return Err(ProfileError::HasChildren(children.join(", ")));
    }
    forget_secret(host, &mut tx, actor, &row, "the draft was deleted").await?;
    playbook::forget_all(&mut tx, &row.id).await?;
    store::delete(&mut tx, &row).await?;
    let entry = Entry {
        event: "profile.deleted",
        subject_kind: "profile",
        subject_id: row.id.as_str(),
        detail: json!({"number": row.number, "name": row.name, "login_url": row.login_url}),
    };
    host.audit(&mut tx, actor, entry).await?;
    Ok(tx.commit().await?)
}

/// Deletes the secret of a profile that ends, unless another one that has not ended uses it as well.
pub(super) async fn forget_secret(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    row: &ProfileRow,
    why: &str,
) -> Result<(), ProfileError> {
    let is_used = !sharing::sharers(tx, row).await?.is_empty();
    if !is_used && credentials::service::find(tx, &row.alias).await?.is_some() {
        credentials::service::forget(tx, host, actor, &row.alias, why).await?;
    }
    Ok(())
}
