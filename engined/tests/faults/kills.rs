//! -9 to each process at every point of a run's life.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jail::stop::POINTS;
use serde_json::{Value, json};

use crate::common::Reply;
use crate::common::live::live;
use crate::rig::{PATIENCE, Rig, end};

/// What a caller may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Got {
    /// The right result.
    Right,
    /// The right result without the file that was asked for, which it says.
    Shortened,
    /// The verdict `engine_error`.
    EngineError,
    /// The verdict `signalled`, by SIGKILL.
    Killed,
    /// 503 `not_ready`.
    NotReady,
    /// The connection ended.
    Nothing,
}

/// Writes a megabyte of work, prints, and leaves a file.
fn request() -> Value {
    let source = "open('work', 'wb').write(bytes(1 << 20))\nopen('out.txt', 'w').write('kept')\nprint(6 * 7)";
    json!({"language": "python", "source": source, "outputs": ["*.txt"]})
}

/// Whatever is none of these is wrong.
fn got(what: &str, reply: Option<Reply>) -> Got {
    let Some(reply) = reply else { return Got::Nothing };
    if reply.status == 503 {
        reply.problem(503, "not_ready");
        return Got::NotReady;
    }
    assert_eq!(reply.status, 200, "{what}: {}", reply.text());
    let result = reply.json();
    match result["verdict"].as_str() {
        Some("engine_error") => Got::EngineError,
        Some("signalled") => {
            assert_eq!(result["run"]["signal"], "SIGKILL", "{what}: {result}");
            Got::Killed
        }
        Some("ok") => {
            assert_eq!(result["run"]["stdout"]["text"], "42\n", "{what}: {result}");
            let files = result["outputs"].as_array().unwrap();
            if files.iter().any(|file| file["path"] == "out.txt" && file["base64"] == "a2VwdA==") {
                return Got::Right;
            }
            let told = result["outputs_skipped"].as_array().is_some_and(|skipped| !skipped.is_empty());
            assert!(files.is_empty() && told, "{what}: a file is missing without a word: {result}");
            Got::Shortened
        }
        _ => panic!("{what}: {result}"),
    }
}

fn at(name: &str) -> usize {
    POINTS.iter().position(|point| *point == name).unwrap()
}

/// The points from one to another, both included.
fn between(first: &str, last: &str) -> impl Iterator<Item = &'static str> {
    POINTS[at(first)..=at(last)].iter().copied()
}

/// A run comes to the point, whoever is named dies, the run goes on, and nothing is left.
fn at_point(rig: &Rig, point: &str, who: &str, victims: impl Fn() -> Vec<u32>, wanted: &[Got]) {
    let what = format!("-9 to {who} at {point}");
    rig.again(&what, || once_at_point(rig, point, who, &victims, wanted));
}

/// How long it took to be back, and how long it may take.
fn once_at_point(
    rig: &Rig,
    point: &str,
    who: &str,
    victims: impl Fn() -> Vec<u32>,
    wanted: &[Got],
) -> (Duration, Duration) {
    let what = format!("-9 to {who} at {point}");
    let looks = rig.looks();
    rig.page.arm(point);
    let came = AtomicBool::new(false);
    let times = std::thread::scope(|scope| {
        let run = scope.spawn(|| ask_until(rig, &came));
        rig.until(&format!("{what}: a run comes there"), || rig.page.taken(point));
        came.store(true, Ordering::SeqCst);
        let killed = victims();
        assert!(!killed.is_empty(), "{what}: there is none");
        let gone = [killed.clone(), rig.inits(), rig.payloads()].concat();
        let since = Instant::now();
        killed.iter().for_each(|pid| end(*pid));
        for pid in &killed {
            rig.until(&format!("{what}: its end"), || dead(*pid));
        }
        rig.page.release();
        let got = got(&what, run.join().unwrap());
        assert!(wanted.contains(&got), "{what}: the caller got {got:?} instead of one of {wanted:?}\n{}", rig.log());
        rig.recovered(&what, since, &gone)
    });
    if ["engined", "jaild"].contains(&who) {
        rig.until(&format!("{what}: the engine's own look"), || rig.looks() > looks);
    }
    times
}

/// The answer to a request. On a busy host the engine may think that nothing can be run: such a request comes to no point.
fn ask_until(rig: &Rig, came: &AtomicBool) -> Option<Reply> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reply = rig.call(&request());
        let refused = reply.as_ref().is_some_and(|reply| reply.status == 503);
        if !refused || came.load(Ordering::SeqCst) || Instant::now() > deadline {
            return reply;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Gone, or waits only for its parent, which may be the one that is held.
fn dead(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with(['Z', 'X']))
}

#[test]
fn engined_is_killed_at_every_point() {
    if !live() {
        return;
    }
    let rig = Rig::start();
    for point in between("engined.received", "broker.emptied") {
        let wanted: &[Got] = match point {
            // It may have answered by then.
            "init.ended" | "broker.reported" | "broker.emptied" => &[Got::Nothing, Got::Right],
            _ => &[Got::Nothing],
        };
        at_point(&rig, point, "engined", || vec![rig.program("engined")], wanted);
    }
    rig.stop();
}

#[test]
fn jaild_is_killed_at_every_point() {
    if !live() {
        return;
    }
    let rig = Rig::start();
    for point in between("engined.received", "broker.emptied") {
        let wanted: &[Got] = match point {
            "engined.received" | "engined.queued" | "engined.slot" | "engined.prepared" => {
                &[Got::EngineError, Got::NotReady, Got::Right]
            }
            // The order is on its way: on a busy host jaild has done all of it by the time it is killed.
            "engined.ordered" => &[Got::EngineError, Got::Right],
            // An earlier run's slot may come there as this run's order does.
            "init.ended" | "broker.emptied" => &[Got::EngineError, Got::Right],
            "broker.reported" | "engined.ended" | "engined.drained" | "engined.judged" | "engined.answering" => {
                &[Got::Right]
            }
            _ => &[Got::EngineError],
        };
        at_point(&rig, point, "jaild", || vec![rig.program("jaild")], wanted);
    }
    rig.stop();
}

#[test]
fn an_init_is_killed_at_every_point() {
    if !live() {
        return;
    }
    let rig = Rig::start();
    for point in between("spawner.cloned", "init.ended") {
        let wanted: &[Got] = match point {
            // The program is over by then, what it used is known.
            "init.over" | "broker.over" => &[Got::Shortened],
            // All of the files have come, though nobody said so.
            "init.collected" => &[Got::Shortened, Got::Right],
            // Armed, or nearly: it never saw the command, and another sandbox has it.
            "broker.limited" => &[Got::Right],
            "spawner.mapped" | "init.armed" | "broker.born" => &[Got::EngineError, Got::Right],
            // Init goes on while the broker is held: to the end, or nearly.
            "broker.commanded" | "broker.started" => &[Got::EngineError, Got::Shortened, Got::Right],
            "init.ended" => &[Got::Right],
            _ => &[Got::EngineError],
        };
        at_point(&rig, point, "init", || rig.inits(), wanted);
    }
    rig.stop();
}

#[test]
fn payloads_and_spawners_are_killed_where_they_stand() {
    if !live() {
        return;
    }
    let rig = Rig::start();
    for point in between("payload.born", "payload.starting").filter(|point| point.starts_with("payload.")) {
        at_point(&rig, point, "payload", || rig.payloads(), &[Got::EngineError, Got::Killed]);
    }
    for point in
        ["broker.making", "spawner.asked", "spawner.cloned", "spawner.mapped", "broker.born", "payload.starting"]
    {
        at_point(&rig, point, "spawner", || rig.spawners(), &[Got::EngineError]);
    }
    rig.stop();
}

/// Whoever is named dies while sandboxes wait, then at the moment when one more does: the next runs are right, and the
/// stock is what it was.
#[test]
fn whoever_is_killed_while_the_stock_waits() {
    if !live() {
        return;
    }
    let rig = Rig::stocked(2);
    let victims = |who: &str| match who {
        "init" => rig.inits(),
        "payload" => rig.payloads(),
        "spawner" => rig.spawners(),
        _ => vec![rig.program(who)],
    };
    for who in ["init", "payload", "spawner", "jaild", "engined"] {
        let what = format!("-9 to {who} while the stock waits");
        rig.again(&what, || {
            let looks = rig.looks();
            let (killed, since) = (victims(who), Instant::now());
            killed.iter().for_each(|pid| end(*pid));
            let times = rig.recovered(&what, since, &killed);
            if ["engined", "jaild"].contains(&who) {
                rig.until("the engine's own look", || rig.looks() > looks);
            }
            times
        });
    }
    for who in ["init", "payload", "spawner", "jaild", "engined"] {
        let any = [Got::Right, Got::Shortened, Got::EngineError, Got::Killed, Got::NotReady, Got::Nothing];
        at_point(&rig, "broker.stocked", who, || victims(who), &any);
    }
    rig.stop();
}

/// A slot is made anew, because its spawner has died, and whoever is named dies meanwhile.
#[test]
fn whoever_is_killed_while_a_slot_is_made_anew() {
    if !live() {
        return;
    }
    let rig = Rig::start();
    for (point, who) in between("broker.renewing", "spawner.built")
        .flat_map(|point| ["engined", "jaild", "spawner"].into_iter().map(move |who| (point, who)))
    {
        let what = format!("-9 to {who} at {point}");
        rig.again(&what, || {
            let (looks, before) = (rig.looks(), rig.spawners());
            rig.page.arm(point);
            end(before[0]);
            rig.until(&format!("{what}: a slot is made anew"), || rig.page.taken(point));
            let killed = if who == "spawner" { rig.spawners() } else { vec![rig.program(who)] };
            let since = Instant::now();
            killed.iter().for_each(|pid| end(*pid));
            rig.page.release();
            let times = rig.recovered(&what, since, &[killed, before[..1].to_vec()].concat());
            if who != "spawner" {
                rig.until(&format!("{what}: the engine's own look"), || rig.looks() > looks);
            }
            times
        });
    }
    rig.stop();
}
