//! What is wrong with a mapping, and where.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

/// How bad a mistake is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The mapping does not work like this.
    #[default]
    Error,
    /// It works, and somebody should know what it does not do.
    Warning,
}

/// One mistake in a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MappingError {
    /// How bad it is.
    pub severity: Severity,
    /// The file, as it was named to [`Mapping::parse`](super::Mapping::parse).
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The bytes of the file that are wrong.
    pub span: Range<usize>,
    /// What is wrong, as a sentence without its full stop.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
    /// The text of the line, or the part of a long one that is around the place.
    excerpt: String,
    /// How many characters of the excerpt come before what is wrong.
    indent: usize,
    /// How many characters of the excerpt are wrong.
    width: usize,
}

/// At most this many characters of a line are shown.
const LONGEST_EXCERPT: usize = 110;

/// Shows the place, the line and a mark under what is wrong:
///
/// ```text
/// acme.toml:9:24: SCIM users have no attribute `lcale`
///   |
/// 9 | LocaleSidKey = 'locale(user.lcale)'
///   |                        ^^^^^^^^^^
///   = did you mean `user.locale`?
/// ```
impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        // Tabs stay tabs under tabs, so that the mark stands right however wide they are shown.
        let indent: String =
            self.excerpt.chars().take(self.indent).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {}", self.excerpt)?;
        write!(f, "{margin} | {indent}{}", "^".repeat(self.width))?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "\n{margin} = did you mean `{suggestion}`?")?;
        }
        Ok(())
    }
}

impl std::error::Error for MappingError {}

/// All mistakes in a mapping, in the order of the file. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct MappingErrors(Vec<MappingError>);

impl MappingErrors {
    pub(super) fn new(mut errors: Vec<MappingError>) -> Self {
        errors.sort_by_key(|error| (error.span.start, error.span.end));
        errors.dedup();
        Self(errors)
    }

    /// The mistakes.
    #[must_use]
    pub fn as_slice(&self) -> &[MappingError] {
        &self.0
    }
}

impl IntoIterator for MappingErrors {
    type Item = MappingError;
    type IntoIter = std::vec::IntoIter<MappingError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for MappingErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, error) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str("\n\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for MappingErrors {}

/// The text of a mapping, kept to point into.
#[derive(Clone, Debug)]
pub(super) struct Text {
    file: Arc<str>,
    text: Arc<str>,
}

impl Text {
    pub(super) fn new(file: &str, text: &str) -> Self {
        Self { file: file.into(), text: text.into() }
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn whole(&self) -> &str {
        &self.text
    }

    pub(super) fn slice(&self, span: Range<usize>) -> &str {
        self.text.get(span).unwrap_or_default()
    }

    /// The line that this byte stands in, without what surrounds it.
    pub(super) fn line(&self, at: usize) -> &str {
        let at = floor(&self.text, at);
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline);
        self.text[start..end].trim()
    }

    /// An error at a place of the text. A place outside it is moved to its nearest end.
    pub(super) fn error(
        &self,
        span: Range<usize>,
        message: String,
        suggestion: Option<String>,
    ) -> MappingError {
        let start = floor(&self.text, span.start);
        let end = floor(&self.text, span.end.max(start));
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |newline| start + newline);
        let line = self.text[line_start..line_end].trim_end_matches('\r');
        let column = before[line_start..].chars().count();
        let marked = self.text.get(start..end.min(line_end)).unwrap_or_default().trim_end().chars().count();
        // Of a long line, a little of what comes before the place is shown.
        let skipped = if line.chars().count() > LONGEST_EXCERPT {
            column.saturating_sub(LONGEST_EXCERPT / 4)
        } else {
            0
        };
        let indent = column - skipped;
        MappingError {
            severity: Severity::Error,
            file: self.file.to_string(),
            line: before.matches('\n').count() + 1,
            column: column + 1,
            span: start..end,
            message,
            suggestion,
            excerpt: line.chars().skip(skipped).take(LONGEST_EXCERPT).collect(),
            indent,
            width: marked.clamp(1, LONGEST_EXCERPT - indent.min(LONGEST_EXCERPT - 1)),
        }
    }
}

/// The last place at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
