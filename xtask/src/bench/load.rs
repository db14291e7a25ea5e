//! Runs per second: so many clients at once, each asking for the next run as soon as it has the answer to the last.
//!
//! Every client is a thread of this process with a connection, or a driver, of its own. What this process itself uses of
//! the processors meanwhile is measured and told, so that one can see whether it was the bottleneck.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cpu;
use super::row::{BARE, Times, exact};
use super::spawn::micros;
use super::turns::Dice;
use crate::problem::{Problem, Result};

/// One client: runs once and gives the microseconds that it took.
pub type Client<'a> = Box<dyn FnMut() -> Result<u64> + 'a>;
/// Makes the `n`th client, on the thread that it is for.
pub type Make<'a> = Box<dyn Fn(usize) -> Result<Client<'a>> + Sync + 'a>;

/// Clients of one kind.
pub struct Crowd<'a> {
    /// Such as `bare` or `engined, cached`.
    pub name: String,
    /// A failure ends everything, not only its own part.
    pub ours: bool,
    /// Makes one of them.
    pub make: Make<'a>,
}

/// What one kind of client came to.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// As the crowd.
    pub name: String,
    /// Runs per second in each window.
    windows: Vec<f64>,
    /// Of each run.
    pub times: Times,
    /// What this process used of one core, on average.
    pub own_cores: f64,
    /// Why there are no figures.
    pub note: Option<String>,
}

impl Rate {
    /// The median of the windows.
    pub fn per_second(&self) -> Option<f64> {
        let mut sorted = self.windows.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }
}

/// Everybody with the same number of clients.
#[derive(Clone, Debug)]
pub struct Level {
    /// What was run.
    pub name: String,
    /// How many at once.
    pub clients: usize,
    /// Bare first.
    pub rates: Vec<Rate>,
    /// The least of `engined, cached` over bare.
    pub bar: Option<f64>,
}

impl Level {
    /// The rate of one kind over that of bare.
    pub fn ratio(&self, name: &str) -> Option<f64> {
        let rate = |name: &str| self.rates.iter().find(|rate| rate.name == name)?.per_second();
        Some(rate(name)? / rate(BARE)?)
    }

    /// Whether `way` keeps the promise with a bar that is `slack` times lower.
    pub fn holds(&self, way: &str, slack: f64) -> Option<std::result::Result<(), String>> {
        let bar = self.bar? / slack;
        let note = self.rates.iter().find(|rate| rate.name == way).and_then(|rate| rate.note.as_ref());
        Some(match (self.ratio(way), note) {
            (_, Some(note)) => Err(format!("{way}: {note}")),
            (None, None) => Err(format!("{way}: not measured")),
            (Some(ratio), None) if ratio >= bar => Ok(()),
            (Some(ratio), None) => Err(format!("{ratio:.3} of the runs per second of bare, promised {bar:.3}")),
        })
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let rates: Vec<Value> = self
            .rates
            .iter()
            .map(|rate| {
                json!({
                    "name": rate.name, "runs": rate.times.count(), "per_second": rate.per_second(),
                    "of_bare": self.ratio(&rate.name), "median_us": rate.times.median(),
                    "p95_us": rate.times.percentile(95), "p99_us": rate.times.percentile(99),
                    "generator_cores": rate.own_cores, "note": rate.note,
                })
            })
            .collect();
        json!({"name": self.name, "clients": self.clients, "least_of_bare": self.bar, "rates": rates})
    }
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// Of each kind, in turn with the others.
    pub count: u32,
    /// How long one lasts.
    pub length: Duration,
}

/// Before each window, so that what one kind leaves behind does not meet the next.
const SETTLE: Duration = Duration::from_millis(150);

/// Measures everybody with `clients` at once.
///
/// # Errors
/// When bare or the engine fails; a peer that fails has the reason as its note.
pub fn level(name: &str, clients: usize, windows: Windows, crowds: &[Crowd<'_>]) -> Result<Level> {
    let mut rates: Vec<Rate> =
        crowds.iter().map(|crowd| Rate { name: crowd.name.clone(), ..Rate::default() }).collect();
    let mut order: Vec<usize> = (0..crowds.len()).collect();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for _ in 0..windows.count {
        dice.shuffle(&mut order);
        for &at in &order {
            let (crowd, rate) = (&crowds[at], &mut rates[at]);
            if rate.note.is_some() {
                continue;
            }
            std::thread::sleep(SETTLE);
            match window(crowd, clients, windows.length) {
                Ok(seen) => {
                    rate.windows.push(exact(seen.runs) / seen.took.as_secs_f64());
                    rate.own_cores += seen.own_cores / f64::from(windows.count);
                    rate.times.extend(seen.times);
                }
                Err(problem) if crowd.ours => return Err(problem),
                Err(problem) => rate.note = Some(problem.to_string().replace('\n', " ")),
            }
        }
    }
    let level = Level { name: name.to_owned(), clients, rates, bar: None };
    let told = level.rates.iter().map(|rate| match rate.per_second() {
        Some(per_second) => format!("{} {per_second:.0}/s", rate.name),
        None => format!("{} none", rate.name),
    });
    println!("xtask: {name}, {clients} at once: {}", told.collect::<Vec<_>>().join(", "));
    Ok(level)
}

struct Seen {
    runs: u64,
    took: Duration,
    times: Times,
    own_cores: f64,
}

fn window(crowd: &Crowd<'_>, clients: usize, length: Duration) -> Result<Seen> {
    let barrier = Barrier::new(clients + 1);
    let one = |n: usize| -> Result<Times> {
        let made = (crowd.make)(n);
        // Even who failed must come, or the others wait for ever.
        barrier.wait();
        let mut client = made?;
        let (start, mut times) = (Instant::now(), Times::default());
        while start.elapsed() < length {
            times.push(client()?);
        }
        Ok(times)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|n| scope.spawn(move || one(n))).collect();
        barrier.wait();
        let (start, before) = (Instant::now(), cpu::own_us());
        let mut times = Times::default();
        let mut outcome = Ok(());
        for thread in threads {
            match thread.join().unwrap_or_else(|_| Err(Problem::new("a client panicked", "read its message"))) {
                Ok(more) => times.extend(more),
                Err(problem) => outcome = outcome.and(Err(problem)),
            }
        }
        outcome?;
        let took = start.elapsed();
        let runs = u64::try_from(times.count()).unwrap_or(u64::MAX);
        let own_cores = exact(cpu::own_us().saturating_sub(before)) / exact(micros(took).max(1));
        Ok(Seen { runs, took, times, own_cores })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_counted_and_a_peer_may_fail() {
        let sleeper = |ms| -> Make<'static> {
            Box::new(move |_| {
                Ok(Box::new(move || {
                    std::thread::sleep(Duration::from_millis(ms));
                    Ok(ms * 1000)
                }))
            })
        };
        let broken: Make<'static> =
            Box::new(|n| if n == 1 { Err(Problem::new("no room", "none")) } else { Ok(Box::new(|| Ok(1))) });
        let crowd = |name: &str, ours, make| Crowd { name: name.to_owned(), ours, make };
        let crowds = [crowd(BARE, true, sleeper(2)), crowd("ours", true, sleeper(8)), crowd("peer", false, broken)];
        // A busy machine holds up a short window, not all of a long one.
        let measure = |ms| level("row", 3, Windows { count: 2, length: Duration::from_millis(ms) }, &crowds).unwrap();
        let slower = |level: &Level| level.ratio("ours").is_some_and(|ratio| ratio > 0.0 && ratio < 0.9);
        let mut level = [60, 240, 1000, 4000].into_iter().map(measure).find(slower).expect("8 ms are more than 2 ms");
        assert!(level.rates[2].note.as_ref().is_some_and(|note| note.starts_with("no room")));
        level.bar = Some(2.0);
        assert!(level.holds("ours", 1.0).is_some_and(|held| held.is_err()));
        assert_eq!(level.holds("ours", 1000.0), Some(Ok(())));
        assert!(level.holds("peer", 1.0).is_some_and(|held| held.is_err_and(|why| why.contains("no room"))));
    }
}
