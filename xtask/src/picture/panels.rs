//! What the panels show, out of the table: rates between rows, quantiles of histograms, gauges.

use super::table::Table;

/// By time in minutes; None where there is nothing to tell.
pub type Points = Vec<(f64, Option<f64>)>;

/// A named line.
#[derive(Debug)]
pub struct Line {
    /// What the legend says.
    pub name: String,
    /// The line itself.
    pub points: Points,
}

/// How a panel is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Lines on a scale from 0.
    Lines,
    /// Faces on top of each other.
    Stack,
    /// Seconds on a logarithmic scale, the same in each such panel.
    Seconds,
}

/// A small chart.
#[derive(Debug)]
pub struct Panel {
    /// What it shows, with its unit.
    pub title: String,
    /// How.
    pub kind: Kind,
    /// In the order of the legend.
    pub lines: Vec<Line>,
}

/// Everything that is drawn.
#[derive(Debug)]
pub struct Picture {
    /// Of the whole.
    pub title: String,
    /// From the first to the last row.
    pub minutes: f64,
    /// When the engine was started anew.
    pub restarts: Vec<f64>,
    /// From above.
    pub rows: Vec<Vec<Panel>>,
}

const STAGES: [(&str, &str); 5] =
    [("queue", "queue"), ("compile", "compile"), ("setup", "set-up"), ("run", "run"), ("total", "total")];
const QUANTILES: [(f64, &str); 3] = [(0.5, "p50"), (0.95, "p95"), (0.99, "p99")];
/// The line that the others cannot cross.
pub const BOUND: &str = "there are";
/// Verdicts that have a colour of their own.
const VERDICTS: usize = 8;
/// Between two rows so many times as far apart as usual nobody was asked.
const GAP: f64 = 4.0;

/// All panels of a table.
pub fn of(table: &Table) -> Picture {
    let minutes: Vec<f64> = table.times.iter().map(|time| seconds(*time - table.times[0]) / 60.0).collect();
    let spans = Spans::of(&minutes);
    let mut languages: Vec<Line> = spans.rates(table, "executions ");
    languages.retain(|line| line.points.iter().any(|(_, rate)| rate.is_some_and(|rate| rate > 0.0)));
    let seconds = STAGES.map(|(stage, name)| Panel {
        title: format!("{}{}", name[..1].to_uppercase(), &name[1..]),
        kind: Kind::Seconds,
        lines: spans.quantiles(table, stage),
    });
    let gauge = |column: &str, name: &str| Line { name: name.to_owned(), points: spans.gauge(table, column) };
    let rows = vec![
        vec![
            Panel { title: "Executions per second, by language".to_owned(), kind: Kind::Stack, lines: languages },
            Panel { title: "Verdicts per second".to_owned(), kind: Kind::Stack, lines: verdicts(&spans, table) },
        ],
        seconds.into_iter().collect(),
        vec![
            Panel {
                title: "Runs waiting, at most".to_owned(),
                kind: Kind::Lines,
                lines: vec![gauge("waiting interactive", "interactive"), gauge("waiting batch", "batch")],
            },
            Panel {
                title: "Slots in use, on average".to_owned(),
                kind: Kind::Lines,
                lines: vec![gauge("slots in use", "in use"), gauge("slots", BOUND)],
            },
        ],
    ];
    let whole = minutes.last().copied().unwrap_or_default();
    let executions: f64 = table.group("executions ").map(|(_, numbers)| rise(numbers)).sum();
    let rate = executions / (whole * 60.0).max(1e-3);
    let title = format!("{executions} executions in {whole:.0} minutes, {rate:.1} a second");
    Picture { title, minutes: whole, restarts: spans.restarts(table), rows }
}

fn seconds(milliseconds: u64) -> f64 {
    std::time::Duration::from_millis(milliseconds).as_secs_f64()
}

fn rise(numbers: &[f64]) -> f64 {
    numbers.last().unwrap_or(&0.0) - numbers.first().unwrap_or(&0.0)
}

/// `ok` first, then by how many there were; the rarest together.
fn verdicts(spans: &Spans, table: &Table) -> Vec<Line> {
    let rises = |name: &str| table.columns.get(&format!("verdict {name}")).map_or(0.0, |numbers| rise(numbers));
    let mut lines = spans.rates(table, "verdict ");
    lines.retain(|line| rises(&line.name) > 0.0);
    let order = |line: &Line| (line.name != "ok", -rises(&line.name));
    lines.sort_by(|one, other| {
        let ((one_ok, one_rises), (other_ok, other_rises)) = (order(one), order(other));
        one_ok.cmp(&other_ok).then(one_rises.total_cmp(&other_rises)).then(one.name.cmp(&other.name))
    });
    if lines.len() > VERDICTS {
        let rare = lines.split_off(VERDICTS - 1);
        let sum = |at: usize| -> Option<f64> { rare.iter().map(|line| line.points[at].1).sum() };
        let points = rare[0].points.iter().enumerate().map(|(at, (time, _))| (*time, sum(at))).collect();
        lines.push(Line { name: "other".to_owned(), points });
    }
    lines
}

/// The times between rows.
struct Spans<'a> {
    minutes: &'a [f64],
    usual: f64,
}

impl<'a> Spans<'a> {
    fn of(minutes: &'a [f64]) -> Self {
        let mut all: Vec<f64> = minutes.windows(2).map(|pair| pair[1] - pair[0]).collect();
        all.sort_by(f64::total_cmp);
        Spans { minutes, usual: all.get(all.len() / 2).copied().unwrap_or_default() }
    }

    /// Something for each span but for those in which nobody was asked.
    fn each(&self, tell: impl Fn(usize, f64) -> Option<f64>) -> Points {
        let spans = self.minutes.windows(2).enumerate();
        spans
            .map(|(at, pair)| {
                let long = pair[1] - pair[0];
                let told = if long > GAP * self.usual { None } else { tell(at, long * 60.0) };
                (f64::midpoint(pair[0], pair[1]), told)
            })
            .collect()
    }

    fn rates(&self, table: &Table, prefix: &str) -> Vec<Line> {
        let line = |(name, numbers): (&str, &[f64])| Line {
            name: name.to_owned(),
            points: self.each(|at, seconds| Some((numbers[at + 1] - numbers[at]).max(0.0) / seconds)),
        };
        table.group(prefix).map(line).collect()
    }

    /// What the row at the end of the span says of it.
    fn gauge(&self, table: &Table, column: &str) -> Points {
        self.each(|at, _| table.columns.get(column).map(|numbers| numbers[at + 1]))
    }

    fn quantiles(&self, table: &Table, stage: &str) -> Vec<Line> {
        let prefix = format!("stage {stage} ");
        let mut buckets: Vec<(f64, &[f64])> =
            table.group(&prefix).filter_map(|(bound, numbers)| Some((bound.parse().ok()?, numbers))).collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        let line = |(of, name): &(f64, &str)| Line {
            name: (*name).to_owned(),
            points: self.each(|at, _| {
                let counts: Vec<(f64, f64)> =
                    buckets.iter().map(|(bound, numbers)| (*bound, numbers[at + 1] - numbers[at])).collect();
                quantile(&counts, *of)
            }),
        };
        QUANTILES.iter().map(line).collect()
    }

    fn restarts(&self, table: &Table) -> Vec<f64> {
        let Some(numbers) = table.columns.get("restarts") else { return Vec::new() };
        let risen = numbers.windows(2).enumerate().filter(|(_, pair)| pair[1] > pair[0]);
        risen.map(|(at, _)| f64::midpoint(self.minutes[at], self.minutes[at + 1])).collect()
    }
}

/// As Prometheus does it: counts up to each bound, rising, the last bound without an end; within a bucket they are spread evenly.
fn quantile(buckets: &[(f64, f64)], of: f64) -> Option<f64> {
    let all = buckets.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
    let rank = of * all;
    let at = buckets.iter().position(|(_, count)| *count >= rank)?;
    let (from, before) = if at == 0 { (0.0, 0.0) } else { buckets[at - 1] };
    let (to, until) = buckets[at];
    if to.is_infinite() {
        return Some(from);
    }
    Some(from + (to - from) * (rank - before) / (until - before).max(f64::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_prometheus() {
        let buckets = [(1.0, 0.0), (2.0, 50.0), (4.0, 100.0), (f64::INFINITY, 100.0)];
        assert_eq!(quantile(&buckets, 0.5), Some(2.0));
        assert_eq!(quantile(&buckets, 0.75), Some(3.0));
        assert_eq!(quantile(&[(1.0, 0.0), (f64::INFINITY, 3.0)], 0.5), Some(1.0), "beyond the last bound");
        assert_eq!(quantile(&[(1.0, 4.0), (f64::INFINITY, 4.0)], 0.5), Some(0.5));
        assert_eq!(quantile(&[(1.0, 0.0), (f64::INFINITY, 0.0)], 0.5), None, "nothing happened");
        assert_eq!(quantile(&[], 0.5), None);
    }

    fn table() -> Table {
        let mut text = "t_ms,executions c,restarts,slots,slots in use,verdict ok,verdict x0,verdict x1".to_owned();
        (2..9).for_each(|n| text += &format!(",verdict x{n}"));
        for (at, time) in [0, 10_000, 20_000, 30_000, 120_000].into_iter().enumerate() {
            text += &format!("\n{time},{},{},2,1.5,{}{}", at * 20, at / 3, at * 11, format!(",{at}").repeat(9));
        }
        Table::from_csv(&text).unwrap()
    }

    #[test]
    fn rates_are_a_second_and_gaps_stay_gaps() {
        let picture = of(&table());
        assert_eq!(picture.title, "80 executions in 2 minutes, 0.7 a second");
        let round = |rate: f64| (rate * 1000.0).round() / 1000.0;
        let rates: Vec<_> = picture.rows[0][0].lines[0].points.iter().map(|(_, rate)| rate.map(round)).collect();
        assert_eq!(rates, [Some(2.0), Some(2.0), Some(2.0), None]);
        assert_eq!(picture.restarts.len(), 1);
        let verdicts: Vec<_> = picture.rows[0][1].lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(verdicts, ["ok", "x0", "x1", "x2", "x3", "x4", "x5", "other"]);
        assert_eq!(picture.rows[0][1].lines[7].points[0].1.map(round), Some(0.3));
        assert!(picture.rows[1].iter().all(|panel| panel.lines.iter().all(|l| l.points.iter().all(|p| p.1.is_none()))));
    }
}
