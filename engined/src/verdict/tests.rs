//! The table of the contract, row by row, and which row goes before which.
use std::collections::BTreeMap;

use jail::link::ProfileName;
use jail::spec::{Attempts, Bytes, Collected, Layers, Limits, Micros, Millis, PeakSource, RunId, Usage, WatchedCall};

use super::*;
use crate::capture::Captured;

fn step() -> Step {
    Step {
        profile: ProfileName::new("c/gcc/run").unwrap(),
        args: Vec::new(),
        env: BTreeMap::new(),
        limits: Limits {
            cpu_time: Millis(1000),
            wall_time: Millis(3000),
            memory: Bytes(64 << 20),
            processes: 10,
            cpus_milli: 1000,
            file: Bytes(1 << 20),
            disk: Bytes(2 << 20),
            open_files: 64,
            stack: Bytes(64 << 20),
        },
        output_bytes: 100,
        parts: Vec::new(),
    }
}

pub(crate) fn ended() -> Ended {
    Ended {
        id: RunId(1),
        outcome: Outcome::Exited(0),
        stop: None,
        filter_killed: false,
        attempts: Attempts::default(),
        usage: Usage {
            cpu: Micros(1000),
            user: Micros(500),
            system: Micros(500),
            wall: Micros(2000),
            memory_peak: Bytes(1 << 20),
            memory_peak_source: PeakSource::Kernel,
            processes_peak: 1,
            throttled: Micros(0),
            involuntary_switches: 0,
            oom_kills: 0,
            processes_hit: false,
            disk_hit: false,
        },
        setup: Micros(1),
        collected: Collected::None,
        layers: Layers::all(),
    }
}

const KILLED: Outcome = Outcome::Signalled(9);

fn judge(change: impl Fn(&mut Ended, &mut Output)) -> (Verdict, Option<Reason>) {
    judge_with(OnOutputLimit::Truncate, change)
}

fn judge_with(on_output_limit: OnOutputLimit, change: impl Fn(&mut Ended, &mut Output)) -> (Verdict, Option<Reason>) {
    let (mut ended, mut output) = (ended(), Output::default());
    change(&mut ended, &mut output);
    let end = RunEnd::Ended(ended);
    of_run(&Facts { end: &end, step: &step(), output: &output, on_output_limit, gone: None })
}

fn verdict(change: impl Fn(&mut Ended, &mut Output)) -> Verdict {
    judge(change).0
}

#[test]
fn each_ending_has_its_verdict() {
    assert_eq!(judge(|_, _| {}), (Verdict::Ok, None));
    assert_eq!(verdict(|e, _| e.outcome = Outcome::Exited(1)), Verdict::RuntimeError);
    assert_eq!(verdict(|e, _| e.outcome = Outcome::Signalled(11)), Verdict::Signalled);
    assert_eq!(verdict(|e, _| e.outcome = Outcome::Failed { step: 1, errno: 2, index: 3 }), Verdict::EngineError);
    assert_eq!(verdict(|e, _| e.stop = Some(StopReason::Cancelled)), Verdict::Cancelled);
    assert_eq!(verdict(|e, _| e.stop = Some(StopReason::Memory)), Verdict::MemoryLimit);
    assert_eq!(verdict(|e, _| e.stop = Some(StopReason::CpuTime)), Verdict::CpuTimeLimit);
    assert_eq!(verdict(|e, _| e.stop = Some(StopReason::WallTime)), Verdict::WallTimeLimit);
    assert_eq!(verdict(|e, _| e.filter_killed = true), Verdict::SecurityViolation);
}

#[test]
fn above_the_limit_is_above_it_whoever_ended_the_program() {
    assert_eq!(verdict(|e, _| e.usage.cpu = Micros(1_000_001)), Verdict::CpuTimeLimit);
    assert_eq!(verdict(|e, _| e.usage.cpu = Micros(1_000_000)), Verdict::Ok);
    assert_eq!(verdict(|e, _| e.usage.oom_kills = 1), Verdict::MemoryLimit, "a child was killed");
}

#[test]
fn a_limit_that_was_hit_counts_only_for_who_failed() {
    assert_eq!(verdict(|e, _| e.usage.processes_hit = true), Verdict::Ok);
    assert_eq!(verdict(|e, _| e.usage.disk_hit = true), Verdict::Ok);
    let failed = |hit: fn(&mut Ended)| {
        judge(move |e, _| {
            e.outcome = Outcome::Exited(1);
            hit(e);
        })
    };
    let (verdict, reason) = failed(|e| e.usage.processes_hit = true);
    let reason = reason.unwrap();
    assert_eq!((verdict, reason.limit, reason.value), (Verdict::ProcessLimit, Some(LimitName::Processes), Some(10)));
    let (verdict, reason) = failed(|e| e.usage.disk_hit = true);
    assert_eq!((verdict, reason.unwrap().limit), (Verdict::DiskLimit, Some(LimitName::DiskBytes)));
    let (verdict, reason) = judge(|e, _| e.outcome = Outcome::Signalled(25));
    assert_eq!((verdict, reason.unwrap().limit), (Verdict::DiskLimit, Some(LimitName::FileBytes)));
}

#[test]
fn the_first_match_wins() {
    // Everything at once, then without the first, and so on.
    let all = |e: &mut Ended, o: &mut Output| {
        e.outcome = KILLED;
        e.stop = Some(StopReason::WallTime);
        e.filter_killed = true;
        e.usage.oom_kills = 1;
        e.usage.cpu = Micros(9_000_000);
        e.usage.processes_hit = true;
        e.usage.disk_hit = true;
        o.stdout.bytes = 101;
    };
    type Without = fn(&mut Ended, &mut Output);
    let steps: [(Verdict, Without); 8] = [
        (Verdict::OutputLimit, |_, o| o.stdout.bytes = 100),
        (Verdict::MemoryLimit, |e, _| e.usage.oom_kills = 0),
        (Verdict::CpuTimeLimit, |e, _| e.usage.cpu = Micros(1)),
        (Verdict::WallTimeLimit, |e, _| e.stop = None),
        (Verdict::SecurityViolation, |e, _| e.filter_killed = false),
        (Verdict::ProcessLimit, |e, _| e.usage.processes_hit = false),
        (Verdict::DiskLimit, |e, _| e.usage.disk_hit = false),
        (Verdict::Signalled, |e, _| e.outcome = Outcome::Exited(0)),
    ];
    for at in 0..=steps.len() {
        let (found, _) = judge_with(OnOutputLimit::Kill, |e, o| {
            all(e, o);
            for (_, without) in &steps[..at] {
                without(e, o);
            }
        });
        assert_eq!(found, steps.get(at).map_or(Verdict::Ok, |(verdict, _)| *verdict));
    }
    assert_eq!(verdict(|_, o| o.stdout.bytes = 101), Verdict::Ok, "cut, not ended");
}

#[test]
fn reasons_say_what_was_seen_in_the_unit_of_the_limit() {
    let (_, reason) = judge(|e, _| {
        e.stop = Some(StopReason::CpuTime);
        e.usage.cpu = Micros(1_012_999);
    });
    let reason = reason.unwrap();
    assert_eq!((reason.limit, reason.value, reason.observed), (Some(LimitName::CpuTimeMs), Some(1000), Some(1012)));
    assert_eq!(
        reason.message,
        "The program used 1.012 s of CPU time, its limit is 1.000 s. Look for a loop that does not end."
    );
    let (_, reason) = judge(|e, _| {
        e.stop = Some(StopReason::Memory);
        e.usage.memory_peak = Bytes(64 << 20);
    });
    let reason = reason.unwrap();
    assert_eq!((reason.value, reason.observed), (Some(64 << 20), Some(64 << 20)));
    assert_eq!(reason.message, "The program needed more memory than its limit of 64 MiB.");
    let (_, reason) = judge_with(OnOutputLimit::Kill, |e, _| {
        e.outcome = KILLED;
        e.stop = Some(StopReason::Output);
    });
    assert_eq!(reason.unwrap().message, "The program wrote more than 100 bytes to one of its output streams.");
}

#[test]
fn a_heap_that_is_exhausted_is_a_hint() {
    for said in ["MemoryError", "terminate called after throwing an instance of 'std::bad_alloc'"] {
        let (verdict, reason) = judge(|e, o| {
            e.outcome = Outcome::Exited(1);
            o.stderr = Captured { kept: format!("Traceback\n{said}\n").into_bytes(), bytes: 1 };
        });
        assert_eq!((verdict, reason.unwrap().hint), (Verdict::RuntimeError, Some(Hint::Heap)));
    }
    let (verdict, reason) = judge(|e, o| {
        e.usage.cpu = Micros(1_500_000);
        o.stderr = Captured { kept: b"FATAL ERROR: JavaScript heap out of memory".to_vec(), bytes: 1 };
    });
    let reason = reason.unwrap();
    assert_eq!((verdict, reason.hint), (Verdict::CpuTimeLimit, Some(Hint::Heap)), "collecting garbage until the end");
    assert!(
        reason
            .message
            .ends_with("its limit is 1.000 s. Its runtime ran out of heap: it needs more memory, or should keep less.")
    );
}

#[test]
fn what_was_tried_stands_in_the_reason() {
    let call = |name: &str| WatchedCall::all().find(|call| call.name() == name).unwrap();
    type Change = fn(&mut Ended);
    let message = |change: Change, tried: &[(&str, u32)], fatal: Option<&str>| {
        let (_, reason) = judge(|e, _| {
            change(e);
            for (name, count) in tried {
                (0..*count).for_each(|_| e.attempts.count(call(name)));
            }
            e.attempts.fatal = fatal.map(call);
        });
        reason.map(|reason| reason.message)
    };
    let filter: Change = |e| e.filter_killed = true;
    let failed: Change = |e| e.outcome = Outcome::Exited(1);
    for (change, tried, fatal, expected) in [
        (
            filter,
            &[("ptrace", 1)][..],
            Some("ptrace"),
            "The program made the system call ptrace, which ends whoever makes it here.",
        ),
        // A lie of a broken init is no more than a wrong sentence.
        (filter, &[], Some("bpf"), "The program made the system call bpf, which ends whoever makes it here."),
        (
            filter,
            &[("socket", 2), ("ptrace", 2), ("mount", 1)],
            Some("ptrace"),
            "The program made the system call ptrace, which ends whoever makes it here. Processes of it were ended for \
             system calls that nobody may make here: ptrace (1), mount (1).",
        ),
        (filter, &[], None, "The program made a system call that is not allowed here and was ended."),
        (
            failed,
            &[("socket", 1), ("setns", 3)],
            None,
            "The program ended with exit code 1. Processes of it were ended for system calls that nobody may make here: \
             setns (3). It opened a network socket: no network is here but its own loopback.",
        ),
    ] {
        assert_eq!(message(change, tried, fatal).as_deref(), Some(expected));
    }
    assert_eq!(message(|_| {}, &[("ptrace", 1)], None), None, "a program that is ok needs no reason");
    let cancelled = message(|e| e.stop = Some(StopReason::Cancelled), &[("socket", 9), ("ptrace", 9)], None);
    assert_eq!(cancelled.as_deref(), Some("The caller cancelled the run."));
}

#[test]
fn a_compile_that_fails_keeps_its_reason() {
    let (step, output) = (step(), Output::default());
    let judge = |end: RunEnd, artifact| {
        of_compile(
            &Facts { end: &end, step: &step, output: &output, on_output_limit: OnOutputLimit::Truncate, gone: None },
            artifact,
        )
    };
    assert_eq!(judge(RunEnd::Ended(ended()), true), None);
    assert_eq!(judge(RunEnd::Ended(ended()), false).unwrap().0, Verdict::CompileError);
    let failed = Ended { outcome: Outcome::Exited(1), ..ended() };
    assert_eq!(judge(RunEnd::Ended(failed), false).unwrap().0, Verdict::CompileError);
    let slow = Ended { outcome: KILLED, stop: Some(StopReason::WallTime), ..ended() };
    let (verdict, reason) = judge(RunEnd::Ended(slow), false).unwrap();
    let reason = reason.unwrap();
    assert_eq!((verdict, reason.limit), (Verdict::CompileError, Some(LimitName::WallTimeMs)));
    assert!(reason.message.starts_with("The compiler ran for"), "{}", reason.message);
    assert_eq!(judge(RunEnd::Lost, false).unwrap().0, Verdict::EngineError);
    assert_eq!(judge(RunEnd::Refused(Refusal::Broken), false).unwrap().0, Verdict::EngineError);
    let gone = Ended { outcome: KILLED, stop: Some(StopReason::Gone), ..ended() };
    assert_eq!(judge(RunEnd::Ended(gone), false).unwrap().0, Verdict::Cancelled);
}

#[test]
fn a_toolchain_that_went_away_is_ours_to_answer_for() {
    let failed = RunEnd::Ended(Ended { outcome: Outcome::Exited(1), ..ended() });
    let gone = Some(Path::new("/usr/lib/cc1"));
    let (step, output) = (step(), Output::default());
    let facts = Facts { end: &failed, step: &step, output: &output, on_output_limit: OnOutputLimit::Truncate, gone };
    for (verdict, reason) in [of_run(&facts), of_compile(&facts, false).unwrap()] {
        assert_eq!(verdict, Verdict::EngineError);
        let message = "The toolchain is not whole any more: /usr/lib/cc1 is gone. Tell the operator.";
        assert_eq!(reason.unwrap().message, message);
    }
}

#[test]
fn every_refusal_says_what_to_do() {
    for why in [
        Refusal::Malformed,
        Refusal::UnknownProfile,
        Refusal::LimitOutside,
        Refusal::BadDescriptors,
        Refusal::DuplicateId,
        Refusal::NoRoom,
        Refusal::Broken,
    ] {
        let end = RunEnd::Refused(why);
        let facts = Facts {
            end: &end,
            step: &step(),
            output: &Output::default(),
            on_output_limit: OnOutputLimit::Kill,
            gone: None,
        };
        let (verdict, reason) = of_run(&facts);
        assert_eq!(verdict, Verdict::EngineError);
        assert!(reason.unwrap().message.starts_with("The sandbox broker refused the run: "));
    }
}

#[test]
fn signals_have_names() {
    for (number, name) in
        [(9, "SIGKILL"), (11, "SIGSEGV"), (31, "SIGSYS"), (34, "SIGRTMIN+0"), (64, "SIGRTMIN+30"), (0, "signal 0")]
    {
        assert_eq!(signal_name(number), name);
    }
}

#[test]
fn files_that_do_not_fit_are_the_callers() {
    let failed = |step: jail::error::Step, errno| Outcome::Failed { step: step as u8, errno, index: 0 };
    for (outcome, expected) in [
        (failed(jail::error::Step::Unpack, 28), Verdict::DiskLimit),
        (failed(jail::error::Step::Exec, 7), Verdict::RuntimeError),
        (failed(jail::error::Step::Unpack, 5), Verdict::EngineError),
        (failed(jail::error::Step::Seccomp, 28), Verdict::EngineError),
    ] {
        assert_eq!(verdict(|e, _| e.outcome = outcome), expected, "{outcome:?}");
    }
}
