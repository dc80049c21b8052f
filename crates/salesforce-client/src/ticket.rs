use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, Ordering},
};

use model::{ClientName, ResourceId, TenantId};

const WAITING: u8 = 0;
const SENT: u8 = 1;
const WITHDRAWN: u8 = 2;
const COMMITTED: u8 = 3;

/// On whose behalf something is asked of an org: whose turn it is, and whose account it goes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asker {
    /// The customer's environment.
    pub tenant: TenantId,
    /// The identity tool, feed or command.
    pub client: ClientName,
    /// The person it is about.
    pub identity: ResourceId,
}

/// Who may still take a change back.
///
/// The caller's deadline and the sender race for it, and exactly one wins: either the steps go
/// out and the caller must wait for what became of them, or the change is withdrawn and nothing
/// ever leaves. Clones are the same ticket.
#[derive(Clone, Debug)]
pub struct Ticket(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    asker: Asker,
    state: AtomicU8,
    takes_access_away: AtomicBool,
    is_awaited: AtomicBool,
}

impl Ticket {
    /// A ticket that waits. A change that takes access away (a deactivation, say) has a slot of
    /// its own and passes the reserve of API calls.
    #[must_use]
    pub fn new(asker: Asker, takes_access_away: bool) -> Self {
        Self(Arc::new(Shared {
            asker,
            state: AtomicU8::new(WAITING),
            takes_access_away: AtomicBool::new(takes_access_away),
            is_awaited: AtomicBool::new(true),
        }))
    }

    /// On whose behalf.
    #[must_use]
    pub fn asker(&self) -> &Asker {
        &self.0.asker
    }

    /// Notes that the change takes access away, where only its plan could tell. Before its steps are sent: what waits for
    /// a call already keeps its place.
    pub fn take_access_away(&self) {
        self.0.takes_access_away.store(true, Ordering::Release);
    }

    /// Whether the change takes access away.
    #[must_use]
    pub fn takes_access_away(&self) -> bool {
        self.0.takes_access_away.load(Ordering::Acquire)
    }

    /// Notes that nobody waits for the change to land: its caller has an answer already. It may gather others around it, and
    /// has its place where callers wait beside it. Before its steps are sent, as above.
    pub fn nobody_waits(&self) {
        self.0.is_awaited.store(false, Ordering::Release);
    }

    /// Whether somebody waits for the change to land.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.0.is_awaited.load(Ordering::Acquire)
    }

    /// The sender's move: from now on the change may have an effect. `false` means that it was
    /// withdrawn before, and nothing may be sent.
    #[must_use]
    pub fn send(&self) -> bool {
        self.change(WAITING, SENT) || self.state() == COMMITTED
    }

    /// The caller's move: nothing shall be sent any more. `false` means that it is under way
    /// already, and its outcome must be waited for.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        self.change(WAITING, WITHDRAWN)
    }

    /// Waits again after a try that certainly had no effect, so that the caller may withdraw
    /// during the pause before the next one. Nothing happens to a withdrawn or committed ticket.
    pub fn rearm(&self) {
        self.change(SENT, WAITING);
    }

    /// Something may have had an effect, now or later: a request whose connection was cut can still be
    /// carried out after it was looked for in vain. From now on there is no way back.
    pub fn commit(&self) {
        let forward = |state| (state != WITHDRAWN).then_some(COMMITTED);
        let _ = self.0.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, forward);
    }

    /// Whether something may be under way, or have had an effect.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        matches!(self.state(), SENT | COMMITTED)
    }

    /// Whether the caller has taken the change back.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        self.state() == WITHDRAWN
    }

    fn state(&self) -> u8 {
        self.0.state.load(Ordering::Acquire)
    }

    /// Moves to a state; already being there is as good.
    fn change(&self, from: u8, to: u8) -> bool {
        match self.0.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(found) => found == to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_ticket(takes_access_away: bool) -> Ticket {
        let asker = Asker {
            tenant: TenantId::new("acme", "prod").unwrap(),
            client: ClientName::new("hr").unwrap(),
            identity: ResourceId::from_text("1"),
        };
        Ticket::new(asker, takes_access_away)
    }

    #[test]
    fn whoever_moves_first_wins() {
        let ticket = a_ticket(false);
        assert!(ticket.send());
        assert!(!ticket.withdraw());
        assert!(ticket.is_sent());

        let ticket = a_ticket(true);
        assert!(ticket.clone().withdraw());
        assert!(ticket.is_withdrawn());
        assert!(!ticket.send());
        assert!(!ticket.is_sent());
    }

    #[test]
    fn after_a_try_without_effect_it_can_be_withdrawn_again() {
        let ticket = a_ticket(false);
        assert!(ticket.send());
        ticket.rearm();
        assert!(!ticket.is_sent());
        assert!(ticket.withdraw());
        ticket.rearm();
        assert!(!ticket.send(), "a withdrawn ticket stays withdrawn");
    }

    #[test]
    fn what_may_have_had_an_effect_cannot_be_taken_back() {
        let ticket = a_ticket(false);
        assert!(ticket.send());
        ticket.commit();
        ticket.rearm();
        assert!(ticket.is_sent());
        assert!(!ticket.withdraw());
        assert!(ticket.send(), "it may be sent again");

        let ticket = a_ticket(false);
        assert!(ticket.withdraw());
        ticket.commit();
        assert!(!ticket.send(), "a withdrawn ticket stays withdrawn");
    }

    #[test]
    fn of_two_threads_exactly_one_wins() {
        for _ in 0..200 {
            let ticket = a_ticket(false);
            let sender = ticket.clone();
            let sent = std::thread::spawn(move || sender.send());
            let withdrawn = ticket.withdraw();
            assert_ne!(sent.join().unwrap(), withdrawn);
        }
    }
}
