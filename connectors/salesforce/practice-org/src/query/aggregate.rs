//! `GROUP BY` and aggregate functions: groups of rows, put together in one pass.
//!
//! An answer has at most 2,000 groups and no further pages; without a limit that says so, the first group too many ends the query
//! (salesforce.md §2.2).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::bind::{Column, malformed, refused};
use super::dates::part;
use super::filter::{Binder, Bound, Left, bound};
use super::{Key, Plan};
use crate::error::ApiError;
use crate::org::Org;
use crate::schema::{Kind, Property};
use crate::soql::{DatePart, Expr, Item, Literal, Measure, Op, Operand, Path, Query};
use crate::value::Value;

/// Groups of one answer.
const MAX_GROUPS: usize = 2_000;

/// Names and values of one group, in the order of the query.
pub(super) type Group = Vec<(Arc<str>, Value<'static>)>;

/// A key or a measure: what is read of each row, and how.
#[derive(Debug, Clone)]
struct Source {
    operand: Operand,
    column: Column,
    part: Option<DatePart>,
    measure: Option<Measure>,
}

impl Source {
    fn read(&self, org: &Org, plan: &Plan, row: u64) -> Value<'static> {
        let value = self.column.read(org, plan.object, row);
        match self.part {
            Some(of) => part(of, &value),
            None => value.into_owned(),
        }
    }
}

/// What has been gathered of one measure.
#[derive(Debug, Clone)]
enum Gathered {
    Count(i64),
    Distinct(HashSet<Vec<u8>>),
    Most(Option<Value<'static>>),
    Sum(f64, i64),
}

impl Gathered {
    fn of(measure: Measure) -> Self {
        match measure {
            Measure::Count => Self::Count(0),
            Measure::CountDistinct => Self::Distinct(HashSet::new()),
            Measure::Max | Measure::Min => Self::Most(None),
            Measure::Sum | Measure::Avg => Self::Sum(0.0, 0),
        }
    }

    fn add(&mut self, measure: Measure, value: Value<'static>) {
        if value.is_null() {
            return;
        }
        match self {
            Self::Count(n) => *n += 1,
            Self::Distinct(seen) => {
                seen.insert(bytes(&value));
            }
            Self::Most(most) => {
                let is_more = match most {
                    None => true,
                    Some(known) => {
                        let ordering = value.order(known);
                        if measure == Measure::Max {
                            ordering == Some(std::cmp::Ordering::Greater)
                        } else {
                            ordering == Some(std::cmp::Ordering::Less)
                        }
                    }
                };
                if is_more {
                    *most = Some(value);
                }
            }
            Self::Sum(sum, n) => {
                *sum += value.number().unwrap_or(0.0);
                *n += 1;
            }
        }
    }

    fn value(self, measure: Measure) -> Value<'static> {
        match self {
            Self::Count(n) => Value::Int(n),
            Self::Distinct(seen) => Value::Int(seen.len().cast_signed() as i64),
            Self::Most(most) => most.unwrap_or(Value::Null),
            Self::Sum(_, 0) => Value::Null,
            Self::Sum(sum, n) if measure == Measure::Avg => Value::Double(sum / n as f64),
            Self::Sum(sum, _) => Value::Double(sum),
        }
    }
}

/// A value as a key: texts whatever their case are one.
fn bytes(value: &Value<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match value {
        Value::Text(text) => out.extend_from_slice(text.to_lowercase().as_bytes()),
        other => other.write_json(&mut out),
    }
    out
}

struct Grouping<'a, 'b> {
    binder: &'a Binder<'b>,
    keys: Vec<Source>,
    measures: Vec<Source>,
}

/// The value of an operand in a group: a key, then the measures.
type Row = Vec<Value<'static>>;

pub(super) fn run(
    org: &Org,
    binder: &Binder<'_>,
    plan: &Plan,
    query: &Query,
) -> Result<Vec<Group>, ApiError> {
    let mut grouping = Grouping {
        binder,
        keys: Vec::new(),
        measures: Vec::new(),
    };
    for operand in &query.group {
        let source = grouping.key(operand)?;
        grouping.keys.push(source);
    }
    let outputs = grouping.outputs(query)?;
    let having = match &query.having {
        Some(having) => Some(grouping.having(having)?),
        None => None,
    };
    let mut order = Vec::new();
    for key in &query.order {
        let at = grouping.place(&key.operand)?;
        let column = grouping.source(at).column.clone();
        order.push((
            at,
            Key {
                column,
                is_descending: key.is_descending,
                nulls_last: key.nulls_last,
            },
        ));
    }
    let max = match (query.limit, &having) {
        (None, None) if !query.group.is_empty() => MAX_GROUPS,
        _ => usize::MAX,
    };
    let enough = grouping.enough(query, &order);
    let mut rows = grouping.gather(org, plan, max, enough)?;
    if let Some(having) = &having {
        rows.retain(|row| having.holds(row));
    }
    rows.sort_by(|a, b| {
        order
            .iter()
            .map(|(at, key)| key.order(&a[*at], &b[*at]))
            .find(|ordering| ordering.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    rows.drain(..query.offset.min(rows.len()));
    rows.truncate(query.limit.unwrap_or(usize::MAX));
    if rows.len() > MAX_GROUPS {
        return Err(too_many());
    }
    let group = |row: Row| {
        outputs
            .iter()
            .map(|(name, at)| (Arc::clone(name), row[*at].clone()))
            .collect()
    };
    Ok(rows.into_iter().map(group).collect())
}

fn too_many() -> ApiError {
    refused(
        "EXCEEDED_ID_LIMIT",
        "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch",
    )
}

impl Grouping<'_, '_> {
    fn key(&self, operand: &Operand) -> Result<Source, ApiError> {
        let part = match operand {
            Operand::Path(_) => None,
            Operand::Date { part, .. } => Some(*part),
            Operand::Measure { .. } => {
                return Err(malformed(format!("cannot group by {operand}")));
            }
        };
        let names = self.binder.names;
        let column = if part.is_some() {
            let column = names.column(operand.path())?;
            if !matches!(column.field.kind, Kind::Moment | Kind::Day) {
                return Err(malformed(format!(
                    "field {} does not support date functions",
                    column.field.name
                )));
            }
            column
        } else {
            names.column_for(operand.path(), Property::Group)?
        };
        Ok(Source {
            operand: operand.clone(),
            column,
            part,
            measure: None,
        })
    }

    fn measure(&self, measure: Measure, path: &Path) -> Result<Source, ApiError> {
        let column = self.binder.names.column(path)?;
        let kind = column.field.kind;
        let may = match measure {
            Measure::Count | Measure::CountDistinct => true,
            Measure::Sum | Measure::Avg => matches!(kind, Kind::Int | Kind::Double),
            Measure::Max | Measure::Min => !matches!(kind, Kind::Boolean | Kind::Id),
        };
        if !may {
            return Err(malformed(format!(
                "field {} does not support aggregate operator {}",
                column.field.name,
                measure.word()
            )));
        }
        Ok(Source {
            operand: Operand::Measure {
                measure,
                path: path.clone(),
            },
            column,
            part: None,
            measure: Some(measure),
        })
    }

    fn source(&self, at: usize) -> &Source {
        self.keys
            .get(at)
            .unwrap_or_else(|| &self.measures[at - self.keys.len()])
    }

    /// Where an operand's value stands in a group; a new measure is added.
    fn place(&mut self, operand: &Operand) -> Result<usize, ApiError> {
        let same = |source: &Source| is_same(&source.operand, operand);
        if let Some(at) = self.keys.iter().position(same) {
            return Ok(at);
        }
        let Operand::Measure { measure, path } = operand else {
            return Err(malformed(format!(
                "\nField must be grouped or aggregated: {}",
                operand.path().join(".")
            )));
        };
        if let Some(at) = self.measures.iter().position(same) {
            return Ok(self.keys.len() + at);
        }
        let source = self.measure(*measure, path)?;
        self.measures.push(source);
        Ok(self.keys.len() + self.measures.len() - 1)
    }

    /// Names and places of what is selected; functions without an alias are `expr0`, `expr1` and so on.
    fn outputs(&mut self, query: &Query) -> Result<Vec<(Arc<str>, usize)>, ApiError> {
        let mut outputs: Vec<(Arc<str>, usize)> = Vec::new();
        let mut unnamed = 0;
        for item in &query.select {
            let Item::Value { operand, alias } = item else {
                return Err(malformed(
                    "sub-queries and FIELDS() are not allowed in aggregate queries",
                ));
            };
            let at = self.place(operand)?;
            let name: Arc<str> = match (alias, operand) {
                (Some(alias), _) => alias.as_str().into(),
                (None, Operand::Path(_)) => self.source(at).column.field.name.into(),
                (None, _) => {
                    unnamed += 1;
                    format!("expr{}", unnamed - 1).into()
                }
            };
            if outputs.iter().any(|(known, _)| *known == name) {
                return Err(malformed(format!("duplicate alias: {name}")));
            }
            outputs.push((name, at));
        }
        Ok(outputs)
    }

    fn having(&mut self, having: &Expr) -> Result<Having, ApiError> {
        Ok(match having {
            Expr::And(parts) => Having::And(self.havings(parts)?),
            Expr::Or(parts) => Having::Or(self.havings(parts)?),
            Expr::Not(inner) => Having::Not(Box::new(self.having(inner)?)),
            Expr::Compare { operand, op, value } => {
                let at = self.place(operand)?;
                Having::Compare(at, *op, self.having_bound(at, *op, value)?)
            }
            Expr::In {
                operand,
                is_negated,
                values,
            } => {
                let at = self.place(operand)?;
                let bounds = values
                    .iter()
                    .map(|value| {
                        Ok(Having::Compare(
                            at,
                            Op::Eq,
                            self.having_bound(at, Op::Eq, value)?,
                        ))
                    })
                    .collect::<Result<Vec<_>, ApiError>>()?;
                let any = Having::Or(bounds);
                if *is_negated {
                    Having::Not(Box::new(any))
                } else {
                    any
                }
            }
            Expr::Join { .. } | Expr::Includes { .. } => {
                return Err(malformed("sub-selects are not allowed in HAVING"));
            }
        })
    }

    fn havings(&mut self, parts: &[Expr]) -> Result<Vec<Having>, ApiError> {
        parts.iter().map(|part| self.having(part)).collect()
    }

    fn having_bound(&self, at: usize, op: Op, value: &Literal) -> Result<Bound, ApiError> {
        let source = self.source(at);
        let is_number = matches!(
            source.measure,
            Some(Measure::Count | Measure::CountDistinct | Measure::Sum | Measure::Avg)
        );
        if is_number {
            return match value {
                Literal::Number(number) => Ok(Bound::Value(Value::Double(*number))),
                _ => Err(malformed(format!(
                    "value of filter criterion for {} must be a number",
                    source.operand
                ))),
            };
        }
        let left = Left {
            column: source.column.clone(),
            part: source.part,
        };
        bound(&self.binder.calendar, &left, op, value)
    }

    /// How many groups of the first users are all that is asked for; `None` where others may come before them.
    fn enough(&self, query: &Query, order: &[(usize, Key)]) -> Option<usize> {
        let (at, key) = order.first()?;
        let by = self.keys.get(*at)?;
        let is_by_user = by.part.is_none()
            && by.column.steps.is_empty()
            && by.column.field.name == "UserId"
            && !key.is_descending;
        if is_by_user && query.having.is_none() {
            Some(query.limit?.saturating_add(query.offset))
        } else {
            None
        }
    }

    /// One pass over the rows, cut short once the first users have `enough` groups. Without keys all rows are one group, also when
    /// there are none.
    fn gather(
        &self,
        org: &Org,
        plan: &Plan,
        max: usize,
        enough: Option<usize>,
    ) -> Result<Vec<Row>, ApiError> {
        let fresh = || -> Vec<Gathered> {
            let measures = self.measures.iter().filter_map(|source| source.measure);
            measures.map(Gathered::of).collect()
        };
        let mut places: HashMap<Vec<Vec<u8>>, usize> = HashMap::new();
        let mut groups: Vec<(Row, Vec<Gathered>)> = Vec::new();
        if self.keys.is_empty() {
            groups.push((Vec::new(), fresh()));
            places.insert(Vec::new(), 0);
        }
        let mut add = |row: u64| {
            let keys: Row = self
                .keys
                .iter()
                .map(|key| key.read(org, plan, row))
                .collect();
            let at = *places
                .entry(keys.iter().map(bytes).collect())
                .or_insert_with(|| {
                    groups.push((keys, fresh()));
                    groups.len() - 1
                });
            for (source, gathered) in self.measures.iter().zip(&mut groups[at].1) {
                if let Some(measure) = source.measure {
                    gathered.add(measure, source.read(org, plan, row));
                }
            }
            groups.len()
        };
        // Rows that stand in the order of their users, until the users so far have enough; then those that stand in none.
        let unordered = match enough {
            Some(_) => org.first_unordered(plan.object, "UserId"),
            None => 1,
        };
        let (mut count, mut user) = (0, None);
        plan.look(org, 1, |row| {
            let this = org.user_in_order(plan.object, row);
            let has_enough = this != user && enough.is_some_and(|enough| count >= enough);
            if row >= unordered || has_enough || count > max {
                return false;
            }
            user = this;
            count = add(row);
            true
        });
        plan.look(org, unordered, |row| {
            count = add(row);
            count <= max
        });
        if count > max {
            return Err(too_many());
        }
        let whole = |(mut row, gathered): (Row, Vec<Gathered>)| {
            for (source, gathered) in self.measures.iter().zip(gathered) {
                if let Some(measure) = source.measure {
                    row.push(gathered.value(measure));
                }
            }
            row
        };
        Ok(groups.into_iter().map(whole).collect())
    }
}

/// Whether two operands are one, whatever their case.
fn is_same(a: &Operand, b: &Operand) -> bool {
    let is_same_path = a.path().len() == b.path().len()
        && a.path()
            .iter()
            .zip(b.path())
            .all(|(a, b)| a.eq_ignore_ascii_case(b));
    is_same_path
        && match (a, b) {
            (Operand::Path(_), Operand::Path(_)) => true,
            (Operand::Measure { measure: a, .. }, Operand::Measure { measure: b, .. }) => a == b,
            (Operand::Date { part: a, .. }, Operand::Date { part: b, .. }) => a == b,
            _ => false,
        }
}

/// A bound condition on groups.
enum Having {
    And(Vec<Having>),
    Or(Vec<Having>),
    Not(Box<Having>),
    Compare(usize, Op, Bound),
}

impl Having {
    fn holds(&self, row: &[Value<'static>]) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(row)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(row)),
            Self::Not(inner) => !inner.holds(row),
            Self::Compare(at, op, bound) => bound.accepts(&row[*at], *op),
        }
    }
}
