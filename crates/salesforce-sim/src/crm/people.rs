//! The names of people: first, middle, last and suffix in the order of the org's language.

use crate::{
    cell::{Cell, Row},
    org::Org,
    schema::Object,
};

/// Languages whose people are called by the family name first: Salesforce's "Eastern" name order.
const FAMILY_NAME_FIRST: [&str; 5] = ["hu", "ja", "ko", "vi", "zh"];
const WESTERN: [&str; 4] = ["FirstName", "MiddleName", "LastName", "Suffix"];
const EASTERN: [&str; 4] = ["LastName", "MiddleName", "FirstName", "Suffix"];

/// `Name` follows from its parts.
pub(crate) fn complete_name(org: &Org, row: &mut Row, object: &Object) {
    let name = full_name(org, row, object);
    row.set(object.at("Name"), Cell::text(&name));
}

/// The parts of a name that are there; the salutation is no part of it.
pub(crate) fn full_name(org: &Org, row: &Row, object: &Object) -> String {
    let order = if family_name_first(org) { EASTERN } else { WESTERN };
    let parts = order.iter().filter_map(|name| object.field(name)).filter_map(|f| row.get(f.index).as_text());
    parts.collect::<Vec<_>>().join(" ")
}

fn family_name_first(org: &Org) -> bool {
    let table = org.table_of("Organization");
    let locale = table.object.at("DefaultLocaleSidKey");
    let locale = table.iter().next().map(|(_, row)| row.get(locale).clone());
    let locale = locale.as_ref().and_then(Cell::as_text).unwrap_or_default();
    let language = locale.split('_').next().unwrap_or_default();
    FAMILY_NAME_FIRST.contains(&language)
}
