//! Which path and method lead where (RFC 7644 §3.2), and what happens to every request before and after.

use std::{borrow::Cow, sync::Arc, time::Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header, header::HeaderName},
    web::Payload,
};
use model::ResourceKind;
use provisioning::Caller;
use scim_types::Error;

use crate::{
    authenticate::authenticate,
    bulk,
    call::Call,
    discovery,
    door::{Door, May},
    error::Failure,
    limits, me, negotiate,
    oauth::Endpoint,
    offers::{self, Listing},
    percent,
    reply::Reply,
    resources,
};

/// Answers a request. Whatever goes wrong on the way is a SCIM Error (C-71).
pub(crate) async fn answer(door: Arc<Door>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let started = Instant::now();
    let mut entry = Entry { id: door.request_id(), ..Entry::default() };
    let reply = enter(&door, &request, payload, &mut entry).await.unwrap_or_else(Reply::from);
    entry.write(&request, &reply, started);
    respond(&door, &request, reply, &entry.id)
}

/// Who, where, how often, which route, whether: in this order, so that a stranger learns nothing about the rest.
async fn enter(
    door: &Door,
    request: &HttpRequest,
    payload: Payload,
    entry: &mut Entry,
) -> Result<Reply, Failure> {
    check_size(request)?;
    let segments = segments(request.path());
    if let Some(endpoint) = Endpoint::find(&segments) {
        entry.route = Endpoint::NAME;
        return Ok(endpoint.answer(door, &origin(door, request), request, payload, &mut entry.caller).await);
    }
    let root = Root::find(&segments).ok_or_else(|| {
        Error::not_found("there is nothing here: SCIM is served at /{customer}/{environment}/scim/v2")
    })?;
    let tenant = door.tenant(root.tenant);
    let client = authenticate(tenant.as_deref(), request.headers(), door.clock.now())?;
    // There is no client without a tenant.
    let Some(tenant) = tenant else { return Err(Error::new(401, "the token is not known here").into()) };
    let whose = client.settings.population.as_ref().unwrap_or(&tenant.id);
    let caller = Caller { tenant: whose.clone(), client: client.settings.name.clone() };
    entry.caller = Some(caller.clone());
    client.bucket.take(door.clock.now()).map_err(Failure::too_many_requests)?;

    let Some(route) = Route::find(root.rest) else {
        return Err(Error::not_found(
            "there is no such endpoint: SCIM has /Users, /Groups, /Entitlements, /Roles, /Bulk, /.search, /Me, \
             /ServiceProviderConfig, /ResourceTypes and /Schemas",
        )
        .into());
    };
    entry.route = route.name();
    let verb = Verb::from(request.method());
    if !route.verbs().contains(&verb) {
        return Err(Failure::method_not_allowed(request.method().as_str(), &route.allowed()));
    }
    if client.settings.may == May::Read && route.changes_with(verb) {
        let detail = "this client may only read: its configuration has to say may = \"write\"";
        return Err(Error::new(403, detail).into());
    }
    let call = Call {
        door,
        caller,
        client: &client,
        base: format!("{}{}", origin(door, request), root.path()),
        salesforce: root.salesforce,
        request,
    };
    handle(&call, &route, verb, payload).await
}

/// All routes.
async fn handle(call: &Call<'_>, route: &Route<'_>, verb: Verb, payload: Payload) -> Result<Reply, Failure> {
    match (route, verb) {
        // resources
        (Route::Collection(kind), Verb::Get) => resources::list(call, Some(*kind)).await,
        (Route::Collection(kind), Verb::Post) => resources::create(call, *kind, payload).await,
        (Route::Resource(kind, id), Verb::Get) => resources::get(call, *kind, id).await,
        (Route::Resource(kind, id), Verb::Put) => resources::replace(call, *kind, id, payload).await,
        (Route::Resource(kind, id), Verb::Patch) => resources::patch(call, *kind, id, payload).await,
        (Route::Resource(kind, id), Verb::Delete) => resources::delete(call, *kind, id).await,
        // searches
        (Route::Root, Verb::Get) => resources::list(call, None).await,
        (Route::Search(kind), Verb::Post) => resources::search(call, *kind, payload).await,
        // what there is to give
        (Route::Offers(listing), Verb::Get) => offers::list(call, *listing).await,
        (Route::Offer(listing, id), Verb::Get) => offers::get(call, *listing, id).await,
        (Route::OfferSearch(listing), Verb::Post) => offers::search(call, *listing, payload).await,
        // many at once
        (Route::Bulk, Verb::Post) => bulk::bulk(call, payload).await,
        // who am I
        (Route::Me, _) => Err(me::me()),
        // what can you do
        (Route::ServiceProviderConfig, Verb::Get) => discovery::service_provider_config(call),
        (Route::ResourceTypes, Verb::Get) => discovery::resource_types(call),
        (Route::ResourceType(name), Verb::Get) => discovery::resource_type(call, name),
        (Route::Schemas, Verb::Get) => discovery::schemas(call),
        (Route::Schema(urn), Verb::Get) => discovery::schema(call, urn),
        (route, _) => Err(Failure::method_not_allowed(call.request.method().as_str(), &route.allowed())),
    }
}

/// What a method asks for. `HEAD` is `GET`; the server leaves the body out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Other,
}

impl From<&Method> for Verb {
    fn from(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::Get,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            _ => Self::Other,
        }
    }
}

/// What a path below the SCIM root names.
#[derive(Debug, PartialEq, Eq)]
enum Route<'p> {
    Root,
    Search(Option<ResourceKind>),
    Collection(ResourceKind),
    Resource(ResourceKind, &'p str),
    Offers(Listing),
    Offer(Listing, &'p str),
    OfferSearch(Listing),
    Bulk,
    Me,
    ServiceProviderConfig,
    ResourceTypes,
    ResourceType(&'p str),
    Schemas,
    Schema(&'p str),
}

impl<'p> Route<'p> {
    /// Names are compared without regard to case (C-2).
    fn find(rest: &'p [Cow<'p, str>]) -> Option<Self> {
        let name = rest.first().map(|name| name.to_ascii_lowercase());
        let name = name.as_deref();
        let kind = match name {
            Some("users") => Some(ResourceKind::User),
            Some("groups") => Some(ResourceKind::Group),
            _ => None,
        };
        let listing = match name {
            Some("entitlements") => Some(Listing::Entitlements),
            Some("roles") => Some(Listing::Roles),
            _ => None,
        };
        let is_search = |part: &str| part.eq_ignore_ascii_case(".search");
        let below = rest.get(1..).unwrap_or_default();
        if let Some(listing) = listing {
            return match below {
                [] => Some(Self::Offers(listing)),
                [last] if is_search(last) => Some(Self::OfferSearch(listing)),
                [id] => Some(Self::Offer(listing, id)),
                _ => None,
            };
        }
        Some(match (name, kind, below) {
            (None, _, []) => Self::Root,
            (Some(".search"), _, []) => Self::Search(None),
            (_, Some(kind), []) => Self::Collection(kind),
            (_, Some(kind), [last]) if is_search(last) => Self::Search(Some(kind)),
            (_, Some(kind), [id]) => Self::Resource(kind, id),
            (Some("bulk"), _, []) => Self::Bulk,
            (Some("me"), _, []) => Self::Me,
            // Salesforce has it in the plural, as SCIM 1.1 had (C-3).
            (Some("serviceproviderconfig" | "serviceproviderconfigs"), _, []) => Self::ServiceProviderConfig,
            (Some("resourcetypes"), _, []) => Self::ResourceTypes,
            (Some("resourcetypes"), _, [name]) => Self::ResourceType(name),
            (Some("schemas"), _, []) => Self::Schemas,
            (Some("schemas"), _, [urn]) => Self::Schema(urn),
            _ => return None,
        })
    }

    fn verbs(&self) -> &'static [Verb] {
        match self {
            Self::Collection(_) => &[Verb::Get, Verb::Post],
            Self::Resource(..) => &[Verb::Get, Verb::Put, Verb::Patch, Verb::Delete],
            Self::Search(_) | Self::OfferSearch(_) | Self::Bulk => &[Verb::Post],
            Self::Me => &[Verb::Get, Verb::Post, Verb::Put, Verb::Patch, Verb::Delete],
            Self::Root
            | Self::Offers(_)
            | Self::Offer(..)
            | Self::ServiceProviderConfig
            | Self::ResourceTypes
            | Self::ResourceType(_)
            | Self::Schemas
            | Self::Schema(_) => &[Verb::Get],
        }
    }

    /// The `Allow` header.
    fn allowed(&self) -> String {
        let names = self.verbs().iter().map(|verb| match verb {
            Verb::Get => "GET, HEAD",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
            Verb::Other => "",
        });
        names.collect::<Vec<_>>().join(", ")
    }

    /// Whether this is a write. A `.search` is none, although it is a `POST`.
    fn changes_with(&self, verb: Verb) -> bool {
        verb != Verb::Get && !matches!(self, Self::Search(_) | Self::OfferSearch(_))
    }

    /// For the log: the path without what is in it.
    fn name(&self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::Search(None) => "/.search",
            Self::Search(Some(ResourceKind::User)) => "/Users/.search",
            Self::Search(Some(ResourceKind::Group)) => "/Groups/.search",
            Self::Collection(ResourceKind::User) => "/Users",
            Self::Collection(ResourceKind::Group) => "/Groups",
            Self::Resource(ResourceKind::User, _) => "/Users/{id}",
            Self::Resource(ResourceKind::Group, _) => "/Groups/{id}",
            Self::Offers(Listing::Entitlements) => "/Entitlements",
            Self::Offers(Listing::Roles) => "/Roles",
            Self::Offer(Listing::Entitlements, _) => "/Entitlements/{id}",
            Self::Offer(Listing::Roles, _) => "/Roles/{id}",
            Self::OfferSearch(Listing::Entitlements) => "/Entitlements/.search",
            Self::OfferSearch(Listing::Roles) => "/Roles/.search",
            Self::Bulk => "/Bulk",
            Self::Me => "/Me",
            Self::ServiceProviderConfig => "/ServiceProviderConfig",
            Self::ResourceTypes => "/ResourceTypes",
            Self::ResourceType(_) => "/ResourceTypes/{name}",
            Self::Schemas => "/Schemas",
            Self::Schema(_) => "/Schemas/{urn}",
        }
    }
}

/// The SCIM root that a path starts with.
#[derive(Debug, PartialEq, Eq)]
struct Root<'p> {
    /// Customer and environment; none on the short paths of the default tenant.
    tenant: Option<(&'p str, &'p str)>,
    /// Whether it is the address for connectors made for Salesforce's own SCIM API.
    salesforce: bool,
    rest: &'p [Cow<'p, str>],
}

impl<'p> Root<'p> {
    fn find(segments: &'p [Cow<'p, str>]) -> Option<Self> {
        let is = |place: usize, name| segments.get(place).is_some_and(|text| text.eq_ignore_ascii_case(name));
        [0, 2].into_iter().find_map(|start| {
            let salesforce = is(start, "services");
            let scim = start + usize::from(salesforce);
            (is(scim, "scim") && is(scim + 1, "v2")).then(|| Self {
                tenant: (start == 2).then(|| (&*segments[0], &*segments[1])),
                salesforce,
                rest: &segments[scim + 2..],
            })
        })
    }

    /// The path of the root in its usual spelling.
    fn path(&self) -> String {
        let address = if self.salesforce { "/services/scim/v2" } else { "/scim/v2" };
        match self.tenant {
            Some((customer, environment)) => format!("/{customer}/{environment}{address}"),
            None => address.to_owned(),
        }
    }
}

/// The parts of a path, decoded. Empty ones are left out: `//Users/` is `/Users` (C-1). One whose encoding is broken is
/// taken as it is; it will be the id of nothing.
fn segments(path: &str) -> Vec<Cow<'_, str>> {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts.map(|part| percent::decode(part).unwrap_or(Cow::Borrowed(part))).collect()
}

fn check_size(request: &HttpRequest) -> Result<(), Error> {
    if request.uri().path_and_query().map_or(0, |target| target.as_str().len()) > limits::TARGET {
        let detail = format!(
            "the URL is longer than {} bytes: put a long filter into a POST to .search",
            limits::TARGET
        );
        return Err(Error::new(414, detail));
    }
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers > limits::HEADERS {
        return Err(Error::new(431, format!("the headers have more than {} bytes", limits::HEADERS)));
    }
    Ok(())
}

/// The scheme and host under which the client knows this server.
fn origin<'d>(door: &'d Door, request: &HttpRequest) -> Cow<'d, str> {
    if let Some(url) = &door.settings.public_url {
        return Cow::Borrowed(url);
    }
    let connection = request.connection_info();
    Cow::Owned(format!("{}://{}", connection.scheme(), connection.host()))
}

/// Turns an answer into HTTP.
fn respond(door: &Door, request: &HttpRequest, reply: Reply, id: &str) -> HttpResponse {
    let mut response = HttpResponse::build(reply.status);
    let is_labelled = reply.headers.iter().any(|(name, _)| name == header::CONTENT_TYPE);
    for (name, value) in reply.headers {
        response.insert_header((name, value));
    }
    response.insert_header((HeaderName::from_static("x-request-id"), id));
    if door.settings.simulated {
        response.insert_header((HeaderName::from_static("x-gangway-simulated"), "true"));
    }
    if reply.body.is_empty() {
        return response.finish();
    }
    if !is_labelled {
        response.insert_header((header::CONTENT_TYPE, negotiate::media_type(request.headers())));
    }
    response.body(reply.body)
}

/// A line of the access log: ids and names from the configuration, nothing that a client sent. No path, because ids may
/// be names, and no query, because filters have them.
#[derive(Default)]
struct Entry {
    id: String,
    caller: Option<Caller>,
    route: &'static str,
}

impl Entry {
    fn write(&self, request: &HttpRequest, reply: &Reply, started: Instant) {
        let caller = self.caller.as_ref();
        tracing::info!(
            request.id = self.id,
            tenant = caller.map(|caller| caller.tenant.as_str()),
            client = caller.map(|caller| caller.client.as_str()),
            method = known_method(request.method()),
            route = self.route,
            status = reply.status.as_u16(),
            duration_ms = started.elapsed().as_secs_f64() * 1_000.0,
            "answered"
        );
    }
}

/// A method may be any word.
fn known_method(method: &Method) -> &str {
    match Verb::from(method) {
        Verb::Other => "other",
        _ => method.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_path_breaks_the_routes(path in "(/scim/v2|/a/b/services/scim/v2|)(/[A-Za-z.%/é]{0,12}){0,4}") {
            let segments = segments(&path);
            if let Some(root) = Root::find(&segments) {
                let again = root.path();
                prop_assert!(again.to_lowercase().ends_with("/scim/v2"));
                if let Some(route) = Route::find(root.rest) {
                    prop_assert!(!route.allowed().is_empty() && !route.name().is_empty());
                }
            }
        }
    }

    /// The root as it is usually spelt, and the route below it.
    fn found(path: &str) -> Option<(String, Option<&'static str>)> {
        let segments = segments(path);
        let root = Root::find(&segments)?;
        Some((root.path(), Route::find(root.rest).map(|route| route.name())))
    }

    fn route(path: &str) -> Option<&'static str> {
        found(path).unwrap().1
    }

    #[test]
    fn c01_the_same_resources_are_under_each_root() {
        for root in ["/scim/v2", "/services/scim/v2", "/acme/prod/scim/v2", "/acme/prod/services/scim/v2"] {
            assert_eq!(found(&format!("{root}/Users")), Some((root.into(), Some("/Users"))));
        }
        let segments = segments("/acme/prod/services/scim/v2");
        let root = Root::find(&segments).unwrap();
        assert_eq!((root.tenant, root.salesforce), (Some(("acme", "prod")), true));
        for path in
            ["/", "/scim", "/scim/v1/Users", "/acme/scim/v2/Users", "/a/b/c/scim/v2/Users", "/Users", "*"]
        {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn c01_empty_parts_of_a_path_do_not_count() {
        for path in ["/scim/v2//Users", "//scim/v2/Users/", "/scim//v2///Users//"] {
            assert_eq!(route(path), Some("/Users"), "{path}");
        }
        assert_eq!(route("/scim/v2/"), Some("/"));
        assert_eq!(route("/scim/v2/Users//r-1/"), Some("/Users/{id}"));
    }

    #[test]
    fn c02_names_are_found_in_any_case() {
        for (path, name) in [
            ("/scim/v2/users", "/Users"),
            ("/SCIM/V2/USERS/x", "/Users/{id}"),
            ("/scim/v2/groups/.SEARCH", "/Groups/.search"),
            ("/scim/v2/entitlements", "/Entitlements"),
            ("/scim/v2/Entitlements/0PS", "/Entitlements/{id}"),
            ("/scim/v2/Entitlements/.search", "/Entitlements/.search"),
            ("/services/scim/v2/ROLES", "/Roles"),
            ("/scim/v2/Roles/00E", "/Roles/{id}"),
            ("/scim/v2/bulk", "/Bulk"),
            ("/scim/v2/ME", "/Me"),
            ("/scim/v2/resourcetypes/User", "/ResourceTypes/{name}"),
            ("/scim/v2/schemas/urn:x", "/Schemas/{urn}"),
            ("/scim/v2/.search", "/.search"),
        ] {
            assert_eq!(route(path), Some(name), "{path}");
        }
    }

    #[test]
    fn c03_the_service_provider_config_is_there_in_the_plural_too() {
        for path in [
            "/scim/v2/ServiceProviderConfig",
            "/scim/v2/ServiceProviderConfigs",
            "/scim/v2/serviceproviderconfigs",
        ] {
            assert_eq!(route(path), Some("/ServiceProviderConfig"), "{path}");
        }
    }

    #[test]
    fn what_is_below_a_route_is_no_route() {
        for path in [
            "/scim/v2/Users/a/b",
            "/scim/v2/Bulk/1",
            "/scim/v2/Roles/a/b",
            "/scim/v2/Me/x",
            "/scim/v2/Devices",
            "/scim/v2/Schemas/a/b",
        ] {
            assert_eq!(route(path), None, "{path}");
        }
    }

    #[test]
    fn c27_an_id_may_be_anything() {
        let id = |path: &str| {
            let segments = segments(path);
            match Route::find(Root::find(&segments).unwrap().rest) {
                Some(Route::Resource(_, id)) => id.to_owned(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(id("/scim/v2/Users/0"), "0");
        assert_eq!(id("/scim/v2/Users/a%2Fb%20c"), "a/b c");
        assert_eq!(id("/scim/v2/Users/100%"), "100%");
        assert_eq!(id("/scim/v2/Users/%FF"), "%FF");
    }
}
