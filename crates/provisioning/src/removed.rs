//! Targets that are not configured any more, remembered as they were.

use serde::{Deserialize, Serialize};
use store::{RememberedTarget, StoreError, Targets};
use translation::{Mapping, Target};

use crate::Tenant;

/// How a target is remembered: the mapping that it stood in.
#[derive(Debug, Serialize, Deserialize)]
struct Policy {
    file: String,
    text: String,
    org: Option<model::OrgName>,
}

/// Remembers the targets of a tenant.
pub(crate) async fn remember(
    store: &(dyn Targets + '_),
    tenant: &Tenant,
    now: model::Timestamp,
) -> Result<(), StoreError> {
    let remembered = tenant.mapping.targets.iter().map(|target| {
        let policy = Policy {
            file: tenant.mapping.file().to_owned(),
            text: tenant.mapping.text().to_owned(),
            org: target.org.clone().or_else(|| tenant.default_org.clone()),
        };
        let policy = serde_json::to_value(policy).unwrap_or_default();
        RememberedTarget { name: target.name.clone(), policy }
    });
    store.remember_targets(&tenant.id, remembered.collect(), now).await
}

/// The target as it was. None: a later version of Gangway has remembered it, which is said in the log.
pub(crate) fn read(remembered: &RememberedTarget) -> Option<Target> {
    let policy: Option<Policy> = serde_json::from_value(remembered.policy.clone()).ok();
    let mapping = policy.as_ref().and_then(|policy| Mapping::parse(&policy.text, &policy.file).ok());
    let target =
        mapping.and_then(|mapping| mapping.targets.into_iter().find(|target| target.name == remembered.name));
    let Some(mut target) = target else {
        tracing::warn!(mapping.target = %remembered.name, "a target that is not configured any more cannot be read");
        return None;
    };
    target.org = policy.and_then(|policy| policy.org);
    Some(target)
}
