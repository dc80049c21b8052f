//! What waits for a call, and from which line the next one is taken.

use super::{
    batch::{self, Batch, Sharing},
    change::Change,
    line::Line,
};
use crate::Asker;

/// How many changes may wait for one org. At five seconds for a thousand records, more would wait for minutes: the
/// caller is told to come back.
pub(super) const MOST_WAITING: usize = 20_000;

/// Changes of one class, in four lines. Calls are taken from them in turns, so that where slots are few no line waits for
/// all of another.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Those whose next step is about groups, roles or territories: one call at a time takes from here.
    sharing: Line,
    /// Those that cannot be in a full call: their next step goes alone, or a call was spoilt by one of them. Among the
    /// others each would end a call before it is full.
    apart: Line,
    /// Those whose next step is the conversion of a lead: a call of another kind.
    converting: Line,
    together: Line,
    last: Queue,
}

/// A line of one class.
#[derive(Clone, Copy, Debug, Default)]
enum Queue {
    Sharing,
    Apart,
    Converting,
    #[default]
    Together,
}

impl Queue {
    /// In the order of their turns.
    fn after(self) -> [Self; 4] {
        match self {
            Self::Sharing => [Self::Apart, Self::Converting, Self::Together, Self::Sharing],
            Self::Apart => [Self::Converting, Self::Together, Self::Sharing, Self::Apart],
            Self::Converting => [Self::Together, Self::Sharing, Self::Apart, Self::Converting],
            Self::Together => [Self::Sharing, Self::Apart, Self::Converting, Self::Together],
        }
    }
}

impl Waiting {
    fn lines(&self) -> [&Line; 4] {
        [&self.sharing, &self.apart, &self.converting, &self.together]
    }

    fn line(&mut self, queue: Queue) -> &mut Line {
        match queue {
            Queue::Sharing => &mut self.sharing,
            Queue::Apart => &mut self.apart,
            Queue::Converting => &mut self.converting,
            Queue::Together => &mut self.together,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lines().into_iter().map(Line::len).sum()
    }

    /// Whether somebody waits for one of them to land.
    pub(super) fn is_awaited(&self) -> bool {
        self.lines().into_iter().any(Line::is_awaited)
    }

    pub(super) fn put(&mut self, change: Change) {
        let queue = if change.converts() {
            Queue::Converting
        } else if change.is_about_sharing() {
            Queue::Sharing
        } else if change.goes_alone() || change.is_suspect() {
            Queue::Apart
        } else {
            Queue::Together
        };
        self.line(queue).put(change);
    }

    /// Whether there is no room for one more. When the queue is full, only those who fill it are turned away: another
    /// client's one still finds a place.
    pub(super) fn is_full_for(&self, asker: &Asker) -> bool {
        let clients = self.lines().into_iter().map(Line::clients).max().unwrap_or_default().max(1);
        let own: usize = self.lines().into_iter().map(|line| line.of_client(asker)).sum();
        self.len() >= MOST_WAITING && own >= MOST_WAITING / clients
    }

    /// What goes in the next call: so many changes at the most, with so many records.
    pub(super) fn choose(&mut self, share: usize, limit: usize, sharing: bool) -> Option<Batch> {
        self.last.after().into_iter().find_map(|queue| {
            let waiting = self.line(queue).len();
            let (share, allowed) = match queue {
                Queue::Sharing if !sharing => return None,
                // All of them at once: no other slot may help.
                Queue::Sharing => (waiting, Sharing::All),
                Queue::Apart | Queue::Converting | Queue::Together => {
                    (share, if sharing { Sharing::Rows } else { Sharing::No })
                }
            };
            let batch = batch::choose(self.line(queue), share, limit, allowed)?;
            self.last = queue;
            Some(batch)
        })
    }
}
