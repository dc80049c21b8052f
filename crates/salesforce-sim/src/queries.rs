//! `GET /query`, `/queryAll` and their pages, plain and of the Tooling API.

use serde_json::Value;

use crate::{
    errors::Refusal,
    org::Org,
    request::{Body, Reply, Request},
    soql::{self, Cut, PAGE, Page},
};

/// The smallest page that can be asked for.
const SMALLEST_PAGE: usize = 200;

pub(crate) fn answer(org: &Org, request: &Request) -> Reply {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let (tooling, rest) = match path.as_slice() {
        ["tooling", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let page = match rest {
        [_, locator] => soql::more(org, locator, request.actor),
        ["queryAll"] => query(org, request, true),
        ["query"] => match described(org, request) {
            Some(described) => return described.map_or_else(Into::into, |body| Reply::json(200, body)),
            None => query(org, request, false),
        },
        _ => Err(Refusal::not_found()),
    };
    match page {
        Ok(mut page) => {
            page.tooling = tooling;
            Reply { status: 200, body: Body::Page(Box::new(page), request.version), headers: Vec::new() }
        }
        Err(refusal) => refusal.into(),
    }
}

fn query(org: &Org, request: &Request, deleted: bool) -> Result<Page, Refusal> {
    let Some(text) = request.parameter("q") else {
        return Err(Refusal::call(400, "MALFORMED_QUERY", "A query string has to be specified"));
    };
    soql::query(org, text, Cut { page: page_size(request), actor: request.actor }, deleted)
}

/// A query that is to be explained, or whose columns are asked for.
fn described(org: &Org, request: &Request) -> Option<Result<Value, Refusal>> {
    if let Some(text) = request.parameter("explain") {
        return Some(soql::explain(org, text, request.actor));
    }
    let columns = request.parameter("columns").is_some_and(|wanted| wanted.eq_ignore_ascii_case("true"));
    let text = request.parameter("q").filter(|_| columns)?;
    Some(soql::columns(org, text, request.actor))
}

/// `Sforce-Query-Options: batchSize=500`, from 200 to 2,000.
fn page_size(request: &Request) -> usize {
    let options = request.headers.query_options.as_deref().unwrap_or_default();
    let size = options.split(',').find_map(|option| {
        let (name, size) = option.split_once('=')?;
        name.trim().eq_ignore_ascii_case("batchSize").then(|| size.trim().parse::<usize>().ok())?
    });
    size.map_or(PAGE, |size| size.clamp(SMALLEST_PAGE, PAGE))
}
