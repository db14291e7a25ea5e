//! Measures everybody of a row in turn, so that what the machine does beside it meets all of them alike.

use std::time::Duration;

use super::cpu;
use super::row::{Bar, Row, Way, exact};
use super::server::Server;
use crate::problem::Result;

/// One run: the microseconds that count.
pub type Run<'a> = Box<dyn FnMut(u64) -> Result<u64> + 'a>;

/// Somebody who takes part.
pub struct Entrant<'a> {
    name: String,
    /// Takes part in each so-many-th round: what is only there to be compared with may be measured less often.
    every: u32,
    /// Whether a failure of its run ends all, or only its own part.
    ours: bool,
    /// `None`: its programs are children of this process.
    engine: Option<&'a Server>,
    run: Run<'a>,
}

impl<'a> Entrant<'a> {
    /// The toolchain without us.
    pub fn bare(run: impl FnMut(u64) -> Result<u64> + 'a) -> Self {
        Entrant { name: super::row::BARE.to_owned(), every: 1, ours: true, engine: None, run: Box::new(run) }
    }

    /// The engine, by one of its ways.
    pub fn engine(name: &str, every: u32, engine: &'a Server, run: impl FnMut(u64) -> Result<u64> + 'a) -> Self {
        Entrant { name: name.to_owned(), every, ours: true, engine: Some(engine), run: Box::new(run) }
    }

    /// Somebody else, who may fail.
    pub fn peer(name: &str, every: u32, run: impl FnMut(u64) -> Result<u64> + 'a) -> Self {
        Entrant { name: name.to_owned(), every, ours: false, engine: None, run: Box::new(run) }
    }
}

impl Entrant<'_> {
    /// CPU time of one run in microseconds, on average over `runs` of them, what is done behind them included.
    fn cpu_of_one(&mut self, runs: u32) -> Result<Option<f64>> {
        let run = &mut self.run;
        let mut all = || (0..runs).try_for_each(|n| run(u64::from(n)).map(drop));
        let spent = match self.engine {
            None => Some(cpu::of_spawns(all)?),
            Some(engine) => {
                engine.settle(STILL.0, STILL.1)?;
                let before = engine.cpu_us()?;
                all()?;
                engine.settle(STILL.0, STILL.1)?;
                engine.cpu_us()?.zip(before).map(|(after, before)| after.saturating_sub(before))
            }
        };
        Ok(spent.map(|spent| exact(spent) / f64::from(runs)))
    }
}

/// How often a row is measured.
#[derive(Clone, Copy, Debug)]
pub struct Turns {
    /// Rounds that fill caches and are not counted.
    pub warm: u32,
    /// Those that count.
    pub rounds: u32,
    /// Before each measurement, of whomever.
    pub pause: Duration,
    /// After the rounds, how many more runs of each are made one after the other for their CPU time; a peer makes a few.
    pub for_cpu: u32,
}

/// CPU time does not depend on who is measured beside: a few runs tell what a peer needs.
const PEER_CPU_RUNS: u32 = 10;
/// Nothing is done by an engine for so long: what it makes ahead of time is made. At most the second is waited.
const STILL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Measures a row.
///
/// # Errors
/// When bare or the engine fails; a peer that fails has the reason as its note.
pub fn take(name: String, bar: Option<Bar>, turns: Turns, mut entrants: Vec<Entrant<'_>>) -> Result<Row> {
    let mut ways: Vec<Way> = entrants.iter().map(|entrant| Way::new(entrant.name.as_str())).collect();
    let mut order: Vec<usize> = (0..entrants.len()).collect();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for n in 0..turns.warm + turns.rounds {
        // In one order always, the same participant would follow, and suffer from, what another leaves behind.
        dice.shuffle(&mut order);
        for &at in &order {
            let (entrant, way) = (&mut entrants[at], &mut ways[at]);
            let warming = n < turns.warm;
            if way.note.is_some() || !(warming || (n - turns.warm).is_multiple_of(entrant.every)) {
                continue;
            }
            std::thread::sleep(turns.pause);
            match (entrant.run)(u64::from(n)) {
                Ok(_) if warming => {}
                Ok(us) => way.times.push(us),
                Err(problem) if entrant.ours => return Err(problem),
                Err(problem) => way.note = Some(problem.to_string().replace('\n', " ")),
            }
        }
    }
    for (way, entrant) in ways.iter_mut().zip(&mut entrants) {
        let runs = if entrant.ours { turns.for_cpu } else { turns.for_cpu.min(PEER_CPU_RUNS) };
        if runs > 0 && way.note.is_none() {
            way.cpu_us = entrant.cpu_of_one(runs)?;
        }
    }
    let row = Row { name, ways, bar };
    println!("xtask: {}", told(&row));
    Ok(row)
}

/// A line while it goes on.
fn told(row: &Row) -> String {
    let ways = row.ways.iter().map(|way| match (way.times.median(), row.ratio(&way.name)) {
        (Some(median), Some(ratio)) => format!("{} {median} µs ({ratio:.2})", way.name),
        _ => format!("{} none", way.name),
    });
    format!("{}: {}", row.name, ways.collect::<Vec<_>>().join(", "))
}

/// Enough of a random order, and the same each time: xorshift64.
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// Puts `all` into another order.
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let below = u64::try_from(last + 1).unwrap_or(1);
            all.swap(last, usize::try_from(self.0 % below).unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    #[test]
    fn everybody_has_their_turns() {
        // Only one test may measure CPU time: it is this process that does.
        let turns = Turns { warm: 2, rounds: 8, pause: Duration::ZERO, for_cpu: 0 };
        let peer =
            |name, every| Entrant::peer(name, every, |n| if n < 6 { Ok(7) } else { Err(Problem::new("gone", "none")) });
        let entrants = vec![Entrant::bare(|n| Ok(n + 1)), peer("never fails", 8), peer("fails", 4)];
        let row = take("row".to_owned(), None, turns, entrants).unwrap();
        let counts: Vec<usize> = row.ways.iter().map(|way| way.times.count()).collect();
        assert_eq!(counts, [8, 1, 1]);
        assert!(row.ways[2].note.as_ref().is_some_and(|note| note.starts_with("gone")), "{row:?}");
        let broken = Entrant::bare(|_| Err(Problem::new("broken", "none")));
        assert!(take("row".to_owned(), None, turns, vec![broken]).is_err());
    }

    #[test]
    fn no_order_is_left_out() {
        let mut dice = Dice(1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let mut all = [1, 2, 3];
            dice.shuffle(&mut all);
            seen.insert(all);
        }
        assert_eq!(seen.len(), 6);
    }
}
