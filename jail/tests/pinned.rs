//! Runs that are pinned to CPUs, and what a result says of a run's CPU: that it waited for its share, or was made to.
#![allow(clippy::unwrap_used, reason = "tests unwrap")]

mod common;

use common::{Done, Jaild, Link, Wish, can_run, limits};
use jail::cores::Cpus;
use jail::link::{Refusal, Report};
use jail::spec::{Limits, Outcome};

/// Says which CPUs it may use, asks for all that there are, says it again, and a grandchild of it does as well.
const WIDEN: &str = "\
import os, sys
say = lambda: print(','.join(map(str, sorted(os.sched_getaffinity(0)))), flush=True)
def widen():
    try: os.sched_setaffinity(0, range(1024))
    except OSError as error: print(error)
say(); widen(); say()
if os.fork() == 0:
    if os.fork() == 0: widen(); say(); os._exit(0)
    os.wait(); os._exit(0)
os.wait()
";

/// More than one CPU is needed to show that a run has but one of them.
fn can_pin() -> bool {
    let enough = Cpus::allowed().unwrap().len() > 1;
    if !enough {
        eprintln!("SKIPPED: needs two CPUs");
    }
    can_run() && enough
}

/// A jaild with this configuration.
fn start(config: &str, arguments: &[&str]) -> (Jaild, Link, Scratch) {
    let scratch = Scratch::with(config);
    let jaild = Jaild::start(&[&["--config", &scratch.0], arguments].concat());
    let link = jaild.link();
    (jaild, link, scratch)
}

/// A configuration file.
struct Scratch(String);

impl Scratch {
    fn with(text: &str) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("engined-pinned-{}-{}.toml", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Scratch(path.to_str().unwrap().to_owned())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn all() -> String {
    Cpus::allowed().unwrap().iter().map(|cpu| cpu.to_string()).collect::<Vec<_>>().join(",")
}

fn python(source: &str) -> Wish<'_> {
    Wish {
        argv: vec!["/usr/bin/python3", "main.py"],
        files: vec![("main.py", false, source.as_bytes().to_vec())],
        ..Wish::default()
    }
}

/// How many CPUs the program had: at first, after it asked for more, and in its grandchild.
fn had(done: &Done) -> Vec<usize> {
    assert_eq!((done.ended.outcome, done.stderr.as_str()), (Outcome::Exited(0), ""), "{}", done.stdout);
    done.stdout.lines().map(|line| line.split(',').count()).collect()
}

#[test]
fn a_run_has_one_cpu_when_pinned_and_all_of_them_when_not() {
    if !can_pin() {
        return;
    }
    let (_jaild, mut link, _config) = start("pin = \"off\"\n", &[]);
    assert_eq!(link.welcome.pinned_cpus, 0);
    let done = link.python(WIDEN);
    assert_eq!(done.stdout.lines().next(), Some(all().as_str()));
    let (_jaild, mut link, _config) = start("pin = \"threads\"\n", &[]);
    assert_eq!((link.welcome.pinned_cpus, link.welcome.ceiling.cpus_milli), (1, 1000));
    assert_eq!(link.welcome.slots as usize, Cpus::allowed().unwrap().len());
    // In every slot, and again in one that has been used.
    for _ in 0..6 {
        assert_eq!(had(&link.python(WIDEN)), [1, 1, 1]);
    }
}

/// Each fence alone, and neither: then the program has what it asked for.
#[test]
fn cpuset_and_filter_each_hold_the_program_back() {
    if !can_pin() {
        return;
    }
    let every = Cpus::allowed().unwrap().len();
    for (off, expected) in [
        (&["--test-layer-off", "seccomp"][..], 1),
        (&["--test-no-cpuset", "yes"], 1),
        (&["--test-layer-off", "seccomp", "--test-no-cpuset", "yes"], every),
    ] {
        let (_jaild, mut link, _config) = start("pin = \"threads\"\n", off);
        for _ in 0..2 {
            assert_eq!(had(&link.python(WIDEN)), [1, expected, expected], "without {off:?}");
        }
    }
}

/// The number of its CPU, the time when it began, and the time when it ended, some seconds later.
const TIMES: &str = "\
import os, sys, time
began = time.monotonic()
time.sleep(float(sys.argv[1]))
print(*os.sched_getaffinity(0), began, time.monotonic())
";

fn times(done: &Done) -> (usize, f64, f64) {
    let words: Vec<&str> = done.stdout.split_whitespace().collect();
    let [cpu, began, ended] = words[..] else { panic!("{:?} {}", done.ended, done.stdout) };
    (cpu.parse().unwrap(), began.parse().unwrap(), ended.parse().unwrap())
}

#[test]
fn runs_at_once_have_different_cpus_and_a_further_one_waits() {
    if !can_pin() {
        return;
    }
    let cpus: Vec<usize> = Cpus::allowed().unwrap().iter().take(2).collect();
    let config = format!("pin = [\"{}\", \"{}\"]\n", cpus[0], cpus[1]);
    for no_cpuset in [&[][..], &["--test-no-cpuset", "yes"]] {
        let (_jaild, mut link, _config) = start(&config, no_cpuset);
        let mut at_once = |seconds| {
            let wish = || Wish { argv: vec!["/usr/bin/python3", "main.py", seconds], ..python(TIMES) };
            let runs = [link.begin(wish()), link.begin(wish()), link.begin(wish())];
            // What the engine asks for itself has a slot, and waits for none of them.
            let aside = link.run(Wish { aside: true, ..python("import os; print(*os.sched_getaffinity(0))") });
            (aside, runs.map(|run| times(&link.finish(run))))
        };
        // On a busy machine the first may be over when the second is ordered, which then has the same CPU, rightly.
        let mut tries = ["1", "3", "10"].into_iter().map(&mut at_once);
        let overlap = |first: &(usize, f64, f64), second: &(usize, f64, f64)| first.1 < second.2 && second.1 < first.2;
        let found = tries.find(|(_, [first, second, _])| overlap(first, second));
        let (aside, [first, second, third]) = found.expect("the second never waits for the first");
        let mut both = [first.0, second.0];
        both.sort_unstable();
        assert_eq!(both.as_slice(), cpus, "one each");
        let before = if third.0 == first.0 { first } else { second };
        assert!(third.1 >= before.2, "{third:?} had its CPU while {before:?} had it");
        assert_eq!(aside.ended.outcome, Outcome::Exited(0));
        let rest = Cpus::allowed().unwrap().without(&cpus.iter().copied().collect());
        let expected = if rest.is_empty() { Cpus::allowed().unwrap() } else { &rest };
        assert_eq!(aside.stdout.split_whitespace().count(), expected.len());
    }
}

#[test]
fn more_cpus_than_a_run_is_pinned_to_are_refused() {
    if !can_pin() {
        return;
    }
    let (_jaild, mut link, _config) = start("pin = \"threads\"\n", &[]);
    let wish = Wish { limits: Limits { cpus_milli: 1001, ..limits() }, ..python("") };
    let run = link.begin(wish);
    assert_eq!(link.recv(), Some(Report::Refused { id: run.id, why: Refusal::LimitOutside }));
}

#[test]
fn cpus_that_are_not_there_stop_the_start() {
    if !can_run() {
        return;
    }
    let config = Scratch::with("slots = 4000\npin = \"threads\"\n");
    let said = common::refused(&["--config", &config.0]);
    let many = Cpus::allowed().unwrap();
    assert!(said.contains(&format!("has CPUs for {} runs at once; jaild may use {many}", many.len())), "{said}");
    assert!(said.contains("slots = 4000"), "{said}");
}

/// Burns CPU time in threads (of a grandchild that nobody waits for, too) and says how often each process was interrupted.
const INTERRUPTED: &str = "\
import os, resource, threading, time
def burn():
    end = time.monotonic() + 0.3
    while time.monotonic() < end or time.thread_time() < 0.05: pass
def switches(): return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
def busy():
    before = switches()
    threads = [threading.Thread(target=burn) for _ in range(2)]
    [t.start() for t in threads]; [t.join() for t in threads]
    os.write(1, b'%d\\n' % (switches() - before))
r, w = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        busy(); os._exit(0)
    os._exit(0)
os.wait(); os.close(w)
busy()
os.read(r, 1)
";

#[test]
fn involuntary_switches_are_those_of_every_process() {
    if !can_pin() {
        return;
    }
    // On one CPU the two processes take it from each other.
    let (_jaild, mut link, _config) = start("pin = \"threads\"\n", &[]);
    let done = link.python(INTERRUPTED);
    let told: u64 = done.stdout.lines().map(|line| line.parse::<u64>().unwrap()).sum();
    let counted = done.ended.usage.involuntary_switches;
    assert_eq!(done.stdout.lines().count(), 2, "{:?}", done.ended);
    assert!(told > 10, "they shared a CPU: {told}");
    // What starts and ends a process is interrupted as well. What its sandbox was before the command is in neither.
    assert!((told..told * 2 + 200).contains(&counted), "the program counted {told}, we {counted}");
    let idle = link.python("import time; time.sleep(0.2)").ended.usage;
    assert!(idle.involuntary_switches < counted, "{idle:?}");
}

/// Burns 200 ms of CPU time in a grandchild's two threads.
const SPEND: &str = "\
import os, threading, time
def burn():
    while time.thread_time() < 0.1: pass
def busy():
    threads = [threading.Thread(target=burn) for _ in range(2)]
    [t.start() for t in threads]; [t.join() for t in threads]
if os.fork() == 0:
    if os.fork() == 0: busy(); os._exit(0)
    os.wait(); os._exit(0)
os.wait()
";

#[test]
fn waiting_for_the_share_is_told() {
    if !can_pin() {
        return;
    }
    let (_jaild, mut link, _config) = start("pin = \"threads\"\n", &[]);
    let with = |link: &mut Link, cpus_milli| {
        let ended = link.python_with(SPEND, Limits { cpus_milli, ..limits() }).ended;
        assert_eq!(ended.outcome, Outcome::Exited(0));
        ended.usage
    };
    // A tenth of a CPU: of each period it is held back for nine tenths, or what others leave of them: on a busy machine that
    // may be little, but not each time. On one CPU it is part of its wall time.
    let mut usage = with(&mut link, 100);
    for _ in 1..10 {
        if usage.throttled.0 > usage.cpu.0 {
            break;
        }
        usage = with(&mut link, 100);
    }
    assert!(usage.throttled.0 > usage.cpu.0, "{usage:?}");
    assert!(usage.throttled.0 < usage.wall.0, "{usage:?}");
    let whole = with(&mut link, 1000);
    assert!(whole.throttled.0 < whole.wall.0 / 10, "{whole:?}");
}

/// A slot may not be ready when the first order comes: it is put back then, and must neither keep a set from itself nor
/// change it for another.
#[test]
fn one_set_and_several_start_and_serve() {
    if !can_pin() {
        return;
    }
    for config in [
        "slots = 1\npin = \"cores\"\n",
        "slots = 2\npin = \"threads\"\n",
        "slots = 1\npin = \"cores\"\nstock = \"off\"\n",
    ] {
        let (_jaild, mut link, _scratch) = start(config, &[]);
        for _ in 0..3 {
            let done = link.run(python("print(6 * 7)"));
            assert_eq!(done.ended.outcome, Outcome::Exited(0), "{config}");
        }
    }
}
