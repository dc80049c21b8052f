//! Queries, all pages of them (REST API Developer Guide, "Query").

use reqwest::Method;
use salesforce_types::Refusal;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    CallError, Org,
    answer::{Trouble, refusal_in, refused},
    org::Purpose,
    soql::{Condition, Field, Literal, Query},
    transport::{Body, Request},
};

/// The most rows that one query may bring. What needs more reads in slices, by id or time.
pub const MAX_ROWS: usize = 50_000;

/// Salesforce takes URLs of up to 16,384 bytes; the host and the path need some of them.
const MAX_URL: usize = 15_000;

/// Values of one `IN` list: where each has one row, they come in one page.
const MAX_VALUES: usize = 2_000;
/// Characters of one `IN` list. A whole statement may have 100,000 (SOQL and SOSL Reference, "Limits").
const MAX_LIST: usize = 80_000;
/// Queries in one Composite (REST API Developer Guide, "Composite").
const MAX_QUERIES: usize = 5;

/// A row, without its `attributes`.
pub(crate) type Row = Map<String, Value>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    records: Vec<Row>,
    #[serde(default)]
    next_records_url: Option<String>,
    /// Rows of all pages; all that a count brings.
    #[serde(default)]
    total_size: u64,
}

impl Org {
    /// Runs a query and brings all its rows, without their `attributes`.
    ///
    /// # Errors
    ///
    /// More than [`MAX_ROWS`] rows are refused with `OPERATION_TOO_LARGE`; nothing is cut off in silence.
    pub async fn query(&self, query: &Query, purpose: Purpose<'_>) -> Result<Vec<Row>, CallError> {
        let object = query.object().as_str();
        let path = self.query_path(query);
        let mut rows = Vec::new();
        if path.len() > MAX_URL {
            for page in self.pages(&[path], object, purpose).await? {
                self.read_on(page?, object, purpose, &mut rows).await?;
            }
        } else {
            let answer = self.fetch(&Request::get(purpose, object, path), purpose).await?;
            self.read_on(parse(&answer.body)?, object, purpose, &mut rows).await?;
        }
        Ok(rows)
    }

    /// The rows of a query whose `field` has one of many values, in no order. Thousands of values fit in one call.
    ///
    /// # Errors
    ///
    /// As [`Org::query`].
    pub async fn query_in<V: Into<Literal>>(
        &self,
        query: &Query,
        field: &str,
        values: impl IntoIterator<Item = V>,
        purpose: Purpose<'_>,
    ) -> Result<Vec<Row>, CallError> {
        let field = Field::new(field)?;
        let values = values.into_iter().map(Into::into).collect();
        let queries: Vec<Query> =
            lists(values).map(|list| query.clone().where_(Condition::In(field.clone(), list))).collect();
        if let [query] = queries.as_slice() {
            return self.query(query, purpose).await;
        }
        let object = query.object().as_str();
        let mut rows = Vec::new();
        for queries in queries.chunks(MAX_QUERIES) {
            let paths: Vec<String> = queries.iter().map(|query| self.query_path(query)).collect();
            for page in self.pages(&paths, object, purpose).await? {
                self.read_on(page?, object, purpose, &mut rows).await?;
            }
        }
        Ok(rows)
    }

    /// Runs queries of several objects, five in a call. Of each all rows, or why Salesforce would not run that one.
    ///
    /// # Errors
    ///
    /// Only where nothing is known of a query: the call failed, or one of them has to be asked again later.
    pub(crate) async fn query_each(
        &self,
        queries: &[Query],
        purpose: Purpose<'_>,
    ) -> Result<Vec<Result<Vec<Row>, Refusal>>, CallError> {
        let mut answers = Vec::with_capacity(queries.len());
        for queries in queries.chunks(MAX_QUERIES) {
            let paths: Vec<String> = queries.iter().map(|query| self.query_path(query)).collect();
            let pages = self.pages(&paths, "composite", purpose).await?;
            for (page, query) in pages.into_iter().zip(queries) {
                let mut rows = Vec::new();
                let read = match page {
                    Ok(page) => self.read_on(page, query.object().as_str(), purpose, &mut rows).await,
                    Err(error) => Err(error),
                };
                answers.push(match read {
                    Ok(()) => Ok(rows),
                    Err(CallError::Refused(refusal)) => Err(refusal),
                    Err(error) => return Err(error),
                });
            }
        }
        Ok(answers)
    }

    /// How many rows each of these queries would bring, five queries in a call; or why Salesforce would not run that one.
    ///
    /// # Errors
    ///
    /// Only where nothing is known of a query: the call failed, or one of them has to be asked again later.
    pub async fn count(
        &self,
        queries: &[Query],
        purpose: Purpose<'_>,
    ) -> Result<Vec<Result<u64, Refusal>>, CallError> {
        let mut counts = Vec::with_capacity(queries.len());
        for queries in queries.chunks(MAX_QUERIES) {
            let paths: Vec<String> =
                queries.iter().map(|query| self.query_path(&query.clone().counting())).collect();
            for page in self.pages(&paths, "composite", purpose).await? {
                counts.push(match page {
                    Ok(page) => Ok(page.total_size),
                    Err(CallError::Refused(refusal)) => Err(refusal),
                    Err(error) => return Err(error),
                });
            }
        }
        Ok(counts)
    }

    fn query_path(&self, query: &Query) -> String {
        let soql: String = url::form_urlencoded::byte_serialize(query.to_string().as_bytes()).collect();
        self.path(&format!("/query?q={soql}"))
    }

    /// Takes the rows of a page and of all that come after it.
    async fn read_on(
        &self,
        mut page: Page,
        object: &str,
        purpose: Purpose<'_>,
        rows: &mut Vec<Row>,
    ) -> Result<(), CallError> {
        loop {
            for row in &mut page.records {
                row.shift_remove("attributes");
            }
            rows.append(&mut page.records);
            if rows.len() > MAX_ROWS {
                return Err(too_large());
            }
            let Some(next) = page.next_records_url else { return Ok(()) };
            // It comes from the org, but the token goes where it points.
            if !next.starts_with("/services/data/") {
                return Err(CallError::not_sent("the next page of a query is not where pages are"));
            }
            let answer = self.fetch(&Request::get(purpose, object, next), purpose).await?;
            page = parse(&answer.body)?;
        }
    }

    /// The first pages of some queries in one call. There is no POST for queries; inside a Composite a URL may be as long as
    /// it likes.
    async fn pages(
        &self,
        paths: &[String],
        object: &str,
        purpose: Purpose<'_>,
    ) -> Result<Vec<Result<Page, CallError>>, CallError> {
        let item = |(at, path): (usize, &String)| json!({ "method": "GET", "url": path, "referenceId": format!("query{at}") });
        let items: Vec<Value> = paths.iter().enumerate().map(item).collect();
        let request = Request {
            method: Method::POST,
            body: Body::Json(json!({ "compositeRequest": items }).to_string().into_bytes()),
            ..Request::get(purpose, object, self.path("/composite"))
        };
        let answer = self.fetch(&request, purpose).await?;
        let answer: Value = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
        let items = answer["compositeResponse"].as_array().filter(|items| items.len() == paths.len());
        Ok(items.ok_or_else(unreadable)?.iter().map(page_of).collect())
    }
}

fn page_of(item: &Value) -> Result<Page, CallError> {
    let status = item["httpStatusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(500);
    if (200..300).contains(&status) {
        return Page::deserialize(&item["body"]).map_err(|_| unreadable());
    }
    let trouble = refusal_in(status, &item["body"])
        .map_or_else(|| Trouble::Unclear { why: format!("status {status} in a Composite") }, refused);
    Err(trouble.give_up(false))
}

/// Values in lists that a statement has room for.
fn lists(values: Vec<Literal>) -> impl Iterator<Item = Vec<Literal>> {
    let mut values = values.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut list = Vec::new();
        let mut length = 0;
        while let Some(value) = values.peek() {
            length += value.to_string().len() + 2;
            if list.len() == MAX_VALUES || (length > MAX_LIST && !list.is_empty()) {
                break;
            }
            list.extend(values.next());
        }
        (!list.is_empty()).then_some(list)
    })
}

fn parse(body: &[u8]) -> Result<Page, CallError> {
    // The parser's own words would quote what it read.
    serde_json::from_slice(body).map_err(|_| unreadable())
}

fn unreadable() -> CallError {
    CallError::not_sent("the answer to a query is no page of records")
}

fn too_large() -> CallError {
    CallError::Refused(Refusal {
        status: 400,
        code: "OPERATION_TOO_LARGE".to_owned(),
        message: format!("the query has more than {MAX_ROWS} rows"),
        fields: Vec::new(),
        records: Vec::new(),
    })
}
