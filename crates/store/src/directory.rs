//! The Directory: SCIM resources as last recorded, and the links to Salesforce.

use async_trait::async_trait;
use model::{OrgName, ResourceId, ResourceKind, TenantId, Timestamp, Version};
use salesforce_types::{Link, RecordId, StandsFor};
use scim_types::{AttrPath, Filter};
use serde_json::{Map, Value, json};

use crate::StoreError;

/// A resource as last recorded (or, while `pending`, as requested).
#[derive(Clone, Debug, PartialEq)]
pub struct StoredResource {
    /// User or Group.
    pub kind: ResourceKind,
    /// The SCIM `id`.
    pub id: ResourceId,
    /// Moves by one with each recorded change.
    pub version: Version,
    /// `meta.created`.
    pub created: Timestamp,
    /// `meta.lastModified`.
    pub modified: Timestamp,
    /// A create that is not recorded yet: `GET` shows it, lists omit it.
    pub pending: bool,
    /// The canonical [`scim_types::Resource`] as compact JSON text, without `id`, `meta`,
    /// `groups` and `members`.
    pub body: String,
    /// For a User: what of `entitlements` and `roles` was asked for, as JSON text, where that differs from what the body shows.
    pub asked: Option<String>,
    /// For a Group: the entitlement that its members have, as its body says it.
    pub stands_for: Option<StandsFor>,
    /// For a User: the groups it is a direct member of. Empty for a Group.
    pub groups: Vec<GroupRef>,
    /// For a Group, when asked for: its members in the order they joined. Empty for a User.
    pub members: Vec<Member>,
}

impl StoredResource {
    /// All attributes, as filters and sorting see them: the body with `id`, `meta`, and `groups` or
    /// `members`. `active` is there also where nobody sent it. `meta.location` and every `$ref` are missing:
    /// only a door knows its own address.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when the body is no JSON object.
    pub fn attributes(&self) -> Result<Map<String, Value>, StoreError> {
        let mut attributes: Map<String, Value> = serde_json::from_str(&self.body)
            .map_err(|source| StoreError::corrupt("resources", "a resource", source))?;
        attributes.insert("id".to_owned(), self.id.as_str().into());
        if self.kind == ResourceKind::User {
            attributes.entry("active").or_insert(Value::Bool(true));
        }
        if !self.groups.is_empty() {
            attributes.insert("groups".to_owned(), self.groups.iter().map(GroupRef::element).collect());
        }
        if !self.members.is_empty() {
            attributes.insert("members".to_owned(), self.members.iter().map(Member::element).collect());
        }
        attributes.insert("meta".to_owned(), self.meta());
        Ok(attributes)
    }

    /// `meta` (RFC 7643 §3.1) without `location`.
    #[must_use]
    pub fn meta(&self) -> Value {
        json!({
            "resourceType": self.kind.as_str(),
            "created": self.created.to_string(),
            "lastModified": self.modified.to_string(),
            "version": self.version.etag(),
        })
    }
}

impl GroupRef {
    /// The element of `groups`, without `$ref`. Nobody is a member through another group yet, so it is always
    /// `direct`.
    #[must_use]
    pub fn element(&self) -> Value {
        json!({ "value": self.id.as_str(), "display": self.display, "type": "direct" })
    }
}

impl Member {
    /// The element of `members`, without `$ref`.
    #[must_use]
    pub fn element(&self) -> Value {
        let mut element = Map::new();
        element.insert("value".to_owned(), self.id.as_str().into());
        if let Some(display) = &self.display {
            element.insert("display".to_owned(), display.as_str().into());
        }
        element.insert("type".to_owned(), self.kind.as_str().into());
        Value::Object(element)
    }
}

/// One element of a User's read-only `groups`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRef {
    /// The group's SCIM id.
    pub id: ResourceId,
    /// The group's `displayName`.
    pub display: String,
    /// The entitlement that the group stands for.
    pub stands_for: Option<StandsFor>,
}

/// One element of a Group's `members`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The member's SCIM id.
    pub id: ResourceId,
    /// User, or Group for a nested group.
    pub kind: ResourceKind,
    /// What the tool that made it a member called it, else the member's `displayName`, else its `userName`.
    pub display: Option<String>,
    /// Whether `display` is what a tool sent.
    pub display_as_sent: bool,
}

/// What a list or search asks for.
#[derive(Clone, Debug)]
pub struct Query {
    /// Users or Groups.
    pub kind: ResourceKind,
    /// All that match; absent: all.
    pub filter: Option<Filter>,
    /// Absent: by creation sequence, the order in which pages are stable.
    pub sort: Option<SortBy>,
    /// Which part of the matches.
    pub window: Window,
    /// Whether groups come with their members.
    pub with_members: bool,
}

/// RFC 7644 §3.4.2.3.
#[derive(Clone, Debug)]
pub struct SortBy {
    /// The attribute; resources without it come last in ascending order.
    pub path: AttrPath,
    /// `sortOrder: descending`.
    pub descending: bool,
}

/// Which part of the matches.
#[derive(Clone, Debug)]
pub enum Window {
    /// Index paging: `offset` counts from 0. Exact when nothing is deleted meanwhile.
    Index {
        /// Matches to leave out at the start.
        offset: u64,
        /// At most so many; 0 only counts.
        count: u32,
    },
    /// RFC 9865: exact under change. Goes with no `sort`.
    Cursor {
        /// Where the last page ended; absent: from the start.
        after: Option<Cursor>,
        /// At most so many.
        count: u32,
    },
}

/// Where a page ended; good for the listing it came from. Of resources it is the creation sequence number of the
/// last one, and the door wraps it in opaque, authenticated text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub u64);

/// One page.
#[derive(Clone, Debug)]
pub struct Page {
    /// How many match in all, exactly.
    pub total: u64,
    /// This part of them.
    pub resources: Vec<StoredResource>,
    /// With [`Window::Cursor`]: where the next page starts, if there is one.
    pub next: Option<Cursor>,
}

/// Ids without what is behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPage {
    /// This part of them.
    pub ids: Vec<ResourceId>,
    /// Where the next page starts, if there is one.
    pub next: Option<Cursor>,
}

/// Reads. None of them sees anything of another tenant.
#[async_trait]
pub trait Directory: Send + Sync {
    /// The resource with this id, members included; a pending one too. `None` for an id of any odd form.
    async fn get(
        &self,
        tenant: &TenantId,
        kind: ResourceKind,
        id: &str,
    ) -> Result<Option<StoredResource>, StoreError>;

    /// A page of the matches. Pending resources are found by `userName eq` alone and are otherwise left out.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooMany`] when no index serves the filter or the sort and more than 200,000 rows or 2 s
    /// would be needed to answer: never a short answer.
    async fn find(&self, tenant: &TenantId, query: &Query) -> Result<Page, StoreError>;

    /// The User with this `externalId` that is still being made, if there is one; of several the first.
    async fn pending_by_external_id(
        &self,
        tenant: &TenantId,
        external_id: &str,
    ) -> Result<Option<StoredResource>, StoreError>;

    /// Which kind each of these ids is, in their order; `None` for one that is not there (pending ones are
    /// there). For checking members.
    async fn kinds(&self, tenant: &TenantId, ids: &[&str]) -> Result<Vec<Option<ResourceKind>>, StoreError>;

    /// The links of an identity, in the order of their targets' names.
    async fn links(&self, tenant: &TenantId, id: &ResourceId) -> Result<Vec<Link>, StoreError>;

    /// The identity that a Salesforce record is linked to, if any. Of records with one id in several orgs (a sandbox has
    /// those of the org it was copied from) it is the one whose identity was there first; where that matters ask
    /// [`linked_in`](Self::linked_in).
    async fn linked_to(&self, tenant: &TenantId, record: &RecordId)
    -> Result<Option<ResourceId>, StoreError>;

    /// The identity that a record of this org is linked to, if any.
    async fn linked_in(
        &self,
        tenant: &TenantId,
        org: &OrgName,
        record: &RecordId,
    ) -> Result<Option<ResourceId>, StoreError>;

    /// At most `limit` ids of a kind in the order of their creation, pending ones left out: for going through all of
    /// them. Exact under change, as [`Window::Cursor`] is.
    async fn ids(
        &self,
        tenant: &TenantId,
        kind: ResourceKind,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<IdPage, StoreError>;

    /// The Groups that stand for an entitlement, with their `displayName`, in the order of their creation; pending ones left
    /// out.
    async fn groups_standing(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<(ResourceId, String, StandsFor)>, StoreError>;

    /// How many resources of a kind a tenant has (pending ones left out).
    async fn count(&self, tenant: &TenantId, kind: ResourceKind) -> Result<u64, StoreError>;
}
