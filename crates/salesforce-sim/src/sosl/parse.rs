//! Searches as they are sent: SOSL, parameters, or a JSON body.

use serde_json::Value;

use super::{
    Group,
    term::{Term, Wrong},
};
use crate::{
    errors::Refusal,
    soql::{
        ast::{Alias, Expr, Name, Query, Select},
        error::Spot,
        parse::{Parser, parse},
    },
};

pub(super) struct Search {
    pub(super) term: Term,
    pub(super) group: Group,
    /// What each object shows, with the text that errors echo if it is not the search itself.
    pub(super) returning: Vec<(Option<String>, Query)>,
    pub(super) limit: Option<usize>,
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::call(400, "MALFORMED_SEARCH", message)
}

/// The parser of searches counts columns from 0, unlike that of queries (recorded).
fn malformed_at(text: &str, at: usize, reason: &str) -> Refusal {
    Spot::new(text, at.saturating_sub(1)).refusal("MALFORMED_SEARCH", reason)
}

/// `FIND {ada*} IN EMAIL FIELDS RETURNING User(Id, Username WHERE IsActive = true), Contact LIMIT 20`
pub(super) fn sosl(text: &str) -> Result<Search, Refusal> {
    let no_term = || malformed("No search term found. The search term must be enclosed in braces.");
    let start = text.len() - text.trim_start().len();
    let rest = &text[start..];
    let find = rest.get(..4).filter(|word| word.eq_ignore_ascii_case("FIND")).ok_or_else(no_term)?;
    let open = rest[find.len()..].find(|c: char| !c.is_whitespace()).map(|at| start + find.len() + at);
    let open = open.filter(|at| text[*at..].starts_with('{')).ok_or_else(no_term)?;
    let close = close(text, open + 1).ok_or_else(no_term)?;
    let term = term(&text[open + 1..close]).map_err(|wrong| match wrong {
        Wrong::Character(at, c) => {
            let column = text[..=open].chars().count() + at;
            let reason = format!("line 1:{column} mismatched character '{c}' expecting '}}'");
            let place = text.char_indices().nth(column).map_or(text.len(), |(at, _)| at);
            malformed_at(text, place, &reason)
        }
        other => refusal(&other),
    })?;
    let mut search = Search { term, group: Group::All, returning: Vec::new(), limit: None };
    clauses(text, close + 1, &mut search).map_err(|refusal| match refusal.code.as_ref() {
        "MALFORMED_QUERY" => Refusal { code: "MALFORMED_SEARCH".into(), ..refusal },
        _ => refusal,
    })?;
    Ok(search)
}

/// The brace that ends the term: the first that no backslash stands before.
fn close(text: &str, from: usize) -> Option<usize> {
    let mut escaped = false;
    text[from..].char_indices().find_map(|(at, c)| {
        let ends = c == '}' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(from + at)
    })
}

fn term(text: &str) -> Result<Term, Wrong> {
    Term::parse(text)
}

fn refusal(wrong: &Wrong) -> Refusal {
    match wrong {
        Wrong::TooShort(word) => malformed(format!("search term must be longer than one character: {word}")),
        Wrong::Character(_, c) => malformed(format!("mismatched character '{c}' expecting '}}'")),
        Wrong::Incomplete => malformed("Malformed search term"),
    }
}

fn clauses(text: &str, from: usize, search: &mut Search) -> Result<(), Refusal> {
    let mut parser = Parser::new(text, from)?;
    if parser.word("IN") {
        let at = parser.peek().at;
        let bad = |parser: &Parser<'_>| {
            let token = parser.peek();
            malformed_at(text, token.at, &format!("Malformed search token: {}", token.shown()))
        };
        let name = parser.name()?;
        let group = Group::parse(&name.text);
        search.group =
            group.ok_or_else(|| malformed_at(text, at, &format!("Malformed search token: {}", name.text)))?;
        if !parser.word("FIELDS") {
            return Err(bad(&parser));
        }
    }
    if parser.word("RETURNING") {
        loop {
            search.returning.push((None, returning(&mut parser)?));
            if !parser.sign(",") {
                break;
            }
        }
    }
    if parser.word("LIMIT") {
        search.limit = usize::try_from(parser.number()?).ok();
    }
    parser.end()
}

fn returning(parser: &mut Parser<'_>) -> Result<Query, Refusal> {
    let from = parser.name()?;
    let mut query = with(&from);
    if parser.sign("(") {
        query.select = parser.select_list()?;
        parser.filters(&mut query)?;
        parser.expect_sign(")")?;
    }
    Ok(query)
}

/// The query that shows the ids of an object.
fn with(from: &Name) -> Query {
    let id = Expr { functions: Vec::new(), name: Name { text: "Id".into(), at: from.at }, at: from.at };
    Query {
        select: vec![Select::Value(id, None)],
        from: from.clone(),
        aliases: vec![Alias { path: from.clone(), alias: None }],
        scope: None,
        condition: None,
        grouping: None,
        order: Vec::new(),
        limit: None,
        offset: None,
    }
}

pub(super) fn ids_of(object: &str) -> (Option<String>, Query) {
    (None, with(&Name { text: object.to_owned(), at: 0 }))
}

/// `{"q": "ada", "in": "EMAIL", "fields": ["Id"], "sobjects": [{"name": "User", "limit": 10}]}`
pub(super) fn body(body: &Value) -> Result<Search, Refusal> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_u64);
    let list = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
    };
    let fields = |value: &Value| value.get("fields").map(list).unwrap_or_default();
    let common = fields(body);
    let default = number(body, "defaultLimit");
    let mut objects = Vec::new();
    for object in body.get("sobjects").and_then(Value::as_array).into_iter().flatten() {
        let name = text(object, "name").ok_or_else(|| malformed("sobjects: name is missing"))?;
        let own = fields(object);
        objects.push(Shown {
            name,
            fields: if own.is_empty() { common.clone() } else { own },
            condition: text(object, "where"),
            order: text(object, "orderBy"),
            limit: number(object, "limit").or(default),
        });
    }
    search(text(body, "q"), text(body, "in"), &objects, number(body, "overallLimit"))
}

/// `?q=ada&sobject=User&User.fields=Id,Username&User.limit=10&in=EMAIL`
pub(super) fn parameters(query: &[(String, String)]) -> Result<Search, Refusal> {
    let get = |key: &str| {
        query.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.clone())
    };
    let list = |text: String| text.split(',').map(|field| field.trim().to_owned()).collect::<Vec<_>>();
    let number = |key: &str| get(key).and_then(|text| text.parse().ok());
    let common = get("fields").map(list).unwrap_or_default();
    let named = query.iter().filter(|(name, _)| name.eq_ignore_ascii_case("sobject"));
    let objects: Vec<Shown> = named
        .map(|(_, name)| Shown {
            name: name.clone(),
            fields: get(&format!("{name}.fields")).map_or_else(|| common.clone(), list),
            condition: get(&format!("{name}.where")),
            order: get(&format!("{name}.orderBy")),
            limit: number(&format!("{name}.limit")).or_else(|| number("defaultLimit")),
        })
        .collect();
    search(get("q"), get("in"), &objects, number("overallLimit"))
}

/// What an object shows of the records that are found.
struct Shown {
    name: String,
    fields: Vec<String>,
    condition: Option<String>,
    order: Option<String>,
    limit: Option<u64>,
}

fn search(
    q: Option<String>,
    group: Option<String>,
    objects: &[Shown],
    limit: Option<u64>,
) -> Result<Search, Refusal> {
    let q = q.ok_or_else(|| malformed("A search string has to be specified"))?;
    let term = term(&q).map_err(|wrong| refusal(&wrong))?;
    let group = match group {
        None => Group::All,
        Some(group) => {
            let word = group.split_whitespace().next().unwrap_or_default();
            Group::parse(word).ok_or_else(|| malformed(format!("Malformed search token: {group}")))?
        }
    };
    let mut returning = Vec::new();
    for object in objects {
        let fields = if object.fields.is_empty() { "Id".to_owned() } else { object.fields.join(", ") };
        let clause = |name: &str, value: Option<String>| value.map(|value| format!(" {name} {value}"));
        let clauses = [
            clause("WHERE", object.condition.clone()),
            clause("ORDER BY", object.order.clone()),
            clause("LIMIT", object.limit.map(|limit| limit.to_string())),
        ];
        let clauses: String = clauses.into_iter().flatten().collect();
        let text = format!("SELECT {fields} FROM {}{clauses}", object.name);
        let query = parse(&text)?;
        returning.push((Some(text), query));
    }
    Ok(Search { term, group, returning, limit: limit.and_then(|limit| usize::try_from(limit).ok()) })
}
