//! The contract of engined with its callers.
