//! What an org offers and who has what, against the simulated org.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod script;
#[expect(dead_code, reason = "each test file uses a part of it")]
mod world;

use std::{collections::HashSet, time::Duration};

use salesforce_client::{CallError, Purpose};
use salesforce_types::{Catalogue, Entitlement, EntitlementKind, EntitlementRef, RecordId, Seats};
use world::World;

const ORG: &str = r#"
[org]
features = ["territories"]

[[permission-sets]]
name = "Badges"
label = "badges"
namespace = "harbour"
description = "Prints badges"

[[permission-sets]]
name = "Registrar"
permissions = ["ManageUsers"]

[[permission-set-groups]]
name = "Registry"
label = "Registry"
sets = ["Sales_Basics", "Registrar"]

[[packages]]
namespace = "everybody"
total = -1

[[profiles]]
name = "Site Guest"
licence = "Customer Community"
user-type = "Guest"

[[territories]]
name = "Benelux"

[[users]]
username = "ada@example.com"
profile = "Standard User"
role = "Sales Manager"
fields = { UserPermissionsMarketingUser = true }
permission-sets = ["Sales_Basics", "Sales_Console"]
permission-set-groups = ["Service_Team"]
permission-set-licences = ["IdentityConnect"]
packages = ["harbour"]
groups = ["EMEA Sales"]
queues = ["Inbound Leads"]
territories = ["Benelux"]

[[users]]
username = "bob@example.com"
profile = "Standard User"
"#;

async fn catalogue(world: &World) -> Catalogue {
    world.org.catalogue(Purpose::catalogue()).await.unwrap()
}

fn of<'c>(catalogue: &'c Catalogue, kind: EntitlementKind, name: &str) -> &'c Entitlement {
    catalogue.named(&[kind], name).unwrap_or_else(|_| panic!("no {kind} {name}"))
}

fn count(catalogue: &Catalogue, kind: EntitlementKind) -> usize {
    catalogue.entitlements().iter().filter(|one| one.of.kind == kind).count()
}

fn user(world: &World, name: &str) -> RecordId {
    world.sim.handle().user(name).unwrap()["Id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_kind_of_an_org_is_in_its_catalogue_for_two_calls_and_a_describe() {
    let world = World::from_file("catalogue", ORG).await;
    let all = catalogue(&world).await;
    assert_eq!(world.sim.handle().api_calls(), 3);
    let again = catalogue(&world).await;
    assert_eq!((again == all, world.sim.handle().api_calls()), (true, 5));
    for kind in EntitlementKind::ALL {
        assert!(count(&all, kind) > 0, "no {kind}");
    }

    let badges = of(&all, EntitlementKind::PermissionSet, "harbour__Badges");
    assert_eq!(badges.description.as_deref(), Some("Prints badges"));
    assert!(!badges.far_reaching);
    let registrar = of(&all, EntitlementKind::PermissionSet, "Registrar");
    let registry = of(&all, EntitlementKind::PermissionSetGroup, "Registry");
    assert!(registrar.far_reaching && registry.far_reaching);
    let basics = of(&all, EntitlementKind::PermissionSet, "Sales_Basics");
    let contains: HashSet<&str> = registry.contains.iter().map(RecordId::as_str).collect();
    assert_eq!(contains, HashSet::from([basics.of.id.as_str(), registrar.of.id.as_str()]));

    let administrator = of(&all, EntitlementKind::Profile, "System Administrator");
    assert!(administrator.far_reaching);
    let license = all.license(administrator.license.as_ref().unwrap()).unwrap();
    assert_eq!((license.name.as_str(), license.key.as_str()), ("Salesforce", "SFDC"));
    assert_eq!(license.seats.total, Some(10_000));
    assert_eq!(of(&all, EntitlementKind::Profile, "Site Guest").user_type.as_deref(), Some("Guest"));
    assert_eq!(of(&all, EntitlementKind::Role, "VP Sales").user_type.as_deref(), Some("None"));

    let console = of(&all, EntitlementKind::PermissionSet, "Sales_Console").license.clone();
    let needed = of(&all, EntitlementKind::PermissionSetLicense, "SalesConsoleUser");
    assert_eq!(console.map(|id| id.to_string()), Some(needed.of.id.clone()));
    assert_eq!(needed.seats, Some(Seats { used: 1, total: Some(100) }));
    let package = |name| of(&all, EntitlementKind::PackageLicense, name).seats.unwrap();
    assert_eq!(package("harbour"), Seats { used: 1, total: Some(25) });
    assert_eq!(package("everybody").free(), None, "a site licence");
    let marketing = of(&all, EntitlementKind::FeatureLicense, "UserPermissionsMarketingUser");
    assert_eq!((marketing.name.as_str(), marketing.label.as_str()), ("MarketingUser", "Marketing User"));
    let is_auto_login = |one: &Entitlement| one.of.id == "UserPermissionsCallCenterAutoLogin";
    assert!(!all.entitlements().iter().any(is_auto_login), "a preference is no licence");
}

#[tokio::test]
async fn shadow_sets_are_not_offered_and_the_order_is_kind_label_id() {
    let world = World::from_file("order", ORG).await;
    let all = catalogue(&world).await;
    assert_eq!(count(&all, EntitlementKind::PermissionSet), 12, "ten of the default org and two more");
    let shadows = world.sim.handle().records("PermissionSet");
    let shadow = |one: &&Entitlement| {
        shadows
            .iter()
            .any(|set| set["Id"] == one.of.id && (set["Type"] == "Group" || set["Type"] == "Profile"))
    };
    assert_eq!(all.entitlements().iter().find(shadow), None);
    let key = |one: &Entitlement| (one.of.kind, one.label.to_lowercase(), one.of.id.clone());
    assert!(all.entitlements().is_sorted_by_key(key));
    let ids: HashSet<&EntitlementRef> = all.entitlements().iter().map(|one| &one.of).collect();
    assert_eq!(ids.len(), all.entitlements().len());
    let types: HashSet<_> =
        world.sim.handle().records("Group").iter().map(|g| g["Type"].to_string()).collect();
    assert!(types.len() > 2, "the org has groups of its own");
    assert_eq!(
        count(&all, EntitlementKind::PublicGroup) + count(&all, EntitlementKind::Queue),
        8,
        "and they are nobody's to join"
    );
}

#[tokio::test]
async fn what_an_org_lacks_or_hides_is_absent_and_no_error() {
    let hidden = r#"
hidden-fields = ["PermissionSet.Description", "PermissionSet.NamespacePrefix", "Group.DeveloperName",
    "PermissionSetLicense.TotalLicenses", "User.UserPermissionsKnowledgeUser"]
"#;
    let world = World::from_file("hidden", hidden).await;
    let all = catalogue(&world).await;
    assert_eq!(count(&all, EntitlementKind::Territory), 0, "Territory2 is not switched on");
    assert_eq!(count(&all, EntitlementKind::PermissionSet), 10);
    assert_eq!(
        of(&all, EntitlementKind::PublicGroup, "EMEA Sales").name,
        "EMEA Sales",
        "no API name is told"
    );
    assert_eq!(count(&all, EntitlementKind::PermissionSetLicense), 0, "licences whose seats are hidden");
    let knowledge = all.named(&[EntitlementKind::FeatureLicense], "UserPermissionsKnowledgeUser");
    assert!(knowledge.is_err());
    let calls = world.sim.handle().api_calls();
    assert!(calls <= 5, "{calls} calls: three, and two that ask for less");
}

#[tokio::test]
async fn an_org_that_cannot_be_asked_has_no_catalogue() {
    let world = World::start().await;
    world.sim.handle().add_fault(
        serde_json::from_value(
            serde_json::json!({ "kind": "status", "path": "/data/v*/query", "status": 400,
            "error_code": "QUERY_TOO_COMPLICATED", "count": 1 }),
        )
        .unwrap(),
    );
    let answer = world.org.catalogue(Purpose::catalogue()).await;
    assert!(
        matches!(&answer, Err(CallError::Refused(refusal)) if refusal.code == "QUERY_TOO_COMPLICATED"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn seats_are_read_anew_in_one_call() {
    let world = World::from_file("seats", ORG).await;
    let before = catalogue(&world).await;
    let bob = user(&world, "bob@example.com");
    let package = of(&before, EntitlementKind::PackageLicense, "harbour").of.clone();
    world.make("UserPackageLicense", &[("UserId", bob.as_str()), ("PackageLicenseId", &package.id)]).await;
    assert!(world.sim.handle().set_licence_total("Salesforce", 7));
    world.sim.handle().forget_calls();
    let after = world.org.seats(&before, Purpose::catalogue()).await.unwrap();
    assert_eq!(world.sim.handle().api_calls(), 1);
    assert_eq!(after.get(&package).unwrap().seats, Some(Seats { used: 2, total: Some(25) }));
    let salesforce = after.licenses().iter().find(|license| license.key == "SFDC").unwrap();
    assert_eq!(salesforce.seats, Seats { used: 4, total: Some(7) });
    let refs = |catalogue: &Catalogue| -> Vec<EntitlementRef> {
        catalogue.entitlements().iter().map(|one| one.of.clone()).collect()
    };
    assert_eq!(refs(&after), refs(&before));
}

#[tokio::test]
async fn who_has_what_is_told_by_kind_without_the_shadows() {
    let world = World::from_file("assigned", ORG).await;
    let all = catalogue(&world).await;
    let (ada, bob) = (user(&world, "ada@example.com"), user(&world, "bob@example.com"));
    world.sim.handle().forget_calls();
    let users = [ada.clone(), bob.clone()];
    let assigned = world.org.assigned(&users, &EntitlementKind::ALL, Purpose::catalogue()).await.unwrap();
    assert_eq!(world.sim.handle().api_calls(), 2, "six objects, and five queries in a call");
    let names = |user: &RecordId| -> Vec<String> {
        let own = assigned.iter().filter(|one| one.user == *user);
        own.map(|one| format!("{}:{}", one.of.kind, all.get(&one.of).unwrap().name)).collect()
    };
    let mut of_ada = names(&ada);
    of_ada.sort();
    assert_eq!(
        of_ada,
        [
            "feature-license:MarketingUser",
            "package-license:harbour",
            "permission-set-group:Service_Team",
            "permission-set-license:IdentityConnect",
            "permission-set-license:SalesConsoleUser",
            "permission-set:Sales_Basics",
            "permission-set:Sales_Console",
            "profile:Standard User",
            "public-group:EMEA_Sales",
            "queue:Inbound_Leads",
            "role:Sales_Manager",
            "territory:Benelux",
        ]
    );
    assert_eq!(names(&bob), ["profile:Standard User"]);
    for one in &assigned {
        let is_field = matches!(
            one.of.kind,
            EntitlementKind::Profile | EntitlementKind::Role | EntitlementKind::FeatureLicense
        );
        assert_eq!(one.row.is_none(), is_field, "{one:?}");
    }
    let kinds = [EntitlementKind::Queue, EntitlementKind::PermissionSetGroup];
    let some = world.org.assigned(&users, &kinds, Purpose::catalogue()).await.unwrap();
    assert_eq!(some.len(), 2);
    assert_eq!(world.sim.handle().api_calls(), 3);
    assert_eq!(world.org.assigned(&[], &kinds, Purpose::catalogue()).await.unwrap(), []);
    assert_eq!(world.sim.handle().api_calls(), 3, "nobody is asked about");
}

#[tokio::test]
async fn what_has_expired_is_not_held_and_what_will_expire_says_when() {
    let world = World::from_file("expired", ORG).await;
    let all = catalogue(&world).await;
    let bob = user(&world, "bob@example.com");
    let now = model::Clock::system().now();
    let at = |seconds| now + jiff::SignedDuration::from_secs(seconds);
    for (name, seconds) in [("Sales_Basics", 3_600), ("Report_Export", 864_000)] {
        let set = &of(&all, EntitlementKind::PermissionSet, name).of.id;
        let values = [
            ("AssigneeId", bob.as_str()),
            ("PermissionSetId", set.as_str()),
            ("ExpirationDate", &at(seconds).to_string()),
        ];
        world.make("PermissionSetAssignment", &values).await;
    }
    let ask = async || {
        let kinds = [EntitlementKind::PermissionSet];
        world.org.assigned(std::slice::from_ref(&bob), &kinds, Purpose::catalogue()).await.unwrap()
    };
    assert_eq!(ask().await.len(), 2);
    world.sim.handle().advance(Duration::from_hours(2));
    let left = ask().await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].expires.map(jiff::Timestamp::as_second), Some(at(864_000).as_second()));
}

#[tokio::test]
async fn thousands_of_users_are_read_a_few_hundred_in_a_query() {
    let world = World::from_file("many", "[generate]\nusers = 1200\n").await;
    let users: Vec<RecordId> = world.records("User").into_keys().collect();
    assert!(users.len() > 1_200);
    let kinds = [EntitlementKind::Profile, EntitlementKind::PermissionSet, EntitlementKind::PublicGroup];
    let assigned = world.org.assigned(&users, &kinds, Purpose::catalogue()).await.unwrap();
    let profiles = assigned.iter().filter(|one| one.of.kind == EntitlementKind::Profile);
    assert_eq!(profiles.count(), users.len());
    assert_eq!(world.sim.handle().api_calls(), 2, "three chunks of three queries");
}
