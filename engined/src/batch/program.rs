//! A program that is compiled once and run often, on a tenant's account: a submission of a batch, or its checker.
//!
//! Each compile and each run is an execution like any other: it has its turn in the queue at the priority `batch`, its audit
//! line, and counts in usage, metrics and signs of abuse.
