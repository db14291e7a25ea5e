//! The sandbox of engined.

pub mod cgroup;
mod collect;
pub mod error;
pub mod landlock;
pub mod link;
pub mod meter;
pub mod mounts;
mod payload;
pub mod privileges;
pub mod probe;
pub mod records;
pub mod sandbox;
pub mod seccomp;
pub mod spawn;
pub mod spec;
pub mod stage;
pub mod sys;
pub mod talk;

/// Stands in every binary with test-only policies, and in no other. CI looks for it in what is shipped.
#[cfg(feature = "test-hooks")]
pub const TEST_HOOKS_MARKER: &str = "engined-test-hooks-marker: layers can be switched off, never ship this";

#[cfg(all(feature = "test-hooks", not(debug_assertions)))]
compile_error!("the feature test-hooks switches layers off: it is for debug builds alone");
