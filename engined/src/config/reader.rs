//! Reads a TOML table field by field: takes what is right, notes every mistake, and writes down what is in force.

use std::fmt;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::{Table, Value};

use super::secret;

/// One mistake in the configuration. Its text is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// `section.key`, or empty for the file as a whole.
    pub field: String,
    /// What stands there.
    pub value: String,
    /// Why that can't be.
    pub why: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            f.write_str(&self.field)?;
            if !self.value.is_empty() {
                let shown: String = self.value.chars().take(60).collect();
                let cut = if shown.len() < self.value.len() { "…" } else { "" };
                write!(f, " = {shown}{cut}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}; {}", self.why, self.remedy)
    }
}

/// The whole file while it is read.
#[derive(Debug, Default)]
pub struct Reader {
    /// What is wrong.
    pub mistakes: Vec<Mistake>,
    /// What is in force, as a commented TOML file.
    pub printed: String,
}

impl Reader {
    /// Notes a mistake.
    pub fn mistake(&mut self, field: &str, value: &str, why: impl Into<String>, remedy: impl Into<String>) {
        // Whoever notes a mistake need not think of tokens.
        let value = secret::value(field, value);
        let [field, why, remedy] = [field, &why.into(), &remedy.into()].map(secret::without_tokens);
        self.mistakes.push(Mistake { field, value, why, remedy });
    }

    /// The same of a value that may have others in it.
    pub fn mistake_in(&mut self, field: &str, value: &Value, why: impl Into<String>, remedy: impl Into<String>) {
        self.mistake(field, &secret::shown(field, value), why, remedy);
    }

    /// Opens the section `name` of `root`, removing it there. One that is absent has nothing but defaults.
    pub fn section(&mut self, root: &mut Table, name: &str, doc: &str) -> Section<'_> {
        // No key of ours has a dot in it.
        let key = name.rsplit('.').next().unwrap_or(name);
        let table = match root.remove(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                self.mistake_in(name, &other, "is no section", format!("write [{name}] and its fields below"));
                Table::new()
            }
        };
        self.open(name, table, doc)
    }

    /// A section whose table is at hand.
    pub fn open(&mut self, name: &str, table: Table, doc: &str) -> Section<'_> {
        let blank = if self.printed.is_empty() { "" } else { "\n" };
        write!(self.printed, "{blank}# {doc}\n[{name}]\n").unwrap_or_default();
        Section { reader: self, name: name.to_owned(), table, known: Vec::new() }
    }

    /// A section of which there may be several of the same name, `[[name]]`.
    pub fn open_item(&mut self, name: &str, index: usize, table: Table, doc: &str) -> Section<'_> {
        write!(self.printed, "\n# {doc}\n[[{name}]]\n").unwrap_or_default();
        Section { reader: self, name: format!("{name}[{index}]"), table, known: Vec::new() }
    }

    /// Every table in the section `name` of `root`, by its own name.
    pub fn tables(&mut self, root: &mut Table, name: &str) -> Vec<(String, Table)> {
        self.tables_of(root, name, name)
    }

    /// Every table in the section `key` of `root`, which is `name` to people, by its own name.
    pub fn tables_of(&mut self, root: &mut Table, key: &str, name: &str) -> Vec<(String, Table)> {
        let mut found = Vec::new();
        match root.remove(key) {
            None => {}
            Some(Value::Table(tables)) => {
                for (own, value) in tables {
                    match value {
                        Value::Table(table) => found.push((own, table)),
                        other => {
                            let remedy = format!("write [{name}.{own}] and its fields below");
                            self.mistake_in(&format!("{name}.{own}"), &other, "is no section", remedy);
                        }
                    }
                }
            }
            Some(other) => self.mistake_in(name, &other, "is no section", format!("write [{name}.NAME]")),
        }
        found
    }

    /// Whatever nobody has asked for is a mistake.
    pub fn end(&mut self, root: &Table, known: &[&str]) {
        for (key, value) in root {
            let remedy = format!("remove it, or write one of {}", known.join(", "));
            self.mistake(key, &secret::of_unknown(key, value), "is no field or section", remedy);
        }
    }
}

/// One section while it is read.
#[derive(Debug)]
pub struct Section<'r> {
    reader: &'r mut Reader,
    name: String,
    table: Table,
    known: Vec<&'static str>,
}

impl Section<'_> {
    /// The full name of one of its fields, or its own.
    fn field(&self, key: &str) -> String {
        if key.is_empty() { self.name.clone() } else { format!("{}.{key}", self.name) }
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// Notes a mistake in one of its fields.
    pub fn mistake(&mut self, key: &str, value: &str, why: impl Into<String>, remedy: impl Into<String>) {
        let field = self.field(key);
        self.reader.mistake(&field, value, why, remedy);
    }

    /// The same of a value that may have others in it.
    fn mistake_of(&mut self, key: &str, value: &Value, why: impl Into<String>, remedy: impl Into<String>) {
        let field = self.field(key);
        self.reader.mistake_in(&field, value, why, remedy);
    }

    fn print(&mut self, key: &str, value: Option<&str>, doc: &str) {
        // A field without a value stands there as a comment: what may be set.
        let line = value.map_or_else(|| format!("# {key} ="), |value| format!("{key} = {value}"));
        writeln!(self.reader.printed, "# {doc}\n{line}").unwrap_or_default();
    }

    /// A whole number in `range`.
    pub fn number(&mut self, key: &'static str, default: u64, range: RangeInclusive<u64>, doc: &str) -> u64 {
        let value = match self.take(key) {
            None => default,
            Some(value) => match value.as_integer().and_then(|n| u64::try_from(n).ok()) {
                Some(number) if range.contains(&number) => number,
                found => {
                    let why = match found {
                        Some(0) => "is zero, which never means unlimited",
                        Some(_) => "is out of its range",
                        None => "is no whole number from 1 up",
                    };
                    let remedy = format!("write a number from {} to {}", range.start(), range.end());
                    self.mistake_of(key, &value, why, remedy);
                    default
                }
            },
        };
        self.print(key, Some(&value.to_string()), doc);
        value
    }

    /// A duration in milliseconds, at most an hour.
    pub fn millis(&mut self, key: &'static str, default: u64, doc: &str) -> Duration {
        Duration::from_millis(self.number(key, default, 1..=3_600_000, doc))
    }

    /// A whole number in `range`, if there is one.
    pub fn optional(&mut self, key: &'static str, range: RangeInclusive<u64>, doc: &str) -> Option<u64> {
        if self.table.contains_key(key) {
            let least = *range.start();
            return Some(self.number(key, least, range, doc));
        }
        self.known.push(key);
        self.print(key, None, doc);
        None
    }

    /// Whether there is such a field that nobody has asked for yet.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A number with a fraction, in thousandths, if there is one.
    pub fn optional_thousandths(&mut self, key: &'static str, range: RangeInclusive<u64>, doc: &str) -> Option<u64> {
        if self.table.contains_key(key) {
            let least = *range.start();
            return Some(self.thousandths(key, least, range, doc));
        }
        self.known.push(key);
        self.print(key, None, doc);
        None
    }

    /// A time with its offset from UTC, in seconds since 1970, if there is one.
    pub fn instant(&mut self, key: &'static str, doc: &str) -> Option<i64> {
        let found = self.take(key);
        let text = match &found {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other @ (Value::Table(_) | Value::Array(_))) => Some(secret::shown(key, other)),
            Some(other) => Some(other.to_string()),
        };
        let Some(text) = text else {
            self.print(key, None, doc);
            return None;
        };
        match text.parse::<jiff::Timestamp>() {
            Ok(time) => {
                // Quoted: TOML's own times have no years before 0.
                self.print(key, Some(&Value::String(time.to_string()).to_string()), doc);
                Some(time.as_second())
            }
            Err(_) => {
                self.mistake(key, &text, "is no time with a date and an offset", "write it as in 2027-01-31T12:00:00Z");
                None
            }
        }
    }

    /// A number with a fraction, in thousandths.
    pub fn thousandths(&mut self, key: &'static str, default: u64, range: RangeInclusive<u64>, doc: &str) -> u64 {
        let value = match self.take(key) {
            None => default,
            Some(value) => {
                let number =
                    value.as_float().or_else(|| value.as_integer().and_then(|n| i32::try_from(n).ok()).map(f64::from));
                let milli = number.and_then(|number| format!("{:.0}", number * 1000.0).parse().ok());
                milli.filter(|milli| range.contains(milli)).unwrap_or_else(|| {
                    let (least, most) = (*range.start(), *range.end());
                    let remedy = format!("write a number from {} to {}", thousandths(least), thousandths(most));
                    self.mistake_of(key, &value, "is out of its range", remedy);
                    default
                })
            }
        };
        self.print(key, Some(&thousandths(value)), doc);
        value
    }

    /// True or false.
    pub fn flag(&mut self, key: &'static str, default: bool, doc: &str) -> bool {
        let value = match self.take(key) {
            None => default,
            Some(Value::Boolean(value)) => value,
            Some(other) => {
                self.mistake_of(key, &other, "is neither true nor false", "write true or false");
                default
            }
        };
        self.print(key, Some(&value.to_string()), doc);
        value
    }

    /// A text that `parse` accepts, or its complaint (why, remedy).
    pub fn parsed<T>(
        &mut self,
        key: &'static str,
        default: Option<&str>,
        doc: &str,
        parse: impl Fn(&str) -> Result<T, (String, String)>,
    ) -> Option<T> {
        let found = self.take(key);
        let text = match &found {
            None => default.map(str::to_owned),
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => {
                self.mistake_of(key, other, "is no text", "write it in quotes");
                None
            }
        };
        let quoted = text.as_ref().map(|text| Value::String(text.clone()).to_string());
        self.print(key, quoted.as_deref(), doc);
        match parse(&text?) {
            Ok(value) => Some(value),
            Err((why, remedy)) => {
                self.mistake(key, &quoted.unwrap_or_default(), why, remedy);
                None
            }
        }
    }

    /// A list of at least one text, each of which `parse` accepts.
    pub fn list_or<T>(
        &mut self,
        key: &'static str,
        default: &[&str],
        doc: &str,
        parse: impl Fn(&str) -> Result<T, (String, String)>,
    ) -> Vec<T> {
        if self.table.get(key).and_then(Value::as_array).is_some_and(Vec::is_empty) {
            let remedy = format!("write at least one, or leave it out for {default:?}");
            self.mistake(key, "[]", "is empty, which never means all", remedy);
        }
        let usual = || Value::Array(default.iter().map(|text| Value::String((*text).to_owned())).collect());
        if !self.table.contains_key(key) {
            self.table.insert(key.to_owned(), usual());
        }
        self.list(key, doc, parse)
    }

    /// A list of texts, each of which `parse` accepts.
    pub fn list<T>(
        &mut self,
        key: &'static str,
        doc: &str,
        parse: impl Fn(&str) -> Result<T, (String, String)>,
    ) -> Vec<T> {
        let found = self.take(key).unwrap_or_else(|| Value::Array(Vec::new()));
        self.print(key, Some(&found.to_string()), doc);
        let Value::Array(items) = &found else {
            self.mistake_of(key, &found, "is no list", "write [\"…\", \"…\"]");
            return Vec::new();
        };
        let mut list = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match item
                .as_str()
                .ok_or_else(|| ("is no text".to_owned(), "write it in quotes".to_owned()))
                .and_then(&parse)
            {
                Ok(value) => list.push(value),
                Err((why, remedy)) => self.mistake_of(&format!("{key}[{index}]"), item, why, remedy),
            }
        }
        list
    }

    /// Ends the section: what nobody has asked for is a mistake. Gives the sections inside it.
    pub fn end(mut self, inner: &[&'static str]) -> Table {
        let mut rest = Table::new();
        for key in inner {
            if let Some(value) = self.table.remove(*key) {
                rest.insert((*key).to_owned(), value);
            }
        }
        let known: Vec<&str> = self.known.iter().chain(inner).copied().collect();
        for (key, value) in std::mem::take(&mut self.table) {
            let remedy = format!("remove it, or write one of {}", known.join(", "));
            let field = self.field(&key);
            self.reader.mistake(&field, &secret::of_unknown(&field, &value), "is no field of this section", remedy);
        }
        rest
    }
}

fn thousandths(value: u64) -> String {
    format!("{}.{:03}", value / 1000, value % 1000)
}

/// A name as a part of a section's.
#[must_use]
pub fn key(name: &str) -> String {
    if name.contains('.') { format!("{name:?}") } else { name.to_owned() }
}
