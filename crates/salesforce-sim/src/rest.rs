//! Routes of the data API, the same for plain calls and for parts of a composite call.

use crate::{
    collections, composite, describe,
    errors::Refusal,
    org::Org,
    replication,
    request::{Body, Reply, Request},
    sobjects, soql,
};

/// Answers a call that changes nothing; `None` if it is one that may.
pub(crate) fn read(org: &Org, request: &Request) -> Option<Reply> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    if let ("POST", ["composite", "sobjects", object]) = (request.method.as_str(), path.as_slice()) {
        return Some(collections::retrieve(org, object, request));
    }
    if !request.is_get() {
        return None;
    }
    Some(match path.as_slice() {
        [] => describe::resources(org, request),
        ["limits"] => describe::limits(request),
        ["limits", "recordCount"] => describe::record_count(org, request),
        ["sobjects"] => describe::global(org, request),
        ["sobjects", object] => describe::info(org, object, request),
        ["sobjects", object, "updated"] => replication::updated(org, object, request),
        ["sobjects", object, "deleted"] => replication::deleted(org, object, request),
        ["sobjects", object, "describe"] => describe::object(org, object, request),
        ["sobjects", object, id] => sobjects::read(org, object, id, request),
        ["sobjects", object, key, value] => sobjects::read_by_key(org, object, key, value, request),
        ["query" | "queryAll"] => query(org, request),
        ["query" | "queryAll", locator] => match soql::more(org, locator, request.actor) {
            Ok(page) => Reply { status: 200, body: page_body(page, request), headers: Vec::new() },
            Err(refusal) => refusal.into(),
        },
        ["composite"] => composite::resources(request),
        ["composite", "sobjects", object] => collections::retrieve(org, object, request),
        ["composite", "sobjects"] => Refusal::method(&request.method, "POST,PATCH,DELETE").into(),
        _ => Refusal::not_found().into(),
    })
}

/// Answers any call.
pub(crate) fn answer(org: &mut Org, request: &Request) -> Reply {
    if let Some(reply) = read(org, request) {
        return reply;
    }
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    match (path.as_slice(), request.method.as_str()) {
        (["sobjects", object] | ["sobjects", object, "Id"], "POST") => sobjects::create(org, object, request),
        (["sobjects", object, id], "PATCH") => sobjects::update(org, object, id, request),
        (["sobjects", object, id], "DELETE") => sobjects::delete(org, object, id, request),
        (["sobjects", object, key, value], "PATCH") => sobjects::upsert(org, object, key, value, request),
        (["composite"], "POST") => composite::run(org, request),
        (["composite", "sobjects"], "POST") => collections::create(org, request),
        (["composite", "sobjects"], "PATCH") => collections::update(org, request),
        (["composite", "sobjects"], "DELETE") => collections::delete(org, request),
        (["composite", "sobjects", object, key], "PATCH") => collections::upsert(org, object, key, request),
        (path, method) => match allowed(path) {
            Some(allowed) => Refusal::method(method, allowed).into(),
            None => Refusal::not_found().into(),
        },
    }
}

fn allowed(path: &[&str]) -> Option<&'static str> {
    match path {
        ["sobjects", _, _] | ["sobjects", _, _, _] => Some("HEAD,GET,PATCH,DELETE"),
        ["sobjects", _] | ["composite"] | ["composite", "sobjects", _] => Some("GET,HEAD,POST"),
        ["composite", "sobjects"] => Some("POST,PATCH,DELETE"),
        ["composite", "sobjects", _, _] => Some("PATCH"),
        [] | ["limits" | "query" | "queryAll" | "sobjects", ..] => Some("GET,HEAD"),
        _ => None,
    }
}

/// How many records a call writes or fetches one by one: what the latency per record is for.
pub(crate) fn records(request: &Request) -> usize {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let array =
        |name: &str| request.body.as_ref().and_then(|body| body.get(name)?.as_array()).map_or(0, Vec::len);
    match path.as_slice() {
        ["sobjects", _] if request.method == "POST" => 1,
        ["sobjects", _, last] if *last != "describe" => 1,
        ["sobjects", _, _, _] => 1,
        ["composite"] => composite::records(request),
        ["composite", "sobjects", ..] => array("records").max(array("ids")),
        _ => 0,
    }
}

fn query(org: &Org, request: &Request) -> Reply {
    let Some(text) = request.parameter("q") else {
        return Refusal::call(400, "MALFORMED_QUERY", "A query string has to be specified").into();
    };
    match soql::query(org, text, request.actor, page_size(request)) {
        Ok(page) => Reply { status: 200, body: page_body(page, request), headers: Vec::new() },
        Err(refusal) => refusal.into(),
    }
}

fn page_body(page: soql::Page, request: &Request) -> Body {
    Body::Page(Box::new(page), request.version)
}

/// `Sforce-Query-Options: batchSize=500`, from 200 to 2,000.
fn page_size(request: &Request) -> usize {
    let options = request.headers.query_options.as_deref().unwrap_or_default();
    let size = options.split(',').find_map(|option| option.trim().strip_prefix("batchSize="));
    size.and_then(|size| size.trim().parse::<usize>().ok())
        .map_or(soql::PAGE, |size| size.clamp(200, soql::PAGE))
}
