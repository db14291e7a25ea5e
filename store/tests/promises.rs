//! What a call comes to when many wait, nobody waits, or the store is closed meanwhile.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
mod common;

use common::*;
use store::*;

#[test]
fn what_nobody_waits_for_is_done_all_the_same() {
    let folder = Folder::new();
    let store = folder.open();
    drop(store.put(batch("b", 1, 1, 1)));
    drop(store);
    assert_eq!(look(&folder.open(), "b").0.status, Status::Queued);
}

#[test]
fn more_than_the_queue_holds_wait_for_a_place() {
    const MANY: u32 = 1_500;
    let folder = Folder::new();
    let store = folder.open();
    put(&store, batch("b", 1, MANY, 1));
    lease(&store, 1);
    let asked: Vec<_> = (0..MANY).map(|test| store.record(vec![result("b", 0, unit(test), 1)])).collect();
    let read: Vec<_> = (0..MANY).map(|_| store.read(Question::Waiting)).collect();
    for promise in asked {
        assert!(matches!(wait(promise).unwrap()[..], [Recorded::New(_)]));
    }
    for promise in read {
        assert!(matches!(wait(promise), Ok(Answer::Waiting(_))));
    }
    assert_eq!(results(&store, "b", 1, 1).2, u64::from(MANY));
}

#[test]
fn a_store_that_is_closed_answers_everybody_and_tells_no_lies() {
    // It may have done all of it before it is closed, where this thread is kept waiting, but not each time.
    assert!((0..50).any(|_| closed_in_the_middle()), "it was never closed before all was done");
}

/// Whether there was something that it had not done.
fn closed_in_the_middle() -> bool {
    let folder = Folder::new();
    let store = folder.open();
    let puts: Vec<_> = (0..1_200).map(|n| store.put(batch(&format!("b{n}"), 1, 1, 1))).collect();
    let reads: Vec<_> = (0..1_200).map(|_| store.read(Question::Size)).collect();
    let expired = store.expire(i64::MAX / 2);
    drop(store);
    let mut there = Vec::new();
    for (n, promise) in puts.into_iter().enumerate() {
        match wait(promise) {
            Ok(placed) => {
                assert_eq!(placed, Placed::New);
                there.push(format!("b{n}"));
            }
            Err(error) => assert!(error.to_string().contains("closed"), "{error}"),
        }
    }
    reads.into_iter().for_each(|promise| drop(wait(promise)));
    let in_the_middle = wait(expired).is_err();
    let store = folder.open();
    for id in &there {
        look(&store, id);
    }
    let question = Question::List { tenant: "ann".into(), before: None, status: None, label: None, most: 5_000 };
    assert_eq!(list(&store, question).len(), there.len());
    assert!(!there.is_empty());
    in_the_middle
}

#[test]
fn who_watches_is_woken_by_each_result_and_the_end() {
    let folder = Folder::new();
    let store = folder.open();
    let mut work = store.work();
    work.mark_unchanged();
    put(&store, batch("b", 1, 2, 1));
    assert!(work.has_changed().unwrap());
    let (mut one, mut other) = (store.watch("b"), store.watch("b"));
    let elsewhere = store.watch("c");
    lease(&store, 1);
    for seq in 1..=2_u32 {
        record(&store, vec![result("b", 0, unit(seq - 1), 1)]);
        assert_eq!(*one.borrow_and_update(), u64::from(seq));
    }
    record(&store, vec![over("b", 0)]);
    assert!(one.has_changed().unwrap() && other.has_changed().unwrap());
    assert_eq!(*other.borrow_and_update(), 2);
    assert!(!elsewhere.has_changed().unwrap());
}
