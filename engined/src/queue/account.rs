//! What one tenant has in the queue, and what it has had of the slots.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::state::{BATCH, INTERACTIVE};
use super::{DEBT_AT_MOST, INTERACTIVE_IN_A_ROW, Share, Slot};

/// Slot time divided by weight: who has had the least goes first. A microsecond at weight 1 is 2^20, at the largest
/// weight about 1.
pub(super) type Virtual = u128;

/// What there is to share, and so what a run costs.
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
    /// For so long its tenant's own runs were in its way, before it came to the place that it has.
    pub(super) own: Duration,
    /// And for so long they had been in the way of its lane at all by then.
    pub(super) own_at: Duration,
    /// Nobody waits for its beginning.
    pub(super) patient: bool,
    pub(super) grant: oneshot::Sender<Slot>,
}

impl Waiter {
    /// For how long its tenant's own runs were in its way, where they were that in its lane for so long in all.
    pub(super) fn own(&self, of_lane: Duration) -> Duration {
        self.own + of_lane.saturating_sub(self.own_at)
    }
}

/// How a tenant's own runs under way keep its next from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// They are as many as its plan allows, and there are more slots.
    Running,
    /// The next one does not fit beside them into all the memory there is, and others have something here as well.
    Memory,
    /// They have all there is: there being more of it would help.
    All,
}

/// Since when a tenant's own runs are in the way of its next.
#[derive(Clone, Copy, Debug)]
struct Blocked {
    how: Own,
    since: Instant,
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
    blocked: Option<Blocked>,
    /// For how long that was so before, by `running` of the plan and by memory.
    blocked_before: [Duration; 2],
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

    /// For how long its tenant's own runs were in the way in all, by `running` of its plan and by memory.
    pub(super) fn blocked(&self, now: Instant) -> [Duration; 2] {
        let mut blocked = self.blocked_before;
        if let Some(Blocked { how, since }) = self.blocked {
            let time = now.saturating_duration_since(since);
            match how {
                Own::Running => blocked[0] += time,
                Own::Memory => blocked[1] += time,
                Own::All => {}
            }
        }
        blocked
    }

    /// The same, together.
    pub(super) fn own(&self, now: Instant) -> Duration {
        self.blocked(now).iter().sum()
    }

    /// Notes whether and how its tenant's own runs are in the way from now on.
    fn note(&mut self, how: Option<Own>, now: Instant) {
        if self.blocked.map(|blocked| blocked.how) != how {
            self.blocked_before = self.blocked(now);
            self.blocked = how.map(|how| Blocked { how, since: now });
        }
    }

    /// For how long the first that is not patient has waited, without the time for which its tenant's own runs were in its way.
    /// Every lane is in the order of its tickets, and few in it are patient.
    pub(super) fn longest(&self, now: Instant) -> Option<Duration> {
        let first = self.waiting.iter().find(|waiter| !waiter.patient)?;
        Some(now.saturating_duration_since(first.since).saturating_sub(first.own(self.own(now))))
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
    /// Of its runs under way.
    pub(super) memory: u64,
    pub(super) lanes: [Lane; 2],
    /// The number of the last grant before it had as many under way as it may, while it has.
    capped: Option<u64>,
    /// So many interactive runs of its own have gone before its batch run that does not fit beside them.
    pub(super) overtook: u32,
}

impl Account {
    pub(super) fn new(share: Share) -> Self {
        Account {
            share,
            closed: false,
            running: 0,
            memory: 0,
            lanes: <[Lane; 2]>::default(),
            capped: None,
            overtook: 0,
        }
    }

    /// How many of its runs are in the queue.
    pub(super) fn queued(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting.len() + lane.held.len()).sum()
    }

    /// Whether it has anything here.
    pub(super) fn is_busy(&self) -> bool {
        self.running > 0 || self.queued() > 0
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

    /// Whether it may have two more.
    pub(super) fn may_run_two(&self) -> bool {
        self.running.saturating_add(1) < self.share.running
    }

    /// Whether the next of a lane, if there is one, has room beside those of its own that are under way.
    pub(super) fn fits_itself(&self, lane: usize, budget: u64) -> bool {
        self.lanes[lane].waiting.front().is_none_or(|next| self.memory.saturating_add(next.memory) <= budget)
    }

    /// Whether the next of both lanes have room beside those of its own that are under way.
    pub(super) fn fit_together(&self, budget: u64) -> bool {
        let [one, other] = [INTERACTIVE, BATCH].map(|lane| self.lanes[lane].waiting.front().map(|next| next.memory));
        one.zip(other).is_none_or(|(one, other)| self.memory.saturating_add(one).saturating_add(other) <= budget)
    }

    /// Whether a lane waits until the next of the other, which does not fit beside those of its own that are under way, does.
    /// Without that the one could keep the other waiting for ever: batch work stops for interactive work, and the other way
    /// after some turns.
    pub(super) fn yields(&self, lane: usize, budget: u64) -> bool {
        match lane {
            // Until the batch run has begun, not until its own runs have gone: others may have the memory then.
            INTERACTIVE => self.overtook >= INTERACTIVE_IN_A_ROW && !self.fit_together(budget),
            _ => !self.fits_itself(INTERACTIVE, budget),
        }
    }

    /// Whether the next of a lane has to wait for the memory of its own tenant's runs, whoever else runs something.
    pub(super) fn waits_for_itself(&self, lane: usize, budget: u64) -> bool {
        // Who has nothing under way is in its own way by what waits alone.
        self.memory > 0 && !self.fits_itself(lane, budget) || self.yields(lane, budget)
    }

    /// Whether and how its own runs are in the way of the next of a lane. `alone`: nobody else has anything here.
    pub(super) fn in_its_way(&self, lane: usize, all: Price, alone: bool) -> Option<Own> {
        if self.lanes[lane].waiting.is_empty() || self.may_run() && !self.waits_for_itself(lane, all.budget) {
            return None;
        }
        Some(match self.may_run() {
            // A plan that allows as many as there are slots keeps nobody from one that is free.
            false if usize::try_from(self.share.running).is_ok_and(|most| most < all.slots) => Own::Running,
            true if !alone => Own::Memory,
            _ => Own::All,
        })
    }

    /// Notes in each lane what is so from now on.
    pub(super) fn note(&mut self, all: Price, alone: bool, now: Instant) {
        if self.lanes[BATCH].waiting.is_empty() {
            self.overtook = 0;
        }
        for lane in [INTERACTIVE, BATCH] {
            let how = self.in_its_way(lane, all, alone);
            self.lanes[lane].note(how, now);
        }
    }

    /// Notes it if it has as many under way as it may from now on. `last`: the number of the last grant.
    pub(super) fn cap(&mut self, last: u64) {
        if !self.may_run() {
            self.capped.get_or_insert(last);
        }
    }

    /// Notes it if it may have one more again. What was granted meanwhile it could not have taken, so it is not owed to it. `last`: the
    /// number of the last grant of each lane, and what that tenant had used up.
    pub(super) fn uncap(&mut self, last: [(u64, Virtual); 2]) {
        if !self.may_run() {
            return;
        }
        let Some(since) = self.capped.take() else { return };
        for (lane, (number, spent)) in self.lanes.iter_mut().zip(last) {
            if number > since && !lane.waiting.is_empty() {
                lane.spent = lane.spent.max(spent);
            }
        }
    }
}
