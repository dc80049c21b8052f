//! Reading `[targets.x]`.

use std::ops::Range;

use model::{OrgName, TargetName};
use salesforce_types::Fields;
use toml::de::{DeTable, DeValue};

use super::leaving::Leaving;
use super::{Item, Name, Reader, in_order, is_field_name, kind};
use crate::mapping::{
    Allow, ConversionRules, DuplicatePolicy, Meaning, On, OnLeave, Place, Rule, Target, WhenDeleted,
};
use crate::suggest::nearest;

const TARGET_KEYS: [&str; 18] = [
    "org",
    "object",
    "when",
    "match",
    "external-id",
    "allow",
    "on-leave",
    "flag",
    "required",
    "record-type",
    "duplicates",
    "assignment-rules",
    "when-deleted",
    "conversion",
    "strip",
    "alarm-after",
    "hand-over",
    "fields",
];

/// The objects that a target can make.
const OBJECTS: [&str; 3] = ["User", "Contact", "Lead"];

/// Keys that make no sense for every object: for which they do, and why not for the others.
const KEYS_OF_SOME: [(&str, &[&str], &str); 10] = [
    (
        "external-id",
        &["Contact", "Lead"],
        "Salesforce keeps the Username of Users unique, and they are found by `match`",
    ),
    ("flag", &["Contact", "Lead"], "a User that leaves is deactivated"),
    ("record-type", &["Contact", "Lead"], "Users have no record types"),
    ("duplicates", &["Contact", "Lead"], "there are no duplicate rules for Users"),
    ("assignment-rules", &["Lead"], "assignment rules choose the owner of leads"),
    ("when-deleted", &["Contact", "Lead"], "nobody can delete a User"),
    ("conversion", &["Contact"], "a lead is converted into a contact"),
    ("strip", &["User"], "only Users have entitlements"),
    ("alarm-after", &["User"], "only Users are deactivated"),
    ("hand-over", &["User"], "only Users own records"),
];

/// A word of `allow`.
struct Permission {
    word: &'static str,
    permit: fn(&mut Allow),
    objects: &'static [&'static str],
    /// Why it is not for the others.
    why: &'static str,
}

const ALLOW: [Permission; 5] = [
    Permission { word: "create", permit: |allow| allow.create = true, objects: &OBJECTS, why: "" },
    Permission { word: "update", permit: |allow| allow.update = true, objects: &OBJECTS, why: "" },
    Permission { word: "disable", permit: |allow| allow.disable = true, objects: &["User"], why: NO_LOGIN },
    Permission {
        word: "deprovision",
        permit: |allow| allow.deprovision = true,
        objects: &["User"],
        why: NO_LOGIN,
    },
    Permission {
        word: "delete",
        permit: |allow| allow.delete = true,
        objects: &["Contact", "Lead"],
        why: "Salesforce deletes no Users; `delete` is for Contact and Lead",
    },
];
const NO_LOGIN: &str =
    "a Contact or Lead cannot log in, so there is nothing to disable; `on-leave` says what happens to it";

/// The words of `on-leave`, and for which objects.
const ON_LEAVE: [(&str, OnLeave, &[&str]); 7] = [
    ("disable", OnLeave::Disable, &["User"]),
    ("freeze", OnLeave::Freeze, &["User"]),
    ("freeze-then-deactivate", OnLeave::FreezeThenDeactivate, &["User"]),
    ("none", OnLeave::None, &OBJECTS),
    ("delete", OnLeave::Delete, &["Contact", "Lead"]),
    ("flag", OnLeave::Flag, &["Contact", "Lead"]),
    ("anonymise", OnLeave::Anonymise, &["Contact", "Lead"]),
];

const DUPLICATES: [(&str, DuplicatePolicy); 3] = [
    ("respect", DuplicatePolicy::Respect),
    ("allow", DuplicatePolicy::Allow),
    ("adopt", DuplicatePolicy::Adopt),
];
const WHEN_DELETED: [(&str, WhenDeleted); 2] = [("create", WhenDeleted::Create), ("hold", WhenDeleted::Hold)];

/// The external id of Contacts and Leads, where the mapping does not say (the metadata is in `deploy/`).
const EXTERNAL_ID: &str = "GangwayId__c";

/// How a record is found when the mapping does not say (design.md §4), the external id left out.
fn usual_match(object: &str) -> &'static [&'static str] {
    if object == "User" { &["FederationIdentifier", "Username"] } else { &["Email"] }
}

impl Reader {
    pub(in crate::mapping) fn target(&mut self, name: &Name<'_>, item: &Item<'_>) -> Option<Target> {
        let table = self.table(item, "a target")?;
        self.refuse_unknown(table, &TARGET_KEYS, "a target");
        let header = name.span();
        let target_name = match TargetName::new(name.get_ref().as_ref()) {
            Ok(target_name) => Some(target_name),
            Err(why) => {
                self.refuse(header.clone(), why.to_string(), None);
                None
            }
        };
        let object = self.object(table, header.clone());
        if let Some(object) = object {
            self.refuse_keys_of_others(table, object);
        }
        let usual = object.unwrap_or("Contact");
        let org = self.org(table);
        let when = table.get("when").and_then(|item| self.condition(item));
        let external_id = self.external_id(table, usual);
        let allow = self.allow(table, object);
        let on_leave = self.on_leave(table, object, allow);
        let (flag, flag_places) = self.flag(table, object, on_leave);
        let leaving = match object {
            Some("User") => self.leaving(table, on_leave, allow),
            // Said already where one of the keys is there.
            _ => Leaving::default(),
        };
        let rules = self.fields(table, object, header.clone());
        let (matching, places) = self.matching(table, usual, external_id.as_deref(), header.clone(), &rules);
        self.refuse_twice(table, external_id.as_deref(), &flag, &flag_places, &rules);
        let place = Place {
            header,
            matching: places,
            flag: flag_places,
            external_id: table.get("external-id").map(Item::span),
            record_type: table.get("record-type").map(Item::span),
            when: table.get("when").map(Item::span),
            status: table.get("conversion").and_then(|item| item.get_ref().get("status")).map(Item::span),
        };
        let mut boolean = |key: &str, usual: bool| {
            table.get(key).map_or(usual, |item| self.boolean(item, &format!("`{key}`")))
        };
        let (required, assignment_rules) = (boolean("required", true), boolean("assignment-rules", false));
        let record_type = table.get("record-type").and_then(|item| self.some_text(item, "`record-type`"));
        let duplicates = self.choice(table, "duplicates", &DUPLICATES);
        let when_deleted = self.choice(table, "when-deleted", &WHEN_DELETED);
        let conversion = match table.get("conversion") {
            Some(item) => self.conversion(item),
            None => ConversionRules::default(),
        };
        Some(Target {
            name: target_name?,
            org,
            instance: None,
            object: object?.to_owned(),
            external_id,
            matching,
            allow,
            on_leave,
            strip: leaving.strip,
            alarm_after: leaving.alarm_after,
            hand_over: leaving.hand_over,
            flag,
            required,
            record_type,
            duplicates,
            assignment_rules,
            when_deleted,
            conversion,
            restates: false,
            when,
            rules,
            place,
        })
    }

    fn object(&mut self, table: &DeTable<'_>, header: Range<usize>) -> Option<&'static str> {
        let Some(item) = table.get("object") else {
            let message =
                "a target says which object it makes: `object = \"User\"`, `\"Contact\"` or `\"Lead\"`";
            self.refuse(header, message, None);
            return None;
        };
        self.word(item, "`object`", &OBJECTS.map(|object| (object, object)))
    }

    fn refuse_keys_of_others(&mut self, table: &DeTable<'_>, object: &str) {
        for (key, objects, why) in KEYS_OF_SOME {
            if let Some((name, _)) = table.get_key_value(key)
                && !objects.contains(&object)
            {
                let message = format!("`{key}` is for {}: {why}", objects.join(" and "));
                self.refuse(name.span(), message, None);
            }
        }
    }

    /// What a word that is there means, and its default otherwise.
    fn choice<T: Copy + Default>(&mut self, table: &DeTable<'_>, key: &str, known: &[(&str, T)]) -> T {
        let chosen = table.get(key).and_then(|item| self.word(item, &format!("`{key}`"), known));
        chosen.unwrap_or_default()
    }

    pub(super) fn org(&mut self, table: &DeTable<'_>) -> Option<OrgName> {
        let item = table.get("org")?;
        let text = self.string(item, "`org`")?;
        match OrgName::new(text) {
            Ok(org) => Some(org),
            Err(why) => {
                self.refuse(item.span(), why.to_string(), None);
                None
            }
        }
    }

    fn external_id(&mut self, table: &DeTable<'_>, object: &str) -> Option<String> {
        let usual = (object != "User").then(|| EXTERNAL_ID.to_owned());
        let Some(item) = table.get("external-id") else { return usual };
        match item.get_ref() {
            DeValue::Boolean(false) => None,
            DeValue::String(_) => self.field_name(item, "`external-id`"),
            other => {
                let message = format!(
                    "`external-id` is the name of a field, or false to do without; this is {}",
                    if matches!(other, DeValue::Boolean(_)) { "true" } else { kind(other) }
                );
                self.refuse(item.span(), message, None);
                usual
            }
        }
    }

    fn allow(&mut self, table: &DeTable<'_>, object: Option<&str>) -> Allow {
        let Some(item) = table.get("allow") else { return Allow::usual(object.unwrap_or("User")) };
        let mut allow = Allow::NOTHING;
        for (word, place) in self.strings(item, "`allow`") {
            let Some(permission) = ALLOW.iter().find(|permission| permission.word == word) else {
                self.not_one_of(place, &word, &ALLOW.map(|permission| permission.word));
                continue;
            };
            if object.is_none_or(|object| permission.objects.contains(&object)) {
                (permission.permit)(&mut allow);
            } else {
                self.refuse(place, permission.why, None);
            }
        }
        allow
    }

    fn on_leave(&mut self, table: &DeTable<'_>, object: Option<&str>, allow: Allow) -> OnLeave {
        let usual = OnLeave::usual(object.unwrap_or("User"));
        let Some(item) = table.get("on-leave") else { return usual };
        let Some(word) = self.string(item, "`on-leave`") else { return usual };
        let of_object = ON_LEAVE.iter().filter(|(.., objects)| object.is_none_or(|it| objects.contains(&it)));
        let names: Vec<&str> = of_object.map(|(name, ..)| *name).collect();
        let Some((_, chosen, _)) = ON_LEAVE.iter().find(|(name, ..)| *name == word) else {
            let suggestion = nearest(&word, names.iter().copied());
            self.refuse(item.span(), format!("`{word}` is not one of {}", names.join(", ")), suggestion);
            return usual;
        };
        if let Some(object) = object.filter(|_| !names.contains(&word.as_str())) {
            let message =
                format!("`{word}` is not for a {object}; one that leaves takes {}", names.join(", "));
            self.refuse(item.span(), message, None);
        }
        let needed = match chosen {
            OnLeave::Delete if !allow.delete => Some("delete"),
            OnLeave::Flag | OnLeave::Anonymise if !allow.update => Some("update"),
            _ => None,
        };
        if let Some(needed) = needed.filter(|_| object != Some("User")) {
            let message = format!("`{word}` is not allowed here: add \"{needed}\" to `allow`");
            self.refuse(item.span(), message, None);
        }
        *chosen
    }

    /// What is written into the record of someone who left, and the places of its fields.
    fn flag(
        &mut self,
        table: &DeTable<'_>,
        object: Option<&str>,
        on_leave: OnLeave,
    ) -> (Fields, Vec<Range<usize>>) {
        let Some((key, item)) = table.get_key_value("flag") else {
            let is_asked_for = on_leave == OnLeave::Flag && object != Some("User");
            if let Some(place) = table.get("on-leave").filter(|_| is_asked_for) {
                let message = "say what is written: `flag = { Left_Company__c = true }`";
                self.refuse(place.span(), message, None);
            }
            return Default::default();
        };
        // That a User has none is said already.
        if on_leave != OnLeave::Flag && object != Some("User") {
            self.refuse(key.span(), "nothing writes this `flag`; it goes with `on-leave = \"flag\"`", None);
        }
        let Some(fields) = self.table(item, "`flag`") else { return Default::default() };
        if fields.is_empty() {
            self.refuse(item.span(), "an empty `flag` writes nothing", None);
        }
        let mut flag = Fields::new();
        let mut places = Vec::new();
        for (name, item) in in_order(fields) {
            let field = name.get_ref().as_ref();
            if !is_field_name(field) {
                self.refuse(name.span(), format!("`{field}` is no name of a Salesforce field"), None);
            } else if let Some(value) = self.constant(item, "a value of `flag`") {
                flag.insert(field.to_owned(), value);
                places.push(name.span());
            }
        }
        (flag, places)
    }

    /// The fields to match by, and their places. Each must be filled by a rule, or there would be nothing to match with.
    fn matching(
        &mut self,
        table: &DeTable<'_>,
        object: &str,
        external_id: Option<&str>,
        header: Range<usize>,
        rules: &[Rule],
    ) -> (Vec<String>, Vec<Range<usize>>) {
        let rule_of = |name: &str| rules.iter().find(|rule| rule.field.eq_ignore_ascii_case(name));
        let Some(item) = table.get("match") else {
            let is_key = |name: &str| external_id.is_some_and(|field| field.eq_ignore_ascii_case(name));
            let is_filled = |name: &&&str| rule_of(name).is_some() && !is_key(name);
            let names = usual_match(object).iter().filter(is_filled);
            return names.map(|name| ((*name).to_owned(), header.clone())).unzip();
        };
        let names = self.strings(item, "`match`");
        for (name, place) in &names {
            match rule_of(name) {
                _ if external_id.is_some_and(|field| field.eq_ignore_ascii_case(name)) => {
                    let message = format!("`{name}` is matched first by itself; leave it out of `match`");
                    self.refuse(place.clone(), message, None);
                }
                None => {
                    let message = format!("`{name}` is no field of this target, so nothing can match it");
                    let suggestion = nearest(name, rules.iter().map(|rule| rule.field.as_str()));
                    self.refuse(place.clone(), message, suggestion);
                }
                Some(rule) if rule.meaning != Meaning::Itself => {
                    let message =
                        format!("`{name}` refers to another record, and no person is found by that");
                    self.refuse(place.clone(), message, None);
                }
                Some(_) => {}
            }
        }
        names.into_iter().unzip()
    }

    /// What two keys of a target would both write.
    fn refuse_twice(
        &mut self,
        table: &DeTable<'_>,
        external_id: Option<&str>,
        flag: &Fields,
        flag_places: &[Range<usize>],
        rules: &[Rule],
    ) {
        let rule_of = |name: &str| rules.iter().find(|rule| rule.field.eq_ignore_ascii_case(name));
        if let Some(rule) = external_id.and_then(rule_of) {
            self.own_key(rule, table.contains_key("external-id"));
        }
        for (field, place) in flag.keys().zip(flag_places) {
            if rule_of(field).is_some() {
                let message = format!("`{field}` is written by `fields` too; a flag has a field of its own");
                self.refuse(place.clone(), message, None);
            }
        }
        let others = [
            ("record-type", "RecordTypeId", "`record-type` chooses it"),
            ("assignment-rules", "OwnerId", "`assignment-rules` lets the org choose it"),
        ];
        for (key, field, why) in others {
            let is_on = table.get(key).is_some_and(|item| item.get_ref().as_bool() != Some(false));
            if let Some(rule) = rule_of(field).filter(|_| is_on) {
                let message = format!("`{field}` has a rule, and {why}; use one of the two");
                self.refuse(rule.place.clone(), message, None);
            }
        }
    }

    /// A rule for the external id: then it holds a value of the person, which has to be one.
    fn own_key(&mut self, rule: &Rule, is_chosen: bool) {
        let field = &rule.field;
        let (place, message) = if !is_chosen {
            let message = format!(
                "`{field}` holds the SCIM id, which Gangway writes itself; leave the rule out, write `external-id = \
                 \"{field}\"` if records are to be found by this value instead, or `external-id = false`"
            );
            (&rule.place, message)
        } else if rule.meaning != Meaning::Itself {
            (&rule.place, format!("`{field}` is the external id, and no person is found by a reference"))
        } else if rule.value.is_none() || rule.default.is_some() {
            let place = rule.default_place.as_ref().unwrap_or(&rule.place);
            (place, format!("`{field}` is the external id: with a default, people would share a record"))
        } else if rule.on != On::Both {
            (&rule.place, format!("`{field}` is the external id, which is always written; leave `on` out"))
        } else {
            return;
        };
        self.refuse(place.clone(), message, None);
    }
}
