//! A mistake in a manifest: where, what stands there, why that can't be, and what to write instead.

use std::fmt;

/// One mistake. Its text is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, or the folder.
    pub file: String,
    /// The field, as in `toolchain[0].program`. Empty where the whole file is meant.
    pub field: String,
    /// What stands there. Absent where nothing does.
    pub value: Option<String>,
    /// Why that can't be, and what to do about it.
    pub fault: Fault,
}

/// Why a value can't be, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Why.
    pub why: String,
    /// What to do: an order to the operator, without a full stop.
    pub remedy: String,
}

impl Fault {
    pub(crate) fn new(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Fault { why: why.into(), remedy: remedy.into() }
    }
}

/// Whether a value may stand.
pub(crate) type Verdict = Result<(), Fault>;

const VALUE_SHOWN: usize = 60;

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        if !self.field.is_empty() {
            f.write_str(&self.field)?;
            if let Some(value) = &self.value {
                let shown: String = value.chars().take(VALUE_SHOWN).collect();
                let cut = if shown.len() < value.len() { "…" } else { "" };
                write!(f, " = {shown}{cut}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}; {}", self.fault.why, self.fault.remedy)
    }
}

impl std::error::Error for Mistake {}
