//! Reading a table that a person brings as text: encoding, separator, records with their lines. Pure.
//!
//! The one reader of CSV; people, licences and sign-ins are all read by it. A line is counted as an editor counts it, however lines
//! end. Cells are text: nothing in them is a formula.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How a file's bytes are read as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8, with or without its mark.
    Utf8,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
    /// Windows' Western European.
    Windows1252,
}

impl Charset {
    /// All, for a choice.
    pub const ALL: [Self; 4] = [Self::Utf8, Self::Utf16Le, Self::Utf16Be, Self::Windows1252];

    /// The usual name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
            Self::Windows1252 => "windows-1252",
        }
    }

    /// Reads the usual name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    fn encoding(self) -> &'static Encoding {
        match self {
            Self::Utf8 => UTF_8,
            Self::Utf16Le => UTF_16LE,
            Self::Utf16Be => UTF_16BE,
            Self::Windows1252 => WINDOWS_1252,
        }
    }
}

/// Why a file as a whole cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// The bytes are not text of this encoding.
    #[error("line {line} is not {} text{}", .charset.as_str(), .looks_like.map_or(String::new(), |other| format!("; it reads as {}", other.as_str())))]
    Charset {
        /// As which it was read.
        charset: Charset,
        /// Line with the first wrong byte.
        line: u64,
        /// As which it could be read, where that can be told.
        looks_like: Option<Charset>,
    },
    /// No heading line.
    #[error("the file is empty")]
    Empty,
    /// The heading line cannot be read.
    #[error("the heading line cannot be read: {0}")]
    Headings(String),
}

/// The text of a file. Without a choice a byte order mark decides, and without one the file must be UTF-8: another encoding is named,
/// never taken by guess.
///
/// # Errors
/// [`SheetError::Charset`].
pub fn decode(bytes: &[u8], chosen: Option<Charset>) -> Result<(String, Charset), SheetError> {
    let marked = Encoding::for_bom(bytes).and_then(|(found, _)| {
        Charset::ALL
            .into_iter()
            .find(|charset| charset.encoding() == found)
    });
    let charset = chosen.or(marked).unwrap_or(Charset::Utf8);
    let wrong = |line| SheetError::Charset {
        charset,
        line,
        looks_like: looks_like(bytes).filter(|other| *other != charset),
    };
    if charset == Charset::Utf8 {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        return match std::str::from_utf8(bytes) {
            // Text of two bytes a letter is valid UTF-8 full of NULs.
            Ok(text) if !text.contains('\0') => Ok((text.to_owned(), charset)),
            Ok(text) => Err(wrong(lines_to(
                text.as_bytes(),
                text.find('\0').unwrap_or(0),
            ))),
            Err(error) => Err(wrong(lines_to(bytes, error.valid_up_to()))),
        };
    }
    let (text, is_wrong) = charset.encoding().decode_with_bom_removal(bytes);
    if is_wrong || text.contains('\0') {
        let at = text.find(['\u{fffd}', '\0']).unwrap_or(0);
        return Err(wrong(lines_to(text.as_bytes(), at)));
    }
    Ok((text.into_owned(), charset))
}

fn lines_to(bytes: &[u8], at: usize) -> u64 {
    let before = bytes.get(..at).unwrap_or(bytes);
    1 + before
        .iter()
        .fold(0, |n, byte| n + u64::from(*byte == b'\n'))
}

/// What the bytes could be: two bytes a letter show as a NUL beside each plain letter; other high bytes as Windows writes them.
fn looks_like(bytes: &[u8]) -> Option<Charset> {
    let head = bytes.get(..4_096).unwrap_or(bytes);
    let nuls = |from: usize| {
        head.iter()
            .skip(from)
            .step_by(2)
            .filter(|b| **b == 0)
            .count()
    };
    let quarter = head.len() / 4;
    if head.len() >= 4 && nuls(1) > quarter {
        Some(Charset::Utf16Le)
    } else if head.len() >= 4 && nuls(0) > quarter {
        Some(Charset::Utf16Be)
    } else if head.contains(&0) {
        None
    } else {
        Some(Charset::Windows1252)
    }
}

/// What stands between two cells: of comma, semicolon, tab and bar the one that the heading line has most of, outside quotes.
#[must_use]
pub fn separator(text: &str) -> u8 {
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut is_quoted = false;
    for byte in text.bytes() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' | b'\r' if !is_quoted => break,
            _ if !is_quoted => {
                if let Some((_, n)) = counts.iter_mut().find(|(known, _)| *known == byte) {
                    *n += 1;
                }
            }
            _ => {}
        }
    }
    // Of equal counts the first of the list.
    counts
        .iter()
        .rev()
        .max_by_key(|(_, n)| *n)
        .map_or(b',', |(byte, _)| *byte)
}

/// The same lines with the same ends.
#[must_use]
pub fn unix_lines(text: &str) -> String {
    // The reader takes the line of a record before the second half of CRLF, which is how forms and Windows end lines.
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// One record and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Line of its first cell, counted from 1.
    pub line: u64,
    /// Byte of its first cell in the text.
    pub byte: usize,
    /// Cells without surrounding blanks.
    pub cells: Vec<String>,
}

/// Reads records one after another, the heading line among them; blank lines are none. Holds one record at a time.
pub struct Records<'a> {
    reader: csv::Reader<&'a [u8]>,
    text: &'a str,
    first_line: u64,
}

/// The records of a text whose first line has this number.
#[must_use]
pub fn records(text: &str, separator: u8, first_line: u64) -> Records<'_> {
    let reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(text.as_bytes());
    Records {
        reader,
        text,
        first_line,
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let mut record = csv::StringRecord::new();
        // Text that is a string, of any number of columns, has nothing for the reader to refuse.
        if !self.reader.read_record(&mut record).unwrap_or(false) {
            return None;
        }
        let position = record.position();
        let line = position.map_or(1, csv::Position::line);
        let byte = position.map_or(0, csv::Position::byte);
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        // The reader stands before the blank lines that it skips.
        let rest = self.text.as_bytes().get(byte..).unwrap_or_default();
        let blank = rest.iter().take_while(|b| **b == b'\n').count();
        Some(Record {
            line: self.first_line + line.saturating_sub(1) + blank as u64,
            byte: byte + blank,
            cells: record.iter().map(str::to_owned).collect(),
        })
    }
}

/// The cells of the heading line.
///
/// # Errors
/// [`SheetError::Empty`], [`SheetError::Headings`].
pub fn headings(text: &str, separator: u8) -> Result<Vec<String>, SheetError> {
    /// Cells of a heading line at most; a lost quote makes one cell of the whole file.
    const MOST: usize = 500;
    const LONGEST: usize = 200;
    let first = records(text, separator, 1)
        .next()
        .ok_or(SheetError::Empty)?;
    if first.cells.iter().all(String::is_empty) {
        return Err(SheetError::Empty);
    }
    if first.cells.len() > MOST {
        return Err(SheetError::Headings(format!(
            "it has more than {MOST} columns"
        )));
    }
    if first
        .cells
        .iter()
        .any(|cell| cell.chars().count() > LONGEST)
    {
        return Err(SheetError::Headings(format!(
            "a heading is longer than {LONGEST} characters; is a quotation mark missing"
        )));
    }
    Ok(first.cells)
}

/// A heading as columns are compared by: small letters, blanks and dashes as underscores.
#[must_use]
pub fn plain_heading(heading: &str) -> String {
    heading.trim().to_lowercase().replace([' ', '-', '.'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_decides_and_another_encoding_is_named_never_guessed() {
        let text = "name;mail\nZoë Müller;zoe@example.com\n";
        let utf16 = |little: bool, mark: bool| -> Vec<u8> {
            let units = text.encode_utf16().chain([]);
            let marked = mark.then_some(0xfeff_u16).into_iter().chain(units);
            marked
                .flat_map(|unit| {
                    if little {
                        unit.to_le_bytes()
                    } else {
                        unit.to_be_bytes()
                    }
                })
                .collect()
        };
        let windows: Vec<u8> = text
            .chars()
            .map(|c| u8::try_from(u32::from(c)).unwrap())
            .collect();
        let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
        for (bytes, found) in [
            (text.as_bytes().to_vec(), Charset::Utf8),
            (marked, Charset::Utf8),
            (utf16(true, true), Charset::Utf16Le),
            (utf16(false, true), Charset::Utf16Be),
        ] {
            assert_eq!(decode(&bytes, None), Ok((text.to_owned(), found)));
        }
        for (bytes, looks_like) in [
            (windows, Charset::Windows1252),
            (utf16(true, false), Charset::Utf16Le),
            (utf16(false, false), Charset::Utf16Be),
        ] {
            let refused = decode(&bytes, None).unwrap_err();
            assert_eq!(
                refused,
                SheetError::Charset {
                    charset: Charset::Utf8,
                    line: 2,
                    looks_like: Some(looks_like)
                }
            );
            assert!(
                refused.to_string().contains(looks_like.as_str()),
                "{refused}"
            );
            assert_eq!(
                decode(&bytes, Some(looks_like)),
                Ok((text.to_owned(), looks_like)),
                "chosen, it is read"
            );
        }
    }

    #[test]
    fn the_separator_is_what_the_heading_line_has_most_of_outside_quotes() {
        for (line, found) in [
            ("a,b,c\n1;2;3;4;5", b','),
            ("a;b;c", b';'),
            ("a\tb\tc", b'\t'),
            ("\"a,b,c,d\";e;f\n", b';'),
            ("a|b", b'|'),
            ("alone", b','),
        ] {
            assert_eq!(separator(line), found, "{line:?}");
        }
    }

    #[test]
    fn records_know_their_line_also_behind_quoted_line_ends_and_blank_lines() {
        let text = unix_lines("a,b\r\n1,\"x\r\ny\"\r\n\r\n2,=cmd()\r\n");
        let read: Vec<_> = records(&text, b',', 1)
            .map(|record| (record.line, record.cells.join("|")))
            .collect();
        assert_eq!(
            read,
            [
                (1, "a|b".to_owned()),
                (2, "1|x\ny".to_owned()),
                (5, "2|=cmd()".to_owned())
            ]
        );
        let later: Vec<_> = records("3,4\n", b',', 40)
            .map(|record| record.line)
            .collect();
        assert_eq!(later, [40]);
    }

    #[test]
    fn a_file_without_a_usable_heading_line_is_refused() {
        assert_eq!(headings("", b','), Err(SheetError::Empty));
        assert_eq!(headings("\n\n", b','), Err(SheetError::Empty));
        let endless = format!("\"{}\n", "x,".repeat(50_000));
        assert!(matches!(
            headings(&endless, b','),
            Err(SheetError::Headings(_))
        ));
        assert_eq!(
            headings("Mail, Name\n", b','),
            Ok(vec!["Mail".to_owned(), "Name".to_owned()])
        );
    }
}
