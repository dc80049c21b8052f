//! Person accounts (`person-accounts`): an account that is a person, with a contact that cannot be changed
//! but through it.

use std::sync::Arc;

use crate::{
    cell::{Cell, Row},
    crm::people,
    errors::{Refusal, Refusals},
    ids::Id,
    org::Org,
    rows,
    rules::Write,
    schema::Object,
};

/// Field of the account, field of its contact.
const SHARED: [(&str, &str); 7] = [
    ("LastName", "LastName"),
    ("FirstName", "FirstName"),
    ("Salutation", "Salutation"),
    ("PersonEmail", "Email"),
    ("PersonMobilePhone", "MobilePhone"),
    ("PersonTitle", "Title"),
    ("Phone", "Phone"),
];

/// Whether the org has them, and this account is one.
fn is_person(object: &Object, account: &Row) -> bool {
    object.field("IsPersonAccount").is_some_and(|field| account.get(field.index).as_bool())
}

/// An account with a last name is a person, whose name is no field of its own.
pub(crate) fn complete_account(org: &Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
    let (Some(person), Some(last_name)) =
        (write.object.field("IsPersonAccount"), write.object.field("LastName"))
    else {
        return Ok(());
    };
    if write.before.is_none() {
        row.set(person.index, Cell::Bool(!row.get(last_name.index).is_null()));
    }
    if !row.get(person.index).as_bool() {
        return Ok(());
    }
    let name = write.object.at("Name");
    if write.named.contains(&name) {
        let message = "Account: bad field names on insert/update call: Name";
        return Err(vec![Refusal::record("INVALID_FIELD_FOR_INSERT_UPDATE", message, &["Name"])]);
    }
    row.set(name, Cell::text(&people::full_name(org, row, write.object)));
    Ok(())
}

/// The contact of a person has what the account has.
pub(crate) fn account_saved(org: &mut Org, row: &Row, write: &Write<'_>) {
    if !is_person(write.object, row) {
        return;
    }
    let contacts = Arc::clone(&org.table_of("Contact").object);
    let reference = write.object.at("PersonContactId");
    let known = row.get(reference).as_id();
    let mut contact =
        known.and_then(|id| org.table(&contacts).get(id)).map(|row| Row::clone(row)).unwrap_or_default();
    for (from, to) in SHARED {
        contact.set(contacts.at(to), row.get(write.object.at(from)).clone());
    }
    contact.set(contacts.at("Name"), row.get(write.object.at("Name")).clone());
    contact.set(contacts.at("OwnerId"), row.get(write.object.at("OwnerId")).clone());
    contact.set(contacts.at("AccountId"), row.get(0).clone());
    contact.set(contacts.at("IsPersonAccount"), Cell::Bool(true));
    if known.is_some() {
        rows::stamp_update(org, &contacts, &mut contact, write.actor);
        org.replace(&contacts, contact);
        return;
    }
    let id = org.new_id(&contacts);
    contact.set(0, Cell::Id(id));
    contact.set(contacts.at("CreatedDate"), row.get(write.object.at("CreatedDate")).clone());
    contact.set(contacts.at("CreatedById"), Cell::Id(write.actor.user));
    rows::stamp_update(org, &contacts, &mut contact, write.actor);
    org.insert(&contacts, contact);
    let mut account = row.clone();
    account.set(reference, Cell::Id(id));
    org.replace(write.object, account);
}

/// The contact of a person account is changed through the account.
pub(crate) fn check_contact(row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
    let person = write.object.field("IsPersonAccount");
    if write.before.is_none() || !person.is_some_and(|field| row.get(field.index).as_bool()) {
        return Ok(());
    }
    Err(vec![Refusal::record("INVALID_PERSON_ACCOUNT_OPERATION", "cannot reference person contact", &[])])
}

/// The contact behind a person account.
pub(crate) fn contact_of(org: &Org, account: Id) -> Option<Id> {
    let accounts = org.table_of("Account");
    let row = accounts.get(account).filter(|row| is_person(&accounts.object, row))?;
    row.get(accounts.object.at("PersonContactId")).as_id()
}

/// What a person account calls the fields of its contact.
pub(crate) fn account_field(contact_field: &str) -> Option<&'static str> {
    SHARED.iter().find(|(_, of_contact)| *of_contact == contact_field).map(|(of_account, _)| *of_account)
}
