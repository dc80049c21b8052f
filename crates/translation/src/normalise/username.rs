//! `username`: Salesforce's `Username` has the form of a mail address, and is unique over all orgs.

use super::{Normalised, email};
use crate::note::NoteCode;

/// The value for `Username`, in lower case as Salesforce stores it. A name that is no mail address gets the environment's
/// `username-domain`.
pub(super) fn username(text: &str, domain: Option<&str>) -> Normalised {
    let name = text.to_lowercase();
    if name.contains('@') {
        return match email::check(&name) {
            Ok(()) => Normalised::Value(name),
            Err(why) => Normalised::Refused(format!(
                "Salesforce asks for a Username in the form of a mail address; `userName` is `{text}`: {why}"
            )),
        };
    }
    let Some(domain) = domain.map(|domain| domain.trim().trim_start_matches('@').to_lowercase()) else {
        return Normalised::Refused(format!(
            "Salesforce asks for a Username in the form of a mail address, and `userName` is `{text}`; set \
             `username-domain` of the environment to have a domain added, or send a mail address"
        ));
    };
    let username = format!("{name}@{domain}");
    match email::check(&username) {
        Ok(()) => Normalised::Adapted(
            username.clone(),
            NoteCode::UsernameDomainAdded,
            format!("`userName` is no mail address; in Salesforce it is `{username}`"),
        ),
        Err(why) => Normalised::Refused(format!(
            "Salesforce asks for a Username in the form of a mail address; `userName` is `{text}`, which makes \
             `{username}`: {why}"
        )),
    }
}

#[cfg(test)]
mod tests;
