//! Mappings: which identities are which records, and what stands in their fields.

mod check;
mod error;
mod parse;
mod rule;

use std::ops::Range;

use model::{OrgName, TargetName};
use scim_types::Resource;
use serde::{Deserialize, Serialize};

pub use error::{MappingError, MappingErrors};
pub(crate) use rule::{On, Rule, Value};

use crate::expression::Expression;
use error::Text;

/// The mapping of an environment that names none.
const DEFAULT: &str = include_str!("../default-mapping.toml");
/// What the default mapping is called in errors.
const DEFAULT_FILE: &str = "default-mapping.toml";

/// A checked mapping.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// In the order of the file; at least one.
    pub targets: Vec<Target>,
    text: Text,
}

/// A rule of an environment: identities for which `when` holds are this object in this org, mapped so.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the mapping calls it.
    pub name: TargetName,
    /// The org; absent: the environment's only one.
    pub org: Option<OrgName>,
    /// The Salesforce object: `User`.
    pub object: String,
    /// The fields by which a record that was there before Gangway is found, in order.
    pub matching: Vec<String>,
    /// What Gangway may do.
    pub allow: Allow,
    /// What happens to the record of an identity that leaves.
    pub on_leave: OnLeave,
    when: Option<Expression>,
    pub(crate) rules: Vec<Rule>,
    place: Place,
}

/// Where a target stands in its file.
#[derive(Clone, Debug)]
struct Place {
    header: Range<usize>,
    matching: Vec<Range<usize>>,
}

/// What Gangway may do with the records of a target, each on its own.
#[expect(clippy::struct_excessive_bools, reason = "five independent permissions, as the mapping lists them")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allow {
    /// Make records.
    pub create: bool,
    /// Change records.
    pub update: bool,
    /// Freeze or deactivate them.
    pub disable: bool,
    /// Strip grants, then disable.
    pub deprovision: bool,
    /// Delete them: Contact and Lead only.
    pub delete: bool,
}

impl Default for Allow {
    /// Everything that can be undone.
    fn default() -> Self {
        Self { create: true, update: true, disable: true, deprovision: true, delete: false }
    }
}

/// What happens to the record of an identity that leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnLeave {
    /// Deactivate the User.
    #[default]
    Disable,
    /// Freeze at once, then deactivate. So far the User is deactivated at once, which locks it out as well.
    FreezeThenDeactivate,
}

impl Mapping {
    /// Reads a mapping. `file` is the name that errors give.
    ///
    /// # Errors
    ///
    /// Every mistake that can be found without an org, each with its place.
    pub fn parse(text: &str, file: &str) -> Result<Self, MappingErrors> {
        parse::parse(text, file)
    }

    /// The mapping of an environment that names none: every identity is a User of this org.
    ///
    /// # Panics
    ///
    /// Never: the mapping is part of Gangway, and a test reads it.
    #[must_use]
    pub fn default_for(org: &OrgName) -> Self {
        let mut mapping = Self::parse(DEFAULT, DEFAULT_FILE).expect("a test reads the default mapping");
        for target in &mut mapping.targets {
            target.org = Some(org.clone());
        }
        mapping
    }

    /// Checks the targets that are for this object against what the org says of it: fields that it lacks, that cannot be
    /// written, that take no such default, and required ones that no rule fills.
    #[must_use]
    pub fn check(&self, describe: &salesforce_types::ObjectDescription) -> Vec<MappingError> {
        check::check(self, describe)
    }
}

impl Target {
    /// Whether an identity belongs to the target: `when`, or always. A `when` that cannot be evaluated does not hold.
    #[must_use]
    pub fn applies(&self, user: &Resource) -> bool {
        self.when.as_ref().is_none_or(|when| when.holds(user))
    }

    /// The Salesforce fields that the mapping fills, in the order of the file.
    pub fn mapped_fields(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.field.as_str())
    }

    /// The SCIM attribute that a field's value comes from, in any case of the field.
    #[must_use]
    pub fn attribute_of(&self, field: &str) -> Option<&str> {
        self.rules.iter().find(|rule| rule.field.eq_ignore_ascii_case(field))?.attribute()
    }

    /// Whether the mapping fills this field.
    #[must_use]
    pub fn maps(&self, field: &str) -> bool {
        self.mapped_fields().any(|mapped| mapped.eq_ignore_ascii_case(field))
    }
}

#[cfg(test)]
mod tests;
