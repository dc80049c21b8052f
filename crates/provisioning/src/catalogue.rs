//! What an org offers: so far its profiles.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::SignedDuration;
use model::{OrgName, Timestamp};
use salesforce_client::{CallError, Org, Purpose, soql};
use salesforce_types::RecordId;
use serde_json::Value;

/// Read again when older than this.
const FRESH_FOR: SignedDuration = SignedDuration::from_hours(1);
/// A name that is not there is looked for again, but not by every request that has it.
const MISS_PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// How long to wait where a profile is missing: somebody has to make it.
pub(crate) const PROFILE_PAUSE: Duration = Duration::from_mins(1);

/// Profiles by org.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    profiles: Mutex<HashMap<OrgName, Profiles>>,
    /// One reader at a time: the others find what it has read.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Profiles {
    read: Timestamp,
    by_name: Arc<HashMap<String, RecordId>>,
}

/// What is known of a profile without asking the org.
enum Known {
    There(RecordId),
    Missing,
    Ask,
}

impl Catalogue {
    /// The id of a profile by its name (in any case) or id.
    pub(crate) async fn profile(
        &self,
        org: &Org,
        wanted: &str,
        now: Timestamp,
    ) -> Result<Option<RecordId>, CallError> {
        match self.known(org.name(), wanted, now) {
            Known::There(id) => return Ok(Some(id)),
            Known::Missing => return Ok(None),
            Known::Ask => {}
        }
        let _reading = self.reading.lock().await;
        match self.known(org.name(), wanted, now) {
            Known::There(id) => return Ok(Some(id)),
            Known::Missing => return Ok(None),
            Known::Ask => {}
        }
        let query = soql::Query::select("Profile", &["Id", "Name"]).expect("these are names");
        let rows = org.query(&query, Purpose::catalogue()).await?;
        let by_name: HashMap<String, RecordId> = rows
            .iter()
            .filter_map(|row| {
                let id = RecordId::parse(row.get("Id")?.as_str()?).ok()?;
                Some((row.get("Name").and_then(Value::as_str)?.to_lowercase(), id))
            })
            .collect();
        let found = find(&by_name, wanted);
        let profiles = Profiles { read: now, by_name: Arc::new(by_name) };
        self.profiles.lock().unwrap_or_else(PoisonError::into_inner).insert(org.name().clone(), profiles);
        Ok(found)
    }

    fn known(&self, org: &OrgName, wanted: &str, now: Timestamp) -> Known {
        let profiles = self.profiles.lock().unwrap_or_else(PoisonError::into_inner).get(org).cloned();
        let Some(profiles) = profiles else { return Known::Ask };
        let age = now.duration_since(profiles.read);
        match find(&profiles.by_name, wanted) {
            Some(id) if age < FRESH_FOR => Known::There(id),
            None if age < MISS_PAUSE => Known::Missing,
            _ => Known::Ask,
        }
    }
}

fn find(by_name: &HashMap<String, RecordId>, wanted: &str) -> Option<RecordId> {
    by_name.get(&wanted.to_lowercase()).cloned().or_else(|| {
        let id = RecordId::parse(wanted).ok()?;
        by_name.values().find(|known| **known == id).cloned()
    })
}
