//! What `/metrics` told every few seconds, for the picture in the README: a JSON object a line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::http::Client;
use crate::problem::{Context, Result};
use crate::soak::sample;

const EVERY: Duration = Duration::from_secs(5);
/// What no panel shows is left out: an hour of everything would be megabytes.
const KEPT: [&str; 9] = [
    "engined_executions_total",
    "engined_stage_duration_seconds",
    "engined_queue_depth",
    "engined_slots",
    "engined_stock",
    "engined_problems_total",
    "engined_kills_total",
    "engined_ready",
    "process_start_time_seconds",
];

/// Scrapes a live engine.
pub struct Recorder<'a> {
    file: File,
    port: u16,
    token: &'a str,
    begun: Instant,
}

impl<'a> Recorder<'a> {
    /// Begins the file.
    pub fn new(file: &Path, port: u16, token: &'a str) -> Result<Self> {
        let told = (file.display().to_string(), "name a file in a folder that is there");
        Ok(Recorder { file: File::create(file).or_problem(told.0, told.1)?, port, token, begun: Instant::now() })
    }

    /// Until the callers are through. A scrape that finds nobody is none.
    pub fn until(mut self, over: &AtomicBool) {
        while !over.load(Ordering::Relaxed) {
            let scraped = Client::connect(self.port).map(|client| client.with_token(self.token));
            let scraped = scraped.and_then(|mut client| sample::metrics(&mut client));
            if let Ok(all) = scraped {
                let kept = |(name, _): &(String, f64)| KEPT.iter().any(|prefix| name.starts_with(prefix));
                let told = |(_, value): &(String, f64)| *value != 0.0;
                let samples: BTreeMap<String, f64> = all.into_iter().filter(kept).filter(told).collect();
                let line = json!({"t_ms": self.begun.elapsed().as_millis(), "samples": samples});
                if let Err(cause) = writeln!(self.file, "{line}") {
                    eprintln!("xtask: the samples can't be written: {cause}");
                    return;
                }
            }
            std::thread::sleep(EVERY);
        }
    }
}
