//! Queries, all pages of them (REST API Developer Guide, "Query").

use reqwest::Method;
use salesforce_types::Refusal;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    CallError, Org,
    answer::{Trouble, refusal_in, refused},
    org::Purpose,
    soql::Query,
    transport::Request,
};

/// The most rows that one query may bring. What needs more reads in slices, by id or time.
pub const MAX_ROWS: usize = 50_000;

/// Salesforce takes URLs of up to 16,384 bytes; the host and the path need some of them.
const MAX_URL: usize = 15_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    records: Vec<Map<String, Value>>,
    #[serde(default)]
    next_records_url: Option<String>,
}

impl Org {
    /// Runs a query and brings all its rows, without their `attributes`.
    ///
    /// # Errors
    ///
    /// More than [`MAX_ROWS`] rows are refused with `OPERATION_TOO_LARGE`; nothing is cut off in silence.
    pub async fn query(
        &self,
        query: &Query,
        purpose: Purpose<'_>,
    ) -> Result<Vec<Map<String, Value>>, CallError> {
        let object = query.object().as_str();
        let mut page = self.first_page(query, object, purpose).await?;
        let mut rows = Vec::new();
        loop {
            rows.append(&mut page.records);
            if rows.len() > MAX_ROWS {
                return Err(too_large());
            }
            let Some(next) = page.next_records_url else { break };
            // It comes from the org, but the token goes where it points.
            if !next.starts_with("/services/data/") {
                return Err(CallError::not_sent("the next page of a query is not where pages are"));
            }
            let answer = self.fetch(&Request::get(purpose, object, next), purpose).await?;
            page = parse(&answer.body)?;
        }
        for row in &mut rows {
            row.shift_remove("attributes");
        }
        Ok(rows)
    }

    async fn first_page(&self, query: &Query, object: &str, purpose: Purpose<'_>) -> Result<Page, CallError> {
        let soql: String = url::form_urlencoded::byte_serialize(query.to_string().as_bytes()).collect();
        let path = self.path(&format!("/query?q={soql}"));
        if path.len() > MAX_URL {
            return self.first_page_by_post(path, object, purpose).await;
        }
        let answer = self.fetch(&Request::get(purpose, object, path), purpose).await?;
        parse(&answer.body)
    }

    /// There is no POST for queries; inside a Composite the URL may be as long as it likes.
    async fn first_page_by_post(
        &self,
        path: String,
        object: &str,
        purpose: Purpose<'_>,
    ) -> Result<Page, CallError> {
        let item = json!({ "method": "GET", "url": path, "referenceId": "query" });
        let request = Request {
            method: Method::POST,
            body: Some(json!({ "compositeRequest": [item] }).to_string().into_bytes()),
            ..Request::get(purpose, object, self.path("/composite"))
        };
        let answer = self.fetch(&request, purpose).await?;
        let mut answer: Value = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
        let item = answer["compositeResponse"][0].take();
        let status =
            item["httpStatusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(500);
        if (200..300).contains(&status) {
            return Page::deserialize(&item["body"]).map_err(|_| unreadable());
        }
        let trouble = refusal_in(status, &item["body"])
            .map_or_else(|| Trouble::Unclear { why: format!("status {status} in a Composite") }, refused);
        Err(trouble.give_up(false))
    }
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
    })
}
