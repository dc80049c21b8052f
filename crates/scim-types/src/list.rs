//! The answer to a query: `ListResponse` (RFC 7644 §3.4.2), and its cursor members (RFC 9865 §2).

use serde::Serialize;

/// The schema URN of a list response.
pub const LIST_RESPONSE_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// One page of results, or all of them.
///
/// `R` is anything that serialises as a resource, so that stored bytes can be passed on as they are
/// (`serde_json::value::RawValue`). No member is ever written as `null`, and `Resources` is always
/// there: `HelloID` and Okta count it (C-15).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListResponse<R> {
    schemas: [&'static str; 1],
    /// How many resources match in all. Absent only on a cursor page whose total nobody counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_results: Option<u64>,
    /// The 1-based place of the first result. Absent on cursor pages, which have no places.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_index: Option<u64>,
    /// How many results this page holds.
    pub items_per_page: u64,
    /// Where the next page starts; absent on the last one (RFC 9865 §2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Where the page before starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_cursor: Option<String>,
    /// The results.
    #[serde(rename = "Resources")]
    pub resources: Vec<R>,
}

impl<R> ListResponse<R> {
    /// Everything there is, in one page: what `/Schemas` and `/ResourceTypes` answer.
    #[must_use]
    pub fn all(resources: Vec<R>) -> Self {
        Self::page(resources.len() as u64, 1, resources)
    }

    /// An index page: `start_index` is 1-based, and `total_results` is the same on every page.
    #[must_use]
    pub fn page(total_results: u64, start_index: u64, resources: Vec<R>) -> Self {
        Self {
            schemas: [LIST_RESPONSE_SCHEMA],
            total_results: Some(total_results),
            start_index: Some(start_index),
            items_per_page: resources.len() as u64,
            next_cursor: None,
            previous_cursor: None,
            resources,
        }
    }

    /// A cursor page (RFC 9865 §2). `next` is `None` on the last page. Cursor texts are the caller's, and
    /// should keep to the unreserved characters of RFC 3986, so that nobody has to escape them.
    #[must_use]
    pub fn cursor_page(
        total_results: Option<u64>,
        resources: Vec<R>,
        next: Option<String>,
        previous: Option<String>,
    ) -> Self {
        Self {
            schemas: [LIST_RESPONSE_SCHEMA],
            total_results,
            start_index: None,
            items_per_page: resources.len() as u64,
            next_cursor: next,
            previous_cursor: previous,
            resources,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn c15_an_empty_list_still_has_resources_and_integer_counters() {
        let list: ListResponse<Value> = ListResponse::page(0, 1, vec![]);
        assert_eq!(
            serde_json::to_value(list).unwrap(),
            json!({"schemas": [LIST_RESPONSE_SCHEMA], "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": []})
        );
    }

    #[test]
    fn a_cursor_page_has_no_start_index_and_the_last_one_no_next_cursor() {
        let page = |next: Option<&str>| {
            let list =
                ListResponse::cursor_page(Some(2), vec![json!({"id": "a"})], next.map(Into::into), None);
            serde_json::to_value(list).unwrap()
        };
        assert_eq!(
            page(Some("k2")),
            json!({"schemas": [LIST_RESPONSE_SCHEMA], "totalResults": 2, "itemsPerPage": 1, "nextCursor": "k2", "Resources": [{"id": "a"}]})
        );
        assert!(page(None).get("nextCursor").is_none());
    }
}
