//! A resource in canonical form.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::AttrPath;

/// What a client may write of a User or Group, in canonical form: names in the spelling of the schema, no nulls,
/// no empty values, extensions under their URN, `schemas` naming what is present.
///
/// Without `id`, `meta` and `groups`, which belong to the server: reads add them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resource(Map<String, Value>);

impl Resource {
    /// Takes a map that is in canonical form already, such as one from the store.
    #[must_use]
    pub fn from_map(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// The attributes by name.
    #[must_use]
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The attributes by name, to be changed. Whoever changes them keeps the canonical form.
    pub fn as_map_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// The attributes by name.
    #[must_use]
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }

    /// The value of a top-level attribute, by its canonical name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// `userName`.
    #[must_use]
    pub fn user_name(&self) -> Option<&str> {
        self.text("userName")
    }

    /// `externalId`.
    #[must_use]
    pub fn external_id(&self) -> Option<&str> {
        self.text("externalId")
    }

    /// `displayName`.
    #[must_use]
    pub fn display_name(&self) -> Option<&str> {
        self.text("displayName")
    }

    /// `active`; absent means true (C-41).
    #[must_use]
    pub fn active(&self) -> bool {
        self.0.get("active").and_then(Value::as_bool).unwrap_or(true)
    }

    /// Sets `active`.
    pub fn set_active(&mut self, active: bool) {
        self.0.insert("active".to_owned(), Value::Bool(active));
    }

    /// Every value that the path leads to, in order; the elements of arrays one by one.
    #[must_use]
    pub fn values(&self, path: &AttrPath) -> Vec<&Value> {
        path.values_in(&self.0)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }
}

impl From<Resource> for Value {
    fn from(resource: Resource) -> Self {
        Self::Object(resource.0)
    }
}
