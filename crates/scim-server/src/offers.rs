//! `/Entitlements` and `/Roles`: what the orgs of a tenant have to give. They can be read and searched; what there is, is
//! decided in Salesforce.
//!
//! The form is what each of those who read it looks for: Okta `displayName` and `type`, Salesforce's own clients the same,
//! draft-ietf-scim-roles-entitlements `value`, `display` and the counts.

use std::{cmp::Ordering, collections::HashMap};

use actix_web::{http::StatusCode, web::Payload};
use provisioning::{EntitlementKind, Offer};
use scim_types::{
    AttrPath, Error, Filter, ListResponse, Page, Projection, Registry, ResourceType, SortOrder, fold,
};
use serde_json::{Map, Value, json};
use store::SortBy;

use crate::{
    body,
    call::Call,
    cursor::{Bound, Position},
    error::Failure,
    limits,
    query::Search,
    reply::Reply,
};

/// One of the two endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// All but roles.
    Entitlements,
    /// Roles.
    Roles,
}

impl Listing {
    pub(crate) fn resource_type(self) -> &'static ResourceType {
        match self {
            Self::Entitlements => Registry::standard().entitlement(),
            Self::Roles => Registry::standard().role(),
        }
    }

    fn endpoint(self) -> &'static str {
        self.resource_type().endpoint.trim_start_matches('/')
    }

    /// Whether it lists what is offered. Roles of portal accounts are made and given by Salesforce itself, up to three for each
    /// account: nobody asks for them.
    fn has(self, offer: &Offer) -> bool {
        let entitlement = &offer.entitlement;
        let is_role = entitlement.of.kind == EntitlementKind::Role;
        match self {
            Self::Entitlements => !is_role,
            Self::Roles => is_role && entitlement.user_type.as_deref().is_none_or(|portal| portal == "None"),
        }
    }
}

/// `GET` of a collection.
pub(crate) async fn list(call: &Call<'_>, listing: Listing) -> Result<Reply, Failure> {
    let search = call.query()?.search()?;
    answer(call, listing, &search).await
}

/// `POST` to its `.search`.
pub(crate) async fn search(call: &Call<'_>, listing: Listing, payload: Payload) -> Result<Reply, Failure> {
    let search = Search::from_body(body::json(call.request, payload, limits::BODY).await?)?;
    answer(call, listing, &search).await
}

/// `GET` of one. The 15-character id of a record is its id as well.
pub(crate) async fn get(call: &Call<'_>, listing: Listing, id: &str) -> Result<Reply, Failure> {
    let resource_type = listing.resource_type();
    let projection = call.projection_of(resource_type)?;
    let offers = call.door.provisioner.offers(&call.caller.tenant).await?;
    let shelf = Shelf::new(&call.base, listing, &offers);
    let found = shelf.offers.iter().find(|offer| offer.id == id || is_short_for(id, &offer.id));
    let offer =
        found.ok_or_else(|| Error::not_found(format!("there is no {} with this id", resource_type.name)))?;
    let shown = projection.apply(resource_type, shelf.document(offer));
    Ok(Reply::json(StatusCode::OK, &shown).with_location(shelf.location(&offer.id)))
}

fn is_short_for(short: &str, id: &str) -> bool {
    short.len() == 15 && id.len() == 18 && id.starts_with(short)
}

async fn answer(call: &Call<'_>, listing: Listing, search: &Search) -> Result<Reply, Failure> {
    let asked = &search.request;
    let resource_type = listing.resource_type();
    let projection =
        Projection::parse(resource_type, asked.attributes.as_deref(), asked.excluded_attributes.as_deref())?;
    let filter = asked.filter.as_deref().map(|text| Filter::parse(text, resource_type));
    let filter = filter.transpose().map_err(Error::from)?;
    let sort = sort(asked.sort_by.as_deref(), asked.sort_order, &asked.page, resource_type)?;
    let offers = call.door.provisioner.offers(&call.caller.tenant).await?;

    let bound =
        Bound { tenant: &call.caller.tenant, endpoint: listing.endpoint(), filter: asked.filter.as_deref() };
    let now = call.door.clock.now();
    let offset = match &asked.page {
        // A client that counts from zero does so where it imports accounts. HelloID reads what can be granted from 1 on, and
        // never ends when it is given less than all.
        Page::Index { start_index, .. } => start_index.saturating_sub(1),
        Page::Cursor { cursor: Some(cursor), .. } => call.door.cursors.read(cursor, bound, now)?.after,
        Page::Cursor { cursor: None, .. } => 0,
    };
    let sought = Sought { filter: filter.as_ref(), sort: sort.as_ref() };
    let (total, page) = self::page(call, listing, &offers, sought, offset, asked.page.count());
    let resources: Vec<_> =
        page.into_iter().map(|document| projection.apply(resource_type, document)).collect();
    let end = offset.saturating_add(resources.len() as u64);
    let list = match &asked.page {
        Page::Index { .. } => ListResponse::page(total, offset.saturating_add(1), resources),
        Page::Cursor { .. } => {
            let next = (end < total && !resources.is_empty())
                .then(|| call.door.cursors.write(Position { source: 0, after: end }, bound, now));
            ListResponse::cursor_page(Some(total), resources, next, None)
        }
    };
    Ok(Reply::json(StatusCode::OK, &list))
}

/// What is looked for, and by what it is sorted.
#[derive(Clone, Copy)]
pub(crate) struct Sought<'a> {
    pub(crate) filter: Option<&'a Filter>,
    pub(crate) sort: Option<&'a SortBy>,
}

/// How many of these offers an endpoint lists, and those of a page.
pub(crate) fn page(
    call: &Call<'_>,
    listing: Listing,
    offers: &[Offer],
    sought: Sought<'_>,
    offset: u64,
    count: u64,
) -> (u64, Vec<Map<String, Value>>) {
    Shelf::new(&call.base, listing, offers).page(sought.filter, sought.sort, offset, count)
}

fn sort(
    by: Option<&str>,
    order: SortOrder,
    page: &Page,
    resource_type: &ResourceType,
) -> Result<Option<SortBy>, Error> {
    let Some(name) = by else { return Ok(None) };
    if matches!(page, Page::Cursor { .. }) {
        let detail = "sortBy and cursor do not go together: cursors follow the order of the list";
        return Err(Error::invalid_value(detail));
    }
    let path = resource_type.resolve(name.trim());
    let path = path.map_err(|error| Error::invalid_value(format!("sortBy cannot be used: {error}")))?;
    Ok(Some(SortBy { path, descending: order == SortOrder::Descending }))
}

/// What is listed, as it is shown.
struct Shelf<'a> {
    base: &'a str,
    listing: Listing,
    offers: Vec<&'a Offer>,
    /// The ids of the permission set groups that a permission set is in, by its own.
    groups: HashMap<String, Vec<&'a str>>,
}

impl<'a> Shelf<'a> {
    fn new(base: &'a str, listing: Listing, all: &'a [Offer]) -> Self {
        let offers: Vec<&Offer> = all.iter().filter(|offer| listing.has(offer)).collect();
        let mut groups: HashMap<String, Vec<&str>> = HashMap::new();
        for group in &offers {
            for set in components(group) {
                groups.entry(set).or_default().push(&group.id);
            }
        }
        Self { base, listing, offers, groups }
    }

    /// How many there are, and those of a page. Without a filter and a sort only the page is looked at.
    fn page(
        &self,
        filter: Option<&Filter>,
        sort: Option<&SortBy>,
        offset: u64,
        count: u64,
    ) -> (u64, Vec<Map<String, Value>>) {
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let (offset, count) = (place(offset), place(count));
        if filter.is_none() && sort.is_none() {
            let page = self.offers.iter().skip(offset).take(count);
            return (self.offers.len() as u64, page.map(|offer| self.document(offer)).collect());
        }
        let resource_type = self.listing.resource_type();
        let mut found: Vec<_> = self.offers.iter().map(|offer| self.document(offer)).collect();
        if let Some(filter) = filter {
            found.retain(|document| filter.matches(resource_type, document));
        }
        if let Some(sort) = sort {
            found.sort_by(|a, b| in_order(sort, a, b));
        }
        (found.len() as u64, found.into_iter().skip(offset).take(count).collect())
    }

    /// One of them, with everything.
    fn document(&self, offer: &Offer) -> Map<String, Value> {
        let (entitlement, resource_type) = (&offer.entitlement, self.listing.resource_type());
        let schemas: Vec<&str> = std::iter::once(resource_type.schema.id.as_str())
            .chain(resource_type.aliases.iter().copied())
            .collect();
        let mut shown = Map::new();
        let mut show = |name: &str, value: Value| shown.insert(name.to_owned(), value);
        show("schemas", json!(schemas));
        show("id", json!(offer.id));
        show("value", json!(offer.id));
        show("displayName", json!(entitlement.label));
        show("display", json!(entitlement.label));
        show("name", json!(entitlement.name));
        show("type", json!(entitlement.of.kind.scim_type()));
        if let Some(description) = &entitlement.description {
            show("description", json!(description));
        }
        show("supported", json!(true));
        let seats = offer.seats;
        show("limitedAssignmentsPermitted", json!(seats.is_some_and(|seats| seats.total.is_some())));
        if let Some((seats, total)) = seats.and_then(|seats| Some((seats, seats.total?))) {
            show("totalAssignmentsPermitted", json!(total));
            show("totalAssignmentsUsed", json!(seats.used));
        }
        if let Some(groups) = self.groups.get(&offer.id) {
            show("containedBy", json!(groups));
        }
        if !entitlement.contains.is_empty() {
            show("contains", json!(components(offer).collect::<Vec<_>>()));
        }
        show("meta", json!({"resourceType": resource_type.name, "location": self.location(&offer.id)}));
        shown
    }

    fn location(&self, id: &str) -> String {
        format!("{}{}/{id}", self.base, self.listing.resource_type().endpoint)
    }
}

/// The ids of the permission sets that a permission set group consists of: those of its own org.
fn components(offer: &Offer) -> impl Iterator<Item = String> + '_ {
    let of_org = offer.id.strip_suffix(&*offer.entitlement.of.id).unwrap_or_default();
    offer.entitlement.contains.iter().map(move |set| format!("{of_org}{}", set.as_str()))
}

/// What has no value comes last, or first where the order is descending (RFC 7644 §3.4.2.3).
fn in_order(sort: &SortBy, a: &Map<String, Value>, b: &Map<String, Value>) -> Ordering {
    let (a, b) = (sort.path.values_in(a), sort.path.values_in(b));
    let order = match (a.first(), b.first()) {
        (Some(a), Some(b)) => compare(&sort.path, a, b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    if sort.descending { order.reverse() } else { order }
}

fn compare(path: &AttrPath, a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_u64().cmp(&b.as_u64()),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) if path.attribute().case_exact => a.cmp(b),
        (Value::String(a), Value::String(b)) => fold(a).cmp(&fold(b)),
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use salesforce_types::{Entitlement, EntitlementRef, RecordId, Seats};

    const BASE: &str = "https://scim.example.com/scim/v2";

    fn offer(kind: EntitlementKind, id: &str, label: &str) -> Offer {
        let entitlement = Entitlement {
            of: EntitlementRef { kind, id: id.to_owned() },
            name: label.replace(' ', "_"),
            label: label.to_owned(),
            description: None,
            license: None,
            seats: None,
            contains: Vec::new(),
            far_reaching: false,
            user_type: None,
        };
        Offer { org: "staff".parse().unwrap(), id: id.to_owned(), entitlement, seats: None }
    }

    fn catalogue() -> Vec<Offer> {
        use EntitlementKind as Kind;
        let of_type = |mut offer: Offer, user_type: &str| {
            offer.entitlement.user_type = Some(user_type.to_owned());
            offer
        };
        let mut group = offer(Kind::PermissionSetGroup, "0PG5f000000AbcAGAS", "Sales all");
        group.entitlement.contains = vec![RecordId::parse("0PS5f000000abcAGAQ").unwrap()];
        let mut license = offer(Kind::PermissionSetLicense, "0PL5f000000AbcAGAS", "CRM User");
        license.seats = Some(Seats { used: 3, total: Some(10) });
        let mut set = offer(Kind::PermissionSet, "0PS5f000000abcAGAQ", "Sales Ops");
        set.entitlement.description = Some("What sales operations does".to_owned());
        vec![
            of_type(offer(Kind::Profile, "00e5f000000abcAAAQ", "Standard User"), "Standard"),
            of_type(offer(Kind::Role, "00E5f000000AbcAEAS", "CEO"), "None"),
            of_type(offer(Kind::Role, "00E5f000000AbdAEAS", "Acme Partner User"), "Partner"),
            license,
            set,
            offer(Kind::PermissionSet, "0PS5f000000abdAGAQ", "ärger"),
            group,
        ]
    }

    fn labels(listing: Listing, filter: Option<&str>, sort: Option<(&str, bool)>) -> Vec<String> {
        let offers = catalogue();
        let shelf = Shelf::new(BASE, listing, &offers);
        let resource_type = listing.resource_type();
        let filter = filter.map(|text| Filter::parse(text, resource_type).unwrap());
        let sort =
            sort.map(|(by, descending)| SortBy { path: resource_type.resolve(by).unwrap(), descending });
        let (total, page) = shelf.page(filter.as_ref(), sort.as_ref(), 0, 100);
        assert_eq!(total, page.len() as u64);
        page.iter().map(|one| one["displayName"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn entitlements_are_all_but_roles_and_roles_those_of_the_companys_own_people() {
        assert_eq!(
            labels(Listing::Entitlements, None, None),
            ["Standard User", "CRM User", "Sales Ops", "ärger", "Sales all"]
        );
        assert_eq!(labels(Listing::Roles, None, None), ["CEO"]);
    }

    #[test]
    fn they_are_found_by_what_tools_search_for() {
        for (filter, found) in [
            (r#"displayName eq "sales ops""#, vec!["Sales Ops"]),
            (r#"display sw "Sales""#, vec!["Sales Ops", "Sales all"]),
            (r#"value eq "0PS5f000000abcAGAQ""#, vec!["Sales Ops"]),
            (r#"id eq "0ps5f000000abcaAAA""#, vec![]),
            (r#"name eq "CRM_User""#, vec!["CRM User"]),
            (r#"type eq "PermissionSet" and displayName co "OPS""#, vec!["Sales Ops"]),
            (r#"type eq "Profile" or type eq "PermissionSetGroup""#, vec!["Standard User", "Sales all"]),
            ("limitedAssignmentsPermitted eq true", vec!["CRM User"]),
            ("totalAssignmentsUsed ge 3", vec!["CRM User"]),
            (r#"containedBy eq "0PG5f000000AbcAGAS""#, vec!["Sales Ops"]),
            (r#"urn:okta:scim:schemas:core:1.0:Entitlement:type eq "Profile""#, vec!["Standard User"]),
            ("not (type pr)", vec![]),
        ] {
            assert_eq!(labels(Listing::Entitlements, Some(filter), None), found, "{filter}");
        }
    }

    #[test]
    fn they_are_sorted_without_regard_to_case_and_accents_stay_where_they_belong() {
        let sorted = |by, descending| labels(Listing::Entitlements, None, Some((by, descending)));
        assert_eq!(
            sorted("displayName", false),
            ["CRM User", "Sales all", "Sales Ops", "Standard User", "ärger"]
        );
        assert_eq!(sorted("totalAssignmentsUsed", false)[0], "CRM User", "what has none is last");
        assert_eq!(sorted("totalAssignmentsUsed", true)[4], "CRM User");
    }

    #[test]
    fn pages_are_parts_of_one_list() {
        let offers = catalogue();
        let shelf = Shelf::new(BASE, Listing::Entitlements, &offers);
        let whole = shelf.page(None, None, 0, 100).1;
        for filter in [None, Some(Filter::parse("id pr", Listing::Entitlements.resource_type()).unwrap())] {
            let mut seen = Vec::new();
            for offset in [0, 2, 4, 6] {
                let (total, page) = shelf.page(filter.as_ref(), None, offset, 2);
                assert_eq!(total, 5);
                seen.extend(page);
            }
            assert_eq!(seen, whole);
            assert_eq!(shelf.page(filter.as_ref(), None, u64::MAX, u64::MAX), (5, vec![]));
        }
    }

    #[test]
    fn an_entitlement_has_what_okta_salesforce_and_the_draft_look_for() {
        let offers = catalogue();
        let shelf = Shelf::new(BASE, Listing::Entitlements, &offers);
        insta::assert_json_snapshot!(shelf.document(&offers[4]));
        let group = shelf.document(&offers[6]);
        assert_eq!(group["contains"], json!(["0PS5f000000abcAGAQ"]));
        let license = shelf.document(&offers[3]);
        assert_eq!(
            (&license["totalAssignmentsPermitted"], &license["totalAssignmentsUsed"]),
            (&json!(10), &json!(3))
        );
        let roles = Shelf::new(BASE, Listing::Roles, &offers);
        assert_eq!(
            roles.document(&offers[1])["meta"]["location"],
            format!("{BASE}/Roles/00E5f000000AbcAEAS")
        );
    }

    #[test]
    fn in_a_tenant_of_several_orgs_what_belongs_together_is_of_one_org() {
        let in_org = |org: &str, offer: Offer| Offer {
            org: org.parse().unwrap(),
            id: format!("{org}:{}", offer.id),
            ..offer
        };
        let orgs = ["staff", "partners"].into_iter();
        let offers: Vec<Offer> =
            orgs.flat_map(|org| catalogue().into_iter().map(move |offer| in_org(org, offer))).collect();
        let shelf = Shelf::new(BASE, Listing::Entitlements, &offers);
        let set = shelf.document(&offers[11]);
        assert_eq!(set["id"], "partners:0PS5f000000abcAGAQ");
        assert_eq!(set["containedBy"], json!(["partners:0PG5f000000AbcAGAS"]));
        assert_eq!(shelf.document(&offers[13])["contains"], json!(["partners:0PS5f000000abcAGAQ"]));
    }

    #[test]
    fn every_attribute_that_is_shown_is_in_the_schema() {
        let offers = catalogue();
        for listing in [Listing::Entitlements, Listing::Roles] {
            let shelf = Shelf::new(BASE, listing, &offers);
            let resource_type = listing.resource_type();
            for offer in &shelf.offers {
                for name in shelf.document(offer).keys() {
                    assert_eq!(resource_type.find(name).map(|path| path.as_str()), Some(name.as_str()));
                }
            }
        }
    }
}
