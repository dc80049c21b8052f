//! SOSL: words in the text of records, over several objects.
//!
//! Not here: `WITH` (divisions, data categories, snippets), list views, stemming, synonyms and ranking:
//! records come by object and by age.

mod parse;
mod term;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    cell::Row,
    errors::Refusal,
    org::{Actor, Org},
    request::{Reply, Request},
    schema::{Field, Kind, Object},
    soql::{self, Cut, ast::Query, resolve::Asked},
};
use parse::Search;
use term::Term;

/// More records than this are not found.
const MOST: usize = 2_000;

/// `IN NAME FIELDS`: which fields are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    All,
    Name,
    Email,
    Phone,
}

impl Group {
    fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_uppercase().as_str() {
            "ALL" | "SIDEBAR" => Self::All,
            "NAME" => Self::Name,
            "EMAIL" => Self::Email,
            "PHONE" => Self::Phone,
            _ => return None,
        })
    }

    fn has(self, field: &Field) -> bool {
        match self {
            Self::All => field.kind.is_text() && field.kind != Kind::Picklist,
            Self::Name => matches!(
                field.name.as_str(),
                "Name" | "FirstName" | "LastName" | "MiddleName" | "CommunityNickname"
            ),
            Self::Email => field.kind == Kind::Email || field.name == "Username",
            Self::Phone => field.kind == Kind::Phone,
        }
    }
}

/// `GET /search?q=FIND {...}`
pub(crate) fn search(org: &Org, request: &Request) -> Reply {
    let Some(text) = request.parameter("q") else {
        return Refusal::call(400, "MALFORMED_SEARCH", "A search string has to be specified").into();
    };
    reply(org, request, text, parse::sosl(text))
}

/// `GET` and `POST /parameterizedSearch`
pub(crate) fn parameterized(org: &Org, request: &Request) -> Reply {
    let search = match &request.body {
        Some(body) => parse::body(body),
        None => parse::parameters(&request.query),
    };
    reply(org, request, "", search)
}

fn reply(org: &Org, request: &Request, text: &str, search: Result<Search, Refusal>) -> Reply {
    match search.and_then(|search| run(org, request, text, search)) {
        Ok(records) => Reply::json(200, json!({"searchRecords": records})),
        Err(refusal) => refusal.into(),
    }
}

fn run(org: &Org, request: &Request, text: &str, mut search: Search) -> Result<Vec<Value>, Refusal> {
    if search.returning.is_empty() {
        let searchable = org.schema.objects.iter().filter(|object| object.searchable && object.queryable);
        search.returning = searchable.map(|object| parse::ids_of(&object.name)).collect();
    }
    let limit = search.limit.unwrap_or(MOST).min(MOST);
    let mut records = Vec::new();
    for (own_text, query) in &search.returning {
        let text = own_text.as_deref().unwrap_or(text);
        records.extend(of_object(org, request, text, query, &search)?);
    }
    records.truncate(limit);
    Ok(records)
}

fn of_object(
    org: &Org,
    request: &Request,
    text: &str,
    query: &Query,
    search: &Search,
) -> Result<Vec<Value>, Refusal> {
    let object = org.schema.object(&query.from.text);
    if let Some(object) = object.filter(|object| !object.searchable) {
        let message = format!("entity type {} does not support search", object.name);
        return Err(Refusal::call(400, "INVALID_TYPE_FOR_OPERATION", message));
    }
    let Some(object) = object else { return Err(soql::resolve::no_such_object(text, &query.from)) };
    let fields: Vec<usize> =
        object.visible_fields().filter(|field| search.group.has(field)).map(|field| field.index).collect();
    let indexed = Indexed::of(org, object, request.actor);
    let matches = |row: &Row| indexed.has(row) && found(&search.term, row, &fields);
    let asked = Asked { org, text, actor: request.actor, deleted: false };
    let cut = Cut { page: MOST, actor: request.actor };
    Ok(soql::select(asked, query, cut, matches)?.into_records(request.version))
}

/// Whether the words of a term stand in the fields, each in any of them.
fn found(term: &Term, row: &Row, fields: &[usize]) -> bool {
    let texts: Vec<Vec<String>> =
        fields.iter().filter_map(|field| row.get(*field).as_text()).map(term::words).collect();
    term.holds(&texts)
}

/// What the search index has seen yet: it follows the records by a while.
struct Indexed {
    modified: Option<usize>,
    until: i64,
}

impl Indexed {
    fn of(org: &Org, object: &Arc<Object>, actor: Actor) -> Self {
        let delay = i64::try_from(org.switches.search_index_delay_seconds).unwrap_or(i64::MAX);
        Self {
            modified: object.field("SystemModstamp").map(|field| field.index),
            until: actor.now.saturating_sub(delay.saturating_mul(1_000)),
        }
    }

    fn has(&self, row: &Row) -> bool {
        match self.modified.map(|field| row.get(field)) {
            Some(crate::cell::Cell::Time(at)) => *at <= self.until,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the search, it is read or refused.
        #[test]
        fn no_search_is_a_panic(term in any::<String>(), rest in "[A-Za-z(){}, 0-9='.*]{0,40}") {
            for text in [format!("FIND {{{term}}} {rest}"), term.clone(), format!("FIND {{ada}} RETURNING {rest}")] {
                if let Err(refusal) = parse::sosl(&text) {
                    prop_assert!(refusal.status == 400 && !refusal.message.is_empty());
                }
            }
        }
    }
}
