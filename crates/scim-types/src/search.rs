//! What a query asks for (RFC 7644 §3.4.2, cursors RFC 9865): the same parameters whether they came in a
//! query string or in the body of a `POST …/.search`.
//!
//! Nothing is resolved against a schema here: the filter, the sort attribute and the attribute lists are
//! texts that [`Filter`](crate::Filter), [`ResourceType::resolve`](crate::ResourceType::resolve) and
//! [`Projection`](crate::Projection) understand. Parameters that nobody knows are ignored (C-8).

use serde_json::{Map, Value};

use crate::{Error, ScimType};

/// The schema URN of a `.search` body.
pub const SEARCH_REQUEST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// Results on a page when the client does not say: enough for clients that read once and stop (C-23).
pub const DEFAULT_PAGE: u64 = 100;

/// Results on a page at most; a larger `count` gets this many. Announced as `filter.maxResults` and as
/// `pagination.maxPageSize`.
pub const MAX_PAGE: u64 = 1_000;

/// A query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchRequest {
    /// The filter, as sent. An empty filter is kept: it is an invalid one, not none at all, because answering
    /// it with everybody would hand a client that lost its filter a stranger's account (C-19).
    pub filter: Option<String>,
    /// Which page.
    pub page: Page,
    /// The attribute to sort by.
    pub sort_by: Option<String>,
    /// Which way to sort; has no meaning without `sort_by`.
    pub sort_order: SortOrder,
    /// The names to return, separated by commas.
    pub attributes: Option<String>,
    /// The names to leave out, separated by commas.
    pub excluded_attributes: Option<String>,
}

/// Which page of the results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// By place: `start_index` is at least 1 and may lie beyond the end; `count` is 0 to [`MAX_PAGE`], and 0 asks for
    /// the total alone.
    Index {
        /// The 1-based place of the first result.
        start_index: u64,
        /// How many results at most.
        count: u64,
    },
    /// By cursor (RFC 9865): `None` is the first page.
    Cursor {
        /// A `nextCursor` or `previousCursor` that an earlier page gave.
        cursor: Option<String>,
        /// How many results at most, 1 to [`MAX_PAGE`].
        count: u64,
    },
}

impl Default for Page {
    fn default() -> Self {
        Self::Index { start_index: 1, count: DEFAULT_PAGE }
    }
}

impl Page {
    /// How many results at most.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Self::Index { count, .. } | Self::Cursor { count, .. } => *count,
        }
    }
}

/// `sortOrder` (RFC 7644 §3.4.2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortOrder {
    /// Smallest first: the default.
    #[default]
    Ascending,
    /// Largest first.
    Descending,
}

impl SearchRequest {
    /// Reads the part of a URL after the `?`. `+` and `%20` are spaces, `%2B` is a plus (C-9); names are compared
    /// without regard to case; of a parameter given twice the last one counts.
    ///
    /// # Errors
    ///
    /// 400 `invalidValue` for a `startIndex`, `count` or `sortOrder` that cannot be read, and `invalidCount` for a bad
    /// `count` beside a `cursor`.
    ///
    /// ```
    /// use scim_types::{Page, SearchRequest};
    /// let asked = SearchRequest::from_query("filter=userName+eq+%22ada%22&startIndex=0&count=20")?;
    /// assert_eq!(asked.filter.as_deref(), Some("userName eq \"ada\""));
    /// assert_eq!(asked.page, Page::Index { start_index: 1, count: 20 });
    /// # Ok::<(), scim_types::Error>(())
    /// ```
    pub fn from_query(query: &str) -> Result<Self, Error> {
        let mut sent = Parameters::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            sent.set(&name, Value::String(value.into_owned()));
        }
        sent.read()
    }

    /// Reads the body of a `.search` (RFC 7644 §3.4.3). Member names are compared without regard to case, `null` is
    /// absent, numbers may be texts, and an attribute list may be an array or one text with commas.
    ///
    /// # Errors
    ///
    /// As [`from_query`](Self::from_query); 400 `invalidSyntax` when the body is not an object, and `invalidFilter` when
    /// the filter is not a text.
    pub fn from_body(body: Value) -> Result<Self, Error> {
        let Value::Object(members) = body else {
            return Err(Error::invalid_syntax("a search request is a JSON object"));
        };
        let mut sent = Parameters::default();
        for (name, value) in members {
            if !value.is_null() {
                sent.set(&name, value);
            }
        }
        sent.read()
    }
}

/// The parameters as they came, under their names in lower case.
#[derive(Default)]
struct Parameters(Map<String, Value>);

impl Parameters {
    fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_ascii_lowercase(), value);
    }

    fn read(mut self) -> Result<SearchRequest, Error> {
        Ok(SearchRequest {
            filter: self.filter()?,
            page: self.page()?,
            sort_by: self.text("sortBy")?,
            sort_order: self.sort_order()?,
            attributes: self.names("attributes")?,
            excluded_attributes: self.names("excludedAttributes")?,
        })
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.swap_remove(&name.to_ascii_lowercase())
    }

    fn filter(&mut self) -> Result<Option<String>, Error> {
        match self.take("filter") {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::invalid_filter("filter must be a text")),
        }
    }

    fn page(&mut self) -> Result<Page, Error> {
        let start_index = self.integer("startIndex")?;
        let count = self.integer("count");
        // A cursor that is there but empty, or named alone, asks for the first page.
        let Some(cursor) = self.take("cursor") else {
            let count = count?.unwrap_or(DEFAULT_PAGE.into());
            return Ok(Page::Index {
                start_index: clamp(start_index.unwrap_or(1), 1, u64::MAX),
                count: clamp(count, 0, MAX_PAGE),
            });
        };
        let Value::String(cursor) = cursor else {
            return Err(Error::bad_request(ScimType::InvalidCursor, "cursor must be a text"));
        };
        // A page of none leads nowhere: its next cursor would be itself.
        match count {
            Ok(None) => Ok(DEFAULT_PAGE),
            Ok(Some(count)) if count > 0 => Ok(clamp(count, 1, MAX_PAGE)),
            _ => Err(Error::bad_request(
                ScimType::InvalidCount,
                "count must be an integer above 0 when a cursor is given",
            )),
        }
        .map(|count| Page::Cursor { cursor: Some(cursor).filter(|text| !text.is_empty()), count })
    }

    fn sort_order(&mut self) -> Result<SortOrder, Error> {
        let Some(text) = self.text("sortOrder")? else { return Ok(SortOrder::default()) };
        if text.eq_ignore_ascii_case("ascending") {
            Ok(SortOrder::Ascending)
        } else if text.eq_ignore_ascii_case("descending") {
            Ok(SortOrder::Descending)
        } else {
            Err(Error::invalid_value("sortOrder must be ascending or descending"))
        }
    }

    /// A text, or `None` when it is empty.
    fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.trim().is_empty())),
            Some(_) => Err(Error::invalid_value(format!("{name} must be a text"))),
        }
    }

    fn names(&mut self, name: &str) -> Result<Option<String>, Error> {
        let wrong = || Error::invalid_value(format!("{name} must be a list of attribute names"));
        let Some(Value::Array(names)) = self.0.get(&name.to_ascii_lowercase()) else {
            return self.text(name).map_err(|_| wrong());
        };
        let names: Vec<&str> = names.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(wrong)?;
        Ok(Some(names.join(",")).filter(|names| !names.is_empty()))
    }

    /// An integer of any size; `None` when it is absent or empty.
    fn integer(&mut self, name: &str) -> Result<Option<i128>, Error> {
        let wrong = || Error::invalid_value(format!("{name} must be an integer"));
        match self.take(name) {
            None => Ok(None),
            Some(Value::Number(number)) => integer(&number.to_string()).map(Some).ok_or_else(wrong),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => integer(text.trim()).map(Some).ok_or_else(wrong),
            Some(_) => Err(wrong()),
        }
    }
}

/// Reads an integer; one with more digits than 128 bits hold is still an integer, only a very large one.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse().unwrap_or(i128::MAX);
    Some(if negative { -size } else { size })
}

fn clamp(number: i128, least: u64, most: u64) -> u64 {
    u64::try_from(number.clamp(least.into(), most.into())).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn page(query: &str) -> Page {
        SearchRequest::from_query(query).unwrap().page
    }

    fn refused(query: &str) -> Option<ScimType> {
        let error = SearchRequest::from_query(query).unwrap_err();
        assert_eq!(error.status, 400);
        assert!(!error.detail.is_empty());
        error.scim_type
    }

    #[test]
    fn c08_unknown_parameters_are_ignored() {
        for query in ["aadOptscim062020", "aadOptscim062020=true", "aadOptscim062020&x[]=%FF%FE", "&&=&=1"] {
            assert_eq!(SearchRequest::from_query(query).unwrap(), SearchRequest::default(), "{query}");
        }
    }

    #[test]
    fn c09_plus_and_percent_twenty_are_spaces_and_percent_two_b_is_a_plus() {
        let asked = SearchRequest::from_query("filter=userName+eq%20%22a%2Bb@x.example%22").unwrap();
        assert_eq!(asked.filter.as_deref(), Some("userName eq \"a+b@x.example\""));
    }

    #[test]
    fn c19_a_filter_that_lost_its_text_is_not_the_absence_of_one() {
        assert_eq!(SearchRequest::from_query("filter=").unwrap().filter.as_deref(), Some(""));
        let asked = SearchRequest::from_query("filter=%20eq%20%221000482%22").unwrap();
        assert_eq!(asked.filter.as_deref(), Some(" eq \"1000482\""));
    }

    #[test]
    fn c21_start_index_below_one_is_one_and_a_negative_count_is_zero() {
        for query in ["", "startIndex=0", "startIndex=-5", "startIndex=1", "startIndex=", "STARTINDEX=0"] {
            assert_eq!(page(query), Page::Index { start_index: 1, count: DEFAULT_PAGE }, "{query}");
        }
        assert_eq!(page("startIndex=21&count=20"), Page::Index { start_index: 21, count: 20 });
        for query in ["count=0", "count=-1", "count=-99999999999999999999999999999999999999999999"] {
            assert_eq!(page(query), Page::Index { start_index: 1, count: 0 }, "{query}");
        }
        assert_eq!(page("startIndex=99999999999999999999999999999999999999999").count(), DEFAULT_PAGE);
    }

    #[test]
    fn c21_what_is_no_integer_is_refused() {
        for query in ["startIndex=x", "count=1.5", "count=ten", "count=0x10", "count=-", "startIndex=%2B"] {
            assert_eq!(refused(query), Some(ScimType::InvalidValue), "{query}");
        }
    }

    #[test]
    fn c23_a_page_is_100_unless_asked_and_never_more_than_1000() {
        assert_eq!(page("").count(), 100);
        assert_eq!(page("count=1000").count(), 1_000);
        assert_eq!(page("count=1001").count(), 1_000);
        assert_eq!(page("count=99999999999999999999999").count(), 1_000);
        assert_eq!(page("cursor=&count=5000").count(), 1_000);
    }

    #[test]
    fn a_cursor_may_be_empty_or_named_alone_for_the_first_page() {
        for query in ["cursor", "cursor=", "cursor&count=100"] {
            assert_eq!(page(query), Page::Cursor { cursor: None, count: 100 }, "{query}");
        }
        assert_eq!(page("cursor=VZUTiy&count=10"), Page::Cursor { cursor: Some("VZUTiy".into()), count: 10 });
    }

    #[test]
    fn a_bad_count_beside_a_cursor_is_invalid_count() {
        for query in ["cursor&count=ten", "cursor=a&count=0", "cursor&count=-3"] {
            assert_eq!(refused(query), Some(ScimType::InvalidCount), "{query}");
        }
    }

    #[test]
    fn sort_order_has_two_words() {
        let asked = SearchRequest::from_query("sortBy=name.familyName&sortOrder=DESCENDING").unwrap();
        assert_eq!(asked.sort_by.as_deref(), Some("name.familyName"));
        assert_eq!(asked.sort_order, SortOrder::Descending);
        assert_eq!(refused("sortBy=userName&sortOrder=up"), Some(ScimType::InvalidValue));
    }

    #[test]
    fn a_body_asks_the_same_as_a_query_string() {
        let body = json!({
            "schemas": [SEARCH_REQUEST_SCHEMA],
            "attributes": ["displayName", "userName"],
            "excludedAttributes": null,
            "filter": "displayName sw \"smith\"",
            "startIndex": 1,
            "count": "10",
            "sortBy": "userName",
            "sortOrder": "ascending",
        });
        let query = "attributes=displayName,userName&filter=displayName+sw+%22smith%22&startIndex=1&count=10&sortBy=userName";
        assert_eq!(SearchRequest::from_body(body).unwrap(), SearchRequest::from_query(query).unwrap());
    }

    #[test]
    fn a_body_of_the_wrong_shape_is_refused_with_its_own_type() {
        let scim_type = |body| SearchRequest::from_body(body).unwrap_err().scim_type;
        assert_eq!(scim_type(json!([])), Some(ScimType::InvalidSyntax));
        assert_eq!(scim_type(json!({"filter": 5})), Some(ScimType::InvalidFilter));
        assert_eq!(scim_type(json!({"count": []})), Some(ScimType::InvalidValue));
        assert_eq!(scim_type(json!({"attributes": [1]})), Some(ScimType::InvalidValue));
        assert_eq!(scim_type(json!({"sortBy": {}})), Some(ScimType::InvalidValue));
        assert_eq!(scim_type(json!({"cursor": 5})), Some(ScimType::InvalidCursor));
    }
}
