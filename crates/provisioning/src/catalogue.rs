//! What an org offers: so far its profiles.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::SignedDuration;
use model::{OrgName, Timestamp};
use salesforce_client::{CallError, Org, soql};
use salesforce_types::RecordId;
use serde_json::Value;

/// Read again when older than this.
const FRESH_FOR: SignedDuration = SignedDuration::from_hours(1);
/// A name that is not there is looked for again, but not by every request that has it.
const MISS_PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// How long to wait where a profile is missing: somebody has to make it.
pub(crate) const PROFILE_PAUSE: Duration = Duration::from_secs(60);

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

impl Catalogue {
    /// The id of a profile by its name (in any case) or id.
    pub(crate) async fn profile(
        &self,
        org: &Org,
        wanted: &str,
        now: Timestamp,
    ) -> Result<Option<RecordId>, CallError> {
        if let Some(known) = self.known(org.name(), wanted, now) {
            return Ok(known);
        }
        let _reading = self.reading.lock().await;
        if let Some(known) = self.known(org.name(), wanted, now) {
            return Ok(known);
        }
        let query = soql::Query::select("Profile", &["Id", "Name"]).expect("these are names");
        let rows = org.query(&query).await?;
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

    /// `None`: the org has to be asked.
    fn known(&self, org: &OrgName, wanted: &str, now: Timestamp) -> Option<Option<RecordId>> {
        let profiles = self.profiles.lock().unwrap_or_else(PoisonError::into_inner).get(org)?.clone();
        let age = now.duration_since(profiles.read);
        let found = find(&profiles.by_name, wanted);
        let good_for = if found.is_some() { FRESH_FOR } else { MISS_PAUSE };
        (age < good_for).then_some(found)
    }
}

fn find(by_name: &HashMap<String, RecordId>, wanted: &str) -> Option<RecordId> {
    by_name.get(&wanted.to_lowercase()).cloned().or_else(|| {
        let id = RecordId::parse(wanted).ok()?;
        by_name.values().find(|known| **known == id).cloned()
    })
}
