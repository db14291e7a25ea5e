//! What one tenant has in the queue, and what it has had of the slots.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{DEBT_AT_MOST, Share, Slot};

/// Slot time divided by weight: who has had the least goes first. A microsecond at weight 1 is 2^20, at the largest
/// weight about 1.
pub(super) type Virtual = u128;

/// What a run costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Price {
    /// What all sandboxes together may have, and the slots that share it.
    pub(super) budget: u64,
    pub(super) slots: usize,
}

impl Price {
    /// So long in a slot with so much memory, for somebody of this weight: the time, as often as the memory is a slot's part
    /// of the budget, and at least once. No run is for nothing.
    pub(super) fn of(self, time: Duration, memory: u64, weight: u32) -> Virtual {
        let parts = ((u128::from(memory) << 10) * self.slots as u128) / u128::from(self.budget.max(1));
        (charge(time, weight) * parts.max(1 << 10)) >> 10
    }
}

/// So much of a slot, whatever its memory.
fn charge(time: Duration, weight: u32) -> Virtual {
    (time.as_micros().max(1) << 20) / u128::from(weight.max(1))
}

/// Somebody in the queue.
pub(super) struct Waiter {
    pub(super) ticket: u64,
    pub(super) memory: u64,
    pub(super) since: Instant,
    pub(super) grant: oneshot::Sender<Slot>,
}

/// One tenant in one priority.
#[derive(Default)]
pub(super) struct Lane {
    /// In the order of their tickets, as those held are.
    pub(super) waiting: VecDeque<Waiter>,
    pub(super) held: VecDeque<Waiter>,
    /// What its runs that are over have used.
    pub(super) spent: Virtual,
    /// What those under way are expected to use.
    pub(super) pledged: Virtual,
    /// So much of what is used up was used in the other lane, since the last grant here.
    pub(super) debt: Virtual,
    /// The number of its last grant: of two that have had the same, who was served longer ago goes first.
    pub(super) last: u64,
    /// How long its runs use a slot, by those of late.
    usual: Option<Duration>,
}

impl Lane {
    /// Where it stands among those that wait.
    pub(super) fn standing(&self) -> Virtual {
        self.spent + self.pledged
    }

    /// What its next run is expected to cost; as long as nothing is known of its time, by that of all others.
    pub(super) fn expected(&self, of_all: Duration, price: Price, weight: u32) -> Virtual {
        let memory = self.waiting.front().map_or(0, |next| next.memory);
        price.of(self.usual.unwrap_or(of_all), memory, weight)
    }

    /// How many of its own came before this ticket and still wait.
    pub(super) fn before(&self, ticket: u64) -> usize {
        [&self.waiting, &self.held].map(|lane| lane.partition_point(|waiter| waiter.ticket < ticket)).iter().sum()
    }
}

/// Puts a waiter where its ticket belongs.
pub(super) fn insert(lane: &mut VecDeque<Waiter>, waiter: Waiter) {
    let at = lane.partition_point(|other| other.ticket < waiter.ticket);
    lane.insert(at, waiter);
}

/// Takes out the waiter with this ticket.
pub(super) fn remove(lane: &mut VecDeque<Waiter>, ticket: u64) -> Option<Waiter> {
    lane.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok().and_then(|at| lane.remove(at))
}

/// One tenant.
pub(super) struct Account {
    pub(super) share: Share,
    /// Nobody may call on it any more: it gets no place, and nothing of it waits.
    pub(super) closed: bool,
    pub(super) running: u32,
    pub(super) lanes: [Lane; 2],
    /// The number of the last grant before it had as many under way as it may, and since when, while it has.
    capped: Option<(u64, Instant)>,
    /// For how long that was so before.
    capped_before: Duration,
}

impl Account {
    pub(super) fn new(share: Share) -> Self {
        let lanes = <[Lane; 2]>::default();
        Account { share, closed: false, running: 0, lanes, capped: None, capped_before: Duration::ZERO }
    }

    /// How many of its runs are in the queue.
    pub(super) fn queued(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting.len() + lane.held.len()).sum()
    }

    /// A run of a lane is over, which had a slot for so long, and cost so much.
    pub(super) fn pay(&mut self, lane: usize, used: Duration, cost: Virtual) {
        let most = charge(DEBT_AT_MOST, self.share.weight);
        for (at, own) in self.lanes.iter_mut().enumerate() {
            if at == lane {
                own.spent += cost;
                own.usual = Some(own.usual.map_or(used, |usual| (usual * 3 + used) / 4));
            } else if !own.waiting.is_empty() {
                let more = cost.min(most.saturating_sub(own.debt));
                own.spent += more;
                own.debt += more;
            }
        }
    }

    /// Whether it may have one more run under way.
    pub(super) fn may_run(&self) -> bool {
        self.running < self.share.running
    }

    /// Notes it if it has as many under way as it may from now on. `last`: the number of the last grant.
    pub(super) fn cap(&mut self, last: u64, now: Instant) {
        if !self.may_run() {
            self.capped.get_or_insert((last, now));
        }
    }

    /// For how long in all it has had as many under way as it may.
    pub(super) fn capped(&self, now: Instant) -> Duration {
        self.capped_before + self.capped.map_or(Duration::ZERO, |(_, since)| now.saturating_duration_since(since))
    }

    /// Notes it if it may have one more again. What was granted meanwhile it could not have taken, so it is not owed to it. `last`: the
    /// number of the last grant of each lane, and what that tenant had used up.
    pub(super) fn uncap(&mut self, last: [(u64, Virtual); 2], now: Instant) {
        if !self.may_run() {
            return;
        }
        self.capped_before = self.capped(now);
        let Some((since, _)) = self.capped.take() else { return };
        for (lane, (number, spent)) in self.lanes.iter_mut().zip(last) {
            if number > since && !lane.waiting.is_empty() {
                lane.spent = lane.spent.max(spent);
            }
        }
    }
}
