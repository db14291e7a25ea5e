//! The life of a batch, statement by statement.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
mod common;

use common::*;
use store::*;

#[test]
fn a_batch_goes_from_put_to_finished() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(put(&store, batch("b", 2, 2, 1)), Placed::New);
    assert_eq!(look(&store, "b").0.status, Status::Queued);
    let leased = lease(&store, 10);
    assert_eq!(leased.iter().map(|one| one.submission).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(leased[0].submission_spec, b"source of s0");
    assert_eq!(leased[0].spec, b"spec");
    assert_eq!(leased[0].labels["course"], "c1");
    assert!(leased[0].done == 0 && leased[0].compiled.is_none() && leased[0].tried.is_empty());
    assert!(lease(&store, 10).is_empty(), "nobody gets what another has");
    assert_eq!(look(&store, "b").0.status, Status::Running);
    assert_eq!(lease_units(&store, "b", 0, &[COMPILE]), [(COMPILE, 1)]);
    assert_eq!(record(&store, vec![result("b", 0, COMPILE, 1)]), [Recorded::New(0)]);
    assert_eq!(lease_units(&store, "b", 0, &[unit(1), unit(0)]), [(unit(1), 1), (unit(0), 1)]);
    assert_eq!(record(&store, vec![result("b", 0, unit(1), 1)]), [Recorded::New(1)]);
    assert_eq!(record(&store, vec![result("b", 0, unit(1), 1)]), [Recorded::Before]);
    assert_eq!(record(&store, vec![result("b", 0, unit(0), 1), over("b", 0)]), [Recorded::New(2), Recorded::New(0)]);
    assert_eq!(record(&store, vec![over("b", 0)]), [Recorded::Before]);
    assert_eq!(results(&store, "b", 1, 10).2, 2);
    assert!(!results(&store, "b", 1, 10).1);
    record(&store, vec![result("b", 1, unit(0), 1), result("b", 1, unit(1), 1), over("b", 1)]);
    let (summary, details) = look(&store, "b");
    assert_eq!((summary.status, summary.done, summary.finished), (Status::Finished, 4, Some(3_000)));
    assert_eq!(details.verdicts["accepted"], 4);
    assert_eq!(details.submissions[1], ("s1".into(), 2, Some(b"line of 1".to_vec())));
    let (lines, over, _) = results(&store, "b", 2, 2);
    assert!(over);
    assert_eq!(lines.iter().map(|line| line.0).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_store_that_is_opened_again_has_everything_but_the_leases() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, batch("b", 1, 2, 1));
    lease(&store, 1);
    lease_units(&store, "b", 0, &[COMPILE]);
    record(&store, vec![result("b", 0, COMPILE, 1)]);
    lease_units(&store, "b", 0, &[unit(0), unit(1)]);
    record(&store, vec![result("b", 0, unit(0), 1)]);
    drop(store);
    let store = folder.open();
    let leased = lease(&store, 1);
    assert_eq!(done(&store, &leased[0]), [(unit(0), b"note".to_vec())]);
    assert_eq!(leased[0].compiled.as_deref(), Some(&b"note"[..]));
    assert_eq!(leased[0].tried, [(unit(1), 1)]);
    assert_eq!(lease_units(&store, "b", 0, &[unit(0), unit(1)]), [(unit(1), 2)]);
}

#[test]
fn a_unit_that_was_not_begun_is_not_counted() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, batch("b", 2, 1, 1));
    lease(&store, 1);
    assert_eq!(lease_units(&store, "b", 0, &[unit(0)]), [(unit(0), 1)]);
    assert_eq!(lease_units(&store, "b", 0, &[unit(0)]), [(unit(0), 2)]);
    give_back(&store, "b", 0, &[unit(0)], false);
    assert_eq!(lease_units(&store, "b", 0, &[unit(0)]), [(unit(0), 2)]);
    let mut work = store.work();
    work.mark_unchanged();
    give_back(&store, "b", 0, &[unit(0)], true);
    assert!(work.has_changed().unwrap(), "what was given back can be leased");
    let leased = lease(&store, 2);
    assert_eq!(leased.iter().map(|one| one.submission).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(leased[0].tried, [(unit(0), 1)]);
    give_back(&store, "b", 0, &[unit(0)], true);
    assert!(lease(&store, 1)[0].tried.is_empty());
}

#[test]
fn units_of_what_one_has_not_leased_are_refused() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, batch("b", 2, 1, 1));
    lease(&store, 1);
    let units = |submission, units: &[Unit]| {
        wait(store.lease(Wish::Units { batch: "b".into(), submission, units: units.to_vec() }))
    };
    assert!(matches!(units(1, &[unit(0)]), Err(StoreError::Failed(text)) if text.contains("not leased")));
    for wrong in
        [unit(1), Unit { test: Some(0), repeat: 0 }, Unit { test: Some(0), repeat: 2 }, Unit { test: None, repeat: 1 }]
    {
        assert!(matches!(units(0, &[wrong]), Err(StoreError::Failed(text)) if text.contains("no unit")));
        assert!(matches!(wait(store.record(vec![result("b", 0, wrong, 1)])), Err(StoreError::Failed(_))));
    }
}

#[test]
fn a_submission_is_not_over_before_all_its_results_are_there() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, batch("b", 1, 2, 1));
    lease(&store, 1);
    let error = wait(store.record(vec![result("b", 0, unit(0), 1), over("b", 0)])).unwrap_err();
    assert!(error.to_string().contains("1 of 2 results"), "{error}");
    assert_eq!(results(&store, "b", 1, 10).2, 0, "all of it or nothing");
}

#[test]
fn a_cancelled_batch_keeps_what_it_has_and_gets_no_more() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, batch("b", 2, 1, 1));
    lease(&store, 1);
    lease_units(&store, "b", 0, &[unit(0)]);
    let mut watched = store.watch("b");
    record(&store, vec![result("b", 0, unit(0), 1)]);
    assert_eq!(*watched.borrow_and_update(), 1);
    let cancel = |tenant: &str| Record::Cancel { batch: "b".into(), tenant: tenant.into(), at: 9 };
    assert!(matches!(wait(store.record(vec![cancel("bob")])), Err(StoreError::Unknown)));
    assert_eq!(record(&store, vec![cancel("ann")]), [Recorded::New(0)]);
    assert!(watched.has_changed().unwrap(), "who waits for results has to know");
    assert_eq!(record(&store, vec![cancel("ann")]), [Recorded::Before]);
    assert_eq!(record(&store, vec![result("b", 1, unit(0), 1)]), [Recorded::Over]);
    assert_eq!(record(&store, vec![over("b", 0)]), [Recorded::Over]);
    assert!(lease_units(&store, "b", 0, &[unit(0)]).is_empty());
    assert!(lease(&store, 5).is_empty());
    give_back(&store, "b", 0, &[unit(0)], true);
    let (lines, over, last) = results(&store, "b", 1, 10);
    assert_eq!((lines.len(), over, last), (1, true, 1));
    let (summary, _) = look(&store, "b");
    assert_eq!((summary.status, summary.finished), (Status::Cancelled, Some(9)));
    assert_eq!(record(&store, vec![result("gone", 0, unit(0), 1)]), [Recorded::Over]);
}

#[test]
fn a_key_gives_the_same_batch_until_its_time_is_over() {
    let folder = Folder::new();
    let store = folder.open();
    let keyed = |id: &str, body: u8, created| NewBatch {
        key: Some(IdempotencyKey { key: "k".into(), body: [body; 32], until: created + 100 }),
        created,
        ..batch(id, 1, 1, 1)
    };
    // All three wait for the thread that writes at the same time: the first is still being written.
    let asked = [store.put(keyed("b1", 1, 0)), store.put(keyed("b2", 1, 1)), store.put(keyed("b3", 2, 2))];
    let placed: Vec<Placed> = asked.into_iter().map(|promise| wait(promise).unwrap()).collect();
    assert_eq!(placed, [Placed::New, Placed::Before("b1".into()), Placed::Conflict]);
    let of_another = NewBatch { tenant: "bob".into(), ..keyed("b4", 2, 3) };
    assert_eq!(put(&store, of_another), Placed::New);
    drop(store);
    let store = folder.open();
    let known = |tenant: &str, body: u8, now| {
        let question = Question::Key { tenant: tenant.into(), key: "k".into(), body: [body; 32], now };
        match wait(store.read(question)).unwrap() {
            Answer::Key(placed) => placed,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([known("ann", 1, 99), known("bob", 2, 99)], ["b1", "b4"].map(|id| Some(Placed::Before(id.into()))));
    assert_eq!([known("ann", 2, 99), known("ann", 1, 100), known("eve", 1, 99)], [Some(Placed::Conflict), None, None]);
    assert_eq!(put(&store, keyed("b5", 1, 99)), Placed::Before("b1".into()));
    assert_eq!(put(&store, keyed("b6", 2, 100)), Placed::New);
    let question = Question::List { tenant: "ann".into(), before: None, status: None, label: None, most: 9 };
    assert_eq!(list(&store, question), ["b6", "b1"]);
}

#[test]
fn batches_of_a_tenant_are_served_in_turn_and_tenants_for_themselves() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, batch("long", 5, 1, 1));
    put(&store, batch("short", 2, 1, 1));
    put(&store, NewBatch { tenant: "bob".into(), ..batch("of-bob", 1, 1, 1) });
    let names = |leased: Vec<LeasedSubmission>| -> Vec<String> {
        leased.into_iter().map(|one| format!("{} {}", one.batch, one.submission)).collect()
    };
    assert_eq!(names(lease(&store, 1)), ["long 0"]);
    assert_eq!(names(lease(&store, 2)), ["short 0", "long 1"]);
    assert_eq!(names(lease(&store, 9)), ["short 1", "long 2", "long 3", "long 4"]);
    assert_eq!(names(lease_of(&store, "bob", 9)), ["of-bob 0"]);
    assert!(lease_of(&store, "eve", 9).is_empty());
    match wait(store.read(Question::Waiting)).unwrap() {
        Answer::Waiting(tenants) => assert_eq!(tenants, ["ann", "bob"]),
        _ => panic!("asked for tenants"),
    }
}

#[test]
fn batches_of_which_nobody_has_anything_have_places_of_their_own() {
    let folder = Folder::new();
    let store = folder.open();
    let names = |leased: Vec<LeasedSubmission>| -> Vec<String> {
        leased.into_iter().map(|one| format!("{} {}", one.batch, one.submission)).collect()
    };
    let share = |any, idle| names(lease_share(&store, Share { tenant: "ann".into(), any, idle }));
    put(&store, batch("a", 4, 1, 1));
    assert_eq!(share(2, 2), ["a 0", "a 1"]);
    assert!(share(0, 2).is_empty(), "somebody has some of it");
    for id in ["b", "c", "d"] {
        put(&store, batch(id, 2, 1, 1));
    }
    // Whoever has his by turns has none beside that.
    assert_eq!(share(1, 1), ["b 0", "c 0"]);
    assert_eq!(share(0, 9), ["d 0"]);
    assert!(share(0, 9).is_empty());
    // What was given back, or is over, is nobody's.
    give_back(&store, "c", 0, &[], true);
    record(&store, vec![result("d", 0, unit(0), 1), over("d", 0)]);
    assert_eq!(share(0, 1), ["c 0"]);
    assert_eq!(share(0, 9), ["d 1"]);
    assert_eq!(share(9, 9), ["a 2", "b 1", "c 1", "a 3"]);
}

#[test]
fn lists_go_back_by_cursor_status_and_label() {
    let folder = Folder::new();
    let store = folder.open();
    for n in 0..5 {
        let labels = [("week".to_owned(), format!("{}", n % 2))].into();
        put(&store, NewBatch { labels, ..batch(&format!("b{n}"), 1, 1, 1) });
    }
    put(&store, NewBatch { tenant: "bob".into(), ..batch("of-bob", 1, 1, 1) });
    lease(&store, 2);
    record(&store, vec![result("b1", 0, unit(0), 1), over("b1", 0)]);
    let all = |before: Option<&str>, status, label: Option<(&str, &str)>, most| {
        list(
            &store,
            Question::List {
                tenant: "ann".into(),
                before: before.map(str::to_owned),
                status,
                label: label.map(|(name, value)| (name.to_owned(), value.to_owned())),
                most,
            },
        )
    };
    assert_eq!(all(None, None, None, 2), ["b4", "b3"]);
    assert_eq!(all(Some("b3"), None, None, 9), ["b2", "b1", "b0"]);
    assert_eq!(all(None, None, Some(("week", "1")), 9), ["b3", "b1"]);
    assert_eq!(all(None, Some(Status::Running), None, 9), ["b0"]);
    assert_eq!(all(None, Some(Status::Finished), Some(("week", "1")), 9), ["b1"]);
    assert!(all(None, Some(Status::Cancelled), None, 9).is_empty());
    let strange =
        Question::List { tenant: "ann".into(), before: Some("of-bob".into()), status: None, label: None, most: 9 };
    assert!(matches!(wait(store.read(strange)), Err(StoreError::Unknown)));
}

#[test]
fn another_tenants_batch_is_unknown() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, batch("b", 1, 1, 1));
    let (tenant, batch) = ("bob".to_owned(), "b".to_owned());
    let questions = [
        Question::Batch { tenant: tenant.clone(), batch: batch.clone() },
        Question::Results { tenant, batch, from: 1, most: 1, most_bytes: 1 },
        Question::Tests { batch: "x".into() },
        Question::Data { batch: "b".into(), test: 1 },
    ];
    for question in questions {
        assert!(matches!(wait(store.read(question)), Err(StoreError::Unknown)));
    }
}

#[test]
fn tests_and_their_data_come_as_they_were_put() {
    let folder = Folder::new();
    let store = folder.open();
    let test = |stdin, expected| NewTest { name: "t".into(), spec: vec![0, 255], stdin, expected };
    let tests = vec![
        test(Datum::Inline(vec![0, 1, 2]), Datum::Absent),
        test(Datum::Blob([7; 32]), Datum::Inline(Vec::new())),
        test(Datum::Blob([8; 32]), Datum::Blob([7; 32])),
    ];
    put(&store, NewBatch { tests: tests.clone(), ..batch("b", 1, 0, 1) });
    match wait(store.read(Question::Tests { batch: "b".into() })).unwrap() {
        Answer::Tests(rows) => {
            assert_eq!(rows.iter().map(|row| row.inline_bytes).collect::<Vec<_>>(), [3, 0, 0]);
            assert_eq!(rows[0].spec, [0, 255]);
        }
        _ => panic!("asked for tests"),
    }
    for (place, test) in (0..).zip(tests) {
        match wait(store.read(Question::Data { batch: "b".into(), test: place })).unwrap() {
            Answer::Data(stdin, expected) => assert_eq!((stdin, expected), (test.stdin, test.expected)),
            _ => panic!("asked for data"),
        }
    }
    assert_eq!(blobs(&store, "ann"), [[7; 32], [8; 32]]);
    assert!(blobs(&store, "bob").is_empty());
}

#[test]
fn one_that_fails_takes_no_other_with_it() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, batch("b", 3, 1, 1));
    lease(&store, 3);
    let asked: Vec<_> = (0..30)
        .map(|n| match n % 3 {
            0 => store.record(vec![result("b", n / 3 % 3, unit(0), 1), over("b", 7)]),
            _ => store.record(vec![result("b", n / 3 % 3, unit(0), 1)]),
        })
        .collect();
    let mut new = Vec::new();
    for (n, promise) in asked.into_iter().enumerate() {
        match wait(promise) {
            Err(StoreError::Failed(_)) => assert_eq!(n % 3, 0),
            Err(error) => panic!("{error}"),
            Ok(recorded) => new.extend(recorded),
        }
    }
    new.retain(|recorded| *recorded != Recorded::Before);
    assert_eq!(new, [Recorded::New(1), Recorded::New(2), Recorded::New(3)], "numbers have no gaps");
}

#[test]
fn a_repeated_test_has_a_result_for_each_run() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, batch("b", 1, 2, 3));
    assert_eq!(look(&store, "b").0.results, 6);
    lease(&store, 1);
    for test in 0..2 {
        for repeat in 1..=3 {
            record(&store, vec![result("b", 0, Unit { test: Some(test), repeat }, 1)]);
        }
    }
    assert_eq!(record(&store, vec![over("b", 0)]), [Recorded::New(0)]);
    assert_eq!(look(&store, "b").0.status, Status::Finished);
}

#[test]
fn each_start_sees_how_often_a_unit_was_tried() {
    let folder = Folder::new();
    put(&folder.open(), batch("b", 1, 2, 1));
    for start in 1..=3 {
        let store = folder.open();
        let leased = lease(&store, 1);
        let before: Vec<(Unit, u32)> = [(COMPILE, start - 1), (unit(1), start - 1)].into();
        assert_eq!(leased[0].tried, if start == 1 { Vec::new() } else { before });
        assert_eq!(lease_units(&store, "b", 0, &[COMPILE, unit(1)]), [(COMPILE, start), (unit(1), start)]);
    }
    let store = folder.open();
    assert_eq!(lease(&store, 1)[0].tried, [(COMPILE, 3), (unit(1), 3)]);
}
