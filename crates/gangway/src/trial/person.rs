//! A person to try a mapping on.

use scim_types::{Registry, Resource};
use serde_json::{Value, json};

/// A person, as an identity tool would send them.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// In canonical form.
    pub(crate) resource: Resource,
    /// Attributes that SCIM users do not have. A request is forgiven them; whoever writes an example mistyped them.
    pub(crate) unknown: Vec<String>,
}

impl Person {
    /// Reads a SCIM User.
    ///
    /// # Errors
    ///
    /// What a SCIM request with this body would be told.
    pub(crate) fn read(body: Value) -> Result<Self, String> {
        let user = Registry::standard().user();
        let unknown = body.as_object().into_iter().flatten().map(|(name, _)| name);
        let unknown = unknown.filter(|name| user.find(name).is_none() && !user.is_core_urn(name));
        let unknown = unknown.cloned().collect();
        let resource = user.read_body(body).map_err(|error| error.detail)?;
        Ok(Self { resource, unknown })
    }

    /// The person as a member of groups with these names, besides those that there are.
    pub(crate) fn in_groups(mut self, groups: &[String]) -> Self {
        let elements = groups.iter().map(|name| json!({ "value": name, "display": name }));
        if let Value::Array(known) =
            self.resource.as_map_mut().entry("groups").or_insert_with(|| Value::Array(Vec::new()))
        {
            known.extend(elements);
        }
        self
    }

    /// Reads a SCIM User from a JSON text.
    ///
    /// # Errors
    ///
    /// As [`Person::read`], and where the text is no JSON.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Self::read(serde_json::from_str(text).map_err(|error| format!("this is no JSON: {error}"))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_attribute_is_named() {
        let person = Person::read(json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": "ada", "department": "Analysis", "lcale": "nl-NL", "id": "1", "meta": {},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "division": "Engines" },
        }));
        assert_eq!(person.unwrap().unknown, ["lcale"]);
    }

    #[test]
    fn a_person_without_a_user_name_is_none() {
        let error = Person::parse(r#"{"name": {"familyName": "Lovelace"}}"#).unwrap_err();
        assert!(error.contains("userName"), "{error}");
        assert!(Person::parse("{").unwrap_err().contains("no JSON"));
    }
}
