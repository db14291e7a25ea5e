//! Checks that `systemd/engined.toml` shows every setting that engined has, with its real default.

use std::fs;
use std::process::Command;

use crate::build::{self, Programs};
use crate::problem::{Context, Result};
use crate::tally::Tally;

/// Its default depends on the host.
const OF_THE_HOST: &str = "sandbox_memory_bytes";

/// Compares the example with what `engined config check --print` says is in force under it.
pub fn run(programs: &Programs) -> Result<Tally> {
    let path = build::root().join("systemd/engined.toml");
    let example = fs::read_to_string(&path).or_problem(path.display().to_string(), "git checkout -- systemd")?;
    let output = Command::new(&programs.engined).args(["config", "check", "--print", "--config"]).arg(&path).output();
    let output = output.or_problem("engined did not start", "cargo build --release")?;
    let mut tally = Tally::default();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    tally.check("systemd/engined.toml is right", output.status.success().then_some(()).ok_or(complaint));
    for (key, value) in String::from_utf8_lossy(&output.stdout).lines().filter_map(setting) {
        tally.check(&format!("systemd/engined.toml: {key}"), shown(&example, key, value));
    }
    Ok(tally)
}

/// The key and value of a line, whether it is commented out or not; what is only text has blanks in its key.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.trim_start_matches(['#', ' ']).split_once('=')?;
    let (key, value) = (key.trim(), value.split(" #").next()?.trim());
    (!key.is_empty() && !key.contains(' ')).then_some((key, value))
}

/// A line that is set is in force anyway; one that is commented out must show what is in force without it.
fn shown(example: &str, key: &str, value: &str) -> std::result::Result<(), String> {
    let line = example.lines().find(|line| setting(line).is_some_and(|(name, _)| name == key));
    let line = line.ok_or_else(|| "is not in the example".to_owned())?;
    let told = setting(line).map_or("", |(_, told)| told);
    // A share of cores is printed with three places.
    let fraction = |text: &str| text.parse::<f64>().ok().map(f64::to_bits);
    let same_number = fraction(told).is_some() && fraction(told) == fraction(value);
    let same = told == value || same_number || value.is_empty() || key == OF_THE_HOST;
    if !line.starts_with('#') || same { Ok(()) } else { Err(format!("shows {told}, the default is {value}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_shown_as_it_is() {
        let example = "# All of it = nothing.\n#a = 5\nb = 6\n#c = 1.0  # cores\n";
        assert!(shown(example, "a", "5").is_ok());
        assert!(shown(example, "b", "7").is_ok());
        assert!(shown(example, "c", "1.000").is_ok());
        assert_eq!(shown(example, "a", "6"), Err("shows 5, the default is 6".to_owned()));
        assert_eq!(shown(example, "d", "6"), Err("is not in the example".to_owned()));
    }
}
