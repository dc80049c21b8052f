//! What a token request says: in its body, in its query (`HelloID` sends everything there) and in `Authorization: Basic`.

use std::borrow::Cow;

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::{Engine, engine::general_purpose::STANDARD};
use url::form_urlencoded;

use crate::percent;

/// The parameters of a token request. Cannot be printed: they are secrets.
#[derive(Default)]
pub(super) struct Parameters {
    pub grant_type: Option<String>,
    pub client_id: Option<String>,
    pub client_secret: Option<String>,
    pub username: Option<String>,
    pub password: Option<String>,
    /// Whether the client named itself in `Authorization`: then a refusal challenges it there (RFC 6749 §5.2).
    pub basic: bool,
}

/// A parameter has two values: the name of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ambiguous(pub &'static str);

impl Parameters {
    /// Reads the three places. What none of them knows, such as `scope`, is ignored; an empty value is none (RFC 6749
    /// §3.2).
    ///
    /// # Errors
    ///
    /// [`Ambiguous`] for a parameter with two different values.
    pub fn read(query: &str, body: &[u8], headers: &HeaderMap) -> Result<Self, Ambiguous> {
        let mut parameters = Self::default();
        for text in [query.as_bytes(), body] {
            for (name, value) in form_urlencoded::parse(text) {
                parameters.set(&name, value)?;
            }
        }
        if let Some((id, secret)) = basic(headers) {
            parameters.basic = true;
            parameters.set("client_id", Cow::Owned(id))?;
            parameters.set("client_secret", Cow::Owned(secret))?;
        }
        Ok(parameters)
    }

    fn set(&mut self, name: &str, value: Cow<'_, str>) -> Result<(), Ambiguous> {
        let (name, place) = match name {
            "grant_type" => ("grant_type", &mut self.grant_type),
            "client_id" => ("client_id", &mut self.client_id),
            "client_secret" => ("client_secret", &mut self.client_secret),
            "username" => ("username", &mut self.username),
            "password" => ("password", &mut self.password),
            _ => return Ok(()),
        };
        match place {
            _ if value.is_empty() => Ok(()),
            Some(before) if *before != value => Err(Ambiguous(name)),
            _ => {
                *place = Some(value.into_owned());
                Ok(())
            }
        }
    }
}

/// Client id and secret of `Authorization: Basic`. Any other scheme says nothing here: `HelloID`'s HTTP client may repeat
/// an old token.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    let (scheme, text) = header.split_once(char::is_whitespace)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((form_decoded(id), form_decoded(secret)))
}

/// RFC 6749 §2.3.1 has both encoded like a form before they are joined, which many clients leave out: a text without a
/// `%XX` is taken as it stands, so that a `+` of a raw secret stays one.
fn form_decoded(text: &str) -> String {
    match percent::decode(&text.replace('+', " ")) {
        Some(decoded) if text.contains('%') => decoded.into_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn read(query: &str, body: &str, authorization: Option<&str>) -> Result<[Option<String>; 5], Ambiguous> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        let read = Parameters::read(query, body.as_bytes(), &headers)?;
        Ok([read.grant_type, read.client_id, read.client_secret, read.username, read.password])
    }

    fn some(texts: [&str; 5]) -> [Option<String>; 5] {
        texts.map(|text| (!text.is_empty()).then(|| text.to_owned()))
    }

    #[test]
    fn c11_parameters_are_read_from_the_query_the_body_and_both() {
        let all = "grant_type=password&client_id=3MVG9.aBcD&client_secret=0F9E&username=h%40acme.example&password=Winter!2026";
        let expected = some(["password", "3MVG9.aBcD", "0F9E", "h@acme.example", "Winter!2026"]);
        assert_eq!(read(all, "", None).as_ref(), Ok(&expected));
        assert_eq!(read("", all, None).as_ref(), Ok(&expected));
        assert_eq!(read(all, all, None).as_ref(), Ok(&expected), "the same twice is once");
        let (first, second) = all.split_at(all.find("&username").unwrap());
        assert_eq!(read(first, &second[1..], None).as_ref(), Ok(&expected));
    }

    #[test]
    fn c11_two_different_values_are_refused_wherever_they_stand() {
        assert_eq!(read("client_id=a", "client_id=b", None), Err(Ambiguous("client_id")));
        assert_eq!(read("", "password=a&password=b", None), Err(Ambiguous("password")));
        assert_eq!(read("client_id=b", "", Some("Basic YTpz")), Err(Ambiguous("client_id")));
        assert!(read("scope=a&scope=b", "scope=c", None).is_ok(), "what is not read cannot be ambiguous");
    }

    #[test]
    fn an_empty_value_is_none() {
        assert_eq!(read("client_id=&client_secret", "client_id=a", None), Ok(some(["", "a", "", "", ""])));
    }

    #[test]
    fn a_client_may_name_itself_by_basic_encoded_or_not() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (text, id, secret) in [
            ("a:s", "a", "s"),
            ("a:s:t", "a", "s:t"),
            ("a:s+t", "a", "s+t"),
            ("a:s%2Bt", "a", "s+t"),
            ("a%3Ab:s+%C3%A9", "a:b", "s é"),
            ("a:100%", "a", "100%"),
        ] {
            assert_eq!(read("", "", Some(&basic(text))), Ok(some(["", id, secret, "", ""])), "{text}");
        }
        for header in ["Bearer abc", "Basic", "Basic !!!", "Basic YQ=="] {
            assert_eq!(read("", "", Some(header)), Ok(some([""; 5])), "{header}");
        }
    }
}
