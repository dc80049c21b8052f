//! What the fields of a trial are checked against: the org, a file that it gave, or the fields that every org has.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use model::OrgName;
use salesforce_types::{FieldDescription, FieldType, ObjectDescription};
use serde::Serialize;
use translation::Target;

/// Where a description comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Against {
    /// The org said it.
    Org(OrgName),
    /// A file with what an org said.
    File(String),
    /// The fields that every org has; of the others nothing is known.
    StandardFields,
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Org(org) => write!(f, "the org {org}"),
            Self::File(file) => write!(f, "{file}"),
            Self::StandardFields => f.write_str("the standard fields of Salesforce"),
        }
    }
}

/// What is known of an object.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    object: Arc<ObjectDescription>,
    against: Against,
    /// Fields of which nothing is known, in lower case.
    unknown: HashSet<String>,
}

/// Why there is no description.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DescriptionError {
    /// Salesforce has no such object as a standard one.
    #[error("nothing is known of the object {0} without an org")]
    NoSuchObject(String),
    /// The text is none.
    #[error(
        "this is not what an org says of an object (GET /services/data/v66.0/sobjects/User/describe): {0}"
    )]
    Malformed(#[from] serde_json::Error),
    /// The standard fields cannot be read, which a test rules out.
    #[error("the standard fields cannot be read: {0}")]
    Standard(#[from] salesforce_sim::OrgFileError),
}

impl Description {
    /// What an org said.
    pub(crate) fn of_org(org: OrgName, object: Arc<ObjectDescription>) -> Self {
        Self { object, against: Against::Org(org), unknown: HashSet::new() }
    }

    /// What an org once said, as it said it.
    pub(crate) fn from_file(file: &str, text: &str) -> Result<Self, DescriptionError> {
        let object = Arc::new(serde_json::from_str(text)?);
        Ok(Self { object, against: Against::File(file.to_owned()), unknown: HashSet::new() })
    }

    /// The fields that every org has. What the target names besides takes everything.
    pub(crate) fn standard(target: &Target) -> Result<Self, DescriptionError> {
        let said = salesforce_sim::standard_description(&target.object)?;
        let said = said.ok_or_else(|| DescriptionError::NoSuchObject(target.object.clone()))?;
        let mut object: ObjectDescription = serde_json::from_value(said)?;
        let mut unknown = HashSet::new();
        let keys = target.matching.iter().chain(&target.external_id).map(String::as_str);
        for name in target.mapped_fields().chain(keys) {
            if object.field(name).is_none() && unknown.insert(name.to_ascii_lowercase()) {
                object.fields.push(anything(name));
            }
        }
        Ok(Self { object: Arc::new(object), against: Against::StandardFields, unknown })
    }

    /// The object with its fields.
    pub(crate) fn object(&self) -> &ObjectDescription {
        &self.object
    }

    /// Where it comes from.
    pub(crate) fn against(&self) -> &Against {
        &self.against
    }

    /// Whether something is known of a field.
    pub(crate) fn knows(&self, field: &str) -> bool {
        !self.unknown.contains(&field.to_ascii_lowercase())
    }
}

/// A field that takes every value.
fn anything(name: &str) -> FieldDescription {
    FieldDescription {
        name: name.to_owned(),
        label: name.to_owned(),
        field_type: FieldType::AnyType,
        length: 0,
        digits: 0,
        precision: 0,
        scale: 0,
        nillable: true,
        createable: true,
        updateable: true,
        filterable: true,
        defaulted_on_create: false,
        restricted_picklist: false,
        id_lookup: false,
        external_id: false,
        unique: false,
        case_sensitive: false,
        reference_to: Vec::new(),
        relationship_name: None,
        default_value: None,
        controller_name: None,
        picklist: Vec::new(),
    }
}

/// What orgs have said, by org and object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Descriptions(HashMap<(OrgName, String), Arc<ObjectDescription>>);

impl Descriptions {
    /// Keeps what an org said of an object.
    pub(crate) fn keep(&mut self, org: OrgName, object: Arc<ObjectDescription>) {
        self.0.insert((org, object.name.to_ascii_lowercase()), object);
    }

    /// What is known of a target's object: what its org said, or else the standard fields.
    pub(crate) fn of(
        &self,
        target: &Target,
        default_org: Option<&OrgName>,
    ) -> Result<Description, DescriptionError> {
        let org = target.org.as_ref().or(default_org);
        let said = org.and_then(|org| {
            let object = self.0.get(&(org.clone(), target.object.to_ascii_lowercase()))?;
            Some(Description::of_org(org.clone(), Arc::clone(object)))
        });
        said.map_or_else(|| Description::standard(target), Ok)
    }
}

#[cfg(test)]
mod tests {
    use translation::Mapping;

    use super::*;

    #[test]
    fn without_an_org_standard_fields_are_known_and_custom_ones_take_everything() {
        let text = "[targets.staff]\nobject = \"User\"\n[targets.staff.fields]\nUsername = 'user.userName'\nBadge__c = 'user.employeeNumber'\n";
        let mapping = Mapping::parse(text, "mapping.toml").unwrap();
        let description = Description::standard(&mapping.targets[0]).unwrap();
        assert_eq!(description.object().field("Username").unwrap().length, 80);
        assert!(description.knows("username") && !description.knows("badge__c"));
        assert!(description.object().field("Badge__c").unwrap().nillable);
        assert!(!description.object().field("LocaleSidKey").unwrap().picklist.is_empty());
    }
}
