//! §9 "Data semantics": ids, types, lengths, references, system fields, upsert.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{V, World, with};

const USERS: &str = "/services/data/v66.0/sobjects/User";

/// §9: Username lower-cased; canonical 18 in output.
#[tokio::test]
async fn a_create_answers_201_with_a_location_and_a_read_gives_everything_back() {
    let world = World::start().await;
    let answer = world.post(USERS, world.person("Ada@Example.com").await).await;
    let location = answer.header("location").to_owned();
    let body = answer.expect(201);
    let id = body["id"].as_str().unwrap();
    assert_eq!(body, json!({"id": id, "success": true, "errors": []}));
    assert_eq!(location, format!("{USERS}/{id}"));
    let user = world.user(id).await;
    assert_eq!(user.keys().next().unwrap(), "attributes");
    assert_eq!(user["attributes"], json!({"type": "User", "url": format!("{USERS}/{id}")}));
    assert_eq!(user["Username"], "ada@example.com", "usernames are stored in lower case");
    assert_eq!(user["Name"], "Ada Lovelace");
    assert_eq!(user["ManagerId"], Value::Null);
    assert_eq!(user["UserPermissionsMarketingUser"], false);
    assert_eq!(user["UserType"], "Standard");
    let fields = world.get(&format!("{USERS}/{id}?fields=Username,IsActive")).await.expect(200);
    let keys: Vec<_> = fields.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["attributes", "Username", "IsActive", "Id"]);
    world.get(&format!("{USERS}/{id}?fields=Nope")).await.expect_error(400, "INVALID_FIELD");
}

/// §9: 15/18-char id acceptance with checksum, canonical 18 in output.
#[tokio::test]
async fn ids_are_taken_in_15_and_18_characters() {
    let world = World::start().await;
    let id = world.create("ada@example.com", json!({})).await;
    assert_eq!(id.len(), 18);
    assert_eq!(world.user(&id[..15]).await["Id"], id);
    assert_eq!(world.user(&id.to_lowercase()).await["Id"], id, "18 characters bring their case back");
    let malformed = format!("{}!!!", &id[..15]);
    world.get(&format!("{USERS}/{malformed}")).await.expect_error(404, "NOT_FOUND");
    let wrong = format!("{}999", &id[..15]);
    let error = world.get(&format!("{USERS}/{wrong}")).await.expect_error(400, "MALFORMED_ID");
    assert_eq!(
        error,
        json!({"message": format!("malformed id {wrong}"), "errorCode": "MALFORMED_ID", "fields": []})
    );
    let never = world.get(&format!("{USERS}/005000000000000AAA")).await;
    assert_eq!(never.expect_error(404, "NOT_FOUND")["message"], "The requested resource does not exist");
    let token = world.get(&format!("{USERS}/nobody")).await.expect_error(404, "NOT_FOUND");
    assert_eq!(token["message"], "Provided external ID field does not exist or is not accessible: nobody");
}

/// §9: null vs missing vs empty string; trailing-space trim.
#[tokio::test]
async fn null_and_empty_clear_and_absent_leaves_alone() {
    let world = World::start().await;
    let id = world
        .create("ada@example.com", json!({"Title": "Analyst  ", "City": "London", "Division": " x "}))
        .await;
    let user = world.user(&id).await;
    assert_eq!((&user["Title"], &user["Division"]), (&json!("Analyst"), &json!(" x")));
    assert_eq!(user["Address"]["city"], "London");
    let answer = world.patch(&format!("{USERS}/{id}"), json!({"Title": null, "City": ""})).await;
    assert_eq!((answer.status, answer.text.as_str(), answer.header("content-type")), (204, "", ""));
    let user = world.user(&id).await;
    assert_eq!((&user["Title"], &user["City"], &user["Address"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(user["FirstName"], "Ada");
    let error = world.patch(&format!("{USERS}/{id}"), json!({"LastName": ""})).await;
    assert_eq!(error.expect_error(400, "REQUIRED_FIELD_MISSING")["fields"], json!(["LastName"]));
    world
        .patch(&format!("{USERS}/{id}"), json!({"IsActive": null}))
        .await
        .expect_error(400, "INVALID_TYPE_ON_FIELD_IN_RECORD");
}

/// §3.2: one error names all missing fields, in the recorded order.
/// §9: Required set.
#[tokio::test]
async fn an_empty_user_is_refused_with_all_nine_fields() {
    let world = World::start().await;
    let error = world.post(USERS, json!({})).await.expect_error(400, "REQUIRED_FIELD_MISSING");
    let fields = [
        "Username",
        "LastName",
        "Email",
        "Alias",
        "TimeZoneSidKey",
        "LocaleSidKey",
        "EmailEncodingKey",
        "ProfileId",
        "LanguageLocaleKey",
    ];
    assert_eq!(error["message"], format!("Required fields are missing: [{}]", fields.join(", ")));
    assert_eq!(error["fields"], json!(fields));
}

/// §9: createable/updateable/nillable/length/restricted enforcement; email syntax check; prefix validation
/// (`MALFORMED_ID` vs `INVALID_CROSS_REFERENCE_KEY`).
#[tokio::test]
async fn wrong_values_are_refused_in_salesforces_words() {
    let world = World::start().await;
    let person = world.person("ada@example.com").await;
    for (change, code, message, fields) in [
        (
            json!({"Alias": "abcdefghij"}),
            "STRING_TOO_LONG",
            "Alias: data value too large: abcdefghij (max length=8)",
            json!(["Alias"]),
        ),
        (
            json!({"JigsawImportLimitOverride": 1_000_000_000}),
            "NUMBER_OUTSIDE_VALID_RANGE",
            "Jigsaw Import Limit Override: value outside of valid range on numeric field: 1000000000.0",
            json!(["JigsawImportLimitOverride"]),
        ),
        (
            json!({"Latitude": 1000}),
            "NUMBER_OUTSIDE_VALID_RANGE",
            "Latitude: value outside of valid range on numeric field: 1000.0",
            json!(["Latitude"]),
        ),
        (
            json!({"TimeZoneSidKey": "Mars/Base"}),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "Time Zone: bad value for restricted picklist field: Mars/Base",
            json!(["TimeZoneSidKey"]),
        ),
        (
            json!({"LocaleSidKey": "en-US"}),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "Locale: bad value for restricted picklist field: en-US",
            json!(["LocaleSidKey"]),
        ),
        (
            json!({"LanguageLocaleKey": "en"}),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "Language: bad value for restricted picklist field: en",
            json!(["LanguageLocaleKey"]),
        ),
        (
            json!({"Email": "not an email"}),
            "INVALID_EMAIL_ADDRESS",
            "Email: invalid email address: not an email",
            json!(["Email"]),
        ),
        (
            json!({"Username": "ada"}),
            "FIELD_INTEGRITY_EXCEPTION",
            "Username must be in the form of an email address (for example, john@acme.com): Username",
            json!(["Username"]),
        ),
        (json!({"ProfileId": "00eXX"}), "MALFORMED_ID", "malformed id 00eXX", json!([])),
        (
            json!({"ManagerId": "003000000000000AAA"}),
            "MALFORMED_ID",
            "Manager ID: id value of incorrect type: 003000000000000AAA",
            json!(["ManagerId"]),
        ),
        (
            json!({"ProfileId": "00e000000000000AAA"}),
            "INVALID_CROSS_REFERENCE_KEY",
            "invalid cross reference id",
            json!([]),
        ),
        (
            json!({"UserRoleId": "00E00000000000aAAA"}),
            "MALFORMED_ID",
            "malformed id 00E00000000000aAAA",
            json!([]),
        ),
        (
            json!({"UserRoleId": "00E000000000000EAA"}),
            "INVALID_CROSS_REFERENCE_KEY",
            "invalid cross reference id",
            json!([]),
        ),
    ] {
        let error = world.post(USERS, with(person.clone(), change.clone())).await.expect_error(400, code);
        assert_eq!((&error["message"], &error["fields"]), (&json!(message), &fields), "{change}");
    }
    assert_eq!(world.sim.handle().count("User"), 2, "nothing was created");
}

/// §6 of the recorded shapes: an unknown field has no `fields`; a read-only one is named.
#[tokio::test]
async fn unknown_and_read_only_fields_are_refused() {
    let world = World::start().await;
    let person = world.person("ada@example.com").await;
    let unknown = world.post(USERS, with(person.clone(), json!({"Foo__c": 1}))).await;
    let expected =
        r#"[{"message":"No such column 'Foo__c' on sobject of type User","errorCode":"INVALID_FIELD"}]"#;
    assert_eq!(unknown.text, expected);
    let hidden = world.post(USERS, with(person.clone(), json!({"MiddleName": "King"}))).await;
    hidden.expect_error(400, "INVALID_FIELD");
    let read_only = world
        .post(USERS, with(person.clone(), json!({"Name": "x", "LastLoginDate": "2026-01-01T00:00:00Z"})))
        .await;
    let error = read_only.expect_error(400, "INVALID_FIELD_FOR_INSERT_UPDATE");
    assert_eq!(error["fields"], json!(["Name", "LastLoginDate"]));
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .starts_with("Unable to create/update fields: Name, LastLoginDate. Please")
    );
    let id = world.create("bob@example.com", json!({})).await;
    let error =
        world.patch(&format!("{USERS}/{id}"), json!({"Id": id})).await.expect_error(400, "INVALID_FIELD");
    assert_eq!(error["message"], "The Id field should not be specified in the sobject data.");
}

/// §2.4: `"true"` is no boolean.
#[tokio::test]
async fn wrong_json_types_are_parser_errors_with_their_place() {
    let world = World::start().await;
    let id = world.create("ada@example.com", json!({})).await;
    let path = format!("{USERS}/{id}");
    let error = world.patch(&path, json!({"IsActive": "true"})).await.expect_error(400, "JSON_PARSER_ERROR");
    assert_eq!(
        error,
        json!({
            "message": "Cannot deserialize instance of boolean from VALUE_STRING value true or request may be missing \
                        a required field at [line:1, column:13]",
            "errorCode": "JSON_PARSER_ERROR",
        })
    );
    for body in
        [json!({"Title": ["x"]}), json!({"Title": {"x": 1}}), json!({"Title": true}), json!({"IsActive": 1})]
    {
        world.patch(&path, body).await.expect_error(400, "JSON_PARSER_ERROR");
    }
    world.patch(&path, json!({"EmployeeNumber": 1815})).await.expect(204);
    assert_eq!(world.user(&id).await["EmployeeNumber"], "1815");
    world.control("/switches", json!({"numbers-as-text": false})).await;
    world.patch(&path, json!({"EmployeeNumber": 1815})).await.expect_error(400, "JSON_PARSER_ERROR");
}

/// §9: case-insensitive names in paths, bodies and SOQL; canonical case in answers.
#[tokio::test]
async fn names_are_taken_in_any_case() {
    let world = World::start().await;
    let id = world.create("ada@example.com", json!({})).await;
    world.patch(&format!("{V}/sobjects/USER/{id}"), json!({"title": "Analyst"})).await.expect(204);
    let rows = world.query(&format!("select TITLE from user where ID = '{id}'")).await;
    assert_eq!(rows[0]["Title"], "Analyst");
    assert_eq!(rows[0]["attributes"]["type"], "User");
}

/// §9: system fields at second precision; `SystemModstamp` never goes back.
#[tokio::test]
async fn every_write_moves_the_modification_stamp() {
    let world = World::start().await;
    let id = world.create("ada@example.com", json!({})).await;
    let first = world.user(&id).await;
    let stamp = first["SystemModstamp"].as_str().unwrap();
    assert!(stamp.ends_with(".000+0000") && stamp.len() == 28, "{stamp}");
    assert_eq!(first["CreatedDate"], first["LastModifiedDate"]);
    world.control("/clock", json!({"advance_seconds": 90})).await;
    world.patch(&format!("{USERS}/{id}"), json!({"Title": "x"})).await.expect(204);
    let second = world.user(&id).await;
    assert_eq!(second["CreatedDate"], first["CreatedDate"]);
    assert!(second["SystemModstamp"].as_str().unwrap() > stamp);
    assert_eq!(second["LastModifiedById"], second["CreatedById"]);
}

/// §9: upsert 201/200 with `created`, `updateOnly`, ext id in body rejected, percent-decoding.
#[tokio::test]
async fn upsert_by_a_key() {
    let world = World::start().await;
    let path = |key: &str| format!("{USERS}/FederationIdentifier/{key}");
    let person = world.person("ada@example.com").await;
    let created = world.patch(&path("a%2Fb"), person.clone()).await;
    assert!(created.header("location").starts_with(USERS));
    let body = created.expect(201);
    let id = body["id"].as_str().unwrap();
    assert_eq!(body, json!({"id": id, "success": true, "errors": [], "created": true}));
    assert_eq!(world.user(id).await["FederationIdentifier"], "a/b");
    let updated = world.patch(&path("a%2Fb"), json!({"Title": "x"})).await.expect(200);
    assert_eq!(updated, json!({"id": id, "success": true, "errors": [], "created": false}));
    let repeated = world.patch(&path("a%2Fb"), json!({"FederationIdentifier": "a/b"})).await;
    repeated.expect_error(400, "INVALID_FIELD");
    world
        .patch(&format!("{}?updateOnly=true", path("none")), json!({"Title": "x"}))
        .await
        .expect_error(404, "NOT_FOUND");
    let key = world.patch(&format!("{USERS}/Title/x"), json!({})).await.expect_error(404, "NOT_FOUND");
    assert_eq!(key["message"], "Provided external ID field does not exist or is not accessible: Title");
}

/// §9: 300 list when a key is not unique.
#[tokio::test]
async fn a_key_that_several_records_have_is_300() {
    let world = World::start().await;
    let ids = [
        world.create("a@example.com", json!({"Email": "same@example.com"})).await,
        world.create("b@example.com", json!({"Email": "same@example.com"})).await,
    ];
    let urls = json!(ids.map(|id| format!("{USERS}/{id}")));
    assert_eq!(world.get(&format!("{USERS}/Email/Same@example.com")).await.expect(300), urls);
    assert_eq!(
        world.patch(&format!("{USERS}/Email/same@example.com"), json!({"Title": "x"})).await.expect(300),
        urls
    );
    let one = world.get(&format!("{USERS}/Username/A@example.com")).await.expect(200);
    assert_eq!(one["Username"], "a@example.com");
    world.get(&format!("{USERS}/Username/c@example.com")).await.expect_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn post_with_http_method_patch_is_a_patch() {
    let world = World::start().await;
    let id = world.create("ada@example.com", json!({})).await;
    world.post(&format!("{USERS}/{id}?_HttpMethod=PATCH"), json!({"Title": "x"})).await.expect(204);
    assert_eq!(world.user(&id).await["Title"], "x");
}

/// §9: parent by external id.
#[tokio::test]
async fn a_parent_can_be_named_by_its_key() {
    let world = World::start().await;
    let boss = world.create("boss@example.com", json!({})).await;
    let id = world.create("ada@example.com", json!({"Manager": {"Username": "boss@example.com"}})).await;
    assert_eq!(world.user(&id).await["ManagerId"], boss);
    let error =
        world.patch(&format!("{USERS}/{id}"), json!({"Manager": {"Username": "no@example.com"}})).await;
    let message = "Foreign key external ID: no@example.com not found for field Username in entity User";
    assert_eq!(error.expect_error(400, "INVALID_FIELD")["message"], message);
    world
        .patch(&format!("{USERS}/{id}"), json!({"Profile": {"Name": "x"}}))
        .await
        .expect_error(400, "INVALID_FIELD");
}

#[tokio::test]
async fn objects_that_cannot_be_written_refuse() {
    let world = World::start().await;
    let error = world.post(&format!("{V}/sobjects/Profile"), json!({"Name": "x"})).await;
    error.expect_error(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY");
    let licence = world.query("SELECT Id FROM UserLicense").await;
    let path = format!("{V}/sobjects/UserLicense/{}", licence[0]["Id"].as_str().unwrap());
    world.patch(&path, json!({"Name": "x"})).await.expect_error(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY");
    let role = world.post(&format!("{V}/sobjects/UserRole"), json!({"Name": "Pilot"})).await.expect(201);
    let path = format!("{V}/sobjects/UserRole/{}", role["id"].as_str().unwrap());
    world.delete(&path).await.expect(204);
    world.get(&path).await.expect_error(404, "NOT_FOUND");
    let used = world.query("SELECT Id FROM UserRole WHERE Name = 'CEO'").await;
    let path = format!("{V}/sobjects/UserRole/{}", used[0]["Id"].as_str().unwrap());
    world.delete(&path).await.expect_error(400, "DELETE_FAILED");
}

/// §9: unique custom fields, configurable hidden fields.
#[tokio::test]
async fn custom_and_hidden_fields_come_from_the_org_file() {
    let world = World::from_file(
        "hidden-fields = [\"User.Division\"]\nshown-fields = [\"User.MiddleName\"]\n\
         [[fields]]\nobject = \"User\"\nname = \"Badge__c\"\nlength = 10\nunique = true\nexternal-id = true\n\
         [[fields]]\nobject = \"User\"\nname = \"Start__c\"\ntype = \"date\"",
    )
    .await;
    let first = world
        .create("a@example.com", json!({"Badge__c": "B-1", "MiddleName": "King", "Start__c": "2026-02-01"}))
        .await;
    let read = world.get(&format!("{USERS}/Badge__c/b-1")).await.expect(200);
    assert_eq!((&read["Id"], &read["Start__c"]), (&json!(first), &json!("2026-02-01")));
    assert!(read.get("Division").is_none());
    let second = with(world.person("b@example.com").await, json!({"Badge__c": "b-1"}));
    let error = world.post(USERS, second).await.expect_error(400, "DUPLICATE_VALUE");
    let message =
        format!("duplicate value found: Badge__c duplicates value on record with id: {}", &first[..15]);
    assert_eq!(error["message"], message);
    let rows = world.query("SELECT Id FROM User WHERE Start__c > 2026-01-31").await;
    assert_eq!(rows.len(), 1);
    world
        .patch(&format!("{USERS}/{first}"), json!({"Start__c": "soon"}))
        .await
        .expect_error(400, "JSON_PARSER_ERROR");
}

#[tokio::test]
async fn a_head_request_has_no_body() {
    let world = World::start().await;
    let id = world.create("ada@example.com", json!({})).await;
    let answer = world.send(world.request(Method::HEAD, &format!("{USERS}/{id}"))).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
}

/// §9: Parent-by-external-id resolution; ambiguity.
#[tokio::test]
async fn a_reference_can_be_a_key_of_the_other_record() {
    let world = World::from_file(
        "[[fields]]\nobject = \"Account\"\nname = \"ERP__c\"\nexternal-id = true\n\
         [[fields]]\nobject = \"Account\"\nname = \"Size__c\"\ntype = \"double\"\nexternal-id = true\n",
    )
    .await;
    let accounts = format!("{V}/sobjects/Account");
    let contacts = format!("{V}/sobjects/Contact");
    let account = world.post(&accounts, json!({"Name": "A", "ERP__c": "42"})).await.expect(201)["id"].clone();
    for _ in 0..2 {
        world.post(&accounts, json!({"Name": "B", "ERP__c": "7"})).await.expect(201);
    }
    let contact = |account: Value| json!({"LastName": "x", "Account": account});
    let id = world.post(&contacts, contact(json!({"ERP__c": "42"}))).await.expect(201)["id"].clone();
    let path = format!("{contacts}/{}", id.as_str().unwrap());
    assert_eq!(world.get(&path).await.expect(200)["AccountId"], account);
    for (body, code, message) in [
        (
            contact(json!({"ERP__c": "43"})),
            "INVALID_FIELD",
            "Foreign key external ID: 43 not found for field ERP__c in entity Account",
        ),
        (
            contact(json!({"ERP__c": "7"})),
            "DUPLICATE_EXTERNAL_ID",
            "more than one record found for external id field: [",
        ),
        (
            contact(json!({"Nope__c": "7"})),
            "INVALID_FIELD",
            "No such column 'Nope__c' on sobject of type Account",
        ),
        (
            contact(json!({"ERP__c": "42", "Size__c": 1})),
            "INVALID_FIELD",
            "More than one field provided in an External Foreign Key",
        ),
        (
            json!({"LastName": "x", "Account": {"ERP__c": "42"}, "AccountId": account}),
            "INVALID_FIELD",
            "Cannot specify both an external ID reference Account and a salesforce id, AccountId",
        ),
        (
            json!({"LastName": "x", "Company": "y", "Owner": {"Username": "integration@harbour-lights.example"}}),
            "INVALID_FIELD",
            "The relationship of OwnerId leads to several types",
        ),
    ] {
        let path =
            if body.get("Company").is_some() { format!("{V}/sobjects/Lead") } else { contacts.clone() };
        let error = world.post(&path, body.clone()).await.expect_error(400, code);
        assert!(error["message"].as_str().unwrap().starts_with(message), "{body}: {error}");
    }
    let owner = json!({"attributes": {"type": "User"}, "Username": "admin@harbour-lights.example"});
    let lead = json!({"LastName": "x", "Company": "y", "Owner": owner});
    world.post(&format!("{V}/sobjects/Lead"), lead).await.expect(201);
    world.patch(&path, json!({"Account": null})).await.expect(204);
    assert_eq!(world.get(&path).await.expect(200)["AccountId"], Value::Null);
    // A number can be a key too, in a path as well.
    let created = world.patch(&format!("{accounts}/Size__c/1.5"), json!({"Name": "C"})).await.expect(201);
    assert_eq!(created["created"], true);
    let again = world.patch(&format!("{accounts}/size__c/1.5"), json!({"Name": "D"})).await.expect(200);
    assert_eq!(again["id"], created["id"]);
}

/// §2.4: upsert via Id; the id of a record that is not there is no new record.
#[tokio::test]
async fn upsert_by_id() {
    let world = World::start().await;
    let created = world.post(&format!("{USERS}/Id"), world.person("ada@example.com").await).await.expect(201);
    let path = format!("{USERS}/Id/{}", created["id"].as_str().unwrap());
    let updated = world.patch(&path, json!({"Title": "x"})).await.expect(200);
    assert_eq!(updated, json!({"id": created["id"], "success": true, "errors": [], "created": false}));
    world.patch(&format!("{USERS}/Id/005000000000000AAA"), json!({})).await.expect_error(404, "NOT_FOUND");
}

/// §2.4: type errors name Salesforce's own types; text that is a number is taken.
#[tokio::test]
async fn numbers_days_and_instants_are_read_strictly() {
    let world = World::from_file(
        "[[fields]]\nobject = \"Contact\"\nname = \"Score__c\"\ntype = \"percent\"\n\
         [[fields]]\nobject = \"Contact\"\nname = \"Fee__c\"\ntype = \"currency\"\n\
         [[fields]]\nobject = \"Contact\"\nname = \"Seen__c\"\ntype = \"datetime\"\n\
         [[fields]]\nobject = \"Contact\"\nname = \"Tags__c\"\ntype = \"multipicklist\"\nrestricted = true\nvalues = [\"a\", \"b\", \"c\"]\n",
    )
    .await;
    let contacts = format!("{V}/sobjects/Contact");
    let good = json!({
        "LastName": "x", "Score__c": "12.5", "Fee__c": 3, "Seen__c": "2026-03-27T18:33:56+02:00",
        "Birthdate": "1990-04-01", "Tags__c": "a;c",
    });
    let id = world.post(&contacts, good).await.expect(201)["id"].as_str().unwrap().to_owned();
    let path = format!("{contacts}/{id}");
    let row = world.get(&path).await.expect(200);
    assert_eq!((&row["Score__c"], &row["Fee__c"]), (&json!(12.5), &json!(3.0)));
    assert_eq!((&row["Birthdate"], &row["Tags__c"]), (&json!("1990-04-01"), &json!("a;c")));
    assert_eq!(row["Seen__c"], "2026-03-27T16:33:56.000+0000");
    for (name, value, kind) in [
        ("Score__c", json!("much"), "percent"),
        ("Fee__c", json!("1,000.00"), "currency"),
        ("Fee__c", json!(true), "currency"),
        ("Birthdate", json!("1990-04-01T00:00:00Z"), "date"),
        ("Birthdate", json!("01/04/1990"), "date"),
        ("Seen__c", json!("2026-03-27"), "datetime"),
    ] {
        let error = world.patch(&path, json!({name: value})).await.expect_error(400, "JSON_PARSER_ERROR");
        let start = format!("Cannot deserialize instance of {kind} from VALUE_");
        assert!(error["message"].as_str().unwrap().starts_with(&start), "{name} {value}: {error}");
    }
    let error = world.patch(&path, json!({"Tags__c": "a;d"})).await;
    let error = error.expect_error(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
    assert_eq!(error["message"], "Tags: bad value for restricted picklist field: d");
    let long = "é".repeat(32_001);
    world.patch(&path, json!({"Description": long})).await.expect_error(400, "STRING_TOO_LONG");
    world.patch(&path, json!({"Description": "é".repeat(32_000)})).await.expect(204);
    world.control("/switches", json!({"text-as-numbers": false})).await;
    world.patch(&path, json!({"Score__c": "12.5"})).await.expect_error(400, "JSON_PARSER_ERROR");
}
