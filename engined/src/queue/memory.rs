//! Large runs: whom they keep waiting, for how long, and that they get their turn.
use super::*;

pub(super) const SECOND: Duration = Duration::from_secs(1);
const PLENTY: Share = Share { weight: 1, running: 100, queued: 10_000 };
const BUDGET: u64 = 1024;
/// Two of these do not fit, one and a [`SMALL`] do.
pub(super) const LARGE: u64 = 700;
pub(super) const SMALL: u64 = 256;
/// This fits beside a small one, and not beside a large one.
pub(super) const MIDDLE: u64 = 400;

pub(super) fn queue(slots: usize) -> Arc<Queue> {
    let queue = Queue::new(10_000, BUDGET, &[PLENTY; 4]);
    queue.open(slots);
    queue
}

pub(super) fn join(queue: &Arc<Queue>, tenant: usize, priority: Priority, memory: u64) -> Ticket {
    queue.enqueue(Wish { tenant: TenantIndex(tenant), priority, memory, patient: false }).unwrap()
}

pub(super) fn interactive(queue: &Arc<Queue>, tenant: usize, memory: u64) -> Ticket {
    join(queue, tenant, Priority::Interactive, memory)
}

/// Granted by now?
pub(super) fn granted(ticket: &mut Ticket) -> Option<Slot> {
    ticket.granted.try_recv().ok()
}

/// One that has its slot at once.
pub(super) fn begin(queue: &Arc<Queue>, tenant: usize, memory: u64) -> Slot {
    granted(&mut interactive(queue, tenant, memory)).expect("a slot at once")
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_its_own_memory_keeps_nobody_waiting() {
    for priority in [Priority::Interactive, Priority::Batch] {
        let queue = queue(2);
        let first = begin(&queue, 0, LARGE);
        let mut second = join(&queue, 0, priority, LARGE);
        for _ in 0..5 * INTERACTIVE_IN_A_ROW {
            let run = begin(&queue, 1, SMALL);
            tokio::time::advance(SECOND).await;
            assert!(granted(&mut second).is_none());
            drop(run);
        }
        drop(first);
        drop(granted(&mut second).expect("nothing is in its way any more"));
        assert_eq!(queue.gauges().memory, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_run_of_who_has_none_under_way_gets_its_turn_among_small_ones() {
    let queue = queue(3);
    let mut running: Vec<Slot> = (0..3).map(|nth| begin(&queue, nth % 2, SMALL)).collect();
    let mut large = interactive(&queue, 2, LARGE);
    let mut stream = Vec::new();
    for left in [1, 0] {
        // Whenever one of them is over, another one comes.
        running.pop();
        stream.push(interactive(&queue, left % 2, MIDDLE));
        assert!(stream.iter_mut().all(|ticket| granted(ticket).is_none()), "the large one came first");
        tokio::time::advance(SECOND).await;
    }
    let slot = granted(&mut large).expect("it fits beside the one that is left");
    assert_eq!(queue.gauges().memory, LARGE + SMALL);
    drop(slot);
    assert!(stream.iter_mut().any(|ticket| granted(ticket).is_some()), "they go on");
}

/// Others have the memory, for longer than anybody here lives.
#[tokio::test(start_paused = true)]
async fn small_runs_go_on_beside_a_large_one_that_waits_for_the_memory_of_others() {
    for priority in [Priority::Interactive, Priority::Batch] {
        let queue = queue(4);
        let long = begin(&queue, 0, LARGE);
        let mut large = join(&queue, 1, priority, LARGE);
        let mut middle = join(&queue, 3, priority, MIDDLE);
        for _ in 0..10 * INTERACTIVE_IN_A_ROW {
            let small = begin(&queue, 2, SMALL);
            // One beside it, and no more: it must be able to begin with what the long one leaves.
            let mut other = interactive(&queue, 0, SMALL);
            assert!(granted(&mut other).is_none(), "it does not fit");
            tokio::time::advance(SECOND).await;
            assert!(granted(&mut large).is_none() && granted(&mut middle).is_none());
            drop(other);
            drop(small);
        }
        let small = begin(&queue, 2, SMALL);
        drop(long);
        let slot = granted(&mut large).expect("beside the small one");
        assert_eq!(queue.gauges().memory, LARGE + SMALL);
        drop(small);
        assert!(granted(&mut middle).is_none(), "no room");
        drop(slot);
        drop(granted(&mut middle).expect("it goes on"));
        assert_eq!(queue.gauges().memory, 0);
    }
}

/// The same with streams that never end: what they get is what it does not need.
#[tokio::test(start_paused = true)]
async fn a_large_run_begins_when_those_are_over_that_were_under_way_when_its_turn_came() {
    let queue = queue(4);
    let mut long: Vec<Slot> = [300, 300, 300].map(|memory| begin(&queue, 0, memory)).into();
    let mut large = interactive(&queue, 1, LARGE);
    let mut stream: Vec<Ticket> = Vec::new();
    let mut running: Vec<Slot> = Vec::new();
    let mut began = 0;
    for turn in 0..90 {
        tokio::time::advance(SECOND).await;
        // The long ones end one after the other.
        if turn % 30 == 29 {
            long.pop();
        }
        stream.extend((stream.len()..6).map(|nth| interactive(&queue, [0, 2][nth % 2], 100)));
        stream.retain_mut(|ticket| {
            let slot = granted(ticket);
            began += usize::from(slot.is_some());
            let waits = slot.is_none();
            running.extend(slot);
            waits
        });
        assert!(running.iter().map(Slot::memory).sum::<u64>() <= BUDGET - LARGE);
        if let Some(slot) = granted(&mut large) {
            assert!(long.len() <= 1 && began > 30, "{} and {began}", long.len());
            drop(slot);
            return;
        }
        drop(running.remove(0));
    }
    panic!("all that were under way are over, and it has not begun");
}

/// What goes past a run that waits is not owed to those that could not: and what waits keeps its turn.
#[tokio::test(start_paused = true)]
async fn a_batch_run_beside_a_large_one_takes_not_its_turn() {
    let queue = queue(3);
    let batch = |tenant, memory| join(&queue, tenant, Priority::Batch, memory);
    let others = begin(&queue, 0, 600);
    let small = granted(&mut batch(1, SMALL)).unwrap();
    tokio::time::advance(SECOND).await;
    drop(small);
    let mut large = batch(2, LARGE);
    for _ in 0..INTERACTIVE_IN_A_ROW {
        drop(begin(&queue, 1, MIDDLE));
    }
    for _ in 0..KEPT_AT_MOST.as_secs() {
        drop(granted(&mut batch(1, SMALL)).expect("beside it"));
        drop(begin(&queue, 1, MIDDLE));
        tokio::time::advance(SECOND).await;
    }
    // That was long enough, though batch runs have begun.
    let mut middle = interactive(&queue, 1, MIDDLE);
    assert!(granted(&mut middle).is_none());
    drop(others);
    drop(granted(&mut large).expect("its turn"));
}

/// One slot is kept from batch work for a while: with the other one taken the large run would be kept out.
#[tokio::test(start_paused = true)]
async fn a_batch_run_beside_a_large_one_leaves_it_the_slot_that_batch_may_have() {
    let queue = queue(2);
    tokio::spawn(Arc::clone(&queue).tend());
    let batch = |tenant, memory| join(&queue, tenant, Priority::Batch, memory);
    let others = begin(&queue, 0, 600);
    let (mut large, mut small) = (batch(2, LARGE), batch(3, SMALL));
    assert!(granted(&mut small).is_none());
    drop(others);
    drop(granted(&mut large).expect("its turn"));
    drop(granted(&mut small).expect("it goes on"));
    // When nobody interactive comes any more, all slots are there for batch.
    let (_others, _large, came) = (begin(&queue, 0, 600), batch(2, LARGE), Instant::now());
    let _small = batch(3, SMALL).slot(60 * SECOND).await.unwrap();
    assert!((KEPT_FOR..KEPT_FOR + SECOND).contains(&came.elapsed()), "{:?}", came.elapsed());
}

#[tokio::test(start_paused = true)]
async fn no_memory_is_kept_for_a_batch_run_that_is_kept_from_the_slot() {
    let queue = queue(2);
    let batch = |tenant, memory| join(&queue, tenant, Priority::Batch, memory);
    let others = begin(&queue, 0, 600);
    let mut large = batch(2, LARGE);
    for _ in 0..INTERACTIVE_IN_A_ROW {
        drop(begin(&queue, 1, MIDDLE));
    }
    // By now it stops interactive work that does not fit beside it, and nobody interactive has come for a while.
    tokio::time::advance(KEPT_AT_MOST).await;
    let small = granted(&mut batch(3, 200)).expect("beside it");
    let mut middle = interactive(&queue, 1, MIDDLE);
    drop(others);
    assert!(granted(&mut large).is_none(), "the slot is kept for interactive work");
    let middle = granted(&mut middle).expect("so that has it");
    drop(small);
    assert!(granted(&mut large).is_none(), "no room");
    drop(middle);
    drop(granted(&mut large).expect("its turn"));
}

/// Whoever is looked at for one that goes past.
#[tokio::test(start_paused = true)]
async fn a_large_run_begins_however_many_have_come_before_it_in_turn() {
    let queue = Queue::new(10_000, BUDGET, &[PLENTY; 202]);
    queue.open(2);
    let others = begin(&queue, 0, 600);
    drop(begin(&queue, 201, 1));
    let mut large = interactive(&queue, 201, LARGE);
    // Who was never served goes first of those that have had the same.
    let mut next: Vec<Ticket> = (1..=200).map(|tenant| interactive(&queue, tenant, LARGE)).collect();
    drop(others);
    drop(granted(&mut large).expect("memory was kept for it"));
    let begun: Vec<Slot> = next.iter_mut().filter_map(granted).collect();
    assert_eq!(begun.len(), 1, "they go on");
}

/// Its own runs of the other priority must not put it in its own way, so that others take what was kept for it.
#[tokio::test(start_paused = true)]
async fn ones_own_batch_runs_take_nothing_from_ones_run_that_waits_for_others() {
    for running in [2, 100] {
        let queue = Queue::new(100, BUDGET, &[Share { running, ..PLENTY }, PLENTY]);
        queue.open(4);
        let own = begin(&queue, 0, 200);
        let others = begin(&queue, 1, LARGE);
        let mut large = interactive(&queue, 0, LARGE);
        let memory = if running == 2 { 1 } else { 150 };
        let mut batch = join(&queue, 0, Priority::Batch, memory);
        assert!(granted(&mut batch).is_none(), "the large one would wait for it");
        let mut next = interactive(&queue, 1, LARGE);
        drop(others);
        drop(granted(&mut large).expect("its turn"));
        drop(granted(&mut next).expect("its turn"));
        assert!(granted(&mut batch).is_some());
        drop(own);
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_batch_run_stops_the_small_ones_of_others_after_a_while_and_not_before() {
    let queue = queue(2);
    let others = begin(&queue, 0, 600);
    let mut large = join(&queue, 2, Priority::Batch, LARGE);
    // Its turn comes after so many.
    for _ in 0..INTERACTIVE_IN_A_ROW {
        drop(begin(&queue, 1, MIDDLE));
    }
    for _ in 0..KEPT_AT_MOST.as_secs() {
        drop(begin(&queue, 1, MIDDLE));
        tokio::time::advance(SECOND).await;
    }
    let mut middle = interactive(&queue, 1, MIDDLE);
    assert!(granted(&mut middle).is_none(), "from now on the large one is not overtaken");
    drop(others);
    drop(granted(&mut large).expect("its turn"));
    drop(granted(&mut middle).expect("it goes on"));
    // What it has waited does not count for the next.
    let _others = begin(&queue, 0, 600);
    let _next = join(&queue, 2, Priority::Batch, LARGE);
    for _ in 0..2 * INTERACTIVE_IN_A_ROW {
        drop(begin(&queue, 1, MIDDLE));
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_run_that_lets_small_ones_go_on_keeps_its_turn() {
    let queue = queue(2);
    let others = begin(&queue, 0, LARGE);
    let mut large = join(&queue, 2, Priority::Batch, LARGE);
    for _ in 0..INTERACTIVE_IN_A_ROW + 1 {
        drop(begin(&queue, 1, SMALL));
    }
    let small = begin(&queue, 1, SMALL);
    let mut waits = interactive(&queue, 1, SMALL);
    drop(others);
    assert!(granted(&mut waits).is_none() && granted(&mut large).is_some(), "it was batch's turn");
    drop(small);
}

#[tokio::test(start_paused = true)]
async fn ones_own_small_runs_do_not_keep_out_ones_large_batch_run() {
    let queue = queue(3);
    let mut running = vec![begin(&queue, 0, SMALL), begin(&queue, 0, SMALL)];
    let mut large = join(&queue, 0, Priority::Batch, 900);
    let mut waiting: Vec<Ticket> = (0..100).map(|_| interactive(&queue, 0, SMALL)).collect();
    let mut overtaken = 0;
    let slot = loop {
        let began: Vec<Slot> = waiting.iter_mut().filter_map(granted).collect();
        overtaken += began.len();
        running.extend(began);
        // Others are not stopped by that.
        if running.len() < 3 {
            drop(begin(&queue, 1, SMALL / 4));
        }
        match granted(&mut large) {
            Some(slot) => break slot,
            None => drop(running.remove(0)),
        }
    };
    assert_eq!(overtaken, INTERACTIVE_IN_A_ROW as usize);
    drop((running, slot));
    assert!(waiting.iter_mut().any(|ticket| granted(ticket).is_some()), "they go on");
}

/// Its own small runs and those of another make room for it in turn: neither stream may take what the other has left.
#[tokio::test(start_paused = true)]
async fn two_streams_of_small_runs_do_not_keep_out_a_large_batch_run_for_ever() {
    let queue = queue(3);
    let mut running: Vec<Slot> = (0..3).map(|nth| begin(&queue, nth % 2, SMALL)).collect();
    let mut large = join(&queue, 0, Priority::Batch, 900);
    let mut streams: [Vec<Ticket>; 2] = [0, 1].map(|tenant| vec![interactive(&queue, tenant, SMALL)]);
    for _ in 0..200 {
        tokio::time::advance(SECOND).await;
        if !running.is_empty() {
            drop(running.remove(0));
        }
        for (tenant, stream) in streams.iter_mut().enumerate() {
            let before = running.len();
            running.extend(stream.iter_mut().filter_map(granted));
            // Always one more than is under way.
            stream.extend((before..running.len()).map(|_| interactive(&queue, tenant, SMALL)));
        }
        if granted(&mut large).is_some() {
            return;
        }
    }
    panic!("200 s, and it has not begun");
}

#[tokio::test(start_paused = true)]
async fn ones_own_batch_runs_stop_for_ones_large_interactive_run() {
    let queue = queue(3);
    let mut batch: Vec<Ticket> = (0..9).map(|_| join(&queue, 0, Priority::Batch, SMALL)).collect();
    let mut running: Vec<Slot> = batch.iter_mut().filter_map(granted).collect();
    assert_eq!(running.len(), 3);
    let mut large = interactive(&queue, 0, 900);
    running.clear();
    let _large = granted(&mut large).expect("its own batch runs have stopped for it");
    assert!(batch.iter_mut().all(|ticket| granted(ticket).is_none()));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_its_own_memory_waits_within_the_bounds() {
    let queue = Queue::new(10, BUDGET, &[Share { queued: 1, ..PLENTY }, PLENTY]);
    queue.open(4);
    let _running = begin(&queue, 0, LARGE);
    let _waits = interactive(&queue, 0, LARGE);
    let wish = Wish { tenant: TenantIndex(0), priority: Priority::Interactive, memory: SMALL, patient: false };
    assert_eq!(queue.enqueue(wish).err(), Some(Shed::TenantFull { waiting: 1 }), "it would wait behind its own");
}

#[tokio::test(start_paused = true)]
async fn what_ones_own_memory_kept_from_one_is_not_owed() {
    let queue = queue(8);
    let long = begin(&queue, 0, SMALL);
    let mut waiting: Vec<(usize, Ticket)> = (0..60).map(|_| (0, interactive(&queue, 0, 900))).collect();
    // For a long while the other has most of the slots.
    for _ in 0..100 {
        let runs: Vec<Slot> = (0..6).map(|_| begin(&queue, 1, 100)).collect();
        tokio::time::advance(SECOND).await;
        drop(runs);
    }
    drop(long);
    let mut running = vec![granted(&mut waiting[0].1).unwrap()];
    // From now on both wait all the time, and have as much.
    waiting.extend((0..60).map(|_| (1, interactive(&queue, 1, 900))));
    let mut had = [0_u32; 2];
    for _ in 0..40 {
        tokio::time::advance(SECOND).await;
        running.clear();
        for (tenant, ticket) in &mut waiting {
            if let Some(slot) = granted(ticket) {
                had[*tenant] += 1;
                running.push(slot);
            }
        }
    }
    assert!(had[0].abs_diff(had[1]) <= 2, "{had:?}");
}

#[tokio::test(start_paused = true)]
async fn who_is_in_its_own_way_is_not_the_oldest() {
    let one = Share { running: 1, ..PLENTY };
    let queue = Queue::new(100, BUDGET, &[one, PLENTY, PLENTY]);
    queue.open(3);
    let by_plan = (begin(&queue, 0, 1), interactive(&queue, 0, 1));
    let by_memory = (begin(&queue, 1, LARGE), interactive(&queue, 1, LARGE));
    tokio::time::advance(SECOND * 10).await;
    assert_eq!(queue.oldest(), [Duration::ZERO; 2]);
    // Of two that wait for the last slot the engine's part counts.
    let last = begin(&queue, 2, 1);
    let behind = interactive(&queue, 2, 1);
    tokio::time::advance(SECOND * 2).await;
    assert_eq!(queue.oldest(), [SECOND * 2, Duration::ZERO]);
    let (first, mut second) = by_plan;
    // From here on it waits for others as well.
    queue.reshare(&[Some(PLENTY)]);
    tokio::time::advance(SECOND * 3).await;
    assert_eq!(queue.oldest(), [SECOND * 5, Duration::ZERO]);
    drop(behind);
    assert_eq!(queue.oldest(), [SECOND * 3, Duration::ZERO]);
    queue.reshare(&[Some(one)]);
    assert_eq!(queue.oldest(), [Duration::ZERO; 2], "what it waits for now is its own");
    drop(first);
    assert_eq!(granted(&mut second).unwrap().own_wait(), SECOND * 12);
    drop((by_memory, last));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_full_of_ones_own_runs_is_full() {
    // As many as there are slots, and all the memory, and nobody else has anything to run.
    for (slots, memory) in [(1, 1), (2, LARGE)] {
        let queue = queue(slots);
        queue.reshare(&[Some(Share { running: u32::try_from(slots).unwrap(), ..PLENTY })]);
        let first = begin(&queue, 0, memory);
        let mut second = interactive(&queue, 0, memory);
        tokio::time::advance(SECOND * 10).await;
        assert_eq!(queue.oldest(), [SECOND * 10, Duration::ZERO]);
        drop(first);
        assert_eq!(granted(&mut second).unwrap().own_wait(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_patient_is_not_the_oldest() {
    let queue = queue(1);
    let _running = begin(&queue, 0, 1);
    let wish = Wish { tenant: TenantIndex(0), priority: Priority::Batch, memory: 1, patient: true };
    let _patient = queue.enqueue(wish).unwrap();
    tokio::time::advance(SECOND).await;
    let _waits = queue.enqueue(Wish { patient: false, ..wish }).unwrap();
    tokio::time::advance(SECOND).await;
    assert_eq!(queue.oldest(), [Duration::ZERO, SECOND]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_its_own_memory_is_told_so() {
    let queue = queue(2);
    let running = begin(&queue, 0, LARGE);
    let waits = || interactive(&queue, 0, LARGE).slot(SECOND * 9);
    assert_eq!(waits().await.unwrap_err(), Shed::WaitedTooLong, "it has the whole engine");
    let _other = begin(&queue, 1, SMALL);
    assert_eq!(waits().await.unwrap_err(), Shed::OwnMemory { budget: BUDGET });
    drop(running);
    let _others = begin(&queue, 1, LARGE);
    assert_eq!(waits().await.unwrap_err(), Shed::WaitedTooLong, "it is the other's");
}

#[tokio::test(start_paused = true)]
async fn what_a_run_waited_for_is_told_as_it_was_whoever_came_and_went_meanwhile() {
    let queue = queue(2);
    let _running = begin(&queue, 0, LARGE);
    // Somebody comes after a second, and from then on others could run something.
    let waits = interactive(&queue, 0, LARGE).slot(SECOND * 9);
    let comes = async {
        tokio::time::sleep(SECOND).await;
        begin(&queue, 1, SMALL)
    };
    let (waited, other) = tokio::join!(waits, comes);
    assert_eq!(waited.unwrap_err(), Shed::OwnMemory { budget: BUDGET });
    // The other leaves after a second, and then it has the whole engine.
    let waits = interactive(&queue, 0, LARGE).slot(SECOND * 9);
    let leaves = async {
        tokio::time::sleep(SECOND).await;
        drop(other);
    };
    assert_eq!(tokio::join!(waits, leaves).0.unwrap_err(), Shed::WaitedTooLong);
    // One of three that leaves or comes changes nothing.
    let (one, other) = (begin(&queue, 1, 1), interactive(&queue, 2, LARGE));
    let waits = interactive(&queue, 0, LARGE).slot(SECOND * 9);
    let leaves = async {
        tokio::time::sleep(SECOND).await;
        drop(one);
    };
    assert_eq!(tokio::join!(waits, leaves).0.unwrap_err(), Shed::OwnMemory { budget: BUDGET });
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_allows_as_many_as_there_are_slots_is_in_nobodys_way() {
    let queue = queue(2);
    queue.reshare(&[Some(Share { running: 1, ..PLENTY })]);
    let _running = begin(&queue, 0, SMALL);
    for (slots, told) in [(1, Shed::WaitedTooLong), (2, Shed::OwnRunning { running: 1 })] {
        let waits = interactive(&queue, 0, SMALL).slot(SECOND * 9);
        let reopens = async {
            tokio::time::sleep(SECOND).await;
            queue.open(slots);
        };
        assert_eq!(tokio::join!(waits, reopens).0.unwrap_err(), told);
    }
}
