//! `cargo xtask cost`: how many instructions of a no-op's request in engined are spent on knowing who calls, metrics, the
//! audit line and usage.
//!
//! Counted by callgrind, not timed: the same request takes the same instructions on a busy machine. The release build runs
//! under it as it is shipped, but for landlock and seccomp, which valgrind's own system calls would fall to. A function's
//! count includes all that it calls, so the entries below stand for their whole parts of the way.

use std::collections::BTreeMap;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::User;

use crate::build::{self, Programs};
use crate::engine::Scratch;
use crate::http::Client;
use crate::problem::{Context, Problem, Result};
use crate::served::{Served, Wish, new_token};
use crate::setup;
use crate::tally::Tally;

/// Of a request's instructions.
const MOST: f64 = 0.03;
/// Runs before counting begins: by then its program is in the artifact cache, and every buffer has its size.
const WARM: u32 = 40;
const NO_OP: &str = "int main(void) { return 0; }\n";
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

/// The command.
pub fn run(requests: u32, built: Option<&Path>) -> Result<Tally> {
    setup::ensure()?;
    setup::ensure_program("valgrind", "/usr/bin/valgrind")?;
    let programs = match built {
        Some(folder) => Programs { engined: folder.join("engined"), jaild: folder.join("jaild") },
        None => build::release()?,
    };
    let (token, line) = new_token(&programs)?;
    let sections =
        format!("waive_layers = [\"engine_landlock\", \"engine_seccomp\", \"engine_no_dump\"]\n[tenants.a]\n{line}\n");
    let words = ["setpriv", "--reuid", "engined", "--regid", "engined", "--clear-groups"];
    let scratch = Scratch::new("cost")?;
    let account = User::from_name("engined").ok().flatten().map(|user| user.uid.as_raw());
    chown(scratch.path(), account, None).or_problem(scratch.path().display().to_string(), "run this as root")?;
    let out = scratch.path().join("callgrind.out");
    let option = format!("--callgrind-out-file={}", out.display());
    let valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", SHA, "--collect-atstart=yes", &option];
    let before = [&words[..], &valgrind[..]].concat();
    let wish = Wish { before: &before, sections: &sections, ..Wish::default() };
    let mut served = Served::start_by(&programs, &wish)?;
    let request = serde_json::json!({"language": "c", "source": NO_OP});
    let port = served.port()?;
    let mut client = Client::connect(port)?.with_token(&token);
    for _ in 0..WARM {
        client.execute(&request)?;
    }
    counting(&served, "on")?;
    for _ in 0..requests {
        client.execute(&request)?;
    }
    counting(&served, "off")?;
    served.end().or_problem("engined did not stop", "read its log")?;
    let text = annotated(&out)?;
    judge(&text, requests)
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

fn judge(text: &str, requests: u32) -> Result<Tally> {
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
    let total = total.saturating_sub(of(&ASIDE));
    let per = |number: u64| number / u64::from(requests.max(1));
    println!("| part | instructions per request | share |\n| --- | ---: | ---: |");
    let mut sum = 0;
    let mut tally = Tally::default();
    for (part, names) in PARTS {
        let number = of(names);
        sum += number;
        println!("| {part} | {} | {:.2} % |", per(number), 100.0 * share(number, total));
        let seen = if number > 0 { Ok(()) } else { Err(format!("none of {names:?} was seen: they were renamed")) };
        tally.check(&format!("cost: {part}"), seen);
    }
    println!(
        "| together | {} | {:.2} % |\n| all of a request | {} | |",
        per(sum),
        100.0 * share(sum, total),
        per(total)
    );
    let share = share(sum, total);
    let small = if share <= MOST { Ok(()) } else { Err(format!("{:.2} % instead of at most 3 %", 100.0 * share)) };
    tally.check("cost: at most 3 % of a no-op's request", small);
    Ok(tally)
}

#[expect(clippy::cast_precision_loss, reason = "a share of a count below 2^52")]
fn share(part: u64, of: u64) -> f64 {
    part as f64 / of.max(1) as f64
}
