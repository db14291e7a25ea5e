//! Programs in real sandboxes: what they see, what they use, how they end.
#![allow(clippy::unwrap_used, reason = "tests unwrap")]

mod common;

use common::{Jaild, Wish, can_run, limits};
use jail::records::{check_collection, seal};
use jail::spec::{Bytes, Collected, Layers, Limits, Millis, Outcome, StopReason};
use std::os::fd::AsFd;

#[test]
fn hello() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    assert_eq!(link.welcome.wanted, Layers::all());
    assert_eq!(link.welcome.obtained, Layers::all());
    let done = link.python("import sys; print('hello', sys.stdin.read()); sys.exit(3)");
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("hello \n", ""));
    assert_eq!(done.ended.outcome, Outcome::Exited(3));
    let usage = done.ended.usage;
    assert!(usage.cpu.0 > 1000 && usage.wall.0 > 1000, "{usage:?}");
    assert!((1 << 20..64 << 20).contains(&usage.memory_peak.0), "{usage:?}");
    assert_eq!(done.ended.layers, Layers::all());
}

#[test]
fn c_is_compiled_and_its_artifact_run() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let source = b"#include <stdio.h>\nint main(int c,char**v){printf(\"%d %s\\n\",c,v[1]);return 7;}".to_vec();
    let done = link.run(Wish {
        profile: "c/gcc/compile",
        argv: vec!["/usr/bin/gcc", "-O2", "-o", "a.out", "main.c"],
        files: vec![("main.c", false, source)],
        collect: vec!["a.out", "absent"],
        ..Wish::default()
    });
    assert_eq!((done.ended.outcome, done.stderr.as_str()), (Outcome::Exited(0), ""));
    assert_eq!(done.ended.collected, Collected::Complete);
    let collection = done.collection.unwrap();
    let records = check_collection(&collection).unwrap();
    assert_eq!(records.len(), 2);
    assert!(records[0].executable && records[0].name == b"a.out");
    seal(collection.as_fd()).unwrap();
    let done = link.run(Wish {
        profile: "c/gcc/run",
        argv: vec!["/box/a.out", "x y"],
        artifact: Some(collection.into()),
        ..Wish::default()
    });
    assert_eq!((done.ended.outcome, done.stdout.as_str()), (Outcome::Exited(7), "2 x y\n"));
}

#[test]
fn limits_end_a_run() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let done = link.python_with("while True: pass", Limits { cpu_time: Millis(300), ..limits() });
    assert_eq!(done.ended.stop, Some(StopReason::CpuTime), "{:?}", done.ended);
    assert!((300_000..450_000).contains(&done.ended.usage.cpu.0), "{:?}", done.ended.usage);
    let done = link.python_with("import time; time.sleep(60)", Limits { wall_time: Millis(300), ..limits() });
    assert_eq!(done.ended.stop, Some(StopReason::WallTime), "{:?}", done.ended);
    let done = link.python_with("b = bytearray(512 << 20)", Limits { memory: Bytes(64 << 20), ..limits() });
    assert_eq!(done.ended.stop, Some(StopReason::Memory), "{:?}", done.ended);
    assert!(done.ended.usage.oom_kills > 0 && done.ended.usage.memory_peak.0 <= 64 << 20, "{:?}", done.ended.usage);
    let fork = "import os\nfor i in range(99):\n  if os.fork() == 0: os.pause() if hasattr(os, 'pause') else __import__('signal').pause()\n";
    let done = link.python_with(fork, Limits { processes: 10, ..limits() });
    assert!(done.ended.usage.processes_hit && done.stderr.contains("BlockingIOError"), "{:?}", done.stderr);
    assert_eq!(done.ended.usage.processes_peak, 10);
    let full = "open('/tmp/x', 'wb').write(bytes(1 << 22)); open('y', 'wb').write(bytes(1 << 22))";
    let done = link.python_with(full, Limits { disk: Bytes(6 << 20), ..limits() });
    assert!(done.stderr.contains("No space left"), "{}", done.stderr);
    assert!(done.ended.usage.disk_hit);
}

#[test]
fn a_run_can_be_stopped_and_leaves_nothing() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let daemon = "import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: time.sleep(1000)\n  os._exit(0)\nos.wait()\nprint('done')";
    let done = link.python(daemon);
    assert_eq!((done.ended.outcome, done.stdout.as_str()), (Outcome::Exited(0), "done\n"));
    let run = link.begin(Wish { argv: vec!["/usr/bin/sleep", "1000"], ..Wish::default() });
    std::thread::sleep(std::time::Duration::from_millis(200));
    link.stop(run.id, StopReason::Cancelled);
    let done = link.finish(run);
    assert_eq!((done.ended.stop, done.ended.outcome), (Some(StopReason::Cancelled), Outcome::Signalled(9)));
}

#[test]
fn a_thousand_runs_in_a_row() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    for number in 0..1000 {
        let done = link.run(Wish::default());
        assert_eq!(done.ended.outcome, Outcome::Exited(0), "run {number}: {:?}", done.ended);
    }
}
