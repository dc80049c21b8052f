//! Whom an event is about (RFC 9493, and the complex subjects of Shared Signals).

use provisioning::Whom;
use serde_json::{Map, Value};

/// The only member of a complex subject that something is done about.
const USER: &str = "user";
/// How many identifiers of one subject are looked at.
const ALIASES: usize = 10;

/// Which fields of a Salesforce User tell who is meant.
#[derive(Clone, Debug)]
pub struct SubjectFields {
    /// Holds the e-mail address.
    pub email: String,
    /// Holds what an identity provider calls the person.
    pub federation: String,
    /// The issuers of those identity providers.
    pub identity_providers: Vec<String>,
}

/// Why nobody can be found for a subject, as the reason that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoSubject {
    /// It is in a form, or of an identity provider, that says nothing here.
    Unresolved,
    /// It has a member that must not be left out of account, and that nothing is known about.
    Critical,
}

/// The subject of an event: at the top of the token, or inside the event as older senders have it.
pub(super) fn of<'e>(
    sub_id: Option<&'e Value>,
    event: &'e Map<String, Value>,
) -> Option<&'e Map<String, Value>> {
    sub_id.or_else(|| event.get("subject")).and_then(Value::as_object)
}

/// The subject as one text: events with the same text are about the same one.
pub(super) fn text(subject: &Map<String, Value>) -> String {
    let user = subject.get(USER).and_then(Value::as_object).unwrap_or(subject);
    let member = |name: &str| user.get(name).and_then(Value::as_str).unwrap_or_default();
    match format(user).as_str() {
        "email" => format!("email {}", member("email").trim().to_lowercase()),
        "iss_sub" => format!("iss_sub {} {}", member("iss"), member("sub")),
        "opaque" => format!("opaque {}", member("id")),
        _ => serde_json::to_string(user).unwrap_or_default(),
    }
}

/// Who is meant. `critical` are the members that the transmitter does not want left out of account.
pub(super) fn whom(
    subject: &Map<String, Value>,
    fields: &SubjectFields,
    critical: &[String],
) -> Result<Vec<Whom>, NoSubject> {
    let is_complex =
        format(subject) == "complex" || (format(subject).is_empty() && subject.contains_key(USER));
    let user = if is_complex {
        let is_in_the_way = |name: &String| name != USER && critical.contains(name);
        if subject.keys().any(is_in_the_way) {
            return Err(NoSubject::Critical);
        }
        subject.get(USER).and_then(Value::as_object).ok_or(NoSubject::Unresolved)?
    } else {
        subject
    };
    let names = if format(user) == "aliases" {
        let identifiers = user.get("identifiers").and_then(Value::as_array).ok_or(NoSubject::Unresolved)?;
        identifiers.iter().take(ALIASES).filter_map(|name| simple(name.as_object()?, fields)).collect()
    } else {
        Vec::from_iter(simple(user, fields))
    };
    if names.is_empty() { Err(NoSubject::Unresolved) } else { Ok(names) }
}

fn simple(subject: &Map<String, Value>, fields: &SubjectFields) -> Option<Whom> {
    let member =
        |name: &str| subject.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    match format(subject).as_str() {
        "email" => {
            let address = member("email")?.to_owned();
            Some(Whom::Email { field: fields.email.clone(), address })
        }
        "iss_sub" => {
            let issuer = member("iss")?;
            let known = fields.identity_providers.iter().any(|known| known == issuer);
            let value = member("sub").filter(|_| known)?.to_owned();
            Some(Whom::Field { field: fields.federation.clone(), value })
        }
        _ => None,
    }
}

/// The format of a subject. Drafts called it `subject_type` and wrote it with a hyphen.
fn format(subject: &Map<String, Value>) -> String {
    let said = subject.get("format").or_else(|| subject.get("subject_type"));
    said.and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields() -> SubjectFields {
        SubjectFields {
            email: "Email".to_owned(),
            federation: "FederationIdentifier".to_owned(),
            identity_providers: vec!["https://idp.example".to_owned()],
        }
    }

    fn who(subject: &Value, critical: &[&str]) -> Result<Vec<Whom>, NoSubject> {
        let critical: Vec<String> = critical.iter().map(|&name| name.to_owned()).collect();
        whom(subject.as_object().unwrap(), &fields(), &critical)
    }

    fn by_email(address: &str) -> Whom {
        Whom::Email { field: "Email".to_owned(), address: address.to_owned() }
    }

    fn noor() -> Value {
        json!({"format": "email", "email": "noor@example.com"})
    }

    #[test]
    fn a_person_is_named_by_address_or_by_a_known_identity_provider() {
        assert_eq!(who(&noor(), &[]), Ok(vec![by_email("noor@example.com")]));
        let by = |iss: &str| who(&json!({"format": "iss_sub", "iss": iss, "sub": "n1"}), &[]);
        let federated = Whom::Field { field: "FederationIdentifier".to_owned(), value: "n1".to_owned() };
        assert_eq!(by("https://idp.example"), Ok(vec![federated]));
        assert_eq!(by("https://other.example"), Err(NoSubject::Unresolved));
        assert_eq!(
            who(&json!({"format": "phone_number", "phone_number": "+1"}), &[]),
            Err(NoSubject::Unresolved)
        );
        assert_eq!(who(&json!({"format": "email", "email": " "}), &[]), Err(NoSubject::Unresolved));
        assert_eq!(
            who(&json!({"subject_type": "email", "email": "a@b.c"}), &[]),
            Ok(vec![by_email("a@b.c")])
        );
    }

    #[test]
    fn of_a_complex_subject_the_user_counts_and_a_critical_member_ends_it() {
        let complex = json!({"format": "complex", "user": noor(), "device": {"format": "opaque", "id": "d"}});
        assert_eq!(who(&complex, &[]), Ok(vec![by_email("noor@example.com")]));
        assert_eq!(who(&complex, &["user", "tenant"]), Ok(vec![by_email("noor@example.com")]));
        assert_eq!(who(&complex, &["device"]), Err(NoSubject::Critical));
        let nobody = json!({"format": "complex", "device": {"format": "opaque", "id": "d"}});
        assert_eq!(who(&nobody, &[]), Err(NoSubject::Unresolved));
    }

    #[test]
    fn all_aliases_name_the_same_person() {
        let second = json!({"format": "email", "email": "n@example.net"});
        let aliases =
            json!({"format": "aliases", "identifiers": [noor(), {"format": "did", "url": "did:x"}, second]});
        assert_eq!(who(&aliases, &[]), Ok(vec![by_email("noor@example.com"), by_email("n@example.net")]));
    }

    #[test]
    fn one_person_is_one_subject_however_the_address_is_written() {
        let upper = json!({"format": "complex", "user": {"format": "email", "email": "Noor@Example.com"}});
        assert_eq!(text(noor().as_object().unwrap()), text(upper.as_object().unwrap()));
    }
}
