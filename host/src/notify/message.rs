//! A message and its form as a mail (RFC 5322). Pure.

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message as Mail};

use super::NotifyError;
use crate::kernel::MessageId;

/// A message to be written.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// What kind, such as `reclaim_notice`.
    pub kind: &'static str,
    /// Unique over all messages: the same cause writes one.
    pub key: String,
    /// Mail address.
    pub recipient: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// What it is about: `candidate`, …
    pub subject_kind: &'static str,
    /// Its id.
    pub subject_id: String,
}

/// A message of the outbox.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// What kind.
    pub kind: String,
    /// Mail address.
    pub recipient: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// What it is about.
    pub subject_kind: String,
    /// Its id.
    pub subject_id: String,
    /// Deliveries that failed.
    pub attempts: i64,
}

/// Who writes.
const SENDER: &str = "Seatwise <seatwise@localhost>";

impl Message {
    /// The mail, byte for byte; `Date` is when it is delivered. A recipient or subject with a line break cannot smuggle a header: the
    /// builder refuses the one and encodes the other.
    ///
    /// # Errors
    /// [`NotifyError::Address`], [`NotifyError::Mail`].
    pub fn mail(&self, at_ms: i64) -> Result<Vec<u8>, NotifyError> {
        let to: Mailbox = self
            .recipient
            .parse()
            .map_err(|_| NotifyError::Address(self.recipient.chars().take(80).collect()))?;
        let from: Mailbox = SENDER
            .parse()
            .map_err(|_| NotifyError::Address(SENDER.to_owned()))?;
        let date = std::time::UNIX_EPOCH
            + std::time::Duration::from_millis(u64::try_from(at_ms).unwrap_or(0));
        let mail = Mail::builder()
            .from(from)
            .to(to)
            .date(date)
            .message_id(Some(format!("<{}@seatwise>", self.id)))
            .subject(self.subject.as_str())
            .header(ContentType::TEXT_PLAIN)
            .body(self.body.clone())?;
        Ok(mail.formatted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(recipient: &str, subject: &str) -> Message {
        Message {
            id: "msg_1".into(),
            kind: "reclaim_notice".to_owned(),
            recipient: recipient.to_owned(),
            subject: subject.to_owned(),
            body: "Do you still need it?".to_owned(),
            subject_kind: "candidate".to_owned(),
            subject_id: "cand_1".to_owned(),
            attempts: 0,
        }
    }

    #[test]
    fn a_line_break_in_a_subject_makes_no_header() {
        let mail = message("cy@example.com", "Hello\r\nBcc: all@example.com")
            .mail(0)
            .unwrap();
        let text = String::from_utf8(mail).unwrap();
        assert!(!text.contains("\r\nBcc:"), "{text}");
        assert!(text.contains("Message-ID: <msg_1@seatwise>"), "{text}");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in ["", "cy", "cy@example.com\r\nBcc: x@example.com"] {
            assert!(matches!(
                message(wrong, "x").mail(0),
                Err(NotifyError::Address(_))
            ));
        }
    }
}
