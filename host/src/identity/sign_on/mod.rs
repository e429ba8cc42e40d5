//! Single sign-on at the company's identity provider, and the roles that its groups give.
//!
//! Invariants: the client's secret is sealed, never shown again, and must be typed anew when the issuer or the client changes; roles
//! follow the groups of the last sign-in, and a group that is mapped no more gives nothing from that moment; what was given by hand stays.

mod coming;
mod faults;
mod jws;
mod provider;

pub use coming::{Begun, Callback, begin, returned};
pub use faults::SignOnFault;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use super::roles::{Actor, Permission, Role};
use super::service::{checked_name, invalid, refuse_token};
use super::{IdentityError, store};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::kernel::PrincipalId;
use crate::kernel::seal::Place;
use crate::store::{StoreError, Tx};
use provider::{Provider, Registration};
use store::SignOnRow;

/// Where the identity provider sends the browser back to.
pub const CALLBACK_PATH: &str = "/sign-in/sso/callback";
/// Scopes that are asked for unless others are set.
pub const USUAL_SCOPES: &str = "openid email profile";
/// The claim that names groups unless another is set.
pub const USUAL_CLAIM: &str = "groups";
/// Longest address, id, secret or scope list.
const LONGEST: usize = 2_000;

/// A group of the identity provider, and a role it gives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupRole {
    /// The group as the provider names it: a name, or an id.
    pub group: String,
    /// The role.
    pub role: Role,
}

/// Single sign-on as its page shows it. The secret is never in it.
#[derive(Clone, Debug, Serialize)]
pub struct SignOnView {
    /// Whether it is set up and on.
    pub is_on: bool,
    /// The provider; empty before it is set up.
    pub issuer: String,
    /// Our id there.
    pub client_id: String,
    /// When the secret was set; absent before.
    pub secret_set_at: Option<i64>,
    /// What is asked for, space between.
    pub scopes: String,
    /// The claim that names groups.
    pub group_claim: String,
    /// On the button of the sign-in page.
    pub label: String,
    /// What the provider's application must list, letter by letter.
    pub callback_url: String,
    /// Which group gives which role.
    pub groups: Vec<GroupRole>,
}

/// Settings to be taken.
#[derive(Clone, Default)]
pub struct NewSignOn {
    /// Its address, as its own document writes it.
    pub issuer: String,
    /// Our id there.
    pub client_id: String,
    /// Empty: the one that is kept, while issuer and client stay.
    pub client_secret: Zeroizing<String>,
    /// Empty: [`USUAL_SCOPES`].
    pub scopes: String,
    /// Empty: [`USUAL_CLAIM`].
    pub group_claim: String,
    /// Empty: the issuer's host.
    pub label: String,
}

/// The callback address.
#[must_use]
pub fn callback_url(host: &Host) -> String {
    let public = host.options.public_url.trim_end_matches('/');
    format!("{public}{CALLBACK_PATH}")
}

/// What the sign-in page writes on its button; absent while single sign-on is off.
///
/// # Errors
/// The database's own.
pub async fn button(host: &Host) -> Result<Option<String>, IdentityError> {
    let mut tx = host.store.read_everything().await?;
    let row = store::sign_on(&mut tx).await?;
    Ok(row.filter(|row| row.is_on).map(|row| row.label))
}

/// The settings.
///
/// # Errors
/// [`IdentityError::Denied`].
pub async fn sign_on(host: &Host, actor: &Actor) -> Result<SignOnView, IdentityError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.read_everything().await?;
    let groups = store::group_roles(&mut tx).await?;
    let row = store::sign_on(&mut tx).await?;
    Ok(SignOnView {
        is_on: row.as_ref().is_some_and(|row| row.is_on),
        secret_set_at: row.as_ref().map(|row| row.secret_set_at),
        callback_url: callback_url(host),
        groups,
        issuer: row.as_ref().map(|r| r.issuer.clone()).unwrap_or_default(),
        client_id: row
            .as_ref()
            .map(|r| r.client_id.clone())
            .unwrap_or_default(),
        scopes: row
            .as_ref()
            .map_or_else(|| USUAL_SCOPES.to_owned(), |row| row.scopes.clone()),
        group_claim: row
            .as_ref()
            .map_or_else(|| USUAL_CLAIM.to_owned(), |row| row.group_claim.clone()),
        label: row.map(|row| row.label).unwrap_or_default(),
    })
}

/// Takes new settings, after the provider's document was read, and switches single sign-on on.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::Invalid`] at its field, [`IdentityError::SignOn`] where the provider does not answer.
pub async fn set_sign_on(host: &Host, actor: &Actor, new: NewSignOn) -> Result<(), IdentityError> {
    actor.may(Permission::Administer)?;
    // Whoever names the identity provider can come in as anybody: a leaked token must not outlive itself that way.
    refuse_token(actor)?;
    let issuer = checked_issuer(&new.issuer)?;
    let client_id = checked_word(&new.client_id, "client_id")?;
    let usual = |text: &str, usual: &str| {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            usual.to_owned()
        } else {
            text
        }
    };
    let scopes = usual(&new.scopes, USUAL_SCOPES);
    if scopes.len() > LONGEST || !scopes.split(' ').any(|scope| scope == "openid") {
        return Err(invalid(
            "scopes",
            "scopes have spaces between them, and `openid` is one of them",
        ));
    }
    let group_claim = checked_word(&usual(&new.group_claim, USUAL_CLAIM), "group_claim")?;
    let label = usual(&new.label, issuer.host_str().unwrap_or("Single sign-on"));
    let label = checked_name(&label, "label")?;
    let issuer = new.issuer.trim().to_owned();
    let kept = {
        let mut tx = host.store.read_everything().await?;
        store::sign_on(&mut tx).await?
    };
    let stays = kept
        .as_ref()
        .filter(|row| row.issuer == issuer && row.client_id == client_id);
    let typed = new.client_secret.trim();
    let now = host.now_ms();
    let (secret_sealed, secret_set_at) = match (typed.is_empty(), stays) {
        (true, Some(row)) => (row.secret_sealed.clone(), row.secret_set_at),
        (true, None) => {
            return Err(invalid(
                "client_secret",
                "a new issuer or client needs its secret typed; the old one is not sent there",
            ));
        }
        (false, _) if typed.len() > LONGEST => {
            return Err(invalid(
                "client_secret",
                "a secret has at most 2,000 characters",
            ));
        }
        (false, _) => {
            let sealed = host.sealer.seal(PLACE, typed.as_bytes(), &*host.chance);
            (sealed.map_err(|_| IdentityError::Hashing)?, now)
        }
    };
    let registration = Registration {
        issuer: &issuer,
        client_id: &client_id,
        client_secret: "",
        callback: &callback_url(host),
    };
    let provider = Provider::discovered(host.connectors.client(), &registration).await?;
    provider.keys().await?;
    let row = SignOnRow {
        issuer,
        client_id,
        secret_sealed,
        secret_set_at,
        scopes,
        group_claim,
        label,
        is_on: true,
    };
    let is_other_issuer = kept.as_ref().is_some_and(|kept| kept.issuer != row.issuer);
    let mut tx = host.store.begin().await?;
    store::put_sign_on(&mut tx, &row, actor.id.as_str(), now).await?;
    if is_other_issuer {
        store::forget_groups(&mut tx).await?;
    }
    let detail = serde_json::json!({
        "issuer": row.issuer, "client_id": row.client_id, "scopes": row.scopes, "group_claim": row.group_claim,
        "secret_is_new": secret_set_at == now, "group_roles_ended": is_other_issuer,
    });
    record(host, &mut tx, actor, "sign_on.set", detail).await?;
    Ok(tx.commit().await?)
}

/// Switches single sign-on on or off. Sessions that it began go on to their end.
///
/// # Errors
/// [`IdentityError::Denied`], [`SignOnFault::Off`] before it is set up.
pub async fn switch_sign_on(host: &Host, actor: &Actor, is_on: bool) -> Result<(), IdentityError> {
    actor.may(Permission::Administer)?;
    if is_on {
        refuse_token(actor)?;
    }
    let mut tx = host.store.begin().await?;
    let by = actor.id.as_str();
    if !store::switch_sign_on(&mut tx, is_on, by, host.now_ms()).await? {
        return Err(SignOnFault::Off.into());
    }
    let event = if is_on { "sign_on.on" } else { "sign_on.off" };
    record(host, &mut tx, actor, event, serde_json::Value::Null).await?;
    Ok(tx.commit().await?)
}

/// Lets a group give a role, at once also to whoever came with that group last time.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::Invalid`] at `group`.
pub async fn map_group(host: &Host, actor: &Actor, pair: &GroupRole) -> Result<(), IdentityError> {
    actor.may(Permission::Administer)?;
    let pair = GroupRole {
        group: checked_name(&pair.group, "group")?,
        role: pair.role,
    };
    let mut tx = host.store.begin().await?;
    if store::add_group_role(&mut tx, &pair, host.now_ms()).await? {
        let changed = follow_all(host, &mut tx).await?;
        let detail =
            serde_json::json!({ "group": pair.group, "role": pair.role, "people": changed });
        record(host, &mut tx, actor, "sign_on.group_mapped", detail).await?;
    }
    Ok(tx.commit().await?)
}

/// Lets a group give a role no more, at once.
///
/// # Errors
/// [`IdentityError::Denied`], [`IdentityError::NotFound`].
pub async fn unmap_group(
    host: &Host,
    actor: &Actor,
    pair: &GroupRole,
) -> Result<(), IdentityError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.begin().await?;
    if !store::remove_group_role(&mut tx, pair).await? {
        return Err(IdentityError::NotFound("group"));
    }
    let changed = follow_all(host, &mut tx).await?;
    let detail = serde_json::json!({ "group": pair.group, "role": pair.role, "people": changed });
    record(host, &mut tx, actor, "sign_on.group_unmapped", detail).await?;
    Ok(tx.commit().await?)
}

/// Where the client's secret is kept.
const PLACE: Place<'static> = Place {
    table: "sign_on",
    row: "sso",
    column: "secret_sealed",
};

/// The roles that these groups give.
fn given(groups: &BTreeSet<String>, pairs: &[GroupRole]) -> BTreeSet<Role> {
    let named = pairs.iter().filter(|pair| groups.contains(&pair.group));
    named.map(|pair| pair.role).collect()
}

/// Gives everybody who came from the present issuer what their last groups give now. Returns how many people that changed.
async fn follow_all(host: &Host, tx: &mut Tx) -> Result<usize, IdentityError> {
    let Some(row) = store::sign_on(tx).await? else {
        return Ok(0);
    };
    let pairs = store::group_roles(tx).await?;
    // Somebody with two names at the issuer holds what either gives.
    let mut roles: BTreeMap<PrincipalId, BTreeSet<Role>> = BTreeMap::new();
    for (id, groups) in store::people_of(tx, &row.issuer).await? {
        let groups: BTreeSet<String> = serde_json::from_str(&groups).unwrap_or_default();
        roles.entry(id).or_default().extend(given(&groups, &pairs));
    }
    let mut changed = 0;
    for (id, roles) in roles {
        let before = store::principal(tx, &id).await?.map(|p| p.roles);
        store::follow_groups(tx, &id, &roles, host.now_ms()).await?;
        let after = store::principal(tx, &id).await?.map(|p| p.roles);
        changed += usize::from(before != after);
    }
    Ok(changed)
}

fn checked_issuer(text: &str) -> Result<Url, IdentityError> {
    let wrong = || {
        invalid(
            "issuer",
            "an issuer is an address such as https://login.acme.example/realm, without `?` and `#`",
        )
    };
    let url = Url::parse(text.trim()).map_err(|_| wrong())?;
    let is_plain = matches!(url.scheme(), "https" | "http")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && text.len() <= LONGEST;
    if is_plain { Ok(url) } else { Err(wrong()) }
}

fn checked_word(text: &str, field: &'static str) -> Result<String, IdentityError> {
    let word = text.trim();
    if word.is_empty() || word.len() > LONGEST || word.chars().any(char::is_control) {
        return Err(invalid(
            field,
            "this has 1 to 2,000 characters, none of them control characters",
        ));
    }
    Ok(word.to_owned())
}

async fn record(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    event: &str,
    detail: serde_json::Value,
) -> Result<(), StoreError> {
    let entry = Entry {
        event,
        subject_kind: "sign_on",
        subject_id: "sso",
        detail,
    };
    host.audit(tx, actor, entry).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_a_plain_address() {
        for good in [
            "https://id.acme.example",
            "https://id.acme.example/realms/a",
            " http://127.0.0.1:9000 ",
        ] {
            assert!(checked_issuer(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "id.acme.example",
            "https://",
            "ftp://id.acme.example",
            "https://u@id.acme.example",
            "https://id.acme.example?x=1",
        ] {
            assert!(checked_issuer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn roles_are_those_of_the_groups_and_of_no_other() {
        let pair = |group: &str, role| GroupRole {
            group: group.to_owned(),
            role,
        };
        let pairs = [
            pair("sam", Role::SamUser),
            pair("sam", Role::Approver),
            pair("it", Role::Admin),
        ];
        let groups = |all: &[&str]| all.iter().map(|g| (*g).to_owned()).collect();
        assert_eq!(
            given(&groups(&["sam", "else"]), &pairs),
            BTreeSet::from([Role::SamUser, Role::Approver])
        );
        assert!(given(&groups(&["SAM", "sa"]), &pairs).is_empty());
        assert!(given(&groups(&[]), &pairs).is_empty());
    }
}
