//! The three books: what callers were answered, the audit lines, `/v1/usage`; and whether they are equal.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::http::Client;
use crate::problem::{Context, Problem, Result};
use crate::tally::Tally;

const REMEDY: &str = "read engined/src/audit and engined/src/usage";
/// What an execution is charged for.
const CHARGED: [&str; 4] = ["cpu_time_us", "compile_cpu_time_us", "memory_kib_ms", "output_bytes"];
/// More differences than this are counted, not told.
const TOLD: usize = 5;

/// What an answer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    tenant: String,
    id: String,
    language: String,
    verdict: String,
    /// Of the run, then of the compile unless it was done before.
    cpu_us: [u64; 2],
}

impl Answered {
    /// Reads a result.
    pub fn read(tenant: &str, result: &Value) -> Result<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let cpu = |step: &Value| step["usage"]["cpu_time_us"].as_u64().unwrap_or(0);
        let compile = if result["compile"]["cached"] == true { 0 } else { cpu(&result["compile"]) };
        let read = || {
            Some(Answered {
                tenant: tenant.to_owned(),
                id: text(&result["id"])?,
                language: text(&result["language"]["id"])?,
                verdict: text(&result["verdict"])?,
                cpu_us: [cpu(&result["run"]), compile],
            })
        };
        read().ok_or_else(|| Problem::new(format!("an answer is no result: {result:.300}"), REMEDY))
    }
}

/// What the callers know.
#[derive(Debug, Default)]
pub struct Books {
    answered: HashMap<String, Answered>,
    /// Nobody waited for the answer, by request id, and whose it was.
    left: HashMap<String, String>,
    /// It was accepted (202), and its result was not fetched: whose it was, and its id.
    accepted: HashMap<String, [String; 2]>,
}

/// One line of the audit that tells of an execution.
#[derive(Clone, Debug)]
pub struct Line {
    request: String,
    day: String,
    told: Answered,
    charged: [u64; CHARGED.len()],
    /// It was ended at the deadline of a drain.
    cut: bool,
}

/// What `/v1/usage` and sums over audit lines have alike, by tenant, day and language.
type Sums = BTreeMap<[String; 3], Sum>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sum {
    executions: u64,
    verdicts: BTreeMap<String, u64>,
    charged: [u64; CHARGED.len()],
}

/// All audit lines, in their order.
#[derive(Debug)]
pub struct Audit {
    lines: Vec<Line>,
    /// What its numbers say is missing or there twice.
    gaps: Vec<String>,
    files: usize,
}

/// What `/v1/usage` answers, for all tenants and days.
#[derive(Debug)]
pub struct Usage(Sums);

impl Books {
    /// An attempt was answered.
    pub fn answer(&mut self, request: String, answered: Answered) {
        self.answered.insert(request, answered);
    }

    /// Nobody waited for an attempt.
    pub fn leave(&mut self, request: String, tenant: &str) {
        self.left.insert(request, tenant.to_owned());
    }

    /// An attempt was accepted under `id`, and its result was not fetched.
    pub fn accept(&mut self, request: String, tenant: &str, id: &str) {
        self.accepted.insert(request, [tenant.to_owned(), id.to_owned()]);
    }

    /// How many were accepted and not fetched.
    pub fn accepted(&self) -> usize {
        self.accepted.len()
    }

    /// How many were answered.
    pub fn answered(&self) -> usize {
        self.answered.len()
    }

    /// For how many nobody waited.
    pub fn left(&self) -> usize {
        self.left.len()
    }

    /// Whether all three are equal.
    pub fn compare(&self, audit: &Audit, usage: &Usage, tally: &mut Tally) {
        let (mut told, mut wrong) = (HashSet::new(), Vec::new());
        for line in &audit.lines {
            if !told.insert(&line.request) {
                wrong.push(format!("{} has two lines", line.request));
            }
            wrong.extend(self.differs(line));
        }
        let silent = self.answered.keys().filter(|request| !told.contains(request));
        wrong.extend(silent.map(|request| format!("{request} was answered and has no line")));
        let silent = self.accepted.keys().filter(|request| !told.contains(request));
        wrong.extend(silent.map(|request| format!("{request} was accepted and has no line")));
        wrong.extend(audit.gaps.iter().cloned());
        println!(
            "xtask: mixed: {} audit lines of executions in {} files, {} of {} attempts that nobody waited for among them",
            audit.lines.len(),
            audit.files,
            audit.lines.iter().filter(|line| self.left.contains_key(&line.request)).count(),
            self.left.len(),
        );
        tally.check("mixed: audit lines are what callers were answered", outcome(&wrong));

        let sums = audit.sums();
        let keys = sums.keys().chain(usage.0.keys()).collect::<HashSet<_>>();
        let differs = |key: &&[String; 3]| sums.get(*key) != usage.0.get(*key);
        let apart: Vec<String> = keys
            .into_iter()
            .filter(differs)
            .map(|key| format!("{key:?}: audit {:?}, usage {:?}", sums.get(key), usage.0.get(key)))
            .collect();
        for (key, sum) in &sums {
            println!("xtask: mixed: {}: {} executions, {:?}", key.join(" "), sum.executions, sum.charged);
        }
        tally.check("mixed: usage is the sum of the audit lines", outcome(&apart));
    }

    /// In what a line is not what its caller knows.
    fn differs(&self, line: &Line) -> Option<String> {
        let Line { request, told, cut, .. } = line;
        if let Some(answered) = self.answered.get(request) {
            // What was ended at a deadline was told before it was known what it had used.
            let used = if *cut { told.cpu_us } else { answered.cpu_us };
            let same = Answered { cpu_us: used, ..answered.clone() } == *told;
            return (!same).then(|| format!("{request}: answered {answered:?}, audit {told:?}"));
        }
        if let Some([tenant, id]) = self.accepted.get(request) {
            let same = *tenant == told.tenant && *id == told.id;
            return (!same).then(|| format!("{request}: accepted from {tenant} as {id}, audit {told:?}"));
        }
        match self.left.get(request) {
            Some(tenant) if *tenant == told.tenant => None,
            Some(tenant) => Some(format!("{request}: of {tenant}, audit {told:?}")),
            // Its caller was told to come again, after a part of it was run.
            None if *cut => None,
            None => Some(format!("{request} was not answered, and was run: {told:?}")),
        }
    }
}

fn outcome(wrong: &[String]) -> std::result::Result<(), String> {
    let told = wrong.iter().take(TOLD).cloned().collect::<Vec<_>>().join("; ");
    if wrong.is_empty() { Ok(()) } else { Err(format!("{} differ: {told}", wrong.len())) }
}

impl Audit {
    /// Whether they say the same.
    pub fn agrees(&self, usage: &Usage) -> bool {
        self.sums() == usage.0
    }

    fn sums(&self) -> Sums {
        let mut sums = Sums::new();
        for line in &self.lines {
            let key = [line.told.tenant.clone(), line.day.clone(), line.told.language.clone()];
            let sum = sums.entry(key).or_default();
            sum.executions += 1;
            *sum.verdicts.entry(line.told.verdict.clone()).or_default() += 1;
            sum.charged.iter_mut().zip(line.charged).for_each(|(sum, more)| *sum += more);
        }
        sums
    }
}

/// Asks for everything.
pub fn usage(port: u16, token: &str) -> Result<Usage> {
    let path = "/v1/usage?from=2000-01-01&to=2100-01-01";
    let (status, body) = Client::connect(port)?.with_token(token).ask("GET", path, "")?;
    let answer: Value = serde_json::from_slice(&body).or_problem("/v1/usage is no JSON", REMEDY)?;
    if status != 200 || answer["durable"] != true || answer["behind_records"] != 0 {
        return Err(Problem::new(format!("GET {path}: {status} {answer:.300}"), REMEDY));
    }
    let row = |row: &Value| {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        let mut charged = [0; CHARGED.len()];
        for (number, name) in charged.iter_mut().zip(CHARGED) {
            *number = row[name].as_u64()?;
        }
        let verdicts = row["verdicts"].as_object()?.iter().map(|(name, n)| Some((name.clone(), n.as_u64()?)));
        let sum = Sum { executions: row["executions"].as_u64()?, verdicts: verdicts.collect::<Option<_>>()?, charged };
        Some(([text("tenant")?, text("day")?, text("language")?], sum))
    };
    let rows = answer["usage"].as_array().map(|rows| rows.iter().map(row).collect::<Option<Sums>>());
    let rows = rows.flatten().ok_or_else(|| Problem::new(format!("/v1/usage: {answer:.300}"), REMEDY))?;
    Ok(Usage(rows))
}

/// Reads `audit.jsonl`, and the files before it, the oldest first.
pub fn audit(state: &Path) -> Result<Audit> {
    let current = state.join("audit.jsonl");
    let aside = |number: usize| PathBuf::from(format!("{}.{number}", current.display()));
    let mut files: Vec<PathBuf> = (1..).map(aside).take_while(|file| file.exists()).collect();
    files.reverse();
    files.push(current);
    let mut audit = Audit { lines: Vec::new(), gaps: Vec::new(), files: files.len() };
    let mut last = None;
    for file in &files {
        let text = fs::read_to_string(file).or_problem(file.display().to_string(), "run this as root")?;
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).or_problem(format!("no audit line: {line:.300}"), REMEDY)?;
            let seq = value["seq"].as_u64();
            if seq.zip(last).is_some_and(|(seq, last): (u64, u64)| seq != last + 1) || seq.is_none() {
                audit.gaps.push(format!("line {seq:?} follows line {last:?}"));
            }
            last = seq;
            if value["act"] == "execution" {
                audit.lines.push(read(&value)?);
            }
        }
    }
    Ok(audit)
}

fn read(line: &Value) -> Result<Line> {
    let text = |name: &str| line[name].as_str().map(str::to_owned);
    let read = || {
        let mut charged = [0; CHARGED.len()];
        for (number, name) in charged.iter_mut().zip(CHARGED) {
            *number = line["charged"][name].as_u64()?;
        }
        let told = Answered {
            tenant: text("tenant")?,
            id: text("id")?,
            language: text("language")?,
            verdict: text("verdict")?,
            cpu_us: [charged[0], charged[1]],
        };
        let (day, cut) = (text("time")?.get(..10)?.to_owned(), line["cut"] == true);
        Some(Line { request: text("request_id")?, day, told, charged, cut })
    };
    read().ok_or_else(|| Problem::new(format!("an audit line lacks something: {line:.500}"), REMEDY))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(request: &str, id: &str, cpu: u64) -> Value {
        json!({"seq": 1, "time": "2026-11-26T07:00:00.000001Z", "act": "execution", "request_id": request, "id": id,
               "tenant": "a", "language": "c", "verdict": "ok",
               "charged": {"cpu_time_us": cpu, "compile_cpu_time_us": 2, "memory_kib_ms": 3, "output_bytes": 4}})
    }

    fn result(id: &str, cpu: u64) -> Value {
        json!({"id": id, "language": {"id": "c"}, "verdict": "ok", "run": {"usage": {"cpu_time_us": cpu}},
               "compile": {"cached": false, "usage": {"cpu_time_us": 2}}})
    }

    fn failures(lines: &[Value], change: impl Fn(&mut Books, &mut Usage)) -> Vec<String> {
        let lines = lines.iter().map(|line| read(line).unwrap()).collect();
        let audit = Audit { lines, gaps: Vec::new(), files: 1 };
        let mut usage = Usage(audit.sums());
        let mut books = Books::default();
        books.answer("r1".to_owned(), Answered::read("a", &result("e1", 9)).unwrap());
        books.leave("r2".to_owned(), "a");
        change(&mut books, &mut usage);
        let mut tally = Tally::default();
        books.compare(&audit, &usage, &mut tally);
        tally.failures().to_vec()
    }

    #[test]
    fn equal_books_pass_and_each_difference_is_told() {
        let good = [line("r1", "e1", 9), line("r2", "e2", 7)];
        assert!(failures(&good, |_, _| ()).is_empty());
        assert!(failures(&good[..1], |_, _| ()).is_empty(), "who left may have been forgotten before the queue");
        let told = |lines: &[Value], words: &str| {
            let told = failures(lines, |_, _| ());
            assert!(told.len() == 1 && told[0].contains(words), "{told:?}");
        };
        told(&good[1..], "r1 was answered and has no line");
        told(&[line("r1", "e1", 9), line("r1", "e3", 9)], "r1 has two lines");
        told(&[line("r1", "e1", 8)], "answered");
        told(&[line("r1", "e1", 9), line("r3", "e4", 1)], "was not answered, and was run");
        let cut = |mut line: Value| {
            line["cut"] = true.into();
            line
        };
        assert!(failures(&[cut(line("r1", "e1", 8)), cut(line("r3", "e4", 1))], |_, _| ()).is_empty());
        let usage = failures(&good, |_, usage| usage.0.values_mut().for_each(|sum| sum.charged[3] += 1));
        assert!(usage.len() == 1 && usage[0].contains("usage is the sum"), "{usage:?}");
    }

    #[test]
    fn what_was_accepted_has_its_one_line() {
        let accepted = |lines: &[Value]| failures(lines, |books, _| books.accept("r5".to_owned(), "a", "e5"));
        let (first, good) = (line("r1", "e1", 9), line("r5", "e5", 3));
        assert!(accepted(&[first.clone(), good.clone()]).is_empty());
        for (lines, words) in [
            (vec![first.clone()], "r5 was accepted and has no line"),
            (vec![first.clone(), line("r5", "e6", 3)], "r5: accepted from a as e5"),
            (vec![first, good.clone(), good], "r5 has two lines"),
        ] {
            let told = accepted(&lines);
            assert!(told.len() == 1 && told[0].contains(words), "{told:?}");
        }
    }
}
