//! What arrives in the org.

use e2e::{Scene, World, sources::akamai::Akamai, world::add};
use serde_json::{Value, json};
use toml::Value as Toml;

use crate::akamai::{AUDIENCE, Story, UUID, mapping, noor, org_file, scene};

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a01_a_created_profile_is_asked_for_once_and_becomes_one_contact() {
    let story = Story::begin().await;
    // The first call of a gateway's life reads what the org is like.
    story.person("00000000-first", &json!({"familyName": "First"})).await;
    let (calls, lookups) = (story.calls().await, story.lookups());

    story.person(UUID, &noor()).await;
    let asked = story.akamai.asked("/entity");
    assert_eq!(asked.len(), lookups + 1);
    let asked = &asked[lookups];
    assert_eq!(asked.method, "POST");
    assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(asked.header("authorization").unwrap().starts_with("Basic "));
    let form = (asked.form("uuid"), asked.form("type_name"));
    assert_eq!(form, (Some(UUID.to_owned()), Some("user".to_owned())));
    let attributes = asked.form("attributes").expect("no whole profile is asked for");
    let expected =
        ["created", "email", "emailVerified", "familyName", "givenName", "lastLogin", "lastUpdated", "uuid"];
    assert_eq!(attributes, json!(expected).to_string(), "what is mapped, and nothing else");

    assert_eq!(story.calls().await - calls, 1, "one upsert");
    let contact = story.contact(UUID).await;
    for (field, value) in [
        ("Email", "noor.haddad@example.net"),
        ("FirstName", "Noor"),
        ("LastName", "Haddad"),
        ("Identity_UUID__c", UUID),
    ] {
        assert_eq!(contact[field], value, "{field}");
    }
    for unmapped in ["MailingCity", "MailingCountry", "MobilePhone"] {
        assert_eq!(contact[unmapped], Value::Null, "{unmapped}");
    }
    assert_eq!(story.contacts().await.len(), 2);
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a02_dates_are_those_of_salesforce_and_a_time_in_a_checkbox_is_a_tick() {
    let story = Story::begin().await;
    story.person(UUID, &noor()).await;
    let contact = story.contact(UUID).await;
    assert_eq!(contact["Identity_Created__c"], "2026-08-04T09:11:02.118+0000");
    assert_eq!(contact["Last_Login__c"], "2026-08-05T07:59:58.000+0000");
    assert_eq!(contact["Identity_Updated__c"], "2026-08-05T08:00:01.774+0000");
    assert_eq!(contact["Email_Verified__c"], true);

    let mut unsure = noor();
    (unsure["emailVerified"], unsure["lastLogin"]) = (Value::Null, Value::Null);
    story.akamai.profile(UUID, &unsure);
    story.sent(&story.updated(UUID).attributes(&["emailVerified", "lastLogin"])).await;
    let contact = story.contact(UUID).await;
    assert_eq!((&contact["Email_Verified__c"], &contact["Last_Login__c"]), (&json!(false), &Value::Null));
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a03_a_changed_address_changes_the_one_contact() {
    let story = Story::begin().await;
    story.person(UUID, &noor()).await;
    let mut moved = noor();
    moved["email"] = json!("noor@elsewhere.example");
    story.akamai.profile(UUID, &moved);
    let calls = story.calls().await;
    story.sent(&story.updated(UUID)).await;
    assert_eq!(story.calls().await - calls, 1);
    assert_eq!(story.contact(UUID).await["Email"], "noor@elsewhere.example");
    assert_eq!(story.contacts().await.len(), 1);
}

/// whatever somebody has done to the record, after an update it is as its profile is.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a03_an_update_makes_good_what_was_changed_by_hand() {
    let story = Story::begin().await;
    story.person(UUID, &noor()).await;
    let before = story.contact(UUID).await;
    let id = before["Id"].as_str().unwrap();
    let by_hand = json!({
        "FirstName": "Hand", "LastName": "Edited", "Identity_UUID__c": null, "MailingCity": "Zeist",
    });
    story.org.change("Contact", id, &by_hand).await;
    let mut moved = noor();
    moved["email"] = json!("noor@elsewhere.example");
    story.akamai.profile(UUID, &moved);
    let calls = story.calls().await;
    story.sent(&story.updated(UUID)).await;
    assert_eq!(story.calls().await - calls, 1, "it goes with what is new");
    let contact = story.contact(UUID).await;
    for (field, value) in [
        ("Id", id),
        ("Email", "noor@elsewhere.example"),
        ("FirstName", "Noor"),
        ("LastName", "Haddad"),
        ("MailingCity", "Zeist"),
    ] {
        assert_eq!(contact[field], value, "{field}");
    }
    assert_eq!(story.contacts().await.len(), 1);
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a05_a_deleted_profile_goes_as_the_mapping_says_and_is_not_asked_for() {
    let with = |on_delete: &str| {
        let mut mapping = mapping();
        mapping["on_delete"] = json!(on_delete);
        if on_delete == "flag" {
            mapping["flag"] = json!({"Identity_Gone__c": true});
        }
        mapping
    };
    for on_delete in ["delete", "flag", "anonymise", "none"] {
        let story = Story::with(&with(on_delete), |_| ()).await;
        story.person(UUID, &noor()).await;
        let lookups = story.lookups();
        story.akamai.forget(UUID);
        story.sent(&story.deleted(UUID)).await;
        assert_eq!(story.lookups(), lookups, "{on_delete}: a deleted profile is not asked for");
        let left = story.contacts().await;
        match on_delete {
            "delete" => assert!(left.is_empty(), "{left:#?}"),
            "flag" => assert_eq!(
                (&left[0]["Identity_Gone__c"], &left[0]["LastName"]),
                (&json!(true), &json!("Haddad"))
            ),
            "anonymise" => assert!(!json!(left).to_string().contains("noor.haddad"), "{left:#?}"),
            _ => assert_eq!(left[0]["LastName"], "Haddad"),
        }
    }
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a24_two_sources_with_one_key_have_one_record_and_two_records_are_not_guessed_between() {
    let (old, new) = (Akamai::start().await, Akamai::start().await);
    let other = "https://gw.example.com/events/successor/acme/prod";
    let (first, mut second) = (old.section(AUDIENCE, "people.json"), new.section(other, "people.json"));
    second.insert("name".to_owned(), Toml::from("successor"));
    let world = World::of_scene(&scene(&mapping()), |config| {
        add(config, "akamai", first);
        add(config, "akamai", second);
    })
    .await;
    let to = |name: &str| format!("{}/events/{name}/acme/prod", world.url());
    let org = world.org();
    for source in [&old, &new] {
        source.profile(UUID, &noor());
    }
    let _ = old.send(&to("akamai"), &old.event("entityCreated", UUID, AUDIENCE)).await.expect(202);
    let _ = new.send(&to("successor"), &new.event("entityCreated", UUID, other)).await.expect(202);
    assert_eq!(org.records("Contact").await.len(), 1, "one person, whoever says so");
    let mut moved = noor();
    moved["email"] = json!("noor@elsewhere.example");
    new.profile(UUID, &moved);
    let _ = new.send(&to("successor"), &new.event("entityUpdated", UUID, other)).await.expect(202);
    assert_eq!(org.one("Contact", "Identity_UUID__c", UUID).await["Email"], "noor@elsewhere.example");

    // An org whose field is not unique: several records may have the key.
    let loose = Scene {
        org_file: org_file().replace("unique = true\ncase-sensitive = true\n", ""),
        ..scene(&mapping())
    };
    let akamai = Akamai::start().await;
    let section = akamai.section(AUDIENCE, "people.json");
    let world = World::of_scene(&loose, |config| add(config, "akamai", section)).await;
    for name in ["One", "Two"] {
        world.org().make("Contact", &json!({"LastName": name, "Identity_UUID__c": UUID})).await;
    }
    let before = world.org().records("Contact").await;
    akamai.profile(UUID, &noor());
    let token = akamai.event("entityCreated", UUID, AUDIENCE);
    let _ = akamai.send(&format!("{}/events/akamai/acme/prod", world.url()), &token).await.expect(202);
    assert_eq!(world.org().records("Contact").await, before, "nothing is written");
    let listed = super::listed(&world, token.jti()).await;
    assert_eq!(listed["state"], "dead", "{listed}");
}

/// An attribute of the mapping that the source does not have is no reason to lose events.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a01_where_an_attribute_of_the_mapping_is_not_known_whole_profiles_are_asked_for() {
    let story = Story::begin().await;
    story.akamai.does_not_know("lastLogin");
    story.person(UUID, &noor()).await;
    assert_eq!(story.contact(UUID).await["LastName"], "Haddad");
    let asked = story.akamai.asked("/entity");
    let attributes: Vec<bool> = asked.iter().map(|asked| asked.form("attributes").is_some()).collect();
    assert_eq!(attributes, [true, false]);
    // It is known from then on, also of lists.
    story.sent(&story.updated(UUID)).await;
    assert_eq!(story.lookups(), 3);
    let (said, _) =
        super::ask(&story.world.config_file(), &["events", "catch-up", "akamai", "--since", "1h"]).await;
    assert_eq!((&said["failed"], &said["missing"]), (&json!(0), &json!(0)), "{said}");
    assert!(story.akamai.asked("/entity.find").iter().all(|asked| asked.form("attributes").is_none()));
}

/// Salesforce keeps a contact on which a portal user stands: the deletion is for a person.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a14_a_deletion_that_salesforce_refuses_for_good_is_dead() {
    let story = Story::that_deletes().await;
    story.person(UUID, &noor()).await;
    let fault = json!({"path": "/data/v*/sobjects/Contact", "kind": "status", "status": 400,
        "error_code": "DELETE_FAILED", "message": "a portal user stands on it"});
    story.org.fault(fault).await;
    let token = story.deleted(UUID);
    story.sent(&token).await;
    story.org.heal().await;
    let listed = story.listed(&token).await;
    assert_eq!(listed["state"], "dead", "{listed}");
    assert!(listed["reason"].as_str().unwrap().contains("a portal user stands on it"), "{listed}");
    assert_eq!(story.count("dead", "").await, 1);
    assert_eq!(story.contacts().await.len(), 1);
}

/// A lead that somebody has converted cannot be written into any more, and nothing takes care of its contact.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a14_what_is_told_of_a_converted_lead_is_dead() {
    for on_delete in ["delete", "anonymise"] {
        let mut mapping = super::mapping();
        mapping["object"] = json!("Lead");
        mapping["on_delete"] = json!(on_delete);
        mapping["defaults"] = json!({"Company": "(private)"});
        let story = Story::with(&mapping, |_| ()).await;
        story.person(UUID, &noor()).await;
        let lead = story.org.one("Lead", "Identity_UUID__c", UUID).await;
        story.org.convert(lead["Id"].as_str().unwrap()).await;
        story.akamai.profile(UUID, &crate::akamai::noor_as("moved"));
        for token in [story.updated(UUID).happened(1), story.deleted(UUID).happened(2)] {
            story.sent(&token).await;
            let listed = story.listed(&token).await;
            assert_eq!(listed["state"], "dead", "{listed}");
            assert!(listed["reason"].as_str().unwrap().contains("converted"), "{listed}");
        }
        assert_eq!(story.count("dead", "").await, 2);
    }
}

/// Somebody deletes a record by hand: the next word of the person makes it again, also where his profile is as it was.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a03_an_update_that_changes_nothing_makes_good_what_was_changed_by_hand() {
    let story = Story::begin().await;
    story.person(UUID, &noor()).await;
    let id = story.contact(UUID).await["Id"].as_str().unwrap().to_owned();
    story.org.change("Contact", &id, &json!({"Email": "by.hand@example.net"})).await;
    story.sent(&story.updated(UUID)).await;
    assert_eq!(story.contact(UUID).await["Email"], "noor.haddad@example.net");
    story.org.delete("Contact", &id).await;
    story.sent(&story.updated(UUID)).await;
    assert_eq!(story.contact(UUID).await["LastName"], "Haddad");
}
