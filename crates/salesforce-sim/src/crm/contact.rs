//! `Contact`: a person at an account, or without one: then only its owner and administrators see it.

use crate::{
    cell::Row,
    crm::{duplicates, owners, people},
    errors::Refusals,
    org::Org,
    rules::{Rules, Write},
};

/// The rules of `Contact`.
pub(crate) struct Contacts;

impl Rules for Contacts {
    fn complete(&self, org: &mut Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
        people::complete_name(org, row, write.object);
        owners::complete(row, write);
        Ok(())
    }

    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        owners::check(org, row, write)?;
        duplicates::check(org, row, write)
    }
}
