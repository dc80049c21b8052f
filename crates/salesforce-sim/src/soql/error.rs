//! Errors with the echoed line, the caret and `ERROR at Row:1:Column:8`.

use crate::errors::Refusal;

/// How much of a long line is echoed before and behind the place of the error, in whole words. Measured
/// on recorded messages, the longest of which have so much.
const BEFORE: usize = 41;
const BEHIND: usize = 43;

/// A place in a query.
pub(crate) struct Spot {
    echo: String,
    caret: usize,
    row: usize,
    column: usize,
}

impl Spot {
    /// The place of a byte.
    pub(crate) fn new(text: &str, at: usize) -> Self {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &text[..at];
        let row = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line: Vec<char> = text[line_start..].lines().next().unwrap_or_default().chars().collect();
        let column = before[line_start..].chars().count();
        let (from, to) = window(&line, column);
        Self { echo: line[from..to].iter().collect(), caret: column - from, row, column: column + 1 }
    }

    pub(crate) fn refusal(&self, code: &'static str, reason: &str) -> Refusal {
        let Self { echo, caret, row, column } = self;
        let blank = " ".repeat(*caret);
        let message = format!("\n{echo}\n{blank}^\nERROR at Row:{row}:Column:{column}\n{reason}");
        Refusal::call(400, code, message)
    }
}

/// The part of a line that is echoed: it begins and ends where a word does, unless a word is longer
/// than all of it.
fn window(line: &[char], column: usize) -> (usize, usize) {
    let is_gap = |c: char| c.is_whitespace() || c == ',';
    let from = column.saturating_sub(BEFORE);
    let from =
        (from..column).find(|at| *at == 0 || is_gap(line[at - 1]) && !is_gap(line[*at])).unwrap_or(from);
    let end = line.len().min(column + BEHIND);
    if end == line.len() {
        return (from, end);
    }
    let is_end = |at: &usize| is_gap(line[*at]) && !is_gap(line[at - 1]);
    (from, (column + 1..=end).rev().find(is_end).unwrap_or(end))
}

/// `MALFORMED_QUERY` at a place.
pub(crate) fn malformed(text: &str, at: usize, reason: &str) -> Refusal {
    Spot::new(text, at).refusal("MALFORMED_QUERY", reason)
}

/// `MALFORMED_QUERY` about the query as a whole.
pub(crate) fn whole(reason: impl Into<String>) -> Refusal {
    Refusal::call(400, "MALFORMED_QUERY", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_first_character() {
        let refusal = Spot::new("SELECT Id, Foo FROM Account", 11).refusal("INVALID_FIELD", "why");
        assert_eq!(
            refusal.message,
            "\nSELECT Id, Foo FROM Account\n           ^\nERROR at Row:1:Column:12\nwhy"
        );
    }

    /// Three recorded messages.
    #[test]
    fn a_long_query_is_echoed_around_the_error() {
        let text = "SELECT Name, Access_Key__c, Image_Vendor__c FROM Opportunity WHERE Image_Vendor__c LIKE 'Getty%'";
        let message = Spot::new(text, 67).refusal("X", "why").message;
        let echo = "Image_Vendor__c FROM Opportunity WHERE Image_Vendor__c LIKE 'Getty%'";
        assert_eq!(message, format!("\n{echo}\n{}^\nERROR at Row:1:Column:68\nwhy", " ".repeat(39)));
        for (echo, field) in [
            (
                "WebEmail__c, Case_Resolution_Summary__c, MW_Case_ID__c, Escalation_Helper_Contact__c",
                "MW_Case_ID__c",
            ),
            (
                "Account.Phone, Account.Rating, Account.RecordTypeId, Account.ShippingCity",
                "Account.RecordTypeId",
            ),
        ] {
            let text = format!("SELECT Id, Something_Before__c, {echo}, And_Something_Behind__c FROM Case");
            let at = text.find(field).unwrap();
            let message = Spot::new(&text, at).refusal("X", "why").message;
            assert_eq!(message.lines().nth(1), Some(echo));
            assert_eq!(message.lines().nth(2).unwrap().len(), echo.find(field).unwrap() + 1);
        }
    }

    #[test]
    fn rows_are_counted() {
        let message = Spot::new("SELECT Id\nFROM Nope", 15).refusal("X", "why").message;
        assert_eq!(message, "\nFROM Nope\n     ^\nERROR at Row:2:Column:6\nwhy");
    }

    #[test]
    fn any_place_of_any_text_can_be_shown() {
        for text in ["", "é", " ,, ,", "a\n\n", &"x".repeat(300), &", ".repeat(200)] {
            for at in 0..=text.len() + 1 {
                assert!(Spot::new(text, at).refusal("X", "why").message.ends_with("why"));
            }
        }
    }
}
