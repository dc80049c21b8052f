//! Groups that are made from what the orgs offer. One is known again by what it stands for, so that it keeps its id whatever it
//! is called.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use model::{ResourceId, ResourceKind, TenantId};
use salesforce_types::{Catalogue, EntitlementRef, StandsFor};
use scim_types::{fold, schema::GANGWAY_GROUP_URN};
use serde_json::{Value, json};
use store::{Query, Window};

use super::{GroupChange, Reply, Stop, busy, filter_of, name_turn, standing::Standing};
use crate::{
    Caller, Operation, ProvisionError, Request,
    provisioner::Inner,
    users::{Scene, body_of},
};

/// Whose changes these are, in the journal and in the audit.
pub(crate) const CLIENT: &str = "gangway-catalogue";

/// Groups are gone through so many at a time.
const PAGE: u32 = 500;

/// A Group that Gangway has made.
struct Made {
    id: ResourceId,
    name: String,
    stands_for: StandsFor,
}

/// A Group that is called otherwise from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Renaming {
    id: ResourceId,
    to: String,
}

/// Makes, renames and takes away the published Groups of every tenant. Answers how many were touched; what fails is said in the
/// log, keeps nothing else waiting, and is done the next time.
pub(crate) async fn publish(inner: &Arc<Inner>) -> usize {
    let mut touched = 0;
    let world = inner.world();
    for tenant in world.tenants.values().filter(|tenant| tenant.mapping.groups.publishes()) {
        match publish_tenant(inner, &tenant.id).await {
            Ok(count) => touched += count,
            Err(error) => {
                tracing::warn!(tenant = %tenant.id, %error, "the groups that the catalogue makes could not be brought up to date");
            }
        }
    }
    touched
}

async fn publish_tenant(inner: &Arc<Inner>, tenant: &TenantId) -> Result<usize, ProvisionError> {
    let scene = Scene::now(inner, tenant)?;
    let made = made(inner, tenant).await?;
    let known: HashMap<&StandsFor, &Made> = made.iter().map(|made| (&made.stands_for, made)).collect();
    let (mut gone, mut called_otherwise, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for org in scene.orgs_with_users()? {
        let catalogue = match inner.catalogue.of(&*inner.store, org, inner.clock.now()).await {
            Ok(catalogue) => catalogue,
            Err(error) => {
                tracing::warn!(%tenant, org = %org.name(), %error, "the groups that the org's catalogue makes stay as they are");
                continue;
            }
        };
        let of_org = made.iter().filter(|made| made.stands_for.org == *org.name());
        gone.extend(of_org.filter(|made| is_gone(&catalogue, &made.stands_for.of)));
        for (name, of) in scene.tenant.mapping.groups.published(org.name(), &catalogue) {
            let stands_for = StandsFor { org: org.name().clone(), of };
            match known.get(&stands_for) {
                Some(made) if made.name == name => {}
                Some(made) => {
                    called_otherwise.push(Renaming { id: made.id.clone(), to: name });
                }
                None => missing.push((name, stands_for)),
            }
        }
    }
    // What is called otherwise comes first: whoever is in two Groups that change names, or whose one takes the other's, has
    // what rules give to the members of that name all the time. Then names are free.
    let renamed = rename(inner, tenant, called_otherwise, &gone).await;
    let mut touched = renamed.unwrap_or_else(|error| {
        tracing::warn!(%tenant, %error, "groups that the catalogue makes could not be renamed");
        0
    });
    for made in gone {
        touched += usize::from(submit(inner, tenant, Some(&made.id), Operation::Delete).await);
    }
    for (name, stands_for) in missing {
        touched += usize::from(submit(inner, tenant, None, making(&name, stands_for)?).await);
    }
    Ok(touched)
}

/// A kind that is gone as a whole is hidden from the integration user, more likely than deleted: nobody loses anything by that.
fn is_gone(catalogue: &Catalogue, of: &EntitlementRef) -> bool {
    let has_kind = catalogue.entitlements().iter().any(|one| one.of.kind == of.kind);
    has_kind && catalogue.get(of).is_none()
}

/// Gives Groups their new names, all in one transaction; then what that means to their members. Answers how many have got
/// theirs. Whoever else wants one of these names waits until then. One that cannot be renamed keeps its name, and so does who
/// wants that.
async fn rename(
    inner: &Arc<Inner>,
    tenant: &TenantId,
    mut wanted: Vec<Renaming>,
    gone: &[&Made],
) -> Result<usize, ProvisionError> {
    let mut names: Vec<String> = wanted.iter().map(|one| fold(&one.to)).collect();
    names.sort_unstable();
    names.dedup();
    let mut turns = Vec::with_capacity(names.len());
    let mut holders: HashMap<String, Vec<ResourceId>> = HashMap::new();
    for name in names {
        turns.push(inner.turns.enter(name_turn(tenant, &name)).await);
        let held_by = called(inner, tenant, &name).await?;
        let stay = held_by.into_iter().filter(|id| !gone.iter().any(|gone| gone.id == *id));
        holders.insert(name, stay.collect());
    }
    let changes = loop {
        let fitting = that_fit(wanted.clone(), &holders);
        let mut changes = Vec::with_capacity(fitting.len());
        for Renaming { id, to } in fitting {
            changes.push(GroupChange::accept(inner, &publisher(tenant)?, request(Some(&id), renaming(&to)))?);
        }
        let written = write_names(inner, &changes).await;
        if matches!(written, Ok(Names::Written)) {
            break changes;
        }
        for change in &changes {
            change.give_up(busy("the names of groups were not written together")).await;
        }
        match written? {
            Names::Refused(id, error) => {
                is_done(tenant, Some(&id), Err(error));
                wanted.retain(|one| one.id != id);
            }
            Names::Written | Names::Stale => return Ok(0),
        }
    };
    drop(turns);
    let mut touched = 0;
    for change in changes {
        let id = change.id.clone();
        touched += usize::from(is_done(tenant, Some(&id), change.answer().await));
    }
    Ok(touched)
}

/// What came of names that are written together.
enum Names {
    Written,
    /// A Group has changed meanwhile, and none was written.
    Stale,
    /// This one cannot be renamed, and none was written.
    Refused(ResourceId, ProvisionError),
}

async fn write_names(inner: &Inner, changes: &[Arc<GroupChange>]) -> Result<Names, ProvisionError> {
    let mut records = Vec::with_capacity(changes.len());
    for change in changes {
        match change.begin_renaming().await {
            Ok(record) => records.push(record),
            Err(Stop::Fail(error @ ProvisionError::Store(_))) => return Err(error),
            Err(Stop::Fail(error)) => return Ok(Names::Refused(change.id.clone(), error)),
            Err(Stop::Again | Stop::LeftOpen) => return Ok(Names::Stale),
        }
    }
    let are_written = records.is_empty() || inner.store.record_together(records).await?;
    Ok(if are_written { Names::Written } else { Names::Stale })
}

/// Those that can have their names, all at once: nobody has them, or only who gives his back with the same transaction. Of two
/// that want one name it is the first. `holders` are those who have the folded names now.
fn that_fit(mut wanted: Vec<Renaming>, holders: &HashMap<String, Vec<ResourceId>>) -> Vec<Renaming> {
    let mut seen = HashSet::new();
    wanted.retain(|one| seen.insert(fold(&one.to)));
    loop {
        let renamed: HashSet<ResourceId> = wanted.iter().map(|one| one.id.clone()).collect();
        let before = wanted.len();
        wanted.retain(|one| {
            let held_by = holders.get(&fold(&one.to)).map(Vec::as_slice).unwrap_or_default();
            held_by.iter().all(|id| renamed.contains(id))
        });
        if wanted.len() == before {
            return wanted;
        }
    }
}

/// The Groups that have a name.
async fn called(inner: &Inner, tenant: &TenantId, name: &str) -> Result<Vec<ResourceId>, ProvisionError> {
    let query = Query {
        kind: ResourceKind::Group,
        filter: Some(filter_of(name)?),
        sort: None,
        window: Window::Index { offset: 0, count: PAGE },
        with_members: false,
    };
    let found = inner.store.find(tenant, &query).await?;
    Ok(found.resources.into_iter().map(|group| group.id).collect())
}

fn making(name: &str, stands_for: StandsFor) -> Result<Operation, ProvisionError> {
    let standing = serde_json::to_value(Standing::published(stands_for))
        .map_err(|error| ProvisionError::Misconfigured(error.to_string()))?;
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": name,
    });
    body[GANGWAY_GROUP_URN] = standing;
    Ok(Operation::Create(body))
}

fn renaming(name: &str) -> Operation {
    Operation::Patch(json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "displayName", "value": Value::from(name) }],
    }))
}

async fn submit(
    inner: &Arc<Inner>,
    tenant: &TenantId,
    id: Option<&ResourceId>,
    operation: Operation,
) -> bool {
    let change =
        publisher(tenant).and_then(|caller| GroupChange::accept(inner, &caller, request(id, operation)));
    let answer = match change {
        Ok(change) => change.answer().await,
        Err(error) => Err(error),
    };
    is_done(tenant, id, answer)
}

fn publisher(tenant: &TenantId) -> Result<Caller, ProvisionError> {
    let client =
        CLIENT.parse().map_err(|_| ProvisionError::Misconfigured(format!("`{CLIENT}` is no name")))?;
    Ok(Caller { tenant: tenant.clone(), client })
}

fn request(id: Option<&ResourceId>, operation: Operation) -> Request {
    Request {
        kind: ResourceKind::Group,
        id: id.map(ToString::to_string),
        operation,
        if_match: None,
        respond_async: false,
    }
}

/// Whether it was; else the log says why not.
fn is_done(tenant: &TenantId, id: Option<&ResourceId>, answer: Reply) -> bool {
    match answer {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(%tenant, group = id.map(ToString::to_string), %error, "a group that the catalogue makes could not be written");
            false
        }
    }
}

/// The Groups that Gangway has made for a tenant.
async fn made(inner: &Arc<Inner>, tenant: &TenantId) -> Result<Vec<Made>, ProvisionError> {
    let (mut made, mut after) = (Vec::new(), None);
    loop {
        let window = Window::Cursor { after, count: PAGE };
        let query =
            Query { kind: ResourceKind::Group, filter: None, sort: None, window, with_members: false };
        let page = inner.store.find(tenant, &query).await?;
        for stored in page.resources.into_iter().filter(|stored| stored.stands_for.is_some()) {
            let body = body_of(&stored)?;
            let Standing { stands_for: Some(stands_for), published: true, .. } = Standing::of(&body)? else {
                continue;
            };
            let name = body.display_name().unwrap_or_default().to_owned();
            made.push(Made { id: stored.id, name, stands_for });
        }
        after = page.next;
        if after.is_none() {
            return Ok(made);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn renaming(id: &str, to: &str) -> Renaming {
        Renaming { id: ResourceId::from_text(id), to: to.to_owned() }
    }

    /// The names afterwards, by id.
    fn carried_out(now: &[(&str, &str)], wanted: Vec<Renaming>) -> HashMap<ResourceId, String> {
        let mut names: HashMap<ResourceId, String> =
            now.iter().map(|(id, name)| (ResourceId::from_text(*id), (*name).to_owned())).collect();
        let mut holders: HashMap<String, Vec<ResourceId>> = HashMap::new();
        for (id, name) in &names {
            holders.entry(fold(name)).or_default().push(id.clone());
        }
        for one in that_fit(wanted, &holders) {
            names.insert(one.id, one.to);
        }
        names
    }

    #[test]
    fn names_that_are_swapped_are_swapped_at_once() {
        let names = carried_out(&[("1", "a"), ("2", "b")], vec![renaming("1", "B"), renaming("2", "A")]);
        assert_eq!(names[&ResourceId::from_text("1")], "B");
        assert_eq!(names[&ResourceId::from_text("2")], "A");
        assert_eq!(carried_out(&[("1", "a")], vec![renaming("1", "A")])[&ResourceId::from_text("1")], "A");
    }

    #[test]
    fn who_wants_a_name_that_stays_taken_keeps_his_own_and_so_does_who_wants_that() {
        let wanted = vec![renaming("1", "b"), renaming("2", "c"), renaming("4", "e")];
        let names = carried_out(&[("1", "a"), ("2", "b"), ("3", "c"), ("4", "d")], wanted);
        let of = |id: &str| names[&ResourceId::from_text(id)].as_str();
        assert_eq!((of("1"), of("2"), of("3"), of("4")), ("a", "b", "c", "e"));
    }

    proptest! {
        #[test]
        fn no_two_groups_ever_have_one_name_and_names_that_go_round_all_fit(
            to in Just(["a", "B", "c", "D", "e", "f"]).prop_shuffle(),
            strangers in 0_usize..3,
            count in 0_usize..=6,
        ) {
            const NOW: [(&str, &str); 6] = [("1", "a"), ("2", "b"), ("3", "c"), ("4", "d"), ("5", "e"), ("6", "f")];
            let wanted = NOW.iter().zip(&to).skip(strangers).take(count);
            let wanted: Vec<Renaming> = wanted.map(|((id, _), to)| renaming(id, to)).collect();
            let is_round = strangers == 0 && count == 6;
            let names = carried_out(&NOW, wanted.clone());
            let different: HashSet<String> = names.values().map(|name| fold(name)).collect();
            prop_assert_eq!(different.len(), NOW.len());
            prop_assert!(!is_round || wanted.iter().all(|one| names[&one.id] == one.to));
        }
    }
}
