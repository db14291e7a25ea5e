//! Buckets without a clock that has to be waited for: what flows in within a test is nothing, or all of it.

use super::*;

fn rate(per_minute: u32, burst: u32) -> Rate {
    Rate { per_minute: NonZeroU32::new(per_minute).unwrap(), burst: NonZeroU32::new(burst).unwrap() }
}

fn usual() -> Plan {
    let host = crate::config::Host { accounts: crate::accounts::Accounts::default(), memory: 1 << 33, cpus: 4 };
    let (config, _) = crate::config::Config::parse("", &host).unwrap();
    Plan::clone(&config.tenants[0].plan)
}

fn gate(plan: Rate, per_label: Option<(Rate, usize)>) -> Gate {
    let usual = usual();
    let per_label = per_label.map(|(rate, values)| PerLabel { label: "user".into(), rate, values });
    Gate::new(&Plan { rate: plan, per_label, ..usual }, &Room::default())
}

fn size(gate: &Gate) -> usize {
    gate.labels.as_ref().map(|labels| labels.table.len()).unwrap()
}

fn of(gate: &Gate, user: &str) -> Result<Option<Level>, Refused> {
    gate.take_of_label(|label| (label == "user").then_some(user))
}

#[test]
fn a_bucket_empties_and_says_when_it_is_full() {
    let gate = gate(rate(2, 3), None);
    let levels: Vec<_> =
        (0..3).map(|_| gate.take().unwrap()).map(|l| (l.limit, l.remaining, l.reset.as_secs())).collect();
    assert_eq!(levels, [(3, 2, 30), (3, 1, 60), (3, 0, 90)]);
    let refused = gate.take().unwrap_err();
    assert!(refused.wait > Duration::from_secs(20) && refused.wait <= Duration::from_secs(30), "{refused:?}");
    assert_eq!((refused.rate, refused.whose), (rate(2, 3), Whose::Plan));
    assert_eq!(of(&gate, "a"), Ok(None), "no bucket for labels");
}

#[test]
fn reads_have_a_bucket_ten_times_as_large_and_take_nothing_from_work() {
    // One flows in every three seconds: until none has.
    let (gate, levels, refused) = loop {
        let (gate, begun) = (gate(rate(2, 3), None), Instant::now());
        let levels: Vec<_> = (0..30).map(|_| gate.read().unwrap()).map(|l| (l.limit, l.remaining)).collect();
        let refused = gate.read();
        if begun.elapsed() < Duration::from_secs(2) {
            break (gate, levels, refused.unwrap_err());
        }
    };
    assert_eq!((levels[0], levels[29]), ((30, 29), (30, 0)));
    assert_eq!((refused.rate, refused.whose), (rate(20, 30), Whose::Reads));
    assert!(refused.wait > Duration::ZERO && refused.wait <= Duration::from_secs(3), "{:?}", refused.wait);
    assert_eq!(gate.take().map(|level| level.remaining), Ok(2));
    assert_eq!(gate.reads_policy(), "20;w=60;burst=30");
}

#[test]
fn each_value_of_a_label_has_its_own_bucket() {
    let gate = gate(rate(600, 600), Some((rate(1, 2), 100)));
    for user in ["a", "b", ""] {
        assert!(of(&gate, user).is_ok() && of(&gate, user).is_ok(), "{user}");
        assert_eq!(of(&gate, user).unwrap_err().whose, Whose::Label("user".to_owned()));
    }
    assert!(gate.take_of_label(|_| None).is_err(), "without the label it is the empty value");
    assert_eq!(gate.policy(), "600;w=60;burst=600, 1;w=60;burst=2");
}

#[test]
fn ten_thousand_values_are_bounded_and_pass_nothing_by() {
    let gate = gate(rate(1, 500), Some((rate(1, 1), 50)));
    let (mut by_label, mut by_plan) = (0, 0);
    for n in 0..10_000 {
        if gate.take().is_ok() {
            by_plan += 1;
            by_label += usize::from(of(&gate, &format!("user {n}")).is_ok());
        }
    }
    assert_eq!(by_plan, 500, "the plan's own bound holds whatever the labels are");
    assert_eq!(by_label, 51, "fifty with a bucket of their own, one for all others");
    assert_eq!(size(&gate), 50);
    assert!(of(&gate, "user 0").is_err(), "who has used its own is not forgotten for the flood");
}

#[test]
fn a_bucket_that_is_full_again_makes_room() {
    let quick = gate(rate(1, 1), Some((rate(6_000_000, 1), 50)));
    for n in 0..50 {
        assert!(of(&quick, &n.to_string()).is_ok());
    }
    assert_eq!(size(&quick), 50);
    let until = Instant::now() + Duration::from_secs(10);
    while size(&quick) == 50 {
        assert!(of(&quick, "next").is_ok() || Instant::now() < until);
        assert!(Instant::now() < until, "those that are full again are dropped");
    }
    assert_eq!(size(&quick), 1);
}

#[test]
fn a_gate_is_of_its_plan() {
    let one = gate(rate(1, 1), Some((rate(1, 1), 50)));
    let plan = |rate: Rate, per_label: Option<PerLabel>| Plan { rate, per_label, ..usual() };
    let per_label = Some(PerLabel { label: "user".into(), rate: rate(1, 1), values: 50 });
    assert!(one.is_of(&plan(rate(1, 1), per_label.clone())));
    assert!(!one.is_of(&plan(rate(2, 1), per_label)));
    assert!(!one.is_of(&plan(rate(1, 1), None)));
}

#[test]
fn a_look_takes_nothing() {
    let gate = gate(rate(1, 2), None);
    for _ in 0..10 {
        assert_eq!(gate.look().map(|level| level.remaining), Ok(1));
    }
    assert!(gate.take().is_ok() && gate.take().is_ok());
    assert!(gate.look().is_err() && gate.take().is_err());
}

#[test]
fn newcomers_have_the_room_of_those_that_are_full_sooner() {
    // The first look finds one bucket that is full in a minute and knows of no other.
    let gate = gate(rate(1, 1), Some((rate(1000, 1000), 3)));
    let drain = |user: &str, times: usize| (0..times).for_each(|_| assert!(of(&gate, user).is_ok(), "{user}"));
    drain("busy", 900);
    gate.labels.as_ref().unwrap().table.look_again();
    // These are full again 60 ms later.
    drain("a", 1);
    drain("b", 1);
    let until = Instant::now() + Duration::from_secs(10);
    let mut n = 0;
    while size(&gate) == 3 && Instant::now() < until {
        n += 1;
        assert!(of(&gate, &format!("newcomer {n}")).is_ok());
        std::thread::yield_now();
        if size(&gate) < 3 || n > 900 {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let table = &gate.labels.as_ref().unwrap().table;
    table.look_again();
    assert!(size(&gate) < 3, "the two are dropped long before the busy one is full");
}

#[test]
fn all_gates_together_are_bounded_and_shrink() {
    let room = Room::of(100);
    let plan = |rate: Rate| Plan { per_label: Some(PerLabel { label: "user".into(), rate, values: 80 }), ..usual() };
    let gates = [Gate::new(&plan(rate(1, 1)), &room), Gate::new(&plan(rate(1, 1)), &room)];
    for gate in &gates {
        (0..200).for_each(|n| drop(of(gate, &n.to_string())));
    }
    assert_eq!((size(&gates[0]), size(&gates[1])), (80, 20), "not 80 and 80");
    assert!(of(&gates[1], "another").is_err(), "who has none of its own shares one");
    let [first, second] = gates;
    drop(first);
    (0..200).for_each(|n| drop(of(&second, &format!("b{n}"))));
    assert_eq!(size(&second), 80, "what is gone has left its room");
    let quick = Gate::new(&plan(rate(6_000_000, 1)), &Room::of(100));
    (0..50).for_each(|n| drop(of(&quick, &n.to_string())));
    let until = Instant::now() + Duration::from_secs(10);
    while size(&quick) > 0 {
        quick.labels.as_ref().unwrap().table.look_again();
        assert!(Instant::now() < until, "what is full again is dropped although nobody asks");
    }
}

#[test]
fn another_rate_gives_nothing_away() {
    let plan = |per_minute: u32, burst: u32| Plan {
        rate: rate(per_minute, burst),
        per_label: Some(PerLabel { label: "user".into(), rate: rate(per_minute, burst), values: 50 + burst as usize }),
        ..usual()
    };
    let (room, small, large) = (Room::default(), plan(1, 4), plan(2, 100));
    let mut gate = Arc::new(Gate::new(&large, &room));
    (0..100).for_each(|n| assert!(gate.take().is_ok() && of(&gate, "a").is_ok(), "{n}"));
    let (mut by_plan, mut by_label) = (0, 0);
    for _ in 0..1000 {
        gate = Gate::renewed(&small, &gate, &room);
        gate = Gate::renewed(&large, &gate, &room);
        by_plan += usize::from(gate.take().is_ok());
        by_label += usize::from(of(&gate, "a").is_ok());
    }
    assert!(by_plan <= 1 && by_label <= 1, "{by_plan} {by_label}: what has flowed in within this test");
    let gate_of_reads = Arc::new(Gate::new(&small, &room));
    (0..40).for_each(|n| assert!(gate_of_reads.read().is_ok(), "{n}"));
    assert!(Gate::renewed(&large, &gate_of_reads, &room).read().is_err(), "an empty bucket of reads stays empty");
    assert!(of(&gate, "b").is_ok());
    // Half full stays half full.
    let gate = Arc::new(Gate::new(&large, &room));
    (0..50).for_each(|_| drop(gate.take()));
    let gate = Gate::renewed(&small, &gate, &room);
    assert_eq!(gate.take().map(|level| level.remaining), Ok(1));
}
