//! Sources without a connector: the list, one source with its files, the preview of a file, and what moves it.
use axum::Form;
use axum::extract::multipart::{Multipart, MultipartRejection};
use axum::extract::{Path, Query, State};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::imports::mapping::{Dates, Target};
use crate::imports::model::{FileView, SourceView, UNUSED_DAYS};
use crate::imports::reading::MOST_LEFT_OUT;
use crate::imports::service::{self, MOST_BYTES, NewText, Remap};
use crate::kernel::Problem;
use crate::kernel::sheet::Charset;

/// What a file may look like, for download.
const TEMPLATE: &str = "account,email,name,licence,since,last_activity,status,kind\n\
     u-1001,ana@example.com,Ana Alm,Pro,2025-01-15,2026-03-01T08:30:00Z,active,person\n\
     u-1002,bo@example.com,Bo Berg,Pro,2025-02-01,,active,person\n\
     u-1002,bo@example.com,Bo Berg,Whiteboard,2025-06-01,2026-02-11,active,person\n";

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    const MANAGE: Permission = Permission::ManageProfiles;
    vec![
        Route::page(
            Method::GET,
            "/imports",
            Permission::Read,
            "Sources without a connector",
            list,
        ),
        Route::page(
            Method::POST,
            "/imports",
            MANAGE,
            "Makes a source without a connector",
            create,
        ),
        Route::page(
            Method::GET,
            "/imports/template",
            Permission::Read,
            "A CSV file to fill in",
            template,
        ),
        Route::page(
            Method::POST,
            "/imports/file",
            MANAGE,
            "Brings a file to a source, to be looked at first",
            bring,
        )
        .up_to(MOST_BYTES + super::gate::FORM_BYTES),
        Route::page(
            Method::GET,
            "/imports/{number}",
            Permission::Read,
            "One source with its files",
            show,
        ),
        Route::page(
            Method::POST,
            "/imports/{number}/delete",
            MANAGE,
            "Deletes a source; everything it brought ends",
            delete,
        ),
        Route::page(
            Method::GET,
            "/imports/{number}/files/{file}",
            Permission::Read,
            "A file as it will be read",
            preview,
        ),
        Route::page(
            Method::POST,
            "/imports/{number}/files/{file}/mapping",
            MANAGE,
            "Says what each column is read as",
            remap,
        ),
        Route::page(
            Method::POST,
            "/imports/{number}/files/{file}/import",
            MANAGE,
            "Imports a file as a complete snapshot",
            import,
        ),
    ]
}

#[derive(Serialize)]
struct ImportsPage {
    sources: Vec<SourceView>,
    typed_name: String,
    typed_publisher: String,
}

async fn list_page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    typed: NewSource,
) -> Result<Response, Error> {
    let body = ImportsPage {
        sources: service::list_sources(host, &visitor.actor).await?,
        typed_name: typed.name,
        typed_publisher: typed.publisher,
    };
    chrome::page("pages/imports", &frame.titled("Imports"), &body)
}

async fn list(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    list_page(&host, &visitor, frame, NewSource::default()).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NewSource {
    name: String,
    publisher: String,
}

async fn create(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<NewSource>,
) -> Result<Response, Error> {
    match service::create_source(&host, &visitor.actor, &form.name, &form.publisher).await {
        Ok(source) => Ok(chrome::done(
            &format!("/imports/{}", source.number),
            "source-made",
        )),
        Err(error) => {
            let frame = Chrome::of(&host, &visitor).troubled(Some(told(&error)));
            list_page(&host, &visitor, frame, form).await
        }
    }
}

async fn template() -> Response {
    (
        [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
            (
                header::CONTENT_DISPOSITION,
                "attachment; filename=\"licences.csv\"",
            ),
        ],
        TEMPLATE,
    )
        .into_response()
}

/// One choice of a list.
#[derive(Serialize)]
pub(super) struct Choice {
    id: &'static str,
    says: &'static str,
    is_chosen: bool,
}

impl Choice {
    /// A choice with its stored word and what it says.
    pub(super) fn new(id: &'static str, says: &'static str, is_chosen: bool) -> Self {
        Self {
            id,
            says,
            is_chosen,
        }
    }
}

/// The encodings that may be chosen for a file.
pub(super) fn encodings() -> Vec<Choice> {
    Charset::ALL
        .into_iter()
        .map(|charset| Choice::new(charset.as_str(), charset.as_str(), false))
        .collect()
}

#[derive(Serialize)]
struct SourcePage {
    source: SourceView,
    files: Vec<FileView>,
    is_ended: bool,
    encodings: Vec<Choice>,
    unused_days: i64,
    most_mib: usize,
}

async fn source_page(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    frame: Chrome,
) -> Result<Response, Error> {
    let (source, files) = service::get_source(host, &visitor.actor, number).await?;
    let title = format!("{} - {}", source.number, source.name);
    let body = SourcePage {
        is_ended: source.state == "archived",
        source,
        files,
        encodings: encodings(),
        unused_days: UNUSED_DAYS,
        most_mib: MOST_BYTES / (1024 * 1024),
    };
    chrome::page("pages/import", &frame.titled(&title), &body)
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    source_page(&host, &visitor, &number, frame).await
}

/// What the form with a file brings.
#[derive(Default)]
pub(super) struct Brought {
    pub(super) number: String,
    name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) encoding: String,
    separator: String,
    pub(super) dates: String,
    pub(super) leaves_out: bool,
}

fn unreadable() -> Problem {
    Problem::new(
        "import.form",
        422,
        "the form with the file cannot be read",
        format!(
            "Choose a file of at most {} MiB and send the form again; a larger one is split, or goes through the API",
            MOST_BYTES / (1024 * 1024)
        ),
    )
    .at("file")
}

/// Reads a form with a file.
pub(super) async fn brought(
    form: Result<Multipart, MultipartRejection>,
) -> Result<Brought, Problem> {
    let mut form = form.map_err(|_| unreadable())?;
    let mut brought = Brought::default();
    let mut pasted = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|_| unreadable())? {
        let name = field.name().unwrap_or_default().to_owned();
        let file_name = field.file_name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(|_| unreadable())?;
        let text = || String::from_utf8_lossy(&bytes).trim().to_owned();
        match name.as_str() {
            "number" => brought.number = text(),
            "encoding" => brought.encoding = text(),
            "separator" => brought.separator = text(),
            "dates" => brought.dates = text(),
            "leave_out" => brought.leaves_out = true,
            "pasted" => pasted = bytes.to_vec(),
            "file" => {
                brought.name = file_name;
                brought.bytes = bytes.to_vec();
            }
            _ => {}
        }
    }
    if brought.bytes.is_empty() {
        brought.bytes = pasted;
        brought.encoding.clear();
    }
    Ok(brought)
}

async fn bring(
    State(host): State<Host>,
    visitor: Visitor,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, Error> {
    let brought = brought(form).await?;
    let new = NewText {
        name: &brought.name,
        bytes: &brought.bytes,
        encoding: &brought.encoding,
        separator: &brought.separator,
    };
    match service::bring_file(&host, &visitor.actor, &brought.number, new).await {
        Ok(file) => Ok(
            Redirect::to(&format!("/imports/{}/files/{}", brought.number, file.id)).into_response(),
        ),
        Err(error) => {
            let problem = told(&error);
            if problem.status == 404 {
                return Err(problem.into());
            }
            let frame = Chrome::of(&host, &visitor).troubled(Some(problem));
            source_page(&host, &visitor, &brought.number, frame).await
        }
    }
}

async fn delete(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Response, Error> {
    match service::delete_source(&host, &visitor.actor, &number).await {
        Ok(()) => Ok(chrome::done(
            &format!("/imports/{number}"),
            "source-deleted",
        )),
        Err(error) => {
            let problem = told(&error);
            if problem.status == 404 {
                return Err(problem.into());
            }
            let frame = Chrome::of(&host, &visitor).troubled(Some(problem));
            source_page(&host, &visitor, &number, frame).await
        }
    }
}

/// A column with what it may be read as.
#[derive(Serialize)]
struct ColumnChoice {
    at: usize,
    heading: String,
    targets: Vec<Choice>,
}

#[derive(Serialize)]
struct PreviewPage {
    source: SourceView,
    columns: Vec<ColumnChoice>,
    dates: Vec<Choice>,
    licence: String,
    is_kept: bool,
    is_importable: bool,
    /// Bad lines behind those that are shown.
    more_bad: u64,
    is_too_bad: bool,
    file: FileView,
}

async fn preview_page(
    host: &Host,
    visitor: &Visitor,
    (number, file): (&str, &str),
    frame: Chrome,
) -> Result<Response, Error> {
    let (source, file) = service::get_file(host, &visitor.actor, number, file).await?;
    let columns = file
        .headings
        .iter()
        .zip(&file.mapping.columns)
        .enumerate()
        .map(|(at, (heading, chosen))| ColumnChoice {
            at,
            heading: heading.clone(),
            targets: Target::ALL
                .into_iter()
                .map(|target| Choice {
                    id: target.as_str(),
                    says: target.says(),
                    is_chosen: target == *chosen,
                })
                .collect(),
        })
        .collect();
    let is_kept = file.state == "kept" && source.state != "archived";
    let is_too_bad = file.judged.bad > MOST_LEFT_OUT as u64;
    let shown = file.judged.reasons.len() as u64;
    let body = PreviewPage {
        columns,
        dates: Dates::ALL
            .into_iter()
            .map(|dates| Choice {
                id: dates.as_str(),
                says: dates.says(),
                is_chosen: dates == file.mapping.dates,
            })
            .collect(),
        licence: file.mapping.licence.clone().unwrap_or_default(),
        is_importable: is_kept && file.judged.good > 0 && !is_too_bad,
        is_kept,
        is_too_bad,
        more_bad: file.judged.bad.saturating_sub(shown),
        source,
        file,
    };
    chrome::page(
        "pages/import_file",
        &frame.titled("Preview of a file"),
        &body,
    )
}

async fn preview(
    State(host): State<Host>,
    visitor: Visitor,
    Path((number, file)): Path<(String, String)>,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    preview_page(&host, &visitor, (&number, &file), frame).await
}

async fn refused(
    host: &Host,
    visitor: &Visitor,
    place: (&str, &str),
    problem: Problem,
) -> Result<Response, Error> {
    if problem.status == 404 {
        return Err(problem.into());
    }
    let frame = Chrome::of(host, visitor).troubled(Some(problem));
    preview_page(host, visitor, place, frame).await
}

async fn remap(
    State(host): State<Host>,
    visitor: Visitor,
    Path((number, file)): Path<(String, String)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Error> {
    let mut columns: Vec<(usize, String)> = Vec::new();
    let mut wish = Remap {
        is_empty_never: Some(false),
        ..Remap::default()
    };
    for (name, value) in fields {
        match name.as_str() {
            "dates" => wish.dates = Some(value),
            "licence" => wish.licence = Some(value),
            "empty_never" => wish.is_empty_never = Some(true),
            _ => {
                if let Some(at) = name.strip_prefix("column.").and_then(|at| at.parse().ok()) {
                    columns.push((at, value));
                }
            }
        }
    }
    columns.sort_by_key(|(at, _)| *at);
    wish.in_order = Some(columns.into_iter().map(|(_, word)| word).collect());
    match service::remap_file(&host, &visitor.actor, &number, &file, wish).await {
        Ok(_) => Ok(chrome::done(
            &format!("/imports/{number}/files/{file}"),
            "mapped",
        )),
        Err(error) => refused(&host, &visitor, (&number, &file), told(&error)).await,
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Seen {
    version: String,
    leave_out: String,
}

async fn import(
    State(host): State<Host>,
    visitor: Visitor,
    Path((number, file)): Path<(String, String)>,
    Form(form): Form<Seen>,
) -> Result<Response, Error> {
    let version = form.version.parse().unwrap_or(0);
    let leave_out = form.leave_out.parse().unwrap_or(0);
    match service::import_file(&host, &visitor.actor, &number, &file, version, leave_out).await {
        Ok(started) => Ok(chrome::done(&format!("/runs/{}", started.run), "importing")),
        Err(error) => refused(&host, &visitor, (&number, &file), told(&error)).await,
    }
}
