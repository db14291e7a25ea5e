//! What developers of engined run.
#![forbid(unsafe_code)]

fn main() {}
