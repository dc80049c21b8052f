//! What has happened as an event of RFC 9967.

use model::{Timestamp, Version};
use serde_json::{Map, Value, json};
use store::{Happening, Outgoing};

use super::{Receiver, Wants};

pub(super) const DELETED: &str = "urn:ietf:params:scim:event:prov:delete";
pub(super) const STREAM_UPDATED: &str = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated";
pub(super) const ANSWERED: &str = "urn:ietf:params:scim:event:misc:asyncresp";

pub(super) const fn created(full: bool) -> &'static str {
    if full {
        "urn:ietf:params:scim:event:prov:create:full"
    } else {
        "urn:ietf:params:scim:event:prov:create:notice"
    }
}

pub(super) const fn changed(full: bool) -> &'static str {
    if full {
        "urn:ietf:params:scim:event:prov:put:full"
    } else {
        "urn:ietf:params:scim:event:prov:put:notice"
    }
}

/// What an event is called. The same event always has the same name, so that one that is sent again is known.
pub(super) fn jti(outgoing: &Outgoing) -> String {
    format!("gangway-{}-{}", outgoing.number, outgoing.id)
}

/// The place and the rest of a name that [`jti`] made.
pub(super) fn parse_jti(jti: &str) -> Option<(u64, String)> {
    let (number, id) = jti.strip_prefix("gangway-")?.split_once('-')?;
    Some((number.parse().ok()?, id.to_owned()))
}

impl Wants {
    /// Whether it is to hear of this.
    pub(super) fn has(self, happening: &Happening) -> bool {
        match happening {
            Happening::Created { .. } => self.create,
            Happening::Changed { .. } => self.put,
            Happening::Deleted => self.delete,
            Happening::Answered { .. } => self.asynchronous,
        }
    }
}

/// The claims of the token, which are the same however late and however often they are told. `None` where the receiver does not
/// want to hear of it.
pub(super) fn claims(receiver: &Receiver, outgoing: &Outgoing) -> Option<Value> {
    if !receiver.wants.has(&outgoing.happening) {
        return None;
    }
    // What waits since its receiver got notices has no data, and is told as a notice.
    let data = outgoing.told.data.as_ref().filter(|_| receiver.full);
    let (uri, payload) = match &outgoing.happening {
        Happening::Created { version } => (created(data.is_some()), resource(outgoing, data, *version)),
        Happening::Changed { version } => (changed(data.is_some()), resource(outgoing, data, *version)),
        Happening::Deleted => (DELETED, json!({})),
        Happening::Answered { .. } => (ANSWERED, answered(outgoing)),
    };
    let mut subject = json!({ "format": "scim", "uri": path(outgoing) });
    if let Some(external_id) = &outgoing.told.external_id {
        subject["externalId"] = external_id.as_str().into();
    }
    let txn = match &outgoing.happening {
        Happening::Answered { request, .. } => request.txn.clone(),
        _ => jti(outgoing),
    };
    Some(json!({
        "iss": receiver.issuer,
        "aud": [receiver.audience],
        "iat": outgoing.at.as_second(),
        "jti": jti(outgoing),
        "txn": txn,
        "sub_id": subject,
        "events": { uri: payload },
    }))
}

/// That nothing is sent to a receiver any more (Shared Signals Framework 1.0 §8.1.5), which is its stream.
pub(super) fn paused(receiver: &Receiver, since: Timestamp) -> Value {
    let stream = format!("{}/{}", receiver.tenant, receiver.name);
    let jti = format!("gangway-paused-{}-{}", receiver.name, since.as_second());
    json!({
        "iss": receiver.issuer,
        "aud": [receiver.audience],
        "iat": since.as_second(),
        "jti": jti,
        "txn": jti,
        "sub_id": { "format": "opaque", "id": stream },
        "events": { STREAM_UPDATED: {
            "status": "paused", "reason": "no event was taken for 7 days: sending begins again when Gangway starts or is configured",
        } },
    })
}

fn path(outgoing: &Outgoing) -> String {
    format!("/{}/{}", outgoing.kind.endpoint(), outgoing.resource)
}

/// The resource as it was then: what it was, or which attributes it had.
fn resource(outgoing: &Outgoing, data: Option<&Map<String, Value>>, version: Version) -> Value {
    let version = version.etag();
    match data {
        Some(data) => json!({ "data": data, "version": version }),
        None => json!({ "attributes": outgoing.told.attributes, "version": version }),
    }
}

/// An operation of a bulk response (RFC 7644 §3.7), as RFC 9967 has it.
fn answered(outgoing: &Outgoing) -> Value {
    let Happening::Answered { request, status, version, detail } = &outgoing.happening else {
        return json!({});
    };
    let mut operation = json!({ "method": request.method, "status": status.to_string() });
    if let Some(bulk_id) = &request.bulk_id {
        operation["bulkId"] = bulk_id.as_str().into();
    }
    if *status < 400 || request.method != "POST" {
        operation["location"] = path(outgoing).into();
    }
    if let Some(version) = version {
        operation["version"] = version.etag().into();
    }
    if *status >= 400 {
        let mut error = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string(),
        });
        if let Some(detail) = detail {
            error["detail"] = detail.as_str().into();
        }
        operation["response"] = error;
    }
    operation
}

/// What a resource is told of in; for logs.
pub(super) fn word(happening: &Happening) -> &'static str {
    match happening {
        Happening::Created { .. } => "create",
        Happening::Changed { .. } => "put",
        Happening::Deleted => "delete",
        Happening::Answered { .. } => "asyncresp",
    }
}

#[cfg(test)]
mod tests {
    use model::{ResourceId, ResourceKind};
    use store::{Asynchronous, Told};

    use super::*;

    fn outgoing(happening: Happening) -> Outgoing {
        Outgoing {
            number: 7,
            id: "a1".to_owned(),
            tenant: "acme/prod".parse().unwrap(),
            at: "2026-08-05T08:00:00Z".parse().unwrap(),
            kind: ResourceKind::User,
            resource: ResourceId::from_text("8d1f"),
            happening,
            told: Told::default(),
        }
    }

    fn request(method: &str) -> Asynchronous {
        Asynchronous { txn: "t1:0".to_owned(), method: method.to_owned(), bulk_id: Some("b1".to_owned()) }
    }

    #[test]
    fn what_waits_since_its_receiver_got_notices_is_told_as_a_notice() {
        let receiver = |full| Receiver {
            tenant: "acme/prod".parse().unwrap(),
            name: model::SourceName::new("idm").unwrap(),
            delivery: crate::OutgoingDelivery::Poll { token_sha256: Vec::new() },
            issuer: "https://gw.example.com".to_owned(),
            audience: "idm".to_owned(),
            wants: Wants { create: true, put: true, delete: true, asynchronous: true },
            full,
        };
        for (happening, name) in [
            (Happening::Created { version: Version(1) }, "create"),
            (Happening::Changed { version: Version(2) }, "put"),
        ] {
            for (full, data, form, member) in [
                (true, true, "full", "data"),
                (true, false, "notice", "attributes"),
                (false, true, "notice", "attributes"),
                (false, false, "notice", "attributes"),
            ] {
                let told = Told {
                    attributes: vec!["title".to_owned()],
                    data: data.then(Map::new),
                    ..Told::default()
                };
                let claims =
                    claims(&receiver(full), &Outgoing { told, ..outgoing(happening.clone()) }).unwrap();
                let event = &claims["events"][format!("urn:ietf:params:scim:event:prov:{name}:{form}")];
                assert!(event.get(member).is_some(), "{full} {data}: {claims}");
            }
        }
    }

    #[test]
    fn the_end_of_a_request_is_an_operation_of_a_bulk_response() {
        let version = Some(Version(3));
        let done = Happening::Answered { request: request("PUT"), status: 200, version, detail: None };
        let expected = json!({
            "method": "PUT", "bulkId": "b1", "status": "200", "location": "/Users/8d1f", "version": "W/\"3\"",
        });
        assert_eq!(answered(&outgoing(done)), expected);
        let detail = Some("INVALID_FIELD".to_owned());
        let failed = Happening::Answered { request: request("POST"), status: 400, version: None, detail };
        let told = answered(&outgoing(failed));
        assert_eq!((&told["status"], &told["response"]["detail"]), (&json!("400"), &json!("INVALID_FIELD")));
        assert_eq!(told.get("location"), None, "there is nothing");
    }
}
