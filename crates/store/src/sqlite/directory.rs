//! The Directory on `SQLite`.

use async_trait::async_trait;
use model::{OrgName, ResourceId, ResourceKind, TenantId};
use rusqlite::{OptionalExtension, params};
use salesforce_types::{Link, RecordId, StandsFor};

use super::{
    SqliteStore,
    find::Search,
    members::{groups_of, members_of},
    readers::Reader,
    rows::{self, Doing, STORED_COLUMNS, Stored, TenantKey, kind_key, signed},
};
use crate::{Cursor, Directory, IdPage, Page, Query, StoreError, StoredResource};

const READ: &str = "read resources";

/// Members that are read on the caller's own thread, a microsecond each. A group may have ten thousand.
const FEW_MEMBERS: usize = 100;

#[async_trait]
impl Directory for SqliteStore {
    async fn get(
        &self,
        tenant: &TenantId,
        kind: ResourceKind,
        id: &str,
    ) -> Result<Option<StoredResource>, StoreError> {
        let found = self.0.readers.read(|reader| get(reader, tenant, kind, id, FEW_MEMBERS))?;
        let Found::TooLarge = found else { return Ok(found.resource()) };
        let (tenant, id) = (tenant.clone(), id.to_owned());
        let found =
            self.0.readers.read_long(move |reader| get(reader, &tenant, kind, &id, usize::MAX)).await?;
        Ok(found.resource())
    }

    async fn find(&self, tenant: &TenantId, query: &Query) -> Result<Page, StoreError> {
        let search = Search::new(query, self.0.limits);
        if let Some(page) = self.0.readers.read(|reader| search.at_once(reader, tenant))? {
            return Ok(page);
        }
        let tenant = tenant.clone();
        self.0.readers.read_long(move |reader| search.run(reader, &tenant)).await
    }

    async fn pending_by_external_id(
        &self,
        tenant: &TenantId,
        external_id: &str,
    ) -> Result<Option<StoredResource>, StoreError> {
        self.0.readers.read(|reader| {
            let Some(tenant) = reader.tenant(tenant)? else { return Ok(None) };
            reader.snapshot(|reader| {
                let text = format!(
                    "SELECT {STORED_COLUMNS} FROM resources r INDEXED BY resources_by_external_id
                     WHERE r.tenant = ?1 AND r.kind = ?2 AND r.external_id = ?3 AND r.seq IS NULL ORDER BY r.key"
                );
                let mut select = reader.statement(&text, READ)?;
                let kind = ResourceKind::User;
                let mut rows = select.query(params![tenant.0, kind_key(kind), external_id]).doing(READ)?;
                Ok(one(reader, kind, &mut rows, FEW_MEMBERS)?.resource())
            })
        })
    }

    async fn kinds(&self, tenant: &TenantId, ids: &[&str]) -> Result<Vec<Option<ResourceKind>>, StoreError> {
        let kind = |reader: &Reader, tenant: TenantKey, id: &str| {
            reader
                .statement(
                    "SELECT kind FROM resources WHERE tenant = ?1 AND kind IN (1, 2) AND id = ?2 LIMIT 1",
                    READ,
                )?
                .query_row(params![tenant.0, id], |row| row.get(0))
                .optional()
                .doing(READ)?
                .map(|key| rows::kind("resources", key))
                .transpose()
        };
        // A microsecond each; for many the thread hop is the smaller price.
        if ids.len() <= 20 {
            return self.0.readers.read(|reader| match reader.tenant(tenant)? {
                Some(tenant) => {
                    reader.snapshot(|reader| ids.iter().map(|id| kind(reader, tenant, id)).collect())
                }
                None => Ok(vec![None; ids.len()]),
            });
        }
        let tenant = tenant.clone();
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        self.0
            .readers
            .read_long(move |reader| match reader.tenant(&tenant)? {
                Some(tenant) => {
                    reader.snapshot(|reader| ids.iter().map(|id| kind(reader, tenant, id)).collect())
                }
                None => Ok(vec![None; ids.len()]),
            })
            .await
    }

    async fn links(&self, tenant: &TenantId, id: &ResourceId) -> Result<Vec<Link>, StoreError> {
        let doing = "read links";
        self.0.readers.read(|reader| {
            let Some(tenant) = reader.tenant(tenant)? else { return Ok(Vec::new()) };
            let mut select = reader.statement(
                "SELECT l.link FROM resources r JOIN links l ON l.resource = r.key
                 WHERE r.tenant = ?1 AND r.kind IN (1, 2) AND r.id = ?2 ORDER BY l.target",
                doing,
            )?;
            let mut found = select.query(params![tenant.0, id.as_str()]).doing(doing)?;
            let mut links = Vec::new();
            while let Some(row) = found.next().doing(doing)? {
                let text = row.get_ref(0).and_then(|text| Ok(text.as_str()?)).doing(doing)?;
                links.push(rows::json("links", "a link", text)?);
            }
            Ok(links)
        })
    }

    async fn linked_to(
        &self,
        tenant: &TenantId,
        record: &RecordId,
    ) -> Result<Option<ResourceId>, StoreError> {
        let doing = "read links";
        self.0.readers.read(|reader| {
            let Some(tenant) = reader.tenant(tenant)? else { return Ok(None) };
            reader
                .statement(
                    "SELECT r.id FROM links l JOIN resources r ON r.key = l.resource
                     WHERE l.tenant = ?1 AND l.record_id = ?2 ORDER BY l.resource LIMIT 1",
                    doing,
                )?
                .query_row(params![tenant.0, record.to_string()], |row| row.get::<_, String>(0))
                .optional()
                .map(|id| id.map(ResourceId::from_text))
                .doing(doing)
        })
    }

    async fn linked_in(
        &self,
        tenant: &TenantId,
        org: &OrgName,
        record: &RecordId,
    ) -> Result<Option<ResourceId>, StoreError> {
        let doing = "read links";
        self.0.readers.read(|reader| {
            let Some(tenant) = reader.tenant(tenant)? else { return Ok(None) };
            reader
                .statement(
                    "SELECT r.id FROM links l JOIN resources r ON r.key = l.resource
                     WHERE l.tenant = ?1 AND l.record_id = ?2 AND l.link ->> '$.org' = ?3
                     ORDER BY l.resource LIMIT 1",
                    doing,
                )?
                .query_row(params![tenant.0, record.as_str(), org.as_str()], |row| row.get::<_, String>(0))
                .optional()
                .map(|id| id.map(ResourceId::from_text))
                .doing(doing)
        })
    }

    async fn ids(
        &self,
        tenant: &TenantId,
        kind: ResourceKind,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<IdPage, StoreError> {
        let tenant = tenant.clone();
        self.0
            .readers
            .read_long(move |reader| match reader.tenant(&tenant)? {
                Some(tenant) => ids(reader, tenant, kind, after, limit),
                None => Ok(IdPage { ids: Vec::new(), next: None }),
            })
            .await
    }

    async fn groups_standing(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<(ResourceId, String, StandsFor)>, StoreError> {
        let tenant = tenant.clone();
        self.0
            .readers
            .read_long(move |reader| {
                let Some(tenant) = reader.tenant(&tenant)? else { return Ok(Vec::new()) };
                let mut select = reader.statement(
                    "SELECT id, display, stands_for FROM resources
                     WHERE tenant = ?1 AND stands_for IS NOT NULL AND seq IS NOT NULL ORDER BY seq",
                    READ,
                )?;
                let mut found = select.query([tenant.0]).doing(READ)?;
                let mut groups = Vec::new();
                while let Some(row) = found.next().doing(READ)? {
                    let id = ResourceId::from_text(row.get::<_, String>(0).doing(READ)?);
                    let display: Option<String> = row.get(1).doing(READ)?;
                    if let Some(stands_for) = rows::stands_for(row, 2)? {
                        groups.push((id, display.unwrap_or_default(), stands_for));
                    }
                }
                Ok(groups)
            })
            .await
    }

    async fn count(&self, tenant: &TenantId, kind: ResourceKind) -> Result<u64, StoreError> {
        self.0.readers.read(|reader| match reader.tenant(tenant)? {
            Some(tenant) => count(reader, tenant, kind),
            None => Ok(0),
        })
    }
}

fn ids(
    reader: &Reader,
    tenant: TenantKey,
    kind: ResourceKind,
    after: Option<Cursor>,
    limit: u32,
) -> Result<IdPage, StoreError> {
    let mut select = reader.statement(
        "SELECT seq, id FROM resources
         WHERE tenant = ?1 AND kind = ?2 AND seq IS NOT NULL AND seq > ?3 ORDER BY seq LIMIT ?4",
        READ,
    )?;
    let after = after.map_or(0, |Cursor(seq)| signed(seq));
    // One more than was asked for tells whether there is a next page.
    let most = i64::from(limit) + 1;
    let mut found = select.query(params![tenant.0, kind_key(kind), after, most]).doing(READ)?;
    let mut page = IdPage { ids: Vec::new(), next: None };
    let mut last = after;
    while let Some(row) = found.next().doing(READ)? {
        if page.ids.len() as u64 == u64::from(limit) {
            page.next = Some(Cursor(rows::unsigned("resources", last)?));
            break;
        }
        last = row.get(0).doing(READ)?;
        page.ids.push(ResourceId::from_text(row.get::<_, String>(1).doing(READ)?));
    }
    Ok(page)
}

/// How many resources of a kind are recorded.
pub fn count(reader: &Reader, tenant: TenantKey, kind: ResourceKind) -> Result<u64, StoreError> {
    let doing = "read resource_counts";
    let count: Option<i64> = reader
        .statement("SELECT count FROM resource_counts WHERE tenant = ?1 AND kind = ?2", doing)?
        .query_row(params![tenant.0, kind_key(kind)], |row| row.get(0))
        .optional()
        .doing(doing)?;
    rows::unsigned("resource_counts", count.unwrap_or(0))
}

/// What a read by id has found.
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made; next to all reads find")]
pub enum Found {
    Nothing,
    Resource(StoredResource),
    /// A group with more members than were allowed for.
    TooLarge,
}

impl Found {
    /// The resource, where it was read.
    pub fn resource(self) -> Option<StoredResource> {
        match self {
            Self::Resource(resource) => Some(resource),
            Self::Nothing | Self::TooLarge => None,
        }
    }
}

fn get(
    reader: &Reader,
    tenant: &TenantId,
    kind: ResourceKind,
    id: &str,
    most_members: usize,
) -> Result<Found, StoreError> {
    let Some(tenant) = reader.tenant(tenant)? else { return Ok(Found::Nothing) };
    reader.snapshot(|reader| {
        let mut select = reader.statement(
            &format!(
                "SELECT {STORED_COLUMNS} FROM resources r WHERE r.tenant = ?1 AND r.kind = ?2 AND r.id = ?3"
            ),
            READ,
        )?;
        let mut rows = select.query(params![tenant.0, kind_key(kind), id]).doing(READ)?;
        one(reader, kind, &mut rows, most_members)
    })
}

/// The first row of [`STORED_COLUMNS`] as a whole resource.
pub fn one(
    reader: &Reader,
    kind: ResourceKind,
    rows: &mut rusqlite::Rows<'_>,
    most_members: usize,
) -> Result<Found, StoreError> {
    let Some(row) = rows.next().doing(READ)? else { return Ok(Found::Nothing) };
    let mut stored = Stored::read(kind, row)?;
    match kind {
        ResourceKind::User => stored.resource.groups = groups_of(reader.connection(), stored.key)?,
        ResourceKind::Group => match members_of(reader.connection(), stored.key, most_members)? {
            Some(members) => stored.resource.members = members,
            None => return Ok(Found::TooLarge),
        },
    }
    Ok(Found::Resource(stored.resource))
}
