//! Whether what callers entrust to the engine stays where it belongs: tokens, sources, input and environment must stand in
//! no log at its most talkative, no metric, no problem, no audit line, no counter, and on no process's command line.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::build::Programs;
use crate::http::Client;
use crate::memory;
use crate::problem::{Context, Problem, Result};
use crate::served::{Served, Wish, new_token};
use crate::tally::Tally;

const WRONG_TOKEN: &str = "engined_canary-wrong-token-7391";
const SOURCE: &str = "canary-source-7391";
const INPUT: &str = "canary-input-7391";
const ENVIRONMENT: &str = "canary-environment-7391";
const OUTPUT: &str = "canary-output-7391";
/// So often programs are looked at from outside until two were seen: on a busy machine one may be over before a look.
const LOOKS: u32 = 10;
/// A configuration is read again within.
const READ_WITHIN: Duration = Duration::from_secs(150);

/// Starts an engine that logs everything, sends it secrets in every way in which they can go astray, and searches.
pub fn run(programs: &Programs) -> Result<Tally> {
    let (token, line) = new_token(programs)?;
    let sections = format!("[log]\nlevel = \"trace\"\nformat = \"json\"\n[tenants.a]\nadmin = true\n{line}\n");
    let mut served = Served::start_by(programs, &Wish { sections: &sections, ..Wish::default() })?;
    let secrets = [token.as_str(), WRONG_TOKEN, SOURCE, INPUT, ENVIRONMENT, OUTPUT];
    let mut tally = Tally::default();
    let port = served.port()?;

    let problems = astray(port, &token)?;
    check(&mut tally, "problems", &secrets, &problems);
    let seen = command_lines(&served, port, &token)?;
    check(&mut tally, "command lines", &secrets, &seen);
    let mut client = Client::connect(port)?.with_token(&token);
    for path in ["/metrics", "/v1/usage?from=2000-01-01&to=2100-01-01", "/v1/isolation", "/readyz"] {
        // Where a disk or jaild is busy it is to be asked again.
        let until = Instant::now() + READ_WITHIN;
        let (status, body) = loop {
            let (status, body) = client.ask("GET", path, "")?;
            if status != 503 || Instant::now() > until {
                break (status, body);
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        tally.check(&format!("secrets: GET {path}"), if status == 200 { Ok(()) } else { Err(status.to_string()) });
        check(&mut tally, path, &secrets, &String::from_utf8_lossy(&body));
    }
    let told = pasted(&served, &token, &sections)?;
    tally.check("secrets: a token in the place of its hash is refused", told);
    // What is for people to read has lines of its own.
    served.configure(&sections.replace("json", "human"))?;
    served.restart()?;
    check(&mut tally, "problems for people", &secrets, &astray(port, &token)?);
    let told = pasted(&served, &token, &sections)?;
    tally.check("secrets: it is refused for people", told);
    // What it keeps is written behind the answers: whole once it has ended.
    tally.check("secrets: both stop on SIGTERM", served.end());
    let log = served.log();
    check(&mut tally, "what it keeps", &secrets, &files(&served.state())?);
    check(&mut tally, "its log", &secrets, &log);
    let told = log.contains("\"TRACE\"") || log.contains("\"DEBUG\"");
    tally.check("secrets: the log was talkative", if told { Ok(()) } else { Err("it was not".to_owned()) });
    Ok(tally)
}

/// Has configurations read in which the token itself stands where its hash belongs; and then the right one again.
fn pasted(served: &Served, token: &str, right: &str) -> Result<std::result::Result<(), String>> {
    const REFUSED: &str = "configuration not taken";
    const TAKEN: &str = "configuration read again";
    let read = |sections: &str, words: &str| -> Result<bool> {
        let count = || served.log().matches(words).count();
        let before = count();
        served.configure(sections)?;
        served.signal(Signal::SIGHUP)?;
        let until = Instant::now() + READ_WITHIN;
        while count() == before && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(count() > before)
    };
    for tokens in [format!("tokens = [\"{token}\"]"), format!("tokens = \"{token}\""), format!("tokens = [{token}]")] {
        if !read(&format!("[tenants.a]\n{tokens}\n"), REFUSED)? {
            return Ok(Err("it was not".to_owned()));
        }
    }
    Ok(if read(right, TAKEN)? { Ok(()) } else { Err("the right one was not taken".to_owned()) })
}

fn check(tally: &mut Tally, place: &str, secrets: &[&str], text: &str) {
    let found: Vec<&&str> = secrets.iter().filter(|secret| text.contains(**secret)).collect();
    let line = |secret: &str| text.lines().find(|line| line.contains(secret)).unwrap_or_default().to_owned();
    let outcome = match found.first() {
        None => Ok(()),
        Some(first) => Err(format!("{found:?} stand there, as in {:.300}", line(first))),
    };
    tally.check(&format!("secrets: none in {place}"), outcome);
}

/// Requests that are refused, with secrets where they are refused for them; and all that was answered.
fn astray(port: u16, token: &str) -> Result<String> {
    let body = |more: Value| {
        let mut body = json!({"language": "python", "source": format!("print('{SOURCE}')"), "stdin": INPUT});
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            more.iter().for_each(|(name, value)| drop(body.insert(name.clone(), value.clone())));
        }
        body.to_string()
    };
    let bodies = [
        body(json!({})).replace("}", ""),
        format!("\"{SOURCE}\""),
        format!("{{\"source\": \"{SOURCE}\", \"language\": {SOURCE}}}"),
        body(json!({"source": [SOURCE]})),
        body(json!({"env": {"A": [ENVIRONMENT]}})),
        body(json!({"env": {"A": format!("{ENVIRONMENT}\u{0}")}})),
        body(json!({"env": [ENVIRONMENT]})),
        body(json!({"stdin": {"base64": INPUT}})),
        body(json!({"stdin": {"text": INPUT, "base64": INPUT}})),
        body(json!({"limits": {"cpu_time_ms": 0}})),
        body(json!({"version": "99"})),
        body(json!({"source": null, "files": [{"path": "../x", "content": SOURCE}]})),
        body(json!({"source": null, "files": [{"path": "x.py", "content": {"base64": SOURCE}}]})),
    ];
    let mut answers = String::new();
    let mut ask = |token: &str, method: &str, path: &str, body: &str| -> Result<()> {
        let (status, answer) = Client::connect(port)?.with_token(token).ask(method, path, body)?;
        if status < 400 {
            let what = format!("{method} {path} is answered {status}: {body:.200}");
            return Err(Problem::new(what, "make it a mistake again in xtask/src/secrets.rs"));
        }
        answers += &String::from_utf8_lossy(&answer);
        answers.push('\n');
        Ok(())
    };
    for body in &bodies {
        ask(token, "POST", "/v1/executions", body)?;
    }
    ask(WRONG_TOKEN, "POST", "/v1/executions", &bodies[0])?;
    ask(WRONG_TOKEN, "GET", "/v1/languages", "")?;
    ask(token, "GET", &format!("/v1/languages?token={WRONG_TOKEN}"), "")?;
    ask(token, "POST", &format!("/v1/executions?access_token={WRONG_TOKEN}"), &bodies[0])?;
    Ok(answers)
}

/// Runs programs that hold secrets, and reads every command line below both programs, and their own environments,
/// meanwhile.
fn command_lines(served: &Served, port: u16, token: &str) -> Result<String> {
    let mut seen = BTreeSet::new();
    for _ in 0..LOOKS {
        seen.append(&mut look(served, port, token)?);
        // A python that has our file, and what was compiled: no path of ours looks like these.
        let is_compiled = |line: &String| line.split_whitespace().next().is_some_and(|word| word.ends_with("/a.out"));
        let is_python = |line: &String| {
            let mut words = line.split_whitespace();
            words.next().unwrap_or_default().contains("/python") && words.any(|word| word.ends_with("main.py"))
        };
        if seen.iter().any(is_compiled) && seen.iter().any(is_python) {
            return Ok(seen.into_iter().collect::<Vec<_>>().join("\n"));
        }
    }
    let what = format!("not both command lines of two runs were seen in {LOOKS} looks");
    Err(Problem::new(what, "look longer in xtask/src/secrets.rs"))
}

/// One look at them.
fn look(served: &Served, port: u16, token: &str) -> Result<BTreeSet<String>> {
    let python =
        "import os, sys, time\nsecret = 'SOURCE'\nprint('OUTPUT', sys.stdin.read(), os.environ['A'])\ntime.sleep(1)\n";
    let c = "#include <stdio.h>\n#include <unistd.h>\n// SOURCE\nint main(void) { puts(\"OUTPUT\"); sleep(1); return 3; }\n";
    let request = |language: &str, source: &str| {
        let source = source.replace("SOURCE", SOURCE).replace("OUTPUT", OUTPUT);
        json!({"language": language, "source": source, "stdin": INPUT, "env": {"A": ENVIRONMENT}})
    };
    let broken = request("c", "int main(void) { return SOURCE; }\n");
    let both = [request("python", python), request("c", c), broken];
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking: Vec<_> = both
            .iter()
            .map(|request| {
                let token = token.to_owned();
                scope.spawn(move || {
                    Client::connect(port)?.with_token(&token).ask("POST", "/v1/executions", &request.to_string())
                })
            })
            .collect();
        let looking = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                for top in served.pids() {
                    for pid in memory::tree(top).unwrap_or_default() {
                        let text = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
                        seen.insert(String::from_utf8_lossy(&text("cmdline")).replace('\0', " "));
                    }
                    let environment = fs::read(format!("/proc/{top}/environ")).unwrap_or_default();
                    seen.insert(String::from_utf8_lossy(&environment).replace('\0', " "));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            seen
        });
        let answered = asking.into_iter().try_for_each(|answer| {
            let answer = answer.join().map_err(|_| Problem::new("a caller panicked", "run it again"))??;
            if answer.0 == 200 {
                return Ok(());
            }
            Err(Problem::new(format!("a run was answered {}", answer.0), "read the engine's log"))
        });
        // Whatever came of them: the observer must end.
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        let seen = looking.join().map_err(|_| Problem::new("the observer panicked", "run it again"));
        answered.and(seen)
    })
}

/// Every file below a folder, artifacts apart: those are what was compiled.
fn files(folder: &Path) -> Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(folder).or_problem(folder.display().to_string(), "run this as root")? {
        let path = entry.or_problem(folder.display().to_string(), "run this as root")?.path();
        if path.file_name().is_some_and(|name| name == "artifacts") {
            continue;
        }
        if path.is_dir() {
            text += &files(&path)?;
        } else {
            let bytes = fs::read(&path).or_problem(path.display().to_string(), "run this as root")?;
            text += &String::from_utf8_lossy(&bytes);
        }
    }
    Ok(text)
}
