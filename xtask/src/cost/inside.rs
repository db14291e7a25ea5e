//! What runs in the guest, whose clock counts instructions: two engines of one build, one with everything on and one with
//! everything off, take turns.
//!
//! The guest has one processor and a nanosecond of it is an instruction, so whatever the kernel measures as CPU time is a
//! count. The processor's own sum (`/proc/schedstat`) has every process and every thread of the kernel in it, in user and
//! kernel mode, and leaves out idleness with the interrupts that end it; from it goes what we take ourselves, as the caller,
//! the kernel's work in our name included, and what the other engine does meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::build::Programs;
use crate::cost::{NO_OP, Setting, WARM};
use crate::http::Client;
use crate::problem::{Context, Problem, Result};
use crate::served::{Served, Wish, new_token};

/// Each has so many turns.
const TURNS: u32 = 8;
/// Requests of one turn.
pub const REQUESTS: u32 = 300;
/// What begins a line for the host.
pub const MARK: &str = "cost: ";
/// After a turn the stock is refilled, and audit and usage, which commit every five seconds, are on the disk: what is
/// done behind the answers belongs to the turn.
const SETTLE: Duration = Duration::from_secs(7);

/// Instructions of one request, on the average of a turn.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Turn {
    /// Which engine.
    pub setting: String,
    /// All of the machine but the caller's and the other engine's.
    pub all: u64,
    /// Of the caller.
    pub caller: u64,
    /// Of the other engine, which has nothing to do but what it does by the clock.
    pub other: u64,
    /// Of jaild.
    pub jaild: u64,
    /// Of engined's threads, by their names.
    pub threads: BTreeMap<String, u64>,
}

/// One engine and who calls it.
struct Side {
    setting: Setting,
    served: Served,
    client: Client,
}

/// What is counted so far.
struct Sums {
    all: u64,
    caller: u64,
    other: u64,
    jaild: u64,
    threads: BTreeMap<String, u64>,
}

/// Prints a line of each turn.
///
/// # Errors
/// When an engine does not start or answers with anything but `ok`.
pub fn run(programs: &Programs) -> Result<()> {
    let mut sides = [start(programs, Setting::On)?, start(programs, Setting::Off)?];
    let request = serde_json::json!({"language": "c", "source": NO_OP});
    for side in &mut sides {
        for _ in 0..WARM {
            side.client.execute(&request)?;
        }
    }
    std::thread::sleep(SETTLE);
    for number in 0..TURNS {
        for place in 0..sides.len() {
            let turn = turn(&mut sides, place, &request)?;
            let line = serde_json::to_string(&turn).or_problem(format!("turn {number}"), "report this")?;
            println!("{MARK}{line}");
        }
        // Whatever comes of being the second is the other's next time.
        sides.reverse();
    }
    for side in sides {
        side.served.stop().map_err(|why| Problem::new(why, "read the log of the engine"))?;
    }
    Ok(())
}

fn start(programs: &Programs, setting: Setting) -> Result<Side> {
    let (token, line) = new_token(programs)?;
    let sections = setting.sections(&line);
    let wish = Wish { listen: setting.listen(), sections: &sections, ..Wish::default() };
    let served = Served::start_by(programs, &wish)?;
    let client = setting.client(served.port()?, &token)?;
    Ok(Side { setting, served, client })
}

/// The turn of the engine at this place.
fn turn(sides: &mut [Side; 2], place: usize, request: &serde_json::Value) -> Result<Turn> {
    let [first, second] = sides;
    let (side, other) = if place == 0 { (first, second) } else { (second, first) };
    let before = sums(&side.served, &other.served)?;
    for _ in 0..REQUESTS {
        side.client.execute(request)?;
    }
    std::thread::sleep(SETTLE);
    let after = sums(&side.served, &other.served)?;
    let per = |after: u64, before: u64| after.saturating_sub(before) / u64::from(REQUESTS);
    let of = |name: &String| before.threads.get(name).copied().unwrap_or_default();
    let (caller, other) = (per(after.caller, before.caller), per(after.other, before.other));
    Ok(Turn {
        setting: side.setting.name().to_owned(),
        all: per(after.all, before.all).saturating_sub(caller + other),
        caller,
        other,
        jaild: per(after.jaild, before.jaild),
        threads: after.threads.iter().map(|(name, sum)| (name.clone(), per(*sum, of(name)))).collect(),
    })
}

fn sums(served: &Served, other: &Served) -> Result<Sums> {
    let (jaild, engined) = both(served)?;
    let (other_jaild, other_engined) = both(other)?;
    let sum = |pid| Ok(threads(pid)?.values().sum::<u64>());
    Ok(Sums {
        all: all()?,
        caller: sum(std::process::id())?,
        other: sum(other_jaild)? + sum(other_engined)?,
        jaild: sum(jaild)?,
        threads: threads(engined)?,
    })
}

/// The processes of an engine, jaild first.
fn both(served: &Served) -> Result<(u32, u32)> {
    match served.pids().as_slice() {
        [jaild, engined] => Ok((*jaild, *engined)),
        pids => Err(Problem::new(format!("the engine is {} processes", pids.len()), "run this in the test host")),
    }
}

/// What the one processor has spent on anything but idleness: the seventh number of its line.
fn all() -> Result<u64> {
    let text = read("/proc/schedstat")?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("cpu0 "));
    let number = lines.next().and_then(|line| line.split(' ').nth(6)).and_then(|number| number.parse().ok());
    number.ok_or_else(|| Problem::new(format!("/proc/schedstat has no time of cpu0:\n{text}"), "report this"))
}

/// What a process's threads have spent, by their names.
fn threads(pid: u32) -> Result<BTreeMap<String, u64>> {
    let folder = format!("/proc/{pid}/task");
    let mut sums = BTreeMap::new();
    for entry in fs::read_dir(&folder).or_problem(&folder, "read the log of the engine")? {
        let path = entry.or_problem(&folder, "read the log of the engine")?.path().display().to_string();
        let name = read(&format!("{path}/comm"))?.trim().to_owned();
        let text = read(&format!("{path}/schedstat"))?;
        let number = text.split(' ').next().and_then(|number| number.parse::<u64>().ok());
        *sums.entry(name).or_insert(0) += number.unwrap_or_default();
    }
    Ok(sums)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).or_problem(path, "run this in the test host")
}
