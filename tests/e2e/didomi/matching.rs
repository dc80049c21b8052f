//! Which records stand for a person.

use e2e::{
    World,
    sources::didomi::{chosen, newsletter},
};
use serde_json::{Map, Value, json};

use super::{EIGHT, NINE, NOOR, applied, contact, dead, didomi, ignored, noor, source, world_of};

/// Another contact with the address of Noor, who has opted out of nothing.
const TWIN: &str = r#"
[[records]]
object = "Contact"
fields = { LastName = "Twin", Email = "noor.haddad@example.net", HasOptedOutOfEmail = false, DoNotCall = true }
"#;

async fn twin(world: &World) -> Map<String, Value> {
    world.org().one("Contact", "LastName", "Twin").await
}

async fn twins(change: impl FnOnce(&mut toml::Table)) -> World {
    let mut source = source();
    change(contact(&mut source));
    world_of(source, TWIN).await
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c06_of_two_matches_none_is_guessed() {
    let world = twins(|_| ()).await;
    let _ = didomi(&world).send(&newsletter("evt-1", EIGHT, NOOR, false)).await.expect(202);
    let why = dead(&world, "evt-1").await;
    assert!(why.contains("nothing was written") && why.contains("Email"), "{why}");
    assert!(!why.contains("noor"), "the reason names nobody: {why}");
    assert_eq!(twin(&world).await["HasOptedOutOfEmail"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c06_all_of_them_may_be_meant_or_the_newest() {
    let world = twins(|object| drop(object.insert("on-multiple".into(), "all".into()))).await;
    let _ = didomi(&world).send(&newsletter("evt-1", EIGHT, NOOR, true)).await.expect(202);
    applied(&world, "evt-1").await;
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false);
    assert_eq!(twin(&world).await["HasOptedOutOfEmail"], false);
    let _ = didomi(&world).send(&newsletter("evt-2", NINE, NOOR, false)).await.expect(202);
    applied(&world, "evt-2").await;
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);
    assert_eq!(twin(&world).await["HasOptedOutOfEmail"], true);

    let world = twins(|object| drop(object.insert("on-multiple".into(), "newest".into()))).await;
    let fields = json!({"LastName": "Newest", "Email": NOOR, "HasOptedOutOfEmail": true});
    // Dates of creation are to the second.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let newest = world.org().make("Contact", &fields).await;
    let _ = didomi(&world).send(&newsletter("evt-1", EIGHT, NOOR, true)).await.expect(202);
    applied(&world, "evt-1").await;
    assert_eq!(world.org().one("Contact", "Id", &newest).await["HasOptedOutOfEmail"], false);
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c06_an_opt_out_may_go_to_all_and_an_opt_in_to_none() {
    let world = twins(|object| drop(object.insert("opt-out-all".into(), true.into()))).await;
    let didomi = didomi(&world);
    let _ = didomi.send(&newsletter("evt-1", EIGHT, NOOR, false)).await.expect(202);
    applied(&world, "evt-1").await;
    assert_eq!(twin(&world).await["HasOptedOutOfEmail"], true);
    let _ = didomi.send(&newsletter("evt-2", NINE, NOOR, true)).await.expect(202);
    assert!(dead(&world, "evt-2").await.contains("nothing was written"));
    let both = chosen(
        "evt-3",
        NINE,
        NOOR,
        json!([{"id": "newsletter", "enabled": false}]),
        json!([{"id": "phone", "enabled": true}]),
    );
    world
        .org()
        .change("Contact", twin(&world).await["Id"].as_str().unwrap(), &json!({"HasOptedOutOfEmail": false}))
        .await;
    let _ = didomi.send(&both).await.expect(202);
    assert!(dead(&world, "evt-3").await.contains("opt-outs were written to all"));
    for contact in [noor(&world).await, twin(&world).await] {
        assert_eq!((&contact["HasOptedOutOfEmail"], &contact["DoNotCall"]), (&json!(true), &json!(true)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c06_an_opt_out_reaches_hundreds_of_records() {
    let mut source = source();
    contact(&mut source).insert("opt-out-all".into(), true.into());
    let many: String =
        (0..260).map(|number| TWIN.replace("\"Twin\"", &format!("\"Twin {number}\""))).collect();
    let world = world_of(source, &many).await;
    let _ = didomi(&world).send(&newsletter("evt-1", EIGHT, NOOR, false)).await.expect(202);
    applied(&world, "evt-1").await;
    let mut contacts = world.org().find("Contact", "Email", NOOR).await;
    contacts.push(world.org().one("Contact", "LastName", "Haddad").await);
    assert_eq!(contacts.len(), 261);
    assert!(contacts.iter().all(|contact| contact["HasOptedOutOfEmail"] == true));
}

/// A source whose choices go to leads, and one lead.
async fn leads(follow: bool) -> (World, String) {
    let mut source = source();
    let object = contact(&mut source);
    object.insert("object".into(), "Lead".into());
    object.insert("follow-converted".into(), follow.into());
    let mappings = toml::toml! { m = [{ source = "purpose:newsletter", target = "HasOptedOutOfEmail", transform = "invert" }] };
    object.insert("mappings".into(), mappings["m"].clone());
    let world = world_of(source, "").await;
    let fields = json!({"LastName": "Prospect", "Company": "Acme", "Email": "pat@example.net", "HasOptedOutOfEmail": true});
    let lead = world.org().make("Lead", &fields).await;
    (world, lead)
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c12_a_converted_lead_waits_for_a_person() {
    let (world, lead) = leads(false).await;
    let didomi = didomi(&world);
    let _ = didomi.send(&newsletter("evt-1", EIGHT, "pat@example.net", true)).await.expect(202);
    applied(&world, "evt-1").await;
    assert_eq!(world.org().one("Lead", "Id", &lead).await["HasOptedOutOfEmail"], false);
    let contact = world.org().convert(&lead).await;
    let _ = didomi.send(&newsletter("evt-2", NINE, "pat@example.net", false)).await.expect(202);
    let why = dead(&world, "evt-2").await;
    assert!(why.contains("follow-converted"), "{why}");
    assert_eq!(world.org().one("Contact", "Id", &contact).await["HasOptedOutOfEmail"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c12_a_converted_lead_is_followed_to_its_contact() {
    let (world, lead) = leads(true).await;
    let contact = world.org().convert(&lead).await;
    let _ = didomi(&world).send(&newsletter("evt-1", EIGHT, "pat@example.net", true)).await.expect(202);
    applied(&world, "evt-1").await;
    assert_eq!(world.org().one("Contact", "Id", &contact).await["HasOptedOutOfEmail"], false);
    world.org().delete("Contact", &contact).await;
    let _ = didomi(&world).send(&newsletter("evt-2", NINE, "pat@example.net", false)).await.expect(202);
    assert!(dead(&world, "evt-2").await.contains("converted"), "its contact is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c13_a_value_is_only_a_value() {
    let mut source = source();
    contact(&mut source).insert("on-multiple".into(), "all".into());
    let strange = r#"
[[records]]
object = "Contact"
fields = { LastName = "Strange", FirstName = "x' OR Email != '", HasOptedOutOfEmail = true }
"#;
    let world = world_of(source.clone(), strange).await;
    for (number, person) in
        ["x' OR Email != '", "x\\' OR Email != '", "%", "'", "\\", "noor.haddad@example.net'--"]
            .iter()
            .enumerate()
    {
        let id = format!("evt-{number}");
        let _ = didomi(&world).send(&newsletter(&id, EIGHT, person, true)).await.expect(202);
        assert_eq!(ignored(&world, &id).await, "unmatched", "{person}");
    }
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);

    contact(&mut source).insert("match".into(), toml::Value::Table(toml::toml! { field = "FirstName" }));
    let world = world_of(source, strange).await;
    let _ = didomi(&world).send(&newsletter("evt-1", EIGHT, "x' OR Email != '", true)).await.expect(202);
    applied(&world, "evt-1").await;
    assert_eq!(world.org().one("Contact", "LastName", "Strange").await["HasOptedOutOfEmail"], false);
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c13_a_record_is_found_by_its_id_in_either_spelling() {
    let mut source = source();
    contact(&mut source).insert("match".into(), toml::Value::Table(toml::toml! { field = "Id" }));
    let world = world_of(source, "").await;
    let id = noor(&world).await["Id"].as_str().unwrap().to_owned();
    let _ = didomi(&world).send(&newsletter("evt-1", EIGHT, &id[..15], true)).await.expect(202);
    applied(&world, "evt-1").await;
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false);
    let _ = didomi(&world).send(&newsletter("evt-2", NINE, "no-id", true)).await.expect(202);
    assert_eq!(ignored(&world, "evt-2").await, "unmatched");
}
