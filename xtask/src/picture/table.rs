//! A table with a name for each column and a time for each row, kept as CSV: cumulative counters and gauges.

use std::collections::BTreeMap;

/// Numbers by time and by column.
#[derive(Debug, Default, PartialEq)]
pub struct Table {
    /// Milliseconds since the begin, rising.
    pub times: Vec<u64>,
    /// Each as long as `times`.
    pub columns: BTreeMap<String, Vec<f64>>,
}

const TIME: &str = "t_ms";

impl Table {
    /// One more row. A column that comes later was 0 until then, one that is not named stays as it was.
    pub fn push(&mut self, time: u64, row: &BTreeMap<String, f64>) {
        for name in row.keys() {
            self.columns.entry(name.clone()).or_insert_with(|| vec![0.0; self.times.len()]);
        }
        for (name, numbers) in &mut self.columns {
            let number = row.get(name).copied().or(numbers.last().copied()).unwrap_or_default();
            numbers.push(number);
        }
        self.times.push(time);
    }

    /// The columns whose names begin so, by what follows.
    pub fn group<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a [f64])> {
        self.columns.iter().filter_map(move |(name, numbers)| Some((name.strip_prefix(prefix)?, &numbers[..])))
    }

    /// As text.
    pub fn to_csv(&self) -> String {
        let names: Vec<&str> = self.columns.keys().map(String::as_str).collect();
        let mut text = format!("{TIME},{}\n", names.join(","));
        for (at, time) in self.times.iter().enumerate() {
            let numbers: Vec<String> = self.columns.values().map(|numbers| format!(",{}", numbers[at])).collect();
            text += &format!("{time}{}\n", numbers.concat());
        }
        text
    }

    /// Out of such a text.
    pub fn from_csv(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().enumerate();
        let head: Vec<&str> = lines.next().map(|(_, head)| head.split(',').collect()).unwrap_or_default();
        let Some((&TIME, names)) = head.split_first() else {
            return Err(format!("the first line does not begin with {TIME}"));
        };
        let mut table = Table::default();
        for (number, line) in lines {
            let wrong = |what: &str| format!("line {}: {what}", number + 1);
            let (time, numbers) = line.split_once(',').ok_or_else(|| wrong("no columns"))?;
            let time = time.parse().map_err(|_| wrong("the time is no number"))?;
            let numbers: Result<Vec<f64>, _> = numbers.split(',').map(str::parse).collect();
            let numbers = numbers.map_err(|_| wrong("a number is none"))?;
            if numbers.len() != names.len() || numbers.iter().any(|number| !number.is_finite()) {
                return Err(wrong("not a number for each column"));
            }
            if table.times.last().is_some_and(|last| *last >= time) {
                return Err(wrong("the time does not rise"));
            }
            table.push(time, &names.iter().map(|name| (*name).to_owned()).zip(numbers).collect());
        }
        if table.times.len() < 2 { Err("fewer than two rows".to_owned()) } else { Ok(table) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut table = Table::default();
        table.push(0, &[("a".to_owned(), 1.0)].into());
        table.push(5, &[("b x".to_owned(), 0.5)].into());
        assert_eq!(table.columns["a"], [1.0, 1.0]);
        let text = table.to_csv();
        assert_eq!(text, "t_ms,a,b x\n0,1,0\n5,1,0.5\n");
        let again = Table::from_csv(&text).unwrap();
        assert_eq!((&again.times, again.to_csv()), (&table.times, text));
        let group: Vec<_> = again.group("b ").collect();
        assert_eq!(group, [("x", &[0.0, 0.5][..])]);
    }

    #[test]
    fn what_is_no_table_is_refused_by_line() {
        for (text, complaint) in [
            ("", "first line"),
            ("a,b\n", "first line"),
            ("t_ms,a\n0,1\n", "fewer"),
            ("t_ms,a\n0,1\n0,2\n", "line 3: the time"),
            ("t_ms,a\n0,1\n1,x\n", "line 3: a number"),
            ("t_ms,a\n0,1\n1,NaN\n", "line 3: not a number"),
            ("t_ms,a\n0,1\n1,2,3\n", "line 3: not a number"),
            ("t_ms,a\n0,1\n1\n", "line 3: no columns"),
        ] {
            let error = Table::from_csv(text).unwrap_err();
            assert!(error.contains(complaint), "{text:?}: {error}");
        }
    }
}
