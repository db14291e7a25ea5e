//! What breaks, and what is left of it: -9 to each process at every point of a run's life, and everything else that a
//! host can lack or a client can do. After each: no process, mount, cgroup, namespace, descriptor or byte left, and the
//! next hello is right within two seconds. Only in builds with `test-hooks`; skipped like `live`.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

#[path = "../common/mod.rs"]
mod common;

mod artifacts;
mod batches;
mod clients;
mod host;
mod kills;
mod lacks;
mod points;
mod rig;
mod traces;
