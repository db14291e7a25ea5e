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
