//! `GET /Users`, `GET /Groups`, and `GET` of the SCIM root, which searches every kind of resource that there is.

use std::sync::Arc;

use actix_web::http::StatusCode;
use model::ResourceKind;
use provisioning::Offer;
use scim_types::{Error, Filter, ListResponse, Page, Projection, ResourceType, SearchRequest, SortOrder};
use serde_json::{Map, Value};
use store::{Cursor, Query, SortBy, StoredResource, Window};

use super::everything::{Narrowed, narrow};
use crate::{
    call::{Call, resource_type},
    cursor::{Bound, Position},
    error::Failure,
    offers::{self, Listing},
    query::Search,
    render::{Said, View},
    reply::{Reply, to_json},
};

/// What a request without an endpoint searches, in this order.
const EVERYTHING: [Kind; 4] = [
    Kind::Kept(ResourceKind::User),
    Kind::Kept(ResourceKind::Group),
    Kind::Offered(Listing::Entitlements),
    Kind::Offered(Listing::Roles),
];

/// A kind of resource.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// It is in the directory.
    Kept(ResourceKind),
    /// It is what the orgs of the tenant have to give.
    Offered(Listing),
}

impl Kind {
    fn resource_type(self) -> &'static ResourceType {
        match self {
            Self::Kept(kind) => resource_type(kind),
            Self::Offered(listing) => listing.resource_type(),
        }
    }
}

/// `GET` of a collection (RFC 7644 §3.4.2).
pub(crate) async fn list(call: &Call<'_>, kind: Option<ResourceKind>) -> Result<Reply, Failure> {
    let search = call.query()?.search()?;
    answer(call, kind, &search).await
}

/// Finds a page and shows it. Nothing found is an empty list, never a 404 (C-15).
pub(super) async fn answer(
    call: &Call<'_>,
    kind: Option<ResourceKind>,
    search: &Search,
) -> Result<Reply, Failure> {
    let sources = sources(call, kind, &search.request).await?;
    let found = match &search.request.page {
        Page::Index { start_index, count } => {
            let offset = call.offset(*start_index, search.counts_from_one);
            by_index(call, &sources, offset, window_size(*count)).await?
        }
        Page::Cursor { cursor, count } => {
            let endpoint = kind.map_or("", ResourceKind::endpoint);
            let filter = search.request.filter.as_deref();
            let bound = Bound { tenant: &call.caller.tenant, endpoint, filter };
            by_cursor(call, &sources, bound, cursor.as_deref(), window_size(*count)).await?
        }
    };
    Ok(Reply::text(StatusCode::OK, show(call, &sources, found)?))
}

/// One kind of resource with what is asked of it.
struct Source {
    kind: Kind,
    /// Of one that is offered: what there is.
    offers: Arc<Vec<Offer>>,
    filter: Option<Filter>,
    sort: Option<SortBy>,
    projection: Projection,
}

/// The kinds that are searched. In a search of everything, Users come first whatever the sort.
async fn sources(
    call: &Call<'_>,
    kind: Option<ResourceKind>,
    asked: &SearchRequest,
) -> Result<Vec<Source>, Failure> {
    let one = kind.map(Kind::Kept);
    let kinds = one.as_ref().map_or(&EVERYTHING[..], std::slice::from_ref);
    let (filters, sorts) = (filters(kinds, asked.filter.as_deref())?, sorts(kinds, asked)?);
    let mut sources = Vec::new();
    for ((kind, filter), sort) in kinds.iter().copied().zip(filters).zip(sorts) {
        let filter = match filter {
            Narrowed::Never => continue,
            Narrowed::Always => None,
            Narrowed::If(filter) => Some(call.filter_with_scim_ids(filter).await?),
        };
        let (attributes, excluded) = (asked.attributes.as_deref(), asked.excluded_attributes.as_deref());
        let projection = Projection::parse(kind.resource_type(), attributes, excluded)?;
        let offers = match kind {
            Kind::Kept(_) => Arc::default(),
            Kind::Offered(_) => call.door.provisioner.offers(&call.caller.tenant).await?,
        };
        sources.push(Source { kind, offers, filter, sort, projection });
    }
    Ok(sources)
}

/// The filter as each kind understands it; one of them has to understand all of it.
fn filters(kinds: &[Kind], text: Option<&str>) -> Result<Vec<Narrowed>, Error> {
    let Some(text) = text else { return Ok(vec![Narrowed::Always; kinds.len()]) };
    let read: Vec<_> = kinds.iter().map(|kind| Filter::parse(text, kind.resource_type())).collect();
    let Some(whole) = read.iter().find_map(|filter| filter.as_ref().ok()).cloned() else {
        let error = read.into_iter().find_map(Result::err);
        return Err(error.map_or_else(|| Error::invalid_filter("the filter cannot be read"), Error::from));
    };
    let narrowed = read.into_iter().zip(kinds).map(|(filter, kind)| match filter {
        Ok(filter) => Narrowed::If(filter),
        Err(_) => narrow(whole.clone(), kind.resource_type()),
    });
    Ok(narrowed.collect())
}

/// How each kind is sorted; one of them has to have the attribute.
fn sorts(kinds: &[Kind], asked: &SearchRequest) -> Result<Vec<Option<SortBy>>, Error> {
    let Some(name) = &asked.sort_by else { return Ok(vec![None; kinds.len()]) };
    if matches!(asked.page, Page::Cursor { .. }) {
        let detail = "sortBy and cursor do not go together: cursors follow the order of creation";
        return Err(Error::invalid_value(detail));
    }
    let paths: Vec<_> = kinds.iter().map(|kind| kind.resource_type().resolve(name.trim())).collect();
    if let Some(Err(error)) = paths.first().filter(|_| paths.iter().all(Result::is_err)) {
        return Err(Error::invalid_value(format!("sortBy cannot be used: {error}")));
    }
    let descending = asked.sort_order == SortOrder::Descending;
    Ok(paths.into_iter().map(|path| path.ok().map(|path| SortBy { path, descending })).collect())
}

/// What a window onto one kind shows.
struct Part {
    total: u64,
    resources: Vec<Shown>,
    next: Option<Cursor>,
}

/// A resource that was found.
enum Shown {
    Kept(StoredResource),
    Offered(Map<String, Value>),
}

impl Source {
    async fn find(&self, call: &Call<'_>, window: Window) -> Result<Part, Failure> {
        let kind = match self.kind {
            Kind::Kept(kind) => kind,
            Kind::Offered(listing) => return Ok(self.find_offers(call, listing, &window)),
        };
        let query = Query {
            kind,
            filter: self.filter.clone(),
            sort: self.sort.clone(),
            window,
            with_members: self.projection.names(resource_type(kind), "members"),
        };
        let page = call.door.directory.find(&call.caller.tenant, &query).await?;
        let resources = page.resources.into_iter().map(Shown::Kept).collect();
        Ok(Part { total: page.total, resources, next: page.next })
    }

    fn find_offers(&self, call: &Call<'_>, listing: Listing, window: &Window) -> Part {
        let (offset, count, walks) = match window {
            Window::Index { offset, count } => (*offset, *count, false),
            Window::Cursor { after, count } => (after.map_or(0, |Cursor(after)| after), *count, true),
        };
        let sought = offers::Sought { filter: self.filter.as_ref(), sort: self.sort.as_ref() };
        let (total, page) = offers::page(call, listing, &self.offers, sought, offset, u64::from(count));
        let end = offset.saturating_add(page.len() as u64);
        let next = (walks && !page.is_empty() && end < total).then_some(Cursor(end));
        Part { total, resources: page.into_iter().map(Shown::Offered).collect(), next }
    }
}

fn window_size(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A page, before it is shown.
struct Found {
    total: u64,
    /// Each with its place in the sources.
    resources: Vec<(usize, Shown)>,
    place: Place,
}

enum Place {
    /// As the client counts.
    Index(u64),
    Cursor {
        next: Option<String>,
    },
}

async fn by_index(call: &Call<'_>, sources: &[Source], offset: u64, count: u32) -> Result<Found, Failure> {
    let first = if call.client.settings.zero_based_index { offset } else { offset.saturating_add(1) };
    let mut found = Found { total: 0, resources: Vec::new(), place: Place::Index(first) };
    for (place, source) in sources.iter().enumerate() {
        let window = Window::Index {
            offset: offset.saturating_sub(found.total),
            count: count.saturating_sub(window_size(found.resources.len() as u64)),
        };
        let page = source.find(call, window).await?;
        found.total += page.total;
        found.resources.extend(page.resources.into_iter().map(|resource| (place, resource)));
    }
    Ok(found)
}

async fn by_cursor(
    call: &Call<'_>,
    sources: &[Source],
    bound: Bound<'_>,
    cursor: Option<&str>,
    count: u32,
) -> Result<Found, Failure> {
    let (door, now) = (call.door, call.door.clock.now());
    let start = match cursor {
        Some(text) => door.cursors.read(text, bound, now)?,
        None => Position { source: 0, after: 0 },
    };
    let mut found = Found { total: 0, resources: Vec::new(), place: Place::Cursor { next: None } };
    let mut next = None;
    for (place, source) in (0_u8..).zip(sources) {
        let room = count.saturating_sub(window_size(found.resources.len() as u64));
        let walked = place >= start.source && room > 0 && next.is_none();
        let after = if place == start.source { start.after } else { 0 };
        let window = if walked {
            Window::Cursor { after: (after > 0).then_some(Cursor(after)), count: room }
        } else {
            Window::Index { offset: 0, count: 0 }
        };
        let page = source.find(call, window).await?;
        found.total += page.total;
        if walked {
            next = page.next.map(|Cursor(after)| Position { source: place, after });
        } else if place > start.source && next.is_none() && page.total > 0 {
            // The page became full at the end of the kind before.
            next = Some(Position { source: place, after: 0 });
        }
        found.resources.extend(page.resources.into_iter().map(|resource| (usize::from(place), resource)));
    }
    found.place = Place::Cursor { next: next.map(|position| door.cursors.write(position, bound, now)) };
    Ok(found)
}

/// The list as JSON. The resources are written behind the rest of the message, whose last member they are.
fn show(call: &Call<'_>, sources: &[Source], found: Found) -> Result<Vec<u8>, Error> {
    let count = found.resources.len() as u64;
    let mut head: ListResponse<()> = match found.place {
        Place::Index(first) => ListResponse::page(found.total, first, vec![]),
        Place::Cursor { next } => ListResponse::cursor_page(Some(found.total), vec![], next, None),
    };
    head.items_per_page = count;
    let mut out = to_json(&head);
    let end = out.split_off(out.len() - "]}".len());
    for (number, (place, resource)) in found.resources.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        let Source { kind, projection, .. } = &sources[*place];
        match resource {
            Shown::Kept(resource) => {
                View::new(&call.base, resource.kind, projection).write(&mut out, resource, Said::NOTHING)?;
            }
            Shown::Offered(document) => {
                out.extend(to_json(&projection.apply(kind.resource_type(), document.clone())));
            }
        }
    }
    out.extend(end);
    Ok(out)
}
