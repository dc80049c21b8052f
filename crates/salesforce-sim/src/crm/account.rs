//! `Account`: a company.

use crate::{
    cell::Row,
    crm::{addresses, duplicates, owners, person_accounts, record_types},
    errors::Refusals,
    org::Org,
    rules::{Rules, Write},
};

/// The rules of `Account`.
pub(crate) struct Accounts;

impl Rules for Accounts {
    fn complete(&self, org: &mut Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
        person_accounts::complete_account(org, row, write)?;
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
        person_accounts::account_saved(org, row, write);
        Ok(())
    }
}
