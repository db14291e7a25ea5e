//! Who gets a place in the queue when there are not enough for all.
//!
//! The places are first come first served as long as three quarters of them are not taken. Of the last quarter only those get
//! more who have less than their *part*: the length by weight among the tenants that are in the queue, at most three quarters
//! of it and at least one place. Who has nothing in the queue always gets one place, so that fair queueing sees it: the queue
//! is longer than it may be by one run of each tenant at most. Where there is one tenant in all, nothing is kept for others.
//!
//! Places are never taken back: who has more than its part then is served by its share, gets no new places, and those who
//! have less get the ones that come free.

use super::Shed;
use super::state::State;

impl State {
    /// Whether the tenant gets one more of `length` places.
    pub(super) fn admit(&self, tenant: usize, length: usize) -> Result<(), Shed> {
        let (account, waiting) = (&self.accounts[tenant], self.queued());
        let own = account.queued();
        let alone = self.accounts.len() == 1;
        // Where both bounds are reached the engine's is the one that no plan would change.
        if waiting >= length && (own > 0 || alone) {
            return Err(Shed::Full { waiting });
        }
        if let Some(waiting) = u32::try_from(own).ok().filter(|own| *own >= account.share.queued) {
            return Err(Shed::TenantFull { waiting });
        }
        if own == 0 && !alone {
            return Ok(());
        }
        let common = length - length / 4;
        if alone || waiting < common {
            return Ok(());
        }
        // Its own weight is among them: it has something in the queue.
        let by_weight = length as u64 * u64::from(account.share.weight) / self.weights.max(1);
        let part = usize::try_from(by_weight).unwrap_or(length).min(common).max(1);
        if own < part { Ok(()) } else { Err(Shed::PartFull { waiting: own, part }) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Place, Priority, Queue, Share, Shed, TenantIndex, Ticket, Wish};

    /// As an empty configuration has it.
    const LENGTH: usize = 1000;
    const PLAIN: Share = Share { weight: 1, running: 1_000_000, queued: 1000 };

    fn queue(shares: &[Share]) -> Arc<Queue> {
        let queue = Queue::new(LENGTH, 1 << 40, shares);
        queue.open(2);
        queue
    }

    fn join(queue: &Arc<Queue>, tenant: usize) -> Result<Ticket, Shed> {
        queue.enqueue(Wish { tenant: TenantIndex(tenant), priority: Priority::Interactive, memory: 1, patient: false })
    }

    /// As many as it can. The first two run where nobody else does.
    fn flood(queue: &Arc<Queue>, tenant: usize) -> (Vec<Ticket>, Shed) {
        let mut tickets = Vec::new();
        loop {
            match join(queue, tenant) {
                Ok(ticket) => tickets.push(ticket),
                Err(shed) => return (tickets, shed),
            }
            assert!(tickets.len() < 2 * LENGTH, "no bound at all");
        }
    }

    #[test]
    fn nobody_fills_the_queue_for_others() {
        let queue = queue(&[PLAIN; 3]);
        let (mut a, refused) = flood(&queue, 0);
        assert_eq!((a.len(), refused), (752, Shed::PartFull { waiting: 750, part: 750 }));
        let slots: Vec<_> = a.drain(..2).map(|mut ticket| ticket.granted.try_recv().unwrap()).collect();
        let mut b = join(&queue, 1).unwrap();
        assert_eq!(b.position(), 0);
        // Within one step of each slot.
        drop(slots);
        assert!(b.granted.try_recv().is_ok());
        // All places are taken, and a third has its first all the same.
        let (_b, refused) = flood(&queue, 1);
        assert!(matches!(refused, Shed::Full { .. }), "{refused:?}");
        let first = join(&queue, 2).unwrap();
        assert_eq!(first.position(), 0);
        assert!(matches!(join(&queue, 2).err(), Some(Shed::Full { .. })), "one, and no more");
    }

    #[test]
    fn what_comes_free_goes_to_those_below_their_part() {
        let queue = queue(&[PLAIN, Share { weight: 3, ..PLAIN }]);
        let (mut a, _) = flood(&queue, 0);
        let slots: Vec<_> = a.drain(..2).map(|mut ticket| ticket.granted.try_recv().unwrap()).collect();
        let (mut b, refused) = flood(&queue, 1);
        assert_eq!((b.len(), refused), (250, Shed::Full { waiting: LENGTH }));
        for left in 0..400 {
            drop(a.pop());
            assert_eq!(join(&queue, 0).err(), Some(Shed::PartFull { waiting: 749 - left, part: 250 }));
            b.push(join(&queue, 1).unwrap());
        }
        drop(slots);
    }

    #[test]
    fn where_there_is_one_tenant_all_places_are_its_own() {
        let queue = queue(&[Share { queued: 5000, ..PLAIN }]);
        let (_a, refused) = flood(&queue, 0);
        assert_eq!(refused, Shed::Full { waiting: LENGTH });
    }

    #[test]
    fn a_short_queue_has_a_place_for_each() {
        let queue = Queue::new(1, 1 << 40, &[PLAIN; 2]);
        queue.open(1);
        let (_a, refused) = flood(&queue, 0);
        assert_eq!(refused, Shed::Full { waiting: 1 });
        let b = join(&queue, 1).unwrap();
        assert_ne!(b.place(), Place::default());
    }
}
