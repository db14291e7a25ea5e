//! Order, bounds and drops of the queue.
use std::collections::HashMap;

use super::*;

const PLENTY: Share = Share { weight: 1, running: 100, queued: 10_000 };

fn wish(tenant: usize, priority: Priority) -> Wish {
    Wish { tenant: TenantIndex(tenant), priority, memory: 1, patient: false }
}

fn queue(slots: usize, shares: &[Share]) -> Arc<Queue> {
    let queue = Queue::new(20_000, 1 << 30, shares);
    queue.open(slots);
    queue
}

async fn slot(ticket: Ticket) -> Slot {
    ticket.slot(Duration::from_secs(5)).await.unwrap()
}

/// Waiting, running, slots and memory.
fn numbers(queue: &Queue) -> ([usize; 2], usize, usize, u64) {
    let Gauges { waiting, running, slots, memory } = queue.gauges();
    (waiting, running, slots, memory)
}

/// The order in which tickets are granted when each run takes as long.
async fn order(queue: &Arc<Queue>, mut waiting: Vec<(usize, Ticket)>, first: Slot) -> Vec<usize> {
    let mut order = Vec::new();
    let mut running = Some(first);
    while let Some(slot) = running.take() {
        tokio::time::advance(Duration::from_millis(10)).await;
        drop(slot);
        let next = waiting
            .iter_mut()
            .enumerate()
            .find_map(|(at, (_, ticket))| ticket.granted.try_recv().ok().map(|s| (at, s)));
        let Some((at, granted)) = next else { break };
        order.push(waiting.remove(at).0);
        running = Some(granted);
    }
    assert!(waiting.is_empty());
    assert_eq!(queue.gauges().running, 0);
    order
}

#[tokio::test]
async fn the_next_one_waits_until_a_slot_is_dropped() {
    let queue = queue(1, &[PLENTY]);
    let first = slot(queue.enqueue(wish(0, Priority::Interactive)).unwrap()).await;
    let second = queue.enqueue(wish(0, Priority::Interactive)).unwrap();
    let third = queue.enqueue(wish(0, Priority::Interactive)).unwrap();
    assert_eq!((second.position(), third.position()), (0, 1));
    assert_eq!(numbers(&queue), ([2, 0], 1, 1, 1));
    assert_eq!(second.slot(Duration::from_millis(20)).await.unwrap_err(), Shed::WaitedTooLong);
    assert_eq!(third.position(), 0, "who left is not ahead any more");
    drop(first);
    drop(slot(third).await);
    assert_eq!(numbers(&queue), ([0, 0], 0, 1, 0));
}

#[tokio::test]
async fn bounds_shed_by_name() {
    let few = Share { weight: 1, running: 1, queued: 1 };
    let queue = Queue::new(2, 100, &[few, PLENTY]);
    assert_eq!(queue.enqueue(wish(0, Priority::Interactive)).err(), Some(Shed::NotReady));
    queue.open(2);
    let never = Wish { memory: 101, ..wish(1, Priority::Batch) };
    assert_eq!(queue.enqueue(never).err(), Some(Shed::NeverFits { budget: 100 }));
    let _running = slot(queue.enqueue(wish(0, Priority::Interactive)).unwrap()).await;
    let _own = queue.enqueue(wish(0, Priority::Interactive)).unwrap();
    assert_eq!(queue.gauges().running, 1, "one slot is free, but not for tenant 0");
    assert_eq!(queue.enqueue(wish(0, Priority::Interactive)).err(), Some(Shed::TenantFull { waiting: 1 }));
    let _other = slot(queue.enqueue(wish(1, Priority::Interactive)).unwrap()).await;
    let _waits = queue.enqueue(wish(1, Priority::Interactive)).unwrap();
    assert_eq!(queue.enqueue(wish(1, Priority::Interactive)).err(), Some(Shed::Full { waiting: 2 }));
    queue.drain();
    assert_eq!(queue.enqueue(wish(1, Priority::Interactive)).err(), Some(Shed::Draining));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_its_own_runs_is_told_so() {
    let one = Share { weight: 1, running: 1, queued: 10 };
    let queue = queue(2, &[one, Share { running: 2, ..PLENTY }, PLENTY]);
    let own = slot(queue.enqueue(wish(0, Priority::Interactive)).unwrap()).await;
    let waits =
        |tenant: usize| queue.enqueue(wish(tenant, Priority::Interactive)).unwrap().slot(Duration::from_secs(9));
    assert_eq!(waits(0).await.unwrap_err(), Shed::OwnRunning { running: 1 });
    // The same run is under way, but the engine is full: for most of the time somebody else was the reason.
    let other = slot(queue.enqueue(wish(2, Priority::Interactive)).unwrap()).await;
    let second = queue.enqueue(wish(2, Priority::Interactive)).unwrap();
    let ends_early = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        drop(own);
    };
    assert_eq!(tokio::join!(waits(0), ends_early).0.unwrap_err(), Shed::WaitedTooLong);
    drop((other, second));
    // Both slots are its own, and it may have as many: more slots would help it.
    let _both = (
        slot(queue.enqueue(wish(1, Priority::Interactive)).unwrap()).await,
        slot(queue.enqueue(wish(1, Priority::Interactive)).unwrap()).await,
    );
    assert_eq!(waits(1).await.unwrap_err(), Shed::WaitedTooLong);
}

#[tokio::test]
async fn a_large_run_is_not_overtaken() {
    let queue = Queue::new(10, 100, &[PLENTY]);
    queue.open(3);
    let small = Wish { memory: 30, ..wish(0, Priority::Interactive) };
    let running = slot(queue.enqueue(small).unwrap()).await;
    let mut large = queue.enqueue(Wish { memory: 80, ..small }).unwrap();
    let mut late = queue.enqueue(small).unwrap();
    assert!(large.granted.try_recv().is_err());
    assert!(late.granted.try_recv().is_err(), "it would fit, but the large one came first");
    drop(running);
    let granted = large.granted.try_recv().unwrap();
    assert!(late.granted.try_recv().is_err());
    drop(granted);
    assert!(late.granted.try_recv().is_ok());
}

#[tokio::test]
async fn whom_a_large_run_kept_waiting_goes_when_it_leaves() {
    let queue = Queue::new(10, 100, &[PLENTY]);
    queue.open(3);
    let small = Wish { memory: 30, ..wish(0, Priority::Interactive) };
    let _running = slot(queue.enqueue(small).unwrap()).await;
    let large = queue.enqueue(Wish { memory: 80, ..small }).unwrap();
    let mut late = queue.enqueue(small).unwrap();
    assert!(late.granted.try_recv().is_err());
    drop(large);
    assert!(late.granted.try_recv().is_ok(), "nothing but the large one was in its way");
}

#[tokio::test(start_paused = true)]
async fn tenants_share_by_weight_whatever_they_queued() {
    let heavy = Share { weight: 3, ..PLENTY };
    let queue = queue(1, &[PLENTY, heavy, PLENTY]);
    let first = slot(queue.enqueue(wish(0, Priority::Interactive)).unwrap()).await;
    let mut waiting = Vec::new();
    for (tenant, runs) in [(0, 400), (1, 60), (2, 20)] {
        for _ in 0..runs {
            waiting.push((tenant, queue.enqueue(wish(tenant, Priority::Interactive)).unwrap()));
        }
    }
    let order = order(&queue, waiting, first).await;
    let of = |tenant: usize, within: usize| order[..within].iter().filter(|t| **t == tenant).count();
    assert_eq!((of(0, 100), of(1, 100), of(2, 100)), (20, 60, 20));
}

#[tokio::test(start_paused = true)]
async fn batch_yields_to_interactive_but_does_not_starve() {
    let queue = queue(1, &[PLENTY]);
    let first = slot(queue.enqueue(wish(0, Priority::Interactive)).unwrap()).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push((1, queue.enqueue(wish(0, Priority::Batch)).unwrap()));
    }
    // As many as give batch three turns: when they are through the only slot would be kept for a while.
    for _ in 0..26 {
        waiting.push((0, queue.enqueue(wish(0, Priority::Interactive)).unwrap()));
    }
    let order = order(&queue, waiting, first).await;
    let batch: Vec<_> = order.iter().enumerate().filter(|(_, lane)| **lane == 1).map(|(at, _)| at).collect();
    assert_eq!(batch, [8, 17, 26]);
}

#[tokio::test]
async fn a_slot_for_somebody_who_has_left_goes_to_the_next() {
    let queue = queue(1, &[PLENTY]);
    let first = slot(queue.enqueue(wish(0, Priority::Interactive)).unwrap()).await;
    let mut gone = queue.enqueue(wish(0, Priority::Interactive)).unwrap();
    let next = queue.enqueue(wish(0, Priority::Interactive)).unwrap();
    gone.granted.close();
    drop(first);
    drop(slot(next).await);
    drop(gone);
    assert_eq!(queue.gauges().running, 0);
}

#[tokio::test]
async fn a_pause_keeps_the_place() {
    let queue = queue(1, &[PLENTY]);
    let first = slot(queue.enqueue(wish(0, Priority::Interactive)).unwrap()).await;
    let mut waits = queue.enqueue(wish(0, Priority::Interactive)).unwrap();
    queue.pause();
    drop(first);
    assert!(waits.granted.try_recv().is_err());
    assert_eq!(queue.enqueue(wish(0, Priority::Interactive)).err(), Some(Shed::NotReady));
    queue.open(1);
    assert!(waits.granted.try_recv().is_ok());
}

#[tokio::test]
async fn hard_use_loses_nothing() {
    let queue = queue(4, &[PLENTY, PLENTY]);
    let mut tasks = Vec::new();
    for n in 0..2_000_usize {
        let queue = Arc::clone(&queue);
        tasks.push(tokio::spawn(async move {
            let priority = if n.is_multiple_of(3) { Priority::Batch } else { Priority::Interactive };
            let ticket = queue.enqueue(wish(n % 2, priority)).unwrap();
            let patience = if n.is_multiple_of(5) { Duration::ZERO } else { Duration::from_secs(20) };
            if let Ok(slot) = ticket.slot(patience).await {
                assert!(queue.gauges().running <= 4);
                tokio::task::yield_now().await;
                drop(slot);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(numbers(&queue), ([0, 0], 0, 4, 0));
}

#[tokio::test]
async fn who_holds_a_place_takes_no_slot_and_keeps_its_turn() {
    let queue = queue(1, &[PLENTY]);
    let mut held = queue.hold(wish(0, Priority::Interactive)).unwrap();
    assert_eq!(numbers(&queue), ([1, 0], 0, 1, 0));
    let running = slot(queue.enqueue(wish(0, Priority::Interactive)).unwrap()).await;
    let next = queue.enqueue(wish(0, Priority::Interactive)).unwrap();
    assert_eq!((held.position(), next.position()), (0, 1));
    held.release(7);
    drop(running);
    let first = slot(held).await;
    assert_eq!((first.memory(), queue.gauges().memory), (7, 7), "it came before the other");
    // Given back unused, it waits where it was, and the next goes first as long as it holds.
    let mut again = first.back(3, true);
    let second = slot(next).await;
    let last = queue.enqueue(wish(0, Priority::Interactive)).unwrap();
    again.release(2);
    drop(second);
    let first = slot(again).await;
    let waits = first.back(1, false);
    drop(slot(waits).await);
    drop(slot(last).await);
    assert_eq!(numbers(&queue), ([0, 0], 0, 1, 0));
}

#[tokio::test]
async fn places_that_are_held_count_in_every_bound() {
    let few = Share { weight: 1, running: 2, queued: 1 };
    let queue = Queue::new(2, 100, &[few, PLENTY]);
    queue.open(2);
    let held = queue.hold(wish(0, Priority::Interactive)).unwrap();
    assert_eq!(queue.hold(wish(0, Priority::Interactive)).err(), Some(Shed::TenantFull { waiting: 1 }));
    // There are slots: who wants one need not wait.
    let _running = slot(queue.enqueue(wish(0, Priority::Interactive)).unwrap()).await;
    let other = queue.hold(wish(1, Priority::Batch)).unwrap();
    assert_eq!(queue.hold(wish(1, Priority::Batch)).err(), Some(Shed::Full { waiting: 2 }));
    assert_eq!(queue.fits(101), Err(Shed::NeverFits { budget: 100 }));
    drop((held, other));
    assert_eq!(queue.gauges().waiting, [0, 0]);
}

/// CPU time of this thread: what others do beside us does not count.
fn cpu_time() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// The least CPU time of some that a thousand runs took from their arrival to their end, each behind whoever waits.
async fn least_time(tenants: usize, waiting: usize) -> Duration {
    let queue = queue(1, &vec![PLENTY; tenants]);
    let mut running = slot(queue.enqueue(wish(0, Priority::Interactive)).unwrap()).await;
    let mut crowd: HashMap<u64, Ticket> = HashMap::new();
    let join = |crowd: &mut HashMap<u64, Ticket>, nth: usize| {
        let ticket = queue.enqueue(wish(nth % tenants, Priority::Interactive)).unwrap();
        crowd.insert(ticket.place.ticket, ticket);
    };
    (0..waiting).for_each(|nth| join(&mut crowd, nth));
    let mut least = Duration::MAX;
    for _ in 0..7 {
        let begun = cpu_time();
        for nth in 0..1000 {
            join(&mut crowd, nth);
            drop(running);
            let next = queue.lock().granted;
            running = crowd.remove(&next).unwrap().granted.try_recv().unwrap();
        }
        least = least.min(cpu_time() - begun);
    }
    drop(running);
    least
}

#[tokio::test]
async fn a_run_costs_little_more_among_a_thousand_tenants_and_ten_thousand_that_wait() {
    // A busy machine may hold up all of the one and none of the other, but not each time.
    for last in [false, false, false, false, true] {
        let (few, many) = (least_time(1, 10).await, least_time(1_000, 9_000).await);
        println!("a thousand runs: {few:?} alone, {many:?} among many");
        if many < few * 10 {
            break;
        }
        assert!(!last, "{few:?} alone, {many:?} among many");
    }
}
