//! Prometheus' text format, version 0.0.4.
//!
//! Written here and not by a recorder: what is shown is counted elsewhere and only read when somebody asks, and the
//! counters of recorders know neither the parts of calls nor histograms that are counted already.

use std::fmt::{Display, Write};

/// The media type of the format.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a family's values are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Only grows, until the process starts anew.
    Counter,
    Gauge,
    Histogram,
}

/// Labels with their values.
pub(super) type Labels<'l> = &'l [(&'l str, &'l str)];

/// A page of metrics.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// Begins a family. Its samples come next: the format wants them together.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { page: &mut self.0, name }
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// A family whose samples are written.
pub(super) struct Family<'p> {
    page: &'p mut String,
    name: &'static str,
}

impl Family<'_> {
    pub(super) fn sample(&mut self, labels: Labels<'_>, value: impl Display) {
        self.line("", labels, value);
    }

    /// The samples of a histogram: how many values were no more than each bound, how many there were, and their sum.
    pub(super) fn histogram<B: Display>(
        &mut self,
        labels: Labels<'_>,
        up_to: impl IntoIterator<Item = (B, u64)>,
        count: u64,
        sum: impl Display,
    ) {
        for (bound, count) in up_to {
            let bound = bound.to_string();
            self.line("_bucket", &[labels, &[("le", bound.as_str())]].concat(), count);
        }
        self.line("_bucket", &[labels, &[("le", "+Inf")]].concat(), count);
        self.line("_sum", labels, sum);
        self.line("_count", labels, count);
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, value: impl Display) {
        let _ = write!(self.page, "{}{suffix}", self.name);
        for (number, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let _ = write!(self.page, "{}{label}=\"{text}\"", if number == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.page, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_the_format_wants() {
        let mut page = Exposition::default();
        page.family("a_total", Kind::Counter, "Of \\ and\nmore.").sample(&[("org", "a\"b\\c\nd")], 0.5);
        let mut sizes = page.family("size", Kind::Histogram, "Sizes.");
        sizes.histogram(&[("org", "x")], [(1, 2), (25, 3)], 4, 1_078);
        page.family("up", Kind::Gauge, "Up.").sample(&[], 1);
        insta::assert_snapshot!(page.into_text(), @r#"
        # HELP a_total Of \\ and\nmore.
        # TYPE a_total counter
        a_total{org="a\"b\\c\nd"} 0.5
        # HELP size Sizes.
        # TYPE size histogram
        size_bucket{org="x",le="1"} 2
        size_bucket{org="x",le="25"} 3
        size_bucket{org="x",le="+Inf"} 4
        size_sum{org="x"} 1078
        size_count{org="x"} 4
        # HELP up Up.
        # TYPE up gauge
        up 1
        "#);
    }
}
