//! Fields that point to other records: of the same person, of another identity, a queue, or by an external id.

use model::TargetName;
use salesforce_types::{Fields, ObjectDescription, RecordId};
use serde_json::{Value, json};
use translation::{
    Action, Awaited, Context, Desired, Mapping, Reference, RefusalKind, Resolved, Target, Translation,
};

use crate::org::{notes, shown, user};

const MAPPING: &str = r#"
    [targets.customers]
    object = "Contact"
    record-type = "Partner"
    [targets.customers.fields]
    LastName  = 'user.name.familyName'
    ReportsToId = { from = 'manager.value', link = "customers" }
    Account   = { by = "ExtId__c", value = 'user.organization' }
    Title     = 'user.title'
    HasOptedOutOfEmail = 'not user.nickName'
    LeadSource = { default = "Web" }

    [targets.leads]
    object = "Lead"
    [targets.leads.fields]
    LastName  = 'user.name.familyName'
    Company   = { value = 'user.organization', default = "Unknown" }
    OwnerId   = { queue = true, value = 'user.userType', map = { Partner = "Partner Leads", Press = "Press" }, default = "All Leads" }

    [targets.partners]
    object = "User"
    [targets.partners.fields]
    LastName  = 'user.name.familyName'
    ContactId = { link = "customers" }
    ManagerId = { from = 'manager.value', link = "partners" }
    Owner     = { by = "Username", value = 'user.title' }
    Thing     = { by = "ExtId__c", value = 'user.nickName' }
"#;

const ADA: &str = "0035f000005mc66AAA";
const GRACE: &str = "0055f000005mc66AAA";
const QUEUE: &str = "00G5f000005mc66EAA";

fn object(name: &str) -> ObjectDescription {
    let field = |name: &str, kind: &str, more: Value| {
        let mut field = json!({"name": name, "type": kind, "length": 80, "nillable": name != "LastName" && name != "Company",
            "createable": true, "updateable": true});
        for (key, value) in more.as_object().expect("an object") {
            field[key] = value.clone();
        }
        field
    };
    let points = |name: &str, relationship: &str, to: &[&str]| {
        field(name, "reference", json!({"length": 18, "relationshipName": relationship, "referenceTo": to}))
    };
    let mut contact_id = points("ContactId", "Contact", &["Contact"]);
    contact_id["updateable"] = json!(false);
    let mut owner = points("OwnerId", "Owner", &["Group", "User"]);
    owner["defaultedOnCreate"] = json!(true);
    serde_json::from_value(json!({
        "name": name,
        "fields": [
            field("LastName", "string", json!({})),
            field("Company", "string", json!({"defaultedOnCreate": true})),
            field("Title", "string", json!({})),
            field("LeadSource", "picklist", json!({})),
            field("HasOptedOutOfEmail", "boolean", json!({"nillable": false, "defaultedOnCreate": true})),
            field("RecordTypeId", "reference", json!({"length": 18, "referenceTo": ["RecordType"]})),
            points("ReportsToId", "ReportsTo", &["Contact"]),
            points("AccountId", "Account", &["Account"]),
            points("ManagerId", "Manager", &["User"]),
            points("ThingId", "Thing", &["Thing__c", "Other__c"]),
            contact_id,
            owner,
        ],
        "recordTypeInfos": [
            {"recordTypeId": "0125f000000LpQbAAK", "name": "Partners", "developerName": "Partner", "available": true},
            {"recordTypeId": "0125f000000LpQcAAK", "name": "Secret", "developerName": "Secret", "available": false},
        ],
    }))
    .expect("a describe")
}

struct World {
    target: Target,
    object: ObjectDescription,
    resolved: Resolved,
}

impl World {
    fn of(target: &str) -> Self {
        Self::with(target, MAPPING)
    }

    fn with(target: &str, mapping: &str) -> Self {
        let mapping = Mapping::parse(mapping, "test.toml").unwrap_or_else(|errors| panic!("{errors}"));
        let target = mapping.targets.into_iter().find(|it| it.name.as_str() == target).expect("a target");
        let object = object(&target.object);
        Self { target, object, resolved: Resolved::new() }
    }

    fn knowing(mut self, reference: Reference, record: &str) -> Self {
        self.resolved.insert(reference, RecordId::parse(record).expect("an id"));
        self
    }

    fn translate(&self, body: Value, written: Option<Value>) -> Translation {
        let written: Option<Fields> = written.map(|it| serde_json::from_value(it).expect("an object"));
        let context = Context {
            describe: &self.object,
            action: if written.is_some() { Action::Update } else { Action::Create },
            username_domain: None,
            written: written.as_ref(),
            resolved: &self.resolved,
            identity: Some("ada-1"),
        };
        self.target.translate(&user(body), &context)
    }
}

fn person(more: &Value) -> Value {
    let mut body = json!({"userName": "u", "name": {"familyName": "King"}});
    for (key, value) in more.as_object().expect("an object") {
        body[key] = value.clone();
    }
    body
}

fn target(name: &str) -> TargetName {
    TargetName::new(name).expect("a name")
}

fn own(name: &str) -> Reference {
    Reference::Own(target(name))
}

fn identity(name: &str, id: &str) -> Reference {
    Reference::Identity { target: target(name), id: id.to_owned() }
}

fn queue(name: &str) -> Reference {
    Reference::Queue(name.to_owned())
}

#[test]
fn a_target_says_what_has_to_be_looked_up_for_a_person() {
    let boss = user(person(&json!({"manager": {"value": "grace-1"}, "userType": "Press"})));
    let nobody = user(person(&json!({})));
    let references = |target: &str, user| World::of(target).target.references(user);
    assert_eq!(references("customers", &boss), [identity("customers", "grace-1")]);
    assert_eq!(references("partners", &boss), [own("customers"), identity("partners", "grace-1")]);
    assert_eq!(references("leads", &boss), [queue("Press")]);
    assert_eq!(references("customers", &nobody), []);
    assert_eq!(references("partners", &nobody), [own("customers")]);
    assert_eq!(references("leads", &nobody), [queue("All Leads")]);
}

#[test]
fn what_is_known_is_written_and_what_is_not_is_left_alone() {
    let boss = || person(&json!({"manager": {"value": "grace-1"}}));
    let known =
        World::of("partners").knowing(own("customers"), ADA).knowing(identity("partners", "grace-1"), GRACE);
    let translation = known.translate(boss(), None);
    assert_eq!(translation.refusals, []);
    assert_eq!(shown(&translation)["ContactId"], ADA);
    assert_eq!(shown(&translation)["ManagerId"], GRACE);
    assert_eq!(translation.awaited, []);

    let waiting = World::of("partners").knowing(own("customers"), ADA).translate(boss(), None);
    assert_eq!(waiting.fields.get("ManagerId"), None);
    let awaited = Awaited { field: "ManagerId".to_owned(), reference: identity("partners", "grace-1") };
    assert_eq!(waiting.awaited, [awaited]);
    assert_eq!(notes(&waiting), [("ManagerId".to_owned(), "record-awaited")]);
    assert_eq!(waiting.refusals, []);
}

#[test]
fn a_manager_who_goes_is_emptied_and_nobody_is_his_own() {
    let world =
        World::of("partners").knowing(own("customers"), ADA).knowing(identity("partners", "ada-1"), GRACE);
    let written = json!({"LastName": "King", "ContactId": ADA, "ManagerId": GRACE});
    let gone = world.translate(person(&json!({})), Some(written.clone()));
    assert_eq!(gone.fields.get("ManagerId"), Some(&Desired::Clear));
    let own_manager = world.translate(person(&json!({"manager": {"value": "ada-1"}})), Some(written));
    assert_eq!(own_manager.fields.get("ManagerId"), Some(&Desired::Clear));
    assert_eq!(notes(&own_manager), [("ManagerId".to_owned(), "manager-cycle")]);
    assert_eq!(own_manager.awaited, []);
}

/// Salesforce never moves a User to another Contact; that is no reason to refuse everything else about him.
#[test]
fn a_contact_that_cannot_be_changed_is_kept() {
    let world = World::of("partners").knowing(own("customers"), ADA);
    let same = world.translate(person(&json!({})), Some(json!({"ContactId": ADA})));
    assert_eq!((same.refusals.len(), same.notes.len()), (0, 0));
    let other = world.translate(person(&json!({})), Some(json!({"ContactId": "0035f000005mc67AAA"})));
    assert_eq!((other.refusals.len(), other.fields.get("ContactId")), (0, None));
    assert_eq!(notes(&other), [("ContactId".to_owned(), "value-kept")]);
}

#[test]
fn a_queue_is_found_by_its_name_and_owns_what_gangway_made() {
    let world = World::of("leads").knowing(queue("All Leads"), QUEUE).knowing(queue("Partner Leads"), QUEUE);
    assert_eq!(shown(&world.translate(person(&json!({})), None))["OwnerId"], QUEUE);
    assert_eq!(shown(&world.translate(person(&json!({"userType": "Partner"})), None))["OwnerId"], QUEUE);
    let unknown = world.translate(person(&json!({"userType": "Nobody"})), None);
    assert_eq!(notes(&unknown), [("OwnerId".to_owned(), "value-defaulted")]);
    let missing = world.translate(person(&json!({"userType": "Press"})), None);
    assert_eq!(missing.awaited[0].reference, queue("Press"));
    let adopted = world.translate(person(&json!({})), Some(json!({})));
    assert_eq!(adopted.fields.get("OwnerId"), None, "a default takes no record from its owner");
    let sent = world.translate(person(&json!({"userType": "Partner"})), Some(json!({})));
    assert_eq!(shown(&sent)["OwnerId"], QUEUE, "what was sent does");
}

#[test]
fn a_relationship_is_written_by_an_external_id() {
    let world = World::of("customers");
    let translation = world.translate(person(&json!({"organization": "42"})), None);
    assert_eq!(shown(&translation)["Account"], json!({"ExtId__c": "42"}));
    let written = json!({"Account": {"ExtId__c": "42"}});
    let gone = world.translate(person(&json!({})), Some(written));
    assert_eq!(gone.fields.get("Account"), Some(&Desired::Clear), "by the name by which it was written");
    assert!(
        world.target.mapped_fields().all(|field| field != "Account"),
        "it cannot be queried by that name"
    );

    let partners = World::of("partners").knowing(own("customers"), ADA);
    let owned = partners.translate(person(&json!({"title": "ada@acme.example"})), None);
    let expected = json!({"attributes": {"type": "User"}, "Username": "ada@acme.example"});
    assert_eq!(shown(&owned)["Owner"], expected, "where several objects are possible it says which");
    let unclear = partners.translate(person(&json!({"nickName": "x"})), None);
    assert_eq!(unclear.refusals[0].kind, RefusalKind::NotWriteable);
}

#[test]
fn the_record_type_is_found_by_name_and_given_to_new_records() {
    let world = World::of("customers");
    assert_eq!(shown(&world.translate(person(&json!({})), None))["RecordTypeId"], "0125f000000LpQbAAK");
    let adopted = world.translate(person(&json!({})), Some(json!({})));
    assert_eq!(
        adopted.fields.get("RecordTypeId"),
        None,
        "somebody chose the type of a record that was there"
    );
    let ours = world.translate(person(&json!({})), Some(json!({"RecordTypeId": "0125f000000LpQdAAK"})));
    assert_eq!(shown(&ours)["RecordTypeId"], "0125f000000LpQbAAK");
    for (name, words) in [("Nope", "has no record type"), ("Secret", "may not choose")] {
        let world = World::with("customers", &MAPPING.replace("\"Partner\"\n", &format!("\"{name}\"\n")));
        let translation = world.translate(person(&json!({})), None);
        assert_eq!(translation.refusals[0].field, "RecordTypeId");
        assert!(translation.refusals[0].detail.contains(words), "{}", translation.refusals[0].detail);
    }
}

#[test]
fn a_field_for_a_reference_that_the_org_lacks_is_refused() {
    let mut world = World::of("partners").knowing(own("customers"), ADA);
    world.object.fields.retain(|field| field.name != "ContactId");
    let translation = world.translate(person(&json!({})), None);
    let [refusal] = translation.refusals.as_slice() else { panic!("{translation:?}") };
    assert_eq!((refusal.field.as_str(), refusal.kind), ("ContactId", RefusalKind::NotWriteable));
}

#[test]
fn anonymised_records_say_nothing_of_the_person() {
    let world = World::of("customers");
    assert_eq!(
        serde_json::to_value(world.target.anonymised(&world.object)).expect("JSON"),
        json!({"LastName": "Anonymised", "ReportsToId": null, "Account": null, "Title": null}),
        "an opt-out stays, and so does what is alike for everybody"
    );
}
