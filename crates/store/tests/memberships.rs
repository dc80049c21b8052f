//! Whoever writes the members of Groups, one by one or all at once, they end as in simple lists.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::collections::BTreeMap;

use model::{ClientName, ResourceId, ResourceKind, TenantId, Timestamp, Version};
use proptest::prelude::*;
use scim_types::Resource;
use serde_json::json;
use store::{
    AuditEntry, ChangeOutcome, Directory, Journal, MasterKey, MembershipWrite, Record, Recorded,
    ResourceWrite, sqlite::SqliteStore,
};

const PEOPLE: [&str; 4] = ["a", "b", "c", "d"];
const GROUPS: [&str; 2] = ["staff", "board"];

/// What is asked. Numbers choose among people and groups.
#[derive(Clone, Debug)]
enum Ask {
    /// Somebody joins and leaves groups, in one moment.
    Write {
        who: usize,
        memberships: Vec<(usize, bool, Option<u8>)>,
    },
    /// These are the members, and no others.
    Replace {
        group: usize,
        members: Vec<(usize, Option<u8>)>,
    },
    Revise {
        group: usize,
    },
    RemovePerson {
        who: usize,
    },
    RemoveGroup {
        group: usize,
    },
    Restart,
}

fn ask() -> impl Strategy<Value = Ask> {
    let who = || 0..PEOPLE.len();
    let group = || 0..GROUPS.len();
    let display = || prop::option::weighted(0.4, 0..2_u8);
    let membership = (group(), prop::bool::weighted(0.6), display());
    prop_oneof![
        10 => (who(), prop::collection::vec(membership, 0..4))
            .prop_map(|(who, memberships)| Ask::Write { who, memberships }),
        4 => (group(), prop::collection::vec((who(), display()), 0..4))
            .prop_map(|(group, members)| Ask::Replace { group, members }),
        2 => group().prop_map(|group| Ask::Revise { group }),
        1 => who().prop_map(|who| Ask::RemovePerson { who }),
        1 => group().prop_map(|group| Ask::RemoveGroup { group }),
        1 => Just(Ask::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_members_of_groups_end_as_simple_lists_do(asked in prop::collection::vec(ask(), 1..40)) {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("gangway.db");
        let open = || SqliteStore::open(&path, MasterKey::new([7; 32])).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut both = Both::begin(open()).await;
            for ask in asked {
                if let Ask::Restart = ask {
                    both.store.close().await;
                    both.store = open();
                } else {
                    both.ask(ask).await;
                }
                both.compare().await?;
            }
            Ok::<(), TestCaseError>(())
        })?;
    }
}

/// The store, and what its groups are.
struct Both {
    store: SqliteStore,
    people: Vec<&'static str>,
    groups: BTreeMap<&'static str, Group>,
}

struct Group {
    version: Version,
    /// In the order in which they joined, each with what a tool calls them.
    members: Vec<(&'static str, Option<String>)>,
}

impl Both {
    async fn begin(store: SqliteStore) -> Self {
        let mut both = Self { store, people: PEOPLE.to_vec(), groups: BTreeMap::new() };
        for id in PEOPLE {
            let body = serde_json::from_value(json!({ "userName": id })).unwrap();
            both.record(ResourceKind::User, id, ResourceWrite::Create(body), Vec::new()).await;
        }
        for id in GROUPS {
            both.record(ResourceKind::Group, id, ResourceWrite::Create(body(id, &[])), Vec::new()).await;
            both.groups.insert(id, Group { version: Version::FIRST, members: Vec::new() });
        }
        both
    }

    async fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Write { who, memberships } => self.write(PEOPLE[who], &memberships).await,
            Ask::Replace { group, members } => self.replace(GROUPS[group], &members).await,
            Ask::Revise { group } => self.revise(GROUPS[group]).await,
            Ask::RemovePerson { who } => {
                let id = PEOPLE[who];
                if self.people.contains(&id) {
                    let write = ResourceWrite::Delete { expected: Version::FIRST };
                    self.record(ResourceKind::User, id, write, Vec::new()).await;
                    self.people.retain(|person| *person != id);
                    for group in self.groups.values_mut() {
                        group.members.retain(|(member, _)| *member != id);
                    }
                }
            }
            Ask::RemoveGroup { group } => {
                let id = GROUPS[group];
                if let Some(Group { version, .. }) = self.groups.remove(id) {
                    let write = ResourceWrite::Delete { expected: version };
                    self.record(ResourceKind::Group, id, write, Vec::new()).await;
                }
            }
            Ask::Restart => {}
        }
    }

    async fn write(&mut self, who: &'static str, memberships: &[(usize, bool, Option<u8>)]) {
        if !self.people.contains(&who) {
            return;
        }
        let mut writes = Vec::new();
        for (group, joins, display) in memberships {
            let (id, display) = (GROUPS[*group], display.map(called));
            let group = ResourceId::from_text(id);
            writes.push(MembershipWrite { group, joins: *joins, display: display.clone() });
            let Some(Group { members, .. }) = self.groups.get_mut(id) else { continue };
            let place = members.iter().position(|(member, _)| *member == who);
            match (joins, place) {
                (true, None) => members.push((who, display)),
                (true, Some(place)) => members[place].1 = display.or(members[place].1.take()),
                (false, Some(place)) => drop(members.remove(place)),
                (false, None) => {}
            }
        }
        self.record(ResourceKind::User, who, ResourceWrite::Keep, writes).await;
    }

    async fn replace(&mut self, id: &'static str, members: &[(usize, Option<u8>)]) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let mut wanted: Vec<(&'static str, Option<String>)> = Vec::new();
        for (who, display) in members {
            if !wanted.iter().any(|(member, _)| *member == PEOPLE[*who]) {
                wanted.push((PEOPLE[*who], display.map(called)));
            }
        }
        let write = ResourceWrite::Replace { expected: group.version, body: body(id, &wanted) };
        // Who was there stays in place, and new ones come last.
        let stays = |member: &str| wanted.iter().find(|(wanted, _)| *wanted == member).cloned();
        let mut after: Vec<_> = group.members.iter().filter_map(|(member, _)| stays(member)).collect();
        for member in &wanted {
            if !after.contains(member) && self.people.contains(&member.0) {
                after.push(member.clone());
            }
        }
        *group = Group { version: group.version.next(), members: after };
        self.record(ResourceKind::Group, id, write, Vec::new()).await;
    }

    async fn revise(&mut self, id: &'static str) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let write = ResourceWrite::Revise { expected: group.version, body: body(id, &[]) };
        group.version = group.version.next();
        self.record(ResourceKind::Group, id, write, Vec::new()).await;
    }

    async fn record(
        &self,
        kind: ResourceKind,
        id: &str,
        write: ResourceWrite,
        memberships: Vec<MembershipWrite>,
    ) {
        let record = Record {
            change: None,
            tenant: tenant(),
            kind,
            resource: ResourceId::from_text(id),
            write,
            links: Vec::new(),
            grants: Vec::new(),
            memberships,
            asked: None,
            tasks: None,
            audit: AuditEntry {
                client: ClientName::new("okta").unwrap(),
                action: "patch".to_owned(),
                fields: Vec::new(),
                grants: Vec::new(),
                notes: Vec::new(),
                consents: Vec::new(),
                mapping: None,
            },
            outcome: ChangeOutcome {
                result: "updated".to_owned(),
                status: 200,
                reason: None,
                ..ChangeOutcome::default()
            },
            answered: true,
            at: Timestamp::UNIX_EPOCH,
        };
        let told = self.store.record(record).await.unwrap();
        assert!(matches!(told, Recorded::Recorded(_)), "{told:?}");
    }

    async fn compare(&self) -> Result<(), TestCaseError> {
        for id in GROUPS {
            let shown = self.store.get(&tenant(), ResourceKind::Group, id).await.unwrap();
            let shown = shown.map(|group| {
                let members = group
                    .members
                    .into_iter()
                    .map(|member| (member.id.to_string(), member.display.filter(|_| member.display_as_sent)));
                (group.version, members.collect::<Vec<_>>())
            });
            let expected = self.groups.get(id).map(|group| {
                let members = group.members.iter().map(|(who, display)| ((*who).to_owned(), display.clone()));
                (group.version, members.collect::<Vec<_>>())
            });
            prop_assert_eq!(shown, expected, "{}", id);
        }
        for who in &self.people {
            let shown = self.store.get(&tenant(), ResourceKind::User, who).await.unwrap().unwrap();
            prop_assert_eq!(shown.version, Version::FIRST);
            let is_in = |group: &&str| {
                self.groups.get(*group).is_some_and(|group| group.members.iter().any(|(id, _)| id == who))
            };
            let expected: Vec<&str> = GROUPS.into_iter().filter(is_in).collect();
            let groups: Vec<&str> = shown.groups.iter().map(|group| group.id.as_str()).collect();
            prop_assert_eq!(groups, expected, "the groups of {}", who);
        }
        Ok(())
    }
}

fn tenant() -> TenantId {
    "acme/prod".parse().unwrap()
}

fn called(number: u8) -> String {
    format!("called {number}")
}

fn body(name: &str, members: &[(&str, Option<String>)]) -> Resource {
    let members: Vec<_> =
        members.iter().map(|(id, display)| json!({ "value": id, "display": display })).collect();
    serde_json::from_value(json!({ "displayName": name, "members": members })).unwrap()
}
