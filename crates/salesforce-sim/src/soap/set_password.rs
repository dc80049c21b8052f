//! `setPassword` and `resetPassword`.

use super::{Call, Element, Fault};
use crate::{errors::Refusals, users::password};

pub(super) fn set(call: &mut Call) -> Result<Vec<Element>, Fault> {
    let user = call.operation.value("userId").unwrap_or_default();
    let chosen = call.operation.value("password").unwrap_or_default();
    password::set(call.org, user, chosen, call.actor).map_err(fault)?;
    Ok(vec![Element::new("result")])
}

pub(super) fn reset(call: &mut Call) -> Result<Vec<Element>, Fault> {
    let user = call.operation.value("userId").unwrap_or_default();
    let made = password::reset(call.org, user, call.actor).map_err(fault)?;
    Ok(vec![Element::new("result").with("password", made)])
}

/// A call about one user has one result: what is refused is a fault.
fn fault(refusals: Refusals) -> Fault {
    refusals.into_iter().next().map_or_else(|| Fault::new("UNKNOWN_EXCEPTION", ""), Fault::from)
}
