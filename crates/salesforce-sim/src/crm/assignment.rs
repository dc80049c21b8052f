//! Assignment rules: who gets a new lead or case. They run for every call that does not say
//! `Sforce-Auto-Assign: FALSE`, and win over the owner that the body names.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    ids::Id,
    org::Org,
    rules::Write,
    schema::Object,
    values,
};

/// A rule, as the org file names it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct AssignmentRule {
    pub(crate) object: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) active: bool,
    pub(crate) entries: Vec<Entry>,
}

/// A step of a rule: the first one that fits decides.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Entry {
    /// Values that fields must have; without any it fits every record.
    #[serde(default)]
    pub(crate) when: BTreeMap<String, String>,
    /// A username, or the name of a queue.
    pub(crate) owner: String,
}

/// An entry of a rule that the org has.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    when: Vec<(usize, Cell)>,
    owner: Id,
}

impl Step {
    /// The entry in terms of the org; `Err` with the name that the org does not have.
    pub(crate) fn new(org: &Org, object: &Object, entry: &Entry) -> Result<Self, String> {
        let field = |(name, value): (&String, &String)| {
            let field = object.field(name).ok_or_else(|| name.clone())?;
            Ok((field.index, values::from_text(field, value)))
        };
        let when = entry.when.iter().map(field).collect::<Result<_, String>>()?;
        let owner = owner(org, &entry.owner).ok_or_else(|| entry.owner.clone())?;
        Ok(Self { when, owner })
    }

    fn fits(&self, object: &Object, row: &Row) -> bool {
        self.when.iter().all(|(field, cell)| {
            let same = row.get(*field).compare(cell, object.fields[*field].case_sensitive);
            same == Some(std::cmp::Ordering::Equal)
        })
    }
}

fn owner(org: &Org, name: &str) -> Option<Id> {
    let user = org.table_of("User").find_one(org.user_fields.username, &Cell::text(name));
    let queue = || {
        let groups = org.table(org.schema.object("Group")?);
        let (label, kind) = (groups.object.at("Name"), groups.object.at("Type"));
        let is_it = |row: &Row| {
            row.get(kind).as_text() == Some("Queue")
                && row.get(label).as_text().is_some_and(|own| own.eq_ignore_ascii_case(name))
        };
        groups.iter().map(|(_, row)| row).find(|row| is_it(row))
    };
    user.or_else(queue)?.get(0).as_id()
}

/// Gives the record the owner that the rules choose.
pub(crate) fn complete(org: &Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
    let Some(steps) = steps(org, write)? else { return Ok(()) };
    if let Some(step) = steps.iter().find(|step| step.fits(write.object, row)) {
        row.set(write.object.at("OwnerId"), Cell::Id(step.owner));
    }
    Ok(())
}

/// The steps of the rule that the header asks for: none, a certain one, the active one.
fn steps<'a>(org: &'a Org, write: &Write<'_>) -> Result<Option<&'a [Step]>, Refusals> {
    let header = write.headers.auto_assign.as_deref().unwrap_or("TRUE").trim();
    if header.eq_ignore_ascii_case("FALSE") {
        return Ok(None);
    }
    let rules = org.table_of("AssignmentRule");
    let (kind, active) = (rules.object.at("SobjectType"), rules.object.at("Active"));
    let of_object = |row: &Row| row.get(kind).as_text() == Some(write.object.name.as_str());
    let id = if header.eq_ignore_ascii_case("TRUE") {
        let mut all = rules.iter().map(|(_, row)| row);
        all.find(|row| of_object(row) && row.get(active).as_bool()).and_then(|row| row.get(0).as_id())
    } else {
        let id = Id::parse(header).ok_or_else(|| vec![Refusal::malformed_id(header)])?;
        if !rules.get(id).is_some_and(|row| of_object(row)) {
            return Err(vec![Refusal::invalid_reference()]);
        }
        Some(id)
    };
    Ok(id.and_then(|id| org.crm.assignment.get(&id)).map(Vec::as_slice))
}
