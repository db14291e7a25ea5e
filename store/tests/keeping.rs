//! What is kept, for how long and how much of it; and copies.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use common::*;
use store::*;

const DAY: i64 = 24 * 3_600 * 1_000;

/// Judges a batch of one test to its end.
fn finish(store: &SqliteStore, id: &str, submissions: u32) {
    lease(store, 1_000);
    for submission in 0..submissions {
        record(store, vec![result(id, submission, unit(0), 1), over(id, submission)]);
    }
}

fn again(id: &str, of: &str, names: &[&str]) -> NewBatch {
    let submissions = names.iter().map(|name| NewSubmission { name: (*name).to_owned(), spec: Vec::new() }).collect();
    NewBatch { rejudge_of: Some(of.into()), submissions, tests: Vec::new(), ..batch(id, 0, 0, 1) }
}

fn blob_batch(id: &str, hash: u8) -> NewBatch {
    let mut batch = batch(id, 3, 1, 1);
    batch.tests[0].stdin = Datum::Blob([hash; 32]);
    batch
}

#[test]
fn who_judges_again_has_the_same_data() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, blob_batch("first", 1));
    finish(&store, "first", 3);
    assert_eq!(put(&store, again("all", "first", &[])), Placed::New);
    assert_eq!(put(&store, again("some", "first", &["s2", "s0"])), Placed::New);
    assert!(
        matches!(wait(store.put(again("x", "first", &["s9"]))), Err(StoreError::Failed(text)) if text.contains("s9"))
    );
    assert!(matches!(wait(store.put(again("x", "none", &[]))), Err(StoreError::Unknown)));
    let of_bob = NewBatch { tenant: "bob".into(), ..again("x", "first", &[]) };
    assert!(matches!(wait(store.put(of_bob)), Err(StoreError::Unknown)));
    let (summary, details) = look(&store, "some");
    assert_eq!((summary.rejudge_of.as_deref(), summary.results, summary.tests), (Some("first"), 2, 1));
    assert_eq!(details.spec, b"spec");
    let leased: Vec<_> = lease(&store, 9).into_iter().filter(|one| one.batch == "some").collect();
    assert_eq!(leased[0].submission_spec, b"source of s2");
    assert_eq!(leased[1].name, "s0");
    // Of a batch that judged some again, those that it has.
    assert_eq!(put(&store, again("third", "some", &[])), Placed::New);
    assert_eq!(look(&store, "third").1.submissions[0].0, "s2");
}

#[test]
fn what_is_over_is_forgotten_in_time_and_its_data_with_the_last_that_has_them() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, blob_batch("first", 1));
    finish(&store, "first", 3);
    put(&store, again("second", "first", &[]));
    put(&store, blob_batch("waits", 2));
    let keep = 30 * DAY;
    assert_eq!(wait(store.expire(3_000 + keep - 1)).unwrap(), Expired::default());
    assert_eq!(wait(store.expire(3_000 + keep)).unwrap(), Expired { batches: 1, keys: 0 });
    let gone = Question::Batch { tenant: "ann".into(), batch: "first".into() };
    assert!(matches!(wait(store.read(gone)), Err(StoreError::Unknown)));
    assert_eq!(blobs(&store, "ann"), [[1; 32], [2; 32]]);
    assert_eq!(lease(&store, 1)[0].submission_spec, b"source of s0");
    let cancel = Record::Cancel { batch: "second".into(), tenant: "ann".into(), at: 5_000 };
    record(&store, vec![cancel]);
    assert_eq!(wait(store.expire(5_000 + keep)).unwrap().batches, 1);
    assert_eq!(blobs(&store, "ann"), [[2; 32]], "what nobody needs is given up");
    assert_eq!(size(&store).batches, 1, "what goes on is kept");
}

#[test]
fn keys_are_forgotten_in_time() {
    let folder = Folder::new();
    let store = folder.open();
    let key = Some(IdempotencyKey { key: "k".into(), body: [0; 32], until: 500 });
    put(&store, NewBatch { key, ..batch("b", 1, 1, 1) });
    assert_eq!(wait(store.expire(499)).unwrap().keys, 0);
    assert_eq!(wait(store.expire(500)).unwrap(), Expired { batches: 0, keys: 1 });
}

#[test]
fn a_tenant_has_its_caps() {
    let folder = Folder::new();
    let options = Options { tenant_batches: 3, tenant_bytes: 6_000, ..Options::new(folder.path()) };
    let store = SqliteStore::open(options).unwrap();
    let queued = |id: &str, most| NewBatch { queued_results: most, ..batch(id, 2, 3, 1) };
    assert_eq!(put(&store, queued("b", 5)), Placed::TooMany(0));
    assert_eq!(put(&store, queued("b", 6)), Placed::New);
    assert_eq!(put(&store, queued("c", 11)), Placed::TooMany(6));
    let of_bob = NewBatch { tenant: "bob".into(), ..queued("of-bob", 6) };
    assert_eq!(put(&store, of_bob), Placed::New, "one tenant's are not another's");
    lease(&store, 1);
    record(&store, vec![result("b", 0, unit(0), 1)]);
    assert_eq!(put(&store, queued("c", 11)), Placed::New, "what has its result is not waited for");
    let mut large = batch("d", 1, 1, 1);
    large.spec = vec![0; 6_000];
    match put(&store, large) {
        Placed::OverQuota { what: "bytes", has, most: 6_000 } => assert!((2_000..6_000).contains(&has), "{has}"),
        other => panic!("{other:?}"),
    }
    let least = NewBatch { tenant_bytes: 1_000, ..batch("d", 1, 1, 1) };
    assert!(matches!(put(&store, least), Placed::OverQuota { what: "bytes", most: 1_000, .. }));
    put(&store, batch("d", 1, 1, 1));
    assert_eq!(put(&store, batch("e", 1, 1, 1)), Placed::OverQuota { what: "batches", has: 3, most: 3 });
    let cancel = Record::Cancel { batch: "d".into(), tenant: "ann".into(), at: 0 };
    record(&store, vec![cancel]);
    wait(store.expire(31 * DAY)).unwrap();
    assert_eq!(put(&store, batch("e", 1, 1, 1)), Placed::New);
}

#[test]
fn a_store_at_its_cap_takes_no_batch_and_yet_the_results_of_those_it_has() {
    let folder = Folder::new();
    let options = || Options { bytes: 1 << 20, keep: Duration::ZERO, ..Options::new(folder.path()) };
    let store = SqliteStore::open(options()).unwrap();
    let mut ids = Vec::new();
    let full = loop {
        let id = format!("b{}", ids.len());
        let new = NewBatch { spec: vec![1; 20_000], ..batch(&id, 5, 1, 1) };
        match wait(store.put(new)) {
            Ok(placed) => assert_eq!(placed, Placed::New),
            Err(error) => break error,
        }
        ids.push(id);
    };
    assert!(matches!(full, StoreError::Full(_)), "{full}");
    assert!(full.to_string().contains("store_bytes"), "{full}");
    assert!(ids.len() > 10, "{}", ids.len());
    for _ in &ids {
        lease(&store, 5);
    }
    for id in &ids {
        for submission in 0..5 {
            let mut line = result(id, submission, unit(0), 1);
            if let Record::Result { body, .. } = &mut line {
                body.resize(900, b'x');
            }
            record(&store, vec![line, over(id, submission)]);
        }
    }
    let before = size(&store);
    assert!(before.bytes <= 1 << 20, "{before:?}");
    assert_eq!((before.finished, before.waiting), (u64::try_from(ids.len()).unwrap(), 0));
    wait(store.expire(4_000)).unwrap();
    let after = size(&store);
    assert_eq!(after.batches, 0);
    assert!(after.bytes * 2 < before.bytes, "the file gets smaller: {before:?} {after:?}");
    assert_eq!(put(&store, batch("new", 1, 1, 1)), Placed::New);
    drop(store);
    let file = fs::metadata(folder.path().join("batches.sqlite")).unwrap().len();
    assert!(file <= after.bytes + 4_096 * 4, "{file}");
}

#[test]
fn rows_of_a_rejudge_are_its_tenants() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, batch("first", 500, 1, 1));
    let again = |id: &str| NewBatch { tenant_bytes: 1 << 20, ..again(id, "first", &[]) };
    let all = (0..100).map(|n| put(&store, again(&format!("r{n}")))).collect::<Vec<_>>();
    match all.iter().position(|placed| *placed != Placed::New) {
        Some(count) => assert!((5..20).contains(&count), "{count}: {:?}", all[count]),
        None => panic!("what has no data of its own is not counted"),
    }
}

#[test]
fn the_longest_results_of_every_batch_find_room_whatever_else_comes() {
    let folder = Folder::new();
    let store = SqliteStore::open(Options { bytes: 1 << 20, ..Options::new(folder.path()) }).unwrap();
    // Texts that fit badly in the pages of a file are no exception, nor that every other one is shorter and fits worse.
    let rounds =
        [(2_050_usize, 2_050_usize), (6_000, 6_000), (4_070, 4_070), (900, 900), (5_690, 5_690), (5_690, 2_500)];
    for (round, (text, other)) in rounds.into_iter().chain([(6_200, 3_900), (4_560, 4_560), (8_100, 4_000)]).enumerate()
    {
        let mut ids = Vec::new();
        loop {
            let id = format!("b{round}-{}", ids.len());
            let result_bytes = u64::try_from(text).unwrap();
            match wait(store.put(NewBatch { result_bytes, ..batch(&id, 2, 8, 1) })) {
                Ok(placed) => assert_eq!(placed, Placed::New),
                Err(error) => break assert!(matches!(error, StoreError::Full(_)), "{error}"),
            }
            ids.push(id);
        }
        assert!(ids.len() > 1, "{text}");
        lease(&store, 2 * ids.len());
        // Of all batches in turn, as they are judged.
        for submission in 0..2 {
            let mut lines = Vec::new();
            for (test, id) in (0..8).flat_map(|test| ids.iter().map(move |id| (test, id))) {
                let mut line = result(id, submission, unit(test), 1);
                if let Record::Result { body, note, .. } = &mut line {
                    body.resize(if test % 2 == 0 { text } else { other } - note.len(), b'x');
                }
                lines.push(line);
            }
            record(&store, lines);
            let over =
                |id: &String| Record::Submission { batch: id.clone(), submission, body: vec![b'x'; text], at: 3_000 };
            record(&store, ids.iter().map(over).collect());
        }
        assert_eq!(size(&store).waiting, 0);
        wait(store.expire(31 * DAY)).unwrap();
    }
}

#[test]
fn what_no_store_has_room_for_is_too_large_and_not_only_now() {
    let folder = Folder::new();
    let store = SqliteStore::open(Options { bytes: 1 << 20, ..Options::new(folder.path()) }).unwrap();
    let with = |id: &str, tests: u32| NewBatch { result_bytes: 2_050, ..batch(id, 1, tests, 1) };
    let Placed::TooLarge { wanted, most } = put(&store, with("large", 1_000)) else { panic!("it is taken") };
    assert!(wanted > most && most == 1 << 20, "{wanted} {most}");
    // What is taken by an empty store is never told that of a full one.
    let largest = (1..1_000).rev().find(|tests| put(&store, with("b", *tests)) == Placed::New).unwrap();
    assert!((150..250).contains(&largest), "{largest}");
    assert!(matches!(wait(store.put(with("c", largest))), Err(StoreError::Full(_))));
    assert!(matches!(put(&store, with("d", largest + 1)), Placed::TooLarge { .. }));
}

#[test]
fn a_page_of_results_ends_when_it_is_long() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, batch("b", 1, 9, 1));
    lease(&store, 1);
    for test in 0..9 {
        let mut line = result("b", 0, unit(test), 1);
        if let Record::Result { body, .. } = &mut line {
            body.resize(1_000, b'x');
        }
        record(&store, vec![line]);
    }
    let page = |from, most_bytes| {
        let question = Question::Results { tenant: "ann".into(), batch: "b".into(), from, most: 8, most_bytes };
        match wait(store.read(question)).unwrap() {
            Answer::Results { results, .. } => results.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(page(1, 3_000), [1, 2, 3]);
    assert_eq!(page(4, 10), [4], "one always comes");
    assert_eq!(page(1, 100_000).len(), 8);
}

#[test]
fn a_batch_is_told_without_its_submissions() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, batch("b", 2, 1, 1));
    lease(&store, 1);
    record(&store, vec![result("b", 0, unit(0), 1), over("b", 0)]);
    match wait(store.read(Question::Summary { tenant: "ann".into(), batch: "b".into() })).unwrap() {
        Answer::Summary(summary, bytes) => assert_eq!((*summary, bytes), (look(&store, "b").0, 9)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cap_that_was_made_smaller_leaves_room_for_the_results_of_accepted_batches() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, NewBatch { spec: vec![0; 500_000], ..batch("b", 1, 300, 1) });
    drop(store);
    let options = Options { bytes: 300_000, ..Options::new(folder.path()) };
    let store = SqliteStore::open(options).unwrap();
    assert!(matches!(wait(store.put(batch("c", 1, 1, 1))), Err(StoreError::Full(_))));
    lease(&store, 1);
    for test in 0..300 {
        let mut line = result("b", 0, unit(test), 1);
        if let Record::Result { body, .. } = &mut line {
            body.resize(900, b'x');
        }
        record(&store, vec![line]);
    }
    assert_eq!(record(&store, vec![over("b", 0)]), [Recorded::New(0)]);
}

#[test]
fn one_engine_has_it_and_nobody_else_reads_it() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, batch("b", 1, 1, 1));
    match SqliteStore::open(Options::new(folder.path())) {
        Err(error @ Unusable::Held { .. }) => assert!(error.to_string().contains("another engined"), "{error}"),
        other => panic!("{:?}", other.map(|_| ())),
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["batches.sqlite", "batches.sqlite-shm", "batches.sqlite-wal", "lock"]);
    drop(store);
    folder.open();
}

#[test]
fn who_closes_it_leaves_one_file() {
    let folder = Folder::new();
    for n in 0..60 {
        let store = folder.open();
        put(&store, batch(&format!("b{n}"), 1, 1, 1));
        drop(store);
        assert!(!folder.path().join("batches.sqlite-wal").exists(), "the log is in the file, time {n}");
    }
}

#[test]
fn a_damaged_file_is_told() {
    let folder = Folder::new();
    let store = folder.open();
    for n in 0..200 {
        put(&store, batch(&format!("b{n}"), 3, 3, 1));
    }
    drop(store);
    let path = folder.path().join("batches.sqlite");
    let good = fs::read(&path).unwrap();
    let damaged = |what: &[u8]| {
        let mut pages = good.clone();
        for page in pages.chunks_mut(4_096).filter(|page| page.windows(what.len()).any(|seen| seen == what)) {
            page.fill(0xff);
        }
        fs::write(&path, &pages).unwrap();
    };
    for what in ["SQLite format 3", "b150ann"] {
        damaged(what.as_bytes());
        match SqliteStore::open(Options::new(folder.path())) {
            Err(error @ Unusable::Damaged { .. }) => {
                assert!(error.to_string().contains("engined store restore"), "{error}")
            }
            other => panic!("{:?}", other.map(|_| ())),
        }
    }
    // What is not needed to open it is told when it is read.
    damaged(b"answer 2");
    let store = folder.open();
    match wait(store.read(Question::Tests { batch: "b150".into() })) {
        Err(StoreError::Failed(text)) => assert!(text.contains("damaged") && text.contains("restore"), "{text}"),
        other => panic!("{other:?}"),
    }
    drop(store);
    assert!(matches!(backup(folder.path(), &folder.path().join("copy")), Err(Unusable::Damaged { .. })));
}

#[test]
fn something_elses_database_is_left_alone() {
    let folder = Folder::new();
    fs::write(folder.path().join("batches.sqlite"), "This is a letter of some length, and no database at all.")
        .unwrap();
    assert!(matches!(SqliteStore::open(Options::new(folder.path())), Err(Unusable::Damaged { .. })));
}

#[test]
fn a_copy_of_a_store_that_serves_has_all_and_goes_on() {
    let folder = Folder::new();
    let (copy, new) = (folder.path().join("copy"), folder.path().join("new"));
    let store = SqliteStore::open(Options::new(folder.path().join("first"))).unwrap();
    put(&store, batch("over", 1, 1, 1));
    put(&store, batch("on", 2, 1, 1));
    finish(&store, "over", 1);
    lease_units(&store, "on", 0, &[unit(0)]);
    wait(store.backup(&copy)).unwrap();
    assert!(matches!(wait(store.backup(&copy)), Err(StoreError::Failed(text)) if text.contains("already")));
    // What comes after the copy is not in it.
    put(&store, batch("later", 1, 1, 1));
    // Somebody has looked at the copy.
    drop(SqliteStore::open(Options::new(&copy)).unwrap());
    restore(&copy, &new).unwrap();
    assert!(matches!(restore(&copy, &new), Err(Unusable::Taken { .. })));
    let restored = SqliteStore::open(Options::new(&new)).unwrap();
    assert!(matches!(restore(&copy, &new), Err(Unusable::Held { .. })));
    assert_eq!(results(&restored, "over", 1, 9), results(&store, "over", 1, 9));
    assert_eq!(look(&restored, "over"), look(&store, "over"));
    let leased = lease(&restored, 9);
    assert_eq!((leased.len(), &leased[0].tried[..]), (2, &[(unit(0), 1)][..]));
    record(&restored, vec![result("on", 0, unit(0), 2), over("on", 0), result("on", 1, unit(0), 1), over("on", 1)]);
    assert_eq!(look(&restored, "on").0.status, Status::Finished);
    let later = Question::Batch { tenant: "ann".into(), batch: "later".into() };
    assert!(matches!(wait(restored.read(later)), Err(StoreError::Unknown)));
}

#[test]
fn a_copy_while_others_write_is_of_one_moment() {
    let folder = Folder::new();
    let store = SqliteStore::open(Options::new(folder.path().join("first"))).unwrap();
    put(&store, batch("b", 1, 1_000, 1));
    lease(&store, 1);
    let asked: Vec<_> = (0..1_000).map(|test| store.record(vec![result("b", 0, unit(test), 1)])).collect();
    backup(&folder.path().join("first"), &folder.path().join("copy")).unwrap();
    for promise in asked {
        assert!(matches!(wait(promise).unwrap()[..], [Recorded::New(_)]));
    }
    let copy = SqliteStore::open(Options::new(folder.path().join("copy"))).unwrap();
    let (lines, _, last) = results(&copy, "b", 1, 2_000);
    assert_eq!(lines.iter().map(|line| line.0).collect::<Vec<_>>(), (1..=last).collect::<Vec<_>>());
    assert_eq!(lines[..], results(&store, "b", 1, lines.len()).0[..]);
}
