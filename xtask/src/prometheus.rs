//! A real Prometheus scrapes a live engine, and counts what was sent: Debian's package, as it comes. `promtool` reads the
//! metrics first, then the rules of `systemd/prometheus` and their tests.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::build::{self, Programs};
use crate::dashboard;
use crate::engine::{Scratch, free_port};
use crate::http::Client;
use crate::problem::{Context, Problem, Result};
use crate::served::Served;
use crate::tally::Tally;

/// Scrapes come each second; more is only a slow machine.
const PATIENCE: Duration = Duration::from_secs(150);

/// What is run, and what becomes of it: each cause and verdict that is to be had in a moment.
fn runs() -> Vec<(&'static str, Value)> {
    let python = |source: &str| json!({"language": "python", "source": source});
    let limited = |source: &str, limits: Value| json!({"language": "python", "source": source, "limits": limits});
    let mut loud = limited("while True: print('x' * 1000)", json!({"output_bytes": 2000}));
    loud["on_output_limit"] = "kill".into();
    let fork = "import os, time\nfor i in range(20):\n    if os.fork() == 0: time.sleep(1)";
    let batch = json!({"language": "python", "source": "print(1)", "priority": "batch"});
    vec![
        ("ok", python("print(1)")),
        ("ok", batch),
        ("runtime_error", python("raise SystemExit(3)")),
        ("signalled", python("import os\nos.kill(os.getpid(), 11)")),
        ("compile_error", json!({"language": "c", "source": "int main(void) { return nothing; }"})),
        ("cpu_time_limit", limited("while True: pass", json!({"cpu_time_ms": 100}))),
        ("wall_time_limit", limited("import time\ntime.sleep(60)", json!({"wall_time_ms": 300}))),
        ("memory_limit", limited("x = b'x' * (256 << 20)", json!({"memory_bytes": 64 << 20}))),
        ("output_limit", loud),
        ("process_limit", limited(fork, json!({"processes": 8}))),
        ("disk_limit", limited("open('x', 'wb').write(b'x' * (8 << 20))", json!({"disk_bytes": 1 << 20}))),
        ("security_violation", python("import ctypes\nctypes.CDLL(None).ptrace(0, 0, 0, 0)")),
    ]
}

/// What `promtool` reads of systemd/prometheus, and as what.
const FILES: [([&str; 2], &str); 4] = [
    (["check", "config"], "prometheus.yml"),
    (["check", "rules"], "rules.yml"),
    (["test", "rules"], "rules_test.yml"),
    (["test", "rules"], "rules_test_days.yml"),
];

/// Where both programs of the package are.
#[derive(Debug)]
struct Tools {
    prometheus: PathBuf,
    promtool: PathBuf,
}

/// Checks metrics and rules, and has a Prometheus scrape an engine. Where there is none, or nobody who may start the engine
/// as it is in production, this is skipped aloud, and under `CI` an error.
pub fn run(programs: &Programs) -> Result<Tally> {
    let root = nix::unistd::geteuid().is_root();
    let tools = if root { tools() } else { Err(Problem::new("not root", "sudo cargo xtask test --prometheus")) };
    let tools = match tools {
        Ok(tools) => tools,
        Err(problem) if std::env::var_os("CI").is_some_and(|value| !value.is_empty()) => return Err(problem),
        Err(problem) => {
            println!("xtask: skipped: prometheus: {problem}");
            return Ok(Tally::default());
        }
    };
    std::thread::scope(|scope| {
        let rules = scope.spawn(|| rules(&tools.promtool));
        let mut tally = scraped(programs, &tools)?;
        let rules = rules.join().map_err(|_| Problem::new("the check of the rules panicked", "read why above"))?;
        tally.add(rules?);
        Ok(tally)
    })
}

/// Has a Prometheus scrape an engine.
fn scraped(programs: &Programs, tools: &Tools) -> Result<Tally> {
    let mut tally = Tally::default();
    let scrapes = free_port()?;
    let served = Served::measured(programs, scrapes)?;
    let prometheus = Prometheus::start(&tools.prometheus, scrapes)?;
    let sent = send(&served, scrapes, &mut tally)?;
    lint(&tools.promtool, scrapes, &mut tally)?;
    for (what, expression, wanted) in told(&sent) {
        tally.check(&format!("prometheus: {what}"), prometheus.says(&expression, wanted));
    }
    for (title, expression) in dashboard::queries()? {
        tally.check(&format!("prometheus: panel {title}"), prometheus.understands(&expression));
    }
    tally.check("prometheus: ends on SIGTERM", prometheus.stop());
    if !tally.failures().is_empty() {
        println!("xtask: what jaild and engined printed meanwhile:\n{}", served.log());
    }
    tally.check("prometheus: engined and jaild stop on SIGTERM", served.stop());
    Ok(tally)
}

/// Runs everything, and gives the verdicts. One is cancelled, and of one the caller goes away.
fn send(served: &Served, scrapes: u16, tally: &mut Tally) -> Result<Vec<&'static str>> {
    let connect = || Ok(Client::connect(served.port()?)?.with_token(&served.token));
    let mut client = connect()?;
    let mut sent = Vec::new();
    for (verdict, request) in runs() {
        let (status, answer) = client.ask("POST", "/v1/executions", &request.to_string())?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        let as_wanted = status == 200 && answer["verdict"] == verdict;
        let outcome = if as_wanted { Ok(()) } else { Err(format!("{status}: {answer}")) };
        tally.check(&format!("prometheus: a run ends as {verdict}"), outcome);
        sent.push(verdict);
    }
    let limits = json!({"wall_time_ms": 600_000});
    let sleep = json!({"language": "python", "source": "import time\ntime.sleep(600)", "limits": limits}).to_string();
    let (_, begun) = client.ask("POST", "/v1/executions?wait=false", &sleep)?;
    let begun: Value = serde_json::from_slice(&begun).or_problem("the answer is no JSON", "run it again")?;
    let address = format!("/v1/executions/{}", begun["id"].as_str().unwrap_or_default());
    let in_use = |slots: u32| {
        let (_, text) = Client::connect(scrapes)?.ask("GET", "/metrics", "")?;
        let line = format!("engined_slots_in_use {slots}");
        Ok(String::from_utf8_lossy(&text).lines().any(|told| told == line))
    };
    wait_for("a run under way", || in_use(1))?;
    client.ask("DELETE", &address, "")?;
    sent.push("cancelled");
    // Else the next one would be taken for this one.
    wait_for("the end of a run", || in_use(0))?;
    let mut leaving = connect()?;
    leaving.send("POST", "/v1/executions", &sleep)?;
    wait_for("a run under way", || in_use(1))?;
    drop(leaving);
    sent.push("cancelled");
    Ok(sent)
}

/// What Prometheus must say of it.
fn told(sent: &[&str]) -> Vec<(String, String, usize)> {
    let mut told = vec![
        ("the engine is up".to_owned(), "up{job=\"engined\"}".to_owned(), 1),
        ("it has seen every run".to_owned(), "sum(engined_executions_total)".to_owned(), sent.len()),
    ];
    let mut verdicts = sent.to_vec();
    verdicts.dedup();
    for verdict in verdicts {
        let count = sent.iter().filter(|other| **other == verdict).count();
        let expression = format!("sum(engined_executions_total{{verdict=\"{verdict}\",plan=\"default\"}})");
        told.push((format!("verdict {verdict}"), expression, count));
    }
    for cause in ["cpu_time", "wall_time", "memory", "output", "filter", "cancelled", "gone"] {
        let expression = format!("sum(engined_kills_total{{cause=\"{cause}\"}})");
        told.push((format!("killed for {cause}"), expression, 1));
    }
    // Of the one whose caller left nobody knows how long it took, nor whether it was served.
    let answered = sent.len() - 1;
    let total = "sum(engined_stage_duration_seconds_count{stage=\"total\"})".to_owned();
    told.push(("how long all of them took".to_owned(), total, answered));
    let good = "sum(engined_slo_requests_total{slo=\"availability\",outcome=\"good\"})".to_owned();
    told.push(("all were served".to_owned(), good, answered));
    told.push(("what was denied".to_owned(), "sum(engined_filter_notifications_total{call=\"ptrace\"})".to_owned(), 1));
    let evaluated = "sum(prometheus_rule_evaluations_total > bool 0) > bool 0".to_owned();
    told.push(("it evaluates the rules".to_owned(), evaluated, 1));
    let failures = "sum(prometheus_rule_evaluation_failures_total)".to_owned();
    told.push(("none of them fails with what the engine tells".to_owned(), failures, 0));
    told.push(("its version".to_owned(), "count(engined_build_info{version!=\"\"})".to_owned(), 1));
    told
}

fn wait_for(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !holds()? {
        if Instant::now() > deadline {
            return Err(Problem::new(format!("waited in vain for {what}"), "run it again on an idle machine"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// `promtool check metrics` has nothing to say.
fn lint(promtool: &Path, scrapes: u16, tally: &mut Tally) -> Result<()> {
    let mut client = Client::connect(scrapes)?;
    let (status, text) = client.ask("GET", "/metrics", "")?;
    tally.check("prometheus: /metrics is 200", if status == 200 { Ok(()) } else { Err(status.to_string()) });
    let (status, _) = Client::connect(scrapes)?.ask("GET", "/v1/languages", "")?;
    let else_ = if status == 404 { Ok(()) } else { Err(format!("it answered {status}")) };
    tally.check("prometheus: its listener has nothing else", else_);
    let pipe = Stdio::piped;
    let mut command = Command::new(promtool);
    let child = command.args(["check", "metrics"]).stdin(pipe()).stdout(pipe()).stderr(pipe()).spawn();
    let mut child = child.or_problem("promtool did not start", "apt-get install prometheus")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(&text).or_problem("promtool read nothing", "run it again")?;
    }
    let output = child.wait_with_output().or_problem("promtool was lost", "run it again")?;
    let said = [output.stdout, output.stderr].concat();
    let clean = output.status.success() && said.is_empty();
    let outcome = if clean { Ok(()) } else { Err(format!("{}: {}", output.status, String::from_utf8_lossy(&said))) };
    tally.check("prometheus: promtool check metrics", outcome);
    Ok(())
}

/// The rules that ship, and their tests, which take some seconds.
fn rules(promtool: &Path) -> Result<Tally> {
    let (folder, mut tally) = (rules_folder(), Tally::default());
    for (words, name) in FILES {
        // The tests name the rules by their place beside them.
        let output = Command::new(promtool).args(words).arg(name).current_dir(&folder).stdin(Stdio::null()).output();
        let output = output.or_problem("promtool did not start", "apt-get install prometheus")?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let outcome = if output.status.success() { Ok(()) } else { Err(said) };
        tally.check(&format!("promtool {} {name}", words.join(" ")), outcome);
    }
    Ok(tally)
}

fn rules_folder() -> PathBuf {
    build::root().join("systemd/prometheus")
}

/// A Prometheus of ours, with a folder of its own.
struct Prometheus {
    child: Child,
    port: u16,
    scratch: Scratch,
}

impl Prometheus {
    fn start(program: &Path, scrapes: u16) -> Result<Self> {
        let (scratch, port) = (Scratch::new("prometheus")?, free_port()?);
        let file = |name: &str| scratch.path().join(name);
        let rules = rules_folder().join("rules.yml");
        let rules = format!("rule_files: [{:?}]\n", rules.display());
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n{rules}\
             scrape_configs: [{{job_name: engined, static_configs: [{{targets: [\"127.0.0.1:{scrapes}\"]}}]}}, \
             {{job_name: itself, static_configs: [{{targets: [\"127.0.0.1:{port}\"]}}]}}]\n"
        );
        fs::write(file("prometheus.yml"), config).or_problem("no config can be written", "free some disk")?;
        let log = fs::File::create(file("log")).or_problem("no log can be written", "free some disk")?;
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", file("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", file("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=warn");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let child = child.or_problem(format!("{} did not start", program.display()), "apt-get install prometheus")?;
        Ok(Prometheus { child, port, scratch })
    }

    /// Waits until it says so: what was sent is there with the next scrape.
    fn says(&self, expression: &str, wanted: usize) -> std::result::Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.query(expression);
            if said.as_deref() == Ok(&wanted.to_string()) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let log = fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default();
                return Err(format!("{expression} is {said:?}, not {wanted}; Prometheus printed:\n{log}"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Whether it can make something of an expression, be it nothing.
    fn understands(&self, expression: &str) -> std::result::Result<(), String> {
        let answer = self.ask(expression)?;
        if answer["status"] == "success" { Ok(()) } else { Err(format!("{expression}: {answer}")) }
    }

    fn query(&self, expression: &str) -> std::result::Result<String, String> {
        let answer = self.ask(expression)?;
        let value = answer.pointer("/data/result/0/value/1").and_then(Value::as_str);
        value.map(str::to_owned).ok_or_else(|| answer.to_string())
    }

    fn ask(&self, expression: &str) -> std::result::Result<Value, String> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let client = Client::connect(self.port);
        let asked = client.and_then(|mut client| client.ask("GET", &format!("/api/v1/query?query={encoded}"), ""));
        let (_, answer) = asked.map_err(|problem| problem.to_string())?;
        serde_json::from_slice(&answer).map_err(|error| error.to_string())
    }

    fn stop(mut self) -> std::result::Result<(), String> {
        let pid = i32::try_from(self.child.id()).map_err(|error| error.to_string())?;
        kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(|error| error.to_string())?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(status.to_string()),
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(format!("still there after {PATIENCE:?}"))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // One that has ended is waited for already.
        if matches!(self.child.try_wait(), Ok(None))
            && let Err(error) = self.child.kill().and_then(|()| self.child.wait())
        {
            eprintln!("xtask: prometheus (pid {}) is left behind: {error}", self.child.id());
        }
    }
}

/// Those of this machine, else those of Debian's package, unpacked below cargo's target folder: installing it would start a
/// service, and make an account for it.
fn tools() -> Result<Tools> {
    let folder = build::target()?.join("prometheus");
    let places = || [Path::new("/usr/bin").to_owned(), folder.join("usr/bin")];
    let found = || {
        places().into_iter().find_map(|bin| {
            let tools = Tools { prometheus: bin.join("prometheus"), promtool: bin.join("promtool") };
            (tools.prometheus.exists() && tools.promtool.exists()).then_some(tools)
        })
    };
    if let Some(tools) = found() {
        return Ok(tools);
    }
    println!("xtask: the package prometheus, into {}", folder.display());
    fs::create_dir_all(&folder).or_problem(folder.display().to_string(), "make the target folder writable")?;
    step(Command::new("apt-get").args(["update", "-qq"]))?;
    step(Command::new("apt-get").args(["download", "-qq", "prometheus"]).current_dir(&folder))?;
    let files = fs::read_dir(&folder).or_problem(folder.display().to_string(), "make it readable")?;
    for file in files.flatten().map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "deb")) {
        step(Command::new("dpkg-deb").arg("--extract").arg(&file).arg(&folder))?;
        fs::remove_file(&file).or_problem(file.display().to_string(), "make the target folder writable")?;
    }
    found().ok_or_else(|| Problem::new("the package prometheus has other programs", "apt-get install prometheus"))
}

fn step(command: &mut Command) -> Result<()> {
    let line = format!("{command:?}");
    let status = command.stdin(Stdio::null()).status().or_problem(format!("{line} did not start"), "use Debian")?;
    let remedy = "read its message above; or install prometheus and promtool to /usr/bin yourself";
    if status.success() { Ok(()) } else { Err(Problem::new(format!("{line} failed ({status})"), remedy)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_and_cause_is_asked_for() {
        let verdicts: Vec<_> = runs().into_iter().map(|(verdict, _)| verdict).collect();
        let told = told(&verdicts);
        assert_eq!(told[1].2, verdicts.len());
        let ok = told.iter().find(|(what, ..)| what == "verdict ok").unwrap();
        assert_eq!((ok.1.as_str(), ok.2), ("sum(engined_executions_total{verdict=\"ok\",plan=\"default\"})", 2));
        assert_eq!(told.iter().filter(|(what, ..)| what.starts_with("verdict ")).count(), verdicts.len() - 1);
    }
}
