//! Compact, versioned resume points: a version byte, then fields in a fixed order.
//!
//! A cursor of another version, or one that was damaged, is refused with a failure and never misread. The memo uses the
//! same encoding.

use crate::{Failure, failure};

/// Most bytes the contract allows in a cursor or a memo.
pub const MAX_BYTES: usize = 16 * 1024;

/// Puts fields together.
pub struct Writer(Vec<u8>);

impl Writer {
    /// Starts a cursor of that version.
    pub fn new(version: u8) -> Self {
        Self(vec![version])
    }

    /// Appends a number, in as few bytes as it needs.
    #[must_use]
    pub fn number(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    /// Appends a text, preceded by its length.
    #[must_use]
    pub fn text(self, value: &str) -> Self {
        let mut writer = self.number(value.len() as u64);
        writer.0.extend_from_slice(value.as_bytes());
        writer
    }

    /// Appends a list of texts, preceded by its count.
    #[must_use]
    pub fn texts<'a>(self, values: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let writer = self.number(values.len() as u64);
        values.fold(writer, Self::text)
    }

    /// Appends a number that may be absent.
    #[must_use]
    pub fn maybe(self, value: Option<i64>) -> Self {
        match value {
            None => self.number(0),
            // Zigzag, so that a small negative number stays small.
            Some(value) => self.number(1).number(((value << 1) ^ (value >> 63)) as u64),
        }
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Takes fields apart, in the order they were written.
pub struct Reader<'a> {
    rest: &'a [u8],
}

fn damaged() -> Failure {
    failure::invalid_input(
        "cursor_damaged",
        "The resume point cannot be read; start again from the beginning",
    )
}

impl<'a> Reader<'a> {
    /// Opens a cursor of that version.
    ///
    /// # Errors
    /// `invalid-input`, code `cursor_version` for any other version, `cursor_damaged` for an empty one.
    pub fn open(bytes: &'a [u8], version: u8) -> Result<Self, Failure> {
        match bytes.split_first() {
            Some((first, rest)) if *first == version => Ok(Self { rest }),
            Some((first, _)) => Err(failure::invalid_input(
                "cursor_version",
                format!(
                    "The resume point has format {first}, this connector reads {version}; start again from the beginning"
                ),
            )),
            None => Err(damaged()),
        }
    }

    /// # Errors
    /// `cursor_damaged` where the bytes end or the number does not fit.
    pub fn number(&mut self) -> Result<u64, Failure> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or_else(damaged)?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(damaged());
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(damaged())
    }

    /// # Errors
    /// `cursor_damaged` where the bytes end or are not UTF-8.
    pub fn text(&mut self) -> Result<&'a str, Failure> {
        let length = usize::try_from(self.number()?).map_err(|_| damaged())?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or_else(damaged)?;
        self.rest = rest;
        std::str::from_utf8(text).map_err(|_| damaged())
    }

    /// # Errors
    /// `cursor_damaged` as [`Reader::text`].
    pub fn texts(&mut self) -> Result<Vec<&'a str>, Failure> {
        let count = self.number()?;
        if count > self.rest.len() as u64 {
            return Err(damaged());
        }
        (0..count).map(|_| self.text()).collect()
    }

    /// # Errors
    /// `cursor_damaged` as [`Reader::number`].
    pub fn maybe(&mut self) -> Result<Option<i64>, Failure> {
        match self.number()? {
            0 => Ok(None),
            1 => {
                let raw = self.number()?;
                Ok(Some(((raw >> 1) as i64) ^ -((raw & 1) as i64)))
            }
            _ => Err(damaged()),
        }
    }

    /// # Errors
    /// `cursor_damaged` where bytes are left over.
    pub fn end(self) -> Result<(), Failure> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(damaged())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        for (number, maybe) in [
            (0, None),
            (127, Some(-1)),
            (128, Some(0)),
            (u64::MAX, Some(i64::MIN)),
            (7, Some(i64::MAX)),
        ] {
            let bytes = Writer::new(3)
                .number(number)
                .text("é'")
                .maybe(maybe)
                .texts(["a", ""].into_iter())
                .finish();
            let mut reader = Reader::open(&bytes, 3).unwrap();
            assert_eq!(reader.number().unwrap(), number);
            assert_eq!(reader.text().unwrap(), "é'");
            assert_eq!(reader.maybe().unwrap(), maybe);
            assert_eq!(reader.texts().unwrap(), ["a", ""]);
            reader.end().unwrap();
        }
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let bytes = Writer::new(2).finish();
        assert_eq!(
            Reader::open(&bytes, 1).err().unwrap().code,
            "cursor_version"
        );
        assert_eq!(Reader::open(&[], 1).err().unwrap().code, "cursor_damaged");
    }

    #[test]
    fn every_cut_and_every_surplus_byte_is_noticed() {
        let whole = Writer::new(1)
            .number(300)
            .text("locator")
            .maybe(Some(5))
            .finish();
        let read = |bytes: &[u8]| -> Result<(), Failure> {
            let mut reader = Reader::open(bytes, 1)?;
            reader.number()?;
            reader.text()?;
            reader.maybe()?;
            reader.end()
        };
        read(&whole).unwrap();
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "cut at {cut}");
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert!(read(&longer).is_err());
    }
}
