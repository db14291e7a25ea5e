//! Proportional memory of a process and all below it.

use std::fs;

use crate::problem::{Context, Problem, Result};

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

/// The fourth field of `/proc/PID/stat`; the second may hold blanks and brackets.
fn parent_of(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn pss(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).or_problem(path.clone(), "run this as root")?;
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
    fn we_have_memory() {
        assert!(pss_of_tree(std::process::id()).unwrap() > 100);
    }
}
