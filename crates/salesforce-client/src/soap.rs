//! SOAP 1.1 as the partner WSDL has it (SOAP API Developer Guide), for what REST has no resource for. Pure.
//!
//! Elements are read by their local names: prefixes are the sender's affair. A fault becomes the same refusal that REST
//! would have sent, so that what may be done about it is decided in one place.

use quick_xml::{
    Reader, XmlVersion,
    escape::{escape, resolve_predefined_entity},
    events::{BytesStart, Event},
};
use salesforce_types::{RecordId, Refusal};

use crate::{
    answer::{self, Trouble, refused},
    limits::ApiUsage,
    transport::Answer,
};

/// Answers have a handful of levels.
const MAX_DEPTH: usize = 64;

/// An element, by its local name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    name: String,
    /// `xsi:nil="true"`
    nil: bool,
    text: String,
    children: Vec<Element>,
}

impl Element {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Adds a child with this text.
    pub(crate) fn with(self, name: &str, text: impl Into<String>) -> Self {
        self.with_child(Self { text: text.into(), ..Self::new(name) })
    }

    /// The same, or a child that says that there is none.
    pub(crate) fn with_some(self, name: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.with(name, text),
            None => self.with_child(Self { nil: true, ..Self::new(name) }),
        }
    }

    pub(crate) fn with_child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    fn child(&self, name: &str) -> Option<&Self> {
        self.all(name).next()
    }

    /// The text of a child; `None` where there is none, or it is nil.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.child(name).filter(|child| !child.nil).map(|child| child.text.as_str())
    }

    fn write(&self, out: &mut String) {
        out.extend(["<", &self.name]);
        if self.nil {
            out.push_str(" xsi:nil=\"true\"/>");
            return;
        }
        out.push('>');
        out.push_str(&escape(&self.text));
        for child in &self.children {
            child.write(out);
        }
        out.extend(["</", &self.name, ">"]);
    }
}

/// Whether XML can hold a text (XML 1.0 §2.2): most control characters it cannot hold in any form.
pub(crate) fn can_hold(text: &str) -> bool {
    text.chars().all(|character| {
        matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    })
}

/// The envelope of a call. What REST says in headers stands in it: who calls, and the session.
pub(crate) fn write(session: &str, operation: &Element) -> Vec<u8> {
    let header = [
        Element::new("SessionHeader").with("sessionId", session),
        Element::new("CallOptions").with("client", "Gangway"),
        Element::new("AllOrNoneHeader").with("allOrNone", "false"),
    ];
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"urn:partner.soap.sforce.com\">\
         <soapenv:Header>",
    );
    for element in &header {
        element.write(&mut out);
    }
    out.push_str("</soapenv:Header><soapenv:Body>");
    operation.write(&mut out);
    out.push_str("</soapenv:Body></soapenv:Envelope>");
    out.into_bytes()
}

/// What an operation that was carried out answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Results {
    /// One for each argument, in order.
    pub(crate) results: Vec<Element>,
    /// `LimitInfoHeader`, which SOAP has in place of `Sforce-Limit-Info`.
    pub(crate) usage: Option<ApiUsage>,
}

/// Sorts an answer as [`answer::judge`] does. A fault comes with status 500, whatever it is.
pub(crate) fn judge(answer: Answer) -> Result<Results, Trouble> {
    let envelope = std::str::from_utf8(&answer.body).ok().and_then(read);
    let body = envelope.as_ref().and_then(|envelope| envelope.child("Body"));
    if let Some(fault) = body.and_then(|body| body.child("Fault")) {
        return Err(refused(fault_refusal(fault)));
    }
    let status = answer::judge(answer)?.status;
    let response = body.and_then(|body| body.children.first()).ok_or_else(|| Trouble::Unclear {
        why: format!("status {status}, but the answer is none of Salesforce's"),
    })?;
    let usage = envelope.as_ref().and_then(|envelope| usage(envelope.child("Header")?));
    Ok(Results { results: response.all("result").cloned().collect(), usage })
}

fn usage(header: &Element) -> Option<ApiUsage> {
    let info = header.child("LimitInfoHeader")?;
    let info = info.all("limitInfo").find(|info| info.value("type") == Some("API REQUESTS"))?;
    let number = |name: &str| info.value(name)?.trim().parse().ok();
    Some(ApiUsage { used: number("current")?, max: number("limit")? })
}

/// A fault in the words of REST, with the status that REST has for the code.
fn fault_refusal(fault: &Element) -> Refusal {
    let detail = fault.child("detail").and_then(|detail| detail.children.first());
    let said = |name: &str| detail.and_then(|detail| detail.value(name));
    let code = said("exceptionCode").or_else(|| fault.value("faultcode")).unwrap_or_default();
    // `sf:INVALID_SESSION_ID`; the prefix is the sender's.
    let code = code.rsplit(':').next().unwrap_or_default().trim().to_owned();
    let message = said("exceptionMessage").or_else(|| fault.value("faultstring")).unwrap_or_default();
    let status = match code.as_str() {
        "INVALID_SESSION_ID" => 401,
        // Whoever is in the call, they all get the same answer.
        "REQUEST_LIMIT_EXCEEDED"
        | "API_DISABLED_FOR_ORG"
        | "API_CURRENTLY_DISABLED"
        | "ORG_LOCKED"
        | "INSUFFICIENT_ACCESS"
        | "INSUFFICIENT_ACCESS_OR_READONLY"
        | "CLIENT_NOT_ACCESSIBLE_FOR_USER"
        | "FUNCTIONALITY_NOT_ENABLED" => 403,
        "UNSUPPORTED_API_VERSION" => 410,
        // SOAP's own word for what went wrong at the other side.
        "Server" | "UNKNOWN_EXCEPTION" | "" => 500,
        "SERVER_UNAVAILABLE" => 503,
        _ => 400,
    };
    Refusal { status, code, message: message.to_owned(), fields: Vec::new(), records: Vec::new() }
}

/// Why a `result` is no success: the first of its errors.
pub(crate) fn refusal(result: &Element) -> Option<Refusal> {
    let error = result.child("errors").filter(|error| !error.nil)?;
    let message = error.value("message").unwrap_or_default().to_owned();
    let mut records = answer::records_in(&message);
    let found = error.child("duplicateResult").into_iter().flat_map(|found| found.all("matchResults"));
    let found = found.flat_map(|rule| rule.all("matchRecords")).filter_map(|found| found.child("record"));
    records.extend(found.filter_map(|record| RecordId::parse(record.value("Id")?).ok()));
    Some(Refusal {
        status: 400,
        code: error.value("statusCode")?.to_owned(),
        message,
        fields: error.all("fields").filter(|field| !field.nil).map(|field| field.text.clone()).collect(),
        records,
    })
}

/// Reads a document with `Envelope` at its root; `None` for anything else.
fn read(text: &str) -> Option<Element> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    loop {
        let closed = match reader.read_event().ok()? {
            Event::Start(_) if open.len() == MAX_DEPTH => return None,
            Event::Start(start) => {
                open.push(element(&start)?);
                continue;
            }
            Event::Empty(start) => element(&start)?,
            Event::End(_) => open.pop()?,
            Event::Text(text) => {
                append(&mut open, &text.xml10_content());
                continue;
            }
            Event::CData(text) => {
                append(&mut open, &text.xml10_content());
                continue;
            }
            Event::GeneralRef(entity) => {
                match entity.resolve_char_ref().ok()? {
                    Some(character) => append(&mut open, character.encode_utf8(&mut [0; 4])),
                    None => append(&mut open, resolve_predefined_entity(&entity.xml10_content())?),
                }
                continue;
            }
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => continue,
            // Entities of one's own are how XML is made to blow up.
            Event::DocType(_) | Event::Eof => return None,
        };
        match open.last_mut() {
            Some(parent) => parent.children.push(closed),
            None => return (closed.name == "Envelope").then_some(closed),
        }
    }
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn element(start: &BytesStart) -> Option<Element> {
    let mut element = Element::new(start.local_name().as_ref());
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        if attribute.key.local_name().as_ref() == "nil" {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
            element.nil = matches!(value.as_ref(), "true" | "1");
        }
    }
    Some(element)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, last_modified: None, body: body.into() }
    }

    fn fault(code: &str, message: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:sf=\"urn:fault.partner.soap.sforce.com\"><e:Body><e:Fault><faultcode>sf:{code}</faultcode>\
             <faultstring>{code}: {message}</faultstring><detail><sf:UnexpectedErrorFault>\
             <sf:exceptionCode>{code}</sf:exceptionCode><sf:exceptionMessage>{message}</sf:exceptionMessage>\
             </sf:UnexpectedErrorFault></detail></e:Fault></e:Body></e:Envelope>"
        )
    }

    fn response(header: &str, results: &str) -> String {
        format!(
            "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns=\"urn:partner.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">{header}\
             <soapenv:Body><convertLeadResponse>{results}</convertLeadResponse></soapenv:Body></soapenv:Envelope>"
        )
    }

    #[test]
    fn a_fault_means_what_rest_means_by_its_code() {
        let judged = |body: &str| judge(answer(500, body)).unwrap_err();
        assert_eq!(judged(&fault("INVALID_SESSION_ID", "Invalid Session ID found")), Trouble::Expired);
        assert!(matches!(judged(&fault("SERVER_UNAVAILABLE", "busy")), Trouble::Overloaded(_)));
        assert!(matches!(judged(&fault("UNABLE_TO_LOCK_ROW", "locked")), Trouble::Locked(_)));
        assert!(matches!(judged(&fault("UNKNOWN_EXCEPTION", "id 1")), Trouble::Unclear { .. }));
        match judged(&fault("EXCEEDED_LEAD_CONVERT_LIMIT", "100 &amp; no more")) {
            Trouble::Final(crate::CallError::Refused(refusal)) => {
                assert_eq!((refusal.status, refusal.code.as_str()), (400, "EXCEEDED_LEAD_CONVERT_LIMIT"));
                assert_eq!(refusal.message, "100 & no more");
            }
            other => panic!("{other:?}"),
        }
        let bare = "<Envelope><Body><Fault><faultcode>soapenv:Server</faultcode></Fault></Body></Envelope>";
        assert!(matches!(judged(bare), Trouble::Unclear { .. }));
    }

    #[test]
    fn what_is_no_envelope_proves_nothing() {
        let deep = format!("<Envelope>{}", "<a>".repeat(100));
        let bomb = "<!DOCTYPE x [<!ENTITY a \"b\">]><Envelope><Body><a>&a;</a></Body></Envelope>";
        for body in ["", "<html>", "<Envelope/>", "<Envelope><Body/></Envelope>", "{}", &deep, bomb] {
            for status in [200, 502] {
                let trouble = judge(answer(status, body)).unwrap_err();
                assert!(matches!(trouble, Trouble::Unclear { .. }), "{status} {body}: {trouble:?}");
            }
        }
    }

    #[test]
    fn results_come_with_the_calls_that_are_left() {
        let header = "<soapenv:Header><LimitInfoHeader><limitInfo><current>71</current><limit>5000</limit>\
            <type>API REQUESTS</type></limitInfo></LimitInfoHeader></soapenv:Header>";
        let results = "<result><contactId>0035500001H9cakAAB</contactId><success>true</success></result>\
            <result><contactId xsi:nil=\"true\"/><errors><fields>Status</fields><message>invalid</message>\
            <statusCode>INVALID_STATUS</statusCode></errors><success>false</success></result>";
        let answered = judge(answer(200, &response(header, results))).unwrap();
        assert_eq!(answered.usage, Some(ApiUsage { used: 71, max: 5_000 }));
        assert_eq!(answered.results[0].value("contactId"), Some("0035500001H9cakAAB"));
        assert_eq!(refusal(&answered.results[0]), None);
        assert_eq!(answered.results[1].value("contactId"), None);
        let refusal = refusal(&answered.results[1]).unwrap();
        assert_eq!((refusal.code.as_str(), refusal.fields), ("INVALID_STATUS", vec!["Status".to_owned()]));
    }

    #[test]
    fn the_records_that_a_duplicate_rule_found_are_named() {
        let results = "<result><errors xsi:type=\"DuplicateError\"><message>Use one of these records?</message>\
            <statusCode>DUPLICATES_DETECTED</statusCode><duplicateResult><matchResults><matchRecords>\
            <record xmlns:sf=\"urn:sobject.partner.soap.sforce.com\"><sf:type>Contact</sf:type>\
            <sf:Id>0035500001H9cak</sf:Id></record></matchRecords></matchResults></duplicateResult></errors></result>";
        let answered = judge(answer(200, &response("", results))).unwrap();
        let refusal = refusal(&answered.results[0]).unwrap();
        assert_eq!(refusal.records, [RecordId::parse("0035500001H9cakAAB").unwrap()]);
    }

    proptest! {
        #[test]
        fn any_text_that_xml_can_hold_arrives_as_it_was(text in any::<String>(), odd in "[<>&'\"\r\n\t ;\\]a]{0,12}") {
            for text in [text.replace(|c: char| !can_hold(&c.to_string()), ""), odd] {
                let operation = Element::new("do").with("a", &*text).with_some("b", None).with_some("c", Some(&text));
                let envelope = write(&text, &operation);
                let read = read(std::str::from_utf8(&envelope).unwrap()).unwrap();
                prop_assert_eq!(&read.child("Body").unwrap().children[0], &operation);
                let session = read.child("Header").unwrap().child("SessionHeader").unwrap();
                prop_assert_eq!(session.value("sessionId"), Some(text.as_str()));
            }
        }

        #[test]
        fn what_xml_cannot_hold_is_known(code in 0_u32..0x11_0000) {
            let Some(character) = char::from_u32(code) else { return Ok(()) };
            let is_control = code < 0x20 && !matches!(character, '\t' | '\n' | '\r');
            prop_assert_eq!(can_hold(&character.to_string()), !(is_control || matches!(code, 0xfffe | 0xffff)));
        }

        #[test]
        fn nothing_makes_the_reader_panic(text in "[<>/a-cEnvelop:=\"' &;#x!\\[\\]-]{0,60}") {
            let _ = read(&text);
        }
    }
}
