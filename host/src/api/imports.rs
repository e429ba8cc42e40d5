//! Sources without a connector over the API: make one, bring a file or rows, see how it will be read, import it.
use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Error;
use super::body::{Body, List};
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::imports::model::{FileView, SourceView};
use crate::imports::service::{self, MOST_BYTES, NewText, Remap, Started};
use crate::kernel::Problem;
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    const MANAGE: Permission = Permission::ManageProfiles;
    vec![
        Route::api(
            Method::GET,
            "/api/v1/imports",
            Permission::Read,
            "Sources without a connector",
            list,
        ),
        Route::api(
            Method::POST,
            "/api/v1/imports",
            MANAGE,
            "Makes a source without a connector",
            create,
        )
        .taking::<NewSource>(),
        Route::api(
            Method::GET,
            "/api/v1/imports/{number}",
            Permission::Read,
            "One source with its files",
            show,
        ),
        Route::api(
            Method::POST,
            "/api/v1/imports/{number}/delete",
            MANAGE,
            "Deletes a source; everything it brought ends",
            delete,
        ),
        Route::api(
            Method::POST,
            "/api/v1/imports/{number}/files",
            MANAGE,
            "Brings a file or rows to a source and shows how they will be read; imports nothing",
            bring,
        )
        .taking::<NewFile>()
        // Base64 takes four bytes for three.
        .up_to(MOST_BYTES / 3 * 4 + 64 * 1024),
        Route::api(
            Method::GET,
            "/api/v1/imports/{number}/files/{file}",
            Permission::Read,
            "A file as it will be read",
            preview,
        ),
        Route::api(
            Method::POST,
            "/api/v1/imports/{number}/files/{file}/mapping",
            MANAGE,
            "Says what each column is read as, and shows what that comes to",
            remap,
        )
        .taking::<Mapped>(),
        Route::api(
            Method::POST,
            "/api/v1/imports/{number}/files/{file}/import",
            MANAGE,
            "Imports a file as a complete snapshot: what it does not name ends",
            import,
        )
        .taking::<Seen>(),
    ]
}

async fn list(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<SourceView>>, Error> {
    Ok(List::all(service::list_sources(&host, &actor).await?))
}

/// A source without a connector.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSource {
    /// Unique; letters, digits, blanks and underscores.
    name: String,
    /// Who publishes the software.
    publisher: String,
}

async fn create(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<NewSource>,
) -> Result<Json<SourceView>, Error> {
    let source = service::create_source(&host, &actor, &body.name, &body.publisher).await?;
    Ok(Json(source))
}

#[derive(Serialize)]
struct SourceWithFiles {
    #[serde(flatten)]
    source: SourceView,
    /// Newest first.
    files: Vec<FileView>,
}

async fn show(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<SourceWithFiles>, Error> {
    let (source, files) = service::get_source(&host, &actor, &number).await?;
    Ok(Json(SourceWithFiles { source, files }))
}

async fn delete(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<SourceView>, Error> {
    service::delete_source(&host, &actor, &number).await?;
    let (source, _) = service::get_source(&host, &actor, &number).await?;
    Ok(Json(source))
}

/// A file, in one of three forms, with how to read it where the headings do not say so.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct NewFile {
    /// As it is called.
    name: String,
    /// The text, with its heading line.
    csv: Option<String>,
    /// The bytes of the file as it is, base64; for files that are not UTF-8.
    base64: Option<String>,
    /// Rows, each a map from heading to cell.
    rows: Option<Vec<BTreeMap<String, String>>>,
    /// `utf-8`, `utf-16le`, `utf-16be` or `windows-1252`; absent: by the file's mark, else UTF-8.
    encoding: Option<String>,
    /// `,`, `;`, `|` or `tab`; absent: what the heading line has most of.
    separator: Option<String>,
}

fn wrong_form() -> Problem {
    Problem::new(
        "import.form_of_file",
        422,
        "a file is given by exactly one of csv, base64 and rows",
        "Send the text as csv, the bytes of the file as base64, or a list of rows",
    )
    .at("csv")
}

/// Rows as the text that they are the same as.
fn written(rows: &[BTreeMap<String, String>]) -> Result<Vec<u8>, Problem> {
    let headings: BTreeSet<&String> = rows.iter().flat_map(BTreeMap::keys).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |cells: Vec<&str>| writer.write_record(cells).map_err(|_| wrong_form());
    write(headings.iter().map(|heading| heading.as_str()).collect())?;
    for row in rows {
        write(
            headings
                .iter()
                .map(|heading| row.get(*heading).map_or("", String::as_str))
                .collect(),
        )?;
    }
    writer.into_inner().map_err(|_| wrong_form())
}

async fn bring(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<NewFile>,
) -> Result<Json<FileView>, Error> {
    let bytes = match (body.csv, body.base64, body.rows) {
        (Some(text), None, None) => text.into_bytes(),
        (None, Some(coded), None) => STANDARD.decode(coded).map_err(|_| wrong_form())?,
        (None, None, Some(rows)) => written(&rows)?,
        _ => return Err(wrong_form().into()),
    };
    let new = NewText {
        name: &body.name,
        bytes: &bytes,
        encoding: body.encoding.as_deref().unwrap_or_default(),
        separator: body.separator.as_deref().unwrap_or_default(),
    };
    Ok(Json(
        service::bring_file(&host, &actor, &number, new).await?,
    ))
}

async fn preview(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path((number, file)): Path<(String, String)>,
) -> Result<Json<FileView>, Error> {
    let (_, file) = service::get_file(&host, &actor, &number, &file).await?;
    Ok(Json(file))
}

/// How a file is read. What is absent stays as it is.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Mapped {
    /// By heading: `account`, `email`, `name`, `licence`, `assigned`, `created`, `last_activity`, `status`, `kind`, `attribute` or
    /// `ignore`. A heading that is not named is not read.
    columns: Option<BTreeMap<String, String>>,
    /// `iso`, `day_month_year`, `month_day_year`, `unix_seconds` or `unix_milliseconds`.
    dates: Option<String>,
    /// The licence of every line, where no column names it; empty: none.
    licence: Option<String>,
    /// An empty last activity means never used, not unknown.
    empty_means_never: Option<bool>,
}

async fn remap(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path((number, file)): Path<(String, String)>,
    Body(body): Body<Mapped>,
) -> Result<Json<FileView>, Error> {
    let wish = Remap {
        columns: body.columns,
        in_order: None,
        dates: body.dates,
        licence: body.licence,
        is_empty_never: body.empty_means_never,
    };
    Ok(Json(
        service::remap_file(&host, &actor, &number, &file, wish).await?,
    ))
}

/// The preview that was seen.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Seen {
    /// `version` of the file as it was previewed.
    version: i64,
    /// How many lines that cannot be used are knowingly left out: all of them, or nothing is imported.
    #[serde(default)]
    leave_out: u64,
}

async fn import(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path((number, file)): Path<(String, String)>,
    Body(body): Body<Seen>,
) -> Result<Json<Started>, Error> {
    let started =
        service::import_file(&host, &actor, &number, &file, body.version, body.leave_out).await?;
    Ok(Json(started))
}
