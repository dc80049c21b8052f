//! §9 "Lead/Contact": conversion by SOAP and by hand.

use proptest::{prelude::*, test_runner::TestRunner};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World, with};

const LEADS: &str = "/services/data/v66.0/sobjects/Lead";
const CONTACTS: &str = "/services/data/v66.0/sobjects/Contact";
const ACCOUNTS: &str = "/services/data/v66.0/sobjects/Account";

async fn make(world: &World, path: &str, body: Value) -> String {
    world.post(path, body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

fn ada() -> Value {
    json!({
        "FirstName": "Ada", "LastName": "Lovelace", "Company": "Engines", "Email": "ada@example.com",
        "Phone": "1", "MobilePhone": "2", "Title": "Countess", "Street": "12 St James Sq", "City": "London",
        "PostalCode": "W1", "Country": "UK", "LeadSource": "Web", "Industry": "Engineering",
        "NumberOfEmployees": 2, "AnnualRevenue": 1000.5, "Website": "https://engines.example",
    })
}

async fn read(world: &World, object: &str, id: &Value) -> Value {
    let path = format!("/services/data/v66.0/sobjects/{object}/{}", id.as_str().unwrap());
    world.get(&path).await.expect(200)
}

/// `convertLead` as a program made from the partner WSDL sends it.
async fn soap(world: &World, leads: &str, header: &str) -> Answer {
    let envelope = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:partner.soap.sforce.com"
          xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
        <env:Header><urn:SessionHeader><urn:sessionId>{}</urn:sessionId></urn:SessionHeader>{header}</env:Header>
        <env:Body><urn:convertLead>{leads}</urn:convertLead></env:Body></env:Envelope>"#,
        world.token
    );
    let request = world.http.request(Method::POST, format!("{}/services/Soap/u/66.0", world.sim.url()));
    let request = request.header("Content-Type", "text/xml; charset=UTF-8").header("SOAPAction", "\"\"");
    world.send(request.body(envelope)).await
}

fn lead_convert(id: &str, more: &str) -> String {
    format!(
        "<urn:leadConverts><urn:convertedStatus>Closed - Converted</urn:convertedStatus>\
         <urn:leadId>{id}</urn:leadId>{more}</urn:leadConverts>"
    )
}

/// The texts of all elements of this name.
fn texts<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).filter_map(|rest| rest.split(&close).next()).collect()
}

/// §9: Conversion via an admin hook; §4.7: what feeds through.
#[tokio::test]
async fn a_converted_lead_is_an_account_a_contact_and_an_opportunity() {
    let world = World::start().await;
    let id = make(&world, LEADS, ada()).await;
    let body = json!({"leadId": id, "convertedStatus": "Closed - Converted"});
    let done = world.control("/convert-lead", body).await;
    assert_eq!((&done["success"], &done["leadId"]), (&json!(true), &json!(id)), "{done}");
    let lead = read(&world, "Lead", &json!(id)).await;
    assert_eq!((&lead["IsConverted"], &lead["Status"]), (&json!(true), &json!("Closed - Converted")));
    assert!(lead["ConvertedDate"].is_string());
    assert_eq!(lead["ConvertedAccountId"], done["accountId"]);
    assert_eq!(lead["ConvertedContactId"], done["contactId"]);
    assert_eq!(lead["ConvertedOpportunityId"], done["opportunityId"]);
    let account = read(&world, "Account", &done["accountId"]).await;
    let contact = read(&world, "Contact", &done["contactId"]).await;
    let opportunity = read(&world, "Opportunity", &done["opportunityId"]).await;
    for (record, field, value) in [
        (&account, "Name", json!("Engines")),
        (&account, "BillingCity", json!("London")),
        (&account, "Phone", json!("1")),
        (&account, "Industry", json!("Engineering")),
        (&account, "AccountSource", json!("Web")),
        (&account, "AnnualRevenue", json!(1000.5)),
        (&account, "OwnerId", lead["OwnerId"].clone()),
        (&contact, "Name", json!("Ada Lovelace")),
        (&contact, "AccountId", done["accountId"].clone()),
        (&contact, "Email", json!("ada@example.com")),
        (&contact, "MobilePhone", json!("2")),
        (&contact, "MailingStreet", json!("12 St James Sq")),
        (&contact, "LeadSource", json!("Web")),
        (&opportunity, "Name", json!("Engines")),
        (&opportunity, "AccountId", done["accountId"].clone()),
        (&opportunity, "StageName", json!("Prospecting")),
        (&opportunity, "LeadSource", json!("Web")),
        (&opportunity, "IsClosed", json!(false)),
    ] {
        assert_eq!(record[field], value, "{} {field}", record["attributes"]["type"]);
    }
    assert_eq!(world.query("SELECT Id FROM Lead WHERE IsConverted = false").await.len(), 0);
    let rows = world.query("SELECT ConvertedContact.Email FROM Lead WHERE IsConverted = true").await;
    assert_eq!(rows[0]["ConvertedContact"]["Email"], "ada@example.com");
}

/// §9: converted lead read-only errors.
#[tokio::test]
async fn a_converted_lead_is_read_only_and_never_converted_again() {
    let world = World::start().await;
    let id = make(&world, LEADS, ada()).await;
    let body = json!({"leadId": id, "convertedStatus": "Closed - Converted"});
    world.control("/convert-lead", body.clone()).await;
    let path = format!("{LEADS}/{id}");
    for change in [
        json!({"Title": "x"}),
        json!({"Status": "Open - Not Contacted"}),
        json!({"OwnerId": null}),
        json!({}),
    ] {
        world.patch(&path, change).await.expect_error(400, "CANNOT_UPDATE_CONVERTED_LEAD");
    }
    for field in ["IsConverted", "ConvertedContactId", "ConvertedDate"] {
        let error = world.patch(&path, json!({field: null})).await;
        assert_eq!(error.status, 400, "{field}");
    }
    let again = world.control("/convert-lead", body).await;
    assert_eq!(again["errors"][0]["statusCode"], "CANNOT_UPDATE_CONVERTED_LEAD");
    assert_eq!(world.sim.handle().count("Account"), 1);
    world.delete(&path).await.expect(204);
}

/// §9: Conversion via a SOAP-shaped endpoint.
#[tokio::test]
async fn soap_converts_several_leads_and_answers_for_each() {
    let world = World::start().await;
    let first = make(&world, LEADS, ada()).await;
    let second = make(&world, LEADS, json!({"LastName": "Hopper", "Company": "Navy"})).await;
    let leads = [
        lead_convert(&first, "<urn:doNotCreateOpportunity>true</urn:doNotCreateOpportunity>"),
        lead_convert(&second, "").replace("Closed - Converted", "Working - Contacted"),
        lead_convert("00Q000000000000EAA", ""),
        lead_convert("nonsense", ""),
    ];
    let answer = soap(&world, &leads.concat(), "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.header("content-type").starts_with("text/xml"), "{:?}", answer.headers);
    let xml = &answer.text;
    assert!(xml.contains("<convertLeadResponse><result><accountId>001"), "{xml}");
    assert_eq!(texts(xml, "success"), ["true", "false", "false", "false"]);
    assert_eq!(texts(xml, "statusCode"), ["INVALID_STATUS", "INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID"]);
    assert_eq!(texts(xml, "message")[0], "invalid convertedStatus: Working - Contacted");
    assert_eq!(texts(xml, "leadId"), [first.as_str()]);
    assert!(xml.contains("<opportunityId xsi:nil=\"true\"/><success>true</success></result>"), "{xml}");
    let handle = world.sim.handle();
    assert_eq!((handle.count("Account"), handle.count("Contact"), handle.count("Opportunity")), (1, 1, 0));
    let lead = read(&world, "Lead", &json!(second)).await;
    assert_eq!((&lead["IsConverted"], &lead["Status"]), (&json!(false), &json!("Open - Not Contacted")));
}

#[tokio::test]
async fn soap_faults_are_those_of_the_wsdl() {
    let world = World::start().await;
    let lead = lead_convert("00Q000000000001EAA", "");
    let answer = soap(&world, &lead.repeat(101), "").await;
    assert_eq!(answer.status, 500);
    assert_eq!(texts(&answer.text, "sf:exceptionCode"), ["EXCEEDED_LEAD_CONVERT_LIMIT"]);
    let world = World { token: "00D!nobody".into(), ..world };
    let answer = soap(&world, &lead, "").await;
    assert_eq!((answer.status, texts(&answer.text, "sf:exceptionCode")), (500, vec!["INVALID_SESSION_ID"]));
}

#[tokio::test]
async fn all_or_none_takes_every_conversion_back() {
    let world = World::start().await;
    let id = make(&world, LEADS, ada()).await;
    let leads = lead_convert(&id, "") + &lead_convert("00Q000000000000EAA", "");
    let header = "<urn:AllOrNoneHeader><urn:allOrNone>true</urn:allOrNone></urn:AllOrNoneHeader>";
    let answer = soap(&world, &leads, header).await;
    assert_eq!(texts(&answer.text, "statusCode")[0], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!(world.sim.handle().count("Account"), 0);
    assert_eq!(read(&world, "Lead", &json!(id)).await["IsConverted"], false);
}

/// §4.7: `accountId`, `contactId`, `overwriteLeadSource`, `ownerId`.
#[tokio::test]
async fn a_record_that_is_there_gets_only_what_it_lacks() {
    let world = World::start().await;
    let account = make(&world, ACCOUNTS, json!({"Name": "Engines plc", "Phone": "9"})).await;
    let contact = json!({"LastName": "King", "AccountId": account, "LeadSource": "Other"});
    let contact = make(&world, CONTACTS, contact).await;
    let id = make(&world, LEADS, ada()).await;
    let body = json!({
        "leadId": id, "convertedStatus": "closed - converted", "accountId": account, "contactId": contact,
        "doNotCreateOpportunity": true,
    });
    let world = world;
    let done = world.control("/convert-lead", body).await;
    assert_eq!(done["success"], true, "{done}");
    let account = read(&world, "Account", &json!(account)).await;
    assert_eq!((&account["Name"], &account["Phone"]), (&json!("Engines plc"), &json!("9")));
    assert_eq!(account["BillingCity"], "London");
    let contact = read(&world, "Contact", &json!(contact)).await;
    assert_eq!((&contact["LastName"], &contact["FirstName"]), (&json!("King"), &json!("Ada")));
    assert_eq!((&contact["LeadSource"], &contact["Email"]), (&json!("Other"), &json!("ada@example.com")));
}

#[tokio::test]
async fn what_cannot_be_converted_changes_nothing() {
    let world = World::from_file(
        "[[lead-statuses]]\nname = \"New\"\n[[lead-statuses]]\nname = \"Won\"\nconverted = true",
    )
    .await;
    let account = make(&world, ACCOUNTS, json!({"Name": "Other"})).await;
    let stray = make(&world, CONTACTS, json!({"LastName": "Stray"})).await;
    let id = make(&world, LEADS, ada()).await;
    let base = json!({"leadId": id, "convertedStatus": "Won"});
    for (change, code) in [
        (json!({"convertedStatus": null}), "INVALID_STATUS"),
        (json!({"convertedStatus": "New"}), "INVALID_STATUS"),
        (json!({"doNotCreateOpportunity": true, "opportunityName": "x"}), "INVALID_FIELD"),
        (json!({"contactId": stray}), "REQUIRED_FIELD_MISSING"),
        (json!({"contactId": stray, "accountId": account}), "INVALID_CROSS_REFERENCE_KEY"),
        (json!({"accountId": stray}), "MALFORMED_ID"),
        (json!({"ownerId": "00G000000000001"}), "INVALID_CROSS_REFERENCE_KEY"),
        (json!({"opportunityRecord": {"CloseDate": "someday"}}), "JSON_PARSER_ERROR"),
    ] {
        let done = world.control("/convert-lead", with(base.clone(), change.clone())).await;
        assert_eq!(done["success"], false, "{change}");
        assert_eq!(done["errors"][0]["statusCode"], code, "{change} {done}");
    }
    let handle = world.sim.handle();
    assert_eq!((handle.count("Account"), handle.count("Contact"), handle.count("Opportunity")), (1, 1, 0));
    assert_eq!(read(&world, "Lead", &json!(id)).await["IsConverted"], false);
}

/// §4.6, §4.7: `bypassContactDedupeCheck`.
#[tokio::test]
async fn duplicate_rules_hold_in_conversion_unless_bypassed() {
    let world = World::start().await;
    let person = json!({"FirstName": "Ada", "LastName": "Lovelace", "Email": "ada@example.com"});
    let id = make(&world, LEADS, ada()).await;
    world.control("/switches", json!({"duplicate-rules": "off"})).await;
    make(&world, CONTACTS, person).await;
    world.control("/switches", json!({"duplicate-rules": "alert"})).await;
    let body = json!({"leadId": id, "convertedStatus": "Closed - Converted"});
    let done = world.control("/convert-lead", body.clone()).await;
    assert_eq!(done["errors"][0]["statusCode"], "DUPLICATES_DETECTED", "{done}");
    let said = soap(&world, &lead_convert(&id, ""), "").await;
    let contact = world.sim.handle().records("Contact").remove(0)["Id"].clone();
    assert!(
        said.text.contains("<errors xsi:type=\"DuplicateError\"><message>Use one of these"),
        "{}",
        said.text
    );
    assert!(said.text.contains("<duplicateResult><allowSave>true</allowSave>"), "{}", said.text);
    assert_eq!(json!(texts(&said.text, "Id")), json!([contact]));
    let body = with(body, json!({"bypassContactDedupeCheck": true}));
    assert_eq!(world.control("/convert-lead", body).await["success"], true);
}

/// §4.7: an org maps its own fields.
#[tokio::test]
async fn own_fields_go_where_the_org_says() {
    let file = r#"
        [[fields]]
        object = "Lead"
        name = "Ext__c"
        [[fields]]
        object = "Contact"
        name = "Key__c"
        [lead-mapping]
        Ext__c = ["Contact.Key__c", "Opportunity.NextStep"]
    "#;
    let world = World::from_file(file).await;
    let id = make(&world, LEADS, with(ada(), json!({"Ext__c": "42"}))).await;
    let body = json!({"leadId": id, "convertedStatus": "Closed - Converted"});
    let done = world.control("/convert-lead", body).await;
    assert_eq!(read(&world, "Contact", &done["contactId"]).await["Key__c"], "42");
    assert_eq!(read(&world, "Opportunity", &done["opportunityId"]).await["NextStep"], "42");
}

/// Conversion keeps every mapped value, and no update of a converted lead ever lands.
#[test]
fn conversion_keeps_every_mapped_value() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::from_file("[switches]\nduplicate-rules = \"off\""));
    let mapping: Vec<Vec<&str>> = include_str!("../../data/lead_conversion.tsv")
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let texts = [
        "FirstName",
        "Title",
        "Street",
        "City",
        "State",
        "PostalCode",
        "Country",
        "Phone",
        "Fax",
        "MobilePhone",
        "Website",
        "Description",
        "LeadSource",
        "Industry",
        "Rating",
    ];
    let value = proptest::option::of("[A-Za-z0-9éß漢]{1,9}");
    let values = proptest::collection::vec(value, texts.len());
    let mut runner = TestRunner::new(ProptestConfig { cases: 24, ..ProptestConfig::default() });
    runner
        .run(&(values, "[a-z]{1,12}", 0_u32..9_000_000), |(values, name, employees)| {
            let mut lead = json!({"LastName": name, "Company": name, "NumberOfEmployees": employees});
            for (field, value) in texts.iter().zip(values).filter_map(|(field, value)| Some((field, value?)))
            {
                lead[*field] = json!(value);
            }
            runtime.block_on(async {
                let id = make(&world, LEADS, lead.clone()).await;
                let body = json!({"leadId": id, "convertedStatus": "Closed - Converted"});
                let done = world.control("/convert-lead", body).await;
                let before = read(&world, "Lead", &json!(id)).await;
                for line in &mapping {
                    let of = match line[1] {
                        "Account" => &done["accountId"],
                        "Contact" => &done["contactId"],
                        _ => &done["opportunityId"],
                    };
                    let record = read(&world, line[1], of).await;
                    if let Some(value) = lead.get(line[0]) {
                        assert_eq!(&record[line[2]], value, "{line:?}");
                    }
                }
                let change = world.patch(&format!("{LEADS}/{id}"), lead).await;
                change.expect_error(400, "CANNOT_UPDATE_CONVERTED_LEAD");
                assert_eq!(read(&world, "Lead", &json!(id)).await, before);
            });
            Ok(())
        })
        .unwrap();
}

const PEOPLE: &str = "[org]\nfeatures = [\"person-accounts\"]";

/// §4.2: person accounts.
#[tokio::test]
async fn a_person_account_has_a_contact_that_only_the_account_changes() {
    let world = World::start().await;
    world.post(ACCOUNTS, json!({"LastName": "Lovelace"})).await.expect_error(400, "INVALID_FIELD");
    let world = World::from_file(PEOPLE).await;
    let id = make(&world, ACCOUNTS, json!({"LastName": "Lovelace", "PersonEmail": "ada@example.com"})).await;
    let path = format!("{ACCOUNTS}/{id}");
    let account = world.get(&path).await.expect(200);
    assert_eq!((&account["Name"], &account["IsPersonAccount"]), (&json!("Lovelace"), &json!(true)));
    world.patch(&path, json!({"FirstName": "Ada"})).await.expect(204);
    let contact = read(&world, "Contact", &account["PersonContactId"]).await;
    assert_eq!((&contact["Name"], &contact["Email"]), (&json!("Ada Lovelace"), &json!("ada@example.com")));
    assert_eq!((&contact["IsPersonAccount"], &contact["AccountId"]), (&json!(true), &json!(id)));
    let direct = format!("{CONTACTS}/{}", contact["Id"].as_str().unwrap());
    let error = world.patch(&direct, json!({"Email": "x@example.com"})).await;
    error.expect_error(400, "INVALID_PERSON_ACCOUNT_OPERATION");
    let error = world.patch(&path, json!({"Name": "x"})).await;
    error.expect_error(400, "INVALID_FIELD_FOR_INSERT_UPDATE");
    let company = make(&world, ACCOUNTS, json!({"Name": "Engines"})).await;
    assert_eq!(read(&world, "Account", &json!(company)).await["IsPersonAccount"], false);
}

/// §4.1: with person accounts a lead needs no company; converted, it is a person.
#[tokio::test]
async fn a_lead_without_a_company_becomes_a_person() {
    let world = World::from_file(PEOPLE).await;
    let id = make(&world, LEADS, with(ada(), json!({"Company": null}))).await;
    let body = json!({"leadId": id, "convertedStatus": "Closed - Converted"});
    let done = world.control("/convert-lead", body).await;
    assert_eq!(done["success"], true, "{done}");
    let account = read(&world, "Account", &done["accountId"]).await;
    assert_eq!((&account["Name"], &account["PersonContactId"]), (&json!("Ada Lovelace"), &done["contactId"]));
    assert_eq!(read(&world, "Contact", &done["contactId"]).await["Email"], "ada@example.com");
    assert_eq!(world.sim.handle().count("Contact"), 1);
}

/// §4.5: SOAP brings back what REST cannot.
#[tokio::test]
async fn undelete_brings_a_record_back() {
    let world = World::start().await;
    let id = make(&world, LEADS, ada()).await;
    let path = format!("{LEADS}/{id}");
    let undelete = async |id: &str| {
        let envelope = format!(
            "<Envelope><Header><SessionHeader><sessionId>{}</sessionId></SessionHeader></Header>\
             <Body><undelete><ids>{id}</ids></undelete></Body></Envelope>",
            world.token
        );
        let url = format!("{}/services/Soap/u/66.0", world.sim.url());
        world.send(world.http.post(url).header("Content-Type", "text/xml").body(envelope)).await.text
    };
    assert_eq!(texts(&undelete(&id).await, "statusCode"), ["UNDELETE_FAILED"]);
    assert_eq!(texts(&undelete("x").await, "statusCode"), ["MALFORMED_ID"]);
    world.delete(&path).await.expect(204);
    world.patch(&path, json!({"Title": "x"})).await.expect_error(404, "ENTITY_IS_DELETED");
    assert_eq!(texts(&undelete(&id).await, "success"), ["true"]);
    world.patch(&path, json!({"Title": "x"})).await.expect(204);
    let lead = world.get(&path).await.expect(200);
    assert_eq!((&lead["IsDeleted"], &lead["Email"]), (&json!(false), &json!("ada@example.com")));
    assert_eq!(world.query("SELECT Id FROM Lead WHERE Email = 'ada@example.com'").await.len(), 1);
}
