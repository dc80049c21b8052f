//! A corpus of queries over an org that is known by heart: each gives its rows, or its error.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::world::{V, World};

#[derive(Deserialize)]
struct Records {
    record: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    r#ref: String,
    object: String,
    fields: Map<String, Value>,
}

#[derive(Deserialize)]
struct Queries {
    query: Vec<Query>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    soql: String,
    rows: Option<Vec<Vec<Value>>>,
    records: Option<String>,
    count: Option<u64>,
    error: Option<String>,
    ends: Option<String>,
    whole: Option<String>,
}

/// The org of the corpus, and the ids of its records by name.
async fn org() -> (World, HashMap<String, String>) {
    let world = World::from_file(include_str!("org.toml")).await;
    let records: Records = toml::from_str(include_str!("records.toml")).unwrap();
    let mut ids = HashMap::new();
    for record in records.record {
        let body: Map<String, Value> = record
            .fields
            .into_iter()
            .map(|(name, value)| match value.as_str().and_then(|text| ids.get(text.strip_prefix('@')?)) {
                Some(id) => (name, Value::String(String::clone(id))),
                None => (name, value),
            })
            .collect();
        let created =
            world.post(&format!("{V}/sobjects/{}", record.object), Value::Object(body)).await.expect(201);
        ids.insert(record.r#ref, created["id"].as_str().unwrap().to_owned());
    }
    (world, ids)
}

/// Records without `attributes`, and with the names of ids in their place.
fn plain(value: &Value, names: &HashMap<&str, String>) -> Value {
    match value {
        Value::String(text) => {
            names.get(text.as_str()).map_or(value.clone(), |name| Value::String(name.clone()))
        }
        Value::Array(values) => values.iter().map(|value| plain(value, names)).collect(),
        Value::Object(object) => object
            .iter()
            .filter(|(key, _)| *key != "attributes")
            .map(|(key, value)| (key.clone(), plain(value, names)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

async fn check(world: &World, ids: &HashMap<String, String>, query: &Query) -> Result<(), String> {
    let mut soql = query.soql.clone();
    for (name, id) in ids {
        soql = soql.replace(&format!("'@{name}:15'"), &format!("'{}'", &id[..15]));
        soql = soql.replace(&format!("'@{name}'"), &format!("'{id}'"));
    }
    let names: HashMap<&str, String> =
        ids.iter().map(|(name, id)| (id.as_str(), format!("@{name}"))).collect();
    let answer = world.query_answer(&soql).await;
    let body = answer.json();
    if let Some(code) = &query.error {
        let message = body[0]["message"].as_str().unwrap_or_default();
        let fits = answer.status == 400
            && body[0]["errorCode"] == code.as_str()
            && query.ends.as_ref().is_none_or(|end| message.ends_with(end))
            && query.whole.as_ref().is_none_or(|whole| message == whole)
            && (query.ends.is_some() || query.whole.is_some());
        return if fits { Ok(()) } else { Err(body.to_string()) };
    }
    let records = plain(&body["records"], &names);
    // As text: the order of the fields counts.
    let shown = records.to_string();
    let fits = answer.status == 200
        && body["done"] == true
        && query.count.is_none_or(|count| body["totalSize"] == count)
        && query.records.as_ref().is_none_or(|expected| shown == *expected)
        && query.rows.as_ref().is_none_or(|expected| {
            let rows: Vec<Vec<Value>> = records
                .as_array()
                .into_iter()
                .flatten()
                .map(|row| row.as_object().into_iter().flat_map(Map::values).cloned().collect())
                .collect();
            rows == *expected
        })
        && (query.count.is_some() || query.records.is_some() || query.rows.is_some());
    if fits { Ok(()) } else { Err(format!("{} {records} {body}", answer.status)) }
}

async fn check_all(text: &str, at_least: usize) {
    let queries: Queries = toml::from_str(text).unwrap();
    assert!(queries.query.len() >= at_least);
    let (world, ids) = org().await;
    let mut wrong = Vec::new();
    for query in &queries.query {
        if let Err(answer) = check(&world, &ids, query).await {
            wrong.push(format!("{}\n  {answer}", query.soql));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), queries.query.len(), wrong.join("\n"));
}

/// §9: SOQL: parse subset in 2.8, case-insensitive compare, null semantics, `LIKE` escapes, semi-joins.
#[tokio::test]
async fn conditions_find_their_rows() {
    check_all(include_str!("where.toml"), 60).await;
}

/// §9: relationship paths, ORDER BY NULLS, LIMIT/OFFSET, `FIELDS()`; response uses canonical case.
#[tokio::test]
async fn selections_show_their_fields() {
    check_all(include_str!("select.toml"), 40).await;
}

/// §9: COUNT.
#[tokio::test]
async fn groups_have_their_sums() {
    check_all(include_str!("group.toml"), 20).await;
}

/// §9: caret error messages.
#[tokio::test]
async fn wrong_queries_have_their_errors() {
    check_all(include_str!("errors.toml"), 80).await;
}

/// §9: 100k/4k limits.
#[tokio::test]
async fn a_query_has_at_most_100000_characters() {
    let world = World::start().await;
    let query = async |n: usize| {
        let list = vec!["'a'"; n / 4].join(",");
        let soql = format!("SELECT Id FROM User WHERE Title IN ({list})");
        let url = format!("{V}/query?q={}", soql.replace(' ', "+"));
        let part = serde_json::json!({"method": "GET", "referenceId": "q", "url": url});
        let body = serde_json::json!({"compositeRequest": [part]});
        world.post(&format!("{V}/composite"), body).await.expect(200)["compositeResponse"][0].clone()
    };
    assert_eq!(query(90_000).await["httpStatusCode"], 200);
    let long = query(100_000).await;
    assert_eq!(long["httpStatusCode"], 400);
    assert_eq!(long["body"][0]["errorCode"], "MALFORMED_QUERY");
    assert_eq!(long["body"][0]["message"], "SOQL statements cannot be longer than 100000 characters.");
}
