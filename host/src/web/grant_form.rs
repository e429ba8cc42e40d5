//! The forms of the grants: one per grant of the connector's manifest, with the vendor's own words, for any page that connects.
//!
//! What was typed comes back after an error, but for secrets; a problem stands at its field.
use seatwise_runtime::Manifest;
use seatwise_runtime::manifest::{GrantOffer, Pkce};
use serde::Serialize;
use zeroize::Zeroizing;

use super::words;
use crate::credentials::model::VAULT_FIELDS;
use crate::credentials::{CredentialView, NewCredential};
use crate::kernel::Problem;
use crate::vaults::{FromVault, VaultView};

pub use super::typed_form::Typed;

/// A grant as a form; the partial `partials/grant_…` of its word shows it.
#[derive(Clone, Debug, Serialize)]
pub struct GrantForm {
    /// Its word.
    pub grant: &'static str,
    /// Its word as a partial's name has it.
    pub partial: String,
    /// For people.
    pub title: String,
    /// When to choose it.
    pub about: String,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Who signs in where.
    pub vendor: String,
    /// What the vendor's app must list as callback URL.
    pub callback_url: String,
    /// What is wrong with that, as the vendor says.
    pub callback_problem: Option<String>,
    /// The one that is shown.
    pub is_chosen: bool,
    /// Whether a person signs in at the vendor's.
    pub needs_consent: bool,
    /// The secret is one of its fields.
    pub takes_secret: bool,
    /// A key is one of its fields, which may be brought as a file.
    pub takes_key: bool,
    /// The proof key can be left out.
    pub may_skip_pkce: bool,
    /// It is left out.
    pub without_pkce: bool,
    /// See the manifest.
    pub client_id: Input,
    /// See the manifest.
    pub client_secret: Input,
    /// See the manifest.
    pub refresh_token: Input,
    /// See the manifest.
    pub username: Input,
    /// See the manifest.
    pub private_key: Input,
}

/// One field of a form.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// Name and id.
    pub name: &'static str,
    /// As the vendor calls it.
    pub label: String,
    /// Where to find it, or what is stored.
    pub hint: String,
    /// What stands in it; empty for secrets.
    pub value: String,
    /// Not shown while it is typed.
    pub is_secret: bool,
    /// Several lines.
    pub is_area: bool,
    /// Must not be empty.
    pub is_required: bool,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// What somebody else saved meanwhile.
    pub theirs: Option<String>,
    /// Vaults that it could be fetched from; empty for what is no secret.
    pub vaults: Vec<Choice>,
    /// It is fetched.
    pub is_fetched: bool,
    /// What the vault is asked for.
    pub query: String,
    /// Which property of it.
    pub property: String,
}

/// A vault to choose.
#[derive(Clone, Debug, Serialize)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// Its kind for people.
    pub title: &'static str,
    /// The one that is chosen.
    pub is_chosen: bool,
}

/// What a page knows when it shows the forms.
pub struct Known<'a> {
    /// The connector.
    pub manifest: &'a Manifest,
    /// What is stored.
    pub stored: Option<&'a CredentialView>,
    /// The grant asked for by the address.
    pub asked: Option<&'a str>,
    /// What was typed.
    pub typed: &'a Typed,
    /// What was wrong with it.
    pub problem: Option<&'a Problem>,
    /// See [`GrantForm`].
    pub callback_url: &'a str,
    /// Vaults that secrets can be fetched from.
    pub vaults: &'a [VaultView],
    /// The host's clock.
    pub now_ms: i64,
}

/// The credential that a form carries.
#[must_use]
pub fn credential(typed: &Typed) -> NewCredential {
    let text = |name: &str| typed.get(name).map_or("", String::as_str).trim().to_owned();
    let secret = |name: &str| {
        Some(text(name))
            .filter(|t| !t.is_empty())
            .map(Zeroizing::new)
    };
    let from_vault = VAULT_FIELDS
        .into_iter()
        .filter(|field| !text(&format!("vault_{field}")).is_empty())
        .map(|field| {
            let from = FromVault {
                vault: text(&format!("vault_{field}")),
                query: text(&format!("query_{field}")),
                property: text(&format!("property_{field}")),
            };
            (field.to_owned(), from)
        })
        .collect();
    NewCredential {
        grant_kind: text("grant"),
        client_id: text("client_id"),
        client_secret: secret("client_secret").unwrap_or_default(),
        refresh_token: secret("refresh_token"),
        username: Some(text("username")).filter(|t| !t.is_empty()),
        private_key: secret("private_key"),
        without_pkce: typed.contains_key("without_pkce"),
        from_vault,
    }
}

/// The grant that is shown: as typed, as the address asks, as stored, or the first.
#[must_use]
pub fn chosen<'m>(known: &Known<'m>) -> Option<&'m GrantOffer> {
    let candidates = [
        known.typed.get("grant").map(String::as_str),
        known.asked,
        known.stored.map(|stored| stored.grant.as_str()),
    ];
    candidates
        .into_iter()
        .flatten()
        .find_map(|word| known.manifest.grant(word))
        .or(known.manifest.credential.grants.first())
}

/// The forms, one of them chosen.
#[must_use]
pub fn forms(known: &Known<'_>) -> Vec<GrantForm> {
    let chosen = chosen(known).map(|offer| offer.id);
    let grants = &known.manifest.credential.grants;
    grants
        .iter()
        .map(|offer| form(known, offer, Some(offer.id) == chosen))
        .collect()
}

/// The form of one grant.
#[must_use]
pub fn form(known: &Known<'_>, offer: &GrantOffer, is_chosen: bool) -> GrantForm {
    let input = |name| input(known, offer, name);
    let same_grant = known
        .stored
        .is_some_and(|stored| stored.grant == offer.id.as_str());
    let was_typed = known.typed.contains_key("grant");
    GrantForm {
        grant: offer.id.as_str(),
        partial: offer.id.as_str().replace('-', "_"),
        title: offer.title.clone(),
        about: offer.about.clone(),
        scopes: offer.scopes.clone(),
        vendor: known.manifest.connector.name.clone(),
        callback_url: known.callback_url.to_owned(),
        callback_problem: at(known.problem, "callback_url"),
        is_chosen,
        needs_consent: offer.id.needs_consent(),
        takes_secret: offer.takes("client_secret"),
        takes_key: offer.takes("private_key"),
        may_skip_pkce: offer.pkce == Pkce::Usual,
        without_pkce: if was_typed {
            known.typed.contains_key("without_pkce")
        } else {
            same_grant && known.stored.is_some_and(|stored| !stored.uses_pkce)
        },
        client_id: input("client_id"),
        client_secret: input("client_secret"),
        refresh_token: input("refresh_token"),
        username: input("username"),
        private_key: input("private_key"),
    }
}

/// Label and hint where the manifest has none of its own.
fn usual(name: &str) -> (&'static str, &'static str) {
    match name {
        "client_id" => ("Client id", "Of the app you registered at the vendor"),
        "client_secret" => ("Client secret", "Sealed at rest and never shown again"),
        "refresh_token" => (
            "Refresh token",
            "From a consent of the connection's own user; nothing else may use it",
        ),
        "username" => ("Username", "Of the user that the connection acts as"),
        _ => (
            "Private key",
            "PEM text of an unencrypted RSA key of 2,048 bits or more",
        ),
    }
}

fn input(known: &Known<'_>, offer: &GrantOffer, name: &'static str) -> Input {
    let (label, hint) = usual(name);
    let words = known.manifest.credential.words(name);
    let is_secret = matches!(name, "client_secret" | "refresh_token" | "private_key");
    let stored = known.stored.filter(|stored| {
        name == "client_id" || name == "client_secret" || stored.grant == offer.id.as_str()
    });
    let kept = stored.and_then(|stored| kept(stored, name, known.now_ms));
    let place = place(known, stored, name);
    let vaults = if is_secret {
        choices(known.vaults, &place.vault)
    } else {
        Vec::new()
    };
    let hint = words.map_or(hint, |words| words.hint.as_str());
    let plain = stored.map_or("", |stored| match name {
        "client_id" => stored.client_id.as_str(),
        "username" => stored.username.as_deref().unwrap_or_default(),
        _ => "",
    });
    let typed = known.typed.get(name).filter(|_| !is_secret);
    let is_stale = known
        .problem
        .is_some_and(|problem| problem.code == "playbook.stale");
    Input {
        name,
        label: words.map_or(label, |words| words.title.as_str()).to_owned(),
        hint: kept.as_ref().map_or_else(
            || hint.to_owned(),
            |kept| format!("{kept}. Leave empty to keep it while the client stays the same"),
        ),
        value: if is_secret {
            String::new()
        } else {
            typed.map_or_else(|| plain.to_owned(), Clone::clone)
        },
        theirs: typed
            .filter(|typed| is_stale && typed.as_str() != plain)
            .map(|_| plain.to_owned()),
        is_secret,
        is_area: name == "private_key",
        // Where it can be fetched or brought as a file instead, the browser cannot judge it.
        is_required: offer.wants(name)
            && kept.is_none()
            && vaults.is_empty()
            && name != "private_key",
        problem: at(known.problem, name),
        is_fetched: vaults.iter().any(|vault| vault.is_chosen),
        vaults,
        query: place.query,
        property: place.property,
    }
}

/// Where a secret is fetched: as typed, else as stored.
fn place(known: &Known<'_>, stored: Option<&CredentialView>, name: &str) -> FromVault {
    if known.typed.contains_key("grant") {
        let text = |part: &str| {
            let typed = known.typed.get(&format!("{part}_{name}"));
            typed.cloned().unwrap_or_default()
        };
        return FromVault {
            vault: text("vault"),
            query: text("query"),
            property: text("property"),
        };
    }
    let fields = stored.map(|stored| stored.from_vault.as_slice());
    let field = fields
        .unwrap_or_default()
        .iter()
        .find(|view| view.field == name);
    field.map(|view| view.from.clone()).unwrap_or_default()
}

fn choices(vaults: &[VaultView], chosen: &str) -> Vec<Choice> {
    vaults
        .iter()
        .map(|vault| Choice {
            name: vault.name.clone(),
            title: vault.title,
            is_chosen: vault.name == chosen,
        })
        .collect()
}

/// What is said of a stored secret: never a part that would help anybody.
fn kept(stored: &CredentialView, name: &str, now_ms: i64) -> Option<String> {
    if let Some(view) = stored.from_vault.iter().find(|view| view.field == name) {
        let by = view.set_by.as_deref().unwrap_or("somebody");
        let when = words::distance(now_ms - view.set_at);
        return Some(format!(
            "From the vault {} by the query {}, set {when} by {by}",
            view.from.vault, view.from.query
        ));
    }
    let what = match name {
        "client_secret" => stored
            .client_secret_ends_in
            .as_ref()
            .map(|end| format!("ends in {end}")),
        "private_key" => stored
            .key_fingerprint
            .as_ref()
            .map(|print| format!("its public half begins with {print} (SHA-256)")),
        _ => None,
    }?;
    let by = stored.set_by_name.as_deref().unwrap_or("somebody");
    let when = words::distance(now_ms - stored.set_at);
    Some(format!("Set {when} by {by}, {what}"))
}

/// The problem's words, where it is about this field.
pub(super) fn at(problem: Option<&Problem>, field: &str) -> Option<String> {
    problem
        .filter(|problem| problem.fix.field.as_deref() == Some(field))
        .map(|problem| {
            format!(
                "{}. {}",
                words::sentence(&problem.message),
                problem.fix.text
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest::parse(seatwise_builtin_connectors::all()[0].manifest).unwrap()
    }

    fn typed(pairs: &[(&str, &str)]) -> Typed {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn shown(typed: &Typed, problem: Option<&Problem>) -> Vec<GrantForm> {
        let manifest = manifest();
        forms(&Known {
            manifest: &manifest,
            stored: None,
            asked: Some("jwt-bearer"),
            typed,
            problem,
            callback_url: "https://seatwise.example.com/connect/callback",
            vaults: &[],
            now_ms: 0,
        })
    }

    #[test]
    fn what_was_typed_comes_back_but_for_secrets() {
        let secrets = typed(&[
            ("grant", "refresh-token"),
            ("client_id", "the id"),
            ("client_secret", "canary-secret"),
            ("refresh_token", "canary-token"),
            ("private_key", "canary-key"),
        ]);
        let forms = shown(&secrets, None);
        let text = serde_json::to_string(&forms).unwrap();
        assert!(text.contains("the id") && !text.contains("canary"));
        let chosen: Vec<_> = forms.iter().filter(|form| form.is_chosen).collect();
        assert_eq!(chosen.len(), 1);
        assert_eq!(chosen[0].grant, "refresh-token");
        let new = credential(&secrets);
        assert_eq!(new.field("client_secret"), "canary-secret");
        assert_eq!(new.field("refresh_token"), "canary-token");
    }

    #[test]
    fn a_problem_stands_at_its_field_only() {
        let problem = Problem::new("x", 422, "it is mistyped", "Copy it again").at("client_id");
        for form in shown(&Typed::new(), Some(&problem)) {
            assert_eq!(
                form.client_id.problem.as_deref(),
                Some("It is mistyped. Copy it again")
            );
            assert_eq!(form.client_secret.problem, None);
        }
    }

    #[test]
    fn the_address_chooses_a_grant_and_an_unknown_one_is_ignored() {
        let chosen = |typed: &Typed| {
            let form = shown(typed, None).into_iter().find(|form| form.is_chosen);
            form.map(|form| form.grant)
        };
        assert_eq!(chosen(&Typed::new()), Some("jwt-bearer"));
        let wrong = typed(&[("grant", "password")]);
        assert_eq!(chosen(&wrong), Some("jwt-bearer"));
    }
}
