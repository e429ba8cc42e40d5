//! Which kinds of licence beside the user licence this org has shown: "cannot see" is not "none".
//!
//! Whoever is not told of a seat takes it for given back. So a kind that could be read once and cannot be read now fails the run,
//! while one that never could be read, in an edition or with rights that do not show it, is left out with a word in the log.
//! `identify` tries each kind that the settings want and that is not known yet, and the memo carries what is known from run to run.
//! A kind that the settings leave alone is forgotten: whoever takes it back in begins anew.
//!
//! Feature licences are no such kind: they are columns of the user that no right hides (salesforce.md §3.7).

use seatwise_connector_sdk::{Call, Failure, Level, failure};

use crate::{
    api::Api,
    holdings,
    org::{self, Org},
    settings::{LicenceKind, Settings},
};

/// Code of the failure; the manifest says what to do.
pub const HIDDEN: &str = "licence_kind_hidden";

/// Kinds that a right shows or hides, with the words that settings and memo use for them.
const KINDS: [(LicenceKind, &str); 2] = [
    (
        LicenceKind::PermissionSetLicences,
        "permission-set-licences",
    ),
    (LicenceKind::Packages, "packages"),
];

/// The kinds that the settings want and that the org shows, or has shown before.
///
/// # Errors
/// What says nothing about rights: the vendor is down, the limit is spent.
pub fn find_out(
    api: &Api<'_>,
    settings: &Settings,
    before: &[LicenceKind],
) -> Result<Vec<LicenceKind>, Failure> {
    let mut shown = vec![];
    for (kind, _) in KINDS.into_iter().filter(|(kind, _)| settings.reads(*kind)) {
        if before.contains(&kind) || can_be_read(api, kind)? {
            shown.push(kind);
        }
    }
    Ok(shown)
}

/// Asks as the download asks, for one row.
fn can_be_read(api: &Api<'_>, kind: LicenceKind) -> Result<bool, Failure> {
    let Some(query) = holdings::query_of(kind) else {
        return Ok(false);
    };
    match api.query(&format!("{query} LIMIT 1")) {
        Ok(_) => Ok(true),
        Err(failure) if org::is_absent(&failure) => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// Takes a kind that cannot be read for none, with a word in the log.
///
/// # Errors
/// `permission`, code [`HIDDEN`], where the org has shown the kind before; any failure that says something else.
pub fn none_of(
    call: &Call<'_>,
    org: &Org,
    kind: LicenceKind,
    failure: Failure,
) -> Result<(), Failure> {
    if !org::is_absent(&failure) {
        return Err(failure);
    }
    if org.has_shown(kind) {
        return Err(failure::permission(
            HIDDEN,
            format!(
                "{} could be read before and cannot be read any more ({}); that is no reason to end them",
                name(kind),
                failure.code
            ),
        ));
    }
    call.log(
        Level::Warn,
        "a kind of licence cannot be read; its holders are left out",
        &[("code", &failure.code)],
    );
    Ok(())
}

/// For people.
fn name(kind: LicenceKind) -> &'static str {
    match kind {
        LicenceKind::PermissionSetLicences => "Permission-set licences",
        LicenceKind::Packages => "Seats of managed packages",
        LicenceKind::Features => "Feature licences",
    }
}

/// For the memo.
pub fn words(shown: &[LicenceKind]) -> Vec<&'static str> {
    KINDS
        .into_iter()
        .filter(|(kind, _)| shown.contains(kind))
        .map(|(_, word)| word)
        .collect()
}

/// Reads [`words`]; one that is not known is none.
pub fn of_words(words: &[&str]) -> Vec<LicenceKind> {
    KINDS
        .into_iter()
        .filter(|(_, word)| words.contains(word))
        .map(|(kind, _)| kind)
        .collect()
}
