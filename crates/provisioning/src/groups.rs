//! The life of one change of a Group: decided and recorded at its turn. Plain groups are Gangway's own, so there is no call
//! and nothing to journal: the record is durable by itself.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use model::{ChangeId, ResourceId, ResourceKind, Timestamp};
use salesforce_types::RecordId;
use scim_types::{Filter, Registry, Resource, ResourceType, ScimType};
use serde_json::{Value, json};
use store::{
    AuditEntry, Change, ChangeOutcome, Member, Query, Record, Recorded, ResourceWrite, StoredResource, Window,
};
use tokio::sync::oneshot;

use crate::{
    Answer, Caller, ProvisionError, Request, Tenant, Written,
    provisioner::Inner,
    users::{action, body_of},
    wish::{Wish, missing},
};

/// One change of one Group.
pub(crate) struct GroupChange {
    inner: Arc<Inner>,
    tenant: Arc<Tenant>,
    caller: Caller,
    request: Request,
    wish: Wish,
    id: ResourceId,
    change: ChangeId,
}

impl GroupChange {
    /// Reads the request and gives it its id.
    pub(crate) fn accept(
        inner: &Arc<Inner>,
        caller: &Caller,
        request: Request,
    ) -> Result<Self, ProvisionError> {
        let wish = Wish::read(kind(), &request)?;
        let id = match &request.id {
            Some(id) => ResourceId::from_text(id.clone()),
            None => inner.ids.resource(),
        };
        Ok(Self {
            inner: Arc::clone(inner),
            tenant: inner.tenant(&caller.tenant)?,
            caller: caller.clone(),
            request,
            wish,
            id,
            change: inner.ids.change(),
        })
    }

    /// There is none to take up: a Group's change is never left open.
    pub(crate) fn resume(
        _: &Arc<Inner>,
        _: &Caller,
        _: Request,
        change: &Change,
    ) -> Result<(), ProvisionError> {
        Err(ProvisionError::Misconfigured(format!(
            "the change {} of a Group was journalled by a newer version of Gangway",
            change.id
        )))
    }

    /// Does it. A caller that stops waiting cancels nothing.
    pub(crate) async fn answer(self) -> Result<Answer, ProvisionError> {
        let (tell, told) = oneshot::channel();
        let inner = Arc::clone(&self.inner);
        let turn = inner.turns.enter(format!("{}/{}", self.tenant.id, self.id));
        let change = self.change.clone();
        let work = async move {
            let turn = turn.await;
            let answer = self.carry_out().await;
            drop(turn);
            let _ = tell.send(answer);
        };
        inner.run(change, work, &inner);
        told.await.unwrap_or_else(|_| {
            let retry_after = std::time::Duration::from_secs(5);
            Err(ProvisionError::Busy { why: "Gangway is stopping".into(), retry_after })
        })
    }

    async fn carry_out(&self) -> Result<Answer, ProvisionError> {
        let stored = self.inner.store.get(&self.tenant.id, ResourceKind::Group, self.id.as_str()).await?;
        if stored.is_none() && !matches!(self.wish, Wish::Create(_)) {
            return Err(ProvisionError::NotFound { kind: ResourceKind::Group, id: self.id.to_string() });
        }
        if let (Some(tags), Some(stored)) = (&self.request.if_match, &stored)
            && !tags.iter().any(|tag| stored.version.matches(tag))
        {
            return Err(ProvisionError::VersionMismatch { kind: ResourceKind::Group });
        }
        let current = stored.as_ref().map(with_members).transpose()?;
        let Some(mut wanted) = self.wish.apply(kind(), current.as_ref())? else {
            return self.delete(stored).await;
        };
        self.check_members(&mut wanted, stored.as_ref()).await?;
        if let (true, Some(stored)) = (current.as_ref() == Some(&wanted), &stored) {
            return Ok(Answer::Updated(Written {
                resource: stored.clone(),
                warnings: Vec::new(),
                changed: false,
            }));
        }
        // Two groups must not take one name at once; ended when the name is recorded.
        let name = wanted.display_name().ok_or_else(|| missing("displayName"))?.to_owned();
        let was = current.as_ref().and_then(Resource::display_name);
        let folded = scim_types::fold(&name);
        let _name = if was.map(scim_types::fold).as_ref() == Some(&folded) {
            None
        } else {
            let turn = self.inner.turns.enter(format!("{}/group-name/{folded}", self.tenant.id)).await;
            self.check_name(&name).await?;
            Some(turn)
        };
        self.write(stored, wanted).await
    }

    async fn write(
        &self,
        stored: Option<StoredResource>,
        wanted: Resource,
    ) -> Result<Answer, ProvisionError> {
        let now = self.inner.clock.now();
        let (write, result, status) = match &stored {
            None => (ResourceWrite::Create(wanted.clone()), "created", 201),
            Some(stored) => {
                let body = wanted.clone();
                (ResourceWrite::Replace { expected: stored.version, body }, "updated", 200)
            }
        };
        self.record(write, result, status, now).await?;
        // Read again for the members' display names.
        let resource =
            self.inner.store.get(&self.tenant.id, ResourceKind::Group, self.id.as_str()).await?.ok_or_else(
                || ProvisionError::NotFound { kind: ResourceKind::Group, id: self.id.to_string() },
            )?;
        let written = Written { resource, warnings: Vec::new(), changed: true };
        Ok(if stored.is_none() { Answer::Created(written) } else { Answer::Updated(written) })
    }

    async fn delete(&self, stored: Option<StoredResource>) -> Result<Answer, ProvisionError> {
        if let Some(stored) = stored {
            let write = ResourceWrite::Delete { expected: stored.version };
            self.record(write, "deleted", 204, self.inner.clock.now()).await?;
        }
        Ok(Answer::Deleted)
    }

    async fn record(
        &self,
        write: ResourceWrite,
        result: &str,
        status: u16,
        at: Timestamp,
    ) -> Result<(), ProvisionError> {
        let record = Record {
            change: None,
            tenant: self.tenant.id.clone(),
            kind: ResourceKind::Group,
            resource: self.id.clone(),
            write,
            links: Vec::new(),
            grants: Vec::new(),
            memberships: Vec::new(),
            asked: None,
            tasks: None,
            audit: AuditEntry {
                client: self.caller.client.clone(),
                action: action(&self.request.operation).to_owned(),
                fields: Vec::new(),
                grants: Vec::new(),
                notes: Vec::new(),
                mapping: None,
            },
            outcome: ChangeOutcome { result: result.to_owned(), status, reason: None },
            answered: true,
            at,
        };
        match self.inner.store.record(record).await? {
            Recorded::Recorded(_) => Ok(()),
            Recorded::Stale | Recorded::UserNameTaken { .. } => {
                Err(ProvisionError::VersionMismatch { kind: ResourceKind::Group })
            }
        }
    }

    /// Entra ID and Salesforce both need the names of groups to be unique, and a repeated POST must find its first.
    async fn check_name(&self, name: &str) -> Result<(), ProvisionError> {
        let filter = Filter::parse(&format!("displayName eq {}", Value::from(name)), kind())
            .map_err(|error| ProvisionError::Invalid(error.into()))?;
        let query = Query {
            kind: ResourceKind::Group,
            filter: Some(filter),
            sort: None,
            window: Window::Index { offset: 0, count: 1 },
            with_members: false,
        };
        let page = self.inner.store.find(&self.tenant.id, &query).await?;
        if page.resources.iter().any(|other| other.id != self.id) {
            return Err(ProvisionError::Taken { kind: ResourceKind::Group, attribute: "displayName" });
        }
        Ok(())
    }

    /// Members become `{"value": id}`, with a `display` where the tool gives them one, each once; one that is nobody refuses
    /// the whole request (C-52). Salesforce ids of linked records are taken for the identities they belong to.
    async fn check_members(
        &self,
        wanted: &mut Resource,
        stored: Option<&StoredResource>,
    ) -> Result<(), ProvisionError> {
        let members = stored.map(|stored| stored.members.as_slice()).unwrap_or_default();
        let known: HashMap<&str, &Member> =
            members.iter().map(|member| (member.id.as_str(), member)).collect();
        let aliases = self.identities_of_records(wanted, &known).await?;
        let mut seen = HashSet::new();
        let mut checked = Vec::new();
        for (id, display) in members_of(wanted) {
            let id = aliases.get(id).map_or(id, String::as_str);
            if id == self.id.as_str() {
                return Err(invalid(format!("the group {id} cannot be a member of itself")));
            }
            if seen.insert(id.to_owned()) {
                checked.push(element(id, display_to_keep(display, known.get(id).copied())));
            }
        }
        let map = wanted.as_map_mut();
        if checked.is_empty() {
            map.shift_remove("members");
        } else {
            map.insert("members".to_owned(), Value::Array(checked));
        }
        Ok(())
    }

    /// Every new member must be there; of those that are named by the id of their Salesforce record, the identities.
    async fn identities_of_records(
        &self,
        wanted: &Resource,
        known: &HashMap<&str, &Member>,
    ) -> Result<HashMap<String, String>, ProvisionError> {
        let new: Vec<&str> =
            members_of(wanted).map(|(id, _)| id).filter(|id| !known.contains_key(id)).collect();
        let kinds = self.inner.store.kinds(&self.tenant.id, &new).await?;
        let mut aliases = HashMap::new();
        for (id, _) in new.iter().zip(kinds).filter(|(_, kind)| kind.is_none()) {
            let alias = match RecordId::parse(id) {
                Ok(record) => self.inner.store.linked_to(&self.tenant.id, &record).await?,
                Err(_) => None,
            };
            match alias {
                Some(identity) => aliases.insert((*id).to_owned(), identity.to_string()),
                None => return Err(nobody(id)),
            };
        }
        Ok(aliases)
    }
}

/// The display that is kept with a membership. What the server itself shows and gets back is not the tool's, and a member
/// that is named again without a display keeps the one it has.
fn display_to_keep<'a>(sent: Option<&'a str>, known: Option<&'a Member>) -> Option<&'a str> {
    match (sent, known) {
        (None, Some(member)) if member.display_as_sent => member.display.as_deref(),
        (Some(sent), Some(member)) if !member.display_as_sent && member.display.as_deref() == Some(sent) => {
            None
        }
        (sent, _) => sent,
    }
}

fn element(id: &str, display: Option<&str>) -> Value {
    match display {
        Some(display) => json!({ "value": id, "display": display }),
        None => json!({ "value": id }),
    }
}

fn kind() -> &'static ResourceType {
    Registry::standard().group()
}

/// The id and the display of each member.
fn members_of(group: &Resource) -> impl Iterator<Item = (&str, Option<&str>)> {
    let members = group.get("members").and_then(Value::as_array);
    members.into_iter().flatten().filter_map(|member| {
        Some((member.get("value")?.as_str()?, member.get("display").and_then(Value::as_str)))
    })
}

/// The stored body with its members, as a request sees it.
fn with_members(stored: &StoredResource) -> Result<Resource, ProvisionError> {
    let mut body = body_of(stored)?;
    if !stored.members.is_empty() {
        let members = stored.members.iter().map(|member| {
            element(member.id.as_str(), member.display.as_deref().filter(|_| member.display_as_sent))
        });
        body.as_map_mut().insert("members".to_owned(), members.collect());
    }
    Ok(body)
}

fn nobody(id: &str) -> ProvisionError {
    invalid(format!(
        "there is no User or Group with the id {id}, so it cannot be a member; nothing was changed"
    ))
}

fn invalid(detail: String) -> ProvisionError {
    ProvisionError::Invalid(scim_types::Error::bad_request(ScimType::InvalidValue, detail))
}
