//! `gangway audit export`: the trail for other programs, one entry a line.

use std::io::{self, BufWriter, ErrorKind, Write};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use model::TenantId;
use serde_json::json;
use store::{Audit, ConsentEvidence, TrailEntry};

use super::{Failure, Whose, moment};

/// Entries that are read at once.
const PAGE: u32 = 1_000;

/// The headings of the CSV.
const COLUMNS: [&str; 13] = [
    "tenant", "at", "resource", "version", "change", "client", "action", "fields", "grants", "notes",
    "consents", "mapping", "hash",
];

#[derive(Debug, Args)]
pub(in crate::commands) struct Arguments {
    /// How entries are written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Only entries from then on: a time such as 2026-03-31T18:00:00Z, or the start of a day in UTC.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// Only entries before then.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// A JSON object a line.
    #[default]
    Jsonl,
    /// RFC 4180, with headings. Values of one cell are separated by `; `.
    Csv,
}

/// Writes the entries of each tenant, in the order in which they were written.
pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let books = arguments.whose.open()?;
    let mut lines = Lines::to(BufWriter::new(io::stdout().lock()), arguments.format);
    let is_asked_for = |entry: &TrailEntry| {
        let at = entry.audited.at;
        arguments.since.is_none_or(|since| since <= at) && arguments.until.is_none_or(|until| at < until)
    };
    for tenant in &books.tenants {
        let mut after = None;
        loop {
            let page = books.store.entries(tenant, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.number);
            for entry in page.iter().filter(|entry| is_asked_for(entry)) {
                if !lines.write(tenant, entry)? {
                    return Ok(());
                }
            }
        }
    }
    lines.end()
}

/// Where lines go.
struct Lines<W: Write> {
    out: W,
    format: Format,
    /// Whether the headings are written.
    begun: bool,
}

impl<W: Write> Lines<W> {
    fn to(out: W, format: Format) -> Self {
        Self { out, format, begun: false }
    }

    /// Writes an entry. `false`: the reader has gone away (`| head`).
    fn write(&mut self, tenant: &TenantId, entry: &TrailEntry) -> Result<bool, Failure> {
        let line = match self.format {
            Format::Jsonl => json_line(tenant, entry),
            Format::Csv => csv_line(cells(tenant, entry)),
        };
        let written = self.begin().and_then(|()| self.out.write_all(line.as_bytes()));
        is_read(written)
    }

    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        match self.format {
            Format::Jsonl => Ok(()),
            Format::Csv => self.out.write_all(csv_line(COLUMNS.map(str::to_owned)).as_bytes()),
        }
    }

    fn end(mut self) -> Result<(), Failure> {
        let written = self.begin().and_then(|()| self.out.flush());
        is_read(written).map(|_| ())
    }
}

fn is_read(written: io::Result<()>) -> Result<bool, Failure> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::Failed(format!("the entries cannot be written: {error}"))),
    }
}

fn json_line(tenant: &TenantId, entry: &TrailEntry) -> String {
    let audited = &entry.audited;
    let line = json!({
        "tenant": tenant,
        "at": audited.at,
        "resource": entry.resource,
        "version": audited.version,
        "change": audited.change,
        "client": audited.entry.client,
        "action": audited.entry.action,
        "fields": audited.entry.fields,
        "grants": audited.entry.grants,
        "notes": audited.entry.notes,
        "consents": audited.entry.consents,
        "mapping": audited.entry.mapping,
        "hash": entry.hash,
    });
    format!("{line}\n")
}

fn cells(tenant: &TenantId, entry: &TrailEntry) -> [String; 13] {
    let audited = &entry.audited;
    [
        tenant.to_string(),
        audited.at.to_string(),
        entry.resource.to_string(),
        audited.version.0.to_string(),
        audited.change.as_ref().map(ToString::to_string).unwrap_or_default(),
        audited.entry.client.to_string(),
        audited.entry.action.clone(),
        audited.entry.fields.join("; "),
        audited.entry.grants.join("; "),
        audited.entry.notes.join("; "),
        audited.entry.consents.iter().map(in_words).collect::<Vec<_>>().join("; "),
        audited.entry.mapping.clone().unwrap_or_default(),
        entry.hash.clone().unwrap_or_default(),
    ]
}

/// A consent in one cell, such as `evt-1 2026-08-05T08:00:01Z gdpr: Contact 003… DoNotCall true -> false`.
fn in_words(consent: &ConsentEvidence) -> String {
    let ConsentEvidence { event, given, regulation, object, record, field, old, new } = consent;
    format!("{event} {given} {regulation}: {object} {record} {field} {old} -> {new}")
}

/// A line of CSV (RFC 4180).
fn csv_line(cells: [String; 13]) -> String {
    let cells = cells.map(|cell| csv_cell(&cell));
    format!("{}\r\n", cells.join(","))
}

/// A cell. Spreadsheets take what begins with one of `=+-@` for a formula, so that gets an apostrophe before it.
fn csv_cell(text: &str) -> String {
    let formula = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if formula.is_empty() && !text.contains(['"', ',', '\r', '\n']) {
        return text.to_owned();
    }
    format!("\"{formula}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_what_it_is_and_is_no_formula() {
        for (text, cell) in [
            ("", ""),
            ("staff.Email", "staff.Email"),
            ("the rule sales, and \"more\"", "\"the rule sales, and \"\"more\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "\"'=1+1\""),
            ("@here", "\"'@here\""),
            ("a=b", "a=b"),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
    }
}
