//! §9 "Users": portal users.

use serde_json::{Value, json};

use crate::world::{V, World, with};

const CONTACTS: &str = "/services/data/v66.0/sobjects/Contact";
const ACCOUNTS: &str = "/services/data/v66.0/sobjects/Account";
const USERS: &str = "/services/data/v66.0/sobjects/User";

const PLUS: &str = "
[[licences]]
name = \"Customer Community Plus\"
key = \"PID_Customer_Community_Plus\"
total = 10
[[profiles]]
name = \"Customer Community Plus User\"
licence = \"Customer Community Plus\"
user-type = \"PowerCustomerSuccess\"
";

async fn make(world: &World, path: &str, body: Value) -> String {
    world.post(path, body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

/// A body for the user who is this contact.
async fn portal_user(world: &World, username: &str, contact: &str) -> Value {
    let profile = world.profile("Customer Community User").await;
    with(world.person(username).await, json!({"ContactId": contact, "ProfileId": profile}))
}

/// §9: Portal user: `ContactId` needs `AccountId`.
#[tokio::test]
async fn a_contact_becomes_a_user_only_with_an_account_and_a_portal_profile() {
    let world = World::start().await;
    let account = make(&world, ACCOUNTS, json!({"Name": "Engines"})).await;
    let contact = make(&world, CONTACTS, json!({"LastName": "Lovelace"})).await;
    let body = portal_user(&world, "ada@example.com", &contact).await;
    let error = world.post(USERS, body.clone()).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    assert_eq!(error["fields"], json!(["ContactId"]));
    world.patch(&format!("{CONTACTS}/{contact}"), json!({"AccountId": account})).await.expect(204);
    let internal = with(world.person("ada@example.com").await, json!({"ContactId": contact}));
    world.post(USERS, internal).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    let without = with(body.clone(), json!({"ContactId": null}));
    world.post(USERS, without).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    let id = make(&world, USERS, body).await;
    let user = world.user(&id).await;
    assert_eq!((&user["AccountId"], &user["ContactId"]), (&json!(account), &json!(contact)));
    assert_eq!((&user["IsPortalEnabled"], &user["UserType"]), (&json!(true), &json!("CspLitePortal")));
    let rows = world.query("SELECT Contact.LastName, Account.Name FROM User WHERE ContactId != null").await;
    assert_eq!(
        (&rows[0]["Contact"]["LastName"], &rows[0]["Account"]["Name"]),
        (&json!("Lovelace"), &json!("Engines"))
    );
    // The link is for life; the account is that of the contact.
    let path = format!("{USERS}/{id}");
    let error = world.patch(&path, json!({"ContactId": null})).await;
    error.expect_error(400, "INVALID_FIELD_FOR_INSERT_UPDATE");
    let other = make(&world, ACCOUNTS, json!({"Name": "Other"})).await;
    world.patch(&format!("{CONTACTS}/{contact}"), json!({"AccountId": other})).await.expect(204);
    assert_eq!(world.user(&id).await["AccountId"], json!(other));
}

/// §9: `PORTAL_USER_ALREADY_EXISTS_FOR_CONTACT`.
#[tokio::test]
async fn a_contact_is_one_user() {
    let world = World::start().await;
    let account = make(&world, ACCOUNTS, json!({"Name": "Engines"})).await;
    let contact = make(&world, CONTACTS, json!({"LastName": "Lovelace", "AccountId": account})).await;
    let first = make(&world, USERS, portal_user(&world, "a@example.com", &contact).await).await;
    let second = portal_user(&world, "b@example.com", &contact).await;
    let error = world.post(USERS, second.clone()).await;
    let error = error.expect_error(400, "PORTAL_USER_ALREADY_EXISTS_FOR_CONTACT");
    assert_eq!(error["message"], "portal user already exists for contact");
    // Inactive, he is still the contact's user; his other fields can be changed.
    world.patch(&format!("{USERS}/{first}"), json!({"IsActive": false, "Title": "x"})).await.expect(204);
    world.post(USERS, second).await.expect_error(400, "PORTAL_USER_ALREADY_EXISTS_FOR_CONTACT");
}

/// §9: contact delete blocked.
#[tokio::test]
async fn a_contact_with_a_portal_user_cannot_be_deleted() {
    let world = World::start().await;
    let account = make(&world, ACCOUNTS, json!({"Name": "Engines"})).await;
    let body = json!({"FirstName": "Ada", "LastName": "Lovelace", "AccountId": account});
    let contact = make(&world, CONTACTS, body).await;
    let user = make(&world, USERS, portal_user(&world, "a@example.com", &contact).await).await;
    let path = format!("{CONTACTS}/{contact}");
    let error = world.delete(&path).await.expect_error(400, "DELETE_FAILED");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.starts_with(
            "Your attempt to delete Ada Lovelace could not be completed because it is associated with the \
             following portal users.: "
        ),
        "{message}"
    );
    // That the user may not log in changes nothing.
    let user = format!("{USERS}/{user}");
    world.patch(&user, json!({"IsActive": false})).await.expect(204);
    world.delete(&path).await.expect_error(400, "DELETE_FAILED");
    // Switching the portal user off is for ever, and frees the contact.
    world.patch(&user, json!({"IsPortalEnabled": false})).await.expect(204);
    let switched_off = world.get(&user).await.expect(200);
    for field in ["ContactId", "AccountId"] {
        assert_eq!(switched_off[field], Value::Null, "{field}");
    }
    for back in [json!({"IsActive": true}), json!({"IsPortalEnabled": true})] {
        world.patch(&user, back).await.expect_error(400, "FIELD_INTEGRITY_EXCEPTION");
    }
    world.patch(&user, json!({"Title": "was here"})).await.expect(204);
    world.delete(&path).await.expect(204);
}

/// Whoever comes back is a new user, with another name.
#[tokio::test]
async fn a_contact_whose_portal_user_was_switched_off_can_be_a_user_again() {
    let world = World::start().await;
    let account = make(&world, ACCOUNTS, json!({"Name": "Engines"})).await;
    let contact = make(&world, CONTACTS, json!({"LastName": "Lovelace", "AccountId": account})).await;
    let body = portal_user(&world, "a@example.com", &contact).await;
    let first = make(&world, USERS, body.clone()).await;
    world.patch(&format!("{USERS}/{first}"), json!({"IsPortalEnabled": false})).await.expect(204);
    assert_eq!(world.user(&first).await["IsActive"], false);
    world.post(USERS, body.clone()).await.expect_error(400, "DUPLICATE_USERNAME");
    make(&world, USERS, with(body, json!({"Username": "a2@example.com"}))).await;
}

/// §3.2: the owner of a partner's or customer's account has a role.
#[tokio::test]
async fn the_owner_of_a_portal_account_needs_a_role() {
    let world = World::from_file(PLUS).await;
    let account = make(&world, ACCOUNTS, json!({"Name": "Engines"})).await;
    let contact = make(&world, CONTACTS, json!({"LastName": "Lovelace", "AccountId": account})).await;
    let profile = world.profile("Customer Community Plus User").await;
    let body = with(portal_user(&world, "a@example.com", &contact).await, json!({"ProfileId": profile}));
    let error = world.post(USERS, body.clone()).await.expect_error(400, "UNKNOWN_EXCEPTION");
    assert_eq!(error["message"], "portal account owner must have a role");
    let admin = world.sim.handle().user("admin@harbour-lights.example").unwrap()["Id"].clone();
    world.patch(&format!("{ACCOUNTS}/{account}"), json!({"OwnerId": admin})).await.expect(204);
    world.post(USERS, body).await.expect(201);
}

/// §4.4: a record type that the running user's profile does not have.
#[tokio::test]
async fn record_types_are_for_some_profiles() {
    let world = World::from_file(
        "[[record-types]]\nobject = \"Lead\"\nname = \"Business\"\ndefault = true\n\
         [[record-types]]\nobject = \"Lead\"\nname = \"Private\"\nprofiles = [\"Standard User\"]\n",
    )
    .await;
    let leads = format!("{V}/sobjects/Lead");
    let rows = world
        .query("SELECT Id, DeveloperName FROM RecordType WHERE SobjectType = 'Lead' ORDER BY Name")
        .await;
    let (business, private) = (rows[0]["Id"].clone(), rows[1]["Id"].clone());
    let body = json!({"LastName": "Lovelace", "Company": "Engines"});
    let id = make(&world, &leads, body.clone()).await;
    let lead = world.get(&format!("{leads}/{id}")).await.expect(200);
    assert_eq!(lead["RecordTypeId"], business);
    let error = world.post(&leads, with(body, json!({"RecordTypeId": private}))).await;
    let error = error.expect_error(400, "INVALID_CROSS_REFERENCE_KEY");
    let id = private.as_str().unwrap();
    assert_eq!(error["message"], format!("Record Type ID: this ID value isn't valid for the user: {id}"));
    let describe = world.get(&format!("{leads}/describe")).await.expect(200);
    let infos = describe["recordTypeInfos"].as_array().unwrap();
    let shown: Vec<_> = infos
        .iter()
        .map(|i| {
            (
                i["developerName"].as_str().unwrap(),
                i["available"].as_bool().unwrap(),
                i["defaultRecordTypeMapping"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(shown, [("Business", true, true), ("Private", false, false), ("Master", true, false)]);
    // An object without record types has no such field.
    let error = world.post(CONTACTS, json!({"LastName": "L", "RecordTypeId": business})).await;
    error.expect_error(400, "INVALID_FIELD");
}
