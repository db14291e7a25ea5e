//! Whoever's turn it is and has to wait for memory, and who may go past it meanwhile.
//!
//! From then on what comes free is kept for it, but for what it will not need: others begin as long as all of them that
//! have begun since then fit *beside* it into all the memory there is. So it can begin when the runs that were under way
//! at that moment are over, if not before, whatever others send, and nobody has to know how long a run takes. Batch work, from
//! which a slot may be kept, has this from [`KEPT_AT_MOST`](super::KEPT_AT_MOST) on.

use tokio::time::Instant;

use super::state::{BATCH, INTERACTIVE, State};
use super::{Place, Slot};

/// So many of each priority are looked at, in turn, for one that may go past: all of them would be a look at each tenant.
const LOOKED_AT: usize = 64;

/// Whom memory is kept for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) place: Place,
    /// The number of the last grant before memory was kept for it.
    pub(super) since: u64,
    /// What those granted since then have who are under way.
    pub(super) beside: u64,
    /// Interactive runs have to fit beside it as well. Batch work has them go on for a while.
    pub(super) firm: bool,
}

impl State {
    /// Notes whom memory is kept for, now that it is the turn of `turn`.
    pub(super) fn note_head(&mut self, turn: (usize, usize), now: Instant) {
        let stands = |head: &Head| {
            let Place { tenant, lane, .. } = head.place;
            let account = &self.accounts[tenant];
            // Who is in its own way keeps nothing from others, nor who is kept from the slot itself.
            let in_its_way = !account.may_run() || account.waits_for_itself(lane, self.budget);
            self.is_next(head.place) && !in_its_way && self.kept_from(lane, now).is_none()
        };
        self.head = self.head.filter(stands);
        let firm = turn.0 == INTERACTIVE || self.batch_stops_others(now);
        self.head = match self.head {
            None if !self.fits(turn) => self.new_head(turn, firm),
            Some(head) if !head.firm && firm && turn.0 == BATCH => {
                self.new_head((head.place.lane, head.place.tenant), firm)
            }
            Some(head) if !head.firm && firm && !self.fits(turn) => self.new_head(turn, firm),
            head => head,
        };
    }

    /// Notes since when batch's turn has waited for memory: that of the head, whoever is before it in turn. If it changes
    /// meanwhile, others have overtaken all of them.
    pub(super) fn note_shortage(&mut self, now: Instant) {
        let head = self.head.map(|head| head.place).filter(|place| place.lane == BATCH && self.is_next(*place));
        let next = head.map(|place| (BATCH, place.tenant)).or_else(|| self.first(BATCH));
        let short = self.is_batch_turn() && next.is_some_and(|next| !self.fits(next));
        self.short_since = if short { self.short_since.or(Some(now)) } else { None };
    }

    /// Whether it is the next of its tenant.
    fn is_next(&self, Place { ticket, tenant, lane }: Place) -> bool {
        self.accounts[tenant].lanes[lane].waiting.front().is_some_and(|next| next.ticket == ticket)
    }

    fn new_head(&self, (lane, tenant): (usize, usize), firm: bool) -> Option<Head> {
        let ticket = self.accounts[tenant].lanes[lane].waiting.front()?.ticket;
        Some(Head { place: Place { ticket, tenant, lane }, since: self.grants, beside: 0, firm })
    }

    /// The next of a tenant in a lane begins: those of its memory that are under way are counted.
    pub(super) fn went(&mut self, place: Place, memory: u64) {
        self.head = self.head.filter(|head| head.place != place);
        if let Some(head) = &mut self.head {
            head.beside += memory;
        }
    }

    /// A run is over, or never began.
    pub(super) fn went_back(&mut self, slot: &Slot) {
        if let Some(head) = self.head.as_mut().filter(|head| slot.number > head.since) {
            head.beside = head.beside.saturating_sub(slot.memory);
        }
    }

    /// Who begins now: whoever's turn it is, else the first that fits and leaves the head its room, of so many, or the head.
    pub(super) fn beginner(&self, turn: (usize, usize), now: Instant) -> Option<(usize, usize)> {
        let lanes =
            [INTERACTIVE, BATCH].into_iter().filter(|lane| *lane == turn.0 || self.kept_from(*lane, now).is_none());
        let others = lanes.flat_map(|lane| self.in_turn(lane).take(LOOKED_AT));
        let head = self.head.map(|Head { place, .. }| (place.lane, place.tenant));
        let mut all = std::iter::once(turn).chain(others).chain(head);
        all.find(|turn| self.fits(*turn) && self.leaves_room(*turn, now))
    }

    fn leaves_room(&self, (lane, index): (usize, usize), now: Instant) -> bool {
        let Some(Head { place, beside, firm, .. }) = self.head else { return true };
        let next = |lane: usize, index: usize| self.accounts[index].lanes[lane].waiting.front();
        if (place.lane, place.tenant) == (lane, index) || lane == INTERACTIVE && !firm {
            return true;
        }
        let needed = [next(place.lane, place.tenant), next(lane, index)].into_iter().flatten();
        let all = needed.fold(beside, |all, waiter| all.saturating_add(waiter.memory));
        // Of two of one tenant the second must not put the first in its own way either.
        let account = &self.accounts[index];
        let both = index != place.tenant || account.may_run_two() && account.fit_together(self.budget);
        // Nor may batch work take the last slot that batch may have: the head would be kept out.
        let slot = (place.lane, lane) != (BATCH, BATCH) || !self.is_last_for_batch(now);
        slot && both && all <= self.budget
    }
}
