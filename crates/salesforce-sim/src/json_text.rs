//! What a body that is no JSON is told: the words of the parser that Salesforce uses, Jackson.

use serde_json::{Value, error::Category};

use crate::errors::Refusal;

/// Reads the body of a call.
pub(crate) fn parse(text: &str) -> Result<Value, Refusal> {
    serde_json::from_str(text).map_err(|error| {
        let reason = reason(text, &error);
        Refusal::json(format!("{reason} at [line:{}, column:{}]", error.line(), error.column()))
    })
}

/// The sentence about the colon is quoted from a real org; the others are what the same parser says.
fn reason(text: &str, error: &serde_json::Error) -> String {
    let full = error.to_string();
    let own = full.split(" at line ").next().unwrap_or_default();
    if error.classify() == Category::Eof {
        return match own {
            "EOF while parsing an object" => "Unexpected end-of-input: expected close marker for OBJECT",
            "EOF while parsing a list" => "Unexpected end-of-input: expected close marker for ARRAY",
            _ => "Unexpected end-of-input",
        }
        .to_owned();
    }
    let Some(character) = character(text, error) else { return own.to_owned() };
    let expected = match (own, character) {
        ("expected `:`", _) => "was expecting a colon to separate field name and value",
        ("expected `,` or `}`", _) => "was expecting comma to separate OBJECT entries",
        ("expected `,` or `]`", _) => "was expecting comma to separate ARRAY entries",
        ("key must be a string", _) | ("trailing comma", '}') => {
            "was expecting double-quote to start field name"
        }
        ("expected value" | "trailing comma", _) => {
            "expected a valid value (number, String, array, object, 'true', 'false' or 'null')"
        }
        _ => return own.to_owned(),
    };
    format!("Unexpected character ('{character}' (code {})): {expected}", u32::from(character))
}

/// The character that the error is about; its column counts bytes, from one.
fn character(text: &str, error: &serde_json::Error) -> Option<char> {
    let line = text.split('\n').nth(error.line().checked_sub(1)?)?;
    line.get(error.column().checked_sub(1)?..)?.chars().next()
}
