//! What sources call identities.

use model::SourceName;

use super::*;

suite![
    an_identity_is_known_by_what_its_source_calls_it,
    one_identity_has_one_name_and_one_name_is_one_identity,
    a_name_ends_with_its_identity,
    names_of_other_tenants_and_sources_are_others,
];

fn source(name: &str) -> SourceName {
    SourceName::new(name).expect("a source")
}

async fn make(world: &World<'_>, id: &str) {
    let write = ResourceWrite::Create(resource(user(id)));
    ok(world.store.record(record(&world.tenant, USER, id, write)).await).expect_version(1);
}

async fn call(world: &World<'_>, name: &str, id: &str) {
    ok(world.store.call(&world.tenant, &source("idm"), name, &ResourceId::from_text(id)).await);
}

async fn who(world: &World<'_>, name: &str) -> Option<String> {
    let found = ok(world.store.identity_called(&world.tenant, &source("idm"), name).await);
    found.map(|id| id.as_str().to_owned())
}

async fn name(world: &World<'_>, id: &str) -> Option<String> {
    ok(world.store.called(&world.tenant, &source("idm"), &ResourceId::from_text(id)).await)
}

async fn an_identity_is_known_by_what_its_source_calls_it(world: &World<'_>) {
    assert_eq!((who(world, "p1").await, name(world, "ada").await), (None, None));
    call(world, "p1", "ada").await;
    assert_eq!(who(world, "p1").await, None, "there is nobody to be called so");
    make(world, "ada").await;
    for _ in 0..2 {
        call(world, "p1", "ada").await;
        assert_eq!(who(world, "p1").await.as_deref(), Some("ada"));
        assert_eq!(name(world, "ada").await.as_deref(), Some("p1"));
    }
}

async fn one_identity_has_one_name_and_one_name_is_one_identity(world: &World<'_>) {
    make(world, "ada").await;
    make(world, "bob").await;
    call(world, "p1", "ada").await;
    call(world, "p2", "ada").await;
    assert_eq!((who(world, "p1").await, name(world, "ada").await.as_deref()), (None, Some("p2")));
    call(world, "p2", "bob").await;
    assert_eq!((who(world, "p2").await.as_deref(), name(world, "ada").await), (Some("bob"), None));
}

async fn a_name_ends_with_its_identity(world: &World<'_>) {
    make(world, "ada").await;
    call(world, "p1", "ada").await;
    let delete = ResourceWrite::Delete { expected: Version(1) };
    ok(world.store.record(record(&world.tenant, USER, "ada", delete)).await);
    assert_eq!(who(world, "p1").await, None);
}

async fn names_of_other_tenants_and_sources_are_others(world: &World<'_>) {
    make(world, "ada").await;
    call(world, "p1", "ada").await;
    assert_eq!(ok(world.store.identity_called(&world.tenant, &source("other"), "p1").await), None);
    assert_eq!(ok(world.store.identity_called(&tenant("other/prod"), &source("idm"), "p1").await), None);
    let ada = ResourceId::from_text("ada");
    assert_eq!(ok(world.store.called(&tenant("other/prod"), &source("idm"), &ada).await), None);
    ok(world.store.call(&world.tenant, &source("other"), "x", &ada).await);
    assert_eq!(name(world, "ada").await.as_deref(), Some("p1"), "each source has its own name for her");
}
