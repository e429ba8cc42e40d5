//! What a rule says of every subscription of its product, as one SQL text over all of them.
//!
//! The same decision as the pure `evaluate::evaluate`; a test holds the two equal.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::kernel::clock::DAY_MS;
use crate::kernel::{Day, OrgId, ProductId};
use crate::reclamation::rule::{Deciding, Scope};
use crate::store::{StoreError, Tx};

/// A rule's deciding fields as the statement's parameters. Sets are texts between bars, so that one static text serves any
/// number of elements on both databases.
pub(in crate::reclamation) struct Asked<'a> {
    pub product: &'a ProductId,
    scope: String,
    kinds: String,
    exclusions: String,
    include_never: i64,
    now_ms: i64,
    before_ms: i64,
}

fn barred<'a>(words: impl Iterator<Item = &'a String>) -> String {
    words.fold(String::from("|"), |mut text, word| {
        text.push_str(word);
        text.push('|');
        text
    })
}

impl<'a> Asked<'a> {
    pub fn new(product: &'a ProductId, rule: &Deciding, now_ms: i64) -> Self {
        Self {
            product,
            scope: match &rule.scope {
                Scope::AllOrganizations => String::new(),
                Scope::Organizations(listed) => barred(listed.iter()),
            },
            kinds: barred(rule.conditions.account_kinds.iter()),
            exclusions: barred(rule.exclusions.iter()),
            include_never: i64::from(rule.conditions.include_never_active),
            now_ms,
            // Whole days between two moments are those between their UTC days.
            before_ms: Day::of_ms(now_ms).start_ms() - (rule.threshold_days - 1) * DAY_MS,
        }
    }
}

/// `$1` product, `$2` scope, `$3` kinds, `$4` exclusions, `$5` include never active, `$6` now, `$7` first moment that is not long
/// enough ago.
macro_rules! verdict {
    () => {
        verdict!("s.baseline_at", "s.is_never_active")
    };
    ($baseline:literal, $never:literal) => {
        concat!("case when s.is_active = 0 then 'not_active' \
           when s.product_id is null then 'unrecognised' \
           when s.is_free = 1 then 'free' \
           when $2 <> '' and replace($2, '|' || s.organization_id || '|', '') = $2 then 'out_of_scope' \
           when replace($3, '|' || s.kind || '|', '') = $3 then 'other_kind' \
           when exists (select 1 from exemptions x where x.ended_at is null and (x.until is null or x.until > $6) \
             and (x.organization_id is null or x.organization_id = s.organization_id) \
             and (x.account_id = s.account_id or lower(x.principal) = lower(s.principal))) then 'exempt' \
           when replace(lower($4), lower('|' || s.principal || '|'), '') <> lower($4) then 'excluded' \
           when ", $never, " = 1 and $5 = 0 then 'never_active_left_out' \
           when s.cool_down_until is not null and s.cool_down_until > $6 then 'cooling_down' \
           when ", $baseline, " is null then 'cannot_judge' \
           when ", $baseline, " >= $7 then 'in_use' \
           when s.organization_kind = 'import' then 'by_hand' else 'candidate' end")
    };
}

macro_rules! ask {
    ($text:expr, $asked:expr) => {
        sqlx::query($text)
            .bind($asked.product.as_str().to_owned())
            .bind($asked.scope.clone())
            .bind($asked.kinds.clone())
            .bind($asked.exclusions.clone())
            .bind($asked.include_never)
            .bind($asked.now_ms)
            .bind($asked.before_ms)
    };
}

/// One subscription with its verdict.
#[derive(Clone, Debug)]
pub(in crate::reclamation) struct VerdictRow {
    pub organization_id: OrgId,
    pub organization_name: String,
    pub account_id: String,
    pub identifier: String,
    pub principal: String,
    pub name: Option<String>,
    pub person_id: Option<String>,
    pub activity_at: Option<i64>,
    pub baseline_at: Option<i64>,
    pub verdict: String,
}

fn verdict_row(row: &AnyRow) -> Result<VerdictRow, StoreError> {
    Ok(VerdictRow {
        organization_id: row.try_get::<String, _>("organization_id")?.into(),
        organization_name: row.try_get("organization_name")?,
        account_id: row.try_get("account_id")?,
        identifier: row.try_get("identifier")?,
        principal: row.try_get("principal")?,
        name: row.try_get("name")?,
        person_id: row.try_get("person_id")?,
        activity_at: row.try_get("activity_at")?,
        baseline_at: row.try_get("baseline_at")?,
        verdict: row.try_get("verdict")?,
    })
}

/// How many subscriptions got which verdict, most first.
pub(in crate::reclamation) async fn count(
    tx: &mut Tx,
    asked: &Asked<'_>,
) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = ask!(
        concat!(
            "select v.verdict, count(*) as n from (select ",
            verdict!(),
            " as verdict from current_subscriptions s where s.product_id = $1) v group by v.verdict order by n desc, v.verdict"
        ),
        asked
    )
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("verdict")?, row.try_get("n")?)))
        .collect()
}

/// Rows, those named first, the longest unused first.
pub(in crate::reclamation) async fn list(
    tx: &mut Tx,
    asked: &Asked<'_>,
    limit: i64,
) -> Result<Vec<VerdictRow>, StoreError> {
    ask!(
        concat!(
            "select v.* from (select s.organization_id, o.name as organization_name, s.account_id, s.identifier, s.principal, s.name, \
               s.person_id, s.activity_at, s.baseline_at, ",
            verdict!(),
            " as verdict from current_subscriptions s join organizations o on o.id = s.organization_id where s.product_id = $1) v \
             order by case when v.verdict = 'candidate' then 0 else 1 end, coalesce(v.baseline_at, 0), v.principal, v.organization_id, \
               v.identifier limit $8"
        ),
        asked
    )
    .bind(limit)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(verdict_row)
    .collect()
}

/// Named subscriptions of one organization that have no open candidate.
pub(in crate::reclamation) async fn unopened(
    tx: &mut Tx,
    asked: &Asked<'_>,
    organization: &OrgId,
) -> Result<Vec<VerdictRow>, StoreError> {
    ask!(
        concat!(
            "select v.* from (select s.organization_id, o.name as organization_name, s.account_id, s.identifier, s.principal, s.name, \
               s.person_id, s.activity_at, s.baseline_at, ",
            verdict!(),
            " as verdict from current_subscriptions s join organizations o on o.id = s.organization_id \
             where s.product_id = $1 and s.organization_id = $8) v \
             where v.verdict = 'candidate' and not exists (select 1 from candidates c where c.organization_id = v.organization_id \
               and c.account_id = v.account_id and c.identifier = v.identifier and c.closed_at is null) \
             order by v.account_id, v.identifier"
        ),
        asked
    )
    .bind(organization.as_str().to_owned())
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(verdict_row)
    .collect()
}

/// How many subscriptions of a product the rule names, by organization.
pub(in crate::reclamation) async fn named_by_organization(
    tx: &mut Tx,
    asked: &Asked<'_>,
) -> Result<Vec<(OrgId, i64)>, StoreError> {
    let rows = ask!(
        concat!(
            "select v.organization_id, count(*) as n from (select s.organization_id, ",
            verdict!(),
            " as verdict from current_subscriptions s where s.product_id = $1) v where v.verdict = 'candidate' group by v.organization_id"
        ),
        asked
    )
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.try_get::<String, _>("organization_id")?.into(),
                row.try_get("n")?,
            ))
        })
        .collect()
}

/// How many subscriptions of one organization the rule names by the vendor's own activity alone, and by the later of that and the last
/// sign-in, whatever the organization's setting is.
pub(in crate::reclamation) async fn named_by_either(
    tx: &mut Tx,
    asked: &Asked<'_>,
    organization: &OrgId,
) -> Result<(i64, i64), StoreError> {
    let row = ask!(
        concat!(
            "select cast(coalesce(sum(case when v.by_vendor = 'candidate' then 1 else 0 end), 0) as bigint) as by_vendor, \
               cast(coalesce(sum(case when v.by_later = 'candidate' then 1 else 0 end), 0) as bigint) as by_later from (select ",
            verdict!("s.vendor_baseline_at", "case s.activity_state when 'never' then 1 else 0 end"),
            " as by_vendor, ",
            verdict!("s.signed_baseline_at", "s.is_never_signed"),
            " as by_later from current_subscriptions s where s.product_id = $1 and s.organization_id = $8) v"
        ),
        asked
    )
    .bind(organization.as_str().to_owned())
    .fetch_one(tx.conn())
    .await?;
    Ok((row.try_get("by_vendor")?, row.try_get("by_later")?))
}
