//! What engined itself does for a request, in user space.
//!
//! Counted by callgrind, not timed: the same request takes the same instructions on a busy machine. The release build runs
//! under it as it is shipped, but for landlock and seccomp, which valgrind's own system calls would fall to. A function's
//! count includes all that it calls, so the entries below stand for their whole parts of the way.

use std::collections::BTreeMap;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::User;

use crate::build::Programs;
use crate::cost::{NO_OP, Setting, WARM};
use crate::engine::Scratch;
use crate::problem::{Context, Problem, Result};
use crate::served::{Served, Wish, new_token};
use crate::setup;

/// Valgrind's processor has no SHA instructions: a block takes 4,300 of its instructions and about 100 of the machine's. So
/// this function is left out of every number.
const SHA: &str = "--toggle-collect=sha2::sha256::soft::compress";
/// Work on a clock of its own, none of a request's.
const ASIDE: [&str; 2] = ["engined::offers::Offers::outdated", "engined::health::"];

/// The parts that are to cost little, by the functions in which they are entered.
const PARTS: [(&str, &[&str]); 3] = [
    ("who calls, and its rate", &["engined::tenants::Tenants::identify", "engined::http::metered::Metered::t"]),
    ("metrics, signs of abuse, the record handed over", &["engined::audit::executed"]),
    (
        "audit line and usage, behind the answer",
        &["engined::audit::writer::Writer::run", "engined::usage::Ledger::run"],
    ),
];

/// Of one request.
#[derive(Debug)]
pub struct Counts {
    /// Each part.
    pub parts: Vec<(&'static str, u64)>,
    /// All of it.
    pub total: u64,
}

impl Counts {
    /// All parts.
    pub fn together(&self) -> u64 {
        self.parts.iter().map(|(_, number)| number).sum()
    }

    /// Whether each part is what it was when this was written.
    ///
    /// # Errors
    /// Which is not.
    pub fn seen(&self) -> std::result::Result<(), String> {
        match self.parts.iter().find(|(_, number)| *number == 0) {
            None => Ok(()),
            Some((name, _)) => Err(format!("nothing of \"{name}\" was seen: its functions were renamed")),
        }
    }
}

/// Counts so many requests to an engine with this setting.
pub fn count(programs: &Programs, requests: u32, setting: Setting) -> Result<Counts> {
    setup::ensure_program("valgrind", "/usr/bin/valgrind")?;
    let (token, line) = new_token(programs)?;
    let sections = format!(
        "waive_layers = [\"engine_landlock\", \"engine_seccomp\", \"engine_no_dump\"]\n{}",
        setting.sections(&line)
    );
    let words = ["setpriv", "--reuid", "engined", "--regid", "engined", "--clear-groups"];
    let scratch = Scratch::new("cost")?;
    let account = User::from_name("engined").ok().flatten().map(|user| user.uid.as_raw());
    chown(scratch.path(), account, None).or_problem(scratch.path().display().to_string(), "run this as root")?;
    let out = scratch.path().join("callgrind.out");
    let option = format!("--callgrind-out-file={}", out.display());
    let valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", SHA, "--collect-atstart=yes", &option];
    let before = [&words[..], &valgrind[..]].concat();
    let wish = Wish { before: &before, sections: &sections, listen: setting.listen(), ..Wish::default() };
    let mut served = Served::start_by(programs, &wish)?;
    let request = serde_json::json!({"language": "c", "source": NO_OP});
    let mut client = setting.client(served.port()?, &token)?;
    for _ in 0..WARM {
        client.execute(&request)?;
    }
    counting(&served, "on")?;
    for _ in 0..requests {
        client.execute(&request)?;
    }
    counting(&served, "off")?;
    served.end().or_problem("engined did not stop", "read its log")?;
    summed(&annotated(&out)?, requests)
}

/// Has the running callgrind begin or end to count. It listens to its own user.
fn counting(served: &Served, how: &str) -> Result<()> {
    let pid = served.pids().last().copied().unwrap_or_default();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "engined", "--regid", "engined", "--clear-groups", "callgrind_control", "-i", how]);
    let status = command.arg(pid.to_string()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status.or_problem("callgrind_control did not start", "apt-get install valgrind")? {
        status if status.success() => Ok(()),
        status => Err(Problem::new(format!("callgrind_control -i {how}: {status}"), "run this as root")),
    }
}

fn annotated(out: &Path) -> Result<String> {
    let mut command = Command::new("callgrind_annotate");
    command.args(["--inclusive=yes", "--threshold=100"]).arg(out);
    let output = command.stdin(Stdio::null()).output().or_problem("callgrind_annotate", "apt-get install valgrind")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Instructions by function, what it calls included: the most where a function stands there more than once.
fn counts(text: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let Some((number, rest)) = line.trim_start().split_once(" (") else { continue };
        let Ok(number) = number.replace(',', "").parse::<u64>() else { continue };
        let Some((_, name)) = rest.split_once(")  ") else { continue };
        let name = name.split(" [").next().unwrap_or_default();
        let name = name.split_once(".rs:").map_or(name, |(_, name)| name).trim().to_owned();
        let most = counts.entry(name).or_insert(0);
        *most = number.max(*most);
    }
    counts
}

fn summed(text: &str, requests: u32) -> Result<Counts> {
    let counts = counts(text);
    let total = counts.get("PROGRAM TOTALS").copied();
    let total = total.ok_or_else(|| Problem::new("callgrind counted nothing", "run it again"))?;
    let of = |names: &[&str]| -> u64 {
        // The outermost of a name stands for those below it.
        names
            .iter()
            .filter_map(|name| counts.iter().filter(|(found, _)| found.starts_with(name)).map(|(_, n)| *n).max())
            .sum()
    };
    let per = |number: u64| number / u64::from(requests.max(1));
    let parts = PARTS.iter().map(|(part, names)| (*part, per(of(names)))).collect();
    Ok(Counts { parts, total: per(total.saturating_sub(of(&ASIDE))) })
}
