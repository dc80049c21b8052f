//! What a Group stands for: kept in its Gangway extension, where clients read and do not write.

use std::sync::Arc;

use model::OrgName;
use salesforce_client::{CallError, Org};
use salesforce_types::{Catalogue, StandsFor};
use scim_types::{Registry, Resource, ScimType, schema::GANGWAY_GROUP_URN};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::GroupChange;
use crate::{Operation, ProvisionError};

/// What Gangway itself says of a Group, beside what its clients say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Standing {
    /// The entitlement that its members have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stands_for: Option<StandsFor>,
    /// Whether Gangway has made it from the catalogue.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) published: bool,
    /// Who was to join or to leave with the last change, and did not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) refused: Vec<RefusedMember>,
}

/// A member that was to join or to leave, and did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefusedMember {
    /// The SCIM id.
    pub(crate) value: String,
    /// Salesforce's word for it, where it was Salesforce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    /// Why.
    pub(crate) detail: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Standing {
    /// What a stored body says.
    pub(crate) fn of(body: &Resource) -> Result<Self, ProvisionError> {
        Self::read(body.get(GANGWAY_GROUP_URN))
    }

    fn read(said: Option<&Value>) -> Result<Self, ProvisionError> {
        said.map_or_else(
            || Ok(Self::default()),
            |said| {
                Self::deserialize(said).map_err(|error| {
                    ProvisionError::Misconfigured(format!("what a Group stands for cannot be read: {error}"))
                })
            },
        )
    }

    /// The body with this in the place of whatever it says.
    pub(super) fn written(&self, body: &Resource) -> Result<Resource, ProvisionError> {
        let mut map = body.as_map().clone();
        map.shift_remove(GANGWAY_GROUP_URN);
        if *self != Self::default() {
            let said = serde_json::to_value(self).map_err(|error| {
                ProvisionError::Misconfigured(format!("what a Group stands for cannot be written: {error}"))
            })?;
            map.insert(GANGWAY_GROUP_URN.to_owned(), said);
        }
        Ok(Registry::standard().group().seal(map))
    }

    /// The extension of a Group that Gangway makes, as its own requests carry it.
    pub(crate) fn published(stands_for: StandsFor) -> Self {
        Self { stands_for: Some(stands_for), published: true, refused: Vec::new() }
    }
}

impl GroupChange {
    /// What the Group stands for once this change is done. `before`, `was`: what it stands for, and its name, until then.
    pub(super) async fn standing(
        &self,
        name: &str,
        before: &Standing,
        was: Option<&str>,
    ) -> Result<Standing, ProvisionError> {
        if self.is_publishing() {
            return match &self.request.operation {
                Operation::Create(body) => Standing::read(body.get(GANGWAY_GROUP_URN)),
                _ => Ok(Standing { refused: Vec::new(), ..before.clone() }),
            };
        }
        if before.published {
            if was != Some(name) && self.is_still_published(before).await? {
                return Err(ProvisionError::Invalid(scim_types::Error::mutability(
                    "the group is made from what the Salesforce org offers, and has its name: a client cannot rename it",
                )));
            }
            return Ok(Standing { refused: Vec::new(), ..before.clone() });
        }
        let stands_for = match self.stands_for(name).await {
            Ok(stands_for) => stands_for,
            // Its members can go all the same, and nobody joins what is not there.
            Err(_) if before.stands_for.is_some() && was == Some(name) => before.stands_for.clone(),
            Err(error) => return Err(error),
        };
        Ok(Standing { stands_for, published: false, refused: Vec::new() })
    }

    /// What a Group of this name stands for by the rules of the mapping.
    async fn stands_for(&self, name: &str) -> Result<Option<StandsFor>, ProvisionError> {
        let policy = &self.scene.tenant.mapping.groups;
        if policy.pushed.is_empty() {
            return Ok(None);
        }
        let orgs = self.scene.orgs_with_users()?;
        let mut catalogues = Vec::new();
        for after_a_miss in [false, true] {
            catalogues.clear();
            for org in &orgs {
                catalogues.push((
                    org.name(),
                    self.catalogue(org, after_a_miss).await.map_err(|error| not_read(&error))?,
                ));
            }
            let known: Vec<(&OrgName, &Catalogue)> =
                catalogues.iter().map(|(name, catalogue)| (*name, &**catalogue)).collect();
            match policy.stands_for(name, &known) {
                Ok(stands_for) => return Ok(stands_for),
                Err(error) if after_a_miss || !error.candidates.is_empty() => {
                    let detail = format!(
                        "groups that are called like `{name}` stand for a {}, and {error}; nothing was changed",
                        error.kind
                    );
                    return Err(invalid(detail));
                }
                // Somebody may have made it just now.
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Whether the configuration and the org still are of the opinion that there should be such a group. Where the org cannot
    /// be asked: yes.
    pub(super) async fn is_still_published(&self, standing: &Standing) -> Result<bool, ProvisionError> {
        let Some(stands_for) = standing.stands_for.as_ref().filter(|_| standing.published) else {
            return Ok(false);
        };
        let orgs = self.scene.orgs_with_users()?;
        let Some(org) = orgs.iter().find(|org| *org.name() == stands_for.org) else { return Ok(false) };
        let Ok(catalogue) = self.catalogue(org, false).await else { return Ok(true) };
        let published = self.scene.tenant.mapping.groups.published(org.name(), &catalogue);
        Ok(published.iter().any(|(_, of)| *of == stands_for.of))
    }

    pub(super) async fn catalogue(&self, org: &Org, after_a_miss: bool) -> Result<Arc<Catalogue>, CallError> {
        let (store, now) = (&*self.inner.store, self.inner.clock.now());
        if after_a_miss {
            self.inner.catalogue.after_a_miss(store, org, now).await
        } else {
            self.inner.catalogue.of(store, org, now).await
        }
    }
}

/// What an org offers has to be known, and is not.
pub(crate) fn not_read(error: &CallError) -> ProvisionError {
    let retry_after = match error {
        CallError::NotSent { retry_after: Some(wait), .. } => *wait,
        _ => super::RETRY_AFTER,
    };
    tracing::warn!(%error, "what an org offers could not be read for a group");
    ProvisionError::Busy { why: "what the Salesforce org offers cannot be read now".to_owned(), retry_after }
}

pub(super) fn invalid(detail: String) -> ProvisionError {
    ProvisionError::Invalid(scim_types::Error::bad_request(ScimType::InvalidValue, detail))
}
