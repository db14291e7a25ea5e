use super::*;

fn opinion(protocol: Protocol, code: u8, stderr: &str, files: &[(&str, &str)], points: f64) -> CheckerOpinion {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    protocol.opinion(End::Exited(code), &Said { stderr: stderr.as_bytes(), files: &files }, points)
}

fn failed(opinion: CheckerOpinion) -> String {
    match opinion {
        CheckerOpinion::Failed(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_are_called_as_documented() {
    let paths = Paths { input: "in", output: "out", answer: "ans", feedback: "feedback" };
    let more = ["case_sensitive".to_owned()];
    assert_eq!(Protocol::Kattis.arguments(&paths, &more), ["in", "ans", "feedback/", "case_sensitive"]);
    assert_eq!(Protocol::Testlib.arguments(&paths, &more), ["in", "out", "ans", "case_sensitive"]);
    assert!(Protocol::Kattis.output_on_stdin() && !Protocol::Testlib.output_on_stdin());
}

#[test]
fn kattis_knows_two_codes() {
    for code in 0..=255 {
        let said = opinion(Protocol::Kattis, code, "", &[], 10.0);
        match code {
            42 => assert_eq!(said, CheckerOpinion::Accepted),
            43 => assert_eq!(said, CheckerOpinion::Wrong { share: 0.0 }),
            _ => assert!(failed(said).contains(&format!("exit code {code};"))),
        }
    }
}

#[test]
fn kattis_gives_part_of_the_points() {
    let said = |files: &[(&str, &str)]| opinion(Protocol::Kattis, 42, "", files, 10.0);
    assert_eq!(said(&[("score_multiplier.txt", "0.25\n")]), CheckerOpinion::Wrong { share: 0.25 });
    assert_eq!(said(&[("score_multiplier.txt", "1")]), CheckerOpinion::Accepted);
    assert_eq!(said(&[("score.txt", "2.5\n")]), CheckerOpinion::Wrong { share: 0.25 });
    assert_eq!(said(&[("score.txt", "10")]), CheckerOpinion::Accepted);
    for bad in ["", "x", "nan", "inf", "-0.1", "1.1", "1e400", "0x1"] {
        assert!(failed(said(&[("score_multiplier.txt", bad)])).contains("score_multiplier.txt"), "{bad}");
    }
    for bad in ["", "nan", "-1", "10.1"] {
        assert!(failed(said(&[("score.txt", bad)])).contains("score.txt"), "{bad}");
    }
    failed(said(&[("score.txt", "1"), ("score_multiplier.txt", "1")]));
    // However little a test is worth.
    let tiny = |points: &str| opinion(Protocol::Kattis, 42, "", &[("score.txt", points)], 1e-9);
    assert_eq!((tiny("0"), tiny("1e-9")), (CheckerOpinion::Wrong { share: 0.0 }, CheckerOpinion::Accepted));
    // A wrong one gets none.
    let wrong = opinion(Protocol::Kattis, 43, "", &[("score.txt", "10")], 10.0);
    assert_eq!(wrong, CheckerOpinion::Wrong { share: 0.0 });
}

#[test]
fn testlib_knows_its_codes() {
    for code in 0..=255 {
        let said = opinion(Protocol::Testlib, code, "", &[], 10.0);
        match code {
            0 => assert_eq!(said, CheckerOpinion::Accepted),
            1 | 2 | 4 | 8 => assert_eq!(said, CheckerOpinion::Wrong { share: 0.0 }),
            _ => assert!(failed(said).starts_with("the checker"), "{code}"),
        }
    }
}

#[test]
fn what_looks_like_a_crash_is_no_verdict_on_an_output() {
    let words =
        [(1, "wrong answer 1st"), (2, "wrong output format"), (4, "wrong output format Extra"), (8, "unexpected eof")];
    for (code, words) in words {
        let said = |stderr: &str| opinion(Protocol::Testlib, code, stderr, &[], 10.0);
        assert_eq!(said(words), CheckerOpinion::Wrong { share: 0.0 });
        assert!(failed(said("Traceback (most recent call last):\n")).contains("may have crashed"));
    }
    // Whatever it says of what is right.
    assert_eq!(opinion(Protocol::Testlib, 0, "fine", &[], 10.0), CheckerOpinion::Accepted);
}

#[test]
fn testlib_gives_part_of_the_points() {
    let points = |stderr: &str, worth: f64| opinion(Protocol::Testlib, 7, stderr, &[], worth);
    assert_eq!(points("points 2.50 well done\n", 10.0), CheckerOpinion::Wrong { share: 0.25 });
    assert_eq!(points("points 0.3333333333", 1.0 / 3.0), CheckerOpinion::Accepted);
    assert_eq!(points("points 0", 0.0), CheckerOpinion::Wrong { share: 0.0 });
    for bad in ["", "points", "points x", "points nan", "points -1", "points 10.1", "point 1", "ok points 1"] {
        failed(points(bad, 10.0));
    }
    failed(points("points 1", 0.0));
}

#[test]
fn testlib_partially_is_told_by_its_words() {
    let said = |code, stderr: &str| opinion(Protocol::Testlib, code, stderr, &[], 10.0);
    // The code is that of `_ok`, of `_wa`, of `_fail`, of `_points`.
    for n in [0_u8, 1, 3, 7, 100] {
        let stderr = format!("partially correct ({n}) so so\n");
        let share = f64::from(n) / 200.0;
        assert_eq!(said(n, &stderr), CheckerOpinion::Wrong { share });
        assert_eq!(said(n + 50, &stderr), CheckerOpinion::Wrong { share });
    }
    assert_eq!(said(200, "partially correct (200) "), CheckerOpinion::Accepted);
    for (code, bad) in [
        (5, "partially correct (6)"),
        (201, "partially correct (201)"),
        (0, "partially correct (x)"),
        (0, "partially correct (99999999)"),
        (1, "partially correct (1"),
    ] {
        failed(said(code, bad));
    }
}

#[test]
fn what_did_not_end_by_itself_has_no_opinion() {
    let files = BTreeMap::from([("score.txt".to_owned(), b"10".to_vec())]);
    for protocol in [Protocol::Kattis, Protocol::Testlib] {
        let said =
            protocol.opinion(End::Otherwise("killed by signal 9"), &Said { stderr: b"points 1", files: &files }, 1.0);
        assert!(failed(said).ends_with("killed by signal 9"));
    }
}

#[test]
fn its_words_are_told() {
    let files = BTreeMap::from([
        ("judgemessage.txt".to_owned(), b" \n".to_vec()),
        ("teammessage.txt".to_owned(), "ż".repeat(1000).into_bytes()),
    ]);
    let said = Said { stderr: b" wrong answer 1st words differ\n", files: &files };
    assert_eq!(Protocol::Testlib.message(&said).as_deref(), Some("wrong answer 1st words differ"));
    assert_eq!(Protocol::Kattis.message(&said), Some("ż".repeat(512)));
    let nothing = Said { stderr: b"", files: &BTreeMap::new() };
    assert_eq!((Protocol::Testlib.message(&nothing), Protocol::Kattis.message(&nothing)), (None, None));
}
