//! Identity providers: their applications, whose sign-ins match nobody, and whether they count for a profile's rules.
use axum::Form;
use axum::extract::multipart::{Multipart, MultipartRejection};
use axum::extract::{Path, Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::imports::{Choice, brought, encodings};
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::imports::mapping::Dates;
use crate::imports::service::MOST_BYTES;
use crate::imports::sign_ins::service::{
    self, CountingView, IdentitySourceView, SignInFile, StrangerView,
};
use crate::kernel::{OrgId, Problem};

/// Logins that match nobody, on one page.
const PAGE: i64 = 200;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    const MANAGE: Permission = Permission::ManageProfiles;
    vec![
        Route::page(
            Method::GET,
            "/identity-sources",
            Permission::Read,
            "Identity providers and the sign-ins they report",
            list,
        ),
        Route::page(
            Method::POST,
            "/identity-sources",
            MANAGE,
            "Names an identity provider",
            create,
        ),
        Route::page(
            Method::POST,
            "/identity-sources/file",
            MANAGE,
            "Brings a file of sign-ins",
            bring,
        )
        .up_to(MOST_BYTES + super::gate::FORM_BYTES),
        Route::page(
            Method::GET,
            "/identity-applications/{id}",
            Permission::Read,
            "Logins of an application that match no account",
            strangers,
        ),
        Route::page(
            Method::POST,
            "/identity-applications/{id}",
            MANAGE,
            "Says which organization an application stands for",
            map,
        ),
        Route::page(
            Method::GET,
            "/profiles/{number}/sign-ins",
            Permission::Read,
            "Whether sign-ins count for a profile's rules, and what that changes",
            counting,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/sign-ins",
            MANAGE,
            "Lets sign-ins count for a profile's rules, or not",
            set_counting,
        ),
    ]
}

/// An organization that may be chosen.
#[derive(Serialize)]
struct OrgChoice {
    id: OrgId,
    name: String,
}

#[derive(Serialize)]
struct SourcesPage {
    sources: Vec<IdentitySourceView>,
    organizations: Vec<OrgChoice>,
    encodings: Vec<Choice>,
    dates: Vec<Choice>,
    typed_name: String,
}

async fn list_page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    typed_name: String,
) -> Result<Response, Error> {
    let organizations = service::list_organizations(host, &visitor.actor).await?;
    let body = SourcesPage {
        sources: service::list_sources(host, &visitor.actor).await?,
        organizations: organizations
            .into_iter()
            .map(|(id, name)| OrgChoice { id, name })
            .collect(),
        encodings: encodings(),
        dates: Dates::ALL
            .into_iter()
            .map(|dates| Choice::new(dates.as_str(), dates.says(), dates == Dates::Iso))
            .collect(),
        typed_name,
    };
    let frame = frame.titled("Identity providers");
    chrome::page("pages/identity_sources", &frame, &body)
}

async fn list(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    list_page(&host, &visitor, frame, String::new()).await
}

async fn answer(
    host: &Host,
    visitor: &Visitor,
    problem: Problem,
    typed_name: String,
) -> Result<Response, Error> {
    if problem.status == 404 {
        return Err(problem.into());
    }
    let frame = Chrome::of(host, visitor).troubled(Some(problem));
    list_page(host, visitor, frame, typed_name).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

async fn create(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<Named>,
) -> Result<Response, Error> {
    match service::create_source(&host, &visitor.actor, &form.name).await {
        Ok(_) => Ok(chrome::done("/identity-sources", "provider-made")),
        Err(error) => answer(&host, &visitor, told(&error), form.name).await,
    }
}

async fn bring(
    State(host): State<Host>,
    visitor: Visitor,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, Error> {
    let brought = brought(form).await?;
    let file = SignInFile {
        bytes: &brought.bytes,
        encoding: &brought.encoding,
        dates: &brought.dates,
        leaves_out: brought.leaves_out,
    };
    match service::bring_file(&host, &visitor.actor, &brought.number, file).await {
        Ok(_) => Ok(chrome::done("/identity-sources", "sign-ins-brought")),
        Err(error) => answer(&host, &visitor, told(&error), String::new()).await,
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct After {
    after: String,
}

#[derive(Serialize)]
struct StrangersPage {
    strangers: Vec<StrangerView>,
    next: Option<String>,
}

async fn strangers(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<After>,
) -> Result<Response, Error> {
    let strangers = service::list_strangers(&host, &visitor.actor, &id, &asked.after, PAGE).await?;
    let is_full = i64::try_from(strangers.len()).is_ok_and(|n| n == PAGE);
    let next = strangers.last().filter(|_| is_full).map(|last| {
        let after: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("after", &last.login)
            .finish();
        format!("/identity-applications/{id}?{after}")
    });
    chrome::page(
        "pages/identity_strangers",
        &Chrome::of(&host, &visitor).titled("Logins without an account"),
        &StrangersPage { strangers, next },
    )
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StandsFor {
    organization: String,
}

async fn map(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(form): Form<StandsFor>,
) -> Result<Response, Error> {
    let organization =
        Some(OrgId::from(form.organization.as_str())).filter(|id| !id.as_str().is_empty());
    match service::map_application(&host, &visitor.actor, &id, organization.as_ref()).await {
        Ok(()) => Ok(chrome::done("/identity-sources", "application-mapped")),
        Err(error) => answer(&host, &visitor, told(&error), String::new()).await,
    }
}

#[derive(Serialize)]
struct CountingPage {
    counting: CountingView,
    /// Candidates fewer by the later of both.
    fewer: i64,
}

async fn counting(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let counting = service::counting(&host, &visitor.actor, &number).await?;
    let fewer = counting.candidates_by_vendor - counting.candidates_by_later;
    chrome::page(
        "pages/profile_sign_ins",
        &Chrome::of(&host, &visitor)
            .titled("Sign-ins as a source of use")
            .done(&done),
        &CountingPage { counting, fewer },
    )
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    counts: String,
}

async fn set_counting(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<Counts>,
) -> Result<Response, Error> {
    service::set_counting(&host, &visitor.actor, &number, form.counts == "yes").await?;
    Ok(chrome::done(
        &format!("/profiles/{number}/sign-ins"),
        "counting",
    ))
}
