//! The arithmetic of limits, for any numbers.
use proptest::prelude::*;

use super::*;

fn set() -> impl Strategy<Value = LimitSet> {
    let number = || prop::option::of(prop_oneof![0..=1_u64 << 20, any::<u64>()]);
    (prop::collection::vec(number(), LimitName::ALL.len()), prop::option::of(0..=200_u64)).prop_map(
        |(values, percent)| {
            let mut set = LimitSet { stack_percent: percent, ..LimitSet::default() };
            for (limit, value) in LimitName::ALL.into_iter().zip(values) {
                if let Some(value) = value {
                    set.set(limit, value);
                }
            }
            set
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop::sample::select(vec![Step::Run, Step::Compile])
}

proptest! {
    #[test]
    fn laying_over_is_associative_and_has_a_unit(a in set(), b in set(), c in set()) {
        prop_assert_eq!(a.overlaid(&b).overlaid(&c), a.overlaid(&b.overlaid(&c)));
        prop_assert_eq!(a.overlaid(&LimitSet::default()), a.clone());
        prop_assert_eq!(LimitSet::default().overlaid(&a), a.clone());
        prop_assert_eq!(a.overlaid(&a), a);
    }

    #[test]
    fn what_is_set_stays_and_what_is_not_is_the_contracts(set in set(), step in step()) {
        let (resolved, contract) = (set.resolved(step), Limits::contract(step));
        for limit in LimitName::ALL {
            match set.get(limit) {
                Some(value) => prop_assert_eq!(resolved.get(limit), value),
                None if limit == LimitName::StackBytes => {
                    // A share of the memory, never more than all of it.
                    prop_assert!(resolved.stack_bytes <= resolved.memory_bytes);
                    if set.stack_percent.is_none_or(|percent| percent > 0) && resolved.memory_bytes >= 100 {
                        prop_assert!(resolved.stack_bytes > 0);
                    }
                }
                None => prop_assert_eq!(resolved.get(limit), contract.get(limit)),
            }
        }
    }

    #[test]
    fn the_first_under_its_floor_is_found(set in set(), floors in set(), step in step()) {
        let resolved = set.resolved(step);
        let low = |limit: &LimitName| floors.get(*limit).is_some_and(|floor| resolved.get(*limit) < floor);
        let found = resolved.first_below(&floors);
        prop_assert_eq!(found.map(|below| below.limit), LimitName::ALL.into_iter().find(low));
        if let Some(BelowFloor { limit, value, floor }) = found {
            prop_assert!(value < floor && value == resolved.get(limit) && Some(floor) == floors.get(limit));
        }
    }

    #[test]
    fn an_amount_is_shown_as_it_is(value in any::<u64>(), limit in prop::sample::select(LimitName::ALL.to_vec())) {
        let shown = limit.amount(value);
        let read = match shown.split_once('.') {
            Some((cores, part)) => format!("{cores}{part:0<3}").parse(),
            None => shown.parse(),
        };
        prop_assert_eq!(read, Ok(value), "{}", shown);
        prop_assert_eq!(shown.contains('.'), limit == LimitName::Cpus);
    }
}
