//! The one box at the top of every page: a record's number opens the record, anything else searches the accounts.
use axum::extract::Query;
use axum::http::Method;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::routes::Route;
use crate::identity::roles::Permission;

/// Where the records of a series stand; the number follows.
const PLACES: &[(&str, &str)] = &[
    ("PRF", "/profiles/"),
    ("RUN", "/runs/"),
    ("RUL", "/rules/"),
    ("CAN", "/candidates/"),
    ("BAT", "/batches/"),
    ("ACT", "/actions/"),
    ("REC", "/position?number="),
];

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![Route::page(
        Method::GET,
        "/find",
        Permission::Read,
        "Opens the record of a number, or searches the accounts",
        find,
    )]
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    what: String,
}

/// The address for what was typed. A number is taken as people say it: in any case, without the leading zeros.
fn place(what: &str) -> String {
    let what = what.trim();
    if let Some((prefix, digits)) = what.split_at_checked(3)
        && (1..=7).contains(&digits.len())
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && let Ok(number) = digits.parse::<u32>()
        && let Some((series, path)) = PLACES
            .iter()
            .find(|(series, _)| series.eq_ignore_ascii_case(prefix))
    {
        return format!("{path}{series}{number:07}");
    }
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("search", what)
        .finish();
    format!("/subscriptions?{query}")
}

async fn find(Query(asked): Query<Asked>) -> Response {
    Redirect::to(&place(&asked.what)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_opens_its_record_and_anything_else_searches() {
        for (typed, opened) in [
            ("CAN0001733", "/candidates/CAN0001733"),
            (" can1733 ", "/candidates/CAN0001733"),
            ("REC0001001", "/position?number=REC0001001"),
            ("CAN", "/subscriptions?search=CAN"),
            ("CAN+1", "/subscriptions?search=CAN%2B1"),
            ("XYZ0001001", "/subscriptions?search=XYZ0001001"),
            ("RUN99999999", "/subscriptions?search=RUN99999999"),
            ("ivy@acme.test", "/subscriptions?search=ivy%40acme.test"),
            (
                "/../../evil?x",
                "/subscriptions?search=%2F..%2F..%2Fevil%3Fx",
            ),
            ("//evil.example", "/subscriptions?search=%2F%2Fevil.example"),
            ("äöü", "/subscriptions?search=%C3%A4%C3%B6%C3%BC"),
            ("", "/subscriptions?search="),
        ] {
            assert_eq!(place(typed), opened, "{typed}");
        }
    }
}
