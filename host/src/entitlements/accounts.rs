//! One account with everything that is known of its use: what it holds, when the vendor saw it last, and its logins by month.

use std::collections::BTreeMap;

use serde::Serialize;

use super::model::SubscriptionView;
use super::service::EntitlementError;
use super::store;
use super::subscriptions::{Cursor, Filter};
use crate::app::host::Host;
use crate::identity::roles::{Actor, Permission};
use crate::kernel::{Day, OrgId, PersonId};

/// Days of activity that are shown: the vendor's six months, and as much again of our own.
const SHOWN_DAYS: i64 = 366;
/// Subscriptions of one account that are shown; nobody holds more kinds of licence than that.
const MOST_HELD: i64 = 200;

/// Rows of one account, day, kind, outcome and source, as they are stored.
#[derive(Clone, Debug)]
pub(super) struct ActivityRow {
    pub day: Day,
    pub kind: String,
    pub outcome: String,
    pub source: String,
    pub count: i64,
    pub last_at: i64,
}

/// What was seen in a month.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ActivityMonth {
    /// `2026-11`.
    pub month: String,
    /// By a person in a browser or app.
    pub interactive: i64,
    /// By a program.
    pub api: i64,
    /// Anything else, such as an edited record.
    pub other: i64,
    /// Attempts that failed, of any kind.
    pub failed: i64,
    /// Days with a success of any kind.
    pub days: i64,
}

/// The last time of one kind, outcome and source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastSeen {
    /// `interactive`, `api` or `other`.
    pub kind: String,
    /// `success` or `failed`.
    pub outcome: String,
    /// Where it was read, such as `last_activity` for our own record of the vendor's last login.
    pub source: String,
    /// How often, in the days that are shown.
    pub count: i64,
    /// When last, milliseconds.
    pub last_at: i64,
}

/// An account as others see it.
#[derive(Clone, Debug, Serialize)]
pub struct AccountView {
    /// Where.
    pub organization_id: OrgId,
    /// The org's name.
    pub organization: String,
    /// The vendor's id.
    pub account_id: String,
    /// User principal name.
    pub principal: String,
    /// Mail address at the vendor.
    pub email: Option<String>,
    /// Name at the vendor.
    pub name: Option<String>,
    /// `person`, `service`, `external`, `unknown`.
    pub kind: String,
    /// May sign in, as far as the vendor's active mark says.
    pub is_active: bool,
    /// No longer there at the last full download.
    pub is_gone: bool,
    /// `yes`, `no`, `unknown`.
    pub frozen: String,
    /// Created at the vendor.
    pub created_on_vendor_at: Option<i64>,
    /// First seen by us.
    pub first_seen_at: i64,
    /// `unknown`, `never` or `at`.
    pub activity_state: String,
    /// When last, where known.
    pub activity_at: Option<i64>,
    /// Last sign-in that an identity provider reported; beside the vendor's own activity, never in its place.
    pub signed_in_at: Option<i64>,
    /// Which identity provider, and under which application.
    pub signed_in_by: Option<String>,
    /// The later of both counts for the rules of this organization.
    pub counts_sign_ins: bool,
    /// The person, where resolved.
    pub person_id: Option<PersonId>,
    /// The person's name.
    pub person: Option<String>,
    /// What the connector told besides, by name.
    pub attributes: BTreeMap<String, String>,
    /// From when the vendor's history of activity has been read; `None`: nothing deeper than the last login is read.
    pub history_from: Option<i64>,
    /// Until when.
    pub history_until: Option<i64>,
    /// What it holds.
    pub subscriptions: Vec<SubscriptionView>,
    /// Newest first.
    pub last_seen: Vec<LastSeen>,
    /// Oldest first, without gaps.
    pub months: Vec<ActivityMonth>,
}

/// One account by its org and the vendor's id.
///
/// # Errors
/// [`EntitlementError::NoAccount`], [`EntitlementError::Denied`].
pub async fn get_account(
    host: &Host,
    actor: &Actor,
    organization: &OrgId,
    account: &str,
) -> Result<AccountView, EntitlementError> {
    actor.may(Permission::Read)?;
    let today = Day::of_ms(host.now_ms());
    let mut tx = host.store.read(&actor.sight).await?;
    let mut view = store::accounts::find(&mut tx, organization, account)
        .await?
        .ok_or_else(|| EntitlementError::NoAccount(account.to_owned()))?;
    let since = today.plus_days(-SHOWN_DAYS);
    let rows = store::accounts::activity(&mut tx, organization, account, since).await?;
    view.months = months(&rows);
    view.last_seen = last_seen(&rows);
    let held = Filter {
        organization: Some(organization.clone()),
        ..Filter::default()
    };
    // The list is in the order of accounts: what this one holds comes right after its own key.
    let own = Cursor {
        organization: organization.to_string(),
        account: account.to_owned(),
        identifier: String::new(),
    };
    let mut subscriptions =
        store::list_subscriptions(&mut tx, &held, &own, today, MOST_HELD).await?;
    subscriptions.retain(|held| held.account_id == account);
    view.subscriptions = subscriptions;
    Ok(view)
}

/// Counts by month, from the first with a row to the last. Our own record of the last login marks a day, but counts nothing.
fn months(rows: &[ActivityRow]) -> Vec<ActivityMonth> {
    let month_of = |day: Day| day.to_string()[..7].to_owned();
    let mut by_month: BTreeMap<String, (ActivityMonth, std::collections::BTreeSet<Day>)> =
        BTreeMap::new();
    let span = rows
        .iter()
        .map(|row| row.day)
        .min()
        .zip(rows.iter().map(|row| row.day).max());
    if let Some((mut day, last)) = span {
        while month_of(day) <= month_of(last) {
            by_month.entry(month_of(day)).or_default();
            day = day.plus_days(28);
        }
    }
    for row in rows {
        let (month, days) = by_month.entry(month_of(row.day)).or_default();
        if row.outcome != "success" {
            month.failed += row.count;
            continue;
        }
        days.insert(row.day);
        if row.source != store::accounts::OWN_RECORD {
            match row.kind.as_str() {
                "interactive" => month.interactive += row.count,
                "api" => month.api += row.count,
                _ => month.other += row.count,
            }
        }
    }
    by_month
        .into_iter()
        .map(|(month, (counts, days))| ActivityMonth {
            month,
            days: i64::try_from(days.len()).unwrap_or(i64::MAX),
            ..counts
        })
        .collect()
}

fn last_seen(rows: &[ActivityRow]) -> Vec<LastSeen> {
    let mut by_kind: BTreeMap<(&str, &str, &str), (i64, i64)> = BTreeMap::new();
    for row in rows {
        let (count, last) = by_kind
            .entry((&row.kind, &row.outcome, &row.source))
            .or_insert((0, i64::MIN));
        *count += row.count;
        *last = (*last).max(row.last_at);
    }
    let mut seen: Vec<LastSeen> = by_kind
        .into_iter()
        .map(|((kind, outcome, source), (count, last_at))| LastSeen {
            kind: kind.to_owned(),
            outcome: outcome.to_owned(),
            source: source.to_owned(),
            count,
            last_at,
        })
        .collect();
    seen.sort_by_key(|seen| std::cmp::Reverse(seen.last_at));
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(day: &str, kind: &str, outcome: &str, source: &str, count: i64) -> ActivityRow {
        let day: Day = day.parse().unwrap();
        ActivityRow {
            day,
            kind: kind.to_owned(),
            outcome: outcome.to_owned(),
            source: source.to_owned(),
            count,
            last_at: day.start_ms(),
        }
    }

    #[test]
    fn months_have_no_gaps_and_our_own_record_marks_a_day_without_counting() {
        let rows = [
            row("2026-01-31", "interactive", "success", "login_history", 3),
            row("2026-01-31", "other", "success", "last_activity", 1),
            row("2026-04-01", "api", "success", "login_history", 5),
            row("2026-04-02", "interactive", "failed", "login_history", 2),
            row("2026-04-03", "other", "success", "last_activity", 1),
        ];
        let months = months(&rows);
        let names: Vec<_> = months.iter().map(|month| month.month.as_str()).collect();
        assert_eq!(names, ["2026-01", "2026-02", "2026-03", "2026-04"]);
        assert_eq!(
            (months[0].interactive, months[0].other, months[0].days),
            (3, 0, 1)
        );
        assert_eq!(
            months[1],
            ActivityMonth {
                month: "2026-02".to_owned(),
                ..ActivityMonth::default()
            }
        );
        assert_eq!((months[3].api, months[3].failed, months[3].days), (5, 2, 2));
        assert!(super::months(&[]).is_empty());
    }

    #[test]
    fn the_last_time_is_told_by_kind_and_source_newest_first() {
        let rows = [
            row("2026-01-31", "interactive", "success", "login_history", 3),
            row("2026-02-01", "interactive", "success", "login_history", 1),
            row("2026-04-01", "api", "success", "login_history", 5),
        ];
        let seen = last_seen(&rows);
        assert_eq!(seen.len(), 2);
        assert_eq!((seen[0].kind.as_str(), seen[0].count), ("api", 5));
        assert_eq!((seen[1].count, seen[1].last_at), (4, rows[1].last_at));
    }
}
