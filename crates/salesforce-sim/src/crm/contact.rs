//! `Contact`: a person at an account, or without one: then only its owner and administrators see it.

use crate::{
    cell::Row,
    crm::{addresses, duplicates, owners, people, person_accounts, portal, record_types},
    errors::Refusals,
    org::{Actor, Org},
    rules::{Rules, Write},
};

/// The rules of `Contact`.
pub(crate) struct Contacts;

impl Rules for Contacts {
    fn complete(&self, org: &mut Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
        person_accounts::check_contact(row, write)?;
        people::complete_name(org, row, write.object);
        record_types::complete(org, row, write)?;
        owners::complete(row, write);
        addresses::complete(row, write)?;
        Ok(())
    }

    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        owners::check(org, row, write)?;
        duplicates::check(org, row, write)
    }

    fn saved(&self, org: &mut Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        let account = write.object.at("AccountId");
        let moved = write.before.is_some_and(|before| before.get(account) != row.get(account));
        if let Some(id) = row.get(0).as_id().filter(|_| moved) {
            portal::follow_contact(org, id, row.get(account));
        }
        Ok(())
    }

    fn check_delete(&self, org: &Org, row: &Row, _actor: Actor) -> Result<(), Refusals> {
        portal::check_contact_delete(org, row)
    }
}
