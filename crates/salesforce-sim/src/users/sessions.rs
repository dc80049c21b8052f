//! `AuthSession`: the browser sessions that users have open. Those of the OAuth endpoints are apart.

use std::sync::Arc;

use crate::{
    cell::Cell,
    ids::Id,
    org::{Actor, Org},
    rows,
};

/// So many sessions that a user has opened in a browser.
pub(crate) fn open(org: &mut Org, user: Id, sessions: u32, actor: Actor) {
    for _ in 0..sessions {
        rows::add(org, "AuthSession", None, &[("UsersId", Cell::Id(user))], actor);
    }
}

/// Whoever is deactivated is out at once.
pub(super) fn end_all(org: &mut Org, user: Id) {
    let sessions = org.table_of("AuthSession");
    let object = Arc::clone(&sessions.object);
    let rows: Vec<Id> = sessions.referring("UsersId", user).filter_map(|row| row.get(0).as_id()).collect();
    for row in rows {
        org.remove(&object, row);
    }
}
