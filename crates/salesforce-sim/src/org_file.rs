//! The org file: what an org holds when it starts. `data/default_org.toml` is one too.

mod entitlements;
mod records;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    automation::{Trigger, ValidationRule},
    cell::{Cell, Row},
    crm::{
        assignment::{AssignmentRule, Step},
        lead_status::{self, LeadStatus},
        record_types::{Assigned, RecordType},
    },
    errors::Refusal,
    ids::Id,
    licences,
    oauth::{self, App},
    org::{Actor, Org},
    random::Random,
    request::Headers,
    rows,
    schema::{CustomField, Schema, SchemaError},
    switches::Switches,
    users,
    values::Source,
};

const DEFAULT: &str = include_str!("../data/default_org.toml");

/// Why an org file does not make an org.
#[derive(Debug, thiserror::Error)]
pub enum OrgFileError {
    /// The file cannot be read.
    #[error("could not read the org file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML, or has a key or value that is not known.
    #[error("the org file is wrong: {0}")]
    Parse(#[from] toml::de::Error),
    /// A custom field, hidden field or picklist does not fit the schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A profile names a licence, a user a profile, and so on, that the file does not have.
    #[error("{what} names the {kind} \"{name}\", which the org file does not have")]
    Missing {
        /// Who names it.
        what: String,
        /// The kind of thing that is missing.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// An app has a certificate that is none.
    #[error("the certificate of the app {0} is no PEM of an RSA certificate or public key")]
    Certificate(String),
    /// The org itself would refuse the user, or what he is given.
    #[error("{what} cannot be: {why}")]
    Refused {
        /// Who, and of what kind.
        what: String,
        /// The org's own words.
        why: String,
    },
}

/// An org file, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct OrgFile {
    /// Start from nothing: neither licences, profiles, roles nor users of the default org.
    bare: bool,
    org: OrgFacts,
    switches: Switches,
    licences: Vec<Licence>,
    /// Feature licences by field (`UserPermissionsMarketingUser`), with their number.
    features: BTreeMap<String, i64>,
    profiles: Vec<Profile>,
    roles: Vec<Role>,
    permission_set_licences: Vec<entitlements::PermissionSetLicence>,
    permission_sets: Vec<entitlements::PermissionSet>,
    permission_set_groups: Vec<entitlements::PermissionSetGroup>,
    groups: Vec<entitlements::Group>,
    queues: Vec<entitlements::Group>,
    packages: Vec<entitlements::Package>,
    territories: Vec<entitlements::Territory>,
    users: Vec<User>,
    /// Apps beside the one that the org is started with; one with the same consumer key replaces it.
    apps: Vec<App>,
    /// Custom fields.
    fields: Vec<CustomField>,
    /// Fields to hide (`User.Division`) and to show (`User.MiddleName`).
    hidden_fields: Vec<String>,
    shown_fields: Vec<String>,
    /// Other values for a picklist: `"User.LanguageLocaleKey" = ["en_US", "de"]`.
    picklists: BTreeMap<String, Vec<String>>,
    /// Usernames that other orgs use.
    usernames_elsewhere: Vec<String>,
    /// The values of `Lead.Status`, in their order.
    lead_statuses: Vec<LeadStatus>,
    assignment_rules: Vec<AssignmentRule>,
    record_types: Vec<RecordType>,
    /// Where conversion carries a field of Lead, beside the standard mapping: `Region__c = ["Contact.Region__c"]`.
    lead_mapping: BTreeMap<String, Vec<String>>,
    /// Records of objects that have no section of their own.
    records: Vec<records::Record>,
    validation_rules: Vec<ValidationRule>,
    triggers: Vec<Trigger>,
    generate: Generate,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct OrgFacts {
    name: Option<String>,
    instance: Option<String>,
    edition: Option<String>,
    sandbox: Option<bool>,
    /// The registry of usernames that the org shares with others of the process.
    username_registry: Option<String>,
    run_as: Option<String>,
    login_hosts: Option<Vec<String>>,
    language: Option<String>,
    locale: Option<String>,
    time_zone: Option<String>,
    /// What an org may have switched on: `data-protection`, ... (the `feature` columns of `data/`).
    features: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Licence {
    name: String,
    #[serde(default)]
    key: Option<String>,
    total: i64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Profile {
    name: String,
    licence: String,
    #[serde(default)]
    user_type: Option<String>,
    #[serde(default)]
    permissions: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Role {
    name: String,
    #[serde(default)]
    parent: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct User {
    username: String,
    #[serde(default)]
    profile: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    manager: Option<String>,
    #[serde(default)]
    frozen: bool,
    /// `false`: a user without a `UserLogin`, as orgs have a few.
    #[serde(default = "yes")]
    login_row: bool,
    /// How often he is logged in, in browsers.
    #[serde(default)]
    sessions: u32,
    /// Why deactivating is refused: names of `data/deactivation_blockers.tsv`, or texts.
    #[serde(default)]
    blockers: Vec<String>,
    /// For SOAP `login()` and the password grant; without it the `default-password` of the switches.
    #[serde(default)]
    password: Option<String>,
    /// Any other field, in Salesforce's spelling.
    #[serde(default)]
    fields: Map<String, Value>,
    // What he is given. Spelled out here: serde cannot refuse unknown keys beside a flattened struct.
    #[serde(default)]
    permission_sets: Vec<String>,
    #[serde(default)]
    permission_set_groups: Vec<String>,
    #[serde(default)]
    permission_set_licences: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    queues: Vec<String>,
    #[serde(default)]
    packages: Vec<String>,
    #[serde(default)]
    territories: Vec<String>,
}

fn yes() -> bool {
    true
}

/// Many made-up users, for measurements.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Generate {
    users: u64,
    profile: Option<String>,
    /// What each of them has.
    grants: entitlements::Grants,
}

impl OrgFile {
    /// Reads a file and lays it over the default org; without a file, the default org.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, OrgFileError> {
        let Some(path) = path else { return Ok(toml::from_str(DEFAULT)?) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| OrgFileError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// The same from text.
    pub(crate) fn parse(text: &str) -> Result<Self, OrgFileError> {
        let file: Self = toml::from_str(text)?;
        if file.bare {
            return Ok(file);
        }
        Ok(file.over(toml::from_str(DEFAULT)?))
    }

    /// What this file names wins; what only `base` has stays.
    fn over(mut self, mut base: Self) -> Self {
        self.entitlements_over(&mut base);
        self.licences = merge(base.licences, self.licences, |licence| &licence.name);
        self.profiles = merge(base.profiles, self.profiles, |profile| &profile.name);
        self.roles = merge(base.roles, self.roles, |role| &role.name);
        self.users = merge(base.users, self.users, |user| &user.username);
        self.apps = merge(base.apps, self.apps, |app| &app.client_id);
        if self.lead_statuses.is_empty() {
            self.lead_statuses = base.lead_statuses;
        }
        let (own, base) = (self.org, base.org);
        self.org = OrgFacts {
            name: own.name.or(base.name),
            instance: own.instance.or(base.instance),
            edition: own.edition.or(base.edition),
            sandbox: own.sandbox.or(base.sandbox),
            username_registry: own.username_registry.or(base.username_registry),
            run_as: own.run_as.or(base.run_as),
            login_hosts: own.login_hosts.or(base.login_hosts),
            language: own.language.or(base.language),
            locale: own.locale.or(base.locale),
            time_zone: own.time_zone.or(base.time_zone),
            features: [own.features, base.features].concat(),
        };
        self
    }

    /// Makes the org. Users are created under the rules of the org, so that no file can hold what no
    /// org could.
    pub(crate) fn build(&self, seed: u64, now: i64) -> Result<Org, OrgFileError> {
        let mut schema = Schema::standard(&self.org.features)?;
        for field in &self.fields {
            schema.add_field(field)?;
        }
        for (path, values) in &self.picklists {
            schema.set_picklist(path, values)?;
        }
        let statuses: Vec<String> = self.lead_statuses.iter().map(|status| status.name.clone()).collect();
        if let Some(default) = lead_status::default(&self.lead_statuses) {
            schema.set_picklist("Lead.Status", &statuses)?;
            schema.set_default("Lead.Status", &default.name)?;
        }
        if self.org.features.iter().any(|feature| feature == "person-accounts") {
            // A lead may become a person instead of somebody at a company.
            schema.set_nillable("Lead.Company")?;
        }
        for kind in &self.record_types {
            schema.set_hidden(&format!("{}.RecordTypeId", kind.object), false)?;
        }
        for path in &self.hidden_fields {
            schema.set_hidden(path, true)?;
        }
        for path in &self.shown_fields {
            schema.set_hidden(path, false)?;
        }
        let letters = Random::new(seed).text(b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz", 2);
        let mut instance = [b'0'; 2];
        instance.copy_from_slice(&letters.as_bytes()[..2]);
        let mut org = Org::new(schema, instance, self.switches.clone(), now);
        org.usernames = self.org.username_registry.as_deref().map(users::Membership::join);
        org.taken_usernames = self.usernames_elsewhere.iter().map(|name| name.to_lowercase()).collect();
        let actor = Actor { user: org.run_as, now };
        self.add_organization(&mut org, actor);
        for (order, status) in (1..).zip(&self.lead_statuses) {
            let default = lead_status::default(&self.lead_statuses).is_some_and(|d| d.name == status.name);
            let cells = [
                ("MasterLabel", Cell::text(&status.name)),
                ("ApiName", Cell::text(&status.name)),
                ("SortOrder", Cell::Int(order)),
                ("IsDefault", Cell::Bool(default)),
                ("IsConverted", Cell::Bool(status.converted)),
            ];
            rows::add(&mut org, "LeadStatus", None, &cells, actor);
        }
        for licence in &self.licences {
            add_licence(&mut org, licence, actor);
        }
        for profile in &self.profiles {
            add_profile(&mut org, profile, actor)?;
        }
        for role in &self.roles {
            add_role(&mut org, role, actor)?;
        }
        for kind in &self.record_types {
            add_record_type(&mut org, kind, actor)?;
        }
        self.add_entitlements(&mut org, actor)?;
        for user in &self.users {
            self.add_user(&mut org, user, actor)?;
        }
        self.add_managers(&mut org)?;
        self.add_assignment_rules(&mut org, actor)?;
        self.add_lead_mapping(&mut org)?;
        self.choose_run_as(&mut org)?;
        self.add_apps(&mut org)?;
        self.add_records(&mut org, now)?;
        self.generate(&mut org, actor)?;
        for (feature, total) in &self.features {
            if !users::set_total(&mut org, feature, *total) {
                return Err(missing("features", "feature licence", feature));
            }
        }
        self.add_automation(&mut org, now)?;
        org.commit();
        Ok(org)
    }

    fn add_organization(&self, org: &mut Org, actor: Actor) {
        let facts = &self.org;
        let text = |text: &Option<String>| text.as_deref().map_or(Cell::Null, Cell::text);
        let id = org.id;
        let cells = [
            ("Name", text(&facts.name)),
            ("InstanceName", text(&facts.instance)),
            ("OrganizationType", text(&facts.edition)),
            ("IsSandbox", Cell::Bool(facts.sandbox.unwrap_or(false))),
            ("LanguageLocaleKey", text(&facts.language)),
            ("DefaultLocaleSidKey", text(&facts.locale)),
            ("TimeZoneSidKey", text(&facts.time_zone)),
        ];
        rows::add(org, "Organization", Some(id), &cells, actor);
    }

    fn add_user(&self, org: &mut Org, user: &User, actor: Actor) -> Result<(), OrgFileError> {
        let who = || format!("the user {}", user.username);
        let profile = user.profile.as_deref().or(self.profiles.first().map(|p| p.name.as_str()));
        let profile = profile.unwrap_or_default();
        let mut body = user.fields.clone();
        let mut fill = |name: &str, value: Value| {
            body.entry(name).or_insert(value);
        };
        let short: String = user.username.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        fill("Username", json!(user.username));
        fill("LastName", json!(short));
        fill("Email", json!(user.username));
        fill("Alias", json!(short));
        fill("TimeZoneSidKey", json!(self.org.time_zone.as_deref().unwrap_or("Europe/London")));
        fill("LocaleSidKey", json!(self.org.locale.as_deref().unwrap_or("en_US")));
        fill("LanguageLocaleKey", json!(self.org.language.as_deref().unwrap_or("en_US")));
        fill("EmailEncodingKey", json!("UTF-8"));
        let id = find(org, "Profile", profile).ok_or_else(|| missing(&who(), "profile", profile))?;
        fill("ProfileId", json!(id.to_string()));
        if let Some(role) = &user.role {
            let id = find(org, "UserRole", role).ok_or_else(|| missing(&who(), "role", role))?;
            fill("UserRoleId", json!(id.to_string()));
        }
        let object = Arc::clone(&org.table_of("User").object);
        let id = rows::create(org, &object, &body, Source(""), &Headers::default(), actor)
            .map_err(|refusals| refused(&who(), &refusals))?;
        let logins = Arc::clone(&org.table_of("UserLogin").object);
        let row = org.table(&logins).find_one(logins.at("UserId"), &Cell::Id(id)).map(|row| Row::clone(row));
        match row {
            Some(row) if !user.login_row => {
                if let Some(login) = row.get(0).as_id() {
                    org.remove(&logins, login);
                }
            }
            Some(mut row) if user.frozen => {
                row.set(logins.at("IsFrozen"), Cell::Bool(true));
                org.replace(&logins, row);
            }
            _ => {}
        }
        users::sessions::open(org, id, user.sessions, actor);
        if let Some(password) = &user.password {
            org.set_password(id, password);
        }
        if !user.blockers.is_empty() {
            org.blockers.insert(id, user.blockers.iter().map(|name| users::blocker(name)).collect());
        }
        user.grant(org, id, actor)
    }

    /// Managers come last: a manager may stand below his people in the file.
    fn add_managers(&self, org: &mut Org) -> Result<(), OrgFileError> {
        let f = org.user_fields;
        let object = Arc::clone(&org.table_of("User").object);
        for user in &self.users {
            let Some(manager) = &user.manager else { continue };
            let find = |org: &Org, name: &str| {
                org.table(&object).find_one(f.username, &Cell::text(name)).map(|row| Row::clone(row))
            };
            let of = format!("the user {}", user.username);
            let id = find(org, manager).and_then(|row| row.get(0).as_id());
            let id = id.ok_or_else(|| missing(&of, "manager", manager))?;
            if let Some(mut row) = find(org, &user.username) {
                row.set(f.manager, Cell::Id(id));
                org.replace(&object, row);
            }
        }
        Ok(())
    }

    fn add_assignment_rules(&self, org: &mut Org, actor: Actor) -> Result<(), OrgFileError> {
        for rule in &self.assignment_rules {
            let who = format!("the assignment rule {}", rule.name);
            let object =
                org.schema.object(&rule.object).filter(|o| matches!(o.name.as_str(), "Lead" | "Case"));
            let object = object.cloned().ok_or_else(|| missing(&who, "object", &rule.object))?;
            let step =
                |entry| Step::new(org, &object, entry).map_err(|name| missing(&who, "field or owner", &name));
            let steps = rule.entries.iter().map(step).collect::<Result<_, _>>()?;
            let cells = [
                ("Name", Cell::text(&rule.name)),
                ("SobjectType", Cell::text(&object.name)),
                ("Active", Cell::Bool(rule.active)),
            ];
            let id = rows::add(org, "AssignmentRule", None, &cells, actor);
            org.crm.assignment.insert(id, steps);
        }
        Ok(())
    }

    fn add_lead_mapping(&self, org: &mut Org) -> Result<(), OrgFileError> {
        for (from, targets) in &self.lead_mapping {
            for target in targets {
                let unknown = |name: &str| missing("lead-mapping", "field", name);
                let (object, to) = target.split_once('.').ok_or_else(|| unknown(target))?;
                let field = |object: &str, name: &str| {
                    let found = org.schema.object(object).and_then(|object| object.field(name));
                    found.map(|field| field.name.clone()).ok_or_else(|| unknown(&format!("{object}.{name}")))
                };
                let mapped = (field("Lead", from)?, object.to_owned(), field(object, to)?);
                org.crm.lead_mapping.push(mapped);
            }
        }
        Ok(())
    }

    fn choose_run_as(&self, org: &mut Org) -> Result<(), OrgFileError> {
        let table = org.table_of("User");
        let user = match &self.org.run_as {
            Some(name) => table
                .find_one(org.user_fields.username, &Cell::text(name))
                .ok_or_else(|| missing("org.run-as", "user", name))?,
            None => match table.iter().next() {
                Some((_, row)) => row,
                None => return Err(missing("the org", "user", "any")),
            },
        };
        let id = user.get(0).as_id();
        if let Some(id) = id {
            org.run_as = id;
        }
        Ok(())
    }

    fn add_apps(&self, org: &mut Org) -> Result<(), OrgFileError> {
        for app in &self.apps {
            if app.certificate.is_some() && app.key().is_none() {
                return Err(OrgFileError::Certificate(app.name().to_owned()));
            }
            if let Some(name) = &app.run_as {
                let of = format!("the app {}", app.name());
                oauth::user(org, name).ok_or_else(|| missing(&of, "user", name))?;
            }
        }
        org.apps.clone_from(&self.apps);
        org.login_hosts = self.org.login_hosts.clone().unwrap_or_default();
        Ok(())
    }

    /// Rows as a create would make them, without asking every rule a million times. Licences grow as
    /// needed.
    fn generate(&self, org: &mut Org, actor: Actor) -> Result<(), OrgFileError> {
        let count = self.generate.users;
        if count == 0 {
            return Ok(());
        }
        let name = self.generate.profile.as_deref().unwrap_or("Standard User");
        let profile = find(org, "Profile", name).ok_or_else(|| missing("generate", "profile", name))?;
        let f = org.user_fields;
        let object = Arc::clone(&org.table_of("User").object);
        let first = User {
            username: "user0@generated.example".into(),
            profile: Some(name.to_owned()),
            role: None,
            manager: None,
            frozen: false,
            login_row: true,
            sessions: 0,
            blockers: Vec::new(),
            password: None,
            fields: Map::from_iter([("FirstName".to_owned(), json!("Generated"))]),
            permission_sets: Vec::new(),
            permission_set_groups: Vec::new(),
            permission_set_licences: Vec::new(),
            groups: Vec::new(),
            queues: Vec::new(),
            packages: Vec::new(),
            territories: Vec::new(),
        };
        let grants = self.generate.grants.prepare(org)?;
        let set = crate::entitlements::set_of(org, "ProfileId", profile);
        let licences = Arc::clone(&org.table_of("UserLicense").object);
        let profiles = org.table_of("Profile");
        let licence =
            profiles.get(profile).and_then(|row| row.get(profiles.object.at("UserLicenseId")).as_id());
        let seats = i64::try_from(count).unwrap_or(i64::MAX);
        if let Some(mut row) = licence.and_then(|id| org.table(&licences).get(id)).map(|row| Row::clone(row))
        {
            let total = licences.at("TotalLicenses");
            row.set(total, Cell::Int(row.get(total).as_int().saturating_add(seats)));
            org.replace(&licences, row);
        }
        self.add_user(org, &first, actor)?;
        let template = org.table(&object).find_one(f.username, &Cell::text(&first.username)).cloned();
        let Some(template) = template else { return Ok(()) };
        let room = usize::try_from(count).unwrap_or(0);
        let assignments = Arc::clone(&org.table_of("PermissionSetAssignment").object);
        org.reserve(&object, room);
        org.reserve(&assignments, room);
        if let Some(first) = template.get(0).as_id() {
            entitlements::add_grants(org, &grants, first, actor);
        }
        let (alias, federation, number) =
            (object.at("Alias"), object.at("FederationIdentifier"), object.at("EmployeeNumber"));
        for n in 1..count {
            let mut row = Row::clone(&template);
            let id = org.new_id(&object);
            let username = Cell::text(&format!("user{n}@generated.example"));
            row.set(0, Cell::Id(id));
            row.set(f.username, username.clone());
            row.set(f.email, username.clone());
            row.set(federation, username);
            row.set(f.nickname, Cell::text(&format!("user{n}")));
            row.set(alias, Cell::text(&format!("u{}", n % 10_000_000)));
            row.set(number, Cell::text(&n.to_string()));
            row.set(f.last_name, Cell::text(&format!("User {n}")));
            row.set(f.name, Cell::text(&format!("Generated User {n}")));
            org.insert(&object, row);
            if let Some(names) = &mut org.usernames {
                names.claim(&format!("user{n}@generated.example"));
            }
            users::add_login(org, id, actor);
            if let Some(set) = set {
                crate::entitlements::add_assignment(org, id, set, None, actor);
            }
            entitlements::add_grants(org, &grants, id, actor);
            if n % 4_096 == 0 {
                org.commit();
            }
        }
        if let Some(licence) = licence {
            licences::count_seats(org, licence, seats - 1, actor.now);
        }
        entitlements::count_seats(org, &grants, seats, actor.now);
        Ok(())
    }
}

/// `over` in the place of what has the same name in `base`; the rest of it behind.
fn merge<T>(base: Vec<T>, over: Vec<T>, name: impl Fn(&T) -> &String) -> Vec<T> {
    let mut merged = base;
    for item in over {
        match merged.iter_mut().find(|other| name(other).eq_ignore_ascii_case(name(&item))) {
            Some(place) => *place = item,
            None => merged.push(item),
        }
    }
    merged
}

fn missing(what: &str, kind: &'static str, name: &str) -> OrgFileError {
    OrgFileError::Missing { what: what.to_owned(), kind, name: name.to_owned() }
}

fn refused(what: &str, refusals: &[Refusal]) -> OrgFileError {
    let why: Vec<String> =
        refusals.iter().map(|refusal| format!("{} {}", refusal.code, refusal.message)).collect();
    OrgFileError::Refused { what: what.to_owned(), why: why.join("; ") }
}

/// The record of `object` with this name.
fn find(org: &Org, object: &str, name: &str) -> Option<Id> {
    find_by(org, object, "Name", name)
}

/// The record of `object` whose indexed `field` is `name`; none in an org without that object.
fn find_by(org: &Org, object: &str, field: &str, name: &str) -> Option<Id> {
    let table = org.table(org.schema.object(object)?);
    table.find_one(table.object.at(field), &Cell::text(name))?.get(0).as_id()
}

fn add_licence(org: &mut Org, licence: &Licence, actor: Actor) {
    let key = licence.key.clone().unwrap_or_else(|| licence.name.to_uppercase().replace(' ', "_"));
    let cells = [
        ("Name", Cell::text(&licence.name)),
        ("MasterLabel", Cell::text(&licence.name)),
        ("LicenseDefinitionKey", Cell::text(&key)),
        ("TotalLicenses", Cell::Int(licence.total)),
        ("UsedLicenses", Cell::Int(0)),
    ];
    rows::add(org, "UserLicense", None, &cells, actor);
}

fn add_profile(org: &mut Org, profile: &Profile, actor: Actor) -> Result<(), OrgFileError> {
    let who = format!("the profile {}", profile.name);
    let licence = find(org, "UserLicense", &profile.licence)
        .ok_or_else(|| missing(&who, "licence", &profile.licence))?;
    let object = Arc::clone(&org.table_of("Profile").object);
    let permissions: Vec<String> =
        profile.permissions.iter().map(|name| format!("Permissions{name}")).collect();
    let mut cells = vec![
        ("Name", Cell::text(&profile.name)),
        ("UserLicenseId", Cell::Id(licence)),
        ("UserType", Cell::text(profile.user_type.as_deref().unwrap_or("Standard"))),
    ];
    for name in &permissions {
        if object.field(name).is_none() {
            return Err(missing(&who, "permission", name));
        }
        cells.push((name, Cell::Bool(true)));
    }
    let id = rows::add(org, "Profile", None, &cells, actor);
    crate::entitlements::add_profile_set(org, id, actor);
    Ok(())
}

fn add_record_type(org: &mut Org, kind: &RecordType, actor: Actor) -> Result<(), OrgFileError> {
    let who = format!("the record type {}", kind.name);
    let object = org.schema.object(&kind.object).map(|object| object.name.clone());
    let object = object.ok_or_else(|| missing(&who, "object", &kind.object))?;
    let profile = |name| find(org, "Profile", name).ok_or_else(|| missing(&who, "profile", name));
    let profiles = kind.profiles.iter().map(|name| profile(name)).collect::<Result<_, _>>()?;
    let developer_name = kind.developer_name.clone().unwrap_or_else(|| kind.name.replace(' ', "_"));
    let cells = [
        ("Name", Cell::text(&kind.name)),
        ("DeveloperName", Cell::text(&developer_name)),
        ("SobjectType", Cell::text(&object)),
        ("IsActive", Cell::Bool(kind.active)),
    ];
    let id = rows::add(org, "RecordType", None, &cells, actor);
    org.crm.record_types.insert(id, Assigned { profiles, default: kind.default });
    Ok(())
}

fn add_role(org: &mut Org, role: &Role, actor: Actor) -> Result<(), OrgFileError> {
    let parent = match &role.parent {
        None => Cell::Null,
        Some(name) => {
            let found = find(org, "UserRole", name);
            Cell::Id(found.ok_or_else(|| missing(&format!("the role {}", role.name), "role", name))?)
        }
    };
    let cells = [
        ("Name", Cell::text(&role.name)),
        ("DeveloperName", Cell::text(&crate::entitlements::developer_name_of(&role.name))),
        ("ParentRoleId", parent),
    ];
    let id = rows::add(org, "UserRole", None, &cells, actor);
    crate::entitlements::add_role_groups(org, id, actor);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(text: &str) -> Result<Org, OrgFileError> {
        OrgFile::parse(text)?.build(1, 1_700_000_000_000)
    }

    #[test]
    fn the_default_org_can_be_built() {
        let org = OrgFile::read(None).unwrap().build(1, 0).unwrap();
        assert_eq!(org.table_of("User").len(), 2);
        assert_eq!(org.table_of("UserLogin").len(), 2);
        let licences = org.table_of("UserLicense");
        let salesforce = licences.find_one(licences.object.at("Name"), &Cell::text("salesforce")).unwrap();
        assert_eq!(salesforce.get(licences.object.at("UsedLicenses")).as_int(), 2);
    }

    #[test]
    fn a_file_joins_and_replaces_by_name() {
        let org = build(
            "[[licences]]\nname = \"Salesforce\"\ntotal = 3\n[[roles]]\nname = \"Pilot\"\nparent = \"CEO\"",
        )
        .unwrap();
        let licences = org.table_of("UserLicense");
        let salesforce = licences.find_one(licences.object.at("Name"), &Cell::text("Salesforce")).unwrap();
        assert_eq!(salesforce.get(licences.object.at("TotalLicenses")).as_int(), 3);
        assert_eq!(org.table_of("UserRole").len(), 7);
    }

    #[test]
    fn what_no_org_could_hold_is_no_org_file() {
        for (text, expected) in [
            ("colour = 1", "unknown field"),
            ("[[profiles]]\nname = \"X\"\nlicence = \"Nope\"", "the licence \"Nope\""),
            ("[[users]]\nusername = \"nobody\"", "INVALID_EMAIL_ADDRESS"),
            ("[[users]]\nusername = \"a@example.com\"\nprofile = \"Nope\"", "the profile \"Nope\""),
            ("hidden-fields = [\"User.Nope\"]", "there is no field User.Nope"),
            ("bare = true", "which the org file does not have"),
            ("[features]\nUserPermissionsNope = 1", "feature licence"),
            ("[[records]]\nobject = \"Nope\"", "the object \"Nope\""),
            ("[[records]]\nobject = \"Contact\"", "REQUIRED_FIELD_MISSING"),
            (
                "[[records]]\nobject = \"Contact\"\nfields = { AccountId = { ref = \"x\" } }",
                "the record \"x\"",
            ),
            (
                "[[validation-rules]]\nobject = \"Lead\"\nwhen = \"Nope = 1\"\nmessage = \"m\"",
                "INVALID_FIELD",
            ),
            ("[[triggers]]\nobject = \"Nope\"\nname = \"n\"\nmessage = \"m\"", "INVALID_TYPE"),
        ] {
            let error = build(text).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    /// The page that explains org files shows one that works.
    #[test]
    fn the_documented_file_can_be_built() {
        let page = include_str!("../../../docs/simulated-org.md");
        let (_, rest) = page.split_once("```toml\n# org.toml\n").unwrap();
        let (text, _) = rest.split_once("```").unwrap();
        let text = text.replace("users = 1000", "users = 10");
        let org = build(&text).unwrap();
        assert_eq!(org.table_of("User").len(), 13);
    }

    #[test]
    fn every_switch_is_documented() {
        let page = include_str!("../../../docs/simulated-org.md");
        let switches = serde_json::to_value(Switches::default()).unwrap();
        for name in switches.as_object().unwrap().keys() {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn generated_users_are_found_by_every_key() {
        let org = build("[generate]\nusers = 500").unwrap();
        let users = org.table_of("User");
        assert_eq!(users.len(), 502);
        assert_eq!(org.table_of("UserLogin").len(), 502);
        let federation = users.object.at("FederationIdentifier");
        assert!(users.find_one(federation, &Cell::text("user499@generated.example")).is_some());
        assert!(users.find_one(org.user_fields.username, &Cell::text("USER499@generated.example")).is_some());
    }
}
