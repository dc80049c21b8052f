//! What Salesforce refuses, does not know or leaves open, and what becomes of the rest.

use std::time::Duration;

use e2e::{
    World,
    sources::didomi::{chosen, newsletter},
};
use serde_json::{Value, json};
use toml::Table;

use super::{
    EIGHT, NINE, NOOR, applied, contact, dead, didomi, evidence, ignored, look, noor, run, source, world_of,
    world_with,
};

/// Salesforce refuses every Contact that is not to be called.
const NOBODY_IS_SPARED: &str = r#"
[[validation-rules]]
object = "Contact"
when = "DoNotCall = TRUE"
message = "Sales calls everybody."
"#;

/// Noor has agreed to everything.
async fn agreed(world: &World) {
    let id = noor(world).await["Id"].as_str().unwrap().to_owned();
    world.org().change("Contact", &id, &json!({"HasOptedOutOfEmail": false, "DoNotCall": false})).await;
}

/// Out of the newsletter, and topics that the org does not have.
fn out_with_unknown_topics(id: &str, person: &str) -> Value {
    let purposes =
        json!([{"id": "newsletter", "enabled": false, "values": {"topics": {"value": "astrology"}}}]);
    chosen(id, NINE, person, purposes, json!([]))
}

fn upserts(source: &mut Table) {
    let object = contact(source);
    object.insert("upsert-mode".into(), true.into());
    let defaults = toml::toml! { LastName = "(unknown)" };
    object.insert("upsert-defaults".into(), toml::Value::Table(defaults));
}

/// Waits until an event was tried in vain, and answers why.
async fn put_off(world: &World, jti: &str) -> String {
    for _ in 0..200 {
        let event = look(world, jti).await;
        if event["attempts"].as_u64() > Some(0) {
            return event["reason"].as_str().unwrap_or_default().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:?}", look(world, jti).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opt_out_lands_though_the_rest_of_its_event_is_refused() {
    let world = world_with(|_| ()).await;
    agreed(&world).await;
    let _ = didomi(&world).send(&out_with_unknown_topics("evt-1", NOOR)).await.expect(202);
    let why = dead(&world, "evt-1").await;
    assert!(why.contains("refused") && why.contains("is written"), "{why}");
    let contact = noor(&world).await;
    assert_eq!((&contact["HasOptedOutOfEmail"], &contact["Topics__c"]), (&json!(true), &Value::Null));
    let told = evidence(&world).await;
    assert_eq!(told.len(), 1, "of what was written: {told:?}");
    assert_eq!((&told[0]["field"], &told[0]["new"]), (&json!("HasOptedOutOfEmail"), &json!(true)));

    let _ = run(&world, &["events", "retry", "evt-1"]).await;
    let _ = dead(&world, "evt-1").await;
    assert_eq!(evidence(&world).await.len(), 1, "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opt_out_lands_though_a_validation_rule_minds_another_one() {
    let world = world_of(source(), NOBODY_IS_SPARED).await;
    agreed(&world).await;
    let both = chosen(
        "evt-1",
        NINE,
        NOOR,
        json!([{"id": "newsletter", "enabled": false}]),
        json!([{"id": "phone", "enabled": false}]),
    );
    let _ = didomi(&world).send(&both).await.expect(202);
    assert!(dead(&world, "evt-1").await.contains("Sales calls everybody."));
    let contact = noor(&world).await;
    assert_eq!((&contact["HasOptedOutOfEmail"], &contact["DoNotCall"]), (&json!(true), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opt_out_lands_though_another_field_is_missing_in_the_org() {
    let mut source = source();
    let mappings = toml::toml! {
        m = [
            { source = "purpose:newsletter", target = "HasOptedOutOfEmail", transform = "invert" },
            { source = "channel:phone", target = "Nowhere__c" },
        ]
    };
    contact(&mut source).insert("mappings".into(), mappings["m"].clone());
    let world = world_of(source, "").await;
    agreed(&world).await;
    let both = chosen(
        "evt-1",
        NINE,
        NOOR,
        json!([{"id": "newsletter", "enabled": false}]),
        json!([{"id": "phone", "enabled": true}]),
    );
    let _ = didomi(&world).send(&both).await.expect(202);
    let why = put_off(&world, "evt-1").await;
    assert!(why.contains("Nowhere__c"), "{why}");
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_new_is_made_with_his_opt_out_where_the_rest_is_refused() {
    let world = world_with(upserts).await;
    let _ = didomi(&world).send(&out_with_unknown_topics("evt-1", "ada@example.net")).await.expect(202);
    assert!(dead(&world, "evt-1").await.contains("is written"));
    let made = world.org().one("Contact", "Email", "ada@example.net").await;
    assert_eq!((&made["HasOptedOutOfEmail"], &made["LastName"]), (&json!(true), &json!("(unknown)")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_opt_out_is_still_the_newest_choice() {
    let world = world_of(source(), NOBODY_IS_SPARED).await;
    agreed(&world).await;
    let phone = |id: &str, at: &str, enabled: bool| {
        chosen(id, at, NOOR, json!([]), json!([{"id": "phone", "enabled": enabled}]))
    };
    let didomi = didomi(&world);
    let _ = didomi.send(&phone("evt-2", NINE, false)).await.expect(202);
    let _ = dead(&world, "evt-2").await;
    let _ = didomi.send(&phone("evt-1", EIGHT, true)).await.expect(202);
    assert_eq!(ignored(&world, "evt-1").await, "stale");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_too_early_for_its_person_is_not_overtaken_by_what_is_older() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    let _ = didomi.send(&newsletter("evt-2", NINE, "ada@example.net", false)).await.expect(202);
    assert_eq!(ignored(&world, "evt-2").await, "unmatched");
    let fields = json!({"LastName": "Lovelace", "Email": "Ada@example.net", "HasOptedOutOfEmail": true});
    world.org().make("Contact", &fields).await;
    let _ = didomi.send(&newsletter("evt-1", EIGHT, "ada@example.net", true)).await.expect(202);
    assert_eq!(ignored(&world, "evt-1").await, "stale");
    let ada = world.org().one("Contact", "LastName", "Lovelace").await;
    assert_eq!(ada["HasOptedOutOfEmail"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_to_one_of_two_is_not_overtaken_by_what_is_older() {
    let mut source = source();
    contact(&mut source).insert("on-multiple".into(), "all".into());
    let org = r#"
[[records]]
object = "Contact"
fields = { LastName = "Twin", Email = "noor.haddad@example.net", HasOptedOutOfEmail = true }

[[validation-rules]]
object = "Contact"
when = "LastName = 'Twin' AND HasOptedOutOfEmail = FALSE"
message = "Not this one."
"#;
    let world = world_of(source, org).await;
    let didomi = didomi(&world);
    let _ = didomi.send(&newsletter("evt-2", NINE, NOOR, true)).await.expect(202);
    assert!(dead(&world, "evt-2").await.contains("Not this one."));
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false);
    let _ = didomi.send(&newsletter("evt-1", EIGHT, NOOR, false)).await.expect(202);
    assert_eq!(ignored(&world, "evt-1").await, "stale");
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false);
}

fn sync(source: &mut Table) {
    source.insert("acknowledge".into(), "sync".into());
}

/// The sender waits until somebody new is made.
async fn upserting_at_once() -> World {
    world_with(|source| {
        upserts(source);
        sync(source);
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_has_written_meanwhile_is_written_over_with_evidence() {
    let world = upserting_at_once().await;
    let didomi = didomi(&world);
    let event = newsletter("evt-1", EIGHT, "ada@example.net", true);
    let lost = json!({"method": "POST", "path": "/data/v*/sobjects/Contact", "kind": "cut-after-commit", "count": 1});
    world.org().fault(lost).await;
    let _ = didomi.send(&event).await.expect(503);
    let id = world.org().one("Contact", "Email", "ada@example.net").await["Id"].as_str().unwrap().to_owned();
    world.org().change("Contact", &id, &json!({"HasOptedOutOfEmail": true})).await;
    let _ = didomi.send(&event).await.expect(202);
    let ada = world.org().one("Contact", "Email", "ada@example.net").await;
    assert_eq!(ada["HasOptedOutOfEmail"], false, "it is what she has chosen");
    let told = evidence(&world).await;
    let email: Vec<_> = told.iter().filter(|one| one["field"] == "HasOptedOutOfEmail").collect();
    assert_eq!(email.len(), 1, "{told:?}");
    assert_eq!((&email[0]["old"], &email[0]["new"]), (&json!(true), &json!(false)), "what was written over");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_have_been_made_is_looked_for_a_while_before_he_is_made_again() {
    let world = upserting_at_once().await;
    let didomi = didomi(&world);
    let event = newsletter("evt-1", EIGHT, "ada@example.net", false);
    let lost = json!({"method": "POST", "path": "/data/v*/sobjects/Contact", "kind": "cut-before-commit", "count": 1});
    world.org().fault(lost).await;
    let _ = didomi.send(&event).await.expect(503);
    let again = didomi.send(&event).await.expect(503);
    let wait: u64 = again.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(world.org().find("Contact", "Email", "ada@example.net").await.is_empty());
    world.advance(Duration::from_secs(61));
    let _ = didomi.send(&event).await.expect(202);
    assert_eq!(world.org().find("Contact", "Email", "ada@example.net").await.len(), 1);
}

/// Choices become rows, and the newsletter's has a purpose that the org lacks.
fn rows() -> Table {
    let mut source = source();
    let object = contact(&mut source);
    object.insert("writer".into(), "contact-point-type-consent".into());
    let mappings = toml::toml! {
        m = [
            { source = "purpose:newsletter", contact-point-type = "Email" },
            { source = "purpose:profiling", contact-point-type = "Web", data-use-purpose = "Nowhere" },
            { source = "channel:phone", contact-point-type = "Phone" },
        ]
    };
    object.insert("mappings".into(), mappings["m"].clone());
    source
}

const PRIVACY: &str = r#"
[org]
features = ["data-protection"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_individual_whose_link_is_refused_is_not_left_behind() {
    let rule = r#"
[[validation-rules]]
object = "Contact"
when = "IndividualId != NULL"
message = "No links."
"#;
    let world = world_of(rows(), &format!("{rule}{PRIVACY}")).await;
    let _ = didomi(&world).send(&newsletter("evt-1", EIGHT, NOOR, false)).await.expect(202);
    assert!(dead(&world, "evt-1").await.contains("No links."));
    assert!(world.org().records("Individual").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_individual_that_was_made_without_an_answer_is_found_again() {
    let mut source = rows();
    sync(&mut source);
    let world = world_of(source, PRIVACY).await;
    let didomi = didomi(&world);
    let event = newsletter("evt-1", EIGHT, NOOR, false);
    let lost =
        json!({"method": "POST", "path": "/data/v*/composite", "kind": "cut-after-commit", "count": 1});
    world.org().fault(lost).await;
    let _ = didomi.send(&event).await.expect(503);
    let _ = didomi.send(&event).await.expect(202);
    let individuals = world.org().records("Individual").await;
    assert_eq!(individuals.len(), 1);
    assert_eq!(noor(&world).await["IndividualId"], individuals[0]["Id"]);
    assert_eq!(world.org().records("ContactPointTypeConsent").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_written_keeps_no_other_from_being_written() {
    let world = world_of(rows(), PRIVACY).await;
    let both = chosen(
        "evt-1",
        NINE,
        NOOR,
        json!([{"id": "profiling", "enabled": true}]),
        json!([{"id": "phone", "enabled": false}]),
    );
    let _ = didomi(&world).send(&both).await.expect(202);
    let why = put_off(&world, "evt-1").await;
    assert!(why.contains("Nowhere"), "{why}");
    let phone = world.org().one("ContactPointTypeConsent", "ContactPointType", "Phone").await;
    assert_eq!(phone["PrivacyConsentStatus"], "OptOut");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_named_by_one_spelling_of_the_person_and_by_the_regulation() {
    let mut source = rows();
    source.insert("regulations".into(), toml::Value::Array(vec!["gdpr".into(), "cpra".into()]));
    let mappings = toml::toml! {
        m = [
            { source = "purpose:newsletter", contact-point-type = "Email", regulation = "gdpr" },
            { source = "purpose:newsletter", contact-point-type = "Email", regulation = "cpra" },
        ]
    };
    contact(&mut source).insert("mappings".into(), mappings["m"].clone());
    let world = world_of(source, PRIVACY).await;
    let didomi = didomi(&world);
    let _ = didomi.send(&newsletter("evt-1", EIGHT, "NOOR.Haddad@example.net", true)).await.expect(202);
    applied(&world, "evt-1").await;
    let mut californian = newsletter("evt-2", EIGHT, NOOR, false);
    californian["regulation"] = json!("cpra");
    californian["parameters"]["entity"]["regulation"] = json!("cpra");
    let _ = didomi.send(&californian).await.expect(202);
    applied(&world, "evt-2").await;
    let _ = didomi.send(&newsletter("evt-3", NINE, NOOR, true)).await.expect(202);
    applied(&world, "evt-3").await;
    let rows = world.org().records("ContactPointTypeConsent").await;
    let mut rows: Vec<_> = rows
        .iter()
        .map(|row| (row["Name"].as_str().unwrap(), row["PrivacyConsentStatus"].as_str().unwrap()))
        .collect();
    rows.sort_unstable();
    let (gdpr, cpra) =
        (format!("didomi:{NOOR}:newsletter:Email"), format!("didomi:{NOOR}:cpra:newsletter:Email"));
    assert_eq!(rows, [(cpra.as_str(), "OptOut"), (gdpr.as_str(), "OptIn")]);
    assert_eq!(world.org().records("Individual").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opt_out_lands_though_another_field_is_hidden_while_the_gateway_runs() {
    let world = world_with(|_| ()).await;
    let didomi = didomi(&world);
    // What the org is like has been read.
    let _ = didomi.send(&newsletter("evt-0", EIGHT, NOOR, false)).await.expect(202);
    applied(&world, "evt-0").await;
    agreed(&world).await;
    world.org().fields(json!({"hide": ["Contact.Topics__c"]})).await;
    let purposes = json!([{"id": "newsletter", "enabled": false, "values": {"topics": {"value": "sport"}}}]);
    let _ = didomi.send(&chosen("evt-1", NINE, NOOR, purposes, json!([]))).await.expect(202);
    let why = put_off(&world, "evt-1").await;
    assert!(why.contains("Topics__c"), "{why}");
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], true);

    // It is noticed with the next attempt that the field is there.
    world.org().fields(json!({"show": ["Contact.Topics__c"]})).await;
    world.advance(Duration::from_mins(2));
    applied(&world, "evt-1").await;
    assert_eq!(noor(&world).await["Topics__c"], "sport");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_for_which_nothing_can_be_looked_up_is_sent_again_and_not_lost() {
    let world = world_with(sync).await;
    let didomi = didomi(&world);
    agreed(&world).await;
    for (index, (status, code)) in [
        (400, "INVALID_TYPE"),
        (400, "INVALID_FIELD"),
        (403, "INSUFFICIENT_ACCESS"),
        (403, "API_DISABLED_FOR_ORG"),
        (404, "NOT_FOUND"),
        (400, "TXN_SECURITY_NO_ACCESS"),
    ]
    .into_iter()
    .enumerate()
    {
        let event = newsletter(&format!("evt-{index}"), NINE, NOOR, index % 2 == 1);
        let refused =
            json!({"path": "/data/v*/query", "kind": "status", "status": status, "error_code": code});
        world.org().fault(refused).await;
        let _ = didomi.send(&event).await.expect(503);
        world.org().heal().await;
        let _ = didomi.send(&event).await.expect(202);
        assert_eq!(noor(&world).await["HasOptedOutOfEmail"], json!(index % 2 == 0), "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_by_which_field_nobody_can_be_found_and_which_purpose_is_missing() {
    let mut by_date = source();
    contact(&mut by_date).insert("match".into(), toml::toml! { field = "Consent_Updated__c" }.into());
    for (source, org, told) in [
        (by_date, "", "nobody can be found by the field Consent_Updated__c"),
        (rows(), PRIVACY, "no DataUsePurpose called `Nowhere`"),
    ] {
        let world = world_of(source, org).await;
        let said = run(&world, &["check"]).await.to_string();
        assert!(said.contains(told), "{said}");
    }
}
