//! `cargo xtask picture`: what a load did to an engine, drawn out of its recorded scrapes. The README shows it.
//!
//! The record is one JSON object a line, `{"t_ms": N, "samples": {"SERIES": VALUE}}`: what `/metrics` said N ms after the
//! begin. [`record`] sums it up in a table of at most 120 rows, which is small enough to be kept (`systemd/grafana/load.csv`);
//! [`panels`] takes rates and quantiles out of the table; [`draw`] draws them. The same table gives the same picture, byte
//! for byte.

mod draw;
mod panels;
mod record;
mod table;

use std::fs;
use std::path::Path;

use crate::build;
use crate::problem::{Context, Result};
use table::Table;

/// Draws the picture anew: out of this record, or of the table that is kept.
pub fn run(scrapes: Option<&Path>) -> Result<()> {
    let folder = build::root().join("systemd/grafana");
    let (kept, picture) = (folder.join("load.csv"), folder.join("load.svg"));
    if let Some(path) = scrapes {
        let remedy = "give the file of scrapes that `cargo xtask mixed` wrote";
        let text = fs::read_to_string(path).or_problem(path.display().to_string(), remedy)?;
        let table = record::sum_up(&text).or_problem(path.display().to_string(), remedy)?;
        fs::write(&kept, table.to_csv()).or_problem(kept.display().to_string(), "make systemd/grafana writable")?;
        println!("xtask: written to {}", kept.display());
    }
    fs::write(&picture, drawn(&kept)?).or_problem(picture.display().to_string(), "make systemd/grafana writable")?;
    println!("xtask: written to {}", picture.display());
    Ok(())
}

fn drawn(kept: &Path) -> Result<String> {
    let remedy = "git checkout -- systemd/grafana, or cargo xtask picture --scrapes FILE";
    let text = fs::read_to_string(kept).or_problem(kept.display().to_string(), remedy)?;
    let table = Table::from_csv(&text).or_problem(kept.display().to_string(), remedy)?;
    Ok(draw::draw(&panels::of(&table)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_that_of_the_table() {
        let folder = build::root().join("systemd/grafana");
        let there = fs::read_to_string(folder.join("load.svg")).unwrap();
        assert!(there == drawn(&folder.join("load.csv")).unwrap(), "run cargo xtask picture");
        for word in ["Executions per second", "Verdicts per second", "Runs waiting", "Slots in use"] {
            assert!(there.contains(word), "{word}");
        }
    }
}
