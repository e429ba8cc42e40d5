//! The task *Sign in* of the playbook: every grant that the connector offers, each with its own fields; what a sign-in at the vendor's
//! came to is told here.
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use seatwise_runtime::Manifest;
use seatwise_runtime::manifest::GrantOffer;
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Done};
use super::error::told;
use super::gate::Visitor;
use super::grant_form::{self, GrantForm, Known};
use super::playbook::{self, Shown};
use super::playbook_fields::{Choice, Typed};
use super::typed_form::Sent;
use crate::app::host::Host;
use crate::credentials::signin::{SigninView, callback_url};
use crate::credentials::{CredentialView, NewCredential};
use crate::identity::roles::Permission;
use crate::profiles::PlaybookView;
use crate::profiles::playbook::sign_in::{self, Saved, SignIn};
use crate::profiles::playbook::{checks, service};
use crate::vaults::service as vaults;

/// The task's part of the address.
const TASK: &str = "sign-in";

/// What the task shows besides the address.
#[derive(Serialize)]
pub(super) struct SignInPart {
    /// The grants to choose from.
    pub offered: Vec<Choice>,
    /// What is wrong with the choice.
    pub wrong_grant: Option<String>,
    /// The fields of the chosen one.
    pub form: GrantForm,
    /// What is connected already, once a token of it came.
    pub connected: Option<CredentialView>,
    /// The request came by another host than the vendor sends people back to.
    pub other_host: Option<String>,
}

/// The choice among grants, and the form of the chosen one.
pub(super) fn choice<'m>(
    known: &Known<'m>,
    grants: impl Iterator<Item = &'m GrantOffer>,
) -> Result<(Vec<Choice>, GrantForm), Error> {
    let offered: Vec<&GrantOffer> = grants.collect();
    let chosen = grant_form::chosen(known)
        .filter(|chosen| offered.iter().any(|offer| offer.id == chosen.id))
        .or(offered.first().copied());
    let choices = offered
        .iter()
        .map(|offer| Choice {
            id: offer.id.as_str().to_owned(),
            name: offer.title.clone(),
            is_chosen: Some(offer.id) == chosen.map(|chosen| chosen.id),
        })
        .collect();
    let form = chosen.map(|offer| grant_form::form(known, offer, true));
    // A manifest without a grant does not load.
    let form = form.ok_or_else(|| Error::from(crate::kernel::Problem::internal()))?;
    Ok((choices, form))
}

/// The form of the task, with what was typed or what is stored.
pub(super) async fn part(
    host: &Host,
    visitor: &Visitor,
    view: &PlaybookView,
    manifest: &Manifest,
    shown: &Shown,
) -> Result<SignInPart, Error> {
    let vaults = if visitor.actor.may(Permission::ManageProfiles).is_ok() {
        vaults::list(host, &visitor.actor).await?
    } else {
        Vec::new()
    };
    let stored = view.profile.credential.as_ref();
    // Why what is stored does not work stands at its field, until something else was typed.
    let found = stored
        .and_then(|stored| stored.problem.as_ref())
        .filter(|_| shown.typed.is_empty());
    let callback = callback_url(host);
    let known = Known {
        manifest,
        stored,
        asked: shown.grant.as_deref(),
        typed: &shown.typed,
        problem: shown.problem.as_ref().or(found),
        callback_url: &callback,
        vaults: &vaults,
        now_ms: host.now_ms(),
    };
    let (offered, form) = choice(&known, manifest.credential.grants.iter())?;
    Ok(SignInPart {
        wrong_grant: grant_form::at(shown.problem.as_ref(), "grant"),
        connected: stored
            .filter(|stored| stored.connected_at.is_some() && stored.health == "good")
            .cloned(),
        other_host: shown.own_host.clone().filter(|_| form.needs_consent),
        offered,
        form,
    })
}

/// A form's address and credential: by the first grant where none is named, and nothing that the grant does not take.
pub(crate) fn typed(manifest: &Manifest, form: &Typed) -> SignIn {
    let mut new = grant_form::credential(form);
    if new.grant_kind.is_empty()
        && let Some(first) = manifest.credential.grants.first()
    {
        first.id.as_str().clone_into(&mut new.grant_kind);
    }
    let takes = |field: &str| {
        manifest
            .grant(&new.grant_kind)
            .is_none_or(|offer| offer.takes(field))
    };
    let only = NewCredential {
        client_secret: if takes("client_secret") {
            new.client_secret.clone()
        } else {
            zeroize::Zeroizing::default()
        },
        refresh_token: new.refresh_token.clone().filter(|_| takes("refresh_token")),
        username: new.username.clone().filter(|_| takes("username")),
        private_key: new.private_key.clone().filter(|_| takes("private_key")),
        ..new.clone()
    };
    SignIn {
        login_url: playbook::text(form, "login_url"),
        new: only,
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    done: Option<String>,
    back: Option<String>,
    grant: Option<String>,
}

pub(super) async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let shown = Shown {
        done: Done::of(asked.done),
        back: asked
            .back
            .filter(|back| back == "review")
            .unwrap_or_default(),
        own_host: playbook::own_host(&host, &headers),
        grant: asked.grant,
        ..Shown::default()
    };
    playbook::page(&host, &visitor, &number, TASK, shown).await
}

pub(super) async fn save(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Sent(form): Sent,
) -> Result<Response, Error> {
    let actor = &visitor.actor;
    let view = service::view(&host, actor, &number).await?;
    let manifest = host.connectors.manifest(&view.profile.connector)?;
    let new = typed(&manifest, &form);
    match sign_in::save_sign_in(&host, actor, &number, new, playbook::seen(&form)).await {
        Ok(Saved::Leaves { id }) => Ok(Redirect::to(&format!("/connect/{id}")).into_response()),
        // Save and test are one act; what stands in the way of the checks is told by them.
        Ok(Saved::Stored) => match checks::start(&host, actor, &number).await {
            Ok(()) => Ok(chrome::done(
                &format!("/profiles/{number}/playbook/checks"),
                "checking",
            )),
            Err(error) => {
                let shown = Shown {
                    problem: Some(told(&error)),
                    ..Shown::default()
                };
                playbook::page(&host, &visitor, &number, "checks", shown).await
            }
        },
        Err(error) => playbook::refused(&host, &visitor, (&number, TASK), form, &error).await,
    }
}

/// The task after a sign-in that ended without a credential: why, and what was typed before the person left, but for the secret.
pub(super) async fn came_back(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    signin: &SigninView,
) -> Result<Response, Error> {
    let mut typed = Typed::new();
    typed.insert("grant".to_owned(), signin.grant.to_owned());
    typed.insert("client_id".to_owned(), signin.client_id.clone());
    if !signin.uses_pkce {
        typed.insert("without_pkce".to_owned(), "yes".to_owned());
    }
    let shown = Shown {
        typed,
        problem: signin.problem.clone(),
        ..Shown::default()
    };
    playbook::page(host, visitor, number, TASK, shown).await
}
