//! Identities that come by events: each is one of the source's population, and its `externalId` is what the source calls it.

use std::time::Duration;

use model::{ResourceId, ResourceKind, TenantId};
use provisioning::{Answer, Caller, Operation, ProvisionError, Request, Warning};
use scim_types::{Filter, Registry};
use serde_json::Value;
use store::{Query, StoreError, StoredResource, Window};

use crate::{Intake, Outcome, Source};

/// Warnings of a change that has not reached a record and never will: Salesforce keeps it from being deleted, or it is a lead that
/// was converted by hand.
const UNDONE: [&str; 2] = ["delete-blocked", "lead-converted"];

/// The population of a source, with what is done in it in the source's name.
pub struct Population<'i> {
    intake: &'i Intake,
    caller: Caller,
}

impl<'i> Population<'i> {
    /// `tenant` is where the identities are: the source's own population, or its tenant.
    #[must_use]
    pub fn new(intake: &'i Intake, source: &Source, tenant: &TenantId) -> Self {
        Self::of(intake, Caller { tenant: tenant.clone(), client: source.client() })
    }

    /// In the name of somebody else: of a client of the source that has a mapping of its own.
    #[must_use]
    pub fn of(intake: &'i Intake, caller: Caller) -> Self {
        Self { intake, caller }
    }

    /// The identity that the source calls so.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn find(&self, external_id: &str) -> Result<Option<ResourceId>, StoreError> {
        if let Some(found) = self.find_by("externalId", external_id).await? {
            return Ok(Some(found.id));
        }
        // One that is being made is in no list yet.
        let made = self.intake.directory.pending_by_external_id(&self.caller.tenant, external_id).await?;
        if made.is_some() {
            return Ok(made.map(|made| made.id));
        }
        // It may have been recorded between the two looks.
        Ok(self.find_by("externalId", external_id).await?.map(|found| found.id))
    }

    async fn find_by(&self, attribute: &str, value: &str) -> Result<Option<StoredResource>, StoreError> {
        let text = format!("{attribute} eq {}", Value::from(value));
        let Ok(filter) = Filter::parse(&text, Registry::standard().user()) else { return Ok(None) };
        let query = Query {
            kind: ResourceKind::User,
            filter: Some(filter),
            sort: None,
            window: Window::Index { offset: 0, count: 1 },
            with_members: false,
        };
        let page = self.intake.directory.find(&self.caller.tenant, &query).await?;
        Ok(page.resources.into_iter().next())
    }

    /// The identity is this from now on: `body` is the whole SCIM User, with its `externalId` and a `userName` that only it has.
    /// It is made where it is not there. Who may not be made has to have a record in Salesforce, which becomes his.
    pub async fn put(&self, external_id: &str, body: Value, may_create: bool) -> Outcome {
        self.place(external_id, body, may_create).await.0
    }

    /// The same where the record is to be so too: if there is nothing new, it is looked whether somebody has changed or deleted it.
    pub async fn put_for_sure(&self, external_id: &str, body: Value, may_create: bool) -> Outcome {
        let (outcome, unchanged) = self.place(external_id, body, may_create).await;
        let (Outcome::Applied { .. }, Some(id)) = (&outcome, unchanged) else { return outcome };
        match self.intake.provisioner.drifted(&self.caller, std::slice::from_ref(&id)).await {
            Ok(drifted) if drifted.is_empty() => outcome,
            Ok(_) => self.correct(&id).await,
            // Salesforce does not let Gangway look, and will not later: what is known stands.
            Err(ProvisionError::Misconfigured(why)) => {
                tracing::warn!(tenant = %self.caller.tenant, %why, "it cannot be seen whether a record is as it was written");
                outcome
            }
            Err(error) => refused(&error),
        }
    }

    /// Whether the identity that the source calls so is this already: nothing of `body` is new. Where that is not certain, it is not.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn is_so(&self, external_id: &str, body: &Value) -> Result<bool, StoreError> {
        let Some(found) = self.find_by("externalId", external_id).await? else { return Ok(false) };
        let mut known = found.attributes()?;
        known.retain(|name, value| match name.as_str() {
            "schemas" | "id" | "meta" | "groups" => false,
            "active" => *value != Value::Bool(true),
            _ => true,
        });
        let told = body.as_object().into_iter().flatten();
        let told =
            told.filter(|(name, _)| *name != "schemas").map(|(name, value)| (name.clone(), value.clone()));
        Ok(says_same(&Value::Object(known), &Value::Object(told.collect())))
    }

    /// What came of it, and which identity it is if it was so before.
    async fn place(&self, external_id: &str, body: Value, may_create: bool) -> (Outcome, Option<ResourceId>) {
        // Twice: it may come to be there, or be gone, between looking and doing.
        for _ in 0..2 {
            let done = match self.find(external_id).await {
                Err(error) => return (Outcome::later(error.to_string()), None),
                Ok(Some(id)) => self.submit(Some(id), Operation::Replace(body.clone())).await,
                Ok(None) => self.submit(None, Operation::Create(body.clone())).await,
            };
            match done {
                Err(ProvisionError::NotAllowed { what: "create", .. }) if !may_create => {
                    return (Outcome::Ignored("not-created"), None);
                }
                Err(ProvisionError::NotFound { .. }) => {}
                Err(ProvisionError::Taken { .. }) => match self.is_own(external_id, &body).await {
                    Err(error) => return (Outcome::later(error.to_string()), None),
                    Ok(true) => {}
                    Ok(false) => {
                        let why = "another identity of the population has its userName or externalId";
                        return (Outcome::Dead(why.to_owned()), None);
                    }
                },
                Ok(Answer::Updated(written)) if !written.changed => {
                    let id = written.resource.id.clone();
                    return (outcome(Ok(Answer::Updated(written))), Some(id));
                }
                ended => return (outcome(ended), None),
            }
        }
        (Outcome::later("the identity is being changed by another request"), None)
    }

    /// Whether it is this very identity that has the name already: it is being made, or has just been.
    async fn is_own(&self, external_id: &str, body: &Value) -> Result<bool, StoreError> {
        let name = body.get("userName").and_then(Value::as_str).unwrap_or_default();
        let found = self.find_by("userName", name).await?;
        Ok(found.is_none_or(|found| has_external_id(&found, external_id)))
    }

    /// Those of these identities whose records Salesforce has not as they were written, each with its place among `external_ids`.
    ///
    /// # Errors
    ///
    /// As [`provisioning::Provisioner::drifted`].
    pub async fn drifted(&self, external_ids: &[&str]) -> Result<Vec<(usize, ResourceId)>, ProvisionError> {
        let mut known = Vec::new();
        for (place, external_id) in external_ids.iter().enumerate() {
            let found = self.find(external_id).await?;
            known.extend(found.map(|id| (place, id)));
        }
        let identities: Vec<ResourceId> = known.iter().map(|(_, id)| id.clone()).collect();
        let drifted = self.intake.provisioner.drifted(&self.caller, &identities).await?;
        known.retain(|(_, id)| drifted.contains(id));
        Ok(known)
    }

    /// The records of an identity are as they should be again.
    pub async fn correct(&self, id: &ResourceId) -> Outcome {
        outcome(self.intake.provisioner.resync(&self.caller, id).await)
    }

    /// The identity is gone at its source. `None`: nobody knows it here.
    pub async fn delete(&self, external_id: &str) -> Option<Outcome> {
        match self.find(external_id).await {
            Ok(None) => None,
            Ok(Some(id)) => self.remove(id).await,
            Err(error) => Some(Outcome::later(error.to_string())),
        }
    }

    /// The identity is gone at its source. `None`: it is gone here, too.
    pub async fn remove(&self, id: ResourceId) -> Option<Outcome> {
        match self.submit(Some(id), Operation::Delete).await {
            Err(ProvisionError::NotFound { .. }) => None,
            ended => Some(outcome(ended)),
        }
    }

    /// An identity that is known is this from now on.
    pub async fn replace(&self, id: ResourceId, body: Value) -> Outcome {
        match self.submit(Some(id), Operation::Replace(body)).await {
            Err(ProvisionError::NotFound { .. }) => {
                Outcome::later("the identity is being taken away by another request")
            }
            ended => outcome(ended),
        }
    }

    /// Changes an identity by a SCIM `PatchOp`.
    pub async fn patch(&self, id: ResourceId, body: Value) -> Outcome {
        outcome(self.submit(Some(id), Operation::Patch(body)).await)
    }

    async fn submit(&self, id: Option<ResourceId>, operation: Operation) -> Result<Answer, ProvisionError> {
        let request = Request {
            kind: ResourceKind::User,
            id: id.map(|id| id.to_string()),
            operation,
            if_match: None,
            respond_async: false,
        };
        self.intake.provisioner.submit(&self.caller, request).await
    }
}

/// Whether two values are the same, where nothing at all is the same as null and as what is empty.
fn says_same(one: &Value, other: &Value) -> bool {
    fn is_nothing(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Object(members) => members.values().all(is_nothing),
            Value::Array(elements) => elements.is_empty(),
            _ => false,
        }
    }
    match (one, other) {
        (one, other) if is_nothing(one) || is_nothing(other) => is_nothing(one) && is_nothing(other),
        (Value::Object(ones), Value::Object(others)) => {
            let names = ones.keys().chain(others.keys());
            let of = |members: &serde_json::Map<String, Value>, name: &String| {
                members.get(name).cloned().unwrap_or_default()
            };
            names.into_iter().all(|name| says_same(&of(ones, name), &of(others, name)))
        }
        (Value::Array(ones), Value::Array(others)) => {
            ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| says_same(one, other))
        }
        (one, other) => one == other,
    }
}

fn has_external_id(found: &StoredResource, external_id: &str) -> bool {
    let attributes = found.attributes().unwrap_or_default();
    attributes.get("externalId").and_then(Value::as_str) == Some(external_id)
}

/// What an answer of provisioning means to an event: whether it may work later, or never will as it is.
#[must_use]
pub fn outcome(ended: Result<Answer, ProvisionError>) -> Outcome {
    match ended {
        Ok(Answer::Created(written) | Answer::Updated(written)) => applied_with(&written.warnings),
        Ok(Answer::Deleted(warnings)) => applied_with(&warnings),
        Ok(Answer::Accepted { .. }) => Outcome::applied(),
        Err(error) => refused(&error),
    }
}

/// What was adapted is noted. What Salesforce will never do is for a person, though the identity is what it is to be.
fn applied_with(warnings: &[Warning]) -> Outcome {
    let undone: Vec<&str> = warnings
        .iter()
        .filter(|warning| UNDONE.contains(&warning.code.as_str()))
        .map(|warning| warning.detail.as_str())
        .collect();
    if !undone.is_empty() {
        return Outcome::Dead(undone.join("; "));
    }
    let codes: Vec<&str> = warnings.iter().map(|warning| warning.code.as_str()).collect();
    if codes.is_empty() { Outcome::applied() } else { Outcome::noted(codes.join(", ")) }
}

/// What an error of provisioning means to an event.
#[must_use]
pub fn refused(error: &ProvisionError) -> Outcome {
    let later = |retry_after: &Duration| Outcome::Later { why: error.to_string(), retry_after: *retry_after };
    match error {
        ProvisionError::Busy { retry_after, .. }
        | ProvisionError::RollingForward { retry_after, .. }
        | ProvisionError::WillBeDone { retry_after, .. } => later(retry_after),
        // A person will correct these, and then the event is still good.
        ProvisionError::Store(_)
        | ProvisionError::Misconfigured(_)
        | ProvisionError::VersionMismatch { .. } => later(&Duration::from_mins(1)),
        // What is kept is tried again by itself.
        ProvisionError::Partly { .. } | ProvisionError::NotAllGranted { .. } => {
            Outcome::noted(error.to_string())
        }
        ProvisionError::Refused { .. } if !error.is_final_refusal() => later(&Duration::from_secs(30)),
        ProvisionError::Held { .. } => Outcome::Held(error.to_string()),
        _ => Outcome::Dead(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_null_or_empty_says_nothing() {
        let known =
            json!({"userName": "u1", "ext": {"address": {"city": "Utrecht"}}, "emails": [{"value": "a"}]});
        for (told, same) in [
            (known.clone(), true),
            (
                json!({"userName": "u1", "ext": {"address": {"city": "Utrecht", "mobile": null}, "name": {}},
                "emails": [{"value": "a"}], "phoneNumbers": []}),
                true,
            ),
            (
                json!({"userName": "u1", "ext": {"address": {"city": "Zeist"}}, "emails": [{"value": "a"}]}),
                false,
            ),
            (json!({"userName": "u1", "ext": {"address": {"city": "Utrecht"}}}), false),
            (
                json!({"userName": "u1", "ext": {"address": {"city": "Utrecht"}}, "emails": [{"value": "a"}, {}]}),
                false,
            ),
            (
                json!({"userName": "u1", "ext": {"address": {"city": "Utrecht"}}, "emails": [{"value": "a"}], "title": ""}),
                false,
            ),
        ] {
            assert_eq!(says_same(&known, &told), same, "{told}");
            assert_eq!(says_same(&told, &known), same, "{told}");
        }
    }
}
