//! What somebody can choose about.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Something that a person can choose about: `purpose:newsletter`, `channel:email`, `preference:newsletter/topics`. A channel below
/// a purpose, as old events have it, is `channel:newsletter/email`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Part {
    /// A purpose.
    Purpose(String),
    /// A channel, of all purposes or of one.
    Channel(String),
    /// A preference of a purpose.
    Preference(String, String),
}

/// A text that names no part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of purpose:ID, channel:ID, preference:PURPOSE/ID and event:created_at")]
pub struct BadPart(String);

impl Part {
    /// A preference of a purpose.
    pub(super) fn preference(purpose: &str, id: &str) -> Self {
        Self::Preference(purpose.to_owned(), id.to_owned())
    }
}

impl FromStr for Part {
    type Err = BadPart;

    fn from_str(text: &str) -> Result<Self, BadPart> {
        let bad = || BadPart(text.to_owned());
        let (kind, id) = text.split_once(':').filter(|(_, id)| !id.trim().is_empty()).ok_or_else(bad)?;
        match kind {
            "purpose" => Ok(Self::Purpose(id.to_owned())),
            "channel" => Ok(Self::Channel(id.to_owned())),
            "preference" => match id.split_once('/') {
                Some((purpose, id)) if !purpose.is_empty() && !id.is_empty() => {
                    Ok(Self::preference(purpose, id))
                }
                _ => Err(bad()),
            },
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Purpose(id) => write!(f, "purpose:{id}"),
            Self::Channel(id) => write!(f, "channel:{id}"),
            Self::Preference(purpose, id) => write!(f, "preference:{purpose}/{id}"),
        }
    }
}

impl From<Part> for String {
    fn from(part: Part) -> Self {
        part.to_string()
    }
}

impl TryFrom<String> for Part {
    type Error = BadPart;

    fn try_from(text: String) -> Result<Self, BadPart> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_as_it_is_written() {
        for text in
            ["purpose:newsletter", "channel:email", "channel:newsletter/email", "preference:news/topics/a"]
        {
            assert_eq!(text.parse::<Part>().unwrap().to_string(), text);
        }
        for bad in
            ["", "purpose", "purpose:", "preference:news", "preference:/a", "vendor:x", "event:created_at"]
        {
            assert!(bad.parse::<Part>().is_err(), "{bad}");
        }
    }
}
