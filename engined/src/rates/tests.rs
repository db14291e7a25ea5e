//! Buckets without a clock that has to be waited for: what flows in within a test is nothing, or all of it.

use governor::state::keyed::ShrinkableKeyedStateStore;

use super::*;

/// So that its size can be asked for.
impl ShrinkableKeyedStateStore<u64> for Values {
    fn retain_recent(&self, drop_below: Nanos) {
        self.table.lock().unwrap().full_at.retain(|_, at| *at > drop_below);
    }

    fn len(&self) -> usize {
        self.table.lock().unwrap().full_at.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

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
    Gate::new(&Plan { rate: plan, per_label, ..usual })
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
    assert_eq!((refused.rate, refused.label), (rate(2, 3), None));
    assert_eq!(of(&gate, "a"), Ok(None), "no bucket for labels");
}

#[test]
fn each_value_of_a_label_has_its_own_bucket() {
    let gate = gate(rate(600, 600), Some((rate(1, 2), 100)));
    for user in ["a", "b", ""] {
        assert!(of(&gate, user).is_ok() && of(&gate, user).is_ok(), "{user}");
        assert_eq!(of(&gate, user).unwrap_err().label.as_deref(), Some("user"));
    }
    assert!(gate.take_of_label(|_| None).is_err(), "without the label it is the empty value");
    assert_eq!(gate.policy(), "600;w=60;burst=600, 1;w=60;burst=2");
}

#[test]
fn ten_thousand_values_are_bounded_and_pass_nothing_by() {
    let gate = gate(rate(1, 500), Some((rate(1, 1), 50)));
    let size = |gate: &Gate| gate.labels.as_ref().map(|labels| labels.values.len()).unwrap();
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
    let size = |gate: &Gate| gate.labels.as_ref().map(|labels| labels.values.len()).unwrap();
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
