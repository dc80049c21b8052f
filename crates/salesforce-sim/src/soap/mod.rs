//! `/services/Soap/u/66.0` (partner WSDL) and `/services/Soap/c/66.0` (enterprise): one endpoint each, which
//! does what the first element of the body says.
//!
//! To add an operation: a line in [`OPERATIONS`] and a function that makes its `<result>` elements.

mod convert_lead;
mod envelope;
mod set_password;
mod undelete;
mod user_info;

use serde_json::Value;

pub(crate) use envelope::Element;
use envelope::Envelope;

use crate::{
    World,
    errors::Refusal,
    footprint::Footprint,
    org::{Actor, Org},
    passwords,
    request::{Body, Reply, Usage},
    versions,
};

/// What an operation that needs a session gets.
pub(crate) struct Call<'a> {
    pub(crate) org: &'a mut Org,
    pub(crate) actor: Actor,
    /// The header: `SessionHeader`, `AssignmentRuleHeader`, `AllOrNoneHeader`, ...
    pub(crate) header: &'a Element,
    /// The element that names the operation; its children are the arguments.
    pub(crate) operation: &'a Element,
}

/// An operation that needs a session and works on the org.
pub(crate) struct Operation {
    name: &'static str,
    /// How many records it writes.
    records: fn(&Element) -> usize,
    /// Makes the `<result>` elements.
    run: fn(&mut Call) -> Result<Vec<Element>, Fault>,
}

const OPERATIONS: &[Operation] = &[
    Operation { name: "convertLead", records: convert_lead::records, run: convert_lead::run },
    Operation { name: "undelete", records: undelete::records, run: undelete::run },
    Operation { name: "setPassword", records: |_| 1, run: set_password::set },
    Operation { name: "resetPassword", records: |_| 1, run: set_password::reset },
    Operation { name: "getUserInfo", records: |_| 0, run: |call| Ok(vec![user_info::result(call)]) },
    Operation { name: "getServerTimestamp", records: |_| 0, run: |call| Ok(vec![timestamp(call)]) },
];

/// Why a call failed as a whole. Refused records are no fault: they stand in their `<result>`.
#[derive(Debug)]
pub(crate) struct Fault {
    kind: &'static str,
    code: String,
    message: String,
}

impl Fault {
    /// `sf:UnexpectedErrorFault`, the kind of all that the WSDL has no kind of its own for.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { kind: "UnexpectedErrorFault", code: code.to_owned(), message: message.into() }
    }
}

impl From<Refusal> for Fault {
    /// A refusal of the data API in the words of SOAP, which has texts of its own for sessions.
    fn from(refusal: Refusal) -> Self {
        match refusal.code.as_ref() {
            "INVALID_SESSION_ID" | "INVALID_AUTH_HEADER" => Self::new(
                "INVALID_SESSION_ID",
                "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session hash",
            ),
            code => Self::new(code, refusal.message.clone()),
        }
    }
}

/// A call that could be read.
pub(crate) struct Parsed {
    envelope: Envelope,
    api: Api,
    version: u16,
}

/// Which WSDL the caller was made from.
#[derive(Clone, Copy)]
pub(crate) enum Api {
    Partner,
    Enterprise,
}

impl Api {
    /// From the letter in the path.
    pub(crate) fn of(letter: &str) -> Option<Self> {
        match letter {
            "u" => Some(Self::Partner),
            "c" => Some(Self::Enterprise),
            _ => None,
        }
    }

    fn letter(self) -> char {
        match self {
            Self::Partner => 'u',
            Self::Enterprise => 'c',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Partner => "partner",
            Self::Enterprise => "enterprise",
        }
    }
}

/// Reads a call. `version` is the path's `66.0`.
pub(crate) fn read(api: Api, version: &str, method: &str, body: &[u8]) -> Result<Parsed, Fault> {
    let version = versions::supported(&format!("v{version}"))
        .ok_or_else(|| Fault::new("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL"))?;
    if method != "POST" {
        return Err(Fault::new("INVALID_OPERATION", "SOAP requests are HTTP POST"));
    }
    let text = std::str::from_utf8(body)
        .map_err(|_| Fault::new("INVALID_OPERATION", "the message is no valid UTF-8"))?;
    let envelope = envelope::read(text).map_err(|why| Fault::new("INVALID_OPERATION", why))?;
    Ok(Parsed { envelope, api, version })
}

impl Parsed {
    /// The name of the operation.
    pub(crate) fn operation(&self) -> &str {
        &self.envelope.operation.name
    }

    /// Where faults look for it, behind `/services`: `/Soap/u/66.0/convertLead`.
    pub(crate) fn path(&self) -> [String; 4] {
        let letter = self.api.letter().to_string();
        ["Soap".into(), letter, format!("{}.0", self.version), self.operation().to_owned()]
    }

    /// The session of the `SessionHeader`.
    pub(crate) fn session(&self) -> Option<&str> {
        self.envelope.header.child("SessionHeader").and_then(|header| header.value("sessionId"))
    }

    /// What the operation is, if it is one that works on the org.
    pub(crate) fn find(&self) -> Result<&'static Operation, Fault> {
        let name = self.operation();
        OPERATIONS.iter().find(|operation| operation.name == name).ok_or_else(|| {
            let message = format!("no operation available for request {name}");
            Fault::new("INVALID_OPERATION", message)
        })
    }

    /// What the operation will touch: the records whose ids stand in its arguments.
    pub(crate) fn footprint(&self, operation: &Operation) -> Footprint {
        let records = (operation.records)(&self.envelope.operation);
        let mut footprint = Footprint { records, writes: records, ..Footprint::default() };
        if records > 0 {
            self.envelope.operation.ids(&mut footprint.locks);
        }
        footprint
    }

    /// Carries an operation out, as one transaction.
    pub(crate) fn run(&self, operation: &Operation, org: &mut Org, actor: Actor, usage: Usage) -> Reply {
        let mark = org.mark();
        let mut call =
            Call { org, actor, header: &self.envelope.header, operation: &self.envelope.operation };
        let done = (operation.run)(&mut call);
        if done.is_err() {
            org.roll_back(mark);
        }
        org.commit();
        match done {
            Ok(results) => self.answer(&[limit_info(usage)], &results),
            Err(fault) => self.fault(&fault),
        }
    }

    /// `login`: username and password for a session.
    pub(crate) fn login(&self, world: &World, base: &str) -> Reply {
        match self.try_login(world, base) {
            Ok(result) => self.answer(&[], &[result]),
            Err(fault) => self.fault(&fault),
        }
    }

    fn try_login(&self, world: &World, base: &str) -> Result<Element, Fault> {
        let org = world.org();
        if self.version > org.switches.soap_login_newest {
            let message = format!("login() is not available in API version {}.0", self.version);
            return Err(Fault::new("UNSUPPORTED_API_VERSION", message));
        }
        let text = |name: &str| self.envelope.operation.value(name).unwrap_or_default();
        let user = passwords::check(&org, text("username"), text("password")).map_err(|refused| Fault {
            kind: "LoginFault",
            code: refused.soap_code().to_owned(),
            message: refused.soap_message().to_owned(),
        })?;
        let session = world.oauth.log_in(&org, user, world.now()).map_err(|refused| Fault {
            kind: "LoginFault",
            code: "INVALID_LOGIN".into(),
            message: refused.1.into(),
        })?;
        let instance = org.switches.instance_url.as_deref().unwrap_or(base);
        let soap =
            |letter| format!("{instance}/services/Soap/{letter}/{}.0/{}", self.version, org.id.short());
        let info = user_info::of(&org, user);
        Ok(Element::new("result")
            .with("metadataServerUrl", soap('m'))
            .with("passwordExpired", "false")
            .with("sandbox", org.is_sandbox().to_string())
            .with("serverUrl", soap(self.api.letter()))
            .with("sessionId", session)
            .with("userId", user.to_string())
            .with_child(Element { name: "userInfo".into(), ..info }))
    }

    /// `logout`: ends the session it is called with.
    pub(crate) fn logout(&self, world: &World) -> Reply {
        world.oauth.end(self.session().unwrap_or_default());
        self.answer(&[], &[])
    }

    fn answer(&self, header: &[Element], results: &[Element]) -> Reply {
        let namespace = format!("urn:{}.soap.sforce.com", self.api.name());
        xml(200, envelope::write(&namespace, header, self.operation(), results))
    }

    /// A fault of this call.
    pub(crate) fn fault(&self, fault: &Fault) -> Reply {
        fault_reply(self.api, fault)
    }
}

/// A fault: HTTP 500, whatever it is.
pub(crate) fn fault_reply(api: Api, fault: &Fault) -> Reply {
    let namespace = format!("urn:fault.{}.soap.sforce.com", api.name());
    xml(500, envelope::write_fault(&namespace, fault.kind, &fault.code, &fault.message))
}

fn xml(status: u16, text: String) -> Reply {
    Reply { status, body: Body::Text("text/xml;charset=UTF-8", text), headers: Vec::new() }
}

/// `LimitInfoHeader`: SOAP's `Sforce-Limit-Info`.
fn limit_info(usage: Usage) -> Element {
    let info = Element::new("limitInfo")
        .with("current", usage.used.to_string())
        .with("limit", usage.max.to_string())
        .with("type", "API REQUESTS");
    Element::new("LimitInfoHeader").with_child(info)
}

fn timestamp(call: &Call) -> Element {
    let now = jiff::Timestamp::from_millisecond(call.actor.now).unwrap_or_default();
    Element::new("result").with("timestamp", format!("{now:.3}"))
}

/// A field as SOAP writes it; `None` for null.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
