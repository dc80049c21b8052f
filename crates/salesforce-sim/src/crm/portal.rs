//! Portal users: users outside the company, each of them a contact of an account.

use crate::{
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    ids::Id,
    org::Org,
    rules::Write,
};

/// User types of portals, and whether their users stand in the role hierarchy below the account's owner.
const PORTAL_TYPES: [(&str, bool); 4] = [
    ("PowerPartner", true),
    ("PowerCustomerSuccess", true),
    ("CustomerSuccess", true),
    ("CspLitePortal", false),
];

const ENABLED: &str = "IsPortalEnabled";

/// Licences whose users may be without a contact.
const CONTACTLESS: &str = "PID_External_Identity";

/// A portal user's account is that of his contact. Switched off as a portal user, he is inactive and nobody's
/// contact any more, for ever.
pub(crate) fn complete_user(org: &Org, row: &mut Row, write: &Write<'_>) {
    let at = |name: &str| write.object.at(name);
    let enabled = at(ENABLED);
    if write.before.is_none() {
        let is_contact = !row.get(at("ContactId")).is_null();
        row.set(enabled, Cell::Bool(is_contact));
    }
    if write.before.is_some_and(|before| before.get(enabled).as_bool()) && !row.get(enabled).as_bool() {
        row.set(org.user_fields.is_active, Cell::Bool(false));
        row.set(at("ContactId"), Cell::Null);
    }
    let contact = row.get(at("ContactId")).as_id();
    row.set(at("AccountId"), contact.and_then(|id| account_of(org, id)).map_or(Cell::Null, Cell::Id));
}

/// A contact makes a portal user, and a portal user has a contact, at an account whose owner has a role.
pub(crate) fn check_user(org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
    let contact_id = write.object.at("ContactId");
    let is = |field: usize| row.get(field).as_bool();
    let in_use = is(org.user_fields.is_active) || is(write.object.at(ENABLED));
    let same = |field: usize| write.before.is_some_and(|before| before.get(field) == row.get(field));
    if same(contact_id) && same(org.user_fields.profile) && !(in_use && row.get(contact_id).is_null()) {
        return Ok(());
    }
    let refuse = |code: &'static str, message: &str, fields: &[&str]| {
        Err(vec![Refusal::record(code, message, fields)])
    };
    let kind = row.get(org.user_fields.user_type).as_text().unwrap_or_default();
    let portal = PORTAL_TYPES.iter().find(|(name, _)| *name == kind);
    let (contact, has_role) = match (row.get(contact_id).as_id(), portal) {
        (None, None) => return Ok(()),
        (None, Some(_)) if !in_use || may_be_contactless(org, row) => return Ok(()),
        (None, Some(_)) => {
            return refuse(
                "FIELD_INTEGRITY_EXCEPTION",
                "Contact ID: a portal user needs a contact",
                &["ContactId"],
            );
        }
        (Some(_), None) => {
            let message = "Contact ID: only a user with a portal license has a contact";
            return refuse("FIELD_INTEGRITY_EXCEPTION", message, &["ContactId"]);
        }
        (Some(contact), Some((_, has_role))) => (contact, *has_role),
    };
    if user_of(org, contact).is_some_and(|user| user.get(0) != row.get(0)) {
        return refuse(
            "PORTAL_USER_ALREADY_EXISTS_FOR_CONTACT",
            "portal user already exists for contact",
            &[],
        );
    }
    let Some(account) = account_of(org, contact) else {
        let message = "Contact ID: the contact of a portal user needs an account";
        return refuse("FIELD_INTEGRITY_EXCEPTION", message, &["ContactId"]);
    };
    if has_role && org.switches.portal_account_owner_needs_role && !owner_has_role(org, account) {
        return refuse("UNKNOWN_EXCEPTION", "portal account owner must have a role", &[]);
    }
    Ok(())
}

/// The user who is this contact.
pub(crate) fn user_of(org: &Org, contact: Id) -> Option<&Row> {
    let users = org.table_of("User");
    let field = users.object.at("ContactId");
    if users.is_indexed(field) {
        return users.find_one(field, &Cell::Id(contact)).map(AsRef::as_ref);
    }
    users.iter().map(|(_, row)| row.as_ref()).find(|row| row.get(field).as_id() == Some(contact))
}

/// A contact that moves to another account takes its user along.
pub(crate) fn follow_contact(org: &mut Org, contact: Id, account: &Cell) {
    let Some(mut user) = user_of(org, contact).cloned() else { return };
    let object = std::sync::Arc::clone(&org.table_of("User").object);
    user.set(object.at("AccountId"), account.clone());
    org.replace(&object, user);
}

/// A contact with a portal user stays, whether or not he may log in.
pub(crate) fn check_contact_delete(org: &Org, contact: &Row) -> Result<(), Refusals> {
    let users = &org.table_of("User").object;
    let Some(user) = contact.get(0).as_id().and_then(|id| user_of(org, id)) else { return Ok(()) };
    if !user.get(users.at(ENABLED)).as_bool() {
        return Ok(());
    }
    let contacts = &org.table_of("Contact").object;
    let name = contact.get(contacts.at("Name")).as_text().unwrap_or_default();
    let user = user.get(org.user_fields.name).as_text().unwrap_or_default();
    let message = format!(
        "Your attempt to delete {name} could not be completed because it is associated with the following \
         portal users.: {user}\n"
    );
    Err(vec![Refusal::record("DELETE_FAILED", message, &[])])
}

fn account_of(org: &Org, contact: Id) -> Option<Id> {
    let contacts = org.table_of("Contact");
    contacts.get(contact)?.get(contacts.object.at("AccountId")).as_id()
}

fn owner_has_role(org: &Org, account: Id) -> bool {
    let accounts = org.table_of("Account");
    let owner = accounts.get(account).and_then(|row| row.get(accounts.object.at("OwnerId")).as_id());
    let owner = owner.and_then(|id| org.table_of("User").get(id));
    owner.is_some_and(|owner| !owner.get(org.user_fields.role).is_null())
}

fn may_be_contactless(org: &Org, user: &Row) -> bool {
    let profiles = org.table_of("Profile");
    let licences = org.table_of("UserLicense");
    let key = || {
        let profile = profiles.get(user.get(org.user_fields.profile).as_id()?)?;
        let licence = licences.get(profile.get(profiles.object.at("UserLicenseId")).as_id()?)?;
        Some(licence.get(licences.object.at("LicenseDefinitionKey")).as_text()?.starts_with(CONTACTLESS))
    };
    key().unwrap_or(false)
}
