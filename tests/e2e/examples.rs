//! The sequences in `examples/`, each against the configuration beside it.

use std::{fs, path::PathBuf};

use e2e::{
    World,
    replay::Sequence,
    sources::{akamai::Akamai, akamai_sequence},
    world::environment,
};

async fn replay(folder: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples").join(folder);
    let mut played = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().path();
        if file.to_string_lossy().ends_with(".sequence.toml") {
            let world = World::of_example(&folder.join("gangway.toml")).await;
            Sequence::read(&file).play(&world.url(), &world.org()).await;
            played += 1;
        }
    }
    assert!(played > 0, "{} has no sequence", folder.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn entra() {
    replay("entra").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn okta() {
    replay("okta").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pingone() {
    replay("pingone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn helloid_generic_scim() {
    replay("helloid-generic-scim").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn helloid_salesforce() {
    replay("helloid-salesforce").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sailpoint() {
    replay("sailpoint").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leads_and_contacts() {
    replay("leads-and-contacts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entitlements() {
    replay("entitlements").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn next_identity() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/next-identity");
    let akamai = Akamai::start().await;
    let mapping = fs::read_to_string(folder.join("people.json")).unwrap();
    let files = vec![Akamai::secret_file(), ("people.json".to_owned(), mapping)];
    let world = World::of_example_with(&folder.join("gangway.toml"), files, |config| {
        let sources = environment(config)["akamai"].as_array_mut().unwrap();
        akamai.stand_in(sources[0].as_table_mut().unwrap());
    })
    .await;
    let to = format!("{}/events/akamai/acme/prod", world.url());
    let audience = "https://gw.acme.example/events/akamai/acme/prod";
    let sequence = akamai_sequence::Sequence::read(&folder.join("registration.events.toml"));
    sequence.play(&akamai, &to, audience, &world.org()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn didomi() {
    replay("didomi").await;
}

/// A folder that is not named above would never be played.
#[test]
fn every_example_is_played() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut folders: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    assert_eq!(
        folders,
        [
            "didomi",
            "entitlements",
            "entra",
            "helloid-generic-scim",
            "helloid-salesforce",
            "leads-and-contacts",
            "next-identity",
            "okta",
            "pingone",
            "sailpoint",
            "shared-signals"
        ]
    );
}
