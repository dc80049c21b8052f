//! `POST /Bulk` (RFC 7644 §3.7): many requests in one.
//!
//! `scim-types` says which operation is next and fills in its `bulkId` references. Operations that have nothing to do
//! with each other run side by side, because each waits for Salesforce; the order of all others is kept.

use actix_web::{
    http::{StatusCode, header::HeaderName},
    web::Payload,
};
use futures::future::join_all;
use model::{ResourceId, ResourceKind, Version};
use provisioning::{Answer, Operation, ProvisionError, Request};
use scim_types::{
    Error,
    bulk::{BulkOperation, BulkRequest, BulkResponse, BulkResult, BulkRun, Method, Turn},
};
use serde_json::Value;
use store::{Asynchronous, StoreError};

use crate::{
    body,
    call::Call,
    error::Failure,
    limits::{BULK_AT_ONCE, BULK_BODY},
    negotiate,
    reply::Reply,
};

/// `POST /Bulk`: 200 with a result for each operation that was tried. An error of one is in its result.
pub(crate) async fn bulk(call: &Call<'_>, payload: Payload) -> Result<Reply, Failure> {
    let request = BulkRequest::parse(body::json(call.request, payload, BULK_BODY).await?)?;
    // Its caller does not wait, and hears of every operation by an event (RFC 9967).
    // Where errors are counted every end has to be known before the next one begins: then its caller has to wait all the same.
    let is_told = call.announces_ends()
        && negotiate::prefers_async(call.request.headers())
        && request.fail_on_errors.is_none();
    let txn = is_told.then(|| call.door.transaction());
    let mut progress = Progress {
        call,
        txn: txn.as_deref(),
        request: &request,
        run: BulkRun::new(&request),
        waiting: Vec::new(),
        results: vec![None; request.operations.len()],
    };
    for turn in request.order() {
        if progress.must_come_after_what_waits(turn) {
            progress.flush().await;
        }
        if progress.has_given_up() {
            break;
        }
        progress.take(turn);
    }
    progress.flush().await;
    if let Some(txn) = &txn {
        progress.tell_failures().await.map_err(ProvisionError::from)?;
        return Ok(Reply::empty(StatusCode::ACCEPTED)
            .with(HeaderName::from_static("set-txn"), txn)
            .with(HeaderName::from_static("preference-applied"), "respond-async"));
    }
    let results = progress.results.into_iter().flatten().collect();
    Ok(Reply::json(StatusCode::OK, &BulkResponse::new(results)))
}

/// A bulk request under way.
struct Progress<'a> {
    call: &'a Call<'a>,
    /// What its caller, who does not wait, knows it by.
    txn: Option<&'a str>,
    request: &'a BulkRequest,
    run: BulkRun<'a>,
    /// Operations that will run side by side.
    waiting: Vec<(Turn, BulkOperation)>,
    /// By the place of the operation in the request.
    results: Vec<Option<BulkResult>>,
}

impl Progress<'_> {
    /// Whether an operation may not run beside those that wait: it refers to another, concerns the same resource or name,
    /// or does something else. With `failOnErrors` each runs alone, so that no more is done than may be.
    fn must_come_after_what_waits(&self, turn: Turn) -> bool {
        let Turn::Whole(place) = turn else { return true };
        let operation = &self.request.operations[place];
        self.request.fail_on_errors.is_some()
            || self.waiting.len() >= BULK_AT_ONCE
            || refers(&operation.data)
            || operation.path.contains("bulkId:")
            || self.waiting.iter().any(|(turn, _)| {
                let other = &self.request.operations[place_of(*turn)];
                other.method != operation.method
                    || endpoint(other) != endpoint(operation)
                    || subject(other)
                        .is_some_and(|subject_of_other| Some(subject_of_other) == subject(operation))
            })
    }

    fn has_given_up(&self) -> bool {
        let errors = self.results.iter().flatten().filter(|result| result.status >= 400).count();
        self.request.gives_up_after(errors as u64)
    }

    /// Makes an operation ready to run.
    fn take(&mut self, turn: Turn) {
        let place = place_of(turn);
        // What began with an error is not completed.
        if matches!(turn, Turn::Complete(_))
            && self.results[place].as_ref().is_none_or(|result| result.status >= 400)
        {
            return;
        }
        match self.run.ready(turn) {
            Ok(operation) => self.waiting.push((turn, operation)),
            Err(error) => self.finish(turn, Err((error, None))),
        }
    }

    /// Runs what waits.
    async fn flush(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let runs =
            waiting.iter().map(|(turn, operation)| run(self.call, operation, self.end_of(*turn, operation)));
        let outcomes = join_all(runs).await;
        for ((turn, _), outcome) in waiting.into_iter().zip(outcomes) {
            self.finish(turn, outcome);
        }
    }

    /// How the caller hears of the end of an operation.
    fn end_of(&self, turn: Turn, operation: &BulkOperation) -> End {
        if let Some(told) = self.told(turn, operation) {
            return End::Told(told);
        }
        // The first part of a POST whose second part is told of: that one needs it done.
        let counts = self.request.fail_on_errors.is_some();
        End::Answered { respond_async: self.txn.is_none() && !counts && self.call.respond_async() }
    }

    /// What the caller knows an operation by: the request's name and the operation's place, counted from 0. The first part of a
    /// POST has none: it is done when the second one is.
    fn told(&self, turn: Turn, operation: &BulkOperation) -> Option<Asynchronous> {
        let txn = self.txn.filter(|_| !matches!(turn, Turn::Begin(_)))?;
        Some(Asynchronous {
            txn: format!("{txn}:{}", place_of(turn)),
            method: method(operation.method).to_owned(),
            bulk_id: operation.bulk_id.clone(),
        })
    }

    /// What never came into the journal, because it failed at once, is told like the rest.
    async fn tell_failures(&self) -> Result<(), StoreError> {
        for (place, result) in self.results.iter().enumerate() {
            let Some(result) = result.as_ref().filter(|result| result.status >= 400) else { continue };
            let failure = (result.status, detail(result));
            let operation = &self.request.operations[place];
            let Some(told) = self.told(Turn::Whole(place), operation) else { continue };
            let target = operation.target().ok();
            let kind =
                target.as_ref().and_then(|target| kind_of(target.endpoint)).unwrap_or(ResourceKind::User);
            let id = target.and_then(|target| target.id);
            let tenant = &self.call.caller.tenant;
            self.call.door.provisioner.announce_failure(tenant, kind, id, told, failure).await?;
        }
        Ok(())
    }

    fn finish(&mut self, turn: Turn, outcome: Result<Done, (Error, Option<String>)>) {
        let place = place_of(turn);
        let sent = &self.request.operations[place];
        let begun = self.results[place].take();
        let (id, result) = match outcome {
            Ok(done) => {
                let result = BulkResult {
                    method: sent.method,
                    bulk_id: sent.bulk_id.clone(),
                    version: done.version.map(Version::etag),
                    location: done.id.as_ref().map(|id| self.call.location(done.kind, id)),
                    // A POST in two parts is still a POST.
                    status: begun.map_or(done.status, |begun| begun.status),
                    response: None,
                };
                (done.id, result)
            }
            Err((error, location)) => (None, BulkResult::failed(sent, location, &error)),
        };
        self.results[place] = Some(result);
        if !matches!(turn, Turn::Complete(_)) {
            self.run.remember(place, id.as_ref().map(ResourceId::as_str));
        }
    }
}

/// How the caller hears of the end of an operation.
enum End {
    /// Here: when it is done, or when it is stored.
    Answered { respond_async: bool },
    /// By an event.
    Told(Asynchronous),
}

/// What an operation did.
struct Done {
    kind: ResourceKind,
    id: Option<ResourceId>,
    version: Option<Version>,
    status: u16,
}

/// Runs one operation. An error comes with the URL of the resource, where there is one.
async fn run(call: &Call<'_>, operation: &BulkOperation, end: End) -> Result<Done, (Error, Option<String>)> {
    let target = operation.target().map_err(|error| (error, None))?;
    let Some(kind) = kind_of(target.endpoint) else {
        return Err((Error::not_found("bulk operations go to /Users and /Groups"), None));
    };
    let known = target.id.map(ResourceId::from_text);
    submit(call, kind, target.id, operation, end)
        .await
        .map_err(|failure| (failure.error, known.map(|id| call.location(kind, &id))))
}

async fn submit(
    call: &Call<'_>,
    kind: ResourceKind,
    id: Option<&str>,
    operation: &BulkOperation,
    end: End,
) -> Result<Done, Failure> {
    let id = match id {
        Some(id) => Some(call.scim_id(id).await?.into_owned()),
        None => None,
    };
    let data = call.body_with_scim_ids(operation.data.clone()).await?;
    let request = Request {
        kind,
        id: id.clone(),
        operation: match operation.method {
            Method::Post => Operation::Create(data),
            Method::Put => Operation::Replace(data),
            Method::Patch => Operation::Patch(data),
            Method::Delete => Operation::Delete,
        },
        if_match: operation.version.clone().map(|version| vec![version]),
        respond_async: !matches!(end, End::Answered { respond_async: false }),
    };
    let answer = match end {
        End::Told(told) => call.submit_as(request, told).await?,
        End::Answered { .. } => call.submit(request).await?,
    };
    Ok(match answer {
        Answer::Created(written) => {
            Done { kind, id: Some(written.resource.id), version: Some(written.resource.version), status: 201 }
        }
        Answer::Updated(written) => {
            Done { kind, id: Some(written.resource.id), version: Some(written.resource.version), status: 200 }
        }
        Answer::Deleted(_) => Done { kind, id: id.map(ResourceId::from_text), version: None, status: 204 },
        Answer::Accepted { id, .. } => Done { kind, id: Some(id), version: None, status: 202 },
    })
}

const fn method(method: Method) -> &'static str {
    match method {
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

/// Why an operation has failed.
fn detail(result: &BulkResult) -> String {
    let detail = result.response.as_ref().and_then(|response| response.get("detail"));
    detail.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn place_of(turn: Turn) -> usize {
    let (Turn::Whole(place) | Turn::Begin(place) | Turn::Complete(place)) = turn;
    place
}

fn kind_of(endpoint: &str) -> Option<ResourceKind> {
    [ResourceKind::User, ResourceKind::Group]
        .into_iter()
        .find(|kind| endpoint.eq_ignore_ascii_case(kind.endpoint()))
}

fn endpoint(operation: &BulkOperation) -> Option<ResourceKind> {
    operation.target().ok().and_then(|target| kind_of(target.endpoint))
}

/// What an operation is about: the name that a POST takes, else the id. Two with the same keep their order.
fn subject(operation: &BulkOperation) -> Option<String> {
    let target = operation.target().ok()?;
    let name = || {
        let members = operation.data.as_object()?.iter();
        let name = |wanted: &str| members.clone().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        name("userName").or_else(|| name("displayName")).and_then(|(_, name)| name.as_str())
    };
    target.id.or_else(name).map(scim_types::fold)
}

/// Whether a value refers to another operation.
fn refers(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("bulkId:"),
        Value::Array(elements) => elements.iter().any(refers),
        Value::Object(members) => members.values().any(refers),
        _ => false,
    }
}
