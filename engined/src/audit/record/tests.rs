//! What stands in a line.

use api_spec::Content;
use serde_json::{Value, json};

use super::*;

fn file(path: &str, text: &str) -> JobFile {
    JobFile { path: path.to_owned(), content: Content::from(text), skip: 0 }
}

fn caller() -> Caller {
    let peer = Peer::Tcp([127, 0, 0, 1].into());
    Caller { request: "r-1".to_owned(), peer, token: Some("ci".into()), trace: None }
}

pub(in crate::audit) fn execution(labels: &[(&str, &str)], ended: Ended, used: Used) -> Execution {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Execution {
        id: "01K".to_owned(),
        caller: caller(),
        tenant: "t".to_owned(),
        plan: "free".to_owned(),
        labels: labels.iter().map(own).collect(),
        source: Source::of(&[file("main.py", "print(1)")], None),
        part: None,
        language: LanguageUsed { id: "python".into(), version: "3.11.2".into(), toolchain: "cpython3".into() },
        priority: Priority::Interactive,
        ended,
        timings: Timings::default(),
        used,
    }
}

fn written(record: &Record, whole: bool) -> (String, Counts) {
    let (mut line, mut counts) = (Vec::new(), Counts::default());
    record.write((7, &mut Stamp::default()), whole, &mut line, &mut counts).unwrap();
    (String::from_utf8(line).unwrap(), counts)
}

/// What is counted of a record is what is counted of its line.
fn same(record: &Record) -> Value {
    let mut last = Value::Null;
    for whole in [false, true] {
        let (line, counts) = written(record, whole);
        assert!(line.ends_with('\n') && line.lines().count() == 1, "{line}");
        let mut again = Counts::default();
        again.line(&serde_json::from_str(&line).unwrap());
        assert_eq!(again, counts, "{line}");
        last = serde_json::from_str(&line).unwrap();
    }
    last
}

#[test]
fn a_line_is_counted_as_its_record_is() {
    let usage = api_spec::Usage {
        cpu_time_us: 3,
        user_time_us: 1,
        system_time_us: 2,
        wall_time_us: 1_000_000,
        memory_peak_bytes: 1 << 20,
        memory_peak_source: api_spec::MemoryPeakSource::Kernel,
        processes_peak: 1,
        throttled_us: 0,
        involuntary_switches: 0,
    };
    let used = Used { compile: Some(usage), cached: Some(false), run: Some(usage), output_bytes: 9, ..Used::default() };
    let line = same(&Record::execution(execution(&[], Ended::Verdict(Verdict::Ok), used)));
    let charged = json!({"cpu_time_us": 3, "compile_cpu_time_us": 3, "memory_kib_ms": 2_048_000, "output_bytes": 9});
    assert_eq!(line["charged"], charged);
    assert_eq!((&line["seq"], &line["act"], &line["verdict"]), (&json!(7), &json!("execution"), &json!("ok")));
    assert_eq!(line["caller"], json!({"address": "127.0.0.1", "token": "ci"}));
    let gone = same(&Record::execution(execution(&[], Ended::Gone, Used::default())));
    assert_eq!((&gone["verdict"], &gone["caller_gone"]), (&json!("cancelled"), &json!(true)));
    let cut = same(&Record::execution(execution(&[], Ended::Cut, Used::default())));
    assert_eq!((&cut["verdict"], &cut["cut"], cut.get("caller_gone")), (&json!("engine_error"), &json!(true), None));
    let refused = same(&Record::execution(execution(&[], Ended::Problem("queue_full"), Used::default())));
    assert_eq!((&refused["act"], &refused["problem"]), (&json!("refused"), &json!("queue_full")));
    assert_eq!((refused.get("charged"), refused.get("verdict")), (None, None));
    for act in [
        Act::Start { engine: "1", pid: 2 },
        Act::Drain { by: "signal", asked: None },
        Act::Drain { by: "request", asked: Some(caller().asked("a\nb")) },
        Act::Reload { what: "languages", outcome: "refused", mistakes: 3 },
        sign(),
        Act::Lost {
            records: 4,
            unwritten: written(&Record::execution(execution(&[], Ended::Gone, Used::default())), true).1.rows(),
        },
    ] {
        same(&Record::act(act));
    }
}

fn sign() -> Act {
    let (tenant, execution) = ("t".to_owned(), "01K".to_owned());
    Act::AbuseSign { sign: "socket", tenant, user: Some("a\nb".to_owned()), runs: 3, within_s: 60, execution }
}

#[test]
fn no_label_breaks_a_line() {
    let odd = "a\nb\r\u{b}\u{c}\u{85}\u{2028}\u{2029}\u{202e}\u{feff}\u{0}\u{1b}[31m\u{7f}\u{9b}\"\\{}🦀";
    let line = same(&Record::execution(execution(&[("k", odd)], Ended::Gone, Used::default())));
    assert_eq!(line["labels"]["k"], odd);
    let (text, _) = written(&Record::execution(execution(&[("k", odd)], Ended::Gone, Used::default())), true);
    assert!(text.trim_end().chars().all(|c| !c.is_control() && !"\u{2028}\u{2029}\u{202e}\u{feff}".contains(c)));
}

#[test]
fn what_is_only_counted_says_nothing_else() {
    let record = Record::execution(execution(&[("secret", "label")], Ended::Verdict(Verdict::Ok), Used::default()));
    let (line, _) = written(&record, false);
    let line: Value = serde_json::from_str(&line).unwrap();
    let names: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert_eq!(names, ["act", "charged", "language", "seq", "tenant", "time", "verdict"].iter().collect::<Vec<_>>());
    let (line, _) = written(&Record::act(sign()), false);
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["act"], &line["user"]), (&json!("abuse_sign"), &json!(null)));
}

#[test]
fn times_are_utc_in_microseconds() {
    let at = |nanos: i128| time(Timestamp::from_nanosecond(nanos).unwrap());
    assert_eq!(at(0), "1970-01-01T00:00:00.000000Z");
    assert_eq!(at(1_795_676_400_123_456_789), "2026-11-26T07:00:00.123456Z");
    assert_eq!(today().len(), 10);
}

#[test]
fn a_source_is_known_by_a_hash_that_anybody_can_make() {
    // printf 'print(1)' > main.py; sha256sum main.py
    let source = Source::of(&[file("main.py", "print(1)")], None);
    assert_eq!(source.sha256.unwrap().as_str(), "d287bb7f9d15abdc5b6e98536263815744b6ef21c8f3c839fc434ca70d8efe99");
    // printf 1 > a; printf 2 > b; sha256sum a b | sha256sum
    let two = Source::of(&[file("a", "1"), file("b", "2")], None);
    assert_eq!(two.sha256.unwrap().as_str(), "68c2919f4305e50800082ab7f11eb17d96c7832f59154e97b1d373a5179a63ea");
    let files = [file("a", "12345"), file("b", ""), file("c", "é"), file("d", "x")];
    let (kept, cut) = Source::of(&files, Some(6)).files.unwrap();
    let kept: Vec<(&str, &str)> = kept.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
    assert_eq!((kept, cut), (vec![("a", "12345"), ("b", ""), ("c", "\u{fffd}")], true));
    assert!(!Source::of(&files, Some(8)).files.unwrap().1);
}

#[test]
fn times_of_one_second_are_written_as_each_by_itself() {
    let mut stamp = Stamp::default();
    let second = 1_764_140_000_000_000;
    for micros in [second, second + 1, second + 999_999, second + 10, second + 1_000_000, second - 1, -1, 0, 1, -1] {
        let time = Timestamp::from_microsecond(micros).unwrap();
        assert_eq!(stamp.of(time), super::time(time));
    }
}
