//! A message and its form as a mail (RFC 5322). Pure.
//!
//! Invariants: however hostile a name is, it makes no header, no line of its own in a heading, and no text that runs backwards; no mail
//! is longer than [`BODY_CHARS`] allows.

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Mail, MultiPart};
use serde::Serialize;

use super::NotifyError;
use crate::kernel::MessageId;

/// Characters of a subject.
pub const SUBJECT_CHARS: usize = 200;
/// Characters of a text.
pub const BODY_CHARS: usize = 20_000;

/// How a message leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// To a mail address.
    Mail,
    /// To a webhook.
    Webhook,
}

impl Channel {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text == "webhook" {
            Self::Webhook
        } else {
            Self::Mail
        }
    }
}

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
    /// How it leaves.
    pub channel: Channel,
    /// The webhook, or the person by whose choice it is sent.
    pub target: String,
    /// Mail address, or the webhook's address.
    pub recipient: String,
    /// One line.
    pub subject: String,
    /// Plain text, or the JSON of a webhook.
    pub body: String,
    /// The same for eyes.
    pub html: Option<String>,
    /// What it is about.
    pub subject_kind: String,
    /// Its id.
    pub subject_id: String,
    /// Deliveries that were begun.
    pub attempts: i64,
    /// When it was written.
    pub created_at: i64,
}

/// Who writes where no mail server says otherwise.
pub const SENDER: &str = "Seatwise <seatwise@localhost>";

/// `Auto-Submitted` (RFC 3834 §5): no vacation answer, please.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Reads a mailbox, such as `Seatwise <seatwise@acme.example>`.
///
/// # Errors
/// [`NotifyError::Address`].
pub fn mailbox(text: &str) -> Result<Mailbox, NotifyError> {
    text.parse()
        .map_err(|_| NotifyError::Address(text.chars().take(80).collect()))
}

impl Message {
    /// The mail; `Date` is when it is delivered. A recipient or subject with a line break cannot smuggle a header: the builder refuses
    /// the one, and [`one_line`] flattens the other. The `Message-ID` is that of the row: delivered twice, it is the same mail.
    ///
    /// # Errors
    /// [`NotifyError::Address`], [`NotifyError::Mail`].
    pub fn mail(&self, sender: &str, at_ms: i64) -> Result<Mail, NotifyError> {
        let date = std::time::UNIX_EPOCH
            + std::time::Duration::from_millis(u64::try_from(at_ms).unwrap_or(0));
        let mail = Mail::builder()
            .from(mailbox(sender)?)
            .to(mailbox(&self.recipient)?)
            .date(date)
            .message_id(Some(format!("<{}@seatwise>", self.id)))
            .header(AutoSubmitted)
            .subject(one_line(&self.subject, SUBJECT_CHARS));
        let text = paragraphs(&self.body, BODY_CHARS);
        Ok(match &self.html {
            Some(html) => mail.multipart(
                MultiPart::alternative()
                    .boundary(format!("seatwise-{}", self.id))
                    .singlepart(lettre::message::SinglePart::plain(text))
                    .singlepart(lettre::message::SinglePart::html(html.clone())),
            )?,
            None => mail.header(ContentType::TEXT_PLAIN).body(text)?,
        })
    }
}

/// Characters that show nothing and change how others are read: controls, the marks that turn the direction of writing (Unicode
/// bidirectional algorithm, UAX #9) and those of no width.
fn is_deceptive(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// A name or sentence that somebody else wrote, as it may stand in a mail: one line, nothing hidden, at most so many characters.
#[must_use]
pub fn one_line(text: &str, most: usize) -> String {
    let plain: String = text
        .chars()
        .map(|letter| if letter.is_whitespace() { ' ' } else { letter })
        .filter(|letter| !is_deceptive(*letter))
        .collect();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    cut(&words, most)
}

/// A whole text, line by line as [`one_line`] but with its lines and indents.
#[must_use]
pub fn paragraphs(text: &str, most: usize) -> String {
    let plain: String = text
        .chars()
        .filter(|letter| *letter == '\n' || !is_deceptive(*letter))
        .collect();
    cut(&plain, most)
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(recipient: &str, subject: &str) -> Message {
        Message {
            id: "msg_1".into(),
            kind: "reclaim_notice".to_owned(),
            channel: Channel::Mail,
            target: String::new(),
            recipient: recipient.to_owned(),
            subject: subject.to_owned(),
            body: "Do you still need it?".to_owned(),
            html: None,
            subject_kind: "candidate".to_owned(),
            subject_id: "cand_1".to_owned(),
            attempts: 0,
            created_at: 0,
        }
    }

    fn text(message: &Message) -> String {
        String::from_utf8(message.mail(SENDER, 0).unwrap().formatted()).unwrap()
    }

    #[test]
    fn a_line_break_in_a_subject_makes_no_header() {
        for smuggled in [
            "\r\nBcc: all@example.com",
            "\nBcc: all@example.com",
            "\rBcc: x@example.com",
            "\u{2028}Bcc: x@example.com",
        ] {
            let mail = text(&message("cy@example.com", &format!("Hello{smuggled}")));
            assert!(
                !mail.contains("\nBcc:") && !mail.contains("\rBcc:"),
                "{mail}"
            );
            assert!(mail.contains("Message-ID: <msg_1@seatwise>"), "{mail}");
            assert!(mail.contains("Auto-Submitted: auto-generated"), "{mail}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in ["", "cy", "cy@example.com\r\nBcc: x@example.com"] {
            assert!(matches!(
                message(wrong, "x").mail(SENDER, 0),
                Err(NotifyError::Address(_))
            ));
        }
        assert!(
            message("cy@example.com", "x")
                .mail("no address", 0)
                .is_err()
        );
    }

    #[test]
    fn a_name_that_would_run_backwards_is_set_straight() {
        assert_eq!(
            one_line("gnp.\u{202e}exe\u{202c} a\tb\r\n\u{200b}c\u{0}", 50),
            "gnp.exe a b c"
        );
        assert_eq!(paragraphs("a\n\u{202e}b\r\nc", 50), "a\nb\nc");
        assert_eq!(one_line("José 佐藤 عمر", 50), "José 佐藤 عمر");
    }

    #[test]
    fn a_text_of_fifty_kilobytes_is_cut() {
        let long = "ä".repeat(50_000);
        assert_eq!(
            one_line(&long, SUBJECT_CHARS).chars().count(),
            SUBJECT_CHARS
        );
        let mut mail = message("cy@example.com", &long);
        mail.body = long.clone();
        assert!(text(&mail).len() < 200_000);
        assert!(paragraphs(&long, BODY_CHARS).ends_with('…'));
    }

    #[test]
    fn both_forms_stand_in_one_mail_and_the_same_mail_twice_is_the_same() {
        let mut both = message("cy@example.com", "x");
        both.html = Some("<p>Do you still need it?</p>".to_owned());
        let mail = text(&both);
        assert!(
            mail.contains("multipart/alternative") && mail.contains("text/html"),
            "{mail}"
        );
        assert_eq!(mail, text(&both));
    }
}
