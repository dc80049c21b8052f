//! The moves between Lead, Contact and User: whatever a person was, he ends as what he is to be.

use model::{OrgName, ResourceId};
use planning::{Aim, Decision, Found, Frozen, Input, MatchKey, Origin, Place, courses, plan};
use proptest::prelude::*;
use salesforce_types::{Conversion, Fields, Link, ObjectDescription, RecordId, Step};
use scim_types::Resource;
use serde_json::{Value, json};
use translation::{Action, Context, Mapping, Reference, Resolved, Translation};

const MAPPING: &str = r#"
    [targets.leads]
    object = "Lead"
    when = 'user.userType == "Lead"'
    allow = ["create", "update", "delete"]
    on-leave = "delete"
    [targets.leads.fields]
    LastName = 'user.userName'
    Company = { default = "Acme" }

    [targets.customers]
    object = "Contact"
    when = 'user.userType == "Contact"'
    allow = ["create", "update", "delete"]
    on-leave = "delete"
    [targets.customers.fields]
    LastName = 'user.userName'

    [targets.partners]
    object = "User"
    when = 'user.userType == "Partner"'
    [targets.partners.fields]
    Username = 'user.userName'
    ContactId = { link = "customers", on = "create" }

    [targets.staff]
    object = "User"
    when = 'user.userType == "Staff"'
    [targets.staff.fields]
    Username = 'user.userName'

    [targets.agents]
    object = "User"
    when = 'user.userType == "Agent"'
    [targets.agents.fields]
    Username = 'user.userName'
"#;

/// What a person can be.
const KINDS: [&str; 6] = ["Lead", "Contact", "Partner", "Staff", "Agent", "Nobody"];

fn field(name: &str, kind: &str) -> Value {
    let (updateable, external) = (name != "ContactId", name == "GangwayId__c");
    json!({ "name": name, "type": kind, "length": 80, "nillable": true, "createable": true,
            "updateable": updateable, "externalId": external, "unique": external, "referenceTo": ["Contact"] })
}

fn describe(object: &str) -> ObjectDescription {
    let fields = match object {
        "User" => vec![field("Username", "string"), field("ContactId", "reference")],
        "Contact" => vec![field("LastName", "string"), field("GangwayId__c", "string")],
        _ => vec![field("LastName", "string"), field("Company", "string"), field("GangwayId__c", "string")],
    };
    serde_json::from_value(json!({ "name": object, "fields": fields })).expect("a describe")
}

/// An org as far as one person's records go.
#[derive(Default)]
struct World {
    links: Vec<Link>,
    /// Every record ever made, with its object; and what became of it.
    records: Vec<(RecordId, String, State)>,
    converted: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Live,
    Inactive,
    Gone,
}

impl World {
    fn make(&mut self, object: &str) -> RecordId {
        let prefix = match object {
            "User" => "005",
            "Contact" => "003",
            _ => "00Q",
        };
        let id = RecordId::parse(&format!("{prefix}{:012}", self.records.len() + 1)).expect("an id");
        self.records.push((id.clone(), object.to_owned(), State::Live));
        id
    }

    fn set(&mut self, id: &RecordId, state: State) {
        self.records.iter_mut().find(|record| record.0 == *id).expect("a record").2 = state;
    }

    fn live(&self, object: &str) -> usize {
        self.records.iter().filter(|(_, kind, state)| kind == object && *state == State::Live).count()
    }

    /// What Salesforce makes of a step; it refuses what it always refuses.
    fn carry_out(&mut self, step: &Step) -> RecordId {
        match step {
            Step::Create { object, .. } | Step::Upsert { object, .. } => self.make(object),
            Step::Update { id, fields, .. } => {
                let gone =
                    self.records.iter().any(|(record, _, state)| record == id && *state == State::Gone);
                assert!(!gone, "{id} is written and is gone");
                match fields.get("IsActive") {
                    Some(Value::Bool(true)) => self.set(id, State::Live),
                    Some(Value::Bool(false)) => self.set(id, State::Inactive),
                    _ => {}
                }
                id.clone()
            }
            Step::Delete { id, object } => {
                if object == "Contact" {
                    let on_it = |link: &&Link| link.written.get("ContactId") == Some(&json!(id.as_str()));
                    let user = self.links.iter().find(on_it).map(|link| link.record_id.clone());
                    let active = user.is_some_and(|user| {
                        self.records.iter().any(|(record, _, state)| *record == user && *state == State::Live)
                    });
                    assert!(!active, "a contact goes while its user is active");
                }
                self.set(id, State::Gone);
                id.clone()
            }
            Step::Freeze { user, .. } => user.clone(),
            Step::Convert { lead, .. } => {
                self.converted += 1;
                self.set(lead, State::Gone);
                self.make("Contact")
            }
        }
    }

    /// Rounds until nothing is left to do. Answers how many steps were taken.
    fn becomes(&mut self, mapping: &Mapping, kind: Option<&str>) -> usize {
        let mut steps = 0;
        for _ in 0..10 {
            match self.round(mapping, kind) {
                0 => return steps,
                more => steps += more,
            }
        }
        panic!("it never ends");
    }

    fn round(&mut self, mapping: &Mapping, kind: Option<&str>) -> usize {
        let (identity, org) = (ResourceId::from_text("ada"), OrgName::new("acme").expect("a name"));
        let user: Option<Resource> = kind.map(|kind| {
            let body = json!({ "userName": "ada@acme.example", "userType": kind, "active": true });
            serde_json::from_value(body).expect("a user")
        });
        let places: Vec<Place<'_>> =
            mapping.targets.iter().map(|target| Place { target, org: &org, removed: false }).collect();
        let links = self.links.clone();
        let courses = courses(&identity, &places, user.as_ref(), &links);
        let mut taken: Vec<(usize, planning::Steps)> = Vec::new();
        for (at, course) in courses.all.iter().enumerate() {
            let target = course.place.target;
            let describe = describe(&target.object);
            let translation = match (&course.aim, &user) {
                (Aim::Hold(origin), Some(user)) => Some(translated(target, user, &describe, origin, &links)),
                _ => None,
            };
            if translation.as_ref().is_some_and(|translation| !translation.awaited.is_empty()) {
                continue;
            }
            let leaves_later = matches!(&course.aim, Aim::Leave(link) if link.object == "Contact")
                && taken.iter().any(|(_, steps)| planning::takes_access_away(&steps.plan));
            if leaves_later {
                continue;
            }
            let decide = |found: &Found| {
                plan(&Input {
                    identity: &identity,
                    place: course.place,
                    describe: &describe,
                    aim: &course.aim,
                    translation: translation.as_ref(),
                    active: true,
                    frozen: Frozen::No,
                    blocked: false,
                    found,
                    profile: None,
                    conversion: Some(&Conversion::default()),
                    stripped: None,
                })
            };
            let decision = match decide(&Found::NotLooked) {
                Decision::LookUp(keys) => decide(&self.look(&keys)),
                decision => decision,
            };
            match decision {
                Decision::Steps(steps) => taken.push((at, steps)),
                Decision::Nothing => {}
                other => panic!("{other:?}"),
            }
        }
        let mut done = 0;
        for (at, steps) in taken {
            let course = &courses.all[at];
            let target = course.place.target;
            let id = steps.plan.steps.first().map(|planned| {
                done += 1;
                self.carry_out(&planned.step)
            });
            if let Aim::Hold(Origin::Linked(link)) = &course.aim {
                self.links.retain(|other| other.target != link.target);
            }
            if let (Aim::Hold(Origin::Lead(lead)), Some(id)) = (&course.aim, &id) {
                let lead = self.links.iter_mut().find(|link| link.target == lead.target).expect("the lead");
                (lead.became, lead.left) = (Some(id.clone()), true);
            }
            self.links.retain(|link| link.target != target.name);
            let link =
                steps.link.into_link(target.name.clone(), org.clone(), target.object.clone(), id.as_ref());
            self.links.extend(link);
        }
        done
    }

    fn look(&self, keys: &[MatchKey]) -> Found {
        let is_named =
            |id: &RecordId| keys.iter().any(|key| key.field == "Id" && key.value == json!(id.as_str()));
        let there = self.records.iter().filter(|(id, _, state)| is_named(id) && *state != State::Gone);
        Found::Records(
            there
                .map(|(id, ..)| planning::FoundRecord {
                    id: id.clone(),
                    actual: serde_json::Map::new(),
                    protected: false,
                    linked_to: None,
                })
                .collect(),
        )
    }
}

fn translated(
    target: &translation::Target,
    user: &Resource,
    describe: &ObjectDescription,
    origin: &Origin<'_>,
    links: &[Link],
) -> Translation {
    let mut resolved = Resolved::new();
    for reference in target.references(user) {
        let Reference::Own(own) = &reference else { continue };
        let link = links.iter().find(|link| link.target == *own && link.became.is_none());
        resolved.extend(link.map(|link| (reference.clone(), link.record_id.clone())));
    }
    let written: Option<&Fields> = match origin {
        Origin::Linked(link) => Some(&link.written),
        _ => None,
    };
    let action = if written.is_some() { Action::Update } else { Action::Create };
    let context = Context {
        describe,
        action,
        username_domain: None,
        written,
        resolved: &resolved,
        identity: Some("ada"),
    };
    target.translate(user, &context)
}

fn mapping() -> Mapping {
    Mapping::parse(MAPPING, "moves.toml").unwrap_or_else(|errors| panic!("{errors}"))
}

fn check(world: &World, kind: &str) -> Result<(), TestCaseError> {
    let expected = match kind {
        "Lead" => (1, 0, 0),
        "Contact" => (0, 1, 0),
        "Partner" => (0, 1, 1),
        "Staff" | "Agent" => (0, 0, 1),
        _ => (0, 0, 0),
    };
    let live = (world.live("Lead"), world.live("Contact"), world.live("User"));
    prop_assert_eq!(live, expected, "leads, contacts and users of a {}: {:?}", kind, world.records);
    Ok(())
}

proptest! {
    /// One live record of each kind that he is to have, and none of another; whatever came before.
    #[test]
    fn a_person_ends_as_what_he_is_to_be(kinds in prop::collection::vec(0..KINDS.len(), 1..8)) {
        let mapping = mapping();
        let mut world = World::default();
        for kind in kinds {
            world.becomes(&mapping, Some(KINDS[kind]));
            check(&world, KINDS[kind])?;
            prop_assert_eq!(world.becomes(&mapping, Some(KINDS[kind])), 0, "deciding after acting gives nothing to do");
        }
        world.becomes(&mapping, None);
        check(&world, "Nobody")?;
    }
}

fn after(kinds: &[&str]) -> World {
    let (mapping, mut world) = (mapping(), World::default());
    for kind in kinds {
        world.becomes(&mapping, Some(kind));
    }
    world
}

fn record(world: &World, target: &str) -> Option<RecordId> {
    let link = world.links.iter().find(|link| link.target.as_str() == target)?;
    Some(link.record_id.clone())
}

#[test]
fn a_lead_becomes_a_contact_by_conversion_and_is_followed_by_a_new_one_later() {
    let world = after(&["Lead", "Contact"]);
    assert_eq!(world.converted, 1);
    let back = after(&["Lead", "Contact", "Lead"]);
    assert_eq!(back.live("Lead"), 1);
    let lead = back.links.iter().find(|link| link.target.as_str() == "leads").expect("the lead");
    assert_eq!(lead.key.as_deref(), Some("ada-2"), "the converted one keeps its external id");
    assert_eq!(after(&["Lead", "Contact", "Lead", "Contact"]).converted, 2);
}

#[test]
fn an_external_user_stands_on_the_contact_that_the_lead_became() {
    let world = after(&["Lead", "Partner"]);
    assert_eq!(world.converted, 1);
    let user = world.links.iter().find(|link| link.target.as_str() == "partners").expect("the user");
    let contact = record(&world, "customers").expect("the contact");
    assert_eq!(user.written["ContactId"], contact.as_str());
}

#[test]
fn a_record_moves_between_targets_of_its_kind() {
    let (before, after) = (after(&["Staff", "Agent"]), after(&["Staff"]));
    assert_eq!(record(&before, "agents"), record(&after, "staff"));
    assert_eq!(record(&before, "staff"), None);
    assert_eq!(before.records.len(), 1);
}

#[test]
fn a_user_of_the_company_and_a_user_of_a_contact_are_two_records() {
    let world = after(&["Staff", "Partner"]);
    assert_ne!(record(&world, "partners"), record(&world, "staff"));
    assert_eq!(world.live("User"), 1);
}

#[test]
fn who_comes_back_has_the_user_he_had() {
    let world = after(&["Staff", "Lead", "Staff"]);
    assert_eq!(world.records.iter().filter(|(_, object, _)| object == "User").count(), 1);
}
