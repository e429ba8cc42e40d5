//! Charts as SVG, drawn from numbers alone. Pure.
//!
//! A chart never stands alone: the numbers it draws are words or cells beside it, so it is hidden from readers of the page.
//! Shapes are sized by attributes and coloured by classes, which the content policy allows without exceptions.
use std::fmt::Write as _;

/// The width of a bar in its own units; the page stretches it.
const WIDTH: i64 = 1_000;

/// What a part of a bar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In use.
    Used,
    /// Paid for and not in use.
    Idle,
    /// More than is owned.
    Over,
}

impl Kind {
    /// Reads the word a template uses.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "used" => Some(Self::Used),
            "idle" => Some(Self::Idle),
            "over" => Some(Self::Over),
            _ => None,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Used => "fill-used",
            Self::Idle => "fill-idle",
            Self::Over => "fill-over",
        }
    }
}

/// One horizontal bar: parts laid end to end on a track that stands for the whole. Parts below 0 are left out; where the parts
/// come to more than the whole, they share the width. A part that is there is seen: it is at least a hundredth wide.
#[must_use]
pub fn bar(whole: i64, parts: &[(Kind, i64)]) -> String {
    let parts: Vec<(Kind, i64)> = parts.iter().copied().filter(|(_, n)| *n > 0).collect();
    let sum: i64 = parts.iter().map(|(_, n)| n).sum();
    let whole = i128::from(whole.max(sum).max(1));
    let mut svg = format!(
        "<svg class=\"bar\" viewBox=\"0 0 {WIDTH} 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\" focusable=\"false\"><rect class=\"fill-track\" width=\"{WIDTH}\" height=\"10\"/>"
    );
    let mut from = 0;
    for (kind, n) in parts {
        let share = i128::from(n) * i128::from(WIDTH) / whole;
        let width = i64::try_from(share).unwrap_or(WIDTH).max(WIDTH / 100);
        let width = width.min(WIDTH - from);
        write!(
            svg,
            "<rect class=\"{}\" x=\"{from}\" width=\"{width}\" height=\"10\"/>",
            kind.class()
        )
        .expect("writing to a string does not fail");
        from += width;
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widths(svg: &str) -> Vec<i64> {
        svg.split(" width=\"")
            .skip(2)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect()
    }

    #[test]
    fn parts_share_the_track_by_their_size() {
        let svg = bar(20, &[(Kind::Used, 10), (Kind::Idle, 5), (Kind::Over, 0)]);
        assert_eq!(widths(&svg), [500, 250]);
        assert!(svg.contains("class=\"fill-idle\" x=\"500\""), "{svg}");
    }

    #[test]
    fn more_than_the_whole_fills_the_track_and_no_more() {
        let svg = bar(10, &[(Kind::Used, 10), (Kind::Over, 10)]);
        assert_eq!(widths(&svg), [500, 500]);
    }

    #[test]
    fn a_part_that_is_there_is_seen_and_nothing_leaves_the_track() {
        assert_eq!(
            widths(&bar(1_000_000, &[(Kind::Over, 1), (Kind::Used, 1)])),
            [10, 10]
        );
        let svg = bar(
            100,
            &[
                (Kind::Used, 99),
                (Kind::Over, 1),
                (Kind::Idle, i64::MAX / 4),
            ],
        );
        assert!(widths(&svg).iter().sum::<i64>() <= WIDTH, "{svg}");
        assert!(widths(&bar(0, &[(Kind::Used, -3)])).is_empty());
    }
}
