//! A plan in a file: what `gangway plan` writes and `gangway apply` reads.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use model::{Clock, Timestamp};
use provisioning::IdentityPlan;
use serde::{Deserialize, Serialize};

use super::Failure;
use crate::commands::token::sha256_hex;

/// What would be done for all that have something to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::commands) struct PlanFile {
    /// The version that made it.
    gangway: String,
    /// When.
    made: Timestamp,
    /// SHA-256 of `plans` as compact JSON.
    pub(in crate::commands) hash: String,
    /// In the order in which the identities were asked for.
    pub(in crate::commands) plans: Vec<IdentityPlan>,
}

impl PlanFile {
    pub(super) fn new(plans: Vec<IdentityPlan>) -> Self {
        Self {
            gangway: env!("CARGO_PKG_VERSION").to_owned(),
            made: Clock::system().now(),
            hash: hash(&plans),
            plans,
        }
    }

    /// Writes it, for its owner alone: it has people's data in it.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let fail = |error: &dyn std::fmt::Display| Failure::Failed(format!("{}: {error}", path.display()));
        let text = serde_json::to_string_pretty(self).map_err(|error| fail(&error))?;
        fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| fail(&error))
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// Where it is none, where another version made it, and where somebody changed it.
    pub(in crate::commands) fn read(path: &Path) -> Result<Self, Failure> {
        let fail = |why: String| Failure::Failed(format!("{}: {why}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        let file: Self =
            serde_json::from_str(&text).map_err(|error| fail(format!("this is no plan: {error}")))?;
        if file.gangway != env!("CARGO_PKG_VERSION") {
            let why = format!("version {} made this plan; plan again with this one", file.gangway);
            return Err(fail(why));
        }
        if file.hash != hash(&file.plans) {
            return Err(fail("the plan was changed after it had been made: plan again".to_owned()));
        }
        Ok(file)
    }
}

/// SHA-256, in hex, of plans as compact JSON: their keys have an order of their own.
fn hash(plans: &[IdentityPlan]) -> String {
    // Types of strings, numbers and maps by string cannot fail.
    sha256_hex(&serde_json::to_string(plans).unwrap_or_default())
}
