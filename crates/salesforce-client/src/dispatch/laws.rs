//! Laws of batches, over random changes: how they are sent makes no difference to what becomes of them.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use model::{ClientName, ResourceId};
use proptest::prelude::*;
use salesforce_types::{
    Conversion, Duplicates, Fields, Manner, RecordId, References, Refusal, Step, StepOutcome,
};
use serde_json::json;
use tokio::sync::oneshot;

use super::{
    Dispatcher, GATHER_FOR, State,
    batch::{self, Batch, Shape, Sharing},
    change::{Change, Landing},
    freeze::must_be_found,
    line::Line,
    size::Size,
    waiting::{MOST_WAITING, Waiting},
};
use crate::{Asker, Ticket};

/// What becomes of a step when it is sent.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Lands,
    Refused,
    /// Refused, and only a call of rows says why.
    RefusedVaguely,
    /// Locked so often, then it lands.
    Locked(u32),
}

/// A change by its number, with the fate of each of its steps.
#[derive(Clone, Debug)]
struct Story {
    steps: Vec<Step>,
    fates: Vec<Fate>,
}

fn object() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("User"),
        Just("PermissionSetAssignment"),
        Just("GroupMember"),
        Just("Contact"),
        Just("UserLogin"),
        Just("Lead"),
        Just("Account"),
    ]
}

fn manner() -> impl Strategy<Value = Manner> {
    let usual = Manner::default();
    prop_oneof![
        6 => Just(usual),
        1 => Just(Manner { duplicates: Duplicates::Allow, ..usual }),
        1 => Just(Manner { assignment_rules: true, ..usual }),
    ]
}

fn sharing() -> impl Strategy<Value = Sharing> {
    prop_oneof![Just(Sharing::No), Just(Sharing::Rows), Just(Sharing::All)]
}

fn story() -> impl Strategy<Value = Story> {
    let fate = prop_oneof![
        6 => Just(Fate::Lands),
        1 => Just(Fate::Refused),
        1 => Just(Fate::RefusedVaguely),
        1 => (1_u32..3).prop_map(Fate::Locked),
    ];
    // Object, operation, the step referred to (taken modulo), whether the title looks like a reference.
    let step = (object(), 0_u8..7, any::<usize>(), proptest::bool::weighted(0.05), manner(), fate);
    proptest::collection::vec(step, 1..9).prop_map(|drawn| {
        let mut story = Story { steps: Vec::new(), fates: Vec::new() };
        for (at, (object, operation, other, literal, manner, fate)) in drawn.into_iter().enumerate() {
            let title = if literal { "@{c0s0.id}" } else { "Captain" };
            let fields: Fields = [("Title".to_owned(), json!(title))].into_iter().collect();
            let mut refers = References::new();
            if at > 0 && operation < 3 {
                refers.insert("OtherId".to_owned(), other % at);
            }
            let object = object.to_owned();
            story.steps.push(match operation {
                0..=2 => Step::Create { object, fields, refers, manner },
                3 => Step::Update { object, id: id(9_999), fields, manner },
                4 => Step::Delete { object, id: id(9_999) },
                5 => convert(id(other % 40)),
                _ => freeze(other % 40),
            });
            story.fates.push(fate);
        }
        story
    })
}

fn convert(lead: RecordId) -> Step {
    let conversion = Conversion { status: Some("Closed - Converted".into()), ..Conversion::default() };
    Step::Convert { lead, conversion }
}

fn freeze(user: usize) -> Step {
    Step::Freeze { user: id(user), frozen: user.is_multiple_of(2) }
}

fn id(n: usize) -> RecordId {
    RecordId::parse(&format!("0055f000{n:07}")).unwrap()
}

fn ticket(tenant: usize, identity: usize) -> Ticket {
    let asker = Asker {
        tenant: format!("tenant{tenant}/prod").parse().unwrap(),
        client: ClientName::new("hr").unwrap(),
        identity: ResourceId::from_text(identity.to_string()),
    };
    Ticket::new(asker, false)
}

/// An org that does what the fates say, and checks what it is sent.
struct Org<'a> {
    stories: &'a [Story],
    locked: HashMap<(usize, usize), u32>,
    sent: HashMap<usize, Vec<usize>>,
    outcomes: Vec<Option<oneshot::Receiver<Vec<StepOutcome>>>>,
}

impl<'a> Org<'a> {
    fn new(stories: &'a [Story], tenants: usize) -> (Self, Line) {
        let mut line = Line::default();
        let mut outcomes = Vec::new();
        for (n, story) in stories.iter().enumerate() {
            let (mut change, outcome) = Change::new(story.steps.clone(), &ticket(n % tenants, n));
            assert!(change.goes_on());
            line.put(change);
            outcomes.push(Some(outcome));
        }
        (Self { stories, locked: HashMap::new(), sent: HashMap::new(), outcomes }, line)
    }

    /// Sends a batch; what goes on is back in line.
    fn send(&mut self, mut batch: Batch, line: &mut Line, allowed: bool) {
        assert!(allowed || !batch.sharing, "group steps in a second call");
        check(&batch);
        for (change, step) in batch.shape.places() {
            batch.changes[change].send(step);
        }
        let in_lanes = matches!(batch.shape, Shape::Lanes(_));
        let mut landed: Vec<(usize, usize)> = Vec::new();
        for (at, step) in batch.shape.places() {
            let number: usize = batch.changes[at].asker().identity.as_str().parse().unwrap();
            self.sent.entry(number).or_default().push(step);
            let story = &self.stories[number];
            let here = |earlier: &usize| {
                batch.shape.places().contains(&(at, *earlier)) && !landed.contains(&(at, *earlier))
            };
            let landing = if story.steps[step].refers().values().any(here) {
                Landing::Halted
            } else if in_lanes && must_be_found(batch.changes[at].step(step)) {
                Landing::Found(id(9_000 + number))
            } else {
                self.fate(number, step, in_lanes)
            };
            if matches!(landing, Landing::Ended(StepOutcome::Done { .. })) {
                landed.push((at, step));
            }
            batch.changes[at].land(step, landing);
        }
        for mut change in batch.changes {
            change.locked = None;
            if change.goes_on() { line.put(change) } else { change.answer() }
        }
    }

    fn fate(&mut self, number: usize, step: usize, in_lanes: bool) -> Landing {
        let refusal = |code: &str| Refusal {
            status: 400,
            code: code.to_owned(),
            message: String::new(),
            fields: Vec::new(),
            records: Vec::new(),
        };
        match self.stories[number].fates[step] {
            Fate::Lands => Landing::Ended(StepOutcome::Done { id: id(number * 10 + step) }),
            Fate::Refused => Landing::Ended(StepOutcome::Refused(refusal("STRING_TOO_LONG"))),
            Fate::RefusedVaguely if in_lanes => Landing::WithOthers,
            Fate::RefusedVaguely => {
                let records = vec![id(9_998)];
                Landing::Ended(StepOutcome::Refused(Refusal { records, ..refusal("DUPLICATES_DETECTED") }))
            }
            Fate::Locked(times) => {
                let tries = self.locked.entry((number, step)).or_default();
                *tries += 1;
                if *tries <= times {
                    Landing::Locked(refusal("UNABLE_TO_LOCK_ROW"))
                } else {
                    Landing::Ended(StepOutcome::Done { id: id(number * 10 + step) })
                }
            }
        }
    }

    fn outcomes(mut self) -> Vec<Vec<StepOutcome>> {
        self.outcomes.iter_mut().map(|outcome| outcome.take().unwrap().try_recv().unwrap()).collect()
    }
}

/// What Salesforce allows in one call.
fn check(batch: &Batch) {
    let step = |(change, step): &(usize, usize)| batch.changes[*change].step(*step);
    let literal = |place: &(usize, usize)| {
        step(place).fields().values().any(|value| value.as_str().is_some_and(|text| text.contains("@{")))
    };
    let is_conversion = |place: &(usize, usize)| matches!(step(place), Step::Convert { .. });
    match &batch.shape {
        Shape::Conversions(places) => {
            assert!((1..=100).contains(&places.len()));
            assert!(places.iter().all(is_conversion));
            let leads: HashSet<String> = places.iter().map(|place| format!("{:?}", step(place))).collect();
            assert_eq!(leads.len(), places.len(), "a lead is in a call once");
        }
        Shape::Rows(places) => {
            let found = places.iter().filter(|place| must_be_found(step(place))).count();
            let queries = found + usize::from(found > 0);
            let named = |(number, at): &&(usize, usize)| {
                let change = &batch.changes[*number];
                let together = places.iter().filter(|(other, _)| other == number).map(|(_, step)| *step);
                matches!(change.step(*at), Step::Update { .. }) && change.is_referred_to(*at, together)
            };
            let collections = places.iter().filter(named).count();
            assert!((1..=25).contains(&(places.len() + queries)) && queries + collections <= 5);
            assert!(!places.iter().any(is_conversion), "REST converts nothing");
            assert!(places.len() == 1 || !places.iter().any(literal), "a title became a reference");
        }
        Shape::Lanes(lanes) => {
            assert!((1..=5).contains(&lanes.len()));
            for lane in lanes {
                assert!((1..=200).contains(&lane.places.len()));
                assert!(!lane.places.iter().any(literal));
                let first = step(&lane.places[0]);
                for place in &lane.places {
                    assert_eq!(step(place).object(), first.object());
                    assert_eq!(step(place).manner(), first.manner(), "one manner in one collection");
                    assert!(!is_conversion(place), "REST converts nothing");
                    let later = |other: &(usize, usize)| other.0 == place.0 && other.1 > place.1;
                    assert!(
                        !must_be_found(first) || !batch.shape.places().iter().any(later),
                        "nothing goes before somebody is locked out"
                    );
                    assert_eq!(
                        std::mem::discriminant(step(place)),
                        std::mem::discriminant(first),
                        "one operation in one collection"
                    );
                    if let Step::Update { id, .. } | Step::Delete { id, .. } = step(place) {
                        let same = |other: &&(usize, usize)| matches!(step(other), Step::Update { id: other, .. } | Step::Delete { id: other, .. } if other == id);
                        assert_eq!(
                            lane.places.iter().filter(same).count(),
                            1,
                            "a record is in a collection once"
                        );
                    }
                    for earlier in step(place).refers().values() {
                        let same_call = batch.shape.places().contains(&(place.0, *earlier));
                        assert!(!same_call, "a record of a collection cannot refer to this call");
                    }
                }
            }
        }
    }
}

/// One by one: nobody shares a call with anybody.
fn alone(stories: &[Story]) -> Vec<Vec<StepOutcome>> {
    let (mut org, mut line) = Org::new(stories, 1);
    while let Some(batch) = batch::choose(&mut line, 1, 1_000, Sharing::All) {
        org.send(batch, &mut line, true);
    }
    org.outcomes()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Lone and crowd end alike, and in a crowd the steps of one change keep their order.
    #[test]
    fn lone_and_crowd_end_alike(
        stories in proptest::collection::vec(story(), 1..60),
        tenants in 1_usize..4,
        calls in proptest::collection::vec((1_usize..80, 25_usize..400, sharing()), 1..20),
    ) {
        let expected = alone(&stories);
        let (mut org, mut line) = Org::new(&stories, tenants);
        let mut calls = calls.into_iter().cycle();
        let mut stuck = 0;
        while line.len() > 0 {
            let (share, limit, sharing) = calls.next().unwrap();
            // Nothing but group steps may wait while another call has them.
            let sharing = if stuck > 5 { Sharing::All } else { sharing };
            match batch::choose(&mut line, share, limit, sharing) {
                Some(batch) => {
                    stuck = 0;
                    prop_assert!(batch.changes.len() <= share);
                    org.send(batch, &mut line, sharing != Sharing::No);
                }
                None => stuck += 1,
            }
        }
        for sent in org.sent.values() {
            // A step may be sent again after a lock, together with what it held up; but nothing goes before its turn the first
            // time.
            let mut first = Vec::new();
            for step in sent {
                if !first.contains(step) {
                    first.push(*step);
                }
            }
            prop_assert!(first.is_sorted(), "{sent:?}");
        }
        prop_assert_eq!(org.outcomes(), expected);
    }
}

fn create(object: &str) -> Step {
    Step::Create {
        object: object.into(),
        fields: Fields::new(),
        refers: References::new(),
        manner: Manner::default(),
    }
}

fn follow(object: &str) -> Step {
    let refers = [("AssigneeId".to_owned(), 0)].into_iter().collect();
    Step::Create { object: object.into(), fields: Fields::new(), refers, manner: Manner::default() }
}

fn joiner() -> Vec<Step> {
    vec![
        create("User"),
        follow("PermissionSetAssignment"),
        follow("PermissionSetAssignment"),
        follow("PermissionSetAssignment"),
        follow("GroupMember"),
        follow("GroupMember"),
    ]
}

fn line_of(changes: usize, steps: &[Step], tenants: usize) -> Line {
    let mut line = Line::default();
    for n in 0..changes {
        line.put(Change::new(steps.to_vec(), &ticket(n % tenants, n)).0);
    }
    line
}

/// A receiver that is gone means that nobody waits, so tests keep them.
fn waiting_line(changes: usize, steps: &[Step]) -> (Line, Vec<oneshot::Receiver<Vec<StepOutcome>>>) {
    let mut line = Line::default();
    let mut receivers = Vec::new();
    for n in 0..changes {
        let (change, receiver) = Change::new(steps.to_vec(), &ticket(0, n));
        line.put(change);
        receivers.push(receiver);
    }
    (line, receivers)
}

#[test]
fn a_lone_joiner_is_one_composite_of_rows() {
    let (mut line, _receivers) = waiting_line(1, &joiner());
    let batch = batch::choose(&mut line, 1, 200, Sharing::Rows).unwrap();
    assert_eq!(batch.shape, Shape::Rows((0..6).map(|step| (0, step)).collect()));
    assert!(batch.sharing);
}

#[test]
fn four_joiners_still_fit_in_one_composite_and_five_go_in_collections() {
    let (mut line, _receivers) = waiting_line(4, &joiner());
    let batch = batch::choose(&mut line, 9, 200, Sharing::Rows).unwrap();
    assert!(matches!(&batch.shape, Shape::Rows(places) if places.len() == 24));
    let (mut line, _receivers) = waiting_line(5, &joiner());
    let batch = batch::choose(&mut line, 9, 200, Sharing::Rows).unwrap();
    assert!(matches!(&batch.shape, Shape::Lanes(lanes) if lanes.len() == 1 && lanes[0].places.len() == 5));
    assert!(!batch.sharing, "the groups come in the next call");
}

/// Frozen, a permission set taken away, deactivated.
fn leaver(user: usize) -> Vec<Step> {
    let fields = [("IsActive".to_owned(), json!(false))].into_iter().collect();
    vec![
        freeze(user),
        Step::Delete { object: "PermissionSetAssignment".into(), id: id(user + 1_000) },
        Step::Update { object: "User".into(), id: id(user), fields, manner: Manner::default() },
    ]
}

fn leavers(changes: usize) -> (Line, Vec<oneshot::Receiver<Vec<StepOutcome>>>) {
    let mut line = Line::default();
    let mut receivers = Vec::new();
    for n in 0..changes {
        let (change, receiver) = Change::new(leaver(n), &ticket(0, n));
        line.put(change);
        receivers.push(receiver);
    }
    (line, receivers)
}

#[test]
fn four_leavers_are_locked_out_in_one_composite_and_a_crowd_is_looked_up_first() {
    let (mut line, _receivers) = leavers(4);
    let batch = batch::choose(&mut line, 9, 200, Sharing::Rows).unwrap();
    assert!(matches!(&batch.shape, Shape::Rows(places) if places.len() == 12));
    let (mut line, _receivers) = leavers(400);
    let batch = batch::choose(&mut line, 400, 1_000, Sharing::Rows).unwrap();
    assert!(matches!(&batch.shape, Shape::Lanes(lanes) if lanes.len() == 2 && lanes[0].places.len() == 200));
    assert_eq!(batch.shape.records(), 0, "nothing is written yet, so nothing is learnt about the org's pace");
}

#[test]
fn who_is_to_be_locked_out_is_so_by_the_first_call_whatever_there_is_to_strip() {
    let mut steps = leaver(0);
    steps.extend((0..60).map(|n| Step::Delete { object: "GroupMember".into(), id: id(2_000 + n) }));
    steps.insert(
        4,
        Step::Upsert {
            object: "Contact".into(),
            key: "GangwayId__c".into(),
            value: "a/b".into(),
            fields: Fields::new(),
            refers: References::new(),
            manner: Manner::default(),
        },
    );
    let (mut line, _receivers) = waiting_line(1, &steps);
    let batch = batch::choose(&mut line, 9, 200, Sharing::Rows).unwrap();
    assert_eq!(batch.shape, Shape::Rows((0..4).map(|step| (0, step)).collect()));
    steps.remove(4);
    let (mut line, _receivers) = waiting_line(1, &steps);
    let batch = batch::choose(&mut line, 9, 200, Sharing::Rows).unwrap();
    assert_eq!(batch.shape.steps(), 23, "25 sub-requests, two of them queries");
}

#[test]
fn a_thousand_records_go_in_one_call() {
    let (mut line, _receivers) = waiting_line(3_000, &[create("User")]);
    let batch = batch::choose(&mut line, 3_000, 1_000, Sharing::All).unwrap();
    assert!(matches!(&batch.shape, Shape::Lanes(lanes) if lanes.iter().all(|lane| lane.places.len() == 200)));
    assert_eq!(batch.shape.records(), 1_000);
    assert_eq!(line.len(), 2_000);
}

#[test]
fn one_tenants_crowd_does_not_starve_another() {
    let mut line = Line::default();
    let mut receivers = Vec::new();
    for n in 0..10_001 {
        let (change, receiver) = Change::new(vec![create("User")], &ticket(usize::from(n == 10_000), n));
        line.put(change);
        receivers.push(receiver);
    }
    let batch = batch::choose(&mut line, 200, 200, Sharing::All).unwrap();
    let late = batch.changes.iter().position(|change| change.asker().identity.as_str() == "10000");
    assert_eq!(late, Some(1), "the other tenant's turn comes second");
}

#[test]
fn whom_nobody_waits_for_is_not_sent() {
    let mut line = line_of(3, &[create("User")], 1);
    assert!(batch::choose(&mut line, 10, 200, Sharing::All).is_none());
    assert_eq!(line.len(), 0);
}

#[test]
fn conversions_share_calls_of_a_hundred_leads_whoever_asks() {
    let mut waiting = Waiting::default();
    let mut receivers = Vec::new();
    for n in 0..250 {
        let (change, receiver) = Change::new(vec![convert(id(n)), follow("Contact")], &ticket(n % 2, n));
        waiting.put(change);
        receivers.push(receiver);
    }
    let mut size = Size::default();
    size.learn(1_000, Duration::from_millis(10));
    size.learn(1_000, Duration::from_millis(10));
    size.learn(1_000, Duration::from_millis(10));
    let sizes: Vec<usize> = (0..3)
        .map(|_| {
            let batch = waiting.choose(usize::MAX, size.limit(), true).unwrap();
            assert!(matches!(batch.shape, Shape::Conversions(_)));
            batch.shape.steps()
        })
        .collect();
    assert_eq!(sizes, [100, 100, 50]);
    assert!(waiting.choose(usize::MAX, size.limit(), true).is_none());
}

#[test]
fn a_lead_that_two_changes_convert_is_in_two_calls() {
    let mut waiting = Waiting::default();
    let mut receivers = Vec::new();
    for n in 0..3 {
        let (change, receiver) = Change::new(vec![convert(id(n / 2))], &ticket(0, n));
        waiting.put(change);
        receivers.push(receiver);
    }
    let sizes: Vec<usize> =
        (0..2).map(|_| waiting.choose(9, Size::default().limit(), true).unwrap().shape.steps()).collect();
    assert_eq!(sizes, [1, 2]);
}

fn titled(title: &str) -> Step {
    let fields = [("Title".to_owned(), json!(title))].into_iter().collect();
    Step::Create { object: "User".into(), fields, refers: References::new(), manner: Manner::default() }
}

/// Two tenants take turns, and one step of the second must go alone.
#[test]
fn who_does_not_fit_is_the_first_of_the_next_call() {
    let mut line = Line::default();
    let mut receivers = Vec::new();
    for n in 0..20 {
        let title = if n == 1 { "@{c0s0.id}" } else { "Captain" };
        let (change, receiver) = Change::new(vec![titled(title)], &ticket(n % 2, n));
        line.put(change);
        receivers.push(receiver);
    }
    let identities = |batch: Batch| -> Vec<String> {
        batch.changes.iter().map(|change| change.asker().identity.as_str().to_owned()).collect()
    };
    assert_eq!(identities(batch::choose(&mut line, 20, 200, Sharing::All).unwrap()), ["0"]);
    assert_eq!(identities(batch::choose(&mut line, 20, 200, Sharing::All).unwrap()), ["1"]);
    assert_eq!(identities(batch::choose(&mut line, 20, 200, Sharing::All).unwrap()).len(), 18);
}

#[test]
fn lines_take_turns_and_who_goes_alone_ends_no_call_of_others() {
    let mut waiting = Waiting::default();
    let mut receivers = Vec::new();
    for n in 0..300 {
        let step = match n % 3 {
            0 => create("GroupMember"),
            1 => titled("@{c0s0.id}"),
            _ => create("User"),
        };
        let (change, receiver) = Change::new(vec![step], &ticket(n % 2, n));
        waiting.put(change);
        receivers.push(receiver);
    }
    let sizes: Vec<usize> = (0..6)
        .map(|_| waiting.choose(usize::MAX, Size::default().limit(), true).unwrap().changes.len())
        .collect();
    assert_eq!(sizes, [50, 1, 50, 50, 1, 50]);
}

/// Joiners in line, by number; where they are told is the caller's to keep.
fn join(
    state: &mut State,
    numbers: std::ops::Range<usize>,
    is_awaited: bool,
) -> Vec<oneshot::Receiver<Vec<StepOutcome>>> {
    let put = |n| {
        let ticket = ticket(0, n);
        if !is_awaited {
            ticket.nobody_waits();
        }
        let (change, receiver) = Change::new(vec![create("User")], &ticket);
        state.others.put(change);
        receiver
    };
    numbers.map(put).collect()
}

#[test]
fn what_nobody_waits_for_gathers_a_second_or_a_full_call() {
    let dispatcher = Dispatcher::new(4);
    let mut state = dispatcher.state();
    let start = Instant::now();
    let next = |state: &mut State, now| state.next(now).map(|(batch, _)| batch.changes.len());
    let _first = join(&mut state, 0..1, false);
    assert_eq!(next(&mut state, start), Some(1), "nothing has left before: at once");
    let _gathering = join(&mut state, 1..20, false);
    let soon = start + GATHER_FOR / 2;
    assert_eq!(next(&mut state, soon), None);
    assert_eq!(state.look_again(soon), Some(GATHER_FOR / 2));
    assert_eq!(state.look_again(soon), None, "somebody looks already");
    assert_eq!(next(&mut state, start + GATHER_FOR), Some(19), "all in one call, whatever slots are free");
    let full = state.size.patient_limit();
    let _crowd = join(&mut state, 20..20 + full + 5, false);
    assert_eq!(next(&mut state, start + GATHER_FOR), Some(full), "a full call waits for nothing");
    assert_eq!(next(&mut state, start + GATHER_FOR), None);
}

#[test]
fn a_caller_who_waits_is_not_held_up_and_takes_others_along() {
    let dispatcher = Dispatcher::new(2);
    let mut state = dispatcher.state();
    let now = Instant::now();
    let _first = join(&mut state, 0..1, false);
    assert!(state.next(now).is_some());
    let _gathering = join(&mut state, 1..8, false);
    assert!(state.next(now).is_none());
    let _awaited = join(&mut state, 8..9, true);
    let (batch, _) = state.next(now).expect("it leaves at once");
    assert!(batch.changes.len() > 1);
}

#[test]
fn a_full_queue_turns_away_only_those_who_fill_it() {
    let mut waiting = Waiting::default();
    let mut receivers = Vec::new();
    for n in 0..MOST_WAITING {
        assert!(!waiting.is_full_for(ticket(0, n).asker()));
        let (change, receiver) = Change::new(vec![create("User")], &ticket(0, n));
        waiting.put(change);
        receivers.push(receiver);
    }
    assert!(waiting.is_full_for(ticket(0, MOST_WAITING).asker()));
    assert!(!waiting.is_full_for(ticket(1, 0).asker()));
}

#[test]
fn a_role_takes_the_sharing_lock_however_it_is_written() {
    let refers = [("UserRoleId".to_owned(), 0)].into_iter().collect();
    let fields = [("userroleid".to_owned(), json!("00E000000000001AAA"))].into_iter().collect();
    let object = || "User".to_owned();
    let by_reference =
        Step::Create { object: object(), fields: Fields::new(), refers, manner: Manner::default() };
    let by_value = Step::Update { object: object(), id: id(1), fields, manner: Manner::default() };
    for step in [by_reference, by_value] {
        let (change, _receiver) = Change::new(vec![create("Contact"), step], &ticket(0, 0));
        assert!(change.takes_sharing_lock(1));
    }
}
