//! Whose turn it is: the tenants that wait, ordered by what they have had.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::account::{Account, Price, Virtual, Waiter, insert, remove};
use super::head::Head;
use super::{INTERACTIVE_IN_A_ROW, KEPT_AT_MOST, KEPT_FOR, Place, Share, Slot};

pub(super) const INTERACTIVE: usize = 0;
pub(super) const BATCH: usize = 1;

/// The tenants that wait in one lane and may run one more.
#[derive(Default)]
struct Ready {
    /// By where they stand and when they were served last.
    turns: BTreeSet<(Virtual, u64, usize)>,
    /// By what they have used up.
    spent: BTreeSet<(Virtual, usize)>,
}

/// What all tenants of a lane have in common.
#[derive(Default)]
pub(super) struct Course {
    ready: Ready,
    /// How many wait, and how many hold their place.
    pub(super) waiting: usize,
    pub(super) held: usize,
    pub(super) running: usize,
    /// The most that anybody had used up when a run of it was granted.
    clock: Virtual,
    /// The number of the last grant here, and what its tenant had used up.
    last: (u64, Virtual),
}

pub(super) struct State {
    pub(super) open: bool,
    pub(super) draining: bool,
    pub(super) slots: usize,
    pub(super) running: usize,
    /// What running sandboxes may have, and what all may have together.
    pub(super) memory: u64,
    pub(super) budget: u64,
    pub(super) accounts: Vec<Account>,
    pub(super) courses: [Course; 2],
    /// Of all tenants that have something in the queue, together.
    pub(super) weights: u64,
    /// The tenants that have something here, in the queue or under way.
    pub(super) busy: BTreeSet<usize>,
    interactive_in_a_row: u32,
    pub(super) tickets: u64,
    /// How many slots were granted so far.
    pub(super) grants: u64,
    /// Whose ticket was granted last.
    #[cfg(test)]
    pub(super) granted: u64,
    /// Moving average of how long a slot is held.
    pub(super) usual: Duration,
    /// When somebody interactive came last.
    pub(super) interactive: Option<Instant>,
    /// Since when batch runs have waited without one being granted.
    pub(super) batch_since: Option<Instant>,
    /// Since when it has been batch's turn, and memory is missing.
    pub(super) short_since: Option<Instant>,
    /// A batch run may wait for a slot that is free and kept, from it or for another one, until then.
    pub(super) kept: Option<Instant>,
    /// Whose turn it was when there was not enough memory for it.
    pub(super) head: Option<Head>,
}

impl State {
    pub(super) fn new(budget: u64, shares: &[Share]) -> Self {
        State {
            open: false,
            draining: false,
            slots: 0,
            running: 0,
            memory: 0,
            budget,
            accounts: shares.iter().copied().map(Account::new).collect(),
            courses: <[Course; 2]>::default(),
            weights: 0,
            busy: BTreeSet::new(),
            interactive_in_a_row: 0,
            tickets: 0,
            grants: 0,
            #[cfg(test)]
            granted: 0,
            usual: Duration::from_millis(100),
            interactive: None,
            batch_since: None,
            short_since: None,
            kept: None,
            head: None,
        }
    }

    /// How many are in the queue.
    pub(super) fn queued(&self) -> usize {
        self.courses.iter().map(|course| course.waiting + course.held).sum()
    }

    /// What runs cost, by the slots that there are now.
    pub(super) fn price(&self) -> Price {
        Price { budget: self.budget, slots: self.slots }
    }

    /// Changes an account; the orders that it stands in follow.
    fn change<T>(&mut self, index: usize, now: Instant, change: impl FnOnce(&mut Account, [Virtual; 2]) -> T) -> T {
        self.list(index, false);
        // What newcomers begin with, so that who was away has not saved up turns.
        let floors = [self.floor(INTERACTIVE), self.floor(BATCH)];
        let account = &mut self.accounts[index];
        let changed = change(account, floors);
        let busy = account.is_busy();
        self.list(index, true);
        let turned = if busy { self.busy.insert(index) } else { self.busy.remove(&index) };
        self.note(index, now);
        // Another one may be alone from now on, or be so no more.
        if turned && self.busy.len() <= 2 {
            let others = self.busy.iter().copied().filter(|other| *other != index);
            others.collect::<Vec<_>>().into_iter().for_each(|other| self.note(other, now));
        }
        changed
    }

    /// Notes whether and how the runs of a tenant are in the way of its next.
    fn note(&mut self, index: usize, now: Instant) {
        let (all, alone) = (self.price(), self.is_alone(index));
        self.accounts[index].note(all, alone, now);
    }

    /// Whether nobody else has anything here.
    pub(super) fn is_alone(&self, index: usize) -> bool {
        self.busy.len() == usize::from(self.busy.contains(&index))
    }

    /// Opens it with so many slots.
    pub(super) fn open(&mut self, slots: usize, now: Instant) {
        (self.open, self.slots) = (true, slots);
        // Whether a plan allows fewer than that is another matter then.
        self.busy.clone().into_iter().for_each(|index| self.note(index, now));
    }

    /// Puts an account in the orders that it belongs to, or takes it out.
    fn list(&mut self, index: usize, belongs: bool) {
        let account = &self.accounts[index];
        let weight = u64::from(account.share.weight);
        match (account.queued() == 0, belongs) {
            (true, _) => {}
            (false, true) => self.weights += weight,
            (false, false) => self.weights -= weight,
        }
        if !account.may_run() {
            return;
        }
        for (lane, course) in account.lanes.iter().zip(&mut self.courses) {
            let Ready { turns, spent } = &mut course.ready;
            let (turn, used) = ((lane.standing(), lane.last, index), (lane.spent, index));
            match (lane.waiting.is_empty(), belongs) {
                (true, _) => {}
                (false, true) => drop((turns.insert(turn), spent.insert(used))),
                (false, false) => drop((turns.remove(&turn), spent.remove(&used))),
            }
        }
    }

    /// The least that anybody who waits has used up; where nobody does, what those have who were served.
    fn floor(&self, lane: usize) -> Virtual {
        let course = &self.courses[lane];
        course.ready.spent.first().map_or(course.clock, |(spent, _)| *spent)
    }

    /// Sets what a tenant may have, one that there is or the next.
    pub(super) fn share(&mut self, index: usize, share: Share, now: Instant) {
        if index >= self.accounts.len() {
            return self.accounts.push(Account::new(share));
        }
        let (last, grants) = (self.last(), self.grants);
        self.change(index, now, |account, _| {
            account.closed = false;
            account.share = share;
            // Fewer than it has under way: what others get meanwhile is not owed to it either.
            account.cap(grants);
            account.uncap(last);
        });
    }

    /// Closes an account, with all who wait or hold a place there; what is under way goes on, and is paid for. `None`: it was
    /// closed before.
    pub(super) fn close(&mut self, index: usize, now: Instant) -> Option<Vec<Waiter>> {
        if index >= self.accounts.len() {
            self.accounts.push(Account::new(Share::NOTHING));
        }
        if self.accounts[index].closed {
            return None;
        }
        let gone = self.change(index, now, |account, _| {
            account.closed = true;
            account.lanes.each_mut().map(|lane| (std::mem::take(&mut lane.waiting), std::mem::take(&mut lane.held)))
        });
        for (course, (waiting, held)) in self.courses.iter_mut().zip(&gone) {
            course.waiting -= waiting.len();
            course.held -= held.len();
        }
        Some(gone.into_iter().flat_map(|(waiting, held)| waiting.into_iter().chain(held)).collect())
    }

    /// Somebody waits in the queue from now on, or holds its place. On an account that is closed it does neither.
    pub(super) fn place(&mut self, (tenant, lane): (usize, usize), waiter: Waiter, held: bool, now: Instant) {
        if self.accounts[tenant].closed {
            return;
        }
        if held {
            self.courses[lane].held += 1;
            return self.change(tenant, now, |account, _| insert(&mut account.lanes[lane].held, waiter));
        }
        self.courses[lane].waiting += 1;
        if lane == BATCH && self.courses[BATCH].waiting == 1 {
            self.batch_since = Some(now);
        }
        self.change(tenant, now, |account, floors| {
            let own = &mut account.lanes[lane];
            let waiter = Waiter { own_at: own.own(now), ..waiter };
            if own.waiting.is_empty() {
                own.spent = own.spent.max(floors[lane]);
            }
            insert(&mut own.waiting, waiter);
        });
    }

    /// Somebody who held its place waits from now on, for so much memory.
    pub(super) fn release(&mut self, Place { ticket, tenant, lane }: Place, memory: u64, now: Instant) {
        if let Some(waiter) = self.change(tenant, now, |account, _| remove(&mut account.lanes[lane].held, ticket)) {
            self.courses[lane].held -= 1;
            self.place((tenant, lane), Waiter { memory, ..waiter }, false, now);
        }
    }

    /// Somebody who has no slot yet leaves the queue.
    pub(super) fn remove(&mut self, Place { ticket, tenant, lane }: Place, now: Instant) {
        let left = self.change(tenant, now, |account, _| {
            let own = &mut account.lanes[lane];
            (remove(&mut own.waiting, ticket).is_some(), remove(&mut own.held, ticket).is_some())
        });
        let course = &mut self.courses[lane];
        course.waiting -= usize::from(left.0);
        course.held -= usize::from(left.1);
    }

    /// The time that a batch run has to wait for which `others` go before, if a slot is kept from it. [See above](super).
    fn keep(&self, others: usize) -> Option<Instant> {
        let keeps = !self.draining && self.courses[BATCH].running + others + 1 >= self.slots;
        let until = self.interactive.filter(|_| keeps)? + KEPT_FOR;
        match self.batch_since {
            _ if self.slots > 1 => Some(until),
            _ if self.interactive_in_a_row >= INTERACTIVE_IN_A_ROW => None,
            Some(since) => Some(until.min(since + KEPT_AT_MOST)),
            None => Some(until),
        }
    }

    /// Until when the slot that there is is kept from a lane, if it is.
    pub(super) fn kept_from(&self, lane: usize, now: Instant) -> Option<Instant> {
        self.keep(0).filter(|until| lane == BATCH && now < *until)
    }

    /// Until when it is kept from the second of two batch runs that begin, if it is.
    fn kept_from_second(&self, now: Instant) -> Option<Instant> {
        self.keep(1).filter(|until| now < *until)
    }

    /// Whether there is no slot for the second of two batch runs that begin: it is kept from it, or was again and again while
    /// batch waits for so long.
    pub(super) fn is_last_for_batch(&self, now: Instant) -> bool {
        let again = |(came, since): (Instant, Instant)| came > since && now >= since + KEPT_AT_MOST;
        let last = !self.draining && self.courses[BATCH].running + 2 >= self.slots;
        self.kept_from_second(now).is_some() || last && self.interactive.zip(self.batch_since).is_some_and(again)
    }

    /// Whether there is a slot to be had.
    fn has_slot(&self) -> bool {
        self.open && self.running < self.slots
    }

    /// The lane and the tenant whose turn it is.
    fn turn(&self, now: Instant) -> Option<(usize, usize)> {
        if !self.has_slot() {
            return None;
        }
        let (interactive, batch) = (self.first(INTERACTIVE), self.first(BATCH));
        let batch = batch.filter(|_| self.kept_from(BATCH, now).is_none());
        if !self.is_batch_turn() {
            return interactive.or(batch);
        }
        // A batch run that waits for memory does not stop those who need less, but for so long; its turn it keeps.
        let stops = self.batch_stops_others(now);
        let goes = |turn: &(usize, usize)| stops || self.fits(*turn);
        batch.filter(goes).or(interactive).or(batch)
    }

    /// Whether it is batch's turn, and has been for so long that interactive work goes on no more without leaving it room.
    pub(super) fn batch_stops_others(&self, now: Instant) -> bool {
        self.short_since.is_some_and(|since| now.saturating_duration_since(since) >= KEPT_AT_MOST)
    }

    /// Those whose turn may come in a lane, in order. Who is in its own way is passed over.
    pub(super) fn in_turn(&self, lane: usize) -> impl Iterator<Item = (usize, usize)> {
        let turns = self.courses[lane].ready.turns.iter().map(|(.., index)| *index);
        turns
            .filter(move |index| !self.accounts[*index].waits_for_itself(lane, self.budget))
            .map(move |index| (lane, index))
    }

    /// Whose turn it is in a lane.
    pub(super) fn first(&self, lane: usize) -> Option<(usize, usize)> {
        self.in_turn(lane).next()
    }

    /// What is granted to this one now those before it who are in their own way could not have taken, so it is not owed to
    /// them. To who waits for memory it is.
    fn pass_over(&mut self, (lane, index): (usize, usize), now: Instant) {
        let spent = self.accounts[index].lanes[lane].spent;
        let before =
            self.courses[lane].ready.turns.iter().map(|(.., other)| *other).take_while(|other| *other != index);
        let passed = before.filter(|other| self.accounts[*other].waits_for_itself(lane, self.budget));
        for other in passed.collect::<Vec<_>>() {
            self.change(other, now, |account, _| {
                let own = &mut account.lanes[lane];
                own.spent = own.spent.max(spent);
            });
        }
    }

    pub(super) fn is_batch_turn(&self) -> bool {
        self.interactive_in_a_row >= INTERACTIVE_IN_A_ROW
    }

    /// Whether the next run of a tenant in a lane has room in the memory that is free.
    pub(super) fn fits(&self, (lane, index): (usize, usize)) -> bool {
        let free = self.budget.saturating_sub(self.memory);
        self.accounts[index].lanes[lane].waiting.front().is_some_and(|next| next.memory <= free)
    }

    /// Whether one who comes now would have the next slot: there is one, and nobody waits for it.
    pub(super) fn idle(&self, lane: usize, now: Instant) -> bool {
        self.has_slot() && self.turn(now).is_none() && self.kept_from(lane, now).is_none()
    }

    /// Grants one slot, if there is one and somebody may go. [See above](super).
    pub(super) fn grant(&mut self, now: Instant) -> Option<(Place, Virtual, Waiter)> {
        self.note_shortage(now);
        // When that is over it is looked at again.
        let waits = self.has_slot() && self.first(BATCH).is_some();
        self.kept = if waits { self.kept_from_second(now) } else { None };
        let turn = self.turn(now)?;
        self.note_head(turn, now);
        let (lane, index) = self.beginner(turn, now)?;
        // Whom it goes past, in its lane.
        let past = self.first(lane).filter(|first| *first != (lane, index));
        let past = past.map(|(lane, first)| self.accounts[first].lanes[lane].spent);
        self.pass_over((lane, index), now);
        self.grants += 1;
        let (grants, usual, price) = (self.grants, self.usual, self.price());
        let (waiter, spent, pledge) = self.change(index, now, |account, _| {
            let weight = account.share.weight;
            let own = &mut account.lanes[lane];
            let pledge = own.expected(usual, price, weight);
            let waiter = own.waiting.pop_front()?;
            own.pledged += pledge;
            (own.last, own.debt) = (grants, 0);
            let spent = own.spent;
            account.running += 1;
            account.memory += waiter.memory;
            if lane == BATCH {
                account.overtook = 0;
            } else if !account.fits_itself(BATCH, price.budget) {
                account.overtook += 1;
            }
            account.cap(grants);
            Some((waiter, spent, pledge))
        })?;
        let place = Place { ticket: waiter.ticket, tenant: index, lane };
        self.went(place, waiter.memory);
        // Who goes past others is ahead of them; who comes shall not be.
        let spent = past.map_or(spent, |past| past.min(spent));
        let course = &mut self.courses[lane];
        course.clock = course.clock.max(spent);
        course.last = (grants, spent);
        course.waiting -= 1;
        course.running += 1;
        self.running += 1;
        self.memory += waiter.memory;
        #[cfg(test)]
        {
            self.granted = waiter.ticket;
        }
        let batch_waits = self.courses[BATCH].waiting > 0;
        // A batch run that goes past another takes not its turn.
        if lane == BATCH && past.is_none() {
            self.batch_since = batch_waits.then_some(now);
        }
        self.interactive_in_a_row = match lane {
            INTERACTIVE if batch_waits => self.interactive_in_a_row.saturating_add(1),
            BATCH if past.is_some() => self.interactive_in_a_row,
            _ => 0,
        };
        let own = waiter.own(self.accounts[index].lanes[lane].own(now));
        Some((place, pledge, Waiter { own, ..waiter }))
    }

    /// A slot is free again. `used`: its run is over, and took so long; `None`: it was never used, and costs nothing.
    pub(super) fn free(&mut self, slot: &Slot, used: Option<Duration>, now: Instant) {
        let (last, price) = (self.last(), self.price());
        let Slot { place: Place { tenant, lane, .. }, memory, pledge, .. } = *slot;
        self.went_back(slot);
        self.running -= 1;
        self.memory -= memory;
        self.courses[lane].running -= 1;
        self.change(tenant, now, |account, _| {
            account.running -= 1;
            account.memory -= memory;
            let pledged = &mut account.lanes[lane].pledged;
            *pledged = pledged.saturating_sub(pledge);
            if let Some(used) = used {
                account.pay(lane, used, price.of(used, memory, account.share.weight));
            }
            account.uncap(last);
        });
    }

    /// The number of the last grant of each lane, and what its tenant had used up.
    fn last(&self) -> [(u64, Virtual); 2] {
        [self.courses[INTERACTIVE].last, self.courses[BATCH].last]
    }

    /// About how many start before this ticket. [See above](super::Queue::ahead).
    pub(super) fn ahead(&self, Place { ticket, tenant: index, lane }: Place) -> usize {
        let account = &self.accounts[index];
        let own = &account.lanes[lane];
        let before = own.before(ticket);
        let floor = if own.waiting.is_empty() { self.floor(lane) } else { 0 };
        let price = self.price();
        let step = own.expected(self.usual, price, account.share.weight);
        let turn = own.spent.max(floor) + own.pledged + step.saturating_mul(before as u128);
        // Each goes as often as brings it past our turn, if it has so many.
        let of_other = |&(standing, _, other): &(Virtual, u64, usize)| {
            let account = &self.accounts[other];
            let lane = &account.lanes[lane];
            let turns = (turn - standing).div_ceil(lane.expected(self.usual, price, account.share.weight)).max(1);
            usize::try_from(turns).unwrap_or(usize::MAX).min(lane.waiting.len())
        };
        let others =
            self.courses[lane].ready.turns.range(..(turn, own.last, index)).filter(|(.., other)| *other != index);
        let in_lane = before + others.map(of_other).sum::<usize>();
        let in_a_row = INTERACTIVE_IN_A_ROW as usize;
        in_lane
            + match lane {
                INTERACTIVE => self.courses[BATCH].waiting.min(in_lane / in_a_row),
                _ => self.courses[INTERACTIVE].waiting.min(in_a_row.saturating_mul(in_lane + 1)),
            }
    }

    /// Everything that is kept twice agrees.
    #[cfg(test)]
    pub(super) fn check(&self) {
        for (lane, course) in self.courses.iter().enumerate() {
            let sum = |of: fn(&super::account::Lane) -> usize| {
                self.accounts.iter().map(|account| of(&account.lanes[lane])).sum::<usize>()
            };
            assert_eq!(course.waiting, sum(|lane| lane.waiting.len()));
            assert_eq!(course.held, sum(|lane| lane.held.len()));
            let ready = self.accounts.iter().enumerate().filter(|(_, account)| account.may_run());
            let ready = ready.map(|(index, account)| (index, &account.lanes[lane]));
            let ready: Vec<_> = ready.filter(|(_, lane)| !lane.waiting.is_empty()).collect();
            let turns = ready.iter().map(|(index, lane)| (lane.standing(), lane.last, *index)).collect();
            let spent = ready.iter().map(|(index, lane)| (lane.spent, *index)).collect();
            assert_eq!((&course.ready.turns, &course.ready.spent), (&turns, &spent));
        }
        let queued = self.accounts.iter().filter(|account| account.queued() > 0);
        assert_eq!(self.weights, queued.map(|account| u64::from(account.share.weight)).sum::<u64>());
        let busy = self.accounts.iter().enumerate().filter(|(_, account)| account.is_busy()).map(|(index, _)| index);
        assert_eq!(self.busy, busy.collect());
        assert_eq!(self.memory, self.accounts.iter().map(|account| account.memory).sum::<u64>());
        let running: u32 = self.accounts.iter().map(|account| account.running).sum();
        assert_eq!(self.courses.iter().map(|course| course.running).sum::<usize>(), self.running);
        assert_eq!(usize::try_from(running).ok(), Some(self.running));
        if let Some(head) = self.head.filter(|head| head.firm) {
            let waits = self.accounts[head.place.tenant].lanes[head.place.lane].waiting.iter();
            let memory = waits.filter(|waiter| waiter.ticket == head.place.ticket).map(|waiter| waiter.memory);
            assert!(memory.sum::<u64>() + head.beside <= self.budget, "it can't begin when the others are over");
        }
        let under_way = |account: &Account| account.running > 0 || account.lanes.iter().all(|lane| lane.pledged == 0);
        assert!(self.accounts.iter().all(under_way), "a charge for a run that is over");
    }
}
