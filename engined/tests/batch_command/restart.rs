//! The real server program goes away in the midst of a batch and comes back at the same address.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::common::live::ENGINED;
use crate::common::{own_loopback, wait_for};
use crate::place::{Engine, Place, TENANTS};
use crate::{Ended, read};

/// Submissions that are judged at once, by two tests; one more waits for a file.
const QUICK: usize = 8;
const BEFORE: usize = 2 * QUICK;
const ALL: usize = BEFORE + 2;

/// A server, what is judged by it, and where its results go.
struct Course {
    place: Place,
}

impl Course {
    /// With a first engine, whose address is that of all later ones.
    fn start() -> (Course, Engine) {
        let place = Place::new("");
        let write = |name: &str, text: &str| {
            let file = place.path("problem").join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        for test in ["1", "2"] {
            write(&format!("tests/{test}.in"), test);
            write(&format!("tests/{test}.ans"), test);
        }
        (0..QUICK).for_each(|n| write(&format!("submissions/quick{n}.py"), "cat"));
        write("submissions/waits.py", &format!("until {}\ncat", place.path("gate").display()));
        let config = place.path("engined.toml");
        let listens = |at: &str, now: &str| fs::write(&config, read(&config).replace(at, now)).unwrap();
        // While it is away nobody else is to listen there.
        let own = format!("{}:0", own_loopback());
        listens("127.0.0.1:0", &own);
        let engine = place.start();
        listens(&own, &engine.address);
        (Course { place }, engine)
    }

    fn results(&self) -> PathBuf {
        self.place.path("out/results.jsonl")
    }

    fn lines(&self) -> Vec<String> {
        // A line that is being written is none yet.
        let text = fs::read_to_string(self.results()).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(str::to_owned).collect()
    }

    /// The command; what it says on standard error is in a file of that name.
    fn command(&self, engine: &Engine, err: &str) -> Ended {
        let mut command = Command::new(ENGINED);
        command.arg("batch").arg(self.place.path("problem")).arg("--out").arg(self.place.path("out"));
        command.env("ENGINED_URL", format!("http://{}", engine.address)).env("ENGINED_TOKEN", TENANTS[0]);
        let err = fs::File::create(self.place.path(err)).unwrap();
        Ended(Some(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(err).spawn().unwrap()))
    }

    /// Kills the engine once all is judged that can be, and waits until the command has noticed.
    fn away(&self, mut engine: Engine, err: &str) {
        wait_for(|| self.lines().len() == BEFORE);
        engine.signal(Signal::SIGKILL);
        engine.child.wait().unwrap();
        wait_for(|| read(&self.place.path(err)).contains("asking again"));
        assert_eq!(self.lines().len(), BEFORE);
    }

    /// The gate is open: the command ends, and has every result once, as the engine has it.
    fn ends(&self, engine: &Engine, command: Ended, err: &str) {
        fs::write(self.place.path("gate"), "").unwrap();
        let (code, table, _) = command.told();
        assert_eq!(code, 0, "{table}{}", read(&self.place.path(err)));
        assert!(table.contains(&format!("All {} submissions are accepted", QUICK + 1)), "{table}");
        let lines = self.lines();
        let results: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let numbers: Vec<u64> = results.iter().map(|result| result["seq"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=ALL as u64).collect::<Vec<_>>());
        let mut units: Vec<String> =
            results.iter().map(|result| format!("{} {}", result["submission"], result["test"])).collect();
        units.sort();
        units.dedup();
        assert_eq!(units.len(), ALL);
        let listed = engine.get("/v1/batches", TENANTS[0]).json();
        assert_eq!(listed["batches"].as_array().unwrap().len(), 1, "{listed}");
        let id = listed["batches"][0]["id"].as_str().unwrap();
        let kept = engine.get(&format!("/v1/batches/{id}/results"), TENANTS[0]).text();
        assert_eq!(kept.lines().collect::<Vec<_>>(), lines);
    }
}

#[test]
fn a_server_that_is_killed_and_started_again_is_followed_to_the_end() {
    let (course, engine) = Course::start();
    let command = course.command(&engine, "err");
    course.away(engine, "err");
    let engine = course.place.start();
    course.ends(&engine, command, "err");
    engine.stop();
}

#[test]
fn what_was_interrupted_while_the_server_was_away_is_resumed_when_it_is_back() {
    let (course, engine) = Course::start();
    let first = course.command(&engine, "first");
    course.away(engine, "first");
    first.interrupt();
    let (code, table, _) = first.told();
    assert_eq!((code, table.as_str()), (130, ""));
    let said = read(&course.place.path("first"));
    assert!(said.contains(&format!("interrupted after {BEFORE} results")), "{said}");
    let engine = course.place.start();
    let second = course.command(&engine, "second");
    course.ends(&engine, second, "second");
    engine.stop();
}
