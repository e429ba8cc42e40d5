//! The words of mails: handlebars, strict, as plain text and as simple HTML. Pure.
//!
//! Invariants: a fact is data and never a template, so braces in a name stay braces; every fact is cut and cleaned by
//! [`super::message::one_line`] first; in HTML it is escaped and isolated (`bdi`); a mail lists at most [`MOST_ITEMS`].

use std::sync::LazyLock;

use handlebars::{Handlebars, no_escape};
use serde::Serialize;

use super::NotifyError;
use super::cause::{Cause, Count, Facts};
use super::message::{SUBJECT_CHARS, one_line};

/// Notices that one mail tells in full; the rest is a number and a link.
pub const MOST_ITEMS: usize = 20;
/// Characters of a name.
const NAME_CHARS: usize = 120;
/// Characters of a sentence.
const SENTENCE_CHARS: usize = 500;

/// Subject of one, subject of many, and the sentence before the list.
struct Words {
    one: &'static str,
    many: &'static str,
    intro: &'static str,
    /// Where all of it is listed.
    list: &'static str,
}

fn words(cause: Cause) -> Words {
    match cause {
        Cause::FirstRun => Words {
            one: "{{name}}: the first download is done",
            many: "{{count}} first downloads are done",
            intro: "The first download is done. This is what was found.",
            list: "/profiles",
        },
        Cause::RunFailed => Words {
            one: "{{name}}: the download failed",
            many: "{{count}} downloads failed",
            intro: "A download failed. Until one works again, positions keep their last figures and nobody is named anew.",
            list: "/runs",
        },
        Cause::RunRecovered => Words {
            one: "{{name}}: downloads work again",
            many: "{{count}} profiles download again",
            intro: "Downloads work again after a failure.",
            list: "/runs",
        },
        Cause::Attention => Words {
            one: "{{name}} needs attention",
            many: "{{count}} profiles need attention",
            intro: "A person has to look at this before it goes on.",
            list: "/profiles",
        },
        Cause::AttentionOver => Words {
            one: "{{name}} no longer needs attention",
            many: "{{count}} profiles no longer need attention",
            intro: "What stood in the way is gone. What had waited goes on by itself.",
            list: "/profiles",
        },
        Cause::TokenDied => Words {
            one: "{{name}}: somebody must sign in again",
            many: "{{count}} connections need somebody to sign in again",
            intro: "A credential no longer works at the vendor. Nothing is downloaded and nothing is taken back until somebody signs in again.",
            list: "/profiles",
        },
        Cause::ApprovalWaiting => Words {
            one: "{{name}} waits for approval",
            many: "{{count}} approvals wait",
            intro: "This waits for an approver. Nothing happens before somebody approves it.",
            list: "/rules",
        },
        Cause::WebhookOff => Words {
            one: "{{name}}: the webhook is switched off",
            many: "{{count}} webhooks are switched off",
            intro: "A webhook took nothing for too long and was switched off. Events that happen meanwhile are not sent later.",
            list: "/webhooks",
        },
    }
}

/// A mail's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Worded {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same for eyes.
    pub html: String,
}

#[derive(Serialize)]
struct Item {
    number: String,
    name: String,
    happened: String,
    fix: Option<String>,
    url: String,
    counts: Vec<Count>,
}

#[derive(Serialize)]
struct Context {
    to: String,
    subject: String,
    intro: &'static str,
    /// Of the first, for the subject of one.
    name: String,
    count: usize,
    items: Vec<Item>,
    more: usize,
    more_url: String,
    choices_url: String,
}

struct Registries {
    text: Handlebars<'static>,
    html: Handlebars<'static>,
}

static REGISTRIES: LazyLock<Registries> = LazyLock::new(|| {
    let mut text = Handlebars::new();
    text.set_strict_mode(true);
    text.register_escape_fn(no_escape);
    let mut html = Handlebars::new();
    html.set_strict_mode(true);
    text.register_template_string("text", include_str!("wording/text.hbs"))
        .expect("embedded templates parse; a test holds it");
    html.register_template_string("html", include_str!("wording/html.hbs"))
        .expect("embedded templates parse; a test holds it");
    Registries { text, html }
});

fn item(facts: &Facts, base: &str) -> Item {
    let sentence = |text: &str| {
        one_line(text, SENTENCE_CHARS)
            .trim_end_matches('.')
            .to_owned()
    };
    Item {
        number: one_line(&facts.number, NAME_CHARS),
        name: one_line(&facts.name, NAME_CHARS),
        happened: sentence(&facts.happened),
        fix: facts.fix.as_deref().map(sentence),
        url: format!("{base}{}", one_line(&facts.path, NAME_CHARS)),
        counts: facts.counts.clone(),
    }
}

/// The mail that tells a person of these notices of one cause; `public_url` is where its links lead.
///
/// # Errors
/// [`NotifyError::Wording`]: a fault of ours.
pub fn mail(
    cause: Cause,
    to: &str,
    notices: &[Facts],
    public_url: &str,
) -> Result<Worded, NotifyError> {
    let base = public_url.trim_end_matches('/');
    let words = words(cause);
    let mut context = Context {
        to: one_line(to, NAME_CHARS),
        subject: String::new(),
        intro: words.intro,
        name: notices
            .first()
            .map(|first| one_line(&first.name, NAME_CHARS))
            .unwrap_or_default(),
        count: notices.len(),
        items: notices
            .iter()
            .take(MOST_ITEMS)
            .map(|facts| item(facts, base))
            .collect(),
        more: notices.len().saturating_sub(MOST_ITEMS),
        more_url: format!("{base}{}", words.list),
        choices_url: format!("{base}/notifications"),
    };
    let failed = |error| NotifyError::Wording(Box::new(error));
    let subject = if notices.len() == 1 {
        words.one
    } else {
        words.many
    };
    let registries = &*REGISTRIES;
    let subject = registries
        .text
        .render_template(subject, &context)
        .map_err(failed)?;
    context.subject = one_line(&subject, SUBJECT_CHARS);
    Ok(Worded {
        text: registries.text.render("text", &context).map_err(failed)?,
        html: registries.html.render("html", &context).map_err(failed)?,
        subject: context.subject,
    })
}

/// Facts to look at a mail by, without anything having happened.
#[must_use]
pub fn sample(cause: Cause) -> Vec<Facts> {
    let facts = |number: &str, name: &str, happened: &str, fix: Option<&str>, path: &str| Facts {
        number: number.to_owned(),
        name: name.to_owned(),
        happened: happened.to_owned(),
        fix: fix.map(str::to_owned),
        path: format!("{path}/{number}"),
        counts: Vec::new(),
    };
    match cause {
        Cause::FirstRun => vec![Facts {
            counts: [
                ("accounts", 9_412),
                ("subscriptions", 11_038),
                ("rules proposed", 4),
            ]
            .map(|(name, value)| Count {
                name: name.to_owned(),
                value,
            })
            .to_vec(),
            ..facts(
                "PRF0001001",
                "CRM Europe",
                "RUN0001001 is complete",
                Some("Look at the proposed rules; they name nobody before they are approved"),
                "/profiles",
            )
        }],
        Cause::RunFailed => vec![
            facts(
                "RUN0001042",
                "CRM Europe",
                "the vendor does not answer",
                Some("Nothing to do if it is under maintenance; the next run is tonight"),
                "/runs",
            ),
            facts(
                "RUN0001043",
                "CRM Asia",
                "the vendor does not answer",
                None,
                "/runs",
            ),
        ],
        Cause::RunRecovered => vec![facts(
            "RUN0001044",
            "CRM Europe",
            "the download is complete",
            None,
            "/runs",
        )],
        Cause::Attention => vec![facts(
            "RUN0001045",
            "CRM Europe",
            "8 accounts arrived, 100 were expected from the last complete run",
            Some(
                "Check whether the connecting user still sees everyone; run again, or accept this run with a reason",
            ),
            "/runs",
        )],
        Cause::AttentionOver => vec![facts(
            "PRF0001001",
            "CRM Europe",
            "every check that something depends on passes again",
            None,
            "/profiles",
        )],
        Cause::TokenDied => vec![facts(
            "PRF0001001",
            "CRM Europe",
            "the vendor refuses the refresh token",
            Some("Reconnect the profile"),
            "/profiles",
        )],
        Cause::WebhookOff => vec![facts(
            "Webhook",
            "Ticket system",
            "it took nothing for three days: HTTP 503",
            Some("Repair the receiver, test the webhook, and switch it on again"),
            "/webhooks",
        )],
        Cause::ApprovalWaiting => vec![facts(
            "RUL0001004",
            "Sales Cloud: unused seats",
            "a rule is proposed",
            None,
            "/rules",
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(name: &str) -> Facts {
        Facts {
            name: name.to_owned(),
            happened: name.to_owned(),
            fix: Some(name.to_owned()),
            ..sample(Cause::RunFailed).remove(0)
        }
    }

    #[test]
    fn a_first_download_reads_as_a_person_would_write_it() {
        let worded = mail(
            Cause::FirstRun,
            "Ana",
            &sample(Cause::FirstRun),
            "https://seats.example/",
        )
        .unwrap();
        assert_eq!(worded.subject, "CRM Europe: the first download is done");
        assert_eq!(
            worded.text,
            "Hello Ana,\n\nThe first download is done. This is what was found.\n\nPRF0001001 CRM Europe\nRUN0001001 is complete.\n  \
             accounts: 9412\n  subscriptions: 11038\n  rules proposed: 4\nWhat to do: Look at the proposed rules; they name nobody before \
             they are approved.\nhttps://seats.example/profiles/PRF0001001\n\nNothing can be decided from this mail: open the page and \
             sign in.\nChoose what you are told: https://seats.example/notifications\n"
        );
        assert!(
            worded.html.contains("<li>accounts: 9412</li>"),
            "{}",
            worded.html
        );
    }

    #[test]
    fn every_cause_has_its_words_for_one_and_for_many() {
        for cause in Cause::ALL {
            let mut notices = sample(cause);
            for _ in 0..2 {
                let worded = mail(cause, "Ana", &notices, "https://seats.example").unwrap();
                assert!(!worded.subject.contains("{{") && !worded.subject.is_empty());
                assert!(
                    worded.text.contains("https://seats.example/"),
                    "{}",
                    worded.text
                );
                let again = notices.clone();
                notices.extend(again);
            }
        }
    }

    #[test]
    fn fifty_failures_are_one_mail_that_tells_twenty() {
        let many: Vec<Facts> = (0..50).map(|n| facts(&format!("Org {n}"))).collect();
        let worded = mail(Cause::RunFailed, "Ana", &many, "https://seats.example").unwrap();
        assert_eq!(worded.subject, "50 downloads failed");
        assert!(worded.text.contains("Org 19") && !worded.text.contains("Org 20"));
        assert!(
            worded
                .text
                .contains("and 30 more: https://seats.example/runs"),
            "{}",
            worded.text
        );
    }

    #[test]
    fn e11_markup_in_a_name_is_text_in_a_mail() {
        for hostile in [
            "<script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "</title><script>x</script>",
        ] {
            let worded = mail(
                Cause::RunFailed,
                hostile,
                &[facts(hostile)],
                "https://seats.example",
            )
            .unwrap();
            assert!(
                !worded.html.contains("<script") && !worded.html.contains("<img"),
                "{}",
                worded.html
            );
            assert!(
                worded.text.contains(hostile),
                "plain text has nothing to escape: {}",
                worded.text
            );
        }
    }

    #[test]
    fn e12_braces_in_a_name_stay_braces_in_a_mail() {
        for hostile in [
            "{{to}}",
            "{{#each items}}x{{/each}}",
            "{{{choices_url}}}",
            "{{> html}}",
        ] {
            let worded = mail(
                Cause::RunFailed,
                "Ana",
                &[facts(hostile)],
                "https://seats.example",
            )
            .unwrap();
            assert!(worded.text.contains(hostile), "{}", worded.text);
            assert_eq!(worded.subject, format!("{hostile}: the download failed"));
        }
    }

    #[test]
    fn a_long_or_crooked_name_is_cut_and_set_straight() {
        let worded = mail(
            Cause::RunFailed,
            "Ana",
            &[facts(&format!(
                "\u{202e}txt.exe\r\nBcc: x {}",
                "ä".repeat(50_000)
            ))],
            "https://seats.example",
        )
        .unwrap();
        assert!(worded.subject.chars().count() <= SUBJECT_CHARS);
        assert!(worded.text.chars().count() < 3_000 && worded.html.chars().count() < 4_000);
        assert!(
            worded.subject.starts_with("txt.exe Bcc: x ä"),
            "{}",
            worded.subject
        );
        assert!(!worded.text.contains('\u{202e}') && !worded.html.contains('\u{202e}'));
    }
}
