//! Makes a fresh Debian or Ubuntu ready: packages, the two accounts, the range of subordinate ids.
//!
//! Where Ubuntu's AppArmor restricts user namespaces, a profile lets the jaild of this checkout make them.
//!
//! Everything here is found missing first, then done when we are root and printed as one command when we are not.
//! `engined up` itself installs nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::build;
use crate::problem::{Context, Problem, Result};

/// How many ids `jaild` hands out to sandboxes, and the least that the engine starts with.
const RANGE: u32 = 65_536;
/// Below this, `useradd` gives ids to people.
const FIRST: u32 = 100_000;
const BROKER: &str = "jaild";
const ACCOUNTS: [&str; 2] = ["engined", BROKER];

/// A package and the file that shows that it is there, by which name it came does not matter.
const PACKAGES: [(&str, &str); 7] = [
    ("python3", "/usr/bin/python3"),
    ("gcc", "/usr/bin/gcc"),
    ("libc6-dev", "/usr/include/stdio.h"),
    ("g++", "/usr/bin/g++"),
    ("nodejs", "/usr/bin/node"),
    ("default-jdk-headless", "/usr/bin/javac"),
    ("uidmap", "/usr/bin/newuidmap"),
];

/// Does what is missing when root. Otherwise prints the command, and fails only when the engine could not start.
///
/// # Errors
/// When a step failed, or when one is needed that only root can do.
pub fn ensure() -> Result<()> {
    let root = nix::unistd::geteuid().is_root();
    let steps = missing(root)?;
    if steps.is_empty() {
        return Ok(());
    }
    if !root {
        return Err(Problem::new(
            format!("{} thing(s) are missing here and only root can set them up", steps.len()),
            format!("sudo sh -c '{}'", steps.iter().map(|s| s.join(" ")).collect::<Vec<_>>().join(" && ")),
        ));
    }
    for step in steps {
        run(&step)?;
    }
    let left = missing(true)?;
    if left.is_empty() { Ok(()) } else { Err(Problem::new("the set-up did not take", left.concat().join(" "))) }
}

/// Makes sure that environments of Python can be made, for the tests of the client and for the corpus: Debian has
/// `ensurepip` in a package of its own. Nothing else needs it.
///
/// # Errors
/// As [`ensure`].
pub fn ensure_pip() -> Result<()> {
    let there = || {
        let python = Command::new("/usr/bin/python3").args(["-c", "import ensurepip, venv"]).output();
        python.is_ok_and(|output| output.status.success())
    };
    if there() {
        return Ok(());
    }
    let install = step(&["apt-get", "install", "-y", "-qq", "--no-install-recommends", "python3-venv"]);
    if !nix::unistd::geteuid().is_root() {
        let remedy = format!("sudo {}", install.join(" "));
        return Err(Problem::new("python3 cannot make environments here, and only root can mend that", remedy));
    }
    run(&step(&["apt-get", "update", "-qq"]))?;
    run(&install)?;
    if there() { Ok(()) } else { Err(Problem::new("the set-up did not take", install.join(" "))) }
}

/// Makes sure that a program of a package that only one measurement needs is there.
///
/// # Errors
/// As [`ensure`].
pub fn ensure_program(package: &str, file: &str) -> Result<()> {
    if Path::new(file).exists() {
        return Ok(());
    }
    let install = step(&["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]);
    if !nix::unistd::geteuid().is_root() {
        return Err(Problem::new(format!("{file} is not here"), format!("sudo {}", install.join(" "))));
    }
    run(&step(&["apt-get", "update", "-qq"]))?;
    run(&install)?;
    if Path::new(file).exists() { Ok(()) } else { Err(Problem::new("the set-up did not take", install.join(" "))) }
}

/// Set where AppArmor lets no program without a profile make user namespaces (Ubuntu 23.10 and newer).
const RESTRICTED: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
const PROFILE: &str = "/etc/apparmor.d/jaild-checkout";

type Step = Vec<String>;

fn step(words: &[&str]) -> Step {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What is missing, as the commands that mend it. An ordinary user runs rootless, with ids of their own.
fn missing(root: bool) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let packages: Vec<&str> = PACKAGES.iter().filter(|(_, file)| !Path::new(file).exists()).map(|(p, _)| *p).collect();
    if !packages.is_empty() {
        if !Path::new("/usr/bin/apt-get").exists() {
            return Err(Problem::new(
                format!("missing here: {}; and this system has no apt-get", packages.join(", ")),
                "install them under your distribution's names, then run this again",
            ));
        }
        steps.push(step(&["apt-get", "update", "-qq"]));
        let install = ["apt-get", "install", "-y", "-qq", "-o", "Dpkg::Use-Pty=0", "--no-install-recommends"];
        steps.push(step(&[&install[..], &packages].concat()));
    }
    let passwd = fs::read_to_string("/etc/passwd").or_problem("/etc/passwd cannot be read", "check its mode")?;
    let mut owner = BROKER.to_owned();
    if root {
        for account in ACCOUNTS.iter().filter(|name| !passwd.lines().any(|line| names(line, name))) {
            let options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"];
            steps.push(step(&[&["useradd"], &options[..], &["--shell", "/usr/sbin/nologin", account]].concat()));
        }
    } else {
        let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
        owner = user.map(|u| u.name).ok_or_else(|| Problem::new("your uid has no name", "log in as a named user"))?;
    }
    for (file, option) in [("/etc/subuid", "--add-subuids"), ("/etc/subgid", "--add-subgids")] {
        // A missing file is an empty one: usermod makes it.
        let lines = if Path::new(file).exists() {
            fs::read_to_string(file).or_problem(format!("{file} cannot be read"), "check its mode")?
        } else {
            String::new()
        };
        if !has_range(&lines, &owner) {
            let first = free_range(&lines, &passwd).ok_or_else(|| {
                Problem::new(format!("{file} has no {RANGE} free ids left"), format!("remove unused lines from {file}"))
            })?;
            steps.push(step(&["usermod", option, &format!("{first}-{}", first + RANGE - 1), &owner]));
        }
    }
    if fs::read_to_string(RESTRICTED).is_ok_and(|value| value.trim() == "1") {
        steps.extend(apparmor()?);
    }
    Ok(steps)
}

/// Installs the shipped profile under another name, for the programs that cargo builds here.
fn apparmor() -> Result<Vec<Step>> {
    let shipped = build::root().join("systemd/apparmor/jaild");
    let shipped = fs::read_to_string(&shipped).or_problem(shipped.display().to_string(), "git checkout -- systemd")?;
    let target = build::target()?;
    let profile = for_checkout(&shipped, &target);
    if fs::read_to_string(PROFILE).is_ok_and(|installed| installed == profile) {
        return Ok(Vec::new());
    }
    let draft = target.join("jaild.apparmor");
    fs::write(&draft, profile).or_problem(draft.display().to_string(), "make the target folder writable")?;
    let draft = draft.display().to_string();
    Ok(vec![step(&["install", "-m", "644", &draft, PROFILE]), step(&["apparmor_parser", "-r", PROFILE])])
}

fn for_checkout(shipped: &str, target: &Path) -> String {
    let programs = format!("profile jaild-checkout \"{}/{{debug,release}}/jaild\"", target.display());
    shipped.replace("profile jaild /usr/lib/engined/jaild", &programs)
}

fn names(line: &str, name: &str) -> bool {
    line.split(':').next() == Some(name)
}

/// The ranges of a file such as /etc/subuid: name, first, how many. Other lines are comments.
fn ranges(lines: &str) -> impl Iterator<Item = (&str, u32, u32)> {
    lines.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?, fields.next()?.trim().parse().ok()?, fields.next()?.trim().parse().ok()?))
    })
}

fn has_range(lines: &str, owner: &str) -> bool {
    ranges(lines).any(|(name, _, count)| name == owner && count >= RANGE)
}

/// The first of [`RANGE`] ids that no line of `lines` and no account of `passwd` has.
fn free_range(lines: &str, passwd: &str) -> Option<u32> {
    let mut taken: Vec<(u32, u32)> = ranges(lines).map(|(_, first, count)| (first, count)).collect();
    taken.extend(passwd.lines().filter_map(|line| Some((line.split(':').nth(2)?.parse().ok()?, 1))));
    taken.sort_unstable();
    let mut first = FIRST;
    for (start, count) in taken {
        if start >= first.checked_add(RANGE)? {
            break;
        }
        first = first.max(start.checked_add(count)?);
    }
    // The highest ids mean "nobody" and "no change" to the kernel.
    first.checked_add(RANGE).filter(|end| *end < u32::MAX - 1).map(|_| first)
}

fn run(words: &Step) -> Result<()> {
    let line = words.join(" ");
    println!("xtask: {line}");
    let status = Command::new(&words[0])
        .args(&words[1..])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(std::process::Stdio::null())
        .status()
        .or_problem(format!("`{line}` did not start"), "install what it names")?;
    if status.success() {
        return Ok(());
    }
    Err(Problem::new(format!("`{line}` failed ({status})"), "read its message above, mend that, and run this again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_range_overlaps_nothing() {
        assert_eq!(free_range("", ""), Some(100_000));
        assert_eq!(free_range("ann:100000:65536\n", ""), Some(165_536));
        assert_eq!(free_range("ann:165536:65536\nbob:100000:65536\n", ""), Some(231_072));
        // A gap that is too small is passed over, one that is just wide enough is taken.
        assert_eq!(free_range("ann:100000:1\nbob:165000:10\n", ""), Some(165_010));
        assert_eq!(free_range("ann:100000:1\nbob:165537:10\n", ""), Some(100_001));
        assert_eq!(free_range("", "ldap:x:120000:5::/:/bin/sh\n"), Some(120_001));
        assert_eq!(free_range("all:0:4294967295\n", ""), None);
    }

    #[test]
    fn the_profile_is_for_this_checkout() {
        let shipped = fs::read_to_string(build::root().join("systemd/apparmor/jaild")).unwrap();
        let ours = for_checkout(&shipped, Path::new("/src/a b"));
        assert!(
            ours.contains("profile jaild-checkout \"/src/a b/{debug,release}/jaild\" flags=(unconfined) {"),
            "{ours}"
        );
        assert!(ours.contains("userns,"), "{ours}");
    }

    #[test]
    fn a_range_must_be_wide_enough_and_ours() {
        assert!(has_range("jaild:100000:65536\n", "jaild"));
        assert!(!has_range("jaild:100000:1000\n", "jaild"));
        assert!(!has_range("# jaild\nann:100000:65536\n", "jaild"));
    }
}
