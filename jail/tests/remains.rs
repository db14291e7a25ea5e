//! What remains when one layer alone fails: every attack against a sandbox that lacks one layer. The answers are the table in
//! SECURITY.md, word by word. Only in builds with `test-hooks`.
#![allow(clippy::unwrap_used, reason = "tests unwrap")]

mod attacks;
mod common;

use attacks::{Prey, all, made, seen};
use common::{Jaild, can_run};

/// The layers that a sandbox can be made without, by `--test-layer-off`.
const OPTIONAL: [&str; 13] = [
    "user_ns",
    "net_ns",
    "ipc_ns",
    "uts_ns",
    "cgroup_ns",
    "tree",
    "capabilities",
    "landlock",
    "seccomp",
    "cgroup_memory",
    "cgroup_pids",
    "cgroup_cpu",
    "rlimits",
];

/// The rows of the table: a layer, and in backquotes the attacks that work without it.
fn promised() -> Vec<(String, Vec<String>)> {
    let text = include_str!("../../SECURITY.md");
    let table = text.split("<!-- remains:begin -->").nth(1).unwrap().split("<!-- remains:end -->").next().unwrap();
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        (quoted(cells[1]).remove(0), quoted(cells[2]))
    })
    .collect()
}

#[test]
fn what_works_without_one_layer_is_what_is_written() {
    if !can_run() {
        return;
    }
    let prey = Prey::new();
    let (attacks, leave) = (all(&prey), prey.leave());
    let works_without = |off: Option<&str>| {
        let arguments: Vec<&str> = off.iter().flat_map(|layer| ["--test-layer-off", *layer]).collect();
        let jaild = Jaild::start(&arguments);
        let mut link = jaild.link();
        // On as many slots as there may be.
        (0..4).for_each(|_| drop(link.python(&leave)));
        let mut works = Vec::new();
        for attack in &attacks {
            let done = made(&mut link, attack);
            match seen(&done) {
                "HELD" => {}
                "BROKEN" => works.push(attack.name.to_owned()),
                other => panic!("{} without {off:?} says {other:?}: {:?} {}", attack.name, done.ended, done.stderr),
            }
        }
        works
    };
    assert_eq!(works_without(None), Vec::<String>::new(), "every layer is there");
    // Two at a time: most of it is waiting for a jaild to begin and to end.
    let (some, others) = OPTIONAL.split_at(OPTIONAL.len() / 2);
    let rows = |layers: &[&str]| -> Vec<(String, Vec<String>)> {
        layers.iter().map(|layer| ((*layer).to_owned(), works_without(Some(layer)))).collect()
    };
    let found = std::thread::scope(|scope| {
        let some = scope.spawn(|| rows(some));
        let others = rows(others);
        [some.join().unwrap(), others].concat()
    });
    let promised: Vec<_> = promised().into_iter().filter(|(layer, _)| OPTIONAL.contains(&layer.as_str())).collect();

    assert_eq!(found, promised, "SECURITY.md, What remains when one layer fails");
}

#[test]
fn every_layer_has_its_row() {
    let mut rows: Vec<String> = promised().into_iter().map(|(layer, _)| layer).collect();
    let mut layers: Vec<String> = jail::spec::Layer::ALL.iter().map(|layer| layer.name().to_owned()).collect();
    rows.sort_unstable();
    layers.sort_unstable();
    assert_eq!(rows, layers);
}
