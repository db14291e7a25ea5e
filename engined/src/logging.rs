//! Lines of the log, for people or as JSON, on standard error. Programs, their input and tokens never stand in them.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::Log;

/// Starts logging. `RUST_LOG` goes before the configuration, in the form `info,engined::link=debug`.
pub fn start(log: &Log) {
    let configured = Targets::new().with_default(LevelFilter::from_level(log.level));
    let asked = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty()).map(|text| text.parse::<Targets>());
    let (filter, wrong) = match asked {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (configured, Some(error)),
        None => (configured, None),
    };
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = if log.json {
        registry.with(lines.json().flatten_event(true)).try_init()
    } else {
        registry.with(lines.with_ansi(false)).try_init()
    };
    if let Err(error) = started {
        complain!("engined: no log: {error}");
    }
    if let Some(error) = wrong {
        tracing::warn!(%error, "RUST_LOG is not understood; write it as in info,engined::link=debug");
    }
}
