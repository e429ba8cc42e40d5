//! What a person writes into a record: a name of one line, a reason of some lines. Both have a length that pages, mails and lists can show.

/// Characters of a name at most.
pub const NAME_CHARS: usize = 200;
/// Characters of a reason at most: a page of text.
pub const REASON_CHARS: usize = 2_000;

/// Why a text is neither name nor reason. It reads as the end of a sentence whose subject is the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Nothing but blanks.
    #[error("is empty")]
    Empty,
    /// Longer than can be shown.
    #[error("has {given} characters and may have {most}")]
    TooLong {
        /// Characters it has.
        given: usize,
        /// Characters it may have.
        most: usize,
    },
    /// What no keyboard writes into a line.
    #[error("holds control characters")]
    Control,
}

/// A name without the blanks around it: one line, no control characters.
///
/// # Errors
/// [`Unfit`].
pub fn name(text: &str) -> Result<&str, Unfit> {
    let text = sized(text, NAME_CHARS)?;
    if text.chars().any(char::is_control) {
        return Err(Unfit::Control);
    }
    Ok(text)
}

/// A reason without the blanks around it: any lines, no other control characters.
///
/// # Errors
/// [`Unfit`].
pub fn reason(text: &str) -> Result<&str, Unfit> {
    let text = sized(text, REASON_CHARS)?;
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().any(is_control) {
        return Err(Unfit::Control);
    }
    Ok(text)
}

fn sized(text: &str, most: usize) -> Result<&str, Unfit> {
    let text = text.trim();
    let given = text.chars().count();
    match given {
        0 => Err(Unfit::Empty),
        given if given > most => Err(Unfit::TooLong { given, most }),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_that_can_be_shown_and_a_reason_may_have_several() {
        let longest = "é".repeat(NAME_CHARS);
        assert_eq!(name(&format!(" {longest}\n")), Ok(longest.as_str()));
        let (given, most) = (NAME_CHARS + 1, NAME_CHARS);
        assert_eq!(
            name(&"é".repeat(given)),
            Err(Unfit::TooLong { given, most })
        );
        assert_eq!(name("a\u{1b}[31m"), Err(Unfit::Control));
        assert_eq!(name("a\nb"), Err(Unfit::Control));
        assert_eq!(reason("a\r\n\tb"), Ok("a\r\n\tb"));
        assert_eq!(reason("a\u{0}b"), Err(Unfit::Control));
        assert_eq!(reason(" \n"), Err(Unfit::Empty));
        let (given, most) = (REASON_CHARS + 1, REASON_CHARS);
        assert_eq!(
            reason(&"x".repeat(given)),
            Err(Unfit::TooLong { given, most })
        );
    }
}
