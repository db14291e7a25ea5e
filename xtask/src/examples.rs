//! Checks that `systemd/engined.toml` shows every setting that engined has, with its real default.

use std::fs;
use std::process::Command;

use crate::build::{self, Programs};
use crate::problem::{Context, Result};
use crate::tally::Tally;

/// Their defaults depend on the host, or on other settings that do.
const OF_THE_HOST: [&str; 3] = ["sandbox_memory_bytes", "memory_bytes", "cpus"];

/// Compares the example with what `engined config check --print` says is in force under it.
pub fn run(programs: &Programs) -> Result<Tally> {
    let path = build::root().join("systemd/engined.toml");
    let example = fs::read_to_string(&path).or_problem(path.display().to_string(), "git checkout -- systemd")?;
    let output = Command::new(&programs.engined).args(["config", "check", "--print", "--config"]).arg(&path).output();
    let output = output.or_problem("engined did not start", "cargo build --release")?;
    let mut tally = Tally::default();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    tally.check("systemd/engined.toml is right", output.status.success().then_some(()).ok_or(complaint));
    let shown = settings(&example);
    for real in settings(&String::from_utf8_lossy(&output.stdout)) {
        tally.check(&format!("systemd/engined.toml: {}.{}", real.section, real.key), is_shown(&shown, &real));
    }
    Ok(tally)
}

/// A line of a configuration.
#[derive(Debug)]
struct Setting<'a> {
    section: &'a str,
    key: &'a str,
    value: &'a str,
    commented_out: bool,
}

/// All settings, those that are commented out too; what is only text has blanks in its key.
fn settings(text: &str) -> Vec<Setting<'_>> {
    let mut section = "";
    let mut found = Vec::new();
    for line in text.lines() {
        let bare = line.trim_start_matches(['#', ' ']);
        if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.trim_end().strip_suffix(']')) {
            section = name;
        } else if let Some((key, value)) = bare.split_once('=') {
            let (key, value) = (key.trim(), value.split(" #").next().unwrap_or_default().trim());
            if !key.is_empty() && !key.contains(' ') {
                found.push(Setting { section, key, value, commented_out: line.starts_with('#') });
            }
        }
    }
    found
}

/// A line that is set is in force anyway; one that is commented out must show what is in force without it.
fn is_shown(example: &[Setting<'_>], real: &Setting<'_>) -> std::result::Result<(), String> {
    let line = example.iter().find(|line| line.section == real.section && line.key == real.key);
    let line = line.ok_or_else(|| "is not in the example".to_owned())?;
    // A share of cores is printed with three places.
    let fraction = |text: &str| text.parse::<f64>().ok().map(f64::to_bits);
    let same_number = fraction(line.value).is_some() && fraction(line.value) == fraction(real.value);
    let same = line.value == real.value || same_number || real.value.is_empty() || OF_THE_HOST.contains(&real.key);
    if !line.commented_out || same {
        return Ok(());
    }
    Err(format!("shows {}, the default is {}", line.value, real.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_shown_as_it_is() {
        let example = settings("# All of it = nothing.\n[one]\n#a = 5\nb = 6\n#[two]\n#a = 1.0  # cores\n");
        let check = |section, key, value| is_shown(&example, &Setting { section, key, value, commented_out: false });
        assert!(check("one", "a", "5").is_ok());
        assert!(check("one", "b", "7").is_ok());
        assert!(check("two", "a", "1.000").is_ok());
        assert_eq!(check("one", "a", "6"), Err("shows 5, the default is 6".to_owned()));
        assert_eq!(check("two", "a", "5"), Err("shows 1.0, the default is 5".to_owned()));
        assert_eq!(check("two", "b", "6"), Err("is not in the example".to_owned()));
    }
}
