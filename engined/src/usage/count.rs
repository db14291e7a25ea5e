//! What is counted: sums, by day, tenant, language and verdict, of what audit lines say was charged. There is one way
//! from a line to the counters, for lines that are written now and for those that a crash has left uncounted.

use std::borrow::{Borrow, Cow};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// What one execution has used. Every counter of usage is a sum of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charged {
    /// CPU time of its run.
    pub cpu_time_us: u64,
    /// CPU time of its compile, where that was not done before.
    pub compile_cpu_time_us: u64,
    /// The peak of memory times wall time, of run and compile.
    pub memory_kib_ms: u64,
    /// What the run wrote to its streams, and the files that came back.
    pub output_bytes: u64,
}

/// Memory that was held for a time, rounded down.
#[must_use]
pub fn memory_kib_ms(memory_bytes: u64, wall_time_us: u64) -> u64 {
    let product = u128::from(memory_bytes) * u128::from(wall_time_us) / (1024 * 1000);
    u64::try_from(product).unwrap_or(u64::MAX)
}

impl Charged {
    fn add(&mut self, other: &Charged) {
        let Charged { cpu_time_us, compile_cpu_time_us, memory_kib_ms, output_bytes } = other;
        for (sum, more) in [
            (&mut self.cpu_time_us, cpu_time_us),
            (&mut self.compile_cpu_time_us, compile_cpu_time_us),
            (&mut self.memory_kib_ms, memory_kib_ms),
            (&mut self.output_bytes, output_bytes),
        ] {
            *sum = sum.saturating_add(*more);
        }
    }
}

/// What a counter counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// The UTC day of the line, `2026-11-26`.
    pub day: String,
    /// The tenant's name.
    pub tenant: String,
    /// The language's id.
    pub language: String,
    /// The verdict's name.
    pub verdict: String,
}

/// Day, tenant, language and verdict, by which counters are found without a key of one's own: nearly always they are there.
trait Named {
    fn names(&self) -> [&str; 4];
}

impl Named for Key {
    fn names(&self) -> [&str; 4] {
        [&self.day, &self.tenant, &self.language, &self.verdict]
    }
}

impl Named for [&str; 4] {
    fn names(&self) -> [&str; 4] {
        *self
    }
}

impl Hash for dyn Named + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.names().hash(state);
    }
}

impl PartialEq for dyn Named + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.names() == other.names()
    }
}

impl Eq for dyn Named + '_ {}

/// As it is hashed by its names.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.names().hash(state);
    }
}

impl<'a> Borrow<dyn Named + 'a> for Key {
    fn borrow(&self) -> &(dyn Named + 'a) {
        self
    }
}

/// The counters of one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// How many.
    pub executions: u64,
    /// What they have used together.
    #[serde(flatten)]
    pub charged: Charged,
}

impl Sums {
    fn add(&mut self, more: &Sums) {
        self.executions = self.executions.saturating_add(more.executions);
        self.charged.add(&more.charged);
    }
}

/// Keys that stay with counters at zero.
const KEPT: usize = 256;

/// A key with its counters, as a line has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What is counted.
    #[serde(flatten)]
    pub key: Key,
    /// How much.
    #[serde(flatten)]
    pub sums: Sums,
}

/// Counters that are not in the database yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(HashMap<Key, Sums>);

impl Counts {
    /// One execution more, of this day, tenant, language and verdict.
    pub fn execution(&mut self, names: [&str; 4], charged: &Charged) {
        self.add(names, &Sums { executions: 1, charged: *charged });
    }

    fn add(&mut self, names: [&str; 4], more: &Sums) {
        if let Some(sums) = self.0.get_mut(&names as &dyn Named) {
            return sums.add(more);
        }
        let [day, tenant, language, verdict] = names.map(str::to_owned);
        self.0.insert(Key { day, tenant, language, verdict }, *more);
    }

    /// All of another.
    pub fn absorb(&mut self, mut other: Counts) {
        self.take(&mut other);
    }

    /// All of another, which counts on from zero.
    pub fn take(&mut self, other: &mut Counts) {
        for (key, sums) in &mut other.0 {
            let more = std::mem::take(sums);
            if more != Sums::default() {
                self.add(key.names(), &more);
            }
        }
        // Those of yesterday, and of tenants that have gone.
        if other.0.len() > KEPT {
            other.0.clear();
        }
    }

    /// All that a line is about. Lines of other acts count nothing.
    pub fn line(&mut self, line: &Counted<'_>) {
        if let (Some(charged), "execution") = (&line.charged, line.act) {
            let [tenant, language, verdict] =
                [&line.tenant, &line.language, &line.verdict].map(|text| text.as_deref().unwrap_or_default());
            self.execution([day(line.time), tenant, language, verdict], charged);
        }
        line.unwritten.iter().for_each(|row| self.row(row));
    }

    /// What a row says.
    pub fn row(&mut self, Row { key, sums }: &Row) {
        self.add(key.names(), sums);
    }

    /// Whether there is nothing to count.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|sums| *sums == Sums::default())
    }

    /// Every key with its counters.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Sums)> {
        self.0.iter().filter(|(_, sums)| **sums != Sums::default())
    }

    /// As a line has them, in order.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.iter().map(|(key, sums)| Row { key: key.clone(), sums: *sums }).collect();
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        rows
    }
}

/// The day of a time as lines have it.
#[must_use]
pub fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}

/// What of a line is counted.
#[derive(Debug, Deserialize)]
pub struct Counted<'a> {
    /// Its number.
    pub seq: u64,
    /// When.
    pub time: &'a str,
    /// What it is about.
    pub act: &'a str,
    /// On whose account.
    #[serde(borrow)]
    tenant: Option<Cow<'a, str>>,
    #[serde(borrow)]
    language: Option<Cow<'a, str>>,
    #[serde(borrow)]
    verdict: Option<Cow<'a, str>>,
    charged: Option<Charged>,
    /// What the executions came to whose own lines could not be kept.
    #[serde(default)]
    unwritten: Vec<Row>,
}

/// The number that every line begins with, without a look at the rest.
#[must_use]
pub fn seq_of(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_what_it_says() {
        let mut counts = Counts::default();
        let line = r#"{"seq":7,"time":"2026-11-26T23:59:59.999999Z","act":"execution","tenant":"a\u2028b","language":"c",
            "verdict":"ok","labels":{"x":"y"},
            "charged":{"cpu_time_us":3,"compile_cpu_time_us":4,"memory_kib_ms":5,"output_bytes":6}}"#;
        let parsed: Counted<'_> = serde_json::from_str(line).unwrap();
        counts.line(&parsed);
        counts.line(&parsed);
        let start = r#"{"seq":8,"time":"2026-11-26T23:59:59.999999Z","act":"start"}"#;
        counts.line(&serde_json::from_str(start).unwrap());
        let rows = counts.rows();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].key.day.as_str(), rows[0].key.tenant.as_str()), ("2026-11-26", "a\u{2028}b"));
        assert_eq!((rows[0].sums.executions, rows[0].sums.charged.output_bytes), (2, 12));
        // What could not be written is counted by the line that says so.
        let lost = serde_json::json!({"seq": 9, "time": "2026-11-27T00:00:00Z", "act": "lost", "unwritten": rows});
        counts.line(&serde_json::from_str(&lost.to_string()).unwrap());
        assert_eq!(counts.rows()[0].sums.executions, 4);
        assert_eq!(seq_of(line.as_bytes()), Some(7));
        assert_eq!(seq_of(b"{\"seq\":x"), None);
        assert_eq!(seq_of(b"{\"se"), None);
    }

    #[test]
    fn what_is_taken_is_there_once() {
        let (mut all, mut some) = (Counts::default(), Counts::default());
        let charged = Charged { cpu_time_us: 3, ..Charged::default() };
        for round in 1..=2 {
            some.execution(["2026-11-26", "a", "c", "ok"], &charged);
            some.execution(["2026-11-26", "a", "c", "timeout"], &charged);
            all.take(&mut some);
            assert!(some.is_empty() && some.rows().is_empty());
            let rows = all.rows();
            assert_eq!(rows.iter().map(|row| row.sums.executions).collect::<Vec<_>>(), [round, round]);
            assert_eq!(rows[1].key.verdict, "timeout");
        }
        for user in 0..=KEPT {
            some.execution(["2026-11-26", &user.to_string(), "c", "ok"], &charged);
        }
        all.take(&mut some);
        assert!(some.0.is_empty() && all.rows().len() == KEPT + 3, "what is kept is bounded");
    }

    #[test]
    fn memory_is_rounded_down_and_never_wraps() {
        assert_eq!(memory_kib_ms(1 << 20, 1500), 1536);
        assert_eq!(memory_kib_ms(1, 1), 0);
        assert_eq!(memory_kib_ms(u64::MAX, u64::MAX), u64::MAX);
    }
}
