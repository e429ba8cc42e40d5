//! Reading and changing aliases, in the transaction of whoever changes what depends on them.

use serde::Serialize;

use super::model::{Effective, Properties};
use super::store;
use crate::kernel::AliasId;
use crate::store::{StoreError, Tx};

/// An alias as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct AliasView {
    /// Id.
    pub id: AliasId,
    /// Its name, which is its profile's.
    pub name: String,
    /// Connector id.
    pub connector: String,
    /// The parent's id and name, for a child.
    pub parent: Option<(AliasId, String)>,
    /// What it sets itself.
    pub own: Properties,
    /// What holds for it.
    pub effective: Effective,
    /// Of the row.
    pub version: i64,
}

fn view(row: store::Row) -> AliasView {
    let effective = row.own.under(row.parent.as_ref().map(|(_, _, set)| set));
    AliasView {
        id: row.id,
        name: row.name,
        connector: row.connector,
        parent: row.parent.map(|(id, name, _)| (id, name)),
        own: row.own,
        effective,
        version: row.version,
    }
}

/// One alias, by id or name.
///
/// # Errors
/// The database's own.
pub async fn find(tx: &mut Tx, key: &str) -> Result<Option<AliasView>, StoreError> {
    Ok(store::find(tx, key).await?.map(view))
}

/// All aliases, each parent followed by its children.
///
/// # Errors
/// The database's own.
pub async fn list(tx: &mut Tx) -> Result<Vec<AliasView>, StoreError> {
    Ok(store::list(tx).await?.into_iter().map(view).collect())
}

/// Changes what an alias sets, and answers it and its children: for all of them something else may hold now.
///
/// # Errors
/// [`StoreError::Conflict`] when it is gone or was changed meanwhile.
pub async fn change(
    tx: &mut Tx,
    alias: &AliasId,
    change: impl FnOnce(&mut Properties),
) -> Result<Vec<AliasView>, StoreError> {
    let row = store::find(tx, alias.as_str())
        .await?
        .ok_or(StoreError::Conflict)?;
    let mut own = row.own;
    change(&mut own);
    if !store::put(tx, alias, &own, row.version).await? {
        return Err(StoreError::Conflict);
    }
    let mut affected = vec![alias.clone()];
    affected.extend(store::children(tx, alias).await?);
    let mut views = Vec::new();
    for id in affected {
        views.extend(find(tx, id.as_str()).await?);
    }
    Ok(views)
}
