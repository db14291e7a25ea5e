//! What a job came to, as the API says it.

use super::*;

pub(super) fn answer(
    id: String,
    job: &Job,
    verdict: Verdict,
    reason: Option<Reason>,
    compiled: Option<(&Done, bool)>,
    ran: Option<&Done>,
    timings: Timings,
) -> ExecutionResult {
    // What was done before says nothing of the layers that are in force now.
    let layers = [ran, compiled.filter(|(_, cached)| !cached).map(|(done, _)| done)]
        .into_iter()
        .flatten()
        .find_map(|done| ended(&done.end))
        .map(|ended| ended.layers);
    let stream = |captured: &Captured| Stream::new(captured.kept.clone(), captured.bytes, job.output_encoding);
    ExecutionResult {
        id,
        status: Status::Finished,
        verdict,
        reason,
        language: job.program.language.clone(),
        compile: compiled.and_then(|(done, cached)| {
            let ended = ended(&done.end)?;
            let (exit_code, signal) = exit(ended.outcome);
            let Output { stdout, stderr } = &done.output;
            let (stdout, stderr) = (stream(stdout), stream(stderr));
            let (usage, watched_calls) = (usage(ended), watched_calls(ended));
            Some(CompileResult { cached, exit_code, signal, stdout, stderr, usage, watched_calls })
        }),
        run: ran.and_then(|done| {
            let ended = ended(&done.end)?;
            let (exit_code, signal) = exit(ended.outcome);
            let Output { stdout, stderr } = &done.output;
            let (stdout, stderr) = (stream(stdout), stream(stderr));
            let (usage, watched_calls) = (usage(ended), watched_calls(ended));
            Some(RunResult { start: Start::Cold, exit_code, signal, stdout, stderr, usage, watched_calls })
        }),
        outputs: Vec::new(),
        outputs_skipped: Vec::new(),
        outputs_omitted: 0,
        timings,
        isolation: layers.map_or(Isolation { layers: Vec::new(), missing: Vec::new() }, isolation),
        labels: job.labels.clone(),
    }
}

/// `None` for a step that never ran.
pub(crate) fn ended(end: &RunEnd) -> Option<&Ended> {
    match end {
        RunEnd::Ended(ended) if !matches!(ended.outcome, Outcome::Failed { .. }) => Some(ended),
        _ => None,
    }
}

pub(super) fn exit(outcome: Outcome) -> (Option<u8>, Option<String>) {
    match outcome {
        Outcome::Exited(code) => (Some(code), None),
        Outcome::Signalled(signal) => (None, Some(verdict::signal_name(signal))),
        Outcome::Failed { .. } => (None, None),
    }
}

pub(super) fn watched_calls(ended: &Ended) -> BTreeMap<String, u32> {
    ended.attempts.iter().map(|(call, count)| (call.name().to_owned(), count)).collect()
}

pub(crate) fn usage(ended: &Ended) -> Usage {
    let usage = &ended.usage;
    Usage {
        cpu_time_us: usage.cpu.0,
        user_time_us: usage.user.0,
        system_time_us: usage.system.0,
        wall_time_us: usage.wall.0,
        memory_peak_bytes: usage.memory_peak.0,
        memory_peak_source: match usage.memory_peak_source {
            PeakSource::Kernel => MemoryPeakSource::Kernel,
            PeakSource::Sampled => MemoryPeakSource::Sampled,
        },
        processes_peak: usage.processes_peak.into(),
        throttled_us: usage.throttled.0,
        involuntary_switches: usage.involuntary_switches,
    }
}

pub(super) fn isolation(layers: Layers) -> Isolation {
    let names = |layers: Layers| layers.iter().map(|layer| Cow::Borrowed(layer.name())).collect();
    Isolation { layers: names(layers), missing: names(Layers::all().without(layers)) }
}
