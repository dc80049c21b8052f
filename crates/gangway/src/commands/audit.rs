//! `gangway audit`: what auditors ask. All of it is read from the store, also while a gateway runs; no org is asked.

mod entitlement;
mod export;
mod verify;
mod who_has;
mod why;

use clap::{Args, Subcommand};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use model::{ResourceKind, TenantId};
use salesforce_types::AskedBy;
use store::{Directory, Held, sqlite::SqliteStore};

use super::{ConfigFile, Failure, Output, identity};
use crate::config::Outline;

/// What is asked.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say who has an entitlement, or had it at a moment.
    WhoHas(who_has::Arguments),
    /// Say why somebody has an entitlement, or had it: who asked, when, and how it ended.
    Why(why::Arguments),
    /// Check that no entry of the audit trail was altered, moved or removed.
    Verify(verify::Arguments),
    /// Print the audit trail, one entry a line.
    Export(export::Arguments),
}

/// Answers.
pub(super) async fn run(command: &Command, output: Output) -> Result<(), Failure> {
    match command {
        Command::WhoHas(arguments) => who_has::run(arguments, output).await,
        Command::Why(arguments) => why::run(arguments, output).await,
        Command::Verify(arguments) => verify::run(arguments, output).await,
        Command::Export(arguments) => export::run(arguments).await,
    }
}

/// Whose books are looked at.
#[derive(Debug, Args)]
struct Whose {
    #[command(flatten)]
    config: ConfigFile,
    /// Only this tenant, written as customer/environment.
    #[arg(long)]
    tenant: Option<TenantId>,
}

impl Whose {
    fn open(&self) -> Result<Books, Failure> {
        let outline = Outline::load(&self.config.path)?;
        let store = SqliteStore::open_read_only(&outline.store.database)?;
        let tenants = identity::tenants(&outline, self.tenant.as_ref())?;
        Ok(Books { outline, store, tenants })
    }
}

/// What is looked at.
struct Books {
    outline: Outline,
    store: SqliteStore,
    tenants: Vec<TenantId>,
}

impl Books {
    /// Who asked for it, in words: what of, and the client it came with. A Group is called by its name while it is there.
    async fn asked(&self, tenant: &TenantId, held: &Held) -> Result<Vec<String>, Failure> {
        let mut asked = Vec::with_capacity(held.grant.asked.len());
        for ask in &held.grant.asked {
            let name = match &ask.by {
                AskedBy::Group(id) => self.name_of_group(tenant, id.as_str()).await?,
                AskedBy::Attribute | AskedBy::Rule(_) | AskedBy::Default => None,
            };
            let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
            asked.push(format!("{}{name}", ask.by));
        }
        Ok(asked)
    }

    async fn name_of_group(&self, tenant: &TenantId, id: &str) -> Result<Option<String>, Failure> {
        let group = self.store.get(tenant, ResourceKind::Group, id).await?;
        let body = group.and_then(|group| serde_json::from_str::<serde_json::Value>(&group.body).ok());
        Ok(body.and_then(|body| Some(body.get("displayName")?.as_str()?.to_owned())))
    }
}

/// A moment on the command line: an RFC 3339 time, or a day, which is its start in UTC.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(day) = text.parse::<Date>()
        && !text.contains('T')
    {
        let start = day.to_zoned(TimeZone::UTC).map_err(|error| error.to_string())?;
        return Ok(start.timestamp());
    }
    text.parse().map_err(|_| "write it as 2026-03-31T18:00:00Z, or as a day such as 2026-03-31".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_start_in_utc_and_a_time_needs_its_zone() {
        let day = moment("2026-03-31").unwrap();
        assert_eq!(day, moment("2026-03-31T00:00:00Z").unwrap());
        assert_eq!(moment("2026-03-31T02:00:00+02:00").unwrap(), day);
        for wrong in ["2026-03-31T18:00:00", "31.3.2026", "yesterday", ""] {
            assert!(moment(wrong).unwrap_err().contains("2026-03-31T18:00:00Z"), "{wrong}");
        }
    }
}
