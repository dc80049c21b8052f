//! Licences that are assigned by a row: permission set licences and the licences of packages. Their
//! seats are taken by active users alone.

use std::sync::Arc;

use super::{assignments::inactive, is_active};
use crate::{
    cell::Row,
    errors::{Refusal, Refusals},
    ids::Id,
    licences::{check_seat, count_seats},
    org::{Actor, Org},
    rules::{Rules, Write},
};

/// An object whose rows give a user a seat.
pub(super) struct Seats {
    object: &'static str,
    user: &'static str,
    licence: &'static str,
}

/// The rules of `PermissionSetLicenseAssign`.
pub(super) const PERMISSION_SET_LICENCES: Seats =
    Seats { object: "PermissionSetLicenseAssign", user: "AssigneeId", licence: "PermissionSetLicenseId" };

/// The rules of `UserPackageLicense`.
pub(super) const PACKAGES: Seats =
    Seats { object: "UserPackageLicense", user: "UserId", licence: "PackageLicenseId" };

impl Seats {
    fn of(&self, org: &Org, row: &Row) -> Option<(Id, Id)> {
        let object = &org.table_of(self.object).object;
        Some((object.get(row, self.user).as_id()?, object.get(row, self.licence).as_id()?))
    }

    /// The licences that a user has by rows of this object.
    fn held(&self, org: &Org, user: Id) -> Vec<Id> {
        let table = org.table_of(self.object);
        let rows = table.referring(self.user, user);
        rows.filter_map(|row| table.object.get(row, self.licence).as_id()).collect()
    }
}

impl Rules for Seats {
    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        let Some((user, licence)) = self.of(org, row) else { return Ok(()) };
        if write.before.is_some() {
            return Ok(());
        }
        if self.held(org, user).contains(&licence) {
            return Err(vec![Refusal::duplicate()]);
        }
        if !is_active(org, user) {
            return Err(vec![inactive(user, self.user)]);
        }
        check_seat(org, licence)
    }

    fn saved(&self, org: &mut Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        if let (None, Some((_, licence))) = (write.before, self.of(org, row)) {
            count_seats(org, licence, 1, write.actor.now);
        }
        Ok(())
    }

    /// A permission set licence stays while a set of the user needs it.
    fn check_delete(&self, org: &Org, row: &Row, _: Actor) -> Result<(), Refusals> {
        let Some((user, licence)) = self.of(org, row) else { return Ok(()) };
        let assignments = org.table_of("PermissionSetAssignment");
        let sets = org.table_of("PermissionSet");
        let needs = |assignment: &&Arc<Row>| {
            let set = assignments.object.get(assignment, "PermissionSetId").as_id();
            let set = set.and_then(|set| sets.get(set));
            set.is_some_and(|set| sets.object.get(set, "LicenseId").as_id() == Some(licence))
        };
        let needed = assignments.referring("AssigneeId", user).any(|row| needs(&row));
        if needed && org.switches.needed_licences_stay {
            let message = "The permission set license can't be removed while a permission set that requires it is \
                           assigned to the user";
            return Err(vec![Refusal::record("FIELD_INTEGRITY_EXCEPTION", message, &[])]);
        }
        Ok(())
    }

    fn deleted(&self, org: &mut Org, row: &Row, actor: Actor) {
        if let Some((user, licence)) = self.of(org, row)
            && is_active(org, user)
        {
            count_seats(org, licence, -1, actor.now);
        }
    }
}

/// Whether the seats that an inactive user gave up are free for him again.
pub(crate) fn check_reactivation(org: &Org, user: Id) -> Result<(), Refusals> {
    for seats in [&PERMISSION_SET_LICENCES, &PACKAGES] {
        for licence in seats.held(org, user) {
            check_seat(org, licence)?;
        }
    }
    Ok(())
}

/// Counts the seats of a user whose `IsActive` has changed in (`by` 1) or out (-1).
pub(crate) fn count_all(org: &mut Org, user: Id, by: i64, now: i64) {
    for seats in [&PERMISSION_SET_LICENCES, &PACKAGES] {
        for licence in seats.held(org, user) {
            count_seats(org, licence, by, now);
        }
    }
}
