//! Runs a parsed query over the records and writes its pages.
//!
//! Rows come in id order, so a query without another order is answered page by page from a row number: constant memory at any size.
//! Only an order of its own, an offset and groups hold what they need in memory.

mod aggregate;
mod bind;
mod dates;
mod filter;
mod render;
mod scan;

use std::cmp::Ordering;

pub(crate) use crate::error::ApiError;
use crate::org::{DEFAULT_VERSION, Org};
use crate::schema::{Kind, Object, Property};
use crate::soql::{Operand, Order, Query};
use crate::value::Value;
use bind::{Column, Names, malformed, refused};
use filter::{Binder, Cond};
use render::Node;
use scan::Scan;

/// Largest `OFFSET`.
const MAX_OFFSET: usize = 2_000;

/// A query bound to the schema, ready to be read page by page.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) object: Object,
    pub(crate) total: u64,
    is_count: bool,
    /// Deleted rows are read too.
    with_deleted: bool,
    columns: Vec<Column>,
    nodes: Vec<Node>,
    scan: Scan,
    filter: Option<Cond>,
    /// Rows in answer order, only where the order is not the id's.
    sorted: Option<Vec<u64>>,
    /// Groups with their names, where rows are put together.
    groups: Option<Vec<aggregate::Group>>,
}

/// The release of a version in an address: 62 of `v62.0`; what is no version counts as the usual one.
pub(crate) fn release(version: &str) -> u32 {
    version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(DEFAULT_VERSION)
}

/// Whether the running user's rights do not show an object.
pub(crate) fn is_hidden(org: &Org, object: Object) -> bool {
    !object.is_seen(&org.seen(DEFAULT_VERSION))
}

/// One page.
pub(crate) struct Page {
    pub(crate) records: Vec<u8>,
    pub(crate) count: u64,
    /// Where the next page begins: a row number, or an index of the sorted rows.
    pub(crate) next: Option<u64>,
}

/// A key of an order.
#[derive(Debug, Clone)]
struct Key {
    column: Column,
    is_descending: bool,
    nulls_last: bool,
}

impl Key {
    fn order(&self, a: &Value<'_>, b: &Value<'_>) -> Ordering {
        let nulls = if self.nulls_last {
            Ordering::Greater
        } else {
            Ordering::Less
        };
        match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => nulls,
            (false, true) => nulls.reverse(),
            (false, false) => {
                let ordering = a.order(b).unwrap_or(Ordering::Equal);
                if self.is_descending {
                    ordering.reverse()
                } else {
                    ordering
                }
            }
        }
    }
}

impl Plan {
    /// Binds a query of a release, such as 62.
    ///
    /// # Errors
    /// What Salesforce refuses: objects and fields that are not there or not seen, wrong kinds of values, fields that cannot be
    /// filtered, grouped or sorted, too large an offset, too many groups.
    pub(crate) fn at(org: &Org, query: Query, version: u32) -> Result<Self, ApiError> {
        Self::of(org, query, version, false)
    }

    /// As [`Plan::at`], with the rows in the recycle bin: `queryAll`.
    ///
    /// # Errors
    /// As [`Plan::at`].
    pub(crate) fn all(org: &Org, query: Query, version: u32) -> Result<Self, ApiError> {
        Self::of(org, query, version, true)
    }

    fn of(org: &Org, query: Query, version: u32, with_deleted: bool) -> Result<Self, ApiError> {
        let seen = org.seen(version);
        let object = bind::object_of(&seen, &query.from)?;
        let names = Names {
            seen,
            object,
            alias: query.alias.as_deref(),
        };
        if query.offset > MAX_OFFSET {
            return Err(refused(
                "NUMBER_OUTSIDE_VALID_RANGE",
                format!("Maximum SOQL offset allowed is {MAX_OFFSET}"),
            ));
        }
        let mut binder = Binder::new(org, &names);
        let filter = match &query.filter {
            Some(filter) => Some(binder.bind(filter)?),
            None => None,
        };
        let scan = Scan::of(org, object, filter.as_ref());
        let mut plan = Self {
            object,
            total: 0,
            is_count: query.is_count,
            with_deleted,
            columns: Vec::new(),
            nodes: Vec::new(),
            scan,
            filter,
            sorted: None,
            groups: None,
        };
        if query.is_aggregate() {
            let groups = aggregate::run(org, &binder, &plan, &query)?;
            plan.total = groups.len() as u64;
            plan.groups = Some(groups);
            return Ok(plan);
        }
        if query.having.is_some() {
            return Err(malformed("HAVING needs GROUP BY"));
        }
        plan.columns = names.columns(&query)?;
        plan.nodes = render::nodes(&plan.columns);
        render::add_children(org, &names, &query, &mut plan.nodes)?;
        let order = keys(&names, &query.order)?;
        let limit = query.limit.map_or(u64::MAX, |limit| limit as u64);
        let is_by_id = match order.as_slice() {
            [] => true,
            [key] => {
                key.column.field.name == "Id" && key.column.steps.is_empty() && !key.is_descending
            }
            _ => false,
        };
        if is_by_id && query.offset == 0 {
            let mut total = 0;
            plan.look(org, 1, |_| {
                total += 1;
                total < limit
            });
            plan.total = total.min(limit);
        } else {
            let mut rows = plan.sort(org, &order);
            let from = query.offset.min(rows.len());
            rows.drain(..from);
            rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            plan.total = rows.len() as u64;
            plan.sorted = Some(rows);
        }
        Ok(plan)
    }

    pub(crate) fn is_count(&self) -> bool {
        self.is_count
    }

    fn matches(&self, org: &Org, row: u64) -> bool {
        (org.is_visible(self.object, row) || self.with_deleted && org.is_in_bin(self.object, row))
            && self
                .filter
                .as_ref()
                .is_none_or(|filter| filter.holds(org, self.object, row))
    }

    /// Every row that matches from `at` on, until `each` says that it has enough.
    fn look(&self, org: &Org, mut at: u64, mut each: impl FnMut(u64) -> bool) {
        while let Some(row) = self.scan.next(org, self.object, at) {
            if self.matches(org, row) && !each(row) {
                return;
            }
            at = row + 1;
        }
    }

    /// The rows that match, in the order of the keys, then of the id.
    fn sort(&self, org: &Org, order: &[Key]) -> Vec<u64> {
        // One key of numbers or moments: small enough for the longest login history.
        if let [key] = order
            && matches!(key.column.field.kind, Kind::Moment | Kind::Int | Kind::Day)
        {
            let mut rows: Vec<(Option<i64>, u64)> = Vec::new();
            self.look(org, 1, |row| {
                let number = match key.column.read(org, self.object, row) {
                    Value::Moment(n) | Value::Int(n) | Value::Day(n) => Some(n),
                    _ => None,
                };
                rows.push((number, row));
                true
            });
            let value = |number: Option<i64>| number.map_or(Value::Null, Value::Int);
            rows.sort_by(|a, b| key.order(&value(a.0), &value(b.0)).then(a.1.cmp(&b.1)));
            return rows.into_iter().map(|(_, row)| row).collect();
        }
        let mut rows: Vec<(Vec<Value<'static>>, u64)> = Vec::new();
        self.look(org, 1, |row| {
            let read = |key: &Key| key.column.read(org, self.object, row).into_owned();
            rows.push((order.iter().map(read).collect(), row));
            true
        });
        rows.sort_by(|a, b| {
            let by_keys = order
                .iter()
                .zip(a.0.iter().zip(&b.0))
                .map(|(key, (left, right))| key.order(left, right))
                .find(|ordering| ordering.is_ne());
            by_keys.unwrap_or_else(|| a.1.cmp(&b.1))
        });
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// Writes up to `size` records from `start` on; `sent` were written before. `version` goes into the record addresses. Groups come
    /// all at once: they have no further pages.
    pub(crate) fn page(&self, org: &Org, start: u64, sent: u64, size: u64, version: &str) -> Page {
        let mut records =
            Vec::with_capacity(512 * usize::try_from(size.min(self.total)).unwrap_or(0));
        if let Some(groups) = &self.groups {
            render::groups(groups, &mut records);
            return Page {
                records,
                count: self.total,
                next: None,
            };
        }
        let (count, next) = self.pass(org, start, sent, size, |row| {
            if !records.is_empty() {
                records.push(b',');
            }
            render::record(org, self.object, row, &self.nodes, version, &mut records);
        });
        Page {
            records,
            count,
            next,
        }
    }

    /// Column names in the order of the query, such as `Profile.Name`: the first line of a Bulk result.
    pub(crate) fn column_names(&self) -> Vec<String> {
        self.columns.iter().map(Column::name).collect()
    }

    /// Every row of the answer, in its order.
    pub(crate) fn each_row(&self, org: &Org, each: impl FnMut(u64)) {
        self.pass(org, self.first(), 0, u64::MAX, each);
    }

    /// The values of one row in the order of the columns.
    pub(crate) fn each_cell(&self, org: &Org, row: u64, mut each: impl FnMut(&Value<'_>)) {
        for column in &self.columns {
            each(&column.read(org, self.object, row));
        }
    }

    /// Up to `size` rows from `start` on; how many they were, and where the next begins if there are more.
    fn pass(
        &self,
        org: &Org,
        start: u64,
        sent: u64,
        size: u64,
        mut each: impl FnMut(u64),
    ) -> (u64, Option<u64>) {
        let left = self.total.saturating_sub(sent);
        let wanted = size.min(left);
        if let Some(rows) = &self.sorted {
            let from = usize::try_from(start).unwrap_or(usize::MAX).min(rows.len());
            let until = from.saturating_add(usize::try_from(wanted).unwrap_or(usize::MAX));
            let page = &rows[from..until.min(rows.len())];
            page.iter().copied().for_each(each);
            let next = from + page.len();
            return (
                page.len() as u64,
                (next < rows.len()).then_some(next as u64),
            );
        }
        let (mut count, mut next) = (0, start);
        if wanted > 0 {
            self.look(org, start, |row| {
                each(row);
                count += 1;
                next = row + 1;
                count < wanted
            });
        }
        let has_more = count == wanted && count < left;
        (count, has_more.then_some(next))
    }

    /// Where the first page begins.
    pub(crate) fn first(&self) -> u64 {
        u64::from(self.sorted.is_none())
    }
}

fn keys(names: &Names<'_>, order: &[Order]) -> Result<Vec<Key>, ApiError> {
    let key = |order: &Order| {
        let Operand::Path(path) = &order.operand else {
            return Err(malformed(format!(
                "ORDER BY {} needs GROUP BY",
                order.operand
            )));
        };
        Ok(Key {
            column: names.column_for(path, Property::Sort)?,
            is_descending: order.is_descending,
            nulls_last: order.nulls_last,
        })
    };
    order.iter().map(key).collect()
}

#[cfg(test)]
mod tests;
