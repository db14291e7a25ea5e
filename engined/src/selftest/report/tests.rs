use super::super::host::Unseen;
use super::*;

fn program(name: &str, mechanism: &str, result: Fared, layers: &[&str], told: &[&str]) -> Outcome {
    let kind = if mechanism == corpus::HONEST { Kind::Benign } else { Kind::Hostile };
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let skipped = result == Fared::Skipped;
    Outcome {
        name: name.to_owned(),
        kind,
        mechanism: mechanism.to_owned(),
        language: "c".to_owned(),
        tries: format!("what {name} tries"),
        result,
        times: u32::from(!skipped),
        layers: own(layers),
        complaints: if skipped { Vec::new() } else { own(told) },
        reason: told.first().filter(|_| skipped).map(|reason| (*reason).to_owned()),
        verdicts: own(&["ok"]),
        duration_ms: 12,
    }
}

fn layer(name: &str, wanted: bool, remedy: Option<&str>) -> LayerState {
    let remedy = remedy.map(str::to_owned);
    LayerState { layer: name.to_owned(), wanted, obtained: remedy.is_none(), remedy }
}

fn facts() -> Facts {
    Facts {
        engine: Tested {
            address: "unix:/run/engined-api/engined.sock".to_owned(),
            chosen: How::Installed,
            version: "0.1.0".to_owned(),
            cgroup: CgroupVersion::V2,
            landlock_abi: 6,
        },
        layers: vec![layer("pid_ns", true, None), layer("landlock", true, None)],
        host: Findings { looked_at: vec!["mounts", "processes"], ..Findings::default() },
        programs: vec![
            program("hello.c", "honest", Fared::Held, &[], &[]),
            program("fork.c", "proc", Fared::Held, &["cgroup_pids", "pid_ns"], &[]),
            program("pids.c", "proc", Fared::Held, &["pid_ns"], &[]),
        ],
        unreached: None,
    }
}

#[test]
fn a_host_on_which_all_holds_gets_a_short_table() {
    let report = Report::new(facts());
    assert_eq!(report.result.code(), 0);
    assert_eq!(
        report.text(),
        "mechanism              tried  held  failed  apart  skipped  held by\n\
         honest programs            1     1       0      0        0\n\
         processes and threads      2     2       0      0        0  pid_ns, cgroup_pids\n\
         all                        3     3       0      0        0\n\
         \n\
         Layers: all 2 are in force (cgroup v2, landlock ABI 6).\n\
         Host: nothing was left behind (looked at mounts, processes).\n\
         \n\
         Everything held: 3 programs, 2 layers in force.\n"
    );
}

#[test]
fn what_did_not_hold_is_told_with_what_to_do() {
    let mut facts = facts();
    facts.programs = vec![
        program("hello.c", "honest", Fared::Failed, &[], &["exit code 1, must be 0"]),
        program("read.c", "snoop", Fared::Failed, &["tree"], &["check stdout!~ESCAPED: \"ESCAPED\u{1b}[2J\""]),
        program("write.c", "snoop", Fared::Held, &["landlock", "tree"], &[]),
        program("spin.java", "time", Fared::Skipped, &["meter"], &["java: it is not installed"]),
        program("locks.c", "mem", Fared::Apart, &["rlimits"], &["check stdout!~ESCAPED: \"ESCAPED\""]),
    ];
    facts.layers.push(layer("landlock", true, Some("boot with landlock")));
    facts.layers.push(layer("time_ns", false, Some("use a newer kernel")));
    facts.layers.remove(1);
    facts.host.found.push("a file of a program at /tmp/h7391".to_owned());
    let why = "only root can tell a program from jaild itself".to_owned();
    facts.host.not_looked_at.push(Unseen { what: "processes", why });
    facts.host.looked_at.pop();
    facts.unreached = Some((3, "the engine went away and did not come back".to_owned()));
    let report = Report::new(facts);
    assert_eq!(report.result.code(), 1);
    assert_eq!(
        report.text(),
        "mechanism        tried  held  failed  apart  skipped  held by\n\
         honest programs      1     0       1      0        0\n\
         time                 0     0       0      0        1\n\
         memory               1     0       0      1        0\n\
         snooping             2     1       1      0        0  landlock (missing), tree\n\
         all                  4     1       2      1        1\n\
         \n\
         Did not hold: hello.c (honest programs): what hello.c tries\n\
         \u{20} exit code 1, must be 0\n\
         \u{20} → `engined doctor` tells whether its toolchain works here\n\
         \n\
         Did not hold: read.c (snooping): what read.c tries\n\
         \u{20} check stdout!~ESCAPED: \"ESCAPED [2J\"\n\
         \u{20} → take this engine out of service until it is mended; SECURITY.md says how to report it\n\
         \n\
         Counted apart: locks.c (memory): what locks.c tries\n\
         \u{20} check stdout!~ESCAPED: \"ESCAPED\"\n\
         \u{20} → a known limit: SECURITY.md says what it is worth\n\
         \n\
         Layers: 2 of 3 missing (cgroup v2, landlock ABI 6).\n\
         \u{20} landlock\n\
         \u{20} → boot with landlock\n\
         \u{20} time_ns, waived by name in the configuration\n\
         \u{20} → use a newer kernel\n\
         Host: something was left behind (looked at mounts).\n\
         \u{20} a file of a program at /tmp/h7391\n\
         Not looked at: processes: only root can tell a program from jaild itself.\n\
         Skipped: spin.java: java: it is not installed.\n\
         \n\
         Not everything held: 2 of 4 programs did not hold (hello.c, read.c); landlock, time_ns are missing; \
         something was left on the host; 3 programs not reached: the engine went away and did not come back.\n"
    );
}

#[test]
fn nothing_tried_is_no_success() {
    let mut facts = facts();
    facts.programs = vec![program("spin.java", "time", Fared::Skipped, &["meter"], &["java: it is not installed"])];
    let report = Report::new(facts);
    assert_eq!(
        (report.result.code(), report.sentence.as_str()),
        (2, "Nothing could be tried: java: it is not installed.")
    );
}

#[test]
fn the_json_keeps_its_shape() {
    let mut facts = facts();
    facts.programs.truncate(2);
    facts.programs.remove(0);
    facts.layers.truncate(1);
    let json = serde_json::to_value(Report::new(facts)).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "result": "held",
            "sentence": "Everything held: 1 program, 1 layers in force.",
            "engine": {"address": "unix:/run/engined-api/engined.sock", "chosen": "installed", "version": "0.1.0",
                       "cgroup": "v2", "landlock_abi": 6},
            "layers": [{"layer": "pid_ns", "wanted": true, "obtained": true, "remedy": null}],
            "mechanisms": [{"mechanism": "proc", "title": "processes and threads", "tried": 1, "held": 1, "failed": 0, "apart": 0,
                            "skipped": 0, "held_by": ["cgroup_pids", "pid_ns"]}],
            "host": {"looked_at": ["mounts", "processes"], "not_looked_at": [], "found": []},
            "programs": [{"name": "fork.c", "kind": "hostile", "mechanism": "proc", "language": "c",
                          "tries": "what fork.c tries", "result": "held", "times": 1, "layers": ["cgroup_pids", "pid_ns"],
                          "complaints": [], "reason": null, "verdicts": ["ok"], "duration_ms": 12}],
        })
    );
}

#[test]
fn what_is_counted_apart_is_named_and_a_slow_host_is_told_from_a_broken_one() {
    let mut facts = facts();
    facts.programs.push(program("locks.c", "mem", Fared::Apart, &["rlimits"], &["check stdout!~ESCAPED: \"ESCAPED\""]));
    let report = Report::new(facts);
    assert_eq!(report.result.code(), 0);
    assert_eq!(
        report.sentence,
        "Everything held: 3 programs, 2 layers in force; counted apart: locks.c, see SECURITY.md."
    );
    let late = ["verdict compile_error (CE), allowed are TLE", "answered after 9.0 s, must within 6.0 s"];
    assert!(program("a.c", "time", Fared::Failed, &[], &late).remedy().starts_with("try again when the host is idle"));
    let worse = [late[0], "check stdout!~ESCAPED: \"ESCAPED\""];
    assert!(program("a.c", "time", Fared::Failed, &[], &worse).remedy().starts_with("take this engine out of service"));
}
