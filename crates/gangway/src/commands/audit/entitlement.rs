//! Which entitlement somebody means who names one.

use std::collections::BTreeMap;

use model::OrgName;
use salesforce_types::{Entitlement, EntitlementKind, EntitlementRef, NotOne, RecordId};
use serde_json::{Value, json};
use store::Catalogues;

use super::{Books, Failure};

/// An entitlement that was named.
pub(super) struct Named {
    /// Only in this org; `None`: wherever it is.
    pub(super) org: Option<OrgName>,
    pub(super) of: EntitlementRef,
    /// As the org offered it when it was last asked. `None`: it does not, or not any more.
    pub(super) offered: Option<Entitlement>,
    /// The permission set groups that give it too.
    pub(super) contained_in: Vec<EntitlementRef>,
}

impl Named {
    pub(super) fn document(&self) -> Value {
        json!({
            "org": self.org,
            "kind": self.of.kind,
            "id": self.of.id,
            "name": self.offered.as_ref().map(|offered| &offered.name),
            "label": self.offered.as_ref().map(|offered| &offered.label),
            "containedIn": self.contained_in,
        })
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.offered {
            Some(offered) => write!(f, "{} ({})", self.of, offered.name),
            None => write!(f, "{}", self.of),
        }
    }
}

/// The entitlement that is called so in the catalogues as they are remembered: `kind:name`, `kind:id`, an id or a name alone,
/// each with `org:` before it if need be.
///
/// # Errors
///
/// Where there is none, or several: with the candidates. An id with its kind is taken at its word, because the org may have had
/// it once.
pub(super) async fn find(books: &Books, text: &str, org: Option<&OrgName>) -> Result<Named, Failure> {
    let orgs = books.orgs();
    if let Some(org) = org.filter(|org| !orgs.contains(org)) {
        let known: Vec<&str> = orgs.iter().map(OrgName::as_str).collect();
        let why = format!("the org {org} is not one of these tenants'; there are: {}", known.join(", "));
        return Err(Failure::Failed(why));
    }
    let (before, rest) = text.split_once(':').unwrap_or(("", text));
    let (org, text) = match orgs.iter().find(|name| name.as_str() == before) {
        Some(named) => (Some(org.unwrap_or(named)), rest),
        None => (org, text),
    };
    let (kind, name) = kind(text);
    let mut offers = Offers::default();
    for org in orgs.iter().filter(|name| org.is_none_or(|org| org == *name)) {
        offers.look(books, org, kind, name).await?;
    }
    offers.one(kind, name, org)
}

/// The kind before the first colon, if there is one.
fn kind(text: &str) -> (Option<EntitlementKind>, &str) {
    let parts = text.split_once(':').and_then(|(kind, name)| Some((kind.trim().parse().ok()?, name.trim())));
    parts.map_or((None, text.trim()), |(kind, name)| (Some(kind), name))
}

/// What orgs offer under a name.
#[derive(Default)]
struct Offers {
    /// Each with the orgs that have it: a sandbox has the ids of the org that it was copied from.
    found: BTreeMap<EntitlementRef, (Vec<OrgName>, Option<Entitlement>)>,
    contained_in: Vec<EntitlementRef>,
    /// Orgs of which nothing is remembered.
    unknown: Vec<OrgName>,
}

impl Offers {
    async fn look(
        &mut self,
        books: &Books,
        org: &OrgName,
        kind: Option<EntitlementKind>,
        name: &str,
    ) -> Result<(), Failure> {
        let Some((catalogue, _)) = books.store.catalogue(org).await? else {
            self.unknown.push(org.clone());
            return Ok(());
        };
        let refs = match catalogue.named(kind.as_slice(), name) {
            Ok(one) => vec![one.of.clone()],
            Err(NotOne::Ambiguous(several)) => several,
            Err(NotOne::Unknown) => Vec::new(),
        };
        for of in refs {
            let is_in = |group: &&Entitlement| group.contains.iter().any(|set| set.as_str() == of.id);
            let groups = catalogue.entitlements().iter().filter(is_in);
            self.contained_in.extend(groups.map(|group| group.of.clone()));
            let offered = catalogue.get(&of).cloned();
            self.found.entry(of).or_insert_with(|| (Vec::new(), offered)).0.push(org.clone());
        }
        Ok(())
    }

    fn one(
        mut self,
        kind: Option<EntitlementKind>,
        name: &str,
        org: Option<&OrgName>,
    ) -> Result<Named, Failure> {
        if self.found.len() > 1 {
            let why = format!("`{name}` is several; name one of them: {}", self.candidates().join(", "));
            return Err(Failure::Failed(why));
        }
        let org = org.cloned();
        if let Some((of, (_, offered))) = self.found.pop_first() {
            self.contained_in.sort();
            self.contained_in.dedup();
            return Ok(Named { org, of, offered, contained_in: self.contained_in });
        }
        match (kind, RecordId::parse(name)) {
            (Some(kind @ EntitlementKind::FeatureLicense), _) => {
                let of = EntitlementRef { kind, id: name.to_owned() };
                Ok(Named { org, of, offered: None, contained_in: Vec::new() })
            }
            (Some(kind), Ok(id)) => {
                let of = EntitlementRef { kind, id: id.as_str().to_owned() };
                Ok(Named { org, of, offered: None, contained_in: Vec::new() })
            }
            _ => Err(self.none(name)),
        }
    }

    fn candidates(&self) -> Vec<String> {
        let named = |(of, (orgs, offered)): (&EntitlementRef, &(Vec<OrgName>, Option<Entitlement>))| {
            let name = offered.as_ref().map(|offered| offered.name.as_str()).unwrap_or_default();
            let orgs: Vec<&str> = orgs.iter().map(OrgName::as_str).collect();
            format!("{of} ({name}, in {})", orgs.join(" and "))
        };
        self.found.iter().map(named).collect()
    }

    fn none(&self, name: &str) -> Failure {
        let unread = match self.unknown.as_slice() {
            [] => String::new(),
            orgs => {
                let orgs: Vec<&str> = orgs.iter().map(OrgName::as_str).collect();
                format!(" What {} offers was never read: the gateway does that.", orgs.join(" and "))
            }
        };
        Failure::Failed(format!(
            "no org offers `{name}`; one that an org had once is named by its kind and id, such as \
             permission-set:0PS5f000000abcAGAQ.{unread}"
        ))
    }
}

impl Books {
    /// The orgs of the tenants that are looked at, by name.
    fn orgs(&self) -> Vec<OrgName> {
        let tenants = self.outline.tenants.iter().filter(|tenant| self.tenants.contains(&tenant.id));
        let mut orgs: Vec<OrgName> = tenants
            .flat_map(|tenant| {
                let of_targets = tenant.mapping.targets.iter().filter_map(|target| target.org.clone());
                of_targets.chain(tenant.org.clone())
            })
            .collect();
        orgs.sort();
        orgs.dedup();
        orgs
    }
}
