//! The line of an execution, field by field.

use api_spec::{MemoryPeakSource, Timings, Usage};

use super::escape::Object;
use super::record::{Caller, Ended, Execution, Part, name};
use crate::tenants::Peer;
use crate::usage::count::Charged;

/// Appends it whole or not at all. `whole`: with all that is known, not only with what is counted.
///
/// # Errors
/// That of serialising.
pub fn append(
    execution: &Execution,
    charged: &Charged,
    numbered: (u64, &str),
    whole: bool,
    into: &mut Vec<u8>,
) -> serde_json::Result<()> {
    let before = into.len();
    let mut line = Object::open(into);
    match fields(execution, charged, numbered, whole, &mut line) {
        Ok(()) => {
            line.close();
            into.push(b'\n');
            Ok(())
        }
        Err(error) => {
            into.truncate(before);
            Err(error)
        }
    }
}

fn fields(
    execution: &Execution,
    charged: &Charged,
    (seq, time): (u64, &str),
    whole: bool,
    line: &mut Object<'_>,
) -> serde_json::Result<()> {
    line.number("seq", seq);
    line.word("time", time);
    let (act, problem) = match execution.ended {
        Ended::Problem(code) => ("refused", Some(code)),
        Ended::Verdict(_) | Ended::Gone | Ended::Cut => ("execution", None),
    };
    line.word("act", act);
    if whole {
        line.text("id", &execution.id)?;
        who(&execution.caller, line)?;
    }
    line.text("tenant", &execution.tenant)?;
    line.text("language", &execution.language.id)?;
    let verdict = execution.ended.verdict();
    if let Some(verdict) = verdict {
        line.word("verdict", verdict.name());
    }
    if let Some(problem) = problem {
        line.word("problem", problem);
    }
    if execution.ended == Ended::Gone {
        line.value("caller_gone", &true)?;
    }
    if execution.ended == Ended::Cut {
        line.value("cut", &true)?;
    }
    if whole {
        details(execution, line)?;
    }
    if verdict.is_some() {
        let Charged { cpu_time_us, compile_cpu_time_us, memory_kib_ms, output_bytes } = *charged;
        let mut charged = line.object("charged");
        charged.number("cpu_time_us", cpu_time_us);
        charged.number("compile_cpu_time_us", compile_cpu_time_us);
        charged.number("memory_kib_ms", memory_kib_ms);
        charged.number("output_bytes", output_bytes);
        charged.close();
    }
    Ok(())
}

fn who(caller: &Caller, line: &mut Object<'_>) -> serde_json::Result<()> {
    let Caller { request, peer, token, trace } = caller;
    line.text("request_id", request)?;
    let mut from = line.object("caller");
    match peer {
        Peer::Unix { uid, .. } => from.number("uid", u64::from(*uid)),
        Peer::Tcp(address) => from.value("address", address)?,
    }
    if let Some(token) = token {
        from.text("token", token)?;
    }
    from.close();
    if let Some(trace) = trace {
        line.word("trace_id", trace.id.as_str());
        line.word("span_id", trace.span.as_str());
        line.word("parent_span_id", trace.parent.as_str());
    }
    Ok(())
}

fn details(execution: &Execution, line: &mut Object<'_>) -> serde_json::Result<()> {
    let Execution { plan, labels, source, part, language, priority, timings, used, .. } = execution;
    line.text("plan", plan)?;
    line.text("version", &language.version)?;
    line.text("toolchain", &language.toolchain)?;
    line.word("priority", name(*priority));
    match labels.is_empty() {
        true => line.object("labels").close(),
        false => line.value("labels", labels)?,
    }
    if let Some(part) = part {
        put_part(part, line.object("batch"))?;
    }
    if let Some(hash) = &source.sha256 {
        line.word("source_sha256", hash.as_str());
    }
    if let Some((files, cut)) = &source.files {
        line.value("source", files)?;
        line.value("source_cut", cut)?;
    }
    line.value("cached", &used.cached)?;
    for (step, usage) in [("compile", &used.compile), ("run", &used.run)] {
        match usage {
            Some(usage) => put_usage(usage, line.object(step))?,
            None => line.value(step, &())?,
        }
    }
    if !used.watched_calls.is_empty() {
        line.value("watched_calls", &used.watched_calls)?;
    }
    let Timings { queue_us, compile_us, setup_us, run_us, total_us } = *timings;
    let mut took = line.object("timings");
    took.number("queue_us", queue_us);
    took.number("compile_us", compile_us);
    took.number("setup_us", setup_us);
    took.number("run_us", run_us);
    took.number("total_us", total_us);
    took.close();
    line.value("missing_layers", &used.missing_layers)
}

fn put_part(part: &Part, mut object: Object<'_>) -> serde_json::Result<()> {
    let Part { batch, submission, test, checker } = part;
    object.text("id", batch)?;
    if let Some(submission) = submission {
        object.text("submission", submission)?;
    }
    if let Some((test, repeat)) = test {
        object.text("test", test)?;
        object.number("repeat", u64::from(*repeat));
    }
    if *checker {
        object.value("checker", &true)?;
    }
    object.close();
    Ok(())
}

/// As the answer has it.
fn put_usage(usage: &Usage, mut object: Object<'_>) -> serde_json::Result<()> {
    object.number("cpu_time_us", usage.cpu_time_us);
    object.number("user_time_us", usage.user_time_us);
    object.number("system_time_us", usage.system_time_us);
    object.number("wall_time_us", usage.wall_time_us);
    object.number("memory_peak_bytes", usage.memory_peak_bytes);
    let source = match usage.memory_peak_source {
        MemoryPeakSource::Kernel => "kernel",
        MemoryPeakSource::Sampled => "sampled",
    };
    object.word("memory_peak_source", source);
    object.number("processes_peak", usage.processes_peak);
    object.number("throttled_us", usage.throttled_us);
    object.number("involuntary_switches", usage.involuntary_switches);
    object.close();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_is_as_the_answer_has_it() {
        let usage = Usage {
            cpu_time_us: 1,
            user_time_us: 2,
            system_time_us: 3,
            wall_time_us: 4,
            memory_peak_bytes: 5,
            memory_peak_source: MemoryPeakSource::Sampled,
            processes_peak: 6,
            throttled_us: 7,
            involuntary_switches: 8,
        };
        let mut bytes = Vec::new();
        put_usage(&usage, Object::open(&mut bytes)).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), serde_json::to_string(&usage).unwrap());
    }
}
