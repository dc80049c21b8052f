//! §9 "Lead/Contact".

use serde_json::json;

use crate::world::{V, World};

const LEADS: &str = "/services/data/v66.0/sobjects/Lead";
const CONTACTS: &str = "/services/data/v66.0/sobjects/Contact";
const ACCOUNTS: &str = "/services/data/v66.0/sobjects/Account";

/// §9: Required fields/defaults.
#[tokio::test]
async fn a_lead_needs_a_name_and_a_company_and_has_a_status() {
    let world = World::start().await;
    let error = world.post(LEADS, json!({"FirstName": "Ada"})).await;
    assert_eq!(
        error.expect_error(400, "REQUIRED_FIELD_MISSING"),
        json!({
            "message": "Required fields are missing: [LastName, Company]",
            "errorCode": "REQUIRED_FIELD_MISSING", "fields": ["LastName", "Company"],
        })
    );
    let body = json!({"FirstName": "Ada", "LastName": "Lovelace", "Company": "Engines"});
    let id = world.post(LEADS, body).await.expect(201)["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("00Q"), "{id}");
    let lead = world.get(&format!("{LEADS}/{id}")).await.expect(200);
    assert_eq!(lead["Status"], "Open - Not Contacted");
    assert_eq!(lead["Name"], "Ada Lovelace");
    assert_eq!((&lead["IsConverted"], &lead["IsUnreadByOwner"]), (&json!(false), &json!(true)));
    assert_eq!(lead["OwnerId"], world.sim.handle().user("integration@harbour-lights.example").unwrap()["Id"]);
    // Status is no restricted picklist.
    world.patch(&format!("{LEADS}/{id}"), json!({"Status": "Dreaming"})).await.expect(204);
}

/// §9: Required fields/defaults.
#[tokio::test]
async fn a_contact_needs_a_last_name_and_nothing_else() {
    let world = World::start().await;
    let error = world.post(CONTACTS, json!({"FirstName": "Ada"})).await;
    assert_eq!(error.expect_error(400, "REQUIRED_FIELD_MISSING")["fields"], json!(["LastName"]));
    let body = json!({"LastName": "Lovelace", "MailingCity": "London", "OtherCity": "Turin"});
    let id = world.post(CONTACTS, body).await.expect(201)["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("003"), "{id}");
    let contact = world.get(&format!("{CONTACTS}/{id}")).await.expect(200);
    assert_eq!((&contact["Name"], &contact["AccountId"]), (&json!("Lovelace"), &json!(null)));
    assert_eq!(contact["MailingAddress"]["city"], "London");
    assert_eq!(contact["OtherAddress"]["city"], "Turin");
    // A name follows from its parts, and is never written itself.
    world.patch(&format!("{CONTACTS}/{id}"), json!({"FirstName": "Ada"})).await.expect(204);
    assert_eq!(world.get(&format!("{CONTACTS}/{id}")).await.expect(200)["Name"], "Ada Lovelace");
    let error = world.patch(&format!("{CONTACTS}/{id}"), json!({"Name": "Grace"})).await;
    error.expect_error(400, "INVALID_FIELD_FOR_INSERT_UPDATE");
}

#[tokio::test]
async fn an_account_needs_a_name() {
    let world = World::start().await;
    let error = world.post(ACCOUNTS, json!({"BillingCity": "London"})).await;
    assert_eq!(error.expect_error(400, "REQUIRED_FIELD_MISSING")["fields"], json!(["Name"]));
    let id = world.post(ACCOUNTS, json!({"Name": "Engines", "BillingCity": "London"})).await.expect(201);
    let id = id["id"].as_str().unwrap().to_owned();
    let contact = json!({"LastName": "Lovelace", "AccountId": id});
    world.post(CONTACTS, contact).await.expect(201);
    let rows = world
        .query("SELECT Name, Account.Name, Owner.Username FROM Contact WHERE Account.BillingCity = 'London'")
        .await;
    assert_eq!(rows[0]["Account"]["Name"], "Engines");
    assert_eq!(rows[0]["Owner"]["Username"], "integration@harbour-lights.example");
}

/// §9: configurable FLS-hidden fields that vanish from describe and raise `INVALID_FIELD`.
#[tokio::test]
async fn opt_outs_are_hidden_until_they_are_shown() {
    let world = World::start().await;
    for field in ["HasOptedOutOfEmail", "DoNotCall", "HasOptedOutOfFax", "RecordTypeId", "Pronouns"] {
        let body = json!({"LastName": "Lovelace", "Company": "Engines", field: null});
        world.post(LEADS, body).await.expect_error(400, "INVALID_FIELD");
    }
    let world = World::from_file("shown-fields = [\"Lead.DoNotCall\", \"Contact.HasOptedOutOfEmail\"]").await;
    let body = json!({"LastName": "Lovelace", "Company": "Engines", "DoNotCall": true});
    world.post(LEADS, body).await.expect(201);
    assert_eq!(world.query("SELECT Id FROM Lead WHERE DoNotCall = true").await.len(), 1);
}

/// §4.3: without "Data Protection and Privacy" there is no consent model.
#[tokio::test]
async fn consent_objects_are_there_only_if_the_org_has_them() {
    let world = World::start().await;
    let individuals = format!("{V}/sobjects/Individual");
    world.post(&individuals, json!({"LastName": "Lovelace"})).await.expect_error(404, "NOT_FOUND");
    world.query_answer("SELECT Id FROM Individual").await.expect_error(400, "INVALID_TYPE");
    let world = World::from_file("[org]\nfeatures = [\"data-protection\"]").await;
    let id = world.post(&individuals, json!({"FirstName": "Ada", "LastName": "Lovelace"})).await.expect(201);
    let id = id["id"].as_str().unwrap().to_owned();
    let purposes = format!("{V}/sobjects/DataUsePurpose");
    let purpose = world.post(&purposes, json!({"Name": "Newsletter"})).await.expect(201)["id"].clone();
    let consent = json!({
        "Name": "Newsletter", "PartyId": id, "DataUsePurposeId": purpose, "ContactPointType": "Email",
        "PrivacyConsentStatus": "OptOut", "CaptureDate": "2026-01-02T03:04:05Z",
        "CaptureContactPointType": "Web", "CaptureSource": "preference centre",
    });
    let consents = format!("{V}/sobjects/ContactPointTypeConsent");
    world.post(&consents, consent.clone()).await.expect(201);
    let wrong = crate::world::with(consent, json!({"PrivacyConsentStatus": "Maybe"}));
    world.post(&consents, wrong).await.expect_error(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
    let rows = world.query("SELECT Party.Name, DataUsePurpose.Name FROM ContactPointTypeConsent").await;
    assert_eq!(rows[0]["Party"]["Name"], "Ada Lovelace");
    let contact = json!({"LastName": "Lovelace", "IndividualId": id});
    world.post(CONTACTS, contact).await.expect(201);
}

/// §4.7: which statuses a converted lead may have is told by `LeadStatus`.
#[tokio::test]
async fn lead_statuses_are_those_of_the_org_file() {
    let world = World::start().await;
    let rows = world.query("SELECT MasterLabel FROM LeadStatus WHERE IsConverted = true").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["MasterLabel"], "Closed - Converted");
    let file = "[[lead-statuses]]\nname = \"New\"\n[[lead-statuses]]\nname = \"Won\"\nconverted = true";
    let world = World::from_file(file).await;
    let rows = world.query("SELECT ApiName, IsDefault, SortOrder FROM LeadStatus ORDER BY SortOrder").await;
    assert_eq!((&rows[0]["ApiName"], &rows[0]["IsDefault"]), (&json!("New"), &json!(true)));
    let id = world.post(LEADS, json!({"LastName": "L", "Company": "C"})).await.expect(201)["id"].clone();
    let lead = world.get(&format!("{LEADS}/{}", id.as_str().unwrap())).await.expect(200);
    assert_eq!(lead["Status"], "New");
}

/// §9: queue owners only for Lead.
#[tokio::test]
async fn a_group_cannot_own_a_contact() {
    let world = World::start().await;
    let body = json!({"LastName": "Lovelace", "OwnerId": "00G000000000001"});
    let error = world.post(CONTACTS, body).await.expect_error(400, "MALFORMED_ID");
    assert_eq!(error["fields"], json!(["OwnerId"]));
}

#[tokio::test]
async fn nobody_inactive_becomes_an_owner() {
    let world = World::start().await;
    let user = world.create("gone@example.com", json!({"IsActive": false})).await;
    let body = json!({"LastName": "Lovelace", "OwnerId": user});
    let error = world.post(CONTACTS, body).await.expect_error(400, "INACTIVE_OWNER_OR_USER");
    assert_eq!(
        error["message"],
        format!("operation performed with inactive user [{user}] as owner of contact")
    );
}

#[tokio::test]
async fn family_names_come_first_where_people_say_them_first() {
    let world = World::from_file("[org]\nlocale = \"ja_JP\"").await;
    let body = json!({"FirstName": "Hanako", "LastName": "Yamada", "Company": "Kobe"});
    let id = world.post(LEADS, body).await.expect(201)["id"].clone();
    let lead = world.get(&format!("{LEADS}/{}", id.as_str().unwrap())).await.expect(200);
    assert_eq!(lead["Name"], "Yamada Hanako");
}

/// §4.1: `IsConverted` is createable, and yet refused without the permission to set audit fields.
#[tokio::test]
async fn a_converted_lead_is_made_only_by_who_may_and_changed_by_nobody() {
    let world = World::start().await;
    let body = json!({"LastName": "Lovelace", "Company": "Engines", "IsConverted": true});
    world.post(LEADS, body.clone()).await.expect_error(400, "INVALID_FIELD_FOR_INSERT_UPDATE");
    world.control("/switches", json!({"set-audit-fields": true})).await;
    let id = world.post(LEADS, body).await.expect(201)["id"].clone();
    let path = format!("{LEADS}/{}", id.as_str().unwrap());
    let error = world.patch(&path, json!({"Title": "x"})).await;
    assert_eq!(
        error.expect_error(400, "CANNOT_UPDATE_CONVERTED_LEAD"),
        json!({
            "message": "cannot reference converted lead", "errorCode": "CANNOT_UPDATE_CONVERTED_LEAD",
            "fields": [],
        })
    );
    world.control("/switches", json!({"edit-converted-leads": true})).await;
    world.patch(&path, json!({"Title": "x"})).await.expect(204);
    assert_eq!(world.query("SELECT Id FROM Lead WHERE IsConverted = true").await.len(), 1);
    world.delete(&path).await.expect(204);
}

/// §4.2: cases keep a contact; without them it goes with its account, and comes back with it.
#[tokio::test]
async fn a_contact_with_cases_stays_and_one_without_goes_with_its_account() {
    let world = World::start().await;
    let make =
        async |path: &str, body| world.post(path, body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let account = make(ACCOUNTS, json!({"Name": "Engines"})).await;
    let body = json!({"FirstName": "Ada", "LastName": "Lovelace", "AccountId": account});
    let contact = make(CONTACTS, body).await;
    let case = make(&format!("{V}/sobjects/Case"), json!({"ContactId": contact, "Subject": "Help"})).await;
    let error = world.delete(&format!("{CONTACTS}/{contact}")).await.expect_error(400, "DELETE_FAILED");
    let message = error["message"].as_str().unwrap();
    let expected = "Your attempt to delete Ada Lovelace could not be completed because it is associated with \
                    the following cases.: ";
    assert!(message.starts_with(expected), "{message}");
    world.delete(&format!("{V}/sobjects/Case/{case}")).await.expect(204);
    world.delete(&format!("{ACCOUNTS}/{account}")).await.expect(204);
    assert!(world.query("SELECT Id FROM Contact").await.is_empty());
    let envelope = format!(
        "<Envelope><Header><SessionHeader><sessionId>{}</sessionId></SessionHeader></Header>\
         <Body><undelete><ids>{account}</ids></undelete></Body></Envelope>",
        world.token
    );
    let url = format!("{}/services/Soap/u/66.0", world.sim.url());
    let answer = world.send(world.http.post(url).header("Content-Type", "text/xml").body(envelope)).await;
    assert!(answer.text.contains("<success>true</success>"), "{}", answer.text);
    let rows = world.query("SELECT Name, Account.Name FROM Contact").await;
    assert_eq!((&rows[0]["Name"], &rows[0]["Account"]["Name"]), (&json!("Ada Lovelace"), &json!("Engines")));
}

/// Object Reference, "Task": open until it is `Completed`; its owner is the running user unless the body says otherwise,
/// and an active one.
#[tokio::test]
async fn tasks_have_an_owner_and_are_open_until_they_are_completed() {
    let world =
        World::from_file("[[users]]\nusername = \"gone@example.com\"\nfields = { IsActive = false }").await;
    let path = "/services/data/v66.0/sobjects/Task";
    let made = world.post(path, json!({"Subject": "Call"})).await.expect(201);
    let id = made["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("00T"));
    let open = "SELECT Id, OwnerId FROM Task WHERE IsClosed = false";
    let rows = world.query(open).await;
    assert_eq!((rows.len(), rows[0]["OwnerId"].is_string()), (1, true));
    let gone = world.query("SELECT Id FROM User WHERE Username = 'gone@example.com'").await[0]["Id"].clone();
    let refused = world.patch(&format!("{path}/{id}"), json!({"OwnerId": gone})).await;
    refused.expect_error(400, "INACTIVE_OWNER_OR_USER");
    world.patch(&format!("{path}/{id}"), json!({"Status": "Completed"})).await.expect(204);
    assert!(world.query(open).await.is_empty());
}
