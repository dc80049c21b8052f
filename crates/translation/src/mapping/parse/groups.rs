//! Reading `[groups]`.

use std::ops::Range;

use toml::de::DeTable;

use super::{Item, Reader};
use crate::glob::Glob;
use crate::mapping::{GroupPolicy, Partial, Publish, Pushed, Template};
use crate::suggest::nearest;

const KEYS: [&str; 3] = ["publish", "pushed", "partial"];
const PUBLISH_KEYS: [&str; 4] = ["kinds", "names", "display", "org"];
const PUSHED_KEYS: [&str; 4] = ["name", "kind", "entitlement", "org"];
const PARTIAL: [(&str, Partial); 2] = [("keep", Partial::Keep), ("rollback", Partial::Rollback)];

impl Reader {
    pub(super) fn groups(&mut self, item: &Item<'_>) -> GroupPolicy {
        let Some(table) = self.table(item, "`groups`") else { return GroupPolicy::default() };
        self.refuse_unknown(table, &KEYS, "`[groups]`");
        let mut policy = GroupPolicy {
            partial: table
                .get("partial")
                .and_then(|item| self.word(item, "`partial`", &PARTIAL))
                .unwrap_or_default(),
            ..GroupPolicy::default()
        };
        if let Some(item) = table.get("publish") {
            for (entry, table) in self.tables(item, "groups.publish") {
                policy.publish.extend(self.publish(entry, table));
            }
        }
        if let Some(item) = table.get("pushed") {
            for (entry, table) in self.tables(item, "groups.pushed") {
                policy.pushed.extend(self.pushed(entry, table));
            }
        }
        policy
    }

    fn publish(&mut self, item: &Item<'_>, table: &DeTable<'_>) -> Option<Publish> {
        self.refuse_unknown(table, &PUBLISH_KEYS, "a `[[groups.publish]]`");
        let header = self.header(item);
        let kinds = table.get("kinds").map(|item| self.entitlement_kinds(item, "`kinds`"));
        if kinds.as_ref().is_none_or(Vec::is_empty) {
            let place = table.get("kinds").map_or_else(|| header.clone(), Item::span);
            let message = "say what is published: `kinds = [\"permission-set\", \"public-group\"]`";
            self.refuse(place, message, None);
        }
        let names = table.get("names").map(|item| self.strings(item, "`names`")).unwrap_or_default();
        if table.get("names").and_then(|item| item.get_ref().as_array()).is_some_and(|list| list.is_empty()) {
            self.refuse(
                header.clone(),
                "an empty `names` publishes nothing; leave it out to publish all",
                None,
            );
        }
        let (names, mut places): (Vec<String>, Vec<Range<usize>>) = names.into_iter().unzip();
        places.push(header);
        let display = match table.get("display") {
            Some(item) => self.template(item, "`display`", &Publish::NAMES, 0),
            None => Template::parse("{label}", |_| true).ok(),
        };
        Some(Publish {
            kinds: kinds?.into_iter().map(|(kind, _)| kind).collect(),
            names: names.iter().map(|name| Glob::new(name.trim())).collect(),
            org: self.org(table),
            display: display?,
            places,
        })
    }

    fn pushed(&mut self, item: &Item<'_>, table: &DeTable<'_>) -> Option<Pushed> {
        self.refuse_unknown(table, &PUSHED_KEYS, "a `[[groups.pushed]]`");
        let header = self.header(item);
        for key in ["name", "kind"].into_iter().filter(|key| !table.contains_key(*key)) {
            let message = format!(
                "a `[[groups.pushed]]` has a `{key}`: `name = \"sf-ps-*\"`, `kind = \"permission-set\"`"
            );
            self.refuse(header.clone(), message, None);
        }
        let name = table.get("name").and_then(|item| self.some_text(item, "`name`"));
        let kind = table.get("kind").and_then(|item| {
            let word = self.string(item, "`kind`")?;
            self.entitlement_kind(item.span(), &word)
        });
        let glob = Glob::new(name.as_deref().unwrap_or_default());
        let entitlement = match table.get("entitlement") {
            Some(item) => self.template(item, "`entitlement`", &["name"], glob.stars()),
            None => Template::parse("{name}", |_| true).ok(),
        };
        let org = self.org(table);
        name?;
        Some(Pushed { name: glob, kind: kind?, org, entitlement: entitlement?, place: header })
    }

    /// A text with these names in braces, and the numbers of this many stars.
    fn template(&mut self, item: &Item<'_>, what: &str, names: &[&str], stars: usize) -> Option<Template> {
        let text = self.some_text(item, what)?;
        let is_star = |name: &str| name.parse::<usize>().is_ok_and(|number| (1..=stars).contains(&number));
        match Template::parse(&text, |name| names.contains(&name) || is_star(name)) {
            Ok(template) => Some(template),
            Err((place, why)) => {
                let mut known: Vec<String> = names.iter().map(|name| format!("{{{name}}}")).collect();
                known.extend((1..=stars).map(|star| format!("{{{star}}}")));
                let suggestion = nearest(&text[place.clone()], known.iter().map(String::as_str));
                let message = format!("{why}; there are {}", known.join(", "));
                self.refuse(self.inside(&item.span(), &text, place), message, suggestion);
                None
            }
        }
    }
}
