//! What a soak sends: programs of the corpus by header, drawn by a seed, in the manners in which callers call.

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::build;
use crate::problem::{Context, Problem, Result};

/// One run in so many is an attack.
const HOSTILE: u64 = 5;
/// How many of a hundred honest runs are of which language: short ones first.
const SHARES: [(&str, u64); 5] = [("python", 42), ("c", 27), ("javascript", 18), ("cpp", 7), ("java", 6)];
/// A larger request than this is sent less often, by this factor: 10 MB of input take as long as a hundred hellos.
const LARGE: (usize, u64) = (1 << 20, 25);
/// What an attack on time gets: it would use up whatever it had.
const EVASION: (u64, u64) = (200, 400);
/// The same for an attack on the compiler.
const COMPILE: (u64, u64) = (600, 1_000);
/// How much output a result may have that is kept for 15 minutes: a soak looks for what grows.
const KEPT_OUTPUT: u64 = 4096;
/// One that uses more CPU time, or takes longer, is not drawn again; in microseconds.
const SLOW_US: (u64, u64) = (1_500_000, 5_000_000);

/// A small generator of random numbers (splitmix64): the same seed draws the same runs on every machine.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Begins with `seed`.
    pub fn new(seed: u64) -> Self {
        Dice(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `end` - 1; 0 for no numbers at all.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// How a caller calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manner {
    /// POST, and the answer is awaited.
    Waits,
    /// `wait=false`, then GET until it is over, then DELETE, which gives the result once more.
    Polls,
    /// `wait=false`, then DELETE at once or while it runs.
    Cancels,
    /// POST, and the connection is closed without an answer.
    HangsUp,
    /// POST of the first half of a request: a 400.
    Stutters,
}

/// One program as it is sent.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its file, or what it is.
    pub name: String,
    language: String,
    hostile: bool,
    families: Vec<String>,
    exit: Option<i64>,
    signal: Option<String>,
    stdout: Option<String>,
    absent: Vec<String>,
    body: Value,
    bytes: usize,
}

/// One run to be made.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The number of its program.
    pub program: usize,
    /// How it is called.
    pub manner: Manner,
    /// Every file that it leaves is asked for, unless the result is kept.
    pub outputs: bool,
    /// How long a caller that cancels or hangs up waits before.
    pub patience_ms: u64,
}

/// All programs, and which have proved slow.
#[derive(Debug)]
pub struct Mix {
    programs: Vec<Program>,
    slow: BTreeSet<usize>,
    dice: Dice,
}

impl Mix {
    /// Reads the corpus.
    pub fn new(seed: u64) -> Result<Self> {
        let mut command = build::python(build::root().join("corpus/requests.py"));
        let output =
            command.stderr(Stdio::inherit()).output().or_problem("python3 did not start", "cargo xtask setup")?;
        if !output.status.success() {
            return Err(Problem::new(format!("corpus/requests.py: {}", output.status), "read its message above"));
        }
        let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut programs = lines.map(Program::read).collect::<Result<Vec<Program>>>()?;
        programs.extend(broken());
        Ok(Mix { programs, slow: BTreeSet::new(), dice: Dice::new(seed) })
    }

    /// The next run.
    pub fn draw(&mut self) -> Call {
        let hostile = self.dice.one_in(HOSTILE);
        let language = self.language();
        let fits = |(_, p): &(usize, &Program)| p.hostile == hostile && (hostile || p.language == language);
        let fitting: Vec<usize> = self.programs.iter().enumerate().filter(fits).map(|(number, _)| number).collect();
        let quick: Vec<usize> = fitting.iter().copied().filter(|number| !self.slow.contains(number)).collect();
        let among = if quick.is_empty() { fitting } else { quick };
        let program = loop {
            let number = among[usize::try_from(self.dice.below(among.len() as u64)).unwrap_or(0)];
            if self.programs[number].bytes <= LARGE.0 || self.dice.one_in(LARGE.1) {
                break number;
            }
        };
        let (polls, cancels, hangs_up) = if hostile { (0, 4, 4) } else { (8, 4, 4) };
        let manner = match self.dice.below(100) {
            n if n < polls && self.programs[program].is_small() => Manner::Polls,
            n if (8..8 + cancels).contains(&n) => Manner::Cancels,
            n if (12..12 + hangs_up).contains(&n) => Manner::HangsUp,
            16 | 17 => Manner::Stutters,
            _ => Manner::Waits,
        };
        Call { program, manner, outputs: self.dice.one_in(6), patience_ms: self.dice.below(250) }
    }

    fn language(&mut self) -> &'static str {
        let mut ticket = self.dice.below(SHARES.iter().map(|(_, share)| share).sum());
        for (language, share) in SHARES {
            if ticket < share {
                return language;
            }
            ticket -= share;
        }
        SHARES[0].0
    }

    /// The program of a call.
    pub fn program(&self, call: &Call) -> &Program {
        &self.programs[call.program]
    }

    /// What was measured of a call; a slow program is not drawn again.
    pub fn took(&mut self, call: &Call, cpu_us: u64, took_us: u64) {
        if cpu_us > SLOW_US.0 || took_us > SLOW_US.1 {
            self.slow.insert(call.program);
        }
    }

    /// The programs that were too slow.
    pub fn slow(&self) -> Vec<&str> {
        self.slow.iter().map(|number| self.programs[*number].name.as_str()).collect()
    }
}

impl Program {
    fn read(line: &[u8]) -> Result<Self> {
        let unfit = "read corpus/requests.py";
        let mut row: Value = serde_json::from_slice(line).or_problem("corpus/requests.py printed no JSON", unfit)?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts =
            |value: &Value| value.as_array().map(|all| all.iter().filter_map(text).collect()).unwrap_or_default();
        let mut program = Program {
            name: text(&row["name"]).or_else(|| text(&row["language"])).unwrap_or_default(),
            language: text(&row["language"]).unwrap_or_default(),
            hostile: row["hostile"] == true,
            families: texts(&row["families"]),
            exit: row["exit"].as_i64(),
            signal: text(&row["signal"]),
            stdout: text(&row["stdout"]),
            absent: texts(&row["absent"]),
            body: row["request"].take(),
            bytes: line.len(),
        };
        program.tighten();
        Ok(program)
    }

    /// An attack that uses up what it is given is given little: what it leaves behind is the question here.
    fn tighten(&mut self) {
        let least = |limits: &mut Value, (cpu, wall): (u64, u64)| {
            for (name, most) in [("cpu_time_ms", cpu), ("wall_time_ms", wall)] {
                limits[name] = json!(limits[name].as_u64().map_or(most, |had| had.min(most)));
            }
        };
        let allows = |family: &str| self.families.iter().any(|allowed| allowed == family);
        if self.hostile && allows("TLE") {
            least(&mut self.body["limits"], EVASION);
        }
        if self.hostile && self.families == ["CE"] {
            least(&mut self.body["compile_limits"], COMPILE);
        }
    }

    fn is_small(&self) -> bool {
        self.stdout.as_ref().is_some_and(|text| text.len() < 1024)
    }

    /// The body of its POST.
    pub fn body(&self, call: &Call) -> String {
        let mut body = self.body.clone();
        if matches!(call.manner, Manner::Polls | Manner::Cancels) {
            body["limits"]["output_bytes"] = json!(KEPT_OUTPUT);
        } else if call.outputs {
            body["outputs"] = json!(["**"]);
        }
        body.to_string()
    }

    /// What is wrong with an answer.
    pub fn complaint(&self, answer: &Value, may_be_cancelled: bool) -> Option<String> {
        let verdict = answer["verdict"].as_str().unwrap_or("none");
        if verdict == "cancelled" && may_be_cancelled {
            return None;
        }
        let family = family(verdict);
        if !self.families.iter().any(|allowed| allowed == family) {
            return Some(format!("verdict {verdict}, allowed {:?}: {}", self.families, answer["reason"]));
        }
        let run = &answer["run"];
        if self.exit.is_some_and(|exit| run["exit_code"] != exit) {
            return Some(format!("exit code {}, not {:?}", run["exit_code"], self.exit));
        }
        if self.signal.as_ref().is_some_and(|signal| run["signal"] != **signal) {
            return Some(format!("signal {}, not {:?}", run["signal"], self.signal));
        }
        let stdout = run["stdout"]["text"].as_str().unwrap_or_default();
        if self.stdout.as_ref().is_some_and(|text| stdout.trim_end_matches('\n') != text.as_str()) {
            return Some(format!("stdout {stdout:.200?}, not {:.200?}", self.stdout));
        }
        let found = self.absent.iter().flat_map(|pattern| pattern.split('|')).find(|word| stdout.contains(word));
        found.map(|word| format!("stdout has {word}: {stdout:.200?}"))
    }
}

/// As in `corpus/over_http.py`.
pub fn family(verdict: &str) -> &str {
    match verdict {
        "ok" => "OK",
        "runtime_error" | "signalled" | "security_violation" | "process_limit" | "disk_limit" => "RTE",
        "cpu_time_limit" | "wall_time_limit" => "TLE",
        "memory_limit" => "MLE",
        "output_limit" => "OLE",
        "compile_error" => "CE",
        other => other,
    }
}

/// Programs that do not compile, several times over: the corpus has attacks on compilers, but hardly a mere mistake.
fn broken() -> Vec<Program> {
    let sources = [
        ("c", "int main(void) { return nowhere; }\n"),
        ("cpp", "int main() { return std::nothing(1); }\n"),
        ("java", "public class Main { public static void main(String[] a) { int x = y; } }\n"),
    ];
    let program = |(language, source): (&str, &str)| Program {
        name: format!("a mistake in {language}"),
        language: language.to_owned(),
        hostile: false,
        families: vec!["CE".to_owned()],
        exit: None,
        signal: None,
        stdout: None,
        absent: Vec::new(),
        body: json!({"language": language, "source": source}),
        bytes: source.len(),
    };
    sources.into_iter().flat_map(|source| std::iter::repeat_n(program(source), 6)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_is_hostile_and_every_manner_and_language_is_there() {
        let mut mix = Mix::new(1).unwrap();
        let calls: Vec<Call> = (0..4000).map(|_| mix.draw()).collect();
        let share = |what: &dyn Fn(&Call) -> bool| calls.iter().filter(|call| what(call)).count();
        assert!((700..900).contains(&share(&|call| mix.program(call).hostile)));
        for manner in [Manner::Polls, Manner::Cancels, Manner::HangsUp, Manner::Stutters] {
            assert!(share(&|call| call.manner == manner) > 40, "{manner:?}");
        }
        for (language, _) in SHARES {
            assert!(share(&|call| mix.program(call).language == language) > 180, "{language}");
        }
        assert!(share(&|call| call.outputs) > 500);
        assert!(share(&|call| mix.program(call).families == ["CE"]) > 50);
        let mut again = Mix::new(1).unwrap();
        assert!(calls.iter().all(|call| again.draw().program == call.program), "the seed decides");
    }

    #[test]
    fn what_is_slow_is_not_drawn_again() {
        let mut mix = Mix::new(2).unwrap();
        let call = mix.draw();
        mix.took(&call, SLOW_US.0, SLOW_US.1);
        assert!(mix.slow().is_empty());
        mix.took(&call, 0, SLOW_US.1 + 1);
        assert_eq!(mix.slow(), [mix.program(&call).name.as_str()]);
        assert!((0..2000).all(|_| mix.draw().program != call.program));
    }

    #[test]
    fn answers_are_judged() {
        let honest = json!({"name": "a.py", "hostile": false, "language": "python", "families": ["RTE"], "exit": 3,
            "signal": null, "stdout": "x", "absent": [], "request": {}});
        let program = Program::read(honest.to_string().as_bytes()).unwrap();
        let answer = |verdict: &str, code: i64, text: &str| json!({"verdict": verdict, "run": {"exit_code": code, "stdout": {"text": text}}});
        assert_eq!(program.complaint(&answer("runtime_error", 3, "x\n"), false), None);
        assert_eq!(program.complaint(&answer("cancelled", 0, ""), true), None);
        for wrong in [
            answer("ok", 3, "x"),
            answer("runtime_error", 4, "x"),
            answer("runtime_error", 3, "y"),
            answer("cancelled", 3, "x"),
            answer("engine_error", 3, "x"),
        ] {
            assert!(program.complaint(&wrong, false).is_some(), "{wrong}");
        }
        let spin = json!({"name": "s.c", "hostile": true, "language": "c", "families": ["TLE"], "absent": ["ESCAPED"],
            "request": {"limits": {"cpu_time_ms": 1000}}});
        let program = Program::read(spin.to_string().as_bytes()).unwrap();
        assert_eq!(program.body["limits"], json!({"cpu_time_ms": EVASION.0, "wall_time_ms": EVASION.1}));
        assert!(program.complaint(&answer("cpu_time_limit", 0, "ESCAPED: x"), false).is_some());
    }
}
