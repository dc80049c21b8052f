//! One request, once it is known who calls and where.

use actix_web::{HttpRequest, web::Payload};
use model::{ResourceId, ResourceKind};
use provisioning::{Answer, Caller, ProvisionError, Request};
use scim_types::{Error, Projection, Registry, ResourceType};
use serde_json::Value;
use store::Asynchronous;

use crate::{
    body, conditional,
    door::{Client, Door},
    error::Failure,
    limits, negotiate,
    query::Query,
};

/// The event that says that a request has ended (RFC 9967 §2.5).
const ENDED: &str = "urn:ietf:params:scim:event:misc:asyncresp";

/// What every route is given.
pub(crate) struct Call<'a> {
    pub door: &'a Door,
    pub client: &'a Client,
    /// The tenant and the client's name, as provisioning takes them.
    pub caller: Caller,
    /// The URL of the SCIM root that was called, without a slash at its end: the start of every `location`.
    pub base: String,
    /// Whether it is the address for connectors made for Salesforce, which may use record ids.
    pub salesforce: bool,
    pub request: &'a HttpRequest,
}

impl Call<'_> {
    /// The query parameters.
    pub fn query(&self) -> Result<Query<'_>, Error> {
        Query::new(self.request.query_string())
    }

    /// Which attributes the answer is to have (C-25).
    pub fn projection(&self, kind: ResourceKind) -> Result<Projection, Error> {
        self.projection_of(resource_type(kind))
    }

    /// The same for what is no User or Group.
    pub fn projection_of(&self, resource_type: &ResourceType) -> Result<Projection, Error> {
        let query = self.query()?;
        let (attributes, excluded) = (query.get("attributes"), query.get("excludedAttributes"));
        Projection::parse(resource_type, attributes.as_deref(), excluded.as_deref())
    }

    /// How many resources come before the page. `startIndex` counts from 1, for some clients from 0 (C-24).
    pub fn offset(&self, start_index: u64, counts_from_one: bool) -> u64 {
        match (self.client.settings.zero_based_index, counts_from_one) {
            (true, true) => start_index,
            (true, false) => 0,
            (false, _) => start_index.saturating_sub(1),
        }
    }

    /// The body of a write, with the record ids that the Salesforce address allows replaced.
    pub async fn body(&self, payload: Payload) -> Result<Value, Failure> {
        let body = body::json(self.request, payload, limits::BODY).await?;
        Ok(self.body_with_scim_ids(body).await?)
    }

    /// Whether to answer once the request is stored.
    pub fn respond_async(&self) -> bool {
        self.client.settings.acknowledge_stored || negotiate::prefers_async(self.request.headers())
    }

    /// The tags of `If-Match`.
    pub fn if_match(&self) -> Option<Vec<String>> {
        conditional::if_match(self.request.headers())
    }

    /// Hands a request over.
    pub async fn submit(&self, request: Request) -> Result<Answer, ProvisionError> {
        self.door.provisioner.submit(&self.caller, request).await
    }

    /// The same for a request whose caller hears of its end under this name.
    pub async fn submit_as(
        &self,
        request: Request,
        asynchronous: Asynchronous,
    ) -> Result<Answer, ProvisionError> {
        self.door.provisioner.submit_as(&self.caller, request, asynchronous).await
    }

    /// Whether somebody hears of the end of a request whose caller did not wait.
    pub fn announces_ends(&self) -> bool {
        self.client.settings.event_uris.iter().any(|uri| uri == ENDED)
    }

    /// The URL of a resource.
    pub fn location(&self, kind: ResourceKind, id: &ResourceId) -> String {
        format!("{}/{}/{id}", self.base, kind.endpoint())
    }
}

/// The resource type of a kind.
pub(crate) fn resource_type(kind: ResourceKind) -> &'static ResourceType {
    match kind {
        ResourceKind::User => Registry::standard().user(),
        ResourceKind::Group => Registry::standard().group(),
    }
}
