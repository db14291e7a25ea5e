//! Proportional memory and CPU time of a process and all below it.

use std::fs;

use crate::problem::{Context, Problem, Result};

const ENOENT: i32 = 2;
const ESRCH: i32 = 3;

/// Sum of PSS in kB over `top` and its descendants.
///
/// # Errors
/// When /proc cannot be read; PSS of other users' processes needs root.
pub fn pss_of_tree(top: u32) -> Result<u64> {
    tree(top)?.into_iter().map(pss).sum()
}

/// `top` and its descendants, parents first.
///
/// # Errors
/// When /proc cannot be read.
pub fn tree(top: u32) -> Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").or_problem("/proc cannot be listed", "mount -t proc proc /proc")? {
        let name = entry.or_problem("/proc cannot be listed", "mount -t proc proc /proc")?.file_name();
        let Some(pid) = name.to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        // A process that ended in between has no part in the sum.
        if let Some(parent) = fs::read_to_string(format!("/proc/{pid}/stat")).ok().as_deref().and_then(parent_of) {
            parents.push((pid, parent));
        }
    }
    let mut tree = vec![top];
    let mut at = 0;
    while let Some(&pid) = tree.get(at) {
        tree.extend(parents.iter().filter(|(_, parent)| *parent == pid).map(|(child, _)| *child));
        at += 1;
    }
    Ok(tree)
}

/// CPU time in microseconds that `top` and its descendants have used so far. In steps of 10 ms.
///
/// # Errors
/// When /proc cannot be read.
pub fn cpu_of_tree(top: u32) -> Result<u64> {
    Ok(tree(top)?.into_iter().filter_map(cpu_of).sum())
}

/// CPU time of one process; `None` when it has ended.
pub fn cpu_of(pid: u32) -> Option<u64> {
    fs::read_to_string(format!("/proc/{pid}/stat")).ok().as_deref().and_then(cpu_in)
}

/// The fields 14 and 15: its time as user and in the kernel.
fn cpu_in(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some((ticks()? + ticks()?) * TICK_US)
}

/// What the kernel counts in where it tells programs of time (USER_HZ is 100 on x86-64).
const TICK_US: u64 = 10_000;

/// The fourth field of `/proc/PID/stat`; the second may hold blanks and brackets.
fn parent_of(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn pss(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = match fs::read_to_string(&path) {
        // It has ended since it was listed.
        Err(cause) if matches!(cause.raw_os_error(), Some(ENOENT | ESRCH)) => return Ok(0),
        read => read.or_problem(path.clone(), "run this as root")?,
    };
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix("kB")).and_then(|n| n.trim().parse().ok());
    kilobytes.ok_or_else(|| Problem::new(format!("{path} has no Pss line"), "use a kernel >= 5.15"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_confuse() {
        assert_eq!(parent_of("42 (a) b (c)) S 7 42 42 0"), Some(7));
    }

    #[test]
    fn the_times_of_two_fields_are_added() {
        let stat = "42 (a b) S 7 42 42 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 100";
        assert_eq!(cpu_in(stat), Some(300_000));
        assert_eq!(cpu_in("42 (a b) S 7"), None);
    }

    #[test]
    fn we_have_memory() {
        assert!(pss_of_tree(std::process::id()).unwrap() > 100);
    }
}
