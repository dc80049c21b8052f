//! Whether an org has what a target writes: said at the start and by `gangway check`, not by the first event.

use std::collections::BTreeSet;

use salesforce_client::{CallError, Org, Purpose, soql::Query};
use salesforce_types::{FieldDescription, FieldType};

use super::{
    ConsentTarget,
    contact_points::{CONSENT, INDIVIDUAL, PURPOSE},
};

/// What choices are written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsentPlaces {
    /// These fields of the record.
    Fields(Vec<String>),
    /// `ContactPointTypeConsent`s.
    ContactPoints {
        /// With `DataUsePurpose`s of these names.
        purposes: Vec<String>,
    },
}

/// What an org lacks for a target, each as a sentence that names the setting; nothing: it fits.
///
/// # Errors
///
/// The org cannot be asked.
pub async fn problems(
    org: &Org,
    target: &ConsentTarget,
    places: &ConsentPlaces,
) -> Result<Vec<String>, CallError> {
    let fields: &[String] = match places {
        ConsentPlaces::Fields(fields) => fields,
        ConsentPlaces::ContactPoints { .. } => &[],
    };
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
    let match_field = description.field(&target.match_field);
    if match_field.is_none() {
        missing("match", &target.match_field);
    }
    for field in target.create.iter().flat_map(|defaults| defaults.keys()) {
        if description.field(field).is_none() {
            missing("upsert-defaults", field);
        }
    }
    for field in fields {
        if description.field(field).is_none() {
            missing("mappings", field);
        }
    }
    if match_field.is_some_and(|field| !finds_people(field)) {
        problems.push(format!(
            "`match`: nobody can be found by the field {} of {object} in the org {}: it cannot be compared with a text",
            target.match_field,
            org.name()
        ));
    }
    for field in fields {
        if description.field(field).is_some_and(|field| !field.updateable) {
            problems.push(format!(
                "`mappings`: the integration user may not write the field {field} of {object} in the org {}",
                org.name()
            ));
        }
    }
    if let ConsentPlaces::ContactPoints { purposes } = places {
        match no_contact_points(org).await? {
            Some(problem) => problems.push(problem),
            None => problems.extend(without_purposes(org, purposes).await?),
        }
    }
    Ok(problems)
}

/// Whether a field can be compared with what a source calls somebody.
fn finds_people(field: &FieldDescription) -> bool {
    let is_text = !matches!(
        field.field_type,
        FieldType::Address
            | FieldType::AnyType
            | FieldType::Base64
            | FieldType::Boolean
            | FieldType::Currency
            | FieldType::Date
            | FieldType::DateTime
            | FieldType::EncryptedString
            | FieldType::Location
            | FieldType::Percent
            | FieldType::Time
    );
    is_text && field.filterable
}

/// The purposes that the org lacks, or has twice.
async fn without_purposes(org: &Org, purposes: &[String]) -> Result<Vec<String>, CallError> {
    let wanted: BTreeSet<&str> = purposes.iter().map(String::as_str).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let problem = |what: String| format!("`data-use-purpose`: the org {} has {what}", org.name());
    if described(org, PURPOSE).await?.is_none() {
        return Ok(vec![problem(format!("no object {PURPOSE} for the integration user"))]);
    }
    let query = Query::select(PURPOSE, &["Id", "Name"])?;
    let rows = org.query_in(&query, "Name", wanted.iter().copied(), Purpose::catalogue()).await?;
    let count = |name: &str| {
        let is_it = |row: &&serde_json::Map<String, serde_json::Value>| {
            let known = row.get("Name").and_then(serde_json::Value::as_str);
            known.is_some_and(|known| known.eq_ignore_ascii_case(name))
        };
        rows.iter().filter(is_it).count()
    };
    let wrong = wanted.into_iter().filter_map(|name| match count(name) {
        0 => Some(problem(format!("no {PURPOSE} called `{name}`: make it"))),
        1 => None,
        _ => Some(problem(format!("several of {PURPOSE} called `{name}`: give them different names"))),
    });
    Ok(wrong.collect())
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nobody_is_found_by_what_is_no_text_or_cannot_be_filtered_by() {
        for (kind, filterable, finds) in [
            ("email", true, true),
            ("string", true, true),
            ("double", true, true),
            ("id", true, true),
            ("boolean", true, false),
            ("date", true, false),
            ("datetime", true, false),
            ("textarea", false, false),
        ] {
            let field = json!({"name": "Field__c", "type": kind, "filterable": filterable});
            assert_eq!(finds_people(&serde_json::from_value(field).unwrap()), finds, "{kind}");
        }
    }
}
