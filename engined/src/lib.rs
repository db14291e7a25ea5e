//! The engine that runs strangers' code: HTTP API, admission, queue, execution.
//!
//! The way of one execution: `http` (bytes to request) → `admission` (request to job) → `queue` (a slot) → `execution`
//! (the spine) → `link` (jaild) → `verdict` → `http`. The crate makes one program, `engined`; it is a library so that
//! its tests can hold each part by itself. What it promises is its command line and its API, not these modules.
#![forbid(unsafe_code)]

/// A line on standard output. Nobody may be there to read it, which is no reason to fail (`println!` would panic).
macro_rules! say {
    ($($words:tt)*) => {
        std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($words)*))).unwrap_or_default()
    };
}

/// The same on standard error.
macro_rules! complain {
    ($($words:tt)*) => {
        std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{}\n", format_args!($($words)*))).unwrap_or_default()
    };
}

pub mod abuse;
pub mod accounts;
pub mod admission;
pub mod ahead;
pub mod audit;
pub mod batch;
pub mod blobs;
pub mod budget;
pub mod cache;
pub mod capture;
pub mod cli;
pub mod client;
pub mod clock;
pub mod collection;
pub mod compiling;
pub mod config;
pub mod confinement;
pub mod contained;
pub mod control;
pub mod cpu_days;
pub mod doctor;
pub mod drain;
pub mod embed;
pub mod engine;
pub mod execution;
pub mod grade;
pub mod health;
pub mod http;
pub mod job;
pub mod kept;
pub mod link;
pub mod listeners;
pub mod logging;
pub mod manager;
pub mod metrics;
pub mod offers;
pub mod privileges;
pub mod probe;
pub mod problem;
pub mod process;
pub mod queue;
pub mod rates;
pub mod refusals;
pub mod reload;
pub mod run;
pub mod selftest;
pub mod serve;
pub mod state;
pub mod store_command;
pub mod supervise;
pub mod tenants;
pub mod trace;
pub mod tuning;
pub mod unattended;
pub mod usage;
pub mod verdict;
