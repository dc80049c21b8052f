//! `cargo xtask schema`: what is generated from the source and kept in the repository.

use std::fs;

use crate::{root, run};

/// Writes the JSON Schema of the configuration and its reference page.
pub fn write() -> Result<(), String> {
    for (arguments, path) in [
        (&["schema"][..], "schemas/gangway.schema.json"),
        (&["schema", "--markdown"], "docs/configuration.md"),
    ] {
        let gangway = ["run", "--quiet", "--package", "gangway", "--"];
        let text = run::output(run::cargo(&[&gangway[..], arguments].concat()))?;
        fs::write(root().join(path), text).map_err(|error| format!("{path}: {error}"))?;
        println!("wrote {path}");
    }
    Ok(())
}
