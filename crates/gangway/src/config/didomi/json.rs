//! The JSON form of an integration, one object in each file. It says the same as the TOML, and is read as it stands.

use std::{collections::BTreeSet, fs, net::IpAddr, path::Path};

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Checker, ConsentObjectName, DidomiObjectSection, DidomiSection, MappingSection, MatchSection,
    OnMultipleName, Place, Secret, TransformName, UserDeletedName, WriterName, below,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Integration {
    #[serde(rename = "type")]
    kind: String,
    /// What somebody calls it; of no meaning here.
    #[serde(default, rename = "integration")]
    _name: Option<String>,
    organization_id: Option<String>,
    auth: Option<Auth>,
    salesforce_object: ConsentObjectName,
    org: Option<String>,
    #[serde(default)]
    upsert_mode: bool,
    #[serde(rename = "match")]
    matching: Match,
    regulations: Option<Vec<String>>,
    accept_status: Option<Vec<String>>,
    #[serde(default)]
    opt_out_all: bool,
    #[serde(default)]
    follow_converted: bool,
    writer: Option<Writer>,
    user_deleted: Option<UserDeleted>,
    mappings: Vec<Mapping>,
    #[serde(default)]
    upsert_defaults: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Auth {
    mode: Mode,
    client_id: Option<String>,
    /// `env:NAME` or `file:path`.
    client_secret_ref: Option<String>,
    #[serde(default)]
    token_sha256: Vec<String>,
    #[serde(default)]
    allowed_ips: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    OAuth,
    Bearer,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    field: String,
    on_multiple: Option<OnMultipleName>,
    #[serde(default)]
    opt_out_all: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Writer {
    Fields,
    ContactPointTypeConsent,
    ConsentApi,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum UserDeleted {
    None,
    ClearMapped,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    source: String,
    target: Option<String>,
    transform: Option<TransformName>,
    regulation: Option<String>,
    contact_point_type: Option<String>,
    data_use_purpose: Option<String>,
}

impl Checker<'_, '_> {
    /// Reads the files that a section names into it. What the section says itself stands.
    pub(super) fn didomi_files(&mut self, at: &Place, section: &mut DidomiSection) {
        let files = std::mem::take(&mut section.mapping);
        let place = below(at, "mapping");
        for file in files {
            if let Some(integration) = self.integration(&place, &file) {
                self.take_in(&place, &file, integration, section);
            }
        }
    }

    fn integration(&mut self, place: &Place, file: &Path) -> Option<Integration> {
        let path = self.document.directory().join(file);
        let name = path.display();
        let text =
            fs::read_to_string(&path).map_err(|error| format!("the mapping {name} cannot be read: {error}"));
        let text = self.keep(place, text, "")?;
        let read = serde_json::from_str::<Integration>(&text);
        let integration = self.keep(place, read.map_err(|error| format!("{name}: {error}")), "")?;
        if integration.kind != "didomi" {
            let message = format!("{name}: the type is `{}`, not `didomi`", integration.kind);
            self.refuse(place, &message, "");
            return None;
        }
        Some(integration)
    }

    fn take_in(&mut self, place: &Place, file: &Path, read: Integration, section: &mut DidomiSection) {
        let name = file.display();
        let mut differs = |what: &str| {
            let message = format!("{name}: `{what}` is another one than before");
            let help = "several files of one source share all but their object; say it in the configuration";
            self.refuse(place, &message, help);
        };
        settle(&mut section.organization_id, read.organization_id, || differs("organization_id"));
        settle(&mut section.regulations, read.regulations, || differs("regulations"));
        settle(&mut section.accept_status, read.accept_status, || differs("accept_status"));
        let user_deleted = read.user_deleted.map(|deleted| match deleted {
            UserDeleted::None => UserDeletedName::None,
            UserDeleted::ClearMapped => UserDeletedName::ClearMapped,
        });
        settle(&mut section.user_deleted, user_deleted, || differs("user_deleted"));
        if let Some(auth) = read.auth {
            settle(&mut section.client_id, auth.client_id, || differs("auth.client_id"));
            if section.allowed_ips.is_empty() {
                section.allowed_ips = auth.allowed_ips;
            } else if networks(&section.allowed_ips) != networks(&auth.allowed_ips)
                && !auth.allowed_ips.is_empty()
            {
                differs("auth.allowed_ips");
            }
            if section.token_sha256.is_empty() {
                section.token_sha256 = auth.token_sha256;
            } else if hashes(&section.token_sha256) != hashes(&auth.token_sha256)
                && !auth.token_sha256.is_empty()
            {
                differs("auth.token_sha256");
            }
            let reference = auth.client_secret_ref.as_deref().map(secret);
            match reference {
                Some(Some(secret)) => {
                    settle(&mut section.client_secret, Some(secret), || differs("auth.client_secret_ref"));
                }
                Some(None) => {
                    let message =
                        format!("{name}: `client_secret_ref` is neither `env:NAME` nor `file:path`");
                    self.refuse(place, &message, "a secret does not stand in a file of the configuration");
                }
                None => {}
            }
            if matches!(auth.mode, Mode::OAuth) && section.client_id.is_none() {
                let message = format!("{name}: the mode oauth needs a `client_id`");
                self.refuse(place, &message, "");
            }
        }
        section.objects.push(DidomiObjectSection {
            object: read.salesforce_object,
            org: read.org,
            on_multiple: read.matching.on_multiple.unwrap_or_default(),
            opt_out_all: read.opt_out_all || read.matching.opt_out_all,
            matching: MatchSection { field: read.matching.field },
            upsert_mode: read.upsert_mode,
            upsert_defaults: read.upsert_defaults,
            follow_converted: read.follow_converted,
            writer: match read.writer {
                None | Some(Writer::Fields) => WriterName::Fields,
                Some(Writer::ContactPointTypeConsent) => WriterName::ContactPointTypeConsent,
                Some(Writer::ConsentApi) => WriterName::ConsentApi,
            },
            mappings: read.mappings.into_iter().map(mapping).collect(),
        });
    }
}

/// Takes what a file says where nothing was said before. What was said before stands; where it is another thing, `differs` is
/// called.
fn settle<T: PartialEq>(known: &mut Option<T>, read: Option<T>, differs: impl FnOnce()) {
    match (known.as_ref(), read) {
        (None, read) => *known = read,
        (Some(known), Some(read)) if *known != read => differs(),
        _ => {}
    }
}

fn networks(texts: &[String]) -> Vec<Option<IpNet>> {
    texts
        .iter()
        .map(|text| text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)))
        .collect()
}

fn hashes(texts: &[String]) -> BTreeSet<String> {
    texts.iter().map(|text| text.to_ascii_lowercase()).collect()
}

fn secret(reference: &str) -> Option<Secret> {
    match reference.split_once(':')? {
        ("env", name) if !name.is_empty() => Some(Secret::Env(name.to_owned())),
        ("file", path) if !path.is_empty() => Some(Secret::File(path.into())),
        _ => None,
    }
}

fn mapping(read: Mapping) -> MappingSection {
    MappingSection {
        source: read.source,
        target: read.target,
        transform: read.transform,
        regulation: read.regulation,
        contact_point_type: read.contact_point_type,
        data_use_purpose: read.data_use_purpose,
    }
}
