//! What two identities must not do at once: match the same record, or make one that the other would match.
//!
//! Between the org's commit and our own record of it a new record looks like one that was there before. So whoever has no
//! record yet waits for others who would match by the same value, and whoever adopts waits for others who adopt the same.

use model::{OrgName, ResourceKind, TargetName};
use planning::{Aim, Course, Found, LinkAfter, MatchKey, Origin};
use salesforce_types::RecordId;
use scim_types::filter::{Literal, Operator};
use scim_types::{Filter, Registry};
use serde_json::Value;
use store::{Query, Window};
use translation::{Desired, Target, Translation};

use super::{Progress, Stop, UserChange, act::Stage, round::Round, scene::Bound};
use crate::{ProvisionError, lookup, turns::Turn};

/// More identities than this that share an `externalId` are not looked at: the first of them has the record.
const NAMESAKES: u32 = 20;

/// Held until the change has ended.
#[derive(Debug, Default)]
pub(super) struct Claims {
    names: Vec<String>,
    /// One for each of the names.
    turns: Vec<Turn>,
    records: Vec<String>,
    record_turns: Vec<Turn>,
}

impl UserChange {
    /// Claims the values that records could be matched by, or made with, for all targets that have none yet.
    pub(super) async fn claim_keys(
        &self,
        round: &Round<'_>,
        translations: impl Iterator<Item = Option<&Translation>>,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let mut claimed = Vec::new();
        for (course, translation) in round.courses.iter().zip(translations) {
            let (Aim::Hold(Origin::Unknown(_)), Some(translation)) = (&course.aim, translation) else {
                continue;
            };
            let mut keys = planning::keys_of(&course.place.target.matching, translation);
            if let Some(Desired::Set(value)) = translation.fields.get("Username") {
                keys.push(MatchKey { field: "Username".to_owned(), value: value.clone() });
            }
            keys.extend(key_of_person(course.place.target, translation));
            claimed.push((round.bound(course), keys));
        }
        // What was claimed for a record that is made by now stays claimed until it is recorded.
        if claimed.is_empty() || progress.dry { Ok(()) } else { self.claim(claimed, progress).await }
    }

    /// Claims values. Where one of them is new, all are asked for again.
    pub(super) async fn claim(
        &self,
        claimed: Vec<(Bound<'_>, Vec<MatchKey>)>,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let name = |bound: &Bound<'_>, MatchKey { field, value }: &MatchKey| {
            let value = value.as_str().map_or_else(|| value.to_string(), scim_types::fold);
            format!("org {}/{}.{field}/{value}", bound.org.name(), bound.target.object)
        };
        let mut names: Vec<String> =
            claimed.iter().flat_map(|(bound, keys)| keys.iter().map(|key| name(bound, key))).collect();
        if names.iter().all(|name| progress.claims.names.contains(name)) {
            return Ok(());
        }
        // What this change has made already is still to be recorded.
        if progress.has_landed {
            names.extend(progress.claims.names.iter().cloned());
        }
        // One order for all, so that nobody waits in a circle.
        names.sort_unstable();
        names.dedup();
        progress.claims = Claims::default();
        // Who has to wait says so in the journal first: a namesake within the tenant is told at once.
        if self.is_create() && names.iter().any(|name| self.inner.turns.is_taken(name)) {
            self.open(None, None, &[]).await?;
        }
        for name in &names {
            let turn = self.inner.turns.enter(name.clone()).await;
            progress.claims.turns.push(turn);
        }
        progress.claims.names = names;
        self.still_wanted()
    }

    /// Claims the records that are about to be adopted, unless another identity was faster.
    pub(super) async fn claim_records(&self, stage: &Stage, progress: &mut Progress) -> Result<(), Stop> {
        let mut adopted: Vec<(&TargetName, &OrgName, &RecordId)> =
            stage.adopted.iter().map(|(link, _)| (&link.target, &link.org, &link.record_id)).collect();
        for chosen in stage.chosen.iter().filter(|chosen| chosen.is_new) {
            if let LinkAfter::There { record_id: Some(record), .. } = &chosen.after {
                adopted.push((&chosen.target, &chosen.planned.org, record));
            }
        }
        let mut names: Vec<String> =
            adopted.iter().map(|(_, org, record)| format!("org {org}/record/{record}")).collect();
        names.extend(progress.claims.records.iter().cloned());
        names.sort_unstable();
        names.dedup();
        if progress.claims.records == names {
            return Ok(());
        }
        progress.claims.record_turns.clear();
        progress.claims.records.clear();
        for name in &names {
            let turn = self.inner.turns.enter(name.clone()).await;
            progress.claims.record_turns.push(turn);
        }
        progress.claims.records = names;
        for (target, org, record) in adopted {
            let linked_to =
                lookup::linked_to(&*self.inner.store, &self.caller.tenant, &self.id, org, record).await?;
            if linked_to.is_some()
                && let Found::Records(records) = &mut progress.sight(target).found
                && let Some(found) = records.iter_mut().find(|found| found.id == *record)
            {
                found.linked_to = linked_to;
                return Err(Stop::Again);
            }
        }
        self.still_wanted()
    }

    /// Of two identities with one `externalId` the first has the record that is found by it. Salesforce would take the upsert
    /// of the second for a change of that record.
    pub(super) async fn refuse_taken_key(
        &self,
        course: &Course<'_>,
        translation: Option<&Translation>,
    ) -> Result<(), Stop> {
        let target = course.place.target;
        let is_unknown = matches!(course.aim, Aim::Hold(Origin::Unknown(_)));
        if !is_unknown || target.key_of_person() != Some(Some("externalId")) {
            return Ok(());
        }
        match translation.and_then(|translation| key_of_person(target, translation)) {
            Some(MatchKey { value: Value::String(value), .. })
                if self.is_anothers(&target.name, &value).await? =>
            {
                let taken = ProvisionError::Taken { kind: self.request.kind, attribute: "externalId" };
                Err(taken.into())
            }
            _ => Ok(()),
        }
    }

    /// Whether another identity with this `externalId` has a record of the target.
    async fn is_anothers(&self, target: &TargetName, external_id: &str) -> Result<bool, Stop> {
        let path = Registry::standard().user().find("externalId").expect("users have one");
        let value = Literal::Text(external_id.to_owned());
        let query = Query {
            kind: ResourceKind::User,
            filter: Some(Filter::Compare { path, op: Operator::Eq, value }),
            sort: None,
            window: Window::Index { offset: 0, count: NAMESAKES },
            with_members: false,
        };
        let page = self.inner.store.find(&self.caller.tenant, &query).await?;
        for other in page.resources.iter().filter(|other| other.id != self.id) {
            let links = self.inner.store.links(&self.caller.tenant, &other.id).await?;
            if links.iter().any(|link| link.target == *target && link.key.as_deref() == Some(external_id)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The caller may have gone while we waited.
    fn still_wanted(&self) -> Result<(), Stop> {
        if self.ticket.is_withdrawn() { Err(Stop::Withdrawn) } else { Ok(()) }
    }
}

/// The external id of a target whose records are found by a value of the person.
fn key_of_person(target: &Target, translation: &Translation) -> Option<MatchKey> {
    target.key_of_person()?;
    planning::keys_of(target.external_id.as_slice(), translation).into_iter().next()
}
