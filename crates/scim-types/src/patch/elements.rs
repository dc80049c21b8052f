//! The values of one multi-valued attribute while a PATCH is carried out.
//!
//! Finding an element by its value takes constant time, so that ten thousand members cost ten thousand steps, and a
//! thousand operations do not each walk through all of them.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::schema::{Attribute, Mutability};

/// The values in order. A removed one leaves a gap, so that the places of the others stay.
pub(super) struct Elements {
    attribute: &'static Attribute,
    values: Vec<Option<Value>>,
    /// Places by [`identity`](Self::identity); built when first needed, thrown away when an element changes.
    places: Option<HashMap<String, usize>>,
}

impl Elements {
    /// The values that are there.
    pub fn new(attribute: &'static Attribute, values: Vec<Value>) -> Self {
        let mut elements = Self { attribute, values: values.into_iter().map(Some).collect(), places: None };
        elements.drop_repeated_ids(&[]);
        elements
    }

    /// What is left, in order. An element without its `value` is none, whatever else it has (C-36).
    pub fn into_values(self) -> Vec<Value> {
        let needs_value = self.attribute.value_attribute().is_some();
        let whole = |value: &Value| !needs_value || value.get("value").is_some();
        self.values.into_iter().flatten().filter(whole).collect()
    }

    /// What has an id is there once; if twice, the elements at the `preferred` places stay, else the first.
    fn drop_repeated_ids(&mut self, preferred: &[usize]) {
        if !self.are_ids() {
            return;
        }
        let mut first: HashMap<String, usize> = HashMap::new();
        for place in preferred.iter().copied().chain(0..self.values.len()) {
            if let Some(Some(element)) = self.values.get(place) {
                let stays = *first.entry(self.identity(element)).or_insert(place);
                if stays != place {
                    self.values[place] = None;
                }
            }
        }
        self.places = None;
    }

    /// Adds values that are not there; one that is there takes over what the new one says beyond that.
    pub fn add(&mut self, values: Vec<Value>) {
        let mut primary = None;
        for value in values {
            let key = self.identity(&value);
            let is_primary = is_primary(&value);
            let place = match self.places().get(&key) {
                Some(&place) => {
                    self.merge_known(place, value);
                    place
                }
                None => self.push(value),
            };
            if is_primary {
                primary = Some(place);
            }
        }
        self.settle_primary(primary);
    }

    /// Puts these values in the place of all there are.
    pub fn replace(&mut self, values: Vec<Value>) {
        self.clear();
        self.add(values);
    }

    pub fn clear(&mut self) {
        self.values.clear();
        self.places = None;
    }

    /// Removes what has one of these values of the sub-attribute `value`.
    pub fn remove_values(&mut self, values: &HashSet<&str>) {
        if self.are_ids() {
            for value in values {
                if let Some(place) = self.places().remove(*value) {
                    self.values[place] = None;
                }
            }
        } else {
            self.remove_where(|element| text(element, "value").is_some_and(|value| values.contains(value)));
        }
    }

    /// Removes the elements that `condemned` says so of.
    pub fn remove_where(&mut self, condemned: impl Fn(&Value) -> bool) {
        for element in &mut self.values {
            if element.as_ref().is_some_and(&condemned) {
                *element = None;
            }
        }
        self.places = None;
    }

    /// The places of the elements that `chosen` says so of.
    pub fn places_where(&self, chosen: impl Fn(&Value) -> bool) -> Vec<usize> {
        let places = self.values.iter().enumerate();
        places.filter(|(_, element)| element.as_ref().is_some_and(&chosen)).map(|(place, _)| place).collect()
    }

    /// Changes the elements at these places with `change`, which may refuse.
    pub fn change<E>(
        &mut self,
        places: &[usize],
        mut change: impl FnMut(&mut Map<String, Value>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.places = None;
        let primary_before = self.primary();
        for &place in places {
            if let Some(Some(Value::Object(element))) = self.values.get_mut(place) {
                change(element)?;
            }
        }
        self.drop_repeated_ids(places);
        // `emails.primary` without a filter names every address: the one that was primary stays it.
        let is_primary =
            |place: &usize| self.values.get(*place).and_then(Option::as_ref).is_some_and(is_primary);
        let before = primary_before.filter(|place| places.contains(place)).filter(is_primary);
        self.settle_primary(before.or_else(|| places.iter().copied().find(is_primary)));
        Ok(())
    }

    /// At most one value is primary (RFC 7643 §2.4): the one that was set last (C-39).
    fn settle_primary(&mut self, winner: Option<usize>) {
        let Some(winner) = winner else { return };
        for (place, element) in self.values.iter_mut().enumerate() {
            if let Some(element) = element.as_mut().filter(|element| place != winner && is_primary(element)) {
                element["primary"] = Value::Bool(false);
            }
        }
    }

    fn primary(&self) -> Option<usize> {
        self.values.iter().position(|element| element.as_ref().is_some_and(is_primary))
    }

    fn push(&mut self, value: Value) -> usize {
        let place = self.values.len();
        let key = self.identity(&value);
        self.places().insert(key, place);
        self.values.push(Some(value));
        place
    }

    /// Adds to an element what a value of the same identity says; what may be written once stays as it is.
    fn merge_known(&mut self, place: usize, value: Value) {
        if let (Some(Some(Value::Object(known))), Value::Object(new)) = (self.values.get_mut(place), value) {
            for (name, part) in new {
                let once = self
                    .attribute
                    .sub_attribute(&name)
                    .is_some_and(|sub| sub.mutability == Mutability::Immutable);
                if !(once && known.contains_key(&name)) {
                    known.insert(name, part);
                }
            }
        }
    }

    fn places(&mut self) -> &mut HashMap<String, usize> {
        if self.places.is_none() {
            let values = self.values.iter().enumerate();
            let places =
                values.filter_map(|(place, value)| Some((self.identity(value.as_ref()?), place))).collect();
            self.places = Some(places);
        }
        self.places.get_or_insert_default()
    }

    /// By what a value is known to be there already: an id by itself; an address by its type too, because the same
    /// number may be both for work and mobile; anything else by all that it says.
    fn identity(&self, element: &Value) -> String {
        match text(element, "value") {
            Some(value) if self.are_ids() => value.to_owned(),
            Some(value) => format!("{value}\0{}", text(element, "type").unwrap_or_default()),
            None => format!("\0{element}"),
        }
    }

    /// Whether `value` is an id, which one element alone can have, whatever its type.
    pub fn are_ids(&self) -> bool {
        matches!(self.attribute.name.as_str(), "members" | "groups" | "roles" | "entitlements")
    }
}

fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

fn text<'v>(element: &'v Value, name: &str) -> Option<&'v str> {
    element.get(name)?.as_str()
}
