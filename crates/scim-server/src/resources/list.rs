//! `GET /Users`, `GET /Groups`, and `GET` of the SCIM root, which searches both.

use actix_web::http::StatusCode;
use model::ResourceKind;
use scim_types::{Error, Filter, ListResponse, Page, Projection, SearchRequest, SortOrder};
use store::{Cursor, Query, SortBy, StoredResource, Window};

use super::everything::{Narrowed, narrow};
use crate::{
    call::{Call, resource_type},
    cursor::{Bound, Position},
    error::Failure,
    query::Search,
    render::{Said, View},
    reply::{Reply, to_json},
};

/// What a request without an endpoint searches, in this order.
const EVERYTHING: [ResourceKind; 2] = [ResourceKind::User, ResourceKind::Group];

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
    kind: ResourceKind,
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
    let kinds = kind.as_ref().map_or(&EVERYTHING[..], std::slice::from_ref);
    let (filters, sorts) = (filters(kinds, asked.filter.as_deref())?, sorts(kinds, asked)?);
    let mut sources = Vec::new();
    for ((kind, filter), sort) in kinds.iter().copied().zip(filters).zip(sorts) {
        let filter = match filter {
            Narrowed::Never => continue,
            Narrowed::Always => None,
            Narrowed::If(filter) => Some(call.filter_with_scim_ids(filter).await?),
        };
        let (attributes, excluded) = (asked.attributes.as_deref(), asked.excluded_attributes.as_deref());
        let projection = Projection::parse(resource_type(kind), attributes, excluded)?;
        sources.push(Source { kind, filter, sort, projection });
    }
    Ok(sources)
}

/// The filter as each kind understands it; one of them has to understand all of it.
fn filters(kinds: &[ResourceKind], text: Option<&str>) -> Result<Vec<Narrowed>, Error> {
    let Some(text) = text else { return Ok(vec![Narrowed::Always; kinds.len()]) };
    let read: Vec<_> = kinds.iter().map(|kind| Filter::parse(text, resource_type(*kind))).collect();
    let Some(whole) = read.iter().find_map(|filter| filter.as_ref().ok()).cloned() else {
        let error = read.into_iter().find_map(Result::err);
        return Err(error.map_or_else(|| Error::invalid_filter("the filter cannot be read"), Error::from));
    };
    let narrowed = read.into_iter().zip(kinds).map(|(filter, kind)| match filter {
        Ok(filter) => Narrowed::If(filter),
        Err(_) => narrow(whole.clone(), resource_type(*kind)),
    });
    Ok(narrowed.collect())
}

/// How each kind is sorted; one of them has to have the attribute.
fn sorts(kinds: &[ResourceKind], asked: &SearchRequest) -> Result<Vec<Option<SortBy>>, Error> {
    let Some(name) = &asked.sort_by else { return Ok(vec![None; kinds.len()]) };
    if matches!(asked.page, Page::Cursor { .. }) {
        let detail = "sortBy and cursor do not go together: cursors follow the order of creation";
        return Err(Error::invalid_value(detail));
    }
    let paths: Vec<_> = kinds.iter().map(|kind| resource_type(*kind).resolve(name.trim())).collect();
    if let Some(Err(error)) = paths.first().filter(|_| paths.iter().all(Result::is_err)) {
        return Err(Error::invalid_value(format!("sortBy cannot be used: {error}")));
    }
    let descending = asked.sort_order == SortOrder::Descending;
    Ok(paths.into_iter().map(|path| path.ok().map(|path| SortBy { path, descending })).collect())
}

impl Source {
    fn query(&self, window: Window) -> Query {
        Query {
            kind: self.kind,
            filter: self.filter.clone(),
            sort: self.sort.clone(),
            window,
            with_members: self.projection.names(resource_type(self.kind), "members"),
        }
    }
}

fn window_size(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A page, before it is shown.
struct Found {
    total: u64,
    /// Each with its place in the sources.
    resources: Vec<(usize, StoredResource)>,
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
        let page = call.door.directory.find(&call.caller.tenant, &source.query(window)).await?;
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
        let page = door.directory.find(&call.caller.tenant, &source.query(window)).await?;
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
        View::new(&call.base, resource.kind, &sources[*place].projection).write(
            &mut out,
            resource,
            Said::NOTHING,
        )?;
    }
    out.extend(end);
    Ok(out)
}
