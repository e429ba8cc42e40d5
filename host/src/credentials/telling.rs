//! Somebody hears that a credential died: written in the transaction that remembers it.

use super::store;
use crate::app::host::Host;
use crate::kernel::{AliasId, Problem};
use crate::notify::{Cause, Facts, Notice, service as notify};
use crate::store::{StoreError, Tx};

/// Tells that the credential of an alias no longer works, once for each token that died. A draft that nobody published is told at its
/// own page alone.
pub(super) async fn died(
    host: &Host,
    tx: &mut Tx,
    alias: &AliasId,
    why: &Problem,
) -> Result<(), StoreError> {
    let Some(generation) = store::find(tx, alias).await?.map(|row| row.generation) else {
        return Ok(());
    };
    let Some((id, number, name)) = store::profile_of(tx, alias).await? else {
        return Ok(());
    };
    let notice = Notice {
        cause: Cause::TokenDied,
        key: format!("token_died:{alias}:{generation}"),
        subject_kind: "profile",
        subject_id: id,
        owner: None,
        facts: Facts {
            path: format!("/profiles/{number}"),
            number,
            name,
            happened: why.message.clone(),
            fix: Some(why.fix.text.clone()),
            counts: Vec::new(),
        },
    };
    notify::tell(host, tx, &notice).await
}
