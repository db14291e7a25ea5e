//! Takes a TOML table apart key by key and goes on after a mistake, so that a file tells all of its mistakes at once.
//!
//! Every `take` gives a value even when there is none to give: the mistake is on the list by then, and a file with a
//! mistake never becomes a [`crate::Definition`]. What is left in a table at its end is unknown, and a mistake too.

use toml::{Table, Value};

use crate::mistake::{Fault, Mistake, Verdict};

/// The list that grows while one file is read.
pub(crate) struct Mistakes {
    file: String,
    list: Vec<Mistake>,
}

impl Mistakes {
    pub(crate) fn of(file: &str) -> Self {
        Mistakes { file: file.to_owned(), list: Vec::new() }
    }

    pub(crate) fn add(&mut self, field: impl Into<String>, value: Option<String>, fault: Fault) {
        self.list.push(Mistake { file: self.file.clone(), field: field.into(), value, fault });
    }

    /// `value`, unless there was a mistake.
    pub(crate) fn verdict<T>(self, value: T) -> Result<T, Vec<Mistake>> {
        if self.list.is_empty() { Ok(value) } else { Err(self.list) }
    }
}

/// A kind of value that a key may have.
pub(crate) trait Kind: Sized + Default {
    /// In a sentence: "write …".
    const WANTED: &'static str;
    /// How such a value looks.
    const SHAPE: &'static str;
    fn read(value: &Value) -> Option<Self>;
}

impl Kind for String {
    const WANTED: &'static str = "a string";
    const SHAPE: &'static str = "\"…\"";
    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl Kind for Vec<String> {
    const WANTED: &'static str = "a list of strings";
    const SHAPE: &'static str = "[\"…\"]";
    fn read(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(String::read).collect()
    }
}

impl Kind for bool {
    const WANTED: &'static str = "true or false";
    const SHAPE: &'static str = "true";
    fn read(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

/// One table of the file.
pub(crate) struct Reader<'m> {
    table: Table,
    path: String,
    mistakes: &'m mut Mistakes,
}

impl<'m> Reader<'m> {
    pub(crate) fn new(table: Table, mistakes: &'m mut Mistakes) -> Self {
        Reader { table, path: String::new(), mistakes }
    }

    /// The full name of a key of this table.
    pub(crate) fn field(&self, key: &str) -> String {
        // A key that TOML would have in quotes is shown so. Ours may have an index or a path in them.
        let bare = key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.[]".contains(&b));
        let key = if bare { key.to_owned() } else { quoted(key) };
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }

    /// Notes a mistake of a key of this table.
    pub(crate) fn fault(&mut self, key: &str, value: Option<String>, fault: Fault) {
        let field = self.field(key);
        self.mistakes.add(field, value, fault);
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether a key has a list without elements.
    pub(crate) fn is_empty_list(&self, key: &str) -> bool {
        matches!(self.table.get(key), Some(Value::Array(items)) if items.is_empty())
    }

    /// The keys that have not been taken yet.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.table.keys().cloned().collect()
    }

    /// The value of a key that need not be there.
    pub(crate) fn optional<T: Kind>(&mut self, key: &str, check: impl FnOnce(&T) -> Verdict) -> Option<T> {
        let value = self.table.remove(key)?;
        let Some(read) = T::read(&value) else {
            self.fault(key, Some(value.to_string()), wanted(T::WANTED));
            return None;
        };
        if let Err(fault) = check(&read) {
            self.fault(key, Some(value.to_string()), fault);
            return None;
        }
        Some(read)
    }

    /// The value of a key that must be there.
    pub(crate) fn required<T: Kind>(&mut self, key: &str, check: impl FnOnce(&T) -> Verdict) -> T {
        if self.has(key) {
            return self.optional(key, check).unwrap_or_default();
        }
        self.fault(key, None, Fault::new("is missing", format!("add {key} = {}", T::SHAPE)));
        T::default()
    }

    /// The elements of a list, each checked and each with a mistake of its own.
    pub(crate) fn list(&mut self, key: &str, check: impl Fn(&str) -> Verdict) -> Vec<String> {
        let items = match self.table.remove(key) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.fault(key, Some(other.to_string()), wanted("a list of strings"));
                return Vec::new();
            }
        };
        let mut list = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let verdict = item.as_str().ok_or_else(|| wanted("a string")).and_then(|text| check(text).map(|()| text));
            match verdict {
                Ok(text) => list.push(text.to_owned()),
                Err(fault) => self.fault(&format!("{key}[{index}]"), Some(item.to_string()), fault),
            }
        }
        list
    }

    /// A choice of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let find = |word: &str| choices.iter().find(|(name, _)| *name == word).map(|(_, choice)| *choice);
        let names: Vec<String> = choices.iter().map(|(name, _)| quoted(name)).collect();
        let word: String = self.required(key, |word: &String| {
            find(word)
                .map(|_| ())
                .ok_or_else(|| Fault::new("is none of the choices", format!("write {}", names.join(" or "))))
        });
        find(&word)
    }

    /// Removes a key and gives its raw value.
    pub(crate) fn raw(&mut self, key: &str) -> Option<Value> {
        self.table.remove(key)
    }

    /// Reads the table under a key. `None` when the key is absent or no table.
    pub(crate) fn table<T>(&mut self, key: &str, read: impl FnOnce(&mut Reader<'_>) -> T) -> Option<T> {
        match self.table.remove(key)? {
            Value::Table(table) => Some(self.nested(key, table, read)),
            other => {
                self.fault(key, Some(other.to_string()), wanted("a table"));
                None
            }
        }
    }

    /// Reads every table of the list of tables under a key.
    pub(crate) fn tables<T>(&mut self, key: &str, mut read: impl FnMut(&mut Reader<'_>) -> T) -> Vec<T> {
        let items = match self.table.remove(key) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                let full = self.field(key);
                self.fault(key, Some(other.to_string()), wanted(&format!("a list of tables, each under [[{full}]]")));
                return Vec::new();
            }
        };
        let mut all = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let name = format!("{key}[{index}]");
            match item {
                Value::Table(table) => all.push(self.nested(&name, table, &mut read)),
                other => self.fault(&name, Some(other.to_string()), wanted("a table")),
            }
        }
        all
    }

    fn nested<T>(&mut self, name: &str, table: Table, read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
        let mut reader = Reader { table, path: self.field(name), mistakes: self.mistakes };
        let value = read(&mut reader);
        reader.finish();
        value
    }

    /// Whatever has not been taken is unknown.
    pub(crate) fn finish(&mut self) {
        for (key, value) in std::mem::take(&mut self.table) {
            let place = if self.path.is_empty() { "a manifest".to_owned() } else { format!("`{}`", self.path) };
            let fault = Fault::new(format!("is no field of {place}"), "correct its name or remove it");
            self.fault(&key, Some(value.to_string()), fault);
        }
    }
}

/// A string as TOML writes it.
pub(crate) fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn wanted(what: &str) -> Fault {
    Fault::new("is of the wrong type", format!("write {what}"))
}
