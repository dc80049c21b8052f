//! `email`: mail addresses as Salesforce takes them.

use scim_types::Resource;
use serde_json::Value;

use super::Normalised;
use crate::note::NoteCode;

/// A mail address, if Salesforce takes it. Case is kept.
pub(super) fn of_text(text: &str) -> Normalised {
    match check(text) {
        Ok(()) => Normalised::Value(text.to_owned()),
        Err(why) => Normalised::Refused(format!("`{text}` is no mail address that Salesforce takes: {why}")),
    }
}

/// The address of a person: of `emails` the primary one, else the first for work, else the first; else `userName` if it
/// is an address.
pub(super) fn of_user(user: &Resource) -> Normalised {
    let emails = user.get("emails").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let value = crate::source::leading(emails).and_then(|email| email.get("value")).and_then(Value::as_str);
    if let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) {
        return of_text(value);
    }
    match user.user_name().map(str::trim) {
        Some(name) if check(name).is_ok() => Normalised::Adapted(
            name.to_owned(),
            NoteCode::EmailFromUserName,
            "the user has no e-mail address; `userName` is one and is used".to_owned(),
        ),
        _ => Normalised::Absent,
    }
}

/// Whether Salesforce takes the text as a mail address (Salesforce Help, "Validation Rules for Email Addresses"), and if
/// not, why: ASCII, a local part of letters, digits and the punctuation of RFC 5322, a domain with a dot.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return Err("it has no `@`".to_owned());
    };
    if local.is_empty() || domain.is_empty() {
        return Err(format!(
            "there is nothing {} the `@`",
            if local.is_empty() { "before" } else { "after" }
        ));
    }
    if let Some(bad) = local.chars().find(|c| !is_local(*c)) {
        return Err(format!("`{bad}` cannot stand before the `@`"));
    }
    if let Some(bad) = domain.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))) {
        return Err(format!("`{bad}` cannot stand after the `@`"));
    }
    if has_stray_dot(local) || has_stray_dot(domain) {
        return Err("a dot must stand between two other characters".to_owned());
    }
    if !domain.contains('.') {
        return Err("the part after the `@` has no dot".to_owned());
    }
    if domain.split('.').any(|label| label.starts_with('-') || label.ends_with('-')) {
        return Err("a part of the domain begins or ends with `-`".to_owned());
    }
    // RFC 5321 §4.5.3.1.1
    if local.len() > 64 {
        return Err("the part before the `@` has more than 64 characters".to_owned());
    }
    let top = domain.rsplit('.').next().unwrap_or_default();
    if top.len() < 2 || !top.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return Err("the domain does not end in a name such as `com`".to_owned());
    }
    Ok(())
}

fn is_local(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

fn has_stray_dot(text: &str) -> bool {
    text.starts_with('.') || text.ends_with('.') || text.contains("..")
}

#[cfg(test)]
mod tests;
