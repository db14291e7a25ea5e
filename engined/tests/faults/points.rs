//! The list of stop points and those in the code are the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jail::stage::ORDER;
use jail::stop::POINTS;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_list_of_points_is_the_codes() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "../jail/src"] {
        sources(&top.join(folder), &mut files);
    }
    let mut used = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let calls = text.split("stop_point!(\"").skip(1);
        used.extend(calls.map(|rest| rest.split('"').next().unwrap_or_default().to_owned()));
    }
    let listed: BTreeSet<&str> = POINTS.into_iter().collect();
    assert_eq!(listed.len(), POINTS.len(), "a name stands twice in the list");
    assert_eq!(used.iter().map(String::as_str).collect::<BTreeSet<_>>(), listed);
    assert_eq!(used.len(), listed.len(), "a name stands at two places of the code");
}

/// Nobody has fewer points than steps in `ORDER`: a step that is new there needs one here.
#[test]
fn every_step_has_its_point() {
    for who in ["spawner", "init", "payload", "broker"] {
        let steps = ORDER.iter().filter(|(whose, _)| *whose == who).count();
        let points = POINTS.iter().filter(|point| point.split('.').next() == Some(who)).count();
        assert!(points >= steps, "{who} has {steps} steps and {points} stop points");
    }
}

/// A step of the clock must end no run and prolong none: whatever waits here waits by the monotonic clock (`Instant`,
/// `CLOCK_MONOTONIC`). The wall clock stands in ids and in the log.
#[test]
fn nothing_waits_by_the_wall_clock() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "../jail/src", "../languages/src"] {
        sources(&top.join(folder), &mut files);
    }
    let mut found = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        for (number, line) in text.lines().enumerate() {
            let clocks = ["SystemTime", "UNIX_EPOCH", "CLOCK_REALTIME", "TimerFd", "Timestamp::now"];
            if clocks.iter().any(|w| line.contains(w)) {
                found.push(format!("{}:{}", file.strip_prefix(top).unwrap().display(), number + 1));
            }
        }
    }
    // Tuned files that nobody has asked for in a week go: the file system has no other clock.
    found.retain(|place| !place.starts_with("../jail/src/bin/jaild/tuning/"));
    // The end of a token and the day of a quota are agreed on by the calendar; nothing waits by them.
    found.retain(|place| !place.starts_with("src/clock.rs:"));
    // Audit files go by age, as their own dates have it; the rest of their module is tests.
    found.retain(|place| !place.starts_with("src/audit/log"));
    // The times of audit lines and the name of a damaged database, for people; and which day usage is counted for.
    found.retain(|place| !place.starts_with("src/audit/record.rs:") && !place.starts_with("src/usage.rs:"));
    // The one in ids, which are ordered by time for people.
    assert!(found.len() == 1 && found[0].starts_with("src/http/answer.rs:"), "{found:?}");
}
