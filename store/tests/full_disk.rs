//! A disk without room: what comes is refused, what was accepted waits and loses nothing, and goes on once there is room.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
mod common;

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use common::*;
use store::*;

/// Set for the process that sees the small disk: where it is.
const DISK: &str = "ENGINED_TEST_SMALL_DISK";

/// Runs a test of this file in a process that has 8 MiB at a place of its own: in a mount namespace, so nobody else sees it.
fn on_a_small_disk(test: &str) {
    let folder = Folder::new();
    let mount = format!("mount -t tmpfs -o size=8m,mode=700 none {} && exec \"$@\"", folder.path().display());
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &mount, "sh"]).arg(env::current_exe().unwrap());
    // What it says of itself is not what this binary says: whoever counts that expects one result, and no other list of
    // failures.
    let told = command.args(["--exact", test, "--nocapture"]).env(DISK, folder.path()).output().unwrap();
    let (output, errors) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    let said = format!("{errors}{output}").replace('\n', "\n    | ");
    assert!(told.status.success(), "{test}: {}\n    | {said}", told.status);
}

/// Whether this process may mount.
fn root() -> bool {
    let root = Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success());
    if !root {
        eprintln!("SKIPPED: may not mount");
        assert!(env::var_os("ENGINED_FORBID_SKIP").is_none_or(|set| set != "1"), "skipping is forbidden");
    }
    root
}

/// Takes all the room there is.
fn fill(folder: &Path) {
    let mut file = File::create(folder.join("ballast")).unwrap();
    let mut piece = vec![b'x'; 4_096];
    while !piece.is_empty() {
        if file.write_all(&piece).is_err() {
            piece.truncate(piece.len() / 2);
        }
    }
}

fn make_room(folder: &Path) {
    fs::remove_file(folder.join("ballast")).unwrap();
}

#[test]
fn a_full_disk_loses_nothing() {
    let Some(disk) = env::var_os(DISK) else {
        if root() {
            on_a_small_disk("a_full_disk_loses_nothing");
        }
        return;
    };
    let disk = Path::new(&disk);
    let open = || SqliteStore::open(Options::new(disk.join("store"))).unwrap();
    let store = open();
    put(&store, batch("b", 2, 30, 1));
    lease(&store, 2);
    put(&store, batch("waits", 1, 1, 1));
    fill(disk);
    // The log has some pages that it may write to again; then there is no room even for a result.
    let mut recorded = Vec::new();
    for test in 0..30 {
        match wait(store.record(vec![large(0, test)])) {
            Ok(new) => recorded.push((test, new)),
            Err(StoreError::Full(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(recorded.len() < 30);
    match wait(store.put(NewBatch { spec: vec![1; 40_000], ..batch("no", 1, 1, 1) })) {
        Err(StoreError::Full(text)) => assert!(!text.is_empty()),
        other => panic!("{other:?}"),
    }
    // Several at once share a transaction: none takes a lie home.
    let together: Vec<_> = (0..30).map(|test| store.record(vec![large(1, test)])).collect();
    for (test, promise) in (0..).zip(together) {
        match wait(promise) {
            Ok(new) => recorded.push((30 + test, new)),
            Err(StoreError::Full(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    // A lease that could not be written down was not given out: somebody else gets it later.
    let wish = || Wish::Submissions { most: vec![Share::any("ann", 1)] };
    assert!(matches!(wait(store.lease(wish())), Err(StoreError::Full(_))));
    // It can be read meanwhile.
    let (lines, _, last) = results(&store, "b", 1, 100);
    assert_eq!((lines.len(), last), (recorded.len(), u64::try_from(recorded.len()).unwrap()));
    make_room(disk);
    assert_eq!(lease(&store, 1)[0].batch, "waits");
    let rest = (0..60).filter(|place| recorded.iter().all(|(there, _)| there != place));
    for place in rest.collect::<Vec<u32>>() {
        assert!(matches!(record(&store, vec![large(place / 30, place % 30)])[..], [Recorded::New(_)]), "{place}");
    }
    assert_eq!(record(&store, vec![over("b", 0), over("b", 1)]), [Recorded::New(0), Recorded::New(0)]);
    assert_eq!(put(&store, batch("yes", 1, 1, 1)), Placed::New);
    drop(store);
    let store = open();
    let (lines, over, _) = results(&store, "b", 1, 100);
    assert!(over);
    assert_eq!(lines.iter().map(|line| line.0).collect::<Vec<_>>(), (1..=60).collect::<Vec<_>>());
    assert_eq!(look(&store, "yes").0.status, Status::Queued);
    let none = Question::Batch { tenant: "ann".into(), batch: "no".into() };
    assert!(matches!(wait(store.read(none)), Err(StoreError::Unknown)));
}

/// A result with a line of 3 KB.
fn large(submission: u32, test: u32) -> Record {
    let mut record = result("b", submission, unit(test), 1);
    if let Record::Result { body, .. } = &mut record {
        body.resize(3_000, b'x');
    }
    record
}

#[test]
fn a_file_at_its_most_takes_no_result_and_goes_on_once_something_is_forgotten() {
    let folder = Folder::new();
    let options = Options { bytes: 400 << 10, result_bytes: 1, ..Options::new(folder.path()) };
    let store = SqliteStore::open(options).unwrap();
    put(&store, batch("old", 1, 1, 1));
    lease(&store, 1);
    record(&store, vec![result("old", 0, unit(0), 1), over("old", 0)]);
    put(&store, batch("b", 1, 200, 1));
    lease(&store, 1);
    let mut there = 0;
    for test in 0..200 {
        match wait(store.record(vec![large(0, test)])) {
            Ok(_) => there += 1,
            Err(StoreError::Full(_)) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!((10..200).contains(&there), "{there}");
    // What fails for lack of room takes no other with it: these need none, or little.
    let asked = [store.record(vec![large(0, there)]), store.record(vec![large(0, 0)])];
    let [full, before] = asked.map(wait);
    assert!(matches!(full, Err(StoreError::Full(_))), "{full:?}");
    assert_eq!(before.unwrap(), [Recorded::Before]);
    let cancel = Record::Cancel { batch: "b".into(), tenant: "ann".into(), at: 5_000 };
    record(&store, vec![cancel]);
    assert_eq!(wait(store.expire(i64::MAX / 2)).unwrap().batches, 2);
    assert_eq!(put(&store, batch("new", 1, 1, 1)), Placed::New);
}
