//! What the conversion of a lead needs to know of the org: which status means converted. The conversion itself is the
//! dispatcher's.

use std::time::Duration;

use jiff::Timestamp;
use salesforce_types::{Refusal, Step};
use tokio::sync::Mutex;

use crate::{
    CallError, Org,
    org::Purpose,
    soql::{Condition, Order, Query},
};

/// How long the status is taken as it is. It changes when an administrator changes it.
const FRESH_FOR: Duration = Duration::from_hours(1);

/// The org's first status that means converted, and until when it is believed.
#[derive(Debug, Default)]
pub(crate) struct ConvertedStatus(Mutex<Option<(String, Timestamp)>>);

impl Org {
    /// Gives conversions that name no status the org's own. The error is theirs, not that of other steps.
    pub(crate) async fn complete_conversions(&self, steps: &mut [Step]) -> Result<(), CallError> {
        if !steps.iter_mut().any(|step| lacks_status(step).is_some()) {
            return Ok(());
        }
        let status = self.converted_status().await?;
        for lacking in steps.iter_mut().filter_map(lacks_status) {
            *lacking = Some(status.clone());
        }
        Ok(())
    }

    /// The first status of leads that means converted. Whoever asks while it is fetched waits for it.
    async fn converted_status(&self) -> Result<String, CallError> {
        let mut kept = self.0.converted_status.0.lock().await;
        let now = self.0.clock.now();
        if let Some((status, fresh_until)) = kept.as_ref()
            && *fresh_until > now
        {
            return Ok(status.clone());
        }
        let query = Query::select("LeadStatus", &["ApiName"])?
            .where_(Condition::eq("IsConverted", true)?)
            .order_by("SortOrder", Order::Ascending)?
            .limit(1);
        let rows = self.query(&query, Purpose::catalogue()).await?;
        let status = rows.first().and_then(|row| row.get("ApiName")?.as_str()).ok_or_else(no_status)?;
        let fresh_until = now.saturating_add(FRESH_FOR).unwrap_or(Timestamp::MAX);
        *kept = Some((status.to_owned(), fresh_until));
        Ok(status.to_owned())
    }
}

/// Where a conversion that has no status is to have one.
fn lacks_status(step: &mut Step) -> Option<&mut Option<String>> {
    match step {
        Step::Convert { conversion, .. } => Some(&mut conversion.status).filter(|status| status.is_none()),
        _ => None,
    }
}

/// As Salesforce would refuse a conversion.
fn no_status() -> CallError {
    CallError::Refused(Refusal {
        status: 400,
        code: "INVALID_STATUS".to_owned(),
        message: "the org has no lead status that means converted".to_owned(),
        fields: vec!["Status".to_owned()],
        records: Vec::new(),
    })
}
