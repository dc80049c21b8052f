//! Mappings: which identities are which records, and what stands in their fields.

mod check;
mod conversion;
mod entitlements;
mod error;
mod grants;
mod groups;
mod lines;
mod next_identity;
mod parse;
mod policy;
mod rule;
mod source_rules;

use std::ops::Range;

use jiff::SignedDuration;
use model::{OrgName, TargetName};
use salesforce_types::{Audience, Catalogue, Entitlement, EntitlementKind, Fields, ObjectDescription};
use scim_types::Resource;

pub use conversion::{AccountMissing, ConversionRules, ConversionWish, Conversions};
pub use entitlements::{EntitlementPolicy, Ownership};
pub use error::{MappingError, MappingErrors, Severity};
pub use grants::{GrantRule, Ruled};
pub(crate) use grants::{RulePlace, Until};
pub(crate) use groups::Template;
pub use groups::{GroupPolicy, Partial, Publish, Pushed, PushedError};
pub use lines::RuleInFile;
pub use policy::{Allow, DuplicatePolicy, HandOver, HandOverTo, OnLeave, WhenDeleted};
pub(crate) use rule::{Meaning, On, Rule, Value};
pub use source_rules::{EventKind, SourceRules};

use crate::expression::Expression;
use crate::profile::Carried;
use error::Text;

/// The mapping of an environment that names none.
const DEFAULT: &str = include_str!("../default-mapping.toml");
/// What the default mapping is called in errors.
const DEFAULT_FILE: &str = "default-mapping.toml";

/// A checked mapping.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// In the order of the file; at least one.
    pub targets: Vec<Target>,
    /// Who gets which entitlements by rule, in the order of the file.
    pub grants: Vec<GrantRule>,
    /// Whose entitlements are.
    pub entitlements: EntitlementPolicy,
    /// Which SCIM Groups stand for an entitlement.
    pub groups: GroupPolicy,
    /// What of a profile that comes by an event is used.
    pub(crate) profile: Vec<Carried>,
    source_rules: SourceRules,
    warnings: Vec<MappingError>,
    text: Text,
    fingerprint: String,
}

/// A rule of an environment: identities for which `when` holds are this object in this org, mapped so.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the mapping calls it.
    pub name: TargetName,
    /// The org; absent: the environment's only one.
    pub org: Option<OrgName>,
    /// What a mapping of Next Identity calls the org: its name or its address.
    pub instance: Option<String>,
    /// The Salesforce object: `User`, `Contact` or `Lead`.
    pub object: String,
    /// The field that is how a record is found first and never made twice. It holds the SCIM id, or what its rule says if it has
    /// one. None for User, and where the mapping says `external-id = false`.
    pub external_id: Option<String>,
    /// The further fields by which a record that was there before Gangway is found, in order.
    pub matching: Vec<String>,
    /// What Gangway may do.
    pub allow: Allow,
    /// What happens to the record of an identity that leaves.
    pub on_leave: OnLeave,
    /// The kinds of entitlements that are taken away from a User who leaves, and given back to one who returns.
    pub strip: Vec<EntitlementKind>,
    /// A deactivation that Salesforce refuses for so long is an alarm.
    pub alarm_after: SignedDuration,
    /// Whose the records of a User who leaves become.
    pub hand_over: Option<HandOver>,
    /// What [`OnLeave::Flag`] writes.
    pub flag: Fields,
    /// Whether a change fails where this target does; otherwise the target becomes a task.
    pub required: bool,
    /// The record type of its records, by developer name or id.
    pub record_type: Option<String>,
    /// What to do when a duplicate rule of the org names a record.
    pub duplicates: DuplicatePolicy,
    /// Whether the org's assignment rules choose the owner of a new Lead.
    pub assignment_rules: bool,
    /// What to do when somebody has deleted the record.
    pub when_deleted: WhenDeleted,
    /// How a person's lead becomes this Contact.
    pub conversion: ConversionRules,
    /// Whether an update says all that the mapping fills, not only what is new: what somebody has changed by hand is made good with
    /// it. For records that a source is the master of.
    pub restates: bool,
    when: Option<Expression>,
    pub(crate) rules: Vec<Rule>,
    place: Place,
}

/// Where a target stands in its file.
#[derive(Clone, Debug)]
struct Place {
    header: Range<usize>,
    matching: Vec<Range<usize>>,
    /// Of each field of `flag`.
    flag: Vec<Range<usize>>,
    external_id: Option<Range<usize>>,
    record_type: Option<Range<usize>>,
    when: Option<Range<usize>>,
    /// Of the status in `conversion`.
    status: Option<Range<usize>>,
}

impl Mapping {
    /// Reads a mapping in TOML, or in the JSON form of Next Identity: the name of the file or its first character tells.
    /// `file` is the name that errors give.
    ///
    /// # Errors
    ///
    /// Every mistake that can be found without an org, each with its place.
    pub fn parse(text: &str, file: &str) -> Result<Self, MappingErrors> {
        parse::parse(text, file)
    }

    /// The mapping of an environment that names none: every identity is a User of this org.
    ///
    /// # Panics
    ///
    /// Never: the mapping is part of Gangway, and a test reads it.
    #[must_use]
    pub fn default_for(org: &OrgName) -> Self {
        let mut mapping = Self::parse(DEFAULT, DEFAULT_FILE).expect("a test reads the default mapping");
        for target in &mut mapping.targets {
            target.org = Some(org.clone());
        }
        mapping
    }

    /// What the mapping asks for and does not get, though it can be used.
    #[must_use]
    pub fn warnings(&self) -> &[MappingError] {
        &self.warnings
    }

    /// The name of the file, as it was given to [`Mapping::parse`].
    #[must_use]
    pub fn file(&self) -> &str {
        self.text.file()
    }

    /// The text that it was read from: parsed again it is the same mapping.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.whole()
    }

    /// Stands for the text of the mapping: the first 16 hexadecimal digits of its SHA-256. The same text has the same
    /// fingerprint, so that a record can say by which mapping it was written.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether targets refer to each other across orgs, where those that name none are in this one. Nothing else can be
    /// wrong about orgs that [`Mapping::parse`] does not see.
    #[must_use]
    pub fn check_orgs(&self, default: &OrgName) -> Vec<MappingError> {
        check::check_orgs(self, default)
    }

    /// What the mapping says of the source whose events it is for.
    #[must_use]
    pub fn source_rules(&self) -> &SourceRules {
        &self.source_rules
    }

    /// This mapping, and those that clients of the source have of their own.
    pub fn and_of_clients(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.source_rules.clients.values())
    }

    /// The targets of all of these, to be told more about.
    pub fn targets_mut(&mut self) -> impl Iterator<Item = &mut Target> {
        let of_clients = self.source_rules.clients.values_mut().flat_map(|own| own.targets.iter_mut());
        self.targets.iter_mut().chain(of_clients)
    }

    /// The mapping for events that this client of the source has caused: its own, or this one.
    #[must_use]
    pub fn for_client(&self, client: Option<&str>) -> &Self {
        client.and_then(|client| self.source_rules.clients.get(client)).unwrap_or(self)
    }

    /// Checks the targets that are for this object against what the org says of it: fields that it lacks, that cannot be
    /// written, that take no such default, and required ones that no rule fills.
    #[must_use]
    pub fn check(&self, describe: &ObjectDescription) -> Vec<MappingError> {
        self.check_in(&[describe], |_| true)
    }

    /// Checks the targets of one org, those that `is_here` says, against what the org says of its objects. A target whose
    /// object is not among `describes` is not checked; of the objects that only a `by` refers to, what is not at hand is
    /// taken to be right.
    #[must_use]
    pub fn check_in(
        &self,
        describes: &[&ObjectDescription],
        is_here: impl Fn(&Target) -> bool,
    ) -> Vec<MappingError> {
        check::check(self, describes, is_here)
    }

    /// Checks what rules, groups and policies name against what an org offers: that it is there and is one, that the Users of
    /// the targets in this org, those that `is_here` says, can have it, and that it goes together. What gives far-reaching
    /// rights is a warning.
    #[must_use]
    pub fn check_catalogue(
        &self,
        org: &OrgName,
        catalogue: &Catalogue,
        is_here: impl Fn(&Target) -> bool,
    ) -> Vec<MappingError> {
        check::catalogue::check(self, org, catalogue, is_here)
    }

    /// The targets whose Users may be left without a profile if the environment has no default: no rule gives one to
    /// everybody for good, and no field `ProfileId` is always filled.
    pub fn targets_without_profile(&self) -> impl Iterator<Item = &Target> {
        let by_rule = |target: &Target| {
            let for_all = |rule: &&GrantRule| rule.is_unconditional() && rule.is_for(&target.name);
            let mut asks = self.grants.iter().filter(for_all).flat_map(|rule| &rule.asks);
            asks.any(|(kind, _)| *kind == EntitlementKind::Profile)
        };
        let users = self.targets.iter().filter(|target| target.object == "User");
        users.filter(move |target| !by_rule(target) && !target.always_fills("ProfileId"))
    }
}

impl Target {
    /// Whether an identity belongs to the target: `when`, or always. A `when` that cannot be evaluated does not hold.
    #[must_use]
    pub fn applies(&self, user: &Resource) -> bool {
        self.when.as_ref().is_none_or(|when| when.holds(user))
    }

    /// The Salesforce fields that the mapping fills and that can be queried, in the order of the file. Relationships that
    /// are written by an external id are left out: they are no fields.
    pub fn mapped_fields(&self) -> impl Iterator<Item = &str> {
        self.rules
            .iter()
            .filter(|rule| !matches!(rule.meaning, Meaning::Key(_)))
            .map(|rule| rule.field.as_str())
    }

    /// The relationships that are written by an external id of the record at their other end, such as `Account`.
    pub fn relationships(&self) -> impl Iterator<Item = &str> {
        let keyed = self.rules.iter().filter(|rule| matches!(rule.meaning, Meaning::Key(_)));
        keyed.map(|rule| rule.field.as_str())
    }

    /// The targets that this one refers to for the same person (`{ link = "customers" }`): whoever holds this one holds
    /// them too, and has his record there first.
    pub fn own_links(&self) -> impl Iterator<Item = &TargetName> {
        self.rules.iter().filter_map(Rule::own_link)
    }

    /// The SCIM attribute that a field's value comes from, in any case of the field.
    #[must_use]
    pub fn attribute_of(&self, field: &str) -> Option<&str> {
        self.rules.iter().find(|rule| rule.field.eq_ignore_ascii_case(field))?.attribute()
    }

    /// Whether there are fields that are written only once the record is there (`on = "update"`).
    #[must_use]
    pub fn has_rules_for_updates(&self) -> bool {
        self.rules.iter().any(|rule| rule.on == On::Update)
    }

    /// Whether its Users are contacts: people of a portal.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.object == "User"
            && self.rules.iter().any(|rule| {
                rule.field.eq_ignore_ascii_case("ContactId") || rule.field.eq_ignore_ascii_case("Contact")
            })
    }

    /// The rule that says what the external id holds, where that is not the SCIM id.
    pub(crate) fn own_key(&self) -> Option<&Rule> {
        let field = self.external_id.as_ref()?;
        self.rules.iter().find(|rule| rule.field.eq_ignore_ascii_case(field))
    }

    /// Whether the external id holds a value of the person, and which SCIM attribute that is, where there is one.
    #[must_use]
    pub fn key_of_person(&self) -> Option<Option<&str>> {
        self.own_key().map(Rule::attribute)
    }

    /// Why the Users of the target cannot have a profile or a role: it is for other people. None: nothing says so.
    #[must_use]
    pub fn misplaces(&self, one: &Entitlement) -> Option<String> {
        let (kind, label, name) = (one.of.kind, &one.label, &self.name);
        Some(match (one.audience()?, self.is_external()) {
            (Audience::System, _) => format!(
                "the {kind} `{label}` is for guests of sites or for Salesforce itself; nobody can be given it"
            ),
            (Audience::External, false) => format!(
                "the {kind} `{label}` is for people of a portal, who are contacts, and the target `{name}` fills no \
                 `ContactId`"
            ),
            (Audience::Internal, true) if kind == EntitlementKind::Profile => format!(
                "the {kind} `{label}` is for people of the company, and the target `{name}` makes Users of contacts"
            ),
            _ => return None,
        })
    }

    /// Whether no new record is without this field.
    fn always_fills(&self, field: &str) -> bool {
        let is_it = |rule: &&Rule| rule.field.eq_ignore_ascii_case(field) && rule.on != On::Update;
        let default = self.rules.iter().find(is_it).and_then(|rule| rule.default.as_ref());
        default.and_then(|default| default.as_str()).is_some_and(|default| !default.trim().is_empty())
    }

    /// Whether the mapping fills this field.
    #[must_use]
    pub fn maps(&self, field: &str) -> bool {
        self.mapped_fields().any(|mapped| mapped.eq_ignore_ascii_case(field))
    }
}

#[cfg(test)]
mod tests;
