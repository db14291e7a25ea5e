//! `pin` in `jaild.toml`: which CPUs runs get to themselves, and what follows from it for slots and ceiling.

use jail::cores::{CorePlan, Cpus, one_of_each_core, siblings};
use toml::Value;

use super::config::Config;

/// What the operator wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// The kernel's scheduler places runs.
    Off,
    /// A run has a core: one thread of it, the others are left idle.
    Cores,
    /// A run has a hardware thread: on machines with SMT its sibling may be another run's.
    Threads,
    /// A run has one of these sets.
    Sets(Vec<Cpus>),
}

/// Which of the settings that pinning has a say in stand in the file.
pub struct Stated {
    pub slots: bool,
    pub cpus: bool,
}

impl Pin {
    /// Reads the setting.
    pub fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(word) => match word.as_str() {
                "off" => Some(Pin::Off),
                "cores" => Some(Pin::Cores),
                "threads" => Some(Pin::Threads),
                _ => None,
            },
            Value::Array(sets) if !sets.is_empty() => {
                let read = |set: &Value| set.as_str().and_then(Cpus::parse);
                sets.iter().map(read).collect::<Option<Vec<Cpus>>>().map(Pin::Sets)
            }
            _ => None,
        }
    }

    /// Works it out for this machine. Every mistake.
    pub fn apply(&self, config: &mut Config, stated: &Stated) -> Vec<String> {
        if *self == Pin::Off {
            return Vec::new();
        }
        match Cpus::allowed() {
            Ok(allowed) => self.apply_to(allowed, siblings, config, stated),
            Err(e) => vec![e.to_string()],
        }
    }

    fn apply_to(
        &self,
        allowed: &Cpus,
        siblings: impl Fn(usize) -> Cpus,
        config: &mut Config,
        stated: &Stated,
    ) -> Vec<String> {
        let mut mistakes = Vec::new();
        let (shown, mut sets) = match self {
            Pin::Off => return mistakes,
            Pin::Cores => ("\"cores\"".to_owned(), one_of_each_core(allowed, &siblings)),
            Pin::Threads => ("\"threads\"".to_owned(), allowed.iter().map(|cpu| [cpu].into_iter().collect()).collect()),
            Pin::Sets(sets) => (format!("{:?}", sets.iter().map(Cpus::to_string).collect::<Vec<_>>()), sets.clone()),
        };
        for (at, set) in sets.iter().enumerate() {
            let foreign = set.without(allowed);
            if !foreign.is_empty() {
                mistakes.push(format!(
                    "pin = {shown}: CPU {foreign} is not jaild's to use, those are {allowed}: name others, or give it more \
                     (AllowedCPUs=, CPUAffinity=)"
                ));
            }
            if let Some(other) = sets[..at].iter().find(|other| set.without(other) != *set) {
                mistakes.push(format!("pin = {shown}: {other} and {set} share a CPU: name each once"));
            }
        }
        let many = narrow(sets.len());
        if !stated.slots {
            config.slots = many;
        } else if config.slots > many {
            mistakes.push(format!(
                "slots = {}: pin = {shown} has CPUs for {many} runs at once; jaild may use {allowed}: write slots = {many}, \
                 or pin = \"off\"",
                config.slots
            ));
        } else if !matches!(self, Pin::Sets(_)) {
            // The first CPUs are where most interrupts and other services are: they are what is left over.
            sets.drain(..sets.len() - config.slots as usize);
        }
        let plan = CorePlan::new(sets, allowed, siblings);
        let most = narrow(plan.least()).saturating_mul(1000);
        if !stated.cpus {
            config.ceiling.cpus_milli = config.ceiling.cpus_milli.min(most);
        } else if config.ceiling.cpus_milli > most {
            mistakes.push(format!(
                "ceiling.cpus = {}: pin = {shown} gives a run {} CPU: lower it, or pin runs to larger sets",
                f64::from(config.ceiling.cpus_milli) / 1000.0,
                plan.least()
            ));
        }
        config.cores = Some(plan);
        mistakes
    }
}

/// A number of CPUs or sets, which are thousands at most.
pub fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Stated = Stated { slots: false, cpus: false };

    fn cpus(text: &str) -> Cpus {
        Cpus::parse(text).unwrap()
    }

    fn read(text: &str) -> Option<Pin> {
        let table: toml::Table = format!("pin = {text}").parse().unwrap();
        Pin::read(&table["pin"])
    }

    /// Eight threads of four cores.
    fn apply(pin: &str, slots: Option<u32>, cpus_milli: Option<u32>) -> Result<Config, Vec<String>> {
        let pairs = |cpu: usize| [cpu % 4, cpu % 4 + 4].into_iter().collect();
        let mut config = Config::default();
        (config.slots, config.ceiling.cpus_milli) = (slots.unwrap_or(8), cpus_milli.unwrap_or(8000));
        let stated = Stated { slots: slots.is_some(), cpus: cpus_milli.is_some() };
        let mistakes = read(pin).unwrap().apply_to(&cpus("0-7"), pairs, &mut config, &stated);
        if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
    }

    fn plan(config: &Config) -> (Vec<String>, String) {
        let plan = config.cores.as_ref().unwrap();
        (plan.sets.iter().map(ToString::to_string).collect(), plan.rest.to_string())
    }

    #[test]
    fn words_and_lists_are_read() {
        assert_eq!(read("\"off\""), Some(Pin::Off));
        assert_eq!(read("[\"1\", \"4-5\"]"), Some(Pin::Sets(vec![cpus("1"), cpus("4-5")])));
        for wrong in ["\"all\"", "true", "1", "[]", "[1]", "[\"x\"]", "[\"\"]"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn off_changes_nothing() {
        let mut config = Config::default();
        assert_eq!(Pin::Off.apply(&mut config, &NOTHING), Vec::<String>::new());
        assert_eq!(config, Config::default());
    }

    #[test]
    fn slots_and_ceiling_follow_from_the_cpus() {
        let config = apply("\"cores\"", None, None).unwrap();
        assert_eq!((config.slots, config.ceiling.cpus_milli), (4, 1000));
        assert_eq!(plan(&config).0, ["0", "1", "2", "3"]);
        let config = apply("\"threads\"", None, None).unwrap();
        assert_eq!((config.slots, plan(&config).0.len()), (8, 8));
        let config = apply("[\"2,6\", \"3,7\"]", None, Some(1500)).unwrap();
        assert_eq!((config.slots, config.ceiling.cpus_milli), (2, 1500));
        assert_eq!(plan(&config).1, "0-1,4-5");
    }

    #[test]
    fn the_first_cores_are_left_to_the_engine() {
        let config = apply("\"cores\"", Some(3), None).unwrap();
        assert_eq!(plan(&config), (["1", "2", "3"].map(str::to_owned).to_vec(), "0,4".to_owned()));
        let config = apply("[\"5\"]", Some(1), None).unwrap();
        assert_eq!(plan(&config), (vec!["5".to_owned()], "0,2-4,6-7".to_owned()));
    }

    #[test]
    fn every_mistake_names_what_does_not_fit() {
        let mistakes = apply("\"cores\"", Some(5), Some(2000)).unwrap_err();
        assert_eq!(
            mistakes,
            [
                "slots = 5: pin = \"cores\" has CPUs for 4 runs at once; jaild may use 0-7: write slots = 4, or pin = \"off\"",
                "ceiling.cpus = 2: pin = \"cores\" gives a run 1 CPU: lower it, or pin runs to larger sets",
            ]
        );
        let mistakes = apply("[\"1-2\", \"2\", \"9\"]", None, None).unwrap_err();
        assert_eq!(
            mistakes,
            [
                "pin = [\"1-2\", \"2\", \"9\"]: 1-2 and 2 share a CPU: name each once",
                "pin = [\"1-2\", \"2\", \"9\"]: CPU 9 is not jaild's to use, those are 0-7: name others, or give it more \
                 (AllowedCPUs=, CPUAffinity=)",
            ]
        );
    }
}
