//! What every backend has to do, as small cases that a backend's tests run.
//!
//! A backend implements [`Backend`] and calls [`check`]. A case that does not hold panics with its name.

#![cfg_attr(
    not(test),
    expect(clippy::wildcard_imports, reason = "the files of cases share one vocabulary, which is this file")
)]

mod audit;
mod consents;
mod find;
mod groups;
mod holds;
mod inbox;
mod isolation;
mod journal;
mod ledger;
mod lockouts;
mod names;
mod outbox;
mod paging;
mod resources;
mod source_names;
mod targets;
mod tasks;
mod vault;

use std::{collections::BTreeSet, fmt::Debug, future::Future, pin::Pin, sync::Arc};

use async_trait::async_trait;
use model::{
    ChangeId, ClientName, OrgName, ResourceId, ResourceKind, TargetName, TenantId, Timestamp, Version,
};
use salesforce_types::{Fields, Link, RecordId};
use scim_types::{Filter, Registry, Resource, schema};
use serde_json::{Value, json};

use crate::{
    AuditEntry, Audited, ChangeOutcome, Cursor, LinkWrite, NewChange, Opened, Page, Query, Record, Recorded,
    ResourceWrite, SortBy, Store, StoreError, StoredResource, Window,
};

/// Makes stores for the cases.
#[async_trait]
pub trait Backend: Send + Sync {
    /// An empty store.
    async fn fresh(&self) -> Arc<dyn Store>;

    /// Lets go of a store as a process that ends would, and opens what it left behind.
    async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store>;
}

/// One small promise.
pub struct Case {
    /// The promise.
    pub name: &'static str,
    run: for<'a> fn(&'a World<'a>) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
}

impl Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Case {
    /// Tries it on a store of its own.
    ///
    /// # Panics
    ///
    /// When the backend does not keep the promise.
    pub async fn run(&self, backend: &dyn Backend) {
        let world = World { backend, store: backend.fresh().await, tenant: tenant("acme/prod") };
        (self.run)(&world).await;
    }
}

macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        /// The cases of this file.
        pub const CASES: &[super::Case] = &[
            $(super::Case { name: stringify!($name), run: |world| Box::pin($name(world)) }),*
        ];
    };
}
use suite;

/// All cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    [
        resources::CASES,
        names::CASES,
        journal::CASES,
        groups::CASES,
        find::CASES,
        paging::CASES,
        isolation::CASES,
        holds::CASES,
        inbox::CASES,
        outbox::CASES,
        lockouts::CASES,
        consents::CASES,
        source_names::CASES,
        tasks::CASES,
        ledger::CASES,
        targets::CASES,
        audit::CASES,
        vault::CASES,
    ]
    .into_iter()
    .flatten()
}

/// Runs every case, each on a store of its own.
///
/// # Panics
///
/// When one does not hold.
pub async fn check(backend: &dyn Backend) {
    let mut names = BTreeSet::new();
    for case in cases() {
        assert!(names.insert(case.name), "two cases are named {}", case.name);
        // Shown only when a test fails: the last one is the one that did.
        println!("conformance: {}", case.name);
        case.run(backend).await;
    }
}

/// A store and the words to talk to it.
struct World<'a> {
    backend: &'a dyn Backend,
    store: Arc<dyn Store>,
    tenant: TenantId,
}

impl World<'_> {
    /// Makes a resource without a change.
    async fn create(&self, kind: ResourceKind, id: &str, body: Value) -> Recorded {
        self.create_in(&self.tenant, kind, id, body).await
    }

    async fn create_in(&self, tenant: &TenantId, kind: ResourceKind, id: &str, body: Value) -> Recorded {
        let record = record(tenant, kind, id, ResourceWrite::Create(resource(body)));
        ok(self.store.record(record).await)
    }

    /// Makes a user who has nothing but a name; the id is `id-` and the name.
    async fn user(&self, name: &str) -> ResourceId {
        let id = format!("id-{name}");
        self.create(ResourceKind::User, &id, user(name)).await.expect_version(1);
        ResourceId::from_text(id)
    }

    /// Makes a group; the id is `id-` and the name.
    async fn group(&self, name: &str, members: &[&str]) -> ResourceId {
        let id = format!("id-{name}");
        self.create(ResourceKind::Group, &id, group(name, members)).await.expect_version(1);
        ResourceId::from_text(id)
    }

    async fn replace(&self, kind: ResourceKind, id: &str, expected: u64, body: Value) -> Recorded {
        let write = ResourceWrite::Replace { expected: Version(expected), body: resource(body) };
        ok(self.store.record(record(&self.tenant, kind, id, write)).await)
    }

    async fn delete(&self, kind: ResourceKind, id: &str, expected: u64) -> Recorded {
        let write = ResourceWrite::Delete { expected: Version(expected) };
        ok(self.store.record(record(&self.tenant, kind, id, write)).await)
    }

    async fn get(&self, kind: ResourceKind, id: &str) -> Option<StoredResource> {
        ok(self.store.get(&self.tenant, kind, id).await)
    }

    /// The resource, which has to be there.
    async fn shown(&self, kind: ResourceKind, id: &str) -> StoredResource {
        self.get(kind, id).await.unwrap_or_else(|| panic!("{kind} {id} should be there"))
    }

    async fn page(&self, query: &Query) -> Page {
        ok(self.store.find(&self.tenant, query).await)
    }

    /// The ids that a filter finds, in order; the total has to be their number.
    async fn found(&self, kind: ResourceKind, filter: &str) -> Vec<String> {
        let page = self.page(&Query { filter: Some(parse(kind, filter)), ..all(kind) }).await;
        assert_eq!(page.total, page.resources.len() as u64, "the total of {filter}");
        ids(&page)
    }

    async fn open(&self, change: NewChange) -> Opened {
        ok(self.store.open(change).await)
    }

    async fn count(&self, kind: ResourceKind) -> u64 {
        ok(self.store.count(&self.tenant, kind).await)
    }
}

impl Recorded {
    fn expect_version(&self, version: u64) {
        assert_eq!(*self, Recorded::Recorded(Version(version)));
    }
}

/// The answer of a call that must not fail.
#[track_caller]
fn ok<T>(result: Result<T, StoreError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the store failed: {error}: {error:?}"),
    }
}

fn tenant(text: &str) -> TenantId {
    text.parse().expect("a tenant")
}

fn client(name: &str) -> ClientName {
    ClientName::new(name).expect("a client")
}

fn target(name: &str) -> TargetName {
    TargetName::new(name).expect("a target")
}

/// An instant so many seconds after the beginning of the story.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).expect("a time")
}

fn resource(body: Value) -> Resource {
    match body {
        Value::Object(map) => Resource::from_map(map),
        other => panic!("{other} is no resource"),
    }
}

/// A User with a name.
fn user(name: &str) -> Value {
    json!({ "schemas": [schema::USER_URN], "userName": name })
}

/// A User with a name and more.
fn user_with(name: &str, more: Value) -> Value {
    let mut body = user(name);
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

/// A Group with members.
fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({ "schemas": [schema::GROUP_URN], "displayName": name, "members": members })
}

/// A write at the beginning of the story, without a change, links or notes.
fn record(tenant: &TenantId, kind: ResourceKind, id: &str, write: ResourceWrite) -> Record {
    Record {
        change: None,
        tenant: tenant.clone(),
        kind,
        resource: ResourceId::from_text(id),
        write,
        links: Vec::new(),
        grants: Vec::new(),
        memberships: Vec::new(),
        asked: None,
        tasks: None,
        audit: audit("create"),
        outcome: outcome("created"),
        answered: true,
        at: at(0),
    }
}

fn audit(action: &str) -> AuditEntry {
    AuditEntry {
        client: client("okta"),
        action: action.to_owned(),
        fields: vec!["staff.Email".to_owned()],
        grants: Vec::new(),
        notes: vec!["alias-made".to_owned()],
        consents: Vec::new(),
        mapping: None,
    }
}

fn outcome(result: &str) -> ChangeOutcome {
    ChangeOutcome { result: result.to_owned(), status: 201, reason: None, ..ChangeOutcome::default() }
}

/// A change that asks for something and reserves nothing.
fn change(id: &str, tenant: &TenantId, resource: &str) -> NewChange {
    NewChange {
        id: ChangeId::from_text(id),
        tenant: tenant.clone(),
        client: client("okta"),
        kind: ResourceKind::User,
        resource: ResourceId::from_text(resource),
        request: json!({ "asked": id }),
        fingerprint: None,
        takes_access_away: false,
        plan: None,
        reserve: None,
        rename: None,
        asynchronous: None,
        at: at(0),
    }
}

/// A change that makes a user.
fn joiner(id: &str, tenant: &TenantId, resource_id: &str, name: &str) -> NewChange {
    NewChange { reserve: Some(resource(user(name))), ..change(id, tenant, resource_id) }
}

fn link(target_name: &str, record: u32) -> Link {
    let org = OrgName::new("acme-prod").expect("an org");
    let written = Fields::from_iter([("Email".to_owned(), json!(format!("{record}@example.com")))]);
    Link::new(target(target_name), org, "User".to_owned(), record_id(record), written)
}

fn set(target_name: &str, record: u32) -> LinkWrite {
    LinkWrite::Set(link(target_name, record))
}

fn record_id(number: u32) -> RecordId {
    RecordId::try_from(format!("005{number:012}")).expect("a record id")
}

/// Everything of a kind on one page.
fn all(kind: ResourceKind) -> Query {
    Query {
        kind,
        filter: None,
        sort: None,
        window: Window::Index { offset: 0, count: 1_000 },
        with_members: true,
    }
}

fn parse(kind: ResourceKind, filter: &str) -> Filter {
    let registry = Registry::standard();
    let resource_type = match kind {
        ResourceKind::User => registry.user(),
        ResourceKind::Group => registry.group(),
    };
    Filter::parse(filter, resource_type).unwrap_or_else(|error| panic!("{filter}: {error}"))
}

fn sorted_by(kind: ResourceKind, attribute: &str, descending: bool) -> Query {
    let registry = Registry::standard();
    let resource_type = match kind {
        ResourceKind::User => registry.user(),
        ResourceKind::Group => registry.group(),
    };
    let path = resource_type.resolve(attribute).unwrap_or_else(|error| panic!("{attribute}: {error}"));
    Query { sort: Some(SortBy { path, descending }), ..all(kind) }
}

fn ids(page: &Page) -> Vec<String> {
    page.resources.iter().map(|resource| resource.id.as_str().to_owned()).collect()
}

fn body(resource: &StoredResource) -> Value {
    serde_json::from_str(&resource.body).expect("a body is JSON")
}

const USER: ResourceKind = ResourceKind::User;
const GROUP: ResourceKind = ResourceKind::Group;
