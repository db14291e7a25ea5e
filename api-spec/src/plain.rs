//! A result as JSON, field by field. It is what serde makes of it to the byte, which a test holds it to; but every run has
//! one, with sixty fields whose names never need an escape, and looking for some in each is most of what a general
//! serialiser does.

use serde::Serialize;

use crate::response::{
    CompileResult, ExecutionResult, Isolation, LanguageUsed, MemoryPeakSource, RunResult, Start, Timings, Usage,
};
use crate::stream::{Data, Stream};

/// What a result without output takes.
const USUAL: usize = 2 << 10;

struct Json(Vec<u8>);

impl Json {
    /// What stands there as it is, names and brackets.
    fn raw(&mut self, raw: &str) {
        self.0.extend_from_slice(raw.as_bytes());
    }

    fn number(&mut self, before: &str, number: u64) {
        self.raw(before);
        self.raw(itoa::Buffer::new().format(number));
    }

    fn text(&mut self, before: &str, text: &str) -> serde_json::Result<()> {
        self.raw(before);
        // Without an end before its end: so it is looked at in strides.
        let plain = text.bytes().fold(true, |plain, byte| plain & (byte >= b' ') & (byte != b'"') & (byte != b'\\'));
        if !plain {
            return serde_json::to_writer(&mut self.0, text);
        }
        self.raw("\"");
        self.raw(text);
        self.raw("\"");
        Ok(())
    }

    /// What is rare.
    fn value<T: Serialize>(&mut self, before: &str, value: &T) -> serde_json::Result<()> {
        self.raw(before);
        serde_json::to_writer(&mut self.0, value)
    }

    fn exit(&mut self, code: Option<u8>, signal: Option<&str>) -> serde_json::Result<()> {
        match code {
            Some(code) => self.number("\"exit_code\":", code.into()),
            None => self.raw("\"exit_code\":null"),
        }
        match signal {
            Some(signal) => self.text(",\"signal\":", signal),
            None => {
                self.raw(",\"signal\":null");
                Ok(())
            }
        }
    }

    fn stream(&mut self, before: &str, stream: &Stream) -> serde_json::Result<()> {
        let Stream { data, bytes, truncated, note } = stream;
        self.raw(before);
        match data {
            Data::Text(text) => self.text("{\"text\":", text)?,
            Data::Base64(text) => self.text("{\"base64\":", text)?,
        }
        self.number(",\"bytes\":", *bytes);
        self.raw(if *truncated { ",\"truncated\":true" } else { ",\"truncated\":false" });
        if let Some(note) = note {
            self.text(",\"note\":", note)?;
        }
        self.raw("}");
        Ok(())
    }

    fn usage(&mut self, usage: &Usage) {
        let Usage {
            cpu_time_us,
            user_time_us,
            system_time_us,
            wall_time_us,
            memory_peak_bytes,
            memory_peak_source,
            processes_peak,
            throttled_us,
            involuntary_switches,
        } = *usage;
        self.number(",\"usage\":{\"cpu_time_us\":", cpu_time_us);
        self.number(",\"user_time_us\":", user_time_us);
        self.number(",\"system_time_us\":", system_time_us);
        self.number(",\"wall_time_us\":", wall_time_us);
        self.number(",\"memory_peak_bytes\":", memory_peak_bytes);
        self.raw(match memory_peak_source {
            MemoryPeakSource::Kernel => ",\"memory_peak_source\":\"kernel\"",
            MemoryPeakSource::Sampled => ",\"memory_peak_source\":\"sampled\"",
        });
        self.number(",\"processes_peak\":", processes_peak);
        self.number(",\"throttled_us\":", throttled_us);
        self.number(",\"involuntary_switches\":", involuntary_switches);
        self.raw("}");
    }

    fn compile(&mut self, compile: &CompileResult) -> serde_json::Result<()> {
        let CompileResult { cached, exit_code, signal, stdout, stderr, usage, watched_calls } = compile;
        self.raw(if *cached { "{\"cached\":true," } else { "{\"cached\":false," });
        self.exit(*exit_code, signal.as_deref())?;
        self.stream(",\"stdout\":", stdout)?;
        self.stream(",\"stderr\":", stderr)?;
        self.usage(usage);
        if !watched_calls.is_empty() {
            self.value(",\"watched_calls\":", watched_calls)?;
        }
        self.raw("}");
        Ok(())
    }

    fn run(&mut self, run: &RunResult) -> serde_json::Result<()> {
        let RunResult { start, exit_code, signal, stdout, stderr, usage, watched_calls } = run;
        self.raw(match start {
            Start::Cold => "{\"start\":\"cold\",",
        });
        self.exit(*exit_code, signal.as_deref())?;
        self.stream(",\"stdout\":", stdout)?;
        self.stream(",\"stderr\":", stderr)?;
        self.usage(usage);
        if !watched_calls.is_empty() {
            self.value(",\"watched_calls\":", watched_calls)?;
        }
        self.raw("}");
        Ok(())
    }

    fn isolation(&mut self, isolation: &Isolation) -> serde_json::Result<()> {
        let Isolation { layers, missing } = isolation;
        for (before, names) in [(",\"isolation\":{\"layers\":[", layers), (",\"missing\":[", missing)] {
            self.raw(before);
            for (index, name) in names.iter().enumerate() {
                self.text(if index == 0 { "" } else { "," }, name)?;
            }
            self.raw("]");
        }
        self.raw("}");
        Ok(())
    }
}

impl ExecutionResult {
    /// As the answer has it.
    ///
    /// # Errors
    /// That of serde, for the parts that are left to it.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let ExecutionResult {
            id,
            status,
            verdict,
            reason,
            language: LanguageUsed { id: language, version, toolchain },
            compile,
            run,
            outputs,
            outputs_skipped,
            outputs_omitted,
            timings: Timings { queue_us, compile_us, setup_us, run_us, total_us },
            isolation,
            labels,
        } = self;
        let mut json = Json(Vec::with_capacity(USUAL));
        json.text("{\"id\":", id)?;
        json.value(",\"status\":", status)?;
        json.text(",\"verdict\":", verdict.name())?;
        json.value(",\"reason\":", reason)?;
        json.text(",\"language\":{\"id\":", language)?;
        json.text(",\"version\":", version)?;
        json.text(",\"toolchain\":", toolchain)?;
        json.raw("},\"compile\":");
        match compile {
            Some(compile) => json.compile(compile)?,
            None => json.raw("null"),
        }
        json.raw(",\"run\":");
        match run {
            Some(run) => json.run(run)?,
            None => json.raw("null"),
        }
        json.value(",\"outputs\":", outputs)?;
        json.value(",\"outputs_skipped\":", outputs_skipped)?;
        json.number(",\"outputs_omitted\":", *outputs_omitted);
        json.number(",\"timings\":{\"queue_us\":", *queue_us);
        json.number(",\"compile_us\":", *compile_us);
        json.number(",\"setup_us\":", *setup_us);
        json.number(",\"run_us\":", *run_us);
        json.number(",\"total_us\":", *total_us);
        json.raw("}");
        json.isolation(isolation)?;
        json.value(",\"labels\":", labels)?;
        json.raw("}");
        Ok(json.0)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::request::OutputEncoding;
    use crate::response::{Hint, OutputFile, OutputSkipped, PathName, Reason, Status, Verdict};

    fn stream((kept, more, base64): (Vec<u8>, u64, bool)) -> Stream {
        let bytes = more.saturating_add(kept.len() as u64);
        Stream::new(kept, bytes, if base64 { OutputEncoding::Base64 } else { OutputEncoding::default() })
    }

    fn streams() -> impl Strategy<Value = Stream> {
        let text = any::<String>().prop_map(String::into_bytes);
        let kept = prop_oneof![Just(Vec::new()), text, proptest::collection::vec(any::<u8>(), 0..40)];
        (kept, prop_oneof![Just(0), any::<u64>()], any::<bool>()).prop_map(stream)
    }

    fn usages() -> impl Strategy<Value = Usage> {
        (any::<[u64; 8]>(), any::<bool>()).prop_map(|(numbers, kernel)| Usage {
            cpu_time_us: numbers[0],
            user_time_us: numbers[1],
            system_time_us: numbers[2],
            wall_time_us: numbers[3],
            memory_peak_bytes: numbers[4],
            memory_peak_source: if kernel { MemoryPeakSource::Kernel } else { MemoryPeakSource::Sampled },
            processes_peak: numbers[5],
            throttled_us: numbers[6],
            involuntary_switches: numbers[7],
        })
    }

    fn calls() -> impl Strategy<Value = BTreeMap<String, u32>> {
        proptest::collection::btree_map(any::<String>(), any::<u32>(), 0..3)
    }

    fn steps() -> impl Strategy<Value = (CompileResult, RunResult)> {
        let exits = (any::<Option<u8>>(), any::<Option<String>>());
        (exits, streams(), streams(), usages(), calls(), any::<bool>()).prop_map(
            |((exit_code, signal), stdout, stderr, usage, watched_calls, cached)| {
                let run = RunResult {
                    start: Start::Cold,
                    exit_code,
                    signal: signal.clone(),
                    stdout: stdout.clone(),
                    stderr: stderr.clone(),
                    usage,
                    watched_calls: watched_calls.clone(),
                };
                (CompileResult { cached, exit_code, signal, stdout, stderr, usage, watched_calls }, run)
            },
        )
    }

    proptest! {
        #[test]
        fn it_is_what_serde_makes(
            texts in any::<[String; 5]>(),
            numbers in any::<[u64; 6]>(),
            verdict in proptest::sample::select(Verdict::ALL.to_vec()),
            steps in (proptest::option::of(steps()), proptest::option::of(steps())),
            layers in proptest::collection::vec(any::<String>(), 0..3),
            labels in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..3),
            some in any::<bool>(),
        ) {
            let [id, language, version, toolchain, message] = texts;
            let path = || PathName::new(message.clone().into_bytes());
            let reason = Reason { limit: None, value: Some(numbers[5]), observed: None, message: message.clone(), hint: Some(Hint::Heap) };
            let layers: Vec<_> = layers.into_iter().map(Cow::Owned).collect();
            let result = ExecutionResult {
                id,
                status: Status::Finished,
                verdict,
                reason: some.then_some(reason),
                language: LanguageUsed { id: language, version, toolchain },
                compile: steps.0.map(|(compile, _)| compile),
                run: steps.1.map(|(_, run)| run),
                outputs: some.then(|| OutputFile::new(b"a\"\xff".to_vec(), b"x", 2)).into_iter().collect(),
                outputs_skipped: some.then(|| OutputSkipped { path: path(), reason: message.clone() }).into_iter().collect(),
                outputs_omitted: numbers[5],
                timings: Timings {
                    queue_us: numbers[0],
                    compile_us: numbers[1],
                    setup_us: numbers[2],
                    run_us: numbers[3],
                    total_us: numbers[4],
                },
                isolation: Isolation { missing: layers.iter().skip(1).cloned().collect(), layers },
                labels,
            };
            let [ours, serdes] = [result.to_json(), serde_json::to_vec(&result)].map(|json| String::from_utf8(json.unwrap()).unwrap());
            prop_assert_eq!(ours, serdes);
        }
    }
}
