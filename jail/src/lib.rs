//! The sandbox of engined.

pub mod error;
pub mod link;
pub mod records;
pub mod seccomp;
pub mod spec;
pub mod sys;
