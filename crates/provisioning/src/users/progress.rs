//! What a change has learnt and done so far, from round to round.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use indexmap::IndexMap;
use model::{OrgName, TargetName};
use planning::{Found, Frozen};
use salesforce_types::{Assigned, Blocker, EntitlementRef, Fields, Grant, Link, Plan, RecordId, Refusal};
use store::{GrantWrite, LinkWrite};
use translation::Note;

use super::{claim::Claims, grants::NotGranted, scene::Scene};
use crate::ProvisionError;

/// What is known beyond the store.
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with each other")]
#[derive(Debug)]
pub(super) struct Progress {
    /// The configuration that it is decided by.
    pub(super) scene: Arc<Scene>,
    /// What was sent and may have landed: to be read back before anything else.
    pub(super) unsure: Option<Plan>,
    /// Whether a step has ever been sent whose end is not known.
    pub(super) was_unsure: bool,
    /// What looks into the orgs have found, by target.
    pub(super) sights: HashMap<TargetName, Sight>,
    /// Links that this change has made, changed or (`None`) taken away.
    pub(super) landed: IndexMap<TargetName, Option<Link>>,
    /// What this change has written, by target.
    pub(super) wrote: IndexMap<TargetName, Fields>,
    /// Whether anything of it has reached an org.
    pub(super) has_landed: bool,
    /// Whether it was begun by a process that has ended: what that one has done is in the links, and not known here.
    pub(super) is_resumed: bool,
    /// Targets that did not get there, and why.
    pub(super) failed: IndexMap<TargetName, Failure>,
    /// What was learnt on the way that a round of its own does not see any more.
    pub(super) said: Vec<(TargetName, Note)>,
    /// Fields that Salesforce does not take for a reason that no value can help: left as they are.
    pub(super) dropped: HashMap<TargetName, Fields>,
    /// Targets whose record only duplicates others of the identity itself: it is saved all the same. How often that was said.
    pub(super) overruled: HashMap<TargetName, u32>,
    /// Whether Users are frozen, as far as this change has learnt it.
    pub(super) frozen: HashMap<TargetName, Frozen>,
    /// What keeps Users active that are to be deactivated.
    pub(super) blocked: IndexMap<TargetName, Vec<Blocker>>,
    /// Records that Salesforce has named as the identity's.
    pub(super) named: HashMap<TargetName, RecordId>,
    /// Targets whose org does not have the record that an operator has named.
    pub(super) not_here: HashSet<TargetName>,
    /// The identity's records as they are now: org, record, target.
    pub(super) own_records: Vec<(OrgName, RecordId, TargetName)>,
    /// Leads are converted for the integration user: one that a queue owns needs an owner.
    pub(super) owns_conversions: bool,
    /// What this change has made of the ledger.
    pub(super) ledger: IndexMap<(TargetName, EntitlementRef), GrantWrite>,
    /// What the ledger did not know and was taken away, or has become Gangway's: it begins and ends with this change.
    pub(super) intruders: Vec<Grant>,
    /// What a User was seen to have in its org, by target.
    pub(super) actual: IndexMap<TargetName, (RecordId, Vec<Assigned>)>,
    /// Targets of whose User the profile, the role and the feature licences were held against the org.
    pub(super) fields_seen: HashSet<TargetName>,
    /// Targets of whose User the profile and the role were read before they were taken.
    pub(super) taken_seen: HashSet<TargetName>,
    /// Targets whose User was held against what it was given when it was another identity's.
    pub(super) former_seen: HashSet<TargetName>,
    /// Users of whom it must be seen what they have.
    pub(super) look_at_grants: HashSet<TargetName>,
    /// Targets whose record has become another, so that the ledger's rows of the old one are over.
    pub(super) forgotten: HashSet<TargetName>,
    /// Grants that Salesforce refuses, or that cannot be given.
    pub(super) not_granted: IndexMap<(TargetName, EntitlementRef), NotGranted>,
    /// What waits for a seat, and why; of a User itself its profile.
    pub(super) seats_awaited: Vec<(TargetName, EntitlementRef, String)>,
    /// What Salesforce has refused for want of a seat, and in which words: what needs it is refused for the same reason.
    pub(super) seats_refused: HashMap<(TargetName, EntitlementRef), Refusal>,
    /// Targets whose User Salesforce has refused for want of a seat, where none was thought to be missing.
    pub(super) seats_missed: HashSet<TargetName>,
    /// What no other identity may match or make meanwhile.
    pub(super) claims: Claims,
    /// How often the change was decided.
    pub(super) rounds: u32,
    /// Whether the records were looked at.
    pub(super) has_seen: bool,
    /// Nothing is done or kept: it is only asked what would be.
    pub(super) dry: bool,
}

/// What a look into the org has found for a target.
#[derive(Debug, Default)]
pub(super) struct Sight {
    pub(super) found: Found,
    /// The record whose id was looked for: what was looked for by other keys says nothing of it.
    pub(super) by_id: Option<RecordId>,
    /// How often it was looked.
    pub(super) looks: u32,
}

/// Why a target did not get there.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: ProvisionError,
    /// Whether it is tried again by itself.
    pub(super) is_tried_again: bool,
    pub(super) required: bool,
}

impl Progress {
    pub(super) fn new(scene: Arc<Scene>, unsure: Option<Plan>) -> Self {
        Self {
            scene,
            was_unsure: unsure.is_some(),
            unsure,
            sights: HashMap::new(),
            landed: IndexMap::new(),
            wrote: IndexMap::new(),
            has_landed: false,
            is_resumed: false,
            failed: IndexMap::new(),
            said: Vec::new(),
            dropped: HashMap::new(),
            overruled: HashMap::new(),
            frozen: HashMap::new(),
            blocked: IndexMap::new(),
            named: HashMap::new(),
            not_here: HashSet::new(),
            own_records: Vec::new(),
            owns_conversions: false,
            ledger: IndexMap::new(),
            intruders: Vec::new(),
            actual: IndexMap::new(),
            fields_seen: HashSet::new(),
            taken_seen: HashSet::new(),
            former_seen: HashSet::new(),
            look_at_grants: HashSet::new(),
            forgotten: HashSet::new(),
            not_granted: IndexMap::new(),
            seats_awaited: Vec::new(),
            seats_refused: HashMap::new(),
            seats_missed: HashSet::new(),
            claims: Claims::default(),
            rounds: 0,
            has_seen: false,
            dry: false,
        }
    }

    pub(super) fn sight(&mut self, target: &TargetName) -> &mut Sight {
        self.sights.entry(target.clone()).or_default()
    }

    pub(super) fn found(&self, target: &TargetName) -> &Found {
        self.sights.get(target).map_or(&Found::NotLooked, |sight| &sight.found)
    }

    /// Whether a look has told whether this record is there.
    pub(super) fn knows(&self, target: &TargetName, record: &RecordId) -> bool {
        let Some(sight) = self.sights.get(target) else { return false };
        let is_found = matches!(&sight.found, Found::Records(records) if records.iter().any(|found| found.id == *record));
        is_found || sight.by_id.as_ref() == Some(record)
    }

    /// The links as they are now: what is stored, and what this change has made of it.
    pub(super) fn links(&self, stored: &[Link]) -> Vec<Link> {
        let untouched = stored.iter().filter(|link| !self.landed.contains_key(&link.target)).cloned();
        untouched.chain(self.landed.values().flatten().cloned()).collect()
    }

    /// What is to be written of the links.
    pub(super) fn link_writes(&self, stored: &[Link]) -> Vec<LinkWrite> {
        let was = |target: &TargetName| stored.iter().find(|link| link.target == *target);
        let write = |(target, link): (&TargetName, &Option<Link>)| match (was(target), link) {
            (None, None) => None,
            (Some(was), Some(link)) if was == link => None,
            (_, Some(link)) => Some(LinkWrite::Set(link.clone())),
            (Some(_), None) => Some(LinkWrite::Remove(target.clone())),
        };
        self.landed.iter().filter_map(write).collect()
    }

    /// The link of a target as it is now.
    pub(super) fn land(&mut self, link: Link) {
        let link = self.with_access(link);
        self.landed.insert(link.target.clone(), Some(link));
    }

    /// The target has no record any more.
    pub(super) fn unlink(&mut self, target: &TargetName) {
        self.landed.insert(target.clone(), None);
    }

    /// What is known to be refused of a record, with what this change has learnt.
    pub(super) fn refused(&self, target: &TargetName, known: &Fields) -> Fields {
        let mut refused = known.clone();
        refused.extend(self.dropped.get(target).cloned().unwrap_or_default());
        refused
    }

    /// Something has reached the org.
    pub(super) fn note_written(&mut self, target: &TargetName, fields: &Fields) {
        self.has_landed = true;
        self.wrote.entry(target.clone()).or_default().extend(fields.clone());
        // What was seen in these fields is not there any more.
        if let Some((_, actual)) = self.actual.get_mut(target) {
            actual.retain(|assigned| !assigned.of.field().is_some_and(|field| fields.contains_key(field)));
        }
    }

    /// Whether this change has written a field of the record of a target.
    pub(super) fn has_written(&self, target: &TargetName, field: &str) -> bool {
        self.wrote.get(target).is_some_and(|fields| fields.contains_key(field))
    }

    /// After a pause the org and the configuration may be others: what parked an org is often corrected by the latter.
    pub(super) fn look_again(&mut self, scene: Option<Arc<Scene>>) {
        self.rounds = 0;
        self.sights.clear();
        self.actual.clear();
        self.fields_seen.clear();
        self.taken_seen.clear();
        self.seats_refused.clear();
        self.seats_missed.clear();
        self.failed.clear();
        self.blocked.clear();
        if let Some(scene) = scene {
            self.scene = scene;
        }
    }
}
