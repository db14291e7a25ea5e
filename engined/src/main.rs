//! The engine that runs strangers' code.
#![forbid(unsafe_code)]

fn main() {}
