//! Several objects on one event, and consents as records of their own.

use e2e::{
    World,
    sources::didomi::{chosen, newsletter},
};
use serde_json::json;
use tokio::process::Command;
use toml::Table;

use super::{EIGHT, NINE, NOOR, applied, contact, didomi, evidence, noor, outcome, run, source, world_of};

/// Choices go to contacts and to leads.
fn both() -> Table {
    let mut source = source();
    let lead: Table = toml::from_str(
        r#"
        object = "Lead"
        match = { field = "Email" }
        mappings = [{ source = "purpose:newsletter", target = "HasOptedOutOfEmail", transform = "invert" }]
        "#,
    )
    .unwrap();
    source["objects"].as_array_mut().unwrap().push(lead.into());
    source
}

const LEAD: &str = r#"
[[records]]
object = "Lead"
fields = { LastName = "Prospect", Company = "Acme", Email = "noor.haddad@example.net", HasOptedOutOfEmail = true }
"#;

async fn lead_opted_out(world: &World) -> serde_json::Value {
    world.org().one("Lead", "LastName", "Prospect").await["HasOptedOutOfEmail"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c11_one_event_goes_to_contacts_and_leads() {
    let world = world_of(both(), LEAD).await;
    let _ = didomi(&world).send(&newsletter("evt-1", EIGHT, NOOR, true)).await.expect(202);
    applied(&world, "evt-1/contact").await;
    applied(&world, "evt-1/lead").await;
    assert_eq!(noor(&world).await["HasOptedOutOfEmail"], false);
    assert_eq!(lead_opted_out(&world).await, false);
}

/// Didomi's own name of an event finds all that came of it.
#[tokio::test(flavor = "multi_thread")]
async fn every_outcome_of_an_event_is_found_by_its_id() {
    let world = world_of(both(), LEAD).await;
    let didomi = didomi(&world);
    let created = newsletter("evt-1", EIGHT, NOOR, true);
    let of_kind = |kind: &str| {
        let mut event = created.clone();
        event["type"] = json!(kind);
        event
    };
    let mut pending = created.clone();
    pending["parameters"]["entity"]["status"] = json!("pending_approval");
    for event in [&pending, &created, &of_kind("event.updated"), &of_kind("event.deleted")] {
        let _ = didomi.send(event).await.expect(202);
    }
    let listed = run(&world, &["events", "list", "evt-1"]).await;
    let found: Vec<(&str, &str)> = listed["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (event["kind"].as_str().unwrap(), event["jti"].as_str().unwrap()))
        .collect();
    assert_eq!(found.len(), 8, "each for contacts and for leads: {found:?}");
    assert!(found.iter().all(|(_, jti)| jti.starts_with("evt-1/")), "{found:?}");
    for kind in ["event.created", "event.updated", "event.deleted"] {
        assert!(found.iter().any(|(found, _)| *found == kind), "{kind}: {found:?}");
    }
    // What a person is to decide about is one of them.
    let refused = Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args(["--output", "json", "events", "retry", "evt-1", "--config"])
        .arg(world.config_file())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("several events came as evt-1"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c11_what_was_written_is_not_written_again_for_what_was_not() {
    let mut source = both();
    source.insert("acknowledge".into(), "sync".into());
    let world = world_of(source, LEAD).await;
    let didomi = didomi(&world);
    let event = newsletter("evt-1", EIGHT, NOOR, true);
    world
        .org()
        .fault(json!({"method": "PATCH", "path": "/data/v*/sobjects/Lead", "kind": "status", "status": 503}))
        .await;
    let _ = didomi.send(&event).await.expect(503);
    assert_eq!(
        (&noor(&world).await["HasOptedOutOfEmail"], lead_opted_out(&world).await),
        (&json!(false), json!(true))
    );
    world.org().heal().await;
    let modified = noor(&world).await["SystemModstamp"].clone();
    let written = evidence(&world).await.len();
    let _ = didomi.send(&event).await.expect(202);
    assert_eq!(lead_opted_out(&world).await, false);
    assert_eq!(noor(&world).await["SystemModstamp"], modified, "the contact is left alone");
    assert_eq!(evidence(&world).await.len(), written + 1);
}

/// Choices become `ContactPointTypeConsent`s.
fn contact_points() -> Table {
    let mut source = source();
    let object = contact(&mut source);
    object.insert("writer".into(), "contact-point-type-consent".into());
    let mappings = toml::toml! {
        m = [
            { source = "purpose:newsletter", contact-point-type = "Email", data-use-purpose = "Newsletter" },
            { source = "channel:phone", contact-point-type = "Phone" },
        ]
    };
    object.insert("mappings".into(), mappings["m"].clone());
    source
}

const PRIVACY: &str = r#"
[[records]]
object = "DataUsePurpose"
fields = { Name = "Newsletter" }

[org]
features = ["data-protection"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c14_there_is_one_row_for_each_purpose_of_an_individual() {
    let world = world_of(contact_points(), PRIVACY).await;
    let didomi = didomi(&world);
    let both = |id: &str, at: &str, newsletter: bool, phone: bool| {
        let purposes = json!([{"id": "newsletter", "enabled": newsletter}]);
        chosen(id, at, NOOR, purposes, json!([{"id": "phone", "enabled": phone}]))
    };
    let _ = didomi.send(&both("evt-1", EIGHT, true, false)).await.expect(202);
    applied(&world, "evt-1").await;
    let individual = noor(&world).await["IndividualId"].clone();
    let consent =
        async |kind: &str| world.org().one("ContactPointTypeConsent", "ContactPointType", kind).await;
    let email = consent("Email").await;
    assert_eq!((&email["PartyId"], &email["PrivacyConsentStatus"]), (&individual, &json!("OptIn")));
    assert_eq!(email["Name"], format!("didomi:{NOOR}:newsletter:Email"));
    let purpose = world.org().one("DataUsePurpose", "Name", "Newsletter").await["Id"].clone();
    assert_eq!(email["DataUsePurposeId"], purpose);
    assert!(email["CaptureDate"].as_str().unwrap().starts_with("2026-08-05T08:00:01"));
    assert_eq!(consent("Phone").await["PrivacyConsentStatus"], "OptOut");

    let _ = didomi.send(&both("evt-2", NINE, false, false)).await.expect(202);
    applied(&world, "evt-2").await;
    let email = consent("Email").await;
    assert_eq!(email["PrivacyConsentStatus"], "OptOut");
    assert!(email["CaptureDate"].as_str().unwrap().starts_with("2026-08-05T09:00:00"));
    assert_eq!(world.org().records("Individual").await.len(), 1);
    assert_eq!(world.org().records("ContactPointTypeConsent").await.len(), 2);
    let evidence = evidence(&world).await;
    let changes: Vec<_> = evidence.iter().map(|one| (&one["event"], &one["old"], &one["new"])).collect();
    assert!(changes.contains(&(&json!("evt-2"), &json!("OptIn"), &json!("OptOut"))), "{changes:?}");
    assert_eq!(changes.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi_c14_an_org_without_the_object_is_told_at_once_with_the_setting() {
    let world = world_of(contact_points(), "").await;
    let check = run(&world, &["check"]).await;
    let findings = check["findings"].as_array().unwrap();
    let problem = findings.iter().find(|finding| {
        finding["what"].as_str().unwrap().contains("writer = \"contact-point-type-consent\"")
    });
    let problem = problem.unwrap_or_else(|| panic!("{check:#}"));
    assert_eq!(problem["verdict"], "problem");
    assert!(problem["what"].as_str().unwrap().contains("ContactPointTypeConsent"));
    let _ = didomi(&world).send(&newsletter("evt-1", EIGHT, NOOR, true)).await.expect(202);
    // It waits: an administrator turns the feature on, or the setting is corrected.
    for _ in 0..100 {
        let event = super::look(&world, "evt-1").await;
        if event["attempts"].as_u64() > Some(0) {
            let why = event["reason"].as_str().unwrap();
            assert!(why.contains("Data Protection and Privacy"), "{why}");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{:?}", outcome(&world, "evt-1").await);
}
