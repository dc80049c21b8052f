//! What a PATCH takes away is named as it was asked for: by id in either length, API name, label, in any case, or as Entra ID
//! packs it. The lists themselves have ids.

use std::{borrow::Cow, collections::HashMap};

use scim_types::{
    Filter, Op, Operation, Patch, PatchPath, Registry, Resource,
    filter::{Literal, Operator},
};
use serde_json::{Map, Value, json};

use super::{
    Stop, UserChange,
    asks::{LISTS, elements, id_text, text_of},
    scene::Scene,
};
use crate::wish::Wish;

impl UserChange {
    /// The wish, with the ids that the resource has for the names by which something is to go.
    pub(super) async fn by_ids(
        &self,
        scene: &Scene,
        current: Option<&Resource>,
    ) -> Result<Cow<'_, Wish>, Stop> {
        let is_about = |operation: &Operation| LISTS.iter().any(|list| operation.path.starts_with(list));
        let (Wish::Patch(patch), Some(current)) = (&self.wish, current) else {
            return Ok(Cow::Borrowed(&self.wish));
        };
        if !patch.operations.iter().any(is_about) {
            return Ok(Cow::Borrowed(&self.wish));
        }
        let mut patch = patch.clone();
        let mut names = Vec::new();
        each_name(&mut patch, &mut |name| {
            names.push(name.to_owned());
            None
        });
        let mut ids: HashMap<String, String> = HashMap::new();
        for name in names {
            if let Some(id) = self.id_called(scene, current, &name).await? {
                ids.insert(name, id);
            }
        }
        each_name(&mut patch, &mut |name| ids.get(name).cloned());
        Ok(Cow::Owned(Wish::Patch(patch)))
    }

    /// The id, among those that the resource has, of what is called so; none where it is the id itself, or nothing, or several.
    async fn id_called(&self, scene: &Scene, current: &Resource, name: &str) -> Result<Option<String>, Stop> {
        let had: Vec<&str> =
            LISTS.iter().flat_map(|list| elements(Some(current), list)).map(text_of).collect();
        if had.is_empty() || name.trim().is_empty() || had.contains(&name) {
            return Ok(None);
        }
        let orgs = scene.orgs_with_users()?;
        let found = match self.candidates(&orgs, &[], &unpacked(name), false).await {
            Ok(found) => found,
            // Nobody stays because an org does not say what it offers.
            Err(_) if self.ticket.takes_access_away() => return Ok(None),
            Err(stop) => return Err(stop),
        };
        let ids = found.iter().flat_map(|(org, one)| [id_text(org, &one.of.id, true), one.of.id.clone()]);
        let mut ids = ids.filter(|id| had.contains(&id.as_str()));
        let id = ids.next();
        Ok(id.filter(|_| ids.next().is_none()))
    }
}

/// Shows each name by which an operation takes something from the lists; what is answered goes with it.
fn each_name(patch: &mut Patch, also: &mut dyn FnMut(&str) -> Option<String>) {
    for operation in &mut patch.operations {
        let Ok(mut place) = PatchPath::parse(&operation.path, Registry::standard().user()) else { continue };
        if !LISTS.contains(&place.attribute.name()) || place.attribute.extension().is_some() {
            continue;
        }
        if let Some(filter) = &mut place.filter {
            each_compared(filter, also);
            operation.path = place.to_string();
        } else if let (Op::Remove, Value::Array(named)) = (operation.op, &mut operation.value) {
            let ids: Vec<Value> =
                named.iter().filter_map(|one| also(text_of(one))).map(|id| json!({"value": id})).collect();
            named.extend(ids);
        }
    }
}

fn each_compared(filter: &mut Filter, also: &mut dyn FnMut(&str) -> Option<String>) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            for part in parts {
                each_compared(part, also);
            }
        }
        Filter::Not(inner) | Filter::ValuePath { filter: inner, .. } => each_compared(inner, also),
        Filter::Compare { path, op: Operator::Eq, value: Literal::Text(text) } if path.name() == "value" => {
            if let Some(id) = also(text) {
                let value = Literal::Text(id);
                let other = Filter::Compare { path: path.clone(), op: Operator::Eq, value };
                *filter = Filter::Or(vec![filter.clone(), other]);
            }
        }
        Filter::Compare { .. } | Filter::Present { .. } => {}
    }
}

/// What Entra ID packs into a value (C-57), which nobody has taken out of a path.
fn unpacked(text: &str) -> String {
    let packed = serde_json::from_str::<Map<String, Value>>(text).ok();
    let member = |name: &str| packed.as_ref()?.get(name)?.as_str().map(str::to_owned);
    ["value", "displayName", "id"].into_iter().find_map(member).unwrap_or_else(|| text.to_owned())
}
