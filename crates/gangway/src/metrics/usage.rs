//! What an org has had of calls, and what is left: the answer of `/usage`, which `gangway check` reads.

use std::collections::BTreeMap;

use model::OrgName;
use salesforce_client::{Cause, Org};
use serde::{Deserialize, Serialize};

/// The API calls of one org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct OrgUsage {
    /// The configuration's name of it.
    pub(crate) org: OrgName,
    /// As Salesforce last told it, every other integration included; absent before the first answer.
    pub(crate) api_usage: Option<ApiUsage>,
    /// With fewer calls left, only changes that take access away go out.
    pub(crate) reserve: u64,
    pub(crate) reserve_reached: bool,
    /// Writing to it waits for a person.
    pub(crate) parked: bool,
    /// Changes that wait for a call.
    pub(crate) changes_waiting: usize,
    /// Calls made since the start, by what they were for.
    pub(crate) calls: BTreeMap<String, u64>,
}

/// API calls over the last 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ApiUsage {
    pub(crate) used: u64,
    pub(crate) limit: u64,
}

impl OrgUsage {
    pub(crate) fn of(org: &Org) -> Self {
        let calls = org.calls();
        Self {
            org: org.name().clone(),
            api_usage: org.usage().map(|usage| ApiUsage { used: usage.used, limit: usage.max }),
            reserve: org.reserve(),
            reserve_reached: org.reserve_reached(),
            parked: org.parked().is_some(),
            changes_waiting: org.waiting(),
            calls: Cause::ALL.map(|cause| (cause.as_str().to_owned(), calls.of(cause))).into(),
        }
    }
}
