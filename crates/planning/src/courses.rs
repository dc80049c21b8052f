//! Which records an identity is to have, and what becomes of those that it has: the moves between Lead, Contact and User.
//!
//! An identity has at most one record of an object in an org. It *holds* a target when the target's rule applies, or when a
//! target that it holds refers to it by `link`: an external User needs its Contact. What it has and holds no target for
//! leaves.

use model::{OrgName, ResourceId, TargetName};
use salesforce_types::{Link, RecordId};
use scim_types::Resource;
use translation::{Conversions, OnLeave, Target};

/// A target in its org.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The rule.
    pub target: &'a Target,
    /// The org it writes to.
    pub org: &'a OrgName,
    /// It is not configured any more: nobody holds it, and its records leave.
    pub removed: bool,
}

impl Place<'_> {
    fn is_beside(&self, link: &Link) -> bool {
        *self.org == link.org
    }

    fn takes(&self, link: &Link) -> bool {
        self.is_beside(link) && self.target.object.eq_ignore_ascii_case(&link.object)
    }

    /// Whether the record of another target can be this one's. A User is of the company or of a contact for good: its
    /// licence cannot be changed from one to the other, nor its `ContactId`.
    fn takes_over(&self, link: &Link) -> bool {
        const CONTACT: &str = "ContactId";
        self.takes(link)
            && (link.object != "User" || self.target.maps(CONTACT) == link.written.contains_key(CONTACT))
    }
}

/// What is to become of one record.
#[derive(Clone, Debug)]
pub struct Course<'a> {
    /// Through which target.
    pub place: Place<'a>,
    /// What.
    pub aim: Aim<'a>,
}

/// What is to become of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Aim<'a> {
    /// The identity holds the target, and this is where its record is to come from.
    Hold(Origin<'a>),
    /// The identity is gone from the target.
    Leave(&'a Link),
    /// Its lead has become a contact, which another target takes care of.
    Followed(&'a Link),
}

/// Where the record of a target comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin<'a> {
    /// It is there; the link may be another target's, whose record this one takes over.
    Linked(&'a Link),
    /// The identity's lead is converted into it.
    Lead(&'a Link),
    /// Salesforce says which one it is: the contact of a converted lead, or of the identity's portal user.
    Named(RecordId),
    /// It is looked for, and made where it is not found. With its external id.
    Unknown(String),
}

/// All courses of an identity.
#[derive(Clone, Debug, Default)]
pub struct Courses<'a> {
    /// In the order of the mapping, those that leave behind; a User leaves before its Contact.
    pub all: Vec<Course<'a>>,
    /// Targets that would apply, and the one that has the record of the same object instead.
    pub shadowed: Vec<(&'a TargetName, &'a TargetName)>,
}

/// Decides them. `user` is what the identity becomes; none: it goes. `links` are all that it has.
#[must_use]
pub fn courses<'a>(
    identity: &ResourceId,
    places: &[Place<'a>],
    user: Option<&Resource>,
    links: &'a [Link],
) -> Courses<'a> {
    let mut courses = Courses::default();
    let mut held = user.map(|user| holding(places, user)).unwrap_or_default();
    follow(places, links, &mut held);
    held.sort_unstable();
    // A target that another one refers to has the record, whatever stands before it in the file.
    let linked_to = |place: &Place<'_>| {
        let mut others = held.iter().map(|other| places[*other]);
        others.any(|other| other.target.own_links().any(|name| *name == place.target.name))
    };
    let mut in_turn: Vec<usize> = held.clone();
    in_turn.sort_by_key(|at| (!linked_to(&places[*at]), *at));
    let mut winners: Vec<usize> = Vec::new();
    for at in in_turn {
        let place = places[at];
        let same = |other: &&usize| {
            let other = places[**other];
            other.org == place.org && other.target.object == place.target.object
        };
        match winners.iter().find(same) {
            Some(winner) => courses.shadowed.push((&place.target.name, &places[*winner].target.name)),
            None => winners.push(at),
        }
    }
    winners.sort_unstable();
    for at in &winners {
        let aim = aim(identity, places, &winners, *at, links);
        courses.all.push(Course { place: places[*at], aim });
    }
    courses.all.extend(leaving(places, &courses.all, links));
    courses
}

/// The targets whose rule applies, and those that they refer to.
fn holding(places: &[Place<'_>], user: &Resource) -> Vec<usize> {
    let mut held: Vec<usize> =
        (0..places.len()).filter(|at| !places[*at].removed && places[*at].target.applies(user)).collect();
    let mut seen = 0;
    while let Some(at) = held.get(seen).copied() {
        for name in places[at].target.own_links() {
            let other = places.iter().position(|place| !place.removed && place.target.name == *name);
            held.extend(other.filter(|other| !held.contains(other)));
        }
        seen += 1;
    }
    held
}

/// A lead that somebody has converted by hand: the identity holds a Contact target of the same org instead.
fn follow(places: &[Place<'_>], links: &[Link], held: &mut Vec<usize>) {
    let followed: Vec<usize> =
        held.iter().copied().filter(|at| converted(&places[*at], links).is_some()).collect();
    for at in followed {
        let is_contact = |other: &usize| {
            let other = places[*other];
            !other.removed && other.org == places[at].org && other.target.object == "Contact"
        };
        if !held.iter().any(is_contact) {
            held.extend((0..places.len()).find(is_contact));
        }
    }
}

/// The lead of a target that the identity holds, if it was converted by hand.
fn converted<'a>(place: &Place<'_>, links: &'a [Link]) -> Option<&'a Link> {
    links.iter().find(|link| link.target == place.target.name && link.became.is_some() && !link.left)
}

fn aim<'a>(
    identity: &ResourceId,
    places: &[Place<'a>],
    held: &[usize],
    at: usize,
    links: &'a [Link],
) -> Aim<'a> {
    let place = places[at];
    if let Some(lead) = converted(&place, links) {
        return Aim::Followed(lead);
    }
    let live = |link: &&Link| place.takes(link) && link.became.is_none();
    let is_held = |link: &Link| held.iter().any(|other| places[*other].target.name == link.target);
    let own = links.iter().filter(live).find(|link| link.target == place.target.name);
    // The record of another target that the identity does not hold any more: it stays what it is.
    let others = || links.iter().filter(live).find(|link| !is_held(link) && place.takes_over(link));
    if let Some(link) = own.or_else(others) {
        return Aim::Hold(Origin::Linked(link));
    }
    if place.target.object == "Contact" {
        let leads = links.iter().filter(|link| place.is_beside(link) && link.object == "Lead");
        // What was made anonymous is nobody's lead any more.
        let is_anonymous = |lead: &Link| {
            let target =
                places.iter().find(|place| place.target.name == lead.target).map(|place| place.target);
            lead.left && target.is_some_and(|target| target.on_leave == OnLeave::Anonymise)
        };
        let to_convert = leads.clone().find(|lead| {
            place.target.allow.create && lead.became.is_none() && !is_held(lead) && !is_anonymous(lead)
        });
        if let (Some(lead), Conversions::Convert) = (to_convert, place.target.conversion.how) {
            return Aim::Hold(Origin::Lead(lead));
        }
        if let Some(contact) = leads.rev().find_map(|lead| lead.became.clone()) {
            return Aim::Hold(Origin::Named(contact));
        }
        let users = links.iter().filter(|link| place.is_beside(link) && link.object == "User");
        let mut contacts = users.filter_map(|user| user.written.get("ContactId")?.as_str());
        if let Some(contact) = contacts.find_map(|id| RecordId::parse(id).ok()) {
            return Aim::Hold(Origin::Named(contact));
        }
    }
    Aim::Hold(Origin::Unknown(external_id(identity, &place, links)))
}

/// The identity's id; after its lead was converted, which keeps the value, the next lead has `-2` behind it.
fn external_id(identity: &ResourceId, place: &Place<'_>, links: &[Link]) -> String {
    let number = |link: &Link| {
        let key = link.key.as_deref().unwrap_or_default();
        key.strip_prefix(identity.as_str())?.strip_prefix('-')?.parse::<u32>().ok()
    };
    let earlier = links.iter().filter(|link| place.takes(link) && link.became.is_some());
    match earlier.map(|link| number(link).unwrap_or(1)).max() {
        Some(last) => format!("{identity}-{}", last + 1),
        None => identity.to_string(),
    }
}

/// What the identity has and holds no target for. A link of a target that is not configured any more is left alone, unless
/// another target takes its record over.
fn leaving<'a>(places: &[Place<'a>], held: &[Course<'a>], links: &'a [Link]) -> Vec<Course<'a>> {
    let stays = |link: &Link| {
        held.iter().any(|course| match &course.aim {
            Aim::Hold(Origin::Linked(other) | Origin::Lead(other)) | Aim::Followed(other) => *other == link,
            Aim::Hold(Origin::Named(_) | Origin::Unknown(_)) | Aim::Leave(_) => {
                course.place.target.name == link.target
            }
        })
    };
    let mut leaving: Vec<Course<'a>> = links
        .iter()
        .filter(|link| !stays(link))
        .filter_map(|link| {
            let place = places.iter().find(|place| place.target.name == link.target && place.takes(link))?;
            Some(Course { place: *place, aim: Aim::Leave(link) })
        })
        .collect();
    leaving.sort_by_key(|course| course.place.target.object != "User");
    leaving
}
