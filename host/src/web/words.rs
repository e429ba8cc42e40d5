//! How stored words, numbers and times read to a person. Pure.

/// The colour class of a state. Unknown words stay neutral: colour is never the only carrier of a meaning.
#[must_use]
pub fn tone(state: &str) -> &'static str {
    match state {
        "complete" | "published" | "good" | "pass" | "passed" | "in_force" | "approved"
        | "done" | "closed_complete" | "compliant" | "sent" | "live" | "in_use" | "active" => {
            "chip-good"
        }
        "attention_required" | "needs_attention" | "held" | "paused_quota" | "paused"
        | "unverified" | "warn" | "proposed" | "awaiting_approval" | "untested" | "build"
        | "planned" | "superseded" => "chip-warn",
        "failed" | "fail" | "needs_sign_in" | "refused" | "not_compliant" | "stale" => "chip-bad",
        "running"
        | "in_progress"
        | "waiting"
        | "queued"
        | "applying"
        | "awaiting_user"
        | "awaiting_revocation"
        | "ready"
        | "frozen"
        | "reclaimed"
        | "intended"
        | "due"
        | "dry_run" => "chip-info",
        _ => "",
    }
}

/// `attention_required` becomes `Attention required`. Words that are not ours (with capitals, spaces) stay as they are.
#[must_use]
pub fn spoken(word: &str) -> String {
    if word.is_empty()
        || !word
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
    {
        return word.to_owned();
    }
    // Names that are written in capitals wherever they stand.
    let plain = word.replace(['_', '-'], " ").replace("sam ", "SAM ");
    let mut letters = plain.chars();
    match letters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + letters.as_str(),
        None => plain,
    }
}

/// A stored sentence with its first letter capital, as it opens a heading.
#[must_use]
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

/// Groups of three: `12345` becomes `12,345`.
#[must_use]
pub fn grouped(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    if n < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A price kept in micro-units: at least two decimals, as many of the six as it needs.
#[must_use]
pub fn micros(micros: i64) -> String {
    let fraction = format!("{:06}", micros.unsigned_abs() % 1_000_000);
    let needed = fraction.trim_end_matches('0').len().max(2);
    let sign = if micros < 0 { "-" } else { "" };
    let whole = i64::try_from(micros.unsigned_abs() / 1_000_000).unwrap_or(i64::MAX);
    format!("{sign}{}.{}", grouped(whole), &fraction[..needed])
}

/// How long ago (or, negative, how far ahead) in the largest fitting unit.
#[must_use]
pub fn distance(ms: i64) -> String {
    let seconds = ms.unsigned_abs() / 1_000;
    let (number, unit) = match seconds {
        0..=59 => (seconds, "s"),
        60..=3_599 => (seconds / 60, "min"),
        3_600..=172_799 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "days"),
    };
    match (ms >= 0, number) {
        (true, 0) => "now".to_owned(),
        (true, _) => format!("{number} {unit} ago"),
        (false, _) => format!("in {number} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_words_are_spoken_and_others_left_alone() {
        assert_eq!(spoken("attention_required"), "Attention required");
        assert_eq!(spoken("dry-run"), "Dry run");
        assert_eq!(spoken("INVALID_FIELD"), "INVALID_FIELD");
        assert_eq!(spoken("sam_integrator"), "SAM integrator");
        assert_eq!(spoken(""), "");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(-1_234_567), "-1,234,567");
        assert_eq!(grouped(100), "100");
    }

    #[test]
    fn a_price_shows_the_decimals_it_needs() {
        assert_eq!(micros(1_800_000_000), "1,800.00");
        assert_eq!(micros(1), "0.000001");
        assert_eq!(micros(12_345_600), "12.3456");
    }

    #[test]
    fn distances_read_both_ways() {
        assert_eq!(distance(0), "now");
        assert_eq!(distance(90_000), "1 min ago");
        assert_eq!(distance(-7_200_000), "in 2 h");
        assert_eq!(distance(3 * 86_400_000), "3 days ago");
    }
}
