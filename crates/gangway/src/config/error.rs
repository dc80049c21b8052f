//! What is wrong with a configuration, and where.

use std::{fmt, ops::Range, path::Path, sync::Arc};

use miette::{Diagnostic, GraphicalReportHandler, LabeledSpan, SourceCode};

/// Everything that is wrong with a configuration.
///
/// Displayed it is one line per problem (`gangway.toml:3:1: …`), for logs; [`ConfigErrors::report`] shows the lines of
/// the file as well, for people at a terminal.
#[derive(Debug)]
pub struct ConfigErrors(Vec<Problem>);

impl ConfigErrors {
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        Self(problems)
    }

    /// A file that cannot be read at all.
    pub(crate) fn unreadable(path: &Path, message: &str) -> Self {
        Self(vec![Problem::new(&path.display().to_string(), Arc::from(""), None, message, None)])
    }

    /// The problems, in the order of the file.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }

    /// The problems with the lines they are about, for a terminal.
    #[must_use]
    pub fn report(&self) -> String {
        let handler = GraphicalReportHandler::new();
        let mut out = String::new();
        for problem in &self.0 {
            // Writing to a String cannot fail, and a report that cannot be drawn still has its sentence.
            if handler.render_report(&mut out, problem).is_err() {
                out.push_str(&problem.to_string());
                out.push('\n');
            }
        }
        out
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}: {}", problem.place(), problem.message)?;
            if let Some(help) = &problem.help {
                write!(f, " ({help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// One thing that is wrong.
#[derive(Debug)]
pub struct Problem {
    file: String,
    text: Arc<str>,
    span: Option<Range<usize>>,
    message: String,
    help: Option<String>,
}

impl Problem {
    pub(super) fn new(
        file: &str,
        text: Arc<str>,
        span: Option<Range<usize>>,
        message: &str,
        help: Option<String>,
    ) -> Self {
        Self { file: file.to_owned(), text, span, message: message.to_owned(), help }
    }

    /// The sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Where the problem starts, in bytes; for sorting.
    pub(super) fn start(&self) -> usize {
        self.span.as_ref().map_or(0, |span| span.start)
    }

    /// Line and column, both counted from 1, in characters; absent where a whole file is meant.
    #[must_use]
    pub fn line_column(&self) -> Option<(usize, usize)> {
        let start = self.span.as_ref()?.start.min(self.text.len());
        let before = self.text.get(..start)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Some((line, column))
    }

    /// `file:line:column`, or `file` where a whole file is meant.
    #[must_use]
    pub fn place(&self) -> String {
        match self.line_column() {
            Some((line, column)) => format!("{}:{line}:{column}", self.file),
            None => self.file.clone(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.span.as_ref().map(|_| &self.text as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.span.clone()?;
        let length =
            span.end.saturating_sub(span.start).max(1).min(self.text.len().saturating_sub(span.start));
        Some(Box::new(std::iter::once(LabeledSpan::new(Some("here".to_owned()), span.start, length))))
    }
}

/// The problems of a mapping file, which has its own text.
pub(crate) fn from_mapping(
    text: &str,
    errors: impl IntoIterator<Item = translation::MappingError>,
) -> impl Iterator<Item = Problem> {
    let text: Arc<str> = Arc::from(text);
    errors.into_iter().map(move |error| {
        let help = error.suggestion.map(|suggestion| format!("did you mean `{suggestion}`?"));
        Problem::new(&error.file, Arc::clone(&text), Some(error.span), &error.message, help)
    })
}
