//! Whether an org has what a target writes: said at the start and by `gangway check`, not by the first event.

use salesforce_client::{CallError, Org};

use super::{
    ConsentTarget,
    contact_points::{CONSENT, INDIVIDUAL},
};

/// What an org lacks for a target, each as a sentence that names the setting; nothing: it fits. `fields` are those that choices are written to; none:
/// they become `ContactPointTypeConsent`s.
///
/// # Errors
///
/// The org cannot be asked.
pub async fn problems(
    org: &Org,
    target: &ConsentTarget,
    fields: Option<&[String]>,
) -> Result<Vec<String>, CallError> {
    let object = target.object.as_str();
    let mut problems = Vec::new();
    let Some(description) = described(org, object).await? else {
        problems.push(format!("`object`: the org {} has no {object} for the integration user", org.name()));
        return Ok(problems);
    };
    let mut missing = |setting: &str, field: &str| {
        problems.push(format!(
            "`{setting}`: {object} of the org {} has no field {field} that the integration user may see",
            org.name()
        ));
    };
    if description.field(&target.match_field).is_none() {
        missing("match", &target.match_field);
    }
    for field in target.create.iter().flat_map(|defaults| defaults.keys()) {
        if description.field(field).is_none() {
            missing("upsert-defaults", field);
        }
    }
    for field in fields.unwrap_or_default() {
        if description.field(field).is_none() {
            missing("mappings", field);
        }
    }
    for field in fields.unwrap_or_default() {
        if description.field(field).is_some_and(|field| !field.updateable) {
            problems.push(format!(
                "`mappings`: the integration user may not write the field {field} of {object} in the org {}",
                org.name()
            ));
        }
    }
    if fields.is_none() {
        problems.extend(no_contact_points(org).await?);
    }
    Ok(problems)
}

/// Why the org cannot hold consents as records of their own, if it cannot.
pub(super) async fn no_contact_points(org: &Org) -> Result<Option<String>, CallError> {
    for needed in [CONSENT, INDIVIDUAL] {
        if described(org, needed).await?.is_none() {
            return Ok(Some(format!(
                "`writer = \"contact-point-type-consent\"`: the org {} has no object {needed}. Turn on Setup > Data \
                 Protection and Privacy and give the integration user access to it, or write `writer = \"fields\"`",
                org.name()
            )));
        }
    }
    Ok(None)
}

async fn described(
    org: &Org,
    object: &str,
) -> Result<Option<std::sync::Arc<salesforce_types::ObjectDescription>>, CallError> {
    match org.describe(object).await {
        Ok(description) => Ok(Some(description)),
        Err(CallError::Refused(refusal))
            if matches!(
                refusal.code.as_str(),
                "NOT_FOUND" | "INVALID_TYPE" | "INVALID_TYPE_FOR_OPERATION"
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
