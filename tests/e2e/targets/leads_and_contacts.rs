//! What `PingOne`'s Salesforce Leads and Contacts connectors offer, and where they stop.
//!
//! | their option or limit | here | story |
//! |---|---|---|
//! | `RECORD_TYPE`: leads or contacts, a connector each | any number of targets | `leads_and_contacts_need_no_connector_each` |
//! | `CREATE_USERS` | `allow = ["create"]` | `a_target_may_only_create` |
//! | `UPDATE_USERS` | `allow = ["update"]` | `a_target_may_only_update` |
//! | `DISABLE_USERS`, for people who do not log in | `on-leave = "flag"` or `"anonymise"` | `who_leaves_can_be_flagged_and_unflagged`, `who_leaves_can_be_made_nobody` |
//! | "Record delete" is off by default | `allow`, `on-leave` | `nothing_is_deleted_unless_it_is_allowed`, `a_target_may_only_delete` |
//! | `PROVISION_DISABLED_USERS` | `when` | `disabled_people_are_provisioned_or_not_as_the_rule_says` |
//! | attributes cannot be cleared | they can | `every_way_of_clearing_clears` |
//! | a contact that became a portal user cannot be deleted | the user goes first | `a_contact_that_became_a_portal_user_can_go` |
//! | deprovisioning does not unlink a customer user from its contact | it does when the contact goes | the same |
//! | a portal user that somebody else made blocks the delete | said, and owed | `a_contact_with_somebody_elses_portal_user_is_no_dead_end` |
//! | a converted lead cannot be updated | its contact is | `a_lead_that_was_converted_by_hand_is_followed_to_its_contact`, `.._without_a_contact_target_is_no_dead_end` |
//! | a converted lead can be deleted | who goes, goes | `somebody_whose_lead_was_converted_can_go` |
//! | a new lead with the e-mail of a converted one fails | it is made | `a_new_lead_may_have_the_address_of_a_converted_one` |
//! | `ENABLE_COMMUNITIES`, `ACCOUNT_ID`, `PROFILE_ID` | `ContactId = { link = .. }`, fields | [`super::moves`] |
//! | the org's duplicate rules decide | `duplicates` | `duplicate_rules_are_respected_overruled_or_followed` |
//! | - | `record-type` | `a_target_has_its_record_type` |
//! | - | adoption by key, holds | `somebody_who_was_there_before_is_taken_over`, `two_matches_are_for_a_person_to_decide` |
//! | - | `when-deleted` | `a_record_that_was_deleted_by_hand_is_made_anew_or_held` |
//! | - | assignment rules only where asked for | `assignment_rules_run_only_where_they_are_asked_for`, `a_queue_can_own_a_lead` |
//!
//! Refresh tokens that expire, their other limit, are in `tokens.rs`.

use e2e::{Org, Scene, World, tool::person};
use serde_json::{Value, json};

use super::{
    GANGWAY, ORG, PROMOTIONS, active_users, calls, command, contacts, leads, open_leads, replace, set_title,
    someone, text, warned,
};
use crate::faults::{listed, until};

const ADA: &str = "ada@acme.example";
const ALL: &str =
    "match = [\"Email\"]\nallow = [\"create\", \"update\", \"delete\"]\non-leave = \"delete\"\n";

async fn told(mapping: &str) -> World {
    World::of_scene(&Scene::new(mapping, ORG), |_| ()).await
}

async fn ada_as(org: &Org, object: &str) -> serde_json::Map<String, Value> {
    org.one(object, "Email", ADA).await
}

#[tokio::test(flavor = "multi_thread")]
async fn leads_and_contacts_need_no_connector_each() {
    let keys = "allow = [\"create\", \"update\"]\nduplicates = \"allow\"";
    let world = told(&format!("{}{}", leads(keys), contacts(keys))).await;
    let (tool, org) = (world.tool(), world.org());
    let id = tool.create(ADA).await.expect(201).id();
    for object in ["Lead", "Contact"] {
        assert_eq!(text(&ada_as(&org, object).await, "GangwayId__c"), id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_may_only_create() {
    for (object, mapping) in
        [("Lead", leads("allow = [\"create\"]")), ("Contact", contacts("allow = [\"create\"]"))]
    {
        let world = told(&mapping).await;
        let (tool, org) = (world.tool(), world.org());
        let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
        let changed = tool.patch(&path, set_title("Countess")).await.expect(200);
        warned(&changed, "update-not-allowed");
        assert_eq!(ada_as(&org, object).await["Title"], Value::Null);
        let _ = tool.delete(&path).await.expect(204);
        let _ = ada_as(&org, object).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_may_only_update() {
    let keys = "match = [\"Email\"]\nallow = [\"update\"]";
    for (object, mapping) in [("Lead", leads(keys)), ("Contact", contacts(keys))] {
        let world = told(&mapping).await;
        let (tool, org) = (world.tool(), world.org());
        let made = tool.create(ADA).await.expect(201);
        warned(&made, "no-match");
        assert!(org.records(object).await.is_empty());
        let mut known = json!({"LastName": "Known", "Email": "ADA@acme.example"});
        if object == "Lead" {
            known["Company"] = json!("Engines");
        }
        let known = org.make(object, &known).await;
        let path = format!("/Users/{}", made.id());
        let _ = tool.patch(&path, set_title("Countess")).await.expect(200);
        let record = org.one(object, "Id", &known).await;
        assert_eq!((text(&record, "Title"), text(&record, "LastName")), ("Countess", "ada"));
        let _ = tool.delete(&path).await.expect(204);
        let _ = org.one(object, "Id", &known).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_may_only_delete() {
    let keys = "match = [\"Email\"]\nallow = [\"delete\"]\non-leave = \"delete\"";
    let world = told(&contacts(keys)).await;
    let (tool, org) = (world.tool(), world.org());
    let known = org.make("Contact", &json!({"LastName": "Known", "Email": ADA})).await;
    let made = tool.create(ADA).await.expect(201);
    let path = format!("/Users/{}", made.id());
    let _ = tool.patch(&path, set_title("Countess")).await.expect(200);
    assert_eq!(org.one("Contact", "Id", &known).await["Title"], Value::Null);
    let _ = tool.delete(&path).await.expect(204);
    assert!(org.records("Contact").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_unless_it_is_allowed() {
    for mapping in [
        contacts(""),
        contacts("allow = [\"create\", \"update\"]\non-leave = \"none\""),
        contacts("allow = [\"create\", \"update\", \"delete\"]"),
    ] {
        let world = told(&mapping).await;
        let (tool, org) = (world.tool(), world.org());
        let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
        let _ = tool.delete(&path).await.expect(204);
        let _ = tool.get(&path).await.expect(404);
        let _ = ada_as(&org, "Contact").await;
        // She comes back as a new identity, and gets her record again by its address or a new one, never an error.
        let _ = tool.create(ADA).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_can_be_flagged_and_unflagged() {
    let mapping = contacts(
        "when = 'user.active'\nallow = [\"create\", \"update\"]\non-leave = \"flag\"\nflag = { Left_Company__c = true, Department = \"Gone\" }",
    );
    let org =
        format!("{ORG}\n[[fields]]\nobject = \"Contact\"\nname = \"Left_Company__c\"\ntype = \"boolean\"\n");
    let world = World::of_scene(&Scene::new(&mapping, &org), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
    let id = text(&ada_as(&org, "Contact").await, "Id").to_owned();
    for _ in 0..2 {
        let _ = tool.patch(&path, replace("active", false)).await.expect(200);
        let gone = org.one("Contact", "Id", &id).await;
        assert_eq!((&gone["Left_Company__c"], &gone["Department"]), (&json!(true), &json!("Gone")));
        let _ = tool.patch(&path, replace("active", true)).await.expect(200);
        let back = org.one("Contact", "Id", &id).await;
        assert_eq!((&back["Left_Company__c"], &back["Department"]), (&json!(false), &Value::Null));
    }
    let _ = tool.delete(&path).await.expect(204);
    assert_eq!(org.one("Contact", "Id", &id).await["Left_Company__c"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_can_be_made_nobody() {
    let world = told(&contacts("allow = [\"create\", \"update\"]\non-leave = \"anonymise\"")).await;
    let (tool, org) = (world.tool(), world.org());
    let mut body = person(ADA);
    body["title"] = json!("Countess");
    let path = format!("/Users/{}", tool.post("/Users", &body).await.expect(201).id());
    let id = text(&ada_as(&org, "Contact").await, "Id").to_owned();
    let _ = tool.delete(&path).await.expect(204);
    let nobody = org.one("Contact", "Id", &id).await;
    for field in ["FirstName", "Email", "Title"] {
        assert_eq!(nobody[field], Value::Null, "{field}");
    }
    assert_ne!(nobody["LastName"], "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_people_are_provisioned_or_not_as_the_rule_says() {
    let mut disabled = person(ADA);
    disabled["active"] = json!(false);
    let world = told(&contacts("allow = [\"create\", \"update\"]")).await;
    let _ = world.tool().post("/Users", &disabled).await.expect(201);
    let _ = ada_as(&world.org(), "Contact").await;

    let world = told(&contacts("when = 'user.active'\nallow = [\"create\", \"update\"]")).await;
    let (tool, org) = (world.tool(), world.org());
    let id = tool.post("/Users", &disabled).await.expect(201).id();
    assert!(org.records("Contact").await.is_empty());
    let _ = tool.patch(&format!("/Users/{id}"), replace("active", true)).await.expect(200);
    let _ = ada_as(&org, "Contact").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_clearing_clears() {
    let keys = "allow = [\"create\", \"update\"]";
    for (object, mapping) in [("Lead", leads(keys)), ("Contact", contacts(keys))] {
        let world = told(&mapping).await;
        let (tool, org) = (world.tool(), world.org());
        let mut body = person(ADA);
        body["title"] = json!("Countess");
        body["phoneNumbers"] = json!([{"type": "work", "value": "+44 20 7946 0000"}]);
        let path = format!("/Users/{}", tool.post("/Users", &body).await.expect(201).id());
        assert_eq!(text(&ada_as(&org, object).await, "Phone"), "+44 20 7946 0000");
        for clearing in [
            json!([{"op": "remove", "path": "title"}]),
            json!([{"op": "replace", "path": "title", "value": ""}]),
            json!([{"op": "replace", "path": "title", "value": null}]),
            json!([{"op": "replace", "value": {"title": null}}]),
        ] {
            let _ = tool.patch(&path, set_title("Countess")).await.expect(200);
            assert_eq!(text(&ada_as(&org, object).await, "Title"), "Countess");
            let _ = tool.patch(&path, clearing.clone()).await.expect(200);
            assert_eq!(ada_as(&org, object).await["Title"], Value::Null, "{object} {clearing}");
        }
        let _ = tool
            .patch(&path, json!([{"op": "replace", "path": "phoneNumbers", "value": []}]))
            .await
            .expect(200);
        assert_eq!(ada_as(&org, object).await["Phone"], Value::Null);
        let _ = tool.put(&path, &body).await.expect(200);
        assert_eq!(text(&ada_as(&org, object).await, "Title"), "Countess");
        let _ = tool.put(&path, &person(ADA)).await.expect(200);
        let bare = ada_as(&org, object).await;
        assert_eq!((&bare["Title"], &bare["Phone"]), (&Value::Null, &Value::Null));
        // A record must have a last name: it keeps the one it has, or another that the answer names.
        let nameless =
            tool.patch(&path, json!([{"op": "remove", "path": "name.familyName"}])).await.expect(200);
        assert!(nameless.header("x-gangway-warnings").is_some(), "{}", nameless.text);
        assert_ne!(ada_as(&org, object).await["LastName"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_became_a_portal_user_can_go() {
    let world = told(PROMOTIONS).await;
    let (tool, org) = (world.tool(), world.org());
    let id = tool.post("/Users", &someone(ADA, "Customer")).await.expect(201).id();
    let _ = tool.patch(&format!("/Users/{id}"), replace("userType", "Partner")).await.expect(200);
    let user = text(&active_users(&org, ADA).await[0], "Id").to_owned();
    let _ = tool.delete(&format!("/Users/{id}")).await.expect(204);
    assert!(org.records("Contact").await.is_empty());
    let user = org.one("User", "Id", &user).await;
    assert_eq!((&user["IsActive"], &user["ContactId"]), (&json!(false), &Value::Null), "it is unlinked");
}

/// The user is none of ours, so that we do not switch it off: the person is gone from SCIM, and the operator is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_contact_with_somebody_elses_portal_user_is_no_dead_end() {
    let world =
        told(&format!("{}Account = {{ by = \"Code__c\", value = 'user.organization' }}\n", contacts(ALL)))
            .await;
    let (tool, org) = (world.tool(), world.org());
    let id = tool.post("/Users", &someone(ADA, "Customer")).await.expect(201).id();
    let contact = text(&ada_as(&org, "Contact").await, "Id").to_owned();
    let profile = org.profile("Customer Community User").await;
    let portal = org
        .make_user(
            &world.org_token().await,
            &json!({"Username": "portal@acme.example", "Email": ADA, "ContactId": contact, "ProfileId": profile}),
        )
        .await;
    let gone = tool.delete(&format!("/Users/{id}")).await;
    assert!([204, 409, 503].contains(&gone.status), "{}", gone.text);
    if gone.status != 204 {
        assert!(gone.text.contains("portal"), "the caller is told why: {}", gone.text);
    }
    assert_eq!(org.one("User", "Id", &portal).await["IsActive"], true);
    // Somebody switches the portal user off: what is owed is done, or done when it is asked for again.
    org.change("User", &portal, &json!({"IsPortalEnabled": false})).await;
    if gone.status != 204 {
        let _ = tool.delete(&format!("/Users/{id}")).await.expect(204);
    }
    let _ = tool.get(&format!("/Users/{id}")).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_was_converted_by_hand_is_followed_to_its_contact() {
    let world = told(PROMOTIONS).await;
    let (tool, org) = (world.tool(), world.org());
    let id = tool.post("/Users", &someone(ADA, "Prospect")).await.expect(201).id();
    let path = format!("/Users/{id}");
    let lead = text(&ada_as(&org, "Lead").await, "Id").to_owned();
    let contact = org.convert(&lead).await;
    let _ = tool.patch(&path, set_title("Countess")).await.expect(200);
    let followed = org.one("Contact", "Id", &contact).await;
    assert_eq!(text(&followed, "Title"), "Countess");
    assert!(open_leads(&org, ADA).await.is_empty(), "no second lead");
    // From now on she is the contact, and costs nothing when nothing changes.
    let before = calls(&org).await;
    let shown = tool.get(&path).await.expect(200).json();
    let _ = tool.put(&path, &shown).await.expect(200);
    assert_eq!(calls(&org).await, before);
    let _ = tool.patch(&path, set_title("Analyst")).await.expect(200);
    assert_eq!(text(&org.one("Contact", "Id", &contact).await, "Title"), "Analyst");
    assert_eq!(org.records("Contact").await.len(), 1);
}

/// Nothing is mapped to contacts: the lead is left alone, and the answer says why.
#[tokio::test(flavor = "multi_thread")]
async fn a_converted_lead_without_a_contact_target_is_no_dead_end() {
    let world = told(&leads(ALL)).await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
    let lead = text(&ada_as(&org, "Lead").await, "Id").to_owned();
    let _ = org.convert(&lead).await;
    for title in ["Countess", "Analyst"] {
        let answer = tool.patch(&path, set_title(title)).await.expect(200);
        warned(&answer, "lead-converted");
    }
    assert_eq!(org.records("Lead").await.len(), 1);
    let _ = tool.delete(&path).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_whose_lead_was_converted_can_go() {
    let world = told(PROMOTIONS).await;
    let (tool, org) = (world.tool(), world.org());
    let id = tool.post("/Users", &someone(ADA, "Prospect")).await.expect(201).id();
    let lead = text(&ada_as(&org, "Lead").await, "Id").to_owned();
    let _ = org.convert(&lead).await;
    let _ = tool.delete(&format!("/Users/{id}")).await.expect(204);
    let _ = tool.get(&format!("/Users/{id}")).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_lead_may_have_the_address_of_a_converted_one() {
    let world =
        told(&leads("match = [\"Email\"]\nallow = [\"create\", \"update\"]\nduplicates = \"allow\"")).await;
    let (tool, org) = (world.tool(), world.org());
    let old = org.make("Lead", &json!({"LastName": "Lovelace", "Company": "E", "Email": ADA})).await;
    let _ = org.convert(&old).await;
    let id = tool.create(ADA).await.expect(201).id();
    let leads = open_leads(&org, ADA).await;
    assert_eq!(leads.len(), 1);
    assert_eq!(text(&leads[0], "GangwayId__c"), id);
    assert_ne!(leads[0]["Id"], old.as_str());
    let _ = tool.patch(&format!("/Users/{id}"), set_title("Countess")).await.expect(200);
    assert_eq!(text(&open_leads(&org, ADA).await[0], "Title"), "Countess");
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicate_rules_are_respected_overruled_or_followed() {
    let twin = json!({"FirstName": "Test", "LastName": "ada", "Email": ADA});
    let keys = |policy: &str| {
        contacts(&format!("match = []\nallow = [\"create\", \"update\"]\nduplicates = \"{policy}\""))
    };

    let world = told(&keys("respect")).await;
    let known = world.org().make("Contact", &twin).await;
    let refused = world.tool().create(ADA).await.expect(409).json();
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("DUPLICATES_DETECTED") && detail.contains(&known), "{detail}");
    assert_eq!(world.org().records("Contact").await.len(), 1);

    let world = told(&keys("allow")).await;
    let _ = world.org().make("Contact", &twin).await;
    let _ = world.tool().create(ADA).await.expect(201);
    assert_eq!(world.org().records("Contact").await.len(), 2);

    let world = told(&keys("adopt")).await;
    let known = world.org().make("Contact", &twin).await;
    let id = world.tool().create(ADA).await.expect(201).id();
    let adopted = world.org().one("Contact", "Id", &known).await;
    assert_eq!(text(&adopted, "GangwayId__c"), id);
    assert_eq!(world.org().records("Contact").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_has_its_record_type() {
    let org = format!(
        "{ORG}\n[[record-types]]\nobject = \"Lead\"\nname = \"Business\"\ndefault = true\n\
         [[record-types]]\nobject = \"Lead\"\nname = \"Partner lead\"\ndeveloper-name = \"Partner\"\n"
    );
    let mapping = leads("allow = [\"create\", \"update\"]\nrecord-type = \"Partner\"");
    let world = World::of_scene(&Scene::new(&mapping, &org), |_| ()).await;
    let org = world.org();
    let _ = world.tool().create(ADA).await.expect(201);
    let partner = org.one("RecordType", "DeveloperName", "Partner").await;
    assert_eq!(ada_as(&org, "Lead").await["RecordTypeId"], partner["Id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_was_there_before_is_taken_over() {
    let world = told(&contacts(ALL)).await;
    let (tool, org) = (world.tool(), world.org());
    let known = json!({"LastName": "Byron", "Email": "Ada@Acme.Example", "Department": "Kept"});
    let known = org.make("Contact", &known).await;
    let id = tool.create(ADA).await.expect(201).id();
    let adopted = org.one("Contact", "Id", &known).await;
    assert_eq!(text(&adopted, "GangwayId__c"), id);
    assert_eq!((text(&adopted, "LastName"), text(&adopted, "Department")), ("ada", "Kept"));
    assert_eq!(org.records("Contact").await.len(), 1);
}

/// The answer names the candidates, and the operator chooses one.
#[tokio::test(flavor = "multi_thread")]
async fn two_matches_are_for_a_person_to_decide() {
    let world = told(&contacts(ALL)).await;
    let (tool, org) = (world.tool(), world.org());
    let one = org.make("Contact", &json!({"LastName": "Lovelace", "Email": ADA})).await;
    let two = org.make("Contact", &json!({"LastName": "King", "Email": ADA})).await;
    let refused = tool.create(ADA).await.expect(409).json();
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains(&one) && detail.contains(&two), "{detail}");
    let config = world.config_file();
    let held = listed(&config, "holds").await;
    assert_eq!(held.len(), 1, "{held:?}");
    let (done, said) = command(&config, &["adopt", held[0]["id"].as_str().unwrap(), &two]).await;
    assert!(done, "{said}");
    // Nobody was made while nobody knew whom: the tool comes again.
    let id = tool.create(ADA).await.expect(201).id();
    assert_eq!(text(&org.one("Contact", "Id", &two).await, "GangwayId__c"), id);
    assert_eq!(org.one("Contact", "Id", &one).await["GangwayId__c"], Value::Null);
    assert!(listed(&config, "holds").await.is_empty());
}

/// The same for somebody who is known already, and was to become a contact by a change that was refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_choice_for_somebody_who_is_known_is_kept_until_it_is_wanted() {
    let world = told(&contacts(&format!("when = 'user.userType == \"Customer\"'\n{ALL}"))).await;
    let (tool, org) = (world.tool(), world.org());
    let one = org.make("Contact", &json!({"LastName": "Lovelace", "Email": ADA})).await;
    let two = org.make("Contact", &json!({"LastName": "King", "Email": ADA})).await;
    let id = tool.post("/Users", &someone(ADA, "Visitor")).await.expect(201).id();
    let path = format!("/Users/{id}");
    let mut body = someone(ADA, "Customer");
    body["title"] = json!("Countess");
    let held = tool.put(&path, &body).await.expect(409);
    assert!(held.text.contains(&one) && held.text.contains(&two), "{}", held.text);
    let config = world.config_file();
    let (done, said) = command(&config, &["adopt", ADA, &two]).await;
    assert!(done && said.contains("choice"), "{said}");
    let _ = tool.put(&path, &body).await.expect(200);
    let chosen = org.one("Contact", "Id", &two).await;
    assert_eq!((text(&chosen, "GangwayId__c"), text(&chosen, "Title")), (id.as_str(), "Countess"));
    assert_eq!(org.one("Contact", "Id", &one).await["GangwayId__c"], Value::Null);
    assert!(listed(&config, "holds").await.is_empty());
}

/// An answer that is lost makes no second record, whatever the object.
#[tokio::test(flavor = "multi_thread")]
async fn a_create_whose_answer_was_lost_is_found_by_the_external_id() {
    for (object, mapping) in [("Lead", leads(ALL)), ("Contact", contacts(ALL))] {
        for kind in ["cut-before-commit", "cut-after-commit"] {
            let world = told(&mapping).await;
            let (tool, org) = (world.tool(), world.org());
            let _ = tool.create("first@acme.example").await.expect(201);
            for method in ["POST", "PATCH"] {
                org.fault(json!({"method": method, "path": "/data", "kind": kind, "count": 1})).await;
            }
            let id = tool.create(ADA).await.expect(201).id();
            org.heal().await;
            assert_eq!(text(&ada_as(&org, object).await, "GangwayId__c"), id, "{object} {kind}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_deleted_by_hand_is_made_anew_or_held() {
    let world = told(&contacts("allow = [\"create\", \"update\"]")).await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
    let first = text(&ada_as(&org, "Contact").await, "Id").to_owned();
    org.delete("Contact", &first).await;
    let answer = tool.patch(&path, set_title("Countess")).await.expect(200);
    warned(&answer, "deleted-by-hand");
    let second = ada_as(&org, "Contact").await;
    assert_ne!(text(&second, "Id"), first);
    assert_eq!(text(&second, "Title"), "Countess");

    let world = told(&contacts("allow = [\"create\", \"update\"]\nwhen-deleted = \"hold\"")).await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
    let first = text(&ada_as(&org, "Contact").await, "Id").to_owned();
    org.delete("Contact", &first).await;
    let held = tool.patch(&path, set_title("Countess")).await.expect(409);
    assert!(held.text.contains("hold"), "{}", held.text);
    assert!(org.records("Contact").await.is_empty());
    assert_eq!(listed(&world.config_file(), "holds").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn assignment_rules_run_only_where_they_are_asked_for() {
    let org = format!(
        "{ORG}\n[[assignment-rules]]\nobject = \"Lead\"\nname = \"Standard\"\nactive = true\n\
         entries = [{{ owner = \"admin@harbour-lights.example\" }}]\n"
    );
    for (keys, owner) in [
        ("allow = [\"create\", \"update\"]", "integration@harbour-lights.example"),
        ("allow = [\"create\", \"update\"]\nassignment-rules = true", "admin@harbour-lights.example"),
    ] {
        let world = World::of_scene(&Scene::new(&leads(keys), &org), |_| ()).await;
        let org = world.org();
        let _ = world.tool().create(ADA).await.expect(201);
        let owner = org.user(owner).await;
        assert_eq!(ada_as(&org, "Lead").await["OwnerId"], owner["Id"], "{keys}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_can_own_a_lead() {
    let mapping =
        format!("{}OwnerId = {{ queue = \"Inbound Leads\" }}\n", leads("allow = [\"create\", \"update\"]"));
    let world = told(&mapping).await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.create(ADA).await.expect(201).id());
    let queue = org.one("Group", "Name", "Inbound Leads").await;
    assert_eq!(ada_as(&org, "Lead").await["OwnerId"], queue["Id"]);
    let before = calls(&org).await;
    let shown = tool.get(&path).await.expect(200).json();
    let _ = tool.put(&path, &shown).await.expect(200);
    assert_eq!(calls(&org).await, before);
}

/// Two people of the directory with one address: each of them says whose record it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_belongs_to_somebody_is_not_taken_over_by_another() {
    let world = told(&contacts(&ALL.replace("on-leave", "duplicates = \"allow\"\non-leave"))).await;
    let (tool, org) = (world.tool(), world.org());
    let ada = tool.create(ADA).await.expect(201).id();
    let mut twin = person("ada2@acme.example");
    twin["emails"][0]["value"] = json!(ADA);
    let answer = tool.post("/Users", &twin).await;
    let hers = org.find("Contact", "GangwayId__c", &ada).await;
    assert_eq!(hers.len(), 1);
    assert_eq!(text(&hers[0], "LastName"), "ada");
    match answer.status {
        201 => assert_eq!(org.records("Contact").await.len(), 2),
        _ => assert!(answer.expect(409).text.contains(&ada), "it says whose it is"),
    }
}

/// What Salesforce decided shows in reads.
#[tokio::test(flavor = "multi_thread")]
async fn reads_show_the_record_and_when_it_was_written() {
    let world = told(&contacts(ALL)).await;
    let (tool, org) = (world.tool(), world.org());
    let id = tool.create(ADA).await.expect(201).id();
    let contact = ada_as(&org, "Contact").await;
    let shown = tool.get(&format!("/Users/{id}?attributes=userName,{GANGWAY}")).await.expect(200).json();
    let records = shown[GANGWAY]["salesforce"].as_array().unwrap_or_else(|| panic!("{shown}")).clone();
    assert_eq!(records.len(), 1, "{shown}");
    let said = records[0].to_string();
    assert!(said.contains(text(&contact, "Id")) && said.contains("Contact"), "{said}");
    until("the time of the last write shows", async || {
        tool.get(&format!("/Users/{id}?attributes={GANGWAY}")).await.text.contains("lastSync")
    })
    .await;
}
