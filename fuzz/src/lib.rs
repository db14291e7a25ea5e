//! What engined and jaild read that somebody else wrote, one function per kind, for a fuzzer to call with bytes of its own.
//!
//! A target may do what it likes with any input but panic, allocate without bound or take long. Beyond that each holds
//! what it reads against what must be true of it: what was decoded encodes to the same bytes, what was admitted is within
//! the ceilings, what matches is found.
//!
//! `fuzz_targets/` makes programs of these with libFuzzer, `cargo xtask fuzz` builds and runs them (`README.md`). The tests
//! here replay `corpus/`, without any fuzzer.
#![forbid(unsafe_code)]

pub mod glob;
pub mod grading;
pub mod link;
pub mod records;
pub mod request;
pub mod settings;
pub mod talk;
pub mod text;

/// What a fuzzer calls.
pub type Target = fn(&[u8]);

/// Every target by the name of its program and its corpus.
pub const TARGETS: [(&str, Target); 14] = [
    ("batch", request::batch),
    ("bundle", records::bundle),
    ("collection", records::collection),
    ("compare", grading::compare),
    ("config", settings::config),
    ("glob", glob::glob),
    ("java", text::java),
    ("link_engined", link::engined),
    ("link_jaild", link::jaild),
    ("manifest", settings::manifest),
    ("opinion", grading::opinion),
    ("request", request::bytes),
    ("request_fields", request::fields),
    ("talk", talk::talk),
];

#[cfg(feature = "libfuzzer")]
#[global_allocator]
static HEAP: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);

/// The most that one input, of a few KiB, may have allocated at once. libFuzzer's own limit sees only what a sanitizer
/// tells it, and is for the process.
#[cfg(feature = "libfuzzer")]
const MEMORY: usize = 32 << 20;

/// Calls a target with no more than [`MEMORY`]: an allocation beyond it aborts, which is a finding.
#[cfg(feature = "libfuzzer")]
pub fn bounded(target: Target, data: &[u8]) {
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        // A panic is told with names of functions, which takes more memory than any input may.
        let then = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if HEAP.set_limit(usize::MAX).is_ok() {
                then(panic);
            }
        }));
    });
    let most = HEAP.allocated().saturating_add(MEMORY);
    assert_eq!(HEAP.set_limit(most), Ok(()), "{most} bytes are above what is allocated");
    target(data);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn every_target_has_its_program_and_its_corpus() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names(&here.join("fuzz_targets")), known);
        assert_eq!(names(&here.join("corpus")), known);
    }

    #[test]
    fn the_corpora_are_read_without_a_fuzzer() {
        for (name, target) in TARGETS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
            for entry in fs::read_dir(&folder).unwrap() {
                target(&fs::read(entry.unwrap().path()).unwrap());
            }
            target(b"");
        }
    }
}
