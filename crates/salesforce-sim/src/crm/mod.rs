//! Customers and prospects: `Account`, `Contact`, `Lead`, `Case`, `Opportunity`, `Task`, `Individual`.

mod account;
pub(crate) mod addresses;
pub(crate) mod assignment;
mod contact;
pub(crate) mod convert;
pub(crate) mod duplicates;
mod lead;
pub(crate) mod lead_status;
mod opportunity;
mod owners;
mod people;
mod person_accounts;
pub(crate) mod portal;
pub(crate) mod record_types;

pub(crate) use account::Accounts;
pub(crate) use contact::Contacts;
pub(crate) use lead::Leads;
pub(crate) use opportunity::Opportunities;

use std::collections::HashMap;

use crate::{
    cell::{Cell, Row},
    errors::Refusals,
    ids::Id,
    org::Org,
    rules::{Rules, Write},
};

/// What the org file says about customers that no record tells.
#[derive(Default)]
pub(crate) struct Settings {
    /// The steps of each `AssignmentRule`.
    pub(crate) assignment: HashMap<Id, Vec<assignment::Step>>,
    /// Field of Lead, object, its field: the org's own mapping, beside the standard one.
    pub(crate) lead_mapping: Vec<(String, String, String)>,
    /// For whom each `RecordType` is.
    pub(crate) record_types: HashMap<Id, record_types::Assigned>,
    /// The lead that is being converted.
    pub(crate) converting: Option<Id>,
}

/// The rules of `Case`.
pub(crate) struct Cases;

impl Rules for Cases {
    fn complete(&self, org: &mut Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
        if write.before.is_none() {
            org.count("cases", 1);
            let number = Cell::text(&format!("{:08}", 1_000 + org.counter("cases")));
            row.set(write.object.at("CaseNumber"), number);
        }
        let closed = row.get(write.object.at("Status")).as_text() == Some("Closed");
        row.set(write.object.at("IsClosed"), Cell::Bool(closed));
        record_types::complete(org, row, write)?;
        assignment::complete(org, row, write)?;
        owners::complete(row, write);
        Ok(())
    }

    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        owners::check(org, row, write)
    }
}

/// The rules of `Task`, something that somebody has to do.
pub(crate) struct Tasks;

impl Rules for Tasks {
    fn complete(&self, _org: &mut Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
        let text = |name: &str| row.get(write.object.at(name)).as_text();
        let (closed, urgent) = (text("Status") == Some("Completed"), text("Priority") == Some("High"));
        row.set(write.object.at("IsClosed"), Cell::Bool(closed));
        row.set(write.object.at("IsHighPriority"), Cell::Bool(urgent));
        owners::complete(row, write);
        Ok(())
    }

    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        owners::check(org, row, write)
    }
}

/// The rules of `Individual`, the person behind contacts and leads.
pub(crate) struct Individuals;

impl Rules for Individuals {
    fn complete(&self, org: &mut Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
        people::complete_name(org, row, write.object);
        owners::complete(row, write);
        Ok(())
    }

    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        owners::check(org, row, write)
    }
}

/// The rules of records that have an owner and nothing else of their own.
pub(crate) struct Owned;

impl Rules for Owned {
    fn complete(&self, _org: &mut Org, row: &mut Row, write: &Write<'_>) -> Result<(), Refusals> {
        owners::complete(row, write);
        Ok(())
    }

    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        owners::check(org, row, write)
    }
}
