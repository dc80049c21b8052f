//! How answers of the OAuth endpoints are written: JSON, XML or form.

use quick_xml::escape::escape;
use serde_json::{Map, Value, json};

use super::{Refused, TokenCall};
use crate::request::{Body, Reply};

/// The format that the caller asked for, by parameter or by `Accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Xml,
    Form,
}

impl Format {
    fn of(call: &TokenCall, default: Self) -> Self {
        let accept = call.accept.unwrap_or_default();
        match call.get("format") {
            Some("json") => Self::Json,
            Some("xml") => Self::Xml,
            Some("urlencoded") => Self::Form,
            None if accept.starts_with("application/json") => Self::Json,
            None if accept.starts_with("application/xml") => Self::Xml,
            None if accept.starts_with("application/x-www-form-urlencoded") => Self::Form,
            _ => default,
        }
    }
}

/// An answer of one level.
pub(super) fn write(call: &TokenCall, status: u16, body: Map<String, Value>) -> Reply {
    write_as(Format::of(call, Format::Json), status, body)
}

fn write_as(format: Format, status: u16, body: Map<String, Value>) -> Reply {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let written = match format {
        Format::Json => Body::Json(Value::Object(body)),
        Format::Xml => {
            let elements: Vec<String> = body
                .iter()
                .map(|(name, value)| format!("<{name}>{}</{name}>", escape(text(value))))
                .collect();
            let xml =
                format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><OAuth>{}</OAuth>", elements.concat());
            Body::Text("application/xml;charset=UTF-8", xml)
        }
        Format::Form => {
            let pairs = body.iter().map(|(name, value)| (name, text(value)));
            let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            Body::Text("application/x-www-form-urlencoded;charset=UTF-8", form)
        }
    };
    Reply { status, body: written, headers: Vec::new() }
}

/// An error: 400, with an object of two keys.
pub(super) fn refuse(call: &TokenCall, refused: &Refused) -> Reply {
    write(call, 400, error(refused))
}

/// An error of `revoke`, which is a form unless the caller asks for something else: `jsforce` reads it so.
pub(super) fn refuse_revoking(call: &TokenCall, refused: &Refused) -> Reply {
    write_as(Format::of(call, Format::Form), 400, error(refused))
}

fn error(Refused(error, description): &Refused) -> Map<String, Value> {
    let pair = [("error", error), ("error_description", description)];
    pair.map(|(name, text)| (name.to_owned(), json!(text))).into_iter().collect()
}

/// JSONP: the answer as the argument of a function, always 200 because a script tag sees no status.
pub(super) fn script(function: &str, reply: Reply) -> Reply {
    let argument = match reply.body {
        Body::Empty => "{}".to_owned(),
        body => body.into_json().to_string(),
    };
    let script = format!("{function}({argument});");
    Reply {
        status: 200,
        body: Body::Text("application/javascript;charset=UTF-8", script),
        headers: Vec::new(),
    }
}
