//! The queue under random arrivals, ends and departures: no permit is lost, nobody is passed over for long.
use std::collections::VecDeque;

use proptest::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::oneshot::error::TryRecvError;

use super::*;

const SLOTS: usize = 3;
const MEMORY: u64 = 100;
const LENGTH: usize = 12;

#[derive(Clone, Copy, Debug)]
enum Event {
    /// Somebody joins.
    Comes(Wish),
    /// The run that has been going for the longest but so many is over.
    Ends(usize),
    /// Whoever is in this place of the queue leaves it.
    Leaves(usize),
    /// Somebody joins and holds the place.
    Holds(Wish),
    /// Whoever holds this place wants a slot with so much memory.
    Releases(usize, u64),
    /// The run that has been going for the longest but so many gives its slot back unused, to wait again or to hold.
    Back(usize, u64, bool),
    /// The sandboxes go away and come back, so many of them.
    Reopens(usize),
    /// So many seconds pass.
    Passes(u64),
    /// A tenant's plan is another. Who was closed is open again.
    Reshares(usize, Share),
    /// A tenant is removed.
    Closes(usize),
}

fn event(tenants: usize) -> impl Strategy<Value = Event> {
    let batch = any::<bool>().prop_map(|batch| if batch { Priority::Batch } else { Priority::Interactive });
    let wish = (0..tenants, batch, 1..=MEMORY);
    let wish = wish.prop_map(|(tenant, priority, memory)| Wish {
        tenant: TenantIndex(tenant),
        priority,
        memory,
        patient: false,
    });
    prop_oneof![
        5 => wish.clone().prop_map(Event::Comes),
        2 => wish.prop_map(Event::Holds),
        3 => (0..LENGTH, 1..=MEMORY).prop_map(|(at, memory)| Event::Releases(at, memory)),
        1 => (0..SLOTS, 1..=MEMORY, any::<bool>()).prop_map(|(at, memory, held)| Event::Back(at, memory, held)),
        3 => (0..SLOTS).prop_map(Event::Ends),
        1 => (0..LENGTH).prop_map(Event::Leaves),
        1 => (1..=SLOTS).prop_map(Event::Reopens),
        3 => (0..15_u64).prop_map(Event::Passes),
        1 => (0..tenants, share()).prop_map(|(tenant, share)| Event::Reshares(tenant, share)),
        1 => (0..tenants).prop_map(Event::Closes),
    ]
}

/// The queue and what we know of those in it.
struct Model {
    queue: Arc<Queue>,
    shares: Vec<Share>,
    closed: Vec<bool>,
    waiting: VecDeque<(Wish, Ticket)>,
    running: Vec<(Wish, Slot)>,
    /// How many came back, whom no bound keeps out, and how often a bound became another.
    beyond: usize,
    /// When somebody interactive came last.
    interactive: Option<Instant>,
    clock: Runtime,
}

impl Model {
    fn new(shares: &[Share], length: usize, slots: usize) -> Self {
        let queue = Queue::new(length, MEMORY, shares);
        queue.open(slots);
        let clock = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let clock = clock.unwrap_or_else(|error| panic!("{error}"));
        let (shares, waiting, running) = (shares.to_vec(), VecDeque::new(), Vec::new());
        let closed = vec![false; shares.len()];
        Model { queue, shares, closed, waiting, running, beyond: 0, interactive: None, clock }
    }

    fn pass(&self, time: Duration) {
        self.clock.block_on(tokio::time::advance(time));
    }

    fn come(&mut self, wish: Wish, held: bool) -> Result<(), Shed> {
        let ticket = if held { self.queue.hold(wish) } else { self.queue.enqueue(wish) }?;
        self.waiting.push_back((wish, ticket));
        if wish.priority == Priority::Interactive {
            self.interactive = Some(Instant::now());
        }
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Comes(wish) | Event::Holds(wish) => match self.come(wish, matches!(event, Event::Holds(_))) {
                Ok(()) => {}
                Err(Shed::Full { waiting }) => {
                    assert!(waiting >= LENGTH && self.waiting.len() >= LENGTH);
                    assert!(self.shares.len() == 1 || self.of(wish.tenant) > 0, "the first of a tenant was refused");
                }
                Err(Shed::PartFull { waiting, part }) => {
                    assert!(self.waiting.len() >= LENGTH - LENGTH / 4 && waiting >= part);
                    assert_eq!(self.of(wish.tenant), waiting);
                }
                Err(Shed::TenantFull { waiting }) => {
                    let TenantIndex(tenant) = wish.tenant;
                    assert!(waiting >= self.shares[tenant].queued);
                    assert_eq!(self.of(wish.tenant), waiting as usize);
                }
                Err(Shed::Closed) => assert!(self.is_closed(wish.tenant)),
                Err(other) => panic!("{other:?} for {wish:?}"),
            },
            Event::Ends(at) if at < self.running.len() => drop(self.running.remove(at)),
            Event::Leaves(at) => drop(self.waiting.remove(at)),
            Event::Reopens(slots) => {
                self.queue.pause();
                self.queue.open(slots.max(self.running.len()).max(1));
            }
            Event::Releases(at, memory) if at < self.waiting.len() => {
                let (wish, ticket) = &mut self.waiting[at];
                if ticket.is_held() {
                    ticket.release(memory);
                    wish.memory = memory;
                }
            }
            Event::Back(at, memory, held) if at < self.running.len() => {
                let (wish, slot) = self.running.remove(at);
                let mut ticket = slot.back(memory, held);
                if self.is_closed(wish.tenant) {
                    assert!(matches!(ticket.granted.try_recv(), Err(TryRecvError::Closed)), "it waits again");
                } else {
                    let before = self.waiting.partition_point(|(_, other)| other.place.ticket < ticket.place.ticket);
                    self.waiting.insert(before, (Wish { memory, ..wish }, ticket));
                    self.beyond += 1;
                }
            }
            Event::Passes(seconds) => {
                self.pass(Duration::from_secs(seconds));
                // As `Queue::tend` does when the time has come.
                let kept = self.queue.lock().kept;
                if kept.is_some_and(|until| until <= Instant::now()) {
                    self.queue.change(Instant::now(), |_| ());
                }
            }
            Event::Reshares(tenant, share) => {
                self.beyond += LENGTH;
                self.shares[tenant] = share;
                self.closed[tenant] = false;
                self.reshare();
            }
            Event::Closes(tenant) => {
                self.closed[tenant] = true;
                let (gone, stay) = std::mem::take(&mut self.waiting)
                    .into_iter()
                    .partition::<VecDeque<_>, _>(|(wish, _)| wish.tenant == TenantIndex(tenant));
                self.waiting = stay;
                let told = self.reshare();
                assert!(told.is_empty() && gone.is_empty() || told == [(TenantIndex(tenant), gone.len())]);
                for (wish, mut ticket) in gone {
                    let dropped = matches!(ticket.granted.try_recv(), Err(TryRecvError::Closed));
                    assert!(dropped, "{wish:?} waits for somebody who is gone");
                }
            }
            Event::Ends(_) | Event::Releases(..) | Event::Back(..) => {}
        }
        self.take_up();
    }

    fn reshare(&self) -> Vec<(TenantIndex, usize)> {
        let shares = self.shares.iter().zip(&self.closed).map(|(share, closed)| (!closed).then_some(*share));
        self.queue.reshare(&shares.collect::<Vec<_>>())
    }

    fn is_closed(&self, TenantIndex(tenant): TenantIndex) -> bool {
        self.closed[tenant]
    }

    fn of(&self, tenant: TenantIndex) -> usize {
        self.waiting.iter().filter(|(wish, _)| wish.tenant == tenant).count()
    }

    /// Those who have been granted a slot take it, in the order of arrival.
    fn take_up(&mut self) -> Vec<Wish> {
        let mut granted = Vec::new();
        let mut waiting = VecDeque::new();
        for (wish, mut ticket) in std::mem::take(&mut self.waiting) {
            match ticket.granted.try_recv() {
                Ok(slot) => {
                    // Within a tenant and a priority nobody overtakes.
                    let overtaken = |(other, ticket): &(Wish, Ticket)| {
                        !ticket.is_held() && other.tenant == wish.tenant && other.priority == wish.priority
                    };
                    assert!(!waiting.iter().any(overtaken), "{wish:?} went before an earlier one of its own");
                    self.running.push((wish, slot));
                    let slots = self.queue.gauges().slots;
                    let all_are_batch = self.batch_runs() == slots && wish.priority == Priority::Batch;
                    assert!(!(all_are_batch && slots > 1 && self.is_kept()), "{wish:?} took the slot that is kept");
                    granted.push(wish);
                }
                Err(_) => waiting.push_back((wish, ticket)),
            }
        }
        self.waiting = waiting;
        granted
    }

    fn batch_runs(&self) -> usize {
        self.running.iter().filter(|(wish, _)| wish.priority == Priority::Batch).count()
    }

    /// Whether interactive work has come of late.
    fn is_kept(&self) -> bool {
        self.interactive.is_some_and(|since| since.elapsed() < KEPT_FOR)
    }

    /// Whether a slot is kept from a batch run which so many others go before.
    fn is_kept_behind(&self, others: usize) -> bool {
        self.is_kept() && self.batch_runs() + others + 1 >= self.queue.gauges().slots
    }

    /// Whom memory is kept for, with what that and those have together who have begun since.
    fn head(&self) -> Option<(Place, Priority, u64)> {
        let head = self.queue.lock().head?;
        let since = self.running.iter().filter(|(_, slot)| slot.number > head.since);
        let beside: u64 = since.map(|(wish, _)| wish.memory).sum();
        assert_eq!(head.beside, beside);
        let waits = self.waiting.iter().find(|(_, ticket)| ticket.place == head.place);
        waits.map(|(wish, _)| (head.place, wish.priority, beside + wish.memory))
    }

    fn check(&self) {
        self.queue.lock().check();
        let gauges = self.queue.gauges();
        assert_eq!(gauges.running, self.running.len(), "each permit is somebody's");
        assert_eq!(gauges.waiting.iter().sum::<usize>(), self.waiting.len());
        let memory: u64 = self.running.iter().map(|(wish, _)| wish.memory).sum();
        assert!(gauges.memory == memory && memory <= MEMORY && gauges.running <= gauges.slots);
        assert!(self.waiting.len() <= LENGTH + self.shares.len() + self.beyond);
        for (index, share) in self.shares.iter().enumerate() {
            let running = self.running.iter().filter(|(wish, _)| wish.tenant == TenantIndex(index)).count();
            let waiting = self.of(TenantIndex(index));
            assert!(running <= share.running as usize + self.beyond && waiting <= share.queued as usize + self.beyond);
        }
        // With a slot free, each that is the next of its tenant, and would fit beside what that has under way, waits for memory
        // alone: it does not fit, or not beside the one that memory is kept for.
        let first = |wish: &Wish, of: Priority| {
            let mut wants = self.waiting.iter().filter(|(_, ticket)| !ticket.is_held()).map(|(other, _)| other);
            wants.find(|other| other.tenant == wish.tenant && other.priority == of).map(|first| first.memory)
        };
        let may_run = |wish: &Wish| {
            let TenantIndex(index) = wish.tenant;
            let own = self.running.iter().filter(|(other, _)| other.tenant == wish.tenant);
            let own: Vec<u64> = own.map(|(other, _)| other.memory).collect();
            let firsts = [Priority::Interactive, Priority::Batch].map(|of| first(wish, of));
            let room = MEMORY - own.iter().sum::<u64>();
            own.len() < self.shares[index].running as usize && firsts.into_iter().flatten().all(|first| first <= room)
        };
        let wants = self.waiting.iter().filter(|(_, ticket)| !ticket.is_held());
        let able = wants
            .filter(|(wish, _)| may_run(wish) && first(wish, wish.priority).is_some_and(|next| next == wish.memory));
        let kept = |priority, others| priority == Priority::Batch && self.is_kept_behind(others);
        // Nothing is kept for who is kept from the slot itself.
        let head = self.head().filter(|(_, priority, _)| !kept(*priority, 0));
        // One that was kept from the slot again and again has it when it is free.
        let (came, since) = (self.interactive, self.queue.lock().batch_since);
        let long = |(came, since): (Instant, Instant)| came > since && since.elapsed() >= KEPT_AT_MOST;
        let again = came.zip(since).is_some_and(long) && self.batch_runs() + 2 >= gauges.slots;
        for (wish, ticket) in able.filter(|_| gauges.running < gauges.slots) {
            let room = head.is_none_or(|(place, priority, beside)| {
                let TenantIndex(tenant) = wish.tenant;
                let last_slot =
                    priority == Priority::Batch && (kept(wish.priority, 1) || again && wish.priority == priority);
                place == ticket.place || place.tenant != tenant && beside + wish.memory <= MEMORY && !last_slot
            });
            let waits = memory + wish.memory > MEMORY || kept(wish.priority, 0) || !room;
            assert!(waits, "a free slot, room, and {wish:?} waits");
        }
        for (wish, ticket) in &self.waiting {
            assert!(ticket.position() <= self.waiting.len(), "{wish:?}: {} told", ticket.position());
        }
    }
}

fn share() -> impl Strategy<Value = Share> {
    let share = (1..=4_u32, 1..=3_u32, 1..=6_u32);
    share.prop_map(|(weight, running, queued)| Share { weight, running, queued })
}

fn shares() -> impl Strategy<Value = Vec<Share>> {
    prop::collection::vec(share(), 1..=3)
}

proptest! {
    #[test]
    fn nothing_is_lost_whoever_comes_and_goes(
        (shares, events) in shares().prop_flat_map(|shares| {
            let tenants = shares.len();
            (Just(shares), prop::collection::vec(event(tenants), 1..120))
        })
    ) {
        let mut model = Model::new(&shares, LENGTH, SLOTS);
        let clock = model.clock.handle().clone();
        let _clock = clock.enter();
        for event in events {
            model.apply(event);
            model.check();
        }
        let queue = Arc::clone(&model.queue);
        // In the end everybody who waits gets a turn.
        (0..model.waiting.len()).rev().for_each(|at| model.apply(Event::Releases(at, 1)));
        model.apply(Event::Passes(KEPT_FOR.as_secs()));
        while !model.running.is_empty() {
            model.apply(Event::Ends(0));
            model.check();
        }
        prop_assert!(model.waiting.is_empty(), "{} wait and nothing runs", model.waiting.len());
        let gauges = queue.gauges();
        prop_assert_eq!((gauges.running, gauges.memory, gauges.waiting), (0, 0, [0, 0]));
    }

    #[test]
    fn a_batch_run_is_overtaken_by_so_many_and_no_more(
        arrivals in prop::collection::vec(prop::collection::vec(any::<bool>(), 0..4), 1..60)
    ) {
        let share = Share { weight: 1, running: 1000, queued: 1000 };
        let mut model = Model::new(&[share], 1000, 1);
        let clock = model.clock.handle().clone();
        let _clock = clock.enter();
        let mut overtaken = 0;
        for coming in arrivals {
            for batch in coming {
                let priority = if batch { Priority::Batch } else { Priority::Interactive };
                let wish = Wish { tenant: TenantIndex(0), priority, memory: 1, patient: false };
                model.come(wish, false).unwrap_or_else(|shed| panic!("{shed:?}"));
                model.take_up();
            }
            model.running.clear();
            let batch_waits = model.waiting.iter().any(|(wish, _)| wish.priority == Priority::Batch);
            let next = model.take_up();
            prop_assert!(next.len() <= 1);
            match next.first().map(|wish| wish.priority) {
                Some(Priority::Interactive) if batch_waits => overtaken += 1,
                _ => overtaken = 0,
            }
            prop_assert!(overtaken <= INTERACTIVE_IN_A_ROW);
        }
    }

    #[test]
    fn tenants_that_all_wait_are_served_by_their_weights(
        weights in prop::collection::vec(1..=8_u32, 2..=5), turns in 1..200_usize
    ) {
        let shares: Vec<Share> =
            weights.iter().map(|weight| Share { weight: *weight, running: 1, queued: 1000 }).collect();
        let wish = |tenant| Wish { tenant: TenantIndex(tenant), priority: Priority::Interactive, memory: 1, patient: false };
        let mut model = Model::new(&shares, 10_000, 1);
        let clock = model.clock.handle().clone();
        let _clock = clock.enter();
        // Somebody runs while the others come, so that all of them wait.
        model.come(wish(0), false).unwrap_or_else(|shed| panic!("{shed:?}"));
        model.take_up();
        for tenant in 0..shares.len() {
            for _ in 0..turns {
                model.come(wish(tenant), false).unwrap_or_else(|shed| panic!("{shed:?}"));
            }
        }
        let mut served = vec![0_u64; shares.len()];
        for _ in 0..turns {
            model.pass(Duration::from_secs(1));
            model.running.clear();
            for wish in model.take_up() {
                let TenantIndex(index) = wish.tenant;
                served[index] += 1;
            }
            for (a, one) in served.iter().zip(&weights) {
                for (b, other) in served.iter().zip(&weights) {
                    // In turns per weight nobody is more than one turn of each ahead.
                    let (ahead, behind) = (a * u64::from(*other), b * u64::from(*one));
                    let slack = u64::from(*one) + u64::from(*other) + u64::from(one * other) / 1000 + 1;
                    prop_assert!(ahead <= behind + slack, "{served:?} of {weights:?}");
                }
            }
        }
    }
}
