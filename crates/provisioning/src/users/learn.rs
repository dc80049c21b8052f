//! What a refusal teaches: the record was there already, the lead was converted, somebody has deleted it.

use planning::{Aim, LedgerChange, LedgerRow, MatchKey, Obstacle, Wanted};
use salesforce_client::Purpose;
use salesforce_types::{
    Fields, Given, GrantState, Link, Manner, Plan, PlannedStep, RecordId, Refusal, Step, StepOutcome,
};
use serde_json::Value;
use translation::{DuplicatePolicy, NoteCode, WhenDeleted};

use super::{
    Progress, Stop, UserChange,
    act::{Chosen, rename},
    grants::NotGranted,
    progress::Failure,
    round::{Round, call_failed, note},
    scene::Bound,
};
use crate::{ProvisionError, lookup};

/// A create that is refused as a duplicate is looked for so often: once for the one that was there before, once more for
/// our own that landed late.
const MAX_LOOKS: u32 = 2;
/// What Salesforce says of a record that is not what it was: converted, deleted, or merged into another.
const GONE: [&str; 4] =
    ["CANNOT_UPDATE_CONVERTED_LEAD", "ENTITY_IS_DELETED", "NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY"];
/// Fields of a User that no two may have the same of.
const UNIQUE_NAMES: [&str; 2] = ["Username", "FederationIdentifier"];
/// A duplicate rule that names the identity's own records is overruled so often. Where it blocks, it strikes until the other
/// record is gone, which may take a portal user to be switched off first.
const MAX_OVERRULED: u32 = 3;
/// Fields that make a circle of people.
const SUPERIORS: [&str; 2] = ["ManagerId", "ReportsToId"];

impl UserChange {
    /// Whether something was learnt, so that it is worth deciding again.
    pub(super) async fn learn(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        chosen: &Chosen,
        refusal: &Refusal,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        if let Some(learnt) = self.learn_of_lockout(chosen, refusal, progress) {
            return Ok(learnt);
        }
        match refusal.code.as_str() {
            "DUPLICATE_USERNAME" | "DUPLICATE_VALUE" | "CONFLICTING_SSO_USER_MAPPING" => {
                if self.free_names(round, bound, chosen, progress).await? {
                    return Ok(true);
                }
                if chosen.is_new {
                    self.look_for_the_duplicate(bound, chosen, progress).await
                } else {
                    Ok(false)
                }
            }
            // Nobody is a duplicate of himself.
            "DUPLICATES_DETECTED" if names_only_own(round, refusal, progress) => {
                let asked = progress.overruled.entry(bound.name().clone()).or_default();
                *asked += 1;
                Ok(*asked <= MAX_OVERRULED)
            }
            "DUPLICATES_DETECTED" if chosen.is_new && bound.target.duplicates == DuplicatePolicy::Adopt => {
                self.adopt_the_named(round, bound, refusal, progress).await
            }
            // A queue cannot own what is made of its lead.
            "INVALID_CROSS_REFERENCE_KEY" if is_ownerless(chosen) && !progress.owns_conversions => {
                progress.owns_conversions = true;
                Ok(true)
            }
            "INVALID_CROSS_REFERENCE_KEY" if bound.target.object == "User" => {
                self.goes_without_what_is_gone(round, bound, chosen, refusal, progress).await
            }
            "CIRCULAR_DEPENDENCY" => Ok(drop_superiors(bound, chosen, progress)),
            "DELETE_FAILED" | "DEPENDENCY_EXISTS" => {
                self.not_deleted(round, bound, chosen, refusal, progress).await
            }
            code if bound.target.object != "User" && (chosen.lead.is_some() || GONE.contains(&code)) => {
                self.what_became_of_it(round, bound, chosen, progress).await
            }
            _ => Ok(false),
        }
    }

    /// A profile or a role that was asked for is not in the org any more: it is refused, as other grants are, and the record is written
    /// without it. `false`: the refusal is about something else.
    async fn goes_without_what_is_gone(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        chosen: &Chosen,
        refusal: &Refusal,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let given = chosen.given.iter().filter(|one| matches!(one.of.kind.given(), Given::Field(_)));
        let given: Vec<&Wanted> = given.filter(|one| !progress.goes_without(bound, &one.of)).collect();
        if given.is_empty() {
            return Ok(false);
        }
        let (store, now) = (&*self.inner.store, self.inner.clock.now());
        let catalogue = self.inner.catalogue.after_a_loss(store, bound.org, now, self.accepted).await;
        let catalogue = catalogue.map_err(call_failed)?;
        let is_gone = |one: &&Wanted| {
            let is_named =
                one.of.field().is_some_and(|field| refusal.fields.iter().any(|named| named == field));
            is_named || catalogue.get(&one.of).is_none()
        };
        let gone: Vec<Wanted> = given.into_iter().filter(is_gone).cloned().collect();
        for one in &gone {
            let org = bound.org.name().clone();
            let attributes = vec!["entitlements".to_owned()];
            let error =
                ProvisionError::Refused { org: org.clone(), refusal: Box::new(refusal.clone()), attributes };
            let row = LedgerRow {
                of: one.of.clone(),
                name: one.name.clone(),
                state: GrantState::Refused,
                asked: one.asked.clone(),
                row: None,
                until: one.until,
                reason: Some(super::reason_of(&error)),
            };
            let known = progress.ledger_of(&round.turnover.grants, bound.name());
            self.note_grant(bound, &known, LedgerChange::Set(row), progress);
            let not = NotGranted { org, name: one.name.clone(), error };
            progress.not_granted.insert((bound.name().clone(), one.of.clone()), not);
        }
        Ok(!gone.is_empty())
    }

    async fn look_for_the_duplicate(
        &self,
        bound: &Bound<'_>,
        chosen: &Chosen,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        if progress.sight(bound.name()).looks >= MAX_LOOKS {
            return Ok(false);
        }
        let keys = super::read_back::keys_of(bound, &chosen.planned.step);
        self.look(bound, &keys, &[], Purpose::matching(&self.ticket), progress).await?;
        Ok(matches!(progress.found(bound.name()), planning::Found::Records(records) if !records.is_empty()))
    }

    /// `duplicates = "adopt"`: the one record that a rule of the org has found is the identity's.
    async fn adopt_the_named(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        refusal: &Refusal,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let describe = bound.org.describe(&bound.target.object).await.map_err(call_failed)?;
        let is_ours = |record: &&RecordId| describe.key_prefix.as_deref() == Some(record.prefix());
        let mut named: Vec<RecordId> = refusal.records.iter().filter(is_ours).cloned().collect();
        named.dedup();
        match named.as_slice() {
            [] => Ok(false),
            [one] if progress.named.get(bound.name()) == Some(one) => Ok(false),
            [one] => {
                progress.named.insert(bound.name().clone(), one.clone());
                Ok(true)
            }
            _ => {
                Err(self.hold(bound, round.turnover, Obstacle::Ambiguous(named), progress.dry).await?.into())
            }
        }
    }

    /// A record that cannot be deleted is kept, and a task tries again.
    async fn not_deleted(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        chosen: &Chosen,
        refusal: &Refusal,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let Step::Delete { id, .. } = &chosen.planned.step else { return Ok(false) };
        if self.switch_portal_off(round, bound, id, progress).await? {
            return Ok(true);
        }
        let detail = format!("Salesforce keeps the record {id}: {}", refusal.message);
        progress.said.push(note(bound.name(), NoteCode::DeleteBlocked, &detail));
        if round.turnover.wanted.is_none() {
            // The identity goes, and nobody would try again: a person shall see the record.
            self.hold_undeleted(bound, round.turnover, id).await?;
            progress.unlink(bound.name());
            return Ok(true);
        }
        let error = ProvisionError::Refused {
            org: bound.org.name().clone(),
            refusal: Box::new(refusal.clone()),
            attributes: Vec::new(),
        };
        let failure = Failure { error, is_tried_again: true, required: false };
        progress.failed.insert(bound.name().clone(), failure);
        Ok(true)
    }

    /// A contact cannot go while a portal user stands on it, even an inactive one: the identity's own User is switched off
    /// as a portal user, for good. It can never have a contact again, so it gives its names back for the User that the
    /// person may have one day.
    async fn switch_portal_off(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        contact: &RecordId,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let stands = |link: &&Link| {
            let on = link.written.get("ContactId").and_then(Value::as_str);
            link.object == "User"
                && link.org == *bound.org.name()
                && on.and_then(|id| RecordId::parse(id).ok()).as_ref() == Some(contact)
        };
        let Some(user) = round.links.iter().find(stands) else { return Ok(false) };
        let mut fields: Fields =
            ["IsPortalEnabled", "IsActive"].map(|field| (field.to_owned(), Value::Bool(false))).into();
        fields.extend(without_names(user));
        if !self.write_aside(round, bound, user, fields, "its contact is to be deleted", progress).await? {
            return Ok(false);
        }
        let detail =
            format!("the portal user {} is switched off for good, because its contact goes", user.record_id);
        progress.said.push(note(&user.target, NoteCode::PortalUserRetired, &detail));
        progress.unlink(&user.target);
        Ok(true)
    }

    /// The identity's former User, of another kind and inactive, still has the names that its new one needs.
    async fn free_names(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        chosen: &Chosen,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let wanted = chosen.planned.step.fields();
        let has = |link: &Link, field: &str| {
            let (Some(known), Some(wanted)) = (link.written.get(field), wanted.get(field)) else {
                return false;
            };
            !wanted.is_null() && planning::same_value(field, known, wanted)
        };
        let links = progress.links(&round.turnover.links);
        let namesake = links.iter().find(|link| {
            link.object == "User"
                && link.org == *bound.org.name()
                && link.target != *bound.name()
                && UNIQUE_NAMES.iter().any(|field| has(link, field))
        });
        let Some(user) = namesake else { return Ok(false) };
        let fields = without_names(user);
        self.write_aside(
            round,
            bound,
            user,
            fields,
            "the person has another User now, with these names",
            progress,
        )
        .await
    }

    /// Writes another record of the identity than the one that was to be written. `false`: Salesforce does not take it.
    async fn write_aside(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        user: &Link,
        fields: Fields,
        reason: &str,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let step = Step::Update {
            object: user.object.clone(),
            id: user.record_id.clone(),
            fields: fields.clone(),
            manner: Manner::default(),
        };
        let planned = PlannedStep {
            target: user.target.clone(),
            org: user.org.clone(),
            step: step.clone(),
            leading: false,
            reason: reason.to_owned(),
        };
        let plan = Plan { steps: vec![planned] };
        let landed = progress.link_writes(&round.turnover.links);
        self.open(Some(&plan), rename(round.turnover), &landed).await?;
        match bound.org.act(&[step], &self.ticket).await.into_iter().next() {
            Some(StepOutcome::Done { .. }) => {
                progress.note_written(&user.target, &fields);
                let mut user = user.clone();
                user.written.extend(fields);
                progress.land(user);
                Ok(true)
            }
            Some(StepOutcome::Unknown { .. }) => {
                progress.unsure.get_or_insert_with(Plan::default).steps.extend(plan.steps);
                progress.was_unsure = true;
                self.ticket.commit();
                Err(Stop::Again)
            }
            Some(StepOutcome::NotSent { why, retry_after }) => Err(Stop::Stalled { why, retry_after }),
            Some(StepOutcome::Refused(_) | StepOutcome::There) | None => Ok(false),
        }
    }

    /// A contact or a lead that was written before: it may have been converted or deleted by hand.
    async fn what_became_of_it(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        chosen: &Chosen,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let link = match &chosen.lead {
            Some(lead) => Some(lead),
            None => round.links.iter().find(|link| match &chosen.planned.step {
                Step::Update { id, .. } | Step::Delete { id, .. } => link.record_id == *id,
                _ => false,
            }),
        };
        let link = match (link, &chosen.planned.step) {
            (Some(link), _) => link.clone(),
            // The external id is on a lead that was converted, and the store knows nothing of it.
            (None, Step::Upsert { key, value, .. }) if chosen.object == "Lead" => {
                let key = MatchKey { field: key.clone(), value: Value::from(value.as_str()) };
                let rows = lookup::leads(bound.org, &key, Purpose::matching(&self.ticket)).await;
                let Some(lead) = rows.map_err(call_failed)?.into_iter().next() else { return Ok(false) };
                let link = Link::new(
                    bound.name().clone(),
                    bound.org.name().clone(),
                    "Lead".to_owned(),
                    lead,
                    Fields::new(),
                );
                Link { key: key.value.as_str().map(str::to_owned), ..link }
            }
            (None, _) => return Ok(false),
        };
        // What an upsert meets is a lead of an earlier time: the next one has another external id, unless that is the person's own.
        let is_past =
            matches!(chosen.planned.step, Step::Upsert { .. }) && bound.target.key_of_person().is_none();
        let followed = self.follow(round, bound, link, progress).await?;
        if let (true, Some(Some(link))) = (is_past && followed, progress.landed.get_mut(bound.name())) {
            link.left = true;
        }
        Ok(followed)
    }

    /// Reads what became of a contact or a lead. `false`: it is there, and as it was.
    pub(super) async fn follow(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        link: Link,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let fields: &[&str] =
            if link.object == "Lead" { &["Id", "IsConverted", "ConvertedContactId"] } else { &["Id"] };
        let purpose = Purpose::matching(&self.ticket);
        let row =
            bound.org.read(&link.object, &link.record_id, fields, purpose).await.map_err(call_failed)?;
        let Some(row) = row else { return self.deleted_by_hand(round, bound, link, progress).await };
        let contact = row.get("ConvertedContactId").and_then(Value::as_str);
        let contact = contact.and_then(|id| RecordId::parse(id).ok());
        if row.get("IsConverted") != Some(&Value::Bool(true)) || contact.is_none() || link.became.is_some() {
            return Ok(false);
        }
        // Converted while the identity holds its target: it is followed. Else it has left, as it was to.
        let held = |course: &&planning::Course<'_>| {
            course.place.target.name == link.target && !matches!(course.aim, Aim::Leave(_))
        };
        let left = !round.courses.iter().any(|course| held(&course));
        let link = Link { became: contact, ..link };
        progress.said.extend(round.stays_behind(bound, &link).filter(|_| left));
        progress.land(Link { left, ..link });
        Ok(true)
    }

    async fn deleted_by_hand(
        &self,
        round: &Round<'_>,
        bound: &Bound<'_>,
        link: Link,
        progress: &mut Progress,
    ) -> Result<bool, Stop> {
        let policy = round.bounds.iter().find(|bound| *bound.name() == link.target);
        let wanted = round
            .courses
            .iter()
            .any(|course| course.place.target.name == link.target && matches!(course.aim, Aim::Hold(_)));
        if wanted && policy.is_some_and(|policy| policy.target.when_deleted == WhenDeleted::Hold) {
            let obstacle = Obstacle::DeletedByHand(link.record_id);
            return Err(self.hold(bound, round.turnover, obstacle, progress.dry).await?.into());
        }
        let detail = format!("the {} {} was deleted in Salesforce", link.object, link.record_id);
        progress.said.push(note(&link.target, NoteCode::DeletedByHand, &detail));
        progress.unlink(&link.target);
        Ok(true)
    }
}

fn is_ownerless(chosen: &Chosen) -> bool {
    matches!(&chosen.planned.step, Step::Convert { conversion, .. } if conversion.owner.is_none())
}

/// Whether a duplicate rule has found nothing but other records of the identity: the contact beside the lead, or one that
/// is about to go.
fn names_only_own(round: &Round<'_>, refusal: &Refusal, progress: &Progress) -> bool {
    let now = progress.links(&round.turnover.links);
    let is_own = |record: &RecordId| {
        let mut links = round.links.iter().chain(&now);
        links.any(|link| link.record_id == *record || link.became.as_ref() == Some(record))
    };
    !refusal.records.is_empty() && refusal.records.iter().all(is_own)
}

/// What frees the names of a User that is not the person's any more: Salesforce keeps them taken for good otherwise.
fn without_names(user: &Link) -> Fields {
    const LONGEST_USERNAME: usize = 80;
    let mut fields = Fields::new();
    let id = user.record_id.as_str().to_lowercase();
    let username = user.written.get("Username").and_then(Value::as_str).unwrap_or_default();
    let renamed = format!("{username}.{id}");
    let is_long = username.is_empty() || renamed.len() > LONGEST_USERNAME;
    let renamed = if is_long { format!("{id}@left.invalid") } else { renamed };
    fields.insert("Username".to_owned(), Value::from(renamed));
    if user.written.get("FederationIdentifier").is_some_and(|value| !value.is_null()) {
        fields.insert("FederationIdentifier".to_owned(), Value::Null);
    }
    fields
}

/// Whether these are fields of a portal user who is switched off, and of no use to anybody any more.
pub(super) fn is_retired(fields: &Fields) -> bool {
    fields.get("IsPortalEnabled") == Some(&Value::Bool(false))
}

/// Somebody stands above himself: the field stays as it is.
fn drop_superiors(bound: &Bound<'_>, chosen: &Chosen, progress: &mut Progress) -> bool {
    let mut dropped = false;
    for field in SUPERIORS {
        let Some(value) = chosen.planned.step.fields().get(field).filter(|value| !value.is_null()) else {
            continue;
        };
        let known = progress.dropped.entry(bound.name().clone()).or_default();
        if known.insert(field.to_owned(), value.clone()).as_ref() != Some(value) {
            let detail = format!("`{field}` would make a circle of people, so it stays as it is");
            progress.said.push(note(bound.name(), NoteCode::ManagerCycle, &detail));
            dropped = true;
        }
    }
    dropped
}
