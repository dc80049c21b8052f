//! §9: Optional trigger hooks: validation rule, trigger exception. Records of the org file.

use serde_json::json;

use crate::world::{V, World};

const FILE: &str = r#"
[[records]]
object = "Account"
ref = "engines"
fields = { Name = "Analytical Engines" }

[[records]]
object = "Contact"
ref = "charles"
fields = { LastName = "Babbage", AccountId = { ref = "engines" } }

[[records]]
object = "Contact"
fields = { LastName = "Clement", ReportsToId = { ref = "charles" } }

[[validation-rules]]
object = "Contact"
when = "Email = null AND Phone = null"
message = "Reachable, please."
field = "Email"

[[validation-rules]]
object = "Contact"
when = "Account.Name LIKE 'Analytical%' AND Title = 'Spy'"
message = "No spies."

[[triggers]]
object = "Lead"
name = "LeadRouting"
on = ["insert"]
when = "Company = 'Fail'"
message = "System.NullPointerException: null"

[[triggers]]
object = "Lead"
name = "Keep"
kind = "flow"
on = ["delete"]
message = "Leads stay."
"#;

/// §9: validation rule.
#[tokio::test]
async fn a_validation_rule_refuses_in_its_own_words() {
    let world = World::from_file(FILE).await;
    let contacts = format!("{V}/sobjects/Contact");
    let error = world.post(&contacts, json!({"LastName": "x"})).await;
    assert_eq!(
        error.expect_error(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
        json!({"message": "Reachable, please.", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": ["Email"]})
    );
    let body = json!({"LastName": "x", "Phone": "1"});
    let id = world.post(&contacts, body).await.expect(201)["id"].as_str().unwrap().to_owned();
    world
        .patch(&format!("{contacts}/{id}"), json!({"Phone": ""}))
        .await
        .expect_error(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    let account =
        world.query("SELECT Id FROM Account WHERE Name = 'Analytical Engines'").await[0]["Id"].clone();
    // All rules that fail are told, and a rule sees what the record refers to.
    let both = world
        .post(&contacts, json!({"LastName": "x", "Title": "Spy", "AccountId": account}))
        .await
        .expect(400);
    assert_eq!(both.as_array().unwrap().len(), 2, "{both}");
    assert_eq!((&both[1]["message"], &both[1]["fields"]), (&json!("No spies."), &json!([])));
}

/// §9: trigger exception.
#[tokio::test]
async fn a_trigger_that_fails_takes_the_record_with_it() {
    let world = World::from_file(FILE).await;
    let leads = format!("{V}/sobjects/Lead");
    let error = world.post(&leads, json!({"LastName": "x", "Company": "Fail"})).await;
    let error = error.expect_error(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY");
    let message = "LeadRouting: execution of BeforeInsert\n\ncaused by: System.NullPointerException: null";
    assert_eq!(error["message"], message);
    let body = json!({"LastName": "x", "Company": "y"});
    let id = world.post(&leads, body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let path = format!("{leads}/{id}");
    world.patch(&path, json!({"Company": "Fail"})).await.expect(204);
    let error = world.delete(&path).await.expect_error(400, "CANNOT_EXECUTE_FLOW_TRIGGER");
    assert!(error["message"].as_str().unwrap().ends_with("Leads stay."));
    world.get(&path).await.expect(200);
}

#[tokio::test]
async fn records_of_the_org_file_refer_to_each_other() {
    let world = World::from_file(FILE).await;
    let rows = world
        .query("SELECT LastName, Account.Name, ReportsTo.LastName, Owner.Username FROM Contact WHERE LastName IN ('Babbage', 'Clement') ORDER BY LastName")
        .await;
    assert_eq!(rows[0]["Account"]["Name"], "Analytical Engines");
    assert_eq!(rows[1]["ReportsTo"]["LastName"], "Babbage");
    assert_eq!(rows[1]["Owner"]["Username"], "integration@harbour-lights.example");
}
