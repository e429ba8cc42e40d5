//! Takes a query apart into words, strings and symbols.

use super::{Malformed, Text};

/// A piece of a query. A word is a name, a path, a number, a date or a keyword.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Text(Text),
    Symbol(&'static str),
}

const SYMBOLS: [&str; 10] = ["<=", ">=", "!=", "<>", "(", ")", ",", "=", "<", ">"];

fn is_word_start(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn is_in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-:+.".contains(c)
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Malformed> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let (value, after) = quoted(&rest[1..])?;
            out.push(Token::Text(value));
            rest = after;
        } else if is_word_start(first) {
            let end = rest.find(|c| !is_in_word(c)).unwrap_or(rest.len());
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

/// Reads a string up to its closing quote.
fn quoted(text: &str) -> Result<(Text, &str), Malformed> {
    let illegal = || Malformed("Illegal string literal escape sequence".to_owned());
    let mut read = Text::default();
    let mut length = 0;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let c = match c {
            '\'' => return Ok((read, &text[at + 1..])),
            '\\' => match chars.next().ok_or_else(illegal)?.1 {
                c @ ('\'' | '"' | '\\') => c,
                c @ ('%' | '_') => {
                    read.escaped.push(length);
                    c
                }
                'n' | 'N' => '\n',
                'r' | 'R' => '\r',
                't' | 'T' => '\t',
                'b' | 'B' => '\u{8}',
                'f' | 'F' => '\u{c}',
                'u' => {
                    let mut code = 0;
                    for _ in 0..4 {
                        let digit = chars.next().and_then(|(_, c)| c.to_digit(16));
                        code = code * 16 + digit.ok_or_else(illegal)?;
                    }
                    char::from_u32(code).ok_or_else(illegal)?
                }
                _ => return Err(illegal()),
            },
            c => c,
        };
        read.value.push(c);
        length += 1;
    }
    Err(Malformed(
        "line 1: mismatched character '<EOF>' expecting '''".to_owned(),
    ))
}
