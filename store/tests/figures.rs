//! How much room the store needs, and how fast it is. Only the room is asserted: times are said, and depend on the disk.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
mod common;

use std::time::Instant;

use common::*;
use store::*;

/// A batch whose texts are as long as those of real ones.
fn usual(id: &str) -> NewBatch {
    let mut batch = batch(id, 1_000, 100, 1);
    batch.submissions.iter_mut().for_each(|one| one.spec = vec![b's'; 2_000]);
    batch.tests.iter_mut().for_each(|one| one.stdin = Datum::Inline(vec![b'i'; 1_000]));
    batch
}

fn data(batch: &NewBatch) -> u64 {
    let inline = |datum: &Datum| match datum {
        Datum::Inline(bytes) => bytes.len(),
        _ => 0,
    };
    let submissions: usize = batch.submissions.iter().map(|one| one.name.len() + one.spec.len()).sum();
    let tests: usize = batch.tests.iter().map(|one| one.spec.len() + inline(&one.stdin) + inline(&one.expected)).sum();
    u64::try_from(submissions + tests).unwrap()
}

#[test]
fn what_waits_needs_next_to_no_room() {
    let folder = Folder::new();
    let store = folder.open();
    let empty = size(&store).bytes;
    let new = usual("large");
    let data = data(&new);
    let began = Instant::now();
    assert_eq!(put(&store, new), Placed::New);
    let took = began.elapsed();
    let now = size(&store);
    assert_eq!(now.waiting, 100_000);
    let beside = now.bytes.saturating_sub(empty + data);
    eprintln!("100,000 results wait: put in {took:?}, {data} bytes of data, {beside} besides");
    // 200 bytes for each are the bar; it is about a hundredth, because there is no row for what waits.
    assert!(beside < 100_000 * 20, "{beside}");
    let began = Instant::now();
    assert_eq!(put(&store, batch("next", 1, 1, 1)), Placed::New);
    eprintln!("the next was put in {:?}", began.elapsed());
}

#[test]
fn results_that_come_together_share_their_wait_for_the_disk() {
    // They come together where the disk is slower than who asks: whoever is kept waiting may find each done at once.
    assert!((0..10).any(|_| shared()), "each has a transaction");
}

fn shared() -> bool {
    const RESULTS: u32 = 4_000;
    let folder = Folder::new();
    let store = folder.open();
    put(&store, batch("b", 4, RESULTS / 4, 1));
    lease(&store, 4);
    let before = store.stats();
    let began = Instant::now();
    let mut asked = std::collections::VecDeque::new();
    for n in 0..RESULTS {
        let mut line = result("b", n % 4, unit(n / 4), 1);
        if let Record::Result { body, .. } = &mut line {
            body.resize(400, b'x');
        }
        asked.push_back(store.record(vec![line]));
        if asked.len() == 64 {
            wait(asked.pop_front().unwrap()).unwrap();
        }
    }
    for promise in asked {
        wait(promise).unwrap();
    }
    let took = began.elapsed();
    let after = store.stats();
    let commits = after.commits - before.commits;
    let (each, per_second) = (after.took - before.took, f64::from(RESULTS) / took.as_secs_f64());
    let bytes = size(&store).bytes / u64::from(RESULTS);
    eprintln!(
        "{RESULTS} results by 64 at a time: {per_second:.0}/s, {commits} commits in {each:?}, {bytes} bytes each"
    );
    commits < u64::from(RESULTS) / 4
}
