//! What a store is, in lists: no indexes, no transactions, no file.

use std::collections::BTreeMap;

use model::{ChangeId, ClientName, ResourceId, TargetName, TaskId, Timestamp, Version};
use salesforce_types::{EntitlementRef, Grant, GrantState, Link, Plan};
use scim_types::Resource;
use store::{
    Audited, Ended as EndOfGrant, GrantWrite, Held, LinkWrite, NewChange, NewTask, Opened, Record,
    ResourceWrite, Task, TaskKind,
};

/// How recording ends.
#[derive(Debug)]
pub enum Ended {
    Recorded(Version),
    Stale,
    Taken(ResourceId),
}

#[derive(Default)]
pub struct Oracle {
    /// In the order in which their rows were made.
    people: Vec<Person>,
    /// Those that are recorded, in the order in which they were.
    recorded: Vec<ResourceId>,
    /// The oldest first.
    changes: Vec<Change>,
    /// In the order in which they were raised.
    tasks: Vec<Raised>,
    audit: Vec<(ResourceId, Audited)>,
    /// In the order in which they began.
    grants: Vec<Held>,
}

struct Person {
    id: ResourceId,
    /// The change that has reserved it; absent: it is recorded.
    pending: Option<ChangeId>,
    version: Version,
    name: String,
    asked: Option<String>,
    links: BTreeMap<TargetName, Link>,
}

struct Change {
    id: ChangeId,
    client: ClientName,
    resource: ResourceId,
    rename: Option<String>,
    plan: Option<Plan>,
    landed: bool,
}

struct Raised {
    task: Task,
    woken: bool,
}

impl Oracle {
    pub fn has(&self, id: &ResourceId) -> bool {
        self.person(id).is_some()
    }

    pub fn open(&mut self, new: &NewChange) -> Opened {
        let name = new.reserve.as_ref().and_then(Resource::user_name).or(new.rename.as_deref());
        if let Some(by) = name.and_then(|name| self.name_taken(name, &new.resource)) {
            return Opened::UserNameTaken { by };
        }
        self.changes.push(Change {
            id: new.id.clone(),
            client: new.client.clone(),
            resource: new.resource.clone(),
            rename: new.rename.clone(),
            plan: new.plan.clone(),
            landed: false,
        });
        if let Some(body) = &new.reserve {
            self.people.push(Person {
                id: new.resource.clone(),
                pending: Some(new.id.clone()),
                version: Version(0),
                name: body.user_name().unwrap().to_owned(),
                asked: None,
                links: BTreeMap::new(),
            });
        }
        Opened::Opened
    }

    /// `None`: something has landed for nobody.
    pub fn replan(
        &mut self,
        id: &ChangeId,
        plan: &Plan,
        rename: Option<String>,
        landed: &[LinkWrite],
    ) -> Option<Opened> {
        let resource = self.resource_of(id);
        if !landed.is_empty() {
            if !self.has(&resource) {
                return None;
            }
            self.write_links(&resource, landed);
            self.change_mut(id).landed = true;
        }
        if let Some(by) = rename.as_deref().and_then(|name| self.name_taken(name, &resource)) {
            return Some(Opened::UserNameTaken { by });
        }
        let change = self.change_mut(id);
        (change.plan, change.rename) = (Some(plan.clone()), rename);
        Some(Opened::Opened)
    }

    pub fn record(&mut self, record: &Record) -> Ended {
        let id = &record.resource;
        if let ResourceWrite::Create(body)
        | ResourceWrite::Replace { body, .. }
        | ResourceWrite::Revise { body, .. } = &record.write
            && let Some(by) = self.name_taken(body.user_name().unwrap(), id)
        {
            return Ended::Taken(by);
        }
        let there = self.has(id);
        let recorded = self.person(id).filter(|person| person.pending.is_none()).map(|person| person.version);
        let version = match (&record.write, recorded) {
            (ResourceWrite::Create(body), None) => self.create(id, body, record.asked.as_ref()),
            (
                ResourceWrite::Replace { expected, body } | ResourceWrite::Revise { expected, body },
                Some(version),
            ) if *expected == version => {
                let person = self.people.iter_mut().find(|person| person.id == *id).unwrap();
                body.user_name().unwrap().clone_into(&mut person.name);
                person.asked.clone_from(&record.asked);
                person.version = version.next();
                person.version
            }
            (ResourceWrite::Delete { expected }, Some(version)) if *expected == version => {
                self.forget(id);
                version
            }
            (ResourceWrite::Keep, version) if there => version.unwrap_or(Version(0)),
            _ => return Ended::Stale,
        };
        if self.has(id) {
            self.write_links(id, &record.links);
            if let Some(tasks) = &record.tasks {
                self.set_tasks(record, tasks);
            }
        }
        self.write_grants(record);
        if !self.has(id) {
            self.end_grants(id, &end_of_grant(record, "the identity was removed"));
        }
        let (change, entry) = (record.change.clone(), record.audit.clone());
        self.audit.push((id.clone(), Audited { at: record.at, version, change, entry }));
        self.changes.retain(|change| Some(&change.id) != record.change.as_ref());
        Ended::Recorded(version)
    }

    pub fn withdraw(&mut self, id: &ChangeId, at: Timestamp) {
        let reserved = self.people.iter().find(|person| person.pending.as_ref() == Some(id));
        if let Some(reserved) = reserved.map(|person| person.id.clone()) {
            self.forget(&reserved);
            let (why, client) =
                ("the identity was never made".to_owned(), self.change_mut(id).client.clone());
            self.end_grants(&reserved, &EndOfGrant { at, why, client, change: Some(id.clone()) });
        }
        self.changes.retain(|change| change.id != *id);
    }

    pub fn postpone(&mut self, id: &TaskId, reason: &str, due: Timestamp) {
        let raised = self.tasks.iter_mut().find(|raised| raised.task.id == *id).unwrap();
        raised.task.attempts += 1;
        reason.clone_into(&mut raised.task.reason);
        (raised.task.due, raised.woken) = (due, false);
    }

    /// One of the open changes, if any is open.
    pub fn open_change(&self, number: usize) -> Option<ChangeId> {
        (!self.changes.is_empty()).then(|| self.changes[number % self.changes.len()].id.clone())
    }

    /// One of the tasks, if there is any.
    pub fn task(&self, number: usize) -> Option<TaskId> {
        (!self.tasks.is_empty()).then(|| self.tasks[number % self.tasks.len()].task.id.clone())
    }

    pub fn resource_of(&self, id: &ChangeId) -> ResourceId {
        self.changes.iter().find(|change| change.id == *id).unwrap().resource.clone()
    }

    pub fn version(&self, id: &ResourceId) -> Version {
        self.person(id).map_or(Version(0), |person| person.version)
    }

    /// Whether it is pending, its version, its name and what was asked for.
    pub fn shown(&self, id: &ResourceId) -> Option<(bool, Version, String, Option<String>)> {
        let shown = |person: &Person| {
            (person.pending.is_some(), person.version, person.name.clone(), person.asked.clone())
        };
        self.person(id).map(shown)
    }

    pub fn links(&self, id: &ResourceId) -> Vec<Link> {
        self.person(id).map(|person| person.links.values().cloned().collect()).unwrap_or_default()
    }

    pub fn links_of_target(&self, target: &TargetName) -> Vec<(ResourceId, Link)> {
        let linked = self
            .people
            .iter()
            .filter_map(|person| person.links.get(target).map(|link| (person.id.clone(), link.clone())));
        linked.collect()
    }

    pub fn open_tasks(&self) -> Vec<Task> {
        self.tasks.iter().map(|raised| raised.task.clone()).collect()
    }

    pub fn tasks_of(&self, id: &ResourceId) -> Vec<Task> {
        self.open_tasks().into_iter().filter(|task| task.identity == *id).collect()
    }

    pub fn due_tasks(&self, now: Timestamp, limit: usize) -> Vec<Task> {
        let mut due: Vec<_> = self.open_tasks().into_iter().filter(|task| task.due <= now).collect();
        due.sort_by_key(|task| task.due);
        due.truncate(limit);
        due
    }

    /// How many entries there are in all.
    pub fn audited(&self) -> u64 {
        self.audit.len() as u64
    }

    pub fn audit_of(&self, id: &ResourceId) -> Vec<Audited> {
        self.audit.iter().filter(|(of, _)| of == id).map(|(_, entry)| entry.clone()).collect()
    }

    pub fn grants(&self, id: &ResourceId) -> Vec<Grant> {
        let open = self.grants.iter().filter(|held| held.identity == *id && held.ended.is_none());
        let mut grants: Vec<Grant> = open.map(|held| held.grant.clone()).collect();
        grants.sort_by_key(|grant| (grant.of.clone(), grant.org.clone(), grant.target.clone()));
        grants
    }

    /// Who has it (`None`), or had it then.
    pub fn holders(&self, of: &EntitlementRef, at: Option<Timestamp>) -> Vec<Held> {
        let contains = |held: &Held| match at {
            None => held.ended.is_none(),
            Some(at) => held.grant.since <= at && held.ended.as_ref().is_none_or(|ended| at < ended.at),
        };
        self.rows(|held| held.grant.of == *of && held.grant.state.is_held() && contains(held))
    }

    pub fn history(&self, id: &ResourceId, of: &EntitlementRef) -> Vec<Held> {
        self.rows(|held| held.identity == *id && held.grant.of == *of)
    }

    pub fn in_state(&self, state: GrantState, limit: usize) -> Vec<Held> {
        let mut rows = self.rows(|held| held.ended.is_none() && held.grant.state == state);
        rows.truncate(limit);
        rows
    }

    /// The oldest first.
    fn rows(&self, which: impl Fn(&Held) -> bool) -> Vec<Held> {
        let mut rows: Vec<Held> = self.grants.iter().filter(|held| which(held)).cloned().collect();
        rows.sort_by_key(|held| held.grant.since);
        rows
    }

    pub fn ids(&self) -> Vec<ResourceId> {
        self.recorded.clone()
    }

    /// Each with its plan, and whether something of it has landed.
    pub fn open_changes(&self) -> Vec<(ChangeId, Option<Plan>, bool)> {
        self.changes.iter().map(|change| (change.id.clone(), change.plan.clone(), change.landed)).collect()
    }

    fn change_mut(&mut self, id: &ChangeId) -> &mut Change {
        self.changes.iter_mut().find(|change| change.id == *id).unwrap()
    }

    fn person(&self, id: &ResourceId) -> Option<&Person> {
        self.people.iter().find(|person| person.id == *id)
    }

    fn name_taken(&self, name: &str, except: &ResourceId) -> Option<ResourceId> {
        let has = self.people.iter().filter(|person| person.name == name).map(|person| &person.id);
        let wants = self.changes.iter().filter(|change| change.rename.as_deref() == Some(name));
        has.chain(wants.map(|change| &change.resource)).find(|id| *id != except).cloned()
    }

    fn create(&mut self, id: &ResourceId, body: &Resource, asked: Option<&String>) -> Version {
        let name = body.user_name().unwrap().to_owned();
        if let Some(person) = self.people.iter_mut().find(|person| person.id == *id) {
            (person.pending, person.version, person.name) = (None, Version::FIRST, name);
            person.asked = asked.cloned();
        } else {
            let (id, asked, links) = (id.clone(), asked.cloned(), BTreeMap::new());
            self.people.push(Person { id, pending: None, version: Version::FIRST, name, asked, links });
        }
        self.recorded.push(id.clone());
        Version::FIRST
    }

    fn forget(&mut self, id: &ResourceId) {
        self.people.retain(|person| person.id != *id);
        self.recorded.retain(|recorded| recorded != id);
        self.tasks.retain(|raised| raised.task.identity != *id);
    }

    fn write_grants(&mut self, record: &Record) {
        for write in &record.grants {
            let (target, of) = match write {
                GrantWrite::Set(grant) => (&grant.target, &grant.of),
                GrantWrite::End { target, of, .. } => (target, of),
            };
            let open = self.grants.iter_mut().find(|held| {
                let grant = &held.grant;
                held.ended.is_none()
                    && held.identity == record.resource
                    && (&grant.target, &grant.of) == (target, of)
            });
            match (write, open) {
                (GrantWrite::Set(grant), Some(open)) if open.grant.state == grant.state => {
                    open.grant = Grant { since: open.grant.since, ..grant.clone() };
                }
                (GrantWrite::Set(grant), open) => {
                    if let Some(open) = open {
                        let why = format!("it is {} now", grant.state.as_str());
                        open.ended = Some(end_of_grant(record, &why));
                    }
                    let identity = record.resource.clone();
                    self.grants.push(Held { identity, grant: grant.clone(), ended: None });
                }
                (GrantWrite::End { why, .. }, Some(open)) => open.ended = Some(end_of_grant(record, why)),
                (GrantWrite::End { .. }, None) => {}
            }
        }
    }

    fn end_grants(&mut self, id: &ResourceId, end: &EndOfGrant) {
        for held in &mut self.grants {
            if held.identity == *id && held.ended.is_none() {
                held.ended = Some(end.clone());
            }
        }
    }

    fn write_links(&mut self, id: &ResourceId, writes: &[LinkWrite]) {
        for write in writes {
            let links = &mut self.people.iter_mut().find(|person| person.id == *id).unwrap().links;
            match write {
                LinkWrite::Remove(target) => {
                    links.remove(target);
                }
                LinkWrite::Set(link) => {
                    let before = links.insert(link.target.clone(), link.clone());
                    let same =
                        before.is_some_and(|before| before.record_id == link.record_id && !before.left);
                    if !link.left && !same {
                        self.wake(id, &link.target);
                    }
                }
            }
        }
    }

    fn wake(&mut self, id: &ResourceId, target: &TargetName) {
        for raised in &mut self.tasks {
            if let TaskKind::Reference { waits_for, through, .. } = &raised.task.kind
                && (waits_for, through) == (id, target)
            {
                raised.woken = true;
                raised.task.due = raised.task.due.min(raised.task.raised);
            }
        }
    }

    fn set_tasks(&mut self, record: &Record, tasks: &[NewTask]) {
        let same = |new: &NewTask, task: &Task| {
            task.identity == record.resource && task.target == new.target && task.kind == new.kind
        };
        self.tasks.retain(|raised| {
            raised.task.identity != record.resource || tasks.iter().any(|new| same(new, &raised.task))
        });
        for new in tasks {
            if let Some(raised) = self.tasks.iter_mut().find(|raised| same(new, &raised.task)) {
                raised.task.reason.clone_from(&new.reason);
                raised.task.client.clone_from(&new.client);
                if !std::mem::take(&mut raised.woken) {
                    raised.task.due = raised.task.due.max(new.due);
                }
                continue;
            }
            let is_there = match &new.kind {
                TaskKind::Reference { waits_for, through, .. } => self
                    .person(waits_for)
                    .and_then(|person| person.links.get(through))
                    .is_some_and(|link| !link.left),
                _ => false,
            };
            let task = Task {
                id: new.id.clone(),
                tenant: record.tenant.clone(),
                identity: record.resource.clone(),
                target: new.target.clone(),
                kind: new.kind.clone(),
                reason: new.reason.clone(),
                due: if is_there { new.due.min(record.at) } else { new.due },
                attempts: 0,
                raised: record.at,
                client: new.client.clone(),
            };
            self.tasks.push(Raised { task, woken: false });
        }
    }
}

fn end_of_grant(record: &Record, why: &str) -> EndOfGrant {
    let (client, change) = (record.audit.client.clone(), record.change.clone());
    EndOfGrant { at: record.at, why: why.to_owned(), client, change }
}
