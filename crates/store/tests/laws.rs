//! Whatever is asked of the store, in whatever order, it ends as a simple oracle does.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod oracle;

use std::path::Path;

use model::{
    ChangeId, ClientName, OrgName, ResourceId, ResourceKind, TargetName, TaskId, TenantId, Timestamp,
};
use oracle::{Ended, Oracle};
use proptest::prelude::*;
use salesforce_types::{
    EntitlementKind, EntitlementRef, Fields, Grant, GrantState, Link, Plan, PlannedStep, RecordId, Step,
};
use scim_types::Resource;
use serde_json::json;
use store::{
    Audit, AuditEntry, ChangeOutcome, Directory, GrantWrite, Held, Journal, Ledger, LinkWrite, MasterKey,
    NewChange, NewTask, Record, Recorded, ResourceWrite, StoreError, Targets, Task, TaskKind, Tasks,
    sqlite::SqliteStore,
};

const USER: ResourceKind = ResourceKind::User;
/// Few, so that they meet.
const IDENTITIES: [&str; 2] = ["a", "b"];
const TARGETS: [&str; 2] = ["contact", "staff"];
const STATES: [GrantState; 5] =
    [GrantState::Granted, GrantState::Found, GrantState::Refused, GrantState::Waiting, GrantState::Stripped];

/// What is asked. Numbers choose among what is there at that moment.
#[derive(Clone, Debug)]
enum Ask {
    Open {
        who: usize,
        name: usize,
        what: Intent,
    },
    Replan {
        change: usize,
        rename: Option<usize>,
        landed: Vec<LinkAsk>,
    },
    Record {
        change: Option<usize>,
        who: usize,
        write: Write,
        links: Vec<LinkAsk>,
        grants: Vec<GrantAsk>,
        tasks: TasksAsk,
    },
    Withdraw {
        change: usize,
    },
    Postpone {
        task: usize,
        in_seconds: i64,
    },
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum Intent {
    Create,
    Rename,
    Other,
}

#[derive(Clone, Copy, Debug)]
enum Write {
    Create(usize),
    Replace(usize),
    Revise(usize),
    StaleReplace(usize),
    Delete,
    Keep,
}

#[derive(Clone, Copy, Debug)]
enum LinkAsk {
    Set { target: usize, record: u32, left: bool, synced: bool },
    Remove { target: usize },
}

#[derive(Clone, Copy, Debug)]
enum GrantAsk {
    /// In this state, since so many seconds before now.
    Set {
        of: usize,
        target: usize,
        state: usize,
        seconds_ago: i64,
    },
    End {
        of: usize,
        target: usize,
    },
}

#[derive(Clone, Debug)]
enum TasksAsk {
    Silent,
    /// What an attempt ends with that changed nothing: the same tasks, due later.
    Again {
        in_seconds: i64,
    },
    New(Vec<TaskAsk>),
}

#[derive(Clone, Copy, Debug)]
struct TaskAsk {
    target: usize,
    /// Whose link in which target; absent: to bring the target into agreement.
    waits_for: Option<(usize, usize)>,
    in_seconds: i64,
}

fn ask() -> impl Strategy<Value = Ask> {
    let who = || 0..IDENTITIES.len();
    let name = || 0..3_usize;
    let target = || 0..TARGETS.len();
    let link = prop_oneof![
        4 => (target(), 1..3_u32, prop::bool::weighted(0.3), any::<bool>())
            .prop_map(|(target, record, left, synced)| LinkAsk::Set { target, record, left, synced }),
        1 => target().prop_map(|target| LinkAsk::Remove { target }),
    ];
    let links = prop::collection::vec(link, 0..3);
    let task = (target(), prop::option::weighted(0.7, (who(), target())), 1..40_i64)
        .prop_map(|(target, waits_for, in_seconds)| TaskAsk { target, waits_for, in_seconds });
    let tasks = prop_oneof![
        Just(TasksAsk::Silent),
        (1..40_i64).prop_map(|in_seconds| TasksAsk::Again { in_seconds }),
        prop::collection::vec(task, 0..3).prop_map(TasksAsk::New),
    ];
    let few = || 0..2_usize;
    let grant = prop_oneof![
        3 => (few(), target(), 0..STATES.len(), prop_oneof![3 => Just(0), 1 => 0..5_i64])
            .prop_map(|(of, target, state, seconds_ago)| GrantAsk::Set { of, target, state, seconds_ago }),
        1 => (few(), target()).prop_map(|(of, target)| GrantAsk::End { of, target }),
    ];
    let grants = prop::collection::vec(grant, 0..4);
    let intent = prop::sample::select(vec![Intent::Create, Intent::Create, Intent::Rename, Intent::Other]);
    let write = prop_oneof![
        3 => name().prop_map(Write::Create),
        2 => name().prop_map(Write::Replace),
        1 => name().prop_map(Write::Revise),
        1 => name().prop_map(Write::StaleReplace),
        1 => Just(Write::Delete),
        9 => Just(Write::Keep),
    ];
    prop_oneof![
        4 => (who(), name(), intent).prop_map(|(who, name, what)| Ask::Open { who, name, what }),
        3 => (0..4_usize, prop::option::weighted(0.3, name()), links.clone())
            .prop_map(|(change, rename, landed)| Ask::Replan { change, rename, landed }),
        8 => (prop::option::weighted(0.5, 0..4_usize), who(), write, links, grants, tasks).prop_map(
            |(change, who, write, links, grants, tasks)| Ask::Record { change, who, write, links, grants, tasks }
        ),
        2 => (0..4_usize).prop_map(|change| Ask::Withdraw { change }),
        3 => (0..4_usize, 1..40_i64).prop_map(|(task, in_seconds)| Ask::Postpone { task, in_seconds }),
        1 => Just(Ask::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn the_store_ends_as_its_oracle_does(
        there in 0..=IDENTITIES.len(),
        asked in prop::collection::vec(ask(), 1..40),
    ) {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("gangway.db");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut both = Both { store: open(&path), oracle: Oracle::default(), step: 0 };
            let create = |who| Ask::Record {
                change: None,
                who,
                write: Write::Create(who),
                links: Vec::new(),
                grants: Vec::new(),
                tasks: TasksAsk::Silent,
            };
            for ask in (0..there).map(create).chain(asked) {
                both.step += 1;
                if let Ask::Restart = ask {
                    both.store.close().await;
                    both.store = open(&path);
                } else {
                    both.ask(ask).await?;
                }
                both.compare().await?;
            }
            Ok::<(), TestCaseError>(())
        })?;
    }
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, MasterKey::new([7; 32])).unwrap()
}

/// The store and its oracle, told the same.
struct Both {
    store: SqliteStore,
    oracle: Oracle,
    /// The time, and part of every id that is made.
    step: i64,
}

impl Both {
    async fn ask(&mut self, ask: Ask) -> Result<(), TestCaseError> {
        match ask {
            Ask::Open { who, name, what } => self.open(who, name, what).await,
            Ask::Replan { change, rename, landed } => self.replan(change, rename, &landed).await,
            Ask::Record { change, who, write, links, grants, tasks } => {
                self.record(change, who, write, (&links, &grants), &tasks).await
            }
            Ask::Withdraw { change } => {
                let Some(id) = self.oracle.open_change(change) else { return Ok(()) };
                self.store.withdraw(&id, outcome(), true, at(self.step)).await.unwrap();
                self.oracle.withdraw(&id, at(self.step));
                Ok(())
            }
            Ask::Postpone { task, in_seconds } => {
                let Some(id) = self.oracle.task(task) else { return Ok(()) };
                let (reason, due) = (format!("put off at {}", self.step), at(self.step + in_seconds));
                self.store.postpone_task(&id, &reason, due).await.unwrap();
                self.oracle.postpone(&id, &reason, due);
                Ok(())
            }
            Ask::Restart => Ok(()),
        }
    }

    async fn open(&mut self, who: usize, name: usize, what: Intent) -> Result<(), TestCaseError> {
        let resource = identity(who);
        if matches!(what, Intent::Create) && self.oracle.has(&resource) {
            // Ids are given once: nobody asks for one that is there.
            return Ok(());
        }
        let change = NewChange {
            id: ChangeId::from_text(format!("change-{}", self.step)),
            tenant: tenant(),
            client: client(),
            kind: USER,
            resource,
            request: json!({ "asked": self.step }),
            fingerprint: None,
            takes_access_away: false,
            plan: None,
            reserve: matches!(what, Intent::Create).then(|| user(name)),
            rename: matches!(what, Intent::Rename).then(|| name_of(name)),
            asynchronous: None,
            at: at(self.step),
        };
        prop_assert_eq!(self.store.open(change.clone()).await.unwrap(), self.oracle.open(&change));
        Ok(())
    }

    async fn replan(
        &mut self,
        change: usize,
        rename: Option<usize>,
        landed: &[LinkAsk],
    ) -> Result<(), TestCaseError> {
        let Some(id) = self.oracle.open_change(change) else { return Ok(()) };
        let (plan, rename, landed) = (plan(self.step), rename.map(name_of), self.links(landed));
        let told = self.store.replan(&id, &plan, rename.as_deref(), &landed).await;
        match (told, self.oracle.replan(&id, &plan, rename, &landed)) {
            (Ok(told), Some(expected)) => prop_assert_eq!(told, expected),
            (Err(StoreError::NoResource { change }), None) => prop_assert_eq!(change, id),
            (told, expected) => prop_assert!(false, "{:?} instead of {:?}", told, expected),
        }
        Ok(())
    }

    async fn record(
        &mut self,
        change: Option<usize>,
        who: usize,
        write: Write,
        (links, grants): (&[LinkAsk], &[GrantAsk]),
        tasks: &TasksAsk,
    ) -> Result<(), TestCaseError> {
        let change = change.and_then(|change| self.oracle.open_change(change));
        let resource =
            change.as_ref().map_or_else(|| identity(who), |change| self.oracle.resource_of(change));
        let version = self.oracle.version(&resource);
        let write = match write {
            Write::Create(name) => ResourceWrite::Create(user(name)),
            Write::Replace(name) => ResourceWrite::Replace { expected: version, body: user(name) },
            Write::Revise(name) => ResourceWrite::Revise { expected: version, body: user(name) },
            Write::StaleReplace(name) => {
                ResourceWrite::Replace { expected: version.next(), body: user(name) }
            }
            Write::Delete => ResourceWrite::Delete { expected: version },
            Write::Keep => ResourceWrite::Keep,
        };
        let tasks = match tasks {
            TasksAsk::Silent => None,
            TasksAsk::Again { in_seconds } => Some(self.tasks_again(&resource, *in_seconds)),
            TasksAsk::New(tasks) => Some(self.tasks(tasks)),
        };
        let record = Record {
            change,
            tenant: tenant(),
            kind: USER,
            resource,
            write,
            links: self.links(links),
            grants: self.grants(grants),
            memberships: Vec::new(),
            asked: (who == 0).then(|| format!(r#"{{"entitlements":[{}]}}"#, self.step)),
            tasks,
            audit: AuditEntry {
                client: client(),
                action: "resync".to_owned(),
                fields: vec![format!("{}.Title", TARGETS[who % TARGETS.len()])],
                grants: Vec::new(),
                notes: Vec::new(),
                consents: Vec::new(),
                mapping: Some(format!("at {}", self.step)),
            },
            outcome: outcome(),
            answered: true,
            at: at(self.step),
        };
        let told = self.store.record(record.clone()).await.unwrap();
        let expected = match self.oracle.record(&record) {
            Ended::Recorded(version) => Recorded::Recorded(version),
            Ended::Stale => Recorded::Stale,
            Ended::Taken(by) => Recorded::UserNameTaken { by },
        };
        prop_assert_eq!(told, expected);
        Ok(())
    }

    fn links(&self, asked: &[LinkAsk]) -> Vec<LinkWrite> {
        let link = |ask: &LinkAsk| match *ask {
            LinkAsk::Set { target, record, left, synced } => {
                let org = OrgName::new("acme-prod").unwrap();
                let record = RecordId::try_from(format!("005{record:012}")).unwrap();
                let mut link = Link::new(target_of(target), org, "User".to_owned(), record, Fields::new());
                link.left = left;
                link.synced = synced.then(|| at(self.step));
                LinkWrite::Set(link)
            }
            LinkAsk::Remove { target } => LinkWrite::Remove(target_of(target)),
        };
        asked.iter().map(link).collect()
    }

    fn grants(&self, asked: &[GrantAsk]) -> Vec<GrantWrite> {
        let grant = |ask: &GrantAsk| match *ask {
            GrantAsk::Set { of, target, state, seconds_ago } => GrantWrite::Set(Grant {
                org: org_of(target % 2),
                target: target_of(target),
                of: entitlement(of),
                name: format!("at {}", self.step),
                state: STATES[state],
                asked: Vec::new(),
                row: None,
                since: at(self.step - seconds_ago),
                until: None,
                reason: None,
            }),
            GrantAsk::End { of, target } => GrantWrite::End {
                target: target_of(target),
                of: entitlement(of),
                why: format!("at {}", self.step),
            },
        };
        asked.iter().map(grant).collect()
    }

    fn tasks(&self, asked: &[TaskAsk]) -> Vec<NewTask> {
        let task = |(number, ask): (usize, &TaskAsk)| NewTask {
            id: TaskId::from_text(format!("task-{}-{number}", self.step)),
            target: target_of(ask.target),
            kind: ask.waits_for.map_or(TaskKind::Target, |(who, through)| TaskKind::Reference {
                field: "ManagerId".to_owned(),
                waits_for: identity(who),
                through: target_of(through),
            }),
            reason: format!("raised at {}", self.step),
            due: at(self.step + ask.in_seconds),
            client: None,
        };
        asked.iter().enumerate().map(task).collect()
    }

    fn tasks_again(&self, resource: &ResourceId, in_seconds: i64) -> Vec<NewTask> {
        let again = |(number, task): (usize, Task)| NewTask {
            id: TaskId::from_text(format!("task-{}-{number}", self.step)),
            target: task.target,
            kind: task.kind,
            reason: format!("raised again at {}", self.step),
            due: at(self.step + in_seconds),
            client: Some(format!("client-{}", self.step).parse().unwrap()),
        };
        self.oracle.tasks_of(resource).into_iter().enumerate().map(again).collect()
    }

    /// All that can be read.
    async fn compare(&self) -> Result<(), TestCaseError> {
        let (store, oracle, tenant) = (&self.store, &self.oracle, &tenant());
        for id in IDENTITIES.map(ResourceId::from_text) {
            let shown = store.get(tenant, USER, id.as_str()).await.unwrap();
            let shown = shown.map(|shown| {
                let body: Resource = serde_json::from_str(&shown.body).unwrap();
                (shown.pending, shown.version, body.user_name().unwrap().to_owned(), shown.asked)
            });
            prop_assert_eq!(shown, oracle.shown(&id), "{}", id);
            prop_assert_eq!(store.links(tenant, &id).await.unwrap(), oracle.links(&id), "links of {}", id);
            prop_assert_eq!(store.tasks_of(tenant, &id).await.unwrap(), oracle.tasks_of(&id));
            let audit = oracle.audit_of(&id);
            prop_assert_eq!(&store.audit_of(tenant, &id).await.unwrap(), &audit);
            for target in TARGETS {
                let field = format!("{target}.Title");
                let wrote = audit.iter().rev().filter(|entry| entry.entry.fields.contains(&field)).take(2);
                let told = store.writes_of(tenant, &id, &field, 2).await.unwrap();
                prop_assert_eq!(told, wrote.cloned().collect::<Vec<_>>(), "who wrote {}", field);
            }
        }
        self.compare_ledger().await?;
        let chain = store.verify(tenant, None).await.unwrap();
        prop_assert_eq!((chain.entries, chain.broken), (oracle.audited(), None));
        prop_assert_eq!(store.open_tasks(None).await.unwrap(), oracle.open_tasks());
        let now = at(self.step);
        prop_assert_eq!(store.due_tasks(now, 2).await.unwrap(), oracle.due_tasks(now, 2));
        prop_assert_eq!(store.ids(tenant, USER, None, 10).await.unwrap().ids, oracle.ids());
        prop_assert_eq!(store.count(tenant, USER).await.unwrap(), oracle.ids().len() as u64);
        for target in TARGETS.map(|name| TargetName::new(name).unwrap()) {
            prop_assert_eq!(self.linked_by(&target).await, oracle.links_of_target(&target));
        }
        let open = store.open_changes(None).await.unwrap();
        let open: Vec<_> = open.into_iter().map(|open| (open.change.id, open.plan, open.landed)).collect();
        prop_assert_eq!(open, oracle.open_changes());
        Ok(())
    }

    async fn compare_ledger(&self) -> Result<(), TestCaseError> {
        let (store, oracle, tenant) = (&self.store, &self.oracle, &tenant());
        for id in IDENTITIES.map(ResourceId::from_text) {
            prop_assert_eq!(store.grants(tenant, &id).await.unwrap(), oracle.grants(&id));
            for of in [0, 1].map(entitlement) {
                let told = store.history(tenant, &id, &of).await.unwrap();
                prop_assert_eq!(told, oracle.history(&id, &of), "{} of {}", of, id);
            }
        }
        for of in [0, 1].map(entitlement) {
            // Now, some moment, and the moment of the last write.
            for then in [None, Some(at(self.step / 2)), Some(at(self.step))] {
                let told = store.holders(tenant, None, &of, then).await.unwrap();
                prop_assert_eq!(&told, &oracle.holders(&of, then), "who has {} at {:?}", of, then);
                let here = store.holders(tenant, Some(&org_of(0)), &of, then).await.unwrap();
                let expected: Vec<Held> =
                    told.into_iter().filter(|held| held.grant.org == org_of(0)).collect();
                prop_assert_eq!(here, expected, "who has {} in one org at {:?}", of, then);
            }
        }
        for state in STATES {
            prop_assert_eq!(store.in_state(tenant, state, 2).await.unwrap(), oracle.in_state(state, 2));
        }
        Ok(())
    }

    /// The links of a target, by pages of one.
    async fn linked_by(&self, target: &TargetName) -> Vec<(ResourceId, Link)> {
        let (mut links, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.links_of_target(&tenant(), target, after, 1).await.unwrap();
            links.extend(page.links);
            after = page.next;
            if after.is_none() {
                return links;
            }
        }
    }
}

fn tenant() -> TenantId {
    "acme/prod".parse().unwrap()
}

fn client() -> ClientName {
    ClientName::new("okta").unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

fn identity(number: usize) -> ResourceId {
    ResourceId::from_text(IDENTITIES[number])
}

fn target_of(number: usize) -> TargetName {
    TargetName::new(TARGETS[number]).unwrap()
}

fn org_of(number: usize) -> OrgName {
    OrgName::new(["acme-emea", "acme-prod"][number]).unwrap()
}

fn entitlement(number: usize) -> EntitlementRef {
    let kind = [EntitlementKind::PermissionSet, EntitlementKind::Profile][number];
    EntitlementRef { kind, id: "1".to_owned() }
}

fn name_of(number: usize) -> String {
    format!("name-{number}")
}

fn user(name: usize) -> Resource {
    serde_json::from_value(json!({ "userName": name_of(name) })).unwrap()
}

fn outcome() -> ChangeOutcome {
    ChangeOutcome { result: "updated".to_owned(), status: 200, reason: None, ..ChangeOutcome::default() }
}

fn plan(number: i64) -> Plan {
    let step = Step::Delete {
        object: "User".to_owned(),
        id: RecordId::try_from(format!("005{number:012}")).unwrap(),
    };
    let (target, org) = (target_of(0), OrgName::new("acme-prod").unwrap());
    Plan { steps: vec![PlannedStep { target, org, step, leading: true, reason: String::new() }] }
}
