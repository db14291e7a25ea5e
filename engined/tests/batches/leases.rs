//! What is leased before it begins: it would be suspected of a crash, and told as tried.

use std::sync::atomic::Ordering;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use super::{Grader, complete, echoes};
use crate::common::wait_for;

impl Grader {
    /// How many units are leased and have no result.
    fn leased(&self) -> u32 {
        let file = self.folders.0.join("batches").join("batches.sqlite");
        let read = || {
            let db = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            db.query_row("SELECT count(*) FROM attempt", [], |row| row.get(0))
        };
        // Beside the engine's own connections, in one process with them, it does not get through each time.
        let mut told = read();
        wait_for(|| {
            told = read();
            told.is_ok()
        });
        told.unwrap()
    }

    fn running(&self) -> usize {
        self.rig.fake.seen.running.load(Ordering::SeqCst)
    }
}

/// However many submissions are under way: beside what runs, as many as there are slots, and two.
#[test]
fn of_many_submissions_few_runs_are_leased_before_they_begin() {
    let grader = Grader::start();
    let submission = |n: usize| json!({"id": format!("s{n}"), "language": "python", "source": "sleep 600000\nsay 7"});
    let test = |n: usize| json!({"id": format!("t{n}"), "stdin": "", "expected": "7"});
    let (submissions, tests): (Vec<Value>, Vec<Value>) =
        ((0..12).map(submission).collect(), (0..30).map(test).collect());
    let ids = [0, 1, 2].map(|_| grader.submit(&json!({"submissions": submissions, "tests": tests})));
    // Two run, and 2 + 2 may be leased ahead.
    wait_for(|| grader.running() == 2 && grader.leased() == 6);
    // Nothing that was done meanwhile has leased more.
    for n in 0..20 {
        grader.get(&format!("/v1/batches/{}", ids[n % 3]));
        assert_eq!(grader.leased(), 6);
    }
    for id in &ids {
        grader.rig.call("DELETE", &format!("/v1/batches/{id}"), "", b"");
    }
    wait_for(|| grader.running() == 0);
    // Those that were leased ahead have kept nobody from anything.
    let id = grader.submit(&echoes(3, 20));
    grader.over(&id);
    complete(&grader.results(&id, ""), 3, 20, 1);
    wait_for(|| grader.leased() == 0);
}
