//! The only place where a verdict is made: a pure function from how a step ended, what it used and what it was allowed.
//! First match, in the order of the contract.

use std::path::Path;
use std::time::Duration;

use api_spec::{Code, Hint, LimitName, OnOutputLimit, Reason, Verdict};
use jail::error::Step as SandboxStep;
use jail::link::Refusal;
use jail::spec::{Ended, Outcome, StopReason};
use nix::sys::signal::Signal;

use crate::capture::Output;
use crate::job::Step;
use crate::link::RunEnd;
use crate::problem::Error;
use crate::queue::Shed;

/// All that a verdict depends on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// How the step ended.
    pub end: &'a RunEnd,
    /// What it was allowed.
    pub step: &'a Step,
    /// What it wrote.
    pub output: &'a Output,
    /// What the caller wants when it writes too much.
    pub on_output_limit: OnOutputLimit,
    /// A part of the toolchain that is not there any more, where the step failed.
    pub gone: Option<&'a Path>,
}

/// The verdict of a run, with its reason where it is not `ok`.
#[must_use]
pub fn of_run(facts: &Facts<'_>) -> (Verdict, Option<Reason>) {
    match facts.end {
        RunEnd::Ended(ended) => of_ended(facts, ended),
        RunEnd::Refused(why) => engine_error(&refused(*why)),
        RunEnd::Lost => engine_error("The sandbox broker went away while the program ran. Run it again."),
    }
}

/// The verdict of a compile step: `None` when it made its artifact and the run may begin.
#[must_use]
pub fn of_compile(facts: &Facts<'_>, artifact: bool) -> Option<(Verdict, Option<Reason>)> {
    match of_run(facts) {
        (Verdict::Ok, _) if artifact => None,
        (Verdict::Ok, _) => Some((
            Verdict::CompileError,
            Some(plain("The compiler ended without an error but made no program: is the source empty?")),
        )),
        ours @ (Verdict::EngineError | Verdict::Cancelled, _) => Some(ours),
        (Verdict::RuntimeError, _) => {
            Some((Verdict::CompileError, Some(plain("The compiler found errors: its messages say where."))))
        }
        (_, reason) => {
            let reason = reason
                .map(|reason| Reason { message: reason.message.replacen("The program", "The compiler", 1), ..reason });
            Some((Verdict::CompileError, reason))
        }
    }
}

fn of_ended(facts: &Facts<'_>, ended: &Ended) -> (Verdict, Option<Reason>) {
    let (verdict, reason) = of_ending(facts, ended);
    let reason = reason.map(|mut reason| {
        reason.message.push_str(&attempts(verdict, ended));
        reason
    });
    (verdict, reason)
}

fn of_ending(facts: &Facts<'_>, ended: &Ended) -> (Verdict, Option<Reason>) {
    let (limits, usage) = (&facts.step.limits, &ended.usage);
    if let Some(part) = facts.gone {
        let part = part.display();
        return engine_error(&format!("The toolchain is not whole any more: {part} is gone. Tell the operator."));
    }
    if let Outcome::Failed { step, errno, index } = ended.outcome {
        if let Some(theirs) = did_not_fit(facts, step, errno) {
            return theirs;
        }
        return engine_error(&format!(
            "The sandbox failed before the program ran (step {step}, error {errno}, index {index}). See jaild's log."
        ));
    }
    match ended.stop {
        Some(StopReason::Cancelled) => return (Verdict::Cancelled, Some(plain("The caller cancelled the run."))),
        Some(StopReason::Gone) => return (Verdict::Cancelled, Some(plain("The caller went away."))),
        _ => {}
    }
    if let Some(reason) = output_limit(facts, ended) {
        return (Verdict::OutputLimit, Some(reason));
    }
    if ended.stop == Some(StopReason::Memory) || usage.oom_kills > 0 {
        let peak = usage.memory_peak.0;
        let message = format!("The program needed more memory than its limit of {}.", size(limits.memory.0));
        return (Verdict::MemoryLimit, Some(hit(LimitName::MemoryBytes, limits.memory.0, Some(peak), message)));
    }
    let cpu_ms = usage.cpu.0 / 1000;
    // A runtime that is short of heap collects garbage until some clock runs out.
    let full = heap_exhausted(&facts.output.stderr.kept);
    if ended.stop == Some(StopReason::CpuTime) || usage.cpu.0 > limits.cpu_time.0 * 1000 {
        let advice = if full { HEAP_IS_FULL } else { " Look for a loop that does not end." };
        let message = format!(
            "The program used {} of CPU time, its limit is {}.{advice}",
            seconds(cpu_ms),
            seconds(limits.cpu_time.0)
        );
        let reason = hit(LimitName::CpuTimeMs, limits.cpu_time.0, Some(cpu_ms), message);
        return (Verdict::CpuTimeLimit, Some(Reason { hint: full.then_some(Hint::Heap), ..reason }));
    }
    if ended.stop == Some(StopReason::WallTime) {
        let wall_ms = usage.wall.0 / 1000;
        let message = format!(
            "The program ran for {}, its limit is {}; it used {} of CPU time.",
            seconds(wall_ms),
            seconds(limits.wall_time.0),
            seconds(cpu_ms)
        );
        return (Verdict::WallTimeLimit, Some(hit(LimitName::WallTimeMs, limits.wall_time.0, Some(wall_ms), message)));
    }
    if ended.filter_killed {
        let message = match ended.attempts.fatal {
            Some(call) => {
                format!("The program made the system call {}, which ends whoever makes it here.", call.name())
            }
            None => "The program made a system call that is not allowed here and was ended.".to_owned(),
        };
        return (Verdict::SecurityViolation, Some(plain(&message)));
    }
    failure(facts, ended)
}

/// What was tried besides, for the reason of a run that went wrong.
fn attempts(verdict: Verdict, ended: &Ended) -> String {
    if matches!(verdict, Verdict::EngineError | Verdict::Cancelled) {
        return String::new();
    }
    // What the sentence before names already.
    let told = ended.attempts.fatal.filter(|_| verdict == Verdict::SecurityViolation);
    let tried = ended.attempts.iter().map(|(call, count)| (call, count.saturating_sub((told == Some(call)).into())));
    let (others, sockets): (Vec<_>, Vec<_>) =
        tried.filter(|(_, count)| *count > 0).partition(|(call, _)| call.is_forbidden());
    let mut text = String::new();
    if !others.is_empty() {
        let list: Vec<_> = others.iter().map(|(call, count)| format!("{} ({count})", call.name())).collect();
        text = format!(" Processes of it were ended for system calls that nobody may make here: {}.", list.join(", "));
    }
    // Where it may be why.
    if let (Some((_, count)), Verdict::RuntimeError | Verdict::Signalled | Verdict::WallTimeLimit) =
        (sockets.first(), verdict)
    {
        let sockets = if *count == 1 { "a network socket".to_owned() } else { format!("{count} network sockets") };
        text.push_str(&format!(" It opened {sockets}: no network is here but its own loopback."));
    }
    text
}

/// What kept the program from starting is the caller's to mend: its own files or arguments are more than its own limits.
fn did_not_fit(facts: &Facts<'_>, step: u8, errno: i32) -> Option<(Verdict, Option<Reason>)> {
    const ENOSPC: i32 = 28;
    const E2BIG: i32 = 7;
    let limits = &facts.step.limits;
    match (SandboxStep::from_number(step)?, errno) {
        (SandboxStep::Unpack, ENOSPC) => {
            let message = format!("The files are more than the work directory holds: {}.", size(limits.disk.0));
            Some((Verdict::DiskLimit, Some(hit(LimitName::DiskBytes, limits.disk.0, Some(limits.disk.0), message))))
        }
        (SandboxStep::Exec, E2BIG) => {
            let message = "The arguments and the environment need more than a quarter of the stack's limit.".to_owned();
            Some((Verdict::RuntimeError, Some(hit(LimitName::StackBytes, limits.stack.0, None, message))))
        }
        _ => None,
    }
}

/// The verdicts of a program that ended by itself.
fn failure(facts: &Facts<'_>, ended: &Ended) -> (Verdict, Option<Reason>) {
    let (limits, usage) = (&facts.step.limits, &ended.usage);
    if ended.outcome == Outcome::Exited(0) {
        return (Verdict::Ok, None);
    }
    if usage.processes_hit {
        let value = u64::from(limits.processes);
        let message = format!("The program failed after it could not start more than {value} processes and threads.");
        let observed = u64::from(usage.processes_peak);
        return (Verdict::ProcessLimit, Some(hit(LimitName::Processes, value, Some(observed), message)));
    }
    if ended.outcome == Outcome::Signalled(signal_number(Signal::SIGXFSZ)) {
        let message = format!("The program wrote a file of more than {}.", size(limits.file.0));
        return (Verdict::DiskLimit, Some(hit(LimitName::FileBytes, limits.file.0, Some(limits.file.0), message)));
    }
    if usage.disk_hit {
        let message = format!("The program failed with its work directory full: it holds {}.", size(limits.disk.0));
        return (Verdict::DiskLimit, Some(hit(LimitName::DiskBytes, limits.disk.0, Some(limits.disk.0), message)));
    }
    let hint = heap_exhausted(&facts.output.stderr.kept).then_some(Hint::Heap);
    let (verdict, mut message) = match ended.outcome {
        Outcome::Signalled(signal) => (Verdict::Signalled, signalled(signal)),
        Outcome::Exited(code) => (Verdict::RuntimeError, format!("The program ended with exit code {code}.")),
        // Answered above as our own failure.
        Outcome::Failed { .. } => return engine_error("The sandbox failed before the program ran."),
    };
    if hint.is_some() {
        message.push_str(HEAP_IS_FULL);
    }
    (verdict, Some(Reason { limit: None, value: None, observed: None, message, hint }))
}

const HEAP_IS_FULL: &str = " Its runtime ran out of heap: it needs more memory, or should keep less.";

/// Only where the caller asked to end the program for it; also when it was faster than our stop.
fn output_limit(facts: &Facts<'_>, ended: &Ended) -> Option<Reason> {
    let most = facts.output.stdout.bytes.max(facts.output.stderr.bytes);
    let cap = facts.step.output_bytes;
    let over = ended.stop == Some(StopReason::Output) || most > cap;
    (facts.on_output_limit == OnOutputLimit::Kill && over).then(|| {
        let message = format!("The program wrote more than {} to one of its output streams.", size(cap));
        hit(LimitName::OutputBytes, cap, Some(most), message)
    })
}

/// A reason that is a sentence and nothing more.
#[must_use]
pub fn plain(message: &str) -> Reason {
    Reason { limit: None, value: None, observed: None, message: message.to_owned(), hint: None }
}

fn hit(limit: LimitName, value: u64, observed: Option<u64>, message: String) -> Reason {
    Reason { limit: Some(limit), value: Some(value), observed, message, hint: None }
}

/// Of a job that its caller ended before it got a slot.
#[must_use]
pub fn cancelled_in_queue() -> (Verdict, Option<Reason>) {
    (Verdict::Cancelled, Some(plain("The caller cancelled the run before it began.")))
}

/// Of a job that its caller ended while its compile went on for others.
#[must_use]
pub fn cancelled_while_compiling() -> (Verdict, Option<Reason>) {
    (Verdict::Cancelled, Some(plain("The caller cancelled the run while it was compiled.")))
}

/// Of a job that nobody waited for and that could not be begun. `patience` is what a run may wait.
#[must_use]
pub fn not_begun(error: &Error, patience: Duration) -> (Verdict, Option<Reason>) {
    let own = match error {
        Error::Shed(Shed::WaitedTooLong) => Some(""),
        Error::Shed(Shed::OwnRunning { .. }) => Some(", the tenant having as many runs under way as its plan allows"),
        Error::Shed(Shed::OwnMemory { .. }) => Some(", the tenant's own runs under way leaving it too little memory"),
        _ => None,
    };
    if let Some(own) = own {
        let message = format!(
            "It waited longer than the engine lets a run wait ({}, engine.queue_wait_ms){own} and was dropped. Run it again \
             when there is less to do.",
            seconds(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX))
        );
        return (Verdict::Cancelled, Some(Reason { hint: Some(Hint::QueueWait), ..plain(&message) }));
    }
    let problem = error.problem();
    // What is the caller's own share is no error of ours.
    if matches!(problem.code, Code::QuotaExceeded | Code::Forbidden) {
        return (Verdict::Cancelled, Some(plain(&format!("The run was not begun: {}.", problem.detail))));
    }
    engine_error(&format!("The run could not be begun: {}. Run it again.", problem.detail))
}

/// Of a job that nobody waited for and that the deadline of a drain ended.
#[must_use]
pub fn cut() -> (Verdict, Option<Reason>) {
    engine_error(
        "The engine was stopped, and ended the run as it was not over when that was due (engine.drain_ms). Run it again.",
    )
}

/// Ours, never the program's.
#[must_use]
pub fn engine_error(message: &str) -> (Verdict, Option<Reason>) {
    (Verdict::EngineError, Some(plain(message)))
}

fn refused(why: Refusal) -> String {
    let what = match why {
        Refusal::Malformed => "it could not read the order: install engined and jaild of one version",
        Refusal::UnknownProfile => "it does not know this language: restart jaild with the manifests that engined has",
        Refusal::LimitOutside => "a limit is outside its own ceiling: compare jaild.toml with the plan's ceiling",
        Refusal::BadDescriptors => "it did not accept the descriptors: install engined and jaild of one version",
        Refusal::DuplicateId => "the run's number is in use",
        Refusal::NoRoom => "all of its slots are taken",
        Refusal::Broken => "it could not make a sandbox: see its log",
    };
    format!("The sandbox broker refused the run: {what}.")
}

fn signal_number(signal: Signal) -> u8 {
    u8::try_from(signal as i32).unwrap_or(0)
}

fn signalled(number: u8) -> String {
    let name = signal_name(number);
    let what = match Signal::try_from(i32::from(number)) {
        Ok(Signal::SIGSEGV) => {
            " (it touched memory that is not its own: a bad pointer, an index, or too deep recursion)"
        }
        Ok(Signal::SIGABRT) => " (it gave up by itself: a failed assertion or an uncaught error)",
        Ok(Signal::SIGFPE) => " (it divided an integer by zero)",
        Ok(Signal::SIGILL) => " (an illegal instruction)",
        Ok(Signal::SIGBUS) => " (it touched memory that is not there)",
        Ok(Signal::SIGPIPE) => " (it wrote to a pipe that nobody reads)",
        _ => "",
    };
    format!("The program was ended by {name}{what}.")
}

/// The name of a signal: `SIGSEGV`, `SIGRTMIN+3`.
#[must_use]
pub fn signal_name(number: u8) -> String {
    match Signal::try_from(i32::from(number)) {
        Ok(signal) => signal.as_str().to_owned(),
        // What glibc calls SIGRTMIN is 34: the first two are its own.
        Err(_) if (34..=64).contains(&number) => format!("SIGRTMIN+{}", number - 34),
        Err(_) => format!("signal {number}"),
    }
}

/// Whether a runtime said that its own heap is exhausted. Looked for in what was kept of the error stream.
fn heap_exhausted(stderr: &[u8]) -> bool {
    const WORDS: [&str; 4] =
        ["MemoryError", "java.lang.OutOfMemoryError", "JavaScript heap out of memory", "std::bad_alloc"];
    let text = String::from_utf8_lossy(stderr);
    WORDS.iter().any(|words| text.contains(words))
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod tests;
