//! An answer becomes bytes: decompressed here, counted while it streams, scanned for the credential.
//!
//! Invariants: at no time is more than the cap held, whatever the headers say; the compressed and the plain size are
//! both counted, so that a bomb ends at its ratio; a body that ends early is a failure, never a short answer.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use futures_util::StreamExt;
use http::header;

use super::failures;
use crate::contract::types::{Failure, FailureKind};
use crate::limits;

/// Reads a body to its end.
///
/// # Errors
/// `cut_body`, `timeout` (transient), `too_large`, `bad_encoding` (malformed).
pub(crate) async fn read_body(
    response: reqwest::Response,
    host: &str,
    cap: usize,
) -> Result<Vec<u8>, Failure> {
    let mut sink = match coding(&response) {
        Coding::Plain => Sink::Plain(Capped::with_room(cap, response.content_length())),
        Coding::Gzip => Sink::Gzip(MultiGzDecoder::new(Capped::new(cap))),
        Coding::Unknown => {
            return Err(failures::failure(
                FailureKind::Malformed,
                failures::BAD_ENCODING,
                format!("{host} answered in a content encoding that was not asked for"),
            ));
        }
    };
    let mut received: u64 = 0;
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|e| body_error(&e, host))?;
        received += chunk.len() as u64;
        sink.write(&chunk, received).map_err(|e| e.told(host))?;
    }
    sink.finish().map_err(|e| e.told(host))
}

/// Whether an answer carries the credential, plain or with JSON's escaped slashes.
pub(crate) fn carries(text: &[u8], token: &str) -> bool {
    // A token shorter than this would be found by chance; no vendor issues one.
    const SHORTEST: usize = 8;
    if token.len() < SHORTEST {
        return false;
    }
    let has = |needle: &str| memchr::memmem::find(text, needle.as_bytes()).is_some();
    has(token) || (token.contains('/') && has(&token.replace('/', "\\/")))
}

fn body_error(error: &reqwest::Error, host: &str) -> Failure {
    if error.is_timeout() {
        failures::failure(
            FailureKind::Transient,
            failures::TIMEOUT,
            format!("{host} did not finish its answer in time"),
        )
    } else {
        failures::failure(
            FailureKind::Transient,
            failures::CUT_BODY,
            format!("The answer of {host} was cut off"),
        )
    }
}

enum Coding {
    Plain,
    Gzip,
    Unknown,
}

fn coding(response: &reqwest::Response) -> Coding {
    match response
        .headers()
        .get(header::CONTENT_ENCODING)
        .map(|value| value.as_bytes().to_ascii_lowercase())
    {
        None => Coding::Plain,
        Some(value) if value.is_empty() || value == b"identity" => Coding::Plain,
        Some(value) if value == b"gzip" || value == b"x-gzip" => Coding::Gzip,
        Some(_) => Coding::Unknown,
    }
}

enum Excess {
    Bytes(usize),
    Ratio,
    Encoding,
    Cut,
}

impl Excess {
    fn told(self, host: &str) -> Failure {
        match self {
            Self::Bytes(cap) => {
                failures::too_large(&format!("The answer of {host} is larger than {cap} bytes"))
            }
            Self::Ratio => failures::too_large(&format!(
                "The answer of {host} unpacks to more than {} times its size",
                limits::COMPRESSION_RATIO
            )),
            Self::Encoding => failures::failure(
                FailureKind::Malformed,
                failures::BAD_ENCODING,
                format!("The answer of {host} is not valid gzip"),
            ),
            Self::Cut => failures::failure(
                FailureKind::Transient,
                failures::CUT_BODY,
                format!("The compressed answer of {host} was cut off"),
            ),
        }
    }
}

enum Sink {
    Plain(Capped),
    Gzip(MultiGzDecoder<Capped>),
}

impl Sink {
    fn write(&mut self, chunk: &[u8], received: u64) -> Result<(), Excess> {
        match self {
            Self::Plain(capped) => capped
                .write_all(chunk)
                .map_err(|_| Excess::Bytes(capped.cap)),
            Self::Gzip(decoder) => {
                // Small pieces, so that the ratio is looked at before much is unpacked.
                decoder.get_mut().received = received;
                let outcome = decoder.write_all(chunk);
                let capped = decoder.get_ref();
                match (outcome, capped.tripped) {
                    (Ok(()), _) => Ok(()),
                    (Err(_), Some(Tripped::Bytes)) => Err(Excess::Bytes(capped.cap)),
                    (Err(_), Some(Tripped::Ratio)) => Err(Excess::Ratio),
                    (Err(_), None) => Err(Excess::Encoding),
                }
            }
        }
    }

    fn finish(self) -> Result<Vec<u8>, Excess> {
        match self {
            Self::Plain(capped) => Ok(capped.bytes),
            Self::Gzip(decoder) => {
                let cap = decoder.get_ref().cap;
                let mut decoder = decoder;
                match decoder.try_finish() {
                    Ok(()) => Ok(std::mem::take(&mut decoder.get_mut().bytes)),
                    Err(_) => match decoder.get_ref().tripped {
                        Some(Tripped::Bytes) => Err(Excess::Bytes(cap)),
                        Some(Tripped::Ratio) => Err(Excess::Ratio),
                        None => Err(Excess::Cut),
                    },
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Tripped {
    Bytes,
    Ratio,
}

/// Takes bytes up to a cap and up to a ratio to what came over the wire.
struct Capped {
    bytes: Vec<u8>,
    cap: usize,
    received: u64,
    tripped: Option<Tripped>,
}

impl Capped {
    fn new(cap: usize) -> Self {
        Self {
            bytes: Vec::new(),
            cap,
            received: u64::MAX,
            tripped: None,
        }
    }

    /// Room for what the vendor announced, if it is believable.
    fn with_room(cap: usize, announced: Option<u64>) -> Self {
        let room = announced.and_then(|bytes| usize::try_from(bytes).ok());
        let mut capped = Self::new(cap);
        capped.bytes.reserve(room.unwrap_or_default().min(cap));
        capped
    }
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = self.bytes.len() + bytes.len();
        if size > self.cap {
            self.tripped = Some(Tripped::Bytes);
        } else if size > limits::COMPRESSION_RATIO_FROM
            && size as u64 / limits::COMPRESSION_RATIO > self.received
        {
            self.tripped = Some(Tripped::Ratio);
        } else {
            self.bytes.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        Err(io::Error::other("cap"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::carries;

    #[test]
    fn a_token_is_found_plain_and_with_escaped_slashes() {
        assert!(carries(b"{\"t\":\"00Dxx!AQ/abc\"}", "00Dxx!AQ/abc"));
        assert!(carries(b"{\"t\":\"00Dxx!AQ\\/abc\"}", "00Dxx!AQ/abc"));
        assert!(!carries(b"{\"t\":\"00Dxx!AQ/ab\"}", "00Dxx!AQ/abc"));
        assert!(!carries(b"short", "short"));
    }
}
