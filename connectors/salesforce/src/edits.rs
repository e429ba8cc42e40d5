//! Edits of records as activity: who last changed how many records of an object on a day.
//!
//! Salesforce keeps the last change of a record only, so a count is the records whose newest edit is of that day: a floor, and
//! proof that somebody worked. Machines edit as well, so the kind is *other*.

use seatwise_connector_sdk::{
    Failure,
    activity::{ActivityDay, Kind, Outcome},
    json,
};
use serde::Deserialize;

use crate::{
    activity::Cursor,
    api::Api,
    ids,
    logins::{GROUPS, Told, split},
    model::{QueryPage, Text},
    org, soql, time,
};

/// The objects that people of a sales or service team work on.
pub const OBJECTS: [&str; 4] = ["Account", "Opportunity", "Case", "Lead"];

/// Whether the object is there and can be counted by its editor.
///
/// # Errors
/// What describing fails with, but not for an absent object.
pub fn can_be_counted(api: &Api<'_>, object: &str) -> Result<bool, Failure> {
    let Some(fields) = org::describe(api, object)? else {
        return Ok(false);
    };
    let has = |name: &str, fits: &dyn Fn(&org::Field) -> bool| {
        fields.iter().any(|field| field.name == name && fits(field))
    };
    Ok(has("LastModifiedById", &|field| field.groupable)
        && has("LastModifiedDate", &|field| field.filterable))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Group<'a> {
    #[serde(borrow, default)]
    last_modified_by_id: Option<Text<'a>>,
    #[serde(default, rename = "expr0")]
    count: Option<u32>,
    #[serde(borrow, default, rename = "expr1")]
    newest: Option<Text<'a>>,
}

/// Counts of one window, in key-set pages of accounts.
///
/// # Errors
/// What the query fails with.
pub fn groups(api: &Api<'_>, object: &str, cursor: Cursor) -> Result<Told, Failure> {
    let after = if cursor.last.is_empty() {
        String::new()
    } else {
        format!(" AND LastModifiedById > {}", soql::quote(&cursor.last))
    };
    let answer = api.query(&format!(
        "SELECT LastModifiedById, COUNT(Id), MAX(LastModifiedDate) FROM {object} WHERE {}{after} \
         GROUP BY LastModifiedById ORDER BY LastModifiedById LIMIT {GROUPS}",
        cursor.condition("LastModifiedDate")?
    ))?;
    let page: QueryPage<'_, Group<'_>> = json::parse(answer.body())?;
    let editor = |group: &Group<'_>| {
        let id = group.last_modified_by_id.as_ref()?.as_str();
        Some(id.to_owned())
    };
    let (complete, next) = split(&page.records, page.done, editor, cursor)?;
    let source = format!("edits of {object}");
    let day = |group: &Group<'_>| {
        let account = ids::widen(group.last_modified_by_id.as_ref()?.as_str())?.into_owned();
        let last = time::parse(group.newest.as_ref()?.as_str())?;
        Some(ActivityDay {
            account,
            day: time::day(last)?,
            kind: Kind::Other,
            outcome: Outcome::Success,
            count: group.count?,
            last,
            source: source.clone(),
        })
    };
    Ok((complete.iter().filter_map(day).collect(), next))
}
