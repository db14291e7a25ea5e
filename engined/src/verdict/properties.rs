//! Whatever ends in whatever way: the first row of the contract that fits is the verdict.
use std::collections::BTreeMap;
use std::path::PathBuf;

use jail::link::ProfileName;
use jail::spec::{Attempts, Bytes, Collected, Layers, Limits, Micros, Millis, PeakSource, RunId, Usage};
use proptest::prelude::*;

use super::*;
use crate::capture::Captured;

const CPU_MS: u64 = 1000;
const CAP: u64 = 100;

fn step() -> Step {
    Step {
        profile: ProfileName::new("c/gcc/run").unwrap(),
        args: Vec::new(),
        env: BTreeMap::new(),
        limits: Limits {
            cpu_time: Millis(CPU_MS),
            wall_time: Millis(3000),
            memory: Bytes(64 << 20),
            processes: 10,
            cpus_milli: 1000,
            file: Bytes(1 << 20),
            disk: Bytes(2 << 20),
            open_files: 64,
            stack: Bytes(64 << 20),
        },
        output_bytes: CAP,
        parts: Vec::new(),
    }
}

prop_compose! {
    fn usage()(
        cpu in prop_oneof![0..=CPU_MS * 1000, CPU_MS * 1000 - 2..CPU_MS * 1000 + 2, any::<u64>()],
        wall in any::<u64>(),
        memory_peak in any::<u64>(),
        processes_peak in any::<u32>(),
        oom_kills in prop_oneof![4 => Just(0), 1 => any::<u32>()],
        processes_hit in any::<bool>(),
        disk_hit in any::<bool>(),
    ) -> Usage {
        Usage {
            cpu: Micros(cpu),
            user: Micros(cpu / 2),
            system: Micros(cpu - cpu / 2),
            wall: Micros(wall),
            memory_peak: Bytes(memory_peak),
            memory_peak_source: PeakSource::Kernel,
            processes_peak,
            throttled: Micros(0),
            involuntary_switches: 0,
            oom_kills,
            processes_hit,
            disk_hit,
        }
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let failed = prop_oneof![
        (any::<u8>(), any::<i32>()),
        (any::<u8>(), prop_oneof![Just(28), Just(7)]),
        (prop_oneof![Just(SandboxStep::Unpack as u8), Just(SandboxStep::Exec as u8)], prop_oneof![Just(28), Just(7)]),
    ];
    prop_oneof![
        2 => Just(Outcome::Exited(0)),
        2 => any::<u8>().prop_map(Outcome::Exited),
        2 => prop_oneof![any::<u8>(), Just(25), Just(9)].prop_map(Outcome::Signalled),
        1 => failed.prop_map(|(step, errno)| Outcome::Failed { step, errno, index: 0 }),
    ]
}

fn stop() -> impl Strategy<Value = Option<StopReason>> {
    use StopReason::{Cancelled, CpuTime, Gone, Memory, Output, WallTime};
    prop_oneof![3 => Just(None), 1 => prop::sample::select(vec![CpuTime, WallTime, Memory, Output, Cancelled, Gone]).prop_map(Some)]
}

prop_compose! {
    fn ended()(
        outcome in outcome(),
        stop in stop(),
        filter_killed in prop::bool::weighted(0.2),
        usage in usage(),
    ) -> Ended {
        let (collected, attempts, layers) = (Collected::None, Attempts::default(), Layers::all());
        Ended { id: RunId(1), outcome, stop, filter_killed, usage, setup: Micros(0), collected, attempts, layers }
    }
}

/// The table of the contract: does this row fit?
type Row<'a> = (Verdict, Box<dyn Fn(&Case<'a>) -> bool>);

struct Case<'a> {
    ended: &'a Ended,
    written: u64,
    kill: bool,
    gone: bool,
}

impl Case<'_> {
    fn failed_with(&self, step: SandboxStep, number: i32) -> bool {
        matches!(self.ended.outcome, Outcome::Failed { step: at, errno, .. } if at == step as u8 && errno == number)
    }

    fn failed(&self) -> bool {
        self.ended.outcome != Outcome::Exited(0)
    }
}

fn table<'a>() -> Vec<Row<'a>> {
    fn row<'a>(verdict: Verdict, fits: impl Fn(&Case<'a>) -> bool + 'static) -> Row<'a> {
        (verdict, Box::new(fits))
    }
    let unfit = |case: &Case<'_>| case.failed_with(SandboxStep::Unpack, 28) || case.failed_with(SandboxStep::Exec, 7);
    let ours = |case: &Case<'_>| matches!(case.ended.outcome, Outcome::Failed { .. });
    let stopped = |why| move |case: &Case<'_>| case.ended.stop == Some(why);
    vec![
        row(Verdict::EngineError, move |c| c.gone || ours(c) && !unfit(c)),
        // What did not fit never ran: no other row can be about it.
        row(Verdict::DiskLimit, |c| c.failed_with(SandboxStep::Unpack, 28)),
        row(Verdict::RuntimeError, |c| c.failed_with(SandboxStep::Exec, 7)),
        row(Verdict::Cancelled, move |c| stopped(StopReason::Cancelled)(c) || stopped(StopReason::Gone)(c)),
        row(Verdict::OutputLimit, move |c| c.kill && (stopped(StopReason::Output)(c) || c.written > CAP)),
        row(Verdict::MemoryLimit, move |c| stopped(StopReason::Memory)(c) || c.ended.usage.oom_kills > 0),
        row(Verdict::CpuTimeLimit, move |c| stopped(StopReason::CpuTime)(c) || c.ended.usage.cpu.0 > CPU_MS * 1000),
        row(Verdict::WallTimeLimit, stopped(StopReason::WallTime)),
        row(Verdict::SecurityViolation, |c| c.ended.filter_killed),
        row(Verdict::ProcessLimit, |c| c.failed() && c.ended.usage.processes_hit),
        row(Verdict::DiskLimit, |c| c.ended.outcome == Outcome::Signalled(25) || c.failed() && c.ended.usage.disk_hit),
        row(Verdict::Signalled, |c| matches!(c.ended.outcome, Outcome::Signalled(_))),
        row(Verdict::RuntimeError, Case::failed),
        row(Verdict::Ok, |_| true),
    ]
}

/// What a step was allowed, as a reason names it.
fn allowed(step: &Step, limit: LimitName) -> u64 {
    match limit {
        LimitName::CpuTimeMs => step.limits.cpu_time.0,
        LimitName::WallTimeMs => step.limits.wall_time.0,
        LimitName::MemoryBytes => step.limits.memory.0,
        LimitName::Processes => step.limits.processes.into(),
        LimitName::Cpus => step.limits.cpus_milli.into(),
        LimitName::OutputBytes => step.output_bytes,
        LimitName::FileBytes => step.limits.file.0,
        LimitName::DiskBytes => step.limits.disk.0,
        LimitName::OpenFiles => step.limits.open_files.into(),
        LimitName::StackBytes => step.limits.stack.0,
    }
}

proptest! {
    #[test]
    fn the_first_row_that_fits_is_the_verdict(
        ended in ended(),
        written in prop_oneof![0..=CAP, CAP..CAP + 2, any::<u64>()],
        kill in any::<bool>(),
        gone in prop::bool::weighted(0.1),
        heap in any::<bool>(),
    ) {
        let step = step();
        let kept = if heap { b"java.lang.OutOfMemoryError".to_vec() } else { Vec::new() };
        let output = Output { stdout: Captured { kept: Vec::new(), bytes: written }, stderr: Captured { kept, bytes: 0 } };
        let part = PathBuf::from("/usr/bin/gcc");
        let facts = Facts {
            end: &RunEnd::Ended(ended),
            step: &step,
            output: &output,
            on_output_limit: if kill { OnOutputLimit::Kill } else { OnOutputLimit::Truncate },
            gone: gone.then_some(part.as_path()),
        };
        let (verdict, reason) = of_run(&facts);
        let case = Case { ended: &ended, written, kill, gone };
        let row = table().into_iter().find(|(_, fits)| fits(&case)).map(|(verdict, _)| verdict);
        prop_assert_eq!(Some(verdict), row);

        // `ok` is only for a program that ended by itself with 0, and it alone has no reason.
        prop_assert_eq!(verdict == Verdict::Ok, reason.is_none());
        if verdict == Verdict::Ok {
            prop_assert!(ended.outcome == Outcome::Exited(0) && !ended.filter_killed && ended.usage.oom_kills == 0);
            prop_assert!(matches!(ended.stop, None | Some(StopReason::Output)) && !gone);
        }
        if let Some(reason) = reason {
            prop_assert!(reason.message.ends_with('.') && !reason.message.contains("  "), "{}", reason.message);
            if let Some(limit) = reason.limit {
                prop_assert_eq!(reason.value, Some(allowed(&step, limit)));
            }
        }

        // A compile step has none but its own verdicts, and none only when it made something and was well.
        for artifact in [true, false] {
            match of_compile(&facts, artifact) {
                None => prop_assert!(artifact && verdict == Verdict::Ok),
                Some((Verdict::EngineError | Verdict::Cancelled, _)) => {
                    prop_assert!(matches!(verdict, Verdict::EngineError | Verdict::Cancelled));
                }
                Some((compile, reason)) => {
                    prop_assert!(compile == Verdict::CompileError && reason.is_some());
                    prop_assert!(!artifact || verdict != Verdict::Ok);
                }
            }
        }
    }
}
