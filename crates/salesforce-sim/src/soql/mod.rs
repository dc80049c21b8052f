//! SOQL: parse, look up, run, page.
//!
//! [`parse`] reads text into [`ast`], [`resolve`] (with [`filter`] for `WHERE` and [`group`] for `GROUP BY`)
//! looks the names up and makes a [`plan`], [`eval`] and [`aggregate`] run it, [`page`] takes rows and writes
//! them.
//!
//! Not here: `DISTANCE` and `GEOLOCATION`, `convertCurrency`, `WITH DATA CATEGORY`.

mod aggregate;
pub(crate) mod ast;
mod cursors;
mod dates;
mod describe;
pub(crate) mod error;
mod eval;
mod filter;
mod format;
mod function;
mod group;
mod lex;
mod like;
mod page;
pub(crate) mod parse;
mod plan;
pub(crate) mod resolve;
mod viewer;

use std::sync::Arc;

use serde_json::Value;

use crate::{
    cell::Row,
    errors::Refusal,
    ids::Id,
    org::{Actor, Org},
};
use page::Rows;
use plan::{Output, Plan};
use resolve::Asked;

pub(crate) use cursors::Cursors;
pub(crate) use like::like;
pub(crate) use page::{Cut, PAGE, Page};

/// Runs a query and takes its first page.
pub(crate) fn query(org: &Org, text: &str, cut: Cut, deleted: bool) -> Result<Page, Refusal> {
    let plan = Arc::new(prepare(org, text, cut.actor, deleted)?);
    if let Output::Groups(_) = &plan.output {
        return groups(org, plan, cut);
    }
    let slots = eval::matches(org, &plan);
    if let Output::Rows(_) = &plan.output {
        return Ok(page::first(org, plan, slots, cut));
    }
    Ok(Page { rows: Rows::Found(Vec::new()), total: slots.len(), plan, next: None, tooling: false })
}

/// Groups come in one page or not at all.
fn groups(org: &Org, mut plan: Arc<Plan>, cut: Cut) -> Result<Page, Refusal> {
    // LIMIT and OFFSET count groups, not the rows that are grouped.
    let (mut limit, mut offset) = (None, 0);
    if let Some(plan) = Arc::get_mut(&mut plan) {
        limit = plan.limit.take().and_then(|limit| usize::try_from(limit).ok());
        offset = usize::try_from(std::mem::take(&mut plan.offset)).unwrap_or(usize::MAX);
    }
    let slots = eval::matches(org, &plan);
    let Output::Groups(output) = &plan.output else { return Err(error::whole("no groups")) };
    let found = aggregate::groups(org, &plan, output, &slots);
    let found: Vec<_> = found.into_iter().skip(offset).take(limit.unwrap_or(usize::MAX)).collect();
    if found.len() > cut.page {
        let message = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch";
        return Err(Refusal::call(400, "EXCEEDED_ID_LIMIT", message));
    }
    Ok(Page { total: found.len(), rows: Rows::Groups(found), plan, next: None, tooling: false })
}

/// Whether a condition, as it stands behind `WHERE`, is true of a record that no table holds yet.
pub(crate) fn holds(
    org: &Org,
    object: &str,
    condition: &str,
    row: &Row,
    actor: Actor,
) -> Result<bool, Refusal> {
    let plan = prepare(org, &format!("SELECT Id FROM {object} WHERE {condition}"), actor, false)?;
    Ok(eval::is_true(org, &plan, row))
}

/// The records of a query of which something more is true, in one page: what a search shows.
pub(crate) fn select(
    asked: Asked<'_>,
    query: &ast::Query,
    cut: Cut,
    also: impl Fn(&Row) -> bool,
) -> Result<Page, Refusal> {
    let plan = Arc::new(resolve::resolve(asked, query)?);
    if !matches!(plan.output, Output::Rows(_)) {
        return Err(error::whole("A search shows fields, not groups"));
    }
    let mut slots = eval::among(asked.org, &plan, None, also);
    slots.truncate(cut.page);
    Ok(page::first(asked.org, plan, slots, cut))
}

fn prepare(org: &Org, text: &str, actor: Actor, deleted: bool) -> Result<Plan, Refusal> {
    let query = parse::parse(text)?;
    resolve::resolve(Asked { org, text, actor, deleted }, &query)
}

/// Takes the page that a locator such as `01gXX00000abcdefAAA-2000` names.
pub(crate) fn more(org: &Org, locator: &str, actor: Actor) -> Result<Page, Refusal> {
    let invalid = || Refusal::call(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
    let (id, from) = locator.split_once('-').ok_or_else(invalid)?;
    let id = Id::parse(id).ok_or_else(invalid)?;
    let from: usize = from.parse().map_err(|_| invalid())?;
    let cursor = org.cursors.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(id, actor);
    page::later(org, id, &cursor.ok_or_else(invalid)?, from, actor).ok_or_else(invalid)
}

/// What the columns of a query are, without running it.
pub(crate) fn columns(org: &Org, text: &str, actor: Actor) -> Result<Value, Refusal> {
    Ok(describe::columns(&prepare(org, text, actor, false)?))
}

/// How the org would find the rows of a query.
pub(crate) fn explain(org: &Org, text: &str, actor: Actor) -> Result<Value, Refusal> {
    Ok(describe::explain(org, &prepare(org, text, actor, false)?, text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::org_file::OrgFile;

    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("SELECT Id, Username FROM User WHERE ".to_owned()),
            proptest::sample::select(vec![
                "SELECT",
                "FROM",
                "WHERE",
                "AND",
                "OR",
                "NOT",
                "IN",
                "LIKE",
                "ORDER BY",
                "NULLS",
                "LIMIT",
                "OFFSET",
                "(",
                ")",
                ",",
                "=",
                "!=",
                "<",
                ">=",
                "'",
                "'a%'",
                "null",
                "true",
                "Id",
                "User",
                "UserLogin",
                "Profile.Name",
                "Manager.Manager.Id",
                "COUNT()",
                "FIELDS(ALL)",
                "TODAY",
                "LAST_N_DAYS:9",
                "GROUP BY",
                "ROLLUP(",
                "HAVING",
                "COUNT(Id)",
                "CALENDAR_YEAR(CreatedDate)",
                "toLabel(",
                "TYPEOF Owner WHEN User THEN Id END",
                "(SELECT Id FROM Users)",
                "INCLUDES",
                "USING SCOPE mine",
                "Owner.Type",
                "Lead",
                "USD5",
                "2026-01-01T00:00:00Z",
                "1",
                "-5",
                "\\",
                "\n",
            ])
            .prop_map(ToOwned::to_owned),
            any::<String>(),
        ]
    }

    proptest! {
        /// Whatever the query, the answer is a page or a refusal.
        #[test]
        fn no_query_is_a_panic(words in proptest::collection::vec(word(), 0..16)) {
            let org = OrgFile::read(None).unwrap().build(1, 0).unwrap();
            let actor = Actor { user: org.run_as, now: 1_700_000_000_000 };
            match query(&org, &words.join(" "), Cut { page: PAGE, actor }, false) {
                Ok(page) => prop_assert!(page.into_json(66)["done"].is_boolean()),
                Err(refusal) => prop_assert!(refusal.status == 400 && !refusal.message.is_empty()),
            }
        }

        /// Printing forgets nothing: what is printed prints the same again.
        #[test]
        fn a_printed_query_reads_the_same(words in proptest::collection::vec(word(), 0..12)) {
            let text = format!("SELECT Id FROM User WHERE Name = 'a' {}", words.join(" "));
            if let Ok(query) = parse::parse(&text) {
                let printed = query.to_string();
                let again = parse::parse(&printed).map(|query| query.to_string()).map_err(|r| r.message);
                prop_assert_eq!(again, Ok(printed));
            }
        }

        /// A literal that is escaped as the reference says finds the text it was made of.
        #[test]
        fn an_escaped_literal_is_its_text(text in "[a-zA-Z0-9'\"\\\\%_ \u{e9}\u{4e2d}-]{1,40}") {
            let mut org = OrgFile::read(None).unwrap().build(1, 0).unwrap();
            let text = text.trim_end().to_owned();
            prop_assume!(!text.is_empty());
            let f = org.user_fields;
            let user = Arc::clone(&org.table_of("User").object);
            let mut row = org.table(&user).get(org.run_as).map(|row| Row::clone(row)).unwrap();
            row.set(f.last_name, crate::cell::Cell::text(&text));
            org.replace(&user, row);
            let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
            let like = escaped.replace('%', "\\%").replace('_', "\\_");
            let actor = Actor { user: org.run_as, now: 0 };
            for condition in [format!("= '{escaped}'"), format!("LIKE '{like}'"), format!("IN ('{escaped}')")] {
                let soql = format!("SELECT Id FROM User WHERE LastName {condition}");
                let page = query(&org, &soql, Cut { page: PAGE, actor }, false).map_err(|refusal| refusal.message);
                let found = page.map(|page| page.into_json(66)["totalSize"].clone());
                prop_assert_eq!(found, Ok(json!(1)), "{}", soql);
            }
        }
    }
}
