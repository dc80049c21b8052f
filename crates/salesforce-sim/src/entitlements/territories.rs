//! `UserTerritory2Association`: who works in which territory, in orgs that have territories.

use super::{assignments::inactive, is_active};
use crate::{
    cell::Row,
    errors::{Refusal, Refusals},
    org::Org,
    rules::{Rules, Write},
};

/// The rules of `UserTerritory2Association`.
pub(super) struct Associations;

impl Rules for Associations {
    fn check(&self, org: &Org, row: &Row, write: &Write<'_>) -> Result<(), Refusals> {
        let object = write.object;
        let id = |row: &Row, name: &str| object.get(row, name).as_id();
        let (None, Some(user), territory) = (write.before, id(row, "UserId"), id(row, "Territory2Id")) else {
            return Ok(());
        };
        if !is_active(org, user) {
            return Err(vec![inactive(user, "UserId")]);
        }
        let mut others = org.table(object).referring("UserId", user);
        if others.any(|other| id(other, "Territory2Id") == territory) {
            return Err(vec![Refusal::duplicate()]);
        }
        Ok(())
    }
}
