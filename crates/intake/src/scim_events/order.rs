//! What is out of date: by the version after it where both are known, else by when it happened.
//!
//! | clock | what it tells |
//! |---|---|
//! | of the person | the newest event that was applied; it is kept by the pipeline |
//! | of `active` | the newest event that said whether he is active. `prov:activate` and `prov:deactivate` say nothing else, and no newer change of something else stands against them |
//! | of the feed | when he left it. That is no deletion, which may still come |

use model::{SourceName, TenantId, Timestamp};
use store::{Inbox, StoreError, SubjectClock};

use super::{Happening, taken};
use crate::Event;

/// How an event stands to what was applied before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Current,
    /// It is newer, and something before it is missing.
    Gap,
    /// Something newer was applied.
    Late,
    /// It means nothing any more. Why, in a word.
    Over(&'static str),
}

/// What the events of a person have come to.
#[derive(Debug, Default)]
pub(super) struct Known {
    person: Option<SubjectClock>,
    active: Option<SubjectClock>,
    feed: Option<SubjectClock>,
}

impl Known {
    /// What is known of the person whom the publisher calls so.
    pub(super) async fn of(
        inbox: &dyn Inbox,
        (tenant, source): (&TenantId, &SourceName),
        id: &str,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            person: inbox.subject(tenant, source, id).await?.filter(|known| !is_deleted(known)),
            active: inbox.subject(tenant, source, &of_active(id)).await?.filter(|known| !is_deleted(known)),
            feed: inbox.subject(tenant, source, &of_feed(id)).await?,
        })
    }

    /// How an event stands.
    pub(super) fn standing(&self, event: &Event, happening: &Happening) -> Standing {
        if self.has_left_after(event.happened, happening) {
            return Standing::Over("stale-after-leaving");
        }
        let (person, active) = (self.person.as_ref(), self.active.as_ref());
        let is_old = |known: Option<&SubjectClock>| known.is_some_and(|known| is_older(event, known));
        match happening {
            // Who was heard of again is in the feed.
            Happening::Left if person.is_some_and(|known| event.happened < known.happened) => {
                Standing::Over("stale")
            }
            Happening::Activate | Happening::Deactivate if is_old(active) => Standing::Late,
            Happening::Put(_) | Happening::Patch(_)
                if is_old(person) || happening.says_active() && is_old(active) =>
            {
                Standing::Late
            }
            Happening::Patch(_) if has_gap(event, person) => Standing::Gap,
            _ => Standing::Current,
        }
    }

    /// Whether he left the feed since, and has not joined it again. Of one second nobody knows what came first: who says that he
    /// is in it, or is gone for good, is believed, and what merely carries values is not.
    fn has_left_after(&self, happened: Timestamp, happening: &Happening) -> bool {
        let Some(left) = self.feed.as_ref().filter(|feed| is_deleted(feed)).and_then(|feed| feed.deleted)
        else {
            return false;
        };
        match happening {
            Happening::Delete => false,
            Happening::Put(_) | Happening::Patch(_) | Happening::Changed => happened <= left,
            _ => happened < left,
        }
    }
}

impl Happening {
    /// Whether it says that somebody is active or is not.
    pub(super) fn says_active(&self) -> bool {
        match self {
            Self::Put(resource) => taken::says_active(resource),
            Self::Patch(change) => taken::changes_active(change),
            Self::Activate | Self::Deactivate | Self::Left => true,
            Self::Changed | Self::Delete | Self::Joined | Self::Asynchronous | Self::Other => false,
        }
    }

    /// What is known besides once it is applied as it stands.
    pub(super) fn clocks(&self, event: &Event, id: &str) -> Vec<SubjectClock> {
        let happened = event.happened;
        let mut clocks = Vec::new();
        if *self == Self::Delete {
            // It is forgotten with the person.
            clocks.push(clock(of_active(id), happened, Some(happened)));
        } else if self.says_active() {
            clocks.push(active_since(event, id));
        }
        match self {
            Self::Left => clocks.push(clock(of_feed(id), happened, Some(happened))),
            Self::Joined => clocks.push(clock(of_feed(id), happened, None)),
            _ => {}
        }
        clocks
    }
}

/// The event said whether somebody is active.
pub(super) fn active_since(event: &Event, id: &str) -> SubjectClock {
    clock(of_active(id), event.happened, None)
}

/// Versions are the person's: whoever is activated or deactivated mostly gets none by that.
fn clock(subject: String, happened: Timestamp, deleted: Option<Timestamp>) -> SubjectClock {
    SubjectClock { subject, happened, version: None, deleted }
}

/// No id has a space in it.
fn of_active(id: &str) -> String {
    format!("active {id}")
}

fn of_feed(id: &str) -> String {
    format!("feed {id}")
}

fn is_deleted(known: &SubjectClock) -> bool {
    known.deleted.is_some_and(|deleted| deleted >= known.happened)
}

fn is_older(event: &Event, known: &SubjectClock) -> bool {
    match event.version.zip(known.version) {
        Some((version, newest)) => version < newest,
        None => event.happened < known.happened,
    }
}

fn has_gap(event: &Event, known: Option<&SubjectClock>) -> bool {
    let versions = known.and_then(|known| event.version.zip(known.version));
    versions.is_some_and(|(version, newest)| version > newest + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::Order;

    fn event(happened: i64, version: Option<i64>) -> Event {
        Event {
            jti: "1".to_owned(),
            same_as: None,
            delivery: None,
            subject: "8d1f".to_owned(),
            kind: String::new(),
            happened: Timestamp::from_second(happened).unwrap(),
            version,
            order: Order::Notice,
            body: Value::Null,
        }
    }

    fn at(happened: i64, version: Option<i64>) -> SubjectClock {
        let happened = Timestamp::from_second(happened).unwrap();
        SubjectClock { subject: String::new(), happened, version, deleted: None }
    }

    fn change(path: &str) -> Happening {
        let change = json!({"Operations": [{"op": "replace", "path": path, "value": false}]});
        Happening::Patch(change.as_object().unwrap().clone())
    }

    #[test]
    fn who_is_deactivated_is_so_whatever_else_has_changed_since() {
        let known = Known { person: Some(at(50, None)), active: Some(at(10, None)), feed: None };
        let standing = |happened, happening: &Happening| known.standing(&event(happened, None), happening);
        assert_eq!(standing(40, &Happening::Deactivate), Standing::Current);
        assert_eq!(standing(9, &Happening::Deactivate), Standing::Late);
        assert_eq!(standing(40, &change("title")), Standing::Late);
        assert_eq!(standing(50, &change("title")), Standing::Current);
        assert_eq!(standing(40, &Happening::Changed), Standing::Current, "it is fetched anyway");
    }

    #[test]
    fn versions_decide_where_both_are_known() {
        let known = Known { person: Some(at(50, Some(4))), active: Some(at(60, None)), feed: None };
        let standing =
            |happened, version, path| known.standing(&event(happened, Some(version)), &change(path));
        assert_eq!(standing(40, 5, "title"), Standing::Current);
        assert_eq!(standing(99, 3, "title"), Standing::Late);
        assert_eq!(standing(40, 6, "title"), Standing::Gap);
        // He was deactivated by an event that has no version.
        assert_eq!(standing(55, 5, "active"), Standing::Late);
    }

    #[test]
    fn who_has_left_the_feed_can_be_deleted_and_join_again_in_the_same_second() {
        let feed = at(10, None);
        let feed = SubjectClock { deleted: Some(feed.happened), ..feed };
        let known = Known { feed: Some(feed), ..Known::default() };
        let is_over = |happened, happening: Happening| {
            known.standing(&event(happened, None), &happening) != Standing::Current
        };
        assert!(!is_over(10, Happening::Delete));
        assert!(!is_over(9, Happening::Delete));
        assert!(!is_over(10, Happening::Joined));
        assert!(!is_over(10, Happening::Activate));
        assert!(is_over(9, Happening::Activate));
        assert!(is_over(10, Happening::Put(Map::new())));
        assert!(!is_over(11, Happening::Put(Map::new())));
        // And has joined it again.
        let feed = known.feed.clone().map(|feed| SubjectClock { happened: event(11, None).happened, ..feed });
        let known = Known { feed, ..Known::default() };
        assert_eq!(known.standing(&event(11, None), &Happening::Put(Map::new())), Standing::Current);
    }
}
