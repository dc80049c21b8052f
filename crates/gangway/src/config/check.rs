//! What cannot be said by types: names, addresses, secrets, and what has to agree with what.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
};

use ipnet::IpNet;
use model::{ClientName, OrgName, TenantId};
use provisioning::{BadGrantPattern, ClientPolicy, GrantList, GrantPattern};
use salesforce_client::{Flow, PrivateKey};
use salesforce_types::{EntitlementKind, UnknownKind};
use secrecy::SecretString;
use translation::Mapping;
use url::Url;

use super::{
    Config, ConfigErrors, ConfigFile, FlowName, LogSection, OrgSettings, Outline, Problem, ServerSettings,
    StoreSettings, TenantSettings,
    client::{ClientSection, ClientSettings, GrantsSection, ListRuleName, UnknownEntitlements},
    document::{Document, Place, nearest, place},
    error::from_mapping,
    org::{OrgSection, audience},
    secret::Secret,
    server::ServerSection,
    store::StoreSection,
    tenant::EnvironmentSection,
};
use crate::logging;

/// What stands first in the URL of an event source.
const EVENTS: &str = "events";
/// Tasks, operators and published groups are called so, in the journal and in the audit.
const OWN_CLIENTS: &str = "gangway-";
/// How many tokens of one client may live, and how many hashes of one secret: the old one and the new one.
pub(super) const TOKENS_PER_CLIENT: usize = 2;

/// Checks a whole configuration and resolves what it names. All problems are reported at once.
pub(super) fn check(document: &Document<'_>, file: ConfigFile) -> Result<Config, ConfigErrors> {
    let mut checker = Checker::new(document, true);
    let server = checker.server(&file.server);
    checker.public_url = server.as_ref().and_then(|server| server.public_url.clone());
    let store = checker.store(&file.store);
    let orgs = checker.orgs(file.orgs);
    let known: Vec<KnownOrg> =
        orgs.iter().map(|org| KnownOrg { name: org.name.clone(), url: Some(org.url.clone()) }).collect();
    let tenants = checker.tenants(file.customers, &known);
    checker.log(&file.log);
    let mut problems = checker.problems;
    match (server, store) {
        (Some(server), Some(store)) if problems.is_empty() => {
            Ok(Config { server, store, log: file.log, orgs, tenants })
        }
        _ => {
            problems.sort_by_key(Problem::start);
            Err(ConfigErrors::new(problems))
        }
    }
}

/// Checks `[store]` alone.
pub(super) fn store(document: &Document<'_>, section: &StoreSection) -> Result<StoreSettings, ConfigErrors> {
    let mut checker = Checker::new(document, false);
    let settings = checker.store(section);
    settings.ok_or_else(|| ConfigErrors::new(checker.problems))
}

/// What tenants are told of an org.
pub(super) struct KnownOrg {
    pub(super) name: OrgName,
    url: Option<Url>,
}

/// Checks all that needs no secret.
pub(super) fn outline(document: &Document<'_>, file: ConfigFile) -> Result<Outline, ConfigErrors> {
    let mut checker = Checker::new(document, false);
    let store = checker.store(&file.store);
    let orgs: Vec<KnownOrg> = file
        .orgs
        .iter()
        .filter_map(|(name, section)| {
            Some(KnownOrg { name: OrgName::new(name).ok()?, url: Url::parse(&section.url).ok() })
        })
        .collect();
    let tenants = checker.tenants(file.customers, &orgs);
    let mut problems = checker.problems;
    match store {
        Some(store) if problems.is_empty() => Ok(Outline { store, tenants }),
        _ => {
            problems.sort_by_key(Problem::start);
            Err(ConfigErrors::new(problems))
        }
    }
}

pub(super) struct Checker<'c, 't> {
    pub(super) document: &'c Document<'t>,
    problems: Vec<Problem>,
    /// Whether secrets are read: not for commands that only look.
    pub(super) reads_secrets: bool,
    /// The address that callers use.
    pub(super) public_url: Option<String>,
}

impl<'c, 't> Checker<'c, 't> {
    fn new(document: &'c Document<'t>, reads_secrets: bool) -> Self {
        Self { document, problems: Vec::new(), reads_secrets, public_url: None }
    }
}

impl Checker<'_, '_> {
    pub(super) fn refuse(&mut self, place: &Place, message: &str, help: &str) {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.problems.push(self.document.problem(place, message, help));
    }

    /// Keeps a value or notes why there is none.
    pub(super) fn keep<T, E: std::fmt::Display>(
        &mut self,
        place: &Place,
        value: Result<T, E>,
        help: &str,
    ) -> Option<T> {
        value.map_err(|error| self.refuse(place, &error.to_string(), help)).ok()
    }

    fn server(&mut self, section: &ServerSection) -> Option<ServerSettings> {
        let listen = self.listen(&place!["server", "listen"], &section.listen, "127.0.0.1:8080");
        let metrics_place = place!["server", "metrics-listen"];
        let metrics_listen = section
            .metrics_listen
            .as_ref()
            .and_then(|text| self.listen(&metrics_place, text, "127.0.0.1:9464"));
        if metrics_listen.is_some_and(|addr| addr.port() != 0 && Some(addr) == listen) {
            let help = "they name tenants and clients, so they have a port of their own";
            self.refuse(&metrics_place, "metrics are not served where SCIM is", help);
        }
        let public_url = section.public_url.as_ref().and_then(|text| {
            let good = Url::parse(text).ok().filter(|url| {
                matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
            });
            if good.is_none() {
                let message = format!("`{text}` is not an address that callers can use");
                let help = "write it like \"https://scim.acme.example\"";
                self.refuse(&place!["server", "public-url"], &message, help);
            }
            good.map(|url| url.as_str().trim_end_matches('/').to_owned())
        });
        if section.answer_within.is_zero() {
            let help = "the default is 25s; identity tools give up after 30 s or more";
            self.refuse(&place!["server", "answer-within"], "nobody can be answered within no time", help);
        }
        let trusted_proxies = self.networks(&place!["server", "trusted-proxies"], &section.trusted_proxies);
        Some(ServerSettings {
            trusted_proxies,
            listen: listen?,
            metrics_listen,
            public_url,
            answer_within: section.answer_within,
            requests_per_second: section.requests_per_second,
        })
    }

    /// IP addresses and networks.
    pub(super) fn networks(&mut self, place: &Place, texts: &[String]) -> Vec<IpNet> {
        let mut networks = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            if let Ok(network) = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
                networks.push(network);
                continue;
            }
            let message = format!("`{text}` is neither an IP address nor a network");
            let help = "write it like \"10.0.0.7\" or \"10.0.0.0/8\"";
            let mut at = place.clone();
            at.push(index.into());
            self.refuse(&at, &message, help);
        }
        networks
    }

    fn listen(&mut self, place: &Place, text: &str, example: &str) -> Option<SocketAddr> {
        let address = text.parse().ok();
        if address.is_none() {
            let message = format!("`{text}` is not an address to listen on");
            let help = format!("write an IP address and a port, such as \"{example}\"");
            self.refuse(place, &message, &help);
        }
        address
    }

    fn store(&mut self, section: &StoreSection) -> Option<StoreSettings> {
        let directory = self.document.directory();
        let place = place!["store", "url"];
        let key_file = section.key_file.as_ref().map(|path| directory.join(path));
        if section.url.starts_with("postgres:") || section.url.starts_with("postgresql:") {
            let help = "use \"sqlite:gangway.db\"; one gateway then serves all tenants";
            self.refuse(&place, "PostgreSQL is not in this version of Gangway", help);
            return None;
        }
        let path = section.url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
        let path = path.filter(|path| !path.is_empty() && !path.contains('?') && *path != ":memory:");
        if path.is_none() {
            let message = format!("`{}` is not a store", section.url);
            self.refuse(
                &place,
                &message,
                "write \"sqlite:\" and the path of a file, such as \"sqlite:gangway.db\"",
            );
        }
        Some(StoreSettings { database: directory.join(path?), key_file })
    }

    fn log(&mut self, section: &LogSection) {
        if let Err(why) = logging::filter(&section.filter) {
            let message = format!("`{}` is not a log filter: {why}", section.filter);
            self.refuse(&place!["log", "filter"], &message, "write a level such as \"info\"");
        }
    }

    fn orgs(&mut self, sections: BTreeMap<String, OrgSection>) -> Vec<OrgSettings> {
        if sections.is_empty() {
            self.refuse(&place!["orgs"], "there is no org", "describe one in a table [orgs.<name>]");
        }
        sections.into_iter().filter_map(|(name, section)| self.org(&name, &section)).collect()
    }

    fn org(&mut self, name: &str, section: &OrgSection) -> Option<OrgSettings> {
        let at = |key: &str| place!["orgs", name, key];
        let org_name = self.keep(&place!["orgs", name], OrgName::new(name), "");
        let url = self.org_url(&at("url"), &section.url);
        if section.client_id.trim().is_empty() {
            let help = "it is the consumer key in the connected app's settings (Manage Consumer Details)";
            self.refuse(&at("client-id"), "the client id is empty", help);
        }
        let version = section.api_version.trim_start_matches('v').to_owned();
        if version.split_once('.').is_none_or(|(major, minor)| major.parse::<u16>().is_err() || minor != "0")
        {
            let message = format!("`{}` is not a version of Salesforce's API", section.api_version);
            self.refuse(&at("api-version"), &message, "write it like \"66.0\"");
        }
        if section.call_timeout.is_zero() {
            self.refuse(&at("call-timeout"), "no call can be done in no time", "the default is 60s");
        }
        if section.keep_alive.is_zero() {
            let help =
                "the default is 24h; a time that is longer than any policy, such as \"8760h\", turns it off";
            self.refuse(&at("keep-alive"), "a token cannot be used without pause", help);
        }
        let login = self.login(name, section, url.as_ref());
        Some(OrgSettings {
            name: org_name?,
            url: url?,
            flow: section.flow,
            login: login?,
            reserve_calls: section.reserve_calls,
            api_version: version,
            call_timeout: section.call_timeout,
            max_in_flight: section.max_in_flight.get(),
            keep_alive: section.keep_alive,
        })
    }

    /// The flow, with what it needs and nothing that belongs to another one.
    fn login(&mut self, org: &str, section: &OrgSection, url: Option<&Url>) -> Option<Flow> {
        let at = |key: &str| place!["orgs", org, key];
        let flow = section.flow;
        let keys = [
            (
                "client-secret",
                section.client_secret.is_some(),
                &[FlowName::RefreshToken, FlowName::ClientCredentials][..],
            ),
            ("refresh-token", section.refresh_token.is_some(), &[FlowName::RefreshToken]),
            ("username", section.username.is_some(), &[FlowName::JwtBearer]),
            ("private-key", section.private_key.is_some(), &[FlowName::JwtBearer]),
            ("audience", section.audience.is_some(), &[FlowName::JwtBearer]),
        ];
        for (key, there, flows) in keys {
            if there && !flows.contains(&flow) {
                let message = format!("the flow {} has no {}", flow.as_str(), key.replace('-', " "));
                let help = format!("take it out, or write flow = \"{}\"", flows[0].as_str());
                self.refuse(&at(key), &message, &help);
            }
        }
        let client_secret = self.secret(&at("client-secret"), section.client_secret.as_ref());
        let client_id = section.client_id.clone();
        match flow {
            // Without a first refresh token: a later one may live in the store.
            FlowName::RefreshToken => Some(Flow::RefreshToken {
                client_id,
                client_secret,
                refresh_token: self.first_refresh_token(section.refresh_token.as_ref()),
            }),
            FlowName::ClientCredentials => {
                if section.client_secret.is_none() {
                    let help = "add client-secret = { env = \"NAME\" } or { file = \"path\" }";
                    self.needs(&at("client-secret"), flow, "client secret", help);
                }
                let host = url.and_then(Url::host_str).unwrap_or_default();
                if matches!(host, "login.salesforce.com" | "test.salesforce.com") {
                    let message = format!("{host} does not take the flow client-credentials");
                    self.refuse(
                        &at("url"),
                        &message,
                        "write the org's My Domain address, such as \"https://acme.my.salesforce.com\"",
                    );
                }
                Some(Flow::ClientCredentials { client_id, client_secret: client_secret? })
            }
            FlowName::JwtBearer => {
                let username = section.username.as_deref().map(str::trim).filter(|name| !name.is_empty());
                if username.is_none() {
                    let help = "add the Username of the Salesforce user that Gangway acts as";
                    self.needs(&at("username"), flow, "username", help);
                }
                if section.private_key.is_none() {
                    let help = "add private-key = { file = \"path\" } or { env = \"NAME\" }";
                    self.needs(&at("private-key"), flow, "private key", help);
                }
                let pem = self.secret(&at("private-key"), section.private_key.as_ref());
                let help = "`openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048` makes one";
                let private_key =
                    pem.and_then(|pem| self.keep(&at("private-key"), PrivateKey::parse(pem), help));
                Some(Flow::JwtBearer {
                    client_id,
                    username: username?.to_owned(),
                    audience: section.audience.clone().or_else(|| url.map(audience))?,
                    private_key: private_key?,
                })
            }
        }
    }

    fn needs(&mut self, place: &Place, flow: FlowName, what: &str, help: &str) {
        self.refuse(place, &format!("the flow {} needs a {what}", flow.as_str()), help);
    }

    fn org_url(&mut self, place: &Place, text: &str) -> Option<Url> {
        const HELP: &str = "it is the My Domain address, such as \"https://acme.my.salesforce.com\"";
        let Ok(url) = Url::parse(text) else {
            self.refuse(place, &format!("`{text}` is not the address of an org"), HELP);
            return None;
        };
        match url.scheme() {
            "https" => {}
            "http" if intake::is_safe(&url) => {}
            "http" => {
                self.refuse(
                    place,
                    "an org is reached by https; http is for a simulated one on loopback",
                    HELP,
                );
                return None;
            }
            _ => {
                self.refuse(place, &format!("`{text}` is not the address of an org"), HELP);
                return None;
            }
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || !url.username().is_empty() {
            self.refuse(place, "the address of an org has no path, query or user name", HELP);
            return None;
        }
        Some(url)
    }

    /// Reads a secret; for commands that only look it is empty.
    pub(super) fn secret(&mut self, place: &Place, secret: Option<&Secret>) -> Option<SecretString> {
        if !self.reads_secrets {
            return secret.map(|_| SecretString::default());
        }
        let read = secret?.read(self.document.directory());
        self.keep(place, read, "")
    }

    /// The first refresh token is read at the first start only, so its place may be empty later: a missing one is no
    /// problem here, and the org says so itself when it has no other.
    fn first_refresh_token(&self, secret: Option<&Secret>) -> Option<SecretString> {
        match secret?.read(self.document.directory()) {
            Ok(token) => Some(token),
            Err(why) => {
                tracing::info!(reason = why, "no first refresh token; one from the store is needed");
                None
            }
        }
    }

    fn tenants(
        &mut self,
        customers: BTreeMap<String, super::CustomerSection>,
        orgs: &[KnownOrg],
    ) -> Vec<TenantSettings> {
        let count: usize = customers.values().map(|customer| customer.environments.len()).sum();
        if count == 0 {
            let help = "describe one in a table [customers.<name>.environments.<name>]";
            self.refuse(&place!["customers"], "there is no environment to serve", help);
        }
        let mut tenants = Vec::with_capacity(count);
        let mut default: Option<String> = None;
        for (customer, section) in customers {
            if customer == EVENTS {
                let help = "it stands at the beginning of every event source's URL: choose another name";
                self.refuse(&place!["customers", EVENTS], "a customer cannot be called `events`", help);
            }
            for (environment, section) in section.environments {
                let root = place!["customers", customer.as_str(), "environments", environment.as_str()];
                let is_default = section.default.unwrap_or(count == 1);
                if is_default {
                    if let Some(other) = &default {
                        let message =
                            format!("two tenants are the default: {other} and {customer}/{environment}");
                        let help = "only one can be served on the short path /scim/v2";
                        self.refuse(&below(&root, "default"), &message, help);
                    }
                    default = Some(format!("{customer}/{environment}"));
                }
                let id = self.keep(&root, TenantId::new(&customer, &environment), "");
                let sources =
                    id.as_ref().map(|id| self.sources(&root, id, &section, orgs)).unwrap_or_default();
                if let Some(mut tenant) = self.tenant(&root, id, is_default, section, orgs) {
                    let populations = self.populations(&tenant, &sources.populations, orgs);
                    tenant.sources = sources.sources;
                    tenants.push(tenant);
                    tenants.extend(populations);
                }
            }
        }
        tenants
    }

    fn tenant(
        &mut self,
        root: &Place,
        id: Option<TenantId>,
        default: bool,
        section: EnvironmentSection,
        orgs: &[KnownOrg],
    ) -> Option<TenantSettings> {
        let org = self.tenant_org(&below(root, "org"), section.org.as_deref(), orgs);
        let mapping_file = section.mapping.as_ref().map(|path| self.document.directory().join(path));
        let mapping = match (&mapping_file, &org) {
            (Some(path), _) => self.mapping(&below(root, "mapping"), path, org.as_ref(), orgs),
            (None, Some(org)) => Some(Mapping::default_for(org)),
            (None, None) => {
                // A named org that does not exist has been refused already.
                if section.org.is_none() && orgs.len() > 1 {
                    let help = "write org = \"…\", or a mapping whose targets name theirs";
                    self.refuse(root, "there are several orgs; which one is this environment's?", help);
                }
                None
            }
        };
        if let Some(mapping) = &mapping {
            self.target_orgs(&below(root, "mapping"), mapping, org.as_ref(), orgs);
            self.group_orgs(&below(root, "mapping"), mapping, orgs);
        }
        if let Some(domain) = &section.username_domain {
            let good = domain.contains('.')
                && domain.split('.').all(|label| {
                    !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                });
            if !good {
                let message = format!("`{domain}` is not a domain");
                let help = "write it without `@`, such as \"acme.example\"";
                self.refuse(&below(root, "username-domain"), &message, help);
            }
        }
        let default_profile = Some(section.default_profile.trim().to_owned()).filter(|name| !name.is_empty());
        if let (Some(mapping), None) = (&mapping, &default_profile) {
            self.profile_for_all(&below(root, "default-profile"), mapping);
        }
        let clients = self.clients(root, id.as_ref(), section.clients);
        let receivers = self.receivers(root, id.as_ref(), section.receivers);
        Some(TenantSettings {
            id: id?,
            default,
            mapping: mapping?,
            mapping_file,
            org,
            username_domain: section.username_domain,
            scim_delete: section.scim_delete,
            default_profile,
            protected: section.protected,
            clients,
            sources: Vec::new(),
            receivers,
        })
    }

    /// The org of targets that name none: the one that is named, or the only one.
    pub(super) fn tenant_org(
        &mut self,
        place: &Place,
        named: Option<&str>,
        orgs: &[KnownOrg],
    ) -> Option<OrgName> {
        match (named, orgs) {
            (Some(named), _) => {
                let found = orgs.iter().find(|org| org.name.as_str() == named).map(|org| org.name.clone());
                if found.is_none() {
                    self.refuse(place, &format!("there is no org `{named}`"), &known_orgs(orgs));
                }
                found
            }
            (None, [only]) => Some(only.name.clone()),
            (None, _) => None,
        }
    }

    pub(super) fn mapping(
        &mut self,
        place: &Place,
        path: &Path,
        org: Option<&OrgName>,
        orgs: &[KnownOrg],
    ) -> Option<Mapping> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path);
        let text = self.keep(
            place,
            text.map_err(|error| format!("the mapping {name} cannot be read: {error}")),
            "",
        )?;
        match Mapping::parse(&text, &name) {
            Ok(mut mapping) => {
                self.instances(place, &mut mapping, orgs);
                let across_orgs = org.map(|org| mapping.check_orgs(org)).unwrap_or_default();
                self.problems.extend(from_mapping(&text, across_orgs));
                Some(mapping)
            }
            Err(errors) => {
                self.problems.extend(from_mapping(&text, errors));
                None
            }
        }
    }

    /// A mapping of Next Identity calls its org by an `instance`: the name or the address of one that is configured. Any
    /// other word is its own affair, and the environment's org is meant; an address is not.
    fn instances(&mut self, place: &Place, mapping: &mut Mapping, orgs: &[KnownOrg]) {
        for target in mapping.targets_mut() {
            let Some(instance) = &target.instance else { continue };
            let after_scheme = instance.split_once("://").map_or(instance.as_str(), |(_, rest)| rest);
            let host = after_scheme.split(['/', ':']).next().unwrap_or_default();
            let is_meant = |org: &&KnownOrg| {
                let known = org.url.as_ref().and_then(Url::host_str);
                let is_host = known.is_some_and(|known| known.eq_ignore_ascii_case(host));
                org.name.as_str() == instance || is_host
            };
            match orgs.iter().find(is_meant) {
                Some(org) => target.org = Some(org.name.clone()),
                None if host.contains('.') => {
                    let message = format!("the mapping is for `{instance}`, and no org has that address");
                    self.refuse(place, &message, &known_orgs(orgs));
                }
                None => {}
            }
        }
    }

    /// Every target has an org, and it exists.
    pub(super) fn target_orgs(
        &mut self,
        place: &Place,
        mapping: &Mapping,
        org: Option<&OrgName>,
        orgs: &[KnownOrg],
    ) {
        for target in &mapping.targets {
            match target.org.as_ref().or(org) {
                None => {
                    let message = format!("the target `{}` names no org, and there are several", target.name);
                    self.refuse(place, &message, &known_orgs(orgs));
                }
                Some(name) if !orgs.iter().any(|org| org.name == *name) => {
                    let message =
                        format!("the target `{}` is in an org `{name}` that is not configured", target.name);
                    self.refuse(place, &message, &known_orgs(orgs));
                }
                Some(_) => {}
            }
        }
    }

    /// The orgs that groups are made from exist.
    fn group_orgs(&mut self, place: &Place, mapping: &Mapping, orgs: &[KnownOrg]) {
        let groups = &mapping.groups;
        let published = groups.publish.iter().filter_map(|publish| publish.org.as_ref());
        let pushed = groups.pushed.iter().filter_map(|pushed| pushed.org.as_ref());
        for name in published.chain(pushed).filter(|name| !orgs.iter().any(|org| org.name == **name)) {
            let message = format!("`groups` of the mapping names an org `{name}` that is not configured");
            self.refuse(place, &message, &known_orgs(orgs));
        }
    }

    /// Without a default profile the mapping gives everybody one.
    fn profile_for_all(&mut self, place: &Place, mapping: &Mapping) {
        const HELP: &str = "name a profile; or give one for good to everybody by a rule without `when` and `until`, or by \
                            `ProfileId` with a `default`; leave it out for \"Standard User\"";
        for target in mapping.targets_without_profile() {
            let message = format!(
                "there is no default profile, and the mapping may leave Users of the target `{}` without one",
                target.name
            );
            self.refuse(place, &message, HELP);
        }
    }

    fn clients(
        &mut self,
        root: &Place,
        tenant: Option<&TenantId>,
        sections: Vec<ClientSection>,
    ) -> Vec<ClientSettings> {
        let mut names: HashMap<String, usize> = HashMap::new();
        let mut tokens: HashMap<[u8; 32], String> = HashMap::new();
        let mut client_ids: HashMap<String, String> = HashMap::new();
        let mut clients = Vec::with_capacity(sections.len());
        for (index, section) in sections.into_iter().enumerate() {
            let mut at = below(root, "clients");
            at.push(index.into());
            if names.insert(section.name.clone(), index).is_some() {
                let message = format!("two clients are called `{}`", section.name);
                self.refuse(&below(&at, "name"), &message, "");
            }
            if section.name.starts_with(OWN_CLIENTS) {
                let message = format!("`{}` is the name of something that Gangway itself does", section.name);
                let help = "choose a name that does not begin with `gangway-`";
                self.refuse(&below(&at, "name"), &message, help);
            }
            let name = self.keep(&below(&at, "name"), ClientName::new(section.name.as_str()), "");
            let least = usize::from(section.oauth.is_none());
            let hashes = self.token_hashes(&below(&at, "token-sha256"), &section.token_sha256, least);
            for hash in &hashes {
                if let Some(other) = tokens.insert(*hash, section.name.clone()) {
                    let message = format!("the clients `{other}` and `{}` have the same token", section.name);
                    self.refuse(&below(&at, "token-sha256"), &message, "make one each: gangway token new");
                }
            }
            let policy = ClientPolicy {
                may_grant: self.grants(&below(&at, "grants"), &section.grants),
                lists: section.entitlements.unwrap_or(ListRuleName::of(section.dialect)).into(),
                keep_unknown: section.unknown_entitlements == UnknownEntitlements::Keep,
            };
            let oauth = section.oauth.as_ref().and_then(|oauth| {
                let at = below(&at, "oauth");
                if let Some(other) = client_ids.insert(oauth.client_id.clone(), section.name.clone()) {
                    let message =
                        format!("the clients `{other}` and `{}` have the same client id", section.name);
                    self.refuse(&below(&at, "client-id"), &message, "give each its own: any text");
                }
                self.oauth(&at, oauth)
            });
            let population = section.population.as_ref().zip(tenant).and_then(|(population, tenant)| {
                self.keep(&below(&at, "population"), tenant.with_population(population), "")
            });
            let Some(name) = name else { continue };
            clients.push(ClientSettings {
                name,
                token_sha256: hashes,
                oauth,
                may: section.may,
                dialect: section.dialect,
                acknowledge: section.acknowledge,
                zero_based_index: section.zero_based_index,
                group_patch: section.group_patch,
                policy,
                population,
            });
        }
        clients
    }

    fn grants(&mut self, place: &Place, section: &GrantsSection) -> GrantList {
        let mut read = |key: &str, texts: &[String]| {
            let mut patterns = Vec::with_capacity(texts.len());
            for (index, text) in texts.iter().enumerate() {
                let mut at = below(place, key);
                at.push(index.into());
                patterns.extend(self.grant_pattern(&at, text));
            }
            patterns
        };
        GrantList { allow: read("allow", &section.allow), deny: read("deny", &section.deny) }
    }

    fn grant_pattern(&mut self, place: &Place, text: &str) -> Option<GrantPattern> {
        let refused = match text.parse() {
            Ok(pattern) => return Some(pattern),
            Err(refused) => refused,
        };
        let help = match &refused {
            BadGrantPattern::Kind(UnknownKind(kind)) => {
                let kinds = EntitlementKind::ALL.map(EntitlementKind::as_str);
                nearest(kind, &kinds).map_or_else(String::new, |near| format!("did you mean `{near}`?"))
            }
            _ => String::new(),
        };
        self.refuse(place, &refused.to_string(), &help);
        None
    }

    /// The hashes of a client's tokens: `least` to two of them.
    pub(super) fn token_hashes(&mut self, place: &Place, texts: &[String], least: usize) -> Vec<[u8; 32]> {
        const HELP: &str = "`gangway token new` prints a token and the line that belongs here";
        if texts.len() < least || texts.len() > TOKENS_PER_CLIENT {
            let message = format!(
                "a client has one token, or two while one replaces the other; here are {}",
                texts.len()
            );
            self.refuse(place, &message, HELP);
        }
        let mut hashes = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            match hex(text) {
                // The same one twice is one.
                Some(hash) if hashes.contains(&hash) => {}
                Some(hash) => hashes.push(hash),
                None => {
                    let mut at = place.clone();
                    at.push(index.into());
                    // Somebody may have pasted the token itself: it is not repeated.
                    self.refuse(&at, "this is not a SHA-256: 64 hexadecimal digits", HELP);
                }
            }
        }
        hashes
    }
}

pub(super) fn below(root: &Place, key: &str) -> Place {
    let mut place = root.clone();
    place.push(key.into());
    place
}

fn known_orgs(orgs: &[KnownOrg]) -> String {
    format!("configured: {}", orgs.iter().map(|org| org.name.as_str()).collect::<Vec<_>>().join(", "))
}

/// The org of what names none: the environment's, or the only one.
pub(super) fn sole_or_named<'o>(named: Option<&str>, orgs: &'o [KnownOrg]) -> Option<&'o OrgName> {
    match (named, orgs) {
        (Some(named), _) => orgs.iter().map(|org| &org.name).find(|org| org.as_str() == named),
        (None, [only]) => Some(&only.name),
        (None, _) => None,
    }
}

/// 32 bytes from 64 hexadecimal digits, in either case.
pub(crate) fn hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(bytes)
}
