//! What only the `SQLite` store promises, and the conformance suite.

use std::{path::PathBuf, sync::Mutex, time::Duration};

use async_trait::async_trait;
use model::{ChangeId, ClientName, ResourceId, ResourceKind, TenantId, Timestamp, Version};
use scim_types::{Filter, Registry, Resource};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::{
    Audit, AuditEntry, ChangeOutcome, Directory, Holds, Journal, Lease, Leases, NewChange, NewTask, Opened,
    Query, Record, Recorded, ResourceWrite, Store, Targets, TaskKind, Tasks, Vault, Window,
    conformance::{self, Backend},
};

const USER: ResourceKind = ResourceKind::User;

fn key() -> MasterKey {
    MasterKey::new([7; 32])
}

/// Files in directories that go when the test ends.
#[derive(Default)]
struct Sqlite {
    files: Mutex<Vec<(TempDir, PathBuf)>>,
}

#[async_trait]
impl Backend for Sqlite {
    async fn fresh(&self) -> Arc<dyn Store> {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("gangway.db");
        let store = SqliteStore::open(&path, key()).unwrap();
        self.files.lock().unwrap().push((directory, path));
        Arc::new(store)
    }

    /// A killed process leaves the files as they are at that moment: they are copied before anything is
    /// closed.
    async fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        let left = TempDir::new().unwrap();
        let path = left.path().join("gangway.db");
        let mut files = self.files.lock().unwrap();
        // The newest is the one in hand.
        copy(&files.last().unwrap().1, &path);
        drop(store);
        let store = SqliteStore::open(&path, key()).unwrap();
        files.push((left, path));
        Arc::new(store)
    }
}

/// What is on the disk, log included.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::copy(from, to).unwrap();
    let log = |path: &std::path::Path| format!("{}-wal", path.display());
    std::fs::copy(log(from), log(to)).unwrap();
}

struct Here {
    directory: TempDir,
    store: SqliteStore,
}

impl Here {
    fn open() -> Self {
        let directory = TempDir::new().unwrap();
        let store = SqliteStore::open(directory.path().join("gangway.db"), key()).unwrap();
        Self { directory, store }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("gangway.db")
    }
}

fn tenant() -> TenantId {
    "acme/prod".parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

fn body(value: Value) -> Resource {
    serde_json::from_value(value).unwrap()
}

fn user(name: &str) -> Resource {
    body(json!({ "userName": name }))
}

fn write(id: &str, write: ResourceWrite) -> Record {
    Record {
        change: None,
        tenant: tenant(),
        kind: USER,
        resource: ResourceId::from_text(id),
        write,
        links: Vec::new(),
        grants: Vec::new(),
        memberships: Vec::new(),
        asked: None,
        tasks: None,
        audit: AuditEntry {
            client: ClientName::new("okta").unwrap(),
            action: "create".to_owned(),
            fields: Vec::new(),
            grants: Vec::new(),
            notes: Vec::new(),
            consents: Vec::new(),
            mapping: None,
        },
        outcome: ChangeOutcome {
            result: "created".to_owned(),
            status: 201,
            reason: None,
            ..ChangeOutcome::default()
        },
        answered: true,
        at: at(0),
    }
}

fn create(id: &str, resource: Resource) -> Record {
    write(id, ResourceWrite::Create(resource))
}

fn joiner(number: u32) -> NewChange {
    NewChange {
        id: ChangeId::from_text(format!("c{number}")),
        tenant: tenant(),
        client: ClientName::new("okta").unwrap(),
        kind: USER,
        resource: ResourceId::from_text(format!("id-{number}")),
        request: json!({ "operation": "create" }),
        fingerprint: Some([0; 32]),
        takes_access_away: false,
        plan: None,
        reserve: Some(user(&format!("user-{number}"))),
        rename: None,
        asynchronous: None,
        at: at(0),
    }
}

fn query(filter: Option<&str>) -> Query {
    Query {
        kind: USER,
        filter: filter.map(|text| Filter::parse(text, Registry::standard().user()).unwrap()),
        sort: None,
        window: Window::Index { offset: 0, count: 1_000 },
        with_members: false,
    }
}

#[tokio::test]
async fn the_sqlite_store_keeps_what_every_store_promises() {
    assert!(conformance::cases().count() >= 60);
    conformance::check(&Sqlite::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_keeps_it_with_many_threads_too() {
    conformance::check(&Sqlite::default()).await;
}

/// Whatever `PRAGMA synchronous` says inside a job: 1 is NORMAL, 2 is FULL.
async fn synchronous(store: &SqliteStore, durability: Durability) -> i64 {
    store
        .write(durability, |connection| {
            Ok(connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap())
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_commit_is_synced_when_one_of_its_jobs_asks_for_it() {
    let here = Here::open();
    for _ in 0..std::env::var("GETS").map_or(2, |n| n.parse().unwrap()) {
        assert_eq!(synchronous(&here.store, Durability::Power).await, 2);
        assert_eq!(synchronous(&here.store, Durability::Process).await, 1);
    }
    let (commits, synced) = here.store.commits();
    let gate = Gate::close(&here.store).await;
    let both = tokio::join!(
        synchronous(&here.store, Durability::Process),
        synchronous(&here.store, Durability::Power),
        synchronous(&here.store, Durability::Process),
        gate.open_when_waiting(3),
    );
    assert_eq!((both.0, both.1, both.2), (2, 2, 2));
    // The gate's own commit and the shared one.
    assert_eq!(here.store.commits(), (commits + 2, synced + 1));
}

/// Keeps the writer busy, so that jobs gather behind it.
struct Gate {
    store: SqliteStore,
    open: std::sync::mpsc::Sender<()>,
}

impl Gate {
    async fn close(store: &SqliteStore) -> Self {
        let (open, opened) = std::sync::mpsc::channel();
        let (closed, is_closed) = tokio::sync::oneshot::channel();
        let gate = store.clone();
        tokio::spawn(async move {
            gate.write(Durability::Process, move |_| {
                closed.send(()).unwrap();
                opened.recv().unwrap();
                Ok(())
            })
            .await
        });
        is_closed.await.unwrap();
        Self { store: store.clone(), open }
    }

    async fn open_when_waiting(self, jobs: usize) {
        while self.store.0.writer.as_ref().unwrap().waiting() < jobs {
            tokio::task::yield_now().await;
        }
        self.open.send(()).unwrap();
    }
}

#[tokio::test]
async fn a_crowd_shares_a_commit_and_a_lone_write_has_one_sync() {
    let here = Here::open();
    let before = here.store.commits();
    assert_eq!(here.store.open(joiner(100)).await.unwrap(), Opened::Opened);
    assert_eq!(here.store.commits(), (before.0 + 1, before.1 + 1));
    let landed = Record { change: Some(ChangeId::from_text("c100")), ..create("id-100", user("user-100")) };
    here.store.record(landed).await.unwrap();
    assert_eq!(here.store.commits(), (before.0 + 2, before.1 + 1), "recording a change is not synced");
    here.store.record(create("alone", user("alone"))).await.unwrap();
    assert_eq!(here.store.commits(), (before.0 + 3, before.1 + 2), "recording without a change is");

    let before = here.store.commits();
    let gate = Gate::close(&here.store).await;
    let crowd: Vec<_> = (0..10)
        .map(|number| {
            let store = here.store.clone();
            tokio::spawn(async move { store.open(joiner(number)).await })
        })
        .collect();
    gate.open_when_waiting(10).await;
    for one in crowd {
        assert_eq!(one.await.unwrap().unwrap(), Opened::Opened);
    }
    assert_eq!(here.store.commits(), (before.0 + 2, before.1 + 1), "the gate's commit and one for all ten");
}

#[tokio::test]
async fn every_write_that_must_survive_a_power_failure_is_synced() {
    let here = Here::open();
    let store = &here.store;
    let synced = async |what: &str, expected: bool, work: &mut dyn AsyncWork| {
        let before = store.commits();
        work.run(store).await;
        let after = store.commits();
        assert_eq!(after.0 - before.0, 1, "{what} is one commit");
        assert_eq!(after.1 - before.1, u64::from(expected), "{what}");
    };
    synced("open", true, &mut Step(|s: SqliteStore| async move { s.open(joiner(1)).await.map(drop) })).await;
    synced(
        "replan",
        true,
        &mut Step(|s: SqliteStore| async move {
            s.replan(&ChangeId::from_text("c1"), &salesforce_types::Plan::default(), None, &[])
                .await
                .map(|_| ())
        }),
    )
    .await;
    synced(
        "withdraw",
        true,
        &mut Step(|s: SqliteStore| async move {
            let outcome = ChangeOutcome {
                result: "withdrawn".to_owned(),
                status: 503,
                reason: None,
                ..ChangeOutcome::default()
            };
            s.withdraw(&ChangeId::from_text("c1"), outcome, true, at(1)).await
        }),
    )
    .await;
    synced(
        "replace_secret",
        true,
        &mut Step(|s: SqliteStore| async move {
            s.replace_secret("org/a", "grant", 0, &SecretString::from("x")).await.map(drop)
        }),
    )
    .await;
    synced(
        "remember_targets",
        true,
        &mut Step(|s: SqliteStore| async move { s.remember_targets(&tenant(), Vec::new(), at(1)).await }),
    )
    .await;
    synced(
        "postpone_task",
        false,
        &mut Step(|s: SqliteStore| async move {
            s.postpone_task(&model::TaskId::from_text("t1"), "away", at(1)).await
        }),
    )
    .await;
    synced(
        "mark_answered",
        false,
        &mut Step(|s: SqliteStore| async move { s.mark_answered(&ChangeId::from_text("c1")).await }),
    )
    .await;
}

/// A closure over the store whose future can be awaited by name.
#[async_trait(?Send)]
trait AsyncWork {
    async fn run(&mut self, store: &SqliteStore);
}

struct Step<F>(F);

#[async_trait(?Send)]
impl<F, W> AsyncWork for Step<F>
where
    F: FnMut(SqliteStore) -> W,
    W: Future<Output = Result<(), StoreError>>,
{
    async fn run(&mut self, store: &SqliteStore) {
        (self.0)(store.clone()).await.unwrap();
    }
}

#[tokio::test]
async fn a_job_that_fails_or_panics_takes_only_its_own_writes_back() {
    let here = Here::open();
    let gate = Gate::close(&here.store).await;
    let note = |name: &'static str| {
        move |connection: &Connection| {
            connection.execute("INSERT INTO meta (name, value) VALUES (?1, x'')", [name]).unwrap();
            Ok(())
        }
    };
    let (first, failed, panicked, last, ()) = tokio::join!(
        here.store.write(Durability::Process, note("first")),
        here.store.write(Durability::Process, move |connection| {
            note("failed")(connection)?;
            Err::<(), _>(StoreError::ReadOnly)
        }),
        here.store.write(Durability::Process, move |connection| -> Result<(), StoreError> {
            note("panicked")(connection)?;
            panic!("on purpose");
        }),
        here.store.write(Durability::Process, note("last")),
        gate.open_when_waiting(4),
    );
    assert!(first.is_ok() && last.is_ok());
    assert!(matches!(failed, Err(StoreError::ReadOnly)));
    assert!(matches!(panicked, Err(StoreError::BrokeOff)));
    let names: Vec<String> = here
        .store
        .write(Durability::Process, |connection| {
            let mut select =
                connection.prepare("SELECT name FROM meta WHERE value = x'' ORDER BY name").unwrap();
            Ok(select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect())
        })
        .await
        .unwrap();
    assert_eq!(names, ["first", "last"]);
}

#[tokio::test]
async fn a_commit_that_fails_fails_everybody() {
    let here = Here::open();
    let gate = Gate::close(&here.store).await;
    let (dangling, neighbour, ()) = tokio::join!(
        here.store.write(Durability::Process, |connection| {
            // Checked at the commit: there is no such tenant.
            connection.execute_batch("PRAGMA defer_foreign_keys = ON").unwrap();
            connection
                .execute(
                    "INSERT INTO resource_counts (tenant, kind, count, last_seq) VALUES (99, 1, 0, 0)",
                    [],
                )
                .unwrap();
            Ok(())
        }),
        here.store.record(create("ada", user("ada"))),
        gate.open_when_waiting(2),
    );
    assert!(matches!(dangling, Err(StoreError::Database { .. })));
    assert!(matches!(neighbour, Err(StoreError::Database { .. })));
    assert_eq!(here.store.get(&tenant(), USER, "ada").await.unwrap(), None);
    here.store.record(create("ada", user("ada"))).await.unwrap();
    assert!(here.store.get(&tenant(), USER, "ada").await.unwrap().is_some());
}

#[tokio::test]
async fn a_second_gateway_is_told_that_the_file_is_in_use() {
    let here = Here::open();
    let error = SqliteStore::open(here.path(), key()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("gangway.db"));
    let path = here.path();
    drop(here.store);
    SqliteStore::open(path, key()).unwrap();
}

#[tokio::test]
async fn a_reader_beside_the_gateway_sees_what_is_written_and_writes_nothing() {
    let here = Here::open();
    let beside = SqliteStore::open_read_only(here.path()).unwrap();
    assert!(beside.open_changes(None).await.unwrap().is_empty());
    here.store.open(joiner(1)).await.unwrap();
    assert_eq!(beside.open_changes(None).await.unwrap().len(), 1);
    assert!(beside.open_holds(None).await.unwrap().is_empty());
    assert!(beside.get(&tenant(), USER, "id-1").await.unwrap().unwrap().pending);
    let task = NewTask {
        id: model::TaskId::from_text("t1"),
        target: "staff".parse().unwrap(),
        kind: TaskKind::Target,
        reason: "away".to_owned(),
        due: at(1),
        client: None,
    };
    here.store.record(Record { tasks: Some(vec![task]), ..create("ada", user("ada")) }).await.unwrap();
    assert_eq!(beside.open_tasks(None).await.unwrap().len(), 1);
    assert_eq!(beside.audit_of(&tenant(), &ResourceId::from_text("ada")).await.unwrap().len(), 1);
    assert!(beside.remembered_targets(&tenant()).await.unwrap().is_empty());
    assert!(matches!(beside.open(joiner(2)).await, Err(StoreError::ReadOnly)));
    here.store.replace_secret("org/a", "x", 0, &SecretString::from("secret")).await.unwrap();
    assert!(matches!(beside.secret("org/a", "x").await, Err(StoreError::Sealed)));
    drop(here.store);
    assert_eq!(beside.open_changes(None).await.unwrap().len(), 1, "also when the gateway has gone");
}

#[test]
fn reading_a_file_that_is_not_there_says_which_and_makes_none() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("gangway.db");
    let error = SqliteStore::open_read_only(&path).unwrap_err();
    assert!(error.to_string().contains("gangway.db"), "{error}");
    assert!(!path.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let here = Here::open();
    here.store.open(joiner(1)).await.unwrap();
    let mut seen = Vec::new();
    for file in std::fs::read_dir(here.directory.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
        seen.push(file.file_name().into_string().unwrap());
    }
    seen.sort();
    assert_eq!(seen, ["gangway.db", "gangway.db-shm", "gangway.db-wal", "gangway.db.lock"]);
}

#[tokio::test]
async fn another_key_is_noticed_at_the_start_once_there_are_secrets() {
    let here = Here::open();
    let path = here.path();
    drop(here.store);
    // Nothing is encrypted yet, so the key may still change.
    let store = SqliteStore::open(&path, MasterKey::new([8; 32])).unwrap();
    store.replace_secret("org/a", "x", 0, &SecretString::from("secret")).await.unwrap();
    drop(store);
    assert!(matches!(SqliteStore::open(&path, key()), Err(StoreError::Sealed)));
    let store = SqliteStore::open(&path, MasterKey::new([8; 32])).unwrap();
    assert!(store.secret("org/a", "x").await.unwrap().is_some());
}

#[tokio::test]
async fn no_secret_stands_in_the_files() {
    let here = Here::open();
    here.store.replace_secret("org/a", "x", 0, &SecretString::from("5Aep861KIwKdekr")).await.unwrap();
    for file in ["gangway.db", "gangway.db-wal"] {
        let bytes = std::fs::read(here.directory.path().join(file)).unwrap();
        assert!(!bytes.windows(15).any(|part| part == b"5Aep861KIwKdekr"), "{file}");
    }
}

#[tokio::test]
async fn a_command_beside_the_gateway_shares_its_secrets_and_leases() {
    let here = Here::open();
    let text = |text: &str| SecretString::from(text);
    here.store.replace_secret("org/a", "grant", 0, &text("first")).await.unwrap();
    assert!(matches!(SqliteVault::open(here.path(), MasterKey::new([8; 32])), Err(StoreError::Sealed)));
    let beside = SqliteVault::open(here.path(), key()).unwrap();

    let seen = beside.secret("org/a", "grant").await.unwrap().unwrap();
    assert_eq!((seen.version, seen.text.expose_secret()), (1, "first"));
    assert_eq!(here.store.replace_secret("org/a", "grant", 1, &text("second")).await.unwrap(), Some(2));
    assert_eq!(beside.replace_secret("org/a", "grant", 1, &text("stale")).await.unwrap(), None);
    assert_eq!(beside.replace_secret("org/a", "grant", 2, &text("third")).await.unwrap(), Some(3));
    assert_eq!(here.store.secret("org/a", "grant").await.unwrap().unwrap().text.expose_secret(), "third");

    let busy = Lease::Busy { until: at(10) };
    assert_eq!(beside.take_lease("login", "beside", at(0), at(10)).await.unwrap(), Lease::Taken);
    assert_eq!(here.store.take_lease("login", "here", at(1), at(11)).await.unwrap(), busy);
    beside.release_lease("login", "beside").await.unwrap();
    assert_eq!(here.store.take_lease("login", "here", at(1), at(11)).await.unwrap(), Lease::Taken);
    assert_eq!(
        beside.take_lease("login", "beside", at(2), at(12)).await.unwrap(),
        Lease::Busy { until: at(11) }
    );
}

#[tokio::test]
async fn a_gateway_that_starts_leaves_a_commands_lease_alone() {
    let here = Here::open();
    let path = here.path();
    let beside = SqliteVault::open(&path, key()).unwrap();
    beside.take_lease("login", "beside", at(0), at(10)).await.unwrap();
    drop(here.store);
    let store = SqliteStore::open(&path, key()).unwrap();
    let asked = store.take_lease("login", "here", at(1), at(11)).await.unwrap();
    assert_eq!(asked, Lease::Busy { until: at(10) });
}

#[tokio::test]
async fn a_secret_moved_to_another_row_does_not_open() {
    let here = Here::open();
    here.store.replace_secret("org/a", "x", 0, &SecretString::from("secret")).await.unwrap();
    here.store
        .write(Durability::Process, |connection| {
            connection.execute("UPDATE secrets SET owner = 'org/b'", []).unwrap();
            Ok(())
        })
        .await
        .unwrap();
    assert!(matches!(here.store.secret("org/b", "x").await, Err(StoreError::Sealed)));
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_only_when_it_must_be() {
    let here = Here::open();
    let path = here.path();
    let write = async |store: &SqliteStore, sql: &'static str| {
        store
            .write(Durability::Process, |connection| {
                connection.execute_batch(sql).unwrap();
                Ok(())
            })
            .await
            .unwrap();
    };
    write(
        &here.store,
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
         VALUES (99, 'next', '2026-01-01T00:00:00Z', '1')",
    )
    .await;
    drop(here.store);
    let store = SqliteStore::open(&path, key()).unwrap();
    write(&store, "UPDATE meta SET value = CAST('99' AS BLOB) WHERE name = 'usable-from'").await;
    drop(store);
    for refused in [SqliteStore::open(&path, key()), SqliteStore::open_read_only(&path)] {
        assert!(
            matches!(refused, Err(StoreError::Newer { found: 99, known: file::SCHEMA, .. })),
            "{refused:?}"
        );
    }
}

/// Version 2 knows neither tasks nor targets and can still use the file, so the file must be usable by both.
#[tokio::test]
async fn a_file_of_version_2_is_brought_up_to_date_and_stays_usable_for_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("gangway.db");
    file::tests::make_with_schema(&path, 2);
    let old = Connection::open(&path).unwrap();
    old.pragma_update(None, "foreign_keys", true).unwrap();
    let link = r#"{"target":"staff","org":"acme","object":"User","record_id":"005000000000001AAA","written":{},"adopted":false}"#;
    old.execute_batch(&format!(
        r#"INSERT INTO tenants VALUES (1, 'acme/prod');
           INSERT INTO resources (key, tenant, kind, id, seq, version, created_ms, modified_ms, user_name_key, body)
               VALUES (1, 1, 1, 'ada', 1, 1, 0, 0, 'ada', '{{"userName":"ada"}}');
           INSERT INTO resource_counts VALUES (1, 1, 1, 1);
           INSERT INTO links VALUES (1, 'staff', 1, '005000000000001AAA', '{link}');
           INSERT INTO audit (tenant, resource, at_ms, version, entry)
               VALUES (1, 'ada', 0, 1, '{{"client":"okta","action":"create","fields":["staff.Email"],"notes":[]}}');"#
    ))
    .unwrap();
    let store = SqliteStore::open(&path, key()).unwrap();
    let ada = ResourceId::from_text("ada");
    let page = store.links_of_target(&tenant(), &"staff".parse().unwrap(), None, 10).await.unwrap();
    assert_eq!(page.links.len(), 1);
    assert_eq!(store.audit_of(&tenant(), &ada).await.unwrap()[0].entry.mapping, None);
    let task = NewTask {
        id: model::TaskId::from_text("t1"),
        target: "staff".parse().unwrap(),
        kind: TaskKind::Target,
        reason: "away".to_owned(),
        due: at(1),
        client: None,
    };
    store.record(Record { tasks: Some(vec![task]), ..write("ada", ResourceWrite::Keep) }).await.unwrap();
    // What version 2 does when somebody is deleted.
    old.execute("DELETE FROM resources WHERE key = 1", []).unwrap();
    assert!(store.open_tasks(None).await.unwrap().is_empty());
    let usable: String = old
        .query_row("SELECT CAST(value AS TEXT) FROM meta WHERE name = 'usable-from'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(usable, "1");
}

/// A file of version 3 with so many entries of the audit; then what the next version makes of it.
fn brought_up_from_version_3(path: &std::path::Path, entries: u32) -> SqliteStore {
    file::tests::make_with_schema(path, 3);
    let old = Connection::open(path).unwrap();
    old.execute_batch("INSERT INTO tenants VALUES (1, 'acme/prod'), (2, 'acme/test')").unwrap();
    write_as_version_3(&old, entries);
    SqliteStore::open(path, key()).unwrap()
}

/// Version 3 knows no hashes.
fn write_as_version_3(old: &Connection, entries: u32) {
    let entry = r#"{"client":"okta","action":"create","fields":["staff.Email"],"notes":[]}"#;
    for number in 0..entries {
        old.execute(
            "INSERT INTO audit (tenant, resource, at_ms, version, entry) VALUES (?1, 'ada', ?2, 1, ?3)",
            rusqlite::params![1 + number % 2, number, entry],
        )
        .unwrap();
    }
}

#[tokio::test]
async fn what_version_3_has_written_is_taken_into_the_chain_at_the_start() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("gangway.db");
    let store = brought_up_from_version_3(&path, 5);
    let old = Connection::open(&path).unwrap();
    let verify = async |store: &SqliteStore, noted: Option<&str>| {
        let chain = store.verify(&tenant(), noted).await.unwrap();
        assert_eq!(chain.broken, None);
        chain
    };
    let chain = verify(&store, None).await;
    assert_eq!((chain.entries, chain.unchained), (3, 0));
    // The earlier version is used once more.
    write_as_version_3(&old, 4);
    assert_eq!(verify(&store, None).await, crate::Chain { unchained: 2, ..chain.clone() });
    store.close().await;
    drop(store);
    let store = SqliteStore::open(&path, key()).unwrap();
    let longer = verify(&store, Some(&chain.head)).await;
    assert_eq!((longer.entries, longer.unchained, longer.noted), (5, 0, Some(3)));
    store.record(create("grace", user("grace"))).await.unwrap();
    assert_eq!(verify(&store, Some(&longer.head)).await.noted, Some(5));
}

/// What somebody may do to the trail who can write to the file, and what `verify` says then.
#[tokio::test]
async fn whatever_is_done_to_the_trail_is_found() {
    use crate::Broken;

    let at_entry = |place: u64| (Some(place), None);
    let at_end = |written: u64, found: u64| (None, Some((written, found)));
    let tampering = [
        ("UPDATE audit SET entry = replace(entry, 'okta', 'hr') WHERE number = 2", at_entry(2)),
        ("UPDATE audit SET entry = entry || ' ' WHERE number = 5", at_entry(5)),
        ("UPDATE audit SET at_ms = at_ms + 1 WHERE number = 1", at_entry(1)),
        ("UPDATE audit SET at_ms = 9223372036854775807 WHERE number = 1", at_entry(1)),
        ("UPDATE audit SET version = -1 WHERE number = 4", at_entry(4)),
        ("UPDATE audit SET resource = 'bob' WHERE number = 3", at_entry(3)),
        ("UPDATE audit SET change = 'c9' WHERE number = 3", at_entry(3)),
        // The order.
        (
            "UPDATE audit SET number = 99 WHERE number = 2; UPDATE audit SET number = 2 WHERE number = 3;
             UPDATE audit SET number = 3 WHERE number = 99",
            at_entry(2),
        ),
        ("DELETE FROM audit WHERE number = 3", at_entry(3)),
        ("DELETE FROM audit WHERE number = 5", at_end(5, 4)),
        ("DELETE FROM audit", at_end(5, 0)),
        ("UPDATE audit SET hash = NULL WHERE number = 2", at_entry(3)),
        (
            "INSERT INTO audit (tenant, resource, at_ms, version, entry, hash)
             SELECT tenant, resource, at_ms, version, entry, hash FROM audit WHERE number = 5",
            at_entry(6),
        ),
    ];
    for (sql, expected) in tampering {
        let here = Here::open();
        for name in ["a", "b", "c", "d", "e"] {
            here.store.record(create(name, user(name))).await.unwrap();
        }
        assert_eq!(here.store.verify(&tenant(), None).await.unwrap().broken, None);
        Connection::open(here.path()).unwrap().execute_batch(sql).unwrap();
        let chain = here.store.verify(&tenant(), None).await.unwrap();
        let found = match chain.broken {
            Some(Broken::Entry { place, .. }) => (Some(place), None),
            Some(Broken::End { written, found }) => (None, Some((written, found))),
            None => (None, None),
        };
        assert_eq!(found, expected, "{sql}");
        // A restart makes nothing of it good.
        here.store.close().await;
        let path = here.path();
        drop(here.store);
        let store = SqliteStore::open(&path, key()).unwrap();
        assert!(store.verify(&tenant(), None).await.unwrap().broken.is_some(), "{sql} is made good");
    }
}

/// A trail of millions is gone through as it lies in the file: sorting it would take its size in memory, at each page.
#[tokio::test]
async fn the_trail_is_read_in_the_order_of_its_rows() {
    let here = Here::open();
    here.store.record(create("ada", user("ada"))).await.unwrap();
    let connection = Connection::open(here.path()).unwrap();
    for sql in [chain::TRAIL, audit::PAGE] {
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let nothing = vec![rusqlite::types::Null; plan.parameter_count()];
        let steps = plan.query_map(rusqlite::params_from_iter(nothing), |row| row.get(3)).unwrap();
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        assert!(steps.iter().all(|step| !step.contains("B-TREE") && !step.contains("INDEX")), "{steps:?}");
    }
}

/// Who knows how the chain is made can shorten it, and make it anew.
#[tokio::test]
async fn a_trail_that_was_shortened_with_care_is_found_by_a_head_that_was_noted() {
    let here = Here::open();
    for name in ["a", "b", "c"] {
        here.store.record(create(name, user(name))).await.unwrap();
    }
    let noted = here.store.verify(&tenant(), None).await.unwrap().head;
    Connection::open(here.path())
        .unwrap()
        .execute_batch(
            "DELETE FROM audit WHERE number = 3;
             UPDATE chains SET entries = 2, head = (SELECT hash FROM audit WHERE number = 2)",
        )
        .unwrap();
    let chain = here.store.verify(&tenant(), Some(&noted)).await.unwrap();
    assert_eq!((chain.entries, chain.broken, chain.noted), (2, None, None));
}

#[tokio::test]
async fn an_empty_file_is_too_old_to_be_read() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("gangway.db");
    std::fs::write(&path, b"").unwrap();
    let refused = SqliteStore::open_read_only(&path);
    assert!(matches!(refused, Err(StoreError::Older { found: 0, known: file::SCHEMA, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_an_error() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("gangway.db");
    std::fs::write(&path, b"this is no database, whatever its name may say").unwrap();
    assert!(matches!(SqliteStore::open(&path, key()), Err(StoreError::Database { .. })));
}

#[tokio::test]
async fn a_closed_store_has_finished_and_says_that_it_is_closed() {
    let here = Here::open();
    let gate = Gate::close(&here.store).await;
    let store = here.store.clone();
    let waiting = tokio::spawn(async move { store.record(create("ada", user("ada"))).await });
    gate.open_when_waiting(1).await;
    here.store.close().await;
    assert_eq!(waiting.await.unwrap().unwrap(), Recorded::Recorded(Version(1)));
    assert!(matches!(here.store.get(&tenant(), USER, "ada").await, Err(StoreError::Closed)));
    assert!(matches!(here.store.find(&tenant(), &query(None)).await, Err(StoreError::Closed)));
    assert!(matches!(here.store.open(joiner(1)).await, Err(StoreError::Closed)));
    here.store.close().await;
    let log = std::fs::metadata(format!("{}-wal", here.path().display())).map_or(0, |log| log.len());
    assert_eq!(log, 0, "the log is in the database");
    let again = SqliteStore::open(here.path(), key()).unwrap();
    assert!(again.get(&tenant(), USER, "ada").await.unwrap().is_some());
}

#[tokio::test]
async fn a_question_too_large_is_refused_and_names_what_has_an_index() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("gangway.db");
    let limits = Limits { rows: 10, time: Duration::MAX };
    let store = SqliteStore::open(&path, key()).unwrap().with_limits(limits);
    for number in 0..11 {
        let more = json!({ "userName": format!("user-{number}"), "title": "x", "displayName": "same" });
        store.record(create(&number.to_string(), body(more))).await.unwrap();
    }
    let sorted = |attribute: &str| Query {
        sort: Some(crate::SortBy {
            path: Registry::standard().user().resolve(attribute).unwrap(),
            descending: false,
        }),
        ..query(None)
    };
    for too_many in [
        query(Some(r#"title eq "x""#)),
        query(Some("not (title pr)")),
        query(Some(r#"displayName eq "same" and title eq "x""#)),
        sorted("title"),
        sorted("displayName"),
    ] {
        let error = store.find(&tenant(), &too_many).await.unwrap_err();
        assert!(matches!(error, StoreError::TooMany { .. }), "{error}");
        assert!(error.to_string().contains("userName, externalId"), "{error}");
    }
    for few in [
        query(None),
        query(Some("active eq true")),
        query(Some(r#"displayName eq "same""#)),
        query(Some(r#"userName eq "user-1" and title eq "x""#)),
        sorted("userName"),
    ] {
        store.find(&tenant(), &few).await.unwrap();
    }
    drop(store);
    let limits = Limits { rows: 1_000, time: Duration::ZERO };
    let store = SqliteStore::open(&path, key()).unwrap().with_limits(limits);
    for number in 11..80 {
        store.record(create(&number.to_string(), user(&format!("user-{number}")))).await.unwrap();
    }
    let error = store.find(&tenant(), &query(Some("title pr"))).await.unwrap_err();
    assert!(matches!(error, StoreError::TooMany { .. }), "{error}");
}

#[test]
fn the_limits_of_a_scan_are_what_the_documentation_says() {
    let Limits { rows, time } = Limits::default();
    assert_eq!((rows, time), (200_000, Duration::from_secs(2)));
}

#[tokio::test]
async fn adding_one_member_to_many_writes_little() {
    let here = Here::open();
    let members =
        |count: usize| -> Vec<Value> { (0..count).map(|n| json!({ "value": n.to_string() })).collect() };
    let crowd: Vec<_> = (0..1_000)
        .map(|number| {
            let store = here.store.clone();
            let record = create(&number.to_string(), user(&format!("user-{number}")));
            tokio::spawn(async move { store.record(record).await })
        })
        .collect();
    for one in crowd {
        one.await.unwrap().unwrap();
    }
    let group = |write| Record { kind: ResourceKind::Group, ..super::tests::write("staff", write) };
    let staff = |count| body(json!({ "displayName": "staff", "members": members(count) }));
    here.store.record(group(ResourceWrite::Create(staff(999)))).await.unwrap();
    let changes = async || {
        here.store.write(Durability::Process, |connection| Ok(connection.total_changes())).await.unwrap()
    };
    let before = changes().await;
    let replace = ResourceWrite::Replace { expected: Version(1), body: staff(1_000) };
    here.store.record(group(replace)).await.unwrap();
    let written = changes().await - before;
    assert!(written < 10, "{written} rows were written");
}

#[tokio::test]
async fn a_statement_is_planned_once_whatever_is_bound() {
    use rusqlite::{StatementStatus, params, types::Value as Sql};

    let here = Here::open();
    here.store.record(create("ada", user("ada"))).await.unwrap();
    for index in filter_sql::Index::ALL {
        for value in [Sql::Text("ada".to_owned()), Sql::Text("grace".to_owned()), Sql::Integer(1), Sql::Null]
        {
            let sql = format!("SELECT r.seq, r.key {}", index.source());
            let planned_again = here.store.0.readers.read(|reader| {
                let mut select = reader.statement(&sql, "read").unwrap();
                let mut rows = select.query(params![1, 1, value]).unwrap();
                while rows.next().unwrap().is_some() {}
                drop(rows);
                Ok(select.get_status(StatementStatus::RePrepare))
            });
            assert_eq!(planned_again.unwrap(), 0, "{index:?}");
        }
    }
}

/// Killed between any two of the writes of a change, a file holds all of it or nothing.
#[tokio::test]
async fn what_was_answered_is_in_the_file_whenever_the_process_is_killed() {
    let here = Here::open();
    for number in 0..20 {
        here.store.open(joiner(number)).await.unwrap();
        let left = TempDir::new().unwrap();
        let path = left.path().join("gangway.db");
        copy(&here.path(), &path);
        let after = SqliteStore::open(&path, key()).unwrap();
        let open: Vec<String> =
            after.open_changes(None).await.unwrap().iter().map(|open| open.change.id.to_string()).collect();
        assert_eq!(open, [format!("c{number}")]);
        assert!(after.get(&tenant(), USER, &format!("id-{number}")).await.unwrap().unwrap().pending);
        let (id, name) = (format!("id-{number}"), format!("user-{number}"));
        let landed =
            Record { change: Some(ChangeId::from_text(format!("c{number}"))), ..create(&id, user(&name)) };
        here.store.record(landed).await.unwrap();
        assert_eq!(after.count(&tenant(), USER).await.unwrap(), u64::from(number));
    }
}

#[tokio::test]
async fn the_log_does_not_grow_without_end() {
    let here = Here::open();
    for round in 0..6 {
        let crowd: Vec<_> = (0..200)
            .map(|number| {
                let store = here.store.clone();
                let name = format!("user-{round}-{number}");
                let record = create(&name, body(json!({ "userName": name, "title": "x".repeat(4_000) })));
                tokio::spawn(async move { store.record(record).await })
            })
            .collect();
        for one in crowd {
            one.await.unwrap().unwrap();
        }
    }
    let beside = file::open_checkpointer(&here.path()).unwrap();
    // Asks without doing: how many pages of the log are in the database.
    let moved = || beside.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get::<_, i64>(2)).unwrap();
    // The checkpoint thread was nudged by one of these writes; it may still be at it.
    while moved() == 0 {
        tokio::task::yield_now().await;
    }
}

mod filters {
    //! A filter finds by its index what it would find by looking at everything.

    use proptest::prelude::*;

    use super::*;

    /// Few values, so that they meet.
    fn person() -> impl Strategy<Value = Value> {
        let text =
            || prop::option::of(prop::sample::select(vec!["a", "A", "ß", "SS", "é", "E\u{301}", "b", ""]));
        let email =
            (prop::sample::select(vec!["a@x", "A@X", "b@x"]), prop::sample::select(vec!["work", "home"]))
                .prop_map(|(value, kind)| json!({ "value": value, "type": kind }));
        (text(), text(), text(), text(), prop::option::of(any::<bool>()), prop::collection::vec(email, 0..3))
            .prop_map(move |(external, display, number, title, active, emails)| {
                let mut body = json!({ "emails": emails });
                for (attribute, value) in
                    [("externalId", external), ("displayName", display), ("title", title)]
                {
                    if let Some(value) = value {
                        body[attribute] = value.into();
                    }
                }
                if let Some(active) = active {
                    body["active"] = active.into();
                }
                if let Some(number) = number {
                    body[scim_types::schema::ENTERPRISE_USER_URN] = json!({ "employeeNumber": number });
                }
                body
            })
    }

    fn filter() -> impl Strategy<Value = String> {
        let value = || {
            prop::sample::select(vec!["a", "A", "ss", "É", "b", "user-1", "USER-2", "id-1", "ID-1", "g", ""])
        };
        let leaf = prop_oneof![
            (
                prop::sample::select(vec![
                    "userName",
                    "externalId",
                    "displayName",
                    "employeeNumber",
                    "id",
                    "title",
                    "groups.value",
                    "emails.value",
                    "groups.display"
                ]),
                prop::sample::select(vec!["eq", "ne", "sw", "co", "gt"]),
                value()
            )
                .prop_map(|(attribute, op, value)| format!("{attribute} {op} {}", json!(value))),
            (prop::sample::select(vec!["a@x", "B@X"]), prop::sample::select(vec!["work", "home"]))
                .prop_map(|(value, kind)| format!(r#"emails[type eq "{kind}" and value eq "{value}"]"#)),
            any::<bool>().prop_map(|active| format!("active eq {active}")),
            (prop::sample::select(vec!["gt", "ge", "lt", "le", "eq"]), -1..6_i64)
                .prop_map(|(op, second)| format!(r#"meta.lastModified {op} "{}""#, at(second))),
            prop::sample::select(vec!["title pr", "active pr", "groups pr"]).prop_map(str::to_owned),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) or ({b})")),
                inner.prop_map(|a| format!("not ({a})")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn an_index_finds_what_looking_at_everything_finds(
            people in [person(), person(), person(), person(), person()],
            filters in prop::collection::vec(filter(), 20),
            in_group in prop::collection::vec(0..5_usize, 0..4),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let here = Here::open();
                for (number, person) in people.into_iter().enumerate() {
                    let mut person = person;
                    person["userName"] = format!("User-{number}").into();
                    let second = i64::try_from(number).unwrap();
                    let record = Record { at: at(second), ..create(&format!("id-{number}"), body(person)) };
                    here.store.record(record).await.unwrap();
                }
                let members: Vec<Value> = in_group.iter().map(|n| json!({ "value": format!("id-{n}") })).collect();
                let group = body(json!({ "displayName": "g", "members": members }));
                let group = Record { kind: ResourceKind::Group, ..create("g", group) };
                here.store.record(group).await.unwrap();

                let everybody = here.store.find(&tenant(), &query(None)).await.unwrap().resources;
                prop_assert_eq!(everybody.len(), 5);
                for text in &filters {
                    let asked = query(Some(text));
                    let filter = asked.filter.as_ref().unwrap();
                    let expected: Vec<_> = everybody
                        .iter()
                        .filter(|user| filter.matches(Registry::standard().user(), &user.attributes().unwrap()))
                        .cloned()
                        .collect();
                    let page = here.store.find(&tenant(), &asked).await.unwrap();
                    prop_assert_eq!(page.total, expected.len() as u64, "{}", text);
                    prop_assert_eq!(page.resources, expected, "{}", text);
                }
                Ok(())
            })?;
        }
    }
}
