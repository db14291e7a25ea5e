//! Target `batch`: see fuzz/README.md.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bounded(fuzz::request::batch, data));
