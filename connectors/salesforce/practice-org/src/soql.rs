//! SOQL as connectors and ordinary clients use it: what a query says, how it is read and how it is printed.
//!
//! Knows no schema: whether a field exists is decided by whoever runs the query. What cannot be read is `MALFORMED_QUERY`, as in
//! Salesforce. A printed query reads back as itself.

mod lexer;
mod parser;
mod print;

pub(crate) use parser::parse;

/// Most characters of a query.
pub(crate) const MAX_CHARACTERS: usize = 100_000;

/// A path of names, such as `Profile.UserLicense.Name`.
pub(crate) type Path = Vec<String>;

/// A parsed query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    /// Empty for `COUNT()`.
    pub(crate) select: Vec<Item>,
    pub(crate) is_count: bool,
    pub(crate) from: String,
    /// Another name for `from` in paths.
    pub(crate) alias: Option<String>,
    pub(crate) filter: Option<Expr>,
    pub(crate) group: Vec<Operand>,
    pub(crate) having: Option<Expr>,
    pub(crate) order: Vec<Order>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: usize,
}

impl Query {
    /// Whether rows are put together: aggregates or `GROUP BY`.
    pub(crate) fn is_aggregate(&self) -> bool {
        let is_measure = |item: &Item| {
            matches!(
                item,
                Item::Value {
                    operand: Operand::Measure { .. },
                    ..
                }
            )
        };
        !self.group.is_empty() || self.select.iter().any(is_measure)
    }
}

/// What is selected.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Value {
        operand: Operand,
        alias: Option<String>,
    },
    /// A sub-query over children.
    Children(Box<Query>),
    /// `FIELDS(…)`.
    Fields(Wildcard),
}

/// Which fields `FIELDS(…)` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wildcard {
    All,
    Standard,
    Custom,
}

/// What stands left of an operator, in `GROUP BY` or in `ORDER BY`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Path(Path),
    Measure { measure: Measure, path: Path },
    Date { part: DatePart, path: Path },
}

impl Operand {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Path(path) | Self::Measure { path, .. } | Self::Date { path, .. } => path,
        }
    }
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $($variant),+ }

        impl $name {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub(crate) fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word().eq_ignore_ascii_case(word))
            }
        }
    };
}

words! {
    /// An aggregate function.
    Measure {
        Count = "COUNT", CountDistinct = "COUNT_DISTINCT", Max = "MAX", Min = "MIN", Sum = "SUM", Avg = "AVG",
    }
}

words! {
    /// A function that takes a part of a date; parts are taken in UTC.
    DatePart {
        CalendarYear = "CALENDAR_YEAR", CalendarQuarter = "CALENDAR_QUARTER", CalendarMonth = "CALENDAR_MONTH",
        DayInMonth = "DAY_IN_MONTH", DayInWeek = "DAY_IN_WEEK", DayInYear = "DAY_IN_YEAR", DayOnly = "DAY_ONLY",
        HourInDay = "HOUR_IN_DAY",
    }
}

words! {
    /// A date literal without a number.
    DateWord {
        Yesterday = "YESTERDAY", Today = "TODAY", Tomorrow = "TOMORROW",
        LastWeek = "LAST_WEEK", ThisWeek = "THIS_WEEK", NextWeek = "NEXT_WEEK",
        LastMonth = "LAST_MONTH", ThisMonth = "THIS_MONTH", NextMonth = "NEXT_MONTH",
        LastQuarter = "LAST_QUARTER", ThisQuarter = "THIS_QUARTER", NextQuarter = "NEXT_QUARTER",
        LastYear = "LAST_YEAR", ThisYear = "THIS_YEAR", NextYear = "NEXT_YEAR",
        Last90Days = "LAST_90_DAYS", Next90Days = "NEXT_90_DAYS",
    }
}

words! {
    /// A date literal that a number follows.
    DateSpan {
        LastDays = "LAST_N_DAYS", NextDays = "NEXT_N_DAYS", DaysAgo = "N_DAYS_AGO",
        LastWeeks = "LAST_N_WEEKS", NextWeeks = "NEXT_N_WEEKS", WeeksAgo = "N_WEEKS_AGO",
        LastMonths = "LAST_N_MONTHS", NextMonths = "NEXT_N_MONTHS", MonthsAgo = "N_MONTHS_AGO",
        LastQuarters = "LAST_N_QUARTERS", NextQuarters = "NEXT_N_QUARTERS", QuartersAgo = "N_QUARTERS_AGO",
        LastYears = "LAST_N_YEARS", NextYears = "NEXT_N_YEARS", YearsAgo = "N_YEARS_AGO",
    }
}

words! {
    /// A comparison.
    Op { Eq = "=", Ne = "!=", Le = "<=", Ge = ">=", Lt = "<", Gt = ">", Like = "LIKE" }
}

/// One key of `ORDER BY`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) operand: Operand,
    pub(crate) is_descending: bool,
    pub(crate) nulls_last: bool,
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Compare {
        operand: Operand,
        op: Op,
        value: Literal,
    },
    In {
        operand: Operand,
        is_negated: bool,
        values: Vec<Literal>,
    },
    /// A semi-join, or an anti-join.
    Join {
        path: Path,
        is_negated: bool,
        query: Box<Query>,
    },
    /// `INCLUDES`, or negated `EXCLUDES`.
    Includes {
        path: Path,
        is_negated: bool,
        values: Vec<Literal>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Number(f64),
    Text(Text),
    /// Milliseconds UTC.
    Moment(i64),
    /// Days since 1970-01-01.
    Day(i64),
    Word(DateWord),
    Span(DateSpan, i64),
}

/// A string, unescaped.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Text {
    pub(crate) value: String,
    /// Where, counted in characters, a `%` or `_` was written with a backslash: no wildcard in `LIKE`.
    pub(crate) escaped: Vec<usize>,
}

/// What is wrong, as Salesforce words it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(crate) String);

#[cfg(test)]
mod tests;
