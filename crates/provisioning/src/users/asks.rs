//! What a request asks for in `entitlements` and `roles`: every new element stands for one entitlement of one org, or the
//! request is refused with what would help.

use std::collections::HashSet;

use model::OrgName;
use salesforce_client::Org;
use salesforce_types::{Audience, Entitlement, EntitlementKind, EntitlementRef, NotOne, RecordId};
use scim_types::{Resource, ScimType};
use serde_json::{Map, Value, json};

use super::{
    Stop, UserChange,
    round::{Turnover, call_failed},
    scene::Scene,
};
use crate::{Operation, ProvisionError, provisioner::Inner};

/// The attributes of a User that ask for something.
pub(super) const LISTS: [&str; 2] = ["entitlements", "roles"];

/// Where an element is kept for its org: a bare id goes on meaning the same when the tenant gets another org. Reads do not
/// show it.
pub(super) const ORG: &str = "org";

/// One element, resolved.
pub(super) struct Asked {
    pub(super) org: OrgName,
    pub(super) of: EntitlementRef,
    element: Value,
    /// Whether the request asks for it, or the client may not take it. What is only there already gives way to it.
    stands: bool,
}

/// What a list asks for, and what is no more than an attribute.
#[derive(Default)]
struct List {
    asked: Vec<Asked>,
    plain: Vec<Value>,
}

impl UserChange {
    /// Puts what is asked for into one form: `{"value": id, "display": label, "type": kind, "org": name}`. Elements that were there
    /// before stay as they are, and what comes back as it was shown asks for nothing.
    ///
    /// `begun`: something of the change has reached an org, so
    /// that it cannot be refused any more: what does not resolve (any more) is left out.
    pub(super) async fn resolve_asks(
        &self,
        scene: &Scene,
        turnover: &mut Turnover,
        begun: bool,
    ) -> Result<(), Stop> {
        let Some(wanted) = &turnover.wanted else { return Ok(()) };
        let before = turnover.current.as_ref();
        if LISTS.iter().all(|list| wanted.get(list) == before.and_then(|before| before.get(list))) {
            return Ok(());
        }
        let orgs = scene.orgs_with_users()?;
        if orgs.is_empty() {
            // Nobody gets anything in Salesforce through this tenant: they are attributes like others.
            return Ok(());
        }
        let echoes = self.echoes();
        let keeps = self.client_policy().is_some_and(|policy| policy.keep_unknown);
        let mut resolved: Vec<(&str, List)> = Vec::new();
        let mut turnover_kept = Vec::new();
        for list in LISTS {
            let was = elements(before, list);
            let List { mut asked, mut plain } = List::default();
            for element in elements(Some(wanted), list) {
                let text = text_of(element);
                let is_echo = echoes.contains(text) && turnover.shows(list, text);
                let known = was.iter().find(|known| text_of(known) == text && !text.is_empty());
                if let Some(known) = known.and_then(|known| as_known(known, &orgs)) {
                    asked.push(Asked { stands: turnover.named.contains(text) && !is_echo, ..known });
                } else if known == Some(element) {
                    plain.push(element.clone());
                } else if !is_echo {
                    let element = &without_the_one_before(element, was);
                    match self.resolve_ask(&orgs, list, element).await {
                        Ok(Some(one)) => asked.push(one),
                        Ok(None) if keeps => plain.push(plainly(element)),
                        Ok(None) | Err(Stop::Fail(_)) if begun => {}
                        Ok(None) => return Err(invalid(unknown(list, text, &orgs))),
                        Err(stop) => return Err(stop),
                    }
                }
            }
            if matches!(self.request.operation, Operation::Replace(_)) && !echoes.is_empty() {
                // A client that sends back what it has read cannot know of what reads do not show.
                let hidden =
                    was.iter().filter(|known| LISTS.iter().all(|list| !turnover.shows(list, text_of(known))));
                asked.extend(hidden.filter_map(|known| as_known(known, &orgs)));
            }
            let (asked, kept) = self.keep_what_is_not_the_clients(asked, was, &orgs).await?;
            turnover_kept.extend(kept);
            resolved.push((list, List { asked, plain }));
        }
        in_their_lists(&mut resolved);
        turnover.kept = turnover_kept;
        for (_, list) in &mut resolved {
            one_of_what_is_single(&mut list.asked)?;
        }
        let Some(wanted) = &mut turnover.wanted else { return Ok(()) };
        let map = wanted.as_map_mut();
        for (list, List { asked, plain }) in resolved {
            let elements: Vec<Value> = asked.into_iter().map(|asked| asked.element).chain(plain).collect();
            if elements.is_empty() {
                map.shift_remove(list);
            } else {
                map.insert(list.to_owned(), Value::Array(elements));
            }
        }
        Ok(())
    }

    /// The values of elements that carry the address under which Gangway has shown them: a client that reads, changes and
    /// sends back says nothing with those.
    fn echoes(&self) -> HashSet<String> {
        let mut echoes = HashSet::new();
        match &self.request.operation {
            Operation::Create(body) | Operation::Replace(body) | Operation::Patch(body) => {
                collect_echoes(body, &mut echoes);
            }
            _ => {}
        }
        echoes
    }

    /// One element that is new. None: no org has it.
    async fn resolve_ask(&self, orgs: &[&Org], list: &str, element: &Value) -> Result<Option<Asked>, Stop> {
        let text = text_of(element);
        let kinds: Vec<EntitlementKind> = match (kind_of(element), list) {
            (Some(kind), _) => vec![kind],
            (None, "roles") => vec![EntitlementKind::Role],
            (None, _) => Vec::new(),
        };
        let mut found = self.candidates(orgs, &kinds, text, false).await?;
        if found.is_empty() {
            found = self.candidates(orgs, &kinds, text, true).await?;
        }
        let several = orgs.len() > 1;
        match found.as_slice() {
            [] => Ok(None),
            [(org, one)] => {
                check_can_be_given(one)?;
                self.check_may_grant(one)?;
                let primary = element.get("primary").and_then(Value::as_bool).unwrap_or_default();
                Ok(Some(asked(org, one, several, primary)))
            }
            candidates => {
                let ids = candidates.iter().map(|(org, one)| {
                    format!("{} ({} `{}`)", id_text(org, &one.of.id, several), one.of.kind, one.label)
                });
                Err(ambiguous(text, list, ids))
            }
        }
    }

    /// What the orgs call so.
    async fn candidates(
        &self,
        orgs: &[&Org],
        kinds: &[EntitlementKind],
        text: &str,
        after_a_miss: bool,
    ) -> Result<Vec<(OrgName, Entitlement)>, Stop> {
        let mut found = Vec::new();
        for (org, text) in named_orgs(orgs, text) {
            let now = self.inner.clock.now();
            let store = &*self.inner.store;
            let catalogue = if after_a_miss {
                self.inner.catalogue.after_a_miss(store, org, now).await
            } else {
                self.inner.catalogue.of(store, org, now).await
            };
            let catalogue = catalogue.map_err(call_failed)?;
            match catalogue.named(kinds, text) {
                Ok(one) => found.push((org.name().clone(), one.clone())),
                Err(NotOne::Unknown) => {}
                Err(NotOne::Ambiguous(several)) => {
                    let several = several.iter().filter_map(|of| catalogue.get(of));
                    found.extend(several.map(|one| (org.name().clone(), one.clone())));
                }
            }
        }
        Ok(found)
    }

    /// What its caller may not give it may not take either: it stays. With the names of what it has tried to take.
    async fn keep_what_is_not_the_clients(
        &self,
        mut asked: Vec<Asked>,
        was: &[Value],
        orgs: &[&Org],
    ) -> Result<(Vec<Asked>, Vec<(OrgName, String)>), Stop> {
        let mut kept = Vec::new();
        if self.is_gangways_own() {
            return Ok((without_repeats(asked), kept));
        }
        for known in was.iter().filter_map(|known| as_known(known, orgs)) {
            let Some(org) = orgs.iter().find(|org| *org.name() == known.org) else { continue };
            let catalogue = self.inner.catalogue.of(&*self.inner.store, org, self.inner.clock.now()).await;
            let catalogue = catalogue.map_err(call_failed)?;
            let Some(one) = catalogue.get(&known.of).filter(|one| !self.may_grant(one)) else { continue };
            if !asked.iter().any(|other| other.of == known.of && other.org == known.org) {
                kept.push((known.org.clone(), one.label.clone()));
            }
            asked.push(Asked { stands: true, ..known });
        }
        Ok((without_repeats(asked), kept))
    }

    fn check_may_grant(&self, entitlement: &Entitlement) -> Result<(), Stop> {
        if self.may_grant(entitlement) {
            return Ok(());
        }
        let (client, label) = (self.caller.client.clone(), entitlement.label.clone());
        Err(ProvisionError::MayNotGrant { client, of: entitlement.of.clone(), label }.into())
    }

    /// Whether its caller may give and take this: what its configuration allows. Who has none, such as a source of events, gives
    /// nothing.
    fn may_grant(&self, entitlement: &Entitlement) -> bool {
        self.is_gangways_own()
            || self.client_policy().is_some_and(|policy| policy.may_grant.allows(entitlement))
    }

    /// Whether Gangway itself, or an operator, asks.
    fn is_gangways_own(&self) -> bool {
        let caller = &self.caller.client;
        *caller == Inner::operator() || caller.as_str() == crate::groups::PUBLISHER
    }

    /// What the client may ask for, and what it means by what it sends. None: it is no client.
    pub(super) fn client_policy(&self) -> Option<&crate::ClientPolicy> {
        self.scene.tenant.clients.get(&self.caller.client)
    }
}

/// What an identity asks for in an org.
pub(super) fn asks_in(resource: &Resource, org: &OrgName, orgs: &[&Org]) -> Vec<EntitlementRef> {
    let elements = LISTS.into_iter().flat_map(|list| elements(Some(resource), list));
    let mut asks: Vec<EntitlementRef> = Vec::new();
    for asked in elements.filter_map(|element| as_known(element, orgs)) {
        if asked.org == *org && !asks.contains(&asked.of) {
            asks.push(asked.of);
        }
    }
    asks
}

/// The id as it stands in SCIM: bare where there is one org, else with the org's name before it.
pub(crate) fn id_text(org: &OrgName, id: &str, several: bool) -> String {
    if several { format!("{org}:{id}") } else { id.to_owned() }
}

fn asked(org: &OrgName, one: &Entitlement, several: bool, primary: bool) -> Asked {
    let value = id_text(org, &one.of.id, several);
    let mut element =
        json!({ "value": value, "display": one.label, "type": one.of.kind.scim_type(), ORG: org.as_str() });
    if primary {
        // Entra's next change of a single app role names the one that it has marked.
        element["primary"] = Value::Bool(true);
    }
    Asked { org: org.clone(), of: one.of.clone(), element, stands: true }
}

/// Whether an element is no more than an attribute: nothing in Salesforce.
pub(super) fn is_plain(element: &Value) -> bool {
    let value = element.get("value").and_then(Value::as_str).unwrap_or_default();
    let id = value.split_once(':').map_or(value, |(_, id)| id);
    match kind_of(element) {
        None => true,
        Some(EntitlementKind::FeatureLicense) => false,
        Some(_) => RecordId::parse(id).is_err(),
    }
}

/// An element that was resolved before. What stood there before Gangway knew entitlements asks for nothing.
pub(super) fn as_known(element: &Value, orgs: &[&Org]) -> Option<Asked> {
    if is_plain(element) {
        return None;
    }
    let kind = kind_of(element)?;
    let text = element.get("value")?.as_str()?;
    let (org, id) = match element.get(ORG).and_then(Value::as_str) {
        Some(name) => {
            let org = orgs.iter().find(|org| org.name().as_str() == name)?;
            let id = text.strip_prefix(name).and_then(|rest| rest.strip_prefix(':'));
            (*org, id.unwrap_or(text))
        }
        None => *named_orgs(orgs, text).first()?,
    };
    let of = EntitlementRef { kind, id: id.to_owned() };
    Some(Asked { org: org.name().clone(), of, element: element.clone(), stands: false })
}

/// The orgs that a text may speak of, with what it says there: `org:text` names one.
pub(super) fn named_orgs<'a>(orgs: &[&'a Org], text: &'a str) -> Vec<(&'a Org, &'a str)> {
    if let Some((name, rest)) = text.split_once(':')
        && let Some(org) = orgs.iter().find(|org| org.name().as_str() == name)
    {
        return vec![(org, rest)];
    }
    orgs.iter().map(|org| (*org, text)).collect()
}

pub(super) fn elements<'a>(resource: Option<&'a Resource>, list: &str) -> &'a [Value] {
    resource.and_then(|resource| resource.get(list)?.as_array()).map_or(&[], Vec::as_slice)
}

/// What an element says: its value, or else its display.
pub(super) fn text_of(element: &Value) -> &str {
    let text = |name: &str| element.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    text("value").or_else(|| text("display")).unwrap_or_default()
}

/// The kind that an element says it is of.
pub(super) fn kind_of(element: &Value) -> Option<EntitlementKind> {
    element.get("type")?.as_str()?.parse().ok()
}

fn collect_echoes(body: &Value, echoes: &mut HashSet<String>) {
    match body {
        Value::Array(elements) => elements.iter().for_each(|element| collect_echoes(element, echoes)),
        Value::Object(members) => {
            echoes.extend(echo(members));
            members.values().for_each(|member| collect_echoes(member, echoes));
        }
        _ => {}
    }
}

fn echo(members: &Map<String, Value>) -> Option<String> {
    let address = members.get("$ref")?.as_str()?;
    let is_ours = address.contains("/Entitlements/") || address.contains("/Roles/");
    members.get("value").and_then(Value::as_str).filter(|_| is_ours).map(str::to_owned)
}

/// Each in the list that shows it: roles among the roles, whichever list they came in.
fn in_their_lists(resolved: &mut [(&str, List)]) {
    let all: Vec<Asked> = resolved.iter_mut().flat_map(|(_, list)| std::mem::take(&mut list.asked)).collect();
    for one in without_repeats(all) {
        let home = if one.of.kind == EntitlementKind::Role { "roles" } else { "entitlements" };
        if let Some((_, list)) = resolved.iter_mut().find(|(list, _)| *list == home) {
            list.asked.push(one);
        }
    }
}

/// An element that has got another value says nothing more of what it was before.
fn without_the_one_before(element: &Value, was: &[Value]) -> Value {
    let mut element = element.clone();
    if let Some(members) = element.as_object_mut()
        && members.shift_remove(ORG).is_some()
    {
        for name in ["display", "type"] {
            if was.iter().any(|known| known.get(name) == members.get(name)) {
                members.shift_remove(name);
            }
        }
    }
    element
}

/// An element that is nothing in Salesforce, and is never taken for something there: it has no kind of those.
fn plainly(element: &Value) -> Value {
    let mut plain = element.clone();
    if let Some(members) = plain.as_object_mut()
        && kind_of(element).is_some()
    {
        members.shift_remove("type");
    }
    plain
}

/// One that is named in two ways is asked for once.
fn without_repeats(asked: Vec<Asked>) -> Vec<Asked> {
    let mut once: Vec<Asked> = Vec::new();
    for one in asked {
        match once.iter_mut().find(|other| other.of == one.of && other.org == one.org) {
            Some(known) => known.stands |= one.stands,
            None => once.push(one),
        }
    }
    once
}

/// A person has one profile and at most one role in an org: what is asked for takes the place of the one before. A request
/// that asks for two is refused.
fn one_of_what_is_single(asked: &mut Vec<Asked>) -> Result<(), Stop> {
    let is_same_place = |one: &Asked, other: &Asked| {
        one.of.kind.is_single() && one.of.kind == other.of.kind && one.org == other.org
    };
    let gives_way =
        |one: &Asked| !one.stands && asked.iter().any(|other| other.stands && is_same_place(one, other));
    let stays: Vec<bool> = asked.iter().map(|one| !gives_way(one)).collect();
    let mut stays = stays.into_iter();
    asked.retain(|_| stays.next().unwrap_or(true));
    for (at, one) in asked.iter().enumerate() {
        if let Some(other) = asked[at + 1..].iter().find(|other| is_same_place(one, other)) {
            let label = |asked: &Asked| asked.element["display"].as_str().unwrap_or_default().to_owned();
            return Err(invalid(format!(
                "a User has one {}, and two are asked for: `{}` and `{}`; nothing was changed",
                one.of.kind,
                label(one),
                label(other)
            )));
        }
    }
    Ok(())
}

/// Whether anybody can be given it: there are profiles for Salesforce's own users.
pub(crate) fn can_be_given(one: &Entitlement) -> bool {
    one.audience() != Some(Audience::System)
}

fn check_can_be_given(one: &Entitlement) -> Result<(), Stop> {
    if can_be_given(one) {
        return Ok(());
    }
    let whose = one.user_type.as_deref().unwrap_or_default();
    Err(invalid(format!("the profile `{}` is for {whose} users alone and cannot be given", one.label)))
}

fn unknown(list: &str, text: &str, orgs: &[&Org]) -> String {
    let names = orgs.iter().map(|org| org.name().as_str()).collect::<Vec<_>>().join(", ");
    format!(
        "`{text}` in `{list}` is no entitlement of the org {names}: send an id, API name or label that `/Entitlements` or `/Roles` \
         lists; nothing was changed"
    )
}

/// A name that stands for several is refused with them; nothing is guessed.
pub(super) fn ambiguous(text: &str, list: &str, candidates: impl Iterator<Item = String>) -> Stop {
    let candidates = candidates.collect::<Vec<_>>().join(", ");
    invalid(format!(
        "`{text}` in `{list}` is ambiguous: send the id of the one that is meant: {candidates}; nothing was changed"
    ))
}

pub(super) fn invalid(detail: String) -> Stop {
    ProvisionError::Invalid(scim_types::Error::bad_request(ScimType::InvalidValue, detail)).into()
}
