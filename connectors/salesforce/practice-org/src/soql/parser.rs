//! A recursive-descent parser over the grammar of the SOQL reference.

use super::lexer::{Token, tokens};
use super::{
    DatePart, DateSpan, DateWord, Expr, Item, Literal, MAX_CHARACTERS, Malformed, Measure, Op,
    Operand, Order, Path, Query, Wildcard,
};
use crate::clock;

/// How deep conditions and sub-queries may nest.
const MAX_DEPTH: usize = 60;

/// Most characters of one string in a condition.
const MAX_STRING: usize = 4_000;

/// Words that end a `FROM` and so are no alias.
const CLAUSES: [&str; 12] = [
    "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "WITH", "FOR", "USING", "ALL", "AS",
    "UPDATE",
];

/// Reads a query.
pub(crate) fn parse(text: &str) -> Result<Query, Malformed> {
    if text.chars().count() > MAX_CHARACTERS {
        return Err(Malformed(format!(
            "SOQL statements cannot be longer than {MAX_CHARACTERS} characters."
        )));
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    };
    let query = parser.query(Place::Whole)?;
    match parser.peek() {
        None => Ok(query),
        Some(token) => Err(unexpected(token)),
    }
}

/// Where a query stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Whole,
    Children,
    Join,
}

fn unexpected(token: &Token) -> Malformed {
    let shown = match token {
        Token::Word(word) => word.clone(),
        Token::Text(text) => text.to_string(),
        Token::Symbol(symbol) => (*symbol).to_owned(),
    };
    Malformed(format!("unexpected token: '{shown}'"))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
    }

    fn is_symbol_at(&self, at: usize, symbol: &str) -> bool {
        matches!(self.tokens.get(at), Some(Token::Symbol(found)) if *found == symbol)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol_at(self.at, symbol);
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

    fn path(&mut self) -> Result<Path, Malformed> {
        let word = self.word()?;
        let path: Path = word.split('.').map(str::to_owned).collect();
        if path.iter().all(|part| is_name(part)) {
            Ok(path)
        } else {
            Err(unexpected(&Token::Word(word)))
        }
    }

    fn name(&mut self) -> Result<String, Malformed> {
        let word = self.word()?;
        if is_name(&word) {
            Ok(word)
        } else {
            Err(unexpected(&Token::Word(word)))
        }
    }

    /// Goes one level down, not without end.
    fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        if self.depth >= MAX_DEPTH {
            return Err(Malformed("the query nests too deeply".to_owned()));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn query(&mut self, place: Place) -> Result<Query, Malformed> {
        self.need_word("SELECT")?;
        let mut select = Vec::new();
        let is_count = self.is_word("COUNT")
            && self.is_symbol_at(self.at + 1, "(")
            && self.is_symbol_at(self.at + 2, ")");
        if is_count {
            self.at += 3;
        } else {
            select.push(self.item(place)?);
            while self.take_symbol(",") {
                select.push(self.item(place)?);
            }
        }
        self.need_word("FROM")?;
        let from = self.name()?;
        let alias = self.alias()?;
        let filter = self.clause("WHERE")?;
        let mut group = Vec::new();
        if self.take_word("GROUP") {
            self.need_word("BY")?;
            group.push(self.operand()?);
            while self.take_symbol(",") {
                group.push(self.operand()?);
            }
        }
        let having = self.clause("HAVING")?;
        let mut order = Vec::new();
        if self.take_word("ORDER") {
            self.need_word("BY")?;
            order.push(self.order()?);
            while self.take_symbol(",") {
                order.push(self.order()?);
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
        let query = Query {
            select,
            is_count,
            from,
            alias,
            filter,
            group,
            having,
            order,
            limit,
            offset,
        };
        check_place(&query, place)?;
        Ok(query)
    }

    fn alias(&mut self) -> Result<Option<String>, Malformed> {
        self.take_word("AS");
        match self.peek() {
            Some(Token::Word(word))
                if is_name(word) && !CLAUSES.iter().any(|c| c.eq_ignore_ascii_case(word)) =>
            {
                Ok(Some(self.word()?))
            }
            _ => Ok(None),
        }
    }

    fn clause(&mut self, word: &str) -> Result<Option<Expr>, Malformed> {
        if self.take_word(word) {
            self.deeper(Self::condition).map(Some)
        } else {
            Ok(None)
        }
    }

    fn item(&mut self, place: Place) -> Result<Item, Malformed> {
        if self.is_word("TYPEOF") {
            return Err(Malformed(
                "TYPEOF is not supported here: select the fields of each type in a query of its own"
                    .to_owned(),
            ));
        }
        if place == Place::Whole && self.take_symbol("(") {
            let query = self.deeper(|parser| parser.query(Place::Children))?;
            self.need_symbol(")")?;
            return Ok(Item::Children(Box::new(query)));
        }
        if self.is_word("FIELDS") && self.is_symbol_at(self.at + 1, "(") {
            self.at += 2;
            let which = self.word()?;
            let wildcard = match which.to_ascii_uppercase().as_str() {
                "ALL" => Wildcard::All,
                "STANDARD" => Wildcard::Standard,
                "CUSTOM" => Wildcard::Custom,
                _ => return Err(unexpected(&Token::Word(which))),
            };
            self.need_symbol(")")?;
            return Ok(Item::Fields(wildcard));
        }
        let operand = self.operand()?;
        let alias = match self.peek() {
            Some(Token::Word(word)) if is_name(word) && !word.eq_ignore_ascii_case("FROM") => {
                Some(self.word()?)
            }
            _ => None,
        };
        Ok(Item::Value { operand, alias })
    }

    /// A path, or a function of one.
    fn operand(&mut self) -> Result<Operand, Malformed> {
        if !self.is_symbol_at(self.at + 1, "(") {
            return Ok(Operand::Path(self.path()?));
        }
        let name = self.word()?;
        let (measure, part) = (Measure::parse(&name), DatePart::parse(&name));
        if measure.is_none() && part.is_none() {
            return Err(unexpected(&Token::Word(name)));
        }
        self.need_symbol("(")?;
        let path = self.path()?;
        self.need_symbol(")")?;
        Ok(match (measure, part) {
            (Some(measure), _) => Operand::Measure { measure, path },
            (None, Some(part)) => Operand::Date { part, path },
            (None, None) => Operand::Path(path),
        })
    }

    fn order(&mut self) -> Result<Order, Malformed> {
        let operand = self.operand()?;
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
            operand,
            is_descending,
            nulls_last,
        })
    }

    fn number(&mut self) -> Result<usize, Malformed> {
        let word = self.word()?;
        word.parse().map_err(|_| unexpected(&Token::Word(word)))
    }

    /// AND and OR may not be mixed without parentheses.
    fn condition(&mut self) -> Result<Expr, Malformed> {
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
            return Ok(Expr::Not(Box::new(self.deeper(Self::unary)?)));
        }
        if self.take_symbol("(") {
            let inner = self.deeper(Self::condition)?;
            self.need_symbol(")")?;
            return Ok(inner);
        }
        let operand = self.operand()?;
        let is_negated = self.take_word("NOT");
        if is_negated || self.is_word("IN") {
            self.need_word("IN")?;
            return self.membership(operand, is_negated);
        }
        if self.is_word("INCLUDES") || self.is_word("EXCLUDES") {
            let is_negated = self.is_word("EXCLUDES");
            self.at += 1;
            let values = self.values()?;
            let path = operand.path().clone();
            return Ok(Expr::Includes {
                path,
                is_negated,
                values,
            });
        }
        let op = match self.peek() {
            Some(Token::Symbol("<>")) => Some(Op::Ne),
            Some(Token::Symbol(word)) => Op::parse(word),
            Some(Token::Word(word)) => Op::parse(word),
            _ => None,
        };
        let op = op.ok_or_else(|| self.stuck("expecting an operator"))?;
        self.at += 1;
        Ok(Expr::Compare {
            operand,
            op,
            value: self.literal()?,
        })
    }

    fn membership(&mut self, operand: Operand, is_negated: bool) -> Result<Expr, Malformed> {
        let is_join = self.is_symbol_at(self.at, "(")
            && matches!(self.tokens.get(self.at + 1), Some(Token::Word(word)) if word.eq_ignore_ascii_case("SELECT"));
        if !is_join {
            let values = self.values()?;
            return Ok(Expr::In {
                operand,
                is_negated,
                values,
            });
        }
        let Operand::Path(path) = operand else {
            return Err(self.stuck("expecting a list of values"));
        };
        self.need_symbol("(")?;
        let query = self.deeper(|parser| parser.query(Place::Join))?;
        self.need_symbol(")")?;
        Ok(Expr::Join {
            path,
            is_negated,
            query: Box::new(query),
        })
    }

    fn values(&mut self) -> Result<Vec<Literal>, Malformed> {
        self.need_symbol("(")?;
        let mut values = vec![self.literal()?];
        while self.take_symbol(",") {
            values.push(self.literal()?);
        }
        self.need_symbol(")")?;
        Ok(values)
    }

    fn literal(&mut self) -> Result<Literal, Malformed> {
        let token = self
            .peek()
            .cloned()
            .ok_or_else(|| self.stuck("expecting a value"))?;
        self.at += 1;
        match &token {
            Token::Text(text) if text.value.chars().count() > MAX_STRING => Err(Malformed(
                format!("a string of a condition has at most {MAX_STRING} characters"),
            )),
            Token::Text(text) => Ok(Literal::Text(text.clone())),
            Token::Word(word) => word_literal(word).ok_or_else(|| unexpected(&token)),
            Token::Symbol(_) => Err(unexpected(&token)),
        }
    }
}

fn is_name(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What Salesforce refuses by where a query stands.
fn check_place(query: &Query, place: Place) -> Result<(), Malformed> {
    let is_plain = |item: &Item| {
        matches!(
            item,
            Item::Value {
                operand: Operand::Path(_),
                alias: None
            }
        )
    };
    let refused = |text: &str| Err(Malformed(text.to_owned()));
    match place {
        Place::Whole => Ok(()),
        Place::Children if query.is_count || query.is_aggregate() => {
            refused("only root queries support aggregate expressions")
        }
        Place::Children => Ok(()),
        Place::Join if query.select.len() != 1 || !query.select.iter().all(is_plain) => {
            refused("semi join sub-selects select exactly one field")
        }
        Place::Join
            if !query.order.is_empty()
                || query.limit.is_some()
                || query.offset > 0
                || !query.group.is_empty() =>
        {
            refused(
                "ORDER BY, LIMIT, OFFSET and GROUP BY are not allowed in a semi join sub-select",
            )
        }
        Place::Join => Ok(()),
    }
}

fn word_literal(word: &str) -> Option<Literal> {
    match word.to_ascii_uppercase().as_str() {
        "NULL" => return Some(Literal::Null),
        "TRUE" => return Some(Literal::Bool(true)),
        "FALSE" => return Some(Literal::Bool(false)),
        _ => {}
    }
    if let Some(word) = DateWord::parse(word) {
        return Some(Literal::Word(word));
    }
    if let Some((span, n)) = word.split_once(':')
        && let Some(span) = DateSpan::parse(span)
    {
        let n: u16 = n.parse().ok()?;
        return Some(Literal::Span(span, i64::from(n)));
    }
    let first = word.trim_start_matches('-').bytes().next()?;
    if !first.is_ascii_digit() && first != b'.' {
        return None;
    }
    if word.contains(['T', 't']) {
        return clock::parse_datetime(word).map(Literal::Moment);
    }
    clock::parse_date(word).map(Literal::Day).or_else(|| {
        word.parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
            .map(Literal::Number)
    })
}
