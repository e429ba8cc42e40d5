//! SOQL as connectors and ordinary clients use it: one object, parent paths, filters, order, limit.
//!
//! A recursive-descent parser over the grammar of the SOQL reference. It knows no schema: whether a field exists is decided by
//! whoever runs the query. What it cannot read is `MALFORMED_QUERY`, as in Salesforce.

use crate::clock;

/// A parsed query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    /// Field paths in order; empty for `COUNT()`.
    pub(crate) fields: Vec<Vec<String>>,
    pub(crate) is_count: bool,
    pub(crate) from: String,
    pub(crate) filter: Option<Expr>,
    pub(crate) order: Vec<Order>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: usize,
}

/// One key of `ORDER BY`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) path: Vec<String>,
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
        path: Vec<String>,
        op: Op,
        value: Literal,
    },
    In {
        path: Vec<String>,
        is_negated: bool,
        values: Vec<Literal>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Like,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// Milliseconds UTC.
    Moment(i64),
    /// Days since 1970-01-01.
    Date(i64),
    /// `LAST_N_DAYS:n`: from n days before today's start on.
    LastDays(i64),
}

/// What is wrong, as Salesforce words it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(crate) String);

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Symbol(&'static str),
}

pub(crate) fn parse(text: &str) -> Result<Query, Malformed> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
    };
    let query = parser.query()?;
    match parser.peek() {
        None => Ok(query),
        Some(token) => Err(unexpected(token)),
    }
}

fn unexpected(token: &Token) -> Malformed {
    let shown = match token {
        Token::Word(word) => word.clone(),
        Token::Text(text) => format!("'{text}'"),
        Token::Symbol(symbol) => (*symbol).to_owned(),
    };
    Malformed(format!("unexpected token: '{shown}'"))
}

fn tokens(text: &str) -> Result<Vec<Token>, Malformed> {
    const SYMBOLS: [&str; 11] = ["<=", ">=", "!=", "<>", "(", ")", ",", "=", "<", ">", "."];
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let (value, after) = quoted(&rest[1..])?;
            out.push(Token::Text(value));
            rest = after;
        } else if first.is_ascii_alphanumeric() || first == '_' || first == '-' {
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || "_-:+.".contains(c)))
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            out.push(Token::Word(word.to_owned()));
            rest = after;
        } else if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            out.push(Token::Symbol(symbol));
            rest = &rest[symbol.len()..];
        } else {
            return Err(Malformed(format!(
                "line 1:{} no viable alternative at character '{first}'",
                text.len() - rest.len()
            )));
        }
        rest = rest.trim_start();
    }
    Ok(out)
}

/// Reads a string up to its closing quote; a backslash escapes the quote, itself and the usual letters.
fn quoted(text: &str) -> Result<(String, &str), Malformed> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, c @ ('\'' | '"' | '\\' | '%' | '_'))) => value.push(c),
                Some((_, 'n' | 'N')) => value.push('\n'),
                Some((_, 'r' | 'R')) => value.push('\r'),
                Some((_, 't' | 'T')) => value.push('\t'),
                _ => {
                    return Err(Malformed(
                        "Illegal string literal escape sequence".to_owned(),
                    ));
                }
            },
            c => value.push(c),
        }
    }
    Err(Malformed(
        "line 1: mismatched character '<EOF>' expecting '''".to_owned(),
    ))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol);
        self.at += usize::from(found);
        found
    }

    fn need_word(&mut self, word: &str) -> Result<(), Malformed> {
        if self.take_word(word) {
            Ok(())
        } else {
            Err(self.stuck(&format!("expecting '{word}'")))
        }
    }

    fn need_symbol(&mut self, symbol: &str) -> Result<(), Malformed> {
        if self.take_symbol(symbol) {
            Ok(())
        } else {
            Err(self.stuck(&format!("expecting '{symbol}'")))
        }
    }

    fn stuck(&self, expecting: &str) -> Malformed {
        self.peek().map_or_else(
            || Malformed(format!("unexpected token: <EOF> {expecting}")),
            unexpected,
        )
    }

    fn word(&mut self) -> Result<String, Malformed> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            _ => Err(self.stuck("expecting a name")),
        }
    }

    fn path(&mut self) -> Result<Vec<String>, Malformed> {
        let word = self.word()?;
        let path: Vec<String> = word.split('.').map(str::to_owned).collect();
        let is_name = |part: &String| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if path.iter().all(is_name) {
            Ok(path)
        } else {
            Err(unexpected(&Token::Word(word)))
        }
    }

    fn query(&mut self) -> Result<Query, Malformed> {
        self.need_word("SELECT")?;
        let mut fields = Vec::new();
        let mut is_count = false;
        if self.is_word("COUNT") && matches!(self.tokens.get(self.at + 1), Some(Token::Symbol("(")))
        {
            self.at += 2;
            self.need_symbol(")")?;
            is_count = true;
        } else {
            fields.push(self.path()?);
            while self.take_symbol(",") {
                fields.push(self.path()?);
            }
        }
        self.need_word("FROM")?;
        let from = self.word()?;
        let filter = if self.take_word("WHERE") {
            Some(self.or()?)
        } else {
            None
        };
        let mut order = Vec::new();
        if self.take_word("ORDER") {
            self.need_word("BY")?;
            loop {
                order.push(self.order()?);
                if !self.take_symbol(",") {
                    break;
                }
            }
        }
        let limit = if self.take_word("LIMIT") {
            Some(self.number()?)
        } else {
            None
        };
        let offset = if self.take_word("OFFSET") {
            self.number()?
        } else {
            0
        };
        Ok(Query {
            fields,
            is_count,
            from,
            filter,
            order,
            limit,
            offset,
        })
    }

    fn order(&mut self) -> Result<Order, Malformed> {
        let path = self.path()?;
        let is_descending = self.take_word("DESC") || {
            self.take_word("ASC");
            false
        };
        let mut nulls_last = false;
        if self.take_word("NULLS") {
            nulls_last = self.take_word("LAST");
            if !nulls_last {
                self.need_word("FIRST")?;
            }
        }
        Ok(Order {
            path,
            is_descending,
            nulls_last,
        })
    }

    fn number(&mut self) -> Result<usize, Malformed> {
        let word = self.word()?;
        word.parse().map_err(|_| unexpected(&Token::Word(word)))
    }

    /// AND and OR may not be mixed without parentheses.
    fn or(&mut self) -> Result<Expr, Malformed> {
        let first = self.unary()?;
        let joined_by_and = self.is_word("AND");
        let (joiner, other) = if joined_by_and {
            ("AND", "OR")
        } else {
            ("OR", "AND")
        };
        let mut parts = vec![first];
        while self.take_word(joiner) {
            parts.push(self.unary()?);
        }
        if self.is_word(other) {
            return Err(self.stuck(""));
        }
        Ok(match (parts.len(), joined_by_and) {
            (1, _) => parts.remove(0),
            (_, true) => Expr::And(parts),
            (_, false) => Expr::Or(parts),
        })
    }

    fn unary(&mut self) -> Result<Expr, Malformed> {
        if self.take_word("NOT") {
            return Ok(Expr::Not(Box::new(self.unary()?)));
        }
        if self.take_symbol("(") {
            let inner = self.or()?;
            self.need_symbol(")")?;
            return Ok(inner);
        }
        let path = self.path()?;
        let is_negated = self.take_word("NOT");
        if is_negated || self.is_word("IN") {
            self.need_word("IN")?;
            self.need_symbol("(")?;
            let mut values = vec![self.literal()?];
            while self.take_symbol(",") {
                values.push(self.literal()?);
            }
            self.need_symbol(")")?;
            return Ok(Expr::In {
                path,
                is_negated,
                values,
            });
        }
        let op = match self.peek() {
            Some(Token::Symbol("=")) => Op::Eq,
            Some(Token::Symbol("!=" | "<>")) => Op::Ne,
            Some(Token::Symbol("<=")) => Op::Le,
            Some(Token::Symbol(">=")) => Op::Ge,
            Some(Token::Symbol("<")) => Op::Lt,
            Some(Token::Symbol(">")) => Op::Gt,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("LIKE") => Op::Like,
            _ => return Err(self.stuck("expecting an operator")),
        };
        self.at += 1;
        Ok(Expr::Compare {
            path,
            op,
            value: self.literal()?,
        })
    }

    fn literal(&mut self) -> Result<Literal, Malformed> {
        let token = self
            .peek()
            .cloned()
            .ok_or_else(|| self.stuck("expecting a value"))?;
        self.at += 1;
        match &token {
            Token::Text(text) => Ok(Literal::Text(text.clone())),
            Token::Word(word) => word_literal(word).ok_or_else(|| unexpected(&token)),
            Token::Symbol(_) => Err(unexpected(&token)),
        }
    }
}

fn word_literal(word: &str) -> Option<Literal> {
    match word.to_ascii_uppercase().as_str() {
        "NULL" => return Some(Literal::Null),
        "TRUE" => return Some(Literal::Bool(true)),
        "FALSE" => return Some(Literal::Bool(false)),
        "TODAY" => return Some(Literal::LastDays(0)),
        upper => {
            if let Some(days) = upper.strip_prefix("LAST_N_DAYS:") {
                return days.parse().ok().map(Literal::LastDays);
            }
        }
    }
    if word.contains('T') && word.len() > 10 {
        return clock::parse_datetime(word).map(Literal::Moment);
    }
    clock::parse_date(word)
        .map(Literal::Date)
        .or_else(|| word.parse().ok().map(Literal::Number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connectors_queries_parse() {
        for text in [
            "SELECT Id, Profile.UserLicense.LicenseDefinitionKey FROM User WHERE Id > '0055g00000AbCdEAAV' ORDER BY Id",
            "SELECT COUNT() FROM UserLogin WHERE IsFrozen = true",
            "select Id from User where SystemModstamp >= 2026-11-20T00:00:00Z and (IsActive = TRUE or Name LIKE 'A%') limit 5 offset 10",
            "SELECT Id FROM User WHERE Id IN ('a','b') AND NOT Name = 'O\\'Brien' ORDER BY LastLoginDate DESC NULLS LAST, Id",
            "SELECT Id FROM User WHERE LastLoginDate < LAST_N_DAYS:60",
        ] {
            parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }

    #[test]
    fn an_escaped_quote_stays_inside_its_string() {
        let query = parse("SELECT Id FROM User WHERE Name = 'x\\' OR Name != \\''").unwrap();
        let Some(Expr::Compare { value, .. }) = query.filter else {
            panic!("one comparison")
        };
        assert_eq!(value, Literal::Text("x' OR Name != '".to_owned()));
    }

    #[test]
    fn and_with_or_needs_parentheses() {
        assert!(
            parse("SELECT Id FROM User WHERE IsActive = true AND Name = 'a' OR Name = 'b'")
                .is_err()
        );
    }

    #[test]
    fn what_is_no_query_is_malformed() {
        for text in [
            "",
            "SELECT FROM User",
            "SELECT Id",
            "SELECT Id FROM User WHERE",
            "SELECT Id FROM User; DROP",
            "SELECT Id FROM User WHERE Name = 'open",
            "SELECT * FROM User",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
