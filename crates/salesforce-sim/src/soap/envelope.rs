//! SOAP 1.1 envelopes: a small tree of elements, read without regard to prefixes and written with those
//! that Salesforce uses, because some clients look for `sf:exceptionCode` as text.

use std::collections::BTreeSet;

use quick_xml::{
    Reader, XmlVersion,
    escape::{escape, resolve_predefined_entity},
    events::{BytesStart, Event},
};

use crate::{ids::Id, locks::Lock};

/// Deeper bodies are refused: no operation has more levels than a handful.
const MAX_DEPTH: usize = 64;

/// An element, by its local name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    /// The local name in `xsi:type`.
    pub(crate) kind: Option<String>,
    /// `xsi:nil="true"`
    pub(crate) nil: bool,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// An element without content.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Adds a child that has this text.
    pub(crate) fn with(mut self, name: &str, text: impl Into<String>) -> Self {
        self.children.push(Self { text: text.into(), ..Self::new(name) });
        self
    }

    /// Adds a child that has this text, or `xsi:nil` where there is none.
    pub(crate) fn with_some(mut self, name: &str, text: Option<String>) -> Self {
        let nil = text.is_none();
        self.children.push(Self { text: text.unwrap_or_default(), nil, ..Self::new(name) });
        self
    }

    /// Adds a child.
    pub(crate) fn with_child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// The first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of this name; `None` if there is no such child, or it is nil.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.child(name).filter(|child| !child.nil).map(|child| child.text.as_str())
    }

    /// Every record id below this element.
    pub(super) fn ids(&self, found: &mut BTreeSet<Lock>) {
        found.extend(Id::parse(&self.text).map(Lock::Row));
        self.children.iter().for_each(|child| child.ids(found));
    }

    fn write(&self, out: &mut String) {
        // The one namespace that the type of an answer may come from is that of the faults.
        let kind = self.kind.as_ref().map(|kind| format!(" xsi:type=\"{}\"", escape(kind.as_str())));
        let nil = if self.nil { " xsi:nil=\"true\"" } else { "" };
        let opening = [self.name.as_str(), kind.as_deref().unwrap_or_default(), nil];
        out.push('<');
        out.extend(opening);
        if self.nil || (self.text.is_empty() && self.children.is_empty()) {
            out.push_str("/>");
            return;
        }
        out.push('>');
        out.push_str(&escape(self.text.as_str()));
        for child in &self.children {
            child.write(out);
        }
        out.extend(["</", &self.name, ">"]);
    }
}

/// What a caller sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// The elements of the header; empty if there is none.
    pub(crate) header: Element,
    /// The first element of the body: the operation.
    pub(crate) operation: Element,
}

/// Reads an envelope; the error is a reason for people.
pub(crate) fn read(text: &str) -> Result<Envelope, String> {
    let mut root = tree(text)?;
    if root.name != "Envelope" {
        return Err(format!("expected the element Envelope, found {}", root.name));
    }
    let mut take = |name: &str| {
        let at = root.children.iter().position(|child| child.name == name)?;
        Some(root.children.swap_remove(at))
    };
    let header = take("Header").unwrap_or_else(|| Element::new("Header"));
    let body = take("Body").ok_or("the envelope has no Body")?;
    let operation = body.children.into_iter().next().ok_or("the Body has no operation")?;
    Ok(Envelope { header, operation })
}

fn tree(text: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        let closed = match event {
            Event::Start(start) => {
                if open.len() == MAX_DEPTH {
                    return Err("elements are nested too deeply".into());
                }
                open.push(element(&start)?);
                continue;
            }
            Event::Empty(start) => element(&start)?,
            Event::End(_) => open.pop().ok_or("an element ends that did not begin")?,
            Event::Text(text) => {
                append(&mut open, &text.xml10_content());
                continue;
            }
            Event::CData(text) => {
                append(&mut open, &text.xml10_content());
                continue;
            }
            Event::GeneralRef(entity) => {
                let character = entity.resolve_char_ref().map_err(|error| error.to_string())?;
                let name = entity.xml10_content();
                match (character, resolve_predefined_entity(&name)) {
                    (Some(character), _) => append(&mut open, character.encode_utf8(&mut [0; 4])),
                    (None, Some(text)) => append(&mut open, text),
                    (None, None) => return Err(format!("the entity {name} is not known")),
                }
                continue;
            }
            // Entities of one's own are how XML is made to blow up.
            Event::DocType(_) => return Err("a document type is not allowed".into()),
            Event::Eof => return Err("the document is not complete".into()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => continue,
        };
        let closed = finished(closed);
        match open.last_mut() {
            Some(parent) => parent.children.push(closed),
            None => return Ok(closed),
        }
    }
}

/// White space between elements is no text.
fn finished(mut element: Element) -> Element {
    if !element.children.is_empty() {
        element.text.clear();
    }
    element
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn element(start: &BytesStart) -> Result<Element, String> {
    let local = |name: &str| name.rsplit(':').next().unwrap_or_default().to_owned();
    let mut element = Element::new(&local(start.name().as_ref()));
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
        match local(attribute.key.as_ref()).as_str() {
            "type" => element.kind = Some(local(&value)),
            "nil" => element.nil = matches!(value.as_ref(), "true" | "1"),
            _ => {}
        }
    }
    Ok(element)
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// An answer: header elements, and the results of an operation.
pub(crate) fn write(namespace: &str, header: &[Element], operation: &str, results: &[Element]) -> String {
    let inside = |elements: &[Element]| {
        elements.iter().fold(String::new(), |mut text, element| {
            element.write(&mut text);
            text
        })
    };
    let header = match header {
        [] => String::new(),
        header => format!("<soapenv:Header>{}</soapenv:Header>", inside(header)),
    };
    format!(
        "{DECLARATION}<soapenv:Envelope xmlns:soapenv=\"{SOAP}\" xmlns=\"{namespace}\" xmlns:xsi=\"{INSTANCE}\">\
         {header}<soapenv:Body><{operation}Response>{}</{operation}Response></soapenv:Body></soapenv:Envelope>",
        inside(results)
    )
}

/// A fault, in the recorded form: the code twice and the message twice.
pub(crate) fn write_fault(namespace: &str, kind: &str, code: &str, message: &str) -> String {
    let (code, message) = (escape(code), escape(message));
    format!(
        "{DECLARATION}<soapenv:Envelope xmlns:soapenv=\"{SOAP}\" xmlns:sf=\"{namespace}\" xmlns:xsi=\"{INSTANCE}\">\
         <soapenv:Body><soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring>\
         <detail><sf:{kind} xsi:type=\"sf:{kind}\"><sf:exceptionCode>{code}</sf:exceptionCode>\
         <sf:exceptionMessage>{message}</sf:exceptionMessage></sf:{kind}></detail>\
         </soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prefixes_do_not_matter_and_entities_are_read() {
        let text = r#"<?xml version="1.0" encoding="utf-8" ?>
            <env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="x">
              <env:Header><urn:SessionHeader><urn:sessionId>00D!a</urn:sessionId></urn:SessionHeader></env:Header>
              <env:Body><n1:login xmlns:n1="urn:partner.soap.sforce.com">
                <n1:username>a&amp;b&#64;example.com</n1:username><n1:password><![CDATA[<p>]]></n1:password>
                <n1:none xsi:nil="true"/><n1:typed xsi:type="ns:Lead">x</n1:typed>
              </n1:login></env:Body>
            </env:Envelope>"#;
        let envelope = read(text).unwrap();
        assert_eq!(envelope.header.child("SessionHeader").unwrap().value("sessionId"), Some("00D!a"));
        assert_eq!(envelope.operation.name, "login");
        assert_eq!(envelope.operation.value("username"), Some("a&b@example.com"));
        assert_eq!(envelope.operation.value("password"), Some("<p>"));
        assert_eq!(envelope.operation.value("none"), None);
        assert_eq!(envelope.operation.child("typed").unwrap().kind.as_deref(), Some("Lead"));
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        let deep = format!("<Envelope>{}", "<a>".repeat(100));
        let bomb = "<!DOCTYPE x [<!ENTITY a \"b\">]><Envelope><Body><a>&a;</a></Body></Envelope>";
        for text in ["", "<a", "<Body/>", "<Envelope/>", "<Envelope><Body/></Envelope>", "{}", &deep, bomb] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_fault_has_the_recorded_form() {
        let fault =
            write_fault("urn:fault.partner.soap.sforce.com", "LoginFault", "INVALID_LOGIN", "No & never");
        assert!(fault.contains("<faultcode>sf:INVALID_LOGIN</faultcode>"));
        assert!(fault.contains("<faultstring>INVALID_LOGIN: No &amp; never</faultstring>"));
        assert!(fault.contains("<sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode>"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            text in "[ -~éß漢]{1,40}",
            other in "[<>&\"'a-z]{1,40}",
        ) {
            let result = Element::new("result").with("a", &text).with("b", &other).with_some("c", None);
            let envelope = read(&write("urn:x", &[], "do", std::slice::from_ref(&result))).unwrap();
            prop_assert_eq!(&envelope.operation.children[0], &result);
        }
    }
}
