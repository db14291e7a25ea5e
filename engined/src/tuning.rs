//! When a tuned compile has to be repeated without: the answer must be that of the bare toolchain, byte for byte.
//!
//! A compile that succeeds without a word gives the same program (`corpus/tuning` holds it to that). What is said may
//! differ, in the chain of headers that a message names, and in everything that another linker says. The manifest names
//! the words by which such a message is known (`repeat_if`). Two compiles cost a caller more time than one, and never
//! another answer: each has the limits that the caller asked for.

use jail::spec::{Ended, Outcome, StopReason};

use crate::capture::Output;
use crate::link::RunEnd;

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

fn contains(text: &[u8], word: &[u8]) -> bool {
    !word.is_empty() && text.windows(word.len()).any(|window| window == word)
}
