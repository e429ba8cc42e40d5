//! Writes a query so that it reads back as itself.

use std::fmt::{self, Display, Formatter};

use super::{Expr, Item, Literal, Operand, Order, Query, Text, Wildcard};
use crate::clock::{self, DAY_MS};

fn joined<T: Display>(items: &[T], by: &str) -> String {
    let items: Vec<String> = items.iter().map(T::to_string).collect();
    items.join(by)
}

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("SELECT ")?;
        if self.is_count {
            f.write_str("COUNT()")?;
        }
        write!(f, "{} FROM {}", joined(&self.select, ", "), self.from)?;
        if let Some(alias) = &self.alias {
            write!(f, " {alias}")?;
        }
        if let Some(filter) = &self.filter {
            write!(f, " WHERE {filter}")?;
        }
        if !self.group.is_empty() {
            write!(f, " GROUP BY {}", joined(&self.group, ", "))?;
        }
        if let Some(having) = &self.having {
            write!(f, " HAVING {having}")?;
        }
        if !self.order.is_empty() {
            write!(f, " ORDER BY {}", joined(&self.order, ", "))?;
        }
        if let Some(limit) = self.limit {
            write!(f, " LIMIT {limit}")?;
        }
        if self.offset > 0 {
            write!(f, " OFFSET {}", self.offset)?;
        }
        Ok(())
    }
}

impl Display for Item {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { operand, alias } => {
                write!(f, "{operand}")?;
                alias.as_ref().map_or(Ok(()), |alias| write!(f, " {alias}"))
            }
            Self::Children(query) => write!(f, "({query})"),
            Self::Fields(Wildcard::All) => f.write_str("FIELDS(ALL)"),
            Self::Fields(Wildcard::Standard) => f.write_str("FIELDS(STANDARD)"),
            Self::Fields(Wildcard::Custom) => f.write_str("FIELDS(CUSTOM)"),
        }
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(&path.join(".")),
            Self::Measure { measure, path } => {
                write!(f, "{}({})", measure.word(), path.join("."))
            }
            Self::Date { part, path } => write!(f, "{}({})", part.word(), path.join(".")),
        }
    }
}

impl Display for Order {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let direction = if self.is_descending { "DESC" } else { "ASC" };
        let nulls = if self.nulls_last { "LAST" } else { "FIRST" };
        write!(f, "{} {direction} NULLS {nulls}", self.operand)
    }
}

/// A part of a longer condition, in parentheses where it has parts itself.
struct Part<'a>(&'a Expr);

impl Display for Part<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Expr::And(_) | Expr::Or(_) | Expr::Not(_) => write!(f, "({})", self.0),
            _ => write!(f, "{}", self.0),
        }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let parts = |parts: &[Self]| {
            parts
                .iter()
                .map(|part| Part(part).to_string())
                .collect::<Vec<_>>()
        };
        let not = |is_negated: bool| if is_negated { "NOT IN" } else { "IN" };
        match self {
            Self::And(all) => f.write_str(&parts(all).join(" AND ")),
            Self::Or(any) => f.write_str(&parts(any).join(" OR ")),
            Self::Not(inner) => write!(f, "NOT {}", Part(inner)),
            Self::Compare { operand, op, value } => write!(f, "{operand} {} {value}", op.word()),
            Self::In {
                operand,
                is_negated,
                values,
            } => write!(
                f,
                "{operand} {} ({})",
                not(*is_negated),
                joined(values, ", ")
            ),
            Self::Join {
                path,
                is_negated,
                query,
            } => write!(f, "{} {} ({query})", path.join("."), not(*is_negated)),
            Self::Includes {
                path,
                is_negated,
                values,
            } => {
                let word = if *is_negated { "EXCLUDES" } else { "INCLUDES" };
                write!(f, "{} {word} ({})", path.join("."), joined(values, ", "))
            }
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(true) => f.write_str("TRUE"),
            Self::Bool(false) => f.write_str("FALSE"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text}"),
            Self::Moment(ms) => {
                clock::write_date(&mut out, ms.div_euclid(DAY_MS));
                let of_day = ms.rem_euclid(DAY_MS);
                write!(
                    f,
                    "{}T{:02}:{:02}:{:02}.{:03}Z",
                    String::from_utf8_lossy(&out),
                    of_day / 3_600_000,
                    of_day / 60_000 % 60,
                    of_day / 1000 % 60,
                    of_day % 1000
                )
            }
            Self::Day(days) => {
                clock::write_date(&mut out, *days);
                f.write_str(&String::from_utf8_lossy(&out))
            }
            Self::Word(word) => f.write_str(word.word()),
            Self::Span(span, n) => write!(f, "{}:{n}", span.word()),
        }
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("'")?;
        for (at, c) in self.value.chars().enumerate() {
            match c {
                '\'' | '\\' => write!(f, "\\{c}")?,
                '%' | '_' if self.escaped.contains(&at) => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("'")
    }
}
