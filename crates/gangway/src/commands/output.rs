//! What is printed: tables for people, JSON for programs. Answers go to standard output, complaints to standard error.

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
};

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table};
use serde_json::{Value, json};

use crate::config::ConfigErrors;

/// How answers are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs: one JSON document.
    Json,
}

/// Text without what would steer a terminal: values of others are in it, and one of them may move the cursor or say what is not so.
fn visible(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && c != '\n';
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Prints a line. A reader that has gone away (`| head`) is no reason to fail.
pub(super) fn line(text: &str) {
    print(&visible(text));
}

fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
}

/// Prints a JSON document.
pub(super) fn document(value: &Value) {
    // In JSON every character is told as it is.
    print(&format!("{value:#}"));
}

/// Prints rows as a table with these headings, in the width of the terminal.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(headings);
    for row in rows {
        // Before their widths are measured.
        table.add_row(row.iter().map(|cell| visible(cell)));
    }
    line(&table.trim_fmt());
}

/// Says why a command failed.
pub(super) fn complain(output: Output, why: &str) {
    let mut err = io::stderr().lock();
    let _ = match output {
        Output::Table => writeln!(err, "gangway: {}", visible(why)),
        Output::Json => writeln!(err, "{}", json!({ "error": why })),
    };
}

/// Says what is wrong with a configuration.
pub(super) fn complain_of_config(output: Output, errors: &ConfigErrors) {
    let mut err = io::stderr().lock();
    let _ = match output {
        Output::Table if io::stderr().is_terminal() => err.write_all(errors.report().as_bytes()),
        Output::Table => writeln!(err, "{errors}"),
        Output::Json => writeln!(err, "{:#}", json!({ "errors": problems(errors) })),
    };
}

/// The problems of a configuration as JSON.
pub(super) fn problems(errors: &ConfigErrors) -> Vec<Value> {
    errors
        .problems()
        .iter()
        .map(|problem| {
            let (line, column) = problem.line_column().unzip();
            json!({ "place": problem.place(), "line": line, "column": column, "message": problem.message(), "help": problem.help() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_others_steers_the_terminal() {
        for (text, shown) in [
            ("evt\u{1b}]0;owned\u{7}\u{1b}[2J", "evt\\u{1b}]0;owned\\u{7}\\u{1b}[2J"),
            ("a\rb\tc\u{9b}31m", "a\\rb\\tc\\u{9b}31m"),
            ("two\nlines, ä and 名", "two\nlines, ä and 名"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }
}
