//! Conditions, bound to columns and to values of their kinds, and what they say of a row.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::Plan;
use super::bind::{Column, Names, malformed, refused, wrong_kind};
use super::dates::{Calendar, part};
use crate::error::ApiError;
use crate::ids::Id;
use crate::org::Org;
use crate::schema::{Field, Kind, Object, Property};
use crate::soql::{DatePart, Expr, Literal, Op, Operand, Query, Text};
use crate::value::Value;

/// Semi-joins and anti-joins of one query.
const MAX_JOINS: usize = 2;

/// A bound condition.
#[derive(Debug, Clone)]
pub(super) enum Cond {
    And(Vec<Cond>),
    Or(Vec<Cond>),
    Not(Box<Cond>),
    Compare {
        left: Left,
        op: Op,
        bound: Bound,
    },
    In {
        left: Left,
        is_negated: bool,
        set: Set,
    },
}

/// What is compared.
#[derive(Debug, Clone)]
pub(super) struct Left {
    pub(super) column: Column,
    pub(super) part: Option<DatePart>,
}

/// What it is compared with.
#[derive(Debug, Clone)]
pub(super) enum Bound {
    Value(Value<'static>),
    /// From the first on, up to the second: milliseconds, or days.
    Stretch(Value<'static>, Value<'static>),
    Like(Vec<Wild>),
}

/// A piece of a `LIKE` pattern, in lower case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Wild {
    Any,
    One,
    Char(char),
}

/// Values of an `IN`.
#[derive(Debug, Clone, Default)]
pub(super) struct Set {
    pub(super) ids: HashSet<Id>,
    texts: HashSet<String>,
    others: Vec<Bound>,
    has_null: bool,
}

/// Binds the conditions of one query.
pub(super) struct Binder<'a> {
    pub(super) org: &'a Org,
    pub(super) names: &'a Names<'a>,
    pub(super) calendar: Calendar,
    joins: usize,
}

impl<'a> Binder<'a> {
    pub(super) fn new(org: &'a Org, names: &'a Names<'a>) -> Self {
        Self {
            org,
            names,
            calendar: Calendar::new(&org.zone(), org.clock.now_ms()),
            joins: 0,
        }
    }

    pub(super) fn bind(&mut self, filter: &Expr) -> Result<Cond, ApiError> {
        self.bind_under(filter, false)
    }

    fn bind_under(&mut self, filter: &Expr, is_under_or: bool) -> Result<Cond, ApiError> {
        Ok(match filter {
            Expr::And(parts) => Cond::And(self.bind_all(parts, is_under_or)?),
            Expr::Or(parts) => Cond::Or(self.bind_all(parts, true)?),
            Expr::Not(inner) => Cond::Not(Box::new(self.bind_under(inner, is_under_or)?)),
            Expr::Compare { operand, op, value } => {
                let left = self.left(operand)?;
                let bound = bound(&self.calendar, &left, *op, value)?;
                Cond::Compare {
                    left,
                    op: *op,
                    bound,
                }
            }
            Expr::In {
                operand,
                is_negated,
                values,
            } => {
                let left = self.left(operand)?;
                let mut set = Set::default();
                for value in values {
                    set.add(bound(&self.calendar, &left, Op::Eq, value)?);
                }
                Cond::In {
                    left,
                    is_negated: *is_negated,
                    set,
                }
            }
            Expr::Join {
                path,
                is_negated,
                query,
            } => {
                self.joins += 1;
                if self.joins > MAX_JOINS {
                    return Err(malformed("Maximum 2 semi join sub-selects are allowed"));
                }
                if is_under_or {
                    return Err(malformed(
                        "Semi join sub-selects are not allowed with the 'OR' operator",
                    ));
                }
                let left = Left {
                    column: self.names.column_for(path, Property::Filter)?,
                    part: None,
                };
                Cond::In {
                    set: self.joined(&left, query)?,
                    left,
                    is_negated: *is_negated,
                }
            }
            Expr::Includes { path, .. } => {
                let column = self.names.column_for(path, Property::Filter)?;
                return Err(refused(
                    "INVALID_QUERY_FILTER_OPERATOR",
                    format!(
                        "includes or excludes operator only valid on multipicklist field: {}",
                        column.field.name
                    ),
                ));
            }
        })
    }

    fn bind_all(&mut self, parts: &[Expr], is_under_or: bool) -> Result<Vec<Cond>, ApiError> {
        parts
            .iter()
            .map(|part| self.bind_under(part, is_under_or))
            .collect()
    }

    fn left(&self, operand: &Operand) -> Result<Left, ApiError> {
        let part = match operand {
            Operand::Path(_) => None,
            Operand::Date { part, .. } => Some(*part),
            Operand::Measure { .. } => {
                return Err(malformed(format!(
                    "aggregate functions are allowed in HAVING only: {operand}"
                )));
            }
        };
        let column = self.names.column_for(operand.path(), Property::Filter)?;
        if part.is_some() && !matches!(column.field.kind, Kind::Moment | Kind::Day) {
            return Err(malformed(format!(
                "field {} does not support date functions",
                column.field.name
            )));
        }
        Ok(Left { column, part })
    }

    /// The values that the inner query of a semi-join gives; only references and ids join.
    fn joined(&self, left: &Left, query: &Query) -> Result<Set, ApiError> {
        let is_key = |field: &Field| matches!(field.kind, Kind::Id | Kind::Reference);
        if !is_key(left.column.field) {
            return Err(malformed(format!(
                "The left operand of a semi join sub-select must be an id or reference field, not {}",
                left.column.field.name
            )));
        }
        let mut is_nested = false;
        each_join(query.filter.as_ref(), &mut |_| is_nested = true);
        if is_nested {
            return Err(malformed(
                "Nesting of semi join sub-selects is not supported",
            ));
        }
        let plan = Plan::at(self.org, query.clone(), self.names.seen.version)?;
        let mut set = Set::default();
        plan.each_row(self.org, |row| {
            plan.each_cell(self.org, row, |value| {
                if let Some(id) = value.id() {
                    set.ids.insert(id);
                }
            });
        });
        Ok(set)
    }
}

fn each_join(filter: Option<&Expr>, each: &mut impl FnMut(&Query)) {
    match filter {
        Some(Expr::And(parts) | Expr::Or(parts)) => {
            parts.iter().for_each(|part| each_join(Some(part), each));
        }
        Some(Expr::Not(inner)) => each_join(Some(inner), each),
        Some(Expr::Join { query, .. }) => each(query),
        _ => {}
    }
}

/// Reads a literal by the kind of what it is compared with.
pub(super) fn bound(
    calendar: &Calendar,
    left: &Left,
    op: Op,
    literal: &Literal,
) -> Result<Bound, ApiError> {
    let field = left.column.field;
    let kind = match left.part {
        None => field.kind,
        Some(DatePart::DayOnly) => Kind::Day,
        Some(_) => Kind::Int,
    };
    if op == Op::Like {
        return match (kind, literal) {
            (Kind::Text | Kind::Picklist, Literal::Text(text)) => Ok(Bound::Like(pattern(text))),
            (Kind::Text | Kind::Picklist, Literal::Null) => Ok(Bound::Value(Value::Null)),
            (Kind::Text | Kind::Picklist, _) => Err(wrong_kind(field)),
            _ => Err(refused(
                "INVALID_QUERY_FILTER_OPERATOR",
                format!("invalid operator on {} field: LIKE", field.type_name()),
            )),
        };
    }
    if kind == Kind::Boolean && !matches!(op, Op::Eq | Op::Ne) {
        return Err(refused(
            "INVALID_QUERY_FILTER_OPERATOR",
            format!("invalid operator on boolean field: {}", op.word()),
        ));
    }
    let stretch = |(from, to): (i64, i64)| {
        if kind == Kind::Moment {
            Bound::Stretch(
                Value::Moment(calendar.start_ms(from)),
                Value::Moment(calendar.start_ms(to)),
            )
        } else {
            Bound::Stretch(Value::Day(from), Value::Day(to))
        }
    };
    let value = match (kind, literal) {
        (_, Literal::Null) => Value::Null,
        (Kind::Boolean, Literal::Bool(is_true)) => Value::Bool(*is_true),
        (Kind::Int | Kind::Double, Literal::Number(number)) => Value::Double(*number),
        (Kind::Text | Kind::Picklist, Literal::Text(text)) => {
            Value::Text(text.value.clone().into())
        }
        (Kind::Id | Kind::Reference, Literal::Text(text)) => {
            Value::Id(Id::parse(&text.value).ok_or_else(|| {
                refused(
                    "INVALID_QUERY_FILTER_OPERATOR",
                    format!("invalid ID field: {}", text.value),
                )
            })?)
        }
        (Kind::Moment, Literal::Moment(ms)) => Value::Moment(*ms),
        (Kind::Day, Literal::Day(day)) => Value::Day(*day),
        (Kind::Moment | Kind::Day, Literal::Word(word)) => {
            return Ok(stretch(calendar.word(*word)));
        }
        (Kind::Moment | Kind::Day, Literal::Span(span, n)) => {
            return Ok(stretch(calendar.span(*span, *n)));
        }
        _ => return Err(wrong_kind(field)),
    };
    Ok(Bound::Value(value))
}

impl Set {
    fn add(&mut self, bound: Bound) {
        match bound {
            Bound::Value(Value::Null) => self.has_null = true,
            Bound::Value(Value::Id(id)) => {
                self.ids.insert(id);
            }
            Bound::Value(Value::Text(text)) => {
                self.texts.insert(text.to_lowercase());
            }
            other => self.others.push(other),
        }
    }

    fn holds(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Null => self.has_null,
            Value::Id(id) => self.ids.contains(id),
            Value::Text(text) => self.texts.contains(&text.to_lowercase()),
            _ => self.others.iter().any(|bound| bound.accepts(value, Op::Eq)),
        }
    }
}

impl Left {
    fn read<'a>(&self, org: &'a Org, object: Object, row: u64) -> Value<'a> {
        let value = self.column.read(org, object, row);
        match self.part {
            Some(of) => part(of, &value),
            None => value,
        }
    }
}

impl Cond {
    pub(super) fn holds(&self, org: &Org, object: Object, row: u64) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(org, object, row)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(org, object, row)),
            Self::Not(inner) => !inner.holds(org, object, row),
            Self::Compare { left, op, bound } => bound.accepts(&left.read(org, object, row), *op),
            Self::In {
                left,
                is_negated,
                set,
            } => set.holds(&left.read(org, object, row)) != *is_negated,
        }
    }
}

impl Bound {
    /// Whether `value op self` holds. Null equals null only, and is neither less nor greater than anything.
    pub(super) fn accepts(&self, value: &Value<'_>, op: Op) -> bool {
        match self {
            Self::Like(pattern) => match value {
                Value::Text(text) => like(&text.to_lowercase(), pattern),
                _ => false,
            },
            Self::Value(Value::Null) => match op {
                Op::Eq => value.is_null(),
                Op::Ne => !value.is_null(),
                _ => false,
            },
            _ if value.is_null() => op == Op::Ne,
            Self::Value(wanted) => {
                let ordering = value.order(wanted);
                match op {
                    Op::Eq => ordering == Some(Ordering::Equal),
                    Op::Ne => ordering != Some(Ordering::Equal),
                    Op::Lt => ordering == Some(Ordering::Less),
                    Op::Le => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
                    Op::Gt => ordering == Some(Ordering::Greater),
                    Op::Ge => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
                    Op::Like => false,
                }
            }
            Self::Stretch(from, to) => {
                let is_before = value.order(from) == Some(Ordering::Less);
                let is_after = value.order(to) != Some(Ordering::Less);
                match op {
                    Op::Eq => !is_before && !is_after,
                    Op::Ne => is_before || is_after,
                    Op::Lt => is_before,
                    Op::Le => !is_after,
                    Op::Gt => is_after,
                    Op::Ge => !is_before,
                    Op::Like => false,
                }
            }
        }
    }
}

fn pattern(text: &Text) -> Vec<Wild> {
    let mut pieces = Vec::new();
    for (at, c) in text.value.chars().enumerate() {
        match c {
            '%' if !text.escaped.contains(&at) => pieces.push(Wild::Any),
            '_' if !text.escaped.contains(&at) => pieces.push(Wild::One),
            c => pieces.extend(c.to_lowercase().map(Wild::Char)),
        }
    }
    pieces
}

/// `%` any characters, `_` one; goes back to the last `%` where a guess fails, so time stays bounded by both lengths.
fn like(text: &str, pattern: &[Wild]) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut t, mut p, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(Wild::Any) => {
                star = Some((p, t));
                p += 1;
            }
            Some(piece) if *piece == Wild::One || *piece == Wild::Char(text[t]) => {
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
    pattern[p..].iter().all(|piece| *piece == Wild::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(text: &str, literal: &str) -> bool {
        let query = crate::soql::parse(&format!("SELECT Id FROM User WHERE Name LIKE '{literal}'"));
        let Some(Expr::Compare {
            value: Literal::Text(read),
            ..
        }) = query.unwrap().filter
        else {
            panic!("one comparison");
        };
        like(&text.to_lowercase(), &pattern(&read))
    }

    #[test]
    fn like_knows_wildcards_case_and_escapes() {
        assert!(matches("Anna Nguyễn", "anna%"));
        assert!(matches("ÉCOLE", "éc_le"));
        assert!(matches("abcbcd", "a%bcd"));
        assert!(!matches("abc", "a_"));
        assert!(matches("100%", "100\\%"));
        assert!(!matches("1000", "100\\%"));
        assert!(matches("a_b", "a\\_b"));
        assert!(!matches("axb", "a\\_b"));
        assert!(matches("", "%"));
    }
}
