//! Sums recorded scrapes up: what is drawn, added over labels that are not, in at most so many rows.
//!
//! Counters begin anew when the engine does. That is seen by its start time, or by a counter that falls, and what was counted
//! before is kept: in the table counters never fall. What was counted between the last scrape and the end is lost. A series
//! that is not in a scrape is 0 there: recorders leave such out.

use std::collections::BTreeMap;

use serde_json::Value;

use super::table::Table;

/// More would be finer than a pixel or two of the picture.
const ROWS: usize = 120;
const STARTED: &str = "process_start_time_seconds";

/// How the numbers of a series between two rows become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It only grows, until the engine ends.
    Counter,
    /// The most of a gauge.
    Most,
    /// The mean of a gauge.
    Mean,
}

/// `NAME{LABEL="VALUE",…}` in parts.
fn parts(series: &str) -> (&str, BTreeMap<&str, &str>) {
    let (name, rest) = series.split_once('{').unwrap_or((series, ""));
    let labels = rest.trim_end_matches('}').split("\",").filter_map(|label| label.split_once("=\""));
    (name, labels.map(|(label, value)| (label.trim(), value.trim_end_matches('"'))).collect())
}

/// The columns that a series is added to. None for what is not drawn.
fn columns(series: &str) -> Vec<(String, Way)> {
    let (name, labels) = parts(series);
    let label = |name: &str| labels.get(name).copied().unwrap_or_default().replace([',', '\n'], "_");
    match name {
        "engined_executions_total" => vec![
            (format!("executions {}", label("language")), Way::Counter),
            (format!("verdict {}", label("verdict")), Way::Counter),
        ],
        "engined_stage_duration_seconds_bucket" => {
            vec![(format!("stage {} {}", label("stage"), label("le")), Way::Counter)]
        }
        "engined_queue_depth" => vec![(format!("waiting {}", label("priority")), Way::Most)],
        "engined_slots" => vec![("slots".to_owned(), Way::Most)],
        "engined_slots_in_use" => vec![("slots in use".to_owned(), Way::Mean)],
        _ => Vec::new(),
    }
}

/// One series that is drawn.
#[derive(Debug)]
struct Series {
    columns: Vec<(String, Way)>,
    /// Of a counter, what earlier engines counted.
    before: f64,
    last: f64,
    /// Of a gauge, the sum and the most since the last row.
    sum: f64,
    most: f64,
}

impl Series {
    fn of(name: &str) -> Option<Self> {
        let columns = columns(name);
        (!columns.is_empty()).then_some(Series { columns, before: 0.0, last: 0.0, sum: 0.0, most: 0.0 })
    }

    /// Whether this is a counter that has fallen.
    fn scraped(&mut self, number: f64) -> bool {
        let fell = number < self.last && self.columns.iter().any(|(_, way)| *way == Way::Counter);
        if fell {
            self.begin_anew();
        }
        self.last = number;
        self.sum += number;
        self.most = self.most.max(number);
        fell
    }

    fn begin_anew(&mut self) {
        self.before += self.last;
        self.last = 0.0;
    }

    fn tell(&self, way: Way, scrapes: f64) -> f64 {
        match way {
            Way::Counter => self.before + self.last,
            Way::Most => self.most,
            Way::Mean => self.sum / scrapes.max(1.0),
        }
    }
}

#[derive(Debug, Default)]
struct Sums {
    series: BTreeMap<String, Series>,
    started: Option<f64>,
    restarts: f64,
    /// Since the last row.
    scrapes: f64,
}

impl Sums {
    fn scraped(&mut self, samples: &serde_json::Map<String, Value>) {
        let number = |value: &Value| value.as_f64().filter(|number| number.is_finite());
        let started = samples.get(STARTED).and_then(number);
        let mut anew = started.is_some() && self.started.is_some() && started != self.started;
        if anew {
            self.series.values_mut().for_each(Series::begin_anew);
        }
        self.started = started.or(self.started);
        self.scrapes += 1.0;
        for name in samples.keys().filter(|name| !self.series.contains_key(*name)).collect::<Vec<_>>() {
            self.series.extend(Series::of(name).map(|series| (name.clone(), series)));
        }
        for (name, series) in &mut self.series {
            anew |= series.scraped(samples.get(name).and_then(number).unwrap_or_default());
        }
        self.restarts += f64::from(u8::from(anew));
    }

    /// What is known now; gauges begin anew.
    fn row(&mut self) -> BTreeMap<String, f64> {
        let mut row = BTreeMap::from([("restarts".to_owned(), self.restarts)]);
        for series in self.series.values_mut() {
            for (column, way) in &series.columns {
                *row.entry(column.clone()).or_default() += series.tell(*way, self.scrapes);
            }
            (series.sum, series.most) = (0.0, 0.0);
        }
        self.scrapes = 0.0;
        for number in row.values_mut() {
            *number = (*number * 100.0).round() / 100.0;
        }
        row
    }
}

/// The table of these scrapes. Lines that are empty are passed over, also one that was cut at the end.
pub fn sum_up(text: &str) -> Result<Table, String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let step = lines.len().saturating_sub(1).div_ceil(ROWS).max(1);
    let (mut table, mut sums) = (Table::default(), Sums::default());
    for (at, line) in lines.iter().enumerate() {
        let last = at + 1 == lines.len();
        let scrape: Value = match serde_json::from_str(line) {
            Ok(scrape) => scrape,
            Err(_) if last && !text.ends_with('\n') => break,
            Err(error) => return Err(format!("scrape {}: {error}", at + 1)),
        };
        let time = scrape["t_ms"].as_u64().ok_or_else(|| format!("scrape {}: t_ms is missing", at + 1))?;
        let samples = scrape["samples"].as_object().ok_or_else(|| format!("scrape {}: samples are missing", at + 1))?;
        if table.times.last().is_some_and(|before| *before >= time) {
            return Err(format!("scrape {}: t_ms does not rise", at + 1));
        }
        sums.scraped(samples);
        if at % step == 0 || last {
            table.push(time, &sums.row());
        }
    }
    if table.times.len() < 2 { Err("fewer than two scrapes".to_owned()) } else { Ok(table) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrape(time: u64, started: u64, ok: u64, in_use: u64) -> String {
        format!(
            "{{\"t_ms\":{time},\"samples\":{{\"process_start_time_seconds\":{started},\"other\":1,\
             \"engined_executions_total{{language=\\\"c\\\",plan=\\\"a,b\\\",verdict=\\\"ok\\\"}}\":{ok},\
             \"engined_executions_total{{language=\\\"python\\\",plan=\\\"a\\\",verdict=\\\"ok\\\"}}\":1,\
             \"engined_slots_in_use\":{in_use}}}}}\n"
        )
    }

    #[test]
    fn labels_that_are_not_drawn_are_added_up() {
        let table = sum_up(&(scrape(0, 1, 0, 0) + &scrape(9, 1, 5, 2))).unwrap();
        assert_eq!(table.times, [0, 9]);
        assert_eq!(table.columns["executions c"], [0.0, 5.0]);
        assert_eq!(table.columns["executions python"], [1.0, 1.0]);
        assert_eq!(table.columns["verdict ok"], [1.0, 6.0]);
        assert_eq!(table.columns["slots in use"], [0.0, 2.0]);
        assert!(!table.columns.keys().any(|name| name.contains("other")));
    }

    #[test]
    fn what_was_counted_before_a_restart_is_kept() {
        let text = scrape(0, 1, 5, 0) + &scrape(1, 7, 6, 0) + &scrape(2, 7, 8, 0) + &scrape(3, 7, 2, 0);
        let table = sum_up(&text).unwrap();
        // 6 is more than 5, and yet it was counted from 0; a fall without another start time counts too.
        assert_eq!(table.columns["executions c"], [5.0, 11.0, 13.0, 15.0]);
        assert_eq!(table.columns["restarts"], [0.0, 1.0, 1.0, 2.0]);
    }

    #[test]
    fn what_is_not_there_is_zero() {
        let text = scrape(0, 1, 5, 2) + "{\"t_ms\":1,\"samples\":{}}\n" + &scrape(2, 1, 7, 0);
        let table = sum_up(&text).unwrap();
        assert_eq!(table.columns["executions c"], [5.0, 5.0, 12.0], "it began anew");
        assert_eq!(table.columns["restarts"], [0.0, 1.0, 1.0]);
        assert_eq!(table.columns["slots in use"], [2.0, 0.0, 0.0]);
    }

    #[test]
    fn an_hour_has_as_many_rows_as_a_minute() {
        let text: String = (0..721).map(|n| scrape(n * 5000, 1, n, n % 3)).collect();
        let table = sum_up(&text).unwrap();
        assert!(table.times.len() <= ROWS + 2, "{}", table.times.len());
        assert_eq!(table.columns["executions c"].last(), Some(&720.0));
        assert!(table.columns["slots in use"][1..].iter().all(|mean| (mean - 1.0).abs() < 0.4));
    }

    #[test]
    fn a_last_line_that_was_cut_is_passed_over() {
        let whole = scrape(0, 1, 0, 0) + &scrape(1, 1, 1, 1);
        let cut = whole.clone() + "{\"t_ms\":2,\"samp";
        assert_eq!(sum_up(&cut).unwrap().times, [0, 1]);
        for (text, complaint) in [
            (cut + "\n", "scrape 3"),
            (whole.clone() + "{\"t_ms\":1,\"samples\":{}}\n", "scrape 3: t_ms does not rise"),
            (whole.clone() + "{\"t_ms\":2}\n", "scrape 3: samples"),
            (scrape(0, 1, 0, 0), "fewer than two"),
        ] {
            assert!(sum_up(&text).unwrap_err().contains(complaint), "{complaint}");
        }
    }
}
