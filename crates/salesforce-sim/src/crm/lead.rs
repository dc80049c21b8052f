//! `Lead`: somebody who may become a customer. Converted, it is read-only.

use crate::{
    cell::{Cell, Row},
    crm::{addresses, assignment, duplicates, owners, people, record_types},
    errors::{Refusal, Refusals},
    org::Org,
    rules::{Rules, Write},
};

/// The rules of `Lead`.
pub(crate) struct Leads;

impl Rules for Leads {
    fn complete(&self, org: &mut Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
        let converted = write.object.at("IsConverted");
        if write.before.is_some_and(|before| before.get(converted).as_bool())
            && !org.switches.edit_converted_leads
        {
            return Err(vec![converted_lead()]);
        }
        if write.before.is_none() && row.get(converted).as_bool() && !org.switches.set_audit_fields {
            let message = "Unable to create/update fields: IsConverted. Please check the security settings of \
                this field and verify that it is read/write for your profile or permission set.";
            return Err(vec![Refusal::record("INVALID_FIELD_FOR_INSERT_UPDATE", message, &["IsConverted"])]);
        }
        people::complete_name(org, row, write.object);
        record_types::complete(org, row, write)?;
        assignment::complete(org, row, write)?;
        owners::complete(row, write);
        addresses::complete(row, write)?;
        // Reading a lead in the user interface clears it; a new owner has not read it.
        let owner = write.object.at("OwnerId");
        if write.before.is_some_and(|before| before.get(owner) != row.get(owner)) {
            row.set(write.object.at("IsUnreadByOwner"), Cell::Bool(true));
        }
        Ok(())
    }

    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        owners::check(org, row, write)?;
        duplicates::check(org, row, write)
    }
}

/// A lead that was converted can be read and deleted, not changed.
pub(crate) fn converted_lead() -> Refusal {
    Refusal::record("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", &[])
}
