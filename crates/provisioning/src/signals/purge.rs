//! An account is gone for good: its User is deactivated, and what stands for the person as a Lead or a Contact goes as the mapping
//! says of those who leave.

use salesforce_types::Link;

use super::{
    Signalled, Whose, Work,
    find::{Found, People, Protection},
    lock_out::Place,
};
use crate::{Operation, ProvisionError};

/// What customers are in Salesforce.
const OF_CUSTOMERS: [&str; 2] = ["Lead", "Contact"];

impl Work<'_> {
    pub(super) async fn purge(&self) -> Result<Signalled, ProvisionError> {
        let users = match self.find().await? {
            Found::Users(users) => users,
            Found::Nobody => Vec::new(),
            Found::Several => return Ok(Signalled::Several),
        };
        if users.iter().any(|meant| meant.protected != Protection::None) {
            return Ok(Signalled::Protected);
        }
        let People::Are(people) = self.people().await? else { return Ok(Signalled::Several) };
        let mut customers = Vec::new();
        for whose in people {
            customers.extend(self.record_of(&whose).await?.map(|link| (whose, link)));
        }
        if users.is_empty() && customers.is_empty() {
            return Ok(Signalled::Nobody);
        }
        let mut notes = Vec::new();
        for meant in &users {
            match self.one(meant).await? {
                Signalled::Done(note) => notes.push(note),
                Signalled::Already(_) => {}
                other => return Ok(other),
            }
        }
        for (whose, link) in &customers {
            // It counts among those whom the source may lock out in an hour.
            if matches!(self.begin(&link.org, &link.record_id, self.signal.approved).await?, Place::TooMany) {
                return Ok(Signalled::TooMany);
            }
            let key = self.key(&link.org, &link.record_id);
            self.audit_one(whose, &[], "the identity goes", Vec::new()).await?;
            let note = match self.submit(whose, Operation::Delete).await {
                Ok(()) | Err(ProvisionError::NotFound { .. }) => "the identity is gone",
                // What is missing of it is kept, and done by itself.
                Err(ProvisionError::Partly { .. } | ProvisionError::NotAllGranted { .. }) => {
                    "the identity goes"
                }
                Err(error) => return Err(self.leave_off(&key, error).await?),
            };
            notes.push(note.to_owned());
            self.inner.store.end_lockout(&key, self.inner.clock.now()).await?;
        }
        Ok(Signalled::Done(notes.join("; ")))
    }

    /// The Lead or Contact of an identity.
    async fn record_of(&self, whose: &Whose) -> Result<Option<Link>, ProvisionError> {
        let links = self.inner.store.links(&whose.tenant, &whose.id).await?;
        Ok(links.into_iter().find(|link| OF_CUSTOMERS.contains(&link.object.as_str()) && !link.left))
    }
}
