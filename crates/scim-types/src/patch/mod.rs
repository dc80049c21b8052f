//! PATCH (RFC 7644 §3.5.2), as the standard has it and as identity tools send it.
//!
//! [`Patch::parse`] takes every known way of saying something (`parse`, `legacy`, `members`) and writes it down in one:
//! each operation then names one attribute, its value is in canonical form, and `null` means unassigned.
//! [`Patch::apply`] (`apply`, `elements`) only has to follow these. What is lenient on purpose:
//!
//! - An attribute that is not in the schemas is ignored wherever it stands, in a path too: `HelloID` sends
//!   `"path": "name.familyNamePrefix"` with every update (C-35). A path that is no attribute path at all is 400
//!   `invalidPath`.
//! - `replace` means the same as `add` for a singular attribute (C-48), and a complex value is merged: what it does not
//!   mention stays (C-46). So does an element that a filter selects.
//! - `emails.value` without a filter is every e-mail address; where there is none it makes one (C-49).
//! - `emails[type eq "work"].value` makes a work address where there is none (C-50); the standard would answer
//!   `noTarget`. A `remove` that finds nothing has nothing to do.
//! - `remove` with a value removes that value, and never everything (C-53).
//! - `null`, `""` and `[]` unassign (C-55), but not `active`, which counts as true while it is absent: that stays.
//! - An empty list of operations is a success that changes nothing (C-61).
//! - `id`, `meta`, `groups` and `schemas` inside the value of an operation without a path are ignored (C-47). A path to
//!   one of them is 400 `mutability` unless it asks for what is there already; `schemas` follows from what is present
//!   and is always ignored.
//! - `password` is accepted and dropped (C-40).

mod apply;
mod elements;
mod legacy;
mod members;
mod parse;
mod target;

pub(crate) use target::is_attribute_path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, Resource, ResourceType};

/// The schema URN of a PATCH body.
pub const PATCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Operations in one PATCH at most; more are 413. authentik sends one operation for each member, in chunks of
/// `bulk.maxOperations`, which is the same number.
pub const MAX_OPERATIONS: usize = 1_000;

/// Values for `members` in one PATCH at most, over all its operations; more are 413. Ten times the largest page, so that a
/// group that was read in pages can be sent back in one piece.
pub const MAX_MEMBERS: usize = 10_000;

/// What a PATCH asks for, in canonical form. Serialises as the operations of an RFC 7644 body, so that it can be stored
/// and applied later, to another version of the resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Patch {
    /// What to do, in this order, all of it or nothing.
    #[serde(rename = "Operations")]
    pub operations: Vec<Operation>,
}

/// One step of a PATCH: it names one attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// What to do.
    pub op: Op,
    /// Where: `userName`, `name.givenName`, `emails[type eq "work"].value`, `urn:…:User:department`, or the URN of an
    /// extension as a whole.
    pub path: String,
    /// The new value in canonical form, elements in an array; `null` unassigns, and so does the empty array that is left of
    /// elements none of which has a value. For a `remove`, the elements to remove, where they are named by value.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub value: Value,
}

/// The verbs of a PATCH.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Add to a list, or set.
    Add,
    /// Take away.
    Remove,
    /// Put in place of what is there.
    Replace,
}

impl Patch {
    /// Reads the body of a PATCH.
    ///
    /// # Errors
    ///
    /// 400 `invalidSyntax` when it is no PATCH, `invalidPath` for a path that cannot be read, `invalidFilter` for a
    /// filter in one, `noTarget` for a `remove` without a path, `invalidValue` for a value that does not fit; 413 over
    /// [`MAX_OPERATIONS`] or [`MAX_MEMBERS`].
    pub fn parse(resource_type: &ResourceType, body: Value) -> Result<Self, Error> {
        parse::patch(resource_type, body)
    }

    /// Carries out the operations on a copy of `current`: all of them, or none (C-59). Nothing is changed that no
    /// operation names, but that another value stops being `primary` when one becomes so, and that `schemas` follows.
    ///
    /// # Errors
    ///
    /// 400 `mutability` for a change of what only the server may write, or may be written once; `invalidValue` for
    /// unassigning what is required; `noTarget` where a filter finds nothing and does not say what to make.
    pub fn apply(&self, resource_type: &ResourceType, current: &Resource) -> Result<Resource, Error> {
        apply::apply(self, resource_type, current)
    }

    /// Whether it asks for `active` to be false, on the face of it: whoever must not take access away can be told before
    /// it is known what there is to take.
    #[must_use]
    pub fn deactivates(&self) -> bool {
        let sets_inactive =
            |operation: &Operation| operation.op != Op::Remove && operation.value == Value::Bool(false);
        self.operations.iter().any(|operation| operation.path == "active" && sets_inactive(operation))
    }
}
