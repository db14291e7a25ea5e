//! The index against a list that is searched from end to end.
use proptest::prelude::*;

use super::*;

const MOST: u64 = 256 * PAGE;

fn key(number: u8) -> Key {
    Key([number; 32])
}

fn held(owner: Owner, used: u64, bytes: u64) -> Held {
    Held { owner, used, bytes, program: true, written: used, until: None, seen: true }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// Written, unless it is there.
    Kept(u8, Owner, u64),
    /// Promised and not written.
    Waived(u64),
    Used(u8),
    Removed(u8),
}

fn event() -> impl Strategy<Value = Event> {
    let bytes = 1..MOST / 3;
    prop_oneof![
        4 => (0..40_u8, 0..3_usize, bytes.clone()).prop_map(|(number, owner, bytes)| Event::Kept(number, owner, bytes)),
        1 => bytes.prop_map(Event::Waived),
        3 => (0..40_u8).prop_map(Event::Used),
        1 => (0..40_u8).prop_map(Event::Removed),
    ]
}

/// Number, owner and room of each, the one that was used longest ago first.
type Model = Vec<(u8, Owner, u64)>;

fn make_way(model: &mut Model, promised: u64) -> Vec<u8> {
    let mut gone = Vec::new();
    loop {
        let of = |owner: Owner| model.iter().filter(|entry| entry.1 == owner).map(|entry| entry.2).sum::<u64>();
        if (0..3).map(of).sum::<u64>() + promised <= MOST {
            return gone;
        }
        let largest = (0..3).max_by_key(|owner| of(*owner)).unwrap();
        let at = model.iter().position(|entry| entry.1 == largest).unwrap();
        gone.push(model.remove(at).0);
    }
}

proptest! {
    #[test]
    fn the_least_recently_used_of_the_largest_goes(events in prop::collection::vec(event(), 1..200)) {
        let mut index = Index::new(MOST, 3);
        let mut model: Model = Vec::new();
        for event in events {
            match event {
                Event::Kept(number, owner, bytes) => {
                    let gone = index.promise(bytes);
                    if room(bytes) > share(MOST) {
                        prop_assert_eq!(gone, None);
                        continue;
                    }
                    let gone: Vec<u8> = gone.unwrap().iter().map(|(key, _)| key.0[0]).collect();
                    prop_assert_eq!(gone, make_way(&mut model, room(bytes)));
                    let used = index.tick();
                    let before = index.keep(key(number), held(owner, used, bytes), bytes);
                    let at = model.iter().position(|entry| entry.0 == number);
                    prop_assert_eq!(before.is_some(), at.is_some());
                    at.map(|at| model.remove(at));
                    model.push((number, owner, room(bytes)));
                    prop_assert!(index.shrink().is_empty(), "there is room for what was promised");
                }
                Event::Waived(bytes) => {
                    if let Some(gone) = index.promise(bytes) {
                        let gone: Vec<u8> = gone.iter().map(|(key, _)| key.0[0]).collect();
                        prop_assert_eq!(gone, make_way(&mut model, room(bytes)));
                        index.waive(bytes);
                    }
                }
                Event::Used(number) => {
                    let at = model.iter().position(|entry| entry.0 == number);
                    prop_assert_eq!(index.touch(&key(number)).is_some(), at.is_some());
                    if let Some(at) = at {
                        let entry = model.remove(at);
                        model.push(entry);
                    }
                }
                Event::Removed(number) => {
                    let before = model.len();
                    model.retain(|entry| entry.0 != number);
                    prop_assert_eq!(index.remove(&key(number)).is_some(), model.len() < before);
                }
            }
            let total: u64 = model.iter().map(|entry| entry.2).sum();
            prop_assert_eq!(index.totals(), (total, model.len()));
            prop_assert!(total <= MOST && index.promised == 0);
        }
    }
}

#[test]
fn what_is_found_stands_in_the_order_of_its_numbers() {
    let mut index = Index::new(MOST, 1);
    let bytes = 2 * PAGE;
    for (number, used) in [(1, 30), (2, 10), (3, 20)] {
        assert_eq!(index.found(key(number), held(0, used, bytes)), None);
    }
    // Two of one key: the later one stays.
    assert_eq!(index.found(key(1), held(0, 5, bytes)), Some((key(1), held(0, 5, bytes))));
    assert_eq!(index.found(key(2), held(0, 40, bytes)), Some((key(2), held(0, 10, bytes))));
    assert!(index.tick() > 40, "the clock goes on");
    let mut more = Index::new(2 * room(bytes), 1);
    for (number, used) in [(1, 30), (3, 20), (2, 40)] {
        assert_eq!(more.found(key(number), held(0, used, bytes)), None);
    }
    let gone: Vec<Key> = more.shrink().into_iter().map(|(key, _)| key).collect();
    assert_eq!(gone, [key(3)]);
}

#[test]
fn a_large_tenant_does_not_push_out_a_small_one() {
    let mut index = Index::new(MOST, 2);
    let keep = |index: &mut Index, number: u8, owner: Owner, bytes: u64| {
        let gone = index.promise(bytes).unwrap();
        let used = index.tick();
        index.keep(key(number), held(owner, used, bytes), bytes);
        gone
    };
    keep(&mut index, 0, 1, 1);
    for number in 1..100 {
        let gone = keep(&mut index, number, 0, 10 * PAGE);
        assert!(gone.iter().all(|(_, held)| held.owner == 0));
    }
    assert!(index.get(&key(0)).is_some(), "the first of all, of the tenant that keeps little");
    assert_eq!(index.promise(share(MOST)), None, "more than its share");
}

#[test]
fn a_failure_stands_for_its_time_and_is_then_replaced() {
    let mut index = Index::new(MOST, 1);
    let failed = |until| Held { program: false, until: Some(until), ..held(0, 1, 10) };
    index.promise(10).unwrap();
    assert_eq!(index.keep(key(1), failed(Instant::now() + FAILURE_LASTS), 10), None);
    assert!(index.get(&key(1)).is_some() && index.touch(&key(1)).is_some());
    index.promise(10).unwrap();
    let over = failed(Instant::now());
    index.keep(key(1), over, 10).unwrap();
    assert!(index.get(&key(1)).is_none() && index.touch(&key(1)).is_none());
    index.promise(10).unwrap();
    assert_eq!(index.keep(key(1), held(0, 2, 10), 10), Some(over));
    assert!(index.get(&key(1)).is_some());
}

#[test]
fn where_the_list_is_full_the_one_with_most_entries_gives() {
    let mut index = Index { most_entries: 4, ..Index::new(MOST, 2) };
    for (number, owner, bytes) in [(1, 0, 100 * PAGE), (2, 1, 1), (3, 1, 1)] {
        assert_eq!(index.found(key(number), held(owner, number.into(), bytes)), None);
    }
    assert!(index.shrink().is_empty());
    index.found(key(4), held(1, 4, 1));
    let gone: Vec<Key> = index.shrink().into_iter().map(|(key, _)| key).collect();
    assert_eq!(gone, [key(2)], "not the large one of the other");
}
