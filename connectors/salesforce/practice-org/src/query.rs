//! Runs a parsed query over the records and writes its pages.
//!
//! Rows come in id order, so a query without another order is answered page by page from a row number: constant memory at any size.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::io::Write as _;

use crate::clock::{self, DAY_MS};
use crate::crowd;
use crate::org::{Org, Value};
use crate::schema::Object;
use crate::soql::{Expr, Literal, Op, Query};

/// An answer of the API that is not a success: status, code, sentence.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }
}

/// A path whose parts are known to exist.
#[derive(Debug, Clone)]
struct Column {
    parents: Vec<(String, Object)>,
    object: Object,
    field: &'static str,
}

/// A query bound to the schema.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) object: Object,
    query: Query,
    columns: Vec<Column>,
    order: Vec<(Column, bool, bool)>,
    /// Rows in answer order, only where the order is not the id's.
    sorted: Option<Vec<u64>>,
    pub(crate) total: u64,
}

/// One page.
pub(crate) struct Page {
    pub(crate) records: Vec<u8>,
    pub(crate) count: u64,
    /// Where the next page begins: a row number, or an index of the sorted rows.
    pub(crate) next: Option<u64>,
}

impl Plan {
    pub(crate) fn new(org: &Org, query: Query) -> Result<Self, ApiError> {
        let unsupported = || {
            ApiError::new(
                400,
                "INVALID_TYPE",
                format!(
                    "\nFROM {}\n     ^\nsObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name.",
                    query.from, query.from
                ),
            )
        };
        let object = Object::parse(&query.from).ok_or_else(unsupported)?;
        if is_hidden(org, object) {
            return Err(unsupported());
        }
        if query.offset > 2000 {
            return Err(ApiError::new(
                400,
                "NUMBER_OUTSIDE_VALID_RANGE",
                "Maximum SOQL offset allowed is 2000",
            ));
        }
        let columns = query
            .fields
            .iter()
            .map(|path| column(org, object, path))
            .collect::<Result<Vec<_>, _>>()?;
        let order = query
            .order
            .iter()
            .map(|key| {
                Ok((
                    column(org, object, &key.path)?,
                    key.is_descending,
                    key.nulls_last,
                ))
            })
            .collect::<Result<Vec<_>, ApiError>>()?;
        if let Some(filter) = &query.filter {
            check_filter(org, object, filter)?;
        }
        let is_by_id = query.order.is_empty()
            || (query.order.len() == 1
                && query.order[0].path == ["Id"]
                && !query.order[0].is_descending);
        let mut plan = Self {
            object,
            columns,
            order,
            sorted: None,
            total: 0,
            query,
        };
        if is_by_id && plan.query.offset == 0 {
            plan.total = (1..=org.rows(object))
                .filter(|row| plan.matches(org, *row))
                .count() as u64;
            plan.total = plan
                .query
                .limit
                .map_or(plan.total, |limit| plan.total.min(limit as u64));
        } else {
            let mut rows: Vec<u64> = (1..=org.rows(object))
                .filter(|row| plan.matches(org, *row))
                .collect();
            rows.sort_by(|a, b| plan.compare(org, *a, *b));
            let rows: Vec<u64> = rows
                .into_iter()
                .skip(plan.query.offset)
                .take(plan.query.limit.unwrap_or(usize::MAX))
                .collect();
            plan.total = rows.len() as u64;
            plan.sorted = Some(rows);
        }
        Ok(plan)
    }

    pub(crate) fn is_count(&self) -> bool {
        self.query.is_count
    }

    fn matches(&self, org: &Org, row: u64) -> bool {
        org.is_visible(self.object, row)
            && self
                .query
                .filter
                .as_ref()
                .is_none_or(|filter| holds(org, self.object, row, filter))
    }

    fn compare(&self, org: &Org, a: u64, b: u64) -> Ordering {
        for (column, is_descending, nulls_last) in &self.order {
            let (left, right) = (read(org, a, column), read(org, b, column));
            let ordering = match (&left, &right) {
                (Value::Null, Value::Null) => Ordering::Equal,
                (Value::Null, _) => {
                    if *nulls_last {
                        Ordering::Greater
                    } else {
                        Ordering::Less
                    }
                }
                (_, Value::Null) => {
                    if *nulls_last {
                        Ordering::Less
                    } else {
                        Ordering::Greater
                    }
                }
                _ => {
                    let ordering = order_of(&left, &right).unwrap_or(Ordering::Equal);
                    if *is_descending {
                        ordering.reverse()
                    } else {
                        ordering
                    }
                }
            };
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        a.cmp(&b)
    }

    /// Writes up to `size` records from `start` on; `sent` were written before. `version` goes into the record addresses.
    pub(crate) fn page(&self, org: &Org, start: u64, sent: u64, size: u64, version: &str) -> Page {
        let mut records =
            Vec::with_capacity(512 * usize::try_from(size.min(self.total)).unwrap_or(0));
        let (count, next) = self.scan(org, start, sent, size, |row| {
            if !records.is_empty() {
                records.push(b',');
            }
            self.record(org, row, version, &mut records);
        });
        Page {
            records,
            count,
            next,
        }
    }

    /// Column names in the order of the query, such as `Profile.Name`: the first line of a Bulk result.
    pub(crate) fn column_names(&self) -> Vec<String> {
        let of = |column: &Column| {
            let parents = column.parents.iter().map(|(name, _)| name.as_str());
            parents.chain([column.field]).collect::<Vec<_>>().join(".")
        };
        self.columns.iter().map(of).collect()
    }

    /// Every row of the answer, in its order.
    pub(crate) fn each_row(&self, org: &Org, each: impl FnMut(u64)) {
        self.scan(org, self.first(), 0, u64::MAX, each);
    }

    /// The values of one row in the order of the columns.
    pub(crate) fn each_cell(&self, org: &Org, row: u64, mut each: impl FnMut(&Value<'_>)) {
        for column in &self.columns {
            each(&read(org, row, column));
        }
    }

    fn scan(
        &self,
        org: &Org,
        start: u64,
        sent: u64,
        size: u64,
        mut each: impl FnMut(u64),
    ) -> (u64, Option<u64>) {
        let (mut count, mut at) = (0, start);
        let end = self
            .sorted
            .as_ref()
            .map_or(org.rows(self.object) + 1, |rows| rows.len() as u64);
        while at < end && count < size && sent + count < self.total {
            let row = match &self.sorted {
                Some(rows) => Some(rows[usize::try_from(at).unwrap_or(0)]),
                None => self.matches(org, at).then_some(at),
            };
            if let Some(row) = row {
                each(row);
                count += 1;
            }
            at += 1;
        }
        let has_more = sent + count < self.total && at < end;
        (count, has_more.then_some(at))
    }

    /// Where the first page begins.
    pub(crate) fn first(&self) -> u64 {
        u64::from(self.sorted.is_none())
    }

    fn record(&self, org: &Org, row: u64, version: &str, out: &mut Vec<u8>) {
        attributes(org, self.object, row, version, out);
        let mut at = 0;
        while at < self.columns.len() {
            let column = &self.columns[at];
            out.push(b',');
            if let Some((name, parent)) = column.parents.first() {
                // Paths through one parent that stand together are one nested object, as Salesforce writes them.
                let through = self.columns[at..]
                    .iter()
                    .take_while(|c| c.parents.first().is_some_and(|(n, _)| n == name))
                    .count();
                let nested: Vec<(&[(String, Object)], &Column)> = self.columns[at..at + through]
                    .iter()
                    .map(|column| (&column.parents[1..], column))
                    .collect();
                key(out, name);
                nest(org, self.object, row, *parent, &nested, version, out);
                at += through;
            } else {
                key(out, column.field);
                value(&org.value(self.object, row, column.field), out);
                at += 1;
            }
        }
        out.push(b'}');
    }
}

fn nest(
    org: &Org,
    object: Object,
    row: u64,
    parent: Object,
    columns: &[(&[(String, Object)], &Column)],
    version: &str,
    out: &mut Vec<u8>,
) {
    let Some(row) = org.parent_row(object, row, parent) else {
        out.extend_from_slice(b"null");
        return;
    };
    attributes(org, parent, row, version, out);
    let mut at = 0;
    while at < columns.len() {
        let (parents, column) = &columns[at];
        out.push(b',');
        if let Some((name, next)) = parents.first() {
            let through = columns[at..]
                .iter()
                .take_while(|(p, _)| p.first().is_some_and(|(n, _)| n == name))
                .count();
            let nested: Vec<_> = columns[at..at + through]
                .iter()
                .map(|(parents, column)| (&parents[1..], *column))
                .collect();
            key(out, name);
            nest(org, parent, row, *next, &nested, version, out);
            at += through;
        } else {
            key(out, column.field);
            value(&org.value(parent, row, column.field), out);
            at += 1;
        }
    }
    out.push(b'}');
}

fn attributes(org: &Org, object: Object, row: u64, version: &str, out: &mut Vec<u8>) {
    let _ = write!(
        out,
        "{{\"attributes\":{{\"type\":\"{0}\",\"url\":\"/services/data/{version}/sobjects/{0}/{1}\"}}",
        object.name(),
        org.id(object, row).as_str()
    );
}

fn key(out: &mut Vec<u8>, name: &str) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn value(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(n) => {
            let mut text = String::new();
            if *n < 0 {
                text.push('-');
            }
            crowd::push_number(&mut text, n.unsigned_abs());
            out.extend_from_slice(text.as_bytes());
        }
        Value::Text(text) => string(text, out),
        Value::Moment(ms) => {
            out.push(b'"');
            clock::write_datetime(out, *ms);
            out.push(b'"');
        }
    }
}

fn string(text: &str, out: &mut Vec<u8>) {
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else if let Ok(quoted) = serde_json::to_vec(text) {
        out.extend_from_slice(&quoted);
    }
}

/// Whether the running user's rights do not show an object.
pub(crate) fn is_hidden(org: &Org, object: Object) -> bool {
    match object {
        Object::UserLicense => !org.rights.view_setup,
        Object::UserLogin => !org.rights.manage_users,
        _ => false,
    }
}

fn column(org: &Org, from: Object, path: &[String]) -> Result<Column, ApiError> {
    let mut object = from;
    let mut parents = Vec::new();
    let Some((field, through)) = path.split_last() else {
        return Err(ApiError::new(
            400,
            "MALFORMED_QUERY",
            "unexpected token: ''",
        ));
    };
    for name in through {
        // What cannot be seen cannot be reached through another object either.
        let parent = object
            .parent(name)
            .filter(|parent| !is_hidden(org, *parent));
        let Some(parent) = parent else {
            let message = format!(
                "\nDidn't understand relationship '{name}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name."
            );
            return Err(ApiError::new(400, "INVALID_FIELD", message));
        };
        parents.push((name.clone(), parent));
        object = parent;
    }
    match object.field(&org.spec, field) {
        Some((field, ..)) => Ok(Column {
            parents,
            object,
            field,
        }),
        None => Err(no_column(field, object)),
    }
}

/// Salesforce's sentence for a column that is not there or not visible.
pub(crate) fn no_column(field: &str, object: Object) -> ApiError {
    let name = object.name();
    ApiError::new(
        400,
        "INVALID_FIELD",
        format!(
            "\nSELECT {field} FROM {name}\n       ^\nERROR at Row:1:Column:8\nNo such column '{field}' on entity '{name}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."
        ),
    )
}

fn check_filter(org: &Org, object: Object, filter: &Expr) -> Result<(), ApiError> {
    let path = match filter {
        Expr::And(parts) | Expr::Or(parts) => {
            return parts
                .iter()
                .try_for_each(|part| check_filter(org, object, part));
        }
        Expr::Not(inner) => return check_filter(org, object, inner),
        Expr::Compare { path, .. } | Expr::In { path, .. } => path,
    };
    let column = column(org, object, path)?;
    match column.object.field(&org.spec, column.field) {
        Some((_, true, _)) => Ok(()),
        _ => Err(ApiError::new(
            400,
            "INVALID_FIELD",
            format!(
                "\nfield '{}' can not be filtered in a query call",
                column.field
            ),
        )),
    }
}

fn read<'a>(org: &'a Org, row: u64, column: &Column) -> Value<'a> {
    follow(
        org,
        row,
        column.parents.iter().map(|(_, object)| *object),
        column,
    )
}

fn follow<'a>(
    org: &'a Org,
    mut row: u64,
    parents: impl Iterator<Item = Object>,
    column: &Column,
) -> Value<'a> {
    let mut from = None;
    for parent in parents {
        let object = from.unwrap_or(match parent {
            Object::UserLicense => Object::Profile,
            Object::User => Object::UserLogin,
            _ => Object::User,
        });
        match org.parent_row(object, row, parent) {
            Some(next) => row = next,
            None => return Value::Null,
        }
        from = Some(parent);
    }
    org.value(column.object, row, column.field)
}

fn holds(org: &Org, object: Object, row: u64, filter: &Expr) -> bool {
    match filter {
        Expr::And(parts) => parts.iter().all(|part| holds(org, object, row, part)),
        Expr::Or(parts) => parts.iter().any(|part| holds(org, object, row, part)),
        Expr::Not(inner) => !holds(org, object, row, inner),
        Expr::Compare { path, op, value } => column(org, object, path)
            .is_ok_and(|column| compares(org, &read(org, row, &column), *op, value)),
        Expr::In {
            path,
            is_negated,
            values,
        } => column(org, object, path).is_ok_and(|column| {
            let found = read(org, row, &column);
            values
                .iter()
                .any(|value| compares(org, &found, Op::Eq, value))
                != *is_negated
        }),
    }
}

fn compares(org: &Org, found: &Value<'_>, op: Op, literal: &Literal) -> bool {
    if matches!(found, Value::Null) || *literal == Literal::Null {
        let both = matches!(found, Value::Null) && *literal == Literal::Null;
        return match op {
            Op::Eq => both,
            Op::Ne => !both,
            _ => false,
        };
    }
    if op == Op::Like {
        let (Value::Text(text), Literal::Text(pattern)) = (found, literal) else {
            return false;
        };
        return like(&text.to_lowercase(), &pattern.to_lowercase());
    }
    let wanted = match literal {
        Literal::Bool(b) => Value::Bool(*b),
        Literal::Number(n) => Value::Int(n.round() as i64),
        Literal::Text(text) => Value::Text(Cow::Borrowed(text)),
        Literal::Moment(ms) => Value::Moment(*ms),
        Literal::Date(days) => Value::Moment(days * DAY_MS),
        Literal::LastDays(days) => {
            Value::Moment((org.clock.now_ms().div_euclid(DAY_MS) - days) * DAY_MS)
        }
        Literal::Null => Value::Null,
    };
    let Some(ordering) = order_of(found, &wanted) else {
        return op == Op::Ne;
    };
    match op {
        Op::Eq => ordering.is_eq(),
        Op::Ne => ordering.is_ne(),
        Op::Lt => ordering.is_lt(),
        Op::Le => ordering.is_le(),
        Op::Gt => ordering.is_gt(),
        Op::Ge => ordering.is_ge(),
        Op::Like => false,
    }
}

/// Ids compare by their bytes, other texts without regard to case.
fn order_of(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) | (Value::Moment(a), Value::Moment(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => {
            let id = crate::ids::Id::parse;
            match (id(a), id(b)) {
                (Some(a), Some(b)) => Some(a.cmp(&b)),
                _ => Some(a.to_lowercase().cmp(&b.to_lowercase())),
            }
        }
        _ => None,
    }
}

/// `%` any characters, `_` one.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) =
        (text.chars().collect(), pattern.chars().collect());
    let (mut t, mut p, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('%') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '_' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}
