//! Errors with the echoed line, the caret and `ERROR at Row:1:Column:8`.

use crate::errors::Refusal;

/// How much of a long line is echoed on each side of the error.
const WINDOW: usize = 40;

/// A place in a query.
pub(super) struct Spot {
    echo: String,
    caret: usize,
    row: usize,
    column: usize,
}

impl Spot {
    /// The place `at` (a byte) plus the first occurrence of `within` behind it, if there is one.
    pub(super) fn new(text: &str, at: usize, within: &str) -> Self {
        let at = at.min(text.len());
        let at = at + text[at..].find(within).unwrap_or(0);
        let before = &text[..at];
        let row = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = text[line_start..].lines().next().unwrap_or_default();
        let column = before[line_start..].chars().count();
        let from = if line.chars().count() > 2 * WINDOW { column.saturating_sub(WINDOW) } else { 0 };
        let echo = line.chars().skip(from).take(2 * WINDOW).collect();
        Self { echo, caret: column - from, row, column: column + 1 }
    }

    pub(super) fn refusal(&self, code: &'static str, reason: &str) -> Refusal {
        let Self { echo, caret, row, column } = self;
        let blank = " ".repeat(*caret);
        let message = format!("\n{echo}\n{blank}^\nERROR at Row:{row}:Column:{column}\n{reason}");
        Refusal::call(400, code, message)
    }
}

/// `MALFORMED_QUERY` at a place.
pub(super) fn malformed(text: &str, at: usize, reason: &str) -> Refusal {
    Spot::new(text, at, "").refusal("MALFORMED_QUERY", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_first_character() {
        let refusal = Spot::new("SELECT Id, Foo FROM Account", 11, "").refusal("INVALID_FIELD", "why");
        assert_eq!(
            refusal.message,
            "\nSELECT Id, Foo FROM Account\n           ^\nERROR at Row:1:Column:12\nwhy"
        );
    }

    #[test]
    fn a_long_query_is_echoed_around_the_error() {
        let text = format!("SELECT {} Foo FROM User", "Id, ".repeat(100));
        let refusal = Spot::new(&text, 0, "Foo").refusal("INVALID_FIELD", "why");
        let lines: Vec<&str> = refusal.message.lines().collect();
        assert!(lines[1].len() <= 80);
        assert_eq!(&lines[1][lines[2].len() - 1..][..3], "Foo");
        assert_eq!(lines[3], "ERROR at Row:1:Column:409");
    }
}
