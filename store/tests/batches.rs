//! The life of a batch, statement by statement.
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
    assert!(leased[0].done.is_empty() && leased[0].tried.is_empty());
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
    assert_eq!(leased[0].done, [(COMPILE, b"note".to_vec()), (unit(0), b"note".to_vec())]);
    assert_eq!(leased[0].tried, [(unit(1), 1)]);
    assert_eq!(lease_units(&store, "b", 0, &[unit(0), unit(1)]), [(unit(1), 2)]);
}
