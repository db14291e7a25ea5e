//! What the whole machine does for a request, with everything on and with everything off: [`super::inside`], in a guest of
//! the test host.
//!
//! Under `-icount shift=0` QEMU's clock goes on by a nanosecond with each instruction that it emulates. It counts each
//! round of a repeated string instruction, where a processor counts one: clearing a page is 512.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::build::{self, Programs};
use crate::cost::inside::{MARK, REQUESTS, Turn};
use crate::cost::parts::Counts;
use crate::cost::{MOST, Setting};
use crate::engine::Scratch;
use crate::host;
use crate::problem::{Context, Problem, Result};

/// What the guest may take, its start included. It is minutes on an idle machine.
const SECONDS: &str = "7200";
/// The emulated processor has SHA instructions, as those have that engined is made for.
const PROCESSOR: &str = "Nehalem,sha-ni=on";

/// Instructions of a request: the average of each turn, in order.
#[derive(Debug)]
pub struct Figures {
    on: Vec<Turn>,
    off: Vec<Turn>,
}

/// Has the guest measure.
///
/// # Errors
/// When it does not.
pub fn measure(programs: &Programs) -> Result<Figures> {
    let scratch = Scratch::new("testhost")?;
    let disk = scratch.path();
    let ourselves = std::env::current_exe().or_problem("xtask does not find itself", "run it by its path")?;
    for (program, name) in [(&programs.engined, "engined"), (&programs.jaild, "jaild"), (&ourselves, "xtask")] {
        host::place(program, &disk.join(name))?;
    }
    let top = build::root();
    host::place(&top.join("xtask/testhost/jobs/cost/run-in-guest.sh"), &disk.join("run-in-guest.sh"))?;
    let mut command = Command::new(top.join("xtask/testhost/run.sh"));
    command.args(["--count", "--cpu", PROCESSOR, "--timeout", SECONDS]).arg(disk);
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.or_problem("run.sh did not start", "git status")?;
    let mut turns = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.or_problem("the guest's output broke off", "run it again")?;
            println!("{line}");
            if let Some(text) = line.strip_prefix(MARK) {
                turns.push(serde_json::from_str::<Turn>(text).or_problem("a line of the guest's", "run it again")?);
            }
        }
    }
    let status = child.wait().or_problem("run.sh is lost", "run it again")?;
    let (on, off): (Vec<Turn>, Vec<Turn>) = turns.into_iter().partition(|turn| turn.setting == Setting::On.name());
    if !status.success() || on.len() != off.len() || on.len() < 2 {
        let what = format!("the guest ended with {status} after {} turns with all on, {} off", on.len(), off.len());
        return Err(Problem::new(what, "read its output above"));
    }
    Ok(Figures { on: quiet(on), off: quiet(off) })
}

/// Without the turns in which engined has looked at the files of its toolchains, as it does each minute: that would fall
/// into the turns of one or the other.
fn quiet(mut turns: Vec<Turn>) -> Vec<Turn> {
    let most = 1.2 * median(&turns, engined);
    turns.retain(|turn| float(engined(turn)) <= most);
    turns
}

/// All of its threads.
fn engined(turn: &Turn) -> u64 {
    turn.threads.values().sum()
}

impl Figures {
    /// How much more a request takes with all on, by pairs of turns: the median, between two that have the true one between
    /// them in nine of ten measurements.
    fn more(&self) -> [f64; 3] {
        let mut pairs: Vec<f64> =
            self.on.iter().zip(&self.off).map(|(on, off)| float(on.all) - float(off.all)).collect();
        pairs.sort_by(f64::total_cmp);
        let (count, outer) = (pairs.len(), outer(pairs.len()));
        let at = |index: Option<usize>| index.and_then(|index| pairs.get(index)).copied().unwrap_or(f64::NAN);
        [at(Some(outer)), middle(&pairs), at(count.checked_sub(outer + 1))]
    }

    /// The share of the whole request, so spread: what being on adds, and what could not be switched off, over a request
    /// without both.
    fn share(&self, off: &Counts) -> [f64; 3] {
        let kept = float(off.together());
        let without = median(&self.off, |turn| turn.all) - kept;
        self.more().map(|more| 100.0 * (more + kept) / without)
    }

    /// Whether it is small.
    ///
    /// # Errors
    /// What it is, when it is not.
    pub fn judge(&self, off: &Counts) -> std::result::Result<(), String> {
        let [least, share, most] = self.share(off);
        if share <= MOST {
            return Ok(());
        }
        Err(format!("{share:.2} % ({least:.2} to {most:.2}) instead of at most {MOST} %"))
    }

    /// All of it, for people.
    pub fn table(&self, on: &Counts, off: &Counts) -> String {
        let mut text = format!(
            "Medians of {} and {} turns of {REQUESTS} requests each, least and most of all turns beside them.\n\n\
             | instructions per request, user and kernel | all on | all off | more |\n| --- | ---: | ---: | ---: |\n",
            self.on.len(),
            self.off.len()
        );
        let mut row = |name: &str, of: &dyn Fn(&Turn) -> u64| {
            let (a, b) = (median(&self.on, of), median(&self.off, of));
            text += &format!("| {name} | {} | {} | {:.0} |\n", spread(&self.on, of), spread(&self.off, of), a - b);
        };
        row("the whole machine, without the caller", &|turn| turn.all);
        row("engined", &engined);
        let mut names: Vec<&String> = self.on.iter().chain(&self.off).flat_map(|turn| turn.threads.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            row(&format!("engined's thread {name}"), &|turn| turn.threads.get(name).copied().unwrap_or_default());
        }
        row("jaild", &|turn| turn.jaild);
        row("sandboxes, and the kernel's own threads", &|turn| turn.all.saturating_sub(engined(turn) + turn.jaild));
        row("not counted: the caller", &|turn| turn.caller);
        row("not counted: the other engine", &|turn| turn.other);
        let more = on.total.saturating_sub(off.total);
        text += &format!("| engined's user space, by callgrind | {} | {} | {more} |\n", on.total, off.total);
        let [more_least, more, more_most] = self.more();
        let [least, share, most] = self.share(off);
        text += &format!(
            "\nAll on adds {more:.0} ({more_least:.0} to {more_most:.0}, by pairs of turns); {} more, of engined's user space, \
             can't be switched off.\n**Together {share:.2} % ({least:.2} to {most:.2}) of a request without them.** Of engined's \
             user space alone they are {:.1} %: {} of {}.\n",
            off.together(),
            100.0 * super::share(on.together(), on.total),
            on.together(),
            on.total,
        );
        text
    }
}

/// Of so many sorted numbers, how many at each end can be left out so that the median of all there could be is still
/// between the others, but for one time in ten: each is above it as often as a coin shows heads.
fn outer(count: usize) -> usize {
    let throws = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let (mut left_out, mut chance) = (0_u32, 0.5_f64.powf(throws));
    let mut tail = chance;
    loop {
        chance *= (throws - f64::from(left_out)) / f64::from(left_out + 1);
        tail += chance;
        if 2.0 * tail > 0.1 {
            return usize::try_from(left_out).unwrap_or(0);
        }
        left_out += 1;
    }
}

/// The middle one, with the least and the most.
fn spread(turns: &[Turn], of: &dyn Fn(&Turn) -> u64) -> String {
    let (least, most) = (turns.iter().map(of).min().unwrap_or(0), turns.iter().map(of).max().unwrap_or(0));
    format!("{:.0} ({least}-{most})", median(turns, of))
}

fn median(turns: &[Turn], of: impl Fn(&Turn) -> u64) -> f64 {
    let mut numbers: Vec<f64> = turns.iter().map(|turn| float(of(turn))).collect();
    numbers.sort_by(f64::total_cmp);
    middle(&numbers)
}

/// Of sorted numbers.
fn middle(numbers: &[f64]) -> f64 {
    let at = |index: usize| numbers.get(index).copied().unwrap_or(f64::NAN);
    f64::midpoint(at(numbers.len().saturating_sub(1) / 2), at(numbers.len() / 2))
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn turn(setting: Setting, all: u64) -> Turn {
        Turn { setting: setting.name().to_owned(), all, caller: 5, other: 1, jaild: 7, threads: BTreeMap::new() }
    }

    #[test]
    fn what_cannot_be_switched_off_counts_as_on() {
        let turns = |setting, numbers: [u64; 4]| numbers.map(|all| turn(setting, all)).to_vec();
        let off = Counts { parts: vec![("metrics", 10)], total: 100 };
        let figures = Figures {
            on: turns(Setting::On, [1_030, 9_000, 1_030, 1_050]),
            off: turns(Setting::Off, [1_010, 1_010, 1_010, 1_040]),
        };
        let [_, share, _] = figures.share(&off);
        // One turn in which something else happened says nothing.
        assert!((share - 3.0).abs() < 1e-9, "{share}");
        assert_eq!(figures.judge(&off), Ok(()));
        let more = Counts { parts: vec![("metrics", 20)], total: 100 };
        assert!(figures.judge(&more).is_err());
    }

    #[test]
    fn the_median_is_between_as_many_as_a_coin_says() {
        // 2 * (1 + 8) / 256 is 0.07, with 28 more it is 0.29; 2 * (1 + 7) / 128 is 0.13.
        assert_eq!([8, 7, 4, 2, 16].map(outer), [1, 0, 0, 0, 4]);
    }

    #[test]
    fn a_turn_with_a_look_at_the_toolchains_is_left_out() {
        let took = |number: u64| Turn { threads: [("worker".to_owned(), number)].into(), ..turn(Setting::On, number) };
        let kept = quiet([441, 778, 440, 445].map(took).to_vec());
        assert_eq!(kept.iter().map(|turn| turn.all).collect::<Vec<_>>(), [441, 440, 445]);
    }
}
