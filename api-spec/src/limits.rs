//! The limits of one step: what a caller may ask for, and what is in force.

use std::fmt;

use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::parse::coded;
use crate::problem::Code;

/// The least share of cores.
pub const CPUS_MIN: f64 = 0.1;
/// The first number that is too large for a u64.
const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

/// One limit, by its name in requests and answers. Times are milliseconds, sizes bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LimitName {
    /// User and system time of all processes and threads together.
    CpuTimeMs,
    /// From the program's start to its end.
    WallTimeMs,
    /// The cgroup: page cache, tmpfs and kernel memory included, no swap.
    MemoryBytes,
    /// Processes and threads, without our init.
    Processes,
    /// Share of cores.
    Cpus,
    /// Each of stdout and stderr.
    OutputBytes,
    /// One file.
    FileBytes,
    /// The whole work directory.
    DiskBytes,
    /// Open descriptors of one process.
    OpenFiles,
    /// Stack of the main thread.
    StackBytes,
}

impl LimitName {
    /// Every limit, in the order of the contract.
    pub const ALL: [LimitName; 10] = [
        LimitName::CpuTimeMs,
        LimitName::WallTimeMs,
        LimitName::MemoryBytes,
        LimitName::Processes,
        LimitName::Cpus,
        LimitName::OutputBytes,
        LimitName::FileBytes,
        LimitName::DiskBytes,
        LimitName::OpenFiles,
        LimitName::StackBytes,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LimitName::CpuTimeMs => "cpu_time_ms",
            LimitName::WallTimeMs => "wall_time_ms",
            LimitName::MemoryBytes => "memory_bytes",
            LimitName::Processes => "processes",
            LimitName::Cpus => "cpus",
            LimitName::OutputBytes => "output_bytes",
            LimitName::FileBytes => "file_bytes",
            LimitName::DiskBytes => "disk_bytes",
            LimitName::OpenFiles => "open_files",
            LimitName::StackBytes => "stack_bytes",
        }
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The limits that a caller asks for. What is left out, or null, is the language's own; it never means unlimited.
///
/// Deserialising refuses zero, negative and fractional values, so a value that is here is at least 1 (`cpus`: 0.1).
/// Floors of the language and ceilings of the plan are checked by the engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LimitsRequest {
    /// User and system time of all processes and threads together.
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub cpu_time_ms: Option<u64>,
    /// From the program's start to its end.
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub wall_time_ms: Option<u64>,
    /// The cgroup: page cache, tmpfs and kernel memory included, no swap.
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processes and threads, without our init.
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    /// Share of cores, 0.1 and up.
    #[serde(deserialize_with = "cores", skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// Each of stdout and stderr.
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    /// One file.
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<u64>,
    /// The whole work directory; it counts as memory too.
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    /// Open descriptors of one process.
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
    /// Stack of the main thread.
    #[serde(deserialize_with = "whole", skip_serializing_if = "Option::is_none")]
    pub stack_bytes: Option<u64>,
}

impl LimitsRequest {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == LimitsRequest::default()
    }
}

/// A full set of limits: a language's defaults, its floors, or a plan's ceilings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Limits {
    /// User and system time of all processes and threads together.
    pub cpu_time_ms: u64,
    /// From the program's start to its end.
    pub wall_time_ms: u64,
    /// The cgroup: page cache, tmpfs and kernel memory included, no swap.
    pub memory_bytes: u64,
    /// Processes and threads, without our init.
    pub processes: u64,
    /// Share of cores.
    pub cpus: f64,
    /// Each of stdout and stderr.
    pub output_bytes: u64,
    /// One file.
    pub file_bytes: u64,
    /// The whole work directory; it counts as memory too.
    pub disk_bytes: u64,
    /// Open descriptors of one process.
    pub open_files: u64,
    /// Stack of the main thread.
    pub stack_bytes: u64,
}

/// Null or a whole number from 1 up.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    struct Whole;
    impl Visitor<'_> for Whole {
        type Value = Option<u64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number from 1 up, without point or exponent")
        }

        fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
            if value == 0 { Err(too_low(value, 1)) } else { Ok(Some(value)) }
        }

        fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
            u64::try_from(value).map_err(|_| too_low(value, 1)).and_then(|value| self.visit_u64(value))
        }

        /// Fractions and exponents, and whole numbers that no u64 can hold.
        fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
            if value < 0.0 {
                Err(too_low(value, 1))
            } else if value >= TWO_TO_64 {
                Err(above_all(value))
            } else {
                Err(E::invalid_type(Unexpected::Float(value), &self))
            }
        }

        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(Whole)
}

/// Null or a number from 0.1 up.
fn cores<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    struct Cores;
    impl Visitor<'_> for Cores {
        type Value = Option<f64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a number from {CPUS_MIN} up")
        }

        fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
            if value < CPUS_MIN { Err(too_low(value, CPUS_MIN)) } else { Ok(Some(value)) }
        }

        fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
            match u32::try_from(value) {
                Ok(value) => self.visit_f64(value.into()),
                Err(_) => Err(above_all(value)),
            }
        }

        fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
            u64::try_from(value).map_err(|_| too_low(value, CPUS_MIN)).and_then(|value| self.visit_u64(value))
        }

        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(Cores)
}

fn above_all<E: serde::de::Error>(value: impl fmt::Display) -> E {
    coded(
        Code::LimitAboveCeiling,
        format_args!("{value} is asked for, more than any ceiling can be; /v1/languages has the ceilings"),
    )
}

fn too_low<E: serde::de::Error>(value: impl fmt::Display, least: impl fmt::Display) -> E {
    coded(Code::LimitTooLow, format_args!("{value} is asked for, the least is {least}"))
}

#[cfg(test)]
mod tests;
