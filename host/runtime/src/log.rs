//! A guest's voice: capped, cleaned, counted.
//!
//! Invariants: no record leaves with a control character (terminal escapes, forged lines) or a direction override (text
//! that reads differently than it is); what is over the caps is dropped and counted, and the count is itself a record;
//! a guest never waits for a log.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::call::{LogLevel, LogSink};
use crate::limits;

/// Field names and values of a record that did not fit are cut at this mark.
const CUT: &str = "…";

/// Lets records through until the caps.
#[derive(Clone)]
pub(crate) struct LogGate {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    sink: Arc<dyn LogSink>,
    records_left: u32,
    bytes_left: usize,
    dropped: u64,
    last_stderr: String,
}

impl LogGate {
    pub(crate) fn new(sink: Arc<dyn LogSink>, records: u32, bytes: usize) -> Self {
        let inner = Inner {
            sink,
            records_left: records,
            bytes_left: bytes,
            dropped: 0,
            last_stderr: String::new(),
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// Takes one record.
    pub(crate) fn emit(&self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.emit(level, message, fields);
    }

    /// Says how much was dropped. Call it once, after the guest.
    pub(crate) fn close(&self) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.dropped > 0 {
            let fields = [("dropped".to_owned(), inner.dropped.to_string())];
            inner.sink.emit(
                LogLevel::Warn,
                "the connector logged more than a call may; the rest was dropped",
                &fields,
            );
        }
    }

    /// The last line on standard error: where a panic says what happened.
    pub(crate) fn last_words(&self) -> Option<String> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        Some(inner.last_stderr.clone()).filter(|text| !text.is_empty())
    }
}

impl Inner {
    fn emit(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        if self.records_left == 0 || self.bytes_left == 0 {
            self.dropped += 1;
            return;
        }
        let mut room = limits::LOG_RECORD_BYTES.min(self.bytes_left);
        let before = room;
        let message = take(message, &mut room);
        let fields: Vec<(String, String)> = fields
            .iter()
            .take(limits::LOG_FIELDS)
            .map(|(name, value)| (take(name, &mut room), take(value, &mut room)))
            .filter(|(name, _)| !name.is_empty())
            .collect();
        self.records_left -= 1;
        self.bytes_left -= before - room;
        self.sink.emit(level, &message, &fields);
    }
}

/// Cleans a text and takes as much of it as there is room for.
fn take(text: &str, room: &mut usize) -> String {
    let mut taken = String::new();
    for shown in text.chars().map(clean) {
        if taken.len() + shown.len_utf8() > *room {
            taken.push_str(CUT);
            *room = 0;
            return taken;
        }
        taken.push(shown);
    }
    *room -= taken.len();
    taken
}

/// The character, or a replacement for one that changes how text around it is shown.
pub(crate) fn clean(c: char) -> char {
    let is_direction = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_break = matches!(c, '\u{2028}' | '\u{2029}');
    if c.is_control() || is_break {
        ' '
    } else if is_direction {
        '\u{fffd}'
    } else {
        c
    }
}

/// Standard output and error: lines become records at debug level.
#[derive(Clone)]
pub(crate) struct Pipe {
    gate: LogGate,
    name: &'static str,
    line: Arc<Mutex<Vec<u8>>>,
}

impl Pipe {
    pub(crate) fn new(gate: LogGate, name: &'static str) -> Self {
        Self {
            gate,
            name,
            line: Arc::default(),
        }
    }

    fn push(&self, bytes: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        for byte in bytes {
            if *byte == b'\n' || line.len() >= limits::LOG_RECORD_BYTES {
                let text = String::from_utf8_lossy(&std::mem::take(&mut *line)).into_owned();
                self.say(&text);
            }
            if *byte != b'\n' {
                line.push(*byte);
            }
        }
    }

    fn say(&self, text: &str) {
        let mut inner = self
            .gate
            .inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if text.trim().is_empty() {
            return;
        }
        inner.emit(
            LogLevel::Debug,
            text,
            &[("from".to_owned(), self.name.to_owned())],
        );
        // A panic has two lines: where, and what. Notes about backtraces follow and say nothing.
        if self.name == "stderr" && !text.starts_with("note:") {
            let mut room = limits::LOG_RECORD_BYTES;
            let text = take(text, &mut room);
            inner.last_stderr = if text.contains("panicked at") || inner.last_stderr.is_empty() {
                text
            } else if inner.last_stderr.contains("panicked at")
                && inner.last_stderr.len() < limits::LOG_RECORD_BYTES
            {
                format!("{} {text}", inner.last_stderr)
            } else {
                text
            };
        }
    }
}

impl IsTerminal for Pipe {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Pipe {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Pipe {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(limits::LOG_RECORD_BYTES)
    }
}

#[async_trait]
impl Pollable for Pipe {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::LogGate;
    use crate::call::{LogLevel, LogSink};
    use crate::limits;

    /// Message and fields.
    type Record = (String, Vec<(String, String)>);

    #[derive(Default)]
    struct Sink(Mutex<Vec<Record>>);

    impl LogSink for Sink {
        fn emit(&self, _: LogLevel, message: &str, fields: &[(String, String)]) {
            self.0
                .lock()
                .unwrap()
                .push((message.to_owned(), fields.to_vec()));
        }
    }

    fn gate(records: u32, bytes: usize) -> (LogGate, Arc<Sink>) {
        let sink = Arc::new(Sink::default());
        (LogGate::new(sink.clone(), records, bytes), sink)
    }

    #[test]
    fn control_and_direction_characters_do_not_leave() {
        let (gate, sink) = gate(10, 1000);
        gate.emit(
            LogLevel::Info,
            "a\u{1b}[31m\r\nb\u{202e}c\u{2028}",
            &[("k\n".to_owned(), "v\0".to_owned())],
        );
        let records = sink.0.lock().unwrap();
        assert_eq!(records[0].0, "a [31m  b\u{fffd}c ");
        assert_eq!(records[0].1, [("k ".to_owned(), "v ".to_owned())]);
    }

    #[test]
    fn a_long_record_is_cut_and_many_are_dropped_and_counted() {
        let (gate, sink) = gate(2, 100_000);
        gate.emit(LogLevel::Info, &"x".repeat(64 * 1024 * 1024), &[]);
        for _ in 0..4 {
            gate.emit(LogLevel::Info, "again", &[]);
        }
        gate.close();
        let records = sink.0.lock().unwrap();
        assert_eq!(records.len(), 3);
        assert!(records[0].0.len() <= limits::LOG_RECORD_BYTES + 3);
        assert_eq!(records[2].1[0], ("dropped".to_owned(), "3".to_owned()));
    }
}
