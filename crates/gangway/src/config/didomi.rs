//! `[[customers.<name>.environments.<name>.didomi]]`: Didomi, which says what people have chosen.

mod json;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use intake::didomi::{
    ContactPointMapping, DidomiObject, DidomiSettings, FieldMapping, Mapped, Mappings, OAuthClient, Part,
    Transform, UserDeleted,
};
use model::{OrgName, SourceName};
use provisioning::{ConsentObject, ConsentTarget, OnMultiple};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    AcknowledgeEvent, SourceKind, SourceSettings,
    check::{Checker, KnownOrg, below},
    document::Place,
    secret::Secret,
};

/// What a source is called that has no name.
const NAME: &str = "didomi";
/// The only part of an event that is no choice.
const CREATED_AT: &str = "event:created_at";

/// Didomi: what people have chosen, as its webhooks tell it. Events are sent to `/events/{name}/{customer}/{environment}`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DidomiSection {
    /// What it is called; it stands in its URL.
    #[serde(default = "name")]
    pub name: String,
    /// The id of your organization at Didomi. Events of another one are refused.
    pub organization_id: Option<String>,
    /// The client id with which Didomi gets access tokens from Gangway, at `…/oauth/token` below the address for events. Any text.
    pub client_id: Option<String>,
    /// The secret that belongs to the client id.
    pub client_secret: Option<Secret>,
    /// SHA-256 of a bearer token that never changes, instead of a client or beside it; `gangway token new` makes one. Two may live at
    /// the same time.
    #[serde(default, deserialize_with = "super::secret::hashes")]
    pub token_sha256: Vec<String>,
    /// The addresses or networks that deliveries come from. Didomi signs nothing: name its address. Behind a proxy the proxy has to be in
    /// `[server] trusted-proxies`.
    #[serde(default)]
    pub allowed_ips: Vec<String>,
    /// When an event is answered. Didomi gives up after some minutes, so that events are kept here by default.
    #[serde(default = "stored")]
    pub acknowledge: AcknowledgeEvent,
    /// The regulations whose events count; without it `gdpr` alone. With several, each mapping names its own: what is chosen under one
    /// never overwrites what was chosen under another.
    pub regulations: Option<Vec<String>>,
    /// The statuses of events that count; without it `confirmed` alone. Of those with `pending_approval` opt-outs are written,
    /// and nothing else.
    pub accept_status: Option<Vec<String>>,
    /// What is done when Didomi has deleted a user; without it `none`.
    pub user_deleted: Option<UserDeletedName>,
    /// A file, or a list of them, with the JSON form of an integration (`"type": "didomi"`): one object each. What both say has to be
    /// the same.
    #[serde(default, deserialize_with = "one_or_several")]
    pub mapping: Vec<PathBuf>,
    /// Where choices are written to: one or two of them.
    #[serde(default)]
    pub objects: Vec<DidomiObjectSection>,
}

/// Where choices are written to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DidomiObjectSection {
    /// Whose records.
    pub object: ConsentObjectName,
    /// In which org; needed only where there are several and the environment names none.
    pub org: Option<String>,
    /// Which of them stand for a person.
    #[serde(rename = "match")]
    pub matching: MatchSection,
    /// What to do where several have the person's value.
    #[serde(default)]
    pub on_multiple: OnMultipleName,
    /// Opt-outs are written to all of several records, whatever `on-multiple` says of the rest.
    #[serde(default)]
    pub opt_out_all: bool,
    /// Whether a record is made for a person who has none.
    #[serde(default)]
    pub upsert_mode: bool,
    /// What such a record is made with, such as `LastName`.
    #[serde(default)]
    pub upsert_defaults: serde_json::Map<String, serde_json::Value>,
    /// Choices of a lead that was converted go to its contact; otherwise a person decides (`gangway events list`).
    #[serde(default)]
    pub follow_converted: bool,
    /// How choices are written.
    #[serde(default)]
    pub writer: WriterName,
    /// What is written.
    pub mappings: Vec<MappingSection>,
}

/// Which records stand for a person.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MatchSection {
    /// The field that has Didomi's `organization_user_id`, such as `Email`, an external id, or `Id`.
    pub field: String,
}

/// One choice and where it goes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MappingSection {
    /// `purpose:ID`, `channel:ID`, `preference:PURPOSE/ID`, or `event:created_at`: when it was chosen.
    pub source: String,
    /// The field that it is written to, such as `HasOptedOutOfEmail`.
    pub target: Option<String>,
    /// How a choice becomes its value; without it as it is.
    pub transform: Option<TransformName>,
    /// Under which regulation; needed where several are accepted.
    pub regulation: Option<String>,
    /// With `writer = "contact-point-type-consent"`: `Email`, `Phone`, `MailingAddress`, `Social` or `Web`.
    pub contact_point_type: Option<String>,
    /// With `writer = "contact-point-type-consent"`: the name of a `DataUsePurpose`.
    pub data_use_purpose: Option<String>,
}

/// Whose records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ConsentObjectName {
    /// Contacts.
    Contact,
    /// Leads.
    Lead,
}

/// What to do where several records have the person's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnMultipleName {
    /// Nothing: a person decides (`gangway events list`).
    #[default]
    Skip,
    /// All of them are meant.
    All,
    /// The one that was made last is meant.
    Newest,
}

impl From<OnMultipleName> for OnMultiple {
    fn from(name: OnMultipleName) -> Self {
        match name {
            OnMultipleName::Skip => Self::Skip,
            OnMultipleName::All => Self::All,
            OnMultipleName::Newest => Self::Newest,
        }
    }
}

/// How a choice becomes the value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransformName {
    /// Yes is false and no is true: for fields that say that somebody has opted out.
    Invert,
    /// Values become those of a multi-select picklist.
    Multipicklist,
}

impl From<TransformName> for Transform {
    fn from(name: TransformName) -> Self {
        match name {
            TransformName::Invert => Self::Invert,
            TransformName::Multipicklist => Self::Multipicklist,
        }
    }
}

/// What is done when Didomi has deleted a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UserDeletedName {
    /// Nothing.
    #[default]
    None,
    /// The person is opted out of every purpose and channel that is mapped.
    ClearMapped,
}

impl From<UserDeletedName> for UserDeleted {
    fn from(name: UserDeletedName) -> Self {
        match name {
            UserDeletedName::None => Self::Nothing,
            UserDeletedName::ClearMapped => Self::ClearMapped,
        }
    }
}

/// How choices are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WriterName {
    /// To fields of the record.
    #[default]
    Fields,
    /// As `ContactPointTypeConsent` of the record's `Individual`: one row for each mapping. The org needs Data Protection and
    /// Privacy.
    ContactPointTypeConsent,
    /// Refused: it is not built.
    #[schemars(skip)]
    ConsentApi,
}

fn name() -> String {
    NAME.to_owned()
}

/// A file may stand by itself, where a list of them may.
fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a file, or a list of files")]
    enum Files {
        One(PathBuf),
        Several(Vec<PathBuf>),
    }
    Ok(match Files::deserialize(deserializer)? {
        Files::One(file) => vec![file],
        Files::Several(files) => files,
    })
}

fn stored() -> AcknowledgeEvent {
    AcknowledgeEvent::Stored
}

impl Checker<'_, '_> {
    /// Checks a Didomi source. `default_org` is that of objects which name none.
    pub(super) fn didomi(
        &mut self,
        at: &Place,
        section: &DidomiSection,
        default_org: Option<&OrgName>,
        orgs: &[KnownOrg],
    ) -> Option<SourceSettings> {
        let mut section = section.clone();
        self.didomi_files(at, &mut section);
        let name = self.keep(&below(at, "name"), SourceName::new(section.name.as_str()), "");
        let client = self.didomi_client(at, &section);
        let lower = |texts: Vec<String>| texts.iter().map(|text| text.to_lowercase()).collect::<Vec<_>>();
        let regulations = section.regulations.clone().map_or_else(|| vec!["gdpr".to_owned()], lower);
        let accept_status = section.accept_status.clone().unwrap_or_else(|| vec!["confirmed".to_owned()]);
        let token_sha256 = match section.token_sha256.as_slice() {
            [] => Vec::new(),
            hashes => self.token_hashes(&below(at, "token-sha256"), hashes, 1),
        };
        let allowed_ips = self.networks(&below(at, "allowed-ips"), &section.allowed_ips);
        if section.objects.is_empty() {
            let help =
                "add [[….didomi.objects]] with `object`, `match` and `mappings`, or name a file in `mapping`";
            self.refuse(at, "it is not said where choices are written to", help);
        }
        let mut objects: Vec<DidomiObject> = Vec::with_capacity(section.objects.len());
        for (index, object) in section.objects.iter().enumerate() {
            let mut at = below(at, "objects");
            at.push(index.into());
            let Some(object) = self.didomi_object(&at, object, &regulations, default_org, orgs) else {
                continue;
            };
            if objects.iter().any(|other| other.target.object == object.target.object) {
                let message = format!("there are two objects {}", object.target.object);
                self.refuse(&below(&at, "object"), &message, "one of Contact and one of Lead, at most");
            }
            objects.push(object);
        }
        let settings = DidomiSettings {
            organization: section.organization_id.clone(),
            client,
            token_sha256,
            allowed_ips,
            regulations,
            accept_status,
            user_deleted: section.user_deleted.unwrap_or_default().into(),
            objects,
        };
        Some(SourceSettings {
            name: name?,
            acknowledge: section.acknowledge,
            answer_within: intake::ANSWER_WITHIN,
            kind: SourceKind::Didomi(Box::new(settings)),
        })
    }

    fn didomi_client(&mut self, at: &Place, section: &DidomiSection) -> Option<OAuthClient> {
        const HELP: &str = "Didomi gets an access token with `client-id` and `client-secret`, or shows one that never changes \
                            (`token-sha256`)";
        match (&section.client_id, &section.client_secret) {
            (None, None) if section.token_sha256.is_empty() => {
                self.refuse(at, "anybody could say what people have chosen: there are no credentials", HELP);
                None
            }
            (None, None) => None,
            (Some(id), Some(secret)) if !id.trim().is_empty() => {
                let secret = self.secret(&below(at, "client-secret"), Some(secret))?;
                Some(OAuthClient::new(id.trim(), secret.expose_secret()))
            }
            _ => {
                self.refuse(at, "`client-id` and `client-secret` belong together", HELP);
                None
            }
        }
    }

    fn didomi_object(
        &mut self,
        at: &Place,
        section: &DidomiObjectSection,
        regulations: &[String],
        default_org: Option<&OrgName>,
        orgs: &[KnownOrg],
    ) -> Option<DidomiObject> {
        let org = if let Some(named) = &section.org {
            self.tenant_org(&below(at, "org"), Some(named), orgs)
        } else {
            if default_org.is_none() {
                let help = "write org = \"…\"";
                self.refuse(at, "there are several orgs; to which one is this written?", help);
            }
            default_org.cloned()
        };
        if section.matching.field.trim().is_empty() {
            let help = "the field that has Didomi's organization_user_id, such as \"Email\"";
            self.refuse(&below(at, "match"), "the field is empty", help);
        }
        if section.mappings.is_empty() {
            self.refuse(&below(at, "mappings"), "nothing is mapped", "");
        }
        if section.writer == WriterName::ConsentApi {
            let message = "Salesforce's Consent API is not used: it writes every record with an e-mail address at once, and says \
                           200 where it has failed";
            let help =
                "write writer = \"fields\", or \"contact-point-type-consent\" for records of their own";
            self.refuse(&below(at, "writer"), message, help);
        }
        let mappings = self.didomi_mappings(&below(at, "mappings"), section, regulations);
        let defaults = section.upsert_defaults.clone().into_iter().collect();
        let target = ConsentTarget {
            org: org?,
            object: match section.object {
                ConsentObjectName::Contact => ConsentObject::Contact,
                ConsentObjectName::Lead => ConsentObject::Lead,
            },
            match_field: section.matching.field.trim().to_owned(),
            on_multiple: section.on_multiple.into(),
            opt_out_all: section.opt_out_all,
            create: section.upsert_mode.then_some(defaults),
            follow_converted: section.follow_converted,
        };
        Some(DidomiObject { target, mappings })
    }

    fn didomi_mappings(
        &mut self,
        at: &Place,
        section: &DidomiObjectSection,
        regulations: &[String],
    ) -> Mappings {
        let mut fields: Vec<FieldMapping> = Vec::new();
        let mut contact_points: Vec<ContactPointMapping> = Vec::new();
        for (index, mapping) in section.mappings.iter().enumerate() {
            let mut at = at.clone();
            at.push(index.into());
            let mapped = if mapping.source == CREATED_AT {
                Mapped::CreatedAt
            } else {
                match self.keep(&below(&at, "source"), mapping.source.parse::<Part>(), "") {
                    Some(part) => Mapped::Part(part),
                    None => continue,
                }
            };
            let regulation = mapping.regulation.as_ref().map(|regulation| regulation.to_lowercase());
            match &regulation {
                Some(regulation) if !regulations.contains(regulation) => {
                    let message = format!("events of the regulation `{regulation}` do not count here");
                    let help = format!("accepted: {}", regulations.join(", "));
                    self.refuse(&below(&at, "regulation"), &message, &help);
                }
                None if regulations.len() > 1 => {
                    let help = "name its `regulation`: what is chosen under one must not overwrite another";
                    self.refuse(&at, "several regulations are accepted; which one is this of?", help);
                }
                _ => {}
            }
            match section.writer {
                WriterName::Fields => {
                    if let Some(field) = self.field_mapping(&at, mapping, mapped, regulation) {
                        if fields.iter().any(|other| other.target.eq_ignore_ascii_case(&field.target)) {
                            let message = format!("two choices are written to {}", field.target);
                            self.refuse(&below(&at, "target"), &message, "each field has one of them");
                        }
                        fields.push(field);
                    }
                }
                WriterName::ContactPointTypeConsent => {
                    let Some(row) = self.contact_point_mapping(&at, mapping, mapped, regulation) else {
                        continue;
                    };
                    if contact_points.iter().any(|other| row.shares_a_row_with(other)) {
                        let message = format!(
                            "`{}` and a choice before it are written to one row: the names of both end with the same id and \
                             `{}`",
                            mapping.source, row.contact_point_type
                        );
                        self.refuse(&at, &message, "each row has one choice: take one of them out");
                    }
                    contact_points.push(row);
                }
                WriterName::ConsentApi => {}
            }
        }
        match section.writer {
            WriterName::Fields | WriterName::ConsentApi => Mappings::Fields(fields),
            WriterName::ContactPointTypeConsent => Mappings::ContactPoints(contact_points),
        }
    }

    fn field_mapping(
        &mut self,
        at: &Place,
        mapping: &MappingSection,
        mapped: Mapped,
        regulation: Option<String>,
    ) -> Option<FieldMapping> {
        if mapping.contact_point_type.is_some() || mapping.data_use_purpose.is_some() {
            let help = "write writer = \"contact-point-type-consent\", or take it out";
            self.refuse(at, "contact points are for another writer", help);
        }
        let fits = match (&mapped, mapping.transform) {
            (Mapped::CreatedAt, Some(_)) => false,
            (Mapped::Part(part), Some(TransformName::Multipicklist)) => matches!(part, Part::Preference(..)),
            (_, None) | (Mapped::Part(_), Some(TransformName::Invert)) => true,
        };
        if !fits {
            let help = "`invert` is for a choice between yes and no, `multipicklist` for a preference";
            let message = format!("`{}` cannot be transformed so", mapping.source);
            self.refuse(&below(at, "transform"), &message, help);
        }
        let Some(target) = mapping.target.as_deref().map(str::trim).filter(|target| !target.is_empty())
        else {
            self.refuse(at, "it is not said to which field this is written", "add target = \"…\"");
            return None;
        };
        let transform = mapping.transform.map(Into::into);
        Some(FieldMapping { mapped, regulation, target: target.to_owned(), transform })
    }

    fn contact_point_mapping(
        &mut self,
        at: &Place,
        mapping: &MappingSection,
        mapped: Mapped,
        regulation: Option<String>,
    ) -> Option<ContactPointMapping> {
        if mapping.target.is_some() || mapping.transform.is_some() {
            let help = "a row of ContactPointTypeConsent has `contact-point-type`, and `data-use-purpose` if you like";
            self.refuse(at, "`target` and `transform` are for the writer `fields`", help);
        }
        let Mapped::Part(part) = mapped else {
            self.refuse(at, "the time of a choice stands in every row by itself", "take this mapping out");
            return None;
        };
        if matches!(part, Part::Preference(..)) {
            let help = "write it to a field, with writer = \"fields\"";
            self.refuse(&below(at, "source"), "a row says yes or no, and a preference is neither", help);
            return None;
        }
        let Some(contact_point_type) = mapping.contact_point_type.clone() else {
            let help =
                "add contact-point-type = \"Email\", \"Phone\", \"MailingAddress\", \"Social\" or \"Web\"";
            self.refuse(at, "it is not said to which kind of contact point this belongs", help);
            return None;
        };
        let data_use_purpose = mapping.data_use_purpose.clone();
        Some(ContactPointMapping { part, regulation, contact_point_type, data_use_purpose })
    }
}
