//! What a request means by what it says of `entitlements` and `roles`: what somebody has may be called by any of its names, and a
//! client that can only replace a whole list means "this too".

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use model::OrgName;
use salesforce_client::Org;
use salesforce_types::{EntitlementKind, EntitlementRef, NotOne};
use scim_types::{
    Op, Operation, Patch, PatchPath, Registry, Resource,
    filter::{Filter, Literal, Operator},
};
use serde_json::{Map, Value};

use super::{
    Stop, UserChange,
    asks::{LISTS, ambiguous, as_known, elements, kind_of, named_orgs, text_of},
    round::call_failed,
    scene::Scene,
};
use crate::{ListRule, wish::Wish};

/// What somebody has asked for, with the text under which a list has it.
struct Has<'a> {
    list: &'static str,
    value: &'a str,
    display: &'a str,
    org: OrgName,
    of: EntitlementRef,
}

impl UserChange {
    /// The request in the words of what there is now.
    ///
    /// # Errors
    /// What is to be taken away is ambiguous; or the org cannot be asked what it calls its entitlements.
    pub(super) async fn as_meant(
        &self,
        scene: &Scene,
        current: Option<&Resource>,
        begun: bool,
    ) -> Result<Cow<'_, Wish>, Stop> {
        let adds = self.client_policy().is_some_and(|policy| policy.lists == ListRule::Add);
        let patch = match &self.wish {
            Wish::Replace(put) if adds => {
                return Ok(Cow::Owned(Wish::Replace(put.clone().without_lost_lists())));
            }
            Wish::Patch(patch) if patch.operations.iter().any(is_about_lists) => patch,
            wish => return Ok(Cow::Borrowed(wish)),
        };
        let orgs = scene.orgs_with_users()?;
        if orgs.is_empty() {
            return Ok(Cow::Borrowed(&self.wish));
        }
        let has = has(current, &orgs);
        let mut meant = Patch::default();
        for operation in &patch.operations {
            let said = if adds { this_too(operation) } else { Some(Cow::Borrowed(operation)) };
            let Some(said) = said else { continue };
            meant.operations.extend(self.by_value(&said, &has, &orgs, begun).await?);
        }
        Ok(Cow::Owned(Wish::Patch(meant)))
    }

    /// The operation with the values that the lists have in the place of other names for them. What takes something from the
    /// `entitlements` takes roles that it names, too: they may have been asked for there.
    async fn by_value(
        &self,
        operation: &Operation,
        has: &[Has<'_>],
        orgs: &[&Org],
        begun: bool,
    ) -> Result<Vec<Operation>, Stop> {
        let path = PatchPath::parse(&operation.path, Registry::standard().user()).ok();
        let Some((list, mut path)) = path.and_then(|path| Some((list_of(&path)?, path))) else {
            return Ok(vec![operation.clone()]);
        };
        let takes = operation.op == Op::Remove;
        let with_roles = takes && list == "entitlements";
        let has: Vec<&Has<'_>> = has.iter().filter(|has| has.list == list || with_roles).collect();
        let names = Names { list, has: &has, orgs, must_be_one: takes && !begun };
        let mut operation = operation.clone();
        let mut names_roles = with_roles;
        if let Some(filter) = path.filter.take() {
            let mut values = HashMap::new();
            let kinds = names.kinds(kind_in(&filter));
            for text in texts_in(&filter) {
                let value = self.value_called(text, &kinds, &names).await?;
                values.extend(value.map(|value| (text.to_owned(), value)));
            }
            names_roles &= is_named(&filter);
            path.filter = Some(renamed(filter, &values));
            operation.path = path.to_string();
        } else if let (None, Value::Array(elements)) = (&path.sub, &mut operation.value) {
            for element in elements {
                let kinds = names.kinds(kind_of(element));
                let value = self.value_called(text_of(element), &kinds, &names).await?;
                if let (Some(value), Some(members)) = (value, element.as_object_mut()) {
                    members.insert("value".to_owned(), value.into());
                }
            }
        } else {
            // All entitlements go; roles are a list of their own.
            names_roles = false;
        }
        let from_roles = names_roles.then(|| {
            let place = operation.path.strip_prefix("entitlements").unwrap_or_default();
            Operation { path: format!("roles{place}"), ..operation.clone() }
        });
        Ok(std::iter::once(operation).chain(from_roles).collect())
    }

    /// The value under which a list has what a text names. None: it has it under this one, or does not have it.
    async fn value_called(
        &self,
        text: &str,
        kinds: &[EntitlementKind],
        names: &Names<'_>,
    ) -> Result<Option<String>, Stop> {
        if text.is_empty() || names.has.iter().any(|has| has.value == text) {
            return Ok(None);
        }
        let unpacked = unpacked(text);
        let mut found: Vec<&Has<'_>> = Vec::new();
        for (org, text) in named_orgs(names.orgs, &unpacked) {
            found.extend(names.has_in(org).filter(|has| has.of.has_id(text)));
        }
        if found.is_empty() {
            for (org, text) in named_orgs(names.orgs, &unpacked) {
                if names.has_in(org).next().is_none() {
                    continue;
                }
                let Some(called) = self.called(org, kinds, text).await? else { continue };
                found.extend(names.has_in(org).filter(|has| match &called {
                    Ok(of) => *of == has.of,
                    Err(NotOne::Ambiguous(several)) => several.contains(&has.of),
                    // As it was called when it was asked for.
                    Err(NotOne::Unknown) => has.display.to_lowercase() == text.trim().to_lowercase(),
                }));
            }
        }
        match found.as_slice() {
            [one] => Ok(Some(one.value.to_owned())),
            [_, _, ..] if names.must_be_one => {
                let candidates =
                    found.iter().map(|has| format!("{} ({} `{}`)", has.value, has.of.kind, has.display));
                Err(ambiguous(text, names.list, candidates))
            }
            _ => Ok(None),
        }
    }

    /// What an org calls so: it may have been renamed since the org was asked what it offers. None: the org does not say.
    async fn called(
        &self,
        org: &Org,
        kinds: &[EntitlementKind],
        text: &str,
    ) -> Result<Option<Result<EntitlementRef, NotOne>>, Stop> {
        let now = self.inner.clock.now();
        match self.inner.catalogue.named(&*self.inner.store, org, kinds, text, now).await {
            Ok(called) => Ok(Some(called)),
            // Nobody stays because an org does not say what it offers.
            Err(_) if self.ticket.takes_access_away() => Ok(None),
            Err(error) => Err(call_failed(error)),
        }
    }
}

/// What a text may be a name of.
struct Names<'a> {
    list: &'static str,
    has: &'a [&'a Has<'a>],
    orgs: &'a [&'a Org],
    /// Nothing is guessed where something is to be taken away.
    must_be_one: bool,
}

impl<'a> Names<'a> {
    fn has_in(&self, org: &'a Org) -> impl Iterator<Item = &'a Has<'a>> {
        self.has.iter().copied().filter(|has| has.org == *org.name())
    }

    /// Of which kinds something is that is of this one; none: of any.
    fn kinds(&self, kind: Option<EntitlementKind>) -> Vec<EntitlementKind> {
        kind.or((self.list == "roles").then_some(EntitlementKind::Role)).into_iter().collect()
    }
}

/// The texts by which a request asks for something.
pub(super) fn asked_for(wish: &Wish) -> HashSet<String> {
    let in_lists = |resource: &Resource| -> HashSet<String> {
        let elements = LISTS.into_iter().flat_map(|list| elements(Some(resource), list));
        elements.map(|element| text_of(element).to_owned()).collect()
    };
    match wish {
        Wish::Create(sent) => in_lists(sent),
        Wish::Replace(put) => in_lists(put.sent()),
        Wish::Patch(patch) => {
            let operations = patch.operations.iter();
            let asking =
                operations.filter(|operation| operation.op != Op::Remove && is_about_lists(operation));
            let texts = asking.flat_map(|operation| match &operation.value {
                Value::Array(elements) => elements.iter().map(text_of).collect(),
                Value::String(text) => vec![text.as_str()],
                part => vec![text_of(part)],
            });
            texts.map(str::to_owned).collect()
        }
        Wish::Delete | Wish::Keep => HashSet::new(),
    }
}

fn has<'a>(current: Option<&'a Resource>, orgs: &[&Org]) -> Vec<Has<'a>> {
    let text = |element: &'a Value, name| element.get(name).and_then(Value::as_str).unwrap_or_default();
    let lists = LISTS.into_iter();
    let all = lists.flat_map(|list| elements(current, list).iter().map(move |element| (list, element)));
    let has = all.filter_map(|(list, element)| {
        let known = as_known(element, orgs)?;
        let (value, display) = (text(element, "value"), text(element, "display"));
        Some(Has { list, value, display, org: known.org, of: known.of })
    });
    has.collect()
}

fn is_about_lists(operation: &Operation) -> bool {
    LISTS.iter().any(|list| operation.path.starts_with(list))
}

fn list_of(path: &PatchPath) -> Option<&'static str> {
    LISTS.into_iter().find(|list| *list == path.attribute.as_str())
}

/// What a `replace` of a whole list is for a client that cannot say it otherwise: with one value it adds that; with elements
/// that have lost their values it says nothing. A list of several is the list, and an empty one takes everything away.
fn this_too(operation: &Operation) -> Option<Cow<'_, Operation>> {
    let said = Cow::Borrowed(operation);
    let is_whole = operation.op == Op::Replace && LISTS.contains(&operation.path.as_str());
    match &operation.value {
        Value::Array(elements) if is_whole && elements.is_empty() => None,
        Value::Array(elements) if is_whole && elements.len() == 1 => {
            Some(Cow::Owned(Operation { op: Op::Add, ..said.into_owned() }))
        }
        _ => Some(said),
    }
}

/// The texts that a filter compares values with.
fn texts_in(filter: &Filter) -> Vec<&str> {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().flat_map(texts_in).collect(),
        Filter::Not(part) => texts_in(part),
        Filter::Compare { path, op: Operator::Eq | Operator::Ne, value: Literal::Text(text) }
            if path.name() == "value" =>
        {
            vec![text]
        }
        _ => Vec::new(),
    }
}

/// The kind that all elements have that a filter selects, if it says so.
fn kind_in(filter: &Filter) -> Option<EntitlementKind> {
    let mut equal = filter.conjuncts().iter().filter_map(Filter::as_text_equality);
    equal.find(|(path, _)| path.name() == "type").and_then(|(_, kind)| kind.parse().ok())
}

/// Whether all that a filter selects is named by it: by what it is called, or as a role.
fn is_named(filter: &Filter) -> bool {
    match filter {
        // One part names it, and the others select among what it names.
        Filter::And(parts) => parts.iter().any(is_named),
        Filter::Or(parts) => parts.iter().all(is_named),
        Filter::Compare { path, op: Operator::Eq, value: Literal::Text(text) } => match path.name() {
            "value" | "display" => true,
            "type" => text.parse() == Ok(EntitlementKind::Role),
            _ => false,
        },
        Filter::Compare { .. } | Filter::Not(_) | Filter::ValuePath { .. } | Filter::Present { .. } => false,
    }
}

/// The filter with other texts to compare values with.
fn renamed(filter: Filter, values: &HashMap<String, String>) -> Filter {
    let all = |parts: Vec<Filter>| parts.into_iter().map(|part| renamed(part, values)).collect();
    match filter {
        Filter::And(parts) => {
            let (telling, idle): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| !says_nothing(part));
            all_of(all(if telling.is_empty() { idle } else { telling }))
        }
        Filter::Or(parts) => Filter::Or(all(parts)),
        Filter::Not(part) => Filter::Not(Box::new(renamed(*part, values))),
        Filter::Compare { path, op, value: Literal::Text(text) } if path.name() == "value" => {
            let text = if matches!(op, Operator::Eq | Operator::Ne) {
                values.get(&text).cloned().unwrap_or(text)
            } else {
                text
            };
            Filter::Compare { path, op, value: Literal::Text(text) }
        }
        Filter::Compare { path, op, value: Literal::Text(kind) } if path.name() == "type" => {
            let kind = kind.parse().map_or(kind, |kind: EntitlementKind| kind.scim_type().to_owned());
            Filter::Compare { path, op, value: Literal::Text(kind) }
        }
        other => other,
    }
}

/// Okta's type of all entitlements.
fn says_nothing(filter: &Filter) -> bool {
    let text = filter.as_text_equality();
    text.is_some_and(|(path, kind)| path.name() == "type" && kind.eq_ignore_ascii_case("Entitlement"))
}

fn all_of(mut parts: Vec<Filter>) -> Filter {
    if parts.len() == 1 { parts.swap_remove(0) } else { Filter::And(parts) }
}

/// What Entra ID packs into a value (C-57), which nobody has taken out of a path.
fn unpacked(text: &str) -> Cow<'_, str> {
    let packed = serde_json::from_str::<Map<String, Value>>(text).ok();
    let member = |name: &str| packed.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let named = ["value", "displayName", "id"].into_iter().find_map(member);
    named.map_or(Cow::Borrowed(text), Cow::Owned)
}
