//! A table for people and a file for programs.

use std::{fs, path::PathBuf};

use serde_json::{Map, Value, json};

use crate::{Failure, load::Measured};

/// Rows of one kind of measurement.
pub struct Report {
    name: &'static str,
    rows: Vec<Map<String, Value>>,
}

impl Report {
    /// An empty one.
    pub fn new(name: &'static str) -> Self {
        Self { name, rows: Vec::new() }
    }

    /// Adds a measurement and prints it.
    pub fn add(&mut self, what: &str, measured: Option<&Measured>, extra: Value) {
        let mut row = Map::new();
        row.insert("what".into(), what.into());
        if let Some(measured) = measured {
            row.insert("requests".into(), measured.requests.into());
            row.insert("per_second".into(), json!(measured.per_second.round()));
            row.insert("p50_us".into(), measured.p50_us.into());
            row.insert("p99_us".into(), measured.p99_us.into());
        }
        if let Value::Object(extra) = extra {
            row.extend(extra);
        }
        let cells: Vec<String> =
            row.iter().skip(1).map(|(name, value)| format!("{name} {}", short(value))).collect();
        println!("{what:<56} {}", cells.join("  "));
        self.rows.push(row);
    }

    /// Writes `benches/results/<name>.json`.
    pub fn write(self) -> Result<(), Failure> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results");
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{}.json", self.name));
        fs::write(&file, serde_json::to_string_pretty(&self.rows)?)?;
        println!("written to {}", file.display());
        Ok(())
    }
}

fn short(value: &Value) -> String {
    match value.as_f64() {
        Some(number) if number.fract() != 0.0 => format!("{number:.3}"),
        _ => value.to_string().trim_matches('"').to_owned(),
    }
}
