//! What Salesforce shows of the records when somebody asks to bring them into agreement: what was changed by hand, what
//! waits for a confirmation, who is frozen.

use planning::{Frozen, same_value};
use salesforce_client::Purpose;
use salesforce_types::{Fields, Link};
use serde_json::Value;

use super::{
    Progress, Stop, UserChange,
    round::{Round, call_failed},
    scene::Bound,
};
use crate::Operation;

impl UserChange {
    /// Looks at the records once, where that is what was asked for. A task looks only at what waits for a confirmation.
    /// `true`: something is known better now.
    pub(super) async fn see(&self, round: &Round<'_>, progress: &mut Progress) -> Result<bool, Stop> {
        let is_task = matches!(self.request.operation, Operation::Attempt(_));
        let looks = is_task || self.request.operation == Operation::Resync;
        if !looks || std::mem::replace(&mut progress.has_seen, true) {
            return Ok(false);
        }
        let mut learnt = false;
        for link in round.links.iter().filter(|link| link.became.is_none() && !link.left) {
            let Some(bound) = round.bounds.iter().find(|bound| *bound.name() == link.target) else {
                continue;
            };
            if is_task && link.pending.is_empty() {
                continue;
            }
            match self.see_record(round, bound, link, is_task, progress).await {
                Ok(differs) => learnt |= differs,
                Err(stop) => self.target_failed(bound, stop, progress)?,
            }
        }
        Ok(learnt)
    }

    async fn see_record(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        link: &Link,
        is_task: bool,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let is_user = link.object == "User";
        let describe = bound.org.describe(&link.object).await.map_err(call_failed)?;
        let known = |name: &&str| describe.field(name).is_some();
        let mut fields: Vec<&str> = if is_task {
            link.pending.keys().map(String::as_str).collect()
        } else {
            bound.target.mapped_fields().filter(known).collect()
        };
        // What grants have written is looked at as what the mapping writes: a profile or a role may have been changed by hand.
        let granted = ["ProfileId", "UserRoleId"].into_iter();
        let granted = granted.filter(|name| is_user && !is_task && link.written.contains_key(*name));
        fields.extend(granted.filter(|name| !fields.contains(name)).collect::<Vec<_>>());
        fields.extend((is_user && !is_task).then_some("IsActive").filter(|name| !fields.contains(name)));
        fields.extend((link.object == "Lead").then_some("IsConverted"));
        let purpose = Purpose::read_back(&self.ticket);
        let row =
            bound.org.read(&link.object, &link.record_id, &fields, purpose).await.map_err(call_failed)?;
        let Some(row) = row.filter(|row| row.get("IsConverted") != Some(&Value::Bool(true))) else {
            return self.follow(round, bound, link.clone(), progress).await;
        };
        let mut seen = link.clone();
        for (field, actual) in row.iter().filter(|(field, _)| fields.contains(&field.as_str())) {
            match link.pending.get(field) {
                // It will be there when the person has confirmed it, and is not written again and again until then.
                Some(pending) if !same_value(field, actual, pending) => {}
                Some(_) => {
                    seen.pending.shift_remove(field);
                    seen.written.insert(field.clone(), actual.clone());
                }
                None if field == "IsConverted" => {}
                // What was never written is not ours to clear.
                None if !link.written.contains_key(field) => {}
                None => {
                    seen.written.insert(field.clone(), actual.clone());
                }
            }
        }
        if is_user && !is_task {
            let known = self.login_of(bound, &link.record_id).await?;
            // Somebody has let in whom Gangway had frozen, and may have frozen him again.
            seen.froze &= known == Frozen::ByGangway;
            seen.frozen = known != Frozen::No && !seen.froze;
        }
        let differs = seen != *link;
        seen.synced = Some(self.inner.clock.now());
        progress.land(seen);
        Ok(differs)
    }
}

/// What a person has to confirm first.
pub(super) fn waits_for_confirmation(links: &[Link]) -> impl Iterator<Item = (&Link, &Fields)> {
    links.iter().filter(|link| !link.left && !link.pending.is_empty()).map(|link| (link, &link.pending))
}
