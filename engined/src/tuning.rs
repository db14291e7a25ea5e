//! When a tuned compile has to be repeated without: the answer must be that of the bare toolchain, byte for byte.
//!
//! A compile that succeeds without a word gives the same program (`corpus/tuning` holds it to that). What is said may
//! differ, in the chain of headers that a message names, and in everything that another linker says. The manifest names
//! the words by which such a message is known (`repeat_if`). Two compiles cost a caller more time than one, and never
//! another answer: each has the limits that the caller asked for. One difference stays, and is meant: a tuned compile
//! needs less time and memory, so that what succeeds in a limit may exceed that limit untuned. `<bits/stdc++.h>` in 96 to
//! 160 MiB is `ok` tuned and `memory_limit` bare.

use jail::spec::{Ended, Outcome, StopReason};
use languages::tuning::Tuning;
use memchr::memmem;

use crate::capture::Output;
use crate::link::RunEnd;

/// Whether a compile of these texts, the caller's files and flags, may be tuned. A word counts as well where line splices,
/// a backslash and blanks at the end of a line, go through it.
pub fn may_be_used<'a>(recipe: &Tuning, mut texts: impl Iterator<Item = &'a [u8]>) -> bool {
    let says = |text: &[u8]| recipe.unless_sources.iter().any(|word| contains(text, word.as_bytes()));
    texts
        .all(|text| !says(text) && (recipe.unless_sources.is_empty() || !spliced(text).is_some_and(|text| says(&text))))
}

/// The text without its line splices. `None`: it has none.
fn spliced(text: &[u8]) -> Option<Vec<u8>> {
    let mut joined = Vec::new();
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, from) = rest.split_at(at);
        joined.extend_from_slice(before);
        let blanks = from[1..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)).count();
        if from.get(1 + blanks) == Some(&b'\n') {
            rest = &from[blanks + 2..];
        } else {
            joined.push(b'\\');
            rest = &from[1..];
        }
    }
    joined.extend_from_slice(rest);
    (joined.len() < text.len()).then_some(joined)
}

/// Whether a tuned compile that ended so might have ended otherwise without.
pub fn may_have_mattered(end: &RunEnd, output: &Output, repeat_if: &[String]) -> bool {
    let streams = [&output.stdout, &output.stderr];
    let spoke = streams.iter().any(|stream| !stream.kept.is_empty());
    let cut = streams.iter().any(|stream| stream.bytes > u64::try_from(stream.kept.len()).unwrap_or(0));
    let says = |word: &String| streams.iter().any(|stream| contains(&stream.kept, word.as_bytes()));
    match end {
        // Nobody waits for it any more, or jaild is gone.
        RunEnd::Lost | RunEnd::Refused(_) => false,
        RunEnd::Ended(Ended { stop: Some(StopReason::Cancelled | StopReason::Gone), .. }) => false,
        // Without, it takes longer.
        RunEnd::Ended(Ended { stop: Some(StopReason::CpuTime | StopReason::WallTime), .. }) => false,
        RunEnd::Ended(Ended { outcome: Outcome::Exited(code), stop: None, .. }) => {
            cut || (*code != 0 && !spoke) || repeat_if.iter().any(says)
        }
        RunEnd::Ended(_) => true,
    }
}

/// Adds what an earlier compile of the same job took: times, switches and forbidden calls as a sum, peaks as the higher.
/// How it ended stays that of the later one.
pub fn add(end: &mut RunEnd, before: &RunEnd) {
    let (RunEnd::Ended(end), RunEnd::Ended(before)) = (end, before) else { return };
    let (sum, first) = (&mut end.usage, &before.usage);
    sum.cpu.0 = sum.cpu.0.saturating_add(first.cpu.0);
    sum.user.0 = sum.user.0.saturating_add(first.user.0);
    sum.system.0 = sum.system.0.saturating_add(first.system.0);
    sum.wall.0 = sum.wall.0.saturating_add(first.wall.0);
    sum.throttled.0 = sum.throttled.0.saturating_add(first.throttled.0);
    sum.involuntary_switches = sum.involuntary_switches.saturating_add(first.involuntary_switches);
    if first.memory_peak.0 > sum.memory_peak.0 {
        (sum.memory_peak, sum.memory_peak_source) = (first.memory_peak, first.memory_peak_source);
    }
    sum.processes_peak = sum.processes_peak.max(first.processes_peak);
    end.attempts.add(&before.attempts);
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    !word.is_empty() && memmem::find(text, word).is_some()
}

#[cfg(test)]
mod tests {
    use jail::link::Refusal;
    use jail::spec::WatchedCall;

    use super::*;
    use crate::capture::Captured;
    use crate::verdict::tests::ended;

    fn repeated(outcome: Outcome, stop: Option<StopReason>, said: &str, bytes: u64) -> bool {
        let stderr = Captured { kept: said.as_bytes().to_vec(), bytes };
        let end = RunEnd::Ended(Ended { outcome, stop, ..ended() });
        may_have_mattered(&end, &Output { stderr, ..Output::default() }, &["/usr/".to_owned(), String::new()])
    }

    #[test]
    fn silence_and_success_stand_and_so_does_what_no_recipe_doubts() {
        let said = |code, text: &str| repeated(Outcome::Exited(code), None, text, text.len() as u64);
        assert!(!said(0, ""));
        assert!(!said(0, "main.cpp:1:1: warning: x"));
        assert!(!said(1, "main.cpp:1:1: error: x"));
        assert!(said(1, ""), "it failed, and nobody says why");
        assert!(said(0, "a\nIn file included from /usr/include/c++/12/iostream:39:\n"));
        assert!(said(1, "/usr/bin/ld: x"));
        assert!(repeated(Outcome::Exited(1), None, "main.cpp", 9), "what was cut off may say it");
        assert!(repeated(Outcome::Signalled(11), None, "", 0), "it crashed");
    }

    #[test]
    fn what_was_stopped_is_repeated_where_it_might_go_on() {
        let stopped = |stop| repeated(Outcome::Signalled(9), Some(stop), "", 0);
        assert!(stopped(StopReason::Memory));
        for stop in [StopReason::CpuTime, StopReason::WallTime, StopReason::Cancelled, StopReason::Gone] {
            assert!(!stopped(stop), "{stop:?}");
        }
        for end in [RunEnd::Lost, RunEnd::Refused(Refusal::UnknownProfile)] {
            assert!(!may_have_mattered(&end, &Output::default(), &[]));
        }
    }

    #[test]
    fn two_compiles_cost_what_both_did() {
        let one = |cpu, memory, processes| {
            let mut one = ended();
            one.usage.cpu.0 = cpu;
            one.usage.wall.0 = cpu + 1;
            one.usage.memory_peak.0 = memory;
            one.usage.processes_peak = processes;
            one.attempts.count(WatchedCall::SOCKET);
            one
        };
        let mut end = RunEnd::Ended(one(100, 7, 3));
        add(&mut end, &RunEnd::Ended(Ended { outcome: Outcome::Exited(9), ..one(20, 9, 2) }));
        let RunEnd::Ended(sum) = end else { panic!("it has ended") };
        assert_eq!((sum.usage.cpu.0, sum.usage.wall.0), (120, 122));
        assert_eq!((sum.usage.memory_peak.0, sum.usage.processes_peak), (9, 3));
        assert_eq!(sum.attempts.of(WatchedCall::SOCKET), 2);
        assert_eq!(sum.outcome, ended().outcome);
        let mut end = RunEnd::Lost;
        add(&mut end, &RunEnd::Ended(ended()));
        assert!(matches!(end, RunEnd::Lost));
    }

    #[test]
    fn a_word_in_any_file_keeps_a_compile_untuned() {
        let recipe = Tuning { unless_sources: vec!["__has_include".to_owned()], ..Tuning::default() };
        assert!(may_be_used(&recipe, [&b"int main() {}"[..], b""].into_iter()));
        assert!(!may_be_used(&recipe, [&b"int main() {}"[..], b"#if __has_include(<iostream>)\xff"].into_iter()));
        for broken in
            [&b"a\\b\n#if __has_\\\ninclude(<x>)"[..], b"__\\ \t\r\nhas_\\\n\\\ninclude", b"-DHI=__has_include"]
        {
            assert!(!may_be_used(&recipe, [broken].into_iter()), "{}", broken.escape_ascii());
        }
        assert!(may_be_used(&recipe, [&b"__has_\\n \\\n include \\"[..]].into_iter()), "nothing joins these");
    }
}
