//! Giving and taking entitlements, against the simulated org.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[expect(dead_code, reason = "each test file uses a part of it")]
mod script;
#[expect(dead_code, reason = "each test file uses a part of it")]
mod world;

use salesforce_client::Purpose;
use salesforce_types::{Catalogue, EntitlementKind, Given, Manner, RecordId, References, Step, StepOutcome};
use script::{a_ticket, ticket_of};
use serde_json::json;
use world::{World, all_done, done, fields, gist};

const ORG: &str = r#"
[org]
features = ["territories"]

[[territories]]
name = "Benelux"

[[users]]
username = "ada@example.com"
profile = "Standard User"
"#;

/// One of each kind that rows give, a licence before the set that needs it.
const EVERYTHING: [(EntitlementKind, &str); 7] = [
    (EntitlementKind::PackageLicense, "harbour"),
    (EntitlementKind::PermissionSetLicense, "IdentityConnect"),
    (EntitlementKind::PermissionSet, "Directory_Sync"),
    (EntitlementKind::PermissionSetGroup, "Sales_Team"),
    (EntitlementKind::PublicGroup, "EMEA_Sales"),
    (EntitlementKind::Queue, "Inbound_Leads"),
    (EntitlementKind::Territory, "Benelux"),
];

async fn catalogue(world: &World) -> Catalogue {
    let catalogue = world.org.catalogue(Purpose::catalogue()).await.unwrap();
    world.sim.handle().forget_calls();
    catalogue
}

/// The step that gives it to a User, or to the one that the first step makes.
fn give(catalogue: &Catalogue, kind: EntitlementKind, name: &str, user: Option<&RecordId>) -> Step {
    let id = &catalogue.named(&[kind], name).unwrap().of.id;
    let Given::Row(row) = kind.given() else { panic!("{kind} is given by no row") };
    let mut values = fields(&[(row.entitlement, id)]);
    let mut refers = References::new();
    match user {
        Some(user) => values.insert(row.user.to_owned(), json!(user.as_str())).is_some(),
        None => refers.insert(row.user.to_owned(), 0).is_some(),
    };
    Step::Create { object: row.object.into(), fields: values, refers, manner: Manner::default() }
}

fn joiner(catalogue: &Catalogue, name: &str) -> Step {
    let id = |kind, name| catalogue.named(&[kind], name).unwrap().of.id.clone();
    let username = format!("{name}@example.com");
    let profile = id(EntitlementKind::Profile, "Standard User");
    let role = id(EntitlementKind::Role, "Sales Manager");
    let values = [
        ("Username", username.as_str()),
        ("LastName", name),
        ("Email", &username),
        ("Alias", "joiner"),
        ("TimeZoneSidKey", "GMT"),
        ("LocaleSidKey", "en_US"),
        ("EmailEncodingKey", "UTF-8"),
        ("LanguageLocaleKey", "en_US"),
        ("ProfileId", &profile),
        ("UserRoleId", &role),
    ];
    world::create("User", &values, Manner::default())
}

/// A User with profile and role, three permission sets and two groups.
fn joiner_with_everything(catalogue: &Catalogue, name: &str) -> Vec<Step> {
    let mut steps = vec![joiner(catalogue, name)];
    let sets = ["Sales_Basics", "Report_Export", "Contract_Approver"];
    steps.extend(sets.map(|set| give(catalogue, EntitlementKind::PermissionSet, set, None)));
    let groups = ["EMEA_Sales", "Americas_Sales"];
    steps.extend(groups.map(|group| give(catalogue, EntitlementKind::PublicGroup, group, None)));
    steps
}

fn is_there(outcome: &StepOutcome) -> bool {
    matches!(outcome, StepOutcome::There)
}

fn user(world: &World, name: &str) -> RecordId {
    world.sim.handle().user(name).unwrap()["Id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_is_given_with_an_update_lands_with_it_in_one_call_or_not_at_all() {
    let world = World::from_file("with_update", ORG).await;
    let catalogue = catalogue(&world).await;
    let ada = user(&world, "ada@example.com");
    let steps = |email: &str| {
        let (object, fields, manner) = ("User".into(), fields(&[("Email", email)]), Manner::default());
        let mut all = vec![Step::Update { object, id: ada.clone(), fields, manner }];
        let sets = ["Sales_Basics", "Report_Export"];
        all.extend(sets.map(|set| give(&catalogue, EntitlementKind::PermissionSet, set, None)));
        all
    };
    let before = world.records("PermissionSetAssignment").len();
    let refused = world.org.act(&steps("no address"), &a_ticket(false)).await;
    assert!(matches!(refused[0], StepOutcome::Refused(_)), "{refused:?}");
    assert!(refused[1..].iter().all(|outcome| matches!(outcome, StepOutcome::NotSent { .. })), "{refused:?}");
    assert_eq!(world.records("PermissionSetAssignment").len(), before);
    assert_eq!(world.sim.handle().api_calls(), 1);

    let landed = world.org.act(&steps("ada.king@example.com"), &a_ticket(false)).await;
    assert!(all_done(&landed), "{landed:?}");
    assert_eq!(world.records("PermissionSetAssignment").len(), before + 2);
    assert_eq!(world.sim.handle().api_calls(), 2);

    // In a crowd the records go first, and what follows from those that landed next.
    let grace: Vec<Vec<Step>> = (0..30)
        .map(|n| {
            let mut all = steps(if n % 2 == 0 { "ada@example.com" } else { "no address" });
            all.truncate(2);
            all
        })
        .collect();
    for (n, outcomes) in world.crowd(&grace).await.into_iter().enumerate() {
        let has_landed = matches!(outcomes[0], StepOutcome::Done { .. });
        assert_eq!(has_landed, n % 2 == 0, "{outcomes:?}");
        assert_eq!(is_there(&outcomes[1]), has_landed, "{outcomes:?}");
    }
}

#[tokio::test]
async fn what_is_given_twice_is_there_and_what_is_taken_twice_is_gone() {
    let world = World::from_file("twice", ORG).await;
    let catalogue = catalogue(&world).await;
    let ada = user(&world, "ada@example.com");
    let steps: Vec<Step> =
        EVERYTHING.iter().map(|(kind, name)| give(&catalogue, *kind, name, Some(&ada))).collect();
    let given = world.org.act(&steps, &a_ticket(false)).await;
    assert!(all_done(&given), "{given:?}");
    assert_eq!(world.sim.handle().api_calls(), 1);

    let again = world.org.act(&steps, &a_ticket(false)).await;
    assert!(again.iter().all(is_there), "{again:?}");
    for step in &steps {
        let lone = world.org.act(std::slice::from_ref(step), &a_ticket(false)).await;
        assert!(is_there(&lone[0]), "{} in a call of its own: {lone:?}", step.object());
    }
    let all: Vec<_> = (0..30).map(|_| steps.clone()).collect();
    for outcomes in world.crowd(&all).await {
        assert!(outcomes.iter().all(is_there), "in collections: {outcomes:?}");
    }

    let assigned = world.org.assigned(&[ada], &EntitlementKind::ALL, Purpose::catalogue()).await.unwrap();
    let rows = steps.iter().zip(&given).map(|(step, given)| (step.object(), done(given)));
    let rows: Vec<(&str, RecordId)> = rows.collect();
    assert!(rows.iter().all(|(_, id)| assigned.iter().any(|one| one.row.as_ref() == Some(id))));
    // The set before the licence that it needs.
    let take: Vec<Step> = rows
        .iter()
        .rev()
        .map(|(object, id)| Step::Delete { object: (*object).into(), id: id.clone() })
        .collect();
    let taken = world.org.act(&take, &a_ticket(true)).await;
    assert!(all_done(&taken), "{taken:?}");
    let again = world.org.act(&take, &a_ticket(true)).await;
    assert!(again.iter().all(is_there), "{again:?}");
}

#[tokio::test]
async fn a_name_that_is_taken_is_no_duplicate_assignment() {
    let world = World::from_file("taken", ORG).await;
    let catalogue = catalogue(&world).await;
    let steps = joiner_with_everything(&catalogue, "ada");
    let outcomes = world.org.act(&steps, &a_ticket(false)).await;
    assert!(gist(&outcomes[0]).starts_with("DUPLICATE_USERNAME"), "{outcomes:?}");
}

/// Salesforce has judged none of them: they can be told from what it refused by their outcome.
#[tokio::test]
async fn what_hangs_on_a_refused_record_is_not_sent() {
    let world = World::from_file("halted", ORG).await;
    let catalogue = catalogue(&world).await;
    let mut steps = joiner_with_everything(&catalogue, "ada");
    let ada = user(&world, "ada@example.com");
    steps.push(give(&catalogue, EntitlementKind::Queue, "Inbound_Leads", Some(&ada)));
    let crowd: Vec<_> = (0..30).map(|_| steps.clone()).collect();
    let mut all = world.crowd(&crowd).await;
    all.push(world.org.act(&steps, &a_ticket(false)).await);
    for outcomes in all {
        let followers = &outcomes[1..steps.len() - 1];
        let why = "not sent: the record that it refers to was not made";
        assert!(followers.iter().all(|outcome| gist(outcome) == why), "{outcomes:?}");
        let independent = outcomes.last().unwrap();
        assert!(is_there(independent) || matches!(independent, StepOutcome::Done { .. }), "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_refused_follower_takes_neither_the_record_nor_its_siblings_along() {
    let world = World::from_file("follower", ORG).await;
    let catalogue = catalogue(&world).await;
    let refused = give(&catalogue, EntitlementKind::PermissionSet, "Customer_Portal_Reader", None);
    let make = |name: &str| {
        let mut steps = joiner_with_everything(&catalogue, name);
        steps.insert(1, refused.clone());
        steps
    };
    let crowd: Vec<_> = (0..30).map(|n| make(&format!("crowd{n}"))).collect();
    let mut all = world.crowd(&crowd).await;
    all.push(world.org.act(&make("lone"), &a_ticket(false)).await);
    for outcomes in all {
        assert!(gist(&outcomes[1]).starts_with("FIELD_INTEGRITY_EXCEPTION"), "{outcomes:?}");
        let others = outcomes.iter().enumerate().filter(|(at, _)| *at != 1);
        assert!(
            others.into_iter().all(|(_, outcome)| matches!(outcome, StepOutcome::Done { .. })),
            "{outcomes:?}"
        );
    }
    let lone = world.sim.handle().grants("lone@example.com").unwrap();
    assert_eq!((lone.permission_sets.len(), lone.groups.len()), (3, 2));
}

#[tokio::test]
async fn the_joiner_with_everything_is_one_call() {
    let world = World::from_file("one-call", ORG).await;
    let catalogue = catalogue(&world).await;
    let outcomes = world.org.act(&joiner_with_everything(&catalogue, "joan"), &a_ticket(false)).await;
    assert!(all_done(&outcomes), "{outcomes:?}");
    assert_eq!(world.sim.handle().api_calls(), 1);
    let joan = user(&world, "joan@example.com");
    assert_eq!(world.record("User", &joan)["UserRoleId"].as_str().unwrap().get(..3), Some("00E"));
    let grants = world.sim.handle().grants("joan@example.com").unwrap();
    assert_eq!((grants.permission_sets.len(), grants.groups.len()), (3, 2));
}

#[tokio::test]
async fn two_hundred_joiners_with_everything_take_a_few_calls() {
    let world = World::from_file("two-hundred", ORG).await;
    let catalogue = catalogue(&world).await;
    let all: Vec<_> = (0..200).map(|n| joiner_with_everything(&catalogue, &format!("j{n}"))).collect();
    let outcomes = world.crowd(&all).await;
    assert!(outcomes.iter().all(|outcomes| all_done(outcomes)));
    let calls = world.sim.handle().api_calls();
    assert!(calls <= 14, "{calls} calls for two hundred");
    for n in 0..200 {
        let grants = world.sim.handle().grants(&format!("j{n}@example.com")).unwrap();
        assert_eq!((grants.permission_sets.len(), grants.groups.len()), (3, 2), "joiner {n}");
    }
}

/// Refused where the order is lost: the set is only for those who have the licence.
#[tokio::test]
async fn a_licence_comes_before_the_set_that_needs_it_and_goes_after_it() {
    let world = World::from_file("licence-first", &format!("{ORG}\n[generate]\nusers = 45\n")).await;
    assert!(world.sim.handle().set_licence_total("IdentityConnect", 1_000));
    let catalogue = catalogue(&world).await;
    let users = world.sim.handle().records("User").into_iter().filter(|user| {
        user["Username"].as_str().is_some_and(|name| !name.ends_with("harbour-lights.example"))
    });
    let users: Vec<RecordId> = users.map(|user| user["Id"].as_str().unwrap().parse().unwrap()).collect();
    assert!(users.len() >= 45);
    let licence =
        |user| give(&catalogue, EntitlementKind::PermissionSetLicense, "IdentityConnect", Some(user));
    let set = |user, name| give(&catalogue, EntitlementKind::PermissionSet, name, Some(user));
    // Others fill the collections of permission sets before the licences come.
    let steps = users.iter().enumerate().map(|(n, user)| {
        let needed = [licence(user), set(user, "Directory_Sync")];
        let mut steps: Vec<Step> = if n % 2 == 0 { vec![set(user, "Sales_Basics")] } else { Vec::new() };
        steps.extend(needed);
        steps.push(set(user, "Report_Export"));
        steps
    });
    let steps: Vec<Vec<Step>> = steps.collect();
    let given = world.crowd(&steps).await;
    assert!(given.iter().all(|outcomes| all_done(outcomes)), "{given:?}");
    let take: Vec<Vec<Step>> = steps
        .iter()
        .zip(&given)
        .map(|(steps, given)| {
            let rows = steps.iter().zip(given).rev();
            rows.map(|(step, given)| Step::Delete { object: step.object().into(), id: done(given) }).collect()
        })
        .collect();
    let taken = world.crowd(&take).await;
    assert!(taken.iter().all(|outcomes| all_done(outcomes)), "{taken:?}");
}

#[tokio::test]
async fn the_last_seat_is_given_once_and_the_others_hear_why_not() {
    let world = World::from_file("last-seat", &format!("{ORG}\n[generate]\nusers = 12\n")).await;
    assert!(world.sim.handle().set_licence_total("harbour", 1));
    let catalogue = catalogue(&world).await;
    let users: Vec<RecordId> = world.records("User").into_keys().collect();
    let acts = users.iter().enumerate().map(|(n, user)| {
        let step = give(&catalogue, EntitlementKind::PackageLicense, "harbour", Some(user));
        let org = &world.org;
        async move {
            let ticket = ticket_of("acme/prod", "hr", &n.to_string(), false);
            org.act(&[step], &ticket).await.remove(0)
        }
    });
    let outcomes = futures::future::join_all(acts).await;
    let given = outcomes.iter().filter(|outcome| matches!(outcome, StepOutcome::Done { .. })).count();
    let full = outcomes.iter().filter(|outcome| gist(outcome).starts_with("LICENSE_LIMIT_EXCEEDED")).count();
    assert_eq!((given, full), (1, users.len() - 1), "{outcomes:?}");
}
