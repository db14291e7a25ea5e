//! Target `opinion`: see fuzz/README.md.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bounded(fuzz::grading::opinion, data));
