//! Who gets how much of the slots' time, by a clock that is put forward.
use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// What all sandboxes together may have.
const MEMORY: u64 = 1 << 40;

/// Somebody who queues runs: for a tenant, at a priority, each with so much memory.
type Sender = (usize, Priority, u64);

/// Slots, senders of runs of a known length, and what they have had.
struct Bench {
    queue: Arc<Queue>,
    senders: Vec<Sender>,
    waiting: Vec<VecDeque<(Duration, Ticket)>>,
    running: Vec<(Instant, usize, Instant, Slot)>,
    /// What runs that are over have used.
    used: Vec<Duration>,
    /// Whose have begun, in order.
    started: Vec<usize>,
}

impl Bench {
    /// Tenants with a sender each, of interactive runs that need next to no memory.
    fn new(slots: usize, weights: &[u32]) -> Bench {
        Bench::of(slots, weights, (0..weights.len()).map(|tenant| (tenant, Priority::Interactive, 1)).collect())
    }

    fn of(slots: usize, weights: &[u32], senders: Vec<Sender>) -> Bench {
        let share = |weight: &u32| Share { weight: *weight, running: 1_000, queued: 100_000 };
        let shares: Vec<Share> = weights.iter().map(share).collect();
        let queue = Queue::new(1_000_000, MEMORY, &shares);
        queue.open(slots);
        let waiting = senders.iter().map(|_| VecDeque::new()).collect();
        let used = vec![Duration::ZERO; senders.len()];
        Bench { queue, senders, waiting, running: Vec::new(), used, started: Vec::new() }
    }

    fn add(&mut self, sender: usize, length: Duration) {
        let (tenant, priority, memory) = self.senders[sender];
        let wish = Wish { tenant: TenantIndex(tenant), priority, memory, patient: false };
        self.waiting[sender].push_back((length, self.queue.enqueue(wish).unwrap()));
        self.take_up();
    }

    fn add_all(&mut self, tenant: usize, runs: usize, length: Duration) {
        (0..runs).for_each(|_| self.add(tenant, length));
    }

    fn take_up(&mut self) {
        let now = Instant::now();
        for (tenant, waiting) in self.waiting.iter_mut().enumerate() {
            while let Some((length, ticket)) = waiting.front_mut() {
                let Ok(slot) = ticket.granted.try_recv() else { break };
                ticket.left = true;
                self.running.push((now + *length, tenant, now, slot));
                self.started.push(tenant);
                waiting.pop_front();
            }
        }
    }

    /// Until the next run is over.
    async fn step(&mut self) {
        let next = (0..self.running.len()).min_by_key(|at| self.running[*at].0).unwrap();
        let (end, tenant, since, slot) = self.running.remove(next);
        tokio::time::advance(end.duration_since(Instant::now())).await;
        self.used[tenant] += end.duration_since(since);
        drop(slot);
        self.take_up();
    }

    /// While all of them have runs waiting, for at most so long.
    async fn while_all_wait(&mut self, most: Duration) {
        let until = Instant::now() + most;
        while Instant::now() < until && self.waiting.iter().all(|waiting| !waiting.is_empty()) {
            self.step().await;
        }
    }

    /// Slot time with that of runs under way.
    fn had(&self, tenant: usize) -> f64 {
        let now = Instant::now();
        let under_way = self.running.iter().filter(|run| run.1 == tenant).map(|run| now.duration_since(run.2));
        (self.used[tenant] + under_way.sum::<Duration>()).as_secs_f64()
    }

    /// The first has had so many times what the second has.
    fn assert_ratio(&self, ratio: f64) {
        let (one, other) = (self.had(0), self.had(1));
        let found = one / other;
        assert!((found / ratio - 1.0).abs() <= 0.1, "{one:.1} s to {other:.1} s of slot time, not {ratio} to 1");
    }
}

#[tokio::test(start_paused = true)]
async fn ten_times_the_load_gets_no_more_than_its_half() {
    for slots in [1, 2, 8, 64] {
        let mut bench = Bench::new(slots, &[1, 1]);
        // They come mixed, ten to one.
        for _ in 0..40 * slots {
            bench.add_all(0, 10, SECOND);
            bench.add(1, SECOND);
        }
        bench.while_all_wait(3600 * SECOND).await;
        bench.assert_ratio(1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn who_always_sends_ten_at_a_time_gets_no_more_than_who_sends_two() {
    let mut bench = Bench::new(2, &[1, 1]);
    while bench.started.len() < 600 {
        // Each sends another when one of its own is over.
        for (tenant, window) in [(0, 20), (1, 2)] {
            let under_way = bench.running.iter().filter(|run| run.1 == tenant).count();
            let missing = window - bench.waiting[tenant].len() - under_way;
            bench.add_all(tenant, missing, SECOND);
        }
        bench.step().await;
    }
    bench.assert_ratio(1.0);
}

#[tokio::test(start_paused = true)]
async fn long_runs_get_no_more_time_than_short_ones() {
    for slots in [1, 2, 8, 64] {
        let mut bench = Bench::new(slots, &[1, 1]);
        bench.add_all(0, 100 * slots, 10 * SECOND);
        bench.add_all(1, 10_000 * slots.min(8), SECOND / 10);
        bench.while_all_wait(200 * SECOND).await;
        bench.assert_ratio(1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn weights_are_kept_whatever_the_length() {
    for (slots, long, short) in [(1, 1, 1), (1, 30, 1), (2, 1, 50), (4, 7, 3), (8, 1, 1)] {
        let mut bench = Bench::new(slots, &[3, 1]);
        bench.add_all(0, 4_000, SECOND / 10 * long);
        bench.add_all(1, 4_000, SECOND / 10 * short);
        bench.while_all_wait(300 * SECOND).await;
        bench.assert_ratio(3.0);
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_queued_runs_delay_anothers_first_by_one_step_in_each_slot_at_most() {
    for slots in [1, 2, 8, 64] {
        for (before, after) in [(1, 1), (100, 1), (1, 100)] {
            let mut bench = Bench::new(slots, &[1000, 1]);
            // What is expected of its runs is wrong in every way.
            bench.add_all(0, 3 * slots, SECOND / 10 * before);
            bench.add_all(0, 10_000, SECOND / 10 * after);
            for _ in 0..4 * slots {
                bench.step().await;
            }
            let (arrived, so_far) = (Instant::now(), bench.started.len());
            let longest = bench.running.iter().map(|run| run.0).max().unwrap();
            bench.add(1, SECOND);
            assert_eq!(bench.queue.ahead(bench.waiting[1][0].1.place()), 0, "it is the next, and is told so");
            while !bench.waiting[1].is_empty() {
                bench.step().await;
            }
            assert_eq!(bench.started[so_far..], [1], "nobody else's after it came");
            assert!(Instant::now() <= longest, "{:?}", arrived.elapsed());
            assert!(bench.waiting[0].len() > 9_000);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_away_has_not_saved_up_turns() {
    let mut bench = Bench::new(2, &[1, 1]);
    bench.add_all(0, 5_000, SECOND);
    for _ in 0..1_000 {
        bench.step().await;
    }
    let before = bench.had(0);
    bench.add_all(1, 5_000, SECOND);
    for _ in 0..1_000 {
        bench.step().await;
    }
    let (one, other) = (bench.had(0) - before, bench.had(1));
    assert!((one / other - 1.0).abs() <= 0.02, "{one} to {other}");
}

#[tokio::test(start_paused = true)]
async fn what_a_plan_kept_from_a_tenant_is_not_owed_to_it() {
    let mut bench = Bench::new(8, &[1, 1]);
    let capped = Share { weight: 1, running: 1, queued: 100_000 };
    let free = Share { running: 1_000, ..capped };
    bench.queue.reshare(&[Some(capped), Some(free)]);
    bench.add_all(0, 4_000, SECOND);
    bench.add_all(1, 20_000, SECOND);
    for _ in 0..800 {
        bench.step().await;
    }
    assert!(bench.had(1) > 6.5 * bench.had(0));
    let before = (bench.had(0), bench.had(1));
    // With a larger plan from the next grant on, and a third tenant.
    bench.queue.reshare(&[Some(free); 3]);
    bench.senders.push((2, Priority::Interactive, 1));
    bench.waiting.push(VecDeque::new());
    bench.used.push(Duration::ZERO);
    bench.add_all(2, 4_000, SECOND);
    for _ in 0..1_200 {
        bench.step().await;
    }
    let had = [bench.had(0) - before.0, bench.had(1) - before.1, bench.had(2)];
    for one in had {
        assert!((one / 400.0 - 1.0).abs() < 0.1, "{had:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_told_of_a_place_comes_true_when_nobody_else_comes() {
    let mut bench = Bench::new(1, &[1, 2, 1]);
    for (tenant, runs, length) in [(0, 40, 2), (1, 30, 1), (2, 5, 3)] {
        // So that it is known how long they take.
        bench.add_all(tenant, 8, SECOND * length);
        bench.add_all(tenant, runs, SECOND * length);
    }
    for _ in 0..24 {
        bench.step().await;
    }
    let so_far = bench.started.len();
    let mut told = Vec::new();
    for (tenant, waiting) in bench.waiting.iter().enumerate() {
        told.extend(waiting.iter().enumerate().map(|(nth, (_, ticket))| (tenant, nth, ticket.position())));
    }
    while !bench.running.is_empty() {
        bench.step().await;
    }
    let began = &bench.started[so_far..];
    for (tenant, nth, told) in told {
        let mut own = began.iter().enumerate().filter(|(_, other)| **other == tenant);
        let found = own.nth(nth).unwrap().0;
        assert!(told.abs_diff(found) <= 3, "tenant {tenant}, run {nth}: {told} told, {found} found");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However many slots, whatever the weights, lengths and memory: tenants that wait all the time are apart by what is in
    /// flight, by its price, and whoever comes then is the next, but for those who came earlier and have had no turn yet
    /// either.
    #[test]
    fn who_waits_all_the_time_is_apart_by_one_run_in_each_slot_and_a_newcomer_is_the_next(
        slots in 1..=6_usize,
        tenants in prop::collection::vec(
            (1..=5_u32, prop::collection::vec(1..=50_u32, 1..4), prop_oneof![Just(0), 0..1000_u32]), 2..=4
        ),
        steps in 1..400_usize,
    ) {
        let clock = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let outcome: Result<(), TestCaseError> = clock.block_on(async {
            let newcomer = tenants.len();
            let weights: Vec<u32> = tenants.iter().map(|(weight, ..)| *weight).chain([1]).collect();
            let memories = tenants.iter().map(|(.., thousandths)| 1 + MEMORY / 1000 * u64::from(*thousandths)).chain([1]);
            let senders = (0..).zip(memories).map(|(tenant, memory)| (tenant, Priority::Interactive, memory)).collect();
            let mut bench = Bench::of(slots, &weights, senders);
            for _ in 0..400 {
                for (tenant, (_, lengths, _)) in tenants.iter().enumerate() {
                    for length in lengths {
                        bench.add(tenant, SECOND / 10 * *length);
                    }
                }
            }
            for _ in 0..steps {
                bench.step().await;
                for (one, (weight, lengths, _)) in tenants.iter().enumerate() {
                    for (other, (other_weight, other_lengths, _)) in tenants.iter().enumerate() {
                        let part = |lengths: &[u32], weight: u32| {
                            let longest = f64::from(*lengths.iter().max().unwrap()) / 10.0;
                            longest * slots as f64 / f64::from(weight)
                        };
                        let paid = |tenant: usize| {
                            let (.., thousandths) = tenants[tenant];
                            bench.had(tenant) * (f64::from(thousandths) / 1000.0 * slots as f64).max(1.0)
                        };
                        let apart = paid(one) / f64::from(*weight) - paid(other) / f64::from(*other_weight);
                        // Where memory is short those who fit beside a large run that waits go on, and others don't, until those
                        // are over that were under way: how far that takes them apart hangs on how their turns fall.
                        let largest = tenants.iter().map(|tenant| u128::from(tenant.2)).max().unwrap();
                        let short = largest * slots as u128 + slots as u128 > 1000;
                        let most = part(lengths, *weight) + part(other_lengths, *other_weight);
                        // Whose own runs can't fill all slots is in its own way at times, and nothing is owed to it for that.
                        let (.., thousandths) = tenants[other];
                        let in_its_way = u128::from(thousandths) * slots as u128 + 1 > 1000;
                        prop_assert!(in_its_way || short || apart <= most + 1e-6, "{apart} s by weight, {most} s at most");
                    }
                }
            }
            while (0..newcomer).any(|tenant| !bench.started.contains(&tenant)) {
                bench.step().await;
            }
            let so_far = bench.started.len();
            bench.add(newcomer, SECOND);
            while bench.started.len() == so_far {
                bench.step().await;
            }
            prop_assert_eq!(bench.started[so_far], newcomer);
            Ok(())
        });
        outcome?;
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_lowered_below_what_runs_leaves_no_debt() {
    let mut bench = Bench::new(4, &[1, 1]);
    bench.add(0, SECOND * 100);
    let share = |running: u32| Some(Share { weight: 1, running, queued: 100_000 });
    bench.queue.reshare(&[share(1), share(1000)]);
    bench.add_all(0, 2000, SECOND);
    bench.add_all(1, 2000, SECOND);
    bench.while_all_wait(SECOND * 99).await;
    bench.queue.reshare(&[share(1000), share(1000)]);
    let before = bench.had(1);
    bench.while_all_wait(SECOND * 20).await;
    let had = bench.had(1) - before;
    assert!(had > 30.0, "{had} s of 80, as if it owed what the other's plan kept from it");
}

#[tokio::test(start_paused = true)]
async fn memory_costs_as_much_as_the_slots_that_it_keeps_from_others() {
    let mut bench =
        Bench::of(8, &[1, 1], vec![(0, Priority::Interactive, MEMORY / 10 * 4), (1, Priority::Interactive, 1)]);
    bench.add_all(0, 1_000, SECOND);
    bench.add_all(1, 4_000, SECOND);
    bench.while_all_wait(400 * SECOND).await;
    bench.assert_ratio(1.0 / 3.2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_both_priorities_has_one_share() {
    let (interactive, batch) = (Priority::Interactive, Priority::Batch);
    let senders = vec![(0, interactive, 1), (0, batch, 1), (1, batch, 1), (2, interactive, 1)];
    let mut bench = Bench::of(1, &[1, 1, 1], senders);
    // Both priorities have the same time together: eight runs of the one and one of the other.
    for (sender, length) in [(0, 1), (1, 8), (2, 8), (3, 1)] {
        bench.add_all(sender, 8_000 / length, SECOND / 10 * u32::try_from(length).unwrap());
    }
    bench.while_all_wait(600 * SECOND).await;
    let had = [bench.had(0) + bench.had(1), bench.had(2), bench.had(3)];
    for one in had {
        assert!((one / had.iter().sum::<f64>() * 3.0 - 1.0).abs() < 0.1, "{had:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_tenant_has_in_one_priority_does_not_shut_it_out_of_the_other() {
    let senders = vec![(0, Priority::Interactive, 1), (0, Priority::Batch, 1), (1, Priority::Batch, 1)];
    let mut bench = Bench::of(3, &[1, 1], senders);
    (0..3).for_each(|sender| bench.add_all(sender, 4_000, SECOND));
    bench.while_all_wait(1_000 * SECOND).await;
    let turns = DEBT_AT_MOST.as_secs_f64() + 3.0;
    assert!(bench.had(1) > bench.had(2) / turns, "{} s to {} s", bench.had(1), bench.had(2));
}
