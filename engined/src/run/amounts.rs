//! Limits on the command line: `memory_bytes=64MiB`, `compile.cpu_time_ms=90s`.

use std::str::FromStr;

use api_spec::LimitName;
use serde_json::{Map, Number, Value};

/// One limit of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// It is the compiler's.
    pub compile: bool,
    /// Which.
    pub name: LimitName,
    /// As the API has it.
    pub amount: Number,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, amount) = text.split_once('=').ok_or("write NAME=AMOUNT, as in memory_bytes=64MiB")?;
        let (compile, name) = name.strip_prefix("compile.").map_or((false, name), |name| (true, name));
        let limit = LimitName::ALL.into_iter().find(|limit| limit.name() == name).ok_or_else(|| {
            let known: Vec<&str> = LimitName::ALL.iter().map(|limit| limit.name()).collect();
            format!("there is no limit {name:?}; there are {}", known.join(", "))
        })?;
        let amount = read(limit, amount).ok_or_else(|| format!("{amount:?} is no amount; {}", wanted(limit)))?;
        Ok(Limit { compile, name: limit, amount })
    }
}

/// What may stand behind a number, and what it is worth.
fn units(limit: LimitName) -> &'static [(&'static str, u64)] {
    let name = limit.name();
    if name.ends_with("_bytes") {
        &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30)]
    } else if name.ends_with("_ms") {
        &[("ms", 1), ("s", 1000)]
    } else {
        &[]
    }
}

fn wanted(limit: LimitName) -> String {
    if limit == LimitName::Cpus {
        return "write a share of cores, as in 0.5".to_owned();
    }
    let names: Vec<&str> =
        units(limit).iter().map(|(name, _)| *name).filter(|name| name.len() != 1 || *name == "s").collect();
    let behind =
        if names.is_empty() { String::new() } else { format!(", with {} behind it or nothing", names.join(" or ")) };
    format!("write a whole number{behind}")
}

fn read(limit: LimitName, text: &str) -> Option<Number> {
    if limit == LimitName::Cpus {
        return text.parse().ok().and_then(Number::from_f64);
    }
    let unit = units(limit).iter().find_map(|(name, worth)| Some((text.strip_suffix(name)?, *worth)));
    let (digits, worth) = unit.unwrap_or((text, 1));
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse::<u64>().ok()?.checked_mul(worth)).flatten().map(Number::from)
}

/// The limits of one step as they stand in a request.
#[must_use]
pub fn of_step(limits: &[Limit], compile: bool) -> Value {
    let of_step = limits.iter().filter(|limit| limit.compile == compile);
    of_step
        .map(|limit| (limit.name.name().to_owned(), Value::Number(limit.amount.clone())))
        .collect::<Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_units() {
        for (text, compile, amount) in [
            ("memory_bytes=64MiB", false, 64.0 * 1_048_576.0),
            ("memory_bytes=1G", false, 1_073_741_824.0),
            ("memory_bytes=4096", false, 4096.0),
            ("compile.wall_time_ms=90s", true, 90_000.0),
            ("cpu_time_ms=250ms", false, 250.0),
            ("processes=8", false, 8.0),
            ("cpus=0.5", false, 0.5),
        ] {
            let limit: Limit = text.parse().unwrap();
            assert_eq!((limit.compile, limit.amount.as_f64()), (compile, Some(amount)), "{text}");
        }
    }

    #[test]
    fn what_is_no_limit_says_what_would_be() {
        let told = |text: &str| text.parse::<Limit>().unwrap_err();
        assert_eq!(told("memory_bytes"), "write NAME=AMOUNT, as in memory_bytes=64MiB");
        assert!(
            told("memory=1")
                .starts_with("there is no limit \"memory\"; there are cpu_time_ms, wall_time_ms, memory_bytes")
        );
        let bytes = "write a whole number, with KiB or MiB or GiB behind it or nothing";
        for bad in ["", "-1", "1.5MiB", "1s", "MiB", "99999999999999999999", "18446744073709551615K"] {
            assert_eq!(told(&format!("file_bytes={bad}")), format!("{bad:?} is no amount; {bytes}"));
        }
        assert_eq!(
            told("cpu_time_ms=1MiB"),
            "\"1MiB\" is no amount; write a whole number, with ms or s behind it or nothing"
        );
        assert_eq!(told("processes=2K"), "\"2K\" is no amount; write a whole number");
        assert_eq!(told("cpus=many"), "\"many\" is no amount; write a share of cores, as in 0.5");
    }

    #[test]
    fn each_step_gets_its_own() {
        let limits = ["memory_bytes=1M".parse().unwrap(), "compile.processes=3".parse().unwrap()];
        assert_eq!(of_step(&limits, false).to_string(), r#"{"memory_bytes":1048576}"#);
        assert_eq!(of_step(&limits, true).to_string(), r#"{"processes":3}"#);
        assert_eq!(of_step(&[], true).to_string(), "{}");
    }
}
