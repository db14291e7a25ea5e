//! What is known of a row: the times of everybody who took part, and the bar that one of them must hold.

use serde_json::{Value, json};

/// Who is measured without any sandbox, and everybody compared with.
pub const BARE: &str = "bare";

/// The times of one participant, in microseconds, and what is made of them.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<u64>);

impl Times {
    /// Adds one.
    pub fn push(&mut self, us: u64) {
        self.0.push(us);
    }

    /// Adds those of another.
    pub fn extend(&mut self, other: Times) {
        self.0.extend(other.0);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The middle one.
    pub fn median(&self) -> Option<u64> {
        self.percentile(50)
    }

    /// So many of a hundred are no longer than this. `None` where there are too few to tell.
    pub fn percentile(&self, of_100: usize) -> Option<u64> {
        // Beyond the 95th percentile of 20 lies one.
        if self.0.len() * (100 - of_100) < 100 && of_100 != 50 {
            return None;
        }
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted.get((sorted.len() * of_100 / 100).min(sorted.len().saturating_sub(1))).copied()
    }
}

/// One participant of a row.
#[derive(Clone, Debug)]
pub struct Way {
    /// Such as `bare` or `engined, cached`.
    pub name: String,
    /// Of each run.
    pub times: Times,
    /// CPU time of one run in microseconds, on average, wherever it was spent.
    pub cpu_us: Option<f64>,
    /// Why there are no figures, or what is wrong with them.
    pub note: Option<String>,
}

impl Way {
    /// Nothing measured yet.
    pub fn new(name: impl Into<String>) -> Self {
        Way { name: name.into(), times: Times::default(), cpu_us: None, note: None }
    }
}

/// What must be true of a row.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Of whom.
    pub way: &'static str,
    /// The most times bare.
    pub most: f64,
}

/// The same program run by several participants in turn.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// Bare first.
    pub ways: Vec<Way>,
    /// What is promised.
    pub bar: Option<Bar>,
}

impl Row {
    /// The median of one participant over that of bare.
    pub fn ratio(&self, way: &str) -> Option<f64> {
        let median = |name: &str| self.ways.iter().find(|way| way.name == name)?.times.median();
        Some(exact(median(way)?) / exact(median(BARE)?.max(1)))
    }

    /// Whether the promise is kept with `slack` times its bar.
    pub fn holds(&self, slack: f64) -> Option<Result<(), String>> {
        let Bar { way, most } = self.bar.as_ref()?;
        let bar = most * slack;
        let found = self.ways.iter().find(|one| one.name == *way);
        Some(match (self.ratio(way), found.and_then(|way| way.note.as_ref())) {
            (None, note) => Err(note.map_or_else(|| format!("{way}: not measured"), |note| format!("{way}: {note}"))),
            (_, Some(note)) => Err(format!("{way}: {note}")),
            (Some(ratio), None) if ratio <= bar => Ok(()),
            (Some(ratio), None) => Err(format!("{ratio:.2} times bare, promised {bar:.2}")),
        })
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let ways: Vec<Value> = self
            .ways
            .iter()
            .map(|way| {
                json!({
                    "name": way.name, "runs": way.times.count(), "median_us": way.times.median(),
                    "p95_us": way.times.percentile(95), "p99_us": way.times.percentile(99),
                    "cpu_us_per_run": way.cpu_us, "times_bare": self.ratio(&way.name), "note": way.note,
                })
            })
            .collect();
        let bar = self.bar.as_ref().map(|bar| json!({"way": bar.way, "most_times_bare": bar.most}));
        json!({"name": self.name, "bar": bar, "ways": ways})
    }
}

/// A number of microseconds or kilobytes: exact as f64.
pub fn exact(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(all: impl IntoIterator<Item = u64>) -> Times {
        Times(all.into_iter().collect())
    }

    #[test]
    fn percentiles_need_enough() {
        let hundred = times((1..=100).rev());
        assert_eq!([50, 95, 99].map(|of| hundred.percentile(of)), [Some(51), Some(96), Some(100)]);
        let few = times([5, 1, 3]);
        assert_eq!([50, 95, 99].map(|of| few.percentile(of)), [Some(3), None, None]);
        assert_eq!(times([]).median(), None);
    }

    #[test]
    fn a_promise_is_kept_or_told() {
        let way = |name: &str, us| Way { times: times([us]), ..Way::new(name) };
        let bar = Some(Bar { way: "ours", most: 2.0 });
        let row = |us| Row { name: "x".to_owned(), ways: vec![way(BARE, 100), way("ours", us)], bar: bar.clone() };
        assert_eq!(row(200).holds(1.0), Some(Ok(())));
        assert_eq!(row(250).holds(1.0), Some(Err("2.50 times bare, promised 2.00".to_owned())));
        assert_eq!(row(250).holds(1.5), Some(Ok(())));
        let mut noted = row(200);
        noted.ways[1].note = Some("not from the cache".to_owned());
        assert_eq!(noted.holds(1.0), Some(Err("ours: not from the cache".to_owned())));
        noted.ways.pop();
        assert_eq!(noted.holds(1.0), Some(Err("ours: not measured".to_owned())));
    }
}
