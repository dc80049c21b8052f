//! What an org says of its objects, kept for an hour (REST API Developer Guide, "sObject Describe").

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use salesforce_types::ObjectDescription;

use crate::{CallError, Org, org::Purpose, soql::Object, transport::Request};

/// How long a description is taken as it is. Fields change when an administrator changes them.
const FRESH_FOR: Duration = Duration::from_hours(1);
/// How long a description is used on when the org cannot be asked, before it is asked again.
const STALE_FOR: Duration = Duration::from_mins(1);

/// One place for each object; whoever asks while it is fetched waits for it.
#[derive(Debug, Default)]
pub(crate) struct Descriptions(Mutex<HashMap<String, Arc<Place>>>);

type Place = tokio::sync::Mutex<Option<Kept>>;

#[derive(Clone, Debug)]
struct Kept {
    description: Arc<ObjectDescription>,
    last_modified: Option<String>,
    /// When the org has said so last.
    asked: Timestamp,
    fresh_until: Timestamp,
}

impl Descriptions {
    fn place(&self, object: &str) -> Arc<Place> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(object.to_ascii_lowercase()).or_default())
    }
}

impl Org {
    /// Describes an object. The answer is kept for an hour and then asked for again with
    /// `If-Modified-Since`; while the org is away, an old one is better than none.
    pub async fn describe(&self, object: &str) -> Result<Arc<ObjectDescription>, CallError> {
        self.describe_unless(object, |_, _| false).await
    }

    /// Describes an object in other words than these, which have proved wrong: what an administrator has hidden meanwhile is not in
    /// them. Several who have found that out ask once.
    pub async fn describe_instead_of(
        &self,
        object: &str,
        wrong: &Arc<ObjectDescription>,
    ) -> Result<Arc<ObjectDescription>, CallError> {
        self.describe_unless(object, |kept, _| Arc::ptr_eq(&kept.description, wrong)).await
    }

    /// Describes an object as it was at most so long ago: for what waits until an administrator has shown a field.
    pub async fn describe_within(
        &self,
        object: &str,
        age: Duration,
    ) -> Result<Arc<ObjectDescription>, CallError> {
        self.describe_unless(object, |kept, now| after(kept.asked, age) <= now).await
    }

    /// What is kept of an object, if it is fresh and not `unfit`; else what the org says.
    async fn describe_unless(
        &self,
        object: &str,
        unfit: impl Fn(&Kept, Timestamp) -> bool + Send,
    ) -> Result<Arc<ObjectDescription>, CallError> {
        let object = Object::new(object)?;
        let place = self.0.descriptions.place(object.as_str());
        let mut kept = place.lock().await;
        let now = self.0.clock.now();
        let is_unfit = kept.as_ref().is_some_and(|kept| unfit(kept, now));
        if let Some(kept) = kept.as_ref().filter(|kept| kept.fresh_until > now && !is_unfit) {
            return Ok(Arc::clone(&kept.description));
        }
        // Who may see a field is changed without changing the object: only a whole answer tells.
        let known = kept.as_ref().filter(|_| !is_unfit);
        match self.fetch_description(&object, known, now).await {
            Ok(fetched) => Ok(Arc::clone(&kept.insert(fetched).description)),
            Err(CallError::Refused(refusal)) => {
                *kept = None;
                Err(CallError::Refused(refusal))
            }
            Err(error) => {
                let old = kept.as_mut().ok_or(error)?;
                old.fresh_until = after(now, STALE_FOR);
                Ok(Arc::clone(&old.description))
            }
        }
    }

    async fn fetch_description(
        &self,
        object: &Object,
        kept: Option<&Kept>,
        now: Timestamp,
    ) -> Result<Kept, CallError> {
        let path = self.path(&format!("/sobjects/{}/describe", object.as_str()));
        let request = Request {
            if_modified_since: kept.and_then(|kept| kept.last_modified.as_deref()),
            ..Request::get(Purpose::catalogue(), object.as_str(), path)
        };
        let answer = self.fetch(&request, Purpose::catalogue()).await?;
        let fresh_until = after(now, FRESH_FOR);
        if let (304, Some(kept)) = (answer.status, kept) {
            return Ok(Kept { asked: now, fresh_until, ..kept.clone() });
        }
        let description = serde_json::from_slice(&answer.body)
            .map_err(|_| CallError::not_sent("the answer to a describe is no description"))?;
        let last_modified = answer.last_modified;
        Ok(Kept { description: Arc::new(description), last_modified, asked: now, fresh_until })
    }
}

fn after(now: Timestamp, time: Duration) -> Timestamp {
    now.saturating_add(time).unwrap_or(Timestamp::MAX)
}
