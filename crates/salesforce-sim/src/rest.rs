//! Routes of the data API, the same for plain calls and for parts of a composite call.

use serde_json::json;

use crate::{
    collections, composite, describe,
    errors::Refusal,
    layouts,
    org::Org,
    queries, replication,
    request::{Reply, Request},
    sobjects, sosl,
    users::password,
};

/// Answers a call that changes nothing; `None` if it is one that may.
pub(crate) fn read(org: &Org, request: &Request) -> Option<Reply> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    if let ("POST", ["composite", "sobjects", object]) = (request.method.as_str(), path.as_slice()) {
        return Some(collections::retrieve(org, object, request));
    }
    if let ("POST", ["parameterizedSearch"]) = (request.method.as_str(), path.as_slice()) {
        return Some(sosl::parameterized(org, request));
    }
    if !request.is_get() {
        return None;
    }
    Some(match path.as_slice() {
        [] => describe::resources(org, request),
        ["limits"] => describe::limits(org, request),
        ["limits", "recordCount"] => describe::record_count(org, request),
        ["sobjects"] => describe::global(org, request),
        ["sobjects", object] => describe::info(org, object, request),
        ["sobjects", object, "updated"] => replication::updated(org, object, request),
        ["sobjects", object, "deleted"] => replication::deleted(org, object, request),
        ["sobjects", object, "describe"] => describe::object(org, object, request),
        ["sobjects", object, id, "password"] if is_user(object) => password::read(org, id, request),
        ["sobjects", object, "describe", rest @ ..] => layouts::of_object(org, object, rest, request),
        ["sobjects", object, "quickActions"] => layouts::of_object(org, object, &["quickActions"], request),
        ["recent"] => layouts::recent(org, request),
        // Nothing here was customized: no global actions, tabs, themes or apps.
        ["quickActions" | "tabs"] => Reply::json(200, json!([])),
        ["theme"] => Reply::json(200, json!({"themeItems": []})),
        ["appMenu", "AppSwitcher"] => Reply::json(200, json!({"appMenuItems": []})),
        ["sobjects", object, id] => sobjects::read(org, object, id, request),
        ["sobjects", object, key, value] => sobjects::read_by_key(org, object, key, value, request),
        ["query" | "queryAll", ..] | ["tooling", "query" | "queryAll", ..] => queries::answer(org, request),
        ["search"] => sosl::search(org, request),
        ["parameterizedSearch"] => sosl::parameterized(org, request),
        ["composite"] => composite::resources(request),
        ["composite", "sobjects", object] => collections::retrieve(org, object, request),
        ["composite", "sobjects"] => Refusal::method(&request.method, "POST,PATCH,DELETE").into(),
        ["composite", "graph" | "batch"] | ["composite", "tree", _] => {
            Refusal::method(&request.method, "POST").into()
        }
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
        (["sobjects", object, id, "password"], "POST" | "DELETE") if is_user(object) => {
            password::change(org, id, request)
        }
        (["sobjects", object, _, "password"], method) if is_user(object) => {
            Refusal::method(method, "HEAD,GET,POST,DELETE").into()
        }
        (["sobjects", object, id], "PATCH") => sobjects::update(org, object, id, request),
        (["sobjects", object, id], "DELETE") => sobjects::delete(org, object, id, request),
        (["sobjects", object, key, value], "PATCH") => sobjects::upsert(org, object, key, value, request),
        (["composite"], "POST") => composite::run(org, request),
        (["composite", "graph"], "POST") => composite::run_graphs(org, request),
        (["composite", "batch"], "POST") => composite::run_batch(org, request),
        (["composite", "tree", object], "POST") => composite::run_tree(org, object, request),
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

fn is_user(object: &str) -> bool {
    object.eq_ignore_ascii_case("User")
}

fn allowed(path: &[&str]) -> Option<&'static str> {
    match path {
        ["sobjects", _, _] | ["sobjects", _, _, _] => Some("HEAD,GET,PATCH,DELETE"),
        ["sobjects", _] | ["composite" | "parameterizedSearch"] | ["composite", "sobjects", _] => {
            Some("GET,HEAD,POST")
        }
        ["composite", "graph" | "batch"] | ["composite", "tree", _] => Some("POST"),
        ["composite", "sobjects"] => Some("POST,PATCH,DELETE"),
        ["composite", "sobjects", _, _] => Some("PATCH"),
        []
        | ["limits" | "search" | "query" | "queryAll" | "sobjects", ..]
        | ["tooling", "query" | "queryAll", ..] => Some("GET,HEAD"),
        _ => None,
    }
}

/// What a call takes from the day's allowance.
pub(crate) fn calls(request: &Request) -> usize {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    if path == ["composite", "batch"] { composite::batch_calls(request) } else { 1 }
}
