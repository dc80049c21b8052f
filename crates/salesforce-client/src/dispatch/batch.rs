//! What goes in one call: whose steps, and in which form. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};

use salesforce_types::{Manner, Step};

use super::{
    change::{Change, Form},
    freeze::must_be_found,
    line::Line,
};

/// Sub-requests of one Composite (REST API Developer Guide, "Composite").
const MOST_ROWS: usize = 25;
/// Of those, collections and queries.
const MOST_LANES: usize = 5;
/// Records of one collection.
const LANE_SIZE: usize = 200;
/// Leads of one `convertLead` (SOAP API Developer Guide).
const MOST_LEADS: usize = 100;
/// What a conversion writes: the lead, an account, a contact, an opportunity.
const RECORDS_OF_A_LEAD: usize = 4;

/// The changes whose steps go in one call, and how.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) changes: Vec<Change>,
    pub(super) shape: Shape,
    /// The call carries group, role or territory steps.
    pub(super) sharing: bool,
}

/// A step: the number of its change in the batch, and its own in the change.
pub(super) type Place = (usize, usize);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Row after row.
    Rows(Vec<Place>),
    /// Collections, each of one object and one operation.
    Lanes(Vec<Lane>),
    /// Conversions of leads.
    Conversions(Vec<Place>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) kind: Kind,
    pub(super) places: Vec<Place>,
}

/// What the records of one collection have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) object: String,
    pub(super) operation: Operation,
    pub(super) manner: Manner,
}

/// What a collection does with its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Update,
    Upsert {
        key: String,
    },
    Delete,
    /// Looks for the records that the steps are about: they are written by the next call.
    Find,
}

impl Kind {
    /// `None`: there is no collection of such steps.
    pub(super) fn of(step: &Step) -> Option<Self> {
        let operation = match step {
            Step::Create { .. } => Operation::Create,
            Step::Update { .. } => Operation::Update,
            Step::Upsert { key, .. } => Operation::Upsert { key: key.clone() },
            Step::Delete { .. } => Operation::Delete,
            Step::Freeze { .. } => Operation::Find,
            Step::Convert { .. } => return None,
        };
        Some(Self { object: step.object().to_owned(), operation, manner: step.manner() })
    }
}

impl Lane {
    fn writes(&self) -> bool {
        self.kind.operation != Operation::Find
    }
}

/// What rows take of a Composite.
#[derive(Clone, Copy, Default)]
struct Weight {
    rows: usize,
    /// Those whose record has to be found: a query for each, and one for all of them.
    to_find: usize,
    /// Updates that others refer to: a collection for each.
    named: usize,
}

impl Weight {
    /// Of a step that goes with these of its change.
    fn of(change: &Change, at: usize, together: &[usize]) -> Self {
        let step = change.step(at);
        let is_named =
            matches!(step, Step::Update { .. }) && change.is_referred_to(at, together.iter().copied());
        Self { rows: 1, to_find: usize::from(must_be_found(step)), named: usize::from(is_named) }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            to_find: self.to_find + other.to_find,
            named: self.named + other.named,
        }
    }

    fn queries(self) -> usize {
        if self.to_find == 0 { 0 } else { self.to_find + 1 }
    }

    fn requests(self) -> usize {
        self.rows + self.queries()
    }

    fn fits(self) -> bool {
        self.requests() <= MOST_ROWS && self.queries() + self.named <= MOST_LANES
    }
}

impl Shape {
    /// The steps in the call.
    pub(super) fn steps(&self) -> usize {
        match self {
            Self::Rows(places) | Self::Conversions(places) => places.len(),
            Self::Lanes(lanes) => lanes.iter().map(|lane| lane.places.len()).sum(),
        }
    }

    /// The records that the call writes.
    pub(super) fn records(&self) -> usize {
        match self {
            Self::Rows(_) => self.steps(),
            Self::Lanes(lanes) => {
                lanes.iter().filter(|lane| lane.writes()).map(|lane| lane.places.len()).sum()
            }
            Self::Conversions(_) => self.steps() * RECORDS_OF_A_LEAD,
        }
    }

    /// The step of a call that has only one, and no collection or Composite around it.
    pub(super) fn only(&self, changes: &[Change]) -> Option<Place> {
        match self {
            Self::Rows(places) | Self::Conversions(places) => match places.as_slice() {
                [(change, step)] if !must_be_found(changes[*change].step(*step)) => Some((*change, *step)),
                _ => None,
            },
            Self::Lanes(_) => None,
        }
    }

    /// Leaves out the steps of some changes.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let mut kept = HashMap::new();
        let mut keep = |place: &Place| *kept.entry(place.0).or_insert_with(|| keep(place.0));
        match self {
            Self::Rows(places) | Self::Conversions(places) => places.retain(&mut keep),
            Self::Lanes(lanes) => {
                for lane in &mut *lanes {
                    lane.places.retain(&mut keep);
                }
                lanes.retain(|lane| !lane.places.is_empty());
            }
        }
    }

    /// The changes that have a step in the call.
    pub(super) fn changes(&self) -> BTreeSet<usize> {
        self.places().into_iter().map(|(change, _)| change).collect()
    }

    pub(super) fn places(&self) -> Vec<Place> {
        match self {
            Self::Rows(places) | Self::Conversions(places) => places.clone(),
            Self::Lanes(lanes) => lanes.iter().flat_map(|lane| lane.places.iter().copied()).collect(),
        }
    }
}

/// Whether group, role and territory steps may go along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Another call has them.
    No,
    /// Where that spares a call: with the rows of one change, or of a few. A crowd's come together, in a call that
    /// carries nothing else and so has the lock no longer than it must.
    Rows,
    All,
}

/// Takes changes from a line: `share` of them at most, with `limit` records at most, as far as they fit in one call.
/// `None` if nothing waits that could be sent.
pub(super) fn choose(line: &mut Line, share: usize, limit: usize, sharing: Sharing) -> Option<Batch> {
    let first = take(line)?;
    let converts = first.converts();
    line.put_back(first);
    if converts { choose_conversions(line, share, limit) } else { choose_writes(line, share, limit, sharing) }
}

/// The change whose turn it is, past those that nobody waits for any more.
fn take(line: &mut Line) -> Option<Change> {
    loop {
        let mut change = line.take()?;
        if !change.is_abandoned() {
            return Some(change);
        }
        change.end_waiting("withdrawn", None);
        change.answer();
    }
}

fn choose_conversions(line: &mut Line, share: usize, limit: usize) -> Option<Batch> {
    let most = (limit / RECORDS_OF_A_LEAD).clamp(1, MOST_LEADS);
    let mut changes: Vec<Change> = Vec::new();
    let mut places: Vec<Place> = Vec::new();
    let mut leads = HashSet::new();
    let mut share = share.max(1);
    while changes.len() < share && places.len() < most {
        let Some(change) = take(line) else { break };
        let number = changes.len();
        // Salesforce refuses a lead that is twice in one call. What does not fit goes with the next.
        let own: Vec<usize> = change
            .sendable(Form::Conversions, true)
            .into_iter()
            .take(most - places.len())
            .take_while(|step| id_of(change.step(*step)).is_some_and(|lead| leads.insert(lead)))
            .collect();
        if own.is_empty() || number >= change.company {
            line.put_back(change);
            break;
        }
        places.extend(own.into_iter().map(|step| (number, step)));
        share = share.min(change.company);
        changes.push(change);
    }
    (!changes.is_empty()).then_some(Batch { changes, shape: Shape::Conversions(places), sharing: false })
}

fn choose_writes(line: &mut Line, share: usize, limit: usize, sharing: Sharing) -> Option<Batch> {
    let mut changes: Vec<Change> = Vec::new();
    let mut rows: Vec<Place> = Vec::new();
    let mut weight = Weight::default();
    let mut lanes = Lanes::default();
    let mut by_rows = false;
    let mut share = share.max(1);
    while changes.len() < share {
        let Some(change) = take(line) else { break };
        let own = change.sendable(Form::Rows, sharing != Sharing::No);
        let with_own = own.iter().fold(weight, |weight, step| weight.plus(Weight::of(&change, *step, &own)));
        let number = changes.len();
        let first = changes.is_empty();
        let fits = if change.goes_alone() {
            first
        } else if by_rows || (first && change.by_rows) {
            first || with_own.fits()
        } else {
            !change.by_rows && (first || lanes.records < limit)
        };
        let is_welcome = changes.len() < change.company;
        if own.is_empty() || !fits || !is_welcome {
            line.put_back(change);
            break;
        }
        by_rows |= change.by_rows || change.goes_alone();
        let room = limit.saturating_sub(lanes.records).max(1);
        let placed = lanes.add(&change, number, &change.sendable(Form::Lanes, sharing == Sharing::All), room);
        if placed == 0 && !by_rows {
            line.put_back(change);
            break;
        }
        rows.extend(own.into_iter().map(|step| (number, step)));
        weight = with_own;
        share = share.min(change.company);
        let alone = change.goes_alone();
        changes.push(change);
        if alone || (by_rows && weight.requests() >= MOST_ROWS) {
            break;
        }
    }
    if changes.is_empty() {
        return None;
    }
    let step = |(change, step): &Place| changes[*change].step(*step);
    // Rows where they spare a call: for one change, and where something follows from what is made or found in the same call.
    let everything_fits = lanes.records == rows.len() && !rows.iter().any(|place| must_be_found(step(place)));
    let spared = weight.fits() && (changes.len() == 1 || !everything_fits);
    let odd_key = rows.iter().any(|place| is_odd(step(place)));
    // Whoever is to be locked out is so by the first call, however much there is to do besides.
    let is_urgent = changes.len() == 1 && rows.first().is_some_and(|place| must_be_found(step(place)));
    if is_urgent && !by_rows {
        rows.truncate(rows.iter().take_while(|place| !is_odd(step(place))).count());
    }
    let form = if by_rows || is_urgent || (spared && !odd_key) {
        let mut weight = Weight::default();
        let fits = |place: &&Place| {
            let (number, at) = **place;
            let own = rows.iter().filter(|(other, _)| *other == number).map(|(_, step)| *step);
            weight = weight.plus(Weight::of(&changes[number], at, &own.collect::<Vec<_>>()));
            weight.fits()
        };
        let fitting = rows.iter().take_while(fits).count();
        rows.truncate(fitting);
        Shape::Rows(rows)
    } else {
        Shape::Lanes(lanes.into_lanes())
    };
    let takes_lock = |(change, step): &Place| changes[*change].takes_sharing_lock(*step);
    let sharing = form.places().iter().any(takes_lock);
    Some(Batch { changes, shape: form, sharing })
}

/// A key that is better not put in a path, percent-encoded or not: the edge may take a slash or a dot for its own. In a
/// collection it stands in the record.
pub(super) fn is_odd(step: &Step) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    matches!(step, Step::Upsert { value, .. } if !value.bytes().all(plain))
}

/// Collections as they fill up.
#[derive(Default)]
struct Lanes {
    lanes: Vec<Filling>,
    records: usize,
}

struct Filling {
    lane: Lane,
    /// Salesforce refuses all records that are twice in one collection.
    ids: HashSet<String>,
}

/// Which record a step is about, as far as that is known. External ids mind case or not, as the org has it.
fn id_of(step: &Step) -> Option<String> {
    match step {
        Step::Create { .. } => None,
        Step::Update { id, .. } | Step::Delete { id, .. } | Step::Convert { lead: id, .. } => {
            Some(id.as_str().to_owned())
        }
        Step::Upsert { value, .. } => Some(value.to_lowercase()),
        Step::Freeze { user, .. } => Some(user.as_str().to_owned()),
    }
}

impl Lanes {
    /// Places steps of a change, in order, as far as there is room. A step never stands before an earlier one of its
    /// change: Salesforce does the collections of a Composite one after the other, and their records in order.
    fn add(&mut self, change: &Change, number: usize, steps: &[usize], room: usize) -> usize {
        let mut placed = 0;
        let mut from = 0;
        for step in steps.iter().take(room) {
            let Some(kind) = Kind::of(change.step(*step)) else { break };
            let id = id_of(change.step(*step));
            let has_room = |Filling { lane, ids }: &Filling| {
                lane.kind == kind
                    && lane.places.len() < LANE_SIZE
                    && id.as_ref().is_none_or(|id| !ids.contains(id))
            };
            let at = match self.lanes.iter().skip(from).position(has_room) {
                Some(at) => from + at,
                None if self.lanes.len() < MOST_LANES => {
                    let lane = Lane { kind, places: Vec::new() };
                    self.lanes.push(Filling { lane, ids: HashSet::new() });
                    self.lanes.len() - 1
                }
                None => break,
            };
            self.lanes[at].lane.places.push((number, *step));
            self.lanes[at].ids.extend(id);
            from = at;
            placed += 1;
        }
        self.records += placed;
        placed
    }

    fn into_lanes(self) -> Vec<Lane> {
        self.lanes.into_iter().map(|filling| filling.lane).collect()
    }
}
