//! Which row numbers a query has to look at: all of them, or those that its conditions leave at first sight. Never fewer than match.

use super::filter::{Bound, Cond, Left};
use crate::org::Org;
use crate::schema::Object;
use crate::soql::Op;
use crate::value::Value;

/// More users than this in an `IN` and a look at every row is as good.
const MAX_USERS: usize = 5_000;

/// The rows to look at, in ascending order.
#[derive(Debug, Clone, Default)]
pub(super) struct Scan {
    /// Only these.
    rows: Option<Vec<u64>>,
    from: u64,
    to: Option<u64>,
    /// Only logins between these moments.
    window: Option<(i64, i64)>,
}

impl Scan {
    pub(super) fn of(org: &Org, object: Object, filter: Option<&Cond>) -> Self {
        let mut scan = Self {
            from: 1,
            ..Self::default()
        };
        match filter {
            Some(Cond::And(parts)) => parts.iter().for_each(|part| scan.narrow(org, object, part)),
            Some(one) => scan.narrow(org, object, one),
            None => {}
        }
        scan
    }

    fn narrow(&mut self, org: &Org, object: Object, cond: &Cond) {
        match cond {
            Cond::Compare {
                left,
                op,
                bound: Bound::Value(value),
            } if is_plain(left) => self.compare(org, object, left.column.field.name, *op, value),
            Cond::Compare {
                left,
                op,
                bound: Bound::Stretch(Value::Moment(from), Value::Moment(to)),
            } if is_plain(left) && left.column.field.name == "LoginTime" => match op {
                Op::Eq => self.between(*from, *to - 1),
                Op::Lt => self.between(i64::MIN / 2, *from - 1),
                Op::Le => self.between(i64::MIN / 2, *to - 1),
                Op::Gt => self.between(*to, i64::MAX / 2),
                Op::Ge => self.between(*from, i64::MAX / 2),
                _ => {}
            },
            Cond::In {
                left,
                is_negated: false,
                set,
            } if is_plain(left) && !set.ids.is_empty() => {
                let field = left.column.field.name;
                let rows_of = |id| {
                    if field == "Id" {
                        return Some(org.row_of_id(object, id).into_iter().collect());
                    }
                    match org.row_of_id(Object::User, id) {
                        Some(user) => org.rows_of_user(object, field, user),
                        None => None,
                    }
                };
                if set.ids.len() > MAX_USERS && field != "Id" {
                    return;
                }
                let rows: Option<Vec<Vec<u64>>> = set.ids.iter().map(|id| rows_of(*id)).collect();
                if let Some(rows) = rows {
                    self.only(rows.concat());
                }
            }
            _ => {}
        }
    }

    fn compare(&mut self, org: &Org, object: Object, field: &str, op: Op, value: &Value<'_>) {
        match (field, op, value) {
            ("Id", Op::Eq, Value::Id(id)) => {
                self.only(org.row_of_id(object, *id).into_iter().collect());
            }
            ("Id", Op::Gt | Op::Ge, Value::Id(id)) => {
                if let Some(row) = org.row_of_id(object, *id) {
                    self.from = self.from.max(row);
                }
            }
            ("Id", Op::Lt | Op::Le, Value::Id(id)) => {
                if let Some(row) = org.row_of_id(object, *id) {
                    self.to = Some(self.to.map_or(row, |to| to.min(row)));
                }
            }
            (_, Op::Gt | Op::Ge, Value::Id(id)) => {
                if let Some(user) = org.row_of_id(Object::User, *id)
                    && let Some(row) = org.first_row_of(object, field, user)
                {
                    self.from = self.from.max(row);
                }
            }
            (_, Op::Eq, Value::Id(id)) => {
                if let Some(user) = org.row_of_id(Object::User, *id)
                    && let Some(rows) = org.rows_of_user(object, field, user)
                {
                    self.only(rows);
                }
            }
            ("LoginTime", Op::Gt | Op::Ge, Value::Moment(at)) => self.between(*at, i64::MAX / 2),
            ("LoginTime", Op::Lt | Op::Le, Value::Moment(at)) => self.between(i64::MIN / 2, *at),
            ("LoginTime", Op::Eq, Value::Moment(at)) => self.between(*at, *at),
            _ => {}
        }
    }

    fn only(&mut self, mut rows: Vec<u64>) {
        rows.sort_unstable();
        rows.dedup();
        if let Some(known) = &self.rows {
            rows.retain(|row| known.binary_search(row).is_ok());
        }
        self.rows = Some(rows);
    }

    fn between(&mut self, from_ms: i64, to_ms: i64) {
        let (from, to) = self.window.unwrap_or((i64::MIN / 2, i64::MAX / 2));
        self.window = Some((from.max(from_ms), to.min(to_ms)));
    }

    /// The first row to look at from `at` on.
    pub(super) fn next(&self, org: &Org, object: Object, at: u64) -> Option<u64> {
        let mut row = match &self.rows {
            Some(rows) => *rows.get(rows.partition_point(|row| *row < at.max(self.from)))?,
            None => at.max(self.from),
        };
        if let (None, Some((from, to))) = (&self.rows, self.window) {
            row = org.next_login(row, from, to);
        }
        let last = self.to.unwrap_or(u64::MAX).min(org.rows(object));
        (row <= last).then_some(row)
    }
}

fn is_plain(left: &Left) -> bool {
    left.column.steps.is_empty() && left.part.is_none()
}
