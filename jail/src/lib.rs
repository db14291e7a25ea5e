//! The sandbox of engined.

pub mod link;
pub mod records;
pub mod spec;
pub mod sys;
