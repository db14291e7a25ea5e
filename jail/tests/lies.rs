//! An engine that lies: whatever it says on the link, it gets an error and nothing else.
#![allow(clippy::unwrap_used, reason = "tests unwrap")]

mod common;

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use common::{Jaild, Link, Wish, bundle, can_run, limits};
use jail::link::{Client, MESSAGE_BYTES, Order, ProfileName, Refusal, Report, Request};
use jail::records::{Kind, RecordWriter, empty_memfd};
use jail::spec::{Bytes, Limits, Millis, Outcome, RunId, StopReason};
use jail::sys::send_with_descriptors;

const PROFILE: &str = "python/cpython/run";

fn order(id: u64, limits: Limits) -> Order {
    let profile = ProfileName::new(PROFILE).unwrap();
    Order { id: RunId(id), profile, limits, has_artifact: false, collects: false, aside: false }
}

/// The four descriptors of an order whose streams go nowhere.
fn descriptors() -> Vec<OwnedFd> {
    let wish = Wish { argv: vec!["/usr/bin/sleep", "1000"], ..Wish::default() };
    let (stdin, _) = std::io::pipe().unwrap();
    let (_, stdout) = std::io::pipe().unwrap();
    let stderr = stdout.try_clone().unwrap();
    vec![bundle(&wish), stdin.into(), stdout.into(), stderr.into()]
}

fn refused(link: &Link, id: u64, why: Refusal) {
    assert_eq!(link.recv(), Some(Report::Refused { id: RunId(id), why }));
}

fn send(link: &Link, order: &Order, fds: &[OwnedFd]) {
    let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
    link.client.send(&Request::Order(order.clone()), &fds).unwrap();
}

#[test]
fn limits_and_profiles_are_checked_again() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let unknown = Order { profile: ProfileName::new("python/cpython/steal").unwrap(), ..order(100, limits()) };
    send(&link, &unknown, &descriptors());
    refused(&link, 100, Refusal::UnknownProfile);
    let ceiling = link.welcome.ceiling;
    let outside = [
        Limits { memory: Bytes(ceiling.memory.0 + 1), ..limits() },
        Limits { memory: Bytes(0), ..limits() },
        Limits { cpu_time: Millis(0), ..limits() },
        Limits { cpu_time: Millis(u64::MAX), ..limits() },
        Limits { wall_time: Millis(ceiling.wall_time.0 + 1), ..limits() },
        Limits { processes: 0, ..limits() },
        Limits { processes: u32::MAX, ..limits() },
        Limits { cpus_milli: 0, ..limits() },
        Limits { cpus_milli: ceiling.cpus_milli + 1, ..limits() },
        Limits { file: Bytes(u64::MAX), ..limits() },
        Limits { disk: Bytes(0), ..limits() },
        Limits { open_files: 1, ..limits() },
        Limits { stack: Bytes(u64::MAX), ..limits() },
    ];
    for (number, limits) in (101..).zip(outside) {
        send(&link, &order(number, limits), &descriptors());
        refused(&link, number, Refusal::LimitOutside);
    }
    assert_eq!(link.run(Wish::default()).ended.outcome, Outcome::Exited(0), "the link still serves");
}

#[test]
fn descriptors_are_looked_at() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let file = || OwnedFd::from(File::open("/etc/hostname").unwrap());
    let folder = || OwnedFd::from(File::open("/").unwrap());
    let with = |at: usize, fd: OwnedFd| {
        let mut fds = descriptors();
        fds[at] = fd;
        fds
    };
    let unsealed = RecordWriter::new().unwrap().end().unwrap();
    let mut cases = vec![
        Vec::new(),
        descriptors().into_iter().take(3).collect(),
        descriptors().into_iter().chain([file()]).collect(),
        with(0, file()),
        with(0, unsealed),
        with(0, empty_memfd().unwrap()),
        with(1, folder()),
        with(2, file()),
        with(3, bundle(&Wish::default())),
        with(2, link.client.as_fd().try_clone_to_owned().unwrap()),
    ];
    for (number, fds) in (200..).zip(cases.drain(..)) {
        send(&link, &order(number, limits()), &fds);
        refused(&link, number, Refusal::BadDescriptors);
    }
    // An artifact that can still be changed; a collection that is no pipe, or can't be written.
    let artifact = Order { has_artifact: true, ..order(300, limits()) };
    send(&link, &artifact, &descriptors().into_iter().chain([empty_memfd().unwrap()]).collect::<Vec<_>>());
    refused(&link, 300, Refusal::BadDescriptors);
    let collects = Order { collects: true, ..order(301, limits()) };
    let (reading, _) = std::io::pipe().unwrap();
    for fd in [bundle(&Wish::default()), empty_memfd().unwrap(), file(), reading.into()] {
        send(&link, &collects, &descriptors().into_iter().chain([fd]).collect::<Vec<_>>());
        refused(&link, 301, Refusal::BadDescriptors);
    }
    // More than any message may carry.
    let many: Vec<OwnedFd> = (0..9).map(|_| file()).collect();
    send(&link, &order(302, limits()), &many);
    refused(&link, 0, Refusal::Malformed);
    assert_eq!(link.run(Wish::default()).ended.outcome, Outcome::Exited(0), "the link still serves");
}

#[test]
fn bytes_that_are_no_message_are_refused() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let good = Request::Order(order(400, limits())).encode();
    let mut flipped = good;
    flipped[MESSAGE_BYTES - 1] = 1;
    let mut version = good;
    version[0] = 9;
    for bytes in [&good[..10], &good[..MESSAGE_BYTES - 1], &[good.as_slice(), &[0; 4]].concat(), &flipped, &version] {
        let held = descriptors();
        let fds: Vec<BorrowedFd<'_>> = held.iter().map(AsFd::as_fd).collect();
        send_with_descriptors(link.client.as_fd(), bytes, &fds).unwrap();
        refused(&link, 0, Refusal::Malformed);
    }
    // A report is no request, and a stop for another's reason or of nobody does nothing.
    let report = Report::Refused { id: RunId(1), why: Refusal::Broken }.encode();
    send_with_descriptors(link.client.as_fd(), &report, &[]).unwrap();
    refused(&link, 0, Refusal::Malformed);
    link.stop(RunId(77), StopReason::Gone);
    assert_eq!(link.run(Wish::default()).ended.outcome, Outcome::Exited(0), "the link still serves");
}

#[test]
fn an_order_said_twice_and_one_too_many_are_refused() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let link = jaild.link();
    let room = u64::from(link.welcome.slots) + 2;
    for id in 1..=room {
        send(&link, &order(500 + id, limits()), &descriptors());
    }
    send(&link, &order(501, limits()), &descriptors());
    refused(&link, 501, Refusal::DuplicateId);
    send(&link, &order(600, limits()), &descriptors());
    refused(&link, 600, Refusal::NoRoom);
    for id in 1..=room {
        link.stop(RunId(500 + id), StopReason::Cancelled);
    }
    let mut ended: Vec<u64> = (0..room)
        .map(|_| match link.recv() {
            Some(Report::Ended(ended)) => ended.id.0,
            other => panic!("{other:?}"),
        })
        .collect();
    ended.sort_unstable();
    assert_eq!(ended, (501..=500 + room).collect::<Vec<_>>(), "each run ends once");
}

#[test]
fn there_is_one_link_at_a_time() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut first = jaild.link();
    let second = Client::connect(&jaild.socket).unwrap();
    let mut told = None;
    common::until(|| {
        told = second.recv().ok();
        told.is_some()
    });
    assert_eq!(told, Some(None), "closed without a word");
    assert_eq!(first.run(Wish::default()).ended.outcome, Outcome::Exited(0));
    drop(first);
    assert_eq!(jaild.link().run(Wish::default()).ended.outcome, Outcome::Exited(0), "the next link is served");
}

#[test]
fn a_bundle_that_lies_ends_in_its_own_sandbox() {
    if !can_run() {
        return;
    }
    let log = Log::new("bundles");
    let jaild = Jaild::start_and_log(&[], log.file());
    let mut link = jaild.link();
    for path in ["../up", "/etc/x", "a/../../b", "a//b", ""] {
        let done = link.run(Wish { files: vec![(path, false, b"x".to_vec())], ..Wish::default() });
        assert!(matches!(done.ended.outcome, Outcome::Failed { .. }), "{path:?}: {:?}", done.ended.outcome);
    }
    let twice = vec![("a", false, b"1".to_vec()), ("a", false, b"2".to_vec())];
    let done = link.run(Wish { files: twice, ..Wish::default() });
    assert!(matches!(done.ended.outcome, Outcome::Failed { .. }), "nothing is overwritten");
    let done = link.run(Wish { argv: Vec::new(), ..Wish::default() });
    assert!(matches!(done.ended.outcome, Outcome::Failed { .. }), "no program");
    let done = link.run(Wish { argv: vec!["/nonexistent"], ..Wish::default() });
    assert!(matches!(done.ended.outcome, Outcome::Failed { errno: 2, .. }), "{:?}", done.ended.outcome);
    // Whoever gets these numbers is sent to the log.
    for step in
        ["could not unpack the files (6): it is not as it must be", "could not execute the program (0): No such file"]
    {
        assert!(log.text().contains(&format!("the program was not begun: {step}")), "{step}: {}", log.text());
    }
    // A memfd full of noise, sealed as it should be.
    let mut noise = RecordWriter::new().unwrap();
    noise.put(Kind::Arg, false, b"/usr/bin/true", b"").unwrap();
    noise.data(&[0xff; 4096]).unwrap();
    let mut fds = descriptors();
    fds[0] = noise.seal().unwrap();
    send(&link, &order(900, limits()), &fds);
    match link.recv() {
        Some(Report::Ended(ended)) => assert!(matches!(ended.outcome, Outcome::Failed { .. }), "{ended:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(link.run(Wish::default()).ended.outcome, Outcome::Exited(0));
}

#[test]
fn a_flood_of_stops_blocks_nobody() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    // Init has much to read after the program, and no time to listen.
    let collect: Vec<&str> = std::iter::repeat_n("nothing", 200_000).collect();
    let run = link.begin(Wish { collect, ..Wish::default() });
    let id = run.id;
    let other = link.begin(Wish { argv: vec!["/usr/bin/sleep", "0.1"], ..Wish::default() });
    for _ in 0..5_000 {
        let stop = Request::Stop { id, why: StopReason::Gone };
        while link.client.send(&stop, &[]).is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert_eq!(link.finish(other).ended.outcome, Outcome::Exited(0));
    link.finish(run);
    assert_eq!(link.run(Wish::default()).ended.outcome, Outcome::Exited(0));
}

#[test]
fn a_second_jaild_leaves_the_first_alone() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let run = link.begin(Wish { argv: vec!["/usr/bin/sleep", "1"], ..Wish::default() });
    let output = common::second(&jaild);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("another jaild"), "{output:?}");
    assert_eq!(link.finish(run).ended.outcome, Outcome::Exited(0));
}

/// What a jaild says, in a file that goes with the test.
struct Log(std::path::PathBuf);

impl Log {
    fn new(name: &str) -> Log {
        Log(std::env::temp_dir().join(format!("jailtest-{}-{name}.log", std::process::id())))
    }

    fn file(&self) -> File {
        File::create(&self.0).unwrap()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap_or_default();
    }
}

#[test]
fn a_mistake_in_the_settings_is_told_once() {
    if !can_run() {
        return;
    }
    let settings = Log::new("settings");
    std::fs::write(&settings.0, "tuning = 5\n").unwrap();
    let said = common::refused(&["--config", settings.0.to_str().unwrap()]);
    assert_eq!(said.matches("tuning = 5").count(), 1, "{said}");
}
