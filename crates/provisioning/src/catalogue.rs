//! What an org offers: so far its profiles and queues.

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

/// What the orgs offer, by org and kind.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    offers: Mutex<HashMap<(OrgName, Kind), Offers>>,
    /// One reader of each at a time: the others find what it has read.
    reading: Mutex<HashMap<(OrgName, Kind), Reading>>,
}

/// Held while the org is asked.
type Reading = Arc<tokio::sync::Mutex<()>>;

/// Something that an org offers by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Profile,
    Queue,
}

#[derive(Clone, Debug)]
struct Offers {
    read: Timestamp,
    by_name: Arc<HashMap<String, RecordId>>,
}

/// What is known of a name without asking the org.
enum Known {
    There(RecordId),
    Missing,
    Ask,
}

impl Kind {
    /// All of them with their names.
    fn query(self) -> (soql::Query, &'static [&'static str]) {
        let (query, names): (_, &[&str]) = match self {
            Self::Profile => (soql::Query::select("Profile", &["Id", "Name"]), &["Name"]),
            Self::Queue => {
                let queues = soql::Condition::eq("Type", "Queue").expect("this is a name");
                let query = soql::Query::select("Group", &["Id", "Name", "DeveloperName"]);
                (query.map(|query| query.where_(queues)), &["Name", "DeveloperName"])
            }
        };
        (query.expect("these are names"), names)
    }
}

impl Catalogue {
    /// The id of a profile by its name (in any case) or id.
    pub(crate) async fn profile(
        &self,
        org: &Org,
        wanted: &str,
        now: Timestamp,
    ) -> Result<Option<RecordId>, CallError> {
        self.find(org, Kind::Profile, wanted, now).await
    }

    /// The id of a queue by its name or developer name (in any case) or id.
    pub(crate) async fn queue(
        &self,
        org: &Org,
        wanted: &str,
        now: Timestamp,
    ) -> Result<Option<RecordId>, CallError> {
        self.find(org, Kind::Queue, wanted, now).await
    }

    async fn find(
        &self,
        org: &Org,
        kind: Kind,
        wanted: &str,
        now: Timestamp,
    ) -> Result<Option<RecordId>, CallError> {
        match self.known(org.name(), kind, wanted, now) {
            Known::There(id) => return Ok(Some(id)),
            Known::Missing => return Ok(None),
            Known::Ask => {}
        }
        let reading = {
            let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(reading.entry((org.name().clone(), kind)).or_default())
        };
        let _reading = reading.lock().await;
        match self.known(org.name(), kind, wanted, now) {
            Known::There(id) => return Ok(Some(id)),
            Known::Missing => return Ok(None),
            Known::Ask => {}
        }
        let (query, names) = kind.query();
        let mut by_name = HashMap::new();
        for row in org.query(&query, Purpose::catalogue()).await? {
            let Some(id) = row.get("Id").and_then(Value::as_str).and_then(|id| RecordId::parse(id).ok())
            else {
                continue;
            };
            for name in names.iter().filter_map(|name| row.get(*name)?.as_str()) {
                by_name.insert(name.to_lowercase(), id.clone());
            }
        }
        let found = find(&by_name, wanted);
        let offers = Offers { read: now, by_name: Arc::new(by_name) };
        let mut known = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((org.name().clone(), kind), offers);
        Ok(found)
    }

    fn known(&self, org: &OrgName, kind: Kind, wanted: &str, now: Timestamp) -> Known {
        let offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(offers) = offers.get(&(org.clone(), kind)).cloned() else { return Known::Ask };
        let age = now.duration_since(offers.read);
        match find(&offers.by_name, wanted) {
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
