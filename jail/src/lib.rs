//! The sandbox of engined: one file per kernel mechanism, the link, and what the broker `jaild` is made of.
//!
//! # Theory of operation
//!
//! Four kinds of process, each with less than the one before:
//!
//! - The **broker** (`jaild`) is the root of an outer user namespace and an ordinary user of the host. It owns slots,
//!   control groups ([`cgroup`]) and clocks ([`meter`]), speaks the [`link`] with the engine, and never touches a byte of
//!   a caller.
//! - A **spawner** per slot ([`spawn`]), the same program executed anew, sits in the read-only tree ([`mounts`]) and clones
//!   inits. It can write id maps, and nothing else.
//! - **Init** ([`stage`]), pid 1 of a sandbox and root of the run's own user namespace, makes the sandbox, reaps, and at the
//!   end, alone, collects. It lives for one run.
//! - The **payload**, pid 2, confines itself ([`privileges`], [`landlock`], [`seccomp`]), unpacks its files and becomes the
//!   program. What it tries is told to init by its filter (`notify.rs`).
//!
//! A run is held as `Making → Prepared → Running → Finishing` ([`sandbox`]), each made of the one before by value, so that
//! a wrong order does not compile; dropping any of them kills init, and the kernel then kills everything in its pid
//! namespace. A `Prepared` sandbox has every layer in force and nothing of a caller in it: a stock of them can be kept.
//!
//! Nothing fails open: the first step that fails ends the sandbox and is reported with its number ([`error`]); limits are
//! read back after they were written; jaild does not start before a sandbox has proved every layer from inside
//! ([`probe`]).
//!
//! Unsafe code lives in [`sys`] alone.

pub mod cgroup;
mod collect;
pub mod cores;
pub mod error;
pub mod inventory;
pub mod landlock;
pub mod link;
pub mod meter;
pub mod mounts;
mod notify;
mod payload;
pub mod privileges;
pub mod probe;
pub mod records;
pub mod sandbox;
pub mod seccomp;
pub mod spawn;
pub mod spec;
pub mod stage;
pub mod stop;
pub mod sys;
pub mod talk;

#[cfg(feature = "fuzzing")]
pub use collect::fuzzing;

/// Stands in every binary with test-only policies, and in no other. CI looks for it in what is shipped.
#[cfg(feature = "test-hooks")]
pub const TEST_HOOKS_MARKER: &str = "engined-test-hooks-marker: layers can be switched off, never ship this";

#[cfg(all(feature = "test-hooks", not(debug_assertions)))]
compile_error!("the feature test-hooks switches layers off: it is for debug builds alone");
