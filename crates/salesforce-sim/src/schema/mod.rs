//! What the org's objects look like. Read from `data/`, extended by the org file; every rule about
//! fields asks here.

mod field;
mod load;

use std::{collections::HashMap, sync::Arc};

use crate::cell::{Cell, Row};

pub(crate) use field::{Field, Kind, OnDelete, PicklistValue};
pub(crate) use load::CustomField;
pub use load::SchemaError;

/// All objects of the org.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    pub(crate) objects: Vec<Arc<Object>>,
    by_name: HashMap<String, usize>,
    /// Key prefixes of objects that fields refer to but that this org does not hold.
    other_prefixes: HashMap<String, String>,
}

/// One object: its flags as the global describe shows them, and its fields.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of a describe")]
pub(crate) struct Object {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) label_plural: String,
    pub(crate) key_prefix: String,
    pub(crate) createable: bool,
    pub(crate) updateable: bool,
    pub(crate) deletable: bool,
    pub(crate) undeletable: bool,
    pub(crate) queryable: bool,
    pub(crate) replicateable: bool,
    pub(crate) retrieveable: bool,
    pub(crate) searchable: bool,
    pub(crate) triggerable: bool,
    pub(crate) layoutable: bool,
    /// Not to be written in one transaction with others.
    pub(crate) setup: bool,
    pub(crate) fields: Vec<Field>,
    by_name: HashMap<String, usize>,
    by_relationship: HashMap<String, usize>,
}

impl Schema {
    /// An object by its name, in any case.
    pub(crate) fn object(&self, name: &str) -> Option<&Arc<Object>> {
        self.by_name.get(&name.to_ascii_lowercase()).map(|at| &self.objects[*at])
    }

    /// The object and field behind a child relationship of `parent`, such as `Users` of Profile.
    pub(crate) fn children(&self, parent: &str, name: &str) -> Option<(&Arc<Object>, &Field)> {
        self.objects.iter().find_map(|object| {
            let field = object.visible_fields().find(|field| {
                field.child_relationship.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(name))
                    && field.reference_to.iter().any(|target| target == parent)
            })?;
            Some((object, field))
        })
    }

    /// The key prefix of any object, held here or not.
    pub(crate) fn prefix_of(&self, object: &str) -> Option<&str> {
        match self.object(object) {
            Some(object) => Some(&object.key_prefix),
            None => self.other_prefixes.get(object).map(String::as_str),
        }
    }
}

impl Object {
    /// A visible field by its name, in any case.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.by_name.get(&name.to_ascii_lowercase()).map(|at| &self.fields[*at]).filter(|f| !f.hidden)
    }

    /// The reference field behind a relationship name such as `Profile`, in any case.
    pub(crate) fn relationship(&self, name: &str) -> Option<&Field> {
        self.by_relationship.get(&name.to_ascii_lowercase()).map(|at| &self.fields[*at])
    }

    /// The number of a field that the rules name themselves.
    ///
    /// # Panics
    ///
    /// If `data/` has no such field: a mistake in this crate, found by any test.
    pub(crate) fn at(&self, name: &str) -> usize {
        *self.by_name.get(&name.to_ascii_lowercase()).expect("the rules name only fields of data/")
    }

    /// The value of a field that the rules name themselves.
    pub(crate) fn get<'r>(&self, row: &'r Row, name: &str) -> &'r Cell {
        row.get(self.at(name))
    }

    pub(crate) fn visible_fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| !field.hidden)
    }
}
