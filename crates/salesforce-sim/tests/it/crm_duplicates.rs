//! §9 "Data semantics": duplicate rules; §9 "Lead/Contact": assignment rules.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, with};

const LEADS: &str = "/services/data/v66.0/sobjects/Lead";
const CONTACTS: &str = "/services/data/v66.0/sobjects/Contact";
const ACCOUNTS: &str = "/services/data/v66.0/sobjects/Account";

fn ada() -> Value {
    json!({"FirstName": "Ada", "LastName": "Lovelace", "Company": "Engines", "Email": "ada@example.com"})
}

async fn post_with(world: &World, path: &str, body: Value, header: (&str, &str)) -> crate::world::Answer {
    world.send(world.request(Method::POST, path).header(header.0, header.1).json(&body)).await
}

/// §9: Duplicate rules toggle (`duplicateResut`).
#[tokio::test]
async fn a_duplicate_is_refused_unless_the_caller_allows_it() {
    let world = World::start().await;
    let id = world.post(LEADS, ada()).await.expect(201)["id"].as_str().unwrap().to_owned();
    let again = with(ada(), json!({"LastName": "LOVELACE", "Email": "Ada@Example.com", "Title": "Countess"}));
    let error = world.post(LEADS, again.clone()).await.expect_error(400, "DUPLICATES_DETECTED");
    assert_eq!(
        error,
        json!({
            "message": "Use one of these records?", "errorCode": "DUPLICATES_DETECTED", "fields": [],
            "duplicateResut": {
                "allowSave": true, "duplicateRule": "Standard_Lead_Duplicate_Rule",
                "duplicateRuleEntityType": "Lead", "errorMessage": "Use one of these records?",
                "matchResults": [{
                    "entityType": "Lead", "errors": [], "matchEngine": "FuzzyMatchEngine",
                    "matchRecords": [{
                        "additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0,
                        "record": {
                            "attributes": {
                                "type": "Lead", "url": format!("/services/data/v66.0/sobjects/Lead/{id}"),
                            },
                            "Id": id,
                        },
                    }],
                    "rule": "Standard_Lead_Match_Rule_v1_0", "size": 1, "success": true,
                }],
            },
        })
    );
    let header = ("Sforce-Duplicate-Rule-Header", "allowSave=false");
    post_with(&world, LEADS, again.clone(), header).await.expect_error(400, "DUPLICATES_DETECTED");
    let header = ("Sforce-Duplicate-Rule-Header", "allowSave=true, includeRecordDetails=false");
    post_with(&world, LEADS, again, header).await.expect(201);
    assert_eq!(world.sim.handle().count("Lead"), 2);
}

/// §9: Duplicate rules toggle.
#[tokio::test]
async fn a_blocking_rule_lets_nobody_save_and_no_rule_everybody() {
    let world = World::from_file("[switches]\nduplicate-rules = \"block\"").await;
    world.post(CONTACTS, with(ada(), json!({"Company": null}))).await.expect(201);
    let header = ("Sforce-Duplicate-Rule-Header", "allowSave=true");
    // A lead who is a contact already is found too.
    let error = post_with(&world, LEADS, ada(), header).await.expect_error(400, "DUPLICATES_DETECTED");
    assert_eq!(error["duplicateResut"]["allowSave"], false);
    assert_eq!(error["duplicateResut"]["matchResults"][0]["entityType"], "Contact");
    world.control("/switches", json!({"duplicate-rules": "off"})).await;
    world.post(LEADS, ada()).await.expect(201);
}

#[tokio::test]
async fn a_namesake_is_no_duplicate() {
    let world = World::start().await;
    let contact = with(ada(), json!({"Company": null}));
    let first = world.post(CONTACTS, contact.clone()).await.expect(201)["id"].clone();
    let other = with(contact.clone(), json!({"Email": "other@example.com"}));
    let id = world.post(CONTACTS, other).await.expect(201)["id"].clone();
    world.post(CONTACTS, with(contact, json!({"FirstName": "Augusta"}))).await.expect(201);
    // Changing what is compared compares, changing anything else does not, and nobody is his own duplicate.
    let path = format!("{CONTACTS}/{}", id.as_str().unwrap());
    world.patch(&path, json!({"Title": "Countess"})).await.expect(204);
    let error = world.patch(&path, json!({"Email": "ada@example.com"})).await;
    error.expect_error(400, "DUPLICATES_DETECTED");
    let path = format!("{CONTACTS}/{}", first.as_str().unwrap());
    world.patch(&path, json!({"Email": "ada@example.com", "FirstName": "ada"})).await.expect(204);
}

#[tokio::test]
async fn accounts_are_alike_by_name_and_place() {
    let world = World::start().await;
    let body = json!({"Name": "Engines Ltd.", "BillingPostalCode": "W1", "Website": "https://www.engines.example/x", "Phone": "+44 1"});
    world.post(ACCOUNTS, body).await.expect(201);
    world.post(ACCOUNTS, json!({"Name": "Engines Ltd."})).await.expect(201);
    let alike = json!({"Name": "ENGINES Ltd.", "BillingPostalCode": "w-1"});
    let error = world.post(ACCOUNTS, alike).await.expect_error(400, "DUPLICATES_DETECTED");
    assert_eq!(error["duplicateResut"]["duplicateRule"], "Standard_Account_Duplicate_Rule");
}

/// §9: unique custom fields.
#[tokio::test]
async fn a_unique_field_names_the_record_that_has_the_value() {
    let file = "[[fields]]\nobject = \"Contact\"\nname = \"Ext__c\"\nunique = true\nexternal-id = true";
    let world = World::from_file(file).await;
    let id = world.post(CONTACTS, json!({"LastName": "A", "Ext__c": "1"})).await.expect(201)["id"].clone();
    let error = world.post(CONTACTS, json!({"LastName": "B", "Ext__c": "1"})).await;
    let error = error.expect_error(400, "DUPLICATE_VALUE");
    let short = &id.as_str().unwrap()[..15];
    assert_eq!(
        error["message"],
        format!("duplicate value found: Ext__c duplicates value on record with id: {short}")
    );
}

const RULES: &str = r#"
[[assignment-rules]]
object = "Lead"
name = "Standard"
active = true
entries = [
  { when = { Country = "DE" }, owner = "admin@harbour-lights.example" },
]

[[assignment-rules]]
object = "Lead"
name = "Other"
entries = [{ owner = "admin@harbour-lights.example" }]
"#;

/// §9: Auto-assign default-on unless header FALSE.
#[tokio::test]
async fn the_active_assignment_rule_runs_unless_the_header_says_false() {
    let world = World::from_file(RULES).await;
    let owner = |name: &str| world.sim.handle().user(name).unwrap()["Id"].as_str().unwrap().to_owned();
    let (admin, integration) =
        (owner("admin@harbour-lights.example"), owner("integration@harbour-lights.example"));
    let rules =
        world.query("SELECT Id, Active FROM AssignmentRule WHERE SobjectType = 'Lead' ORDER BY Name").await;
    let other = rules[0]["Id"].as_str().unwrap();
    let mut number = 0;
    for (country, header, expected) in [
        ("FR", None, &integration),
        ("DE", None, &admin),
        ("DE", Some("TRUE"), &admin),
        ("DE", Some("FALSE"), &integration),
        ("DE", Some("false"), &integration),
        ("FR", Some(other), &admin),
    ] {
        number += 1;
        // The rule wins over the owner in the body.
        let body = json!({"LastName": format!("L{number}"), "Company": "C", "Country": country, "OwnerId": integration});
        let mut request = world.request(Method::POST, LEADS).json(&body);
        if let Some(header) = header {
            request = request.header("Sforce-Auto-Assign", header);
        }
        let id = world.send(request).await.expect(201)["id"].as_str().unwrap().to_owned();
        let lead = world.get(&format!("{LEADS}/{id}")).await.expect(200);
        assert_eq!(&lead["OwnerId"], expected, "{country} {header:?}");
    }
    for header in ["maybe", "01Q000000000009"] {
        let body = json!({"LastName": "L", "Company": "C"});
        assert_eq!(post_with(&world, LEADS, body, ("Sforce-Auto-Assign", header)).await.status, 400);
    }
}

/// Only leads and cases have assignment rules.
#[tokio::test]
async fn contacts_are_not_assigned() {
    let world = World::from_file(RULES).await;
    let id = world.post(CONTACTS, json!({"LastName": "L", "MailingCountry": "DE"})).await.expect(201)["id"]
        .clone();
    let contact = world.get(&format!("{CONTACTS}/{}", id.as_str().unwrap())).await.expect(200);
    assert_eq!(
        contact["OwnerId"],
        world.sim.handle().user("integration@harbour-lights.example").unwrap()["Id"]
    );
}

/// §9: queue owners only for Lead.
#[tokio::test]
async fn a_queue_of_leads_owns_leads_and_no_contacts() {
    let world = World::from_file(
        "[[queues]]\nname = \"Inbound\"\nobjects = [\"Lead\"]\n[[queues]]\nname = \"Desk\"\nobjects = [\"Case\"]\n\
         [[assignment-rules]]\nobject = \"Lead\"\nname = \"R\"\nactive = true\n\
         entries = [{ when = { Country = \"DE\" }, owner = \"Inbound\" }]",
    )
    .await;
    let queue = async |name: &str| {
        let rows =
            world.query(&format!("SELECT Id FROM Group WHERE Type = 'Queue' AND Name = '{name}'")).await;
        rows[0]["Id"].as_str().unwrap().to_owned()
    };
    let (inbound, desk) = (queue("Inbound").await, queue("Desk").await);
    let lead = json!({"LastName": "L", "Company": "C", "OwnerId": inbound});
    let id = world.post(LEADS, lead).await.expect(201)["id"].as_str().unwrap().to_owned();
    let rows = world.query("SELECT Owner.Name, Owner.Type FROM Lead").await;
    assert_eq!((&rows[0]["Owner"]["Name"], &rows[0]["Owner"]["Type"]), (&json!("Inbound"), &json!("Queue")));
    assert_eq!(world.query("SELECT Id FROM Lead WHERE Owner.Type = 'Queue'").await.len(), 1);
    let contact = json!({"LastName": "L", "OwnerId": inbound});
    world.post(CONTACTS, contact).await.expect_error(400, "MALFORMED_ID");
    let public = world.query("SELECT Id FROM Group WHERE Type = 'Regular' LIMIT 1").await[0]["Id"].clone();
    for group in [json!(desk), public] {
        let lead = json!({"LastName": "M", "Company": "C", "OwnerId": group});
        let error = world.post(LEADS, lead).await.expect_error(400, "INVALID_OPERATION");
        assert_eq!(error["message"], "Queue not associated with this SObject type");
    }
    // §4.7: what a queue owns is converted for a user.
    let body = json!({"leadId": id, "convertedStatus": "Closed - Converted"});
    let done = world.control("/convert-lead", body.clone()).await;
    assert_eq!(
        done["errors"][0]["message"],
        "Converted objects can only be owned by users.  If the lead is not owned by a user, you must specify a \
         user for the Owner field."
    );
    let admin = world.sim.handle().user("admin@harbour-lights.example").unwrap()["Id"].clone();
    let done = world.control("/convert-lead", with(body, json!({"ownerId": admin}))).await;
    assert_eq!(done["success"], true, "{done}");
    assert_eq!(world.query("SELECT OwnerId FROM Contact").await[0]["OwnerId"], admin);
    // A rule may give to a queue.
    world.post(LEADS, json!({"LastName": "N", "Company": "D", "Country": "DE"})).await.expect(201);
    assert_eq!(
        world.query("SELECT OwnerId FROM Lead WHERE LastName = 'N'").await[0]["OwnerId"],
        json!(inbound)
    );
}
