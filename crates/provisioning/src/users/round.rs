//! What all decisions of a round rest on, and what can be told from it without asking anybody.

use std::collections::HashSet;

use model::{OrgName, TargetName};
use planning::{Aim, Course, Origin};
use salesforce_client::CallError;
use salesforce_types::{Given, Grant, Link, RecordId};
use scim_types::Resource;
use serde_json::Value;
use store::{GroupRef, StoredResource};
use translation::{FieldRefusal, Note, NoteCode, OnLeave, Reference, RefusalKind, Translation};

use super::{
    Progress, Stop,
    act::{Chosen, Stage},
    scene::Bound,
};
use crate::{ProvisionError, catalogue::PROFILE_PAUSE, lookup};

/// The resource before and after, as far as this change is concerned.
pub(super) struct Turnover {
    /// As recorded; of a create nothing.
    pub(super) stored: Option<StoredResource>,
    /// Its body.
    pub(super) current: Option<Resource>,
    /// What it becomes; `None`: it goes.
    pub(super) wanted: Option<Resource>,
    /// What rules and mappings see of that: with its groups, where they look at them.
    pub(super) seen: Option<Resource>,
    /// Its links, as recorded.
    pub(super) links: Vec<Link>,
    /// The rows of the ledger, as recorded.
    pub(super) grants: Vec<Grant>,
    /// The groups that it is a member of once this change is done.
    pub(super) groups: Vec<GroupRef>,
    /// Targets whose User is still to be deactivated, where nothing else shows that.
    pub(super) leaving: Vec<TargetName>,
    /// The texts by which the request asks for something, also for what was asked for before.
    pub(super) named: HashSet<String>,
    /// What the client has taken away and may not: it stays. By org and name.
    pub(super) kept: Vec<(OrgName, String)>,
}

impl Turnover {
    /// Whether a read shows an element with this value in a list.
    pub(super) fn shows(&self, list: &str, value: &str) -> bool {
        let shown = self.stored.as_ref().and_then(|stored| body_of(stored).ok());
        let elements = shown.as_ref().and_then(|shown| shown.get(list)?.as_array());
        elements
            .into_iter()
            .flatten()
            .any(|element| element.get("value").and_then(Value::as_str) == Some(value))
    }

    /// Whether the person may work. Where SCIM says nothing (any more), Salesforce is left as it is: removing `active` from
    /// somebody who was locked out, or is about to be, does not let them in.
    pub(super) fn is_active(&self, course: &Course<'_>) -> bool {
        let Some(wanted) = &self.wanted else { return false };
        let Aim::Hold(Origin::Linked(link)) = &course.aim else { return wanted.active() };
        match (wanted.get("active"), link.written.get("IsActive")) {
            (None, Some(written)) if !link.left => {
                let is_out = link.froze || self.leaving.contains(&link.target);
                written.as_bool().unwrap_or(true) && !is_out
            }
            _ => wanted.active(),
        }
    }

    /// What rules and mappings are to see of it.
    pub(super) fn see_groups(&mut self) {
        self.seen.clone_from(&self.wanted);
        if let Some(seen) = self.seen.as_mut().filter(|_| !self.groups.is_empty()) {
            let groups = self.groups.iter().map(GroupRef::element).collect();
            seen.as_map_mut().insert("groups".to_owned(), groups);
        }
    }
}

/// What all decisions of a round rest on.
pub(super) struct Round<'a> {
    pub(super) turnover: &'a Turnover,
    pub(super) bounds: &'a [Bound<'a>],
    /// The links as they are now.
    pub(super) links: &'a [Link],
    pub(super) courses: &'a [Course<'a>],
}

impl<'a> Round<'a> {
    /// Whether a User that is active is to be locked out.
    pub(super) fn locks_out(&self) -> bool {
        self.courses.iter().any(|course| {
            let (Aim::Leave(link) | Aim::Hold(Origin::Linked(link))) = &course.aim else { return false };
            let stays = matches!(course.aim, Aim::Hold(_))
                && (self.turnover.wanted.is_none() || self.turnover.is_active(course));
            let was_active = link.written.get("IsActive").and_then(Value::as_bool).unwrap_or(true);
            let is_frozen = link.froze && course.place.target.on_leave == OnLeave::Freeze;
            link.object == "User" && !link.left && was_active && !is_frozen && !stays
        })
    }

    /// Whether somebody is to be locked out by this round, and nothing else is to come before that.
    pub(super) fn is_locked_out_first(&self, progress: &Progress) -> bool {
        progress.rounds <= 1 && self.locks_out()
    }

    /// Whether another target that the identity holds refers to this one.
    pub(super) fn is_referred_to(&self, course: &Course<'_>) -> bool {
        let mut others = self.courses.iter();
        others.any(|other| other.place.target.own_links().any(|name| *name == course.place.target.name))
    }

    /// The target of a course.
    pub(super) fn bound(&self, course: &Course<'_>) -> Bound<'a> {
        let name = &course.place.target.name;
        *self.bounds.iter().find(|bound| bound.name() == name).expect("courses are made of these targets")
    }

    /// Whether the identity's lead of this org would become this contact, if the target did not say otherwise.
    pub(super) fn has_lead_to_convert(&self, bound: &Bound<'_>) -> bool {
        let leaves = |course: &Course<'_>| {
            let lead =
                matches!(&course.aim, Aim::Leave(link) if link.object == "Lead" && link.became.is_none());
            lead && course.place.org == bound.org.name()
        };
        bound.target.object == "Contact" && self.courses.iter().any(leaves)
    }

    /// What is said of a lead that leaves though it was converted by hand: nothing can be written into it, and what was to become of
    /// its values cannot be done to the contact unless that is the identity's.
    pub(super) fn stays_behind(&self, bound: &Bound<'_>, lead: &Link) -> Option<(model::TargetName, Note)> {
        let contact = lead.became.as_ref()?;
        let leaves_nothing =
            matches!(bound.target.on_leave, OnLeave::Delete | OnLeave::Flag | OnLeave::Anonymise);
        let is_own = self.links.iter().any(|link| link.org == lead.org && link.record_id == *contact);
        (!lead.left && leaves_nothing && !is_own).then(|| {
            let detail = format!(
                "somebody has converted the lead {} into the contact {contact}, and no target takes care of it: both are left as \
                 they are",
                lead.record_id
            );
            note(bound.name(), NoteCode::LeadConverted, &detail)
        })
    }

    pub(super) fn has_contact(&self, bound: &Bound<'_>) -> bool {
        self.courses.iter().any(|course| {
            let place = &course.place;
            place.org == bound.org.name()
                && place.target.object == "Contact"
                && matches!(course.aim, Aim::Hold(_))
        })
    }
}

/// Why something has to be done first, if it has: the record that this one refers to is not there yet, or a User of its own
/// still stands on a contact that is to go.
pub(super) fn waits(
    round: &Round<'_>,
    course: &Course<'_>,
    translation: Option<&Translation>,
    stage: &Stage,
    progress: &Progress,
) -> Result<Option<String>, Stop> {
    // A record that is there is written all the same, above all to lock somebody out; the field stays as it is.
    let translation = translation.filter(|_| !matches!(course.aim, Aim::Hold(Origin::Linked(_))));
    let own =
        translation.into_iter().flat_map(|translation| &translation.awaited).find_map(
            |awaited| match &awaited.reference {
                Reference::Own(target) => Some((target, &awaited.field)),
                _ => None,
            },
        );
    if let Some((target, field)) = own {
        let comes = round
            .courses
            .iter()
            .any(|other| other.place.target.name == *target && matches!(other.aim, Aim::Hold(_)));
        let failed = progress.failed.contains_key(target) || stage.came_to_nothing(target);
        let why = format!("the record of the target {target} is not there");
        return if !comes || failed { Err(refusal(field, why)) } else { Ok(Some(why)) };
    }
    let Aim::Leave(link) = &course.aim else { return Ok(None) };
    let stands_on_it = |chosen: &Chosen| {
        let user = round.links.iter().find(|user| user.target == chosen.target && user.object == "User");
        let contact = user.and_then(|user| user.written.get("ContactId")?.as_str());
        contact.and_then(|id| RecordId::parse(id).ok()).as_ref() == Some(&link.record_id)
    };
    let refers = |user: &&Link| {
        let contact = user.written.get("ContactId").and_then(Value::as_str);
        contact.and_then(|id| RecordId::parse(id).ok()).as_ref() == Some(&link.record_id)
    };
    if let Some(user) = round.links.iter().find(refers)
        && progress.failed.contains_key(&user.target)
    {
        return Err(refusal(
            "Id",
            format!("the User {} stands on this contact and has not left", user.record_id),
        ));
    }
    let stands = link.object == "Contact" && stage.chosen.iter().any(stands_on_it);
    Ok(stands.then(|| "its User is still there".to_owned()))
}

/// A target that was of another org or object has records there, and would forget them.
pub(super) fn check_place(bounds: &[Bound<'_>], link: &Link) -> Result<(), Stop> {
    let same_name = bounds.iter().find(|bound| *bound.name() == link.target);
    let moved =
        same_name.is_some_and(|bound| *bound.org.name() != link.org || bound.target.object != link.object);
    if !moved {
        return Ok(());
    }
    let Link { target, object, org, record_id, .. } = link;
    Err(ProvisionError::Misconfigured(format!(
        "the target {target} was a {object} of the org {org} before, and this identity has the record {record_id} there: give \
         the new target another name"
    ))
    .into())
}

pub(super) fn own_record(link: &Link) -> (model::OrgName, RecordId, model::TargetName) {
    (link.org.clone(), link.record_id.clone(), link.target.clone())
}

/// The record of a target that can be referred to.
pub(super) fn live(links: &[Link], target: &model::TargetName) -> Option<RecordId> {
    let mut links = links.iter();
    links.find(|link| link.target == *target && link.became.is_none()).map(|link| link.record_id.clone())
}

/// Whether a User that has grants was deactivated and is to work again.
pub(super) fn is_back(round: &Round<'_>, course: &Course<'_>) -> bool {
    let Aim::Hold(Origin::Linked(link)) = &course.aim else { return false };
    link.written.get("IsActive") == Some(&Value::Bool(false))
        && round.turnover.is_active(course)
        && round
            .turnover
            .grants
            .iter()
            .any(|grant| grant.org == link.org && matches!(grant.of.kind.given(), Given::Row(_)))
}

pub(super) fn note(target: &model::TargetName, code: NoteCode, detail: &str) -> (model::TargetName, Note) {
    let note =
        Note { code, field: String::new(), attribute: None, detail: format!("target {target}: {detail}") };
    (target.clone(), note)
}

pub(super) fn no_match(bound: &Bound<'_>) -> (model::TargetName, Note) {
    let (object, org) = (&bound.target.object, bound.org.name());
    let detail = format!("no {object} of the org {org} matches, and the target makes none");
    note(bound.name(), NoteCode::NoMatch, &detail)
}

/// Something in a field that the org would refuse.
pub(super) fn refusal(field: &str, detail: String) -> Stop {
    let refusal =
        FieldRefusal { field: field.to_owned(), attribute: None, detail, kind: RefusalKind::Malformed };
    ProvisionError::Untranslatable(vec![refusal]).into()
}

/// Where the hold of a name is: the same for every request that asks for it.
pub(super) fn hold_subject(tenant: &model::TenantId, turnover: &Turnover) -> String {
    let resource = turnover.wanted.as_ref().or(turnover.current.as_ref());
    let name = resource.and_then(Resource::user_name).unwrap_or_default();
    lookup::subject(tenant, name)
}

/// The stored body as a resource.
pub(crate) fn body_of(stored: &StoredResource) -> Result<Resource, ProvisionError> {
    serde_json::from_str(&stored.body).map_err(|error| {
        ProvisionError::Misconfigured(format!(
            "the stored {} {} cannot be read: {error}",
            stored.kind, stored.id
        ))
    })
}

/// A call that only reads has failed: nothing was changed by it.
pub(super) fn call_failed(error: CallError) -> Stop {
    match error {
        CallError::NotSent { why, retry_after } => Stop::Stalled { why, retry_after },
        CallError::Unknown { why } => Stop::Stalled { why, retry_after: None },
        CallError::Parked { why, advice } => {
            Stop::Stalled { why: format!("{why}: {advice}"), retry_after: Some(PROFILE_PAUSE) }
        }
        CallError::Refused(refusal) => {
            let rule = salesforce_types::errors::rule(&refusal.code, &refusal.message);
            if matches!(rule.retry, salesforce_types::Retry::Backoff | salesforce_types::Retry::BackoffLong) {
                return Stop::Stalled { why: rule.advice.to_owned(), retry_after: None };
            }
            Stop::Fail(ProvisionError::Misconfigured(format!(
                "Salesforce refused to be read ({}): {}",
                refusal.code, rule.advice
            )))
        }
    }
}
