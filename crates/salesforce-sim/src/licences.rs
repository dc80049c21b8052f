//! Licences: what a user license allows, and the seats of everything that is sold by the seat.

use std::sync::Arc;

use crate::{
    cell::{Cell, Row},
    errors::{Refusal, Refusals},
    ids::Id,
    org::Org,
};

/// Beginning of a licence's key, family, whether its users may have a role, the permissions that they
/// may be given; the longest beginning fits best. A licence without a line allows everything.
const KINDS: &str = include_str!("../data/licence_kinds.tsv");

/// What is sold by the seat: object, seats there are, seats in use.
const POOLS: [(&str, &str, &str); 3] = [
    ("UserLicense", "TotalLicenses", "UsedLicenses"),
    ("PermissionSetLicense", "TotalLicenses", "UsedLicenses"),
    ("PackageLicense", "AllowedLicenses", "UsedLicenses"),
];

/// What a site licence of a package has for its number: seats without end.
const UNLIMITED: i64 = -1;

/// What kind of users a user license makes.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// Only licences of one family can replace each other.
    pub(crate) family: &'static str,
    pub(crate) roles: bool,
    /// `None`: all of them.
    permissions: Option<&'static str>,
}

impl Kind {
    pub(crate) fn of(org: &Org, licence: Id) -> Self {
        let table = org.table_of("UserLicense");
        let key = table.get(licence).map(|row| row.get(table.object.at("LicenseDefinitionKey")).clone());
        let key = key.as_ref().and_then(Cell::as_text).unwrap_or_default();
        let kinds = KINDS.lines().filter_map(|line| {
            let mut columns = line.split('\t');
            Some((columns.next()?, columns.next()?, columns.next()?, columns.next()?))
        });
        let found =
            kinds.filter(|(prefix, ..)| key.starts_with(prefix)).max_by_key(|(prefix, ..)| prefix.len());
        match found {
            Some((_, family, roles, permissions)) => {
                Self { family, roles: roles == "Y", permissions: Some(permissions) }
            }
            None => Self { family: "internal", roles: true, permissions: None },
        }
    }

    /// Whether users of the licence may have `permission`, named without `Permissions`.
    pub(crate) fn allows(self, permission: &str) -> bool {
        self.permissions.is_none_or(|known| known.split(' ').any(|known| known == permission))
    }
}

fn pool(org: &Org, licence: Id) -> Option<(&Arc<Row>, usize, usize)> {
    let object = org.object_of(licence)?;
    let (_, total, used) = POOLS.iter().find(|(name, ..)| *name == object.name)?;
    Some((org.table(object).get(licence)?, object.at(total), object.at(used)))
}

/// Refuses when all seats are taken, or the licence is not for use at all.
pub(crate) fn check_seat(org: &Org, licence: Id) -> Result<(), Refusals> {
    let Some((row, total, used)) = pool(org, licence) else { return Ok(()) };
    let total = row.get(total).as_int();
    if total == UNLIMITED || row.get(used).as_int() < total {
        return Ok(());
    }
    Err(vec![Refusal::record("LICENSE_LIMIT_EXCEEDED", "License Limit Exceeded", &[])])
}

/// Adds to the seats in use.
pub(crate) fn count_seats(org: &mut Org, licence: Id, by: i64, now: i64) {
    let Some((row, _, used)) = pool(org, licence) else { return };
    let mut row = Row::clone(row);
    let Some(object) = org.object_of(licence).cloned() else { return };
    row.set(used, Cell::Int(row.get(used).as_int() + by));
    if let Some(updated) = object.field("UsedLicensesLastUpdated") {
        row.set(updated.index, Cell::Time(now));
    }
    org.replace(&object, row);
}

/// Sets the seats of a licence, known by its name: a user license's name, a permission set license's
/// API name, a package's namespace. `false` if there is none.
pub(crate) fn set_seats(org: &mut Org, name: &str, total: i64) -> bool {
    let by = [
        ("UserLicense", "Name"),
        ("PermissionSetLicense", "DeveloperName"),
        ("PackageLicense", "NamespacePrefix"),
    ];
    let found = by.iter().find_map(|(object, field)| {
        let table = org.table_of(object);
        table.find_one(table.object.at(field), &Cell::text(name))?.get(0).as_id()
    });
    let Some((row, at, _)) = found.and_then(|licence| pool(org, licence)) else { return false };
    let mut row = Row::clone(row);
    row.set(at, Cell::Int(total));
    if let Some(object) = found.and_then(|licence| org.object_of(licence)).cloned() {
        org.replace(&object, row);
    }
    true
}
