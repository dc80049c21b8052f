//! Finishing what a crash or a stop has left open.

use std::sync::Arc;

use model::ResourceKind;
use store::{OpenChange, StoreError};

use crate::{Caller, Request, groups::GroupChange, provisioner::Inner, users::UserChange};

/// Gives every open change its place in the queue, oldest first, and works on them in the background.
pub(crate) async fn take_up(inner: &Arc<Inner>) -> Result<usize, StoreError> {
    let mut taken_up = 0;
    let mut open_changes = inner.store.open_changes(None).await?;
    // What a group's change has begun for its members has its turn before the group's change begins it again.
    open_changes.sort_by_key(|open| open.change.kind);
    for open in open_changes {
        // A request that came in between the start and now is being worked on already.
        if inner.is_running(&open.change.id) {
            continue;
        }
        let id = open.change.id.clone();
        match take_up_one(inner, open) {
            Ok(()) => taken_up += 1,
            // Left open on purpose: a later version, or a corrected configuration, may know what to do with it.
            Err(why) => tracing::error!(change.id = %id, %why, "an open change cannot be taken up"),
        }
    }
    if taken_up > 0 {
        tracing::info!(changes = taken_up, "open changes are taken up");
    }
    Ok(taken_up)
}

fn take_up_one(inner: &Arc<Inner>, open: OpenChange) -> Result<(), String> {
    let request: Request = serde_json::from_value(open.request.clone()).map_err(|error| error.to_string())?;
    let caller = Caller { tenant: open.change.tenant.clone(), client: open.change.client.clone() };
    match open.change.kind {
        ResourceKind::User => {
            UserChange::resume(inner, &caller, request, open).map_err(|error| error.to_string())
        }
        ResourceKind::Group => {
            GroupChange::resume(inner, &caller, request, open).map_err(|error| error.to_string())
        }
    }
}
