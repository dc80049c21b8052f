//! Many operations in one request (RFC 7644 §3.7): reading them, the order that their `bulkId` references ask for,
//! and the answer. Running an operation is the server's business; this module tells it which one is next and hands
//! it over with the references filled in.
//!
//! Two resources of one request may refer to each other (§3.7.1). Such a circle is broken by creating one of them
//! without the reference and adding it afterwards, so that nothing has to be refused: see [`Turn`].

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Error;

/// The schema URN of a bulk request.
pub const BULK_REQUEST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// The schema URN of a bulk response.
pub const BULK_RESPONSE_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// Operations in one request at most. authentik takes the number from the `ServiceProviderConfig` as its PATCH
/// chunk too, so it is the same as [`MAX_OPERATIONS`](crate::patch::MAX_OPERATIONS) of a PATCH.
pub const MAX_BULK_OPERATIONS: usize = 1_000;
/// Bytes of a bulk request at most: 8 MiB, about 8 KiB for each operation.
pub const MAX_BULK_PAYLOAD: usize = 8 * 1024 * 1024;

/// What a reference to a resource of the same request starts with.
const REFERENCE: &str = "bulkId:";

/// A bulk request.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkRequest {
    /// After this many errors the rest is not done; absent, `null` or 0 means never stop.
    pub fail_on_errors: Option<u64>,
    /// The operations, in the order sent.
    pub operations: Vec<BulkOperation>,
}

/// One operation of a bulk request.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkOperation {
    /// What to do.
    pub method: Method,
    /// The client's name for the resource that a POST makes.
    pub bulk_id: Option<String>,
    /// `/Users`, or `/Users/{id}`, where the id may be a `bulkId:` reference.
    pub path: String,
    /// The version that the resource must have: an `If-Match`.
    pub version: Option<String>,
    /// The body that the operation would have alone; `Null` when there is none.
    pub data: Value,
}

/// The methods of a bulk operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Create.
    Post,
    /// Replace.
    Put,
    /// Modify.
    Patch,
    /// Delete.
    Delete,
}

/// Where an operation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The endpoint without its slash, as sent: compare without regard to case (C-2).
    pub endpoint: &'a str,
    /// The resource; `None` for a POST.
    pub id: Option<&'a str>,
}

/// What to run next; the number is the place in [`BulkRequest::operations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The operation as it is: everything it refers to was tried before.
    Whole(usize),
    /// A POST of a circle, without the references to what does not exist yet.
    Begin(usize),
    /// The PATCH that adds what [`Turn::Begin`] left out. If it fails, the operation as a whole has failed.
    Complete(usize),
}

impl BulkRequest {
    /// Reads a bulk request.
    ///
    /// A POST without `bulkId` is let through, although §3.7 requires one: nobody can refer to it, and that is all that
    /// is lost.
    ///
    /// # Errors
    ///
    /// 413 for more than [`MAX_BULK_OPERATIONS`]; 400 `invalidSyntax` when it is no bulk request; 400 `invalidValue`
    /// when two POSTs have the same `bulkId`.
    pub fn parse(body: Value) -> Result<Self, Error> {
        let Value::Object(mut body) = body else {
            return Err(Error::invalid_syntax("a bulk request is a JSON object"));
        };
        let Some(Value::Array(operations)) = take(&mut body, "Operations") else {
            return Err(Error::invalid_syntax("a bulk request has an array Operations"));
        };
        if operations.len() > MAX_BULK_OPERATIONS {
            let detail = format!(
                "a bulk request may have {MAX_BULK_OPERATIONS} operations; this one has {}",
                operations.len()
            );
            return Err(Error::new(413, detail));
        }
        let fail_on_errors = match take(&mut body, "failOnErrors") {
            None | Some(Value::Null) => None,
            Some(number) => Some(
                number.as_u64().ok_or_else(|| Error::invalid_syntax("failOnErrors must be an integer"))?,
            )
            .filter(|&n| n > 0),
        };
        let operations: Vec<_> =
            operations.into_iter().map(BulkOperation::parse).collect::<Result<_, _>>()?;
        let mut names = HashSet::new();
        for name in operations.iter().filter_map(BulkOperation::makes) {
            if !names.insert(name) {
                return Err(Error::invalid_value(format!("two operations have the bulkId {name}")));
            }
        }
        Ok(Self { fail_on_errors, operations })
    }

    /// Whether so many errors end the request.
    #[must_use]
    pub fn gives_up_after(&self, errors: u64) -> bool {
        self.fail_on_errors.is_some_and(|most| errors >= most)
    }

    /// The turns in which to run the operations: as sent, except that a POST that others refer to comes before them.
    #[must_use]
    pub fn order(&self) -> Vec<Turn> {
        let makers: HashMap<&str, usize> =
            self.operations.iter().enumerate().filter_map(|(place, op)| Some((op.makes()?, place))).collect();
        let needs = self
            .operations
            .iter()
            .map(|op| op.references().iter().filter_map(|name| makers.get(name)).copied().collect());
        let mut walk = Walk {
            needs: needs.collect(),
            seen: vec![Seen::No; self.operations.len()],
            turns: vec![],
            begun: vec![],
        };
        for place in 0..self.operations.len() {
            walk.visit(place);
            walk.turns.extend(walk.begun.drain(..).map(Turn::Complete));
        }
        walk.turns
    }
}

/// A depth-first walk along the references; no deeper than there are operations.
struct Walk {
    needs: Vec<Vec<usize>>,
    seen: Vec<Seen>,
    turns: Vec<Turn>,
    begun: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Seen {
    No,
    /// What it refers to is being walked: meeting it again is a circle.
    Open,
    Yes,
}

impl Walk {
    fn visit(&mut self, place: usize) {
        if self.seen[place] != Seen::No {
            return;
        }
        self.seen[place] = Seen::Open;
        let mut circle = false;
        for need in std::mem::take(&mut self.needs[place]) {
            self.visit(need);
            circle |= self.seen[need] == Seen::Open;
        }
        self.seen[place] = Seen::Yes;
        if circle {
            self.begun.push(place);
            self.turns.push(Turn::Begin(place));
        } else {
            self.turns.push(Turn::Whole(place));
        }
    }
}

impl BulkOperation {
    fn parse(operation: Value) -> Result<Self, Error> {
        let Value::Object(mut operation) = operation else {
            return Err(Error::invalid_syntax("each of the Operations is a JSON object"));
        };
        let mut text = |name: &str| match take(&mut operation, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::invalid_syntax(format!("{name} of a bulk operation must be a text"))),
        };
        let method = text("method")?.unwrap_or_default();
        let method = Method::parse(&method).ok_or_else(|| {
            Error::invalid_syntax("method of a bulk operation must be POST, PUT, PATCH or DELETE")
        })?;
        let path = text("path")?
            .ok_or_else(|| Error::invalid_syntax("a bulk operation has a path, such as /Users"))?;
        let (bulk_id, version) = (text("bulkId")?, text("version")?);
        Ok(Self { method, bulk_id, path, version, data: take(&mut operation, "data").unwrap_or_default() })
    }

    /// Where the operation goes.
    ///
    /// # Errors
    ///
    /// 400 `invalidValue` when a POST names a resource, another method names none, or the path is no `/Endpoint/id`.
    pub fn target(&self) -> Result<Target<'_>, Error> {
        let path = self.path.trim_matches('/');
        let (endpoint, id) = match path.split_once('/') {
            Some((endpoint, id)) => (endpoint, Some(id)),
            None => (path, None),
        };
        if endpoint.is_empty() || id.is_some_and(|id| id.contains('/')) {
            return Err(Error::invalid_value("path of a bulk operation is /Endpoint or /Endpoint/id"));
        }
        match (self.method, id) {
            (Method::Post, Some(_)) => {
                Err(Error::invalid_value("a POST goes to an endpoint, such as /Users"))
            }
            (Method::Put | Method::Patch | Method::Delete, None) => {
                Err(Error::invalid_value("this method needs the id of a resource in its path"))
            }
            _ => Ok(Target { endpoint, id }),
        }
    }

    /// The name under which others may refer to what this operation makes.
    fn makes(&self) -> Option<&str> {
        self.bulk_id.as_deref().filter(|_| self.method == Method::Post)
    }

    /// The bulkIds that the path and the data refer to.
    fn references(&self) -> Vec<&str> {
        let mut names = vec![];
        names.extend(self.path.rsplit('/').next().and_then(|id| id.strip_prefix(REFERENCE)));
        find_references(&self.data, &mut names);
        names
    }
}

fn find_references<'a>(value: &'a Value, names: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => names.extend(text.strip_prefix(REFERENCE)),
        Value::Array(elements) => elements.iter().for_each(|element| find_references(element, names)),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(path) if is_path(name) => {
                        names.extend(quoted(path).filter_map(|text| text.strip_prefix(REFERENCE)));
                    }
                    _ => find_references(member, names),
                }
            }
        }
        _ => {}
    }
}

/// A PATCH operation may refer inside the filter of its path: `members[value eq "bulkId:ada"]`.
fn is_path(name: &str) -> bool {
    name.eq_ignore_ascii_case("path")
}

fn quoted(path: &str) -> impl Iterator<Item = &str> {
    path.split('"').skip(1).step_by(2)
}

impl Method {
    fn parse(text: &str) -> Option<Self> {
        [Self::Post, Self::Put, Self::Patch, Self::Delete]
            .into_iter()
            .find(|method| text.eq_ignore_ascii_case(method.name()))
    }

    /// The method's name in HTTP.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request under way: knows what it has made so far, and puts the ids where the references stand.
#[derive(Clone, Debug)]
pub struct BulkRun<'a> {
    request: &'a BulkRequest,
    made: HashMap<&'a str, Made>,
    /// What a [`Turn::Begin`] left out, for its [`Turn::Complete`].
    left_out: HashMap<usize, Value>,
}

/// What has become of a POST that others may refer to.
#[derive(Clone, Debug, PartialEq)]
enum Made {
    NotYet,
    Id(String),
    Failed,
}

impl<'a> BulkRun<'a> {
    /// A request of which nothing has been done.
    #[must_use]
    pub fn new(request: &'a BulkRequest) -> Self {
        let made = request
            .operations
            .iter()
            .filter_map(BulkOperation::makes)
            .map(|name| (name, Made::NotYet))
            .collect();
        Self { request, made, left_out: HashMap::new() }
    }

    /// Remembers what became of the operation at `place`: the id it was given, or `None` when it failed. Of no
    /// consequence but for a POST with a bulkId.
    pub fn remember(&mut self, place: usize, id: Option<&str>) {
        if let Some(name) = self.request.operations.get(place).and_then(BulkOperation::makes) {
            self.made.insert(name, id.map_or(Made::Failed, |id| Made::Id(id.to_owned())));
        }
    }

    /// The operation of a turn with ids in place of its references; for [`Turn::Complete`], the PATCH that adds what was
    /// left out. Running it is all that is left to do.
    ///
    /// # Errors
    ///
    /// 409 when what it refers to could not be made; 400 `invalidValue` when no operation of the request makes it.
    pub fn ready(&mut self, turn: Turn) -> Result<BulkOperation, Error> {
        let (Turn::Whole(place) | Turn::Begin(place) | Turn::Complete(place)) = turn;
        let sent = &self.request.operations[place];
        match turn {
            Turn::Whole(_) => Ok(BulkOperation {
                path: self.path(&sent.path)?,
                data: self.value(&sent.data)?,
                ..sent.clone()
            }),
            Turn::Begin(_) => {
                let (now, then) = split(&sent.data, &self.made);
                self.left_out.extend(then.map(|then| (place, then)));
                Ok(BulkOperation { data: self.value(&now.unwrap_or_default())?, ..sent.clone() })
            }
            Turn::Complete(_) => {
                let id = self.id(sent.makes().unwrap_or_default())?;
                let value = self.value(self.left_out.get(&place).unwrap_or(&json!({})))?;
                Ok(BulkOperation {
                    method: Method::Patch,
                    bulk_id: sent.bulk_id.clone(),
                    path: format!("{}/{id}", sent.path.trim_end_matches('/')),
                    version: None,
                    data: json!({"schemas": [crate::patch::PATCH_SCHEMA], "Operations": [{"op": "add", "value": value}]}),
                })
            }
        }
    }

    fn id(&self, name: &str) -> Result<&str, Error> {
        match self.made.get(name) {
            Some(Made::Id(id)) => Ok(id),
            Some(Made::Failed | Made::NotYet) => {
                let detail =
                    format!("the operation with the bulkId {name}, which this one refers to, was not done");
                Err(Error::new(409, detail))
            }
            None => Err(Error::invalid_value(format!(
                "no operation of this request makes a resource with the bulkId {name}"
            ))),
        }
    }

    fn path(&self, path: &str) -> Result<String, Error> {
        match path.rsplit_once('/') {
            Some((start, id)) if id.starts_with(REFERENCE) => Ok(format!("{start}/{}", self.text(id)?)),
            _ => Ok(path.to_owned()),
        }
    }

    fn text(&self, text: &str) -> Result<String, Error> {
        match text.strip_prefix(REFERENCE) {
            Some(name) => self.id(name).map(str::to_owned),
            None => Ok(text.to_owned()),
        }
    }

    fn value(&self, value: &Value) -> Result<Value, Error> {
        Ok(match value {
            Value::String(text) => Value::String(self.text(text)?),
            Value::Array(elements) => {
                Value::Array(elements.iter().map(|element| self.value(element)).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let filled = members.iter().map(|(name, member)| {
                    let member = match member {
                        Value::String(path) if is_path(name) => Value::String(self.quoted(path)?),
                        _ => self.value(member)?,
                    };
                    Ok((name.clone(), member))
                });
                Value::Object(filled.collect::<Result<_, Error>>()?)
            }
            other => other.clone(),
        })
    }

    fn quoted(&self, path: &str) -> Result<String, Error> {
        let parts = path.split('"').enumerate();
        let filled =
            parts.map(|(place, part)| if place % 2 == 1 { self.text(part) } else { Ok(part.to_owned()) });
        Ok(filled.collect::<Result<Vec<_>, _>>()?.join("\""))
    }
}

/// Parts a body into what can be made now and what refers to something later. An object with a reference in one of its
/// own members goes as a whole, because `{"type": "User"}` is not a member of a group.
fn split(value: &Value, made: &HashMap<&str, Made>) -> (Option<Value>, Option<Value>) {
    let refers = |value: &Value| {
        value
            .as_str()
            .and_then(|text| text.strip_prefix(REFERENCE))
            .is_some_and(|name| made.get(name) == Some(&Made::NotYet))
    };
    match value {
        Value::Array(elements) => {
            let (mut now, mut then) = (vec![], vec![]);
            for element in elements {
                let whole = element.as_object().is_some_and(|members| members.values().any(refers));
                let (kept, left_out) =
                    if whole { (None, Some(element.clone())) } else { split(element, made) };
                now.extend(kept);
                then.extend(left_out);
            }
            (Some(Value::Array(now)), Some(Value::Array(then)).filter(|then| *then != json!([])))
        }
        Value::Object(members) => {
            let (mut now, mut then) = (Map::new(), Map::new());
            for (name, member) in members {
                let whole = member.as_object().is_some_and(|members| members.values().any(refers));
                let (kept, left_out) = if whole { (None, Some(member.clone())) } else { split(member, made) };
                now.extend(kept.map(|kept| (name.clone(), kept)));
                then.extend(left_out.map(|left_out| (name.clone(), left_out)));
            }
            (Some(Value::Object(now)), Some(Value::Object(then)).filter(|then| *then != json!({})))
        }
        reference if refers(reference) => (None, Some(reference.clone())),
        other => (Some(other.clone()), None),
    }
}

/// What became of one operation (§3.7.3).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkResult {
    /// The method of the operation.
    pub method: Method,
    /// The bulkId of the operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bulk_id: Option<String>,
    /// The version of the resource after the operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The URL of the resource; absent for a POST that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The HTTP status, as a text.
    #[serde(serialize_with = "as_text")]
    pub status: u16,
    /// The body that the operation would have been answered with alone. An error always has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Value>,
}

impl BulkResult {
    /// An operation that failed. `location` is that of the resource, where there is one.
    #[must_use]
    pub fn failed(operation: &BulkOperation, location: Option<String>, error: &Error) -> Self {
        Self {
            method: operation.method,
            bulk_id: operation.bulk_id.clone(),
            version: None,
            location,
            status: error.status,
            response: Some(error.to_json()),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn as_text<S: serde::Serializer>(status: &u16, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(status)
}

/// The answer to a bulk request: the results of the operations that were tried, in the order in which they were sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BulkResponse {
    schemas: [&'static str; 1],
    #[serde(rename = "Operations")]
    operations: Vec<BulkResult>,
}

impl BulkResponse {
    /// Wraps the results.
    #[must_use]
    pub fn new(operations: Vec<BulkResult>) -> Self {
        Self { schemas: [BULK_RESPONSE_SCHEMA], operations }
    }
}

fn take(members: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let sent = members.keys().find(|sent| sent.eq_ignore_ascii_case(name))?.clone();
    members.swap_remove(&sent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScimType;

    fn parse(operations: &Value) -> BulkRequest {
        BulkRequest::parse(json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": operations})).unwrap()
    }

    /// Runs a request the way a server does; a POST of `x` gets the id `id-x`.
    fn run(request: &BulkRequest) -> Vec<Result<(Method, String, Value), Error>> {
        let mut run = BulkRun::new(request);
        let mut done = vec![];
        for turn in request.order() {
            let ready = run.ready(turn);
            if let (Turn::Whole(place) | Turn::Begin(place), Ok(operation)) = (turn, &ready) {
                let id = operation.bulk_id.as_ref().map(|name| format!("id-{name}"));
                run.remember(place, id.as_deref());
            }
            done.push(ready.map(|operation| (operation.method, operation.path, operation.data)));
        }
        done
    }

    #[test]
    fn fail_on_errors_may_be_null_and_names_may_be_in_lower_case() {
        let request = BulkRequest::parse(json!({
            "operations": [{"Method": "post", "path": "/Users", "bulkId": "a", "data": {"userName": "ada"}}],
            "failOnErrors": null,
        }))
        .unwrap();
        assert_eq!(request.operations[0].method, Method::Post);
        assert!(!request.gives_up_after(1_000));
        let request = BulkRequest::parse(json!({"Operations": [], "failOnErrors": 2})).unwrap();
        assert_eq!((request.gives_up_after(1), request.gives_up_after(2)), (false, true));
    }

    #[test]
    fn a_thousand_operations_are_taken_and_one_more_is_413() {
        let operation = json!({"method": "DELETE", "path": "/Users/1"});
        let body = |count| json!({"Operations": vec![operation.clone(); count]});
        assert_eq!(BulkRequest::parse(body(1_000)).unwrap().operations.len(), 1_000);
        let error = BulkRequest::parse(body(1_001)).unwrap_err();
        assert_eq!((error.status, error.scim_type), (413, None));
    }

    #[test]
    fn what_is_no_bulk_request_is_invalid_syntax() {
        for body in [
            json!(null),
            json!([]),
            json!({}),
            json!({"Operations": {}}),
            json!({"Operations": [5]}),
            json!({"Operations": [{"method": "GET", "path": "/Users"}]}),
            json!({"Operations": [{"method": "POST"}]}),
            json!({"Operations": [{"method": "POST", "path": 5}]}),
            json!({"Operations": [], "failOnErrors": "many"}),
        ] {
            assert_eq!(
                BulkRequest::parse(body.clone()).unwrap_err().scim_type,
                Some(ScimType::InvalidSyntax),
                "{body}"
            );
        }
    }

    #[test]
    fn two_posts_may_not_have_the_same_bulk_id() {
        let operation = json!({"method": "POST", "path": "/Users", "bulkId": "a", "data": {}});
        let error = BulkRequest::parse(json!({"Operations": [operation, operation]})).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
    }

    #[test]
    fn an_operation_goes_to_an_endpoint_or_to_a_resource() {
        let target = |method: &str, path: &str| {
            let request = parse(&json!([{"method": method, "path": path}]));
            request.operations[0]
                .target()
                .map(|target| (target.endpoint.to_owned(), target.id.map(str::to_owned)))
        };
        assert_eq!(target("POST", "/Users").unwrap(), ("Users".into(), None));
        assert_eq!(target("PATCH", "Groups/g1").unwrap(), ("Groups".into(), Some("g1".into())));
        for (method, path) in
            [("POST", "/Users/1"), ("PUT", "/Users"), ("DELETE", "/"), ("PATCH", "/Users/1/x")]
        {
            assert_eq!(target(method, path).unwrap_err().status, 400, "{method} {path}");
        }
    }

    #[test]
    fn a_reference_is_made_before_it_is_needed_whatever_the_order() {
        let request = parse(&json!([
            {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "Crew", "members": [{"value": "bulkId:ada"}]}},
            {"method": "POST", "path": "/Users", "bulkId": "ada", "data": {"userName": "ada"}},
            {"method": "PATCH", "path": "/Groups/bulkId:g", "data": {"Operations": [{"op": "remove", "path": "members[value eq \"bulkId:ada\"]"}]}},
        ]));
        assert_eq!(request.order(), [Turn::Whole(1), Turn::Whole(0), Turn::Whole(2)]);
        let done: Vec<_> = run(&request).into_iter().map(Result::unwrap).collect();
        assert_eq!(done[1].2["members"], json!([{"value": "id-ada"}]));
        assert_eq!(done[2].1, "/Groups/id-g");
        assert_eq!(done[2].2["Operations"][0]["path"], "members[value eq \"id-ada\"]");
    }

    #[test]
    fn two_groups_may_be_members_of_each_other() {
        let group = |name: &str, member: &str| {
            json!({"method": "POST", "path": "/Groups", "bulkId": name,
                   "data": {"displayName": name, "members": [{"type": "Group", "value": format!("bulkId:{member}")}, {"value": "u1"}]}})
        };
        let request = parse(&json!([group("a", "b"), group("b", "a")]));
        assert_eq!(request.order(), [Turn::Begin(1), Turn::Whole(0), Turn::Complete(1)]);
        let done: Vec<_> = run(&request).into_iter().map(Result::unwrap).collect();
        assert_eq!(done[0].2["members"], json!([{"value": "u1"}]));
        assert_eq!(done[1].2["members"], json!([{"type": "Group", "value": "id-b"}, {"value": "u1"}]));
        assert_eq!((done[2].0, done[2].1.as_str()), (Method::Patch, "/Groups/id-b"));
        assert_eq!(
            done[2].2["Operations"],
            json!([{"op": "add", "value": {"members": [{"type": "Group", "value": "id-a"}]}}])
        );
    }

    #[test]
    fn two_users_may_be_managers_of_each_other_and_one_of_itself() {
        const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let user = |name: &str, manager: &str| {
            json!({"method": "POST", "path": "/Users", "bulkId": name,
                   "data": {"userName": name, ENTERPRISE: {"department": "Deck", "manager": {"value": format!("bulkId:{manager}")}}}})
        };
        let request = parse(&json!([user("a", "b"), user("b", "a"), user("c", "c")]));
        let done: Vec<_> = run(&request).into_iter().map(Result::unwrap).collect();
        assert_eq!(done[0].2, json!({"userName": "b", ENTERPRISE: {"department": "Deck"}}));
        assert_eq!(done[2].2["Operations"][0]["value"], json!({ENTERPRISE: {"manager": {"value": "id-a"}}}));
        assert_eq!(done[4].1, "/Users/id-c");
        assert_eq!(done[4].2["Operations"][0]["value"], json!({ENTERPRISE: {"manager": {"value": "id-c"}}}));
    }

    #[test]
    fn a_thousand_operations_in_a_chain_or_a_ring_are_ordered_without_trouble() {
        for last in ["none", "bulkId:0"] {
            let post = |n: usize| {
                let next = if n == 999 { last.to_owned() } else { format!("bulkId:{}", n + 1) };
                json!({"method": "POST", "path": "/Groups", "bulkId": n.to_string(), "data": {"members": [{"value": next}]}})
            };
            let request = parse(&(0..1_000).map(post).collect());
            assert!(run(&request).iter().all(Result::is_ok));
        }
    }

    #[test]
    fn an_answer_has_a_text_for_a_status_and_no_nulls() {
        let request = parse(&json!([{"method": "POST", "path": "/Users", "bulkId": "a", "data": {}}]));
        let failed =
            BulkResult::failed(&request.operations[0], None, &Error::uniqueness("userName is taken"));
        let answer = serde_json::to_value(BulkResponse::new(vec![failed])).unwrap();
        assert_eq!(
            answer,
            json!({"schemas": [BULK_RESPONSE_SCHEMA], "Operations": [{"method": "POST", "bulkId": "a", "status": "409",
                   "response": Error::uniqueness("userName is taken").to_json()}]})
        );
    }

    #[test]
    fn a_reference_to_nothing_is_400_and_to_a_failure_409() {
        let request = parse(&json!([
            {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"members": [{"value": "bulkId:nobody"}]}},
            {"method": "DELETE", "path": "/Groups/bulkId:g"},
        ]));
        let mut run = BulkRun::new(&request);
        assert_eq!(run.ready(Turn::Whole(0)).unwrap_err().scim_type, Some(ScimType::InvalidValue));
        run.remember(0, None);
        assert_eq!(run.ready(Turn::Whole(1)).unwrap_err().status, 409);
    }
}
